package thread_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// What was seen between Pymesh boards, OpenThread of 2018 and OpenThread of 2025, point by point. Points 10 (command line), 15 (SLAAC)
// and the half of 7 that is about datasets concern the packages above and the features that are to come.

// TestInterop01HalfOpenChildren: a Pymesh child takes 10 s between Parent Response and Child ID Request. The parent remembers it for
// 15 s; a stock one forgets after 5 s, so that our own child answers sooner.
func TestInterop01HalfOpenChildren(t *testing.T) {
	for _, timing := range []thread.Timing{thread.TimingPymesh(), thread.TimingIEEE802154()} {
		for wait, want := range map[time.Duration]int{time.Second: 1, 13 * time.Second: 1, 17 * time.Second: 0} {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { c.Timing = timing })
			n.Start()
			m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
			p := m.AddPeer(2, lorasim.Position{})
			p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
			response := p.Await(mle.ParentResponse, n.ExtAddr(), 5*time.Second)
			m.Run(wait)
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), p.ChildIDRequest(response, thread.ModeFullThreadDevice, time.Minute))
			m.Run(time.Second)
			if got := len(p.Answers(mle.ChildIDResponse, n.ExtAddr())); got != want {
				t.Errorf("Child ID Request after %v: %d responses, want %d", wait, got, want)
			}
		}
	}
	for _, delay := range []time.Duration{10 * time.Millisecond, 3 * time.Second, 6 * time.Second} { // of a Parent Response
		m := meshtest.New(t, ideal())
		n := m.Add(1, lorasim.Position{}, nil)
		p := m.AddPeer(2, lorasim.Position{})
		p.RLOC16 = 0x5800
		answered := false
		var at time.Time
		p.OnMLE = func(h meshtest.Heard) {
			if h.Command == mle.ParentRequest && !answered {
				answered = true
				m.Sim.After(delay, func() {
					at = m.Sim.Now()
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), p.ParentResponse(h, mle.LeaderData{PartitionID: 1}, mle.Connectivity{ActiveRouters: 1}, 50))
				})
			}
		}
		n.Start()
		p.Await(mle.ChildIDRequest, n.ExtAddr(), 30*time.Second)
		if d := m.Sim.Now().Sub(at); d > 5*time.Second {
			t.Errorf("Child ID Request %v after a Parent Response that took %v", d, delay)
		}
	}
}

// capture returns a mesh that keeps what is on the air.
func capture(opt lorasim.Options) (lorasim.Options, func(testing.TB) [][]byte) {
	var buf bytes.Buffer
	opt.Capture = &buf
	return opt, func(t testing.TB) [][]byte {
		r := must(pcap.NewReader(bytes.NewReader(buf.Bytes())))
		var frames [][]byte
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return frames
			}
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, slices.Clone(rec.Data))
		}
	}
}

// busyMesh lets three routers, a minimal child and all kinds of traffic be.
func busyMesh(t *testing.T, opt lorasim.Options) *meshtest.Mesh {
	m := steady(t, opt, 3, stock)
	child := m.Add(1, lorasim.Position{X: 3}, minimal)
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	for _, size := range []int{8, 200, 1000} {
		for _, dst := range []netip.Addr{m.Nodes[2].MeshLocalEID(), rlocAddr(m.Nodes[1].RLOC16()), meshtest.LinkLocal(m.Nodes[1].ExtAddr()), child.MeshLocalEID()} {
			if _, ok := m.Nodes[0].Ping(dst, size, time.Second); !ok {
				t.Errorf("no reply from %v, %d bytes", dst, size)
			}
		}
		m.Nodes[0].Ping(ip6.LinkLocalAllNodes, size, time.Second)
		m.Nodes[2].Ping(ip6.RealmLocalAllNodes, size, time.Second)
	}
	m.Run(10 * time.Second)
	return m
}

