package sx1276emu

import (
	"bytes"
	"errors"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora/sx1276"
	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// TestResetValues reads registers after a reset: first those in common, then the LoRa page.
func TestResetValues(t *testing.T) {
	tests := []struct {
		model  Model
		common map[byte]byte
		lora   map[byte]byte
	}{
		{
			SX1276,
			map[byte]byte{
				0x01: 0x09, 0x06: 0x6C, 0x07: 0x80, 0x08: 0x00, 0x09: 0x4F, 0x0A: 0x09, 0x0B: 0x2B, 0x0C: 0x20,
				0x40: 0x00, 0x41: 0x00, 0x42: 0x12, 0x4B: 0x09, 0x4D: 0x84,
				0x0D: 0x08, 0x3B: 0x82, 0x3E: 0x80, // of the FSK page
			},
			map[byte]byte{
				0x0D: 0x00, 0x0E: 0x80, 0x0F: 0x00, 0x11: 0x00, 0x12: 0x00, 0x18: 0x10, 0x1D: 0x72, 0x1E: 0x70,
				0x1F: 0x64, 0x20: 0x00, 0x21: 0x08, 0x22: 0x01, 0x23: 0xFF, 0x24: 0x00, 0x26: 0x04, 0x31: 0xC3,
				0x33: 0x27, 0x36: 0x03, 0x37: 0x0A, 0x39: 0x12, 0x3B: 0x1D,
			},
		},
		{
			SX1272,
			map[byte]byte{0x01: 0x09, 0x06: 0xE4, 0x07: 0xC0, 0x42: 0x22, 0x58: 0x09, 0x5A: 0x84},
			map[byte]byte{0x1D: 0x08, 0x1E: 0x74, 0x39: 0x12},
		},
	}
	for _, tt := range tests {
		t.Run(tt.model.String(), func(t *testing.T) {
			bubble(t, Options{Model: tt.model}, func(h *host) {
				for addr, want := range tt.common {
					h.wantReg(addr, want)
				}
				h.set(regOpMode, 0x00)
				h.set(regOpMode, opSleep)
				for addr, want := range tt.lora {
					h.wantReg(addr, want)
				}
			})
		})
	}
}

func TestAutoIncrement(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		// On a write, MISO returns the old content.
		if old := h.set(regFrfMsb, 1, 2, 3, 0xFF); !bytes.Equal(old, []byte{0xD9, 0, 0, 0xFC}) {
			t.Errorf("old content %x", old)
		}
		if got := h.burst(regFrfMsb, 4); !bytes.Equal(got, []byte{1, 2, 3, 0xFF}) {
			t.Errorf("read %x", got)
		}
	})
}

func TestFIFO(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		want := sequence(0, 100)
		h.set(regFifoAddrPtr, 200) // wraps
		h.set(regFifo, want...)
		h.wantReg(regFifoAddrPtr, 44)
		h.set(regFifoAddrPtr, 200)
		if got := h.burst(regFifo, 100); !bytes.Equal(got, want) {
			t.Errorf("read %x", got)
		}
		h.wantReg(regFifoAddrPtr, 44)
		h.set(regFifoAddrPtr, 255)
		if old := h.set(regFifo, 1, 2); !bytes.Equal(old, []byte{55, 56}) {
			t.Errorf("old content %x", old)
		}
	})
}

func TestPages(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.set(regOpMode, 0x08)
		h.set(0x39, 0x11) // RegTimer1Coef
		h.set(regOpMode, opSleep)
		h.wantReg(regSyncWord, 0x12)
		h.set(regSyncWord, 0x34)
		h.set(regOpMode, opSleep|accessShared)
		h.wantReg(0x39, 0x11)
		h.set(0x39, 0x22)
		h.set(regOpMode, opSleep)
		h.wantReg(regSyncWord, 0x34)
		h.set(regOpMode, 0x00)
		h.wantReg(0x39, 0x22)
	})
}

func TestReadOnly(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(ReadOnlyWritten, ReservedWritten)
		h.set(regVersion, 0x55)
		h.wantReg(regVersion, 0x12)
		h.set(0x43, 1)
		h.up()
		for _, addr := range []byte{regFifoRxCurrentAddr, regRxNbBytes, regModemStat, regPktSnrValue, regHopChannel, regFifoRxByteAddr} {
			before := h.get(addr)
			h.set(addr, ^before)
			h.wantReg(addr, before)
		}
		if n := len(h.Violations()); n != 8 {
			t.Errorf("%d violations", n)
		}
	})
}

func TestViolationsOfATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported []Violation
		h := newHost(t, newAir(-90), Options{OnViolation: func(v Violation) { reported = append(reported, v) }})
		h.expect(ReservedWritten, SPIClock)
		h.set(0x46, 1, 2, 3)
		if len(reported) != 1 || reported[0].String() != "write to a reserved register: 0x01 to 0x46" {
			t.Error(reported)
		}
		p := h.Port()
		p.LimitSpeed(20 * physic.MegaHertz)
		p.Connect(12*physic.MegaHertz, spi.Mode0, 8)
		if len(reported) != 2 || reported[1].Rule != SPIClock {
			t.Error(reported)
		}
	})
}

