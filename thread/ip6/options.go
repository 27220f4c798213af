package ip6

import (
	"encoding/binary"
	"fmt"
)

// Options of the hop-by-hop and destination options headers (RFC 8200 §4.2, RFC 7731 §6.1).
const (
	optionPad1 OptionType = 0x00
	optionPadN OptionType = 0x01
	optionMPL  OptionType = 0x6d

	optionHeaderSize    = 2 // type and length
	extensionHeaderSize = 2 // next header and length
	extensionUnit       = 8 // bytes an extension header is a multiple of

	mplFixedSize   = 2    // control byte and sequence
	mplMaxFlag     = 0x20 // M
	mplVersionFlag = 0x10 // V
)

// OptionType is the type of an option in a hop-by-hop or destination options header.
type OptionType uint8

// Action returns what a node does with a datagram whose option it does not know.
func (t OptionType) Action() OptionAction { return OptionAction(t >> 6) }

// OptionAction is the upper two bits of an option type (RFC 8200 §4.2).
type OptionAction uint8

// The four actions.
const (
	ActionSkip                OptionAction = iota // ignore the option
	ActionDiscard                                 // discard the datagram
	ActionDiscardICMP                             // discard, and send an ICMPv6 Parameter Problem
	ActionDiscardICMPNonMulti                     // the same unless the destination is a multicast
)

// String returns the action in a few words.
func (a OptionAction) String() string {
	switch a {
	case ActionSkip:
		return "skip"
	case ActionDiscard:
		return "discard"
	case ActionDiscardICMP:
		return "discard and report"
	case ActionDiscardICMPNonMulti:
		return "discard and report unless multicast"
	default:
		return fmt.Sprintf("OptionAction(%d)", uint8(a))
	}
}

// SeedIDLength is the length of an MPL seed identifier as the S field codes it (RFC 7731 §6.1).
type SeedIDLength uint8

// The four lengths. Thread uses SeedIDElided and SeedID16.
const (
	SeedIDElided SeedIDLength = 0 // none: the IPv6 source address identifies the seed
	SeedID16     SeedIDLength = 1
	SeedID64     SeedIDLength = 2
	SeedID128    SeedIDLength = 3
)

// Size returns the number of bytes of the seed identifier.
func (s SeedIDLength) Size() int {
	switch s {
	case SeedID16:
		return 2
	case SeedID64:
		return 8
	case SeedID128:
		return 16
	default:
		return 0
	}
}

// MPLOption is the MPL option of a hop-by-hop header (RFC 7731 §6.1).
type MPLOption struct {
	SeedIDLength SeedIDLength
	Max          bool              // M: no later sequence of this seed is known
	Sequence     uint8             // position in the seed's sequence
	SeedID       [addressSize]byte // the first SeedIDLength.Size() bytes count
}

// SetSeedID16 sets a seed identifier of 2 bytes, as Thread uses it: the seed's RLOC16.
func (o *MPLOption) SetSeedID16(seed uint16) {
	o.SeedIDLength = SeedID16
	binary.BigEndian.PutUint16(o.SeedID[:], seed)
}

// SeedID16 returns the seed identifier of 2 bytes. It is meaningful when SeedIDLength is [SeedID16].
func (o MPLOption) SeedID16() uint16 { return binary.BigEndian.Uint16(o.SeedID[:]) }

// ParseMPLOption parses an MPL option from its type byte on. An option with the V flag set, which asks for a later
// version of MPL, is [ErrMalformed]; so is one whose length and S field disagree.
func ParseMPLOption(b []byte) (MPLOption, error) {
	if len(b) < optionHeaderSize+mplFixedSize {
		return MPLOption{}, ErrTruncated
	}
	size := optionHeaderSize + int(b[1])
	if len(b) < size {
		return MPLOption{}, ErrTruncated
	}
	control := b[2]
	o := MPLOption{
		SeedIDLength: SeedIDLength(control >> 6),
		Max:          control&mplMaxFlag != 0,
		Sequence:     b[3],
	}
	if OptionType(b[0]) != optionMPL || control&mplVersionFlag != 0 || size != o.size() {
		return MPLOption{}, ErrMalformed
	}
	copy(o.SeedID[:], b[optionHeaderSize+mplFixedSize:size])
	return o, nil
}

