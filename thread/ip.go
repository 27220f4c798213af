package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// defaultHopLimit is the hop limit of this node's own datagrams.
const defaultHopLimit = 64

// Traffic classes in use (Thread 1.1 §5.12, RFC 4594): class selectors 1 and 2 are low priority, 4 to 7 high.
func priorityOf(trafficClass uint8) priority {
	switch class := trafficClass >> 5; {
	case class == 1 || class == 2:
		return priorityLow
	case class >= 4:
		return priorityHigh
	}
	return priorityNormal
}

// receiveIP handles a whole datagram from the mesh.
func (e *Engine) receiveIP(datagram []byte, info rxInfo) {
	d, err := ip6.ParseDatagram(datagram)
	if err != nil {
		e.counters.IPMalformed++
		return
	}
	// Without link security only what secures itself is let in: MLE, on this link (Thread 1.1 §7.4).
	if !info.secured {
		udp, err := ip6.ParseUDPHeader(d.Payload)
		if d.Protocol != ip6.ProtocolUDP || err != nil || udp.DstPort != mle.UDPPort ||
			!d.Dst.IsLinkLocalUnicast() && ip6.ScopeOf(d.Dst) != ip6.ScopeLinkLocal {
			e.counters.IPUnsupported++
			return
		}
	}
	e.counters.RxDatagrams++
	if d.Dst.IsMulticast() {
		if d.HasMPL && !e.acceptMPL(datagram, &d) {
			e.counters.MPLDuplicate++
			return
		}
		if e.isSubscribed(d.Dst) {
			e.deliver(datagram, &d, info.rssi)
		}
		return
	}
	switch {
	case e.isOwn(d.Dst):
		e.deliver(datagram, &d, info.rssi)
	case d.Dst.IsLinkLocalUnicast() || !e.isRouter():
		e.counters.IPNotForUs++
	default:
		e.forwardIP(datagram, &d)
	}
}

// forwardIP passes a datagram on as a router does, to a child that is reached through this node above all.
func (e *Engine) forwardIP(datagram []byte, d *ip6.Datagram) {
	if d.HopLimit <= 1 {
		e.counters.IPHopLimit++
		return
	}
	const hopLimitOffset = 7
	m := e.fwd.newMessage()
	m.data = append(m.data, datagram...)
	m.data[hopLimitOffset]--
	m.secured = true
	m.priority = priorityOf(d.TrafficClass)
	e.enqueue(m)
}

// deliver hands a datagram for this node to whom it concerns.
func (e *Engine) deliver(datagram []byte, d *ip6.Datagram, rssi int8) {
	switch d.Protocol {
	case ip6.ProtocolIPv6:
		// A multicast of larger scope, tunnelled to all of the mesh.
		inner, err := ip6.ParseDatagram(d.Payload)
		if err != nil {
			e.counters.IPMalformed++
			return
		}
		if inner.Protocol != ip6.ProtocolIPv6 && (e.isOwn(inner.Dst) || inner.Dst.IsMulticast() && e.isSubscribed(inner.Dst)) {
			e.deliver(d.Payload, &inner, rssi)
		}
	case ip6.ProtocolUDP:
		e.deliverUDP(datagram, d, rssi)
	case ip6.ProtocolICMPv6:
		e.deliverICMP(datagram, d)
	case ip6.ProtocolNoNext:
	default:
		e.toHost(datagram)
	}
}

func (e *Engine) deliverUDP(datagram []byte, d *ip6.Datagram, rssi int8) {
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		e.counters.IPMalformed++
		return
	}
	if ip6.VerifyUDP(d.Src, d.Dst, d.Payload) != nil {
		e.counters.IPBadChecksum++
		return
	}
	payload := d.Payload[ip6.UDPHeaderSize:udp.Length]
	switch {
	case udp.DstPort == mle.UDPPort:
		e.receiveMLE(payload, d.Src, d.Dst, d.HopLimit, rssi)
	case udp.DstPort == tmf.UDPPort && e.isTMF(d.Src, d.Dst):
		e.receiveTMF(payload, d.Src, d.Dst, udp.SrcPort)
	default:
		e.toHost(datagram)
	}
}

