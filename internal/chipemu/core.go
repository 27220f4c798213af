package chipemu

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
)

// Front is the face that a chip shows to its host. Its methods are called with the core locked.
type Front interface {
	// Select and Deselect are the falling and the rising edge of NSS, Exchange a byte between them.
	Select()
	Deselect()
	Exchange(in byte) (out byte)
	// Level returns the level of a line that the chip drives.
	Level(line int) bool
	// NextAlarm returns when a line will change by itself, beside what the modem does.
	NextAlarm() (at time.Time, ok bool)

	// What the modem tells.

	// Detected and Synced say how far a preamble has come.
	Detected(at time.Time)
	Synced(at time.Time)
	// Header says that a header has come, or in the same place that there is none.
	Header(at time.Time, h Header)
	// HeaderFailed says that it was wrong.
	HeaderFailed(at time.Time)
	// Received says that a packet is over.
	Received(at time.Time, p *Packet)
	// TimedOut says that no packet came in the time of Hear.
	TimedOut(at time.Time)
	// Assessed is the end of channel activity detection.
	Assessed(at time.Time, found bool)
	// Sent says that the packet has left the antenna.
	Sent(at time.Time)
}

// Options are those of all chips.
type Options struct {
	// Name is that of the chip, for errors.
	Name string
	// Position is where the antenna stands.
	Position lorasim.Position
	// Seed and Stream are the source of all chance.
	Seed, Stream uint64
	// Lines is how many lines the chip drives.
	Lines int
	// MaxClock is the fastest SPI clock.
	MaxClock physic.Frequency
	// GPIOSelect says that NSS is a line of its own, and not the port's chip select.
	GPIOSelect bool
	// RefuseNoCS makes the port refuse spi.NoCS.
	RefuseNoCS bool
	// Transfer returns how long an SPI transfer takes. Nil: no time.
	Transfer func(bytes int, clock physic.Frequency) time.Duration
	// CAD is how channel activity detection errs.
	CAD CAD
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

	Received  uint64 // packets whose CRC was right or absent
	CRCErrors uint64 // packets whose CRC was wrong
	Cut       uint64 // receptions abandoned, after the header, by a change of mode
	Overrun   uint64 // packets that came while an earlier one was not yet known
	Assessed  uint64 // channel activity detections, and those that found something
	Found     uint64
}

// Core is a chip without its front. The front embeds it. Exported fields are for fronts.
type Core struct {
	Now   time.Time // of the last sync
	Rand  *rand.Rand
	Count Stats
	Modem

	opt   Options
	front Front
	clock lora.Clock
	air   *lorasim.Transceiver

	bus     chan struct{} // held during an SPI transfer
	watched atomic.Bool   // somebody waits for a line to change
	waker   *time.Timer   // then polls at once
	alarm   *time.Timer   // and at the next deadline

	mu       sync.Mutex
	events   []lorasim.Event
	selected bool
	lines    []line
	faults   faults

	violations []Violation
	unreported []Violation
	broken     map[Rule]bool // rules broken in this transaction
}

// Init puts a chip on an air. It leaves the core locked: Unlock it when the front is ready.
func (c *Core) Init(air *lorasim.Air, front Front, opt Options) {
	c.opt, c.front, c.clock = opt, front, air.Clock()
	c.bus = make(chan struct{}, 1)
	c.Rand = rand.New(rand.NewPCG(opt.Seed, opt.Stream))
	c.broken = map[Rule]bool{}
	c.waker = time.AfterFunc(time.Hour, c.poll)
	c.waker.Stop()
	c.alarm = time.AfterFunc(time.Hour, c.poll)
	c.alarm.Stop()
	c.air = air.Transceiver(opt.Position, c.wake)
	c.Modem.core = c
	c.lines = make([]line, opt.Lines)
	for n := range c.lines {
		c.lines[n].init()
	}
	c.Lock()
}

// Antenna returns the chip's antenna: its place, its links, its statistics. Its settings
// are the chip's alone.
func (c *Core) Antenna() *lorasim.Transceiver { return c.air }

// Clock returns the clock by which the chip lives, which is the air's.
func (c *Core) Clock() lora.Clock { return c.clock }

// Stats returns what the chip did so far.
func (c *Core) Stats() Stats {
	c.Lock()
	defer c.Unlock()
	return c.Count
}

// Lock begins whatever is done to the chip: it brings the chip up to date.
func (c *Core) Lock() {
	c.mu.Lock()
	c.sync()
}

// Unlock ends it: the lines follow, and violations are reported.
func (c *Core) Unlock() {
	c.updateLines(c.Now)
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
func (c *Core) wake() {
	if c.watched.Load() {
		c.waker.Reset(0)
	}
}

// poll is called when something happened on the air, or a deadline has come.
func (c *Core) poll() {
	c.Lock() // brings it up to date
	defer c.Unlock()
}

// sync handles, in the order of time, what has happened on the air and what is due.
func (c *Core) sync() {
	c.events, c.Now = c.air.Poll(c.events[:0])
	events := c.events
	for {
		at, due := c.deadline()
		switch {
		case len(events) > 0 && !(due && at.Before(events[0].Time)):
			c.handle(&events[0])
			at = events[0].Time
			events = events[1:]
		case due && !at.After(c.Now):
			c.expire(at)
		default:
			return
		}
		c.updateLines(at)
	}
}

// nextAlarm returns when a line may change, beside those changes that the air brings.
func (c *Core) nextAlarm() (at time.Time, ok bool) {
	at, ok = c.deadline()
	if other, too := c.front.NextAlarm(); too && (!ok || other.Before(at)) {
		return other, true
	}
	return at, ok
}

// sleepUntil waits, by the wall clock, until a clock reaches a time.
func sleepUntil(clock lora.Clock, t time.Time) {
	if d := clock.Until(t); d > 0 {
		time.Sleep(d)
	}
}
