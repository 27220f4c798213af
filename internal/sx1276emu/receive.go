package sx1276emu

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

type event = lorasim.Event

// longestSymbol is how long a symbol may last without low data rate optimization (data
// sheet, section 4.1.1.6).
const longestSymbol = 16 * time.Millisecond

// Symbols of preamble until the modem signals it, and of channel activity detection.
const (
	detectSymbols   = 4
	activitySymbols = 2
)

// reception is a packet that is being received.
type reception struct {
	active   bool
	lost     bool      // its header was: the packet's end means nothing
	header   bool      // its header has come
	corrupt  bool      // by a collision, or by settings that do not match
	start    time.Time // of the preamble
	symbol   time.Duration
	syncedAt time.Time // end of preamble and sync word
	headerAt time.Time // end of the header, while it is awaited
	n        int
	framing  lorasim.Framing
	cr       lora.CodingRate
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
	c.front.Configure(c.modulation(m, c.lora[regInvertIQ]&rxInverted != 0))
	switch c.mode() {
	case receiveSingle:
		symbols := int(c.lora[regModemConfig2]&0x03)<<8 | int(c.lora[regSymbTimeoutLsb])
		c.timeoutAt = c.settledAt.Add(time.Duration(symbols) * m.symbol())
	case detectActivity:
		c.cadAt = c.settledAt.Add(activitySymbols * m.symbol())
	}
	c.front.Listen(c.settledAt)
}

// checkErrata looks for the settings of the SX1276's errata note, sections 2.1
// (sensitivity at 500 kHz) and 2.3 (receiver spurious reception).
func (c *Chip) checkErrata(m modemConfig) {
	if c.opt.Model != SX1276 {
		return
	}
	const automaticIF = 0x80 // of RegDetectOptimize
	wide := m.bandwidth() == lora.BW500
	if auto := c.lora[regDetectOptimize]&automaticIF != 0; auto != wide {
		c.violate(Errata, "2.3: RegDetectOptimize 0x%02X at %v", c.lora[regDetectOptimize], m.bandwidth())
	}
	if if2, ok := intermediate[m.chip]; ok && (c.lora[regIfFreq2] != if2 || c.lora[regIfFreq1] != 0) {
		c.violate(Errata, "2.3: RegIfFreq2 0x%02X, RegIfFreq1 0x%02X at %v",
			c.lora[regIfFreq2], c.lora[regIfFreq1], m.bandwidth())
	}
	optimize1, optimize2 := byte(0x03), c.lora[regHighBWOptimize2]
	if wide {
		optimize1, optimize2 = 0x02, 0x64
		if c.lowBand() {
			optimize2 = 0x7F
		}
	}
	if c.lora[regHighBWOptimize1] != optimize1 || c.lora[regHighBWOptimize2] != optimize2 {
		c.violate(Errata, "2.1: RegHighBWOptimize1 0x%02X, RegHighBWOptimize2 0x%02X at %v",
			c.lora[regHighBWOptimize1], c.lora[regHighBWOptimize2], m.bandwidth())
	}
}

// intermediate is the RegIfFreq2 that the errata note gives, by chip time, for bandwidths
// that need no other carrier.
var intermediate = map[time.Duration]byte{
	chipTimes[6]: 0x40, // 62.5 kHz
	chipTimes[7]: 0x40,
	chipTimes[8]: 0x40, // 250 kHz
}

// handle handles an event of the air.
func (c *Chip) handle(e *event) {
	switch {
	case e.Kind == lorasim.TransmitEnds:
		c.endTransmit(e)
		return
	case !c.hearing(): // since the event before this
		return
	}
	switch e.Kind {
	case lorasim.PacketBegins:
		c.begin(e)
	case lorasim.PacketSpoiled:
		c.rx.corrupt = true
	case lorasim.PacketLost:
		c.rx.corrupt = true
		if c.rx.header {
			c.finish(e)
		} else {
			c.dropHeader()
		}
	case lorasim.PacketEnds:
		c.end(e)
	}
}

// begin is called when the receiver has locked on a packet.
func (c *Chip) begin(e *event) {
	m := c.modemConfig()
	symbol := m.symbol()
	c.rx = reception{
		active:   true,
		start:    e.Start,
		symbol:   symbol,
		syncedAt: e.Start.Add(e.Preamble),
		headerAt: e.Start.Add(e.Preamble + headerSymbols*symbol),
		n:        e.N,
		framing:  e.Framing,
		cr:       e.CodingRate,
	}
	c.timeoutAt = time.Time{}
}

