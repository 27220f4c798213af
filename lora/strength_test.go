package lora

import (
	"math"
	"testing"
)

func TestStrength(t *testing.T) {
	sf7, sf12 := Config{SpreadingFactor: SF7}, Config{SpreadingFactor: SF12}
	for _, tt := range []struct {
		what string
		cfg  Config
		rssi int
		snr  float64
		want float64
	}{
		{"strong", sf7, -60, 9.5, -60},
		{"the SNR stands still", sf7, -100, 5, -100},
		{"above the noise", sf7, -113, 4, -113},
		{"below the noise", sf7, -123, -6, -123},
		{"far below the noise", sf12, -136, -19, -136},
		{"noise of 10 dB more", sf7, -107, 0, -117},
		{"at the limit in noise of 17 dB more", sf7, -107, -7.5, sf7.Sensitivity()},
		{"at the limit", sf12, -137, -20, sf12.Sensitivity()},
	} {
		if got := (Reception{RSSI: tt.rssi, SNR: tt.snr}).Strength(tt.cfg); math.Abs(got-tt.want) > 0.05 {
			t.Errorf("%s: %.2f dBm, want %.2f", tt.what, got, tt.want)
		}
	}
}
