package trials

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// TestFragments pings from one end of a row to the other with datagrams of many fragments, and measures how many are answered. Nobody on the
// way puts datagrams together: a fragment that is lost for good loses its datagram.
func TestFragments(t *testing.T) {
	seeds, pings, long := 1, 10, false
	if os.Getenv("PYMESH_FRAGMENTS") != "" {
		seeds, pings, long = 10, 60, true
	}
	for _, tt := range []struct {
		name        string
		nodes, size int
		limit       time.Duration
		least       float64 // share of answers
		long        bool    // takes long
	}{
		{"200 bytes over three hops", 4, 200, 30 * time.Second, 0.995, false},
		{"1000 bytes over three hops", 4, 1000, 90 * time.Second, 0.98, false},
		{"1000 bytes over two hops", 3, 1000, 90 * time.Second, 0.98, true},
		{"1000 bytes over seven hops", 8, 1000, 3 * time.Minute, 0.9, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && !long {
				t.Skip("set PYMESH_FRAGMENTS=1")
			}
			var surveys []fields.Survey
			for seed := range uint64(seeds) {
				surveys = append(surveys, pingRow(t, tt.nodes, pings, tt.size, tt.limit, seed+1, nil))
			}
			sum := fields.Summarize(surveys...)
			t.Log(&sum)
			if sum.Answered() < tt.least {
				t.Errorf("too few are answered: %v", &sum)
			}
		})
	}
}

// pingRow has a row of nodes, and pings from end to end, one after the other.
func pingRow(t testing.TB, nodes, pings, size int, limit time.Duration, seed uint64, change func(*thread.Config)) (s fields.Survey) {
	m := meshtest.New(t, lorasim.Options{Seed: seed, Propagation: fields.Within(fields.Reach, fields.Signal)})
	r := rand.New(rand.NewPCG(seed, 5))
	start := m.Sim.Now()
	for _, p := range fields.Chain(nodes) {
		n := m.Add(seed, p, change)
		m.Sim.After(time.Duration(r.Int64N(int64(time.Minute))), n.Start)
	}
	m.Run(time.Minute)
	m.Until(time.Hour, "one mesh", m.OneMesh)
	s.Formed = m.Sim.Now().Sub(start)
	m.Run(2 * time.Minute)
	start = m.Sim.Now()
	before := make([]lorasim.Stats, nodes)
	for i, n := range m.Nodes {
		before[i] = n.Antenna.Stats()
	}
	for number := range uint16(pings) {
		took, ok := askFor(m, m.Nodes[0], m.Nodes[nodes-1].MeshLocalEID(), number, size, limit)
		if !ok {
			took = 0
		}
		s.Asks = append(s.Asks, fields.Ask{To: nodes - 1, Took: took})
		m.Run(5 * time.Second)
	}
	s.Measured = m.Sim.Now().Sub(start)
	for i, n := range m.Nodes {
		s.Nodes = append(s.Nodes, fields.NodeSurvey{Role: n.Role(), Stats: n.Antenna.Stats().Since(before[i])})
	}
	return s
}
