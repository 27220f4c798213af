package meshtest

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// An Intruder is a radio in the hands of somebody without the key of the network: it keeps what it hears, and sends what the
// test wants, a recording or a forgery. It acknowledges nothing.
//
//	x := m.AddIntruder(lorasim.Position{X: 100})
//	m.Run(time.Hour)
//	x.Duty = 0.02
//	x.Every(10*time.Second, func() { x.Transmit(x.Tape[0].PSDU) })
//	m.Run(time.Hour)
type Intruder struct {
	// Duty is the share of the time, 0 to 1, for which it may be on the air, counted from the first Transmit. 0 is no limit.
	Duty float64
	// Tape is what it has heard, the oldest first.
	Tape []Recording
	// Antenna stands for the intruder on the air. It listens before it talks, as others do; where it hears them below the
	// threshold it talks all the same.
	Antenna *lorasim.Node

	mesh    *Mesh
	began   time.Time
	out     [][]byte
	program int // counts calls of Every and Rest
}

// A Recording is a packet that an Intruder has heard.
type Recording struct {
	At   time.Time
	PSDU []byte
}

// AddIntruder puts an intruder on the air.
func (m *Mesh) AddIntruder(pos lorasim.Position) *Intruder {
	x := &Intruder{mesh: m}
	x.Antenna = m.Sim.Add(intruding{x}, pos)
	return x
}

// Transmit puts a packet of 1 to 255 bytes on the air. It reports false, and does not, while one is on its way already or Duty is used up.
func (x *Intruder) Transmit(psdu []byte) bool {
	now := x.mesh.Sim.Now()
	if x.began.IsZero() {
		x.began = now
	}
	allowed := time.Duration(x.Duty * float64(now.Sub(x.began)))
	if len(x.out) > 0 || x.Duty > 0 && x.Antenna.Stats().Airtime > allowed {
		return false
	}
	x.out = append(x.out, slices.Clone(psdu))
	x.Antenna.Touch()
	return true
}

// Every calls step again and again with a pause between, the first time after one, until Rest or another Every.
func (x *Intruder) Every(pause time.Duration, step func()) {
	x.program++
	program := x.program
	var next func()
	next = func() {
		if x.program == program {
			step()
			x.mesh.Sim.After(pause, next)
		}
	}
	x.mesh.Sim.After(pause, next)
}

// Rest ends what Every has begun.
func (x *Intruder) Rest() { x.program++ }

// intruding is the side of an Intruder that the air sees.
type intruding struct{ *Intruder }

func (intruding) NextTimeout() (time.Time, bool) { return time.Time{}, false }
func (intruding) HandleTimeout(time.Time)        {}

func (x intruding) PollTransmit() ([]byte, bool) {
	if len(x.out) == 0 {
		return nil, false
	}
	return x.out[0], true
}

func (x intruding) HandleTransmitDone(_ time.Time, err error) {
	if err == nil { // else the channel was busy: try again
		x.out = x.out[:0]
	}
}

func (x intruding) HandleFrame(now time.Time, psdu []byte, _ int) {
	x.Tape = append(x.Tape, Recording{now, slices.Clone(psdu)})
}
