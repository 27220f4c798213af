package pymesh

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Ports that a socket can be bound to, as Pymesh documents them; MaxPort is no slip of the pen here.
const (
	MinPort = 1024
	MaxPort = 63535

	ephemeralPort = 49152
)

// MaxDatagramSize is the largest UDP payload in bytes to one node, or to a group in the mesh (ff02::/16, ff03::/16): 1224. An IPv6
// datagram in a mesh has at most 1280 bytes, of which a multicast needs eight for itself.
const MaxDatagramSize = ip6.MinMTU - ip6.HeaderSize - ip6.UDPHeaderSize - 8

// MaxWideMulticastSize is the largest UDP payload in bytes to a group of a scope wider than the mesh (ff04::/16 and above): 1184. Such
// a multicast travels inside another one, whose header takes 40 bytes.
const MaxWideMulticastSize = MaxDatagramSize - ip6.HeaderSize

// receiveQueue is how many datagrams wait in a socket. The oldest are lost then.
const receiveQueue = 64

// sockets are the UDP sockets of a node.
type sockets struct {
	node *Node
	max  int

	mu       sync.Mutex
	open     []*UDPConn
	closed   bool
	nextPort uint16
	handler  func(*UDPConn)
	due      []*UDPConn // the calls that the handler is to get
	calling  bool       // a goroutine makes them
}

func (s *sockets) init(n *Node, limit int) {
	s.node, s.max, s.nextPort = n, limit, ephemeralPort
}

// UDPConn is a UDP socket in the mesh. It is a net.PacketConn, and one from DialUDP a net.Conn as well. Its methods may be
// called by several goroutines at a time.
type UDPConn struct {
	sockets *sockets
	local   netip.AddrPort // the address is :: for all addresses of the node
	remote  netip.AddrPort // valid if dialled

	groups []netip.Addr // joined; the runner's

	mu      sync.Mutex
	queue   []datagram
	ready   chan struct{} // has a token while the queue may be non-empty
	closed  chan struct{}
	read    deadline
	write   deadline
	dropped uint64
}

type datagram struct {
	from    netip.AddrPort
	payload []byte
}

var (
	_ net.PacketConn = (*UDPConn)(nil)
	_ net.Conn       = (*UDPConn)(nil)
)

// ListenUDP opens a socket that receives datagrams to a port of the node, at one of its addresses or at all of them if the address
// is :: or not set. Ports are 1024 to 63535; with port 0 a free one is chosen. The mesh itself uses 19788 and 61631.
//
// Errors are *net.OpError values around those that a UDP socket of the system gives: EADDRINUSE, EADDRNOTAVAIL, EMFILE (see
// WithMaxSockets), net.ErrClosed.
func (n *Node) ListenUDP(local netip.AddrPort) (*UDPConn, error) {
	c, err := n.sockets.listen(local, netip.AddrPort{})
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Source: nil, Addr: udpAddr(local), Err: err}
	}
	return c, nil
}

// DialUDP opens a socket that exchanges datagrams with one peer alone. local may be the zero AddrPort: then address and port are
// chosen, the address by what the peer can reach. See ListenUDP for ports and errors.
func (n *Node) DialUDP(local, remote netip.AddrPort) (*UDPConn, error) {
	fail := func(err error) (*UDPConn, error) {
		return nil, &net.OpError{Op: "dial", Net: "udp", Source: udpAddr(local), Addr: udpAddr(remote), Err: err}
	}
	if !isIPv6(remote.Addr()) || remote.Addr().IsUnspecified() {
		return fail(&net.AddrError{Err: "not an IPv6 address of a peer", Addr: remote.String()})
	}
	if remote.Port() == 0 {
		return fail(&net.AddrError{Err: "port 0 is no peer's", Addr: remote.String()})
	}
	remote = netip.AddrPortFrom(remote.Addr().WithZone(""), remote.Port())
	from := local
	if !from.Addr().IsValid() || from.Addr().IsUnspecified() {
		addr := get(n, func(e *thread.Engine) netip.Addr { return e.SelectSource(remote.Addr()) })
		from = netip.AddrPortFrom(addr, local.Port())
	}
	c, err := n.sockets.listen(from, remote)
	if err != nil {
		return fail(err)
	}
	return c, nil
}

