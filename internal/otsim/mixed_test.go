//go:build unix

package otsim_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// A mixedNode is a node of this project or a real one, seen in the same way.
type mixedNode interface {
	state() string
	eid() netip.Addr
	rloc() netip.Addr
	ping(dst netip.Addr, size int) bool
	allowRouter(allowed bool)
}

type engineNode struct {
	*thread.Engine
	c   *otsim.Controller
	cfg thread.Config
	id  int
}

func startEngine(t *testing.T, c *otsim.Controller, id int, timing thread.Timing) *engineNode {
	t.Helper()
	return startEngineWith(t, c, id, timing, func(c *thread.Config) { c.MultiChannel = true })
}

// startEngineWith is startEngine with a configuration of its own.
func startEngineWith(t *testing.T, c *otsim.Controller, id int, timing thread.Timing, change func(*thread.Config)) *engineNode {
	t.Helper()
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(id))
	var key [16]byte
	fmt.Sscanf(networkKey, "%x", new([]byte))
	copy(key[:], mustHex(t, networkKey))
	n := &engineNode{c: c, id: id, cfg: thread.Config{
		NetworkKey: key,
		ExtAddr:    ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, byte(id)},
		Rand:       rand.NewChaCha8(seed), Timing: timing, Store: new(thread.MemoryStore),
	}}
	change(&n.cfg)
	n.boot(t)
	return n
}

func (n *engineNode) boot(t *testing.T) {
	t.Helper()
	var err error
	if n.Engine, err = thread.New(n.cfg); err != nil {
		t.Fatal(err)
	}
	n.c.AddStation(n.id, n.Engine)
	if err := n.Start(n.c.Now()); err != nil {
		t.Fatal(err)
	}
}

func mustHex(t *testing.T, s string) []byte {
	var b []byte
	if _, err := fmt.Sscanf(s, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func (n *engineNode) state() string    { return n.Role().String() }
func (n *engineNode) eid() netip.Addr  { return n.MeshLocalEID() }
func (n *engineNode) rloc() netip.Addr { return n.RLOC16().Addr(thread.DefaultMeshLocalPrefix) }

func (n *engineNode) ping(dst netip.Addr, size int) bool {
	for { // answers to earlier pings
		if _, ok := n.PollPacket(); !ok {
			break
		}
	}
	echo := ip6.Echo{Identifier: 1, Sequence: uint16(size), Data: make([]byte, size)}
	packet, err := ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}, ip6.ICMPv6EchoRequest, echo)
	if err != nil || n.HandlePacket(n.c.Now(), packet) != nil {
		return false
	}
	return n.c.RunUntil(pingLimit, func() bool {
		for {
			d, ok := n.PollPacket()
			if !ok {
				return false
			}
			if d.Protocol == ip6.ProtocolICMPv6 {
				if m, err := ip6.ParseICMPv6(d.Payload); err == nil && m.Type == ip6.ICMPv6EchoReply && len(m.Body) == 4+size {
					return true
				}
			}
		}
	})
}

func (n *engineNode) allowRouter(allowed bool) { n.Console().SetRouterRole(n.c.Now(), allowed) }

const pingLimit = 30 * time.Second

type processNode struct {
	*otsim.Process
}

func (n processNode) state() string {
	lines := n.Command("state")
	return lines[len(lines)-1]
}

func (n processNode) eid() netip.Addr { return netip.MustParseAddr(meshLocal(n.Process)[0]) }

func (n processNode) rloc() netip.Addr {
	for _, a := range n.Command("ipaddr") {
		if strings.Contains(a, ":0:ff:fe00:") && !strings.HasSuffix(a, ":fc00") {
			return netip.MustParseAddr(a)
		}
	}
	return netip.Addr{}
}

func (n processNode) ping(dst netip.Addr, size int) bool {
	return n.Process.Ping(dst.StringExpanded(), size, pingLimit)
}

// allowRouter has it take so few routers for too few: one whose role was taken away, and given back, waits until it is a child again.
func (n processNode) allowRouter(allowed bool) {
	n.Command("routerupgradethreshold %d", map[bool]int{true: 16, false: 0}[allowed])
}

func await(t *testing.T, c *otsim.Controller, n mixedNode, limit time.Duration, states ...string) {
	t.Helper()
	deadline := c.Now().Add(limit)
	for c.Now().Before(deadline) {
		s := n.state()
		for _, want := range states {
			if s == want {
				return
			}
		}
		c.Run(500 * time.Millisecond)
	}
	if name := os.Getenv("PYMESH_CAPTURE"); name != "" {
		c.WriteCapture(name)
	}
	t.Fatalf("state is %s after %v, want %v", n.state(), limit, states)
}

