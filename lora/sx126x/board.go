package sx126x

import (
	"fmt"
	"strings"
)

// Chip is a type of chip. Chips cannot be told apart by asking them: the board says which it is.
type Chip uint8

// The chips.
const (
	SX1262 Chip = iota // -9 to 22 dBm, 150 to 960 MHz
	SX1268             // the same, 410 to 810 MHz
	SX1261             // -17 to 15 dBm, 150 to 960 MHz
	LLCC68             // as SX1262, up to SF9 at 125 kHz, SF10 at 250 kHz, SF11 at 500 kHz
)

var chipNames = [...]string{SX1262: "SX1262", SX1268: "SX1268", SX1261: "SX1261", LLCC68: "LLCC68"}

// String returns the name.
func (c Chip) String() string {
	if int(c) >= len(chipNames) {
		return fmt.Sprintf("Chip(%d)", uint8(c))
	}
	return chipNames[c]
}

// Regulator is how the chip makes its inner voltage.
type Regulator uint8

// The regulators.
const (
	DCDC Regulator = iota // needs an inductor, which all known hats have; half of the current
	LDO
)

// Board is a hat, or any other way to wire a chip to the host: where it is on SPI, which
// GPIO lines it uses, and what is around the chip.
//
// Lines are named as the kernel names them, "GPIO25" for BCM 25 on a Raspberry Pi. A line whose name is empty is not wired.
type Board struct {
	// ID is a short name, for flags and files: see [ParseBoard].
	ID string
	// Name is what people call it.
	Name string
	// Chip is the type of chip.
	Chip Chip
	// Bus and ChipSelect name the port: /dev/spidev<Bus>.<ChipSelect>.
	Bus, ChipSelect int
	// CS is the chip select where it is wired to an ordinary line and not to the port's. The
	// port's own then toggles as well: nothing may be wired to it (but see NoCS).
	CS string
	// NoCS keeps the port's own chip select still (SPI_NO_CS). A Raspberry Pi 5 cannot do that.
	NoCS bool
	// Reset is NRESET, Busy is BUSY, DIO1 the interrupt line.
	Reset, Busy, DIO1 string
	// RXEN and TXEN are the lines that move the antenna switch. Where a module has them and nobody drives them, it is deaf
	// without any error.
	RXEN, TXEN string
	// Enable are lines to be held high.
	Enable []string
	// DIO2Switch says that the chip moves the antenna switch, by DIO2.
	DIO2Switch bool
	// TCXO is the voltage, in millivolts, that the oscillator gets from DIO3; 0 stands for a crystal.
	TCXO int
	// Regulator is DCDC unless the board has no inductor for it.
	Regulator Regulator
	// Gain is what the amplifier behind the chip adds, in dB: the power of a lora.Config is that at the antenna, the chip's is less
	// by this. 0: there is none.
	Gain int
	// MaxChipPower is the most that this amplifier bears, in dBm; 0: whatever the chip gives.
	MaxChipPower int
	// Wiring is what to know about the wires, for people.
	Wiring string
	// Source says where these facts come from.
	Source string
}

const (
	tcxo1V8    = 1800
	meshtastic = "meshtastic/firmware bin/config.d/lora-"
)

