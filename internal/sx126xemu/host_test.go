package sx126xemu

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// host is a program at the other end of the SPI port. Unless the test expects them, rules
// that it breaks are errors.
type host struct {
	*Chip
	t        *testing.T
	conn     spi.Conn
	expected []Rule
}

func newHost(t *testing.T, air *lorasim.Air, opt Options) *host {
	t.Helper()
	h := &host{Chip: New(air, opt), t: t}
	conn, err := h.Port().Connect(8*physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	h.conn = conn
	t.Cleanup(h.check)
	time.Sleep(resetBusy)
	return h
}

// expect lists rules that the test breaks on purpose.
func (h *host) expect(rules ...Rule) { h.expected = append(h.expected, rules...) }

func (h *host) check() {
	h.t.Helper()
	var broken []Rule
	for _, v := range h.Violations() {
		if broken = append(broken, v.Rule); !slices.Contains(h.expected, v.Rule) {
			h.t.Errorf("violation: %v", v)
		}
	}
	for _, r := range h.expected {
		if !slices.Contains(broken, r) {
			h.t.Errorf("rule not broken: %v", r)
		}
	}
}

// transact does a transaction as soon as BUSY is low, and returns all that came.
func (h *host) transact(out ...byte) []byte {
	h.t.Helper()
	for range 10000 {
		if !h.LineLevel(lineBusy) {
			break
		}
		time.Sleep(10 * time.Microsecond)
	}
	return h.atOnce(out...)
}

// atOnce does a transaction whatever BUSY says.
func (h *host) atOnce(out ...byte) []byte {
	h.t.Helper()
	r := make([]byte, len(out))
	if err := h.conn.Tx(out, r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *host) reg(addr uint16) byte {
	h.t.Helper()
	return h.transact(opReadRegister, byte(addr>>8), byte(addr), 0, 0)[4]
}

func (h *host) set(addr uint16, v byte) {
	h.t.Helper()
	h.transact(opWriteRegister, byte(addr>>8), byte(addr), v)
}

func (h *host) flags() uint16 {
	h.t.Helper()
	r := h.transact(opGetIrq, 0, 0, 0)
	return uint16(r[2])<<8 | uint16(r[3])
}

// up sets the chip up for SF7, 125 kHz, 868 MHz, with all flags.
func (h *host) up() {
	h.t.Helper()
	h.transact(opStandby, 0)
	if h.opt.TCXO > 0 {
		h.transact(opTcxo, 2, 0, 1, 64)
		h.transact(opClearErrors, 0, 0)
		h.transact(opCalibrate, 0x7F)
	}
	h.transact(opPacketType, 1)
	h.transact(opDio2Switch, 1)
	h.transact(opFallback, 0x30)
	h.transact(opCalibrateImage, 0xD7, 0xDB)
	h.transact(opFrequency, 0x36, 0x40, 0, 0)
	h.transact(opModulation, 7, 4, 1, 0)
	h.set(regTxMod, h.reg(regTxMod)|txModNarrow)
	h.set(regTxClamp, h.reg(regTxClamp)|txClamp)
	h.packet(255)
	h.set(regSyncMSB, 0x34)
	h.set(regSyncMSB+1, 0x44)
	h.transact(opBufferBase, 0, 0)
	h.transact(opPaConfig, 4, 7, 0, 1)
	h.transact(opTxParams, 14, 4)
	h.transact(opCadParams, 1, 22, 10, 0, 0, 0, 0)
	h.transact(opDioIrqParams, 0x03, 0xFF, 0x02, 0x03, 0, 0, 0, 0)
}

// packet sets the length, and obeys erratum 15.4.
func (h *host) packet(n byte) {
	h.t.Helper()
	h.transact(opPacket, 0, 8, 0, n, 1, 0)
	h.set(regIQ, h.reg(regIQ)|iqNormal)
}

func (h *host) listen() {
	h.t.Helper()
	h.transact(opRx, 0xFF, 0xFF, 0xFF)
	time.Sleep(time.Millisecond)
}

// send sends a packet and waits until it is over.
func (h *host) send(p []byte) {
	h.t.Helper()
	h.transact(append([]byte{opWriteBuffer, 0}, p...)...)
	h.packet(byte(len(p)))
	h.transact(opTx, 0, 0, 0)
	time.Sleep(lora.Config{}.Airtime(len(p)) + time.Millisecond)
}

// bubble runs a test with two chips that are set up.
func bubble(t *testing.T, opt Options, f func(a, b *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(-90)})
		a, b := newHost(t, air, opt), newHost(t, air, opt)
		a.up()
		b.up()
		f(a, b)
	})
}

