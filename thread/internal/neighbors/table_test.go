package neighbors

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Children and linked routers are told of when they become valid and when they cease to be; the parent is not.
func TestChange(t *testing.T) {
	for _, before := range states {
		for _, after := range states {
			r := newRouter(t)
			child, router, parent := &r.child(0xc0, Restored).Neighbor, &r.Routers.Get(left).Neighbor, &r.Parent.Neighbor
			for _, n := range []*Neighbor{child, router, parent} {
				r.Change(n, before)
			}
			r.told = nil
			for _, n := range []*Neighbor{child, router, parent} {
				if r.Change(n, after); n.State() != after {
					t.Errorf("%v, want %v", n.State(), after)
				}
			}
			switch {
			case before != Valid && after == Valid:
				r.tells("+child c0", "+router 1")
			case before == Valid && after != Valid:
				r.tells("-child c0", "-router 1")
			default:
				r.tells()
			}
		}
	}
}

func TestDrop(t *testing.T) {
	r := newRouter(t)
	c := r.child(0xc0, Valid)
	c.Link.Reset(&stock, -50)
	r.Drop(&c.Neighbor)
	if c.State() != Invalid || c.Link != (LinkInfo{}) {
		t.Errorf("%v, %+v", c.State(), c.Link)
	}
	r.Drop(&c.Neighbor)
	r.tells("+child c0", "-child c0")
}

// Parent and candidate are taken over as they are, but for kind and state.
func TestParentAndCandidate(t *testing.T) {
	r := newRoom(t)
	n := Neighbor{Ext: ieee802154.ExtAddr{1}, RLOC16: 0x0400, QualityOut: 2, kind: KindRouter, state: LinkRequest}
	r.SetCandidate(Candidate{Neighbor: n, Margin: 30})
	if c := r.Candidate; c.Kind() != KindParent || c.State() != ParentResponse || c.Ext != n.Ext || c.Margin != 30 {
		t.Errorf("%+v", c)
	}
	r.SetParent(r.Candidate.Neighbor, 5, Restored)
	r.ClearCandidate()
	if c := r.Candidate; c != (Candidate{}) {
		t.Errorf("%+v", c)
	}
	want := n
	want.kind, want.state = KindParent, Restored
	if p := r.Parent; p != (Parent{Neighbor: want, LeaderCost: 5}) {
		t.Errorf("%+v", p)
	}
	r.SetParent(n, 0, Valid)
	r.SetParent(n, 0, Invalid)
	r.tells()
}

// A child that becomes a router keeps the link to its parent.
func TestAdoptParent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		id      mle.RouterID
		state   State
		adopted bool
	}{
		{"valid", left, Valid, true},
		{"restored", left, Restored, false},
		{"none", left, Invalid, false},
		{"its router ID is taken back", 40, Valid, false},
		{"without a router ID", mle.InvalidRouterID, Valid, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t)
			n := Neighbor{Ext: parentExt, RLOC16: tt.id.RLOC16(), Mode: mle.ModeFullThreadDevice, QualityOut: 2, LastHeard: epoch, Failures: 1}
			n.Link.Reset(&stock, -50)
			n.Prove(3, 100, 200)
			r.SetParent(n, 0, tt.state)
			got := r.AdoptParent()
			if r.Parent.State() != Invalid {
				t.Errorf("the parent stays %v", r.Parent.State())
			}
			if !tt.adopted {
				if got != nil || r.Routers.Links() > 0 {
					t.Errorf("adopted: %+v", got)
				}
				r.tells()
				return
			}
			n.kind, n.state = KindRouter, Valid
			if got != r.Routers.Get(tt.id) || got.Neighbor != n || got.NextHop != NoNextHop {
				t.Errorf("%+v, want %+v", got, n)
			}
			r.tells("+router a0")
		})
	}
}

// In another network nobody is known, and whoever was is told to be gone.
func TestForget(t *testing.T) {
	s := newStreet(t)
	s.Forget()
	for n, name := range s.names {
		if n != nil && n.State() != Invalid {
			t.Errorf("%s is still known", name)
		}
	}
	if s.Routers.Active() != 0 || !s.Children.Empty() {
		t.Error("places are taken")
	}
}