// Boards that are known by name. None of them has been tried by the authors.
var (
	// RAK6421Slot1 is RAK's Pi hat with a RAK13300 module in its first slot.
	RAK6421Slot1 = Board{
		ID: "rak6421-slot1", Name: "RAK6421 Pi hat, RAK13300 in slot 1", Reset: "GPIO16", Busy: "GPIO24", DIO1: "GPIO22",
		Enable: []string{"GPIO12", "GPIO13"}, DIO2Switch: true, TCXO: tcxo1V8,
		Wiring: "CE0; GPIO12 and 13 are held high", Source: meshtastic + "RAK6421-13300-slot1.yaml",
	}
	// RAK6421Slot2 is the same in the second slot.
	RAK6421Slot2 = Board{
		ID: "rak6421-slot2", Name: "RAK6421 Pi hat, RAK13300 in slot 2", ChipSelect: 1, Reset: "GPIO24", Busy: "GPIO19", DIO1: "GPIO18",
		Enable: []string{"GPIO26", "GPIO23"}, DIO2Switch: true, TCXO: tcxo1V8,
		Wiring: "CE1; GPIO26 and 23 are held high", Source: meshtastic + "RAK6421-13300-slot2.yaml",
	}
	// RAK13302Slot1 is RAK's Pi hat with a RAK13302 module, of 1 W, in its first slot.
	RAK13302Slot1 = amplified(RAK6421Slot1, "rak13302-slot1", "RAK6421 Pi hat, RAK13302 (1 W) in slot 1", 8, 22, meshtastic+"RAK6421-13302-slot1.yaml")
	// RAK13302Slot2 is the same in the second slot.
	RAK13302Slot2 = amplified(RAK6421Slot2, "rak13302-slot2", "RAK6421 Pi hat, RAK13302 (1 W) in slot 2", 8, 22, meshtastic+"RAK6421-13302-slot2.yaml")
	// MeshAdv is the MeshAdv-Pi hat with an E22-900M30S module, of 1 W.
	MeshAdv = Board{
		ID: "meshadv", Name: "MeshAdv-Pi, E22-900M30S (1 W)", CS: "GPIO21", Reset: "GPIO18", Busy: "GPIO20", DIO1: "GPIO16",
		TXEN: "GPIO13", RXEN: "GPIO12", TCXO: tcxo1V8, Gain: 8, MaxChipPower: 22,
		Wiring: "NSS is GPIO21; dtoverlay=spi0-0cs frees CE0 and CE1", Source: meshtastic + "MeshAdv-900M30S.yaml",
	}
	// MeshAdvM33S is the MeshAdv-Pi hat with an E22-900M33S module, of 2 W.
	MeshAdvM33S = amplified(MeshAdv, "meshadv-m33s", "MeshAdv-Pi, E22-900M33S (2 W)", 25, 8, meshtastic+"MeshAdv-900M30S.yaml")
	// MeshAdvMini is the MeshAdv Mini hat with an E22-900M22S module.
	MeshAdvMini = Board{
		ID: "meshadv-mini", Name: "MeshAdv Mini, E22-900M22S", Reset: "GPIO24", Busy: "GPIO20", DIO1: "GPIO16", RXEN: "GPIO12",
		DIO2Switch: true, TCXO: tcxo1V8, Wiring: "CE0; DIO2 is TXEN", Source: meshtastic + "MeshAdv-Mini-900M22S.yaml",
	}
	// NebraHat1W is the NebraHat of 1 W.
	NebraHat1W = Board{
		ID: "nebrahat-1w", Name: "NebraHat 1 W", Reset: "GPIO18", Busy: "GPIO4", DIO1: "GPIO22", RXEN: "GPIO25", DIO2Switch: true,
		TCXO: tcxo1V8, Gain: 8, MaxChipPower: 22, Wiring: "CE0; DIO2 is TXEN", Source: meshtastic + "NebraHat_1W.yaml",
	}
	// NebraHat2W is the NebraHat of 2 W.
	NebraHat2W = amplified(NebraHat1W, "nebrahat-2w", "NebraHat 2 W", 25, 8, meshtastic+"NebraHat_2W.yaml")
	// ZebraHat1W is the ZebraHat of 1 W; the PiTastic of 1 W is wired the same way.
	ZebraHat1W = Board{
		ID: "zebrahat-1w", Name: "ZebraHat 1 W, PiTastic 1 W", CS: "GPIO24", Reset: "GPIO17", Busy: "GPIO27", DIO1: "GPIO22",
		DIO2Switch: true, TCXO: tcxo1V8, Gain: 12, MaxChipPower: 18,
		Wiring: "NSS is GPIO24; dtoverlay=spi0-0cs frees CE0 and CE1", Source: meshtastic + "ZebraHat_1W.yaml",
	}
	// ZebraHat2W is the ZebraHat of 2 W.
	ZebraHat2W = withRXEN(amplified(ZebraHat1W, "zebrahat-2w", "ZebraHat 2 W", 25, 8, meshtastic+"ZebraHat_2W.yaml"), "GPIO25")
	// PiMeshV1 is the PiMesh-1W, first version, wired as the MeshAdv-Pi.
	PiMeshV1 = amplified(MeshAdv, "pimesh-v1", "PiMesh-1W V1, E22-900M30S", 8, 22, meshtastic+"pimesh-1w-v1.yaml")
	// PiMeshV2 is the PiMesh-1W, second version.
	PiMeshV2 = Board{
		ID: "pimesh-v2", Name: "PiMesh-1W V2, E22P-868M30S or E22P-915M30S", Reset: "GPIO18", Busy: "GPIO5", DIO1: "GPIO6",
		Enable: []string{"GPIO26"}, DIO2Switch: true, TCXO: tcxo1V8, Gain: 8, MaxChipPower: 22,
		Wiring: "CE0; GPIO26 is held high", Source: meshtastic + "pimesh-1w-v2.yaml",
	}
	// StationG3 is B&Q's Station G3 with a BQ35LORA900V1M module in its primary slot.
	StationG3 = Board{
		ID: "station-g3", Name: "B&Q Station G3, BQ35LORA900V1M", Reset: "GPIO16", Busy: "GPIO24", DIO1: "GPIO22", DIO2Switch: true,
		TCXO: tcxo1V8, Gain: 16, MaxChipPower: 19, Wiring: "CE0; the amplifier's gain is taken from the module's name",
		Source: meshtastic + "rpi-BQ-SG3-BQ35LORA900V1M-slot1.yaml",
	}
	// StarterEdition is the Starter Edition hat with a Core1262 module.
	StarterEdition = Board{
		ID: "starter-edition", Name: "Starter Edition hat, Core1262", Reset: "GPIO18", Busy: "GPIO4", DIO1: "GPIO22", DIO2Switch: true,
		TCXO: tcxo1V8, Wiring: "CE0", Source: meshtastic + "starter-edition-sx1262-i2c.yaml",
	}
	// WaveshareSPI is Waveshare's SX1262 LoRaWAN/GNSS hat, the one on SPI: those called "SX1262 868M LoRa HAT" are modems on the UART.
	WaveshareSPI = Board{
		ID: "waveshare", Name: "Waveshare SX1262 LoRaWAN/GNSS HAT (SPI)", CS: "GPIO21", Reset: "GPIO18", Busy: "GPIO20", DIO1: "GPIO16",
		Enable: []string{"GPIO6"}, DIO2Switch: true,
		Wiring: "NSS is GPIO21; a crystal; GPIO6 (antenna switch) is held high; CRC failures on long packets are reported", Source: meshtastic + "waveshare-sxxx.yaml",
	}
	// WavesharePico is Waveshare's Pico-LoRa-SX1262 on an adapter.
	WavesharePico = Board{
		ID: "waveshare-pico", Name: "Waveshare Pico-LoRa-SX1262 on a Pi adapter", CS: "GPIO21", Reset: "GPIO18", Busy: "GPIO20", DIO1: "GPIO16",
		DIO2Switch: true, TCXO: tcxo1V8, Wiring: "NSS is GPIO21", Source: meshtastic + "ws-raspberry-pi-pico-to-rpi-adapter.yaml",
	}
	// E22400M33S is a bare E22-400M33S module, an SX1268 of 2 W for 433 and 470 MHz. Change the lines to those that you have wired.
	E22400M33S = Board{
		ID: "e22-400m33s", Name: "E22-400M33S module (2 W)", Chip: SX1268, CS: "GPIO21", Reset: "GPIO18", Busy: "GPIO20", DIO1: "GPIO16",
		TXEN: "GPIO6", RXEN: "GPIO12", TCXO: tcxo1V8, Gain: 12, MaxChipPower: 21,
		Wiring: "any free lines; 5 V at 2 A for the amplifier", Source: "meshtastic/firmware bin/config-dist.yaml",
	}
	// E22900M22S is a bare E22-900M22S module on CE0, of one's own wiring.
	E22900M22S = Board{
		ID: "e22-900m22s", Name: "E22-900M22S module", Reset: "GPIO25", Busy: "GPIO24", DIO1: "GPIO22", RXEN: "GPIO17",
		DIO2Switch: true, TCXO: tcxo1V8, Wiring: "CE0; any free lines; DIO2 and TXEN of the module joined; 3.3 V", Source: "wiring of our own",
	}
)

