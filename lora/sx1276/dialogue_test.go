package sx1276

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/spi/spitest"
)

// written is the transfer that writes a register, which shows its old value.
func written(reg, value, old byte) conntest.IO {
	return conntest.IO{W: []byte{reg | 0x80, value}, R: []byte{0, old}}
}

// read is the transfer that reads a register.
func read(reg, value byte) conntest.IO {
	return conntest.IO{W: []byte{reg, 0}, R: []byte{0, value}}
}

// burst reads registers from 0x01 on.
func burst(values ...byte) conntest.IO {
	return conntest.IO{W: append([]byte{0x01}, make([]byte, len(values))...), R: append([]byte{0}, values...)}
}

// fifo writes or reads the FIFO.
func fifo(addr byte, out, in []byte) conntest.IO {
	return conntest.IO{W: append([]byte{addr}, out...), R: append([]byte{0}, in...)}
}

// status is what 0x01 to 0x1C show while the chip receives at 863 MHz.
func status(change map[byte]byte) []byte {
	s := []byte{
		0x85, 0x1a, 0x0b, 0x00, 0x52, 0xd7, 0xc0, 0x00, // 0x01 mode, FSK's, 0x06 frequency
		0xfc, 0x09, 0x2b, 0x23, // 0x09 power, ramp, current limit, LNA
		0x00, 0x00, 0x00, 0x00, // 0x0D FIFO address, TX base, RX base, current packet
		0x92, 0x00, 0x00, // 0x11 mask, flags, length
		0x00, 0x00, 0x00, 0x00, 0x10, // 0x14 counters, 0x18 modem status: clear
		0x00, 0x00, 0x28, 0x40, // 0x19 SNR, RSSI of the packet, RSSI -117 dBm, CRC on
	}
	for reg, v := range change {
		s[reg-1] = v
	}
	return s
}

// setUpDialogue is all that is said on SPI when an SX1276 is set up as Pycom's documentation has it:
// LoRa(mode=LORA, region=EU868, frequency=863000000, bandwidth=125 kHz, sf=7).
func setUpDialogue() []conntest.IO {
	pattern, inverse := make([]byte, 255), make([]byte, 255)
	for i := range pattern {
		pattern[i] = byte(i*5) ^ byte(i)<<7
		inverse[i] = ^pattern[i]
	}
	zeros := make([]byte, 255)
	settled := append(status(nil),
		0x72, 0x74, 0x08, 0x00, 0x08, 0x01, 0xff, 0x00, // 0x1D modem, timeout, preamble, lengths, hopping
		0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // 0x25, 0x26 modem
		0x00, 0x50, 0x40, 0x00, 0x43, 0x00, 0x27, 0x00, // 0x2D, 0x2F IF, 0x31 detection, 0x33 IQ
		0x1c, 0x03, 0x0a, 0x42, 0x34, 0x49, 0x1d, 0x00, // 0x35, 0x37 threshold, 0x39 sync word, 0x3B IQ
		0xaf, 0x00, 0x00, // 0x3D
		0x00, 0x00, 0x12, // 0x40 DIO mapping, 0x42 version
	)
	return []conntest.IO{
		read(0x42, 0x12), // RegVersion: which chip
		read(0x42, 0x12), // RegVersion: still there, after the reset
		// FSK mode, to calibrate.
		read(0x01, 0x09),          // RegOpMode
		written(0x01, 0x00, 0x09), // RegOpMode: sleep
		read(0x4b, 0x09),          // RegTcxo: crystal, as it must be
		written(0x01, 0x01, 0x00), // RegOpMode: standby
		written(0x09, 0x00, 0x4f), // RegPaConfig: no power
		written(0x06, 0xd7, 0x6c), // RegFrf: 863 MHz
		written(0x07, 0xc0, 0x80),
		written(0x08, 0x00, 0x00),
		read(0x3b, 0x82),          // RegImageCal
		written(0x3b, 0xc2, 0x82), // RegImageCal: start
		read(0x3b, 0xa2),          // RegImageCal: running
		read(0x3b, 0x82),          // RegImageCal: done
		// LoRa mode, which can be chosen in sleep alone.
		written(0x01, 0x00, 0x01), // RegOpMode: sleep
		written(0x01, 0x80, 0x00), // RegOpMode: LoRa
		written(0x06, 0xd7, 0xd7), // RegFrf
		written(0x07, 0xc0, 0xc0),
		written(0x08, 0x00, 0x00),
		written(0x09, 0xfc, 0x00), // RegPaConfig: PA_BOOST, 14 dBm
		written(0x0b, 0x2b, 0x2b), // RegOcp: 100 mA
		written(0x0c, 0x23, 0x20), // RegLna: highest gain, boost
		written(0x0e, 0x00, 0x80), // RegFifoTxBaseAddr
		written(0x0f, 0x00, 0x00), // RegFifoRxBaseAddr
		written(0x11, 0x92, 0x00), // RegIrqFlagsMask: RxDone, PayloadCrcError, TxDone, CadDone, CadDetected pass
		written(0x1f, 0x08, 0x64), // RegSymbTimeoutLsb
		written(0x20, 0x00, 0x00), // RegPreamble: 8 symbols
		written(0x21, 0x08, 0x08),
		written(0x23, 0xff, 0xff), // RegMaxPayloadLength
		written(0x24, 0x00, 0x00), // RegHopPeriod
		written(0x37, 0x0a, 0x0a), // RegDetectionThreshold: SF7 to SF12
		written(0x33, 0x27, 0x27), // RegInvertIQ: not inverted
		written(0x3b, 0x1d, 0x1d), // RegInvertIQ2
		written(0x39, 0x34, 0x12), // RegSyncWord: public
		written(0x40, 0x00, 0x00), // RegDioMapping1: DIO0 is RxDone
		written(0x41, 0x00, 0x00), // RegDioMapping2
		written(0x4d, 0x84, 0x84), // RegPaDac: up to 17 dBm
		written(0x1d, 0x72, 0x72), // RegModemConfig1: 125 kHz, 4/5, explicit header
		written(0x1e, 0x74, 0x70), // RegModemConfig2: SF7, CRC
		written(0x26, 0x04, 0x04), // RegModemConfig3: automatic gain, no low data rate optimization
		written(0x31, 0x43, 0xc3), // RegDetectOptimize: SF7 to SF12; errata 2.3
		written(0x2f, 0x40, 0x20), // RegIfFreq2: errata 2.3
		written(0x30, 0x00, 0x00), // RegIfFreq1
		written(0x36, 0x03, 0x03), // RegHighBwOptimize1: errata 2.1, not 500 kHz
		written(0x01, 0x81, 0x80), // RegOpMode: standby
		// The FIFO, as a test of SPI.
		written(0x0d, 0x00, 0x00), fifo(0x80, pattern, zeros),
		written(0x0d, 0x00, 0xff), fifo(0x00, zeros, pattern),
		written(0x0d, 0x00, 0xff), fifo(0x80, inverse, pattern),
		written(0x0d, 0x00, 0xff), fifo(0x00, zeros, inverse),
		// To work.
		written(0x12, 0xff, 0x00), // RegIrqFlags: clear
		written(0x01, 0x85, 0x81), // RegOpMode: receive continuously
		burst(settled...),         // all settings are there
	}
}

