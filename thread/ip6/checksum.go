package ip6

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Checksum computes the Internet checksum of an upper-layer packet with its IPv6 pseudo-header (RFC 8200 §8.1). With
// the packet's own checksum field at zero it is the value to write there; with the field filled in it is zero when the
// packet is intact.
//
// UDP writes a result of zero as 0xffff (RFC 768): [AppendUDP] sees to that.
func Checksum(src, dst netip.Addr, proto Protocol, payload []byte) uint16 {
	s, d := src.As16(), dst.As16()
	sum := sumWords(0, s[:])
	sum = sumWords(sum, d[:])
	sum = addCarry(sum, uint64(len(payload)))
	sum = addCarry(sum, uint64(proto))
	return ^fold(sumWords(sum, payload))
}

// VerifyChecksum reports with [ErrChecksum] that an upper-layer packet of the given protocol does not match its
// checksum, which lies within payload.
func VerifyChecksum(src, dst netip.Addr, proto Protocol, payload []byte) error {
	if Checksum(src, dst, proto, payload) != 0 {
		return ErrChecksum
	}
	return nil
}

// HasChecksum reports whether the packets of a protocol have a checksum that covers the addresses (RFC 8200 §8.1).
func HasChecksum(proto Protocol) bool {
	return proto == ProtocolICMPv6 || proto == ProtocolUDP || proto == ProtocolTCP
}

// sumWords adds b, seen as big-endian 16-bit words with a zero byte behind an odd end, to a one's complement sum. Eight
// bytes at a time are the same sum: 2^16 is 1 modulo 2^16-1 (RFC 1071 §2).
func sumWords(sum uint64, b []byte) uint64 {
	for len(b) >= 8 {
		sum = addCarry(sum, binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	for len(b) >= 2 {
		sum = addCarry(sum, uint64(binary.BigEndian.Uint16(b)))
		b = b[2:]
	}
	if len(b) == 1 {
		sum = addCarry(sum, uint64(b[0])<<8)
	}
	return sum
}

func addCarry(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum + carry
}

func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}
