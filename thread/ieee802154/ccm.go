package ieee802154

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"slices"
)

// Fixed by CCM* with a length field of two bytes (annex B; RFC 3610 §2).
const (
	// KeySize is the size of an AES-128 key in bytes.
	KeySize = 16

	// NonceSize is the size of the nonce in bytes (§7.6.3.2).
	NonceSize = 13

	// MaxCCMSize is the largest size of additional data and of a message in
	// bytes. From there on RFC 3610 encodes the size of additional data in
	// another way, which no frame needs.
	MaxCCMSize = 0xfeff

	lengthSize    = 2 // of the message length, field L
	aadLengthSize = 2 // of the length in front of the additional data

	// Offsets in the first block and in the counter blocks; flags come first.
	nonceOffset  = 1
	lengthOffset = nonceOffset + NonceSize

	// Flags of the first block, besides lengthSize-1.
	hasAData = 0x40
	micShift = 3
)

// A CCM seals and opens messages under one key with AES-128 CCM* (annex B; with
// a MIC it is the CCM of RFC 3610). Its scratch blocks are inside, so that no
// call allocates while dst has room. A CCM must not be used concurrently.
type CCM struct {
	block cipher.Block

	mac     [aes.BlockSize]byte // CBC-MAC so far
	counter [aes.BlockSize]byte // flags, nonce, counter
	stream  [aes.BlockSize]byte // key stream: counter, encrypted
}

// NewCCM returns a CCM with the given key.
func NewCCM(key [KeySize]byte) *CCM {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // cannot be: AES accepts any key of 16 bytes
	}
	return &CCM{block: block}
}

// Seal encrypts plaintext, authenticates aad and plaintext, and appends
// ciphertext and MIC to dst. To seal in place pass plaintext[:0] as dst;
// otherwise dst's spare capacity must not overlap plaintext.
//
// micLen must be 0, 4, 8 or 16 (see [SecurityLevel.MICSize]), and neither aad
// nor plaintext be longer than MaxCCMSize; Seal panics otherwise.
func (c *CCM) Seal(dst []byte, nonce *[NonceSize]byte, aad, plaintext []byte, micLen int) []byte {
	if !validMICLen(micLen) || len(aad) > MaxCCMSize || len(plaintext) > MaxCCMSize {
		panic("ieee802154: CCM.Seal: bad MIC length or message too long")
	}
	n := len(plaintext)
	ret, out := extend(dst, n+micLen)
	c.start(nonce)
	c.authenticate(aad, plaintext, micLen)
	c.crypt(out[:n], plaintext)
	copy(out[n:], c.mac[:micLen])
	return ret
}

// Open decrypts and authenticates ciphertext, which ends with the MIC, and
// appends the plaintext to dst. To open in place pass ciphertext[:0] as dst;
// otherwise dst's spare capacity must not overlap ciphertext.
//
// micLen is as for Seal. If Open fails with [ErrAuth] dst is returned unchanged
// and what was written behind it is cleared. With a micLen of 0 nothing is
// authenticated.
func (c *CCM) Open(dst []byte, nonce *[NonceSize]byte, aad, ciphertext []byte, micLen int) ([]byte, error) {
	n := len(ciphertext) - micLen
	if !validMICLen(micLen) || n < 0 || n > MaxCCMSize || len(aad) > MaxCCMSize {
		return dst, ErrAuth
	}
	ret, out := extend(dst, n)
	c.start(nonce)
	c.crypt(out, ciphertext[:n])
	c.authenticate(aad, out, micLen)
	if subtle.ConstantTimeCompare(c.mac[:micLen], ciphertext[n:]) == 0 {
		clear(out)
		return dst, ErrAuth
	}
	return ret, nil
}

// Peek decrypts the beginning of ciphertext into dst, as much as both have, and authenticates nothing: who does not have
// the key may have made it, and it may have been altered. It takes a block cipher call for each 16 bytes.
func (c *CCM) Peek(dst []byte, nonce *[NonceSize]byte, ciphertext []byte) {
	n := min(len(dst), len(ciphertext))
	c.start(nonce)
	c.crypt(dst[:n], ciphertext[:n])
}

func validMICLen(n int) bool { return n == 0 || n == 4 || n == 8 || n == 16 }

// extend returns b with n bytes more, and those n bytes.
func extend(b []byte, n int) (ret, tail []byte) {
	ret = slices.Grow(b, n)[:len(b)+n]
	return ret, ret[len(b):]
}

// start sets up the counter blocks of a message.
func (c *CCM) start(nonce *[NonceSize]byte) {
	c.counter[0] = lengthSize - 1
	copy(c.counter[nonceOffset:], nonce[:])
}

// crypt encrypts or decrypts src into dst, which is as long (annex B.4.1.3).
func (c *CCM) crypt(dst, src []byte) {
	for i := uint16(1); len(src) > 0; i++ {
		c.nextStream(i)
		n := subtle.XORBytes(dst, src, c.stream[:])
		dst, src = dst[n:], src[n:]
	}
}

// nextStream computes block i of the key stream.
func (c *CCM) nextStream(i uint16) {
	binary.BigEndian.PutUint16(c.counter[lengthOffset:], i)
	c.block.Encrypt(c.stream[:], c.counter[:])
}

// authenticate computes the MIC over aad and message (annex B.4.1.2): the
// CBC-MAC, encrypted with block 0 of the key stream.
func (c *CCM) authenticate(aad, message []byte, micLen int) {
	if micLen == 0 {
		return
	}
	flags := byte(micLen-2)/2<<micShift | (lengthSize - 1)
	if len(aad) > 0 {
		flags |= hasAData
	}
	c.mac = c.counter
	c.mac[0] = flags
	binary.BigEndian.PutUint16(c.mac[lengthOffset:], uint16(len(message)))
	c.block.Encrypt(c.mac[:], c.mac[:])

	if len(aad) > 0 {
		// The first block is the size of aad and as much of aad as fits.
		c.mac[0] ^= byte(len(aad) >> 8)
		c.mac[1] ^= byte(len(aad))
		n := subtle.XORBytes(c.mac[aadLengthSize:], c.mac[aadLengthSize:], aad)
		c.block.Encrypt(c.mac[:], c.mac[:])
		c.absorb(aad[n:])
	}
	c.absorb(message)

	c.nextStream(0)
	subtle.XORBytes(c.mac[:], c.mac[:], c.stream[:])
}

// absorb carries the CBC-MAC on over b, filled with zeros to whole blocks.
func (c *CCM) absorb(b []byte) {
	for len(b) > 0 {
		n := subtle.XORBytes(c.mac[:], c.mac[:], b)
		c.block.Encrypt(c.mac[:], c.mac[:])
		b = b[n:]
	}
}
