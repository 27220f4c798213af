package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// Pins returns the chip's pins as the driver takes them. CS is for [Options].GPIOSelect,
// for ports that are connected with spi.NoCS, and for [Chip.Exchange].
func (c *Chip) Pins() sx1276.Pins {
	return sx1276.Pins{CS: selectPin{c}, Reset: resetPin{c}, DIO0: c.DIO(0)}
}

// selectPin is NSS. The chip is selected while it is low.
type selectPin struct{ chip *Chip }

func (p selectPin) Set(l sx1276.Level) error {
	p.chip.lock()
	defer p.chip.unlock()
	p.chip.setSelected(l == sx1276.Low)
	return nil
}

// resetPin is NRESET.
type resetPin struct{ chip *Chip }

func (p resetPin) Drive(l sx1276.Level) error {
	p.chip.setReset(bool(l) == p.chip.variant.resetHigh, true)
	return nil
}

func (p resetPin) Float() error {
	p.chip.setReset(false, false)
	return nil
}

// DIO is one of the lines DIO0 to DIO5. It is a [sx1276.Input].
type DIO struct {
	chip *Chip
	n    int
}

// DIO returns the line DIOn, 0 to 5.
func (c *Chip) DIO(n int) *DIO { return c.dio[n].line }

// Level returns the level.
func (d *DIO) Level() (sx1276.Level, error) {
	d.chip.lock()
	defer d.chip.unlock()
	d.chip.updateDIO(d.chip.now)
	return sx1276.Level(d.chip.dio[d.n].high), nil
}

// Edges returns the channel on which the times of rising edges are sent. Its queue is as
// long as Linux', and edges for which there is no room are dropped.
func (d *DIO) Edges() <-chan time.Time {
	d.chip.watch()
	return d.chip.dio[d.n].edges
}

// Changed returns a channel that holds a value when the level has changed since the last
// value was taken, for a front end that drives a real line: take a value, then read the
// level.
func (d *DIO) Changed() <-chan struct{} {
	d.chip.watch()
	return d.chip.dio[d.n].changed
}

// watch makes the lines change when the chip does, and not only when somebody looks.
func (c *Chip) watch() {
	c.watched.Store(true)
	c.poll()
}

// sleepUntil waits, by the wall clock, until a clock reaches a time.
func sleepUntil(clock lora.Clock, t time.Time) {
	if d := clock.Until(t); d > 0 {
		time.Sleep(d)
	}
}
