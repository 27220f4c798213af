package lorasim

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Transceiver is the bare modem of a radio on an [Air], for emulators of radio chips.
// Where a [Radio] listens all the time, listens before it talks and queues what it hears, a
// Transceiver does only what it is told, at the moment it is told, and reports all that
// a modem notices as events.
//
// It is made for an air with the LoRa PHY. On an ideal air it reports the end of packets
// alone.
type Transceiver struct {
	antenna
	air     *Air
	wake    func()
	hearing bool
	airtime time.Duration // of the packet to send
	events  []Event
}

// Modulation is how a Transceiver sends and hears.
type Modulation struct {
	// Config is used as it is, without defaults and without regard to the region. Its
	// bandwidth may be any but zero. Transmit, not Config, says how long packets last.
	lora.Config
	// Inverted turns I and Q around. Who differs in this is on another channel.
	Inverted bool
	Framing
}

// Framing is how the bytes of a packet are laid out in symbols. A packet can be read
// with the framing that it was sent with; in an explicit header travel coding rate and
// CRC, which then need not agree. A [Radio] or [Node] has an explicit header, a CRC, and
// low data rate optimization where lora.Config says so.
type Framing struct {
	Implicit    bool // no header
	NoCRC       bool // no payload CRC
	LowDataRate bool // low data rate optimization
}

// EventKind is what a Transceiver noticed.
type EventKind uint8

const (
	// PacketBegins: the receiver locked on the preamble of a packet. A stronger
	// packet may follow while that preamble lasts.
	PacketBegins EventKind = iota + 1
	// PacketSpoiled: the packet collides; what arrives of it from now on is garbage.
	PacketSpoiled
	// PacketLost: the signal of the packet went away before its end.
	PacketLost
	// PacketEnds: the packet is over.
	PacketEnds
	// TransmitEnds: the Transceiver's own packet has left the antenna.
	TransmitEnds
)

// Event is what a Transceiver noticed, and when. All but Kind and Time concern the
// packet that is being received.
type Event struct {
	Kind EventKind
	Time time.Time

	Start      time.Time     // of its preamble
	Preamble   time.Duration // with sync word
	Airtime    time.Duration
	CodingRate lora.CodingRate
	Framing    Framing
	RSSI       float64 // dBm
	SNR        float64 // dB
	Intact     bool    // PacketEnds: neither collision nor chance harmed it
	N          int     // length of Payload
	Payload    [lora.MaxPacket]byte
}

// Transceiver puts a transceiver on the air. It neither hears nor sends before Configure
// and Listen or Transmit.
//
// The function wake is called when events have come. The air is locked then: wake must
// not call back, but only make somebody else call Poll.
func (a *Air) Transceiver(pos Position, wake func()) *Transceiver {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := &Transceiver{air: a, wake: wake}
	t.front = t
	a.attach(&t.antenna, lora.Config{}, pos)
	a.devices = append(a.devices, t)
	a.queue.add()
	return t
}

// Configure changes the modulation. The transceiver should be idle.
func (t *Transceiver) Configure(m Modulation) {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	modem := newModem(LoRa, m.Config)
	modem.channel.inverted = m.Inverted
	modem.framing = m.Framing
	retuned := t.cfg != m.Config || t.modem.channel != modem.channel
	t.cfg, t.modem, t.fault = m.Config, modem, nil
	if retuned {
		t.air.relink(&t.antenna)
	}
}

// Listen makes the transceiver idle, and then listen from a time on. A packet whose
// preamble has begun before may still be heard, if enough of the preamble is left.
func (t *Transceiver) Listen(from time.Time) {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	t.air.catchUp()
	t.idle()
	t.plan(from)
}

// Transmit makes the transceiver idle, and then send a packet at a time. Preamble is the
// part of the airtime that preamble and sync word last.
func (t *Transceiver) Transmit(at time.Time, packet []byte, preamble, airtime time.Duration) {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	t.air.catchUp()
	t.idle()
	t.state = starting
	t.packet = append(t.packet[:0], packet...)
	t.modem.preamble, t.airtime = int64(preamble), airtime
	t.plan(at)
}

