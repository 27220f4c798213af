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
	// Air has everything else about the air. Seed and Propagation are the Trial's and the Field's, Watch is replaced if Details is set.
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
	// DutyCycle keeps the nodes of this project to the duty cycle of their sub-band, as lora.Govern does.
	DutyCycle bool
	// Change edits the configuration of node i, counted from 0. May be nil.
	Change func(i int, c *thread.Config)
	// Program returns the path of the program that stands at place i, one that speaks the wire of OpenThread's simulation in virtual
	// time; "" for a node of this project. Programs have the manners of Pycom's boards. The runs of programs differ: they have random
	// numbers of their own. May be nil.
	Program func(i int) string
	// Details has the survey tell of kinds, links and the course of time.
	Details bool
	// Progress, if not nil, is told now and then where the trial is.
	Progress func(Progress)
}

func (t *Trial) program(i int) string {
	if t.Program == nil {
		return ""
	}
	return t.Program(i)
}

// mixed reports whether there are programs in the field.
func (t *Trial) mixed() bool {
	for i := range t.Field.Places {
		if t.program(i) != "" {
			return true
		}
	}
	return false
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
	if t.mixed() && t.Air.Manners == (lorasim.Manners{}) {
		t.Air.Manners = lorasim.DriverManners(t.Air.Config) // boards are deaf to what follows at once
	}
	t.Air.Seed, t.Air.Propagation = t.Seed, t.Field.Propagation
	return t
}

// A Survey is what one trial showed.
type Survey struct {
	Formed   time.Duration // until all were one mesh for the first time; 0 if they never were
	Begun    time.Duration // when the measurement began
	Measured time.Duration
	Asks     []Ask
	Nodes    []NodeSurvey
	Broken   time.Duration // how long the nodes were not one mesh while they were measured

	// With Trial.Details.
	Kinds    map[string]Kind
	Links    []Link
	Contacts []Contact
	Timeline []Moment
}

// NodeSurvey is what one node did while it was measured.
type NodeSurvey struct {
	Role    thread.Role // at the end
	Program bool        // not one of this project
	Stats   lorasim.Stats
	Refused uint64 // packets that the duty cycle kept from the air
}

// Run tries a field. It returns early when ctx ends, with its error and what it has so far.
func Run(ctx context.Context, t Trial) (Survey, error) {
	t = t.withDefaults()
	if len(t.Field.Places) == 0 {
		return Survey{}, fmt.Errorf("field %q has no nodes", t.Field.Name)
	}
	if err := t.Traffic.check(len(t.Field.Places)); err != nil {
		return Survey{}, err
	}
	n, err := newNet(ctx, &t)
	if err != nil {
		return Survey{}, err
	}
	defer n.close()
	r := rand.New(rand.NewPCG(t.Seed, 5))
	s, err := n.form(r)
	if err == nil {
		err = n.measure(r, &s)
	}
	s.Timeline = n.timeline
	return s, err
}

// form switches the nodes on and waits until they are one mesh, and quiet.
func (n *net) form(r *rand.Rand) (s Survey, err error) {
	t := n.trial
	for _, x := range n.nodes {
		n.After(time.Duration(r.Int64N(int64(t.Over))), func() {
			n.fail(x, x.start(n.Now()))
			x.Touch()
		})
	}
	whole, err := n.runUntil(n.one, t.Over/time.Duration(len(n.nodes))+t.FormLimit)
	if whole {
		s.Formed = n.elapsed()
	}
	if err == nil {
		err = n.run(t.Settle)
	}
	return s, err
}

// measure lets the nodes work.
func (n *net) measure(r *rand.Rand, s *Survey) error {
	before := make([]NodeSurvey, len(n.nodes))
	for i, x := range n.nodes {
		before[i] = NodeSurvey{Stats: x.Stats(), Refused: x.refused()}
	}
	n.begun = n.elapsed()
	broken := n.apart()
	err := n.converse(n.trial.Traffic, r, n.trial.Measure)
	s.Begun, s.Measured, s.Broken, s.Asks = n.begun, n.elapsed()-n.begun, n.apart()-broken, n.questions.asks
	for i, x := range n.nodes {
		s.Nodes = append(s.Nodes, NodeSurvey{
			Role: x.role, Program: n.trial.program(i) != "", Stats: x.Stats().Since(before[i].Stats), Refused: x.refused() - before[i].Refused,
		})
	}
	if n.kinds != nil {
		s.Kinds, s.Contacts = n.kinds.kinds, n.contacts()
		for k, frames := range n.kinds.links {
			s.Links = append(s.Links, Link{k[0], k[1], frames})
		}
		slices.SortFunc(s.Links, func(a, b Link) int { return (a.From-b.From)*len(n.nodes) + a.To - b.To })
	}
	return err
}
