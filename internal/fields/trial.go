package fields

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// A Trial is one run of a field: the nodes are switched on, have FormLimit to become one mesh and Settle to become quiet, and are then
// measured for a time, with traffic.
type Trial struct {
	Field Field
	// Seed is the source of all chance.
	Seed uint64
	// Air has everything else about the air. Seed and Propagation are the Trial's and the Field's.
	Air lorasim.Options
	// Over is the time within which the nodes are switched on. Default a minute.
	Over time.Duration
	// FormLimit is how long to wait for one mesh. Default an hour.
	FormLimit time.Duration
	// Settle is how long to wait then. Default two minutes.
	Settle time.Duration
	// Measure is how long to measure. Default an hour.
	Measure time.Duration
	// Traffic is what the nodes do meanwhile.
	Traffic Traffic
	// Change edits the configuration of node i, counted from 0. May be nil.
	Change func(i int, c *thread.Config)
}

func (t Trial) withDefaults() Trial {
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&t.Over, time.Minute}, {&t.FormLimit, time.Hour}, {&t.Settle, 2 * time.Minute}, {&t.Measure, time.Hour}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	t.Air.Seed, t.Air.Propagation = t.Seed, t.Field.Propagation
	return t
}

// A Survey is what one trial showed.
type Survey struct {
	Formed   time.Duration // until all were one mesh for the first time; 0 if they never were
	Measured time.Duration
	Asks     []Ask
	Nodes    []NodeSurvey
	Broken   time.Duration // how long the nodes were not one mesh while they were measured
}

// NodeSurvey is what one node did while it was measured.
type NodeSurvey struct {
	Role  thread.Role // at the end
	Stats lorasim.Stats
}

// Run tries a field. It returns early when ctx ends, with its error.
func Run(ctx context.Context, t Trial) (Survey, error) {
	t = t.withDefaults()
	if len(t.Field.Places) == 0 {
		return Survey{}, fmt.Errorf("field %q has no nodes", t.Field.Name)
	}
	if err := t.Traffic.check(len(t.Field.Places)); err != nil {
		return Survey{}, err
	}
	net := newNet(ctx, t.Air)
	for _, p := range t.Field.Places {
		if err := net.add(t.Seed, p, t.Change); err != nil {
			return Survey{}, err
		}
	}
	r := rand.New(rand.NewPCG(t.Seed, 5))
	s, err := net.form(&t, r)
	if err != nil {
		return s, err
	}
	return s, net.measure(&t, r, &s)
}

// form switches the nodes on and waits until they are one mesh, and quiet.
func (n *Net) form(t *Trial, r *rand.Rand) (s Survey, err error) {
	var failed error
	for _, node := range n.Nodes {
		n.Sim.After(time.Duration(r.Int64N(int64(t.Over))), func() {
			if err := node.start(); err != nil && failed == nil {
				failed = err
			}
		})
	}
	whole, err := n.runUntil(n.Whole, t.Over/time.Duration(len(n.Nodes))+t.FormLimit)
	if whole {
		s.Formed = n.elapsed()
	}
	if err == nil {
		err = n.run(t.Settle)
	}
	if err == nil {
		err = failed
	}
	return s, err
}

// measure lets the nodes work.
func (n *Net) measure(t *Trial, r *rand.Rand, s *Survey) error {
	before := make([]lorasim.Stats, len(n.Nodes))
	for i, node := range n.Nodes {
		before[i] = node.Antenna.Stats()
	}
	begin, broken := n.elapsed(), n.Broken()
	err := n.converse(t.Traffic, r, t.Measure)
	s.Measured, s.Broken, s.Asks = n.elapsed()-begin, n.Broken()-broken, n.questions.asks
	for i, node := range n.Nodes {
		s.Nodes = append(s.Nodes, NodeSurvey{node.Role(), node.Antenna.Stats().Since(before[i])})
	}
	return err
}

// A Summary adds up surveys.
type Summary struct {
	Trials  int
	Formed  []time.Duration // in order; of those that became one mesh
	Asked   int
	Trips   []time.Duration // round trips in order
	Air     float64         // airtime of all nodes of a field as a share of the time, mean
	Busiest time.Duration   // largest airtime of a node, per hour
	Routers float64         // mean number, with leaders
	Broken  time.Duration   // not one mesh while measured, per hour, mean
}

// Summarize adds up surveys.
func Summarize(surveys ...Survey) Summary {
	var sum Summary
	sum.Trials = len(surveys)
	n := float64(len(surveys))
	for i := range surveys {
		s := &surveys[i]
		if s.Formed > 0 {
			sum.Formed = append(sum.Formed, s.Formed)
		}
		sum.Asked += len(s.Asks)
		for _, a := range s.Asks {
			if a.Took > 0 {
				sum.Trips = append(sum.Trips, a.Took)
			}
		}
		hours := s.Measured.Hours()
		for _, node := range s.Nodes {
			sum.Air += node.Stats.Airtime.Hours() / hours / n
			sum.Busiest = max(sum.Busiest, time.Duration(float64(node.Stats.Airtime)/hours))
			if node.Role >= thread.RoleRouter {
				sum.Routers += 1 / n
			}
		}
		sum.Broken += time.Duration(float64(s.Broken) / hours / n)
	}
	slices.Sort(sum.Formed)
	slices.Sort(sum.Trips)
	return sum
}

// Quantile returns the q-quantile, 0 to 1, of a sorted list; 0 of none.
func Quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[int(q*float64(len(list)-1))]
}

// Answered returns the share of the requests that were answered, 0 to 1; NaN where nothing was asked.
func (s *Summary) Answered() float64 { return float64(len(s.Trips)) / float64(s.Asked) }

func (s *Summary) String() string {
	answers := "nothing asked"
	if s.Asked > 0 {
		answers = fmt.Sprintf("answered %.1f %%, round trip %.2f s, for one in twenty over %.1f s",
			100*s.Answered(), Quantile(s.Trips, 0.5).Seconds(), Quantile(s.Trips, 0.95).Seconds())
	}
	return fmt.Sprintf("formed %d of %d, half of them within %v, the last after %v; %s; air %.1f %%, busiest node %.0f s an hour; %.1f routers",
		len(s.Formed), s.Trials, Quantile(s.Formed, 0.5).Round(time.Second), Quantile(s.Formed, 1).Round(time.Second),
		answers, 100*s.Air, s.Busiest.Seconds(), s.Routers)
}
