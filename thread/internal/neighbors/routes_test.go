package neighbors

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// TestUpdateRoutes follows the rules for a neighbor's Route64.
func TestUpdateRoutes(t *testing.T) {
	const self, a, b, far = 0, 1, 2, 3
	type way struct {
		next mle.RouterID
		cost uint8
	}
	for _, tt := range []struct {
		name       string
		qualityA   uint8 // of the links to a and b
		qualityB   uint8
		qualityFar uint8 // of a direct link, if there is one
		before     way
		cost       uint8 // that a announces for far
		want       way
		toward     mle.RouterID // self for no way
	}{
		{"new route", 3, 0, 0, way{NoNextHop, 0}, 2, way{a, 2}, a},
		{"better route", 3, 3, 0, way{b, 5}, 2, way{a, 2}, a},
		{"equal route", 3, 3, 0, way{b, 2}, 2, way{b, 2}, b},
		{"worse route", 3, 3, 0, way{b, 2}, 3, way{b, 2}, b},
		{"the same router announces worse", 3, 3, 0, way{a, 2}, 9, way{a, 9}, a},
		{"the same router lost it", 3, 3, 0, way{a, 2}, 0, way{NoNextHop, 0}, self},
		{"too far", 1, 0, 0, way{NoNextHop, 0}, 13, way{NoNextHop, 0}, self},
		{"just near enough", 1, 0, 0, way{NoNextHop, 0}, 11, way{a, 11}, a},
		{"as good as the link", 3, 0, 2, way{NoNextHop, 0}, 1, way{a, 1}, far},
		{"better than the link", 3, 0, 1, way{NoNextHop, 0}, 1, way{a, 1}, a},
		{"cost counts the link", 1, 3, 0, way{b, 4}, 2, way{b, 4}, b},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := newRoom(t)
			tb.View, tb.Routers.Self = AsRouter, mle.RouterRLOC16(self)
			table := mle.Route64{Routers: mle.RouterIDSet(0).Add(self).Add(a).Add(b).Add(far)}
			tb.SetAssigned(table.Routers, 1)
			for id, q := range map[mle.RouterID]uint8{a: tt.qualityA, b: tt.qualityB, far: tt.qualityFar} {
				if q > 0 {
					tb.link(id, q)
				}
			}
			r := tb.Routers.Get(far)
			r.NextHop, r.Cost = tt.before.next, tt.before.cost
			table.Routes[self] = mle.Route{LinkQualityIn: tt.qualityA, LinkQualityOut: tt.qualityA, Cost: 1}
			table.Routes[a] = mle.Route{Cost: 1}
			table.Routes[far].Cost = tt.cost
			tb.LearnRoutes(&table, a)
			if got := (way{r.NextHop, r.Cost}); got != tt.want {
				t.Errorf("way %+v, want %+v", got, tt.want)
			}
			next, ok := tb.Routers.NextHop(far)
			if tt.toward == self {
				if ok {
					t.Errorf("next hop %v, want none", next)
				}
			} else if !ok || next != mle.RouterRLOC16(tt.toward) {
				t.Errorf("next hop %v, %v, want %v", next, ok, tt.toward)
			}
		})
	}
}

// Neighbors must hear at once of a router that can be reached for the first time, or no longer, and maybe of a way that costs more; of what
// else changes they hear with the next Advertisement.
func TestLearnRoutesNews(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(r *room)
		from    mle.RouterID
		cost    uint8 // that is announced for far
		want    RouteChange
	}{
		{"new route", func(*room) {}, left, 2, RouteChange{News: true}},
		{"no route", func(*room) {}, left, 0, RouteChange{}},
		{"new route to a linked router", func(r *room) { r.link(far, 1) }, left, 1, RouteChange{}},
		{"lost route", func(r *room) { r.route(far, left, 2) }, left, 0, RouteChange{News: true}},
		{"lost route to a linked router", func(r *room) { r.link(far, 1); r.route(far, left, 2) }, left, 0, RouteChange{}},
		{"better route", func(r *room) { r.link(right, 3); r.route(far, right, 5) }, left, 2, RouteChange{}},
		{"other cost", func(r *room) { r.route(far, left, 5) }, left, 2, RouteChange{}},
		{"higher cost", func(r *room) { r.route(far, left, 2) }, left, 4, RouteChange{Dearer: true}},
		{"a little higher cost", func(r *room) { r.route(far, left, 2) }, left, 3, RouteChange{}},
		{"higher cost to a linked router", func(r *room) { r.link(far, 1); r.route(far, left, 2) }, left, 4, RouteChange{}},
		{"next hop is no more", func(r *room) { r.route(far, 40, 2) }, left, 2, RouteChange{News: true}},
		{"from a router without an ID", func(*room) {}, 40, 2, RouteChange{}},
		{"from a router without a link", func(*room) {}, right, 1, RouteChange{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t)
			r.link(left, 3)
			tt.prepare(r)
			table := mle.Route64{Routers: idSet(self, left, right, far, 41)} // 41 is not known here
			table.Routes[self].LinkQualityIn = 3
			table.Routes[far].Cost = tt.cost
			table.Routes[41].Cost = 1
			if got := r.LearnRoutes(&table, tt.from); got != tt.want {
				t.Errorf("%+v", got)
			}
			if got := r.LearnRoutes(&table, tt.from); got != (RouteChange{}) {
				t.Errorf("%+v again", got)
			}
		})
	}
}

