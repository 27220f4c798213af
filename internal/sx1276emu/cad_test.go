package sx1276emu

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// assess lets the host look for activity and reports whether there is some.
func (h *host) assess() bool {
	h.t.Helper()
	h.set(regIrqFlags, 0xFF)
	h.set(regOpMode, opCAD)
	time.Sleep(2100 * time.Microsecond) // 131 µs until it receives, 1.85 symbols
	h.wantReg(regOpMode, opStandby)
	return h.get(regIrqFlags)&irqCadDetected != 0
}

// TestActivityByPart looks for activity in all parts of a packet: only the down-chirps between sync word and header are not found.
func TestActivityByPart(t *testing.T) {
	const symbol = 1024 * time.Microsecond
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  bool
	}{
		{"before", -3 * symbol, false},
		{"its first symbol", 0, true},
		{"preamble", 5 * symbol, true},
		{"sync word", 8*symbol + symbol/2, true},
		{"down-chirps", 10*symbol + symbol/2, false},
		{"header", 13 * symbol, true},
		{"payload", 40 * symbol, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(_ *lorasim.Air, a, b *host) {
				a.load(sequence(0, 100))
				time.Sleep(10 * time.Millisecond)
				start := time.Now().Add(10*time.Millisecond + 105*time.Microsecond)
				go func() {
					time.Sleep(10 * time.Millisecond)
					a.set(regOpMode, opTransmit)
				}()
				time.Sleep(time.Until(start.Add(tt.after - 131*time.Microsecond)))
				if got := b.assess(); got != tt.want {
					t.Errorf("found: %v", got)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// TestActivityErrs counts false alarms and misses.
func TestActivityErrs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rssi     float64 // 0: silence
		cad      chipemu.CAD
		from, to int // of 400
	}{
		{"silence", 0, chipemu.CAD{}, 0, 0},
		{"silence, as measured", 0, chipemu.MeasuredCAD, 1, 12},
		{"strong, as measured", -100, chipemu.MeasuredCAD, 400, 400},
		{"at the limit", -124, chipemu.CAD{}, 400, 400},
		{"at the limit, as measured", -124, chipemu.MeasuredCAD, 180, 260},
		{"below the limit", -126, chipemu.CAD{}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(tt.rssi)})
				h := newHost(t, air, Options{CAD: tt.cad, Seed: 1})
				h.up()
				if tt.rssi != 0 {
					cfg := lora.Config{}.WithDefaults()
					odd := air.Transceiver(lorasim.Position{}, func() {})
					odd.Configure(lorasim.Modulation{Config: cfg})
					odd.Transmit(air.Clock().Now(), sequence(0, 20), cfg.PreambleTime(), time.Hour)
					time.Sleep(time.Second)
				}
				found := 0
				for range 400 {
					if h.assess() {
						found++
					}
				}
				if found < tt.from || found > tt.to {
					t.Errorf("found %d of 400, want %d to %d", found, tt.from, tt.to)
				}
			})
		})
	}
}
