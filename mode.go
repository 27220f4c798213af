package pymesh

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Mode says what part a node can take in the mesh.
type Mode uint8

// The modes.
const (
	// FullThreadDevice becomes a router where routers are needed, as LoPy4 and FiPy do. It is the default.
	FullThreadDevice Mode = iota
	// EndDevice never routes for others, but finds its way to any node.
	EndDevice
	// MinimalEndDevice leaves everything to its parent.
	MinimalEndDevice
	// SleepyEndDevice is a minimal end device whose radio sleeps, if it is a lora.Sleeper. It polls its parent for what others send to it: see
	// WithPollPeriod.
	SleepyEndDevice
)

// MaxPollPeriod is the longest time between two polls of a SleepyEndDevice.
const MaxPollPeriod = 12 * time.Hour

// timeoutPolls is how many poll periods the timeout is at least after which the parent drops a node: some polls get lost.
const timeoutPolls = 4

// Mode returns the part that the node can take.
func (n *Node) Mode() Mode {
	return get(n, func(e *thread.Engine) Mode {
		switch m := e.Mode(); {
		case !m.Has(mle.ModeRxOnWhenIdle):
			return SleepyEndDevice
		case !m.Has(mle.ModeFullThreadDevice):
			return MinimalEndDevice
		case !e.Console().RouterRole():
			return EndDevice
		}
		return FullThreadDevice
	})
}

// SetMode changes the part that the node can take. A child tells its parent, and keeps its place; a router that may not be one any more
// looks for a parent.
func (n *Node) SetMode(m Mode) error {
	mode := thread.ModeFullThreadDevice
	switch m {
	case FullThreadDevice, EndDevice:
	case MinimalEndDevice:
		mode = thread.ModeMinimalEndDevice
	case SleepyEndDevice:
		mode = thread.ModeSleepyEndDevice
	default:
		return fmt.Errorf("pymesh: SetMode: %d is not a mode", m)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		c := n.engine.Console()
		c.SetRouterRole(now, m != EndDevice)
		err = c.SetMode(now, mode)
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("pymesh: SetMode: %w", err)
	}
	return err
}

// patienceFor is the child timeout that a poll period asks for, in whole seconds.
func patienceFor(poll time.Duration) time.Duration {
	return (timeoutPolls*poll + time.Second - 1).Truncate(time.Second)
}

// PollPeriod returns how often the node polls its parent as a SleepyEndDevice.
func (n *Node) PollPeriod() time.Duration { return get(n, (*thread.Engine).PollPeriod) }

// SetPollPeriod changes how often the node polls its parent as a SleepyEndDevice: see WithPollPeriod.
func (n *Node) SetPollPeriod(d time.Duration) error {
	if d < 0 || d > MaxPollPeriod {
		return fmt.Errorf("pymesh: SetPollPeriod: %v is not in 0 to %v", d, MaxPollPeriod)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		if c, patience := n.engine.Console(), patienceFor(d); patience > c.ChildTimeout() {
			c.SetChildTimeout(now, patience)
		}
		err = n.engine.SetPollPeriod(now, d)
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("pymesh: SetPollPeriod: %w", err)
	}
	return err
}

// ExpectAnswer tells a SleepyEndDevice that an answer to what it has just sent is due: it polls eight times in short succession (each second, at SF7). Ping does
// so by itself, and what the mesh itself asks and answers. In other nodes it does nothing.
func (n *Node) ExpectAnswer() { n.run.Do(func(now time.Time) { n.engine.ExpectAnswer(now, 0) }) }
