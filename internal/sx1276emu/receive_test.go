package sx1276emu

import (
	"bytes"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// TestExchange has two chips and a simulated radio send to each other, each in turn.
func TestExchange(t *testing.T) {
	for _, model := range []Model{SX1276, SX1272} {
		t.Run(model.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := newAir(-90)
				a := newHost(t, air, Options{Seed: 1})
				b := newHost(t, air, Options{Seed: 2, Model: model})
				r := air.Radio(lora.Config{}, lorasim.Position{})
				a.up()
				b.up()
				radio := func(want []byte) {
					t.Helper()
					var buf [lora.MaxPacket]byte
					got, err := r.Receive(t.Context(), buf[:])
					if err != nil || !bytes.Equal(buf[:got.N], want) || got.RSSI != -90 {
						t.Errorf("%+v, %v, %x", got, err, buf[:got.N])
					}
				}
				for round := range 20 {
					n := 1 + round*13
					b.listen()
					a.send(sequence(1, n))
					b.wantPacket(sequence(1, n))
					radio(sequence(1, n))

					a.listen()
					b.send(sequence(2, n))
					a.wantPacket(sequence(2, n))
					radio(sequence(2, n))

					a.listen()
					b.listen()
					if err := r.Send(t.Context(), sequence(3, n)); err != nil {
						t.Error(err)
					}
					a.wantPacket(sequence(3, n))
					b.wantPacket(sequence(3, n))
				}
				for _, h := range []*host{a, b} {
					if s := h.Stats(); s.Sent != 20 || s.Received != 40 || s.CRCErrors+s.Overrun+s.Cut+s.Aborted != 0 {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

// TestSettings exchanges a packet at other settings than the reset values'.
func TestSettings(t *testing.T) {
	tests := []struct {
		name string
		regs map[byte]byte
		cfg  lora.Config // of a simulated radio
	}{
		{"SF8, 250 kHz, 4/8", map[byte]byte{regModemConfig1: 0x88, regModemConfig2: 0x84}, lora.Config{SpreadingFactor: lora.SF8, Bandwidth: lora.BW250, CodingRate: lora.CR48}},
		{"SF12", map[byte]byte{regModemConfig2: 0xC4, regModemConfig3: 0x0C}, lora.Config{SpreadingFactor: lora.SF12}},
		{"500 kHz", map[byte]byte{
			regModemConfig1: 0x92, regDetectOptimize: 0xC3, regHighBWOptimize1: 0x02, regHighBWOptimize2: 0x64,
		}, lora.Config{Bandwidth: lora.BW500}},
		{"868.1 MHz", map[byte]byte{regFrfMid: 0x06, regFrfLsb: 0x66}, lora.Config{Frequency: 868_100 * lora.KHz}},
		{"sync word", map[byte]byte{regSyncWord: 0x12}, lora.Config{SyncWord: lora.SyncPrivate}},
		{"long preamble", map[byte]byte{regPreambleMsb: 1}, lora.Config{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(air *lorasim.Air, a, b *host) {
				r := air.Radio(tt.cfg, lorasim.Position{})
				for addr, v := range tt.regs {
					a.set(addr, v)
					b.set(addr, v)
				}
				b.listen()
				a.send(sequence(0, 40))
				b.wantPacket(sequence(0, 40))
				var buf [lora.MaxPacket]byte
				if got, err := r.Receive(a.t.Context(), buf[:]); err != nil || got.N != 40 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

// TestMismatch has settings of the receiver with which it does not hear the sender.
func TestMismatch(t *testing.T) {
	tests := []struct {
		name  string
		regs  map[byte]byte
		flags byte
	}{
		{"sync word", map[byte]byte{regSyncWord: 0x12}, 0},
		{"spreading factor", map[byte]byte{regModemConfig2: 0x84}, 0},
		{"bandwidth", map[byte]byte{regModemConfig1: 0x82}, 0},
		{"frequency", map[byte]byte{regFrfMid: 0x06}, 0},
		{"inverted IQ", map[byte]byte{regInvertIQ: 0x67}, 0},
		{"implicit header", map[byte]byte{regModemConfig1: 0x73}, 0},
		{"maximum length", map[byte]byte{regMaxPayloadLength: 29}, 0},
		{"low data rate optimization", map[byte]byte{regModemConfig3: 0x0C}, irqRxDone | irqPayloadCrcError | irqValidHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(_ *lorasim.Air, a, b *host) {
				for addr, v := range tt.regs {
					b.set(addr, v)
				}
				b.listen()
				a.send(sequence(0, 30))
				b.wantReg(regIrqFlags, tt.flags)
				b.wantReg(regModemStat, b.get(regModemStat)&^statMask|rxOngoing)
			})
		})
	}
	t.Run("inverted both", func(t *testing.T) {
		bubble2(t, func(_ *lorasim.Air, a, b *host) {
			a.set(regInvertIQ, 0x26)
			b.set(regInvertIQ, 0x67)
			b.listen()
			a.send(sequence(0, 30))
			b.wantPacket(sequence(0, 30))
		})
	})
}

// TestImplicit exchanges packets without header, at SF6.
func TestImplicit(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		for _, h := range []*host{a, b} {
			h.set(regModemConfig1, 0x73)
			h.set(regModemConfig2, 0x64)
			h.set(regDetectOptimize, 0x45)
			h.set(regDetectThreshold, 0x0C)
			h.set(regPayloadLength, 40)
		}
		b.listen()
		begin := time.Now()
		a.send(sequence(0, 40))
		// 12.25 + 8 + ceil((320 - 24 + 44 - 20) / 24) * 5 symbols of 512 µs
		if got := time.Since(begin); got != 105*time.Microsecond+46208*time.Microsecond {
			t.Errorf("took %v", got)
		}
		b.wantPacket(sequence(0, 40))
		a.send(sequence(0, 39))
		b.wantReg(regIrqFlags, irqRxDone|irqPayloadCrcError)
		b.wantReg(regRxNbBytes, 40)
	})
}

// TestReceiveFIFO checks that packets follow each other in the FIFO and wrap.
func TestReceiveFIFO(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.set(regFifoRxBaseAddr, 0x10)
		b.listen()
		want := byte(0x10)
		for range 10 {
			a.send(sequence(7, 100))
			b.wantReg(regFifoRxCurrentAddr, want)
			b.wantPacket(sequence(7, 100))
			want += 100
			b.wantReg(regFifoRxByteAddr, want-1)
		}
		b.set(regOpMode, opStandby)
		b.listen() // begins at the base again
		a.send(sequence(7, 100))
		b.wantReg(regFifoRxCurrentAddr, 0x10)
	})
}

func TestCounters(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		for range 300 {
			a.send([]byte{1})
			b.take()
		}
		b.CorruptReceive(1)
		a.send([]byte{1})
		if got := b.burst(regRxHeaderCntMsb, 4); !bytes.Equal(got, []byte{1, 45, 1, 44}) {
			t.Errorf("counters % X", got)
		}
		b.set(regOpMode, opSleep)
		if got := b.burst(regRxHeaderCntMsb, 4); !bytes.Equal(got, make([]byte, 4)) {
			t.Errorf("counters % X after sleep", got)
		}
		if s := b.Stats(); s.Overrun != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestReception follows a packet through RegModemStat, RegIrqFlags and DIO0, DIO3.
func TestReception(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.set(regDioMapping1, 0x01) // DIO3 ValidHeader
		b.set(regOpMode, opReceive)
		header := b.DIO(3).Edges()
		done := b.DIO(0).Edges()
		time.Sleep(time.Millisecond)
		a.load(sequence(0, 64))
		a.set(regModemConfig1, 0x74) // 4/6
		a.set(regOpMode, opTransmit)
		start := time.Now().Add((60 + 5 + 40) * time.Microsecond)
		const symbol = 1024 * time.Microsecond
		at := func(d time.Duration, stat, flags byte) {
			t.Helper()
			time.Sleep(time.Until(start.Add(d)))
			b.wantReg(regModemStat, stat)
			b.wantReg(regIrqFlags, flags)
		}
		at(47*symbol/10-1, 0x04, 0)
		at(47*symbol/10, 0x05, 0)
		at(8*symbol-1, 0x05, 0) // then come 4.25 symbols of sync word
		at(8*symbol, 0x07, 0)
		at(12544*time.Microsecond+8*symbol-1, 0x07, 0)
		at(12544*time.Microsecond+8*symbol, 0x4F, irqValidHeader)
		if got := b.get(regRssiValue); got != 157-90 {
			t.Errorf("RegRssiValue %d", got)
		}
		end := lora.Config{CodingRate: lora.CR46}.Airtime(64)
		at(end-1, 0x4F, irqValidHeader)
		b.wantDIO(0, false)
		at(end, 0x44, irqValidHeader|irqRxDone)
		b.wantDIO(0, true)
		if got := (<-header).Sub(start); got != 12544*time.Microsecond+8*symbol {
			t.Errorf("header at %v", got)
		}
		if got := (<-done).Sub(start); got != end {
			t.Errorf("done at %v", got)
		}
		b.wantReg(regHopChannel, 0x40)
		b.wantReg(regPktSnrValue, 27*4)
		b.wantReg(regPktRssiValue, 63) // 67 * 15 / 16
		b.wantReg(regOpMode, opReceive)
		b.take()
		b.wantDIO(0, false)
		b.wantDIO(3, false)
	})
}

// TestHeardOrNot has a receiver begin to listen at some point of a packet.
func TestHeardOrNot(t *testing.T) {
	const symbol = 1024 * time.Microsecond
	for _, tt := range []struct {
		name  string
		late  time.Duration // after the beginning of the preamble
		heard bool
	}{
		{"before", -symbol, true},
		{"in the preamble", 3 * symbol, true},
		{"late in the preamble", 3*symbol + 1, false},
		{"in the packet", 20 * symbol, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(_ *lorasim.Air, a, b *host) {
				const ready = (60 + 71) * time.Microsecond
				a.load(sequence(0, 30))
				time.Sleep(symbol)
				begin := time.Now()
				wait := func(d time.Duration) { time.Sleep(time.Until(begin.Add(d))) }
				if tt.late < 0 {
					b.set(regOpMode, opReceive)
					wait(symbol)
					begin = time.Now()
				}
				a.set(regOpMode, opTransmit)
				if tt.late >= 0 {
					wait(105*time.Microsecond + tt.late - ready)
					b.set(regOpMode, opReceive)
				}
				time.Sleep(time.Second)
				if got := b.get(regIrqFlags)&irqRxDone != 0; got != tt.heard {
					t.Errorf("heard: %v", got)
				}
				if s := b.Antenna().Stats(); s.Delivered+s.Deaf != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
	t.Run("standby", func(t *testing.T) {
		bubble2(t, func(_ *lorasim.Air, a, b *host) {
			a.send(sequence(0, 30))
			b.wantReg(regIrqFlags, 0)
		})
	})
	t.Run("cut", func(t *testing.T) {
		bubble2(t, func(_ *lorasim.Air, a, b *host) {
			b.listen()
			a.load(sequence(0, 100))
			a.set(regOpMode, opTransmit)
			time.Sleep(100 * time.Millisecond)
			b.set(regOpMode, opStandby)
			b.set(regOpMode, opReceive)
			time.Sleep(time.Second)
			b.wantReg(regIrqFlags, irqValidHeader)
			if s := b.Stats(); s.Cut != 1 || s.Received != 0 {
				t.Errorf("%+v", s)
			}
		})
	})
}

// TestNoCRC has a sender without CRC: the receiver takes what comes, and says so.
func TestNoCRC(t *testing.T) {
	bubble2(t, func(air *lorasim.Air, a, b *host) {
		r := air.Radio(lora.Config{}, lorasim.Position{})
		a.set(regModemConfig2, 0x70)
		b.listen()
		a.send(sequence(0, 30))
		b.wantReg(regHopChannel, 0x00)
		b.wantPacket(sequence(0, 30))
		b.CorruptReceive(1)
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, irqRxDone|irqValidHeader)
		if got := b.take(); bytes.Equal(got, sequence(0, 30)) {
			t.Error("not corrupt")
		}
		if s := r.Stats(); s.Delivered != 0 || s.Lost != 2 {
			t.Errorf("a simulated radio takes packets without CRC: %+v", s)
		}
	})
}

func TestMask(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.set(regIrqFlagsMask, 0x1F) // what Pycom sets to receive
		b.listen()
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, irqRxDone)
		b.take()
		b.set(regIrqFlagsMask, 0xFF)
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, 0)
		b.wantDIO(0, false)
	})
}

// TestCollision has a third chip disturb a packet.
func TestCollision(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		flags byte
	}{
		{"preamble", 5 * time.Millisecond, 0},
		{"header", 15 * time.Millisecond, 0},
		{"payload", 60 * time.Millisecond, irqRxDone | irqPayloadCrcError | irqValidHeader},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(air *lorasim.Air, a, b *host) {
				c := newHost(a.t, air, Options{Seed: 3})
				c.up()
				b.listen()
				a.load(sequence(0, 100))
				c.load(sequence(1, 100))
				a.set(regOpMode, opTransmit)
				time.Sleep(tt.after)
				c.set(regOpMode, opTransmit)
				time.Sleep(time.Second)
				b.wantReg(regIrqFlags, tt.flags)
				b.set(regIrqFlags, 0xFF)
				a.send(sequence(0, 10))
				b.wantPacket(sequence(0, 10))
			})
		})
	}
}

