package lorasim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Manners are how a radio is driven: how it listens before it talks, and when it hears nothing. They hold with the LoRa PHY. The zero
// Manners listens for 1 ms, sends or refuses at once, and hears all that begins while it does not send.
//
// [DriverManners] and [BoardManners] are those of radios that exist.
type Manners struct {
	// RSSIOnly is [Options.RSSIOnly] for one radio.
	RSSIOnly bool
	// Jitter is the longest of the random times that pass before a packet is listened for, after Pause and Gap.
	Jitter time.Duration
	// Turnaround is the time from the end of listening to the start of the packet. The receiver is off in it.
	Turnaround time.Duration
	// Pause is the shortest time from the end of a packet received to the start of one's own, Gap that from the end of one of one's own.
	Pause, Gap time.Duration
	// DeafAfterSend and DeafAfterReceive are how long the receiver stays off after a packet. A packet that begins in that time is
	// received all the same if enough of its preamble is left afterwards.
	DeafAfterSend, DeafAfterReceive time.Duration
	// Window is how long all packets but answers (see [Answerer]; acknowledgments are, those of up to 5 bytes) wait after the end of another
	// one's packet that is no acknowledgment, and then for a random time as after a busy channel.
	Window time.Duration
	// Wait is how long a packet waits while the channel is busy, until it is refused. A busy channel is looked at again after a random
	// time of RetryMin to RetryMax: of whole Slots after RetryMin, if there are such. Load is how much longer than RetryMax that may be
	// when the channel is always in use, in proportion below: 3 for four times as long.
	Wait               time.Duration
	RetryMin, RetryMax time.Duration
	Slot               time.Duration
	Load               float64
	// CAD has the modem look for a chirp at the end of listening, if it is not nil.
	CAD *Detection
}

// DriverManners are those of the driver in package lora/sx1276 with its default options (transceiver.PycomListen): its turnaround, as
// measured with the emulated chip, the pauses that spare Pycom's boards, the room for acknowledgments, the slots after a busy channel, and
// the detection of activity after a packet of one's own.
func DriverManners(c lora.Config) Manners {
	const meshPacket = 127
	unheard := 5*c.SymbolTime() + time.Millisecond
	return Manners{
		Turnaround:    600 * time.Microsecond,
		Pause:         5 * time.Millisecond,
		Gap:           5 * time.Millisecond,
		DeafAfterSend: time.Millisecond,
		Window:        8*time.Millisecond + unheard,
		Wait:          c.Airtime(meshPacket) * 3 / 2,
		RetryMin:      time.Millisecond,
		RetryMax:      time.Millisecond + 4*c.PreambleTime(),
		Slot:          unheard,
		Load:          3,
		CAD:           &Detection{},
	}
}

// BoardManners are those of Pycom's firmware, from its source: it looks at the strength alone, for 1 ms; after each packet, sent or
// received, it is deaf for 2 to 4 ms, through sleep; the command to send an answer comes 4 to 8 ms after what it answers; on a busy channel
// the same command is tried again each 2 to 3 ms, without end.
func BoardManners() Manners {
	return Manners{
		RSSIOnly:         true,
		Jitter:           4 * time.Millisecond,
		Turnaround:       300 * time.Microsecond,
		Pause:            4 * time.Millisecond,
		DeafAfterSend:    4 * time.Millisecond,
		DeafAfterReceive: 4 * time.Millisecond,
		Wait:             math.MaxInt64 / 2,
		RetryMin:         2 * time.Millisecond,
		RetryMax:         3 * time.Millisecond,
	}
}

// Detection is a model of the channel activity detection (CAD) of an SX1276: for a little less than two symbols the receiver looks for
// a chirp, of a preamble or of a payload, and receives nothing. A reception that has begun without the modem's status telling of it yet
// is lost, unless enough of the preamble is left. It draws as much current as receiving, and counts as that in [lora.Activity].
type Detection struct {
	// Always is before each packet. Otherwise it is before a packet that is no answer, when the receiver may have missed the
	// beginning of another one: for as long after a packet of one's own as the longest packet lasts.
	Always bool
	// Symbols is how long it takes. Measured: 1.80 to 1.86 at SF9 to SF12. Default 1.85.
	Symbols float64
	// FalseAlarm is the probability of a hit where nobody sends. Measured: 1:80 at SF12 and 125 kHz. Negative for none. Default 1/80.
	FalseAlarm float64
	// Certain is the SNR above the demodulator's limit from which on no chirp is missed, in dB; below, misses rise in proportion, up to
	// MissAtLimit at the limit, and further below. Measured: hits are steady down to 4 to 5 dB above the level where packets fail, then
	// flicker. Defaults 5 dB and 0.5.
	Certain, MissAtLimit float64
}

