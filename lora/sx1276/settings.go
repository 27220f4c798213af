package sx1276

import (
	"fmt"
	"math"

	"github.com/gopymesh/pymesh/lora"
)

// model is what differs between the chips that this package drives.
type model struct {
	name        string
	version     byte  // RegVersion
	resetLevel  Level // that resets the chip
	paDac, tcxo register
	// rssiHF and rssiLF are what RSSI registers count from at the port for high and low
	// frequencies, in dBm.
	rssiHF, rssiLF int
	lowBands       bool // has a port for low frequencies, and the errata of the SX1276
}

var (
	// chip1276 stands for SX1276, SX1277, SX1278 and SX1279, which cannot be told apart.
	chip1276 = model{
		name: "SX1276", version: 0x12, resetLevel: Low, paDac: regPaDac, tcxo: regTcxo,
		rssiHF: -157, rssiLF: -164, lowBands: true,
	}
	chip1272 = model{
		name: "SX1272", version: 0x22, resetLevel: High, paDac: regPaDac1272, tcxo: regTcxo1272,
		rssiHF: -139, rssiLF: -139,
	}
)

// modelOf returns the chip that has a version.
func modelOf(version byte) (*model, bool) {
	switch version {
	case chip1276.version:
		return &chip1276, true
	case chip1272.version:
		return &chip1272, true
	}
	return nil, false
}

// lowBandEnd is the end of the frequencies that come in by the LF port: the chip's band 2 is 410 to
// 525 MHz, band 1 begins at 862 MHz.
const lowBandEnd = 525 * lora.MHz

// lowFrequency reports whether the LF port is in use.
func (m *model) lowFrequency(f lora.Frequency) bool { return m.lowBands && f < lowBandEnd }

// rssi returns what the RSSI register of the moment says, in dBm.
func (m *model) rssi(f lora.Frequency, reg byte) int {
	return m.rssiBase(f) + int(reg)
}

func (m *model) rssiBase(f lora.Frequency) int {
	if m.lowFrequency(f) {
		return m.rssiLF
	}
	return m.rssiHF
}

// packetSNR returns the signal to noise ratio of a packet in dB.
func packetSNR(reg byte) float64 { return float64(int8(reg)) / 4 }

// packetRSSI returns the strength of a packet in dBm, from its registers (data sheet,
// section 5.5.5). Below the noise the RSSI register shows noise and signal together, of which the
// SNR tells the signal's share.
func (m *model) packetRSSI(f lora.Frequency, rssi byte, snr float64) int {
	const slope = 16.0 / 15
	base := float64(m.rssiBase(f))
	if snr < 0 {
		return int(math.Round(base + float64(rssi) + snr))
	}
	return int(math.Round(base + slope*float64(rssi)))
}

// frf returns the setting of a frequency, in steps of 32 MHz / 2^19, rounded down as Pycom's
// firmware does.
func frf(f lora.Frequency) uint32 {
	const crystal = 32_000_000
	return uint32(uint64(f) << 19 / crystal)
}

// bandwidthCode returns RegModemConfig1's number for a bandwidth: 0, 1 and 2 in an SX1272, from
// 7 on in an SX1276.
func bandwidthCode(b lora.Bandwidth) byte {
	switch b {
	case lora.BW250:
		return 1
	case lora.BW500:
		return 2
	}
	return 0
}

// setting is the value of a register while the chip is in use.
type setting struct {
	reg   register
	value byte
	check check
}

// check says whether a register can be compared with what was written.
type check uint8

const (
	checked   check = iota
	unchecked       // not in the data sheet, or the chip changes it
)

