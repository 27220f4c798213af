package pymesh_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// stable are the packages whose API changes with a line in CHANGELOG.md only: see doc.go.
var stable = []string{
	"", "lora", "lora/hats", "lora/lorasim", "lora/meshtest", "lora/periphpins", "lora/sx126x", "lora/sx1276",
	"lora/transceiver", "netif", "thread/topology",
}

// TestAPI compares what the stable packages export, on Linux, with testdata/api. After a change that is wanted:
//
//	go test . -run TestAPI -update
//
// The difference belongs into the review, and a line of it into CHANGELOG.md.
func TestAPI(t *testing.T) {
	for _, pkg := range stable {
		dir := filepath.FromSlash(pkg)
		if dir == "" {
			dir = "."
		}
		got := apiOf(t, dir)
		name := filepath.Join("testdata", "api", strings.ReplaceAll("pymesh/"+pkg, "/", "_")+".txt")
		name = strings.Replace(name, "_.txt", ".txt", 1)
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(string(b), "\n\n")
		have := strings.Split(got, "\n\n")
		for _, d := range want {
			if !slices.Contains(have, d) {
				t.Errorf("%s: gone, or another now:\n%s", name, d)
			}
		}
		for _, d := range have {
			if !slices.Contains(want, d) {
				t.Errorf("%s: new:\n%s", name, d)
			}
		}
	}
}

// apiOf lists what a package exports on Linux, one declaration a paragraph, in alphabetical order.
func apiOf(t *testing.T, dir string) string {
	t.Helper()
	on := build.Default
	on.GOOS, on.GOARCH, on.CgoEnabled = "linux", "amd64", false
	p, err := on.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	var list []string
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(f)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				d.Body = nil
			case *ast.GenDecl:
				if d.Tok == token.IMPORT || len(d.Specs) == 0 {
					continue
				}
				withoutValues(d)
			}
			var b bytes.Buffer
			if err := (&printer.Config{Mode: printer.UseSpaces, Tabwidth: 4}).Fprint(&b, files, d); err != nil {
				t.Fatal(err)
			}
			list = append(list, strings.ReplaceAll(b.String(), "\n\n", "\n"))
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "\n\n") + "\n"
}

// withoutValues drops what variables are made of: that is no promise.
func withoutValues(d *ast.GenDecl) {
	for _, s := range d.Specs {
		if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR {
			v.Values = nil
			if v.Type == nil {
				v.Type = ast.NewIdent("_") // that of its value
			}
		}
	}
}
