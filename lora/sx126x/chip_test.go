package sx126x_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// options returns how the chip of a board is emulated.
func options(b sx126x.Board) sx126xemu.Options {
	models := map[sx126x.Chip]sx126xemu.Model{
		sx126x.SX1262: sx126xemu.SX1262, sx126x.SX1268: sx126xemu.SX1268, sx126x.SX1261: sx126xemu.SX1261, sx126x.LLCC68: sx126xemu.LLCC68,
	}
	return sx126xemu.Options{
		Model: models[b.Chip], TCXO: b.TCXO, DIO2Switch: b.DIO2Switch, RXEN: b.RXEN != "", TXEN: b.TXEN != "", Enable: len(b.Enable) > 0,
		NoInductor: b.Regulator == sx126x.LDO, Gain: b.Gain, MaxPower: b.MaxChipPower,
	}
}

// TestBoardsTalk: the chip of each board, wired as the board says, talks with an SX1276 both ways.
func TestBoardsTalk(t *testing.T) {
	for _, board := range sx126x.Boards() {
		t.Run(board.ID, func(t *testing.T) {
			cfg := lora.Config{TxPower: 17}
			if board.Chip == sx126x.SX1268 {
				cfg.Region = lora.EU433
			}
			talk(t, board, cfg)
		})
	}
}

// TestModulations: chips of all kinds talk with an SX1276 in all modulations.
func TestModulations(t *testing.T) {
	chip := func(c sx126x.Chip) sx126x.Board { return sx126x.Board{Name: c.String(), Chip: c} }
	tests := []struct {
		name  string
		board sx126x.Board
		cfg   lora.Config
	}{
		{"863 MHz", plain, lora.Config{Frequency: 863 * lora.MHz}},
		{"SF8, 250 kHz, 4/8", plain, lora.Config{SpreadingFactor: lora.SF8, Bandwidth: lora.BW250, CodingRate: lora.CR48}},
		{"SF9, 500 kHz", plain, lora.Config{SpreadingFactor: lora.SF9, Bandwidth: lora.BW500}},
		{"SF10", plain, lora.Config{SpreadingFactor: lora.SF10}},
		{"SF11, low data rate", plain, lora.Config{SpreadingFactor: lora.SF11}},
		{"SF12, low data rate", plain, lora.Config{SpreadingFactor: lora.SF12}},
		{"SF12, 250 kHz", plain, lora.Config{SpreadingFactor: lora.SF12, Bandwidth: lora.BW250}},
		{"US915", plain, lora.Config{Region: lora.US915, Bandwidth: lora.BW500}},
		{"433 MHz", plain, lora.Config{Region: lora.EU433}},
		{"470 MHz, SX1268", chip(sx126x.SX1268), lora.Config{Region: lora.CN470}},
		{"SX1261, 15 dBm", chip(sx126x.SX1261), lora.Config{TxPower: 15}},
		{"SX1261, 2 dBm", chip(sx126x.SX1261), lora.Config{TxPower: 2}},
		{"LLCC68, SF9", chip(sx126x.LLCC68), lora.Config{SpreadingFactor: lora.SF9}},
		{"LDO", sx126x.Board{Regulator: sx126x.LDO}, lora.Config{}},
		{"long preamble, private", plain, lora.Config{Preamble: 300, SyncWord: lora.SyncPrivate}},
		{"another sync word", plain, lora.Config{SyncWord: 0x5B}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { talk(t, tt.board, tt.cfg) })
	}
}

