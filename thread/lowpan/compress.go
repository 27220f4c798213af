package lowpan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Compress appends to dst the compressed form of the headers that datagram starts with: the IPv6 header, and of those
// after it hop-by-hop, tunnelled IPv6 and UDP headers. It returns how many bytes of the datagram they stand for: what
// follows, datagram[consumed:], is carried as it is.
//
// macSrc and macDst are the addresses of the frame, or of its mesh header. Interface identifiers that follow from them
// are elided, also in a tunnelled header. (RFC 6282 §3.1.1 would derive those from the outer IPv6 header. Deviation:
// every Thread node in use takes the link-layer addresses.)
//
// The datagram must be as long as its header says and at most [MaxDatagramSize]. Headers behind the first whose lengths
// are inconsistent stay uncompressed.
func Compress(dst, datagram []byte, macSrc, macDst ieee802154.Addr, ctx *Contexts) (out []byte, consumed int, err error) {
	return compress(dst, datagram, macSrc, macDst, ctx, Ends{})
}

func compress(dst, datagram []byte, macSrc, macDst ieee802154.Addr, ctx *Contexts, ends Ends) (out []byte, consumed int, err error) {
	if len(datagram) > MaxDatagramSize || !isWholeIPv6(datagram) {
		return dst, 0, ErrSize
	}
	out = dst
	next, ipv6Headers := ip6.ProtocolIPv6, 0
	for more := true; more; {
		b := datagram[consumed:]
		switch next {
		case ip6.ProtocolIPv6:
			if ipv6Headers++; ipv6Headers > 1 {
				// RFC 6282 §4.2: the NH bit is zero, LOWPAN_IPHC follows.
				out = append(out, nhcExtension|nhcEIDIPv6)
			}
			h, err := ip6.ParseHeader(b)
			if err != nil {
				return dst, 0, err
			}
			next = h.NextHeader
			consumed += ip6.HeaderSize
			more = compressible(next, b[ip6.HeaderSize:], ipv6Headers)
			out = appendIPHC(out, h, more, macSrc, macDst, ctx, ends)
			ends = Ends{} // those of the frame
		case ip6.ProtocolHopByHop:
			ext, size, err := ip6.ParseExtensionHeader(b)
			if err != nil {
				return dst, 0, err
			}
			next = ext.NextHeader
			consumed += size
			more = compressible(next, b[size:], ipv6Headers)
			out = appendHopByHop(out, ext, more)
		case ip6.ProtocolUDP:
			out = appendUDP(out, b)
			consumed += ip6.UDPHeaderSize
			more = false
		}
	}
	return out, consumed, nil
}

// compressible reports whether the header of protocol p that b starts with can be compressed without loss.
func compressible(p ip6.Protocol, b []byte, ipv6Headers int) bool {
	switch p {
	case ip6.ProtocolHopByHop:
		ext, _, err := ip6.ParseExtensionHeader(b)
		return err == nil && len(ext.Content)-trailingPadding(ext.Content) <= nhcMaxLength
	case ip6.ProtocolIPv6:
		return ipv6Headers < maxIPv6Headers && isWholeIPv6(b)
	case ip6.ProtocolUDP:
		h, err := ip6.ParseUDPHeader(b)
		return err == nil && h.Length == len(b)
	default:
		return false
	}
}

// isWholeIPv6 reports whether b is an IPv6 datagram whose payload length is right.
func isWholeIPv6(b []byte) bool {
	h, err := ip6.ParseHeader(b)
	return err == nil && len(b) == ip6.HeaderSize+h.PayloadLength
}

