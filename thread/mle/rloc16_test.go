package mle

import (
	"net/netip"
	"slices"
	"testing"
)

func TestRLOC16(t *testing.T) {
	tests := []struct {
		rloc     RLOC16
		text     string
		router   RouterID
		child    uint16
		isRouter bool
		isChild  bool
		isALOC   bool
	}{
		{0x0000, "0x0000", 0, 0, true, false, false},
		{0x5800, "0x5800", 22, 0, true, false, false},
		{0x5801, "0x5801", 22, 1, false, true, false},
		{0xf9ff, "0xf9ff", 62, 511, false, true, false},
		{0x5a00, "0x5a00", 22, 0, false, false, false}, // the reserved bit
		{ALOCLeader, "0xfc00", 63, 0, false, false, true},
		{ALOCCommissionerLast, "0xfc37", 63, 0x37, false, false, true},
		{InvalidRLOC16, "0xfffe", 63, 0x1fe, false, false, false},
		{BroadcastRLOC16, "0xffff", 63, 0x1ff, false, false, false},
	}
	for _, tt := range tests {
		r := tt.rloc
		if r.String() != tt.text || r.RouterID() != tt.router || r.ChildID() != tt.child {
			t.Errorf("%s: router %d, child %d", r, r.RouterID(), r.ChildID())
		}
		if r.IsRouter() != tt.isRouter || r.IsChild() != tt.isChild || r.IsALOC() != tt.isALOC {
			t.Errorf("%s: router %v, child %v, ALOC %v", r, r.IsRouter(), r.IsChild(), r.IsALOC())
		}
		if r.Valid() != (tt.isRouter || tt.isChild) {
			t.Errorf("%s: valid %v", r, r.Valid())
		}
		if r.IsChild() && ChildRLOC16(tt.router, tt.child) != r {
			t.Errorf("ChildRLOC16(%d, %d) = %s", tt.router, tt.child, ChildRLOC16(tt.router, tt.child))
		}
		if r.IsRouter() && RouterRLOC16(tt.router) != r {
			t.Errorf("RouterRLOC16(%d) = %s", tt.router, RouterRLOC16(tt.router))
		}
	}
}

func TestLocatorAddress(t *testing.T) {
	meshLocal := netip.MustParsePrefix("fdde:ad00:beef::/64")
	want := netip.MustParseAddr("fdde:ad00:beef::ff:fe00:5801")
	if got := RLOC16(0x5801).Addr(meshLocal); got != want {
		t.Errorf("Addr = %v", got)
	}
	if r, ok := LocatorOf(want); !ok || r != 0x5801 {
		t.Errorf("LocatorOf = %v, %v", r, ok)
	}
	for _, s := range []string{"fe80::72b3:d549:9000:1", "::", "10.0.0.1", "ff03::2"} {
		if r, ok := LocatorOf(netip.MustParseAddr(s)); ok {
			t.Errorf("LocatorOf(%s) = %v", s, r)
		}
	}
	if got := RLOC16(1).Addr(netip.MustParsePrefix("10.0.0.0/8")); got.IsValid() {
		t.Errorf("Addr under an IPv4 prefix = %v", got)
	}
	if got := RLOC16(1).Addr(netip.Prefix{}); got.IsValid() {
		t.Errorf("Addr under no prefix = %v", got)
	}
}

func TestRouterIDSet(t *testing.T) {
	var s RouterIDSet
	ids := []RouterID{0, 7, 8, 62}
	for _, id := range slices.Backward(ids) {
		s = s.Add(id)
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, ids) {
		t.Errorf("All: %v", got)
	}
	if s != 0x8180_0000_0000_0002 || s.Len() != 4 || !s.Contains(7) || s.Contains(1) {
		t.Errorf("set %x", uint64(s))
	}
	if s = s.Remove(7); s.Contains(7) || s.Len() != 3 {
		t.Errorf("after Remove: %x", uint64(s))
	}
	for id := range s.All() {
		if id == 8 {
			break
		}
	}
}
