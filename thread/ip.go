package thread

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	// defaultHopLimit is the hop limit of this node's own datagrams.
	defaultHopLimit = 64

	// maxPackets bounds the datagrams that wait for the host.
	maxPackets = 64

	// icmpErrors is how many ICMPv6 errors are sent at once.
	icmpErrors = 10
)

// ipLayer is IPv6, ICMPv6 and UDP: it tells what a datagram is for, and sends this node's own.
//
//	receive ─► for this node: deliver ─► MLE, TMF, echo reply, or the host
//	        ├► multicast: MPL, deliver
//	        └► for another node: forward
//	send ─► multicast beyond the link: MPL ─► sender
//	     ├► to itself: deliver
//	     └► sender
type ipLayer struct {
	*self
	neighbors *neighbors.Table
	addresses *addresses.Table
	sender    *sender.Sender
	mpl       *mpl.Domain
	resolver  *resolver.Resolver
	mesh      *meshLayer
	mle       *mleMessenger
	tmf       *tmfMessenger
	leases    *leases

	admission *admission
	agency    *agency

	security linkSecurity   // of the datagram that is being received
	packets  []ip6.Datagram // for the host
	rssis    []int          // with which they came
	rssi     int            // of the last one that the host has fetched
	outside  []ip6.Datagram // for the host to let out of the mesh
	errors   core.Limiter   // of ICMPv6 errors
	again    secondTries
}

// linkSecurity is what the MAC says of a datagram.
type linkSecurity uint8

const (
	unsecured linkSecurity = iota
	secured                // with the network's key
	entrusted              // with the KEK that a joiner shares with its joiner router
)

// admits reports whether a datagram is let in. Without link security that is only what secures itself: MLE on this link, and what joiners send
// and are sent; under a KEK network management between the two that share it.
func (x *ipLayer) admits(d *ip6.Datagram, security linkSecurity) bool {
	switch security {
	case secured:
		return true
	case entrusted:
		return d.Protocol == ip6.ProtocolUDP && d.Dst.IsLinkLocalUnicast() && d.Src.IsLinkLocalUnicast()
	}
	return securesItself(d) || x.admission.expects(d)
}

// receive handles a whole datagram from the mesh.
func (x *ipLayer) receive(d *ip6.Datagram, security linkSecurity, rssi int) {
	if !x.admits(d, security) {
		x.counters.IPUnsupported++
		return
	}
	x.security = security
	x.counters.RxDatagrams++
	switch {
	case d.Dst.IsMulticast():
		if d.HasMPL && !x.mpl.Accept(x.Now, d.Bytes, d.MPL, d.Src, x.isRouter()) {
			x.counters.MPLDuplicate++
			return
		}
		if d.HasMPL {
			x.toSleepers(d.Bytes, d.Src, d.Dst)
		}
		switch {
		case x.addresses.Subscribed(d.Dst) || x.hearsSearches(d.Dst):
			x.tmf.settled = false
			x.deliver(d, rssi)
			if x.tmf.settled && d.HasMPL {
				x.mpl.Withdraw(d.MPL, d.Src)
			}
		case !d.HasMPL || !x.isRouter(): // nor is it sent on
			x.counters.IPNotForUs++
		}
	case x.addresses.Own(d.Dst):
		x.deliver(d, rssi)
	case d.Dst.IsLinkLocalUnicast() || !x.isRouter():
		x.counters.IPNotForUs++
		if x.timing.AdvertiseQuiet > 0 && x.attached() && !d.Dst.IsLinkLocalUnicast() {
			// Deviation: stock says nothing, so that who takes this node for another goes on for ever.
			if h, err := ip6.ParseHeader(d.Bytes); err == nil {
				x.sendUnreachableTo(h.Src, h, isICMPError(h.NextHeader, d.Bytes[ip6.HeaderSize:]))
			}
		}
	default:
		x.forward(d)
	}
}

