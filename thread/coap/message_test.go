package coap

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func token(t testing.TB, s string) Token {
	t.Helper()
	tok, err := NewToken(unhex(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func path(t testing.TB, s string) Options {
	t.Helper()
	o, err := Options(nil).AppendURIPath(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// messageTests are a message a line: two of RFC 7252 appendix A, then some recorded from Pymesh's engine.
func messageTests(t testing.TB) []struct {
	hex  string
	path string
	want Message
} {
	return []struct {
		hex  string
		path string
		want Message
	}{
		{"40017d34bb74656d7065726174757265", "temperature",
			Message{Type: Confirmable, Code: GET, MessageID: 0x7d34, Options: path(t, "temperature")}},
		{"60457d34ff32322e332043", "",
			Message{Type: Acknowledgement, Code: Content, MessageID: 0x7d34, Payload: []byte("22.3 C")}},
		{"60007d34", "", Message{Type: Acknowledgement, MessageID: 0x7d34}},
		{"70007d34", "", Message{Type: Reset, MessageID: 0x7d34}},
		{"42029f3e515cb161026173ff010870b3d54990000002040102", "a/as",
			Message{Type: Confirmable, Code: POST, MessageID: 0x9f3e, Token: token(t, "515c"), Options: path(t, "a/as"),
				Payload: unhex(t, "010870b3d54990000002040102")}},
		{"62449f3e515cff04010002023c000709d30001800000000000", "",
			Message{Type: Acknowledgement, Code: Changed, MessageID: 0x9f3e, Token: token(t, "515c"),
				Payload: unhex(t, "04010002023c000709d30001800000000000")}},
		{"5002cef2b161026171ff0010fddead00beef0000473a3e31dac33a16", "a/aq",
			Message{Type: NonConfirmable, Code: POST, MessageID: 0xcef2, Options: path(t, "a/aq"),
				Payload: unhex(t, "0010fddead00beef0000473a3e31dac33a16")}},
		{"60449f3c", "", Message{Type: Acknowledgement, Code: Changed, MessageID: 0x9f3c}},
		{"4201d5e845ffbd00746573742d7265736f75726365", "test-resource",
			Message{Type: Confirmable, Code: GET, MessageID: 0xd5e8, Token: token(t, "45ff"), Options: path(t, "test-resource")}},
		{"6245d5e845ffff30", "",
			Message{Type: Acknowledgement, Code: Content, MessageID: 0xd5e8, Token: token(t, "45ff"), Payload: []byte("0")}},
	}
}

func TestMessagesBothDirections(t *testing.T) {
	for _, tt := range messageTests(t) {
		wire := unhex(t, tt.hex)
		got, err := ParseMessage(wire)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", tt.hex, got, err, tt.want)
		}
		if got.Options.URIPath() != tt.path {
			t.Errorf("%s: path %q, want %q", tt.hex, got.Options.URIPath(), tt.path)
		}
		if b, err := tt.want.AppendBinary(nil); err != nil || !bytes.Equal(b, wire) {
			t.Errorf("AppendBinary: %x, %v\nwant %s", b, err, tt.hex)
		}
	}
}

func TestMessagesTruncationLadder(t *testing.T) {
	for _, tt := range messageTests(t) {
		wire := unhex(t, tt.hex)
		var valid []int
		if tt.want.Code != Empty {
			n := headerSize + tt.want.Token.Len()
			valid = append(valid, n)
			for number, value := range tt.want.Options.All() {
				_ = number
				n += 1 + len(value)
				if len(value) >= extended1Base {
					n++
				}
				valid = append(valid, n)
			}
			for i := range tt.want.Payload {
				valid = append(valid, n+2+i)
			}
		}
		for n := range len(wire) {
			if _, err := ParseMessage(wire[:n]); (err == nil) != slices.Contains(valid, n) {
				t.Errorf("%s cut to %d bytes: %v", tt.hex, n, err)
			}
		}
	}
}

func TestParseMessageRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"version 0":                  "00017d34",
		"version 2":                  "80017d34",
		"token of 9":                 "49017d34010203040506070809",
		"token of 15":                "4f017d34" + strings.Repeat("00", 15),
		"empty with token":           "41007d3401",
		"empty with payload":         "40007d34ff01",
		"marker without payload":     "40017d34ff",
		"delta 15":                   "40017d34f0",
		"length 15":                  "40017d340f" + strings.Repeat("00", 15),
		"number above 65535":         "40017d34e0ffffe0ffff",
		"extended length cut":        "40017d340d",
		"extended length of 2 cut":   "40017d340e00",
		"option beyond the datagram": "40017d34b5616263",
	} {
		if m, err := ParseMessage(unhex(t, s)); err != ErrFormat {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestOptions(t *testing.T) {
	long, longer := make([]byte, 269), make([]byte, 13)
	tests := []struct {
		hex    string
		number OptionNumber
		value  []byte
	}{
		{"b0", 11, []byte{}},
		{"c12a", 12, []byte{42}},
		{"d000", 13, []byte{}},
		{"d1ff01", 268, []byte{1}},
		{"e00000", 269, []byte{}},
		{"e0fef2", 65535, []byte{}},
		{"1d00" + hex.EncodeToString(longer), 1, longer},
		{"1e0000" + hex.EncodeToString(long), 1, long},
	}
	for _, tt := range tests {
		wire := unhex(t, tt.hex)
		o, err := Options(nil).Append(tt.number, tt.value)
		if err != nil || !bytes.Equal(o, wire) {
			t.Errorf("option %d: %x, %v, want %s", tt.number, []byte(o), err, tt.hex)
		}
		if v, ok := Options(wire).Find(tt.number); !ok || !bytes.Equal(v, tt.value) {
			t.Errorf("%s: %x, %v", tt.hex, v, ok)
		}
	}
}

func TestOptionsOrder(t *testing.T) {
	o := path(t, "a/as")
	o, err := o.AppendUint(OptionContentFormat, ContentFormatOctetStream)
	if err != nil {
		t.Fatal(err)
	}
	if o, err = o.AppendUint(OptionAccept, 0); err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "b161026173"+"112a"+"50"); !bytes.Equal(o, want) {
		t.Errorf("%x, want %x", []byte(o), want)
	}
	if same, err := o.Append(OptionURIPath, []byte("x")); err != ErrOption || !bytes.Equal(same, o) {
		t.Errorf("%x, %v", []byte(same), err)
	}
	if _, err := Options(nil).AppendURIPath(strings.Repeat("x", 256)); err != ErrOption {
		t.Error(err)
	}
	if _, err := o.AppendURIPath("x"); err != ErrOption {
		t.Error(err)
	}
	if o, err := Options(nil).AppendURIPath(""); err != nil || o != nil {
		t.Error(o, err)
	}
	if _, err := Options(nil).Append(1, make([]byte, maxOptionLength+1)); err != ErrOption {
		t.Error(err)
	}
	for v, want := range map[OptionNumber]uint32{OptionContentFormat: 42, OptionAccept: 0} {
		if got, ok := o.Uint(v); !ok || got != want {
			t.Errorf("option %d: %d, %v", v, got, ok)
		}
	}
	if v, ok := Options(unhex(t, "6501020304c5")).Uint(OptionObserve); ok {
		t.Error("5 bytes:", v)
	}
	if v, ok := o.Uint(OptionMaxAge); ok {
		t.Error(v)
	}
	big, _ := Options(nil).AppendUint(OptionMaxAge, 0x01020304)
	if v, ok := big.Uint(OptionMaxAge); !ok || v != 0x01020304 {
		t.Errorf("%x, %v", v, ok)
	}
}

func TestPathWithEmptySegment(t *testing.T) {
	for _, s := range []string{"a", "a/", "/a", "a//b"} {
		if got := path(t, s).URIPath(); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestNames(t *testing.T) {
	if Changed.String() != "2.04" || POST.String() != "0.02" || ProxyingNotSupported.String() != "5.05" {
		t.Error(Changed, POST, ProxyingNotSupported)
	}
	if Confirmable.String()+NonConfirmable.String()+Acknowledgement.String()+Reset.String() != "CONNONACKRST" || Type(9).String() != "type 9" {
		t.Error("types")
	}
	if !POST.IsRequest() || Empty.IsRequest() || Changed.IsRequest() || !Changed.IsResponse() || POST.IsResponse() ||
		Code(6<<5).IsResponse() || !Content.IsSuccess() || NotFound.IsSuccess() {
		t.Error("classes")
	}
	if s := token(t, "515c").String(); s != "515c" {
		t.Error(s)
	}
	if _, err := NewToken(make([]byte, 9)); err != ErrToken {
		t.Error(err)
	}
}

func TestNoAllocations(t *testing.T) {
	wire := unhex(t, "42029f3e515cb161026173ff010870b3d54990000002040102")
	out := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		m, err := ParseMessage(wire)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Options.Find(OptionURIPath); !ok {
			t.Fatal("no path")
		}
		out, _ = m.AppendBinary(out[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseMessage(b *testing.B) {
	wire := unhex(b, "42029f3e515cb161026173ff010870b3d54990000002040102")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMessage(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, tt := range messageTests(f) {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		if again, _ := m.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
		var o Options
		for number, value := range m.Options.All() {
			if o, err = o.Append(number, value); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(o, m.Options) { // every option has one form only
			t.Fatalf("%x became %x", []byte(m.Options), []byte(o))
		}
	})
}