// amplified returns a board with another amplifier behind the chip.
func amplified(b Board, id, name string, gain, maxChip int, source string) Board {
	b.ID, b.Name, b.Gain, b.MaxChipPower, b.Source = id, name, gain, maxChip, source
	return b
}

func withRXEN(b Board, line string) Board {
	b.RXEN = line
	return b
}

// Boards returns all boards that are known by name.
func Boards() []Board {
	return []Board{
		RAK6421Slot1, RAK6421Slot2, RAK13302Slot1, RAK13302Slot2, MeshAdv, MeshAdvM33S, MeshAdvMini, NebraHat1W, NebraHat2W, ZebraHat1W,
		ZebraHat2W, PiMeshV1, PiMeshV2, StationG3, StarterEdition, WaveshareSPI, WavesharePico, E22400M33S, E22900M22S,
	}
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
	return Board{}, fmt.Errorf("sx126x: board %q: known are %s", id, strings.Join(ids, ", "))
}

// Powers returns the lowest and the highest power at the antenna that a board gives, in dBm.
func (b Board) Powers() (lo, hi int) {
	lo, hi = -9, 22
	if b.Chip == SX1261 {
		lo, hi = -17, 15
	}
	if b.MaxChipPower != 0 {
		hi = min(hi, b.MaxChipPower)
	}
	return lo + b.Gain, hi + b.Gain
}
