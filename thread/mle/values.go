package mle

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Each TLV has a Parse function that takes the TLV's value, and an Append function that writes the whole TLV: type,
// length and value. Append functions cannot fail.

// AppendTLV appends a TLV whose value is given as bytes: Network Data, the timestamps, datasets and Thread Discovery.
func AppendTLV(b []byte, t TLVType, value []byte) []byte { return tlv.Append(b, t, value) }

// checkLength reports ErrTLVLength if value's length is not one that type t allows.
func checkLength(t TLVType, value []byte) error {
	if !t.ValidLength(len(value)) {
		return ErrTLVLength
	}
	return nil
}

func parse8(t TLVType, value []byte) (uint8, error) {
	if checkLength(t, value) != nil {
		return 0, ErrTLVLength
	}
	return value[0], nil
}

func parse16(t TLVType, value []byte) (uint16, error) {
	if checkLength(t, value) != nil {
		return 0, ErrTLVLength
	}
	return binary.BigEndian.Uint16(value), nil
}

func parse32(t TLVType, value []byte) (uint32, error) {
	if checkLength(t, value) != nil {
		return 0, ErrTLVLength
	}
	return binary.BigEndian.Uint32(value), nil
}

func append8(b []byte, t TLVType, v uint8) []byte { return append(tlv.AppendHeader(b, t, 1), v) }

func append16(b []byte, t TLVType, v uint16) []byte {
	return binary.BigEndian.AppendUint16(tlv.AppendHeader(b, t, 2), v)
}

func append32(b []byte, t TLVType, v uint32) []byte {
	return binary.BigEndian.AppendUint32(tlv.AppendHeader(b, t, 4), v)
}

// ParseSourceAddress parses a Source Address TLV: the sender's RLOC16.
func ParseSourceAddress(value []byte) (RLOC16, error) {
	v, err := parse16(TLVSourceAddress, value)
	return RLOC16(v), err
}

// AppendSourceAddress appends a Source Address TLV.
func AppendSourceAddress(b []byte, r RLOC16) []byte { return append16(b, TLVSourceAddress, uint16(r)) }

// ParseAddress16 parses an Address16 TLV: the RLOC16 that a parent gives its child.
func ParseAddress16(value []byte) (RLOC16, error) {
	v, err := parse16(TLVAddress16, value)
	return RLOC16(v), err
}

// AppendAddress16 appends an Address16 TLV.
func AppendAddress16(b []byte, r RLOC16) []byte { return append16(b, TLVAddress16, uint16(r)) }

// Mode says what a node is able and wants to do (Thread 1.1 §4.5.2).
type Mode uint8

// The bits of Mode.
const (
	// ModeRxOnWhenIdle (R) marks a node whose receiver is always on; without it, it is a sleepy end device.
	ModeRxOnWhenIdle Mode = 1 << 3
	// ModeSecureDataRequests (S) says that its MAC data requests are secured.
	ModeSecureDataRequests Mode = 1 << 2
	// ModeFullThreadDevice (D) marks a full Thread device.
	ModeFullThreadDevice Mode = 1 << 1
	// ModeFullNetworkData (N) says that it wants the full network data, not the stable subset alone.
	ModeFullNetworkData Mode = 1 << 0
)

// Has reports whether all bits of flags are set in m.
func (m Mode) Has(flags Mode) bool { return m&flags == flags }

// String prints the flags as the OpenThread command line does: "rsdn", "-" for none.
func (m Mode) String() string {
	var s []byte
	for _, f := range [...]struct {
		flag   Mode
		letter byte
	}{{ModeRxOnWhenIdle, 'r'}, {ModeSecureDataRequests, 's'}, {ModeFullThreadDevice, 'd'}, {ModeFullNetworkData, 'n'}} {
		if m.Has(f.flag) {
			s = append(s, f.letter)
		}
	}
	if len(s) == 0 {
		return "-"
	}
	return string(s)
}

