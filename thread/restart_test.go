package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestRestartRouter takes up a router's place after a restart: Link Requests first, its RLOC16, its children.
func TestRestartRouter(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	full, small := m.Add(1, lorasim.Position{X: 3}, endDevice), m.Add(1, lorasim.Position{X: 3}, minimal)
	for _, n := range []*meshtest.Node{full, small} {
		n.Start()
		m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	}
	m.Run(time.Minute)
	n := m.Nodes[2]
	if got := n.RLOC16(); got != full.RLOC16()&0xfc00 || got != small.RLOC16()&0xfc00 {
		t.Fatal("the test is wrong")
	}
	rloc, eid, children := n.RLOC16(), n.MeshLocalEID(), []mle.RLOC16{full.RLOC16(), small.RLOC16()}
	ear := m.AddPeer(9, lorasim.Position{X: 2})
	n.PowerOff()
	m.Run(5 * time.Second)
	n.Restart()
	m.Until(5*time.Second, "router again", func() bool { return n.Role() == thread.RoleRouter })
	if n.RLOC16() != rloc || n.MeshLocalEID() != eid {
		t.Errorf("RLOC16 %v, ML-EID %v, had %v and %v", n.RLOC16(), n.MeshLocalEID(), rloc, eid)
	}
	if got := ear.Commands(n.ExtAddr())[0]; got != mle.LinkRequest {
		t.Errorf("began with %v", got)
	}
	if got := ear.Find(mle.ParentRequest, n.ExtAddr()); len(got) != 0 {
		t.Error("looked for a parent")
	}
	r := ear.Find(mle.LinkRequest, n.ExtAddr())[0]
	if r.Has(mle.TLVSourceAddress) || r.Has(mle.TLVLeaderData) || !must(r.TLVRequest()).Contains(mle.TLVAddress16) {
		t.Errorf("first Link Request: %+v", r)
	}
	m.Run(10 * time.Second)
	if got := len(n.Neighbors()); got != 3 {
		t.Errorf("neighbors %+v", n.Neighbors())
	}
	for i, c := range []*meshtest.Node{full, small} {
		if c.RLOC16() != children[i] || c.Role() != thread.RoleChild || c.Counters().AttachAttempts != 1 {
			t.Errorf("child is %v as %v, was %v", c.RLOC16(), c.Role(), children[i])
		}
	}
	pingAll(t, m, time.Second)
}

// TestRestartAlone searches for a parent when no router remembers it, and founds a partition under its old router ID.
func TestRestartAlone(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Nodes[1]
	old := n.RLOC16()
	ear := m.AddPeer(9, lorasim.Position{X: 1})
	m.Nodes[0].PowerOff()
	n.Restart()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	want := []mle.Command{mle.LinkRequest, mle.ParentRequest, mle.ParentRequest, mle.DataResponse, mle.Advertisement}
	m.Run(2 * time.Second)
	if got := ear.Commands(n.ExtAddr()); !slices.Equal(got[:len(want)], want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if n.RLOC16() != old {
		t.Errorf("RLOC16 %v, had %v", n.RLOC16(), old)
	}
}

// TestRestartLeader leads on after a restart: the same partition, the router IDs as they were.
func TestRestartLeader(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	n := m.Nodes[0]
	before, _ := n.Leader()
	n.PowerOff()
	m.Run(20 * time.Second)
	n.Restart()
	m.Until(10*time.Second, "leader again", func() bool { return n.Role() == thread.RoleLeader })
	after, _ := n.Leader()
	if after.PartitionID != before.PartitionID || after.LeaderRouterID != before.LeaderRouterID || len(n.Routers()) != 3 {
		t.Errorf("leads %+v with %d routers, led %+v", after, len(n.Routers()), before)
	}
	m.Run(10 * time.Minute)
	if !m.OneMesh() || len(n.Routers()) != 3 {
		t.Error(m)
	}
	for _, o := range m.Nodes {
		if o.Counters().PartitionChanges > 1 {
			t.Errorf("%v changed partition", o.RLOC16())
		}
	}
	checkRLOCs(t, m)
	pingAll(t, m, time.Second)
}

// TestRestartChild stays a child by one Child Update Request.
func TestRestartChild(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 2, stock)
			n := m.Add(1, lorasim.Position{X: 2}, change)
			n.Start()
			m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
			rloc, eid := n.RLOC16(), n.MeshLocalEID()
			ear := m.AddPeer(9, lorasim.Position{X: 2})
			n.PowerOff()
			m.Run(10 * time.Second)
			n.Restart()
			m.Until(time.Second, "child again", func() bool { return n.Role() == thread.RoleChild })
			if got := ear.Commands(n.ExtAddr()); got[0] != mle.ChildUpdateRequest || len(got) > 2 {
				t.Errorf("sent %v", got)
			}
			r := ear.Find(mle.ChildUpdateRequest, n.ExtAddr())[0]
			if !r.Has(mle.TLVChallenge) || r.Has(mle.TLVSourceAddress) || r.Has(mle.TLVTimeout) {
				t.Errorf("%+v", r)
			}
			if n.RLOC16() != rloc || n.MeshLocalEID() != eid {
				t.Errorf("RLOC16 %v, ML-EID %v, had %v and %v", n.RLOC16(), n.MeshLocalEID(), rloc, eid)
			}
			m.Run(10 * time.Second)
			pingAll(t, m, time.Second)
		})
	}
}

