package driver

import "time"

// Sleep says whether the chip may sleep, as [lora.Sleeper] says.
func (d *Driver) Sleep(asleep bool) {
	d.wantsSleep.Store(asleep)
	select {
	case d.rests <- struct{}{}:
	default: // the loop will look
	}
}

// rest puts the chip to sleep or wakes it up, as is wanted; while there is a packet to send it is awake.
func (d *Driver) rest() error {
	want := d.wantsSleep.Load() && d.tx.state == txIdle
	switch {
	case d.down != nil || want == d.asleep:
		return nil
	case want:
		// What has just arrived would be gone.
		if err := d.attend(causePoll, time.Time{}); err != nil {
			return err
		}
		if err := d.noted(d.chip.Sleep()); err != nil {
			return err
		}
		d.asleep = true
		return nil
	}
	if err := d.noted(d.chip.Wake()); err != nil {
		return err
	}
	d.listens()
	d.asleep = false
	now := d.clock.Now()
	d.nextPoll, d.nextCheck = now.Add(d.pollEvery), now.Add(checkEvery)
	return nil
}