func sequence(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// TestReception follows a packet through the flags and DIO1.
func TestReception(t *testing.T) {
	bubble(t, Options{TCXO: 1800}, func(a, b *host) {
		b.listen()
		a.transact(append([]byte{opWriteBuffer, 0}, sequence(64)...)...)
		a.packet(64)
		a.transact(opTx, 0, 0, 0)
		const symbol = 1024 * time.Microsecond
		start := time.Now().Add(126*time.Microsecond + 320*tick) // from RC, with the TCXO
		at := func(d time.Duration, flags uint16, dio1 bool) {
			t.Helper()
			time.Sleep(time.Until(start.Add(d)))
			if got := b.flags(); got != flags {
				t.Errorf("after %v: flags %#x, want %#x", d, got, flags)
			}
			if got := b.LineLevel(lineDIO1); got != dio1 {
				t.Errorf("after %v: DIO1 %v", d, got)
			}
		}
		at(47*symbol/10-time.Microsecond, 0, false)
		at(47*symbol/10, irqPreamble, false)
		header := 12544*time.Microsecond + 8*symbol
		at(header-time.Microsecond, irqPreamble, false)
		at(header, irqPreamble|irqHeaderValid, false)
		end := lora.Config{}.Airtime(64)
		at(end-time.Microsecond, irqPreamble|irqHeaderValid, false)
		at(end, irqPreamble|irqHeaderValid|irqRxDone, true)
		place := b.transact(opRxBufferStatus, 0, 0, 0)
		got := b.transact(append([]byte{opReadBuffer, place[3], 0}, make([]byte, 64)...)...)[3:]
		if place[2] != 64 || !bytes.Equal(got, sequence(64)) {
			t.Errorf("%d bytes: % x", place[2], got)
		}
		if r := b.transact(opPacketStatus, 0, 0, 0, 0); r[2] != 180 || r[4] != 180 || int8(r[3]) != 27*4 {
			t.Errorf("strength % d", r[2:])
		}
		if b.reg(regHeaderCR)>>4 != 1 || b.reg(regHeaderCRC)&0x10 == 0 {
			t.Error("registers of the header")
		}
		b.transact(opClearIrq, 0, irqRxDone)
		if got := b.flags(); got != irqPreamble|irqHeaderValid || b.LineLevel(lineDIO1) {
			t.Errorf("flags %#x after ClearIrq", got)
		}
	})
}

// TestPunished: what a driver may forget, and what comes of it at the receiver.
func TestPunished(t *testing.T) {
	tests := []struct {
		name  string
		opt   Options
		spoil func(a, b *host)
		rule  Rule
		end   uint16 // flags at the receiver
	}{
		{"nothing forgotten", Options{DIO2Switch: true}, func(a, b *host) {}, "", irqPreamble | irqHeaderValid | irqRxDone},
		{"15.4 at the receiver", Options{}, func(a, b *host) { b.transact(opPacket, 0, 8, 0, 255, 1, 0) }, Errata, 0},
		{"sync word", Options{}, func(a, b *host) { b.set(regSyncMSB, 0x14) }, "", 0},
		{"low data rate", Options{}, func(a, b *host) { b.transact(opModulation, 7, 4, 1, 1) }, "", irqPreamble | irqHeaderValid | irqRxDone | irqCrcErr},
		{"longer preamble than expected", Options{}, func(a, b *host) { b.transact(opPacket, 0, 6, 0, 255, 1, 0); b.set(regIQ, 0x0D) }, "", irqPreamble | irqHeaderErr},
		{"shorter than the packet", Options{}, func(a, b *host) { b.packet(29) }, "", irqPreamble | irqHeaderErr},
		{"CRC error not in the mask", Options{}, func(a, b *host) {
			b.transact(opDioIrqParams, 0, irqRxDone, 0, irqRxDone, 0, 0, 0, 0)
			b.CorruptReceive(1)
		}, "", irqRxDone},
		{"image of another band", Options{}, func(a, b *host) { b.transact(opCalibrateImage, 0xE1, 0xE9) }, ImageCalibration, irqPreamble | irqHeaderValid | irqRxDone},
		{"RxDone not in the mask", Options{}, func(a, b *host) { b.transact(opDioIrqParams, 0, irqPreamble, 0, 0, 0, 0, 0, 0) }, NoInterrupt, irqPreamble},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, tt.opt, func(a, b *host) {
				tt.spoil(a, b)
				if tt.rule != "" {
					b.expect(tt.rule)
				}
				b.listen()
				a.send(sequence(30))
				if got := b.flags(); got != tt.end {
					t.Errorf("flags %#x, want %#x", got, tt.end)
				}
			})
		})
	}
}

