package sx1276emu

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

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

	// OnViolation, if any, is called for each breach of a rule, without a lock held.
	OnViolation func(Violation)
}

// WireTime returns a function for [Options.Transfer]: 8 bits a byte at the speed of the
// clock, and an overhead for each transfer.
func WireTime(overhead time.Duration) func(bytes int, clock physic.Frequency) time.Duration {
	return func(bytes int, clock physic.Frequency) time.Duration {
		return overhead + time.Duration(8*bytes)*clock.Period()
	}
}

// Stats count what a chip did.
type Stats struct {
	Transactions uint64 // SPI transactions: chip select low to high
	Bytes        uint64 // bytes in them
	Resets       uint64 // by the pin

	Sent    uint64 // transmissions completed
	Aborted uint64 // transmissions cut short by a change of mode

	Received  uint64 // packets in the FIFO, whose CRC was right or absent
	CRCErrors uint64 // packets in the FIFO, whose CRC was wrong
	Cut       uint64 // receptions abandoned, after the header, by a change of mode
	Overrun   uint64 // packets in the FIFO while RxDone of an earlier one was still set
}

// Chip is an emulated SX1276 or SX1272. It is made ready for use, as long after power was
// applied. Its methods may be called by many goroutines at once.
type Chip struct {
	opt     Options
	variant *variant
	clock   lora.Clock
	front   *lorasim.Transceiver
	bus     chan struct{} // held during an SPI transfer
	watched atomic.Bool   // somebody waits for a DIO to change
	waker   *time.Timer   // then polls at once
	alarm   *time.Timer   // and at the next deadline

	mu     sync.Mutex
	now    time.Time // of the last sync
	rand   *rand.Rand
	events []lorasim.Event

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

	selected  bool
	txn       transaction
	rx        reception
	rxPtr     byte      // where the next packet goes in the FIFO
	timeoutAt time.Time // end of single reception
	cadAt     time.Time // end of channel activity detection
	dio       [dioCount]dio
	faults    faults

	stats      Stats
	violations []Violation
	unreported []Violation
	broken     uint64 // rules broken in this transaction
}

// New puts a chip on an air.
func New(air *lorasim.Air, opt Options) *Chip {
	c := &Chip{
		opt:     opt,
		variant: &variants[opt.Model],
		clock:   air.Clock(),
		bus:     make(chan struct{}, 1),
		rand:    rand.New(rand.NewPCG(opt.Seed, uint64(opt.Model))),
	}
	c.waker = time.AfterFunc(time.Hour, c.poll)
	c.waker.Stop()
	c.alarm = time.AfterFunc(time.Hour, c.poll)
	c.alarm.Stop()
	c.front = air.Transceiver(opt.Position, c.wake)
	for n := range c.dio {
		c.dio[n].init(c, n)
	}
	c.lock()
	defer c.unlock()
	c.reset()
	return c
}

// Antenna returns the chip's antenna: its place, its links, its statistics. Its settings
// are the registers' alone.
func (c *Chip) Antenna() *lorasim.Transceiver { return c.front }

// Clock returns the clock by which the chip lives, which is the air's.
func (c *Chip) Clock() lora.Clock { return c.clock }

// Stats returns what the chip did so far.
func (c *Chip) Stats() Stats {
	c.lock()
	defer c.unlock()
	return c.stats
}

// Calibrations returns the carriers at which the image calibration ran since the last
// reset.
func (c *Chip) Calibrations() []lora.Frequency {
	c.lock()
	defer c.unlock()
	return append([]lora.Frequency(nil), c.calibrations...)
}

// lock begins whatever is done to the chip: it brings the chip up to date.
func (c *Chip) lock() {
	c.mu.Lock()
	c.sync()
}

// unlock ends it: the pins follow, and violations are reported.
func (c *Chip) unlock() {
	c.updateDIO(c.now)
	if c.watched.Load() {
		if at, ok := c.nextAlarm(); ok {
			c.alarm.Reset(c.clock.Until(at))
		}
	}
	report := c.unreported
	c.unreported = nil
	c.mu.Unlock()
	for _, v := range report {
		c.opt.OnViolation(v)
	}
}

// wake is called when something happens on the air, which is locked.
func (c *Chip) wake() {
	if c.watched.Load() {
		c.waker.Reset(0)
	}
}

// poll is called when something happened on the air, or a deadline has come.
func (c *Chip) poll() {
	c.lock()
	c.unlock()
}

// sync handles, in the order of time, what has happened on the air and what is due.
func (c *Chip) sync() {
	c.events, c.now = c.front.Poll(c.events[:0])
	events := c.events
	for {
		at, due := c.deadline()
		switch {
		case len(events) > 0 && !(due && at.Before(events[0].Time)):
			c.handle(&events[0])
			at = events[0].Time
			events = events[1:]
		case due && !at.After(c.now):
			c.expire(at)
		default:
			return
		}
		c.updateDIO(at)
	}
}

// deadline returns when the chip next does something by itself.
func (c *Chip) deadline() (at time.Time, ok bool) {
	for _, t := range [...]time.Time{c.rx.headerAt, c.timeoutAt, c.cadAt} {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

// nextAlarm returns when a line may change, beside those changes that the air brings.
func (c *Chip) nextAlarm() (at time.Time, ok bool) {
	at, ok = c.deadline()
	if c.now.Before(c.settledAt) && (!ok || c.settledAt.Before(at)) {
		return c.settledAt, true // PllLock, ModeReady
	}
	return at, ok
}

// expire does what is due at a time.
func (c *Chip) expire(at time.Time) {
	switch at {
	case c.rx.headerAt:
		c.endHeader()
	case c.timeoutAt:
		c.endSingle()
	case c.cadAt:
		c.endCAD()
	}
}

// reset gives all registers their reset values and takes the chip to standby.
func (c *Chip) reset() {
	c.front.Idle()
	c.rx = reception{}
	c.timeoutAt, c.cadAt, c.calibratedAt = time.Time{}, time.Time{}, time.Time{}
	c.oscillatorAt, c.settledAt = c.now, c.now
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
		c.fifo[i] = byte(c.rand.Uint32())
	}
}

// setReset sets the reset pin, and says whether the host drives it.
func (c *Chip) setReset(asserted, driven bool) {
	c.lock()
	defer c.unlock()
	c.broken = 0
	if driven && !asserted {
		c.violate(ResetDriven, "it is to float")
	}
	switch {
	case asserted && !c.inReset:
		c.inReset, c.resetAt = true, c.now
		c.stats.Resets++
		c.reset()
	case !asserted && c.inReset:
		c.inReset = false
		if d := c.now.Sub(c.resetAt); d < minResetPulse {
			c.violate(ResetPulse, "%v, the chip needs %v", d, minResetPulse)
		}
		c.readyAt = c.now.Add(resetTime)
		c.reset()
	}
}

// Reset and start-up (data sheet, section 7.2).
const (
	minResetPulse = 100 * time.Microsecond
	resetTime     = 5 * time.Millisecond
)
