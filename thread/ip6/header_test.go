package ip6

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// unhex decodes hexadecimal digits; spaces separate the fields.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	rloc0 = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:0")
	rloc1 = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:5800")
)

var headerTests = []struct {
	name string
	hex  string
	want Header
}{
	{
		name: "echo request to an RLOC",
		hex:  "60000000 0010 3a 40 fddead00beef0000000000fffe000000 fddead00beef0000000000fffe005800",
		want: Header{PayloadLength: 16, NextHeader: ProtocolICMPv6, HopLimit: 64, Src: rloc0, Dst: rloc1},
	},
	{
		name: "traffic class and flow label",
		hex:  "6b912345 ffff 00 ff 00000000000000000000000000000000 ff030000000000000000000000000001",
		want: Header{
			TrafficClass: 0xb9, FlowLabel: 0x12345, PayloadLength: 65535, HopLimit: 255,
			Src: netip.IPv6Unspecified(), Dst: RealmLocalAllNodes,
		},
	},
	{
		name: "IPv4-mapped address",
		hex:  "60000000 0000 3b 00 00000000000000000000ffff0a000001 fe80000000000000000000fffe005800",
		want: Header{
			NextHeader: ProtocolNoNext,
			Src:        netip.MustParseAddr("::ffff:10.0.0.1"), Dst: netip.MustParseAddr("fe80::ff:fe00:5800"),
		},
	},
}

func TestHeader(t *testing.T) {
	for _, test := range headerTests {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			got, err := ParseHeader(b)
			if err != nil || got != test.want {
				t.Errorf("ParseHeader = %+v, %v, want %+v", got, err, test.want)
			}
			again, err := test.want.AppendBinary([]byte{0xaa})
			if err != nil || !bytes.Equal(again[1:], b) {
				t.Errorf("AppendBinary = %x, %v, want %x", again[1:], err, b)
			}
			for n := range b {
				if _, err := ParseHeader(b[:n]); !errors.Is(err, ErrTruncated) {
					t.Errorf("ParseHeader of %d bytes: %v", n, err)
				}
			}
		})
	}
}

func TestHeaderVersion(t *testing.T) {
	b := unhex(t, headerTests[0].hex)
	for v := range byte(16) {
		b[0] = v << 4
		if _, err := ParseHeader(b); (err == nil) != (v == 6) {
			t.Errorf("version %d: %v", v, err)
		}
	}
}

func TestHeaderRange(t *testing.T) {
	good := Header{Src: rloc0, Dst: rloc1}
	for name, change := range map[string]func(*Header){
		"flow label":        func(h *Header) { h.FlowLabel = 1 << 20 },
		"negative length":   func(h *Header) { h.PayloadLength = -1 },
		"length":            func(h *Header) { h.PayloadLength = 65536 },
		"no source":         func(h *Header) { h.Src = netip.Addr{} },
		"IPv4 destination":  func(h *Header) { h.Dst = netip.MustParseAddr("10.0.0.1") },
		"no addresses":      func(h *Header) { h.Src, h.Dst = netip.Addr{}, netip.Addr{} },
		"IPv4 source alone": func(h *Header) { h.Src = netip.MustParseAddr("10.0.0.1") },
	} {
		h := good
		change(&h)
		if b, err := h.AppendBinary(nil); !errors.Is(err, ErrRange) || len(b) != 0 {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
}

// RFC 8200 §3: the hop limit is decremented by each node that forwards, and the packet discarded if it was or becomes 0.
func TestDecrementHopLimit(t *testing.T) {
	for _, tt := range []struct {
		hopLimit, left uint8
		forwarded      bool
	}{
		{0, 0, false},
		{1, 1, false},
		{2, 1, true},
		{64, 63, true},
		{255, 254, true},
	} {
		h := Header{PayloadLength: 2, NextHeader: ProtocolUDP, HopLimit: tt.hopLimit, Src: rloc0, Dst: rloc1}
		b, err := h.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, 1, 2)
		forwarded := DecrementHopLimit(b)
		h.HopLimit = tt.left
		if want, _ := h.AppendBinary(nil); forwarded != tt.forwarded || !bytes.Equal(b, append(want, 1, 2)) {
			t.Errorf("hop limit %d: %v, %x", tt.hopLimit, forwarded, b)
		}
	}
	whole := unhex(t, headerTests[0].hex)
	for n := range HeaderSize {
		b := bytes.Clone(whole[:n])
		if DecrementHopLimit(b) || !bytes.Equal(b, whole[:n]) {
			t.Errorf("%d bytes: %x", n, b)
		}
	}
}

func TestProtocolString(t *testing.T) {
	for p, want := range map[Protocol]string{
		ProtocolHopByHop: "HopByHop", ProtocolTCP: "TCP", ProtocolUDP: "UDP", ProtocolIPv6: "IPv6",
		ProtocolRouting: "Routing", ProtocolFragment: "Fragment", ProtocolICMPv6: "ICMPv6", ProtocolNoNext: "NoNext",
		ProtocolDestOptions: "DestOptions", 200: "Protocol(200)",
	} {
		if got := p.String(); got != want {
			t.Errorf("Protocol(%d) = %q, want %q", uint8(p), got, want)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, test := range headerTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			return
		}
		if again, err := h.AppendBinary(nil); err != nil || !bytes.Equal(again, b[:HeaderSize]) {
			t.Errorf("%x made again: %x, %v", b[:HeaderSize], again, err)
		}
	})
}
