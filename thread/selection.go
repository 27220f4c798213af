package thread

import (
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// fewRouters is how many a mesh may have before those stay end devices that hear nobody but their parent.
const fewRouters = 4

// maxShorteners is up to how many routers there may be for another one that only shortens ways, and fewIDs from how many on one that does not more
// than that is spare: the rest is for those who need a parent.
const maxShorteners, fewIDs = 28, 31

// shortenerStays is how long such a router stays one, whatever others say of their links.
const shortenerStays = 10 * time.Minute

// shortenAfter is how long a child's place has to be the same, and no other partition heard that may become one with this one.
const shortenAfter = 4 * time.Minute

// bridgeAfter and up to bridgeSpread more is when a child becomes a router that hears routers between which there is no way any more.
const bridgeAfter, bridgeSpread = time.Second, 6 * time.Second

// minDowngradeNeighbors is how many well-linked routers must be there before this one gives up being one, as in OpenThread.
const minDowngradeNeighbors = 7

// selection decides whether a node that may be a router is one, as OpenThread does:
//
//	child, few routers ─► a random delay ─► Address Solicit ─► leader ─► router ID: router
//	child, asked to be a parent ──────────────────┘                 └► none: still a child
//	router, too many routers ─► a random delay ─► search for a parent ─► child ─► Address Release
type selection struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	tmf       *tmfMessenger
	attach    *attacher
	links     *links
	routes    *routes
	parent    *parentSide
	quiet     *quiet

	upgradeAt, downgradeAt int

	fresh      mle.RouterIDSet // routers that were heard before their IDs are known
	selectAt   time.Time       // when to change between router and child, zero if not considered
	sparing    bool            // this router is to be a child since others can do without it
	child      time.Time       // since when this node is the child of its parent
	entered    time.Time       // since when this node is in its partition
	stays      time.Time       // until when it is not asked whether they can
	previousID mle.RouterID    // asked for again at the next Address Solicit; InvalidRouterID if none
	partition  uint32          // last partition in which this node was a router
	open       uint32          // identifies the open Address Solicit; 0 if none is open
	asked      uint32
	unanswered lasting.Condition
}

// asking reports whether the leader is being asked for a router ID.
func (s *selection) asking() bool { return s.open != 0 }

// schedule sets the random time at which the number of routers is judged again.
func (s *selection) schedule() {
	s.selectAt = s.Now.Add(time.Second + s.RandomUpTo(s.timing.RouterSelectionJitter-time.Second))
	s.sparing = false
}

// hurry is for a child that has heard of a router without a place for another child: there may be more who need a parent.
func (s *selection) hurry() {
	soon := s.Now.Add(time.Second + s.RandomUpTo(s.timing.AttachHold*3/2))
	if s.timing.AttachHold > 0 && s.selectAt.After(soon) && !s.crowded() {
		s.selectAt = soon
	}
}

// considerUpgrade is for a child that heard of its partition's routers.
func (s *selection) considerUpgrade() {
	switch {
	case !s.routerEligible() || !s.selectAt.IsZero():
	case s.neighbors.Routers.Active() < s.upgradeAt && !s.crowded():
		s.schedule()
	case s.shortens():
		// One of them will do: its neighbors must hear of it before the next one decides.
		s.selectAt = s.Now.Add(s.timing.RouterSelectionJitter/4 + s.RandomUpTo(3*s.timing.RouterSelectionJitter))
	}
}

// shortens reports whether the ways between routers around this child are so long that it had better be one as well. Where there are many routers
// already they have to be longer.
//
// Deviation: for stock the number of routers alone counts. Of a grid of 64 some 25 are routers, of which many are next to two others only: what goes
// from one to another takes a third more frames than it would if all were, and most of it goes through the same few.
func (s *selection) shortens() bool {
	active := s.neighbors.Routers.Active()
	if s.timing.RouterNeighbors == 0 || !s.quiet.now() || active > maxShorteners || !s.settled() {
		return false
	}
	gain := uint8(1)
	if active >= s.upgradeAt && !s.tooWide() {
		gain = 2
	}
	return s.neighbors.Routers.Shortens(s.Now.Add(-s.quiet.neighborAge()), gain)
}

