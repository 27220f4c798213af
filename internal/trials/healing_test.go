package trials

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// TestHealingWithoutStore: a node that has lost its store is heard again once its neighbors have forgotten its old frame counters.
func TestHealingWithoutStore(t *testing.T) {
	for _, s := range []site{row("row of 4", 4), field("field of 6", 6), field("field of 9", 9)} {
		t.Run(s.name, func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(5) {
				m := s.build(t, seed+1)
				settle(m)
				m.Run(10 * time.Minute)
				from, to := m.Nodes[len(m.Nodes)-1], m.Nodes[0]
				if from.Role() == thread.RoleLeader {
					from, to = to, from
				}
				wipe(from)
				d, _ := heardWithin(m, from, to.MeshLocalEID(), 10*time.Minute)
				took = append(took, d.Round(time.Second))
				if d > backLimit {
					t.Errorf("seed %d: after %v\n%s", seed+1, d, m)
				}
			}
			t.Log("heard after", took)
		})
	}
}

// TestHealingPowerCut: 16 nodes that lose their power all at once are one mesh again within 8 minutes.
func TestHealingPowerCut(t *testing.T) {
	for seed := range uint64(3) {
		m := field("field of 16", 16).build(t, seed+1)
		settle(m)
		for _, n := range m.Nodes {
			n.PowerOff()
		}
		m.Run(10 * time.Minute)
		start := m.Sim.Now()
		for _, n := range m.Nodes {
			n.Restart()
		}
		m.Until(20*time.Minute, "one mesh", m.OneMesh)
		d := m.Sim.Now().Sub(start)
		t.Logf("seed %d: one mesh after %v", seed+1, d.Round(time.Second))
		if d > 8*time.Minute {
			t.Errorf("seed %d: one mesh after %v\n%s", seed+1, d, m)
		}
	}
}
