package sx1276emu

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

func TestLongRange(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(LongRangeAwake)
		h.set(regOpMode, opStandby) // not in sleep: it stays FSK
		h.wantReg(regOpMode, 0x01)
		h.set(regOpMode, 0x00)
		h.set(regOpMode, opStandby)
		h.wantReg(regOpMode, opStandby)
		h.set(regOpMode, 0x00) // goes to sleep, in LoRa mode
		h.wantReg(regOpMode, opSleep)
		h.set(regOpMode, 0x00)
		h.wantReg(regOpMode, 0x00)
	})
}

func TestSleepLosesFIFO(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		h.load(sequence(0, 8))
		h.set(regSyncWord, 0x77)
		h.set(regOpMode, opSleep)
		h.set(regOpMode, opStandby)
		time.Sleep(oscillatorTime)
		h.wantReg(regSyncWord, 0x77)
		h.set(regFifoAddrPtr, 0x80)
		if got := h.burst(regFifo, 8); bytes.Equal(got, sequence(0, 8)) {
			t.Errorf("FIFO still holds %x", got)
		}
	})
}

func TestFIFOAsleep(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(FIFOAsleep)
		h.up()
		h.load(sequence(1, 4))
		h.set(regFifoAddrPtr, 0)
		h.set(regOpMode, opSleep)
		if got := h.burst(regFifo, 2); !bytes.Equal(got, []byte{0, 0}) {
			t.Errorf("read %x", got)
		}
		h.set(regFifo, 5, 6)
		h.wantReg(regFifoAddrPtr, 0)
		h.set(regOpMode, opStandby)
		time.Sleep(oscillatorTime - 1)
		h.set(regFifo, 7, 8)
		h.wantReg(regFifoAddrPtr, 0)
		time.Sleep(time.Nanosecond)
		h.set(regFifo, 7, 8)
		h.wantReg(regFifoAddrPtr, 2)
		if n := len(h.Violations()); n != 3 {
			t.Errorf("%d violations", n)
		}
	})
}

// TestTransmit follows a transmission: synthesizer, transmitter and power ramp, then the
// airtime, then TxDone and standby.
func TestTransmit(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		h.load(sequence(0, 21))
		h.set(regDioMapping1, 0x40)
		h.set(regOpMode, opTransmit)
		const ready = (60 + 5 + 40) * time.Microsecond
		end := time.Now().Add(ready + 56576*time.Microsecond)
		time.Sleep(time.Until(end) - 1)
		h.wantReg(regOpMode, opTransmit)
		h.wantReg(regIrqFlags, 0)
		h.wantDIO(0, false)
		time.Sleep(time.Nanosecond)
		h.wantReg(regOpMode, opStandby)
		h.wantReg(regIrqFlags, irqTxDone)
		h.wantDIO(0, true)
		h.set(regIrqFlags, irqRxDone) // another flag
		h.wantDIO(0, true)
		h.set(regIrqFlags, irqTxDone)
		h.wantDIO(0, false)
		if s := h.Antenna().Stats(); s.Sent != 1 || s.Airtime != 56576*time.Microsecond {
			t.Errorf("%+v", s)
		}
		if s := h.Stats(); s.Sent != 1 || s.Aborted != 0 {
			t.Errorf("%+v", s)
		}
		// Sending again needs no new content, nor does RegFifoAddrPtr matter.
		h.set(regOpMode, opTransmit)
		time.Sleep(time.Second)
		h.wantReg(regIrqFlags, irqTxDone)
	})
}

func TestTransmitAborted(t *testing.T) {
	bubble2(t, func(air *lorasim.Air, a, b *host) {
		b.listen()
		a.load(sequence(0, 100))
		a.set(regOpMode, opTransmit)
		time.Sleep(100 * time.Millisecond)
		a.set(regOpMode, opStandby)
		time.Sleep(time.Second)
		a.wantReg(regIrqFlags, 0)
		if s := a.Stats(); s.Aborted != 1 || s.Sent != 0 {
			t.Errorf("%+v", s)
		}
		// The receiver had the header already.
		b.wantReg(regIrqFlags, irqRxDone|irqPayloadCrcError|irqValidHeader)
	})
}

