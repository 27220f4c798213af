package meshcop

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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

var masterKey = Key{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}

const generatedDataset = "000300000b" + "35060004001fffe0" + "0208dead00beef00cafe" + "0708fddead00beef0000" +
	"05100134c0de1ab51234c0de1ab5ca1a110f" + "030a4f70656e546872656164" + "01021234" +
	"041000000000000000000000000000000000" + "0c0302a0ff"

// The first dataset is the one that Pymesh's engine makes for itself as a leader.
var datasetTests = []struct {
	hex  string
	want Dataset
}{
	{"", Dataset{}},
	{generatedDataset, Dataset{
		Present: HasChannel | HasChannelMask | HasExtendedPANID | HasMeshLocalPrefix | HasNetworkMasterKey |
			HasNetworkName | HasPANID | HasPSKc | HasSecurityPolicy,
		Channel:          mle.Channel{Number: 11},
		ChannelMask:      0x07fff800,
		ExtendedPANID:    ExtendedPANID{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
		MeshLocalPrefix:  netip.MustParsePrefix("fdde:ad00:beef::/64"),
		NetworkMasterKey: masterKey,
		NetworkName:      "OpenThread",
		PANID:            0x1234,
		SecurityPolicy:   SecurityPolicy{RotationTime: 672 * time.Hour, Flags: 0xff},
	}},
	{"0e080000000000010000" + "3308000000000002fffe" + "340400007530", Dataset{
		Present:          HasActiveTimestamp | HasPendingTimestamp | HasDelayTimer,
		ActiveTimestamp:  Timestamp{Seconds: 1},
		PendingTimestamp: Timestamp{Seconds: 2, Ticks: 0x7fff},
		DelayTimer:       30 * time.Second,
	}},
	{"0e080000000000010001" + "01020001" + "fe03010203" + "0b02fb44", Dataset{
		Present:         HasActiveTimestamp | HasPANID,
		ActiveTimestamp: Timestamp{Seconds: 1, Authoritative: true},
		PANID:           1,
		Unknown:         []byte{0xfe, 3, 1, 2, 3, 0x0b, 2, 0xfb, 0x44},
	}},
}

func TestDatasetBothDirections(t *testing.T) {
	for _, tt := range datasetTests {
		wire := unhex(t, tt.hex)
		got, err := ParseDataset(wire)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", tt.hex, got, err, tt.want)
		}
		if b, err := tt.want.AppendBinary(nil); err != nil || !bytes.Equal(b, wire) {
			t.Errorf("AppendBinary: %x, %v\nwant %s", b, err, tt.hex)
		}
	}
}

func TestDatasetTruncationLadder(t *testing.T) {
	for _, tt := range datasetTests {
		wire := unhex(t, tt.hex)
		for n := range len(wire) {
			if _, err := ParseDataset(wire[:n]); (err == nil) != (tlv.Validate(wire[:n]) == nil) {
				t.Errorf("%s cut to %d bytes: %v", tt.hex, n, err)
			}
		}
	}
}

func TestDatasetOrderAndDuplicates(t *testing.T) {
	d, err := ParseDataset(unhex(t, "01021234"+"000300000b"+"01025678"))
	if err != nil || d.PANID != 0x1234 {
		t.Fatalf("%+v, %v", d, err)
	}
	if b, _ := d.AppendBinary(nil); !bytes.Equal(b, unhex(t, "000300000b"+"01021234")) {
		t.Errorf("%x", b)
	}
	if !d.Has(HasPANID|HasChannel) || d.Has(HasPANID|HasPSKc) {
		t.Error(d.Present)
	}
}

