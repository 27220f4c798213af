// Package dhcp6 encodes and decodes the part of DHCPv6 (RFC 8415) with which Thread nodes get addresses: a Solicit and the Reply to it, with
// Rapid Commit (§18.2.1), one IA_NA, and identifiers of type DUID-LL (§11.4) that hold an extended address (Thread 1.1 §5.2).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    msg-type   |               transaction-id                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          option-code          |           option-len          |  data ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Options that a node has no use for are skipped.
package dhcp6
