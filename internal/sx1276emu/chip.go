package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
)

// Options describe a chip and its board. The zero Options is an SX1276 with a crystal and
// the antenna at PA_BOOST, as on nearly all hats, whose SPI transfers take no time.
type Options struct {
	// Model is the type of chip.
	Model Model

	// Position is where the antenna stands.
	Position lorasim.Position

	// Seed is the source of all chance: FIFO content after sleep, bit errors.
	Seed uint64

	// TCXO says that the board has a temperature compensated oscillator, as the LoPy4
	// does, in place of a crystal.
	TCXO bool

	// RFO says that the antenna is at the RFO pins and not at PA_BOOST.
	RFO bool

	// GPIOSelect says that the chip's NSS is at the line that Pins().CS stands for, as on
	// Dragino's hat, and not at the port's own chip select.
	GPIOSelect bool

	// RefuseNoCS makes the port refuse spi.NoCS, as that of a Raspberry Pi 5 does.
	RefuseNoCS bool

	// Transfer returns how long an SPI transfer of some bytes takes; see [WireTime]. The
	// transfer sleeps for that long, which by the wall clock is never exact.
	// Nil: no time at all.
	Transfer func(bytes int, clock physic.Frequency) time.Duration

	// CAD is how channel activity detection errs.
	CAD chipemu.CAD

	// OnViolation, if any, is called for each breach of a rule, without a lock held.
	OnViolation func(Violation)
}

// WireTime returns a function for [Options.Transfer]: 8 bits a byte at the speed of the
// clock, and an overhead for each transfer.
func WireTime(overhead time.Duration) func(bytes int, clock physic.Frequency) time.Duration {
	return chipemu.WireTime(overhead)
}

// Stats count what a chip did.
type Stats = chipemu.Stats

// Chip is an emulated SX1276 or SX1272. It is made ready for use, as long after power was
// applied. Its methods may be called by many goroutines at once.
type Chip struct {
	chipemu.Core
	opt     Options
	variant *variant

	common [128]byte
	lora   [pageEnd + 1]byte // 0x0D to 0x3F are used
	fsk    [pageEnd + 1]byte
	fifo   [256]byte

	inReset      bool
	resetAt      time.Time // when the reset pin was asserted
	readyAt      time.Time // end of start-up
	oscillatorAt time.Time // the oscillator runs from here on
	settledAt    time.Time // the mode has been reached
	calibratedAt time.Time // end of image calibration
	calibrations []lora.Frequency
	stopped      bool // no clock

	txn        transaction
	rxPtr      byte // where the next packet goes in the FIFO
	otherModel byte // in place of RegVersion, if not zero
}

// New puts a chip on an air.
func New(air *lorasim.Air, opt Options) *Chip {
	c := &Chip{opt: opt, variant: &variants[opt.Model]}
	c.Init(air, front{c}, chipemu.Options{
		Name: "sx1276emu", Position: opt.Position, Seed: opt.Seed, Stream: uint64(opt.Model), Lines: dioCount, MaxClock: maxClock,
		GPIOSelect: opt.GPIOSelect, RefuseNoCS: opt.RefuseNoCS, Transfer: opt.Transfer, CAD: opt.CAD, OnViolation: opt.OnViolation,
	})
	defer c.Unlock()
	c.reset()
	return c
}

// front is a Chip as the core calls it.
type front struct{ *Chip }

func (f front) Select()                                  { f.txn = transaction{} }
func (f front) Deselect()                                { f.txn = transaction{} }
func (f front) Exchange(in byte) byte                    { return f.exchange(in) }
func (f front) Level(dio int) bool                       { return f.output(dio) }
func (f front) Detected(time.Time)                       {}
func (f front) Synced(time.Time)                         {}
func (f front) HeaderFailed(time.Time)                   {}
func (f front) Sent(at time.Time)                        { f.endTransmit(at) }
func (f front) TimedOut(at time.Time)                    { f.endSingle(at) }
func (f front) Header(_ time.Time, h chipemu.Header)     { f.endHeader(h) }
func (f front) Received(at time.Time, p *chipemu.Packet) { f.finish(at, p) }
func (f front) Assessed(at time.Time, found bool)        { f.endCAD(at, found) }

// NextAlarm returns when PllLock or ModeReady may change.
func (f front) NextAlarm() (at time.Time, ok bool) { return f.settledAt, f.Now.Before(f.settledAt) }

// maxClock is what the chip allows (data sheet, table 11).
const maxClock = 10 * physic.MegaHertz

// Calibrations returns the carriers at which the image calibration ran since the last
// reset.
func (c *Chip) Calibrations() []lora.Frequency {
	c.Lock()
	defer c.Unlock()
	return append([]lora.Frequency(nil), c.calibrations...)
}

// reset gives all registers their reset values and takes the chip to standby.
func (c *Chip) reset() {
	c.Halt()
	c.calibratedAt = time.Time{}
	c.oscillatorAt, c.settledAt = c.Now, c.Now
	c.calibrations = c.calibrations[:0]
	c.stopped = false
	load(c.common[:], c.variant.bank.common)
	load(c.lora[:], c.variant.bank.lora)
	load(c.fsk[:], c.variant.bank.fsk)
	c.scrambleFIFO()
	c.rxPtr = 0
}

// load fills a page with reset values.
func load(page []byte, set map[byte]register) {
	clear(page)
	for addr, r := range set {
		page[addr] = r.reset
	}
}

// scrambleFIFO loses the content of the FIFO.
func (c *Chip) scrambleFIFO() {
	for i := range c.fifo {
		c.fifo[i] = byte(c.Rand.Uint32())
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
		c.readyAt = c.Now.Add(resetTime)
		c.reset()
	}
}

// Reset and start-up (data sheet, section 7.2).
const (
	minResetPulse = 100 * time.Microsecond
	resetTime     = 5 * time.Millisecond
)
