package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// leaders returns the nodes in role leader.
func (m *mesh) leaders() []*node {
	var l []*node
	for _, n := range m.nodes {
		if n.Role() == thread.RoleLeader {
			l = append(l, n)
		}
	}
	return l
}

// partitions counts the partitions in which nodes are.
func (m *mesh) partitions() int {
	ids := map[uint32]bool{}
	for _, n := range m.nodes {
		if l, ok := n.Leader(); ok {
			ids[l.PartitionID] = true
		}
	}
	return len(ids)
}

// checkRLOCs fails if two nodes have the same RLOC16, or a node does not know the routers that there are.
func (m *mesh) checkRLOCs() {
	m.t.Helper()
	owner := map[mle.RLOC16]int{}
	for i, n := range m.nodes {
		if k, ok := owner[n.RLOC16()]; ok {
			m.t.Errorf("nodes %d and %d both have RLOC16 %v\n%s", k+1, i+1, n.RLOC16(), m)
		}
		owner[n.RLOC16()] = i
	}
	for i, n := range m.nodes {
		for rloc := range n.routers() {
			if _, ok := owner[rloc]; !ok {
				m.t.Errorf("node %d knows a router %v that is not there\n%s", i+1, rloc, m)
			}
		}
	}
}

func endpoints(nodes ...*node) []lorasim.Endpoint {
	var e []lorasim.Endpoint
	for _, n := range nodes {
		e = append(e, n.antenna)
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
			m.leaders()[0].antenna.SetStation(nil)
			m.nodes = m.nodes[1:] // the first is the leader
			since := m.sim.Now()
			m.until(tt.limit, "another leader", func() bool { return m.count(thread.RoleLeader) > 0 })
			if d := m.sim.Now().Sub(since); d < 110*time.Second {
				t.Errorf("another leader after %v", d)
			}
			m.until(5*time.Minute, "one mesh", m.oneMesh)
			m.run(4 * time.Minute)
			m.checkRLOCs()
			m.pingAll(tt.ping)
		})
	}
}

// TestBetterPartition makes a node leave its partition for a better one.
func TestBetterPartition(t *testing.T) {
	for _, tt := range []struct {
		name         string
		worse, other func(*thread.Config)
	}{
		{"weight", func(c *thread.Config) { c.LeaderWeight, c.PartitionID = 63, 0xffffffff }, func(c *thread.Config) { c.PartitionID = 1 }},
		{"partition ID", func(c *thread.Config) { c.PartitionID = 0x7ffffffe }, func(c *thread.Config) { c.PartitionID = 0x80000000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMesh(t, ideal())
			a := m.add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); tt.worse(c) })
			b := m.add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); tt.other(c) })
			m.sim.Partition(endpoints(a), endpoints(b))
			a.start()
			b.start()
			m.until(time.Minute, "two leaders", func() bool { return len(m.leaders()) == 2 })
			m.run(time.Minute)
			m.sim.Heal()
			m.until(2*time.Minute, "one leader", m.oneMesh)
			if b.Role() != thread.RoleLeader {
				t.Errorf("the worse partition won\n%s", m)
			}
			if a.Counters().BetterPartitionAttempts == 0 {
				t.Error("attempt not counted")
			}
			m.until(5*time.Minute, "router", func() bool { return a.Role() == thread.RoleRouter })
			m.run(30 * time.Second)
			m.checkRLOCs()
			m.pingAll(time.Second)
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
				m := newMesh(t, tt.opt(seed))
				for i := range 6 {
					m.add(seed, lorasim.Position{X: 100 * float64(i%3), Y: 100 * float64(i/3)}, tt.change)
				}
				// Two of them are end devices: they follow their parents.
				m.nodes[2].cfg.EndDevice, m.nodes[5].cfg.Mode = true, thread.ModeMinimalEndDevice
				for _, i := range []int{2, 5} {
					m.nodes[i].Engine = must(thread.New(m.nodes[i].cfg))
					m.nodes[i].antenna.SetStation(m.nodes[i].Engine)
				}
				for _, n := range m.nodes {
					n.start()
				}
				m.until(tt.limit, "one mesh", m.oneMesh)
				m.run(5 * time.Minute)

				m.sim.Partition(endpoints(m.nodes[:3]...), endpoints(m.nodes[3:]...))
				m.until(tt.limit, "two meshes", func() bool { return len(m.leaders()) == 2 && m.partitions() == 2 })
				m.run(15 * time.Minute) // until the leaders take back the router IDs of the others
				m.checkRLOCsOf(m.nodes[:3])
				m.checkRLOCsOf(m.nodes[3:])

				m.sim.Heal()
				m.until(tt.limit, "one mesh again", m.oneMesh)
				m.run(5 * time.Minute)
				m.until(tt.limit, "still one mesh", m.oneMesh)
				m.checkRLOCs()
				m.pingAll(tt.ping)
			})
		}
	}
}

