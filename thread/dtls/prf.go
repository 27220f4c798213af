package dtls

import (
	"crypto/hmac"
	"crypto/sha256"
)

const (
	masterSize     = 48
	verifySize     = 12
	randomSize     = 32
	keyBlockSize   = 2*keySize + 2*fixedNonceSize
	labelMaster    = "master secret"
	labelKeys      = "key expansion"
	labelClientEnd = "client finished"
	labelServerEnd = "server finished"
)

// prf is the pseudorandom function of TLS 1.2 with SHA-256 (RFC 5246 §5): it fills out.
func prf(out, secret []byte, label string, seeds ...[]byte) {
	seed := []byte(label)
	for _, s := range seeds {
		seed = append(seed, s...)
	}
	h := hmac.New(sha256.New, secret)
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	for a := sum(seed); len(out) > 0; a = sum(a) {
		out = out[copy(out, sum(a, seed)):]
	}
}

// A keyBlock is what the cipher states of both directions are made of, in the order of RFC 5246 §6.3: this suite has no MAC keys.
type keyBlock [keyBlockSize]byte

func (k *keyBlock) of(r Role) halfKeys {
	var h halfKeys
	key, nonce := k[:2*keySize], k[2*keySize:]
	if r == RoleServer {
		key, nonce = key[keySize:], nonce[fixedNonceSize:]
	}
	h.cipher = newCCM8([keySize]byte(key))
	h.fixed = [fixedNonceSize]byte(nonce)
	return h
}

// halfKeys is the cipher state of one direction.
type halfKeys struct {
	cipher *ccm8
	fixed  [fixedNonceSize]byte
}
