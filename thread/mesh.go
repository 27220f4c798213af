package thread

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// meshLayer is 6LoWPAN and mesh forwarding: frames become datagrams or go on to the next hop, and datagrams find their way.
//
//	frame ─► mesh header? ─► for another node: relayed
//	               │ no, or it ends here
//	               └► fragments ─► datagram ─► ipLayer
//	datagram ─► Route ─► next hop (and a mesh header for what is beyond it)
type meshLayer struct {
	*self
	neighbors *neighbors.Table
	addresses *addresses.Table
	resolver  *resolver.Resolver
	queries   *queries
	netData   *networkdata.Data
	local     *networkdata.Local
	contexts  *lowpan.Contexts
	sender    *sender.Sender
	routes    *routes
	shortcuts *shortcuts
	places    *places
	ends      *ends
	change    transitions
	ip        *ipLayer

	reassembler *lowpan.Reassembler
	datagram    []byte // received
	glimpsed    []byte // headers of what passes through
}

// A received is a 6LoWPAN payload on its way up. Behind a mesh header src and dst are the ends of the whole way.
type received struct {
	payload  []byte
	src, dst ieee802154.Addr
	rssi     int
	secured  bool
	kek      bool // under the KEK, and not secured
	whole    bool // payload is all of a datagram
}

func (r *received) security() linkSecurity {
	switch {
	case r.secured:
		return secured
	case r.kek:
		return entrusted
	}
	return unsecured
}

// receive handles the payload of a data frame.
func (x *meshLayer) receive(f mac.Received) {
	if f.Own {
		x.receiveOwn(f)
		return
	}
	r := received{payload: f.Payload, src: f.Src, dst: f.Dst, rssi: f.RSSI, secured: f.Secured, kek: f.KEK}
	if lowpan.DispatchOf(f.Payload) == lowpan.DispatchMesh {
		x.receiveMesh(r)
		return
	}
	x.arrive(r)
}

// passed notes what has gone out, whether it has arrived there.
func (x *meshLayer) passed(m *sender.Message) {
	d := x.queries.deputy
	if !d.active() {
		return
	}
	if m.Kind == sender.KindDatagram {
		if rloc, _, ok := x.resolver.Place(m.Dst()); ok && m.Src() == x.addresses.EID() {
			d.delivered(rloc, m.Src(), x.rloc)
		}
		return
	}
	header, size, err := lowpan.ParseMeshHeader(m.Data)
	if err != nil {
		return
	}
	r := received{payload: m.Data[size:], src: header.Src, dst: header.Dst}
	if g, ok := x.peek(&r); ok && !g.icmpError && !g.tmf {
		d.delivered(mle.RLOC16(header.Dst.Short), g.Src, mle.RLOC16(header.Src.Short))
	}
}

// receiveOwn looks at a frame from this node's own address: an MLE message in it may be another node's.
func (x *meshLayer) receiveOwn(f mac.Received) {
	if lowpan.DispatchOf(f.Payload) != lowpan.DispatchIPHC {
		return
	}
	datagram, consumed, err := lowpan.Decompress(x.datagram[:0], f.Payload, f.Src, f.Dst, x.contexts, 0)
	if err != nil {
		return
	}
	x.datagram = append(datagram, f.Payload[consumed:]...)
	d, err := ip6.ParseDatagram(x.datagram)
	if err != nil || !securesItself(&d) {
		return
	}
	x.ip.mle.receiveOwn(d.Payload[ip6.UDPHeaderSize:], d.Src, d.Dst)
}

// arrive takes what has reached its last hop: it collects fragments, and hands whole datagrams up.
func (x *meshLayer) arrive(r received) {
	switch lowpan.DispatchOf(r.payload) {
	case lowpan.DispatchFirstFragment, lowpan.DispatchSubsequentFragment:
		x.counters.RxFragments++
		if h, ok := x.peek(&r); ok {
			x.learnSource(&r, h.Src, h.Dst)
		}
		origin := lowpan.Origin{Src: r.src, Dst: r.dst}
		origin.Security = uint8(r.security())
		before := x.reassembler.Dropped()
		datagram, err := x.reassembler.HandleFragment(x.Now, origin, r.payload, x.contexts)
		x.counters.ReassemblyDropped += x.reassembler.Dropped() - before
		if err != nil {
			x.counters.ReassemblyDropped++
			return
		}
		if datagram != nil {
			x.handUp(datagram, &r)
		}
	case lowpan.DispatchIPHC:
		datagram, consumed, err := lowpan.Decompress(x.datagram[:0], r.payload, r.src, r.dst, x.contexts, 0)
		if err != nil {
			x.counters.LowpanMalformed++
			return
		}
		x.datagram = append(datagram, r.payload[consumed:]...)
		r.whole = true
		if left := lowpan.EndsOf(r.payload, x.contexts); left != (lowpan.Ends{}) && !x.ends.restore(x.datagram, left, &r) {
			x.refuse(&r)
			return
		}
		x.handUp(x.datagram, &r)
	default:
		x.counters.LowpanMalformed++
	}
}

