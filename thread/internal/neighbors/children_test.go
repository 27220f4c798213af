package neighbors

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Half-open children take no place of a child, and there are not many of them.
func TestPlaces(t *testing.T) {
	r := newRoom(t)
	limit := r.Children.Limit()
	if limit != 3 || !r.Children.Empty() || r.Children.Full() {
		t.Fatalf("%d places", limit)
	}
	n := byte(0)
	add := func(s State) *Child { n++; return r.AddChild(ieee802154.ExtAddr{n}, s) }
	for range limit + halfOpenChildren {
		if add(ParentRequest) == nil {
			t.Fatalf("no place for %d that ask", n)
		}
	}
	if add(ParentRequest) != nil {
		t.Errorf("%d that ask are remembered", n)
	}
	if r.Children.Full() || r.Children.HasAny() || r.Children.Empty() {
		t.Error("those that ask count as children")
	}

	// One of those that asked is taken, whatever it waits for.
	taken := []State{ChildIDRequest, Restored, Valid}
	for i, c := range slices.Collect(r.Children.All())[:limit] {
		r.Change(&c.Neighbor, taken[i])
	}
	if !r.Children.Full() {
		t.Error("there is a place left")
	}
	half := slices.Collect(r.Children.All())[limit]
	r.Change(&half.Neighbor, Invalid)
	if add(ParentRequest) != nil {
		t.Error("one that asks is remembered while there is no place for it")
	}
	first := slices.Collect(r.Children.All())[0]
	r.Change(&first.Neighbor, Invalid)
	if r.Children.Full() {
		t.Error("the place of one that left is not free")
	}
	for _, s := range []State{Valid, Restored} {
		if c := add(s); (c != nil) != (s == Valid) {
			t.Errorf("%v for the last place", c)
		}
	}
}

func TestNoChildren(t *testing.T) {
	r := newRoom(t)
	if r.Children.ByExt(childExt) != nil || r.Children.ByExt(ieee802154.ExtAddr{}) != nil || r.Children.ByRLOC16(0) != nil ||
		r.Children.ByAddress(childAddr) != nil || len(slices.Collect(r.Children.All())) > 0 || r.Children.Attached() > 0 {
		t.Error("a child is found in an empty table")
	}
}

// Each state counts where it belongs.
func TestChildrenByState(t *testing.T) {
	for _, tt := range []struct {
		state                      State
		used, established, has, on bool
	}{
		{Restored, true, true, true, false},
		{ParentRequest, true, false, false, false},
		{ChildIDRequest, true, false, true, false},
		{ChildUpdateRequest, true, true, true, false},
		{Valid, true, true, true, true},
		{Invalid, false, false, false, false},
	} {
		r := newRoom(t)
		c := r.child(0xc0, tt.state)
		c.RLOC16 = childRLOC
		all, established := slices.Collect(r.Children.All()), slices.Collect(r.Children.Established())
		if slices.Contains(all, c) != tt.used || slices.Contains(established, c) != tt.established ||
			r.Children.Empty() == tt.used || r.Children.HasAny() != tt.has || (r.Children.Attached() == 1) != tt.on {
			t.Errorf("%v: all %d, established %d, any: %v, attached %d",
				tt.state, len(all), len(established), r.Children.HasAny(), r.Children.Attached())
		}
		if (r.Children.ByExt(c.Ext) == c) != tt.used || (r.Children.ByRLOC16(childRLOC) == c) != tt.used {
			t.Errorf("%v: found: %v", tt.state, r.Children.ByExt(c.Ext) == c)
		}
	}
}

// Whoever takes an entry inherits nothing from the child that had it.
func TestPlaceReused(t *testing.T) {
	r := newRoom(t)
	c := r.child(0xc0, Valid)
	c.RLOC16, c.Mode, c.Timeout, c.NeedsDataset = childRLOC, mle.ModeFullThreadDevice, time.Hour, true
	c.Challenge = mle.NewChallenge([8]byte{1})
	c.Prove(1, 2, 3)
	r.Children.Register(c, childAddr)
	r.Change(&c.Neighbor, Invalid)
	again := r.child(0xc1, ParentRequest)
	want := Child{Neighbor: Neighbor{Ext: ieee802154.ExtAddr{0xc1}, kind: KindChild, state: ParentRequest}}
	if again != c || !reflect.DeepEqual(*again, want) {
		t.Errorf("%+v", *again)
	}
	r.tells("+child c0", "-child c0")
}

