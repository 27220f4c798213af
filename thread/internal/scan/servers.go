package scan

import (
	"math/bits"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// What Thread fixes (Thread 1.1 §5.19, SCAN_DELAY), and what the reference waits before it reports.
const (
	scanDelay   = time.Second
	reportDelay = 500 * time.Millisecond
)

// maxResults is how many results a report has at most; the rest is not measured.
const maxResults = 64

// NoEnergy is a power of which the radio knows nothing.
const NoEnergy = 127

// An EnergyServer measures for a commissioner (Thread 1.1 §8.7.10):
//
//	       Start, SCAN_DELAY            Result, period
//	idle ───────────────────► measure ◄───────────────┐
//	  ▲                          └────────────────────┘
//	  └── report ◄── a while ◄── each channel count times
type EnergyServer struct {
	core     *core.Core
	to       netip.Addr
	survey   meshcop.Survey
	channels meshcop.ChannelMask // that can be measured
	left     meshcop.ChannelMask // in this round
	rounds   int                 // left
	timer    time.Time
	running  bool // a measurement
}

// NewEnergyServer returns an EnergyServer that does nothing.
func NewEnergyServer(c *core.Core) *EnergyServer { return &EnergyServer{core: c} }

// Start takes a commissioner's order, in place of the last one. Its channels must be those of the radio.
func (s *EnergyServer) Start(to netip.Addr, order meshcop.Survey) {
	*s = EnergyServer{core: s.core, to: to, survey: order, channels: order.Channels, rounds: int(order.Count)}
	s.survey.Energy = nil
	s.left = s.channels
	if n := bits.OnesCount32(uint32(s.channels)); n > 0 {
		s.rounds = min(s.rounds, maxResults/n)
	} else {
		s.rounds = 0
	}
	s.timer = s.core.Now.Add(scanDelay)
}

// Stop forgets the order.
func (s *EnergyServer) Stop() { *s = EnergyServer{core: s.core} }

// Wants returns the channel that is to be measured now, and for how long. It is asked for again until Begun or Stop.
func (s *EnergyServer) Wants() (channel uint8, d time.Duration, ok bool) {
	if s.running || s.rounds == 0 || !s.core.IsDue(s.timer) {
		return 0, 0, false
	}
	return uint8(bits.TrailingZeros32(uint32(s.left))), s.survey.Duration, true
}

// Begun says that the measurement is under way.
func (s *EnergyServer) Begun() { s.running, s.timer = true, time.Time{} }

// Retry puts the measurement off: the radio is doing something else.
func (s *EnergyServer) Retry() { s.timer = s.core.Now.Add(scanDelay) }

// Result is that of the measurement, in dBm. With NoEnergy the radio cannot measure: the channel is not in the report.
func (s *EnergyServer) Result(energy int8) {
	if !s.running {
		return
	}
	s.running = false
	if energy == NoEnergy {
		s.channels &^= s.left & -s.left
	} else {
		s.survey.Energy = append(s.survey.Energy, energy)
	}
	if s.left &= s.left - 1; s.left == 0 {
		s.left = s.channels
		s.rounds--
	}
	if s.left == 0 {
		s.rounds = 0
	}
	if s.rounds > 0 {
		s.timer = s.core.Now.Add(s.survey.Period)
	} else {
		s.timer = s.core.Now.Add(reportDelay)
	}
}

// Report returns, once, what is to be reported, and to whom. Its channels are those that have been measured: on a radio with one
// channel that one.
func (s *EnergyServer) Report() (to netip.Addr, report meshcop.Survey, ok bool) {
	if s.running || s.rounds > 0 || !s.to.IsValid() || !s.core.IsDue(s.timer) {
		return netip.Addr{}, meshcop.Survey{}, false
	}
	to, report = s.to, s.survey
	report.Channels = s.channels
	s.Stop()
	return to, report, true
}

// NextTimeout returns when Wants or Report have something, and false if that is not foreseen.
func (s *EnergyServer) NextTimeout() (time.Time, bool) { return s.timer, !s.timer.IsZero() }

// A PANIDServer looks for a commissioner whether another network uses a PAN ID (Thread 1.1 §8.7.9).
type PANIDServer struct {
	core    *core.Core
	to      netip.Addr
	pan     ieee802154.PANID
	mask    meshcop.ChannelMask
	found   meshcop.ChannelMask
	timer   time.Time
	running bool
}

// NewPANIDServer returns a PANIDServer that does nothing.
func NewPANIDServer(c *core.Core) *PANIDServer { return &PANIDServer{core: c} }

// Start takes a commissioner's order, in place of the last one. Its channels must be those of the radio.
func (s *PANIDServer) Start(to netip.Addr, order meshcop.Survey) {
	*s = PANIDServer{core: s.core, to: to, pan: order.PANID, mask: order.Channels, timer: s.core.Now.Add(scanDelay)}
}

// Stop forgets the order.
func (s *PANIDServer) Stop() { *s = PANIDServer{core: s.core} }

// Wants returns the channels on which an active scan is to begin now. It is asked for again until Begun or Stop.
func (s *PANIDServer) Wants() (meshcop.ChannelMask, bool) {
	return s.mask, !s.running && s.core.IsDue(s.timer)
}

// Begun says that the scan is under way.
func (s *PANIDServer) Begun() { s.running, s.timer = true, time.Time{} }

// Retry puts the scan off: the radio is doing something else.
func (s *PANIDServer) Retry() { s.timer = s.core.Now.Add(scanDelay) }

// Running reports whether the scan under way is the server's.
func (s *PANIDServer) Running() bool { return s.running }

// Found notes a beacon.
func (s *PANIDServer) Found(channel uint8, pan ieee802154.PANID) {
	if s.running && pan == s.pan && channel < 32 {
		s.found |= 1 << channel
	}
}

// Over ends the scan. It returns the conflict to tell of, and whom, if there is one.
func (s *PANIDServer) Over() (to netip.Addr, conflict meshcop.Survey, ok bool) {
	to, conflict = s.to, meshcop.Survey{Channels: s.found, PANID: s.pan}
	ok = s.running && s.found != 0
	s.Stop()
	return to, conflict, ok
}

// NextTimeout returns when Wants has something, and false if that is not foreseen.
func (s *PANIDServer) NextTimeout() (time.Time, bool) { return s.timer, !s.timer.IsZero() }

// An Announcer has the network announced on channels, one after the other, a period apart, and all of them a number of times.
type Announcer struct {
	core     *core.Core
	channels meshcop.ChannelMask
	left     meshcop.ChannelMask // in this round
	rounds   int                 // after this one
	period   time.Duration
	timer    time.Time
}

// NewAnnouncer returns an Announcer that does nothing.
func NewAnnouncer(c *core.Core) *Announcer { return &Announcer{core: c} }

// The bounds of an order to announce.
const minAnnouncePeriod = 10 * time.Millisecond

// Start begins anew, with the first channel a period from now. It reports false, and changes nothing, for no channel, no count, or no
// period.
func (a *Announcer) Start(channels meshcop.ChannelMask, count int, period time.Duration) bool {
	if channels == 0 || count < 1 || period <= 0 {
		return false
	}
	a.channels, a.left, a.rounds, a.period = channels, channels, count-1, max(period, minAnnouncePeriod)
	a.timer = a.core.Now.Add(a.period)
	return true
}

// Stop ends it.
func (a *Announcer) Stop() { a.left, a.rounds, a.timer = 0, 0, time.Time{} }

// Poll returns the channel on which to announce now.
func (a *Announcer) Poll() (channel uint8, ok bool) {
	if !a.core.IsDue(a.timer) || a.left == 0 {
		return 0, false
	}
	channel = uint8(bits.TrailingZeros32(uint32(a.left)))
	if a.left &= a.left - 1; a.left == 0 && a.rounds > 0 {
		a.left = a.channels
		a.rounds--
	}
	a.timer = time.Time{}
	if a.left != 0 {
		a.timer = a.core.Now.Add(a.period)
	}
	return channel, true
}

// NextTimeout returns when Poll has something, and false if nothing is to come.
func (a *Announcer) NextTimeout() (time.Time, bool) { return a.timer, !a.timer.IsZero() }