// The neighbor reports how well it hears this node, and that counts for its routes at once.
func TestLearnQuality(t *testing.T) {
	for _, own := range []mle.RouterID{self, 40} { // before and after the others in the table
		r := newRouter(t)
		r.Assign(40, extOf(40))
		r.Routers.Self = own.RLOC16()
		n := r.link(left, 3)
		n.QualityOut = 0
		table := mle.Route64{Routers: idSet(own, left, far)}
		table.Routes[far].Cost = 11
		for _, tt := range []struct{ in, want uint8 }{{1, 15}, {0, MaxRouteCost}, {3, 12}, {2, 13}} {
			table.Routes[own].LinkQualityIn = tt.in
			r.LearnRoutes(&table, left)
			if got := r.Routers.PathCost(r.Routers.Get(far)); n.QualityOut != tt.in || got != tt.want {
				t.Errorf("%v heard with quality %d: quality %d, cost %d, want %d", own, tt.in, n.QualityOut, got, tt.want)
			}
		}
	}
}

// Two neighbors, of which neither has a way any more, do not keep a route alive between them.
func TestLearnNoWay(t *testing.T) {
	r := newRouter(t)
	r.link(left, 3)
	r.link(right, 0) // it does not hear this node any more
	n := r.route(far, right, 5)
	table := mle.Route64{Routers: idSet(self, left, right, far)}
	table.Routes[self].LinkQualityIn = 3
	if news := r.LearnRoutes(&table, left).News; !news || n.NextHop != NoNextHop || n.Cost != 0 {
		t.Errorf("news: %v, next hop %v, cost %d", news, n.NextHop, n.Cost)
	}
}

