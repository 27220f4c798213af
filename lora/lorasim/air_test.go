package lorasim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// pairOf returns two radios that hear each other well.
func pairOf(opt Options) (air *Air, a, b *Radio) {
	opt.Propagation = Uniform(-90)
	air = NewAir(opt)
	return air, air.Radio(lora.Config{}, Position{}), air.Radio(lora.Config{}, Position{})
}

func TestSendReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		begin := time.Now()
		want := begin.Add(time.Millisecond + airtime(5))
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.Send(t.Context(), []byte("hello")); err != nil {
				t.Error(err)
			}
			if now := time.Now(); !now.Equal(want) {
				t.Errorf("sent after %v", now.Sub(begin))
			}
		})
		wg.Go(func() {
			buf := make([]byte, lora.MaxPacket)
			r, err := b.Receive(t.Context(), buf)
			if err != nil || string(buf[:r.N]) != "hello" {
				t.Errorf("received %q, %v", buf[:r.N], err)
			}
			if !r.Time.Equal(want) || r.RSSI != -90 || r.SNR != 27 {
				t.Errorf("%+v, want time %v", r, want)
			}
		})
		wg.Wait()
	})
}

func TestShortBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		a.Send(t.Context(), []byte("hello"))
		var buf [3]byte
		if r, err := b.Receive(t.Context(), buf[:]); err != nil || r.N != 3 || string(buf[:]) != "hel" {
			t.Errorf("%+v, %v, %q", r, err, buf)
		}
	})
}

func TestSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air, a, b := pairOf(Options{})
		if err := a.Send(t.Context(), nil); !errors.Is(err, lora.ErrPacketSize) {
			t.Errorf("empty packet: %v", err)
		}
		if err := a.Send(t.Context(), make([]byte, 256)); !errors.Is(err, lora.ErrPacketSize) {
			t.Errorf("256 bytes: %v", err)
		}
		air.SetLink(a, b, -80)
		go a.Send(t.Context(), make([]byte, 100))
		time.Sleep(50 * time.Millisecond)
		if err := b.Send(t.Context(), []byte{1}); err != lora.ErrChannelBusy {
			t.Errorf("busy channel: %v", err)
		}
		bad := air.Radio(lora.Config{TxPower: 100}, Position{})
		if err := bad.Send(t.Context(), []byte{1}); err == nil || err.Error() != bad.Config().Validate().Error() {
			t.Errorf("bad Config, Send: %v", err)
		}
		if _, err := bad.Receive(t.Context(), nil); err == nil || err.Error() != bad.Config().Validate().Error() {
			t.Errorf("bad Config, Receive: %v", err)
		}
	})
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Send(over, []byte{1}); err != context.Canceled {
			t.Errorf("Send: %v", err)
		}
		if _, err := a.Receive(over, nil); err != context.Canceled {
			t.Errorf("Receive: %v", err)
		}

		begin := time.Now()
		soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := a.Send(soon, make([]byte, 100)); err != context.DeadlineExceeded {
			t.Errorf("Send: %v", err)
		}
		if _, err := b.Receive(soon, nil); err != context.DeadlineExceeded {
			t.Errorf("Receive: %v", err)
		}
		if d := time.Since(begin); d != 20*time.Millisecond {
			t.Errorf("took %v", d)
		}
		if s := a.Stats(); s.Aborted != 1 || s.Sent != 0 {
			t.Errorf("%+v", s)
		}

		// Both radios are as good as new.
		if err := a.Send(t.Context(), []byte("x")); err != nil {
			t.Error(err)
		}
		var buf [1]byte
		if _, err := b.Receive(t.Context(), buf[:]); err != nil || buf[0] != 'x' {
			t.Errorf("%q, %v", buf, err)
		}
	})
}

func TestCloseImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := a.Send(t.Context(), []byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send: %v", err)
		}
		if _, err := a.Receive(t.Context(), nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Receive: %v", err)
		}
		b.Send(t.Context(), []byte{1})
		if s := a.Stats(); s != (Stats{}) {
			t.Errorf("a closed radio heard: %+v", s)
		}
	})
}

func TestCloseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := pairOf(Options{})
		for range 2 {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseUnblocksReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := pairOf(Options{})
		done := make(chan error)
		for range 3 {
			go func() {
				_, err := a.Receive(t.Context(), nil)
				done <- err
			}()
		}
		synctest.Wait()
		a.Close()
		for range 3 {
			if err := <-done; !errors.Is(err, lora.ErrClosed) {
				t.Error(err)
			}
		}
	})
}

func TestCloseUnblocksSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		done := make(chan error)
		for range 3 { // one on the air, two waiting for their turn
			go func() { done <- a.Send(t.Context(), make([]byte, 100)) }()
		}
		time.Sleep(50 * time.Millisecond)
		a.Close()
		for range 3 {
			if err := <-done; !errors.Is(err, lora.ErrClosed) {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		if s := a.Stats(); s.Aborted != 1 || s.Sent != 0 {
			t.Errorf("%+v", s)
		}
		if s := b.Stats(); s.Delivered != 0 || b.power != 0 {
			t.Errorf("%+v, %d aW", s, b.power)
		}
	})
}

func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air, a, b := pairOf(Options{})
		air.SetLink(a, b, -100)
		b.Reopen() // it is open
		a.Send(t.Context(), []byte("stale"))
		b.Close()
		a.Send(t.Context(), []byte("lost"))
		b.Reopen()
		a.Send(t.Context(), []byte("fresh"))
		buf := make([]byte, lora.MaxPacket)
		r, err := b.Receive(t.Context(), buf)
		if err != nil || string(buf[:r.N]) != "fresh" || r.RSSI != -100 {
			t.Errorf("received %q, %+v, %v", buf[:r.N], r, err)
		}
		if err := b.Send(t.Context(), []byte{1}); err != nil {
			t.Error(err)
		}
	})
}

