package tsharktest_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/tsharktest"
)

// recorded is the network of the captures.
var recorded = tsharktest.Network{
	Key: captures.NetworkKey,
	PAN: 0x1234,
	Contexts: []netip.Prefix{
		netip.MustParsePrefix("fdde:ad00:beef::/64"),
		netip.MustParsePrefix("2001:dead:beef:cafe::/64"),
	},
}

func recordedFrames(t *testing.T, name string) [][]byte {
	t.Helper()
	records, err := captures.Frames(name)
	if err != nil {
		t.Fatal(err)
	}
	psdus := make([][]byte, len(records))
	for i, r := range records {
		psdus[i] = r.PSDU
	}
	return psdus
}

// TestCaptures shows that the traffic of real nodes has no fault in tshark's eyes,
// so that a fault in ours means something.
func TestCaptures(t *testing.T) {
	for _, name := range captures.Names() {
		t.Run(name, func(t *testing.T) {
			frames := tsharktest.Verify(t, recorded, recordedFrames(t, name))
			if !slices.ContainsFunc(frames, func(f tsharktest.Frame) bool { return f.Has("mle.tlv") }) {
				t.Error("no MLE message was opened")
			}
			if !slices.ContainsFunc(frames, func(f tsharktest.Frame) bool { return f.Has("coap.code") }) {
				t.Error("no MAC frame was opened")
			}
		})
	}
}

func TestFields(t *testing.T) {
	frames := tsharktest.Verify(t, recorded, recordedFrames(t, "pycom-s1")[:1])
	f := frames[0]
	for _, tt := range []struct{ name, want string }{
		{"wpan.src64", "70:b3:d5:49:90:00:00:01"},
		{"wpan.dst_pan", "0x1234"},
		{"ipv6.dst", "ff02::2"},
		{"mle.cmd", "9"}, // Parent Request
		{"mle.tlv.leader_data.data_version", ""},
	} {
		if got := f.Field(tt.name); got != tt.want {
			t.Errorf("%s = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got, want := f.Bytes("wpan.dst_pan"), "3412"; got != want {
		t.Errorf("bytes of wpan.dst_pan = %s, want %s", got, want)
	}
	// Mode, Challenge, Scan Mask, Version
	if got, want := f.Fields("mle.tlv.type"), []string{"1", "3", "14", "18"}; !slices.Equal(got, want) {
		t.Errorf("TLVs %v, want %v", got, want)
	}
}

func TestProblems(t *testing.T) {
	parentRequest := recordedFrames(t, "pycom-s1")[0]
	damage := func(offset int) []byte {
		psdu := slices.Clone(parentRequest)
		psdu[offset] ^= 0x01
		return psdu
	}
	wrongKey := recorded
	wrongKey.Key[0] ^= 0x01
	shortAddressed := recordedFrames(t, "pycom-s1")[16]

	tests := []struct {
		name    string
		network tsharktest.Network
		psdu    []byte
		clean   bool
	}{
		{"as recorded", recorded, parentRequest, true},
		{"frame check sequence", recorded, damage(len(parentRequest) - 1), false},
		{"payload", recorded, damage(len(parentRequest) - 10), false},
		{"cut off", recorded, parentRequest[:20], false},
		{"key", wrongKey, parentRequest, false},
		{"short address of nobody", recorded, shortAddressed, false},
		{"short address", withAddress(recorded, 0x4000, captures.NodeExtAddr(1)), shortAddressed, true},
		{"short address of another", withAddress(recorded, 0x4000, captures.NodeExtAddr(2)), shortAddressed, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := tsharktest.Decode(t, tt.network, [][]byte{tt.psdu})[0].Problems()
			if (len(problems) == 0) != tt.clean {
				t.Errorf("clean: %v, problems: %q", tt.clean, problems)
			}
		})
	}
}

func withAddress(n tsharktest.Network, short uint16, ext [8]byte) tsharktest.Network {
	n.Addresses = map[uint16][8]byte{short: ext}
	return n
}
