package thread_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Multicasts through the mesh, RFC 7731 as Thread uses it. Held elsewhere:
//
//   - seeds, sequence numbers and the times of transmissions: package mpl
//   - who gets what, over several ways: TestMulticast; what the option and the tunnel look like: TestInterop14MPL
//   - the sequence goes on after a restart: package mpl

// multicast sends a realm-local UDP datagram as an MPL seed does: by broadcast, with an option.
func multicast(p *meshtest.Peer, hopLimit uint8, opt ip6.MPLOption, payload string) {
	h := ip6.Header{HopLimit: hopLimit, Src: rlocAddr(p.RLOC16), Dst: ip6.RealmLocalAllNodes}
	b := must(ip6.AppendUDP(nil, h, 1234, 5678, []byte(payload)))
	p.SendDatagram(shortAddress(mle.BroadcastRLOC16), must(ip6.InsertMPLOption(nil, b, opt)))
}

// seed16 is an option that names its seed.
func seed16(r mle.RLOC16, sequence uint8) ip6.MPLOption {
	opt := ip6.MPLOption{Sequence: sequence}
	opt.SetSeedID16(uint16(r))
	return opt
}

// repetitions returns the hop limits of the multicasts with a payload that a peer has heard of a node.
func repetitions(m *meshtest.Mesh, p *meshtest.Peer, payload string) (hopLimits []uint8) {
	for _, psdu := range p.Frames {
		if d, ok := openDatagram(m, psdu); ok && d.HasMPL && d.Protocol == ip6.ProtocolUDP && string(d.Payload[ip6.UDPHeaderSize:]) == payload {
			hopLimits = append(hopLimits, d.HopLimit)
		}
	}
	return hopLimits
}

// TestRFC7731_9_3_RouterForwards: a router sends a new datagram on twice, with a hop limit that is one less, and gives it to its host once.
func TestRFC7731_9_3_RouterForwards(t *testing.T) {
	m, n, p := linked(t)
	for _, tt := range []struct {
		hopLimit uint8
		want     string
	}{{64, "[63 63]"}, {2, "[1 1]"}, {1, "[]"}} {
		hopLimit, want := tt.hopLimit, tt.want
		payload := fmt.Sprint("hop limit ", hopLimit)
		multicast(p, hopLimit, ip6.MPLOption{Sequence: 65 - hopLimit}, payload)
		m.Run(time.Second)
		if got := fmt.Sprint(repetitions(m, p, payload)); got != want {
			t.Errorf("hop limit %d: sent on with %s, want %s", hopLimit, got, want)
		}
		if got, _ := received(n); fmt.Sprint(got) != "["+payload+"]" {
			t.Errorf("hop limit %d: the host got %q", hopLimit, got)
		}
	}
}

// TestRFC7731_9_3_ChildDoesNotForward: an end device gives the datagram to its host once, and sends it to nobody.
func TestRFC7731_9_3_ChildDoesNotForward(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, change)
			h := newHost(m, 9)
			n.Start()
			m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
			for range 2 {
				multicast(h.Peer, 64, ip6.MPLOption{Sequence: 5}, "x")
			}
			m.Run(2 * time.Second)
			if got, _ := received(n); len(got) != 1 {
				t.Errorf("the host got %q", got)
			}
			if got := repetitions(m, h.Peer, "x"); len(got) != 0 {
				t.Errorf("sent on with %v", got)
			}
		})
	}
}