func TestBusyChip(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		a.expect(ConfigTransmitting, FIFOBusy)
		b.expect(ConfigReceiving, FIFOBusy)
		a.load(sequence(0, 21))
		a.set(regOpMode, opTransmit)
		a.set(regIrqFlags, 0xFF)
		a.set(regIrqFlagsMask, 0xF7)
		a.set(regDioMapping1, 0x40)
		if v := a.Violations(); len(v) != 0 {
			t.Error(v)
		}
		a.set(regPayloadLength, 1)
		a.burst(regFifo, 1)
		b.listen()
		b.set(regFifoAddrPtr, 0)
		b.burst(regFifo, 10)
		b.set(regPaConfig, 0xFF)
		if v := b.Violations(); len(v) != 0 {
			t.Error(v)
		}
		b.set(regFifo, 1)
		b.set(regFrfMsb, 0xE4)
	})
}

func TestSingleReception(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.set(regSymbTimeoutLsb, 20)
		b.set(regOpMode, opSingle)
		const ready = (60 + 71) * time.Microsecond
		time.Sleep(ready + 20*1024*time.Microsecond - 1)
		b.wantReg(regOpMode, opSingle)
		time.Sleep(time.Nanosecond)
		b.wantReg(regOpMode, opStandby)
		b.wantReg(regIrqFlags, irqRxTimeout)
		b.wantDIO(1, true)
		b.set(regIrqFlags, 0xFF)

		b.set(regOpMode, opSingle)
		a.send(sequence(0, 30))
		a.send(sequence(1, 30)) // the chip is in standby, though its host did not look
		b.wantReg(regOpMode, opStandby)
		b.wantPacket(sequence(0, 30))
		if s := b.Stats(); s.Received != 1 || s.Overrun != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestChannelActivityDetection(t *testing.T) {
	bubble2(t, func(_ *lorasim.Air, a, b *host) {
		b.set(regDioMapping1, 0xA0) // DIO0 CadDone, DIO1 CadDetected
		b.set(regOpMode, opCAD)
		time.Sleep(10 * time.Millisecond)
		b.wantReg(regOpMode, opStandby)
		b.wantReg(regIrqFlags, irqCadDone)
		b.wantDIO(0, true)
		b.wantDIO(1, false)
		b.set(regIrqFlags, 0xFF)

		a.load(sequence(0, 30))
		a.set(regOpMode, opTransmit)
		time.Sleep(time.Millisecond)
		b.set(regOpMode, opCAD)
		time.Sleep(10 * time.Millisecond)
		b.wantReg(regIrqFlags, irqCadDone|irqCadDetected)
		b.wantDIO(1, true)
	})
}

func TestModeReadyAndPllLock(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.up()
		ready, lock := h.DIO(5), h.DIO(4)
		h.set(regDioMapping2, 0x40) // DIO4 PllLock, DIO5 ModeReady
		h.wantDIO(5, true)
		h.set(regOpMode, opSleep)
		h.wantDIO(5, false)
		wake := time.Now()
		readyEdge, lockEdge := ready.Edges(), lock.Edges()
		for len(readyEdge) > 0 {
			<-readyEdge
		}
		h.set(regOpMode, opFSRX)
		if at := <-readyEdge; at.Sub(wake) != 310*time.Microsecond {
			t.Errorf("ready after %v", at.Sub(wake))
		}
		if at := <-lockEdge; at.Sub(wake) != 310*time.Microsecond {
			t.Errorf("locked after %v", at.Sub(wake))
		}
		h.set(regOpMode, opStandby)
		h.wantDIO(4, false)
		h.wantDIO(5, true)
	})
}

func TestModeReadyFSK(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.wantReg(regFskIrqFlags1, 0x80)
		h.set(regOpMode, 0x02)
		h.wantReg(regFskIrqFlags1, 0x00)
		time.Sleep(synthesizerTime)
		h.wantReg(regFskIrqFlags1, 0x80)
	})
}

func TestImageCalibration(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		for _, frf := range []byte{0x6C, 0xD9} {
			h.set(regFrfMsb, frf, 0, 0)
			h.set(regFskImageCal, 0x42)
			h.wantReg(regFskImageCal, 0x22)
			time.Sleep(calibrationTime)
			h.wantReg(regFskImageCal, 0x02)
		}
		got := h.Calibrations()
		if len(got) != 2 || got[0] != 432*lora.MHz || got[1] != 868*lora.MHz {
			t.Error(got)
		}
		h.expect(Calibration)
		h.set(regFskImageCal, 0x42)
		h.set(regOpMode, 0x00)
		h.wantReg(regFskImageCal, 0x02)
		h.set(regFskImageCal, 0x42) // in sleep
		h.wantReg(regFskImageCal, 0x02)
		if v := h.Violations(); len(v) != 2 {
			t.Error(v)
		}
	})
}

