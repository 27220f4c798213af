package driver

import (
	"errors"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// repairPause is the shortest time between two repairs; a chip that does not answer is tried again after
// that time first, and then less and less often, up to maxRepairPause.
const (
	repairPause    = 100 * time.Millisecond
	maxRepairPause = 10 * time.Second
)

// remedySupply helps a chip that loses its settings.
const remedySupply = "check the supply: 3.3 V that holds at 150 mA while the chip sends"

// repair resets the chip and sets it up again.
func (d *Driver) repair(cause error) {
	d.count.repairs.Add(1)
	if d.tx.state == txOnAir {
		d.finish(cause)
	}
	now, why := d.clock.Now(), []any{"err", cause}
	if errors.Is(cause, transceiver.ErrRestarted) || errors.Is(cause, transceiver.ErrNoTxDone) {
		why = append(why, "hint", remedySupply)
	}
	d.troubleLogged = d.resets.Log(now, d.opt.Log, slog.LevelWarn, "LoRa chip is reset", why...)
	if d.pause = repairPause; now.Sub(d.repaired) < repairPause {
		d.goDown(cause)
		return
	}
	d.repaired = now
	if err := d.setUp(); err != nil {
		d.goDown(err)
		return
	}
	if d.tx.state != txIdle { // a packet that waits begins anew
		d.tx.state, d.tx.at = txWaiting, d.clock.Now()
	}
}

// goDown waits before the next attempt to set the chip up. Callers are told.
func (d *Driver) goDown(err error) {
	d.down = err
	d.retryAt = d.clock.Now().Add(d.pause)
	d.pause = min(2*d.pause, maxRepairPause)
	if d.tx.state != txIdle {
		d.finish(err)
	}
	select {
	case d.faults <- err:
	default:
	}
}

// retrySetUp tries to set up a chip that is down.
func (d *Driver) retrySetUp() {
	if err := d.setUp(); err != nil {
		if d.losses.Log(d.clock.Now(), d.opt.Log, slog.LevelWarn, "LoRa chip does not come back", "err", err) {
			d.troubleLogged = true
		}
		d.goDown(err)
		return
	}
	if d.troubleLogged {
		d.opt.Log.Info("LoRa chip is back")
	}
	d.down, d.repaired = nil, d.clock.Now()
	select {
	case <-d.faults:
	default:
	}
}

// shutdown puts the chip to sleep.
func (d *Driver) shutdown() {
	if d.tx.state != txIdle {
		d.finish(lora.ErrClosed)
	}
	if d.down == nil {
		if err := d.chip.ShutDown(); err != nil {
			d.opt.Log.Warn("LoRa chip does not go to sleep", "err", err)
		}
	}
}

// setUp takes the chip from any state to receiving.
func (d *Driver) setUp() error {
	d.asleep = false
	if err := d.noted(d.chip.SetUp()); err != nil {
		return err
	}
	d.listens()
	return nil
}
