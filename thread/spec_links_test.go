package thread_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Links between routers, as OpenThread has them. Held elsewhere:
//
//   - all routers in range link, mutually: TestLinks; a new one asks all at once: TestInterop06Forming
//   - a router asks for its place after a restart: TestRestartRouter
//   - a link ends by silence or by lost frames, and comes back: TestNeighborAge, TestDeadRouter
//   - link margins and qualities: TestLinkQuality of package neighbors

// TestLinks_Handshake: a router answers a Link Request with an acceptance and a request of its own; the link is there when that
// one has been answered too.
func TestLinks_Handshake(t *testing.T) {
	m, n, p := routing(t)
	m.Sim.SetLinkFrom(p.Antenna, n.Antenna, -63)
	to := meshtest.LinkLocal(n.ExtAddr())
	p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1)))
	r := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second)
	leader, _ := n.Leader()
	if must(r.Response()) != meshtest.Challenge(1) || must(r.SourceAddress()) != n.RLOC16() || must(r.LeaderData()) != leader.LeaderData ||
		must(r.LinkMargin()) != 37 || must(r.Version()) != mle.Version1_1 || !must(r.TLVRequest()).Contains(mle.TLVLinkMargin) {
		t.Errorf("%+v", r)
	}
	for _, typ := range []mle.TLVType{mle.TLVLinkLayerFrameCounter, mle.TLVMLEFrameCounter, mle.TLVChallenge} {
		if !r.Has(typ) {
			t.Errorf("without %v", typ)
		}
	}
	if routersOf(n)[p.RLOC16].LinkEstablished {
		t.Error("linked before its own request was answered")
	}
	p.SendMLE(to, replaced(linkAccept(p, n, must(r.Challenge())), mle.TLVLinkMargin, []byte{15}))
	m.Run(100 * time.Millisecond)
	if info := routersOf(n)[p.RLOC16]; !info.LinkEstablished || info.LinkQualityIn != 3 || info.LinkQualityOut != 2 {
		t.Errorf("%+v", info)
	}
	if len(n.Neighbors()) != 1 {
		t.Errorf("the former child is still there: %+v", n.Neighbors())
	}
}

// TestLinks_Challenge: no link comes of an acceptance that repeats another challenge than the open one, nor does it change one.
func TestLinks_Challenge(t *testing.T) {
	m, n, p := routing(t)
	to := meshtest.LinkLocal(n.ExtAddr())
	accept := func(c mle.Challenge, margin uint8) thread.RouterInfo {
		p.SendMLE(to, replaced(linkAccept(p, n, c), mle.TLVLinkMargin, []byte{margin}))
		m.Run(100 * time.Millisecond)
		return routersOf(n)[p.RLOC16]
	}
	if accept(meshtest.Challenge(9), 50).LinkEstablished {
		t.Error("linked without a request")
	}
	if accept(mle.NewChallenge([8]byte{}), 50).LinkEstablished {
		t.Error("linked by a challenge of zeros")
	}
	p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1)))
	open := must(p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second).Challenge())
	if accept(meshtest.Challenge(1), 50).LinkEstablished {
		t.Error("linked by its own challenge")
	}
	if !accept(open, 50).LinkEstablished {
		t.Fatal("not linked")
	}
	if got := accept(open, 5); got.LinkQualityOut != 3 {
		t.Errorf("the answered challenge is good once more: %+v", got)
	}
}

