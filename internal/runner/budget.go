package runner

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// A bounded radio knows what it may still send, as a [lora.Governor] does.
type bounded interface{ Usage() []lora.Usage }

// TellEvery is how often an engine is told what its radio may still send.
const TellEvery = 5 * time.Second

// Tightest is what the radio may still send in the sub-band with the least left, of those that its signal touches.
func Tightest(usage []lora.Usage) thread.Airtime {
	var tightest lora.Usage
	for _, u := range usage {
		if u.Limit > 0 && (tightest.Limit == 0 || u.Limit-u.Used < tightest.Limit-tightest.Used) {
			tightest = u
		}
	}
	return thread.Airtime{Limit: tightest.Limit, Used: tightest.Used, Need: tightest.Need}
}

// tellAirtime has the engine know what the radio may still send.
func (r *Runner) tellAirtime(now time.Time) {
	if r.bounded == nil || now.Sub(r.told) < TellEvery {
		return
	}
	r.told = now
	r.engine.SetAirtime(now, Tightest(r.bounded.Usage()))
}
