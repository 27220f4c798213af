package pymesh_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestREADME holds the README to what is there: its program is the one in examples/twonodes, its examples exist, its files, too, and the
// commands that it says are not implemented are those of the command line's tests.
func TestREADME(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	program, err := os.ReadFile(filepath.FromSlash("examples/twonodes/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readme, "```go\n"+string(program)+"```\n") {
		t.Error("the program is not that of examples/twonodes/main.go")
	}
	var tests bytes.Buffer
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for _, example := range regexp.MustCompile("`(Example[A-Za-z_]*)`").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(tests.String(), "func "+example[1]+"() {") {
			t.Errorf("there is no %s", example[1])
		}
	}
	for _, path := range regexp.MustCompile("\\./(examples/[a-z]+)|[ `](internal/[a-z/]+[a-z])[ `]").FindAllStringSubmatch(readme, -1) {
		name := path[1] + path[2]
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// TestREADMEFlags: each flag that the README gives to an example program is one that its -h explains, as its source has it.
func TestREADMEFlags(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shared := source(t, "examples/internal/*/*.go")
	for line := range strings.Lines(string(b)) {
		for _, call := range regexp.MustCompile(`(?:go run \./examples/|\./|pymesh-)(node|sniff|radiotest|topology|otcli|quickstart)((?: -?[A-Za-z0-9./-]+)*)`).FindAllStringSubmatch(line, -1) {
			text := shared + source(t, "examples/"+call[1]+"/*.go")
			for _, f := range regexp.MustCompile(" -([a-z0-9-]+)").FindAllStringSubmatch(call[2], -1) {
				if !strings.Contains(text, "\""+f[1]+"\"") {
					t.Errorf("%s: examples/%s has no flag -%s", strings.TrimSpace(line), call[1], f[1])
				}
			}
		}
	}
}

func source(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.FromSlash(pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
