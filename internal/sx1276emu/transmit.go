package sx1276emu

import "github.com/gopymesh/pymesh/lora"

// transmit begins to send, when the transmitter is ready.
func (c *Chip) transmit() {
	m := c.modemConfig()
	if !c.checkModem(m) || !c.checkFrequency() || c.stopped {
		return
	}
	n := int(c.lora[regPayloadLength])
	if n == 0 {
		c.violate(BadModem, "RegPayloadLength 0")
		return
	}
	c.settledAt = c.settledAt.Add(transmitterTime + rampTimes[c.common[regPaRamp]&0x0F])
	var packet [lora.MaxPacket]byte
	for i := range n {
		packet[i] = c.fifo[c.lora[regFifoTxBaseAddr]+byte(i)]
	}
	const txNormal = 0x01 // of RegInvertIQ
	modulation := c.modulation(m, c.lora[regInvertIQ]&txNormal == 0)
	modulation.TxPower = c.checkPower()
	c.front.Configure(modulation)
	c.front.Transmit(c.settledAt, packet[:n], m.preambleTime(), m.airtime(n))
}

// endTransmit is called when the packet has left the antenna.
func (c *Chip) endTransmit(e *event) {
	if !c.transmitting() {
		return
	}
	c.stats.Sent++
	if c.faults.hangs > 0 {
		c.faults.hangs--
		return
	}
	c.toStandby(e.Time)
	c.interrupt(irqTxDone)
}

// checkPower returns the transmit power, and complains where it does not reach the
// antenna.
func (c *Chip) checkPower() int {
	const highest = 17 // dBm that the chip can do without much current
	boost := c.common[regPaConfig]&paBoost != 0
	power := c.txPower()
	if boost == c.opt.RFO {
		c.violate(PAUnwired, "RegPaConfig 0x%02X", c.common[regPaConfig])
	}
	if boost && power > highest && c.currentLimit() < highPowerAmpere {
		c.violate(Overcurrent, "RegOcp 0x%02X is %d mA, %d dBm needs %d mA",
			c.common[regOcp], c.currentLimit(), power, highPowerAmpere)
		power = highest
	}
	return power
}

// checkModem reports whether the modem works with its settings.
func (c *Chip) checkModem(m modemConfig) bool {
	detect, threshold := byte(0x03), byte(0x0A)
	if m.sf == lora.SF6 {
		detect, threshold = 0x05, 0x0C // data sheet, section 4.1.1.2
	}
	switch {
	case !m.valid():
		c.violate(BadModem, "RegModemConfig1 0x%02X, RegModemConfig2 0x%02X", c.lora[regModemConfig1], c.lora[regModemConfig2])
	case m.sf == lora.SF6 && !m.implicit:
		c.violate(BadModem, "SF6 with explicit header")
	case c.lora[regDetectOptimize]&0x07 != detect:
		c.violate(BadModem, "RegDetectOptimize 0x%02X at %v", c.lora[regDetectOptimize], m.sf)
	case c.lora[regDetectThreshold] != threshold:
		c.violate(BadModem, "RegDetectionThreshold 0x%02X at %v", c.lora[regDetectThreshold], m.sf)
	case m.symbol() > longestSymbol && !m.ldro:
		c.violate(BadModem, "no low data rate optimization at %v, %v", m.sf, m.bandwidth())
	case m.preamble < lora.MinPreamble:
		c.violate(BadModem, "preamble of %d symbols", m.preamble)
	case m.continuous:
		c.violate(BadModem, "TxContinuousMode is not emulated")
	case c.lora[regHopPeriod] != 0:
		c.violate(BadModem, "RegHopPeriod %d: frequency hopping is not emulated", c.lora[regHopPeriod])
	default:
		return true
	}
	return false
}
