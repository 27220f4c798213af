// Package sx126xemu emulates Semtech's SX1261, SX1262, SX1268 and LLCC68 at the level of their commands, on a simulated air.
// The modem is that of package chipemu, as in the emulated SX1276; both may be on one air.
//
// # The SPI protocol
//
// A transaction is a command: an operation code and its parameters. It takes effect when the chip is deselected. While a command is
// worked on, BUSY is high, and the chip takes no other: the emulator refuses it, and says so.
//
//	      +------+------+------+------+       +------+------+------+------+------+
//	MOSI  | code | parameters …       |       | 0x1D | address     | 0x00 | 0x00 | … ReadRegister
//	      +------+------+------+------+       +------+------+------+------+------+
//	MISO  | status …                  |       | status                    | data | …
//	      +---------------------------+       +---------------------------+------+
//
// # What is modeled
//
//   - all commands that LoRa needs, in which modes they are allowed, how long BUSY lasts after each, the status byte;
//   - the 256 bytes of buffer, the registers that the errata, sync word, gain and current limit are in;
//   - interrupt flags, which latch only if they are in the mask, and DIO1;
//   - crystal and TCXO with its voltage, start-up errors, calibration, image calibration by band, both regulators;
//   - the switch between transmitter and receiver, by DIO2 or by the host's RXEN and TXEN, and supply enables;
//   - sleep with and without retention, what is lost in them;
//   - the errata of chapter 15 of the data sheet, where the settings undo their cure.
//
// What is not: the FSK modem, implicit headers' erratum 15.3 beyond its registers, reception by duty cycle, statistics.
//
// Where a driver does what the chip would punish, the emulator does likewise and says so: see [Rule].
package sx126xemu
