package fields

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestNamed(t *testing.T) {
	for name, nodes := range map[string]int{"chain4": 4, "chain8": 8, "all9": 9, "star9": 9, "grid3": 9, "grid4": 16, "rand16": 16, "all32": 32, "grid8": 64} {
		f, err := Named(name, 1)
		if err != nil || f.Name != name || len(f.Places) != nodes || f.Propagation == nil {
			t.Errorf("%s has %d places, want %d (%v)", name, len(f.Places), nodes, err)
		}
	}
	for _, name := range []string{"", "grid", "4", "grid1", "grid65", "ring7", "grid4x"} {
		if _, err := Named(name, 1); err == nil {
			t.Errorf("%q is taken for a field", name)
		}
	}
}

func TestNeighborsInFields(t *testing.T) {
	for name, most := range map[string]int{"chain4": 2, "grid4": 8, "all9": 8, "star9": 8} {
		f, _ := Named(name, 1)
		counts := map[int]int{}
		for i, a := range f.Places {
			n := 0
			for j, b := range f.Places {
				if i != j && f.Propagation(14, a, b) == Signal {
					n++
				}
			}
			counts[n]++
		}
		largest := 0
		for n := range counts {
			largest = max(largest, n)
		}
		if largest != most {
			t.Errorf("%s: a node has %d neighbors, want %d (%v)", name, largest, most, counts)
		}
		if name == "star9" && (counts[1] != 8 || counts[8] != 1) {
			t.Errorf("%s is no star: %v", name, counts)
		}
	}
}

func TestRandomFieldsAreTheSeed(t *testing.T) {
	a, b, c := Random(16, Degree, 1), Random(16, Degree, 1), Random(16, Degree, 2)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the seed does not tell where the nodes are")
	}
}

func TestRandomFieldsAreConnected(t *testing.T) {
	for _, tt := range []struct {
		n      int
		degree float64
	}{{16, 1}, {300, 2}, {64, 6}} {
		ps := Random(tt.n, tt.degree, 3)
		if len(ps) != tt.n || slices.Contains(reached(ps), false) {
			t.Errorf("%d nodes, degree %v: not connected", tt.n, tt.degree)
		}
	}
}

func TestTrafficPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	asks := Traffic{Pattern: Pairs, Period: 20 * time.Second}.plan(r, 4, time.Hour)
	if len(asks) != 180 {
		t.Errorf("%d requests of pairs in an hour", len(asks))
	}
	for _, a := range asks {
		if a.From == a.To || a.From >= 4 || a.To >= 4 {
			t.Fatalf("%d asks %d", a.From, a.To)
		}
	}
	asks = Traffic{Pattern: Reports, Period: 5 * time.Minute, Sink: 2}.plan(r, 4, time.Hour)
	if len(asks) != 3*12 || !slices.IsSortedFunc(asks, func(a, b Ask) int { return int(a.At - b.At) }) {
		t.Errorf("%d reports in an hour", len(asks))
	}
	for _, a := range asks {
		if a.To != 2 || a.From == 2 {
			t.Fatalf("%d reports to %d", a.From, a.To)
		}
	}
	if got := (Traffic{}).plan(r, 4, time.Hour); got != nil {
		t.Errorf("silence asks %v", got)
	}
}

func TestTrafficThatDoesNotFit(t *testing.T) {
	f, _ := Named("chain2", 1)
	for _, tr := range []Traffic{
		{Pattern: 9, Period: time.Second}, {Pattern: Pairs}, {Pattern: Pairs, Period: time.Second, Size: -1},
		{Pattern: Pairs, Period: time.Second, Size: 2000}, {Pattern: Reports, Period: time.Second, Sink: 2}, {Pattern: Reports, Period: time.Second, Sink: -1},
	} {
		if _, err := Run(t.Context(), Trial{Field: f, Traffic: tr}); err == nil {
			t.Errorf("%+v is run", tr)
		}
	}
	if _, err := Run(t.Context(), Trial{}); err == nil {
		t.Error("a field without nodes is run")
	}
}

func TestRun(t *testing.T) {
	f, _ := Named("chain3", 1)
	run := func(tr Traffic) Survey {
		s, err := Run(t.Context(), Trial{Field: f, Seed: 1, Details: true, Measure: 10 * time.Minute, Traffic: tr})
		if err != nil {
			t.Fatal(err)
		}
		if s.Formed == 0 || s.Measured != 10*time.Minute || len(s.Nodes) != 3 || s.Broken != 0 {
			t.Errorf("formed %v, measured %v, %d nodes, broken for %v", s.Formed, s.Measured, len(s.Nodes), s.Broken)
		}
		return s
	}
	for _, p := range []Pattern{Silence, Pairs, Reports} {
		s := run(Traffic{Pattern: p, Period: 30 * time.Second, Size: 16})
		sum := Summarize(s)
		if p != Silence && len(sum.Trips) < sum.Asked*9/10 || p == Silence && sum.Asked != 0 {
			t.Errorf("%v: %v", p, &sum)
		}
		again := run(Traffic{Pattern: p, Period: 30 * time.Second, Size: 16})
		if !slices.Equal(s.Asks, again.Asks) {
			t.Errorf("%v: the same seed, another run", p)
		}
	}
}

// Within the duty cycle a mesh stays whole, although its nodes would have more to send than the law allows those next to the sink: who has
// little left is helped, and data wait for the next hour.
func TestRunWithinTheDutyCycle(t *testing.T) {
	f, err := Named("grid4", 3)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Run(t.Context(), Trial{
		Field: f, Seed: 3, DutyCycle: true, Measure: 2 * time.Hour, Traffic: Traffic{Pattern: Reports, Period: 5 * time.Minute, Size: 16},
	})
	if err != nil {
		t.Fatal(err)
	}
	answered := 0
	for _, a := range s.Asks {
		if a.Took > 0 {
			answered++
		}
	}
	for i, n := range s.Nodes {
		if n.Stats.Airtime > 2*36*time.Second {
			t.Errorf("node %d sends for %v in two hours", i, n.Stats.Airtime)
		}
	}
	if s.Broken > 0 || answered < len(s.Asks)*3/4 {
		t.Errorf("%d of %d reports answered, %v not whole", answered, len(s.Asks), s.Broken)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	f, _ := Named("chain3", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Trial{Field: f}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPatternNames(t *testing.T) {
	for _, p := range []Pattern{Silence, Pairs, Reports} {
		if got, err := ParsePattern(p.String()); got != p || err != nil {
			t.Errorf("%v is read as %v, %v", p, got, err)
		}
	}
	if _, err := ParsePattern("gossip"); err == nil {
		t.Error("gossip is a pattern")
	}
}
