package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// courtesy is what a node without a place does for others that search as well, when the power comes back above all. Who has asked first
// founds the partition; who hears it asks nothing meanwhile, and then asks the router that it hears, alone.
//
//	                      a Parent Request of somebody ahead           an Advertisement
//	about to ask ────────────────────────────────► hold ──────────────────────────────► ask its sender
//	about to found a partition ──────────────────► search again
//
// Who is ahead has asked what this node has not asked yet: routers, then everybody. A recording may hold a node up for some seconds, a few
// times.
//
// Deviation: stock's nodes know nothing of each other while they search. Of 32 in one cell that have power again at once, more than 20 found
// partitions, which then merge one by one: at SF7 that takes a quarter of an hour.
type courtesy struct {
	ahead   time.Time // when somebody ahead was heard last, or somebody who has a place
	holds   int       // in this search
	waived  int       // partitions not founded since the last place
	direct  bool      // the search asks one router alone: the one that was heard
	crowded bool      // others were heard searching
}

const (
	maxHolds  = 3 // times that a request is put off in a search
	maxWaived = 4 // searches in a row after which no partition is founded, since somebody was there
)

// courteous reports whether the node is one that cares for others: it searches for any place, having none, or none with a leader.
func (a *attacher) courteous() bool {
	searches := a.role == RoleDetached && a.mode == attachAny && (a.moving == staysPut || a.moving == mayTryNext)
	return a.timing.AttachHold > 0 && (searches || a.leaderless())
}

// leaderless reports whether the node has a place in a partition without a leader, as all others there.
func (a *attacher) leaderless() bool {
	return a.timing.AttachHold > 0 && a.attached() && a.role != RoleLeader && a.fullThreadDevice() && !a.routes.hearsLeader()
}

// heardRequest notes that another node searches.
func (a *attacher) heardRequest(m mle.Message, info mleInfo) error {
	mask, err := m.ScanMask()
	switch {
	case err != nil:
		return err
	case a.timing.AttachHold == 0 || !info.news:
		return errMLEUnexpected
	}
	a.courtesy.crowded = true
	if a.state == attachStart || a.state == attachParentRequestRouters && mask.Has(mle.ScanEndDevices) {
		a.courtesy.ahead = a.Now
	}
	return nil
}

// held reports whether the first request is put off, since somebody is ahead.
func (a *attacher) held() bool {
	c := &a.courtesy
	until := c.ahead.Add(a.timing.AttachHold)
	if !a.courteous() || c.direct || c.holds >= maxHolds || c.ahead.IsZero() || !a.Now.Before(until) {
		return false
	}
	c.holds++
	a.timer = until.Add(a.RandomUpTo(a.timing.AttachHold / 2))
	return true
}

// heardRouter has a node that searches ask the router whose Advertisement it has heard.
func (a *attacher) heardRouter(ad advertised, info mleInfo) {
	c := &a.courtesy
	if !a.courteous() || ad.route == nil || !info.news || a.neighbors.Candidate.State() != neighbors.Invalid || c.direct {
		return
	}
	if a.state != attachStart && a.state != attachParentRequestRouters && a.state != attachParentRequestREEDs {
		return
	}
	if a.scale.Quality(a.scale.Margin(info.rssi), -1) < 3 {
		return
	}
	c.ahead, c.direct, a.heard = a.Now, true, info.ext
	a.mode = attachAny // whatever has become of the partition of before
	jitter := a.timing.SearchJitter / 3
	if c.crowded {
		jitter = a.timing.AttachHold
	}
	a.enter(attachStart)
	a.timer = a.Now.Add(time.Millisecond + a.RandomUpTo(jitter))
}

// waives reports whether a search that found no parent is followed by another, in place of a partition: there is somebody.
func (a *attacher) waives() bool {
	c := &a.courtesy
	c.holds, c.direct = 0, false
	if !a.courteous() || c.ahead.IsZero() || a.Now.Sub(c.ahead) >= 3*a.timing.AttachHold || c.waived >= maxWaived {
		return false
	}
	c.waived++
	return true
}
