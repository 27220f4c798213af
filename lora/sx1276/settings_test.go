package sx1276

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/lora"
)

func TestFrf(t *testing.T) {
	tests := []struct {
		f    lora.Frequency
		want uint32
	}{
		{863 * lora.MHz, 0xd7c000},
		{868 * lora.MHz, 0xd90000},
		{868_100 * lora.KHz, 0xd90666},
		{915 * lora.MHz, 0xe4c000},
		{923 * lora.MHz, 0xe6c000},
		{470 * lora.MHz, 0x758000},
		{433_175 * lora.KHz, 0x6c4b33},
	}
	for _, tt := range tests {
		if got := frf(tt.f); got != tt.want {
			t.Errorf("%v: 0x%06X, want 0x%06X", tt.f, got, tt.want)
		}
	}
}

func TestPower(t *testing.T) {
	tests := []struct {
		dBm    int
		output AntennaOutput
		want   string // RegPaConfig, RegPaDac, RegOcp, or the error
	}{
		{2, PABoost, "F0 84 2B"},
		{12, PABoost, "FA 84 2B"},
		{14, PABoost, "FC 84 2B"},
		{17, PABoost, "FF 84 2B"},
		{18, PABoost, "FD 87 31"},
		{20, PABoost, "FF 87 31"},
		{1, PABoost, "TxPower 1 dBm: the PA_BOOST output gives 2 to 20 dBm"},
		{21, PABoost, "TxPower 21 dBm: the PA_BOOST output gives 2 to 20 dBm"},
		{-1, RFO, "70 84 2B"},
		{12, RFO, "7D 84 2B"},
		{14, RFO, "7F 84 2B"},
		{15, RFO, "TxPower 15 dBm: the RFO output gives -1 to 14 dBm"},
	}
	for _, tt := range tests {
		config, dac, ocp, err := power(tt.dBm, tt.output)
		got := fmt.Sprintf("%02X %02X %02X", config, dac, ocpOn|ocp)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%d dBm: %s, want %s", tt.dBm, got, tt.want)
		}
	}
}

// TestSettings holds what Pycom's firmware writes, for the registers of which the air can tell.
func TestSettings(t *testing.T) {
	tests := []struct {
		name  string
		model *model
		cfg   lora.Config
		want  string // register=value…
	}{
		{"SF7, 125 kHz, 863 MHz", &chip1276, lora.Config{Frequency: 863 * lora.MHz},
			"06=D7 07=C0 08=00 09=FC 0E=00 0F=00 1D=72 1E=74 20=00 21=08 23=FF 26=04 2F=40 30=00 31=43 33=27 36=03 37=0A 39=34 3B=1D 40=00 4D=84"},
		{"SF8, 250 kHz, 4/8, private", &chip1276, lora.Config{Bandwidth: lora.BW250, SpreadingFactor: lora.SF8, CodingRate: lora.CR48, SyncWord: lora.SyncPrivate},
			"1D=88 1E=84 26=04 2F=40 30=00 31=43 36=03 39=12"},
		{"SF11, 125 kHz: low data rate", &chip1276, lora.Config{SpreadingFactor: lora.SF11}, "1D=72 1E=B4 26=0C"},
		{"SF12, 125 kHz: low data rate", &chip1276, lora.Config{SpreadingFactor: lora.SF12}, "1D=72 1E=C4 26=0C"},
		{"SF12, 250 kHz: low data rate", &chip1276, lora.Config{SpreadingFactor: lora.SF12, Bandwidth: lora.BW250}, "1D=82 1E=C4 26=0C"},
		{"SF11, 250 kHz", &chip1276, lora.Config{SpreadingFactor: lora.SF11, Bandwidth: lora.BW250}, "1D=82 1E=B4 26=04"},
		{"500 kHz, HF", &chip1276, lora.Config{Region: lora.US915, Bandwidth: lora.BW500, TxPower: 14, Preamble: 0x123},
			"06=E4 07=C0 08=00 1D=92 1E=74 20=01 21=23 26=04 31=C3 36=02 3A=64"},
		{"500 kHz, LF", &chip1276, lora.Config{Region: lora.EU433, Bandwidth: lora.BW500}, "06=6C 07=4B 08=33 09=FA 1D=92 31=C3 36=02 3A=7F"},
		{"+20 dBm", &chip1276, lora.Config{Region: lora.AS923}, "09=FF 0B=31 4D=87"},
		{"SX1272", &chip1272, lora.Config{}, "06=D9 07=00 08=00 09=FC 1D=0A 1E=74 31=43 33=27 37=0A 39=34 3B=1D 5A=84"},
		{"SX1272, SF12, 125 kHz, 4/8", &chip1272, lora.Config{SpreadingFactor: lora.SF12, CodingRate: lora.CR48}, "1D=23 1E=C4"},
		{"SX1272, SF9, 500 kHz", &chip1272, lora.Config{SpreadingFactor: lora.SF9, Bandwidth: lora.BW500}, "1D=8A 1E=94"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings, err := tt.model.settings(tt.cfg.WithDefaults(), &options{})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, s := range settings {
				got[fmt.Sprintf("%02X=%02X", byte(s.reg), s.value)] = true
			}
			for _, want := range strings.Fields(tt.want) {
				if !got[want] {
					t.Errorf("no %s in %v", want, settings)
				}
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	tests := []struct {
		model *model
		cfg   lora.Config
		want  string
	}{
		{&chip1276, lora.Config{SpreadingFactor: lora.SF6}, "SF6: the chip sends it without a header alone"},
		{&chip1272, lora.Config{Region: lora.EU433}, "433.175 MHz: an SX1272 works from 860 to 1020 MHz"},
	}
	for _, tt := range tests {
		if _, err := tt.model.settings(tt.cfg.WithDefaults(), &options{}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: error %v", tt.cfg, err)
		}
	}
}

func TestStrength(t *testing.T) {
	const hf, lf = 868 * lora.MHz, 433 * lora.MHz
	tests := []struct {
		model     *model
		f         lora.Frequency
		rssi, snr byte
		wantRSSI  int
		wantSNR   float64
	}{
		{&chip1276, hf, 0, 0, -157, 0},
		{&chip1276, hf, 60, 40, -93, 10},     // -157 + 64
		{&chip1276, hf, 30, 0xec, -132, -5},  // below the noise
		{&chip1276, hf, 20, 0xb0, -157, -20}, // SF12's limit
		{&chip1276, hf, 25, 0xff, -132, -0.25},
		{&chip1276, lf, 60, 40, -100, 10},
		{&chip1276, lf, 30, 0xec, -139, -5},
		{&chip1276, hf, 255, 0x7f, 115, 31.75},
		{&chip1272, hf, 60, 40, -75, 10},
		{&chip1272, hf, 30, 0xec, -114, -5},
	}
	for _, tt := range tests {
		snr := packetSNR(tt.snr)
		if rssi := tt.model.packetRSSI(tt.f, tt.rssi, snr); rssi != tt.wantRSSI || snr != tt.wantSNR {
			t.Errorf("%s %v %02X %02X: %d dBm, %v dB, want %d, %v", tt.model.name, tt.f, tt.rssi, tt.snr, rssi, snr, tt.wantRSSI, tt.wantSNR)
		}
	}
	if got := chip1276.rssi(863*lora.MHz, 72); got != -85 {
		t.Errorf("register 72 at 863 MHz: %d dBm, want -85", got)
	}
	if got := chip1276.rssi(lf, 72); got != -92 {
		t.Errorf("register 72 at 433 MHz: %d dBm, want -92", got)
	}
}
