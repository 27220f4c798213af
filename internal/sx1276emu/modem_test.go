package sx1276emu

import (
	"math"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
)

// TestAirtime compares the airtime that follows from the registers with the one of
// package lora, which is computed from settings, and with published values.
func TestAirtime(t *testing.T) {
	code := map[lora.Bandwidth]byte{lora.BW125: 7, lora.BW250: 8, lora.BW500: 9}
	for bw, bits := range code {
		for sf := lora.SF6; sf <= lora.SF12; sf++ {
			for cr := lora.CR45; cr <= lora.CR48; cr++ {
				cfg := lora.Config{Bandwidth: bw, SpreadingFactor: sf, CodingRate: cr, Preamble: 10}
				var page, page72 [pageEnd + 1]byte
				page[regModemConfig1] = bits<<4 | byte(cr)<<1
				page[regModemConfig2] = byte(sf)<<4 | 0x04
				page[regPreambleLsb] = 10
				page72[regModemConfig1] = (bits-7)<<6 | byte(cr)<<3 | 0x02
				page72[regModemConfig2] = byte(sf) << 4
				page72[regPreambleLsb] = 10
				if cfg.LowDataRateOptimize() {
					page[regModemConfig3] = 0x08
					page72[regModemConfig1] |= 0x01
				}
				for _, m := range []modemConfig{decodeSX1276(&page), decodeSX1272(&page72)} {
					if !m.valid() || m.BandwidthHz() != bw || m.Symbol() != cfg.SymbolTime() || m.PreambleTime() != cfg.PreambleTime() {
						t.Fatalf("%+v from %+v", m, cfg)
					}
					for _, n := range []int{1, 5, 21, 64, 127, 255} {
						if got, want := m.Airtime(n), cfg.Airtime(n); got != want {
							t.Errorf("%v %v %v %d bytes: %v, want %v", bw, sf, cr, n, got, want)
						}
					}
				}
			}
		}
	}
}

// TestAirtimeOptions has values computed by hand from the formula of section 4.1.1.7.
func TestAirtimeOptions(t *testing.T) {
	base := chipemu.Settings{Chip: 8 * time.Microsecond, SF: lora.SF7, CR: lora.CR45, Preamble: 8, CRC: true}
	noCRC, implicit, both := base, base, base
	noCRC.CRC = false
	implicit.Implicit = true
	both.CRC, both.Implicit = false, true
	tests := []struct {
		m    chipemu.Settings
		n    int
		want time.Duration
	}{
		{base, 5, 30976 * time.Microsecond},     // 56 bits, 2 blocks
		{base, 6, 36096 * time.Microsecond},     // 64 bits, 3 blocks
		{noCRC, 5, 30976 * time.Microsecond},    // 40 bits, 2 blocks
		{noCRC, 3, 25856 * time.Microsecond},    // 24 bits, 1 block
		{implicit, 3, 25856 * time.Microsecond}, // 20 bits, 1 block
		{both, 1, 20736 * time.Microsecond},     // -12 bits, none
	}
	for _, tt := range tests {
		if got := tt.m.Airtime(tt.n); got != tt.want {
			t.Errorf("%+v, %d bytes: %v, want %v", tt.m, tt.n, got, tt.want)
		}
	}
}

func TestFrequency(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		for _, tt := range []struct {
			frf  [3]byte
			want lora.Frequency
		}{
			{[3]byte{0x6C, 0x80, 0x00}, 434 * lora.MHz},
			{[3]byte{0xD7, 0xC0, 0x00}, 863 * lora.MHz},
			{[3]byte{0xD9, 0x06, 0x66}, 868_099_976},
			{[3]byte{0xE4, 0xC0, 0x00}, 915 * lora.MHz},
			{[3]byte{0x6C, 0x4B, 0x33}, 433_174_988},
		} {
			h.set(regFrfMsb, tt.frf[:]...)
			if got := h.frequency(); got != tt.want {
				t.Errorf("% X: %v", tt.frf, got)
			}
		}
	})
}

func TestTxPower(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		for _, tt := range []struct {
			pa, dac byte
			want    int
		}{
			{0xFC, 0x84, 14}, {0x80, 0x84, 2}, {0x8F, 0x84, 17}, {0x8F, 0x87, 20}, {0x8D, 0x87, 18},
			{0x7F, 0x84, 15}, {0x7E, 0x84, 14}, {0x70, 0x84, 0}, {0x4F, 0x84, 13}, {0x0F, 0x84, 11},
		} {
			h.set(regPaConfig, tt.pa)
			h.set(0x4D, tt.dac)
			if got := h.txPower(); got != tt.want {
				t.Errorf("RegPaConfig 0x%02X, RegPaDac 0x%02X: %d dBm, want %d", tt.pa, tt.dac, got, tt.want)
			}
		}
		for _, tt := range []struct {
			ocp  byte
			want int
		}{{0x2B, 100}, {0x20, 45}, {0x2F, 120}, {0x30, 130}, {0x31, 140}, {0x3B, 240}, {0x3F, 240}, {0x0B, math.MaxInt}} {
			h.set(regOcp, tt.ocp)
			if got := h.currentLimit(); got != tt.want {
				t.Errorf("RegOcp 0x%02X: %d mA, want %d", tt.ocp, got, tt.want)
			}
		}
	})
}

// TestStrength checks that the data sheet's formulas, applied to the registers, give back
// the strength that a packet had.
func TestStrength(t *testing.T) {
	for _, port := range []struct {
		name   string
		model  Model
		frfMsb byte
		offset float64
	}{{"high", SX1276, 0xD9, -157}, {"low", SX1276, 0x6C, -164}, {"SX1272", SX1272, 0xD9, -139}} {
		t.Run(port.name, func(t *testing.T) {
			bubble(t, Options{Model: port.model}, func(h *host) {
				h.set(regFrfMsb, port.frfMsb)
				for rssi := -135.0; rssi <= -20; rssi++ {
					snr := rssi + 117
					r, s := h.packetStrength(rssi, snr)
					got, packetSNR := port.offset+float64(r)*16/15, float64(int8(s))/4
					if packetSNR < 0 {
						got = port.offset + float64(r) + packetSNR
					}
					if want := max(rssi, port.offset); math.Abs(got-want) > 0.7 {
						t.Errorf("rssi %v, want %v", got, want)
					}
					if want := min(snr, 31.75); packetSNR != want {
						t.Errorf("SNR %v, want %v", packetSNR, want)
					}
					if got, want := port.offset+float64(h.rssiValue(rssi)), max(rssi, port.offset); got != want {
						t.Errorf("current rssi %v, want %v", got, want)
					}
				}
			})
		})
	}
}
