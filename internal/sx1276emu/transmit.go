package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// transmit begins to send, when the transmitter is ready.
func (c *Chip) transmit() {
	m := c.modemConfig()
	if !c.checkModem(m) || !c.checkFrequency() || c.stopped {
		return
	}
	n := int(c.lora[regPayloadLength])
	if n == 0 {
		c.Violate(BadModem, "RegPayloadLength 0")
		return
	}
	c.settledAt = c.settledAt.Add(transmitterTime + rampTimes[c.common[regPaRamp]&0x0F])
	var packet [lora.MaxPacket]byte
	for i := range n {
		packet[i] = c.fifo[c.lora[regFifoTxBaseAddr]+byte(i)]
	}
	const txNormal = 0x01 // of RegInvertIQ
	c.modulate(&m, c.lora[regInvertIQ]&txNormal == 0)
	m.TxPower = c.checkPower()
	c.Send(m.Settings, c.settledAt, packet[:n])
}

// endTransmit is called when the packet has left the antenna.
func (c *Chip) endTransmit(at time.Time) {
	if !c.transmitting() {
		return
	}
	c.Count.Sent++
	if c.Hangs() {
		return
	}
	c.toStandby(at)
	c.interrupt(irqTxDone)
}

// checkPower returns the transmit power, and complains where it does not reach the
// antenna.
func (c *Chip) checkPower() int {
	const highest = 17 // dBm that the chip can do without much current
	boost := c.common[regPaConfig]&paBoost != 0
	power := c.txPower()
	if boost == c.opt.RFO {
		c.Violate(PAUnwired, "RegPaConfig 0x%02X", c.common[regPaConfig])
	}
	if boost && power > highest && c.currentLimit() < highPowerAmpere {
		c.Violate(Overcurrent, "RegOcp 0x%02X is %d mA, %d dBm needs %d mA",
			c.common[regOcp], c.currentLimit(), power, highPowerAmpere)
		power = highest
	}
	return power
}

// checkModem reports whether the modem works with its settings.
func (c *Chip) checkModem(m modemConfig) bool {
	detect, threshold := byte(0x03), byte(0x0A)
	if m.SF == lora.SF6 {
		detect, threshold = 0x05, 0x0C // data sheet, section 4.1.1.2
	}
	switch {
	case !m.valid():
		c.Violate(BadModem, "RegModemConfig1 0x%02X, RegModemConfig2 0x%02X", c.lora[regModemConfig1], c.lora[regModemConfig2])
	case m.SF == lora.SF6 && !m.Implicit:
		c.Violate(BadModem, "SF6 with explicit header")
	case c.lora[regDetectOptimize]&0x07 != detect:
		c.Violate(BadModem, "RegDetectOptimize 0x%02X at %v", c.lora[regDetectOptimize], m.SF)
	case c.lora[regDetectThreshold] != threshold:
		c.Violate(BadModem, "RegDetectionThreshold 0x%02X at %v", c.lora[regDetectThreshold], m.SF)
	case m.Symbol() > longestSymbol && !m.LDRO:
		c.Violate(BadModem, "no low data rate optimization at %v, %v", m.SF, m.BandwidthHz())
	case m.Preamble < lora.MinPreamble:
		c.Violate(BadModem, "preamble of %d symbols", m.Preamble)
	case m.continuous:
		c.Violate(BadModem, "TxContinuousMode is not emulated")
	case c.lora[regHopPeriod] != 0:
		c.Violate(BadModem, "RegHopPeriod %d: frequency hopping is not emulated", c.lora[regHopPeriod])
	default:
		return true
	}
	return false
}
