package trials

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
)

// TestFragments pings from one end of a row of four to the other, over three hops, with datagrams of many fragments, and measures how many
// are answered. Nobody forwards whole datagrams: a fragment that is lost for good loses its datagram.
func TestFragments(t *testing.T) {
	seeds, pings := 2, 10
	if os.Getenv("PYMESH_FRAGMENTS") != "" {
		seeds, pings = 10, 60
	}
	for _, tt := range []struct {
		name  string
		size  int
		limit time.Duration
		least float64 // share of answers
	}{{"200 bytes", 200, 30 * time.Second, 0.95}, {"1000 bytes", 1000, 90 * time.Second, 0.9}} {
		t.Run(tt.name, func(t *testing.T) {
			var s survey
			for seed := range uint64(seeds) {
				m := fieldOf(t, "chain4", seed+1)
				first, last := m.Nodes[0], m.Nodes[3]
				before, start := m.Sim.Stats().Airtime, m.Sim.Now()
				for number := range uint16(pings) {
					s.asked++
					if trip, ok := echo(m, first, last.MeshLocalEID(), number, tt.size, tt.limit); ok {
						s.trips = append(s.trips, trip)
					}
					m.Run(5 * time.Second)
				}
				s.air += float64(m.Sim.Stats().Airtime-before) / float64(m.Sim.Now().Sub(start))
				s.meshes++
			}
			t.Log(&s)
			if float64(len(s.trips)) < tt.least*float64(s.asked) {
				t.Error("too few are answered")
			}
		})
	}
}

// fieldOf returns a field whose nodes are one mesh.
func fieldOf(t testing.TB, name string, seed uint64) *meshtest.Mesh {
	m := meshtest.New(t, lorasim.Options{Seed: seed, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > fieldReach {
			return math.Inf(-1)
		}
		return fieldSignal
	}})
	r := rand.New(rand.NewPCG(seed, 5))
	for _, p := range places(t, name, seed) {
		n := m.Add(seed, p, nil)
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), n.Start)
	}
	m.Until(time.Hour, "one mesh", m.OneMesh)
	m.Run(2 * time.Minute)
	return m
}
