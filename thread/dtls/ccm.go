package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
)

// Fixed by TLS (RFC 6655 §3, RFC 7251).
const (
	keySize           = 16
	fixedNonceSize    = 4
	explicitNonceSize = 8
	micSize           = 8
	nonceSize         = fixedNonceSize + explicitNonceSize
	ccmLength         = 15 - nonceSize // bytes of the message's length
)

var errAuthentic = errors.New("dtls: not authentic")

// ccm8 is AES-128-CCM with a MIC of 8 bytes and a nonce of 12 (RFC 3610, RFC 6655).
type ccm8 struct {
	block cipher.Block
	mac   [aes.BlockSize]byte
	ctr   [aes.BlockSize]byte
	pad   [aes.BlockSize]byte
}

func newCCM8(key [keySize]byte) *ccm8 {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // cannot be: AES takes any key of 16 bytes
	}
	return &ccm8{block: block}
}

// seal appends the ciphertext of plaintext, with its MIC, to dst.
func (c *ccm8) seal(dst []byte, nonce *[nonceSize]byte, aad, plaintext []byte) []byte {
	dst = slices.Grow(dst, len(plaintext)+micSize)
	out := dst[len(dst) : len(dst)+len(plaintext)+micSize]
	c.authenticate(nonce, aad, plaintext)
	c.crypt(out, plaintext)
	copy(out[len(plaintext):], c.mac[:micSize])
	return dst[:len(dst)+len(out)]
}

// open returns the plaintext of a ciphertext with its MIC.
func (c *ccm8) open(nonce *[nonceSize]byte, aad, ciphertext []byte) ([]byte, error) {
	n := len(ciphertext) - micSize
	if n < 0 {
		return nil, errAuthentic
	}
	out := make([]byte, n)
	c.start(nonce)
	c.crypt(out, ciphertext[:n])
	c.authenticate(nonce, aad, out)
	if subtle.ConstantTimeCompare(c.mac[:micSize], ciphertext[n:]) != 1 {
		return nil, errAuthentic
	}
	return out, nil
}

func (c *ccm8) start(nonce *[nonceSize]byte) {
	c.ctr = [aes.BlockSize]byte{0: ccmLength - 1}
	copy(c.ctr[1:], nonce[:])
}

func (c *ccm8) crypt(dst, src []byte) {
	for i := uint16(1); len(src) > 0; i++ {
		binary.BigEndian.PutUint16(c.ctr[aes.BlockSize-2:], i)
		c.block.Encrypt(c.pad[:], c.ctr[:])
		n := subtle.XORBytes(dst, src, c.pad[:])
		dst, src = dst[n:], src[n:]
	}
}

// authenticate computes the MIC into mac (RFC 3610 §2.2), which must be short of 64 KiB, as all records are.
func (c *ccm8) authenticate(nonce *[nonceSize]byte, aad, message []byte) {
	const hasAAD = 1 << 6
	c.start(nonce)
	c.mac = c.ctr
	c.mac[0] |= hasAAD | (micSize-2)/2<<3
	binary.BigEndian.PutUint16(c.mac[aes.BlockSize-2:], uint16(len(message)))
	c.block.Encrypt(c.mac[:], c.mac[:])
	c.mac[0] ^= byte(len(aad) >> 8)
	c.mac[1] ^= byte(len(aad))
	n := subtle.XORBytes(c.mac[2:], c.mac[2:], aad)
	c.block.Encrypt(c.mac[:], c.mac[:])
	c.absorb(aad[n:])
	c.absorb(message)
	c.block.Encrypt(c.pad[:], c.ctr[:]) // counter 0
	subtle.XORBytes(c.mac[:], c.mac[:], c.pad[:])
}

func (c *ccm8) absorb(b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(c.mac[:], c.mac[:], b)
		c.block.Encrypt(c.mac[:], c.mac[:])
		b = b[n:]
	}
}