// OnReceive sets the function that is called for each datagram that has arrived, at whatever socket: the rx_cb of the Pymesh API.
// The handler gets the socket, of which it should read one datagram; a read does not wait then, unless somebody else reads from
// the socket. There is one call at a time, in a goroutine of its own, and datagrams that waited already get theirs too.
// A new handler replaces the old one, nil ends the calls.
func (n *Node) OnReceive(handler func(*UDPConn)) {
	s := &n.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler, s.due = handler, nil
	for _, c := range s.open {
		for range c.waiting() {
			s.schedule(c)
		}
	}
}

func isIPv6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

// listen opens a socket.
func (s *sockets) listen(local, remote netip.AddrPort) (*UDPConn, error) {
	addr := local.Addr().WithZone("")
	if !addr.IsValid() {
		addr = netip.IPv6Unspecified()
	}
	if !isIPv6(addr) {
		return nil, &net.AddrError{Err: "not an IPv6 address", Addr: local.String()}
	}
	port := local.Port()
	if port != 0 && (port < MinPort || port > MaxPort) {
		return nil, &net.AddrError{Err: fmt.Sprintf("port %d is not in %d to %d", port, MinPort, MaxPort), Addr: local.String()}
	}
	own := s.node.IPAddrs()
	if own == nil {
		return nil, net.ErrClosed
	}
	if !addr.IsUnspecified() && !slices.Contains(own, addr) {
		return nil, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, net.ErrClosed
	case len(s.open) >= s.max:
		return nil, fmt.Errorf("%w: this node allows %d sockets", syscall.EMFILE, s.max)
	case port == 0:
		if port = s.freePort(addr); port == 0 {
			return nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
	case s.taken(addr, port):
		return nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	c := &UDPConn{
		sockets: s, local: netip.AddrPortFrom(addr, port), remote: remote,
		ready: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	c.read.init()
	c.write.init()
	s.open = append(s.open, c)
	return c, nil
}

// taken reports whether a socket is bound to port at addr; :: overlaps with every address. The network's own ports are taken
// always: what arrives there never reaches a socket.
func (s *sockets) taken(addr netip.Addr, port uint16) bool {
	if port == mle.UDPPort || port == tmf.UDPPort {
		return true
	}
	return slices.ContainsFunc(s.open, func(c *UDPConn) bool {
		other := c.local.Addr()
		return c.local.Port() == port && (other == addr || other.IsUnspecified() || addr.IsUnspecified())
	})
}

func (s *sockets) freePort(addr netip.Addr) uint16 {
	for range MaxPort - ephemeralPort + 1 {
		port := s.nextPort
		if s.nextPort++; s.nextPort > MaxPort {
			s.nextPort = ephemeralPort
		}
		if !s.taken(addr, port) {
			return port
		}
	}
	return 0
}

// deliver puts a received datagram into the socket that it is for: a dialled one first, then one bound to the address.
func (s *sockets) deliver(d *ip6.Datagram) {
	h, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		return
	}
	from := netip.AddrPortFrom(d.Src, h.SrcPort)
	s.mu.Lock()
	var best *UDPConn
	score := -1
	for _, c := range s.open {
		if c.local.Port() != h.DstPort || !c.local.Addr().IsUnspecified() && c.local.Addr() != d.Dst && !d.Dst.IsMulticast() {
			continue
		}
		if c.remote.IsValid() && c.remote != from {
			continue
		}
		v := 0
		if c.remote.IsValid() {
			v += 2
		}
		if !c.local.Addr().IsUnspecified() {
			v++
		}
		if v > score {
			best, score = c, v
		}
	}
	s.mu.Unlock()
	if best == nil {
		return // no one listens: as the firmware, no ICMPv6 error
	}
	best.put(datagram{from: from, payload: slices.Clone(d.Payload[ip6.UDPHeaderSize:h.Length])})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schedule(best)
}

// schedule has the handler of OnReceive called for c, once for each datagram there at most. s.mu is held.
func (s *sockets) schedule(c *UDPConn) {
	due := 0
	for _, other := range s.due {
		if other == c {
			due++
		}
	}
	if s.handler == nil || s.closed || due >= c.waiting() {
		return
	}
	s.due = append(s.due, c)
	if !s.calling {
		s.calling = true
		go s.call() // not waited for: the handler may close the node
	}
}

// call runs the handler until no call is due.
func (s *sockets) call() {
	for {
		s.mu.Lock()
		if len(s.due) == 0 || s.closed {
			s.calling = false
			s.mu.Unlock()
			return
		}
		handler, c := s.handler, s.due[0]
		s.due = s.due[1:]
		s.mu.Unlock()
		if c.waiting() > 0 {
			handler(c)
		}
	}
}

func (s *sockets) closeAll() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open, s.due = nil, nil
	s.mu.Unlock()
	for _, c := range open {
		c.shut()
	}
}

// put queues a datagram; the oldest gives way.
func (c *UDPConn) put(d datagram) {
	c.mu.Lock()
	if len(c.queue) >= receiveQueue {
		c.queue = slices.Delete(c.queue, 0, 1)
		c.dropped++
	}
	c.queue = append(c.queue, d)
	c.mu.Unlock()
	c.wake()
}

func (c *UDPConn) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// waiting returns how many datagrams are there to read.
func (c *UDPConn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// Dropped returns how many datagrams were lost because the program did not read them in time.
func (c *UDPConn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// take waits for a datagram.
func (c *UDPConn) take() (datagram, error) {
	for {
		if c.isClosed() {
			return datagram{}, net.ErrClosed
		}
		if c.read.passed() {
			return datagram{}, os.ErrDeadlineExceeded
		}
		c.mu.Lock()
		if len(c.queue) > 0 {
			d := c.queue[0]
			c.queue = slices.Delete(c.queue, 0, 1)
			more := len(c.queue) > 0
			c.mu.Unlock()
			if more {
				c.wake()
			}
			return d, nil
		}
		c.mu.Unlock()
		select {
		case <-c.ready:
		case <-c.closed:
		case <-c.read.wait():
		}
	}
}

func (c *UDPConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func (c *UDPConn) writeError(to net.Addr, err error) error {
	return &net.OpError{Op: "write", Net: "udp", Source: c.LocalAddr(), Addr: to, Err: err}
}

// ReadFromUDPAddrPort reads one datagram. What does not fit into b is lost.
func (c *UDPConn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	d, err := c.take()
	if err != nil {
		return 0, netip.AddrPort{}, c.opError("read", err)
	}
	return copy(b, d.payload), d.from, nil
}

// ReadFrom reads one datagram; the address is a *net.UDPAddr.
func (c *UDPConn) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	n, addr, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, udpAddr(addr), nil
}

// Read reads one datagram.
func (c *UDPConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFromUDPAddrPort(b)
	return n, err
}

// errNotConnected is the error of Write on a socket without a peer.
var errNotConnected = syscall.EDESTADDRREQ

// Write sends a datagram to the peer of a dialled socket.
func (c *UDPConn) Write(b []byte) (int, error) {
	if !c.remote.IsValid() {
		return 0, c.opError("write", errNotConnected)
	}
	return c.send(b, c.remote)
}

// WriteToUDPAddrPort sends a datagram. It returns once the datagram is queued; delivery is not confirmed. It fails with one of these
// in a *net.OpError:
//
//	ENOBUFS        too many datagrams wait, for the radio or for an address that is looked up: it passes, try again later
//	EMSGSIZE       more than MaxDatagramSize, or MaxWideMulticastSize
//	EHOSTUNREACH   no way is known, or nobody has answered to the question where the address is, of late
//	ENETUNREACH    the node is not part of a mesh
//	ENETDOWN       the node is stopped
//	EADDRNOTAVAIL  the socket's address is not the node's any more
//
// or with thread.ErrCounters, after which the node never sends again.
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
	var err error
	running := c.sockets.node.run.Do(func(now time.Time) {
		e := c.sockets.node.engine
		src := c.local.Addr()
		if src.IsUnspecified() {
			src = e.SelectSource(to.Addr())
		}
		var packet []byte
		packet, err = ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: to.Addr()}, c.local.Port(), to.Port(), b)
		if err == nil {
			err = e.HandlePacket(now, packet)
		}
	})
	switch {
	case !running:
		return net.ErrClosed
	case errors.Is(err, thread.ErrDisabled):
		return os.NewSyscallError("sendto", syscall.ENETDOWN)
	case errors.Is(err, thread.ErrDetached):
		return os.NewSyscallError("sendto", syscall.ENETUNREACH)
	case errors.Is(err, thread.ErrQueueFull):
		return os.NewSyscallError("sendto", syscall.ENOBUFS)
	case errors.Is(err, thread.ErrTooLong):
		return os.NewSyscallError("sendto", syscall.EMSGSIZE)
	case errors.Is(err, thread.ErrNoRoute):
		return os.NewSyscallError("sendto", syscall.EHOSTUNREACH)
	case errors.Is(err, thread.ErrPacket):
		return os.NewSyscallError("sendto", syscall.EADDRNOTAVAIL) // the bound address is gone
	}
	return err
}

