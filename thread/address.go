package thread

import (
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
	e.allThreadLink = prefixMulticast(ip6.ScopeLinkLocal, e.meshLocal)
	e.allThreadRealm = prefixMulticast(ip6.ScopeRealmLocal, e.meshLocal)
	e.updateContexts()
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
	e.addresses = e.addressBuf[e.addressSet][:0]
	e.addressSet = 1 - e.addressSet
	if e.role == RoleLeader {
		e.leaderALOC = mle.ALOCLeader.Addr(e.meshLocal)
		e.addresses = append(e.addresses, e.leaderALOC)
	}
	if e.rloc != mle.InvalidRLOC16 && e.role != RoleDisabled {
		e.rlocAddr = e.rloc.Addr(e.meshLocal)
		e.addresses = append(e.addresses, e.rlocAddr)
	}
	if e.role != RoleDisabled {
		e.addresses = append(e.addresses, e.meshLocalEID)
	}
	e.addresses = append(e.addresses, e.linkLocalAddr)
	if !slices.Equal(before, e.addresses) {
		e.emit(Event{Type: EventAddresses})
	}
}

// isOwn reports whether a unicast address is one of this node's.
func (e *Engine) isOwn(a netip.Addr) bool { return slices.Contains(e.addresses, a) }

// isSubscribed reports whether this node listens to a multicast address.
func (e *Engine) isSubscribed(a netip.Addr) bool {
	switch a {
	case ip6.LinkLocalAllNodes, ip6.RealmLocalAllNodes, ip6.AllMPLForwarders, e.allThreadLink, e.allThreadRealm:
		return true
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

// Addresses returns the unicast addresses of this node: the leader's anycast locator, RLOC, mesh-local EID, link-local.
func (e *Engine) Addresses() []netip.Addr { return slices.Clone(e.addresses) }

// SelectSource returns the address from which a datagram to dst is sent (RFC 6724): the one whose scope fits; of the mesh-local
// ones the EID, which stays when the node moves.
func (e *Engine) SelectSource(dst netip.Addr) netip.Addr {
	switch {
	case e.isOwn(dst):
		return dst
	case dst.IsLinkLocalUnicast(), dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeLinkLocal:
		return e.linkLocalAddr
	}
	return e.meshLocalEID
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