// TestTransmitter: what a driver may forget, and what comes of it on the air.
func TestTransmitter(t *testing.T) {
	tests := []struct {
		name  string
		opt   Options
		spoil func(a *host)
		rule  Rule
		power int // on the air; 0: nothing is sent
	}{
		{"14 dBm", Options{}, func(a *host) {}, "", 14},
		{"22 dBm", Options{}, func(a *host) { a.transact(opTxParams, 22, 4) }, "", 22},
		{"an amplifier", Options{Gain: 8}, func(a *host) {}, "", 22},
		{"too much for it", Options{Gain: 25, MaxPower: 8}, func(a *host) {}, Overpower, 39},
		{"15.1", Options{}, func(a *host) { a.transact(opModulation, 7, 4, 1, 0) }, Errata, 14},
		{"15.2", Options{}, func(a *host) { a.set(regTxClamp, 0xC8&^txClamp) }, Errata, 14},
		{"current limit", Options{}, func(a *host) { a.set(regOCP, 0x18) }, Overcurrent, 9},
		{"power", Options{}, func(a *host) { a.transact(opTxParams, 23, 4) }, BadPower, 22},
		{"amplifier of another chip", Options{}, func(a *host) { a.transact(opPaConfig, 4, 0, 1, 1) }, BadPower, -20},
		{"DIO2", Options{DIO2Switch: true}, func(a *host) { a.transact(opDio2Switch, 0) }, SwitchUndriven, -26},
		{"TXEN", Options{TXEN: true}, func(a *host) {}, SwitchUndriven, -26},
		{"frequency", Options{Model: SX1268}, func(a *host) {}, BadFrequency, 0},
		{"spreading factor", Options{Model: LLCC68}, func(a *host) { a.transact(opModulation, 10, 4, 1, 0) }, BadModem, 0},
		{"low data rate", Options{}, func(a *host) { a.transact(opModulation, 12, 4, 1, 0) }, BadModem, 0},
		{"packet type", Options{}, func(a *host) { a.transact(opPacketType, 0) }, WrongPacketType, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newHost(t, lorasim.NewAir(lorasim.Options{}), tt.opt)
				a.up()
				tt.spoil(a)
				if tt.rule != "" {
					a.expect(tt.rule)
				}
				a.transact(append([]byte{opWriteBuffer, 0}, sequence(30)...)...)
				a.transact(opPacket, 0, 8, 0, 30, 1, 0)
				a.set(regIQ, 0x0D)
				a.transact(opTx, 0, 0, 0)
				time.Sleep(time.Second)
				if sent := a.Stats().Sent; sent != uint64(min(1, tt.power*tt.power)) {
					t.Errorf("%d sent", sent)
				}
				if got := a.Antenna().Config().TxPower; tt.power != 0 && got != tt.power {
					t.Errorf("%d dBm, want %d", got, tt.power)
				}
			})
		})
	}
}

// TestBusy: a command that comes while BUSY is high is lost; one that is not allowed in a mode fails, and the next status says so.
func TestBusy(t *testing.T) {
	bubble(t, Options{}, func(a, b *host) {
		a.expect(CommandBusy, WrongMode, UnknownCommand, CommandLength)
		a.transact(opRx, 0xFF, 0xFF, 0xFF)
		if !a.LineLevel(lineBusy) {
			t.Error("BUSY low right after SetRx")
		}
		a.atOnce(opStandby, 0)
		if r := a.transact(opGetStatus, 0); r[1]>>4 != 5 {
			t.Errorf("status %#x: the command was not lost", r[1])
		}
		a.transact(opCalibrate, 0x7F) // while it receives
		if r := a.transact(opGetStatus, 0); r[1] != 5<<4|resultFailed<<1 {
			t.Errorf("status %#x", r[1])
		}
		a.transact(0xF3)
		a.transact(opFrequency, 1)
		if r := a.transact(opGetStatus, 0); r[1]>>1&7 != resultError {
			t.Errorf("status %#x", r[1])
		}
		a.StickBusy(false)
		if a.LineLevel(lineBusy) {
			t.Error("BUSY does not stick")
		}
		a.FreeBusy()
		a.RefuseCommands(1)
		a.transact(opStandby, 0)
		if r := a.transact(opGetStatus, 0); r[1] != 5<<4|resultFailed<<1 {
			t.Errorf("status %#x after a refused command", r[1])
		}
	})
}

