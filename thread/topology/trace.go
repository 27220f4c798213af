package topology

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// ErrNoWay says that no router on the way knows the next one.
var ErrNoWay = errors.New("topology: no way is known")

// A Hop is a node on a way, and the link to it from the one before.
type Hop struct {
	RLOC16 mle.RLOC16
	MAC    ieee802154.ExtAddr // zero if not known
	// Forth is how well the node hears the one before, Back how well that hears it. Strengths are known to this node alone: of its own
	// neighbors.
	Forth, Back Direction
	// RTT is the time that a question to the node and its answer have taken, 0 if it was not asked or has not answered.
	RTT time.Duration
}

// costs of links by their qualities (Thread 1.1 §5.9): none, and 4, 2, 1.
var costs = [...]int{16, 4, 2, 1}

// linkCost is what a router counts for the link to another.
func linkCost(r mle.Route) int { return costs[min(r.LinkQualityIn, r.LinkQualityOut)] }

// A Tracer finds the routers between two, by what they tell of their routes. A router does not tell its next hop, but its link costs and the
// cost of each route: the next hop is the neighbor over which that sum comes about, and it is found by asking neighbors for theirs.
type Tracer struct {
	to     mle.RouterID
	at     mle.RouterID
	routes map[mle.RouterID]mle.Route64
	silent map[mle.RouterID]bool
	way    []mle.RouterID // without the first
}

// NewTracer returns a Tracer from one router to another.
func NewTracer(from, to mle.RouterID) *Tracer {
	return &Tracer{to: to, at: from, routes: map[mle.RouterID]mle.Route64{}, silent: map[mle.RouterID]bool{}}
}

// Answer takes a router's Route64, and Silent that it has not told.
func (t *Tracer) Answer(id mle.RouterID, route mle.Route64) { t.routes[id] = route }

// Silent notes that a router does not answer.
func (t *Tracer) Silent(id mle.RouterID) { t.silent[id] = true }

// Step says where the trace is: at a router to ask for its Route64, at its end, or, with ErrNoWay, at a loss.
func (t *Tracer) Step() (ask mle.RouterID, done bool, err error) {
	for t.at != t.to {
		if len(t.way) > mle.NumRouterIDs {
			return 0, false, ErrNoWay
		}
		route, ok := t.routes[t.at]
		switch {
		case !ok && t.silent[t.at]:
			return 0, false, ErrNoWay
		case !ok:
			return t.at, false, nil
		}
		next, ask, ok := t.next(&route)
		switch {
		case !ok:
			return 0, false, ErrNoWay
		case ask:
			return next, false, nil
		}
		t.way = append(t.way, next)
		t.at = next
	}
	return 0, true, nil
}

// next returns the next hop of the router at which the trace is, or whom to ask to find out.
func (t *Tracer) next(route *mle.Route64) (id mle.RouterID, ask, ok bool) {
	cost := int(route.Routes[t.to].Cost)
	if direct := linkCost(route.Routes[t.to]); route.Routers.Contains(t.to) && direct < costs[0] && (cost == 0 || direct <= cost) {
		return t.to, false, true
	}
	best, least := mle.InvalidRouterID, 0
	for _, n := range t.neighbors(route) {
		link := linkCost(route.Routes[n])
		if cost > 0 && link >= cost || t.silent[n] || slices.Contains(t.way, n) {
			continue
		}
		theirs, asked := t.routes[n]
		if !asked {
			return n, true, true
		}
		onward := int(theirs.Routes[t.to].Cost)
		if direct := linkCost(theirs.Routes[t.to]); direct < costs[0] && (onward == 0 || direct < onward) {
			onward = direct
		}
		if onward == 0 {
			continue
		}
		if best == mle.InvalidRouterID || link+onward < least {
			best, least = n, link+onward
		}
		if best != mle.InvalidRouterID && least <= cost {
			break // it cannot be less
		}
	}
	return best, false, best != mle.InvalidRouterID
}

// neighbors are those to which a router has a link, the best first.
func (t *Tracer) neighbors(route *mle.Route64) []mle.RouterID {
	var list []mle.RouterID
	for id := range route.Routers.All() {
		if id != t.at && linkCost(route.Routes[id]) < costs[0] {
			list = append(list, id)
		}
	}
	slices.SortStableFunc(list, func(a, b mle.RouterID) int {
		return cmp.Compare(linkCost(route.Routes[a]), linkCost(route.Routes[b]))
	})
	return list
}

// Way returns the routers passed so far, without the first.
func (t *Tracer) Way() []mle.RouterID { return t.way }

// Link returns how well a router and the one after it on the way hear each other, as one of them has told.
func (t *Tracer) Link(from, to mle.RouterID) (forth, back Direction) {
	forth, back = Direction{Unknown, RSSIUnknown}, Direction{Unknown, RSSIUnknown}
	if r, ok := t.routes[from]; ok {
		forth.Quality, back.Quality = int(r.Routes[to].LinkQualityOut), int(r.Routes[to].LinkQualityIn)
	}
	if r, ok := t.routes[to]; ok {
		forth.Quality = int(r.Routes[from].LinkQualityIn)
		if back.Quality == Unknown {
			back.Quality = int(r.Routes[from].LinkQualityOut)
		}
	}
	return forth, back
}
