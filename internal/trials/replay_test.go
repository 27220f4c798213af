package trials

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// doorPort is where datagrams go that must not arrive twice.
const doorPort = 4242

// openDoor sends a datagram from one node's host to another's.
func openDoor(t *testing.T, from, to *meshtest.Node) {
	t.Helper()
	dst := to.MeshLocalEID()
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: from.SelectSource(dst), Dst: dst}, doorPort, doorPort, []byte("open the door"))
	if err != nil {
		t.Fatal(err)
	}
	from.Send(packet)
}

// opened takes all datagrams for a node's host, and counts those that open the door.
func opened(n *meshtest.Node) (count int) {
	for {
		d, ok := n.PollPacket()
		if !ok {
			return count
		}
		if u, err := ip6.ParseUDPHeader(d.Payload); d.Protocol == ip6.ProtocolUDP && err == nil && u.DstPort == doorPort {
			count++
		}
	}
}

// TestReplayAfterRestart: what a neighbor sent before a restart is not taken again after it, whatever recordings come first: a restored
// neighbor is trusted once it has answered this node's own challenge (Thread 1.1 §4.7.1.3, §4.8, §7.1.7).
func TestReplayAfterRestart(t *testing.T) {
	for _, tt := range []struct {
		name           string
		sender         func(*thread.Config) // of node 2
		restarted, who int                  // the node that restarts, and the one that is gone and replayed
	}{
		{"a minimal child, at its parent", func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice }, 0, 1},
		{"a full child, at its parent", func(c *thread.Config) { c.EndDevice = true }, 0, 1},
		{"a parent, at its minimal child", func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice }, 1, 0},
		{"a parent, at its full child", func(c *thread.Config) { c.EndDevice = true }, 1, 0},
		{"a router, at the leader", nil, 0, 1},
		{"the leader, at a router", nil, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 1, nil)
			m.Add(1, lorasim.Position{X: 1}, tt.sender)
			x := m.AddIntruder(lorasim.Position{X: 0.5})
			settle(m)
			victim, gone := m.Nodes[tt.restarted], m.Nodes[tt.who]
			heardWithin(m, gone, victim.MeshLocalEID(), 5*time.Minute)
			m.Run(10 * time.Minute) // with keep-alives and Advertisements
			openDoor(t, gone, victim)
			m.Run(30 * time.Second)
			if got := opened(victim); got != 1 {
				t.Fatalf("opened %d times to begin with", got)
			}
			// A restart of the sender, too, so that its Child Update Requests with a challenge and its Link Requests are on the tape.
			gone.PowerOff()
			gone.Restart()
			m.Run(5 * time.Minute)
			openDoor(t, gone, victim)
			m.Run(30 * time.Second)
			opened(victim)

			gone.PowerOff()
			m.Run(time.Second)
			victim.PowerOff()
			m.Run(5 * time.Second)
			tape := x.Tape
			victim.Restart()
			for range 4 { // whatever it takes to become what it was
				m.Run(10 * time.Second)
				for _, r := range tape {
					f, err := ieee802154.ParseFrame(r.PSDU)
					if err == nil && f.Type == ieee802154.Data && f.Src != ieee802154.ExtAddress(victim.ExtAddr()) {
						x.Transmit(r.PSDU)
						m.Run(400 * time.Millisecond)
					}
				}
			}
			if got := opened(victim); got != 0 {
				t.Errorf("opened %d times by recordings\n%s", got, m)
			}
		})
	}
}

