package sx126xemu

import (
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/lora"
)

// tcxoVoltages is what SetDIO3AsTcxoCtrl's number stands for, in millivolts.
var tcxoVoltages = [...]int{1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300}

// tick is the unit of times in commands.
const tick = 15625 * time.Nanosecond

func ticks(p []byte) time.Duration {
	return time.Duration(uint32(p[0])<<16|uint32(p[1])<<8|uint32(p[2])) * tick
}

func (c *Chip) setTCXO(p []byte) {
	c.settings.tcxo, c.settings.tcxoDelay = tcxoVoltages[p[0]&7], ticks(p[1:])
	if c.opt.TCXO > 0 && c.settings.tcxo > c.opt.TCXO+300 {
		c.Violate(Overvoltage, "%d mV, it needs %d mV", c.settings.tcxo, c.opt.TCXO)
	}
	c.settings.calibrated = false
}

// oscillator reports whether the 32 MHz run when they are asked for.
func (c *Chip) oscillator() bool {
	switch {
	case c.opt.NoInductor && c.settings.dcdc:
		return false
	case c.opt.TCXO == 0:
		return c.settings.tcxo == 0
	}
	return !c.deadTCXO && c.settings.tcxo >= c.opt.TCXO-100
}

// startOscillator makes sure that they run, and returns how long that takes.
func (c *Chip) startOscillator() (time.Duration, bool) {
	if c.mode > standbyRC {
		return 0, true
	}
	if !c.oscillator() {
		c.errors |= errXOSC
		c.result = resultFailed
		return 0, false
	}
	return c.settings.tcxoDelay, true
}

func (c *Chip) setRegulator(p []byte) {
	c.settings.dcdc = p[0] == 1
	if c.settings.dcdc && c.opt.NoInductor {
		c.Violate(Regulator, "SetRegulatorMode 1")
	}
}

// calibrate calibrates oscillators, PLL, ADC and image. It resets the receiver's gain.
func (c *Chip) calibrate(p []byte) {
	c.busyUntil = c.Now.Add(calibrationTime)
	c.registers[regRxGain] = rxGainNormal
	if !c.oscillator() {
		c.errors |= errXOSC | errPLL
		c.result = resultFailed
		return
	}
	c.agcDeaf = false
	if const32MHz := byte(0x3C); p[0]&const32MHz == const32MHz {
		c.settings.calibrated = true
	}
	if p[0]&0x40 != 0 {
		c.settings.image = [2]byte{0xE1, 0xE9}
	}
}

func (c *Chip) calibrateImage(p []byte) {
	delay, ok := c.startOscillator()
	if !ok {
		return
	}
	c.busyUntil = c.Now.Add(delay + imageTime)
	c.settings.image = [2]byte{p[0], p[1]}
	c.imagesAt = append(c.imagesAt, c.settings.frequency)
}

func (c *Chip) setFallback(p []byte) {
	switch p[0] {
	case 0x40:
		c.settings.fallback = synthesizing
	case 0x30:
		c.settings.fallback = standbyXOSC
	default:
		c.settings.fallback = standbyRC
	}
}

// Times between modes (STM32WL reference manual, table 33), with the oscillator on and from the RC oscillator.
var modeTimes = map[mode][2]time.Duration{
	standbyXOSC:    {10 * time.Microsecond, 31 * time.Microsecond},
	synthesizing:   {40 * time.Microsecond, 50 * time.Microsecond},
	receive:        {62 * time.Microsecond, 83 * time.Microsecond},
	detectActivity: {62 * time.Microsecond, 83 * time.Microsecond},
	transmit:       {105 * time.Microsecond, 126 * time.Microsecond},
}

// enter goes to a mode and reports whether it gets there.
func (c *Chip) enter(to mode) bool {
	delay, ok := c.startOscillator()
	if ok && to > standbyXOSC && (!c.settings.calibrated && c.opt.TCXO > 0) {
		c.errors |= errPLL
		c.result = resultFailed
		ok = false
	}
	from := c.mode
	c.leave()
	if !ok {
		c.mode = standbyRC
		return false
	}
	times := modeTimes[to]
	d := times[0]
	if from == standbyRC {
		d = times[1] + delay
	}
	c.mode, c.settledAt, c.busyUntil = to, c.Now.Add(d), c.Now.Add(d)
	return true
}

// leave ends the present mode.
func (c *Chip) leave() {
	switch {
	case c.mode == transmit:
		c.Count.Aborted++
	case c.mode == receive && c.Stage() == chipemu.Headed:
		c.Count.Cut++
	}
	c.Halt()
}