// A lost link takes the routes through it along.
func TestLoseLink(t *testing.T) {
	type loss struct{ news, unreachable bool }
	for _, tt := range []struct {
		name      string
		prepare   func(r *room)
		want      loss
		farNext   mle.RouterID
		farHeard  time.Duration // after the epoch
		otherWays []mle.RouterID
	}{
		{"no way round", func(*room) {}, loss{true, true}, NoNextHop, 0, nil},
		{"a way round", func(r *room) { r.link(right, 3); r.route(left, right, 2) }, loss{}, NoNextHop, 0, []mle.RouterID{left}},
		{"a way round through a router that is no more", func(r *room) { r.route(left, 40, 2) }, loss{true, true}, NoNextHop, 0, nil},
		{"a route through it", func(r *room) { r.route(far, left, 1) }, loss{true, true}, NoNextHop, time.Minute, nil},
		{"a route through it, and a way round", func(r *room) {
			r.link(right, 3)
			r.route(left, right, 2)
			r.route(far, left, 1)
		}, loss{true, false}, NoNextHop, time.Minute, []mle.RouterID{left}},
		{"a route through it to a linked router, and a way round", func(r *room) {
			r.link(right, 3)
			r.route(left, right, 2)
			r.link(far, 1)
			r.route(far, left, 1)
		}, loss{}, NoNextHop, 0, []mle.RouterID{left, far}},
		{"a route through another", func(r *room) { r.link(right, 3); r.route(far, right, 1) }, loss{true, true}, right, 0,
			[]mle.RouterID{far}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t)
			lost := r.link(left, 3)
			tt.prepare(r)
			r.told = nil
			r.after(time.Minute)
			got := r.LoseLink(lost)
			if (got != LinkLoss{News: tt.want.news, Unreachable: tt.want.unreachable}) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if lost.Valid() || lost.QualityOut != 0 || !lost.LastHeard.Equal(r.core.Now) {
				t.Errorf("%+v", lost.Neighbor)
			}
			to := r.Routers.Get(far)
			if to.NextHop != tt.farNext || !to.LastHeard.Equal(epoch.Add(tt.farHeard)) {
				t.Errorf("next hop %v, heard %v", to.NextHop, to.LastHeard)
			}
			for _, id := range tt.otherWays {
				if _, ok := r.Routers.NextHop(id); !ok {
					t.Errorf("no way to %v", id)
				}
			}
			r.tells("-router 1")
		})
	}
}

// The time to find another way begins when the last one is lost, not when the router was last heard.
func TestLoseRoute(t *testing.T) {
	r := newRouter(t)
	direct, remote := r.link(left, 3), r.route(far, left, 4)
	r.route(left, right, 2)
	r.after(time.Minute)
	r.LoseRoute(direct)
	r.LoseRoute(remote)
	if direct.NextHop != NoNextHop || direct.Cost != 0 || !direct.LastHeard.Equal(epoch) {
		t.Errorf("with a link: %+v", direct)
	}
	if remote.NextHop != NoNextHop || remote.Cost != 0 || !remote.LastHeard.Equal(r.core.Now) {
		t.Errorf("without a link: %+v", remote)
	}
}

func TestDropLinks(t *testing.T) {
	r := newRouter(t)
	r.link(left, 3)
	r.link(far, 2)
	r.Change(&r.Routers.Get(right).Neighbor, LinkRequest)
	r.told = nil
	r.DropLinks()
	r.tells("-router 1", "-router 3")
	if r.Routers.Links() != 0 || r.Routers.Active() != 4 || r.Routers.Get(right).State() != Invalid {
		t.Errorf("%d links, %d routers", r.Routers.Links(), r.Routers.Active())
	}
	r.DropLinks()
	r.tells()
}

func TestClearRouters(t *testing.T) {
	r := newRouter(t)
	r.link(left, 3)
	r.Release(far, r.core.Now.Add(time.Hour))
	r.told = nil
	r.ClearRouters()
	r.tells("-router 1")
	if r.Routers.Active() != 0 || r.Routers.Get(left) != nil {
		t.Errorf("%d routers", r.Routers.Active())
	}
	if id, ok := r.Routers.Choose(r.core.Now, far, nil); id != far || !ok {
		t.Error("router IDs of another partition wait for their reuse")
	}
}

