package lora

import (
	"slices"
	"time"
)

// SubBand is a part of a region's band, with what the law allows there, without a license,
// to a radio that stays on one channel.
type SubBand struct {
	// Name tells the sub-bands of a region apart. K to P are those of EN 300 220-2.
	Name string
	// Lowest and Highest are the edges, between which the whole signal must lie.
	Lowest, Highest Frequency
	// ERP is the highest effective radiated power in dBm, counted from a half-wave dipole.
	// From an isotropic antenna (EIRP) it is 2.15 dB more.
	ERP float64
	// DutyCycle is the share of any hour during which a radio may send; 0 is no limit.
	DutyCycle float64
	// MaxAirtime is the longest packet; 0 is no limit.
	MaxAirtime time.Duration
	// MinBandwidth and MaxBandwidth bound the bandwidth; 0 is no limit.
	MinBandwidth, MaxBandwidth Bandwidth
	// Source is where the limits stand.
	Source string
}

// dipole is the gain of a half-wave dipole in dBi: EIRP - ERP.
const dipole = 2.15

// Where the limits stand.
const (
	sourceEU = "EN 300 220-2 and ERC Recommendation 70-03, annex 1"
	sourceUS = "47 CFR 15.247(a)(2) and (b)"
	sourceAU = "ACMA class licence for low interference potential devices, digital modulation"
	sourceAS = "LoRaWAN Regional Parameters RP002, AS923; many countries allow more, Japan in part less"
	sourceIN = "GSR 168(E) of 2005 and LoRaWAN Regional Parameters RP002, IN865"
	sourceCN = "MIIT announcement 52 of 2019, 470 to 510 MHz"
)

// subBands holds the sub-bands of each region from low to high; of two with the same edges
// the one with less power comes first.
var subBands = [...][]SubBand{
	EU868: {
		{Name: "K", Lowest: 863 * MHz, Highest: 865 * MHz, ERP: 14, DutyCycle: 0.001, Source: sourceEU},
		{Name: "L", Lowest: 865 * MHz, Highest: 868 * MHz, ERP: 14, DutyCycle: 0.01, Source: sourceEU},
		{Name: "M", Lowest: 868 * MHz, Highest: 868_600 * KHz, ERP: 14, DutyCycle: 0.01, Source: sourceEU},
		{Name: "N", Lowest: 868_700 * KHz, Highest: 869_200 * KHz, ERP: 14, DutyCycle: 0.001, Source: sourceEU},
		{Name: "P", Lowest: 869_400 * KHz, Highest: 869_650 * KHz, ERP: 27, DutyCycle: 0.1, Source: sourceEU},
		{Name: "869.7 MHz, 5 mW", Lowest: 869_700 * KHz, Highest: 870 * MHz, ERP: 7, Source: sourceEU},
		{Name: "869.7 MHz, 25 mW", Lowest: 869_700 * KHz, Highest: 870 * MHz, ERP: 14, DutyCycle: 0.01, Source: sourceEU},
	},
	US915: {{
		Name: "US915", Lowest: 902 * MHz, Highest: 928 * MHz, ERP: 36 - dipole, MinBandwidth: BW500, Source: sourceUS,
	}},
	AU915: {{
		Name: "AU915", Lowest: 915 * MHz, Highest: 928 * MHz, ERP: 30 - dipole, MinBandwidth: BW500, Source: sourceAU,
	}},
	AS923: {{
		Name: "AS923", Lowest: 915 * MHz, Highest: 928 * MHz, ERP: 16 - dipole, DutyCycle: 0.01,
		MaxAirtime: 400 * time.Millisecond, Source: sourceAS,
	}},
	IN865: {{
		Name: "IN865", Lowest: 865 * MHz, Highest: 867 * MHz, ERP: 30 - dipole, MaxBandwidth: 200_000, Source: sourceIN,
	}},
	EU433: {{
		Name: "EU433", Lowest: 433_050 * KHz, Highest: 434_790 * KHz, ERP: 10, DutyCycle: 0.1, Source: sourceEU,
	}},
	CN470: {{
		Name: "CN470", Lowest: 470 * MHz, Highest: 510 * MHz, ERP: 17, MaxAirtime: time.Second, MaxBandwidth: 200_000,
		Source: sourceCN,
	}},
}

// SubBands returns the region's sub-bands from low to high; none for a region that is
// not valid. What lies between them is not open to a mesh.
//
// The numbers are an engineer's summary of the law, not the law: see [SubBand.Source].
func (r Region) SubBands() []SubBand {
	if !r.Valid() {
		return nil
	}
	return slices.Clone(subBands[r])
}

// SubBands returns the sub-bands that the signal touches, which is as wide as the
// bandwidth. Where it touches two, as at 868 MHz, the limits of both hold (Decision
// 2006/771/EC allows adjacent bands to be used as one that way). Where a sub-band has two
// sets of limits, TxPower decides which.
func (c Config) SubBands() []SubBand {
	c = c.WithDefaults()
	if !c.Region.Valid() {
		return nil
	}
	lowest, highest := c.edges()
	var touched []SubBand
	for _, b := range subBands[c.Region] {
		if b.Highest <= lowest || b.Lowest >= highest {
			continue
		}
		if n := len(touched) - 1; n >= 0 && touched[n].Lowest == b.Lowest {
			if float64(c.TxPower) > touched[n].ERP {
				touched[n] = b
			}
			continue
		}
		touched = append(touched, b)
	}
	return touched
}

// edges returns the lowest and the highest frequency of the signal.
func (c Config) edges() (lowest, highest Frequency) {
	half := Frequency(c.Bandwidth / 2)
	return c.Frequency - half, c.Frequency + half
}
