package neighbors

import (
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// street is a table with one neighbor of each sort, by name.
type street struct {
	*room
	names map[*Neighbor]string
}

const (
	childRLOC   = mle.RLOC16(0x0001)
	halfRLOC    = mle.RLOC16(0x0000) // of who has none yet; that is router 0's
	parentID    = mle.RouterID(20)
	candidateID = mle.RouterID(21)
)

var (
	parentExt    = ieee802154.ExtAddr{0xa0}
	candidateExt = ieee802154.ExtAddr{0xa1}
	childExt     = ieee802154.ExtAddr{0xc0}
	halfExt      = ieee802154.ExtAddr{0xc1}
	nobody       = ieee802154.ExtAddr{0xff}

	childAddr = netip.MustParseAddr("2001:db8::c0")
	halfAddr  = netip.MustParseAddr("2001:db8::c1")
)

func newStreet(t testing.TB) street {
	r := newRouter(t)
	r.SetParent(Neighbor{Ext: parentExt, RLOC16: parentID.RLOC16()}, 0, Valid)
	r.SetCandidate(Candidate{Neighbor: Neighbor{Ext: candidateExt, RLOC16: candidateID.RLOC16()}})
	r.Change(&r.Candidate.Neighbor, Valid) // it has been asked for an address
	half, child := r.child(halfExt[0], ParentRequest), r.child(childExt[0], Valid)
	half.RLOC16, half.Addresses = halfRLOC, []netip.Addr{halfAddr}
	child.RLOC16, child.Addresses = childRLOC, []netip.Addr{childAddr}
	linked, asked := r.link(left, 3), r.Routers.Get(right)
	r.Change(&asked.Neighbor, LinkRequest)
	r.told = nil
	return street{r, map[*Neighbor]string{
		nil: "", &r.Parent.Neighbor: "parent", &r.Candidate.Neighbor: "candidate", &child.Neighbor: "child", &half.Neighbor: "half",
		&linked.Neighbor: "linked", &asked.Neighbor: "asked", &r.Routers.Get(self).Neighbor: "self",
	}}
}

// Who is found depends on what the node is to whom.
func TestLookUp(t *testing.T) {
	byExt := func(ext ieee802154.ExtAddr) func(*room) *Neighbor {
		return func(r *room) *Neighbor {
			n := r.ByExt(ext)
			if again := r.ByAddr(ieee802154.ExtAddress(ext)); again != n {
				r.t.Errorf("by link-layer address: %p, by extended address: %p", again, n)
			}
			if again := r.ByIP(LinkLocal(ext), meshLocal); again != n {
				r.t.Errorf("by link-local address: %p, by extended address: %p", again, n)
			}
			return n
		}
	}
	byRLOC := func(rloc mle.RLOC16) func(*room) *Neighbor {
		return func(r *room) *Neighbor {
			n := r.ByRLOC16(rloc)
			if again := r.ByAddr(ShortAddr(rloc)); again != n {
				r.t.Errorf("by link-layer address: %p, by place: %p", again, n)
			}
			if again := r.ByIP(rloc.Addr(netip.MustParsePrefix("fe80::/64")), meshLocal); again != n {
				r.t.Errorf("by link-local address: %p, by place: %p", again, n)
			}
			return n
		}
	}
	byIP := func(addr string) func(*room) *Neighbor {
		return func(r *room) *Neighbor { return r.ByIP(netip.MustParseAddr(addr), meshLocal) }
	}
	overheard := func(a ieee802154.Addr) func(*room) *Neighbor {
		return func(r *room) *Neighbor { return r.Overheard(a) }
	}
	for _, tt := range []struct {
		name string
		find func(*room) *Neighbor
		// Who is found by an end device, by one that listens, by a router, and by a router that searches.
		device, listener, router, searching string
	}{
		{"parent's extended address", byExt(parentExt), "parent", "parent", "", "parent"},
		{"candidate's extended address", byExt(candidateExt), "candidate", "candidate", "", "candidate"},
		{"child's extended address", byExt(childExt), "", "", "child", "child"},
		{"extended address of half a child", byExt(halfExt), "", "", "", ""},
		{"linked router's extended address", byExt(extOf(left)), "", "", "linked", "linked"},
		{"extended address of a router that was asked for a link", byExt(extOf(right)), "", "", "", ""},
		{"extended address of a router without a link", byExt(extOf(far)), "", "", "", ""},
		{"own extended address", byExt(extOf(self)), "", "", "", ""},
		{"nobody's extended address", byExt(nobody), "", "", "", ""},

		{"parent's place", byRLOC(parentID.RLOC16()), "parent", "parent", "", ""},
		{"candidate's place", byRLOC(candidateID.RLOC16()), "candidate", "candidate", "", ""},
		{"child's place", byRLOC(childRLOC), "", "", "child", "child"},
		{"no place yet", byRLOC(halfRLOC), "", "", "", ""},
		{"linked router's place", byRLOC(left.RLOC16()), "", "", "linked", "linked"},
		{"a linked router's child's place", byRLOC(mle.ChildRLOC16(left, 1)), "", "", "", ""},
		{"place of a router that was asked for a link", byRLOC(right.RLOC16()), "", "", "", ""},
		{"own place", byRLOC(self.RLOC16()), "", "", "", ""},
		{"place of no router", byRLOC(mle.RLOC16(50 << 10)), "", "", "", ""},
		{"leader's anycast locator", byRLOC(mle.ALOCLeader), "", "", "", ""},
		{"no short address", byRLOC(mle.InvalidRLOC16), "", "", "", ""},
		{"broadcast", byRLOC(mle.BroadcastRLOC16), "", "", "", ""},
		{"no link-layer address", func(r *room) *Neighbor { return r.ByAddr(ieee802154.Addr{}) }, "", "", "", ""},

		{"child's RLOC", byIP("fdde:ad00:beef::ff:fe00:1"), "", "", "child", "child"},
		{"linked router's RLOC", byIP("fdde:ad00:beef::ff:fe00:400"), "", "", "linked", "linked"},
		{"parent's RLOC", byIP("fdde:ad00:beef::ff:fe00:5000"), "", "", "", ""},
		{"child's RLOC under another prefix", byIP("fdde:ad00:beee::ff:fe00:1"), "", "", "", ""},
		{"leader's ALOC", byIP("fdde:ad00:beef::ff:fe00:fc00"), "", "", "", ""},
		{"mesh-local address that is no locator", byIP("fdde:ad00:beef::1"), "", "", "", ""},
		{"address that the child registered", byIP("2001:db8::c0"), "", "", "child", "child"},
		{"address that half a child registered", byIP("2001:db8::c1"), "", "", "", ""},
		{"address that nobody registered", byIP("2001:db8::c2"), "", "", "", ""},
		{"multicast", byIP("ff02::1"), "", "", "", ""},

		{"overheard, linked router's place", overheard(ShortAddr(left.RLOC16())), "", "linked", "", ""},
		{"overheard, linked router's extended address", overheard(ieee802154.ExtAddress(extOf(left))), "", "linked", "", ""},
		{"overheard, without a link", overheard(ShortAddr(right.RLOC16())), "", "", "", ""},
		{"overheard, without a link, extended address", overheard(ieee802154.ExtAddress(extOf(right))), "", "", "", ""},
		{"overheard, child's place", overheard(ShortAddr(childRLOC)), "", "", "", ""},
		{"overheard, parent's extended address", overheard(ieee802154.ExtAddress(parentExt)), "", "", "", ""},
		{"overheard, no address", overheard(ieee802154.Addr{}), "", "", "", ""},

		{"parent by extended address", func(r *room) *Neighbor { return r.ParentByExt(parentExt) }, "parent", "parent", "parent", "parent"},
		{"candidate by extended address", func(r *room) *Neighbor { return r.ParentByExt(candidateExt) },
			"candidate", "candidate", "candidate", "candidate"},
		{"no parent", func(r *room) *Neighbor { return r.ParentByExt(childExt) }, "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStreet(t)
			for _, as := range []struct {
				name      string
				view      View
				searching bool
				want      string
			}{
				{"end device", AsEndDevice, false, tt.device},
				{"end device that searches", AsEndDevice, true, tt.device},
				{"listener", AsListener, false, tt.listener},
				{"router", AsRouter, false, tt.router},
				{"router that searches", AsRouter, true, tt.searching},
			} {
				s.View, s.Searching = as.view, as.searching
				if got := s.names[tt.find(s.room)]; got != as.want {
					t.Errorf("as %s: %q, want %q", as.name, got, as.want)
				}
			}
			s.tells()
		})
	}
}