// hearsSearches reports whether a node without a place hears what is for routers: others that search. See courtesy.
func (x *ipLayer) hearsSearches(dst netip.Addr) bool {
	return dst == ip6.LinkLocalAllRouters && x.timing.AttachHold > 0 && x.role == RoleDetached && x.fullThreadDevice()
}

// securesItself reports whether a datagram is MLE on this link.
func securesItself(d *ip6.Datagram) bool {
	if d.Protocol != ip6.ProtocolUDP || !d.Dst.IsLinkLocalUnicast() && ip6.ScopeOf(d.Dst) != ip6.ScopeLinkLocal {
		return false
	}
	udp, err := ip6.ParseUDPHeader(d.Payload)
	return err == nil && udp.DstPort == mle.UDPPort
}

// undeliverable is told of a message that the sender has given up.
func (x *ipLayer) undeliverable(m *sender.Message, reason sender.Reason) {
	if x.Debug {
		x.Log.Debug("given up", "from", m.Src(), "to", m.Dst(), "reason", reason)
	}
	if code, ok := hostCode(m, reason); ok && m.Host {
		x.tellHost(m, code)
		return
	}
	if reason == sender.NoWay && m.Kind == sender.KindDatagram && m.Src().IsValid() && !x.addresses.Own(m.Src()) {
		x.refuseForwarded(m)
	}
}

// hostCode is the ICMPv6 error by which the host hears of a datagram that was taken and not sent, if there is one for the reason: that frames
// get lost on the air is none.
func hostCode(m *sender.Message, reason sender.Reason) (ip6.UnreachableCode, bool) {
	switch {
	case reason == sender.NoWay:
		return ip6.UnreachableNoRoute, true
	case reason == sender.Unresolved, reason == sender.Unresponsive, reason == sender.NotSent && m.Dst().IsLinkLocalUnicast():
		return ip6.UnreachableAddress, true
	}
	return 0, false
}

// tellHost hands the host an ICMPv6 error from this node itself (RFC 4443 §3.1).
func (x *ipLayer) tellHost(m *sender.Message, code ip6.UnreachableCode) {
	packet, err := ip6.AppendDestinationUnreachable(nil, ip6.Header{HopLimit: defaultHopLimit, Src: m.Src(), Dst: m.Src()}, code, m.Data)
	if err != nil {
		return // what was sent was a datagram
	}
	if d, err := ip6.ParseTransit(packet); err == nil {
		x.toHost(&d, neighbors.RSSIUnknown)
	}
}

// forward passes a datagram on as a router does, to a child that is reached through this node above all.
func (x *ipLayer) forward(d *ip6.Datagram) {
	switch {
	case d.HopLimit <= 1:
		x.counters.IPHopLimit++
		return
	case d.Src.IsUnspecified(): // RFC 4291 §2.5.2: it never leaves its link
		x.counters.IPMalformed++
		return
	}
	m := x.sender.New()
	m.Data = append(m.Data, d.Bytes...)
	ip6.DecrementHopLimit(m.Data)
	m.Priority = sender.PriorityOf(d.TrafficClass)
	_ = x.sender.Enqueue(m) // counted there
}

// deliver hands a datagram for this node to whom it concerns: the host gets what is not the network's own, from the header on that
// this node does not process.
func (x *ipLayer) deliver(d *ip6.Datagram, rssi int) {
	if err := d.ParseExtensions(); err != nil && !errors.Is(err, ip6.ErrUnsupported) {
		x.counters.IPMalformed++
		return
	}
	if d.Protocol != ip6.ProtocolIPv6 {
		x.dispatch(d, rssi)
		return
	}
	// A multicast of larger scope, tunnelled to all of the mesh. Nothing else comes in a tunnel: somebody outside of the mesh would have a border
	// router pass on what seems to come from within.
	inner, err := ip6.ParseTransit(d.Payload)
	if err != nil || inner.Src.IsMulticast() || !d.Dst.IsMulticast() || !inner.Dst.IsMulticast() ||
		ip6.ScopeOf(inner.Dst) <= ip6.ScopeRealmLocal || inner.Src.IsLinkLocalUnicast() {
		x.counters.IPMalformed++
		return
	}
	x.toSleepers(inner.Bytes, inner.Src, inner.Dst)
	if !x.addresses.Subscribed(inner.Dst) {
		x.counters.IPNotForUs++
		return
	}
	if err := inner.ParseExtensions(); err != nil && !errors.Is(err, ip6.ErrUnsupported) {
		x.counters.IPMalformed++
		return
	}
	if inner.Protocol == ip6.ProtocolIPv6 {
		x.counters.IPUnsupported++
		return
	}
	x.dispatch(&inner, rssi)
}

