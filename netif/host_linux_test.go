package netif

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
)

// speed is how much faster than the wall clock the simulated mesh lives: programs of the host still wait long enough for their answers.
const speed = 10

// host is a host of its own: a network namespace.
type host struct {
	t  *testing.T
	ns netns.NsHandle
}

// newHost makes a namespace, or skips the test where that is not possible.
func newHost(t *testing.T) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: only root makes network namespaces and TUN devices")
	}
	if _, err := os.Stat(tunPath); err != nil {
		t.Skipf("skipped: %v", err)
	}
	h := &host{t: t}
	err := detached(func() (err error) {
		h.ns, err = netns.New()
		if err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if err != nil {
		t.Skipf("skipped: no network namespaces here: %v", err)
	}
	t.Cleanup(func() { _ = h.ns.Close() })
	return h
}

// detached runs f in a thread that ends with it, whatever namespace it is in then.
func detached(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		done <- f()
	}()
	return <-done
}

// in runs f inside the host.
func (h *host) in(f func() error) error {
	return detached(func() error {
		if err := netns.Set(h.ns); err != nil {
			return err
		}
		return f()
	})
}

// run runs a program on the host and returns what it prints.
func (h *host) run(name string, args ...string) (string, error) {
	var out bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &out
	err := h.in(c.Start)
	if err == nil {
		err = c.Wait()
	}
	return out.String(), err
}

// must is run for what has to work.
func (h *host) must(name string, args ...string) string {
	h.t.Helper()
	out, err := h.run(name, args...)
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// there is the kernel of a host.
type there struct {
	kernel
	h *host
}

func (k there) begin() error           { return k.h.in(k.kernel.begin) }
func (k there) apply(s settings) error { return k.h.in(func() error { return k.kernel.apply(s) }) }
func (k there) check(s settings) (c []string, err error) {
	err = k.h.in(func() (err error) { c, err = k.kernel.check(s); return err })
	return c, err
}
func (k there) watch(stop <-chan struct{}, changed, gone func()) error {
	return k.h.in(func() error { return k.kernel.watch(stop, changed, gone) })
}
func (k there) hasUplink(through string) (up bool, err error) {
	err = k.h.in(func() (err error) { up, err = k.kernel.hasUplink(through); return err })
	return up, err
}

// up is Up on the host.
func (h *host) up(n *pymesh.Node, o Options) (*Interface, error) { return h.open(n, o, false) }

func (h *host) open(n *pymesh.Node, o Options, fixed bool) (*Interface, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	var dev *tun
	var k link
	err := h.in(func() (err error) {
		if dev, err = openTUN(o.Name); err == nil {
			k, err = linkByName(dev.name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return start(context.Background(), n, dev, there{k, h}, dev.name, fixed, o)
}

// mesh is a row of nodes, of which each hears its neighbors alone.
type mesh struct {
	air    *lorasim.Air
	radios []*lorasim.Radio
	nodes  []*pymesh.Node
}

func newMesh(t *testing.T, n int) *mesh {
	t.Helper()
	m := &mesh{air: lorasim.NewAir(lorasim.Options{Seed: 1, Speed: speed, Propagation: lorasim.LinksOnly})}
	for i := range n {
		r := m.air.Radio(lora.Config{}, lorasim.Position{})
		if i > 0 {
			m.air.SetLink(m.radios[i-1], r, -80)
		}
		m.radios = append(m.radios, r)
		key := sha256.Sum256([]byte("netif test"))
		node, err := pymesh.New(r, pymesh.WithKey(key[:16]), pymesh.WithMAC(pymesh.MAC(0x0200_0000_0000_0001+uint64(i))),
			pymesh.WithStore(new(thread.MemoryStore)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Close() })
		m.nodes = append(m.nodes, node)
	}
	m.wait(t, "one mesh", func() bool {
		leader, ok := m.nodes[0].Leader()
		for _, n := range m.nodes {
			if l, found := n.Leader(); !found || !ok || l != leader {
				return false
			}
		}
		return len(m.nodes) == 1 || !m.nodes[0].Single()
	})
	return m
}

// wait waits for something to become true.
func (m *mesh) wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 90 s: %s", what)
		}
	}
}

// need skips the test where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("skipped: %s is not installed", p)
		}
	}
}

