package ieee802154

import (
	"bytes"
	"errors"
	"testing"
)

// Key and sender of the examples of annex C.2.
var (
	annexCKey = [KeySize]byte{
		0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
		0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
	}
	annexCSource = ExtAddr{0xac, 0xde, 0x48, 0, 0, 0, 0, 1}
)

func TestAnnexC(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		level                 SecurityLevel
		header, plain, sealed string
	}{
		{
			"C.2.1 beacon", SecurityMIC64,
			"08d0 84 2143 010000000048deac 02 05000000", "55cf0000 51525354",
			"55cf0000 51525354 223bc1ec841ab553",
		},
		{
			"C.2.2 data", SecurityENC,
			"69dc 84 2143 020000000048deac 010000000048deac 04 05000000", "61626364",
			"d43e022b",
		},
		{
			"C.2.3 MAC command", SecurityENCMIC64,
			"2bdc 84 2143 020000000048deac ffff 010000000048deac 06 05000000 01", "ce",
			"d8 4fde529061f9c6f1",
		},
	} {
		want := psdu(t, tt.header+tt.sealed)
		plain := unhex(t, tt.plain)
		ccm := NewCCM(annexCKey)

		f, err := ParseFrame(want)
		if err != nil {
			t.Errorf("%s: ParseFrame: %v", tt.name, err)
			continue
		}
		if f.Security.Level != tt.level || f.Security.FrameCounter != 5 || f.Src.Ext != annexCSource {
			t.Errorf("%s: ParseFrame = %+v", tt.name, f)
		}
		if got, err := f.Open(nil, want, ccm, annexCSource); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: Open = %x, %v, want %x", tt.name, got, err, plain)
		}
		f.Payload = plain
		if got, err := f.AppendSealed(nil, ccm, annexCSource); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: AppendSealed: %v\n got %x\nwant %x", tt.name, err, got, want)
		}
	}
}

// sealTests are a frame of each type that can be secured.
var sealTests = []struct {
	name  string
	frame Frame
	open  int // bytes of the payload that are never encrypted
}{
	{
		"data",
		Frame{
			Type: Data, Version: Version2006, PANIDCompression: true, DstPAN: pan, SrcPAN: pan,
			Dst: ShortAddress(0x5800), Src: ShortAddress(0x5801),
			Payload: []byte("a payload of more than one block"),
		},
		0,
	},
	{
		"command",
		Frame{
			Type: Command, Version: Version2006, PANIDCompression: true, DstPAN: pan, SrcPAN: pan,
			Dst: ShortAddress(0x5800), Src: ShortAddress(0x5801), Command: DataRequest,
			Payload: []byte("xyz"),
		},
		0,
	},
	{
		"command without payload",
		Frame{
			Type: Command, Version: Version2006, PANIDCompression: true, DstPAN: pan, SrcPAN: pan,
			Dst: ShortAddress(0x5800), Src: ShortAddress(0x5801), Command: DataRequest,
			Payload: []byte{},
		},
		0,
	},
	{
		"beacon with GTS and pending addresses",
		Frame{
			Type: Beacon, Version: Version2006, SrcPAN: pan, Src: ExtAddress(extA),
			Payload: []byte("\xff\x0f\x01\x00GTS\x11sseeeeeeeebeacon payload"),
		},
		18,
	},
}

