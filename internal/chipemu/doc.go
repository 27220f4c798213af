// Package chipemu is what emulated LoRa chips have in common: the modem and its air, the SPI port, the lines that the chip drives, the
// rules that a driver can break, and faults. What a host sees of it, the registers of an SX1276 or the commands of an SX1262, is
// a [Front].
//
// # The modem
//
// From the settings follow the instants of a reception:
//
//	preamble           sync word       header      payload
//	├──────────────────┼───────────────┼───────────┼──────────────────┤
//	      ▲ detected   ▲ synchronized              ▲ header valid     ▲ received
//	      4.7 symbols
//
// A preamble is detected after 4.7 symbols, counted from when the receiver began to listen if that was later; from its end on the modem
// is synchronized. That is what traces of an SX1276's RegModemStat show.
//
// Channel activity detection correlates with a chirp for one symbol or more. It finds preamble and payload, but not the down-chirps between
// them, and needs three quarters of a symbol. [CAD] adds false alarms and misses.
package chipemu
