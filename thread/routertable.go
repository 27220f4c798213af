package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// maxRouters is the largest number of routers in a partition (Thread 1.1 §5.9).
const maxRouters = 32

// noNextHop stands for a router that is reached directly or not at all.
const noNextHop = mle.InvalidRouterID

// A router is one entry of the router table: an assigned router ID, the link to it if there is one, and the best way through others.
type router struct {
	neighbor
	nextHop mle.RouterID // first router on the way, noNextHop if there is none but the link
	cost    uint8        // from nextHop to this router
}

// routerTable holds the partition's assigned router IDs (Thread 1.1 §5.9) and what this node knows of each.
//
// All of a partition agree on the assignment through the router ID sequence number: the leader increments it with each change
// and every ten seconds; a higher one replaces what is known.
type routerTable struct {
	self     mle.RLOC16
	routers  [mle.NumRouterIDs]router
	assigned mle.RouterIDSet
	sequence uint8
	updated  time.Time                   // when the sequence last changed
	reuse    [mle.NumRouterIDs]time.Time // leader: when a released ID may be assigned again
}

// clear forgets all assignments.
func (t *routerTable) clear() {
	t.assigned = 0
	clear(t.reuse[:])
}

// clearLinks forgets the links, not the assignments.
func (t *routerTable) clearLinks() {
	for i := range t.routers {
		t.routers[i].state = stateInvalid
	}
}

func (t *routerTable) active() int { return t.assigned.Len() }

func (t *routerTable) isAssigned(id mle.RouterID) bool {
	return id.Valid() && t.assigned.Contains(id)
}

// get returns the entry of an assigned router ID, nil if it is not assigned.
func (t *routerTable) get(id mle.RouterID) *router {
	if !t.isAssigned(id) {
		return nil
	}
	return &t.routers[id]
}

// byExt returns the router with that extended address, whatever the state of the link.
func (t *routerTable) byExt(ext ieee802154.ExtAddr) *router {
	for id := range t.assigned.All() {
		if t.routers[id].ext == ext {
			return &t.routers[id]
		}
	}
	return nil
}

// neighborByExt returns the linked router with that extended address.
func (t *routerTable) neighborByExt(ext ieee802154.ExtAddr) *router {
	for id := range t.assigned.All() {
		if r := &t.routers[id]; r.state == stateValid && r.ext == ext && r.rloc != t.self {
			return r
		}
	}
	return nil
}

// neighborByRLOC returns the linked router with that address.
func (t *routerTable) neighborByRLOC(rloc mle.RLOC16) *router {
	if rloc == t.self || !rloc.IsRouter() {
		return nil
	}
	if r := t.get(rloc.RouterID()); r != nil && r.state == stateValid {
		return r
	}
	return nil
}

// links counts the routers with a link to this node.
func (t *routerTable) links() int {
	n := 0
	for id := range t.assigned.All() {
		if t.routers[id].state == stateValid {
			n++
		}
	}
	return n
}

// assign marks id as assigned and gives it a fresh entry.
func (t *routerTable) assign(id mle.RouterID) *router {
	t.assigned = t.assigned.Add(id)
	t.routers[id] = router{neighbor: neighbor{kind: kindRouter, rloc: mle.RouterRLOC16(id)}, nextHop: noNextHop}
	return &t.routers[id]
}

// setAssigned takes over an assignment and its sequence number, and reports whether it differs from the one known. Entries
// of routers that stay are kept; dropped is called for each that goes, before it goes.
func (t *routerTable) setAssigned(now time.Time, assigned mle.RouterIDSet, sequence uint8, dropped func(*router)) bool {
	t.sequence, t.updated = sequence, now
	if assigned == t.assigned {
		return false
	}
	for id := range mle.MaxRouterID + 1 {
		was, is := t.isAssigned(id), assigned.Contains(id)
		switch {
		case is && !was:
			t.assign(id).lastHeard = now // or a restarted leader would release at once what it has no route to yet
		case was && !is:
			t.routers[id].nextHop = noNextHop
			dropped(&t.routers[id])
			t.assigned = t.assigned.Remove(id)
			t.routers[id].state = stateInvalid
		}
	}
	return true
}

// linkCost is the cost of the link to r, maxRouteCost where there is none.
func (t *routerTable) linkCost(r *router) uint8 {
	if r == nil || r.rloc == t.self || r.state != stateValid {
		return maxRouteCost
	}
	return linkCost(r.twoWayQuality())
}

// linkCostTo is linkCost by router ID.
func (t *routerTable) linkCostTo(id mle.RouterID) uint8 { return t.linkCost(t.get(id)) }

// routeCost is the cost that r's next hop announces, maxRouteCost where there is no next hop.
func (t *routerTable) routeCost(r *router) uint8 {
	if r == nil || t.get(r.nextHop) == nil {
		return maxRouteCost
	}
	return r.cost
}

// pathCost is the cost of the best way to r, over the link or over others, at most maxRouteCost.
func (t *routerTable) pathCost(r *router) uint8 {
	cost := t.linkCost(r)
	if next := t.get(r.nextHop); next != nil {
		cost = min(cost, r.cost+t.linkCost(next))
	}
	return min(cost, maxRouteCost)
}

// nextHop returns the neighbor through which a router is best reached (Thread 1.1 §5.10.3).
func (t *routerTable) nextHop(id mle.RouterID) (mle.RLOC16, bool) {
	r := t.get(id)
	if r == nil {
		return 0, false
	}
	link := t.linkCost(r)
	if int(t.routeCost(r))+int(t.linkCostTo(r.nextHop)) < int(link) {
		next := t.get(r.nextHop)
		if next == nil || next.state == stateInvalid {
			return 0, false
		}
		return next.rloc, true
	}
	if link < maxRouteCost {
		return r.rloc, true
	}
	return 0, false
}
