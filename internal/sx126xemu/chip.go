package sx126xemu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
)

// Model is a type of chip.
type Model uint8

// The models.
const (
	SX1262 Model = iota // up to 22 dBm, 150 to 960 MHz
	SX1268              // the same from 410 to 810 MHz, with other amplifier settings allowed
	SX1261              // up to 15 dBm
	LLCC68              // as SX1262, with fewer spreading factors in narrow bandwidths
)

// Options describe a chip and its board. The zero Options is an SX1262 with a crystal, both regulators, and an antenna switch that nobody
// needs to drive.
type Options struct {
	Model Model
	// Position is where the antenna stands.
	Position lorasim.Position
	// Seed is the source of all chance.
	Seed uint64
	// TCXO is the voltage in millivolts that the board's oscillator needs at DIO3; 0: there is a crystal.
	TCXO int
	// DIO2Switch says that DIO2 moves the antenna switch to the transmitter.
	DIO2Switch bool
	// RXEN and TXEN say that lines of the host move it.
	RXEN, TXEN bool
	// Enable says that the module has power only while a line of the host is high.
	Enable bool
	// NoInductor says that the board has not what DC-DC needs.
	NoInductor bool
	// Gain is what an amplifier behind the chip adds, in dB, and MaxPower the most that it bears, in dBm; 0: there is none.
	Gain, MaxPower int

	// GPIOSelect, RefuseNoCS, Transfer, CAD and OnViolation are as in package sx1276emu.
	GPIOSelect  bool
	RefuseNoCS  bool
	Transfer    func(bytes int, clock physic.Frequency) time.Duration
	CAD         chipemu.CAD
	OnViolation func(Violation)
}

// Stats count what a chip did.
type Stats = chipemu.Stats

// The lines that the chip drives.
const (
	lineDIO1 = iota
	lineBusy
	lineCount
)

// maxClock is what the chip allows (data sheet, table 8-1).
const maxClock = 16 * physic.MegaHertz

// mode is what the chip does.
type mode uint8

const (
	sleep mode = iota
	standbyRC
	standbyXOSC
	synthesizing
	receive
	transmit
	detectActivity
)

// Chip is an emulated chip. Its methods may be called by many goroutines at once.
type Chip struct {
	chipemu.Core
	opt Options

	mode       mode
	registers  [0x1000]byte
	buffer     [256]byte
	settings   settings
	irq, mask  uint16
	dio1       uint16
	errors     uint16 // of the device
	result     byte   // of the last command, as the status byte has it
	busyUntil  time.Time
	settledAt  time.Time // the mode has been reached
	sleptAt    time.Time
	warm       bool // sleep keeps settings
	continuous bool
	rxPtr      byte // where the next packet goes in the buffer
	rxStart    byte
	rxLength   byte
	pktRSSI    float64
	pktSNR     float64

	txn command

	inReset bool
	resetAt time.Time
	pins    [pinCount]bool // levels that the host drives
	powered bool

	stuckBusy *bool
	refuse    int  // commands to refuse
	deadTCXO  bool // does not start
	agcDeaf   bool // until calibration
	imagesAt  []lora.Frequency
}

// Pins that the host drives beside NSS and NRESET.
const (
	pinRXEN = iota
	pinTXEN
	pinEnable
	pinCount
)

// New puts a chip on an air.
func New(air *lorasim.Air, opt Options) *Chip {
	c := &Chip{opt: opt}
	c.Init(air, front{c}, chipemu.Options{
		Name: "sx126xemu", Position: opt.Position, Seed: opt.Seed, Stream: 126, Lines: lineCount, MaxClock: maxClock,
		GPIOSelect: opt.GPIOSelect, RefuseNoCS: opt.RefuseNoCS, Transfer: opt.Transfer, CAD: opt.CAD, OnViolation: opt.OnViolation,
	})
	defer c.Unlock()
	c.powered = !opt.Enable
	c.reset()
	return c
}

// front is a Chip as the core calls it.
type front struct{ *Chip }

func (f front) Select()                                  { f.selectChip() }
func (f front) Deselect()                                { f.deselect() }
func (f front) Exchange(in byte) byte                    { return f.exchange(in) }
func (f front) Detected(time.Time)                       { f.interrupt(irqPreamble) }
func (f front) Synced(time.Time)                         {}
func (f front) Header(_ time.Time, h chipemu.Header)     { f.endHeader(h) }
func (f front) HeaderFailed(time.Time)                   { f.interrupt(irqHeaderErr) }
func (f front) Received(at time.Time, p *chipemu.Packet) { f.finish(at, p) }
func (f front) TimedOut(at time.Time)                    { f.endSingle(at) }
func (f front) Assessed(at time.Time, found bool)        { f.endCAD(at, found) }
func (f front) Sent(at time.Time)                        { f.endTransmit(at) }

