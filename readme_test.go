package pymesh_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
)

// TestREADME holds the README to what is there: its program is the one in examples/twonodes, its examples exist, and its files, too.
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
	names, err := filepath.Glob("docs/*.md")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	pages := map[string]string{"README.md": readme}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(b)
	}
	tests := source(t, "*_test.go")
	for page, text := range pages {
		for _, example := range regexp.MustCompile("`(Example[A-Za-z_]*)`").FindAllStringSubmatch(text, -1) {
			if !strings.Contains(tests, "func "+example[1]+"() {") {
				t.Errorf("%s: there is no %s", page, example[1])
			}
		}
	}
	for _, path := range regexp.MustCompile("\\./(examples/[a-z]+)|[ `](internal/[a-z/]+[a-z])[ `]").FindAllStringSubmatch(readme, -1) {
		name := path[1] + path[2]
		if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// TestFragments: each statement in a fragment of Go in README and docs, but for the strings in it, stands in an Example as well, which the compiler
// has seen. Those of settings that differ are compared up to the first brace.
func TestFragments(t *testing.T) {
	plain := func(line string) string {
		line, _, _ = strings.Cut(line, "//")
		line, _, _ = strings.Cut(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(line, "S"), "{")
		return strings.TrimSpace(line)
	}
	compiled := map[string]bool{}
	for line := range strings.Lines(source(t, "*_test.go") + source(t, "netif/*_test.go")) {
		compiled[plain(line)] = true
	}
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(source(t, "README.md")+source(t, "docs/*.md"), -1) {
		if strings.HasPrefix(block[1], "package ") {
			continue
		}
		for line := range strings.Lines(block[1]) {
			if p := plain(line); strings.Contains(p, "(") && !strings.HasPrefix(p, "fmt.") && !compiled[p] {
				t.Errorf("no Example has: %s", line)
			}
		}
	}
}

// TestNotImplemented: the commands that README and package cli call not implemented are those that say so of themselves.
func TestNotImplemented(t *testing.T) {
	engine, err := thread.New(thread.Config{NetworkKey: testKey.Bytes(), ExtAddr: [8]byte{7: 1}, Rand: rand.NewChaCha8([32]byte{})})
	if err != nil {
		t.Fatal(err)
	}
	shell := cli.New(engine)
	shell.Radio = radioPower(14)
	say := func(line string) string {
		shell.HandleLine(time.Unix(0, 0), line)
		text, _ := shell.PollOutput()
		return string(text)
	}
	var missing []string
	for _, word := range strings.Fields(say("help")) {
		if strings.Contains(say(word), "Error 12: NotImplemented") {
			missing = append(missing, word)
		}
	}
	list := regexp.MustCompile("Error 12: NotImplemented[\"`]:\\s+(?:// )?([a-z, ]+)[;.]")
	for _, name := range []string{"README.md", "thread/cli/cli.go"} {
		said := list.FindStringSubmatch(source(t, name))
		if said == nil || said[1] != strings.Join(missing, ", ") {
			t.Errorf("%s says %q; not implemented are %q", name, said, missing)
		}
	}
}

// radioPower is a radio with a power in dBm, which cannot be changed.
type radioPower int

func (p radioPower) TxPower() int       { return int(p) }
func (radioPower) SetTxPower(int) error { return cli.NotImplemented }

// TestREADMEMatrix: each row of the protocol matrix names tests, and there are such. A name that ends in "…" is the beginning of names.
func TestREADMEMatrix(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## What works\n")
	section, _, _ = strings.Cut(section, "\n## ")
	tests := allTests(t)
	name := regexp.MustCompile("`(Test[A-Za-z0-9_]+)(…?)[A-Za-z0-9_]*`")
	rows := 0
	for line := range strings.Lines(section) {
		named := name.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| protocol") && !strings.HasPrefix(line, "| ---") {
			if rows++; len(named) == 0 {
				t.Errorf("no test is named: %s", line)
			}
		}
		for _, n := range named {
			if !strings.Contains(tests, "func "+n[1]+"(") && (n[2] == "" || !strings.Contains(tests, "func "+n[1])) {
				t.Errorf("there is no %s%s", n[1], n[2])
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows", rows)
	}
}

// allTests is the text of all files with tests.
func allTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestREADMEFlags: each flag that the README gives to an example program is one that its -h explains, as its source has it.
func TestREADMEFlags(t *testing.T) {
	shared := source(t, "examples/internal/*/*.go")
	for line := range strings.Lines(source(t, "README.md") + source(t, "docs/*.md")) {
		for _, call := range regexp.MustCompile(`(?:go run \./examples/|\./|pymesh-)(node|sniff|radiotest|topology|otcli|quickstart|sim|join)((?: -?[A-Za-z0-9./-]+)*)`).FindAllStringSubmatch(line, -1) {
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
