// Package lora is the vocabulary of a LoRa radio that carries whole packets:
// what a radio does ([Radio]), how it is set ([Config], [Region]), how long a
// packet is on the air ([Config.Airtime]), how weak it may arrive
// ([Config.Sensitivity]), what the law allows ([Config.Warnings],
// [Region.SubBands]), and a radio that keeps to the duty cycle ([Govern]).
//
// The package drives no hardware. The lora/sx1276 and lora/sx126x packages drive chips, the
// lora/lorasim package simulates the air.
//
// # The packet
//
// Pymesh uses LoRa's explicit header, the payload CRC, and upright IQ in both
// directions:
//
//	+----------+--------+------------+---------------------+-----------+
//	| preamble | sync   | header     | payload             | CRC       |
//	| 8 (+ 2 + 2.25 symbols of sync) | 0 to 255 bytes      | 2 bytes   |
//	+----------+--------+------------+---------------------+-----------+
//
// A payload is one IEEE 802.15.4 frame of at most 127 bytes; the radio does not
// look into it.
//
// All nodes of a mesh need the same frequency, bandwidth, spreading factor and
// sync word. The coding rate travels in the header, so it may differ.
//
// Formulas and limits are those of Semtech's SX1276/77/78/79 data sheet,
// sections 2.5 and 4.1.1; frequencies and powers that Validate accepts are those
// that Pycom's firmware accepts; the limits of the law name their source.
package lora
