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

// Nine nodes have power again within two seconds, of which eight hear the ninth alone: that one founds the partition, whenever it is switched on.
func TestStarForms(t *testing.T) {
	founded := 0
	for seed := range uint64(6) {
		m := meshtest.New(t, lorasim.Options{Seed: seed, Propagation: lorasim.LinksOnly})
		for range 9 {
			m.Add(seed, lorasim.Position{}, nil)
		}
		for _, n := range m.Nodes[1:] {
			m.Sim.SetLink(m.Nodes[0].Antenna, n.Antenna, -100)
		}
		m.StartEach(200 * time.Millisecond)
		led := map[*meshtest.Node]bool{}
		m.Until(4*time.Minute, "one mesh", func() bool {
			for _, n := range m.Nodes {
				if n.Role() == thread.RoleLeader {
					led[n] = true
				}
			}
			return m.OneMesh()
		})
		founded += len(led)
	}
	if founded > 12 {
		t.Errorf("%d partitions were founded in 6 stars", founded)
	}
}

// Of twenty in a cell half find a place with the first router, which says that it has no other one: those who have one become routers at once.
func TestFullRouter(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 2, Propagation: lorasim.Uniform(-100)})
	for range 20 {
		m.Add(2, lorasim.Position{}, nil)
	}
	m.StartEach(100 * time.Millisecond)
	full := func() bool {
		for _, n := range m.Nodes {
			if n.Role() == thread.RoleLeader && len(n.Neighbors()) >= thread.DefaultMaxChildren {
				return true
			}
		}
		return false
	}
	m.Until(time.Minute, "a full router", full)
	m.Until(20*time.Second, "another router", func() bool { return m.Count(thread.RoleRouter) > 0 })
	m.Until(2*time.Minute, "one mesh", m.OneMesh)
}

// A Link Request that is not answered is repeated, with the same challenge, while it is open; so is the one in an answer.
func TestLinkRequestAgain(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 1})
	n := m.Add(1, lorasim.Position{}, nil)
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	m.Run(10 * time.Second)
	p := m.AddPeer(9, lorasim.Position{})
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	solicit(t, m, p, n)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(p, n, meshtest.Challenge(1)))
	answer := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), 2*time.Second)
	m.Run(9 * time.Second)
	again := p.Answers(mle.LinkRequest, n.ExtAddr())
	if len(again) != 2 {
		t.Fatalf("asked %d times more, want 2", len(again))
	}
	for _, r := range again {
		if must(r.Challenge()) != must(answer.Challenge()) {
			t.Errorf("another challenge: %+v", r)
		}
	}
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkAccept(p, n, must(answer.Challenge())))
	m.Until(time.Second, "link", func() bool { return routersOf(n)[p.RLOC16].LinkEstablished })
	m.Run(20 * time.Second)
	if got := len(p.Answers(mle.LinkRequest, n.ExtAddr())); got != 2 {
		t.Errorf("asked %d times more though there is a link", got-2)
	}
}