// TestInterop02FCS: the two bytes are always there, right when sent, and never checked (see also TestAcknowledge).
func TestInterop02FCS(t *testing.T) {
	opt, frames := capture(ideal())
	busyMesh(t, opt)
	for _, psdu := range frames(t) {
		if !ieee802154.FCSValid(psdu) || len(psdu) > ieee802154.MaxPSDU {
			t.Fatalf("%d bytes: %x", len(psdu), psdu)
		}
	}
	b := newBench(t, idle(thread.TimingIEEE802154()))
	p := &meshtest.Peer{ExtAddr: meshtest.ExtAddr(2)}
	f := p.Frame(ieee802154.ExtAddress(meshtest.ExtAddr(1)), []byte{1})
	psdu := must(f.AppendBinary(nil))
	psdu[len(psdu)-1] ^= 0x55
	b.HandleFrame(b.now, psdu, -50)
	if ack, ok := b.PollTransmit(); !ok || ack[2] != psdu[2] {
		t.Error("a frame with a wrong FCS is not acknowledged")
	}
}

// TestInterop04FrameControls: the frame controls on the air are those of Pymesh, and so is the security.
func TestInterop04FrameControls(t *testing.T) {
	opt, frames := capture(ideal())
	busyMesh(t, opt)
	seen := map[uint16]int{}
	for _, psdu := range frames(t) {
		control := uint16(psdu[0]) | uint16(psdu[1])<<8
		seen[control]++
		f := parse(t, psdu)
		if f.Security.Level != ieee802154.SecurityNone && (f.Security.Level != ieee802154.SecurityENCMIC32 ||
			f.Security.KeyIDMode != ieee802154.KeyIDModeIndex || f.Security.KeyIndex != 1) {
			t.Errorf("security %+v", f.Security)
		}
	}
	for control, want := range map[uint16]string{
		0x0002: "acknowledgement",
		0xd841: "MLE multicast", 0xdc61: "MLE unicast", 0xdc41: "MLE unicast to a stranger, not to be acknowledged",
		0xdc69: "extended to extended, secured", 0xdc79: "more fragments extended to extended",
		0x9869: "short to short", 0x9879: "more fragments short to short",
		0x9849: "broadcast", 0x9859: "more fragments by broadcast",
		0xd849: "link-local multicast", 0xd859: "more fragments of a link-local multicast",
	} {
		if seen[control] == 0 {
			t.Errorf("no frame with control %04x, %s", control, want)
		}
		delete(seen, control)
	}
	if len(seen) > 0 {
		t.Errorf("unusual frame controls %04x", seen)
	}
}

// prefixes is network data of some size: prefixes without a word on who serves them.
func prefixes(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, 0x03, 10, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, byte(i)) // Prefix TLV, stable
	}
	return b
}