// talk lets the chip of a board and an SX1276 send to each other.
func talk(t *testing.T, board sx126x.Board, cfg lora.Config) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(-100)})
		chip := emulate(t, air, options(board))
		a := drive(t, chip, pins(chip), board, cfg)
		_, b := drive1276(t, air, lorasim.Position{}, cfg)
		c := air.Radio(cfg, lorasim.Position{})
		defer c.Close()
		radios := []lora.Radio{a, b, c}
		var buf [lora.MaxPacket]byte
		for round := range 2 {
			for i, from := range radios {
				packet := []byte(strings.Repeat("x", 10+i+100*round))
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
					} else if p.RSSI < -101 || p.RSSI > -99 {
						t.Errorf("%d to %d: %d dBm", i, j, p.RSSI)
					}
					cancel()
				}
			}
		}
		for _, s := range []sx126x.Stats{a.Stats(), b.Stats()} {
			if s.Repairs != 0 || s.Missed != 0 || s.FalseEdges != 0 || s.LostEdges != 0 || s.Stuck != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestMismatch mixes settings that do not go together: nothing arrives.
func TestMismatch(t *testing.T) {
	for name, cfg := range map[string]lora.Config{
		"sync word":        {SyncWord: lora.SyncPrivate},
		"half a sync word": {SyncWord: 0x3F},
		"frequency":        {Frequency: 868_200 * lora.KHz},
		"spreading factor": {SpreadingFactor: lora.SF8},
		"bandwidth":        {Bandwidth: lora.BW250},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(-100)})
				chip := emulate(t, air, sx126xemu.Options{})
				a := drive(t, chip, pins(chip), plain, lora.Config{})
				_, b := drive1276(t, air, lorasim.Position{}, cfg)
				for _, way := range []struct{ from, to lora.Radio }{{a, b}, {b, a}} {
					if err := way.from.Send(context.Background(), []byte("hello")); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					if _, err := way.to.Receive(ctx, nil); err == nil {
						t.Error("heard")
					}
					cancel()
				}
			})
		})
	}
}

