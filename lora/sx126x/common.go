package sx126x

import (
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// What this driver has in common with those of other chips.
type (
	// Listen is how the driver listens before it talks: see [transceiver.Listen].
	Listen = transceiver.Listen
	// Stats count what happened since [New]: see [transceiver.Stats].
	Stats = transceiver.Stats
	// Check is what one step of [Diagnose] found: see [transceiver.Check].
	Check = transceiver.Check
	// Problem is an error with what to do about it: see [transceiver.Problem].
	Problem = transceiver.Problem
	// Level is the level of a line.
	Level = transceiver.Level
	// Output is a line that the driver sets: see [transceiver.Output].
	Output = transceiver.Output
	// Reset is a line that is driven for a moment: see [transceiver.Reset].
	Reset = transceiver.Reset
	// Input is a line that the chip sets: see [transceiver.Input].
	Input = transceiver.Input
)

// The levels.
const (
	Low  = transceiver.Low
	High = transceiver.High
)

// PycomListen returns what Pycom's firmware does, with random pauses: see [transceiver.PycomListen].
func PycomListen(c lora.Config) Listen { return transceiver.PycomListen(c) }

// PoliteListen returns the parameters of polite spectrum access: see [transceiver.PoliteListen].
func PoliteListen(c lora.Config) Listen { return transceiver.PoliteListen(c) }

// Pins are the lines between host and chip beside those of the SPI port. All but Busy may be nil.
type Pins struct {
	// CS is a chip select that the driver moves itself, low during each transfer. Nil: the
	// port has a chip select of its own.
	CS Output
	// Reset is the chip's NRESET. Nil: the chip is brought back by waking it up and setting it up,
	// which does not help against every fault.
	Reset Reset
	// Busy is the chip's BUSY, low when it takes a command. The driver cannot do without.
	Busy Input
	// DIO1 tells that a packet has come or gone. Nil: the driver asks the chip every few
	// milliseconds.
	DIO1 Input
	// RXEN and TXEN move the antenna switch: RXEN is high in reception, TXEN in transmission. Nil: the chip does it by DIO2, or the
	// module by itself.
	RXEN, TXEN Output
	// Enable are lines that are held high while the chip is in use, for supplies and switches.
	Enable []Output
}
