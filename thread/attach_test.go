package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

func minimal(c *thread.Config)   { stock(c); c.Mode = thread.ModeMinimalEndDevice }
func endDevice(c *thread.Config) { stock(c); c.EndDevice = true }

// TestFormPartition founds a partition when nobody answers, and says so (Thread 1.1 §4.7).
func TestFormPartition(t *testing.T) {
	m := meshtest.New(t, ideal())
	p := m.AddPeer(2, lorasim.Position{})
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) {
		stock(c)
		c.PartitionID, c.LeaderWeight = 0x12345678, new(uint8(77))
	})
	n.Start()
	m.Until(10*time.Second, "leader", func() bool { return n.Role() == thread.RoleLeader })
	m.Run(3 * time.Second)
	want := []mle.Command{mle.ParentRequest, mle.ParentRequest, mle.DataResponse, mle.Advertisement, mle.Advertisement}
	if got := p.Commands(n.ExtAddr()); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Fatalf("sent %v, want %v", got, want)
	}
	for i, mask := range []mle.ScanMask{mle.ScanRouters, mle.ScanRouters | mle.ScanEndDevices} {
		r := p.Heard[i]
		if got := must(r.ScanMask()); got != mask || r.Dst != ip6.LinkLocalAllRouters || r.KeySequence != 0 {
			t.Errorf("Parent Request %d: mask %v to %v", i, got, r.Dst)
		}
		if got := must(r.Version()); got != 2 {
			t.Errorf("version %d", got)
		}
		if got := must(r.Mode()); got != thread.ModeFullThreadDevice {
			t.Errorf("mode %v", got)
		}
	}
	if p.Heard[2].Dst != ip6.LinkLocalAllNodes || !p.Heard[2].Has(mle.TLVNetworkData) {
		t.Errorf("first message of a leader: %+v", p.Heard[2])
	}
	a := p.Heard[3]
	leader := must(a.LeaderData())
	route := must(a.Route64())
	if leader.PartitionID != 0x12345678 || leader.Weighting != 77 || must(a.SourceAddress()) != n.RLOC16() ||
		leader.LeaderRouterID.RLOC16() != n.RLOC16() || route.Routers.Len() != 1 || route.Routes[leader.LeaderRouterID] != (mle.Route{Cost: 1}) {
		t.Errorf("Advertisement: %+v, %+v", leader, route)
	}
	if l, ok := n.Leader(); !ok || l.LeaderData != leader || l.ExtAddr != n.ExtAddr() || !n.Single() {
		t.Errorf("Leader() = %+v, %v", l, ok)
	}
	if got := len(n.Addresses()); got != 4 {
		t.Errorf("%d addresses, want ALOC, RLOC, ML-EID and link-local: %v", got, n.Addresses())
	}
}

// TestEndDevicesDoNotLead keeps devices that cannot route searching, ever more rarely (Thread 1.1 §4.7).
func TestEndDevicesDoNotLead(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			p := m.AddPeer(2, lorasim.Position{})
			n := m.Add(1, lorasim.Position{}, change)
			n.Start()
			m.Run(time.Hour)
			if n.Role() != thread.RoleDetached {
				t.Fatalf("role %v", n.Role())
			}
			requests := p.Find(mle.ParentRequest, n.ExtAddr())
			if len(requests) < 20 || len(requests) > 40 {
				t.Errorf("%d Parent Requests in an hour", len(requests))
			}
			// Each attempt is two requests; the pause between attempts doubles from a quarter of a second to 20 minutes.
			var pauses []time.Duration
			for i := 2; i < len(requests); i += 2 {
				pauses = append(pauses, requests[i].At.Sub(requests[i-1].At)-thread.TimingIEEE802154().ParentRequestREEDs)
			}
			for i, pause := range pauses {
				least := min(251*time.Millisecond<<i, 20*time.Minute-2*time.Second)
				if pause < least || pause > least+5*time.Second {
					t.Errorf("pause %d is %v, want %v", i, pause, least)
				}
			}
			leader := m.Add(1, lorasim.Position{}, stock)
			leader.Start()
			m.Until(25*time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
		})
	}
}

