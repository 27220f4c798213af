package ieee802154

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Sizes on the air in bytes.
const (
	ExtAddrSize   = 8
	ShortAddrSize = 2
	PANIDSize     = 2
)

// An ExtAddr is an extended address (EUI-64) in the order in which it is
// printed. On the air the bytes are reversed; IPv6 interface identifiers and
// the security [Nonce] take them as they stand here.
type ExtAddr [ExtAddrSize]byte

var errExtAddr = errors.New("ieee802154: extended address is not 16 hexadecimal digits")

// ParseExtAddr parses 16 hexadecimal digits, such as "70b3d54990000001".
func ParseExtAddr(s string) (ExtAddr, error) {
	var a ExtAddr
	if len(s) != hex.EncodedLen(len(a)) {
		return ExtAddr{}, fmt.Errorf("%w: %q", errExtAddr, s)
	}
	if _, err := hex.Decode(a[:], []byte(s)); err != nil {
		return ExtAddr{}, fmt.Errorf("%w: %q", errExtAddr, s)
	}
	return a, nil
}

// String returns the address as 16 lowercase hexadecimal digits.
func (a ExtAddr) String() string { return hex.EncodeToString(a[:]) }

// A ShortAddr is a 16-bit address. In Thread it is the node's RLOC16.
type ShortAddr uint16

// Reserved short addresses (§7.2.1.4, §7.4.2).
const (
	BroadcastAddr ShortAddr = 0xffff // every node
	NoShortAddr   ShortAddr = 0xfffe // a node that has none
)

// String returns the address as "0x5800".
func (a ShortAddr) String() string { return fmt.Sprintf("0x%04x", uint16(a)) }

// A PANID identifies a PAN.
type PANID uint16

// BroadcastPAN is the PAN ID that every node accepts (§7.2.1.3).
const BroadcastPAN PANID = 0xffff

// String returns the PAN ID as "0x1234".
func (p PANID) String() string { return fmt.Sprintf("0x%04x", uint16(p)) }

// AddrMode tells which kind of address a frame carries (§7.2.1.1.6).
type AddrMode uint8

// Address modes. Mode 1 is reserved.
const (
	AddrModeNone  AddrMode = 0
	AddrModeShort AddrMode = 2
	AddrModeExt   AddrMode = 3
)

// String returns "none", "short", "ext" or the number of a reserved mode.
func (m AddrMode) String() string {
	switch m {
	case AddrModeNone:
		return "none"
	case AddrModeShort:
		return "short"
	case AddrModeExt:
		return "ext"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// valid reports whether m is not reserved.
func (m AddrMode) valid() bool {
	return m == AddrModeNone || m == AddrModeShort || m == AddrModeExt
}

// size returns the size in bytes of an address of mode m.
func (m AddrMode) size() int {
	switch m {
	case AddrModeShort:
		return ShortAddrSize
	case AddrModeExt:
		return ExtAddrSize
	}
	return 0
}

// An Addr is a source or destination address: none, short or extended. The
// zero Addr is no address. Addresses made by [ShortAddress] and [ExtAddress]
// can be compared with == and serve as map keys.
type Addr struct {
	Mode  AddrMode
	Short ShortAddr // of AddrModeShort
	Ext   ExtAddr   // of AddrModeExt
}

// ShortAddress returns a as an Addr.
func ShortAddress(a ShortAddr) Addr { return Addr{Mode: AddrModeShort, Short: a} }

// ExtAddress returns a as an Addr.
func ExtAddress(a ExtAddr) Addr { return Addr{Mode: AddrModeExt, Ext: a} }

// IsNone reports whether a is no address.
func (a Addr) IsNone() bool { return a.Mode == AddrModeNone }

// IsBroadcast reports whether a is the short broadcast address.
func (a Addr) IsBroadcast() bool { return a.Mode == AddrModeShort && a.Short == BroadcastAddr }

// String returns the address as its kind prints, or "none".
func (a Addr) String() string {
	switch a.Mode {
	case AddrModeShort:
		return a.Short.String()
	case AddrModeExt:
		return a.Ext.String()
	}
	return a.Mode.String()
}