// endHeader is called when the header has come, or in the same place without one.
func (c *Chip) endHeader() {
	m := c.modemConfig()
	r := &c.rx
	r.headerAt = time.Time{}
	if r.framing.Implicit != m.implicit || r.corrupt && !m.implicit {
		c.dropHeader()
		return
	}
	if r.framing.LowDataRate != m.ldro {
		r.corrupt = true
	}
	r.header = true
	if m.implicit {
		if r.framing.NoCRC == m.crc || r.n != int(c.lora[regPayloadLength]) || r.cr != m.cr {
			r.corrupt = true
		}
		r.n = int(c.lora[regPayloadLength])
		return
	}
	if r.n > int(c.lora[regMaxPayloadLength]) {
		c.dropHeader()
		return
	}
	const crcOnPayload = 0x40
	c.lora[regHopChannel] &^= crcOnPayload
	if !r.framing.NoCRC {
		c.lora[regHopChannel] |= crcOnPayload
	}
	c.lora[regModemStat] = byte(r.cr) << 5
	c.count(regRxHeaderCntMsb)
	c.interrupt(irqValidHeader)
}

// dropHeader is called when the header is wrong.
func (c *Chip) dropHeader() { c.rx = reception{lost: true} }

// end is called when a packet is over.
func (c *Chip) end(e *event) {
	if c.rx.lost {
		c.rx = reception{}
		return
	}
	if !c.rx.active { // an ideal air does not tell when packets begin
		c.begin(e)
	}
	if !c.rx.header {
		c.endHeader()
	}
	if !c.rx.header {
		c.rx = reception{}
		return
	}
	if !e.Intact {
		c.rx.corrupt = true
	}
	c.finish(e)
}

// finish puts a packet into the FIFO.
func (c *Chip) finish(e *event) {
	r := c.rx
	c.rx = reception{}
	if c.faults.corrupt > 0 && !r.corrupt {
		c.faults.corrupt--
		r.corrupt = true
	}
	c.lora[regFifoRxCurrentAddr] = c.rxPtr
	for i := range r.n {
		b := e.Payload[i]
		if r.corrupt {
			b ^= byte(c.rand.Uint32())
		}
		c.fifo[c.rxPtr] = b
		c.rxPtr++
	}
	c.lora[regFifoRxByteAddr] = c.rxPtr - 1
	c.lora[regRxNbBytes] = byte(r.n)
	c.lora[regPktRssiValue], c.lora[regPktSnrValue] = c.packetStrength(e.RSSI, e.SNR)
	if c.lora[regIrqFlags]&irqRxDone != 0 {
		c.stats.Overrun++
	}
	switch {
	case !r.corrupt:
		c.stats.Received++
		c.count(regRxPacketCntMsb)
		c.interrupt(irqRxDone)
	case r.framing.NoCRC:
		c.stats.Received++
		c.interrupt(irqRxDone)
	default:
		c.stats.CRCErrors++
		c.interrupt(irqRxDone | irqPayloadCrcError)
	}
	if c.mode() == receiveSingle {
		c.toStandby(e.Time)
	}
}

// count adds one to a counter of two bytes.
func (c *Chip) count(msb int) {
	if c.lora[msb+1]++; c.lora[msb+1] == 0 {
		c.lora[msb]++
	}
}

// endSingle is called when single reception found no preamble in time.
func (c *Chip) endSingle() {
	c.toStandby(c.timeoutAt)
	c.interrupt(irqRxTimeout)
}

// endCAD is called at the end of channel activity detection.
func (c *Chip) endCAD() {
	detected := c.rx.active
	c.toStandby(c.cadAt)
	c.interrupt(irqCadDone)
	if detected {
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

// modemStat returns RegModemStat.
func (c *Chip) modemStat() byte {
	r := &c.rx
	rate := c.lora[regModemStat] &^ statMask
	switch {
	case !r.active, c.now.Before(r.start.Add(detectSymbols * r.symbol)):
		return rate | modemClear
	case c.now.Before(r.syncedAt):
		return rate | signalDetected
	case r.header && !c.modemConfig().implicit:
		return rate | signalDetected | signalSynchronized | rxOngoing | headerInfoValid
	default:
		return rate | signalDetected | signalSynchronized | rxOngoing
	}
}

// strength returns RegRssiValue.
func (c *Chip) strength() byte {
	if !c.receiving() {
		c.violate(RSSIIdle, "with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	}
	if c.stopped || c.now.Before(c.settledAt) {
		return 0
	}
	milliwatt := math.Pow(10, c.front.Signal()/10) + math.Pow(10, c.front.NoiseFloor()/10)
	return c.rssiValue(10 * math.Log10(milliwatt))
}
