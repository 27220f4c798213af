package thread_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
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
		return asked(m, board, tmf.URIAddressNotify), sentOn
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
	if _, sentOn := query(2, last.MeshLocalEID()); sentOn == 0 {
		t.Error("asked again, as if the answer had been wrong, and not sent on")
	}
	if answers, sentOn := query(3, ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{7})); len(answers) > 0 || sentOn == 0 {
		t.Errorf("unknown: %d answers, the question sent on %d times", len(answers), sentOn)
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