// Level returns the level of DIO1 or BUSY.
func (f front) Level(line int) bool {
	if line == lineBusy {
		return f.busy()
	}
	return f.irq&f.dio1 != 0
}

// NextAlarm returns when BUSY falls.
func (f front) NextAlarm() (at time.Time, ok bool) { return f.busyUntil, f.Now.Before(f.busyUntil) }

// busy returns the level of BUSY.
func (c *Chip) busy() bool {
	if c.stuckBusy != nil {
		return *c.stuckBusy
	}
	return c.powered && (c.inReset || c.mode == sleep || c.Now.Before(c.busyUntil))
}

// Addresses of registers.
const (
	regVersion   = 0x0320 // text
	regIQ        = 0x0736 // erratum 15.4
	regSyncMSB   = 0x0740
	regHeaderCR  = 0x0749
	regHeaderCRC = 0x076B
	regTxMod     = 0x0889 // erratum 15.1
	regRxGain    = 0x08AC
	regTxClamp   = 0x08D8 // erratum 15.2
	regOCP       = 0x08E7
	regRTC       = 0x0902 // erratum 15.3
	regXTATrim   = 0x0911
	regRetention = 0x029F
	regEventMask = 0x0944 // erratum 15.3
)

// writable are the registers that a driver may write.
var writable = map[uint16]bool{
	regIQ: true, regSyncMSB: true, regSyncMSB + 1: true, regTxMod: true, regRxGain: true, regTxClamp: true, regOCP: true, regRTC: true,
	regEventMask: true, regXTATrim: true, regXTATrim + 1: true,
	regRetention: true, regRetention + 1: true, regRetention + 2: true, regRetention + 3: true, regRetention + 4: true,
}

const (
	rxGainNormal  = 0x94
	rxGainBoosted = 0x96
	resetBusy     = 3500 * time.Microsecond // as a cold wake-up
	minResetPulse = 100 * time.Microsecond
)

// versionText is what genuine chips have at regVersion, an SX1262 too.
const versionText = "SX1261 V2D 2D02\x00"

// Device errors.
const (
	errXOSC = 1 << 5
	errPLL  = 1 << 6
)

// reset gives everything its value of after a reset or power-on, in standby.
func (c *Chip) reset() {
	c.Halt()
	clear(c.registers[:])
	copy(c.registers[regVersion:], versionText)
	for reg, v := range map[int]byte{
		regIQ: 0x0D, regSyncMSB: 0x14, regSyncMSB + 1: 0x24, regTxMod: 0x01, regRxGain: rxGainNormal, regTxClamp: 0xC8, regOCP: 0x18,
		regXTATrim: 0x05, regXTATrim + 1: 0x05,
	} {
		c.registers[reg] = v
	}
	c.settings = settings{image: [2]byte{0xE1, 0xE9}, fallback: standbyRC}
	c.irq, c.mask, c.dio1, c.result = 0, 0, 0, 0
	c.errors = 0
	if c.opt.TCXO > 0 {
		c.errors = errXOSC // it has looked for a crystal
	}
	c.scramble()
	c.mode, c.settledAt = standbyRC, c.Now
	c.busyUntil = c.Now.Add(resetBusy)
	c.rxPtr, c.rxStart, c.rxLength, c.agcDeaf = 0, 0, 0, false
	c.imagesAt = c.imagesAt[:0]
}

// scramble loses the content of the buffer.
func (c *Chip) scramble() {
	for i := range c.buffer {
		c.buffer[i] = byte(c.Rand.Uint32())
	}
}

// setReset sets the reset pin, and says whether the host drives it.
func (c *Chip) setReset(asserted, driven bool) {
	c.Lock()
	defer c.Unlock()
	c.Forgive()
	if driven && !asserted {
		c.Violate(ResetDriven, "it is to float")
	}
	switch {
	case asserted && !c.inReset:
		c.inReset, c.resetAt = true, c.Now
		c.Count.Resets++
		c.reset()
	case !asserted && c.inReset:
		c.inReset = false
		if d := c.Now.Sub(c.resetAt); d < minResetPulse {
			c.Violate(ResetPulse, "%v, the chip needs %v", d, minResetPulse)
		}
		c.reset()
	}
}

// setPin sets the level of a pin that the host drives.
func (c *Chip) setPin(pin int, high bool) {
	c.Lock()
	defer c.Unlock()
	c.pins[pin] = high
	if pin == pinEnable && c.opt.Enable && c.powered != high {
		c.powered = high
		c.reset()
	}
}
