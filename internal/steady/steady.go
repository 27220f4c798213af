// Package steady makes a clock that goes back, as one does that is set anew, fit for state machines: what was due in a minute is due in a
// minute, whatever the clock is set to.
package steady

import (
	"sync"
	"time"
)

// Source is a clock; a lora.Clock is one.
type Source interface {
	Now() time.Time
	Until(t time.Time) time.Duration
}

// Clock follows another clock, and never goes back: when that one does, this one goes on from where it was. It counts a step forward
// as time that has passed, as nothing tells it from a program that was stopped for as long. The wall clock of package time steps
// neither way while a program runs (see "Monotonic Clocks" there).
//
// It may be used by many goroutines at once.
type Clock struct {
	source Source

	mu     sync.Mutex
	last   time.Time
	behind time.Duration // how far the source is
}

// New returns a clock that follows a source.
func New(source Source) *Clock { return &Clock{source: source} }

// Now returns the time, which is never before one that was returned already.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	now := c.source.Now().Add(c.behind)
	if back := c.last.Sub(now); back > 0 && !c.last.IsZero() {
		c.behind += back
		return c.last
	}
	c.last = now
	return now
}

// Until returns how long to wait, by the wall clock, until Now reaches t. It is zero or negative when t has passed.
func (c *Clock) Until(t time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now()
	return c.source.Until(t.Add(-c.behind))
}