// TestInterop05FragmentedMLE: MLE messages that exceed a frame, such as a Child ID Response with a dataset, are secured by the MAC
// too and go through reassembly, both ways.
func TestInterop05FragmentedMLE(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	p := m.AddPeer(2, lorasim.Position{})
	p.RLOC16 = 0x5800
	leader := mle.LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: p.RLOC16.RouterID(), DataVersion: 7, StableDataVersion: 7}
	p.OnMLE = func(h meshtest.Heard) {
		switch h.Command {
		case mle.ParentRequest:
			p.SendMLE(meshtest.LinkLocal(h.ExtAddr), p.ParentResponse(h, leader, mle.Connectivity{ActiveRouters: 1}, 50))
		case mle.ChildIDRequest:
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), p.RLOC16)
			b = mle.AppendAddress16(mle.AppendLeaderData(b, leader), p.RLOC16|5)
			b = mle.AppendTLV(b, mle.TLVActiveTimestamp, make([]byte, 8))
			b = mle.AppendTLV(b, mle.TLVNetworkData, prefixes(2))
			b = mle.AppendRoute64(b, mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(p.RLOC16.RouterID())})
			b = mle.AppendTLV(b, mle.TLVActiveOperationalDataset, make([]byte, 106))
			p.SendFragmentedMLE(meshtest.LinkLocal(h.ExtAddr), b)
		}
	}
	n.Start()
	m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	if got := n.Counters().RxFragments; got != 3 {
		t.Errorf("%d fragments", got)
	}
	// Fragments that nobody secured do not make a datagram.
	before := n.Counters()
	p.OnMLE = nil
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 255, Src: meshtest.LinkLocal(p.ExtAddr), Dst: meshtest.LinkLocal(n.ExtAddr())}, 1000, 1000, make([]byte, 150)))
	for offset := 0; offset < len(datagram); {
		f := p.Frame(ieee802154.ExtAddress(n.ExtAddr()), nil)
		var err error
		f.Payload, offset, err = lowpan.Packet{Datagram: datagram, Tag: 9, Src: f.Src, Dst: f.Dst}.AppendFrame(nil, offset, 96, contexts())
		if err != nil {
			t.Fatal(err)
		}
		p.SendFrame(f)
	}
	m.Run(time.Second)
	if _, ok := n.PollPacket(); ok || n.Counters().IPUnsupported == before.IPUnsupported {
		t.Error("an unsecured datagram passed")
	}

	// The other way: a leader that restarts gets large network data from a neighbor and announces it.
	store := new(thread.MemoryStore)
	_ = store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(3), Role: thread.RoleLeader, RLOC16: 0, Mode: thread.ModeFullThreadDevice, PartitionID: 1})
	m2 := meshtest.New(t, ideal())
	q := m2.AddPeer(2, lorasim.Position{})
	q.RLOC16 = 0x5800
	l := m2.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.ExtAddr, c.Store = meshtest.ExtAddr(3), store })
	leader.LeaderRouterID = 0
	q.OnMLE = func(h meshtest.Heard) {
		switch h.Command {
		case mle.LinkRequest:
			b := mle.AppendVersion(mle.AppendCommand(nil, mle.LinkAccept), mle.Version1_1)
			b = mle.AppendResponse(mle.AppendSourceAddress(b, q.RLOC16), must(h.Challenge()))
			b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, q.MACCounter), q.MLECounter)
			b = mle.AppendAddress16(mle.AppendLeaderData(mle.AppendLinkMargin(b, 50), leader), 0)
			b = mle.AppendRoute64(b, mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(0).Add(q.RLOC16.RouterID())})
			q.SendMLE(meshtest.LinkLocal(h.ExtAddr), b)
		case mle.DataRequest:
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.DataResponse), q.RLOC16)
			q.SendFragmentedMLE(meshtest.LinkLocal(h.ExtAddr), mle.AppendTLV(mle.AppendLeaderData(b, leader), mle.TLVNetworkData, prefixes(12)))
		}
	}
	l.Start()
	m2.Until(5*time.Second, "leader", func() bool { return l.Role() == thread.RoleLeader })
	m2.Run(3 * time.Second)
	var controls []string
	for _, psdu := range q.Frames {
		if f, _, ok := openFrame(m2, psdu); ok && f.Dst.IsBroadcast() {
			controls = append(controls, fmt.Sprintf("%02x%02x", psdu[1], psdu[0]))
		}
	}
	if fmt.Sprint(controls) != "[d859 d849]" && fmt.Sprint(controls) != "[d859 d859 d849]" {
		t.Errorf("a large announcement went out as %v", controls)
	}
	if got := l.Console().NetworkData.TLVs(); !bytes.Equal(got, prefixes(12)) {
		t.Errorf("network data %x", got)
	}
}

