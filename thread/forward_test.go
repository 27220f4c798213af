package thread_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// udp builds a datagram from a node.
func udp(n *meshtest.Node, dst netip.Addr, payload string) []byte {
	return must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}, 1234, 5678, []byte(payload)))
}

// received returns the payloads of the UDP datagrams that wait for the host, and how many other ones do.
func received(n *meshtest.Node) (payloads []string, other int) {
	for {
		d, ok := n.PollPacket()
		if !ok {
			return payloads, other
		}
		if d.Protocol == ip6.ProtocolUDP {
			payloads = append(payloads, string(d.Payload[ip6.UDPHeaderSize:]))
		} else {
			other++
		}
	}
}

func rlocAddr(r mle.RLOC16) netip.Addr { return r.Addr(thread.DefaultMeshLocalPrefix) }

// TestAddresses reaches a direct neighbor by each of its addresses, in all sizes.
func TestAddresses(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	for _, size := range []int{0, 1, 50, 60, 70, 80, 90, 100, 200, 1000, 1232} {
		for _, n := range []*meshtest.Node{a, b} {
			for _, dst := range n.Addresses() {
				if _, ok := a.Ping(dst, size, time.Second); !ok {
					t.Errorf("no reply from %v, %d bytes\n%s", dst, size, m)
				}
			}
		}
	}
	if _, ok := b.Ping(rlocAddr(mle.ALOCLeader), 8, time.Second); !ok {
		t.Error("the leader does not answer by its anycast locator")
	}
	if err := a.HandlePacket(m.Sim.Now(), udp(b, a.MeshLocalEID(), "not mine")); err == nil {
		t.Error("sent with another's address")
	}
}

// TestChain goes over three hops, in both directions.
func TestChain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    lorasim.Options
		change func(*thread.Config)
	}{
		{"IEEE802154", ideal(), stock},
		{"LoRa", lorasim.Options{Seed: 2}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := steady(t, tt.opt, 4, tt.change)
			first, last := m.Nodes[0], m.Nodes[3]
			for _, size := range []int{0, 8, 200, 1000} {
				for _, dst := range []netip.Addr{last.MeshLocalEID(), rlocAddr(last.RLOC16()), first.MeshLocalEID(), rlocAddr(mle.ALOCLeader)} {
					from := last
					if dst == last.MeshLocalEID() || dst == rlocAddr(last.RLOC16()) {
						from = first
					}
					if tt.change == nil {
						from.Reach(dst, size, 5*time.Minute)
					} else if _, ok := from.Ping(dst, size, time.Second); !ok {
						t.Errorf("no reply from %v, %d bytes\n%s", dst, size, m)
					}
				}
			}
		})
	}
}

// queries counts the address queries that a peer in reach of everyone hears, by the multicast that carries them.
func multicasts(p *meshtest.Peer) int {
	count := 0
	for _, psdu := range p.Frames {
		if f, err := ieee802154.ParseFrame(psdu); err == nil && f.Dst.IsBroadcast() && f.Security.Level != ieee802154.SecurityNone {
			count++
		}
	}
	return count
}

// TestOrderAcrossHops keeps the order of datagrams to one node, also while a long one pauses between its fragments.
func TestOrderAcrossHops(t *testing.T) {
	m := steady(t, ideal(), 3, func(c *thread.Config) {
		stock(c)
		c.Timing.FragmentGap = 100 * time.Millisecond
	})
	a, near, far := m.Nodes[0], m.Nodes[1], m.Nodes[2]
	for _, n := range []*meshtest.Node{near, far} {
		a.Reach(n.MeshLocalEID(), 8, time.Minute)
	}
	for _, size := range []int{300, 10, 400, 20} {
		a.Send(udp(a, far.MeshLocalEID(), fmt.Sprintf("%*s", size, "x")))
	}
	a.Send(udp(a, near.MeshLocalEID(), "near"))
	m.Run(300 * time.Millisecond)
	if got, _ := received(near); len(got) != 1 {
		t.Error("a datagram for another node waits for the pauses")
	}
	m.Run(3 * time.Second)
	var sizes []int
	got, _ := received(far)
	for _, payload := range got {
		sizes = append(sizes, len(payload))
	}
	if fmt.Sprint(sizes) != "[300 10 400 20]" {
		t.Errorf("received %v", sizes)
	}
}

