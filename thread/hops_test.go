package thread

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

// A child that has heard of its parent's ways says in the mesh header how many hops there may be without another byte, if the way is not long.
func TestHopsOfChild(t *testing.T) {
	const deep = 15 // hops for which the header has another byte
	to := mle.RouterRLOC16(9)
	for _, tt := range []struct {
		name  string
		cost  uint8 // of the parent's way; 0 if it has told none
		short bool
	}{
		{"unknown", 0, false},
		{"next to the parent", 1, true},
		{"some hops away", nearWay - 1, true},
		{"far", nearWay, false},
	} {
		e := newFuzzEngine(t, 2)
		if tt.cost > 0 {
			route := mle.Route64{Routers: mle.RouterIDSet(0).Add(9)}
			route.Routes[9].Cost = tt.cost
			e.neighbors.Routers.Get(fuzzRouterRLOC.RouterID()).NoteWays(&route, 3, false)
		}
		for _, dst := range []mle.RLOC16{to, to | 3} {
			hops := e.routes.hopsTo(dst) + spareHops
			if hops <= tt.cost+spareHops || (hops < deep) != tt.short {
				t.Errorf("%s, to %v: %d hops", tt.name, dst, hops)
			}
		}
	}
}
