package pymesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// Network describes the network that a node is part of: what all its nodes have in common, but for the key.
type Network struct {
	Name            string // at most 16 bytes
	PANID           uint16
	ExtPANID        [8]byte
	MeshLocalPrefix netip.Prefix // a /64
	Channel         uint8        // 11 to 26: without a meaning for LoRa
}

// Network returns the network's parameters: those that the options of New gave, or what the mesh has agreed on since.
func (n *Node) Network() Network {
	return get(n, func(e *thread.Engine) Network {
		w := e.Network()
		return Network{Name: w.Name, PANID: uint16(w.PANID), ExtPANID: w.ExtPANID, MeshLocalPrefix: w.MeshLocalPrefix, Channel: w.Channel}
	})
}

// A NetworkChange says what a network is to become. What is zero stays as it is.
type NetworkChange struct {
	// Key is another network key. It does not print.
	Key Key
	// Network is other parameters.
	Network
	// Delay is how long all nodes wait before they change, so that each has heard of it: at least 30 s, and 300 s for another key; at most 72
	// hours. The zero value is one that suits the radio: 300 s at SF7.
	Delay time.Duration
}

// String tells what changes, without the key.
func (c NetworkChange) String() string {
	s := fmt.Sprintf("%+v after %v", c.Network, c.Delay)
	if !c.Key.IsZero() {
		s += ", another key"
	}
	return s
}

// GoString is String: the key does not print with %#v either.
func (c NetworkChange) GoString() string { return c.String() }

// to applies the change.
func (c *NetworkChange) to(w thread.Network) (thread.Network, error) {
	if c.Delay < 0 {
		return w, fmt.Errorf("pymesh: ChangeNetwork: delay %v is negative", c.Delay)
	}
	if !c.Key.IsZero() {
		w.Key = c.Key.b
	}
	if c.Name != "" {
		w.Name = c.Name
	}
	if c.PANID != 0 {
		w.PANID = ieee802154.PANID(c.PANID)
	}
	if c.ExtPANID != [8]byte{} {
		w.ExtPANID = c.ExtPANID
	}
	if c.MeshLocalPrefix.IsValid() {
		w.MeshLocalPrefix = c.MeshLocalPrefix.Masked()
	}
	if c.Channel != 0 {
		w.Channel = c.Channel
	}
	return w, nil
}

// ErrRefused says that the mesh's leader has not taken a change of the network, or has not answered.
var ErrRefused = errors.New("pymesh: change of the network refused, or not answered")

// ChangeNetwork gives the whole mesh another key, or other parameters, and waits until this node has changed and is part of the mesh again. All
// nodes change at about the same time: Events tells each of them that a change will come, and when ([EventNetworkPending], with
// Event.Delay), and that it has come ([EventNetwork]). Another name or extended PAN ID alone comes at once.
//
// A node that is switched off, or out of reach, all the time from the call to the change does not learn of another key and must be given it by
// hand (WithKey); one that has heard of it, or of another PAN ID or prefix only, finds back. What has changed is stored: with a store, New
// takes up the new key although WithKey says the old one, until WithKey says something else.
//
// It fails with [ErrRefused], with ctx's error if that ends first, which does not stop a change that has been accepted, with ErrClosed, and at
// once if a field is outside of its range or the node is not part of a mesh.
func (n *Node) ChangeNetwork(ctx context.Context, change NetworkChange) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := n.Events(ctx)
	var want thread.Network
	var err error
	running := n.run.Do(func(now time.Time) {
		if want, err = change.to(n.engine.Network()); err == nil {
			if err = n.engine.ChangeNetwork(now, want, change.Delay); err != nil {
				err = fmt.Errorf("pymesh: ChangeNetwork: %w", asErrno(err))
			}
		}
	})
	if !running {
		return ErrClosed
	}
	for err == nil {
		if get(n, func(e *thread.Engine) bool { return e.Network() == want && e.Role() >= thread.RoleChild }) {
			return nil
		}
		ev, ok := <-events
		switch {
		case !ok && ctx.Err() != nil:
			return ctx.Err()
		case !ok:
			return cmp.Or(n.Err(), ErrClosed)
		case ev.Type == EventNetworkRefused:
			return ErrRefused
		}
	}
	return err
}
