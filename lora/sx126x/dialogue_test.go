package sx126x

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/spi/spitest"
)

// script is a recorded dialogue. Each transfer comes back with the mode that the chip is in at that time.
type script struct {
	mode byte
	ops  []conntest.IO
}

// say is a command, and what comes after its status bytes.
func (s *script) say(command []byte, answer ...byte) {
	r := bytes.Repeat([]byte{s.mode << 4}, len(command))
	w := append(append([]byte(nil), command...), make([]byte, len(answer))...)
	s.ops = append(s.ops, conntest.IO{W: w, R: append(r, answer...)})
}

func (s *script) cmd(bytes ...byte) { s.say(bytes) }

// readReg and writeReg are transfers of registers.
func (s *script) readReg(addr uint16, values ...byte) {
	s.say([]byte{0x1D, byte(addr >> 8), byte(addr), 0}, values...)
}

func (s *script) writeReg(addr uint16, values ...byte) {
	s.cmd(append([]byte{0x0D, byte(addr >> 8), byte(addr)}, values...)...)
}

// packetParams sets a length; the erratum 15.4 follows.
func (s *script) packetParams(n byte, first bool) {
	s.cmd(0x8C, 0x00, 0x08, 0x00, n, 0x01, 0x00) // SetPacketParams: 8 symbols, explicit header, length, CRC, IQ as it is
	if first {
		s.readReg(0x0736, 0x09)
	}
	s.writeReg(0x0736, 0x0D) // 15.4
}

// setUpDialogue is all that is said on SPI when the chip of a RAK6421 hat is set up for EU868 as Pycom's boards have it, but at 863 MHz.
func setUpDialogue() *script {
	s := &script{mode: modeRC}
	pattern, inverse := make([]byte, 255), make([]byte, 255)
	for i := range pattern {
		pattern[i] = byte(i*5) ^ byte(i)<<7
		inverse[i] = ^pattern[i]
	}
	s.cmd(0xC0, 0x00)                                     // GetStatus: without a reset line, this wakes it up
	s.readReg(0x0320, []byte("SX1261 V2D 2D02\x00")...)   // which chip
	s.cmd(0x80, 0x00)                                     // SetStandby: RC
	s.cmd(0x80, 0x00)                                     // once more: the first may be refused
	s.cmd(0x97, 0x02, 0x00, 0x01, 0x40)                   // SetDIO3AsTcxoCtrl: 1.8 V, 5 ms
	s.cmd(0x96, 0x01)                                     // SetRegulatorMode: DC-DC
	s.cmd(0x07, 0x00, 0x00)                               // ClearDeviceErrors
	s.cmd(0x89, 0x7F)                                     // Calibrate: all
	s.say([]byte{0x17, 0x00}, 0x00, 0x00)                 // GetDeviceErrors: none
	s.cmd(0x80, 0x01)                                     // SetStandby: XOSC
	s.mode = modeXOSC                                     //
	s.cmd(0x8A, 0x01)                                     // SetPacketType: LoRa
	s.cmd(0x9D, 0x01)                                     // SetDIO2AsRfSwitchCtrl
	s.cmd(0x93, 0x30)                                     // SetRxTxFallbackMode: XOSC
	s.cmd(0x98, 0xD7, 0xDB)                               // CalibrateImage: 863 to 870 MHz
	s.cmd(0x86, 0x35, 0xF0, 0x00, 0x00)                   // SetRfFrequency: 863 MHz
	s.cmd(0x8B, 0x07, 0x04, 0x01, 0x00)                   // SetModulationParams: SF7, 125 kHz, 4/5, no low data rate optimization
	s.cmd(0x8F, 0x00, 0x00)                               // SetBufferBaseAddress
	s.cmd(0x95, 0x04, 0x07, 0x00, 0x01)                   // SetPaConfig: SX1262 up to 22 dBm
	s.cmd(0x8E, 0x0E, 0x04)                               // SetTxParams: 14 dBm, 200 µs
	s.cmd(0x88, 0x01, 0x16, 0x0A, 0x01, 0x00, 0x63, 0xE7) // SetCadParams: 2 symbols, 22, 10, then receive for 400 ms
	s.cmd(0x08, 0x03, 0xF7, 0x02, 0x03, 0x00, 0, 0x00, 0) // SetDioIrqParams: all but SyncWord; TxDone, RxDone, Timeout at DIO1
	s.writeReg(0x0740, 0x34, 0x44)                        // sync word 0x34
	s.writeReg(0x08E7, 0x38)                              // 140 mA
	s.readReg(0x0889, 0x01)                               //
	s.writeReg(0x0889, 0x05)                              // 15.1
	s.readReg(0x08D8, 0xC8)                               //
	s.writeReg(0x08D8, 0xDE)                              // 15.2
	s.writeReg(0x08AC, 0x96)                              // boosted gain
	s.packetParams(0xFF, true)                            //
	s.writeReg(0x029F, 0x01, 0x08, 0xAC)                  // what warm sleep keeps: the gain
	s.cmd(append([]byte{0x0E, 0x00}, pattern...)...)      // WriteBuffer, as a test of SPI
	s.say([]byte{0x1E, 0x00, 0x00}, pattern...)           // ReadBuffer
	s.cmd(append([]byte{0x0E, 0x00}, inverse...)...)      //
	s.say([]byte{0x1E, 0x00, 0x00}, inverse...)           //
	s.cmd(0x02, 0x03, 0xF7)                               // ClearIrqStatus
	s.cmd(0x82, 0xFF, 0xFF, 0xFF)                         // SetRx: for good
	s.mode = modeRx                                       //
	s.say([]byte{0x12, 0x00}, 0x00, 0x00)                 // GetIrqStatus
	s.readReg(0x0740, 0x34, 0x44)                         // all settings that can be read are there
	s.readReg(0x08AC, 0x96)                               //
	s.readReg(0x0736, 0x0D)                               //
	s.readReg(0x0889, 0x05)                               //
	s.readReg(0x08E7, 0x38)                               //
	s.say([]byte{0x17, 0x00}, 0x00, 0x00)                 // GetDeviceErrors
	s.say([]byte{0x15, 0x00}, 0xEA)                       // GetRssiInst: -117 dBm
	return s
}

