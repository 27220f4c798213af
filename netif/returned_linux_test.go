package netif

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReturned has a host whose routes lead into the mesh what the mesh gives it for the outside: no packet goes round, and whoever has sent it
// is told, be it a program of the host or a node.
func TestReturned(t *testing.T) {
	t.Parallel()
	need(t, "ping", "ip", "sysctl")
	gateway := newHost(t)
	world(t, gateway)
	m := newMesh(t, 3)
	prefix := netip.MustParsePrefix("fd12:3456:789a:1::/64")
	i, err := gateway.up(m.nodes[0], Options{BorderRouter: &BorderRouter{Prefix: prefix}, Routes: []netip.Prefix{netip.MustParsePrefix("2001:db8:99::/48")}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	node := m.nodes[2]
	m.wait(t, "addresses in the prefix", func() bool {
		out, _ := gateway.run("ip", "-6", "addr", "show", "dev", "pymesh0")
		for _, a := range node.IPAddrs() {
			if prefix.Contains(a) {
				return strings.Contains(out, "fd12:3456:789a:1")
			}
		}
		return false
	})
	const nowhere = "2001:db8:99::1"
	before := i.Stats()
	out, err := gateway.run("ping", "-c", "1", "-W", "3", nowhere)
	if err == nil || !strings.Contains(out, "No route") {
		t.Errorf("the host's program is not told: %v %s", err, out)
	}
	m.wait(t, "it is counted", func() bool { return i.Stats().ToMesh[Returned].Packets > before.ToMesh[Returned].Packets })
	after := i.Stats()
	t.Logf("to the mesh %v, to the host %v", after.ToMesh, after.ToHost)
	if n := after.ToHost[Passed].Packets - before.ToHost[Passed].Packets; n > 2 { // the packet, and the error
		t.Errorf("%d packets for the host of one ping", n)
	}

	c, err := node.DialUDP(netip.AddrPort{}, netip.AddrPortFrom(netip.MustParseAddr(nowhere), 7))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m.wait(t, "the node is told", func() bool {
		if _, err := c.Write([]byte("hello")); err != nil {
			return errors.Is(err, syscall.ENETUNREACH)
		}
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		_, err := c.Read(make([]byte, 10))
		return errors.Is(err, syscall.ENETUNREACH)
	})
	t.Logf("to the mesh %v, to the host %v", i.Stats().ToMesh, i.Stats().ToHost)
}
