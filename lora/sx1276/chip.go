package sx1276

import (
	"sync/atomic"

	"periph.io/x/conn/v3"
)

// chip is the chip as SPI shows it: registers and the FIFO. Only one goroutine at a time may use it.
type chip struct {
	conn conn.Conn
	cs   Output // nil: the port selects the chip

	w, r [1 + fifoSize]byte

	transfers, bytes, errors atomic.Uint64
	busy                     atomic.Bool // a transfer is under way
}

// attempts is how often a transfer is tried. Everything but RegOpMode (see setMode) can be
// written and read twice.
const attempts = 3

// snapshot holds registers that were read in one transfer, at their addresses.
type snapshot [regVersion + 1]byte

// The last registers of the snapshots. The strength of the moment, RegRssiValue, means something
// only while the chip receives.
const (
	transmitEnd = regIrqFlags   // for a chip that transmits
	statusEnd   = regHopChannel // for one that receives
	settingsEnd = regVersion    // the same, with the settings
)

// tx exchanges the first n bytes of c.w for those of c.r, once.
func (c *chip) tx(n int) error {
	c.transfers.Add(1)
	c.bytes.Add(uint64(n))
	c.busy.Store(true)
	defer c.busy.Store(false)
	if c.cs != nil {
		if err := c.cs.Set(Low); err != nil {
			c.errors.Add(1)
			return err
		}
	}
	err := c.conn.Tx(c.w[:n], c.r[:n])
	if c.cs != nil {
		if e := c.cs.Set(High); err == nil {
			err = e
		}
	}
	if err != nil {
		c.errors.Add(1)
	}
	return err
}

// retry is tx with several attempts.
func (c *chip) retry(n int) (err error) {
	for range attempts {
		if err = c.tx(n); err == nil {
			return nil
		}
	}
	return err
}

// read reads a register.
func (c *chip) read(reg register) (byte, error) {
	c.w[0], c.w[1] = byte(reg), 0
	err := c.retry(2)
	return c.r[1], fail("read", reg, err)
}

// write writes a register.
func (c *chip) write(reg register, value byte) error {
	c.w[0], c.w[1] = byte(reg)|writeBit, value
	return fail("write", reg, c.retry(2))
}

// unknownMode is no value of RegOpMode.
const unknownMode = -1

// swapMode writes RegOpMode and returns the mode before, which the chip tells in the same transfer
// (data sheet, section 4.3). After a failure it looks whether the chip has obeyed all the same: a mode
// must not be entered twice.
func (c *chip) swapMode(mode byte) (old int, err error) {
	for range attempts {
		c.w[0], c.w[1] = byte(regOpMode)|writeBit, mode
		if err = c.tx(2); err == nil {
			return int(c.r[1]), nil
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

// changeMode is setMode where the mode before is known. A chip that has restarted is put to sleep at
// once, before it does something in the wrong mode.
func (c *chip) changeMode(from, to byte) error {
	old, err := c.swapMode(to)
	if err != nil || old == unknownMode || old == int(from) {
		return err
	}
	_ = c.setMode(modeSleep) // what matters is said here:
	return differs("check", regOpMode, byte(old), from)
}

// look reads the registers from RegOpMode to the last one given.
func (c *chip) look(s *snapshot, last register) error {
	clear(c.w[:1+last])
	c.w[0] = byte(regOpMode)
	err := c.retry(int(1 + last))
	copy(s[regOpMode:last+1], c.r[1:])
	return fail("read", regOpMode, err)
}

// readFIFO reads n bytes from an address on into buf.
func (c *chip) readFIFO(buf []byte, addr byte) (err error) {
	for range attempts {
		if err = c.write(regFifoAddrPtr, addr); err != nil {
			return err
		}
		clear(c.w[:1+len(buf)])
		c.w[0] = byte(regFifo)
		if err = c.tx(1 + len(buf)); err == nil {
			copy(buf, c.r[1:])
			return nil
		}
	}
	return fail("read", regFifo, err)
}

// writeFIFO writes data from address 0 on.
func (c *chip) writeFIFO(data []byte) (err error) {
	for range attempts {
		if err = c.write(regFifoAddrPtr, 0); err != nil {
			return err
		}
		c.w[0] = byte(regFifo) | writeBit
		copy(c.w[1:], data)
		if err = c.tx(1 + len(data)); err == nil {
			return nil
		}
	}
	return fail("write", regFifo, err)
}
