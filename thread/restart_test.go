package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestRestartRouter takes up a router's place after a restart: Link Requests first, its RLOC16, its children.
func TestRestartRouter(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	full, small := m.add(1, lorasim.Position{X: 3}, endDevice), m.add(1, lorasim.Position{X: 3}, minimal)
	for _, n := range []*node{full, small} {
		n.start()
		m.until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	}
	m.run(time.Minute)
	n := m.nodes[2]
	if got := n.RLOC16(); got != full.RLOC16()&0xfc00 || got != small.RLOC16()&0xfc00 {
		t.Fatal("the test is wrong")
	}
	rloc, eid, children := n.RLOC16(), n.MeshLocalEID(), []mle.RLOC16{full.RLOC16(), small.RLOC16()}
	ear := m.peer(9, lorasim.Position{X: 2})
	n.antenna.SetStation(nil)
	m.run(5 * time.Second)
	n.restart()
	m.until(5*time.Second, "router again", func() bool { return n.Role() == thread.RoleRouter })
	if n.RLOC16() != rloc || n.MeshLocalEID() != eid {
		t.Errorf("RLOC16 %v, ML-EID %v, had %v and %v", n.RLOC16(), n.MeshLocalEID(), rloc, eid)
	}
	if got := ear.commands(n)[0]; got != mle.LinkRequest {
		t.Errorf("began with %v", got)
	}
	if got := ear.find(mle.ParentRequest, n.ExtAddr()); len(got) != 0 {
		t.Error("looked for a parent")
	}
	r := ear.find(mle.LinkRequest, n.ExtAddr())[0]
	if r.Has(mle.TLVSourceAddress) || r.Has(mle.TLVLeaderData) || !must(r.TLVRequest()).Contains(mle.TLVAddress16) {
		t.Errorf("first Link Request: %+v", r)
	}
	m.run(10 * time.Second)
	if got := len(n.Neighbors()); got != 3 {
		t.Errorf("neighbors %+v", n.Neighbors())
	}
	for i, c := range []*node{full, small} {
		if c.RLOC16() != children[i] || c.Role() != thread.RoleChild || c.Counters().AttachAttempts != 1 {
			t.Errorf("child is %v as %v, was %v", c.RLOC16(), c.Role(), children[i])
		}
	}
	m.pingAll(time.Second)
}

// TestRestartAlone searches for a parent when no router remembers it, and founds a partition under its old router ID.
func TestRestartAlone(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.nodes[1]
	old := n.RLOC16()
	ear := m.peer(9, lorasim.Position{X: 1})
	m.nodes[0].antenna.SetStation(nil)
	n.restart()
	m.until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	want := []mle.Command{mle.LinkRequest, mle.ParentRequest, mle.ParentRequest, mle.DataResponse, mle.Advertisement}
	m.run(2 * time.Second)
	if got := ear.commands(n); !slices.Equal(got[:len(want)], want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if n.RLOC16() != old {
		t.Errorf("RLOC16 %v, had %v", n.RLOC16(), old)
	}
}

// TestRestartLeader leads on after a restart: the same partition, the router IDs as they were.
func TestRestartLeader(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	n := m.nodes[0]
	before, _ := n.Leader()
	n.antenna.SetStation(nil)
	m.run(20 * time.Second)
	n.restart()
	m.until(10*time.Second, "leader again", func() bool { return n.Role() == thread.RoleLeader })
	after, _ := n.Leader()
	if after.PartitionID != before.PartitionID || after.LeaderRouterID != before.LeaderRouterID || len(n.Routers()) != 3 {
		t.Errorf("leads %+v with %d routers, led %+v", after, len(n.Routers()), before)
	}
	m.run(10 * time.Minute)
	if !m.oneMesh() || len(n.Routers()) != 3 {
		t.Error(m)
	}
	for _, o := range m.nodes {
		if o.Counters().PartitionChanges > 1 {
			t.Errorf("%v changed partition", o.RLOC16())
		}
	}
	m.checkRLOCs()
	m.pingAll(time.Second)
}

// TestRestartChild stays a child by one Child Update Request.
func TestRestartChild(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 2, stock)
			n := m.add(1, lorasim.Position{X: 2}, change)
			n.start()
			m.until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
			rloc, eid := n.RLOC16(), n.MeshLocalEID()
			ear := m.peer(9, lorasim.Position{X: 2})
			n.antenna.SetStation(nil)
			m.run(10 * time.Second)
			n.restart()
			m.until(time.Second, "child again", func() bool { return n.Role() == thread.RoleChild })
			if got := ear.commands(n); got[0] != mle.ChildUpdateRequest || len(got) > 2 {
				t.Errorf("sent %v", got)
			}
			r := ear.find(mle.ChildUpdateRequest, n.ExtAddr())[0]
			if !r.Has(mle.TLVChallenge) || r.Has(mle.TLVSourceAddress) || r.Has(mle.TLVTimeout) {
				t.Errorf("%+v", r)
			}
			if n.RLOC16() != rloc || n.MeshLocalEID() != eid {
				t.Errorf("RLOC16 %v, ML-EID %v, had %v and %v", n.RLOC16(), n.MeshLocalEID(), rloc, eid)
			}
			m.run(10 * time.Second)
			m.pingAll(time.Second)
		})
	}
}

