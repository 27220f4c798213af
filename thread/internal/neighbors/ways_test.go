package neighbors

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// says has a router tell of its ways to others, which are heard with a quality.
func (r *room) says(id mle.RouterID, quality uint8, costs map[mle.RouterID]uint8) *Router {
	route := mle.Route64{Routers: idSet(self, left, right, far)}
	for to, cost := range costs {
		route.Routes[to].Cost = cost
	}
	n := r.Routers.Get(id)
	n.NoteWays(&route, quality, false)
	n.HeardWell = r.core.Now
	return n
}

// An end device shortens the way between two routers if that is longer than over it, as both say.
func TestShortens(t *testing.T) {
	for _, tt := range []struct {
		name        string
		there, back uint8 // costs from left to right, and from right to left
		quality     uint8 // of the link to left
		gain        uint8
		want        bool
	}{
		{"far apart", 3, 3, 3, 1, true},
		{"as far as over this node", 2, 2, 3, 1, false},
		{"one of them says otherwise", 5, 2, 3, 1, false},
		{"the gain is too small", 3, 3, 3, 2, false},
		{"the gain is just enough", 4, 4, 3, 2, true},
		{"over a worse link", 3, 3, 2, 1, false},
		{"over a worse link, very far apart", 4, 4, 2, 1, true},
		{"one knows no way yet", 0, 5, 3, 1, false},
	} {
		r := newRoom(t)
		r.SetAssigned(idSet(left, right, far), 1)
		r.after(time.Minute)
		r.says(left, tt.quality, map[mle.RouterID]uint8{right: tt.there})
		r.says(right, 3, map[mle.RouterID]uint8{left: tt.back})
		if got := r.Routers.Shortens(epoch, tt.gain); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if r.Routers.Shortens(r.core.Now, tt.gain) {
			t.Errorf("%s: of routers that were not heard lately", tt.name)
		}
		r.Routers.Get(far).NoteWays(new(mle.Route64), 3, true)
		if got := r.Routers.Shortens(epoch, tt.gain); got != tt.want {
			t.Errorf("%s, beside one whose ways cost more than their length: %v", tt.name, got)
		}
		r.Routers.Get(left).Burdened = true
		if r.Routers.Shortens(epoch, tt.gain) {
			t.Errorf("%s: beside such as need help", tt.name)
		}
	}
}

// Two routers are apart if neither knows a way to the other. Who still says that it does may be the one that is gone.
func TestApart(t *testing.T) {
	for _, tt := range []struct {
		name        string
		there, back uint8 // costs from left to right, and from right to left; 0 for none
		want        bool
	}{
		{"no way", 0, 0, true},
		{"one knows a way", 0, 3, false},
		{"the other one does", 3, 0, false},
		{"both do", 3, 3, false},
		{"their ways count up", apart, apart + 2, true},
	} {
		r := newRoom(t)
		r.SetAssigned(idSet(left, right, far), 1)
		r.after(time.Minute)
		r.says(left, 3, map[mle.RouterID]uint8{right: tt.there})
		if one, _ := r.Routers.Apart(epoch); one != nil {
			t.Errorf("%s: beside one that has said nothing", tt.name)
		}
		r.says(right, 3, map[mle.RouterID]uint8{left: tt.back})
		one, other := r.Routers.Apart(epoch)
		if got := one == r.Routers.Get(left) && other == r.Routers.Get(right); got != tt.want || got != (one != nil) {
			t.Errorf("%s: %v", tt.name, got)
		}
		if one, _ := r.Routers.Apart(r.core.Now); one != nil {
			t.Errorf("%s: of routers that were not heard lately", tt.name)
		}
	}
}

func TestWay(t *testing.T) {
	r := newRoom(t)
	r.SetAssigned(idSet(left, right, far), 1)
	n := r.says(left, 2, map[mle.RouterID]uint8{right: 3})
	for _, tt := range []struct {
		to   mle.RouterID
		want uint8
	}{{left, 2}, {right, 5}, {far, 2 + MaxRouteCost}, {mle.InvalidRouterID, MaxRouteCost}} {
		if got := n.Way(tt.to); got != tt.want {
			t.Errorf("to %v: %d, want %d", tt.to, got, tt.want)
		}
	}
	if got := r.Routers.Get(far).Way(left); got != MaxRouteCost {
		t.Errorf("over who has said nothing: %d", got)
	}
	var nobody *Router
	if got := nobody.Way(left); got != MaxRouteCost {
		t.Errorf("over nobody: %d", got)
	}
}

// An end device knows from its parent, and a router from its own routes, how many routers are in reach: IDs of such as are gone stay assigned.
func TestReached(t *testing.T) {
	r := newRoom(t)
	r.SetAssigned(idSet(left, right, far), 1)
	route := mle.Route64{Routers: idSet(left, right, far)}
	route.Routes[left].Cost, route.Routes[right].Cost = 1, 3
	if n := route.Reached(); n != 2 {
		t.Errorf("the sender has a way to %d", n)
	}
	n := r.Routers.Get(left)
	if n.Reached() != 0 {
		t.Error("a router that has said nothing knows ways")
	}
	n.NoteWays(&route, 3, false)
	if got := n.Reached(); got != 2 {
		t.Errorf("the parent has a way to %d", got)
	}
	var none *Router
	if none.Reached() != 0 || r.Routers.Active() != 3 {
		t.Error("no router knows ways, or none is assigned")
	}
}