// refuse says that it is not known whose addresses a datagram has left out, see ends.
func (x *meshLayer) refuse(r *received) {
	x.counters.LowpanUnaddressed++
	if h, ok := x.peek(r); ok && r.secured && r.src.Mode == ieee802154.AddrModeShort {
		x.ip.sendUnreachable(mle.RLOC16(r.src.Short), h.Header, h.icmpError)
	}
}

// handUp gives a datagram to the layer above. It is parsed here, once; what only its destination looks at waits until that is known.
func (x *meshLayer) handUp(datagram []byte, r *received) {
	d, err := ip6.ParseTransit(datagram)
	if err != nil || d.Src.IsMulticast() { // RFC 4291 §2.7: no source
		x.counters.IPMalformed++
		return
	}
	if r.whole {
		x.learnSource(r, d.Src, d.Dst)
	}
	if x.astray(&d, r) {
		x.counters.MeshNoRoute++
		x.ip.sendUnreachable(mle.RLOC16(r.src.Short), d.Header, isICMPError(d.Protocol, d.Payload))
		return
	}
	if x.leaves(&d, r) {
		x.counters.RxDatagrams++
		x.ip.toOutside(&d)
		return
	}
	x.ip.receive(&d, r.security(), r.rssi)
}

// astray reports whether a datagram has been sent here by who takes this node, or a child of it, for the place of its destination, which
// is not here: who looks for places himself sends to none that is only on the way.
//
// Deviation: OpenThread passes it on to where it then believes the destination, or drops it; the sender's belief stays wrong.
func (x *meshLayer) astray(d *ip6.Datagram, r *received) bool {
	switch {
	case !r.secured || r.src.Mode != ieee802154.AddrModeShort || r.dst.IsBroadcast():
		return false
	case d.Dst.IsMulticast() || d.Dst.IsLinkLocalUnicast():
		return false
	case !x.attached() || !x.fullThreadDevice() || x.isMinimalChild(mle.RLOC16(r.src.Short)):
		return false
	}
	return !x.reachable(x.rloc, d.Dst) && !x.serves(d.Src, d.Dst)
}

// isICMPError reports whether the payload of a datagram, or the beginning of it, is an ICMPv6 error.
func isICMPError(p ip6.Protocol, payload []byte) bool {
	return p == ip6.ProtocolICMPv6 && len(payload) > 0 && ip6.ICMPv6Type(payload[0]).IsError()
}

// NextTimeout returns when a datagram is given up of which fragments are missing.
func (x *meshLayer) NextTimeout() (time.Time, bool) { return x.reassembler.NextTimeout() }

// HandleTimeout gives up datagrams of which fragments are missing.
func (x *meshLayer) HandleTimeout() {
	if t, ok := x.reassembler.NextTimeout(); ok && x.IsDue(t) {
		incomplete := x.reassembler.Len()
		x.reassembler.HandleTimeout(x.Now)
		x.counters.ReassemblyTimeout += uint64(incomplete - x.reassembler.Len())
	}
}

// receiveMesh handles a frame with a mesh header: it has arrived, or it goes on.
func (x *meshLayer) receiveMesh(r received) {
	frame, from := r.payload, r.src
	header, size, err := lowpan.ParseMeshHeader(frame)
	if err != nil || header.Src.Mode != ieee802154.AddrModeShort || header.Dst.Mode != ieee802154.AddrModeShort {
		x.counters.LowpanMalformed++
		return
	}
	if !r.secured {
		x.counters.MeshUnsecured++
		return
	}
	r.payload, r.src, r.dst = frame[size:], header.Src, header.Dst
	dst := mle.RLOC16(header.Dst.Short)
	if dst == x.rloc || x.isMinimalChild(dst) {
		x.arrive(r)
		return
	}
	inner, ok := x.peek(&r)
	if ok && x.correctSource(&r, inner.Src) && x.learns(inner.Src) {
		x.resolver.Learn(inner.Src, mle.RLOC16(r.src.Short))
		x.queries.deputy.answered(mle.RLOC16(r.src.Short), dst, inner.Dst)
	}
	if header.HopsLeft == 0 {
		x.counters.MeshHopsExceeded++
		return
	}
	if !x.isRouter() {
		x.counters.MeshNoRoute++
		return
	}
	if from.Mode == ieee802154.AddrModeShort {
		x.routes.breakLoop(mle.RLOC16(from.Short), dst)
	}
	priority := sender.PriorityNormal
	if ok {
		if !x.reachable(dst, inner.Dst) {
			x.counters.MeshNoRoute++
			x.ip.sendUnreachable(mle.RLOC16(header.Src.Short), inner.Header, inner.icmpError)
			return
		}
		priority = inner.priority()
	}
	header.HopsLeft--
	x.relay(header, r.payload, priority)
}

