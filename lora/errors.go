package lora

import (
	"errors"
	"net"
)

var (
	// ErrChannelBusy reports that listen before talk found the channel occupied;
	// nothing was sent.
	ErrChannelBusy = errors.New("lora: channel busy")

	// ErrDutyCycle reports that the packet would exceed the duty cycle of the sub-band;
	// nothing was sent. It comes from a [Governor].
	ErrDutyCycle = errors.New("lora: duty cycle used up")

	// ErrPacketSize reports a packet that is empty or longer than [MaxPacket].
	ErrPacketSize = errors.New("lora: packet size not in 1 to 255 bytes")

	// ErrClosed reports the use of a closed radio. It matches [net.ErrClosed].
	ErrClosed error = closedError{}
)

type closedError struct{}

func (closedError) Error() string { return "lora: radio closed" }
func (closedError) Unwrap() error { return net.ErrClosed }

// Error is a fault of the radio's hardware or of the way to it.
type Error struct {
	// Op is what the driver was doing: "open", "send", "receive", "reset"…
	Op string
	// Reg names the register concerned, as the data sheet does ("RegVersion");
	// it is empty where no single register is.
	Reg string
	// Err is the cause.
	Err error
}

// Error returns the operation, the register and the cause.
func (e *Error) Error() string {
	if e.Reg == "" {
		return "lora: " + e.Op + ": " + e.Err.Error()
	}
	return "lora: " + e.Op + ": " + e.Reg + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