// TestLinks_AcceptTaken: of an acceptance everything counts: who, how well it hears, where its frame counters are.
func TestLinks_AcceptTaken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		taken  bool
	}{
		{"whole", func(b []byte) []byte { return b }, true},
		{"without MLE frame counter", func(b []byte) []byte { return without(b, mle.TLVMLEFrameCounter) }, true},
		{"without response", func(b []byte) []byte { return without(b, mle.TLVResponse) }, false},
		{"without version", func(b []byte) []byte { return without(b, mle.TLVVersion) }, false},
		{"without source", func(b []byte) []byte { return without(b, mle.TLVSourceAddress) }, false},
		{"without frame counter", func(b []byte) []byte { return without(b, mle.TLVLinkLayerFrameCounter) }, false},
		{"without margin", func(b []byte) []byte { return without(b, mle.TLVLinkMargin) }, false},
		{"without leader", func(b []byte) []byte { return without(b, mle.TLVLeaderData) }, false},
		{"of another partition", func(b []byte) []byte { return replaced(b, mle.TLVLeaderData, []byte{0, 0, 0, 1, 64, 1, 1, 1}) }, false},
		{"of a router that has no ID", func(b []byte) []byte { return replaced(b, mle.TLVSourceAddress, []byte{0xf8, 0}) }, false},
		{"of a child", func(b []byte) []byte { return replaced(b, mle.TLVSourceAddress, []byte{0x58, 1}) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := routing(t)
			to := meshtest.LinkLocal(n.ExtAddr())
			p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1)))
			r := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second)
			p.SendMLE(to, tt.change(linkAccept(p, n, must(r.Challenge()))))
			m.Run(100 * time.Millisecond)
			if got := routersOf(n)[p.RLOC16].LinkEstablished; got != tt.taken {
				t.Errorf("linked: %v", got)
			}
		})
	}
}

// TestLinks_RequestRefused: a Link Request is answered if it is whole and of a router that has its ID from this partition's leader.
func TestLinks_RequestRefused(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func([]byte) []byte
		answered bool
	}{
		{"whole", func(b []byte) []byte { return b }, true},
		{"without leader", func(b []byte) []byte { return without(b, mle.TLVLeaderData) }, true},
		{"without version", func(b []byte) []byte { return without(b, mle.TLVVersion) }, false},
		{"of Thread 1.0", func(b []byte) []byte { return replaced(b, mle.TLVVersion, []byte{0, 1}) }, false},
		{"without challenge", func(b []byte) []byte { return without(b, mle.TLVChallenge) }, false},
		{"of another partition", func(b []byte) []byte { return replaced(b, mle.TLVLeaderData, []byte{0, 0, 0, 1, 64, 1, 1, 1}) }, false},
		{"of a router that has no ID", func(b []byte) []byte { return replaced(b, mle.TLVSourceAddress, []byte{0xf8, 0}) }, false},
		{"without source, of a stranger", func(b []byte) []byte { return without(b, mle.TLVSourceAddress) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := routing(t)
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), tt.change(linkRequest(p, n, meshtest.Challenge(1))))
			m.Run(1500 * time.Millisecond)
			if got := len(p.Answers(mle.LinkAcceptAndRequest, n.ExtAddr())); (got == 1) != tt.answered {
				t.Errorf("%d answers", got)
			}
		})
	}
	t.Run("under another's address", func(t *testing.T) {
		m, n, p := linked(t)
		q := m.AddPeer(10, p.Antenna.Position())
		q.RLOC16 = p.RLOC16
		q.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(q, n, meshtest.Challenge(1)))
		m.Run(1500 * time.Millisecond)
		if got := len(q.Answers(mle.LinkAcceptAndRequest, n.ExtAddr())) + len(q.Answers(mle.LinkAccept, n.ExtAddr())); got != 0 {
			t.Error("answers who has the address of a linked router")
		}
	})
}

// TestLinks_LinkedRouterAsks: a router that has the link already gets a plain acceptance, with the routes that it asks for.
func TestLinks_LinkedRouterAsks(t *testing.T) {
	m, n, p := linked(t)
	request := replaced(linkRequest(p, n, meshtest.Challenge(2)), mle.TLVTLVRequest, []byte{byte(mle.TLVLinkMargin), byte(mle.TLVRoute64)})
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), request)
	r := p.Await(mle.LinkAccept, n.ExtAddr(), time.Second)
	if must(r.Response()) != meshtest.Challenge(2) || r.Has(mle.TLVChallenge) || !r.Has(mle.TLVRoute64) {
		t.Errorf("%+v", r)
	}
	m.Run(100 * time.Millisecond)
	if !routersOf(n)[p.RLOC16].LinkEstablished {
		t.Error("the link is gone")
	}
}

