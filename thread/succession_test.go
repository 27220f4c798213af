package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestSuccession: a router takes over from a leader that is lost; the others keep their router IDs, and all stay one mesh in which each reaches each.
func TestSuccession(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 3})
	for i := range 9 {
		m.Add(9, lorasim.Position{X: float64(i % 3), Y: float64(i / 3)}, nil)
	}
	m.StartEach(time.Second)
	m.Until(20*time.Minute, "one mesh", m.OneMesh)
	m.Run(20 * time.Minute)

	var rest []*meshtest.Node
	routers := map[*meshtest.Node]mle.RLOC16{}
	for _, n := range m.Nodes {
		switch n.Role() {
		case thread.RoleLeader:
			n.PowerOff()
			continue
		case thread.RoleRouter:
			routers[n] = n.RLOC16()
		}
		rest = append(rest, n)
	}
	old, _ := rest[0].Leader()
	partition := func() (id uint32, one bool) {
		for i, n := range rest {
			l, ok := n.Leader()
			if !ok || l.PartitionID == old.PartitionID || i > 0 && l.PartitionID != id {
				return 0, false
			}
			id = l.PartitionID
		}
		return id, true
	}
	m.Until(210*time.Second, "another leader", func() bool { _, one := partition(); return one })
	kept := 0
	for n, rloc := range routers {
		if n.RLOC16() == rloc {
			kept++
		}
	}
	if len(routers) < 2 || kept < len(routers)-1 {
		t.Errorf("%d of %d routers have kept their IDs", kept, len(routers))
	}

	first, _ := partition()
	m.Run(20 * time.Minute) // IDs of routers without a way to them are taken back meanwhile
	if id, one := partition(); !one || id != first {
		t.Errorf("partition %#x, one: %v; it was %#x", id, one, first)
	}
	at := map[mle.RLOC16]bool{}
	for i, n := range rest {
		if at[n.RLOC16()] {
			t.Errorf("two nodes have the address %v", n.RLOC16())
		}
		at[n.RLOC16()] = true
		to := rest[(i+3)%len(rest)]
		if _, ok := n.Ping(to.MeshLocalEID(), 16, 20*time.Second); !ok {
			t.Errorf("no reply from %v to %v", to.RLOC16(), n.RLOC16())
		}
	}
}
