// Package trickle is the Trickle timer (RFC 6206), which paces messages that neighbors repeat to each other: often
// after something changed, ever more rarely while all agree.
//
// Time is cut into intervals. In each one the timer fires once, at a random point t of its second half, unless K
// messages that say the same were heard before that. Every interval is twice as long as the one before, up to Imax. An
// inconsistency starts over with Imin (RFC 6206 §4.2):
//
//	|---------t--|------------------------t|-----------------------------------t------------|
//	0            I                        3I                                               7I
//
// Thread paces the Advertisements of routers this way (Thread 1.1 §4), with Imin 1 s, Imax 32 s and no redundancy
// constant. Those of router-eligible end devices come at plain random intervals: see [Plain].
package trickle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrConfig means that a [Config] has an Imin that is not positive, an Imax below Imin, a negative K or an unknown
// mode.
var ErrConfig = errors.New("trickle: invalid configuration")

// Mode is how the timer moves through its intervals.
type Mode uint8

const (
	// Doubling is the algorithm of RFC 6206.
	Doubling Mode = iota
	// Plain fires at the end of every interval, each of which is a random length between Imin and Imax.
	Plain
)

// String returns the mode's name.
func (m Mode) String() string {
	switch m {
	case Doubling:
		return "doubling"
	case Plain:
		return "plain"
	default:
		return fmt.Sprintf("Mode(%d)", uint8(m))
	}
}

// Config holds the parameters of the algorithm (RFC 6206 §4.1).
type Config struct {
	Imin time.Duration // shortest interval, positive
	Imax time.Duration // longest interval; a duration here, a number of doublings in the RFC
	K    int           // redundancy constant: consistent messages that silence an interval; 0 for none
	Mode Mode
}

func (c Config) valid() bool {
	return c.Imin > 0 && c.Imax >= c.Imin && c.K >= 0 && c.Mode <= Plain
}

// Timer is a Trickle timer. It is stopped at first. Call [Timer.HandleTimeout] at the time that [Timer.NextTimeout]
// returns.
type Timer struct {
	rand   *rand.Rand
	config Config

	interval    time.Duration // I; 0 while stopped
	end         time.Time     // of the interval
	nextTimeout time.Time     // t, and end once t has passed
	count       int           // c: consistent messages heard in this interval
}

// NewTimer returns a stopped Timer that draws from r.
func NewTimer(r *rand.Rand) *Timer { return &Timer{rand: r} }

// Start starts the timer, anew if it runs. The length of the first interval is random between Imin and Imax (RFC 6206
// §4.2, step 1): [Timer.Reset] next to Start begins with Imin instead.
func (t *Timer) Start(now time.Time, c Config) error {
	if !c.valid() {
		return ErrConfig
	}
	t.config = c
	t.begin(now, t.randomInterval())
	return nil
}

// Stop stops the timer.
func (t *Timer) Stop() { t.interval = 0 }

// SetImax changes the longest interval. A longer one that runs ends within the new one.
func (t *Timer) SetImax(now time.Time, imax time.Duration) {
	t.config.Imax = max(imax, t.config.Imin)
	if t.Running() && t.interval > t.config.Imax {
		t.begin(now, t.config.Imax)
	}
}

// Running reports whether the timer runs.
func (t *Timer) Running() bool { return t.interval > 0 }

// Reset tells the timer of an inconsistency: a new interval of length Imin begins, unless the interval has that length
// already (RFC 6206 §4.2, step 6). A stopped timer stays stopped.
func (t *Timer) Reset(now time.Time) {
	if t.Running() && t.interval > t.config.Imin {
		t.begin(now, t.config.Imin)
	}
}

// Hurry shortens the interval to at most d, no less than Imin: a smaller inconsistency. A stopped timer stays stopped.
func (t *Timer) Hurry(now time.Time, d time.Duration) {
	if d = max(d, t.config.Imin); t.Running() && t.interval > d {
		t.begin(now, d)
	}
}

// Consistent tells the timer of a consistent message (RFC 6206 §4.2, step 3).
func (t *Timer) Consistent() { t.count++ }

// Interval returns the length of the current interval, 0 while the timer is stopped.
func (t *Timer) Interval() time.Duration { return t.interval }

// NextTimeout returns when [Timer.HandleTimeout] is to be called, if at all.
func (t *Timer) NextTimeout() (next time.Time, ok bool) {
	return t.nextTimeout, t.Running()
}

// HandleTimeout moves the timer on if its time has come, and reports whether it fires: then the message is to be sent.
func (t *Timer) HandleTimeout(now time.Time) (fire bool) {
	if !t.Running() || now.Before(t.nextTimeout) {
		return false
	}
	switch {
	case t.config.Mode == Plain:
		fire = t.unsuppressed()
		t.begin(now, t.randomInterval())
	case t.nextTimeout.Before(t.end):
		// RFC 6206 §4.2, step 4.
		fire = t.unsuppressed()
		t.nextTimeout = t.end
	default:
		// RFC 6206 §4.2, step 5.
		t.begin(now, min(2*t.interval, t.config.Imax))
	}
	return fire
}

func (t *Timer) unsuppressed() bool { return t.config.K == 0 || t.count < t.config.K }

// begin begins an interval (RFC 6206 §4.2, step 2).
func (t *Timer) begin(now time.Time, interval time.Duration) {
	t.interval = interval
	t.end = now.Add(interval)
	t.count = 0
	t.nextTimeout = t.end
	if t.config.Mode == Doubling {
		half := interval / 2
		t.nextTimeout = now.Add(half + time.Duration(t.rand.Int64N(int64(interval-half))))
	}
}

// randomInterval returns a length between Imin and Imax.
func (t *Timer) randomInterval() time.Duration {
	return t.config.Imin + time.Duration(t.rand.Int64N(int64(t.config.Imax-t.config.Imin)+1))
}
