package sx126x

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// opcode is a command (data sheet, chapter 11).
type opcode byte

const (
	opClearIrq       opcode = 0x02
	opClearErrors    opcode = 0x07
	opDioIrqParams   opcode = 0x08
	opWriteRegister  opcode = 0x0D
	opWriteBuffer    opcode = 0x0E
	opGetIrq         opcode = 0x12
	opRxBufferStatus opcode = 0x13
	opPacketStatus   opcode = 0x14
	opRssiInst       opcode = 0x15
	opGetErrors      opcode = 0x17
	opReadRegister   opcode = 0x1D
	opReadBuffer     opcode = 0x1E
	opStandby        opcode = 0x80
	opRx             opcode = 0x82
	opTx             opcode = 0x83
	opSleep          opcode = 0x84
	opFrequency      opcode = 0x86
	opCadParams      opcode = 0x88
	opCalibrate      opcode = 0x89
	opPacketType     opcode = 0x8A
	opModulation     opcode = 0x8B
	opPacket         opcode = 0x8C
	opTxParams       opcode = 0x8E
	opBufferBase     opcode = 0x8F
	opFallback       opcode = 0x93
	opPaConfig       opcode = 0x95
	opRegulator      opcode = 0x96
	opTcxo           opcode = 0x97
	opCalibrateImage opcode = 0x98
	opDio2Switch     opcode = 0x9D
	opGetStatus      opcode = 0xC0
	opCad            opcode = 0xC5
)

var opcodeNames = map[opcode]string{
	opClearIrq: "ClearIrqStatus", opClearErrors: "ClearDeviceErrors", opDioIrqParams: "SetDioIrqParams", opWriteRegister: "WriteRegister",
	opWriteBuffer: "WriteBuffer", opGetIrq: "GetIrqStatus", opRxBufferStatus: "GetRxBufferStatus", opPacketStatus: "GetPacketStatus",
	opRssiInst: "GetRssiInst", opGetErrors: "GetDeviceErrors", opReadRegister: "ReadRegister", opReadBuffer: "ReadBuffer",
	opStandby: "SetStandby", opRx: "SetRx", opTx: "SetTx", opSleep: "SetSleep", opFrequency: "SetRfFrequency", opCadParams: "SetCadParams",
	opCalibrate: "Calibrate", opPacketType: "SetPacketType", opModulation: "SetModulationParams", opPacket: "SetPacketParams",
	opTxParams: "SetTxParams", opBufferBase: "SetBufferBaseAddress", opFallback: "SetRxTxFallbackMode", opPaConfig: "SetPaConfig",
	opRegulator: "SetRegulatorMode", opTcxo: "SetDIO3AsTcxoCtrl", opCalibrateImage: "CalibrateImage", opDio2Switch: "SetDIO2AsRfSwitchCtrl",
	opGetStatus: "GetStatus", opCad: "SetCad",
}

// String returns the data sheet's name.
func (o opcode) String() string { return opcodeNames[o] }

// The registers in use (data sheet, table 12-1, and chapter 15).
const (
	regRetention = 0x029F // what warm sleep keeps: a number, and addresses
	regVersion   = 0x0320 // text of 16 bytes, not in the data sheet
	regIQ        = 0x0736
	regSyncWord  = 0x0740
	regHeaderCRC = 0x076B
	regTxMod     = 0x0889
	regRxGain    = 0x08AC
	regTxClamp   = 0x08D8
	regOCP       = 0x08E7
)

// Flags of GetIrqStatus.
const (
	irqTxDone = 1 << iota
	irqRxDone
	irqPreamble
	irqSyncWord // FSK
	irqHeaderValid
	irqHeaderErr
	irqCrcErr
	irqCadDone
	irqCadDetected
	irqTimeout

	// irqMask is what latches: everything else is as if it had not happened.
	irqMask = irqTxDone | irqRxDone | irqPreamble | irqHeaderValid | irqHeaderErr | irqCrcErr | irqCadDone | irqCadDetected | irqTimeout
	// irqLine is what DIO1 shows.
	irqLine = irqTxDone | irqRxDone | irqTimeout
	// irqReception belongs to the reception of one packet.
	irqReception = irqRxDone | irqPreamble | irqHeaderValid | irqHeaderErr | irqCrcErr
)

// Modes, as the status byte has them.
const (
	modeRC   = 2
	modeXOSC = 3
	modeRx   = 5
	modeTx   = 6
)

func statusMode(status byte) byte { return status >> 4 & 7 }

const (
	// busyMax is how long BUSY may be high after any command: a TCXO's start and all calibrations are shorter.
	busyMax = 100 * time.Millisecond
	// busyPause is the pause between looks at BUSY, longPause the one after longAfter of them.
	busyPause = 20 * time.Microsecond
	longPause = 250 * time.Microsecond
	longAfter = 25
)

