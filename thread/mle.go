package thread

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// errMLEUnexpected says that a message is well-formed but fits nothing that this node is doing.
var errMLEUnexpected = errors.New("thread: unexpected MLE message")

// universalLocal is the bit of an interface identifier that is the inverse of that in the extended address (RFC 4291 appendix A).
const universalLocal = 0x02

// extOf is the extended address in a link-local address.
func extOf(a netip.Addr) ieee802154.ExtAddr {
	ext := ieee802154.ExtAddr(ip6.InterfaceIDOf(a))
	ext[0] ^= universalLocal
	return ext
}

// mleInfo is what the layers below know of a received message.
type mleInfo struct {
	src, dst    netip.Addr
	ext         ieee802154.ExtAddr // of the sender
	rssi        int8
	keySequence keys.Sequence
}

// delayedMessage is an MLE message that waits for its random delay. It is secured when it leaves.
type delayedMessage struct {
	at    time.Time
	dst   netip.Addr
	plain []byte
}

// newMessage starts an MLE message: append TLVs, then sendMLE or delayMLE it before the next is started.
func (e *Engine) newMessage(c mle.Command) []byte { return mle.AppendCommand(e.scratch[:0], c) }

// sendMLE secures a message and queues it (Thread 1.1 §4.9).
func (e *Engine) sendMLE(dst netip.Addr, plain []byte) {
	e.scratch = plain[:0]
	if !e.reserveCounters() {
		return
	}
	e.sealed = mle.AppendSealed(e.sealed[:0], e.linkLocalAddr, dst, e.ext, e.keySequence, e.mleCounter,
		e.keysFor(e.keySequence).mle, plain)
	e.mleCounter++
	e.counters.TxMLE++
	command := mle.Command(plain[0])
	if e.debug {
		e.log.Debug("MLE sent", "command", command, "to", dst)
	}
	msg := e.fwd.newMessage()
	var err error
	msg.data, err = ip6.AppendUDP(msg.data, ip6.Header{HopLimit: mle.HopLimit, Src: e.linkLocalAddr, Dst: dst},
		mle.UDPPort, mle.UDPPort, e.sealed)
	if err != nil {
		e.fwd.free(msg)
		return
	}
	msg.mle, msg.command = true, command
	// What a busy channel holds up for longer asks or answers nothing that still counts, and would hold up what follows.
	msg.expires = e.now.Add(e.timing.LinkRequest)
	msg.priority = priorityNet
	e.enqueue(msg)
}

// maxDelayed bounds the messages that wait for their random delay, however many requests come.
const maxDelayed = 32

// delayMLE sends a message after a delay.
func (e *Engine) delayMLE(dst netip.Addr, plain []byte, delay time.Duration) {
	if len(e.delayed) >= maxDelayed {
		e.counters.QueueFull++
		return
	}
	e.delayed = append(e.delayed, delayedMessage{at: e.now.Add(delay), dst: dst, plain: slices.Clone(plain)})
	e.scratch = plain[:0]
}

func (e *Engine) sendDelayed() {
	for i := 0; i < len(e.delayed); {
		if d := e.delayed[i]; e.isDue(d.at) {
			e.delayed = slices.Delete(e.delayed, i, i+1)
			e.sendMLE(d.dst, d.plain)
			continue
		}
		i++
	}
}

