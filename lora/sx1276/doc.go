// Package sx1276 drives Semtech's SX1276 (and SX1277, SX1278, SX1279, RFM95 to RFM98), the LoRa chip
// of Pycom's LoPy4 and of most hats for the Raspberry Pi, and the SX1272 of LoPy and FiPy.
//
//	radio, err := sx1276.Open(sx1276.DraginoHAT, lora.Config{Region: lora.EU868})
//
// [Open] knows hats by name ([Boards]) and finds their SPI port and GPIO lines. [New] takes any
// periph.io SPI port and pins of one's own. [Diagnose] says what is wrong when neither works.
//
// # Wires
//
//	host                    chip
//	SCLK, MOSI, MISO ────── SCK, MOSI, MISO    SPI mode 0, up to 10 MHz
//	chip select      ────── NSS                of the port, or any output (Pins.CS)
//	any line         ────── NRESET             optional: floats, driven for 2 ms
//	any line         ────── DIO0               optional: high after RxDone and TxDone
//
// DIO0 is enough: which interrupt it was is in RegIrqFlags. Its edges wake the driver and tell the time
// of a reception; the flags are the truth. Between edges the driver looks at the line, more often than
// the shortest packet lasts, and once a second at the flags and all settings, so that a lost edge costs
// some milliseconds and nothing else. Without DIO0, or when it turns out not to work, the driver asks for
// the flags where it would look at the line.
//
// # What the chip is told
//
// On the air, what Pycom's firmware makes: explicit header, CRC, I and Q not inverted, sync word, preamble,
// low data rate optimization for symbols longer than 16 ms, and the settings of the errata note (sections 2.1
// and 2.3). Where only this end can tell, the driver differs:
//
//   - The chip goes to standby before a packet is written to the FIFO, and back to reception without sleep:
//     it listens again 0.3 ms after its own packet.
//   - While the modem receives, even a packet far below the threshold, nothing is sent. What it says counts for as long as it can be true:
//     a preamble until a header should have come, a header until the longest packet would be over.
//   - After a busy channel there is a random pause ([PycomListen]), of slots in which the start of a packet is noticed.
//   - The time in which a packet's acknowledgment begins is left to it, and to what takes its place (Answer).
//   - After a packet of its own the receiver cannot know what is on the air already: then one channel activity detection precedes a packet.
//   - The reference is a crystal, unless the board has a TCXO.
//   - The overcurrent limit is 140 mA at +18 to +20 dBm, 100 mA else.
//   - The image calibration runs at the frequency in use.
//   - Packets without a CRC are dropped, like those with a wrong one.
//   - Strength follows the data sheet (section 5.5.5): 16/15 of the register above the noise, the
//     register and the SNR below.
//
// Spreading factor 6 is refused: the chip has no explicit header there, so all packets would need the same
// length.
//
// # Faults
//
// Every transfer is tried three times. Each look at the chip checks mode, frequency and power; the check
// of each second, all settings. A chip that lost them, or that did not finish a packet in its airtime, is
// reset and set up again (30 ms), and the log says so. While that does not succeed, Send and Receive
// return [*lora.Error] and the driver tries again, at last every 10 s. [Radio.Stats] counts all of it.
//
// # Cost
//
// Measured with the emulator at 125 kHz and SF7 (TestTurnaround, TestSendCost), 20 µs a transfer beside its bits:
//
//	packet received, n bytes    4 transfers, n + 34 bytes: status, flags, FIFO address, FIFO
//	packet sent, n bytes        17 transfers, n + 239 bytes at 5 MHz; of them about 7 looks at the
//	                            channel in 1 ms, 5 until the packet is on the air (mode, address, FIFO,
//	                            length, DIO0) and one more that starts it, 4 afterwards
//	activity detection          5 transfers, 10 bytes, 2 ms at SF7
//
// Between RxDone and the start of the acknowledgment's transmission lie 4 transfers to receive, the looks
// at the channel, and 6 transfers to send. With a program that answers at once, the preamble begins
//
//	SPI clock                       2 MHz     5 MHz     8 MHz
//	Listen without Turnaround       1.84 ms   1.55 ms   1.47 ms
//	PycomListen, the default                  5.3 ms
//
// after the end of the packet. The default waits on purpose, since Pycom's nodes do not hear earlier.
// The frame path does not allocate.
package sx1276