func (e *Engine) deliverICMP(datagram []byte, d *ip6.Datagram) {
	if ip6.VerifyICMPv6(d.Src, d.Dst, d.Payload) != nil {
		e.counters.IPBadChecksum++
		return
	}
	m, err := ip6.ParseICMPv6(d.Payload)
	if err != nil {
		e.counters.IPMalformed++
		return
	}
	switch m.Type {
	case ip6.ICMPv6EchoRequest:
		echo, err := ip6.ParseEcho(m.Body)
		if err != nil {
			e.counters.IPMalformed++
			return
		}
		src := d.Dst
		if d.Dst.IsMulticast() {
			src = e.SelectSource(d.Src)
		}
		reply := e.fwd.newMessage()
		reply.data, err = ip6.AppendEcho(reply.data, ip6.Header{HopLimit: defaultHopLimit, Src: src, Dst: d.Src},
			ip6.ICMPv6EchoReply, echo)
		if err != nil {
			e.fwd.free(reply)
			return
		}
		e.sendIP(reply)
	case ip6.ICMPv6DestinationUnreachable:
		if invoking, err := ip6.ParseDestinationUnreachable(m.Body); err == nil && len(invoking) >= ip6.HeaderSize {
			if h, err := ip6.ParseHeader(invoking); err == nil {
				e.resolver.remove(h.Dst)
			}
		}
		e.toHost(datagram)
	default:
		e.toHost(datagram)
	}
}

// toHost queues a datagram for PollPacket. The oldest gives way if the host does not fetch them.
func (e *Engine) toHost(datagram []byte) {
	if len(e.packets) >= maxPackets {
		e.counters.HostQueueFull++
		e.packets = slices.Delete(e.packets, 0, 1)
	}
	e.packets = append(e.packets, slices.Clone(datagram))
}

// PollPacket returns the next datagram for this node that is not the network's own: UDP, ICMPv6 other than echo requests, and
// whatever else came. It is the caller's to keep.
func (e *Engine) PollPacket() (datagram []byte, ok bool) {
	if len(e.packets) == 0 {
		return nil, false
	}
	datagram = e.packets[0]
	e.packets = slices.Delete(e.packets, 0, 1)
	return datagram, true
}

// HandlePacket sends a datagram from the host: a whole IPv6 datagram of at most 1280 bytes whose source is an address of this node,
// see SelectSource. Errors are ErrDisabled, ErrDetached for a destination beyond the link, ErrPacket and ErrQueueFull. packet
// is not kept.
func (e *Engine) HandlePacket(now time.Time, packet []byte) error {
	e.now = now
	if !e.up && !e.ifUp {
		return ErrDisabled
	}
	d, err := ip6.ParseDatagram(packet)
	if err != nil || len(packet) > ip6.MinMTU || !e.isOwn(d.Src) || d.Src.IsMulticast() {
		return ErrPacket
	}
	if !e.up && !e.isOwn(d.Dst) {
		return ErrDisabled
	}
	link := d.Dst.IsLinkLocalUnicast() || d.Dst.IsMulticast() && ip6.ScopeOf(d.Dst) <= ip6.ScopeLinkLocal
	if !link && !e.attached() {
		return ErrDetached
	}
	m := e.fwd.newMessage()
	m.data = append(m.data, packet...)
	m.priority = min(priorityOf(d.TrafficClass), priorityHigh)
	ok := e.sendIP(m)
	e.settle()
	if !ok {
		return ErrQueueFull
	}
	return nil
}

// sendUDP sends a datagram of the network's own.
func (e *Engine) sendUDP(src netip.Addr, srcPort uint16, dst netip.AddrPort, payload []byte, p priority) {
	m := e.fwd.newMessage()
	var err error
	m.data, err = ip6.AppendUDP(m.data, ip6.Header{HopLimit: defaultHopLimit, Src: src, Dst: dst.Addr()}, srcPort, dst.Port(), payload)
	if err != nil {
		e.fwd.free(m)
		return
	}
	m.priority = p
	e.sendIP(m)
}

