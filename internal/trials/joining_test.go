package trials

import (
	"encoding/binary"
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
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// init adds attacks on what lets nodes in: joiners that are none at a joiner router, while a commissioner lets any in; and commissioners that are
// none at a border agent, from the host's network.
func init() {
	attacks = append(attacks,
		attack{name: "hellos of joiners, each another", every: time.Second, prepare: func(a *arena) func() {
			a.letIn()
			return a.replayInTurn(a.hellos(1000)...)
		}},
		attack{name: "hellos of one joiner", every: time.Second, prepare: func(a *arena) func() {
			a.letIn()
			return a.replayInTurn(a.hellos(1)...)
		}},
		attack{name: "hellos at the border agent", every: time.Minute, prepare: func(a *arena) func() { return a.knocking() }},
	)
}

func clientHello(seed uint64) []byte {
	conn, err := dtls.Dial(time.Time{}, dtls.Config{Password: []byte("J01NME"), Rand: meshtest.Rand(seed, 1)})
	if err != nil {
		panic(err) // a password, and randomness that does not fail
	}
	hello, _ := conn.PollTransmit()
	return hello
}

// letIn makes the leader a commissioner that lets any joiner in that has the password.
func (a *arena) letIn() {
	for _, n := range a.Nodes {
		if n.Role() != thread.RoleLeader {
			continue
		}
		if err := n.StartCommissioner(a.Sim.Now()); err != nil {
			panic(err)
		}
		n.Antenna.Touch()
		a.Until(time.Minute, "commissioner", n.CommissionerActive)
		if err := n.AllowJoiner(a.Sim.Now(), thread.Joiner{Any: true, Password: "J01NME", Timeout: 100 * time.Hour}); err != nil {
			panic(err)
		}
		n.Antenna.Touch()
	}
	a.Run(time.Minute)
}

// hellos are the frames of hellos to one of the nodes, of as many joiners.
func (a *arena) hellos(joiners int) (frames [][]byte) {
	hello, to := clientHello(1), a.Nodes[1]
	for i := range joiners {
		src, dst := ieee802154.ExtAddr{2, 1, byte(i >> 8), byte(i)}, to.ExtAddr()
		datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: meshtest.LinkLocal(src), Dst: meshtest.LinkLocal(dst)}, 1000, to.JoinerPort(), hello)
		for offset := 0; err == nil && offset < len(datagram); {
			f := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: byte(len(frames)),
				DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID, Src: ieee802154.ExtAddress(src), Dst: ieee802154.ExtAddress(dst),
			}
			p := lowpan.Packet{Datagram: datagram, Tag: uint16(i), Src: f.Src, Dst: f.Dst}
			var psdu []byte
			if f.Payload, offset, err = p.AppendFrame(nil, offset, ieee802154.MaxPSDU-f.Overhead(), new(lowpan.Contexts)); err == nil {
				psdu, err = f.AppendBinary(nil)
				frames = append(frames, psdu)
			}
		}
		if err != nil {
			panic(err)
		}
	}
	return frames
}

