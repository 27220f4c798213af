package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// TestRun: two nodes form a mesh and talk. All that the program promises stands in its output.
func TestRun(t *testing.T) {
	t.Parallel() // it mostly waits
	file := filepath.Join(t.TempDir(), "air.pcap")
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"-nodes", "2", "-pcap", file}, &out, &problems); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, &out, &problems)
	}
	for _, want := range []string{
		`A +is switched on`,
		`A +hears nobody and founds a mesh: leader, RLOC16 0x[0-9a-f]{4}`,
		`B +becomes a child of A, RLOC16 0x[0-9a-f]{4}`,
		`B +becomes a router`,
		`all +are routers and know the ways to each other`,
		`A  leader, RLOC16 .*, MAC 70b3d54990000001; the leader is A`,
		`B  router, RLOC16 .*, MAC 70b3d54990000002; the leader is A`,
		`addresses  fdde:ad00:beef::ff:fe00:fc00 +the leader, whoever it is`,
		`fe80::72b3:d549:9000:1 +link-local`,
		`neighbors  B  0x[0-9a-f]{4}  MAC 70b3d54990000002  router   -77 dBm  heard \d+ s ago`,
		`routers    A .* this node`,
		`A pings B: A → B, 1 hop`,
		`B pings A: B → A, 1 hop`,
		`8 bytes from fdde:.*: icmp_seq=\d hlim=64 time=\d+ ms`,
		`A +sends +"Hello World!" +to +\[fdde:.*\]:1234`,
		`B +receives +"Hello World!" +from +\[fdde:`,
		`A +receives +"Hello A, this is B!" +from +\[fdde:.*\]:1234`,
		`There and back: \d+ ms`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%s%s", &out, &problems)
	}

	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcap.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	packets := 0
	for {
		if _, err := r.Next(); err != nil {
			break
		}
		packets++
	}
	if packets < 20 {
		t.Errorf("%d packets in the capture", packets)
	}
}

// TestFlags: what cannot be is refused before anything starts.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"-h", 0, "Usage:"},
		{"-nodes 1", exitUsage, "-nodes 1 is not in 2 to 16"},
		{"-nodes 17", exitUsage, "-nodes 17 is not in 2 to 16"},
		{"-sf 6", exitUsage, "-sf 6 is not in 7 to 12"},
		{"-sf 13", exitUsage, "-sf 13 is not in 7 to 12"},
		{"-nodes two", exitUsage, "invalid value"},
		{"-unknown", exitUsage, "not defined"},
		{"4", exitUsage, `"4": there are flags only`},
		{"-pcap /nowhere/air.pcap", exitFailure, "/nowhere/air.pcap"},
	} {
		var problems bytes.Buffer
		if code := run(t.Context(), strings.Fields(tt.args), io.Discard, &problems); code != tt.code ||
			!strings.Contains(problems.String(), tt.want) {
			t.Errorf("%s: exit code %d, want %d, and %q:\n%s", tt.args, code, tt.code, tt.want, &problems)
		}
	}
}

// interrupter ends a context when a text is written.
type interrupter struct {
	at     string
	cancel func()
}

func (w interrupter) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.at) {
		w.cancel()
	}
	return len(b), nil
}

// TestInterrupt: Ctrl-C ends the program at once, wherever it is.
func TestInterrupt(t *testing.T) {
	for _, tt := range []struct{ at, args string }{
		{"B     is switched on", "-nodes 3"},
		{"A     is switched on", "-realtime"},
		{"B pings A", "-nodes 2"},
		{`sends     "Hello World!"`, "-nodes 2"},
	} {
		t.Run(tt.at, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var problems bytes.Buffer
			code := run(ctx, strings.Fields(tt.args), interrupter{tt.at, cancel}, &problems)
			if code != exitInterrupted || !strings.Contains(problems.String(), "interrupted") {
				t.Errorf("exit code %d, %s", code, &problems)
			}
		})
	}
}

func TestPicture(t *testing.T) {
	d := demo{nodes: 5}
	for i := range d.nodes {
		d.members = append(d.members, &member{name: string(rune('A' + i))})
	}
	const want = `
        B       D
      ╱   ╲   ╱   ╲
    A       C       E
`
	if got := "\n" + d.picture(); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{fmt.Sprintln(ordinal(1), ordinal(2), ordinal(3), ordinal(4)), "1st 2nd 3rd 4th\n"},
		{plural(1, "hop") + plural(2, "hop"), "1 hop2 hops"},
		{clockTime(0), "  0:00.0"},
		{clockTime(125*time.Second + 260*time.Millisecond), "  2:05.3"},
		{clockTime(time.Hour - time.Millisecond), " 60:00.0"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
