package neighbors

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestRouterIDs assigns wanted or free router IDs, none within the reuse delay, and 32 at most.
func TestRouterIDs(t *testing.T) {
	const reuse = 100 * time.Second
	r := newRoom(t)
	r.View = AsRouter
	choose := func(wanted mle.RouterID) (mle.RouterID, bool) {
		return r.Routers.Choose(r.core.Now, wanted, r.core.Rand.IntN)
	}
	r.Assign(0, own)
	sequence := r.Routers.Sequence
	id, ok := choose(7)
	if !ok || id != 7 {
		t.Fatalf("%v, %v", id, ok)
	}
	r.Assign(7, extOf(7))
	if r.Routers.Sequence != sequence+1 {
		t.Error("the sequence stands still")
	}
	if id, _ := choose(7); id == 7 {
		t.Error("assigned twice")
	}
	r.Release(7, r.core.Now.Add(reuse))
	if r.Routers.IsAssigned(7) || r.Routers.Sequence != sequence+2 {
		t.Error("not released")
	}
	r.after(reuse - time.Millisecond)
	if id, _ := choose(7); id == 7 {
		t.Error("assigned within the reuse delay")
	}
	r.after(time.Millisecond)
	if id, _ := choose(7); id != 7 {
		t.Errorf("%v after the reuse delay", id)
	}
	for range MaxRouters - 1 {
		id, ok := choose(mle.InvalidRouterID)
		if !ok {
			t.Fatal("none free")
		}
		r.Assign(id, extOf(id))
	}
	if id, ok := choose(40); ok {
		t.Errorf("a 33rd router got %v", id)
	}
}

// What is wanted and free is given without drawing a number; else one draw picks among all that are free, in order.
func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		wanted mle.RouterID
		of     int // free IDs to pick from, 0 if nothing is drawn
		pick   int
		want   mle.RouterID
		ok     bool
	}{
		{"wanted and free", 5, 0, 0, 5, true},
		{"the highest", mle.MaxRouterID, 0, 0, mle.MaxRouterID, true},
		{"assigned", left, 58, 0, 4, true},
		{"within the reuse delay", 6, 58, 57, mle.MaxRouterID, true},
		{"nothing wanted", mle.InvalidRouterID, 58, 1, 5, true},
		{"nothing wanted, past a released one", mle.InvalidRouterID, 58, 2, 7, true},
	} {
		r := newRouter(t)
		r.Assign(6, extOf(6))
		r.Release(6, r.core.Now.Add(time.Hour))
		of := 0
		got, ok := r.Routers.Choose(r.core.Now, tt.wanted, func(n int) int { of = n; return tt.pick })
		if got != tt.want || ok != tt.ok || of != tt.of {
			t.Errorf("%s: %v, %v from %d; want %v, %v from %d", tt.name, got, ok, of, tt.want, tt.ok, tt.of)
		}
	}

	r := newRoom(t)
	for id := range mle.MaxRouterID + 1 {
		r.Assign(id, extOf(id))
		r.Release(id, r.core.Now.Add(time.Hour))
	}
	if id, ok := r.Routers.Choose(r.core.Now, 5, func(int) int { t.Error("a draw from nothing"); return 0 }); ok {
		t.Errorf("%v while none is free", id)
	}
}

func TestAssign(t *testing.T) {
	r := newRoom(t)
	r.after(time.Minute)
	n := r.Assign(left, extOf(left))
	want := Router{Neighbor: Neighbor{Ext: extOf(left), RLOC16: left.RLOC16(), LastHeard: r.core.Now, kind: KindRouter}, NextHop: NoNextHop}
	if *n != want || n != r.Routers.Get(left) {
		t.Errorf("%+v, want %+v", *n, want)
	}
	if r.Routers.Sequence != 1 || !r.Routers.Updated.Equal(r.core.Now) || r.Routers.Active() != 1 {
		t.Errorf("sequence %d of %v", r.Routers.Sequence, r.Routers.Updated)
	}
	r.tells()
}

