package trials

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// insider returns a row of three routers and a peer with the key that is a child of the second.
func insider(t *testing.T, opt lorasim.Options, change func(*thread.Config)) (*meshtest.Mesh, *meshtest.Peer) {
	t.Helper()
	m := meshtest.Chain(t, opt, 3, change)
	settle(m)
	p := m.AddPeer(99, lorasim.Position{X: 1, Y: 1.4}) // the others are too far
	p.Attach(m.Nodes[1], thread.ModeFullThreadDevice, 10*time.Minute)
	m.Run(10 * time.Second)
	return m, p
}

// TestQueryFlood: somebody asks 50 times a second for addresses that nodes have, and acknowledges nothing. The air is one that carries as
// much; the nodes have LoRa's patience.
func TestQueryFlood(t *testing.T) {
	m, p := insider(t, lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154}, nil)
	p.Deaf = true
	mostCoAP, mostQueued := 0, 0
	for i := range 60 * 50 {
		target := m.Nodes[i%3].MeshLocalEID()
		b, err := coap.Options(nil).AppendURIPath(tmf.URIAddressQuery)
		if err != nil {
			t.Fatal(err)
		}
		c := coap.Message{Type: coap.NonConfirmable, Code: coap.POST, MessageID: uint16(i), Options: b, Payload: tmf.AppendTargetEID(nil, target)}
		payload, err := c.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(thread.DefaultMeshLocalPrefix), Dst: ip6.RealmLocalAllRouters}
		datagram, err := ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, payload)
		if err == nil {
			datagram, err = ip6.InsertMPLOption(nil, datagram, ip6.MPLOption{Sequence: uint8(i)})
		}
		if err != nil {
			t.Fatal(err)
		}
		p.SendDatagram(ieee802154.ShortAddress(ieee802154.BroadcastAddr), datagram)
		m.Run(time.Second / 50)
		for _, n := range m.Nodes {
			q := n.Console().Queues()
			mostCoAP, mostQueued = max(mostCoAP, q.CoAP), max(mostQueued, q.Len())
		}
	}
	t.Logf("at most %d management requests and %d datagrams waited in a node", mostCoAP, mostQueued)
	if mostCoAP > maxCoAP {
		t.Errorf("%d management requests pending, want %d at most", mostCoAP, maxCoAP)
	}
	if limit := m.Nodes[0].Console().Queues().Limit; mostQueued > limit {
		t.Errorf("%d datagrams waiting, want %d at most", mostQueued, limit)
	}
	if d, ok := heardWithin(m, m.Nodes[0], m.Nodes[2].MeshLocalEID(), 10*time.Minute); d > 2*time.Minute {
		t.Errorf("reply %v after %v", ok, d)
	}
}

// TestSilentChildren: ten children that are gone for good, each with the longest timeout that there is, do not keep others out: neither until
// the end of days, nor after a restart, whether they would listen or sleep.
func TestSilentChildren(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    mle.Mode
		restart bool
		limit   time.Duration
	}{
		{"listening", thread.ModeMinimalEndDevice, false, 20 * time.Minute},
		{"listening, restart", thread.ModeMinimalEndDevice, true, 20 * time.Minute},
		{"sleeping", thread.ModeSleepyEndDevice, false, 40 * time.Minute},
		{"sleeping, restart", thread.ModeSleepyEndDevice, true, 40 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
			settle(m)
			parent := m.Nodes[1]
			for i := range thread.DefaultMaxChildren {
				p := m.AddPeer(100+i, lorasim.Position{X: 2})
				p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(byte(1+i)), mle.ScanRouters))
				response := p.Await(mle.ParentResponse, parent.ExtAddr(), time.Minute)
				p.SendMLE(meshtest.LinkLocal(parent.ExtAddr()), p.ChildIDRequest(response, tt.mode, (1<<32-1)*time.Second))
				if tt.mode.Has(mle.ModeRxOnWhenIdle) { // else it would have to poll
					p.Await(mle.ChildIDResponse, parent.ExtAddr(), time.Minute)
				}
				m.Run(10 * time.Second)
				p.Antenna.SetStation(nil)
			}
			if tt.restart {
				parent.PowerOff()
				m.Run(10 * time.Second)
				parent.Restart()
			}
			late := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice })
			start := m.Sim.Now()
			late.Start()
			m.Sim.RunUntil(func() bool { return late.Role() == thread.RoleChild }, time.Hour)
			t.Logf("another child was taken after %v", m.Sim.Now().Sub(start).Round(time.Second))
			if m.Sim.Now().Sub(start) > tt.limit {
				t.Errorf("no other child within %v; the timeout of the first is %v", tt.limit, parent.Neighbors()[0].Timeout)
			}
		})
	}
}

