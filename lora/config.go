package lora

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Frequency is a carrier frequency in hertz.
type Frequency uint32

// Units of frequency, to multiply by: 868_100 * lora.KHz.
const (
	Hz  Frequency = 1
	KHz           = 1000 * Hz
	MHz           = 1000 * KHz
)

// String returns the frequency in megahertz, such as "868.1 MHz".
func (f Frequency) String() string {
	return strconv.FormatFloat(float64(f)/float64(MHz), 'f', -1, 64) + " MHz"
}

// ParseFrequency parses a frequency between 100 MHz and 3 GHz, what LoRa chips can do: a decimal number with the unit Hz, kHz, MHz or GHz, in
// whatever case, or one whose size tells the unit: 868.1 are MHz, 868100 kHz, and 868100000 Hz.
func ParseFrequency(s string) (Frequency, error) {
	const least, most = 100 * float64(MHz), 3000 * float64(MHz)
	text := strings.ToLower(strings.TrimSpace(s))
	unit := 0.0
	for _, u := range []struct {
		name string
		hz   float64
	}{{"ghz", 1e9}, {"mhz", 1e6}, {"khz", 1e3}, {"hz", 1}} {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, unit = strings.TrimSpace(rest), u.hz
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("lora: frequency %q is no number, with a unit such as MHz or without", s)
	}
	switch {
	case unit != 0:
		v *= unit
	case v < 1e4:
		v *= 1e6
	case v < 1e7:
		v *= 1e3
	}
	if v < least || v > most {
		return 0, fmt.Errorf("lora: frequency %q is not in 100 MHz to 3 GHz", s)
	}
	return Frequency(math.Round(v)), nil
}

// Bandwidth is the width of the channel in hertz.
type Bandwidth uint32

// The bandwidths that Pycom's firmware offers.
const (
	BW125 Bandwidth = 125_000
	BW250 Bandwidth = 250_000
	BW500 Bandwidth = 500_000
)

// String returns the bandwidth in kilohertz, such as "125 kHz".
func (b Bandwidth) String() string {
	return strconv.FormatFloat(float64(b)/1000, 'f', -1, 64) + " kHz"
}

func (b Bandwidth) valid() bool { return b == BW125 || b == BW250 || b == BW500 }

// SpreadingFactor is the number of bits a symbol carries: a symbol is spread over
// 2^SF chips.
type SpreadingFactor uint8

// The spreading factors of the chip.
const (
	SF6  SpreadingFactor = 6
	SF7  SpreadingFactor = 7
	SF8  SpreadingFactor = 8
	SF9  SpreadingFactor = 9
	SF10 SpreadingFactor = 10
	SF11 SpreadingFactor = 11
	SF12 SpreadingFactor = 12
)

// String returns the name, such as "SF7".
func (s SpreadingFactor) String() string { return "SF" + strconv.Itoa(int(s)) }

func (s SpreadingFactor) valid() bool { return SF6 <= s && s <= SF12 }

// CodingRate is the number of parity bits that are added to 4 bits of payload.
type CodingRate uint8

// The coding rates of the chip.
const (
	CR45 CodingRate = 1 // 4/5
	CR46 CodingRate = 2 // 4/6
	CR47 CodingRate = 3 // 4/7
	CR48 CodingRate = 4 // 4/8
)

// String returns the rate, such as "4/5".
func (c CodingRate) String() string { return "4/" + strconv.Itoa(4+int(c)) }

func (c CodingRate) valid() bool { return CR45 <= c && c <= CR48 }

// SyncWord follows the preamble; a receiver ignores packets with another.
type SyncWord uint8

// The sync words in use.
const (
	SyncPublic  SyncWord = 0x34 // LoRaWAN and, by default, Pymesh
	SyncPrivate SyncWord = 0x12 // Pycom's public=False
)

// String returns the sync word in hexadecimal, such as "0x34".
func (w SyncWord) String() string { return fmt.Sprintf("0x%02x", uint8(w)) }

// Values that a zero field of [Config] stands for, beside those of [Region].
const (
	DefaultSpreadingFactor = SF7
	DefaultCodingRate      = CR45
	DefaultPreamble        = 8
	DefaultSyncWord        = SyncPublic
)

// MinPreamble is the shortest preamble that the chip can lock to, in symbols.
const MinPreamble = 6

// Config sets a radio. In every field zero means the default, so that the zero
// Config is what a LoPy4 does with LoRa(mode=LORA, region=EU868): 868 MHz,
// 125 kHz, SF7, 4/5, preamble 8, sync word 0x34, 14 dBm.
type Config struct {
	// Region says which frequencies are accepted. Default EU868.
	Region Region
	// Frequency is the carrier. Default: see Region.
	Frequency Frequency
	// Bandwidth is BW125, BW250 or BW500. Default: see Region.
	Bandwidth Bandwidth
	// SpreadingFactor is SF6 to SF12. Default SF7.
	SpreadingFactor SpreadingFactor
	// CodingRate is CR45 to CR48. Default CR45.
	CodingRate CodingRate
	// Preamble is the number of symbols in the preamble, at least MinPreamble; the
	// chip adds 4.25. Default 8.
	Preamble uint16
	// SyncWord is any value but zero. Default SyncPublic.
	SyncWord SyncWord
	// TxPower is the transmit power in dBm, MinTxPower to MaxTxPower. Default:
	// see Region.
	TxPower int
}

// WithDefaults returns the Config with the default in place of each zero field.
func (c Config) WithDefaults() Config {
	if c.Frequency == 0 {
		c.Frequency = c.Region.DefaultFrequency()
	}
	if c.Bandwidth == 0 {
		c.Bandwidth = c.Region.DefaultBandwidth()
	}
	if c.SpreadingFactor == 0 {
		c.SpreadingFactor = DefaultSpreadingFactor
	}
	if c.CodingRate == 0 {
		c.CodingRate = DefaultCodingRate
	}
	if c.Preamble == 0 {
		c.Preamble = DefaultPreamble
	}
	if c.SyncWord == 0 {
		c.SyncWord = DefaultSyncWord
	}
	if c.TxPower == 0 {
		c.TxPower = c.Region.DefaultTxPower()
	}
	return c
}

// Validate returns nil, or an error that names the first field that is wrong, its
// value, and what is accepted. Zero fields count as their defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if !c.Region.Valid() {
		return fmt.Errorf("lora: Region %v: accepted are %s", c.Region, regionNames())
	}
	if lo, hi := c.Region.Frequencies(); c.Frequency < lo || c.Frequency > hi {
		return fmt.Errorf("lora: Frequency %v: %v accepts %v to %v", c.Frequency, c.Region, lo, hi)
	}
	if !c.Bandwidth.valid() {
		return fmt.Errorf("lora: Bandwidth %v: accepted are %v, %v and %v", c.Bandwidth, BW125, BW250, BW500)
	}
	if !c.SpreadingFactor.valid() {
		return fmt.Errorf("lora: SpreadingFactor %v: accepted are %v to %v", c.SpreadingFactor, SF6, SF12)
	}
	if !c.CodingRate.valid() {
		return fmt.Errorf("lora: CodingRate %v: accepted are %v to %v", c.CodingRate, CR45, CR48)
	}
	if c.Preamble < MinPreamble {
		return fmt.Errorf("lora: Preamble %d symbols: accepted are %d to 65535", c.Preamble, MinPreamble)
	}
	if c.TxPower < MinTxPower || c.TxPower > MaxTxPower {
		return fmt.Errorf("lora: TxPower %d dBm: accepted are %d to %d dBm", c.TxPower, MinTxPower, MaxTxPower)
	}
	return nil
}
