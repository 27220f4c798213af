package sx1276

import (
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// What can be wrong with the chip or the way to it, as [transceiver] says. These errors come inside a [*lora.Error], most
// with a remedy: see [Problem].
var (
	ErrNoChip     = transceiver.ErrNoChip
	ErrSPI        = transceiver.ErrSPI
	ErrOscillator = transceiver.ErrOscillator
	ErrNoTxDone   = transceiver.ErrNoTxDone
	ErrRestarted  = transceiver.ErrRestarted
	ErrHungSPI    = transceiver.ErrHungSPI
	ErrHungLine   = transceiver.ErrHungLine
	ErrAirtime    = transceiver.ErrAirtime

	// ErrOtherChip reports that something answers which this package does not know.
	ErrOtherChip = errors.New("not an SX1276 or SX1272")
)

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
		"that SPI is on (raspi-config, Interface Options), and 3.3 V at the chip; hats with an SX1262 or SX1268 need package sx126x and a board of it; those " +
		"with an SX1301/1302 concentrator (RAK2245, RAK2287) or with a UART module (Ebyte E22, RAK811, Waveshare's \"LoRa HAT\") are not supported"
	remedyOtherChip = "an SX1276, 1277, 1278 or 1279 says 0x12, an SX1272 0x22; a value that differs each time comes from bad contacts " +
		"or an SPI clock that is too fast; LR11xx chips are not supported"
	remedySX126x     = "this is a board with an SX1262 or one of its family: choose one of package sx126x, such as rak6421-slot1 or waveshare"
	remedySPI        = "lower the SPI clock (WithSPIClock), shorten the wires, check ground"
	remedyOscillator = "a module with a crystal was told that it has a TCXO, or the other way round: check the board's Oscillator"
)

// otherFamily returns the error for a chip that says that it is an SX126x.
func otherFamily(text string) error {
	return &lora.Error{Op: "identify", Reg: regVersion.String(), Err: &Problem{Err: fmt.Errorf("%q answers: %w", text, ErrOtherChip), Remedy: remedySX126x}}
}

// wrongVersion returns the error for a version that no chip of ours has.
func wrongVersion(version byte) error {
	what, remedy := ErrOtherChip, remedyOtherChip
	if version == 0x00 || version == 0xff {
		what, remedy = ErrNoChip, remedyNoChip
	}
	return &lora.Error{Op: "identify", Reg: regVersion.String(), Err: &Problem{Err: fmt.Errorf("0x%02X: %w", version, what), Remedy: remedy}}
}
