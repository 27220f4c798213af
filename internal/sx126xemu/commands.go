package sx126xemu

import "time"

// Operation codes.
const (
	opResetStats       = 0x00
	opClearIrq         = 0x02
	opClearErrors      = 0x07
	opDioIrqParams     = 0x08
	opWriteRegister    = 0x0D
	opWriteBuffer      = 0x0E
	opGetStats         = 0x10
	opGetIrq           = 0x12
	opRxBufferStatus   = 0x13
	opPacketStatus     = 0x14
	opRssiInst         = 0x15
	opGetErrors        = 0x17
	opReadRegister     = 0x1D
	opReadBuffer       = 0x1E
	opStandby          = 0x80
	opRx               = 0x82
	opTx               = 0x83
	opSleep            = 0x84
	opFrequency        = 0x86
	opCadParams        = 0x88
	opCalibrate        = 0x89
	opPacketType       = 0x8A
	opModulation       = 0x8B
	opPacket           = 0x8C
	opTxParams         = 0x8E
	opBufferBase       = 0x8F
	opFallback         = 0x93
	opPaConfig         = 0x95
	opRegulator        = 0x96
	opTcxo             = 0x97
	opCalibrateImage   = 0x98
	opDio2Switch       = 0x9D
	opStopTimer        = 0x9F
	opSymbTimeout      = 0xA0
	opGetStatus        = 0xC0
	opFs               = 0xC1
	opCad              = 0xC5
	statusReadRegister = 4 // index of the first byte of data
	statusReadBuffer   = 3
	statusGet          = 2
)

// Sets of modes.
const (
	inRC      = 1 << standbyRC
	inStandby = inRC | 1<<standbyXOSC | 1<<synthesizing
	awake     = inStandby | 1<<receive | 1<<transmit | 1<<detectActivity
)

// spec is a command.
type spec struct {
	name   string
	params int // at least
	modes  int // in which it is allowed
	lora   bool
	do     func(c *Chip, p []byte)
}

// commands are those that set something or begin something.
var commands map[byte]spec

func init() { // the functions look at the map
	commands = map[byte]spec{
		opResetStats:     {"ResetStats", 6, awake, false, func(*Chip, []byte) {}},
		opClearIrq:       {"ClearIrqStatus", 2, awake, false, func(c *Chip, p []byte) { c.irq &^= word(p) }},
		opClearErrors:    {"ClearDeviceErrors", 2, awake, false, func(c *Chip, _ []byte) { c.errors = 0 }},
		opDioIrqParams:   {"SetDioIrqParams", 8, awake, false, func(c *Chip, p []byte) { c.mask, c.dio1 = word(p), word(p[2:]) }},
		opWriteRegister:  {"WriteRegister", 3, awake, false, (*Chip).writeRegisters},
		opWriteBuffer:    {"WriteBuffer", 2, awake, false, (*Chip).writeBuffer},
		opStandby:        {"SetStandby", 1, awake, false, (*Chip).setStandby},
		opRx:             {"SetRx", 3, awake, true, (*Chip).setRx},
		opTx:             {"SetTx", 3, awake, true, (*Chip).setTx},
		opSleep:          {"SetSleep", 1, inStandby, false, (*Chip).setSleep},
		opFrequency:      {"SetRfFrequency", 4, inStandby, false, (*Chip).setFrequency},
		opCadParams:      {"SetCadParams", 7, inStandby, true, func(c *Chip, p []byte) { copy(c.settings.cad[:], p) }},
		opCalibrate:      {"Calibrate", 1, inRC, false, (*Chip).calibrate},
		opPacketType:     {"SetPacketType", 1, inStandby, false, func(c *Chip, p []byte) { c.settings.lora = p[0] == 1 }},
		opModulation:     {"SetModulationParams", 4, inStandby, true, (*Chip).setModulation},
		opPacket:         {"SetPacketParams", 6, awake, true, (*Chip).setPacket},
		opTxParams:       {"SetTxParams", 2, inStandby, false, func(c *Chip, p []byte) { c.settings.power, c.settings.ramp = int8(p[0]), p[1] }},
		opBufferBase:     {"SetBufferBaseAddress", 2, inStandby, false, func(c *Chip, p []byte) { c.settings.txBase, c.settings.rxBase = p[0], p[1] }},
		opFallback:       {"SetRxTxFallbackMode", 1, inStandby, false, (*Chip).setFallback},
		opPaConfig:       {"SetPaConfig", 4, inStandby, false, (*Chip).setPA},
		opRegulator:      {"SetRegulatorMode", 1, inRC, false, (*Chip).setRegulator},
		opTcxo:           {"SetDIO3AsTcxoCtrl", 4, inRC, false, (*Chip).setTCXO},
		opCalibrateImage: {"CalibrateImage", 2, inRC | 1<<standbyXOSC, false, (*Chip).calibrateImage},
		opDio2Switch:     {"SetDIO2AsRfSwitchCtrl", 1, inStandby, false, func(c *Chip, p []byte) { c.settings.dio2 = p[0] == 1 }},
		opStopTimer:      {"StopTimerOnPreamble", 1, awake, false, func(*Chip, []byte) {}},
		opSymbTimeout:    {"SetLoRaSymbNumTimeout", 1, awake, true, func(*Chip, []byte) {}},
		opFs:             {"SetFs", 0, inStandby, false, (*Chip).setFs},
		opCad:            {"SetCad", 0, inStandby, true, (*Chip).setCad},
	}
}

// versionQuestion is how one asks an SX1276 for its version. Who wants to know which family answers may do that.
const versionQuestion = 0x42

func word(p []byte) uint16 { return uint16(p[0])<<8 | uint16(p[1]) }

