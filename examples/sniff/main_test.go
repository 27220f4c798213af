package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/pcap"
)

var update = flag.Bool("update", false, "write the golden files anew")

const captureDir = "../../internal/captures"

func capture(name string) string { return filepath.Join(captureDir, name+".pcap") }

// command runs the program with no input and returns its exit code and what it writes.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return commandWith(t, strings.NewReader(""), args...)
}

func commandWith(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, stdin, &out, &errs)
	return code, out.String(), errs.String()
}

// firstLines returns the first n lines of s.
func firstLines(s string, n int) string {
	lines := strings.SplitAfterN(s, "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "")
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		golden string
		lines  int
		args   []string
	}{
		{"pycom-s1.txt", 40, []string{capture("pycom-s1")}},
		{"pycom-s1-v.txt", 80, []string{"-v", capture("pycom-s1")}},
		{"wrong-key.txt", 100, []string{"-key", "1122", capture("pycom-s6")}},
	} {
		t.Run(tt.golden, func(t *testing.T) {
			code, stdout, stderr := command(t, tt.args...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			got, golden := firstLines(stdout, tt.lines), filepath.Join("testdata", tt.golden)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%v prints\n%s\nwant\n%s", tt.args, got, want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	code, stdout, stderr := command(t, "-h")
	if code != 0 || stdout != "" {
		t.Errorf("exit code %d, output %q", code, stdout)
	}
	for _, want := range []string{"Usage:", "FILE", "from, to", "-key HEX", "-sim", "-board", "-emulated", "-w", "-nodes", "-duration", "-seed", "-v", defaultKey} {
		if !strings.Contains(stderr, want) {
			t.Errorf("-h does not explain %q", want)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	ethernet := binary.LittleEndian.AppendUint32(header(t, pcap.IEEE802154)[:20], 1)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "name one capture file"},
		{[]string{"a", "b"}, exitUsage, "name one capture file"},
		{[]string{"-sim", "a"}, exitUsage, "-sim takes no file"},
		{[]string{"-x"}, exitUsage, "not defined: -x"},
		{[]string{"-key", "xyz", "a"}, exitUsage, "-key: pymesh: key: "},
		{[]string{"-key", strings.Repeat("00", 17), "a"}, exitUsage, "17 bytes, need 1 to 16"},
		{[]string{"-key", "", "a"}, exitUsage, "-key: pymesh: key: 0 bytes"},
		{[]string{"-key-file", file("nokey", nil), "a"}, exitUsage, "nokey: pymesh: key: 0 bytes"},
		{[]string{"-sim", "-nodes", "0"}, exitUsage, "-nodes 0 is not 1 to"},
		{[]string{"-sim", "-duration", "-1s"}, exitUsage, "-duration -1s is not positive"},
		{[]string{filepath.Join(dir, "none.pcap")}, exitFailure, "none.pcap: no such file"},
		{[]string{dir}, exitFailure, "is a directory"},
		{[]string{file("text", []byte("this is no capture file at all"))}, exitFailure, "not a pcap file"},
		{[]string{file("empty", nil)}, exitFailure, "empty: "},
		{[]string{file("ethernet", ethernet)}, exitFailure, "carries no IEEE 802.15.4 frames"},
	} {
		code, stdout, stderr := command(t, tt.args...)
		if code != tt.code || !strings.Contains(stderr, tt.want) || stdout != "" {
			t.Errorf("sniff %q: exit code %d, %q, output %q; want %d, %q", tt.args, code, stderr, stdout, tt.code, tt.want)
		}
	}
}

// header returns an empty pcap file.
func header(t *testing.T, link pcap.LinkType) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := pcap.NewWriter(&b, link); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPipe(t *testing.T) {
	file, err := os.ReadFile(capture("pycom-s6"))
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := command(t, capture("pycom-s6"))
	code, got, stderr := commandWith(t, bytes.NewReader(file), "-")
	if code != 0 || got != want {
		t.Errorf("exit code %d, %s: other output than from the file", code, stderr)
	}
	if code, got, _ := commandWith(t, bytes.NewReader(header(t, pcap.IEEE802154)), "-"); code != 0 || got != "no packets\n" {
		t.Errorf("an empty capture: exit code %d, %q", code, got)
	}

	// What comes before the end of a file that is cut off is shown.
	code, got, stderr = commandWith(t, bytes.NewReader(file[:len(file)-1]), "-")
	if code != exitFailure || !strings.HasPrefix(stderr, "sniff: standard input: ") || lastLine(got) != "packets: 85, all decoded" {
		t.Errorf("cut off: exit code %d, %q, %q", code, stderr, lastLine(got))
	}
}

// TestLinkTypes shows the same packets from files of all link types.
func TestLinkTypes(t *testing.T) {
	records, err := captures.Frames("pycom-s6")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := command(t, capture("pycom-s6"))
	tap := func(fcs pcap.FCSType, frame []byte) []byte {
		b, err := pcap.TAP{Fields: pcap.TAPFCS, FCS: fcs}.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, frame...)
	}
	for _, tt := range []struct {
		name string
		link pcap.LinkType
		make func(psdu []byte) []byte
	}{
		{"without FCS", pcap.IEEE802154NoFCS, func(psdu []byte) []byte { return psdu[:len(psdu)-2] }},
		{"TAP", pcap.IEEE802154TAP, func(psdu []byte) []byte { return tap(pcap.FCS16, psdu) }},
		{"TAP without FCS", pcap.IEEE802154TAP, func(psdu []byte) []byte { return tap(pcap.FCSNone, psdu[:len(psdu)-2]) }},
		{"TAP with FCS of 32 bits", pcap.IEEE802154TAP, func(psdu []byte) []byte {
			return tap(pcap.FCS32, append(bytes.Clone(psdu[:len(psdu)-2]), 1, 2, 3, 4))
		}},
		{"LoRaTap", pcap.LinkLoRaTap, func(psdu []byte) []byte {
			b, err := pcap.LoRaTap{SyncWord: 0x34}.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			return append(b, psdu...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := pcap.NewWriter(&file, tt.link)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if err := w.WriteRecord(pcap.Record{Time: time.Unix(0, 0).Add(r.Time), Data: tt.make(r.PSDU)}); err != nil {
					t.Fatal(err)
				}
			}
			if code, got, stderr := commandWith(t, &file, "-"); code != 0 || got != want {
				t.Errorf("exit code %d, %s, %s", code, stderr, firstLines(got, 5))
			}
		})
	}
}

// TestDamagedRecords shows records that cannot be, and goes on.
func TestDamagedRecords(t *testing.T) {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkLoRaTap)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{{1, 2}, nil} {
		if err := w.WriteRecord(pcap.Record{Time: time.Unix(1, 0), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	code, got, _ := commandWith(t, &file, "-")
	const want = "not decoded: ieee802154: frame is truncated\n"
	if code != 0 || strings.Count(got, want) != 2 || !strings.Contains(got, "packets: 2, of which 2 could not be decoded:\n") {
		t.Errorf("exit code %d\n%s", code, got)
	}
}

// cancelWriter interrupts the program after a number of lines.
type cancelWriter struct {
	bytes.Buffer
	lines  int
	cancel context.CancelFunc
}

func (w *cancelWriter) Write(b []byte) (int, error) {
	if w.lines--; w.lines == 0 {
		w.cancel()
	}
	return w.Buffer.Write(b)
}

// TestInterrupt interrupts the program while it waits for input that does not come.
func TestInterrupt(t *testing.T) {
	file, err := os.ReadFile(capture("pycom-s6"))
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	defer r.Close()
	go w.Write(file) // and neither more nor the end
	ctx, cancel := context.WithCancel(t.Context())
	out := &cancelWriter{lines: 1 + 86, cancel: cancel} // the heading and all packets
	if code := run(ctx, []string{"-"}, r, out, io.Discard); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := lastLine(out.String()); got != "packets: 86, all decoded" {
		t.Errorf("ends with %q", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestBrokenOutput(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{capture("pycom-s6")}, nil, brokenWriter{}, &stderr)
	if code != exitFailure || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

func TestSimulation(t *testing.T) {
	args := []string{"-sim", "-nodes", "3", "-duration", "2m", "-seed", "7"}
	code, first, stderr := command(t, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"MLE Parent Request", "MLE Child ID Response", "MLE Advertisement"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q on the air", want)
		}
	}
	if got := lastLine(first); !strings.HasSuffix(got, ", all decoded") {
		t.Errorf("ends with %q\n%s", got, first)
	}
	if _, second, _ := command(t, args...); second != first {
		t.Error("a second run shows something else")
	}
}