// relay sends a frame on.
func (x *meshLayer) relay(header lowpan.MeshHeader, payload []byte, p sender.Priority) {
	m := x.sender.New()
	var err error
	if m.Data, err = header.AppendBinary(m.Data); err != nil {
		x.sender.Free(m)
		return
	}
	m.Data = append(m.Data, payload...)
	m.Kind, m.Priority = sender.KindMeshFrame, p
	_ = x.sender.Enqueue(m) // counted there
}

// isMinimalChild reports whether rloc is a child of this node that leaves 6LoWPAN's mesh header to its parent.
func (x *meshLayer) isMinimalChild(rloc mle.RLOC16) bool {
	if !x.isRouter() || !rloc.IsChild() || rloc.RouterID() != x.ownID() {
		return false
	}
	c := x.neighbors.Children.ByRLOC16(rloc)
	return c != nil && c.Established() && !c.FullThreadDevice()
}

// A glimpse is what a frame shows of its datagram.
type glimpse struct {
	ip6.Header
	icmpError bool
	tmf       bool
}

// priority is that of the network's own messages for such as pass through, too: a router ID, or where an address is or is not, is not to be had
// without.
func (g *glimpse) priority() sender.Priority {
	if g.tmf || g.icmpError {
		return sender.PriorityNet
	}
	return sender.PriorityOf(g.TrafficClass)
}

// peek returns the IPv6 header of a frame, if it is the first or the only one of its datagram.
func (x *meshLayer) peek(r *received) (glimpse, bool) {
	payload := r.payload
	if lowpan.DispatchOf(payload) == lowpan.DispatchFirstFragment {
		f, err := lowpan.ParseFragmentHeader(payload)
		if err != nil {
			return glimpse{}, false
		}
		payload = payload[f.Size():]
	}
	if lowpan.DispatchOf(payload) != lowpan.DispatchIPHC {
		return glimpse{}, false
	}
	h, size, err := lowpan.DecompressHeader(payload, r.src, r.dst, x.contexts)
	if err != nil {
		return glimpse{}, false
	}
	return glimpse{h, isICMPError(h.NextHeader, payload[size:]), h.NextHeader == ip6.ProtocolUDP && x.isTMF(payload, r, h.Dst)}, true
}

// isTMF reports whether a frame, which starts with LOWPAN_IPHC, has a message of Thread's management to a node of the mesh.
func (x *meshLayer) isTMF(payload []byte, r *received, dst netip.Addr) bool {
	if !x.addresses.Prefix().Contains(dst) {
		return false
	}
	var err error
	x.glimpsed, _, err = lowpan.Decompress(x.glimpsed[:0], payload, r.src, r.dst, x.contexts, 0)
	if err != nil || len(x.glimpsed) < ip6.HeaderSize+ip6.UDPHeaderSize {
		return false
	}
	port := binary.BigEndian.Uint16(x.glimpsed[ip6.HeaderSize+2:])
	return port == tmf.UDPPort
}

// learnSource notes where the source of a datagram for this node, or a child of it, is to be found: it will be answered.
func (x *meshLayer) learnSource(r *received, src, dst netip.Addr) {
	if !x.correctSource(r, src) || !x.sought(src) {
		return
	}
	x.resolver.Learn(src, mle.RLOC16(r.src.Short))
	if dst == x.addresses.EID() && mle.RLOC16(r.dst.Short) == x.rloc {
		x.resolver.Spoke(src, x.rloc)
		x.queries.deputy.answered(mle.RLOC16(r.src.Short), x.rloc, dst)
	}
	x.queries.settle()
}

// correctSource notes that the source of a datagram is elsewhere than it was taken to be. It reports false if the datagram does not tell.
func (x *meshLayer) correctSource(r *received, src netip.Addr) bool {
	if !r.secured || r.src.Mode != ieee802154.AddrModeShort || r.dst.IsBroadcast() || !x.attached() {
		return false
	}
	rloc := mle.RLOC16(r.src.Short)
	x.resolver.Correct(src, rloc)
	x.queries.settle()
	// A minimal child that sends through another router has left.
	if x.isRouter() && rloc.RouterID() != x.ownID() {
		if c := x.neighbors.Children.ByAddress(src); c != nil && !c.FullThreadDevice() {
			x.change.drop(&c.Neighbor)
		}
	}
	return true
}

