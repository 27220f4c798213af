package mle

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parser makes a Parse function comparable with others.
func parser[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

// appender makes an Append function comparable with others.
func appender[T any](f func([]byte, T) []byte) func([]byte, any) []byte {
	return func(b []byte, v any) []byte { return f(b, v.(T)) }
}

func challenge(t testing.TB, s string) Challenge {
	c, err := ParseChallenge(unhex(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func route64(sequence uint8, routes map[RouterID]Route) Route64 {
	r := Route64{IDSequence: sequence}
	for id, route := range routes {
		r.Routers = r.Routers.Add(id)
		r.Routes[id] = route
	}
	return r
}

// tlvTests holds a whole TLV a line, and what its value stands for.
func tlvTests(t testing.TB) []struct {
	hex    string
	value  any
	parse  func([]byte) (any, error)
	append func([]byte, any) []byte
} {
	return []struct {
		hex    string
		value  any
		parse  func([]byte) (any, error)
		append func([]byte, any) []byte
	}{
		{"00024000", RLOC16(0x4000), parser(ParseSourceAddress), appender(AppendSourceAddress)},
		{"01010f", ModeRxOnWhenIdle | ModeSecureDataRequests | ModeFullThreadDevice | ModeFullNetworkData,
			parser(ParseMode), appender(AppendMode)},
		{"010104", ModeSecureDataRequests, parser(ParseMode), appender(AppendMode)},
		{"0204000000f0", 240 * time.Second, parser(ParseTimeout), appender(AppendTimeout)},
		{"0204ffffffff", 0xffffffff * time.Second, parser(ParseTimeout), appender(AppendTimeout)},
		{"03082948386f9ed34a28", challenge(t, "2948386f9ed34a28"), parser(ParseChallenge), appender(AppendChallenge)},
		{"030401020304", challenge(t, "01020304"), parser(ParseChallenge), appender(AppendChallenge)},
		{"0408b6f21af5585c1829", challenge(t, "b6f21af5585c1829"), parser(ParseChallenge), appender(AppendResponse)},
		{"05040000000a", uint32(10), parser(ParseFrameCounter), appender(AppendLinkLayerFrameCounter)},
		{"080400000009", uint32(9), parser(ParseFrameCounter), appender(AppendMLEFrameCounter)},
		{"090bd30001800000000000f101", route64(0xd3, map[RouterID]Route{
			15: {LinkQualityOut: 3, LinkQualityIn: 3, Cost: 1},
			16: {Cost: 1},
		}), parser(ParseRoute64), appender(AppendRoute64)},
		{"0909d00000000000000000", Route64{IDSequence: 0xd0}, parser(ParseRoute64), appender(AppendRoute64)},
		{"090b00800000000000000263ef", route64(0, map[RouterID]Route{
			0:  {LinkQualityOut: 1, LinkQualityIn: 2, Cost: 3},
			62: {LinkQualityOut: 3, LinkQualityIn: 2, Cost: 15},
		}), parser(ParseRoute64), appender(AppendRoute64)},
		{"0a024001", RLOC16(0x4001), parser(ParseAddress16), appender(AppendAddress16)},
		{"0b087faf64de40a30310", LeaderData{
			PartitionID: 0x7faf64de, Weighting: 64, DataVersion: 0xa3, StableDataVersion: 3, LeaderRouterID: 16,
		}, parser(ParseLeaderData), appender(AppendLeaderData)},
		{"0e01c0", ScanRouters | ScanEndDevices, parser(ParseScanMask), appender(AppendScanMask)},
		{"0f0a0000000000d001050001", Connectivity{
			IDSequence: 0xd0, ActiveRouters: 1, SEDBuffers: true, SEDBufferSize: 1280, SEDDatagramCount: 1,
		}, parser(ParseConnectivity), appender(AppendConnectivity)},
		{"0f07c0010203040506", Connectivity{
			ParentPriority: ParentPriorityLow, LinkQuality3: 1, LinkQuality2: 2, LinkQuality1: 3, LeaderCost: 4,
			IDSequence: 5, ActiveRouters: 6, SEDBufferSize: 1280, SEDDatagramCount: 1,
		}, parser(ParseConnectivity), appender(AppendConnectivity)},
		{"0f0740010203040506", Connectivity{
			ParentPriority: ParentPriorityHigh, LinkQuality3: 1, LinkQuality2: 2, LinkQuality1: 3, LeaderCost: 4,
			IDSequence: 5, ActiveRouters: 6, SEDBufferSize: 1280, SEDDatagramCount: 1,
		}, parser(ParseConnectivity), appender(AppendConnectivity)},
		{"100150", uint8(80), parser(ParseLinkMargin), appender(AppendLinkMargin)},
		{"110101", StatusError, parser(ParseStatus), appender(AppendStatus)},
		{"12020002", Version1_1, parser(ParseVersion), appender(AppendVersion)},
		{"140300000b", Channel{Number: 11}, parser(ParseChannel), appender(AppendChannel)},
	}
}

func TestTLVsBothDirections(t *testing.T) {
	for _, tt := range tlvTests(t) {
		t.Run(tt.hex, func(t *testing.T) {
			wire := unhex(t, tt.hex)
			value, err := tt.parse(wire[2:])
			if err != nil || !reflect.DeepEqual(value, tt.value) {
				t.Errorf("parse: %+v, %v\nwant %+v", value, err, tt.value)
			}
			if got := tt.append(nil, tt.value); !bytes.Equal(got, wire) {
				t.Errorf("append: %x, want %x", got, wire)
			}
		})
	}
}

// shorterForms are the lengths at which a cut value is still a valid one.
var shorterForms = map[TLVType][]int{
	TLVChallenge:    {4, 5, 6, 7},
	TLVResponse:     {4, 5, 6, 7},
	TLVConnectivity: {7},
}

func TestTLVsTruncationLadder(t *testing.T) {
	for _, tt := range tlvTests(t) {
		wire := unhex(t, tt.hex)
		typ, value := TLVType(wire[0]), wire[2:]
		for n := range len(value) {
			_, err := tt.parse(value[:n])
			if valid := slices.Contains(shorterForms[typ], n); valid != (err == nil) || err != nil && err != ErrTLVLength {
				t.Errorf("%v of %d bytes: %v", typ, n, err)
			}
		}
	}
}

func TestRoute64Strictness(t *testing.T) {
	if _, err := ParseRoute64(unhex(t, "000000000000000001")); err != ErrTLVValue {
		t.Errorf("Router ID 63: %v", err)
	}
	r, err := ParseRoute64(unhex(t, "00800000000000000001ff"))
	if err != nil || r.Routes[0].Cost != 1 {
		t.Errorf("a byte too many: %+v, %v", r, err)
	}
	if got := AppendRoute64(nil, Route64{Routers: 1}); !bytes.Equal(got, unhex(t, "0909000000000000000000")) {
		t.Errorf("append with Router ID 63: %x", got)
	}
}

func TestTLVRequest(t *testing.T) {
	b := AppendTLVRequest(nil, TLVAddress16, TLVNetworkData, TLVRoute64)
	if !bytes.Equal(b, unhex(t, "0d030a0c09")) {
		t.Fatalf("%x", b)
	}
	r, err := ParseTLVRequest(b[2:])
	if err != nil || !r.Contains(TLVRoute64) || r.Contains(TLVMode) {
		t.Errorf("%v, %v", r, err)
	}
	if got := slices.Collect(r.All()); !slices.Equal(got, []TLVType{TLVAddress16, TLVNetworkData, TLVRoute64}) {
		t.Errorf("All: %v", got)
	}
}

func TestAddressRegistration(t *testing.T) {
	entries := []AddressEntry{
		{IID: [8]byte{0x47, 0x3a, 0x3e, 0x31, 0xda, 0xc3, 0x3a, 0x16}},
		{ContextID: 3, IID: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}},
		{Addr: netip.MustParseAddr("2001:db8::1")},
	}
	b := AppendAddressRegistration(nil, entries...)
	want := unhex(t, "1323"+"80473a3e31dac33a16"+"830102030405060708"+"0020010db8000000000000000000000001")
	if !bytes.Equal(b, want) {
		t.Fatalf("append: %x, want %x", b, want)
	}
	r, err := ParseAddressRegistration(b[2:])
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(r.All()); !slices.Equal(got, entries) {
		t.Errorf("All: %v", got)
	}
	for n := range len(b) - 2 {
		_, err := ParseAddressRegistration(b[2 : 2+n])
		if valid := n == 0 || n == 9 || n == 18; valid != (err == nil) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestTable(t *testing.T) {
	for typ := range TLVThreadDiscovery + 1 {
		if !typ.Known() || typ.String() == "" || tlvTypes[typ].Min > tlvTypes[typ].Max {
			t.Errorf("type %d: %q, %d to %d bytes", typ, typ, tlvTypes[typ].Min, tlvTypes[typ].Max)
		}
	}
	if s := TLVType(200).String(); s != "TLV 200" {
		t.Error(s)
	}
	for c := range DiscoveryResponse + 1 {
		if c.String() == "" {
			t.Errorf("command %d has no name", c)
		}
	}
	if s := Command(99).String(); s != "Command 99" {
		t.Error(s)
	}
	if s := (ModeRxOnWhenIdle | ModeFullThreadDevice).String(); s != "rd" || Mode(0).String() != "-" {
		t.Error(s)
	}
}

func TestMessage(t *testing.T) {
	b := AppendCommand(nil, ParentRequest)
	b = AppendMode(b, ModeRxOnWhenIdle)
	b = AppendTLV(b, 77, []byte{1, 2, 3}) // of a later version
	b = append(b, byte(TLVTimeout), 1, 9) // malformed
	b = AppendScanMask(b, ScanRouters)
	m, err := ParseMessage(b)
	if err != nil || m.Command != ParentRequest {
		t.Fatalf("%+v, %v", m, err)
	}
	if mode, err := m.Mode(); err != nil || mode != ModeRxOnWhenIdle {
		t.Errorf("Mode: %v, %v", mode, err)
	}
	if mask, err := m.ScanMask(); err != nil || !mask.Has(ScanRouters) || mask.Has(ScanEndDevices) {
		t.Errorf("ScanMask behind an unknown TLV: %v, %v", mask, err)
	}
	if _, err := m.Version(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Version: %v", err)
	}
	if _, err := m.Timeout(); !errors.Is(err, ErrTLVLength) {
		t.Errorf("Timeout: %v", err)
	}
	if v, ok := m.Find(77); !ok || !bytes.Equal(v, []byte{1, 2, 3}) || !m.Has(TLVTimeout) || m.Has(TLVVersion) {
		t.Errorf("Find: %x, %v", v, ok)
	}
	if again, _ := m.AppendBinary(nil); !bytes.Equal(again, b) {
		t.Errorf("AppendBinary: %x, want %x", again, b)
	}
	for n := range len(b) {
		whole := n == 1 || n == 4 || n == 9 || n == 12
		if _, err := ParseMessage(b[:n]); whole != (err == nil) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestChallengeEquality(t *testing.T) {
	c := NewChallenge([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	m, err := ParseMessage(AppendResponse(AppendCommand(nil, LinkAccept), c))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Response(); err != nil || r != c || r.IsZero() {
		t.Errorf("%v, %v", r, err)
	}
	if short := challenge(t, "01020304"); short == challenge(t, "0102030400") {
		t.Error("challenges of different lengths are equal")
	}
	if !(Challenge{}).IsZero() || c.String() != "0102030405060708" {
		t.Error(c)
	}
}