// A cancelled Receive leaves the radio to the next.
func TestReceiveAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.Receive(ctx, nil) })
		synctest.Wait()
		cancel()
		wg.Wait()
		go a.Send(t.Context(), []byte("x"))
		var buf [1]byte
		if _, err := b.Receive(t.Context(), buf[:]); err != nil || buf[0] != 'x' {
			t.Errorf("%q, %v", buf, err)
		}
	})
}

func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		for i := range queueLength + 3 {
			a.Send(t.Context(), []byte{byte(i)})
		}
		var buf [1]byte
		for i := range queueLength {
			if _, err := b.Receive(t.Context(), buf[:]); err != nil || buf[0] != byte(i+3) {
				t.Errorf("packet %d: %d, %v", i, buf[0], err)
			}
		}
		if s := b.Stats(); s.Overrun != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestSendsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pairOf(Options{})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := a.Send(t.Context(), []byte{1}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got, want := time.Since(begin), 5*(time.Millisecond+airtime(1)); got != want {
			t.Errorf("took %v, want %v", got, want)
		}
		if s := b.Stats(); s.Delivered != 5 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClock(t *testing.T) {
	for _, speed := range []float64{0, 0.5, 1, 3, 1000} {
		synctest.Test(t, func(t *testing.T) {
			_, a, b := pairOf(Options{Speed: speed})
			if speed == 0 {
				speed = 1
			}
			clock := lora.ClockOf(a)
			begin, wall := clock.Now(), time.Now()
			if !begin.Equal(wall) {
				t.Errorf("×%v: begins at %v, it is %v", speed, begin, wall)
			}
			for _, d := range []time.Duration{time.Hour, time.Nanosecond, 12345678, 1} {
				target := clock.Now().Add(d)
				time.Sleep(clock.Until(target))
				if late := clock.Now().Sub(target); late < 0 || late > time.Duration(2*speed)+1 {
					t.Errorf("×%v: woke %v late", speed, late)
				}
			}
			got, want := time.Since(wall).Seconds(), 3600.012345680/speed
			if got < want || got > want*1.001 {
				t.Errorf("×%v: took %v s, want %v s", speed, got, want)
			}

			go a.Send(t.Context(), []byte{1})
			sent := clock.Now()
			var buf [1]byte
			r, err := b.Receive(t.Context(), buf[:])
			if err != nil || r.Time.Sub(sent) < time.Millisecond+airtime(1) || r.Time.After(clock.Now()) {
				t.Errorf("×%v: a packet of %v: %+v, %v", speed, r.Time.Sub(sent), r, err)
			}
		})
	}
}

// Radios of the same air do the same in real time as stations in virtual time.
func TestAirLikeSim(t *testing.T) {
	at := func(i int) time.Duration { return time.Duration(i*i) * 40 * time.Millisecond }
	length := func(i int) int { return 10 + 40*(i%3) }
	const n = 3
	opt := Options{Seed: 5, Loss: 0.2, Shadowing: 10, Propagation: Uniform(-90)}
	b := newBench(opt, n)
	for i := range 30 {
		b.sendAt(at(i), i%n, length(i))
		b.sendAt(at(i), (i+1)%n, 20)
	}
	b.Run(time.Hour)

	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		opt.Capture = &file
		air := NewAir(opt)
		var radios [n]*Radio
		for i := range radios {
			radios[i] = air.Radio(lora.Config{}, Position{})
		}
		begin := time.Now()
		for i := range 30 {
			time.Sleep(time.Until(begin.Add(at(i))))
			go radios[i%n].Send(t.Context(), make([]byte, length(i)))
			synctest.Wait()
			go radios[(i+1)%n].Send(t.Context(), make([]byte, 20))
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		for i, r := range radios {
			got, want := r.Stats(), b.nd[i].Stats()
			got.Overrun = 0
			if got != want {
				t.Errorf("radio %d: %+v, in virtual time %+v", i, got, want)
			}
		}
		if err := air.CaptureErr(); err != nil || file.Len() == 0 {
			t.Errorf("capture: %d bytes, %v", file.Len(), err)
		}
	})
}

// Everything at once, for the race detector.
func TestConcurrency(t *testing.T) {
	air := NewAir(Options{Speed: 2000, Propagation: Uniform(-90)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	var radios []*Radio
	for i := range 5 {
		radios = append(radios, air.Radio(lora.Config{}, Position{X: float64(i)}))
	}
	for _, r := range radios {
		wg.Go(func() {
			for ctx.Err() == nil {
				r.Send(ctx, []byte("hello"))
			}
		})
		wg.Go(func() {
			for ctx.Err() == nil {
				r.Receive(ctx, make([]byte, lora.MaxPacket))
			}
		})
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				switch i % 6 {
				case 0:
					r.Close()
				case 1:
					r.Reopen()
				case 2:
					r.Move(Position{Y: float64(i)})
				case 3:
					air.CutLink(r, radios[0])
				case 4:
					air.RestoreLink(r, radios[0])
				default:
					air.Stats()
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	for _, r := range radios {
		r.Close()
	}
	for _, r := range radios {
		if r.power != 0 || r.lock != nil || r.state != idle {
			t.Errorf("radio %d: %s", r.ID(), fmt.Sprint(r.power, r.lock, r.state))
		}
	}
}
