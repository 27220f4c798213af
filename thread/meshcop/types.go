package meshcop

import (
	"errors"
	"iter"
	"strconv"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// Errors of this package. They are returned as they are.
var (
	// ErrTLVLength says that a TLV's value has a length its type forbids.
	ErrTLVLength = errors.New("meshcop: TLV of a wrong length")
	// ErrTLVValue says that a TLV's value is one its type forbids.
	ErrTLVValue = errors.New("meshcop: TLV of a forbidden value")
)

// Type is the type of a MeshCoP TLV (Thread 1.1 §8.10.1).
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
	unboundedSize           = tlv.MaxLength
)

// spec is a TLV type's name and its shortest and longest value.
type spec struct {
	name     string
	min, max int
}

var specs = map[Type]spec{
	TypeChannel:                 {"Channel", channelSize, channelSize},
	TypePANID:                   {"PAN ID", panIDSize, panIDSize},
	TypeExtendedPANID:           {"Extended PAN ID", extendedPANIDSize, extendedPANIDSize},
	TypeNetworkName:             {"Network Name", 0, maxNetworkNameSize},
	TypePSKc:                    {"PSKc", keySize, keySize},
	TypeNetworkMasterKey:        {"Network Master Key", keySize, keySize},
	TypeNetworkKeySequence:      {"Network Key Sequence", keySequenceSize, keySequenceSize},
	TypeMeshLocalPrefix:         {"Mesh Local Prefix", meshLocalPrefixSize, meshLocalPrefixSize},
	TypeSteeringData:            {"Steering Data", 1, maxSteeringDataSize},
	TypeBorderAgentLocator:      {"Border Agent Locator", locatorSize, locatorSize},
	TypeCommissionerID:          {"Commissioner ID", 0, maxTextSize},
	TypeCommissionerSessionID:   {"Commissioner Session ID", sessionIDSize, sessionIDSize},
	TypeSecurityPolicy:          {"Security Policy", securityPolicySize, maxSecurityPolicySize},
	TypeGet:                     {"Get", 0, unboundedSize},
	TypeActiveTimestamp:         {"Active Timestamp", timestampSize, timestampSize},
	TypeState:                   {"State", stateSize, stateSize},
	TypeJoinerDTLSEncapsulation: {"Joiner DTLS Encapsulation", 0, unboundedSize},
	TypeJoinerUDPPort:           {"Joiner UDP Port", portSize, portSize},
	TypeJoinerIID:               {"Joiner IID", iidSize, iidSize},
	TypeJoinerRouterLocator:     {"Joiner Router Locator", locatorSize, locatorSize},
	TypeJoinerRouterKEK:         {"Joiner Router KEK", keySize, keySize},
	TypeProvisioningURL:         {"Provisioning URL", 0, maxTextSize},
	TypeVendorName:              {"Vendor Name", 0, maxVendorTextSize},
	TypeVendorModel:             {"Vendor Model", 0, maxVendorTextSize},
	TypeVendorSoftwareVersion:   {"Vendor SW Version", 0, maxSoftwareVersionSize},
	TypeVendorData:              {"Vendor Data", 0, maxTextSize},
	TypeVendorStackVersion:      {"Vendor Stack Version", stackVersionSize, stackVersionSize},
	TypeUDPEncapsulation:        {"UDP Encapsulation", udpEncapsulationMinSize, unboundedSize},
	TypeIPv6Address:             {"IPv6 Address", addrSize, addrSize},
	TypePendingTimestamp:        {"Pending Timestamp", timestampSize, timestampSize},
	TypeDelayTimer:              {"Delay Timer", delayTimerSize, delayTimerSize},
	TypeChannelMask:             {"Channel Mask", 0, unboundedSize},
	TypeCount:                   {"Count", countSize, countSize},
	TypePeriod:                  {"Period", periodSize, periodSize},
	TypeScanDuration:            {"Scan Duration", periodSize, periodSize},
	TypeEnergyList:              {"Energy List", 0, unboundedSize},
	TypeDiscoveryRequest:        {"Discovery Request", discoverySize, discoverySize},
	TypeDiscoveryResponse:       {"Discovery Response", discoverySize, discoverySize},
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t Type) Known() bool {
	_, ok := specs[t]
	return ok
}

// ValidLength reports whether a value of n bytes is one that type t allows. An unknown type allows any.
func (t Type) ValidLength(n int) bool {
	s, ok := specs[t]
	return !ok || n >= s.min && n <= s.max
}

// String returns the standard's name of the type.
func (t Type) String() string {
	if s, ok := specs[t]; ok {
		return s.name
	}
	return "TLV " + strconv.Itoa(int(t))
}

// All yields the TLVs of b in their order and stops at the end or at the first one that exceeds b. The values alias b.
func All(b []byte) iter.Seq2[Type, []byte] { return tlv.All[Type](b) }

// Find returns the value of the first TLV of type t in b, and whether there is one. The value aliases b.
func Find(b []byte, t Type) ([]byte, bool) { return tlv.Find(b, t) }

// AppendTLV appends a TLV whose value is given as bytes.
func AppendTLV(b []byte, t Type, value []byte) []byte { return tlv.Append(b, t, value) }
