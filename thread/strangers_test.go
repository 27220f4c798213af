package thread_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// What a node does for those who are no neighbors of it, and for neighbors that do not answer, must not cost its neighbors anything.

// pair is a mesh on LoRa of a leader and a router, and a radio that hears both, but acknowledges nothing.
func pair(t *testing.T, seed uint64) (*meshtest.Mesh, *meshtest.Peer) {
	t.Helper()
	m := meshtest.Chain(t, lorasim.Options{Seed: seed}, 2, nil)
	m.StartOneByOne()
	p := m.AddPeer(9, lorasim.Position{X: 0.5})
	p.Deaf = true
	m.Run(time.Second)
	return m, p
}

// pings lets the first node ping the second one count times, ten seconds apart, and returns how many replies came within these.
// Meanwhile, between is called once in each ten seconds.
func pings(m *meshtest.Mesh, count int, between func(i int)) (replies int) {
	for i := range count {
		end := m.Sim.Now().Add(10 * time.Second)
		between(i)
		if _, ok := m.Nodes[0].Ping(m.Nodes[1].MeshLocalEID(), 8, 10*time.Second); ok {
			replies++
		}
		m.Run(end.Sub(m.Sim.Now()))
	}
	return replies
}

// Whoever has recorded requests of nodes that are not there may send them again for as long as they like.
func TestRecordedRequests(t *testing.T) {
	parentRequest := func(i byte) []byte { return meshtest.ParentRequest(meshtest.Challenge(i), mle.ScanRouters) }
	update := func(p *meshtest.Peer) []byte {
		b := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice)
		return mle.AppendTimeout(mle.AppendSourceAddress(b, 0x5801), time.Minute)
	}
	for _, tt := range []struct {
		name   string
		record func(m *meshtest.Mesh, p *meshtest.Peer) [][]byte
	}{
		{"Parent Request", func(_ *meshtest.Mesh, p *meshtest.Peer) [][]byte {
			return [][]byte{p.SendMLE(ip6.LinkLocalAllRouters, parentRequest(1))}
		}},
		{"two in turn", func(_ *meshtest.Mesh, p *meshtest.Peer) [][]byte {
			return [][]byte{p.SendMLE(ip6.LinkLocalAllRouters, parentRequest(1)), p.SendMLE(ip6.LinkLocalAllRouters, parentRequest(2))}
		}},
		{"of many nodes", func(m *meshtest.Mesh, _ *meshtest.Peer) (all [][]byte) {
			for i := range 20 {
				p := m.AddPeer(100+i, lorasim.Position{X: 0.5})
				p.Deaf = true
				all = append(all, p.SendMLE(ip6.LinkLocalAllRouters, parentRequest(1)))
				m.Run(time.Second)
			}
			return all
		}},
		{"Child Update Request", func(m *meshtest.Mesh, p *meshtest.Peer) (all [][]byte) {
			for _, n := range m.Nodes {
				all = append(all, p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), update(p)))
			}
			return all
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, p := pair(t, 1)
			recordings := tt.record(m, p)
			m.Run(2 * time.Minute)
			answers := func() (count uint64) {
				for _, n := range m.Nodes {
					for _, c := range []mle.Command{mle.ParentResponse, mle.ChildUpdateResponse} {
						count += uint64(len(p.Answers(c, n.ExtAddr())))
					}
				}
				return count
			}
			before := answers()
			const count = 240
			replies := pings(m, count, func(i int) { p.Transmit(recordings[i%len(recordings)]) })
			if replies < count*95/100 || !m.OneMesh() {
				t.Errorf("%d of %d replies\n%s", replies, count, m)
			}
			// In 40 minutes each of the two nodes gives the burst of answers that recordings have, and one each 160 seconds.
			if got := answers() - before; got > 2*(8+15) {
				t.Errorf("%d answers", got)
			}
		})
	}
}