// JoinGroup makes the node receive datagrams to a multicast address, until LeaveGroup or Close. Joining twice is joining once, and what
// other sockets and the command line have joined is theirs. ff02::1 and ff03::1 are joined always. It fails with ENOBUFS if the node listens
// to 64 other groups.
func (c *UDPConn) JoinGroup(group netip.Addr) error { return c.group(group, (*UDPConn).join) }

// LeaveGroup undoes JoinGroup.
func (c *UDPConn) LeaveGroup(group netip.Addr) error {
	return c.group(group, func(c *UDPConn, g netip.Addr) error { c.leave(g); return nil })
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

// Close closes the socket and unblocks all that wait for it. Closing twice returns net.ErrClosed in a *net.OpError.
func (c *UDPConn) Close() error {
	s := c.sockets
	s.mu.Lock()
	isThis := func(o *UDPConn) bool { return o == c }
	s.open, s.due = slices.DeleteFunc(s.open, isThis), slices.DeleteFunc(s.due, isThis)
	s.mu.Unlock()
	if !c.shut() {
		return c.opError("close", net.ErrClosed)
	}
	s.node.run.Do(func(time.Time) {
		for len(c.groups) > 0 {
			c.leave(c.groups[0])
		}
	})
	return nil
}

// shut marks the socket closed and reports whether it was open.
func (c *UDPConn) shut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return false
	}
	close(c.closed)
	c.read.stop()
	c.write.stop()
	return true
}

func (c *UDPConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// LocalAddr returns the *net.UDPAddr that the socket is bound to.
func (c *UDPConn) LocalAddr() net.Addr { return udpAddr(c.local) }

// RemoteAddr returns the peer's *net.UDPAddr, nil if the socket is not dialled.
func (c *UDPConn) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return udpAddr(c.remote)
}

func udpAddr(a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(a)
}

// SetDeadline sets the wall-clock time after which reads and writes fail with os.ErrDeadlineExceeded. The zero time is none.
func (c *UDPConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *UDPConn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.read, t) }

// SetWriteDeadline sets the deadline of writes. A write never waits, so only one that has passed matters.
func (c *UDPConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.write, t) }

func (c *UDPConn) setDeadline(d *deadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return c.opError("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}
