package lowpan

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Decompress appends to dst the headers that frame holds in compressed form, starting with LOWPAN_IPHC, and returns
// how many bytes of frame they took: the rest of the datagram follows as it is in frame[consumed:].
//
// datagramSize is the size in the header of the first fragment that frame comes from, or 0 if frame is not a fragment.
// The elided length fields follow from it, or from the length of frame. dst is returned unchanged with an error.
func Decompress(dst, frame []byte, macSrc, macDst ieee802154.Addr, ctx *Contexts, datagramSize int) (out []byte, consumed int, err error) {
	start := len(dst)
	out = dst
	var ipv6At [maxIPv6Headers]int // where in out the headers are whose lengths are not known yet
	ipv6Headers, udpAt := 0, -1

	next := ip6.ProtocolIPv6
	for more := true; more; {
		b := frame[consumed:]
		var n int
		switch next {
		case ip6.ProtocolIPv6:
			if ipv6Headers == maxIPv6Headers {
				return dst, 0, ErrUnsupported
			}
			var h ip6.Header
			if ipv6Headers > 0 {
				if b[0]&nhcNH != 0 {
					return dst, 0, ErrMalformed
				}
				consumed++
				b = b[1:]
			}
			if h, n, err = DecompressHeader(b, macSrc, macDst, ctx); err != nil {
				return dst, 0, err
			}
			ipv6At[ipv6Headers] = len(out)
			ipv6Headers++
			if out, err = h.AppendBinary(out); err != nil {
				return dst, 0, err
			}
			next, more = h.NextHeader, b[0]&iphcNH != 0
		case ip6.ProtocolHopByHop, ip6.ProtocolDestOptions:
			more = b[0]&nhcNH != 0
			if out, next, n, err = decompressOptions(out, b); err != nil {
				return dst, 0, err
			}
		case ip6.ProtocolUDP:
			udpAt, more = len(out), false
			if out, n, err = decompressUDP(out, b); err != nil {
				return dst, 0, err
			}
		}
		consumed += n
		if len(out)-start > MaxDatagramSize {
			return dst, 0, ErrSize
		}
	}

	size := len(out) - start + len(frame) - consumed
	if size > MaxDatagramSize || datagramSize != 0 && size > datagramSize || datagramSize > MaxDatagramSize {
		return dst, 0, ErrSize
	}
	putLengths(out, ipv6At[:ipv6Headers], udpAt, start+max(size, datagramSize))
	return out, consumed, nil
}

// putLengths fills in the length fields of a datagram that ends at end in out: those of the IPv6 headers at ipv6At, and of the UDP header
// at udpAt, if that is not negative.
func putLengths(out []byte, ipv6At []int, udpAt, end int) {
	for _, at := range ipv6At {
		binary.BigEndian.PutUint16(out[at+4:], uint16(end-at-ip6.HeaderSize))
	}
	if udpAt >= 0 {
		binary.BigEndian.PutUint16(out[udpAt+4:], uint16(end-udpAt))
	}
}

// DecompressHeader returns the IPv6 header that frame starts with in the form of LOWPAN_IPHC, and how many bytes that
// took. PayloadLength is 0: it is not in there. It suffices for looking at the addresses of a frame that is passed on.
func DecompressHeader(frame []byte, macSrc, macDst ieee802154.Addr, ctx *Contexts) (h ip6.Header, consumed int, err error) {
	r := reader{b: frame}
	first, second := r.uint8(), r.uint8()
	if r.short {
		return ip6.Header{}, 0, ErrTruncated
	}
	if first&iphcDispatchMask != iphcDispatch {
		return ip6.Header{}, 0, ErrUnsupported
	}
	var contexts uint8
	if second&iphcCID != 0 {
		contexts = r.uint8()
	}

	r.fixedFields(first, &h)
	if err = r.addresses(second, contexts, macSrc, macDst, ctx, &h); err != nil {
		return ip6.Header{}, 0, err
	}

	if first&iphcNH != 0 && !r.short {
		if len(r.b) == 0 {
			return ip6.Header{}, 0, ErrTruncated
		}
		if h.NextHeader, err = nextHeaderOf(r.b[0]); err != nil {
			return ip6.Header{}, 0, err
		}
	}
	if r.short {
		return ip6.Header{}, 0, ErrTruncated
	}
	return h, len(frame) - len(r.b), nil
}

// fixedFields reads all but the addresses, as the first byte of LOWPAN_IPHC says (RFC 6282 §3.1.1).
func (r *reader) fixedFields(first uint8, h *ip6.Header) {
	switch first & iphcTFMask {
	case iphcTFInline:
		h.TrafficClass = bits.RotateLeft8(r.uint8(), 2)
		h.FlowLabel = uint32(r.uint8()&0x0f)<<16 | uint32(r.uint16())
	case iphcTFNoDSCP:
		b := r.uint8()
		h.TrafficClass = b >> 6
		h.FlowLabel = uint32(b&0x0f)<<16 | uint32(r.uint16())
	case iphcTFNoFlowLabel:
		h.TrafficClass = bits.RotateLeft8(r.uint8(), 2)
	}

	if first&iphcNH == 0 {
		h.NextHeader = ip6.Protocol(r.uint8())
	}

	switch first & iphcHLIMMask {
	case iphcHLIM1:
		h.HopLimit = 1
	case iphcHLIM64:
		h.HopLimit = 64
	case iphcHLIM255:
		h.HopLimit = 255
	default:
		h.HopLimit = r.uint8()
	}
}

