package ip6

import (
	"encoding/binary"
	"net/netip"
)

// UDPHeaderSize is the length of the UDP header in bytes (RFC 768).
const UDPHeaderSize = 8

const udpChecksumOffset = 6

// UDPHeader is a UDP header (RFC 768):
//
//	+-------------+------------------+
//	| Source Port | Destination Port |
//	+-------------+------------------+
//	|   Length    |     Checksum     |
//	+-------------+------------------+
type UDPHeader struct {
	SrcPort, DstPort uint16
	Length           int // header and payload, 8 to 65535
	Checksum         uint16
}

// ParseUDPHeader parses the UDP header at the start of b, which is the payload of a datagram: the payload of UDP is
// b[UDPHeaderSize:Length]. The length is checked against b, the checksum is not: see [VerifyUDP].
func ParseUDPHeader(b []byte) (UDPHeader, error) {
	if len(b) < UDPHeaderSize {
		return UDPHeader{}, ErrTruncated
	}
	h := UDPHeader{
		SrcPort:  binary.BigEndian.Uint16(b),
		DstPort:  binary.BigEndian.Uint16(b[2:]),
		Length:   int(binary.BigEndian.Uint16(b[4:])),
		Checksum: binary.BigEndian.Uint16(b[udpChecksumOffset:]),
	}
	if h.Length < UDPHeaderSize || h.Length > len(b) {
		return UDPHeader{}, ErrLength
	}
	return h, nil
}

// AppendBinary appends the 8 bytes of the header to b.
func (h UDPHeader) AppendBinary(b []byte) ([]byte, error) {
	if h.Length < UDPHeaderSize || h.Length > maxPayloadLength {
		return b, ErrRange
	}
	b = binary.BigEndian.AppendUint16(b, h.SrcPort)
	b = binary.BigEndian.AppendUint16(b, h.DstPort)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Length))
	return binary.BigEndian.AppendUint16(b, h.Checksum), nil
}

// VerifyUDP checks the UDP header at the start of b and the checksum over its length. A checksum of zero, which IPv6
// forbids (RFC 8200 §8.1), is [ErrChecksum].
func VerifyUDP(src, dst netip.Addr, b []byte) error {
	h, err := ParseUDPHeader(b)
	if err != nil {
		return err
	}
	if h.Checksum == 0 {
		return ErrChecksum
	}
	return VerifyChecksum(src, dst, ProtocolUDP, b[:h.Length])
}

// AppendUDP appends a whole datagram to b: hdr, whose PayloadLength and NextHeader are filled in, a UDP header with its
// checksum, and payload.
func AppendUDP(b []byte, hdr Header, srcPort, dstPort uint16, payload []byte) ([]byte, error) {
	start := len(b)
	hdr.NextHeader = ProtocolUDP
	hdr.PayloadLength = UDPHeaderSize + len(payload)
	b, err := hdr.AppendBinary(b)
	if err != nil {
		return b[:start], err
	}
	udp := UDPHeader{SrcPort: srcPort, DstPort: dstPort, Length: hdr.PayloadLength}
	if b, err = udp.AppendBinary(b); err != nil {
		return b[:start], err
	}
	b = append(b, payload...)

	packet := b[start+HeaderSize:]
	sum := Checksum(hdr.Src, hdr.Dst, ProtocolUDP, packet)
	if sum == 0 {
		sum = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.BigEndian.PutUint16(packet[udpChecksumOffset:], sum)
	return b, nil
}
