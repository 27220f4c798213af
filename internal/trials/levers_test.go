package trials

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/thread"
)

// A lever is one thing that makes LoRa meshes better. Without it they are as they would be if it had never been thought of.
type lever struct {
	name    string
	without func(t *thread.Timing)
}

var levers = []lever{
	{"the wait for an acknowledgement, 150 ms for 2 s", func(t *thread.Timing) { t.AckWait = 2 * time.Second }},
	{"room for acknowledgements", func(t *thread.Timing) { t.AckRoom = 0 }},
	{"contention by the load", func(t *thread.Timing) { t.LoadBE = 0 }},
	{"multicasts that neighbors have sent left out", func(t *thread.Timing) { t.MPLRedundancy = 0 }},
	{"two offers to a searcher enough", func(t *thread.Timing) { t.ParentOffers = 0 }},
	{"courtesy of searchers", func(t *thread.Timing) { t.AttachHold = 0 }},
	{"routers where they are needed", func(t *thread.Timing) {
		t.RouterNeighbors, t.ChildLinkOdds, t.RouterSelectionJitter = 0, 0, 30*time.Second
	}},
	{"answers and frames on their way for acknowledgements", func(t *thread.Timing) { t.Piggyback = false }},
	{"rare Advertisements, places told, shortcuts", func(t *thread.Timing) { t.AdvertiseQuiet = 0 }},
}

// TestLevers measures each lever alone and all but one in the fields that PYMESH_LEVERS names, over PYMESH_FIELDS_SEEDS seeds, and prints a row
// of a table for each.
func TestLevers(t *testing.T) {
	names := strings.Fields(os.Getenv("PYMESH_LEVERS"))
	if len(names) == 0 {
		t.Skip("PYMESH_LEVERS names no field")
	}
	p := fieldVariables(t)
	for _, name := range names {
		t.Logf("%s: all levers | %s", name, measureLevers(t, p, name, func(int) bool { return true }))
		t.Logf("%s: none | %s", name, measureLevers(t, p, name, func(int) bool { return false }))
		for i, l := range levers {
			t.Logf("%s: %s: alone | %s", name, l.name, measureLevers(t, p, name, func(j int) bool { return j == i }))
			t.Logf("%s: %s: left out | %s", name, l.name, measureLevers(t, p, name, func(j int) bool { return j != i }))
		}
	}
}

// measureLevers is one row of the table: with the levers for which with says so.
func measureLevers(t *testing.T, p fieldPlan, name string, with func(i int) bool) string {
	var surveys []fields.Survey
	for seed := range uint64(p.seeds) {
		f, err := fields.Named(name, seed+1)
		if err != nil {
			t.Fatal(err)
		}
		change := func(_ int, c *thread.Config) {
			if c.Timing == (thread.Timing{}) {
				c.Timing = thread.TimingPymesh()
			}
			for i, l := range levers {
				if !with(i) {
					l.without(&c.Timing)
				}
			}
		}
		s, err := fields.Run(t.Context(), fields.Trial{Field: f, Seed: seed + 1, Over: p.over, Traffic: p.traffic, Change: change})
		if err != nil {
			t.Fatal(err)
		}
		surveys = append(surveys, s)
	}
	sum := fields.Summarize(surveys...)
	return sum.String()
}
