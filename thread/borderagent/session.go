package borderagent

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// A session is a connection.
//
//	handshake ──► known ──► active ──► gone
//	     PSKc ────┘  │  accepted by the leader
//	                 └── silent, closed, resigned, replaced by the same commissioner
type session struct {
	peer   netip.AddrPort
	conn   *dtls.Conn
	coap   *coap.Endpoint[struct{}]
	until  time.Time // when it is taken for gone
	known  bool      // it has the PSKc
	active bool      // it is the commissioner
	silent bool      // it was taken for gone
	number uint16    // its session, by the leader
	name   string    // what it calls itself
	open   exchanges
}

// dialog is the pair of addresses under which CoAP runs in a connection: it has but one peer.
var dialog = coap.Path{Peer: netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}

// pump goes on with a session as far as it can.
func (a *Agent) pump(now time.Time, s *session) {
	if s.conn.State() == dtls.Established && !s.known {
		s.known, s.until = true, now.Add(a.cfg.Silence)
		a.emit(Event{Kind: Connected, Peer: s.peer})
	}
	for b, ok := s.conn.Read(); ok; b, ok = s.conn.Read() {
		if err := s.coap.HandleDatagram(now, dialog, b); err != nil {
			a.Counters.Malformed++
		}
		for ev, ok := s.coap.PollEvent(); ok; ev, ok = s.coap.PollEvent() {
			if ev.Kind == coap.RequestReceived {
				a.handle(now, s, ev)
			}
		}
	}
	a.flush(s)
	if s.conn.State() == dtls.Closed {
		a.ended(now, s)
	}
}

// flush sends what a session has to send.
func (a *Agent) flush(s *session) {
	for t, ok := s.coap.PollTransmit(); ok; t, ok = s.coap.PollTransmit() {
		if s.conn.Write(t.Payload) != nil {
			a.Counters.Lost++
		}
	}
	for b, ok := s.conn.PollTransmit(); ok; b, ok = s.conn.PollTransmit() {
		a.transmit(s.peer, b)
	}
}

func (a *Agent) ended(now time.Time, s *session) {
	err := s.conn.Err()
	switch {
	case errors.Is(err, dtls.ErrPassword):
		a.guessed(now, s.peer)
	case s.silent:
		err = ErrSilent
	case errors.Is(err, dtls.ErrClosed):
		err = nil
	}
	a.remove(s, err)
}

// remove forgets a session. The mesh hears of it if it was the commissioner.
func (a *Agent) remove(s *session, err error) {
	before := len(a.sessions)
	a.sessions = slices.DeleteFunc(a.sessions, func(x *session) bool { return x == s })
	if len(a.sessions) == before {
		return
	}
	a.dismiss(s, true)
	if s.known {
		a.emit(Event{Kind: Gone, Peer: s.peer, Err: err})
	}
}

// dismiss makes a session the commissioner no more. tell says that the leader does not know yet.
func (a *Agent) dismiss(s *session, tell bool) {
	if s.active && tell {
		a.request(Request{Kind: Resign, Session: s.number})
	}
	s.active = false
}

// handle answers a message of somebody who has the PSKc.
func (a *Agent) handle(now time.Time, s *session, ev coap.Event[struct{}]) {
	uri := ev.Message.Options.URIPath()
	switch {
	case ev.Message.Code != coap.POST:
		a.refuse(now, s, ev, coap.MethodNotAllowed)
		return
	case tlv.Validate(ev.Message.Payload) != nil:
		a.Counters.Malformed++
		a.refuse(now, s, ev, coap.BadRequest)
		return
	}
	switch uri {
	case tmf.URICommissionerPetition:
		a.forward(now, s, ev, tmf.URILeaderPetition)
	case tmf.URICommissionerKeepAlive:
		a.keepAlive(now, s, ev)
	case tmf.URIActiveGet, tmf.URIPendingGet, tmf.URICommissionerGet:
		a.forward(now, s, ev, uri)
	case tmf.URIActiveSet, tmf.URIPendingSet, tmf.URICommissionerSet:
		if !s.active { // the leader would take it for a node's own
			a.Counters.Unexpected++
			a.reject(now, s, ev)
			return
		}
		a.forward(now, s, ev, uri)
	case tmf.URIRelayTransmit:
		a.relay(now, s, ev)
	case tmf.URIUDPProxyTransmit:
		a.proxy(now, s, ev)
	default:
		a.Counters.Unexpected++
		a.refuse(now, s, ev, coap.NotFound)
	}
}

