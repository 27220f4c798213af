package thread_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// TestNeighborEventsBalance: over restarts and outages, what was added is removed before it is added again, and what is
// there at the end is what Neighbors tells of a router.
func TestNeighborEventsBalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 0))
	m := meshtest.New(t, ideal())
	children, routers := map[int]map[ieee802154.ExtAddr]bool{}, map[int]map[ieee802154.ExtAddr]bool{}
	for i := range 6 {
		m.Add(uint64(i+1), lorasim.Position{X: float64(100 * i)}, func(c *thread.Config) {
			stock(c)
			c.EndDevice = i%3 == 2
		})
		children[i], routers[i] = map[ieee802154.ExtAddr]bool{}, map[ieee802154.ExtAddr]bool{}
	}
	read := func() {
		t.Helper()
		for i, n := range m.Nodes {
			for {
				ev, ok := n.PollEvent()
				if !ok {
					break
				}
				table, adds := children[i], false
				switch ev.Type {
				case thread.EventChildAdded:
					adds = true
				case thread.EventChildRemoved:
				case thread.EventNeighborAdded:
					table, adds = routers[i], true
				case thread.EventNeighborRemoved:
					table = routers[i]
				default:
					continue
				}
				if table[ev.ExtAddr] == adds {
					t.Fatalf("node %d: %v %v at %v", i+1, ev.Type, ev.ExtAddr, ev.Time)
				}
				table[ev.ExtAddr] = adds
			}
		}
	}
	m.StartEach(time.Second)
	for range 40 {
		m.Run(time.Duration(rng.IntN(300)) * time.Second)
		read()
		n := m.Nodes[rng.IntN(len(m.Nodes))]
		switch rng.IntN(3) {
		case 0:
			n.Stop()
			m.Run(time.Duration(rng.IntN(200)) * time.Second)
			read()
			n.Start()
		case 1:
			n.Antenna.SetStation(nil) // deaf and mute
			m.Run(time.Duration(rng.IntN(200)) * time.Second)
			read()
			n.Antenna.SetStation(n.Engine)
			n.Antenna.Touch()
		}
	}
	m.Run(10 * time.Minute)
	read()
	for i, n := range m.Nodes {
		if n.Role() == thread.RoleChild {
			continue // Neighbors tells the parent alone, events all links
		}
		now := map[ieee802154.ExtAddr]bool{}
		for _, info := range n.Neighbors() {
			now[info.ExtAddr] = true
		}
		for _, table := range []map[ieee802154.ExtAddr]bool{children[i], routers[i]} {
			for ext, there := range table {
				if there && !now[ext] {
					t.Errorf("node %d: events leave %v, which is no neighbor", i+1, ext)
				}
				if there {
					delete(now, ext)
				}
			}
		}
		if len(now) > 0 {
			t.Errorf("node %d: neighbors without an event: %v", i+1, now)
		}
	}
}
