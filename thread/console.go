package thread

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/console"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Console returns the view of package cli's interpreter on this engine. It is of no use to others.
func (e *Engine) Console() *console.View {
	return &console.View{
		Core: e.Core, Neighbors: e.neighbors, Addresses: e.addresses, Resolver: e.resolver, NetworkData: e.netData, Keys: e.keys,
		Filter: &e.mac.Filter, Scale: e.scale, FrameTime: e.timing.FrameTime, Commands: commands{e},
	}
}

// commands are what the command line does to an engine. Their documentation is with console.Commands.
type commands struct{ e *Engine }

func (c commands) Observe(now time.Time) { c.e.Advance(now) }

func (c commands) IsUp() bool                      { return c.e.interfaceOn }
func (c commands) InterfaceUp(now time.Time)       { c.e.interfaceUp(now) }
func (c commands) InterfaceDown(now time.Time)     { c.e.interfaceDown(now) }
func (c commands) StartThread(now time.Time) error { return c.e.startThread(now) }
func (c commands) StopThread(now time.Time)        { c.e.stopThread(now) }

func (c commands) SetAutoStart(on bool) error {
	s := &c.e.keeper.settings
	before := s.AutoStart
	s.AutoStart = on
	if !c.e.save() {
		s.AutoStart = before
		return errStoreFailed
	}
	return nil
}

// input runs f as an input at now, which ends as all do unless it fails.
func (c commands) input(now time.Time, f func(e *Engine) error) error {
	c.e.Advance(now)
	if err := f(c.e); err != nil {
		return err
	}
	c.e.settle()
	return nil
}

func (c commands) BecomeDetached(now time.Time) error {
	return c.input(now, func(e *Engine) error {
		if e.role == RoleDisabled {
			return ErrState
		}
		e.attach.detach()
		return nil
	})
}

func (c commands) BecomeChild(now time.Time) error {
	return c.input(now, func(e *Engine) error {
		switch {
		case e.role == RoleDisabled:
			return ErrState
		case !e.attach.idle():
			return ErrBusy
		}
		e.attach.start(attachAny)
		return nil
	})
}

func (c commands) BecomeRouter(now time.Time) error {
	return c.input(now, func(e *Engine) error {
		switch {
		case !e.attached():
			return ErrState
		case e.isRouter():
		case !e.routerEligible():
			return ErrNotCapable
		default:
			e.selection.solicit(tmf.ReasonHaveChildIDRequest)
		}
		return nil
	})
}

func (c commands) BecomeLeader(now time.Time) error {
	return c.input(now, func(e *Engine) error {
		switch {
		case e.role == RoleDisabled:
			return ErrState
		case e.role == RoleLeader:
		case !e.routerEligible():
			return ErrNotCapable
		default:
			e.leading.formPartition()
		}
		return nil
	})
}

func (c commands) ReleaseRouterID(now time.Time, id mle.RouterID) error {
	return c.input(now, func(e *Engine) error {
		switch {
		case e.role != RoleLeader:
			return ErrState
		case !e.neighbors.Routers.IsAssigned(id):
			return ErrNotFound
		case id == e.ownID():
			return ErrArgument
		}
		e.leading.release(id)
		return nil
	})
}

func (c commands) SetNetwork(n Network) error {
	e := c.e
	if e.role != RoleDisabled {
		return ErrState
	}
	if err := n.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	n.MeshLocalPrefix = n.MeshLocalPrefix.Masked()
	e.pendingSet.Clear()
	if n == e.dataset.Network() {
		e.dataset.SetNetwork(n)
		e.policyChanged()
		e.changed()
		return nil
	}
	// All that hangs on the old network is forgotten but this node's frame counters: that they go on does no harm.
	if n.Key != e.dataset.Network().Key {
		e.keys.SetNetworkKey(n.Key)
		e.mle.answers.Forget()
	}
	e.keeper.settings.Network = nil
	e.dataset.SetNetwork(n)
	e.policyChanged()
	e.forgetPlace()
	return nil
}

func (c commands) SetExtAddr(ext ieee802154.ExtAddr) error {
	e := c.e
	switch {
	case e.role != RoleDisabled:
		return ErrState
	case ext == e.Ext:
		return nil
	}
	e.Ext = ext
	e.forgetPlace()
	return nil
}

func (c commands) SetMode(now time.Time, mode mle.Mode) error {
	e := c.e
	e.Advance(now)
	switch {
	case mode.Has(mle.ModeFullThreadDevice) && !mode.Has(mle.ModeRxOnWhenIdle):
		return ErrArgument
	case mode == e.mode:
		return nil
	}
	e.mode = mode
	switch e.role {
	case RoleDetached:
		e.attach.counter = 0
		e.becomeDetached()
		e.attach.start(attachAny)
	case RoleChild:
		e.becomeChild(e.rloc)
		e.keepAlive.sendRequest()
	case RoleRouter, RoleLeader:
		if !e.fullThreadDevice() {
			e.attach.detach()
		}
	}
	e.settle()
	return nil
}

