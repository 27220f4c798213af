package polling

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
)

// timing is that of stock OpenThread.
var timing = Timing{
	Attach: 100 * time.Millisecond, Fast: 188 * time.Millisecond, Retry: time.Second, Min: 10 * time.Millisecond, Retries: 4,
}

// node is a poller with a clock. Its polls are acknowledged, unless told otherwise.
type node struct {
	*Poller
	t    *testing.T
	core *core.Core
}

func newNode(t *testing.T) *node {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(time.Unix(1000, 0))
	n := &node{Poller: New(c, timing), t: t, core: c}
	if _, ok := n.NextTimeout(); ok || n.Due() {
		t.Error("a new poller polls")
	}
	return n
}

func (n *node) on(timeout time.Duration) { n.Update(State{On: true, Timeout: timeout}) }

// poll lets time pass until the next poll, and returns how long that was.
func (n *node) poll(ok bool) time.Duration {
	n.t.Helper()
	start := n.core.Now
	if next, runs := n.NextTimeout(); runs {
		n.core.Advance(next.Add(-1))
		if n.HandleTimeout(); n.Due() {
			n.t.Error("a poll is due early")
		}
		n.core.Advance(next)
		n.HandleTimeout()
	}
	if !n.Due() {
		n.t.Fatal("no poll is due")
	}
	n.Taken()
	if n.Due() {
		n.t.Error("another one is due at once")
	}
	n.Sent(ok)
	return n.core.Now.Sub(start)
}

func (n *node) polls(what string, want ...time.Duration) {
	n.t.Helper()
	for i, d := range want {
		if got := n.poll(true); got != d {
			n.t.Errorf("%s, poll %d after %v, want %v", what, i+1, got, d)
		}
	}
}

// Without another word a node polls as seldom as its parent's patience allows, with all retries.
func TestPeriod(t *testing.T) {
	n := newNode(t)
	n.on(240 * time.Second)
	n.polls("by the child timeout", 236*time.Second, 236*time.Second)
	n.on(100 * time.Second)
	n.polls("by another one", 96*time.Second)
	n.on(2 * time.Second)
	n.polls("by one that is too short", timing.Min)
	n.on(240 * time.Second)
	n.SetPeriod(30 * time.Second)
	n.polls("set", 30*time.Second, 30*time.Second)
	if n.Set() != 30*time.Second || n.Period(time.Hour) != 30*time.Second {
		t.Error(n.Set())
	}
	n.core.Advance(n.core.Now.Add(20 * time.Second))
	n.SetPeriod(25 * time.Second) // counted from the last poll
	n.polls("set anew", 5*time.Second, 25*time.Second)
	n.core.Advance(n.core.Now.Add(20 * time.Second))
	n.SetPeriod(10 * time.Second)
	if n.HandleTimeout(); !n.Due() {
		t.Error("a poll that is overdue")
	}
	n.SetPeriod(0)
	if n.Period(240*time.Second) != 236*time.Second {
		t.Error("not reset")
	}
}

// While the parent's answer to an MLE message is due, the node polls often.
func TestAttach(t *testing.T) {
	n := newNode(t)
	n.Update(State{On: true, Attach: true, Timeout: 240 * time.Second})
	n.polls("attaching", timing.Attach, timing.Attach)
	n.on(240 * time.Second)
	n.polls("attached", 236*time.Second)
	n.SetPeriod(50 * time.Millisecond)
	n.Update(State{On: true, Attach: true, Timeout: 240 * time.Second})
	n.polls("with a period that is shorter", 50*time.Millisecond)
}

// While another answer is due, some polls are fast.
func TestExpect(t *testing.T) {
	n := newNode(t)
	n.Expect(3) // it is off
	n.on(240 * time.Second)
	n.SetPeriod(30 * time.Second)
	n.Expect(2)
	n.polls("two", timing.Fast, timing.Fast, 30*time.Second)
	n.Expect(0)
	for range FastPolls {
		n.polls("by default", timing.Fast)
	}
	n.polls("then", 30*time.Second)
	n.Expect(100)
	n.Expect(1) // no less
	for range maxFastPolls {
		n.polls("at most", timing.Fast)
	}
	n.polls("then", 30*time.Second)
	n.core.Advance(n.core.Now.Add(10 * time.Second))
	n.Expect(1) // counted from the last poll: at once
	if n.HandleTimeout(); !n.Due() {
		t.Error("none is due")
	}
}

// A poll that is not acknowledged is repeated soon, a few times.
func TestRetry(t *testing.T) {
	n := newNode(t)
	n.on(240 * time.Second)
	n.SetPeriod(30 * time.Second)
	for i, want := range []time.Duration{30 * time.Second, time.Second, time.Second, time.Second, 30 * time.Second, time.Second} {
		if got := n.poll(false); got != want {
			t.Errorf("poll %d after %v, want %v", i+1, got, want)
		}
	}
	n.polls("then one is", time.Second, 30*time.Second)
}

// While the parent has more, the next poll follows at once; so it does, a few times, when what the parent has promised does not come.
func TestMore(t *testing.T) {
	n := newNode(t)
	n.on(240 * time.Second)
	n.SetPeriod(30 * time.Second)
	n.polls("first", 30*time.Second)
	n.Arrived(true)
	n.polls("more", 0)
	n.Arrived(false)
	n.polls("no more", 30*time.Second)
	for i := range 2 * quickPolls {
		n.Missed()
		want := time.Duration(0)
		if i >= quickPolls-1 {
			want = 30 * time.Second
		}
		n.polls("missed", want)
	}
	n.Arrived(false)
	n.Missed()
	n.Arrived(false)
	if !n.Due() {
		t.Error("what is due is not any more")
	}
}

// A poller that is off has nothing due, whatever happens, and begins anew.
func TestOff(t *testing.T) {
	n := newNode(t)
	n.on(240 * time.Second)
	n.Expect(5)
	n.Missed()
	n.Update(State{Timeout: 240 * time.Second})
	n.Arrived(true)
	n.Missed()
	n.Sent(false)
	n.Expect(2)
	n.SetPeriod(30 * time.Second)
	if _, ok := n.NextTimeout(); ok || n.Due() {
		t.Error("it polls")
	}
	n.core.Advance(n.core.Now.Add(time.Hour))
	n.on(240 * time.Second)
	n.polls("on again", 30*time.Second)
}