// TestParentChoice lets several peers answer a Parent Request and looks who is asked for an address.
func TestParentChoice(t *testing.T) {
	partition := mle.LeaderData{PartitionID: 10, Weighting: 64, LeaderRouterID: 1}
	router := func(id mle.RouterID) mle.RLOC16 { return mle.RouterRLOC16(id) }
	type answer struct {
		rloc   mle.RLOC16
		rssi   float64 // of the parent here
		margin uint8   // of the node there
		leader mle.LeaderData
		c      mle.Connectivity
	}
	good := mle.Connectivity{LinkQuality3: 2, ActiveRouters: 3, LeaderCost: 1}
	with := func(change func(*answer)) answer {
		a := answer{rssi: -50, margin: 50, leader: partition, c: good}
		change(&a)
		return a
	}
	for _, tt := range []struct {
		name    string
		answers []answer
		want    int
		reeds   bool // answered only in the second round
	}{
		{"alone", []answer{with(func(a *answer) { a.rloc = router(1) })}, 0, false},
		{"link quality in", []answer{
			with(func(a *answer) { a.rloc, a.rssi = router(1), -85 }), // margin 15, quality 2
			with(func(a *answer) { a.rloc = router(2) }),
		}, 1, false},
		{"link quality out", []answer{
			with(func(a *answer) { a.rloc, a.margin = router(1), 8 }), // quality 1
			with(func(a *answer) { a.rloc, a.margin = router(2), 12 }),
		}, 1, true},
		{"first round takes quality 3 alone", []answer{
			with(func(a *answer) { a.rloc, a.margin = router(1), 15 }),
			with(func(a *answer) { a.rloc = router(2) }),
		}, 1, false},
		{"router before end device", []answer{
			with(func(a *answer) { a.rloc = router(1) | 3 }),
			with(func(a *answer) { a.rloc = router(2) }),
			with(func(a *answer) { a.rloc = router(3) | 1 }),
		}, 1, false},
		{"end device if it links better", []answer{
			with(func(a *answer) { a.rloc, a.margin = router(1), 15 }),
			with(func(a *answer) { a.rloc = router(2) | 1 }),
		}, 1, true},
		{"router before end device in the second round", []answer{
			with(func(a *answer) { a.rloc, a.margin = router(1)|3, 15 }),
			with(func(a *answer) { a.rloc, a.margin = router(2), 15 }),
		}, 1, true},
		{"priority", []answer{
			with(func(a *answer) { a.rloc, a.c.ParentPriority = router(1), mle.ParentPriorityLow; a.c.LinkQuality3 = 9 }),
			with(func(a *answer) { a.rloc = router(2) }),
		}, 1, false},
		{"connectivity 3", []answer{
			with(func(a *answer) { a.rloc, a.c.LinkQuality2 = router(1), 20 }),
			with(func(a *answer) { a.rloc, a.c.LinkQuality3 = router(2), 3 }),
			with(func(a *answer) { a.rloc = router(3) }),
		}, 1, false},
		{"connectivity 2", []answer{
			with(func(a *answer) { a.rloc, a.c.LinkQuality1 = router(1), 20 }),
			with(func(a *answer) { a.rloc, a.c.LinkQuality2 = router(2), 1 }),
		}, 1, false},
		{"connectivity 1", []answer{
			with(func(a *answer) { a.rloc = router(1) }),
			with(func(a *answer) { a.rloc, a.c.LinkQuality1 = router(2), 1 }),
		}, 1, false},
		{"link margin", []answer{
			with(func(a *answer) { a.rloc, a.rssi = router(1), -60 }),
			with(func(a *answer) { a.rloc = router(2) }),
			with(func(a *answer) { a.rloc, a.margin = router(3), 49 }),
		}, 1, false},
		{"first of equals", []answer{
			with(func(a *answer) { a.rloc = router(1) }),
			with(func(a *answer) { a.rloc = router(2) }),
		}, 0, false},
		{"better partition first of all", []answer{
			with(func(a *answer) { a.rloc = router(1); a.c.LinkQuality3 = 9 }),
			with(func(a *answer) { a.rloc, a.leader.PartitionID, a.rssi = router(2), 11, -75 }),
		}, 1, false},
		{"weight before partition ID", []answer{
			with(func(a *answer) { a.rloc, a.leader.PartitionID = router(1), 99 }),
			with(func(a *answer) { a.rloc, a.leader.Weighting = router(2), 65 }),
		}, 1, false},
		{"more than one router before weight", []answer{
			with(func(a *answer) { a.rloc, a.leader.Weighting, a.c.ActiveRouters = router(1), 255, 1 }),
			with(func(a *answer) { a.rloc = router(2) }),
		}, 1, false},
	} {
		for _, order := range []string{"forward", "backward"} {
			if order == "backward" && tt.name == "first of equals" {
				continue
			}
			t.Run(tt.name+"/"+order, func(t *testing.T) {
				m := meshtest.New(t, ideal())
				n := m.Add(1, lorasim.Position{}, stock)
				var peers []*meshtest.Peer
				for i, a := range tt.answers {
					p := m.AddPeer(10+i, lorasim.Position{})
					p.RLOC16 = a.rloc
					m.Sim.SetLink(p.Antenna, n.Antenna, a.rssi)
					delay := time.Duration(1+i) * 50 * time.Millisecond
					if order == "backward" {
						delay = 500*time.Millisecond - delay
					}
					p.OnMLE = func(h meshtest.Heard) {
						if h.Command != mle.ParentRequest || p.RLOC16.IsChild() && !must(h.ScanMask()).Has(mle.ScanEndDevices) {
							return
						}
						m.Sim.After(delay, func() { p.SendMLE(meshtest.LinkLocal(h.ExtAddr), p.ParentResponse(h, a.leader, a.c, a.margin)) })
					}
					peers = append(peers, p)
				}
				n.Start()
				m.Run(3500 * time.Millisecond)
				for i, p := range peers {
					requests := p.Find(mle.ChildIDRequest, n.ExtAddr())
					asked := len(requests) > 0 && requests[0].Dst == meshtest.LinkLocal(p.ExtAddr)
					if want := i == tt.want; asked != want {
						t.Errorf("peer %d asked: %v, want %v", i, asked, want)
					}
				}
				if got := len(peers[0].Find(mle.ParentRequest, n.ExtAddr())); order == "forward" && (got == 2) != tt.reeds {
					t.Errorf("%d Parent Requests", got)
				}
			})
		}
	}
}

