package driver

import (
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Chip is a LoRa chip as the driver sees it. One goroutine at a time uses it.
//
// Between calls the chip receives, or transmits after Transmit until TxDone, or is in standby after that until Listen, or sleeps.
// An error that wraps [transceiver.ErrRestarted] says that the chip was not as it had been set.
type Chip interface {
	// Name returns the name of the chip.
	Name() string
	// SetUp takes the chip from any state to reception.
	SetUp() error
	// Look reads what has happened, and makes sure that the chip is in the mode that it was set to.
	Look(d Depth) (Status, error)
	// Clear clears the flags that the last Look saw, and no others.
	Clear() error
	// Read takes the packet out of the chip of which the last Look told, and clears the flags.
	Read(p *Packet) error
	// Transmit puts a packet on the air. The chip receives, or has assessed the channel.
	Transmit(packet []byte) error
	// Listen goes back to reception after a transmission.
	Listen() error
	// Restart begins reception anew: the modem forgets what it seems to receive.
	Restart() error
	// Assess looks whether there is a signal on the channel, whatever part of a packet it is. If so the chip goes on to receive, else
	// it waits for Transmit or Listen.
	Assess() (busy bool, err error)
	// Sleep ends reception, and Wake begins it again.
	Sleep() error
	Wake() error
	// ShutDown makes the chip sleep, whatever it does.
	ShutDown() error
	// Traffic returns what went over SPI.
	Traffic() Traffic
}

// A Refresher is a Chip that wants to be set up anew from time to time, when nothing happens. It goes on to receive.
type Refresher interface {
	// RefreshEvery returns how often, or zero.
	RefreshEvery() time.Duration
	Refresh() error
}

// Depth is how much a look is to tell.
type Depth uint8

// The depths.
const (
	Events   Depth = iota // what has happened
	Channel               // the strength of the moment, too
	Settings              // and that the chip has its settings
)

// Status is what a chip tells.
type Status struct {
	RxDone, TxDone bool
	Other          bool // it tells something else, which is to be cleared
	// Progress is how far the reception of a packet has come.
	Progress Progress
	// Strength is that of the moment, in dBm. It means something only while the chip receives.
	Strength int
}

// Progress is how far the reception of a packet has come.
type Progress uint8

// The stages of a reception.
const (
	Nothing  Progress = iota
	Preamble          // a preamble was detected
	Header            // the header has come, and was right
)

// Packet is a packet received.
type Packet struct {
	lora.Reception
	Payload [lora.MaxPacket]byte

	// Length is how long it is, or was to be: with an error there is no payload.
	Length int
	// Why there is none.
	CRCError, NoCRC bool
	// Missed says that packets before this one were overwritten.
	Missed bool
}

// Traffic counts SPI transfers.
type Traffic struct {
	Transfers, Bytes, Errors uint64
	Busy                     bool // one is under way
}
