package steady

import (
	"testing"
	"time"
)

// hands are a clock that is set by hand.
type hands struct{ now time.Time }

func (h *hands) Now() time.Time                  { return h.now }
func (h *hands) Until(t time.Time) time.Duration { return t.Sub(h.now) }

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFollows(t *testing.T) {
	h := &hands{start}
	c := New(h)
	for range 3 {
		if !c.Now().Equal(h.now) || c.Until(h.now.Add(time.Minute)) != time.Minute {
			t.Errorf("%v at %v", c.Now(), h.now)
		}
		h.now = h.now.Add(time.Hour)
	}
}

// TestStepsBack: time goes on, and what was due in a minute is due in a minute.
func TestStepsBack(t *testing.T) {
	h := &hands{start}
	c := New(h)
	for n := range 5 {
		before := c.Now()
		due := before.Add(time.Minute)
		h.now = h.now.Add(-time.Duration(n) * time.Hour)
		if wait := c.Until(due); wait != time.Minute {
			t.Errorf("after a step back of %d h the minute takes %v", n, wait)
		}
		if now := c.Now(); !now.Equal(before) {
			t.Errorf("%v after %v", now, before)
		}
		h.now = h.now.Add(time.Minute)
		if now := c.Now(); !now.Equal(due) {
			t.Errorf("a minute after %v it is %v", before, now)
		}
	}
}

// TestStepForward: it counts as time that has passed.
func TestStepForward(t *testing.T) {
	h := &hands{start}
	c := New(h)
	c.Now()
	h.now = start.Add(time.Hour)
	if wait := c.Until(start.Add(time.Minute)); wait != -59*time.Minute {
		t.Error(wait)
	}
}

func TestAllocates(t *testing.T) {
	c := New(&hands{start})
	if n := testing.AllocsPerRun(100, func() { c.Until(c.Now()) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
