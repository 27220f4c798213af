package pymesh

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MaxKeySize is the size of a network key in bytes. A shorter key is filled with zeros on the right.
const MaxKeySize = 16

// A Key is a network key: 16 bytes that all nodes of a mesh have, and nobody else. Keys are compared with ==. A Key does not print, whatever
// the verb, nor does it log or marshal: [Key.Hex] gives it away.
type Key struct{ b [MaxKeySize]byte }

// ParseKey parses a key in hexadecimal: 2 to 32 digits, two a byte, with or without 0x before them, and with spaces, colons, dashes or line
// ends between bytes. A shorter key is filled with zeros on the right, as Pycom's firmware does with key=unhexlify("112233"). Errors do not
// repeat the key.
func ParseKey(s string) (Key, error) {
	digits := strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		digits = rest
	}
	var b []byte
	for _, group := range strings.FieldsFunc(digits, func(r rune) bool { return strings.ContainsRune(" \t\r\n:-", r) }) {
		part, err := hex.DecodeString(group)
		if err != nil {
			if errors.Is(err, hex.ErrLength) {
				return Key{}, errors.New("pymesh: key: an odd number of hexadecimal digits: two make a byte")
			}
			return Key{}, errors.New("pymesh: key: there is something else in it than hexadecimal digits")
		}
		b = append(b, part...)
	}
	return KeyOf(b)
}

// MustParseKey is ParseKey for keys that stand in a program, as those of tests and examples do. It panics where ParseKey fails.
func MustParseKey(s string) Key {
	k, err := ParseKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

// KeyOf returns the key of 1 to 16 bytes, filled with zeros on the right. Zeros alone are no key.
func KeyOf(b []byte) (Key, error) {
	if len(b) == 0 || len(b) > MaxKeySize {
		return Key{}, fmt.Errorf("pymesh: key: %d bytes, need 1 to %d", len(b), MaxKeySize)
	}
	var k Key
	copy(k.b[:], b)
	if k == (Key{}) {
		return Key{}, errors.New("pymesh: key: zeros alone are no key")
	}
	return k, nil
}

// NewKey returns a key at random, of crypto/rand: what a new mesh should have.
func NewKey() Key {
	var k Key
	for k == (Key{}) {
		_, _ = rand.Read(k.b[:]) // it never fails
	}
	return k
}

// DefaultKey is the key that Pycom documents as the default, 0134c0de1ab51234c0de1ab5ca1a110f. It is public: a mesh that uses it is open to
// everyone.
func DefaultKey() Key { return MustParseKey("0134c0de1ab51234c0de1ab5ca1a110f") }

// FirmwareDefaultKey is the key that the published firmware uses where none is set, 1234c0de1ab51234c0de1ab5ca1a110f. It is as public.
func FirmwareDefaultKey() Key { return MustParseKey("1234c0de1ab51234c0de1ab5ca1a110f") }

// Hex returns the key as 32 hexadecimal digits, for a file that only its owner may read.
func (k Key) Hex() string { return hex.EncodeToString(k.b[:]) }

// Bytes returns the key itself.
func (k Key) Bytes() [MaxKeySize]byte { return k.b }

// IsZero reports whether k is the zero Key, which is none.
func (k Key) IsZero() bool { return k == Key{} }

// hiddenKey is what is printed of a key.
const hiddenKey = "(key)"

// String hides the key.
func (k Key) String() string { return hiddenKey }

// Format hides the key, whatever the verb is.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenKey) }

// LogValue hides the key.
func (k Key) LogValue() slog.Value { return slog.StringValue(hiddenKey) }
