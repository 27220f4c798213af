package lorasim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// sleeper is a station that listens or not.
type sleeper struct {
	listening bool
	out       [][]byte
	heard     int
}

func (s *sleeper) Listening() bool                     { return s.listening }
func (*sleeper) NextTimeout() (time.Time, bool)        { return time.Time{}, false }
func (*sleeper) HandleTimeout(time.Time)               {}
func (s *sleeper) HandleFrame(time.Time, []byte, int)  { s.heard++ }
func (s *sleeper) HandleTransmitDone(time.Time, error) { s.out = s.out[1:] }
func (s *sleeper) PollTransmit() (psdu []byte, ok bool) {
	if len(s.out) == 0 {
		return nil, false
	}
	return s.out[0], true
}

// A station that does not listen hears nothing; one that begins to while a preamble lasts hears the packet, one that stops in a packet loses
// it. What an antenna does is counted to the nanosecond.
func TestListener(t *testing.T) {
	sim := lorasim.New(lorasim.Options{NoListen: true})
	a, b := &sleeper{listening: true}, &sleeper{}
	na, nb := sim.Add(a, lorasim.Position{}), sim.Add(b, lorasim.Position{X: 10})
	airtime, preamble := na.Config().Airtime(20), na.Config().PreambleTime()
	send := func() {
		a.out = append(a.out, make([]byte, 20))
		na.Touch()
	}
	listen := func(on bool) {
		b.listening = on
		nb.Touch()
	}
	for i, tt := range []struct {
		before      bool
		after       time.Duration // from the start of the packet on
		then        bool
		hears, deaf int
	}{
		{true, airtime / 2, true, 1, 0},
		{false, airtime / 2, false, 0, 1},
		{false, preamble / 8, true, 1, 0},
		{false, preamble, true, 0, 1},
		{true, airtime - 1, false, 0, 1},
	} {
		listen(tt.before)
		sim.Run(time.Second)
		heard, deaf := b.heard, int(nb.Stats().Deaf)
		send()
		sim.Run(tt.after)
		listen(tt.then)
		sim.Run(time.Second - tt.after)
		if b.heard-heard != tt.hears || int(nb.Stats().Deaf)-deaf != tt.deaf {
			t.Errorf("case %d: heard %d, deaf %d", i, b.heard-heard, int(nb.Stats().Deaf)-deaf)
		}
	}

	listen(false)
	before := nb.Activity()
	sim.Run(time.Minute)
	listen(true)
	sim.Run(time.Second)
	b.out = append(b.out, make([]byte, 20))
	nb.Touch()
	sim.Run(airtime)
	listen(false)
	sim.Run(time.Hour)
	got := nb.Activity()
	want := lora.Activity{
		Transmitting: before.Transmitting + airtime, Receiving: before.Receiving + time.Second, Sleeping: before.Sleeping + time.Hour + time.Minute,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	nb.SwitchOff()
	sim.Run(time.Hour)
	if nb.Activity() != want {
		t.Error("an antenna without a cable is busy")
	}
}

// A radio of an Air sleeps when it is told to, and sends all the same.
func TestRadioSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		a, b := air.Radio(lora.Config{}, lorasim.Position{}), air.Radio(lora.Config{}, lorasim.Position{X: 10})
		defer a.Close()
		defer b.Close()
		hears := func(from, to *lorasim.Radio) bool {
			if err := from.Send(t.Context(), []byte("hello")); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := to.Receive(ctx, make([]byte, lora.MaxPacket))
			return err == nil
		}
		b.Sleep(true)
		if hears(a, b) {
			t.Error("it hears asleep")
		}
		if !hears(b, a) {
			t.Error("it does not send asleep")
		}
		before := b.Activity().Sleeping
		time.Sleep(time.Hour)
		if got := b.Activity().Sleeping - before; got != time.Hour {
			t.Errorf("asleep for %v of an hour", got)
		}
		b.Sleep(false)
		if !hears(a, b) {
			t.Error("deaf awake")
		}
	})
}
