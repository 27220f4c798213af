package borderagent

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var pskc = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}

var home = netip.MustParseAddrPort("192.0.2.7:50000")

// rig is an Agent and those who talk to it.
type rig struct {
	t       testing.TB
	now     time.Time
	agent   *Agent
	clients map[netip.AddrPort]*client
	dials   byte
	asked   []Request
	events  []Event
}

// client is a commissioner.
type client struct {
	rig  *rig
	addr netip.AddrPort
	conn *dtls.Conn
	coap *coap.Endpoint[int]
	got  []coap.Event[int] // events of its CoAP
	read int               // messages that it was sent
	deaf bool              // what it sends does not arrive
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{Key: pskc, Rand: rand.NewChaCha8([32]byte{1}), Repeat: 5 * time.Second, Frame: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), agent: a, clients: map[netip.AddrPort]*client{}}
}

func (r *rig) dial(addr netip.AddrPort, key [16]byte) *client {
	r.t.Helper()
	r.dials++
	seed := [32]byte{r.dials, byte(addr.Port()), byte(addr.Port() >> 8), addr.Addr().As16()[15], addr.Addr().As16()[14]}
	source := rand.NewChaCha8(seed)
	conn, err := dtls.Dial(r.now, dtls.Config{Password: key[:], Rand: source})
	if err != nil {
		r.t.Fatal(err)
	}
	c := &client{rig: r, addr: addr, conn: conn, coap: coap.NewEndpoint[int](coap.Config{Timing: coap.DefaultTiming(), Rand: rand.New(source)})}
	r.clients[addr] = c
	r.run()
	return c
}

// run moves messages until there are none, in no time.
func (r *rig) run() {
	for moved := true; moved; {
		moved = false
		for _, c := range r.clients {
			moved = c.send() || moved
		}
		for out, ok := r.agent.PollTransmit(); ok; out, ok = r.agent.PollTransmit() {
			moved = true
			if c := r.clients[out.To]; c != nil && !c.deaf {
				c.conn.HandleDatagram(r.now, out.Datagram)
				c.receive()
			}
		}
	}
	for q, ok := r.agent.PollRequest(); ok; q, ok = r.agent.PollRequest() {
		r.asked = append(r.asked, q)
	}
	for ev, ok := r.agent.PollEvent(); ok; ev, ok = r.agent.PollEvent() {
		r.events = append(r.events, ev)
	}
}

func (c *client) send() (moved bool) {
	for t, ok := c.coap.PollTransmit(); ok; t, ok = c.coap.PollTransmit() {
		_ = c.conn.Write(t.Payload)
	}
	for b, ok := c.conn.PollTransmit(); ok; b, ok = c.conn.PollTransmit() {
		if moved = true; !c.deaf {
			c.rig.agent.HandleDatagram(c.rig.now, c.addr, b)
		}
	}
	return moved
}

func (c *client) receive() {
	for b, ok := c.conn.Read(); ok; b, ok = c.conn.Read() {
		c.read++
		_ = c.coap.HandleDatagram(c.rig.now, dialog, b)
		for ev, ok := c.coap.PollEvent(); ok; ev, ok = c.coap.PollEvent() {
			ev.Message.Payload = bytes.Clone(ev.Message.Payload)
			c.got = append(c.got, ev)
		}
	}
}

// pass lets time pass, with the timers of all.
func (r *rig) pass(d time.Duration) {
	for end := r.now.Add(d); ; {
		next, ok := r.agent.NextTimeout()
		for _, c := range r.clients {
			if t, has := c.conn.NextTimeout(); has && (!ok || t.Before(next)) {
				next, ok = t, true
			}
		}
		if !ok || next.After(end) {
			r.now = end
			return
		}
		r.now = next
		r.agent.HandleTimeout(r.now)
		for _, c := range r.clients {
			c.conn.HandleTimeout(r.now)
		}
		r.run()
	}
}

