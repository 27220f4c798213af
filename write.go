package pymesh

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// errNotConnected is the error of Write on a socket without a peer.
var errNotConnected = syscall.EDESTADDRREQ

// hopLimit is that of this node's datagrams.
const hopLimit = 64

// A writer is a write that waits for room.
type writer struct {
	conn    *UDPConn
	to      netip.AddrPort
	payload []byte
	done    chan error
}

func (c *UDPConn) writeError(to net.Addr, err error) error {
	return &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: to, Err: err}
}

// Write sends a datagram to the peer of a dialled socket. Errors are those of WriteToUDPAddrPort.
func (c *UDPConn) Write(b []byte) (int, error) {
	if !c.remote.IsValid() {
		return 0, c.opError("write", errNotConnected)
	}
	return c.send(b, c.remote)
}

// WriteToUDPAddrPort sends a datagram. It returns once the node has taken it, and waits for that while others are under way: until the write
// deadline, or Close. What has been taken is dropped for nobody else's sake, but delivery is not confirmed. It fails with one of these in a
// *net.OpError, as a socket of Linux does:
//
//	EMSGSIZE       more than MaxDatagramSize, or MaxWideMulticastSize
//	ENETUNREACH    the node is not part of a mesh; or no border router is the way to the address, which is not of this mesh, or of
//	               no use beyond this node, as ::1 is, or beyond a link, as that of a socket that is bound to fe80::
//	EHOSTUNREACH   the address is of this mesh, but its router is gone, or nobody has answered to the question where it is, of late
//	ENETDOWN       the node is stopped
//	EADDRNOTAVAIL  the socket's address is not the node's any more
//	ENOSPC         the node's frame counters are used up for good: it needs another key
//
// and with os.ErrDeadlineExceeded and net.ErrClosed.
//
// What the mesh says of a datagram later is the error of the next call, once, on a dialled socket: EHOSTUNREACH if nobody answers to the
// question where the address is, or the router at the end of the way does not know it; ENETUNREACH if a router has no way; EACCES if it is
// prohibited; EMSGSIZE if it is too long for some network behind a border router; ECONNREFUSED if nobody listens to the port, which Pycom's boards
// never tell, and nodes of this package with [WithPortUnreachable]. Other sockets get such errors with [UDPConn.SetErrorQueue]. That a
// datagram gets lost on the air is no error.
func (c *UDPConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.remote.IsValid() {
		return 0, c.writeError(udpAddr(to), net.ErrWriteToConnected)
	}
	if !isIPv6(to.Addr()) || to.Port() == 0 {
		return 0, c.writeError(udpAddr(to), &net.AddrError{Err: "not an IPv6 address with a port", Addr: to.String()})
	}
	return c.send(b, netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()))
}

// WriteTo sends a datagram to a *net.UDPAddr.
func (c *UDPConn) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok || addr == nil {
		return 0, c.writeError(to, &net.AddrError{Err: "not a *net.UDPAddr", Addr: fmt.Sprint(to)})
	}
	return c.WriteToUDPAddrPort(b, addr.AddrPort())
}

func (c *UDPConn) send(b []byte, to netip.AddrPort) (int, error) {
	if err := c.sendDatagram(b, to); err != nil {
		return 0, c.writeError(udpAddr(to), err)
	}
	return len(b), nil
}