// Only in some of its states is a neighbor one.
func TestLookUpByState(t *testing.T) {
	found := func(of ...State) map[State]bool {
		m := map[State]bool{}
		for _, s := range of {
			m[s] = true
		}
		return m
	}
	for _, tt := range []struct {
		name     string
		view     View
		neighbor func(*Table) *Neighbor
		want     map[State]bool
	}{
		{"parent", AsEndDevice, func(tb *Table) *Neighbor { return &tb.Parent.Neighbor }, found(Restored, ChildUpdateRequest, Valid)},
		{"candidate", AsEndDevice, func(tb *Table) *Neighbor { return &tb.Candidate.Neighbor }, found(Valid)},
		{"child", AsRouter, func(tb *Table) *Neighbor { return &tb.Children.ByExt(childExt).Neighbor },
			found(Restored, ChildUpdateRequest, Valid)},
		{"router", AsRouter, func(tb *Table) *Neighbor { return &tb.Routers.Get(left).Neighbor }, found(Valid)},
	} {
		for _, state := range states {
			s := newStreet(t)
			s.View = tt.view
			n := tt.neighbor(s.Table)
			s.Change(n, state)
			byExt, byPlace := s.ByExt(n.Ext), s.ByRLOC16(n.RLOC16)
			if (byExt == n) != tt.want[state] || (byPlace == n) != tt.want[state] || byExt != byPlace {
				t.Errorf("%s in state %v: found by extended address: %v, by place: %v", tt.name, state, byExt == n, byPlace == n)
			}
		}
	}
}

