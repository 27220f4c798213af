package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Address query (Thread 1.1 §5.4.2): which node has an endpoint identifier? The question goes to all routers by multicast; who
// has the address, itself or through a minimal child, answers. Datagrams wait meanwhile.
//
//	        first datagram          Address Notification
//	(none) ───────────────► asking ─────────────────────► known
//	                        │  ▲                            │ loop, no route, other owner
//	     no answer in time  ▼  │ next datagram after it     ▼
//	                       pausing                        (none)
type resolveState uint8

const (
	resolveNone resolveState = iota
	resolveAsking
	resolvePausing
	resolveKnown
)

// maxResolved is the number of addresses that a node remembers.
const maxResolved = 32

type resolverEntry struct {
	state    resolveState
	target   netip.Addr
	rloc     mle.RLOC16
	iid      ip6.InterfaceID // of the owner's ML-EID; only after a notification
	answered bool            // known from a notification, not from a datagram that passed
	age      time.Duration   // time since the owner's last transaction, as the answer said
	until    time.Time       // end of asking or of the pause
	failures int
	used     time.Time
}

type resolver struct {
	entries [maxResolved]resolverEntry
}

func (r *resolver) clear() { *r = resolver{} }

func (r *resolver) find(target netip.Addr) *resolverEntry {
	for i := range r.entries {
		if en := &r.entries[i]; en.state != resolveNone && en.target == target {
			return en
		}
	}
	return nil
}

// place returns an empty entry, if need be that of the address used longest ago, but never one being asked for.
func (r *resolver) place() *resolverEntry {
	var oldest *resolverEntry
	for i := range r.entries {
		en := &r.entries[i]
		switch {
		case en.state == resolveNone:
			return en
		case en.state == resolveAsking:
		case oldest == nil || en.used.Before(oldest.used):
			oldest = en
		}
	}
	return oldest
}

func (r *resolver) removeRLOC(rloc mle.RLOC16) {
	for i := range r.entries {
		if en := &r.entries[i]; en.state == resolveKnown && en.rloc == rloc {
			en.state = resolveNone
		}
	}
}

func (r *resolver) removeRouter(id mle.RouterID) {
	for i := range r.entries {
		if en := &r.entries[i]; en.state == resolveKnown && en.rloc.RouterID() == id {
			en.state = resolveNone
		}
	}
}

// remove forgets an address that turned out unreachable.
func (r *resolver) remove(target netip.Addr) {
	if en := r.find(target); en != nil && en.state == resolveKnown {
		en.state = resolveNone
	}
}

// resolve returns the locator of target, if known. If not it asks, and the datagram may wait (routeWait) unless asking has just
// failed (routeDrop).
func (e *Engine) resolve(target netip.Addr) (mle.RLOC16, routeResult) {
	en := e.resolver.find(target)
	if en == nil {
		if en = e.resolver.place(); en == nil {
			return 0, routeDrop
		}
		*en = resolverEntry{target: target}
	}
	switch en.state {
	case resolveKnown:
		en.used = e.now
		return en.rloc, routeFound
	case resolveAsking:
		return 0, routeWait
	case resolvePausing:
		if e.now.Before(en.until) {
			return 0, routeDrop
		}
	}
	en.state = resolveAsking
	en.used = e.now
	en.until = e.now.Add(e.timing.AddressQuery)
	e.startTick()
	e.queries = append(e.queries, target)
	return 0, routeWait
}

// forgetAddresses empties the cache; what waits for an answer waits in vain.
func (e *Engine) forgetAddresses() {
	for i := range e.resolver.entries {
		if en := &e.resolver.entries[i]; en.state == resolveAsking {
			e.dropWaiting(en.target)
		}
	}
	e.resolver.clear()
	e.queries = e.queries[:0]
}

// sendQueries sends the queries that resolve asked for, once the send queue is not being walked.
func (e *Engine) sendQueries() {
	for len(e.queries) > 0 {
		target := e.queries[0]
		e.queries = e.queries[1:]
		e.coap.Send(e.tmfPeer(ip6.RealmLocalAllRouters),
			post(coap.NonConfirmable, tmf.URIAddressQuery, tmf.AppendTargetEID(nil, target)))
		e.drainCoAP()
	}
	e.queries = e.queries[:0]
}

// tickResolver gives up queries without an answer, each time for longer.
func (e *Engine) tickResolver() {
	for i := range e.resolver.entries {
		en := &e.resolver.entries[i]
		if en.state != resolveAsking || e.now.Before(en.until) {
			continue
		}
		pause := e.timing.AddressQueryRetryMax
		if en.failures < 16 && e.timing.AddressQueryRetry<<en.failures < pause {
			pause = e.timing.AddressQueryRetry << en.failures
			en.failures++
		}
		en.state, en.until = resolvePausing, e.now.Add(pause)
		e.dropWaiting(en.target)
	}
}

