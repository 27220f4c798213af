package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// TestPrefixOnLoRa: on LoRa at SF7 a prefix reaches 16 nodes of a 4 × 4 grid within 60 s, wherever the border router stands, and each sends
// to the outside by it.
func TestPrefixOnLoRa(t *testing.T) {
	const spacing = 400 // meters: next to each other they hear each other well
	m := meshtest.New(t, lorasim.Options{Seed: 4})
	for i := range 16 {
		m.Add(4, lorasim.Position{X: float64(i%4) * spacing, Y: float64(i/4) * spacing}, nil)
	}
	m.StartEach(5 * time.Second)
	m.Until(time.Hour, "one mesh of routers", func() bool { return m.OneMesh() && m.Count(thread.RoleRouter) == 15 })
	m.Run(10 * time.Minute)
	for _, i := range []int{0, 5, 15} {
		n := m.Nodes[i]
		start := m.Sim.Now()
		offer(t, m, n, borderRouter(cafe, 0))
		m.Until(time.Minute, "addresses", func() bool { return allHave(m, cafe) })
		t.Logf("node %d, %v: all have an address after %v", i+1, n.Role(), m.Sim.Now().Sub(start))
		m.Run(time.Minute)
		out := 0
		for _, from := range m.Nodes {
			for range 8 { // a LoRa mesh loses datagrams
				from.Send(udp(from, outside, "x"))
				m.Run(15 * time.Second)
				if len(forwarded(n)) > 0 {
					out++
					break
				}
			}
		}
		if out != 16 {
			t.Errorf("node %d: %d of 16 reach the outside\n%s", i+1, out, m)
		}
		withdraw(t, m, n, cafe)
		m.Until(2*time.Minute, "no addresses", func() bool { return noneHas(m, cafe) })
		m.Run(time.Minute)
	}
}
