package chipemu

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Settings are what registers or commands say about how packets are sent and received. Its zero
// fields are values that chips do not allow.
type Settings struct {
	Chip     time.Duration // 1 / bandwidth
	SF       lora.SpreadingFactor
	CR       lora.CodingRate
	Implicit bool
	CRC      bool
	LDRO     bool
	Preamble uint16

	// MaxLength is the longest packet that a receiver takes, by its header; Length that of one without.
	MaxLength, Length int
	// StrictPreamble says that a receiver misses packets with longer preambles than its own.
	StrictPreamble bool

	lorasim.Modulation // what the air needs beside
}

// Symbol returns how long a symbol lasts.
func (s *Settings) Symbol() time.Duration { return s.Chip << s.SF }

// BandwidthHz returns 1 / Chip.
func (s *Settings) BandwidthHz() lora.Bandwidth { return lora.Bandwidth(time.Second / s.Chip) }

// PreambleTime returns how long preamble and sync word last: 4.25 symbols more than the
// settings say (SX1276 data sheet, section 4.1.1.7).
func (s *Settings) PreambleTime() time.Duration {
	return (4*time.Duration(s.Preamble) + 17) * s.Symbol() / 4
}

// The first symbols after the preamble hold the header, if there is one.
const headerSymbols = 8

// Airtime returns how long a packet of n bytes lasts (SX1276 data sheet, section 4.1.1.7).
func (s *Settings) Airtime(n int) time.Duration {
	bits := 8*n - 4*int(s.SF) + 28
	if s.CRC {
		bits += 16
	}
	if s.Implicit {
		bits -= 20
	}
	perBlock := 4 * int(s.SF)
	if s.LDRO {
		perBlock -= 8
	}
	blocks := (max(bits, 0) + perBlock - 1) / perBlock
	symbols := headerSymbols + blocks*(4+int(s.CR))
	return s.PreambleTime() + time.Duration(symbols)*s.Symbol()
}

// Framing returns how the air sees it.
func (s *Settings) Framing() lorasim.Framing {
	return lorasim.Framing{Implicit: s.Implicit, NoCRC: !s.CRC, LowDataRate: s.LDRO}
}

// CAD is how channel activity detection errs. The zero CAD does not: it finds whatever is above the limit of reception.
type CAD struct {
	// FalseAlarms is the probability that it finds something where nothing is.
	FalseAlarms float64
	// Misses makes it miss signals less than 5 dB above the limit of reception, half of them at the limit.
	Misses bool
}

// MeasuredCAD is what somebody has measured with an SX1276 at SF12 and 125 kHz: one false alarm in 80, and half of the range in which packets can
// be received (StuartsProjects, 2018-09-28).
var MeasuredCAD = CAD{FalseAlarms: 1. / 80, Misses: true}

// Header is what a header says.
type Header struct {
	N   int
	CR  lora.CodingRate
	CRC bool
}

// Packet is a packet whose end has come.
type Packet struct {
	N         int
	Payload   [lora.MaxPacket]byte
	Corrupt   bool // by a collision, or by settings that do not match: the payload is garbage
	CRC       bool // there is one
	RSSI, SNR float64
}

// Stage is how far a reception has come.
type Stage uint8

// The stages.
const (
	Quiet    Stage = iota
	Detected       // a preamble
	Synced         // its end
	Headed         // the header has come
)

// Modem is a LoRa modem on an air.
type Modem struct {
	core      *Core
	set       Settings
	hearing   bool      // packets, or activity alone
	since     time.Time // it listens
	rx        reception
	timeoutAt time.Time // end of Hear, without a packet
	cadAt     time.Time // end of Assess
	dwell     time.Duration
	arrivals  []lorasim.Arrival
	packet    Packet
}

// reception is a packet that is being received.
type reception struct {
	active  bool
	lost    bool // its header was: the packet's end means nothing
	stage   Stage
	phantom bool // a preamble that noise has made, without end
	corrupt bool

	stageAt [Headed + 1]time.Time // when the stages come; zero once they have
	n       int
	framing lorasim.Framing
	cr      lora.CodingRate
	long    bool // its preamble is longer than the receiver's
}

