package neighbors

import (
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Distance-vector routing between routers, as OpenThread has it: each advertises the quality of its links and the cost of its routes;
// each takes the cheapest way among what its neighbors offer.

// LinkCost is the cost of the link to r, MaxRouteCost where there is none.
func (t *Routers) LinkCost(r *Router) uint8 {
	if r == nil || r.RLOC16 == t.Self || !r.Valid() {
		return MaxRouteCost
	}
	return LinkCost(r.TwoWayQuality())
}

// routeCost is the cost that r's next hop announces, MaxRouteCost where there is no next hop.
func (t *Routers) routeCost(r *Router) uint8 {
	if r == nil || t.Get(r.NextHop) == nil {
		return MaxRouteCost
	}
	return r.Cost
}

// PathCost is the cost of the best way to r, over the link or over others, at most MaxRouteCost.
func (t *Routers) PathCost(r *Router) uint8 {
	cost := t.LinkCost(r)
	if r == nil {
		return cost
	}
	if next := t.Get(r.NextHop); next != nil {
		cost = min(cost, r.Cost+t.LinkCost(next))
	}
	return min(cost, MaxRouteCost)
}

// NextHop returns the neighbor through which a router is best reached.
func (t *Routers) NextHop(id mle.RouterID) (mle.RLOC16, bool) {
	r := t.Get(id)
	if r == nil {
		return 0, false
	}
	link := t.LinkCost(r)
	if next := t.Get(r.NextHop); int(t.routeCost(r))+int(t.LinkCost(next)) < int(link) {
		return next.RLOC16, true // it is linked, or the sum would not be below MaxRouteCost
	}
	if link < MaxRouteCost {
		return r.RLOC16, true
	}
	return 0, false
}

// burdened is the most that a burden makes of a cost: what is far away must stay in reach.
const burdened = 6

// Route64 is what this router advertises.
func (t *Routers) Route64() mle.Route64 {
	out := mle.Route64{IDSequence: t.Sequence, Routers: t.assigned}
	for id, r := range t.All() {
		if r.RLOC16 == t.Self {
			out.Routes[id].Cost = 1
			continue
		}
		cost := t.PathCost(r)
		if cost >= MaxRouteCost || t.Spread && t.overDoubted(id) {
			cost = 0 // no route
		} else if cost < burdened {
			cost = min(cost+t.Burden, burdened)
		}
		out.Routes[id] = mle.Route{LinkQualityOut: r.QualityOut, LinkQualityIn: r.Link.Quality, Cost: cost}
	}
	return out
}

// overDoubted reports whether the way to a router leads over a neighbor that seems to be gone. Those who have lost that one must not hear of it: each
// would take the other's way, and its cost count up.
func (t *Routers) overDoubted(id mle.RouterID) bool {
	next, ok := t.NextHop(id)
	return ok && next != id.RLOC16() && t.Get(next.RouterID()).Failures >= doubted
}

// Covers reports whether the neighbor with ID from, which sent route, has links at least as good to all routers that this one has
// good links to.
func (t *Routers) Covers(route *mle.Route64, from mle.RouterID) bool {
	for id, r := range t.Linked() {
		ours := r.TwoWayQuality()
		if id == from || ours < 2 {
			continue
		}
		theirs := route.Routes[id]
		if !route.Routers.Contains(id) || min(theirs.LinkQualityIn, theirs.LinkQualityOut) < ours {
			return false
		}
	}
	return true
}

// prefers reports whether a way to a router over a neighbor is the better one of two that cost the same. Who has another engine is on the way only
// where nobody else is: Pycom's boards hear no weak signal before they send, and wait two seconds for an acknowledgement.
func (t *Routers) prefers(to *Router, over mle.RouterID) bool {
	if a, b := t.entries[over].Foreign, t.entries[to.NextHop].Foreign; a != b {
		return b
	}
	return t.rank(to, over) < t.rank(to, to.NextHop)
}

// rank orders the ways to a router that cost the same: at random, but always the same for this node.
func (t *Routers) rank(to *Router, next mle.RouterID) uint32 {
	x := uint32(t.Self)<<16 ^ uint32(to.RLOC16) ^ uint32(next)
	x *= 0x9e3779b1
	x ^= x >> 15
	return x * 0x85ebca6b
}

// Lacks reports whether a linked router, which sent route, knows no way to one to which this router can offer it one.
func (t *Routers) Lacks(route *mle.Route64, from mle.RouterID) bool {
	link := t.LinkCost(t.Get(from))
	for id, r := range t.All() {
		lacks := id != from && r.RLOC16 != t.Self && route.Routers.Contains(id) && route.Routes[id].Cost == 0
		if next, ok := t.NextHop(id); lacks && ok && next != from.RLOC16() && t.PathCost(r)+link < MaxRouteCost && !t.overDoubted(id) {
			return true
		}
	}
	return false
}

// doubted is how many unacknowledged frames somebody's word counts that a neighbor is gone.
const doubted = 2

// Doubt counts as frames that were not acknowledged what a router tells in route: that it no longer has a link to another one to which it had a good
// one, and this node has one, too, or is its child. Whom this node has heard since a time is not doubted.
func (t *Table) Doubt(route *mle.Route64, from *Router, since time.Time) {
	lost := from.Others & route.Routers
	for rest := lost; rest != 0; {
		id := first(rest)
		rest = rest.Remove(id)
		if told := route.Routes[id]; told.LinkQualityIn != 0 || told.LinkQualityOut != 0 {
			continue
		}
		if n := t.ByRLOC16(id.RLOC16()); n != nil && n.Valid() {
			n.doubt(since)
		}
	}
	from.Others = goodLinks(route)
}

// doubt counts as frames that were not acknowledged that somebody has lost a neighbor which was not heard here since a time.
func (n *Neighbor) doubt(since time.Time) {
	if n.Failures == 0 && !n.LastHeard.After(since) && !n.LastFrame.After(since) && !n.LastAcked.After(since) {
		n.Failures = doubted
	}
}

// goodQuality is the quality, both ways, from which on a link carries what another one did.
const goodQuality = 2

// goodLinks are the routers to which a Route64 tells of good links.
func goodLinks(route *mle.Route64) (ids mle.RouterIDSet) {
	for id := range route.Routers.All() {
		if r := route.Routes[id]; min(r.LinkQualityIn, r.LinkQualityOut) >= goodQuality {
			ids = ids.Add(id)
		}
	}
	return ids
}

// Spare reports whether the ways between all routers next to this one lead past it: some of them, each of higher rank than this one, are connected
// with each other by good links, and all the others are next to one of those and, if ways are to stay short, no farther from each other than a detour. It has no children; above it are the leader, those who have, and those
// with higher router IDs. So of two routers that
// could do without each other one stays, whatever both believe at the same time: Dai and Wu, "An Extended Localized Algorithm for Connected
// Dominating Set Formation in Ad Hoc Wireless Networks", 2004, rule k.
func (t *Routers) Spare(leader mle.RouterID, alone, short bool) bool {
	var above, all mle.RouterIDSet
	for id, r := range t.Linked() {
		all = all.Add(id)
		if r.TwoWayQuality() >= goodQuality && !r.Burdened && (id == leader || alone && !r.Alone || alone == r.Alone && id > t.Self.RouterID()) {
			above = above.Add(id)
		}
	}
	for above != 0 {
		group, covered := t.connected(above)
		if all&^covered == 0 {
			return !short || !t.lengthens(all, group)
		}
		above &^= group
	}
	return false
}

// detour is the longest way, in hops, between two routers next to this one for which it is spare. It is shorter than the ways for which an end device
// becomes a router where there are many: see Shortens.
const detour = 3

// lengthens reports whether some of the routers next to this one would be farther from each other without it than a detour, over a group of them.
func (t *Routers) lengthens(all, group mle.RouterIDSet) bool {
	for rest := all; rest != 0; {
		id := first(rest)
		rest = rest.Remove(id)
		reached := mle.RouterIDSet(0).Add(id)
		for range detour {
			reached = t.beside(reached&group.Add(id), all) | reached
		}
		if all&^reached != 0 {
			return true
		}
	}
	return false
}

// beside returns those of all linked routers that have good links to some of them, as one or the other says.
func (t *Routers) beside(some, all mle.RouterIDSet) (them mle.RouterIDSet) {
	for rest := all; rest != 0; {
		id := first(rest)
		rest = rest.Remove(id)
		if others := t.entries[id].Others; some.Contains(id) {
			them |= others & all
		} else if others&some != 0 {
			them = them.Add(id)
		}
	}
	return them
}

// connected returns the first of some linked routers with those of them to which it is connected, and all that is next to any of these.
func (t *Routers) connected(some mle.RouterIDSet) (group, covered mle.RouterIDSet) {
	for more := mle.RouterIDSet(0).Add(first(some)); more != 0; more = some & covered &^ group {
		id := first(more)
		group = group.Add(id)
		covered = covered.Add(id) | t.entries[id].Others
	}
	return group, covered
}

// LearnLeaderRoute takes over a parent's way to the leader.
func (t *Routers) LearnLeaderRoute(route *mle.Route64, parent, leader mle.RouterID) {
	l := t.Get(leader)
	if l == nil || !route.Routers.Contains(leader) {
		return
	}
	if cost := route.Routes[leader].Cost; cost > 0 {
		l.NextHop, l.Cost = parent, cost
	} else {
		l.NextHop, l.Cost = NoNextHop, 0
	}
}
