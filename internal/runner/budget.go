package runner

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// A bounded radio knows what it may still send, as a [lora.Governor] does.
type bounded interface{ Usage() []lora.Usage }

// tellAirtime has the engine know what the radio may still send, every few seconds: the tightest of the sub-bands that it touches.
func (r *Runner) tellAirtime(now time.Time) {
	const often = 5 * time.Second
	if r.bounded == nil || now.Sub(r.told) < often {
		return
	}
	r.told = now
	var tightest lora.Usage
	for _, u := range r.bounded.Usage() {
		if u.Limit > 0 && (tightest.Limit == 0 || u.Limit-u.Used < tightest.Limit-tightest.Used) {
			tightest = u
		}
	}
	r.engine.SetAirtime(now, thread.Airtime{Limit: tightest.Limit, Used: tightest.Used, Need: tightest.Need})
}