// TestAddressQuery asks once for an address, lets datagrams wait meanwhile, and remembers the answer.
func TestAddressQuery(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	ear := m.AddPeer(9, lorasim.Position{})
	a, c := m.Nodes[0], m.Nodes[2]
	for i := range 5 {
		a.Send(udp(a, c.MeshLocalEID(), fmt.Sprint(i)))
	}
	m.Run(time.Second)
	if got, _ := received(c); fmt.Sprint(got) != "[0 1 2 3 4]" {
		t.Errorf("received %v of the datagrams that waited", got)
	}
	heard := multicasts(ear)
	if heard < 2 || heard > 4 {
		t.Errorf("%d multicasts for one query, want 2 of each of the routers in reach", heard)
	}
	a.Send(udp(a, c.MeshLocalEID(), "again"))
	m.Run(time.Second)
	if got, _ := received(c); len(got) != 1 || multicasts(ear) != heard {
		t.Errorf("received %v, %d more multicasts", got, multicasts(ear)-heard)
	}

	// An address that nobody has: asked for once, then not for 15 s, 30 s, 60 s …
	nobody := ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, ip6.InterfaceID{1, 2, 3})
	var asked []time.Duration
	since := m.Sim.Now()
	for range 40 {
		heard = multicasts(ear)
		a.Send(udp(a, nobody, "hello?"))
		m.Run(5 * time.Second)
		if multicasts(ear) > heard {
			asked = append(asked, m.Sim.Now().Sub(since).Truncate(5*time.Second))
		}
	}
	if want := "[5s 25s 1m0s 2m5s]"; fmt.Sprint(asked) != want {
		t.Errorf("asked for nobody's address after %v, want %v", asked, want)
	}
	if a.Counters().AddressUnresolved == 0 {
		t.Error("unresolved datagrams not counted")
	}
}

// TestAddressCacheOverflow asks for more addresses than a node remembers: all are reached nevertheless.
func TestAddressCacheOverflow(t *testing.T) {
	m := steady(t, ideal(), 2, func(c *thread.Config) { stock(c); c.MaxChildren = 60 })
	for range 40 {
		n := m.Add(1, lorasim.Position{X: 1.5}, minimal) // of the second node
		n.Start()
		m.Run(100 * time.Millisecond)
	}
	m.Until(5*time.Minute, "all children", func() bool { return m.Count(thread.RoleChild) == 40 })
	for range 2 {
		for _, n := range m.Nodes[2:] {
			if _, ok := m.Nodes[0].Ping(n.MeshLocalEID(), 8, time.Second); !ok {
				t.Fatalf("no reply from %v", n.RLOC16())
			}
		}
	}
}

// TestDuplicateAddress makes one of two nodes with the same mesh-local address take another one.
func TestDuplicateAddress(t *testing.T) {
	m := meshtest.Chain(t, ideal(), 3, stock)
	iid := ip6.InterfaceID{1, 2, 3, 4, 5, 6, 7, 8}
	same := func(c *thread.Config) {
		_ = c.Store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: c.ExtAddr, MeshLocalIID: iid})
	}
	a := m.Nodes[0]
	same(&a.Config)
	a.Engine = must(thread.New(a.Config))
	a.Antenna.SetStation(a.Engine)
	m.StartOneByOne()
	child := m.Add(1, lorasim.Position{X: 3}, func(c *thread.Config) { minimal(c); same(c) })
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	if a.MeshLocalEID() != child.MeshLocalEID() {
		t.Fatal("the test is wrong")
	}
	// The query of the second node brings an answer of the first and one of the third, the child's parent: an Address Error follows.
	m.Nodes[1].Ping(a.MeshLocalEID(), 8, time.Second)
	m.Run(5 * time.Second)
	if a.MeshLocalEID() == child.MeshLocalEID() {
		t.Errorf("still the same address\n%s", m)
	}
	m.Run(30 * time.Second)
	pingAll(t, m, time.Second)
}

