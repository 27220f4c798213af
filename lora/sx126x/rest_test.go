package sx126x_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
)

// A radio that sleeps hears nothing and asks its chip nothing; it hears again once it is woken, and sends without being woken.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip := emulate(t, air, sx126xemu.Options{})
		r := drive(t, chip, pins(chip), plain, lora.Config{}, sx126x.WithListen(sx126x.Listen{}))
		peer := air.Radio(lora.Config{}, lorasim.Position{X: 50})
		defer peer.Close()
		packet := []byte("wake up, please")
		hears := func() bool {
			t.Helper()
			if err := peer.Send(t.Context(), packet); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var buf [lora.MaxPacket]byte
			_, err := r.Receive(ctx, buf[:])
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			return err == nil
		}
		if !hears() {
			t.Error("deaf at the beginning")
		}
		r.Sleep(true)
		time.Sleep(100 * time.Millisecond)
		before := spent(r)
		if hears() {
			t.Error("hears asleep")
		}
		time.Sleep(time.Minute)
		if c := spent(r).since(before); c.transfers != 0 {
			t.Errorf("asleep: %v", c)
		}
		if err := r.Send(t.Context(), packet); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Millisecond)
		if hears() {
			t.Error("awake after a packet")
		}
		r.Sleep(false)
		time.Sleep(10 * time.Millisecond)
		if !hears() {
			t.Error("deaf after being woken")
		}

		if s := r.Stats(); s.Repairs != 0 || s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// What has arrived at the moment of falling asleep is not lost.
func TestSleepAfterPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip := emulate(t, air, sx126xemu.Options{})
		r := drive(t, chip, pins(chip), plain, lora.Config{})
		peer := air.Radio(lora.Config{}, lorasim.Position{X: 50})
		defer peer.Close()
		if err := peer.Send(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		r.Sleep(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var buf [lora.MaxPacket]byte
		if _, err := r.Receive(ctx, buf[:]); err != nil {
			t.Error(err)
		}
	})
}

// A chip that was reset while it slept is set up again when it is woken.
func TestSleepThroughReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip := emulate(t, air, sx126xemu.Options{})
		r := drive(t, chip, pins(chip), plain, lora.Config{})
		peer := air.Radio(lora.Config{}, lorasim.Position{X: 50})
		defer peer.Close()
		r.Sleep(true)
		time.Sleep(time.Second)
		chip.BrownOut()
		r.Sleep(false)
		time.Sleep(time.Second)
		if err := peer.Send(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		var buf [lora.MaxPacket]byte
		if _, err := r.Receive(t.Context(), buf[:]); err != nil {
			t.Error(err)
		}
		if r.Stats().Repairs != 1 {
			t.Errorf("%+v", r.Stats())
		}
	})
}
