package lorasim

import (
	"cmp"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// refusalTime is how long it takes to refuse a packet without listening: enough for a
// sender that tries again at once not to stop the time.
const refusalTime = time.Millisecond

// outcome is what the deadline of an antenna brought.
type outcome uint8

const (
	outcomeStarted outcome = iota // the next step has begun; a new deadline is set
	outcomeRefused                // nothing was sent; antenna.refusal says why
	outcomeSent                   // the transmission has ended; medium.heard says who heard it
)

// send begins to listen or to transmit. The antenna must be idle. A driver calls advance
// at a.deadline.
func (m *medium) send(a *antenna, packet []byte, answer bool, now int64) {
	a.packet = append(a.packet[:0], packet...)
	a.answer = answer || len(packet) <= acknowledgment
	a.refusal = a.fault
	if a.refusal == nil && (len(packet) == 0 || len(packet) > a.modem.maxPacket) {
		a.refusal = lora.ErrPacketSize
	}
	if a.refusal == nil && a.mannered {
		a.giveUp = now + int64(a.manners.Wait)
		if hold := m.hold(a, now); hold > 0 {
			a.account(now)
			a.state, a.deadline = waiting, now+hold
			return
		}
	}
	m.listen(a, now)
}

// listen begins to listen for a free channel, or, where that is not done, to transmit.
func (m *medium) listen(a *antenna, now int64) {
	listen := m.listenTime(a.packet)
	if listen == 0 && a.refusal == nil {
		m.begin(a, now)
		return
	}
	a.account(now)
	a.state = listening
	a.deadline = now + int64(cmp.Or(listen, refusalTime))
	if a.power >= m.busyAt || m.hearsPacket(a) {
		a.sense()
	}
}

// hearsPacket reports whether the receiver will know before the end of listening that it has locked on a packet.
func (m *medium) hearsPacket(a *antenna) bool {
	return a.lock != nil && m.opt.PHY == LoRa && !m.opt.RSSIOnly && !a.manners.RSSIOnly && a.lockFrom+detectSymbols*a.modem.symbol <= a.deadline
}

// listenTime returns how long to listen before a packet.
func (m *medium) listenTime(packet []byte) time.Duration {
	switch {
	case m.opt.NoListen:
		return 0
	case m.opt.PHY == LoRa:
		return loraListen
	case len(packet) > 0 && packet[0]&frameTypeMask == frameTypeAck:
		return 0
	default:
		return oqpskListen
	}
}

// sense notes that the channel was busy.
func (a *antenna) sense() {
	if a.refusal == nil {
		a.refusal = lora.ErrChannelBusy
	}
}

// advance does what is due at the deadline of an antenna.
func (m *medium) advance(a *antenna) outcome {
	switch a.state {
	case transmitting:
		m.end(a)
		return outcomeSent
	case starting:
		m.begin(a, a.deadline)
		return outcomeStarted
	case waiting:
		a.refusal = nil
		if room := m.room(a, a.deadline); room > 0 && a.deadline < a.giveUp {
			a.deadline = room
			return outcomeStarted
		}
		m.listen(a, a.deadline)
		return outcomeStarted
	case detecting:
		if m.detects(a) {
			a.sense()
			m.catch(a, a.deadline, &a.stats.Deaf)
		}
	}
	if a.refusal != nil {
		if m.patient(a) {
			return outcomeStarted
		}
		a.account(a.deadline)
		a.state = idle
		if a.refusal == lora.ErrChannelBusy {
			a.stats.Busy++
		}
		return outcomeRefused
	}
	if m.prepare(a) {
		return outcomeStarted
	}
	m.begin(a, a.deadline)
	return outcomeStarted
}

// begin puts the packet on the air.
func (m *medium) begin(a *antenna, now int64) {
	a.account(now)
	a.state = transmitting
	a.start = now
	a.deadline = now + int64(m.airtime(a, len(a.packet)))
	m.capture.write(a)
	if m.opt.Watch != nil {
		m.opt.Watch(Transmission{int(a.id), m.opt.Start.Add(time.Duration(now)), time.Duration(a.deadline - now), a.packet})
	}
	m.unlock(a, &a.stats.HalfDuplex)
	for i := range a.links {
		l := &a.links[i]
		b := m.antennas[l.to]
		b.power += l.power
		b.incoming = append(b.incoming, a.id)
		if b.state == listening && b.power >= m.busyAt {
			b.sense()
		}
		if !m.opt.Ideal {
			m.arrive(a, b, l, now)
		}
	}
}

// arrive decides what a receiver does with a packet that begins.
func (m *medium) arrive(a, b *antenna, l *link, now int64) {
	if b.lock != nil && !stands(b.lockPower, b.power, m.keepRatio) && !b.spoiled {
		b.spoiled = true
		b.tellPacket(PacketSpoiled, b.lock, now)
	}
	switch {
	case a.modem.sync != b.modem.sync:
	case float64(l.rssi) < b.modem.sensitivity:
		b.stats.TooWeak++
	case b.state == transmitting:
		b.stats.HalfDuplex++
	case !b.hears(), now < b.deafUntil && !a.enoughLeft(b, b.deafUntil):
		b.stats.Deaf++
	case !stands(l.power, b.power, m.lockRatio), b.lock != nil && now >= b.lockUntil:
		b.stats.Collided++
	default:
		if b.lock != nil {
			b.stats.Collided++
		}
		b.lockOn(a, l, max(now, b.deafUntil))
		b.tellPacket(PacketBegins, a, now)
		if b.state == listening && m.hearsPacket(b) {
			b.sense()
		}
	}
}

// lockOn makes the packet of another antenna the one that is received.
func (a *antenna) lockOn(from *antenna, l *link, at int64) {
	a.lock, a.lockPower, a.lockFrom, a.lockUntil, a.spoiled = from, l.power, at, from.start+from.modem.preamble, false
}

// forget takes a sender out of the list of those that arrive.
func (a *antenna) forget(from *antenna) {
	if i := slices.Index(a.incoming, from.id); i >= 0 {
		last := len(a.incoming) - 1
		copy(a.incoming[i:], a.incoming[i+1:])
		a.incoming = a.incoming[:last]
	}
}

// stands reports whether a signal stands above the rest of a sum by a ratio.
func stands(signal, sum int64, ratio float64) bool {
	return float64(signal) >= ratio*float64(sum-signal)
}

// end takes the packet off the air and lists in m.heard who received it.
func (m *medium) end(a *antenna) {
	m.heard = m.heard[:0]
	for i := range a.links {
		l := &a.links[i]
		b := m.antennas[l.to]
		b.power -= l.power
		b.forget(a)
		switch {
		case m.opt.Ideal:
			if a.modem.sync != b.modem.sync || float64(l.rssi) < b.modem.sensitivity {
				continue
			}
			if !b.hears() {
				b.stats.Deaf++
				continue
			}
		case b.lock != a:
			continue
		case b.spoiled:
			b.lock = nil
			b.received(a, a.deadline)
			b.stats.Collided++
			b.tellEnd(a, l, false)
			continue
		default:
			b.lock = nil
			b.received(a, a.deadline)
		}
		if m.lose(a, b) || b.front == nil && a.modem.framing != b.modem.framing {
			b.stats.Lost++
			b.tellEnd(a, l, false)
			continue
		}
		b.stats.Delivered++
		if b.front != nil {
			b.tellEnd(a, l, true)
			continue
		}
		m.heard = append(m.heard, hearing{b, float64(l.rssi)})
	}
	a.account(a.deadline)
	a.state = idle
	a.stats.Sent++
	a.stats.Airtime += time.Duration(a.deadline - a.start)
	m.sentOne(a)
}

// abort takes an antenna back to idle, whatever it did; a packet on the air is lost.
func (m *medium) abort(a *antenna) {
	a.account(m.clock())
	if a.state == transmitting {
		a.stats.Aborted++
		for i := range a.links {
			b := m.antennas[a.links[i].to]
			b.power -= a.links[i].power
			b.forget(a)
			if b.lock == a {
				b.lock = nil
				b.tellLost(a)
			}
		}
	}
	a.state = idle
}

// lateQuarters is how much of preamble and sync word a receiver must hear to lock on a
// packet, in quarters of a symbol: 5 symbols of the preamble and the 4.25 of the sync word.
const lateQuarters = 4*5 + 17

// catch locks a receiver that is turned on at a time on a packet that has begun already, if enough of its preamble is left. The packet was
// counted as lost when it began.
func (m *medium) catch(b *antenna, at int64, counted *uint64) {
	if m.opt.Ideal || b.state == transmitting {
		return
	}
	for _, id := range b.incoming {
		from := m.antennas[id]
		if from.modem.sync != b.modem.sync || !from.enoughLeft(b, at) {
			continue
		}
		i, _ := from.linkTo(b.id)
		l := &from.links[i]
		if float64(l.rssi) >= b.modem.sensitivity && stands(l.power, b.power, m.lockRatio) {
			*counted--
			b.lockOn(from, l, at)
			b.tellPacket(PacketBegins, from, at)
			return
		}
	}
}

// lose draws whether a packet is lost by chance.
func (m *medium) lose(a, b *antenna) bool {
	p := m.opt.Loss
	if len(m.loss) > 0 {
		if own, ok := m.loss[pair{a.id, b.id}]; ok {
			p = own
		}
	}
	return p > 0 && m.rand.Float64() < p
}

func (m *medium) airtime(a *antenna, n int) time.Duration {
	switch {
	case a.front != nil:
		return a.front.airtime
	case m.opt.PHY == IEEE802154:
		return time.Duration(oqpskHeader+n) * oqpskByte
	default:
		return a.cfg.Airtime(n)
	}
}
