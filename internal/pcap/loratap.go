package pcap

import (
	"encoding/binary"
	"errors"
	"math"
)

// LoRaTap is the metadata of a LoRa packet.
type LoRaTap struct {
	Frequency       uint32  // Hz
	Bandwidth       uint32  // Hz, a multiple of 125 kHz
	SpreadingFactor uint8   // 7 to 12
	PacketRSSI      float64 // dBm, or NoRSSI
	MaxRSSI         float64 // dBm, or NoRSSI
	CurrentRSSI     float64 // dBm, or NoRSSI
	SNR             float64 // dB, in quarters
	SyncWord        uint8
}

// NoRSSI stands for a strength that is not known, in dBm.
const NoRSSI = 127.0

const (
	loraTapLen   = 15
	loraTapStep  = 125_000 // Hz, unit of the bandwidth
	loraTapFloor = -139.0  // dBm, what an RSSI of 0 means
	loraTapNone  = 255     // an RSSI that is not known
)

// ErrLoRaTap reports a LoRaTap header that is cut off.
var ErrLoRaTap = errors.New("pcap: bad LoRaTap header")

// ParseLoRaTap parses a header and returns the packet behind it, which aliases b.
// Headers of later versions are accepted for what they share with version 0.
func ParseLoRaTap(b []byte) (t LoRaTap, packet []byte, err error) {
	if len(b) < loraTapLen {
		return LoRaTap{}, nil, ErrLoRaTap
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < loraTapLen || length > len(b) {
		return LoRaTap{}, nil, ErrLoRaTap
	}
	t = LoRaTap{
		Frequency:       binary.BigEndian.Uint32(b[4:]),
		Bandwidth:       uint32(b[8]) * loraTapStep,
		SpreadingFactor: b[9],
		SNR:             float64(int8(b[13])) / 4,
		SyncWord:        b[14],
	}
	t.PacketRSSI = loraTapRSSI(b[10], t.packetStep())
	t.MaxRSSI = loraTapRSSI(b[11], 1)
	t.CurrentRSSI = loraTapRSSI(b[12], 1)
	return t, b[length:], nil
}

// AppendBinary appends the header, in version 0. Values out of range are cut to what
// fits.
func (t LoRaTap) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, loraTapLen)
	b = binary.BigEndian.AppendUint32(b, t.Frequency)
	snr := max(math.MinInt8, min(math.MaxInt8, math.Round(4*t.SNR)))
	return append(b,
		uint8(min(t.Bandwidth/loraTapStep, math.MaxUint8)),
		t.SpreadingFactor,
		loraTapByte(t.PacketRSSI, t.packetStep()),
		loraTapByte(t.MaxRSSI, 1),
		loraTapByte(t.CurrentRSSI, 1),
		uint8(int8(snr)),
		t.SyncWord), nil
}

// packetStep returns the unit of the packet RSSI in dB: a quarter below an SNR of 0.
func (t LoRaTap) packetStep() float64 {
	if t.SNR < 0 {
		return 0.25
	}
	return 1
}

func loraTapRSSI(b uint8, step float64) float64 {
	if b == loraTapNone {
		return NoRSSI
	}
	return loraTapFloor + float64(b)*step
}

func loraTapByte(rssi, step float64) uint8 {
	if rssi == NoRSSI {
		return loraTapNone
	}
	return uint8(max(0, min(loraTapNone-1, math.Round((rssi-loraTapFloor)/step))))
}
