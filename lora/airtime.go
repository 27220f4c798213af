package lora

import (
	"math"
	"time"
)

const (
	// lowDataRateSymbol is the symbol time above which the chip needs its low
	// data rate optimization (SX1276 data sheet, section 4.1.1.6).
	lowDataRateSymbol = 16 * time.Millisecond

	// syncQuarters is what the modem adds to the preamble, in quarters of a
	// symbol: 4.25 symbols of sync word and start of frame (section 4.1.1.7).
	syncQuarters = 17

	// The first 8 symbols are always there; they hold the explicit header and
	// what fits of the payload (section 4.1.1.7).
	headerSymbols = 8
	headerBits    = 28
	crcBits       = 16

	thermalNoise = -174.0 // dBm in 1 Hz at room temperature
	noiseFigure  = 6.0    // dB, the SX1276's receiver
)

// SymbolTime returns how long a symbol lasts: 2^SF / bandwidth. It is zero for a
// Config that is not valid.
func (c Config) SymbolTime() time.Duration {
	c = c.WithDefaults()
	if !c.Bandwidth.valid() || !c.SpreadingFactor.valid() {
		return 0
	}
	chip := time.Second / time.Duration(c.Bandwidth) // 8, 4 or 2 µs, exactly
	return chip << c.SpreadingFactor
}

// LowDataRateOptimize reports whether the low data rate optimization must be on:
// when a symbol lasts more than 16 ms. Sender and receiver must agree on it.
func (c Config) LowDataRateOptimize() bool {
	return c.SymbolTime() > lowDataRateSymbol
}

// PreambleTime returns how long preamble and sync word last.
func (c Config) PreambleTime() time.Duration {
	quarters := 4*time.Duration(c.WithDefaults().Preamble) + syncQuarters
	return quarters * c.SymbolTime() / 4
}

// Airtime returns how long a packet with n bytes of payload is on the air, with
// explicit header and payload CRC (SX1276 data sheet, section 4.1.1.7):
//
//	n_payload = 8 + max(0, ceil((8n - 4SF + 28 + 16) / (4(SF - 2DE)))) (CR + 4)
//	airtime   = (preamble + 4.25 + n_payload) symbols
//
// where DE is 1 with low data rate optimization, else 0. The result is exact. It
// is zero for a Config that is not valid.
func (c Config) Airtime(n int) time.Duration {
	c = c.WithDefaults()
	symbol := c.SymbolTime()
	if symbol == 0 || !c.CodingRate.valid() {
		return 0
	}
	sf := int(c.SpreadingFactor)
	bits := 8*max(n, 0) + headerBits + crcBits - 4*sf
	perBlock := 4 * sf
	if c.LowDataRateOptimize() {
		perBlock = 4 * (sf - 2)
	}
	blocks := (max(bits, 0) + perBlock - 1) / perBlock
	symbols := headerSymbols + blocks*(4+int(c.CodingRate))
	return c.PreambleTime() + time.Duration(symbols)*symbol
}

// SNRLimit returns the signal to noise ratio below which packets are lost, in dB:
// -5 at SF6, -7.5 at SF7, and 2.5 less for each step to -20 at SF12 (data sheet,
// table 13).
func (s SpreadingFactor) SNRLimit() float64 {
	return -5 - 2.5*(float64(s)-float64(SF6))
}

// NoiseFloor returns the noise that a receiver adds on this bandwidth, in dBm:
// thermal noise and a noise figure of 6 dB.
func (b Bandwidth) NoiseFloor() float64 {
	return thermalNoise + 10*math.Log10(float64(b)) + noiseFigure
}

// Sensitivity returns the weakest packet that can be received, in dBm: the noise
// floor and the SNR limit. It is -124.5 dBm for SF7 on 125 kHz, -137 for SF12.
func (c Config) Sensitivity() float64 {
	c = c.WithDefaults()
	return c.Bandwidth.NoiseFloor() + c.SpreadingFactor.SNRLimit()
}
