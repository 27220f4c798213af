package meshcop

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Fields of a timestamp: 48 bits of seconds, 15 of ticks, 1 authoritative.
const (
	maxSeconds        = 1<<48 - 1
	secondsShift      = 16
	ticksShift        = 1
	ticksMask         = 0x7fff
	authoritativeFlag = 1
)

// Timestamp orders versions of a dataset.
type Timestamp struct {
	Seconds       uint64 // since 1970, at most 48 bits
	Ticks         uint16 // of 1/32768 s, 15 bits
	Authoritative bool   // the clock it was taken from is an authoritative one
}

// ParseTimestamp parses the value of an Active or Pending Timestamp TLV, of MeshCoP or of MLE.
func ParseTimestamp(value []byte) (Timestamp, error) {
	if len(value) != timestampSize {
		return Timestamp{}, ErrTLVLength
	}
	v := binary.BigEndian.Uint64(value)
	return Timestamp{
		Seconds:       v >> secondsShift,
		Ticks:         uint16(v>>ticksShift) & ticksMask,
		Authoritative: v&authoritativeFlag != 0,
	}, nil
}

// AppendBinary appends the 8 bytes of t to b. It never fails; fields are cut to their bits.
func (t Timestamp) AppendBinary(b []byte) ([]byte, error) {
	v := t.Seconds&maxSeconds<<secondsShift | uint64(t.Ticks&ticksMask)<<ticksShift
	if t.Authoritative {
		v |= authoritativeFlag
	}
	return binary.BigEndian.AppendUint64(b, v), nil
}

// Compare returns -1, 0 or 1 as t is older than, as old as, or newer than u. Authoritative does not count.
func (t Timestamp) Compare(u Timestamp) int {
	return cmp.Or(cmp.Compare(t.Seconds, u.Seconds), cmp.Compare(t.Ticks, u.Ticks))
}

// String prints seconds and ticks.
func (t Timestamp) String() string { return fmt.Sprintf("%d.%05d", t.Seconds, t.Ticks) }

// SecurityFlags are the flags of a security policy (Thread 1.1 §8.10.1.15).
type SecurityFlags uint8

// The security policy flags. A set bit allows.
const (
	// SecurityObtainMasterKey (O) allows to obtain the network master key for commissioning outside the mesh.
	SecurityObtainMasterKey SecurityFlags = 1 << 7
	// SecurityNativeCommissioning (N) allows native commissioning with the PSKc.
	SecurityNativeCommissioning SecurityFlags = 1 << 6
	// SecurityRouters (R) allows Thread 1.0 and 1.1 routers.
	SecurityRouters SecurityFlags = 1 << 5
	// SecurityExternalCommissioner (C) allows external commissioners.
	SecurityExternalCommissioner SecurityFlags = 1 << 4
	// SecurityBeacons (B) allows to send beacons.
	SecurityBeacons SecurityFlags = 1 << 3
)

// SecurityPolicy says how the network is guarded.
type SecurityPolicy struct {
	RotationTime time.Duration // of the network key sequence, in whole hours
	Flags        SecurityFlags
}

// ParseSecurityPolicy parses the value of a Security Policy TLV. Flags of later versions, in a fourth byte, are
// ignored.
func ParseSecurityPolicy(value []byte) (SecurityPolicy, error) {
	if !TypeSecurityPolicy.ValidLength(len(value)) {
		return SecurityPolicy{}, ErrTLVLength
	}
	return SecurityPolicy{
		RotationTime: time.Duration(binary.BigEndian.Uint16(value)) * time.Hour,
		Flags:        SecurityFlags(value[2]),
	}, nil
}

// AppendBinary appends the 3 bytes of p to b. It never fails; the rotation time is cut to whole hours.
func (p SecurityPolicy) AppendBinary(b []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint16(b, uint16(p.RotationTime/time.Hour)), byte(p.Flags)), nil
}

const (
	channelMaskHeaderSize = 2 // page and length
	pageMaskSize          = 4
)

// ChannelMask is a set of channels of page 0: bit n for channel n, 0 to 31.
type ChannelMask uint32

// Contains reports whether the channel is in m.
func (m ChannelMask) Contains(channel uint8) bool { return channel < 32 && m>>channel&1 != 0 }

// Channels yields the channels in rising order.
func (m ChannelMask) Channels() iter.Seq[uint8] {
	return func(yield func(uint8) bool) {
		for ; m != 0; m &= m - 1 {
			if !yield(uint8(bits.TrailingZeros32(uint32(m)))) {
				return
			}
		}
	}
}

// ParseChannelMask parses the value of a Channel Mask TLV and returns the channels of page 0; none if it
// has no entry for that page. The first channel is the highest bit on the air.
func ParseChannelMask(value []byte) (ChannelMask, error) {
	var mask ChannelMask
	for len(value) > 0 {
		if len(value) < channelMaskHeaderSize {
			return 0, ErrTLVLength
		}
		page, end := value[0], channelMaskHeaderSize+int(value[1])
		if len(value) < end {
			return 0, ErrTLVLength
		}
		if page == 0 && end == channelMaskHeaderSize+pageMaskSize {
			mask = ChannelMask(bits.Reverse32(binary.BigEndian.Uint32(value[channelMaskHeaderSize:])))
		}
		value = value[end:]
	}
	return mask, nil
}

