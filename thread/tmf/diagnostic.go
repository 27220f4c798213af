package tmf

import "strconv"

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

var diagnosticNames = [...]string{
	DiagnosticExtendedMACAddress: "Extended MAC Address",
	DiagnosticAddress16:          "Address16",
	DiagnosticMode:               "Mode",
	DiagnosticTimeout:            "Timeout",
	DiagnosticConnectivity:       "Connectivity",
	DiagnosticRoute64:            "Route64",
	DiagnosticLeaderData:         "Leader Data",
	DiagnosticNetworkData:        "Network Data",
	DiagnosticIPv6AddressList:    "IPv6 Address List",
	DiagnosticMACCounters:        "MAC Counters",
	DiagnosticBatteryLevel:       "Battery Level",
	DiagnosticSupplyVoltage:      "Supply Voltage",
	DiagnosticChildTable:         "Child Table",
	DiagnosticChannelPages:       "Channel Pages",
	DiagnosticTypeList:           "Type List",
	DiagnosticMaxChildTimeout:    "Max Child Timeout",
}

// String returns the standard's name of the type.
func (t DiagnosticType) String() string {
	if int(t) < len(diagnosticNames) && diagnosticNames[t] != "" {
		return diagnosticNames[t]
	}
	return "TLV " + strconv.Itoa(int(t))
}