// TestChildIDRequest looks at what a child asks for, and takes the answer (Thread 1.1 §4.7).
func TestChildIDRequest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*thread.Config)
		tlvs   []mle.TLVType
	}{
		{"full", stock, []mle.TLVType{mle.TLVResponse, mle.TLVLinkLayerFrameCounter, mle.TLVMLEFrameCounter, mle.TLVMode,
			mle.TLVTimeout, mle.TLVVersion, mle.TLVTLVRequest}},
		{"minimal", minimal, []mle.TLVType{mle.TLVResponse, mle.TLVLinkLayerFrameCounter, mle.TLVMLEFrameCounter, mle.TLVMode,
			mle.TLVTimeout, mle.TLVVersion, mle.TLVTLVRequest, mle.TLVAddressRegistration}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, tt.change)
			p := m.AddPeer(10, lorasim.Position{})
			p.RLOC16 = 0x5800
			leader := mle.LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: p.RLOC16.RouterID(), DataVersion: 3, StableDataVersion: 4}
			p.OnMLE = func(h meshtest.Heard) {
				switch h.Command {
				case mle.ParentRequest:
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), p.ParentResponse(h, leader, mle.Connectivity{ActiveRouters: 1}, 50))
				case mle.ChildIDRequest:
					var tlvs []mle.TLVType
					for typ := range h.All() {
						tlvs = append(tlvs, typ)
					}
					if !slices.Equal(tlvs, tt.tlvs) {
						t.Errorf("TLVs %v, want %v", tlvs, tt.tlvs)
					}
					if must(h.Response()) != meshtest.Challenge(0xa0) || must(h.Timeout()) != 240*time.Second || must(h.Mode()) != n.Mode() {
						t.Errorf("%+v", h)
					}
					b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), p.RLOC16)
					b = mle.AppendAddress16(mle.AppendLeaderData(b, leader), p.RLOC16|5)
					b = mle.AppendTLV(b, mle.TLVNetworkData, nil)
					b = mle.AppendRoute64(b, mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(p.RLOC16.RouterID())})
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), b)
				}
			}
			n.Start()
			m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
			if n.RLOC16() != p.RLOC16|5 {
				t.Errorf("RLOC16 %v", n.RLOC16())
			}
			if l, ok := n.Leader(); !ok || l.LeaderData != leader || l.ExtAddr != p.ExtAddr {
				t.Errorf("Leader() = %+v, %v", l, ok)
			}
			if s := n.Neighbors(); len(s) != 1 || s[0].ExtAddr != p.ExtAddr || s[0].Role != thread.RoleRouter || s[0].LinkQualityIn != 3 {
				t.Errorf("Neighbors() = %+v", s)
			}
		})
	}
}

