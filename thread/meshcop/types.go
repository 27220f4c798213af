package meshcop

import (
	"errors"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// Errors of this package. They are returned as they are.
var (
	// ErrTLVLength says that a TLV's value has a length its type forbids.
	ErrTLVLength = errors.New("meshcop: TLV of a wrong length")
	// ErrTLVValue says that a TLV's value is one its type forbids.
	ErrTLVValue = errors.New("meshcop: TLV of a forbidden value")
)

// Type is the type of a MeshCoP TLV (Thread 1.1 §8.10).
type Type uint8

// The TLV types.
const (
	TypeChannel                 Type = 0
	TypePANID                   Type = 1
	TypeExtendedPANID           Type = 2
	TypeNetworkName             Type = 3
	TypePSKc                    Type = 4
	TypeNetworkMasterKey        Type = 5
	TypeNetworkKeySequence      Type = 6
	TypeMeshLocalPrefix         Type = 7
	TypeSteeringData            Type = 8
	TypeBorderAgentLocator      Type = 9
	TypeCommissionerID          Type = 10
	TypeCommissionerSessionID   Type = 11
	TypeSecurityPolicy          Type = 12
	TypeGet                     Type = 13
	TypeActiveTimestamp         Type = 14
	TypeState                   Type = 16
	TypeJoinerDTLSEncapsulation Type = 17
	TypeJoinerUDPPort           Type = 18
	TypeJoinerIID               Type = 19
	TypeJoinerRouterLocator     Type = 20
	TypeJoinerRouterKEK         Type = 21
	TypeProvisioningURL         Type = 32
	TypeVendorName              Type = 33
	TypeVendorModel             Type = 34
	TypeVendorSoftwareVersion   Type = 35
	TypeVendorData              Type = 36
	TypeVendorStackVersion      Type = 37
	TypeUDPEncapsulation        Type = 48
	TypeIPv6Address             Type = 49
	TypePendingTimestamp        Type = 51
	TypeDelayTimer              Type = 52
	TypeChannelMask             Type = 53
	TypeCount                   Type = 54
	TypePeriod                  Type = 55
	TypeScanDuration            Type = 56
	TypeEnergyList              Type = 57
	TypeDiscoveryRequest        Type = 128
	TypeDiscoveryResponse       Type = 129
)

// Sizes of TLV values, in bytes.
const (
	channelSize             = 3
	panIDSize               = 2
	extendedPANIDSize       = 8
	maxNetworkNameSize      = 16
	keySize                 = 16
	keySequenceSize         = 4
	meshLocalPrefixSize     = 8
	maxSteeringDataSize     = 16
	locatorSize             = 2
	maxTextSize             = 64
	sessionIDSize           = 2
	securityPolicySize      = 3
	maxSecurityPolicySize   = 4 // Thread 1.2 has another byte of flags
	timestampSize           = 8
	stateSize               = 1
	portSize                = 2
	iidSize                 = 8
	maxVendorTextSize       = 32
	maxSoftwareVersionSize  = 16
	stackVersionSize        = 6
	udpEncapsulationMinSize = 4
	addrSize                = 16
	delayTimerSize          = 4
	countSize               = 1
	periodSize              = 2
	discoverySize           = 2
)

var types = tlv.Table[Type]{
	TypeChannel:                 tlv.Fixed("Channel", channelSize),
	TypePANID:                   tlv.Fixed("PAN ID", panIDSize),
	TypeExtendedPANID:           tlv.Fixed("Extended PAN ID", extendedPANIDSize),
	TypeNetworkName:             tlv.Between("Network Name", 0, maxNetworkNameSize),
	TypePSKc:                    tlv.Fixed("PSKc", keySize),
	TypeNetworkMasterKey:        tlv.Fixed("Network Master Key", keySize),
	TypeNetworkKeySequence:      tlv.Fixed("Network Key Sequence", keySequenceSize),
	TypeMeshLocalPrefix:         tlv.Fixed("Mesh Local Prefix", meshLocalPrefixSize),
	TypeSteeringData:            tlv.Between("Steering Data", 1, maxSteeringDataSize),
	TypeBorderAgentLocator:      tlv.Fixed("Border Agent Locator", locatorSize),
	TypeCommissionerID:          tlv.Between("Commissioner ID", 0, maxTextSize),
	TypeCommissionerSessionID:   tlv.Fixed("Commissioner Session ID", sessionIDSize),
	TypeSecurityPolicy:          tlv.Between("Security Policy", securityPolicySize, maxSecurityPolicySize),
	TypeGet:                     tlv.AnyLength("Get"),
	TypeActiveTimestamp:         tlv.Fixed("Active Timestamp", timestampSize),
	TypeState:                   tlv.Fixed("State", stateSize),
	TypeJoinerDTLSEncapsulation: tlv.AnyLength("Joiner DTLS Encapsulation"),
	TypeJoinerUDPPort:           tlv.Fixed("Joiner UDP Port", portSize),
	TypeJoinerIID:               tlv.Fixed("Joiner IID", iidSize),
	TypeJoinerRouterLocator:     tlv.Fixed("Joiner Router Locator", locatorSize),
	TypeJoinerRouterKEK:         tlv.Fixed("Joiner Router KEK", keySize),
	TypeProvisioningURL:         tlv.Between("Provisioning URL", 0, maxTextSize),
	TypeVendorName:              tlv.Between("Vendor Name", 0, maxVendorTextSize),
	TypeVendorModel:             tlv.Between("Vendor Model", 0, maxVendorTextSize),
	TypeVendorSoftwareVersion:   tlv.Between("Vendor SW Version", 0, maxSoftwareVersionSize),
	TypeVendorData:              tlv.Between("Vendor Data", 0, maxTextSize),
	TypeVendorStackVersion:      tlv.Fixed("Vendor Stack Version", stackVersionSize),
	TypeUDPEncapsulation:        tlv.Between("UDP Encapsulation", udpEncapsulationMinSize, tlv.MaxLength),
	TypeIPv6Address:             tlv.Fixed("IPv6 Address", addrSize),
	TypePendingTimestamp:        tlv.Fixed("Pending Timestamp", timestampSize),
	TypeDelayTimer:              tlv.Fixed("Delay Timer", delayTimerSize),
	TypeChannelMask:             tlv.AnyLength("Channel Mask"),
	TypeCount:                   tlv.Fixed("Count", countSize),
	TypePeriod:                  tlv.Fixed("Period", periodSize),
	TypeScanDuration:            tlv.Fixed("Scan Duration", periodSize),
	TypeEnergyList:              tlv.AnyLength("Energy List"),
	TypeDiscoveryRequest:        tlv.Fixed("Discovery Request", discoverySize),
	TypeDiscoveryResponse:       tlv.Fixed("Discovery Response", discoverySize),
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t Type) Known() bool { return types.Known(t) }

// ValidLength reports whether a value of n bytes is one that type t allows. An unknown type allows any.
func (t Type) ValidLength(n int) bool { return types.ValidLength(t, n) }

// String returns the standard's name of the type.
func (t Type) String() string { return types.Name(t) }
