// Package driver is the part of a driver that knows no chip: the queues, the state machine of a packet to send, listening and random
// pauses, the interrupt line and its faults, repair, statistics, and the duty cycle. A [Chip] is all it needs of one.
//
//	Send ─────▶ turn ─────▶ requests ──┐                ┌── Chip: set up, look, read, transmit, listen…
//	Receive ◀── rx, faults ◀───────────┼── one goroutine┤
//	Close ────▶ closing ───────────────┘                └── interrupt line: a hint; the chip's flags are the truth
package driver
