package sx1276_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// overhead is what a transfer costs on a Raspberry Pi beside its bits: system call and driver.
const overhead = 20 * time.Microsecond

// emulate puts an emulated chip on an air. Rules that the driver breaks are errors.
func emulate(t testing.TB, air *lorasim.Air, opt sx1276emu.Options) *sx1276emu.Chip {
	t.Helper()
	if opt.Transfer == nil {
		opt.Transfer = sx1276emu.WireTime(overhead)
	}
	opt.OnViolation = func(v sx1276emu.Violation) { t.Errorf("at %v: %v", v.Time, v) }
	return sx1276emu.New(air, opt)
}

// pins returns the chip's pins as a hat with a chip select of the port wires them.
func pins(chip *sx1276emu.Chip) sx1276.Pins {
	p := chip.Pins()
	p.CS = nil
	return p
}

// drive drives a chip until the test ends.
func drive(t testing.TB, chip *sx1276emu.Chip, pins sx1276.Pins, cfg lora.Config, opts ...sx1276.Option) *sx1276.Radio {
	t.Helper()
	r, err := sx1276.New(chip.Port(), pins, cfg, append([]sx1276.Option{sx1276.WithClock(chip.Clock())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		a := emulate(t, air, sx1276emu.Options{})
		b := emulate(t, air, sx1276emu.Options{Position: lorasim.Position{X: 100}})
		ra, rb := drive(t, a, pins(a), lora.Config{}), drive(t, b, pins(b), lora.Config{})
		for i := range 5 {
			msg := []byte(fmt.Sprintf("packet %d", i))
			start := time.Now()
			if err := ra.Send(context.Background(), msg); err != nil {
				t.Fatal(err)
			}
			t.Log("sent after", time.Since(start), "airtime", ra.Config().Airtime(len(msg)))
			buf := make([]byte, lora.MaxPacket)
			p, err := rb.Receive(context.Background(), buf)
			if err != nil || !bytes.Equal(buf[:p.N], msg) {
				t.Fatalf("%q %v", buf[:p.N], err)
			}
			t.Log(p.Time.Sub(start), p.RSSI, p.SNR)
		}
		t.Logf("%+v\n%+v", ra.Stats(), rb.Stats())
	})
}
