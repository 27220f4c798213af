package sx1276

import (
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh/lora"
)

// What can be wrong with the chip or the way to it. These errors come inside a [*lora.Error], most
// with a remedy: see [Problem].
var (
	// ErrNoChip reports that nothing answers on SPI: all bits read as 0, or all as 1.
	ErrNoChip = errors.New("no chip answers")
	// ErrOtherChip reports that something answers which this package does not know.
	ErrOtherChip = errors.New("not an SX1276 or SX1272")
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

// fail wraps an error of a transfer.
func fail(op string, reg register, err error) error {
	if err == nil {
		return nil
	}
	return &lora.Error{Op: op, Reg: reg.String(), Err: err}
}

// Remedies.
const (
	remedyNoChip = "the chip is not wired to this SPI port's chip select, or it is no SX1276: check bus and chip select of the board, " +
		"that SPI is on (raspi-config, Interface Options), and 3.3 V at the chip; hats with SX1262 or SX1268 (Waveshare), " +
		"with an SX1301/1302 concentrator (RAK2245, RAK2287) or with a UART module (Ebyte E22, RAK811) are not supported"
	remedyOtherChip = "an SX1276, 1277, 1278 or 1279 says 0x12, an SX1272 0x22; a value that differs each time comes from bad contacts " +
		"or an SPI clock that is too fast; SX1262, SX1268 and LR11xx chips are not supported"
	remedySPI        = "lower the SPI clock (WithSPIClock), shorten the wires, check ground"
	remedyOscillator = "a module with a crystal was told that it has a TCXO, or the other way round: check the board's Oscillator"
	remedyNoCS       = "this host's SPI refuses SPI_NO_CS, as a Raspberry Pi 5 does: leave NoCS of the board off and see that nothing else " +
		"listens to this chip select, or let the kernel move the line with dtoverlay=spi0-1cs,cs0_pin=25 and leave CS empty"
	remedyHung   = "end the program; if that does not help, the host's SPI driver hangs, and a reboot does: dmesg says more"
	remedySupply = "check the supply: 3.3 V that holds at 150 mA while the chip sends"
)

// wrongVersion returns the error for a version that no chip of ours has.
func wrongVersion(version byte) error {
	what, remedy := ErrOtherChip, remedyOtherChip
	if version == 0x00 || version == 0xff {
		what, remedy = ErrNoChip, remedyNoChip
	}
	return &lora.Error{Op: "identify", Reg: regVersion.String(), Err: &Problem{fmt.Errorf("0x%02X: %w", version, what), remedy}}
}
