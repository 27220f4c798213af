package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
)

// Datagrams on their way out, and frames that pass through.
//
// The send queue is one list in order of priority, served neighbor by neighbor: within a priority each next hop keeps its order,
// and the hops take turns, so that a slow or dead neighbor delays the others by one frame at most. The way is looked up anew for
// each frame. (Sleepy children will have their datagrams held back here until they poll.)

type priority uint8

// Priorities (Thread 1.1 §5.12): the network's own messages first.
const (
	priorityLow priority = iota
	priorityNormal
	priorityHigh
	priorityNet
)

// Limits that this implementation chose.
const (
	maxQueued  = 64 // datagrams and frames that wait for the radio
	maxWaiting = 16 // datagrams that wait for an address
	maxPackets = 64 // datagrams that wait for the host
	maxEvents  = 256

	reassemblies = 8
	mplDatagrams = 8
	mplSeeds     = 32
)

// message is an IPv6 datagram on its way out, or a frame with a mesh header on its way through.
type message struct {
	data     []byte
	mesh     bool // data is a mesh header and what follows it
	mle      bool
	secured  bool // by the MAC; of MLE messages only those that do not fit into one frame
	command  mle.Command
	priority priority
	tag      uint16
	offset   int             // bytes of a datagram that have been sent
	after    time.Time       // when the next fragment may go
	hop      ieee802154.Addr // that passed the last one on
	expires  time.Time       // zero for never; what has been begun is finished
}

type forwarder struct {
	queue   []*message
	waiting []*message // for an address
	pool    []*message

	current *message  // the one whose frame the MAC has
	next    int       // its offset once that frame is sent
	relayed bool      // the next hop passes that frame on
	timer   time.Time // when a message that pauses may go on
	served  ieee802154.Addr
	tag     uint16
}

// hop is the way of one frame.
type hop struct {
	src, dst         ieee802154.Addr
	mesh             bool // a mesh header leads on from dst
	meshSrc, meshDst mle.RLOC16
}

type routeResult uint8

const (
	routeFound routeResult = iota
	routeWait              // for an address
	routeDrop
)

func (e *Engine) initForwarding() {
	e.fwd.tag = uint16(e.rand.Uint32())
	e.reasm = lowpan.NewReassembler(lowpan.Limits{Datagrams: reassemblies, Timeout: e.timing.Reassembly})
	e.seeds = mpl.NewSeedSet(mplSeeds, e.timing.MPLSeedLifetime)
	e.mplSent = mpl.NewBuffer(e.rand, mpl.BufferConfig{
		Interval: e.timing.MPLInterval, Expirations: mpl.ChildExpirations, Datagrams: mplDatagrams,
	})
}

// stopForwarding drops everything under way.
func (e *Engine) stopForwarding() {
	e.stopMAC()
	f := &e.fwd
	for _, m := range f.queue {
		f.free(m)
	}
	for _, m := range f.waiting {
		f.free(m)
	}
	f.queue, f.waiting, f.current = f.queue[:0], f.waiting[:0], nil
	e.forgetAddresses()
	e.reasm.Reset()
	e.mplSent.Reset()
}

func (f *forwarder) newMessage() *message {
	if n := len(f.pool); n > 0 {
		m := f.pool[n-1]
		f.pool = f.pool[:n-1]
		return m
	}
	return new(message)
}

func (f *forwarder) free(m *message) {
	*m = message{data: m.data[:0]}
	f.pool = append(f.pool, m)
}

// enqueue takes a message over. When the queue is full the last of the lowest priority gives way, if it is lower.
func (e *Engine) enqueue(m *message) bool {
	f := &e.fwd
	if !e.up {
		f.free(m)
		return false
	}
	if n := len(f.queue); n >= maxQueued {
		e.counters.QueueFull++
		last := f.queue[n-1]
		if last.priority >= m.priority || last == f.current {
			f.free(m)
			return false
		}
		f.queue = f.queue[:n-1]
		f.free(last)
	}
	i := len(f.queue)
	for i > 0 && f.queue[i-1].priority < m.priority {
		i--
	}
	f.queue = slices.Insert(f.queue, i, m)
	return true
}