// TestSealLevels secures frames of every type at every level with every kind of
// key identifier.
func TestSealLevels(t *testing.T) {
	ccm := NewCCM(annexCKey)
	for _, tt := range sealTests {
		for level := SecurityMIC32; level <= SecurityENCMIC128; level++ {
			for mode := KeyIDModeImplicit; mode <= KeyIDModeSource8; mode++ {
				f := tt.frame
				f.Security = SecurityHeader{Level: level, KeyIDMode: mode, FrameCounter: 7}
				psdu, err := f.AppendSealed([]byte("dst"), ccm, extA)
				if err != nil {
					t.Errorf("%s: %v, mode %d: AppendSealed: %v", tt.name, level, mode, err)
					continue
				}
				psdu = psdu[3:]
				if len(psdu) != f.Overhead()+len(f.Payload) || !FCSValid(psdu) {
					t.Errorf("%s: %v, mode %d: %d bytes, FCS valid %v", tt.name, level, mode, len(psdu), FCSValid(psdu))
				}
				inClear := tt.open
				if !level.Encrypts() {
					inClear = len(f.Payload)
				}
				sent := psdu[f.HeaderSize():]
				if !bytes.Equal(sent[:inClear], f.Payload[:inClear]) {
					t.Errorf("%s: %v, mode %d: open payload is %x", tt.name, level, mode, sent[:inClear])
				}
				if n := len(f.Payload); n-inClear > 2 && bytes.Equal(sent[inClear:n], f.Payload[inClear:]) {
					t.Errorf("%s: %v, mode %d: payload is not encrypted", tt.name, level, mode)
				}
				checkOpen(t, psdu, &tt.frame, ccm)
			}
		}
	}
}

// checkOpen opens psdu to other memory and in place, compares with the frame
// that was sealed, and then alters psdu, which must fail if there is a MIC.
func checkOpen(t *testing.T, psdu []byte, sealed *Frame, ccm *CCM) {
	t.Helper()
	f, err := ParseFrame(psdu)
	if err != nil {
		t.Errorf("%s: ParseFrame: %v", sealed.Type, err)
		return
	}
	got, err := f.Open([]byte("dst"), psdu, ccm, extA)
	if err != nil || string(got[:3]) != "dst" || !bytes.Equal(got[3:], sealed.Payload) {
		t.Errorf("%s, %v: Open = %q, %v", sealed.Type, f.Security.Level, got, err)
	}
	altered := bytes.Clone(psdu)
	if got, err = f.Open(f.Payload[:0], psdu, ccm, extA); err != nil || !bytes.Equal(got, sealed.Payload) {
		t.Errorf("%s, %v: Open in place = %q, %v", sealed.Type, f.Security.Level, got, err)
	}
	if f.Security.Level.MICSize() == 0 {
		return
	}
	for i := range len(altered) - FCSSize {
		altered[i] ^= 0x20
		if f, err := ParseFrame(altered); err == nil && f.Security.Level != SecurityNone {
			if got, err := f.Open([]byte("dst"), altered, ccm, extA); err == nil || string(got) != "dst" {
				t.Errorf("%s, %v: Open of a frame altered at %d: %q, %v", sealed.Type, f.Security.Level, i, got, err)
			}
		}
		altered[i] ^= 0x20
	}
}

func TestSealInPlace(t *testing.T) {
	ccm := NewCCM(annexCKey)
	for _, tt := range sealTests {
		for level := SecurityMIC32; level <= SecurityENCMIC128; level++ {
			f := tt.frame
			f.Security = SecurityHeader{Level: level, KeyIDMode: KeyIDModeIndex}
			want, err := f.AppendSealed(nil, ccm, extA)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			buf := make([]byte, MaxPSDU)
			n := copy(buf[f.HeaderSize():], f.Payload)
			f.Payload = buf[f.HeaderSize():][:n]
			got, err := f.AppendSealed(buf[:0], ccm, extA)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v in place: %v\n got %x\nwant %x", tt.name, level, err, got, want)
			}
		}
	}
}

func TestSealInvalid(t *testing.T) {
	valid := sealTests[0].frame
	valid.Security = auxMode1
	for _, tt := range []struct {
		name   string
		change func(*Frame)
		want   error
	}{
		{"not secured", func(f *Frame) { f.Security.Level = SecurityNone }, ErrNotSecured},
		{"level", func(f *Frame) { f.Security.Level = 8 }, ErrSecurity},
		{"version", func(f *Frame) { f.Version = Version2015 }, ErrVersion},
		{"beacon without header", func(f *Frame) { f.Type = Beacon; f.Payload = []byte{0, 0} }, ErrTruncated},
		{"longest", func(f *Frame) { f.Payload = make([]byte, MaxPSDU-f.Overhead()) }, nil},
		{"too long", func(f *Frame) { f.Payload = make([]byte, MaxPSDU-f.Overhead()+1) }, ErrTooLong},
	} {
		f := valid
		tt.change(&f)
		got, err := f.AppendSealed([]byte("dst"), NewCCM(annexCKey), extA)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && string(got) != "dst" {
			t.Errorf("%s: AppendSealed failed and returned %x", tt.name, got)
		}
	}
}