func TestConnect(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		p := h.Port()
		if err := p.LimitSpeed(0); err == nil {
			t.Error("limit 0 accepted")
		}
		if err := p.LimitSpeed(2 * physic.MegaHertz); err != nil {
			t.Error(err)
		}
		for _, f := range []func() (spi.Conn, error){
			func() (spi.Conn, error) { return p.Connect(-1, spi.Mode0, 8) },
			func() (spi.Conn, error) { return p.Connect(physic.MegaHertz, spi.Mode0|spi.LSBFirst, 8) },
			func() (spi.Conn, error) { return p.Connect(physic.MegaHertz, spi.Mode0|spi.HalfDuplex, 8) },
			func() (spi.Conn, error) { return p.Connect(physic.MegaHertz, spi.Mode0, 9) },
		} {
			if _, err := f(); err == nil {
				t.Error("accepted")
			}
		}
		c, err := p.Connect(8*physic.MegaHertz, spi.Mode0, 8)
		if err != nil || c.(*Conn).Clock() != 2*physic.MegaHertz {
			t.Error(c, err)
		}
		if c.Duplex() != conn.Full || c.(conn.Limits).MaxTxSize() != 4096 || c.String() == "" || p.String() == "" {
			t.Error("properties")
		}
		if _, err := p.Connect(0, spi.Mode0, 8); err == nil {
			t.Error("connected twice")
		}
		if err := c.Tx(make([]byte, 2), make([]byte, 3)); err == nil {
			t.Error("buffers of different lengths")
		}
		if err := c.Tx(nil, nil); err == nil {
			t.Error("no buffers")
		}
		if err := c.Tx(make([]byte, 4097), nil); err == nil {
			t.Error("too long")
		}
		if err := c.TxPackets([]spi.Packet{{W: []byte{0x42}, BitsPerWord: 9}}); err == nil {
			t.Error("9 bits")
		}
		if err := c.Tx([]byte{0x42, 0}, nil); err != nil {
			t.Error(err)
		}
		p.Close()
		if err := c.Tx([]byte{0x42, 0}, nil); !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
		if _, err := p.Connect(0, spi.Mode0, 8); !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestTxPackets(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		var r [1]byte
		one := []spi.Packet{{W: []byte{regVersion}, KeepCS: true}, {R: r[:]}}
		if err := h.conn.TxPackets(one); err != nil || r[0] != 0x12 {
			t.Errorf("%x, %v", r, err)
		}
		two := []spi.Packet{{W: []byte{regVersion}}, {R: r[:]}}
		if err := h.conn.TxPackets(two); err != nil || r[0] != 0 {
			t.Errorf("%x, %v", r, err)
		}
	})
}

func TestChipSelectPin(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		c, err := h.Port().Connect(0, spi.NoCS, 8)
		if err != nil {
			t.Fatal(err)
		}
		version := func() byte {
			var r [2]byte
			if err := c.Tx([]byte{regVersion, 0}, r[:]); err != nil {
				t.Fatal(err)
			}
			return r[1]
		}
		cs := h.Pins().CS
		if v := version(); v != 0 {
			t.Errorf("not selected: 0x%02X", v)
		}
		cs.Set(sx1276.Low)
		if v := version(); v != 0x12 {
			t.Errorf("selected: 0x%02X", v)
		}
		if v := version(); v != 0x2D { // the same transaction goes on, at 0x43 and 0x44
			t.Errorf("still selected: 0x%02X", v)
		}
		cs.Set(sx1276.High)
		cs.Set(sx1276.Low)
		if v := version(); v != 0x12 {
			t.Errorf("selected again: 0x%02X", v)
		}
		cs.Set(sx1276.High)
		cs.Set(sx1276.Low)
		var miso [2]byte
		h.Exchange([]byte{regVersion, 0}, miso[:], physic.MegaHertz)
		if miso[1] != 0x12 {
			t.Errorf("Exchange: %x", miso)
		}
		cs.Set(sx1276.High)
	})
}

func TestGPIOSelect(t *testing.T) {
	bubble(t, Options{GPIOSelect: true, RefuseNoCS: true}, func(h *host) {
		h.wantReg(regVersion, 0) // the port's own chip select leads nowhere
		h.Pins().CS.Set(sx1276.Low)
		h.wantReg(regVersion, 0x12)
		h.Pins().CS.Set(sx1276.Low) // no change, no new transaction
		h.wantReg(regVersion, 0x2D)
		h.Pins().CS.Set(sx1276.High)
		if _, err := h.Port().Connect(0, spi.NoCS, 8); !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
	})
}

func TestSPIMode(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(SPIMode)
		c, err := h.Port().Connect(0, spi.Mode3, 8)
		if err != nil {
			t.Fatal(err)
		}
		c.Tx([]byte{writeBit | regFrfMsb, 1, 2, 3}, nil)
		h.wantReg(regFrfMsb, 0x6C)
	})
}

func TestWireTime(t *testing.T) {
	opt := Options{Transfer: WireTime(20 * time.Microsecond)}
	bubble(t, opt, func(h *host) {
		begin := time.Now()
		h.burst(regFifo+1, 127) // 128 bytes at 8 MHz
		if got := time.Since(begin); got != 148*time.Microsecond {
			t.Error(got)
		}
	})
}
