package lorasim

import (
	"context"
	"math"

	"github.com/gopymesh/pymesh/lora"
)

// Power returns the power on the channel, as [lora.Meter] says. It waits for no packet of its own: what it sends it does not hear.
func (r *Radio) Power(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	a := r.air
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.dead:
		return 0, lora.ErrClosed
	case r.asleep:
		return 0, lora.ErrAsleep
	}
	a.catchUp()
	noise := attowatts(r.modem.noiseFloor)
	return int(math.Round(dBm(noise + r.power))), nil
}
