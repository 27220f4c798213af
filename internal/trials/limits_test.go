package trials

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/netdata"
)

const (
	mostRouters = 32
	square      = 6 // by 6 nodes that can be routers: four more than may be
	reach       = 1.6
)

// childrenEach is how many children a router takes: few, or as many as PYMESH_LIMITS says.
func childrenEach(t *testing.T) int {
	v, ok := os.LookupEnv("PYMESH_LIMITS")
	if !ok {
		return 2
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("PYMESH_LIMITS is %q, not a number of children from 1 on", v)
	}
	return n
}

// crowd is a square of nodes on an IEEE 802.15.4 air of which each hears the eight around it, more than there are router IDs, and next to
// each of them one child more than it takes. The children listen and sleep by turns.
func crowd(t *testing.T, each int) *meshtest.Mesh {
	t.Helper()
	m := meshtest.New(t, lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Propagation: func(_ float64, from, to lorasim.Position) float64 {
		if from.Distance(to) < reach {
			return -60
		}
		return -120
	}})
	add := func(pos lorasim.Position, change func(*thread.Config)) *meshtest.Node {
		return m.Add(1, pos, func(c *thread.Config) {
			c.Timing = thread.TimingIEEE802154()
			c.RouterUpgradeThreshold, c.RouterDowngradeThreshold, c.MaxChildren = mostRouters, mostRouters+1, each
			change(c)
		})
	}
	at := func(i int) lorasim.Position { return lorasim.Position{X: float64(i % square), Y: float64(i / square)} }
	for i := range square * square {
		n := add(at(i), func(*thread.Config) {})
		n.Start()
		m.Run(time.Second)
	}
	m.Until(time.Hour, "all routers", func() bool { return m.Count(thread.RoleRouter) == mostRouters-1 })
	for i := range square * square {
		for k := range each + 1 {
			n := add(at(i), func(c *thread.Config) {
				c.Mode, c.PollPeriod = thread.ModeMinimalEndDevice, 0
				if k%2 == 1 {
					c.Mode, c.PollPeriod = thread.ModeSleepyEndDevice, time.Second
				}
			})
			n.Start()
		}
		m.Run(time.Second)
	}
	return m
}

// attached returns those of some nodes that have a place in the mesh.
func attached(nodes []*meshtest.Node) (list []*meshtest.Node) {
	for _, n := range nodes {
		if n.Role() >= thread.RoleChild {
			list = append(list, n)
		}
	}
	return list
}

// vacant reports whether somebody without a place could have one at a router next to him.
func vacant(m *meshtest.Mesh, each int) bool {
	for _, n := range m.Nodes {
		for _, r := range m.Nodes {
			if n.Role() < thread.RoleChild && r.Role() >= thread.RoleRouter && children(r) < each && n.Antenna.Position().Distance(r.Antenna.Position()) < reach {
				return true
			}
		}
	}
	return false
}

func children(n *meshtest.Node) (count int) {
	for _, x := range n.Neighbors() {
		if x.Role == thread.RoleChild {
			count++
		}
	}
	return count
}

// sum adds up what some nodes have counted.
func sum(nodes []*meshtest.Node, of func(*thread.Counters) uint64) (total uint64) {
	for _, n := range nodes {
		c := n.Counters()
		total += of(&c)
	}
	return total
}

// TestLimits: a mesh in which there is no place for one more, with 32 routers and all their children, has its network data filled to the last
// byte, and for two minutes the nodes by turns send more at once than their queues and caches hold. What has no place is refused and
// counted; a child that has lost its parent in the storm, as Thread wants it after four frames without an acknowledgement, comes back; no
// router is lost, nor the leader, and when it is over all reach each other.
func TestLimits(t *testing.T) {
	each := childrenEach(t)
	m := crowd(t, each)
	for range 60 {
		if m.Run(time.Minute); !vacant(m, each) {
			break
		}
	}
	m.Run(2 * time.Minute)
	in, routers := attached(m.Nodes), m.Count(thread.RoleRouter)
	t.Logf("%d of %d nodes have a place", len(in), len(m.Nodes))
	if vacant(m, each) || routers != mostRouters-1 {
		t.Fatalf("%d routers, some have places left\n%s", routers+1, m)
	}
	fillNetworkData(t, m, in)
	leader, _ := in[0].Leader()
	t.Logf("%d nodes were detached meanwhile", flood(t, m, in))
	checkCounted(t, in)
	m.Run(5 * time.Minute)
	if got, _ := in[0].Leader(); got.PartitionID != leader.PartitionID || got.LeaderRouterID != leader.LeaderRouterID {
		t.Errorf("another leader: %+v, was %+v", got, leader)
	}
	if got := attached(m.Nodes); len(got) < len(in) || m.Count(thread.RoleRouter) != mostRouters-1 {
		t.Fatalf("%d nodes have a place, of which %d are routers\n%s", len(got), m.Count(thread.RoleRouter)+1, m)
	}
	// Who has lost its place to one of those that never had any founds a partition, which is alone for as long as all is full.
	in, lost := attached(m.Nodes), 0
	before := len(in)
	in = slices.DeleteFunc(in, func(n *meshtest.Node) bool { l, ok := n.Leader(); return !ok || l.PartitionID != leader.PartitionID })
	if t.Logf("%d nodes are in partitions of their own", before-len(in)); before-len(in) > len(in)/10 {
		t.Errorf("%d of %d nodes are in partitions of their own", before-len(in), before)
	}
	for i := range 100 {
		from, to := in[i*37%len(in)], in[(i*61+29)%len(in)]
		from.ExpectAnswer(m.Sim.Now(), 0)
		// The first may go to where a node was before the storm, whose parent then says that it is gone.
		if _, ok := ask(m, from, to.MeshLocalEID(), uint16(i), 10*time.Second); ok {
			continue
		}
		if _, ok := ask(m, from, to.MeshLocalEID(), uint16(i), 10*time.Second); !ok {
			lost++
		}
	}
	if t.Logf("%d of 100 are not reached after it", lost); lost > 2 {
		t.Errorf("%d of 100 are not reached", lost)
	}
}