// The path cost is that of the better of link and route, and never more than what cannot be reached.
func TestPathCost(t *testing.T) {
	for _, tt := range []struct {
		name             string
		link             uint8 // quality of the link to far; 0 for none
		next             mle.RouterID
		nextLink         uint8
		cost             uint8
		linkCost, want   uint8
		toward           mle.RouterID
		noWay, asymmetry bool
	}{
		{name: "nothing", next: NoNextHop, linkCost: 16, want: 16, noWay: true},
		{name: "link of quality 3", link: 3, next: NoNextHop, linkCost: 1, want: 1, toward: far},
		{name: "link of quality 2", link: 2, next: NoNextHop, linkCost: 2, want: 2, toward: far},
		{name: "link of quality 1", link: 1, next: NoNextHop, linkCost: 4, want: 4, toward: far},
		{name: "one direction only", link: 3, next: NoNextHop, asymmetry: true, linkCost: 16, want: 16, noWay: true},
		{name: "route", next: left, nextLink: 2, cost: 3, linkCost: 16, want: 5, toward: left},
		{name: "route of cost 15", next: left, nextLink: 3, cost: 14, linkCost: 16, want: 15, toward: left},
		{name: "route too far", next: left, nextLink: 1, cost: 15, linkCost: 16, want: 16, noWay: true},
		{name: "better route", link: 1, next: left, nextLink: 3, cost: 2, linkCost: 4, want: 3, toward: left},
		{name: "better link", link: 2, next: left, nextLink: 3, cost: 2, linkCost: 2, want: 2, toward: far},
		{name: "both the same", link: 1, next: left, nextLink: 3, cost: 3, linkCost: 4, want: 4, toward: far},
		{name: "next hop without a link", next: left, cost: 1, linkCost: 16, want: 16, noWay: true},
		{name: "next hop is no more", next: 40, cost: 1, linkCost: 16, want: 16, noWay: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t)
			n := r.route(far, tt.next, tt.cost)
			if tt.link > 0 {
				r.link(far, tt.link)
			}
			if tt.asymmetry {
				n.QualityOut = 0
			}
			if tt.nextLink > 0 {
				r.link(left, tt.nextLink)
			}
			if link, path := r.Routers.LinkCost(n), r.Routers.PathCost(n); link != tt.linkCost || path != tt.want {
				t.Errorf("link %d, path %d, want %d and %d", link, path, tt.linkCost, tt.want)
			}
			if next, ok := r.Routers.NextHop(far); ok == tt.noWay || ok && next != tt.toward.RLOC16() {
				t.Errorf("next hop %v, %v", next, ok)
			}
		})
	}

	r := newRouter(t)
	r.link(self, 3)
	if r.Routers.LinkCost(nil) != MaxRouteCost || r.Routers.PathCost(nil) != MaxRouteCost ||
		r.Routers.LinkCost(r.Routers.Get(self)) != MaxRouteCost {
		t.Error("a way to nobody, or to this node itself")
	}
	for _, id := range []mle.RouterID{40, mle.InvalidRouterID, self} {
		if next, ok := r.Routers.NextHop(id); ok {
			t.Errorf("next hop to %v: %v", id, next)
		}
	}
}

// What a router advertises is the quality of its links in both directions, and the cost of its best ways.
func TestRoute64(t *testing.T) {
	r := newRouter(t)
	r.Routers.Sequence = 9
	n := r.link(left, 3)
	n.QualityOut = 1
	r.link(right, 3)
	r.route(far, right, 5)
	r.Assign(40, extOf(40))
	r.route(40, right, 15)
	want := mle.Route64{IDSequence: 10, Routers: idSet(self, left, right, far, 40)}
	want.Routes[self].Cost = 1
	want.Routes[left] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 1, Cost: 4}
	want.Routes[right] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 3, Cost: 1}
	want.Routes[far] = mle.Route{Cost: 6}
	want.Routes[40] = mle.Route{} // too far
	if got := r.Routers.Route64(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.Routers.Get(right).Failures = doubted
	for spread, cost := range map[bool]uint8{false: 6, true: 0} {
		r.Routers.Spread = spread
		if got := r.Routers.Route64(); got.Routes[far].Cost != cost || got.Routes[right].Cost != 1 {
			t.Errorf("over one that seems to be gone, %v: %+v", spread, got)
		}
	}
	r.Drop(&n.Neighbor)
	r.LoseLink(n)
	if got := r.Routers.Route64().Routes[left]; got != (mle.Route{}) {
		t.Errorf("after the link is lost: %+v", got)
	}
}

