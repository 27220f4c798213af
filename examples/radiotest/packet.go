package main

import (
	"encoding/binary"
	"math"

	"github.com/gopymesh/pymesh/lora"
)

// A packet of radiotest:
//
//	| 0xFF "PYM" | kind | session | number | RSSI | SNR | zeros |
//	| 4          | 1    | 2       | 4      | 2    | 2   | any   |
//
// in big endian. RSSI in dBm and SNR in quarters of a dB are those of the ping that a pong answers. The first byte is that of no
// IEEE 802.15.4 frame, so that nodes of a mesh drop it.
type packet struct {
	kind    kind
	session uint16
	number  uint32
	rssi    int
	snr     float64
}

type kind byte

const (
	counted kind = iota + 1
	ping
	pong
)

const magic = "\xffPYM"

// minPacket is the size without zeros.
const minPacket = len(magic) + 1 + 2 + 4 + 2 + 2

// append appends the packet with zeros up to the given size.
func (p packet) append(b []byte, size int) []byte {
	end := len(b) + max(size, minPacket)
	b = append(b, magic...)
	b = append(b, byte(p.kind))
	b = binary.BigEndian.AppendUint16(b, p.session)
	b = binary.BigEndian.AppendUint32(b, p.number)
	b = binary.BigEndian.AppendUint16(b, uint16(int16(p.rssi)))
	b = binary.BigEndian.AppendUint16(b, uint16(int16(math.Round(4*p.snr))))
	return append(b, make([]byte, end-len(b))...)
}

// parse returns false for a packet that is not radiotest's.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < minPacket || len(b) > lora.MaxPacket || string(b[:len(magic)]) != magic {
		return p, false
	}
	b = b[len(magic):]
	return packet{
		kind:    kind(b[0]),
		session: binary.BigEndian.Uint16(b[1:]),
		number:  binary.BigEndian.Uint32(b[3:]),
		rssi:    int(int16(binary.BigEndian.Uint16(b[7:]))),
		snr:     float64(int16(binary.BigEndian.Uint16(b[9:]))) / 4,
	}, true
}
