package pymesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// Why a node has not joined.
var (
	// ErrNoNetwork says that no network in reach lets this node in: nobody commissions, or somebody else is meant.
	ErrNoNetwork = thread.ErrNoNetwork
	// ErrPassword says that the commissioner has another password for this node.
	ErrPassword = thread.ErrPassword
	// ErrNoAnswer says that a network was found, but the commissioner, or the node on the way to it, does not answer.
	ErrNoAnswer = thread.ErrNoAnswer
	// ErrNotWanted says that the commissioner has refused this node, though it knows the password.
	ErrNotWanted = thread.ErrNotWanted
)

// discoveries is how often Join looks for a network that lets the node in: on LoRa an answer gets lost now and then.
const discoveries = 5

// A JoinProgress is a step of [Join].
type JoinProgress struct {
	State JoinState
	// Network is the name of the network that was found, Router the node of it through which this one joins.
	Network string
	Router  MAC
}

// JoinState is how far a node is in joining.
type JoinState uint8

// The states.
const (
	JoinDiscovering = JoinState(thread.JoinDiscovering) // it looks for networks that let it in
	JoinConnecting  = JoinState(thread.JoinConnecting)  // has found one, and compares passwords with its commissioner
	JoinFinalizing  = JoinState(thread.JoinFinalizing)  // they are the same; it has told what it is
	JoinEntrusting  = JoinState(thread.JoinEntrusting)  // is accepted, and waits for the network's key
	JoinDone        = JoinState(thread.JoinDone)        // has it
)

func (s JoinState) String() string { return thread.JoinState(s).String() }

// WithJoinProgress has a function called with each step of [Join]. It is called by a goroutine of Join's and must not wait long.
func WithJoinProgress(progress func(JoinProgress)) Option {
	return func(c *config) { c.progress = progress }
}

// JoinerStep is what has become of a node that wants to join, as the commissioner sees it.
type JoinerStep uint8

// The steps.
const (
	JoinerConnected = JoinerStep(thread.JoinerConnected) // it has the right password
	JoinerAccepted  = JoinerStep(thread.JoinerAccepted)  // it is being given the network's key
	JoinerFailed    = JoinerStep(thread.JoinerFailed)    // it was not let in
)

func (s JoinerStep) String() string {
	switch s {
	case JoinerConnected:
		return "connected"
	case JoinerAccepted:
		return "accepted"
	case JoinerFailed:
		return "failed"
	}
	return fmt.Sprintf("JoinerStep(%d)", uint8(s))
}

// Join lets a node into the network whose commissioner knows the node's password, see [Node.Commission]: a password is printed on a device or chosen
// by its owner, 6 to 32 capital letters and digits without I, O, Q and Z. It takes 20 to 60 seconds at SF7, and returns the network. The key and all
// else are in the store of [WithStore], which it needs: [New] with that store and without WithKey is then a node of that network.
//
//	if _, err := pymesh.Join(ctx, radio, "J01NME", pymesh.WithStore(store)); err != nil {
//		return err
//	}
//	node, err := pymesh.New(radio, pymesh.WithStore(store))
//
// The commissioner knows the node by its MAC address ([WithMAC], or the stored one, or else one at random), or lets any in.
//
// It fails with [ErrNoNetwork], [ErrPassword], [ErrNoAnswer] or [ErrNotWanted], with ctx's error, and at once if an option or the password is none.
// Nothing of a failed try is kept. The radio is not closed, and must not be in use otherwise.
func Join(ctx context.Context, radio lora.Radio, password string, options ...Option) (Network, error) {
	if err := meshcop.CheckPassword(password); err != nil {
		return Network{}, fmt.Errorf("pymesh: Join: %w", err)
	}
	c, giveBack, err := prepare(radio, options)
	if err != nil {
		return Network{}, err
	}
	defer giveBack()
	if c.memoryStore {
		return Network{}, errors.New("pymesh: Join needs WithStore: else nothing would be left of the network's key (OpenFileStore)")
	}
	engine, err := thread.New(c.Config)
	if err != nil {
		return Network{}, fmt.Errorf("pymesh: %w", err)
	}
	over := make(chan error, 1)
	hooks := runner.Hooks{
		Packet: func(time.Time, *ip6.Datagram, int) {},
		Event: func(ev thread.Event) {
			if c.progress != nil && ev.Type == thread.EventJoin && ev.Join != thread.JoinIdle {
				c.progress(JoinProgress{State: JoinState(ev.Join), Network: ev.NetworkName, Router: macOf(ev.ExtAddr)})
			}
		},
		Begin: func(now time.Time) error {
			engine.Console().InterfaceUp(now)
			o := thread.JoinOptions{Password: password, Vendor: meshcop.Vendor{Name: "pymesh"}, Discoveries: discoveries}
			return engine.Join(now, o, func(err error) { over <- err })
		},
	}
	run, err := runner.Start(engine, radio, c.Logger, hooks)
	if err != nil {
		return Network{}, fmt.Errorf("pymesh: Join: %w", err)
	}
	select {
	case err = <-over:
	case <-ctx.Done():
		err = ctx.Err()
		run.Do(func(now time.Time) { engine.StopJoining(now) })
	case <-run.Done():
		err = cmp.Or(run.Err(), ErrClosed)
	}
	var n thread.Network
	run.Do(func(time.Time) {
		engine.Flush()
		n = engine.Network()
	})
	if closed := run.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Network{}, fmt.Errorf("pymesh: Join: %w", err)
	}
	return Network{Name: n.Name, PANID: uint16(n.PANID), ExtPANID: n.ExtPANID, MeshLocalPrefix: n.MeshLocalPrefix, Channel: n.Channel}, nil
}