// dispatch hands the payload of a datagram for this node to whom it concerns.
func (x *ipLayer) dispatch(d *ip6.Datagram, rssi int) {
	switch d.Protocol {
	case ip6.ProtocolUDP:
		x.deliverUDP(d, rssi)
	case ip6.ProtocolICMPv6:
		x.deliverICMP(d, rssi)
	case ip6.ProtocolNoNext:
	default:
		x.toHost(d, rssi)
	}
}

func (x *ipLayer) deliverUDP(d *ip6.Datagram, rssi int) {
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		x.counters.IPMalformed++
		return
	}
	if ip6.VerifyUDP(d.Src, d.Dst, d.Payload) != nil {
		x.counters.IPBadChecksum++
		return
	}
	payload := d.Payload[ip6.UDPHeaderSize:udp.Length]
	switch {
	case x.security == secured && x.agency.takes(d):
		x.agency.receive(d, udp, payload)
	case udp.DstPort == mle.UDPPort:
		x.mle.receive(payload, d.Src, d.Dst, d.HopLimit, rssi)
	case udp.DstPort == tmf.UDPPort && x.addresses.IsTMF(d.Src, d.Dst):
		x.tmf.receive(payload, d.Src, d.Dst, udp.SrcPort, x.security == entrusted)
	case x.security != secured:
		x.admission.receive(d, udp, payload, x.security)
	case x.leases.receive(d, udp, payload):
	default:
		x.toHost(d, rssi)
	}
}

func (x *ipLayer) deliverICMP(d *ip6.Datagram, rssi int) {
	if ip6.VerifyICMPv6(d.Src, d.Dst, d.Payload) != nil {
		x.counters.IPBadChecksum++
		return
	}
	m, err := ip6.ParseICMPv6(d.Payload)
	if err != nil {
		x.counters.IPMalformed++
		return
	}
	switch m.Type {
	case ip6.ICMPv6EchoRequest:
		x.answerEcho(m.Body, d)
		return
	case ip6.ICMPv6DestinationUnreachable:
		if m.Code != uint8(ip6.UnreachableNoRoute) {
			break // the node is there
		}
		if invoking, err := ip6.ParseDestinationUnreachable(m.Body); err == nil && len(invoking) >= ip6.HeaderSize {
			if h, err := ip6.ParseHeader(invoking); err == nil && x.resend(h) {
				return
			}
		}
	}
	x.toHost(d, rssi)
}

// resend sends a datagram again that did not find who it is for, if it can. Where h tells no more than a place, that has refused one without
// addresses.
func (x *ipLayer) resend(h ip6.Header) bool {
	if rloc, ok := x.addresses.Locator(h.Dst); ok {
		return x.resolver.Refuse(rloc) && x.again.resendTo(x, rloc)
	}
	x.resolver.Fail(h.Dst)
	return x.again.resend(x, h)
}

// answerEcho answers a ping, to a group too (RFC 4443 §4.2). What comes from no single node has no answer.
func (x *ipLayer) answerEcho(body []byte, d *ip6.Datagram) {
	echo, err := ip6.ParseEcho(body)
	if err != nil || d.Src.IsUnspecified() {
		x.counters.IPMalformed++
		return
	}
	src := d.Dst
	if d.Dst.IsMulticast() {
		src = x.addresses.SelectSource(d.Src)
	}
	reply := x.sender.New()
	reply.Data, err = ip6.AppendEcho(reply.Data, ip6.Header{HopLimit: defaultHopLimit, Src: src, Dst: d.Src}, ip6.ICMPv6EchoReply, echo)
	if err != nil {
		x.sender.Free(reply)
		return
	}
	_ = x.send(reply) // counted, as all that send drops
}

