package netif

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
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
func (k there) lost(s settings) (lost bool) {
	_ = k.h.in(func() error { lost = k.kernel.lost(s); return nil })
	return lost
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
		node, err := pymesh.New(r, pymesh.WithKey(pymesh.MustParseKey("6e65746966")), pymesh.WithMAC(pymesh.MAC(0x0200_0000_0000_0001+uint64(i))),
			pymesh.WithStore(new(pymesh.MemoryStore)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Close() })
		m.nodes = append(m.nodes, node)
	}
	m.wait(t, "one mesh", func() bool {
		leader, ok := m.nodes[0].Leader()
		for _, n := range m.nodes {
			if l, found := n.Leader(); !found || !ok || l.PartitionID != leader.PartitionID {
				return false
			}
		}
		return true
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
	t.Parallel()
	need(t, "ping", "ip")
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
		a.pings(m, peer)
		a.pings(m, m.nodes[2].MeshLocalEID().String(), "-s", "400")
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
		a.pings(m, peer)
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

// pings pings until there is an answer: the air loses a packet now and then.
func (h *host) pings(m *mesh, dst string, args ...string) {
	h.t.Helper()
	m.wait(h.t, "an answer from "+dst, func() bool {
		_, err := h.run("ping", append(args, "-c", "1", "-W", "3", dst)...)
		return err == nil
	})
}

// exchange sends a datagram from a host to another, several times if need be, and returns how much of it arrived.
func exchange(t *testing.T, from, to *host, dst netip.AddrPort, size int) int {
	t.Helper()
	var server, client net.PacketConn
	listen := func() (err error) { server, err = net.ListenPacket("udp6", dst.String()); return err }
	err := to.in(listen)
	// A program that another test has just forked has the last socket, too, until it executes.
	for deadline := time.Now().Add(10 * time.Second); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(deadline); err = to.in(listen) {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	err = from.in(func() (err error) { client, err = net.ListenPacket("udp6", "[::]:0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, 4096)
	for range 8 { // the air loses a packet now and then
		if _, err := client.WriteTo(bytes.Repeat([]byte{'x'}, size), net.UDPAddrFromAddrPort(dst)); err != nil {
			t.Fatal(err)
		}
		_ = server.SetReadDeadline(time.Now().Add(4 * time.Second))
		if n, _, err := server.ReadFrom(buf); err == nil {
			return n
		}
	}
	t.Errorf("%d bytes do not arrive", size)
	return 0
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

// TestSilence lets a kernel say what it says by itself: none of it reaches the mesh.
func TestSilence(t *testing.T) {
	t.Parallel()
	need(t, "ip", "sysctl")
	h := newHost(t)
	m := newMesh(t, 1)
	i, err := h.up(m.nodes[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	h.must("sysctl", "-qw", "net.ipv6.conf.pymesh0.accept_ra=2")
	h.must("ip", "link", "set", "pymesh0", "addrgenmode", "eui64")
	h.must("ip", "addr", "add", "fe80::1/64", "dev", "pymesh0")
	m.wait(t, "router solicitations", func() bool { return i.Stats().ToMesh[Chatter].Packets > 2 })
	if p := i.Stats().ToMesh[Passed]; p.Packets > 0 {
		t.Errorf("%+v", i.Stats())
	}
}

// TestGroups has a program of the host listen to a group, by which the node does.
func TestGroups(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := newMesh(t, 2)
	i, err := h.up(m.nodes[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	group := netip.MustParseAddr("ff03::1234")
	var server *net.UDPConn
	err = h.in(func() (err error) {
		device, err := net.InterfaceByName("pymesh0")
		if err == nil {
			server, err = net.ListenMulticastUDP("udp6", device, &net.UDPAddr{IP: group.AsSlice(), Port: 7200})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.wait(t, "the node joins", func() bool { i.mu.Lock(); defer i.mu.Unlock(); return len(i.groups) == 1 })
	sender, err := m.nodes[1].ListenUDP(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if _, err := sender.WriteToUDPAddrPort([]byte("hello"), netip.AddrPortFrom(group, 7200)); err != nil {
		t.Fatal(err)
	}
	_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, from, err := server.ReadFrom(make([]byte, 100)); err != nil || n != 5 {
		t.Errorf("%d bytes from %v: %v", n, from, err)
	}
	_ = server.Close()
	m.wait(t, "the node leaves", func() bool { i.mu.Lock(); defer i.mu.Unlock(); return len(i.groups) == 0 })
}

// TestLeftovers finds a device as a crash has left it, held by nobody, with addresses and routes of before.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	need(t, "ip")
	h := newHost(t)
	m := newMesh(t, 1)
	for _, line := range []string{"tuntap add dev pymesh0 mode tun", "link set pymesh0 up", "addr add fd99::1/128 dev pymesh0",
		"-6 route add fd99::/64 dev pymesh0 proto 109", "-6 route add fd98::/64 dev pymesh0"} {
		h.must("ip", strings.Fields(line)...)
	}
	i, err := h.up(m.nodes[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	addresses, routes := h.must("ip", "-6", "addr", "show", "dev", "pymesh0"), h.must("ip", "-6", "route", "show", "dev", "pymesh0")
	if strings.Contains(addresses, "fd99::1") || !strings.Contains(addresses, m.nodes[0].MeshLocalEID().String()) {
		t.Error(addresses)
	}
	if strings.Contains(routes, "fd99::/64") || !strings.Contains(routes, "fd98::/64") || !strings.Contains(routes, "fdde:ad00:beef::/64") {
		t.Error(routes)
	}
	// Somebody else, meanwhile.
	if _, err := h.up(m.nodes[0], Options{}); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("twice: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if err := i.Close(); err != nil || i.Err() != nil {
		t.Error(err, i.Err())
	}
}

// TestAttach uses a device that somebody else has made ready, and says what is missing.
func TestAttach(t *testing.T) {
	t.Parallel()
	need(t, "ip")
	h := newHost(t)
	m := newMesh(t, 1)
	h.must("ip", "tuntap", "add", "dev", "pymesh0", "mode", "tun")
	_, err := h.open(m.nodes[0], Options{}, true)
	if err == nil {
		t.Fatal("a bare device will do")
	}
	lines := strings.Split(err.Error(), "\n")[1:]
	if len(lines) != 5 {
		t.Fatalf("%v", err)
	}
	for _, line := range lines { // the commands are what a user would paste
		h.must("ip", strings.Fields(line)[1:]...)
	}
	i, err := h.open(m.nodes[0], Options{}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if p := i.Stats().ToMesh[Passed]; p.Packets > 0 {
		t.Errorf("%+v", i.Stats())
	}
}

// world is a host beside a gateway, with a cable between them.
func world(t *testing.T, gateway *host) (outside *host) {
	t.Helper()
	outside = newHost(t)
	err := gateway.in(func() error {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wan0"}, PeerName: "lan0", PeerNamespace: netlink.NsFd(int(outside.ns))}
		return netlink.LinkAdd(veth)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"addr add 2001:db8::1/64 dev wan0 nodad", "link set wan0 up", "-6 route add default via 2001:db8::2 dev wan0"} {
		gateway.must("ip", strings.Fields(line)...)
	}
	for _, line := range []string{"addr add 2001:db8::2/64 dev lan0 nodad", "link set lan0 up", "-6 route add fd12:3456:789a:1::/64 via 2001:db8::1 dev lan0"} {
		outside.must("ip", strings.Fields(line)...)
	}
	gateway.must("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
	return outside
}

// TestBorderRouter has a mesh reach the world through a host, and the world the mesh as far as the rules allow.
func TestBorderRouter(t *testing.T) {
	t.Parallel()
	need(t, "ping", "ip", "sysctl")
	gateway, field := newHost(t), newHost(t)
	outside := world(t, gateway)
	m := newMesh(t, 3)
	rule, err := ParseRule("udp port 7100")
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("fd12:3456:789a:1::/64")
	ig, err := gateway.up(m.nodes[0], Options{BorderRouter: &BorderRouter{Prefix: prefix, Rules: []Rule{rule}}})
	if err != nil {
		t.Fatal(err)
	}
	defer ig.Close()
	far, err := field.up(m.nodes[2], Options{Routes: []netip.Prefix{netip.MustParsePrefix("::/0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var addr netip.Addr
	m.wait(t, "an address in the prefix on the far host", func() bool {
		for _, a := range m.nodes[2].IPAddrs() {
			if prefix.Contains(a) {
				addr = a
			}
		}
		out, _ := field.run("ip", "-6", "addr", "show", "dev", "pymesh0")
		return addr.IsValid() && strings.Contains(out, addr.String())
	})

	t.Run("out and back", func(t *testing.T) {
		field.pings(m, "2001:db8::2")
	})
	t.Run("nothing unasked comes in", func(t *testing.T) {
		if out, err := outside.run("ping", "-c", "1", "-W", "3", addr.String()); err == nil || !strings.Contains(out, "prohibited") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("but what a rule lets in", func(t *testing.T) {
		if n := exchange(t, outside, field, netip.AddrPortFrom(addr, 7100), 50); n != 50 {
			t.Errorf("%d bytes", n)
		}
	})
	for _, tt := range []struct{ what, says string }{{"fd99::1", "No route"}, {"2001:db8::2 -t 1", "exceeded"}} {
		t.Run("an error for "+tt.what, func(t *testing.T) {
			m.wait(t, tt.says, func() bool {
				out, _ := field.run("ping", append([]string{"-c", "1", "-W", "3"}, strings.Fields(tt.what)...)...)
				return strings.Contains(out, tt.says)
			})
		})
	}
	t.Run("no mesh-local address outside", func(t *testing.T) {
		before := far.Stats().ToMesh[NoRoute].Packets + ig.Stats().ToHost[Spoofed].Packets
		_, _ = field.run("ping", "-c", "1", "-W", "2", "-I", m.nodes[2].MeshLocalEID().String(), "2001:db8::2")
		m.wait(t, "it is counted", func() bool { return far.Stats().ToMesh[NoRoute].Packets+ig.Stats().ToHost[Spoofed].Packets > before })
	})
	t.Run("no uplink, no default route", func(t *testing.T) {
		gateway.must("ip", "link", "set", "wan0", "down")
		m.wait(t, "the far host hears that there is no way", func() bool {
			out, _ := field.run("ping", "-c", "1", "-W", "2", "2001:db8::2")
			return strings.Contains(out, "No route") || strings.Contains(out, "unreachable")
		})
	})
	t.Logf("gateway: %+v", ig.Stats())
	t.Logf("field: %+v", far.Stats())
}
