package runner

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// Energy measures the power on a channel for an engine, by the packets that are heard meanwhile: that of the strongest one. Most radios
// here do not tell more.
type Energy struct {
	// Floor is what is said, in dBm, when nothing was heard.
	Floor int8

	until   time.Time // zero if nothing is measured
	highest int
	any     bool
}

// Poll begins what the engine asks for. It is called after each input of the engine's.
func (m *Energy) Poll(now time.Time, e *thread.Engine) {
	if d, ok := e.PollEnergyScan(); ok {
		m.until, m.any = now.Add(d), false
	}
}

// Heard notes a packet of a strength in dBm.
func (m *Energy) Heard(rssi int) {
	if !m.any || rssi > m.highest {
		m.highest, m.any = rssi, true
	}
}

// NextTimeout returns when HandleTimeout is due, and false if nothing is measured.
func (m *Energy) NextTimeout() (time.Time, bool) { return m.until, !m.until.IsZero() }

// HandleTimeout tells the engine what was measured, once the time is over.
func (m *Energy) HandleTimeout(now time.Time, e *thread.Engine) {
	if m.until.IsZero() || m.until.After(now) {
		return
	}
	m.until = time.Time{}
	result := m.Floor
	if m.any {
		result = int8(min(max(m.highest, math.MinInt8), noRSSI-1)) // which an Energy Report can hold
	}
	e.HandleEnergyScanDone(now, result)
	m.Poll(now, e) // the next channel
}
