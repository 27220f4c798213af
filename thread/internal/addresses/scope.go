package addresses

import (
	"math/bits"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// OnMesh reports whether an address has the mesh-local prefix.
func (t *Table) OnMesh(a netip.Addr) bool { return t.meshLocal.Contains(a) }

// Locator returns the locator in an address of this mesh, RLOC or ALOC, and whether it has the form of one.
func (t *Table) Locator(a netip.Addr) (mle.RLOC16, bool) {
	if !t.meshLocal.Contains(a) {
		return 0, false
	}
	return mle.LocatorOf(a)
}

// IsAnycast reports whether an address is an anycast locator: answers come from another address.
func (t *Table) IsAnycast(a netip.Addr) bool {
	rloc, ok := t.Locator(a)
	return ok && rloc.IsALOC()
}

// IsTMF reports whether a datagram between two addresses may be network management: both mesh-local, or both on one link
// (Thread 1.1 §10).
func (t *Table) IsTMF(src, dst netip.Addr) bool {
	linkDst := dst.IsLinkLocalUnicast() || ip6.ScopeOf(dst) == ip6.ScopeLinkLocal
	if src.IsLinkLocalUnicast() {
		return linkDst
	}
	return t.meshLocal.Contains(src) &&
		(t.meshLocal.Contains(dst) || dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeRealmLocal)
}

// SelectSource returns the address from which a datagram to dst is sent (RFC 6724 §5): the one whose scope fits; of the mesh-local
// ones the EID, which stays when the node moves; beyond the mesh, of those in prefixes of the network data and those added, the one that
// has most in common with dst.
func (t *Table) SelectSource(dst netip.Addr) netip.Addr {
	switch {
	case t.Own(dst):
		return dst // rule 1
	case dst.IsLinkLocalUnicast(), dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeLinkLocal:
		return t.LinkLocal()
	case !t.state.Enabled:
		return t.LinkLocal() // there is no other
	case dst.IsMulticast(), t.meshLocal.Contains(dst):
		return t.EID()
	}
	best, most := t.EID(), -1
	for i := range t.entries {
		e := &t.entries[i]
		if e.origin != Added && e.origin != Managed || !e.preferred {
			continue
		}
		if n := commonPrefix(e.addr, dst); n > most { // rule 8
			best, most = e.addr, n
		}
	}
	return best
}

// commonPrefix is the number of leading bits that two addresses share.
func commonPrefix(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return 8*i + bits.LeadingZeros8(d)
		}
	}
	return 8 * len(x)
}
