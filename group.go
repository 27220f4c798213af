package pymesh

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// JoinGroup makes the node receive datagrams to a multicast address, until LeaveGroup or Close. Joining twice is joining once, and what
// other sockets and the command line have joined is theirs. ff02::1 and ff03::1 are joined always. It fails with ENOBUFS if the node listens
// to 64 other groups. As in Linux, a group that the node listens to is heard by all its sockets with the port.
func (c *UDPConn) JoinGroup(group netip.Addr) error { return c.group(group, (*UDPConn).join) }

// LeaveGroup undoes JoinGroup. It fails with EADDRNOTAVAIL if this socket has not joined the group.
func (c *UDPConn) LeaveGroup(group netip.Addr) error {
	return c.group(group, func(c *UDPConn, g netip.Addr) error {
		if !slices.Contains(c.groups, g) {
			return os.NewSyscallError("setsockopt", syscall.EADDRNOTAVAIL)
		}
		c.leave(g)
		return nil
	})
}

// SetMulticastLoopback says whether the sockets of this node, this one among them, get what it sends to groups that the node listens to. They
// do by default.
func (c *UDPConn) SetMulticastLoopback(on bool) error {
	err := net.ErrClosed
	c.sockets.node.run.Do(func(time.Time) {
		if !c.isClosed() {
			c.notLooped, err = !on, nil
		}
	})
	if err != nil {
		return c.opError("set", err)
	}
	return nil
}

// group runs join or leave where the engine is.
func (c *UDPConn) group(group netip.Addr, f func(*UDPConn, netip.Addr) error) error {
	if !isIPv6(group) || !group.IsMulticast() {
		return c.opError("set", &net.AddrError{Err: "not an IPv6 multicast address", Addr: group.String()})
	}
	err := net.ErrClosed
	c.sockets.node.run.Do(func(time.Time) {
		if !c.isClosed() {
			err = f(c, group.WithZone(""))
		}
	})
	if err != nil {
		return c.opError("set", err)
	}
	return nil
}

func (c *UDPConn) join(group netip.Addr) error {
	if slices.Contains(c.groups, group) {
		return nil
	}
	if err := c.sockets.node.engine.Subscribe(group); err != nil { // it is a group: the table is full
		return os.NewSyscallError("setsockopt", syscall.ENOBUFS)
	}
	c.groups = append(c.groups, group)
	return nil
}

// leave leaves a group, which the node leaves with the last who joined it.
func (c *UDPConn) leave(group netip.Addr) {
	if i := slices.Index(c.groups, group); i >= 0 {
		c.groups = slices.Delete(c.groups, i, i+1)
		c.sockets.node.engine.Unsubscribe(group)
	}
}