// command is what goes on while the chip is selected.
type command struct {
	bytes  [3 + 256]byte
	n      int
	refuse bool // it came while BUSY was high
	reply  [16]byte
	length int
}

// Results of a command, in the status byte.
const (
	resultDone      = 1
	resultData      = 2
	resultTimeout   = 3
	resultError     = 4
	resultFailed    = 5
	resultTxDone    = 6
	commandDone     = 600 * time.Nanosecond // BUSY after a command that changes no mode
	sleepTime       = 500 * time.Microsecond
	wakeCold        = 3500 * time.Microsecond
	wakeWarm        = 340 * time.Microsecond
	calibrationTime = 3500 * time.Microsecond
	imageTime       = time.Millisecond
)

// selectChip begins a transaction. The falling edge of NSS wakes the chip up.
func (c *Chip) selectChip() {
	c.txn.n, c.txn.length, c.txn.refuse = 0, 0, false
	if c.mode != sleep || !c.powered {
		c.txn.refuse = c.inReset || c.Now.Before(c.busyUntil)
		return
	}
	c.txn.refuse = true
	if c.Now.Before(c.sleptAt.Add(sleepTime)) {
		c.Violate(SleepAccess, "%v after it", c.Now.Sub(c.sleptAt))
	}
	c.wake()
}

// wake ends sleep.
func (c *Chip) wake() {
	if !c.warm {
		c.reset()
		c.busyUntil = c.Now.Add(wakeCold)
		return
	}
	c.mode, c.settledAt = standbyRC, c.Now
	c.busyUntil = c.Now.Add(wakeWarm)
	if word(c.registers[regRetention+1:]) != regRxGain { // not in the list of what is kept
		c.registers[regRxGain] = rxGainNormal
	}
}

// exchange takes a byte from the host and returns the chip's.
func (c *Chip) exchange(in byte) (out byte) {
	t := &c.txn
	if !c.powered {
		return 0
	}
	if t.refuse {
		if t.n == 0 && in != 0 && in != opGetStatus { // those wake it up
			c.Violate(CommandBusy, "0x%02X", in)
		}
		t.n++
		return c.status()
	}
	out = c.status()
	if t.n > 0 {
		switch code := t.bytes[0]; {
		case code == opReadRegister && t.n >= statusReadRegister:
			out = c.readRegister(word(t.bytes[1:]) + uint16(t.n-statusReadRegister))
		case code == opReadBuffer && t.n >= statusReadBuffer:
			out = c.buffer[t.bytes[1]+byte(t.n-statusReadBuffer)]
		case t.n >= statusGet && t.n-statusGet < t.length:
			out = t.reply[t.n-statusGet]
		}
	} else {
		t.length = c.answer(in)
	}
	if t.n < len(t.bytes) {
		t.bytes[t.n] = in
		t.n++
	}
	return out
}

// deselect ends a transaction: the command takes effect.
func (c *Chip) deselect() {
	t := &c.txn
	if t.refuse || t.n == 0 || !c.powered {
		return
	}
	code, p := t.bytes[0], t.bytes[1:t.n]
	if code == opReadRegister || code == opReadBuffer || t.length > 0 || code == opGetStatus {
		c.busyUntil = c.Now.Add(commandDone)
		return
	}
	s, ok := commands[code]
	c.busyUntil = c.Now.Add(commandDone)
	switch {
	case code == versionQuestion:
		c.result = resultError
	case !ok:
		c.Violate(UnknownCommand, "0x%02X", code)
		c.result = resultError
	case len(p) < s.params:
		c.Violate(CommandLength, "%s with %d bytes of parameters, it has %d", s.name, len(p), s.params)
		c.result = resultError
	case c.refuse > 0:
		c.refuse--
		c.result = resultFailed
	case s.modes&(1<<c.mode) == 0:
		c.Violate(WrongMode, "%s in mode %d", s.name, c.mode)
		c.result = resultFailed
	case s.lora && !c.settings.lora:
		c.Violate(WrongPacketType, "%s", s.name)
		c.result = resultFailed
	default:
		c.result = resultDone
		s.do(c, p)
	}
}

// status returns the status byte.
func (c *Chip) status() byte {
	code := map[mode]byte{standbyRC: 2, standbyXOSC: 3, synthesizing: 4, receive: 5, detectActivity: 5, transmit: 6}[c.mode]
	return code<<4 | c.result<<1
}

// answer puts the reply to a command that asks for something into the transaction, and returns its length.
func (c *Chip) answer(code byte) int {
	r := &c.txn.reply
	put := func(v uint16) int { r[0], r[1] = byte(v>>8), byte(v); return 2 }
	switch code {
	case opGetIrq:
		return put(c.irq)
	case opGetErrors:
		return put(c.errors)
	case opRxBufferStatus:
		r[0], r[1] = c.rxLength, c.rxStart
		return 2
	case opPacketStatus:
		r[0], r[1], r[2] = c.packetStatus()
		return 3
	case opRssiInst:
		r[0] = c.rssiInst()
		return 1
	case opGetStats:
		clear(r[:6])
		return 6
	}
	return 0
}

func (c *Chip) readRegister(addr uint16) byte { return c.registers[addr&0x0FFF] }

func (c *Chip) writeRegisters(p []byte) {
	for i, v := range p[2:] {
		addr := word(p) + uint16(i)
		if !writable[addr] {
			c.Violate(ReservedWritten, "0x%02X to 0x%04X", v, addr)
		}
		c.registers[addr&0x0FFF] = v
	}
}

func (c *Chip) writeBuffer(p []byte) {
	for i, v := range p[1:] {
		c.buffer[p[0]+byte(i)] = v
	}
}
