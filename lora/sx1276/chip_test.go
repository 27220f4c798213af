package sx1276_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"periph.io/x/conn/v3/physic"
)

// TestChips exchanges packets between chips of all kinds, in all modulations.
func TestChips(t *testing.T) {
	type kind struct {
		emu  sx1276emu.Options
		opts []sx1276.Option
		chip string
	}
	sx1272 := kind{sx1276emu.Options{Model: sx1276emu.SX1272}, nil, "SX1272"}
	tcxo := kind{sx1276emu.Options{TCXO: true}, []sx1276.Option{sx1276.WithOscillator(sx1276.TCXO)}, "SX1276"}
	rfo := kind{sx1276emu.Options{RFO: true}, []sx1276.Option{sx1276.WithOutput(sx1276.RFO)}, "SX1276"}
	usual := kind{sx1276emu.Options{}, nil, "SX1276"}
	tests := []struct {
		name string
		a, b kind
		cfg  lora.Config
	}{
		{"hats", usual, usual, lora.Config{}},
		{"LoPy4", tcxo, usual, lora.Config{Frequency: 863 * lora.MHz}},
		{"FiPy", sx1272, usual, lora.Config{}},
		{"FiPy, SF12", sx1272, usual, lora.Config{SpreadingFactor: lora.SF12}},
		{"FiPy, SF9, 500 kHz, 4/8", sx1272, usual, lora.Config{SpreadingFactor: lora.SF9, Bandwidth: lora.BW500, CodingRate: lora.CR48}},
		{"RFO, 433 MHz", rfo, usual, lora.Config{Region: lora.EU433}},
		{"433 MHz, 500 kHz", usual, usual, lora.Config{Region: lora.EU433, Bandwidth: lora.BW500}},
		{"470 MHz", usual, usual, lora.Config{Region: lora.CN470}},
		{"+20 dBm", usual, usual, lora.Config{Region: lora.AS923}},
		{"US915, 500 kHz", usual, usual, lora.Config{Region: lora.US915, Bandwidth: lora.BW500}},
		{"SF8", usual, usual, lora.Config{SpreadingFactor: lora.SF8}},
		{"SF11", usual, usual, lora.Config{SpreadingFactor: lora.SF11}},
		{"SF12, 250 kHz", usual, usual, lora.Config{SpreadingFactor: lora.SF12, Bandwidth: lora.BW250}},
		{"long preamble, private", usual, usual, lora.Config{Preamble: 300, SyncWord: lora.SyncPrivate}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(-100)})
				var radios []lora.Radio
				for _, k := range []kind{tt.a, tt.b} {
					chip := emulate(t, air, k.emu)
					r := drive(t, chip, pins(chip), tt.cfg, k.opts...)
					if r.Chip() != k.chip {
						t.Errorf("found %s, want %s", r.Chip(), k.chip)
					}
					radios = append(radios, r)
				}
				radios = append(radios, air.Radio(tt.cfg, lorasim.Position{}))
				defer radios[2].Close()
				var buf [lora.MaxPacket]byte
				for i, from := range radios {
					packet := []byte(strings.Repeat("x", 10+i))
					if err := from.Send(context.Background(), packet); err != nil {
						t.Fatalf("radio %d: %v", i, err)
					}
					for j, to := range radios {
						if i == j {
							continue
						}
						ctx, cancel := context.WithTimeout(context.Background(), time.Second)
						p, err := to.Receive(ctx, buf[:])
						if err != nil || string(buf[:p.N]) != string(packet) {
							t.Errorf("%d to %d: %q, %v", i, j, buf[:p.N], err)
						}
						if p.RSSI < -101 || p.RSSI > -99 {
							t.Errorf("%d to %d: %d dBm", i, j, p.RSSI)
						}
						cancel()
					}
				}
			})
		})
	}
}