// Hear begins to listen at a time. With a time limit it ends there unless a packet has begun.
func (m *Modem) Hear(s Settings, from time.Time, limit time.Duration) {
	m.listen(s, from)
	if limit > 0 {
		m.timeoutAt = from.Add(limit)
	}
}

// Assess looks for activity for a dwell time from a time on, and ends later.
func (m *Modem) Assess(s Settings, from time.Time, dwell, duration time.Duration) {
	m.listen(s, from)
	m.dwell, m.cadAt = dwell, from.Add(duration)
}

func (m *Modem) listen(s Settings, from time.Time) {
	m.Halt()
	m.set, m.hearing, m.since = s, true, from
	m.core.air.Configure(s.Modulation)
	m.core.air.Listen(from)
}

// Send sends a packet at a time.
func (m *Modem) Send(s Settings, at time.Time, packet []byte) {
	m.Halt()
	m.set = s
	m.core.air.Configure(s.Modulation)
	m.core.air.Transmit(at, packet, s.PreambleTime(), s.Airtime(len(packet)))
}

// Halt stops the modem.
func (m *Modem) Halt() {
	m.core.air.Idle()
	m.rx, m.hearing = reception{}, false
	m.timeoutAt, m.cadAt = time.Time{}, time.Time{}
}

// Stage returns how far the reception of a packet has come.
func (m *Modem) Stage() Stage { return m.rx.stage }

// Strength returns what the receiver hears, noise included, in dBm.
func (m *Modem) Strength() float64 {
	milliwatt := math.Pow(10, m.core.air.Signal()/10) + math.Pow(10, m.core.air.NoiseFloor()/10)
	return 10 * math.Log10(milliwatt)
}

