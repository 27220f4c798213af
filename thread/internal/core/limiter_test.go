package core

import (
	"testing"
	"time"
)

// A burst is allowed at once, then one each interval; after a pause no more than a burst.
func TestLimiter(t *testing.T) {
	now := time.Date(2018, 12, 14, 0, 0, 0, 0, time.UTC)
	r := Limiter{Interval: 4 * time.Second, Burst: 3}
	count := func(span time.Duration) (n int) {
		for end := now.Add(span); now.Before(end); now = now.Add(time.Second) {
			for range 5 {
				if r.Allow(now) {
					n++
				}
			}
		}
		return n
	}
	for _, want := range []int{3 + 9, 10} {
		if got := count(40 * time.Second); got != want {
			t.Errorf("%d in 40 s, want %d", got, want)
		}
	}
	if !r.Full().After(now) {
		t.Error("a burst at once after a burst")
	}
	now = now.Add(time.Hour)
	if r.Full().After(now) {
		t.Error("no burst after an hour")
	}
	if got := count(time.Second); got != 3 {
		t.Errorf("%d at once after an hour", got)
	}
	var free Limiter
	for range 100 {
		if !free.Allow(now) {
			t.Fatal("an interval of zero is a bound")
		}
	}
}