func TestReset(t *testing.T) {
	for _, tt := range []struct {
		model  Model
		active sx1276.Level
	}{{SX1276, sx1276.Low}, {SX1272, sx1276.High}} {
		t.Run(tt.model.String(), func(t *testing.T) {
			bubble(t, Options{Model: tt.model}, func(h *host) {
				h.up()
				pin := h.Pins().Reset
				h.listen()
				pin.Drive(tt.active)
				time.Sleep(minResetPulse)
				pin.Float()
				time.Sleep(resetTime)
				h.wantReg(regOpMode, 0x09)
				h.wantReg(regPaConfig, 0x4F)
				h.set(regOpMode, 0x08)
				h.set(regOpMode, opSleep)
				h.wantReg(regSyncWord, 0x12)
				if s := h.Stats(); s.Resets != 1 {
					t.Errorf("%+v", s)
				}
				if v := h.Violations(); len(v) != 0 {
					t.Error(v)
				}

				h.expect(ResetPulse, ResetDriven, NotReady)
				pin.Drive(tt.active)
				if v := h.get(regVersion); v != 0 {
					t.Errorf("version 0x%02X in reset", v)
				}
				pin.Drive(!tt.active)
				if v := h.get(regVersion); v != 0 {
					t.Errorf("version 0x%02X right after reset", v)
				}
				if v := h.Violations(); len(v) != 4 {
					t.Error(v)
				}
				time.Sleep(resetTime)
				if v := h.get(regVersion); v == 0 {
					t.Error("no version")
				}
			})
		})
	}
}

// TestBadSettings has settings with which nothing can be sent or received.
func TestBadSettings(t *testing.T) {
	tests := []struct {
		name      string
		rule      Rule
		addr, val byte
	}{
		{"bandwidth", BadModem, regModemConfig1, 0xA2},
		{"coding rate", BadModem, regModemConfig1, 0x70},
		{"spreading factor", BadModem, regModemConfig2, 0x54},
		{"SF6 with header", BadModem, regModemConfig2, 0x64},
		{"no low data rate optimization", BadModem, regModemConfig2, 0xB4},
		{"detection", BadModem, regDetectOptimize, 0x45},
		{"threshold", BadModem, regDetectThreshold, 0x0C},
		{"preamble", BadModem, regPreambleLsb, 5},
		{"continuous", BadModem, regModemConfig2, 0x7C},
		{"hopping", BadModem, regHopPeriod, 1},
		{"frequency", BadFrequency, regFrfMsb, 0x10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble2(t, func(_ *lorasim.Air, a, b *host) {
				a.expect(tt.rule)
				a.load(sequence(0, 10))
				a.set(tt.addr, tt.val)
				b.listen()
				a.set(regOpMode, opTransmit)
				time.Sleep(time.Second)
				a.wantReg(regOpMode, opTransmit)
				a.wantReg(regIrqFlags, 0)
				b.wantReg(regIrqFlags, 0)
				a.set(regOpMode, opStandby)
				a.set(regOpMode, opReceive)
				b.send(sequence(0, 10))
				a.wantReg(regIrqFlags, 0)
				if v := a.Violations(); len(v) != 2 {
					t.Error(v)
				}
				wantPll := byte(0)
				if tt.rule == BadFrequency {
					wantPll = 0x80
				}
				a.wantReg(regHopChannel, wantPll)
			})
		})
	}
	t.Run("empty packet", func(t *testing.T) {
		bubble(t, Options{}, func(h *host) {
			h.expect(BadModem)
			h.up()
			h.set(regPayloadLength, 0)
			h.set(regOpMode, opTransmit)
		})
	})
}

