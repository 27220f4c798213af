package thread

import (
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// rxInfo is what the MAC knows of a received frame. Behind a mesh header src and dst are the ends of the whole way.
type rxInfo struct {
	src, dst ieee802154.Addr
	pan      ieee802154.PANID
	rssi     int8
	secured  bool
}

// receiveLowpan handles the payload of a data frame.
func (e *Engine) receiveLowpan(payload []byte, info rxInfo) {
	if lowpan.DispatchOf(payload) == lowpan.DispatchMesh {
		e.receiveMesh(payload, info)
		return
	}
	e.learnSource(payload, info)
	e.receiveDatagram(payload, info)
}

func (e *Engine) receiveDatagram(payload []byte, info rxInfo) {
	switch lowpan.DispatchOf(payload) {
	case lowpan.DispatchFirstFragment, lowpan.DispatchSubsequentFragment:
		e.counters.RxFragments++
		origin := lowpan.Origin{Src: info.src, Dst: info.dst}
		if info.secured {
			origin.Security = 1
		}
		datagram, err := e.reasm.HandleFragment(e.now, origin, payload, &e.contexts)
		if err != nil {
			e.counters.ReassemblyDropped++
			return
		}
		if datagram != nil {
			e.receiveIP(datagram, info)
		}
	case lowpan.DispatchIPHC:
		datagram, consumed, err := lowpan.Decompress(e.datagram[:0], payload, info.src, info.dst, &e.contexts, 0)
		if err != nil {
			e.counters.LowpanMalformed++
			return
		}
		e.datagram = append(datagram, payload[consumed:]...)
		e.receiveIP(e.datagram, info)
	default:
		e.counters.LowpanMalformed++
	}
}

// receiveMesh handles a frame with a mesh header: it has arrived, or it goes on.
func (e *Engine) receiveMesh(payload []byte, info rxInfo) {
	header, size, err := lowpan.ParseMeshHeader(payload)
	if err != nil || header.Src.Mode != ieee802154.AddrModeShort || header.Dst.Mode != ieee802154.AddrModeShort {
		e.counters.LowpanMalformed++
		return
	}
	if !info.secured {
		e.counters.MeshUnsecured++
		return
	}
	inner := info
	inner.src, inner.dst = header.Src, header.Dst
	dst := mle.RLOC16(header.Dst.Short)
	e.learnSource(payload[size:], inner)
	if dst == e.rloc || e.isMinimalChild(dst) {
		e.receiveDatagram(payload[size:], inner)
		return
	}
	if header.HopsLeft == 0 {
		e.counters.MeshHopsExceeded++
		return
	}
	if !e.isRouter() {
		e.counters.MeshNoRoute++
		return
	}
	if info.src.Mode == ieee802154.AddrModeShort {
		e.breakLoop(mle.RLOC16(info.src.Short), dst)
	}
	if h, ok := e.peekHeader(payload[size:], inner); ok && !e.reachable(dst, h.Dst) {
		e.counters.MeshNoRoute++
		e.sendUnreachable(mle.RLOC16(header.Src.Short), h)
		return
	}
	header.HopsLeft--
	m := e.fwd.newMessage()
	if m.data, err = header.AppendBinary(m.data); err != nil {
		e.fwd.free(m)
		return
	}
	m.data = append(m.data, payload[size:]...)
	m.mesh, m.secured = true, true
	m.priority = priorityNormal
	if h, ok := e.peekHeader(payload[size:], inner); ok {
		m.priority = priorityOf(h.TrafficClass)
	}
	e.enqueue(m)
}

// isMinimalChild reports whether rloc is a child of this node that leaves 6LoWPAN's mesh header to its parent.
func (e *Engine) isMinimalChild(rloc mle.RLOC16) bool {
	if !e.isRouter() || !rloc.IsChild() || rloc.RouterID() != e.routing.id {
		return false
	}
	c := e.children.byRLOC(rloc)
	return c != nil && c.validOrRestoring() && !c.fullThreadDevice()
}

// peekHeader returns the IPv6 header of a frame, if it is the first or the only one of its datagram.
func (e *Engine) peekHeader(payload []byte, info rxInfo) (ip6.Header, bool) {
	if lowpan.DispatchOf(payload) == lowpan.DispatchFirstFragment {
		f, err := lowpan.ParseFragmentHeader(payload)
		if err != nil {
			return ip6.Header{}, false
		}
		payload = payload[f.Size():]
	}
	if lowpan.DispatchOf(payload) != lowpan.DispatchIPHC {
		return ip6.Header{}, false
	}
	h, _, err := lowpan.DecompressHeader(payload, info.src, info.dst, &e.contexts)
	return h, err == nil
}

// learnSource notes where a datagram's source is to be found (Thread 1.1 §5.4.2.4).
func (e *Engine) learnSource(payload []byte, info rxInfo) {
	if !info.secured || info.src.Mode != ieee802154.AddrModeShort || info.dst.IsBroadcast() || !e.attached() {
		return
	}
	h, ok := e.peekHeader(payload, info)
	if !ok {
		return
	}
	rloc := mle.RLOC16(info.src.Short)
	e.snoop(h.Src, rloc)
	// A minimal child that sends through another router has left.
	if e.isRouter() && rloc.RouterID() != e.routing.id {
		if c := e.children.byAddress(h.Src); c != nil && !c.fullThreadDevice() {
			e.removeNeighbor(&c.neighbor)
		}
	}
}
