package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// ideal is 802.15.4 without loss or collisions.
func ideal() lorasim.Options {
	return lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true}
}

func stock(c *thread.Config) { c.Timing = thread.TimingIEEE802154() }

func TestLeaderAlone(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, nil)
	n.Start()
	m.Run(31 * time.Second)
	if n.Role() != thread.RoleLeader {
		t.Fatalf("role %v\n%s", n.Role(), m)
	}
}

func TestManyNodes(t *testing.T) {
	for _, count := range []int{8, 32, 100} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			m := meshtest.New(t, ideal())
			for range count {
				m.Add(3, lorasim.Position{}, stock)
			}
			for _, n := range m.Nodes {
				n.Start()
			}
			m.Until(30*time.Minute, "one mesh", m.OneMesh)
			m.Run(10 * time.Minute)
			t.Log(m.Sim.Now(), m.Count(thread.RoleRouter), m.Count(thread.RoleChild))
			if !m.OneMesh() {
				t.Error(m)
			}
		})
	}
}