// toHost queues a datagram for PollPacket. The oldest gives way if the host does not fetch them.
func (x *ipLayer) toHost(d *ip6.Datagram, rssi int) {
	if len(x.packets) >= maxPackets {
		x.counters.HostQueueFull++
		x.packets, x.rssis = slices.Delete(x.packets, 0, 1), slices.Delete(x.rssis, 0, 1)
	}
	x.packets, x.rssis = append(x.packets, d.Clone()), append(x.rssis, rssi)
}

// poll returns the next datagram for the host.
func (x *ipLayer) poll() (datagram ip6.Datagram, ok bool) {
	if len(x.packets) == 0 {
		return ip6.Datagram{}, false
	}
	datagram, x.rssi = x.packets[0], x.rssis[0]
	x.packets, x.rssis = slices.Delete(x.packets, 0, 1), slices.Delete(x.rssis, 0, 1)
	return datagram, true
}

// sendUDP sends a datagram of the network's own.
func (x *ipLayer) sendUDP(src netip.Addr, srcPort uint16, dst netip.AddrPort, payload []byte, p sender.Priority) {
	x.sendProtected(sender.Secured, src, srcPort, dst, payload, p)
}

// sendProtected is sendUDP for a datagram that is not secured as all others.
func (x *ipLayer) sendProtected(how sender.Protection, src netip.Addr, srcPort uint16, dst netip.AddrPort, payload []byte, p sender.Priority) {
	m := x.sender.New()
	m.Protection = how
	var err error
	m.Data, err = ip6.AppendUDP(m.Data, ip6.Header{HopLimit: defaultHopLimit, Src: src, Dst: dst.Addr()}, srcPort, dst.Port(), payload)
	if err != nil {
		x.sender.Free(m)
		return
	}
	m.Priority = p
	_ = x.send(m) // who asked sends again
}

// sendUnreachable tells a node that its datagram's destination is not to be found here (RFC 4443 §3.1), unless the datagram is of those
// to which there is no error: an ICMPv6 error, or one from or to a group (§2.4 e). Errors have a rate (§2.4 f).
func (x *ipLayer) sendUnreachable(to mle.RLOC16, h ip6.Header, icmpError bool) {
	x.sendUnreachableTo(to.Addr(x.addresses.Prefix()), h, icmpError)
}

func (x *ipLayer) sendUnreachableTo(to netip.Addr, h ip6.Header, icmpError bool) {
	if icmpError || h.Src.IsMulticast() || h.Src.IsUnspecified() || h.Dst.IsMulticast() {
		return
	}
	invoking, err := h.AppendBinary(nil)
	if err != nil {
		return
	}
	if !x.errors.Allow(x.Now) {
		x.counters.ICMPRefused++
		return
	}
	m := x.sender.New()
	m.Data, err = ip6.AppendDestinationUnreachable(m.Data,
		ip6.Header{HopLimit: defaultHopLimit, Src: x.addresses.EID(), Dst: to}, ip6.UnreachableNoRoute, invoking)
	if err != nil {
		x.sender.Free(m)
		return
	}
	m.Priority = sender.PriorityNet // who does not hear of it goes on sending in vain
	_ = x.send(m)
}

