package thread_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// withBoard is a row of nodes on LoRa with a board beside the first, which is a child of it.
func withBoard(t *testing.T, n int) (*meshtest.Mesh, *meshtest.Peer) {
	m, _ := loraRow(t, n, nil, 10*time.Minute)
	board := m.AddPeer(30, m.Nodes[0].Antenna.Position())
	board.Attach(m.Nodes[0], thread.ModeFullThreadDevice, time.Hour)
	return m, board
}

// asked returns the TMF requests for a resource that a peer has heard, to it, each once.
func asked(m *meshtest.Mesh, p *meshtest.Peer, uri string) (list []coap.Message) {
	seen := map[uint16]bool{}
	for _, psdu := range p.Frames {
		d, ok := openDatagram(m, psdu)
		if !ok || d.Dst != rlocAddr(p.RLOC16) {
			continue
		}
		if c, ok := tmfMessage(d); ok && c.Code == coap.POST && c.Options.URIPath() == uri && !seen[c.MessageID] {
			seen[c.MessageID] = true
			list = append(list, c)
		}
	}
	return list
}

// TestDeputy: a router answers the question of a board for who is asked for, at once, and sends it no farther. What it does not know goes on.
func TestDeputy(t *testing.T) {
	m, board := withBoard(t, 3)
	n, last := m.Nodes[0], m.Nodes[2]
	m.Run(time.Minute)
	if _, ok := last.Ping(n.MeshLocalEID(), 16, 20*time.Second); !ok { // so that it knows where that one is
		t.Fatal("no reply")
	}
	m.Run(time.Minute)
	parent := shortAddress(n.RLOC16())
	// query asks, as boards do by their parent, and returns the answers, and how often the question was sent on.
	query := func(id uint16, target netip.Addr) (answers []coap.Message, sentOn int) {
		board.Frames = nil
		d := mplQuery(board, target, id)
		board.SendDatagram(parent, d)
		m.Run(7 * time.Second)
		for _, psdu := range board.Frames {
			if d, ok := openDatagram(m, psdu); ok && d.HasMPL {
				sentOn++
			}
		}
		for _, a := range asked(m, board, tmf.URIAddressNotify) {
			if r := tmf.Payload(a.Payload).Read(); r.TargetEID() == target {
				answers = append(answers, a)
			}
		}
		return answers, sentOn
	}
	answers, sentOn := query(1, last.MeshLocalEID())
	if len(answers) != 1 || sentOn > 0 {
		t.Fatalf("%d answers, the question sent on %d times\n%s", len(answers), sentOn, m)
	}
	r := tmf.Payload(answers[0].Payload).Read()
	target, iid, rloc := r.TargetEID(), r.MLEID(), r.RLOC16()
	age, ok := r.OptionalTimeSinceLastTransaction()
	if err := r.Err(); err != nil || target != last.MeshLocalEID() || iid != ip6.InterfaceIDOf(target) || rloc != last.RLOC16() || !ok || age < time.Second {
		t.Errorf("%v, %v is at %v since %v: %v", target, iid, rloc, age, err)
	}
	if answers, sentOn := query(2, last.MeshLocalEID()); len(answers) == 0 || sentOn == 0 {
		t.Errorf("asked again, as if the answer had been wrong: %d answers, the question sent on %d times", len(answers), sentOn)
	}
	if answers, sentOn := query(3, ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{7})); len(answers) > 0 || sentOn == 0 {
		t.Errorf("unknown: %d answers, the question sent on %d times", len(answers), sentOn)
	}
}

// TestMulticastHops: where a board is about, a multicast goes no farther than the mesh is wide, and two hops.
func TestMulticastHops(t *testing.T) {
	m, board := withBoard(t, 3)
	m.Run(time.Minute)
	board.Frames = nil
	board.SendDatagram(shortAddress(m.Nodes[0].RLOC16()), mplQuery(board, ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{7}), 1))
	m.Run(7 * time.Second)
	var left []uint8
	for _, psdu := range board.Frames {
		if d, ok := openDatagram(m, psdu); ok && d.HasMPL {
			left = append(left, d.HopLimit)
		}
	}
	if len(left) == 0 || slices.Max(left) != 2+2 {
		t.Errorf("sent on with hop limits %d, want 4 at most", left)
	}
}

// mplQuery is an Address Query of a child, as it goes to its parent.
func mplQuery(p *meshtest.Peer, target netip.Addr, id uint16) []byte {
	m := coap.Message{
		Type: coap.NonConfirmable, Code: coap.POST, MessageID: id,
		Options: must(coap.Options(nil).AppendURIPath(tmf.URIAddressQuery)), Payload: tmf.AppendTargetEID(nil, target),
	}
	d := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: ip6.RealmLocalAllRouters}, tmf.UDPPort, tmf.UDPPort,
		must(m.AppendBinary(nil))))
	domain := mpl.NewDomain(rand.New(rand.NewPCG(1, 1)), mpl.Config{Seeds: 1, Datagrams: 1, Reserve: func() bool { return true }})
	for range id {
		d := must(domain.Originate(time.Time{}, d, mpl.SeedID(p.RLOC16), rlocAddr(p.RLOC16), rlocAddr(p.RLOC16)))
		if id--; id == 0 {
			return d
		}
	}
	panic("no id")
}

