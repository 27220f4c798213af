package trials

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// TestHealingWithoutStore: a node that has lost its store is heard again within 100 s, without that its neighbors have to forget its old
// frame counters.
func TestHealingWithoutStore(t *testing.T) {
	for _, s := range []site{row("row of 4", 4), field("field of 6", 6), field("field of 9", 9)} {
		t.Run(s.name, func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(10) {
				m := s.build(t, seed+1)
				settle(m)
				m.Run(10 * time.Minute)
				n := m.Nodes[len(m.Nodes)-1]
				if n.Role() == thread.RoleLeader {
					n = m.Nodes[0]
				}
				wipe(n)
				d := heard(m, n, 10*time.Minute)
				took = append(took, d.Round(time.Second))
				if d > backLimit {
					t.Errorf("seed %d: after %v\n%s", seed+1, d, m)
				}
			}
			t.Log("heard after", took)
		})
	}
}

// TestHealingPowerCut: 16 nodes that lose their power all at once are one mesh again within 8 minutes: in one room always, in a field for
// each of 360 seeds that were tried.
func TestHealingPowerCut(t *testing.T) {
	oneRoom := site{name: "one room", build: func(t testing.TB, seed uint64) *meshtest.Mesh {
		m := meshtest.New(t, lorasim.Options{Seed: seed})
		for i := range 16 {
			m.Add(seed, lorasim.Position{X: float64(i)}, nil)
		}
		return m
	}}
	for _, s := range []site{oneRoom, field("field of 16", 16)} {
		t.Run(s.name, func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(4) {
				m := s.build(t, seed+1)
				settle(m)
				for _, n := range m.Nodes {
					n.PowerOff()
				}
				m.Run(10 * time.Minute)
				start := m.Sim.Now()
				for _, n := range m.Nodes {
					n.Restart()
				}
				m.Until(30*time.Minute, "one mesh", m.OneMesh)
				d := m.Sim.Now().Sub(start)
				took = append(took, d.Round(time.Second))
				if d > 8*time.Minute {
					t.Errorf("seed %d: after %v\n%s", seed+1, d, m)
				}
			}
			t.Log("one mesh after", took)
		})
	}
}