// receiveMLE handles the UDP payload of a datagram to the MLE port (Thread 1.1 §4.9, §7.2.2).
func (e *Engine) receiveMLE(payload []byte, src, dst netip.Addr, hopLimit uint8, rssi int8) {
	e.counters.RxMLE++
	// Only a neighbor's message has not passed a router.
	if hopLimit != mle.HopLimit || !src.IsLinkLocalUnicast() {
		e.counters.MLEMalformed++
		return
	}
	h, err := mle.ParseHeader(payload)
	if err != nil {
		e.counters.MLEMalformed++
		return
	}
	if h.Suite == mle.SuiteNone {
		// Discovery, unsecured by nature, comes with scanning.
		e.counters.MLEUnexpected++
		return
	}
	if e.role == RoleDisabled {
		return
	}
	info := mleInfo{src: src, dst: dst, ext: extOf(src), rssi: rssi, keySequence: h.KeySequence}
	if e.opened, err = h.Open(e.opened[:0], payload, src, dst, info.ext, e.mleCipher(h.KeySequence)); err != nil {
		e.counters.MLESecurity++
		return
	}
	m, err := mle.ParseMessage(e.opened)
	if err != nil {
		e.counters.MLEMalformed++
		return
	}
	if h.KeySequence > e.keySequence {
		e.advanceKeySequence(h.KeySequence)
	}

	n := e.mleNeighbor(m.Command, info.ext)
	if n != nil && n.state == stateValid {
		if n.mle.Check(h.KeySequence, h.FrameCounter) != nil {
			e.counters.MLEReplay++
			return
		}
		n.mle.Accept(h.KeySequence, h.FrameCounter)
	} else if !fromStranger(m.Command) {
		e.counters.MLEUnknownNeighbor++
		return
	}
	if e.debug {
		e.log.Debug("MLE received", "command", m.Command, "from", src, "rssi", rssi)
	}

	switch err := e.dispatchMLE(m, info); {
	case err == nil:
	case errors.Is(err, errMLEUnexpected):
		e.counters.MLEUnexpected++
	default:
		e.counters.MLEMalformed++
		if e.debug {
			e.log.Debug("MLE dropped", "command", m.Command, "from", src, "err", err)
		}
	}
}

// mleCipher returns the MLE cipher of a key sequence. One far from the current is derived for this message alone, so that a sender
// of invented sequences cannot push the current ones out.
func (e *Engine) mleCipher(seq keys.Sequence) *ieee802154.CCM {
	if seq+1 >= e.keySequence && seq <= e.keySequence+1 {
		return e.keysFor(seq).mle
	}
	return ieee802154.NewCCM(keys.Derive(e.networkKey, seq).MLE)
}

// fromStranger reports whether a command makes sense from a node that is no neighbor yet.
func fromStranger(c mle.Command) bool {
	switch c {
	case mle.LinkRequest, mle.LinkAccept, mle.LinkAcceptAndRequest, mle.Advertisement, mle.ParentRequest, mle.ParentResponse,
		mle.ChildIDRequest, mle.ChildUpdateRequest, mle.ChildUpdateResponse, mle.Announce:
		return true
	}
	return false
}

// mleNeighbor returns the neighbor whose frame counter a message must pass.
func (e *Engine) mleNeighbor(c mle.Command, ext ieee802154.ExtAddr) *neighbor {
	if e.isRouter() && c == mle.ChildIDResponse {
		return e.parentByExt(ext) // a router that is changing partition
	}
	return e.neighborByExt(ext)
}

func (e *Engine) dispatchMLE(m mle.Message, info mleInfo) error {
	switch m.Command {
	case mle.LinkRequest:
		return e.handleLinkRequest(m, info)
	case mle.LinkAccept, mle.LinkAcceptAndRequest:
		return e.handleLinkAccept(m, info)
	case mle.Advertisement:
		return e.handleAdvertisement(m, info)
	case mle.DataRequest:
		return e.handleDataRequest(m, info)
	case mle.DataResponse:
		return e.handleDataResponse(m, info)
	case mle.ParentRequest:
		return e.handleParentRequest(m, info)
	case mle.ParentResponse:
		return e.handleParentResponse(m, info)
	case mle.ChildIDRequest:
		return e.handleChildIDRequest(m, info)
	case mle.ChildIDResponse:
		return e.handleChildIDResponse(m, info)
	case mle.ChildUpdateRequest:
		if e.isRouter() {
			return e.handleChildUpdateRequest(m, info)
		}
		return e.handleParentUpdateRequest(m, info)
	case mle.ChildUpdateResponse:
		if e.isRouter() {
			return e.handleChildUpdateResponse(m, info)
		}
		return e.handleParentUpdateResponse(m, info)
	}
	return errMLEUnexpected
}

func (e *Engine) appendFrameCounters(b []byte) []byte {
	// The MLE counter is that of a message to come: this one takes it when it is sealed.
	return mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, e.mac.counter), e.mleCounter)
}

// Neighbor lookups. Who counts as a neighbor depends on the role: an end device has its parent, a router its children and the
// routers it has a link to.