// A node that has lost its frame counters finds a parent at once, and one that asks for the first time as well, whatever somebody
// with recordings of others does.
func TestAskerAmongRecordings(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fresh bool
	}{{"new", true}, {"without its counters", false}} {
		t.Run(tt.name, func(t *testing.T) {
			m, p := pair(t, 2)
			n := m.Add(3, lorasim.Position{X: 0.5}, nil)
			if !tt.fresh {
				q := m.AddPeer(3, lorasim.Position{X: 0.5})
				q.MLECounter = 1_000_000
				q.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(9), mle.ScanRouters))
				m.Run(time.Minute)
				q.Deaf = true
			}
			recording := p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
			for range 60 {
				m.Run(10 * time.Second)
				p.Transmit(recording)
			}
			n.Start()
			for range 10 {
				p.Transmit(recording)
				m.Run(10 * time.Second)
			}
			if !m.OneMesh() {
				t.Error(m)
			}
		})
	}
}

// A recorded Parent Request between a Parent Response and the Child ID Request does not undo the handshake.
func TestRecordingWithinHandshake(t *testing.T) {
	m, n, p := leading(t, nil)
	old := p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
	m.Run(20 * time.Second)
	p.OnMLE = func(h meshtest.Heard) {
		if h.Command == mle.ParentResponse && p.OnMLE != nil {
			p.OnMLE = nil
			p.Transmit(old)
		}
	}
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
}

// A child that has died does not silence its parent: while somebody keeps sending to it, those who are there get through. Once it is known to
// be dead nothing is tried any more, and what is for it is refused with an error at once.
func TestDeadChild(t *testing.T) {
	m, _ := pair(t, 3)
	parent, living := m.Nodes[0], m.Nodes[1]
	p := m.AddPeer(12, lorasim.Position{X: 0.5})
	p.Attach(parent, thread.ModeFullThreadDevice, 4*time.Minute)
	dead := p.RLOC16.Addr(thread.DefaultMeshLocalPrefix)
	p.Deaf = true
	retries := parent.Counters().TxNoAck
	var lastMinute uint64
	for minute := range 3 {
		replies := 0
		before := parent.Counters().TxFrames
		for range 12 {
			end := m.Sim.Now().Add(5 * time.Second)
			for range 5 {
				err := parent.HandlePacket(m.Sim.Now(), echoRequest(parent, dead))
				parent.Antenna.Touch()
				if minute == 2 && !errors.Is(err, thread.ErrNoRoute) {
					t.Fatalf("minute %d: %v", minute+1, err)
				}
			}
			if _, ok := living.Ping(parent.MeshLocalEID(), 8, 5*time.Second); ok {
				replies++
			}
			m.Run(end.Sub(m.Sim.Now()))
		}
		if replies < 9 { // the first frame to the dead child takes its tries for nine seconds
			t.Errorf("minute %d: %d of 12 replies\n%s", minute+1, replies, m)
		}
		lastMinute = parent.Counters().TxFrames - before
	}
	if got := parent.Counters().TxNoAck - retries; got > 6 || lastMinute > 40 {
		t.Errorf("%d frames to the dead child, %d in the last minute", got, lastMinute)
	}
	// It is back as soon as it is heard.
	p.Deaf = false
	p.SendDatagram(shortAddress(parent.RLOC16()), echoTo(p, parent))
	parent.Reach(living.MeshLocalEID(), 8, time.Minute)
	before := parent.Counters().TxAcked
	parent.Send(echoRequest(parent, dead))
	m.Run(5 * time.Second)
	if parent.Counters().TxAcked == before {
		t.Error("not tried again")
	}
}

// echoRequest is a ping of eight bytes from a node.
func echoRequest(n *meshtest.Node, dst netip.Addr) []byte {
	h := ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}
	return must(ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 9, Data: make([]byte, 8)}))
}

// echoTo is a ping from a peer to a node.
func echoTo(p *meshtest.Peer, n *meshtest.Node) []byte {
	prefix := thread.DefaultMeshLocalPrefix
	h := ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(prefix), Dst: n.RLOC16().Addr(prefix)}
	return must(ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 9, Data: make([]byte, 8)}))
}

// Frames that ask for an acknowledgement, from anybody and in anybody's name, do not use up a node's time on the air.
func TestAcksForAnybody(t *testing.T) {
	m, p := pair(t, 4)
	router, leader := m.Nodes[1], m.Nodes[0]
	for name, src := range map[string]ieee802154.Addr{
		"stranger": ieee802154.ExtAddress(p.ExtAddr), "nobody": {}, "neighbor": ieee802154.ExtAddress(leader.ExtAddr()),
		"neighbor's RLOC16": shortAddress(leader.RLOC16()),
	} {
		before := router.Counters().TxAcks
		f := p.Frame(shortAddress(router.RLOC16()), []byte{1})
		f.Src = src
		replies := pings(m, 30, func(int) {
			for range 6 {
				p.SendFrame(f)
				m.Run(1500 * time.Millisecond)
			}
		})
		if replies < 28 || !m.OneMesh() {
			t.Errorf("%s: %d of 30 replies", name, replies)
		}
		if got := router.Counters().TxAcks - before; got > 32+300/16+60 { // and those for the pings
			t.Errorf("%s: %d acknowledgements", name, got)
		}
	}
}

