package lowpan

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

func TestDispatchOf(t *testing.T) {
	counts := map[Dispatch]int{}
	for b := range 256 {
		counts[DispatchOf([]byte{byte(b)})]++
	}
	for d, want := range map[Dispatch]int{
		DispatchMesh: 64, DispatchIPHC: 32, DispatchFirstFragment: 8, DispatchSubsequentFragment: 8, DispatchUnknown: 144,
	} {
		if counts[d] != want {
			t.Errorf("%v: %d values, want %d", d, counts[d], want)
		}
	}
	if DispatchOf(nil) != DispatchUnknown {
		t.Error("no byte has a dispatch")
	}
	for d, want := range map[Dispatch]string{
		DispatchUnknown: "unknown", DispatchMesh: "MESH", DispatchFirstFragment: "FRAG1",
		DispatchSubsequentFragment: "FRAGN", DispatchIPHC: "LOWPAN_IPHC", 9: "Dispatch(9)",
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

var meshTests = []struct {
	hex  string
	want MeshHeader
}{
	{"b3 0c00 5800", MeshHeader{3, ieee802154.ShortAddress(0x0c00), shortMAC}},
	{"be 0c00 5800", MeshHeader{14, ieee802154.ShortAddress(0x0c00), shortMAC}},
	{"bf 0f 0c00 5800", MeshHeader{15, ieee802154.ShortAddress(0x0c00), shortMAC}},
	{"bf ff 0c00 5800", MeshHeader{255, ieee802154.ShortAddress(0x0c00), shortMAC}},
	{"90 70b3d54990000001 5800", MeshHeader{0, extMAC, shortMAC}},
	{"a1 5800 70b3d54990000001", MeshHeader{1, shortMAC, extMAC}},
	{"8f 10 70b3d54990000001 70b3d54990000001", MeshHeader{16, extMAC, extMAC}},
}

func TestMeshHeader(t *testing.T) {
	for _, test := range meshTests {
		b := unhex(t, test.hex)
		got, size, err := ParseMeshHeader(append(b[:len(b):len(b)], 0xff))
		if err != nil || got != test.want || size != len(b) {
			t.Errorf("ParseMeshHeader(%s) = %+v, %d, %v, want %+v", test.hex, got, size, err, test.want)
		}
		if again, err := test.want.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%+v = %x, %v, want %x", test.want, again, err, b)
		}
		for n := range b {
			if _, _, err := ParseMeshHeader(b[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%d bytes of %s: %v", n, test.hex, err)
			}
		}
	}
	if h, size, err := ParseMeshHeader(unhex(t, "bf 02 0c00 5800")); err != nil || h.HopsLeft != 2 || size != 6 {
		t.Errorf("two hops in the deep field: %+v, %d, %v", h, size, err)
	}
	if _, _, err := ParseMeshHeader([]byte{0x7f}); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	for _, h := range []MeshHeader{{}, {Src: shortMAC}, {Dst: extMAC}} {
		if b, err := h.AppendBinary(nil); !errors.Is(err, ErrRange) || len(b) != 0 {
			t.Errorf("%+v = %x, %v", h, b, err)
		}
	}
}

func FuzzParseMeshHeader(f *testing.F) {
	for _, test := range meshTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, err := ParseMeshHeader(b)
		if err != nil {
			return
		}
		again, err := h.AppendBinary(nil)
		if err != nil || size > len(b) || len(again) > size {
			t.Fatalf("%x made again: %x, %v", b, again, err)
		}
		if h2, _, err := ParseMeshHeader(again); err != nil || h2 != h {
			t.Errorf("%+v made again: %+v, %v", h, h2, err)
		}
	})
}

var fragmentTests = []struct {
	hex  string
	want FragmentHeader
}{
	{"c028 0000", FragmentHeader{DatagramSize: 40}},
	{"c500 ffff", FragmentHeader{DatagramSize: 1280, Tag: 0xffff}},
	{"e500 1234 0c", FragmentHeader{DatagramSize: 1280, Tag: 0x1234, Offset: 96}},
	{"e500 1234 9f", FragmentHeader{DatagramSize: 1280, Tag: 0x1234, Offset: 1272}},
	{"e029 1234 05", FragmentHeader{DatagramSize: 41, Tag: 0x1234, Offset: 40}},
}

func TestFragmentHeader(t *testing.T) {
	for _, test := range fragmentTests {
		b := unhex(t, test.hex)
		got, err := ParseFragmentHeader(b)
		if err != nil || got != test.want || test.want.Size() != len(b) {
			t.Errorf("ParseFragmentHeader(%s) = %+v, %v, want %+v", test.hex, got, err, test.want)
		}
		if again, err := test.want.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%+v = %x, %v, want %x", test.want, again, err, b)
		}
		for n := range b {
			if _, err := ParseFragmentHeader(b[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%d bytes of %s: %v", n, test.hex, err)
			}
		}
	}
	for s, want := range map[string]error{
		"c027 0000":    ErrMalformed, // smaller than an IPv6 header
		"c501 0000":    ErrMalformed, // larger than a datagram
		"e027 0000 01": ErrMalformed,
		"e501 0000 01": ErrMalformed,
		"e028 0000 00": ErrMalformed, // a first fragment's offset
		"e028 0000 05": ErrMalformed, // offset at the end
		"e500 0000 a0": ErrMalformed,
		"e500 0000 ff": ErrMalformed,
		"7fff ffff ff": ErrUnsupported,
		"d028 0000 00": ErrUnsupported,
		"f028 0000 00": ErrUnsupported,
	} {
		if h, err := ParseFragmentHeader(unhex(t, s)); !errors.Is(err, want) {
			t.Errorf("ParseFragmentHeader(%s) = %+v, %v, want %v", s, h, err, want)
		}
	}
	for _, h := range []FragmentHeader{{}, {DatagramSize: 39}, {DatagramSize: 1281}, {DatagramSize: 80, Offset: 4}, {DatagramSize: 80, Offset: 80}} {
		if b, err := h.AppendBinary(nil); !errors.Is(err, ErrRange) || len(b) != 0 {
			t.Errorf("%+v = %x, %v", h, b, err)
		}
	}
}