// All of a partition follow the leader's assignment.
func TestSetAssigned(t *testing.T) {
	const fresh = mle.RouterID(40)
	r := newRouter(t)
	kept := r.link(left, 2)
	r.link(right, 3)
	r.route(far, right, 1)
	before := *kept
	r.told = nil
	r.after(time.Minute)

	if got := r.SetAssigned(idSet(self, left, right, far), 7); got != (Reassignment{}) {
		t.Errorf("the same: %+v", got)
	}
	if r.Routers.Sequence != 7 || !r.Routers.Updated.Equal(r.core.Now) {
		t.Errorf("sequence %d of %v", r.Routers.Sequence, r.Routers.Updated)
	}
	r.tells()

	want := idSet(self, left, far, fresh)
	if got := r.SetAssigned(want, 8); got != (Reassignment{Changed: true, Dropped: idSet(right)}) {
		t.Errorf("%+v", got)
	}
	r.tells("-router 2")
	if r.Routers.Assigned() != want || r.Routers.Sequence != 8 || r.Routers.Get(right) != nil {
		t.Errorf("%x", uint64(r.Routers.Assigned()))
	}
	if *kept != before {
		t.Errorf("an entry that stays: %+v, before %+v", *kept, before)
	}
	// A restarted leader must not release at once what it has no route to yet.
	if n := r.Routers.Get(fresh); n.Kind() != KindRouter || n.State() != Invalid || n.RLOC16 != fresh.RLOC16() ||
		n.NextHop != NoNextHop || !n.LastHeard.Equal(r.core.Now) {
		t.Errorf("a new entry: %+v", n)
	}
	// What was reached through the dropped router is not reached any more.
	if n := r.Routers.Get(far); n.NextHop != NoNextHop || !n.LastHeard.Equal(r.core.Now) {
		t.Errorf("behind it: %+v", n)
	}

	// Back again, the entry is a new one.
	r.SetAssigned(want.Add(right), 9)
	if n := r.Routers.Get(right); n.Ext != (ieee802154.ExtAddr{}) || n.Link != (LinkInfo{}) || n.State() != Invalid {
		t.Errorf("assigned again: %+v", n)
	}
}

// Who is no router keeps the routes that others told of, but none leads through a router ID that is not assigned.
func TestSetAssignedToListener(t *testing.T) {
	r := newRouter(t)
	r.View, r.Routers.Self = AsListener, mle.ChildRLOC16(left, 1)
	r.link(right, 3)
	r.route(far, right, 1)
	r.told = nil
	if got := r.SetAssigned(idSet(self, left, far), 2); got.Dropped != idSet(right) {
		t.Errorf("%+v", got)
	}
	r.tells("-router 2")
	if n := r.Routers.Get(far); n.NextHop != right {
		t.Errorf("next hop %v, as others know it", n.NextHop)
	}
	if next, ok := r.Routers.NextHop(far); ok {
		t.Errorf("next hop %v", next)
	}
	if cost := r.Routers.PathCost(r.Routers.Get(far)); cost != MaxRouteCost {
		t.Errorf("cost %d", cost)
	}
}

func TestRelease(t *testing.T) {
	for _, view := range []View{AsRouter, AsListener} {
		r := newRouter(t)
		r.View = view
		released := r.link(left, 3)
		direct := r.link(right, 3)
		direct.NextHop, direct.Cost = left, 1
		r.route(far, left, 2)
		r.told = nil
		r.after(time.Minute)
		r.Release(left, r.core.Now.Add(time.Minute))
		r.tells("-router 1")
		if r.Routers.IsAssigned(left) || released.Link != (LinkInfo{}) {
			t.Errorf("view %d: %+v", view, released)
		}
		if r.Routers.Sequence != 2 || !r.Routers.Updated.Equal(r.core.Now) {
			t.Errorf("view %d: sequence %d of %v", view, r.Routers.Sequence, r.Routers.Updated)
		}
		for _, id := range []mle.RouterID{right, far} {
			if n := r.Routers.Get(id); n.NextHop != NoNextHop || n.Cost != 0 {
				t.Errorf("view %d: %v is still reached through it", view, id)
			}
		}
	}
}
