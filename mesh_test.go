package pymesh_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

var testKey = pymesh.MustParseKey("112233")

// A mesh is a simulated air with nodes on it, all in one bubble of synctest: hours pass in an instant.
type mesh struct {
	*testing.T
	air    *lorasim.Air
	radios []*lorasim.Radio
	nodes  int
}

// inMesh runs a test in a bubble. The bubble fails a test that leaves a goroutine behind.
func inMesh(t *testing.T, test func(t *testing.T, m *mesh)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, &mesh{T: t, air: lorasim.NewAir(lorasim.Options{Seed: 1})})
	})
}

// radio puts a radio on the air, ten meters from the one before: all hear each other, even when they listen before they talk.
func (m *mesh) radio() *lorasim.Radio {
	r := m.air.Radio(lora.Config{}, lorasim.Position{X: 10 * float64(len(m.radios))})
	m.radios = append(m.radios, r)
	return r
}

// start starts a node, with a seeded source of randomness, which is closed at the end of the test.
func (m *mesh) start(radio lora.Radio, options ...pymesh.Option) *pymesh.Node {
	m.Helper()
	m.nodes++
	seed := [32]byte{byte(m.nodes)}
	defaults := []pymesh.Option{pymesh.WithKey(testKey), pymesh.WithRand(rand.NewChaCha8(seed))}
	n, err := pymesh.New(radio, append(defaults, options...)...)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		if err := n.Close(); err != nil {
			m.Error(err)
		}
	})
	return n
}

// attached starts a node on a new radio and waits until it is part of a mesh.
func (m *mesh) attached(options ...pymesh.Option) *pymesh.Node {
	m.Helper()
	n := m.start(m.radio(), options...)
	m.wait(n)
	return n
}

func (m *mesh) wait(n *pymesh.Node) {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.WaitAttached(ctx); err != nil {
		m.Fatalf("%v: %v", n, err)
	}
}

// until waits until a condition holds, by virtual time.
func (m *mesh) until(limit time.Duration, what string, condition func() bool) {
	m.Helper()
	for end := time.Now().Add(limit); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// ping pings a node, several times if need be: the air loses a packet now and then.
func (m *mesh) ping(n *pymesh.Node, dst netip.Addr, size int) pymesh.Pong {
	m.Helper()
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		p, err := n.Ping(ctx, dst, size)
		cancel()
		if err == nil {
			return p
		}
		m.Logf("ping of %v: %v", dst, err)
	}
	m.Fatalf("no answer from %v\n%+v", dst, n.Counters())
	return pymesh.Pong{}
}

// listen opens a socket that is closed at the end of the test.
func (m *mesh) listen(n *pymesh.Node, addr string) *pymesh.UDPConn {
	m.Helper()
	c, err := n.ListenUDP(netip.MustParseAddrPort(addr))
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { c.Close() })
	return c
}

// dial opens a connected socket that is closed at the end of the test.
func (m *mesh) dial(n *pymesh.Node, local, remote netip.AddrPort) *pymesh.UDPConn {
	m.Helper()
	c, err := n.DialUDP(local, remote)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { c.Close() })
	return c
}

// send sends a datagram.
func (m *mesh) send(c *pymesh.UDPConn, payload string, to netip.AddrPort) {
	m.Helper()
	if n, err := c.WriteToUDPAddrPort([]byte(payload), to); n != len(payload) || err != nil {
		m.Fatalf("WriteToUDPAddrPort: %d, %v", n, err)
	}
}

// expect reads a datagram.
func (m *mesh) expect(c *pymesh.UDPConn, payload string) (from netip.AddrPort) {
	m.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.Fatal(err)
	}
	buf := make([]byte, pymesh.MaxDatagramSize)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		m.Fatal(err)
	}
	if got := string(buf[:n]); got != payload {
		m.Fatalf("got %q, want %q", got, payload)
	}
	return from
}

// expectNothing fails if a datagram arrives within 10 seconds.
func (m *mesh) expectNothing(c *pymesh.UDPConn) {
	m.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		m.Fatal(err)
	}
	buf := make([]byte, pymesh.MaxDatagramSize)
	if n, from, err := c.ReadFromUDPAddrPort(buf); err == nil {
		m.Fatalf("got %q from %v, want nothing", buf[:n], from)
	}
}

// localPort returns the port of a socket.
func localPort(c *pymesh.UDPConn) uint16 { return addrPort(c).Port() }

// at returns the mesh-local EID of a node with a port.
func at(n *pymesh.Node, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(n.MeshLocalEID(), port)
}

// addrPort returns what a socket is bound to.
func addrPort(c *pymesh.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func udpAddr(a netip.AddrPort) *net.UDPAddr { return net.UDPAddrFromAddrPort(a) }
