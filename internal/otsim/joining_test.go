//go:build unix

package otsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

const joinerPassword = "J01NME"

// A commissioning node lets joiners in, any with the password.
type commissioning interface {
	mixedNode
	commission(t *testing.T, password string)
	// joined reports whether the node, a joiner that has begun, is through, and why it has failed, if it has.
	join(t *testing.T, password string) func() (over bool, failure string)
	attach(t *testing.T)
}

func (n *engineNode) commission(t *testing.T, password string) {
	t.Helper()
	if err := n.StartCommissioner(n.c.Now()); err != nil {
		t.Fatal(err)
	}
	if !n.c.RunUntil(time.Minute, n.CommissionerActive) {
		t.Fatal("no commissioner")
	}
	if err := n.AllowJoiner(n.c.Now(), thread.Joiner{Any: true, Password: password, Timeout: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

func (n *engineNode) join(t *testing.T, password string) func() (bool, string) {
	t.Helper()
	n.Console().InterfaceUp(n.c.Now())
	over, result := false, error(nil)
	if err := n.Join(n.c.Now(), thread.JoinOptions{Password: password}, func(err error) { over, result = true, err }); err != nil {
		t.Fatal(err)
	}
	return func() (bool, string) {
		switch {
		case errors.Is(result, thread.ErrPassword):
			return over, "Security"
		case result != nil:
			return over, result.Error()
		}
		return over, ""
	}
}

func (n *engineNode) attach(t *testing.T) {
	t.Helper()
	if err := n.Start(n.c.Now()); err != nil {
		t.Fatal(err)
	}
}

func (n processNode) commission(t *testing.T, password string) {
	t.Helper()
	n.Command("commissioner start")
	for range 10 {
		n.run(3 * time.Second)
		if _, err := n.TryCommand("commissioner joiner add * %s 3600", password); err == nil {
			return
		}
	}
	t.Fatal("no commissioner")
}

func (n processNode) join(_ *testing.T, password string) func() (bool, string) {
	n.Command("ifconfig up")
	n.Lines()
	n.Command("joiner start %s", password)
	return func() (bool, string) {
		for _, line := range n.Lines() {
			if strings.Contains(line, "Join success") {
				return true, ""
			}
			if _, why, ok := strings.Cut(line, "Join failed ["); ok {
				return true, strings.TrimSuffix(strings.TrimSpace(why), "]")
			}
		}
		return false, ""
	}
}

func (n processNode) attach(*testing.T) { n.Command("thread start") }

// run lets time pass.
func (n processNode) run(d time.Duration) { n.Await("nothing that it says", d) }

// joinerNode makes node id, which is in no network: ours or theirs.
func joinerNode(t *testing.T, c *otsim.Controller, id int, ours bool) commissioning {
	if !ours {
		p := c.AddProcess(c.Program(), id)
		return processNode{p}
	}
	n := &engineNode{c: c, id: id, cfg: thread.Config{
		NetworkKey: [16]byte{9}, PANID: 0xface, NetworkName: "none", ExtAddr: ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, byte(id)},
		Rand: &seeded{byte(id)}, Timing: peersTiming(), Store: new(thread.MemoryStore), MultiChannel: true,
	}}
	var err error
	if n.Engine, err = thread.New(n.cfg); err != nil {
		t.Fatal(err)
	}
	c.AddStation(id, n.Engine)
	return n
}

// seeded is a source of bytes that differ.
type seeded struct{ n byte }

func (s *seeded) Read(b []byte) (int, error) {
	for i := range b {
		s.n = s.n*5 + 31
		b[i] = s.n ^ byte(i)*77
	}
	return len(b), nil
}

// TestMixedJoining: a joiner comes in through a joiner router that is not the commissioner, each of the three ours or theirs; one with another
// password does not.
func TestMixedJoining(t *testing.T) {
	for _, who := range []string{"oot", "oto", "too", "tto", "tot", "ott"} {
		t.Run(who, func(t *testing.T) {
			c := otsim.NewController(t)
			c.Program()
			c.SetFilter(otsim.Chain(1, 2, 3))
			var members []commissioning
			for i := range 2 {
				var n commissioning
				if who[i] == 'o' {
					n = startEngine(t, c, i+1, peersTiming())
				} else {
					n = processNode{startPeer(c, i+1)}
				}
				members = append(members, n)
				await(t, c, n, 5*time.Minute, []string{"leader", "router"}[i])
			}
			c.Run(30 * time.Second)
			members[0].commission(t, joinerPassword)
			c.Run(10 * time.Second)
			j := joinerNode(t, c, 3, who[2] == 'o')
			for _, tt := range []struct{ password, want string }{{"J01NMF", "Security"}, {joinerPassword, ""}} {
				result, over, failure := j.join(t, tt.password), false, ""
				if !c.RunUntil(5*time.Minute, func() bool { over, failure = result(); return over }) || failure != tt.want {
					t.Fatalf("%s: over %v, %q", tt.password, over, failure)
				}
				c.Run(10 * time.Second)
			}
			j.attach(t)
			await(t, c, j, 5*time.Minute, "child", "router")
			answered := false
			for range 2 { // a new router is not on all maps yet
				answered = answered || j.ping(members[0].rloc(), 50)
			}
			if !answered {
				t.Error("no answer from the commissioner")
			}
		})
	}
}
