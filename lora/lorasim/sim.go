package lorasim

import (
	"fmt"
	"math"
	"time"
)

// Station is a device as a state machine: thread.Engine, or a test's own. The Sim calls
// it from the goroutine that runs the Sim.
//
// After each input the Sim asks for a packet with PollTransmit, unless one is on its way
// already, and then for the next deadline with NextTimeout.
type Station interface {
	// NextTimeout returns the time at which HandleTimeout wants to be called, and
	// false when there is none. A time that has passed means at once.
	NextTimeout() (time.Time, bool)

	// HandleTimeout tells that the deadline has come.
	HandleTimeout(now time.Time)

	// HandleFrame tells that a packet has been heard, with its strength in dBm. The
	// packet is valid during the call only.
	HandleFrame(now time.Time, psdu []byte, rssi int)

	// PollTransmit returns the next packet to put on the air. The Sim answers each
	// with one HandleTransmitDone.
	PollTransmit() (psdu []byte, ok bool)

	// HandleTransmitDone tells that the packet has left the antenna (nil), that the
	// channel was busy ([lora.ErrChannelBusy]), or that it cannot be sent at all.
	HandleTransmitDone(now time.Time, err error)
}

// Listener is a [Station] that does not listen all the time. The Sim asks it after each
// input, once PollTransmit has no packet, and before a packet is sent: whoever does not
// listen hears nothing.
type Listener interface {
	Station
	Listening() bool
}

// Answerer is a [Station] that answers. The Sim asks it once PollTransmit has a packet: see [lora.Answerer].
type Answerer interface {
	Station
	// Answering reports whether the packet from the last PollTransmit is an acknowledgment of the one received last, or takes the place of one.
	Answering() bool
}

// Meter is a [Station] that wants to know more of a packet than its strength in whole dBm: the Sim calls HandleSignal in place of
// HandleFrame.
type Meter interface {
	Station
	// HandleSignal tells that a packet has been heard, with its strength in dBm and its signal to noise ratio in dB, rounded to
	// quarters as an SX1276 has them. The packet is valid during the call only.
	HandleSignal(now time.Time, psdu []byte, rssi, snr float64)
}

// Sim is an air in virtual time. Time passes in [Sim.Run] and [Sim.RunUntil] only, from
// event to event. Events of the same time happen in the order in which they were
// planned, so a run depends on nothing but its inputs and the seed.
//
// A Sim is used by one goroutine. Functions and stations that it calls may call its
// methods, but not Run and RunUntil.
type Sim struct {
	medium
	now   int64   // ns since opt.Start
	nodes []*Node // by id
	queue queue
	slots []slot  // by slot of the queue
	free  []int32 // slots of calls that are over
	frame []byte  // being delivered
}

// slot is what a slot of the queue stands for: the radio or the timer of a node, or else
// a call.
type slot struct {
	node *Node
	call func()
}

// Node is a station at an antenna.
type Node struct {
	antenna
	sim     *Sim
	station Station   // nil when there is no power
	meter   Meter     // the same, if it is one
	life    int       // counts stations
	sending bool      // HandleTransmitDone is due
	radio   int32     // slot
	timer   int32     // slot
	wanted  time.Time // what timer is set to, zero if it is not
	last    int64     // time of the last timeout
	repeats int       // timeouts at that time
}

// maxRepeats is how many timeouts in a row a station may ask for without letting time
// pass.
const maxRepeats = 100_000

// New returns a Sim without nodes.
func New(opt Options) *Sim {
	s := new(Sim)
	s.init(opt, func() int64 { return s.now })
	return s
}

// Now returns the current virtual time.
func (s *Sim) Now() time.Time { return s.opt.Start.Add(time.Duration(s.now)) }

// Add puts a station on the air at a place, with [Options.Config]. The station may be
// nil for now: see [Node.SetStation]. If the Config is not valid, the node hears nothing
// and each of its transmissions fails with the error of Validate.
func (s *Sim) Add(station Station, pos Position) *Node {
	n := &Node{sim: s}
	n.dead = station == nil
	s.attach(&n.antenna, s.opt.Config, pos)
	s.nodes = append(s.nodes, n)
	n.radio = s.addSlot(slot{node: n})
	n.timer = s.addSlot(slot{node: n})
	n.SetStation(station)
	return n
}

// At calls a function at a time, or at once when it has passed: "at once" is the next
// event of the Sim.
func (s *Sim) At(t time.Time, call func()) {
	var id int32
	if n := len(s.free); n > 0 {
		id = s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[id].call = call
	} else {
		id = s.addSlot(slot{call: call})
	}
	s.queue.set(id, s.due(t))
}

