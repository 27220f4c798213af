package dissect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Sizes and fields of diagnostic values in bytes (Thread 1.1 §10.11.4).
const (
	addrSize           = 16
	macCounterSize     = 4
	numMACCounters     = 9
	childEntrySize     = 3 // 5 bits of timeout, 2 reserved, 9 of Child ID, 8 of mode
	childTimeoutShift  = 11
	childTimeoutOffset = 4 // a timeout t stands for 2^(t-4) seconds
	childIDMask        = 0x1ff
)

// diagnosticTLVs reads a message under d/.
func diagnosticTLVs(b []byte) []TLV {
	return readTLVs(b, FamilyDiagnostic, func(t *TLV) decoder {
		typ := tmf.DiagnosticType(t.Type)
		t.Name, t.Known = typ.String(), typ.Known()
		if !typ.ValidLength(len(t.Value)) {
			return func(*TLV) (string, error) { return "", tmf.ErrTLVLength }
		}
		return diagnosticDecoders[typ]
	})
}

// diagnosticDecoders decode values whose lengths their types allow.
var diagnosticDecoders = map[tmf.DiagnosticType]decoder{
	tmf.DiagnosticExtendedMACAddress: bytesf(extAddrText),
	tmf.DiagnosticAddress16:          text(mle.ParseAddress16),
	tmf.DiagnosticMode:               textf(mle.ParseMode, modeText),
	tmf.DiagnosticTimeout:            textf(mle.ParseTimeout, seconds),
	tmf.DiagnosticConnectivity:       textf(mle.ParseConnectivity, connectivityText),
	tmf.DiagnosticRoute64:            textf(mle.ParseRoute64, routeText),
	tmf.DiagnosticLeaderData:         textf(mle.ParseLeaderData, leaderDataText),
	tmf.DiagnosticNetworkData:        sub(networkDataTLVs),
	tmf.DiagnosticIPv6AddressList:    entries(addrSize, addrText),
	tmf.DiagnosticMACCounters:        bytesf(macCountersText),
	tmf.DiagnosticBatteryLevel:       bytesf(func(b []byte) string { return fmt.Sprintf("%d %%", b[0]) }),
	tmf.DiagnosticSupplyVoltage:      bytesf(func(b []byte) string { return fmt.Sprintf("%d mV", binary.BigEndian.Uint16(b)) }),
	tmf.DiagnosticChildTable:         entries(childEntrySize, childText),
	tmf.DiagnosticChannelPages:       entries(1, func(b []byte) string { return fmt.Sprint(b[0]) }),
	tmf.DiagnosticTypeList:           entries(1, func(b []byte) string { return tmf.DiagnosticType(b[0]).String() }),
	tmf.DiagnosticMaxChildTimeout:    textf(mle.ParseTimeout, seconds),
}

// bytesf makes a decoder of a function that prints bytes.
func bytesf(format func([]byte) string) decoder {
	return func(t *TLV) (string, error) { return format(t.Value), nil }
}

// entries makes a decoder for a list of entries of a fixed size.
func entries(size int, format func([]byte) string) decoder {
	return func(t *TLV) (string, error) {
		if len(t.Value)%size != 0 {
			return "", tmf.ErrTLVLength
		}
		var list []string
		for b := t.Value; len(b) > 0; b = b[size:] {
			list = append(list, format(b[:size]))
		}
		return strings.Join(list, ", "), nil
	}
}

func extAddrText(b []byte) string { return ieee802154.ExtAddr(b).String() }

func addrText(b []byte) string { return netip.AddrFrom16([addrSize]byte(b)).String() }

// macCountersText names the counters of a MAC Counters TLV in their order.
func macCountersText(b []byte) string {
	var list []string
	for i, name := range [numMACCounters]string{
		"in unknown", "in errors", "out errors", "in unicast", "in broadcast", "in discarded", "out unicast",
		"out broadcast", "out discarded",
	} {
		list = append(list, fmt.Sprintf("%s %d", name, binary.BigEndian.Uint32(b[i*macCounterSize:])))
	}
	return strings.Join(list, ", ")
}

func childText(b []byte) string {
	first := binary.BigEndian.Uint16(b)
	timeout := time.Second << (first >> childTimeoutShift) >> childTimeoutOffset
	return fmt.Sprintf("child %d of mode %v, timeout up to %v", first&childIDMask, mle.Mode(b[2]), timeout)
}
