package pymesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// ErrClosed is the error of a node that was closed. It is net.ErrClosed.
var ErrClosed = net.ErrClosed

// State is a node's role in the mesh, with Pymesh's numbers.
type State uint8

// The states.
const (
	StateDisabled State = iota // the Pymesh stack is disabled
	StateDetached              // not currently participating in a Pymesh
	StateChild                 // the Pymesh Child role
	StateRouter                // the Pymesh Router role
	StateLeader                // the Pymesh Leader role
)

// String returns the name of the state in lower case.
func (s State) String() string { return thread.Role(s).String() }

// MAC is a LoRa MAC address, which is also the node's IEEE 802.15.4 extended address.
type MAC uint64

// ParseMAC parses 16 hexadecimal digits.
func ParseMAC(s string) (MAC, error) {
	ext, err := ieee802154.ParseExtAddr(s)
	if err != nil {
		return 0, fmt.Errorf("pymesh: MAC %q is not 16 hexadecimal digits", s)
	}
	return macOf(ext), nil
}

// String returns 16 hexadecimal digits.
func (m MAC) String() string { return fmt.Sprintf("%016x", uint64(m)) }

// Format prints the String with %v and %s, and the number with other verbs.
func (m MAC) Format(f fmt.State, verb rune) { formatNumber(f, verb, m.String(), uint64(m)) }

// RLOC16 is the short form of a routing locator, a node's place in the mesh: six bits for its router, ten for its place among the children of that.
type RLOC16 uint16

// NoRLOC16 is that of a node which is part of no mesh.
const NoRLOC16 RLOC16 = 0xfffe

// String returns 0x and four hexadecimal digits.
func (r RLOC16) String() string { return fmt.Sprintf("0x%04x", uint16(r)) }

// Format prints the String with %v and %s, and the number with other verbs.
func (r RLOC16) Format(f fmt.State, verb rune) { formatNumber(f, verb, r.String(), uint16(r)) }

// formatNumber prints a number that has a form of its own.
func formatNumber(f fmt.State, verb rune, text string, number any) {
	if verb == 'v' || verb == 's' {
		_, _ = io.WriteString(f, text)
		return
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), number)
}

func macOf(ext ieee802154.ExtAddr) MAC { return MAC(binary.BigEndian.Uint64(ext[:])) }

func (m MAC) ext() (ext ieee802154.ExtAddr) {
	binary.BigEndian.PutUint64(ext[:], uint64(m))
	return ext
}

// Node is a node of a Pymesh. All methods may be called by several goroutines at a time. After Close they return zero values,
// and those with an error ErrClosed.
type Node struct {
	engine  *thread.Engine
	run     *runner.Runner
	radio   lora.Radio
	log     *slog.Logger
	mac     MAC
	capture *pcap.Writer
	wg      sync.WaitGroup
	clock   lora.Clock
	frame   time.Duration // airtime of the longest

	mu       sync.Mutex
	sockets  sockets
	forwards handoff[Forwarded]
	packets  handoff[[]byte]
	groups   []netip.Addr // of JoinGroup; the runner's
	pings    map[uint16]chan pong
	pingSeq  uint16
	pingID   uint16
	watch    map[*watcher]struct{}
	closed   bool
	serving  bool          // a border agent
	reports  chan struct{} // there are some for it

	seen      seen       // the runner's, as what follows
	pycom     bool       // the node has the address of Pycom's library
	pycomAddr netip.Addr // which it is

	shell        *cli.Interpreter
	shellTurn    chan struct{} // holds the one command under way
	shellActive  bool          // there is one; the runner's own
	shellPrinted chan struct{} // it has printed more
}

// New makes a node on a radio and starts it: it attaches to the mesh in reach, or founds one. The node uses the radio until
// Close, and does not close it: New works again on the same radio after that.
func New(radio lora.Radio, options ...Option) (*Node, error) {
	c, giveBack, err := prepare(radio, options)
	if err != nil {
		return nil, err
	}
	n, err := start(radio, c, giveBack)
	if err != nil {
		giveBack()
	}
	return n, err
}