func pingAll(t *testing.T, a, b mixedNode) {
	t.Helper()
	for _, size := range []int{8, 200, 1000} {
		for _, way := range []struct{ from, to mixedNode }{{a, b}, {b, a}} {
			for _, dst := range []netip.Addr{way.to.eid(), way.to.rloc()} {
				if !way.from.ping(dst, size) {
					t.Errorf("%T: no reply from %v to %d bytes", way.from, dst, size)
				}
			}
		}
	}
}

// peersTiming is the timing of the real nodes.
func peersTiming() thread.Timing {
	if os.Getenv("PYMESH_OT_TIMING") == "stock" {
		return thread.TimingIEEE802154()
	}
	return thread.TimingPymesh()
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// makers are the ways to make a node.
func makers(t *testing.T, c *otsim.Controller) map[byte]func(id int) mixedNode {
	timing := peersTiming()
	return map[byte]func(id int) mixedNode{
		'o': func(id int) mixedNode { return startEngine(t, c, id, timing) },
		'r': func(id int) mixedNode { return processNode{startPeer(c, id)} },
	}
}

// mixed starts nodes of both kinds, 'o' for ours and 'r' for the reference's, one after the other: a leader, and routers.
func mixed(t *testing.T, order string) (c *otsim.Controller, nodes []mixedNode) {
	t.Helper()
	c = otsim.NewController(t)
	c.Program()
	m := makers(t, c)
	for i := range order {
		n, state := m[order[i]](i+1), "router"
		if i == 0 {
			state = "leader"
		}
		await(t, c, n, 400*time.Second, state)
		nodes = append(nodes, n)
	}
	return c, nodes
}

// TestMixedPairs: each side leads, each side is child and then router. It is a router when it may be, not when it wants to, as it may within a second:
// then its old address dies, and what is under way to or from that is lost.
func TestMixedPairs(t *testing.T) {
	for _, order := range []string{"or", "ro", "oo", "rr"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makers(t, c)
			leader := m[order[0]](1)
			await(t, c, leader, 60*time.Second, "leader")
			other := m[order[1]](2)
			other.allowRouter(false)
			await(t, c, other, 60*time.Second, "child")
			pingAll(t, leader, other)
			other.allowRouter(true)
			await(t, c, other, 200*time.Second, "router")
			c.Run(40 * time.Second)
			pingAll(t, leader, other)
		})
	}
}

// TestMixedChains: four in a row, with nodes of either kind in all places.
func TestMixedChains(t *testing.T) {
	for _, order := range []string{"oroo", "rorr", "roor", "orro", "oror", "roro"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makers(t, c)
			c.SetFilter(otsim.Chain(1, 2, 3, 4))
			var nodes []mixedNode
			for i := range order {
				n := m[order[i]](i + 1)
				if i == 0 {
					await(t, c, n, 60*time.Second, "leader")
				} else {
					await(t, c, n, 400*time.Second, "router")
				}
				nodes = append(nodes, n)
			}
			c.Run(100 * time.Second)
			for i := range nodes {
				for j := range i {
					pingAll(t, nodes[i], nodes[j])
				}
			}
		})
	}
}

// TestMixedLeaderLost: the leader goes, and one of the other kind takes over.
func TestMixedLeaderLost(t *testing.T) {
	for _, order := range []string{"oro", "ror", "orr", "roo"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makers(t, c)
			var nodes []mixedNode
			for i := range order {
				n := m[order[i]](i + 1)
				if i == 0 {
					await(t, c, n, 60*time.Second, "leader")
				} else {
					await(t, c, n, 400*time.Second, "router")
				}
				nodes = append(nodes, n)
			}
			c.Run(60 * time.Second)
			c.Remove(1)
			c.Run(300 * time.Second)
			a, b := nodes[1], nodes[2]
			if !(a.state() == "leader" && b.state() != "leader" || b.state() == "leader" && a.state() != "leader") {
				t.Fatalf("states %s and %s, want one leader", a.state(), b.state())
			}
			if !a.ping(b.eid(), 8) || !b.ping(a.eid(), 8) {
				t.Error("no reply after the leader was lost")
			}
		})
	}
}