func TestClearChildren(t *testing.T) {
	r := newRoom(t)
	r.child(0xc0, Valid)
	r.child(0xc1, Restored)
	r.child(0xc2, Valid)
	r.told = nil
	r.ClearChildren()
	r.tells("-child c0", "-child c2")
	if !r.Children.Empty() || r.Children.Limit() != 3 {
		t.Error("not empty")
	}
}

// A loop over children may end early, and may drop them.
func TestChildLoops(t *testing.T) {
	r := newRoom(t)
	for n := range byte(3) {
		r.child(n, Valid)
	}
	for range r.Children.All() {
		break
	}
	for range r.Children.Established() {
		break
	}
	for c := range r.Children.Established() {
		r.Drop(&c.Neighbor)
	}
	if !r.Children.Empty() {
		t.Errorf("%d children are left", r.Children.Attached())
	}
}

// Child addresses are given out in turn, but not while another child has them (Thread 1.1 chapter 5).
func TestAllocate(t *testing.T) {
	r := newRoom(t)
	router := mle.RouterID(5).RLOC16()
	next := func(want uint16) mle.RLOC16 {
		t.Helper()
		got := r.Children.Allocate(router)
		if got.ChildID() != want || got.RouterID() != 5 || !got.IsChild() {
			t.Errorf("%v, want child %d", got, want)
		}
		return got
	}
	for id := uint16(mle.MinChildID); id <= mle.MaxChildID; id++ {
		next(id)
	}
	r.child(0xc0, Restored).RLOC16 = next(1)
	r.child(0xc1, ChildIDRequest).RLOC16 = router | 3
	r.child(0xc2, Valid).RLOC16 = mle.ChildRLOC16(6, 4) // of another router
	next(2)
	next(4)
	for id := uint16(5); id <= mle.MaxChildID; id++ {
		next(id)
	}
	next(2)

	r.ClearChildren()
	r.Children.Resize(10)
	if r.Children.Limit() != 10 {
		t.Errorf("%d places", r.Children.Limit())
	}
	next(1)
}

// An address that moves leaves the child that had it, but several may listen to one multicast address.
func TestRegister(t *testing.T) {
	group := netip.MustParseAddr("ff05::1")
	r := newRoom(t)
	one, two := r.child(0xc0, Valid), r.child(0xc1, Valid)
	for _, addr := range []netip.Addr{childAddr, group, childAddr, group} {
		r.Children.Register(one, addr)
	}
	if want := []netip.Addr{childAddr, group}; !slices.Equal(one.Addresses, want) {
		t.Errorf("%v, want %v", one.Addresses, want)
	}
	r.Children.Register(two, group)
	r.Children.Register(two, childAddr)
	if r.Children.ByAddress(childAddr) != two || !slices.Equal(one.Addresses, []netip.Addr{group}) || len(two.Addresses) != 2 {
		t.Errorf("%v, %v", one.Addresses, two.Addresses)
	}

	// Who has as many as are kept gets no more, and takes none from another.
	r.Children.Register(one, halfAddr)
	for i := range byte(MaxChildAddresses) {
		r.Children.Register(two, netip.AddrFrom16([16]byte{0x20, 1, 15: i}))
	}
	r.Children.Register(two, halfAddr)
	if len(two.Addresses) != MaxChildAddresses || r.Children.ByAddress(halfAddr) != one {
		t.Errorf("%v, %v", one.Addresses, two.Addresses)
	}

	if !one.Forget(halfAddr) || one.Forget(halfAddr) || r.Children.ByAddress(halfAddr) != nil {
		t.Errorf("%v", one.Addresses)
	}
	r.Change(&two.Neighbor, ParentRequest)
	if r.Children.ByAddress(childAddr) != nil {
		t.Error("half a child has an address")
	}
}
