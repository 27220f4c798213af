package meshtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// NetworkKey is the key of all nodes and peers.
var NetworkKey = [16]byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}

// ExtAddr returns the extended address of the node or peer with a number, 1 to 65535.
func ExtAddr(i int) ieee802154.ExtAddr {
	return ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, byte(i >> 8), byte(i)}
}

// Rand returns the source of randomness of the node with a number.
func Rand(seed uint64, i int) *rand.ChaCha8 {
	var b [32]byte
	for k := range 8 {
		b[k] = byte(seed >> (8 * k))
		b[8+k] = byte(uint64(i) >> (8 * k))
	}
	return rand.NewChaCha8(b)
}

// A Mesh is a simulated air with nodes on it, in virtual time.
type Mesh struct {
	// Sim is the air: the time, links and partitions. A node has its [Node.Antenna] there.
	Sim *lorasim.Sim
	// Nodes are those of Add, in their order: the first is node 1. A test may take some out, so that OneMesh and Count
	// leave them out.
	Nodes []*Node
	// Watch, if set, is called after each event of the air while time passes, to see changes as they happen.
	Watch func()

	tb testing.TB
}

// New returns a mesh without nodes. What does not succeed fails the test tb, or panics if tb is nil, as in an example.
func New(tb testing.TB, opt lorasim.Options) *Mesh {
	if tb == nil {
		tb = panicking{}
	}
	return &Mesh{Sim: lorasim.New(opt), tb: tb}
}

// panicking stands for a test where there is none. What is not here is never called.
type panicking struct{ testing.TB }

func (panicking) Helper()                           {}
func (panicking) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (panicking) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panicking) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// chainSignal is how strongly the nodes of a chain hear their neighbors, in dBm.
const chainSignal = -80

// Chain returns a mesh of n nodes in a row, a meter apart, each of which hears those next to it alone, at -80 dBm. It
// replaces opt.Propagation. For change see [Mesh.Add].
func Chain(tb testing.TB, opt lorasim.Options, n int, change func(*thread.Config)) *Mesh {
	opt.Propagation = func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > 1.5 {
			return -1000
		}
		return chainSignal
	}
	m := New(tb, opt)
	for i := range n {
		m.Add(opt.Seed, lorasim.Position{X: float64(i)}, change)
	}
	return m
}

// Scatter returns a mesh of n nodes at random places, which the seed tells, each less than 600 meters from another one: so
// far a LoRa radio reaches well. For change see [Mesh.Add].
func Scatter(tb testing.TB, opt lorasim.Options, n int, change func(*thread.Config)) *Mesh {
	m := New(tb, opt)
	r := rand.New(rand.NewPCG(opt.Seed, 1))
	var places []lorasim.Position
	for range n {
		var p lorasim.Position
		if len(places) > 0 {
			near := places[r.IntN(len(places))]
			p = lorasim.Position{X: near.X + 800*r.Float64() - 400, Y: near.Y + 800*r.Float64() - 400}
		}
		places = append(places, p)
		m.Add(opt.Seed, p, change)
	}
	return m
}

// Add puts a node on the air, which does nothing yet. It has [NetworkKey], the [ExtAddr] and [Rand] of its number, a store
// of its own, and thread's defaults; change, unless nil, edits that first.
func (m *Mesh) Add(seed uint64, pos lorasim.Position, change func(*thread.Config)) *Node {
	i := len(m.Nodes) + 1
	cfg := thread.Config{NetworkKey: NetworkKey, ExtAddr: ExtAddr(i), Rand: Rand(seed, i), Store: new(thread.MemoryStore)}
	if change != nil {
		change(&cfg)
	}
	n := &Node{Config: cfg, mesh: m}
	var err error
	if n.Engine, err = thread.New(cfg); err != nil {
		m.tb.Fatal(err)
	}
	n.Antenna = m.Sim.Add(n.Engine, pos)
	m.Nodes = append(m.Nodes, n)
	return n
}

// StartEach starts all nodes, one after the other, and lets some time pass after each.
func (m *Mesh) StartEach(pause time.Duration) {
	for _, n := range m.Nodes {
		n.Start()
		m.Run(pause)
	}
}

// StartOneByOne starts each node once those before it are routers, and lets the mesh settle.
func (m *Mesh) StartOneByOne() {
	m.tb.Helper()
	for _, n := range m.Nodes {
		n.Start()
		m.Until(5*time.Minute, "router", func() bool { return n.Role() >= thread.RoleRouter })
	}
	m.Until(5*time.Minute, "one mesh", m.OneMesh)
	m.Run(time.Minute)
}

// Run lets the time d pass.
func (m *Mesh) Run(d time.Duration) {
	m.runUntil(func() bool { return false }, d)
}

// Until lets time pass until cond holds, and fails if that takes longer than limit.
func (m *Mesh) Until(limit time.Duration, what string, cond func() bool) {
	m.tb.Helper()
	if !m.runUntil(cond, limit) {
		m.tb.Fatalf("not within %v: %s\n%s", limit, what, m)
	}
}

func (m *Mesh) runUntil(cond func() bool, limit time.Duration) bool {
	return m.Sim.RunUntil(func() bool {
		if m.Watch != nil {
			m.Watch()
		}
		return cond()
	}, limit)
}

// Count returns how many nodes have a role.
func (m *Mesh) Count(r thread.Role) int {
	c := 0
	for _, n := range m.Nodes {
		if n.Role() == r {
			c++
		}
	}
	return c
}

// OneMesh reports whether all nodes are attached to the same partition, and one of them is its leader.
func (m *Mesh) OneMesh() bool {
	first, ok := m.Nodes[0].Leader()
	for _, n := range m.Nodes {
		l, attached := n.Leader()
		if !ok || !attached || l.PartitionID != first.PartitionID {
			return false
		}
	}
	return m.Count(thread.RoleLeader) == 1
}

// String tells the time, and of each node its role, RLOC16, partition and the counters that are not zero.
func (m *Mesh) String() string {
	s := m.Sim.Now().Format(time.TimeOnly) + "\n"
	for i, n := range m.Nodes {
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
