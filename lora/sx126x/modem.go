package sx126x

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// chip is the chip as SPI shows it: commands, registers and a buffer. Only one goroutine at a time may use it. It is a driver.Chip.
type chip struct {
	driver.SPI
	cfg   lora.Config
	opt   options
	clock lora.Clock
	pins  Pins
	board Board

	version string
	last    opcode // the command of which the next status byte tells
	scratch [2]byte
	enabled bool

	// What registers hold whose other bits are the chip's.
	iq, txMod, txClamp byte

	transmitting bool   // SetTx, or what follows it
	idle         bool   // standby, after Assess
	single       bool   // reception that ends with a packet, after Assess
	ended        bool   // it has
	irq          uint16 // of the last Look
	nextStart    byte   // where the next packet is to begin in the buffer
}

// sleep waits, by the radio's clock.
func (c *chip) sleep(d time.Duration) { driver.Pause(c.clock, d) }

// Name returns the name of the chip.
func (c *chip) Name() string { return c.board.Chip.String() }

// Look asks for flags and mode. One wrong byte may be the wire's fault.
func (c *chip) Look(d driver.Depth) (driver.Status, error) {
	var err error
	for range driver.Attempts {
		if err = c.ask(opGetIrq, 2); err != nil {
			return driver.Status{}, err
		}
		c.irq = uint16(c.R[2])<<8 | uint16(c.R[3])
		if err = c.checkMode(c.R[1]); err == nil && d == driver.Settings && !c.transmitting {
			err = c.compare()
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		return driver.Status{}, err
	}
	s := c.status()
	if d != driver.Events && !c.transmitting && !c.ended {
		if err := c.ask(opRssiInst, 1); err != nil {
			return driver.Status{}, err
		}
		s.Strength = -int(c.R[2]) / 2
	}
	return s, nil
}

// checkMode makes sure that the chip is in the mode that it was set to.
func (c *chip) checkMode(status byte) error {
	mode, want := statusMode(status), byte(modeRx)
	switch {
	case c.transmitting && c.irq&irqTxDone != 0 && mode == modeXOSC:
		return nil // it has sent
	case c.transmitting:
		want = modeTx
	case c.single && (mode == modeXOSC || mode == modeRC) && c.irq&(irqRxDone|irqTimeout) != 0:
		c.ended = true
		return nil
	}
	if mode != want || status == 0xFF {
		return differs("mode", mode, want)
	}
	return nil
}

// status says what the flags of the last look tell.
func (c *chip) status() driver.Status {
	f := c.irq
	s := driver.Status{RxDone: f&irqRxDone != 0, TxDone: f&irqTxDone != 0}
	s.Other = !s.RxDone && f&(irqHeaderErr|irqCrcErr|irqCadDone|irqCadDetected|irqTimeout) != 0
	switch {
	case c.transmitting, s.Other:
	case f&irqHeaderValid != 0:
		s.Progress = driver.Header
	case f&irqPreamble != 0:
		s.Progress = driver.Preamble
	}
	return s
}

// Clear clears the flags of the last look that tell of something that is over.
func (c *chip) Clear() error {
	flags := c.irq
	if flags&(irqHeaderErr|irqTimeout) == 0 {
		flags &^= irqPreamble | irqHeaderValid // of a reception that goes on
	}
	if err := c.clearIrq(flags); err != nil {
		return err
	}
	return c.goOn()
}

// goOn receives continuously again when a single reception has ended.
func (c *chip) goOn() error {
	if !c.ended {
		return nil
	}
	return c.receive()
}

// Read takes a packet out of the buffer.
func (c *chip) Read(p *driver.Packet) error {
	if err := c.ask(opRxBufferStatus, 2); err != nil {
		return err
	}
	n, start := c.R[2], c.R[3]
	p.Missed = start != c.nextStart && start != 0
	c.nextStart = start + n
	p.Reception, p.Length = lora.Reception{}, int(n)
	p.CRCError = c.irq&irqCrcErr != 0
	p.NoCRC = false
	if !p.CRCError {
		header, err := c.readRegister(regHeaderCRC)
		if err != nil {
			return err
		}
		p.NoCRC = header&headerCRC == 0
	}
	// The flags now: from here on they can tell of the next packet.
	if err := c.clearIrq(c.irq & irqReception); err != nil {
		return err
	}
	if p.CRCError || p.NoCRC || n == 0 {
		return c.goOn()
	}
	if err := c.ask(opPacketStatus, 3); err != nil {
		return err
	}
	p.SNR = float64(int8(c.R[3])) / 4
	if p.RSSI = -int(c.R[2]) / 2; p.SNR < 0 { // what is left of it without the noise
		p.RSSI = -int(c.R[4]) / 2
	}
	if err := c.readBuffer(p.Payload[:n], start); err != nil {
		return err
	}
	p.N = int(n)
	return c.goOn()
}

// headerCRC in regHeaderCRC says that the packet has a CRC.
const headerCRC = 0x10

// Transmit puts a packet on the air.
func (c *chip) Transmit(packet []byte) error {
	if !c.idle {
		if err := c.stop(); err != nil {
			return err
		}
	}
	if err := c.writeBuffer(packet); err != nil {
		return err
	}
	if err := c.setPacket(len(packet)); err != nil {
		return err
	}
	if err := c.moveSwitch(transceiver.Low, transceiver.High); err != nil {
		return err
	}
	if err := c.begin(modeTx, opTx, 0, 0, 0); err != nil {
		return err
	}
	c.transmitting, c.idle = true, false
	return nil
}

// stop ends reception. A chip that is not in reception has lost its settings.
func (c *chip) stop() error {
	if err := c.command(opStandby, 1); err != nil {
		return err
	}
	if mode := statusMode(c.R[1]); mode != modeRx && !c.single { // before it
		return differs("mode", mode, modeRx)
	}
	return nil
}

// moveSwitch moves the antenna switch, where that is the host's task.
func (c *chip) moveSwitch(rx, tx transceiver.Level) error {
	for _, l := range []struct {
		pin   Output
		level transceiver.Level
	}{{c.pins.RXEN, rx}, {c.pins.TXEN, tx}} {
		if l.pin == nil {
			continue
		}
		if err := l.pin.Set(l.level); err != nil {
			return &lora.Error{Op: "switch", Err: err}
		}
	}
	return nil
}

// Listen goes back to reception after TxDone.
func (c *chip) Listen() error {
	if err := c.setPacket(lora.MaxPacket); err != nil {
		return err
	}
	return c.receive()
}

// receive starts to receive, without flags.
func (c *chip) receive() error {
	if err := c.moveSwitch(transceiver.High, transceiver.Low); err != nil {
		return err
	}
	if err := c.clearIrq(irqMask); err != nil {
		return err
	}
	if err := c.begin(modeRx, opRx, 0xFF, 0xFF, 0xFF); err != nil {
		return err
	}
	c.transmitting, c.idle, c.single, c.ended, c.nextStart = false, false, false, false, 0
	return nil
}

// Restart makes the modem forget what it seems to receive. A preamble that no header follows is a flag that has stayed, no more.
func (c *chip) Restart() error {
	if c.irq&irqHeaderValid == 0 {
		return c.clearIrq(irqPreamble | irqHeaderErr)
	}
	if err := c.stop(); err != nil {
		return err
	}
	return c.receive()
}

// Assess looks for activity on the channel. What it finds is received, if enough of its preamble is left.
func (c *chip) Assess() (busy bool, err error) {
	if err := c.stop(); err != nil {
		return false, err
	}
	if err := c.clearIrq(irqMask); err != nil {
		return false, err
	}
	if err := c.begin(modeRx, opCad); err != nil {
		return false, err
	}
	flags, err := c.awaitCAD()
	if err != nil {
		return false, err
	}
	if err := c.clearIrq(irqCadDone | irqCadDetected); err != nil {
		return false, err
	}
	if c.idle = flags&irqCadDetected == 0; c.idle {
		return false, nil
	}
	c.single, c.nextStart = true, 0
	return true, nil
}

// awaitCAD waits for the end of channel activity detection, and returns the flags.
func (c *chip) awaitCAD() (flags uint16, err error) {
	symbol := c.cfg.SymbolTime()
	symbols := time.Duration(1) << cadOf(c.cfg.SpreadingFactor).symbols
	limit := c.clock.Now().Add((symbols+2)*symbol + cadGrace)
	for c.sleep(symbols*symbol + symbol/2); ; c.sleep(symbol / 8) {
		now := c.clock.Now() // before the question: a host that stalls after it has not seen the chip stand still
		if err = c.ask(opGetIrq, 2); err != nil {
			return 0, err
		}
		if flags = uint16(c.R[2])<<8 | uint16(c.R[3]); flags&irqCadDone != 0 {
			return flags, nil
		}
		if now.After(limit) {
			return 0, &lora.Error{Op: "assess", Reg: opCad.String(), Err: &Problem{Err: ErrOscillator, Remedy: remedyTCXO(c.board.TCXO)}}
		}
	}
}

// cadGrace is how much longer channel activity detection may take than its symbols.
const cadGrace = 20 * time.Millisecond

// Sleep ends reception. The chip keeps its settings and takes 0.6 µA.
func (c *chip) Sleep() error {
	if err := c.stop(); err != nil {
		return err
	}
	if err := c.moveSwitch(transceiver.Low, transceiver.Low); err != nil {
		return err
	}
	const warm = 0x04
	err := c.command(opSleep, warm)
	c.sleep(sleepTime)
	return err
}

// Wake begins reception again. A chip that has lost its supply meanwhile knows nothing of LoRa.
func (c *chip) Wake() error {
	c.last = 0
	if err := c.wakeUp(); err != nil {
		return err
	}
	if err := c.standby(); err != nil {
		return err
	}
	sync, err := c.readRegisters(regSyncWord, 2)
	if err != nil {
		return err
	}
	if want := syncRegisters(c.cfg.SyncWord); sync[0] != want[0] || sync[1] != want[1] {
		return differs("sync word", sync[0], want[0])
	}
	return c.receive()
}

// ShutDown puts the chip to sleep, whatever it does.
func (c *chip) ShutDown() error {
	c.last = 0
	if err := c.wakeUp(); err != nil {
		return err
	}
	if err := c.command(opStandby, 0); err != nil {
		return err
	}
	if err := c.moveSwitch(transceiver.Low, transceiver.Low); err != nil {
		return err
	}
	err := c.command(opSleep, 0)
	c.sleep(sleepTime)
	for _, l := range c.pins.Enable {
		if e := l.Set(transceiver.Low); err == nil {
			err = e
		}
	}
	c.enabled = false
	return err
}

// RefreshEvery returns how often Refresh is due.
func (c *chip) RefreshEvery() time.Duration { return refreshEvery }

// Refresh sets up the receiver's gain control anew: calibration does that, and undoes some settings. All of them follow: most cannot be
// read back, so this is also what heals one that a disturbed wire has changed.
func (c *chip) Refresh() error {
	if err := c.stop(); err != nil {
		return err
	}
	if err := c.command(opStandby, 0); err != nil {
		return err
	}
	if err := c.command(opCalibrate, 0x7F); err != nil {
		return err
	}
	if err := c.command(opStandby, 1); err != nil {
		return err
	}
	if err := c.configure(); err != nil {
		return err
	}
	return c.receive()
}
