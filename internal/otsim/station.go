//go:build unix

package otsim

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// station is a state machine of this process.
type station struct {
	c       *Controller
	id      int
	machine lorasim.Station
	sending bool // HandleTransmitDone is due
	energy  runner.Energy

	// The alarm: the machine's timeout, and the place that it got when it was first
	// seen.
	timeout time.Time
	armed   bool
	seq     uint64
}

// channel is where the machine is: an engine says so, all others are on Channel.
func (s *station) channel() byte {
	if e, ok := s.machine.(*thread.Engine); ok {
		return e.RadioChannel()
	}
	return Channel
}

func (s *station) nodeID() int { return s.id }

func (s *station) alarm() (time.Time, uint64, bool) { return s.timeout, s.seq, s.armed }

func (s *station) wake() {
	s.armed = false
	s.machine.HandleTimeout(s.c.now)
	if e, ok := s.machine.(*thread.Engine); ok {
		s.energy.HandleTimeout(s.c.now, e)
	}
	s.poll()
}

func (s *station) deliver(d delivery) {
	if d.echo {
		s.sending = false
		s.machine.HandleTransmitDone(s.c.now, nil)
	} else if channel := d.data[0]; channel == s.channel() && s.listens() {
		s.energy.Heard(RSSI)
		s.machine.HandleFrame(s.c.now, d.data[1:], RSSI)
	}
	s.poll()
}

// listens reports whether the machine's receiver is on: always, unless it says otherwise.
func (s *station) listens() bool {
	l, ok := s.machine.(interface{ Listening() bool })
	return !ok || l.Listening()
}

func (s *station) synchronize() { s.poll() }

// poll takes what the machine has to send and the time of its next timeout.
func (s *station) poll() {
	if !s.sending {
		if psdu, ok := s.machine.PollTransmit(); ok {
			s.sending = true
			s.c.transmit(s, slices.Concat([]byte{s.channel()}, psdu))
		}
	}
	timeout, ok := s.machine.NextTimeout()
	if e, is := s.machine.(*thread.Engine); is {
		s.energy.Poll(s.c.now, e)
		if t, too := s.energy.NextTimeout(); too && (!ok || t.Before(timeout)) {
			timeout, ok = t, true
		}
	}
	if ok && (!s.armed || !timeout.Equal(s.timeout)) {
		s.seq = s.c.nextSeq()
	}
	s.timeout, s.armed = timeout, ok
}