// Frames in a neighbor's name that nobody has authenticated leave its record as it is: a link does not get worse by them.
func TestUnauthenticatedStrength(t *testing.T) {
	m, p := pair(t, 5)
	n, other := m.Nodes[0], m.Nodes[1]
	m.Sim.SetLinkFrom(p.Antenna, n.Antenna, -123)
	link := func() thread.NeighborInfo { return n.Neighbors()[0] }
	before := link()
	forged := map[string][]byte{"acknowledgement": ieee802154.AppendAck(nil, 0, false)}
	for name, src := range map[string]ieee802154.Addr{
		"extended address": ieee802154.ExtAddress(other.ExtAddr()), "RLOC16": shortAddress(other.RLOC16()),
	} {
		for dst, to := range map[string]ieee802154.Addr{"unicast": shortAddress(n.RLOC16()), "broadcast": shortAddress(mle.BroadcastRLOC16)} {
			f := p.Frame(to, []byte{1, 2, 3, 4})
			f.Src = src
			forged[name+", "+dst] = must(f.AppendBinary(nil))
		}
	}
	// A real Advertisement, heard once more, is authentic but old.
	for _, psdu := range p.Frames {
		if h, err := meshtest.OpenMLE(psdu); err == nil && h.Command == mle.Advertisement && h.ExtAddr == other.ExtAddr() {
			forged["recorded Advertisement"] = psdu
		}
	}
	for name, psdu := range forged {
		for range 60 {
			if psdu[0]&7 == 2 {
				psdu[2]++
			}
			p.Transmit(psdu)
			m.Run(500 * time.Millisecond)
		}
		if after := link(); after.LinkQualityIn != before.LinkQualityIn || after.RSSI != before.RSSI || !m.OneMesh() {
			t.Errorf("%s: %+v, was %+v", name, after, before)
		}
	}
	m.Run(2 * time.Minute)
	if len(n.Neighbors()) != 1 || link().LastRSSI != before.LastRSSI {
		t.Errorf("%+v, was %+v", link(), before)
	}
}

// TestNeighborBeginsAnew: a child or a router that has lost its frame counters is heard again once it answers a challenge; recordings of how
// it became a child change nothing.
func TestNeighborBeginsAnew(t *testing.T) {
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	place := p.RLOC16
	var begin [][]byte
	for _, b := range [][]byte{
		meshtest.ParentRequest(meshtest.Challenge(77), mle.ScanRouters),
		p.ChildIDRequest(p.Answers(mle.ParentResponse, n.ExtAddr())[0], thread.ModeFullThreadDevice, time.Hour),
	} {
		begin = append(begin, p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), b))
		m.Run(time.Second)
	}
	update := func() []byte {
		b := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice)
		return p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), mle.AppendTimeout(mle.AppendSourceAddress(b, place), time.Hour))
	}
	old := update()
	m.Run(time.Second)
	replays := n.Counters().MLEReplay
	for range 100 {
		for _, psdu := range append(begin, old) {
			p.Transmit(psdu)
			m.Run(100 * time.Millisecond)
		}
	}
	if got := n.Counters().MLEReplay - replays; got != 100 {
		t.Errorf("%d of 100 recorded updates found out", got)
	}
	if k := n.Neighbors(); len(k) != 1 || k[0].RLOC16 != place {
		t.Errorf("children %+v", k)
	}
	m.Run(time.Minute) // the challenge that the recordings have opened is too old then

	p.MLECounter, p.MACCounter = 0, 0
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	answered := len(p.Answers(mle.ChildUpdateResponse, n.ExtAddr()))
	place = p.RLOC16
	update()
	m.Run(time.Second)
	if got := len(p.Answers(mle.ChildUpdateResponse, n.ExtAddr())) - answered; got != 1 || len(n.Neighbors()) != 1 {
		t.Errorf("%d answers to the child that has begun anew, %d children", got, len(n.Neighbors()))
	}
}

