package meshcop

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 4493 §4 and RFC 4615 §4.
func TestCMAC(t *testing.T) {
	c := newCMAC([16]byte(fromHex(t, "2b7e151628aed2a6abf7158809cf4f3c")))
	message := fromHex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0: "bb1d6929e95937287fa37d129b756746", 16: "070a16b46b4d4144f79bdd9dd04a287c", 40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		if got := c.sum(message[:n]); hex.EncodeToString(got[:]) != want {
			t.Errorf("%d bytes: %x", n, got)
		}
	}
	key, data := fromHex(t, "000102030405060708090a0b0c0d0e0fedcb"), fromHex(t, "000102030405060708090a0b0c0d0e0f10111213")
	for n, want := range map[int]string{
		18: "84a348a4a45d235babfffc0d2b4da09a", 16: "980ae87b5f4c9c5214f5b6a8455e4c2d", 10: "290d9e112edb09ee141fcf64c0b72f3d",
	} {
		if got := newCMACPRF(key[:n]).sum(data); hex.EncodeToString(got[:]) != want {
			t.Errorf("a key of %d bytes: %x", n, got)
		}
	}
}

// The example of Thread 1.1 §8.4.1.2.2.
func TestPSKc(t *testing.T) {
	got, err := PSKc("12SECRETPASSWORD34", "Test Network", [8]byte{0, 1, 2, 3, 4, 5, 6, 7})
	if err != nil || hex.EncodeToString(got[:]) != "c3f59368445a1b6106be420a706d4cc9" {
		t.Errorf("%x, %v", got, err)
	}
	for _, s := range []string{"", "12345", strings.Repeat("x", 256)} {
		if _, err := PSKc(s, "x", [8]byte{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for s, ok := range map[string]bool{
		"J01NME": true, "01234567890123456789012345678901": true, "012345678901234567890123456789012": false, "J01NM": false, "": false,
		"J0INME": false, "j01nme": false, "J01NMÉ": false, "J01 NME": false,
	} {
		if err := CheckPassword(s); (err == nil) != ok || err != nil && !errors.Is(err, ErrPassword) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestJoinerID(t *testing.T) {
	// SHA-256 of 18b4300000000002, its locally administered bit set.
	if got := JoinerID([8]byte{0x18, 0xb4, 0x30, 0, 0, 0, 0, 2}); got[0]&2 == 0 || got == JoinerID([8]byte{1}) {
		t.Errorf("%x", got)
	}
}

func TestSteeringData(t *testing.T) {
	if got := crc16([]byte("123456789"), polynomialCCITT); got != 0x31c3 { // CRC-16/XMODEM
		t.Errorf("%04x", got)
	}
	if got := crc16([]byte("123456789"), polynomialANSI); got != 0xfee8 { // CRC-16/UMTS
		t.Errorf("%04x", got)
	}
	for n := 1; n <= MaxSteeringData; n++ {
		s := make(SteeringData, n)
		in, others := 0, 0
		for i := range byte(4) {
			s.Add(JoinerID([8]byte{i}))
		}
		for i := range 256 {
			switch ok := s.Contains(JoinerID([8]byte{byte(i)})); {
			case ok && i < 4:
				in++
			case ok:
				others++
			}
		}
		if in != 4 || n == MaxSteeringData && others > 16 {
			t.Errorf("%d bytes: %d of 4, %d others", n, in, others)
		}
	}
	if any := AnySteeringData(); !any.Any() || !any.Contains([8]byte{9}) {
		t.Error("not all")
	}
	if none := SteeringData(nil); none.Any() || none.Contains([8]byte{}) || (SteeringData{0xff, 0}).Any() {
		t.Error("none")
	}
}

func TestRelayed(t *testing.T) {
	for _, r := range []Relayed{
		{Port: 1000, IID: [8]byte{1, 2}, Router: 0x0400, Datagram: []byte("hello")},
		{Port: 1000, IID: [8]byte{1, 2}, Router: 0x0400, Datagram: make([]byte, 600), KEK: [16]byte{7}, HasKEK: true},
	} {
		b, _ := r.AppendBinary(nil)
		got, err := ParseRelayed(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v, %v", got, err)
		}
		for i := range b {
			if got, err := ParseRelayed(b[:i]); err == nil && !r.HasKEK {
				t.Errorf("%d bytes: %+v", i, got)
			}
		}
	}
}

func TestEntrustment(t *testing.T) {
	e := Entrustment{
		Key: [16]byte{1}, MeshLocalPrefix: [8]byte{0xfd}, ExtendedPANID: [8]byte{3}, NetworkName: "OpenThread", KeySequence: 4,
		Dataset: fromHex(t, "0e080000000000010000"+"0410000102030405060708090a0b0c0d0e0f"+"0c0302a0f8"),
	}
	b, _ := e.AppendBinary(nil)
	if got, err := ParseEntrustment(b); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range b {
		if _, err := ParseEntrustment(b[:i]); err == nil {
			t.Errorf("%d bytes are taken", i)
		}
	}
}

func TestJoinerFinalize(t *testing.T) {
	v := Vendor{Name: "pymesh", Model: "host", Version: "1", Data: "d", ProvisioningURL: "https://example.org"}
	b := AppendJoinerFinalize(nil, v)
	if s, got, err := ParseJoinerFinalize(b); err != nil || s != StateAccept || got != v {
		t.Errorf("%v, %+v, %v", s, got, err)
	}
	long := strings.Repeat("x", 100)
	if _, got, err := ParseJoinerFinalize(AppendJoinerFinalize(nil, Vendor{long, long, long, long, long})); err != nil || len(got.Version) != 16 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "1000", "100101ff", "100101" + "2121" + strings.Repeat("00", 33)} {
		if _, _, err := ParseJoinerFinalize(fromHex(t, bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzParseJoining(f *testing.F) {
	b, _ := Relayed{Port: 1000, Datagram: []byte("x"), HasKEK: true}.AppendBinary(nil)
	f.Add(b)
	b, _ = Entrustment{NetworkName: "x"}.AppendBinary(nil)
	f.Add(b)
	f.Add(AppendJoinerFinalize(nil, Vendor{Name: "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRelayed(b); err == nil {
			again, _ := r.AppendBinary(nil)
			if got, err := ParseRelayed(again); err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("%+v, %+v, %v", r, got, err)
			}
		}
		_, _ = ParseEntrustment(b)
		_, _, _ = ParseJoinerFinalize(b)
		if len(b) > 0 && len(b) <= MaxSteeringData {
			s := SteeringData(b)
			if s.Add([8]byte{1}); !s.Contains([8]byte{1}) {
				t.Error("not in")
			}
		}
	})
}
