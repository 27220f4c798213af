package lorasim

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gopymesh/pymesh/lora"
)

// medium is the air: all antennas, and how strongly each arrives at the others. It has
// no clock; the drivers, Sim and Air, tell it the time in nanoseconds.
//
// A Sim is used by one goroutine, and an Air holds mu whenever it enters the medium;
// the exported methods, which change or read the topology, take mu themselves.
type medium struct {
	mu       sync.Mutex
	opt      Options
	rand     *rand.Rand // losses by chance
	dice     *rand.Rand // random times and detections of Manners
	antennas []*antenna
	rssi     map[pair]float64 // links set one by one, in dBm
	loss     map[pair]float64 // likewise, probability of loss
	busyAt   int64            // power from which on the channel is busy, in attowatts

	lockRatio, keepRatio float64 // CoChannel as ratios of powers

	capture capture
	heard   []hearing // result of the last end of a transmission
	clock   func() int64
}

// pair is a direction between two antennas.
type pair struct{ from, to int32 }

// hearing is a packet that arrived.
type hearing struct {
	by   *antenna
	rssi float64 // dBm
}

func (m *medium) init(opt Options, clock func() int64) {
	m.clock = clock
	m.opt = opt.withDefaults()
	m.rand = rand.New(rand.NewPCG(opt.Seed, streamLoss))
	m.rssi = make(map[pair]float64)
	m.loss = make(map[pair]float64)
	m.busyAt = attowatts(m.opt.BusyThreshold)
	m.lockRatio, m.keepRatio = ratio(m.opt.CoChannel.Lock), ratio(m.opt.CoChannel.Keep)
	m.capture.init(m.opt)
}

// The independent streams of chance that come from one seed.
const (
	streamLoss      = 1
	streamShadowing = 2
	streamManners   = 3
)

// attowatts converts from dBm. Signals add up in whole attowatts (1 aW is -150 dBm), so
// that a sum from which all parts are taken away again is exactly zero. Above 0 dBm
// the result stays at its largest, which leaves room for 9000 such signals.
func attowatts(dBm float64) int64 {
	return int64(math.Round(math.Pow(10, (min(dBm, 0)+150)/10)))
}

// ratio converts from dB, and rounds down to hundredths, so that rounding to whole attowatts does not spoil an exact value.
func ratio(dB float64) float64 { return math.Floor(100*math.Pow(10, dB/10)) / 100 }

// attach puts a new antenna on the air.
func (m *medium) attach(a *antenna, cfg lora.Config, pos Position) {
	a.m, a.id, a.pos, a.since = m, int32(len(m.antennas)), pos, m.clock()
	a.setConfig(cfg)
	if a.front == nil {
		a.setManners(m.opt.Manners)
	}
	m.antennas = append(m.antennas, a)
	m.relink(a)
}

// SetLink fixes the strength of the link between two antennas, both ways, in dBm,
// whatever their positions and powers are.
func (m *medium) SetLink(a, b Endpoint, rssi float64) {
	m.SetLinkFrom(a, b, rssi)
	m.SetLinkFrom(b, a, rssi)
}

// SetLinkFrom fixes the strength with which one antenna arrives at another, in dBm.
func (m *medium) SetLinkFrom(from, to Endpoint, rssi float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, b := from.endpoint(), to.endpoint()
	m.rssi[pair{a.id, b.id}] = rssi
	m.relinkPair(a, b)
}

// CutLink cuts the link between two antennas, both ways.
func (m *medium) CutLink(a, b Endpoint) { m.SetLink(a, b, math.Inf(-1)) }

// RestoreLink undoes SetLink and CutLink: the link follows from the positions again.
func (m *medium) RestoreLink(a, b Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, y := a.endpoint(), b.endpoint()
	delete(m.rssi, pair{x.id, y.id})
	delete(m.rssi, pair{y.id, x.id})
	m.relinkPair(x, y)
	m.relinkPair(y, x)
}

// SetLoss sets the probability, 0 to 1, with which packets between two antennas are lost
// by chance, in place of [Options.Loss].
func (m *medium) SetLoss(a, b Endpoint, probability float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, y := a.endpoint(), b.endpoint()
	m.loss[pair{x.id, y.id}] = probability
	m.loss[pair{y.id, x.id}] = probability
}

// Partition divides the air: antennas of different groups do not hear each other. All
// those that are in no group stay together. It replaces an earlier partition.
func (m *medium) Partition(groups ...[]Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.antennas {
		a.group = 0
	}
	for i, group := range groups {
		for _, e := range group {
			e.endpoint().group = i + 1
		}
	}
	for _, a := range m.antennas {
		m.relink(a)
	}
}

// Heal ends a partition.
func (m *medium) Heal() { m.Partition() }

// RSSI returns the strength with which one antenna arrives at another, in dBm, or
// negative infinity where there is no link.
func (m *medium) RSSI(from, to Endpoint) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.strength(from.endpoint(), to.endpoint())
}

// Stats returns the sum of the statistics of all antennas.
func (m *medium) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum Stats
	for _, a := range m.antennas {
		sum.add(&a.stats)
	}
	return sum
}

// CaptureErr returns the first error of writing to [Options.Capture]. After an error no
// more is written.
func (m *medium) CaptureErr() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.capture.err
}

// relink renews the links from and to an antenna.
func (m *medium) relink(a *antenna) {
	for _, b := range m.antennas {
		m.relinkPair(a, b)
		m.relinkPair(b, a)
	}
}

// relinkPair renews a link. A packet that is on the air goes on over it: its signal
// at the receiver comes, goes or changes.
func (m *medium) relinkPair(a, b *antenna) {
	rssi := m.strength(a, b)
	i, found := a.linkTo(b.id)
	var before, after int64
	if found {
		before = a.links[i].power
	}
	switch {
	case rssi >= b.modem.sensitivity-heardBelow:
		after = attowatts(rssi)
		if !found {
			a.links = slices.Insert(a.links, i, link{})
		}
		a.links[i] = link{to: b.id, rssi: float32(rssi), power: after}
	case found:
		a.links = slices.Delete(a.links, i, i+1)
	}
	if a.state != transmitting {
		return
	}
	b.power += after - before
	switch present := slices.Contains(b.incoming, a.id); {
	case after != 0 && !present:
		b.incoming = append(b.incoming, a.id)
	case after == 0 && present:
		b.forget(a)
	}
	if b.lock == a {
		b.lockPower = after
		if after == 0 {
			b.lock = nil
			b.tellLost(a)
		}
	}
}

// strength returns how strongly a arrives at b, in dBm.
func (m *medium) strength(a, b *antenna) float64 {
	if a == b || !a.works() || !b.works() || a.group != b.group || a.modem.channel != b.modem.channel {
		return math.Inf(-1)
	}
	if rssi, ok := m.rssi[pair{a.id, b.id}]; ok {
		return rssi
	}
	rssi := m.opt.Propagation(float64(a.cfg.TxPower), a.pos, b.pos)
	if m.opt.Shadowing != 0 {
		lo, hi := min(a.id, b.id), max(a.id, b.id)
		stream := uint64(lo)<<32 | uint64(hi)
		rssi -= m.opt.Shadowing * rand.New(rand.NewPCG(m.opt.Seed+streamShadowing, stream)).NormFloat64()
	}
	return rssi
}
