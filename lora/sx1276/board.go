package sx1276

import (
	"fmt"
	"strings"
)

// Board is a hat, or any other way to wire a chip to the host: where it is on SPI, and which
// GPIO lines it uses.
//
// Lines are named as the kernel names them, "GPIO25" for BCM 25 on a Raspberry Pi (pin 22 of
// the header). A line whose name is empty is not wired.
type Board struct {
	// ID is a short name, for flags and files: see [ParseBoard].
	ID string
	// Name is what people call it.
	Name string
	// Bus and ChipSelect name the port: /dev/spidev<Bus>.<ChipSelect>.
	Bus, ChipSelect int
	// CS is the chip select where it is wired to an ordinary line and not to the port's. The
	// port's own then toggles as well: nothing may be wired to it (but see NoCS).
	CS string
	// NoCS keeps the port's own chip select still (SPI_NO_CS), for boards with CS where
	// another device listens to it. Not every host can do that: a Raspberry Pi 5 cannot.
	NoCS bool
	// Reset is NRESET.
	Reset string
	// DIO0 is the interrupt line.
	DIO0 string
	// Oscillator is the chip's reference. Hats have a crystal, a LoPy4 has a TCXO.
	Oscillator Oscillator
	// Output is the pin of the chip that leads to the antenna.
	Output AntennaOutput
	// Wiring is what to know about the wires, for people.
	Wiring string
	// Source says where these facts come from.
	Source string
}

// Oscillator is the reference clock of the chip.
type Oscillator uint8

// The oscillators.
const (
	Crystal Oscillator = iota
	TCXO               // an oscillator with temperature compensation at pin XTA
)

// AntennaOutput is the pin by which the chip sends.
type AntennaOutput uint8

// The outputs.
const (
	PABoost AntennaOutput = iota // 2 to 20 dBm; the only one wired on RFM95 to RFM98 modules
	RFO                          // -1 to 14 dBm
)

// Boards that are known by name.
var (
	// DraginoHAT is Dragino's LoRa/GPS HAT.
	DraginoHAT = Board{
		ID: "dragino", Name: "Dragino LoRa/GPS HAT", CS: "GPIO25", Reset: "GPIO17", DIO0: "GPIO4",
		Wiring: "NSS is GPIO25 (pin 22), not a CE pin; DIO1 GPIO23 and DIO2 GPIO24 only if soldered; GPS on the UART",
		Source: "hallard/RadioHead RasPiBoards.h; hallard/single_chan_pkt_fwd",
	}
	// AdafruitBonnet is Adafruit's RFM95W bonnet with display, product 4074.
	AdafruitBonnet = Board{
		ID: "adafruit", Name: "Adafruit LoRa Radio Bonnet (4074)", ChipSelect: 1, Reset: "GPIO25", DIO0: "GPIO22",
		Wiring: "CE1; DIO1 GPIO23, DIO2 GPIO24; display on I2C; buttons GPIO5, 6, 12",
		Source: "Adafruit; meshtastic/firmware bin/config.d/lora-Adafruit-RFM9x.yaml",
	}
	// ElecrowHAT is Elecrow's LoRa RFM95 IoT board.
	ElecrowHAT = Board{
		ID: "elecrow", Name: "Elecrow LoRa RFM95 IoT", ChipSelect: 1, Reset: "GPIO22", DIO0: "GPIO25",
		Wiring: "CE1",
		Source: "meshtastic/firmware bin/config-dist.yaml",
	}
	// LoRasPi is the LoRasPI board, version 1.2, with its jumper at CE0.
	LoRasPi = Board{
		ID: "loraspi", Name: "LoRasPI v1.2", Reset: "GPIO22", DIO0: "GPIO25",
		Wiring: "CE0, or CE1 by jumper; DIO0, DIO1 and DIO2 joined by diodes; LEDs GPIO23, 24",
		Source: "hallard/LoRasPI",
	}
	// UputronicsCE0 is the module in slot CE0 of Uputronics' expansion board.
	UputronicsCE0 = Board{
		ID: "uputronics-ce0", Name: "Uputronics LoRa expansion, slot CE0", DIO0: "GPIO25",
		Wiring: "CE0; DIO5 GPIO24; reset is not wired; older boards differ: see the silk screen",
		Source: "hallard/RPI-Lora-Gateway; PiInTheSky/lora-gateway",
	}
	// UputronicsCE1 is the module in slot CE1 of Uputronics' expansion board.
	UputronicsCE1 = Board{
		ID: "uputronics-ce1", Name: "Uputronics LoRa expansion, slot CE1", ChipSelect: 1, DIO0: "GPIO16",
		Wiring: "CE1; DIO5 GPIO12; reset is not wired; older boards differ: see the silk screen",
		Source: "hallard/RPI-Lora-Gateway; PiInTheSky/lora-gateway",
	}
	// RFM95 is a bare module on CE0. Change the lines to those that you have wired.
	RFM95 = Board{
		ID: "rfm95", Name: "RFM95 module", Reset: "GPIO25", DIO0: "GPIO22",
		Wiring: "CE0 (GPIO8, pin 24); any free lines for reset and DIO0, which Adafruit's breakout calls RST and G0; 3.3 V only",
		Source: "Adafruit RFM9x breakout guide",
	}
)

// Boards returns all boards that are known by name.
func Boards() []Board {
	return []Board{DraginoHAT, AdafruitBonnet, ElecrowHAT, LoRasPi, UputronicsCE0, UputronicsCE1, RFM95}
}

// ParseBoard returns the board of that ID; upper and lower case are the same.
func ParseBoard(id string) (Board, error) {
	var ids []string
	for _, b := range Boards() {
		if strings.EqualFold(b.ID, id) {
			return b, nil
		}
		ids = append(ids, b.ID)
	}
	return Board{}, fmt.Errorf("sx1276: board %q: known are %s", id, strings.Join(ids, ", "))
}
