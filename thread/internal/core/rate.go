package core

import "time"

// A Rate bounds how often something is done: Burst times at once, and once each Interval in the long run. An Interval of zero is no
// bound.
type Rate struct {
	Interval time.Duration
	Burst    int

	full time.Time // when a whole burst is allowed again
}

// Allow reports whether it may be done at now, and counts it if so.
func (r *Rate) Allow(now time.Time) bool {
	full := r.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(r.Interval)
	if full.Sub(now) > r.Interval*time.Duration(r.Burst) {
		return false
	}
	r.full = full
	return true
}

// Full returns since or until when a whole burst is allowed: what has the earliest has been done least of late.
func (r *Rate) Full() time.Time { return r.full }