// prepare checks and completes the options, and takes the store. Who uses it calls giveBack once nothing can reach the store any more.
func prepare(radio lora.Radio, options []Option) (c *config, giveBack func(), err error) {
	if radio == nil {
		return nil, nil, errors.New("pymesh: New: the radio is nil")
	}
	if err := radio.Config().Validate(); err != nil {
		return nil, nil, fmt.Errorf("pymesh: New: the radio's settings: %w", err)
	}
	c = new(config)
	for _, o := range options {
		o(c)
	}
	if err := c.complete(); err != nil {
		return nil, nil, err
	}
	if c.Timing == (thread.Timing{}) {
		c.Timing = TimingFor(radio.Config()).t
	}
	c.Timing.ChildTimeout = max(c.Timing.ChildTimeout, patienceFor(c.PollPeriod))
	if giveBack, err = c.take(radio); err != nil {
		return nil, nil, err
	}
	return c, giveBack, nil
}

// take makes radio and store a node's, until giveBack.
func (c *config) take(radio lora.Radio) (giveBack func(), err error) {
	giveRadio, err := takeRadio(radio)
	if err != nil {
		return nil, err
	}
	store, ok := c.store.(*FileStore)
	if !ok {
		return giveRadio, nil
	}
	if err := store.take(); err != nil {
		giveRadio()
		return nil, err
	}
	return func() { store.giveBack(); giveRadio() }, nil
}

// start makes a node of complete options. It calls ended once nothing of the node can reach store and radio any more.
func start(radio lora.Radio, c *config, ended func()) (*Node, error) {
	var id [2]byte
	if _, err := io.ReadFull(c.Rand, id[:]); err != nil {
		return nil, fmt.Errorf("pymesh: WithRand: %w", err)
	}
	c.FirstFrameCounter = firstFrameCounter(lora.ClockOf(radio).Now())
	engine, err := thread.New(c.Config)
	if err != nil {
		return nil, fmt.Errorf("pymesh: %w", err)
	}
	n := &Node{
		engine: engine, radio: radio, log: c.Logger, mac: macOf(c.ExtAddr), clock: lora.ClockOf(radio), frame: radio.Config().Airtime(ieee802154.MaxPSDU),
		reports: make(chan struct{}, 1), pings: map[uint16]chan pong{}, pingID: binary.BigEndian.Uint16(id[:]), watch: map[*watcher]struct{}{},
		shell: cli.New(engine), shellTurn: make(chan struct{}, 1), shellPrinted: make(chan struct{}, 1),
	}
	n.shell.Radio, n.shell.Notify = fixedPower(radio.Config().TxPower), n.shellOutput
	n.sockets.init(n, c.maxSockets)
	n.sockets.refuse, n.pycom = c.refusePort, c.pycom
	hooks := runner.Hooks{Packet: n.handlePacket, Room: n.roomMade, Forward: n.handleForward, Event: n.handleEvent, Timer: n.shell, End: ended}
	if c.capture != nil {
		if n.capture, err = pcap.NewWriter(c.capture, pcap.IEEE802154); err != nil {
			return nil, fmt.Errorf("pymesh: WithCapture: %w", err)
		}
		hooks.Frame = n.captureFrame
	}
	if n.run, err = runner.Start(engine, radio, c.Logger, hooks); err != nil {
		return nil, fmt.Errorf("pymesh: %w", err)
	}
	n.wg.Go(func() {
		<-n.run.Done()
		n.ended()
	})
	return n, nil
}

// firstFrameCounter is what the frame counters of a node begin with that has lost its store: the seconds of this century's twenties. A clock that
// was never set, or is far ahead, tells nothing.
func firstFrameCounter(now time.Time) uint32 {
	seconds := now.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second
	if seconds < 0 || seconds > math.MaxUint32/2 {
		return 0
	}
	return uint32(seconds)
}

