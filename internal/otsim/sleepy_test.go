//go:build unix

package otsim_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// allThreadNodes is the group of all nodes, those that sleep too.
var allThreadNodes = netip.MustParseAddr("ff33:40:fdde:ad00:beef::1")

// makeSleepy adds the ways to make a node that sleeps and polls every two seconds.
func makeSleepy(t *testing.T, c *otsim.Controller) map[byte]func(id int) mixedNode {
	m := makers(t, c)
	ours, theirs := m['o'], m['r']
	m['s'] = func(id int) mixedNode {
		n := ours(id).(*engineNode)
		n.setSleepy(t, true)
		if err := n.SetPollPeriod(c.Now(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		return n
	}
	m['z'] = func(id int) mixedNode {
		n := theirs(id).(processNode)
		n.Command("thread stop")
		n.setSleepy(t, true)
		if _, err := n.TryCommand("masterkey"); err == nil {
			n.Command("pollperiod 2")
		} else {
			n.Command("pollperiod 2000") // today's count in milliseconds
		}
		n.Command("thread start")
		return n
	}
	return m
}

// apart keeps two nodes from hearing each other.
func apart(a, b int) otsim.Filter {
	return func(from, to int, _ []byte) bool { return (from != a || to != b) && (from != b || to != a) }
}

// sleeper is a node that can be told to sleep.
type sleeper interface {
	mixedNode
	setSleepy(t *testing.T, on bool)
}

func (n *engineNode) setSleepy(t *testing.T, on bool) {
	mode := thread.ModeMinimalEndDevice
	if on {
		mode = thread.ModeSleepyEndDevice
	}
	if err := n.Console().SetMode(n.c.Now(), mode); err != nil {
		t.Fatal(err)
	}
	n.c.Run(0)
}

func (n processNode) setSleepy(_ *testing.T, on bool) {
	before, today := "rsn", "rn"
	if on {
		before, today = "sn", "n"
	}
	if _, err := n.TryCommand("mode %s", before); err != nil {
		n.Command("mode %s", today)
	}
}

// TestMixedSleepy: a sleeping child of either kind at a parent of the other is found by its addresses, gets datagrams of all sizes and
// multicasts, stays a child for longer than its timeout, and changes between sleeping and listening.
func TestMixedSleepy(t *testing.T) {
	for _, order := range []string{"rs", "oz", "os"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makeSleepy(t, c)
			parent := m[order[0]](1)
			await(t, c, parent, 60*time.Second, "leader")
			child := m[order[1]](2).(sleeper)
			await(t, c, child, 90*time.Second, "child")
			c.Run(10 * time.Second)
			pingAll(t, parent, child)
			if !parent.ping(allThreadNodes, 16) {
				t.Error("no reply to a multicast")
			}
			c.Run(600 * time.Second)
			if s := child.state(); s != "child" {
				t.Fatalf("state %s after ten minutes", s)
			}
			if !parent.ping(child.eid(), 8) {
				t.Error("no reply after ten minutes")
			}
			for _, sleepy := range []bool{false, true} {
				child.setSleepy(t, sleepy)
				c.Run(15 * time.Second)
				if s := child.state(); s != "child" {
					t.Fatalf("state %s after a change of mode", s)
				}
				pingAll(t, parent, child)
			}
		})
	}
}

// TestMixedSleepyMoves: a sleeping child whose parent it does not hear any more finds another one, and is reached there by who knew it at
// the other; one of ours by its last parent, too.
func TestMixedSleepyMoves(t *testing.T) {
	for _, order := range []string{"rrs", "oos", "ros", "ors", "orz", "ooz", "roz"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			m := makeSleepy(t, c)
			leader := m[order[0]](1)
			await(t, c, leader, 60*time.Second, "leader")
			router := m[order[1]](2)
			await(t, c, router, 400*time.Second, "router")
			c.Run(60 * time.Second)
			c.SetFilter(apart(1, 3))
			child := m[order[2]](3).(sleeper)
			await(t, c, child, 90*time.Second, "child")
			c.Run(10 * time.Second)
			if !leader.ping(child.eid(), 8) {
				t.Fatal("no reply by the first parent")
			}
			c.SetFilter(apart(2, 3))
			before := child.rloc()
			deadline := c.Now().Add(300 * time.Second)
			for child.rloc() == before || child.state() != "child" {
				if c.Run(time.Second); c.Now().After(deadline) {
					t.Fatalf("still %v", before)
				}
			}
			c.Run(10 * time.Second)
			if !leader.ping(child.eid(), 8) && !leader.ping(child.eid(), 9) {
				t.Error("no reply from the leader's child")
			}
			// Theirs tell their last parent only if they are built to.
			if order[2] == 's' && !router.ping(child.eid(), 8) && !router.ping(child.eid(), 9) {
				t.Error("no reply to the last parent")
			}
		})
	}
}

// TestMixedSleepyParentRestart: a parent restarts, and has its sleeping child back without that noticing.
func TestMixedSleepyParentRestart(t *testing.T) {
	c := otsim.NewController(t)
	c.Program()
	m := makeSleepy(t, c)
	leader := m['r'](1)
	await(t, c, leader, 60*time.Second, "leader")
	parent := m['o'](2).(*engineNode)
	await(t, c, parent, 400*time.Second, "router")
	c.Run(60 * time.Second)
	c.SetFilter(apart(1, 3))
	child := m['z'](3)
	await(t, c, child, 90*time.Second, "child")
	c.Run(20 * time.Second)
	rloc := child.rloc()
	c.Remove(2)
	c.Run(2 * time.Second)
	parent.boot(t)
	await(t, c, parent, 60*time.Second, "router")
	c.Run(60 * time.Second)
	if child.rloc() != rloc || !leader.ping(child.eid(), 8) {
		t.Errorf("place %v, was %v; or no reply", child.rloc(), rloc)
	}
	for ch := range parent.Console().Neighbors.Children.Established() {
		if !ch.Valid() || ch.Mode.Has(mle.ModeRxOnWhenIdle) {
			t.Errorf("child %v: valid %v, mode %v", ch.RLOC16, ch.Valid(), ch.Mode)
		}
	}
}