func (f *forwarder) remove(m *message) {
	if i := slices.Index(f.queue, m); i >= 0 {
		f.queue = slices.Delete(f.queue, i, i+1)
	}
	if f.current == m {
		f.current = nil
	}
	f.free(m)
}

// nextFrame gives an idle MAC the next frame.
func (e *Engine) nextFrame() {
	for e.up && e.mac.state == macIdle {
		m, h := e.chooseMessage()
		if len(e.queries) > 0 {
			e.sendQueries() // they come first: management traffic
			continue
		}
		if m == nil {
			return
		}
		if err := e.startFrame(m, h); err != nil {
			e.counters.TxDatagramsFailed++
			e.fwd.remove(m)
		}
	}
}

// chooseMessage returns the message whose turn it is and its way, nil if there is none.
func (e *Engine) chooseMessage() (chosen *message, way hop) {
	f := &e.fwd
	f.timer = noTime
	passed := false // an MLE message has been passed over
	for i := 0; i < len(f.queue); {
		m := f.queue[i]
		if chosen != nil && m.priority != chosen.priority {
			break
		}
		if m.offset == 0 && e.isDue(m.expires) {
			e.counters.TxDatagramsFailed++
			f.remove(m)
			continue
		}
		if m.after.After(e.now) {
			f.timer = earliest(f.timer, m.after)
			i++
			continue
		}
		if m.mle && passed {
			// Sealed already, MLE messages keep their order: a neighbor takes one that comes after a later broadcast for a replay.
			i++
			continue
		}
		h, result := e.routeMessage(m)
		switch result {
		case routeDrop:
			e.counters.TxDatagramsFailed++
			f.remove(m)
			continue
		case routeWait:
			f.queue = slices.Delete(f.queue, i, i+1)
			if len(f.waiting) >= maxWaiting {
				e.counters.AddressUnresolved++
				f.free(f.waiting[0])
				f.waiting = slices.Delete(f.waiting, 0, 1)
			}
			f.waiting = append(f.waiting, m)
			continue
		}
		if h.mesh && f.pausing(i, h.dst) {
			i++ // it would spoil the pause, and overtake
			continue
		}
		if h.dst != f.served {
			return m, h
		}
		if chosen == nil {
			chosen, way = m, h
		}
		passed = passed || m.mle
		i++
	}
	return chosen, way
}

// pausing reports whether one of the first n messages pauses between fragments that hop passes on.
func (f *forwarder) pausing(n int, hop ieee802154.Addr) bool {
	if f.timer.IsZero() {
		return false
	}
	return slices.ContainsFunc(f.queue[:n], func(m *message) bool { return !m.after.IsZero() && m.hop == hop })
}

// startFrame builds the next frame of a message and hands it to the MAC.
func (e *Engine) startFrame(m *message, h hop) error {
	err := e.buildFrame(m, h)
	if err == nil && m.mle && !m.secured && e.fwd.next < len(m.data) {
		// An MLE message that needs fragments is secured by the MAC as well (Thread 1.1 §4.9): nothing else tells
		// whose fragments they are.
		m.secured = true
		err = e.buildFrame(m, h)
	}
	if err != nil {
		return err
	}
	e.fwd.current, e.fwd.served, e.fwd.relayed = m, h.dst, h.mesh
	return e.transmit()
}

func (e *Engine) buildFrame(m *message, h hop) error {
	f := &e.mac.frame
	*f = ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006,
		AckRequest: !h.dst.IsBroadcast(), PANIDCompression: true,
		DstPAN: e.pan, SrcPAN: e.pan, Dst: h.dst, Src: h.src,
	}
	if m.secured {
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
	}
	payload := e.mac.payload[:0]
	if m.mesh {
		e.mac.payload = append(payload, m.data...)
		e.fwd.next = len(m.data)
		return nil
	}
	room := ieee802154.MaxPSDU - f.Overhead()
	src, dst := h.src, h.dst
	if h.mesh {
		src = ieee802154.ShortAddress(ieee802154.ShortAddr(h.meshSrc))
		dst = ieee802154.ShortAddress(ieee802154.ShortAddr(h.meshDst))
		header := lowpan.MeshHeader{HopsLeft: e.hopsTo(h.meshDst), Src: src, Dst: dst}
		var err error
		if payload, err = header.AppendBinary(payload); err != nil {
			return err
		}
		room -= len(payload)
	}
	if m.offset == 0 && m.tag == 0 {
		e.fwd.tag++
		if e.fwd.tag == 0 {
			e.fwd.tag++
		}
		m.tag = e.fwd.tag
	}
	var err error
	e.mac.payload, e.fwd.next, err = lowpan.Packet{Datagram: m.data, Tag: m.tag, Src: src, Dst: dst}.
		AppendFrame(payload, m.offset, room, &e.contexts)
	f.FramePending = e.fwd.next < len(m.data)
	return err
}

