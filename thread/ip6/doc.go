// Package ip6 reads and writes the parts of IPv6 that a Thread node handles itself: the IPv6 header (RFC 8200), the
// hop-by-hop header with the MPL option (RFC 7731), UDP (RFC 768), ICMPv6 echo and errors (RFC 4443), and the scoped
// addresses (RFC 4291, RFC 7346).
//
// The IPv6 header (RFC 8200 §3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------+---------------+---------------------------------------+
//	|   6   | Traffic Class |              Flow Label               |
//	+-------+---------------+-------+---------------+---------------+
//	|        Payload Length         |  Next Header  |   Hop Limit   |
//	+-------------------------------+---------------+---------------+
//	|                   Source Address, 16 bytes                    |
//	+---------------------------------------------------------------+
//	|                 Destination Address, 16 bytes                 |
//	+---------------------------------------------------------------+
//
// The hop-by-hop header as Thread sends it (RFC 8200 §4.3, RFC 7731 §6.1), with a seed identifier of 2 bytes (S=1) and
// without one (S=0), where a PadN option fills the eight bytes:
//
//	+-------------+---------+------+---------+-------+-+-+----+----------+----------+
//	| Next Header | Len = 0 | 0x6D | Len = 4 | S = 1 |M|V|rsv | sequence | seed, 16 |
//	+-------------+---------+------+---------+-------+-+-+----+----------+----------+
//
//	+-------------+---------+------+---------+-------+-+-+----+----------+------+------+
//	| Next Header | Len = 0 | 0x6D | Len = 2 | S = 0 |M|V|rsv | sequence | 0x01 | 0x00 |
//	+-------------+---------+------+---------+-------+-+-+----+----------+------+------+
//
// A multicast wider than realm-local travels inside a second IPv6 header whose destination is [AllMPLForwarders]
// (RFC 7731 §9.1).
//
// Parsers never trust a length and never panic. Slices in what they return alias their input. Appenders return an
// error only for a value that the wire cannot hold.
package ip6