// TestInterop06Forming: with Pymesh's timing, a Parent Request to routers at once, to routers and REEDs 6 to 8 s later (a board: 10 s), leader as
// long after that: first a Data Response to ff02::1, then Advertisements. A new router multicasts its Link Request.
func TestInterop06Forming(t *testing.T) {
	m := meshtest.New(t, ideal())
	p := m.AddPeer(9, lorasim.Position{})
	n := m.Add(1, lorasim.Position{}, nil)
	n.Start()
	m.Until(40*time.Second, "leader", func() bool { return n.Role() == thread.RoleLeader })
	m.Run(5 * time.Second)
	want := []struct {
		command mle.Command
		at      time.Duration
		dst     netip.Addr
	}{
		{mle.ParentRequest, 0, ip6.LinkLocalAllRouters}, {mle.ParentRequest, 7 * time.Second, ip6.LinkLocalAllRouters},
		{mle.DataResponse, 14 * time.Second, ip6.LinkLocalAllNodes}, {mle.Advertisement, 14 * time.Second, ip6.LinkLocalAllNodes},
	}
	for i, w := range want {
		h := p.Heard[i]
		at := h.At.Sub(p.Heard[0].At)
		if h.Command != w.command || at < w.at-2*time.Second || at > w.at+2*time.Second || h.Dst != w.dst {
			t.Errorf("message %d: %v to %v after %v, want %+v", i, h.Command, h.Dst, at, w)
		}
	}
	second := m.Add(1, lorasim.Position{}, nil)
	second.Start()
	m.Until(5*time.Minute, "router", func() bool { return second.Role() == thread.RoleRouter })
	m.Run(3 * time.Second)
	if r := p.Find(mle.LinkRequest, second.ExtAddr()); len(r) == 0 || r[0].Dst != ip6.LinkLocalAllRouters || must(r[0].SourceAddress()) != second.RLOC16() {
		t.Errorf("Link Requests %+v", r)
	}
}

// tmfRequest builds a request of the peer, as a child, to the leader.
func tmfRequest(p *meshtest.Peer, uri string, payload []byte, typ coap.Type, id uint16) []byte {
	m := coap.Message{Type: typ, Code: coap.POST, MessageID: id, Options: must(coap.Options(nil).AppendURIPath(uri)), Payload: payload}
	return must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: rlocAddr(mle.ALOCLeader)}, tmf.UDPPort, tmf.UDPPort,
		must(m.AppendBinary(nil))))
}

// responses returns the CoAP messages that the nodes sent to a peer.
func responses(m *meshtest.Mesh, p *meshtest.Peer) []coap.Message {
	var found []coap.Message
	for _, psdu := range p.Frames {
		if d, ok := openDatagram(m, psdu); ok && d.Dst == rlocAddr(p.RLOC16) {
			if c, ok := tmfMessage(d); ok {
				found = append(found, c)
			}
		}
	}
	return found
}

// TestInterop07CurrentChild: a current node attaches to a Pymesh leader. The MGMT_ACTIVE_SET that it sends every 5 s is answered, so
// that it is not repeated on top of that.
func TestInterop07CurrentChild(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p := m.AddPeer(2, lorasim.Position{})
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	p.SendDatagram(ieee802154.ShortAddress(ieee802154.ShortAddr(n.RLOC16())), tmfRequest(p, tmf.URIActiveSet, []byte{0x0e, 8, 0, 0, 0, 0, 0, 1, 0, 0}, coap.Confirmable, 1))
	m.Run(time.Second)
	if got := responses(m, p); len(got) != 1 || got[0].Type != coap.Acknowledgement || got[0].MessageID != 1 {
		t.Errorf("answers %+v", got)
	}
}

// TestInterop08PingSources: 2018 pings an RLOC from its ML-EID, today's OpenThread from its RLOC. Both are answered.
func TestInterop08PingSources(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	a, c := m.Nodes[0], m.Nodes[2]
	if got := a.SelectSource(rlocAddr(c.RLOC16())); got != a.MeshLocalEID() {
		t.Errorf("source %v for an RLOC", got)
	}
	for _, src := range []netip.Addr{a.MeshLocalEID(), rlocAddr(a.RLOC16())} {
		a.Send(must(ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: src, Dst: rlocAddr(c.RLOC16())}, ip6.ICMPv6EchoRequest, ip6.Echo{})))
		m.Run(time.Second)
		d, ok := a.PollPacket()
		if !ok {
			t.Fatalf("no reply to %v", src)
		}
		if d.Dst != src || d.Src != rlocAddr(c.RLOC16()) {
			t.Errorf("reply from %v to %v", d.Src, d.Dst)
		}
	}
}

