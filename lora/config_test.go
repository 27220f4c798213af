package lora

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	want := Config{
		Region:          EU868,
		Frequency:       868_000_000,
		Bandwidth:       125_000,
		SpreadingFactor: 7,
		CodingRate:      1,
		Preamble:        8,
		SyncWord:        0x34,
		TxPower:         14,
	}
	if got := (Config{}).WithDefaults(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := want.WithDefaults(); got != want {
		t.Errorf("a full Config became %+v", got)
	}
}

func TestRegions(t *testing.T) {
	tests := []struct {
		name          string
		lo, hi, freq  Frequency
		power         int
		below, beyond Frequency
	}{
		{"EU868", 863_000_000, 870_000_000, 868_000_000, 14, 862_999_999, 870_000_001},
		{"US915", 902_000_000, 928_000_000, 915_000_000, 20, 901_999_999, 928_000_001},
		{"AU915", 915_000_000, 928_000_000, 915_000_000, 20, 914_999_999, 928_000_001},
		{"AS923", 915_000_000, 928_000_000, 923_000_000, 20, 914_999_999, 928_000_001},
		{"IN865", 865_000_000, 867_000_000, 865_000_000, 20, 864_999_999, 867_000_001},
		{"EU433", 433_000_000, 435_000_000, 433_175_000, 12, 432_999_999, 435_000_001},
		{"CN470", 470_000_000, 510_000_000, 470_000_000, 14, 469_999_999, 510_000_001},
	}
	if len(tests) != len(regions) {
		t.Errorf("%d regions in the test, %d in the package", len(tests), len(regions))
	}
	for _, tt := range tests {
		r, err := ParseRegion(tt.name)
		if err != nil || r.String() != tt.name {
			t.Errorf("ParseRegion(%q) = %v, %v", tt.name, r, err)
		}
		if lower, err := ParseRegion(strings.ToLower(tt.name)); err != nil || lower != r {
			t.Errorf("ParseRegion of %q in lower case = %v, %v", tt.name, lower, err)
		}
		if c := (Config{Region: r}).WithDefaults(); c.Frequency != tt.freq || c.TxPower != tt.power {
			t.Errorf("%v: default %v, %d dBm", r, c.Frequency, c.TxPower)
		}
		for _, f := range []Frequency{0, tt.lo, tt.hi} {
			if err := (Config{Region: r, Frequency: f}).Validate(); err != nil {
				t.Errorf("%v %v: %v", r, f, err)
			}
		}
		for _, f := range []Frequency{1, tt.below, tt.beyond} {
			if err := (Config{Region: r, Frequency: f}).Validate(); err == nil {
				t.Errorf("%v accepts %v", r, f)
			}
		}
	}
	if _, err := ParseRegion("EU8"); err == nil {
		t.Error("ParseRegion accepts EU8")
	}
	bad := Region(len(regions))
	if lo, hi := bad.Frequencies(); bad.Valid() || lo != 0 || hi != 0 || bad.DefaultFrequency() != 0 || bad.DefaultTxPower() != 0 {
		t.Errorf("%v is not empty", bad)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		c    Config
		want string
	}{
		{Config{}, ""},
		{Config{Frequency: 863 * MHz, Bandwidth: BW250, SpreadingFactor: SF12, CodingRate: CR48, TxPower: 2}, ""},
		{Config{TxPower: 20, Preamble: 6, SyncWord: SyncPrivate}, ""},
		{Config{Region: 7}, "lora: Region Region(7): accepted are EU868, US915, AU915, AS923, IN865, EU433, CN470"},
		{Config{Frequency: 862_900 * KHz}, "lora: Frequency 862.9 MHz: EU868 accepts 863 MHz to 870 MHz"},
		{Config{Bandwidth: 62_500}, "lora: Bandwidth 62.5 kHz: accepted are 125 kHz, 250 kHz and 500 kHz"},
		{Config{SpreadingFactor: 5}, "lora: SpreadingFactor SF5: accepted are SF6 to SF12"},
		{Config{SpreadingFactor: 13}, "lora: SpreadingFactor SF13: accepted are SF6 to SF12"},
		{Config{CodingRate: 5}, "lora: CodingRate 4/9: accepted are 4/5 to 4/8"},
		{Config{Preamble: 5}, "lora: Preamble 5 symbols: accepted are 6 to 65535"},
		{Config{TxPower: 1}, "lora: TxPower 1 dBm: accepted are 2 to 33 dBm"},
		{Config{TxPower: 34}, "lora: TxPower 34 dBm: accepted are 2 to 33 dBm"},
		{Config{TxPower: -3}, "lora: TxPower -3 dBm: accepted are 2 to 33 dBm"},
	}
	for _, tt := range tests {
		got := ""
		if err := tt.c.Validate(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v:\n got %q\nwant %q", tt.c, got, tt.want)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{(868_100 * KHz).String(), "868.1 MHz"},
		{Frequency(433_175_000).String(), "433.175 MHz"},
		{BW125.String(), "125 kHz"},
		{SF12.String(), "SF12"},
		{CR48.String(), "4/8"},
		{SyncPublic.String(), "0x34"},
		{SyncWord(1).String(), "0x01"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