// learns reports whether the source of a passing datagram is worth to be known: a deputy may be asked for it.
func (x *meshLayer) learns(a netip.Addr) bool {
	return x.queries.deputy.active() && x.addresses.Prefix().Contains(a) && x.sought(a)
}

// sought reports whether the place of an address is one that has to be asked for.
func (x *meshLayer) sought(a netip.Addr) bool {
	_, locator := x.addresses.Locator(a)
	return !locator && x.addresses.OnMesh(a) && !x.addresses.Own(a)
}

// Route finds the way of a datagram of this node's, or for a child of it.
func (x *meshLayer) Route(m *sender.Message) (sender.Hop, sender.Answer) {
	h, answer := x.route(m)
	if answer == sender.Found && m.Kind != sender.KindMLE {
		return x.pace(h)
	}
	return h, answer
}

// pace says when a hop that does not acknowledge may be tried again. A child that has not for too long is not tried any more, until it
// is heard; the link to a router ends then.
func (x *meshLayer) pace(h sender.Hop) (sender.Hop, sender.Answer) {
	n := x.neighbors.ByAddr(h.Dst)
	if n == nil {
		return h, sender.Found
	}
	h.PauseUntil = n.PauseUntil
	if n.Kind() == neighbors.KindChild && int(n.Failures) >= x.timing.FailedChildTransmissions {
		return h, sender.Dead
	}
	return h, sender.Found
}

// Sleeper reports whether the way of a message ends at a child of this node that sleeps.
func (x *meshLayer) Sleeper(m *sender.Message) (child ieee802154.ExtAddr, sleeps bool) {
	switch {
	case m.For != (ieee802154.ExtAddr{}):
		return m.For, true
	case m.Kind == sender.KindMeshFrame, !x.isRouter(), x.neighbors.Children.Empty(), m.Dst().IsMulticast():
		return child, false
	case m.Kind == sender.KindMLE && m.Command == mle.ParentResponse:
		return child, false // who searches listens
	}
	n := x.neighbors.ByIP(m.Dst(), x.addresses.Prefix())
	if n == nil || n.Kind() != neighbors.KindChild || !n.Sleepy() {
		return child, false
	}
	return n.Ext, true
}

// routeFor finds the way of a copy of a multicast for a child that sleeps.
func (x *meshLayer) routeFor(m *sender.Message) (sender.Hop, sender.Answer) {
	c := x.neighbors.Children.ByExt(m.For)
	if c == nil || !c.Established() {
		return sender.Hop{}, sender.NoRoute
	}
	h := sender.Hop{Src: neighbors.ShortAddr(x.rloc), Dst: neighbors.ShortAddr(c.RLOC16)}
	if neighbors.ExtOf(m.Src()) == x.Ext {
		h.Src = ieee802154.ExtAddress(x.Ext)
	}
	return h, sender.Found
}

func (x *meshLayer) route(m *sender.Message) (sender.Hop, sender.Answer) {
	if m.For != (ieee802154.ExtAddr{}) {
		return x.routeFor(m)
	}
	var h sender.Hop
	src, dst := m.Src(), m.Dst()
	if neighbors.ExtOf(src) == x.Ext {
		h.Src = ieee802154.ExtAddress(x.Ext)
	} else {
		if x.rloc == mle.InvalidRLOC16 {
			return h, sender.NoRoute
		}
		h.Src = neighbors.ShortAddr(x.rloc)
	}
	switch {
	case dst.IsMulticast():
		if x.role == RoleChild && m.Kind != sender.KindMLE {
			return x.toParent(h) // which distributes a child's multicasts
		}
		h.Dst = neighbors.ShortAddr(mle.BroadcastRLOC16)
		return h, foundWhere(x.attached() || ip6.ScopeOf(dst) == ip6.ScopeLinkLocal)
	case dst.IsLinkLocalUnicast():
		h.Dst = lowpan.AddrOf(ip6.InterfaceIDOf(dst))
		return h, sender.Found
	case !x.attached():
		return h, sender.NoRoute
	case !x.fullThreadDevice():
		return x.toParent(h)
	}
	to, answer := x.locate(src, dst)
	if answer == sender.Found {
		h.Ends = x.ends.of(src, dst)
		return x.routeTo(h, to, dst)
	}
	return h, answer
}

