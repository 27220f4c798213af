package neighbors

import "github.com/gopymesh/pymesh/thread/mle"

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

// Route64 is what this router advertises.
func (t *Routers) Route64() mle.Route64 {
	out := mle.Route64{IDSequence: t.Sequence, Routers: t.assigned}
	for id, r := range t.All() {
		if r.RLOC16 == t.Self {
			out.Routes[id].Cost = 1
			continue
		}
		cost := t.PathCost(r)
		if cost >= MaxRouteCost {
			cost = 0 // no route
		}
		out.Routes[id] = mle.Route{LinkQualityOut: r.QualityOut, LinkQualityIn: r.Link.Quality, Cost: cost}
	}
	return out
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
