package sx1276

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/spi"
)

// Times of the chip (data sheet, sections 2.5 and 7.2), with reserve.
const (
	resetPulse   = 2 * time.Millisecond  // 100 µs at least
	resetTime    = 10 * time.Millisecond // 5 ms after a reset, 10 ms after power-on
	wakeTime     = time.Millisecond      // TS_OSC, 250 µs: the oscillator after sleep
	calibrateMax = 100 * time.Millisecond
	// receiverStarts is how many times rssiSettle the receiver may need to start.
	receiverStarts = 20
)

// connect connects the port.
func (r *Radio) connect(port spi.Port) error {
	if r.pins.CS != nil {
		if err := r.pins.CS.Set(High); err != nil {
			return &lora.Error{Op: "open", Err: fmt.Errorf("chip select: %w", err)}
		}
	}
	mode := spi.Mode0
	if r.opt.noCS {
		mode |= spi.NoCS
	}
	conn, err := port.Connect(r.opt.spiClock, mode, 8)
	if err != nil {
		if r.opt.noCS {
			err = &Problem{err, remedyNoCS}
		}
		return &lora.Error{Op: "open", Err: err}
	}
	r.chip.conn = conn
	return nil
}

// findModel finds out which chip it is.
func (r *Radio) findModel() error {
	m, err := r.chip.identify()
	if err != nil {
		// Perhaps a reset helps: one of an SX1276, which hats have.
		if e := r.reset(); e != nil {
			return e
		}
		if m, err = r.chip.identify(); err != nil {
			return err
		}
	}
	r.model = m
	return nil
}

