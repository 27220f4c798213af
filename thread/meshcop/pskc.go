package meshcop

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"
)

// Fixed by Thread 1.1 §8.4.1.2.
const (
	pskcIterations = 16384
	pskcSalt       = "Thread"

	// MinPassphraseSize and MaxPassphraseSize are the sizes of the passphrase of a commissioner in bytes.
	MinPassphraseSize = 6
	MaxPassphraseSize = 255
)

// PSKc is the key by which a commissioner from outside the mesh is known, from the passphrase that its owner types: PBKDF2 (RFC 8018) with
// AES-CMAC-PRF-128 (RFC 4615) and a salt of the network's name and extended PAN ID. It takes some milliseconds, so that guesses do, too. It
// fails with ErrPassword for a passphrase of other than 6 to 255 bytes.
func PSKc(passphrase, networkName string, extPANID [8]byte) (key [keySize]byte, err error) {
	if n := len(passphrase); n < MinPassphraseSize || n > MaxPassphraseSize {
		return key, fmt.Errorf("%w: a passphrase of %d bytes, not %d to %d", ErrPassword, n, MinPassphraseSize, MaxPassphraseSize)
	}
	prf := newCMACPRF([]byte(passphrase))
	salt := append(append([]byte(pskcSalt), extPANID[:]...), networkName...)
	u := prf.sum(append(salt, 0, 0, 0, 1)) // the first block is as long as the key
	key = u
	for range pskcIterations - 1 {
		u = prf.sum(u[:])
		subtle.XORBytes(key[:], key[:], u[:])
	}
	return key, nil
}

// cmac is AES-CMAC (RFC 4493).
type cmac struct {
	block  cipher.Block
	k1, k2 [aes.BlockSize]byte
}

// newCMACPRF is AES-CMAC-PRF-128: a key of any size.
func newCMACPRF(key []byte) *cmac {
	if len(key) != keySize {
		short := newCMAC([keySize]byte{}).sum(key)
		key = short[:]
	}
	return newCMAC([keySize]byte(key))
}

func newCMAC(key [keySize]byte) *cmac {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // cannot be: AES takes any key of 16 bytes
	}
	c := &cmac{block: block}
	var zero [aes.BlockSize]byte
	block.Encrypt(zero[:], zero[:])
	c.k1 = double(zero)
	c.k2 = double(c.k1)
	return c
}

// double is the doubling in the field of AES-CMAC, in constant time.
func double(b [aes.BlockSize]byte) (d [aes.BlockSize]byte) {
	const reduction = 0x87
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		d[i] = b[i]<<1 | carry
		carry = b[i] >> 7
	}
	d[len(d)-1] ^= reduction & -carry
	return d
}

func (c *cmac) sum(b []byte) (mac [aes.BlockSize]byte) {
	for len(b) > aes.BlockSize {
		subtle.XORBytes(mac[:], mac[:], b[:aes.BlockSize])
		c.block.Encrypt(mac[:], mac[:])
		b = b[aes.BlockSize:]
	}
	subtle.XORBytes(mac[:], mac[:], b)
	if len(b) == aes.BlockSize {
		subtle.XORBytes(mac[:], mac[:], c.k1[:])
	} else {
		mac[len(b)] ^= 0x80
		subtle.XORBytes(mac[:], mac[:], c.k2[:])
	}
	c.block.Encrypt(mac[:], mac[:])
	return mac
}
