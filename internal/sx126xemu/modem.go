package sx126xemu

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// settings is what commands have set.
type settings struct {
	lora       bool
	sf         byte
	bw         byte
	cr         byte
	ldro       bool
	preamble   uint16
	implicit   bool
	length     byte
	crc        bool
	inverted   bool
	frequency  lora.Frequency
	image      [2]byte
	pa         [4]byte
	power      int8
	ramp       byte
	txBase     byte
	rxBase     byte
	fallback   mode
	cad        [7]byte
	dio2       bool
	dcdc       bool
	tcxo       int // millivolts
	tcxoDelay  time.Duration
	calibrated bool
}

// Interrupt flags.
const (
	irqTxDone = 1 << iota
	irqRxDone
	irqPreamble
	irqSyncWord
	irqHeaderValid
	irqHeaderErr
	irqCrcErr
	irqCadDone
	irqCadDetected
	irqTimeout
)

// interrupt sets flags that are in the mask. Others are lost.
func (c *Chip) interrupt(flags uint16) { c.irq |= flags & c.mask }

// setFrequency takes a carrier in steps of 32 MHz / 2^25.
func (c *Chip) setFrequency(p []byte) {
	steps := uint64(word(p))<<16 | uint64(word(p[2:]))
	c.settings.frequency = lora.Frequency((steps*32_000_000 + 1<<24) >> 25)
}

// setModulation takes spreading factor, bandwidth, coding rate and low data rate optimization. It undoes the cure of erratum 15.1.
func (c *Chip) setModulation(p []byte) {
	s := &c.settings
	s.sf, s.bw, s.cr, s.ldro = p[0], p[1], p[2], p[3] == 1
	c.registers[regTxMod] &^= txModNarrow
	if s.bw == 6 {
		c.registers[regTxMod] |= txModNarrow
	}
}

const (
	txModNarrow = 0x04 // of regTxMod: 0 for 500 kHz, else 1
	iqNormal    = 0x04 // of regIQ: 1 for I and Q as they are
	txClamp     = 0x1E // of regTxClamp
)

// setPacket undoes the cure of erratum 15.4.
func (c *Chip) setPacket(p []byte) {
	s := &c.settings
	s.preamble, s.implicit, s.length, s.crc, s.inverted = word(p), p[2] == 1, p[3], p[4] == 1, p[5] == 1
	c.registers[regIQ] &^= iqNormal
	if s.inverted {
		c.registers[regIQ] |= iqNormal
	}
}

// chipTimes is 1 / bandwidth by the code for the bandwidth.
var chipTimes = map[byte]time.Duration{
	0: 128 * time.Microsecond, 8: 96 * time.Microsecond, 1: 64 * time.Microsecond, 9: 48 * time.Microsecond, 2: 32 * time.Microsecond,
	10: 24 * time.Microsecond, 3: 16 * time.Microsecond, 4: 8 * time.Microsecond, 5: 4 * time.Microsecond, 6: 2 * time.Microsecond,
}

// frequencies is the range of the synthesizer.
func (m Model) frequencies() (lo, hi lora.Frequency) {
	if m == SX1268 {
		return 410 * lora.MHz, 810 * lora.MHz
	}
	return 150 * lora.MHz, 960 * lora.MHz
}

// hasModem reports whether the chip has a spreading factor at a bandwidth.
func (m Model) hasModem(s *chipemu.Settings) bool {
	if m != LLCC68 {
		return true
	}
	limit := map[time.Duration]lora.SpreadingFactor{chipTimes[4]: lora.SF9, chipTimes[5]: lora.SF10, chipTimes[6]: lora.SF11}
	return s.SF <= limit[s.Chip]
}

// longestSymbol is how long a symbol may last without low data rate optimization.
const longestSymbol = 16 * time.Millisecond

