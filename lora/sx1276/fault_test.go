package sx1276_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// bench is a driven chip, and a simulated radio that it talks to.
type bench struct {
	*testing.T
	air   *lorasim.Air
	chip  *sx1276emu.Chip
	radio *sx1276.Radio
	peer  *lorasim.Radio
	log   bytes.Buffer
	n     int
}

// onBench runs a test in virtual time.
func onBench(t *testing.T, do func(b *bench)) { onBenchWith(t, lora.Config{}, nil, do) }

func onBenchWith(t *testing.T, cfg lora.Config, wire func(*sx1276.Pins), do func(b *bench), opts ...sx1276.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, air: lorasim.NewAir(lorasim.Options{})}
		b.chip = emulate(t, b.air, sx1276emu.Options{Seed: 1})
		p := pins(b.chip)
		if wire != nil {
			wire(&p)
		}
		log := slog.New(slog.NewTextHandler(&b.log, nil))
		b.radio = drive(t, b.chip, p, cfg, append([]sx1276.Option{sx1276.WithLogger(log)}, opts...)...)
		b.peer = b.air.Radio(cfg, lorasim.Position{X: 50})
		t.Cleanup(func() { b.peer.Close() })
		do(b)
	})
}

// next returns a packet that was not used before.
func (b *bench) next() []byte {
	b.n++
	return fmt.Appendf(nil, "packet %d", b.n)
}

// hear lets the peer send and reports whether the driven chip hears it within a time.
func (b *bench) hear(within time.Duration) bool {
	b.Helper()
	packet := b.next()
	switch err := b.peer.Send(context.Background(), packet); {
	case errors.Is(err, lora.ErrChannelBusy):
		return false // a chip that is set wrong may fill the channel
	case err != nil:
		b.Fatalf("peer: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var buf [lora.MaxPacket]byte
	for {
		p, err := b.radio.Receive(ctx, buf[:])
		if bytes.Equal(buf[:p.N], packet) && err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// say lets the driven chip send and reports whether the peer hears it.
func (b *bench) say() error {
	b.Helper()
	packet := b.next()
	if err := b.radio.Send(context.Background(), packet); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	var buf [lora.MaxPacket]byte
	p, err := b.peer.Receive(ctx, buf[:])
	if err == nil && !bytes.Equal(buf[:p.N], packet) {
		err = fmt.Errorf("peer heard %q", buf[:p.N])
	}
	return err
}

// works makes sure that packets go both ways.
func (b *bench) works() {
	b.Helper()
	for range 3 {
		if !b.hear(100 * time.Millisecond) {
			b.Error("deaf")
		}
		if err := b.say(); err != nil {
			b.Errorf("mute: %v", err)
		}
	}
}

func (b *bench) logged(what string) {
	b.Helper()
	if !strings.Contains(b.log.String(), what) {
		b.Errorf("no %q in the log:\n%s", what, &b.log)
	}
}

// count compares counters that a test expects; those of faults and repairs must be as given, zero
// included.
func (b *bench) count(want sx1276.Stats) {
	b.Helper()
	got := b.radio.Stats()
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"CRCErrors", got.CRCErrors, want.CRCErrors},
		{"NoCRC", got.NoCRC, want.NoCRC},
		{"Missed", got.Missed, want.Missed},
		{"Overrun", got.Overrun, want.Overrun},
		{"LostEdges", got.LostEdges, want.LostEdges},
		{"FalseEdges", got.FalseEdges, want.FalseEdges},
		{"Stuck", got.Stuck, want.Stuck},
		{"TxTimeouts", got.TxTimeouts, want.TxTimeouts},
		{"Restarts", got.Restarts, want.Restarts},
		{"SPIErrors", got.SPIErrors, want.SPIErrors},
		{"Repairs", got.Repairs, want.Repairs},
	} {
		if c.got != c.want {
			b.Errorf("%s: %d, want %d\n%+v\n%s", c.name, c.got, c.want, got, &b.log)
		}
	}
}

// repairTime is how long a reset and set-up takes at most.
const repairTime = 50 * time.Millisecond

func isLoraError(err error) bool {
	e := (*lora.Error)(nil)
	return errors.As(err, &e)
}

func TestNoFault(t *testing.T) {
	onBench(t, func(b *bench) {
		b.works()
		time.Sleep(time.Hour)
		b.works()
		b.count(sx1276.Stats{})
	})
}

func TestWithoutDIO(t *testing.T) {
	onBenchWith(t, lora.Config{}, func(p *sx1276.Pins) { p.DIO0 = nil }, func(b *bench) {
		b.works()
		b.logged("DIO0 is not wired")
		b.count(sx1276.Stats{})
	})
}

func TestWithoutReset(t *testing.T) {
	onBenchWith(t, lora.Config{}, func(p *sx1276.Pins) { p.Reset = nil }, func(b *bench) {
		b.works()
		b.chip.BrownOut()
		time.Sleep(2 * time.Second)
		b.works()
		b.count(sx1276.Stats{Restarts: 1, Repairs: 1})
	})
}

func TestSoftwareChipSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, air: lorasim.NewAir(lorasim.Options{})}
		b.chip = emulate(t, b.air, sx1276emu.Options{})
		b.radio = drive(t, b.chip, b.chip.Pins(), lora.Config{}, sx1276.WithNoCS)
		b.peer = b.air.Radio(lora.Config{}, lorasim.Position{X: 50})
		b.works()
	})
}

func TestBrownOutListening(t *testing.T) {
	onBench(t, func(b *bench) {
		for range 10 {
			b.works()
			b.chip.BrownOut()
			time.Sleep(1100 * time.Millisecond)
		}
		b.works()
		b.count(sx1276.Stats{Restarts: 10, Repairs: 10})
		b.logged("the chip lost its settings")
		b.logged("check the supply")
	})
}

