package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// cell returns a mesh of n nodes at SF7, all of which hear each other well.
func cell(t *testing.T, n int, change func(*thread.Timing)) *meshtest.Mesh {
	t.Helper()
	m := meshtest.New(t, lorasim.Options{Seed: 1, Propagation: lorasim.Uniform(-100)})
	for range n {
		m.Add(1, lorasim.Position{}, func(c *thread.Config) {
			c.Timing = thread.TimingPymesh()
			change(&c.Timing)
		})
	}
	m.StartEach(20 * time.Second)
	m.Until(time.Hour, "one mesh", m.OneMesh)
	m.Run(30 * time.Minute)
	return m
}

func routersIn(m *meshtest.Mesh) int { return m.Count(thread.RoleRouter) + m.Count(thread.RoleLeader) }

// TestRouterNeighbors: in a cell nobody becomes a router who hears enough of them; without that rule all do.
func TestRouterNeighbors(t *testing.T) {
	if got := routersIn(cell(t, 10, func(*thread.Timing) {})); got == 10 {
		t.Errorf("all %d nodes are routers", got)
	}
	if got := routersIn(cell(t, 10, func(c *thread.Timing) { c.RouterNeighbors = 0 })); got != 10 {
		t.Errorf("%d of 10 nodes are routers without the rule", got)
	}
}

// TestParentOffers: of the routers in a cell some leave their Parent Response out, after those of others; without that rule none does.
func TestParentOffers(t *testing.T) {
	offers := func(limit int) (sent uint64) {
		m := cell(t, 8, func(c *thread.Timing) { c.RouterNeighbors, c.ParentOffers = 0, limit })
		p := m.AddPeer(20, lorasim.Position{})
		m.Run(time.Second)
		var before uint64
		for _, n := range m.Nodes {
			before += n.Counters().TxUnicast
		}
		p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
		m.Run(6 * time.Second)
		heard := slices.ContainsFunc(m.Nodes, func(n *meshtest.Node) bool { return len(p.Answers(mle.ParentResponse, n.ExtAddr())) > 0 })
		if !heard {
			t.Error("no offer arrives")
		}
		for _, n := range m.Nodes {
			sent += n.Counters().TxUnicast
		}
		return sent - before
	}
	if with, without := offers(2), offers(0); without < 8 || with >= without {
		t.Errorf("%d offers with the rule, %d without", with, without)
	}
}
