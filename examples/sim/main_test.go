package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// program runs the program.
func program(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// file writes a file for a test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

const farm = `# a farm
name,x,y
house,0,0
barn,300,0
pump,600,50
gate,900,0
`

func TestText(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-nodes 3 -hours 0.2 -seeds 1", []string{"grid, 3 nodes", "forms in", "answered", "round trip", "MLE Advertisement", "leader", "law allows", "1 % band"}},
		{"-topology chain -nodes 3 -hours 0.2 -seeds 1 -sf 9 -traffic none", []string{"chain, 3 nodes", "SF9", "no traffic"}},
		{"-topology star -nodes 4 -hours 0.2 -seeds 2 -traffic reports -sink 2 -period 2m -driver", []string{"each node reports to 2 every 2m0s", "2 trials"}},
		{"-topology cell -nodes 4 -hours 0.1 -seeds 1 -duty -region EU868 -frequency 869.5", []string{"held back", "10 % band"}},
		{"-topology random -nodes 5 -density 3 -hours 0.1 -seeds 1 -spacing 200 -shadowing 3", []string{"random, 5 nodes", "strength by distance"}},
		{"-field chain3 -hours 0.1 -seeds 1 -region US915 -bw 500", []string{"chain3, 3 nodes", "no limit here"}},
		{"-topology chain -nodes 2 -hours 0.1 -seeds 1 -link -140", []string{"never became one mesh", "No, this mesh will not work"}},
	} {
		code, out, errs := program(t, append(strings.Fields(tt.args), "-q")...)
		if code != 0 || errs != "" {
			t.Errorf("%s: exit code %d: %s", tt.args, code, errs)
		}
		for _, w := range tt.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q is missing in\n%s", tt.args, w, out)
			}
		}
	}
}

// TestVerdict: the last line is one sentence, with a yes or a no.
func TestVerdict(t *testing.T) {
	code, out, _ := program(t, "-nodes", "2", "-hours", "0.5", "-seeds", "1", "-q", "-period", "2m")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	if code != 0 || !strings.HasPrefix(last, "Yes, this mesh works at SF7, 125 kHz, 868 MHz in the 1 % band: ") {
		t.Errorf("exit code %d: %s", code, last)
	}
}

func TestSameSeedSameTable(t *testing.T) {
	args := []string{"-nodes", "4", "-hours", "0.2", "-seeds", "2", "-q", "-json"}
	_, one, _ := program(t, args...)
	_, two, _ := program(t, append(args, "-parallel", "1")...)
	if one != two {
		t.Error("two runs differ")
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	places := file(t, "farm.csv", farm)
	page, capture := filepath.Join(dir, "x.html"), filepath.Join(dir, "x.pcap")
	code, out, errs := program(t, "-places", places, "-hours", "0.2", "-seeds", "1", "-json", "-html", page, "-pcap", capture, "-traffic", "reports", "-period", "1m")
	if code != 0 || !strings.Contains(errs, "trial 1 of 1") {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var j jsonReport
	if err := json.Unmarshal([]byte(out), &j); err != nil {
		t.Fatal(err)
	}
	if len(j.Nodes) != 4 || j.Nodes[2].Name != "pump" || j.Nodes[1].X-j.Nodes[0].X != 300 || j.Asked == 0 || len(j.Formed) != 1 || j.Limit != 36 || len(j.Timeline) < 2 || len(j.Links) == 0 {
		t.Errorf("%+v", j)
	}
	checkPage(t, page, "pump", "Round trips", "Airtime by node", "What the air carries", "How it went", "m</text>")
	f, err := os.Open(capture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for ; err == nil; frames++ {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) || frames < 50 {
		t.Errorf("%d frames, %v", frames, err)
	}
}

// checkPage looks for words in a page, and sees to it that the page is well-formed and fetches nothing.
func checkPage(t *testing.T, name string, words ...string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append(words, "prefers-color-scheme: dark", "width=device-width") {
		if !bytes.Contains(b, []byte(w)) {
			t.Errorf("%q is not in the page", w)
		}
	}
	if m := regexp.MustCompile(`(src|href)=|url\(|https?://|@import|<script`).Find(b); m != nil {
		t.Errorf("the page fetches something: %s", m)
	}
	if m := regexp.MustCompile(`NaN|Inf|ZgotmplZ`).Find(b); m != nil {
		t.Errorf("the page has a %s", m)
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
	}
}

// TestPages draws pages of fields with little to show.
func TestPages(t *testing.T) {
	for _, args := range []string{
		"-topology chain -nodes 2 -traffic none", "-topology chain -nodes 3 -link -150", "-topology cell -nodes 3 -region US915 -bw 500", "-spacing 5000 -nodes 2",
	} {
		page := filepath.Join(t.TempDir(), "x.html")
		if code, _, errs := program(t, append(strings.Fields(args), "-q", "-hours", "0.1", "-seeds", "1", "-html", page)...); code != 0 {
			t.Fatalf("%s: exit code %d: %s", args, code, errs)
		}
		checkPage(t, page, "Will this mesh work?")
	}
	places := file(t, "x.csv", "name,x,y\n<script>alert(1)</script>,0,0\nb,0,0\n")
	page := filepath.Join(t.TempDir(), "x.html")
	if code, _, errs := program(t, "-places", places, "-q", "-hours", "0.1", "-seeds", "1", "-html", page); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	checkPage(t, page)
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, nil, &out, &errs); code != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d: %q", code, errs.String())
	}
}

func TestUsage(t *testing.T) {
	if code, _, errs := program(t, "-h"); code != 0 || !strings.Contains(errs, "Usage:") || !strings.Contains(errs, "-topology") {
		t.Errorf("exit code %d: %q", code, errs)
	}
	for _, args := range []string{
		"x", "-nodes 1", "-nodes 99999", "-topology ring", "-field x", "-field grid4 -nodes 3", "-field grid4 -places x", "-places /nowhere/at/all.csv",
		"-sf 5", "-sf 99", "-bw 100", "-bw -1", "-region XX", "-frequency -1", "-frequency 433", "-power 99", "-over 0s", "-hours 0", "-hours NaN", "-hours 99999",
		"-seeds 0", "-traffic gossip", "-period 1ms", "-size -1", "-size 9999", "-sink 0", "-sink 99", "-spacing 0", "-spacing NaN", "-spacing 10 -link -90",
		"-link NaN", "-exponent -1", "-shadowing -1", "-density 0", "-peer /nowhere", "-peers 2", "-parallel 0", "-nosuchflag",
	} {
		if code, _, errs := program(t, strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, "sim -h explains") {
			t.Errorf("%v: exit code %d: %q", args, code, errs)
		}
	}
	if code, _, errs := program(t, "-nodes", "2", "-hours", "0.1", "-seeds", "1", "-q", "-html", "/nowhere/at/all"); code != exitFailure || errs == "" {
		t.Errorf("a page that cannot be written: exit code %d, %q", code, errs)
	}
}
