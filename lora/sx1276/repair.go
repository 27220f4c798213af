package sx1276

import (
	"errors"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// repairPause is the shortest time between two repairs; a chip that does not answer is tried again after
// that time first, and then less and less often, up to maxRepairPause.
const (
	repairPause    = 100 * time.Millisecond
	maxRepairPause = 10 * time.Second
)

// repair resets the chip and sets it up again.
func (r *Radio) repair(cause error) {
	r.count.repairs.Add(1)
	if r.tx.state == txOnAir {
		r.finish(cause)
	}
	now, why := r.clock.Now(), []any{"err", cause}
	if errors.Is(cause, ErrRestarted) || errors.Is(cause, ErrNoTxDone) {
		why = append(why, "hint", remedySupply)
	}
	r.troubleLogged = r.resets.Log(now, r.opt.log, slog.LevelWarn, "LoRa chip is reset", why...)
	if r.pause = repairPause; now.Sub(r.repaired) < repairPause {
		r.goDown(cause)
		return
	}
	r.repaired = now
	if err := r.setUp(); err != nil {
		r.goDown(err)
		return
	}
	if r.tx.state != txIdle { // a packet that waits begins anew
		r.tx.state, r.tx.at = txWaiting, r.clock.Now()
	}
}

// goDown waits before the next attempt to set the chip up. Callers are told.
func (r *Radio) goDown(err error) {
	r.down = err
	r.retryAt = r.clock.Now().Add(r.pause)
	r.pause = min(2*r.pause, maxRepairPause)
	if r.tx.state != txIdle {
		r.finish(err)
	}
	select {
	case r.faults <- err:
	default:
	}
}

// retrySetUp tries to set up a chip that is down.
func (r *Radio) retrySetUp() {
	if err := r.setUp(); err != nil {
		if r.losses.Log(r.clock.Now(), r.opt.log, slog.LevelWarn, "LoRa chip does not come back", "err", err) {
			r.troubleLogged = true
		}
		r.goDown(err)
		return
	}
	if r.troubleLogged {
		r.opt.log.Info("LoRa chip is back")
	}
	r.down, r.repaired = nil, r.clock.Now()
	select {
	case <-r.faults:
	default:
	}
}

// shutdown puts the chip to sleep.
func (r *Radio) shutdown() {
	if r.tx.state != txIdle {
		r.finish(lora.ErrClosed)
	}
	if r.down == nil {
		if err := r.chip.setMode(r.mode(modeSleep)); err != nil {
			r.opt.log.Warn("LoRa chip does not go to sleep", "err", err)
		}
	}
}
