package core

import "time"

// A Rate is how often something may be done: Burst times at once, and after that once in Every.
type Rate struct {
	Every time.Duration // positive
	Burst int           // 1 or more
}

// A Bucket keeps count of what was done at a Rate. The zero Bucket is full.
type Bucket struct {
	full time.Time // when nothing of the burst is missing any more
}

// Ready reports whether it may be done now.
func (b *Bucket) Ready(now time.Time, r Rate) bool {
	return b.missing(now, r)+r.Every <= r.span()
}

// Take notes that it is done now, whether or not it may.
func (b *Bucket) Take(now time.Time, r Rate) {
	b.full = now.Add(min(b.missing(now, r)+r.Every, r.span()))
}

// Return takes back what Take has noted, n times.
func (b *Bucket) Return(n int, r Rate) { b.full = b.full.Add(-time.Duration(n) * r.Every) }

// missing is the time until the bucket is full. If the time has been set back, that is as if nothing of the burst were left.
func (b *Bucket) missing(now time.Time, r Rate) time.Duration {
	if emptied := now.Add(r.span()); b.full.After(emptied) {
		b.full = emptied
	}
	return max(b.full.Sub(now), 0)
}

func (r Rate) span() time.Duration { return time.Duration(r.Burst) * r.Every }