// TestCensus: the address of a board is found out, and spreads, so that others can speak to it without a question.
func TestCensus(t *testing.T) {
	m, board := withBoard(t, 3)
	eid := ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{1, 2, 3})
	m.Until(time.Minute, "asked", func() bool { return len(asked(m, board, tmf.URIDiagnosticGetRequest)) > 0 })
	q := asked(m, board, tmf.URIDiagnosticGetRequest)[0]
	a := coap.Message{Type: coap.Acknowledgement, Code: coap.Changed, MessageID: q.MessageID, Token: q.Token,
		Payload: tmf.AppendIPv6Addresses(nil, []netip.Addr{meshtest.LinkLocal(board.ExtAddr), rlocAddr(board.RLOC16), eid})}
	h := ip6.Header{HopLimit: 64, Src: rlocAddr(board.RLOC16), Dst: rlocAddr(m.Nodes[0].RLOC16())}
	board.SendDatagram(shortAddress(m.Nodes[0].RLOC16()), must(ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, must(a.AppendBinary(nil)))))
	m.Run(5 * time.Minute)
	if again := len(asked(m, board, tmf.URIDiagnosticGetRequest)); again != 1 {
		t.Errorf("asked %d times", again)
	}
	if at := maps.Collect(m.Nodes[0].Console().Resolver.Cached())[eid]; at != board.RLOC16 {
		t.Errorf("taken to be at %v", at)
	}
	board.Frames = nil
	m.Nodes[2].Ping(eid, 8, 5*time.Second)
	arrived, questions := 0, 0
	for _, psdu := range board.Frames {
		switch d, ok := openDatagram(m, psdu); {
		case ok && d.HasMPL:
			questions++
		case ok && d.Dst == eid:
			arrived++
		}
	}
	if arrived == 0 || questions > 0 {
		t.Errorf("%d datagrams for the board, %d questions", arrived, questions)
	}
}

// TestCensusInVain: a board that does not answer is asked a few times.
func TestCensusInVain(t *testing.T) {
	m, board := withBoard(t, 2)
	m.Run(20 * time.Minute)
	if got := len(asked(m, board, tmf.URIDiagnosticGetRequest)); got == 0 || got > 4*5 { // each time CoAP sends it five times at most
		t.Errorf("asked %d times", got)
	}
}

// TestDeputyHint: a board to which a datagram was sent is told where to answer, unless it asks, or shows that it knows.
func TestDeputyHint(t *testing.T) {
	m, board := withBoard(t, 3)
	n, last := m.Nodes[0], m.Nodes[2]
	m.Run(time.Minute)
	sends := func() {
		board.Frames = nil
		packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: last.MeshLocalEID(), Dst: rlocAddr(board.RLOC16)}, 1, 2, nil))
		if err := last.HandlePacket(m.Sim.Now(), packet); err != nil {
			t.Fatal(err)
		}
		m.Until(10*time.Second, "the datagram", func() bool {
			for _, psdu := range board.Frames {
				if d, ok := openDatagram(m, psdu); ok && d.Src == last.MeshLocalEID() {
					return true
				}
			}
			return false
		})
	}
	sends()
	m.Run(20 * time.Second)
	if told := asked(m, board, tmf.URIAddressNotify); len(told) != 3 {
		t.Fatalf("told %d times", len(told))
	} else if r := tmf.Payload(told[0].Payload).Read(); r.TargetEID() != last.MeshLocalEID() {
		t.Errorf("told of another one")
	}
	sends()
	board.SendDatagram(shortAddress(n.RLOC16()), mplQuery(board, last.MeshLocalEID(), 1))
	m.Run(20 * time.Second)
	if told := asked(m, board, tmf.URIAddressNotify); len(told) != 1 {
		t.Errorf("it asks, and is told %d times", len(told))
	}
}

// TestGreet: a board that was heard, and to which there is no link, is asked for one before the next Advertisement, and not as long as the last one
// keeps it busy.
func TestGreet(t *testing.T) {
	m, board := withBoard(t, 2)
	n := m.Nodes[0]
	if n.Role() != thread.RoleLeader {
		t.Fatalf("the first is %v", n.Role())
	}
	solicit(t, m, board, n)
	leader, _ := n.Leader()
	requests := func() int { return len(board.Find(mle.LinkRequest, n.ExtAddr())) }
	advertisements := func() int { return len(board.Find(mle.Advertisement, n.ExtAddr())) }
	before := advertisements()
	m.Until(time.Minute, "Advertisement", func() bool { return advertisements() > before })
	m.Run(time.Second)
	asked := requests()
	advertise(board, leader.LeaderData, heardRoutes(board, n))
	m.Run(8 * time.Second)
	if got := requests(); got > asked {
		t.Errorf("asked %d times while it is busy", got-asked)
	}
	before = advertisements()
	m.Until(40*time.Second, "Advertisement", func() bool { return advertisements() > before })
	if requests() == asked {
		t.Fatal("not asked before the next Advertisement")
	}
	// Once linked, it restarts: it waits two seconds for an answer.
	request := board.Find(mle.LinkRequest, n.ExtAddr())[requests()-1]
	board.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkAccept(board, n, must(request.Challenge())))
	m.Until(5*time.Second, "link", func() bool { return routersOf(n)[board.RLOC16].LinkEstablished })
	for i := range 5 {
		before := len(board.Find(mle.LinkAccept, n.ExtAddr()))
		b := mle.AppendTLVRequest(mle.AppendVersion(mle.AppendCommand(nil, mle.LinkRequest), mle.Version1_1), mle.TLVAddress16, mle.TLVRoute64)
		board.SendMLE(ip6.LinkLocalAllRouters, mle.AppendChallenge(b, meshtest.Challenge(byte(10+i))))
		m.Run(2500 * time.Millisecond)
		if len(board.Find(mle.LinkAccept, n.ExtAddr())) == before {
			t.Error("no answer in time")
		}
		m.Run(20 * time.Second)
	}
}