// deadline returns when the modem next does something by itself.
func (m *Modem) deadline() (at time.Time, ok bool) {
	for _, t := range [...]time.Time{m.rx.stageAt[Detected], m.rx.stageAt[Synced], m.rx.stageAt[Headed], m.timeoutAt, m.cadAt} {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}

// expire does what is due at a time.
func (m *Modem) expire(at time.Time) {
	r, front := &m.rx, m.core.front
	switch at {
	case r.stageAt[Detected]:
		r.stageAt[Detected], r.stage = time.Time{}, Detected
		front.Detected(at)
	case r.stageAt[Synced]:
		r.stageAt[Synced], r.stage = time.Time{}, Synced
		front.Synced(at)
	case r.stageAt[Headed]:
		m.endHeader(at)
	case m.timeoutAt:
		m.timeoutAt = time.Time{}
		front.TimedOut(at)
	case m.cadAt:
		found := m.active()
		m.cadAt = time.Time{}
		m.core.Count.Assessed++
		if found {
			m.core.Count.Found++
		}
		front.Assessed(at, found)
	}
}

// active reports whether channel activity detection finds something.
func (m *Modem) active() bool {
	c := m.core
	symbol, floor := m.set.Symbol(), c.air.NoiseFloor()
	limit := -7.5 - 2.5*float64(int(m.set.SF)-int(lora.SF7)) // SX1276 data sheet, table 13
	m.arrivals = c.air.Arrivals(m.arrivals[:0])
	for _, a := range m.arrivals {
		down := a.Start.Add(a.Preamble - symbol*9/4) // 2.25 chirps the other way
		up := a.Start.Add(a.Preamble)
		heard := overlap(m.since, m.since.Add(m.dwell), a.Start, a.End) - overlap(m.since, m.since.Add(m.dwell), down, up)
		if heard < symbol*3/4 {
			continue
		}
		above := a.RSSI - floor - limit
		if above < 0 || m.core.opt.CAD.Misses && above < 5 && c.Rand.Float64() > 0.5+above/10 {
			continue
		}
		return true
	}
	return c.Rand.Float64() < c.opt.CAD.FalseAlarms
}

// overlap returns for how long two spans of time overlap.
func overlap(a, b, x, y time.Time) time.Duration {
	if x.Before(a) {
		x = a
	}
	if y.After(b) {
		y = b
	}
	return max(y.Sub(x), 0)
}

// handle handles an event of the air.
func (m *Modem) handle(e *lorasim.Event) {
	switch {
	case e.Kind == lorasim.TransmitEnds:
		m.core.front.Sent(e.Time)
		return
	case !m.hearing: // since the event before this
		return
	}
	switch e.Kind {
	case lorasim.PacketBegins:
		m.begin(e)
	case lorasim.PacketSpoiled:
		m.rx.corrupt = true
	case lorasim.PacketLost:
		m.rx.corrupt = true
		if m.rx.stage == Headed {
			m.finish(e)
		} else {
			m.dropHeader(e.Time)
		}
	case lorasim.PacketEnds:
		m.end(e)
	}
}

// begin is called when the receiver has locked on a packet.
func (m *Modem) begin(e *lorasim.Event) {
	symbol := m.set.Symbol()
	heard := e.Start
	if heard.Before(m.since) {
		heard = m.since
	}
	m.rx = reception{active: true, n: e.N, framing: e.Framing, cr: e.CodingRate,
		long: m.set.StrictPreamble && e.Preamble > m.set.PreambleTime()}
	m.rx.stageAt = [...]time.Time{
		Detected: heard.Add(symbol * 47 / 10),
		Synced:   e.Start.Add(e.Preamble - symbol*17/4),
		Headed:   e.Start.Add(e.Preamble + headerSymbols*symbol),
	}
	if m.rx.stageAt[Synced].Before(m.rx.stageAt[Detected]) {
		m.rx.stageAt[Synced] = m.rx.stageAt[Detected]
	}
	m.timeoutAt = time.Time{}
}

// endHeader is called when the header has come, or in the same place without one.
func (m *Modem) endHeader(at time.Time) {
	r, s := &m.rx, &m.set
	r.stageAt = [Headed + 1]time.Time{}
	if r.framing.Implicit != s.Implicit || r.corrupt && !s.Implicit || r.long {
		m.dropHeader(at)
		return
	}
	if r.framing.LowDataRate != s.LDRO {
		r.corrupt = true
	}
	r.stage = Headed
	if s.Implicit {
		if r.framing.NoCRC == s.CRC || r.n != s.Length || r.cr != s.CR {
			r.corrupt = true
		}
		r.n = s.Length
		return
	}
	if r.n > s.MaxLength {
		m.dropHeader(at)
		return
	}
	m.core.front.Header(at, Header{r.n, r.cr, !r.framing.NoCRC})
}

// dropHeader is called when the header is wrong.
func (m *Modem) dropHeader(at time.Time) {
	if m.rx.active {
		m.core.front.HeaderFailed(at)
	}
	m.rx = reception{lost: true}
}

// end is called when a packet is over.
func (m *Modem) end(e *lorasim.Event) {
	if m.rx.lost {
		m.rx = reception{}
		return
	}
	if !m.rx.active { // an ideal air does not tell when packets begin
		m.begin(e)
	}
	if m.rx.stage != Headed {
		m.endHeader(e.Time)
	}
	if m.rx.stage != Headed {
		m.rx = reception{}
		return
	}
	if !e.Intact {
		m.rx.corrupt = true
	}
	m.finish(e)
}

// finish hands a packet to the front.
func (m *Modem) finish(e *lorasim.Event) {
	r, p := m.rx, &m.packet
	m.rx = reception{}
	if f := &m.core.faults; f.corrupt > 0 && !r.corrupt {
		f.corrupt--
		r.corrupt = true
	}
	p.N, p.Corrupt, p.CRC, p.RSSI, p.SNR = r.n, r.corrupt, !r.framing.NoCRC, e.RSSI, e.SNR
	p.Payload = e.Payload
	if r.corrupt {
		for i := range r.n {
			p.Payload[i] ^= byte(m.core.Rand.Uint32())
		}
	}
	switch {
	case !r.corrupt, r.framing.NoCRC:
		m.core.Count.Received++
	default:
		m.core.Count.CRCErrors++
	}
	m.core.front.Received(e.Time, p)
}

// Phantom makes the modem take noise for a preamble, for good: until reception begins anew, or another packet comes. It has no effect on
// a modem that does not listen.
func (c *Core) Phantom() {
	c.Lock()
	defer c.Unlock()
	if c.hearing && !c.rx.active {
		c.rx = reception{stage: Detected, phantom: true}
		c.front.Detected(c.Now)
	}
}
