package sx1276

import "time"

// Level is the level of a line.
type Level bool

// The levels.
const (
	Low  Level = false
	High Level = true
)

// String returns "low" or "high".
func (l Level) String() string {
	if l {
		return "high"
	}
	return "low"
}

// Pins are the lines between host and chip beside those of the SPI port. Each may be nil:
// see there what that costs.
type Pins struct {
	// CS is a chip select that the driver moves itself, low during each transfer. Nil: the
	// port has a chip select of its own.
	CS Output
	// Reset is the chip's NRESET. Nil: the chip is brought back by writing all registers,
	// which does not help against every fault.
	Reset Reset
	// DIO0 tells that a packet has come or gone. Nil: the driver asks the chip every few
	// milliseconds.
	DIO0 Input
}

// Output is a line that the driver sets.
type Output interface {
	// Set sets the level.
	Set(l Level) error
}

// Reset is a line that is driven for a moment and floats at all other times: the chip pulls
// it to where it wants it.
type Reset interface {
	// Drive drives the line: low for an SX1276, high for an SX1272.
	Drive(l Level) error
	// Float stops driving.
	Float() error
}

// Input is a line that the chip sets.
type Input interface {
	// Level returns the level.
	Level() (Level, error)
	// Edges returns the channel on which the time of each rising edge is sent, by the
	// radio's clock (see [WithClock]). It is the same channel each time and has room for
	// one edge at least; edges for which there is no room are dropped. An edge is a hint to
	// look: some may be lost, some may be false.
	Edges() <-chan time.Time
}