// plan sets when due is called. air.mu is held.
func (t *Transceiver) plan(at time.Time) {
	a := t.air
	t.deadline = max(int64(at.Sub(a.opt.Start)), a.now())
	a.queue.set(t.id, t.deadline)
	a.catchUp()
	a.arm()
}

// Idle ends listening and transmitting. A packet on the air is cut short. Events that were
// not polled yet are dropped.
func (t *Transceiver) Idle() {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	t.air.catchUp()
	t.idle()
}

// idle does what Idle says. air.mu is held.
func (t *Transceiver) idle() {
	t.air.queue.clear(t.id)
	t.air.abort(&t.antenna)
	t.account(t.air.now())
	t.events = t.events[:0] // what it noticed in the meantime
	t.hearing = false
	if t.lock != nil {
		t.lock = nil
		t.stats.Deaf++
	}
}

// Poll brings the air up to date, appends to buf the events since the last Poll in their
// order, and returns the time of the air.
func (t *Transceiver) Poll(buf []Event) ([]Event, time.Time) {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	now := t.air.catchUp()
	buf = append(buf, t.events...)
	t.events = t.events[:0]
	return buf, t.air.time(now)
}

// Signal returns the strength of all that arrives on the channel, without noise, in dBm;
// negative infinity when that is nothing.
func (t *Transceiver) Signal() float64 {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	t.air.catchUp()
	return dBm(t.power)
}

// NoiseFloor returns the noise of the receiver in dBm.
func (t *Transceiver) NoiseFloor() float64 {
	t.air.mu.Lock()
	defer t.air.mu.Unlock()
	return t.modem.noiseFloor
}

// due begins to listen, or begins or ends a transmission.
func (t *Transceiver) due() {
	switch {
	case t.state == idle:
		t.account(t.deadline)
		t.hearing = true
		t.air.catch(&t.antenna, t.deadline, &t.stats.Deaf)
	case t.air.advance(&t.antenna) == outcomeStarted:
		t.air.queue.set(t.id, t.deadline)
	default:
		t.tell(Event{Kind: TransmitEnds, Time: t.air.time(t.deadline)})
		t.air.deliver(&t.antenna)
	}
}

// tell notes an event. air.mu is held.
func (t *Transceiver) tell(e Event) {
	t.events = append(t.events, e)
	t.wake()
}

// tellPacket notes an event that concerns a packet on which an antenna has locked, if there
// is a Transceiver behind it. air.mu is held.
func (a *antenna) tellPacket(kind EventKind, from *antenna, at int64) {
	if a.front != nil {
		a.front.tell(a.event(kind, from, at))
	}
}

// tellLost notes that the packet does not arrive any more.
func (a *antenna) tellLost(from *antenna) {
	if a.front != nil {
		a.front.tell(a.event(PacketLost, from, a.front.air.now()))
	}
}

// tellEnd notes that the packet has ended.
func (a *antenna) tellEnd(from *antenna, l *link, intact bool) {
	if a.front == nil {
		return
	}
	a.lockPower = l.power // there was no lock on an ideal air
	e := a.event(PacketEnds, from, from.deadline)
	e.Intact = intact
	a.front.tell(e)
}

func (a *antenna) event(kind EventKind, from *antenna, at int64) Event {
	air := a.front.air
	e := Event{
		Kind:       kind,
		Time:       air.time(at),
		Start:      air.time(from.start),
		Preamble:   time.Duration(from.modem.preamble),
		Airtime:    time.Duration(from.deadline - from.start),
		CodingRate: from.cfg.CodingRate,
		Framing:    from.modem.framing,
		RSSI:       dBm(a.lockPower),
	}
	e.SNR = e.RSSI - a.modem.noiseFloor
	e.N = copy(e.Payload[:], from.packet)
	return e
}

// dBm is the inverse of attowatts.
func dBm(attowatts int64) float64 { return 10*math.Log10(float64(attowatts)) - 150 }