// TestRestartChildForgotten searches anew when the parent does not know the child any more, or is gone.
func TestRestartChildForgotten(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { minimal(c); c.Timing.ChildTimeout = 10 * time.Second })
	n.Start()
	m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	n.PowerOff()
	m.Run(20 * time.Second)
	ear := m.AddPeer(9, lorasim.Position{X: 2})
	n.Restart()
	m.Until(5*time.Second, "child again", func() bool { return n.Role() == thread.RoleChild })
	want := []mle.Command{mle.ChildUpdateRequest, mle.ParentRequest, mle.ParentRequest, mle.ChildIDRequest}
	if got := ear.Commands(n.ExtAddr()); len(got) < 4 || !slices.Equal(got[:4], want) {
		t.Errorf("sent %v, want %v", got, want)
	}

	n.PowerOff()
	n.Antenna.Move(lorasim.Position{X: -1}) // where the other router is
	n.Restart()
	m.Until(20*time.Second, "child of another", func() bool {
		return n.Role() == thread.RoleChild && n.RLOC16().RouterID() == m.Nodes[0].RLOC16().RouterID()
	})
	m.Run(10 * time.Second)
	pingAll(t, m, time.Second)
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
			child := m.Add(1, lorasim.Position{X: 4}, func(c *thread.Config) {
				if tt.change != nil {
					tt.change(c)
				}
				c.Mode = thread.ModeMinimalEndDevice
			})
			child.Start()
			m.Until(5*time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			for _, n := range m.Nodes {
				n.PowerOff()
			}
			m.Run(time.Hour)
			for _, n := range m.Nodes {
				n.Restart()
			}
			m.Until(tt.limit, "one mesh", m.OneMesh)
			m.Run(5 * time.Minute)
			m.Until(tt.limit, "still one mesh", m.OneMesh)
			checkRLOCs(t, m)
			pingAll(t, m, tt.ping)
		})
	}
}

// TestStopStart leaves and comes back without a new engine.
func TestStopStart(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	child := m.Add(1, lorasim.Position{X: 3}, minimal)
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	for _, n := range []*meshtest.Node{m.Nodes[2], child, m.Nodes[0]} {
		n.Stop()
		if n.Role() != thread.RoleDisabled {
			t.Errorf("role %v", n.Role())
		}
		m.Run(5 * time.Second)
		n.Start()
		m.Until(time.Minute, "back", func() bool { return n.Role() >= thread.RoleChild })
		m.Run(10 * time.Second)
	}
	m.Until(time.Minute, "one mesh", m.OneMesh)
	m.Run(time.Minute)
	checkRLOCs(t, m)
	pingAll(t, m, time.Second)
}