// tooWide reports whether there are routers to which the parent knows no way: where the mesh is as wide as a way may cost, none may be longer than it
// has to be.
func (s *selection) tooWide() bool {
	reached := s.neighbors.ParentRouter().Reached()
	return reached > 0 && reached < s.neighbors.Routers.Active()
}

// bridge returns two routers that this child hears, between which there is no way any more, and for which it may be one: some router is lost that was.
// It returns nil if there are none.
//
// Deviation: for stock the number of routers alone counts. Where the one in the middle of a grid of nine is lost, those that have no way to the leader
// left would search for a place, one by one, after four minutes.
func (s *selection) bridge() (a, b *neighbors.Router) {
	if s.timing.RouterNeighbors == 0 || !s.quiet.now() || !s.familiar() {
		return nil, nil
	}
	return s.neighbors.Routers.Apart(s.Now.Add(-s.quiet.neighborAge()))
}

// familiar reports whether this node has been in its partition for a while.
func (s *selection) familiar() bool { return s.Now.Sub(s.entered) >= shortenAfter }

// stranded reports whether the parent knows no way to the leader, and one of two other routers does: over the parent nobody becomes a router.
func (s *selection) stranded(a, b *neighbors.Router) bool {
	leader := s.leader.LeaderRouterID
	parent := s.neighbors.ParentRouter()
	reaches := func(r *neighbors.Router) bool { return r.Way(leader) < neighbors.MaxRouteCost }
	return parent != nil && parent.Ways != nil && !reaches(parent) && (reaches(a) || reaches(b))
}

// considerBridging is for a child that has heard of the ways of its partition's routers.
func (s *selection) considerBridging() {
	if one, _ := s.bridge(); one == nil || !s.routerEligible() {
		return
	}
	if soon := s.Now.Add(bridgeAfter + s.RandomUpTo(bridgeSpread)); s.selectAt.IsZero() || s.selectAt.After(soon) {
		s.selectAt = soon
	}
}

// settled reports whether this node has been in its partition for a while, and no other one was heard.
func (s *selection) settled() bool {
	f := s.routes.foreign
	return s.Now.Sub(s.child) >= shortenAfter && (f.IsZero() || s.Now.Sub(f) >= shortenAfter)
}

// considerDowngrade is for a router that got route from the router with ID from.
func (s *selection) considerDowngrade(route *mle.Route64, from mle.RouterID) {
	if s.role == RoleRouter && route.Routers.Len() > s.downgradeAt && s.selectAt.IsZero() &&
		s.mayDowngrade() && s.neighbors.Routers.Covers(route, from) {
		s.schedule()
	}
}

// considerSparing is for a router that has heard of its neighbors' links.
func (s *selection) considerSparing() {
	if s.selectAt.IsZero() && s.spare() {
		s.schedule()
		s.sparing = true
	}
}

// spare reports whether the mesh is as well without this router, and large enough for that to matter.
func (s *selection) spare() bool {
	active, children := s.neighbors.Routers.Active(), &s.neighbors.Children
	if s.timing.RouterNeighbors == 0 || s.role != RoleRouter || active <= s.upgradeAt || active < fewIDs && s.Now.Before(s.stays) {
		return false
	}
	for c := range children.Established() {
		if active <= s.downgradeAt || c.Hears < 2 {
			return false
		}
	}
	return s.neighbors.Routers.Spare(s.leader.LeaderRouterID, !children.HasAny(), active < fewIDs)
}

// mayDowngrade reports whether enough routers and few enough children are around to do without this router.
func (s *selection) mayDowngrade() bool {
	strong := 0
	for _, r := range s.neighbors.Routers.Linked() {
		if r.TwoWayQuality() >= 2 {
			strong++
		}
	}
	surplus := s.neighbors.Routers.Active() - s.downgradeAt
	return strong >= minDowngradeNeighbors && surplus > 0 && s.neighbors.Children.Attached() < 3*surplus
}

// helpers is how many more routers there may be where some have little airtime left. In one cell all would be, one after the other.
const helpers = 5

