package ip6

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

const (
	hexSrc = "fddead00beef0000000000fffe000000"
	hexDst = "ff030000000000000000000000000001"
	hexUDP = "1631 1631 000a 0000 abcd"
)

var datagramTests = []struct {
	name     string
	hex      string
	protocol Protocol
	payload  string
	seed     SeedIDLength
	hasMPL   bool
	err      error
}{
	{
		name:     "UDP",
		hex:      "60000000 000a 11 40 " + hexSrc + hexDst + hexUDP,
		protocol: ProtocolUDP, payload: hexUDP,
	},
	{
		name:     "no next header",
		hex:      "60000000 0000 3b 40 " + hexSrc + hexDst,
		protocol: ProtocolNoNext,
	},
	{
		name:     "MPL, elided seed",
		hex:      "60000000 0012 00 40 " + hexSrc + hexDst + "11 00 6d 02 00 07 01 00" + hexUDP,
		protocol: ProtocolUDP, payload: hexUDP, hasMPL: true,
	},
	{
		name:     "MPL, 16-bit seed, then destination options and an atomic fragment",
		hex:      "60000000 0022 00 40 " + hexSrc + hexDst + "3c 00 6d 04 40 07 5800 2c 00 05 02 0000 01 00 11 00 0000 00000001" + hexUDP,
		protocol: ProtocolUDP, payload: hexUDP, hasMPL: true, seed: SeedID16,
	},
	{
		name:     "tunnel",
		hex:      "60000000 0030 00 40 " + hexSrc + hexDst + "29 00 6d 04 40 07 5800 60000000 0000 3b 40" + hexSrc + hexDst,
		protocol: ProtocolIPv6, payload: "60000000 0000 3b 40" + hexSrc + hexDst, hasMPL: true, seed: SeedID16,
	},
	{
		name:     "unknown option to skip",
		hex:      "60000000 0008 00 40 " + hexSrc + hexDst + "3b 00 05 04 00000000",
		protocol: ProtocolNoNext,
	},
	{
		name: "unknown option to discard",
		hex:  "60000000 0008 00 40 " + hexSrc + hexDst + "3b 00 45 04 00000000",
		err:  ErrDiscard,
	},
	{
		name: "unknown option to discard in destination options",
		hex:  "60000000 0008 3c 40 " + hexSrc + hexDst + "3b 00 c5 04 00000000",
		err:  ErrDiscard,
	},
	{
		name: "MPL option among destination options",
		hex:  "60000000 0008 3c 40 " + hexSrc + hexDst + "3b 00 6d 02 00 07 01 00",
		err:  ErrDiscard,
	},
	{
		name: "two MPL options",
		hex:  "60000000 0010 00 40 " + hexSrc + hexDst + "3b 01 6d 04 40 07 5800 6d 04 40 08 5800 01 00",
		err:  ErrMalformed,
	},
	{
		name: "MPL option with the V flag",
		hex:  "60000000 0008 00 40 " + hexSrc + hexDst + "3b 00 6d 02 10 07 01 00",
		err:  ErrMalformed,
	},
	{
		name: "second hop-by-hop header",
		hex:  "60000000 0010 00 40 " + hexSrc + hexDst + "00 00 01 04 00000000 3b 00 01 04 00000000",
		err:  ErrMalformed,
	},
	{
		name: "option beyond its header",
		hex:  "60000000 0010 00 40 " + hexSrc + hexDst + "3b 00 01 05 00000000 00000000 00000000",
		err:  ErrTruncated,
	},
	{
		name: "header beyond the datagram",
		hex:  "60000000 0008 00 40 " + hexSrc + hexDst + "3b 01 01 04 00000000",
		err:  ErrTruncated,
	},
	{
		name: "fragment",
		hex:  "60000000 0008 2c 40 " + hexSrc + hexDst + "11 00 0001 00000001",
		err:  ErrUnsupported,
	},
	{
		name: "fragment header cut",
		hex:  "60000000 0004 2c 40 " + hexSrc + hexDst + "11 00 0000",
		err:  ErrTruncated,
	},
	{
		name: "routing header with segments left",
		hex:  "60000000 0008 2b 40 " + hexSrc + hexDst + "11 00 0001 00000000",
		err:  ErrUnsupported,
	},
	{
		name: "routing header cut",
		hex:  "60000000 0008 2b 40 " + hexSrc + hexDst + "11 01 0000 00000000",
		err:  ErrTruncated,
	},
	{
		name: "payload shorter than its length",
		hex:  "60000000 000a 11 40 " + hexSrc + hexDst + "1631",
		err:  ErrLength,
	},
	{
		name: "payload longer than its length",
		hex:  "60000000 0001 11 40 " + hexSrc + hexDst + "1631",
		err:  ErrLength,
	},
}

