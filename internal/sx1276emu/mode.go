package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
)

// mode is the low three bits of RegOpMode.
type mode byte

const (
	sleep mode = iota
	standby
	fsTX
	transmit
	fsRX
	receive // continuously
	receiveSingle
	detectActivity
)

// The other bits of RegOpMode.
const (
	modeMask     = 0x07
	longRange    = 0x80
	accessShared = 0x40
)

// Times between modes (data sheet, section 2.5.2 and table 10). Those of transmitter and
// receiver are from the synthesizer's lock on; the power ramp is in RegPaRamp.
const (
	oscillatorTime  = 250 * time.Microsecond
	synthesizerTime = 60 * time.Microsecond
	receiverTime    = 71 * time.Microsecond
	transmitterTime = 5 * time.Microsecond

	calibrationTime = 10 * time.Millisecond // section 3.5.7.1
)

// rampTimes is the power ramp by RegPaRamp.
var rampTimes = [16]time.Duration{
	3400 * time.Microsecond, 2 * time.Millisecond, time.Millisecond, 500 * time.Microsecond,
	250 * time.Microsecond, 125 * time.Microsecond, 100 * time.Microsecond, 62 * time.Microsecond,
	50 * time.Microsecond, 40 * time.Microsecond, 31 * time.Microsecond, 25 * time.Microsecond,
	20 * time.Microsecond, 15 * time.Microsecond, 12 * time.Microsecond, 10 * time.Microsecond,
}

func (c *Chip) mode() mode { return mode(c.common[regOpMode] & modeMask) }

func (c *Chip) isLoRa() bool { return c.common[regOpMode]&longRange != 0 }

// fskPage reports whether the FSK page is the one that is accessed.
func (c *Chip) fskPage() bool {
	return c.common[regOpMode]&(longRange|accessShared) != longRange
}

func (c *Chip) transmitting() bool { return c.mode() == transmit }

func (c *Chip) receiving() bool { return c.mode() == receive || c.mode() == receiveSingle }

// hearing reports whether the receiver is on, be it for packets or for activity alone.
func (c *Chip) hearing() bool { return c.mode() >= receive }

// writeOpMode changes the mode.
func (c *Chip) writeOpMode(v byte) {
	old := c.common[regOpMode]
	if (v^old)&longRange != 0 && c.mode() != sleep {
		c.Violate(LongRangeAwake, "RegOpMode 0x%02X written over 0x%02X", v, old)
		v = v&^longRange | old&longRange
	}
	if v == old {
		return
	}
	if c.calibrating() && v&modeMask != old&modeMask {
		c.Violate(Calibration, "RegOpMode 0x%02X written while it runs", v)
		c.calibratedAt = time.Time{}
	}
	if v&(modeMask|longRange) == old&(modeMask|longRange) {
		c.common[regOpMode] = v
		return
	}
	c.leave()
	c.common[regOpMode] = v
	c.enter(mode(old & modeMask))
}

// leave ends the present mode.
func (c *Chip) leave() {
	switch {
	case c.transmitting():
		c.Count.Aborted++
	case c.Stage() == chipemu.Headed:
		c.Count.Cut++
	}
	c.Halt()
}

// toStandby is how a mode ends of itself.
func (c *Chip) toStandby(at time.Time) {
	c.Halt()
	c.common[regOpMode] = c.common[regOpMode]&^modeMask | byte(standby)
	c.settledAt = at
}

// enter begins the mode that RegOpMode says.
func (c *Chip) enter(from mode) {
	if from == sleep {
		c.oscillatorAt = c.Now.Add(oscillatorTime)
	}
	c.settledAt = c.Now
	if c.oscillatorAt.After(c.Now) {
		c.settledAt = c.oscillatorAt
	}
	switch m := c.mode(); m {
	case sleep:
		c.scrambleFIFO()
		clear(c.lora[regRxHeaderCntMsb : regRxPacketCntLsb+1])
	case standby:
	case fsTX, fsRX:
		c.settledAt = c.settledAt.Add(synthesizerTime)
		c.checkFrequency()
	default:
		if !c.isLoRa() {
			c.Violate(FSKModem, "RegOpMode 0x%02X", c.common[regOpMode])
			return
		}
		c.settledAt = c.settledAt.Add(synthesizerTime)
		if m == transmit {
			c.transmit()
		} else {
			c.receive()
		}
	}
}

// synthesizing reports whether the synthesizer has locked.
func (c *Chip) synthesizing() bool {
	return c.mode() >= fsTX && !c.stopped && !c.Now.Before(c.settledAt) && c.frequencyInRange()
}

func (c *Chip) calibrating() bool { return c.Now.Before(c.calibratedAt) }

// Bits of RegImageCal.
const (
	imageCalStart   = 0x40
	imageCalRunning = 0x20
)

// writeImageCal starts an image calibration, if the bit for that is set.
func (c *Chip) writeImageCal(v byte) {
	c.fsk[regFskImageCal] = v &^ (imageCalStart | imageCalRunning)
	switch {
	case v&imageCalStart == 0:
	case c.isLoRa() || c.mode() != standby || c.Now.Before(c.settledAt):
		c.Violate(Calibration, "ImageCalStart written with RegOpMode 0x%02X", c.common[regOpMode])
	default:
		c.calibratedAt = c.Now.Add(calibrationTime)
		c.calibrations = append(c.calibrations, c.frequency())
	}
}

// writeTcxo chooses the oscillator.
func (c *Chip) writeTcxo(v byte) {
	const tcxoInputOn = 0x10
	if v&tcxoInputOn != 0 && !c.opt.TCXO && !c.stopped {
		c.Violate(Oscillator, "RegTcxo 0x%02X", v)
		c.stopped = true
		c.Halt()
	}
}

func (c *Chip) frequencyInRange() bool {
	f := c.frequency()
	return c.variant.minFreq <= f && f <= c.variant.maxFreq
}

// checkFrequency reports whether the synthesizer can lock.
func (c *Chip) checkFrequency() bool {
	const pllTimeout = 0x80
	c.lora[regHopChannel] &^= pllTimeout
	if c.frequencyInRange() {
		return true
	}
	c.lora[regHopChannel] |= pllTimeout
	c.Violate(BadFrequency, "%v, the %v reaches %v to %v", c.frequency(), c.opt.Model, c.variant.minFreq, c.variant.maxFreq)
	return false
}
