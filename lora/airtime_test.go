package lora

import (
	"math"
	"testing"
	"time"
)

// Values of section 4.1.1.7 of the data sheet, worked out by hand: preamble 8, CRC on,
// explicit header, coding rate 4/5.
func TestAirtime(t *testing.T) {
	tests := []struct {
		sf     SpreadingFactor
		bw     Bandwidth
		n      int
		symbol time.Duration
		want   time.Duration
	}{
		{7, BW125, 5, 1024, 30976},
		{7, BW125, 21, 1024, 56576},
		{7, BW125, 64, 1024, 118016},
		{7, BW125, 127, 1024, 210176},
		{7, BW250, 127, 512, 105088},
		{7, BW500, 127, 256, 52544},
		{8, BW125, 64, 2048, 215552},
		{9, BW125, 127, 4096, 676864},
		{10, BW125, 64, 8192, 698368},
		{10, BW500, 127, 2048, 307712},
		{11, BW125, 127, 16384, 2707456},
		{12, BW125, 5, 32768, 827392},
		{12, BW125, 127, 32768, 4923392},
		{12, BW250, 127, 16384, 2461696},
		{12, BW500, 127, 8192, 1067008},
		{12, BW125, 255, 32768, 9019392},
	}
	for _, tt := range tests {
		c := Config{SpreadingFactor: tt.sf, Bandwidth: tt.bw}
		if got := c.SymbolTime(); got != tt.symbol*time.Microsecond {
			t.Errorf("%v %v: symbol %v, want %d µs", tt.sf, tt.bw, got, tt.symbol)
		}
		if got := c.Airtime(tt.n); got != tt.want*time.Microsecond {
			t.Errorf("%v %v %d bytes: %v, want %d µs", tt.sf, tt.bw, tt.n, got, tt.want)
		}
	}
}

// The formula in floating point, as the data sheet has it.
func TestAirtimeFormula(t *testing.T) {
	for sf := SF6; sf <= SF12; sf++ {
		for _, bw := range []Bandwidth{BW125, BW250, BW500} {
			for cr := CR45; cr <= CR48; cr++ {
				for _, preamble := range []uint16{6, 8, 12, 65535} {
					c := Config{SpreadingFactor: sf, Bandwidth: bw, CodingRate: cr, Preamble: preamble}
					for n := 0; n <= MaxPacket; n++ {
						symbol := math.Exp2(float64(sf)) / float64(bw)
						de := 0.0
						if symbol > 0.016 {
							de = 1
						}
						l, s := float64(n), float64(sf)
						blocks := math.Ceil((8*l - 4*s + 28 + 16) / (4 * (s - 2*de)))
						symbols := float64(preamble) + 4.25 + 8 + max(blocks*float64(cr+4), 0)
						want := time.Duration(math.Round(symbols * symbol * 1e9))
						if got := c.Airtime(n); got != want {
							t.Fatalf("%v %v %v preamble %d, %d bytes: %v, want %v", sf, bw, cr, preamble, n, got, want)
						}
					}
				}
			}
		}
	}
}

func TestAirtimeOfWhatIsNotValid(t *testing.T) {
	for _, c := range []Config{{SpreadingFactor: 13}, {SpreadingFactor: 5}, {Bandwidth: 1}, {CodingRate: 5}} {
		if got := c.Airtime(10); got != 0 {
			t.Errorf("%+v: %v, want 0", c, got)
		}
	}
	var c Config
	if c.Airtime(-1) != c.Airtime(0) {
		t.Errorf("negative length: %v, want %v", c.Airtime(-1), c.Airtime(0))
	}
}

func TestLowDataRateOptimize(t *testing.T) {
	for sf := SF6; sf <= SF12; sf++ {
		for _, bw := range []Bandwidth{BW125, BW250, BW500} {
			want := bw == BW125 && sf >= SF11 || bw == BW250 && sf == SF12
			if got := (Config{SpreadingFactor: sf, Bandwidth: bw}).LowDataRateOptimize(); got != want {
				t.Errorf("%v %v: %v", sf, bw, got)
			}
		}
	}
}

func TestSensitivity(t *testing.T) {
	tests := []struct {
		sf         SpreadingFactor
		bw         Bandwidth
		snr, floor float64
		want       float64
	}{
		{SF6, BW125, -5, -117.0, -122.0},
		{SF7, BW125, -7.5, -117.0, -124.5},
		{SF9, BW250, -12.5, -114.0, -126.5},
		{SF12, BW125, -20, -117.0, -137.0},
		{SF12, BW500, -20, -111.0, -131.0},
	}
	for _, tt := range tests {
		c := Config{SpreadingFactor: tt.sf, Bandwidth: tt.bw}
		if got := tt.sf.SNRLimit(); got != tt.snr {
			t.Errorf("%v: SNR limit %v, want %v", tt.sf, got, tt.snr)
		}
		if got := tt.bw.NoiseFloor(); math.Abs(got-tt.floor) > 0.05 {
			t.Errorf("%v: noise floor %.2f, want %v", tt.bw, got, tt.floor)
		}
		if got := c.Sensitivity(); math.Abs(got-tt.want) > 0.05 {
			t.Errorf("%v %v: sensitivity %.2f, want %v", tt.sf, tt.bw, got, tt.want)
		}
	}
}

func BenchmarkAirtime(b *testing.B) {
	b.ReportAllocs()
	var c Config
	for b.Loop() {
		c.Airtime(127)
	}
}
