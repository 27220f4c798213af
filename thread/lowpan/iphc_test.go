package lowpan

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
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
	extMAC   = ieee802154.ExtAddress(ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1})
	shortMAC = ieee802154.ShortAddress(0x5800)
)

func testContexts(t testing.TB) *Contexts {
	t.Helper()
	var c Contexts
	for id, context := range map[uint8]Context{
		0:  {netip.MustParsePrefix("fdde:ad00:beef::/64"), true},
		1:  {netip.MustParsePrefix("2001:dead:beef:cafe::/64"), true},
		2:  {netip.MustParsePrefix("2001:db8:1::/48"), true},
		3:  {netip.MustParsePrefix("2001:db8:2::/64"), false},
		4:  {netip.MustParsePrefix("2001:db8:3:0:1234:5000::/84"), true},
		15: {netip.MustParsePrefix("2001:db8:4:5:6:7:8:9/128"), true},
	} {
		if err := c.Set(id, context); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

// Addresses of iphcTests, without spaces.
const (
	llExt     = "fe8000000000000072b3d54990000001" // link-local, of extMAC
	llShort   = "fe80000000000000000000fffe005800" // link-local, of shortMAC
	llOther   = "fe800000000000000123456789abcdef"
	rloc5800  = "fddead00beef0000000000fffe005800" // of shortMAC
	rloc0c00  = "fddead00beef0000000000fffe000c00"
	mlEID     = "fddead00beef00000123456789abcdef"
	allNodes  = "ff020000000000000000000000000001"
	realmAll  = "ff030000000000000000000000000001"
	globalOut = "20014860486000000000000000008888"
)

// iphcTests are compressed headers and what they stand for, with 2 bytes of payload behind. The frames come from extMAC
// and go to shortMAC.
var iphcTests = []struct {
	name, frame, datagram string
}{
	{
		"link-local, all elided (MLE multicast)",
		"7f3b 01 f0 4d4c4d4c 1234",
		"60000000 000a 11 ff" + llExt + allNodes + "4d4c4d4c 000a 1234",
	},
	{
		"link-local unicast, all elided",
		"7e33 f0 4d4c4d4c 1234",
		"60000000 000a 11 40" + llExt + llShort + "4d4c4d4c 000a 1234",
	},
	{
		"link-local, 16 and 64 bits",
		"7a21 3a 5800 0123456789abcdef",
		"60000000 0002 3a 40" + llShort + llOther,
	},
	{
		"link-local, but not in fe80::/64",
		"7a00 3a fe80000000000001 0000000000000001 fe90000000000000 0000000000000001",
		"60000000 0002 3a 40 fe80000000000001 0000000000000001 fe90000000000000 0000000000000001",
	},
	{
		"unspecified source, 48-bit multicast",
		"7b49 3a 02 01ff001234",
		"60000000 0002 3a ff 00000000000000000000000000000000 ff0200000000000000000001ff001234",
	},
	{
		"traffic class and flow label, hop limit",
		"6067 6e012345 3a 3f 0c00",
		"6b912345 0002 3a 3f" + rloc0c00 + rloc5800,
	},
	{
		"ECN and flow label, hop limit 1",
		"6967 812345 3a 0c00",
		"60212345 0002 3a 01" + rloc0c00 + rloc5800,
	},
	{
		"traffic class",
		"7267 20 3a 0c00",
		"68000000 0002 3a 40" + rloc0c00 + rloc5800,
	},
	{
		"ECN alone is a traffic class",
		"7267 c0 3a 0c00",
		"60300000 0002 3a 40" + rloc0c00 + rloc5800,
	},
	{
		"source in context 1, destination outside of all",
		"7ad0 10 3a 1122334455667788" + globalOut,
		"60000000 0002 3a 40 2001deadbeefcafe 1122334455667788" + globalOut,
	},
	{
		"destination in context 1, source link-local",
		"7a95 01 3a 0123456789abcdef 1122334455667788",
		"60000000 0002 3a 40" + llOther + "2001deadbeefcafe 1122334455667788",
	},
	{
		"both contexts, 16 bits",
		"7ae6 10 3a 0c00 0c00",
		"60000000 0002 3a 40 2001deadbeefcafe 000000fffe000c00" + rloc0c00,
	},
	{
		"context of 48 bits",
		"7ad6 20 3a 1122334455667788 0c00",
		"60000000 0002 3a 40 20010db800010000 1122334455667788" + rloc0c00,
	},
	{
		"context of 48 bits cannot tell the rest of the prefix",
		"7a06 3a 20010db800010001 1122334455667788 0c00",
		"60000000 0002 3a 40 20010db800010001 1122334455667788" + rloc0c00,
	},
	{
		"context that may not compress",
		"7a06 3a 20010db800020000 1122334455667788 0c00",
		"60000000 0002 3a 40 20010db800020000 1122334455667788" + rloc0c00,
	},
	{
		"context of 84 bits",
		"7ad6 40 3a 1234567890abcdef 0c00",
		"60000000 0002 3a 40 20010db800030000 1234567890abcdef" + rloc0c00,
	},
	{
		"context of 128 bits",
		"7af6 f0 3a 0c00",
		"60000000 0002 3a 40 20010db800040005 0006000700080009" + rloc0c00,
	},
	{
		"32-bit multicast",
		"7a5a 3a 0123456789abcdef 05 010003",
		"60000000 0002 3a 40" + mlEID + "ff050000000000000000000000010003",
	},
	{
		"8-bit group of another scope takes 32 bits",
		"7a6a 3a 0c00 03 000001",
		"60000000 0002 3a 40" + rloc0c00 + realmAll,
	},
	{
		"multicast based on the mesh-local prefix",
		"7a6c 3a 0c00 33 00 00000001",
		"60000000 0002 3a 40" + rloc0c00 + "ff330040fddead00beef000000000001",
	},
	{
		"multicast based on another prefix",
		"7a68 3a 0c00 ff3300402001deadbeefcafe00000001",
		"60000000 0002 3a 40" + rloc0c00 + "ff3300402001deadbeefcafe00000001",
	},
	{
		"multicast group 0",
		"7a68 3a 0c00 ff020000000000000000000000000000",
		"60000000 0002 3a 40" + rloc0c00 + "ff020000000000000000000000000000",
	},
	{
		"UDP, both ports 4 bits",
		"7e66 0c00 0c00 f3 12 1234",
		"60000000 000a 11 40" + rloc0c00 + rloc0c00 + "f0b1f0b2 000a 1234",
	},
	{
		"UDP, source 8 bits",
		"7e66 0c00 0c00 f2 c1 f0b2 1234",
		"60000000 000a 11 40" + rloc0c00 + rloc0c00 + "f0c1f0b2 000a 1234",
	},
	{
		"UDP, destination 8 bits",
		"7e66 0c00 0c00 f1 4d4c b2 1234",
		"60000000 000a 11 40" + rloc0c00 + rloc0c00 + "4d4cf0b2 000a 1234",
	},
	{
		"UDP of another length stays as it is",
		"7a66 11 0c00 0c00",
		"60000000 000a 11 40" + rloc0c00 + rloc0c00 + "|f0b1f0b2 0009 1234",
	},
	{
		"MPL option with padding, UDP",
		"7e6a 0c00 03 000001 e1 04 6d020007 f0 4d4c4d4c 1234",
		"60000000 0012 00 40" + rloc0c00 + realmAll + "1100 6d020007 0100 4d4c4d4c 000a 1234",
	},
	{
		"MPL option, ICMPv6",
		"7e5a 0123456789abcdef 03 000001 e0 3a 06 6d0440075800",
		"60000000 000a 00 40" + mlEID + realmAll + "3a00 6d0440075800",
	},
	{
		"padding that is not all zero stays",
		"7e6a 0c00 03 000001 e0 3a 06 6d0200070101",
		"60000000 000b 00 40" + rloc0c00 + realmAll + "3a00 6d0200070101|00",
	},
	{
		"padding of 8 bytes stays",
		"7e6a 0c00 03 000001 e0 3a 0e 6d0440075800 0106000000000000",
		"60000000 0012 00 40" + rloc0c00 + realmAll + "3a01 6d0440075800 0106000000000000",
	},
	{
		"Pad1 at the end",
		"7e6a 0c00 03 000001 e0 3a 05 6d03400700",
		"60000000 000a 00 40" + rloc0c00 + realmAll + "3a00 6d03400700 00",
	},
	{
		"nothing but padding",
		"7e6a 0c00 03 000001 e0 3a 00",
		"60000000 000a 00 40" + rloc0c00 + realmAll + "3a00 010400000000",
	},
	{
		"tunnel around UDP",
		"7e6a 0c00 03 0000fc e1 06 6d0440075800 ee 7e5a 0123456789abcdef 05 000001 f0 4d4c4d4c 1234",
		"60000000 003a 00 40" + rloc0c00 + "ff0300000000000000000000000000fc" + "2900 6d0440075800" +
			"60000000 000a 11 40" + mlEID + "ff050000000000000000000000000001" + "4d4c4d4c 000a 1234",
	},
	{
		"tunnel without options; a third IPv6 header stays as it is",
		"7e66 0c00 0c00 ee 7a33 29",
		"60000000 0052 29 40" + rloc0c00 + rloc0c00 + "60000000 002a 29 40" + llExt + llShort + "|60000000 0000 3b 40" + llExt + llShort,
	},
	{
		"tunnelled header of another length stays as it is",
		"7a66 29 0c00 0c00",
		"60000000 002a 29 40" + rloc0c00 + rloc0c00 + "|60000000 0001 3b 40" + llExt + llShort,
	},
}

// split returns the datagram of a test and how many bytes of it are compressed: those before a bar, or all but the
// payload.
func split(t testing.TB, s string) (datagram []byte, compressed int) {
	t.Helper()
	head, tail, _ := strings.Cut(s, "|")
	b := unhex(t, head)
	compressed = len(b)
	b = append(b, unhex(t, tail)...)
	return append(b, 0xca, 0xfe)[:40+int(b[4])<<8+int(b[5])], compressed
}

func TestIPHC(t *testing.T) {
	ctx := testContexts(t)
	for _, test := range iphcTests {
		t.Run(test.name, func(t *testing.T) {
			frame := unhex(t, test.frame)
			datagram, compressed := split(t, test.datagram)
			out, consumed, err := Compress([]byte{0xaa}, datagram, extMAC, shortMAC, ctx)
			if err != nil || !bytes.Equal(out[1:], frame) || consumed != compressed {
				t.Errorf("Compress = %x, %d, %v, want %x, %d", out[1:], consumed, err, frame, compressed)
			}
			full := append(frame[:len(frame):len(frame)], datagram[compressed:]...)
			for _, size := range []int{0, len(datagram)} {
				out, consumed, err = Decompress([]byte{0xaa}, full, extMAC, shortMAC, ctx, size)
				if err != nil || !bytes.Equal(out[1:], datagram[:compressed]) || consumed != len(frame) {
					t.Errorf("Decompress = %x, %d, %v, want %x, %d", out[1:], consumed, err, datagram[:compressed], len(frame))
				}
			}
			h, _, err := DecompressHeader(full, extMAC, shortMAC, ctx)
			if err != nil {
				t.Error(err)
			}
			want, _ := ip6.ParseHeader(datagram)
			want.PayloadLength = 0
			if h != want {
				t.Errorf("DecompressHeader = %+v, want %+v", h, want)
			}
			for n := range frame {
				if out, _, err := Decompress([]byte{0xaa}, frame[:n], extMAC, shortMAC, ctx, 0); !errors.Is(err, ErrTruncated) || len(out) != 1 {
					t.Errorf("Decompress of %d bytes: %x, %v", n, out, err)
				}
			}
			for n := range datagram {
				if out, _, err := Compress([]byte{0xaa}, datagram[:n], extMAC, shortMAC, ctx); !errors.Is(err, ErrSize) || len(out) != 1 {
					t.Errorf("Compress of %d bytes: %x, %v", n, out, err)
				}
			}
		})
	}
}

// TestDecompressOther tries forms that Compress does not pick.
func TestDecompressOther(t *testing.T) {
	ctx := testContexts(t)
	for _, test := range []struct {
		name, frame, datagram string
	}{
		{
			"nothing elided",
			"6000 00000000 3b 40" + rloc0c00 + rloc5800,
			"60000000 0002 3b 40" + rloc0c00 + rloc5800,
		},
		{
			"context identifiers 0",
			"7af7 00 3b",
			"60000000 0002 3b 40 fddead00beef000072b3d54990000001" + rloc5800,
		},
		{
			"compatible flag does not matter",
			"7ad7 30 3b 0123456789abcdef",
			"60000000 0002 3b 40 20010db800020000 0123456789abcdef" + rloc5800,
		},
		{
			"multicast based on context 1",
			"7aec 01 3b 0c00 33 00 00000001",
			"60000000 0002 3b 40" + rloc0c00 + "ff3300402001deadbeefcafe00000001",
		},
		{
			"destination options, Pad1 put back",
			"7e67 0c00 e6 3b 05 0503010203",
			"60000000 000a 3c 40" + rloc0c00 + rloc5800 + "3b00 0503010203 00",
		},
		{
			"padding not elided",
			"7e67 0c00 e0 3b 06 6d0200070100",
			"60000000 000a 00 40" + rloc0c00 + rloc5800 + "3b00 6d0200070100",
		},
		{
			"UDP ports in 16 bits",
			"7e67 0c00 f0 f0b1f0b2 1234",
			"60000000 000a 11 40" + rloc0c00 + rloc5800 + "f0b1f0b2 000a 1234",
		},
	} {
		frame := unhex(t, test.frame)
		datagram, _ := split(t, test.datagram)
		out, consumed, err := Decompress(nil, append(frame, 0xca, 0xfe), extMAC, shortMAC, ctx, 0)
		if err != nil || consumed != len(frame) || !bytes.Equal(append(out, 0xca, 0xfe), datagram) {
			t.Errorf("%s: %x, %d, %v, want %x", test.name, out, consumed, err, datagram)
		}
	}
}

func TestDecompressErrors(t *testing.T) {
	ctx := testContexts(t)
	tail := strings.Repeat("00", 40)
	for _, test := range []struct {
		name, frame string
		size        int
		want        error
	}{
		{"not IPHC", "41" + tail, 0, ErrUnsupported},
		{"unknown source context", "7ad7 50 3b" + tail, 0, ErrContext},
		{"unknown destination context", "7ad7 05 3b" + tail, 0, ErrContext},
		{"unknown multicast context", "7aec 05 3b" + tail, 0, ErrContext},
		{"DAC 1, DAM 00, M 0", "7a64 3b" + tail, 0, ErrMalformed},
		{"DAC 1, DAM 01, M 1", "7a6d 3b" + tail, 0, ErrMalformed},
		{"multicast that is none", "7a68 3b 0c00" + tail, 0, ErrMalformed},
		{"fragment header", "7e67 0c00 e4 3b 06" + tail, 0, ErrUnsupported},
		{"mobility header", "7e67 0c00 e8 3b 06" + tail, 0, ErrUnsupported},
		{"unknown NHC", "7e67 0c00 00" + tail, 0, ErrUnsupported},
		{"unknown NHC after options", "7e67 0c00 e1 06 6d0440075800 00" + tail, 0, ErrUnsupported},
		{"UDP without checksum", "7e67 0c00 f4 4d4c4d4c" + tail, 0, ErrUnsupported},
		{"tunnel with NH 1", "7e67 0c00 ef 7a33 3b", 0, ErrMalformed},
		{"tunnel without IPHC", "7e67 0c00 ee 41" + tail, 0, ErrUnsupported},
		{"third IPv6 header", "7e67 0c00 ee 7e33 ee 7a33 3b", 0, ErrUnsupported},
		{"datagram size below the headers", "7a67 3b 0c00", 39, ErrSize},
		{"datagram size below what is there", "7a67 3b 0c00 0000", 41, ErrSize},
		{"datagram size", "7a67 3b 0c00", 1281, ErrSize},
		{"more than a datagram", "7a67 3b 0c00" + strings.Repeat("00", 1241), 0, ErrSize},
		{"more headers than a datagram", "7e67 0c00" + strings.Repeat("e1 ff"+strings.Repeat("00", 255), 6) + "e0 3b 00", 0, ErrSize},
	} {
		out, _, err := Decompress([]byte{0xaa}, unhex(t, test.frame), extMAC, shortMAC, ctx, test.size)
		if !errors.Is(err, test.want) || len(out) != 1 {
			t.Errorf("%s: %x, %v, want %v", test.name, out, err, test.want)
		}
	}
	none := ieee802154.Addr{}
	if _, _, err := Decompress(nil, unhex(t, "7a33 3b"), none, shortMAC, ctx, 0); !errors.Is(err, ErrMalformed) {
		t.Errorf("elided source without link-layer source: %v", err)
	}
	if _, _, err := Decompress(nil, unhex(t, "7a33 3b"), extMAC, none, ctx, 0); !errors.Is(err, ErrMalformed) {
		t.Errorf("elided destination without link-layer destination: %v", err)
	}
	if _, _, err := Decompress(nil, unhex(t, "7a73 3b"), extMAC, shortMAC, &Contexts{}, 0); !errors.Is(err, ErrContext) {
		t.Errorf("without contexts: %v", err)
	}
}

func TestCompressErrors(t *testing.T) {
	b := make([]byte, 1281)
	copy(b, unhex(t, "60000000 04d9"))
	if out, _, err := Compress([]byte{1}, b, extMAC, shortMAC, testContexts(t)); !errors.Is(err, ErrSize) || len(out) != 1 {
		t.Errorf("1281 bytes: %x, %v", out, err)
	}
	datagram, _ := split(t, iphcTests[0].datagram)
	datagram[0] = 0x40
	if _, _, err := Compress(nil, datagram, extMAC, shortMAC, testContexts(t)); !errors.Is(err, ErrSize) {
		t.Errorf("version 4: %v", err)
	}
}

func TestCompressWithoutContexts(t *testing.T) {
	datagram, _ := split(t, "60000000 0002 3a 40"+rloc0c00+rloc5800)
	want := unhex(t, "7a00 3a"+rloc0c00+rloc5800)
	out, _, err := Compress(nil, datagram, ieee802154.Addr{}, ieee802154.Addr{}, &Contexts{})
	if err != nil || !bytes.Equal(out, want) {
		t.Errorf("%x, %v, want %x", out, err, want)
	}
}
