package tmf

import "github.com/gopymesh/pymesh/thread/tlv"

// DiagnosticType is the type of a network diagnostic TLV (Thread 1.1 §10.11.4). Its values are those of the TLV of the
// same name elsewhere: package mle's for Address16, Mode, Timeout, Connectivity, Route64 and Leader Data, package
// netdata's for Network Data. Diagnostic payloads are walked and built with package tlv.
type DiagnosticType uint8

// The diagnostic TLVs.
const (
	DiagnosticExtendedMACAddress DiagnosticType = 0
	DiagnosticAddress16          DiagnosticType = 1
	DiagnosticMode               DiagnosticType = 2
	DiagnosticTimeout            DiagnosticType = 3
	DiagnosticConnectivity       DiagnosticType = 4
	DiagnosticRoute64            DiagnosticType = 5
	DiagnosticLeaderData         DiagnosticType = 6
	DiagnosticNetworkData        DiagnosticType = 7
	DiagnosticIPv6AddressList    DiagnosticType = 8
	DiagnosticMACCounters        DiagnosticType = 9
	DiagnosticBatteryLevel       DiagnosticType = 14
	DiagnosticSupplyVoltage      DiagnosticType = 15
	DiagnosticChildTable         DiagnosticType = 16
	DiagnosticChannelPages       DiagnosticType = 17
	DiagnosticTypeList           DiagnosticType = 18
	DiagnosticMaxChildTimeout    DiagnosticType = 19
)

// Sizes of diagnostic values, in bytes.
const (
	modeSize            = 1
	timeoutSize         = 4
	minConnectivitySize = 7 // without the buffer of sleepy end devices
	minRoute64Size      = 9 // without entries
	leaderDataSize      = 8
	macCountersSize     = 9 * 4
	batteryLevelSize    = 1
	supplyVoltageSize   = 2
)

var diagnosticTypes = tlv.Table[DiagnosticType]{
	DiagnosticExtendedMACAddress: tlv.Fixed("Extended MAC Address", extAddrSize),
	DiagnosticAddress16:          tlv.Fixed("Address16", rloc16Size),
	DiagnosticMode:               tlv.Fixed("Mode", modeSize),
	DiagnosticTimeout:            tlv.Fixed("Timeout", timeoutSize),
	DiagnosticConnectivity:       tlv.Between("Connectivity", minConnectivitySize, tlv.MaxLength),
	DiagnosticRoute64:            tlv.Between("Route64", minRoute64Size, tlv.MaxLength),
	DiagnosticLeaderData:         tlv.Fixed("Leader Data", leaderDataSize),
	DiagnosticNetworkData:        tlv.AnyLength("Network Data"),
	DiagnosticIPv6AddressList:    tlv.AnyLength("IPv6 Address List"),
	DiagnosticMACCounters:        tlv.Fixed("MAC Counters", macCountersSize),
	DiagnosticBatteryLevel:       tlv.Fixed("Battery Level", batteryLevelSize),
	DiagnosticSupplyVoltage:      tlv.Fixed("Supply Voltage", supplyVoltageSize),
	DiagnosticChildTable:         tlv.AnyLength("Child Table"),
	DiagnosticChannelPages:       tlv.AnyLength("Channel Pages"),
	DiagnosticTypeList:           tlv.AnyLength("Type List"),
	DiagnosticMaxChildTimeout:    tlv.Fixed("Max Child Timeout", timeoutSize),
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t DiagnosticType) Known() bool { return diagnosticTypes.Known(t) }

// ValidLength reports whether a value of n bytes is one that type t allows. An unknown type allows any.
func (t DiagnosticType) ValidLength(n int) bool { return diagnosticTypes.ValidLength(t, n) }

// String returns the standard's name of the type.
func (t DiagnosticType) String() string { return diagnosticTypes.Name(t) }