// size returns the length of the whole option in bytes.
func (o MPLOption) size() int { return optionHeaderSize + mplFixedSize + o.SeedIDLength.Size() }

// AppendBinary appends the option, from its type byte on, to b.
func (o MPLOption) AppendBinary(b []byte) ([]byte, error) {
	if o.SeedIDLength > SeedID128 {
		return b, ErrRange
	}
	control := uint8(o.SeedIDLength) << 6
	if o.Max {
		control |= mplMaxFlag
	}
	b = append(b, uint8(optionMPL), uint8(mplFixedSize+o.SeedIDLength.Size()), control, o.Sequence)
	return append(b, o.SeedID[:o.SeedIDLength.Size()]...), nil
}

// HopByHopSize returns the length of the hop-by-hop header that [MPLOption.AppendHopByHop] appends.
func (o MPLOption) HopByHopSize() int {
	return roundUp(extensionHeaderSize + o.size())
}

// AppendHopByHop appends a hop-by-hop header that holds this option and, where needed, a PadN behind it. The header
// that follows is of type next.
func (o MPLOption) AppendHopByHop(b []byte, next Protocol) ([]byte, error) {
	b = append(b, uint8(next), uint8(o.HopByHopSize()/extensionUnit-1))
	b, err := o.AppendBinary(b)
	if err != nil {
		return b, err
	}
	return AppendPadding(b, o.HopByHopSize()-extensionHeaderSize-o.size()), nil
}

// AppendPadding appends n bytes of padding, 0 to 7, as one option (RFC 8200 §4.2).
func AppendPadding(b []byte, n int) []byte {
	switch n {
	case 0:
		return b
	case 1:
		return append(b, uint8(optionPad1))
	default:
		b = append(b, uint8(optionPadN), uint8(n-optionHeaderSize))
		for range n - optionHeaderSize {
			b = append(b, 0)
		}
		return b
	}
}

// roundUp returns the multiple of eight bytes that holds n.
func roundUp(n int) int { return (n + extensionUnit - 1) &^ (extensionUnit - 1) }

// Option is one option of a hop-by-hop or destination options header.
type Option struct {
	Type   OptionType
	Offset int // of the type byte, from the start of the options
	Data   []byte
}

// NextOption returns the option at offset of an options header's content, and the offset of the one after it. Pad1 and
// PadN are options like others: see [Option.IsPadding].
func NextOption(options []byte, offset int) (o Option, next int, err error) {
	if offset < 0 || offset >= len(options) {
		return Option{}, 0, ErrTruncated
	}
	o = Option{Type: OptionType(options[offset]), Offset: offset}
	if o.Type == optionPad1 {
		return o, offset + 1, nil
	}
	if len(options) < offset+optionHeaderSize {
		return Option{}, 0, ErrTruncated
	}
	start := offset + optionHeaderSize
	next = start + int(options[offset+1])
	if len(options) < next {
		return Option{}, 0, ErrTruncated
	}
	o.Data = options[start:next]
	return o, next, nil
}

// IsPadding reports whether the option is Pad1 or PadN.
func (o Option) IsPadding() bool { return o.Type == optionPad1 || o.Type == optionPadN }

// ExtensionHeader is a header of the common layout of hop-by-hop, destination options and routing headers (RFC 8200
// §4.3, §4.4, §4.6).
type ExtensionHeader struct {
	NextHeader Protocol
	Content    []byte // what follows the length byte; 6 bytes more than a multiple of 8
}

// ParseExtensionHeader parses the extension header at the start of b and returns its length.
func ParseExtensionHeader(b []byte) (h ExtensionHeader, size int, err error) {
	if len(b) < extensionUnit {
		return ExtensionHeader{}, 0, ErrTruncated
	}
	size = (int(b[1]) + 1) * extensionUnit
	if len(b) < size {
		return ExtensionHeader{}, 0, ErrTruncated
	}
	return ExtensionHeader{NextHeader: Protocol(b[0]), Content: b[extensionHeaderSize:size]}, size, nil
}