func TestOpenInvalid(t *testing.T) {
	ccm := NewCCM(annexCKey)
	f := sealTests[0].frame
	if _, err := f.Open(nil, nil, ccm, extA); !errors.Is(err, ErrNotSecured) {
		t.Errorf("frame that is not secured: %v", err)
	}
	f.Security = auxMode1
	if _, err := f.Open(nil, make([]byte, f.Overhead()-1), ccm, extA); !errors.Is(err, ErrTruncated) {
		t.Errorf("PSDU of another frame: %v", err)
	}
	f.Type, f.Payload = Beacon, nil
	if _, err := f.Open(nil, make([]byte, f.Overhead()+1), ccm, extA); !errors.Is(err, ErrTruncated) {
		t.Errorf("beacon without header: %v", err)
	}
}

var securityHeaderTests = []struct {
	name   string
	header SecurityHeader
	hex    string
}{
	{"implicit", SecurityHeader{Level: SecurityENCMIC32, FrameCounter: 0x01020304}, "05 04030201"},
	{"index", auxMode1, "0d 04030201 01"},
	{
		"source of 4, as in MLE",
		SecurityHeader{
			Level: SecurityENCMIC32, KeyIDMode: KeyIDModeSource4, FrameCounter: 1,
			KeySource: [8]byte{0, 0, 0, 2}, KeyIndex: 3,
		},
		"15 01000000 00000002 03",
	},
	{
		"source of 8",
		SecurityHeader{
			Level: SecurityENCMIC128, KeyIDMode: KeyIDModeSource8, FrameCounter: 0xfffffffe,
			KeySource: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, KeyIndex: 0xff,
		},
		"1f feffffff 0102030405060708 ff",
	},
}

func TestSecurityHeader(t *testing.T) {
	for _, tt := range securityHeaderTests {
		want := unhex(t, tt.hex)
		got, err := tt.header.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: AppendBinary = %x, %v, want %x", tt.name, got, err, want)
		}
		if n := tt.header.Size(); n != len(want) || n > MaxSecurityHeaderSize {
			t.Errorf("%s: Size = %d, want %d", tt.name, n, len(want))
		}
		h, err := ParseSecurityHeader(append(want, "what follows"...))
		if err != nil || h != tt.header {
			t.Errorf("%s: ParseSecurityHeader = %+v, %v, want %+v", tt.name, h, err, tt.header)
		}
		for n := range len(want) {
			if _, err := ParseSecurityHeader(want[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %d of %d bytes: %v", tt.name, n, len(want), err)
			}
		}
	}
}

func TestSecurityHeaderInvalid(t *testing.T) {
	for _, h := range []SecurityHeader{{}, {Level: 8}, {Level: SecurityENC, KeyIDMode: 4}} {
		if b, err := h.AppendBinary(nil); !errors.Is(err, ErrSecurity) || len(b) != 0 {
			t.Errorf("AppendBinary of %+v = %x, %v", h, b, err)
		}
	}
	if _, err := ParseSecurityHeader(make([]byte, 5)); !errors.Is(err, ErrSecurity) {
		t.Errorf("header without security: %v", err)
	}
}

func TestNonce(t *testing.T) {
	got := Nonce(annexCSource, 0x01020304, SecurityENCMIC64)
	if want := unhex(t, "acde480000000001 01020304 06"); !bytes.Equal(got[:], want) {
		t.Errorf("Nonce = %x, want %x", got, want)
	}
}