// shutDown is how the dialogue ends.
func (s *script) shutDown() {
	s.cmd(0xC0, 0x00) // GetStatus: wakes it up, if it sleeps
	s.cmd(0x80, 0x00) // SetStandby
	s.mode = modeRC
	s.cmd(0x84, 0x00) // SetSleep: cold
}

// line is an interrupt line of which the test says when it rises. It is low when somebody looks.
type line chan time.Time

func (l line) Level() (Level, error)   { return Low, nil }
func (l line) Edges() <-chan time.Time { return l }

// talk makes a radio that says what a dialogue has, up to its end.
func talk(t *testing.T, s *script, do func(t *testing.T, r *Radio, dio1 line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.shutDown()
		port := &spitest.Playback{Playback: conntest.Playback{Ops: s.ops, DontPanic: true}}
		dio1 := make(line, 1)
		r, err := New(port, Pins{DIO1: dio1, Busy: idle{}}, RAK6421Slot1, lora.Config{Frequency: 863 * lora.MHz}, WithListen(Listen{Time: 1}))
		if err != nil {
			t.Fatal(err)
		}
		do(t, r, dio1)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSetUpDialogue(t *testing.T) { talk(t, setUpDialogue(), func(*testing.T, *Radio, line) {}) }

func TestReceiveDialogue(t *testing.T) {
	packet := []byte{0x02, 0x00, 0x11, 0x00, 0x00}
	s := setUpDialogue()
	s.say([]byte{0x12, 0x00}, 0x00, 0x16)       // GetIrqStatus: RxDone, preamble, header
	s.say([]byte{0x13, 0x00}, 0x05, 0xFD)       // GetRxBufferStatus: 5 bytes from 0xFD on
	s.readReg(0x076B, 0x10)                     // with a CRC
	s.cmd(0x02, 0x00, 0x16)                     // ClearIrqStatus: those
	s.say([]byte{0x14, 0x00}, 0xBA, 0x1C, 0xBA) // GetPacketStatus: -93 dBm, 7 dB
	s.say([]byte{0x1E, 0xFD, 0x00}, packet...)  // ReadBuffer
	talk(t, s, func(t *testing.T, r *Radio, dio1 line) {
		at := time.Now()
		time.Sleep(time.Millisecond)
		dio1 <- at
		buf := make([]byte, lora.MaxPacket)
		p, err := r.Receive(t.Context(), buf)
		if err != nil || !bytes.Equal(buf[:p.N], packet) || p.RSSI != -93 || p.SNR != 7 || !p.Time.Equal(at) {
			t.Errorf("%x, %+v, %v", buf[:p.N], p, err)
		}
	})
}

func TestSendDialogue(t *testing.T) {
	packet := []byte{0x02, 0x00, 0x11, 0x00, 0x00}
	s := setUpDialogue()
	for range 2 { // the channel is free
		s.say([]byte{0x12, 0x00}, 0x00, 0x00)
		s.say([]byte{0x15, 0x00}, 0xEA)
	}
	s.cmd(0x80, 0x01) // SetStandby: XOSC; until then it receives
	s.mode = modeXOSC
	s.cmd(append([]byte{0x0E, 0x00}, packet...)...) // WriteBuffer
	s.packetParams(5, false)
	s.cmd(0x83, 0x00, 0x00, 0x00)         // SetTx
	s.say([]byte{0x12, 0x00}, 0x00, 0x01) // GetIrqStatus: TxDone, back in XOSC
	s.packetParams(0xFF, false)
	s.cmd(0x02, 0x03, 0xF7)       // ClearIrqStatus
	s.cmd(0x82, 0xFF, 0xFF, 0xFF) // SetRx
	s.mode = modeRx
	talk(t, s, func(t *testing.T, r *Radio, dio1 line) {
		time.Sleep(10 * time.Millisecond)
		go func() {
			time.Sleep(r.Config().Airtime(5))
			dio1 <- time.Now()
		}()
		if err := r.Send(t.Context(), packet); err != nil {
			t.Error(err)
		}
	})
}
