package sx1276emu

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// modemConfig is what the registers say about how packets are sent and received. Its zero
// fields are values that the registers do not allow.
type modemConfig struct {
	chipemu.Settings
	continuous bool // TxContinuousMode
}

// chipTimes is 1 / bandwidth by the SX1276's code for the bandwidth: 7.8, 10.4, 15.6, 20.8,
// 31.25, 41.7, 62.5, 125, 250 and 500 kHz (data sheet, RegModemConfig1). All are whole
// microseconds.
var chipTimes = [...]time.Duration{
	128 * time.Microsecond, 96 * time.Microsecond, 64 * time.Microsecond, 48 * time.Microsecond,
	32 * time.Microsecond, 24 * time.Microsecond, 16 * time.Microsecond, 8 * time.Microsecond,
	4 * time.Microsecond, 2 * time.Microsecond,
}

// The SX1272 knows the last three only.
var chipTimesSX1272 = chipTimes[7:]

func decodeSX1276(page *[pageEnd + 1]byte) modemConfig {
	c1, c2, c3 := page[regModemConfig1], page[regModemConfig2], page[regModemConfig3]
	m := decodeCommon(page)
	if bw := int(c1 >> 4); bw < len(chipTimes) {
		m.Chip = chipTimes[bw]
	}
	m.CR = lora.CodingRate(c1 >> 1 & 0x07)
	m.Implicit = c1&0x01 != 0
	m.CRC = c2&0x04 != 0
	m.LDRO = c3&0x08 != 0
	return m
}

func decodeSX1272(page *[pageEnd + 1]byte) modemConfig {
	c1 := page[regModemConfig1]
	m := decodeCommon(page)
	if bw := int(c1 >> 6); bw < len(chipTimesSX1272) {
		m.Chip = chipTimesSX1272[bw]
	}
	m.CR = lora.CodingRate(c1 >> 3 & 0x07)
	m.Implicit = c1&0x04 != 0
	m.CRC = c1&0x02 != 0
	m.LDRO = c1&0x01 != 0
	return m
}

// decodeCommon decodes what both chips have in the same place.
func decodeCommon(page *[pageEnd + 1]byte) modemConfig {
	return modemConfig{
		Settings: chipemu.Settings{
			SF:        lora.SpreadingFactor(page[regModemConfig2] >> 4),
			Preamble:  uint16(page[regPreambleMsb])<<8 | uint16(page[regPreambleLsb]),
			MaxLength: int(page[regMaxPayloadLength]),
			Length:    int(page[regPayloadLength]),
		},
		continuous: page[regModemConfig2]&0x08 != 0,
	}
}

// valid reports whether packets can be sent and received at all.
func (m modemConfig) valid() bool {
	return m.Chip != 0 && lora.SF6 <= m.SF && m.SF <= lora.SF12 && lora.CR45 <= m.CR && m.CR <= lora.CR48
}

// modemConfig decodes the registers.
func (c *Chip) modemConfig() modemConfig { return c.variant.modem(&c.lora) }

// frequency returns the carrier: 24 bits in steps of 32 MHz / 2^19.
func (c *Chip) frequency() lora.Frequency {
	frf := uint64(c.common[regFrfMsb])<<16 | uint64(c.common[regFrfMid])<<8 | uint64(c.common[regFrfLsb])
	return lora.Frequency((frf*32_000_000 + 1<<18) >> 19)
}

// lowBand reports whether the chip's low frequency port is in use.
func (c *Chip) lowBand() bool { return c.frequency() < lowBandLimit }

// lowBandLimit is the upper end of the low frequency port (data sheet, section 2.5.4).
const lowBandLimit = 525 * lora.MHz

// Fields of RegPaConfig, RegPaDac and RegOcp.
const (
	paBoost         = 0x80
	paDacMask       = 0x07
	paDacHigh       = 0x07 // +20 dBm
	ocpOn           = 0x20
	highPowerAmpere = 120 // mA, what the chip takes at +20 dBm
)

// txPower returns the transmit power in dBm, rounded.
func (c *Chip) txPower() int {
	pa := c.common[regPaConfig]
	out := int(pa & 0x0F)
	switch {
	case pa&paBoost == 0:
		limit := 10.8 + 0.6*float64(pa>>4&0x07)
		return int(math.Round(limit)) - 15 + out
	case c.common[c.variant.paDac]&paDacMask == paDacHigh:
		return 5 + out
	default:
		return 2 + out
	}
}

// currentLimit returns the limit of the overload current protection in mA (data sheet,
// section 5.4.4).
func (c *Chip) currentLimit() int {
	ocp := c.common[regOcp]
	trim := int(ocp & 0x1F)
	switch {
	case ocp&ocpOn == 0:
		return math.MaxInt
	case trim <= 15:
		return 45 + 5*trim
	case trim <= 27:
		return -30 + 10*trim
	default:
		return 240
	}
}

// rssiOffset is what a register of strength counts from, in dBm (data sheets, section
// 5.5.5 of the SX1276's).
func (c *Chip) rssiOffset() float64 {
	switch {
	case c.opt.Model == SX1272:
		return -139
	case c.lowBand():
		return -164
	default:
		return -157
	}
}

// rssiValue returns RegRssiValue for a strength in dBm.
func (c *Chip) rssiValue(dBm float64) byte { return saturate(dBm - c.rssiOffset()) }

// packetStrength returns RegPktRssiValue and RegPktSnrValue for a packet: the inverse of
// rssi = offset + 16/15 value where the SNR is not negative, and of rssi = offset + value
// + SNR where it is.
func (c *Chip) packetStrength(rssi, snr float64) (pktRssi, pktSnr byte) {
	quarters := max(math.MinInt8, min(math.MaxInt8, math.Round(4*snr)))
	if quarters >= 0 {
		return saturate((rssi - c.rssiOffset()) * 15 / 16), byte(int8(quarters))
	}
	return saturate(rssi - c.rssiOffset() - quarters/4), byte(int8(quarters))
}

func saturate(x float64) byte { return byte(max(0, min(255, math.Round(x)))) }

// modulate adds what the air needs to know, with I and Q inverted or not.
func (c *Chip) modulate(m *modemConfig, inverted bool) {
	m.Modulation = lorasim.Modulation{
		Config: lora.Config{
			Frequency:       c.frequency(),
			Bandwidth:       m.BandwidthHz(),
			SpreadingFactor: m.SF,
			CodingRate:      m.CR,
			Preamble:        m.Preamble,
			SyncWord:        lora.SyncWord(c.lora[regSyncWord]),
			TxPower:         c.txPower(),
		},
		Inverted: inverted,
		Framing:  m.Framing(),
	}
}