// fillNetworkData has nodes register prefixes until the leader has no place for another one.
func fillNetworkData(t *testing.T, m *meshtest.Mesh, nodes []*meshtest.Node) {
	refused := func() uint64 { return sum(nodes, func(c *thread.Counters) uint64 { return c.RegistrationsRefused }) }
	for i, n := range nodes {
		err := n.AddPrefix(thread.OnMeshPrefix{
			Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(i % 40)}), 64),
			Flags:  netdata.FlagSLAAC | netdata.FlagPreferred | netdata.FlagOnMesh, Stable: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = n.RegisterNetworkData(m.Sim.Now()) // by itself if not now
		n.Antenna.Touch()
		m.Run(2 * time.Second)
	}
	m.Run(30 * time.Second)
	size := len(nodes[0].NetworkData())
	t.Logf("%d bytes of network data, %d registrations refused", size, refused())
	if refused() == 0 {
		t.Error("no registration was refused")
	}
}

// flood has one node in eight at a time send more at once than it can keep, and returns how many nodes had no place in between.
func flood(t *testing.T, m *meshtest.Mesh, nodes []*meshtest.Node) (detached int) {
	left := make(map[*meshtest.Node]bool)
	full := 0
	sleeper := nodes[slices.IndexFunc(nodes, func(n *meshtest.Node) bool { return n.Mode() == thread.ModeSleepyEndDevice })]
	for round := range 8 {
		for i, n := range nodes {
			if i%8 != round {
				continue
			}
			for k := range 80 {
				dst := nodes[(i+1+k)%len(nodes)].MeshLocalEID()
				size := 8
				switch k % 20 {
				case 0:
					dst = ip6.RealmLocalAllNodes
				case 1:
					size = 1000
				case 2, 3:
					dst = nodes[0].MeshLocalEID() // whose host fetches nothing
				case 4:
					dst = sleeper.MeshLocalEID()
				}
				packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}, 1234, 1234, make([]byte, size))
				if err != nil {
					t.Fatal(err)
				}
				switch err := n.HandlePacket(m.Sim.Now(), packet); {
				case errors.Is(err, thread.ErrQueueFull):
					full++
				case err != nil && !errors.Is(err, thread.ErrNoRoute) && !errors.Is(err, thread.ErrDetached):
					t.Errorf("%v: %v", n.RLOC16(), err)
				}
			}
			n.Antenna.Touch()
		}
		for range 15 {
			m.Run(time.Second)
			for _, n := range nodes {
				left[n] = left[n] || n.Role() < thread.RoleChild
			}
		}
		for _, n := range nodes {
			if q := n.Console().Queues(); q.Len() > q.Limit {
				t.Fatalf("%v: %+v is more than the limit", n.RLOC16(), q)
			}
		}
	}
	t.Logf("%d datagrams were refused at once", full)
	for _, gone := range left {
		if gone {
			detached++
		}
	}
	return detached
}

// checkCounted looks whether each limit was reached, and counted.
func checkCounted(t *testing.T, nodes []*meshtest.Node) {
	for name, of := range map[string]func(*thread.Counters) uint64{
		"QueueFull":         func(c *thread.Counters) uint64 { return c.QueueFull },
		"HostQueueFull":     func(c *thread.Counters) uint64 { return c.HostQueueFull },
		"AddressUnresolved": func(c *thread.Counters) uint64 { return c.AddressUnresolved },
		"ReassemblyDropped": func(c *thread.Counters) uint64 { return c.ReassemblyDropped },
		"TxDatagramsFailed": func(c *thread.Counters) uint64 { return c.TxDatagramsFailed },
	} {
		n := sum(nodes, of)
		if t.Log(name, n); n == 0 {
			t.Errorf("%s: nothing was counted", name)
		}
	}
}
