package ieee802154

import (
	"bytes"
	"testing"
)

// FuzzParseFrame checks that a frame which parses is written as it was read,
// but for reserved bits and the FCS, and that it can be opened or fails to.
func FuzzParseFrame(f *testing.F) {
	for _, tt := range frameTests {
		f.Add(psdu(f, tt.hex))
	}
	ccm := NewCCM(annexCKey)
	for _, tt := range sealTests {
		frame := tt.frame
		frame.Security = auxMode1
		b, err := frame.AppendSealed(nil, ccm, extA)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, psdu []byte) {
		frame, err := ParseFrame(psdu)
		if err != nil {
			return
		}
		got, err := frame.AppendBinary(nil)
		if err != nil {
			t.Fatalf("AppendBinary of %+v: %v", frame, err)
		}
		const reservedBits = 0x03 // of the second byte of the frame control field
		want := bytes.Clone(psdu[:len(psdu)-FCSSize])
		want[0] &^= 0x80
		want[1] &^= reservedBits
		if frame.Security.Level != SecurityNone {
			control := frame.HeaderSize() - frame.Security.Size()
			if frame.Type == Command {
				control -= commandIDSize
			}
			want[control] &= securityLevelMask | keyIDModeMask<<keyIDModeShift
		}
		if !bytes.Equal(got, appendFCS(want, 0)) {
			t.Fatalf("AppendBinary of %+v\n got %x\nwant %x", frame, got, psdu)
		}
		if frame.Security.Level != SecurityNone {
			if plain, err := frame.Open(nil, psdu, ccm, extA); err == nil && frame.Overhead()+len(plain) != len(psdu) {
				t.Fatalf("Open: %d bytes of %d with overhead %d", len(plain), len(psdu), frame.Overhead())
			}
		}
	})
}

func FuzzParseSecurityHeader(f *testing.F) {
	for _, tt := range securityHeaderTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseSecurityHeader(b)
		if err != nil {
			return
		}
		got, err := h.AppendBinary(nil)
		if err != nil || len(got) != h.Size() || !bytes.Equal(got[1:], b[1:len(got)]) {
			t.Fatalf("AppendBinary of %+v = %x, %v, want %x", h, got, err, b)
		}
	})
}

func FuzzParseBeaconPayload(f *testing.F) {
	for _, tt := range beaconTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseBeaconPayload(b)
		if err != nil {
			return
		}
		got, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatalf("AppendBinary of %+v: %v", p, err)
		}
		if again, err := ParseBeaconPayload(got); err != nil || again != p {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}
