package pycom

import (
	"bytes"
	"encoding/hex"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
)

// link and far are the neighbors of the board in testdata.
var (
	link = Neighbor{MAC: 8, RLOC16: 0x5800, Role: 3, RSSI: -70, Age: 7}
	far  = Neighbor{MAC: 9, RLOC16: 0x5401, Role: 2, RSSI: -101, Age: 250}
)

// packets are what the library's datagrams mean.
var packets = map[string]Packet{
	"text":          {Kind: KindText, Text: Text{MAC: 0x70b3d54999990005, ID: 12345, Text: "Hello World"}},
	"text-wrapped":  {Kind: KindText, Text: Text{MAC: 0x70b3d54999990005, ID: 70000 & 0xffff, Text: "grüße"}},
	"received":      {Kind: KindReceived, Received: Received{MAC: 8, ID: 12345}},
	"ask-info":      {Kind: KindAskInfo, About: 5},
	"info-router":   {Kind: KindInfo, Info: describe(RoleRouter)},
	"info-child":    {Kind: KindInfo, Info: Info{Role: RoleChild, MAC: 9, RLOC16: 0x5401, Link: far}},
	"ask-nodes":     {Kind: KindAskNodes},
	"nodes":         {Kind: KindNodes, Nodes: []uint16{8, 9, 5}},
	"ask-pairs":     {Kind: KindAskPairs},
	"pairs":         {Kind: KindPairs, Pairs: []Pair{{5, 9, -75}}},
	"ask-neighbors": {Kind: KindAskNeighbors},
	"neighbors":     {Kind: KindNeighbors, Info: describe(RoleRouter)},
}

func describe(role uint8) Info {
	return Info{Role: role, MAC: 5, RLOC16: 0x5400, Latitude: float64(float32(52.1)), Longitude: 5.125, Neighbors: []Neighbor{link, far}}
}

// recorded reads the library's datagrams.
func recorded(t testing.TB) map[string][]byte {
	b, err := os.ReadFile("testdata/library.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "#" {
			if all[f[0]], err = hex.DecodeString(f[1]); err != nil {
				t.Fatal(line, err)
			}
		}
	}
	return all
}

// TestLibrary reads what the library has sent, and makes the same bytes.
func TestLibrary(t *testing.T) {
	bytesOf := recorded(t)
	for name, want := range packets {
		b := bytesOf[name]
		p, err := Parse(b)
		if err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if out, err := want.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: %x, %v, want %x", name, out, err, b)
		}
		for n := range b {
			if _, err := Parse(b[:n]); err == nil {
				t.Errorf("%s: %d bytes of %d are taken", name, n, len(b))
			}
		}
	}
	for _, bad := range [][]byte{{0x99, 0, 0}, {0x10, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, {0x82, 0, 2, 0xff, 0xff}} {
		if p, err := Parse(bad); err == nil {
			t.Errorf("%x: %+v", bad, p)
		}
	}
	b := bytesOf["external"]
	if payload, ok := ParseExternal(b); !ok || string(payload) != "Hello BR" {
		t.Errorf("external: %q", payload)
	}
	if out, err := AppendExternal(nil, []byte("Hello BR")); err != nil || !bytes.Equal(out, b) {
		t.Errorf("external: %x, %v", out, err)
	}
}

func TestPositioned(t *testing.T) {
	for i, want := range map[*Info]bool{
		{Latitude: 52.1, Longitude: 5.1}: true,
		{}:                               false,
		{Latitude: float64(float32(51.45)), Longitude: 5.45313}: false,
		{Latitude: 91, Longitude: 5}:                            false,
		{Latitude: math.NaN(), Longitude: 5}:                    false,
		{Role: RoleChild, Latitude: 52.1, Longitude: 5.1}:       false,
	} {
		if i.Positioned() != want {
			t.Errorf("%+v: %v", i, !want)
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
	for _, s := range []Signal{{2, "4f3a-77", "25.5"}, {1, "t", "a#b"}} {
		b, err := AppendSignal(nil, s)
		if got, ok := ParseSignal(b, s.Number); err != nil || !ok || got != s {
			t.Errorf("%q, %v: %+v", b, err, got)
		}
	}
	if b, err := AppendSignal(nil, Signal{1, "a/b", "x"}); err == nil {
		t.Errorf("%q", b)
	}
	if a := Address(netip.MustParsePrefix("fdde:ad00:beef::/64"), 0x70b3d54999990005); a != netip.MustParseAddr("fdde:ad00:beef::5") {
		t.Error(a)
	}
}

func TestMonitor(t *testing.T) {
	text := `{"ip": 21504, "r": 3, "a": 2, "nn": 1, "nei": [[8121069065165406216, 22528, 3, -70, 300]], "l": {"lat": 52.1, "lng": 5.125}, "loRa_mac": 5}`
	i, mac, ok := ParseMonitor(text)
	want := Info{Role: RoleRouter, MAC: 5, RLOC16: 0x5400, Latitude: 52.1, Longitude: 5.125, Neighbors: []Neighbor{{0x0008, 0x5800, 3, -70, 255}}}
	if !ok || mac != 5 || !reflect.DeepEqual(i, want) {
		t.Errorf("%+v, %d, %v", i, mac, ok)
	}
	for _, bad := range []string{"", "{}", "[]", `{"loRa_mac":-1}`, `{"loRa_mac":5,"nei":[[1,-1,3,-70,7]]}`, `{"loRa_mac":5,"nei":[[1,1,3,-700,7]]}`} {
		if i, _, ok := ParseMonitor(bad); ok {
			t.Errorf("%q: %+v", bad, i)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range recorded(f) {
		f.Add(b)
	}
	f.Add([]byte("tkn#4f3a-77#25.5"))
	f.Add([]byte(`{"ip": 21504, "nei": [[8, 22528, 3, -70, 300]], "l": {"lat": 52.1, "lng": 5.125}, "loRa_mac": 5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseExternal(b)
		ParseSignal(b, 1)
		ParseMonitor(string(b))
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