// TestReplayAgainstRestart: recordings of what its parent once answered do not throw out a child that takes up its place.
func TestReplayAgainstRestart(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
	m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { c.Mode = thread.ModeMinimalEndDevice })
	x := m.AddIntruder(lorasim.Position{X: 1.5})
	settle(m)
	parent, child := m.Nodes[1], m.Nodes[2]
	// Its parent forgets it, and says so.
	wipe(parent)
	m.Run(time.Minute)
	child.PowerOff()
	child.Restart()
	m.Until(20*time.Minute, "one mesh", m.OneMesh)
	m.Run(10 * time.Minute)
	var refusals [][]byte
	for _, r := range x.Tape {
		if h, err := meshtest.OpenMLE(r.PSDU); err == nil && h.Command == mle.ChildUpdateResponse && h.Has(mle.TLVStatus) &&
			h.Dst == meshtest.LinkLocal(child.ExtAddr()) {
			refusals = append(refusals, r.PSDU)
		}
	}
	if len(refusals) == 0 {
		t.Fatal("the parent has not refused")
	}
	for range 3 {
		child.PowerOff()
		m.Run(10 * time.Second)
		child.Restart()
		place, attempts := child.RLOC16(), child.Counters().AttachAttempts
		for range 5 {
			x.Transmit(refusals[0])
			m.Run(100 * time.Millisecond)
		}
		m.Run(2 * time.Minute)
		if child.Role() != thread.RoleChild || child.RLOC16() != place || child.Counters().AttachAttempts != attempts {
			t.Errorf("the child is %v as %v, was %v, and has searched\n%s", child.Role(), child.RLOC16(), place, m)
		}
	}
}

// TestLostStore: a node that has lost its store is not silenced by recordings of its former life. Its frame counters are above those that it had.
func TestLostStore(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
	x := m.AddIntruder(lorasim.Position{X: 0.5})
	settle(m)
	for i := range 50 { // with which its counters grow
		ask(m, m.Nodes[1], m.Nodes[0].MeshLocalEID(), uint16(i), 10*time.Second)
	}
	m.Run(10 * time.Minute)
	tape := x.Tape
	n := m.Nodes[1]
	for range 3 {
		wipe(n)
		start := m.Sim.Now()
		for _, r := range tape {
			f, err := ieee802154.ParseFrame(r.PSDU)
			if err == nil && f.Type == ieee802154.Data && f.Src == ieee802154.ExtAddress(n.ExtAddr()) {
				x.Transmit(r.PSDU)
				m.Run(500 * time.Millisecond)
			}
		}
		if d := heard(m, n, 10*time.Minute); d > backLimit {
			t.Errorf("heard after %v", m.Sim.Now().Sub(start))
		}
		m.Run(10 * time.Minute)
		lost := 0
		for i := range 20 {
			if _, ok := ask(m, n, m.Nodes[0].MeshLocalEID(), uint16(i), 10*time.Second); !ok {
				lost++
			}
			m.Run(20 * time.Second)
		}
		if lost > 1 {
			t.Errorf("%d of 20 pings lost", lost)
		}
	}
}

// TestJoinUnderAttack: bounded answers to strangers still let strangers join, while recordings want all the answers.
func TestJoinUnderAttack(t *testing.T) {
	for _, k := range attacks {
		if k.name != "one Parent Request" && k.name != "two recordings in turn" && k.name != "twelve recordings in turn" && k.name != "nothing" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			var took []time.Duration
			for seed := range uint64(5) {
				m := meshtest.Chain(t, lorasim.Options{Seed: seed}, 4, nil)
				a := &arena{Mesh: m, tb: t, x: m.AddIntruder(lorasim.Position{X: 1.5})}
				late := m.Nodes[3]
				m.Nodes = m.Nodes[:3]
				settle(m)
				step := k.prepare(a)
				a.x.Duty = outsiderDuty
				a.x.Every(k.every, step)
				m.Run(20 * time.Minute)
				start := m.Sim.Now()
				late.Start()
				m.Sim.RunUntil(func() bool {
					l, ok := late.Leader()
					o, _ := m.Nodes[0].Leader()
					return ok && l.PartitionID == o.PartitionID
				}, 20*time.Minute)
				took = append(took, m.Sim.Now().Sub(start).Round(time.Second))
				if d := m.Sim.Now().Sub(start); d > 5*time.Minute {
					t.Errorf("seed %d: attached after %v", seed, d)
				}
			}
			t.Log("attached after", fmt.Sprint(took))
		})
	}
}
