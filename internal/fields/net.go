package fields

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/program"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A net is a simulated air with the nodes of a field. It knows at each moment whether they are one mesh.
type net struct {
	*lorasim.Sim
	nodes []*node

	ctx       context.Context
	trial     *Trial
	config    lora.Config
	start     time.Time
	begun     time.Duration // of the measurement; negative before it
	questions questions
	fault     error // of a node
	hosts     []*program.Host
	folder    string // of the hosts
	kinds     *kinds
	timeline  []Moment
	sampled   lorasim.Stats      // at the last of timeline
	places    map[mle.RLOC16]int // of engines

	attached   int
	leaders    int
	partitions map[uint32]int // nodes in each
	whole      bool
	since      time.Duration // since when whole is what it is
	broken     time.Duration // how long they were not one mesh, up to since
}

// standing is what a node adds to the answer to "is it one mesh?".
type standing struct {
	role      thread.Role
	attached  bool
	partition uint32
}

func newNet(ctx context.Context, t *Trial) (*net, error) {
	n := &net{
		ctx: ctx, trial: t, config: t.Air.Config.WithDefaults(), begun: -1, partitions: map[uint32]int{}, places: map[mle.RLOC16]int{},
	}
	opt := t.Air
	if t.Details {
		n.kinds = newKinds(n)
		opt.Watch = n.kinds.watch
	}
	n.Sim = lorasim.New(opt)
	n.start = n.Now()
	for i, p := range t.Field.Places {
		if err := n.add(i, p); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

// host returns where the program of node i is started.
func (n *net) host(i int) (*program.Host, error) {
	k := i / wire.MaxNodeID
	if n.folder == "" {
		var err error
		if n.folder, err = os.MkdirTemp("", "pymesh-fields-"); err != nil {
			return nil, err
		}
	}
	for len(n.hosts) <= k {
		h, err := program.NewHost(n.folder)
		if err != nil {
			return nil, err
		}
		n.hosts = append(n.hosts, h)
	}
	return n.hosts[k], nil
}

// close ends the programs.
func (n *net) close() {
	for _, h := range n.hosts {
		_ = h.Close()
	}
	if n.folder != "" {
		_ = os.RemoveAll(n.folder)
	}
}

// elapsed returns how much time has passed.
func (n *net) elapsed() time.Duration { return n.Now().Sub(n.start) }

// step is how much time passes until a run looks whether it should go on.
const step = 10 * time.Second

// run lets time pass.
func (n *net) run(d time.Duration) error {
	_, err := n.runUntil(func() bool { return false }, d)
	return err
}

// runUntil lets time pass until a condition holds, but no longer than a limit, and reports whether it holds.
func (n *net) runUntil(condition func() bool, limit time.Duration) (bool, error) {
	end := n.elapsed() + limit
	for left := limit; left > 0; left = end - n.elapsed() {
		if err := errors.Join(n.ctx.Err(), n.fault); err != nil {
			return false, err
		}
		if n.RunUntil(condition, min(left, step)) {
			return true, nil
		}
		n.sample()
		n.report()
	}
	return condition(), n.fault
}

// one reports whether all nodes are attached to the same partition, and one of them is its leader.
func (n *net) one() bool { return n.whole }

// apart returns how long the nodes have not been one mesh, in all.
func (n *net) apart() time.Duration {
	if n.whole {
		return n.broken
	}
	return n.broken + n.elapsed() - n.since
}

// note takes over what has become of a node.
func (n *net) note(node *node, now standing) {
	if now == node.standing {
		return
	}
	n.count(node.standing, -1)
	n.count(now, 1)
	node.standing = now
	whole := n.attached == len(n.nodes) && len(n.partitions) == 1 && n.leaders == 1
	if whole == n.whole {
		return
	}
	if whole {
		n.broken += n.elapsed() - n.since
	}
	n.whole, n.since = whole, n.elapsed()
}

func (n *net) count(s standing, sign int) {
	if s.role == thread.RoleLeader {
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

// fail notes that a node does not work.
func (n *net) fail(node *node, err error) {
	if err != nil && n.fault == nil {
		n.fault = fmt.Errorf("node %d: %w", node.index+1, err)
	}
}
