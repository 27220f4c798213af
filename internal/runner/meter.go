package runner

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// readEvery is the time between two readings of the power on the channel.
const readEvery = 10 * time.Millisecond

// measuring is the goroutine that waits for a radio that tells the power on the channel.
func (r *Runner) measuring() {
	for {
		select {
		case until := <-r.measure:
			r.readPower(until)
		case <-r.ctx.Done():
			return
		}
	}
}

// readPower reads the power again and again until a time. A radio that cannot tell just now is asked no more: what packets tell remains.
func (r *Runner) readPower(until time.Time) {
	clock := lora.ClockOf(r.radio)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for now := clock.Now(); now.Before(until); now = clock.Now() {
		power, err := r.meter.Power(r.ctx)
		if err != nil {
			return
		}
		select {
		case r.powers <- power:
		case <-r.ctx.Done():
			return
		}
		pause.Reset(max(clock.Until(now.Add(readEvery)), 0))
		select {
		case <-pause.C:
		case <-r.ctx.Done():
			return
		}
	}
}
