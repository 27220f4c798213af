//go:build unix

package thread_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// TestMixedBorderAgent: OpenThread is the leader, the joiner router and the joiner. A commissioner outside, by a border agent of ours, lets the joiner
// in, asks a node, changes the network, hears of others' changes, and resigns.
func TestMixedBorderAgent(t *testing.T) {
	c, leader, o := mixedAgent(t)
	o.petition()
	o.allowAnyJoiner()
	pass := func(d time.Duration) {
		end := c.Now().Add(d)
		o.until(2*d, "time", func() bool { return c.Now().After(end) })
	}
	pass(10 * time.Second)
	joiner := c.AddProcess(c.Program(), 3)
	joiner.Command("ifconfig up")
	joiner.Lines()
	joiner.Command("joiner start %s", joinerPassword)
	said := ""
	o.until(5*time.Minute, "the end of joining", func() bool {
		said += strings.Join(joiner.Lines(), "\n")
		return strings.Contains(said, "Join ")
	})
	if !strings.Contains(said, "Join success") {
		t.Fatalf("%s; %+v", said, o.agent.Counters)
	}
	o.askNode(leaderOf(t, o.engine))
	o.set(tmf.URIActiveSet, append(timestamp(meshcop.TypeActiveTimestamp, 100), meshcop.AppendNetworkName(nil, "renamed")...))
	o.until(time.Minute, "another name", func() bool { return o.engine.Network().Name == "renamed" })
	o.heard = nil
	leader.Command("dataset mgmtsetcommand active activetimestamp 200 networkname again")
	o.hearsOfChange()
	payload := append(meshcop.AppendState(nil, meshcop.StateReject), o.sessionTLV()...)
	o.next = time.Time{}
	if b := o.ask(tmf.URICommissionerKeepAlive, payload); stateOf(b) != meshcop.StateReject {
		t.Errorf("resigns: %x", b)
	}
}

// mixedAgent makes a border agent next to a leader that is OpenThread's, and a commissioner outside.
func mixedAgent(t *testing.T) (c *otsim.Controller, leader *otsim.Process, o *outsider) {
	t.Helper()
	key := [16]byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}
	c = otsim.NewController(t)
	c.Program()
	c.SetFilter(otsim.Chain(1, 2, 3))
	leader = c.AddProcess(c.Program(), 2)
	leader.SetNetwork("0134c0de1ab51234c0de1ab5ca1a110f")
	leader.Command("ifconfig up")
	leader.Command("thread start")
	if state, ok := leader.AwaitState(5*time.Minute, "leader"); !ok {
		t.Fatalf("%s, want leader", state)
	}
	timing := thread.TimingPymesh()
	if os.Getenv("PYMESH_OT_TIMING") == "stock" {
		timing = thread.TimingIEEE802154()
	}
	e, err := thread.New(thread.Config{
		NetworkKey: key, ExtAddr: ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1}, Rand: rand.NewChaCha8([32]byte{1}), Timing: timing,
		Store: new(thread.MemoryStore), MultiChannel: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.AddStation(1, e)
	if err := e.Start(c.Now()); err != nil {
		t.Fatal(err)
	}
	until := func(limit time.Duration, what string, done func() bool) {
		t.Helper()
		end := c.Now().Add(limit)
		for !done() { // in steps, since the commissioner has timers of its own
			c.RunUntil(100*time.Millisecond, func() bool {
				if o != nil {
					o.pump()
				}
				return done()
			})
			if c.Now().After(end) {
				t.Fatalf("not within %v: %s", limit, what)
			}
		}
	}
	until(5*time.Minute, "attached", func() bool { return e.Role() >= thread.RoleChild })
	o = newOutsider(t, e, c.Now, until)
	return c, leader, o
}

func leaderOf(t *testing.T, e *thread.Engine) mle.RLOC16 {
	t.Helper()
	l, ok := e.Leader()
	if !ok {
		t.Fatal("no leader")
	}
	return l.LeaderRouterID.RLOC16()
}
