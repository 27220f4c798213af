package lora

import (
	"fmt"
	"strings"
)

// Region is a set of rules for frequency and power. The zero Region is EU868.
//
// [Config.Validate] accepts the frequencies and powers that Pycom's firmware accepts,
// which is more than the law allows in most places. What the law says is data, too: see
// [Region.SubBands] for the limits, [Config.Warnings] for what a Config breaks, and
// [Govern] for a radio that keeps to the duty cycle. To obey the law of the country, with
// the antenna in use, remains the operator's task.
//
// In US915 and AU915 the default bandwidth is 500 kHz, not 125 kHz as in Pycom's
// firmware: there, a fixed channel must have 500 kHz to send with more than about a
// milliwatt (47 CFR 15.247(a)(2); narrower channels must hop). All nodes of a mesh
// need the same bandwidth: set the boards to 500 kHz (LoRa.BW_500KHZ), or this Config
// to BW125.
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

// MinTxPower and MaxTxPower bound the transmit power in every region, in dBm. Chips end at 20 or 22 dBm; some hats have an amplifier
// behind them. What the law allows is another matter: see [Config.Warnings].
const (
	MinTxPower = 2
	MaxTxPower = 33
)

// CN470's default is the documented one. Pycom's firmware falls through to
// IN865's 865 MHz there, which CN470's own limits refuse.
var regions = [...]struct {
	name           string
	min, max, freq Frequency
	bandwidth      Bandwidth
	txPower        int
}{
	EU868: {"EU868", 863 * MHz, 870 * MHz, 868 * MHz, BW125, 14},
	US915: {"US915", 902 * MHz, 928 * MHz, 915 * MHz, BW500, 20},
	AU915: {"AU915", 915 * MHz, 928 * MHz, 915 * MHz, BW500, 20},
	AS923: {"AS923", 915 * MHz, 928 * MHz, 923 * MHz, BW125, 20},
	IN865: {"IN865", 865 * MHz, 867 * MHz, 865 * MHz, BW125, 20},
	EU433: {"EU433", 433 * MHz, 435 * MHz, 433_175 * KHz, BW125, 12},
	CN470: {"CN470", 470 * MHz, 510 * MHz, 470 * MHz, BW125, 14},
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

// DefaultBandwidth returns the bandwidth used where none is given: BW500 in US915 and
// AU915, else BW125.
func (r Region) DefaultBandwidth() Bandwidth {
	if !r.Valid() {
		return 0
	}
	return regions[r].bandwidth
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
