package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

// TestEmulated listens to a simulated mesh with an emulated chip, and reads what was captured meanwhile.
func TestEmulated(t *testing.T) {
	capture := filepath.Join(t.TempDir(), "air.pcap")
	var live string
	synctest.Test(t, func(t *testing.T) {
		code, stdout, stderr := command(t, "-emulated", "-key", "112233", "-nodes", "3", "-duration", "5m", "-frequency", "868.1", "-w", capture)
		if code != 0 || !strings.Contains(stderr, "868.1 MHz, 125 kHz, SF7, sync word 0x34") || strings.Contains(stderr, "level=") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		live = stdout
	})
	if !strings.HasPrefix(live, "     time   dBm     SNR  from ") {
		t.Errorf("the heading is %q", firstLines(live, 1))
	}
	for _, want := range []string{
		`(?m)^ +\d+\.\d{3}  +-\d+ +-?\d+\.\d{2}  [0-9a-f]{16}  all +MLE Parent Request `,
		`MLE Child ID Response`,
		`MLE Advertisement`,
		`\npackets: \d+, `,
	} {
		if !regexp.MustCompile(want).MatchString(live) {
			t.Errorf("no %q in\n%s", want, live)
		}
	}
	code, recorded, stderr := command(t, "-key", "112233", capture)
	if _, total, _ := strings.Cut(live, "\npackets: "); code != 0 || !strings.HasSuffix(recorded, "\npackets: "+total) {
		t.Errorf("the capture: exit code %d, %s, %q; live %q", code, stderr, lastLine(recorded), total)
	}
}

// TestRoundTrip: what -w writes is shown again as it was heard, with its strength, packed by gzip too; -w - writes to standard output, also with -sim.
func TestRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, args := range [][]string{{"-emulated", "-nodes", "3", "-duration", "2m"}, {"-sim", "-nodes", "2", "-duration", "1m"}} {
			code, capture, live := command(t, append(args, "-w", "-")...)
			if code != 0 || len(capture) < 500 {
				t.Fatalf("%q: exit code %d, %d bytes, %s", args, code, len(capture), live)
			}
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			io.WriteString(z, capture)
			z.Close()
			for _, content := range []string{capture, packed.String()} {
				name := filepath.Join(t.TempDir(), "air.pcap")
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				code, again, stderr := command(t, name)
				if code != 0 {
					t.Fatalf("exit code %d, %s", code, stderr)
				}
				for line := range strings.Lines(again) {
					if !strings.Contains(live, strings.TrimRight(line, "\n")) {
						t.Errorf("not shown live: %s", line)
					}
				}
			}
		}
	})
}

// TestListenErrors has hats that cannot be opened.
func TestListenErrors(t *testing.T) {
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "-sim excludes -board", []string{"-sim", "-board", "dragino"}},
		{exitUsage, "-sim excludes -board", []string{"-sim", "-emulated"}},
		{exitUsage, "-board and -emulated take no file", []string{"-emulated", "a"}},
		{exitUsage, "-w goes with", []string{"-w", "b", "a"}},
		{exitUsage, "-board: ", []string{"-board", "none"}},
		{exitUsage, "not in 100 MHz to 3 GHz", []string{"-emulated", "-frequency", "10"}},
		{exitFailure, "no such file", []string{"-emulated", "-w", filepath.Join(t.TempDir(), "none", "x")}},
		{exitFailure, "sniff: ", []string{"-board", "dragino", "-spi-bus", "99"}},
	} {
		code, stdout, stderr := command(t, tt.args...)
		if code != tt.code || !strings.Contains(stderr, tt.want) || stdout != "" {
			t.Errorf("sniff %q: exit code %d, %q, output %q; want %d, %q", tt.args, code, stderr, stdout, tt.code, tt.want)
		}
	}
}