// crowded reports whether enough routers are around for this node to stay a child, or nobody whom it could serve. Routers that have little airtime
// left need help.
func (s *selection) crowded() bool {
	enough := s.timing.RouterNeighbors
	if enough == 0 {
		return false
	}
	if s.neighbors.Routers.Active() >= fewRouters && !s.quiet.hasCompany() {
		return true
	}
	n, all := 0, 0
	since := s.Now.Add(-s.quiet.neighborAge())
	for id, r := range s.neighbors.Routers.All() {
		if !r.HeardWell.After(since) {
			continue
		}
		all++
		if !r.Burdened {
			s.fresh = s.fresh.Remove(id)
			n++
		}
	}
	return n+s.fresh.Len() >= enough || all+s.fresh.Len() >= enough+helpers
}

// hearNew notes that a new router was heard, whose ID this node may not know yet.
func (s *selection) hearNew(id mle.RouterID, info mleInfo) {
	if !s.hearsWell(info) {
		return
	}
	s.fresh = s.fresh.Add(id)
	if r := s.neighbors.Routers.Get(id); r != nil {
		r.HeardWell = s.Now
	}
}

// due reports whether the time to judge the number of routers has come.
func (s *selection) due() bool {
	if !s.IsDue(s.selectAt) {
		return false
	}
	s.selectAt = time.Time{}
	return true
}

// selectAsChild makes a child a router where routers are few, and lets others know of it where they are not.
func (s *selection) selectAsChild() {
	one, other := s.bridge()
	switch {
	case one != nil && s.stranded(one, other):
		s.attach.detach()
		return
	case one == nil && s.full(): // each new router has others ask for links, and advertise
		s.schedule()
		return
	}
	reason := tmf.ReasonTooFewRouters
	if s.neighbors.Routers.Active() >= s.upgradeAt {
		reason = tmf.ReasonHaveChildIDRequest // the one for which there may be more
	}
	switch {
	case reason == tmf.ReasonTooFewRouters && !s.crowded():
		s.solicit(reason)
	case one != nil, s.shortens():
		s.stays = s.Now.Add(shortenerStays)
		s.solicit(reason)
	}
	s.routes.advertiseAsREED()
}

// selectAsRouter makes a router a child where routers are many.
func (s *selection) selectAsRouter() {
	if active := s.neighbors.Routers.Active(); active > s.downgradeAt && (!s.sparing || active >= fewIDs) || s.spare() {
		s.Log.Info("enough routers without this one")
		s.attach.start(attachSameDowngrade)
	}
}

// eligibilityChanged is what a child does that may be a router now, or no more.
func (s *selection) eligibilityChanged() {
	s.reset()
	if s.routerEligible() {
		s.schedule()
	} else {
		s.routes.advertise.Stop()
	}
}

// childStarted is what a full Thread device does on becoming a child.
func (s *selection) childStarted(mode attachMode) {
	s.child = s.Now
	if s.routerEligible() {
		s.schedule()
	}
	children := &s.neighbors.Children
	if mode == attachBetter && s.timing.AttachHold > 0 && !(s.previousID.Valid() && children.HasAny()) {
		// Deviation: an OpenThread end device waits ten minutes. Those that were its neighbors in the partition before hear of this one so. Its
		// children must not: they come with it, if it is a router again under the same ID.
		s.routes.advertiseAsREED()
	}
	if s.previousID.Valid() {
		switch mode {
		case attachSameDowngrade:
			s.parent.removeChildren()
			s.giveBack()
			if s.timing.RouterNeighbors > 0 {
				s.routes.advertiseAsREED() // they hear that they have no parent any more
			}
		case attachSame1, attachSame2:
			if children.HasAny() {
				s.solicit(tmf.ReasonHaveChildIDRequest)
			}
		default:
			if children.HasAny() && s.partition != s.leader.PartitionID {
				s.solicit(tmf.ReasonParentPartitionChange)
			}
		}
	}
	if !s.routerEligible() || s.neighbors.Routers.Active() >= s.upgradeAt && !children.HasAny() {
		s.giveBack()
	}
}

// giveBack is for a child that will not use its router ID again.
//
// Deviation: stock gives it back where there were too many routers. Else the leader, and all others, count a router that is none until its links
// and then the ways to it have expired: that is minutes, and where Advertisements are rare most of an hour.
func (s *selection) giveBack() {
	if s.previousID.Valid() && s.partition == s.leader.PartitionID {
		s.release()
	}
	s.previousID = mle.InvalidRouterID
}

