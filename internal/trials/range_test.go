package trials

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// TestRange has rows of four whose links are so much above what the radio can receive at its spreading factor, and pings between random
// nodes of them, with pauses that suit: a mesh reaches as far as its radios.
func TestRange(t *testing.T) {
	seeds, pings := 1, 20
	if os.Getenv("PYMESH_RANGE") != "" {
		seeds, pings = 10, 100
	}
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF9, lora.SF10, lora.SF12} {
		t.Run(sf.String(), func(t *testing.T) {
			var sum survey
			for seed := range uint64(seeds) {
				sum.add(surveyRange(t, sf, 3, pings, seed+1))
			}
			t.Log(&sum)
			if len(sum.formed) < sum.meshes || float64(len(sum.trips)) < 0.95*float64(sum.asked) {
				t.Errorf("too few are one mesh, or are answered: %v", &sum)
			}
		})
	}
}

// surveyRange has a row of four with links a few dB above the sensitivity.
func surveyRange(t testing.TB, sf lora.SpreadingFactor, above float64, pings int, seed uint64) survey {
	cfg := lora.Config{SpreadingFactor: sf}
	stretch := max(float64(cfg.Airtime(127))/float64(lora.Config{}.Airtime(127)), 1)
	slow := func(d time.Duration) time.Duration { return time.Duration(stretch * float64(d)) }
	m := meshtest.New(t, lorasim.Options{Seed: seed, Config: cfg, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > fieldReach {
			return math.Inf(-1)
		}
		return cfg.Sensitivity() + above
	}})
	r := rand.New(rand.NewPCG(seed, 5))
	start := m.Sim.Now()
	for _, p := range places(t, "chain4", seed) {
		n := m.Add(seed, p, func(c *thread.Config) {
			c.Timing = thread.TimingFor(cfg.Airtime)
			c.Timing.SetSensitivity(cfg.Sensitivity())
		})
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), n.Start)
	}
	s := survey{meshes: 1}
	if m.Sim.RunUntil(m.OneMesh, slow(time.Hour)) {
		s.formed = []time.Duration{m.Sim.Now().Sub(start)}
	}
	m.Run(slow(2 * time.Minute))
	before, start := m.Sim.Stats().Airtime, m.Sim.Now()
	for number := range uint16(pings) {
		i, j := r.IntN(len(m.Nodes)), r.IntN(len(m.Nodes)-1)
		if j >= i {
			j++
		}
		s.asked++
		next := m.Sim.Now().Add(slow(20 * time.Second))
		if trip, ok := echo(m, m.Nodes[i], m.Nodes[j].MeshLocalEID(), number, 16, slow(20*time.Second)); ok {
			s.trips = append(s.trips, trip)
		}
		m.Run(max(next.Sub(m.Sim.Now()), 0))
	}
	s.air = float64(m.Sim.Stats().Airtime-before) / float64(m.Sim.Now().Sub(start))
	return s
}
