package core

import "errors"

// Errors that several rooms return. Package thread has them under the same names.
var (
	// ErrArgument says that a value is outside its range.
	ErrArgument = errors.New("thread: invalid argument")
	// ErrNotFound says that there is no such entry.
	ErrNotFound = errors.New("thread: not found")
	// ErrExists says that there is such an entry already.
	ErrExists = errors.New("thread: exists already")
	// ErrTableFull says that there is no place for another entry.
	ErrTableFull = errors.New("thread: table full")
	// ErrState says that a command is not possible in the present state.
	ErrState = errors.New("thread: not possible in this state")
	// ErrDisabled says that the engine has not been started.
	ErrDisabled = errors.New("thread: not started")
	// ErrPacket says that a packet is not an IPv6 datagram from an address of this node.
	ErrPacket = errors.New("thread: not a sendable IPv6 datagram")
	// ErrNoRoute says that no way to a destination is known, or that nobody has answered to the question where it is.
	ErrNoRoute = errors.New("thread: no route to the destination")
	// ErrStore says that the store has not taken another limit of a frame counter, or that the counter is used up: nothing may be secured.
	ErrStore = errors.New("thread: frame counters not stored")
	// ErrQueueFull says that too many datagrams wait, for the radio or for an address. It passes.
	ErrQueueFull = errors.New("thread: send queue full")
)
