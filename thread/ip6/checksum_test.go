package ip6

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// slowChecksum is the definition: one's complement sum of 16-bit words (RFC 1071 §1).
func slowChecksum(h Header, payload []byte) uint16 {
	src, dst := h.Src.As16(), h.Dst.As16()
	n := len(payload)
	b := append(append([]byte{}, src[:]...), dst[:]...)
	b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 0, 0, 0, byte(h.NextHeader))
	b = append(b, payload...)
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestChecksum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 1300 {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(rng.Uint32() >> 24)
		}
		h := Header{NextHeader: ProtocolUDP, Src: rloc0, Dst: rloc1}
		if got, want := Checksum(h.Src, h.Dst, h.NextHeader, payload), slowChecksum(h, payload); got != want {
			t.Fatalf("%d bytes: %#04x, want %#04x", n, got, want)
		}
	}
	// All ones is where folding goes wrong.
	ones := make([]byte, 1280)
	for i := range ones {
		ones[i] = 0xff
	}
	h := Header{NextHeader: ProtocolUDP, Src: rloc0, Dst: rloc1}
	for n := range ones {
		if got, want := Checksum(h.Src, h.Dst, h.NextHeader, ones[:n]), slowChecksum(h, ones[:n]); got != want {
			t.Fatalf("%d ones: %#04x, want %#04x", n, got, want)
		}
	}
}

func TestVerifyChecksum(t *testing.T) {
	// An echo request of 8 bytes that a node sent.
	message := unhex(t, "80 00 0000 0001 0001 0001020304050607")
	sum := Checksum(rloc0, rloc1, ProtocolICMPv6, message)
	message[2], message[3] = byte(sum>>8), byte(sum)
	if err := VerifyICMPv6(rloc0, rloc1, message); err != nil {
		t.Error(err)
	}
	for i := range message {
		for bit := range 8 {
			message[i] ^= 1 << bit
			if err := VerifyChecksum(rloc0, rloc1, ProtocolICMPv6, message); !errors.Is(err, ErrChecksum) {
				t.Errorf("bit %d of byte %d turned over: %v", bit, i, err)
			}
			message[i] ^= 1 << bit
		}
	}
	if err := VerifyICMPv6(rloc0, rloc1, message[:3]); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

func BenchmarkChecksum(b *testing.B) {
	payload := make([]byte, 1240)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		Checksum(rloc0, rloc1, ProtocolUDP, payload)
	}
}
