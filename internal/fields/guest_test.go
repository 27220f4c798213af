//go:build unix

package fields

import (
	"os"
	"testing"
	"time"
)

// TestMixedField puts real nodes at every second place of a grid, on the LoRa air, and pings between all.
func TestMixedField(t *testing.T) {
	const variable = "PYMESH_OT_CLI_VT"
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set: no real nodes to put on the air", variable)
	}
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
	if len(sum.Trips) < sum.Asked/2 {
		t.Errorf("%d of %d answered", len(sum.Trips), sum.Asked)
	}
}