// refuse answers a confirmable request with a code and nothing else.
func (a *Agent) refuse(now time.Time, s *session, ev coap.Event[struct{}], code coap.Code) {
	if ev.Message.Type == coap.Confirmable {
		s.coap.Respond(now, ev, coap.Message{Code: code})
	}
}

// reject answers as the leader does who does not agree.
func (a *Agent) reject(now time.Time, s *session, ev coap.Event[struct{}]) {
	s.coap.Respond(now, ev, coap.Message{Code: coap.Changed, Payload: meshcop.AppendState(nil, meshcop.StateReject)})
}

// keepAlive passes on that the commissioner is still there, or resigns.
func (a *Agent) keepAlive(now time.Time, s *session, ev coap.Event[struct{}]) {
	if !s.active && s.open.find(ev.Message.MessageID) == nil {
		a.Counters.Unexpected++
		a.reject(now, s, ev)
		return
	}
	s.until = now.Add(a.cfg.Silence)
	a.forward(now, s, ev, tmf.URILeaderKeepAlive)
}

// forward has the leader answer a message. It is acknowledged at once, and the answer follows in a message of its own: on the air it takes longer
// than a sender on the host's network waits.
func (a *Agent) forward(now time.Time, s *session, ev coap.Event[struct{}], uri string) {
	if ev.Message.Type == coap.Confirmable {
		s.coap.Respond(now, ev, coap.Message{Code: coap.Empty})
	}
	if x := s.open.find(ev.Message.MessageID); x != nil {
		if x.ask == 0 {
			a.answer(s, x) // which has got lost
		}
		return
	}
	a.asks++
	a.asks = max(a.asks, 1) // 0 is none
	x := exchange{id: ev.Message.MessageID, token: ev.Message.Token, ask: a.asks, uri: uri}
	if uri == tmf.URILeaderPetition {
		id, _ := tlv.Find(ev.Message.Payload, meshcop.TypeCommissionerID)
		s.name = printable(id)
	}
	if !s.open.add(x) {
		a.Counters.Limited++
		x.code = coap.ServiceUnavailable
		a.answer(s, &x)
		return
	}
	a.request(Request{Kind: Ask, ID: x.ask, URI: uri, Payload: bytes.Clone(ev.Message.Payload)})
	if resigns(uri, ev.Message.Payload) {
		a.dismiss(s, false) // the leader is being told
	}
}

// resigns reports whether a message says that the commissioner goes.
func resigns(uri string, payload []byte) bool {
	value, _ := tlv.Find(payload, meshcop.TypeState)
	state, err := meshcop.ParseState(value)
	return uri == tmf.URILeaderKeepAlive && err == nil && state != meshcop.StateAccept
}

// answer sends what has come of an exchange.
func (a *Agent) answer(s *session, x *exchange) {
	s.coap.Send(dialog, coap.Message{Type: coap.NonConfirmable, Code: x.code, Token: x.token, Payload: x.payload})
}

// relay passes a datagram on to a joiner (RLY_TX).
func (a *Agent) relay(now time.Time, s *session, ev coap.Event[struct{}]) {
	r, err := meshcop.ParseRelayed(ev.Message.Payload)
	switch {
	case !s.active:
		a.Counters.Unexpected++
	case err != nil || !r.Router.Valid():
		a.Counters.Malformed++
	case a.mayAdd(now):
		a.request(Request{Kind: Relay, Router: r.Router, Payload: bytes.Clone(ev.Message.Payload)})
	}
	a.refuse(now, s, ev, coap.Changed)
}

// proxy sends a datagram of the commissioner's (UDP_TX): to nodes of the mesh, or a group in it.
func (a *Agent) proxy(now time.Time, s *session, ev coap.Event[struct{}]) {
	p, err := meshcop.ParseProxied(ev.Message.Payload)
	dst := netip.AddrPortFrom(p.Addr, p.DstPort)
	switch {
	case !s.active:
		a.Counters.Unexpected++
	case err != nil || len(p.Data) > maxDatagram || p.Addr.IsLinkLocalUnicast() || p.Addr.IsLoopback() ||
		p.Addr.IsMulticast() && ip6.ScopeOf(p.Addr) > ip6.ScopeRealmLocal:
		a.Counters.Malformed++
	case a.repeats.again(now, a.cfg.Repeat, dst, p.Data):
		a.Counters.Repeated++
	case a.mayAdd(now):
		a.request(Request{Kind: Datagram, SrcPort: p.SrcPort, Dst: dst, Payload: bytes.Clone(p.Data)})
	}
	a.refuse(now, s, ev, coap.Changed)
}

