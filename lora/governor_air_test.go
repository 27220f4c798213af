package lora_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestGovernorOnAir lets two radios talk for hours on an air that is faster than the wall clock:
// the hour is one of the air.
func TestGovernorOnAir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const speed = 100
		air := lorasim.NewAir(lorasim.Options{Seed: 1, Speed: speed})
		var radios [2]*lorasim.Radio
		var governors [2]*lora.Governor
		for i := range radios {
			radios[i] = air.Radio(lora.Config{Frequency: 869_525 * lora.KHz}, lorasim.Position{X: float64(i)})
			governors[i] = lora.Govern(radios[i])
			defer governors[i].Close()
			if lora.ClockOf(governors[i]) != air.Clock() {
				t.Error("the governor hides the radio's clock")
			}
		}
		frame := append([]byte{0x69, 0x98}, make([]byte, 125)...)
		var last [2]time.Duration
		for hour := range 3 {
			var delivered, refused int
			for end := time.Now().Add(time.Hour / speed); time.Now().Before(end); {
				for _, g := range governors {
					switch err := g.Send(t.Context(), frame); {
					case err == nil:
						delivered++
					case errors.Is(err, lora.ErrDutyCycle):
						refused++
						time.Sleep(time.Second / speed)
					default:
						t.Fatal(err)
					}
				}
			}
			for i, r := range radios {
				airtime := r.Stats().Airtime
				if d := airtime - last[i]; d > 6*time.Minute || d < 4*time.Minute {
					t.Errorf("hour %d: %v on the air, 6 minutes are allowed", hour, d)
				}
				last[i] = airtime
			}
			if u := governors[0].Usage()[0]; u.Used > u.Limit || u.Limit != 6*time.Minute {
				t.Errorf("hour %d: %v", hour, u)
			}
			t.Logf("hour %d: %d packets sent, %d refused", hour, delivered, refused)
		}
	})
}