// TestTakeover has a stronger packet begin in the preamble of a weaker one.
func TestTakeover(t *testing.T) {
	bubble2(t, func(air *lorasim.Air, a, b *host) {
		c := newHost(a.t, air, Options{Seed: 3})
		c.up()
		air.SetLink(a.Antenna(), b.Antenna(), -100)
		b.listen()
		a.load(sequence(0, 100))
		c.load(sequence(1, 50))
		a.set(regOpMode, opTransmit)
		time.Sleep(5 * time.Millisecond)
		c.set(regOpMode, opTransmit)
		time.Sleep(time.Second)
		b.wantReg(regIrqFlags, irqRxDone|irqValidHeader)
		b.wantPacket(sequence(1, 50))
	})
}

// TestSignalLost cuts the link in the middle of a packet.
func TestSignalLost(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		flags byte
	}{
		{"preamble", 5 * time.Millisecond, 0},
		{"payload", 60 * time.Millisecond, irqRxDone | irqPayloadCrcError | irqValidHeader},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(air *lorasim.Air, a, b *host) {
				b.listen()
				a.load(sequence(0, 100))
				a.set(regOpMode, opTransmit)
				time.Sleep(tt.after)
				air.CutLink(a.Antenna(), b.Antenna())
				time.Sleep(time.Second)
				b.wantReg(regIrqFlags, tt.flags)
				b.set(regIrqFlags, 0xFF)
				air.RestoreLink(a.Antenna(), b.Antenna())
				a.send(sequence(0, 10))
				b.wantPacket(sequence(0, 10))
			})
		})
	}
}

