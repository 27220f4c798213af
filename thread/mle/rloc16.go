package mle

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"net/netip"
)

// Layout of an RLOC16: 6 bits of Router ID, a reserved zero bit, 9 bits of Child ID.
const (
	routerIDShift = 10
	childIDMask   = 0x01ff
	reservedMask  = 0x0200
)

// Limits of Router IDs and Child IDs, as OpenThread has them.
const (
	// MaxRouterID is the highest Router ID that a leader assigns.
	MaxRouterID RouterID = 62
	// InvalidRouterID stands for "no router".
	InvalidRouterID RouterID = 63
	// NumRouterIDs is the number of Router IDs: 0 to MaxRouterID.
	NumRouterIDs = int(MaxRouterID) + 1

	// MinChildID and MaxChildID bound the Child ID of an attached child; 0 is the router itself.
	MinChildID = 1
	MaxChildID = childIDMask
)

// Special 16-bit addresses (IEEE 802.15.4-2006 §7.2.1.4), and the anycast locators, as OpenThread has them.
const (
	// InvalidRLOC16 is the short address of a node that has none.
	InvalidRLOC16 RLOC16 = 0xfffe
	// BroadcastRLOC16 is the broadcast short address.
	BroadcastRLOC16 RLOC16 = 0xffff

	// ALOCLeader is the anycast locator of the partition's leader.
	ALOCLeader RLOC16 = 0xfc00
	// ALOCDHCPv6AgentFirst to ALOCDHCPv6AgentLast are DHCPv6 agents: 0xfc00 plus the 6LoWPAN context ID.
	ALOCDHCPv6AgentFirst RLOC16 = 0xfc01
	ALOCDHCPv6AgentLast  RLOC16 = 0xfc0f
	// ALOCServiceFirst to ALOCServiceLast are services: ALOCServiceFirst plus the service ID.
	ALOCServiceFirst RLOC16 = 0xfc10
	ALOCServiceLast  RLOC16 = 0xfc2f
	// ALOCCommissionerFirst to ALOCCommissionerLast are commissioners: the low 3 bits of the session ID are added.
	ALOCCommissionerFirst RLOC16 = 0xfc30
	ALOCCommissionerLast  RLOC16 = 0xfc37
	// ALOCNeighborDiscoveryAgentFirst to ALOCNeighborDiscoveryAgentLast are neighbor discovery agents.
	ALOCNeighborDiscoveryAgentFirst RLOC16 = 0xfc40
	ALOCNeighborDiscoveryAgentLast  RLOC16 = 0xfc4e

	alocFirst RLOC16 = 0xfc00
	alocLast  RLOC16 = 0xfcff
)

// RouterID identifies a router of a partition: 0 to MaxRouterID.
type RouterID uint8

// Valid reports whether id is one that a leader may assign.
func (id RouterID) Valid() bool { return id <= MaxRouterID }

// RLOC16 returns the router's own locator: Child ID 0.
func (id RouterID) RLOC16() RLOC16 { return RLOC16(id) << routerIDShift }

// RLOC16 is a node's 16-bit routing locator, which is also its IEEE 802.15.4 short address (Thread 1.1 §5.2, §5.3).
type RLOC16 uint16

// RouterRLOC16 returns the locator of router id.
func RouterRLOC16(id RouterID) RLOC16 { return id.RLOC16() }

// ChildRLOC16 returns the locator of the child with the given Child ID (MinChildID to MaxChildID) of router id.
func ChildRLOC16(id RouterID, childID uint16) RLOC16 {
	return id.RLOC16() | RLOC16(childID&childIDMask)
}

// RouterID returns the router part: the router itself or a child's parent.
func (r RLOC16) RouterID() RouterID { return RouterID(r >> routerIDShift) }

// ChildID returns the child part: 0 for a router.
func (r RLOC16) ChildID() uint16 { return uint16(r) & childIDMask }

// Valid reports whether r is the locator of a router or child: a valid Router ID and the reserved bit zero. The invalid
// address, broadcast and anycast locators are not.
func (r RLOC16) Valid() bool { return r.RouterID().Valid() && r&reservedMask == 0 }

// IsRouter reports whether r is a router's locator.
func (r RLOC16) IsRouter() bool { return r.Valid() && r.ChildID() == 0 }

// IsChild reports whether r is a child's locator.
func (r RLOC16) IsChild() bool { return r.Valid() && r.ChildID() != 0 }

// IsALOC reports whether r is an anycast locator.
func (r RLOC16) IsALOC() bool { return r >= alocFirst && r <= alocLast }

// String prints r as the standard does: 0x5800.
func (r RLOC16) String() string { return fmt.Sprintf("0x%04x", uint16(r)) }

// locatorIID is the first 6 bytes of a locator's interface identifier: 0000:00ff:fe00:xxxx, as 6LoWPAN
// derives it from a short address (RFC 6282 §3.2.2).
var locatorIID = [6]byte{0x00, 0x00, 0x00, 0xff, 0xfe, 0x00}

const (
	prefixSize  = 8  // bytes of a /64
	locatorSize = 14 // bytes of an RLOC before its 16-bit locator
)

// Addr returns the IPv6 address of the locator (RLOC or ALOC) in the mesh-local prefix, which must be a /64 of IPv6;
// the zero Addr if it is not.
func (r RLOC16) Addr(meshLocal netip.Prefix) netip.Addr {
	if !meshLocal.Addr().Is6() {
		return netip.Addr{}
	}
	a := meshLocal.Addr().As16()
	copy(a[prefixSize:], locatorIID[:])
	binary.BigEndian.PutUint16(a[locatorSize:], uint16(r))
	return netip.AddrFrom16(a)
}

// LocatorOf returns the locator in the interface identifier of a, whatever its prefix, and whether a has the form of
// one: an RLOC or an ALOC.
func LocatorOf(a netip.Addr) (RLOC16, bool) {
	if !a.Is6() {
		return 0, false
	}
	b := a.As16()
	if [6]byte(b[prefixSize:locatorSize]) != locatorIID {
		return 0, false
	}
	return RLOC16(binary.BigEndian.Uint16(b[locatorSize:])), true
}

// RouterIDSet is a set of Router IDs. As an integer it is the wire's Router ID Mask: Router ID 0 is the highest bit.
type RouterIDSet uint64

func routerIDBit(id RouterID) RouterIDSet { return 1 << 63 >> id }

// Contains reports whether id is in s.
func (s RouterIDSet) Contains(id RouterID) bool { return s&routerIDBit(id) != 0 }

// Add returns s with id.
func (s RouterIDSet) Add(id RouterID) RouterIDSet { return s | routerIDBit(id) }

// Remove returns s without id.
func (s RouterIDSet) Remove(id RouterID) RouterIDSet { return s &^ routerIDBit(id) }

// Len returns the number of IDs in s.
func (s RouterIDSet) Len() int { return bits.OnesCount64(uint64(s)) }

// All yields the IDs of s in rising order.
func (s RouterIDSet) All() iter.Seq[RouterID] {
	return func(yield func(RouterID) bool) {
		for ; s != 0; s &= s - 1<<(63-bits.LeadingZeros64(uint64(s))) {
			if !yield(RouterID(bits.LeadingZeros64(uint64(s)))) {
				return
			}
		}
	}
}
