//go:build unix

package otsim

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// station is a state machine of this process.
type station struct {
	c       *Controller
	id      int
	machine lorasim.Station
	sending bool // HandleTransmitDone is due

	// The alarm: the machine's timeout, and the place that it got when it was first
	// seen.
	timeout time.Time
	armed   bool
	seq     uint64
}

func (s *station) nodeID() int { return s.id }

func (s *station) alarm() (time.Time, uint64, bool) { return s.timeout, s.seq, s.armed }

func (s *station) wake() {
	s.armed = false
	s.machine.HandleTimeout(s.c.now)
	s.poll()
}

func (s *station) deliver(d delivery) {
	if d.echo {
		s.sending = false
		s.machine.HandleTransmitDone(s.c.now, nil)
	} else if channel := d.data[0]; channel == Channel && s.listens() {
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
			s.c.transmit(s, slices.Concat([]byte{Channel}, psdu))
		}
	}
	timeout, ok := s.machine.NextTimeout()
	if ok && (!s.armed || !timeout.Equal(s.timeout)) {
		s.seq = s.c.nextSeq()
	}
	s.timeout, s.armed = timeout, ok
}
