package ieee802154

import "encoding/binary"

// fcsPolynomial is x^16 + x^12 + x^5 + 1 (§7.2.1.9), least significant bit first.
const fcsPolynomial = 0x8408

// fcsTable[i] is the remainder of the byte i, fcsTableHigh[i] that of the byte i
// with a zero byte behind it.
var fcsTable, fcsTableHigh = makeFCSTables()

func makeFCSTables() (table, high [256]uint16) {
	for i := range table {
		r := uint16(i)
		for range 8 {
			if r&1 != 0 {
				r = r>>1 ^ fcsPolynomial
			} else {
				r >>= 1
			}
		}
		table[i] = r
	}
	for i, r := range table {
		high[i] = r>>8 ^ table[byte(r)]
	}
	return table, high
}

// FCS returns the frame check sequence over b (§7.2.1.9), the 16-bit CRC of
// ITU-T. On the air it is little-endian.
func FCS(b []byte) uint16 {
	var r uint16
	for len(b) >= 2 {
		r ^= binary.LittleEndian.Uint16(b)
		r = fcsTableHigh[byte(r)] ^ fcsTable[r>>8]
		b = b[2:]
	}
	if len(b) > 0 {
		r = r>>8 ^ fcsTable[byte(r)^b[0]]
	}
	return r
}

// FCSValid reports whether the last two bytes of psdu are the FCS of the
// others.
func FCSValid(psdu []byte) bool {
	n := len(psdu) - FCSSize
	return n >= 0 && FCS(psdu[:n]) == binary.LittleEndian.Uint16(psdu[n:])
}

// appendFCS appends the FCS of b[start:] to b.
func appendFCS(b []byte, start int) []byte {
	return binary.LittleEndian.AppendUint16(b, FCS(b[start:]))
}