// hopsTo is the hop limit of a mesh header: the cost of the route and a little more, for it may change on the way.
func (e *Engine) hopsTo(dst mle.RLOC16) uint8 {
	const spare = 1
	hops := uint8(maxRouteCost + 1) // a child knows no costs
	if e.isRouter() {
		hops = e.routers.pathCost(e.routers.get(dst.RouterID()))
	}
	if !dst.IsRouter() {
		hops++
	}
	return hops + spare
}

// frameSent is the MAC's report on the frame of the current message. n is its next hop, if that is a neighbor.
func (e *Engine) frameSent(result txResult, n *neighbor) {
	f := &e.fwd
	m := f.current
	f.current = nil
	failed := result == txNoAck || result == txBusy
	if m != nil && slices.Contains(f.queue, m) {
		switch {
		case failed:
			if !m.mesh {
				e.counters.TxDatagramsFailed++
			}
			f.remove(m)
		case f.next < len(m.data):
			m.offset = f.next
			if f.relayed {
				m.after, m.hop = e.now.Add(e.fragmentGap(m)), f.served
			}
		default:
			if m.mesh {
				e.counters.Forwarded++
			} else {
				e.counters.TxDatagrams++
			}
			f.remove(m)
		}
	}
	if result == txNoAck && n != nil && n.rloc.IsRouter() && int(n.failures) >= e.timing.FailedRouterTransmissions {
		e.log.Info("link lost", "router", n.rloc, "frames", n.failures)
		e.removeNeighbor(n)
	}
}

// fragmentGap is the pause between the fragments of a datagram.
func (e *Engine) fragmentGap(m *message) time.Duration {
	const fragmentSize = 88 // bytes of a datagram in one fragment behind a mesh header
	return min(e.timing.FragmentGap, e.timing.FragmentGaps*fragmentSize/time.Duration(len(m.data)))
}

// dropQueuedMLE drops the messages of a command to dst that nobody has begun to send and something newer replaces.
func (e *Engine) dropQueuedMLE(dst netip.Addr, command mle.Command) {
	f := &e.fwd
	for i := 0; i < len(f.queue); {
		m := f.queue[i]
		if m.mle && m.command == command && m != f.current && m.offset == 0 {
			if h, err := ip6.ParseHeader(m.data); err == nil && h.Dst == dst {
				f.remove(m)
				continue
			}
		}
		i++
	}
}

// releaseWaiting sends what waited for an address, dropWaiting gives it up.
func (e *Engine) releaseWaiting(target netip.Addr) {
	e.takeWaiting(target, func(m *message) { e.enqueue(m) })
}

func (e *Engine) dropWaiting(target netip.Addr) {
	e.takeWaiting(target, func(m *message) {
		e.counters.AddressUnresolved++
		e.fwd.free(m)
	})
}

func (e *Engine) takeWaiting(target netip.Addr, take func(*message)) {
	f := &e.fwd
	for i := 0; i < len(f.waiting); {
		m := f.waiting[i]
		if h, err := ip6.ParseHeader(m.data); err == nil && h.Dst == target {
			f.waiting = slices.Delete(f.waiting, i, i+1)
			take(m)
			continue
		}
		i++
	}
}

func (e *Engine) ownShort() (ieee802154.Addr, bool) {
	return ieee802154.ShortAddress(ieee802154.ShortAddr(e.rloc)), e.rloc != mle.InvalidRLOC16
}

