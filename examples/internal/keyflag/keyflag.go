// Package keyflag gives example programs the flags that name the network key. No program takes a public key for want of another.
package keyflag

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/gopymesh/pymesh"
)

// Flags are the values of the flags.
type Flags struct {
	set           *flag.FlagSet
	text, file    string
	publicDefault bool
	passed        string // a file that the supervisor passes
}

// Register adds -key, -key-file and -default-key to a set. passed is the file of a key that the program's supervisor passes, if it does: it
// counts where no flag is given.
func Register(set *flag.FlagSet, passed string) *Flags {
	f := &Flags{set: set, passed: passed}
	set.StringVar(&f.text, "key", "", "network key in `hexadecimal`, 1 to 16 bytes; other users of this computer can see it, unlike that in a file")
	set.StringVar(&f.file, "key-file", "", "`file` with the network key in hexadecimal")
	set.BoolVar(&f.publicDefault, "default-key", false, "use the key that Pycom documents, with which everybody can read and write in the mesh")
	return f
}

// ErrNone says that no flag names a key.
var ErrNone = errors.New("no network key: give -key-file FILE, made by: openssl rand -hex 16 > FILE; or -default-key for the one that everybody knows")

// Key returns the key. It fails with ErrNone if there is none, and with an error that names the flag or the file, and not the key.
func (f *Flags) Key() (pymesh.Key, error) {
	given := map[string]bool{}
	f.set.Visit(func(g *flag.Flag) { given[g.Name] = true })
	publicDefault := given["default-key"] && f.publicDefault
	several := 0
	for _, g := range []bool{given["key"], given["key-file"], publicDefault} {
		if g {
			several++
		}
	}
	switch {
	case several > 1:
		return pymesh.Key{}, errors.New("-key, -key-file and -default-key exclude each other")
	case publicDefault:
		return pymesh.DefaultKey(), nil
	case given["key"]:
		k, err := pymesh.ParseKey(f.text)
		if err != nil {
			return k, fmt.Errorf("-key: %w", err)
		}
		return k, nil
	case given["key-file"]:
		return Read(f.file)
	case f.passed != "":
		return Read(f.passed)
	}
	return pymesh.Key{}, ErrNone
}

// KeyFor is Key, and for a simulated mesh a new one where no flag names any.
func (f *Flags) KeyFor(simulated bool) (pymesh.Key, error) {
	key, err := f.Key()
	if simulated && errors.Is(err, ErrNone) {
		return pymesh.NewKey(), nil
	}
	return key, err
}

// Read returns the key in a file.
func Read(name string) (pymesh.Key, error) {
	const enough = 1024
	b, err := os.ReadFile(name)
	if err != nil {
		return pymesh.Key{}, fmt.Errorf("-key-file: %w", err)
	}
	if len(b) > enough {
		return pymesh.Key{}, fmt.Errorf("-key-file %s: %d bytes are no key in hexadecimal", name, len(b))
	}
	k, err := pymesh.ParseKey(string(b))
	if err != nil {
		return k, fmt.Errorf("-key-file %s: %w", name, err)
	}
	return k, nil
}
