package netdata

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Network data recorded from Pymesh's engine.
var recorded = []string{
	"08040b021d50", // commissioning data alone
	"08040b021d50" + "0314" + "00402001deadbeefcafe" + "07021140" + "050488003300",                           // prefix
	"08040b021d50" + "0318" + "00402001deadbeefcafe" + "07021140" + "050888003300b800f300",                   // two routers
	"08040b021d50" + "030e" + "00402001deadbeefcafe" + "07020140",                                            // withdrawn
	"030d003020010db80001" + "01031c0000",                                                                    // route
	"0b1280063131323233330d088800616162626363",                                                               // service
	"08040b021d50" + "030e00402001deadbeefcafe07020140" + "0b1280063131323233330d088800616162626363",         // all
	"030d003020010db80001" + "01031c0000" + "f0021122" + "030a003c20010db8000000f0" + "0b080000000001020a0b", // odd
}

func bytesOf(t testing.TB, v interface{ AppendBinary([]byte) ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rebuild takes network data apart down to its entries and builds it again.
func rebuild(t testing.TB, b []byte) []byte {
	t.Helper()
	var out []byte
	for e := range All(b) {
		switch e.Type {
		case TypePrefix:
			p, err := ParsePrefix(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			p.SubTLVs = rebuild(t, p.SubTLVs)
			e.Value = bytesOf(t, p)
		case TypeService:
			s, err := ParseService(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.SubTLVs = rebuild(t, s.SubTLVs)
			e.Value = bytesOf(t, s)
		case TypeServer:
			s, err := ParseServer(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = bytesOf(t, s)
		case TypeContext:
			c, err := ParseContextTLV(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = bytesOf(t, c)
		case TypeHasRoute:
			h, err := ParseHasRoute(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = nil
			for r := range h.All() {
				e.Value = append(e.Value, bytesOf(t, r)...)
			}
		case TypeBorderRouter:
			r, err := ParseBorderRouters(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			e.Value = nil
			for r := range r.All() {
				e.Value = append(e.Value, bytesOf(t, r)...)
			}
		}
		out = append(out, bytesOf(t, e)...)
	}
	return out
}

func TestRecordedBothDirections(t *testing.T) {
	for _, s := range recorded {
		wire := unhex(t, s)
		if err := Validate(wire); err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if got := rebuild(t, wire); !bytes.Equal(got, wire) {
			t.Errorf("%s became %x", s, got)
		}
	}
}

func TestTruncationLadder(t *testing.T) {
	for _, s := range recorded {
		wire := unhex(t, s)
		boundaries := []int{0}
		for rest := wire; len(rest) > 0; {
			_, next, err := Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = next
			boundaries = append(boundaries, len(wire)-len(rest))
		}
		for n := range len(wire) {
			if err := Validate(wire[:n]); (err == nil) != slices.Contains(boundaries, n) {
				t.Errorf("%s cut to %d bytes: %v", s, n, err)
			}
		}
	}
}

func TestPrefixTree(t *testing.T) {
	wire := unhex(t, recorded[2])
	var tlvs []TLV
	for e := range All(wire) {
		tlvs = append(tlvs, e)
	}
	if len(tlvs) != 2 || tlvs[0].Type != TypeCommissioningData || tlvs[0].Stable ||
		tlvs[1].Type != TypePrefix || !tlvs[1].Stable {
		t.Fatalf("%+v", tlvs)
	}
	p, err := ParsePrefix(tlvs[1].Value)
	if err != nil || p.Prefix != netip.MustParsePrefix("2001:dead:beef:cafe::/64") || p.DomainID != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	var got []BorderRouter
	for e := range All(p.SubTLVs) {
		if e.Type != TypeBorderRouter {
			continue
		}
		routers, err := ParseBorderRouters(e.Value)
		if err != nil || routers.Len() != 2 {
			t.Fatal(routers.Len(), err)
		}
		got = slices.Collect(routers.All())
	}
	flags := FlagPreferred | FlagSLAAC | FlagDefaultRoute | FlagOnMesh
	want := []BorderRouter{
		{RLOC16: 0x8800, Flags: flags},
		{RLOC16: 0xb800, Preference: PreferenceLow, Flags: flags},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !flags.Has(FlagSLAAC|FlagOnMesh) || flags.Has(FlagDHCP) {
		t.Error(flags)
	}
}

func TestContexts(t *testing.T) {
	prefix := netip.MustParsePrefix("2001:dead:beef:cafe::/64")
	for i, want := range [][]Context{
		nil,
		{{ID: 1, Prefix: prefix, Compress: true, Stable: true}},
		{{ID: 1, Prefix: prefix, Compress: true, Stable: true}},
		{{ID: 1, Prefix: prefix, Stable: true}},
	} {
		if got := slices.Collect(Contexts(unhex(t, recorded[i]))); !slices.Equal(got, want) {
			t.Errorf("%s: %+v", recorded[i], got)
		}
	}
	for _, s := range []string{
		"030e00402001deadbeefcafe07021141",   // a context longer than its prefix
		"030f00402001deadbeefcafe0703114000", // a byte too many
		"0302008107021140",                   // a prefix longer than an address
	} {
		if got := slices.Collect(Contexts(unhex(t, s))); got != nil {
			t.Errorf("%s: %+v", s, got)
		}
	}
}

func TestPrefixLengths(t *testing.T) {
	for bits := range 129 {
		p := Prefix{Prefix: netip.PrefixFrom(netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), bits).Masked()}
		b := bytesOf(t, p)
		if want := 2 + (bits+7)/8; len(b) != want {
			t.Errorf("/%d takes %d bytes, want %d", bits, len(b), want)
		}
		got, err := ParsePrefix(b)
		if err != nil || got.Prefix != p.Prefix || len(got.SubTLVs) != 0 {
			t.Errorf("/%d: %+v, %v", bits, got, err)
		}
	}
	// Bits beyond the length are dropped.
	if p, err := ParsePrefix(unhex(t, "003c20010db8000000ff")); err != nil || p.Prefix != netip.MustParsePrefix("2001:db8:0:f0::/60") {
		t.Errorf("%v, %v", p.Prefix, err)
	}
}

func TestEntries(t *testing.T) {
	h, err := ParseHasRoute(unhex(t, "1c0000b80040fffec0fffe80"))
	want := []Route{
		{RLOC16: 0x1c00},
		{RLOC16: 0xb800, Preference: PreferenceHigh},
		{RLOC16: mle.InvalidRLOC16, Preference: PreferenceLow},
		{RLOC16: mle.InvalidRLOC16, Preference: -2},
	}
	if err != nil || h.Len() != len(want) || !slices.Equal(slices.Collect(h.All()), want) {
		t.Errorf("%+v, %v", slices.Collect(h.All()), err)
	}
	for r := range h.All() {
		if r.RLOC16 == 0xb800 {
			break
		}
	}
	for p, s := range map[Preference]string{-2: "-2", -1: "low", 0: "medium", 1: "high"} {
		if p.String() != s {
			t.Errorf("%d is %q", int(p), p)
		}
	}
	if TypeServer.String() != "Server" || Type(99).String() != "TLV 99" || !TypeHasRoute.Known() || Type(7).Known() {
		t.Error(TypeServer, Type(99))
	}
}

func TestService(t *testing.T) {
	tests := []struct {
		hex  string
		want Service
	}{
		{"80063131323233330d088800616162626363", Service{
			Enterprise: ThreadEnterprise, Data: []byte("112233"), SubTLVs: unhex(t, "0d088800616162626363")}},
		{"0f000000010101", Service{ID: 15, Enterprise: 1, Data: []byte{1}, SubTLVs: []byte{}}},
	}
	for _, tt := range tests {
		wire := unhex(t, tt.hex)
		got, err := ParseService(wire)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.hex, got, err)
		}
		if b := bytesOf(t, tt.want); !bytes.Equal(b, wire) {
			t.Errorf("AppendBinary: %x, want %s", b, tt.hex)
		}
		fixed := len(wire) - len(tt.want.SubTLVs)
		for n := range len(wire) {
			if _, err := ParseService(wire[:n]); (err == nil) != (n >= fixed) {
				t.Errorf("%s cut to %d bytes: %v", tt.hex, n, err)
			}
		}
	}
	if s, err := ParseServer(unhex(t, "8800616162")); err != nil || s.RLOC16 != 0x8800 || string(s.Data) != "aab" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := ParseServer([]byte{1}); err != ErrValue {
		t.Error(err)
	}
}

func TestAppendRefuses(t *testing.T) {
	dst := []byte{1}
	for _, v := range []interface{ AppendBinary([]byte) ([]byte, error) }{
		TLV{Type: TypePrefix, Value: make([]byte, 256)},
		TLV{Type: 0x80},
		Prefix{},
		Prefix{Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		Service{Data: make([]byte, 256)},
	} {
		if b, err := v.AppendBinary(dst); err == nil || !bytes.Equal(b, dst) {
			t.Errorf("%T: %x, %v", v, b, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	wire := unhex(t, recorded[6])
	n := 0
	if allocs := testing.AllocsPerRun(100, func() {
		for c := range Contexts(wire) {
			n += int(c.ID)
		}
	}); allocs != 0 || n == 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzValidate(f *testing.F) {
	for _, s := range recorded {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for range Contexts(b) {
		}
		if Validate(b) != nil {
			return
		}
		// What is dropped on the way, reserved bits, must not change what is read.
		once := rebuild(t, b)
		if err := Validate(once); err != nil {
			t.Fatalf("%x became %x: %v", b, once, err)
		}
		if twice := rebuild(t, once); !bytes.Equal(once, twice) {
			t.Fatalf("%x became %x, then %x", b, once, twice)
		}
	})
}