func TestParseDatagram(t *testing.T) {
	for _, test := range datagramTests {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			d, err := ParseDatagram(b)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			payload := unhex(t, test.payload)
			if d.Protocol != test.protocol || !bytes.Equal(d.Payload, payload) || d.Offset != len(b)-len(payload) {
				t.Errorf("%v at %d: %x, want %v %x", d.Protocol, d.Offset, d.Payload, test.protocol, payload)
			}
			if d.HasMPL != test.hasMPL || d.MPL.SeedIDLength != test.seed || test.hasMPL && d.MPL.Sequence != 7 {
				t.Errorf("MPL option %v, %+v", d.HasMPL, d.MPL)
			}
			for n := range b {
				if _, err := ParseDatagram(b[:n]); err == nil {
					t.Errorf("%d bytes of %d parsed", n, len(b))
				}
			}
		})
	}
}

func FuzzParseDatagram(f *testing.F) {
	for _, test := range datagramTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDatagram(b)
		if err != nil {
			return
		}
		if d.Offset < HeaderSize || d.Offset+len(d.Payload) != len(b) {
			t.Fatalf("payload of %d bytes at %d in %d", len(d.Payload), d.Offset, len(b))
		}
		if d.HasMPL {
			b2, err := RemoveMPLOption(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			checkSamePayload(t, b2, d, false)
			return
		}
		b2, err := InsertMPLOption(nil, b, seed16(0x5800, 7))
		if errors.Is(err, ErrRange) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkSamePayload(t, b2, d, true)
	})
}

// checkSamePayload checks that b is d with or without an MPL option.
func checkSamePayload(t *testing.T, b []byte, d Datagram, hasMPL bool) {
	t.Helper()
	got, err := ParseDatagram(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if got.HasMPL != hasMPL || got.Protocol != d.Protocol || !bytes.Equal(got.Payload, d.Payload) ||
		got.Src != d.Src || got.Dst != d.Dst || got.HopLimit != d.HopLimit {
		t.Errorf("%+v became %+v", d, got)
	}
}

func TestInsertRemoveMPLOption(t *testing.T) {
	const head, tail = " 00 40 " + hexSrc + hexDst, hexUDP
	for _, test := range []struct {
		name          string
		opt           MPLOption
		without, with string
		removed       string // if not what it was
	}{
		{
			name:    "new header",
			opt:     seed16(0x5800, 7),
			without: "60000000 000a 11 40 " + hexSrc + hexDst + tail,
			with:    "60000000 0012" + head + "11 00 6d 04 40 07 5800" + tail,
		},
		{
			name:    "new header, elided seed",
			opt:     MPLOption{Sequence: 7},
			without: "60000000 000a 11 40 " + hexSrc + hexDst + tail,
			with:    "60000000 0012" + head + "11 00 6d 02 00 07 01 00" + tail,
		},
		{
			name:    "in a header with another option",
			opt:     seed16(0x5800, 7),
			without: "60000000 0012" + head + "11 00 05 04 01020304" + tail,
			with:    "60000000 001a" + head + "11 01 05 04 01020304 6d 04 40 07 5800 01 00" + tail,
			removed: "60000000 001a" + head + "11 01 05 04 01020304 01 04 00 00 0000 01 00" + tail,
		},
		{
			name:    "in a header with another option, elided seed",
			opt:     MPLOption{Sequence: 7},
			without: "60000000 0012" + head + "11 00 05 04 01020304" + tail,
			with:    "60000000 001a" + head + "11 01 05 04 01020304 6d 02 00 07 01 02 0000" + tail,
			removed: "60000000 001a" + head + "11 01 05 04 01020304 01 02 00 00 01 02 0000" + tail,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			without, with := unhex(t, test.without), unhex(t, test.with)
			got, err := InsertMPLOption([]byte{0xaa}, without, test.opt)
			if err != nil || !bytes.Equal(got[1:], with) {
				t.Errorf("InsertMPLOption = %x, %v, want %x", got[1:], err, with)
			}
			want := without
			if test.removed != "" {
				want = unhex(t, test.removed)
			}
			got, err = RemoveMPLOption([]byte{0xaa}, with)
			if err != nil || !bytes.Equal(got[1:], want) {
				t.Errorf("RemoveMPLOption = %x, %v, want %x", got[1:], err, want)
			}
			if got, err = RemoveMPLOption(nil, without); err != nil || !bytes.Equal(got, without) {
				t.Errorf("RemoveMPLOption without one = %x, %v", got, err)
			}
			if got, err = InsertMPLOption(nil, with, test.opt); !errors.Is(err, ErrMalformed) || len(got) != 0 {
				t.Errorf("second InsertMPLOption = %x, %v", got, err)
			}
			for n := range with {
				if _, err := RemoveMPLOption(nil, with[:n]); err == nil {
					t.Errorf("RemoveMPLOption of %d bytes succeeds", n)
				}
			}
		})
	}
	if b, err := InsertMPLOption([]byte{0xaa}, unhex(t, datagramTests[0].hex), MPLOption{SeedIDLength: 9}); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("bad option: %x, %v", b, err)
	}
}

