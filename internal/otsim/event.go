//go:build unix

package otsim

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
	headerSize   = 11

	// maxData is the longest data of an event.
	maxData = 1024
)

// eventType says what an event means; the meaning depends on its direction.
type eventType uint8

const (
	// eventAlarm from a node: it is asleep, and its next timer is due after the
	// delay. To a node: time has passed.
	eventAlarm eventType = 0
	// eventRadio from a node: it transmits. To a node: it hears, or, for its own
	// frame, the transmission is over. The data are the channel and the PSDU.
	eventRadio eventType = 1
	// eventUART is command line input or output, for programs built to take it from
	// the socket.
	eventUART eventType = 2
)

func (t eventType) String() string {
	switch t {
	case eventAlarm:
		return "alarm"
	case eventRadio:
		return "radio"
	case eventUART:
		return "uart"
	}
	return strconv.Itoa(int(t))
}

// event is one datagram between a node and the controller.
type event struct {
	delay uint64 // µs
	typ   eventType
	data  []byte
}

var errEvent = errors.New("otsim: event cut off or too long")

// parseEvent parses a datagram. The data alias b.
func parseEvent(b []byte) (event, error) {
	if len(b) < headerSize {
		return event{}, errEvent
	}
	n := int(binary.LittleEndian.Uint16(b[offsetLength:]))
	if n > maxData || len(b) != headerSize+n {
		return event{}, errEvent
	}
	return event{
		delay: binary.LittleEndian.Uint64(b[offsetDelay:]),
		typ:   eventType(b[offsetType]),
		data:  b[headerSize:],
	}, nil
}

// appendBinary appends the datagram to b.
func (e event) appendBinary(b []byte) ([]byte, error) {
	if len(e.data) > maxData {
		return b, errEvent
	}
	b = binary.LittleEndian.AppendUint64(b, e.delay)
	b = append(b, byte(e.typ))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.data)))
	return append(b, e.data...), nil
}

// maxAlarm is the longest delay that is taken for a timer. 2^63-1 µs stands for no
// timer (since 2019; before, it was 2^31-1, which may as well be taken for one).
const maxAlarm = 1 << 50

// timer returns the delay of an alarm event, and false if it stands for no timer.
func (e event) timer() (time.Duration, bool) {
	if e.delay > maxAlarm {
		return 0, false
	}
	return time.Duration(e.delay) * time.Microsecond, true
}