// snoop learns from a datagram of src that came from rloc. It only corrects addresses that this node talks to.
func (e *Engine) snoop(src netip.Addr, rloc mle.RLOC16) {
	en := e.resolver.find(src)
	if en == nil || en.state == resolveKnown && en.rloc == rloc {
		return
	}
	waiting := en.state != resolveKnown
	en.rloc = rloc
	if waiting {
		en.state, en.answered, en.failures = resolveKnown, false, 0
		e.releaseWaiting(src)
	}
}

func (e *Engine) handleAddressNotify(ev coap.Event[tmfRequest], p tmf.Payload) error {
	if ev.Message.Type != coap.Confirmable {
		return errTMFUnexpected
	}
	target, err := p.TargetEID()
	if err != nil {
		return err
	}
	iid, err := p.MLEID()
	if err != nil {
		return err
	}
	rloc, err := p.RLOC16()
	if err != nil {
		return err
	}
	var age time.Duration
	if _, ok := p.Find(tmf.TLVTimeSinceLastTransaction); ok {
		if age, err = p.TimeSinceLastTransaction(); err != nil {
			return err
		}
	}
	e.coap.Respond(e.now, ev, coap.Message{Code: coap.Changed})
	en := e.resolver.find(target)
	if en == nil {
		return nil
	}
	if en.state == resolveKnown && en.answered {
		if en.iid != iid {
			// Two nodes claim the same address.
			e.coap.Send(e.tmfPeer(ip6.RealmLocalAllRouters), post(coap.NonConfirmable, tmf.URIAddressError,
				tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid)))
			return nil
		}
		if age >= en.age {
			return nil // an older answer
		}
	}
	*en = resolverEntry{state: resolveKnown, target: target, rloc: rloc, iid: iid, answered: true, age: age, used: e.now}
	e.releaseWaiting(target)
	return nil
}

func (e *Engine) handleAddressQuery(ev coap.Event[tmfRequest], p tmf.Payload) error {
	if ev.Message.Type != coap.NonConfirmable {
		return errTMFUnexpected
	}
	target, err := p.TargetEID()
	if err != nil {
		return err
	}
	if e.isOwn(target) {
		e.sendAddressNotify(ev.Path.Peer.Addr(), target, e.meshLocalIID, -1)
		return nil
	}
	if !e.isRouter() {
		return nil
	}
	c := e.children.byAddress(target)
	if c == nil || c.state != stateValid || c.fullThreadDevice() || int(c.failures) >= e.timing.FailedChildTransmissions {
		return nil
	}
	e.sendAddressNotify(ev.Path.Peer.Addr(), target, ip6.InterfaceIDOf(linkLocalOf(c.ext)), e.now.Sub(c.lastHeard))
	return nil
}

// sendAddressNotify tells who asked that target is here. A negative age stands for this node's own address.
func (e *Engine) sendAddressNotify(to, target netip.Addr, iid ip6.InterfaceID, age time.Duration) {
	payload := tmf.AppendTargetEID(nil, target)
	payload = tmf.AppendMLEID(payload, iid)
	payload = tmf.AppendRLOC16(payload, e.rloc)
	if age >= 0 {
		payload = tmf.AppendTimeSinceLastTransaction(payload, age)
	}
	e.coap.Request(e.now, e.tmfPeer(to), post(coap.Confirmable, tmf.URIAddressNotify, payload),
		tmfRequest{uri: tmf.URIAddressNotify})
}

// handleAddressError makes a node give up an address that another one also has.
func (e *Engine) handleAddressError(ev coap.Event[tmfRequest], p tmf.Payload) error {
	target, err := p.TargetEID()
	if err != nil {
		return err
	}
	iid, err := p.MLEID()
	if err != nil {
		return err
	}
	if ev.Message.Type == coap.Confirmable {
		e.coap.Respond(e.now, ev, coap.Message{Code: coap.Changed})
	}
	own := e.meshLocalIID
	if !e.fullThreadDevice() {
		own = ip6.InterfaceIDOf(e.linkLocalAddr) // by which the parent answers queries
	}
	if target == e.meshLocalEID && iid != own {
		e.log.Warn("another node has this node's mesh-local address; taking a new one")
		e.randomBytes(e.meshLocalIID[:])
		e.updateAddresses()
		e.parentMustKnow()
		return nil
	}
	owner := ieee802154.ExtAddr(iid)
	owner[0] ^= universalLocal
	for i := range e.children.children {
		c := &e.children.children[i]
		if c.state != stateValid || c.fullThreadDevice() || c.ext == owner || !c.forget(target) {
			continue
		}
		e.coap.Request(e.now, e.tmfPeer(linkLocalOf(c.ext)), post(coap.Confirmable, tmf.URIAddressError,
			tmf.AppendMLEID(tmf.AppendTargetEID(nil, target), iid)), tmfRequest{uri: tmf.URIAddressError})
		break
	}
	return nil
}
