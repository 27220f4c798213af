package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// leaders returns the nodes in role leader.
func leaders(m *meshtest.Mesh) []*meshtest.Node {
	var l []*meshtest.Node
	for _, n := range m.Nodes {
		if n.Role() == thread.RoleLeader {
			l = append(l, n)
		}
	}
	return l
}

// partitions counts the partitions in which nodes are.
func partitions(m *meshtest.Mesh) int {
	ids := map[uint32]bool{}
	for _, n := range m.Nodes {
		if l, ok := n.Leader(); ok {
			ids[l.PartitionID] = true
		}
	}
	return len(ids)
}

// checkRLOCs fails if two nodes have the same RLOC16, or a node does not know the routers that there are.
func checkRLOCs(t testing.TB, m *meshtest.Mesh) {
	t.Helper()
	owner := map[mle.RLOC16]int{}
	for i, n := range m.Nodes {
		if k, ok := owner[n.RLOC16()]; ok {
			t.Errorf("nodes %d and %d both have RLOC16 %v\n%s", k+1, i+1, n.RLOC16(), m)
		}
		owner[n.RLOC16()] = i
	}
	for i, n := range m.Nodes {
		for rloc := range routersOf(n) {
			if _, ok := owner[rloc]; !ok {
				t.Errorf("node %d knows a router %v that is not there\n%s", i+1, rloc, m)
			}
		}
	}
}

func endpoints(nodes ...*meshtest.Node) []lorasim.Endpoint {
	var e []lorasim.Endpoint
	for _, n := range nodes {
		e = append(e, n.Antenna)
	}
	return e
}

// TestLeaderLost elects another leader when the leader's sequence number has stood still for NetworkIDTimeout.
func TestLeaderLost(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    lorasim.Options
		change func(*thread.Config)
		limit  time.Duration
		ping   time.Duration
	}{
		{"IEEE802154", ideal(), stock, 135 * time.Second, time.Second},
		{"LoRa", lorasim.Options{Seed: 3}, nil, 240 * time.Second, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := steady(t, tt.opt, 4, tt.change)
			leaders(m)[0].PowerOff()
			m.Nodes = m.Nodes[1:] // the first is the leader
			since := m.Sim.Now()
			m.Until(tt.limit, "another leader", func() bool { return m.Count(thread.RoleLeader) > 0 })
			// The leader's last Advertisement may have been AdvertiseMax ago.
			if d := m.Sim.Now().Sub(since); d < (120-32)*time.Second {
				t.Errorf("another leader after %v", d)
			}
			m.Until(5*time.Minute, "one mesh", m.OneMesh)
			m.Run(4 * time.Minute)
			checkRLOCs(t, m)
			pingAll(t, m, tt.ping)
		})
	}
}

// TestBetterPartition makes a node leave its partition for a better one.
func TestBetterPartition(t *testing.T) {
	for _, tt := range []struct {
		name         string
		worse, other func(*thread.Config)
	}{
		{"weight", func(c *thread.Config) { c.LeaderWeight, c.PartitionID = new(uint8(63)), 0xffffffff }, func(c *thread.Config) { c.PartitionID = 1 }},
		{"partition ID", func(c *thread.Config) { c.PartitionID = 0x7ffffffe }, func(c *thread.Config) { c.PartitionID = 0x80000000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			a := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); tt.worse(c) })
			b := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); tt.other(c) })
			m.Sim.Partition(endpoints(a), endpoints(b))
			a.Start()
			b.Start()
			m.Until(time.Minute, "two leaders", func() bool { return len(leaders(m)) == 2 })
			m.Run(time.Minute)
			m.Sim.Heal()
			m.Until(2*time.Minute, "one leader", m.OneMesh)
			if b.Role() != thread.RoleLeader {
				t.Errorf("the worse partition won\n%s", m)
			}
			if a.Counters().BetterPartitionAttempts == 0 {
				t.Error("attempt not counted")
			}
			m.Until(5*time.Minute, "router", func() bool { return a.Role() == thread.RoleRouter })
			m.Run(30 * time.Second)
			checkRLOCs(t, m)
			pingAll(t, m, time.Second)
		})
	}
}

// TestMerge cuts a mesh in two, each with its own leader, and heals it: one partition again, each RLOC16 once.
func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    func(seed uint64) lorasim.Options
		change func(*thread.Config)
		limit  time.Duration
		ping   time.Duration
	}{
		{"IEEE802154", func(seed uint64) lorasim.Options { o := ideal(); o.Seed = seed; return o }, stock, 5 * time.Minute, time.Second},
		{"LoRa", func(seed uint64) lorasim.Options { return lorasim.Options{Seed: seed} }, nil, 10 * time.Minute, 5 * time.Minute},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", tt.name, seed), func(t *testing.T) {
				m := meshtest.New(t, tt.opt(seed))
				for i := range 6 {
					m.Add(seed, lorasim.Position{X: 100 * float64(i%3), Y: 100 * float64(i/3)}, tt.change)
				}
				// Two of them are end devices: they follow their parents.
				m.Nodes[2].Config.EndDevice, m.Nodes[5].Config.Mode = true, thread.ModeMinimalEndDevice
				for _, i := range []int{2, 5} {
					m.Nodes[i].Engine = must(thread.New(m.Nodes[i].Config))
					m.Nodes[i].Antenna.SetStation(m.Nodes[i].Engine)
				}
				for _, n := range m.Nodes {
					n.Start()
				}
				m.Until(tt.limit, "one mesh", m.OneMesh)
				m.Run(5 * time.Minute)

				m.Sim.Partition(endpoints(m.Nodes[:3]...), endpoints(m.Nodes[3:]...))
				m.Until(tt.limit, "two meshes", func() bool { return len(leaders(m)) == 2 && partitions(m) == 2 })
				m.Run(25 * time.Minute) // until the leaders take back the router IDs of the others
				checkRLOCsOf(t, m, m.Nodes[:3])
				checkRLOCsOf(t, m, m.Nodes[3:])

				m.Sim.Heal()
				m.Until(tt.limit, "one mesh again", m.OneMesh)
				m.Run(5 * time.Minute)
				m.Until(tt.limit, "still one mesh", m.OneMesh)
				checkRLOCs(t, m)
				pingAll(t, m, tt.ping)
			})
		}
	}
}

