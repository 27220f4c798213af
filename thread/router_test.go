package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// routersOf lists what a node knows of the routers, by RLOC16.
func routersOf(n *meshtest.Node) map[mle.RLOC16]thread.RouterInfo {
	r := map[mle.RLOC16]thread.RouterInfo{}
	for _, info := range n.Routers() {
		r[info.RLOC16] = info
	}
	return r
}

// TestUpgrade makes as many routers as the threshold asks for, and no more.
func TestUpgrade(t *testing.T) {
	for _, threshold := range []int{1, 3, 5} {
		m := meshtest.New(t, ideal())
		for range 8 {
			m.Add(uint64(threshold), lorasim.Position{}, func(c *thread.Config) { stock(c); c.RouterUpgradeThreshold = threshold })
		}
		for _, n := range m.Nodes {
			n.Start()
			m.Run(2 * time.Second)
		}
		m.Run(10 * time.Minute)
		if got := m.Count(thread.RoleRouter) + m.Count(thread.RoleLeader); got != threshold || !m.OneMesh() {
			t.Errorf("%d routers, want %d\n%s", got, threshold, m)
		}
		for _, n := range m.Nodes {
			if got := len(n.Routers()); got != threshold {
				t.Errorf("%v knows of %d routers, want %d", n.RLOC16(), got, threshold)
			}
		}
		pingAll(t, m, time.Second)
	}
}

// TestUpgradeDelay waits a random time of up to the jitter before the first Address Solicit.
func TestUpgradeDelay(t *testing.T) {
	shortest, longest := time.Hour, time.Duration(0)
	for seed := range uint64(20) {
		m := meshtest.New(t, ideal())
		a, b := m.Add(seed, lorasim.Position{}, stock), m.Add(seed, lorasim.Position{}, stock)
		a.Start()
		m.Until(time.Minute, "leader", func() bool { return a.Role() == thread.RoleLeader })
		b.Start()
		m.Until(time.Minute, "child", func() bool { return b.Role() == thread.RoleChild })
		since := m.Sim.Now()
		m.Until(125*time.Second, "router", func() bool { return b.Role() == thread.RoleRouter })
		d := m.Sim.Now().Sub(since)
		shortest, longest = min(shortest, d), max(longest, d)
	}
	if shortest > 30*time.Second || longest < 90*time.Second || shortest < time.Second {
		t.Errorf("upgrades after %v to %v, want 1 s to 120 s", shortest, longest)
	}
}

// TestDowngrade gives up surplus routers, whose IDs the leader takes back.
func TestDowngrade(t *testing.T) {
	const count, limit = 11, 9
	m := meshtest.New(t, lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true, Propagation: lorasim.LinksOnly})
	for range count {
		n := m.Add(4, lorasim.Position{}, func(c *thread.Config) {
			stock(c)
			c.RouterUpgradeThreshold, c.RouterDowngradeThreshold = 1, limit
		})
		for _, other := range m.Nodes[:len(m.Nodes)-1] {
			m.Sim.SetLink(n.Antenna, other.Antenna, -50)
		}
	}
	// Nobody becomes a router without need: the need is an end device in reach of that node alone.
	routers := m.Nodes
	for i, n := range routers {
		n.Start()
		m.Until(time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
		if i == 0 {
			continue
		}
		need := m.Add(4, lorasim.Position{}, endDevice)
		m.Sim.SetLink(n.Antenna, need.Antenna, -50)
		need.Start()
		m.Until(time.Minute, "child", func() bool { return need.Role() == thread.RoleChild })
		need.PowerOff()
		m.Nodes = routers
		if n.Role() != thread.RoleRouter {
			t.Fatal(m)
		}
	}
	m.Run(10 * time.Minute)
	if got := m.Count(thread.RoleRouter) + 1; got != limit || !m.OneMesh() {
		t.Errorf("%d routers, want %d\n%s", got, limit, m)
	}
	for _, n := range m.Nodes {
		if got := len(n.Routers()); got != limit {
			t.Errorf("%v knows of %d routers, want %d", n.RLOC16(), got, limit)
		}
	}
	pingAll(t, m, time.Second)
}

