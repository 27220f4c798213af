// Package mle encodes, decodes, secures and opens the messages of Mesh Link Establishment, by which Thread nodes find,
// attach to and stay in touch with each other (Thread 1.1 chapter 4;
// draft-kelsey-intarea-mesh-link-establishment-06). It holds no state: what to send, and when, is package thread's.
//
// An MLE message is the payload of a UDP datagram from port 19788 to port 19788 with hop limit 255. All but the
// discovery messages are secured:
//
//	+-------+----------+---------------+------------+-------+ - - - - - - - - - - - - +-----+
//	| suite | security | frame counter | key source | key   | command | TLVs          | MIC |
//	|   0   | 0x15     | little endian | = sequence | index |      encrypted          |     |
//	+-------+----------+---------------+------------+-------+ - - - - - - - - - - - - +-----+
//	    1        1             4             4          1        1       n               4
//
//	+-------+---------+------+
//	| suite | command | TLVs |
//	|  255  |         |      |
//	+-------+---------+------+
//
// The nonce is the sender's extended address, frame counter and security level; the MIC also covers the IPv6 source and
// destination addresses and the five fields from security to key index.
//
// Receiving: ParseHeader, then Header.Open under the MLE key of the header's sequence, then ParseMessage, then a Reader of
// the message, or its getters one by one. Sending: AppendCommand, the Append functions of the TLVs in the wanted order,
// AppendSealed.
//
// RLOC16 and RouterID, the names of nodes in a Thread partition, live here too.
package mle