// checkModem returns what the settings come to, and whether the modem works with them.
func (c *Chip) checkModem() (chipemu.Settings, bool) {
	in := &c.settings
	s := chipemu.Settings{
		Chip: chipTimes[in.bw], SF: lora.SpreadingFactor(in.sf), CR: lora.CodingRate(in.cr), Implicit: in.implicit, CRC: in.crc, LDRO: in.ldro,
		Preamble: in.preamble, Length: int(in.length), MaxLength: int(in.length), StrictPreamble: true,
	}
	if lo, hi := c.opt.Model.frequencies(); in.frequency < lo || in.frequency > hi {
		c.Violate(BadFrequency, "%v, %v to %v", in.frequency, lo, hi)
		return s, false
	}
	switch {
	case s.Chip == 0 || s.SF < lora.SF7 || s.SF > lora.SF12 || s.CR < lora.CR45 || s.CR > lora.CR48:
		c.Violate(BadModem, "SF%d, bandwidth code %d, coding rate %d", in.sf, in.bw, in.cr)
	case !c.opt.Model.hasModem(&s):
		c.Violate(BadModem, "%v at %v: an LLCC68 has not got that", s.SF, s.BandwidthHz())
	case s.Symbol() > longestSymbol && !s.LDRO:
		c.Violate(BadModem, "no low data rate optimization at %v, %v", s.SF, s.BandwidthHz())
	case s.Preamble < lora.MinPreamble:
		c.Violate(BadModem, "preamble of %d symbols", s.Preamble)
	default:
		c.modulate(&s)
		return s, true
	}
	return s, false
}

// modulate adds what the air needs to know. I and Q are inverted as the register of erratum 15.4 says, not the parameter.
func (c *Chip) modulate(s *chipemu.Settings) {
	s.Modulation = lorasim.Modulation{
		Config: lora.Config{
			Frequency: c.settings.frequency, Bandwidth: s.BandwidthHz(), SpreadingFactor: s.SF, CodingRate: s.CR, Preamble: s.Preamble,
			SyncWord: lora.SyncWord(c.registers[regSyncMSB]&0xF0 | c.registers[regSyncMSB+1]>>4),
			TxPower:  int(c.settings.power),
		},
		Inverted: c.registers[regIQ]&iqNormal == 0,
		Framing:  s.Framing(),
	}
}

// checkReceiver looks for what reception needs.
func (c *Chip) checkReceiver(s *chipemu.Settings) {
	if c.registers[regIQ]&iqNormal == 0 != c.settings.inverted {
		c.Violate(Errata, "15.4: register 0x0736 is 0x%02X, inverted %v", c.registers[regIQ], c.settings.inverted)
	}
	if lo, hi := lora.Frequency(c.settings.image[0])*4*lora.MHz, lora.Frequency(c.settings.image[1])*4*lora.MHz; s.Frequency < lo || s.Frequency > hi {
		c.Violate(ImageCalibration, "%v, calibrated for %v to %v", s.Frequency, lo, hi)
	}
	switch {
	case c.opt.RXEN && !c.pins[pinRXEN]:
		c.Violate(SwitchUndriven, "RXEN is low in reception")
	case c.opt.TXEN && c.pins[pinTXEN]:
		c.Violate(SwitchUndriven, "TXEN is high in reception")
	}
}

// lossSwitch is what a switch costs that is not where it must be, in dB.
const lossSwitch = 40

// checkTransmitter looks for what a transmission needs, and sets the power.
func (c *Chip) checkTransmitter(s *chipemu.Settings) {
	narrow := c.registers[regTxMod]&txModNarrow != 0
	if narrow == (s.BandwidthHz() == lora.BW500) {
		c.Violate(Errata, "15.1: register 0x0889 is 0x%02X at %v", c.registers[regTxMod], s.BandwidthHz())
	}
	if c.opt.Model != SX1261 && c.registers[regTxClamp]&txClamp != txClamp {
		c.Violate(Errata, "15.2: register 0x08D8 is 0x%02X", c.registers[regTxClamp])
	}
	if c.registers[regIQ]&iqNormal == 0 != c.settings.inverted {
		c.Violate(Errata, "15.4: register 0x0736 is 0x%02X, inverted %v", c.registers[regIQ], c.settings.inverted)
	}
	s.TxPower = c.txPower() + c.opt.Gain
	switch {
	case c.opt.DIO2Switch && !c.settings.dio2:
		c.Violate(SwitchUndriven, "DIO2 is not the switch")
	case c.opt.TXEN && !c.pins[pinTXEN]:
		c.Violate(SwitchUndriven, "TXEN is low in transmission")
	case c.opt.RXEN && c.pins[pinRXEN]:
		c.Violate(SwitchUndriven, "RXEN is high in transmission")
	default:
		return
	}
	s.TxPower -= lossSwitch
}

