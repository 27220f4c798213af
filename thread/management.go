package thread

import (
	"errors"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Thread Management Framework: CoAP requests between nodes, on the mesh-local prefix or a single link (Thread 1.1 §10).

var errTMFUnexpected = errors.New("thread: unexpected TMF message")

// tmfRequest says what an open request was for.
type tmfRequest struct {
	uri string
	id  uint32
}

func coapTiming(t *Timing) coap.Timing {
	c := coap.DefaultTiming()
	c.AckTimeout = t.CoAPAckTimeout
	return c
}

// isAnycast reports whether an address is an anycast locator: answers come from another address.
func (e *Engine) isAnycast(a netip.Addr) bool {
	rloc, ok := e.rlocOf(a)
	return ok && rloc.IsALOC()
}

// isTMF reports whether a datagram between two addresses may be network management: both mesh-local, or both on one link.
func (e *Engine) isTMF(src, dst netip.Addr) bool {
	linkDst := dst.IsLinkLocalUnicast() || ip6.ScopeOf(dst) == ip6.ScopeLinkLocal
	if src.IsLinkLocalUnicast() {
		return linkDst
	}
	return e.meshLocal.Contains(src) &&
		(e.meshLocal.Contains(dst) || dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeRealmLocal)
}

func (e *Engine) receiveTMF(payload []byte, src, dst netip.Addr, srcPort uint16) {
	path := coap.Path{Local: dst, Peer: netip.AddrPortFrom(src, srcPort)}
	if err := e.coap.HandleDatagram(e.now, path, payload); err != nil {
		e.counters.TMFMalformed++
		return
	}
	e.drainCoAP()
}

// pumpCoAP handles CoAP's timers.
func (e *Engine) pumpCoAP() {
	if t := e.coap.NextTimeout(); e.isDue(t) {
		e.coap.HandleTimeout(e.now)
	}
	e.drainCoAP()
}

// drainCoAP handles CoAP's events and sends what it has to send.
func (e *Engine) drainCoAP() {
	for {
		ev, ok := e.coap.PollEvent()
		if !ok {
			break
		}
		var err error
		switch ev.Kind {
		case coap.RequestReceived:
			err = e.handleTMFRequest(ev)
		case coap.ResponseReceived, coap.RequestFailed:
			err = e.handleTMFResponse(ev)
		}
		if err != nil {
			if errors.Is(err, errTMFUnexpected) {
				e.counters.TMFUnexpected++
			} else {
				e.counters.TMFMalformed++
			}
		}
	}
	for {
		t, ok := e.coap.PollTransmit()
		if !ok {
			return
		}
		src := t.Path.Local
		if !src.IsValid() || src.IsMulticast() || !e.isOwn(src) {
			src = e.rlocAddr
		}
		e.sendUDP(src, tmf.UDPPort, t.Path.Peer, t.Payload, priorityNet)
	}
}

// post builds a POST to a TMF resource.
func post(t coap.Type, uri string, payload []byte) coap.Message {
	options, _ := coap.Options(nil).AppendURIPath(uri) // a constant path cannot fail
	return coap.Message{Type: t, Code: coap.POST, Options: options, Payload: payload}
}

func (e *Engine) tmfPeer(addr netip.Addr) coap.Path {
	local := e.rlocAddr
	if addr.IsLinkLocalUnicast() {
		local = e.linkLocalAddr // both ends on one link, or both in the mesh: see isTMF
	}
	return coap.Path{Local: local, Peer: netip.AddrPortFrom(addr, tmf.UDPPort)}
}

func (e *Engine) handleTMFRequest(ev coap.Event[tmfRequest]) error {
	uri := ev.Message.Options.URIPath()
	confirmable := ev.Message.Type == coap.Confirmable
	known := false
	switch uri {
	case tmf.URIAddressSolicit, tmf.URIAddressRelease:
		known = e.role == RoleLeader
	case tmf.URIAddressQuery, tmf.URIAddressNotify, tmf.URIAddressError:
		known = true
	}
	if !known {
		if confirmable {
			e.coap.Respond(e.now, ev, coap.Message{Code: coap.NotFound})
		}
		return errTMFUnexpected
	}
	if ev.Message.Code != coap.POST {
		if confirmable {
			e.coap.Respond(e.now, ev, coap.Message{Code: coap.MethodNotAllowed})
		}
		return errTMFUnexpected
	}
	p, err := tmf.ParsePayload(ev.Message.Payload)
	if err != nil {
		return err
	}
	switch uri {
	case tmf.URIAddressSolicit:
		return e.handleAddressSolicit(ev, p)
	case tmf.URIAddressRelease:
		return e.handleAddressRelease(ev, p)
	case tmf.URIAddressQuery:
		return e.handleAddressQuery(ev, p)
	case tmf.URIAddressNotify:
		return e.handleAddressNotify(ev, p)
	default:
		return e.handleAddressError(ev, p)
	}
}

func (e *Engine) handleTMFResponse(ev coap.Event[tmfRequest]) error {
	if ev.Tag.uri != tmf.URIAddressSolicit || ev.Tag.id != e.routing.solicit {
		return nil // notifications and releases expect an acknowledgement and nothing more
	}
	e.routing.solicit = 0
	if ev.Kind == coap.RequestFailed {
		e.log.Warn("no answer to Address Solicit", "err", ev.Err)
		return nil
	}
	if ev.Message.Code != coap.Changed {
		return errTMFUnexpected
	}
	p, err := tmf.ParsePayload(ev.Message.Payload)
	if err != nil {
		return err
	}
	return e.handleAddressReply(p)
}

// solicitRouterID asks the leader for a router ID (Thread 1.1 §5.9.10).
func (e *Engine) solicitRouterID(reason tmf.Status) {
	r := &e.routing
	r.selectAt = noTime
	if e.role != RoleChild || !e.routerEligible || r.solicit != 0 {
		return
	}
	payload := tmf.AppendExtendedMACAddress(nil, e.ext)
	if r.previousID.Valid() {
		payload = tmf.AppendRLOC16(payload, r.previousID.RLOC16())
	}
	payload = tmf.AppendStatus(payload, reason)
	r.solicited++
	r.solicit = r.solicited
	e.askLeader(tmf.URIAddressSolicit, payload, r.solicit)
}

// cancelAddressSolicit forgets an open Address Solicit: its leader is not ours any more.
func (e *Engine) cancelAddressSolicit() {
	if e.routing.solicit == 0 {
		return
	}
	id := e.routing.solicit
	e.routing.solicit = 0
	e.coap.Cancel(func(r tmfRequest) bool { return r.id == id && r.uri == tmf.URIAddressSolicit })
}

// handleAddressReply handles the leader's answer to an Address Solicit.
func (e *Engine) handleAddressReply(p tmf.Payload) error {
	status, err := p.Status()
	if err != nil {
		return err
	}
	r := &e.routing
	if status != tmf.StatusSuccess {
		if r.previousID.Valid() {
			e.removeChildren()
			r.previousID = mle.InvalidRouterID
		}
		return nil
	}
	rloc, err := p.RLOC16()
	if err != nil {
		return err
	}
	mask, err := p.RouterMask()
	if err != nil {
		return err
	}
	id := rloc.RouterID()
	if e.role != RoleChild || !rloc.IsRouter() || !mask.Routers.Contains(id) {
		return errTMFUnexpected
	}
	if r.previousID.Valid() && id != r.previousID {
		e.removeChildren()
	}
	e.becomeRouter(id)
	e.routers.clear()
	e.routers.setAssigned(e.now, mask.Routers, mask.IDSequence, func(*router) {})
	e.routers.get(id).ext = e.ext
	// The parent is the first router neighbor, and the way to the leader.
	if p := e.routers.get(e.parent.rloc.RouterID()); p != nil && e.parent.state == stateValid {
		p.neighbor = e.parent.neighbor
		p.kind = kindRouter
		if l := e.routers.get(e.leader.LeaderRouterID); l != nil && l != p {
			l.cost, l.nextHop = e.parent.leaderCost, p.rloc.RouterID()
		}
		e.emit(Event{Type: EventNeighborAdded, ExtAddr: p.ext, RLOC16: p.rloc})
	}
	e.parent.state = stateInvalid
	e.sendLinkRequest(nil)
	for i := range e.children.children {
		if c := &e.children.children[i]; c.state == stateChildIDRequest {
			e.sendChildIDResponse(c)
		}
	}
	return nil
}

// sendAddressRelease gives the router ID back to the leader.
func (e *Engine) sendAddressRelease() {
	payload := tmf.AppendRLOC16(nil, e.routing.previousID.RLOC16())
	payload = tmf.AppendExtendedMACAddress(payload, e.ext)
	e.askLeader(tmf.URIAddressRelease, payload, 0)
}

// askLeader sends a confirmable request to the leader.
func (e *Engine) askLeader(uri string, payload []byte, id uint32) {
	m := post(coap.Confirmable, uri, payload)
	m.Token = e.coap.NewToken()
	e.coap.Request(e.now, e.tmfPeer(e.leaderRLOC()), m, tmfRequest{uri: uri, id: id})
	e.drainCoAP()
}
