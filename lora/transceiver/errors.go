package transceiver

import "errors"

// What can be wrong with a chip or the way to it. These errors come inside a [*lora.Error], most
// with a remedy: see [Problem].
var (
	// ErrNoChip reports that nothing answers on SPI: all bits read as 0, or all as 1.
	ErrNoChip = errors.New("no chip answers")
	// ErrSPI reports that bits get lost between host and chip.
	ErrSPI = errors.New("SPI does not carry data faithfully")
	// ErrOscillator reports that the chip's clock does not run.
	ErrOscillator = errors.New("the chip's clock does not run")
	// ErrNoTxDone reports that a packet was given to the chip, which never told that it was sent.
	ErrNoTxDone = errors.New("the chip did not finish the packet")
	// ErrRestarted reports that the chip lost its settings, as after a dip of its supply.
	ErrRestarted = errors.New("the chip lost its settings")
	// ErrHungSPI reports that a transfer on SPI does not return, and ErrHungLine that a line of the chip does not: the fault
	// is the host's.
	ErrHungSPI  = errors.New("an SPI transfer does not return")
	ErrHungLine = errors.New("a line of the chip does not return")
	// ErrAirtime reports a packet longer than [Listen] allows.
	ErrAirtime = errors.New("packet is on the air longer than allowed")
)

// Problem is an error with what to do about it.
type Problem struct {
	Err    error
	Remedy string // one or more sentences without a full stop at the end
}

// Error returns the error and the remedy.
func (p *Problem) Error() string { return p.Err.Error() + " (" + p.Remedy + ")" }

// Unwrap returns the error.
func (p *Problem) Unwrap() error { return p.Err }
