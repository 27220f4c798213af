package lowpan

import (
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// Ends are addresses of a datagram that are left out of its frame, although they do not follow from the frame's own: the other end is to know
// what ML-EID the node at that place has. In LOWPAN_IPHC they are elided, under the context [EndsContext] (RFC 6282 §3.1.2 leaves open how
// nodes come to share a context), if the network data have no such one. To who does not know better, each is what would be elided under the
// mesh-local context: the RLOC.
//
// Deviation: Thread has nothing of the kind. The identifiers of two ML-EIDs are 16 bytes, random ones, which no other form leaves out: a fifth of
// the time that a short message takes on LoRa at SF7.
type Ends struct {
	Src, Dst bool
}

// endForm is how an end is written that is left out.
var endForm = form{bits: iphcAC | iphcAMElided, context: EndsContext}

// isEnd reports whether an address in a form stands for an end.
func (c *Contexts) isEnd(form, context uint8) bool {
	return context == EndsContext && form&(iphcAC|iphcAMMask) == iphcAC|iphcAMElided && c.mayElideEnds()
}

// mayElideEnds reports whether the context is free, and there is a prefix for what is left out.
func (c *Contexts) mayElideEnds() bool {
	return c.bases[EndsContext].bits == 0 && c.bases[MeshLocalContext].bits > 0
}

// EndsOf returns the ends that are left out of a frame, which starts with LOWPAN_IPHC.
func EndsOf(frame []byte, ctx *Contexts) (ends Ends) {
	if len(frame) < 3 || frame[0]&iphcDispatchMask != iphcDispatch || frame[1]&iphcCID == 0 {
		return Ends{}
	}
	second, contexts := frame[1], frame[2]
	ends.Src = ctx.isEnd(second>>iphcSourceShift, contexts>>4)
	ends.Dst = second&iphcM == 0 && ctx.isEnd(second, contexts&0x0f)
	return ends
}

// endsOf returns which ends of the datagram may be left out. What is left out has to be found again, with a checksum to tell: the datagram is not
// in fragments, and its first header that of a protocol that has one.
func (p Packet) endsOf(ctx *Contexts) (ends Ends) {
	if p.Ends == (Ends{}) || !ctx.mayElideEnds() {
		return Ends{}
	}
	h, err := ip6.ParseHeader(p.Datagram)
	if err != nil || !ip6.HasChecksum(h.NextHeader) {
		return Ends{}
	}
	meshLocal := &ctx.bases[MeshLocalContext]
	src, dst := h.Src.As16(), h.Dst.As16()
	return Ends{Src: p.Ends.Src && meshLocal.contains(&src), Dst: p.Ends.Dst && meshLocal.contains(&dst)}
}

// Restore puts into a datagram the addresses that were left out, the first of those that may be it, at either end, with which its checksum is right. It
// reports false, and leaves the datagram as it is, if there are none.
func (e Ends) Restore(datagram []byte, srcs, dsts []netip.Addr) bool {
	h, err := ip6.ParseHeader(datagram)
	if err != nil || !ip6.HasChecksum(h.NextHeader) {
		return false
	}
	if !e.Src {
		srcs = []netip.Addr{h.Src}
	}
	if !e.Dst {
		dsts = []netip.Addr{h.Dst}
	}
	for _, dst := range dsts {
		for _, src := range srcs {
			if ip6.VerifyChecksum(src, dst, h.NextHeader, datagram[ip6.HeaderSize:]) == nil {
				ip6.SetAddresses(datagram, src, dst)
				return true
			}
		}
	}
	return false
}
