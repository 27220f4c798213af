package ecjpake

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"filippo.io/bigmod"
	"filippo.io/nistec"
)

// Fixed by the curve and by TLS.
const (
	// PointSize is the size of an uncompressed point in bytes.
	PointSize = 65
	// ScalarSize is the size of a private key in bytes.
	ScalarSize = 32
	// SecretSize is the size of the secret in bytes.
	SecretSize = sha256.Size
	// MaxRoundOne and MaxRoundTwo are the largest sizes of the messages in bytes.
	MaxRoundOne = 2 * maxKeyKP
	MaxRoundTwo = len(curveParams) + maxKeyKP

	maxKeyKP = 1 + PointSize + 1 + PointSize + 1 + ScalarSize
	// curveParams is ECParameters of a named curve, secp256r1 (RFC 8422 §5.4).
	curveParams = "\x03\x00\x17"
)

var (
	// ErrFormat says that a message of the peer's is not what it should be.
	ErrFormat = errors.New("ecjpake: malformed message")
	// ErrPoint says that a point of the peer's is not on the curve, or none that may be used.
	ErrPoint = errors.New("ecjpake: bad point")
	// ErrProof says that the peer does not know the private key of its point.
	ErrProof = errors.New("ecjpake: wrong proof")
	// ErrPassword says that a password has no value that may be used.
	ErrPassword = errors.New("ecjpake: bad password")
	// ErrRandom says that the random bytes are not random.
	ErrRandom = errors.New("ecjpake: the source of random bytes is broken")
	// ErrOrder says that a step was made before another that it needs.
	ErrOrder = errors.New("ecjpake: step out of order")
)

// order is the order of the group.
var order = func() *bigmod.Modulus {
	n, err := bigmod.NewModulus([]byte{
		0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	})
	if err != nil {
		panic(err) // cannot be: it is a constant
	}
	return n
}()

// Role is the side of a Session.
type Role uint8

// The sides.
const (
	Client Role = iota
	Server
)

// name is the identity that the proofs of a side are bound to (draft-cragie-tls-ecjpake-01 §8).
func (r Role) name() string {
	if r == Client {
		return "client"
	}
	return "server"
}

func (r Role) peer() Role { return Client + Server - r }

// A Session is one side of one key agreement. Both rounds have to be made in their order, by both sides:
//
//	RoundOne, HandleRoundOne ─► RoundTwo, HandleRoundTwo ─► Secret
type Session struct {
	role Role
	rand io.Reader

	password *bigmod.Nat
	private  *bigmod.Nat // of own[1]
	own      [2]*nistec.P256Point
	first    []byte // round one
	second   []byte // round two

	theirs  [2]*nistec.P256Point // nil before round one
	theirs2 *nistec.P256Point    // nil before round two
}

// New begins a key agreement with a password, of which the number that its bytes make counts, the first being the highest: at most 32 bytes, not
// all zero. It fails with ErrPassword for another, with ErrRandom, or as random does, from which the private keys come.
func New(role Role, password []byte, random io.Reader) (*Session, error) {
	s, err := reduce(password)
	if err != nil {
		return nil, err
	}
	x := &Session{role: role, rand: random, password: s}
	for i := range x.own {
		private, public, err := x.generate(nistec.NewP256Point().SetGenerator())
		if err != nil {
			return nil, err
		}
		x.own[i] = public
		if x.first, err = x.appendKeyKP(x.first, nistec.NewP256Point().SetGenerator(), private, public); err != nil {
			return nil, err
		}
		x.private = private
	}
	return x, nil
}

// reduce turns a password into a number below the order of the group, and not zero.
func reduce(password []byte) (*bigmod.Nat, error) {
	if len(password) == 0 || len(password) > ScalarSize {
		return nil, ErrPassword
	}
	var b [ScalarSize]byte
	copy(b[ScalarSize-len(password):], password)
	n, err := bigmod.NewNat().SetOverflowingBytes(b[:], order) // below twice the order, which has all its bits
	if err != nil || n.IsZero() == 1 {
		return nil, ErrPassword
	}
	return n, nil
}