// TestRestartChildForgotten searches anew when the parent does not know the child any more, or is gone.
func TestRestartChildForgotten(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.add(1, lorasim.Position{X: 2}, func(c *thread.Config) { minimal(c); c.Timing.ChildTimeout = 10 * time.Second })
	n.start()
	m.until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	n.antenna.SetStation(nil)
	m.run(20 * time.Second)
	ear := m.peer(9, lorasim.Position{X: 2})
	n.restart()
	m.until(5*time.Second, "child again", func() bool { return n.Role() == thread.RoleChild })
	want := []mle.Command{mle.ChildUpdateRequest, mle.ParentRequest, mle.ParentRequest, mle.ChildIDRequest}
	if got := ear.commands(n); len(got) < 4 || !slices.Equal(got[:4], want) {
		t.Errorf("sent %v, want %v", got, want)
	}

	n.antenna.SetStation(nil)
	n.antenna.Move(lorasim.Position{X: -1}) // where the other router is
	n.restart()
	m.until(20*time.Second, "child of another", func() bool {
		return n.Role() == thread.RoleChild && n.RLOC16().RouterID() == m.nodes[0].RLOC16().RouterID()
	})
	m.run(10 * time.Second)
	m.pingAll(time.Second)
}

// TestRestartAll brings a whole mesh back after a power cut.
func TestRestartAll(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opt    lorasim.Options
		change func(*thread.Config)
		limit  time.Duration
		ping   time.Duration
	}{
		{"IEEE802154", ideal(), stock, 5 * time.Minute, time.Second},
		{"LoRa", lorasim.Options{Seed: 1}, nil, 15 * time.Minute, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := steady(t, tt.opt, 4, tt.change)
			child := m.add(1, lorasim.Position{X: 4}, func(c *thread.Config) {
				if tt.change != nil {
					tt.change(c)
				}
				c.Mode = thread.ModeMinimalEndDevice
			})
			child.start()
			m.until(5*time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			for _, n := range m.nodes {
				n.antenna.SetStation(nil)
			}
			m.run(time.Hour)
			for _, n := range m.nodes {
				n.restart()
			}
			m.until(tt.limit, "one mesh", m.oneMesh)
			m.run(5 * time.Minute)
			m.until(tt.limit, "still one mesh", m.oneMesh)
			m.checkRLOCs()
			m.pingAll(tt.ping)
		})
	}
}

// TestStopStart leaves and comes back without a new engine.
func TestStopStart(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	child := m.add(1, lorasim.Position{X: 3}, minimal)
	child.start()
	m.until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	for _, n := range []*node{m.nodes[2], child, m.nodes[0]} {
		n.Stop(m.sim.Now())
		n.antenna.Touch()
		if n.Role() != thread.RoleDisabled {
			t.Errorf("role %v", n.Role())
		}
		m.run(5 * time.Second)
		n.start()
		m.until(time.Minute, "back", func() bool { return n.Role() >= thread.RoleChild })
		m.run(10 * time.Second)
	}
	m.until(time.Minute, "one mesh", m.oneMesh)
	m.run(time.Minute)
	m.checkRLOCs()
	m.pingAll(time.Second)
}
