package sx126x

import (
	"fmt"

	"github.com/gopymesh/pymesh/lora"
)

// tcxoCodes is SetDIO3AsTcxoCtrl's number for a voltage, in millivolts.
var tcxoCodes = []int{1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300}

// validate says what of a configuration the chip of a board does not do.
func (b Board) validate(c lora.Config) error {
	if int(b.Chip) >= len(chipNames) {
		return fmt.Errorf("sx126x: Board.Chip: %v is none of %v, %v, %v and %v", b.Chip, SX1262, SX1268, SX1261, LLCC68)
	}
	if b.TCXO != 0 && b.tcxoCode() < 0 {
		return fmt.Errorf("sx126x: Board.TCXO: %d mV is none of %v", b.TCXO, tcxoCodes)
	}
	if c.SpreadingFactor == lora.SF6 {
		return fmt.Errorf("sx126x: %v: the chip's is not that of an SX1276, and packets of one fixed length alone would do there; use %v to %v",
			c.SpreadingFactor, lora.SF7, lora.SF12)
	}
	if lo, hi := b.Powers(); c.TxPower < lo || c.TxPower > hi {
		return fmt.Errorf("sx126x: TxPower %d dBm: %s gives %d to %d dBm at the antenna", c.TxPower, b.what(), lo, hi)
	}
	lo, hi := 150*lora.MHz, 960*lora.MHz
	if b.Chip == SX1268 {
		lo, hi = 410*lora.MHz, 810*lora.MHz
	}
	if c.Frequency < lo || c.Frequency > hi {
		return fmt.Errorf("sx126x: Frequency %v: an %v works from %v to %v", c.Frequency, b.Chip, lo, hi)
	}
	if b.Chip == LLCC68 {
		if limit := llcc68Limit(c.Bandwidth); c.SpreadingFactor > limit {
			return fmt.Errorf("sx126x: SpreadingFactor %v: at %v an LLCC68 has %v at most", c.SpreadingFactor, c.Bandwidth, limit)
		}
	}
	return nil
}

// what names the board in an error.
func (b Board) what() string {
	if b.Name != "" {
		return b.Name
	}
	return "an " + b.Chip.String()
}

// llcc68Limit returns the highest spreading factor of an LLCC68 (data sheet, table 6-1).
func llcc68Limit(bw lora.Bandwidth) lora.SpreadingFactor {
	switch bw {
	case lora.BW250:
		return lora.SF10
	case lora.BW500:
		return lora.SF11
	}
	return lora.SF9
}

func (b Board) tcxoCode() int {
	for code, mV := range tcxoCodes {
		if mV == b.TCXO {
			return code
		}
	}
	return -1
}

// steps returns a frequency in steps of 32 MHz / 2^25.
func steps(f lora.Frequency) uint32 {
	const crystal = 32_000_000
	return uint32((uint64(f)<<25 + crystal/2) / crystal)
}

// imageBand returns the parameters of CalibrateImage for a frequency, both in steps of 4 MHz (data sheet, table 9-2).
func imageBand(f lora.Frequency) (lo, hi byte) {
	for _, band := range []struct {
		end    lora.Frequency
		lo, hi byte
	}{
		{440 * lora.MHz, 0x6B, 0x6F}, // 430 to 440 MHz
		{510 * lora.MHz, 0x75, 0x81}, // 470 to 510 MHz
		{787 * lora.MHz, 0xC1, 0xC5}, // 779 to 787 MHz
		{870 * lora.MHz, 0xD7, 0xDB}, // 863 to 870 MHz
	} {
		if f <= band.end {
			return band.lo, band.hi
		}
	}
	return 0xE1, 0xE9 // 902 to 928 MHz
}

// bandwidthCode returns SetModulationParams' number for a bandwidth.
func bandwidthCode(b lora.Bandwidth) byte {
	switch b {
	case lora.BW250:
		return 5
	case lora.BW500:
		return 6
	}
	return 4
}

// syncRegisters returns the registers of a sync word: its halves, each followed by a 4. Chips of the SX127x family, which have one byte,
// meet them by that.
func syncRegisters(w lora.SyncWord) [2]byte {
	const filler = 0x04
	return [2]byte{byte(w)&0xF0 | filler, byte(w)<<4 | filler}
}

// syncWord is the inverse of syncRegisters; ok is false for registers that no such chip can meet for certain.
func syncWord(r [2]byte) (w lora.SyncWord, ok bool) {
	w = lora.SyncWord(r[0]&0xF0 | r[1]>>4)
	return w, syncRegisters(w) == r
}

// amplifier is the settings of the chip's power amplifier.
type amplifier struct {
	config [4]byte
	power  int8
	ocp    byte // limit of the current, in 2.5 mA
}

// amplifier returns the settings for a power at the antenna, in dBm (data sheet, table 13-21).
func (b Board) amplifier(antenna int) amplifier {
	const limit140mA, limit60mA = 0x38, 0x18
	power := antenna - b.Gain
	switch {
	case b.Chip != SX1261:
		return amplifier{[4]byte{0x04, 0x07, 0x00, 0x01}, int8(power), limit140mA}
	case power == 15:
		return amplifier{[4]byte{0x06, 0x00, 0x01, 0x01}, 14, limit60mA}
	}
	return amplifier{[4]byte{0x04, 0x00, 0x01, 0x01}, int8(power), limit60mA}
}

// cad is the parameters of channel activity detection.
type cad struct {
	symbols byte // code: 2^symbols symbols
	peak    byte
}

// cadMin is the least detection peak.
const cadMin = 10

// cadOf returns the parameters for a spreading factor: two symbols, and four from SF9 on, where two give false alarms (AN1200.48; the same
// numbers are in the STM32WL reference manual, where early revisions print them as hexadecimal).
func cadOf(sf lora.SpreadingFactor) cad {
	peaks := [...]byte{22, 22, 23, 24, 25, 28}
	c := cad{1, peaks[sf-lora.SF7]}
	if sf >= lora.SF9 {
		c.symbols = 2
	}
	return c
}
