package thread_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/borderagent"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var (
	outsideKey  = [16]byte{0xaa, 1, 2, 3}
	outsideAddr = netip.MustParseAddrPort("192.0.2.7:50000")
	inDTLS      = coap.Path{Peer: netip.MustParseAddrPort("[::1]:1")}
)

// outsider is a commissioner outside of the mesh, with the border agent of a node, and the wire between them, on which nothing takes time.
type outsider struct {
	*entrance
	node     *meshtest.Node
	agent    *borderagent.Agent
	conn     *dtls.Conn
	coap     *coap.Endpoint[string]
	session  uint16
	joiners  *commissioning.Joiners
	sessions *commissioning.Sessions
	core     *core.Core
	answers  map[string][]byte // by URI
	heard    []meshcop.Proxied
	deaf     bool
	next     time.Time // when it says that it is still there
}

func newOutside(t testing.TB, x *entrance, node *meshtest.Node) *outsider {
	t.Helper()
	agent, err := borderagent.New(borderagent.Config{Key: outsideKey, Rand: rand.NewChaCha8([32]byte{1}), Repeat: 4 * time.Second, Frame: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	source := rand.NewChaCha8([32]byte{2})
	o := &outsider{
		entrance: x, node: node, agent: agent, answers: map[string][]byte{}, core: core.New(source, slog.New(slog.DiscardHandler), ieee802154.ExtAddr{9}),
		coap: coap.NewEndpoint[string](coap.Config{Timing: coap.DefaultTiming(), Rand: rand.New(source)}),
	}
	o.core.Advance(x.Sim.Now())
	o.joiners = commissioning.NewJoiners(o.core)
	o.sessions = commissioning.NewSessions(o.core, commissioning.SessionTiming{
		DTLS: dtls.Timing{Initial: 10 * time.Second, Max: time.Minute, Retransmissions: 3}, CoAP: coap.DefaultTiming(), Silence: time.Minute, Remain: time.Minute,
	}, o.joiners)
	if o.conn, err = dtls.Dial(x.Sim.Now(), dtls.Config{Password: outsideKey[:], Rand: source}); err != nil {
		t.Fatal(err)
	}
	x.Watch = o.pump
	return o
}

// pump moves all there is to move.
func (o *outsider) pump() {
	now := o.Sim.Now()
	o.core.Advance(now)
	o.agent.HandleTimeout(now)
	o.coap.HandleTimeout(now)
	o.sessions.HandleTimeout()
	if !o.next.IsZero() && !now.Before(o.next) && !o.deaf {
		o.next = now.Add(25 * time.Second)
		payload := append(meshcop.AppendState(nil, meshcop.StateAccept), o.sessionTLV()...)
		_ = o.coap.Request(now, inDTLS, o.post(coap.Confirmable, tmf.URICommissionerKeepAlive, payload), "alive")
	}
	for moved := true; moved; {
		moved = false
		for r, ok := o.sessions.Poll(); ok; r, ok = o.sessions.Poll() {
			b, _ := r.AppendBinary(nil)
			o.tell(tmf.URIRelayTransmit, b)
		}
		for t, ok := o.coap.PollTransmit(); ok; t, ok = o.coap.PollTransmit() {
			_ = o.conn.Write(t.Payload)
		}
		for b, ok := o.conn.PollTransmit(); ok; b, ok = o.conn.PollTransmit() {
			if moved = true; !o.deaf {
				o.agent.HandleDatagram(now, outsideAddr, b)
			}
		}
		for r, ok := o.agent.PollRequest(); ok; r, ok = o.agent.PollRequest() {
			moved = true
			o.node.HandleRequest(now, r)
			o.node.Antenna.Touch()
		}
		for r, ok := o.node.PollReport(); ok; r, ok = o.node.PollReport() {
			moved = true
			o.agent.HandleReport(now, r)
		}
		for out, ok := o.agent.PollTransmit(); ok; out, ok = o.agent.PollTransmit() {
			if moved = true; !o.deaf {
				o.conn.HandleDatagram(now, out.Datagram)
			}
		}
		for b, ok := o.conn.Read(); ok; b, ok = o.conn.Read() {
			_ = o.coap.HandleDatagram(now, inDTLS, b)
		}
		for ev, ok := o.coap.PollEvent(); ok; ev, ok = o.coap.PollEvent() {
			o.handle(ev)
		}
	}
}

func (o *outsider) handle(ev coap.Event[string]) {
	switch {
	case ev.Kind == coap.ResponseReceived:
		o.answers[ev.Tag] = append([]byte{byte(ev.Message.Code)}, ev.Message.Payload...)
	case ev.Kind == coap.RequestFailed:
		o.t.Errorf("%s: %v", ev.Tag, ev.Err)
	case ev.Message.Options.URIPath() == tmf.URIRelayReceive:
		if r, err := meshcop.ParseRelayed(ev.Message.Payload); err == nil {
			r.Datagram = bytes.Clone(r.Datagram)
			o.sessions.Receive(r)
		}
	case ev.Message.Options.URIPath() == tmf.URIUDPProxyReceive:
		if p, err := meshcop.ParseProxied(ev.Message.Payload); err == nil {
			p.Data = bytes.Clone(p.Data)
			o.heard = append(o.heard, p)
		}
	}
}

func (o *outsider) post(t coap.Type, uri string, payload []byte) coap.Message {
	options, _ := coap.Options(nil).AppendURIPath(uri)
	return coap.Message{Type: t, Code: coap.POST, Options: options, Payload: payload, Token: o.coap.NewToken()}
}

func (o *outsider) tell(uri string, payload []byte) {
	o.coap.Send(inDTLS, o.post(coap.NonConfirmable, uri, payload))
}

// ask asks the border agent, and returns the answer's payload.
func (o *outsider) ask(uri string, payload []byte) []byte {
	o.t.Helper()
	delete(o.answers, uri)
	if err := o.coap.Request(o.Sim.Now(), inDTLS, o.post(coap.Confirmable, uri, payload), uri); err != nil {
		o.t.Fatal(err)
	}
	o.pump()
	o.Until(time.Minute, "an answer to "+uri, func() bool { return o.answers[uri] != nil })
	b := o.answers[uri]
	if coap.Code(b[0]) != coap.Changed {
		o.t.Fatalf("%s: %v", uri, coap.Code(b[0]))
	}
	return b[1:]
}

func stateOf(b []byte) meshcop.State {
	value, _ := tlv.Find(b, meshcop.TypeState)
	s, _ := meshcop.ParseState(value)
	return s
}

// petition makes it the commissioner.
func (o *outsider) petition() {
	o.t.Helper()
	o.pump()
	o.Until(time.Second, "DTLS", func() bool { return o.conn.State() == dtls.Established })
	b := o.ask(tmf.URICommissionerPetition, tlv.Append(nil, meshcop.TypeCommissionerID, []byte("outside")))
	value, _ := tlv.Find(b, meshcop.TypeCommissionerSessionID)
	session, err := meshcop.ParseCommissionerSessionID(value)
	if stateOf(b) != meshcop.StateAccept || err != nil {
		o.t.Fatalf("%x, %v", b, err)
	}
	o.session, o.next = session, o.Sim.Now().Add(25*time.Second)
}

func (o *outsider) sessionTLV() []byte { return meshcop.AppendCommissionerSessionID(nil, o.session) }

func (o *outsider) set(uri string, payload []byte) {
	o.t.Helper()
	if b := o.ask(uri, append(o.sessionTLV(), payload...)); stateOf(b) != meshcop.StateAccept {
		o.t.Errorf("%s: %x", uri, b)
	}
}

// commissioned returns the commissioner's session by a node's network data, and whether there is one.
func commissioned(n *meshtest.Node) (session uint16, ok bool) {
	data := n.Console().NetworkData.CommissioningData()
	value, _ := tlv.Find(data, meshcop.TypeCommissionerSessionID)
	session, _ = meshcop.ParseCommissionerSessionID(value)
	_, ok = tlv.Find(data, meshcop.TypeBorderAgentLocator)
	return session, ok
}

func timestamp(t meshcop.Type, seconds uint64) []byte {
	b, _ := meshcop.Timestamp{Seconds: seconds}.AppendBinary(nil)
	return tlv.Append(nil, t, b)
}

// A mesh of three, and a row of joiners; the border agent is at one end, the leader at the other or the same.
func outsideMesh(t testing.TB, agentIsLeader bool) *outsider {
	t.Helper()
	m := meshtest.Chain(t, lorasim.Options{Seed: 3}, 3, nil)
	x := &entrance{Mesh: m, t: t}
	x.joiners = append(x.joiners, m.Add(3, lorasim.Position{X: 3}, stranger))
	m.Nodes = m.Nodes[:3]
	m.StartOneByOne()
	at := m.Nodes[2]
	if agentIsLeader {
		at = m.Nodes[0]
	}
	return newOutside(t, x, at)
}

// A commissioner outside lets a joiner in, reads and changes the network, asks a node, hears of others' changes, and resigns: with the leader at
// the other end of the mesh, and with the border agent itself as the leader.
func TestOutsideCommissioner(t *testing.T) {
	for _, agentIsLeader := range []bool{false, true} {
		o := outsideMesh(t, agentIsLeader)
		o.petition()
		leader := o.Nodes[0]
		o.Until(time.Minute, "all know of it", func() bool {
			for _, n := range o.Nodes {
				if s, ok := commissioned(n); !ok || s != o.session {
					return false
				}
			}
			return true
		})
		o.letIn()
		o.setActive()
		o.askNode(leader)
		o.hearOfChanges()
		o.setPending()
		if b := o.answers["alive"]; len(b) < 2 || stateOf(b[1:]) != meshcop.StateAccept {
			t.Errorf("alive: %x", b)
		}
		o.next = time.Time{}
		if b := o.ask(tmf.URICommissionerKeepAlive, append(meshcop.AppendState(nil, meshcop.StateReject), o.sessionTLV()...)); stateOf(b) != meshcop.StateReject {
			t.Errorf("resigns: %x", b)
		}
		if _, ok := commissioned(leader); ok {
			t.Error("the leader still has a commissioner")
		}
		for _, n := range o.Nodes {
			if c := n.Counters(); c.TMFMalformed != 0 || c.HostQueueFull != 0 {
				t.Errorf("%v: %+v", n.RLOC16(), c)
			}
		}
	}
}

// letIn has a joiner come in through the mesh, with nothing but its password.
func (o *outsider) letIn() {
	o.t.Helper()
	if err := o.joiners.Add(commissioning.Joiner{Any: true, Password: joinerPassword, Until: o.Sim.Now().Add(time.Hour)}); err != nil {
		o.t.Fatal(err)
	}
	o.set(tmf.URICommissionerSet, tlv.Append(nil, meshcop.TypeSteeringData, o.joiners.Steering()))
	b := o.ask(tmf.URICommissionerGet, tlv.Append(nil, meshcop.TypeGet, []byte{byte(meshcop.TypeSteeringData)}))
	if value, _ := tlv.Find(b, meshcop.TypeSteeringData); !bytes.Equal(value, o.joiners.Steering()) {
		o.t.Errorf("steering data %x", b)
	}
	o.Run(15 * time.Second)
	j := o.entrance.joiners[0]
	d, err := o.join(j, thread.JoinOptions{Password: joinerPassword, Discoveries: 5}, 3*time.Minute)
	if err != nil {
		o.t.Fatalf("joining: %v after %v, %+v", err, d, o.agent.Counters)
	}
	o.t.Logf("joined after %v", d)
	j.Start()
	o.Until(time.Minute, "child", func() bool { return j.Role() >= thread.RoleChild })
	o.Nodes = append(o.Nodes, j)
}

// setActive gives the network another name.
func (o *outsider) setActive() {
	o.t.Helper()
	payload := append(timestamp(meshcop.TypeActiveTimestamp, 100), meshcop.AppendNetworkName(nil, "renamed")...)
	o.set(tmf.URIActiveSet, payload)
	o.Until(2*time.Minute, "another name", func() bool {
		for _, n := range o.Nodes {
			if n.Network().Name != "renamed" {
				return false
			}
		}
		return true
	})
	if b := o.ask(tmf.URIActiveGet, nil); !bytes.Contains(b, []byte("renamed")) {
		o.t.Errorf("%x", b)
	}
}

// askNode asks a node for its address by the proxy.
func (o *outsider) askNode(n *meshtest.Node) {
	o.t.Helper()
	m := o.post(coap.Confirmable, tmf.URIDiagnosticGetRequest, []byte{18, 1, 1})
	m.MessageID = 77
	b, err := m.AppendBinary(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	p := meshcop.Proxied{Addr: n.RLOC16().Addr(n.Network().MeshLocalPrefix), SrcPort: tmf.UDPPort, DstPort: tmf.UDPPort, Data: b}
	payload, _ := p.AppendBinary(nil)
	o.heard = nil
	for range 3 { // as a program on a wired network does that is not answered at once
		o.tell(tmf.URIUDPProxyTransmit, payload)
		o.pump()
	}
	o.Until(20*time.Second, "an answer of the node", func() bool { return len(o.heard) > 0 })
	r, err := coap.ParseMessage(o.heard[0].Data)
	if err != nil || r.MessageID != 77 || r.Code != coap.Changed || len(r.Payload) != 4 || binary.BigEndian.Uint16(r.Payload[2:]) != uint16(n.RLOC16()) {
		o.t.Errorf("%+v, %v", r, err)
	}
	if o.heard[0].Addr != p.Addr || o.agent.Counters.Repeated != 2 {
		o.t.Errorf("%+v, %+v", o.heard[0], o.agent.Counters)
	}
}

// hearOfChanges has another node change the dataset: the commissioner hears of it.
func (o *outsider) hearOfChanges() {
	o.t.Helper()
	o.heard = nil
	w := o.Nodes[1].Network()
	w.Name = "by another"
	if err := o.Nodes[1].ChangeNetwork(o.Sim.Now(), w, 0); err != nil {
		o.t.Fatal(err)
	}
	o.Nodes[1].Antenna.Touch()
	o.Until(time.Minute, "news of the dataset", func() bool { return len(o.heard) > 0 })
	if m, err := coap.ParseMessage(o.heard[0].Data); err != nil || m.Options.URIPath() != tmf.URIDatasetChanged || m.Code != coap.POST {
		o.t.Errorf("%+v, %v", m, err)
	}
}

// setPending puts the network on another PAN ID, after a delay.
func (o *outsider) setPending() {
	o.t.Helper()
	payload := append(timestamp(meshcop.TypeActiveTimestamp, 200), timestamp(meshcop.TypePendingTimestamp, 200)...)
	payload = tlv.Append(payload, meshcop.TypePANID, []byte{0x47, 0x12})
	payload = tlv.Append(payload, meshcop.TypeDelayTimer, binary.BigEndian.AppendUint32(nil, 60000))
	o.set(tmf.URIPendingSet, payload)
	o.Run(70 * time.Second)
	for _, n := range o.Nodes {
		if n.Network().PANID != 0x4712 {
			o.t.Errorf("%v: %+v", n.RLOC16(), n.Network())
		}
	}
}

// A commissioner that is lost is none any more, for the border agent and the leader, and another can be; so it is if the node is lost, or stops.
func TestOutsideCommissionerLost(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lose   func(o *outsider)
		within time.Duration
	}{
		{"silent", func(o *outsider) { o.deaf = true }, 60 * time.Second},
		{"closed", func(o *outsider) { o.conn.Close(); o.pump() }, 15 * time.Second},
		{"node off", func(o *outsider) { o.node.PowerOff() }, 60 * time.Second},
		{"node stopped", func(o *outsider) {
			o.node.Engine.Stop(o.Sim.Now())
			o.pump()
			if _, ok := o.agent.Commissioner(); ok || o.conn.State() != dtls.Closed {
				t.Error("stopped: the commissioner does not know")
			}
		}, 60 * time.Second},
	} {
		o := outsideMesh(t, false)
		o.petition()
		leader := o.Nodes[0]
		o.set(tmf.URICommissionerSet, tlv.Append(nil, meshcop.TypeSteeringData, []byte{0xff}))
		tt.lose(o)
		o.Until(tt.within, tt.name, func() bool { _, ok := commissioned(leader); return !ok })
		if err := leader.StartCommissioner(o.Sim.Now()); err != nil {
			t.Fatal(err)
		}
		leader.Antenna.Touch()
		o.Until(time.Minute, "another commissioner", leader.CommissionerActive)
	}
}

// There is one commissioner: who comes second is told so, and the first stays.
func TestOutsideCommissionerSecond(t *testing.T) {
	o := outsideMesh(t, false)
	first := o.Nodes[1]
	if err := first.StartCommissioner(o.Sim.Now()); err != nil {
		t.Fatal(err)
	}
	first.Antenna.Touch()
	o.Until(time.Minute, "a commissioner", first.CommissionerActive)
	o.pump()
	b := o.ask(tmf.URICommissionerPetition, tlv.Append(nil, meshcop.TypeCommissionerID, []byte("outside")))
	if value, _ := tlv.Find(b, meshcop.TypeCommissionerID); stateOf(b) != meshcop.StateReject || !bytes.HasPrefix(value, []byte("pymesh")) {
		t.Errorf("%x", b)
	}
	if b := o.ask(tmf.URICommissionerSet, tlv.Append(o.sessionTLV(), meshcop.TypeSteeringData, []byte{0xff})); stateOf(b) != meshcop.StateReject {
		t.Errorf("set: %x", b)
	}
	if !first.CommissionerActive() {
		t.Error("the first is none any more")
	}
}
