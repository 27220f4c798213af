package pymesh_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
)

// TestAddAddress: an address that is added is found by others.
func TestAddAddress(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		extra := netip.MustParseAddr("fdde:ad00:beef::1:2")
		if err := b.AddAddress(extra); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(b.IPAddrs(), extra) {
			t.Errorf("%v", b.IPAddrs())
		}
		m.ping(a, extra, 8)
		for addr, want := range map[string]string{"::1": "not a unicast address", "ff03::1": "not a unicast address", "10.0.0.1": "not a unicast"} {
			if err := b.AddAddress(netip.MustParseAddr(addr)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", addr, err)
			}
		}
		var err error
		for i := 0; err == nil && i < 10; i++ {
			err = b.AddAddress(netip.MustParseAddr(fmt.Sprintf("fdde:ad00:beef::2:%x", i)))
		}
		if err == nil || !strings.Contains(err.Error(), "four addresses") {
			t.Error(err)
		}
		if err := b.RemoveAddress(extra); err != nil || slices.Contains(b.IPAddrs(), extra) {
			t.Errorf("%v, %v", b.IPAddrs(), err)
		}
		if err := b.RemoveAddress(extra); err == nil {
			t.Error("removed twice")
		}
		b.Close()
		if err := b.AddAddress(extra); !errors.Is(err, pymesh.ErrClosed) {
			t.Error(err)
		}
	})
}

// TestPycomAddress: the address by which programs on boards know a node.
func TestPycomAddress(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a := m.attached(pymesh.WithMAC(0x70b3d54990000104), pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithPycomAddress())
		b := m.attached()
		want := netip.MustParseAddr("fdde:ad00:beef::104")
		if pymesh.PycomAddress(a.Network().MeshLocalPrefix, a.MAC()) != want || !slices.Contains(a.IPAddrs(), want) {
			t.Errorf("%v", a.IPAddrs())
		}
		m.ping(b, want, 8)
		prefix := netip.MustParsePrefix("fd11:2233::/64")
		if err := b.ChangeNetwork(t.Context(), pymesh.NetworkChange{Network: pymesh.Network{MeshLocalPrefix: prefix}}); err != nil {
			t.Fatal(err)
		}
		m.until(time.Hour, "the address follows the prefix", func() bool {
			return slices.Contains(a.IPAddrs(), netip.MustParseAddr("fd11:2233::104")) && !slices.Contains(a.IPAddrs(), want)
		})
	})
}

// TestNeighborSNR: what the radio says of a neighbor's packets is what the neighbor's entry says.
func TestNeighborSNR(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		first, second := m.radio(), m.radio()
		const rssi, snr = -119.25, -2.25 // at a noise floor of -117 dBm
		m.air.SetLink(first, second, rssi)
		a, b := m.start(first), m.start(second)
		m.wait(a)
		m.wait(b)
		m.until(2*time.Minute, "neighbors", func() bool { return len(a.Neighbors()) == 1 && len(b.Neighbors()) == 1 })
		m.ping(a, b.MeshLocalEID(), 8)
		for _, n := range []*pymesh.Node{a, b} {
			for _, nb := range n.Neighbors() {
				if nb.SNR != snr || nb.RSSI != -119 || nb.LastRSSI != -119 || nb.Margin == 0 {
					t.Errorf("%v", nb)
				}
			}
		}
	})
}

// TestRadioInUse: two nodes on one radio are an error, one after the other is none.
func TestRadioInUse(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		radio := m.radio()
		n := m.start(radio)
		if _, err := pymesh.New(radio, pymesh.WithKey(testKey)); err == nil || !strings.Contains(err.Error(), "another node uses this radio") {
			t.Error(err)
		}
		n.Close()
		m.start(radio).Close()
		if _, err := pymesh.New(radio, pymesh.WithKey(testKey), pymesh.WithCapture(badWriter{})); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		m.start(radio).Close()
	})
}

