package lorasim

import (
	"math"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Endpoint is a [*Node], a [*Radio] or a [*Transceiver].
type Endpoint interface{ endpoint() *antenna }

// Stats count what happened to packets. As a receiver, an antenna counts the packets
// of each sender that is near enough to matter; packets that never arrive because a
// link is cut, a partition lies between or the antenna is off are not counted.
type Stats struct {
	Sent    uint64        // transmissions completed
	Airtime time.Duration // time spent in them
	Busy    uint64        // packets refused because the channel was busy
	Waited  uint64        // times that a packet waited for a free channel, as Manners have it
	Aborted uint64        // transmissions cut short

	Delivered  uint64 // packets received
	Collided   uint64 // lost to other packets
	HalfDuplex uint64 // lost because the receiver was sending
	TooWeak    uint64 // below the sensitivity, but strong enough to disturb
	Lost       uint64 // lost by chance, or with another framing
	Deaf       uint64 // lost because the receiver was asleep
	Overrun    uint64 // dropped because a Radio's queue was full
}

func (s *Stats) add(t *Stats) {
	s.Sent += t.Sent
	s.Airtime += t.Airtime
	s.Busy += t.Busy
	s.Waited += t.Waited
	s.Aborted += t.Aborted
	s.Delivered += t.Delivered
	s.Collided += t.Collided
	s.HalfDuplex += t.HalfDuplex
	s.TooWeak += t.TooWeak
	s.Lost += t.Lost
	s.Deaf += t.Deaf
	s.Overrun += t.Overrun
}

// Since returns what was counted after an earlier moment, whose statistics are given.
func (s Stats) Since(before Stats) Stats {
	return Stats{
		Sent: s.Sent - before.Sent, Airtime: s.Airtime - before.Airtime, Busy: s.Busy - before.Busy, Waited: s.Waited - before.Waited, Aborted: s.Aborted - before.Aborted,
		Delivered: s.Delivered - before.Delivered, Collided: s.Collided - before.Collided, HalfDuplex: s.HalfDuplex - before.HalfDuplex,
		TooWeak: s.TooWeak - before.TooWeak, Lost: s.Lost - before.Lost, Deaf: s.Deaf - before.Deaf, Overrun: s.Overrun - before.Overrun,
	}
}

// antenna is one end of the air: a place, settings, and what goes on there.
//
//	        send                  free
//	idle ─────────▶ listening ──────────▶ transmitting
//	 ▲                  │ busy, fault          │ end
//	 └──────────────────┴──────────────────────┘
//
// With Manners the antenna may be waiting before it listens, and detecting and turning before it transmits.
type antenna struct {
	m     *medium
	id    int32
	cfg   lora.Config // with defaults
	modem modem
	fault error // of cfg; such an antenna hears and sends nothing
	pos   Position
	group int    // of the partition
	off   bool   // switched off
	dead  bool   // the device behind it has no power
	links []link // to antennas that hear this one, by id

	front *Transceiver // nil where a Radio or a Node is behind the antenna

	asleep   bool // whoever is behind the antenna does not listen
	activity lora.Activity
	since    int64 // until when it is counted

	manners  Manners
	mannered bool // they are not zero

	// As a sender.
	state    state
	deadline int64 // end of listening or transmitting
	start    int64 // of the transmission
	refusal  error // what the end of listening will report
	packet   []byte
	answer   bool // an acknowledgment, or in the place of one

	giveUp     int64   // until when it waits for a free channel
	detectFrom int64   // start of the detection of activity
	sentAt     int64   // end of the last packet sent, noted for a Gap
	heardAt    int64   // end of the last one received, noted for a Pause
	windowAt   int64   // end of its Window
	load       float64 // airtime lately, in nanoseconds, up to loadAt
	loadAt     int64

	// As a receiver.
	power     int64    // sum of all signals here, in attowatts
	lock      *antenna // whose packet it is receiving
	lockPower int64    // its strength, in attowatts
	lockUntil int64    // end of its preamble: a stronger packet may take over till then
	lockFrom  int64    // since when the modem works on it
	spoiled   bool     // it met a collision
	deafUntil int64
	incoming  []int32 // who is transmitting and arrives here, whatever becomes of it

	stats Stats
}

type state uint8

const (
	idle state = iota
	listening
	starting  // of a Transceiver: will transmit, without listening
	waiting   // for a free channel, or for a pause to end
	detecting // activity of the channel
	turning   // from receiving to transmitting
	transmitting
)

// link says how strongly a sender arrives at a receiver.
type link struct {
	to    int32
	rssi  float32 // dBm
	power int64   // the same in attowatts
}

// modem holds what the PHY and the settings of an antenna come to.
type modem struct {
	channel     channel
	sync        lora.SyncWord
	framing     Framing
	preamble    int64 // ns
	symbol      int64 // ns
	sensitivity float64
	noiseFloor  float64
	maxPacket   int
}

// channel is what two antennas must share to be there for each other. Carriers less than
// a kilohertz apart, such as one that a chip had to round, are the same.
type channel struct {
	frequency lora.Frequency // to the kilohertz
	bandwidth lora.Bandwidth
	sf        lora.SpreadingFactor
	inverted  bool
}

func newModem(phy PHY, cfg lora.Config) modem {
	if phy == IEEE802154 {
		return modem{
			preamble:    int64(oqpskPreamble),
			sensitivity: oqpskSensitivity,
			noiseFloor:  oqpskNoiseFloor,
			maxPacket:   oqpskMaxPacket,
		}
	}
	return modem{
		channel: channel{
			frequency: (cfg.Frequency + lora.KHz/2) / lora.KHz * lora.KHz,
			bandwidth: cfg.Bandwidth,
			sf:        cfg.SpreadingFactor,
		},
		sync:        cfg.SyncWord,
		framing:     Framing{LowDataRate: cfg.LowDataRateOptimize()},
		preamble:    int64(cfg.PreambleTime()),
		symbol:      symbolTime(cfg),
		sensitivity: cfg.Sensitivity(),
		noiseFloor:  cfg.Bandwidth.NoiseFloor(),
		maxPacket:   lora.MaxPacket,
	}
}

// symbolTime returns the length of a symbol in nanoseconds.
func symbolTime(cfg lora.Config) int64 {
	return int64(time.Second) << cfg.SpreadingFactor / int64(max(cfg.Bandwidth, 1))
}

// linkTo returns the index in links of the one to an antenna.
func (a *antenna) linkTo(id int32) (i int, ok bool) {
	return slices.BinarySearchFunc(a.links, id, func(l link, id int32) int { return int(l.to - id) })
}

func (a *antenna) endpoint() *antenna { return a }

// ID returns the number of the antenna, counted from 0 in the order in which they
// came.
func (a *antenna) ID() int { return int(a.id) }

// Config returns the settings, with all defaults filled in.
func (a *antenna) Config() lora.Config {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.cfg
}

// Configure changes the settings. They hold from the next packet on; a packet that is
// on the air between antennas whose channels no longer match is lost.
func (a *antenna) Configure(cfg lora.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.setConfig(cfg)
	a.m.relink(a)
	return nil
}

func (a *antenna) setConfig(cfg lora.Config) {
	a.cfg = cfg.WithDefaults()
	a.fault = cfg.Validate()
	a.modem = newModem(a.m.opt.PHY, a.cfg)
}

// Position returns where the antenna stands.
func (a *antenna) Position() Position {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.pos
}

// Move puts the antenna elsewhere. Packets on the air go on with the new strength.
func (a *antenna) Move(to Position) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.pos = to
	a.m.relink(a)
}