// TestWeak: below the noise the strength is that of the signal alone.
func TestWeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := lora.Config{SpreadingFactor: lora.SF10}
		air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(-126)})
		chip := emulate(t, air, sx126xemu.Options{})
		a := drive(t, chip, pins(chip), plain, cfg)
		b := air.Radio(cfg, lorasim.Position{})
		defer b.Close()
		if err := b.Send(context.Background(), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		p, err := a.Receive(context.Background(), nil)
		if err != nil || p.RSSI != -126 || p.SNR > -8 || p.SNR < -10 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestNewErrors(t *testing.T) {
	tcxo := sx126x.Board{TCXO: 1800}
	tests := []struct {
		name  string
		emu   sx126xemu.Options
		board sx126x.Board
		fault func(c *sx126xemu.Chip)
		opts  []sx126x.Option
		want  []string
		is    error
	}{
		{"no chip", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.Silence(0x00) }, nil, []string{"0x00: no chip answers", "UART", "chip select"}, sx126x.ErrNoChip},
		{"no chip, pulled up", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.Silence(0xff) }, nil, []string{"0xFF: no chip answers", "SPI is on"}, sx126x.ErrNoChip},
		{"dead SPI", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.FailSPI(-1, errors.New("EIO")) }, nil, []string{"EIO"}, nil},
		{"long wires", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.FlipBits(6*physic.MegaHertz, 0.02) },
			[]sx126x.Option{sx126x.WithSPIClock(8 * physic.MegaHertz)}, nil, nil},
		{"BUSY stuck", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.StickBusy(true) }, nil, []string{"BUSY does not fall", "board's Busy"}, sx126x.ErrBusy},
		{"TCXO taken for a crystal", sx126xemu.Options{TCXO: 1800}, plain, nil, nil, []string{"oscillator start", "set the board's TCXO"}, sx126x.ErrOscillator},
		{"crystal taken for a TCXO", sx126xemu.Options{}, tcxo, nil, nil, []string{"1.8 V", "a crystal"}, sx126x.ErrOscillator},
		{"TCXO of another voltage", sx126xemu.Options{TCXO: 3300}, tcxo, nil, nil, []string{"does not start with 1.8 V", "3.3 V"}, sx126x.ErrOscillator},
		{"TCXO dead", sx126xemu.Options{TCXO: 1800}, tcxo, func(c *sx126xemu.Chip) { c.KillTCXO(true) }, nil, []string{"does not start"}, sx126x.ErrOscillator},
		{"no inductor", sx126xemu.Options{NoInductor: true}, plain, nil, nil, []string{"oscillator start"}, sx126x.ErrOscillator},
		{"command refused", sx126xemu.Options{}, plain, func(c *sx126xemu.Chip) { c.RefuseCommands(4) }, nil, []string{"SetStandby", "refused", "supply"}, sx126x.ErrRefused},
		{"no power", sx126xemu.Options{Enable: true}, plain, nil, nil, []string{"no chip answers", "Enable"}, sx126x.ErrNoChip},
		{"too fast", sx126xemu.Options{}, plain, nil, []sx126x.Option{sx126x.WithSPIClock(20 * physic.MegaHertz)}, []string{"WithSPIClock: 20MHz is not in 100kHz to 16MHz"}, nil},
		{"threshold", sx126xemu.Options{}, plain, nil, []sx126x.Option{sx126x.WithListen(sx126x.Listen{Threshold: 5})}, []string{"WithListen: Threshold 5 dBm"}, nil},
		{"voltage", sx126xemu.Options{}, sx126x.Board{TCXO: 1850}, nil, nil, []string{"Board.TCXO: 1850 mV is none of"}, nil},
		{"chip", sx126xemu.Options{}, sx126x.Board{Chip: 9}, nil, nil, []string{"Board.Chip: Chip(9)"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.emu.Seed = 3
				chip := sx126xemu.New(lorasim.NewAir(lorasim.Options{}), tt.emu) // rules may be broken
				if tt.fault != nil {
					tt.fault(chip)
				}
				p := pins(chip)
				if tt.name == "no power" {
					p.Enable = nil
				}
				_, err := sx126x.New(chip.Port(), p, tt.board, lora.Config{}, tt.opts...)
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
	synctest.Test(t, func(t *testing.T) {
		chip := sx126xemu.New(lorasim.NewAir(lorasim.Options{}), sx126xemu.Options{})
		p := pins(chip)
		p.Busy = nil
		if _, err := sx126x.New(chip.Port(), p, plain, lora.Config{}); err == nil || !strings.Contains(err.Error(), "BUSY") {
			t.Error(err)
		}
	})
}

// TestWrongFamily: each driver knows the chip of the other.
func TestWrongFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		old := sx1276emu.New(air, sx1276emu.Options{Transfer: sx1276emu.WireTime(overhead)})
		floating := pins(sx126xemu.New(air, sx126xemu.Options{}))
		floating.Reset, floating.DIO1 = old.Pins().Reset, old.DIO(0)
		_, err := sx126x.New(old.Port(), floating, plain, lora.Config{})
		if !errors.Is(err, sx126x.ErrOtherChip) || !strings.Contains(err.Error(), "package sx1276") {
			t.Error(err)
		}
		for _, emu := range []sx126xemu.Options{{}, {TCXO: 1800}} {
			emu.Transfer = sx126xemu.WireTime(overhead)
			chip := sx126xemu.New(air, emu)
			_, err = sx1276.New(chip.Port(), sx1276.Pins{Reset: chip.Pins().Reset, DIO0: chip.DIO1()}, lora.Config{})
			if !errors.Is(err, sx1276.ErrOtherChip) || !strings.Contains(err.Error(), "package sx126x") {
				t.Error(err)
			}
		}
	})
}

func TestConfigErrors(t *testing.T) {
	tests := []struct {
		board sx126x.Board
		cfg   lora.Config
		want  string
	}{
		{plain, lora.Config{Frequency: 1}, "Frequency"},
		{plain, lora.Config{SpreadingFactor: lora.SF6}, "SF6"},
		{plain, lora.Config{TxPower: 23}, "TxPower 23 dBm: plain gives -9 to 22 dBm"},
		{sx126x.NebraHat2W, lora.Config{}, "TxPower 14 dBm: NebraHat 2 W gives 16 to 33 dBm"},
		{sx126x.Board{Chip: sx126x.SX1268}, lora.Config{}, "SX1268 works from 410 MHz to 810 MHz"},
		{sx126x.Board{Chip: sx126x.LLCC68}, lora.Config{SpreadingFactor: lora.SF10}, "at 125 kHz an LLCC68 has SF9 at most"},
		{sx126x.Board{Chip: sx126x.LLCC68}, lora.Config{SpreadingFactor: lora.SF12, Bandwidth: lora.BW500}, "at 500 kHz an LLCC68 has SF11 at most"},
		{sx126x.Board{Chip: sx126x.SX1261}, lora.Config{TxPower: 16}, "an SX1261 gives -17 to 15 dBm"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			chip := emulate(t, lorasim.NewAir(lorasim.Options{}), sx126xemu.Options{})
			if _, err := sx126x.New(chip.Port(), pins(chip), tt.board, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v: %v", tt.cfg, err)
			}
		})
	}
}

