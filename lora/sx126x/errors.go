package sx126x

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
	ErrOtherChip = errors.New("not an SX1261, SX1262, SX1268 or LLCC68")
	// ErrBusy reports that the line BUSY is not what it should be.
	ErrBusy = errors.New("BUSY does not fall")
	// ErrRefused reports that the chip did not do what a command told it.
	ErrRefused = errors.New("the chip refused the command")
	// ErrDevice reports faults that the chip has found in itself.
	ErrDevice = errors.New("the chip reports faults")
)

// Remedies.
const (
	remedyNoChip = "the chip is not wired to this SPI port's chip select, or it has no power: check bus, chip select, Enable lines and reset of the board, " +
		"that SPI is on (raspi-config, Interface Options), and 3.3 V at the chip; hats called \"SX1262 868M LoRa HAT\" or \"SX1268 433M LoRa HAT\" (Waveshare) " +
		"and others with a module on the UART (Ebyte E22-…T, RAK811) cannot be used"
	remedyOtherChip = "chips of this family say \"SX126\" or \"LLCC68\"; a text that differs each time comes from bad contacts " +
		"or an SPI clock that is too fast; LR11xx and SX128x chips are not supported"
	remedySX127x  = "this is a board with an SX1276 or SX1272: choose one of package sx1276, such as dragino, adafruit or rfm95"
	remedySPI     = "lower the SPI clock (WithSPIClock), shorten the wires, check ground"
	remedyBusy    = "BUSY leads to another line, or the chip has no power: check the board's Busy, its Enable lines, and that no other program uses them"
	remedyCrystal = "the module has a TCXO, and the board says that it has a crystal: set the board's TCXO to its voltage in millivolts, often 1800"
	remedyRefused = "the chip is in another state than it was set to: check the supply, and that no other program uses it"
)

// remedyTCXO says what to do about an oscillator that does not start.
func remedyTCXO(mV int) string {
	if mV == 0 {
		return remedyCrystal
	}
	return fmt.Sprintf("the oscillator does not start with %d.%d V: the module has another voltage (some have 3.0 or 3.3 V), or a crystal: check the board's TCXO",
		mV/1000, mV%1000/100)
}

// fail wraps an error of a transfer.
func fail(op, what string, err error) error {
	if err == nil {
		return nil
	}
	return &lora.Error{Op: op, Reg: what, Err: err}
}

// deviceErrors names the bits of GetDeviceErrors (data sheet, table 13-85).
var deviceErrors = []struct {
	bit  uint16
	name string
}{
	{1 << 0, "RC64K calibration"}, {1 << 1, "RC13M calibration"}, {1 << 2, "PLL calibration"}, {1 << 3, "ADC calibration"},
	{1 << 4, "image calibration"}, {errXOSC, "oscillator start"}, {1 << 6, "PLL lock"}, {1 << 8, "power amplifier ramp"},
}

// errXOSC is the bit of an oscillator that does not start.
const errXOSC = 1 << 5

// deviceError returns the error for what GetDeviceErrors says, or nil.
func (c *chip) deviceError(bits uint16) error {
	if bits == 0 {
		return nil
	}
	what, err, remedy := "", ErrDevice, remedySupply
	for _, e := range deviceErrors {
		if bits&e.bit != 0 {
			if what != "" {
				what += ", "
			}
			what += e.name
		}
	}
	if bits&errXOSC != 0 {
		err, remedy = ErrOscillator, remedyTCXO(c.board.TCXO)
	}
	return &lora.Error{Op: "set up", Reg: "GetDeviceErrors", Err: &Problem{Err: fmt.Errorf("%s: %w", what, err), Remedy: remedy}}
}

const remedySupply = "check the supply: 3.3 V that holds at 150 mA while the chip sends, and 5 V for an amplifier behind it"