func TestNewErrors(t *testing.T) {
	tests := []struct {
		name  string
		fault func(c *sx1276emu.Chip)
		opts  []sx1276.Option
		want  []string
		is    error
	}{
		{"no chip", func(c *sx1276emu.Chip) { c.Silence(0x00) }, nil, []string{"RegVersion: 0x00: no chip answers", "SX1262", "UART", "chip select"}, sx1276.ErrNoChip},
		{"no chip, pulled up", func(c *sx1276emu.Chip) { c.Silence(0xff) }, nil, []string{"RegVersion: 0xFF: no chip answers", "SPI is on"}, sx1276.ErrNoChip},
		{"other chip", func(c *sx1276emu.Chip) { c.SetVersion(0x24) }, nil, []string{"0x24: not an SX1276 or SX1272", "LR11xx"}, sx1276.ErrOtherChip},
		{"dead SPI", func(c *sx1276emu.Chip) { c.FailSPI(-1, errors.New("EIO")) }, nil, []string{"RegVersion", "EIO"}, nil},
		{"long wires", func(c *sx1276emu.Chip) { c.FlipBits(6*physic.MegaHertz, 0.02) }, []sx1276.Option{sx1276.WithSPIClock(8 * physic.MegaHertz)},
			[]string{"lower the SPI clock"}, nil},
		{"wrong oscillator", func(c *sx1276emu.Chip) {}, []sx1276.Option{sx1276.WithOscillator(sx1276.TCXO)}, []string{"crystal"}, sx1276.ErrOscillator},
		{"too fast", func(c *sx1276emu.Chip) {}, []sx1276.Option{sx1276.WithSPIClock(20 * physic.MegaHertz)}, []string{"WithSPIClock: 20MHz is not in 100kHz to 10MHz"}, nil},
		{"no output", func(c *sx1276emu.Chip) {}, []sx1276.Option{sx1276.WithOutput(7)}, []string{"WithOutput: 7"}, nil},
		{"no oscillator", func(c *sx1276emu.Chip) {}, []sx1276.Option{sx1276.WithOscillator(7)}, []string{"WithOscillator: 7"}, nil},
		{"threshold", func(c *sx1276emu.Chip) {}, []sx1276.Option{sx1276.WithListen(sx1276.Listen{Threshold: 5})}, []string{"WithListen: Threshold 5 dBm"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{})
				chip := sx1276emu.New(air, sx1276emu.Options{Seed: 3}) // rules may be broken
				tt.fault(chip)
				_, err := sx1276.New(chip.Port(), pins(chip), lora.Config{}, tt.opts...)
				if err == nil {
					t.Fatal("no error")
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				}
				if tt.is != nil && (!errors.Is(err, tt.is) || !isLoraError(err)) {
					t.Errorf("error %v is not %v", err, tt.is)
				}
			})
		})
	}
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []lora.Config{{Frequency: 1}, {SpreadingFactor: lora.SF6}, {TxPower: 30}} {
		synctest.Test(t, func(t *testing.T) {
			chip := emulate(t, lorasim.NewAir(lorasim.Options{}), sx1276emu.Options{})
			if _, err := sx1276.New(chip.Port(), pins(chip), cfg); err == nil {
				t.Errorf("%+v accepted", cfg)
			}
		})
	}
}

// TestChipInUse finds the chip as a program left it that did not close it.
func TestChipInUse(t *testing.T) {
	onBenchWith(t, lora.Config{}, func(p *sx1276.Pins) { p.Reset = nil }, func(b *bench) {
		b.radio.Close()
		other := sx1276emu.New(b.air, sx1276emu.Options{}) // receives without its errata
		conn, err := other.Port().Connect(physic.MegaHertz, 0, 8)
		if err != nil {
			b.Fatal(err)
		}
		for _, w := range [][]byte{{0x81, 0x00}, {0x81, 0x88}, {0x81, 0x8d}} { // sleep, LoRa, receive
			if err := conn.Tx(w, make([]byte, 2)); err != nil {
				b.Fatal(err)
			}
		}
		b.chip = other
		p := pins(other)
		p.Reset = nil
		b.radio = drive(b.T, other, p, lora.Config{})
		b.works()
	})
}

