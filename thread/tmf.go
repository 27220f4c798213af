package thread

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var errTMFUnexpected = errors.New("thread: unexpected TMF message")

// A tmfTag is what an open request is for.
type tmfTag struct {
	// answer is given the response, or the failure. Nil where an acknowledgement is all that is expected.
	answer func(ev tmfEvent) error
	// id tells one request from another where that matters, 0 where not.
	id uint32
	// asker and target are those of an Address Notification, else not set.
	asker, target netip.Addr
}

type tmfEvent = coap.Event[tmfTag]

// A tmfResource is a resource that this node has.
type tmfResource struct {
	uri    string
	method coap.Code
	roles  roleSet
	types  coapTypes
	handle func(ev tmfEvent, p tmf.Payload) error
}

// coapTypes says which types of requests a resource takes.
type coapTypes uint8

const (
	confirmableOnly coapTypes = iota
	nonConfirmableOnly
	anyType
)

func (t coapTypes) has(m coap.Type) bool {
	return t == anyType || (m == coap.Confirmable) == (t == confirmableOnly)
}

// tmfMessenger is the Thread Management Framework: CoAP requests between nodes, on the mesh-local prefix or a single link (Thread 1.1 §10).
//
//	request, post ─► coap ─► sendUDP
//	datagram ─► receive ─► coap ─► resources, or the tag's answer
type tmfMessenger struct {
	*self
	coap      *coap.Endpoint[tmfTag]
	addresses *addresses.Table
	ip        *ipLayer
	resources []tmfResource
	admission *admission
	kek       bool            // the datagram that is being received is secured with a KEK
	expect    func(polls int) // an answer is due, for which a sleepy end device must poll
	settled   bool            // the multicast that is being received need not be sent on
	yields    bool            // what is answered now goes behind the datagrams that are sent
}

func coapTiming(t *Timing) coap.Timing {
	c := coap.DefaultTiming()
	c.AckTimeout = t.CoAPAckTimeout
	return c
}

// receive handles the UDP payload of a datagram to the TMF port. What is secured with the KEK of a joiner is about its entrusting alone, and nothing
// else is.
func (x *tmfMessenger) receive(payload []byte, src, dst netip.Addr, srcPort uint16, kek bool) {
	before := x.kek
	x.kek = kek
	defer func() { x.kek = before }()
	path := coap.Path{Local: dst, Peer: netip.AddrPortFrom(src, srcPort)}
	if err := x.coap.HandleDatagram(x.Now, path, payload); err != nil {
		x.counters.TMFMalformed++
	}
	x.drain()
}

// NextTimeout returns when a request is sent again or given up.
func (x *tmfMessenger) NextTimeout() (time.Time, bool) { return x.coap.NextTimeout() }

// HandleTimeout handles CoAP's timers.
func (x *tmfMessenger) HandleTimeout() {
	if t, ok := x.coap.NextTimeout(); ok && x.IsDue(t) {
		x.coap.HandleTimeout(x.Now)
	}
	x.drain()
}

// stop forgets all requests of this node's.
func (x *tmfMessenger) stop() { x.coap.Cancel(func(tmfTag) bool { return true }) }

// cancel forgets the request with an id.
func (x *tmfMessenger) cancel(id uint32) { x.coap.Cancel(func(t tmfTag) bool { return t.id == id }) }

// drain handles CoAP's events and sends what it has to send.
func (x *tmfMessenger) drain() {
	defer func() { x.yields = false }()
	for {
		ev, ok := x.coap.PollEvent()
		if !ok {
			break
		}
		switch err := x.handle(ev); {
		case err == nil:
		case errors.Is(err, errTMFUnexpected):
			x.counters.TMFUnexpected++
		default:
			x.counters.TMFMalformed++
		}
	}
	for {
		t, ok := x.coap.PollTransmit()
		if !ok {
			return
		}
		src := t.Path.Local
		if !src.IsValid() || src.IsMulticast() || !x.addresses.Own(src) {
			src = x.addresses.RLOC()
		}
		if coap.IsConfirmable(t.Payload) {
			x.expect(0)
		}
		priority := sender.PriorityNet
		if x.yields && !coap.IsConfirmable(t.Payload) {
			priority = sender.PriorityNormal
		}
		x.ip.sendProtected(x.admission.protection(t.Path.Peer.Addr()), src, tmf.UDPPort, t.Path.Peer, t.Payload, priority)
	}
}

