package sx1276emu

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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

// exchange does a transaction and returns what came after the address.
func (h *host) transact(addr byte, out ...byte) []byte {
	h.t.Helper()
	w := append([]byte{addr}, out...)
	r := make([]byte, len(w))
	if err := h.conn.Tx(w, r); err != nil {
		h.t.Fatal(err)
	}
	return r[1:]
}

func (h *host) get(addr byte) byte {
	h.t.Helper()
	return h.transact(addr, 0)[0]
}

func (h *host) burst(addr byte, n int) []byte {
	h.t.Helper()
	return h.transact(addr, make([]byte, n)...)
}

func (h *host) set(addr byte, values ...byte) []byte {
	h.t.Helper()
	return h.transact(addr|writeBit, values...)
}

func (h *host) wantReg(addr, want byte) {
	h.t.Helper()
	if got := h.get(addr); got != want {
		h.t.Errorf("%s is 0x%02X, want 0x%02X", h.variant.bank.registerName(addr, h.fskPage()), got, want)
	}
}

func (h *host) wantDIO(n int, want bool) {
	h.t.Helper()
	if got, _ := h.DIO(n).Level(); bool(got) != want {
		h.t.Errorf("DIO%d is %v", n, got)
	}
}

// Values of RegOpMode in LoRa mode.
const (
	opSleep    = 0x80
	opStandby  = 0x81
	opFSTX     = 0x82
	opTransmit = 0x83
	opFSRX     = 0x84
	opReceive  = 0x85
	opSingle   = 0x86
	opCAD      = 0x87
)

// up takes the chip from reset to LoRa standby, with sync word 0x34, 868 MHz, 14 dBm, CRC
// on, errata 2.3 obeyed; else with the reset values: SF7, 125 kHz, 4/5, preamble 8.
func (h *host) up() {
	h.t.Helper()
	h.set(regOpMode, 0x08)
	h.set(regOpMode, opSleep)
	h.set(regFrfMsb, 0xD9, 0x00, 0x00)
	h.set(regPaConfig, 0xFC)
	h.set(regSyncWord, 0x34)
	h.set(regDetectOptimize, 0x43)
	if h.opt.Model == SX1272 {
		h.set(regModemConfig1, 0x0A)
	} else {
		h.set(regModemConfig2, 0x74)
		h.set(regIfFreq2, 0x40, 0x00)
	}
	h.set(regOpMode, opStandby)
	time.Sleep(oscillatorTime)
}

// load clears all flags and writes a packet to the FIFO.
func (h *host) load(packet []byte) {
	h.t.Helper()
	h.set(regOpMode, opStandby)
	h.set(regIrqFlags, 0xFF)
	h.set(regPayloadLength, byte(len(packet)))
	h.set(regFifoAddrPtr, h.get(regFifoTxBaseAddr))
	h.set(regFifo, packet...)
}

// send transmits a packet and waits for TxDone.
func (h *host) send(packet []byte) {
	h.t.Helper()
	h.load(packet)
	h.set(regDioMapping1, 0x40)
	edge := h.DIO(0).Edges()
	for len(edge) > 0 { // stale
		<-edge
	}
	h.set(regOpMode, opTransmit)
	select {
	case <-edge:
	case <-time.After(10 * time.Second):
		h.t.Fatal("no TxDone")
	}
	h.wantReg(regIrqFlags, irqTxDone)
	h.wantReg(regOpMode, opStandby)
	h.set(regIrqFlags, 0xFF)
}

// listen begins to receive.
func (h *host) listen() {
	h.t.Helper()
	h.set(regDioMapping1, 0x00)
	h.set(regOpMode, opReceive)
	time.Sleep(time.Millisecond)
}

// take returns the packet that has come and clears the flags.
func (h *host) take() []byte {
	h.t.Helper()
	if h.get(regIrqFlags)&irqRxDone == 0 {
		h.t.Error("no RxDone")
		return nil
	}
	h.set(regFifoAddrPtr, h.get(regFifoRxCurrentAddr))
	packet := h.burst(regFifo, int(h.get(regRxNbBytes)))
	h.set(regIrqFlags, 0xFF)
	return packet
}

func (h *host) wantPacket(want []byte) {
	h.t.Helper()
	if got := h.take(); !bytes.Equal(got, want) {
		h.t.Errorf("received %x, want %x", got, want)
	}
}

// newAir returns an air on which everyone hears everyone.
func newAir(rssi float64) *lorasim.Air {
	return lorasim.NewAir(lorasim.Options{Propagation: lorasim.Uniform(rssi), NoListen: true})
}

// bubble runs a test of one chip.
func bubble(t *testing.T, opt Options, f func(h *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newHost(t, newAir(-90), opt)) })
}

// bubble2 runs a test of two chips that are up.
func bubble2(t *testing.T, f func(air *lorasim.Air, a, b *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		air := newAir(-90)
		a, b := newHost(t, air, Options{Seed: 1}), newHost(t, air, Options{Seed: 2})
		a.up()
		b.up()
		f(air, a, b)
	})
}

// sequence returns n bytes that count from first.
func sequence(first, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(first + i)
	}
	return b
}
