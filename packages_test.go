package pymesh_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// publicPackages returns the directories of all packages that others can import, with "" for this one.
func publicPackages(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name := d.Name()
		if path != "." && (name == "internal" || name == "testdata" || name[0] == '.' || name == "examples" || name == "docs" || name == "packaging") {
			return fs.SkipDir
		}
		if p, err := build.ImportDir(path, 0); err == nil && p.Name != "main" {
			list = append(list, strings.TrimPrefix(filepath.ToSlash(path), "."))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("%d public packages: %q", len(list), list)
	}
	return list
}

// TestEveryPackageHasExample lists the public packages whose documentation shows no use of them.
func TestEveryPackageHasExample(t *testing.T) {
	for _, pkg := range publicPackages(t) {
		names, err := filepath.Glob(filepath.Join(".", filepath.FromSlash(pkg), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(names, func(name string) bool { return hasExample(t, name) }) {
			t.Errorf("package %s has no Example", pkg)
		}
	}
}

func hasExample(t *testing.T, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		function, ok := d.(*ast.FuncDecl)
		return ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Example")
	})
}

// TestStability: what doc.go calls stable are all public packages but those of package thread, and a golden file holds each.
func TestStability(t *testing.T) {
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(b), "//", "")), " ")
	sentence := regexp.MustCompile(`the API of this package and of (.*?) changes in a minor version only`).FindStringSubmatch(text)
	if sentence == nil {
		t.Fatal("doc.go has no such sentence")
	}
	promised := append([]string{""}, strings.Split(strings.ReplaceAll(sentence[1], " and ", ", "), ", ")...)
	public := slices.DeleteFunc(publicPackages(t), func(pkg string) bool {
		return (pkg == "thread" || strings.HasPrefix(pkg, "thread/")) && pkg != "thread/topology"
	})
	golden := slices.Clone(stable)
	for _, list := range [][]string{promised, public, golden} {
		slices.Sort(list)
	}
	if !slices.Equal(promised, public) || !slices.Equal(golden, public) {
		t.Errorf("doc.go promises\n%q\nthe golden files are of\n%q\nthere are\n%q", promised, golden, public)
	}
}
