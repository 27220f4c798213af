package pcap

import (
	"encoding/binary"
	"errors"
	"math"
)

// TAP is the metadata of an IEEE 802.15.4 frame.
type TAP struct {
	Fields  TAPFields // which of the following are known
	FCS     FCSType
	RSSI    float32 // dBm
	SNR     float32 // dB; a field of this package, which other programs skip
	Channel uint16
	Page    uint8 // channel page, known with Channel
}

// TAPFields is a set of fields of [TAP].
type TAPFields uint8

// The fields of a TAP.
const (
	TAPFCS TAPFields = 1 << iota
	TAPRSSI
	TAPChannel
	TAPSNR
)

// FCSType says what the frame ends with.
type FCSType uint8

// The kinds of frame check sequence.
const (
	FCSNone FCSType = 0
	FCS16   FCSType = 1 // ITU-T CRC-16
	FCS32   FCSType = 2
)

const (
	tapHeaderLen = 4
	tapTLVLen    = 4 // type and length
	tapAlign     = 4

	tapTypeFCS     = 0
	tapTypeRSSI    = 1
	tapTypeChannel = 3
	tapTypeSNR     = 0xff53 // of no standard: TAP has none for it

	tapFCSLen     = 1
	tapRSSILen    = 4
	tapChannelLen = 3
	tapSNRLen     = 4
)

// ErrTAP reports an IEEE 802.15.4 TAP header that is cut off or inconsistent.
var ErrTAP = errors.New("pcap: bad IEEE 802.15.4 TAP header")

// ParseTAP parses a header and returns the frame behind it, which aliases b. TLVs of
// other types are skipped, as are TLVs of a known type with a value too short, and levels that are not finite.
func ParseTAP(b []byte) (t TAP, frame []byte, err error) {
	if len(b) < tapHeaderLen || b[0] != 0 {
		return TAP{}, nil, ErrTAP
	}
	length := int(binary.LittleEndian.Uint16(b[2:]))
	if length < tapHeaderLen || length > len(b) {
		return TAP{}, nil, ErrTAP
	}
	for tlvs := b[tapHeaderLen:length]; len(tlvs) > 0; {
		if len(tlvs) < tapTLVLen {
			return TAP{}, nil, ErrTAP
		}
		kind := binary.LittleEndian.Uint16(tlvs)
		n := int(binary.LittleEndian.Uint16(tlvs[2:]))
		tlvs = tlvs[tapTLVLen:]
		if n > len(tlvs) {
			return TAP{}, nil, ErrTAP
		}
		t.set(kind, tlvs[:n])
		tlvs = tlvs[min(padded(n), len(tlvs)):]
	}
	return t, b[length:], nil
}

func (t *TAP) set(kind uint16, value []byte) {
	switch {
	case kind == tapTypeFCS && len(value) >= tapFCSLen:
		t.Fields |= TAPFCS
		t.FCS = FCSType(value[0])
	case kind == tapTypeRSSI && len(value) >= tapRSSILen:
		t.level(TAPRSSI, &t.RSSI, value)
	case kind == tapTypeSNR && len(value) >= tapSNRLen:
		t.level(TAPSNR, &t.SNR, value)
	case kind == tapTypeChannel && len(value) >= tapChannelLen:
		t.Fields |= TAPChannel
		t.Channel = binary.LittleEndian.Uint16(value)
		t.Page = value[2]
	}
}

// level reads an IEEE 754 float into a field; an infinity or what is no number is no level, and
// left out as if it had not been given.
func (t *TAP) level(field TAPFields, to *float32, value []byte) {
	v := math.Float32frombits(binary.LittleEndian.Uint32(value))
	if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
		t.Fields |= field
		*to = v
	}
}

// AppendBinary appends the header with the fields that are known.
func (t TAP) AppendBinary(b []byte) ([]byte, error) {
	le := binary.LittleEndian
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	if t.Fields&TAPFCS != 0 {
		b = appendTLVHeader(b, tapTypeFCS, tapFCSLen)
		b = append(b, uint8(t.FCS), 0, 0, 0)
	}
	if t.Fields&TAPRSSI != 0 {
		b = appendTLVHeader(b, tapTypeRSSI, tapRSSILen)
		b = le.AppendUint32(b, math.Float32bits(t.RSSI))
	}
	if t.Fields&TAPChannel != 0 {
		b = appendTLVHeader(b, tapTypeChannel, tapChannelLen)
		b = le.AppendUint16(b, t.Channel)
		b = append(b, t.Page, 0)
	}
	if t.Fields&TAPSNR != 0 {
		b = appendTLVHeader(b, tapTypeSNR, tapSNRLen)
		b = le.AppendUint32(b, math.Float32bits(t.SNR))
	}
	le.PutUint16(b[start+2:], uint16(len(b)-start))
	return b, nil
}

func appendTLVHeader(b []byte, kind, length uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, kind)
	return binary.LittleEndian.AppendUint16(b, length)
}

func padded(n int) int { return (n + tapAlign - 1) / tapAlign * tapAlign }