// TestMulticast delivers each multicast once to whom it concerns.
func TestMulticast(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true, Propagation: lorasim.LinksOnly})
	for range 5 {
		m.Add(5, lorasim.Position{}, stock)
	}
	// A ring of four, and one beyond: every multicast comes by several ways.
	for _, l := range [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}, {2, 4}} {
		m.Sim.SetLink(m.Nodes[l[0]].Antenna, m.Nodes[l[1]].Antenna, -50)
	}
	m.StartOneByOne()
	full, small := m.Add(5, lorasim.Position{}, endDevice), m.Add(5, lorasim.Position{}, minimal)
	m.Sim.SetLink(full.Antenna, m.Nodes[0].Antenna, -50)
	m.Sim.SetLink(small.Antenna, m.Nodes[4].Antenna, -50)
	for _, n := range []*meshtest.Node{full, small} {
		n.Start()
		m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	}
	m.Run(time.Minute)
	site := netip.MustParseAddr("ff05::abcd")
	for _, i := range []int{1, 4, 5, 6} {
		m.Nodes[i].Subscribe(site)
	}
	all, routers := []int{0, 1, 2, 3, 4, 5, 6}, []int{0, 1, 2, 3, 4, 5}
	for _, tt := range []struct {
		from int
		dst  string
		want []int
	}{
		{0, "ff02::1", []int{1, 3, 5}},
		{2, "ff02::1", []int{1, 3, 4}},
		{2, "ff02::2", []int{1, 3, 4}},
		{0, "ff32:40:fdde:ad00:beef:0:0:1", []int{1, 3, 5}},
		{0, "ff03::1", all}, {2, "ff03::1", all}, {4, "ff03::1", all}, {5, "ff03::1", all}, {6, "ff03::1", all},
		{1, "ff33:40:fdde:ad00:beef:0:0:1", all},
		{3, "ff03::2", routers}, {6, "ff03::2", routers},
		{3, "ff05::abcd", []int{1, 4, 5, 6}}, {1, "ff05::abcd", []int{4, 5, 6}}, {6, "ff05::abcd", []int{1, 4, 5}},
		{3, "ff05::1", nil},
	} {
		for _, size := range []int{10, 500} {
			from := m.Nodes[tt.from]
			payload := fmt.Sprintf("%*d", size, tt.from)
			from.Send(udp(from, netip.MustParseAddr(tt.dst), payload))
			m.Run(3 * time.Second)
			for i, n := range m.Nodes {
				want := 0
				for _, w := range tt.want {
					if w == i && i != tt.from {
						want = 1
					}
				}
				if got, _ := received(n); len(got) != want || want == 1 && got[0] != payload {
					t.Errorf("%s from %d, %d bytes: node %d got it %d times, want %d", tt.dst, tt.from, size, i, len(got), want)
				}
			}
		}
	}
	m.Nodes[1].Unsubscribe(site)
	m.Nodes[3].Send(udp(m.Nodes[3], site, "x"))
	m.Run(3 * time.Second)
	if got, _ := received(m.Nodes[1]); len(got) != 0 {
		t.Error("received after Unsubscribe")
	}
	if got := m.Nodes[0].Counters().MPLDuplicate; got == 0 {
		t.Error("no duplicates counted")
	}
	// An echo request to all is answered by all.
	m.Nodes[0].Ping(netip.MustParseAddr("ff03::1"), 8, time.Second)
	m.Run(3 * time.Second)
	if _, got := received(m.Nodes[0]); got != 5 { // the first reply ended the ping
		t.Errorf("%d more replies to a multicast echo request, want 5", got)
	}
}

// TestHopLimit ends the way of what has used up its hops.
func TestHopLimit(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	child := m.Add(1, lorasim.Position{X: 2}, minimal)
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	m.Run(10 * time.Second)
	a, parent := m.Nodes[0], m.Nodes[1]
	for want, limit := range []uint8{1, 2} {
		h := ip6.Header{HopLimit: limit, Src: a.MeshLocalEID(), Dst: child.MeshLocalEID()}
		a.Send(must(ip6.AppendUDP(nil, h, 1, 1, []byte("x"))))
		m.Run(time.Second)
		if got, _ := received(child); len(got) != want {
			t.Errorf("hop limit %d: received %d, want %d", limit, len(got), want)
		}
	}
	if got := parent.Counters().IPHopLimit; got != 1 {
		t.Errorf("%d hop limits counted", got)
	}
	// A multicast with one hop goes one hop.
	h := ip6.Header{HopLimit: 1, Src: a.MeshLocalEID(), Dst: ip6.RealmLocalAllNodes}
	a.Send(must(ip6.AppendUDP(nil, h, 1, 1, []byte("x"))))
	m.Run(time.Second)
	near, _ := received(parent)
	far, _ := received(child)
	if len(near) != 1 || len(far) != 0 {
		t.Errorf("multicast with one hop: %d near, %d far", len(near), len(far))
	}

	// Mesh headers, by hand.
	p := m.AddPeer(9, lorasim.Position{X: 0.5})
	p.Attach(parent, thread.ModeFullThreadDevice, time.Minute)
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: rlocAddr(a.RLOC16())}, 1234, 5678, []byte("x")))
	for _, hops := range []uint8{0, 1, 20} {
		want := min(int(hops), 1)
		f := p.Frame(ieee802154.ShortAddress(ieee802154.ShortAddr(parent.RLOC16())), nil)
		f.Src = ieee802154.ShortAddress(ieee802154.ShortAddr(p.RLOC16))
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
		header := lowpan.MeshHeader{HopsLeft: hops, Src: f.Src, Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(a.RLOC16()))}
		payload := must(header.AppendBinary(nil))
		var err error
		f.Payload, _, err = lowpan.Packet{Datagram: datagram, Src: header.Src, Dst: header.Dst}.AppendFrame(payload, 0, 80, contexts())
		if err != nil {
			t.Fatal(err)
		}
		p.SendFrame(f)
		m.Run(time.Second)
		if got, _ := received(a); len(got) != want {
			t.Errorf("%d hops left: received %d, want %d", hops, len(got), want)
		}
	}
	if got := parent.Counters().MeshHopsExceeded; got != 1 {
		t.Errorf("%d exceeded mesh hops counted", got)
	}
}

