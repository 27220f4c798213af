package thread

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// courtesy is what a node without a place does for others that search as well, when the power comes back above all. Who has asked first
// founds the partition, or who stands in the middle of others; who hears that asks nothing meanwhile, and then asks the router that it hears, alone.
//
//	                      a Parent Request of somebody ahead           an Advertisement
//	about to ask ────────────────────────────────► hold ──────────────────────────────► ask its sender, when it is silent
//	about to found a partition ──────────────────► search again
//
//	two others ask for routers ─► ask everybody, at once ─► nobody: found ─► the others hear the Advertisement
//	                          └── another one has done so ─► hold
//
// Who is ahead has asked what this node has not asked yet: routers, then everybody. A recording may hold a node up for some seconds, a few
// times. Frames between others show that somebody has a place; whether they are authentic does not matter, for they hold a node up no longer.
//
// Deviation: stock's nodes know nothing of each other while they search. Of 32 in one cell that have power again at once, more than 20 found
// partitions, which then merge one by one: at SF7 that takes a quarter of an hour. Of nine in a star, each of the eight that hear the middle
// alone founds one.
type courtesy struct {
	ahead    time.Time // when somebody ahead was heard last, or somebody who has a place
	mesh     time.Time // when a frame from one other node to another was heard last
	began    time.Time // when the last request was sent
	holds    int       // in this search
	waived   int       // partitions not founded since the last place
	direct   bool      // the search asks one router alone: the one that was heard
	again    int       // how often that one was asked again
	deferred int       // how often in a row a request was put off, since others were talking

	others [maxOthers]ieee802154.ExtAddr // that were heard searching
	heard  int                           // their number
	middle bool                          // this node stands in the middle of others, and is to found the partition
	yields bool                          // another one is to
}

const (
	maxHolds    = 3  // times that a request is put off in a search
	maxWaived   = 4  // searches in a row after which no partition is founded, since somebody was there
	maxOthers   = 16 // nodes that are told apart
	middleOf    = 2  // of so many others a node stands in the middle
	fewOthers   = 3  // so many do not get in each other's way
	maxAgain    = 3  // times that one router is asked again
	maxDeferred = 16 // times that a request waits for others to be silent
	// silentAfter and silenceAgain are how long nothing was heard once a handshake is over, and the longest time after which a node looks whether
	// it is; in times of the longest frame.
	silentAfter, silenceAgain = 2, 10
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
	c := &a.courtesy
	c.note(info.ext)
	if mask.Has(mle.ScanEndDevices) {
		a.heardAhead(info.ext)
	} else if a.state == attachStart {
		c.ahead = a.Now
	}
	if a.state == attachParentRequestRouters && a.isMiddle() {
		c.middle = true
		a.endWindow(a.RandomUpTo(a.timing.SearchJitter))
	}
	return nil
}

// heardAhead notes that another node asks everybody, after which it will found a partition.
func (a *attacher) heardAhead(ext ieee802154.ExtAddr) {
	c := &a.courtesy
	switch a.state {
	case attachStart:
	case attachParentRequestRouters:
		if c.middle {
			a.endWindow(a.timing.ParentRequestRouters)
		}
	case attachParentRequestREEDs:
		// Of two that have asked at the same time one goes on.
		if !c.middle || a.Now.Sub(c.began) >= a.timing.SearchJitter/2 || bytes.Compare(ext[:], a.Ext[:]) < 0 {
			return
		}
	default:
		return
	}
	c.ahead, c.middle, c.yields = a.Now, false, true
}

// endWindow has the wait for Parent Responses end after a time.
func (a *attacher) endWindow(d time.Duration) {
	a.windowEnd = a.Now.Add(d)
	a.timer = a.windowEnd
}

// note counts the nodes that search.
func (c *courtesy) note(ext ieee802154.ExtAddr) {
	if c.heard < len(c.others) && !slices.Contains(c.others[:c.heard], ext) {
		c.others[c.heard] = ext
		c.heard++
	}
}

// isMiddle reports whether enough others search, and nobody else has a place or asks everybody, for this node to found the partition.
func (a *attacher) isMiddle() bool {
	c := &a.courtesy
	return a.courteous() && a.role == RoleDetached && !c.direct && !c.middle && !c.yields && !a.hearsMesh() && c.heard >= middleOf
}

// isCrowded reports whether so many others search that who repeats a request before its turn has come is in the way of all.
func (a *attacher) isCrowded() bool { return a.courtesy.heard > fewOthers }

