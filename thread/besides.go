package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// maxTogether is how many routers two partitions may have together to become one, maxBesides how many partitions are remembered.
const maxTogether, maxBesides = neighbors.MaxRouters * 5 / 4, 6

// besides are the partitions heard lately. Where two meet that together have a few routers more than one partition may have, it is tried: routers
// that come to stand beside each other step down, of fields of 64 nodes two halves have up to 36 and the whole has 30. If they have not become one
// after a while, they are left as they are.
type besides [maxBesides]struct {
	id          uint32
	since, last time.Time // zero for none
}

// hear notes that a partition was heard; one that was not for a while is new. If all places are taken, it takes that of the one that was not
// heard for the longest time.
func (b *besides) hear(now time.Time, id uint32, while time.Duration) {
	oldest := 0
	for i := range b {
		e := &b[i]
		if e.id == id && now.Sub(e.last) < while {
			e.last = now
			return
		}
		if e.last.Before(b[oldest].last) {
			oldest = i
		}
	}
	e := &b[oldest]
	e.id, e.since, e.last = id, now, now
}

// isNew reports whether a partition has not been heard for longer than a while.
func (b *besides) isNew(now time.Time, id uint32, while time.Duration) bool {
	for i := range b {
		if e := &b[i]; e.id == id && now.Sub(e.last) < while && now.Sub(e.since) >= while {
			return false
		}
	}
	return true
}