// A router may step down only where another covers all its good links.
func TestCovers(t *testing.T) {
	type qualities struct{ in, out uint8 }
	for _, tt := range []struct {
		name           string
		right, far     uint8 // quality of this node's links
		itsRight       qualities
		itsFar         qualities
		knows          mle.RouterIDSet
		covers, noLink bool
	}{
		{"as good", 3, 2, qualities{3, 3}, qualities{2, 2}, idSet(right, far), true, false},
		{"better", 2, 2, qualities{3, 3}, qualities{3, 3}, idSet(right, far), true, false},
		{"worse", 3, 2, qualities{2, 3}, qualities{3, 3}, idSet(right, far), false, false},
		{"worse one way", 3, 2, qualities{3, 2}, qualities{3, 3}, idSet(right, far), false, false},
		{"does not know one", 2, 2, qualities{3, 3}, qualities{3, 3}, idSet(right), false, false},
		{"poor links do not count", 1, 1, qualities{}, qualities{}, idSet(right, far), true, false},
		{"nor do poor links that it does not know", 1, 1, qualities{}, qualities{}, 0, true, false},
	} {
		r := newRouter(t)
		r.link(left, 3) // to the one that sends
		r.link(right, tt.right)
		r.link(far, tt.far)
		table := mle.Route64{Routers: tt.knows}
		table.Routes[right] = mle.Route{LinkQualityIn: tt.itsRight.in, LinkQualityOut: tt.itsRight.out}
		table.Routes[far] = mle.Route{LinkQualityIn: tt.itsFar.in, LinkQualityOut: tt.itsFar.out}
		if got := r.Routers.Covers(&table, left); got != tt.covers {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if r := newRouter(t); !r.Routers.Covers(&mle.Route64{}, left) {
		t.Error("no links are not covered")
	}
}

// A child's way to the leader is its parent's.
func TestLearnLeaderRoute(t *testing.T) {
	for _, tt := range []struct {
		name   string
		leader mle.RouterID
		knows  mle.RouterIDSet
		cost   uint8
		next   mle.RouterID
		want   uint8
	}{
		{"a way", far, idSet(left, far), 3, left, 3},
		{"no way", far, idSet(left, far), 0, NoNextHop, 0},
		{"the parent does not know the leader", far, idSet(left), 3, right, 9},
		{"nobody knows the leader", 40, idSet(left, 40), 3, right, 9},
	} {
		r := newRouter(t)
		r.route(far, right, 9)
		table := mle.Route64{Routers: tt.knows}
		table.Routes[tt.leader].Cost = tt.cost
		r.Routers.LearnLeaderRoute(&table, left, tt.leader)
		if n := r.Routers.Get(far); n.NextHop != tt.next || n.Cost != tt.want {
			t.Errorf("%s: next hop %v, cost %d", tt.name, n.NextHop, n.Cost)
		}
	}
}

// A router is spare if all that is next to it is next to a connected group of higher rank.
func TestSpare(t *testing.T) {
	const low, high, top = left, 40, 41 // this router stands between low and high
	for _, tt := range []struct {
		name   string
		own    mle.RouterID
		alone  bool
		leader mle.RouterID
		links  map[mle.RouterID]uint8
		others map[mle.RouterID]mle.RouterIDSet
		kids   mle.RouterIDSet // routers with children
		spare  bool
	}{
		{"no neighbors", 20, true, top, nil, nil, 0, false},
		{"one neighbor of higher rank", 20, true, low, map[mle.RouterID]uint8{high: 3}, nil, 0, true},
		{"one neighbor of lower rank", 20, true, top, map[mle.RouterID]uint8{low: 3}, nil, 0, false},
		{"the leader is above", 20, true, low, map[mle.RouterID]uint8{low: 3}, nil, 0, true},
		{"who has children is above", 20, true, top, map[mle.RouterID]uint8{low: 3}, nil, idSet(low), true},
		{"not above one with children", 20, false, top, map[mle.RouterID]uint8{low: 3}, nil, idSet(low), false},
		{"with children, below one of them with a higher ID", 20, false, top, map[mle.RouterID]uint8{high: 3}, nil, idSet(high), true},
		{"with children, above who has none", 20, false, top, map[mle.RouterID]uint8{high: 3}, nil, 0, false},
		{"a faint link to who is above", 20, true, top, map[mle.RouterID]uint8{high: 1}, nil, 0, false},
		{"between two", 20, true, top, map[mle.RouterID]uint8{low: 3, high: 3}, nil, 0, false},
		{"beside two that hear each other", 20, true, top, map[mle.RouterID]uint8{low: 3, high: 3},
			map[mle.RouterID]mle.RouterIDSet{high: idSet(low)}, 0, true},
		{"beside a group of two", 20, true, 50, map[mle.RouterID]uint8{low: 1, high: 3, top: 3},
			map[mle.RouterID]mle.RouterIDSet{high: idSet(top), top: idSet(low, high)}, 0, true},
		{"between two groups", 20, true, 50, map[mle.RouterID]uint8{low: 3, high: 3, top: 3},
			map[mle.RouterID]mle.RouterIDSet{top: idSet(low)}, 0, false},
		{"beside a row of four", 20, true, 50, map[mle.RouterID]uint8{low: 1, high: 3, top: 3, 50: 3},
			map[mle.RouterID]mle.RouterIDSet{high: idSet(low, top), top: idSet(high, 50), 50: idSet(top)}, 0, true},
		{"beside a row of five", 20, true, 50, map[mle.RouterID]uint8{low: 1, high: 3, top: 3, 50: 3, 51: 3},
			map[mle.RouterID]mle.RouterIDSet{high: idSet(low, top), top: idSet(high, 50), 50: idSet(top, 51)}, 0, false},
	} {
		r := newRouter(t)
		r.Routers.Self = tt.own.RLOC16()
		r.SetAssigned(idSet(tt.own, low, high, top, 50, 51), 2)
		for id, q := range tt.links {
			n := r.link(id, q)
			n.Alone, n.Others = !tt.kids.Contains(id), tt.others[id]
		}
		if got := r.Routers.Spare(tt.leader, tt.alone, true); got != tt.spare {
			t.Errorf("%s: %v", tt.name, got)
		}
		for id := range tt.links {
			r.Routers.Get(id).Burdened = true
		}
		if r.Routers.Spare(tt.leader, tt.alone, true) {
			t.Errorf("%s: spare beside such as need help", tt.name)
		}
	}
}

// The links of which a neighbor tells count if they are good both ways.
func TestLearnOthers(t *testing.T) {
	r := newRouter(t)
	n := r.link(left, 3)
	table := mle.Route64{Routers: idSet(self, left, right, far)}
	table.Routes[self] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 3}
	table.Routes[right] = mle.Route{LinkQualityIn: 2, LinkQualityOut: 3}
	table.Routes[far] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 1, Cost: 2}
	if r.LearnRoutes(&table, left); n.Others != idSet(self, right) {
		t.Errorf("%x, want %x", n.Others, idSet(self, right))
	}
}

