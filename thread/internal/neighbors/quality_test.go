package neighbors

import (
	"math"
	"testing"
)

// stock is OpenThread's scale.
var stock = Scale{Zero: -100, Margins: [3]int{2, 10, 20}}

// TestLinkQuality has thresholds at 2, 10 and 20 dB, and 2 dB of hysteresis on the way up.
func TestLinkQuality(t *testing.T) {
	for _, tt := range []struct {
		margin   uint8
		previous int
		want     uint8
	}{
		{0, -1, 0}, {2, -1, 0}, {3, -1, 1}, {10, -1, 1}, {11, -1, 2}, {20, -1, 2}, {21, -1, 3}, {255, -1, 3},
		{4, 0, 0}, {5, 0, 1}, {3, 1, 1}, {2, 1, 0},
		{12, 1, 1}, {13, 1, 2}, {11, 2, 2}, {10, 2, 1},
		{22, 2, 2}, {23, 2, 3}, {21, 3, 3}, {20, 3, 2}, {22, 0, 2}, {0, 3, 0},
	} {
		if got := stock.Quality(tt.margin, tt.previous); got != tt.want {
			t.Errorf("margin %d after quality %d: %d, want %d", tt.margin, tt.previous, got, tt.want)
		}
	}
	var l LinkInfo
	l.Reset(&stock, -50)
	for range 100 {
		l.Add(&stock, -92) // 8 dB
	}
	if l.Quality != 1 || l.RSSI() > -91 || l.RSSI() < -92 || l.Last != -92 {
		t.Errorf("%+v, %d dBm", l, l.RSSI())
	}
	l.Add(&stock, RSSIUnknown)
	if l.Last != -92 {
		t.Error("an unknown strength counts")
	}
	l.Reset(&stock, RSSIUnknown)
	if l.Quality != 0 || l.RSSI() != RSSIUnknown {
		t.Errorf("%+v, %d dBm", l, l.RSSI())
	}
	l.Add(&Scale{Zero: -128, Margins: stock.Margins}, 20)
	if l.RSSI() != 0 || l.Quality != 3 {
		t.Errorf("above 0 dBm: %d dBm", l.RSSI())
	}
}

// The average is one of all frames at first, then an exponential one with weight 1/8.
func TestAverage(t *testing.T) {
	var l LinkInfo
	l.Reset(&stock, -80)
	l.Add(&stock, -90)
	if l.RSSI() != -85 {
		t.Errorf("of two frames: %d dBm", l.RSSI())
	}
	for range 20 {
		l.Add(&stock, -80)
	}
	if l.Add(&stock, -40); l.RSSI() != -75 || l.Margin(&stock) != 25 || l.Last != -40 {
		t.Errorf("one strong frame of many: %d dBm, last %d", l.RSSI(), l.Last)
	}
	l.Reset(&stock, -60)
	if l.RSSI() != -60 || l.Last != -60 {
		t.Errorf("after a reset: %d dBm", l.RSSI())
	}
}

func TestSNR(t *testing.T) {
	var l LinkInfo
	if l.LastSNR() != SNRUnknown {
		t.Errorf("%v dB before the first frame", l.LastSNR())
	}
	for snr, want := range map[float64]float64{-7.5: -7.5, 9.1: 9, 0: 0, -300: -32, 300: 31.75} {
		if l.NoteSNR(snr); l.LastSNR() != want {
			t.Errorf("%v dB is kept as %v", snr, l.LastSNR())
		}
	}
	if l.Reset(&stock, -60); l.LastSNR() != SNRUnknown {
		t.Error("a reset keeps it")
	}
}

// The first frame has the quality of its margin; from then on a rise asks for the hysteresis.
func TestHysteresis(t *testing.T) {
	var l LinkInfo
	for _, tt := range []struct {
		rssi int // of the average
		want uint8
	}{{-97, 1}, {-96, 1}, {-89, 1}, {-88, 1}, {-87, 2}, {-89, 2}, {-90, 1}, {-78, 2}, {-77, 3}, {-79, 3}, {-80, 2}, {-98, 0}, {-96, 0}, {-95, 1}} {
		if l.count == 0 {
			l.Reset(&stock, tt.rssi)
		} else { // a steady signal, so that the average stands where the frame is
			l.average = -int32(tt.rssi) << rssiShift
			l.Add(&stock, tt.rssi)
		}
		if l.Quality != tt.want {
			t.Errorf("%d dBm: quality %d, want %d", l.RSSI(), l.Quality, tt.want)
		}
	}
}

func TestLinkMargin(t *testing.T) {
	for _, tt := range []struct {
		sensitivity, rssi int
		want              uint8
	}{
		{-100, -90, 10}, {-100, -100, 0}, {-100, -110, 0}, {-128, 126, 254}, {-140, 126, 255}, {-140, -134, 6}, {-140, -141, 0}, {-100, RSSIUnknown, 0}, {20, -20, 0},
	} {
		if got := (&Scale{Zero: tt.sensitivity}).Margin(tt.rssi); got != tt.want {
			t.Errorf("%d dBm, sensitivity %d dBm: %d dB, want %d", tt.rssi, tt.sensitivity, got, tt.want)
		}
	}
}

func TestLinkCost(t *testing.T) {
	for quality, want := range []uint8{MaxRouteCost, 4, 2, 1, MaxRouteCost} {
		if got := LinkCost(uint8(quality)); got != want {
			t.Errorf("quality %d: cost %d, want %d", quality, got, want)
		}
	}
}

// A power made of a quality has that quality.
func TestRSSIOf(t *testing.T) {
	for _, scale := range []Scale{stock, {-140, [3]int{3, 5, 13}}, {0, [3]int{0, 1, 2}}, {70, stock.Margins}} {
		for quality := range uint8(4) {
			rssi := scale.RSSIOf(quality)
			if got := scale.Quality(scale.Margin(rssi), -1); got != quality {
				t.Errorf("%+v, quality %d: %d dBm has quality %d", scale, quality, rssi, got)
			}
		}
	}
	if got := stock.RSSIOf(9); got != stock.RSSIOf(3) {
		t.Errorf("beyond the best quality: %d dBm", got)
	}
	if got := (&Scale{Zero: 120, Margins: stock.Margins}).RSSIOf(3); got != RSSIUnknown-1 {
		t.Errorf("beyond what a radio reports: %d dBm", got)
	}
}

// LoRa is heard far below what eight bits hold.
func TestFaint(t *testing.T) {
	var l LinkInfo
	sf12 := Scale{-140, [3]int{3, 5, 13}}
	if l.Reset(&sf12, -134); l.Quality != 2 || l.RSSI() != -134 || l.Last != -134 {
		t.Errorf("%+v, %d dBm", l, l.RSSI())
	}
	if l.Add(&sf12, math.MinInt32); l.Last != faintest {
		t.Errorf("what no radio hears: %+v", l)
	}
}