func TestErrata(t *testing.T) {
	tests := []struct {
		name string
		regs map[byte]byte
		ok   bool
	}{
		{"125 kHz", nil, true},
		{"250 kHz", map[byte]byte{regModemConfig1: 0x82}, true},
		{"automatic IF", map[byte]byte{regDetectOptimize: 0xC3}, false},
		{"wrong IF", map[byte]byte{regIfFreq2: 0x20}, false},
		{"wrong IF, low byte", map[byte]byte{regIfFreq1: 0x20}, false},
		{"500 kHz alone", map[byte]byte{regModemConfig1: 0x92}, false},
		{"500 kHz, 2.3", map[byte]byte{regModemConfig1: 0x92, regDetectOptimize: 0xC3}, false},
		{"500 kHz", map[byte]byte{regModemConfig1: 0x92, regDetectOptimize: 0xC3, regHighBWOptimize1: 0x02, regHighBWOptimize2: 0x64}, true},
		{"500 kHz settings at 125 kHz", map[byte]byte{regHighBWOptimize1: 0x02, regHighBWOptimize2: 0x64}, false},
		{"500 kHz, low band, high band's settings", map[byte]byte{regFrfMsb: 0x6C, regModemConfig1: 0x92, regDetectOptimize: 0xC3, regHighBWOptimize1: 0x02, regHighBWOptimize2: 0x64}, false},
		{"500 kHz, low band", map[byte]byte{regFrfMsb: 0x6C, regModemConfig1: 0x92, regDetectOptimize: 0xC3, regHighBWOptimize1: 0x02, regHighBWOptimize2: 0x7F}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, Options{}, func(h *host) {
				if !tt.ok {
					h.expect(Errata)
				}
				h.up()
				for addr, v := range tt.regs {
					h.set(addr, v)
				}
				h.set(regOpMode, opReceive)
			})
		})
	}
}

func TestPower(t *testing.T) {
	send := func(h *host) {
		h.up()
		h.load([]byte{1})
		h.set(regPaConfig, 0xFF)
		h.set(0x4D, 0x87)
		h.set(regOpMode, opTransmit)
	}
	t.Run("overcurrent", func(t *testing.T) {
		bubble(t, Options{}, func(h *host) {
			h.expect(Overcurrent)
			send(h)
			if p := h.Antenna().Config().TxPower; p != 17 {
				t.Errorf("%d dBm", p)
			}
		})
	})
	t.Run("20 dBm", func(t *testing.T) {
		bubble(t, Options{}, func(h *host) {
			h.set(regOcp, 0x31)
			send(h)
			if p := h.Antenna().Config().TxPower; p != 20 {
				t.Errorf("%d dBm", p)
			}
		})
	})
	t.Run("unwired PA_BOOST", func(t *testing.T) {
		bubble(t, Options{RFO: true}, func(h *host) {
			h.expect(PAUnwired)
			h.set(regOcp, 0x31)
			send(h)
		})
	})
	t.Run("unwired RFO", func(t *testing.T) {
		bubble2(t, func(_ *lorasim.Air, a, _ *host) {
			a.expect(PAUnwired)
			a.set(regPaConfig, 0x7E)
			a.send([]byte{1})
		})
	})
}

func TestOscillator(t *testing.T) {
	bubble(t, Options{TCXO: true}, func(h *host) {
		h.up()
		h.set(0x4B, 0x19)
		h.send([]byte{1})
	})
	bubble(t, Options{}, func(h *host) {
		h.expect(Oscillator)
		h.up()
		h.set(0x4B, 0x19)
		h.set(regOpMode, opTransmit)
		time.Sleep(time.Second)
		h.wantReg(regOpMode, opTransmit)
		pin := h.Pins().Reset
		pin.Drive(sx1276.Low)
		time.Sleep(minResetPulse)
		pin.Float()
		time.Sleep(resetTime)
		h.up()
		h.send([]byte{1})
	})
}

func TestFSK(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(FSKModem)
		h.set(regOpMode, 0x0B)
		h.set(regOpMode, 0x09)
		h.burst(regFifo, 2)
		if v := h.Violations(); len(v) != 2 {
			t.Error(v)
		}
	})
}

func TestRSSIIdle(t *testing.T) {
	bubble(t, Options{}, func(h *host) {
		h.expect(RSSIIdle)
		h.up()
		h.wantReg(regRssiValue, 0)
	})
}

// TestAcceleratedTime runs a chip on an air that is faster than the wall clock.
func TestAcceleratedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Speed: 10})
		h := newHost(t, air, Options{})
		h.up()
		begin, wall := h.Clock().Now(), time.Now()
		h.send(sequence(0, 21))
		const want = (60+5+40)*time.Microsecond + 56576*time.Microsecond
		if d := h.Clock().Now().Sub(begin); d < want || d > want+time.Microsecond {
			t.Errorf("took %v", d)
		}
		if d := time.Since(wall); d < want/10 || d > want/10+time.Microsecond {
			t.Errorf("took %v of the wall clock", d)
		}
	})
}