// line is an interrupt line of which the test says when it rises. It is low when somebody looks.
type line chan time.Time

func (l line) Level() (Level, error)   { return Low, nil }
func (l line) Edges() <-chan time.Time { return l }

// talk makes a radio that says what a dialogue has, up to its end, in which the chip goes to sleep.
func talk(t *testing.T, ops []conntest.IO, do func(t *testing.T, r *Radio, dio0 line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		port := &spitest.Playback{Playback: conntest.Playback{Ops: append(ops, written(0x01, 0x80, 0x85)), DontPanic: true}}
		dio0 := make(line, 1)
		r, err := New(port, Pins{DIO0: dio0}, lora.Config{Frequency: 863 * lora.MHz}, WithListen(Listen{Time: 1}))
		if err != nil {
			t.Fatal(err)
		}
		do(t, r, dio0)
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
	done := status(map[byte]byte{0x10: 0xfd, 0x12: 0x40, 0x13: 5, 0x19: 0x1c, 0x1a: 0x3c})
	talk(t, append(setUpDialogue(),
		burst(done...),            // RxDone; 5 bytes from 0xFD on
		written(0x12, 0x40, 0x40), // RegIrqFlags: RxDone is known
		written(0x0d, 0xfd, 0x00), // RegFifoAddrPtr
		fifo(0x00, make([]byte, 5), packet),
	), func(t *testing.T, r *Radio, dio0 line) {
		at := time.Now()
		time.Sleep(time.Millisecond)
		dio0 <- at
		buf := make([]byte, lora.MaxPacket)
		p, err := r.Receive(t.Context(), buf)
		if err != nil || string(buf[:p.N]) != string(packet) || p.RSSI != -93 || p.SNR != 7 || !p.Time.Equal(at) {
			t.Errorf("%x, %+v, %v", buf[:p.N], p, err)
		}
	})
}

func TestSendDialogue(t *testing.T) {
	packet := []byte{0x02, 0x00, 0x11, 0x00, 0x00}
	onAir := status(map[byte]byte{0x01: 0x81, 0x12: 0x08})[:0x12]
	talk(t, append(setUpDialogue(),
		burst(status(nil)...),     // the channel is free
		burst(status(nil)...),     // still
		written(0x01, 0x81, 0x85), // RegOpMode: standby
		written(0x0d, 0x00, 0x00), // RegFifoAddrPtr
		fifo(0x80, packet, make([]byte, 5)),
		written(0x22, 0x05, 0x01), // RegPayloadLength
		written(0x40, 0x40, 0x00), // RegDioMapping1: DIO0 is TxDone
		written(0x01, 0x83, 0x81), // RegOpMode: transmit
		burst(onAir...),           // TxDone, standby
		written(0x40, 0x00, 0x40), // RegDioMapping1: DIO0 is RxDone
		written(0x12, 0xff, 0x08), // RegIrqFlags: clear
		written(0x01, 0x85, 0x81), // RegOpMode: receive continuously
	), func(t *testing.T, r *Radio, dio0 line) {
		time.Sleep(10 * time.Millisecond)
		go func() {
			time.Sleep(r.Config().Airtime(5))
			dio0 <- time.Now()
		}()
		if err := r.Send(t.Context(), packet); err != nil {
			t.Error(err)
		}
	})
}