// ParseMode parses a Mode TLV.
func ParseMode(value []byte) (Mode, error) {
	v, err := parse8(TLVMode, value)
	return Mode(v), err
}

// AppendMode appends a Mode TLV.
func AppendMode(b []byte, m Mode) []byte { return append8(b, TLVMode, uint8(m)) }

// ParseTimeout parses a Timeout TLV: how long a parent keeps a silent child, in whole seconds.
func ParseTimeout(value []byte) (time.Duration, error) {
	v, err := parse32(TLVTimeout, value)
	return time.Duration(v) * time.Second, err
}

// AppendTimeout appends a Timeout TLV. The duration is cut to whole seconds.
func AppendTimeout(b []byte, d time.Duration) []byte {
	return append32(b, TLVTimeout, uint32(d/time.Second))
}

// Challenge is the value of a Challenge TLV, and of the Response TLV that repeats it: 4 to 8 random bytes.
// Challenges compare with ==. The zero Challenge is none.
type Challenge struct {
	bytes [maxChallengeSize]byte
	size  uint8
}

// NewChallenge returns the challenge with the 8 bytes of b, which the caller drew at random.
func NewChallenge(b [8]byte) Challenge { return Challenge{bytes: b, size: maxChallengeSize} }

// IsZero reports whether c is the zero Challenge, which no TLV holds.
func (c Challenge) IsZero() bool { return c.size == 0 }

// ParseChallenge parses the value of a Challenge or a Response TLV.
func ParseChallenge(value []byte) (Challenge, error) {
	if checkLength(TLVChallenge, value) != nil {
		return Challenge{}, ErrTLVLength
	}
	c := Challenge{size: uint8(len(value))}
	copy(c.bytes[:], value)
	return c, nil
}

// AppendChallenge appends a Challenge TLV.
func AppendChallenge(b []byte, c Challenge) []byte {
	return tlv.Append(b, TLVChallenge, c.bytes[:c.size])
}

// AppendResponse appends a Response TLV that answers c.
func AppendResponse(b []byte, c Challenge) []byte {
	return tlv.Append(b, TLVResponse, c.bytes[:c.size])
}

// String prints c in hexadecimal.
func (c Challenge) String() string { return fmt.Sprintf("%x", c.bytes[:c.size]) }

// ParseFrameCounter parses the value of a Link-layer Frame Counter or an MLE Frame Counter TLV.
func ParseFrameCounter(value []byte) (uint32, error) { return parse32(TLVMLEFrameCounter, value) }

// AppendLinkLayerFrameCounter appends a Link-layer Frame Counter TLV.
func AppendLinkLayerFrameCounter(b []byte, counter uint32) []byte {
	return append32(b, TLVLinkLayerFrameCounter, counter)
}

// AppendMLEFrameCounter appends an MLE Frame Counter TLV.
func AppendMLEFrameCounter(b []byte, counter uint32) []byte {
	return append32(b, TLVMLEFrameCounter, counter)
}

// LeaderData describes a partition.
type LeaderData struct {
	PartitionID       uint32
	Weighting         uint8
	DataVersion       uint8 // version of the full network data
	StableDataVersion uint8 // version of its stable subset
	LeaderRouterID    RouterID
}

// ParseLeaderData parses a Leader Data TLV.
func ParseLeaderData(value []byte) (LeaderData, error) {
	if checkLength(TLVLeaderData, value) != nil {
		return LeaderData{}, ErrTLVLength
	}
	return LeaderData{
		PartitionID:       binary.BigEndian.Uint32(value),
		Weighting:         value[4],
		DataVersion:       value[5],
		StableDataVersion: value[6],
		LeaderRouterID:    RouterID(value[7]),
	}, nil
}

