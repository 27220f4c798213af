package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// hostPackets is the part of the engine by which datagrams pass between it and the host.
type hostPackets struct{ e *Engine }

// HandlePacket sends a datagram from the host: a whole IPv6 datagram of at most 1280 bytes whose source is an address of this node,
// see SelectSource. What follows its header may be anything. packet is not kept.
//
// ErrQueueFull passes: the datagram may be offered again. The other errors do not pass by themselves: ErrDisabled, ErrDetached for a
// destination beyond the link, ErrNoRoute, ErrCounters, ErrTooLong and ErrPacket. What was taken is on its way, and gets
// lost only on the air, or if nobody answers to the question where its destination is.
func (h hostPackets) HandlePacket(now time.Time, packet []byte) error {
	h.e.Advance(now)
	return h.e.handlePacket(packet, sender.PriorityHigh, false)
}

// OfferPacket is HandlePacket for a host that waits for room: it takes few at a time, refuses the others with ErrQueueFull, which is not
// counted as a loss then, and keeps what it has taken for nobody's sake. When it finds out later that there is no way to the destination, or
// that nobody knows the address, it tells the host by an ICMPv6 error out of PollPacket, from this node to itself.
func (h hostPackets) OfferPacket(now time.Time, packet []byte) error {
	return h.e.offer(now, packet, sender.PriorityHigh)
}

// OfferBackground is OfferPacket for a datagram that goes after all others, whatever its traffic class.
func (h hostPackets) OfferBackground(now time.Time, packet []byte) error {
	return h.e.offer(now, packet, sender.PriorityLow)
}

func (h hostPackets) offer(now time.Time, packet []byte, most sender.Priority) error {
	h.e.Advance(now)
	if h.e.threadOn && h.e.attached() && h.e.sender.HostQueued() >= sender.MaxHost {
		return ErrQueueFull
	}
	return h.e.handlePacket(packet, most, true)
}

// handlePacket takes a datagram of the host, of no higher priority than most.
func (h hostPackets) handlePacket(packet []byte, most sender.Priority, offered bool) error {
	if !h.e.threadOn && !h.e.interfaceOn {
		return ErrDisabled
	}
	d, err := ip6.ParseTransit(packet)
	if len(packet) > ip6.MinMTU {
		return ErrTooLong
	}
	if err != nil || !h.e.addresses.Own(d.Src) || d.Src.IsMulticast() {
		return ErrPacket
	}
	if !h.e.threadOn && !h.e.addresses.Own(d.Dst) {
		return ErrDisabled
	}
	link := d.Dst.IsLinkLocalUnicast() || d.Dst.IsMulticast() && ip6.ScopeOf(d.Dst) <= ip6.ScopeLinkLocal
	switch {
	case h.e.spent && !h.e.addresses.Own(d.Dst):
		return ErrCounters
	case !link && !h.e.attached():
		return ErrDetached
	}
	m := h.e.sender.New()
	m.Data = append(m.Data, packet...)
	m.Priority, m.Host = min(sender.PriorityOf(d.TrafficClass), most), offered
	err = h.e.ip.send(m)
	h.e.settle()
	return err
}

// PollPacket returns the next datagram for this node that is not the network's own: UDP, ICMPv6 other than echo requests, and
// whatever else came, parsed up to the header that the engine does not process. It is the caller's to keep.
func (h hostPackets) PollPacket() (d ip6.Datagram, ok bool) { return h.e.ip.poll() }

// PacketRSSI returns the power in dBm of the frame with which the last packet from PollPacket came, the last one if there were several; 127
// if it did not come over the air.
func (h hostPackets) PacketRSSI() int { return h.e.ip.rssi }

// PollForward returns the next datagram that leaves the mesh by this node, a border router: whole, with the hop limit that it came with, which
// its forwarder looks at and answers (RFC 4443 §3.3). It is the caller's to keep.
func (h hostPackets) PollForward() (d ip6.Datagram, ok bool) {
	return core.Pop(&h.e.ip.outside)
}

// RefuseForward tells the sender of a datagram of PollForward that there is no way for it (RFC 4443 §3.1, code 0).
func (h hostPackets) RefuseForward(now time.Time, d *ip6.Datagram) {
	h.e.Advance(now)
	h.e.counters.IPNoRoute++
	if h.e.attached() {
		h.e.ip.sendUnreachableTo(d.Src, d.Header, isICMPError(d.Protocol, d.Payload))
	}
	h.e.settle()
}

// HandleForward sends a datagram from outside the mesh to an address in one of its on-mesh prefixes: a whole IPv6 datagram of at most 1280
// bytes. packet is not kept. Nothing is believed of it: ErrPacket is the answer to a source that is an address of the mesh, of a link or a
// group, ErrNoRoute to a destination that is not in an on-mesh prefix of the network data. The other errors are those of HandlePacket.
func (h hostPackets) HandleForward(now time.Time, packet []byte) error {
	h.e.Advance(now)
	if !h.e.threadOn {
		return ErrDisabled
	}
	if len(packet) > ip6.MinMTU {
		return ErrTooLong
	}
	d, err := ip6.ParseTransit(packet)
	switch {
	case err != nil || d.Src.IsMulticast() || d.Src.IsUnspecified() || d.Src.IsLoopback() || d.Src.IsLinkLocalUnicast() || h.e.mesh.onMesh(d.Src):
		return ErrPacket
	case !h.e.attached():
		return ErrDetached
	case d.Dst.IsMulticast() || !h.e.netData.OnMesh(d.Dst):
		return ErrNoRoute
	case d.HopLimit <= 1:
		h.e.counters.IPHopLimit++
		return ErrPacket
	}
	h.e.counters.ForwardedIn++
	m := h.e.sender.New()
	m.Data = append(m.Data, packet...)
	ip6.DecrementHopLimit(m.Data)
	m.Priority = sender.PriorityLow // the mesh's own goes first
	err = h.e.ip.send(m)
	h.e.settle()
	return err
}

// RefusePort tells the sender of a datagram of PollPacket that nobody here listens to its port (RFC 4443 §3.1, code 4).
func (h hostPackets) RefusePort(now time.Time, d *ip6.Datagram) {
	h.e.Advance(now)
	if !d.Dst.IsMulticast() && !d.Src.IsMulticast() && !d.Src.IsUnspecified() {
		h.e.ip.refusePort(d)
	}
	h.e.settle()
}
