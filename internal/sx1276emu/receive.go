package sx1276emu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
)

// longestSymbol is how long a symbol may last without low data rate optimization (data
// sheet, section 4.1.1.6).
const longestSymbol = 16 * time.Millisecond

// activityTime returns how long channel activity detection takes: a symbol and some of receiving, and of correlating not quite another
// one. Measured from SF9 to SF12.
func activityTime(m *modemConfig) (dwell, duration time.Duration) {
	return m.Symbol(), m.Symbol() * 185 / 100
}

// receive begins to listen, when the receiver is ready.
func (c *Chip) receive() {
	m := c.modemConfig()
	if !c.checkModem(m) || !c.checkFrequency() || c.stopped {
		return
	}
	c.checkErrata(m)
	c.settledAt = c.settledAt.Add(receiverTime)
	c.rxPtr = c.lora[regFifoRxBaseAddr]
	const rxInverted = 0x40 // of RegInvertIQ
	c.modulate(&m, c.lora[regInvertIQ]&rxInverted != 0)
	switch c.mode() {
	case receiveSingle:
		symbols := int(c.lora[regModemConfig2]&0x03)<<8 | int(c.lora[regSymbTimeoutLsb])
		c.Hear(m.Settings, c.settledAt, time.Duration(symbols)*m.Symbol())
	case detectActivity:
		dwell, duration := activityTime(&m)
		c.Assess(m.Settings, c.settledAt, dwell, duration)
	default:
		c.Hear(m.Settings, c.settledAt, 0)
	}
}

// checkErrata looks for the settings of the SX1276's errata note, sections 2.1
// (sensitivity at 500 kHz) and 2.3 (receiver spurious reception).
func (c *Chip) checkErrata(m modemConfig) {
	if c.opt.Model != SX1276 {
		return
	}
	const automaticIF = 0x80 // of RegDetectOptimize
	wide := m.BandwidthHz() == lora.BW500
	if auto := c.lora[regDetectOptimize]&automaticIF != 0; auto != wide {
		c.Violate(Errata, "2.3: RegDetectOptimize 0x%02X at %v", c.lora[regDetectOptimize], m.BandwidthHz())
	}
	if if2, ok := intermediate[m.Chip]; ok && (c.lora[regIfFreq2] != if2 || c.lora[regIfFreq1] != 0) {
		c.Violate(Errata, "2.3: RegIfFreq2 0x%02X, RegIfFreq1 0x%02X at %v",
			c.lora[regIfFreq2], c.lora[regIfFreq1], m.BandwidthHz())
	}
	optimize1, optimize2 := byte(0x03), c.lora[regHighBWOptimize2]
	if wide {
		optimize1, optimize2 = 0x02, 0x64
		if c.lowBand() {
			optimize2 = 0x7F
		}
	}
	if c.lora[regHighBWOptimize1] != optimize1 || c.lora[regHighBWOptimize2] != optimize2 {
		c.Violate(Errata, "2.1: RegHighBWOptimize1 0x%02X, RegHighBWOptimize2 0x%02X at %v",
			c.lora[regHighBWOptimize1], c.lora[regHighBWOptimize2], m.BandwidthHz())
	}
}

// intermediate is the RegIfFreq2 that the errata note gives, by chip time, for bandwidths
// that need no other carrier.
var intermediate = map[time.Duration]byte{
	chipTimes[6]: 0x40, // 62.5 kHz
	chipTimes[7]: 0x40,
	chipTimes[8]: 0x40, // 250 kHz
}

// endHeader is called when the header has come.
func (c *Chip) endHeader(h chipemu.Header) {
	const crcOnPayload = 0x40
	c.lora[regHopChannel] &^= crcOnPayload
	if h.CRC {
		c.lora[regHopChannel] |= crcOnPayload
	}
	c.lora[regModemStat] = byte(h.CR) << 5
	c.count(regRxHeaderCntMsb)
	c.interrupt(irqValidHeader)
}

// finish puts a packet into the FIFO.
func (c *Chip) finish(at time.Time, p *chipemu.Packet) {
	c.lora[regFifoRxCurrentAddr] = c.rxPtr
	for i := range p.N {
		c.fifo[c.rxPtr] = p.Payload[i]
		c.rxPtr++
	}
	c.lora[regFifoRxByteAddr] = c.rxPtr - 1
	c.lora[regRxNbBytes] = byte(p.N)
	c.lora[regPktRssiValue], c.lora[regPktSnrValue] = c.packetStrength(p.RSSI, p.SNR)
	if c.lora[regIrqFlags]&irqRxDone != 0 {
		c.Count.Overrun++
	}
	switch {
	case !p.Corrupt:
		c.count(regRxPacketCntMsb)
		c.interrupt(irqRxDone)
	case !p.CRC:
		c.interrupt(irqRxDone)
	default:
		c.interrupt(irqRxDone | irqPayloadCrcError)
	}
	if c.mode() == receiveSingle {
		c.toStandby(at)
	}
}

// count adds one to a counter of two bytes.
func (c *Chip) count(msb int) {
	if c.lora[msb+1]++; c.lora[msb+1] == 0 {
		c.lora[msb]++
	}
}

// endSingle is called when single reception found no preamble in time.
func (c *Chip) endSingle(at time.Time) {
	c.toStandby(at)
	c.interrupt(irqRxTimeout)
}

// endCAD is called at the end of channel activity detection.
func (c *Chip) endCAD(at time.Time, found bool) {
	c.toStandby(at)
	c.interrupt(irqCadDone)
	if found {
		c.interrupt(irqCadDetected)
	}
}

// Bits of RegModemStat.
const (
	signalDetected = 1 << iota
	signalSynchronized
	rxOngoing
	headerInfoValid
	modemClear
	statMask = 0x1F
)

// modemStat returns RegModemStat. While the chip listens, a reception is always on-going.
func (c *Chip) modemStat() byte {
	rate := c.lora[regModemStat] &^ statMask
	if !c.receiving() || c.stopped || c.Now.Before(c.settledAt) {
		return rate | modemClear
	}
	rate |= rxOngoing
	switch c.Stage() {
	case chipemu.Detected:
		rate |= signalDetected
	case chipemu.Synced:
		rate |= signalDetected | signalSynchronized
	case chipemu.Headed:
		rate |= signalDetected | signalSynchronized
		if !c.modemConfig().Implicit {
			rate |= headerInfoValid
		}
	}
	return rate
}

// strength returns RegRssiValue.
func (c *Chip) strength() byte {
	if !c.receiving() {
		c.Violate(RSSIIdle, "with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	}
	if c.stopped || c.Now.Before(c.settledAt) {
		return 0
	}
	return c.rssiValue(c.Strength())
}
