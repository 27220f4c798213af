package wire

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

// The layout of an event, packed, little endian.
const (
	offsetDelay  = 0 // 8 bytes, µs
	offsetType   = 8
	offsetLength = 9 // 2 bytes

	// HeaderSize is the size of an event without data.
	HeaderSize = 11
	// MaxData is the longest data of an event.
	MaxData = 1024
)

// EventType says what an event means; the meaning depends on its direction.
type EventType uint8

const (
	// EventAlarm from a node: it is asleep, and its next timer is due after the
	// delay. To a node: time has passed.
	EventAlarm EventType = 0
	// EventRadio from a node: it transmits. To a node: it hears, or, for its own
	// frame, the transmission is over. The data are the channel and the PSDU.
	EventRadio EventType = 1
	// EventUART is command line input or output, for programs built to take it from
	// the socket.
	EventUART EventType = 2
)

// String returns the name of the type.
func (t EventType) String() string {
	switch t {
	case EventAlarm:
		return "alarm"
	case EventRadio:
		return "radio"
	case EventUART:
		return "uart"
	}
	return strconv.Itoa(int(t))
}

// Event is one datagram between a node and the controller.
type Event struct {
	Delay uint64 // µs
	Type  EventType
	Data  []byte // at most MaxData bytes
}

// ErrEvent says that a datagram is no event, or that an event has too much data.
var ErrEvent = errors.New("wire: event cut off or too long")

// ParseEvent parses a datagram. The data alias b.
func ParseEvent(b []byte) (Event, error) {
	if len(b) < HeaderSize {
		return Event{}, ErrEvent
	}
	n := int(binary.LittleEndian.Uint16(b[offsetLength:]))
	if n > MaxData || len(b) != HeaderSize+n {
		return Event{}, ErrEvent
	}
	return Event{
		Delay: binary.LittleEndian.Uint64(b[offsetDelay:]),
		Type:  EventType(b[offsetType]),
		Data:  b[HeaderSize:],
	}, nil
}

// AppendBinary appends the datagram to b.
func (e Event) AppendBinary(b []byte) ([]byte, error) {
	if len(e.Data) > MaxData {
		return b, ErrEvent
	}
	b = binary.LittleEndian.AppendUint64(b, e.Delay)
	b = append(b, byte(e.Type))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.Data)))
	return append(b, e.Data...), nil
}

// NoTimer is the delay of an alarm of a node without a timer, as of 2018. Since 2019
// it is 2^63-1.
const NoTimer = 1<<31 - 1

// maxAlarm is the longest delay that is taken for a timer. NoTimer may as well be taken
// for one.
const maxAlarm = 1 << 50

// Timer returns the delay of an alarm event, and false if it stands for no timer.
func (e Event) Timer() (time.Duration, bool) {
	if e.Delay > maxAlarm {
		return 0, false
	}
	return time.Duration(e.Delay) * time.Microsecond, true
}