// checkRLOCsOf is checkRLOCs for one of several partitions.
func checkRLOCsOf(t testing.TB, m *meshtest.Mesh, nodes []*meshtest.Node) {
	t.Helper()
	part := *m
	part.Nodes = nodes
	checkRLOCs(t, &part)
}

// TestChildFollowsParent takes children along into another partition without a search of their own.
func TestChildFollowsParent(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			p := m.AddPeer(10, lorasim.Position{})
			p.RLOC16 = 0x5800
			leader := mle.LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: p.RLOC16.RouterID()}
			route := mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(p.RLOC16.RouterID())}
			asked := 0
			p.OnMLE = func(h meshtest.Heard) {
				switch h.Command {
				case mle.ParentRequest:
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), p.ParentResponse(h, leader, mle.Connectivity{ActiveRouters: 1}, 50))
				case mle.ChildIDRequest:
					b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), p.RLOC16)
					b = mle.AppendAddress16(mle.AppendLeaderData(b, leader), p.RLOC16|5)
					b = mle.AppendTLV(b, mle.TLVNetworkData, nil)
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), mle.AppendRoute64(b, route))
				case mle.DataRequest:
					asked++
					b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.DataResponse), p.RLOC16)
					p.SendMLE(meshtest.LinkLocal(h.ExtAddr), mle.AppendTLV(mle.AppendLeaderData(b, leader), mle.TLVNetworkData, nil))
				}
			}
			n := m.Add(1, lorasim.Position{}, change)
			n.Start()
			m.Until(10*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
			leader.PartitionID, leader.LeaderRouterID, leader.DataVersion = 77, 3, 200
			route.Routers, route.IDSequence = route.Routers.Add(3), 90
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.RLOC16)
			p.SendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
			m.Run(2 * time.Second)
			l, ok := n.Leader()
			if !ok || l.LeaderData != leader || n.RLOC16() != p.RLOC16|5 {
				t.Errorf("Leader() = %+v, %v, RLOC16 %v", l, ok, n.RLOC16())
			}
			if asked != 1 {
				t.Errorf("asked %d times for the network data of the new partition", asked)
			}
			// A parent with another address is another parent.
			p.RLOC16 = 0x6000
			b = mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.RLOC16)
			p.SendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
			m.Run(100 * time.Millisecond)
			if n.Role() != thread.RoleDetached {
				t.Errorf("role %v after the parent moved", n.Role())
			}
		})
	}
}

// TestPartitionLeftBehind does not go back to a partition whose leader is gone, though routers there still advertise it.
func TestPartitionLeftBehind(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.PartitionID = 5 })
	ghost := m.AddPeer(10, lorasim.Position{})
	ghost.RLOC16 = 0x5800
	leader := mle.LeaderData{PartitionID: 0xffffffff, Weighting: 64, LeaderRouterID: 1}
	route := mle.Route64{IDSequence: 200, Routers: mle.RouterIDSet(0).Add(1).Add(ghost.RLOC16.RouterID())}
	alive := true
	ghost.OnMLE = func(h meshtest.Heard) {
		switch h.Command {
		case mle.ParentRequest:
			if alive {
				ghost.SendMLE(meshtest.LinkLocal(h.ExtAddr), ghost.ParentResponse(h, leader, mle.Connectivity{ActiveRouters: 2, IDSequence: route.IDSequence}, 50))
			}
		case mle.ChildIDRequest:
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), ghost.RLOC16)
			b = mle.AppendTLV(mle.AppendAddress16(mle.AppendLeaderData(b, leader), ghost.RLOC16|5), mle.TLVNetworkData, nil)
			ghost.SendMLE(meshtest.LinkLocal(h.ExtAddr), mle.AppendRoute64(b, route))
		}
	}
	n.Start()
	m.Until(10*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	alive = false
	advertise := func() {
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), ghost.RLOC16)
		ghost.SendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
	}
	ghost.Deaf = true
	m.Until(10*time.Minute, "leader of its own", func() bool { return n.Role() == thread.RoleLeader })
	before := n.Counters().BetterPartitionAttempts
	for range 5 {
		advertise()
		m.Run(5 * time.Second)
	}
	if got := n.Counters().BetterPartitionAttempts - before; got != 0 {
		t.Errorf("%d attempts to go back", got)
	}
	route.IDSequence++ // its leader is back
	advertise()
	m.Run(time.Second)
	if got := n.Counters().BetterPartitionAttempts - before; got != 1 {
		t.Errorf("%d attempts to go back after the leader's return", got)
	}
}
