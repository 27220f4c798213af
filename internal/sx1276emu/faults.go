package sx1276emu

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
	version   byte // in place of the real one, if not zero
	hangs     int  // transmissions that will not end
	corrupt   int  // receptions whose CRC will be wrong
}

// BrownOut resets all registers, as a dip of the supply does: the chip is in FSK standby at
// 434 MHz, and nobody is told.
func (c *Chip) BrownOut() {
	c.lock()
	defer c.unlock()
	c.reset()
}

// LoseEdges loses the next n rising edges of a DIO, and the falling ones between: the level
// changes, but nobody who waits for an edge is told. With a negative n all edges are lost
// until the next call.
func (c *Chip) LoseEdges(dio, n int) {
	c.lock()
	defer c.unlock()
	c.dio[dio].losing = n
}

// StickDIO holds the line of a DIO at a level.
func (c *Chip) StickDIO(dio int, high bool) {
	c.lock()
	defer c.unlock()
	c.dio[dio].stuck, c.dio[dio].stuckAt = true, high
}

// FreeDIO ends StickDIO.
func (c *Chip) FreeDIO(dio int) {
	c.lock()
	defer c.unlock()
	c.dio[dio].stuck = false
}

// FailSPI makes the next n transfers fail with an error. They do not reach the chip. With
// a negative n all transfers fail until the next call.
func (c *Chip) FailSPI(n int, err error) {
	c.lock()
	defer c.unlock()
	c.faults.spiErrors, c.faults.spiErr = n, err
}

// FlipBits turns the highest bit of bytes around, in both directions, with some
// probability a byte, when the SPI clock is faster than a limit. Long wires do this.
func (c *Chip) FlipBits(above physic.Frequency, probability float64) {
	c.lock()
	defer c.unlock()
	c.faults.flipAbove, c.faults.flipRate = above, probability
}

// Silence cuts the SPI off, so that each byte reads as the given one: 0x00 or 0xFF, as
// without a chip. The chip goes on with what it does.
func (c *Chip) Silence(reads byte) {
	c.lock()
	defer c.unlock()
	c.faults.silent, c.faults.silence = true, reads
}

// Speak ends Silence.
func (c *Chip) Speak() {
	c.lock()
	defer c.unlock()
	c.faults.silent = false
}

// SetVersion makes RegVersion read as another value; 0 gives the chip its own back.
func (c *Chip) SetVersion(v byte) {
	c.lock()
	defer c.unlock()
	c.faults.version = v
}

// HangTransmit makes the next n transmissions never end: the packet leaves the antenna,
// but the chip stays in transmit mode and does not set TxDone.
func (c *Chip) HangTransmit(n int) {
	c.lock()
	defer c.unlock()
	c.faults.hangs = n
}

// CorruptReceive spoils the next n packets that would have been received: their payload
// is garbage and their CRC is wrong.
func (c *Chip) CorruptReceive(n int) {
	c.lock()
	defer c.unlock()
	c.faults.corrupt = n
}

// spiFault returns the error of this transfer, if it fails.
func (c *Chip) spiFault() error {
	if c.faults.spiErrors == 0 {
		return nil
	}
	if c.faults.spiErrors > 0 {
		c.faults.spiErrors--
	}
	return fmt.Errorf("sx1276emu: %w", c.faults.spiErr)
}

// flip returns a byte as it arrives at the other end of the wire.
func (c *Chip) flip(b byte, clock physic.Frequency) byte {
	const highestBit = 0x80
	if clock > c.faults.flipAbove && c.faults.flipRate > 0 && c.rand.Float64() < c.faults.flipRate {
		b ^= highestBit
	}
	return b
}