// settings returns the registers' values for a configuration, complete with its defaults. On the
// air they make what Pycom's firmware makes; see the package comment for the differences.
func (m *model) settings(c lora.Config, o *options) ([]setting, error) {
	paConfig, paDac, ocp, err := power(c.TxPower, o.output)
	if err != nil {
		return nil, err
	}
	if c.SpreadingFactor == lora.SF6 {
		return nil, fmt.Errorf("%v: the chip sends it without a header alone, in packets of one fixed length "+
			"(data sheet, section 4.1.1.2); use %v to %v", c.SpreadingFactor, lora.SF7, lora.SF12)
	}
	if !m.lowBands && c.Frequency < lowBandEnd {
		return nil, fmt.Errorf("%v: an %s works from 860 to 1020 MHz", c.Frequency, m.name)
	}
	f := frf(c.Frequency)
	s := []setting{
		{regFrfMsb, byte(f >> 16), checked},
		{regFrfMid, byte(f >> 8), checked},
		{regFrfLsb, byte(f), checked},
		{regPaConfig, paConfig, checked},
		{regOcp, ocpOn | ocp, checked},
		{regLna, lnaBest, unchecked}, // reads as the gain in use
		{regFifoTxBaseAddr, 0, checked},
		{regFifoRxBaseAddr, 0, checked},
		{regIrqFlagsMask, irqMask, checked},
		{regSymbTimeoutLsb, 8, checked},
		{regPreambleMsb, byte(c.Preamble >> 8), checked},
		{regPreambleLsb, byte(c.Preamble), checked},
		{regMaxPayload, lora.MaxPacket, checked},
		{regHopPeriod, 0, checked},
		{regDetectThreshold, 0x0a, checked},
		{regInvertIQ, 0x27, checked},
		{regInvertIQ2, 0x1d, checked},
		{regSyncWord, byte(c.SyncWord), checked},
		{regDioMapping1, dio0RxDone, checked},
		{regDioMapping2, 0, checked},
		{m.paDac, paDac, checked},
	}
	if m.lowBands {
		return append(s, modem1276(c)...), nil
	}
	return append(s, modem1272(c)...), nil
}

// modem1276 returns the settings of an SX1276's modem: explicit header, CRC, automatic gain.
func modem1276(c lora.Config) []setting {
	const (
		bw125        = 7 << 4
		crcOn        = 0x04
		agcAuto      = 0x04
		lowDataRate  = 0x08
		automaticIF  = 0x80
		detectSF7Up  = 0x43 // bit 7, automaticIF, off
		bw500Default = 0x03
	)
	config3 := byte(agcAuto)
	if c.LowDataRateOptimize() {
		config3 |= lowDataRate
	}
	s := []setting{
		{regModemConfig1, bw125 + bandwidthCode(c.Bandwidth)<<4 | byte(c.CodingRate)<<1, checked},
		{regModemConfig2, byte(c.SpreadingFactor)<<4 | crcOn, checked},
		{regModemConfig3, config3, checked},
	}
	if c.Bandwidth != lora.BW500 {
		// Errata note, section 2.3: an intermediate frequency that keeps spurs away.
		return append(s,
			setting{regDetectOptimize, detectSF7Up, checked},
			setting{regIfFreq2, 0x40, unchecked},
			setting{regIfFreq1, 0x00, unchecked},
			setting{regHighBwOptimize1, bw500Default, unchecked},
		)
	}
	// Errata note, section 2.1: sensitivity at 500 kHz.
	optimize2 := byte(0x64)
	if c.Frequency < lowBandEnd {
		optimize2 = 0x7f
	}
	return append(s,
		setting{regDetectOptimize, automaticIF | detectSF7Up, checked},
		setting{regHighBwOptimize1, 0x02, unchecked},
		setting{regHighBwOptimize2, optimize2, unchecked},
	)
}

// modem1272 returns the settings of an SX1272's modem.
func modem1272(c lora.Config) []setting {
	const (
		crcOn       = 0x02
		lowDataRate = 0x01
		agcAuto     = 0x04
		detectSF7Up = 0x43
	)
	config1 := bandwidthCode(c.Bandwidth)<<6 | byte(c.CodingRate)<<3 | crcOn
	if c.LowDataRateOptimize() {
		config1 |= lowDataRate
	}
	return []setting{
		{regModemConfig1, config1, checked},
		{regModemConfig2, byte(c.SpreadingFactor)<<4 | agcAuto, checked},
		{regDetectOptimize, detectSF7Up, checked},
	}
}

// power returns RegPaConfig, RegPaDac and the limit of RegOcp for a power in dBm (data sheet,
// sections 5.4.2 to 5.4.4).
func power(dBm int, out AntennaOutput) (paConfig, paDac, ocp byte, err error) {
	switch {
	case out == RFO && dBm >= -1 && dBm <= 14:
		return maxPower | byte(dBm+1), paDacPlain, ocp100mA, nil
	case out == RFO:
		return 0, 0, 0, fmt.Errorf("TxPower %d dBm: the RFO output gives -1 to 14 dBm", dBm)
	case dBm < 2 || dBm > 20:
		return 0, 0, 0, fmt.Errorf("TxPower %d dBm: the PA_BOOST output gives 2 to 20 dBm", dBm)
	case dBm > 17:
		return paBoost | maxPower | byte(dBm-5), paDac20dBm, ocp140mA, nil
	}
	return paBoost | maxPower | byte(dBm-2), paDacPlain, ocp100mA, nil
}