// addresses reads source and destination, as the second byte says (RFC 6282 §3.1.1).
func (r *reader) addresses(second, contexts uint8, macSrc, macDst ieee802154.Addr, ctx *Contexts, h *ip6.Header) (err error) {
	var src, dst [addrLen]byte
	srcBits := second >> iphcSourceShift & (iphcAC | iphcAMMask)
	if srcBits != iphcAC|iphcAMInline { // which is the unspecified address
		if src, err = readUnicast(r, srcBits, contexts>>4, macSrc, ctx); err != nil {
			return err
		}
	}
	if dstBits := second & (iphcAC | iphcAMMask); second&iphcM != 0 {
		dst, err = readMulticast(r, dstBits, contexts&0x0f, ctx)
	} else {
		dst, err = readUnicast(r, dstBits, contexts&0x0f, macDst, ctx)
	}
	h.Src, h.Dst = netip.AddrFrom16(src), netip.AddrFrom16(dst)
	return err
}

// readUnicast reads an address whose SAC and SAM, or DAC and DAM, are form.
func readUnicast(r *reader, form, context uint8, mac ieee802154.Addr, ctx *Contexts) (a [addrLen]byte, err error) {
	b := &linkLocal
	if form&iphcAC != 0 {
		if form&iphcAMMask == iphcAMInline {
			return a, ErrMalformed // reserved for a destination; a source has it handled before
		}
		if b = ctx.get(context); b == nil && ctx.isEnd(form, context) {
			b = &ctx.bases[MeshLocalContext]
		}
		if b == nil {
			return a, ErrContext
		}
	}
	var iid ip6.InterfaceID
	switch form & iphcAMMask {
	case iphcAMInline:
		copy(a[:], r.bytes(addrLen))
		return a, nil
	case iphcAM64:
		copy(iid[:], r.bytes(interfaceIDLen))
	case iphcAM16:
		iid = ShortInterfaceID(ieee802154.ShortAddr(r.uint16()))
	case iphcAMElided:
		var ok bool
		if iid, ok = InterfaceID(mac); !ok {
			return a, ErrMalformed
		}
	}
	return b.join(iid), nil
}

// readMulticast reads an address whose DAC and DAM are form.
func readMulticast(r *reader, form, context uint8, ctx *Contexts) (a [addrLen]byte, err error) {
	a[0] = 0xff
	switch form {
	case iphcAMInline:
		copy(a[:], r.bytes(addrLen))
		if a[0] != 0xff && !r.short {
			return a, ErrMalformed
		}
	case iphcAMGroup48:
		a[1] = r.uint8()
		copy(a[addrLen-iphcGroup48Tail:], r.bytes(iphcGroup48Tail))
	case iphcAMGroup32:
		a[1] = r.uint8()
		copy(a[addrLen-iphcGroup32Tail:], r.bytes(iphcGroup32Tail))
	case iphcAMGroup8:
		a[1] = 0x02
		a[addrLen-1] = r.uint8()
	case iphcAC | iphcAMInline:
		b := ctx.get(context)
		if b == nil {
			return a, ErrContext
		}
		copy(a[1:], r.bytes(iphcContextHead))
		a[unicastPrefixLength] = uint8(b.bits)
		copy(a[unicastPrefixStart:unicastPrefixEnd], b.prefix[:])
		copy(a[addrLen-iphcContextTail:], r.bytes(iphcContextTail))
	default:
		return a, ErrMalformed // reserved
	}
	return a, nil
}

// decompressOptions appends the hop-by-hop or destination options header that frame starts with, padded to a multiple
// of eight bytes (RFC 6282 §4.2).
func decompressOptions(dst, frame []byte) (out []byte, next ip6.Protocol, consumed int, err error) {
	r := reader{b: frame}
	nhc := r.uint8()
	if nhc&nhcNH == 0 {
		next = ip6.Protocol(r.uint8())
	}
	content := r.bytes(int(r.uint8()))
	if r.short {
		return dst, 0, 0, ErrTruncated
	}
	if nhc&nhcNH != 0 {
		if len(r.b) == 0 {
			return dst, 0, 0, ErrTruncated
		}
		if next, err = nextHeaderOf(r.b[0]); err != nil {
			return dst, 0, 0, err
		}
	}
	size := (extHeaderSize + len(content) + extHeaderUnit - 1) / extHeaderUnit * extHeaderUnit
	out = append(dst, uint8(next), uint8(size/extHeaderUnit-1))
	out = append(out, content...)
	out = ip6.AppendPadding(out, size-extHeaderSize-len(content))
	return out, next, len(frame) - len(r.b), nil
}

// decompressUDP appends the UDP header that frame starts with; its length is left to the caller (RFC 6282 §4.3.3). An
// elided checksum is refused: Thread does not allow it.
func decompressUDP(dst, frame []byte) (out []byte, consumed int, err error) {
	r := reader{b: frame}
	nhc := r.uint8()
	if nhc&nhcUDPNoChecksum != 0 {
		return dst, 0, ErrUnsupported
	}
	var srcPort, dstPort uint16
	switch nhc & nhcUDPPortsMask {
	case nhcUDPInline:
		srcPort, dstPort = r.uint16(), r.uint16()
	case nhcUDPDst8:
		srcPort, dstPort = r.uint16(), udpPort8|uint16(r.uint8())
	case nhcUDPSrc8:
		srcPort, dstPort = udpPort8|uint16(r.uint8()), r.uint16()
	case nhcUDPBoth4:
		b := r.uint8()
		srcPort, dstPort = udpPort4|uint16(b>>udpPort4Shift), udpPort4|uint16(b&^0xf0)
	}
	checksum := r.uint16()
	if r.short {
		return dst, 0, ErrTruncated
	}
	out = binary.BigEndian.AppendUint16(dst, srcPort)
	out = binary.BigEndian.AppendUint16(out, dstPort)
	out = binary.BigEndian.AppendUint16(out, 0)
	out = binary.BigEndian.AppendUint16(out, checksum)
	return out, len(frame) - len(r.b), nil
}