// paSettings is which amplifier settings there are, and the most power that they give, in dBm (data sheet, table 13-21).
var paSettings = map[[4]byte]int{
	{4, 7, 0, 1}: 22, {3, 5, 0, 1}: 20, {2, 3, 0, 1}: 17, {2, 2, 0, 1}: 14,
	{6, 0, 1, 1}: 15, {4, 0, 1, 1}: 14, {1, 0, 1, 1}: 10,
}

// setPA chooses an amplifier. It resets the current limit.
func (c *Chip) setPA(p []byte) {
	copy(c.settings.pa[:], p)
	c.registers[regOCP] = 0x38
	if p[2] == 1 {
		c.registers[regOCP] = 0x18
	}
}

// txPower returns the transmit power in dBm.
func (c *Chip) txPower() int {
	most, ok := paSettings[c.settings.pa]
	small := c.settings.pa[2] == 1
	if !ok || small != (c.opt.Model == SX1261) {
		c.Violate(BadPower, "SetPaConfig % X", c.settings.pa)
		return -20
	}
	power, top, bottom := int(c.settings.power), 22, -9
	if small {
		top, bottom = 14, -17
	}
	if power > top || power < bottom {
		c.Violate(BadPower, "%d dBm, %d to %d", power, bottom, top)
		power = min(power, top)
	}
	power -= top - most
	if c.opt.MaxPower != 0 && power > c.opt.MaxPower {
		c.Violate(Overpower, "%d dBm, it bears %d", power, c.opt.MaxPower)
	}
	need := 45.
	switch {
	case small:
		need = 32
	case power >= 20:
		need = 118
	case power >= 14:
		need = 90
	}
	if limit := 2.5 * float64(c.registers[regOCP]); limit < need {
		c.Violate(Overcurrent, "%v mA, %d dBm needs %v mA", limit, power, need)
		power -= 5
	}
	return power
}

// endHeader is called when the header has come.
func (c *Chip) endHeader(h chipemu.Header) {
	c.registers[regHeaderCR] = byte(h.CR) << 4
	c.registers[regHeaderCRC] &^= 0x10
	if h.CRC {
		c.registers[regHeaderCRC] |= 0x10
	}
	c.interrupt(irqHeaderValid)
}

// finish puts a packet into the buffer.
func (c *Chip) finish(at time.Time, p *chipemu.Packet) {
	if c.irq&irqRxDone != 0 {
		c.Count.Overrun++
	}
	c.rxStart, c.rxLength = c.rxPtr, byte(p.N)
	for i := range p.N {
		c.buffer[c.rxPtr] = p.Payload[i]
		c.rxPtr++
	}
	c.pktRSSI, c.pktSNR = p.RSSI, p.SNR
	if p.Corrupt && p.CRC {
		c.interrupt(irqCrcErr)
	}
	c.result = resultData
	c.interrupt(irqRxDone)
	if !c.continuous {
		c.fallBack(at)
	}
}

// packetStatus returns strength with noise, SNR, and strength of the signal.
func (c *Chip) packetStatus() (rssi, snr, signal byte) {
	milliwatt := math.Pow(10, c.pktRSSI/10) + math.Pow(10, (c.pktRSSI-c.pktSNR)/10)
	quarters := max(math.MinInt8, min(math.MaxInt8, math.Round(4*c.pktSNR)))
	return half(10 * math.Log10(milliwatt)), byte(int8(quarters)), half(c.pktRSSI)
}

// rssiInst returns the strength of the moment.
func (c *Chip) rssiInst() byte {
	if c.mode != receive || c.Now.Before(c.settledAt) {
		return 0xFF
	}
	if c.deaf() {
		return half(c.Antenna().NoiseFloor())
	}
	return half(c.Strength())
}

// half returns a strength as the chip does, in half dB below zero.
func half(dBm float64) byte { return byte(max(0, min(255, math.Round(-2*dBm)))) }
