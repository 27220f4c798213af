package lora

import (
	"fmt"
	"strings"
)

// Region is a set of rules for frequency and power. The zero Region is EU868.
//
// The rules are those that Pycom's firmware accepts. They are wider than the law
// in most places (duty cycle, dwell time, power at the antenna): to stay within
// the law is the operator's task. Two points are easily missed: 863 MHz, which
// Pycom's examples use, is the very edge of the European band, so that half of
// the signal lies outside; and a fixed channel of 125 kHz at 20 dBm has no footing
// in the rules of the US, which want 500 kHz (47 CFR 15.247).
type Region uint8

// The regions that LoPy4 and FiPy know.
const (
	EU868 Region = iota // Europe, 863 to 870 MHz
	US915               // North America, 902 to 928 MHz
	AU915               // Australia and South America, 915 to 928 MHz
	AS923               // Asia, 915 to 928 MHz
	IN865               // India, 865 to 867 MHz
	EU433               // Europe, 433 to 435 MHz
	CN470               // China, 470 to 510 MHz
)

// MinTxPower and MaxTxPower bound the transmit power in every region, in dBm.
const (
	MinTxPower = 2
	MaxTxPower = 20
)

// CN470's default is the documented one. Pycom's firmware falls through to
// IN865's 865 MHz there, which CN470's own limits refuse.
var regions = [...]struct {
	name           string
	min, max, freq Frequency
	txPower        int
}{
	EU868: {"EU868", 863 * MHz, 870 * MHz, 868 * MHz, 14},
	US915: {"US915", 902 * MHz, 928 * MHz, 915 * MHz, 20},
	AU915: {"AU915", 915 * MHz, 928 * MHz, 915 * MHz, 20},
	AS923: {"AS923", 915 * MHz, 928 * MHz, 923 * MHz, 20},
	IN865: {"IN865", 865 * MHz, 867 * MHz, 865 * MHz, 20},
	EU433: {"EU433", 433 * MHz, 435 * MHz, 433_175 * KHz, 12},
	CN470: {"CN470", 470 * MHz, 510 * MHz, 470 * MHz, 14},
}

// ParseRegion returns the region of that name; upper and lower case are the same.
func ParseRegion(name string) (Region, error) {
	for r := range regions {
		if strings.EqualFold(regions[r].name, name) {
			return Region(r), nil
		}
	}
	return 0, fmt.Errorf("lora: Region %q: accepted are %s", name, regionNames())
}

// Valid reports whether the region is one of the constants.
func (r Region) Valid() bool { return int(r) < len(regions) }

// String returns the name, such as "EU868".
func (r Region) String() string {
	if !r.Valid() {
		return fmt.Sprintf("Region(%d)", uint8(r))
	}
	return regions[r].name
}

// Frequencies returns the lowest and the highest carrier accepted, both
// inclusive; 0 and 0 for a region that is not valid.
func (r Region) Frequencies() (lowest, highest Frequency) {
	if !r.Valid() {
		return 0, 0
	}
	return regions[r].min, regions[r].max
}

// DefaultFrequency returns the carrier used where none is given.
func (r Region) DefaultFrequency() Frequency {
	if !r.Valid() {
		return 0
	}
	return regions[r].freq
}

// DefaultTxPower returns the transmit power used where none is given, in dBm.
func (r Region) DefaultTxPower() int {
	if !r.Valid() {
		return 0
	}
	return regions[r].txPower
}

func regionNames() string {
	names := make([]string, len(regions))
	for r := range regions {
		names[r] = regions[r].name
	}
	return strings.Join(names, ", ")
}
