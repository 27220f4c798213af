package trials

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// What all fields have in common: links far above the sensitivity, and far below what listening by strength notices; who is more than
// reach grid units away is not heard at all.
const (
	fieldSignal = -100 // dBm
	fieldReach  = 1.5
	fieldDegree = 6 // mean number of neighbors in a random field
)

// places returns where the nodes of a field stand, in grid units. Its name is a kind and a number: chain8 are 8 nodes in a row, grid4 are
// 4 × 4, all16 are 16 in one cell, rand32 are 32 at random.
func places(t testing.TB, name string, seed uint64) []lorasim.Position {
	digits := strings.IndexAny(name, "0123456789")
	if digits < 0 {
		t.Fatalf("field %q has no number", name)
	}
	n, err := strconv.Atoi(name[digits:])
	if err != nil || n < 2 || n > 64 {
		t.Fatalf("field %q: the number is not 2 to 64", name)
	}
	ps := make([]lorasim.Position, 0, n)
	switch name[:digits] {
	case "chain":
		for i := range n {
			ps = append(ps, lorasim.Position{X: float64(i)})
		}
	case "grid":
		for i := range n * n {
			ps = append(ps, lorasim.Position{X: float64(i % n), Y: float64(i / n)})
		}
	case "all":
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
			ps = append(ps, lorasim.Position{X: cos / 2, Y: sin / 2})
		}
	case "rand":
		r := rand.New(rand.NewPCG(seed, 77))
		side := fieldReach * math.Sqrt(float64(n)*math.Pi/(fieldDegree+1))
		for !connected(ps) || len(ps) == 0 {
			ps = ps[:0]
			for range n {
				ps = append(ps, lorasim.Position{X: side * r.Float64(), Y: side * r.Float64()})
			}
		}
	default:
		t.Fatalf("field %q is no chain, grid, all or rand", name)
	}
	return ps
}

// connected reports whether each place can be reached from each other one.
func connected(ps []lorasim.Position) bool {
	reached := make([]bool, len(ps))
	var todo []int
	if len(ps) > 0 {
		reached[0], todo = true, []int{0}
	}
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		for j := range ps {
			if !reached[j] && ps[i].Distance(ps[j]) <= fieldReach {
				reached[j] = true
				todo = append(todo, j)
			}
		}
	}
	return !slices.Contains(reached, false)
}

// A survey is what one field did, or several together.
type survey struct {
	formed  []time.Duration // those that became one mesh within an hour
	meshes  int
	asked   int
	trips   []time.Duration // of the pings that were answered within 20 s
	air     float64         // airtime of all nodes, as a share of the time
	busiest time.Duration   // airtime of one node in the hour
	routers int
}

// surveyField switches the nodes of a field on within a time, lets them form a mesh, and then has a random one ping another random one each
// 20 seconds for an hour, with 16 bytes.
func surveyField(t testing.TB, name string, seed uint64, over time.Duration) survey {
	const pause = 20 * time.Second
	opt := lorasim.Options{Seed: seed, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > fieldReach {
			return math.Inf(-1)
		}
		return fieldSignal
	}}
	m := meshtest.New(t, opt)
	r := rand.New(rand.NewPCG(seed, 5))
	for _, p := range places(t, name, seed) {
		m.Add(seed, p, nil)
	}
	start := m.Sim.Now()
	for _, n := range m.Nodes {
		m.Sim.After(time.Duration(r.Int64N(int64(over))), n.Start)
	}
	m.Run(over / time.Duration(len(m.Nodes)))
	s := survey{meshes: 1}
	if m.Sim.RunUntil(m.OneMesh, time.Hour) {
		s.formed = []time.Duration{m.Sim.Now().Sub(start)}
	}
	m.Run(2 * time.Minute)

	before := make([]time.Duration, len(m.Nodes))
	for i, n := range m.Nodes {
		before[i] = n.Antenna.Stats().Airtime
	}
	for number := range uint16(time.Hour / pause) {
		i, j := r.IntN(len(m.Nodes)), r.IntN(len(m.Nodes)-1)
		if j >= i {
			j++
		}
		from, to := m.Nodes[i], m.Nodes[j].MeshLocalEID()
		s.asked++
		next := m.Sim.Now().Add(pause)
		if trip, ok := echo(m, from, to, number, 16, pause); ok {
			s.trips = append(s.trips, trip)
		}
		m.Run(max(next.Sub(m.Sim.Now()), 0))
	}
	for i, n := range m.Nodes {
		sent := n.Antenna.Stats().Airtime - before[i]
		s.air += sent.Hours()
		s.busiest = max(s.busiest, sent)
		if n.Role() >= thread.RoleRouter {
			s.routers++
		}
	}
	return s
}

func (s *survey) add(o survey) {
	s.formed = append(s.formed, o.formed...)
	s.meshes += o.meshes
	s.asked += o.asked
	s.trips = append(s.trips, o.trips...)
	s.air += o.air
	s.busiest = max(s.busiest, o.busiest)
	s.routers += o.routers
}

func (s *survey) String() string {
	quantile := func(list []time.Duration, q float64) time.Duration {
		if len(list) == 0 {
			return 0
		}
		slices.Sort(list)
		return list[int(q*float64(len(list)-1))]
	}
	return fmt.Sprintf("formed %d of %d, half of them within %v, the last after %v; answered %.1f %%, round trip %.2f s, for one in twenty over %.1f s; "+
		"air %.1f %%, busiest node %.0f s an hour; %.1f routers",
		len(s.formed), s.meshes, quantile(s.formed, 0.5).Round(time.Second), quantile(s.formed, 1).Round(time.Second),
		100*float64(len(s.trips))/float64(s.asked), quantile(s.trips, 0.5).Seconds(), quantile(s.trips, 0.95).Seconds(),
		100*s.air/float64(s.meshes), s.busiest.Seconds(), float64(s.routers)/float64(s.meshes))
}

// TestFields measures what LoRa meshes at SF7 do: how long they take to form, what they deliver, and for how much of the air. Without
// PYMESH_FIELDS it looks at two small ones, and asserts little.
func TestFields(t *testing.T) {
	names, seeds := strings.Fields(os.Getenv("PYMESH_FIELDS")), 10
	if len(names) == 0 {
		names, seeds = []string{"chain4", "all9"}, 3
	}
	over := time.Minute
	if v := os.Getenv("PYMESH_FIELDS_OVER"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			t.Fatalf("PYMESH_FIELDS_OVER=%s is no time", v)
		}
		over = d
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var sum survey
			for seed := range seeds {
				sum.add(surveyField(t, name, uint64(seed+1), over))
			}
			t.Log(&sum)
			if os.Getenv("PYMESH_FIELDS") == "" && len(sum.formed) < sum.meshes || len(sum.trips) < sum.asked*9/10 {
				t.Errorf("too few are one mesh, or are answered: %v", &sum)
			}
		})
	}
}