// TestUnreachable sends Destination Unreachable for the locator of a child that has gone.
func TestUnreachable(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	child := m.Add(1, lorasim.Position{X: 3}, func(c *thread.Config) { endDevice(c); c.Timing.ChildTimeout = 10 * time.Second })
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	a := m.Nodes[0]
	eid, rloc := child.MeshLocalEID(), rlocAddr(child.RLOC16())
	for _, dst := range []netip.Addr{eid, rloc} {
		if _, ok := a.Ping(dst, 8, time.Second); !ok {
			t.Fatalf("no reply from %v", dst)
		}
	}
	child.PowerOff()
	m.Run(15 * time.Second)
	for _, dst := range []netip.Addr{eid, rloc} {
		a.Send(udp(a, dst, "anybody there?"))
		m.Run(time.Second)
		if _, got := received(a); got != 1 {
			t.Errorf("%d Destination Unreachable for %v", got, dst)
		}
	}
	// Upon it the sender asks anew, and finds the same child elsewhere.
	child.Antenna.Move(lorasim.Position{X: -1})
	child.Restart()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	for _, n := range m.Nodes[:3] {
		if _, ok := n.Ping(eid, 8, time.Second); !ok {
			t.Errorf("no reply from the child in its new place to %v", n.RLOC16())
		}
	}
}

// TestChildMoves finds a child that changed its parent, without waiting for the old parent to miss it.
func TestChildMoves(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 4, stock)
			child := m.Add(1, lorasim.Position{X: 4}, change)
			child.Start()
			m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			pingAll(t, m, time.Second)
			child.PowerOff()
			child.Antenna.Move(lorasim.Position{X: -1})
			child.Restart()
			m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			m.Run(time.Second)
			child.Ping(m.Nodes[3].MeshLocalEID(), 8, time.Second) // the old parent learns by this
			for i, n := range m.Nodes[:4] {
				if _, ok := n.Ping(child.MeshLocalEID(), 8, time.Second); !ok {
					if _, ok = n.Ping(child.MeshLocalEID(), 8, time.Second); !ok { // the first may have gone where the child was
						t.Errorf("node %d does not reach the child\n%s", i+1, m)
					}
				}
			}
		})
	}
}

// TestChangingLinks cuts and restores links at random under traffic: no frame circulates, and all nodes reach each other in the end.
func TestChangingLinks(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			opt := ideal()
			opt.Seed = seed
			opt.Propagation = lorasim.LinksOnly
			m := meshtest.New(t, opt)
			r := rand.New(rand.NewPCG(seed, 2))
			const count = 7
			for range count {
				m.Add(seed, lorasim.Position{}, stock)
			}
			link := func(a, b int, rssi float64) { m.Sim.SetLink(m.Nodes[a].Antenna, m.Nodes[b].Antenna, rssi) }
			// A path that stays, so that the mesh never falls apart; the rest comes and goes.
			for i := range count - 1 {
				link(i, i+1, -70)
			}
			m.StartOneByOne()
			for step := range 200 {
				a, b := r.IntN(count), r.IntN(count)
				if d := a - b; d > 1 || d < -1 {
					if r.IntN(2) == 0 {
						link(a, b, -50)
					} else {
						m.Sim.CutLink(m.Nodes[a].Antenna, m.Nodes[b].Antenna)
					}
				}
				from, to := m.Nodes[r.IntN(count)], m.Nodes[r.IntN(count)]
				from.Send(udp(from, to.MeshLocalEID(), fmt.Sprint(step)))
				m.Run(3 * time.Second)
			}
			var forwarded uint64
			for _, n := range m.Nodes {
				forwarded += n.Counters().Forwarded
			}
			if forwarded > 200*3*count { // query answers and acknowledgements included
				t.Errorf("%d frames forwarded for 200 datagrams", forwarded)
			}
			m.Run(5 * time.Minute)
			if !m.OneMesh() {
				t.Fatal(m)
			}
			for _, a := range m.Nodes {
				for _, b := range m.Nodes {
					if a == b {
						continue
					}
					if _, ok := a.Ping(rlocAddr(b.RLOC16()), 8, time.Second); !ok {
						t.Errorf("%v does not reach %v\n%s", a.RLOC16(), b.RLOC16(), m)
					}
				}
			}
		})
	}
}

