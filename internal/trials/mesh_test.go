package trials

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// A site is a mesh to be tried.
type site struct {
	name  string
	build func(t testing.TB, seed uint64) *meshtest.Mesh
	// intruder is where somebody else can stand and reach some of the nodes at least.
	intruder lorasim.Position
	sparse   bool // each node has two neighbors at most
}

// row is n routers, each of which hears those next to it.
func row(name string, n int) site {
	return site{name, func(t testing.TB, seed uint64) *meshtest.Mesh {
		return meshtest.Chain(t, lorasim.Options{Seed: seed}, n, nil)
	}, lorasim.Position{X: float64(n)/2 - 0.75}, true}
}

// field is n nodes at random places: one in six is a minimal end device, another one an end device that could route.
func field(name string, n int) site {
	return site{name, func(t testing.TB, seed uint64) *meshtest.Mesh {
		return meshtest.Scatter(t, lorasim.Options{Seed: seed}, n, func(c *thread.Config) {
			switch c.ExtAddr[7] % 6 {
			case 3:
				c.Mode = thread.ModeMinimalEndDevice
			case 5:
				c.EndDevice = true
			}
		})
	}, lorasim.Position{X: 100, Y: 100}, false}
}

// settle starts all nodes of a mesh, and lets them become what they will be.
func settle(m *meshtest.Mesh) {
	m.StartEach(10 * time.Second)
	m.Until(time.Hour, "one mesh", m.OneMesh)
	m.Run(10 * time.Minute)
	m.Until(20*time.Minute, "one mesh, still", m.OneMesh)
}

// ask sends an echo request of 8 bytes, and reports whether a reply comes in time and how long it took. Unlike
// [meshtest.Node.Ping] it takes a node that cannot send for one that gets no reply.
func ask(m *meshtest.Mesh, from *meshtest.Node, dst netip.Addr, number uint16, limit time.Duration) (time.Duration, bool) {
	return askFor(m, from, dst, number, 8, limit)
}

// askFor is ask with so many bytes.
func askFor(m *meshtest.Mesh, from *meshtest.Node, dst netip.Addr, number uint16, size int, limit time.Duration) (time.Duration, bool) {
	start := m.Sim.Now()
	h := ip6.Header{HopLimit: 64, Src: from.SelectSource(dst), Dst: dst}
	packet, err := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 9, Sequence: number, Data: make([]byte, size)})
	if err == nil {
		err = from.HandlePacket(start, packet)
		from.Antenna.Touch()
	}
	if err != nil {
		m.Run(limit)
		return limit, false
	}
	replied := false
	m.Sim.RunUntil(func() bool {
		replied = replied || hasReply(from, number)
		return replied
	}, limit)
	return m.Sim.Now().Sub(start), replied
}

// hasReply takes the datagrams for a node's host, up to the reply to an echo request.
func hasReply(n *meshtest.Node, number uint16) bool {
	for {
		d, ok := n.PollPacket()
		if !ok {
			return false
		}
		if d.Protocol != ip6.ProtocolICMPv6 {
			continue
		}
		if m, err := ip6.ParseICMPv6(d.Payload); err == nil && m.Type == ip6.ICMPv6EchoReply {
			if e, err := ip6.ParseEcho(m.Body); err == nil && e.Sequence == number {
				return true
			}
		}
	}
}

// heardWithin asks again and again until a reply comes, and returns how long that took; false if it is longer than limit.
func heardWithin(m *meshtest.Mesh, from *meshtest.Node, dst netip.Addr, limit time.Duration) (time.Duration, bool) {
	start := m.Sim.Now()
	for number := uint16(1000); m.Sim.Now().Sub(start) < limit; number++ {
		if _, ok := ask(m, from, dst, number, 10*time.Second); ok {
			return m.Sim.Now().Sub(start), true
		}
	}
	return limit, false
}

// heard returns how long it takes until a node gets a reply from a neighbor: its parent, or a router with a link to it.
func heard(m *meshtest.Mesh, n *meshtest.Node, limit time.Duration) time.Duration {
	start := m.Sim.Now()
	for number := uint16(2000); m.Sim.Now().Sub(start) < limit; number++ {
		neighbors := n.Neighbors()
		if n.Role() < thread.RoleChild || len(neighbors) == 0 {
			m.Run(time.Second)
			continue
		}
		if _, ok := ask(m, n, meshtest.LinkLocal(neighbors[0].ExtAddr), number, 5*time.Second); ok {
			break
		}
	}
	return m.Sim.Now().Sub(start)
}

// wipe replaces a node by one that has forgotten everything but the time: its frame counters are above those that it had, as package pymesh has it.
func wipe(n *meshtest.Node) {
	n.Config.Store = new(thread.MemoryStore)
	n.Config.FirstFrameCounter = uint32(n.Now.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second)
	n.Restart()
}