func TestPacketSizes(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []int{0, 256} {
			if err := b.radio.Send(context.Background(), make([]byte, n)); !errors.Is(err, lora.ErrPacketSize) {
				b.Errorf("%d bytes: %v", n, err)
			}
		}
		var got [lora.MaxPacket]byte
		for _, n := range []int{1, 2, 127, 128, 254, 255} {
			packet := make([]byte, n)
			packet[n-1] = byte(n)
			if err := b.peer.Send(context.Background(), packet); err != nil {
				b.Fatal(err)
			}
			if p, err := b.radio.Receive(context.Background(), got[:]); err != nil || p.N != n || got[n-1] != byte(n) {
				b.Errorf("%d bytes received: %+v, %v", n, p, err)
			}
			if err := b.radio.Send(context.Background(), packet); err != nil {
				b.Fatal(err)
			}
			if p, err := b.peer.Receive(context.Background(), got[:]); err != nil || p.N != n || got[n-1] != byte(n) {
				b.Errorf("%d bytes sent: %+v, %v", n, p, err)
			}
		}
		b.peer.Send(context.Background(), make([]byte, 9))
		if p, err := b.radio.Receive(context.Background(), got[:4]); err != nil || p.N != 4 {
			b.Errorf("short buffer: %+v, %v", p, err)
		}
		b.count(sx1276.Stats{})
	})
}

func TestQueue(t *testing.T) {
	onBench(t, func(b *bench) {
		for i := range 20 {
			if err := b.peer.Send(context.Background(), []byte{byte(i)}); err != nil {
				b.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		var buf [1]byte
		for i := 4; i < 20; i++ {
			if _, err := b.radio.Receive(context.Background(), buf[:]); err != nil || buf[0] != byte(i) {
				b.Errorf("packet %d, want %d: %v", buf[0], i, err)
			}
		}
		b.count(sx1276.Stats{Overrun: 4})
	})
}

func TestCancel(t *testing.T) {
	onBench(t, func(b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.radio.Send(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
		if _, err := b.radio.Receive(ctx, nil); !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
		// A packet that is on the air is finished; the next one waits for that.
		ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := b.radio.Send(ctx, []byte("first")); !errors.Is(err, context.DeadlineExceeded) {
			b.Error(err)
		}
		if err := b.radio.Send(context.Background(), []byte("second")); err != nil {
			b.Error(err)
		}
		var buf [lora.MaxPacket]byte
		for _, want := range []string{"first", "second"} {
			if p, err := b.peer.Receive(context.Background(), buf[:]); err != nil || string(buf[:p.N]) != want {
				b.Errorf("%q, want %q: %v", buf[:p.N], want, err)
			}
		}
		b.works()
	})
}

func TestClose(t *testing.T) {
	onBench(t, func(b *bench) {
		results := make(chan error, 3)
		go func() { _, err := b.radio.Receive(context.Background(), nil); results <- err }()
		for range 2 {
			go func() { results <- b.radio.Send(context.Background(), make([]byte, 100)) }()
		}
		time.Sleep(20 * time.Millisecond)
		for range 2 {
			if err := b.radio.Close(); err != nil {
				b.Error(err)
			}
		}
		for range 3 {
			if err := <-results; !errors.Is(err, lora.ErrClosed) || !errors.Is(err, net.ErrClosed) {
				b.Errorf("error %v", err)
			}
		}
		if err := b.radio.Send(context.Background(), []byte("x")); !errors.Is(err, lora.ErrClosed) {
			b.Error(err)
		}
		if _, err := b.radio.Receive(context.Background(), nil); !errors.Is(err, lora.ErrClosed) {
			b.Error(err)
		}
		// The port is the program's, which can use the chip again.
		b.radio = drive(b.T, b.chip, pins(b.chip), lora.Config{})
		b.works()
	})
}

func TestCloseImmediately(t *testing.T) {
	onBench(t, func(b *bench) {
		if err := b.radio.Close(); err != nil {
			b.Error(err)
		}
	})
}

func TestCloseWhileDown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.FailSPI(-1, errors.New("SPI"))
		time.Sleep(20 * time.Second)
		if err := b.radio.Close(); err != nil {
			b.Error(err)
		}
	})
}

