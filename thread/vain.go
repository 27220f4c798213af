package thread

import "time"

const (
	// maxVainSearches is how many partitions are remembered that were searched for in vain.
	maxVainSearches = 8
	// maxVainDoublings bounds how often the pause between searches for the same partition doubles.
	maxVainDoublings = 6
	// newsDoublings is the same as long as what is heard of the partition is news, once more for each patience searches, up to the maximum.
	newsDoublings, maxNewsDoublings = 1, 4
	patience                        = 6
)

// vainSearches remembers the better partitions that were heard of and searched for, without an answer from any parent there: they may be
// gone, and what was heard a recording. Each is searched for again after ever longer pauses, until somebody there answers.
//
// Deviation: OpenThread searches whenever it hears an Advertisement. One that was recorded would keep it searching for ever.
type vainSearches [maxVainSearches]vainSearch

// A vainSearch is a partition that was searched for. The zero value is free.
type vainSearch struct {
	partition uint32
	times     int       // in a row, up to maxVainDoublings
	tries     int       // in a row, as far as they count for news
	began     time.Time // the last time
	until     time.Time // when it may be searched for again
}

// begin reports whether a partition may be searched for, and counts the search as vain; again says that the one before was. The pauses between searches for it are pause,
// then twice as long, and so on, 64 times as long at most.
//
// News, which a recording is once at most, does not wait that long: where frames get lost, a search may be in vain though all are there. For
// it the pauses double once, and more often only after many searches: somebody may have many recordings.
//
// If all places are taken, one more partition takes over the place that is due first, with its pauses: however many partitions are
// recorded, they are searched for no more often than so many.
func (v *vainSearches) begin(now time.Time, partition uint32, pause time.Duration, news bool) (ok, again bool) {
	e := v.place(partition)
	if now.Before(e.until) && !(news && e.partition == partition && now.Sub(e.began) >= pause<<e.newsDoublings()) {
		return false, true
	}
	if now.Sub(e.until) > pause<<maxVainDoublings {
		e.times, e.tries = 0, 0 // forgotten
	}
	e.partition = partition
	e.began, e.until = now, now.Add(pause<<e.times)
	again = e.times > 0
	e.times = min(e.times+1, maxVainDoublings)
	e.tries = min(e.tries+1, maxNewsDoublings*patience)
	return true, again
}

// newsDoublings is how often the pause before a search doubles that news is the reason for.
func (e *vainSearch) newsDoublings() int {
	return min(newsDoublings+e.tries/patience, maxNewsDoublings)
}

// answered forgets a partition: there is somebody.
func (v *vainSearches) answered(partition uint32) {
	if e := v.place(partition); e.partition == partition {
		*e = vainSearch{}
	}
}

// place returns the entry of a partition, or else the one that is due first.
func (v *vainSearches) place(partition uint32) *vainSearch {
	first := &v[0]
	for i := range v {
		e := &v[i]
		if e.times > 0 && e.partition == partition {
			return e
		}
		if e.until.Before(first.until) {
			first = e
		}
	}
	return first
}
