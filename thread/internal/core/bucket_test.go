package core

import (
	"testing"
	"time"
)

// A bucket gives its burst at once, then one in each interval, and the whole burst again after as long as that takes to fill.
func TestBucket(t *testing.T) {
	rate := Rate{Every: 10 * time.Second, Burst: 3}
	var b Bucket
	now := time.Unix(1000, 0)
	take := func(after time.Duration, want int) {
		t.Helper()
		now = now.Add(after)
		got := 0
		for b.Ready(now, rate) {
			b.Take(now, rate)
			got++
		}
		if got != want {
			t.Errorf("%d at %v, want %d", got, now.Sub(time.Unix(1000, 0)), want)
		}
	}
	take(0, 3)
	take(9*time.Second, 0)
	take(time.Second, 1)
	take(25*time.Second, 2)
	take(5*time.Second, 1)
	take(time.Hour, 3)
	take(-time.Hour, 0)     // the time is set back
	take(30*time.Second, 3) // and costs no more than a burst takes to fill
	b.Take(now, rate)       // more than there is
	take(10*time.Second, 1) // is no debt
}
