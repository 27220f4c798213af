package thread

import (
	"errors"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/mac"
)

// Errors of the engine's inputs and commands.
var (
	// ErrDisabled says that the engine has not been started.
	ErrDisabled = core.ErrDisabled
	// ErrDetached says that the node is not part of a partition.
	ErrDetached = errors.New("thread: not attached")
	// ErrKeySequence says that a key sequence is not later than the current one, or the last of all.
	ErrKeySequence = errors.New("thread: the key sequence only moves forward")
	// ErrQueueFull says that too many datagrams wait for the radio, or for the answer to where an address is. It passes: the same datagram
	// may be taken a moment later.
	ErrQueueFull = core.ErrQueueFull
	// ErrPacket says that a packet is not an IPv6 datagram from an address of this node.
	ErrPacket = core.ErrPacket
	// ErrTooLong says that a datagram is longer than 1280 bytes, with what a multicast beyond the link is given on its way: 8 bytes in a mesh,
	// 48 if its scope is wider. It does not pass.
	ErrTooLong = errors.New("thread: datagram too long")
	// ErrNoRoute says that there is no way to a destination: it is no address of this mesh, its router is gone, or nobody has answered to the
	// question where it is. It does not pass soon: the question is asked again after Timing.AddressQueryRetry at the earliest.
	ErrNoRoute = core.ErrNoRoute
	// ErrCounters says that the frame counters are used up, at the last key sequence: nothing more can be secured, and so nothing sent,
	// before all nodes have a new network key and an empty store. It does not pass.
	ErrCounters = errors.New("thread: frame counters used up at the last key sequence")
	// ErrState says that a command is not possible in the present role, or while the interface is down.
	ErrState = core.ErrState
	// ErrRejected says that another node has refused what it was asked for.
	ErrRejected = errors.New("thread: rejected by the other node")
	// ErrBusy says that the node is doing it already, searching for a parent or scanning, or has as many requests open as it can.
	ErrBusy = errors.New("thread: busy")
	// ErrNotCapable says that this node may not become a router.
	ErrNotCapable = errors.New("thread: the router role is disabled")
	// ErrUnsupported says that this version cannot do it.
	ErrUnsupported = errors.New("thread: not supported yet")
	// ErrArgument says that a value is outside its range.
	ErrArgument = core.ErrArgument
	// ErrNotFound says that there is no such entry.
	ErrNotFound = core.ErrNotFound
	// ErrExists says that there is such an entry already.
	ErrExists = core.ErrExists
	// ErrTableFull says that there is no place for another entry.
	ErrTableFull = core.ErrTableFull
	// ErrRefused tells [Engine.HandleTransmitDone] that the radio may not send the packet, because its duty cycle is used up, and that it is
	// of no use to try again soon.
	ErrRefused = mac.ErrRefused

	errStoreFailed = core.ErrStore
)
