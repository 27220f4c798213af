package tmf

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"
	"strconv"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Errors of this package. They are returned as they are.
var (
	// ErrAbsent says that a payload does not hold the wanted TLV.
	ErrAbsent = errors.New("tmf: TLV not present")
	// ErrTLVLength says that a TLV's value has a length its type forbids.
	ErrTLVLength = errors.New("tmf: TLV of a wrong length")
)

// TLVType is the type of a network-layer TLV. The numbers are those of OpenThread.
type TLVType uint8

// The network-layer TLVs.
const (
	TLVTargetEID                TLVType = 0
	TLVExtendedMACAddress       TLVType = 1
	TLVRLOC16                   TLVType = 2
	TLVMLEID                    TLVType = 3
	TLVStatus                   TLVType = 4
	TLVTimeSinceLastTransaction TLVType = 6
	TLVRouterMask               TLVType = 7
	TLVNDOption                 TLVType = 8
	TLVNDData                   TLVType = 9
	TLVThreadNetworkData        TLVType = 10
)

// Sizes of TLV values, in bytes.
const (
	addrSize       = 16
	extAddrSize    = 8
	rloc16Size     = 2
	iidSize        = 8
	statusSize     = 1
	timeSize       = 4
	routerMaskSize = 9
)

var tlvTypes = tlv.Table[TLVType]{
	TLVTargetEID:                tlv.Fixed("Target EID", addrSize),
	TLVExtendedMACAddress:       tlv.Fixed("Extended MAC Address", extAddrSize),
	TLVRLOC16:                   tlv.Fixed("RLOC16", rloc16Size),
	TLVMLEID:                    tlv.Fixed("ML-EID", iidSize),
	TLVStatus:                   tlv.Fixed("Status", statusSize),
	TLVTimeSinceLastTransaction: tlv.Fixed("Time Since Last Transaction", timeSize),
	TLVRouterMask:               tlv.Fixed("Router Mask", routerMaskSize),
	TLVNDOption:                 tlv.AnyLength("ND Option"),
	TLVNDData:                   tlv.AnyLength("ND Data"),
	TLVThreadNetworkData:        tlv.AnyLength("Thread Network Data"),
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t TLVType) Known() bool { return tlvTypes.Known(t) }

// String returns the standard's name of the type.
func (t TLVType) String() string { return tlvTypes.Name(t) }

// Payload is the payload of a network-layer message: a sequence of TLVs. Its getters return ErrAbsent without the TLV
// and ErrTLVLength if it is malformed. A Reader reads several at a time.
type Payload []byte

// ParsePayload checks that b is a whole number of TLVs; it does not look into them. It fails with tlv.ErrTruncated. The
// result aliases b.
func ParsePayload(b []byte) (Payload, error) {
	if err := tlv.Validate(b); err != nil {
		return nil, err
	}
	return Payload(b), nil
}

// All yields the TLVs of p in their order, known or not. The values alias p.
func (p Payload) All() iter.Seq2[TLVType, []byte] { return tlv.All[TLVType](p) }

// Find returns the value of the first TLV of type t, and whether there is one. The value aliases p.
func (p Payload) Find(t TLVType) ([]byte, bool) { return tlv.Find(p, t) }

// get finds a TLV and checks its length.
func (p Payload) get(t TLVType) ([]byte, error) {
	value, ok := p.Find(t)
	switch {
	case !ok:
		return nil, ErrAbsent
	case !tlvTypes.ValidLength(t, len(value)):
		return nil, ErrTLVLength
	default:
		return value, nil
	}
}

// TargetEID returns the address that a query, notification or error is about.
func (p Payload) TargetEID() (netip.Addr, error) {
	value, err := p.get(TLVTargetEID)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom16([addrSize]byte(value)), nil
}

// AppendTargetEID appends a Target EID TLV; a must be an IPv6 address.
func AppendTargetEID(b []byte, a netip.Addr) []byte {
	value := a.As16()
	return tlv.Append(b, TLVTargetEID, value[:])
}

// ExtendedMACAddress returns the sender's extended address.
func (p Payload) ExtendedMACAddress() (ieee802154.ExtAddr, error) {
	value, err := p.get(TLVExtendedMACAddress)
	if err != nil {
		return ieee802154.ExtAddr{}, err
	}
	return ieee802154.ExtAddr(value), nil
}

