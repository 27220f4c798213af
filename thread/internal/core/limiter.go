package core

import "time"

// A Limiter bounds how often something is done: Burst times at once, and once each Interval in the long run. An Interval of zero is no
// bound.
type Limiter struct {
	Interval time.Duration
	Burst    int

	bucket Bucket
}

// Allow reports whether it may be done at now, and counts it if so.
func (l *Limiter) Allow(now time.Time) bool {
	if l.Interval == 0 {
		return true
	}
	rate := Rate{Every: l.Interval, Burst: l.Burst}
	if !l.bucket.Ready(now, rate) {
		return false
	}
	l.bucket.Take(now, rate)
	return true
}

// Full returns since or until when a whole burst is allowed: what has the earliest has been done least of late.
func (l *Limiter) Full() time.Time { return l.bucket.full }