func (d Detection) withDefaults() Detection {
	for _, f := range []struct {
		v *float64
		d float64
	}{{&d.Symbols, 1.85}, {&d.FalseAlarm, 1.0 / 80}, {&d.Certain, 5}, {&d.MissAtLimit, 0.5}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return d
}

// miss returns the probability with which a chirp that arrives with an SNR above the limit, in dB, is missed.
func (d *Detection) miss(above float64) float64 {
	return min(max((d.Certain-above)/d.Certain, 0)*d.MissAtLimit, 1)
}

// The parts of a packet, in quarters of a symbol from the end of the preamble's upchirps: a chirp is detected in about one symbol; the
// 2.25 symbols after sync word are downchirps, which the detection is blind for.
const (
	seenQuarters = 4 // of the preamble must have passed
	sfdQuarters  = 9 // downchirps at the end of what modem.preamble counts
)

// Manners returns how the radio is driven.
func (a *antenna) Manners() Manners {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.manners
}

// SetManners changes how the radio is driven, in place of [Options.Manners]. A packet that it is sending goes on.
func (a *antenna) SetManners(manners Manners) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.front == nil { // the chip behind a Transceiver has its own
		a.setManners(manners)
	}
}

func (a *antenna) setManners(manners Manners) {
	if manners.CAD != nil {
		d := manners.CAD.withDefaults()
		manners.CAD = &d
	}
	a.manners = manners
	a.mannered = manners != Manners{}
}

// chance returns the source of random times and detections.
func (m *medium) chance() *rand.Rand {
	if m.dice == nil {
		m.dice = rand.New(rand.NewPCG(m.opt.Seed, streamManners))
	}
	return m.dice
}

// between draws a time.
func (m *medium) between(low, high time.Duration) int64 {
	if high <= low {
		return int64(low)
	}
	return int64(low) + m.chance().Int64N(int64(high-low)+1)
}

// hold returns for how long a packet that comes now must wait before it is listened for.
func (m *medium) hold(a *antenna, now int64) int64 {
	if !a.mannered {
		return 0
	}
	b := &a.manners
	at := now
	ahead := int64(m.listenTime(a.packet)) + int64(b.Turnaround)
	if b.Gap > 0 && a.sentAt != 0 {
		at = max(at, a.sentAt+int64(b.Gap)-ahead)
	}
	if b.Pause > 0 && a.heardAt != 0 {
		at = max(at, a.heardAt+int64(b.Pause)-ahead)
	}
	if room := m.room(a, at); room > 0 {
		at = room
	}
	if b.Jitter > 0 {
		at += m.between(0, b.Jitter)
	}
	return max(at, a.deafUntil) - now
}

// acknowledgment is the length of an acknowledgment frame (IEEE 802.15.4-2006, section 7.2.2.3).
const acknowledgment = 5

// room returns until when a packet leaves room for the acknowledgments of others; 0 if it need not.
func (m *medium) room(a *antenna, now int64) int64 {
	if a.answer || now >= a.windowAt {
		return 0
	}
	return a.windowAt + m.contend(a) - int64(a.manners.RetryMin)
}

// contend draws how long to wait after a busy channel.
func (m *medium) contend(a *antenna) int64 {
	b := &a.manners
	span := float64(b.RetryMax - b.RetryMin)
	if b.Load > 0 {
		a.age(a.deadline)
		span *= 1 + b.Load*min(a.load/float64(m.memory(a)), 1)
	}
	if b.Slot > 0 {
		slots := max(1, int64(span/float64(b.Slot)+0.5))
		return int64(b.RetryMin) + m.chance().Int64N(slots)*int64(b.Slot)
	}
	return m.between(b.RetryMin, b.RetryMin+time.Duration(span))
}

