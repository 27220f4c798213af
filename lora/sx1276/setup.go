package sx1276

import (
	"fmt"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
)

// Times of the chip (data sheet, sections 2.5 and 7.2), with reserve.
const (
	resetPulse   = 2 * time.Millisecond  // 100 µs at least
	resetTime    = 10 * time.Millisecond // 5 ms after a reset, 10 ms after power-on
	wakeTime     = time.Millisecond      // TS_OSC, 250 µs: the oscillator after sleep
	calibrateMax = 100 * time.Millisecond
	// receiverStarts is how many milliseconds the receiver may need to start.
	receiverStarts = 20
)

// findModel finds out which chip it is.
func (c *chip) findModel() error {
	m, err := c.identify()
	if err != nil {
		// Perhaps a reset helps: one of an SX1276, which hats have.
		if e := c.reset(); e != nil {
			return e
		}
		if m, err = c.identify(); err != nil {
			return err
		}
	}
	c.model = m
	return nil
}

// makeSettings works out the registers' values.
func (c *chip) makeSettings() (err error) {
	if c.settings, err = c.model.settings(c.cfg, &c.opt); err != nil {
		return fmt.Errorf("sx1276: %w", err)
	}
	return nil
}

// identify reads which chip it is.
func (c *chip) identify() (*model, error) {
	version, err := c.read(regVersion)
	if err != nil {
		return nil, err
	}
	m, ok := modelOf(version)
	if ok && m == &chip1276 {
		return m, nil
	}
	// An SX126x takes this for a command that it does not know, and answers with its status: 0x22, too, in standby.
	if text, found := c.sx126x(); found {
		return nil, otherFamily(text)
	}
	if !ok {
		return nil, wrongVersion(version)
	}
	return m, nil
}

// sx126x asks for the version as one asks a chip of that family. Chips of this one tell their registers, which they do anyway.
func (c *chip) sx126x() (text string, ok bool) {
	const readRegister, addrHigh, addrLow, from, to = 0x1d, 0x03, 0x20, 4, 20
	clear(c.W[:to])
	c.W[0], c.W[1], c.W[2] = readRegister, addrHigh, addrLow
	if c.Retry(to) != nil {
		return "", false
	}
	text = strings.TrimRight(string(c.R[from:to]), "\x00 ")
	return text, strings.HasPrefix(text, "SX126") || strings.HasPrefix(text, "LLCC68")
}

// reset pulses the reset line, if there is one.
func (c *chip) reset() error {
	if c.pins.Reset == nil {
		return nil
	}
	err := c.pins.Reset.Drive(c.model.resetLevel)
	c.sleep(resetPulse)
	if e := c.pins.Reset.Float(); err == nil {
		err = e
	}
	c.sleep(resetTime)
	if err != nil {
		return &lora.Error{Op: "reset", Err: err}
	}
	return nil
}

// wake chooses the reference clock and takes the chip to standby in FSK mode.
func (c *chip) wake() error {
	// LongRangeMode can be changed in sleep alone.
	old, err := c.read(regOpMode)
	if err != nil {
		return err
	}
	if old&longRangeMode != 0 {
		if err := c.setMode(c.mode(modeSleep)); err != nil {
			return err
		}
	}
	if err := c.setMode(c.fskMode(modeSleep)); err != nil {
		return err
	}
	tcxo, err := c.read(c.model.tcxo)
	if err != nil {
		return err
	}
	want := tcxo &^ tcxoInput
	if c.opt.oscillator == TCXO {
		want = tcxo | tcxoInput
	}
	if want != tcxo {
		if err := c.write(c.model.tcxo, want); err != nil {
			return err
		}
	}
	if err := c.setMode(c.fskMode(modeStandby)); err != nil {
		return err
	}
	c.sleep(wakeTime)
	return nil
}

