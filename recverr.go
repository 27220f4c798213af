package pymesh

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// errorQueue is how many errors wait in a socket. The oldest are lost then.
const errorQueue = 64

// A DeliveryError is what the mesh says of a datagram that was taken, and not delivered.
type DeliveryError struct {
	// To is where the datagram was to go. The port is 0 where the answer does not tell: the mesh's own routers quote no more than the
	// addresses.
	To netip.AddrPort
	// From says so: a router on the way, the node at its end, or this node, which has found no way.
	From netip.Addr
	// Err is a syscall.Errno, see [UDPConn.WriteToUDPAddrPort].
	Err error
}

// Error tells what happened to which datagram.
func (e DeliveryError) Error() string {
	return fmt.Sprintf("datagram to %v: %v says: %v", e.To, e.From, e.Err)
}

// Unwrap returns the errno.
func (e DeliveryError) Unwrap() error { return e.Err }

// SetErrorQueue says whether the socket keeps what the mesh says of datagrams that it does not deliver, for [UDPConn.ReadError]: up to 64, the
// latest. Then also a socket that is not dialled fails once with such an error in its next read or write, as with Linux's IPV6_RECVERR.
// Errors of datagrams to the last 16 addresses that the socket has written to are its own.
func (c *UDPConn) SetErrorQueue(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return c.opError("set", net.ErrClosed)
	}
	if c.queued = on; !on {
		c.errs = nil
	}
	return nil
}

// ReadError returns the oldest error of the queue, and false if there is none. It does not wait.
func (c *UDPConn) ReadError() (DeliveryError, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errs) == 0 {
		return DeliveryError{}, false
	}
	e := c.errs[0]
	c.errs = slices.Delete(c.errs, 0, 1)
	return e, true
}

// takeError returns an error that no call has returned yet.
func (c *UDPConn) takeError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.pending
	c.pending = nil
	return err
}

// wantsErrors reports whether errors are kept for a socket that is not dialled.
func (c *UDPConn) wantsErrors() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued && !c.remote.IsValid()
}

// fail notes an error for the next call.
func (c *UDPConn) fail(e DeliveryError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = e.Err
	if c.queued {
		if len(c.errs) >= errorQueue {
			c.errs = slices.Delete(c.errs, 0, 1)
		}
		c.errs = append(c.errs, e)
	}
	c.wake()
}

// refused takes an ICMPv6 error to the sockets whose datagram it is about. The runner's.
func (s *sockets) refused(_ time.Time, from netip.Addr, m ip6.ICMPv6) {
	const unused = 4 // bytes before the datagram that the error is about (RFC 4443 §3)
	errno := errnoOfICMP(m)
	if errno == 0 || len(m.Body) < unused {
		return
	}
	invoking := m.Body[unused:]
	h, err := ip6.ParseHeader(invoking)
	if err != nil || h.NextHeader != ip6.ProtocolUDP || h.Dst.IsMulticast() {
		return
	}
	e := DeliveryError{To: netip.AddrPortFrom(h.Dst, 0), From: from, Err: os.NewSyscallError("sendto", errno)}
	var port uint16
	if udp := invoking[ip6.HeaderSize:]; len(udp) >= ip6.UDPHeaderSize {
		port = binary.BigEndian.Uint16(udp)
		e.To = netip.AddrPortFrom(h.Dst, binary.BigEndian.Uint16(udp[2:]))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		if c.sent(h.Src, port, e.To) {
			c.fail(e)
		}
	}
}

// sent reports whether a datagram may be this socket's. A port of 0 is not known. The runner's.
func (c *UDPConn) sent(src netip.Addr, port uint16, to netip.AddrPort) bool {
	local := c.local.Addr()
	if port != 0 && port != c.local.Port() || !local.IsUnspecified() && local != src {
		return false
	}
	if c.remote.IsValid() {
		return c.remote.Addr() == to.Addr() && (to.Port() == 0 || to.Port() == c.remote.Port())
	}
	return c.wantsErrors() && c.asked.has(to.Addr())
}

// errnoOfICMP is the error that Linux makes of an ICMPv6 error, 0 for none.
func errnoOfICMP(m ip6.ICMPv6) syscall.Errno {
	switch m.Type {
	case ip6.ICMPv6PacketTooBig:
		return syscall.EMSGSIZE
	case ip6.ICMPv6TimeExceeded:
		return syscall.EHOSTUNREACH
	case ip6.ICMPv6ParameterProblem:
		return syscall.EPROTO
	case ip6.ICMPv6DestinationUnreachable:
		switch ip6.UnreachableCode(m.Code) {
		case ip6.UnreachableNoRoute:
			return syscall.ENETUNREACH
		case ip6.UnreachableProhibited, ip6.UnreachablePolicy, ip6.UnreachableRejectRoute:
			return syscall.EACCES
		case ip6.UnreachablePort:
			return syscall.ECONNREFUSED
		}
		return syscall.EHOSTUNREACH
	}
	return 0
}

// destinations are the last addresses of some.
type destinations struct {
	list  [16]netip.Addr
	count int // of those in the list
	next  int
}

func (d *destinations) has(a netip.Addr) bool { return slices.Contains(d.list[:d.count], a) }

// add notes an address, in place of the oldest if need be.
func (d *destinations) add(a netip.Addr) {
	if d.has(a) {
		return
	}
	d.list[d.next] = a
	d.next = (d.next + 1) % len(d.list)
	d.count = min(d.count+1, len(d.list))
}
