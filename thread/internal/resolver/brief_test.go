package resolver

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

// A datagram leaves out addresses that its receiver is known to know.
func TestBrief(t *testing.T) {
	const self, moved mle.RLOC16 = 0, 0x400 // zero is a place as well
	brief := func(r *room, at mle.RLOC16, src, dst bool) {
		t.Helper()
		if s, d := r.Brief(eid(1), at); s != src || d != dst {
			t.Errorf("source %v, destination %v, want %v, %v", s, d, src, dst)
		}
	}
	r := newRoom(t)
	brief(r, self, false, false)
	r.Spoke(eid(1), self) // of whom nothing is known
	brief(r, self, false, false)
	r.Learn(eid(1), rloc)
	brief(r, self, false, true)
	r.Spoke(eid(1), self)
	brief(r, self, true, true)
	brief(r, moved, false, true)

	if r.Refuse(otherRLOC) {
		t.Error("nobody is there")
	}
	brief(r, self, true, true)
	if !r.Refuse(rloc) {
		t.Error("it is there")
	}
	brief(r, self, false, false)
	r.Learn(eid(1), rloc)
	r.Spoke(eid(1), self)
	brief(r, self, false, false) // still the same node
	r.Correct(eid(1), otherRLOC)
	brief(r, self, true, true)
	r.Learn(eid(2), otherRLOC)
	if got := slices.SortedFunc(r.At(otherRLOC), netip.Addr.Compare); !slices.Equal(got, []netip.Addr{eid(1), eid(2)}) {
		t.Errorf("%v", got)
	}
}