func shortAddr(r mle.RLOC16) ieee802154.Addr { return ieee802154.ShortAddress(ieee802154.ShortAddr(r)) }

// routeMessage finds the way of a message.
func (e *Engine) routeMessage(m *message) (hop, routeResult) {
	if m.mesh {
		return e.routeMesh(m)
	}
	d, err := ip6.ParseHeader(m.data)
	if err != nil {
		return hop{}, routeDrop
	}
	var h hop
	if extOf(d.Src) == e.ext {
		h.src = ieee802154.ExtAddress(e.ext)
	} else {
		var ok bool
		if h.src, ok = e.ownShort(); !ok {
			return h, routeDrop
		}
	}
	switch {
	case d.Dst.IsMulticast():
		if e.role == RoleChild && !m.mle {
			// The parent distributes a child's multicasts.
			h.dst = shortAddr(e.parent.rloc)
			return h, e.found(e.parent.state == stateValid)
		}
		h.dst = shortAddr(mle.BroadcastRLOC16)
		return h, e.found(e.attached() || ip6.ScopeOf(d.Dst) == ip6.ScopeLinkLocal)
	case d.Dst.IsLinkLocalUnicast():
		h.dst = lowpan.AddrOf(ip6.InterfaceIDOf(d.Dst))
		return h, routeFound
	case !e.attached():
		return h, routeDrop
	case !e.fullThreadDevice():
		h.dst = shortAddr(e.parent.rloc)
		return h, e.found(e.parent.state == stateValid)
	}
	dst, result := e.locate(d.Dst)
	if result != routeFound {
		if result == routeDrop {
			e.counters.IPNoRoute++
		}
		return h, result
	}
	if !e.reachable(dst, d.Dst) {
		e.resolver.remove(d.Dst)
		e.counters.IPNoRoute++
		return h, routeDrop
	}
	next, ok := e.nextHop(dst)
	if !ok {
		e.counters.IPNoRoute++
		return h, routeDrop
	}
	h.dst = shortAddr(next)
	if next != dst {
		h.mesh, h.meshSrc, h.meshDst = true, e.rloc, dst
		h.src, _ = e.ownShort()
	}
	return h, routeFound
}

func (e *Engine) found(ok bool) routeResult {
	if ok {
		return routeFound
	}
	return routeDrop
}

// routeMesh finds the next hop of a frame that passes through.
func (e *Engine) routeMesh(m *message) (hop, routeResult) {
	header, _, err := lowpan.ParseMeshHeader(m.data)
	if err != nil {
		return hop{}, routeDrop
	}
	src, ok := e.ownShort()
	if !ok {
		return hop{}, routeDrop
	}
	next, ok := e.nextHop(mle.RLOC16(header.Dst.Short))
	if !ok || e.neighborByRLOC(next) == nil {
		e.counters.MeshNoRoute++
		return hop{}, routeDrop
	}
	return hop{src: src, dst: shortAddr(next)}, routeFound
}

// locate returns the node that has an address beyond this link (Thread 1.1 §5.5).
func (e *Engine) locate(dst netip.Addr) (mle.RLOC16, routeResult) {
	if rloc, ok := e.rlocOf(dst); ok {
		switch {
		case rloc == mle.ALOCLeader:
			return e.leader.LeaderRouterID.RLOC16(), routeFound
		case rloc.Valid():
			return rloc, routeFound
		}
		return 0, routeDrop
	}
	if n := e.neighborByIP(dst); n != nil {
		return n.rloc, routeFound
	}
	if e.isOnMesh(dst) {
		return e.resolve(dst)
	}
	return 0, routeDrop // off-mesh routes come with border routers
}

// reachable reports whether a frame to node dst with a datagram for addr makes sense.
func (e *Engine) reachable(dst mle.RLOC16, addr netip.Addr) bool {
	switch {
	case dst == e.rloc:
		return e.isOwn(addr) || e.isRouter() && e.neighborByIP(addr) != nil
	case e.role == RoleChild:
		return true
	case dst.RouterID() == e.routing.id:
		c := e.children.byRLOC(dst)
		return c != nil && c.validOrRestoring()
	}
	_, ok := e.nextHop(dst)
	return ok
}
