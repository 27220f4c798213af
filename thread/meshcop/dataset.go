package meshcop

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Key is a network master key, PSKc or key encryption key. It does not print.
type Key [keySize]byte

// String hides the key.
func (k Key) String() string { return "(key)" }

// GoString hides the key from %#v.
func (k Key) GoString() string { return k.String() }

// ExtendedPANID names a Thread network, together with its name.
type ExtendedPANID [extendedPANIDSize]byte

// Components is a set of the fields of a Dataset.
type Components uint16

// The components, in the order in which AppendBinary writes them.
const (
	HasActiveTimestamp Components = 1 << iota
	HasPendingTimestamp
	HasDelayTimer
	HasChannel
	HasChannelMask
	HasExtendedPANID
	HasMeshLocalPrefix
	HasNetworkMasterKey
	HasNetworkName
	HasPANID
	HasPSKc
	HasSecurityPolicy
)

// Dataset is an Active or a Pending Operational Dataset (Thread 1.1 chapter 8): what the nodes of a network must agree on. Those of
// its fields that Present names are set.
type Dataset struct {
	Present Components

	ActiveTimestamp  Timestamp
	PendingTimestamp Timestamp     // of a pending dataset
	DelayTimer       time.Duration // until a pending dataset becomes active, in whole milliseconds
	Channel          mle.Channel
	ChannelMask      ChannelMask
	ExtendedPANID    ExtendedPANID
	MeshLocalPrefix  netip.Prefix // a /64
	NetworkMasterKey Key
	NetworkName      string // at most 16 bytes of UTF-8
	PANID            ieee802154.PANID
	PSKc             Key
	SecurityPolicy   SecurityPolicy

	// Unknown holds the TLVs that are none of the above, encoded. A parsed dataset does not alias its input.
	Unknown []byte
}

// Has reports whether all the given components are present.
func (d Dataset) Has(c Components) bool { return d.Present&c == c }

// ParseDataset parses the TLVs of a dataset. It fails if one of a known type is malformed; if a type occurs twice, the
// first one counts, and of Unknown ones all.
func ParseDataset(b []byte) (Dataset, error) {
	if err := tlv.Validate(b); err != nil {
		return Dataset{}, err
	}
	var d Dataset
	for t, value := range tlv.All[Type](b) {
		component, ok := componentOf(t)
		switch {
		case !ok:
			d.Unknown = tlv.Append(d.Unknown, t, value)
		case d.Has(component):
		case !t.ValidLength(len(value)):
			return Dataset{}, ErrTLVLength
		default:
			if err := d.set(t, value); err != nil {
				return Dataset{}, err
			}
			d.Present |= component
		}
	}
	return d, nil
}

// datasetTypes are the TLV types of the components, in the order of their bits.
var datasetTypes = [...]Type{
	TypeActiveTimestamp, TypePendingTimestamp, TypeDelayTimer, TypeChannel, TypeChannelMask, TypeExtendedPANID,
	TypeMeshLocalPrefix, TypeNetworkMasterKey, TypeNetworkName, TypePANID, TypePSKc, TypeSecurityPolicy,
}

func componentOf(t Type) (Components, bool) {
	i := slices.Index(datasetTypes[:], t)
	if i < 0 {
		return 0, false
	}
	return 1 << i, true
}

// set stores a value whose length is one that t allows.
func (d *Dataset) set(t Type, value []byte) (err error) {
	switch t {
	case TypeActiveTimestamp:
		d.ActiveTimestamp, err = ParseTimestamp(value)
	case TypePendingTimestamp:
		d.PendingTimestamp, err = ParseTimestamp(value)
	case TypeDelayTimer:
		d.DelayTimer = time.Duration(binary.BigEndian.Uint32(value)) * time.Millisecond
	case TypeChannel:
		d.Channel, err = mle.ParseChannel(value)
	case TypeChannelMask:
		d.ChannelMask, err = ParseChannelMask(value)
	case TypeExtendedPANID:
		d.ExtendedPANID = ExtendedPANID(value)
	case TypeMeshLocalPrefix:
		d.MeshLocalPrefix = parseMeshLocalPrefix(value)
	case TypeNetworkMasterKey:
		d.NetworkMasterKey = Key(value)
	case TypeNetworkName:
		d.NetworkName = string(value)
	case TypePANID:
		d.PANID = ieee802154.PANID(binary.BigEndian.Uint16(value))
	case TypePSKc:
		d.PSKc = Key(value)
	case TypeSecurityPolicy:
		d.SecurityPolicy, err = ParseSecurityPolicy(value)
	}
	return err
}

func parseMeshLocalPrefix(value []byte) netip.Prefix {
	var addr [addrSize]byte
	copy(addr[:], value)
	return netip.PrefixFrom(netip.AddrFrom16(addr), 8*meshLocalPrefixSize)
}

// AppendBinary appends the TLVs of d to b: the present components in the order of their constants, then Unknown. It
// fails with ErrTLVValue if the mesh-local prefix is not a /64 of IPv6 or the network name is too long; b is returned
// unchanged then.
func (d Dataset) AppendBinary(b []byte) ([]byte, error) {
	if d.Has(HasMeshLocalPrefix) && (!d.MeshLocalPrefix.Addr().Is6() || d.MeshLocalPrefix.Bits() != 8*meshLocalPrefixSize) {
		return b, ErrTLVValue
	}
	if d.Has(HasNetworkName) && len(d.NetworkName) > maxNetworkNameSize {
		return b, ErrTLVValue
	}
	var scratch [addrSize]byte
	for i, t := range datasetTypes {
		if d.Has(1 << i) {
			b = tlv.Append(b, t, d.appendValue(scratch[:0], t))
		}
	}
	return append(b, d.Unknown...), nil
}

// appendValue appends the value of the component of type t to b.
func (d *Dataset) appendValue(b []byte, t Type) []byte {
	switch t {
	case TypeActiveTimestamp:
		b, _ = d.ActiveTimestamp.AppendBinary(b)
	case TypePendingTimestamp:
		b, _ = d.PendingTimestamp.AppendBinary(b)
	case TypeDelayTimer:
		b = binary.BigEndian.AppendUint32(b, uint32(d.DelayTimer/time.Millisecond))
	case TypeChannel:
		b, _ = d.Channel.AppendBinary(b)
	case TypeChannelMask:
		b, _ = d.ChannelMask.AppendBinary(b)
	case TypeExtendedPANID:
		b = append(b, d.ExtendedPANID[:]...)
	case TypeMeshLocalPrefix:
		addr := d.MeshLocalPrefix.Masked().Addr().As16()
		b = append(b, addr[:meshLocalPrefixSize]...)
	case TypeNetworkMasterKey:
		b = append(b, d.NetworkMasterKey[:]...)
	case TypeNetworkName:
		b = append(b, d.NetworkName...)
	case TypePANID:
		b = binary.BigEndian.AppendUint16(b, uint16(d.PANID))
	case TypePSKc:
		b = append(b, d.PSKc[:]...)
	case TypeSecurityPolicy:
		b, _ = d.SecurityPolicy.AppendBinary(b)
	}
	return b
}
