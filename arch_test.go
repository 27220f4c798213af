package pymesh_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gopymesh/pymesh"

// layer is one row of the architecture: packages of equal rank, which do not
// import each other. A name that ends in "/..." stands for a whole tree.
type layer struct {
	packages []string
	imports  []string // trees of this module that the row may look into; nil: none
	external importRule
}

type importRule int

const (
	standardLibrary importRule = iota
	anyModule
)

// layers is the house, lowest row first. Imports run downwards only. A new
// package needs a place here.
var layers = []layer{
	{
		packages: []string{"internal/pcap", "internal/captures", "internal/lasting", "internal/steady"},
	},
	{
		packages: []string{"lora"},
		imports:  []string{"internal/lasting", "internal/steady"},
	},
	{
		packages: []string{"lora/lorasim"},
		imports:  []string{"lora", "internal/pcap"},
	},
	{
		packages: []string{"lora/transceiver"},
		imports:  []string{"lora"},
	},
	{
		packages: []string{"lora/internal/driver", "lora/internal/device"}, // what drivers of chips have in common
		imports:  []string{"lora", "lora/transceiver", "internal/lasting", "internal/steady"},
		external: anyModule, // periph.io and gpiocdev reach the hardware
	},
	{
		packages: []string{"lora/sx1276", "lora/sx126x"},
		imports:  []string{"lora", "lora/transceiver", "lora/internal/...", "internal/lasting", "internal/steady"},
		external: anyModule,
	},
	{
		packages: []string{"lora/periphpins"},
		imports:  []string{"lora/transceiver"},
		external: anyModule,
	},
	{
		packages: []string{"lora/hats"}, // any of them, by name
		imports:  []string{"lora/..."},
		external: anyModule,
	},
	{
		packages: []string{
			"thread/coap", "thread/ieee802154", "thread/ip6", "thread/keys",
			"thread/tlv", "thread/trickle",
		},
	},
	{
		packages: []string{"thread/ecjpake"},
		external: anyModule, // filippo.io: the curve, and numbers in constant time
	},
	{
		packages: []string{"thread/dtls", "thread/lowpan", "thread/mle", "thread/mpl"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"thread/dhcp6", "thread/meshcop", "thread/netdata"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"thread/tmf"},
		imports:  []string{"thread/..."},
	},
	// The rooms of the engine, which know no Engine.
	{
		packages: []string{"thread/internal/core"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"thread/borderagent"}, // it needs no Engine
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"thread/internal/keychain", "thread/internal/neighbors", "thread/internal/strangers"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{
			"thread/internal/addresses", "thread/internal/commissioning", "thread/internal/dataset", "thread/internal/dhcp", "thread/internal/joining", "thread/internal/mac",
			"thread/internal/networkdata", "thread/internal/polling", "thread/internal/resolver", "thread/internal/scan",
			"thread/internal/sender", "thread/internal/slaac",
		},
		imports: []string{"thread/...", "internal/lasting"},
	},
	{
		packages: []string{"thread/internal/console"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"thread"},
		imports:  []string{"thread/...", "internal/lasting"},
	},
	{
		packages: []string{"thread/topology"},
		imports:  []string{"thread/..."},
	},
	{
		packages: []string{"lora/meshtest"}, // nodes on a simulated air, for tests
		imports:  []string{"lora/lorasim", "thread/..."},
	},
	{
		packages: []string{"thread/cli"},
		imports:  []string{"thread/..."},
		external: anyModule, // it speaks DNS
	},
	{
		packages: []string{"internal/chipemu"},
		imports:  []string{"lora", "lora/lorasim"},
		external: anyModule, // it is a periph.io port
	},
	{
		packages: []string{"internal/sx1276emu", "internal/sx126xemu"},
		imports:  []string{"lora/...", "internal/chipemu"},
		external: anyModule,
	},
	{
		packages: []string{"internal/..."},
		imports:  []string{"lora/...", "thread/...", "internal/..."},
	},
	{
		packages: []string{"internal/filestore"},
		imports:  []string{"lora", "thread/..."},
		external: anyModule, // locks of Windows
	},
	{
		packages: []string{"internal/vmtest/..."}, // what surrounds the driver in a virtual machine
		imports:  []string{"lora/...", "internal/..."},
		external: anyModule,
	},
	{
		packages: []string{""}, // package pymesh
		imports:  []string{"lora/...", "thread/...", "internal/..."},
		external: anyModule,
	},
	{
		packages: []string{"netif"},
		imports:  []string{"", "lora/...", "thread/...", "internal/..."},
		external: anyModule,
	},
	{
		packages: []string{"docs/figures"}, // draws the pictures
		imports:  []string{"lora/...", "thread/...", "internal/..."},
	},
	{
		packages: []string{"examples/internal/..."}, // what several examples share
		imports:  []string{"", "lora/...", "thread/...", "internal/..."},
		external: anyModule,
	},
	{
		packages: []string{"examples/gateway/internal/..."},
		imports:  []string{"examples/gateway/internal/..."},
		external: anyModule,
	},
	{
		packages: []string{"examples/..."},
		imports:  []string{"", "lora/...", "thread/...", "internal/...", "netif", "examples/internal/...", "examples/gateway/internal/..."},
		external: anyModule,
	},
}