// generate draws a key pair to a base point.
func (x *Session) generate(base *nistec.P256Point) (*bigmod.Nat, *nistec.P256Point, error) {
	var b [ScalarSize]byte
	for range 8 { // one in 2^32 is none that may be used
		if _, err := io.ReadFull(x.rand, b[:]); err != nil {
			return nil, nil, err
		}
		n, err := bigmod.NewNat().SetBytes(b[:], order)
		if err != nil || n.IsZero() == 1 {
			continue
		}
		public, err := nistec.NewP256Point().ScalarMult(base, b[:])
		return n, public, err
	}
	return nil, nil, ErrRandom
}

// RoundOne returns the message of the first round. It is the same each time, and must not be changed.
func (x *Session) RoundOne() []byte { return x.first }

// HandleRoundOne takes the peer's first message.
func (x *Session) HandleRoundOne(message []byte) error {
	var points [2]*nistec.P256Point
	for i := range points {
		var err error
		if points[i], message, err = x.readKeyKP(message, nistec.NewP256Point().SetGenerator()); err != nil {
			return err
		}
	}
	if len(message) > 0 {
		return ErrFormat
	}
	x.theirs = points
	return nil
}

// sum adds three points, to the base of a second round. It must not be the identity.
func sum(a, b, c *nistec.P256Point) (*nistec.P256Point, error) {
	s := nistec.NewP256Point().Add(a, b)
	s.Add(s, c)
	if s.IsInfinity() == 1 {
		return nil, ErrPoint
	}
	return s, nil
}

// RoundTwo returns the message of the second round, after the peer's first has been handled. It is the same each time, and must not be changed.
func (x *Session) RoundTwo() ([]byte, error) {
	if x.theirs[0] == nil {
		return nil, ErrOrder
	}
	if x.second != nil {
		return x.second, nil
	}
	base, err := sum(x.own[0], x.theirs[0], x.theirs[1])
	if err != nil {
		return nil, err
	}
	private := x.scaled()
	public, err := nistec.NewP256Point().ScalarMult(base, private.Bytes(order))
	if err != nil {
		return nil, err
	}
	var b []byte
	if x.role == Server {
		b = append(b, curveParams...)
	}
	if b, err = x.appendKeyKP(b, base, private, public); err != nil {
		return nil, err
	}
	x.second = b
	return b, nil
}

// scaled is the second private key times the password.
func (x *Session) scaled() *bigmod.Nat { return mul(x.private, x.password) }

// HandleRoundTwo takes the peer's second message, after its first.
func (x *Session) HandleRoundTwo(message []byte) error {
	if x.theirs[0] == nil {
		return ErrOrder
	}
	if x.role == Client {
		if len(message) < len(curveParams) || string(message[:len(curveParams)]) != curveParams {
			return ErrFormat
		}
		message = message[len(curveParams):]
	}
	base, err := sum(x.own[0], x.own[1], x.theirs[0])
	if err != nil {
		return err
	}
	point, rest, err := x.readKeyKP(message, base)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return ErrFormat
	}
	x.theirs2 = point
	return nil
}

// Secret returns what both sides have in common, if they had the password in common: the premaster secret of TLS. It is not proven yet that
// the peer has it, too.
func (x *Session) Secret() (secret [SecretSize]byte, err error) {
	if x.theirs2 == nil {
		return secret, ErrOrder
	}
	minus := neg(x.scaled())
	k, err := nistec.NewP256Point().ScalarMult(x.theirs[1], minus.Bytes(order))
	if err != nil {
		return secret, err
	}
	k.Add(k, x.theirs2)
	if k, err = nistec.NewP256Point().ScalarMult(k, x.private.Bytes(order)); err != nil {
		return secret, err
	}
	coordinate, err := k.BytesX()
	if err != nil {
		return secret, ErrPoint // the identity
	}
	return sha256.Sum256(coordinate), nil
}

func mul(a, b *bigmod.Nat) *bigmod.Nat { return clone(a).Mul(b, order) }

