package netif

import (
	"net/netip"
	"slices"
)

// mtu is what 6LoWPAN carries, and the least that IPv6 may have (RFC 8200 §5): with less the kernel takes IPv6 off the interface.
const mtu = 1280

// address is one that the device is to have.
type address struct {
	netip.Addr
	deprecated bool // usable, but no source for new conversations
}

// settings is what the device is to have.
type settings struct {
	addresses []address
	routes    []netip.Prefix
}

func (s settings) equal(o settings) bool {
	return slices.Equal(s.addresses, o.addresses) && slices.Equal(s.routes, o.routes)
}
