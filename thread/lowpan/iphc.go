package lowpan

import "github.com/gopymesh/pymesh/thread/ip6"

// The first byte of LOWPAN_IPHC (RFC 6282 §3.1.1).
const (
	iphcTFMask        = 0b11 << 3
	iphcTFInline      = 0b00 << 3 // traffic class and flow label
	iphcTFNoDSCP      = 0b01 << 3 // ECN and flow label
	iphcTFNoFlowLabel = 0b10 << 3 // traffic class
	iphcTFElided      = 0b11 << 3
	iphcNH            = 1 << 2 // next header is compressed with NHC
	iphcHLIMMask      = 0b11
	iphcHLIMInline    = 0b00
	iphcHLIM1         = 0b01
	iphcHLIM64        = 0b10
	iphcHLIM255       = 0b11
)

// The second byte. The destination's bits are the source's, shifted.
const (
	iphcCID         = 1 << 7 // a byte of context identifiers follows
	iphcSourceShift = 4      // from DAC, DAM to SAC, SAM
	iphcM           = 1 << 3 // destination is a multicast

	iphcAC        = 1 << 2 // SAC, DAC: with a context
	iphcAMMask    = 0b11   // SAM, DAM
	iphcAMInline  = 0b00   // 128 bits; nothing for the unspecified source
	iphcAM64      = 0b01   // interface identifier
	iphcAM16      = 0b10   // its last 16 bits
	iphcAMElided  = 0b11   // from the link-layer address
	iphcAMGroup48 = 0b01   // multicast ffXX::00XX:XXXX:XXXX
	iphcAMGroup32 = 0b10   // multicast ffXX::00XX:XXXX
	iphcAMGroup8  = 0b11   // multicast ff02::00XX
)

// Sizes in LOWPAN_IPHC.
const (
	iphcSize        = 2
	iphcGroup48Tail = 5 // bytes after the one with flags and scope
	iphcGroup32Tail = 3
	iphcContextHead = 2 // flags and scope, reserved (RFC 3306)
	iphcContextTail = 4 // group identifier
	addrLen         = 16
	interfaceIDLen  = len(ip6.InterfaceID{})
)

// An address with a prefix inside, ffXX:00LL:PPPP:PPPP:PPPP:PPPP:GGGG:GGGG (RFC 3306 §4).
const (
	unicastPrefixLength = 3 // index of the prefix length LL
	unicastPrefixStart  = 4
	unicastPrefixEnd    = 12
	unicastPrefixBits   = 64
)

// LOWPAN_NHC (RFC 6282 §4.2, §4.3).
const (
	nhcExtension     = 0b1110_000_0
	nhcExtensionMask = 0b1111_000_0
	nhcEIDMask       = 0b0000_111_0
	nhcEIDHopByHop   = 0b0000_000_0
	nhcEIDDestOpts   = 0b0000_011_0
	nhcEIDIPv6       = 0b0000_111_0
	nhcNH            = 1 << 0

	nhcUDP           = 0b11110_0_00
	nhcUDPMask       = 0b11111_0_00
	nhcUDPNoChecksum = 1 << 2 // C
	nhcUDPPortsMask  = 0b11   // P
	nhcUDPInline     = 0b00   // both ports in 16 bits
	nhcUDPDst8       = 0b01   // destination 0xf0XX
	nhcUDPSrc8       = 0b10   // source 0xf0XX
	nhcUDPBoth4      = 0b11   // both 0xf0bX

	udpPort8      = 0xf000
	udpPort8Mask  = 0xff00
	udpPort4      = 0xf0b0
	udpPort4Mask  = 0xfff0
	udpPort4Shift = 4

	extHeaderSize = 2   // next header and length
	extHeaderUnit = 8   // bytes an extension header is a multiple of
	nhcMaxLength  = 255 // bytes after the length byte
)

// nextHeaderOf returns the protocol whose header starts with the given NHC byte, of those that Decompress knows.
func nextHeaderOf(nhc uint8) (ip6.Protocol, error) {
	if nhc&nhcUDPMask == nhcUDP {
		return ip6.ProtocolUDP, nil
	}
	if nhc&nhcExtensionMask == nhcExtension {
		switch nhc & nhcEIDMask {
		case nhcEIDHopByHop:
			return ip6.ProtocolHopByHop, nil
		case nhcEIDDestOpts:
			return ip6.ProtocolDestOptions, nil
		case nhcEIDIPv6:
			return ip6.ProtocolIPv6, nil
		}
	}
	return 0, ErrUnsupported
}