// rootEntries are the names that may stand at the top level, beside the files of package pymesh, which are many, one a concern.
var rootEntries = []string{
	"go.mod", "go.sum", "README.md",
	"lora", "thread", "netif", "examples", "internal", "testdata", "docs", "packaging",
	"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
	"tools.mod", "tools.sum", "staticcheck.conf",
	".ci", ".git", ".gitignore",
}

func TestImportsRunDownwards(t *testing.T) {
	for _, f := range parseModule(t) {
		rank, ok := rankOf(f.pkg)
		if !ok {
			t.Errorf("%s: package %q has no row in the table of layers (arch_test.go)", f.name, f.pkg)
			continue
		}
		row := layers[rank]
		for _, imp := range f.imports() {
			pkg, inside := strings.CutPrefix(imp, module)
			pkg = strings.TrimPrefix(pkg, "/")
			if !inside {
				if row.external == standardLibrary && !isStandard(imp) {
					t.Errorf("%s: imports %s; %q may import the standard library alone", f.name, imp, f.pkg)
				}
				continue
			}
			if below, ok := rankOf(pkg); !ok || !runsDown(f.pkg, rank, pkg, below) {
				t.Errorf("%s: import of %q does not run down from %q", f.name, pkg, f.pkg)
			}
			if !matchesAny(row.imports, pkg) {
				t.Errorf("%s: %q may not look into %q", f.name, f.pkg, pkg)
			}
		}
	}
}

// TestThreadIsSansIO keeps everything below thread/ a state machine: time and
// randomness are arguments, and nothing there blocks, locks, logs to a global or runs
// beside the caller.
func TestThreadIsSansIO(t *testing.T) {
	for _, f := range parseModule(t) {
		if !matches("thread/...", f.pkg) {
			continue
		}
		for _, breach := range sansIOBreaches(f.ast) {
			t.Errorf("%s: %s", f.fset.Position(breach.pos), breach.what)
		}
	}
}

// TestRoomsKnowNoEngine keeps the doors of the engine's rooms shut: no room names the Engine, and in package thread none but the
// façade itself holds one: the parts of it that the host and the command line see.
func TestRoomsKnowNoEngine(t *testing.T) {
	for _, f := range parseModule(t) {
		room := matches("thread/internal/...", f.pkg)
		if !room && f.pkg != "thread" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if room && n.Name == "Engine" {
					t.Errorf("%s: a room mentions the Engine", f.fset.Position(n.Pos()))
				}
			case *ast.TypeSpec:
				facade := slices.Contains([]string{"snapshot", "offers", "surveys", "hostPackets", "joins", "agents", "commands"}, n.Name.Name)
				if s, ok := n.Type.(*ast.StructType); ok && !facade && holdsEngine(s) {
					t.Errorf("%s: %s holds an Engine", f.fset.Position(n.Pos()), n.Name)
				}
			}
			return true
		})
	}
}

// holdsEngine reports whether a field of s has a type in which the Engine occurs.
func holdsEngine(s *ast.StructType) (holds bool) {
	for _, field := range s.Fields.List {
		ast.Inspect(field.Type, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			holds = holds || ok && id.Name == "Engine"
			return true
		})
	}
	return holds
}

func TestSansIOBreaches(t *testing.T) {
	tests := []struct {
		name string
		src  string
		want int
	}{
		{"goroutine", "func f() { go f() }", 1},
		{"clock", `import "time"; var t = time.Now`, 1},
		{"renamed clock", `import clock "time"; var t = clock.Since`, 1},
		{"timer", `import "time"; func f() { time.AfterFunc(0, f) }`, 1},
		{"shadowed name", `func f(time struct{ Now int }) int { return time.Now }`, 0},
		{"time as data", `import "time"; func f(now time.Time) time.Time { return now.Add(time.Second) }`, 0},
		{"dot import", `import . "time"`, 1},
		{"lock", `import "sync"`, 1},
		{"atomic", `import "sync/atomic"`, 1},
		{"log", `import "log"`, 1},
		{"injected logger", `import "log/slog"; func f(l *slog.Logger) { l.Debug("x", slog.Int("n", 1)) }`, 0},
		{"global logger", `import "log/slog"; func f() { slog.Info("x") }`, 1},
		{"sockets", `import "net"`, 1},
		{"addresses", `import "net/netip"`, 0},
		{"files", `import "os"`, 1},
		{"system random numbers", `import "crypto/rand"`, 1},
		{"old random numbers", `import "math/rand"`, 1},
		{"global random number", `import "math/rand/v2"; var n = rand.IntN(2)`, 1},
		{"injected random numbers", `import "math/rand/v2"; var r = rand.New(rand.NewPCG(1, 2))`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package p; "+tt.src, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := sansIOBreaches(file); len(got) != tt.want {
				t.Errorf("%d breaches, want %d: %v", len(got), tt.want, got)
			}
		})
	}
}