func (x *tmfMessenger) handle(ev tmfEvent) error {
	if ev.Kind == coap.RequestReceived {
		return x.handleRequest(ev)
	}
	if ev.Tag.answer == nil {
		return nil
	}
	return ev.Tag.answer(ev)
}

// handleRequest hands a request to its resource. A confirmable one has an answer in any case, or it would come again and again (RFC 7252
// §5.8, §5.9.2).
func (x *tmfMessenger) handleRequest(ev tmfEvent) error {
	r := x.find(ev.Message.Options.URIPath())
	switch {
	case r == nil:
		return x.refuse(ev, coap.NotFound, errTMFUnexpected)
	case ev.Message.Code != r.method:
		return x.refuse(ev, coap.MethodNotAllowed, errTMFUnexpected)
	case !r.types.has(ev.Message.Type):
		return x.refuse(ev, coap.BadRequest, errTMFUnexpected)
	}
	p, err := tmf.ParsePayload(ev.Message.Payload)
	if err == nil {
		err = r.handle(ev, p) // which has not answered if it fails
	}
	if err != nil {
		return x.refuse(ev, coap.BadRequest, err)
	}
	return nil
}

// find returns the resource with that path, nil if this node has none in its present role.
func (x *tmfMessenger) find(uri string) *tmfResource {
	for i := range x.resources {
		if r := &x.resources[i]; r.uri == uri && r.roles.has(x.role) && (r.uri == tmf.URIJoinerEntrust) == x.kek {
			return r
		}
	}
	return nil
}

// refuse answers a confirmable request that is none of this node's, or makes no sense. It returns why.
func (x *tmfMessenger) refuse(ev tmfEvent, code coap.Code, why error) error {
	if ev.Message.Type == coap.Confirmable {
		x.coap.Respond(x.Now, ev, coap.Message{Code: code})
	}
	return why
}

// respond answers a request.
func (x *tmfMessenger) respond(ev tmfEvent, payload []byte) {
	x.coap.Respond(x.Now, ev, coap.Message{Code: coap.Changed, Payload: payload})
}

// acknowledge answers a request that may be confirmable or not.
func (x *tmfMessenger) acknowledge(ev tmfEvent) {
	if ev.Message.Type == coap.Confirmable {
		x.respond(ev, nil)
	}
}

// path is the way to another node's resources.
func (x *tmfMessenger) path(addr netip.Addr) coap.Path {
	local := x.addresses.RLOC()
	if addr.IsLinkLocalUnicast() {
		local = x.addresses.LinkLocal() // both ends on one link, or both in the mesh: see addresses.Table.IsTMF
	}
	return coap.Path{Local: local, Peer: netip.AddrPortFrom(addr, tmf.UDPPort)}
}

// newPost builds a POST to a resource.
func newPost(t coap.Type, uri string, payload []byte) coap.Message {
	options, _ := coap.Options(nil).AppendURIPath(uri) // a constant path cannot fail
	return coap.Message{Type: t, Code: coap.POST, Options: options, Payload: payload}
}

// post sends a request that nobody answers.
func (x *tmfMessenger) post(to netip.Addr, uri string, payload []byte) {
	x.coap.Send(x.path(to), newPost(coap.NonConfirmable, uri, payload))
}

// request sends a confirmable request. It fails with coap.ErrBusy if too many are open.
func (x *tmfMessenger) request(to netip.Addr, uri string, payload []byte, tag tmfTag) error {
	return x.coap.Request(x.Now, x.path(to), newPost(coap.Confirmable, uri, payload), tag)
}

// askLeader sends a confirmable request to the leader. It fails with coap.ErrBusy if too many are open.
func (x *tmfMessenger) askLeader(uri string, payload []byte, tag tmfTag) error {
	return x.askAt(x.leader.LeaderRouterID.RLOC16(), uri, payload, tag)
}

// tellLeader does the same by the leader's anycast locator, as OpenThread does in some cases.
func (x *tmfMessenger) tellLeader(uri string, payload []byte, tag tmfTag) error {
	return x.askAt(mle.ALOCLeader, uri, payload, tag)
}

func (x *tmfMessenger) askAt(leader mle.RLOC16, uri string, payload []byte, tag tmfTag) error {
	m := newPost(coap.Confirmable, uri, payload)
	m.Token = x.coap.NewToken()
	err := x.coap.Request(x.Now, x.path(leader.Addr(x.addresses.Prefix())), m, tag)
	x.drain()
	return err
}
