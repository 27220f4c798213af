package runner

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// Energy measures the power on a channel for an engine: the highest of what a lora.Meter tells and of the packets that are heard meanwhile. Of
// other radios it is that of the strongest packet.
type Energy struct {
	// Floor is what is said, in dBm, when nothing was heard.
	Floor int8

	// Least is how long is measured at least.
	Least time.Duration

	until   time.Time // zero if nothing is measured
	highest int
	any     bool
}

// Poll begins what the engine asks for, and reports whether it did. It is called after each input of the engine's.
func (m *Energy) Poll(now time.Time, e *thread.Engine) (begun bool) {
	d, ok := e.PollEnergyScan()
	if ok {
		m.until, m.any = now.Add(max(d, m.Least)), false
	}
	return ok
}

// Heard notes a packet, or a reading, of a strength in dBm.
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
}
