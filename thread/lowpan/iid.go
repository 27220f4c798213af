package lowpan

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// universalLocal is the U/L bit in the first byte of an EUI-64, which an interface identifier has inverted (RFC 4291,
// appendix A).
const universalLocal = 0x02

// shortIIDHead is what an interface identifier starts with that is made of a short address (RFC 6282 §3.2.2).
var shortIIDHead = [6]byte{0x00, 0x00, 0x00, 0xff, 0xfe, 0x00}

// ExtInterfaceID returns the interface identifier that belongs to an extended address (RFC 4944 §6).
func ExtInterfaceID(a ieee802154.ExtAddr) ip6.InterfaceID {
	iid := ip6.InterfaceID(a)
	iid[0] ^= universalLocal
	return iid
}

// ShortInterfaceID returns the interface identifier 0000:00ff:fe00:XXXX that belongs to a short address (RFC 6282
// §3.2.2). In Thread it is that of a locator, RLOC or ALOC.
func ShortInterfaceID(a ieee802154.ShortAddr) ip6.InterfaceID {
	var iid ip6.InterfaceID
	copy(iid[:], shortIIDHead[:])
	binary.BigEndian.PutUint16(iid[len(shortIIDHead):], uint16(a))
	return iid
}

// InterfaceID returns the interface identifier that belongs to a link-layer address, if a is one.
func InterfaceID(a ieee802154.Addr) (iid ip6.InterfaceID, ok bool) {
	switch a.Mode {
	case ieee802154.AddrModeShort:
		return ShortInterfaceID(a.Short), true
	case ieee802154.AddrModeExt:
		return ExtInterfaceID(a.Ext), true
	default:
		return ip6.InterfaceID{}, false
	}
}

// AddrOf returns the link-layer address that an interface identifier was made of: short where it has the form of
// [ShortInterfaceID], else extended.
func AddrOf(iid ip6.InterfaceID) ieee802154.Addr {
	if [6]byte(iid[:len(shortIIDHead)]) == shortIIDHead {
		return ieee802154.ShortAddress(ieee802154.ShortAddr(binary.BigEndian.Uint16(iid[len(shortIIDHead):])))
	}
	iid[0] ^= universalLocal
	return ieee802154.ExtAddress(ieee802154.ExtAddr(iid))
}