func post(t coap.Type, uri string, payload []byte) coap.Message {
	options, _ := coap.Options(nil).AppendURIPath(uri)
	return coap.Message{Type: t, Code: coap.POST, Options: options, Payload: payload}
}

// ask sends a request, and returns what the mesh is asked for.
func (c *client) ask(uri string, payload []byte) []Request {
	c.rig.t.Helper()
	m := post(coap.Confirmable, uri, payload)
	m.Token = c.coap.NewToken()
	if err := c.coap.Request(c.rig.now, dialog, m, 1); err != nil {
		c.rig.t.Fatal(err)
	}
	return c.take()
}

// tell sends a message that has no answer, and returns what the mesh is asked for.
func (c *client) tell(uri string, payload []byte) []Request {
	c.coap.Send(dialog, post(coap.NonConfirmable, uri, payload))
	return c.take()
}

func (c *client) take() []Request {
	c.rig.asked = nil
	c.rig.run()
	return c.rig.asked
}

// last is the last that the commissioner was told.
func (c *client) last() coap.Message {
	c.rig.t.Helper()
	if len(c.got) == 0 {
		c.rig.t.Fatal("nothing was told")
	}
	return c.got[len(c.got)-1].Message
}

func state(m coap.Message) meshcop.State {
	value, _ := tlv.Find(m.Payload, meshcop.TypeState)
	s, err := meshcop.ParseState(value)
	if err != nil {
		return 99
	}
	return s
}

func petition(id string) []byte { return tlv.Append(nil, meshcop.TypeCommissionerID, []byte(id)) }

func alive(s meshcop.State, session uint16) []byte {
	return meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, s), session)
}

func (r *rig) report(p Report) {
	r.agent.HandleReport(r.now, p)
	r.run()
}

// answer has the leader answer with a state, and a session if it is not 0.
func (r *rig) answer(q Request, s meshcop.State, session uint16) {
	payload := meshcop.AppendState(nil, s)
	if session != 0 {
		payload = meshcop.AppendCommissionerSessionID(payload, session)
	}
	r.report(Report{Kind: Answer, ID: q.ID, Code: coap.Changed, Payload: payload})
}

// commissioner connects and is made the commissioner.
func (r *rig) commissioner(addr netip.AddrPort, session uint16) *client {
	r.t.Helper()
	c := r.dial(addr, pskc)
	q := c.ask(tmf.URICommissionerPetition, petition("owner"))
	if len(q) != 1 || q[0].Kind != Ask || q[0].URI != tmf.URILeaderPetition || !bytes.Equal(q[0].Payload, petition("owner")) {
		r.t.Fatalf("asked for %+v", q)
	}
	r.answer(q[0], meshcop.StateAccept, session)
	if at, ok := r.agent.Commissioner(); state(c.last()) != meshcop.StateAccept || !ok || at != addr {
		r.t.Fatalf("%+v, the commissioner is %v, %v", c.last(), at, ok)
	}
	return c
}

