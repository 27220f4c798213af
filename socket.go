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
const MaxDatagramSize = 1224

// MaxWideMulticastSize is the largest UDP payload in bytes to a group of a scope wider than the mesh (ff04::/16 and above): 1184. Such
// a multicast travels inside another one, whose header takes 40 bytes.
const MaxWideMulticastSize = 1184

// The numbers are there for readers: this is where they come from. An MPL option for a multicast takes 8 bytes.
var (
	_ [MaxDatagramSize]struct{}      = [ip6.MinMTU - ip6.HeaderSize - ip6.UDPHeaderSize - 8]struct{}{}
	_ [MaxWideMulticastSize]struct{} = [MaxDatagramSize - ip6.HeaderSize]struct{}{}
	_ [MaxPingSize]struct{}          = [ip6.MinMTU - ip6.HeaderSize - ip6.EchoHeaderSize - 8]struct{}{}
)

// receiveQueue is how many datagrams wait in a socket. The oldest are lost then.
const receiveQueue = 64

// sockets are the UDP sockets of a node.
type sockets struct {
	node *Node
	max  int

	mu       sync.Mutex
	open     []*UDPConn
	closed   bool
	refuse   bool // who sends to a port without a socket is told
	nextPort uint16
	handler  func(*UDPConn)
	due      []*UDPConn // the calls that the handler is to get
	calling  bool       // a goroutine makes them

	writers []*writer // that wait for room, the first first; the runner's
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

	groups    []netip.Addr // joined; the runner's
	notLooped bool         // multicasts of this socket stay out of the node's other sockets; the runner's
	asked     destinations // where datagrams have gone of late; the runner's

	mu      sync.Mutex
	queue   []datagram
	ready   chan struct{} // has a token while the queue may be non-empty, or there is an error
	closed  chan struct{}
	read    deadline
	write   deadline
	dropped uint64
	pending error // for the next call
	queued  bool  // errors are kept, too
	errs    []DeliveryError
}

// A datagram has arrived.
type datagram struct {
	Message
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

// waiting returns how many datagrams are there to read in all sockets.
func (s *sockets) waiting() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		n += c.waiting()
	}
	return n
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

// take waits for a datagram, or for an error.
func (c *UDPConn) take() (datagram, error) {
	for {
		if c.isClosed() {
			return datagram{}, net.ErrClosed
		}
		if c.read.passed() {
			return datagram{}, os.ErrDeadlineExceeded
		}
		if d, err := c.tryTake(); !errors.Is(err, syscall.EAGAIN) {
			return d, err
		}
		select {
		case <-c.ready:
		case <-c.closed:
		case <-c.read.wait():
		}
	}
}

// tryTake returns the next datagram, an error of the mesh, or EAGAIN if there is neither.
func (c *UDPConn) tryTake() (datagram, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.pending; err != nil {
		c.pending = nil
		c.wakeIfAny()
		return datagram{}, err
	}
	if len(c.queue) == 0 {
		return datagram{}, syscall.EAGAIN
	}
	d := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	c.wakeIfAny()
	return d, nil
}

// wakeIfAny wakes another reader if there is something for it. c.mu is held.
func (c *UDPConn) wakeIfAny() {
	if len(c.queue) > 0 {
		c.wake()
	}
}

func (c *UDPConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// A Message says of a datagram what is not in it.
type Message struct {
	// From is the sender.
	From netip.AddrPort
	// To is the address that it was sent to: one of this node's, or a group. [UDPConn.ReadMsg] tells programs that listen to all addresses.
	To netip.Addr
	// HopLimit is what was left of it on arrival, 1 to 255. Nodes of a mesh begin with 64, and only routers of IPv6 take something off: a
	// datagram that has crossed a mesh, however many hops, still has 64.
	HopLimit int
	// RSSI is the strength of the last hop in dBm, of the frame that made the datagram complete; [RSSIUnknown] for one of this node's own.
	RSSI int
	// Size is the size in bytes of what was sent. It is larger than what was read if that did not fit.
	Size int
}

// RSSIUnknown stands for a strength that is not known.
const RSSIUnknown = 127

// SNRUnknown stands for a signal to noise ratio that is not known, in dB.
const SNRUnknown = 127

// ReadMsg reads one datagram and what else is known of it. What does not fit into b is lost. Errors are those of ReadFrom.
func (c *UDPConn) ReadMsg(b []byte) (n int, m Message, err error) {
	d, err := c.take()
	if err != nil {
		return 0, Message{}, c.opError("read", err)
	}
	return copy(b, d.payload), d.Message, nil
}

// TryRead is ReadMsg for who does not want to wait: with nothing to read it fails at once with EAGAIN, in a *net.OpError. Deadlines do not
// count. It is the recvfrom of Pycom's sockets.
func (c *UDPConn) TryRead(b []byte) (n int, m Message, err error) {
	d, err := datagram{}, net.ErrClosed
	if !c.isClosed() {
		d, err = c.tryTake()
	}
	if err != nil {
		return 0, Message{}, c.opError("read", err)
	}
	return copy(b, d.payload), d.Message, nil
}

// ReadFromUDPAddrPort reads one datagram. What does not fit into b is lost.
//
// A dialled socket fails once with what the mesh says of a datagram that it has sent, see [UDPConn.WriteToUDPAddrPort]; the next read waits
// again.
func (c *UDPConn) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	n, m, err := c.ReadMsg(b)
	return n, m.From, err
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

// SetWriteDeadline sets the deadline of writes, which wait while the node has no room for another datagram.
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
