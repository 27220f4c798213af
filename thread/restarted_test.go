package thread

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// A router that starts anew is told its place by who has lost the link to it meanwhile.
func TestRestartedRouterIsKnown(t *testing.T) {
	for _, tt := range []struct {
		name        string
		rare, lost  bool
		ext         ieee802154.ExtAddr
		role        uint8
		isToBeKnown bool
	}{
		{"linked", false, false, fuzzRouter, 0, true},
		{"lost", false, true, fuzzRouter, 0, false},
		{"lost, in a quiet partition", true, true, fuzzRouter, 0, true},
		{"a leader's, in a quiet partition", true, true, fuzzRouter, 1, true},
		{"a stranger, in a quiet partition", true, true, ieee802154.ExtAddr{99}, 0, false},
		{"a child, in a quiet partition", true, true, fuzzChild, 0, false},
		{"asked by a recording of its own, in a quiet partition", true, true, ieee802154.ExtAddr{1}, 0, false},
	} {
		e := newFuzzEngine(t, tt.role)
		if tt.rare {
			e.quiet.rare = true
		}
		if tt.lost {
			e.neighbors.Drop(&e.neighbors.Routers.Get(fuzzRouterRLOC.RouterID()).Neighbor)
		}
		if r := e.links.restarted(tt.ext); (r != nil) != tt.isToBeKnown || r != nil && r.RLOC16 != fuzzRouterRLOC {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}
