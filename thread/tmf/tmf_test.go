package tmf

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func getter[T any](get func(Payload) (T, error)) func(Payload) (any, error) {
	return func(p Payload) (any, error) { return get(p) }
}

// tlvTests hold a TLV a line.
func tlvTests(t testing.TB) []struct {
	hex  string
	want any
	get  func(Payload) (any, error)
	got  []byte
} {
	eid := netip.MustParseAddr("fdde:ad00:beef:0:473a:3e31:dac3:3a16")
	ext := ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 2}
	iid := [8]byte{0x47, 0x3a, 0x3e, 0x31, 0xda, 0xc3, 0x3a, 0x16}
	mask := RouterMask{IDSequence: 0xd3, Routers: mle.RouterIDSet(0).Add(15).Add(16)}
	data := unhex(t, "030d003020010db8000101031c0000")
	return []struct {
		hex  string
		want any
		get  func(Payload) (any, error)
		got  []byte
	}{
		{"0010fddead00beef0000473a3e31dac33a16", eid, getter(Payload.TargetEID), AppendTargetEID(nil, eid)},
		{"010870b3d54990000002", ext, getter(Payload.ExtendedMACAddress), AppendExtendedMACAddress(nil, ext)},
		{"02023c00", mle.RLOC16(0x3c00), getter(Payload.RLOC16), AppendRLOC16(nil, 0x3c00)},
		{"0308473a3e31dac33a16", iid, getter(Payload.MLEID), AppendMLEID(nil, iid)},
		{"040102", ReasonTooFewRouters, getter(Payload.Status), AppendStatus(nil, ReasonTooFewRouters)},
		{"060400000011", 17 * time.Second, getter(Payload.TimeSinceLastTransaction),
			AppendTimeSinceLastTransaction(nil, 17*time.Second)},
		{"0709d30001800000000000", mask, getter(Payload.RouterMask), AppendRouterMask(nil, mask)},
		{"0a0f030d003020010db8000101031c0000", data, getter(Payload.ThreadNetworkData), AppendThreadNetworkData(nil, data)},
		{"0a00", []byte{}, getter(Payload.ThreadNetworkData), AppendThreadNetworkData(nil, nil)},
	}
}

func TestTLVsBothDirections(t *testing.T) {
	for _, tt := range tlvTests(t) {
		wire := unhex(t, tt.hex)
		if !bytes.Equal(tt.got, wire) {
			t.Errorf("append: %x, want %s", tt.got, tt.hex)
		}
		p, err := ParsePayload(wire)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := tt.get(p); err != nil || !reflect.DeepEqual(v, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.hex, v, err, tt.want)
		}
		if _, err := tt.get(nil); err != ErrAbsent {
			t.Errorf("%s: without the TLV: %v", tt.hex, err)
		}
	}
}

func TestTruncationLadder(t *testing.T) {
	for _, tt := range tlvTests(t) {
		wire := unhex(t, tt.hex)
		for n := 1; n < len(wire); n++ {
			if _, err := ParsePayload(wire[:n]); err != tlv.ErrTruncated {
				t.Errorf("%s cut to %d bytes: %v", tt.hex, n, err)
			}
		}
		typ, value := TLVType(wire[0]), wire[2:]
		if typ == TLVThreadNetworkData {
			continue
		}
		for n := range len(value) + 2 {
			if n == len(value) {
				continue
			}
			wrong := tlv.Append(nil, typ, append(value[:len(value):len(value)], 0)[:n])
			if _, err := tt.get(wrong); err != ErrTLVLength {
				t.Errorf("%v of %d bytes: %v", typ, n, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{TLVRouterMask.String(), "Router Mask"},
		{TLVType(5).String(), "TLV 5"},
		{TLVType(99).String(), "TLV 99"},
		{StatusNoAddressAvailable.String(), "no address available"},
		{Status(9).String(), "status 9"},
		{DiagnosticChildTable.String(), "Child Table"},
		{DiagnosticType(10).String(), "TLV 10"},
		{DiagnosticType(200).String(), "TLV 200"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
	if TLVType(5).Known() || TLVType(11).Known() || !TLVThreadNetworkData.Known() ||
		DiagnosticType(10).Known() || DiagnosticType(20).Known() || !DiagnosticMaxChildTimeout.Known() {
		t.Error("Known")
	}
	if !DiagnosticMACCounters.ValidLength(36) || DiagnosticMACCounters.ValidLength(35) ||
		!DiagnosticConnectivity.ValidLength(10) || DiagnosticConnectivity.ValidLength(6) {
		t.Error("ValidLength")
	}
}

func TestNoAllocations(t *testing.T) {
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendStatus(AppendRLOC16(AppendExtendedMACAddress(b[:0], ieee802154.ExtAddr{}), 0x3c00), StatusSuccess)
		p, err := ParsePayload(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Status(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParsePayload(f *testing.F) {
	for _, tt := range tlvTests(f) {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePayload(b)
		if err != nil {
			return
		}
		survives(t, p.TargetEID, AppendTargetEID, Payload.TargetEID)
		survives(t, p.ExtendedMACAddress, AppendExtendedMACAddress, Payload.ExtendedMACAddress)
		survives(t, p.RLOC16, AppendRLOC16, Payload.RLOC16)
		survives(t, p.MLEID, AppendMLEID, Payload.MLEID)
		survives(t, p.Status, AppendStatus, Payload.Status)
		survives(t, p.TimeSinceLastTransaction, AppendTimeSinceLastTransaction, Payload.TimeSinceLastTransaction)
		survives(t, p.RouterMask, AppendRouterMask, Payload.RouterMask)
		survives(t, p.ThreadNetworkData, AppendThreadNetworkData, Payload.ThreadNetworkData)
	})
}

// survives checks that a value which was read is read again from what Append makes of it.
func survives[T any](t *testing.T, get func() (T, error), appendTLV func([]byte, T) []byte, parse func(Payload) (T, error)) {
	t.Helper()
	v, err := get()
	if err != nil {
		return
	}
	if again, err := parse(appendTLV(nil, v)); err != nil || !reflect.DeepEqual(again, v) {
		t.Errorf("%v became %v, %v", v, again, err)
	}
}