func (r *rig) kinds() (kinds []EventKind) {
	for _, ev := range r.events {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
}

func wantKinds(t *testing.T, r *rig, want ...EventKind) {
	t.Helper()
	if got := r.kinds(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

// A commissioner connects, petitions, lets a joiner in, asks and sets, and resigns.
func TestCommissioner(t *testing.T) {
	r := newRig(t, nil)
	c := r.commissioner(home, 0x1234)
	for _, uri := range []string{tmf.URICommissionerGet, tmf.URICommissionerSet, tmf.URIActiveGet, tmf.URIActiveSet, tmf.URIPendingGet, tmf.URIPendingSet} {
		payload := tlv.Append(nil, meshcop.TypeSteeringData, []byte(uri))
		q := c.ask(uri, payload)
		if len(q) != 1 || q[0].Kind != Ask || q[0].URI != uri || !bytes.Equal(q[0].Payload, payload) {
			t.Fatalf("%s: %+v", uri, q)
		}
		r.report(Report{Kind: Answer, ID: q[0].ID, Code: coap.Changed, Payload: []byte(uri)})
		if m := c.last(); m.Type != coap.NonConfirmable || m.Code != coap.Changed || string(m.Payload) != uri {
			t.Errorf("%s: %+v", uri, m)
		}
	}

	c.reachesNodes(t)
	r.pass(40 * time.Second)
	q := c.ask(tmf.URICommissionerKeepAlive, alive(meshcop.StateAccept, 0x1234))
	if len(q) != 1 || q[0].URI != tmf.URILeaderKeepAlive {
		t.Fatalf("alive: %+v", q)
	}
	r.answer(q[0], meshcop.StateAccept, 0)
	r.pass(40 * time.Second)
	if _, ok := r.agent.Commissioner(); !ok {
		t.Fatal("gone, though it was alive")
	}
	q = c.ask(tmf.URICommissionerKeepAlive, alive(meshcop.StateReject, 0x1234))
	if len(q) != 1 {
		t.Fatalf("resigns: %+v", q)
	}
	if _, ok := r.agent.Commissioner(); ok {
		t.Error("still the commissioner")
	}
	r.answer(q[0], meshcop.StateReject, 0)
	if _, ok := r.agent.Commissioner(); ok || state(c.last()) != meshcop.StateReject {
		t.Errorf("after it has resigned: %v, %+v", ok, c.last())
	}
	c.conn.Close()
	if q := c.take(); len(q) != 0 {
		t.Errorf("closed: %+v", q)
	}
	wantKinds(t, r, Connected, Accepted, Gone)
	if r.events[2].Err != nil || r.events[1].ID != "owner" || r.events[1].Session != 0x1234 {
		t.Errorf("%+v", r.events)
	}
	if n := r.agent.Counters; n != (Counters{}) {
		t.Errorf("%+v", n)
	}
}

// reachesNodes has it talk to a joiner and to a node, both ways.
func (c *client) reachesNodes(t *testing.T) {
	t.Helper()
	r := c.rig
	joiner, _ := meshcop.Relayed{Port: 1000, IID: [8]byte{1}, Router: 0x0400, Datagram: []byte("hello")}.AppendBinary(nil)
	r.report(Report{Kind: Relayed, Payload: joiner})
	if m := c.last(); m.Options.URIPath() != tmf.URIRelayReceive || !bytes.Equal(m.Payload, joiner) {
		t.Errorf("relayed: %+v", m)
	}
	if q := c.tell(tmf.URIRelayTransmit, joiner); len(q) != 1 || q[0].Kind != Relay || q[0].Router != 0x0400 || !bytes.Equal(q[0].Payload, joiner) {
		t.Errorf("to the joiner: %+v", q)
	}

	node := netip.MustParseAddrPort("[fdde:ad00:beef::ff:fe00:fc00]:61631")
	p := meshcop.Proxied{Addr: node.Addr(), SrcPort: 61631, DstPort: node.Port(), Data: []byte("question")}
	payload, _ := p.AppendBinary(nil)
	if q := c.tell(tmf.URIUDPProxyTransmit, payload); len(q) != 1 || q[0].Kind != Datagram || q[0].Dst != node || q[0].SrcPort != 61631 || string(q[0].Payload) != "question" {
		t.Errorf("to a node: %+v", q)
	}
	r.report(Report{Kind: Received, Src: node, DstPort: 61631, Payload: []byte("answer")})
	got, err := meshcop.ParseProxied(c.last().Payload)
	if err != nil || c.last().Options.URIPath() != tmf.URIUDPProxyReceive || got.Addr != node.Addr() || string(got.Data) != "answer" || got.SrcPort != 61631 {
		t.Errorf("of a node: %+v, %v", got, err)
	}
}

// Who has the PSKc and is not the commissioner may read, and do nothing.
func TestCandidate(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial(home, pskc)
	if q := c.ask(tmf.URIActiveGet, nil); len(q) != 1 {
		t.Errorf("asks: %+v", q)
	} else {
		r.report(Report{Kind: Answer, ID: q[0].ID}) // nobody answers
		if m := c.last(); m.Code != coap.GatewayTimeout {
			t.Errorf("no answer: %+v", m)
		}
	}
	for _, uri := range []string{tmf.URICommissionerSet, tmf.URIActiveSet, tmf.URIPendingSet, tmf.URICommissionerKeepAlive} {
		if q := c.ask(uri, alive(meshcop.StateAccept, 1)); len(q) != 0 || state(c.last()) != meshcop.StateReject {
			t.Errorf("%s: %+v, %+v", uri, q, c.last())
		}
	}
	relayed, _ := meshcop.Relayed{Port: 1, Router: 0x0400, Datagram: []byte("x")}.AppendBinary(nil)
	proxied, _ := meshcop.Proxied{Addr: netip.MustParseAddr("fd00::1"), SrcPort: 1, DstPort: 1}.AppendBinary(nil)
	if q := append(c.tell(tmf.URIRelayTransmit, relayed), c.tell(tmf.URIUDPProxyTransmit, proxied)...); len(q) != 0 {
		t.Errorf("%+v", q)
	}
	if c.ask(tmf.URIAddressSolicit, nil); c.last().Code != coap.NotFound {
		t.Errorf("no resource: %+v", c.last())
	}
	if c.ask(tmf.URIActiveGet, []byte{13, 9}); c.last().Code != coap.BadRequest {
		t.Errorf("no TLVs: %+v", c.last())
	}
	q := c.ask(tmf.URICommissionerPetition, petition("x\x00\ny\xff"))
	r.answer(q[0], meshcop.StateReject, 0)
	if _, ok := r.agent.Commissioner(); ok || state(c.last()) != meshcop.StateReject {
		t.Errorf("refused: %v, %+v", ok, c.last())
	}
	r.report(Report{Kind: Relayed, Payload: relayed})
	if r.agent.Counters.Lost != 1 || r.agent.Counters.Unexpected != 7 || r.agent.Counters.Malformed != 1 {
		t.Errorf("%+v", r.agent.Counters)
	}
	wantKinds(t, r, Connected, Rejected)
	if r.events[1].ID != "xy" {
		t.Errorf("%q", r.events[1].ID)
	}
}

// A request that comes again, since its sender does not wait as long as the air takes, is passed on once; one whose answer got lost is answered again.
func TestRepeatedRequest(t *testing.T) {
	r := newRig(t, nil)
	c := r.dial(home, pskc)
	q := c.ask(tmf.URIActiveGet, nil)
	again := func() []Request {
		m := post(coap.Confirmable, tmf.URIActiveGet, nil)
		m.MessageID = lastID(c)
		b, _ := m.AppendBinary(nil)
		_ = c.conn.Write(b)
		return c.take()
	}
	if more := again(); len(q) != 1 || len(more) != 0 {
		t.Fatalf("%+v, %+v", q, more)
	}
	r.report(Report{Kind: Answer, ID: q[0].ID, Code: coap.Changed, Payload: []byte("x")})
	before := c.read
	if more := again(); len(more) != 0 || c.read != before+2 { // an acknowledgement, and the answer
		t.Errorf("%+v, %d messages", more, c.read-before)
	}
	for range 3 * maxExchanges {
		c.ask(tmf.URIActiveGet, nil)
	}
	if s := r.agent.sessions[0]; len(s.open) != maxExchanges || r.agent.Counters.Limited == 0 {
		t.Errorf("%d exchanges, %+v", len(s.open), r.agent.Counters)
	}
}

func lastID(c *client) uint16 {
	s := c.rig.agent.sessions[0]
	return s.open[len(s.open)-1].id
}

// A commissioner that falls silent is gone, and the leader hears of it; also one that has gone before the leader's answer.
func TestLost(t *testing.T) {
	r := newRig(t, nil)
	c := r.commissioner(home, 7)
	c.deaf, r.asked = true, nil
	r.pass(49 * time.Second)
	if len(r.agent.sessions) != 1 {
		t.Fatal("gone too early")
	}
	r.pass(2 * time.Second)
	if len(r.agent.sessions) != 0 || len(r.asked) != 1 || r.asked[0].Kind != Resign || r.asked[0].Session != 7 {
		t.Errorf("%d sessions, %+v", len(r.agent.sessions), r.asked)
	}
	wantKinds(t, r, Connected, Accepted, Gone)
	if !errors.Is(r.events[2].Err, ErrSilent) {
		t.Errorf("%v", r.events[2].Err)
	}

	c = r.dial(netip.MustParseAddrPort("192.0.2.8:1"), pskc)
	q := c.ask(tmf.URICommissionerPetition, petition("owner"))
	c.conn.Close()
	if more := c.take(); len(more) != 0 {
		t.Errorf("before it was the commissioner: %+v", more)
	}
	r.asked = nil
	if r.answer(q[0], meshcop.StateAccept, 8); len(r.asked) != 1 || r.asked[0].Kind != Resign || r.asked[0].Session != 8 {
		t.Errorf("accepted too late: %+v", r.asked)
	}
	if _, ok := r.agent.NextTimeout(); ok {
		t.Error("a timer for nobody")
	}
}

// The same commissioner connects again, from another port or the same: the one before is gone, and the mesh keeps it. A leader that has another
// commissioner, and a node that is off, end it.
func TestReplaced(t *testing.T) {
	r := newRig(t, nil)
	r.commissioner(home, 7)
	again := r.commissioner(netip.MustParseAddrPort("192.0.2.7:50001"), 8)
	if len(r.agent.sessions) != 1 || len(r.asked) != 1 {
		t.Errorf("%d sessions, %+v", len(r.agent.sessions), r.asked)
	}
	q := again.ask(tmf.URICommissionerKeepAlive, alive(meshcop.StateAccept, 8))
	r.answer(q[0], meshcop.StateReject, 0)
	if _, ok := r.agent.Commissioner(); ok {
		t.Error("the leader has said no")
	}
	r.asked = nil
	third := r.commissioner(again.addr, 9)
	if len(r.agent.sessions) != 1 {
		t.Errorf("%d sessions", len(r.agent.sessions))
	}
	r.asked = nil
	r.report(Report{Kind: Ended})
	if third.conn.State() != dtls.Closed || len(r.agent.sessions) != 0 || len(r.asked) != 0 {
		t.Errorf("%v, %d sessions, %+v", third.conn.State(), len(r.agent.sessions), r.asked)
	}
}

// Another PSKc, and the end.
func TestSetKeyClose(t *testing.T) {
	r := newRig(t, nil)
	c := r.commissioner(home, 7)
	r.agent.SetKey(r.now, [16]byte{9})
	if q := c.ask(tmf.URIActiveGet, nil); len(q) != 1 {
		t.Error("who was there is gone")
	}
	other := r.dial(netip.MustParseAddrPort("192.0.2.9:1"), pskc)
	r.pass(time.Minute)
	if other.conn.State() == dtls.Established {
		t.Error("by the key before")
	}
	if other = r.dial(netip.MustParseAddrPort("192.0.2.9:2"), [16]byte{9}); other.conn.State() != dtls.Established {
		t.Error("by the key that counts")
	}
	r.asked = nil
	r.agent.Close(r.now)
	r.run()
	if other.conn.State() != dtls.Closed || len(r.agent.sessions) != 0 {
		t.Errorf("%v, %d sessions", other.conn.State(), len(r.agent.sessions))
	}
	r = newRig(t, func(c *Config) { c.Key = [16]byte{} })
	if c := r.dial(home, pskc); c.conn.State() == dtls.Established || r.agent.Counters.Refused == 0 {
		t.Error("without a PSKc")
	}
}