// calibrate makes the receiver reject the image frequency, at the frequency in use. The chip does that by
// itself at power-on, for its default of 434 MHz.
func (c *chip) calibrate() error {
	if !c.model.lowBands {
		return nil
	}
	f := frf(c.cfg.Frequency)
	for _, s := range []setting{
		{reg: regPaConfig, value: 0}, // nothing may leave the antenna
		{reg: regFrfMsb, value: byte(f >> 16)}, {reg: regFrfMid, value: byte(f >> 8)}, {reg: regFrfLsb, value: byte(f)},
	} {
		if err := c.write(s.reg, s.value); err != nil {
			return err
		}
	}
	cal, err := c.read(regImageCal)
	if err != nil {
		return err
	}
	if err := c.write(regImageCal, cal|imageCalStart); err != nil {
		return err
	}
	for end := c.clock.Now().Add(calibrateMax); ; {
		now := c.clock.Now() // before the read: a host that stalls after it has not seen the chip stand still
		if cal, err = c.read(regImageCal); err != nil {
			return err
		}
		if cal&imageCalRunning == 0 {
			return nil
		}
		if now.After(end) {
			return &lora.Error{Op: "calibrate", Reg: "RegImageCal", Err: &Problem{Err: ErrOscillator, Remedy: remedyOscillator}}
		}
		c.sleep(time.Millisecond)
	}
}

// configure writes all settings in sleep, and leaves the chip in standby.
func (c *chip) configure() error {
	for _, mode := range []byte{c.fskMode(modeSleep), c.mode(modeSleep)} {
		if err := c.setMode(mode); err != nil {
			return err
		}
	}
	for _, s := range c.settings {
		if err := c.write(s.reg, s.value); err != nil {
			return err
		}
	}
	if err := c.setMode(c.mode(modeStandby)); err != nil {
		return err
	}
	c.sleep(wakeTime)
	return nil
}

// testFIFO writes patterns to the FIFO and reads them back: bursts suffer first from a clock that is too fast.
func (c *chip) testFIFO() error {
	var wrote, read [lora.MaxPacket]byte
	for _, flip := range []byte{0x00, 0xff} {
		for i := range wrote {
			wrote[i] = byte(i*5) ^ byte(i)<<7 ^ flip
		}
		if err := c.writeFIFO(wrote[:]); err != nil {
			return err
		}
		if err := c.readFIFO(read[:], 0); err != nil {
			return err
		}
		if read != wrote {
			return &lora.Error{Op: "test", Reg: regFifo.String(), Err: &Problem{Err: ErrSPI, Remedy: remedySPI}}
		}
	}
	return nil
}

// verify reads the settings back, and waits until the receiver shows some noise: with that the oscillator
// runs.
func (c *chip) verify() error {
	for range receiverStarts {
		if _, err := c.Look(driver.Settings); err != nil {
			return &lora.Error{Op: "set up", Err: &Problem{Err: err, Remedy: remedySPI}}
		}
		if c.snap[regRssiValue] != 0 {
			return nil
		}
		c.sleep(time.Millisecond)
	}
	return &lora.Error{Op: "set up", Reg: regRssiValue.String(), Err: &Problem{Err: ErrOscillator, Remedy: remedyOscillator}}
}

// compare compares the registers of a snapshot with the settings.
func (c *chip) compare(last register) error {
	for _, s := range c.settings {
		if s.check == checked && s.reg <= last && c.snap[s.reg] != s.value {
			return differs("check", s.reg, c.snap[s.reg], s.value)
		}
	}
	return nil
}

// otherModel is the error of a chip that turns into another.
func otherModel(m, was *model) error {
	return &lora.Error{Op: "identify", Reg: regVersion.String(), Err: fmt.Errorf("an %s, was an %s: %w", m.name, was.name, ErrOtherChip)}
}

func differs(op string, reg register, got, want byte) error {
	return &lora.Error{Op: op, Reg: reg.String(), Err: fmt.Errorf("0x%02X, not 0x%02X: %w", got, want, ErrRestarted)}
}