// solicit asks the leader for a router ID.
func (s *selection) solicit(reason tmf.Status) {
	s.selectAt = time.Time{}
	if s.role != RoleChild || !s.routerEligible() || s.asking() {
		return
	}
	payload := tmf.AppendExtendedMACAddress(nil, s.Ext)
	if s.previousID.Valid() {
		payload = tmf.AppendRLOC16(payload, s.previousID.RLOC16())
	}
	payload = tmf.AppendStatus(payload, reason)
	s.asked++
	s.open = s.asked
	if err := s.tmf.askLeader(tmf.URIAddressSolicit, payload, tmfTag{answer: s.handleAnswer, id: s.open}); err != nil {
		s.open = 0
		s.Log.Warn("no Address Solicit", "err", err)
	}
}

// cancel forgets an open Address Solicit: its leader is not ours any more. The number of routers is judged anew.
func (s *selection) cancel() {
	if s.asking() {
		s.tmf.cancel(s.open)
		s.refused()
	}
}

// reset ends what the selection was doing, for a role that begins.
func (s *selection) reset() {
	if s.asking() {
		s.tmf.cancel(s.open)
	}
	s.open, s.selectAt, s.fresh = 0, time.Time{}, 0
}

// refused is what follows an Address Solicit that made no router of this child: the number of routers is judged again.
func (s *selection) refused() {
	s.open = 0
	if s.role == RoleChild && s.routerEligible() {
		s.schedule()
	}
}

// release gives the router ID back to the leader.
func (s *selection) release() {
	payload := tmf.AppendRLOC16(nil, s.previousID.RLOC16())
	payload = tmf.AppendExtendedMACAddress(payload, s.Ext)
	if err := s.tmf.askLeader(tmf.URIAddressRelease, payload, tmfTag{}); err != nil {
		s.Log.Warn("no Address Release", "err", err)
	}
}

// handleAnswer handles the leader's answer to an Address Solicit, or that there is none.
func (s *selection) handleAnswer(ev tmfEvent) error {
	if ev.Tag.id != s.open {
		return nil
	}
	s.refused() // unless it says otherwise
	if ev.Kind == coap.RequestFailed {
		s.unanswered.Log(s.Now, s.Log, slog.LevelWarn, "no answer to Address Solicit", "err", ev.Err)
		return nil
	}
	if ev.Message.Code != coap.Changed {
		return errTMFUnexpected
	}
	p, err := tmf.ParsePayload(ev.Message.Payload)
	if err != nil {
		return err
	}
	r := p.Read()
	if status := r.Status(); r.Err() == nil && status != tmf.StatusSuccess {
		if s.previousID.Valid() {
			s.parent.removeChildren()
			s.previousID = mle.InvalidRouterID
			if s.timing.AttachHold > 0 {
				s.routes.advertiseAsREED() // they hear that they have no parent any more
			}
		}
		return nil
	}
	rloc, mask := r.RLOC16(), r.RouterMask()
	if err := r.Err(); err != nil {
		return err
	}
	if s.role != RoleChild || !rloc.IsRouter() || !mask.Routers.Contains(rloc.RouterID()) {
		return errTMFUnexpected
	}
	s.upgrade(rloc.RouterID(), mask)
	return nil
}

// upgrade makes this child a router.
func (s *selection) upgrade(id mle.RouterID, mask tmf.RouterMask) {
	if s.previousID.Valid() && id != s.previousID {
		s.parent.removeChildren()
	}
	s.change.becomeRouter(id)
	s.neighbors.ClearRouters()
	s.neighbors.SetAssigned(mask.Routers, mask.IDSequence)
	s.neighbors.Routers.Get(id).Ext = s.Ext
	// The parent is the first router neighbor, and the way to the leader.
	p := s.neighbors.AdoptParent()
	if p != nil {
		if l := s.neighbors.Routers.Get(s.leader.LeaderRouterID); l != nil && l != p {
			l.Cost, l.NextHop = s.neighbors.Parent.LeaderCost, p.RLOC16.RouterID()
		}
	}
	s.links.request(nil)
	if p != nil {
		// Deviation: OpenThread leaves it at the multicast. If that gets lost the leader may take the router ID back, before it has heard of
		// a way to this router.
		s.links.request(p)
	}
	s.parent.answerWaiting()
}
