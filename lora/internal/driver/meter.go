package driver

import (
	"context"

	"github.com/gopymesh/pymesh/lora"
)

// reading is the power on the channel in dBm, or why there is none.
type reading struct {
	power int
	err   error
}

// Power returns the power on the channel, as [lora.Meter] says.
func (d *Driver) Power(ctx context.Context) (int, error) {
	reply := make(chan reading, 1)
	select {
	case d.meters <- reply:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-d.closing:
		return 0, lora.ErrClosed
	}
	select {
	case r := <-reply:
		return r.power, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-d.ended:
		return 0, lora.ErrClosed
	}
}

// measure answers Power. What else the chip tells is for those who look next: nothing is cleared.
func (d *Driver) measure(reply chan<- reading) error {
	switch {
	case d.down != nil:
		reply <- reading{err: d.down}
		return nil
	case d.asleep:
		reply <- reading{err: lora.ErrAsleep}
		return nil
	}
	status, err := d.chip.Look(Channel)
	reply <- reading{status.Strength, err}
	return err
}