func neg(a *bigmod.Nat) *bigmod.Nat { return bigmod.NewNat().ExpandFor(order).Sub(a, order) }

func clone(a *bigmod.Nat) *bigmod.Nat {
	return bigmod.NewNat().ExpandFor(order).Add(a, order)
}

// challenge is the hash that a proof answers: of base, V, X and who proves, each with its size before it (draft-cragie-tls-ecjpake-01 §8).
func challenge(base, v, public *nistec.P256Point, who Role) *bigmod.Nat {
	b := make([]byte, 0, 3*(4+PointSize)+4+len("client"))
	for _, p := range []*nistec.P256Point{base, v, public} {
		b = append(binary.BigEndian.AppendUint32(b, PointSize), p.Bytes()...)
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(who.name()))), who.name()...)
	hash := sha256.Sum256(b)
	h, err := bigmod.NewNat().SetOverflowingBytes(hash[:], order)
	if err != nil {
		panic(err) // cannot be: the hash has as many bits as the order
	}
	return h
}

// appendKeyKP appends a public key and the proof that its private key is known (RFC 8235 §3).
func (x *Session) appendKeyKP(b []byte, base *nistec.P256Point, private *bigmod.Nat, public *nistec.P256Point) ([]byte, error) {
	nonce, v, err := x.generate(base)
	if err != nil {
		return nil, err
	}
	h := challenge(base, v, public, x.role)
	r := clone(nonce).Sub(mul(private, h), order).Bytes(order)
	b = append(append(b, PointSize), public.Bytes()...)
	b = append(append(b, PointSize), v.Bytes()...)
	return append(append(b, ScalarSize), r...), nil
}

// readKeyKP parses a public key of the peer's with its proof, checks both, and returns the point and what follows.
func (x *Session) readKeyKP(b []byte, base *nistec.P256Point) (public *nistec.P256Point, rest []byte, err error) {
	if public, b, err = readPoint(b); err != nil {
		return nil, nil, err
	}
	for _, own := range x.own {
		if public.Equal(own) == 1 {
			return nil, nil, ErrPoint // reflected
		}
	}
	v, b, err := readPoint(b)
	if err != nil {
		return nil, nil, err
	}
	value, b, err := readOpaque(b)
	if err != nil {
		return nil, nil, err
	}
	r, err := scalar(value)
	if err != nil {
		return nil, nil, err
	}
	h := challenge(base, v, public, x.role.peer())
	left, err := nistec.NewP256Point().ScalarMult(base, r)
	if err != nil {
		return nil, nil, ErrProof
	}
	right, err := nistec.NewP256Point().ScalarMult(public, h.Bytes(order))
	if err != nil {
		return nil, nil, ErrProof
	}
	if left.Add(left, right).Equal(v) != 1 {
		return nil, nil, ErrProof
	}
	return public, b, nil
}

// readOpaque parses opaque<1..255>.
func readOpaque(b []byte) (value, rest []byte, err error) {
	if len(b) == 0 || b[0] == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, ErrFormat
	}
	end := 1 + int(b[0])
	return b[1:end], b[end:], nil
}

// readPoint parses an uncompressed point. The identity, a single 0, is none that may be used.
func readPoint(b []byte) (p *nistec.P256Point, rest []byte, err error) {
	value, rest, err := readOpaque(b)
	if err != nil {
		return nil, nil, err
	}
	if len(value) != PointSize {
		return nil, nil, ErrPoint
	}
	if p, err = nistec.NewP256Point().SetBytes(value); err != nil || p.IsInfinity() == 1 {
		return nil, nil, ErrPoint
	}
	return p, rest, nil
}

// scalar checks the answer of a proof, a number below the order of the group: some peers leave leading zeros out.
func scalar(value []byte) ([]byte, error) {
	if len(value) > ScalarSize {
		return nil, ErrFormat
	}
	b := make([]byte, ScalarSize)
	copy(b[ScalarSize-len(value):], value)
	if _, err := bigmod.NewNat().SetBytes(b, order); err != nil {
		return nil, ErrProof
	}
	return b, nil
}
