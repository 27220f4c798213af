package thread_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// TestChildMovesSilently finds a child that changed its parent and says nothing: who believes it in its old place is told otherwise there,
// and asks anew.
func TestChildMovesSilently(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"minimal": minimal, "end device": endDevice} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 4, stock)
			child := m.Add(1, lorasim.Position{X: 4}, change)
			child.Start()
			m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			pingAll(t, m, time.Second)
			child.PowerOff()
			child.Antenna.Move(lorasim.Position{X: -1})
			child.Restart()
			m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
			for i, n := range m.Nodes[:4] {
				tries := 0
				for ok := false; !ok && tries < 10; tries++ {
					_, ok = n.Ping(child.MeshLocalEID(), 8, time.Second)
				}
				if tries > 6 { // four until the old parent takes the child for gone, and one of which its sender is told
					t.Errorf("node %d reaches the child after %d pings\n%s", i+1, tries, m)
				}
			}
		})
	}
}

// TestUnreachable_Failures: what was asked for in vain is asked for again when a node joins, and after two minutes in a Pymesh at the latest.
func TestUnreachable_Failures(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Nodes[0]
	iid := ip6.InterfaceID{1, 2, 3}
	late := ip6.WithInterfaceID(thread.DefaultMeshLocalPrefix, iid)
	for range 40 {
		n.Send(udp(n, late, "x"))
		m.Run(10 * time.Second)
	}
	if err := n.HandlePacket(m.Sim.Now(), udp(n, late, "x")); !errors.Is(err, thread.ErrNoRoute) {
		t.Fatal(err)
	}
	child := m.Add(1, lorasim.Position{X: -1}, endDevice)
	_ = child.Config.Store.Save(thread.Settings{NetworkKey: child.Config.NetworkKey, ExtAddr: child.Config.ExtAddr, MeshLocalIID: iid})
	child.Restart()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	if child.MeshLocalEID() != late {
		t.Fatal(child.MeshLocalEID())
	}
	if _, ok := n.Ping(late, 8, 5*time.Second); !ok {
		t.Error("not asked again after the child has joined")
	}
	if got := thread.TimingPymesh().AddressQueryRetryMax; got > 2*time.Minute {
		t.Errorf("asked again after %v", got)
	}
}