func TestAppendTunnel(t *testing.T) {
	inner, err := AppendUDP(nil, Header{HopLimit: 64, Src: rloc1, Dst: netip.MustParseAddr("ff05::1")}, 1, 2, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	outer := Header{HopLimit: 64, Src: rloc0, Dst: AllMPLForwarders}
	b, err := AppendTunnel(nil, outer, seed16(0x5800, 9), inner)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDatagram(b)
	if err != nil || d.Protocol != ProtocolIPv6 || !bytes.Equal(d.Payload, inner) || d.MPL != seed16(0x5800, 9) || d.Dst != AllMPLForwarders {
		t.Errorf("%+v, %v", d, err)
	}
	if b, err := AppendTunnel([]byte{0xaa}, Header{}, MPLOption{}, inner); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("without addresses: %x, %v", b, err)
	}
	if b, err := AppendTunnel([]byte{0xaa}, outer, MPLOption{SeedIDLength: 9}, inner); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("bad option: %x, %v", b, err)
	}
}

func TestParseDatagramAllocs(t *testing.T) {
	b := unhex(t, datagramTests[3].hex)
	out := make([]byte, 0, 2*len(b))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseDatagram(b); err != nil {
			t.Fatal(err)
		}
		if _, err := RemoveMPLOption(out, b); err != nil {
			t.Fatal(err)
		}
		if _, err := AppendUDP(out, Header{Src: rloc0, Dst: rloc1}, 1, 2, b[:10]); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseDatagram(b *testing.B) {
	datagram := unhex(b, datagramTests[3].hex)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDatagram(datagram); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRFC8200_4_Transit: on its way a datagram may carry any header behind the hop-by-hop one. Its destination goes on up to what it does not
// process, which stays as it is.
func TestRFC8200_4_Transit(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		transit   Protocol // behind the hop-by-hop header
		err       error    // of the destination
		protocol  Protocol // at which the destination stops
		payload   int
	}{
		{"no headers", "60000000 0008 11 40 " + hexSrc + hexDst + "0001000200080000", 17, nil, 17, 8},
		{"fragment", "60000000 0010 2c 40 " + hexSrc + hexDst + "11 00 0001 00000001 0102030405060708", 44, ErrUnsupported, 44, 16},
		{"routing header", "60000000 0010 2b 40 " + hexSrc + hexDst + "11 00 0001 00000000 0102030405060708", 43, ErrUnsupported, 43, 16},
		{"no segments left", "60000000 0010 2b 40 " + hexSrc + hexDst + "fd 00 0000 00000000 0102030405060708", 43, nil, 253, 8},
		{"unknown destination option", "60000000 0008 3c 40 " + hexSrc + hexDst + "3b 00 8f 04 00000000", 60, ErrDiscard, 60, 8},
		{"fragment behind options", "60000000 0020 00 40 " + hexSrc + hexDst + "3c 00 01 04 00000000 2c 00 01 04 00000000 11 00 0001 00000001 0102030405060708",
			60, ErrUnsupported, 44, 16},
		{"hop-by-hop header in second place", "60000000 0010 3c 40 " + hexSrc + hexDst + "00 00 01 04 00000000 3b 00 01 04 00000000", 60, ErrMalformed, 0, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			d, err := ParseTransit(b)
			if err != nil || d.Protocol != tt.transit || d.Offset+len(d.Payload) != len(b) {
				t.Fatalf("on the way %v: %v", d.Protocol, err)
			}
			if err := d.ParseExtensions(); err != tt.err || d.Protocol != tt.protocol || len(d.Payload) != tt.payload {
				t.Errorf("at the destination %v, protocol %v, %d bytes", err, d.Protocol, len(d.Payload))
			}
			if _, err := ParseDatagram(b); err != tt.err {
				t.Errorf("as a whole %v", err)
			}
		})
	}
}
