package lora

import (
	"context"
	"errors"
	"time"
)

// MaxPacket is the longest payload of a LoRa packet, in bytes.
const MaxPacket = 255

// A Radio sends and receives whole packets on one channel.
//
// One Send and one Receive may run at the same time, in different goroutines;
// Config and Close may be called at any time. The radio is half-duplex: it hears
// nothing while it sends, and it listens whenever it does not, unless it is a
// [Sleeper] that was told to sleep.
//
// A radio that is closed returns [ErrClosed]; a fault of the hardware is an
// [*Error].
type Radio interface {
	// Config returns the settings in force, with all defaults filled in.
	Config() Config

	// Send transmits one packet of 1 to MaxPacket bytes. It listens before it
	// talks and returns [ErrChannelBusy] when the channel was not free; else it
	// returns when the packet has left the antenna. The radio keeps no reference
	// to the packet after Send returns.
	//
	// When ctx ends first, the packet may have been sent, in part or in whole.
	Send(ctx context.Context, packet []byte) error

	// Receive waits for a packet whose CRC is right and copies it into buf. What
	// does not fit in buf is lost, as with a datagram socket: give MaxPacket
	// bytes.
	//
	// Packets that arrive between two calls wait in a short queue.
	Receive(ctx context.Context, buf []byte) (Reception, error)

	// Close stops the radio and unblocks Send and Receive. Closing twice is no
	// error.
	Close() error
}

// A Sleeper is a [Radio] that may sleep while nothing is to be heard.
type Sleeper interface {
	Radio
	// Sleep says whether the radio may sleep from now on. It returns at once. While
	// it sleeps the radio hears nothing; it wakes up for a packet to send, and sleeps
	// again after it. A radio begins awake.
	Sleep(asleep bool)
}

// An Answerer is a [Radio] that leaves room for the acknowledgment of a packet which it has received, and so makes what it is given by Send wait.
type Answerer interface {
	Radio
	// Answer transmits a packet as Send does, but does not wait for the acknowledgment of the packet received last: it is, or takes the place of, that
	// acknowledgment.
	Answer(ctx context.Context, packet []byte) error
}

// A Meter is a [Radio] that measures the power on its channel.
type Meter interface {
	Radio
	// Power returns what the receiver gets on the channel at a moment, whatever it is, its own noise included, in dBm, rounded. It waits until a
	// packet has been sent, or ctx ends. A radio that sleeps, or does not work, returns an error.
	Power(ctx context.Context) (int, error)
}

// ErrAsleep says that a radio hears nothing, since it sleeps.
var ErrAsleep = errors.New("lora: the radio sleeps")

// Reception describes a packet received.
type Reception struct {
	// N is the number of bytes written to the buffer.
	N int
	// Time is the moment at which the packet ended, by the radio's clock (see
	// [ClockOf]).
	Time time.Time
	// RSSI is the strength of the packet, in dBm, rounded.
	RSSI int
	// SNR is the signal to noise ratio, in dB; the chip counts in quarters.
	SNR float64
}

// Clock tells the time by which a radio lives.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// Until returns how long to wait, by the wall clock, until Now reaches t. It
	// is zero or negative when t has passed.
	Until(t time.Time) time.Duration
}

// Clocked is implemented by a [Radio] whose time is not the wall clock, such as
// one on a simulated air that runs faster.
type Clocked interface {
	Clock() Clock
}

// ClockOf returns the clock of a radio: its own if the radio is [Clocked], else
// the wall clock.
func ClockOf(r Radio) Clock {
	if c, ok := r.(Clocked); ok {
		return c.Clock()
	}
	return wallClock{}
}

type wallClock struct{}

func (wallClock) Now() time.Time                  { return time.Now() }
func (wallClock) Until(t time.Time) time.Duration { return time.Until(t) }
