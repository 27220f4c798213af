package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/trickle"
)

// Distance-vector routing between routers (Thread 1.1 §5.10): each advertises, by Trickle, the quality of its links and
// the cost of its routes; each takes the cheapest way among what its neighbors offer.

// routing is what a node remembers for being a router.
type routing struct {
	id         mle.RouterID // own router ID
	previousID mle.RouterID // asked for again at the next Address Solicit; InvalidRouterID if none

	challenge      mle.Challenge // of the last multicast Link Request
	challengeUntil time.Time

	askAgain time.Time // when to ask for routes again

	selectAt  time.Time // when to change between router and child, zero if not considered
	solicit   uint32    // identifies the open Address Solicit; 0 if none is open
	solicited uint32

	routedPartition    uint32 // last partition in which this node was a router
	lastPartition      uint32 // partition left last, not entered again while its sequence number stands still
	lastSequence       uint8
	lastPartitionUntil time.Time
}

// minDowngradeNeighbors is how many well-linked routers must be there before this one gives up being one (Thread 1.1 §5.9.9).
const minDowngradeNeighbors = 7

// resetAdvertise makes Advertisements frequent again after a change.
func (e *Engine) resetAdvertise() {
	if !e.isRouter() {
		return
	}
	if !e.advertise.Running() {
		e.startTrickle(trickle.Config{Imin: e.timing.AdvertiseMin, Imax: e.timing.AdvertiseMax})
	}
	e.advertise.Reset(e.now)
}

func (e *Engine) startTrickle(c trickle.Config) {
	if err := e.advertise.Start(e.now, c); err != nil {
		e.log.Error("no Advertisements", "err", err)
	}
}