// TestLinks establishes mutual links between all routers in range, and none beyond.
func TestLinks(t *testing.T) {
	m := steady(t, ideal(), 4, stock)
	for i, a := range m.Nodes {
		neighbors := a.Neighbors()
		want := 2
		if i == 0 || i == len(m.Nodes)-1 {
			want = 1
		}
		if len(neighbors) != want {
			t.Errorf("node %d has neighbors %+v, want %d", i+1, neighbors, want)
		}
		for _, n := range neighbors {
			// -80 dBm over a sensitivity of -100 dBm: 20 dB are just not enough for quality 3.
			if n.Role != thread.RoleRouter || n.LinkQualityIn != 2 || n.LinkQualityOut != 2 || n.RSSI != -80 || n.LastRSSI != -80 {
				t.Errorf("node %d: %+v", i+1, n)
			}
		}
		for k, b := range m.Nodes {
			r, ok := routersOf(a)[b.RLOC16()]
			distance := max(i-k, k-i)
			switch {
			case !ok:
				t.Errorf("node %d does not know router %d", i+1, k+1)
			case (distance == 1) != r.LinkEstablished:
				t.Errorf("node %d: link to %d: %v", i+1, k+1, r.LinkEstablished)
			case distance >= 2:
				toward := m.Nodes[i+(k-i)/distance]
				if r.NextHop != toward.RLOC16().RouterID() || int(r.PathCost) != 2*(distance-1) {
					t.Errorf("node %d to %d: %+v, want by %v at cost %d", i+1, k+1, r, toward.RLOC16(), 2*(distance-1))
				}
			}
		}
	}
}

// TestRoute64 reads what routers advertise: link qualities and route costs.
func TestRoute64(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	ear := m.AddPeer(9, lorasim.Position{X: 1})
	m.Sim.SetLink(ear.Antenna, m.Nodes[0].Antenna, -80)
	m.Run(time.Minute)
	ids := [3]mle.RouterID{m.Nodes[0].RLOC16().RouterID(), m.Nodes[1].RLOC16().RouterID(), m.Nodes[2].RLOC16().RouterID()}
	link := func(cost uint8) mle.Route { return mle.Route{LinkQualityIn: 2, LinkQualityOut: 2, Cost: cost} }
	self := mle.Route{Cost: 1}
	for i, want := range [3][3]mle.Route{
		{self, link(2), {Cost: 4}},
		{link(2), self, link(2)},
		{{Cost: 4}, link(2), self},
	} {
		adverts := ear.Find(mle.Advertisement, m.Nodes[i].ExtAddr())
		if i == 2 && len(adverts) == 0 {
			t.Fatal("nothing heard")
		}
		route := must(adverts[len(adverts)-1].Route64())
		if route.Routers.Len() != 3 {
			t.Errorf("node %d: %d routers", i+1, route.Routers.Len())
		}
		for k, w := range want {
			if got := route.Routes[ids[k]]; got != w {
				t.Errorf("node %d advertises %+v for node %d, want %+v", i+1, got, k+1, w)
			}
		}
	}
}

// TestAdvertisementTrickle sends Advertisements ever more rarely, from 1 s to 32 s, and often again after a change (RFC 6206).
func TestAdvertisementTrickle(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	ear := m.AddPeer(9, lorasim.Position{})
	m.Run(10 * time.Minute)
	from := m.Nodes[0].ExtAddr()
	adverts := ear.Find(mle.Advertisement, from)
	for i := 5; i < len(adverts); i++ {
		if gap := adverts[i].At.Sub(adverts[i-1].At); gap < 16*time.Second || gap > 48*time.Second {
			t.Errorf("%v between Advertisements", gap)
		}
	}
	// The router ID sequence moves on every 10 s.
	first, last := adverts[0], adverts[len(adverts)-1]
	steps := must(last.Route64()).IDSequence - must(first.Route64()).IDSequence
	if want := last.At.Sub(first.At) / (10 * time.Second); time.Duration(steps) < want-2-want/10 || time.Duration(steps) > want+1 {
		t.Errorf("%d steps of the router ID sequence in %v", steps, last.At.Sub(first.At))
	}
	third := m.Add(1, lorasim.Position{X: 1}, stock)
	third.Start()
	m.Until(5*time.Minute, "router", func() bool { return third.Role() == thread.RoleRouter })
	before := len(ear.Find(mle.Advertisement, from))
	m.Run(4 * time.Second)
	if got := len(ear.Find(mle.Advertisement, from)) - before; got < 2 {
		t.Errorf("%d Advertisements in 4 s after a change", got)
	}
}