func FuzzParseFragmentHeader(f *testing.F) {
	for _, test := range fragmentTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseFragmentHeader(b)
		if err != nil {
			return
		}
		if again, err := h.AppendBinary(nil); err != nil || !bytes.Equal(again, b[:h.Size()]) {
			t.Errorf("%x made again: %x, %v", b, again, err)
		}
	})
}

func TestInterfaceID(t *testing.T) {
	for _, test := range []struct {
		addr ieee802154.Addr
		want ip6.InterfaceID
	}{
		{extMAC, ip6.InterfaceID{0x72, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1}},
		{ieee802154.ExtAddress(ieee802154.ExtAddr{7: 8}), ip6.InterfaceID{0: 2, 7: 8}},
		{shortMAC, ip6.InterfaceID{0, 0, 0, 0xff, 0xfe, 0, 0x58, 0}},
	} {
		if got, ok := InterfaceID(test.addr); !ok || got != test.want {
			t.Errorf("InterfaceID(%v) = %v, %v, want %v", test.addr, got, ok, test.want)
		}
		if got := AddrOf(test.want); got != test.addr {
			t.Errorf("AddrOf(%v) = %v, want %v", test.want, got, test.addr)
		}
	}
	if iid, ok := InterfaceID(ieee802154.Addr{}); ok {
		t.Errorf("no address has interface identifier %v", iid)
	}
}

func TestContexts(t *testing.T) {
	c := *testContexts(t)
	for _, test := range []struct {
		addr string
		id   uint8
		ok   bool
	}{
		{"fdde:ad00:beef::1", 0, true},
		{"fdde:ad00:beef:1::1", 0, false},
		{"2001:dead:beef:cafe::1", 1, true},
		{"2001:db8:1:ffff::1", 2, true},
		{"2001:db8:2::1", 3, true},
		{"2001:db8:3:0:1234:5fff::1", 4, true},
		{"2001:db8:3:0:1234:6000::1", 0, false},
		{"2001:db8:4:5:6:7:8:9", 15, true},
		{"2001:db8:4:5:6:7:8:a", 0, false},
		{"fe80::1", 0, false},
	} {
		id, context, ok := c.Lookup(netip.MustParseAddr(test.addr))
		if id != test.id || ok != test.ok || context.Prefix.IsValid() != ok {
			t.Errorf("Lookup(%s) = %d, %v, %v", test.addr, id, context, ok)
		}
	}

	for id, want := range map[uint8]string{1: "2001:dead:beef:cafe::/64", 4: "2001:db8:3:0:1234:5000::/84", 15: "2001:db8:4:5:6:7:8:9/128"} {
		if got, ok := c.Get(id); !ok || got.Prefix.String() != want || !got.Compress {
			t.Errorf("Get(%d) = %v, %v, want %s", id, got, ok, want)
		}
	}
	if got, _ := c.Get(3); got.Compress {
		t.Error("compress flag of context 3 is set")
	}

	// The longest prefix counts, even if it may not compress.
	if err := c.Set(5, Context{Prefix: netip.MustParsePrefix("2001:db8:1:2::/64")}); err != nil {
		t.Fatal(err)
	}
	if id, context, ok := c.Lookup(netip.MustParseAddr("2001:db8:1:2::1")); id != 5 || context.Compress || !ok {
		t.Errorf("longest prefix: %d, %v, %v", id, context, ok)
	}
	other := c
	if err := c.Set(5, Context{Prefix: netip.MustParsePrefix("2001:db8:9::/48")}); err != nil {
		t.Fatal(err)
	}
	if id, _, _ := c.Lookup(netip.MustParseAddr("2001:db8:1:2::1")); id != 2 {
		t.Errorf("after context 5 was set again: %d", id)
	}
	if id, _, _ := other.Lookup(netip.MustParseAddr("2001:db8:1:2::1")); id != 5 {
		t.Error("a copy of the table changes with it")
	}

	for _, bad := range []Context{{}, {Prefix: netip.MustParsePrefix("::/0")}, {Prefix: netip.MustParsePrefix("10.0.0.0/8")}} {
		if err := c.Set(1, bad); !errors.Is(err, ErrRange) {
			t.Errorf("Set(%v): %v", bad, err)
		}
	}
	if err := c.Set(16, Context{Prefix: ip6.LinkLocalPrefix}); !errors.Is(err, ErrRange) {
		t.Errorf("Set(16): %v", err)
	}
	if _, ok := c.Get(16); ok {
		t.Error("context 16 is there")
	}
}
