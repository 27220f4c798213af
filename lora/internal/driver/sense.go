package driver

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// reception is what the modem receives, as far as it tells. What it says does not age: a preamble that noise has made, or one whose
// packet went away, stays until another packet comes. So it counts for as long as it can be true.
//
//	Preamble ─ no header within preamble, sync word, header and 4 symbols ──▶ expired
//	Header   ─ not over within the longest packet ──────────────────────────▶ expired
type reception struct {
	progress Progress
	since    time.Time
	limits   [Header + 1]time.Duration
}

// Symbols of a header, and how many more a header may take from when its preamble was noticed.
const (
	headerSymbols = 8
	spareSymbols  = 4
)

func (r *reception) init(cfg lora.Config) {
	r.limits[Preamble] = cfg.PreambleTime() + (headerSymbols+spareSymbols)*cfg.SymbolTime()
	r.limits[Header] = cfg.Airtime(lora.MaxPacket)
}

// track notes what the modem tells.
func (r *reception) track(p Progress, now time.Time) {
	if p != r.progress {
		r.progress, r.since = p, now
	}
}

// busy reports whether the modem receives a packet.
func (r *reception) busy() bool { return r.progress != Nothing }

// expired reports whether it cannot be true any more.
func (r *reception) expired(now time.Time) bool {
	return r.progress != Nothing && now.Sub(r.since) > r.limits[r.progress]
}

// load is the share of the time in which packets were on the air that this chip sent or received. What is longer ago counts less and
// less.
type load struct {
	memory time.Duration
	sum    float64 // seconds
	at     time.Time
}

// loadPackets is over how many of the longest packets load looks back.
const loadPackets = 50

func (l *load) init(cfg lora.Config) { l.memory = loadPackets * cfg.Airtime(lora.MaxPacket) }

func (l *load) age(now time.Time) {
	if d := now.Sub(l.at); d > 0 {
		l.sum *= math.Exp(-float64(d) / float64(l.memory))
	}
	l.at = now
}

// add counts a packet.
func (l *load) add(airtime time.Duration, now time.Time) {
	l.age(now)
	l.sum += airtime.Seconds()
}

// share returns the share, 0 to 1.
func (l *load) share(now time.Time) float64 {
	l.age(now)
	return min(l.sum/l.memory.Seconds(), 1)
}

// heard notes that a packet has come, whole or not.
func (d *Driver) heard(p *Packet) {
	n := max(p.Length, p.N)
	d.load.add(d.cfg.Airtime(n), d.received)
	d.window = d.received
	if n > shortestPacket {
		d.window = d.received.Add(d.opt.Listen.Window)
	}
	if d.tx.state == txWaiting || d.tx.state == txListening {
		d.tx.state = txWaiting
		d.yield()
	}
}
