package thread_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// loraGrid is a grid on LoRa whose nodes hear those beside and diagonal to them.
func loraGrid(t *testing.T, side int, seed uint64) *meshtest.Mesh {
	m := meshtest.New(t, lorasim.Options{Seed: seed, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > 1.5 {
			return -1000
		}
		return -100
	}})
	for i := range side * side {
		m.Add(seed, lorasim.Position{X: float64(i % side), Y: float64(i / side)}, nil)
	}
	m.StartEach(time.Second)
	m.Until(20*time.Minute, "one mesh", m.OneMesh)
	return m
}

// The router in the middle of a grid is lost, over which most ways lead: those around it find that out of each other, children find other parents
// or become the routers that are missing, and the others link to these. After a minute nearly all datagrams arrive again.
func TestLostRouter(t *testing.T) {
	const middle = 4
	asked, answered := 0, 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := loraGrid(t, 3, seed)
			m.Run(25 * time.Minute)
			lost := m.Nodes[middle]
			if lost.Role() != thread.RoleRouter {
				return // the leader has a successor: see TestQuietLeaderLost
			}
			r := rand.New(rand.NewPCG(seed, 1))
			rest := append(append([]*meshtest.Node{}, m.Nodes[:middle]...), m.Nodes[middle+1:]...)
			size := 0
			ping := func(until time.Duration) (n, ok int) {
				for end := m.Sim.Now().Add(until); m.Sim.Now().Before(end); n++ {
					i, j := r.IntN(len(rest)), r.IntN(len(rest)-1)
					if j >= i {
						j++
					}
					size = size%40 + 1
					next := m.Sim.Now().Add(5 * time.Second)
					if rest[i].Role() >= thread.RoleChild { // else it cannot send
						if _, arrived := rest[i].Ping(rest[j].MeshLocalEID(), size, 5*time.Second); arrived {
							ok++
						}
					}
					m.Run(next.Sub(m.Sim.Now()))
				}
				return n, ok
			}
			lost.PowerOff()
			ping(75 * time.Second)
			n, ok := ping(4 * time.Minute)
			asked, answered = asked+n, answered+ok
			t.Logf("%d of %d", ok, n)
		})
	}
	if asked == 0 || 100*answered < 93*asked {
		t.Errorf("%d of %d pings are answered after a router is gone", answered, asked)
	}
}
