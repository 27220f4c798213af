package sx1276

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
)

// chip is the chip as SPI shows it: registers and the FIFO. Only one goroutine at a time may use it. It is a driver.Chip.
type chip struct {
	driver.SPI
	cfg      lora.Config
	opt      options
	clock    lora.Clock
	pins     Pins
	model    *model
	settings []setting

	snap         snapshot
	transmitting bool // the mode is transmit, or what follows it
	standby      bool // the mode is standby, after Assess
	nextStart    byte // where the next packet is to begin in the FIFO
}

// snapshot holds registers that were read in one transfer, at their addresses.
type snapshot [regVersion + 1]byte

// The last registers of the snapshots. The strength of the moment, RegRssiValue, means something
// only while the chip receives.
const (
	transmitEnd = regIrqFlags   // for a chip that transmits
	statusEnd   = regHopChannel // for one that receives
	settingsEnd = regVersion    // the same, with the settings
)

// read reads a register.
func (c *chip) read(reg register) (byte, error) {
	c.W[0], c.W[1] = byte(reg), 0
	err := c.Retry(2)
	return c.R[1], fail("read", reg, err)
}

// write writes a register.
func (c *chip) write(reg register, value byte) error {
	c.W[0], c.W[1] = byte(reg)|writeBit, value
	return fail("write", reg, c.Retry(2))
}

// unknownMode is no value of RegOpMode.
const unknownMode = -1

// swapMode writes RegOpMode and returns the mode before, which the chip tells in the same transfer
// (data sheet, section 4.3). After a failure it looks whether the chip has obeyed all the same: a mode
// must not be entered twice.
func (c *chip) swapMode(mode byte) (old int, err error) {
	for range driver.Attempts {
		c.W[0], c.W[1] = byte(regOpMode)|writeBit, mode
		if err = c.Tx(2); err == nil {
			return int(c.R[1]), nil
		}
		if now, e := c.read(regOpMode); e == nil && now == mode {
			return unknownMode, nil
		}
	}
	return unknownMode, fail("write", regOpMode, err)
}

// setMode writes RegOpMode.
func (c *chip) setMode(mode byte) error {
	_, err := c.swapMode(mode)
	return err
}

// changeMode is setMode of the LoRa modem, where the mode before is known. A chip that has restarted is put to sleep at
// once, before it does something in the wrong mode.
func (c *chip) changeMode(from, to byte) error {
	from, to = c.mode(from), c.mode(to)
	old, err := c.swapMode(to)
	if err != nil || old == unknownMode || old == int(from) {
		return err
	}
	_ = c.setMode(modeSleep) // what matters is said here:
	return differs("check", regOpMode, byte(old), from)
}

// mode returns the value of RegOpMode for a mode of the LoRa modem.
func (c *chip) mode(mode byte) byte { return longRangeMode | c.fskMode(mode) }

func (c *chip) fskMode(mode byte) byte {
	if c.model.lowFrequency(c.cfg.Frequency) {
		return lowFrequencyMode | mode
	}
	return mode
}

// readStatus reads the registers from RegOpMode to the last one given.
func (c *chip) readStatus(last register) error {
	clear(c.W[:1+last])
	c.W[0] = byte(regOpMode)
	err := c.Retry(int(1 + last))
	copy(c.snap[regOpMode:last+1], c.R[1:])
	return fail("read", regOpMode, err)
}

// readFIFO reads n bytes from an address on into buf.
func (c *chip) readFIFO(buf []byte, addr byte) (err error) {
	for range driver.Attempts {
		if err = c.write(regFifoAddrPtr, addr); err != nil {
			return err
		}
		clear(c.W[:1+len(buf)])
		c.W[0] = byte(regFifo)
		if err = c.Tx(1 + len(buf)); err == nil {
			copy(buf, c.R[1:])
			return nil
		}
	}
	return fail("read", regFifo, err)
}

// writeFIFO writes data from address 0 on.
func (c *chip) writeFIFO(data []byte) (err error) {
	for range driver.Attempts {
		if err = c.write(regFifoAddrPtr, 0); err != nil {
			return err
		}
		c.W[0] = byte(regFifo) | writeBit
		copy(c.W[1:], data)
		if err = c.Tx(1 + len(data)); err == nil {
			return nil
		}
	}
	return fail("write", regFifo, err)
}

// sleep waits, by the radio's clock.
func (c *chip) sleep(d time.Duration) { driver.Pause(c.clock, d) }