// TestQuietChildren: children that are there keep their places at a full router, though they have nothing to say for long.
func TestQuietChildren(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
	for range thread.DefaultMaxChildren {
		n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) {
			c.Mode = thread.ModeMinimalEndDevice
			c.Timing = thread.TimingPymesh()
			c.Timing.ChildTimeout = 24 * time.Hour
		})
		m.Sim.CutLink(n.Antenna, m.Nodes[0].Antenna)
	}
	settle(m)
	parent := m.Nodes[1]
	places := map[ieee802154.ExtAddr]mle.RLOC16{}
	for _, n := range m.Nodes[2:] {
		places[n.ExtAddr()] = n.RLOC16()
	}
	m.Run(6 * time.Hour)
	for _, n := range m.Nodes[2:] {
		if n.Role() != thread.RoleChild || n.RLOC16() != places[n.ExtAddr()] || !knows(parent, n, thread.RoleChild) {
			t.Errorf("%v is %v as %v, was %v", n.ExtAddr(), n.Role(), n.RLOC16(), places[n.ExtAddr()])
		}
	}
}

// TestKeySequenceJump: a member that jumps to the last key sequence does not make the counters begin anew, nor does the command.
func TestKeySequenceJump(t *testing.T) {
	const last = keys.Sequence(1<<32 - 1)
	t.Run("message", func(t *testing.T) {
		m, p := insider(t, lorasim.Options{Seed: 1}, func(c *thread.Config) {
			c.Timing = thread.TimingPymesh()
			c.Timing.KeyRotation, c.Timing.KeySwitchGuard = 4*time.Hour, 3*time.Hour
		})
		ever := make([]keys.Sequence, len(m.Nodes))
		m.Watch = func() {
			for i, n := range m.Nodes {
				now := n.Console().Keys.Sequence()
				if now < ever[i] {
					t.Errorf("node %d goes from key sequence %d back to %d", i+1, ever[i], now)
				}
				ever[i] = now
			}
		}
		p.KeySequence = last
		update := mle.AppendTimeout(mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice), time.Minute)
		for range 10 {
			p.SendMLE(meshtest.LinkLocal(m.Nodes[1].ExtAddr()), update)
			m.Run(10 * time.Minute)
		}
		m.Run(9 * time.Hour) // two lives of a key
		t.Log("key sequences at the end", ever)
		if d, ok := heardWithin(m, m.Nodes[0], m.Nodes[2].MeshLocalEID(), 10*time.Minute); d > 2*time.Minute {
			t.Errorf("reply %v after %v\n%s", ok, d, m)
		}
	})
	t.Run("command", func(t *testing.T) {
		m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 1, nil)
		m.StartEach(time.Minute)
		n := m.Nodes[0]
		if err := n.Console().SetKeySequence(m.Sim.Now(), last); err == nil {
			t.Error("the last key sequence is taken")
		}
	})
}

// TestInsiderOrders: orders to announce the network 255 times, a millisecond apart, and questions to all each ten seconds do not have the
// others send more than that takes to pass on, and their own share.
func TestInsiderOrders(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration
		// passOn is the airtime of each order, which a router passes on as all multicasts: once or twice.
		passOn time.Duration
		order  func(i int) (uri string, payload []byte)
	}{
		{"Announce Begin", time.Minute, 400 * time.Millisecond, func(int) (string, []byte) {
			s := meshcop.Survey{Channels: 1 << thread.DefaultChannel, Count: 255, Period: time.Millisecond}
			return tmf.URIAnnounceBegin, s.AppendAnnounceBegin(nil)
		}},
		{"diagnostics", 10 * time.Second, 400 * time.Millisecond, func(int) (string, []byte) {
			return tmf.URIDiagnosticGetQuery, tmf.AppendTypeList(nil, tmf.DiagnosticAddress16, tmf.DiagnosticRoute64, tmf.DiagnosticNetworkData)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, p := insider(t, lorasim.Options{Seed: 1}, nil)
			sent := func() (airtimes []time.Duration) {
				for _, n := range m.Nodes {
					airtimes = append(airtimes, n.Antenna.Stats().Airtime)
				}
				return airtimes
			}
			before := sent()
			const span = time.Hour
			i := 0
			for end := m.Sim.Now().Add(span); m.Sim.Now().Before(end); i++ {
				uri, payload := tt.order(i)
				c := coap.Message{Type: coap.NonConfirmable, Code: coap.POST, MessageID: uint16(i), Payload: payload}
				c.Options, _ = coap.Options(nil).AppendURIPath(uri)
				b, err := c.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				h := ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(thread.DefaultMeshLocalPrefix), Dst: ip6.RealmLocalAllNodes}
				datagram, err := ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, b)
				if err == nil {
					datagram, err = ip6.InsertMPLOption(nil, datagram, ip6.MPLOption{Sequence: uint8(i)})
				}
				if err != nil {
					t.Fatal(err)
				}
				p.SendDatagram(ieee802154.ShortAddress(ieee802154.BroadcastAddr), datagram)
				m.Run(tt.every)
			}
			for k, after := range sent() {
				t.Logf("node %d sent for %v", k+1, (after - before[k]).Round(time.Second))
				if after-before[k] > 36*time.Second+tt.passOn*time.Duration(i) {
					t.Errorf("node %d sent for %v after %d orders", k+1, after-before[k], i)
				}
			}
			if d, ok := heardWithin(m, m.Nodes[0], m.Nodes[2].MeshLocalEID(), 10*time.Minute); d > 2*time.Minute {
				t.Errorf("reply %v after %v", ok, d)
			}
		})
	}
}
