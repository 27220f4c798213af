package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

func TestTimingForMeshes(t *testing.T) {
	for sf := lora.SF6; sf <= lora.SF12; sf++ {
		for _, bw := range []lora.Bandwidth{lora.BW125, lora.BW250, lora.BW500} {
			t.Run(fmt.Sprint(sf, bw), func(t *testing.T) {
				cfg := lora.Config{SpreadingFactor: sf, Bandwidth: bw}
				timing := thread.TimingFor(cfg.Airtime)
				slow := time.Duration(max(float64(cfg.Airtime(127))/float64(lora.Config{SpreadingFactor: 8}.Airtime(127)), 1) * float64(time.Second))
				began := time.Now()
				m := chain(t, lorasim.Options{Seed: 3, Config: cfg}, 4, func(c *thread.Config) { c.Timing = timing })
				for _, n := range m.nodes {
					n.start()
				}
				m.until(900*slow, "one mesh of routers", func() bool { return m.oneMesh() && m.count(thread.RoleRouter) == 3 })
				formed := m.sim.Now()
				m.run(60 * slow)
				at := m.nodes[1].antenna.Stats()
				m.run(time.Hour)
				idle := m.nodes[1].antenna.Stats().Airtime - at.Airtime
				res := ""
				for _, size := range []int{8, 200, 1000} {
					lost := 0
					var sum time.Duration
					for range 5 {
						d, ok := m.nodes[0].ping(m.nodes[3].MeshLocalEID(), size, 120*slow)
						if !ok {
							lost++
						}
						sum += d
						m.run(20*slow)
					}
					res += fmt.Sprintf(" %d: %v lost %d;", size, (sum / 5).Round(time.Millisecond), lost)
				}
				t.Log(slow, formed.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), "idle/h", idle, res, time.Since(began))
			})
		}
	}
}
