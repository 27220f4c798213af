package periphpins_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/periphpins"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// TestPins tries each kind of line on periph's own test double.
func TestPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &gpiotest.Pin{N: "GPIO4", EdgesChan: make(chan gpio.Level, 1)}
		level := func() gpio.Level {
			p.Lock()
			defer p.Unlock()
			return p.L
		}
		out := periphpins.Output(p)
		for _, l := range []transceiver.Level{transceiver.High, transceiver.Low} {
			if err := out.Set(l); err != nil || level() != gpio.Level(l) {
				t.Errorf("set %v: %v, %v", l, level(), err)
			}
		}
		reset := periphpins.Reset(p)
		if err := reset.Drive(transceiver.High); err != nil || level() != gpio.High {
			t.Errorf("%v, %v", level(), err)
		}
		if err := reset.Float(); err != nil || p.P != gpio.Float {
			t.Errorf("pull %v, %v", p.P, err)
		}
		in, err := periphpins.Input(p)
		if err != nil || p.P != gpio.PullDown {
			t.Fatalf("pull %v, %v", p.P, err)
		}
		start := time.Now()
		time.Sleep(time.Second) // no edge
		p.EdgesChan <- gpio.High
		if at := <-in.Edges(); at.Sub(start) != time.Second {
			t.Errorf("the edge came after %v", at.Sub(start))
		}
		if l, err := in.Level(); l != transceiver.High || err != nil {
			t.Errorf("%v, %v", l, err)
		}
		for range 100 { // more than the queue holds
			p.EdgesChan <- gpio.High
		}
		for range 2 {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
		busy, err := periphpins.Level(p)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := busy.Level(); l != transceiver.Low || err != nil { // it is pulled down
			t.Errorf("%v, %v", l, err)
		}
		if err := busy.Close(); err != nil {
			t.Error(err)
		}
	})
}

// poor is a pin without pulls, or one that is no input at all.
type poor struct {
	gpiotest.Pin
	useless bool
	waits   atomic.Int64
}

func (p *poor) In(pull gpio.Pull, edge gpio.Edge) error {
	if p.useless || pull != gpio.PullNoChange {
		return errors.New("not supported")
	}
	return nil
}

func (p *poor) WaitForEdge(time.Duration) bool { p.waits.Add(1); return false }

// TestPoorPins: what a pin cannot do is done without, or an error that names the pin; one that returns at once from its waits is asked ten times a
// second.
func TestPoorPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &poor{Pin: gpiotest.Pin{N: "XIO", Num: 7}}
		in, err := periphpins.Input(p)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		in.Close()
		if n := p.waits.Load(); n < 90 || n > 110 {
			t.Errorf("%d waits in 10 s", n)
		}
		if err := periphpins.Reset(p).Float(); err != nil {
			t.Error(err)
		}
		p.useless = true
		_, err1 := periphpins.Input(p)
		_, err2 := periphpins.Level(gpio.INVALID)
		for _, err := range []error{err1, err2, periphpins.Reset(p).Float()} {
			if err == nil || !strings.Contains(err.Error(), "periphpins: XIO(7) as an input") && !strings.Contains(err.Error(), "INVALID") {
				t.Error(err)
			}
		}
	})
}

// wire is a pin of periph at a line of an emulated chip.
type wire struct {
	gpiotest.Pin
	in    transceiver.Input
	reset transceiver.Reset
}

func (w *wire) In(gpio.Pull, gpio.Edge) error {
	if w.reset != nil {
		return w.reset.Float()
	}
	return nil
}

func (w *wire) Out(l gpio.Level) error { return w.reset.Drive(transceiver.Level(l)) }

func (w *wire) Read() gpio.Level {
	l, _ := w.in.Level()
	return gpio.Level(l)
}

func (w *wire) WaitForEdge(limit time.Duration) bool {
	select {
	case <-w.in.Edges():
		return true
	case <-time.After(limit):
		return false
	}
}

// TestDrivers: an SX1276 and an SX1262 talk to each other, with all their lines by periph's pins.
func TestDrivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip76 := sx1276emu.New(air, sx1276emu.Options{Transfer: sx1276emu.WireTime(20 * time.Microsecond)})
		chip62 := sx126xemu.New(air, sx126xemu.Options{Position: lorasim.Position{X: 100}, Transfer: sx126xemu.WireTime(20 * time.Microsecond)})
		line := func(l *periphpins.Line, err error) *periphpins.Line {
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l
		}
		a, err := sx1276.New(chip76.Port(), sx1276.Pins{
			Reset: periphpins.Reset(&wire{reset: chip76.Pins().Reset}),
			DIO0:  line(periphpins.Input(&wire{in: chip76.Pins().DIO0})),
		}, lora.Config{}, sx1276.WithClock(chip76.Clock()))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		b, err := sx126x.New(chip62.Port(), sx126x.Pins{
			Reset: periphpins.Reset(&wire{reset: chip62.Pins().Reset}),
			Busy:  line(periphpins.Level(&wire{in: chip62.Pins().Busy})),
			DIO1:  line(periphpins.Input(&wire{in: chip62.Pins().DIO1})),
		}, sx126x.Board{}, lora.Config{}, sx126x.WithClock(chip62.Clock()))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		buf := make([]byte, lora.MaxPacket)
		for i := range 3 {
			for _, pair := range [][2]lora.Radio{{a, b}, {b, a}} {
				message := []byte(fmt.Sprintf("packet %d", i))
				if err := pair[0].Send(t.Context(), message); err != nil {
					t.Fatal(err)
				}
				p, err := pair[1].Receive(t.Context(), buf)
				if err != nil || !bytes.Equal(buf[:p.N], message) {
					t.Fatalf("%q, %v", buf[:p.N], err)
				}
			}
		}
	})
}