// AnyNode stands for the MAC address of whichever node.
const AnyNode MAC = 0

// A Commissioner lets nodes into the network, by their passwords. There is one in a network at a time.
type Commissioner struct{ node *Node }

// Commission makes the node the commissioner of its network, and waits until the leader has agreed. It is the commissioner until Close, or until it is
// cut off from the leader, which [EventCommissioner] tells. It fails with [ErrRefused] if there is another one, or the leader
// does not answer, with ctx's error, with ErrClosed, and at once if the node is not part of a mesh or the commissioner already.
func (n *Node) Commission(ctx context.Context) (*Commissioner, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := n.Events(ctx)
	var err error
	running := n.run.Do(func(now time.Time) {
		if err = thread.ErrDetached; n.engine.Role() >= thread.RoleChild {
			err = n.engine.StartCommissioner(now)
		}
	})
	if !running {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("pymesh: Commission: %w", err)
	}
	c := &Commissioner{n}
	for {
		if get(n, (*thread.Engine).CommissionerActive) {
			return c, nil
		}
		ev, ok := <-events
		switch {
		case !ok && ctx.Err() != nil:
			_ = c.Close()
			return nil, ctx.Err()
		case !ok:
			return nil, cmp.Or(n.Err(), ErrClosed)
		case ev.Type == EventCommissioner && !ev.Active:
			return nil, ErrRefused
		}
	}
}

// Allow lets a node join within a time: that with a MAC address, or AnyNode that has the password. It joins through any node of the mesh that it
// hears. [EventJoiner] tells who has come, and how it has ended. A node that has joined may not come again, but for some
// seconds; AnyNode stands until the time is over.
//
// Passwords are those of [Join]. A guess costs an attempt that the commissioner sees, and after a wrong one the next has to wait, up to a minute. It
// fails if the password is none, the time is not positive, or the node is not the commissioner any more; 32 can be let in at a time.
func (c *Commissioner) Allow(who MAC, password string, timeout time.Duration) error {
	if err := meshcop.CheckPassword(password); err != nil {
		return fmt.Errorf("pymesh: Allow: %w", err)
	}
	return c.do("Allow", func(now time.Time) error {
		return c.node.engine.AllowJoiner(now, thread.Joiner{EUI64: who.ext(), Any: who == AnyNode, Password: password, Timeout: timeout})
	})
}

// Disallow takes Allow back. It fails if that was not called, or its time is over.
func (c *Commissioner) Disallow(who MAC) error {
	return c.do("Disallow", func(now time.Time) error { return c.node.engine.DisallowJoiner(now, who.ext(), who == AnyNode) })
}

// Close gives the role back. Nobody is let in any more.
func (c *Commissioner) Close() error {
	err := c.do("Close", func(now time.Time) error { return c.node.engine.StopCommissioner(now) })
	if errors.Is(err, thread.ErrState) {
		return nil // it was none any more
	}
	return err
}

func (c *Commissioner) do(name string, f func(now time.Time) error) (err error) {
	if !c.node.run.Do(func(now time.Time) { err = f(now) }) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("pymesh: Commissioner.%s: %w", name, err)
	}
	return nil
}
