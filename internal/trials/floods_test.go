package trials

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// fastAir carries more than LoRa does: what a flood does is then the engine's part, not that of a channel that is full. The nodes have LoRa's
// patience.
func fastAir() lorasim.Options { return lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154} }

// overFlood lets a member do its worst ten times a second for five minutes, in which the ends of the row go on to talk, and looks at what waits.
func overFlood(t *testing.T, m *meshtest.Mesh, step func(i int)) {
	t.Helper()
	pings, replies, most := 0, 0, 0
	for i := range 5 * 60 * 10 {
		step(i)
		m.Run(time.Second / 10)
		for _, n := range m.Nodes {
			most = max(most, n.Console().Queues().Len())
		}
		if i%100 == 99 {
			pings++
			if _, ok := ask(m, m.Nodes[0], m.Nodes[2].MeshLocalEID(), uint16(pings), 5*time.Second); ok {
				replies++
			}
		}
	}
	t.Logf("%d of %d pings answered, at most %d datagrams waited in a node", replies, pings, most)
	if replies < pings*9/10 {
		t.Errorf("%d of %d pings answered", replies, pings)
	}
	if limit := m.Nodes[0].Console().Queues().Limit; most > limit {
		t.Errorf("%d datagrams waiting, want %d at most", most, limit)
	}
	if !m.OneMesh() {
		t.Errorf("no longer one mesh\n%s", m)
	}
}

// TestRegistrationFlood: a child that registers other addresses ten times a second (Thread 1.1 §4.7.3) has its parent keep as many as a child may
// have, and of them the last.
func TestRegistrationFlood(t *testing.T) {
	m, p := insider(t, fastAir(), nil)
	parent := m.Nodes[1]
	address := func(i int) netip.Addr {
		a := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint32(a[12:], uint32(i))
		return netip.AddrFrom16(a)
	}
	entries := make([]mle.AddressEntry, 12)
	overFlood(t, m, func(i int) {
		if i%2 != 0 { // they come in fragments
			return
		}
		for k := range entries {
			entries[k].Addr = address(1 + 12*i + k)
		}
		b := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeMinimalEndDevice)
		b = mle.AppendAddressRegistration(mle.AppendTimeout(b, time.Hour), entries[:1+i%len(entries)]...)
		p.SendMLE(meshtest.LinkLocal(parent.ExtAddr()), b)
	})
	for c := range parent.Console().Neighbors.Children.Established() {
		if c.Ext == p.ExtAddr && (len(c.Addresses) == 0 || len(c.Addresses) > 5) { // stock keeps its mesh-local one and four more
			t.Errorf("the parent keeps %d addresses of one child", len(c.Addresses))
		}
	}
}

// TestSeedFlood: multicasts of ever other seeds fill the sets of seeds, and while they do keep out those of seeds that are not in them
// (RFC 7731 §7.3). They cost nothing else, and are forgotten soon.
func TestSeedFlood(t *testing.T) {
	m, p := insider(t, fastAir(), nil)
	overFlood(t, m, func(i int) {
		h := ip6.Header{HopLimit: 64, Src: p.RLOC16.Addr(thread.DefaultMeshLocalPrefix), Dst: ip6.RealmLocalAllNodes}
		datagram, err := ip6.AppendUDP(nil, h, 9, 9, []byte("flood"))
		if err != nil {
			t.Fatal(err)
		}
		var seed ip6.MPLOption
		seed.Sequence = uint8(i)
		seed.SetSeedID16(uint16(i))
		if datagram, err = ip6.InsertMPLOption(nil, datagram, seed); err != nil {
			t.Fatal(err)
		}
		p.SendDatagram(ieee802154.ShortAddress(ieee802154.BroadcastAddr), datagram)
	})
	m.Run(time.Minute)
	if _, ok := ask(m, m.Nodes[0], ip6.RealmLocalAllNodes, 1000, 5*time.Second); !ok {
		t.Error("nobody answers a multicast a minute later")
	}
}

// TestSleeperFlood: a parent whose children all sleep, and are sent six datagrams each between two polls, goes on to serve the others, and none of
// the children is lost.
func TestSleeperFlood(t *testing.T) {
	m := meshtest.Chain(t, fastAir(), 3, nil)
	for range thread.DefaultMaxChildren {
		n := m.Add(1, lorasim.Position{X: 1, Y: 1.4}, func(c *thread.Config) {
			c.Mode, c.PollPeriod = thread.ModeSleepyEndDevice, 30*time.Second
		})
		for _, o := range []*meshtest.Node{m.Nodes[0], m.Nodes[2]} {
			m.Sim.CutLink(n.Antenna, o.Antenna)
		}
	}
	settle(m)
	sleepers := m.Nodes[3:]
	for _, n := range sleepers {
		if !knows(m.Nodes[1], n, thread.RoleChild) {
			t.Fatalf("the test is wrong\n%s", m)
		}
	}
	overFlood(t, m, func(i int) {
		if i%5 != 0 {
			return
		}
		n := sleepers[i/5%len(sleepers)]
		h := ip6.Header{HopLimit: 64, Src: m.Nodes[0].MeshLocalEID(), Dst: n.MeshLocalEID()}
		datagram, err := ip6.AppendUDP(nil, h, 9, 9, make([]byte, 64))
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Nodes[0].HandlePacket(m.Sim.Now(), datagram) // that there is no room is what is tried
		m.Nodes[0].Antenna.Touch()
	})
	for _, n := range sleepers {
		if n.Role() != thread.RoleChild {
			t.Errorf("%v is %v", n.ExtAddr(), n.Role())
		}
		if d, ok := heardWithin(m, m.Nodes[0], n.MeshLocalEID(), 5*time.Minute); !ok {
			t.Errorf("%v does not answer within %v", n.ExtAddr(), d)
		}
	}
}