func foundWhere(ok bool) sender.Answer {
	if ok {
		return sender.Found
	}
	return sender.NoRoute
}

func (x *meshLayer) toParent(h sender.Hop) (sender.Hop, sender.Answer) {
	h.Dst = neighbors.ShortAddr(x.neighbors.Parent.RLOC16)
	return h, foundWhere(x.neighbors.Parent.Valid())
}

// routeTo finds the way to the node to, which has address dst.
func (x *meshLayer) routeTo(h sender.Hop, to mle.RLOC16, dst netip.Addr) (sender.Hop, sender.Answer) {
	if !x.reachable(to, dst) {
		x.resolver.Fail(dst)
		return h, sender.NoRoute
	}
	next, ok := x.routes.nextHop(to)
	if !ok {
		return h, sender.NoRoute
	}
	if next != to {
		if hop, ok := x.shortcuts.next(to); ok {
			next, h.Shortcut = hop, true
		}
	}
	h.Dst = neighbors.ShortAddr(next)
	if next != to {
		hops := x.routes.hopsTo(to)
		h.Mesh, h.MeshSrc, h.MeshDst, h.HopsLeft, h.Far = true, x.rloc, to, hops+spareHops, hops > 2
		h.Src = neighbors.ShortAddr(x.rloc)
	}
	return h, sender.Found
}

// Relay finds the next hop of a frame that passes through.
func (x *meshLayer) Relay(dst mle.RLOC16) (sender.Hop, sender.Answer) {
	if x.rloc == mle.InvalidRLOC16 {
		return sender.Hop{}, sender.NoRoute
	}
	if hop, ok := x.shortcuts.next(dst); ok && x.isRouter() {
		return sender.Hop{Src: neighbors.ShortAddr(x.rloc), Dst: neighbors.ShortAddr(hop), Shortcut: true}, sender.Found
	}
	next, ok := x.routes.nextHop(dst)
	if !ok || x.neighbors.ByRLOC16(next) == nil {
		return sender.Hop{}, sender.NoRoute
	}
	return x.pace(sender.Hop{Src: neighbors.ShortAddr(x.rloc), Dst: neighbors.ShortAddr(next)})
}

// locate returns the node that has an address beyond this link, or by which a datagram from src leaves the mesh.
func (x *meshLayer) locate(src, dst netip.Addr) (mle.RLOC16, sender.Answer) {
	if rloc, ok := x.addresses.Locator(dst); ok {
		switch {
		case rloc == mle.ALOCLeader:
			return x.leader.LeaderRouterID.RLOC16(), sender.Found
		case rloc.Valid():
			return rloc, sender.Found
		case mle.ALOCCommissionerFirst <= rloc && rloc <= mle.ALOCCommissionerLast:
			at, ok := commissioning.Locator(x.netData)
			return at, foundWhere(ok)
		}
		rloc, ok = x.netData.Nearest(rloc, x.routes)
		return rloc, foundWhere(ok)
	}
	if n := x.neighbors.ByIP(dst, x.addresses.Prefix()); n != nil && !x.seemsGone(n) {
		return n.RLOC16, sender.Found
	}
	if !x.onMesh(dst) {
		rloc, ok := x.netData.Route(src, dst, x.routes)
		return rloc, foundWhere(ok)
	}
	x.places.recall(dst)
	rloc, answer := x.resolver.Resolve(dst)
	switch answer {
	case resolver.Known:
		return rloc, sender.Found
	case resolver.Asking:
		return 0, sender.Wait
	}
	return 0, sender.NoRoute
}

// reachable reports whether a frame to node dst with a datagram for addr makes sense.
func (x *meshLayer) reachable(dst mle.RLOC16, addr netip.Addr) bool {
	switch {
	case dst == x.rloc:
		if x.addresses.Own(addr) || !x.isRouter() {
			return x.addresses.Own(addr)
		}
		n := x.neighbors.ByIP(addr, x.addresses.Prefix())
		return n != nil && !x.seemsGone(n)
	case x.role == RoleChild:
		return true
	case dst.RouterID() == x.ownID():
		c := x.neighbors.Children.ByRLOC16(dst)
		return c != nil && c.Established() && !x.seemsGone(&c.Neighbor)
	}
	_, ok := x.routes.nextHop(dst)
	return ok
}

// seemsGone reports whether a child does not answer: it may have another parent by now, which others are to ask for.
func (x *meshLayer) seemsGone(n *neighbors.Neighbor) bool {
	return n.Kind() == neighbors.KindChild && int(n.Failures) >= x.timing.FailedChildTransmissions
}
