// Package ieee802154 builds and reads the IEEE 802.15.4-2006 MAC frames that
// Thread uses, and secures them with AES-128 CCM*.
//
// A frame is a PHY service data unit (PSDU) of at most 127 bytes. Every field
// is little-endian; addresses are on the air in the reverse of the order in
// which they are printed (IEEE 802.15.4-2006 §7.2):
//
//	┌───────┬─────┬──────────┬───────────┬──────────┬───────────┐
//	│ frame │ seq │ dst PAN  │  dst      │ src PAN  │  src      │
//	│ ctrl  │     │ ID       │  address  │ ID       │  address  │
//	│ 2     │ 1   │ 0/2      │  0/2/8    │ 0/2      │  0/2/8    │
//	├───────┴─────┴──────────┴────┬──────┴───┬──────┴─────┬─────┤
//	│ auxiliary security header   │ payload  │ MIC        │ FCS │
//	│ 0/5/6/10/14                 │ n        │ 0/4/8/16   │ 2   │
//	└─────────────────────────────┴──────────┴────────────┴─────┘
//
// Frame control (§7.2.1.1), bit 0 being the least significant:
//
//	bits 0-2    frame type: 0 beacon, 1 data, 2 acknowledgment, 3 command
//	bit  3      security enabled
//	bit  4      frame pending
//	bit  5      acknowledgment request
//	bit  6      PAN ID compression: the source PAN ID is elided
//	bits 7-9    reserved
//	bits 10-11  destination address mode: 0 none, 2 short, 3 extended
//	bits 12-13  frame version: 0 2003, 1 2006, 2 2015
//	bits 14-15  source address mode
//
// Auxiliary security header (§7.6.2):
//
//	┌────────────────────────────────┬─────────┬──────────┬───────┐
//	│ security control               │ frame   │ key      │ key   │
//	│ level 0-2, key id mode 3-4     │ counter │ source   │ index │
//	│ 1                              │ 4       │ 0/4/8    │ 0/1   │
//	└────────────────────────────────┴─────────┴──────────┴───────┘
//
// The same header secures MLE messages (package mle), which is why
// [SecurityHeader], [CCM] and [Nonce] can be used on their own.
//
// A received PSDU is taken apart by [ParseFrame] and, if it is secured, opened
// by [Frame.Open]. A frame to be sent is a [Frame] value that
// [Frame.AppendBinary] or [Frame.AppendSealed] writes. Nothing on this path
// allocates while the destination has room.
//
// Frames of version 2015, with or without information elements, are refused
// with [ErrVersion]: nodes send them only to neighbors that announced
// Thread 1.2 or later.
package ieee802154