// send takes over a datagram of this node's and sends it, to itself if it is meant so. Errors are those of Engine.HandlePacket: ErrQueueFull
// passes, the others do not.
func (x *ipLayer) send(m *sender.Message) error {
	h, err := ip6.ParseHeader(m.Data)
	if err != nil {
		x.sender.Free(m)
		return ErrPacket
	}
	switch {
	case h.Dst.IsMulticast() && ip6.ScopeOf(h.Dst) >= ip6.ScopeRealmLocal:
		return x.sendMPL(m, h)
	case h.Dst.IsMulticast():
		x.toSleepers(m.Data, h.Src, h.Dst)
	case x.mesh.out(h.Src, h.Dst):
		data := slices.Clone(m.Data)
		x.sender.Free(m)
		if d, err := ip6.ParseTransit(data); err == nil {
			x.toOutside(&d)
		}
		return nil
	case !h.Dst.IsMulticast() && x.addresses.Own(h.Dst):
		data := slices.Clone(m.Data)
		x.sender.Free(m)
		if d, err := ip6.ParseTransit(data); err == nil {
			before := x.security
			x.security = secured
			x.deliver(&d, neighbors.RSSIUnknown)
			x.security = before
		}
		return nil
	}
	x.again.keep(x, m, h)
	return x.sender.Submit(m)
}

// sendEmpty sends a datagram without content, from the address that stays, to another node.
func (x *ipLayer) sendEmpty(to mle.RLOC16) {
	h := ip6.Header{NextHeader: ip6.ProtocolNoNext, HopLimit: defaultHopLimit, Src: x.addresses.EID(), Dst: to.Addr(x.addresses.Prefix())}
	m := x.sender.New()
	var err error
	if m.Data, err = h.AppendBinary(m.Data); err != nil {
		x.sender.Free(m)
		return
	}
	m.Priority = sender.PriorityNet
	_ = x.send(m) // without it, the others find out later
}

// toSleepers has a copy of a multicast held for each child that sleeps and listens to the group, but for that where it comes from.
func (x *ipLayer) toSleepers(datagram []byte, src, dst netip.Addr) {
	if !x.isRouter() || x.neighbors.Children.Empty() {
		return
	}
	all := x.addresses.IsAllThreadNodes(dst)
	for c := range x.neighbors.Children.Sleepy() {
		if !all && !slices.Contains(c.Addresses, dst) || slices.Contains(c.Addresses, src) || src == c.RLOC16.Addr(x.addresses.Prefix()) {
			continue
		}
		m := x.sender.New()
		m.Data = append(m.Data, datagram...)
		m.For, m.Priority = c.Ext, sender.PriorityNormal
		_ = x.sender.Enqueue(m) // counted there
	}
}

// sendMPL sends a multicast to the whole mesh (RFC 7731).
func (x *ipLayer) sendMPL(m *sender.Message, h ip6.Header) error {
	if !x.attached() {
		x.sender.Free(m)
		return ErrDetached
	}
	wide := ip6.ScopeOf(h.Dst) > ip6.ScopeRealmLocal // and tunnelled
	if wide {
		x.toSleepers(m.Data, h.Src, h.Dst)
	}
	datagram, err := x.mpl.Originate(x.Now, m.Data, mpl.SeedID(x.rloc), x.addresses.RLOC(), x.addresses.EID())
	switch {
	case errors.Is(err, mpl.ErrTooLong):
		x.sender.Free(m)
		return ErrTooLong
	case err != nil:
		x.sender.Free(m)
		return ErrPacket
	}
	m.Data = append(m.Data[:0], datagram...)
	if !wide {
		x.toSleepers(m.Data, h.Src, h.Dst)
	}
	return x.sender.Submit(m)
}

// NextTimeout returns when a multicast is repeated.
func (x *ipLayer) NextTimeout() (time.Time, bool) { return x.mpl.NextTimeout() }

// HandleTimeout sends the multicasts whose repetition is due.
func (x *ipLayer) HandleTimeout() {
	for {
		datagram, ok := x.mpl.Poll(x.Now)
		if !ok {
			return
		}
		m := x.sender.New()
		m.Data = append(m.Data, datagram...)
		m.Priority = sender.PriorityNormal
		if d, err := ip6.ParseDatagram(datagram); err == nil && d.Protocol == ip6.ProtocolUDP {
			if udp, err := ip6.ParseUDPHeader(d.Payload); err == nil && udp.DstPort == tmf.UDPPort {
				m.Priority = sender.PriorityNet
			}
		}
		_ = x.sender.Enqueue(m) // MPL sends it again
	}
}
