package trials

import (
	"os"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// TestRange has rows of four whose links are 3 dB above what the radio can receive at its spreading factor, and pings between random
// nodes of them, with pauses that suit: a mesh reaches as far as its radios.
func TestRange(t *testing.T) {
	seeds, hour := 1, 10*time.Minute
	if os.Getenv("PYMESH_RANGE") != "" {
		seeds, hour = 10, time.Hour
	}
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF9, lora.SF10, lora.SF12} {
		t.Run(sf.String(), func(t *testing.T) {
			cfg := lora.Config{SpreadingFactor: sf}
			stretch := cfg.Airtime(127).Seconds() / lora.Config{}.Airtime(127).Seconds()
			slow := func(d time.Duration) time.Duration { return time.Duration(stretch * float64(d)) }
			var surveys []fields.Survey
			for seed := range uint64(seeds) {
				s, err := fields.Run(t.Context(), fields.Trial{
					Field: fields.Field{Name: "row", Places: fields.Chain(4), Propagation: fields.Within(fields.Reach, cfg.Sensitivity()+3)},
					Seed:  seed + 1, Air: lorasim.Options{Config: cfg}, FormLimit: slow(time.Hour), Settle: slow(2 * time.Minute), Measure: slow(hour),
					Traffic: fields.Traffic{Pattern: fields.Pairs, Period: slow(20 * time.Second), Size: 16, Limit: slow(20 * time.Second)},
					Change: func(_ int, c *thread.Config) {
						c.Timing = thread.TimingFor(cfg.Airtime)
						c.Timing.SetSensitivity(cfg.Sensitivity())
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				surveys = append(surveys, s)
			}
			sum := fields.Summarize(surveys...)
			t.Log(&sum)
			if len(sum.Formed) < sum.Trials || sum.Answered() < 0.95 {
				t.Errorf("too few are one mesh, or are answered: %v", &sum)
			}
		})
	}
}
