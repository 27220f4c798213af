package fields

import (
	"context"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// A Net is a simulated air with the nodes of a field. It knows at each moment whether they are one mesh.
type Net struct {
	Sim   *lorasim.Sim
	Nodes []*Node

	ctx       context.Context
	start     time.Time
	questions questions

	attached   int
	leaders    int
	partitions map[uint32]int // nodes in each
	whole      bool
	since      time.Duration // since when whole is what it is
	broken     time.Duration // how long they were not one mesh, up to since
}

// A Node is a Thread node of a Net.
type Node struct {
	*thread.Engine
	Antenna *lorasim.Node

	net   *Net
	index int
	standing
}

// standing is what a node adds to the answer to "is it one mesh?".
type standing struct {
	attached, leads bool
	partition       uint32
}

func newNet(ctx context.Context, opt lorasim.Options) *Net {
	n := &Net{Sim: lorasim.New(opt), ctx: ctx, partitions: map[uint32]int{}}
	n.start = n.Sim.Now()
	return n
}

// add puts a node on the air, which does nothing yet. Change, unless nil, edits its configuration first.
func (n *Net) add(seed uint64, pos lorasim.Position, change func(i int, c *thread.Config)) error {
	i := len(n.Nodes) + 1
	cfg := thread.Config{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(i), Rand: meshtest.Rand(seed, i), Store: new(thread.MemoryStore)}
	if change != nil {
		change(i-1, &cfg)
	}
	engine, err := thread.New(cfg)
	if err != nil {
		return fmt.Errorf("node %d: %w", i, err)
	}
	node := &Node{Engine: engine, net: n, index: i - 1}
	node.Antenna = n.Sim.Add(station{engine, node}, pos)
	n.Nodes = append(n.Nodes, node)
	return nil
}

// elapsed returns how much time has passed.
func (n *Net) elapsed() time.Duration { return n.Sim.Now().Sub(n.start) }

// step is how much time passes until a run looks whether it should go on.
const step = 10 * time.Second

// run lets time pass.
func (n *Net) run(d time.Duration) error {
	_, err := n.runUntil(func() bool { return false }, d)
	return err
}

// runUntil lets time pass until a condition holds, but no longer than a limit, and reports whether it holds.
func (n *Net) runUntil(condition func() bool, limit time.Duration) (bool, error) {
	for limit > 0 {
		if err := n.ctx.Err(); err != nil {
			return false, err
		}
		if n.Sim.RunUntil(condition, min(limit, step)) {
			return true, nil
		}
		limit -= step
	}
	return condition(), nil
}

// Whole reports whether all nodes are attached to the same partition, and one of them is its leader.
func (n *Net) Whole() bool { return n.whole }

// Broken returns how long the nodes have not been one mesh, in all.
func (n *Net) Broken() time.Duration {
	if n.whole {
		return n.broken
	}
	return n.broken + n.elapsed() - n.since
}

// note takes over what has become of a node.
func (n *Net) note(node *Node) {
	var now standing
	if l, ok := node.Leader(); ok {
		now = standing{attached: true, partition: l.PartitionID}
	}
	now.leads = node.Role() == thread.RoleLeader
	if now == node.standing {
		return
	}
	n.count(node.standing, -1)
	n.count(now, 1)
	node.standing = now
	whole := n.attached == len(n.Nodes) && len(n.partitions) == 1 && n.leaders == 1
	if whole == n.whole {
		return
	}
	if whole {
		n.broken += n.elapsed() - n.since
	}
	n.whole, n.since = whole, n.elapsed()
}

func (n *Net) count(s standing, sign int) {
	if s.leads {
		n.leaders += sign
	}
	if !s.attached {
		return
	}
	n.attached += sign
	if n.partitions[s.partition] += sign; n.partitions[s.partition] == 0 {
		delete(n.partitions, s.partition)
	}
}

// start switches the node on.
func (n *Node) start() error {
	if err := n.Start(n.net.Sim.Now()); err != nil {
		return err
	}
	n.after()
	n.Antenna.Touch()
	return nil
}

// after looks at what an input has done.
func (n *Node) after() {
	n.net.note(n)
	for {
		d, ok := n.PollPacket()
		if !ok {
			return
		}
		n.net.hear(n.index, &d, n.net.elapsed())
	}
}

// station is a node as the air sees it.
type station struct {
	*thread.Engine
	node *Node
}

func (s station) HandleFrame(now time.Time, psdu []byte, rssi int) {
	s.Engine.HandleFrame(now, psdu, rssi)
	s.node.after()
}

func (s station) HandleTimeout(now time.Time) {
	s.Engine.HandleTimeout(now)
	s.node.after()
}

func (s station) HandleTransmitDone(now time.Time, err error) {
	s.Engine.HandleTransmitDone(now, err)
	s.node.after()
}
