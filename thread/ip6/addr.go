package ip6

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The well-known multicast addresses that a Thread node listens to or sends to (RFC 4291 §2.7.1, RFC 7346, RFC 7731
// §5.1).
var (
	LinkLocalAllNodes    = netip.MustParseAddr("ff02::1")
	LinkLocalAllRouters  = netip.MustParseAddr("ff02::2")
	RealmLocalAllNodes   = netip.MustParseAddr("ff03::1")
	RealmLocalAllRouters = netip.MustParseAddr("ff03::2")
	AllMPLForwarders     = netip.MustParseAddr("ff03::fc")
)

// LinkLocalPrefix is the prefix of every link-local unicast address in use (RFC 4291 §2.5.6).
var LinkLocalPrefix = netip.MustParsePrefix("fe80::/64")

const (
	prefixSize      = 8 // bytes before the interface identifier
	interfaceIDSize = 8
	interfaceIDBits = 64
)

// Scope is how far an address reaches, as in the scop field of a multicast address (RFC 4291 §2.7, RFC 7346 §2).
// Scopes are ordered: a wider one is greater.
type Scope uint8

// The scopes with a name.
const (
	ScopeInterfaceLocal    Scope = 1
	ScopeLinkLocal         Scope = 2
	ScopeRealmLocal        Scope = 3
	ScopeAdminLocal        Scope = 4
	ScopeSiteLocal         Scope = 5
	ScopeOrganizationLocal Scope = 8
	ScopeGlobal            Scope = 14
)

// String returns the scope's name as RFC 7346 writes it, or its number.
func (s Scope) String() string {
	switch s {
	case ScopeInterfaceLocal:
		return "Interface-Local"
	case ScopeLinkLocal:
		return "Link-Local"
	case ScopeRealmLocal:
		return "Realm-Local"
	case ScopeAdminLocal:
		return "Admin-Local"
	case ScopeSiteLocal:
		return "Site-Local"
	case ScopeOrganizationLocal:
		return "Organization-Local"
	case ScopeGlobal:
		return "Global"
	default:
		return fmt.Sprintf("Scope(%d)", uint8(s))
	}
}

// ScopeOf returns the scope of addr: for a multicast address its scop field, for a unicast address interface-local
// (loopback), link-local (fe80::/10) or global. Which unicast addresses are realm-local only the mesh-local prefix
// tells: here they are global.
func ScopeOf(addr netip.Addr) Scope {
	b := addr.As16() // read here: package netip sees IPv4 multicasts in mapped addresses
	switch {
	case b[0] == 0xff:
		return Scope(b[1] & 0x0f)
	case b[0] == 0xfe && b[1]&0xc0 == 0x80:
		return ScopeLinkLocal
	case addr == netip.IPv6Loopback():
		return ScopeInterfaceLocal
	default:
		return ScopeGlobal
	}
}

// InterfaceID is the lower 64 bits of a unicast address (RFC 4291 §2.5.1).
type InterfaceID [interfaceIDSize]byte

// String returns the identifier as the last four groups of an address, for example 0:ff:fe00:5800.
func (id InterfaceID) String() string {
	return fmt.Sprintf("%x:%x:%x:%x", binary.BigEndian.Uint16(id[0:]), binary.BigEndian.Uint16(id[2:]),
		binary.BigEndian.Uint16(id[4:]), binary.BigEndian.Uint16(id[6:]))
}

// InterfaceIDOf returns the interface identifier of addr.
func InterfaceIDOf(addr netip.Addr) InterfaceID {
	b := addr.As16()
	return InterfaceID(b[prefixSize:])
}

// WithInterfaceID returns the address that joins the first 64 bits of prefix with id. Where prefix is longer than 64
// bits, its further bits give way to id.
func WithInterfaceID(prefix netip.Prefix, id InterfaceID) netip.Addr {
	b := prefix.Masked().Addr().As16()
	copy(b[prefixSize:], id[:])
	return netip.AddrFrom16(b)
}

// PrefixOf returns the /64 that addr lies in.
func PrefixOf(addr netip.Addr) netip.Prefix {
	return netip.PrefixFrom(addr, interfaceIDBits).Masked()
}
