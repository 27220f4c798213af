package sx126xemu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/physic"
)

// Port is an SPI port with the chip at its end.
type Port = chipemu.Port

// WireTime returns a function for [Options.Transfer].
func WireTime(overhead time.Duration) func(bytes int, clock physic.Frequency) time.Duration {
	return chipemu.WireTime(overhead)
}

// Pins returns the chip's pins as the driver takes them, those that the board has. CS is for [Options].GPIOSelect,
// for ports that are connected with spi.NoCS, and for Exchange.
func (c *Chip) Pins() sx126x.Pins {
	p := sx126x.Pins{CS: selectPin{c}, Reset: resetPin{c}, DIO1: Line{c, lineDIO1}, Busy: Line{c, lineBusy}}
	if c.opt.RXEN {
		p.RXEN = pin{c, pinRXEN}
	}
	if c.opt.TXEN {
		p.TXEN = pin{c, pinTXEN}
	}
	if c.opt.Enable {
		p.Enable = []transceiver.Output{pin{c, pinEnable}}
	}
	return p
}

// selectPin is NSS. The chip is selected while it is low.
type selectPin struct{ chip *Chip }

func (p selectPin) Set(l transceiver.Level) error {
	p.chip.SetSelected(l == transceiver.Low)
	return nil
}

// resetPin is NRESET.
type resetPin struct{ chip *Chip }

func (p resetPin) Drive(l transceiver.Level) error {
	p.chip.setReset(l == transceiver.Low, true)
	return nil
}

func (p resetPin) Float() error {
	p.chip.setReset(false, false)
	return nil
}

// pin is a line that the host drives.
type pin struct {
	chip *Chip
	n    int
}

func (p pin) Set(l transceiver.Level) error {
	p.chip.setPin(p.n, bool(l))
	return nil
}

// Line is DIO1 or BUSY. It is a [transceiver.Input].
type Line struct {
	chip *Chip
	n    int
}

// DIO1 returns the interrupt line.
func (c *Chip) DIO1() Line { return Line{c, lineDIO1} }

// Busy returns the line BUSY.
func (c *Chip) Busy() Line { return Line{c, lineBusy} }

// Level returns the level.
func (l Line) Level() (transceiver.Level, error) {
	return transceiver.Level(l.chip.LineLevel(l.n)), nil
}

// Edges returns the channel on which the times of rising edges are sent.
func (l Line) Edges() <-chan time.Time { return l.chip.LineEdges(l.n) }

// Changed returns a channel that holds a value when the level has changed since the last value was taken.
func (l Line) Changed() <-chan struct{} { return l.chip.LineChanged(l.n) }
