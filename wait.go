package pymesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// WaitAttached waits until the node is part of a mesh: a child, a router or the leader. A node that nobody answers founds a mesh of its own and
// leads it, which is attached, too, but alone: [Node.WaitNeighbor] and [Node.WaitReachable] wait for others. It returns ctx's error when that ends
// first, and ErrClosed, or an error that wraps it, when the node does.
func (n *Node) WaitAttached(ctx context.Context) error {
	return n.waitFor(ctx, func() bool { return n.State() >= StateChild })
}

// WaitNeighbor waits until the node has a neighbor: a parent, a child or a router to which it has a radio connection. Errors are those of
// WaitAttached.
func (n *Node) WaitNeighbor(ctx context.Context) error {
	return n.waitFor(ctx, func() bool { return len(n.Neighbors()) > 0 })
}

// waitFor waits until a condition holds that changes with events.
func (n *Node) waitFor(ctx context.Context, condition func() bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := n.Events(ctx)
	for {
		if condition() {
			return nil
		}
		if _, ok := <-events; !ok {
			if err := ctx.Err(); err != nil {
				return err
			}
			return cmp.Or(n.Err(), ErrClosed)
		}
	}
}

// reachPatience is how long WaitReachable waits for an answer, in airtimes of the longest frame: 7 s at SF7.
const reachPatience = 30

// WaitReachable waits until a node answers at an address, one that is a neighbor or one far away: it pings it, again and again. Nodes that are
// started together may found a mesh each, which merge when they hear of each other, within a minute or two at SF7: this waits for it. Errors
// are those of WaitAttached.
func (n *Node) WaitReachable(ctx context.Context, peer netip.Addr) error {
	if !isIPv6(peer) {
		return fmt.Errorf("pymesh: WaitReachable: %v is not an IPv6 address", peer)
	}
	for {
		if err := n.WaitAttached(ctx); err != nil {
			return err
		}
		err := n.tryReach(ctx, peer)
		switch {
		case err == nil || errors.Is(err, ErrClosed):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("pymesh: WaitReachable: no answer from %v: %w", peer, ctx.Err())
		}
		if err := n.sleep(ctx, reachPatience/3*n.frame); err != nil { // the rest of the air is others'
			return err
		}
	}
}

// tryReach is one ping.
func (n *Node) tryReach(ctx context.Context, peer netip.Addr) error {
	now := n.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, n.clock.Until(now.Add(reachPatience*n.frame)))
	defer cancel()
	_, err := n.Ping(ctx, peer, 0)
	return err
}