// TestKeepAlive drops a child that fell silent, and lets a child ask in time, search when the parent is gone.
func TestKeepAlive(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			parent := m.Add(1, lorasim.Position{}, stock)
			child := m.Add(1, lorasim.Position{}, func(c *thread.Config) { change(c); c.Timing.ChildTimeout = 20 * time.Second })
			ear := m.AddPeer(9, lorasim.Position{})
			parent.Start()
			m.Until(time.Minute, "leader", func() bool { return parent.Role() == thread.RoleLeader })
			child.Start()
			m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			since := m.Sim.Now()
			m.Run(2 * time.Minute)
			updates := ear.Find(mle.ChildUpdateRequest, child.ExtAddr())
			if want := int(m.Sim.Now().Sub(since) / (16 * time.Second)); len(updates) != want {
				t.Errorf("%d Child Update Requests in 2 minutes, want %d: 4 s before each end of the timeout", len(updates), want)
			}
			if s := parent.Neighbors(); len(s) != 1 || s[0].Role != thread.RoleChild || s[0].Timeout != 20*time.Second || s[0].RLOC16 != child.RLOC16() {
				t.Fatalf("Neighbors() = %+v", s)
			}
			child.Antenna.SwitchOff()
			m.Until(21*time.Second, "silent child dropped", func() bool { return len(parent.Neighbors()) == 0 })
			m.Until(30*time.Second, "parent given up", func() bool { return child.Role() == thread.RoleDetached })

			child.Antenna.SwitchOn()
			m.Until(5*time.Minute, "child again", func() bool { return child.Role() == thread.RoleChild })
			parent.PowerOff()
			m.Until(30*time.Second, "parent given up", func() bool { return child.Role() == thread.RoleDetached })
		})
	}
}

// TestChildTakenOver tells a child that its parent does not know it any more, so that it attaches anew at once.
func TestChildTakenOver(t *testing.T) {
	m := meshtest.New(t, ideal())
	parent := m.Add(1, lorasim.Position{}, stock)
	child := m.Add(1, lorasim.Position{}, func(c *thread.Config) { minimal(c); c.Timing.ChildTimeout = 20 * time.Second })
	parent.Start()
	m.Until(time.Minute, "leader", func() bool { return parent.Role() == thread.RoleLeader })
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	parent.Config.Store = new(thread.MemoryStore) // the parent forgets everything and becomes another partition's leader
	parent.Config.PartitionID = 1
	parent.Restart()
	m.Until(time.Minute, "child of the new partition", func() bool {
		l, ok := child.Leader()
		return child.Role() == thread.RoleChild && ok && l.PartitionID == 1
	})
}

