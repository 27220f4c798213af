package lorasim

import (
	"bytes"
	"fmt"
	"time"
)

// script is a station that sends what a test puts into its outbox and notes what
// happens to it.
type script struct {
	name    string
	log     *bytes.Buffer // if any: one line an input
	outbox  [][]byte
	timeout time.Time
	onTimer func(now time.Time)

	answers bool // all that it sends
	heard   []heardFrame
	done    []error
}

func (s *script) Answering() bool { return s.answers }

type heardFrame struct {
	at   time.Time
	psdu string
	rssi int
}

func (s *script) NextTimeout() (time.Time, bool) { return s.timeout, !s.timeout.IsZero() }

func (s *script) HandleTimeout(now time.Time) {
	s.note(now, "timeout")
	s.timeout = time.Time{}
	if s.onTimer != nil {
		s.onTimer(now)
	}
}

func (s *script) HandleFrame(now time.Time, psdu []byte, rssi int) {
	s.note(now, "frame %x %d", psdu, rssi)
	s.heard = append(s.heard, heardFrame{now, string(psdu), rssi})
}

func (s *script) PollTransmit() ([]byte, bool) {
	if len(s.outbox) == 0 {
		return nil, false
	}
	psdu := s.outbox[0]
	s.outbox = s.outbox[1:]
	return psdu, true
}

func (s *script) HandleTransmitDone(now time.Time, err error) {
	s.note(now, "done %v", err)
	s.done = append(s.done, err)
}

func (s *script) note(now time.Time, format string, args ...any) {
	if s.log != nil {
		fmt.Fprintf(s.log, "%d %s "+format+"\n", append([]any{now.UnixNano(), s.name}, args...)...)
	}
}

// send queues a packet of n bytes that begins with the station's name.
func (s *script) send(n int) {
	packet := make([]byte, n)
	copy(packet, s.name)
	s.outbox = append(s.outbox, packet)
}

// from returns the first byte of each packet heard.
func (s *script) from() string {
	var b []byte
	for _, h := range s.heard {
		b = append(b, h.psdu[0])
	}
	return string(b)
}

// bench is an air with stations named A, B, C… on links of the test's choice.
type bench struct {
	*Sim
	st []*script
	nd []*Node
}

func newBench(opt Options, n int) *bench {
	if opt.Propagation == nil {
		opt.Propagation = LinksOnly
	}
	b := &bench{Sim: New(opt)}
	for i := range n {
		st := &script{name: string(rune('A' + i))}
		b.st = append(b.st, st)
		b.nd = append(b.nd, b.Add(st, Position{}))
	}
	return b
}

// sendAt makes station i send n bytes at a time after the beginning.
func (b *bench) sendAt(at time.Duration, i, n int) {
	b.At(b.opt.Start.Add(at), func() {
		b.st[i].send(n)
		b.nd[i].Touch()
	})
}
