package thread_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// A row of three in which frames are measured, first and last speak to each other.
type measuredRow struct {
	*meshtest.Mesh
	longest int // of the data frames that want an acknowledgement
}

func newMeasuredRow(t *testing.T) *measuredRow {
	r := &measuredRow{}
	r.Mesh = meshtest.Chain(t, lorasim.Options{Seed: 1, Watch: func(tr lorasim.Transmission) {
		if f, err := ieee802154.ParseFrame(tr.Packet); err == nil && f.AckRequest {
			r.longest = max(r.longest, len(tr.Packet))
		}
	}}, 3, nil)
	r.StartEach(time.Second)
	r.Until(20*time.Minute, "one mesh", r.OneMesh)
	r.Run(5 * time.Minute)
	return r
}

// ping has the first node ping the last one, and returns the length of the longest frame, in either direction.
func (r *measuredRow) ping(t *testing.T) int {
	t.Helper()
	r.longest = 0
	if _, ok := r.Nodes[0].Ping(r.Nodes[2].MeshLocalEID(), 16, 20*time.Second); !ok {
		t.Fatalf("no reply\n%s", r)
	}
	longest := r.longest
	r.Run(5 * time.Second) // for the last acknowledgement
	return longest
}

func (r *measuredRow) unaddressed() (n uint64) {
	for _, x := range r.Nodes {
		n += x.Counters().LowpanUnaddressed
	}
	return n
}

// Two nodes that know each other leave their addresses out, as long as no board is there.
func TestEnds(t *testing.T) {
	const full, brief = 69, 54
	r := newMeasuredRow(t)
	r.ping(t)
	if got := r.ping(t); got != brief {
		t.Errorf("%d bytes, want %d", got, brief)
	}
	board := r.AddPeer(9, r.Nodes[0].Antenna.Position())
	board.Attach(r.Nodes[0], thread.ModeMinimalEndDevice, time.Hour)
	r.Run(3 * time.Minute)
	if got := r.ping(t); got != full {
		t.Errorf("%d bytes beside a board, want %d", got, full)
	}
	if n := r.unaddressed(); n != 0 {
		t.Errorf("%d refused", n)
	}
}

// Who has forgotten the other end says so, and hears the whole.
func TestEndsForgotten(t *testing.T) {
	for name, who := range map[string]int{"asker": 0, "asked": 2} {
		t.Run(name, func(t *testing.T) {
			r := newMeasuredRow(t)
			r.ping(t)
			n := r.Nodes[who]
			before := n.RLOC16()
			n.Restart()
			r.Until(5*time.Minute, "back", func() bool { return n.RLOC16() == before && r.OneMesh() })
			r.Run(time.Minute)
			r.ping(t)
			r.ping(t)
			if n := r.unaddressed(); who == 2 && n != 1 || n > 1 {
				t.Errorf("%d refused", n)
			}
		})
	}
}

// A minimal child is spoken to at its parent's place, and may leave it without a word.
func TestEndsOfMinimalChild(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){
		"minimal":    func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice },
		"end device": func(c *thread.Config) { c.EndDevice = true },
	} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.Chain(t, lorasim.Options{Seed: 2}, 4, nil)
			m.StartEach(time.Second)
			m.Until(20*time.Minute, "one mesh", m.OneMesh)
			child := m.Add(1, lorasim.Position{X: 4}, change)
			child.Start()
			m.Until(10*time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			m.Run(time.Minute)
			ping := func(from, to *meshtest.Node, tries int) {
				t.Helper()
				for range tries {
					if _, ok := from.Ping(to.MeshLocalEID(), 16, 20*time.Second); ok {
						return
					}
				}
				t.Fatalf("no reply in %d tries\n%s", tries, m)
			}
			for range 3 {
				ping(child, m.Nodes[0], 1)
				ping(m.Nodes[0], child, 1)
				ping(m.Nodes[3], child, 1)
				ping(child, m.Nodes[3], 1)
			}
			child.PowerOff()
			child.Antenna.Move(lorasim.Position{X: -1})
			child.Restart()
			m.Until(10*time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			ping(m.Nodes[0], child, 6)
			ping(m.Nodes[3], child, 6)
		})
	}
}

// An address that was added within the mesh-local prefix is found as well.
func TestEndsOfAddedAddress(t *testing.T) {
	r := newMeasuredRow(t)
	added := netip.MustParseAddr("fdde:ad00:beef::4")
	if err := r.Nodes[2].Console().AddAddress(added); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, ok := r.Nodes[0].Ping(added, 16, 20*time.Second); !ok {
			t.Fatalf("no reply\n%s", r)
		}
	}
	if n := r.unaddressed(); n != 0 {
		t.Errorf("%d refused", n)
	}
}
