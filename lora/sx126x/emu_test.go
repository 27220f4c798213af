package sx126x_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// overhead is what a transfer costs on a Raspberry Pi beside its bits: system call and driver.
const overhead = 20 * time.Microsecond

// plain is a board with nothing around the chip, as the zero sx126xemu.Options has it.
var plain = sx126x.Board{Name: "plain"}

// emulate puts an emulated chip on an air. Rules that the driver breaks are errors.
func emulate(t testing.TB, air *lorasim.Air, opt sx126xemu.Options) *sx126xemu.Chip {
	t.Helper()
	if opt.Transfer == nil {
		opt.Transfer = sx126xemu.WireTime(overhead)
	}
	opt.OnViolation = func(v sx126xemu.Violation) { t.Errorf("at %v: %v", v.Time, v) }
	return sx126xemu.New(air, opt)
}

// pins returns the chip's pins as a hat with a chip select of the port wires them.
func pins(chip *sx126xemu.Chip) sx126x.Pins {
	p := chip.Pins()
	p.CS = nil
	return p
}

// drive drives a chip until the test ends.
func drive(t testing.TB, chip *sx126xemu.Chip, pins sx126x.Pins, board sx126x.Board, cfg lora.Config, opts ...sx126x.Option) *sx126x.Radio {
	t.Helper()
	r, err := sx126x.New(chip.Port(), pins, board, cfg, append([]sx126x.Option{sx126x.WithClock(chip.Clock())}, opts...)...)
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

// drive1276 drives an emulated SX1276 until the test ends.
func drive1276(t testing.TB, air *lorasim.Air, pos lorasim.Position, cfg lora.Config) (*sx1276emu.Chip, *sx1276.Radio) {
	t.Helper()
	chip := sx1276emu.New(air, sx1276emu.Options{Position: pos, Transfer: sx1276emu.WireTime(overhead),
		OnViolation: func(v sx1276emu.Violation) { t.Errorf("SX1276 at %v: %v", v.Time, v) }})
	p := chip.Pins()
	p.CS = nil
	r, err := sx1276.New(chip.Port(), p, cfg, sx1276.WithClock(chip.Clock()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return chip, r
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip := emulate(t, air, sx126xemu.Options{})
		a := drive(t, chip, pins(chip), plain, lora.Config{})
		_, b := drive1276(t, air, lorasim.Position{X: 100}, lora.Config{})
		ctx, buf := context.Background(), make([]byte, lora.MaxPacket)
		for i := range 5 {
			for _, way := range []struct{ from, to lora.Radio }{{a, b}, {b, a}} {
				msg := fmt.Appendf(nil, "packet %d", i)
				if err := way.from.Send(ctx, msg); err != nil {
					t.Fatal(err)
				}
				p, err := way.to.Receive(ctx, buf)
				if err != nil || !bytes.Equal(buf[:p.N], msg) {
					t.Fatalf("%q %v", buf[:p.N], err)
				}
				t.Log(p.RSSI, p.SNR)
			}
		}
		t.Logf("%+v\n%+v", a.Stats(), b.Stats())
	})
}