// AppendExtendedMACAddress appends an Extended MAC Address TLV.
func AppendExtendedMACAddress(b []byte, a ieee802154.ExtAddr) []byte {
	return tlv.Append(b, TLVExtendedMACAddress, a[:])
}

// RLOC16 returns the RLOC16 TLV.
func (p Payload) RLOC16() (mle.RLOC16, error) {
	value, err := p.get(TLVRLOC16)
	if err != nil {
		return 0, err
	}
	return mle.RLOC16(binary.BigEndian.Uint16(value)), nil
}

// AppendRLOC16 appends an RLOC16 TLV.
func AppendRLOC16(b []byte, r mle.RLOC16) []byte {
	return binary.BigEndian.AppendUint16(tlv.AppendHeader(b, TLVRLOC16, rloc16Size), uint16(r))
}

// MLEID returns the interface identifier of a mesh-local endpoint identifier.
func (p Payload) MLEID() ([iidSize]byte, error) {
	value, err := p.get(TLVMLEID)
	if err != nil {
		return [iidSize]byte{}, err
	}
	return [iidSize]byte(value), nil
}

// AppendMLEID appends an ML-EID TLV with an interface identifier.
func AppendMLEID(b []byte, iid [8]byte) []byte { return tlv.Append(b, TLVMLEID, iid[:]) }

// Status is the value of a Status TLV. In an Address Solicit it is the reason, in its response the outcome.
type Status uint8

// The statuses, as OpenThread has them. The reasons come in requests.
const (
	StatusSuccess               Status = 0
	StatusNoAddressAvailable    Status = 1
	ReasonTooFewRouters         Status = 2
	ReasonHaveChildIDRequest    Status = 3
	ReasonParentPartitionChange Status = 4
)

var statusNames = [...]string{
	StatusSuccess:               "success",
	StatusNoAddressAvailable:    "no address available",
	ReasonTooFewRouters:         "too few routers",
	ReasonHaveChildIDRequest:    "have Child ID Request",
	ReasonParentPartitionChange: "parent partition change",
}

// String describes the status.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "status " + strconv.Itoa(int(s))
}

// Status returns the Status TLV.
func (p Payload) Status() (Status, error) {
	value, err := p.get(TLVStatus)
	if err != nil {
		return 0, err
	}
	return Status(value[0]), nil
}

// AppendStatus appends a Status TLV.
func AppendStatus(b []byte, s Status) []byte { return tlv.Append(b, TLVStatus, []byte{byte(s)}) }

// TimeSinceLastTransaction returns how long ago the sender heard from its child that owns the target, in whole seconds.
func (p Payload) TimeSinceLastTransaction() (time.Duration, error) {
	value, err := p.get(TLVTimeSinceLastTransaction)
	if err != nil {
		return 0, err
	}
	return time.Duration(binary.BigEndian.Uint32(value)) * time.Second, nil
}

// AppendTimeSinceLastTransaction appends a Time Since Last Transaction TLV. The duration is cut to whole seconds.
func AppendTimeSinceLastTransaction(b []byte, d time.Duration) []byte {
	b = tlv.AppendHeader(b, TLVTimeSinceLastTransaction, timeSize)
	return binary.BigEndian.AppendUint32(b, uint32(d/time.Second))
}

// RouterMask is the set of assigned Router IDs that a leader answers an Address Solicit with.
type RouterMask struct {
	IDSequence uint8
	Routers    mle.RouterIDSet
}

// RouterMask returns the Router Mask TLV.
func (p Payload) RouterMask() (RouterMask, error) {
	value, err := p.get(TLVRouterMask)
	if err != nil {
		return RouterMask{}, err
	}
	return RouterMask{IDSequence: value[0], Routers: mle.RouterIDSet(binary.BigEndian.Uint64(value[1:]))}, nil
}

// AppendRouterMask appends a Router Mask TLV.
func AppendRouterMask(b []byte, m RouterMask) []byte {
	b = append(tlv.AppendHeader(b, TLVRouterMask, routerMaskSize), m.IDSequence)
	return binary.BigEndian.AppendUint64(b, uint64(m.Routers))
}

// ThreadNetworkData returns the network data TLVs that a server registers, for package netdata. They alias p.
func (p Payload) ThreadNetworkData() ([]byte, error) { return p.get(TLVThreadNetworkData) }

// AppendThreadNetworkData appends a Thread Network Data TLV.
func AppendThreadNetworkData(b []byte, data []byte) []byte {
	return tlv.Append(b, TLVThreadNetworkData, data)
}
