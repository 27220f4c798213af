// Package sx126x drives Semtech's SX1262, SX1268, SX1261 and LLCC68, the LoRa chips of most hats that are sold today. On the air they are what an
// SX1276 is, from SF7 to SF12.
//
//	radio, err := sx126x.Open(sx126x.RAK6421Slot1, lora.Config{Region: lora.EU868})
//
// [Open] knows hats by name ([Boards]) and finds their SPI port and GPIO lines. [New] takes any
// periph.io SPI port and pins of one's own. [Diagnose] says what is wrong when neither works. Package hats has the boards of this package
// and of package sx1276 together, and finds out which one is there.
//
// No board has been tried by the authors: the driver is proven on an emulated chip that is held to the data sheet.
//
// # Wires
//
//	host                    chip
//	SCLK, MOSI, MISO ────── SCK, MOSI, MISO    SPI mode 0, up to 16 MHz
//	chip select      ────── NSS                of the port, or any output (Pins.CS)
//	any line         ────── BUSY               needed: no command may be given while it is high
//	any line         ────── NRESET             optional: floats, driven for 2 ms
//	any line         ────── DIO1               optional: high after RxDone, TxDone and Timeout
//	any lines        ────── RXEN, TXEN         where the module's antenna switch has them and the chip's DIO2 does not move it
//	any lines        ────── enable             held high while the chip is in use
//
// The chip cannot say what is around it. The [Board] does: which chip, the TCXO and its voltage, who moves the antenna switch, an amplifier. With a
// wrong TCXO nothing works, and the error says so. With an antenna switch that nobody moves everything seems to work, but the module
// is deaf by tens of dB.
//
// # What the chip is told
//
// On the air, what package sx1276 makes: explicit header, CRC, I and Q not inverted, low data rate optimization for symbols longer
// than 16 ms. Besides:
//
//   - The sync word 0xXY becomes the registers 0xX4 0xY4, which chips of the SX127x family meet.
//   - The errata 15.1 (500 kHz), 15.2 (antenna mismatch) and 15.4 (IQ polarity) of the data sheet are obeyed after each command that undoes their cure.
//     15.3 concerns packets without a header.
//   - The image calibration runs for the band in use. Gain is boosted; calibration resets that, so it is set again.
//   - The power of a lora.Config is that at the antenna. The chip's is less by Board.Gain, and within Board.MaxChipPower.
//   - SetPaConfig resets the current limit, so that is written after it: 140 mA, 60 mA for an SX1261.
//   - Between packets the oscillator keeps running, so that a TCXO need not start for each.
//   - Packets without a CRC are dropped, like those with a wrong one.
//   - Below the noise, strength is that of the signal alone.
//   - The preamble that a receiver expects must not be shorter than the sender's: all nodes of a mesh need the same.
//
// The detection of a preamble is a flag that stays, even if nothing follows; the driver believes it until a header should have come.
// Once a minute, when nothing is going on, the chip is calibrated and set up anew, which takes 15 ms: strong bursts can leave its gain
// control deaf, and most settings cannot be read back. Channel activity detection uses two symbols, four from SF9 on; after it a TCXO has
// to start again before a packet can go out, 5 ms.
//
// # Faults
//
// Every transfer is tried three times; its status byte tells whether the chip has refused the command before. Each look at the chip checks
// its mode; the check of each second, sync word, gain, cures, current limit and the errors that the chip finds in itself. A chip that lost its
// settings, whose BUSY does not fall, or that did not finish a packet in its airtime, is reset and set up again (60 ms), and the log says so.
// While that does not succeed, Send and Receive return [*lora.Error] and the driver tries again, at last every 10 s.
//
// # Cost
//
// Measured with the emulator at 125 kHz and SF7 (TestTurnaround, TestSendCost), 20 µs a transfer beside its bits:
//
//	packet received, n bytes    6 transfers, n + 24 bytes: flags, place and length, CRC, flags, strength, buffer
//	packet sent, n bytes        24 transfers, n + 90 bytes at 5 MHz; of them about 14 for 7 looks at the
//	                            channel in 1 ms, 6 until the packet is on the air, 5 afterwards
//	activity detection          5 transfers, 15 bytes, 2.7 ms at SF7
//
// With a program that answers at once, the preamble of an acknowledgment begins
//
//	SPI clock                       2 MHz     5 MHz     8 MHz
//	Listen without Turnaround       2.02 ms   1.78 ms   1.70 ms
//	PycomListen, the default                  5.4 ms
//
// after the end of the packet. BUSY is looked at before each transfer, which is no transfer itself. The frame path does not allocate.
package sx126x