// loadPackets is over how many of the longest packets the load of the channel is a mean.
const loadPackets = 50

func (m *medium) memory(a *antenna) time.Duration {
	return loadPackets * a.cfg.Airtime(lora.MaxPacket)
}

// age lets the load fade up to a time.
func (a *antenna) age(now int64) {
	if d := now - a.loadAt; d > 0 {
		a.load *= math.Exp(-float64(d) / float64(a.m.memory(a)))
		a.loadAt = now
	}
}

// patient reports whether a packet waits longer for a free channel, and lets it.
func (m *medium) patient(a *antenna) bool {
	if a.refusal != lora.ErrChannelBusy || !a.mannered || a.deadline >= a.giveUp {
		return false
	}
	a.account(a.deadline)
	a.state = waiting
	a.stats.Waited++
	a.deadline += max(m.contend(a), 1)
	return true
}

// prepare takes a packet for which the channel was free one step on: to the detection of activity, and to the turnaround.
func (m *medium) prepare(a *antenna) bool {
	if !a.mannered || m.opt.PHY != LoRa {
		return false
	}
	b := &a.manners
	switch {
	case a.state == listening && b.CAD != nil && (b.CAD.Always || m.blind(a)):
		a.account(a.deadline)
		a.state = detecting
		a.detectFrom = a.deadline
		a.deadline += int64(b.CAD.Symbols * float64(a.modem.symbol))
		m.unlock(a, &a.stats.Deaf) // as what begins meanwhile
		return true
	case a.state != turning && b.Turnaround > 0:
		a.account(a.deadline)
		a.state = turning
		a.deadline += int64(b.Turnaround)
		m.unlock(a, &a.stats.HalfDuplex)
		return true
	}
	return false
}

// blind reports whether a packet may be on the air that began while the antenna was sending.
func (m *medium) blind(a *antenna) bool {
	return !a.answer && a.sentAt != 0 && a.deadline-a.sentAt < int64(a.cfg.Airtime(lora.MaxPacket))
}

// unlock ends a reception because the receiver is turned off for a packet of its own.
func (m *medium) unlock(a *antenna, counted *uint64) {
	if a.lock != nil && !m.opt.Ideal {
		a.lock = nil
		*counted++
	}
}

// detects reports whether a detection that ends now finds a chirp.
func (m *medium) detects(a *antenna) bool {
	d := a.manners.CAD
	for _, id := range a.incoming {
		from := m.antennas[id]
		end := from.start + from.modem.preamble
		sfd := end - a.modem.symbol*sfdQuarters/4
		middle := (a.detectFrom + a.deadline) / 2
		if a.detectFrom < from.start+a.modem.symbol*seenQuarters/4-a.modem.symbol/2 || middle >= sfd && middle < end {
			continue
		}
		if i, ok := from.linkTo(a.id); ok && m.chance().Float64() >= d.miss(float64(from.links[i].rssi)-a.modem.sensitivity) {
			return true
		}
	}
	return d.FalseAlarm > 0 && m.chance().Float64() < d.FalseAlarm
}

// enoughLeft reports whether so much of the preamble of the packet that a sends is left at a time that a receiver locks on it.
func (a *antenna) enoughLeft(b *antenna, at int64) bool {
	return a.start+a.modem.preamble >= at+b.modem.symbol*lateQuarters/4
}

// received notes the end of a packet that the receiver had locked on.
func (a *antenna) received(from *antenna, now int64) {
	if a.mannered {
		a.heardAt, a.windowAt = now, now
		if len(from.packet) > acknowledgment {
			a.windowAt += int64(a.manners.Window)
		}
		a.age(now)
		a.load += float64(from.deadline - from.start)
		a.deafUntil = max(a.deafUntil, now+int64(a.manners.DeafAfterReceive))
	}
}

// sentOne notes the end of a packet of one's own. One that has begun meanwhile may be heard, if enough of it is left.
func (m *medium) sentOne(a *antenna) {
	if !a.mannered {
		return
	}
	a.sentAt = a.deadline
	a.age(a.deadline)
	a.load += float64(a.deadline - a.start)
	a.deafUntil = a.deadline + int64(a.manners.DeafAfterSend)
	if a.works() && a.hears() {
		m.catch(a, a.deafUntil, &a.stats.HalfDuplex)
	}
}
