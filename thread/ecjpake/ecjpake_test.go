package ecjpake

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"filippo.io/nistec"
)

func session(t testing.TB, role Role, password string, seed byte) *Session {
	t.Helper()
	s, err := New(role, []byte(password), rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// exchange makes both rounds.
func exchange(t testing.TB, a, b *Session) {
	t.Helper()
	if err := errors.Join(a.HandleRoundOne(b.RoundOne()), b.HandleRoundOne(a.RoundOne())); err != nil {
		t.Fatal(err)
	}
	ma, err := a.RoundTwo()
	if err != nil {
		t.Fatal(err)
	}
	mb, err := b.RoundTwo()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.HandleRoundTwo(mb), b.HandleRoundTwo(ma)); err != nil {
		t.Fatal(err)
	}
}

func secret(t testing.TB, s *Session) [SecretSize]byte {
	t.Helper()
	k, err := s.Secret()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAgreement(t *testing.T) {
	for _, tt := range []struct {
		client, server string
		same           bool
	}{
		{"J01NME", "J01NME", true}, {"J01NME", "J01NMF", false},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "x", false},
		{"01234567890123456789012345678901", "01234567890123456789012345678901", true},
		{"\x00\x01", "\x01", true}, // it is a number
	} {
		a, b := session(t, Client, tt.client, 1), session(t, Server, tt.server, 2)
		exchange(t, a, b)
		if got := secret(t, a) == secret(t, b); got != tt.same {
			t.Errorf("%q, %q: the same secret: %v", tt.client, tt.server, got)
		}
	}
}

// Other keys come of other exchanges with the same password.
func TestFresh(t *testing.T) {
	a, b := session(t, Client, "J01NME", 1), session(t, Server, "J01NME", 2)
	c, d := session(t, Client, "J01NME", 3), session(t, Server, "J01NME", 4)
	exchange(t, a, b)
	exchange(t, c, d)
	if secret(t, a) == secret(t, c) || bytes.Equal(a.RoundOne(), c.RoundOne()) {
		t.Error("the same")
	}
}

func TestOrder(t *testing.T) {
	s := session(t, Client, "J01NME", 1)
	_, errTwo := s.RoundTwo()
	_, errSecret := s.Secret()
	for i, err := range []error{errTwo, errSecret, s.HandleRoundTwo(nil)} {
		if !errors.Is(err, ErrOrder) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestPassword(t *testing.T) {
	order := []byte{
		0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	}
	for _, p := range [][]byte{nil, {0}, make([]byte, 32), make([]byte, 33), order} {
		if _, err := New(Client, p, rand.NewChaCha8([32]byte{})); !errors.Is(err, ErrPassword) {
			t.Errorf("%x: %v", p, err)
		}
	}
	if _, err := New(Client, []byte("J01NME"), bytes.NewReader(make([]byte, 40))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("out of chance: %v", err)
	}
}

// Each byte of each message counts, and so does its size.
func TestAltered(t *testing.T) {
	a, b := session(t, Client, "J01NME", 1), session(t, Server, "J01NME", 2)
	altered := func(name string, message []byte, handle func([]byte) error) {
		for _, i := range []int{0, 1, 2, 40, 65, 66, 67, 68, 100, 131, 132, 133, 150, len(message) - 1} {
			m := bytes.Clone(message)
			m[i] ^= 1
			if handle(m) == nil {
				t.Errorf("%s with byte %d altered is taken", name, i)
			}
		}
		for i := range len(message) {
			if handle(message[:i:i]) == nil {
				t.Errorf("%s cut to %d bytes is taken", name, i)
			}
		}
		if handle(append(bytes.Clone(message), 0)) == nil {
			t.Errorf("%s with a byte more is taken", name)
		}
	}
	altered("round one", b.RoundOne(), a.HandleRoundOne)
	exchange(t, a, b)
	two, _ := b.RoundTwo()
	altered("round two", two, a.HandleRoundTwo)
}

// What this side has sent comes back to it, under whatever name.
func TestReflected(t *testing.T) {
	a := session(t, Client, "J01NME", 1)
	if err := a.HandleRoundOne(a.RoundOne()); !errors.Is(err, ErrPoint) {
		t.Errorf("its own round one: %v", err)
	}
	// The same keys, with proofs in the peer's name.
	double := session(t, Server, "J01NME", 1)
	if err := a.HandleRoundOne(double.RoundOne()); !errors.Is(err, ErrPoint) {
		t.Errorf("its own keys: %v", err)
	}
	other := session(t, Client, "J01NME", 3) // another client
	if err := a.HandleRoundOne(other.RoundOne()); !errors.Is(err, ErrProof) {
		t.Errorf("a client to a client: %v", err)
	}
}

// Points that are none: the identity, compressed ones, those beside the curve.
func TestPoints(t *testing.T) {
	s := session(t, Client, "J01NME", 1)
	g := nistec.NewP256Point().SetGenerator()
	beside := g.Bytes()
	beside[PointSize-1] ^= 1
	for name, p := range map[string][]byte{
		"identity": {0}, "compressed": g.BytesCompressed(), "beside the curve": beside, "zeros": make([]byte, PointSize), "nothing": {},
	} {
		m := append([]byte{byte(len(p))}, p...)
		m = append(m, s.RoundOne()[1+PointSize:]...)
		if err := s.HandleRoundOne(m); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A proof whose answer has leading zeros may come without them, one that is not below the order must not.
func TestScalar(t *testing.T) {
	if b, err := scalar([]byte{1}); err != nil || len(b) != ScalarSize || b[ScalarSize-1] != 1 {
		t.Errorf("%x, %v", b, err)
	}
	if _, err := scalar(bytes.Repeat([]byte{0xff}, ScalarSize)); !errors.Is(err, ErrProof) {
		t.Error(err)
	}
	if _, err := scalar(make([]byte, ScalarSize+1)); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestBrokenRandom(t *testing.T) {
	if _, err := New(Client, []byte("J01NME"), zeros{}); !errors.Is(err, ErrRandom) {
		t.Error(err)
	}
}

func FuzzHandle(f *testing.F) {
	a, b := session(f, Client, "J01NME", 1), session(f, Server, "J01NME", 2)
	exchange(f, a, b)
	two, _ := b.RoundTwo()
	f.Add(b.RoundOne())
	f.Add(two)
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, m []byte) {
		_ = a.HandleRoundOne(m)
		_ = a.HandleRoundTwo(m)
	})
}

func BenchmarkAgreement(b *testing.B) {
	for b.Loop() {
		x, y := session(b, Client, "J01NME", 1), session(b, Server, "J01NME", 2)
		exchange(b, x, y)
		secret(b, x)
	}
}
