// Package polling says when a sleepy end device asks its parent for what that has for it (Thread 1.1 §3.4). It sends nothing itself.
//
//	                 the period is over, or more is pending
//	     ┌── waits ───────────────────────────────────────────► Due ── Taken ─► the MAC sends a data request
//	     ▲    ▲                                                                         │
//	off ─┘    └── Sent, Arrived, Missed ◄─────────────────────────────────────── what became of it
//
// The period is the one that the host has set, or else as long as the parent's patience allows, with all retries; shorter while
// the node attaches, after a poll that was not acknowledged, and while an answer is due.
package polling

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
)

// Timing is how often a node polls. Durations are positive.
type Timing struct {
	// Attach is the period while the parent's answer to an MLE message is due, Fast while another answer is, and Retry after a poll that was
	// not acknowledged.
	Attach, Fast, Retry time.Duration
	// Min is the shortest period that follows from the child timeout.
	Min time.Duration
	// Retries is the number of polls that fail in a row before the node goes back to its period.
	Retries int
}

const (
	// FastPolls is how many polls follow each other quickly while an answer is due, if nothing else is said, and maxFastPolls how many at
	// most: OpenThread's numbers.
	FastPolls    = 8
	maxFastPolls = 15
	// quickPolls is how many polls follow each other at once while what the parent promises does not come.
	//
	// Deviation: OpenThread begins anew with each period. But acknowledgements can be forged, and who does that would keep the node awake.
	quickPolls = 5
)

// State is what polling follows from.
type State struct {
	On     bool // there is a parent to be asked
	Attach bool // its answer to an MLE message is due
	// Timeout is the silence after which the parent drops this node.
	Timeout time.Duration
}

// A Poller is the plan of one node's polls.
type Poller struct {
	core   *core.Core
	timing Timing
	state  State

	period time.Duration // set by the host, 0 if it is to follow from the timeout
	start  time.Time     // of the wait
	timer  time.Time     // its end
	due    bool

	fast   int  // polls that are still to be fast
	retry  bool // the last poll was not acknowledged
	failed int  // polls in a row that were not
	missed int  // promised frames in a row that did not come
}

// New returns a Poller that is off.
func New(c *core.Core, t Timing) *Poller { return &Poller{core: c, timing: t} }

// Update says what has changed.
func (p *Poller) Update(s State) {
	if s == p.state {
		return
	}
	was := p.state.On
	p.state = s
	switch {
	case !s.On:
		p.timer, p.due = time.Time{}, false
		p.fast, p.retry, p.failed, p.missed = 0, false, 0, 0
		return
	case !was:
		p.start = p.core.Now
	}
	p.plan()
}

// SetPeriod sets the time between two polls, 0 for one that follows from the child timeout.
func (p *Poller) SetPeriod(d time.Duration) {
	p.period = d
	p.plan()
}

// Set returns what SetPeriod has set.
func (p *Poller) Set() time.Duration { return p.period }

// Period returns the time between two polls of a node that waits for nothing, and that its parent drops after a silence of timeout.
func (p *Poller) Period(timeout time.Duration) time.Duration {
	if p.period != 0 {
		return p.period
	}
	return max(timeout-time.Duration(p.timing.Retries)*p.timing.Retry, p.timing.Min)
}

// Expect makes the next n polls fast, FastPolls if n is 0: an answer is due.
func (p *Poller) Expect(n int) {
	if !p.state.On {
		return
	}
	if n == 0 {
		n = FastPolls
	}
	p.fast = max(p.fast, min(n, maxFastPolls))
	p.plan()
}

// plan sets the timer for the present period, counted from when the wait has begun.
func (p *Poller) plan() {
	if p.state.On {
		p.timer = p.start.Add(p.present())
	}
}

// present is the period that holds now.
func (p *Poller) present() time.Duration {
	period := p.Period(p.state.Timeout)
	if p.state.Attach {
		period = min(period, p.timing.Attach)
	}
	if p.retry {
		period = min(period, p.timing.Retry)
	}
	if p.fast > 0 {
		period = min(period, p.timing.Fast)
	}
	return period
}

// NextTimeout returns when the next poll is due, and false if one is already, or none will be.
func (p *Poller) NextTimeout() (time.Time, bool) { return p.timer, !p.timer.IsZero() && !p.due }

// HandleTimeout lets the next poll be due, if it is time.
func (p *Poller) HandleTimeout() {
	if p.core.IsDue(p.timer) {
		p.due = true
	}
}

// Due reports whether a poll is to be sent as soon as the MAC is idle.
func (p *Poller) Due() bool { return p.due }

// Taken says that the MAC sends one.
func (p *Poller) Taken() {
	p.due = false
	p.start = p.core.Now
	p.plan()
}

// Sent says that the poll is over, and whether the parent has acknowledged it.
func (p *Poller) Sent(ok bool) {
	switch {
	case !p.state.On:
		return
	case ok:
		p.fast = max(p.fast-1, 0)
		p.retry, p.failed = false, 0
	default:
		p.failed++
		if p.retry = p.failed < p.timing.Retries; !p.retry {
			p.failed = 0
		}
	}
	p.plan()
}

// Arrived says that a frame has come, and whether the parent has more.
func (p *Poller) Arrived(more bool) {
	p.missed = 0
	p.due = p.due || more && p.state.On
}

// Missed says that none has come which the parent had promised.
func (p *Poller) Missed() {
	if !p.state.On {
		return
	}
	p.missed = min(p.missed+1, quickPolls)
	p.due = p.due || p.missed < quickPolls
}
