package ip6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Sizes and limits that the standards fix.
const (
	// HeaderSize is the length of the IPv6 header in bytes (RFC 8200 §3).
	HeaderSize = 40
	// MinMTU is the link MTU that every IPv6 link provides, and the only one that 6LoWPAN provides, in bytes
	// (RFC 8200 §5, RFC 4944 §4).
	MinMTU = 1280

	payloadLengthOffset = 4
	nextHeaderOffset    = 6
	hopLimitOffset      = 7
	sourceOffset        = 8

	version          = 6
	maxPayloadLength = 0xffff
	maxFlowLabel     = 1<<20 - 1
	addressSize      = 16
)

// Errors that parsers and appenders return, unwrapped.
var (
	// ErrTruncated means that a structure ends before its own length says.
	ErrTruncated = errors.New("ip6: truncated")
	// ErrVersion means that the version field is not 6.
	ErrVersion = errors.New("ip6: not IP version 6")
	// ErrLength means that a length field contradicts the bytes around it.
	ErrLength = errors.New("ip6: inconsistent length")
	// ErrMalformed means that a field holds a value that its standard forbids.
	ErrMalformed = errors.New("ip6: malformed")
	// ErrDiscard means that an unknown option asks for the datagram to be discarded (RFC 8200 §4.2).
	ErrDiscard = errors.New("ip6: unknown option asks for discard")
	// ErrUnsupported means that the datagram is valid but uses what Thread nodes do not process: a routing header with
	// segments left, or a real fragment.
	ErrUnsupported = errors.New("ip6: unsupported extension header")
	// ErrChecksum means that a checksum does not match.
	ErrChecksum = errors.New("ip6: wrong checksum")
	// ErrRange means that a value to be written does not fit its field.
	ErrRange = errors.New("ip6: value out of range")
)

// Protocol is a next header value (RFC 8200 §3, IANA Assigned Internet Protocol Numbers).
type Protocol uint8

// The next header values that a Thread node meets.
const (
	ProtocolHopByHop    Protocol = 0
	ProtocolTCP         Protocol = 6
	ProtocolUDP         Protocol = 17
	ProtocolIPv6        Protocol = 41
	ProtocolRouting     Protocol = 43
	ProtocolFragment    Protocol = 44
	ProtocolICMPv6      Protocol = 58
	ProtocolNoNext      Protocol = 59
	ProtocolDestOptions Protocol = 60
)

// String returns the protocol's usual name, or its number.
func (p Protocol) String() string {
	switch p {
	case ProtocolHopByHop:
		return "HopByHop"
	case ProtocolTCP:
		return "TCP"
	case ProtocolUDP:
		return "UDP"
	case ProtocolIPv6:
		return "IPv6"
	case ProtocolRouting:
		return "Routing"
	case ProtocolFragment:
		return "Fragment"
	case ProtocolICMPv6:
		return "ICMPv6"
	case ProtocolNoNext:
		return "NoNext"
	case ProtocolDestOptions:
		return "DestOptions"
	default:
		return fmt.Sprintf("Protocol(%d)", uint8(p))
	}
}

// Header is an IPv6 header (RFC 8200 §3).
type Header struct {
	TrafficClass  uint8    // DSCP in the upper 6 bits, ECN in the lower 2
	FlowLabel     uint32   // 20 bits
	PayloadLength int      // bytes after the header, 0 to 65535
	NextHeader    Protocol // type of the header that follows
	HopLimit      uint8
	Src, Dst      netip.Addr // without zone
}

// ParseHeader parses the IPv6 header at the start of b. It does not compare the payload length with b: [ParseDatagram]
// does.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrTruncated
	}
	if b[0]>>4 != version {
		return Header{}, ErrVersion
	}
	first := binary.BigEndian.Uint32(b)
	return Header{
		TrafficClass:  uint8(first >> 20),
		FlowLabel:     first & maxFlowLabel,
		PayloadLength: int(binary.BigEndian.Uint16(b[payloadLengthOffset:])),
		NextHeader:    Protocol(b[nextHeaderOffset]),
		HopLimit:      b[hopLimitOffset],
		Src:           netip.AddrFrom16([addressSize]byte(b[8:24])),
		Dst:           netip.AddrFrom16([addressSize]byte(b[24:40])),
	}, nil
}

// AppendBinary appends the 40 bytes of the header to b. It fails with [ErrRange] when a field does not fit or an
// address is not an IPv6 address.
func (h Header) AppendBinary(b []byte) ([]byte, error) {
	if h.FlowLabel > maxFlowLabel || h.PayloadLength < 0 || h.PayloadLength > maxPayloadLength ||
		!h.Src.Is6() || !h.Dst.Is6() {
		return b, ErrRange
	}
	src, dst := h.Src.As16(), h.Dst.As16()
	b = binary.BigEndian.AppendUint32(b, version<<28|uint32(h.TrafficClass)<<20|h.FlowLabel)
	b = binary.BigEndian.AppendUint16(b, uint16(h.PayloadLength))
	b = append(b, uint8(h.NextHeader), h.HopLimit)
	b = append(b, src[:]...)
	return append(b, dst[:]...), nil
}

// SetAddresses writes source and destination into a datagram, which must be [HeaderSize] long at least. Checksums stay what they are.
func SetAddresses(datagram []byte, src, dst netip.Addr) {
	s, d := src.As16(), dst.As16()
	copy(datagram[sourceOffset:], s[:])
	copy(datagram[sourceOffset+len(s):HeaderSize], d[:])
}

// LimitHops lowers the hop limit of a datagram that has more, of at least HeaderSize bytes.
func LimitHops(datagram []byte, most uint8) {
	datagram[hopLimitOffset] = min(datagram[hopLimitOffset], most)
}

// DecrementHopLimit takes one off the hop limit of a datagram that a node forwards, and reports whether it may go on. It
// may not, and stays as it is, if it came with a hop limit of 0 or would leave with one (RFC 8200 §3), or is cut off
// before its header ends.
func DecrementHopLimit(datagram []byte) bool {
	if len(datagram) < HeaderSize || datagram[hopLimitOffset] <= 1 {
		return false
	}
	datagram[hopLimitOffset]--
	return true
}
