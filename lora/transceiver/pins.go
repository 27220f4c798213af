package transceiver

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

// Output is a line that the driver sets.
type Output interface {
	// Set sets the level.
	Set(l Level) error
}

// Reset is a line that is driven for a moment and floats at all other times: the chip pulls
// it to where it wants it.
type Reset interface {
	// Drive drives the line: high for an SX1272, low for all others.
	Drive(l Level) error
	// Float stops driving.
	Float() error
}

// Input is a line that the chip sets.
type Input interface {
	// Level returns the level.
	Level() (Level, error)
	// Edges returns the channel on which the time of each rising edge is sent, by the
	// radio's clock. It is the same channel each time and has room for
	// one edge at least; edges for which there is no room are dropped. An edge is a hint to
	// look: some may be lost, some may be false.
	Edges() <-chan time.Time
}