// SwitchOff disconnects the antenna: it hears nothing, and what it sends reaches
// nobody. The device behind it does not notice.
func (a *antenna) SwitchOff() { a.toggle(&a.off, true) }

// SwitchOn connects the antenna again.
func (a *antenna) SwitchOn() { a.toggle(&a.off, false) }

func (a *antenna) toggle(flag *bool, to bool) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if *flag != to {
		a.account(a.m.clock())
		*flag = to
		a.m.relink(a)
	}
}

func (a *antenna) works() bool { return !a.off && !a.dead && a.fault == nil }

// Stats returns what happened to packets at this antenna.
func (a *antenna) Stats() Stats {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.stats
}

// Activity returns how long the antenna has sent, listened and slept, while it was switched
// on. For a Transceiver that is all the time in which it does neither of the others.
func (a *antenna) Activity() lora.Activity {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.account(a.m.clock())
	return a.activity
}

// account counts what the antenna has done up to a time.
func (a *antenna) account(now int64) {
	d := time.Duration(now - a.since)
	if d <= 0 {
		return
	}
	a.since = now
	switch {
	case !a.works():
	case a.state == transmitting:
		a.activity.Transmitting += d
	case a.state == idle && !a.hears():
		a.activity.Sleeping += d
	default:
		a.activity.Receiving += d
	}
}

// hears reports whether the receiver is on.
func (a *antenna) hears() bool {
	if a.front != nil {
		return a.front.hearing
	}
	return !a.asleep && a.state != detecting && a.state != turning
}

// snr returns the signal to noise ratio of a packet of a strength, in dB, as the chip counts it.
func (a *antenna) snr(rssi float64) float64 { return math.Round(4*(rssi-a.modem.noiseFloor)) / 4 }

// setAsleep turns the receiver off or on. a.m.mu is held.
func (a *antenna) setAsleep(asleep bool, now int64) {
	if a.asleep == asleep {
		return
	}
	a.account(now)
	a.asleep = asleep
	switch {
	case !asleep && a.works():
		a.m.catch(a, now, &a.stats.Deaf)
	case a.lock != nil:
		a.lock = nil
		a.stats.Deaf++
	}
}