// TestBrokenLoop drops a route whose next hop sends back the very frame that should go there.
func TestBrokenLoop(t *testing.T) {
	m := steady(t, ideal(), 4, stock)
	a, b, far := m.Nodes[1], m.Nodes[2], m.Nodes[3]
	if got := routersOf(a)[far.RLOC16()].NextHop; got != b.RLOC16().RouterID() {
		t.Fatalf("next hop %v", got)
	}
	// A frame for far that seems to come from b.
	p := &meshtest.Peer{ExtAddr: b.ExtAddr(), RLOC16: b.RLOC16(), MACCounter: 1 << 20}
	f := p.Frame(ieee802154.ShortAddress(ieee802154.ShortAddr(a.RLOC16())), nil)
	f.Src = ieee802154.ShortAddress(ieee802154.ShortAddr(p.RLOC16))
	f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, FrameCounter: 1 << 20, KeyIndex: 1}
	f.Payload = must(lowpan.MeshHeader{HopsLeft: 5, Src: f.Src, Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(far.RLOC16()))}.AppendBinary(nil))
	f.Payload = append(f.Payload, 0xe0, 0x48, 0, 1, 2, 0, 0) // a later fragment: its addresses are not in there
	psdu := must(f.AppendSealed(nil, macCipher(0), p.ExtAddr))
	a.HandleFrame(m.Sim.Now(), psdu, -50)
	if got := routersOf(a)[far.RLOC16()].NextHop; got.Valid() {
		t.Errorf("next hop %v after a loop", got)
	}
	a.Antenna.Touch()
	m.Run(time.Minute)
	if got := routersOf(a)[far.RLOC16()].NextHop; got != b.RLOC16().RouterID() {
		t.Errorf("next hop %v a minute later", got)
	}
}

// TestRFC8200_4_Opaque: routers pass on what a host sends, whatever its headers are; the host at the end gets it as it was.
func TestRFC8200_4_Opaque(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	child := m.Add(1, lorasim.Position{X: 3}, minimal)
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	m.Run(time.Minute)
	a := m.Nodes[0]
	a.Reach(child.MeshLocalEID(), 8, time.Minute)
	received(child)
	for _, tt := range []struct {
		name    string
		next    ip6.Protocol
		payload string
		arrives bool
	}{
		{"first fragment", 44, "\x11\x00\x00\x01\x00\x00\x00\x01 the first part of a UDP datagram", true},
		{"last fragment", 44, "\x11\x00\x00\x20\x00\x00\x00\x01 the rest of it", true},
		{"routing header", 43, "\x11\x00\x04\x01\x00\x00\x00\x00 and what follows", true},
		{"experimental protocol", 253, "whatever", true},
		{"TCP", 6, "a segment", true},
		// RFC 8200 §4.2: the destination discards it, nobody before.
		{"unknown destination option", 60, "\x3b\x00\x8f\x04\x00\x00\x00\x00", false},
	} {
		h := ip6.Header{NextHeader: tt.next, HopLimit: 64, Src: a.MeshLocalEID(), Dst: child.MeshLocalEID(), PayloadLength: len(tt.payload)}
		malformed := child.Counters().IPMalformed
		a.Send(append(must(h.AppendBinary(nil)), tt.payload...))
		m.Run(time.Second)
		switch d, ok := child.PollPacket(); {
		case ok != tt.arrives || ok && (d.Protocol != tt.next || string(d.Payload) != tt.payload):
			t.Errorf("%s: %v, %v %q", tt.name, ok, d.Protocol, d.Payload)
		case !ok && child.Counters().IPMalformed == malformed:
			t.Errorf("%s: lost on the way", tt.name)
		}
		// As a multicast, too.
		h.Dst = ip6.RealmLocalAllNodes
		a.Send(append(must(h.AppendBinary(nil)), tt.payload...))
		m.Run(2 * time.Second)
		if d, ok := child.PollPacket(); ok != tt.arrives || ok && (d.Protocol != tt.next || string(d.Payload) != tt.payload) {
			t.Errorf("%s to all: %v, %v %q", tt.name, ok, d.Protocol, d.Payload)
		}
	}
}