// TestParentLost makes a router's child search and find another parent.
func TestParentLost(t *testing.T) {
	m := meshtest.New(t, ideal())
	for range 3 {
		m.Add(1, lorasim.Position{}, stock)
	}
	m.StartOneByOne()
	child := m.Add(1, lorasim.Position{}, minimal)
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	var parent *meshtest.Node
	for _, n := range m.Nodes[:3] {
		if n.RLOC16().RouterID() == child.RLOC16().RouterID() {
			parent = n
		}
	}
	parent.PowerOff()
	old := child.RLOC16()
	m.Until(5*time.Minute, "another parent", func() bool {
		return child.Role() == thread.RoleChild && child.RLOC16().RouterID() != old.RouterID()
	})
}

// TestParentRefuses does not answer Parent Requests without a place, a leader, or for a node that may not be a parent (Thread 1.1 §4.7).
func TestParentRefuses(t *testing.T) {
	m := meshtest.New(t, ideal())
	parent := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.MaxChildren = 2 })
	parent.Start()
	m.Until(time.Minute, "leader", func() bool { return parent.Role() == thread.RoleLeader })
	full := m.Add(1, lorasim.Position{}, endDevice)
	full.Start()
	m.Until(time.Minute, "child", func() bool { return full.Role() == thread.RoleChild })

	a, b := m.AddPeer(10, lorasim.Position{}), m.AddPeer(11, lorasim.Position{})
	a.Attach(parent, thread.ModeFullThreadDevice, time.Minute)
	b.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters|mle.ScanEndDevices))
	m.Run(5 * time.Second)
	if got := b.Answers(mle.ParentResponse, parent.ExtAddr()); len(got) != 0 {
		t.Error("a full parent answered")
	}
	if got := b.Answers(mle.ParentResponse, full.ExtAddr()); len(got) != 0 {
		t.Error("an end device answered")
	}
	m.Run(time.Minute) // the first peer's timeout
	b.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(2), mle.ScanEndDevices))
	m.Run(5 * time.Second)
	if got := b.Answers(mle.ParentResponse, parent.ExtAddr()); len(got) != 0 {
		t.Error("a router answered a request to end devices")
	}
	b.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(3), mle.ScanRouters))
	r := b.Await(mle.ParentResponse, parent.ExtAddr(), 5*time.Second)
	if c := must(r.Connectivity()); c.ParentPriority != mle.ParentPriorityMedium || c.ActiveRouters != 1 || c.LeaderCost != 0 {
		t.Errorf("connectivity %+v", c)
	}
	if must(r.Response()) != meshtest.Challenge(3) || must(r.LinkMargin()) != 80 { // -20 dBm over -100
		t.Errorf("%+v", r)
	}
}

// TestREEDParent answers for a router-eligible child: it becomes a router when somebody wants to be its child.
func TestREEDParent(t *testing.T) {
	for _, change := range []func(*thread.Config){stock, minimal, endDevice} {
		m := meshtest.Chain(t, ideal(), 2, func(c *thread.Config) {
			stock(c)
			c.RouterUpgradeThreshold = 1 // nobody becomes a router without need
		})
		m.Add(1, lorasim.Position{X: 2}, change)
		for _, n := range m.Nodes {
			n.Start()
			m.Until(time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
		}
		if m.Nodes[1].Role() != thread.RoleRouter || m.Nodes[2].Role() != thread.RoleChild || !m.OneMesh() {
			t.Error(m)
		}
		m.Run(10 * time.Second)
		pingAll(t, m, time.Second)
	}
}

// TestEndDevicesInAMesh reaches minimal and full end devices over several hops, by all their addresses and in all sizes.
func TestEndDevicesInAMesh(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 3, stock)
			a := m.Add(1, lorasim.Position{X: -1}, change)
			b := m.Add(1, lorasim.Position{X: 3}, change)
			for _, n := range []*meshtest.Node{a, b} {
				n.Start()
				m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
			}
			m.Run(time.Minute)
			if a.Role() != thread.RoleChild || b.Role() != thread.RoleChild {
				t.Fatal(m)
			}
			for _, size := range []int{0, 50, 300, 1200} {
				for _, from := range []*meshtest.Node{a, m.Nodes[1], b} {
					for _, to := range []*meshtest.Node{a, m.Nodes[1], b} {
						if from == to {
							continue
						}
						rloc := to.RLOC16().Addr(thread.DefaultMeshLocalPrefix)
						if _, ok := from.Ping(to.MeshLocalEID(), size, time.Second); !ok {
							t.Fatalf("no reply from ML-EID of %v to %v, %d bytes\n%s", to.RLOC16(), from.RLOC16(), size, m)
						}
						if _, ok := from.Ping(rloc, size, time.Second); !ok {
							t.Fatalf("no reply from %v to %v, %d bytes\n%s", rloc, from.RLOC16(), size, m)
						}
					}
				}
			}
			pingAll(t, m, time.Second)
		})
	}
}

