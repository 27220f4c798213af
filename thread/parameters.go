package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// AutomaticParentPriority as a node's parent priority makes it low when places for children get few, medium otherwise.
const AutomaticParentPriority mle.ParentPriority = -2

// Parameters are the figures of a node that may be changed at any time, and hold from then on.
type Parameters struct {
	// RouterUpgradeThreshold and RouterDowngradeThreshold are as in Config, 0 to 255.
	RouterUpgradeThreshold, RouterDowngradeThreshold int
	// LeaderWeight and PartitionID are for partitions that this node will found.
	LeaderWeight uint8
	PartitionID  uint32
	// ParentPriority is AutomaticParentPriority or one of those that mle names.
	ParentPriority mle.ParentPriority
	// RouterSelectionJitter, NetworkIDTimeout and KeySwitchGuard are as in Timing. A KeySwitchGuard of zero guards nothing.
	RouterSelectionJitter, NetworkIDTimeout, KeySwitchGuard time.Duration
}

// Parameters returns the parameters in force.
func (e *Engine) Parameters() Parameters {
	return Parameters{
		RouterUpgradeThreshold: e.upgradeAt, RouterDowngradeThreshold: e.downgradeAt,
		LeaderWeight: e.leaderWeight, PartitionID: e.fixedPartition, ParentPriority: e.parentPriority,
		RouterSelectionJitter: e.timing.RouterSelectionJitter, NetworkIDTimeout: e.timing.NetworkIDTimeout,
		KeySwitchGuard: e.timing.KeySwitchGuard,
	}
}

// SetParameters changes the parameters. ErrArgument says that ParentPriority is none, and nothing has changed.
func (e *Engine) SetParameters(p Parameters) error {
	if p.ParentPriority < AutomaticParentPriority || p.ParentPriority > mle.ParentPriorityHigh {
		return ErrArgument
	}
	e.upgradeAt, e.downgradeAt = p.RouterUpgradeThreshold, p.RouterDowngradeThreshold
	e.leaderWeight, e.fixedPartition, e.parentPriority = p.LeaderWeight, p.PartitionID, p.ParentPriority
	e.timing.RouterSelectionJitter = p.RouterSelectionJitter
	e.timing.NetworkIDTimeout = p.NetworkIDTimeout
	e.timing.KeySwitchGuard = p.KeySwitchGuard
	return nil
}

// MaxChildren returns the number of children that this node accepts.
func (e *Engine) MaxChildren() int { return e.children.limit }

// SetMaxChildren changes that number, 1 to 511. It fails with ErrArgument, and with ErrState while there are children.
func (e *Engine) SetMaxChildren(n int) error {
	switch {
	case n < 1 || n > maxMaxChildren:
		return ErrArgument
	case e.children.count(func(c *child) bool { return c.state != stateInvalid }) > 0:
		return ErrState
	}
	e.children.init(n)
	return nil
}

// ChildTimeout returns the silence after which a parent is to drop this node.
func (e *Engine) ChildTimeout() time.Duration { return e.timing.ChildTimeout }

// SetChildTimeout changes the child timeout, and tells the parent. It cannot be shorter than all attempts of a keep-alive
// take together.
func (e *Engine) SetChildTimeout(now time.Time, d time.Duration) {
	e.now = now
	if d == e.timing.ChildTimeout {
		return
	}
	shortest := time.Duration(e.timing.KeepAliveAttempts+1) * e.timing.ChildUpdateRetry
	e.timing.ChildTimeout = max(d, shortest.Truncate(time.Second))
	if e.role == RoleChild {
		e.sendChildUpdateRequest()
	}
	e.settle()
}
