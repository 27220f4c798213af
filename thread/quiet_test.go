package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// loraRow is a row of nodes on LoRa, each of which hears those next to it, and an ear beside the second one, after a time.
func loraRow(t *testing.T, n int, change func(*thread.Config), settle time.Duration) (*meshtest.Mesh, *meshtest.Peer) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, n, change)
	ear := m.AddPeer(n+1, m.Nodes[1].Antenna.Position()) // hears all of a row of three
	ear.Deaf = true
	m.StartEach(time.Second)
	m.Until(20*time.Minute, "one mesh", m.OneMesh)
	m.Run(settle)
	return m, ear
}

// advertisements counts those of each node within a time.
func advertisements(m *meshtest.Mesh, ear *meshtest.Peer, within time.Duration) (counts []int) {
	for _, n := range m.Nodes {
		counts = append(counts, -len(ear.Find(mle.Advertisement, n.ExtAddr())))
	}
	m.Run(within)
	for i, n := range m.Nodes {
		counts[i] += len(ear.Find(mle.Advertisement, n.ExtAddr()))
	}
	return counts
}

// Where all have this engine, routers advertise every four minutes, and the leader each minute. Once somebody is there who does not speak as
// they do, all advertise as stock does, also those who do not hear it.
func TestQuiet(t *testing.T) {
	m, ear := loraRow(t, 3, nil, 20*time.Minute)
	for i, got := range advertisements(m, ear, 640*time.Second) {
		least, most, role := 2, 5, m.Nodes[i].Role()
		if role == thread.RoleLeader {
			least, most = 8, 14
		}
		if got < least || got > most {
			t.Errorf("%v sends %d Advertisements in 640 s, want %d to %d", role, got, least, most)
		}
	}

	board := m.AddPeer(9, m.Nodes[0].Antenna.Position())
	board.Attach(m.Nodes[0], thread.ModeMinimalEndDevice, time.Hour)
	m.Run(3 * time.Minute)
	for i, got := range advertisements(m, ear, 320*time.Second) {
		if got < 7 {
			t.Errorf("node %d sends %d Advertisements in 320 s beside a board", i+1, got)
		}
	}
	m.Run(25 * time.Minute) // the board says nothing more
	for i, got := range advertisements(m, ear, 640*time.Second) {
		if role := m.Nodes[i].Role(); role != thread.RoleLeader && got > 5 {
			t.Errorf("%v sends %d Advertisements in 640 s long after the board was heard last", role, got)
		}
	}
}

// Without the interval for it, and with the timing of IEEE 802.15.4, nobody speaks of it.
func TestQuietIsOfLoRa(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	ear := m.AddPeer(9, lorasim.Position{})
	ear.Deaf = true
	h := ear.Await(mle.Advertisement, m.Nodes[0].ExtAddr(), time.Minute)
	if h.Has(mle.TLVCompany) || h.Has(mle.TLVPlaces) {
		t.Errorf("an Advertisement has TLVs that stock does not know: %x", h.TLVs)
	}
}

// Who hears the leader itself misses it soon, and tells those who do not: all have another one within 3.5 minutes.
func TestQuietLeaderLost(t *testing.T) {
	m, _ := loraRow(t, 4, nil, 20*time.Minute)
	var rest []*meshtest.Node
	for i, n := range m.Nodes {
		if n.Role() != thread.RoleLeader {
			continue
		}
		if i == 0 {
			rest = m.Nodes[1:]
		} else {
			rest = m.Nodes[i+1:]
		}
		if len(rest) == 0 {
			rest = m.Nodes[:i]
		}
		n.PowerOff()
		break
	}
	old, _ := rest[0].Leader()
	m.Until(4*time.Minute, "another leader", func() bool {
		for _, n := range rest {
			if l, ok := n.Leader(); !ok || l.PartitionID == old.PartitionID {
				return false
			}
		}
		return true
	})
}

// A node knows where those are to whom it has never spoken: nobody floods the mesh with questions.
func TestPlaces(t *testing.T) {
	m, _ := loraRow(t, 4, nil, 15*time.Minute)
	for i, from := range m.Nodes {
		to := m.Nodes[len(m.Nodes)-1-i]
		took, ok := from.Ping(to.MeshLocalEID(), 16, 10*time.Second)
		if !ok || took > 3*time.Second { // 0.7 s, and more where a frame is sent again
			t.Errorf("the first ping from node %d over the row takes %v, %v", i+1, took, ok)
		}
	}
}

// A node that has moved is found where it is now, by the datagram that was sent to where it was.
func TestSecondTry(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 5})
	for i := range 4 {
		m.Add(5, lorasim.Position{X: float64(i)}, func(c *thread.Config) { c.EndDevice = i > 1 })
	}
	m.StartEach(time.Second)
	m.Until(20*time.Minute, "one mesh", m.OneMesh)
	m.Run(15 * time.Minute)
	a, moved := m.Nodes[2], m.Nodes[3]
	if _, ok := a.Ping(moved.MeshLocalEID(), 16, 20*time.Second); !ok {
		t.Fatal("no reply")
	}
	old := moved.RLOC16()
	moved.Stop()
	m.Run(5 * time.Minute) // until its parent has given its place up
	moved.Config.Store = new(thread.MemoryStore)
	moved.Restart()
	m.Until(5*time.Minute, "back", func() bool { return moved.Role() == thread.RoleChild })
	if moved.RLOC16() == old {
		t.Fatal("it has the same place")
	}
	if took, ok := a.Ping(moved.MeshLocalEID(), 16, 20*time.Second); !ok {
		t.Errorf("no reply from where it is now after %v", took)
	}
}

// Eight nodes in a cell that have power again within a second: one or two found partitions, and the others wait for them.
func TestCourtesy(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 4})
	for i := range 8 {
		m.Add(4, lorasim.Position{X: float64(i) / 10}, nil)
	}
	m.StartEach(100 * time.Millisecond)
	led := map[*meshtest.Node]bool{}
	m.Until(90*time.Second, "one mesh", func() bool {
		for _, n := range m.Nodes {
			if n.Role() == thread.RoleLeader {
				led[n] = true
			}
		}
		return m.OneMesh()
	})
	if len(led) > 2 {
		t.Errorf("%d of 8 nodes have founded partitions", len(led))
	}
	m.Run(10 * time.Minute)
	if routers := m.Count(thread.RoleRouter) + 1; routers > 5 {
		t.Errorf("%d of 8 nodes in a cell are routers", routers)
	}
}

// One frame that a router does not acknowledge is enough to find that it is gone: it is asked until the link is lost.
func TestMuteRouter(t *testing.T) {
	m, _ := loraRow(t, 3, nil, 20*time.Minute)
	if _, ok := m.Nodes[0].Ping(m.Nodes[2].MeshLocalEID(), 8, time.Minute); !ok {
		t.Fatal("no answer")
	}
	m.Nodes[1].PowerOff()
	linked := func() bool {
		for _, r := range m.Nodes[0].Routers() {
			if r.ExtAddr == m.Nodes[1].ExtAddr() && r.LinkEstablished {
				return true
			}
		}
		return false
	}
	role := m.Nodes[0].Role()
	if _, ok := m.Nodes[0].Ping(m.Nodes[2].MeshLocalEID(), 9, time.Minute); ok {
		t.Fatal("answered")
	}
	if linked() || role == thread.RoleChild && m.Nodes[0].Role() == thread.RoleChild {
		t.Errorf("%v still counts on a router that does not answer", role)
	}
}