// TestStranger takes nothing from a node that shares no link, except what finds or makes one.
func TestStranger(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p := m.AddPeer(9, lorasim.Position{})
	m.Run(time.Second)
	before := n.Counters()
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), mle.AppendTLVRequest(mle.AppendCommand(nil, mle.DataRequest), mle.TLVNetworkData))
	m.Run(time.Second)
	if got := n.Counters().MLEUnknownNeighbor - before.MLEUnknownNeighbor; got != 1 {
		t.Errorf("Data Request of a stranger: %+v", n.Counters())
	}
	update := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), update)
	if h := p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second); must(h.Status()) != mle.StatusError {
		t.Errorf("Child Update Request of a stranger: %+v", h)
	}
	// Another key, another sender's nonce, other addresses, another key sequence than it says.
	before = n.Counters()
	to := meshtest.LinkLocal(n.ExtAddr())
	for i, payload := range [][]byte{
		mle.AppendSealed(nil, meshtest.LinkLocal(p.ExtAddr), to, p.ExtAddr, 0, 100, ieee802154.NewCCM([16]byte{1}), update),
		mle.AppendSealed(nil, meshtest.LinkLocal(p.ExtAddr), to, meshtest.ExtAddr(99), 0, 101, mleCipher(0), update),
		mle.AppendSealed(nil, meshtest.LinkLocal(meshtest.ExtAddr(99)), to, p.ExtAddr, 0, 102, mleCipher(0), update),
		mle.AppendSealed(nil, meshtest.LinkLocal(p.ExtAddr), ip6.LinkLocalAllNodes, p.ExtAddr, 0, 103, mleCipher(0), update),
		mle.AppendSealed(nil, meshtest.LinkLocal(p.ExtAddr), to, p.ExtAddr, 50, 104, mleCipher(0), update),
	} {
		p.SendSealedMLE(to, payload)
		m.Run(time.Second)
		if got := n.Counters().MLESecurity - before.MLESecurity; got != uint64(i+1) {
			t.Errorf("forgery %d: %+v", i, n.Counters())
		}
	}
	if n.Console().Keys.Sequence() != 0 {
		t.Errorf("key sequence %d", n.Console().Keys.Sequence())
	}
	altered := slices.Clone(p.SendMLE(to, update))
	altered[len(altered)-5] ^= 1
	p.Transmit(altered)
	m.Run(time.Second)
	if got := n.Counters().IPBadChecksum - before.IPBadChecksum; got != 1 {
		t.Errorf("altered message: %+v", n.Counters())
	}
	// Secured by the MAC, but from nobody.
	f := p.Frame(ieee802154.ExtAddress(n.ExtAddr()), []byte{0x60})
	f.Security.Level, f.Security.KeyIDMode = ieee802154.SecurityENCMIC32, ieee802154.KeyIDModeIndex
	p.SendFrame(f)
	f = p.Frame(ieee802154.ShortAddress(0xffff), []byte{0x60})
	f.Src = ieee802154.ShortAddress(0x7777)
	p.SendFrame(f)
	m.Run(time.Second)
	if c := n.Counters(); c.RxSecurity-before.RxSecurity != 1 || c.RxUnknownNeighbor-before.RxUnknownNeighbor != 1 {
		t.Errorf("%+v", c)
	}
}
