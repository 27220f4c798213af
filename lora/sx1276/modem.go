package sx1276

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
)

// Name returns "SX1276" or "SX1272".
func (c *chip) Name() string { return c.model.name }

// Look reads the status, and makes sure that the chip is as it was set. One wrong byte may be the wire's fault.
func (c *chip) Look(d driver.Depth) (driver.Status, error) {
	last := statusEnd
	switch {
	case c.transmitting:
		last = transmitEnd
	case d == driver.Settings:
		last = settingsEnd
	}
	var err error
	for range driver.Attempts {
		if err = c.readStatus(last); err != nil {
			return driver.Status{}, err
		}
		if err = c.checkMode(); err == nil {
			if err = c.compare(last); err == nil {
				return c.status(), nil
			}
		}
	}
	return driver.Status{}, err
}

// status says what the registers of the last look tell.
func (c *chip) status() driver.Status {
	flags := c.snap[regIrqFlags]
	s := driver.Status{RxDone: flags&irqRxDone != 0, TxDone: flags&irqTxDone != 0, Other: flags&^(irqRxDone|irqTxDone) != 0}
	if c.transmitting {
		return s
	}
	switch stat := c.snap[regModemStat]; {
	case stat&statHeaderValid != 0:
		s.Progress = driver.Header
	case stat&statReceiving != 0:
		s.Progress = driver.Preamble
	}
	s.Strength = c.model.rssi(c.cfg.Frequency, c.snap[regRssiValue])
	return s
}

// checkMode makes sure that the chip is in the mode that it was set to.
func (c *chip) checkMode() error {
	got, want := c.snap[regOpMode], c.mode(modeRxContinuous)
	if c.transmitting {
		if want = c.mode(modeTx); got == c.mode(modeStandby) {
			return nil // it has sent
		}
	}
	if got != want {
		return differs("check", regOpMode, got, want)
	}
	return nil
}

// Clear clears the flags of the last look.
func (c *chip) Clear() error { return c.write(regIrqFlags, c.snap[regIrqFlags]) }

// Read takes a packet out of the FIFO.
func (c *chip) Read(p *driver.Packet) error {
	start, n := c.snap[regFifoRxCurrent], c.snap[regRxNbBytes]
	p.Missed = start != c.nextStart
	c.nextStart = start + n
	p.CRCError = c.snap[regIrqFlags]&irqPayloadCrcError != 0
	p.NoCRC = c.snap[regHopChannel]&crcOnPayload == 0
	p.Reception, p.Length = lora.Reception{}, int(n)
	// The flags first: from now on they can tell of the next packet.
	if err := c.Clear(); err != nil || p.CRCError || p.NoCRC || n == 0 {
		return err
	}
	if err := c.readFIFO(p.Payload[:n], start); err != nil {
		return err
	}
	p.N, p.SNR = int(n), packetSNR(c.snap[regPktSnrValue])
	p.RSSI = c.model.packetRSSI(c.cfg.Frequency, c.snap[regPktRssiValue], p.SNR)
	return nil
}

// Transmit puts a packet on the air.
func (c *chip) Transmit(packet []byte) error {
	if !c.standby {
		if err := c.changeMode(modeRxContinuous, modeStandby); err != nil {
			return err
		}
	}
	if err := c.writeFIFO(packet); err != nil {
		return err
	}
	if err := c.write(regPayloadLength, byte(len(packet))); err != nil {
		return err
	}
	if err := c.write(regDioMapping1, dio0TxDone); err != nil {
		return err
	}
	if err := c.changeMode(modeStandby, modeTx); err != nil {
		return err
	}
	c.transmitting, c.standby = true, false
	return nil
}

// Listen goes back to reception after TxDone. The chip is in standby.
func (c *chip) Listen() error {
	if err := c.write(regDioMapping1, dio0RxDone); err != nil {
		return err
	}
	return c.receive()
}

// receive starts to receive, from standby.
func (c *chip) receive() error {
	if err := c.write(regIrqFlags, irqAll); err != nil {
		return err
	}
	if err := c.changeMode(modeStandby, modeRxContinuous); err != nil {
		return err
	}
	c.transmitting, c.standby, c.nextStart = false, false, 0
	return nil
}

// Restart makes the modem forget what it seems to receive.
func (c *chip) Restart() error {
	if err := c.changeMode(modeRxContinuous, modeStandby); err != nil {
		return err
	}
	return c.receive()
}

// Sleep ends reception. The chip takes 0.2 µA then, in place of 11.5 mA.
func (c *chip) Sleep() error { return c.changeMode(modeRxContinuous, modeSleep) }

// Wake begins reception again.
func (c *chip) Wake() error {
	// A chip that has lost its supply meanwhile is no LoRa modem any more, and must not be told to be one in standby.
	switch got, err := c.read(regOpMode); {
	case err != nil:
		return err
	case got != c.mode(modeSleep):
		return differs("check", regOpMode, got, c.mode(modeSleep))
	}
	if err := c.changeMode(modeSleep, modeStandby); err != nil {
		return err
	}
	c.sleep(wakeTime)
	return c.receive()
}

// ShutDown puts the chip to sleep.
func (c *chip) ShutDown() error { return c.setMode(c.mode(modeSleep)) }

// SetUp takes the chip from any state to receiving.
func (c *chip) SetUp() error {
	if err := c.reset(); err != nil {
		return err
	}
	m, err := c.identify()
	if err != nil {
		return err
	}
	if m != c.model {
		return otherModel(m, c.model)
	}
	for _, step := range []func() error{c.wake, c.calibrate, c.configure, c.testFIFO, c.receive, c.verify} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Assess looks for activity on the channel: the modem correlates for a little less than two symbols with a chirp as they are in
// preamble and payload (data sheet, section 4.1.6).
func (c *chip) Assess() (busy bool, err error) {
	if err := c.changeMode(modeRxContinuous, modeStandby); err != nil {
		return false, err
	}
	if err := c.setMode(c.mode(modeCad)); err != nil {
		return false, err
	}
	flags, err := c.awaitCAD()
	if err != nil {
		return false, err
	}
	if err := c.write(regIrqFlags, irqAll); err != nil {
		return false, err
	}
	if flags&irqCadDetected != 0 {
		return true, c.receive()
	}
	c.standby = true
	return false, nil
}

// awaitCAD waits for the end of channel activity detection, and returns the flags.
func (c *chip) awaitCAD() (flags byte, err error) {
	symbol := c.cfg.SymbolTime()
	limit := c.clock.Now().Add(3*symbol + cadGrace)
	for c.sleep(symbol * 7 / 4); ; c.sleep(symbol / 8) {
		now := c.clock.Now() // before the read: a host that stalls after it has not seen the chip stand still
		if flags, err = c.read(regIrqFlags); err != nil || flags&irqCadDone != 0 {
			return flags, err
		}
		if now.After(limit) {
			return 0, &lora.Error{Op: "assess", Reg: regIrqFlags.String(), Err: &Problem{Err: ErrOscillator, Remedy: remedyOscillator}}
		}
	}
}

// cadGrace is how much longer channel activity detection may take than its symbols.
const cadGrace = 20 * time.Millisecond
