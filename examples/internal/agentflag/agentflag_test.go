package agentflag

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, "passphrase")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tt := range []struct {
		args         []string
		text, passed string
		want         string // in the error
	}{
		{},
		{[]string{"-commissioner", ":0", "-passphrase-file", "FILE"}, "correct horse\r\nmore", "", ""},
		{[]string{"-commissioner", ":0"}, "correct horse", "FILE", ""},
		{[]string{"-commissioner", ":0"}, "", "", "needs -passphrase-file"},
		{[]string{"-passphrase-file", "FILE"}, "correct horse", "", "no use"},
		{[]string{"-commissioner", ":0", "-passphrase-file", "FILE"}, "short\n", "", "5 bytes"},
		{[]string{"-commissioner", ":0", "-passphrase-file", "FILE"}, strings.Repeat("x", 300), "", "300 bytes"},
		{[]string{"-commissioner", ":0", "-passphrase-file", "/nowhere"}, "", "", "/nowhere"},
		{[]string{"-commissioner", "nonsense", "-passphrase-file", "FILE"}, "correct horse", "", "-commissioner"},
	} {
		name := file(tt.text)
		set := flag.NewFlagSet("x", flag.ContinueOnError)
		f := Register(set, strings.Replace(tt.passed, "FILE", name, 1))
		var args []string
		for _, a := range tt.args {
			args = append(args, strings.Replace(a, "FILE", name, 1))
		}
		if err := set.Parse(args); err != nil {
			t.Fatal(err)
		}
		err := f.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
		if err == nil && len(tt.args) > 0 {
			if f.passphrase != "correct horse" {
				t.Errorf("%v: %q", tt.args, f.passphrase)
			}
			conn, err := f.Listen()
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
}
