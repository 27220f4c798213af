//go:build unix

package fields

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// skipStock skips a test whose real nodes have the constants of IEEE 802.15.4: they wait 16 ms for an acknowledgement that takes 31 on the LoRa air.
func skipStock(t *testing.T) {
	t.Helper()
	if os.Getenv("PYMESH_OT_TIMING") == "stock" {
		t.Skip("PYMESH_OT_TIMING is stock: such nodes are not made for the LoRa air")
	}
}

// TestMixedField puts real nodes at every second place of a grid, on the LoRa air, and pings between all.
func TestMixedField(t *testing.T) {
	const variable = "PYMESH_OT_CLI_VT"
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set: no real nodes to put on the air", variable)
	}
	skipStock(t)
	f, err := Named("grid3", 1)
	if err != nil {
		t.Fatal(err)
	}
	theirs := func(i int) bool { return i%2 == 1 }
	s, err := Run(t.Context(), Trial{
		Field: f, Seed: 1, Measure: 20 * time.Minute, Details: true,
		Traffic: Traffic{Pattern: Pairs, Period: 20 * time.Second, Size: 16},
		Program: func(i int) string {
			if theirs(i) {
				return path
			}
			return ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := Summarize(s)
	t.Log(&sum)
	asked, answered := map[bool]int{}, map[bool]int{}
	for _, a := range s.Asks {
		asked[theirs(a.From)]++
		if a.Took > 0 {
			answered[theirs(a.From)]++
		}
	}
	t.Logf("asked by ours: %d of %d answered; by theirs: %d of %d", answered[false], asked[false], answered[true], asked[true])
	for i, n := range s.Nodes {
		t.Logf("node %d: %v, program: %v, %+v", i+1, n.Role, n.Program, n.Stats)
		if n.Program != theirs(i) || n.Stats.Sent == 0 {
			t.Errorf("node %d: program %v, %d frames sent", i+1, n.Program, n.Stats.Sent)
		}
	}
	if s.Formed == 0 {
		t.Error("they do not become one mesh")
	}
	if len(sum.Trips) < sum.Asked*8/10 { // 99 of 100 in the long run, and 93 without what our nodes do for the others
		t.Errorf("%d of %d answered", len(sum.Trips), sum.Asked)
	}
}

// TestMixedFields holds what fields deliver of which half of the nodes are real ones, those of Pycom's boards: the more seeds, the surer. It takes
// half a minute for each, and its runs differ.
func TestMixedFields(t *testing.T) {
	path := os.Getenv("PYMESH_OT_CLI_VT")
	seeds, _ := strconv.Atoi(os.Getenv("PYMESH_FIELDS_MIXED"))
	if path == "" || seeds < 1 {
		t.Skip("PYMESH_OT_CLI_VT and PYMESH_FIELDS_MIXED, a number of seeds, are not both set")
	}
	skipStock(t)
	for name, least := range map[string]struct{ all, boards float64 }{"grid3": {0.97, 0.90}, "grid4": {0.90, 0.75}} {
		var surveys []Survey
		asked, answered := 0.0, 0.0
		for seed := range uint64(seeds) {
			f, err := Named(name, seed+1)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Run(t.Context(), Trial{
				Field: f, Seed: seed + 1, Traffic: Traffic{Pattern: Pairs, Period: 20 * time.Second, Size: 16},
				Program: func(i int) string { return []string{"", path}[i%2] },
			})
			if err != nil {
				t.Fatal(err)
			}
			surveys = append(surveys, s)
			for _, a := range s.Asks {
				if a.From%2 == 1 && a.To%2 == 1 {
					asked++
					if a.Took > 0 {
						answered++
					}
				}
			}
		}
		sum := Summarize(surveys...)
		t.Logf("%s: %v; between boards %.1f %%", name, &sum, 100*answered/asked)
		if sum.Answered() < least.all || answered/asked < least.boards {
			t.Errorf("%s: %.1f %% answered, between boards %.1f %%; want %v", name, 100*sum.Answered(), 100*answered/asked, least)
		}
	}
}