func (c commands) RouterRole() bool { return c.e.routerEligible() }

func (c commands) SetRouterRole(now time.Time, allowed bool) {
	e := c.e
	e.Advance(now)
	before := e.routerEligible()
	e.routerRole = allowed
	switch {
	case e.routerEligible() == before:
	case e.isRouter():
		e.attach.detach()
	case e.role == RoleChild:
		e.selection.eligibilityChanged()
	}
	e.settle()
}

func (c commands) SetKeySequence(now time.Time, seq keys.Sequence) error {
	return c.input(now, func(e *Engine) error {
		if !e.keys.Advance(seq, e.threadOn) {
			return ErrKeySequence
		}
		return nil
	})
}

func (c commands) SetMaxChildren(n int) error {
	children := &c.e.neighbors.Children
	switch {
	case n < 1 || n > maxMaxChildren:
		return ErrArgument
	case !children.Empty():
		return ErrState
	}
	children.Resize(n)
	return nil
}

func (c commands) ChildTimeout() time.Duration { return c.e.keepAlive.timeout() }

func (c commands) SetChildTimeout(now time.Time, d time.Duration) {
	e := c.e
	e.Advance(now)
	if d == e.keepAlive.timeout() {
		return
	}
	shortest := max(time.Duration(e.timing.KeepAliveAttempts+1)*e.timing.ChildUpdateRetry,
		e.timing.MinPoll+time.Duration(e.timing.FailedChildTransmissions)*e.timing.PollRetry)
	e.timing.ChildTimeout, e.timing.ListenerTimeout = max(d, shortest.Truncate(time.Second)), 0
	if e.role == RoleChild {
		e.keepAlive.sendRequest()
	}
	e.settle()
}

func (c commands) PollPeriod() time.Duration { return c.e.PollPeriod() }

func (c commands) SetPollPeriod(now time.Time, d time.Duration) {
	e := c.e
	e.Advance(now)
	e.polls.SetPeriod(d)
	e.settle()
}

func (c commands) Parameters() console.Parameters {
	e := c.e
	return console.Parameters{
		RouterUpgradeThreshold: e.selection.upgradeAt, RouterDowngradeThreshold: e.selection.downgradeAt,
		LeaderWeight: e.leading.weight, PartitionID: e.leading.partitionID, ParentPriority: e.parent.priority,
		RouterSelectionJitter: e.timing.RouterSelectionJitter, NetworkIDTimeout: e.timing.NetworkIDTimeout,
		KeySwitchGuard: e.keys.Guard,
	}
}

func (c commands) SetParameters(p console.Parameters) error {
	if p.ParentPriority < AutomaticParentPriority || p.ParentPriority > mle.ParentPriorityHigh {
		return ErrArgument
	}
	e := c.e
	e.selection.upgradeAt, e.selection.downgradeAt = p.RouterUpgradeThreshold, p.RouterDowngradeThreshold
	e.leading.weight, e.leading.partitionID, e.parent.priority = p.LeaderWeight, p.PartitionID, p.ParentPriority
	e.timing.RouterSelectionJitter, e.timing.NetworkIDTimeout = p.RouterSelectionJitter, p.NetworkIDTimeout
	e.keys.Guard = p.KeySwitchGuard
	return nil
}

func (c commands) AddAddress(a netip.Addr) error {
	changed, err := c.e.addresses.Add(a)
	if changed {
		c.addressesChanged()
	}
	return err
}

func (c commands) RemoveAddress(a netip.Addr) error {
	_, err := c.e.addresses.Remove(a)
	if err == nil {
		c.addressesChanged()
	}
	return err
}

// addressesChanged tells the host and the parent of a change.
func (c commands) addressesChanged() {
	c.e.events.emit(Event{Type: EventAddresses})
	c.e.keepAlive.addressesChanged()
}

func (c commands) MulticastAddresses() []netip.Addr { return c.e.addresses.Groups() }

func (c commands) IsOwnGroup(a netip.Addr) bool { return c.e.addresses.IsOwnGroup(a) }

func (c commands) Queues() console.Queues {
	e := c.e
	return console.Queues{
		Limit:   sender.MaxQueued + reassemblies + mplDatagrams + maxDelayed,
		Sending: e.sender.Queued(), Resolving: e.sender.Waiting(), Reassembling: e.mesh.reassembler.Len(), MPL: e.mpl.Len(),
		MLE: len(e.mle.delayed), CoAP: e.tmf.coap.Pending(),
	}
}