// TestUndrivenSwitch: a module whose switch nobody moves is deaf and mute, without any error; the emulator says why.
func TestUndrivenSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		chip := sx126xemu.New(air, sx126xemu.Options{RXEN: true, TXEN: true})
		p := pins(chip)
		p.RXEN, p.TXEN = nil, nil
		r := drive(t, chip, p, plain, lora.Config{})
		peer := air.Radio(lora.Config{}, lorasim.Position{X: 300})
		defer peer.Close()
		if err := peer.Send(context.Background(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := r.Receive(ctx, nil); err == nil {
			t.Error("heard")
		}
		if v := chip.Violations(); len(v) == 0 || v[0].Rule != sx126xemu.SwitchUndriven {
			t.Errorf("%v", v)
		}
	})
	var found string
	synctest.Test(t, func(t *testing.T) {
		chip := sx126xemu.New(lorasim.NewAir(lorasim.Options{}), sx126xemu.Options{})
		for _, c := range sx126x.DiagnoseChip(chip.Port(), pins(chip), plain, lora.Config{}) {
			if c.Name == "switch" {
				found = c.Found
			}
		}
	})
	if !strings.Contains(found, "deaf") {
		t.Errorf("diagnosis: %q", found)
	}
}

// TestChipInUse finds the chip as a program left it that did not close it.
func TestChipInUse(t *testing.T) {
	onBenchWith(t, lora.Config{}, func(p *sx126x.Pins) { p.Reset = nil }, func(b *bench) {
		b.chip.Dirty()
		p := pins(b.chip)
		p.Reset = nil
		b.radio.Close()
		b.radio = drive(b.T, b.chip, p, plain, lora.Config{})
		b.works()
	})
}

// TestLatched: flags that nothing has caused hold up a packet for a moment, and lose none.
func TestLatched(t *testing.T) {
	const preamble, header, headerErr, timeout = 1 << 2, 1 << 4, 1 << 5, 1 << 9
	for _, flags := range []uint16{preamble, headerErr, preamble | headerErr, timeout, preamble | header} {
		t.Run(fmt.Sprintf("%#x", flags), func(t *testing.T) {
			onBench(t, func(b *bench) {
				time.Sleep(1500 * time.Millisecond)
				b.chip.Latch(flags)
				start := time.Now()
				for err := error(lora.ErrChannelBusy); errors.Is(err, lora.ErrChannelBusy); {
					err = b.radio.Send(context.Background(), b.next())
				}
				limit := 100 * time.Millisecond
				if flags&header != 0 {
					limit = 600 * time.Millisecond // as long as the longest packet
				}
				if d := time.Since(start) - b.radio.Config().Airtime(8); d > limit {
					b.Errorf("held up for %v", d)
				}
				b.peer.Receive(context.Background(), make([]byte, lora.MaxPacket))
				b.works()
			})
		})
	}
}

// TestDeafReceiver: strong bursts can leave the receiver deaf; the next refresh ends that, and keeps the gain.
func TestDeafReceiver(t *testing.T) {
	onBench(t, func(b *bench) {
		b.works()
		b.chip.Deafen()
		if b.hear(time.Second) {
			b.Error("not deaf")
		}
		time.Sleep(2 * time.Minute)
		b.works()
		if got := b.chip.Gain(); got != 0x96 {
			b.Errorf("gain %#x", got)
		}
		if n := len(b.chip.ImageCalibrations()); n < 2 {
			b.Errorf("%d image calibrations", n)
		}
		b.count(sx126x.Stats{})
	})
}

