package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Siblings are a leader with two children that hear each other, and somebody without the key who hears all of them.
type siblings struct {
	*meshtest.Mesh
	a, b     *meshtest.Node // the children
	intruder *meshtest.Intruder
	unicasts []ieee802154.Frame // from short addresses
}

func newSiblings(t *testing.T) *siblings { return newFamily(t, 2, 15*time.Minute) }

// newFamily has more children, of which two are looked at, and another time to become acquainted.
func newFamily(t *testing.T, children int, settle time.Duration) *siblings {
	t.Helper()
	c := &siblings{}
	within := func(_ float64, a, b lorasim.Position) float64 {
		if a.Distance(b) > 1.5 {
			return -1000
		}
		return -80
	}
	c.Mesh = meshtest.New(t, lorasim.Options{Seed: 3, Propagation: within, Watch: func(tr lorasim.Transmission) {
		if f, err := ieee802154.ParseFrame(tr.Packet); err == nil && f.Src.Mode == ieee802154.AddrModeShort && !f.Dst.IsBroadcast() {
			c.unicasts = append(c.unicasts, f)
		}
	}})
	for i := range 1 + children {
		c.Add(1, lorasim.Position{X: float64(i) / float64(children)}, func(cfg *thread.Config) {
			cfg.RouterUpgradeThreshold = 1 // the leader is enough
		})
	}
	c.StartEach(10 * time.Second)
	c.Until(10*time.Minute, "one mesh", c.OneMesh)
	for _, n := range c.Nodes {
		switch {
		case n.Role() != thread.RoleChild:
		case c.a == nil:
			c.a = n
		default:
			c.b = n
		}
	}
	if c.b == nil {
		t.Fatal("no two children")
	}
	c.intruder = c.AddIntruder(lorasim.Position{X: 0.5})
	c.Run(settle)
	return c
}

// part moves the children out of each other's reach, the leader between them.
func (c *siblings) part() {
	for _, n := range c.Nodes {
		n.Antenna.Move(lorasim.Position{X: 0.5})
	}
	c.a.Antenna.Move(lorasim.Position{X: -0.9})
	c.b.Antenna.Move(lorasim.Position{X: 1.9})
}

// ping has one child ping the other, and counts the data frames that go directly, and through the parent.
func (c *siblings) ping(t *testing.T) (direct, around int) {
	t.Helper()
	c.unicasts = nil
	if _, ok := c.a.Ping(c.b.MeshLocalEID(), 16, 20*time.Second); !ok {
		t.Fatal("no reply")
	}
	a, b := ieee802154.ShortAddr(c.a.RLOC16()), ieee802154.ShortAddr(c.b.RLOC16())
	for _, f := range c.unicasts {
		switch {
		case f.Src.Short == a && f.Dst.Short == b, f.Src.Short == b && f.Dst.Short == a:
			direct++
		default:
			around++
		}
	}
	c.Run(5 * time.Second) // for the last acknowledgement
	return direct, around
}

// Two children speak to each other directly, once they have heard of each other from their parent, and each other.
func TestShortcuts(t *testing.T) {
	c := newSiblings(t)
	c.ping(t)
	if direct, around := c.ping(t); direct != 2 || around != 0 {
		t.Errorf("%d frames between the children, %d over the parent", direct, around)
	}

	board := c.AddPeer(9, c.Nodes[0].Antenna.Position()) // which knows none of it
	board.Attach(c.Nodes[0], thread.ModeMinimalEndDevice, time.Hour)
	c.Run(3 * time.Minute)
	if direct, around := c.ping(t); direct != 0 || around < 4 {
		t.Errorf("beside a board: %d frames between the children, %d over the parent", direct, around)
	}
}

// A parent of many tells of them soon: their datagrams need not all go over it.
func TestShortcutsOfMany(t *testing.T) {
	c := newFamily(t, 8, 8*time.Minute)
	if direct, around := c.ping(t); direct < 2 || around != 0 {
		t.Errorf("%d frames between the children, %d over the parent", direct, around)
	}
}

// What one child sends to the other is taken once: recordings are not, nor after the other one has forgotten all and heard the parent's word anew.
func TestShortcutsReplayed(t *testing.T) {
	c := newSiblings(t)
	for range 3 {
		c.ping(t)
		c.Run(time.Minute)
	}
	replay := func(when string) {
		to, answers, sent := c.b.RLOC16(), 0, 0
		for _, r := range c.intruder.Tape {
			f, err := ieee802154.ParseFrame(r.PSDU)
			if err != nil || f.Src.Mode != ieee802154.AddrModeShort || mle.RLOC16(f.Dst.Short) != to || mle.RLOC16(f.Src.Short) != c.a.RLOC16() {
				continue
			}
			sent++
			c.unicasts = nil
			c.intruder.Transmit(r.PSDU)
			c.Run(2 * time.Second)
			for _, f := range c.unicasts[1:] { // the first is the recording
				if mle.RLOC16(f.Src.Short) == to {
					answers++
				}
			}
		}
		if answers != 0 || sent < 2 {
			t.Errorf("%s: %d of %d recordings are answered", when, answers, sent)
		}
	}
	replay("at once")
	c.b.Restart()
	c.Until(5*time.Minute, "one mesh", c.OneMesh)
	replay("after a restart")
	c.Run(40 * time.Minute) // the parent has told of the others again
	replay("later")
	c.ping(t)
	if direct, around := c.ping(t); direct != 2 || around != 0 {
		t.Errorf("%d frames between the children, %d over the parent afterwards", direct, around)
	}
}

// A child that does not hear the other any more, or is not known to it, is reached over the parent, and not tried directly each time.
func TestShortcutsFail(t *testing.T) {
	c := newSiblings(t)
	c.ping(t)
	c.part()
	if direct, around := c.ping(t); direct == 0 || around < 4 {
		t.Errorf("%d frames between the children, %d over the parent", direct, around)
	}
	failed := c.a.Counters().ShortcutsFailed + c.b.Counters().ShortcutsFailed
	if failed == 0 {
		t.Error("no shortcut has failed")
	}
	if direct, around := c.ping(t); direct != 0 || around < 4 {
		t.Errorf("at once after that: %d frames between the children, %d over the parent", direct, around)
	}
}

// Who forges frames of a child makes another one try what does not work, but not more often than now and then.
func TestShortcutsForged(t *testing.T) {
	c := newSiblings(t)
	c.part() // they hear each other no more, so that all that a hears of b is forged
	forged := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, DstPAN: 0x1234, SrcPAN: 0x1234,
		Src: ieee802154.ShortAddress(ieee802154.ShortAddr(c.b.RLOC16())), Dst: ieee802154.ShortAddress(0x7777), Payload: make([]byte, 8),
	}
	psdu, err := forged.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.intruder.Every(5*time.Second, func() { c.intruder.Transmit(psdu) })
	for range 60 {
		c.ping(t)
		c.Run(30 * time.Second)
	}
	if failed := c.a.Counters().ShortcutsFailed; failed == 0 || failed > 16 {
		t.Errorf("%d shortcuts have failed in half an hour", failed)
	}
}
