package ip6

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	// ICMPv6HeaderSize is the length in bytes of what every ICMPv6 message starts with (RFC 4443 §2.1).
	ICMPv6HeaderSize = 4
	// EchoHeaderSize is the length in bytes of an echo message without its data (RFC 4443 §4.1).
	EchoHeaderSize = 8

	icmp6ChecksumOffset = 2
	unreachableUnused   = 4 // unused bytes before the invoking packet (RFC 4443 §3.1)
)

// ICMPv6Type is the type of an ICMPv6 message (RFC 4443 §2.1).
type ICMPv6Type uint8

// The types of errors, and those of an echo.
const (
	ICMPv6DestinationUnreachable ICMPv6Type = 1
	ICMPv6PacketTooBig           ICMPv6Type = 2
	ICMPv6TimeExceeded           ICMPv6Type = 3
	ICMPv6ParameterProblem       ICMPv6Type = 4
	ICMPv6EchoRequest            ICMPv6Type = 128
	ICMPv6EchoReply              ICMPv6Type = 129
)

// IsError reports whether the message is an error message, which never brings about another one (RFC 4443 §2.1, §2.4).
func (t ICMPv6Type) IsError() bool { return t < 128 }

// String returns the type as RFC 4443 writes it, or its number.
func (t ICMPv6Type) String() string {
	switch t {
	case ICMPv6DestinationUnreachable:
		return "Destination Unreachable"
	case ICMPv6PacketTooBig:
		return "Packet Too Big"
	case ICMPv6TimeExceeded:
		return "Time Exceeded"
	case ICMPv6ParameterProblem:
		return "Parameter Problem"
	case ICMPv6EchoRequest:
		return "Echo Request"
	case ICMPv6EchoReply:
		return "Echo Reply"
	default:
		return fmt.Sprintf("ICMPv6Type(%d)", uint8(t))
	}
}

// UnreachableCode is the code of a Destination Unreachable message (RFC 4443 §3.1).
type UnreachableCode uint8

// The codes of RFC 4443.
const (
	UnreachableNoRoute     UnreachableCode = 0
	UnreachableProhibited  UnreachableCode = 1
	UnreachableBeyondScope UnreachableCode = 2
	UnreachableAddress     UnreachableCode = 3
	UnreachablePort        UnreachableCode = 4
	UnreachablePolicy      UnreachableCode = 5
	UnreachableRejectRoute UnreachableCode = 6
)

// String returns the code in a few words, or its number.
func (c UnreachableCode) String() string {
	names := [...]string{
		"no route to destination", "prohibited", "beyond scope of source address", "address unreachable",
		"port unreachable", "failed policy", "reject route",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("UnreachableCode(%d)", uint8(c))
}

// ICMPv6 is an ICMPv6 message.
type ICMPv6 struct {
	Type     ICMPv6Type
	Code     uint8
	Checksum uint16
	Body     []byte // what follows the checksum
}

// ParseICMPv6 parses an ICMPv6 message, which is all of b. Body aliases b. The checksum is not verified: see
// [VerifyChecksum].
func ParseICMPv6(b []byte) (ICMPv6, error) {
	if len(b) < ICMPv6HeaderSize {
		return ICMPv6{}, ErrTruncated
	}
	return ICMPv6{
		Type:     ICMPv6Type(b[0]),
		Code:     b[1],
		Checksum: binary.BigEndian.Uint16(b[icmp6ChecksumOffset:]),
		Body:     b[ICMPv6HeaderSize:],
	}, nil
}

// AppendBinary appends the message, with the checksum that it holds, to b.
func (m ICMPv6) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, uint8(m.Type), m.Code)
	b = binary.BigEndian.AppendUint16(b, m.Checksum)
	return append(b, m.Body...), nil
}

// VerifyICMPv6 checks the checksum of the ICMPv6 message b.
func VerifyICMPv6(src, dst netip.Addr, b []byte) error {
	if len(b) < ICMPv6HeaderSize {
		return ErrTruncated
	}
	return VerifyChecksum(src, dst, ProtocolICMPv6, b)
}