// TestLinks_ChildListens: an end device may ask any router for its frame counters, which links it in one direction alone.
func TestLinks_ChildListens(t *testing.T) {
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(p, n, meshtest.Challenge(1)))
	r := p.Await(mle.LinkAccept, n.ExtAddr(), time.Second)
	if r.Has(mle.TLVChallenge) || !r.Has(mle.TLVLinkLayerFrameCounter) {
		t.Errorf("%+v", r)
	}
	if l := n.Neighbors(); len(l) != 1 || l[0].Role != thread.RoleChild {
		t.Errorf("neighbors %+v", l)
	}
	m.Run(time.Second)
	if got := p.Answers(mle.LinkRequest, n.ExtAddr()); len(got) != 0 {
		t.Error("asks an end device for a link")
	}
}

// TestLinks_ResponseDelay: a request to all routers is answered after a random time of up to a second, for all answer; one to this
// router at once.
func TestLinks_ResponseDelay(t *testing.T) {
	m, n, p := linked(t)
	delays := func(dst netip.Addr) (shortest, longest time.Duration) {
		shortest = time.Hour
		for i := range byte(30) {
			sent := m.Sim.Now()
			p.SendMLE(dst, linkRequest(p, n, meshtest.Challenge(i+2)))
			r := p.Await(mle.LinkAccept, n.ExtAddr(), 1100*time.Millisecond)
			shortest, longest = min(shortest, r.At.Sub(sent)), max(longest, r.At.Sub(sent))
			m.Run(time.Second)
		}
		return shortest, longest
	}
	if shortest, longest := delays(ip6.LinkLocalAllRouters); shortest > 200*time.Millisecond || longest < 800*time.Millisecond {
		t.Errorf("to all: answered after %v to %v", shortest, longest)
	}
	if _, longest := delays(meshtest.LinkLocal(n.ExtAddr())); longest > 20*time.Millisecond {
		t.Errorf("to this router: answered after up to %v", longest)
	}
}

// heardRoutes is a Route64 of a peer whose router ID n has assigned.
func heardRoutes(p *meshtest.Peer, n *meshtest.Node) *mle.Route64 {
	return &mle.Route64{Routers: mle.RouterIDSet(0).Add(n.RLOC16().RouterID()).Add(p.RLOC16.RouterID())}
}

// TestLinks_BothAsk: if two routers ask each other at the same time, one exchange is enough, whichever of the requests it answers: as
// OpenThread, the other one may answer none while its own is open.
func TestLinks_BothAsk(t *testing.T) {
	for _, answers := range []mle.Command{mle.LinkRequest, mle.LinkAcceptAndRequest} {
		m, n, p := routing(t)
		to := meshtest.LinkLocal(n.ExtAddr())
		l, _ := n.Leader()
		advertise(p, l.LeaderData, heardRoutes(p, n))
		asked := p.Await(mle.LinkRequest, n.ExtAddr(), time.Second)
		p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1)))
		answered := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second)
		if must(answered.Response()) != meshtest.Challenge(1) || must(answered.Challenge()) != must(asked.Challenge()) {
			t.Errorf("%+v", answered)
		}
		p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1))) // once more, as one that was recorded
		m.Run(100 * time.Millisecond)
		if got := len(p.Answers(mle.LinkAcceptAndRequest, n.ExtAddr())); got != 1 {
			t.Errorf("%d answers at once", got)
		}
		p.SendMLE(to, linkAccept(p, n, must(p.Find(answers, n.ExtAddr())[0].Challenge())))
		m.Run(100 * time.Millisecond)
		if !routersOf(n)[p.RLOC16].LinkEstablished {
			t.Errorf("not linked by the answer to the %v", answers)
		}
	}
}

