package pymesh

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// OnPacket sets the function that gets the datagrams for this node, or for a group of its, that nothing in it has taken: no socket, no ping,
// not the engine itself (which answers pings). They are whole IPv6 datagrams, for an IP stack beside the node's own: package
// [github.com/gopymesh/pymesh/netif] gives them to the host's. There is one call at a time, in a goroutine of its own; 64 datagrams wait for
// a slow one, and the oldest are lost then. A new handler replaces the old one, nil ends the calls.
func (n *Node) OnPacket(handler func(packet []byte)) { n.packets.set(handler) }

// unclaimed passes on what nothing in the node has taken, without the option by which it came through the mesh: to another stack it is unknown
// and, by its type, a reason to drop the datagram (RFC 8200 §4.2). It reports false if nobody is there for it.
func (n *Node) unclaimed(d *ip6.Datagram) bool {
	b := d.Bytes
	if d.HasMPL {
		var err error
		if b, err = ip6.RemoveMPLOption(nil, b); err != nil {
			return true // it has been parsed: it does not come to this
		}
	}
	return n.packets.put(b)
}

// SendPacket sends a datagram of another IP stack beside the node's own: a whole IPv6 datagram of at most 1280 bytes, whose source is one of
// [Node.IPAddrs]; what follows its header may be anything. It goes after all that the node's own sockets send. It does not wait for the mesh;
// errors are those of the engine's HandlePacket (thread.ErrQueueFull passes, thread.ErrPacket, thread.ErrTooLong, thread.ErrDetached and
// thread.ErrNoRoute do not), and ErrClosed.
func (n *Node) SendPacket(packet []byte) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) { err = n.engine.OfferBackground(now, packet) })
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: SendPacket: %w", err)
	}
	return err
}

// Radio returns the radio that the node was made with.
func (n *Node) Radio() lora.Radio { return n.radio }

// OnMeshPrefix is [Node.BorderRouter] with a choice: without defaultRoute the nodes of the mesh have addresses in the prefix, but send what is
// for the outside elsewhere, or get an error at once. For a prefix that this node serves already it changes preference and default route.
func (n *Node) OnMeshPrefix(prefix netip.Prefix, preference Preference, defaultRoute bool) error {
	if err := checkBorderRouter(prefix, preference); err != nil {
		return fmt.Errorf("pymesh: OnMeshPrefix: %w", err)
	}
	flags := borderRouterFlags
	if !defaultRoute {
		flags &^= netdata.FlagDefaultRoute
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) { err = n.addBorderRouter(now, prefix, preference, flags, true) })
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: OnMeshPrefix: %w", err)
	}
	return err
}

// JoinGroup has the node receive what is sent to a multicast group, for [Node.OnPacket]. Joining twice is no error; sockets have
// [UDPConn.JoinGroup].
func (n *Node) JoinGroup(group netip.Addr) error {
	if !isIPv6(group) || !group.IsMulticast() {
		return fmt.Errorf("pymesh: JoinGroup: %v is no multicast group", group)
	}
	err := ErrClosed
	n.run.Do(func(time.Time) {
		if err = nil; slices.Contains(n.groups, group) {
			return
		}
		if err = n.engine.Subscribe(group); err == nil {
			n.groups = append(n.groups, group)
		}
	})
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: JoinGroup: %w", err)
	}
	return err
}

// LeaveGroup undoes [Node.JoinGroup].
func (n *Node) LeaveGroup(group netip.Addr) {
	n.run.Do(func(time.Time) {
		if i := slices.Index(n.groups, group); i >= 0 {
			n.groups = slices.Delete(n.groups, i, i+1)
			n.engine.Unsubscribe(group)
		}
	})
}