// A neighbor lacks a way if this router has one for it that does not lead over the neighbor itself.
func TestLacks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(r *room)
		knows mle.RouterIDSet
		cost  uint8
		lacks bool
	}{
		{"a link", func(r *room) { r.link(far, 3) }, idSet(self, left, far), 0, true},
		{"a route", func(r *room) { r.link(right, 3); r.route(far, right, 3) }, idSet(self, left, far), 0, true},
		{"a route over one that seems to be gone", func(r *room) { r.link(right, 3).Failures = doubted; r.route(far, right, 3) }, idSet(self, left, far), 0, false},
		{"it knows one", func(r *room) { r.link(far, 3) }, idSet(self, left, far), 5, false},
		{"only over itself", func(r *room) { r.route(far, left, 3) }, idSet(self, left, far), 0, false},
		{"no way", func(*room) {}, idSet(self, left, far), 0, false},
		{"too far for it", func(r *room) { r.link(right, 3); r.route(far, right, 14) }, idSet(self, left, far), 0, false},
		{"it does not know that router", func(r *room) { r.link(far, 3) }, idSet(self, left), 0, false},
	} {
		r := newRouter(t)
		r.link(left, 3)
		tt.set(r)
		table := mle.Route64{Routers: tt.knows}
		table.Routes[far].Cost = tt.cost
		if got := r.Routers.Lacks(&table, left); got != tt.lacks {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A burden makes the ways over a router dearer, but puts none out of reach; nor is a router that cannot be reached any nearer.
func TestBurden(t *testing.T) {
	for _, tt := range []struct{ burden, cost, want uint8 }{
		{0, 3, 4}, {2, 3, 6}, {3, 4, 6}, {3, 5, 6}, {3, 8, 9}, {3, 13, 14}, {3, 15, 0},
	} {
		r := newRouter(t)
		r.link(left, 3)
		r.route(far, left, tt.cost)
		r.Routers.Burden = tt.burden
		if got := r.Routers.Route64().Routes[far].Cost; got != tt.want {
			t.Errorf("burden %d, cost %d+1: %d, want %d", tt.burden, tt.cost, got, tt.want)
		}
	}
}

// Of two ways that cost the same the one over a node with this engine is taken, whoever is heard first.
func TestForeignWay(t *testing.T) {
	for _, foreign := range []mle.RouterID{left, right} {
		for _, order := range [][2]mle.RouterID{{left, right}, {right, left}} {
			r := newRouter(t)
			r.Routers.Spread = true
			for _, id := range order {
				r.link(id, 3).Foreign = id == foreign
				table := mle.Route64{Routers: idSet(self, left, right, far)}
				table.Routes[self] = mle.Route{LinkQualityIn: 3}
				table.Routes[far].Cost = 2
				r.LearnRoutes(&table, id)
			}
			if next := r.Routers.Get(far).NextHop; next == foreign {
				t.Errorf("over %d, in order %d", next, order)
			}
		}
	}
}

// Where ways cost the same, different nodes take different ones, each always the same.
func TestSpread(t *testing.T) {
	taken := map[mle.RouterID]int{}
	for own := mle.RouterID(10); own < 40; own++ {
		var first mle.RouterID
		for i, order := range [][2]mle.RouterID{{left, right}, {right, left}} {
			r := newRouter(t)
			r.Routers.Self, r.Routers.Spread = own.RLOC16(), true
			r.SetAssigned(idSet(own, left, right, far), 2)
			for _, id := range order {
				r.link(id, 3)
				table := mle.Route64{Routers: idSet(own, left, right, far)}
				table.Routes[own] = mle.Route{LinkQualityIn: 3}
				table.Routes[far].Cost = 2
				r.LearnRoutes(&table, id)
			}
			next := r.Routers.Get(far).NextHop
			if i == 0 {
				first = next
			} else if next != first {
				t.Errorf("node %d: over %d or %d, whoever is heard first", own, first, next)
			}
		}
		taken[first]++
	}
	if taken[left] < 8 || taken[right] < 8 {
		t.Errorf("taken: %v", taken)
	}
}

// Whose link a neighbor has lost is doubted, unless it was heard since.
func TestDoubt(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after uint8 // quality of left's link to right, as it says
		heard         time.Duration
		want          uint8
	}{
		{"lost", 3, 0, -time.Minute, doubted},
		{"lost, and heard here since", 3, 0, 0, 0},
		{"worse", 3, 1, -time.Minute, 0},
		{"there was none", 0, 0, -time.Minute, 0},
		{"there was none worth to be counted", 1, 0, -time.Minute, 0},
	} {
		r := newRouter(t)
		r.after(time.Hour)
		from, to := r.link(left, 3), r.link(right, 3)
		says := func(quality uint8) {
			route := mle.Route64{Routers: idSet(self, left, right, far)}
			route.Routes[right].LinkQualityIn, route.Routes[right].LinkQualityOut = quality, quality
			r.Doubt(&route, from, r.core.Now.Add(-time.Second))
		}
		says(tt.before)
		to.LastHeard = r.core.Now.Add(tt.heard)
		if to.Failures != 0 {
			t.Errorf("%s: doubted from the first", tt.name)
		}
		if says(tt.after); to.Failures != tt.want {
			t.Errorf("%s: %d frames that were not acknowledged", tt.name, to.Failures)
		}
		to.Failures = 0
		if says(tt.after); to.Failures != 0 {
			t.Errorf("%s: doubted again", tt.name)
		}
	}
}

// A child doubts its parent in the same way.
func TestDoubtParent(t *testing.T) {
	r := newRoom(t)
	r.SetAssigned(idSet(left, right), 1)
	r.View = AsListener
	r.SetParent(Neighbor{Ext: extOf(right), RLOC16: right.RLOC16()}, 1, Valid)
	from := r.Routers.Get(left)
	from.Others = idSet(right)
	r.after(time.Minute)
	if r.Doubt(&mle.Route64{Routers: idSet(left, right)}, from, epoch); r.Parent.Failures != doubted {
		t.Errorf("%d frames that were not acknowledged", r.Parent.Failures)
	}
}

// The parent is none of the routers to which an end device listens beside it.
func TestParentIsNoLink(t *testing.T) {
	r := newRoom(t)
	r.SetAssigned(idSet(left, right), 1)
	r.View = AsListener
	r.Routers.Get(left).Ext = extOf(left)
	r.link(left, 3)
	if r.SetParent(Neighbor{Ext: extOf(left), RLOC16: left.RLOC16()}, 1, Valid); r.Routers.Links() != 0 {
		t.Error("it is")
	}
}

// An ID that is expected is assigned until the next assignment says otherwise.
func TestExpect(t *testing.T) {
	r := newRouter(t)
	r.SetAssigned(idSet(self, left), 1)
	if e := r.Expect(far); e == nil || e != r.Routers.Get(far) || r.Routers.Sequence != 1 {
		t.Errorf("%v, sequence %d", e, r.Routers.Sequence)
	}
	if r.SetAssigned(idSet(self, left), 2); r.Routers.IsAssigned(far) {
		t.Error("it is still assigned")
	}
}
