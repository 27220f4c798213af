package thread_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

var testKey = [16]byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}

// A mesh is a simulated air with engines on it, in virtual time.
type mesh struct {
	t     testing.TB
	sim   *lorasim.Sim
	nodes []*node
}

type node struct {
	*thread.Engine
	antenna *lorasim.Node
	cfg     thread.Config
	mesh    *mesh
}

func seeded(seed uint64, i int) *rand.ChaCha8 {
	var b [32]byte
	for k := range 8 {
		b[k] = byte(seed >> (8 * k))
		b[8+k] = byte(uint64(i) >> (8 * k))
	}
	return rand.NewChaCha8(b)
}

func extAddr(i int) ieee802154.ExtAddr {
	return ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, byte(i >> 8), byte(i)}
}

func newMesh(t testing.TB, opt lorasim.Options) *mesh {
	return &mesh{t: t, sim: lorasim.New(opt)}
}

// add puts a node on the air; change edits its configuration first.
func (m *mesh) add(seed uint64, pos lorasim.Position, change func(*thread.Config)) *node {
	i := len(m.nodes) + 1
	cfg := thread.Config{NetworkKey: testKey, ExtAddr: extAddr(i), Rand: seeded(seed, i), Store: new(thread.MemoryStore)}
	if change != nil {
		change(&cfg)
	}
	n := &node{cfg: cfg, mesh: m}
	var err error
	if n.Engine, err = thread.New(cfg); err != nil {
		m.t.Fatal(err)
	}
	n.antenna = m.sim.Add(n.Engine, pos)
	m.nodes = append(m.nodes, n)
	return n
}

func (n *node) start() {
	if err := n.Start(n.mesh.sim.Now()); err != nil {
		n.mesh.t.Fatal(err)
	}
	n.antenna.Touch()
}

// restart replaces the engine by a new one with the same store.
func (n *node) restart() {
	var err error
	if n.Engine, err = thread.New(n.cfg); err != nil {
		n.mesh.t.Fatal(err)
	}
	n.antenna.SetStation(n.Engine)
	n.start()
}

func (m *mesh) run(d time.Duration) { m.sim.Run(d) }

// until runs the mesh until cond holds, and fails if that takes longer than limit.
func (m *mesh) until(limit time.Duration, what string, cond func() bool) {
	m.t.Helper()
	if !m.sim.RunUntil(cond, limit) {
		m.t.Fatalf("not within %v: %s\n%s", limit, what, m)
	}
}

func (m *mesh) String() string {
	s := m.sim.Now().Format(time.TimeOnly) + "\n"
	for i, n := range m.nodes {
		s += fmt.Sprintf("%2d %-8v %v", i+1, n.Role(), n.RLOC16())
		if l, ok := n.Leader(); ok {
			s += fmt.Sprintf(" partition %08x", l.PartitionID)
		}
		counters := reflect.ValueOf(n.Counters())
		for k := range counters.NumField() {
			if v := counters.Field(k).Uint(); v > 0 {
				s += fmt.Sprintf(" %s:%d", counters.Type().Field(k).Name, v)
			}
		}
		s += "\n"
	}
	return s
}

func (m *mesh) count(r thread.Role) int {
	c := 0
	for _, n := range m.nodes {
		if n.Role() == r {
			c++
		}
	}
	return c
}

// oneMesh reports whether all nodes are attached to the same partition.
func (m *mesh) oneMesh() bool {
	first, ok := m.nodes[0].Leader()
	for _, n := range m.nodes {
		l, attached := n.Leader()
		if !ok || !attached || l.PartitionID != first.PartitionID {
			return false
		}
	}
	return m.count(thread.RoleLeader) == 1
}

// ping sends an echo request and reports the round-trip time.
func (n *node) ping(dst netip.Addr, size int, limit time.Duration) (time.Duration, bool) {
	n.mesh.t.Helper()
	echo := ip6.Echo{Identifier: 7, Sequence: uint16(size), Data: make([]byte, size)}
	for i := range echo.Data {
		echo.Data[i] = byte(i)
	}
	packet, err := ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}, ip6.ICMPv6EchoRequest, echo)
	if err != nil {
		n.mesh.t.Fatal(err)
	}
	start := n.mesh.sim.Now()
	if err := n.HandlePacket(start, packet); err != nil {
		n.mesh.t.Fatal(err)
	}
	n.antenna.Touch()
	ok := n.mesh.sim.RunUntil(func() bool {
		for {
			p, ok := n.PollPacket()
			if !ok {
				return false
			}
			d, err := ip6.ParseDatagram(p)
			if err != nil || d.Protocol != ip6.ProtocolICMPv6 {
				continue
			}
			if m, err := ip6.ParseICMPv6(d.Payload); err == nil && m.Type == ip6.ICMPv6EchoReply {
				if e, err := ip6.ParseEcho(m.Body); err == nil && len(e.Data) == size {
					return true
				}
			}
		}
	}, limit)
	return n.mesh.sim.Now().Sub(start), ok
}

// reach pings again and again, and fails if no reply comes within the limit. A LoRa mesh loses datagrams; it must not lose nodes.
func (n *node) reach(dst netip.Addr, size int, limit time.Duration) {
	n.mesh.t.Helper()
	end := n.mesh.sim.Now().Add(limit)
	for n.mesh.sim.Now().Before(end) {
		if _, ok := n.ping(dst, size, 30*time.Second); ok {
			return
		}
	}
	n.mesh.t.Errorf("%v does not reach %v, %d bytes, within %v\n%s", n.RLOC16(), dst, size, limit, n.mesh)
}

// ideal is 802.15.4 without loss or collisions.
func ideal() lorasim.Options {
	return lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true}
}

func stock(c *thread.Config) { c.Timing = thread.TimingIEEE802154() }

func TestLeaderAlone(t *testing.T) {
	m := newMesh(t, ideal())
	n := m.add(1, lorasim.Position{}, nil)
	n.start()
	m.run(31 * time.Second)
	if n.Role() != thread.RoleLeader {
		t.Fatalf("role %v\n%s", n.Role(), m)
	}
}

// chain puts n nodes in a row, each hearing only its neighbors.
func chain(t testing.TB, opt lorasim.Options, n int, change func(*thread.Config)) *mesh {
	opt.Propagation = func(power float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > 1.5 {
			return -1000
		}
		return -80
	}
	m := newMesh(t, opt)
	for i := range n {
		m.add(opt.Seed, lorasim.Position{X: float64(i)}, change)
	}
	return m
}

func TestManyNodes(t *testing.T) {
	for _, count := range []int{8, 32, 100} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			m := newMesh(t, ideal())
			for range count {
				m.add(3, lorasim.Position{}, stock)
			}
			for _, n := range m.nodes {
				n.start()
			}
			m.until(30*time.Minute, "one mesh", m.oneMesh)
			m.run(10 * time.Minute)
			t.Log(m.sim.Now(), m.count(thread.RoleRouter), m.count(thread.RoleChild))
			if !m.oneMesh() {
				t.Error(m)
			}
		})
	}
}