// TestHosts has two hosts, with the kernel's own programs, talk through a LoRa mesh of four nodes.
func TestHosts(t *testing.T) {
	need(t, "ping", "nc", "ip")
	a, b := newHost(t), newHost(t)
	m := newMesh(t, 4)
	first, last := m.nodes[0], m.nodes[3]
	ia, err := a.up(first, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ia.Close()
	ib, err := b.up(last, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ib.Close()
	peer := last.MeshLocalEID().String()

	t.Run("ping", func(t *testing.T) {
		t.Log(a.must("ping", "-c", "3", "-i", "1", "-W", "5", peer))
		t.Log(a.must("ping", "-c", "2", "-W", "5", "-s", "400", m.nodes[2].MeshLocalEID().String()))
	})
	t.Run("multicast", func(t *testing.T) {
		out := a.must("ping", "-c", "2", "-W", "5", "-I", "pymesh0", "ff03::1")
		if !strings.Contains(out, "bytes from") {
			t.Error(out)
		}
	})
	t.Run("udp", func(t *testing.T) {
		for _, size := range []int{10, 1232, 2000} {
			if got := exchange(t, a, b, netip.AddrPortFrom(last.MeshLocalEID(), 7000), size); got != size {
				t.Errorf("%d bytes: %d arrived", size, got)
			}
		}
	})
	t.Run("port unreachable", func(t *testing.T) {
		err := a.in(func() error { return refused(netip.AddrPortFrom(last.MeshLocalEID(), 7001)) })
		if err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%v", err)
		}
	})
	t.Run("TCP is off", func(t *testing.T) {
		err := a.in(func() error {
			c, err := net.DialTimeout("tcp6", net.JoinHostPort(peer, "7002"), 5*time.Second)
			if err == nil {
				_ = c.Close()
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%v", err)
		}
	})
	t.Run("link down and up", func(t *testing.T) {
		a.must("ip", "link", "set", "pymesh0", "down")
		a.must("ip", "link", "set", "pymesh0", "up")
		m.wait(t, "the address is back", func() bool {
			out, _ := a.run("ip", "-6", "addr", "show", "dev", "pymesh0")
			return strings.Contains(out, first.MeshLocalEID().String())
		})
		t.Log(a.must("ping", "-c", "1", "-W", "5", peer))
	})
	t.Run("deleted", func(t *testing.T) {
		a.must("ip", "link", "del", "pymesh0")
		select {
		case <-ia.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on")
		}
		if ia.Err() == nil || !strings.Contains(ia.Err().Error(), "deleted") {
			t.Errorf("Err: %v", ia.Err())
		}
	})
	t.Logf("a: %+v", ia.Stats())
	t.Logf("b: %+v", ib.Stats())
}

// exchange sends one datagram from a host to another and returns how much of it arrived.
func exchange(t *testing.T, from, to *host, dst netip.AddrPort, size int) int {
	t.Helper()
	var server, client net.PacketConn
	err := to.in(func() (err error) { server, err = net.ListenPacket("udp6", dst.String()); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	err = from.in(func() (err error) { client, err = net.ListenPacket("udp6", "[::]:0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.WriteTo(bytes.Repeat([]byte{'x'}, size), net.UDPAddrFromAddrPort(dst)); err != nil {
		t.Fatal(err)
	}
	_ = server.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	n, _, err := server.ReadFrom(buf)
	if err != nil {
		t.Errorf("%d bytes: %v", size, err)
	}
	return n
}

// refused sends to a port and returns the error that comes back.
func refused(dst netip.AddrPort) error {
	c, err := net.Dial("udp6", dst.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("anybody?")); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err = c.Read(make([]byte, 100))
	return err
}

var _ = fmt.Sprint
