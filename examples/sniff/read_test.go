package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/pcap"
)

// ngFile returns the recorded frames as a pcapng file with two interfaces: with and without FCS, one frame in turn on each.
func ngFile(t testing.TB, options pcapgo.NgWriterOptions) []byte {
	t.Helper()
	recorded, err := captures.Frames("pycom-s6")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{Name: "one", LinkType: layers.LinkType(pcap.IEEE802154), TimestampResolution: 9}, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddInterface(pcapgo.NgInterface{Name: "two", LinkType: layers.LinkType(pcap.IEEE802154NoFCS), TimestampResolution: 9}); err != nil {
		t.Fatal(err)
	}
	for i, r := range recorded {
		data := r.PSDU[:len(r.PSDU)-2*(i%2)]
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, 0).Add(r.Time), InterfaceIndex: i % 2, CaptureLength: len(data), Length: len(data)}
		if err := w.WritePacket(info, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// TestPcapng shows the same packets from pcapng as from classic pcap.
func TestPcapng(t *testing.T) {
	_, want, _ := command(t, capture("pycom-s6"))
	file := ngFile(t, pcapgo.DefaultNgWriterOptions)
	for name, content := range map[string][]byte{"as it is": file, "gzip": zipped(t, file)} {
		if code, got, stderr := commandWith(t, bytes.NewReader(content), "-"); code != 0 || got != want {
			t.Errorf("%s: exit code %d, %s, %s", name, code, stderr, firstLines(got, 5))
		}
	}
	code, got, stderr := commandWith(t, bytes.NewReader(file[:len(file)-9]), "-")
	if code != exitFailure || !strings.HasPrefix(stderr, "sniff: standard input: pcapng: packet 86: unexpected EOF") || lastLine(got) != "packets: 85, all decoded" {
		t.Errorf("cut off: exit code %d, %q, %q", code, stderr, lastLine(got))
	}
}

// TestPcapngOthers: packets of an interface that carries something else are counted, not lost silently.
func TestPcapngOthers(t *testing.T) {
	file := ngFile(t, pcapgo.DefaultNgWriterOptions)
	at := bytes.Index(file, binary.LittleEndian.AppendUint32(nil, uint32(pcap.IEEE802154NoFCS)))
	binary.LittleEndian.PutUint16(file[at:], 1)
	code, got, stderr := commandWith(t, bytes.NewReader(file), "-")
	if code != exitFailure || !strings.Contains(stderr, "43 packets left out: link type carries no IEEE 802.15.4 frames: LinkType(1)") || !strings.Contains(lastLine(got), "packets: 43") {
		t.Errorf("exit code %d, %s, %s", code, stderr, lastLine(got))
	}
}

func TestPcapngDamaged(t *testing.T) {
	file := ngFile(t, pcapgo.DefaultNgWriterOptions)
	packet := bytes.Index(file, []byte{6, 0, 0, 0}) // the first Enhanced Packet Block
	for name, damage := range map[string]func(b []byte){
		"interface": func(b []byte) { binary.LittleEndian.PutUint32(b[packet+8:], 1<<32-1) },
		"length":    func(b []byte) { binary.LittleEndian.PutUint32(b[packet+20:], 1<<31) },
		"block":     func(b []byte) { binary.LittleEndian.PutUint32(b[packet+4:], 1<<31) },
		"version":   func(b []byte) { b[12] = 7 },
		"order":     func(b []byte) { b[8] = 7 },
	} {
		b := bytes.Clone(file)
		damage(b)
		if code, _, stderr := commandWith(t, bytes.NewReader(b), "-"); code != exitFailure || !strings.Contains(stderr, "pcapng: ") {
			t.Errorf("%s: exit code %d, %q", name, code, stderr)
		}
	}
}

// TestStrengthByTshark: tshark reads the strengths that -w has written, and pcapng files that Wireshark's own tools make of them are shown
// as the live packets were.
func TestStrengthByTshark(t *testing.T) {
	if os.Getenv("PYMESH_TSHARK") == "0" {
		t.Skip("PYMESH_TSHARK=0: not checked by tshark")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "air.pcap")
	var live string
	synctest.Test(t, func(t *testing.T) {
		code, stdout, stderr := command(t, "-emulated", "-nodes", "2", "-duration", "2m", "-w", file)
		if code != 0 {
			t.Fatal(stderr)
		}
		live = stdout
	})
	var want strings.Builder // dBm and SNR of each line
	for line := range strings.Lines(live) {
		if f := strings.Fields(line); len(f) > 5 && strings.Contains(f[0], ".") {
			want.WriteString(f[1] + " " + f[2] + "\n")
		}
	}
	tool := func(args ...string) string {
		if _, err := exec.LookPath(args[0]); err != nil {
			if os.Getenv("PYMESH_TSHARK") == "1" {
				t.Fatalf("PYMESH_TSHARK=1, but %v", err)
			}
			t.Skipf("%s is not installed: not checked", args[0])
		}
		out, err := exec.Command(args[0], args[1:]...).Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(out)
	}
	shown := tool("tshark", "-r", file, "-T", "fields", "-E", "separator= ", "-e", "wpan-tap.rss", "-e", "wpan-tap.tlv.unknown")
	var got strings.Builder
	for line := range strings.Lines(shown) {
		f := strings.Fields(line)
		if len(f) != 2 {
			t.Fatalf("tshark: %q", line)
		}
		// To tshark 4.0 the TLV with the SNR is one of a vendor that it does not know: a float, little endian.
		snr, err := hex.DecodeString(f[1])
		if err != nil || len(snr) != 4 {
			t.Fatalf("tshark: %q", line)
		}
		fmt.Fprintf(&got, "%s %.2f\n", f[0], math.Float32frombits(binary.LittleEndian.Uint32(snr)))
	}
	if got.String() != want.String() || want.Len() == 0 {
		t.Errorf("tshark shows\n%s\nof\n%s", got.String(), want.String())
	}
	ng := filepath.Join(dir, "air.pcapng")
	tool("editcap", "-F", "pcapng", file, ng)
	if code, again, stderr := command(t, ng); code != 0 || again != live {
		t.Errorf("pcapng of editcap: exit code %d, %s\n%s\nlive\n%s", code, stderr, firstLines(again, 5), firstLines(live, 5))
	}
}

// FuzzRead: whatever a file holds, reading it ends with a list of packets, an error or both.
func FuzzRead(f *testing.F) {
	file := ngFile(f, pcapgo.DefaultNgWriterOptions)
	f.Add(file)
	f.Add(file[:300])
	f.Add(zipped(f, file[:200]))
	for _, name := range []string{"pycom-s6"} {
		classic, err := os.ReadFile(capture(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(classic[:min(len(classic), 500)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		packets, done := make(chan packet), make(chan int)
		go func() {
			n := 0
			for range packets {
				n++
			}
			done <- n
		}()
		err := read(context.Background(), bytes.NewReader(b), packets)
		close(packets)
		if n := <-done; n > len(b) && b[0] != 0x1f { // a record has 12 bytes at least
			t.Errorf("%d packets of %d bytes", n, len(b))
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("an error looks like the end: %v", err)
		}
	})
}