// roomMade follows each input of the engine.
func (n *Node) roomMade(now time.Time) {
	n.sockets.writeOn(now)
	if n.engine.Reports() > 0 {
		select {
		case n.reports <- struct{}{}:
		default: // it knows
		}
	}
}

// Close leaves the mesh, closes all sockets, and waits until no goroutine of the node is left. Closing twice is no error.
// If the radio or the store hangs, Close returns after five seconds, with an error that says so.
// A handler of OnReceive may call Close; so Close does not wait for one that is running, but none is called after it.
func (n *Node) Close() error {
	err := n.run.Close()
	n.wg.Wait()
	if err != nil {
		return fmt.Errorf("pymesh: Close: %w", err)
	}
	return nil
}

// ended closes everything that hangs on the running engine.
func (n *Node) ended() {
	n.mu.Lock()
	n.closed = true
	for w := range n.watch {
		w.stop()
		close(w.events)
	}
	clear(n.watch)
	for _, c := range n.pings {
		close(c)
	}
	clear(n.pings)
	n.mu.Unlock()
	n.sockets.closeAll()
	n.forwards.close()
	n.packets.close()
}

// Err returns nil while the node runs and after Close, or why it stopped by itself: its radio was closed.
func (n *Node) Err() error { return n.run.Err() }

func (n *Node) captureFrame(now time.Time, psdu []byte) {
	if n.capture == nil {
		return
	}
	if err := n.capture.WriteRecord(pcap.Record{Time: now, Data: psdu}); err != nil {
		n.log.Error("capture ends", "err", err)
		n.capture = nil
	}
}

// get returns what f reads from the engine, or the zero value of a closed node.
func get[T any](n *Node, f func(e *thread.Engine) T) (v T) {
	n.run.Do(func(time.Time) { v = f(n.engine) })
	return v
}

// MAC returns the node's address.
func (n *Node) MAC() MAC { return n.mac }

// State returns the node's role.
func (n *Node) State() State {
	return get(n, func(e *thread.Engine) State { return State(e.Role()) })
}

// Single reports whether this node is the only leader or router in its mesh.
func (n *Node) Single() bool { return get(n, (*thread.Engine).Single) }

// IPAddrs returns all IPv6 unicast addresses, the newest first: one in the prefix of each border router, on the leader its anycast address,
// the RLOC, the mesh-local EID, the link-local address.
func (n *Node) IPAddrs() []netip.Addr { return get(n, (*thread.Engine).Addresses) }

// MeshLocalEID returns the address that applications should use: it stays when the topology changes.
func (n *Node) MeshLocalEID() netip.Addr { return get(n, (*thread.Engine).MeshLocalEID) }

// RLOC16 returns the short form of the routing locator, NoRLOC16 for a node that has none.
func (n *Node) RLOC16() RLOC16 {
	rloc := NoRLOC16
	n.run.Do(func(time.Time) { rloc = RLOC16(n.engine.RLOC16()) })
	return rloc
}

// handlePacket takes a datagram from the engine.
func (n *Node) handlePacket(now time.Time, d *ip6.Datagram, rssi int) {
	taken := n.shell.HandlePacket(now, d)
	if taken {
		n.shellOutput()
	}
	switch d.Protocol {
	case ip6.ProtocolUDP:
		taken = n.sockets.deliver(d, rssi) || taken
	case ip6.ProtocolICMPv6:
		taken = n.handleICMP(now, d) || taken
	}
	group := d.Dst.IsMulticast() // which a socket and the host's stack both get
	if (!taken || group) && !n.unclaimed(d) && !group && d.Protocol == ip6.ProtocolUDP {
		n.sockets.refusePort(now, d)
	}
}

// String returns the node's state in short form, for logs.
func (n *Node) String() string {
	return fmt.Sprintf("pymesh node %v %v %v", n.mac, n.State(), n.RLOC16())
}