// AppendLeaderData appends a Leader Data TLV.
func AppendLeaderData(b []byte, d LeaderData) []byte {
	b = tlv.AppendHeader(b, TLVLeaderData, leaderDataSize)
	b = binary.BigEndian.AppendUint32(b, d.PartitionID)
	return append(b, d.Weighting, d.DataVersion, d.StableDataVersion, uint8(d.LeaderRouterID))
}

// ScanMask says who shall answer a Parent Request.
type ScanMask uint8

// The bits of ScanMask.
const (
	// ScanRouters (R) asks routers to answer.
	ScanRouters ScanMask = 1 << 7
	// ScanEndDevices (E) asks router-eligible end devices to answer.
	ScanEndDevices ScanMask = 1 << 6
)

// Has reports whether all bits of flags are set in s.
func (s ScanMask) Has(flags ScanMask) bool { return s&flags == flags }

// ParseScanMask parses a Scan Mask TLV.
func ParseScanMask(value []byte) (ScanMask, error) {
	v, err := parse8(TLVScanMask, value)
	return ScanMask(v), err
}

// AppendScanMask appends a Scan Mask TLV.
func AppendScanMask(b []byte, s ScanMask) []byte { return append8(b, TLVScanMask, uint8(s)) }

// ParseLinkMargin parses a Link Margin TLV: how far the received signal lay above the sensitivity, in dB.
func ParseLinkMargin(value []byte) (uint8, error) { return parse8(TLVLinkMargin, value) }

// AppendLinkMargin appends a Link Margin TLV, in dB.
func AppendLinkMargin(b []byte, dB uint8) []byte { return append8(b, TLVLinkMargin, dB) }

// Status is the value of a Status TLV.
type Status uint8

// StatusError is the one status that Thread 1.1 defines: a request failed or is refused.
const StatusError Status = 1

// ParseStatus parses a Status TLV.
func ParseStatus(value []byte) (Status, error) {
	v, err := parse8(TLVStatus, value)
	return Status(v), err
}

// AppendStatus appends a Status TLV.
func AppendStatus(b []byte, s Status) []byte { return append8(b, TLVStatus, uint8(s)) }

// Version is a version of the Thread protocol.
type Version uint16

// Versions of Thread.
const (
	// Version1_1 is Thread 1.1, which Pymesh speaks.
	Version1_1 Version = 2
	// Version1_4 is what OpenThread speaks today.
	Version1_4 Version = 5
)

// ParseVersion parses a Version TLV.
func ParseVersion(value []byte) (Version, error) {
	v, err := parse16(TLVVersion, value)
	return Version(v), err
}

// AppendVersion appends a Version TLV.
func AppendVersion(b []byte, v Version) []byte { return append16(b, TLVVersion, uint16(v)) }

// Channel is an IEEE 802.15.4 channel. On LoRa it is a number without a meaning for the radio.
type Channel struct {
	Page   uint8
	Number uint16
}

// ParseChannel parses the value of a Channel TLV, of MLE or of MeshCoP.
func ParseChannel(value []byte) (Channel, error) {
	if checkLength(TLVChannel, value) != nil {
		return Channel{}, ErrTLVLength
	}
	return Channel{Page: value[0], Number: binary.BigEndian.Uint16(value[1:])}, nil
}

// AppendBinary appends the 3 bytes of the channel, a TLV's value, to b. It never fails.
func (c Channel) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint16(append(b, c.Page), c.Number), nil
}

// AppendChannel appends a Channel TLV.
func AppendChannel(b []byte, c Channel) []byte {
	b = append(tlv.AppendHeader(b, TLVChannel, channelSize), c.Page)
	return binary.BigEndian.AppendUint16(b, c.Number)
}

// ParsePANID parses a PAN ID TLV.
func ParsePANID(value []byte) (ieee802154.PANID, error) {
	v, err := parse16(TLVPANID, value)
	return ieee802154.PANID(v), err
}

// AppendPANID appends a PAN ID TLV.
func AppendPANID(b []byte, id ieee802154.PANID) []byte { return append16(b, TLVPANID, uint16(id)) }
