package sx1276emu

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

func TestBrownOut(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		a.load(sequence(0, 100))
		a.set(regOpMode, opTransmit)
		time.Sleep(50 * time.Millisecond)
		a.BrownOut()
		b.BrownOut()
		time.Sleep(time.Second)
		for _, h := range []*host{a, b} {
			h.wantDIO(0, false)
			h.wantReg(regOpMode, 0x09)
			h.wantReg(regPaConfig, 0x4F)
			h.up()
		}
		b.wantReg(regIrqFlags, 0)
		b.listen()
		a.send(sequence(0, 10))
		b.wantPacket(sequence(0, 10))
	})
}

func TestLostEdges(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		edges := b.DIO(0).Edges()
		b.listen()
		receive := func(want int) {
			t.Helper()
			a.send(sequence(0, 10))
			b.wantDIO(0, true)
			b.take()
			b.wantDIO(0, false)
			if len(edges) != want {
				t.Errorf("%d edges, want %d", len(edges), want)
			}
		}
		receive(1)
		b.LoseEdges(0, 2)
		receive(1)
		receive(1)
		receive(2)
		b.LoseEdges(0, -1)
		receive(2)
		receive(2)
		b.LoseEdges(0, 0)
		receive(3)
	})
}

func TestEdges(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		edges, changed := b.DIO(0).Edges(), b.DIO(0).Changed()
		b.listen()
		for range 20 { // more than there is room for
			a.send(sequence(0, 1))
			b.take()
		}
		if len(edges) != 16 || len(changed) != 1 {
			t.Errorf("%d edges, %d changes", len(edges), len(changed))
		}
	})
}

func TestStuckDIO(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		b.StickDIO(0, true)
		b.wantDIO(0, true)
		b.wantReg(regIrqFlags, 0)
		b.StickDIO(0, false)
		a.send(sequence(0, 10))
		b.wantDIO(0, false)
		b.wantReg(regIrqFlags, irqRxDone|irqValidHeader)
		b.FreeDIO(0)
		b.wantDIO(0, true)
	})
}

func TestSPIErrors(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		fault := errors.New("no such luck")
		h.FailSPI(2, fault)
		for range 2 {
			if err := h.conn.Tx([]byte{writeBit | regOcp, 0x55}, nil); !errors.Is(err, fault) {
				t.Error(err)
			}
		}
		h.wantReg(regOcp, 0x2B)
		h.FailSPI(-1, fault)
		for range 100 {
			if err := h.conn.Tx([]byte{regOcp, 0}, nil); !errors.Is(err, fault) {
				t.Error(err)
			}
		}
		h.FailSPI(0, nil)
		h.wantReg(regOcp, 0x2B)
	})
}

func TestBitErrors(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		h.FlipBits(4*physic.MegaHertz, 0.02)
		want := sequence(0, 128)
		p := h.Port()
		p.LimitSpeed(4 * physic.MegaHertz)
		slow, err := p.Connect(0, spi.Mode0, 8)
		if err != nil {
			t.Fatal(err)
		}
		slow.Tx([]byte{writeBit | regFifoAddrPtr, 0}, nil)
		slow.Tx(append([]byte{writeBit | regFifo}, want...), nil)
		read := func(c spi.Conn) []byte {
			r := make([]byte, 1+len(want))
			slow.Tx([]byte{writeBit | regFifoAddrPtr, 0}, nil)
			c.Tx(make([]byte, len(r)), r)
			return r[1:]
		}
		if got := read(slow); !bytes.Equal(got, want) {
			t.Errorf("at 4 MHz: %x", got)
		}
		wrong := 0
		for i, b := range read(h.conn) {
			if b != want[i] {
				wrong++
				if b != want[i]|0x80 {
					t.Errorf("0x%02X became 0x%02X", want[i], b)
				}
			}
		}
		if wrong == 0 || wrong > 20 {
			t.Errorf("%d errors at 8 MHz", wrong)
		}
	})
}

func TestSilence(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		for _, v := range []byte{0x00, 0xFF} {
			b.Silence(v)
			if got := b.burst(regVersion, 3); !bytes.Equal(got, []byte{v, v, v}) {
				t.Errorf("read %x", got)
			}
			b.set(regOpMode, opSleep)
			b.Speak()
			b.wantReg(regVersion, 0x12)
			b.wantReg(regOpMode, opReceive)
		}
		b.Silence(0)
		a.send(sequence(0, 10))
		b.wantDIO(0, true) // the chip lives
		b.Speak()
		b.wantPacket(sequence(0, 10))
	})
}

func TestWrongVersion(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.SetVersion(0x24)
		h.wantReg(regVersion, 0x24)
		h.SetVersion(0)
		h.wantReg(regVersion, 0x12)
	})
}

func TestHangTransmit(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		a.HangTransmit(1)
		a.load(sequence(0, 10))
		a.set(regDioMapping1, 0x40)
		a.set(regOpMode, opTransmit)
		time.Sleep(time.Minute)
		a.wantReg(regOpMode, opTransmit)
		a.wantReg(regIrqFlags, 0)
		b.wantPacket(sequence(0, 10))
		a.send(sequence(0, 10)) // through standby
		b.wantPacket(sequence(0, 10))
	})
}

func TestCorruptReceive(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		b.CorruptReceive(2)
		for range 2 {
			a.send(sequence(0, 10))
			b.wantReg(regIrqFlags, irqRxDone|irqPayloadCrcError|irqValidHeader)
			b.wantReg(regRxNbBytes, 10)
			b.take()
		}
		a.send(sequence(0, 10))
		b.wantReg(regIrqFlags, irqRxDone|irqValidHeader)
		if s := b.Stats(); s.CRCErrors != 2 || s.Received != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAllocations exchanges a packet by the registers: in steady state nothing is
// allocated, so that a driver's own allocations can be counted.
func TestAllocations(t *testing.T) {
	air := lorasim.NewAir(lorasim.Options{Speed: 1e6, NoListen: true, Propagation: lorasim.Uniform(-90)})
	a, b := newHost(t, air, Options{Seed: 1}), newHost(t, air, Options{Seed: 2})
	a.up()
	b.up()
	b.listen()
	var w, r [129]byte
	edges := a.DIO(0).Edges()
	do := func(h *host, n int, addr, value byte) byte {
		w[0], w[1] = addr, value
		if err := h.conn.Tx(w[:n], r[:n]); err != nil {
			t.Fatal(err)
		}
		return r[1]
	}
	do(a, 2, writeBit|regDioMapping1, 0x40)
	exchange := func() {
		do(a, 2, writeBit|regOpMode, opStandby)
		do(a, 2, writeBit|regPayloadLength, 127)
		do(a, 2, writeBit|regFifoAddrPtr, 0x80)
		do(a, 128, writeBit|regFifo, 1)
		do(a, 2, writeBit|regOpMode, opTransmit)
		<-edges
		do(a, 2, writeBit|regIrqFlags, 0xFF)
		if do(b, 2, regIrqFlags, 0)&irqRxDone == 0 {
			t.Error("no RxDone")
		}
		do(b, 2, writeBit|regFifoAddrPtr, do(b, 2, regFifoRxCurrentAddr, 0))
		do(b, 128, regFifo, 0)
		do(b, 2, writeBit|regIrqFlags, 0xFF)
	}
	for range 100 { // buffers and the runtime's stock of goroutines grow
		exchange()
	}
	if n := testing.AllocsPerRun(100, exchange); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
