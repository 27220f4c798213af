package tmf

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// recorded are the answer of a router of Pycom's engine, and one made by hand.
var recorded = []string{
	"000870b3d549900000020102d80002010f040a00020000018304050001050d830044000002000200f102f10106086053711240f16f26070608040b02c2930830" +
		"fddead00beef0000000000fffe00d800fddead00beef0000adcf2d57e393a78bfe8000000000000072b3d5499000000209240000000000000016000000000000" +
		"006700000049000000090000006a00000026000000001000",
	"1006680109680a0f110100130400000100",
}

// diagnosticAgain encodes what the getters read from the TLV of type t.
func diagnosticAgain(d Diagnostics, t DiagnosticType) []byte {
	switch t {
	case DiagnosticExtendedMACAddress:
		return againOf(d.ExtendedMACAddress, AppendDiagnosticAddress)
	case DiagnosticAddress16:
		return againOf(d.Address16, as(t, mle.AppendAddress16))
	case DiagnosticMode:
		return againOf(d.Mode, as(t, mle.AppendMode))
	case DiagnosticTimeout:
		return againOf(d.Timeout, as(t, mle.AppendTimeout))
	case DiagnosticConnectivity:
		return againOf(d.Connectivity, as(t, mle.AppendConnectivity))
	case DiagnosticRoute64:
		return againOf(d.Route64, as(t, mle.AppendRoute64))
	case DiagnosticLeaderData:
		return againOf(d.LeaderData, as(t, mle.AppendLeaderData))
	case DiagnosticNetworkData:
		return againOf(d.NetworkData, raw(t))
	case DiagnosticIPv6AddressList:
		return againOf(d.IPv6Addresses, AppendIPv6Addresses)
	case DiagnosticMACCounters:
		return againOf(d.MACCounters, AppendMACCounters)
	case DiagnosticChildTable:
		return againOf(d.ChildTable, AppendChildTable)
	case DiagnosticChannelPages:
		return againOf(d.ChannelPages, raw(t))
	case DiagnosticMaxChildTimeout:
		return againOf(d.MaxChildTimeout, as(t, mle.AppendTimeout))
	case DiagnosticTypeList:
		return againOf(d.TypeList, func(b []byte, l TypeList) []byte { return AppendTypeList(b, slices.Collect(l.All())...) })
	}
	return nil
}

func againOf[T any](get func() (T, error), appendTLV func([]byte, T) []byte) []byte {
	v, err := get()
	if err != nil {
		return nil
	}
	return appendTLV(nil, v)
}

func as[T any](t DiagnosticType, f func([]byte, T) []byte) func([]byte, T) []byte {
	return func(b []byte, v T) []byte { return AppendDiagnosticMLE(b, t, f, v) }
}

func raw(t DiagnosticType) func([]byte, []byte) []byte {
	return func(b, v []byte) []byte { return AppendDiagnostic(b, t, v) }
}

// TestRecordedDiagnostics takes real answers apart and puts them together again.
func TestRecordedDiagnostics(t *testing.T) {
	for _, hex := range append(recorded, "120b0001020304050607080910", "0304000000f0") {
		wire := unhex(t, hex)
		d, err := ParseDiagnostics(wire)
		if err != nil {
			t.Fatal(err)
		}
		var built []byte
		for typ := range d.All() {
			built = append(built, diagnosticAgain(d, typ)...)
		}
		if !bytes.Equal(built, wire) {
			t.Errorf("\n got %x\nwant %x", built, wire)
		}
		for n := 1; n < len(wire); n++ {
			if cut, err := ParseDiagnostics(wire[:n]); err == nil {
				for typ := range cut.All() {
					diagnosticAgain(cut, typ)
				}
			}
		}
	}
}

func TestDiagnosticValues(t *testing.T) {
	d := Diagnostics(slices.Concat(unhex(t, recorded[0]), unhex(t, recorded[1])[:8], unhex(t, "0e013f0f020ce4")))
	ext, _ := d.ExtendedMACAddress()
	rloc, _ := d.Address16()
	addrs, _ := d.IPv6Addresses()
	counters, _ := d.MACCounters()
	battery, _ := d.BatteryLevel()
	voltage, _ := d.SupplyVoltage()
	if want := (ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 2}); ext != want || rloc != 0xd800 || battery != 63 || voltage != 3300 {
		t.Error(ext, rloc, battery, voltage)
	}
	if len(addrs) != 3 || addrs[0] != netip.MustParseAddr("fdde:ad00:beef::ff:fe00:d800") {
		t.Error(addrs)
	}
	if counters.InErrors != 0x16 || counters.OutDiscards != 0 || counters.OutBroadcast != 0x26 {
		t.Errorf("%+v", counters)
	}
	for _, tt := range []struct {
		hex  string
		want []ChildEntry
	}{
		{"1000", nil},
		{"10066001 0f6e02 0a", []ChildEntry{{Timeout: 256 * time.Second, ID: 1, Mode: 0xf}, {Timeout: 512 * time.Second, LinkQualityIn: 3, ID: 2, Mode: 0xa}}},
		{"1003000100", []ChildEntry{{Timeout: 62500 * time.Microsecond, ID: 1}}},
	} {
		got, err := Diagnostics(unhex(t, string(bytes.ReplaceAll([]byte(tt.hex), []byte(" "), nil)))).ChildTable()
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.hex, got, err, tt.want)
		}
	}
	for seconds, exponent := range map[int]byte{0: 4, 1: 4, 2: 5, 3: 6, 240: 12, 256: 12, 257: 13, 1 << 30: 31} {
		if b := AppendChildTable(nil, []ChildEntry{{Timeout: time.Duration(seconds) * time.Second}}); b[2]>>3 != exponent {
			t.Errorf("%d s: exponent %d, want %d", seconds, b[2]>>3, exponent)
		}
	}
}

func TestDiagnosticErrors(t *testing.T) {
	for _, hex := range []string{"1001ff", "0801ff", "0901ff", "0001ff", "0101ff", "0e00", "0f01ff", "1301ff"} {
		d := Diagnostics(unhex(t, hex))
		for _, get := range []func() error{
			errorOf(d.ChildTable), errorOf(d.IPv6Addresses), errorOf(d.MACCounters), errorOf(d.ExtendedMACAddress),
			errorOf(d.Address16), errorOf(d.BatteryLevel), errorOf(d.SupplyVoltage), errorOf(d.MaxChildTimeout),
		} {
			if err := get(); err != ErrAbsent && err != ErrTLVLength {
				t.Errorf("%s: %v", hex, err)
			}
		}
	}
	if _, err := ParseDiagnostics([]byte{1}); err != tlv.ErrTruncated {
		t.Error(err)
	}
	var once []DiagnosticType
	for typ := range (TypeList{1, 2, 1, 255, 255, 0}).All() {
		once = append(once, typ)
	}
	if !slices.Equal(once, []DiagnosticType{1, 2, 255, 0}) {
		t.Error(once)
	}
}

func errorOf[T any](get func() (T, error)) func() error {
	return func() error {
		_, err := get()
		return err
	}
}

func FuzzParseDiagnostics(f *testing.F) {
	for _, hex := range recorded {
		f.Add(unhex(f, hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDiagnostics(b)
		if err != nil {
			return
		}
		for typ := range d.All() {
			again := diagnosticAgain(d, typ)
			if second := diagnosticAgain(again, typ); !bytes.Equal(again, second) {
				t.Errorf("%v: %x became %x", typ, again, second)
			}
		}
	})
}
