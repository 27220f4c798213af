//go:build unix

package cli_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// reference is a network of OpenThread's simulated nodes.
type reference struct {
	c     *otsim.Controller
	nodes map[int]*otsim.Process
	t     *testing.T
}

func (r *reference) command(id int, line string) []string {
	if r.nodes[id] == nil {
		r.nodes[id] = r.c.AddProcess(r.c.Program(), id)
	}
	p := r.nodes[id]
	if line == "exit" {
		return nil // and would never announce an alarm again
	}
	p.Send("%s", line)
	return p.Lines()
}

func (r *reference) run(d time.Duration, id int, role string) {
	if role == "" {
		r.c.Run(d)
		return
	}
	if state, ok := r.nodes[id].AwaitState(d, role); !ok {
		r.t.Fatalf("node %d is %s after %v, want %s", id, state, d, role)
	}
}

func (r *reference) printed() map[int][]string {
	all := map[int][]string{}
	for id, p := range r.nodes {
		all[id] = p.Lines()
	}
	return all
}

// TestTranscriptsOfReference plays the scripts to OpenThread and compares its answers with ours, line by line. What comes of random
// numbers and of the moment is masked.
func TestTranscriptsOfReference(t *testing.T) {
	if os.Getenv("PYMESH_OT_CLI_VT") != "" && os.Getenv("PYMESH_OT_TIMING") != "stock" {
		t.Skip("PYMESH_OT_TIMING is not stock: Pycom's constants show in what its nodes print")
	}
	c := otsim.NewController(t)
	if _, err := c.AddProcess(c.Program(), 33).TryCommand("masterkey"); err != nil { // Program may skip
		t.Skipf("the program speaks other words than OpenThread of 2018: %v", err)
	}
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			script := parseTranscript(t, path)
			theirs := play(t, &reference{c: otsim.NewController(t), nodes: map[int]*otsim.Process{}, t: t}, script)
			for k, s := range script {
				if s.differ {
					continue
				}
				a, b := mask(s), mask(theirs[k])
				if !slices.Equal(a, b) {
					t.Errorf("%s\nours:   %s\ntheirs: %s", s.line, strings.Join(a, "\n        "), strings.Join(b, "\n        "))
				}
			}
		})
	}
}

// masks are what may differ in the lines of any answer.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`time=\d+ms`), "time=Nms"},
	{regexp.MustCompile(`(Data Version|Stable Data Version|Net Data|Leader Router ID|Router ID|Age): \d+`), "$1: N"},
	{regexp.MustCompile(`(Rloc|Next Hop): [0-9a-f]+`), "$1: X"},
	{regexp.MustCompile(`0x[0-9a-f]{2}([0-9a-f]{2})\b`), "0xXX$1"},
	// child table: age and network data version
	{regexp.MustCompile(`^(\| +\d+ \| 0xXX\w\w \| +\d+ \|) +\d+ (\| +\d \|) +\d+ (\|\d\|)`), "$1 N $2 N $3"},
	// neighbor table: age
	{regexp.MustCompile(`^(\| +[CR] +\| 0xXX\w\w \|) +\d+ (\|)`), "$1 N $2"},
	// router table: ID, next hop unless there is none, age
	{regexp.MustCompile(`^\| +\d+ (\| 0xXX00 \|) +(?:[1-5]?\d|6[0-2]) (\| +\d+ \| +\d \| +\d \|) +\d+ (\|)`), "| N $1 N $2 N $3"},
	{regexp.MustCompile(`^\| +\d+ (\| 0xXX00 \| +63 \| +\d+ \| +\d \| +\d \|) +\d+ (\|)`), "| N $1 N $2"},
	// network data: the commissioner's session; the locators of border routers, of routes, and of servers
	{regexp.MustCompile(`^08040b02[0-9a-f]{4}`), "08040b02X"},
	{regexp.MustCompile(`[0-9a-f]{2}00(7300|f300)`), "XX00$1"},
	{regexp.MustCompile(`0103[0-9a-f]{2}00`), "0103XX00"},
	{regexp.MustCompile(`0d05[0-9a-f]{2}00`), "0d05XX00"},
	// diagnostics: the ID sequence in a Connectivity TLV
	{regexp.MustCompile(`(DIAG_GET.*040a(?:[0-9a-f]{2}){5})[0-9a-f]{2}`), "${1}XX"},
	{regexp.MustCompile(`^(\d: )?[0-9a-f]{4}$`), "${1}XXXX"},
}

var addressPattern = regexp.MustCompile(`[0-9a-f]+(:[0-9a-f]+){7}`)

// mask returns the output of a step without what is random or of the moment.
func mask(s step) []string {
	var out []string
	for _, line := range s.output {
		if strings.TrimRight(strings.TrimPrefix(line, "1: "), " ") == "" {
			continue
		}
		line = addressPattern.ReplaceAllStringFunc(line, func(text string) string {
			a, err := netip.ParseAddr(text)
			if err == nil && a.As16()[0] == 0x20 {
				return "SLAAC"
			}
			if err != nil || !thread.DefaultMeshLocalPrefix.Contains(a) {
				return text
			}
			switch rloc, ok := mle.LocatorOf(a); {
			case ok && rloc.IsALOC():
				return text
			case ok:
				return "RLOC"
			}
			return "EID"
		})
		if strings.HasSuffix(s.line, "list") {
			line = regexp.MustCompile(`\b\d+ `).ReplaceAllString(line, "N ")
		}
		for _, m := range masks {
			line = m.pattern.ReplaceAllString(line, m.with)
		}
		out = append(out, line)
	}
	if strings.HasPrefix(s.line, "! ") || strings.HasSuffix(s.line, "router table") {
		slices.Sort(out) // answers of several nodes; router IDs are random
	}
	return out
}
