package dissect_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// TestNetworkChanges: a dissector that has the first key alone goes with a mesh that changes key and mesh-local prefix, by what it hears of the
// pending dataset, and decodes every packet: before, meanwhile and after, and datagrams between addresses in a prefix of the network data.
func TestNetworkChanges(t *testing.T) {
	for name, change := range map[string]func(*thread.Network){
		"key":    func(n *thread.Network) { n.Key = [16]byte{1, 2, 3} },
		"prefix": func(n *thread.Network) { n.MeshLocalPrefix = netip.MustParsePrefix("fd00:db9::/64") },
		"both": func(n *thread.Network) {
			n.Key, n.MeshLocalPrefix = [16]byte{1, 2, 3}, netip.MustParsePrefix("fd00:db9::/64")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			m := meshtest.Chain(t, lorasim.Options{Seed: 1, Capture: &file}, 3, nil)
			m.StartOneByOne()
			m.Until(10*time.Minute, "one mesh", m.OneMesh)
			last := m.Nodes[2]
			cafe := netip.MustParsePrefix("2001:db8:1::/64")
			if err := last.AddPrefix(thread.OnMeshPrefix{
				Prefix: cafe, Flags: netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagOnMesh, Stable: true,
			}); err != nil {
				t.Fatal(err)
			}
			_ = last.RegisterNetworkData(m.Sim.Now()) // by itself if not now
			last.Antenna.Touch()
			m.Run(2 * time.Minute)
			want := last.Network()
			change(&want)
			for range 2 { // there, and back
				before := last.Network()
				if err := last.ChangeNetwork(m.Sim.Now(), want, 0); err != nil {
					t.Fatal(err)
				}
				last.Antenna.Touch()
				m.Until(20*time.Minute, "changed", func() bool {
					return m.Nodes[0].Network() == want && m.Nodes[1].Network() == want && last.Network() == want
				})
				m.Run(time.Minute)
				for _, p := range []netip.Prefix{want.MeshLocalPrefix, cafe} {
					for _, a := range m.Nodes[0].Addresses() {
						if p.Contains(a) {
							last.Reach(a, 50, 5*time.Minute)
						}
					}
				}
				want = before
			}
			checkDecoded(t, &file)
		})
	}
}

// checkDecoded dissects a recording with the key of meshtest.
func checkDecoded(t *testing.T, file io.Reader) {
	t.Helper()
	r, err := pcap.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	d := dissect.New(meshtest.NetworkKey)
	n := 0
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		if f := d.Dissect(p.Time, p.Data); f.Problem != nil {
			t.Errorf("packet %d, %v: %v", n, p.Time, f.Summary())
		}
	}
	t.Logf("%d packets", n)
}
