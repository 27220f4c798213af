package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
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
	p.chip.SetSelected(l == sx1276.Low)
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
func (c *Chip) DIO(n int) *DIO { return &DIO{c, n} }

// Level returns the level.
func (d *DIO) Level() (sx1276.Level, error) {
	return sx1276.Level(d.chip.LineLevel(d.n)), nil
}

// Edges returns the channel on which the times of rising edges are sent. Its queue is as
// long as Linux', and edges for which there is no room are dropped.
func (d *DIO) Edges() <-chan time.Time {
	return d.chip.LineEdges(d.n)
}

// Changed returns a channel that holds a value when the level has changed since the last
// value was taken, for a front end that drives a real line: take a value, then read the
// level.
func (d *DIO) Changed() <-chan struct{} {
	return d.chip.LineChanged(d.n)
}

// Port is an SPI port with the chip at its end, and Conn a connection to it.
type (
	Port = chipemu.Port
	Conn = chipemu.Conn
)
