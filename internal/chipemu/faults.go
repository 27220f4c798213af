package chipemu

import (
	"fmt"

	"periph.io/x/conn/v3/physic"
)

// faults are what is wrong with the chip or the way to it.
type faults struct {
	spiErrors int // transfers that will fail
	spiErr    error
	flipAbove physic.Frequency
	flipRate  float64
	silent    bool
	silence   byte // what is read meanwhile
	hangs     int  // transmissions that will not end
	corrupt   int  // receptions whose CRC will be wrong
}

// FailSPI makes the next n transfers fail with an error. They do not reach the chip. With
// a negative n all transfers fail until the next call.
func (c *Core) FailSPI(n int, err error) {
	c.Lock()
	defer c.Unlock()
	c.faults.spiErrors, c.faults.spiErr = n, err
}

// FlipBits turns the highest bit of bytes around, in both directions, with some
// probability a byte, when the SPI clock is faster than a limit. Long wires do this.
func (c *Core) FlipBits(above physic.Frequency, probability float64) {
	c.Lock()
	defer c.Unlock()
	c.faults.flipAbove, c.faults.flipRate = above, probability
}

// Silence cuts the SPI off, so that each byte reads as the given one: 0x00 or 0xFF, as
// without a chip. The chip goes on with what it does.
func (c *Core) Silence(reads byte) {
	c.Lock()
	defer c.Unlock()
	c.faults.silent, c.faults.silence = true, reads
}

// Speak ends Silence.
func (c *Core) Speak() {
	c.Lock()
	defer c.Unlock()
	c.faults.silent = false
}

// HangTransmit makes the next n transmissions never end: the packet leaves the antenna,
// but the chip stays in transmit mode and does not say that it is done.
func (c *Core) HangTransmit(n int) {
	c.Lock()
	defer c.Unlock()
	c.faults.hangs = n
}

// Hangs reports whether this transmission does not end. Fronts ask it once, at its end.
func (c *Core) Hangs() bool {
	if c.faults.hangs > 0 {
		c.faults.hangs--
		return true
	}
	return false
}

// CorruptReceive spoils the next n packets that would have been received: their payload
// is garbage and their CRC is wrong.
func (c *Core) CorruptReceive(n int) {
	c.Lock()
	defer c.Unlock()
	c.faults.corrupt = n
}

// spiFault returns the error of this transfer, if it fails.
func (c *Core) spiFault() error {
	if c.faults.spiErrors == 0 {
		return nil
	}
	if c.faults.spiErrors > 0 {
		c.faults.spiErrors--
	}
	return fmt.Errorf("%s: %w", c.opt.Name, c.faults.spiErr)
}

// flip returns a byte as it arrives at the other end of the wire.
func (c *Core) flip(b byte, clock physic.Frequency) byte {
	const highestBit = 0x80
	if clock > c.faults.flipAbove && c.faults.flipRate > 0 && c.Rand.Float64() < c.faults.flipRate {
		b ^= highestBit
	}
	return b
}
