// Package scan looks around: at the networks and the noise on channels, for this node and for a commissioner, and announces this node's
// network there. None of its machines sends anything itself: each says what is to be done on which channel, and is told when it has been.
//
//	Scanner      one scan of a list of channels at a time: beacons, MLE Discovery, or the power received
//	EnergyServer measures for a commissioner, again and again, and reports
//	PANIDServer  looks for a commissioner whether others use a PAN ID, and tells of a conflict
//	Announcer    has the network announced on a list of channels, again and again
//
// A radio with a single channel scans that: what it has none of is not in the list that the engine hands in.
package scan

import (
	"math/bits"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// Kind is what a scan looks for.
type Kind uint8

// Kinds of scans.
const (
	Active    Kind = iota // networks, by their beacons (IEEE 802.15.4-2006 §7.5.2.1.2)
	Discovery             // networks, by MLE Discovery (Thread 1.1 §8.4.4.1.1)
	Energy                // the power received (IEEE 802.15.4-2006 §7.5.2.1.1)
)

// phase is how far a Scanner is with a channel.
type phase uint8

const (
	idle      phase = iota
	waiting         // to send the request, or to begin to measure
	working         // the MAC has the request, or the radio measures
	listening       // for answers
)

// A Scanner goes through channels, one after the other:
//
//	      Start            Begun             Done                 time is over
//	idle ───────► waiting ───────► working ───────► listening ───────────────┐
//	  ▲              ▲                │ of an energy scan                     │
//	  │ the last one └────────────────┴───────── next channel ────────────────┤
//	  └───────────────────────────────────────────────────────────────────────┘
type Scanner struct {
	core     *core.Core
	kind     Kind
	phase    phase
	left     meshcop.ChannelMask // after the channel
	channel  uint8
	duration time.Duration
	timer    time.Time
	over     bool
}

// New returns a Scanner that does nothing.
func New(c *core.Core) *Scanner { return &Scanner{core: c} }

// patience is how long a request may wait for the MAC, and energyPatience how much longer than asked for a measurement may take, before the
// channel is given up.
const (
	patience       = time.Minute
	energyPatience = 5 * time.Second
)

// Start begins a scan, of each channel for a time. It reports false, and does nothing, while there is one.
func (s *Scanner) Start(kind Kind, channels meshcop.ChannelMask, duration time.Duration) bool {
	if s.Scanning() {
		return false
	}
	s.kind, s.left, s.duration, s.over = kind, channels, duration, false
	s.next()
	return true
}

// next turns to the next channel, if there is one.
func (s *Scanner) next() {
	if s.left == 0 {
		s.phase, s.timer, s.over = idle, time.Time{}, true
		return
	}
	s.channel = uint8(bits.TrailingZeros32(uint32(s.left)))
	s.left &= s.left - 1
	s.phase, s.timer = waiting, s.core.Now.Add(patience)
}

// Scanning reports whether there is a scan, even if it is over and nobody has asked Over yet.
func (s *Scanner) Scanning() bool { return s.phase != idle || s.over }

// Kind is what the scan looks for.
func (s *Scanner) Kind() Kind { return s.kind }

// Channel returns the channel on which the radio has to be, and false if the scan does not say.
func (s *Scanner) Channel() (uint8, bool) {
	return s.channel, s.phase == working || s.phase == listening
}

// Wants returns the channel on which a request is to be sent, or a measurement to be begun, as soon as the radio can: it is to go there then.
func (s *Scanner) Wants() (channel uint8, ok bool) { return s.channel, s.phase == waiting }

// Duration is how long the channel is to be measured, or listened to.
func (s *Scanner) Duration() time.Duration { return s.duration }

// Begun says that what the scan wants is being done.
func (s *Scanner) Begun() {
	if s.phase != waiting {
		return
	}
	limit := patience
	if s.kind == Energy {
		limit = energyPatience
	}
	s.phase, s.timer = working, s.core.Now.Add(s.duration+limit)
}

// Done says that the request has been sent, or not: that it was given up is no reason not to listen. Of an energy scan it says that the
// measurement is over.
func (s *Scanner) Done() {
	switch {
	case s.phase != working:
	case s.kind == Energy:
		s.next()
	default:
		s.phase, s.timer = listening, s.core.Now.Add(s.duration)
	}
}

// Stop ends the scan without a word.
func (s *Scanner) Stop() { s.phase, s.timer, s.over, s.left = idle, time.Time{}, false, 0 }

// Over reports, once, that the scan has come to its end.
func (s *Scanner) Over() bool {
	over := s.over
	s.over = false
	return over
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (s *Scanner) NextTimeout() (time.Time, bool) { return s.timer, !s.timer.IsZero() }

// HandleTimeout goes on to the next channel if it is time.
func (s *Scanner) HandleTimeout() {
	if s.core.IsDue(s.timer) {
		s.next()
	}
}