// makeSettings works out the registers' values.
func (r *Radio) makeSettings() (err error) {
	if r.settings, err = r.model.settings(r.cfg, &r.opt); err != nil {
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
	if !ok {
		return nil, wrongVersion(version)
	}
	return m, nil
}

// reset pulses the reset line, if there is one.
func (r *Radio) reset() error {
	if r.pins.Reset == nil {
		return nil
	}
	err := r.pins.Reset.Drive(r.model.resetLevel)
	r.sleep(resetPulse)
	if e := r.pins.Reset.Float(); err == nil {
		err = e
	}
	r.sleep(resetTime)
	if err != nil {
		return &lora.Error{Op: "reset", Err: err}
	}
	return nil
}

// setUp takes the chip from any state to receiving.
func (r *Radio) setUp() error {
	r.asleep = false
	if err := r.reset(); err != nil {
		return err
	}
	m, err := r.chip.identify()
	if err != nil {
		return err
	}
	if m != r.model {
		return &lora.Error{Op: "identify", Reg: regVersion.String(), Err: fmt.Errorf("an %s, was an %s: %w", m.name, r.model.name, ErrOtherChip)}
	}
	for _, step := range []func() error{r.wake, r.calibrate, r.configure, r.testFIFO, r.listen, r.verify} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mode returns the value of RegOpMode for a mode of the LoRa modem.
func (r *Radio) mode(mode byte) byte { return longRangeMode | r.fskMode(mode) }

func (r *Radio) fskMode(mode byte) byte {
	if r.model.lowFrequency(r.cfg.Frequency) {
		return lowFrequencyMode | mode
	}
	return mode
}

// wake chooses the reference clock and takes the chip to standby in FSK mode.
func (r *Radio) wake() error {
	c := &r.chip
	// LongRangeMode can be changed in sleep alone.
	old, err := c.read(regOpMode)
	if err != nil {
		return err
	}
	if old&longRangeMode != 0 {
		if err := c.setMode(r.mode(modeSleep)); err != nil {
			return err
		}
	}
	if err := c.setMode(r.fskMode(modeSleep)); err != nil {
		return err
	}
	tcxo, err := c.read(r.model.tcxo)
	if err != nil {
		return err
	}
	want := tcxo &^ tcxoInput
	if r.opt.oscillator == TCXO {
		want = tcxo | tcxoInput
	}
	if want != tcxo {
		if err := c.write(r.model.tcxo, want); err != nil {
			return err
		}
	}
	if err := c.setMode(r.fskMode(modeStandby)); err != nil {
		return err
	}
	r.sleep(wakeTime)
	return nil
}

// calibrate makes the receiver reject the image frequency, at the frequency in use. The chip does that by
// itself at power-on, for its default of 434 MHz.
func (r *Radio) calibrate() error {
	if !r.model.lowBands {
		return nil
	}
	c := &r.chip
	f := frf(r.cfg.Frequency)
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
	for end := r.clock.Now().Add(calibrateMax); ; {
		now := r.clock.Now() // before the read: a host that stalls after it has not seen the chip stand still
		if cal, err = c.read(regImageCal); err != nil {
			return err
		}
		if cal&imageCalRunning == 0 {
			return nil
		}
		if now.After(end) {
			return &lora.Error{Op: "calibrate", Reg: "RegImageCal", Err: &Problem{ErrOscillator, remedyOscillator}}
		}
		r.sleep(time.Millisecond)
	}
}

// configure writes all settings in sleep, and leaves the chip in standby.
func (r *Radio) configure() error {
	c := &r.chip
	for _, mode := range []byte{r.fskMode(modeSleep), r.mode(modeSleep)} {
		if err := c.setMode(mode); err != nil {
			return err
		}
	}
	for _, s := range r.settings {
		if err := c.write(s.reg, s.value); err != nil {
			return err
		}
	}
	if err := c.setMode(r.mode(modeStandby)); err != nil {
		return err
	}
	r.sleep(wakeTime)
	return nil
}

// testFIFO writes patterns to the FIFO and reads them back: bursts suffer first from a clock that is too fast.
func (r *Radio) testFIFO() error {
	var wrote, read [lora.MaxPacket]byte
	for _, flip := range []byte{0x00, 0xff} {
		for i := range wrote {
			wrote[i] = byte(i*5) ^ byte(i)<<7 ^ flip
		}
		if err := r.chip.writeFIFO(wrote[:]); err != nil {
			return err
		}
		if err := r.chip.readFIFO(read[:], 0); err != nil {
			return err
		}
		if read != wrote {
			return &lora.Error{Op: "test", Reg: regFifo.String(), Err: &Problem{ErrSPI, remedySPI}}
		}
	}
	return nil
}

// verify reads the settings back, and waits until the receiver shows some noise: with that the oscillator
// runs.
func (r *Radio) verify() error {
	for range receiverStarts {
		if _, err := r.look(causeCheck); err != nil {
			return &lora.Error{Op: "set up", Err: &Problem{err, remedySPI}}
		}
		if r.snap[regRssiValue] != 0 {
			return nil
		}
		r.sleep(rssiSettle)
	}
	return &lora.Error{Op: "set up", Reg: regRssiValue.String(), Err: &Problem{ErrOscillator, remedyOscillator}}
}

// compare compares the registers of a snapshot with the settings.
func (r *Radio) compare(last register) error {
	for _, s := range r.settings {
		if s.check == checked && s.reg <= last && r.snap[s.reg] != s.value {
			return differs("check", s.reg, r.snap[s.reg], s.value)
		}
	}
	return nil
}

func differs(op string, reg register, got, want byte) error {
	return &lora.Error{Op: op, Reg: reg.String(), Err: fmt.Errorf("0x%02X, not 0x%02X: %w", got, want, ErrRestarted)}
}

// listen starts to receive, from standby.
func (r *Radio) listen() error {
	if err := r.chip.write(regIrqFlags, irqAll); err != nil {
		return err
	}
	if err := r.changeMode(modeStandby, modeRxContinuous); err != nil {
		return err
	}
	r.listenSince = r.clock.Now()
	r.nextStart = 0
	r.receivingSince = time.Time{}
	return nil
}
