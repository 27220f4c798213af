package thread

import (
	"math/bits"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Addresses of this node (Thread 1.1 §5.2.2): link-local from the extended address, the mesh-local EID with a random interface
// identifier, the RLOC from the place in the mesh, and the leader's anycast locator.

func (e *Engine) initAddresses() {
	e.linkLocalAddr = linkLocalOf(e.ext)
	e.randomBytes(e.meshLocalIID[:])
	e.applyMeshLocalPrefix()
}

// prefixMulticast is the unicast-prefix-based multicast address of all Thread nodes (RFC 3306, Thread 1.1 §5.2.2.3).
func prefixMulticast(scope ip6.Scope, prefix netip.Prefix) netip.Addr {
	const prefixBased = 0x30 // flags P and T
	p := prefix.Addr().As16()
	a := [16]byte{0: 0xff, 1: prefixBased | byte(scope), 3: byte(prefix.Bits()), 15: 1}
	copy(a[4:12], p[:8])
	return netip.AddrFrom16(a)
}

// updateAddresses derives the addresses that depend on role and place.
func (e *Engine) updateAddresses() {
	before := e.addresses
	e.meshLocalEID = ip6.WithInterfaceID(e.meshLocal, e.meshLocalIID)
	e.rlocAddr, e.leaderALOC = netip.Addr{}, netip.Addr{}
	var buf [maxAddresses]netip.Addr
	list := buf[:0]
	if e.role == RoleLeader {
		e.leaderALOC = mle.ALOCLeader.Addr(e.meshLocal)
		list = append(list, e.leaderALOC)
	}
	if e.rloc != mle.InvalidRLOC16 && e.role != RoleDisabled {
		e.rlocAddr = e.rloc.Addr(e.meshLocal)
		list = append(list, e.rlocAddr)
	}
	list = append(list, e.external...)
	if e.role != RoleDisabled {
		list = append(list, e.meshLocalEID)
	}
	if e.ifUp {
		list = append(list, e.linkLocalAddr)
	}
	// The newest come first.
	e.addresses = e.addressBuf[e.addressSet][:0]
	e.addressSet = 1 - e.addressSet
	for _, a := range list {
		if !slices.Contains(before, a) {
			e.addresses = append(e.addresses, a)
		}
	}
	for _, a := range before {
		if slices.Contains(list, a) {
			e.addresses = append(e.addresses, a)
		}
	}
	if !slices.Equal(before, e.addresses) {
		e.emit(Event{Type: EventAddresses})
	}
}

// isOwn reports whether a unicast address is one of this node's.
func (e *Engine) isOwn(a netip.Addr) bool { return slices.Contains(e.addresses, a) }

// isSubscribed reports whether this node listens to a multicast address.
func (e *Engine) isSubscribed(a netip.Addr) bool {
	switch a {
	case ip6.LinkLocalAllNodes, ip6.RealmLocalAllNodes, ip6.AllMPLForwarders:
		return true
	case e.allThreadLink, e.allThreadRealm:
		return e.role != RoleDisabled
	case ip6.LinkLocalAllRouters, ip6.RealmLocalAllRouters:
		return e.attached() && e.fullThreadDevice()
	}
	return slices.Contains(e.groups, a)
}

// Subscribe makes the node listen to a multicast address; Unsubscribe ends that.
func (e *Engine) Subscribe(group netip.Addr) {
	if !slices.Contains(e.groups, group) {
		e.groups = append(e.groups, group)
	}
}

// Unsubscribe undoes one Subscribe.
func (e *Engine) Unsubscribe(group netip.Addr) {
	e.groups = slices.DeleteFunc(e.groups, func(a netip.Addr) bool { return a == group })
}

// Addresses returns the unicast addresses of this node: the leader's anycast locator, RLOC, mesh-local EID, link-local, and those
// added by AddAddress among them.
func (e *Engine) Addresses() []netip.Addr { return slices.Clone(e.addresses) }

// SelectSource returns the address from which a datagram to dst is sent (RFC 6724): the one whose scope fits; of the mesh-local
// ones the EID, which stays when the node moves.
func (e *Engine) SelectSource(dst netip.Addr) netip.Addr {
	switch {
	case e.isOwn(dst):
		return dst
	case dst.IsLinkLocalUnicast(), dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeLinkLocal:
		return e.linkLocalAddr
	case e.role == RoleDisabled:
		return e.linkLocalAddr // there is no other
	case !dst.IsMulticast() && !e.meshLocal.Contains(dst) && len(e.external) > 0:
		return slices.MaxFunc(e.external, func(a, b netip.Addr) int { return commonPrefix(a, dst) - commonPrefix(b, dst) })
	}
	return e.meshLocalEID
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

// Limits that this implementation chose.
const (
	maxExternal  = 4               // addresses added by AddAddress
	maxAddresses = 4 + maxExternal // the leader's anycast locator, RLOC, mesh-local EID, link-local, and those
)

// AddAddress gives this node another unicast address, until RemoveAddress or InterfaceDown. It fails with ErrArgument if that is
// not a unicast address beyond the link or one that the node has by itself, and with ErrTableFull if four have been added.
func (e *Engine) AddAddress(a netip.Addr) error {
	switch {
	case slices.Contains(e.external, a):
		return nil
	case !a.Is6() || a.IsLinkLocalUnicast() || a.IsMulticast() || e.isOwn(a):
		return ErrArgument
	case len(e.external) == maxExternal:
		return ErrTableFull
	}
	e.external = append(e.external, a)
	e.updateAddresses()
	e.parentMustKnow()
	return nil
}

// RemoveAddress undoes AddAddress. It fails with ErrNotFound, and with ErrArgument for an address that the node has by itself.
func (e *Engine) RemoveAddress(a netip.Addr) error {
	i := slices.Index(e.external, a)
	switch {
	case i >= 0:
	case e.isOwn(a):
		return ErrArgument
	default:
		return ErrNotFound
	}
	e.external = slices.Delete(e.external, i, i+1)
	e.updateAddresses()
	e.parentMustKnow()
	return nil
}

// rlocOf returns the locator in an address of this mesh, RLOC or ALOC.
func (e *Engine) rlocOf(a netip.Addr) (mle.RLOC16, bool) {
	if !e.meshLocal.Contains(a) {
		return 0, false
	}
	return mle.LocatorOf(a)
}

// leaderRLOC is the address of the leader.
func (e *Engine) leaderRLOC() netip.Addr {
	return e.leader.LeaderRouterID.RLOC16().Addr(e.meshLocal)
}