// Router 0 has the address that a child without one seems to have.
func TestRouterZero(t *testing.T) {
	s := newStreet(t)
	s.Routers.Self = far.RLOC16()
	zero := s.link(0, 3)
	if got := s.ByRLOC16(0); got != &zero.Neighbor {
		t.Errorf("%q", s.names[got])
	}
}

// A link-local address holds the extended address, one bit inverted (RFC 4944 §7, RFC 4291 appendix A).
func TestLinkLocal(t *testing.T) {
	ext := ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0x00, 0x00, 0x01}
	addr := netip.MustParseAddr("fe80::72b3:d549:9000:1")
	if got := LinkLocal(ext); got != addr {
		t.Errorf("%v, want %v", got, addr)
	}
	if got := ExtOf(addr); got != ext {
		t.Errorf("%v, want %v", got, ext)
	}
}

// Every received frame is looked up by address.
func TestLookUpAllocatesNothing(t *testing.T) {
	s := newStreet(t)
	s.Searching = true
	short, ext, rloc := ShortAddr(left.RLOC16()), ieee802154.ExtAddress(candidateExt), childRLOC.Addr(meshLocal)
	if n := testing.AllocsPerRun(100, func() {
		s.ByAddr(short)
		s.ByAddr(ext)
		s.ByIP(rloc, meshLocal)
		s.ByIP(childAddr, meshLocal)
		s.Overheard(short)
		s.Routers.NextHop(far)
		for _, r := range s.Routers.Linked() {
			s.Routers.PathCost(r)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