// sendUnreachable tells a node that its datagram's destination is not to be found here (RFC 4443 §3.1).
func (e *Engine) sendUnreachable(to mle.RLOC16, h ip6.Header) {
	invoking, err := h.AppendBinary(nil)
	if err != nil {
		return
	}
	m := e.fwd.newMessage()
	m.data, err = ip6.AppendDestinationUnreachable(m.data,
		ip6.Header{HopLimit: defaultHopLimit, Src: e.meshLocalEID, Dst: to.Addr(e.meshLocal)}, ip6.UnreachableNoRoute, invoking)
	if err != nil {
		e.fwd.free(m)
		return
	}
	e.sendIP(m)
}

// sendIP takes over a datagram of this node's and sends it, to itself if it is meant so.
func (e *Engine) sendIP(m *message) bool {
	h, err := ip6.ParseHeader(m.data)
	if err != nil {
		e.fwd.free(m)
		return false
	}
	m.secured = true
	switch {
	case h.Dst.IsMulticast() && ip6.ScopeOf(h.Dst) >= ip6.ScopeRealmLocal:
		return e.sendMPL(m, h)
	case !h.Dst.IsMulticast() && e.isOwn(h.Dst):
		data := slices.Clone(m.data)
		e.fwd.free(m)
		if d, err := ip6.ParseDatagram(data); err == nil {
			e.deliver(data, &d, rssiUnknown)
		}
		return true
	}
	return e.enqueue(m)
}

// mplAhead is how far ahead of use the MPL sequence is stored. A node that began anew after a restart would not be heard: its neighbors
// take its multicasts for old ones as long as they remember it. Less than half of the number space.
const mplAhead = 64

// sendMPL sends a multicast to the whole mesh (Thread 1.1 §5.11, RFC 7731): with an MPL option, in a tunnel if its scope is larger
// than the mesh.
func (e *Engine) sendMPL(m *message, h ip6.Header) bool {
	if !e.attached() {
		e.fwd.free(m)
		return false
	}
	if int8(e.mplSeq-e.storedMPL) >= 0 {
		e.saveSettings()
	}
	opt := ip6.MPLOption{Sequence: e.mplSeq}
	e.mplSeq++
	var err error
	if ip6.ScopeOf(h.Dst) == ip6.ScopeRealmLocal {
		if h.Src != e.rlocAddr {
			opt.SeedIDLength = ip6.SeedID16
			opt.SetSeedID16(uint16(e.rloc))
		}
		e.tunnel, err = ip6.InsertMPLOption(e.tunnel[:0], m.data, opt)
	} else {
		opt.SeedIDLength = ip6.SeedID16
		opt.SetSeedID16(uint16(e.rloc))
		e.tunnel, err = ip6.AppendTunnel(e.tunnel[:0],
			ip6.Header{HopLimit: defaultHopLimit, Src: e.meshLocalEID, Dst: ip6.AllMPLForwarders}, opt, m.data)
	}
	if err != nil || len(e.tunnel) > ip6.MinMTU {
		e.fwd.free(m)
		return false
	}
	m.data = append(m.data[:0], e.tunnel...)
	// Its own message coming back is not new.
	e.seeds.Accept(e.now, mpl.SeedID(e.rloc), opt.Sequence)
	e.mplSent.Originate(e.now, m.data, mpl.SeedID(e.rloc), opt.Sequence)
	return e.enqueue(m)
}

// acceptMPL reports whether an MPL message is new, and schedules its repetition.
func (e *Engine) acceptMPL(datagram []byte, d *ip6.Datagram) bool {
	seed, ok := mpl.SeedOf(d.MPL, d.Src)
	if !ok || !e.seeds.Accept(e.now, seed, d.MPL.Sequence) {
		return false
	}
	if e.isRouter() {
		e.mplSent.Forward(e.now, datagram, seed, d.MPL.Sequence)
	}
	return true
}

// repeatMPL sends the multicasts whose repetition is due.
func (e *Engine) repeatMPL() {
	for {
		datagram, ok := e.mplSent.Poll(e.now)
		if !ok {
			return
		}
		m := e.fwd.newMessage()
		m.data = append(m.data, datagram...)
		m.secured = true
		m.priority = priorityNormal
		if d, err := ip6.ParseDatagram(datagram); err == nil && d.Protocol == ip6.ProtocolUDP {
			if udp, err := ip6.ParseUDPHeader(d.Payload); err == nil && udp.DstPort == tmf.UDPPort {
				m.priority = priorityNet
			}
		}
		e.enqueue(m)
	}
}