func TestRootEntries(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(rootEntries, e.Name()) && !strings.HasSuffix(e.Name(), ".go") {
			t.Errorf("%s may not stand at the top level", e.Name())
		}
	}
}

// rankOf returns the row of a package, by the most specific name that matches.
func rankOf(pkg string) (int, bool) {
	best, length := 0, -1
	for i, row := range layers {
		for _, pattern := range row.packages {
			if matches(pattern, pkg) && len(pattern) > length {
				best, length = i, len(pattern)
			}
		}
	}
	return best, length >= 0
}

// runsDown reports whether an import goes to a lower row, or stays within a row
// that stands for a whole tree.
func runsDown(from string, rank int, to string, below int) bool {
	if below != rank {
		return below < rank
	}
	return !slices.Contains(layers[rank].packages, from) && !slices.Contains(layers[rank].packages, to)
}

func matches(pattern, pkg string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return pattern == pkg || ok && (pkg == tree || strings.HasPrefix(pkg, tree+"/"))
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

// isStandard reports whether a path belongs to the standard library, whose first
// elements have no dot.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

type breach struct {
	pos  token.Pos
	what string
}

var bannedImports = []string{
	"crypto/rand", "log", "math/rand", "net/...", "os/...", "sync/...", "syscall/...", "unsafe", "C",
}

var allowedImports = []string{"net/netip"}

// clockFuncs are the functions of package time that read a clock or own a timer.
var clockFuncs = []string{
	"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

// randNames are the names of math/rand/v2 that do not touch the global source.
var randNames = []string{"New", "NewChaCha8", "NewPCG", "Rand", "Source"}

// slogFuncs are the functions of log/slog that reach the global logger.
var slogFuncs = []string{
	"Debug", "DebugContext", "Default", "Error", "ErrorContext", "Info", "InfoContext", "Log",
	"LogAttrs", "SetDefault", "SetLogLoggerLevel", "Warn", "WarnContext", "With",
}

// sansIOBreaches lists what a file does that a sans-IO package must not.
func sansIOBreaches(file *ast.File) []breach {
	var breaches []breach
	names := map[string]string{} // local name of an import to its path
	for _, spec := range file.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imp)
		if imp == "math/rand/v2" {
			name = "rand"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imp
		if name == "." {
			breaches = append(breaches, breach{spec.Pos(), "dot import of " + imp})
		}
		if matchesAny(bannedImports, imp) && !slices.Contains(allowedImports, imp) {
			breaches = append(breaches, breach{spec.Pos(), "import of " + imp})
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			breaches = append(breaches, breach{n.Pos(), "go statement"})
		case *ast.SelectorExpr:
			id, ok := n.X.(*ast.Ident)
			if !ok || id.Obj != nil { // an object of the file's own: not a package
				return true
			}
			imp, sel := names[id.Name], n.Sel.Name
			if imp == "time" && slices.Contains(clockFuncs, sel) ||
				imp == "math/rand/v2" && !slices.Contains(randNames, sel) ||
				imp == "log/slog" && slices.Contains(slogFuncs, sel) {
				breaches = append(breaches, breach{n.Pos(), "use of " + imp + "." + sel})
			}
		}
		return true
	})
	slices.SortFunc(breaches, func(a, b breach) int { return cmp.Compare(a.pos, b.pos) })
	return breaches
}

// sourceFile is one Go file that is not a test.
type sourceFile struct {
	name string
	pkg  string // path below the module, "" for the root
	fset *token.FileSet
	ast  *ast.File
}

func (f sourceFile) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, imp)
	}
	return paths
}

// parseModule parses every Go file that is not a test, whatever its build tags,
// those of modules nested in examples/ included.
func parseModule(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || len(base) > 1 && base[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		if pkg == "." {
			pkg = ""
		}
		files = append(files, sourceFile{name, pkg, fset, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}