// The sequence number counts up once it has stood still for a period, and goes on from 255 to 0.
func TestCountUp(t *testing.T) {
	r := newRoom(t)
	r.SetAssigned(idSet(self), 255)
	r.after(10*time.Second - 1)
	r.Routers.CountUp(r.core.Now, 10*time.Second)
	if r.Routers.Sequence != 255 || !r.Routers.Updated.Equal(epoch) {
		t.Errorf("%d before the end of the period", r.Routers.Sequence)
	}
	r.after(1)
	r.Routers.CountUp(r.core.Now, 10*time.Second)
	r.Routers.CountUp(r.core.Now, 10*time.Second)
	if r.Routers.Sequence != 0 || !r.Routers.Updated.Equal(r.core.Now) {
		t.Errorf("%d of %v at the end of the period", r.Routers.Sequence, r.Routers.Updated)
	}
}

func TestRouterLookUp(t *testing.T) {
	r := newRouter(t)
	linked := r.link(left, 3)
	r.Change(&r.Routers.Get(right).Neighbor, LinkRequest)
	r.link(self, 3) // cannot be, and is not believed
	r.Assign(50, extOf(50))
	r.link(50, 3)
	gone := r.Routers.Get(50)
	r.Release(50, epoch)
	for _, tt := range []struct {
		name                            string
		id                              mle.RouterID
		assigned, byExt, linkedByExt, l bool
	}{
		{"linked", left, true, true, true, true},
		{"asked for a link", right, true, true, false, false},
		{"without a link", far, true, true, false, false},
		{"self", self, true, true, false, false},
		{"released", 50, false, false, false, false},
		{"never assigned", 51, false, false, false, false},
		{"no router ID", mle.InvalidRouterID, false, false, false, false},
	} {
		n := r.Routers.Get(tt.id)
		if (n != nil) != tt.assigned || r.Routers.IsAssigned(tt.id) != tt.assigned {
			t.Errorf("%s: %+v", tt.name, n)
		}
		byExt, linkedByExt, byPlace := r.Routers.ByExt(extOf(tt.id)), r.Routers.LinkedByExt(extOf(tt.id)), r.Routers.LinkedByRLOC16(tt.id.RLOC16())
		if (byExt != nil) != tt.byExt || (linkedByExt != nil) != tt.linkedByExt || (byPlace != nil) != tt.l {
			t.Errorf("%s: by extended address %p, linked %p, by place %p", tt.name, byExt, linkedByExt, byPlace)
		}
	}
	if r.Routers.LinkedByRLOC16(mle.ChildRLOC16(left, 1)) != nil || gone.Valid() {
		t.Error("a child is taken for its router")
	}
	var all, links, contacts []mle.RouterID
	for id := range r.Routers.All() {
		all = append(all, id)
	}
	for id, n := range r.Routers.Linked() {
		links = append(links, id)
		if n != linked {
			t.Errorf("%+v is linked", n)
		}
	}
	for id := range r.Routers.InContact() {
		contacts = append(contacts, id)
	}
	if !slices.Equal(all, []mle.RouterID{self, left, right, far}) || !slices.Equal(links, []mle.RouterID{left}) ||
		!slices.Equal(contacts, []mle.RouterID{left, right}) {
		t.Errorf("all %v, linked %v, in contact %v", all, links, contacts)
	}
	if r.Routers.Active() != 4 || r.Routers.Assigned() != idSet(all...) || r.Routers.Links() != 2 {
		t.Errorf("%d routers, %d links", r.Routers.Active(), r.Routers.Links())
	}
	for range r.Routers.All() {
		break
	}
	for range r.Routers.Linked() {
		break
	}
	for range r.Routers.InContact() {
		break
	}
}

// Both ends of the range of router IDs have their entries.
func TestRouterIDRange(t *testing.T) {
	r := newRoom(t)
	for _, id := range []mle.RouterID{0, mle.MaxRouterID} {
		n := r.Assign(id, ieee802154.ExtAddr{byte(id), 1})
		r.Change(&n.Neighbor, Valid)
		if r.Routers.LinkedByRLOC16(id.RLOC16()) != n && id != 0 { // 0 is Self's, as long as that is not set
			t.Errorf("%v is not found", id)
		}
	}
	if r.Routers.Assigned() != idSet(0, mle.MaxRouterID) {
		t.Errorf("%x", uint64(r.Routers.Assigned()))
	}
}
