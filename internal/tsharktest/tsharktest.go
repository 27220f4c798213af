// Package tsharktest lets tshark, a decoder that this project did not write,
// judge the frames that this project writes.
//
// Frames go into a capture file of link type 195 (IEEE 802.15.4 with FCS), tshark
// 4.0 or later decrypts and dissects it, and its PDML output comes back as fields.
// A test that needs tshark is skipped where there is none. With PYMESH_TSHARK=1 in
// the environment it fails instead, and with PYMESH_TSHARK=0 it is always skipped.
package tsharktest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// variable is the environment variable that asks for tshark or does without.
const variable = "PYMESH_TSHARK"

// decodeAs says what the port of Thread management carries: CoAP with Thread's TLVs as
// payload. It is a file, since no option names that dissector.
const decodeAs = "decode_as_entry: udp.port,61631,(none),CoAP-TMF\n"

// frameInterval is the time between the frames of a capture.
const frameInterval = time.Millisecond

// Network is what tshark has to know of a Thread network.
type Network struct {
	// Key is the network key. MAC and MLE keys are derived from it.
	Key [16]byte
	// KeySequence is the key sequence at the start. Tshark follows MLE messages to
	// later ones.
	KeySequence uint32
	// PAN is the PAN ID in which Addresses hold.
	PAN uint16
	// Addresses maps short addresses to extended ones, most significant byte first.
	// Without it frames from a short address are opened only when an earlier frame
	// has shown the extended address behind it.
	Addresses map[uint16][8]byte
	// Contexts are the 6LoWPAN contexts 0, 1, …, of which the first is the
	// mesh-local prefix.
	Contexts []netip.Prefix
}

// Decode returns what tshark makes of the frames. Each frame is a PSDU with its
// two FCS bytes.
func Decode(t testing.TB, n Network, psdus [][]byte) []Frame {
	t.Helper()
	program := find(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "frames.pcap")
	if err := writeCapture(file, psdus); err != nil {
		t.Fatalf("tsharktest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "decode_as_entries"), []byte(decodeAs), 0o600); err != nil {
		t.Fatalf("tsharktest: %v", err)
	}
	cmd := exec.Command(program, append([]string{"-r", file, "-T", "pdml"}, n.options()...)...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+dir) // not the user's own settings
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("tsharktest: %v: %s", err, stderr.Bytes())
	}
	frames, err := parsePDML(&stdout)
	if err != nil {
		t.Fatalf("tsharktest: %v", err)
	}
	if len(frames) != len(psdus) {
		t.Fatalf("tsharktest: tshark shows %d frames of %d", len(frames), len(psdus))
	}
	return frames
}

// Verify decodes the frames and reports an error for each in which tshark finds
// fault: a field that is malformed, a checksum that is wrong, a security layer
// that does not open.
func Verify(t testing.TB, n Network, psdus [][]byte) []Frame {
	t.Helper()
	frames := Decode(t, n, psdus)
	for i, f := range frames {
		for _, problem := range f.Problems() {
			t.Errorf("frame %d (%s): %s\n%s", i, f.Field("frame.protocols"), problem, hex.EncodeToString(psdus[i]))
		}
	}
	return frames
}

func find(t testing.TB) string {
	t.Helper()
	if os.Getenv(variable) == "0" {
		t.Skipf("%s=0: not checked by tshark", variable)
	}
	program, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv(variable) == "1" {
			t.Fatalf("%s=1, but %v", variable, err)
		}
		t.Skip("tshark is not installed: not checked")
	}
	return program
}

func writeCapture(name string, psdus [][]byte) error {
	var buf bytes.Buffer
	w, err := pcap.NewWriter(&buf, pcap.IEEE802154)
	if err != nil {
		return err
	}
	now := time.Unix(0, 0)
	for _, psdu := range psdus {
		if err := w.WriteRecord(pcap.Record{Time: now, Data: psdu}); err != nil {
			return err
		}
		now = now.Add(frameInterval)
	}
	return os.WriteFile(name, buf.Bytes(), 0o600)
}

// options returns the preferences under which tshark understands the network.
func (n Network) options() []string {
	options := []string{
		"-o", "wpan.fcs_format:ITU-T CRC-16",
		"-o", fmt.Sprintf(`uat:ieee802154_keys:"%x","0","Thread hash"`, n.Key),
		"-o", "thread.thr_auto_acq_thr_seq_ctr:TRUE",
		"-o", fmt.Sprintf("thread.thr_seq_ctr:%08x", n.KeySequence),
		"-o", "udp.check_checksum:TRUE",
		"-d", "udp.port==5683,data", // whatever a user sends: it need not be CoAP
	}
	for short, ext := range n.Addresses {
		options = append(options, "-o", fmt.Sprintf(`uat:802154_addresses:"%04x","%04x",%x`, short, n.PAN, ext))
	}
	for i, prefix := range n.Contexts {
		options = append(options, "-o", fmt.Sprintf("6lowpan.context%d:%s", i, prefix))
	}
	return options
}