// appendIPHC appends LOWPAN_IPHC and its in-line fields (RFC 6282 §3.1, §3.2).
func appendIPHC(b []byte, h ip6.Header, nextCompressed bool, macSrc, macDst ieee802154.Addr, ctx *Contexts, ends Ends) []byte {
	src, dst := h.Src.As16(), h.Dst.As16()
	srcForm, dstForm := endForm, endForm
	if !ends.Src {
		srcForm = sourceForm(&src, macSrc, ctx)
	}
	if !ends.Dst {
		dstForm = destinationForm(&dst, macDst, ctx)
	}

	first := len(b)
	b = append(b, iphcDispatch, srcForm.bits<<iphcSourceShift|dstForm.bits)
	if srcForm.context|dstForm.context != 0 {
		b[first+1] |= iphcCID
		b = append(b, srcForm.context<<4|dstForm.context)
	}

	// LOWPAN_IPHC has the traffic class with ECN in front.
	class := bits.RotateLeft8(h.TrafficClass, -2)
	ecn, dscp := class&0xc0, class&0x3f
	label := h.FlowLabel
	switch {
	case label == 0 && class == 0:
		b[first] |= iphcTFElided
	case label == 0:
		b[first] |= iphcTFNoFlowLabel
		b = append(b, class)
	case dscp == 0:
		b[first] |= iphcTFNoDSCP
		b = append(b, ecn|uint8(label>>16), uint8(label>>8), uint8(label))
	default:
		b[first] |= iphcTFInline
		b = append(b, class, uint8(label>>16), uint8(label>>8), uint8(label))
	}

	if nextCompressed {
		b[first] |= iphcNH
	} else {
		b = append(b, uint8(h.NextHeader))
	}

	switch h.HopLimit {
	case 1:
		b[first] |= iphcHLIM1
	case 64:
		b[first] |= iphcHLIM64
	case 255:
		b[first] |= iphcHLIM255
	default:
		b = append(b, h.HopLimit)
	}

	b = append(append(b, srcForm.head...), srcForm.tail...)
	return append(append(b, dstForm.head...), dstForm.tail...)
}

// form is how an address is written.
type form struct {
	bits       uint8  // M, DAC and DAM, or SAC and SAM shifted to their place
	context    uint8  // identifier, if bits has iphcAC
	head, tail []byte // in-line bytes, both out of the address
}

func sourceForm(a *[addrLen]byte, mac ieee802154.Addr, ctx *Contexts) form {
	if *a == [addrLen]byte{} { // the unspecified address
		return form{bits: iphcAC | iphcAMInline}
	}
	return unicastForm(a, mac, ctx)
}

func destinationForm(a *[addrLen]byte, mac ieee802154.Addr, ctx *Contexts) form {
	if a[0] == 0xff {
		return multicastForm(a, ctx)
	}
	return unicastForm(a, mac, ctx)
}

// unicastForm picks the shortest form that gives the address back, of the stateless ones for link-local addresses and
// of those with the longest matching context for others.
func unicastForm(a *[addrLen]byte, mac ieee802154.Addr, ctx *Contexts) form {
	f, b := form{}, &linkLocal
	if !linkLocal.contains(a) {
		id, ok := ctx.lookup(a)
		if b = &ctx.bases[id]; !ok || !b.compress {
			return form{bits: iphcAMInline, tail: a[:]}
		}
		f = form{bits: iphcAC, context: id}
	}

	if iid, ok := InterfaceID(mac); ok && b.join(iid) == *a {
		f.bits |= iphcAMElided
		return f
	}
	short := ieee802154.ShortAddr(binary.BigEndian.Uint16(a[addrLen-ieee802154.ShortAddrSize:]))
	if b.join(ShortInterfaceID(short)) == *a {
		f.bits |= iphcAM16
		f.tail = a[addrLen-ieee802154.ShortAddrSize:]
		return f
	}
	iid := ip6.InterfaceID(a[addrLen-interfaceIDLen:])
	if b.join(iid) == *a {
		f.bits |= iphcAM64
		f.tail = a[addrLen-interfaceIDLen:]
		return f
	}
	return form{bits: iphcAMInline, tail: a[:]}
}