func (c *UDPConn) sendDatagram(b []byte, to netip.AddrPort) error {
	switch {
	case c.isClosed():
		return net.ErrClosed
	case c.write.passed():
		return os.ErrDeadlineExceeded
	case len(b) > MaxDatagramSize:
		return os.NewSyscallError("sendto", syscall.EMSGSIZE)
	}
	if err := c.takeError(); err != nil {
		return err
	}
	s := c.sockets
	w := &writer{conn: c, to: to, payload: b, done: make(chan error, 1)}
	if !s.node.run.Do(func(now time.Time) {
		s.writers = append(s.writers, w)
		s.writeOn(now)
	}) {
		return net.ErrClosed
	}
	var late error
	for late == nil {
		select {
		case err := <-w.done:
			return err
		case <-c.closed:
			late = net.ErrClosed
		case <-c.write.wait():
			if c.write.passed() {
				late = os.ErrDeadlineExceeded
			}
		}
	}
	s.node.run.Do(func(time.Time) { // b is the caller's again
		s.writers = slices.DeleteFunc(s.writers, func(o *writer) bool { return o == w })
	})
	select {
	case err := <-w.done:
		return err
	default:
		return late
	}
}

// writeOn takes what waits for room, as far as there is some: in order, but one destination does not hold up another. The runner's.
func (s *sockets) writeOn(now time.Time) {
	if len(s.writers) == 0 {
		return
	}
	var full destinations
	s.writers = slices.DeleteFunc(s.writers, func(w *writer) bool {
		if full.count == len(full.list) || full.has(w.to.Addr()) {
			return false
		}
		err := s.write(now, w)
		if errors.Is(err, thread.ErrQueueFull) {
			full.add(w.to.Addr())
			return false
		}
		w.done <- err
		return true
	})
}

// write offers a datagram to the engine.
func (s *sockets) write(now time.Time, w *writer) error {
	e, c, dst := s.node.engine, w.conn, w.to.Addr()
	src := c.local.Addr()
	if src.IsUnspecified() {
		src = e.SelectSource(dst)
	}
	if dst.IsUnspecified() || dst.IsLoopback() || src.IsLinkLocalUnicast() && !onLink(dst) && !slices.Contains(e.Addresses(), dst) {
		return os.NewSyscallError("sendto", syscall.ENETUNREACH)
	}
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: hopLimit, Src: src, Dst: dst}, c.local.Port(), w.to.Port(), w.payload)
	switch {
	case err != nil:
		return err
	case dst.IsMulticast() && ip6.ScopeOf(dst) < ip6.ScopeLinkLocal: // it stays in the node
		s.loop(c, packet)
		return nil
	}
	err = e.OfferPacket(now, packet)
	switch {
	case err == nil && dst.IsMulticast() && e.Subscribed(dst):
		s.loop(c, packet)
	case err == nil && c.wantsErrors():
		c.asked.add(dst)
	}
	return errnoOf(err, e.OnMesh(dst) || dst.IsLinkLocalUnicast())
}

// onLink reports whether an address is of this link or node.
func onLink(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || a.IsMulticast() && ip6.ScopeOf(a) <= ip6.ScopeLinkLocal
}

// loop hands a multicast to the sockets of this node. The runner's.
func (s *sockets) loop(c *UDPConn, packet []byte) {
	if d, err := ip6.ParseDatagram(packet); err == nil && !c.notLooped {
		s.deliver(&d, RSSIUnknown)
	}
}

// errnoOf is the error of the system for one of the engine. near says that the destination is of this mesh. ErrQueueFull is left.
func errnoOf(err error, near bool) error {
	errno := syscall.Errno(0)
	switch {
	case err == nil || errors.Is(err, thread.ErrQueueFull):
		return err
	case errors.Is(err, thread.ErrDisabled):
		errno = syscall.ENETDOWN
	case errors.Is(err, thread.ErrDetached), errors.Is(err, thread.ErrNoRoute) && !near:
		errno = syscall.ENETUNREACH
	case errors.Is(err, thread.ErrTooLong):
		errno = syscall.EMSGSIZE
	case errors.Is(err, thread.ErrNoRoute):
		errno = syscall.EHOSTUNREACH
	case errors.Is(err, thread.ErrPacket):
		errno = syscall.EADDRNOTAVAIL // the bound address is gone
	case errors.Is(err, thread.ErrCounters):
		errno = syscall.ENOSPC
	default:
		return err
	}
	return os.NewSyscallError("sendto", errno)
}
