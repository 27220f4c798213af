package pycom

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
)

var packets = []struct {
	hex string
	p   Packet
}{
	{"10001100000000000000050c2a000568656c6c6f", Packet{Kind: KindText, Text: Text{MAC: 5, ID: 0x0c2a, Text: "hello"}}},
	{"11000a00000000000000080c2a", Packet{Kind: KindReceived, Received: Received{MAC: 8, ID: 0x0c2a}}},
	{"f400020005", Packet{Kind: KindAskInfo, Asker: 5}},
	{"f20000", Packet{Kind: KindAskNodes}},
	{"f30000", Packet{Kind: KindAskPairs}},
	{"8200060002000500 08", Packet{Kind: KindNodes, Nodes: []uint16{5, 8}}},
	{"83000700010005000 8b5", Packet{Kind: KindPairs, Pairs: []Pair{{5, 8, -75}}}},
	{"84001503000554004250000040a00000010008580004ba07",
		Packet{Kind: KindInfo, Info: Info{Role: 3, MAC: 5, RLOC16: 0x5400, Latitude: 52, Longitude: 5,
			Neighbors: []Neighbor{{MAC: 8, RLOC16: 0x5800, Role: 4, RSSI: -70, Age: 7}}}}},
}

func TestPackets(t *testing.T) {
	for _, tt := range packets {
		b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(tt.hex), []byte(" "), nil)))
		if err != nil {
			t.Fatal(tt.hex, err)
		}
		p, err := Parse(b)
		if err != nil || !reflect.DeepEqual(p, tt.p) {
			t.Errorf("%v: %+v, %v", tt.p.Kind, p, err)
		}
		if out, err := tt.p.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%v: %x, %v, want %x", tt.p.Kind, out, err, b)
		}
		for n := range b {
			if _, err := Parse(b[:n]); err == nil {
				t.Errorf("%v: %d bytes of %d are taken", tt.p.Kind, n, len(b))
			}
		}
	}
	for _, bad := range [][]byte{{0x99, 0, 0}, {0x10, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, {0x82, 0, 2, 0xff, 0xff}} {
		if p, err := Parse(bad); err == nil {
			t.Errorf("%x: %+v", bad, p)
		}
	}
}

func TestOutside(t *testing.T) {
	if b, ok := ParseExternal([]byte{0x90, 0, 2, 'h', 'i'}); !ok || string(b) != "hi" {
		t.Errorf("%q", b)
	}
	if b, ok := ParseExternal([]byte("hi")); ok || string(b) != "hi" {
		t.Errorf("%q", b)
	}
	if s, ok := ParseSignal([]byte("tkn#4f3a-77#25.5"), 2); !ok || s != (Signal{2, "4f3a-77", "25.5"}) {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"", "tkn#", "tkn#abc", "tkn##x", "tkn#a/b#x", "tkn#+#x"} {
		if s, ok := ParseSignal([]byte(bad), 2); ok {
			t.Errorf("%q: %+v", bad, s)
		}
	}
	if a := Address(netip.MustParsePrefix("fdde:ad00:beef::/64"), 0x70b3d54999990005); a != netip.MustParseAddr("fdde:ad00:beef::5") {
		t.Error(a)
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range packets {
		b, _ := tt.p.AppendBinary(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseExternal(b)
		ParseSignal(b, 1)
		p, err := Parse(b)
		if err != nil {
			return
		}
		out, err := p.AppendBinary(nil)
		if err != nil {
			return // a text that is longer than what this side sends
		}
		if _, err := Parse(out); err != nil {
			t.Errorf("%x: %+v: %v", b, p, err)
		}
	})
}
