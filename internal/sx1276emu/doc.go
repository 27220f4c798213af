// Package sx1276emu emulates Semtech's SX1276 and SX1272 at the level of their
// registers, on a simulated air. It stands in for the chip in tests of the driver, and in
// programs that run without hardware.
//
// A [Chip] has the chip's two ways in and out: an SPI port ([Chip.Port]) and pins
// ([Chip.Pins]). On the other side it is an antenna on a [lorasim.Air], where it and
// simulated radios hear each other. Its time is the air's.
//
// # The SPI protocol
//
// Mode 0, most significant bit first, up to 10 MHz (data sheet, section 2.2):
//
//	        first byte          second byte         third byte
//	      +---+------------+  +---------------+  +---------------+
//	MOSI  | w | address: 7 |  | value, if w   |  | next address  | …
//	      +---+------------+  +---------------+  +---------------+
//	MISO  |    0x00        |  | old content   |  | old content   | …
//	      +----------------+  +---------------+  +---------------+
//
// The address counts up, except at 0x00, the FIFO, where RegFifoAddrPtr counts instead. A
// transaction ends with the chip select. A write takes effect when its transfer is over.
//
// # What is modeled
//
//   - both register pages and AccessSharedReg, reset values, read-only registers;
//   - the modes and what happens of itself: transmit, single reception and channel activity
//     detection end in standby; sleep destroys the FIFO's content and clears counters;
//   - the 256 bytes of FIFO with their pointers, which wrap;
//   - interrupt flags, their mask, and DIO0 to DIO5 with their mapping, as levels;
//   - the time of oscillator start, synthesizer, power ramp, header, and packet, all from
//     the content of the registers;
//   - modem status, strength and SNR, in the data sheet's formulas, by the port in use;
//   - the CRC: of an explicit header the receiver learns whether there is one;
//   - reset by pin, image calibration, lock of the synthesizer.
//
// Where a driver does what the chip would punish, with silence, with garbage, or with
// worse than the data sheet promises, the emulator does likewise and says so: see
// [Violation].
//
// # What is not
//
//   - The FSK modem. Its registers are there, and sleep, standby and the synthesizer modes.
//   - Frequency hopping, continuous transmission, frequency errors.
//   - In the preamble a signal is detected after 4 symbols. While a packet is received that
//     lost its header, the receiver finds no other.
//   - A packet whose signal goes away ends there and then, with a CRC error.
//   - The implicit header's length is not checked; a packet that is shorter or longer than
//     RegPayloadLength fails its CRC.
//   - RegRssiValue needs no time to settle beyond the start of the receiver, and is 0 where
//     the receiver does not run.
//   - SNR saturates at 31.75 dB, where its register ends; real chips do so much earlier.
//
// # In a bubble of testing/synctest
//
// Make air and chips inside. With [Options.Transfer] set, a transfer sleeps: a driver that
// holds a sync.Mutex meanwhile, for which another goroutine waits, stops the time of
// the bubble for good.
package sx1276emu