// multicastForm picks the shortest form that gives the address back. Of the contexts only the mesh-local one is used,
// as all nodes do.
func multicastForm(a *[addrLen]byte, ctx *Contexts) form {
	zeros := 0 // after flags and scope
	for zeros < addrLen-2 && a[2+zeros] == 0 {
		zeros++
	}
	significant := addrLen - 2 - zeros
	meshLocal := &ctx.bases[MeshLocalContext]
	switch {
	case significant == 0:
		return form{bits: iphcM | iphcAMInline, tail: a[:]}
	case significant == 1 && a[1] == 0x02:
		return form{bits: iphcM | iphcAMGroup8, tail: a[addrLen-1:]}
	case significant <= iphcGroup32Tail:
		return form{bits: iphcM | iphcAMGroup32, head: a[1:2], tail: a[addrLen-iphcGroup32Tail:]}
	case significant <= iphcGroup48Tail:
		return form{bits: iphcM | iphcAMGroup48, head: a[1:2], tail: a[addrLen-iphcGroup48Tail:]}
	case meshLocal.embeddedIn(a):
		return form{bits: iphcM | iphcAC | iphcAMInline, context: MeshLocalContext,
			head: a[1 : 1+iphcContextHead], tail: a[addrLen-iphcContextTail:]}
	default:
		return form{bits: iphcM | iphcAMInline, tail: a[:]}
	}
}

// embeddedIn reports whether a multicast address is based on the prefix (RFC 3306 §4).
func (b *base) embeddedIn(a *[addrLen]byte) bool {
	return b.bits > 0 && b.bits <= unicastPrefixBits && int(a[unicastPrefixLength]) == b.bits &&
		bytes.Equal(a[unicastPrefixStart:unicastPrefixEnd], b.prefix[:unicastPrefixBits/8])
}

// appendHopByHop appends a hop-by-hop header as LOWPAN_NHC (RFC 6282 §4.2).
func appendHopByHop(b []byte, ext ip6.ExtensionHeader, nextCompressed bool) []byte {
	if nextCompressed {
		b = append(b, nhcExtension|nhcEIDHopByHop|nhcNH)
	} else {
		b = append(b, nhcExtension|nhcEIDHopByHop, uint8(ext.NextHeader))
	}
	content := ext.Content[:len(ext.Content)-trailingPadding(ext.Content)]
	b = append(b, uint8(len(content)))
	return append(b, content...)
}

// trailingPadding returns the length of the padding option that the options end with, if the decompressor puts it back
// just so: fewer than eight bytes, the data zero. Otherwise it returns 0.
func trailingPadding(options []byte) int {
	var last ip6.Option
	for next := 0; next < len(options); {
		var err error
		if last, next, err = ip6.NextOption(options, next); err != nil {
			return 0
		}
	}
	n := len(options) - last.Offset
	if !last.IsPadding() || n >= extHeaderUnit || slices.ContainsFunc(last.Data, func(c byte) bool { return c != 0 }) {
		return 0
	}
	return n
}

// appendUDP appends the UDP header that u starts with as LOWPAN_NHC, with its checksum (RFC 6282 §4.3.3).
func appendUDP(b, u []byte) []byte {
	src, dst := binary.BigEndian.Uint16(u), binary.BigEndian.Uint16(u[2:])
	switch {
	case src&udpPort4Mask == udpPort4 && dst&udpPort4Mask == udpPort4:
		b = append(b, nhcUDP|nhcUDPBoth4, uint8(src&^udpPort4Mask)<<udpPort4Shift|uint8(dst&^udpPort4Mask))
	case src&udpPort8Mask == udpPort8:
		b = append(b, nhcUDP|nhcUDPSrc8, uint8(src), u[2], u[3])
	case dst&udpPort8Mask == udpPort8:
		b = append(b, nhcUDP|nhcUDPDst8, u[0], u[1], uint8(dst))
	default:
		b = append(b, nhcUDP|nhcUDPInline, u[0], u[1], u[2], u[3])
	}
	return append(b, u[6], u[7])
}