// TestMixedRestart: a router restarts with what it stored, and is back at its place.
func TestMixedRestart(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		c := otsim.NewController(t)
		c.Program()
		m := makers(t, c)
		leader := m['r'](1)
		await(t, c, leader, 60*time.Second, "leader")
		n := m['o'](2).(*engineNode)
		await(t, c, n, 400*time.Second, "router")
		rloc, eid := n.rloc(), n.eid()
		c.Run(60 * time.Second)
		c.Remove(2)
		n.boot(t)
		await(t, c, n, 60*time.Second, "router")
		if n.rloc() != rloc || n.eid() != eid {
			t.Errorf("addresses %v %v after the restart, want %v %v", n.rloc(), n.eid(), rloc, eid)
		}
		c.Run(30 * time.Second)
		pingAll(t, leader, n)
	})
	t.Run("theirs", func(t *testing.T) {
		c := otsim.NewController(t)
		c.Program()
		m := makers(t, c)
		leader := m['o'](1)
		await(t, c, leader, 60*time.Second, "leader")
		n := m['r'](2).(processNode)
		await(t, c, n, 400*time.Second, "router")
		rloc := n.rloc()
		c.Run(60 * time.Second)
		n.Send("reset")
		// It remembers key and PAN ID by the dataset that our leader gave it.
		n.Command("ifconfig up")
		n.Command("thread start")
		await(t, c, n, 60*time.Second, "router")
		if n.rloc() != rloc {
			t.Errorf("RLOC %v after the restart, want %v", n.rloc(), rloc)
		}
		c.Run(30 * time.Second)
		pingAll(t, leader, n)
	})
}

// TestMixedKeySequence: either side moves the key sequence on, and the other follows.
func TestMixedKeySequence(t *testing.T) {
	c := otsim.NewController(t)
	c.Program()
	m := makers(t, c)
	ours := m['o'](1).(*engineNode)
	await(t, c, ours, 60*time.Second, "leader")
	theirs := m['r'](2).(processNode)
	await(t, c, theirs, 400*time.Second, "router")
	c.Run(60 * time.Second)

	if err := ours.Console().SetKeySequence(c.Now(), 1); err != nil {
		t.Fatal(err)
	}
	c.Run(60 * time.Second)
	if got := theirs.Command("keysequence counter"); got[len(got)-1] != "1" {
		t.Errorf("their key sequence %v, want 1", got)
	}
	pingAll(t, ours, theirs)

	theirs.Command("keysequence counter 5") // more than one ahead
	c.Run(60 * time.Second)
	if ours.Console().Keys.Sequence() != 5 {
		t.Errorf("our key sequence %d, want 5", ours.Console().Keys.Sequence())
	}
	pingAll(t, ours, theirs)
}

// TestMixedUDP: datagrams by mesh-local EID, RLOC and link-local address, both ways.
func TestMixedUDP(t *testing.T) {
	c := otsim.NewController(t)
	c.Program()
	m := makers(t, c)
	ours := m['o'](1).(*engineNode)
	await(t, c, ours, 60*time.Second, "leader")
	theirs := m['r'](2).(processNode)
	await(t, c, theirs, 60*time.Second, "child", "router")
	c.Run(5 * time.Second)
	theirs.Command("udp open")
	theirs.Command("udp bind :: 1234")

	for _, dst := range []netip.Addr{theirs.eid(), theirs.rloc()} {
		text := fmt.Sprintf("to-%x", dst.As16()[15])
		packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: ours.SelectSource(dst), Dst: dst}, 4321, 1234, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := ours.HandlePacket(c.Now(), packet); err != nil {
			t.Fatal(err)
		}
		c.Run(0)
		if _, ok := theirs.Await(text, 20*time.Second); !ok {
			t.Errorf("nothing arrived at %v", dst)
		}
	}
	for _, dst := range []netip.Addr{ours.eid(), ours.rloc()} {
		theirs.Command("udp send %s 4321 hello", dst.StringExpanded())
		got := c.RunUntil(20*time.Second, func() bool {
			for {
				d, ok := ours.PollPacket()
				if !ok {
					return false
				}
				if d.Protocol == ip6.ProtocolUDP && d.Dst == dst &&
					strings.HasPrefix(string(d.Payload[ip6.UDPHeaderSize:]), "hello") {
					return true
				}
			}
		})
		if !got {
			t.Errorf("nothing arrived at our %v", dst)
		}
	}
}