// ready waits until the chip takes a command.
func (c *chip) ready() error {
	var limit time.Time
	for looks := 0; ; looks++ {
		level, err := c.pins.Busy.Level()
		switch {
		case err != nil:
			return &lora.Error{Op: "wait", Reg: "BUSY", Err: err}
		case level == transceiver.Low:
			return nil
		}
		now := c.clock.Now()
		if limit.IsZero() {
			limit = now.Add(busyMax)
		}
		if now.After(limit) {
			return &lora.Error{Op: "wait", Reg: "BUSY", Err: &Problem{Err: ErrBusy, Remedy: remedyBusy}}
		}
		if looks < longAfter {
			c.sleep(busyPause)
		} else {
			c.sleep(longPause)
		}
	}
}

// transfer does a transaction of n bytes in W, when the chip is ready, once more and again if it fails: all commands may be repeated but
// those that begin something, see begin.
func (c *chip) transfer(n int) error {
	op := opcode(c.W[0])
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.Retry(n); err != nil {
		return fail("command", op.String(), err)
	}
	return c.checkStatus(op, n)
}

// checkStatus looks at the status byte, which came beside the parameters and tells what became of the command before this one.
func (c *chip) checkStatus(op opcode, n int) error {
	last := c.last
	c.last = op
	if n < 2 {
		return nil
	}
	const failed, execution = 4, 5
	if result := c.R[1] >> 1 & 7; last != 0 && (result == failed || result == execution) && c.R[1] != 0xFF {
		c.last = 0
		return &lora.Error{Op: "command", Reg: last.String(), Err: &Problem{Err: ErrRefused, Remedy: remedyRefused}}
	}
	return nil
}

// command does a command with parameters.
func (c *chip) command(op opcode, params ...byte) error {
	c.W[0] = byte(op)
	copy(c.W[1:], params)
	return c.transfer(1 + len(params))
}

// ask does a command that has n bytes of answer, which are in R from 2 on. R[1] is the status.
func (c *chip) ask(op opcode, n int) error {
	clear(c.W[:2+n])
	c.W[0] = byte(op)
	return c.transfer(2 + n)
}

// begin does a command that must not be done twice. After a failure it looks whether the chip has obeyed all the same.
func (c *chip) begin(mode byte, op opcode, params ...byte) (err error) {
	for range driver.Attempts {
		c.W[0] = byte(op)
		copy(c.W[1:], params)
		if err := c.ready(); err != nil {
			return err
		}
		if err = c.Tx(1 + len(params)); err == nil {
			return c.checkStatus(op, 1+len(params))
		}
		if e := c.ask(opGetStatus, 0); e == nil && statusMode(c.R[1]) == mode {
			c.last = op
			return nil
		}
	}
	return fail("command", op.String(), err)
}

// readRegisters reads n registers, which are then in R from 4 on.
func (c *chip) readRegisters(addr uint16, n int) ([]byte, error) {
	clear(c.W[:4+n])
	c.W[0], c.W[1], c.W[2] = byte(opReadRegister), byte(addr>>8), byte(addr)
	if err := c.transfer(4 + n); err != nil {
		return nil, err
	}
	return c.R[4 : 4+n], nil
}

func (c *chip) readRegister(addr uint16) (byte, error) {
	r, err := c.readRegisters(addr, 1)
	if err != nil {
		return 0, err
	}
	return r[0], nil
}

func (c *chip) writeRegisters(addr uint16, values ...byte) error {
	c.W[0], c.W[1], c.W[2] = byte(opWriteRegister), byte(addr>>8), byte(addr)
	copy(c.W[3:], values)
	return c.transfer(3 + len(values))
}

// change changes bits of a register.
func (c *chip) change(addr uint16, clear, set byte) (byte, error) {
	v, err := c.readRegister(addr)
	if err != nil {
		return 0, err
	}
	v = v&^clear | set
	return v, c.writeRegisters(addr, v)
}

// readBuffer reads from an address of the chip's buffer on.
func (c *chip) readBuffer(buf []byte, addr byte) error {
	clear(c.W[:3+len(buf)])
	c.W[0], c.W[1] = byte(opReadBuffer), addr
	if err := c.transfer(3 + len(buf)); err != nil {
		return err
	}
	copy(buf, c.R[3:])
	return nil
}

// writeBuffer writes data from address 0 on.
func (c *chip) writeBuffer(data []byte) error {
	c.W[0], c.W[1] = byte(opWriteBuffer), 0
	copy(c.W[2:], data)
	return c.transfer(2 + len(data))
}

func (c *chip) clearIrq(flags uint16) error {
	return c.command(opClearIrq, byte(flags>>8), byte(flags))
}

// differs is the error of a chip that is not as it was set.
func differs(what string, got, want byte) error {
	return &lora.Error{Op: "check", Reg: what, Err: fmt.Errorf("0x%02X, not 0x%02X: %w", got, want, ErrRestarted)}
}