// overheard notes a frame for another node: somebody has a place.
func (a *attacher) overheard(psdu []byte) {
	const panOffset = 3
	if a.role == RoleDetached && binary.LittleEndian.Uint16(psdu[panOffset:]) == uint16(a.dataset.Network().PANID) {
		a.courtesy.mesh = a.Now
	}
}

// hearsMesh reports whether somebody has a place, as far as is heard.
func (a *attacher) hearsMesh() bool {
	c := &a.courtesy
	return !c.mesh.IsZero() && a.Now.Sub(c.mesh) < 3*a.timing.AttachHold
}

// held reports whether the request is put off.
func (a *attacher) held() bool {
	c := &a.courtesy
	switch {
	case a.timing.AttachHold == 0:
		return false
	case a.asksOne() && a.waitsForSilence():
		return true
	case !a.courteous() || c.direct || c.middle:
		return false
	case a.isMiddle():
		c.middle = true // unless another one is heard in time
		a.timer = a.Now.Add(a.RandomUpTo(a.timing.SearchJitter))
		return true
	}
	until := c.ahead.Add(a.timing.AttachHold)
	if c.holds >= maxHolds || c.ahead.IsZero() || !a.Now.Before(until) {
		return false // nobody is ahead
	}
	c.holds++
	a.timer = until.Add(a.RandomUpTo(a.timing.AttachHold / 2))
	return true
}

// waitsForSilence reports whether the request waits for others to be silent: a handshake is five frames, and who asks in between makes it fail.
func (a *attacher) waitsForSilence() bool {
	c := &a.courtesy
	if c.deferred >= maxDeferred || a.silence() >= silentAfter*a.timing.FrameTime {
		c.deferred = 0
		return false
	}
	c.deferred++
	a.timer = a.Now.Add(a.RandomUpTo(silenceAgain * a.timing.FrameTime))
	return true
}

// heardRouter has a node that searches ask the router whose Advertisement it has heard.
func (a *attacher) heardRouter(ad advertised, info mleInfo) {
	c := &a.courtesy
	if !a.courteous() || ad.route == nil || !info.news || a.neighbors.Candidate.State() != neighbors.Invalid {
		return
	}
	if a.state != attachStart && a.state != attachParentRequestRouters && a.state != attachParentRequestREEDs {
		return
	}
	if ad.full {
		a.heardFull(info.ext)
		return
	}
	if c.direct || a.scale.Quality(a.scale.Margin(info.rssi), -1) < 3 {
		return
	}
	c.ahead, c.direct, c.again, a.heard = a.Now, true, 0, info.ext
	a.mode = attachAny // whatever has become of the partition of before
	a.enter(attachStart)
	a.timer = a.Now.Add(time.Millisecond + a.RandomUpTo(a.turn()))
}

// heardFull is for a router that has no place for another child: those who have one become routers soon.
func (a *attacher) heardFull(ext ieee802154.ExtAddr) {
	c := &a.courtesy
	c.ahead = a.Now
	if c.direct && a.heard == ext {
		c.direct = false
		a.enter(attachStart)
		a.timer = a.Now.Add(a.timing.AttachHold + a.RandomUpTo(a.timing.AttachHold))
	}
}

// turn is the time within which all ask who have heard the same router.
func (a *attacher) turn() time.Duration {
	t := a.timing.SearchJitter * time.Duration(2+a.courtesy.heard) / 6
	if a.full() {
		t *= 2
	}
	return t
}

// askAgain has a search ask its one router again, soon, if it has not done so often: the request may have met another. A router that has not
// answered the search before may not be there.
func (a *attacher) askAgain() bool {
	c := &a.courtesy
	if a.timing.AttachHold == 0 || a.isCrowded() || c.again >= maxAgain || !c.direct && a.doubtful {
		return false
	}
	c.again++
	a.enter(attachStart)
	a.timer = a.Now.Add(time.Millisecond + a.RandomUpTo(a.turn()<<c.again))
	return true
}

// waives reports whether a search that found no parent is followed by another, in place of a partition: there is somebody.
func (a *attacher) waives() bool {
	c := &a.courtesy
	founds := c.middle
	c.holds, c.heard, c.direct, c.middle, c.yields = 0, 0, false, false, false
	somebody := a.hearsMesh() || !c.ahead.IsZero() && a.Now.Sub(c.ahead) < 3*a.timing.AttachHold
	if founds || !a.courteous() || !somebody || c.waived >= maxWaived {
		return false
	}
	c.waived++
	return true
}

// givesWay reports whether a search that has asked routers asks nobody else for now: another node does.
func (a *attacher) givesWay() bool {
	c := &a.courtesy
	return a.courteous() && a.role == RoleDetached && c.yields && a.Now.Sub(c.ahead) < a.timing.AttachHold
}
