package sx126xemu

import "github.com/gopymesh/pymesh/lora"

// BrownOut resets the chip, as a dip of the supply does, and nobody is told.
func (c *Chip) BrownOut() {
	c.Lock()
	defer c.Unlock()
	c.reset()
}

// StickBusy holds the line BUSY at a level; FreeBusy ends that. What the chip does is not concerned.
func (c *Chip) StickBusy(high bool) {
	c.Lock()
	defer c.Unlock()
	c.stuckBusy = &high
}

// FreeBusy ends StickBusy.
func (c *Chip) FreeBusy() {
	c.Lock()
	defer c.Unlock()
	c.stuckBusy = nil
}

// RefuseCommands makes the chip fail the next n commands that set something: the status byte of the next transaction says so.
func (c *Chip) RefuseCommands(n int) {
	c.Lock()
	defer c.Unlock()
	c.refuse = n
}

// KillTCXO keeps the oscillator from starting from now on; with false it starts again.
func (c *Chip) KillTCXO(dead bool) {
	c.Lock()
	defer c.Unlock()
	c.deadTCXO = dead
}

// Deafen makes the receiver deaf, as strong bursts can do to its gain control, until it is calibrated.
func (c *Chip) Deafen() {
	c.Lock()
	defer c.Unlock()
	c.agcDeaf = true
	if c.mode == receive {
		c.Halt()
	}
}

// Latch sets interrupt flags that nothing has caused, if they are in the mask.
func (c *Chip) Latch(flags uint16) {
	c.Lock()
	defer c.Unlock()
	c.interrupt(flags)
}

// LoseEdges loses the next n rising edges of the interrupt line, with a negative n all.
func (c *Chip) LoseEdges(n int) { c.LoseLineEdges(lineDIO1, n) }

// StickDIO1 holds the interrupt line at a level.
func (c *Chip) StickDIO1(high bool) { c.StickLine(lineDIO1, high) }

// FreeDIO1 ends StickDIO1.
func (c *Chip) FreeDIO1() { c.FreeLine(lineDIO1) }

// Gain returns the register of the receiver's gain: 0x94, or 0x96 boosted.
func (c *Chip) Gain() byte {
	c.Lock()
	defer c.Unlock()
	return c.registers[regRxGain]
}

// ImageCalibrations returns the carriers in use when the image calibration ran.
func (c *Chip) ImageCalibrations() []lora.Frequency {
	c.Lock()
	defer c.Unlock()
	return append([]lora.Frequency(nil), c.imagesAt...)
}

// Dirty writes registers as a program that ended left them: receiving, with some flags set.
func (c *Chip) Dirty() {
	c.Lock()
	defer c.Unlock()
	c.mask, c.irq, c.dio1 = 0xFFFF, 0x0006, 0xFFFF
	c.registers[regIQ] ^= 4
	c.settings.fallback = standbyXOSC
}