func TestConcurrentSends(t *testing.T) {
	onBench(t, func(b *bench) {
		const n = 20
		results := make(chan error, n)
		for i := range n {
			go func() { results <- b.radio.Send(context.Background(), []byte{byte(i)}) }()
		}
		var buf [1]byte
		seen := map[byte]bool{}
		for range n {
			if _, err := b.peer.Receive(context.Background(), buf[:]); err != nil || seen[buf[0]] {
				b.Errorf("%d again, or %v", buf[0], err)
			}
			seen[buf[0]] = true
			if err := <-results; err != nil {
				b.Error(err)
			}
		}
	})
}

func TestDiagnoseChip(t *testing.T) {
	none := func(*sx1276emu.Chip, *sx1276.Pins) {}
	tests := []struct {
		name  string
		emu   sx1276emu.Options
		fault func(c *sx1276emu.Chip, p *sx1276.Pins)
		opts  []sx1276.Option
		bad   string // the check that fails, with what it says
		count int
	}{
		{"all is well", sx1276emu.Options{}, none, nil, "", 7},
		{"SX1272", sx1276emu.Options{Model: sx1276emu.SX1272}, none, nil, "", 7},
		{"few wires", sx1276emu.Options{}, func(_ *sx1276emu.Chip, p *sx1276.Pins) { p.Reset, p.DIO0 = nil, nil }, nil, "", 7},
		{"no chip", sx1276emu.Options{}, func(c *sx1276emu.Chip, _ *sx1276.Pins) { c.Silence(0xff) }, nil, "chip: lora: identify: RegVersion: 0xFF: no chip answers", 2},
		{"dead SPI", sx1276emu.Options{}, func(c *sx1276emu.Chip, _ *sx1276.Pins) { c.FailSPI(-1, errors.New("EIO")) }, nil, "SPI: lora: read: RegVersion: sx1276emu: EIO", 1},
		{"DIO0 elsewhere", sx1276emu.Options{}, func(c *sx1276emu.Chip, p *sx1276.Pins) { p.DIO0 = c.DIO(2) }, nil, "DIO0: low although the chip has something to tell", 7},
		{"DIO0 high", sx1276emu.Options{}, func(c *sx1276emu.Chip, _ *sx1276.Pins) { c.StickDIO(0, true) }, nil, "DIO0: high although", 7},
		{"no edges", sx1276emu.Options{}, func(c *sx1276emu.Chip, _ *sx1276.Pins) { c.LoseEdges(0, -1) }, nil, "DIO0: goes high, but no edge", 7},
		{"reset elsewhere", sx1276emu.Options{}, func(_ *sx1276emu.Chip, p *sx1276.Pins) { p.Reset = nowhere{} }, nil, "reset: the chip does not reset", 7},
		{"oscillator", sx1276emu.Options{}, none, []sx1276.Option{sx1276.WithOscillator(sx1276.TCXO)}, "DIO0: no end of channel activity detection", 7},
		{"options", sx1276emu.Options{}, none, []sx1276.Option{sx1276.WithSPIClock(1)}, "settings: sx1276: WithSPIClock", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := sx1276emu.New(lorasim.NewAir(lorasim.Options{}), tt.emu)
				p := pins(chip)
				tt.fault(chip, &p)
				checks := sx1276.DiagnoseChip(chip.Port(), p, lora.Config{}, append(tt.opts, sx1276.WithClock(chip.Clock()))...)
				bad := ""
				for _, c := range checks {
					t.Logf("%s: %v [%s]", c.Name, c, c.Remedy())
					if c.Err != nil && bad == "" {
						bad = c.Name + ": " + c.String()
					}
				}
				if !strings.HasPrefix(bad, tt.bad) || (bad == "") != (tt.bad == "") || len(checks) != tt.count {
					t.Errorf("%d checks, %q fails; want %d, %q", len(checks), bad, tt.count, tt.bad)
				}
				if tt.bad == "" && chip.Stats().Sent != 0 {
					t.Error("it sent something")
				}
				if v := chip.Violations(); len(v) > 0 && tt.bad == "" {
					t.Error(v)
				}
			})
		})
	}
}

// nowhere is a reset line that is not connected.
type nowhere struct{}

func (nowhere) Drive(sx1276.Level) error { return nil }
func (nowhere) Float() error             { return nil }
