package ip6

import (
	"bytes"
	"errors"
	"testing"
)

func seed16(seed uint16, sequence uint8) MPLOption {
	o := MPLOption{Sequence: sequence}
	o.SetSeedID16(seed)
	return o
}

var mplTests = []struct {
	name     string
	hex      string // the option
	hopByHop string // in front of UDP
	want     MPLOption
}{
	{
		name:     "elided seed",
		hex:      "6d 02 00 07",
		hopByHop: "11 00 6d 02 00 07 01 00",
		want:     MPLOption{Sequence: 7},
	},
	{
		name:     "16-bit seed",
		hex:      "6d 04 40 ff 5800",
		hopByHop: "11 00 6d 04 40 ff 5800",
		want:     seed16(0x5800, 0xff),
	},
	{
		name:     "64-bit seed, M",
		hex:      "6d 0a a0 01 0102030405060708",
		hopByHop: "11 01 6d 0a a0 01 0102030405060708 01 00",
		want:     MPLOption{SeedIDLength: SeedID64, Max: true, Sequence: 1, SeedID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}},
	},
	{
		name:     "128-bit seed",
		hex:      "6d 12 c0 02 fddead00beef0000000000fffe005800",
		hopByHop: "11 02 6d 12 c0 02 fddead00beef0000000000fffe005800 01 00",
		want:     MPLOption{SeedIDLength: SeedID128, Sequence: 2, SeedID: rloc1.As16()},
	},
}

func TestMPLOption(t *testing.T) {
	for _, test := range mplTests {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			got, err := ParseMPLOption(b)
			if err != nil || got != test.want {
				t.Errorf("ParseMPLOption = %+v, %v, want %+v", got, err, test.want)
			}
			again, err := test.want.AppendBinary(nil)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("AppendBinary = %x, %v, want %x", again, err, b)
			}
			for n := range b {
				if _, err := ParseMPLOption(b[:n]); !errors.Is(err, ErrTruncated) {
					t.Errorf("ParseMPLOption of %d bytes: %v", n, err)
				}
			}
			header := unhex(t, test.hopByHop)
			again, err = test.want.AppendHopByHop(nil, ProtocolUDP)
			if err != nil || !bytes.Equal(again, header) || test.want.HopByHopSize() != len(header) {
				t.Errorf("AppendHopByHop = %x, %v, want %x", again, err, header)
			}
		})
	}
	if got := mplTests[1].want.SeedID16(); got != 0x5800 {
		t.Errorf("SeedID16 = %#x", got)
	}
}

func TestMPLOptionMalformed(t *testing.T) {
	for name, s := range map[string]string{
		"V flag":                "6d 02 10 07",
		"other type":            "6c 02 00 07",
		"longer than S says":    "6d 04 00 07 5800",
		"shorter than S says":   "6d 02 40 07 5800",
		"without control field": "6d 01 00 07",
	} {
		if _, err := ParseMPLOption(unhex(t, s)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := (MPLOption{SeedIDLength: 4}).AppendBinary(nil); !errors.Is(err, ErrRange) || len(b) != 0 {
		t.Errorf("seed id length 4: %x, %v", b, err)
	}
}

func TestOptionAction(t *testing.T) {
	for typ, want := range map[OptionType]string{
		0x05: "skip", 0x6d: "discard", 0x80: "discard and report", 0xc2: "discard and report unless multicast",
	} {
		if got := typ.Action().String(); got != want {
			t.Errorf("%#x: %q, want %q", uint8(typ), got, want)
		}
	}
	if got := OptionAction(4).String(); got != "OptionAction(4)" {
		t.Error(got)
	}
}

func TestNextOption(t *testing.T) {
	options := unhex(t, "00 01 03 000000 05 02 abcd 01 00 6d 04 40 ff 5800")
	want := []struct {
		typ    OptionType
		offset int
		data   string
	}{{0, 0, ""}, {1, 1, "000000"}, {5, 6, "abcd"}, {1, 10, ""}, {0x6d, 12, "40ff5800"}}
	next := 0
	for _, w := range want {
		var o Option
		var err error
		if o, next, err = NextOption(options, next); err != nil {
			t.Fatal(err)
		}
		if o.Type != w.typ || o.Offset != w.offset || !bytes.Equal(o.Data, unhex(t, w.data)) || o.IsPadding() != (w.typ < 2) {
			t.Errorf("option %+v, want %+v", o, w)
		}
	}
	if next != len(options) {
		t.Errorf("options end at %d", next)
	}
	for _, offset := range []int{-1, len(options), len(options) + 1} {
		if _, _, err := NextOption(options, offset); !errors.Is(err, ErrTruncated) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
	for n := 13; n < len(options); n++ {
		if _, _, err := NextOption(options[:n], 12); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestParseExtensionHeader(t *testing.T) {
	b := unhex(t, "3a 01 0000000000000000000000000000 ffff")
	h, size, err := ParseExtensionHeader(b)
	if err != nil || size != 16 || h.NextHeader != ProtocolICMPv6 || len(h.Content) != 14 {
		t.Errorf("%+v, %d, %v", h, size, err)
	}
	for n := range size {
		if _, _, err := ParseExtensionHeader(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzParseMPLOption(f *testing.F) {
	for _, test := range mplTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseMPLOption(b)
		if err != nil {
			return
		}
		again, err := o.AppendBinary(nil)
		if err != nil || len(again) > len(b) {
			t.Fatalf("%x made again: %x, %v", b, again, err)
		}
		if o2, err := ParseMPLOption(again); err != nil || o2 != o {
			t.Errorf("%+v made again: %+v, %v", o, o2, err)
		}
	})
}

func FuzzParseExtensionHeader(f *testing.F) {
	for _, test := range mplTests {
		f.Add(unhex(f, test.hopByHop))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, err := ParseExtensionHeader(b)
		if err != nil {
			return
		}
		if size > len(b) || size%8 != 0 || len(h.Content) != size-2 {
			t.Fatalf("size %d of %d, %d bytes of content", size, len(b), len(h.Content))
		}
		for next := 0; next < len(h.Content); {
			before := next
			o, after, err := NextOption(h.Content, next)
			if err != nil {
				return
			}
			if next = after; next <= before || o.Offset != before {
				t.Fatalf("option %+v ends at %d", o, next)
			}
		}
	})
}