// TestNextHop takes the cheaper of two ways, and changes over when that changes.
func TestNextHop(t *testing.T) {
	//     1
	//   /   \
	//  0     3     0 and 3 do not hear each other
	//   \   /
	//     2
	m := meshtest.New(t, lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true, Propagation: lorasim.LinksOnly})
	for range 4 {
		m.Add(2, lorasim.Position{}, stock)
	}
	link := func(a, b int, rssi float64) { m.Sim.SetLink(m.Nodes[a].Antenna, m.Nodes[b].Antenna, rssi) }
	link(0, 1, -50)
	link(1, 3, -50)
	link(0, 2, -95) // quality 1
	link(2, 3, -50)
	m.StartOneByOne()
	m.Run(2 * time.Minute)
	next := func() mle.RouterID { return routersOf(m.Nodes[0])[m.Nodes[3].RLOC16()].NextHop }
	if got, want := next(), m.Nodes[1].RLOC16().RouterID(); got != want {
		t.Errorf("next hop %v, want %v", got, want)
	}
	pingAll(t, m, time.Second)

	link(0, 2, -50)
	link(0, 1, -95)
	m.Until(5*time.Minute, "the other way", func() bool { return next() == m.Nodes[2].RLOC16().RouterID() })
	pingAll(t, m, time.Second)

	// A direct link that is as good as the best way is preferred.
	link(0, 3, -50)
	m.Until(5*time.Minute, "link", func() bool { return routersOf(m.Nodes[0])[m.Nodes[3].RLOC16()].LinkEstablished })
	m.Run(time.Minute)
	before := m.Nodes[1].Counters().Forwarded + m.Nodes[2].Counters().Forwarded
	m.Nodes[0].Ping(m.Nodes[3].MeshLocalEID(), 8, time.Second)
	if got := m.Nodes[1].Counters().Forwarded + m.Nodes[2].Counters().Forwarded; got != before {
		t.Error("forwarded what a link can carry")
	}
}

// TestNeighborAge drops a link that fell silent for 100 s, and brings it back when it is heard again.
func TestNeighborAge(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	m.Sim.SetLink(a.Antenna, m.Nodes[2].Antenna, -80)
	m.Run(time.Minute)
	m.Sim.CutLink(a.Antenna, b.Antenna)
	linked := func() bool {
		return routersOf(a)[b.RLOC16()].LinkEstablished || routersOf(b)[a.RLOC16()].LinkEstablished
	}
	m.Run(60 * time.Second)
	if !linked() {
		t.Error("link dropped within 60 s")
	}
	m.Until(45*time.Second, "link dropped", func() bool { return !linked() })
	if _, ok := a.Ping(b.MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no way around")
	}
	if !m.OneMesh() {
		t.Error(m)
	}
	m.Sim.RestoreLink(a.Antenna, b.Antenna)
	m.Until(2*time.Minute, "link again", func() bool {
		return routersOf(a)[b.RLOC16()].LinkEstablished && routersOf(b)[a.RLOC16()].LinkEstablished
	})
}

// TestDeadRouter stops using a router after four unacknowledged frames, long before it is too old.
func TestDeadRouter(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	dead := m.Nodes[2]
	eid := dead.MeshLocalEID()
	if _, ok := m.Nodes[0].Ping(eid, 8, time.Second); !ok {
		t.Fatal("no reply")
	}
	dead.PowerOff()
	for range 4 {
		m.Nodes[0].Ping(eid, 8, time.Second)
	}
	if routersOf(m.Nodes[1])[dead.RLOC16()].LinkEstablished {
		t.Errorf("still linked\n%s", m)
	}
	m.Until(5*time.Minute, "router ID released", func() bool { return len(m.Nodes[0].Routers()) == 2 && len(m.Nodes[1].Routers()) == 2 })
}

// TestRouterReturns gives a router that comes back its old ID, without children or links lost.
func TestRouterReturns(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	n := m.Nodes[2]
	old := n.RLOC16()
	n.Config.Store = new(thread.MemoryStore) // as a stranger with a known address
	n.PowerOff()
	m.Run(10 * time.Second)
	n.Restart()
	m.Until(5*time.Minute, "router", func() bool { return n.Role() == thread.RoleRouter })
	if n.RLOC16() != old {
		t.Errorf("RLOC16 %v, had %v: the leader knows the extended address", n.RLOC16(), old)
	}
	m.Run(time.Minute)
	pingAll(t, m, time.Second)
}
