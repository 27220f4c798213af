package ieee802154

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand"
	"strings"
	"testing"
)

// unhex decodes hexadecimal digits that blanks may separate.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Packet vectors of RFC 3610 §8 whose MIC has a size that CCM* knows.
var rfc3610Vectors = []struct {
	name, key, nonce, aad, plaintext, sealed string
}{
	{
		"1", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000003020100a0a1a2a3a4a5",
		"0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
		"588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0",
	},
	{
		"2", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000004030201a0a1a2a3a4a5",
		"0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3b a091d56e10400916",
	},
	{
		"3", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000005040302a0a1a2a3a4a5",
		"0001020304050607", "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
		"51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da859657 4adaa76fbd9fb0c5",
	},
	{
		"4", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000006050403a0a1a2a3a4a5",
		"000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e",
		"a28c6865939a9a79faaa5c4c2a9d4a91cdac8c 96c861b9c9e61ef1",
	},
	{
		"5", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000007060504a0a1a2a3a4a5",
		"000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e 51e83f077d9c2d93",
	},
	{
		"6", "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "00000008070605a0a1a2a3a4a5",
		"000102030405060708090a0b", "0c0d0e0f101112131415161718191a1b1c1d1e1f20",
		"6fc1b011f006568b5171a42d953d469b2570a4bd87 405a0443ac91cb94",
	},
	{
		"13", "d7828d13b2b0bdc325a76236df93cc6b", "00412b4ea9cdbe3c9696766cfa",
		"0be1a88bace018b1", "08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
		"4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8 e78cf7cb0cddd7b3",
	},
}

func TestCCMRFC3610(t *testing.T) {
	for _, v := range rfc3610Vectors {
		ccm := NewCCM([KeySize]byte(unhex(t, v.key)))
		nonce := [NonceSize]byte(unhex(t, v.nonce))
		aad, plaintext, sealed := unhex(t, v.aad), unhex(t, v.plaintext), unhex(t, v.sealed)

		if got := ccm.Seal(nil, &nonce, aad, plaintext, 8); !bytes.Equal(got, sealed) {
			t.Errorf("vector %s: Seal = %x, want %x", v.name, got, sealed)
		}
		got, err := ccm.Open(nil, &nonce, aad, sealed, 8)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("vector %s: Open = %x, %v, want %x", v.name, got, err, plaintext)
		}
	}
}

var micSizesTested = []int{0, 4, 8, 16}

// TestCCMSizes seals and opens messages of all sizes around the blocks, to new
// memory, behind other bytes and in place.
func TestCCMSizes(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	random := func(n int) []byte {
		b := make([]byte, n)
		rng.Read(b)
		return b
	}
	ccm := NewCCM([KeySize]byte(random(KeySize)))
	nonce := [NonceSize]byte(random(NonceSize))
	for _, micLen := range micSizesTested {
		for aadLen := range 34 {
			for n := range 50 {
				aad, plaintext := random(aadLen), random(n)
				sealed := ccm.Seal(nil, &nonce, aad, plaintext, micLen)
				if len(sealed) != n+micLen {
					t.Fatalf("mic %d, aad %d, plaintext %d: sealed %d bytes", micLen, aadLen, n, len(sealed))
				}

				prefixed := ccm.Seal([]byte("dst"), &nonce, aad, plaintext, micLen)
				if string(prefixed[:3]) != "dst" || !bytes.Equal(prefixed[3:], sealed) {
					t.Fatalf("mic %d, aad %d, plaintext %d: Seal behind bytes differs", micLen, aadLen, n)
				}
				buf := append(make([]byte, 0, n+micLen), plaintext...)
				if buf = ccm.Seal(buf[:0], &nonce, aad, buf, micLen); !bytes.Equal(buf, sealed) {
					t.Fatalf("mic %d, aad %d, plaintext %d: Seal in place differs", micLen, aadLen, n)
				}

				got, err := ccm.Open([]byte("dst"), &nonce, aad, sealed, micLen)
				if err != nil || string(got[:3]) != "dst" || !bytes.Equal(got[3:], plaintext) {
					t.Fatalf("mic %d, aad %d, plaintext %d: Open: %v", micLen, aadLen, n, err)
				}
				got, err = ccm.Open(buf[:0], &nonce, aad, buf, micLen)
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Fatalf("mic %d, aad %d, plaintext %d: Open in place: %v", micLen, aadLen, n, err)
				}
			}
		}
	}
}

// TestCCMForged flips every bit of a message, its additional data and its nonce.
func TestCCMForged(t *testing.T) {
	ccm := NewCCM([KeySize]byte{1})
	nonce := [NonceSize]byte{2}
	aad := []byte("additional data")
	sealed := ccm.Seal(nil, &nonce, aad, []byte("a message of some length"), 4)

	forged := func(t *testing.T) {
		t.Helper()
		scratch := make([]byte, 3, 64)
		got, err := ccm.Open(scratch, &nonce, aad, sealed, 4)
		if !errors.Is(err, ErrAuth) || len(got) != 3 {
			t.Fatalf("Open of a forged message: %d bytes, %v", len(got), err)
		}
		if !bytes.Equal(scratch[:cap(scratch)], make([]byte, 64)) {
			t.Fatal("Open of a forged message left plaintext behind")
		}
	}
	for _, b := range [][]byte{sealed, aad, nonce[:]} {
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			forged(t)
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
	if _, err := ccm.Open(nil, &nonce, aad, sealed, 4); err != nil {
		t.Errorf("Open of the true message: %v", err)
	}
}

func TestCCMBadSizes(t *testing.T) {
	ccm := NewCCM([KeySize]byte{})
	var nonce [NonceSize]byte
	for _, tt := range []struct {
		name        string
		aad, sealed []byte
		micLen      int
	}{
		{"message shorter than MIC", nil, make([]byte, 3), 4},
		{"MIC of 5", nil, make([]byte, 10), 5},
		{"negative MIC", nil, make([]byte, 10), -4},
		{"MIC of 32", nil, make([]byte, 40), 32},
		{"long message", nil, make([]byte, MaxCCMSize+5), 4},
		{"long additional data", make([]byte, MaxCCMSize+1), make([]byte, 10), 4},
	} {
		if _, err := ccm.Open(nil, &nonce, tt.aad, tt.sealed, tt.micLen); !errors.Is(err, ErrAuth) {
			t.Errorf("%s: Open: %v", tt.name, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Seal with a MIC of 5 bytes did not panic")
		}
	}()
	ccm.Seal(nil, &nonce, nil, nil, 5)
}
