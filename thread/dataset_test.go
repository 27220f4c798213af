package thread_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

var otherPrefix = netip.MustParsePrefix("fd11:2233:4455:6677::/64")

// TestSetNetwork_ForgetsTheOld: in another network nothing of the old one is left to be told or stored, its key first of all.
func TestSetNetwork_ForgetsTheOld(t *testing.T) {
	store := new(thread.MemoryStore)
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.Store = store })
	for range 2 {
		m.Add(1, lorasim.Position{}, endDevice)
	}
	for _, node := range m.Nodes {
		node.Start()
		m.Until(time.Minute, "attached", func() bool { return node.Role() >= thread.RoleChild })
	}
	old := n.RLOC16()
	before, _ := n.Leader()
	n.Stop()
	if s, _, _ := store.Load(); len(s.Children) != 2 || s.Dataset == nil {
		t.Fatalf("the test is wrong: %+v", s)
	}
	if err := n.Console().SetNetwork(otherNetwork); err != nil {
		t.Fatal(err)
	}
	if len(n.Neighbors()) != 0 || n.RLOC16() != mle.InvalidRLOC16 {
		t.Errorf("RLOC16 %v, neighbors %+v", n.RLOC16(), n.Neighbors())
	}
	n.Start()
	s, _, _ := store.Load()
	if s.NetworkKey != otherNetwork.Key || s.Role != thread.RoleDisabled || len(s.Children) != 0 || s.PartitionID != 0 || s.Dataset != nil ||
		s.Network != nil {
		t.Errorf("stored under the new key: %+v", s)
	}
	joiner := m.Add(1, lorasim.Position{}, func(c *thread.Config) {
		endDevice(c)
		c.NetworkKey, c.PANID, c.NetworkName, c.ExtPANID = otherNetwork.Key, otherNetwork.PANID, otherNetwork.Name, otherNetwork.ExtPANID
		c.MeshLocalPrefix, c.Channel = otherNetwork.MeshLocalPrefix, otherNetwork.Channel
	})
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	joiner.Start()
	m.Until(time.Minute, "child", func() bool { return joiner.Role() == thread.RoleChild })
	m.Run(time.Second)
	if l, _ := n.Leader(); l.PartitionID == before.PartitionID {
		t.Error("the same partition")
	}
	if joiner.RLOC16() == old || joiner.Network() != otherNetwork || joiner.Counters().MLEMalformed > 0 {
		t.Errorf("%v in %+v", joiner.RLOC16(), joiner.Network())
	}
	n.Flush()
	s, _, _ = store.Load()
	if d := s.Dataset; d == nil || !strings.Contains(string(d.TLVs), string(otherNetwork.Key[:])) ||
		strings.Contains(string(d.TLVs), string(meshtest.NetworkKey[:])) {
		t.Errorf("dataset %+v", d)
	}
}

// TestSetExtAddr_ForgetsThePlace: with another address the node is another one, in the same network.
func TestSetExtAddr_ForgetsThePlace(t *testing.T) {
	store := new(thread.MemoryStore)
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.Store = store })
	child := m.Add(1, lorasim.Position{}, endDevice)
	for _, node := range m.Nodes {
		node.Start()
		m.Until(time.Minute, "attached", func() bool { return node.Role() >= thread.RoleChild })
	}
	child.PowerOff()
	n.Stop()
	if err := n.Console().SetExtAddr(ieee802154.ExtAddr{9}); err != nil {
		t.Fatal(err)
	}
	n.Start()
	s, _, _ := store.Load()
	if s.ExtAddr != n.ExtAddr() || s.Role != thread.RoleDisabled || len(s.Children) != 0 || s.Dataset == nil || s.NetworkKey != meshtest.NetworkKey {
		t.Errorf("stored %+v", s)
	}
	if len(n.Neighbors()) != 0 || n.RLOC16() != mle.InvalidRLOC16 {
		t.Errorf("RLOC16 %v, neighbors %+v", n.RLOC16(), n.Neighbors())
	}
}

// TestDataset_PrefixFollows: a node that is configured with another mesh-local prefix takes that of the dataset, and is not cut off
// (Thread 1.1 §8.4.3). It does so after a restart, too.
func TestDataset_PrefixFollows(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"router": stock, "end device": endDevice, "minimal": minimal} {
		t.Run(name, func(t *testing.T) {
			m := steady(t, ideal(), 2, stock)
			n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { change(c); c.MeshLocalPrefix = otherPrefix })
			n.Start()
			m.Until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild && m.OneMesh() })
			m.Run(2 * time.Minute)
			if !thread.DefaultMeshLocalPrefix.Contains(n.MeshLocalEID()) || n.Network().MeshLocalPrefix != thread.DefaultMeshLocalPrefix {
				t.Fatalf("ML-EID %v", n.MeshLocalEID())
			}
			pingAll(t, m, time.Second)

			n.Restart()
			if n.Network().MeshLocalPrefix != thread.DefaultMeshLocalPrefix {
				t.Errorf("prefix %v after a restart", n.Network().MeshLocalPrefix)
			}
		})
	}
}

