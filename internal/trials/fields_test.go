package trials

import (
	"cmp"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// fieldPlan is what the variables PYMESH_FIELDS… ask for.
type fieldPlan struct {
	names   []string
	asked   bool // by name
	seeds   int
	over    time.Duration
	traffic fields.Traffic
	air     lorasim.Options
}

// fieldVariables reads the variables. Without PYMESH_FIELDS it plans two small fields.
func fieldVariables(t *testing.T) fieldPlan {
	p := fieldPlan{names: strings.Fields(os.Getenv("PYMESH_FIELDS")), asked: true, seeds: 10}
	if len(p.names) == 0 {
		p = fieldPlan{names: []string{"chain4", "all9"}, seeds: 3}
	}
	if v := os.Getenv("PYMESH_FIELDS_SEEDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			t.Fatalf("PYMESH_FIELDS_SEEDS=%s is no number of seeds", v)
		}
		p.seeds = n
	}
	switch air := os.Getenv("PYMESH_FIELDS_AIR"); air {
	case "":
	case "driver":
		p.air.Manners = lorasim.DriverManners(lora.Config{})
	default:
		t.Fatalf("PYMESH_FIELDS_AIR=%s is not driver", air)
	}
	p.over = durationVariable(t, "PYMESH_FIELDS_OVER", time.Minute)
	pattern, err := fields.ParsePattern(cmp.Or(os.Getenv("PYMESH_FIELDS_TRAFFIC"), fields.Pairs.String()))
	if err != nil {
		t.Fatal(err)
	}
	p.traffic = fields.Traffic{Pattern: pattern, Size: 16}
	pause := 20 * time.Second
	if pattern == fields.Reports {
		pause = 5 * time.Minute
	}
	p.traffic.Period = durationVariable(t, "PYMESH_FIELDS_PERIOD", pause)
	return p
}

func durationVariable(t *testing.T, name string, otherwise time.Duration) time.Duration {
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%s is no time", name, v)
	}
	return d
}

// TestFields measures what LoRa meshes at SF7 do: how long they take to form, what they deliver, and for how much of the air. Without
// PYMESH_FIELDS it looks at two small ones, and asserts little.
func TestFields(t *testing.T) {
	p := fieldVariables(t)
	for _, name := range p.names {
		t.Run(name, func(t *testing.T) {
			var surveys []fields.Survey
			for seed := range uint64(p.seeds) {
				f, err := fields.Named(name, seed+1)
				if err != nil {
					t.Fatal(err)
				}
				s, err := fields.Run(t.Context(), fields.Trial{Field: f, Seed: seed + 1, Over: p.over, Air: p.air, Traffic: p.traffic})
				if err != nil {
					t.Fatal(err)
				}
				surveys = append(surveys, s)
			}
			sum := fields.Summarize(surveys...)
			t.Log(&sum)
			if !p.asked && len(sum.Formed) < sum.Trials || len(sum.Trips) < sum.Asked*9/10 {
				t.Errorf("too few are one mesh, or are answered: %v", &sum)
			}
		})
	}
}
