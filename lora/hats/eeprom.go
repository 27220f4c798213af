package hats

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// EEPROM is what a hat's identification EEPROM says (Raspberry Pi HAT specification, section "EEPROM data format").
type EEPROM struct {
	Vendor, Product string
	ID, Version     uint16
}

// Format of the EEPROM.
const (
	eepromSignature = "R-Pi"
	eepromHeader    = 12 // signature, version, reserved, number of atoms, length
	atomHeader      = 8  // type, count, length
	atomVendor      = 1
	vendorHeader    = 22 // UUID, product ID and version, two lengths
	atomCRC         = 2
)

// ParseEEPROM reads the vendor information out of the content of an EEPROM.
func ParseEEPROM(b []byte) (EEPROM, error) {
	if len(b) < eepromHeader || string(b[:4]) != eepromSignature {
		return EEPROM{}, errors.New("hats: no hat EEPROM")
	}
	atoms := int(binary.LittleEndian.Uint16(b[6:]))
	b = b[eepromHeader:]
	for range atoms {
		if len(b) < atomHeader {
			break
		}
		kind, n := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint32(b[4:])
		b = b[atomHeader:]
		if n < atomCRC || uint64(n) > uint64(len(b)) {
			break
		}
		if kind == atomVendor {
			return parseVendor(b[:n])
		}
		b = b[n:]
	}
	return EEPROM{}, errors.New("hats: the hat EEPROM has no vendor information")
}

// parseVendor reads the atom of the vendor, with its CRC at the end.
func parseVendor(b []byte) (EEPROM, error) {
	data := b[:len(b)-atomCRC] // the CRC is not looked at: what follows from this is no more than a proposal
	if len(data) < vendorHeader {
		return EEPROM{}, fmt.Errorf("hats: vendor information of %d bytes", len(data))
	}
	e := EEPROM{ID: binary.LittleEndian.Uint16(data[16:]), Version: binary.LittleEndian.Uint16(data[18:])}
	vendor, product := int(data[20]), int(data[21])
	if vendorHeader+vendor+product > len(data) {
		return EEPROM{}, fmt.Errorf("hats: vendor information of %d bytes with texts of %d and %d", len(data), vendor, product)
	}
	text := func(b []byte) string { return strings.TrimRight(string(b), "\x00 ") }
	e.Vendor, e.Product = text(data[vendorHeader:vendorHeader+vendor]), text(data[vendorHeader+vendor:vendorHeader+vendor+product])
	return e, nil
}

// productBoards is which boards a product of an EEPROM may be, by a part of its text in lower case.
var productBoards = []struct {
	part string
	ids  []string
}{
	{"rak6421", []string{"rak6421-slot1", "rak6421-slot2", "rak13302-slot1", "rak13302-slot2"}},
	{"meshadv mini", []string{"meshadv-mini"}},
	{"meshadv", []string{"meshadv", "meshadv-m33s"}},
	{"nebra", []string{"nebrahat-1w", "nebrahat-2w"}},
	{"zebra", []string{"zebrahat-1w", "zebrahat-2w"}},
	{"pimesh", []string{"pimesh-v1", "pimesh-v2"}},
	{"station", []string{"station-g3"}},
	{"waveshare", []string{"waveshare", "waveshare-pico"}},
	{"adafruit", []string{"adafruit"}},
	{"dragino", []string{"dragino"}},
}

// Boards returns the IDs of boards that may have such an EEPROM.
func (e EEPROM) Boards() []string {
	text := strings.ToLower(e.Vendor + " " + e.Product)
	for _, p := range productBoards {
		if strings.Contains(text, p.part) {
			return p.ids
		}
	}
	return nil
}
