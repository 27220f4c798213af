// Package lowpan carries IPv6 datagrams in IEEE 802.15.4 frames as Thread does: mesh addressing and fragmentation
// (RFC 4944), and header compression (RFC 6282).
//
// A frame's payload is a stack of headers, each told by its first bits, the dispatch (RFC 4944 §5.1, RFC 5025):
//
//	[ mesh header ] [ fragment header ] [ IPHC, NHC … ] payload
//	[ mesh header ] [ fragment header ] payload                     (a fragment after the first)
//
// Mesh header (RFC 4944 §5.2). V and F tell that the originator and the final destination have short addresses, which
// in Thread they always have. More than 14 hops left are 0xF followed by a byte of their own:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9
//	+-+-+-+-+-------+-------------------------------+------------
//	|1 0|V|F|HopsLft| originator, 16 or 64 bits     | final, 16 or 64 bits
//	+-+-+-+-+-------+-------------------------------+------------
//
// Fragment header (RFC 4944 §5.3), first and subsequent. The offset counts units of 8 bytes of the uncompressed
// datagram:
//
//	+---------+---------------------+-------------------------------+
//	|1 1 0 0 0| datagram_size, 11   |       datagram_tag, 16        |
//	+---------+---------------------+-------------------------------+---------------+
//	|1 1 1 0 0| datagram_size, 11   |       datagram_tag, 16        |  offset, 8    |
//	+---------+---------------------+-------------------------------+---------------+
//
// IPHC (RFC 6282 §3.1.1), followed by the fields that are not elided, in the order of the IPv6 header:
//
//	  0   1   2   3   4   5   6   7   8   9  10  11  12  13  14  15
//	+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
//	| 0 | 1 | 1 |  TF   |NH | HLIM  |CID|SAC|  SAM  | M |DAC|  DAM  |
//	+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+---+
//
// NHC (RFC 6282 §4): an extension header, whose length counts bytes and whose trailing padding is elided; an IPv6
// header (EID 7, NH 0) followed by IPHC; and UDP, whose length is elided:
//
//	+---+---+---+---+---+---+---+---+      +---+---+---+---+---+---+---+---+
//	| 1 | 1 | 1 | 0 |    EID    |NH |      | 1 | 1 | 1 | 1 | 0 | C |   P   |
//	+---+---+---+---+---+---+---+---+      +---+---+---+---+---+---+---+---+
//
// [Compress] picks the same forms as the nodes of a Pymesh do. It loses nothing: [Decompress] gives back every byte of
// a datagram that Compress accepts. [Packet] cuts a datagram into frame payloads, a [Reassembler] puts it together
// again.
package lowpan