// TestRFC7731_8_SequenceWindow: of each seed a datagram is new whose sequence number is later than the latest, in the sense of serial
// numbers; what is not new is neither given to the host nor sent on.
func TestRFC7731_8_SequenceWindow(t *testing.T) {
	m, n, p := linked(t)
	for i, tt := range []struct {
		opt ip6.MPLOption
		new bool
	}{
		{ip6.MPLOption{Sequence: 200}, true},
		{ip6.MPLOption{Sequence: 200}, false},
		{ip6.MPLOption{Sequence: 199}, false},
		{ip6.MPLOption{Sequence: 202}, true},
		{ip6.MPLOption{Sequence: 201}, false},
		{ip6.MPLOption{Sequence: 202 - 128}, false},
		{ip6.MPLOption{Sequence: 5}, true}, // past 255
		{ip6.MPLOption{Sequence: 5 + 127}, true},
		{seed16(p.RLOC16, 132), false}, // the same seed, by name
		{seed16(p.RLOC16, 133), true},
		{seed16(0x0c01, 132), true}, // another one
		{seed16(0x0c01, 132), false},
	} {
		payload := fmt.Sprint("step ", i)
		multicast(p, 64, tt.opt, payload)
		m.Run(400 * time.Millisecond)
		got, _ := received(n)
		if (len(got) == 1) != tt.new || len(got) > 1 {
			t.Errorf("step %d, sequence %d: the host got %q", i, tt.opt.Sequence, got)
		}
		if got := repetitions(m, p, payload); len(got) != map[bool]int{true: 2}[tt.new] {
			t.Errorf("step %d, sequence %d: sent on %d times", i, tt.opt.Sequence, len(got))
		}
	}
}

// TestRFC7731_7_3_SeedLifetime: a seed that has been silent for its lifetime may begin anew.
func TestRFC7731_7_3_SeedLifetime(t *testing.T) {
	m, n, p := linked(t)
	lifetime := thread.TimingIEEE802154().MPLSeedLifetime
	for i, step := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {lifetime - time.Second, 0}, {2 * time.Second, 1}} {
		m.Run(step.wait)
		multicast(p, 64, ip6.MPLOption{Sequence: 9}, "x")
		m.Run(200 * time.Millisecond)
		if got, _ := received(n); len(got) != step.want {
			t.Errorf("step %d: received %q, want %d", i, got, step.want)
		}
	}
}

// TestLateMulticasts: on LoRa a datagram that comes around again after minutes, as from a board that had to wait with it, is old still, the node's own as
// well; one of a board that has begun anew is not.
func TestLateMulticasts(t *testing.T) {
	m, n, p := leading(t, func(c *thread.Config) {
		c.Timing.MPLSeedLifetime, c.Timing.MPLSeedLate = thread.TimingPymesh().MPLSeedLifetime, thread.TimingPymesh().MPLSeedLate
	})
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	for i, step := range []struct {
		wait     time.Duration
		sequence uint8
		want     int
	}{{0, 19, 1}, {0, 20, 1}, {31 * time.Second, 20, 0}, {3 * time.Minute, 19, 0}, {time.Second, 0, 1}} {
		m.Run(step.wait)
		multicast(p, 64, seed16(0x8000, step.sequence), "x")
		m.Run(200 * time.Millisecond)
		if got, _ := received(n); len(got) != step.want {
			t.Errorf("step %d: received %q, want %d", i, got, step.want)
		}
	}
	own := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(n.RLOC16()), Dst: ip6.RealmLocalAllNodes}, 1234, 5678, []byte("own")))
	n.Send(own)
	m.Run(time.Second)
	sent := len(repetitions(m, p, "own"))
	if sent == 0 {
		t.Fatal("not sent")
	}
	m.Run(time.Minute)
	for _, psdu := range p.Frames {
		if d, ok := openDatagram(m, psdu); ok && d.HasMPL && d.Protocol == ip6.ProtocolUDP && string(d.Payload[ip6.UDPHeaderSize:]) == "own" {
			p.SendDatagram(shortAddress(mle.BroadcastRLOC16), d.Bytes)
			break
		}
	}
	m.Run(time.Second)
	if got := len(repetitions(m, p, "own")); got != sent {
		t.Errorf("its own datagram is sent on %d times", got-sent)
	}
}

// TestRFC7731_6_1_LongSeeds: seeds that name themselves with 64 or 128 bits, as Thread's never do, are not followed.
func TestRFC7731_6_1_LongSeeds(t *testing.T) {
	m, n, p := linked(t)
	for i, length := range []ip6.SeedIDLength{ip6.SeedID64, ip6.SeedID128} {
		multicast(p, 64, ip6.MPLOption{SeedIDLength: length, Sequence: uint8(i)}, "long")
		m.Run(time.Second)
	}
	if got, _ := received(n); len(got) != 0 || len(repetitions(m, p, "long")) != 0 {
		t.Errorf("the host got %q, sent on %d times", got, len(repetitions(m, p, "long")))
	}
}