// TestInterop09AddressQuery: even a direct neighbor's ML-EID is asked for: a/aq, non-confirmable, to ff03::2, sent twice by each router;
// a/an, confirmable, comes back.
func TestInterop09AddressQuery(t *testing.T) {
	opt, frames := capture(ideal())
	m := steady(t, opt, 2, stock)
	before := len(frames(t))
	m.Nodes[0].Ping(m.Nodes[1].MeshLocalEID(), 8, time.Second)
	m.Run(time.Second)
	var got []string
	for _, psdu := range frames(t)[before:] {
		if d, ok := openDatagram(m, psdu); ok {
			if c, ok := tmfMessage(d); ok {
				asker, owner := rlocAddr(m.Nodes[0].RLOC16()), rlocAddr(m.Nodes[1].RLOC16())
				if c.Type == coap.NonConfirmable && d.Src == owner || c.Type == coap.Confirmable && d.Dst == owner || c.Type == coap.Acknowledgement && d.Dst == asker {
					continue // the same for the way back
				}
				got = append(got, fmt.Sprintf("%v %v %s to %v", c.Type, c.Code, c.Options.URIPath(), d.Dst))
				if c.Options.URIPath() == tmf.URIAddressQuery {
					// S=0: the seed is told by the source, which is the RLOC.
					if !d.HasMPL || d.MPL.SeedIDLength != ip6.SeedIDElided || d.Src != rlocAddr(m.Nodes[0].RLOC16()) {
						t.Errorf("query from %v with %+v", d.Src, d.MPL)
					}
				}
			}
		}
	}
	slices.Sort(got)
	query := "NON 0.02 a/aq to ff03::2"
	ack, notify := "ACK 2.04  to "+rlocAddr(m.Nodes[1].RLOC16()).String(), "CON 0.02 a/an to "+rlocAddr(m.Nodes[0].RLOC16()).String()
	if want := []string{ack, notify, query, query, query, query}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestInterop11KeyAhead: MAC frames of a sequence ahead by more than one are dropped until an MLE message, with its full key source,
// raises the receiver: the first ping fails.
func TestInterop11KeyAhead(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	a.Ping(b.MeshLocalEID(), 8, time.Second)
	m.Run(40 * time.Second) // no Advertisement is near
	if err := a.Console().SetKeySequence(m.Sim.Now(), 5); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Ping(b.MeshLocalEID(), 8, 100*time.Millisecond); ok || b.Console().Keys.Sequence() != 0 || b.Counters().RxSecurity == 0 {
		t.Errorf("sequence %d after a MAC frame, %+v", b.Console().Keys.Sequence(), b.Counters())
	}
	m.Until(time.Minute, "raised", func() bool { return b.Console().Keys.Sequence() == 5 })
	if _, ok := a.Ping(b.MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no reply")
	}
}

// TestInterop12Restart: frame counters go on from the stored value, 1000 ahead. Peers take the jump and refuse replays (TestReplay); the
// restarting router sends Link Requests, then Parent Requests (TestRestartAlone).
func TestInterop12Restart(t *testing.T) {
	opt, frames := capture(ideal())
	m := steady(t, opt, 2, stock)
	n := m.Nodes[1]
	if _, ok := n.Ping(m.Nodes[0].MeshLocalEID(), 8, time.Second); !ok {
		t.Fatal("no reply")
	}
	settings, _, _ := n.Config.Store.Load()
	before := len(frames(t))
	n.Restart()
	m.Until(5*time.Second, "router", func() bool { return n.Role() == thread.RoleRouter })
	if _, ok := n.Ping(m.Nodes[0].MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no reply after the restart")
	}
	mac, message := uint32(0), uint32(0)
	for _, psdu := range frames(t)[before:] {
		f, _, secured := openFrame(m, psdu)
		if h, err := meshtest.OpenMLE(psdu); err == nil && h.ExtAddr == n.ExtAddr() && message == 0 {
			message = h.FrameCounter
		}
		if secured && f.Src == ieee802154.ShortAddress(ieee802154.ShortAddr(n.RLOC16())) && mac == 0 {
			mac = f.Security.FrameCounter
		}
	}
	if message != settings.MLEFrameCounter || mac != settings.MACFrameCounter || message < 1000 || mac < 1000 {
		t.Errorf("counters begin at %d and %d, stored %d and %d", message, mac, settings.MLEFrameCounter, settings.MACFrameCounter)
	}
	if c := m.Nodes[0].Counters(); c.MLEReplay != 0 || c.RxSecurity != 0 {
		t.Errorf("%+v", c)
	}
}

// TestInterop13TwoLeaders: two nodes that lose their leader at once may both become leader; weight, then partition ID decide.
func TestInterop13TwoLeaders(t *testing.T) {
	for _, weights := range [][2]uint8{{64, 64}, {65, 64}, {64, 65}} {
		m := meshtest.New(t, ideal())
		a := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.PartitionID, c.LeaderWeight = 1000, new(weights[0]) })
		b := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.PartitionID, c.LeaderWeight = 2000, new(weights[1]) })
		m.Sim.CutLink(a.Antenna, b.Antenna)
		a.Start()
		b.Start()
		m.Until(time.Minute, "two leaders", func() bool { return len(leaders(m)) == 2 })
		m.Sim.RestoreLink(a.Antenna, b.Antenna)
		m.Until(2*time.Minute, "one leader", m.OneMesh)
		want := b
		if weights[0] > weights[1] {
			want = a
		}
		if want.Role() != thread.RoleLeader {
			t.Errorf("weights %v: the wrong leader\n%s", weights, m)
		}
	}
}