// checkRLOCsOf is checkRLOCs for one of several partitions.
func (m *mesh) checkRLOCsOf(nodes []*node) {
	m.t.Helper()
	part := *m
	part.nodes = nodes
	part.checkRLOCs()
}

// TestChildFollowsParent takes children along into another partition without a search of their own.
func TestChildFollowsParent(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, ideal())
			p := m.peer(10, lorasim.Position{})
			p.rloc = 0x5800
			leader := mle.LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: p.rloc.RouterID()}
			route := mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(p.rloc.RouterID())}
			asked := 0
			p.on = func(h heard) {
				switch h.Command {
				case mle.ParentRequest:
					p.sendMLE(linkLocal(h.ext), p.parentResponse(h, leader, mle.Connectivity{ActiveRouters: 1}, 50))
				case mle.ChildIDRequest:
					b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), p.rloc)
					b = mle.AppendAddress16(mle.AppendLeaderData(b, leader), p.rloc|5)
					b = mle.AppendTLV(b, mle.TLVNetworkData, nil)
					p.sendMLE(linkLocal(h.ext), mle.AppendRoute64(b, route))
				case mle.DataRequest:
					asked++
					b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.DataResponse), p.rloc)
					p.sendMLE(linkLocal(h.ext), mle.AppendTLV(mle.AppendLeaderData(b, leader), mle.TLVNetworkData, nil))
				}
			}
			n := m.add(1, lorasim.Position{}, change)
			n.start()
			m.until(10*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
			leader.PartitionID, leader.LeaderRouterID, leader.DataVersion = 77, 3, 200
			route.Routers, route.IDSequence = route.Routers.Add(3), 90
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.rloc)
			p.sendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
			m.run(2 * time.Second)
			l, ok := n.Leader()
			if !ok || l.LeaderData != leader || n.RLOC16() != p.rloc|5 {
				t.Errorf("Leader() = %+v, %v, RLOC16 %v", l, ok, n.RLOC16())
			}
			if asked != 1 {
				t.Errorf("asked %d times for the network data of the new partition", asked)
			}
			// A parent with another address is another parent.
			p.rloc = 0x6000
			b = mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.rloc)
			p.sendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
			m.run(100 * time.Millisecond)
			if n.Role() != thread.RoleDetached {
				t.Errorf("role %v after the parent moved", n.Role())
			}
		})
	}
}

// TestPartitionLeftBehind does not go back to a partition whose leader is gone, though routers there still advertise it.
func TestPartitionLeftBehind(t *testing.T) {
	m := newMesh(t, ideal())
	n := m.add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.PartitionID = 5 })
	ghost := m.peer(10, lorasim.Position{})
	ghost.rloc = 0x5800
	leader := mle.LeaderData{PartitionID: 0xffffffff, Weighting: 64, LeaderRouterID: 1}
	route := mle.Route64{IDSequence: 200, Routers: mle.RouterIDSet(0).Add(1).Add(ghost.rloc.RouterID())}
	alive := true
	ghost.on = func(h heard) {
		switch h.Command {
		case mle.ParentRequest:
			if alive {
				ghost.sendMLE(linkLocal(h.ext), ghost.parentResponse(h, leader, mle.Connectivity{ActiveRouters: 2, IDSequence: route.IDSequence}, 50))
			}
		case mle.ChildIDRequest:
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), ghost.rloc)
			b = mle.AppendTLV(mle.AppendAddress16(mle.AppendLeaderData(b, leader), ghost.rloc|5), mle.TLVNetworkData, nil)
			ghost.sendMLE(linkLocal(h.ext), mle.AppendRoute64(b, route))
		}
	}
	n.start()
	m.until(10*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	alive = false
	advertise := func() {
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), ghost.rloc)
		ghost.sendMLE(ip6.LinkLocalAllNodes, mle.AppendRoute64(mle.AppendLeaderData(b, leader), route))
	}
	ghost.deaf = true
	m.until(10*time.Minute, "leader of its own", func() bool { return n.Role() == thread.RoleLeader })
	before := n.Counters().BetterPartitionAttempts
	for range 5 {
		advertise()
		m.run(5 * time.Second)
	}
	if got := n.Counters().BetterPartitionAttempts - before; got != 0 {
		t.Errorf("%d attempts to go back", got)
	}
	route.IDSequence++ // its leader is back
	advertise()
	m.run(time.Second)
	if got := n.Counters().BetterPartitionAttempts - before; got != 1 {
		t.Errorf("%d attempts to go back after the leader's return", got)
	}
}