// TestRFC7731_9_1_OwnDatagram: a node that puts a datagram into the mesh sends it twice, a child once, to its parent; and does not take
// it for new when it comes back.
func TestRFC7731_9_1_OwnDatagram(t *testing.T) {
	t.Run("router", func(t *testing.T) {
		m, n, p := linked(t)
		n.Send(udp(n, ip6.RealmLocalAllNodes, "mine"))
		m.Run(time.Second)
		if got := fmt.Sprint(repetitions(m, p, "mine")); got != "[64 64]" {
			t.Errorf("sent with %s", got)
		}
		before := n.Counters().MPLDuplicate
		p.Frames = nil
		h := ip6.Header{HopLimit: 63, Src: n.MeshLocalEID(), Dst: ip6.RealmLocalAllNodes}
		back := must(ip6.InsertMPLOption(nil, must(ip6.AppendUDP(nil, h, 1234, 5678, []byte("mine"))), seed16(n.RLOC16(), 0)))
		p.SendDatagram(shortAddress(mle.BroadcastRLOC16), back)
		m.Run(time.Second)
		if got, _ := received(n); len(got) != 0 || len(repetitions(m, p, "mine")) != 0 || n.Counters().MPLDuplicate != before+1 {
			t.Errorf("taken for new: the host got %q, %d sent on", got, len(repetitions(m, p, "mine")))
		}
	})
	t.Run("child", func(t *testing.T) {
		m := meshtest.New(t, ideal())
		n := m.Add(1, lorasim.Position{}, endDevice)
		h := newHost(m, 9)
		n.Start()
		m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
		n.Send(udp(n, ip6.RealmLocalAllNodes, "mine"))
		m.Run(time.Second)
		if got := repetitions(m, h.Peer, "mine"); len(got) != 1 {
			t.Errorf("sent with %v", got)
		}
		for _, psdu := range h.Frames {
			if d, ok := openDatagram(m, psdu); ok && d.HasMPL && parse(t, psdu).Dst != shortAddress(h.RLOC16) {
				t.Errorf("sent to %v", parse(t, psdu).Dst)
			}
		}
	})
}

// TestMPL_WiderScope: a multicast of a wider scope than the mesh comes in a tunnel to all MPL forwarders, whose sequence counts.
func TestMPL_WiderScope(t *testing.T) {
	m, n, p := linked(t)
	site := netip.MustParseAddr("ff05::abcd")
	n.Subscribe(site)
	inner := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: site}, 1234, 5678, []byte("x")))
	for i, want := range []int{1, 0} {
		outer := ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: ip6.AllMPLForwarders}
		p.SendDatagram(shortAddress(mle.BroadcastRLOC16), must(ip6.AppendTunnel(nil, outer, seed16(p.RLOC16, 7), inner)))
		m.Run(time.Second)
		if got, _ := received(n); len(got) != want {
			t.Errorf("time %d: the host got %q, want %d", i+1, got, want)
		}
	}
}

// TestRFC7731_7_3_ManySeeds: datagrams of many seeds within the life of one are all new, and old ones are still known, on LoRa too.
func TestRFC7731_7_3_ManySeeds(t *testing.T) {
	for name, lifetime := range map[string]time.Duration{"IEEE802154": 5 * time.Second, "LoRa": thread.TimingPymesh().MPLSeedLifetime} {
		t.Run(name, func(t *testing.T) {
			m, n, p := leading(t, func(c *thread.Config) { c.Timing.MPLSeedLifetime = lifetime })
			p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
			got := 0
			for i := range mle.RLOC16(100) {
				multicast(p, 1, seed16(0x8000+i, 1), "x")
				m.Run(100 * time.Millisecond)
				payloads, _ := received(n)
				got += len(payloads)
			}
			if got != 100 {
				t.Errorf("the host got %d of 100 datagrams", got)
			}
			for i := range mle.RLOC16(100) {
				multicast(p, 1, seed16(0x8000+i, 1), "x")
				m.Run(100 * time.Millisecond)
			}
			if again, _ := received(n); name == "LoRa" && len(again) != 0 {
				t.Errorf("the host got %d of them twice", len(again))
			}
		})
	}
}