// TestRecordedAnnounces: a node that has a place does not leave it for where nobody is, however many Announces tell of a newer dataset there; it does
// for where somebody answers (Thread 1.1 §4.8.1).
func TestRecordedAnnounces(t *testing.T) {
	announce := func(pan ieee802154.PANID, seconds byte) []byte {
		b := mle.AppendChannel(mle.AppendCommand(nil, mle.Announce), mle.Channel{Number: 12})
		return mle.AppendPANID(mle.AppendTLV(b, mle.TLVActiveTimestamp, []byte{0, 0, 0, 0, 0, seconds, 0, 0}), pan)
	}
	m, p := pair(t, 6)
	for i := range 60 {
		p.SendMLE(ip6.LinkLocalAllNodes, announce(0x1000+ieee802154.PANID(i%3), byte(1+i/3)))
		m.Run(30 * time.Second)
		if !m.OneMesh() {
			t.Fatalf("after %d Announces\n%s", i+1, m)
		}
	}

}

// TestAnnounceOfOthers: two nodes that were away while all others changed the PAN ID have a partition of their own; when they hear of the others,
// and these answer, they follow.
func TestAnnounceOfOthers(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 6}, 4, nil)
	m.Sim.CutLink(m.Nodes[1].Antenna, m.Nodes[2].Antenna)
	m.StartEach(time.Second)
	attached := func() bool { return m.Count(thread.RoleLeader) == 2 && m.Count(thread.RoleDetached) == 0 }
	m.Until(10*time.Minute, "two partitions", attached)
	m.Run(5 * time.Minute)
	a := m.Nodes[2]
	want := a.Network()
	want.PANID = 0x4444
	if err := a.ChangeNetwork(m.Sim.Now(), want, 0); err != nil {
		t.Fatal(err)
	}
	a.Antenna.Touch()
	m.Until(30*time.Minute, "the other PAN ID", func() bool { return a.Network() == want && m.Nodes[3].Network() == want && attached() })
	m.Sim.RestoreLink(m.Nodes[1].Antenna, m.Nodes[2].Antenna)
	for range 3 {
		a.Announce(m.Sim.Now(), 1<<want.Channel, 1, time.Second)
		a.Antenna.Touch()
		m.Run(time.Minute)
	}
	m.Until(20*time.Minute, "one mesh", func() bool { return allIn(m, want) && m.OneMesh() })
}

// TestTunnels: what comes in a tunnel is a multicast wider than the mesh (RFC 7731 §2), or nothing: somebody outside would have a border router
// pass on management messages that seem to come from within.
func TestTunnels(t *testing.T) {
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	prefix := thread.DefaultMeshLocalPrefix
	options := must(coap.Options(nil).AppendURIPath(tmf.URIDiagnosticGetRequest))
	request := coap.Message{
		Type: coap.Confirmable, Code: coap.POST, MessageID: 7, Options: options, Payload: tmf.AppendTypeList(nil, tmf.DiagnosticAddress16),
	}
	inner := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(prefix), Dst: n.RLOC16().Addr(prefix)},
		tmf.UDPPort, tmf.UDPPort, must(request.AppendBinary(nil))))
	outer := ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(prefix), Dst: n.MeshLocalEID(), NextHeader: ip6.ProtocolIPv6, PayloadLength: len(inner)}
	for _, tt := range []struct {
		name     string
		datagram []byte
		heard    bool
	}{
		{"in a tunnel", append(must(outer.AppendBinary(nil)), inner...), false},
		{"in none", inner, true},
	} {
		malformed, frames := n.Counters().IPMalformed, len(p.Frames)
		p.SendDatagram(shortAddress(n.RLOC16()), tt.datagram)
		m.Run(time.Second)
		answered := 0
		for _, psdu := range p.Frames[frames:] {
			if f, err := ieee802154.ParseFrame(psdu); err == nil && f.Type == ieee802154.Data && f.Dst == shortAddress(p.RLOC16) {
				answered++
			}
		}
		if (answered > 0) != tt.heard || (n.Counters().IPMalformed == malformed) != tt.heard {
			t.Errorf("%s: %d answers", tt.name, answered)
		}
	}
}