func (c *Chip) setStandby(p []byte) {
	if p[0] == 1 {
		c.enter(standbyXOSC)
		return
	}
	c.leave()
	c.mode, c.settledAt = standbyRC, c.Now
	c.busyUntil = c.Now.Add(10 * time.Microsecond)
}

func (c *Chip) setFs([]byte) { c.enter(synthesizing) }

func (c *Chip) setSleep(p []byte) {
	c.leave()
	c.warm = p[0]&4 != 0
	c.mode, c.sleptAt = sleep, c.Now
	c.scramble()
	c.rxPtr, c.rxStart, c.rxLength = 0, 0, 0
}

// fallBack is how a mode ends of itself.
func (c *Chip) fallBack(at time.Time) {
	c.Halt()
	c.mode, c.settledAt = c.settings.fallback, at
}

func (c *Chip) setRx(p []byte) {
	s, ok := c.checkModem()
	limit := ticks(p)
	if !ok || !c.enter(receive) {
		return
	}
	c.continuous = p[0]&p[1]&p[2] == 0xFF
	c.rxPtr = c.settings.rxBase
	if c.mask&irqRxDone == 0 {
		c.Violate(NoInterrupt, "SetRx with mask 0x%04X", c.mask)
	}
	c.checkReceiver(&s)
	if c.deaf() {
		return
	}
	if c.continuous {
		limit = 0
	}
	c.Hear(s, c.settledAt, limit)
}

// deaf reports whether nothing is heard although the receiver runs.
func (c *Chip) deaf() bool {
	return c.agcDeaf || c.opt.RXEN && !c.pins[pinRXEN] || c.opt.TXEN && c.pins[pinTXEN]
}

func (c *Chip) setTx([]byte) {
	s, ok := c.checkModem()
	if !ok || !c.enter(transmit) {
		return
	}
	if c.mask&irqTxDone == 0 {
		c.Violate(NoInterrupt, "SetTx with mask 0x%04X", c.mask)
	}
	if c.settings.length == 0 {
		c.Violate(BadModem, "packet of 0 bytes")
		return
	}
	c.checkTransmitter(&s)
	var packet [lora.MaxPacket]byte
	for i := range int(c.settings.length) {
		packet[i] = c.buffer[c.settings.txBase+byte(i)]
	}
	c.Send(s, c.settledAt, packet[:c.settings.length])
}

// endTransmit is called when the packet has left the antenna.
func (c *Chip) endTransmit(at time.Time) {
	if c.mode != transmit {
		return
	}
	c.Count.Sent++
	if c.Hangs() {
		return
	}
	c.fallBack(at)
	c.result = resultTxDone
	c.interrupt(irqTxDone)
}

func (c *Chip) setCad([]byte) {
	s, ok := c.checkModem()
	if !ok || !c.enter(detectActivity) {
		return
	}
	if c.mask&irqCadDone == 0 {
		c.Violate(NoInterrupt, "SetCad with mask 0x%04X", c.mask)
	}
	c.checkReceiver(&s)
	symbols := time.Duration(1) << min(c.settings.cad[0], 4)
	c.Assess(s, c.settledAt, symbols*s.Symbol(), symbols*s.Symbol()+s.Symbol()/2)
}

// cadPeaks is the detection peak by spreading factor from SF7 on: what Semtech's documents and code give, which differ a little.
var cadPeaks = [...]byte{22, 22, 24, 25, 26, 29}

// endCAD is called at the end of channel activity detection.
func (c *Chip) endCAD(at time.Time, found bool) {
	p := c.settings.cad
	if want := cadPeaks[c.settings.sf-7]; p[1]+4 < want || p[1] > want+3 || p[2] < 8 || p[2] > 12 || p[0] > 4 {
		c.Violate(BadCAD, "symbols %d, peak %d, min %d at SF%d", p[0], p[1], p[2], c.settings.sf)
		found = false
	}
	found = found && !c.deaf()
	stays := found && p[3] == 1
	if stays {
		s, _ := c.checkModem()
		c.mode, c.settledAt, c.continuous = receive, at, false
		c.rxPtr = c.settings.rxBase
		c.Hear(s, at, ticks(p[4:]))
	} else { // whatever the fallback mode is
		c.Halt()
		c.mode, c.settledAt = standbyRC, at
	}
	c.interrupt(irqCadDone)
	if found {
		c.interrupt(irqCadDetected)
	}
}

// endSingle is called when single reception found no packet in time.
func (c *Chip) endSingle(at time.Time) {
	c.fallBack(at)
	c.result = resultTimeout
	c.interrupt(irqTimeout)
}