// TestMonitorEvents: who reads the events knows what the getters would tell: addresses, neighbors, border routers.
func TestMonitorEvents(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		events := n.Events(t.Context())
		addrs, neighbors, borders := n.IPAddrs(), map[pymesh.MAC]bool{}, []pymesh.MeshBorderRouter{}
		follow := func() {
			synctest.Wait()
			for len(events) > 0 {
				e := <-events
				border := pymesh.MeshBorderRouter{Prefix: e.Prefix, Preference: e.Preference, RLOC16: e.RLOC16}
				switch e.Type {
				case pymesh.EventAddressAdded:
					if !slices.Contains(addrs, e.Addr) { // before the first event
						addrs = append(addrs, e.Addr)
					}
				case pymesh.EventAddressRemoved:
					addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return a == e.Addr })
				case pymesh.EventNeighborAdded:
					if neighbors[e.MAC] {
						t.Errorf("%v, and it was there", e)
					}
					neighbors[e.MAC] = true
				case pymesh.EventNeighborRemoved:
					if !neighbors[e.MAC] {
						t.Errorf("%v, and it was not there", e)
					}
					delete(neighbors, e.MAC)
				case pymesh.EventBorderRouterAdded:
					borders = append(borders, border)
				case pymesh.EventBorderRouterRemoved:
					borders = slices.DeleteFunc(borders, func(b pymesh.MeshBorderRouter) bool { return b == border })
				}
			}
		}
		m.wait(n)
		peer := m.attached()
		prefix := netip.MustParsePrefix("2001:db8:1:2::/64")
		check := func(when string) {
			t.Helper()
			follow()
			want := n.IPAddrs()
			slices.SortFunc(want, netip.Addr.Compare)
			slices.SortFunc(addrs, netip.Addr.Compare)
			if !slices.Equal(addrs, want) {
				t.Errorf("%s: addresses %v by events, %v there are", when, addrs, want)
			}
			for _, nb := range n.Neighbors() {
				if !neighbors[nb.MAC] {
					t.Errorf("%s: no event of %v", when, nb)
				}
			}
			if !slices.Equal(borders, n.MeshBorderRouters()) && len(borders)+len(n.MeshBorderRouters()) > 0 {
				t.Errorf("%s: border routers %v by events, %v there are", when, borders, n.MeshBorderRouters())
			}
		}
		check("attached")
		if err := peer.BorderRouter(prefix, pymesh.High); err != nil {
			t.Fatal(err)
		}
		m.until(time.Minute, "border router", func() bool { return len(n.MeshBorderRouters()) == 1 })
		check("border router")
		time.Sleep(3 * time.Minute) // the peer is a router: another RLOC16, another kind of neighbor
		check("router")
		if err := peer.RemoveBorderRouter(prefix); err != nil {
			t.Fatal(err)
		}
		m.until(time.Minute, "no border router", func() bool { return len(n.MeshBorderRouters()) == 0 })
		check("no border router")
		peer.Close()
		time.Sleep(20 * time.Minute)
		check("alone")
		if len(n.Neighbors()) != 0 || len(neighbors) != 0 {
			t.Errorf("alone: %v, %v by events", n.Neighbors(), neighbors)
		}
	})
}

// TestSettings: opaque bytes keep what a node must remember.
func TestSettings(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		radio, store := m.radio(), new(pymesh.MemoryStore)
		n := m.start(radio, pymesh.WithStore(store))
		m.wait(n)
		mac, eid := n.MAC(), n.MeshLocalEID()
		n.Close()
		s, ok, err := store.Load()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		b, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var other pymesh.Settings
		if err := other.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		again := new(pymesh.MemoryStore)
		if err := again.Save(other); err != nil {
			t.Fatal(err)
		}
		n = m.start(radio, pymesh.WithStore(again))
		if n.MAC() != mac || n.MeshLocalEID() != eid {
			t.Errorf("%v %v was %v %v", n.MAC(), n.MeshLocalEID(), mac, eid)
		}
		for _, bad := range [][]byte{nil, b[:len(b)-3], []byte("x"), append(slices.Clone(b), 1)} {
			if err := other.UnmarshalBinary(bad); !errors.Is(err, pymesh.ErrStoreDamaged) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}

// TestOneLine: what is listed prints in one line each, as a person reads it.
func TestOneLine(t *testing.T) {
	for want, v := range map[string]any{
		"70b3d54990000001": pymesh.MAC(0x70b3d54990000001),
		"0x5800":           pymesh.RLOC16(0x5800),
		"0000000000000002 router 0x0400 RSSI -52 dBm, last -53 dBm, SNR -2.25 dB, margin 72 dB, quality in 3 out 2, age 5s": pymesh.Neighbor{
			MAC: 2, Role: pymesh.StateRouter, RLOC16: 0x400, RSSI: -52, LastRSSI: -53, SNR: -2.25, Margin: 72, QualityIn: 3, QualityOut: 2, Age: 5 * time.Second},
		"0000000000000002 child 0x0401 RSSI 127 dBm, last 127 dBm, margin 0 dB, quality in 0 out 0, age 0s": pymesh.Neighbor{
			MAC: 2, Role: pymesh.StateChild, RLOC16: 0x401, RSSI: pymesh.RSSIUnknown, LastRSSI: pymesh.RSSIUnknown, SNR: pymesh.SNRUnknown},
		"0000000000000002 0x0400 id 1, path cost 1, next hop 0x5800, age 5s": pymesh.Router{
			MAC: 2, RLOC16: 0x400, ID: 1, PathCost: 1, NextHop: 0x5800, Age: 5 * time.Second},
		"0000000000000002 0x0400, partition 828258":          pymesh.Leader{MAC: 2, RLOC16: 0x400, PartitionID: 828258},
		"2001:db8::/64 at 0x0400, preference high":           pymesh.MeshBorderRouter{Prefix: netip.MustParsePrefix("2001:db8::/64"), Preference: pymesh.High, RLOC16: 0x400},
		"neighbor added: child 0x0401 0000000000000002":      pymesh.Event{Type: pymesh.EventNeighborAdded, State: pymesh.StateChild, RLOC16: 0x401, MAC: 2},
		"address removed: fe80::1 (3 events lost before it)": pymesh.Event{Type: pymesh.EventAddressRemoved, Addr: netip.MustParseAddr("fe80::1"), Lost: 3},
		"RxFrames=2 TxFrames=1":                              pymesh.Counters{"TxFrames": 1, "RxFrames": 2, "QueueFull": 0},
	} {
		if got := fmt.Sprintf("%v", v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
