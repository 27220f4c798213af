package sx126x

import (
	"fmt"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// Times of the chip, with reserve.
const (
	enableTime = 10 * time.Millisecond // supplies and switches
	resetPulse = 2 * time.Millisecond  // 100 µs at least
	wakeTime   = time.Millisecond      // until BUSY can be relied on, after the chip select has woken the chip up
	// identifyPause is the pause between identifyTries.
	identifyPause = 10 * time.Millisecond
	identifyTries = 4
	// otherResetTime is what an SX1276 takes after a reset.
	otherResetTime = 10 * time.Millisecond
	sleepTime      = time.Millisecond // 500 µs after SetSleep the chip must not be selected
	// tcxoTime is what a TCXO gets to become stable, each time that the chip comes from a mode without it.
	tcxoTime = 5 * time.Millisecond
	// receiverStarts is how many milliseconds the receiver may need to start.
	receiverStarts = 20
	// refreshEvery is how often the receiver's gain control is set up anew. Strong bursts can leave it deaf.
	refreshEvery = time.Minute
)

// The parameters of times in commands are in steps of 15.625 µs.
func ticks(d time.Duration) uint32 { return uint32(d / (15625 * time.Nanosecond)) }

// reset gives the chip power and pulses the reset line, or wakes the chip up.
func (c *chip) reset() error {
	for _, l := range c.pins.Enable {
		if err := l.Set(transceiver.High); err != nil {
			return &lora.Error{Op: "reset", Reg: "Enable", Err: err}
		}
	}
	if !c.enabled && len(c.pins.Enable) > 0 {
		c.sleep(enableTime)
	}
	c.enabled, c.last = true, 0
	if c.pins.Reset == nil {
		return c.wakeUp()
	}
	err := c.pins.Reset.Drive(transceiver.Low)
	c.sleep(resetPulse)
	if e := c.pins.Reset.Float(); err == nil {
		err = e
	}
	if err != nil {
		return &lora.Error{Op: "reset", Err: err}
	}
	c.sleep(wakeTime)
	return nil
}

// wakeUp selects a chip that may be asleep.
func (c *chip) wakeUp() error {
	c.W[0], c.W[1] = byte(opGetStatus), 0
	if err := c.Tx(2); err != nil {
		return fail("command", opGetStatus.String(), err)
	}
	c.sleep(wakeTime)
	return nil
}

// identify makes sure that a chip of this family answers. Right after a reset it may not.
func (c *chip) identify() error {
	for try := range identifyTries {
		if try > 0 {
			c.sleep(identifyPause)
		}
		if err := c.ready(); err != nil {
			return c.betterError(err)
		}
		c.last = 0
		text, err := c.readRegisters(regVersion, 16)
		if err != nil {
			return err
		}
		c.version = strings.TrimRight(string(text), "\x00 ")
		if strings.HasPrefix(c.version, "SX126") || strings.HasPrefix(c.version, "LLCC68") {
			return nil
		}
	}
	return c.betterError(nil)
}

// betterError finds out what it is that does not answer as it should.
func (c *chip) betterError(err error) error {
	c.sleep(otherResetTime)
	if v, ok := c.sx127x(); ok {
		return &lora.Error{Op: "identify", Reg: "RegVersion", Err: &Problem{Err: fmt.Errorf("0x%02X, an SX1276 or SX1272 answers: %w", v, ErrOtherChip), Remedy: remedySX127x}}
	}
	if err != nil {
		return err
	}
	status := c.R[1]
	if blank(c.version) && (status == 0 || status == 0xFF) {
		return &lora.Error{Op: "identify", Reg: "status", Err: &Problem{Err: fmt.Errorf("0x%02X: %w", status, ErrNoChip), Remedy: remedyNoChip}}
	}
	return &lora.Error{Op: "identify", Reg: "version", Err: &Problem{Err: fmt.Errorf("%q: %w", c.version, ErrOtherChip), Remedy: remedyOtherChip}}
}

// blank reports whether all bytes read as 0, or as 1: nobody drives the wire.
func blank(text string) bool {
	for i := range len(text) {
		if text[i] != 0x00 && text[i] != 0xFF {
			return false
		}
	}
	return true
}

// sx127x asks as one asks an SX1276 for its version. No command of an SX126x begins like that.
func (c *chip) sx127x() (version byte, ok bool) {
	const regVersion127x, version1276, version1272 = 0x42, 0x12, 0x22
	copy(c.scratch[:], c.R[:2])
	defer func() { copy(c.R[:2], c.scratch[:]) }()
	for range 2 {
		c.W[0], c.W[1] = regVersion127x, 0
		if c.Tx(2) != nil || c.R[0] != 0 || c.R[1] != version1276 && c.R[1] != version1272 {
			return 0, false
		}
		version = c.R[1]
	}
	return version, true
}

// SetUp takes the chip from any state to receiving.
func (c *chip) SetUp() error {
	for _, step := range []func() error{c.reset, c.identify, c.standby, c.startOscillator, c.configure, c.testBuffer, c.receive, c.verify} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// standby ends whatever the chip does. The first command after a reset may be refused.
func (c *chip) standby() error {
	c.last = 0
	if err := c.command(opStandby, 0); err != nil {
		return err
	}
	c.last = 0
	return c.command(opStandby, 0)
}

// startOscillator chooses the reference clock and the regulator, calibrates everything, and sees that the clock runs.
func (c *chip) startOscillator() error {
	if code := c.board.tcxoCode(); code >= 0 {
		t := ticks(tcxoTime)
		if err := c.command(opTcxo, byte(code), byte(t>>16), byte(t>>8), byte(t)); err != nil {
			return err
		}
	}
	regulator := byte(1)
	if c.board.Regulator == LDO {
		regulator = 0
	}
	if err := c.command(opRegulator, regulator); err != nil {
		return err
	}
	// After a reset a board with a TCXO always has the error of a crystal that does not start.
	if err := c.command(opClearErrors, 0, 0); err != nil {
		return err
	}
	if err := c.command(opCalibrate, 0x7F); err != nil {
		return err
	}
	c.last = 0 // what is wrong with it is in the errors
	bits, err := c.errorBits()
	if err != nil {
		return err
	}
	if err := c.deviceError(bits); err != nil {
		return err
	}
	return c.command(opStandby, 1)
}

// errorBits asks for the errors of the device.
func (c *chip) errorBits() (uint16, error) {
	if err := c.ask(opGetErrors, 2); err != nil {
		return 0, err
	}
	return uint16(c.R[2])<<8 | uint16(c.R[3]), nil
}

// configure makes all settings, in standby. Settings undo the cures of some errata, which follow them.
func (c *chip) configure() error {
	cfg, pa, cad := &c.cfg, c.board.amplifier(c.cfg.TxPower), cadOf(c.cfg.SpreadingFactor)
	lo, hi := imageBand(cfg.Frequency)
	f, sync := steps(cfg.Frequency), syncRegisters(cfg.SyncWord)
	var ldro, dio2 byte
	if cfg.LowDataRateOptimize() {
		ldro = 1
	}
	if c.board.DIO2Switch {
		dio2 = 1
	}
	wait := ticks(c.cfg.Airtime(lora.MaxPacket))
	for _, s := range [][]byte{
		{byte(opPacketType), 1}, // LoRa
		{byte(opDio2Switch), dio2},
		{byte(opFallback), 0x30}, // standby with the oscillator
		{byte(opCalibrateImage), lo, hi},
		{byte(opFrequency), byte(f >> 24), byte(f >> 16), byte(f >> 8), byte(f)},
		{byte(opModulation), byte(cfg.SpreadingFactor), bandwidthCode(cfg.Bandwidth), byte(cfg.CodingRate), ldro},
		{byte(opBufferBase), 0, 0},
		{byte(opPaConfig), pa.config[0], pa.config[1], pa.config[2], pa.config[3]},
		{byte(opTxParams), byte(pa.power), 0x04},                                                             // ramp 200 µs
		{byte(opCadParams), cad.symbols, cad.peak, cadMin, 1, byte(wait >> 16), byte(wait >> 8), byte(wait)}, // receives what it finds
		{byte(opDioIrqParams), irqMask >> 8, irqMask & 0xFF, irqLine >> 8, irqLine & 0xFF, 0, 0, 0, 0},
	} {
		if err := c.command(opcode(s[0]), s[1:]...); err != nil {
			return err
		}
	}
	if err := c.writeRegisters(regSyncWord, sync[0], sync[1]); err != nil {
		return err
	}
	if err := c.writeRegisters(regOCP, pa.ocp); err != nil { // SetPaConfig has reset it
		return err
	}
	return c.cure()
}

// Bits and values of registers.
const (
	txModNarrow   = 0x04 // erratum 15.1
	txClampBits   = 0x1E // erratum 15.2
	iqNormal      = 0x04 // erratum 15.4
	rxGainBoosted = 0x96
)

// cure obeys the errata that settings and resets undo (data sheet, chapter 15), and chooses the receiver's gain, which calibration resets.
func (c *chip) cure() error {
	var err error
	narrow := byte(txModNarrow)
	if c.cfg.Bandwidth == lora.BW500 {
		narrow = 0
	}
	if c.txMod, err = c.change(regTxMod, txModNarrow, narrow); err != nil { // 15.1, quality of modulation at 500 kHz
		return err
	}
	if c.board.Chip != SX1261 {
		if c.txClamp, err = c.change(regTxClamp, 0, txClampBits); err != nil { // 15.2, a bad antenna
			return err
		}
	}
	if err := c.writeRegisters(regRxGain, rxGainBoosted); err != nil {
		return err
	}
	if err := c.setPacket(lora.MaxPacket); err != nil {
		return err
	}
	// What warm sleep keeps beside what it always does: one register.
	return c.writeRegisters(regRetention, 1, regRxGain>>8, regRxGain&0xFF)
}

// setPacket sets the length of the packet to send, or the longest one to receive. This undoes the cure of erratum 15.4, without which
// packets are not received.
func (c *chip) setPacket(n int) error {
	p := c.cfg.Preamble
	const explicitHeader, crc, iq = 0, 1, 0
	if err := c.command(opPacket, byte(p>>8), byte(p), explicitHeader, byte(n), crc, iq); err != nil {
		return err
	}
	if c.iq == 0 {
		v, err := c.readRegister(regIQ)
		if err != nil {
			return err
		}
		c.iq = v | iqNormal
	}
	return c.writeRegisters(regIQ, c.iq)
}

// testBuffer writes patterns to the buffer and reads them back: bursts suffer first from a clock that is too fast.
func (c *chip) testBuffer() error {
	var wrote, read [lora.MaxPacket]byte
	for _, flip := range []byte{0x00, 0xff} {
		for i := range wrote {
			wrote[i] = byte(i*5) ^ byte(i)<<7 ^ flip
		}
		if err := c.writeBuffer(wrote[:]); err != nil {
			return err
		}
		if err := c.readBuffer(read[:], 0); err != nil {
			return err
		}
		if read != wrote {
			return &lora.Error{Op: "test", Reg: "buffer", Err: &Problem{Err: ErrSPI, Remedy: remedySPI}}
		}
	}
	return nil
}

// verify reads the settings back, and waits until the receiver shows some noise.
func (c *chip) verify() error {
	for range receiverStarts {
		s, err := c.Look(driver.Settings)
		if err != nil {
			return &lora.Error{Op: "set up", Err: &Problem{Err: err, Remedy: remedySPI}}
		}
		if s.Strength > silence {
			return nil
		}
		c.sleep(time.Millisecond)
	}
	return &lora.Error{Op: "set up", Reg: opRssiInst.String(), Err: &Problem{Err: ErrOscillator, Remedy: remedyTCXO(c.board.TCXO)}}
}

// silence is the strength of a receiver that does not run.
const silence = -127

// compare compares registers with what was written, and asks for the errors of the device.
func (c *chip) compare() error {
	sync := syncRegisters(c.cfg.SyncWord)
	for _, s := range []struct {
		name string
		reg  uint16
		want []byte
	}{
		{"sync word", regSyncWord, sync[:]},
		{"receiver gain", regRxGain, []byte{rxGainBoosted}},
		{"IQ polarity", regIQ, []byte{c.iq}},
		{"modulation quality", regTxMod, []byte{c.txMod}},
		{"current limit", regOCP, []byte{c.board.amplifier(c.cfg.TxPower).ocp}},
	} {
		got, err := c.readRegisters(s.reg, len(s.want))
		if err != nil {
			return err
		}
		for i, want := range s.want {
			if got[i] != want {
				return differs(s.name, got[i], want)
			}
		}
	}
	bits, err := c.errorBits()
	if err != nil {
		return err
	}
	return c.deviceError(bits)
}