// After calls a function after a time.
func (s *Sim) After(d time.Duration, call func()) { s.At(s.Now().Add(d), call) }

// Run lets the time d pass.
func (s *Sim) Run(d time.Duration) {
	end := s.now + int64(d)
	for s.step(end) {
	}
	s.now = end
}

// RunUntil lets time pass until the condition holds, but no longer than limit, and
// reports whether it holds. It looks at the condition after every event.
func (s *Sim) RunUntil(condition func() bool, limit time.Duration) bool {
	end := s.now + int64(limit)
	for !condition() {
		if !s.step(end) {
			s.now = end
			return condition()
		}
	}
	return true
}

// SetStation replaces the device behind the antenna, as a restart does; nil takes its
// power away. A packet that the old one is sending is cut short.
func (n *Node) SetStation(station Station) {
	n.life++
	if n.sending {
		n.sending = false
		n.sim.abort(&n.antenna)
		n.sim.queue.clear(n.radio)
	}
	n.clearTimer()
	n.station = station
	n.meter, _ = station.(Meter)
	n.repeats = 0
	n.toggle(&n.dead, station == nil)
	n.Touch()
}

// Touch looks for new packets and a new deadline of the station. Call it after each call
// of a method of the station that did not come from the Sim.
func (n *Node) Touch() {
	if n.station == nil {
		return
	}
	s := n.sim
	if !n.sending {
		psdu, ok := n.station.PollTransmit()
		n.listen()
		if ok {
			n.sending = true
			a, answers := n.station.(Answerer)
			s.send(&n.antenna, psdu, answers && a.Answering(), s.now)
			s.queue.set(n.radio, n.deadline)
		}
	}
	t, ok := n.station.NextTimeout()
	switch {
	case !ok:
		n.clearTimer()
	case !t.Equal(n.wanted):
		n.wanted = t
		s.queue.set(n.timer, s.due(t))
	}
}

// listen asks the station whether it listens.
func (n *Node) listen() {
	l, ok := n.station.(Listener)
	n.setAsleep(ok && !l.Listening(), n.sim.now)
}

func (n *Node) clearTimer() {
	n.wanted = time.Time{}
	n.sim.queue.clear(n.timer)
}

func (s *Sim) addSlot(what slot) int32 {
	s.slots = append(s.slots, what)
	return s.queue.add()
}

// due returns when something is due that was asked for at a time.
func (s *Sim) due(t time.Time) int64 {
	return max(int64(t.Sub(s.opt.Start)), s.now)
}

// step does the next event, if there is one up to the limit.
func (s *Sim) step(limit int64) bool {
	id, at, ok := s.queue.next()
	if !ok || at > limit {
		return false
	}
	s.queue.clear(id)
	s.now = at
	what := &s.slots[id]
	switch n := what.node; {
	case n == nil:
		call := what.call
		what.call = nil
		s.free = append(s.free, id)
		call()
	case id == n.radio:
		s.radioDue(n)
	default:
		n.wanted = time.Time{}
		n.countRepeats()
		n.station.HandleTimeout(s.Now())
		n.Touch()
	}
	return true
}

// radioDue ends listening or transmitting.
func (s *Sim) radioDue(n *Node) {
	life := n.life
	var err error
	switch s.advance(&n.antenna) {
	case outcomeStarted:
		s.queue.set(n.radio, n.deadline)
		return
	case outcomeRefused:
		err = n.refusal
	case outcomeSent:
		s.deliver(&n.antenna)
	}
	if n.life == life {
		n.sending = false
		n.station.HandleTransmitDone(s.Now(), err)
		n.Touch()
	}
}

// deliver hands a packet to all that heard it. The packet is taken from the antenna,
// which one of those may cause to send again.
func (s *Sim) deliver(from *antenna) {
	s.frame, from.packet = from.packet, s.frame
	now := s.Now()
	for _, h := range s.heard {
		n := s.nodes[h.by.id]
		switch {
		case n.station == nil:
			continue
		case n.meter != nil:
			n.meter.HandleSignal(now, s.frame, h.rssi, n.snr(h.rssi))
		default:
			n.station.HandleFrame(now, s.frame, int(math.Round(h.rssi)))
		}
		n.Touch()
	}
}

// countRepeats stops a station that would keep the Sim at one time for ever.
func (n *Node) countRepeats() {
	if n.sim.now != n.last {
		n.last, n.repeats = n.sim.now, 0
	}
	if n.repeats++; n.repeats > maxRepeats {
		t, _ := n.station.NextTimeout()
		panic(fmt.Sprintf("lorasim: the station of node %d asks again and again for a timeout at %v, it is %v", n.id, t, n.sim.Now()))
	}
}