// TestLoss loses packets by chance: their CRC is wrong.
func TestLoss(t *testing.T) {
	bubble2(t, func(air *lorasim.Air, a, b *host) {
		air.SetLoss(a.Antenna(), b.Antenna(), 1)
		b.listen()
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, irqRxDone|irqPayloadCrcError|irqValidHeader)
		if got := b.take(); bytes.Equal(got, sequence(0, 30)) {
			t.Error("not corrupt")
		}
		if s := b.Stats(); s.CRCErrors != 1 || s.Received != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOverrun(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.listen()
		a.send(sequence(0, 30))
		a.send(sequence(1, 30))
		b.wantReg(regFifoRxCurrentAddr, 30)
		if s := b.Stats(); s.Overrun != 1 || s.Received != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestCurrentStrength reads RegRssiValue: noise, then a signal.
func TestCurrentStrength(t *testing.T) {
	bubble2(t, func(air *lorasim.Air, a, b *host) {
		air.SetLink(a.Antenna(), b.Antenna(), -117) // as strong as the noise
		b.set(regOpMode, opReceive)
		b.wantReg(regRssiValue, 0)
		time.Sleep(131 * time.Microsecond)
		noise := lora.BW125.NoiseFloor()
		b.wantReg(regRssiValue, byte(math.Round(157+noise)))
		a.load(sequence(0, 30))
		a.set(regOpMode, opTransmit)
		time.Sleep(30 * time.Millisecond)
		b.wantReg(regRssiValue, byte(math.Round(157+noise+3)))
		time.Sleep(time.Second)
		if got := int8(b.get(regPktSnrValue)); got != 0 {
			t.Errorf("SNR %d quarters", got)
		}
		noises := map[byte]bool{}
		for range 10 {
			noises[b.get(regRssiWideband)] = true
		}
		if len(noises) == 1 {
			t.Error("no noise in RegRssiWideband")
		}
	})
}

// TestIdealAir has an air that tells only when packets end.
func TestIdealAir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Ideal: true, Propagation: lorasim.Uniform(-80)})
		a, b := newHost(t, air, Options{Seed: 1}), newHost(t, air, Options{Seed: 2})
		a.up()
		b.up()
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, 0)
		b.listen()
		a.send(sequence(0, 30))
		b.wantReg(regIrqFlags, irqRxDone|irqValidHeader)
		b.wantReg(regPktSnrValue, 127) // it cannot show 37 dB
		b.wantPacket(sequence(0, 30))
	})
}
