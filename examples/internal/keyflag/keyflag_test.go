package keyflag

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh"
)

func TestKey(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		f, err := os.CreateTemp(dir, "key")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString(text)
		return f.Name()
	}
	key := func(passed string, args ...string) (pymesh.Key, error) {
		set := flag.NewFlagSet("test", flag.ContinueOnError)
		f := Register(set, passed)
		if err := set.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f.Key()
	}
	want := pymesh.MustParseKey("112233")
	good, empty := file("0x11 22 33\n"), file("\n")
	for _, args := range [][]string{{"-key", "112233"}, {"-key-file", good}} {
		if k, err := key(empty, args...); k != want || err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	if k, err := key(good); k != want || err != nil {
		t.Error(err)
	}
	if k, err := key(good, "-default-key"); k != pymesh.DefaultKey() || err != nil {
		t.Error(err)
	}
	if _, err := key("", "-default-key=false"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	for _, tt := range []struct {
		passed string
		args   []string
		want   string
	}{
		{"", nil, "openssl rand"},
		{"", []string{"-key", ""}, "-key: pymesh: key: 0 bytes"},
		{"", []string{"-key-file", ""}, "-key-file: open"},
		{"", []string{"-key-file", empty}, empty + ": pymesh: key: 0 bytes"},
		{empty, nil, empty},
		{"", []string{"-key-file", filepath.Join(dir, "none")}, "none: no such file"},
		{"", []string{"-key-file", file(strings.Repeat("11", 600))}, "are no key"},
		{"", []string{"-key", "xyz"}, "something else"},
		{"", []string{"-key", "11", "-default-key"}, "exclude each other"},
	} {
		if k, err := key(tt.passed, tt.args...); err == nil || !k.IsZero() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.args, err)
		}
	}
}