// TestBusySticks: a line that stays high takes the chip away, and gives it back.
func TestBusySticks(t *testing.T) {
	onBench(t, func(b *bench) {
		b.chip.StickBusy(true)
		time.Sleep(5 * time.Second)
		if err := b.say(); !errors.Is(err, sx126x.ErrBusy) {
			b.Errorf("error %v", err)
		}
		b.chip.FreeBusy()
		time.Sleep(10 * time.Second)
		b.works()
	})
}

// TestRefused: commands that the chip does not do are noticed, and the chip is set up again.
func TestRefused(t *testing.T) {
	onBench(t, func(b *bench) {
		for range 5 {
			b.chip.RefuseCommands(1)
			b.radio.Send(context.Background(), b.next()) // may fail
			time.Sleep(2 * time.Second)
		}
		for {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := b.peer.Receive(ctx, make([]byte, lora.MaxPacket))
			cancel()
			if err != nil {
				break
			}
		}
		b.works()
		if s := b.radio.Stats(); s.Repairs < 4 {
			b.Errorf("%+v", s)
		}
	})
}

// TestTCXOStops: an oscillator that stops for a while takes the chip away, and gives it back.
func TestTCXOStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, air: lorasim.NewAir(lorasim.Options{})}
		b.chip = emulate(t, b.air, sx126xemu.Options{TCXO: 1800})
		b.radio = drive(t, b.chip, pins(b.chip), sx126x.Board{TCXO: 1800}, lora.Config{})
		b.peer = b.air.Radio(lora.Config{}, lorasim.Position{X: 50})
		defer b.peer.Close()
		b.works()
		b.chip.KillTCXO(true)
		b.chip.BrownOut()
		time.Sleep(5 * time.Second)
		if err := b.say(); !errors.Is(err, sx126x.ErrOscillator) {
			t.Errorf("error %v", err)
		}
		b.chip.KillTCXO(false)
		time.Sleep(10 * time.Second)
		b.works()
	})
}

func TestPacketSizes(t *testing.T) {
	onBench(t, func(b *bench) {
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
		b.count(sx126x.Stats{})
	})
}

func TestDiagnose(t *testing.T) {
	tests := []struct {
		name  string
		board sx126x.Board
		emu   sx126xemu.Options
		fault func(c *sx126xemu.Chip)
		fails string // name of the check that fails, and what it says
		want  string
	}{
		{"good", sx126x.RAK6421Slot1, options(sx126x.RAK6421Slot1), nil, "", ""},
		{"crystal", plain, sx126xemu.Options{}, nil, "", ""},
		{"no chip", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.Silence(0) }, "chip", "no chip answers"},
		{"BUSY stuck", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.StickBusy(true) }, "BUSY", "does not fall"},
		{"BUSY not wired", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.StickBusy(false) }, "BUSY", "low right after a reset"},
		{"TCXO", plain, options(sx126x.RAK6421Slot1), nil, "oscillator", "oscillator start"},
		{"DIO1 stuck low", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.StickDIO1(false) }, "DIO1", "low although"},
		{"DIO1 stuck high", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.StickDIO1(true) }, "DIO1", "high although"},
		{"no edges", plain, sx126xemu.Options{}, func(c *sx126xemu.Chip) { c.LoseEdges(-1) }, "DIO1", "no edge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := sx126xemu.New(lorasim.NewAir(lorasim.Options{}), tt.emu)
				if tt.fault != nil {
					tt.fault(chip)
				}
				var failed bool
				for _, c := range sx126x.DiagnoseChip(chip.Port(), pins(chip), tt.board, lora.Config{}, sx126x.WithClock(chip.Clock())) {
					t.Logf("%s: %v [%s]", c.Name, c, c.Remedy())
					if c.Err == nil {
						continue
					}
					if c.Name == tt.fails && strings.Contains(c.String(), tt.want) {
						failed = true
					} else {
						t.Errorf("%s: %v", c.Name, c.Err)
					}
				}
				if failed != (tt.fails != "") {
					t.Error("nothing found")
				}
			})
		})
	}
}

var _ spi.Port = (*sx126xemu.Port)(nil)