// AppendBinary appends the value of a Channel Mask TLV with one entry, for page 0, to b. It never fails.
func (m ChannelMask) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(append(b, 0, pageMaskSize), bits.Reverse32(uint32(m))), nil
}

// State is the value of a State TLV: accepted, pending or rejected.
type State int8

// The states.
const (
	StateReject  State = -1
	StatePending State = 0
	StateAccept  State = 1
)

// ParseState parses the value of a State TLV.
func ParseState(value []byte) (State, error) {
	if len(value) != stateSize {
		return 0, ErrTLVLength
	}
	return State(value[0]), nil
}

// AppendState appends a State TLV.
func AppendState(b []byte, s State) []byte {
	return append(tlv.AppendHeader(b, TypeState, stateSize), byte(s))
}

func parse16(value []byte) (uint16, error) {
	if len(value) != 2 {
		return 0, ErrTLVLength
	}
	return binary.BigEndian.Uint16(value), nil
}

func append16(b []byte, t Type, v uint16) []byte {
	return binary.BigEndian.AppendUint16(tlv.AppendHeader(b, t, 2), v)
}

// ParseLocator parses the value of a Border Agent Locator or a Joiner Router Locator TLV.
func ParseLocator(value []byte) (mle.RLOC16, error) {
	v, err := parse16(value)
	return mle.RLOC16(v), err
}

// AppendBorderAgentLocator appends a Border Agent Locator TLV.
func AppendBorderAgentLocator(b []byte, r mle.RLOC16) []byte {
	return append16(b, TypeBorderAgentLocator, uint16(r))
}

// ParseCommissionerSessionID parses the value of a Commissioner Session ID TLV.
func ParseCommissionerSessionID(value []byte) (uint16, error) { return parse16(value) }

// AppendCommissionerSessionID appends a Commissioner Session ID TLV.
func AppendCommissionerSessionID(b []byte, id uint16) []byte {
	return append16(b, TypeCommissionerSessionID, id)
}

// ParseJoinerUDPPort parses the value of a Joiner UDP Port TLV.
func ParseJoinerUDPPort(value []byte) (uint16, error) { return parse16(value) }

// AppendJoinerUDPPort appends a Joiner UDP Port TLV.
func AppendJoinerUDPPort(b []byte, port uint16) []byte {
	return append16(b, TypeJoinerUDPPort, port)
}

// Fields of the discovery TLVs: version in the upper nibble, a flag, reserved bits.
const (
	discoveryVersionShift = 4
	discoveryVersionMask  = 0xf
	discoveryFlag         = 1 << 3
)

// DiscoveryRequest is the value of a Discovery Request TLV.
type DiscoveryRequest struct {
	Version uint8 // of the protocol, 4 bits
	Joiner  bool  // asks for networks that a joiner may join
}

// ParseDiscoveryRequest parses the value of a Discovery Request TLV.
func ParseDiscoveryRequest(value []byte) (DiscoveryRequest, error) {
	if len(value) != discoverySize {
		return DiscoveryRequest{}, ErrTLVLength
	}
	return DiscoveryRequest{Version: value[0] >> discoveryVersionShift, Joiner: value[0]&discoveryFlag != 0}, nil
}

// AppendDiscoveryRequest appends a Discovery Request TLV.
func AppendDiscoveryRequest(b []byte, r DiscoveryRequest) []byte {
	return appendDiscovery(b, TypeDiscoveryRequest, r.Version, r.Joiner)
}

// DiscoveryResponse is the value of a Discovery Response TLV.
type DiscoveryResponse struct {
	Version            uint8 // of the protocol, 4 bits
	NativeCommissioner bool  // the network allows native commissioners
}

// ParseDiscoveryResponse parses the value of a Discovery Response TLV.
func ParseDiscoveryResponse(value []byte) (DiscoveryResponse, error) {
	if len(value) != discoverySize {
		return DiscoveryResponse{}, ErrTLVLength
	}
	return DiscoveryResponse{
		Version:            value[0] >> discoveryVersionShift,
		NativeCommissioner: value[0]&discoveryFlag != 0,
	}, nil
}

// AppendDiscoveryResponse appends a Discovery Response TLV.
func AppendDiscoveryResponse(b []byte, r DiscoveryResponse) []byte {
	return appendDiscovery(b, TypeDiscoveryResponse, r.Version, r.NativeCommissioner)
}

func appendDiscovery(b []byte, t Type, version uint8, flag bool) []byte {
	first := version & discoveryVersionMask << discoveryVersionShift
	if flag {
		first |= discoveryFlag
	}
	return append(tlv.AppendHeader(b, t, discoverySize), first, 0)
}
