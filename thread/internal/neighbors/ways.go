package neighbors

import (
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Ways are the costs of a router's ways to others, as it last said, for an end device that hears it.
type Ways struct {
	cost [mle.NumRouterIDs]uint8 // MaxRouteCost where it knows none
	link uint8                   // the cost of the link to it
	// Dear says that they cost more than their length, since the router has little airtime left.
	Dear bool
}

// NoteWays takes what a router says of its ways, which was heard with a link quality. Dear are such as cost more than their length.
func (r *Router) NoteWays(route *mle.Route64, quality uint8, dear bool) {
	if r.Ways == nil {
		r.Ways = new(Ways)
	}
	w := r.Ways
	w.link, w.Dear = LinkCost(quality), dear
	for id := range w.cost {
		w.cost[id] = MaxRouteCost
	}
	for id := range route.Routers.All() {
		if cost := route.Routes[id].Cost; cost > 0 {
			w.cost[id] = cost
		}
	}
}

// Reached returns the number of routers to which a router knows a way, itself among them, as it last said to an end device; 0 if it has not.
func (r *Router) Reached() int {
	if r == nil || r.Ways == nil {
		return 0
	}
	n := 0
	for _, cost := range r.Ways.cost {
		if cost < MaxRouteCost {
			n++
		}
	}
	return n
}

// Way is the cost of the way to another router over this one, for an end device; MaxRouteCost and more where none is known.
func (r *Router) Way(to mle.RouterID) uint8 {
	switch {
	case r == nil || r.Ways == nil || !to.Valid():
		return MaxRouteCost
	case r.RLOC16.RouterID() == to:
		return r.Ways.link
	}
	return r.Ways.link + r.Ways.cost[to]
}

// Shortens reports whether this end device, if it were a router, would shorten the way between two routers that were heard well since a time, by a
// gain in cost at least. Both have to know a way: who has just come may not have heard of the other. A way is longer, too, where a router on it has little
// airtime left and says that it costs more: so this node takes over from it. Where the ends themselves have little left no way is shortened: in a
// cell all would become routers, one after the other.
func (t *Routers) Shortens(since time.Time, gain uint8) bool {
	for a, from := range t.All() {
		if !from.shortened(since) {
			continue
		}
		for b, to := range t.All() {
			if b <= a || !to.shortened(since) {
				continue
			}
			longer := from.Ways.link + to.Ways.link + gain
			there, back := from.Ways.cost[b], to.Ways.cost[a]
			if there < MaxRouteCost && back < MaxRouteCost && there >= longer && back >= longer {
				return true
			}
		}
	}
	return false
}

// apart is from which cost on the way from one router to another counts as none, where a child hears both: it may be counting up.
const apart = 8

// Apart returns two routers that were heard well since a time and know no way to each other, as both say; nil if there are none. One that is gone has
// said that it knows one.
func (t *Routers) Apart(since time.Time) (one, other *Router) {
	for a, from := range t.All() {
		if from.Ways == nil || !from.HeardWell.After(since) {
			continue
		}
		for b, to := range t.All() {
			if b > a && to.Ways != nil && to.HeardWell.After(since) && from.Ways.cost[b] >= apart && to.Ways.cost[a] >= apart {
				return from, to
			}
		}
	}
	return nil, nil
}

// shortened reports whether a router would be an end of a way that this node shortens.
func (r *Router) shortened(since time.Time) bool {
	return r.Ways != nil && !r.Burdened && r.HeardWell.After(since)
}