func TestDatasetRefuses(t *testing.T) {
	for _, s := range []string{
		"000200000b", "010112", "0207dead00beef00ca", "0311" + strings.Repeat("41", 17), "040100", "050100",
		"0707fddead00beef00", "0c0202a0", "0e0700000000000100", "35030004ff", "350100",
	} {
		if d, err := ParseDataset(unhex(t, s)); err == nil {
			t.Errorf("%s: %+v", s, d)
		}
	}
	for _, d := range []Dataset{
		{Present: HasMeshLocalPrefix},
		{Present: HasMeshLocalPrefix, MeshLocalPrefix: netip.MustParsePrefix("fd00::/48")},
		{Present: HasMeshLocalPrefix, MeshLocalPrefix: netip.MustParsePrefix("10.0.0.0/8")},
		{Present: HasNetworkName, NetworkName: "seventeen letters"},
	} {
		if b, err := d.AppendBinary([]byte{1}); err != ErrTLVValue || len(b) != 1 {
			t.Errorf("%+v: %x, %v", d, b, err)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	d := Dataset{NetworkMasterKey: masterKey, PSKc: masterKey}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if s := strings.ToLower(fmt.Sprintf(format, d)); strings.Contains(s, "34c0de1a") || strings.Contains(s, "0x34, 0xc0") ||
			strings.Contains(s, "52 192 222") {
			t.Errorf("%s: %s", format, s)
		}
	}
}

func TestTimestamp(t *testing.T) {
	tests := []struct {
		hex  string
		want Timestamp
	}{
		{"0000000000000000", Timestamp{}},
		{"0000000000010000", Timestamp{Seconds: 1}},
		{"ffffffffffffffff", Timestamp{Seconds: 1<<48 - 1, Ticks: 0x7fff, Authoritative: true}},
		{"0000000000000001", Timestamp{Authoritative: true}},
		{"0000000000000002", Timestamp{Ticks: 1}},
	}
	for _, tt := range tests {
		wire := unhex(t, tt.hex)
		if got, err := ParseTimestamp(wire); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", tt.hex, got, err)
		}
		if b, _ := tt.want.AppendBinary(nil); !bytes.Equal(b, wire) {
			t.Errorf("%+v: %x", tt.want, b)
		}
		for n := range len(wire) {
			if _, err := ParseTimestamp(wire[:n]); err != ErrTLVLength {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	if b, _ := (Timestamp{Seconds: 1 << 48, Ticks: 0x8000}).AppendBinary(nil); !bytes.Equal(b, make([]byte, 8)) {
		t.Errorf("fields too large: %x", b)
	}
	old, recent := Timestamp{Seconds: 1, Ticks: 9}, Timestamp{Seconds: 2}
	if old.Compare(recent) != -1 || recent.Compare(old) != 1 || old.Compare(Timestamp{Seconds: 1, Ticks: 8}) != 1 ||
		old.Compare(Timestamp{Seconds: 1, Ticks: 9, Authoritative: true}) != 0 {
		t.Error("Compare")
	}
	if s := old.String(); s != "1.00009" {
		t.Error(s)
	}
}

func TestChannelMask(t *testing.T) {
	m, err := ParseChannelMask(unhex(t, "0004001fffe0"))
	if err != nil || m.Contains(10) || !m.Contains(11) || !m.Contains(26) || m.Contains(27) || m.Contains(32) {
		t.Errorf("%x, %v", uint32(m), err)
	}
	if got := slices.Collect(m.Channels()); len(got) != 16 || got[0] != 11 || got[15] != 26 {
		t.Errorf("%v", got)
	}
	if b, _ := m.AppendBinary(nil); !bytes.Equal(b, unhex(t, "0004001fffe0")) {
		t.Errorf("%x", b)
	}
	if m, err := ParseChannelMask(unhex(t, "020180"+"000480000000")); err != nil || m != 1 {
		t.Errorf("two pages: %x, %v", uint32(m), err)
	}
	if m, err := ParseChannelMask(unhex(t, "020180")); err != nil || m != 0 {
		t.Errorf("no page 0: %x, %v", uint32(m), err)
	}
	for channel := range m.Channels() {
		if channel == 12 {
			break
		}
	}
}

func TestSmallTLVs(t *testing.T) {
	tests := []struct {
		hex string
		got []byte
	}{
		{"100101", AppendState(nil, StateAccept)},
		{"1001ff", AppendState(nil, StateReject)},
		{"0902fc00", AppendBorderAgentLocator(nil, mle.ALOCLeader)},
		{"0b02fb44", AppendCommissionerSessionID(nil, 0xfb44)},
		{"120203e8", AppendJoinerUDPPort(nil, 1000)},
		{"80022000", AppendDiscoveryRequest(nil, DiscoveryRequest{Version: 2})},
		{"80022800", AppendDiscoveryRequest(nil, DiscoveryRequest{Version: 2, Joiner: true})},
		{"81022800", AppendDiscoveryResponse(nil, DiscoveryResponse{Version: 2, NativeCommissioner: true})},
	}
	for _, tt := range tests {
		if !bytes.Equal(tt.got, unhex(t, tt.hex)) {
			t.Errorf("%x, want %s", tt.got, tt.hex)
		}
		typ := Type(tt.got[0])
		if v, ok := tlv.Find(tt.got, typ); !ok || !typ.ValidLength(len(v)) || typ.ValidLength(len(v)+1) {
			t.Errorf("%v: %x, %v", typ, v, ok)
		}
	}
	if s, err := ParseState([]byte{0xff}); err != nil || s != StateReject {
		t.Error(s, err)
	}
	if r, err := ParseLocator([]byte{0xfc, 0}); err != nil || r != mle.ALOCLeader {
		t.Error(r, err)
	}
	if v, err := ParseCommissionerSessionID([]byte{0xfb, 0x44}); err != nil || v != 0xfb44 {
		t.Error(v, err)
	}
	if v, err := ParseJoinerUDPPort([]byte{3, 0xe8}); err != nil || v != 1000 {
		t.Error(v, err)
	}
	if r, err := ParseDiscoveryRequest([]byte{0x28, 0}); err != nil || r != (DiscoveryRequest{Version: 2, Joiner: true}) {
		t.Error(r, err)
	}
	if r, err := ParseDiscoveryResponse([]byte{0x28, 0}); err != nil || r != (DiscoveryResponse{Version: 2, NativeCommissioner: true}) {
		t.Error(r, err)
	}
	if p, err := ParseSecurityPolicy([]byte{2, 0xa0, 0xf8, 0x02}); err != nil || p.Flags != 0xf8 {
		t.Error("security policy of Thread 1.2:", p, err)
	}
	for name, err := range map[string]error{
		"state":     second(ParseState(nil)),
		"locator":   second(ParseLocator([]byte{1})),
		"session":   second(ParseCommissionerSessionID([]byte{1, 2, 3})),
		"port":      second(ParseJoinerUDPPort(nil)),
		"request":   second(ParseDiscoveryRequest([]byte{1})),
		"response":  second(ParseDiscoveryResponse([]byte{1})),
		"policy":    second(ParseSecurityPolicy([]byte{1, 2})),
		"long mask": second(ParseChannelMask([]byte{0, 9, 1})),
	} {
		if err != ErrTLVLength {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTable(t *testing.T) {
	if TypePSKc.String() != "PSKc" || Type(250).String() != "TLV 250" || !TypeGet.Known() || Type(15).Known() {
		t.Error("names")
	}
	for typ, info := range types {
		if info.Min > info.Max {
			t.Errorf("type %d: %+v", typ, info)
		}
	}
}

func FuzzParseDataset(f *testing.F) {
	for _, tt := range datasetTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDataset(b)
		if err != nil {
			return
		}
		encoded, err := d.AppendBinary(nil)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		again, err := ParseDataset(encoded)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%+v became %+v, %v", d, again, err)
		}
	})
}

func FuzzParseValues(f *testing.F) {
	f.Add([]byte{0, 4, 0, 0x1f, 0xff, 0xe0})
	f.Add(make([]byte, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseTimestamp(b); err == nil {
			if again, _ := v.AppendBinary(nil); !bytes.Equal(again, b) {
				t.Errorf("timestamp %x became %x", b, again)
			}
		}
		_, _ = ParseChannelMask(b)
		_, _ = ParseSecurityPolicy(b)
		_, _ = ParseState(b)
		_, _ = ParseLocator(b)
		_, _ = ParseDiscoveryRequest(b)
		_, _ = ParseDiscoveryResponse(b)
	})
}
