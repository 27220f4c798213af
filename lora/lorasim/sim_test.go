package lorasim

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAbortedSenderIsAnswered(t *testing.T) {
	b := newBench(noListen, 1)
	b.sendAt(0, 0, 30)
	next := &script{name: "N"}
	b.After(10*time.Millisecond, func() {
		next.send(10)
		b.nd[0].SetStation(next)
	})
	b.Run(time.Second)
	if len(b.st[0].done) != 0 || len(next.done) != 1 {
		t.Errorf("old station: %v, new station: %v", b.st[0].done, next.done)
	}
	if s := b.nd[0].Stats(); s.Aborted != 1 || s.Sent != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTimers(t *testing.T) {
	b := newBench(Options{}, 1)
	var at []time.Duration
	start := b.Now()
	b.st[0].onTimer = func(now time.Time) {
		at = append(at, now.Sub(start))
		if len(at) < 3 {
			b.st[0].timeout = now.Add(time.Duration(len(at)) * time.Second)
		}
	}
	b.st[0].timeout = start.Add(time.Second)
	b.Run(5 * time.Second) // not yet touched
	if len(at) != 0 {
		t.Fatalf("timeouts at %v", at)
	}
	b.nd[0].Touch() // overdue
	b.Run(10 * time.Second)
	want := []time.Duration{5 * time.Second, 6 * time.Second, 8 * time.Second}
	if len(at) != 3 || at[0] != want[0] || at[1] != want[1] || at[2] != want[2] {
		t.Errorf("timeouts at %v, want %v", at, want)
	}
}

func TestCalls(t *testing.T) {
	s := New(Options{})
	var got []int
	note := func(i int) func() { return func() { got = append(got, i) } }
	s.After(2*time.Second, note(3))
	s.After(time.Second, note(1))
	s.After(time.Second, func() {
		note(2)()
		s.After(0, note(4))
		s.At(s.Now().Add(-time.Hour), note(5))
	})
	s.Run(time.Second)
	if want := []int{1, 2, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	s.Run(time.Second)
	if want := []int{1, 2, 4, 5, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(s.slots) > 4 {
		t.Errorf("%d slots for calls that are over", len(s.slots))
	}
}

func TestRunUntil(t *testing.T) {
	s := New(Options{})
	begin := s.Now()
	done := false
	s.After(time.Second, func() {})
	s.After(2*time.Second, func() { done = true })
	if !s.RunUntil(func() bool { return done }, time.Minute) || s.Now() != begin.Add(2*time.Second) {
		t.Errorf("stopped at %v", s.Now().Sub(begin))
	}
	if s.RunUntil(func() bool { return false }, time.Minute) || s.Now() != begin.Add(62*time.Second) {
		t.Errorf("gave up at %v", s.Now().Sub(begin))
	}
	if !s.RunUntil(func() bool { return true }, time.Minute) || s.Now() != begin.Add(62*time.Second) {
		t.Errorf("did not stop at once: %v", s.Now().Sub(begin))
	}
}

func TestStuckStation(t *testing.T) {
	defer func() {
		if msg, _ := recover().(string); !strings.Contains(msg, "node 0 asks again and again") {
			t.Errorf("panic %q", msg)
		}
	}()
	b := newBench(Options{}, 1)
	b.st[0].timeout = b.Now()
	b.st[0].onTimer = func(now time.Time) { b.st[0].timeout = now }
	b.nd[0].Touch()
	b.Run(time.Second)
}

// crowd runs a random mixture of everything, and returns the inputs of all stations and
// the capture.
func crowd(seed uint64) (log, capture string) {
	var events, file bytes.Buffer
	s := New(Options{Seed: seed, Shadowing: 4, Loss: 0.05, Capture: &file, CaptureFormat: CaptureLoRaTap})
	r := rand.New(rand.NewPCG(seed, 0))
	var nodes []*Node
	for i := range 40 {
		st := &script{name: string(rune('A' + i)), log: &events}
		st.timeout = s.Now().Add(time.Duration(r.Int64N(int64(10 * time.Second))))
		st.onTimer = func(now time.Time) {
			st.send(1 + r.IntN(127))
			st.timeout = now.Add(time.Duration(r.Int64N(int64(10 * time.Second))))
		}
		nodes = append(nodes, s.Add(st, Position{X: 3000 * r.Float64(), Y: 3000 * r.Float64()}))
	}
	for range 60 {
		a, b := nodes[r.IntN(len(nodes))], nodes[r.IntN(len(nodes))]
		switch r.IntN(5) {
		case 0:
			s.CutLink(a, b)
		case 1:
			s.RestoreLink(a, b)
		case 2:
			a.Move(b.Position())
		case 3:
			a.SwitchOff()
		default:
			a.SwitchOn()
		}
		s.Run(time.Second)
	}
	return events.String(), file.String()
}

func TestSameSeedSameBytes(t *testing.T) {
	log, capture := crowd(1)
	again, captureAgain := crowd(1)
	if log != again || capture != captureAgain {
		t.Error("two runs with the same seed differ")
	}
	other, _ := crowd(2)
	if log == other {
		t.Error("two runs with different seeds do not differ")
	}
	if n := strings.Count(log, "frame"); n < 500 {
		t.Errorf("only %d frames heard", n)
	}
}
