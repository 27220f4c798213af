package sx1276emu

import (
	"maps"

	"github.com/gopymesh/pymesh/lora"
)

// Model is a type of chip.
type Model uint8

const (
	// SX1276 is the chip of the LoPy4 and of most hats, also sold as RFM95 and RFM96.
	SX1276 Model = iota
	// SX1272 is the chip of LoPy and FiPy: another layout of RegModemConfig1 and 2, no
	// RegModemConfig3, other addresses for some analog settings, another offset of
	// strengths, three bandwidths, no band below 860 MHz, and a reset pin that is
	// active high.
	SX1272
)

// String returns the name of the chip.
func (m Model) String() string {
	if m == SX1272 {
		return "SX1272"
	}
	return "SX1276"
}

// variant is what distinguishes a model.
type variant struct {
	bank             bank
	tcxo, paDac      byte // addresses
	resetHigh        bool // level of the reset pin that resets
	minFreq, maxFreq lora.Frequency
	modem            func(page *[pageEnd + 1]byte) modemConfig
}

// The reset values of analog registers that have no effect here are those that are
// commonly read from chips.
var variants = [...]variant{
	SX1276: {
		bank: bank{
			common: with(commonRegisters, map[byte]register{
				0x44: {"RegPllHop", 0x2D, 0},
				0x4B: {"RegTcxo", 0x09, 0},
				0x4D: {"RegPaDac", 0x84, receiving},
				0x5B: {"RegFormerTemp", 0x00, 0},
				0x5D: {"RegBitrateFrac", 0x00, 0},
				0x61: {"RegAgcRef", 0x13, 0},
				0x62: {"RegAgcThresh1", 0x0E, 0},
				0x63: {"RegAgcThresh2", 0x5B, 0},
				0x64: {"RegAgcThresh3", 0xDB, 0},
				0x70: {"RegPll", 0xD0, 0},
			}),
			lora: loraRegisters,
			fsk:  fskRegisters,
		},
		tcxo:    0x4B,
		paDac:   0x4D,
		minFreq: 137 * lora.MHz,
		maxFreq: 1020 * lora.MHz,
		modem:   decodeSX1276,
	},
	SX1272: {
		bank: bank{
			common: with(commonRegisters, map[byte]register{
				regFrfMsb:  {"RegFrfMsb", 0xE4, 0},
				regFrfMid:  {"RegFrfMid", 0xC0, 0},
				regVersion: {"RegVersion", 0x22, readOnly},
				0x43:       {"RegAgcRef", 0x13, 0},
				0x44:       {"RegAgcThresh1", 0x0E, 0},
				0x45:       {"RegAgcThresh2", 0x5B, 0},
				0x46:       {"RegAgcThresh3", 0xDB, 0},
				0x4B:       {"RegPllHop", 0x2E, 0},
				0x58:       {"RegTcxo", 0x09, 0},
				0x5A:       {"RegPaDac", 0x84, receiving},
				0x5C:       {"RegPll", 0xD0, 0},
				0x5E:       {"RegPllLowPn", 0xD0, 0},
				0x6C:       {"RegFormerTemp", 0x00, 0},
				0x70:       {"RegBitrateFrac", 0x00, 0},
			}),
			lora: with(loraRegisters, map[byte]register{
				regModemConfig1:    {"RegModemConfig1", 0x08, 0},
				regModemConfig2:    {"RegModemConfig2", 0x74, 0},
				regModemConfig3:    {},
				regIfFreq2:         {},
				regIfFreq1:         {},
				regHighBWOptimize1: {},
				regHighBWOptimize2: {},
			}),
			fsk: fskRegisters,
		},
		tcxo:      0x58,
		paDac:     0x5A,
		resetHigh: true,
		minFreq:   860 * lora.MHz,
		maxFreq:   1020 * lora.MHz,
		modem:     decodeSX1272,
	},
}

// with returns a copy of a set of registers in which some are replaced.
func with(set, other map[byte]register) map[byte]register {
	set = maps.Clone(set)
	maps.Copy(set, other)
	return set
}