// mayAdd reports whether the commissioner may add to what is on the air, and counts it.
func (a *Agent) mayAdd(now time.Time) bool {
	if a.cfg.Frame == 0 {
		return true
	}
	rate := sendRate(a.cfg.Frame)
	if !a.sent.Ready(now, rate) {
		a.Counters.Limited++
		return false
	}
	a.sent.Take(now, rate)
	return true
}

// HandleReport takes what the mesh has for a commissioner. The payload is not kept.
func (a *Agent) HandleReport(now time.Time, r Report) {
	if r.Kind == Answer {
		a.answered(now, r)
		return
	}
	s := a.commissioner()
	if s == nil {
		a.Counters.Lost++
		return
	}
	switch r.Kind {
	case Relayed:
		a.notify(s, tmf.URIRelayReceive, r.Payload)
	case Received:
		p := meshcop.Proxied{Addr: r.Src.Addr(), SrcPort: r.Src.Port(), DstPort: r.DstPort, Data: r.Payload}
		payload, err := p.AppendBinary(nil)
		if err != nil || len(r.Payload) > maxDatagram {
			a.Counters.Lost++
			return
		}
		a.notify(s, tmf.URIUDPProxyReceive, payload)
	case Ended:
		s.conn.Close()
		a.dismiss(s, false)
	}
	a.pump(now, s)
}

// notify sends the commissioner a message that has no answer.
func (a *Agent) notify(s *session, uri string, payload []byte) {
	options, _ := coap.Options(nil).AppendURIPath(uri) // a constant path cannot fail
	s.coap.Send(dialog, coap.Message{Type: coap.NonConfirmable, Code: coap.POST, Options: options, Payload: payload})
}

// answered passes the leader's answer on.
func (a *Agent) answered(now time.Time, r Report) {
	i := slices.IndexFunc(a.sessions, func(s *session) bool { return s.open.asked(r.ID) != nil })
	if i < 0 {
		a.orphaned(r)
		return
	}
	s := a.sessions[i]
	x := s.open.asked(r.ID)
	x.ask, x.code, x.payload = 0, r.Code, bytes.Clone(r.Payload)
	if r.Code == coap.Empty {
		x.code, x.payload = coap.GatewayTimeout, nil
	}
	a.answer(s, x)
	switch accepted, number := verdict(r); {
	case x.uri == tmf.URILeaderPetition && accepted:
		a.promote(now, s, number)
	case x.uri == tmf.URILeaderPetition && r.Code != coap.Empty:
		a.emit(Event{Kind: Rejected, Peer: s.peer, ID: s.name})
	case x.uri == tmf.URILeaderKeepAlive && r.Code == coap.Changed && !accepted:
		a.dismiss(s, false)
	}
	a.pump(now, s)
}

// orphaned takes an answer that nobody waits for any more: the leader has made somebody the commissioner who has gone.
func (a *Agent) orphaned(r Report) {
	a.Counters.Lost++
	if accepted, number := verdict(r); accepted && number != 0 {
		if s := a.commissioner(); s == nil || s.number != number {
			a.request(Request{Kind: Resign, Session: number})
		}
	}
}

// verdict is what the leader says to a petition or a sign of life, with the session of an accepted petition.
func verdict(r Report) (accepted bool, session uint16) {
	value, _ := tlv.Find(r.Payload, meshcop.TypeState)
	state, err := meshcop.ParseState(value)
	if r.Code != coap.Changed || err != nil || state != meshcop.StateAccept {
		return false, 0
	}
	value, _ = tlv.Find(r.Payload, meshcop.TypeCommissionerSessionID)
	session, _ = meshcop.ParseCommissionerSessionID(value) // 0 without one
	return true, session
}

// promote makes a session the commissioner. Another that was is the same program, which has connected again: there is one in a network.
func (a *Agent) promote(now time.Time, s *session, number uint16) {
	for _, old := range slices.Clone(a.sessions) {
		if old != s && old.active {
			a.dismiss(old, false)
			old.conn.Close()
			a.pump(now, old)
		}
	}
	s.active, s.number, s.until = true, number, now.Add(a.cfg.Silence)
	a.emit(Event{Kind: Accepted, Peer: s.peer, ID: s.name, Session: number})
}

// printable is a name as it can be shown.
func printable(b []byte) string {
	const most = 64
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(string(b[:min(len(b), most)]), ""))
}