func TestBrownOutSending(t *testing.T) {
	onBench(t, func(b *bench) {
		go func() {
			time.Sleep(10 * time.Millisecond)
			b.chip.BrownOut()
		}()
		if err := b.say(); !isLoraError(err) || !errors.Is(err, sx1276.ErrRestarted) {
			b.Errorf("error %v", err)
		}
		time.Sleep(repairTime)
		b.works()
		b.count(sx1276.Stats{Restarts: 1, Repairs: 1})
	})
}

func TestBrownOutBeforeSending(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.BrownOut()
		if err := b.say(); err != nil { // noticed before the packet, which waits
			b.Error(err)
		}
		b.works()
		b.count(sx1276.Stats{Restarts: 1, Repairs: 1})
	})
}

func TestLostEdges(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.LoseEdges(0, -1)
		b.works()
		b.count(sx1276.Stats{LostEdges: 6})
		b.chip.LoseEdges(0, 0)
		b.works()
		b.count(sx1276.Stats{LostEdges: 6})
	})
}

func TestStuckLow(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.StickDIO(0, false)
		if !b.hear(1100 * time.Millisecond) {
			b.Error("deaf")
		}
		b.logged("DIO0 does not work")
		b.works()
		b.chip.FreeDIO(0)
		b.works()
		b.logged("DIO0 works again")
		b.count(sx1276.Stats{LostEdges: b.radio.Stats().LostEdges})
	})
}

func TestStuckHigh(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.StickDIO(0, true)
		time.Sleep(time.Minute)
		b.works()
		b.chip.FreeDIO(0)
		b.works()
		s := b.radio.Stats()
		b.count(sx1276.Stats{LostEdges: s.LostEdges, FalseEdges: 1})
	})
}

func TestSPIErrors(t *testing.T) {
	failure := errors.New("broken wire")
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			onBench(t, func(b *bench) {
				for range 20 {
					b.chip.FailSPI(n, failure)
					b.works()
				}
				b.count(sx1276.Stats{SPIErrors: uint64(20 * n)})
			})
		})
	}
	t.Run("for a while", func(t *testing.T) {
		onBench(t, func(b *bench) {
			b.chip.FailSPI(-1, failure)
			if err := b.say(); !isLoraError(err) || !errors.Is(err, failure) {
				b.Errorf("error %v", err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := b.radio.Receive(ctx, nil); !errors.Is(err, failure) {
				b.Errorf("error %v", err)
			}
			b.chip.FailSPI(0, nil)
			time.Sleep(10 * time.Second)
			b.works()
			b.logged("LoRa chip is back")
		})
	})
}

func TestSilence(t *testing.T) {
	for _, reads := range []byte{0x00, 0xff} {
		t.Run(fmt.Sprintf("%02x", reads), func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.chip.Silence(reads)
				time.Sleep(5 * time.Second)
				if err := b.say(); !isLoraError(err) || !errors.Is(err, sx1276.ErrNoChip) {
					b.Errorf("error %v", err)
				}
				b.chip.Speak()
				time.Sleep(10 * time.Second)
				b.works()
				b.count(sx1276.Stats{Restarts: 1, Repairs: 1})
			})
		})
	}
}

func TestHangingTransmission(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.HangTransmit(1)
		start := time.Now()
		err := b.say()
		if !isLoraError(err) || !errors.Is(err, sx1276.ErrNoTxDone) {
			b.Errorf("error %v", err)
		}
		if d := time.Since(start); d > 200*time.Millisecond {
			b.Errorf("noticed after %v", d)
		}
		var buf [lora.MaxPacket]byte
		b.peer.Receive(context.Background(), buf[:]) // it was sent
		time.Sleep(repairTime)
		b.works()
		b.count(sx1276.Stats{TxTimeouts: 1, Repairs: 1})
	})
}

func TestCRCError(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.CorruptReceive(1)
		if b.hear(time.Second) {
			b.Error("heard a damaged packet")
		}
		b.works()
		b.count(sx1276.Stats{CRCErrors: 1})
	})
}

func TestNoCRC(t *testing.T) {
	onBench(t, func(b *bench) {
		odd := b.air.Transceiver(lorasim.Position{X: 20}, func() {})
		cfg := b.radio.Config()
		odd.Configure(lorasim.Modulation{Config: cfg, Framing: lorasim.Framing{NoCRC: true}})
		odd.Transmit(b.air.Clock().Now(), []byte("no CRC"), cfg.PreambleTime(), cfg.Airtime(6))
		time.Sleep(time.Second)
		b.works()
		b.count(sx1276.Stats{NoCRC: 1})
	})
}

// TestBitErrors survives a time in which the wires turn bits around.
func TestBitErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, air: lorasim.NewAir(lorasim.Options{})}
		b.chip = sx1276emu.New(b.air, sx1276emu.Options{Seed: 1, Transfer: sx1276emu.WireTime(overhead)})
		b.radio = drive(t, b.chip, pins(b.chip), lora.Config{})
		b.peer = b.air.Radio(lora.Config{}, lorasim.Position{X: 50})
		for range 50 {
			b.chip.FlipBits(0, 0.002)
			for range 10 {
				b.hear(20 * time.Millisecond)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				b.radio.Send(ctx, b.next())
				cancel()
			}
			b.chip.FlipBits(0, 0)
			time.Sleep(15 * time.Second)
			var buf [lora.MaxPacket]byte
			for ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond); ; {
				if _, err := b.peer.Receive(ctx, buf[:]); err != nil {
					cancel()
					break
				}
			}
			b.works()
		}
		t.Logf("%+v", b.radio.Stats())
	})
}