// TestLinks_RequestExpires: a Link Request is open for LinkRequest, 2 s here, however often the router is heard meanwhile. One that
// does not answer is asked again after pauses that double from 2 s on.
func TestLinks_RequestExpires(t *testing.T) {
	m, n, p := routing(t)
	l, _ := n.Leader()
	for range 85 { // in 90 s the leader takes the router ID back
		advertise(p, l.LeaderData, heardRoutes(p, n))
		m.Run(time.Second)
	}
	asked := p.Answers(mle.LinkRequest, n.ExtAddr())
	want := []time.Duration{4, 6, 10, 18, 34}
	if len(asked) != len(want)+1 {
		t.Fatalf("%d Link Requests, want %d", len(asked), len(want)+1)
	}
	for i, w := range want {
		w *= time.Second
		if d := asked[i+1].At.Sub(asked[i].At); d < w || d > w+2*time.Second {
			t.Errorf("pause %d is %v, want %v", i, d, w)
		}
	}
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(p, n, meshtest.Challenge(1)))
	p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second) // its own request is answered all the same
}

// TestLinks_Margin: no link is sought to a router that is heard less than 10 dB above the sensitivity, which is -100 dBm here.
func TestLinks_Margin(t *testing.T) {
	for rssi, want := range map[int]int{-91: 0, -90: 1, -50: 1} {
		m, n, p := routing(t)
		m.Sim.SetLinkFrom(p.Antenna, n.Antenna, float64(rssi))
		l, _ := n.Leader()
		route := mle.Route64{Routers: mle.RouterIDSet(0).Add(n.RLOC16().RouterID()).Add(p.RLOC16.RouterID())}
		advertise(p, l.LeaderData, &route)
		m.Run(time.Second)
		if got := len(p.Answers(mle.LinkRequest, n.ExtAddr())); got != want {
			t.Errorf("%v dBm: %d Link Requests, want %d", rssi, got, want)
		}
	}
}

// TestLinks_FrameCounters: what the acceptance says of the frame counters holds from the first frame on: older ones are replayed.
func TestLinks_FrameCounters(t *testing.T) {
	m, n, p := routing(t)
	to := meshtest.LinkLocal(n.ExtAddr())
	p.SendMLE(to, linkRequest(p, n, meshtest.Challenge(1)))
	r := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second)
	old := p.MACCounter
	p.MACCounter += 100
	p.SendMLE(to, linkAccept(p, n, must(r.Challenge())))
	m.Run(100 * time.Millisecond)
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: meshtest.LinkLocal(p.ExtAddr), Dst: to}, 1000, 1000, []byte("x")))
	for i, counter := range []uint32{old, old + 99, old + 100} {
		want := i / 2
		p.MACCounter = counter
		p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
		m.Run(100 * time.Millisecond)
		if got, _ := received(n); len(got) != want {
			t.Errorf("counter %d, told %d: received %d", counter, old+100, len(got))
		}
	}
}

// TestLinks_FormerChild: a child that becomes a router, and asks all for links before they have heard of its router ID, has one to its former
// parent with its first Advertisement.
func TestLinks_FormerChild(t *testing.T) {
	for seed := range uint64(10) {
		opt := ideal()
		opt.Seed = seed + 1
		m := steady(t, opt, 2, stock)
		parent, n := m.Nodes[1], m.Add(opt.Seed, lorasim.Position{X: 2}, stock)
		m.Run(time.Minute)
		n.Start()
		m.Until(3*time.Minute, "router", func() bool { return n.Role() == thread.RoleRouter })
		m.Until(n.Config.Timing.AdvertiseMin+100*time.Millisecond, "link", func() bool { return routersOf(parent)[n.RLOC16()].LinkEstablished })
	}
}
