// Package pcap reads and writes classic pcap files, and the two pseudo-headers in which
// radio metadata precede a packet: LoRaTap and IEEE 802.15.4 TAP.
//
// The file is a header and records (draft-ietf-opsawg-pcap). Numbers are in the byte
// order of the writer, which the magic number shows:
//
//	0            4       6       8           16          20          24
//	+------------+-------+-------+-----------+-----------+-----------+
//	| magic      | major | minor | reserved  | snap len  | link type |
//	+------------+-------+-------+-----------+-----------+-----------+
//
//	0            4            8            12           16
//	+------------+------------+------------+------------+------ … ---+
//	| seconds    | µs or ns   | captured   | original   | data       |
//	+------------+------------+------------+------------+------ … ---+
//
// A LoRaTap header, version 0, big endian (https://github.com/eriknl/LoRaTap):
//
//	0         1         2         4           8           9    10
//	+---------+---------+---------+-----------+-----------+----+
//	| version | padding | length  | frequency | bandwidth | SF |
//	+---------+---------+---------+-----------+-----------+----+
//	10            11         12             13    14          15
//	+-------------+----------+--------------+-----+-----------+
//	| packet RSSI | max RSSI | current RSSI | SNR | sync word |
//	+-------------+----------+--------------+-----+-----------+
//
// An IEEE 802.15.4 TAP header, version 0, little endian, with TLVs that are padded to
// four bytes each (https://github.com/jkcko/ieee802.15.4-tap):
//
//	0         1          2        4       6        8
//	+---------+----------+--------+-------+--------+------- … ---+
//	| version | reserved | length | type  | length | value, pad  | …
//	+---------+----------+--------+-------+--------+------- … ---+
package pcap