// knocking has ever new strangers say hello to the border agent of a node, most without a cookie, some with the one that they were given, and guess.
// Whatever gets through to the mesh is done there.
func (a *arena) knocking() func() {
	const at = 20 // strangers a step
	n, hello := a.Nodes[1], clientHello(1)
	agent, err := borderagent.New(borderagent.Config{Key: [16]byte{1}, Rand: rand.NewChaCha8([32]byte{1}), Frame: 200 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	count := uint32(0)
	return func() {
		now := a.Sim.Now()
		var from netip.AddrPort
		for range at {
			count++
			b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
			binary.BigEndian.PutUint32(b[12:], count)
			from = netip.AddrPortFrom(netip.AddrFrom16(b), 1000)
			agent.HandleDatagram(now, from, hello)
		}
		for _, ok := agent.PollTransmit(); ok; _, ok = agent.PollTransmit() {
		}
		conn, err := dtls.Dial(now, dtls.Config{Password: []byte("wrong"), Rand: meshtest.Rand(uint64(count), 1)})
		if err != nil {
			panic(err)
		}
		for moved := true; moved; {
			moved = false
			for b, ok := conn.PollTransmit(); ok; b, ok = conn.PollTransmit() {
				agent.HandleDatagram(now, from, b)
			}
			for out, ok := agent.PollTransmit(); ok; out, ok = agent.PollTransmit() {
				moved = true
				conn.HandleDatagram(now, out.Datagram)
			}
		}
		agent.HandleTimeout(now)
		for r, ok := agent.PollRequest(); ok; r, ok = agent.PollRequest() {
			n.HandleRequest(now, r)
			n.Antenna.Touch()
		}
	}
}

// TestInsiderCommissioning: a member that petitions all the time, as ever other commissioners and as one, relays what joiners say that are none, and
// orders in the name of the commissioner, does not have the others send much more than its own messages, nor keep more than they should; and the
// commissioner that there is stays.
func TestInsiderCommissioning(t *testing.T) {
	for _, tt := range []struct {
		name  string
		uri   string
		kind  coap.Type
		every time.Duration
		// body is that of message i.
		body   func(i int) []byte
		before bool // there is no commissioner before
	}{
		{"petitions of many", tmf.URILeaderPetition, coap.Confirmable, 5 * time.Second, func(i int) []byte {
			return tlv.Append(nil, meshcop.TypeCommissionerID, []byte{byte(i), byte(i >> 8), 'x'})
		}, false},
		{"petitions of one", tmf.URILeaderPetition, coap.Confirmable, 5 * time.Second, func(int) []byte {
			return tlv.Append(nil, meshcop.TypeCommissionerID, []byte("again"))
		}, true},
		{"signs of life", tmf.URILeaderKeepAlive, coap.Confirmable, 5 * time.Second, func(i int) []byte {
			return meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, meshcop.StateReject), uint16(i))
		}, false},
		{"steering data", tmf.URICommissionerSet, coap.Confirmable, 5 * time.Second, func(i int) []byte {
			return tlv.Append(meshcop.AppendCommissionerSessionID(nil, uint16(i)), meshcop.TypeSteeringData, []byte{0xff})
		}, false},
		{"joiners", tmf.URIRelayReceive, coap.NonConfirmable, 5 * time.Second, func(i int) []byte {
			r := meshcop.Relayed{Port: 1000, IID: [8]byte{1, byte(i), byte(i >> 8)}, Router: 0x0400, Datagram: []byte{22, 254, 253, byte(i)}}
			b, _ := r.AppendBinary(nil)
			return b
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, p := insider(t, lorasim.Options{Seed: 1}, nil)
			a := &arena{Mesh: m}
			if !tt.before {
				a.letIn()
			}
			leader := m.Nodes[0]
			sent := func() (sum time.Duration) {
				for _, n := range m.Nodes {
					sum += n.Antenna.Stats().Airtime
				}
				return sum
			}
			begin := sent()
			m.Run(time.Hour)
			calm := sent() - begin
			p.Attach(m.Nodes[1], thread.ModeFullThreadDevice, 24*time.Hour) // it was silent for too long
			begin, before := sent(), leader.Counters()
			own := p.Antenna.Stats().Airtime
			for i := range int(time.Hour / tt.every) {
				order(t, m, p, coap.Message{Type: tt.kind, MessageID: uint16(i), Payload: tt.body(i)}, tt.uri)
				m.Run(tt.every)
				for _, n := range m.Nodes {
					if q := n.Console().Queues(); q.CoAP > maxCoAP || q.Len() > q.Limit {
						t.Fatalf("%d management requests and %d datagrams wait", q.CoAP, q.Len())
					}
				}
			}
			own = p.Antenna.Stats().Airtime - own
			spent := sent() - begin
			heard := leader.Counters().RxDatagrams - before.RxDatagrams
			t.Logf("the others sent for %v in an hour, before that for %v; the member for %v: %d datagrams", spent.Round(time.Second), calm.Round(time.Second), own.Round(time.Second), heard)
			if heard < 500 {
				t.Errorf("%d datagrams came to the leader", heard)
			}
			// Each message goes over one more hop, and its answer over two; all hear of another session.
			if spent > calm*5/4+5*own+time.Minute {
				t.Errorf("%v in an hour, %v before that, for %v of the member's", spent, calm, own)
			}
			if !tt.before && !leader.CommissionerActive() {
				t.Error("the commissioner is none any more")
			}
			if d, ok := heardWithin(m, m.Nodes[0], m.Nodes[2].MeshLocalEID(), 10*time.Minute); d > 2*time.Minute {
				t.Errorf("reply %v after %v", ok, d)
			}
		})
	}
}

// order has a member send a message to the leader, the first node.
func order(t *testing.T, m *meshtest.Mesh, p *meshtest.Peer, c coap.Message, uri string) {
	t.Helper()
	c.Code = coap.POST
	c.Options, _ = coap.Options(nil).AppendURIPath(uri)
	b, err := c.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := ip6.Header{
		HopLimit: 64, Src: p.RLOC16.Addr(thread.DefaultMeshLocalPrefix), Dst: m.Nodes[0].RLOC16().Addr(thread.DefaultMeshLocalPrefix),
	}
	datagram, err := ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, b)
	if err != nil {
		t.Fatal(err)
	}
	p.SendDatagram(ieee802154.ShortAddress(ieee802154.ShortAddr(m.Nodes[1].RLOC16())), datagram)
}
