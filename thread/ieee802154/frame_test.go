package ieee802154

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// Addresses of nodes in the tables below.
var (
	extA = ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1}
	extB = ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 2}
)

const (
	pan         PANID = 0x1234
	testSeq           = 0x2a
	hexExtA           = "0100009049d5b370"
	hexExtB           = "0200009049d5b370"
	hexPAN            = "3412"
	hexAuxMode1       = "0d 04030201 01"
)

var auxMode1 = SecurityHeader{
	Level:        SecurityENCMIC32,
	KeyIDMode:    KeyIDModeIndex,
	FrameCounter: 0x01020304,
	KeyIndex:     1,
}

// frameTests are the kinds of frames that occur in a Thread network, without
// their FCS.
var frameTests = []struct {
	name  string
	frame Frame
	hex   string
}{
	{
		"MLE multicast",
		Frame{
			Type: Data, Version: Version2006, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte{0x7f, 0x3b},
		},
		"41d8 2a" + hexPAN + "ffff" + hexExtA + "7f3b",
	},
	{
		"MLE unicast",
		Frame{
			Type: Data, Version: Version2006, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte{0x7f, 0x3b},
		},
		"61dc 2a" + hexPAN + hexExtB + hexExtA + "7f3b",
	},
	{
		"secured extended to extended",
		Frame{
			Type: Data, Version: Version2006, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"69dc 2a" + hexPAN + hexExtB + hexExtA + hexAuxMode1 + "01020304",
	},
	{
		"secured extended to extended, pending",
		Frame{
			Type: Data, Version: Version2006, FramePending: true, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"79dc 2a" + hexPAN + hexExtB + hexExtA + hexAuxMode1 + "01020304",
	},
	{
		"secured short to short",
		Frame{
			Type: Data, Version: Version2006, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(0x5800), SrcPAN: pan, Src: ShortAddress(0x5801),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"6998 2a" + hexPAN + "0058 0158" + hexAuxMode1 + "01020304",
	},
	{
		"secured short to short, pending",
		Frame{
			Type: Data, Version: Version2006, FramePending: true, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(0x5800), SrcPAN: pan, Src: ShortAddress(0x5801),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"7998 2a" + hexPAN + "0058 0158" + hexAuxMode1 + "01020304",
	},
	{
		"secured broadcast",
		Frame{
			Type: Data, Version: Version2006, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ShortAddress(0x5801),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"4998 2a" + hexPAN + "ffff 0158" + hexAuxMode1 + "01020304",
	},
	{
		"secured broadcast, pending",
		Frame{
			Type: Data, Version: Version2006, FramePending: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ShortAddress(0x5801),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"5998 2a" + hexPAN + "ffff 0158" + hexAuxMode1 + "01020304",
	},
	{
		"secured link-local multicast",
		Frame{
			Type: Data, Version: Version2006, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ExtAddress(extA),
			Security: auxMode1, Payload: []byte{1, 2, 3, 4},
		},
		"49d8 2a" + hexPAN + "ffff" + hexExtA + hexAuxMode1 + "01020304",
	},
	{
		"data request from a short address",
		Frame{
			Type: Command, Version: Version2006, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ShortAddress(0x5800), SrcPAN: pan, Src: ShortAddress(0x5801),
			Security: auxMode1, Command: DataRequest, Payload: []byte{1, 2, 3, 4},
		},
		"6b98 2a" + hexPAN + "0058 0158" + hexAuxMode1 + "04 01020304",
	},
	{
		"data request from an extended address",
		Frame{
			Type: Command, Version: Version2006, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Security: auxMode1, Command: DataRequest, Payload: []byte{1, 2, 3, 4},
		},
		"6bdc 2a" + hexPAN + hexExtB + hexExtA + hexAuxMode1 + "04 01020304",
	},
	{
		"discovery request",
		Frame{
			Type: Data, Version: Version2006, Seq: testSeq,
			DstPAN: BroadcastPAN, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte{0x7f, 0x3b},
		},
		"01d8 2a ffff ffff" + hexPAN + hexExtA + "7f3b",
	},
	{
		"discovery response",
		Frame{
			Type: Data, Version: Version2006, AckRequest: true, Seq: testSeq,
			DstPAN: BroadcastPAN, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte{0x7f, 0x3b},
		},
		"21dc 2a ffff" + hexExtB + hexPAN + hexExtA + "7f3b",
	},
	{
		"from a joiner, pending",
		Frame{
			Type: Data, Version: Version2006, FramePending: true, AckRequest: true, PANIDCompression: true, Seq: testSeq,
			DstPAN: pan, Dst: ExtAddress(extB), SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte{0x7f, 0x3b},
		},
		"71dc 2a" + hexPAN + hexExtB + hexExtA + "7f3b",
	},
	{
		"beacon request",
		Frame{
			Type: Command, Version: Version2003, Seq: testSeq,
			DstPAN: BroadcastPAN, Dst: ShortAddress(BroadcastAddr), Command: BeaconRequest, Payload: []byte{},
		},
		"0308 2a ffff ffff 07",
	},
	{
		"beacon",
		Frame{
			Type: Beacon, Version: Version2003, Seq: testSeq,
			SrcPAN: pan, Src: ExtAddress(extA), Payload: []byte{0xff, 0x0f, 0, 0},
		},
		"00c0 2a" + hexPAN + hexExtA + "ff0f 00 00",
	},
	{
		"acknowledgment",
		Frame{Type: Ack, Version: Version2003, Seq: testSeq, Payload: []byte{}},
		"0200 2a",
	},
	{
		"acknowledgment, pending",
		Frame{Type: Ack, Version: Version2003, FramePending: true, Seq: testSeq, Payload: []byte{}},
		"1200 2a",
	},
	{
		"acknowledgment of Thread 1.4",
		Frame{Type: Ack, Version: Version2006, FramePending: true, Seq: testSeq, Payload: []byte{}},
		"1210 2a",
	},
	{
		"well-known key",
		Frame{
			Type: Data, Version: Version2006, Seq: testSeq,
			DstPAN: BroadcastPAN, Dst: ShortAddress(BroadcastAddr), SrcPAN: pan, Src: ExtAddress(extA),
			Security: SecurityHeader{
				Level: SecurityENCMIC32, KeyIDMode: KeyIDModeSource4, FrameCounter: 1,
				KeySource: [8]byte{0xff, 0xff, 0xff, 0xff}, KeyIndex: 0xff,
			},
			Payload: []byte{1, 2, 3, 4},
		},
		"09d8 2a ffff ffff" + hexPAN + hexExtA + "15 01000000 ffffffff ff 01020304",
	},
	{
		"compression bit without a destination is ignored",
		Frame{
			Type: Data, Version: Version2006, PANIDCompression: true, Seq: testSeq,
			SrcPAN: pan, Src: ShortAddress(0x5801), Payload: []byte{1},
		},
		"4190 2a" + hexPAN + "0158 01",
	},
}

// psdu returns the frame of the table entry with its FCS.
func psdu(t testing.TB, s string) []byte {
	return appendFCS(unhex(t, s), 0)
}

func TestFrame(t *testing.T) {
	for _, tt := range frameTests {
		want := psdu(t, tt.hex)
		got, err := tt.frame.AppendBinary([]byte("dst"))
		if err != nil || !bytes.Equal(got, append([]byte("dst"), want...)) {
			t.Errorf("%s: AppendBinary: %v\n got %x\nwant %x", tt.name, err, got[3:], want)
		}
		parsed, err := ParseFrame(want)
		if err != nil || !reflect.DeepEqual(parsed, tt.frame) {
			t.Errorf("%s: ParseFrame: %v\n got %+v\nwant %+v", tt.name, err, parsed, tt.frame)
		}
		if n := len(want) - FCSSize - len(tt.frame.Payload); tt.frame.HeaderSize() != n {
			t.Errorf("%s: HeaderSize = %d, want %d", tt.name, tt.frame.HeaderSize(), n)
		}
	}
}

// TestFrameTruncated cuts every frame at every size: the parser must notice
// until the header, the command identifier and the MIC are complete.
func TestFrameTruncated(t *testing.T) {
	for _, tt := range frameTests {
		full := unhex(t, tt.hex)
		least := tt.frame.Overhead() - FCSSize
		for n := range len(full) {
			_, err := ParseFrame(appendFCS(bytes.Clone(full[:n]), 0))
			if n < least && !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %d of %d bytes: %v, want %v", tt.name, n, least, err, ErrTruncated)
			}
			if n >= least && err != nil {
				t.Errorf("%s: %d of %d bytes: %v", tt.name, n, least, err)
			}
		}
	}
}

func TestParseFrameInvalid(t *testing.T) {
	for _, tt := range []struct {
		name string
		hex  string
		want error
	}{
		{"reserved type", "4498 2a 3412 0058 0158", ErrFrameType},
		{"version 2015", "41a8 2a 3412 0058 0158", ErrVersion},
		{"version 2015 with information elements", "41aa 2a 3412 0058 0158 0000", ErrVersion},
		{"reserved version", "41b8 2a 3412 0058 0158", ErrVersion},
		{"secured frame of 2003", "4988 2a 3412 0058 0158 0d04030201 01 00000000", ErrVersion},
		{"reserved destination mode", "4194 2a 3412 0058 0158", ErrAddrMode},
		{"reserved source mode", "4158 2a 3412 0058 0158", ErrAddrMode},
		{"security header without security", "4998 2a 3412 0058 0158 08 04030201 01", ErrSecurity},
		{"MIC shorter than the level's", "4998 2a 3412 0058 0158 0d 04030201 01 000000", ErrTruncated},
	} {
		if _, err := ParseFrame(psdu(t, tt.hex)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := ParseFrame(make([]byte, MaxPSDU+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("%d bytes: %v, want %v", MaxPSDU+1, err, ErrTooLong)
	}
	if _, err := ParseFrame(nil); !errors.Is(err, ErrTruncated) {
		t.Errorf("no bytes: %v, want %v", err, ErrTruncated)
	}
}

// TestParseFrameReserved sets the reserved bits of the frame control field,
// which a receiver ignores (§7.2.1.1).
func TestParseFrameReserved(t *testing.T) {
	f, err := ParseFrame(psdu(t, "c19b 2a 3412 0058 0158 01"))
	if err != nil || f.Src != ShortAddress(0x5801) {
		t.Errorf("ParseFrame = %+v, %v", f, err)
	}
}

func TestAppendBinaryInvalid(t *testing.T) {
	valid := Frame{
		Type: Data, Version: Version2006, PANIDCompression: true,
		DstPAN: pan, Dst: ShortAddress(0x5800), Src: ShortAddress(0x5801),
	}
	for _, tt := range []struct {
		name   string
		change func(*Frame)
		want   error
	}{
		{"valid", func(*Frame) {}, nil},
		{"type", func(f *Frame) { f.Type = 4 }, ErrFrameType},
		{"version", func(f *Frame) { f.Version = Version2015 }, ErrVersion},
		{"destination mode", func(f *Frame) { f.Dst.Mode = 1 }, ErrAddrMode},
		{"source mode", func(f *Frame) { f.Src.Mode = 4 }, ErrAddrMode},
		{"security level", func(f *Frame) { f.Security.Level = 8 }, ErrSecurity},
		{"key id mode", func(f *Frame) { f.Security = SecurityHeader{Level: SecurityENC, KeyIDMode: 4} }, ErrSecurity},
		{"security in 2003", func(f *Frame) { f.Security = auxMode1; f.Version = Version2003 }, ErrVersion},
		{"longest", func(f *Frame) { f.Payload = make([]byte, MaxPSDU-f.Overhead()) }, nil},
		{"too long", func(f *Frame) { f.Payload = make([]byte, MaxPSDU-f.Overhead()+1) }, ErrTooLong},
	} {
		f := valid
		tt.change(&f)
		got, err := f.AppendBinary([]byte("dst"))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && string(got) != "dst" {
			t.Errorf("%s: AppendBinary failed and returned %x", tt.name, got)
		}
	}
}

func TestAppendAck(t *testing.T) {
	for _, tt := range []struct {
		seq     uint8
		pending bool
		hex     string
	}{
		{0x2a, false, "0200 2a"},
		{0x2a, true, "1200 2a"},
		{0xff, true, "1200 ff"},
	} {
		if got, want := AppendAck(nil, tt.seq, tt.pending), psdu(t, tt.hex); !bytes.Equal(got, want) {
			t.Errorf("AppendAck(%#x, %v) = %x, want %x", tt.seq, tt.pending, got, want)
		}
	}
	if n := len(AppendAck(nil, 0, false)); n != AckSize {
		t.Errorf("an acknowledgment has %d bytes, want %d", n, AckSize)
	}
}

func TestFCS(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint16
	}{
		{"", 0},
		{"\x02\x00\x6a", 0x79e4}, // the example of §7.2.1.9
		{"123456789", 0x2189},    // the usual check value of this CRC
	} {
		if got := FCS([]byte(tt.in)); got != tt.want {
			t.Errorf("FCS(%x) = %#04x, want %#04x", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct {
		hex  string
		want bool
	}{
		{"02006a e479", true},
		{"02006a e478", false},
		{"02006b e479", false},
		{"0000", true},
		{"00", false},
		{"", false},
	} {
		if got := FCSValid(unhex(t, tt.hex)); got != tt.want {
			t.Errorf("FCSValid(%s) = %v, want %v", tt.hex, got, tt.want)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, tt := range []struct {
		got  interface{ String() string }
		want string
	}{
		{Beacon, "beacon"}, {Data, "data"}, {Ack, "ack"}, {Command, "command"}, {FrameType(5), "type 5"},
		{Version2003, "2003"}, {Version2006, "2006"}, {Version2015, "2015"}, {Version(3), "version 3"},
		{AssociationRequest, "association request"}, {AssociationResponse, "association response"},
		{DisassociationNotification, "disassociation notification"}, {DataRequest, "data request"},
		{PANIDConflictNotification, "PAN ID conflict notification"}, {OrphanNotification, "orphan notification"},
		{BeaconRequest, "beacon request"}, {CoordinatorRealignment, "coordinator realignment"},
		{GTSRequest, "GTS request"}, {CommandID(10), "command 10"},
		{AddrModeNone, "none"}, {AddrModeShort, "short"}, {AddrModeExt, "ext"}, {AddrMode(1), "mode 1"},
		{SecurityNone, "none"}, {SecurityMIC32, "MIC-32"}, {SecurityMIC64, "MIC-64"}, {SecurityMIC128, "MIC-128"},
		{SecurityENC, "ENC"}, {SecurityENCMIC32, "ENC-MIC-32"}, {SecurityENCMIC64, "ENC-MIC-64"},
		{SecurityENCMIC128, "ENC-MIC-128"}, {SecurityLevel(8), "level 8"},
		{pan, "0x1234"}, {ShortAddr(0x5800), "0x5800"}, {extA, "70b3d54990000001"},
		{Addr{}, "none"}, {ShortAddress(1), "0x0001"}, {ExtAddress(extA), "70b3d54990000001"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("String of %#v = %q, want %q", tt.got, got, tt.want)
		}
	}
}

func TestParseExtAddr(t *testing.T) {
	for _, s := range []string{"70b3d54990000001", "70B3D54990000001"} {
		if got, err := ParseExtAddr(s); err != nil || got != extA {
			t.Errorf("ParseExtAddr(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "70b3d5499000000", "70b3d549900000010", "70b3d5499000000g"} {
		if got, err := ParseExtAddr(s); err == nil {
			t.Errorf("ParseExtAddr(%q) = %v, want an error", s, got)
		}
	}
}

func TestAddr(t *testing.T) {
	for _, tt := range []struct {
		addr            Addr
		none, broadcast bool
	}{
		{Addr{}, true, false},
		{ShortAddress(0x5800), false, false},
		{ShortAddress(BroadcastAddr), false, true},
		{ShortAddress(NoShortAddr), false, false},
		{ExtAddress(extA), false, false},
	} {
		if tt.addr.IsNone() != tt.none || tt.addr.IsBroadcast() != tt.broadcast {
			t.Errorf("%v: IsNone = %v, IsBroadcast = %v", tt.addr, tt.addr.IsNone(), tt.addr.IsBroadcast())
		}
	}
}
