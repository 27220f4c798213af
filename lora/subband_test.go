package lora

import (
	"slices"
	"strings"
	"testing"
)

func TestSubBandTable(t *testing.T) {
	if len(subBands) != len(regions) {
		t.Fatalf("%d regions have sub-bands, of %d", len(subBands), len(regions))
	}
	for r := range subBands {
		region := Region(r)
		lowest, highest := region.Frequencies()
		bands := region.SubBands()
		for i, b := range bands {
			if b.Name == "" || b.Source == "" || b.ERP <= 0 || b.DutyCycle < 0 || b.DutyCycle >= 1 {
				t.Errorf("%v %q: %+v", region, b.Name, b)
			}
			if b.Lowest >= b.Highest || b.Lowest < lowest || b.Highest > highest {
				t.Errorf("%v %s: %v to %v", region, b.Name, b.Lowest, b.Highest)
			}
			if i == 0 {
				continue
			}
			if last := bands[i-1]; b.Lowest == last.Lowest && (b.Highest != last.Highest || b.ERP <= last.ERP) ||
				b.Lowest != last.Lowest && b.Lowest < last.Highest {
				t.Errorf("%v: %s and %s are out of order", region, last.Name, b.Name)
			}
		}
	}
	if got := Region(99).SubBands(); got != nil {
		t.Errorf("%v", got)
	}
	EU868.SubBands()[0].Name = "changed"
	if subBands[EU868][0].Name != "K" {
		t.Error("SubBands gives the table away")
	}
}

func TestSubBands(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "L M"},
		{Config{Frequency: 863 * MHz}, "K"},
		{Config{Frequency: 865 * MHz}, "K L"},
		{Config{Frequency: 865_062_500}, "L"},
		{Config{Frequency: 868_300 * KHz}, "M"},
		{Config{Frequency: 868_300 * KHz, Bandwidth: BW500}, "M"},
		{Config{Frequency: 868_650 * KHz}, "M N"},
		{Config{Frequency: 868_650 * KHz, Bandwidth: BW500}, "M N"},
		{Config{Frequency: 869_300 * KHz}, ""},
		{Config{Frequency: 869_525 * KHz, TxPower: 20}, "P"},
		{Config{Frequency: 869_525 * KHz, Bandwidth: BW500}, "P 869.7 MHz, 25 mW"},
		{Config{Frequency: 869_850 * KHz, TxPower: 7}, "869.7 MHz, 5 mW"},
		{Config{Frequency: 869_850 * KHz, TxPower: 8}, "869.7 MHz, 25 mW"},
		{Config{Frequency: 869_850 * KHz, TxPower: 20}, "869.7 MHz, 25 mW"},
		{Config{Region: US915}, "US915"},
		{Config{Region: EU433, Frequency: 435 * MHz}, ""},
		{Config{Region: 99}, ""},
	} {
		var names []string
		for _, b := range tt.cfg.SubBands() {
			names = append(names, b.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%v %v %v: %q, want %q", tt.cfg.Region, tt.cfg.Frequency, tt.cfg.Bandwidth, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		want []string // the beginning and a part of each
	}{
		{"default", Config{}, nil},
		{"K", Config{Frequency: 864 * MHz}, []string{"Frequency 864 MHz|K has a duty cycle of 0.1 %, which is 3.6s an hour or 17 packets of 127 bytes at SF7"}},
		{"Pycom's example", Config{Frequency: 863 * MHz}, []string{
			"Frequency 863 MHz|from 862.9375 MHz to 863.0625 MHz, over the edge of what EU868 allows; carriers from 863.0625 MHz to 864.9375 MHz",
			"Frequency 863 MHz|0.1 %",
		}},
		{"L", Config{Frequency: 866 * MHz}, nil},
		{"slow", Config{Frequency: 866 * MHz, SpreadingFactor: SF9}, []string{"Frequency 866 MHz|1 %, which is 36s an hour or 53 packets"}},
		{"P", Config{Frequency: 869_525 * KHz, TxPower: 20, SpreadingFactor: SF11}, nil},
		{"P, too wide", Config{Frequency: 869_525 * KHz, Bandwidth: BW500, TxPower: 7}, []string{
			"Frequency 869.525 MHz|from 869.275 MHz to 869.775 MHz, over the edge of what EU868 allows; sub-band P is narrower, 869.4 MHz to 869.65 MHz",
		}},
		{"gap", Config{Frequency: 868_650 * KHz}, []string{"Frequency 868.65 MHz|over the edge", "Frequency 868.65 MHz|N has a duty cycle of 0.1 %"}},
		{"alarms", Config{Frequency: 869_300 * KHz}, []string{"Frequency 869.3 MHz|in no sub-band of EU868"}},
		{"upper edge", Config{Frequency: 870 * MHz, TxPower: 5}, []string{"Frequency 870 MHz|from 869.9375 MHz to 870.0625 MHz"}},
		{"power", Config{Frequency: 868_300 * KHz, TxPower: 20}, []string{"TxPower 20 dBm|M allows 14 dBm ERP: 14 dBm"}},
		{"US", Config{Region: US915}, nil},
		{"US, narrow", Config{Region: US915, Bandwidth: BW125}, []string{"Bandwidth 125 kHz|US915 wants at least 500 kHz"}},
		{"AU, edge", Config{Region: AU915}, []string{"Frequency 915 MHz|carriers from 915.25 MHz to 927.75 MHz"}},
		{"AU, narrow", Config{Region: AU915, Frequency: 917 * MHz, Bandwidth: BW250}, []string{"Bandwidth 250 kHz|AU915 wants"}},
		{"AS", Config{Region: AS923}, []string{"TxPower 20 dBm|13.85 dBm ERP: 13 dBm"}},
		{"AS, slow", Config{Region: AS923, TxPower: 13, SpreadingFactor: SF9, Bandwidth: BW250}, nil},
		{"AS, slower", Config{Region: AS923, TxPower: 13, SpreadingFactor: SF9}, []string{
			"SpreadingFactor SF9|a packet of 127 bytes lasts 676.864ms on 125 kHz, sub-band AS923 allows 400ms", "Frequency 923 MHz|53 packets",
		}},
		{"IN", Config{Region: IN865, Frequency: 866 * MHz}, nil},
		{"IN, edge", Config{Region: IN865}, []string{"Frequency 865 MHz|carriers from 865.0625 MHz"}},
		{"IN, wide", Config{Region: IN865, Frequency: 866 * MHz, Bandwidth: BW250}, []string{"Bandwidth 250 kHz|IN865 allows 200 kHz"}},
		{"EU433", Config{Region: EU433}, []string{"TxPower 12 dBm|10 dBm ERP"}},
		{"EU433, end", Config{Region: EU433, Frequency: 435 * MHz}, []string{"Frequency 435 MHz|in no sub-band of EU433"}},
		{"CN", Config{Region: CN470, Frequency: 480 * MHz}, nil},
		{"CN, slow", Config{Region: CN470, Frequency: 480 * MHz, SpreadingFactor: SF10}, []string{"SpreadingFactor SF10|1.230848s"}},
		{"not valid", Config{SpreadingFactor: 13, Frequency: 863 * MHz}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.cfg.Warnings()
			match := slices.EqualFunc(got, tt.want, func(got, want string) bool {
				begin, part, _ := strings.Cut(want, "|")
				return strings.HasPrefix(got, begin) && strings.Contains(got, part)
			})
			if !match {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}
