//go:build unix

package otsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
)

const networkKey = "0134c0de1ab51234c0de1ab5ca1a110f"

// startPeer starts a real node on Pymesh's defaults.
func startPeer(c *otsim.Controller, id int) *otsim.Process {
	p := c.AddProcess(c.Program(), id)
	p.SetNetwork(networkKey)
	p.Command("ifconfig up")
	p.Command("thread start")
	return p
}

// meshLocal returns the addresses of a node below the mesh-local prefix, without the
// locators, of which the interface identifier is 0:ff:fe00:….
func meshLocal(p *otsim.Process) []string {
	return slices.DeleteFunc(p.Command("ipaddr"), func(addr string) bool {
		return !strings.HasPrefix(addr, "fdde:ad00:beef:0:") || strings.Contains(addr, ":0:ff:fe00:")
	})
}

func TestPeersFormNetwork(t *testing.T) {
	c := otsim.NewController(t)
	leader := startPeer(c, 1)
	if state, ok := leader.AwaitState(40*time.Second, "leader"); !ok {
		t.Fatalf("first node is %s, want leader", state)
	}
	child := startPeer(c, 2)
	if state, ok := child.AwaitState(30*time.Second, "child", "router"); !ok {
		t.Fatalf("second node is %s, want child", state)
	}
	addrs := meshLocal(leader)
	if len(addrs) != 1 {
		t.Fatalf("mesh-local addresses of the leader: %v", addrs)
	}
	for _, size := range []int{8, 200, 1000} {
		if !child.Ping(addrs[0], size, 10*time.Second) {
			t.Errorf("no reply to a ping of %d bytes", size)
		}
	}
	if _, err := leader.TryCommand("no such command"); err == nil {
		t.Error("a command that does not exist succeeded")
	}
	if state, ok := child.AwaitState(180*time.Second, "router"); !ok {
		t.Errorf("second node is %s, want router", state)
	}
}

func TestPeersInChain(t *testing.T) {
	c := otsim.NewController(t)
	c.SetFilter(otsim.Chain(1, 2, 3, 4))
	var nodes []*otsim.Process
	for id := 1; id <= 4; id++ {
		p := startPeer(c, id)
		state := "router"
		if id == 1 {
			state = "leader"
		}
		if got, ok := p.AwaitState(300*time.Second, state); !ok {
			t.Fatalf("node %d is %s, want %s", id, got, state)
		}
		nodes = append(nodes, p)
	}
	c.Run(60 * time.Second) // routes
	if !nodes[0].Ping(meshLocal(nodes[3])[0], 100, 20*time.Second) {
		t.Error("no reply over three hops")
	}
	for _, s := range c.Sent() {
		if s.From < 1 || s.From > 4 {
			t.Fatalf("frame from node %d", s.From)
		}
	}
}

func TestPeersLoseLeader(t *testing.T) {
	c := otsim.NewController(t)
	leader := startPeer(c, 1)
	leader.AwaitState(40*time.Second, "leader")
	router := startPeer(c, 2)
	if state, ok := router.AwaitState(300*time.Second, "router"); !ok {
		t.Fatalf("second node is %s, want router", state)
	}
	c.Remove(1)
	if state, ok := router.AwaitState(300*time.Second, "leader"); !ok {
		t.Errorf("second node is %s after the leader is gone, want leader", state)
	}
}

func TestPeerReset(t *testing.T) {
	c := otsim.NewController(t)
	p := startPeer(c, 1)
	p.AwaitState(40*time.Second, "leader")
	p.Send("reset")
	if got := p.Command("state"); !slices.Equal(got, []string{"disabled"}) {
		t.Errorf("state after reset: %q", got)
	}
	if got := keyOf(p); got != networkKey {
		t.Errorf("key after reset: %q", got)
	}
	p.Command("ifconfig up")
	p.Command("thread start")
	if state, ok := p.AwaitState(60*time.Second, "leader"); !ok {
		t.Errorf("state after restart: %s", state)
	}
}
