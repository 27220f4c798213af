package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// row returns nodes that hear the one before and the one after, switched on one after the other; the ends of a ring hear each other.
func row(t *testing.T, n int, ring bool, watch func(lorasim.Transmission)) *meshtest.Mesh {
	t.Helper()
	m := meshtest.New(t, lorasim.Options{Seed: 1, Propagation: lorasim.LinksOnly, Watch: watch})
	for i := range n {
		m.Add(1, lorasim.Position{}, nil)
		if i > 0 {
			m.Sim.SetLink(m.Nodes[i-1].Antenna, m.Nodes[i].Antenna, -100)
		}
	}
	if ring {
		m.Sim.SetLink(m.Nodes[n-1].Antenna, m.Nodes[0].Antenna, -100)
	}
	m.StartEach(20 * time.Second)
	m.Until(30*time.Minute, "one mesh", m.OneMesh)
	m.Run(10 * time.Minute)
	return m
}

// enough has a node believe that there are routers enough.
func enough(c *thread.Config) { c.RouterUpgradeThreshold = 1 }

// A child that hears enough routers becomes one all the same if two of them are far from each other without it.
func TestChildShortensWays(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hears []int // places in a ring of eight
		want  thread.Role
	}{
		{"three in a row", []int{0, 1, 2}, thread.RoleChild},
		{"two that are opposite of each other", []int{0, 1, 4}, thread.RoleRouter},
	} {
		m := row(t, 8, true, nil)
		if got := routersIn(m); got != 8 {
			t.Fatalf("%d routers in the ring", got)
		}
		x := m.Add(9, lorasim.Position{}, enough)
		for _, i := range tt.hears {
			m.Sim.SetLink(x.Antenna, m.Nodes[i].Antenna, -100)
		}
		x.Start()
		m.Run(time.Hour)
		if got := x.Role(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A child sends over the router beside it that has the shortest way, whoever its parent is.
func TestNearerRouter(t *testing.T) {
	var x *meshtest.Node
	var first []mle.RLOC16 // hops of what x has sent
	m := row(t, 5, false, func(tr lorasim.Transmission) {
		f, err := ieee802154.ParseFrame(tr.Packet)
		if err == nil && x != nil && tr.From == x.Antenna.ID() && f.Type == ieee802154.Data && !f.Dst.IsBroadcast() && f.Src.Mode == ieee802154.AddrModeShort {
			first = append(first, mle.RLOC16(f.Dst.Short))
		}
	})
	x = m.Add(9, lorasim.Position{}, enough)
	m.Sim.SetLink(x.Antenna, m.Nodes[2].Antenna, -100)
	x.Start()
	m.Until(10*time.Minute, "a parent", func() bool { return x.Role() == thread.RoleChild })
	for _, i := range []int{1, 3} {
		m.Sim.SetLink(x.Antenna, m.Nodes[i].Antenna, -100)
	}
	m.Run(time.Hour)
	if x.Role() != thread.RoleChild || x.RLOC16().RouterID() != m.Nodes[2].RLOC16().RouterID() {
		t.Fatalf("%v of %v", x.Role(), x.RLOC16())
	}
	for to, next := range map[int]int{0: 1, 4: 3} {
		for range 4 { // the router must have heard of x from its parent
			first = nil
			if _, ok := x.Ping(m.Nodes[to].MeshLocalEID(), 16, 20*time.Second); !ok {
				t.Errorf("no reply from node %d", to)
			}
			m.Run(6 * time.Minute)
		}
		if want := m.Nodes[next].RLOC16(); len(first) != 1 || first[0] != want {
			t.Errorf("to node %d over %v, want %v", to, first, want)
		}
	}
}
