package meshcop

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The network of Pymesh's engine with nothing configured.
var openThread = Network{
	Key: masterKey, PANID: 0x1234, Name: "OpenThread", ExtPANID: [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
	MeshLocalPrefix: netip.MustParsePrefix("fdde:ad00:beef::/64"), Channel: 11,
}

func TestNetworkCheck(t *testing.T) {
	prefix := func(s string) func(*Network) {
		return func(n *Network) { n.MeshLocalPrefix = netip.MustParsePrefix(s) }
	}
	for _, tt := range []struct {
		name   string
		change func(*Network)
		want   string // of the error, "" for none
	}{
		{"default", func(*Network) {}, ""},
		{"no name", func(n *Network) { n.Name = "" }, ""},
		{"longest name", func(n *Network) { n.Name = strings.Repeat("x", 16) }, ""},
		{"longer name", func(n *Network) { n.Name = "seventeen letters" }, `NetworkName "seventeen letters" has more than 16 bytes`},
		{"name of 9 letters and 18 bytes", func(n *Network) { n.Name = strings.Repeat("ü", 9) }, "more than 16 bytes"},
		{"lowest channel", func(n *Network) { n.Channel = 11 }, ""},
		{"lower channel", func(n *Network) { n.Channel = 10 }, "Channel 10 is not in 11 to 26"},
		{"highest channel", func(n *Network) { n.Channel = 26 }, ""},
		{"higher channel", func(n *Network) { n.Channel = 27 }, "Channel 27 is not in 11 to 26"},
		{"broadcast PAN", func(n *Network) { n.PANID = 0xffff }, ""},
		{"first prefix", prefix("fd00::/64"), ""},
		{"last prefix", prefix("fdff:ffff:ffff:ffff::/64"), ""},
		{"prefix with more bits set", prefix("fd00::1/64"), ""},
		{"locally not assigned", prefix("fc00::/64"), "MeshLocalPrefix fc00::/64 is not a /64 inside fd00::/8"},
		{"global prefix", prefix("2001:db8::/64"), "is not a /64 inside fd00::/8"},
		{"shorter prefix", prefix("fd00::/63"), "is not a /64 inside fd00::/8"},
		{"longer prefix", prefix("fd00::/65"), "is not a /64 inside fd00::/8"},
		{"IPv4 prefix", prefix("10.0.0.0/8"), "is not a /64 inside fd00::/8"},
		{"no prefix", func(n *Network) { n.MeshLocalPrefix = netip.Prefix{} }, "is not a /64 inside fd00::/8"},
	} {
		n := openThread
		tt.change(&n)
		err := n.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A network's dataset is, byte for byte, what Pymesh's engine makes for itself as a leader, and has all of the network in it.
func TestNetworkDataset(t *testing.T) {
	const rotation = 672 * time.Hour
	d := openThread.Dataset(UsualPolicy(rotation))
	b, err := d.AppendBinary(nil)
	if err != nil || !bytes.Equal(b, unhex(t, generatedDataset)) {
		t.Errorf("%x, %v\nwant %s", b, err, generatedDataset)
	}
	if d.Has(HasActiveTimestamp) || !d.Has(HasPSKc) || d.PSKc != (Key{}) {
		t.Errorf("%+v", d)
	}
	for field, change := range map[string]func(*Network){
		"Key":             func(n *Network) { n.Key[0]++ },
		"PANID":           func(n *Network) { n.PANID++ },
		"Name":            func(n *Network) { n.Name = "" },
		"ExtPANID":        func(n *Network) { n.ExtPANID[7]++ },
		"MeshLocalPrefix": func(n *Network) { n.MeshLocalPrefix = netip.MustParsePrefix("fd11::/64") },
		"Channel":         func(n *Network) { n.Channel = 26 },
	} {
		n := openThread
		change(&n)
		b, err := n.Dataset(UsualPolicy(rotation)).AppendBinary(nil)
		if err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if got, err := ParseDataset(b); err != nil || reflect.DeepEqual(got, d) || !reflect.DeepEqual(got, n.Dataset(UsualPolicy(rotation))) {
			t.Errorf("%s: %+v, %v", field, got, err)
		}
	}
}
