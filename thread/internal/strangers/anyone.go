package strangers

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
)

// The share of what is sent because of requests that nothing authenticates, in units of the longest frame's airtime: half a percent of the time
// at most in the long run. Who scans asks once or twice; nobody's life depends on the answer.
const anyoneEvery, anyoneBurst = 200, 8

// Anyone bounds answers to requests that everybody can make up, without any key: Beacon Requests and Discovery Requests. There is no sense in
// shares for each of the askers: they can take any name.
type Anyone struct {
	core  *core.Core
	rate  core.Rate
	spent core.Bucket
}

// NewAnyone returns an Anyone for a radio on which the longest frame takes a time, positive.
func NewAnyone(c *core.Core, frame time.Duration) *Anyone {
	return &Anyone{core: c, rate: core.Rate{Every: anyoneEvery * frame, Burst: anyoneBurst}}
}

// Allow reports whether a request may be answered, and counts the answer if so.
func (a *Anyone) Allow() bool {
	if !a.spent.Ready(a.core.Now, a.rate) {
		return false
	}
	a.spent.Take(a.core.Now, a.rate)
	return true
}