func (e *Engine) parentBy(match func(*neighbor) bool) *neighbor {
	if p := &e.parent.neighbor; p.validOrRestoring() && match(p) {
		return p
	}
	if c := &e.attach.candidate.neighbor; c.state == stateValid && match(c) {
		return c
	}
	return nil
}

func (e *Engine) parentByExt(ext ieee802154.ExtAddr) *neighbor {
	return e.parentBy(func(n *neighbor) bool { return n.ext == ext })
}

func (e *Engine) neighborByExt(ext ieee802154.ExtAddr) *neighbor {
	if !e.isRouter() {
		return e.parentByExt(ext)
	}
	if c := e.children.byExt(ext); c != nil && c.validOrRestoring() {
		return &c.neighbor
	}
	if r := e.routers.neighborByExt(ext); r != nil {
		return &r.neighbor
	}
	if e.attach.state != attachIdle {
		return e.parentByExt(ext)
	}
	return nil
}

func (e *Engine) neighborByRLOC(rloc mle.RLOC16) *neighbor {
	if !rloc.Valid() {
		return nil
	}
	if !e.isRouter() {
		return e.parentBy(func(n *neighbor) bool { return n.rloc == rloc })
	}
	if c := e.children.byRLOC(rloc); c != nil && c.validOrRestoring() {
		return &c.neighbor
	}
	if r := e.routers.neighborByRLOC(rloc); r != nil {
		return &r.neighbor
	}
	return nil
}

func (e *Engine) neighborByAddr(a ieee802154.Addr) *neighbor {
	switch a.Mode {
	case ieee802154.AddrModeShort:
		return e.neighborByRLOC(mle.RLOC16(a.Short))
	case ieee802154.AddrModeExt:
		return e.neighborByExt(a.Ext)
	}
	return nil
}

// receiveOnlyRouter returns a router that a child hears without being its child: its broadcasts can be authenticated.
func (e *Engine) receiveOnlyRouter(a ieee802154.Addr) *neighbor {
	if e.role != RoleChild || !e.fullThreadDevice() {
		return nil
	}
	var r *router
	switch a.Mode {
	case ieee802154.AddrModeShort:
		r = e.routers.neighborByRLOC(mle.RLOC16(a.Short))
	case ieee802154.AddrModeExt:
		r = e.routers.neighborByExt(a.Ext)
	}
	if r == nil {
		return nil
	}
	return &r.neighbor
}

// neighborByIP returns the neighbor that has an IPv6 address: by link-local address, RLOC, or an address that a child registered.
func (e *Engine) neighborByIP(a netip.Addr) *neighbor {
	if a.IsLinkLocalUnicast() {
		if rloc, ok := mle.LocatorOf(a); ok {
			return e.neighborByRLOC(rloc)
		}
		return e.neighborByExt(extOf(a))
	}
	if !e.isRouter() {
		return nil
	}
	if c := e.children.byAddress(a); c != nil {
		return &c.neighbor
	}
	if rloc, ok := e.rlocOf(a); ok && rloc.Valid() {
		if c := e.children.byRLOC(rloc); c != nil && c.validOrRestoring() {
			return &c.neighbor
		}
		if r := e.routers.neighborByRLOC(rloc); r != nil {
			return &r.neighbor
		}
	}
	return nil
}

// removeNeighbor ends a link (Thread 1.1 §5.6).
func (e *Engine) removeNeighbor(n *neighbor) {
	switch e.role {
	case RoleChild:
		if n == &e.parent.neighbor {
			e.detach()
		}
	case RoleRouter, RoleLeader:
		if n.kind == kindChild {
			if n.validOrRestoring() {
				e.emit(Event{Type: EventChildRemoved, ExtAddr: n.ext, RLOC16: n.rloc})
				if n.fullThreadDevice() {
					e.resolver.removeRLOC(n.rloc)
				}
			}
		} else if n.state == stateValid && n.kind == kindRouter {
			e.linkLost(e.routers.get(n.rloc.RouterID()))
		}
	}
	wasChild := n.kind == kindChild && n.validOrRestoring()
	n.link = linkInfo{}
	n.state = stateInvalid
	if wasChild && e.isRouter() {
		e.saveSettings()
	}
}