// TestSleep: warm sleep keeps what is in the list of what is kept, cold sleep nothing; BUSY is high, and NSS wakes.
func TestSleep(t *testing.T) {
	bubble(t, Options{}, func(a, _ *host) {
		sleep := func(kind byte) {
			a.transact(opStandby, 0)
			a.transact(opSleep, kind)
			time.Sleep(time.Millisecond)
			if !a.LineLevel(lineBusy) {
				t.Error("BUSY low in sleep")
			}
			a.atOnce(opGetStatus, 0)
			time.Sleep(10 * time.Microsecond)
		}
		a.set(regRxGain, rxGainBoosted)
		sleep(4)
		if got := a.reg(regRxGain); got != rxGainNormal || a.reg(regSyncMSB) != 0x34 {
			t.Errorf("gain %#x after warm sleep", got)
		}
		a.set(regRxGain, rxGainBoosted)
		a.transact(opWriteRegister, 0x02, 0x9F, 1, 0x08, 0xAC)
		sleep(4)
		if got := a.reg(regRxGain); got != rxGainBoosted {
			t.Errorf("gain %#x after warm sleep that keeps it", got)
		}
		a.transact(opStandby, 0)
		a.transact(opCalibrate, 0x7F)
		if got := a.reg(regRxGain); got != rxGainNormal {
			t.Errorf("gain %#x after calibration", got)
		}
		sleep(0)
		if got := a.reg(regSyncMSB); got != 0x14 {
			t.Errorf("sync word %#x after cold sleep", got)
		}
		a.expect(SleepAccess)
		a.transact(opSleep, 4)
		a.atOnce(opGetStatus, 0)
	})
}

// TestOscillator: a TCXO wants its voltage, a crystal none, and both tell of it in the errors of the device.
func TestOscillator(t *testing.T) {
	for _, tt := range []struct {
		name string
		tcxo int // of the board
		code int // of SetDIO3AsTcxoCtrl; -1: not given
		runs bool
		rule Rule
	}{
		{"crystal", 0, -1, true, ""},
		{"crystal with a voltage", 0, 2, false, ""},
		{"TCXO", 1800, 2, true, ""},
		{"TCXO without a voltage", 1800, -1, false, ""},
		{"TCXO with less", 3000, 2, false, ""},
		{"TCXO with more", 1800, 7, true, Overvoltage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, lorasim.NewAir(lorasim.Options{}), Options{TCXO: tt.tcxo})
				if tt.rule != "" {
					h.expect(tt.rule)
				}
				if r := h.transact(opGetErrors, 0, 0, 0); (r[3]&errXOSC != 0) != (tt.tcxo != 0) {
					t.Errorf("errors %#x after a reset", r[3])
				}
				if tt.code >= 0 {
					h.transact(opTcxo, byte(tt.code), 0, 1, 64)
				}
				h.transact(opClearErrors, 0, 0)
				h.transact(opCalibrate, 0x7F)
				h.transact(opStandby, 1)
				status := h.transact(opGetStatus, 0)[1]
				errors := h.transact(opGetErrors, 0, 0, 0)
				if runs := status>>4 == 3 && errors[3] == 0; runs != tt.runs {
					t.Errorf("status %#x, errors %#x", status, errors[3])
				}
			})
		})
	}
}

// TestActivity: channel activity detection, its exits, and parameters that do not work.
func TestActivity(t *testing.T) {
	const long = 200
	bubble(t, Options{}, func(a, b *host) {
		b.transact(opCad)
		time.Sleep(3 * time.Millisecond)
		if got := b.flags(); got != irqCadDone {
			t.Errorf("silence: flags %#x", got)
		}
		a.transact(append([]byte{opWriteBuffer, 0}, sequence(long)...)...)
		a.packet(long)
		a.transact(opTx, 0, 0, 0)
		time.Sleep(100 * time.Millisecond) // in the payload
		b.transact(opClearIrq, 0x03, 0xFF)
		b.transact(opCad)
		time.Sleep(3 * time.Millisecond)
		if got := b.flags(); got != irqCadDone|irqCadDetected {
			t.Errorf("payload: flags %#x", got)
		}
		if r := b.transact(opGetStatus, 0); r[1]>>4 != 2 {
			t.Errorf("status %#x after detection alone", r[1])
		}
		b.transact(opCadParams, 1, 22, 10, 1, 0, 0x40, 0) // 256 ms
		b.transact(opClearIrq, 0x03, 0xFF)
		b.transact(opCad)
		time.Sleep(3 * time.Millisecond)
		if r := b.transact(opGetStatus, 0); r[1]>>4 != 5 {
			t.Errorf("status %#x after detection that goes on to receive", r[1])
		}
		time.Sleep(300 * time.Millisecond)
		if got := b.flags(); got&irqTimeout == 0 {
			t.Errorf("flags %#x: reception does not end", got)
		}
		b.expect(BadCAD)
		b.transact(opClearIrq, 0x03, 0xFF)
		b.transact(opCadParams, 1, 0x22, 0x10, 0, 0, 0, 0) // decimals taken for hexadecimals
		b.transact(opCad)
		time.Sleep(3 * time.Millisecond)
		if got := b.flags(); got&irqCadDetected != 0 {
			t.Errorf("flags %#x", got)
		}
	})
}