// TestDataset_Merge: two partitions of the same network, each with a dataset of its leader's own making, become one network.
func TestDataset_Merge(t *testing.T) {
	m := meshtest.Chain(t, ideal(), 2, stock)
	for i := range 2 {
		m.Add(1, lorasim.Position{X: float64(100 + i)}, func(c *thread.Config) { stock(c); c.MeshLocalPrefix = otherPrefix })
	}
	for _, i := range []int{0, 2, 1, 3} {
		m.Nodes[i].Start()
		m.Until(5*time.Minute, "router", func() bool { return m.Nodes[i].Role() >= thread.RoleRouter })
	}
	if m.Count(thread.RoleLeader) != 2 || m.Nodes[3].Network().MeshLocalPrefix != otherPrefix {
		t.Fatalf("the test is wrong\n%s", m)
	}
	m.Nodes[2].Antenna.Move(lorasim.Position{X: 2})
	m.Nodes[3].Antenna.Move(lorasim.Position{X: 3})
	m.Until(10*time.Minute, "one mesh", m.OneMesh)
	m.Run(3 * time.Minute)
	for _, n := range m.Nodes[1:] {
		if got, want := n.Network().MeshLocalPrefix, m.Nodes[0].Network().MeshLocalPrefix; got != want {
			t.Errorf("prefixes %v and %v", got, want)
		}
	}
	pingAll(t, m, time.Second)
}

// TestDataset_NewerIsRegistered: a node that comes with a newer dataset than its partition has follows the partition's, and tells the leader. A
// prefix cannot change at once: after the delay all nodes have it, and nobody is lost.
func TestDataset_NewerIsRegistered(t *testing.T) {
	newer := &thread.DatasetSettings{
		Timestamp: [8]byte{5: 1}, TLVs: append([]byte{0x07, 0x08}, otherPrefix.Addr().AsSlice()[:8]...),
	}
	for name, change := range map[string]func(*thread.Config){"end device": endDevice, "minimal": minimal} {
		t.Run(name, func(t *testing.T) {
			store := new(thread.MemoryStore)
			_ = store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(3), Dataset: newer})
			m := steady(t, ideal(), 2, stock)
			n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { change(c); c.Store = store })
			if n.Network().MeshLocalPrefix != otherPrefix {
				t.Fatalf("stored dataset not taken up: %+v", n.Network())
			}
			n.Start()
			m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
			if m.Run(time.Second); n.Network().MeshLocalPrefix != thread.DefaultMeshLocalPrefix {
				t.Errorf("it is on its own in %v", n.Network().MeshLocalPrefix)
			}
			m.Until(2*time.Minute, "all in the new prefix", func() bool {
				for _, n := range m.Nodes {
					if n.Network().MeshLocalPrefix != otherPrefix {
						return false
					}
				}
				return true
			})
			m.Run(time.Minute)
			n.Flush()
			if s, _, _ := store.Load(); s.Dataset == nil || s.Dataset.Timestamp != newer.Timestamp || s.Pending != nil {
				t.Errorf("stored %+v, pending %+v", s.Dataset, s.Pending)
			}
			if !m.OneMesh() {
				t.Errorf("not one mesh\n%s", m)
			}
			pingAll(t, m, time.Second)
		})
	}
}

// TestDataset_Configuration: settings belong to the network that was configured. Under another configuration they do not count; a stored
// dataset that cannot be read is an error.
func TestDataset_Configuration(t *testing.T) {
	m := steady(t, ideal(), 1, stock)
	config := func(change func(*thread.Config)) thread.Config {
		c := thread.Config{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Rand: meshtest.Rand(1, 1), Store: new(thread.MemoryStore)}
		s := thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Role: thread.RoleRouter, RLOC16: 0x5800}
		n := m.Nodes[0].Network()
		s.Network = &n
		s.Dataset = &thread.DatasetSettings{TLVs: []byte{0x03, 0x01, 'x'}}
		if change != nil {
			change(&c)
		}
		_ = c.Store.Save(s)
		return c
	}
	e := must(thread.New(config(nil)))
	if e.RLOC16() != 0x5800 || e.Network().Name != "x" {
		t.Errorf("%v in %+v", e.RLOC16(), e.Network())
	}
	e = must(thread.New(config(func(c *thread.Config) { c.PANID = 0x4321 })))
	if e.RLOC16() != mle.InvalidRLOC16 || e.Network().Name != thread.DefaultNetworkName || e.Network().PANID != 0x4321 {
		t.Errorf("%v in %+v", e.RLOC16(), e.Network())
	}
	bad := config(nil)
	_ = bad.Store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, Dataset: &thread.DatasetSettings{TLVs: []byte{3}}})
	if _, err := thread.New(bad); err == nil {
		t.Error("a damaged dataset is taken")
	}
}

// On LoRa a dataset without time is not sent to who would make the same one of its configuration, and to who would not it is.
func TestDataset_NotSentTwice(t *testing.T) {
	fragments := 0
	m := meshtest.New(t, lorasim.Options{Seed: 1, Propagation: lorasim.Uniform(-90), Watch: func(x lorasim.Transmission) {
		if f, err := ieee802154.ParseFrame(x.Packet); err == nil && f.FramePending && f.Type == ieee802154.Data {
			fragments++
		}
	}})
	for i, want := range []int{0, 0, 1} { // fragments before the last, when node i has joined
		store := new(thread.MemoryStore)
		n := m.Add(1, lorasim.Position{}, func(c *thread.Config) {
			c.Timing, c.Store = thread.TimingPymesh(), store
			if i == 2 {
				c.NetworkName = "other"
			}
		})
		n.Start()
		m.Until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
		m.Run(10 * time.Second)
		if s, _, _ := store.Load(); fragments != want || n.Network() != m.Nodes[0].Network() || s.Dataset == nil {
			t.Errorf("node %d: %d fragments, stored %+v, in %+v", i+1, fragments, s.Dataset, n.Network())
		}
	}
}