// TestInterop14MPL: an elided seed where the source is the RLOC (TestInterop09AddressQuery), a seed of 2 bytes otherwise; larger scopes in
// a tunnel to ff03::fc. 1000 bytes are 11 to 12 fragments; context 0 is the mesh-local prefix.
func TestInterop14MPL(t *testing.T) {
	opt, frames := capture(ideal())
	m := steady(t, opt, 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	for _, tt := range []struct{ dst, outer, protocol string }{{"ff03::1", "ff03::1", "UDP"}, {"ff05::1234", "ff03::fc", "IPv6"}} {
		dst, want := tt.dst, fmt.Sprintf("from %v to %s, protocol %s, seed %v", a.MeshLocalEID(), tt.outer, tt.protocol, a.RLOC16())
		before := len(frames(t))
		a.Send(udp(a, netip.MustParseAddr(dst), "hello"))
		m.Run(time.Second)
		count := 0
		for _, psdu := range frames(t)[before:] {
			d, ok := openDatagram(m, psdu)
			if !ok || !d.HasMPL {
				continue
			}
			count++
			if got := fmt.Sprintf("from %v to %v, protocol %v, seed %v", d.Src, d.Dst, d.Protocol, mle.RLOC16(d.MPL.SeedID16())); got != want {
				t.Errorf("%s: %s, want %s", dst, got, want)
			}
		}
		if count != 4 {
			t.Errorf("%s: sent %d times, want 2 by each", dst, count)
		}
	}
	if _, ok := a.Ping(b.MeshLocalEID(), 8, time.Second); !ok {
		t.Fatal("no reply")
	}
	before := b.Counters().RxFragments
	if _, ok := a.Ping(b.MeshLocalEID(), 1000, time.Second); !ok {
		t.Fatal("no reply")
	}
	if got := b.Counters().RxFragments - before; got < 11 || got > 12 {
		t.Errorf("1000 bytes in %d fragments", got)
	}
}

// TestInterop16ClosedPort: a closed UDP port brings no ICMPv6 error. The engine knows of no ports: the datagram goes to the host.
func TestInterop16ClosedPort(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	a.Send(udp(a, b.MeshLocalEID(), "anybody?"))
	m.Run(5 * time.Second)
	if _, ok := a.PollPacket(); ok {
		t.Error("an answer")
	}
	if got, _ := received(b); len(got) != 1 {
		t.Errorf("received %v", got)
	}
}
