package sx1276_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestPower: the chip tells what is on the channel, noise or what it cannot read; asleep or closed it says so.
func TestPower(t *testing.T) {
	onBench(t, func(b *bench) {
		cfg := b.radio.Config()
		strange := b.air.Radio(lora.Config{SyncWord: lora.SyncPrivate}, lorasim.Position{})
		defer strange.Close()
		b.air.SetLink(strange, b.chip.Antenna(), -70)
		power := func(what string, want float64) {
			b.Helper()
			if got, err := b.radio.Power(context.Background()); err != nil || math.Abs(float64(got)-want) > 3 {
				b.Errorf("%s: %d dBm, %v, want %.0f", what, got, err, want)
			}
		}
		power("silence", cfg.Bandwidth.NoiseFloor())
		go strange.Send(context.Background(), make([]byte, lora.MaxPacket))
		time.Sleep(20 * time.Millisecond)
		power("a strange network", -70)
		time.Sleep(time.Second)
		power("silence again", cfg.Bandwidth.NoiseFloor())
		b.works()

		b.radio.Sleep(true)
		time.Sleep(time.Second)
		if got, err := b.radio.Power(context.Background()); !errors.Is(err, lora.ErrAsleep) {
			b.Errorf("asleep: %d dBm, %v", got, err)
		}
		b.radio.Sleep(false)
		b.radio.Close()
		if got, err := b.radio.Power(context.Background()); !errors.Is(err, lora.ErrClosed) {
			b.Errorf("closed: %d dBm, %v", got, err)
		}
	})
}