func (e *Engine) sendAdvertisement() {
	if e.attach.state != attachIdle || e.routing.solicit != 0 || !e.attached() || !e.fullThreadDevice() {
		return
	}
	e.dropQueuedMLE(ip6.LinkLocalAllNodes, mle.Advertisement) // that one is outdated
	b := mle.AppendSourceAddress(e.newMessage(mle.Advertisement), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	if e.isRouter() {
		b = mle.AppendRoute64(b, e.route())
	}
	e.sendMLE(ip6.LinkLocalAllNodes, b)
}

// route is what this router advertises.
func (e *Engine) route() mle.Route64 {
	t := mle.Route64{IDSequence: e.routers.sequence, Routers: e.routers.assigned}
	for id := range e.routers.assigned.All() {
		r := &e.routers.routers[id]
		if r.rloc == e.rloc {
			t.Routes[id].Cost = 1
			continue
		}
		cost := e.routers.pathCost(r)
		if cost >= maxRouteCost {
			cost = 0 // no route
		}
		t.Routes[id] = mle.Route{LinkQualityOut: r.qualityOut, LinkQualityIn: r.link.quality, Cost: cost}
	}
	return t
}

// processRoute takes over a router ID assignment. It reports false if this router is not part of it any more and has detached.
func (e *Engine) processRoute(t *mle.Route64) bool {
	changed := e.routers.setAssigned(e.now, t.Routers, t.IDSequence, func(r *router) {
		if r.state == stateValid && e.isRouter() {
			e.linkLost(r)
		}
		e.resolver.removeRouter(r.rloc.RouterID())
	})
	if changed {
		e.resetAdvertise()
	}
	if e.isRouter() && !e.routers.isAssigned(e.routing.id) {
		e.detach()
		return false
	}
	return true
}

// comparePartitions returns a positive number if partition a is better than b (Thread 1.1 §5.16): one with more than a single
// router, then the higher weight, then the higher partition ID.
func comparePartitions(singleA bool, a mle.LeaderData, singleB bool, b mle.LeaderData) int {
	switch {
	case singleA != singleB:
		if singleB {
			return 1
		}
		return -1
	case a.Weighting != b.Weighting:
		return int(a.Weighting) - int(b.Weighting)
	case a.PartitionID > b.PartitionID:
		return 1
	case a.PartitionID < b.PartitionID:
		return -1
	}
	return 0
}

func (e *Engine) handleAdvertisement(m mle.Message, info mleInfo) error {
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	var route *mle.Route64
	if m.Has(mle.TLVRoute64) {
		r, err := m.Route64()
		if err != nil {
			return err
		}
		route = &e.route64
		*route = r
	}
	if e.role != RoleDetached {
		if e.fullThreadDevice() {
			if !e.routerAdvertised(source, leader, route, info) {
				return nil
			}
		} else if e.parent.state == stateValid && e.parent.ext == info.ext && e.parent.rloc != source {
			e.detach()
		}
	}
	return e.neighborAdvertised(source, leader, route, info)
}

// neighborAdvertised follows the parent into another partition and fetches newer network data.
func (e *Engine) neighborAdvertised(source mle.RLOC16, leader mle.LeaderData, route *mle.Route64, info mleInfo) error {
	switch e.role {
	case RoleChild:
		if e.parent.ext != info.ext || e.parent.rloc != source {
			return nil
		}
		if leader.PartitionID != e.leader.PartitionID || leader.LeaderRouterID != e.leader.LeaderRouterID {
			e.setLeaderData(leader)
			if e.fullThreadDevice() && route != nil {
				e.processRoute(route)
			}
			e.netData.wanted = true
		}
		e.parent.lastHeard = e.now
	case RoleRouter, RoleLeader:
		if n := e.neighborByExt(info.ext); n == nil || n.state != stateValid {
			return nil
		}
	default:
		return nil
	}
	if e.netData.wanted || int8(leader.DataVersion-e.netData.version) > 0 {
		e.requestNetworkData(info.src, e.randomUpTo(e.timing.ResponseDelay))
	}
	return nil
}

// routerAdvertised is a full Thread device's part of handling an Advertisement. It reports whether the rest follows.
func (e *Engine) routerAdvertised(source mle.RLOC16, leader mle.LeaderData, route *mle.Route64, info mleInfo) bool {
	e.forgetMoved(info, source)
	if e.role == RoleDetached {
		return false // the parent moved
	}
	margin := linkMargin(e.timing.ReceiveSensitivity, info.rssi)
	if leader.PartitionID != e.leader.PartitionID {
		return e.otherPartition(leader, route, margin, info)
	}
	if leader.LeaderRouterID != e.leader.LeaderRouterID {
		if e.role != RoleChild {
			e.log.Warn("another leader in the same partition", "router", source)
			e.detach()
			return false
		}
		return true
	}
	if !source.IsRouter() || route == nil {
		return true
	}
	id := source.RouterID()

	if e.routers.active() == 0 || int8(route.IDSequence-e.routers.sequence) > 0 {
		known := e.isRouter() || source == e.parent.rloc
		if r := e.routers.get(id); r != nil && r.state == stateValid {
			known = true
		}
		if known && !e.processRoute(route) {
			return false
		}
	}
	if e.role == RoleChild {
		return e.childHeardRouter(id, source, route, info)
	}

	r := e.routers.get(id)
	if r == nil || r.rloc == e.rloc {
		return true
	}
	if e.role == RoleRouter && route.Routers.Len() > e.downgradeAt && e.routing.selectAt.IsZero() &&
		e.mayDowngrade() && e.coversOurLinks(route, id) {
		e.scheduleSelection()
	}
	if r.state != stateValid && r.state != stateLinkRequest && margin >= linkRequestMargin {
		e.openLink(r, info)
		return false
	}
	r.lastHeard = e.now
	e.updateRoutes(route, id)
	return true
}

// otherPartition considers joining a partition whose router was heard.
func (e *Engine) otherPartition(leader mle.LeaderData, route *mle.Route64, margin uint8, info mleInfo) bool {
	r := &e.routing
	if route != nil && e.now.Before(r.lastPartitionUntil) && leader.PartitionID == r.lastPartition &&
		int8(route.IDSequence-r.lastSequence) <= 0 {
		return false // left because its leader was gone, and still is
	}
	if e.role == RoleChild && e.parent.ext == info.ext {
		return true // the parent changed partition: follow it
	}
	if margin < partitionMargin {
		return false
	}
	// Without routes it comes from an end device, which has a router next to it.
	single := route != nil && route.Routers.Len() <= 1
	if comparePartitions(single, leader, e.Single(), e.leader) > 0 {
		e.startSearch(attachBetter)
	}
	return false
}

// childHeardRouter is a full end device's part: it watches the number of routers, learns its parent's way to the leader, and
// listens to a few more routers.
func (e *Engine) childHeardRouter(id mle.RouterID, source mle.RLOC16, route *mle.Route64, info mleInfo) bool {
	isParent := info.ext == e.parent.ext
	r := e.routers.get(id)
	if !isParent && r == nil {
		return true
	}
	linked := isParent && e.parent.state == stateValid || r != nil && r.state == stateValid
	if linked && e.routerEligible && e.routing.selectAt.IsZero() && e.routers.active() < e.upgradeAt {
		e.scheduleSelection()
	}
	if isParent {
		if e.parent.rloc != source {
			e.detach()
			return false
		}
		if l := e.routers.get(e.leader.LeaderRouterID); l != nil && route.Routers.Contains(e.leader.LeaderRouterID) {
			if cost := route.Routes[e.leader.LeaderRouterID].Cost; cost > 0 {
				l.nextHop, l.cost = id, cost
			} else {
				l.nextHop, l.cost = noNextHop, 0
			}
		}
		e.parent.lastHeard = e.now
		return true
	}
	if r.state != stateValid && r.state != stateLinkRequest && e.routers.links() < childRouterLinks {
		e.openLink(r, info)
		return false
	}
	r.lastHeard = e.now
	return true
}

// updateRoutes applies a neighbor's Route64 to the routing table until nothing changes (Thread 1.1 §5.10.2).
func (e *Engine) updateRoutes(route *mle.Route64, from mle.RouterID) {
	t := &e.routers
	neighbor := t.get(from)
	if neighbor == nil {
		return
	}
	for again := true; again; {
		again = false
		for id := range route.Routers.All() {
			r := t.get(id)
			if r == nil {
				continue
			}
			if r.rloc == e.rloc {
				// The neighbor reports how well it hears this node.
				if in := route.Routes[id].LinkQualityIn; neighbor.qualityOut != in {
					neighbor.qualityOut = in
					again = true
				}
				continue
			}
			if r == neighbor {
				continue
			}
			old := r.nextHop
			cost := route.Routes[id].Cost
			if cost == 0 {
				cost = maxRouteCost
			}
			next := t.get(old)
			through := int(cost) + int(t.linkCost(neighbor))
			switch {
			case next != nil && next != neighbor:
				if through < int(r.cost)+int(t.linkCost(next)) {
					r.nextHop, r.cost = from, cost
				}
			case through <= maxRouteCost:
				if next == nil && t.linkCost(r) >= maxRouteCost {
					e.resetAdvertise() // a new route
				}
				r.nextHop, r.cost = from, cost
			case next == neighbor:
				if t.linkCost(r) >= maxRouteCost {
					e.resetAdvertise() // a lost route
				}
				e.routeLost(r)
			}
			again = again || r.nextHop != old
		}
	}
}

// breakLoop drops a route whose next hop sent us the frame that should go there (Thread 1.1 §5.10.4).
func (e *Engine) breakLoop(sender, dst mle.RLOC16) {
	if next, ok := e.nextHop(dst); !ok || next != sender {
		return
	}
	if r := e.routers.get(dst.RouterID()); r != nil {
		e.routeLost(r)
		e.resetAdvertise()
	}
}

// routeLost forgets the way to r over other routers. If no link to it is left, the time that the leader waits for another way
// begins. Deviation: stock counts from when it last heard r itself, and so takes back the IDs of all routers behind a lost link at once.
func (e *Engine) routeLost(r *router) {
	r.nextHop, r.cost = noNextHop, 0
	if r.state != stateValid {
		r.lastHeard = e.now
	}
}

// nextHop returns the neighbor to which a frame for dst goes first.
func (e *Engine) nextHop(dst mle.RLOC16) (mle.RLOC16, bool) {
	switch {
	case e.role == RoleChild:
		return e.parent.rloc, e.parent.state == stateValid
	case dst.RouterID() == e.routing.id:
		return dst, true
	}
	return e.routers.nextHop(dst.RouterID())
}

// scheduleSelection sets the random time at which the number of routers is judged again.
func (e *Engine) scheduleSelection() {
	e.routing.selectAt = e.now.Add(time.Second + e.randomUpTo(e.timing.RouterSelectionJitter-time.Second))
}

// childStarted is what a full Thread device does on becoming a child.
func (e *Engine) childStarted(mode attachMode) {
	r := &e.routing
	if e.routerEligible {
		e.scheduleSelection()
	}
	if r.previousID.Valid() {
		switch mode {
		case attachSameDowngrade:
			e.sendAddressRelease()
			e.removeChildren()
			r.previousID = mle.InvalidRouterID
		case attachSame1, attachSame2:
			if e.children.hasAny() {
				e.solicitRouterID(tmf.ReasonHaveChildIDRequest)
			}
		default:
			if e.children.hasAny() && r.routedPartition != e.leader.PartitionID {
				e.solicitRouterID(tmf.ReasonParentPartitionChange)
			}
		}
	}
	if e.routers.active() >= e.upgradeAt && (!r.previousID.Valid() || !e.children.hasAny()) {
		r.previousID = mle.InvalidRouterID
	}
}

// mayDowngrade reports whether enough routers and few enough children are around to do without this router.
func (e *Engine) mayDowngrade() bool {
	strong := 0
	for id := range e.routers.assigned.All() {
		if r := &e.routers.routers[id]; r.rloc != e.rloc && r.state == stateValid && r.twoWayQuality() >= 2 {
			strong++
		}
	}
	surplus := e.routers.active() - e.downgradeAt
	return strong >= minDowngradeNeighbors && surplus > 0 && e.children.attached() < 3*surplus
}

// coversOurLinks reports whether a neighbor has links at least as good to all routers that this one has good links to.
func (e *Engine) coversOurLinks(route *mle.Route64, from mle.RouterID) bool {
	for id := range e.routers.assigned.All() {
		r := &e.routers.routers[id]
		if r.rloc == e.rloc || id == from || r.state != stateValid {
			continue
		}
		ours := r.twoWayQuality()
		if ours < 2 {
			continue
		}
		theirs := route.Routes[id]
		if !route.Routers.Contains(id) || min(theirs.LinkQualityIn, theirs.LinkQualityOut) < ours {
			return false
		}
	}
	return true
}

// handleTick is the housekeeping of each second while attached or resuming.
func (e *Engine) handleTick() {
	r := &e.routing
	selectNow := e.isDue(r.selectAt)
	if selectNow {
		r.selectAt = time.Time{}
	}
	switch e.role {
	case RoleDetached:
		if !r.challengeUntil.IsZero() && !e.now.Before(r.challengeUntil) && e.attach.state == attachIdle {
			e.detach()
			return
		}
	case RoleChild:
		if selectNow {
			e.selectChildRole()
		}
		if e.leaderLost() {
			return
		}
	case RoleRouter:
		e.askForRoutes()
		if e.leaderLost() {
			return
		}
		if selectNow && e.routers.active() > e.downgradeAt {
			e.log.Info("enough routers without this one")
			e.startSearch(attachSameDowngrade)
		}
	}
	e.tickChildren()
	e.tickRouters()
	if e.role == RoleLeader {
		e.tickLeader()
	}
	e.tickResolver()
	e.tickKeys()
}

// selectChildRole makes a child a router where routers are few, and lets others know of it where they are not.
func (e *Engine) selectChildRole() {
	if e.routers.active() < e.upgradeAt {
		e.solicitRouterID(tmf.ReasonTooFewRouters)
	}
	if !e.advertise.Running() {
		e.sendAdvertisement()
		e.startTrickle(trickle.Config{
			Imin: e.timing.REEDAdvertise, Imax: e.timing.REEDAdvertise + e.timing.REEDAdvertiseJitter, Mode: trickle.Plain,
		})
	}
}

// askForRoutes asks the next router on the way to the leader for its Route64, once half of the time has passed after which the leader
// counts as lost. Deviation: stock relies on Advertisements alone. Nobody acknowledges those, and heavy traffic on LoRa swallows
// four in a row, upon which a mesh in good order would fall apart.
func (e *Engine) askForRoutes() {
	r := &e.routing
	if e.now.Sub(e.routers.updated) < e.timing.NetworkIDTimeout/2 || e.now.Before(r.askAgain) || e.attach.state != attachIdle {
		return
	}
	if next, ok := e.nextHop(e.leader.LeaderRouterID.RLOC16()); ok {
		if n := e.routers.neighborByRLOC(next); n != nil {
			e.sendLinkRequest(n)
			r.askAgain = e.now.Add(e.timing.NetworkIDTimeout / 8)
		}
	}
}

// leaderLost starts to search when the leader has not counted up the router ID sequence for too long (Thread 1.1 §5.16.1).
func (e *Engine) leaderLost() bool {
	if e.fullThreadDevice() && e.routers.active() > 0 && !e.hearsLeader() && e.attach.state == attachIdle {
		e.log.Warn("leader lost", "partition", e.leader.PartitionID)
		e.startSearch(attachSame1)
	}
	return e.role == RoleDetached
}