// Echo is the body of an echo request or reply (RFC 4443 §4.1, §4.2).
type Echo struct {
	Identifier, Sequence uint16
	Data                 []byte
}

// ParseEcho parses the Body of an [ICMPv6] echo request or reply. Data aliases it.
func ParseEcho(body []byte) (Echo, error) {
	if len(body) < EchoHeaderSize-ICMPv6HeaderSize {
		return Echo{}, ErrTruncated
	}
	return Echo{
		Identifier: binary.BigEndian.Uint16(body),
		Sequence:   binary.BigEndian.Uint16(body[2:]),
		Data:       body[EchoHeaderSize-ICMPv6HeaderSize:],
	}, nil
}

// AppendBinary appends the body of the echo message to b.
func (e Echo) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, e.Identifier)
	b = binary.BigEndian.AppendUint16(b, e.Sequence)
	return append(b, e.Data...), nil
}

// AppendEcho appends a whole datagram to b: hdr, whose PayloadLength and NextHeader are filled in, and an echo request
// or reply with its checksum.
func AppendEcho(b []byte, hdr Header, t ICMPv6Type, e Echo) ([]byte, error) {
	start := len(b)
	b, err := appendICMPv6Header(b, hdr, t, 0, EchoHeaderSize-ICMPv6HeaderSize+len(e.Data))
	if err != nil {
		return b[:start], err
	}
	if b, err = e.AppendBinary(b); err != nil {
		return b[:start], err
	}
	putICMPv6Checksum(hdr, b[start+HeaderSize:])
	return b, nil
}

// AppendDestinationUnreachable appends a whole datagram to b: hdr, whose PayloadLength and NextHeader are filled in,
// and a Destination Unreachable message with as much of the invoking packet as fits into [MinMTU] (RFC 4443 §3.1).
func AppendDestinationUnreachable(b []byte, hdr Header, code UnreachableCode, invoking []byte) ([]byte, error) {
	return AppendICMPv6Error(b, hdr, ICMPv6DestinationUnreachable, uint8(code), 0, invoking)
}

// AppendICMPv6Error is [AppendDestinationUnreachable] for any error (RFC 4443 §3). word is what stands before the invoking packet: the MTU of
// a Packet Too Big, the pointer of a Parameter Problem, 0 otherwise.
func AppendICMPv6Error(b []byte, hdr Header, t ICMPv6Type, code uint8, word uint32, invoking []byte) ([]byte, error) {
	const overhead = HeaderSize + ICMPv6HeaderSize + unreachableUnused
	invoking = invoking[:min(len(invoking), MinMTU-overhead)]
	start := len(b)
	b, err := appendICMPv6Header(b, hdr, t, code, unreachableUnused+len(invoking))
	if err != nil {
		return b[:start], err
	}
	b = binary.BigEndian.AppendUint32(b, word)
	b = append(b, invoking...)
	putICMPv6Checksum(hdr, b[start+HeaderSize:])
	return b, nil
}

// ParseDestinationUnreachable returns the invoking packet, or as much of it as was sent, from the Body of an [ICMPv6]
// Destination Unreachable message. It aliases the body.
func ParseDestinationUnreachable(body []byte) (invoking []byte, err error) {
	if len(body) < unreachableUnused {
		return nil, ErrTruncated
	}
	return body[unreachableUnused:], nil
}

func appendICMPv6Header(b []byte, hdr Header, t ICMPv6Type, code uint8, bodySize int) ([]byte, error) {
	hdr.NextHeader = ProtocolICMPv6
	hdr.PayloadLength = ICMPv6HeaderSize + bodySize
	b, err := hdr.AppendBinary(b)
	if err != nil {
		return b, err
	}
	return ICMPv6{Type: t, Code: code}.AppendBinary(b)
}

// putICMPv6Checksum fills in the checksum of a message whose field is zero (RFC 4443 §2.3).
func putICMPv6Checksum(hdr Header, message []byte) {
	sum := Checksum(hdr.Src, hdr.Dst, ProtocolICMPv6, message)
	binary.BigEndian.PutUint16(message[icmp6ChecksumOffset:], sum)
}
