package pymesh

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/topology"
)

// MaxKeySize is the size of a network key in bytes. A shorter key is filled with zeros on the right.
const MaxKeySize = 16

var (
	// DefaultKey is the key that Pycom documents as the default, 0134c0de1ab51234c0de1ab5ca1a110f. It is public: a mesh that
	// uses it is open to everyone.
	DefaultKey = []byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}
	// FirmwareDefaultKey is the key that the published firmware uses where none is set, 1234c0de1ab51234c0de1ab5ca1a110f.
	FirmwareDefaultKey = []byte{0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}
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

func macOf(ext ieee802154.ExtAddr) MAC { return MAC(binary.BigEndian.Uint64(ext[:])) }

func (m MAC) ext() (ext ieee802154.ExtAddr) {
	binary.BigEndian.PutUint64(ext[:], uint64(m))
	return ext
}

// Mode says what part a node can take in the mesh.
type Mode uint8

// The modes.
const (
	// FullThreadDevice becomes a router where routers are needed, as LoPy4 and FiPy do. It is the default.
	FullThreadDevice Mode = iota
	// EndDevice never routes for others, but finds its way to any node.
	EndDevice
	// MinimalEndDevice leaves everything to its parent.
	MinimalEndDevice
	// SleepyEndDevice is a minimal end device whose radio sleeps, if it is a lora.Sleeper. It polls its parent for what others send to it: see
	// WithPollPeriod.
	SleepyEndDevice
)

// MaxPollPeriod is the longest time between two polls of a SleepyEndDevice.
const MaxPollPeriod = 12 * time.Hour

// timeoutPolls is how many poll periods the timeout is at least after which the parent drops a node: some polls get lost.
const timeoutPolls = 4

type config struct {
	thread.Config
	key        []byte
	mode       Mode
	capture    io.Writer
	maxSockets int
	err        error
}

// An Option changes how a node is made.
type Option func(*config)

// fail keeps the first error of the options.
func (c *config) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// WithKey sets the network key: 1 to 16 bytes, filled with zeros on the right. All nodes of a mesh have the same.
// Without this option the key is DefaultKey, which is public; a warning in the log says so.
func WithKey(key []byte) Option {
	key = slices.Clone(key)
	return func(c *config) {
		if len(key) == 0 || len(key) > MaxKeySize {
			c.fail(fmt.Errorf("pymesh: WithKey: key has %d bytes, need 1 to %d", len(key), MaxKeySize))
			return
		}
		c.key = key
	}
}

// WithMAC sets the MAC address. A node with a fixed address must remember its frame counters, so New asks for WithStore with
// it ([OpenFileStore] in a program, new(thread.MemoryStore) in a simulation). Without this option the address is the stored one, or else random.
func WithMAC(mac MAC) Option {
	return func(c *config) {
		if mac == 0 {
			c.fail(errors.New("pymesh: WithMAC: 0 is not an address"))
		}
		c.ExtAddr = mac.ext()
	}
}

// WithPANID sets the PAN ID, 0x0001 to 0xfffe, 0x1234 by default.
func WithPANID(id uint16) Option {
	return func(c *config) {
		if id == 0 || id == uint16(ieee802154.BroadcastPAN) {
			c.fail(fmt.Errorf("pymesh: WithPANID: 0x%04x is not in 0x0001 to 0xfffe", id))
		}
		c.PANID = ieee802154.PANID(id)
	}
}

// WithNetworkName sets the network's name, 1 to 16 bytes, "OpenThread" by default.
func WithNetworkName(name string) Option {
	const maxSize = 16 // of Thread's Network Name TLV
	return func(c *config) {
		if len(name) < 1 || len(name) > maxSize {
			c.fail(fmt.Errorf("pymesh: WithNetworkName: %q has %d bytes, need 1 to %d", name, len(name), maxSize))
		}
		c.NetworkName = name
	}
}

// WithExtPANID sets the extended PAN ID, any but zero, dead00beef00cafe by default.
func WithExtPANID(id [8]byte) Option {
	return func(c *config) {
		if id == [8]byte{} {
			c.fail(errors.New("pymesh: WithExtPANID: 0 is not an extended PAN ID"))
		}
		c.ExtPANID = id
	}
}

// WithMeshLocalPrefix sets the prefix of mesh-local addresses, a /64 inside fd00::/8. It is fdde:ad00:beef::/64 by default.
func WithMeshLocalPrefix(p netip.Prefix) Option {
	return func(c *config) {
		if a := p.Addr(); !a.Is6() || a.As16()[0] != 0xfd || p.Bits() != 64 {
			c.fail(fmt.Errorf("pymesh: WithMeshLocalPrefix: %v is not a /64 inside fd00::/8", p))
		}
		c.MeshLocalPrefix = p
	}
}

// WithChannel sets the channel number, 11 to 26. It stands in messages only and has no meaning for LoRa. 11 by default.
func WithChannel(ch uint8) Option {
	const first, last = 11, 26 // of the 2.4 GHz band, IEEE 802.15.4-2006 §6.1.2.1
	return func(c *config) {
		if ch < first || ch > last {
			c.fail(fmt.Errorf("pymesh: WithChannel: %d is not in %d to %d", ch, first, last))
		}
		c.Channel = ch
	}
}

// WithLogger sets where the node logs: role changes at Info, failures at Warn and Error, messages at Debug. It is silent by
// default. Keys are never logged. The logger's handler holds the node up and must not call its methods.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.Logger = l } }

// WithStore sets where the node keeps what must survive a restart, its frame counters above all: a file, by [OpenFileStore]. A node that
// is made again with its store is the same node: it has its MAC address and its addresses, and resumes its place in the mesh, as child or
// as router with its children, as Thread 1.1 §4.7 and §5.9 have it. A store is one node's at a time; the node does not close it.
//
//	store, err := pymesh.OpenFileStore("/var/lib/pymesh/node.store")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	node, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithStore(store))
//
// Where nothing needs to be kept, as in a simulation, a thread.MemoryStore lasts as long as the program. Without this option the settings
// last as long as the node: one that is made anew is another node, with another address. A warning in the log says so.
func WithStore(s thread.Store) Option { return func(c *config) { c.Store = s } }

// WithTiming sets the timing. By default it is that of thread.TimingFor, from the airtime of the radio's settings: at SF7 and SF8 on
// 125 kHz the timing of Pycom's boards. See there for a mesh with boards at other settings.
func WithTiming(t thread.Timing) Option {
	return func(c *config) {
		if t == (thread.Timing{}) {
			c.fail(errors.New("pymesh: WithTiming: the zero Timing is not usable, start from thread.TimingPymesh"))
		}
		c.Timing = t
	}
}

// WithMode sets the part that the node can take, FullThreadDevice by default.
func WithMode(m Mode) Option {
	return func(c *config) {
		if m > SleepyEndDevice {
			c.fail(fmt.Errorf("pymesh: WithMode: %d is not a mode", m))
		}
		c.mode = m
	}
}

// WithPollPeriod sets how often a SleepyEndDevice asks its parent for what others have sent to it, which waits there until then: 0, or from
// the shortest period of the radio's timing (1 s at SF7) to MaxPollPeriod. 0, the default, stands for as seldom as the parent's patience
// allows, 4 minutes less some retries. A longer period asks the parent for more patience: it is four times the period then, and so is the
// time after which a node that has gone is missed.
func WithPollPeriod(d time.Duration) Option {
	return func(c *config) {
		if d < 0 || d > MaxPollPeriod {
			c.fail(fmt.Errorf("pymesh: WithPollPeriod: %v is not in 0 to %v", d, MaxPollPeriod))
		}
		c.PollPeriod = d
	}
}

// WithCapture writes all packets that the node sends and hears to w, in the pcap format with link type 195 (IEEE 802.15.4).
// A writer that fails gets no more. w holds the node up and must not call its methods.
func WithCapture(w io.Writer) Option { return func(c *config) { c.capture = w } }

// defaultMaxSockets bounds the number of open sockets where WithMaxSockets does not.
const defaultMaxSockets = 1024

// WithMaxSockets bounds the number of open sockets. The firmware allows 3; the bound is 1024 by default.
func WithMaxSockets(n int) Option {
	return func(c *config) {
		if n < 1 {
			c.fail(fmt.Errorf("pymesh: WithMaxSockets: %d is not positive", n))
		}
		c.maxSockets = n
	}
}

// WithRand sets the source of identifiers, challenges and jitter. It is crypto/rand's by default, which is the right one for
// everything but simulations that must repeat. It must not fail; the node alone may read from it.
func WithRand(r io.Reader) Option { return func(c *config) { c.Rand = r } }

// complete checks the options and fills in what depends on others.
func (c *config) complete() error {
	if c.err != nil {
		return c.err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.key == nil {
		c.key = DefaultKey
		c.Logger.Warn("no network key given: using the documented default key, which everybody knows")
	}
	copy(c.NetworkKey[:], c.key)
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.maxSockets = cmp.Or(c.maxSockets, defaultMaxSockets)
	switch c.mode {
	case EndDevice:
		c.Config.EndDevice = true
	case MinimalEndDevice:
		c.Mode = thread.ModeMinimalEndDevice
	case SleepyEndDevice:
		c.Mode = thread.ModeSleepyEndDevice
	}
	if c.Store == nil {
		if c.ExtAddr != (ieee802154.ExtAddr{}) {
			return errors.New("pymesh: WithMAC needs WithStore: a node that restarts under the same address must never use a frame " +
				"counter twice (OpenFileStore; for a simulation new(thread.MemoryStore))")
		}
		c.Store = new(thread.MemoryStore)
		c.Logger.Warn("no store given: after a restart this will be another node, with another address (WithStore)")
	}
	s, ok, err := c.Store.Load()
	if err != nil {
		return fmt.Errorf("pymesh: WithStore: %w", err)
	}
	if c.ExtAddr == (ieee802154.ExtAddr{}) {
		if c.ExtAddr = s.ExtAddr; !ok {
			if _, err := io.ReadFull(c.Rand, c.ExtAddr[:]); err != nil {
				return fmt.Errorf("pymesh: WithRand: %w", err)
			}
			const locallyAdministered, group = 0x02, 0x01
			c.ExtAddr[0] = c.ExtAddr[0]&^group | locallyAdministered
		}
	}
	return nil
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
	forwards forwards
	packets  handoff[[]byte]
	groups   []netip.Addr // of JoinGroup; the runner's
	pings    map[uint16]chan pong
	pingSeq  uint16
	pingID   uint16
	watch    map[*watcher]struct{}
	closed   bool

	shell        *cli.Interpreter
	shellTurn    chan struct{} // holds the one command under way
	shellActive  bool          // there is one; the runner's own
	shellPrinted chan struct{} // it has printed more
}

// New makes a node on a radio and starts it: it attaches to the mesh in reach, or founds one. The node uses the radio until
// Close, and does not close it: New works again on the same radio after that.
func New(radio lora.Radio, options ...Option) (*Node, error) {
	if radio == nil {
		return nil, errors.New("pymesh: New: the radio is nil")
	}
	if err := radio.Config().Validate(); err != nil {
		return nil, fmt.Errorf("pymesh: New: the radio's settings: %w", err)
	}
	c := config{}
	for _, o := range options {
		o(&c)
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	if c.Timing == (thread.Timing{}) {
		c.Timing = thread.TimingFor(radio.Config().Airtime)
	}
	c.Timing.ChildTimeout = max(c.Timing.ChildTimeout, patienceFor(c.PollPeriod))
	giveBack := func() {}
	if store, ok := c.Store.(*FileStore); ok {
		if err := store.take(); err != nil {
			return nil, err
		}
		giveBack = store.giveBack
	}
	n, err := start(radio, &c, giveBack)
	if err != nil {
		giveBack()
	}
	return n, err
}

// start makes a node of complete options. It calls ended once nothing of the node can reach the store any more.
func start(radio lora.Radio, c *config, ended func()) (*Node, error) {
	var id [2]byte
	if _, err := io.ReadFull(c.Rand, id[:]); err != nil {
		return nil, fmt.Errorf("pymesh: WithRand: %w", err)
	}
	engine, err := thread.New(c.Config)
	if err != nil {
		return nil, fmt.Errorf("pymesh: %w", err)
	}
	n := &Node{
		engine: engine, radio: radio, log: c.Logger, mac: macOf(c.ExtAddr), clock: lora.ClockOf(radio), frame: radio.Config().Airtime(ieee802154.MaxPSDU),
		pings: map[uint16]chan pong{}, pingID: binary.BigEndian.Uint16(id[:]), watch: map[*watcher]struct{}{},
		shell: cli.New(engine), shellTurn: make(chan struct{}, 1), shellPrinted: make(chan struct{}, 1),
	}
	n.shell.Radio, n.shell.Notify = fixedPower(radio.Config().TxPower), n.shellOutput
	n.sockets.init(n, c.maxSockets)
	n.forwards.node = n
	hooks := runner.Hooks{Packet: n.handlePacket, Forward: n.handleForward, Event: n.handleEvent, Timer: n.shell, End: ended}
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

// RLOC16 returns the short form of the routing locator, 0xfffe for a node that has none.
func (n *Node) RLOC16() uint16 {
	rloc := uint16(mle.InvalidRLOC16)
	n.run.Do(func(time.Time) { rloc = uint16(n.engine.RLOC16()) })
	return rloc
}

// Mode returns the part that the node can take.
func (n *Node) Mode() Mode {
	return get(n, func(e *thread.Engine) Mode {
		switch m := e.Mode(); {
		case !m.Has(mle.ModeRxOnWhenIdle):
			return SleepyEndDevice
		case !m.Has(mle.ModeFullThreadDevice):
			return MinimalEndDevice
		case !e.Console().RouterRole():
			return EndDevice
		}
		return FullThreadDevice
	})
}

// SetMode changes the part that the node can take. A child tells its parent, and keeps its place; a router that may not be one any more
// looks for a parent.
func (n *Node) SetMode(m Mode) error {
	mode := thread.ModeFullThreadDevice
	switch m {
	case FullThreadDevice, EndDevice:
	case MinimalEndDevice:
		mode = thread.ModeMinimalEndDevice
	case SleepyEndDevice:
		mode = thread.ModeSleepyEndDevice
	default:
		return fmt.Errorf("pymesh: SetMode: %d is not a mode", m)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		c := n.engine.Console()
		c.SetRouterRole(now, m != EndDevice)
		err = c.SetMode(now, mode)
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("pymesh: SetMode: %w", err)
	}
	return err
}

// patienceFor is the child timeout that a poll period asks for, in whole seconds.
func patienceFor(poll time.Duration) time.Duration {
	return (timeoutPolls*poll + time.Second - 1).Truncate(time.Second)
}

// PollPeriod returns how often the node polls its parent as a SleepyEndDevice.
func (n *Node) PollPeriod() time.Duration { return get(n, (*thread.Engine).PollPeriod) }

// SetPollPeriod changes how often the node polls its parent as a SleepyEndDevice: see WithPollPeriod.
func (n *Node) SetPollPeriod(d time.Duration) error {
	if d < 0 || d > MaxPollPeriod {
		return fmt.Errorf("pymesh: SetPollPeriod: %v is not in 0 to %v", d, MaxPollPeriod)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		if c, patience := n.engine.Console(), patienceFor(d); patience > c.ChildTimeout() {
			c.SetChildTimeout(now, patience)
		}
		err = n.engine.SetPollPeriod(now, d)
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("pymesh: SetPollPeriod: %w", err)
	}
	return err
}

// ExpectAnswer tells a SleepyEndDevice that an answer to what it has just sent is due: it polls eight times in short succession (each second, at SF7). Ping does
// so by itself, and what the mesh itself asks and answers. In other nodes it does nothing.
func (n *Node) ExpectAnswer() { n.run.Do(func(now time.Time) { n.engine.ExpectAnswer(now, 0) }) }

// Counters returns what the node has sent, received and dropped.
func (n *Node) Counters() thread.Counters { return get(n, (*thread.Engine).Counters) }

// Neighbor is a node with a direct radio connection.
type Neighbor struct {
	MAC    MAC
	Role   State         // StateChild or StateRouter; the leader is shown as a router
	RLOC16 uint16        // routing locator
	RSSI   int           // average received signal strength in dBm
	Age    time.Duration // since the last packet was received from it
}

// Neighbors returns the nodes with a direct radio connection.
func (n *Node) Neighbors() []Neighbor {
	return get(n, func(e *thread.Engine) (list []Neighbor) {
		for _, i := range e.Neighbors() {
			list = append(list, Neighbor{
				MAC: macOf(i.ExtAddr), Role: State(i.Role), RLOC16: uint16(i.RLOC16), RSSI: int(i.RSSI), Age: i.Age,
			})
		}
		return list
	})
}

// Router is a node that relays packets inside the mesh.
type Router struct {
	MAC    MAC // 0 if this node has not had a radio connection to it
	RLOC16 uint16
	ID     uint8 // router ID
	// PathCost is the cost of the path behind the first hop: 0 for a neighbor and for the node itself, in a row of nodes with good
	// links 1 for the second next, and so on.
	PathCost uint8
	// NextHop is the RLOC16 of the first router on the way, of this one where the connection is direct; 0xfffe if there is no way.
	NextHop uint16
	Age     time.Duration // since the last keep-alive was received from it
}

// Routers returns all routers of the mesh.
func (n *Node) Routers() []Router {
	return get(n, func(e *thread.Engine) (list []Router) {
		infos := e.Routers()
		links := map[mle.RouterID]int{}
		for _, i := range infos {
			links[i.ID] = linkCost(i)
		}
		for _, i := range infos {
			r := Router{
				MAC: macOf(i.ExtAddr), RLOC16: uint16(i.RLOC16), ID: uint8(i.ID), NextHop: uint16(mle.InvalidRLOC16), Age: i.Age,
			}
			switch own := e.RLOC16(); {
			case i.NextHop.Valid() && int(i.PathCost)+links[i.NextHop] < links[i.ID]:
				r.NextHop, r.PathCost = uint16(i.NextHop.RLOC16()), i.PathCost
			case i.LinkEstablished, i.RLOC16 == own:
				r.NextHop = r.RLOC16
			case own.IsChild(): // all ways lead over the parent
				r.NextHop = uint16(own.RouterID().RLOC16())
			}
			list = append(list, r)
		}
		return list
	})
}

// linkCost is the cost of the direct link to a router (Thread 1.1 §5.4.2). A node that has one may know a way over others too.
func linkCost(r thread.RouterInfo) int {
	const none = 16 // the maximum route cost
	if !r.LinkEstablished {
		return none
	}
	return [...]int{none, 4, 2, 1}[min(r.LinkQualityIn, r.LinkQualityOut)]
}

// Leader describes the mesh's leader.
type Leader struct {
	PartitionID uint32
	MAC         MAC // 0 if this node has not had a radio connection to the leader
	RLOC16      uint16
}

// Leader returns the leader, and false if the node is not part of a mesh.
func (n *Node) Leader() (leader Leader, ok bool) {
	n.run.Do(func(time.Time) {
		var i thread.LeaderInfo
		if i, ok = n.engine.Leader(); ok {
			leader = Leader{PartitionID: i.PartitionID, MAC: macOf(i.ExtAddr), RLOC16: uint16(i.RLOC16)}
		}
	})
	return leader, ok
}

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
	// Key is another network key, 1 to 16 bytes, filled with zeros on the right. It does not print.
	Key []byte
	// Network is other parameters.
	Network
	// Delay is how long all nodes wait before they change, so that each has heard of it: at least 30 s, and 300 s for another key; at most 72
	// hours. The zero value is one that suits the radio: 300 s at SF7.
	Delay time.Duration
}

// String tells what changes, without the key.
func (c NetworkChange) String() string {
	s := fmt.Sprintf("%+v after %v", c.Network, c.Delay)
	if len(c.Key) > 0 {
		s += ", another key"
	}
	return s
}

// GoString is String: the key does not print with %#v either.
func (c NetworkChange) GoString() string { return c.String() }

// to applies the change.
func (c *NetworkChange) to(w thread.Network) (thread.Network, error) {
	if len(c.Key) > MaxKeySize {
		return w, fmt.Errorf("pymesh: ChangeNetwork: key has %d bytes, need 1 to %d", len(c.Key), MaxKeySize)
	}
	if c.Delay < 0 {
		return w, fmt.Errorf("pymesh: ChangeNetwork: delay %v is negative", c.Delay)
	}
	if len(c.Key) > 0 {
		w.Key = [MaxKeySize]byte{}
		copy(w.Key[:], c.Key)
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
// nodes change at about the same time: Events tells each of them that a change will come, and when ([thread.EventNetworkPending], with
// Event.Delay), and that it has come ([thread.EventNetwork]). Another name or extended PAN ID alone comes at once.
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
				err = fmt.Errorf("pymesh: ChangeNetwork: %w", err)
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
		case ev.Type == thread.EventNetworkRefused:
			return ErrRefused
		}
	}
	return err
}

// Preference ranks border routers of one prefix.
type Preference int8

// The preferences.
const (
	Low    Preference = -1
	Normal Preference = 0
	High   Preference = 1
)

// String returns the name of the preference in lower case.
func (p Preference) String() string {
	switch p {
	case Low:
		return "low"
	case Normal:
		return "normal"
	case High:
		return "high"
	}
	return fmt.Sprintf("Preference(%d)", int8(p))
}

// BorderRouter is a prefix that this node serves.
type BorderRouter struct {
	Prefix     netip.Prefix
	Preference Preference
}

// MaxBorderRouters is how many prefixes one node serves. A node has addresses in four prefixes of its mesh at most. (The firmware lists
// two.)
const MaxBorderRouters = 4

// Border router prefixes have Pymesh's flags: preferred, SLAAC, default route, on-mesh, stable.
const borderRouterFlags = netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh

// BorderRouter makes this node a border router: all nodes of the mesh get an address in prefix, a random one that each has again whenever
// it comes back, and what they send from it to addresses outside the mesh comes to this node, see [Node.OnForward]. Of several border
// routers with one prefix the one with the highest preference gets it, of equals the nearest; when one is lost, another takes over.
//
// The prefix is a /64 of IPv6 unicast addresses that nobody else has: a part of what the uplink has delegated to this host, or one of
// fd00::/8 at random. Nodes hear of it within seconds, once this node is part of the mesh; if the mesh has no place for it,
// thread.EventRegistrationRefused comes out of [Node.Events]. It holds until [Node.RemoveBorderRouter] or Close; a node that is made again
// says it again. An error says what is accepted.
func (n *Node) BorderRouter(prefix netip.Prefix, preference Preference) error {
	if err := checkBorderRouter(prefix, preference); err != nil {
		return fmt.Errorf("pymesh: BorderRouter: %w", err)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) { err = n.addBorderRouter(now, prefix, preference, borderRouterFlags, false) })
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: BorderRouter: %w", err)
	}
	return err
}

func checkBorderRouter(p netip.Prefix, preference Preference) error {
	const slaac = 64 // bits of a prefix from which nodes take addresses themselves
	switch a := p.Addr(); {
	case !p.IsValid() || !isIPv6(a):
		return fmt.Errorf("%v is not an IPv6 prefix such as 2001:db8:1:2::/64", p)
	case p.Bits() != slaac:
		return fmt.Errorf("%v is not a /64: nodes choose the other 64 bits of their addresses", p)
	case p != p.Masked():
		return fmt.Errorf("%v has bits beyond its length: %v is accepted", p, p.Masked())
	case a.IsMulticast():
		return fmt.Errorf("%v is multicast: a prefix of unicast addresses is accepted", p)
	case a.IsLinkLocalUnicast():
		return fmt.Errorf("%v is link-local: a prefix that is valid beyond a link is accepted", p)
	case a.IsUnspecified() || a.IsLoopback():
		return fmt.Errorf("%v is not a prefix of unicast addresses", p)
	case preference < Low || preference > High:
		return fmt.Errorf("preference %d is not in %d to %d", int8(preference), Low, High)
	}
	return nil
}

// addBorderRouter is the part that knows the node; the runner's.
func (n *Node) addBorderRouter(now time.Time, prefix netip.Prefix, preference Preference, flags netdata.BorderRouterFlags, change bool) error {
	if meshLocal := n.engine.Network().MeshLocalPrefix; meshLocal.Overlaps(prefix) {
		return fmt.Errorf("%v is the mesh-local prefix, which every node has: another one is accepted", prefix)
	}
	have := n.engine.Prefixes()
	for _, p := range have {
		if p.Prefix == prefix {
			if change {
				return n.changeBorderRouter(now, p, preference, flags)
			}
			return fmt.Errorf("%v is there already, with preference %v: RemoveBorderRouter goes before a change", prefix, Preference(p.Preference))
		}
	}
	if len(have) >= MaxBorderRouters {
		return fmt.Errorf("this node serves %d prefixes, which is the most: RemoveBorderRouter goes before another", len(have))
	}
	err := n.engine.AddPrefix(thread.OnMeshPrefix{
		Prefix: prefix, Preference: netdata.Preference(preference), Flags: flags, Stable: true,
	})
	if errors.Is(err, thread.ErrTableFull) {
		return errors.New("all that this node offers would take more than the 254 bytes of network data")
	}
	if err == nil {
		n.registerNetworkData(now)
	}
	return err
}

// changeBorderRouter replaces a prefix that this node serves.
func (n *Node) changeBorderRouter(now time.Time, p thread.OnMeshPrefix, preference Preference, flags netdata.BorderRouterFlags) error {
	if Preference(p.Preference) == preference && p.Flags == flags {
		return nil
	}
	if err := n.engine.RemovePrefix(p.Prefix); err != nil {
		return err
	}
	p.Preference, p.Flags = netdata.Preference(preference), flags
	if err := n.engine.AddPrefix(p); err != nil {
		return err
	}
	n.registerNetworkData(now)
	return nil
}

// registerNetworkData tells the mesh. Where that has to wait, it is done by itself.
func (n *Node) registerNetworkData(now time.Time) { _ = n.engine.RegisterNetworkData(now) }

// BorderRouters returns the prefixes that this node serves, in the order in which they came.
func (n *Node) BorderRouters() []BorderRouter {
	return get(n, func(e *thread.Engine) (list []BorderRouter) {
		for _, p := range e.Prefixes() {
			list = append(list, BorderRouter{p.Prefix, Preference(p.Preference)})
		}
		return list
	})
}

// RemoveBorderRouter undoes [Node.BorderRouter]. All nodes lose their addresses in the prefix, unless another border router serves it.
func (n *Node) RemoveBorderRouter(prefix netip.Prefix) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		if err = n.engine.RemovePrefix(prefix); err == nil {
			n.registerNetworkData(now)
		}
	})
	if errors.Is(err, thread.ErrNotFound) {
		return fmt.Errorf("pymesh: RemoveBorderRouter: this node does not serve %v: %w", prefix, err)
	}
	return err
}

// Event is a change of the node's state.
type Event = thread.Event

// eventBuffer is how many events wait for a slow reader; the oldest are lost then.
const eventBuffer = 64

type watcher struct {
	events chan Event
	stop   func() bool // ends the wait for the context's end
}

// Events returns the node's events from now on, until ctx ends or the node is closed; then the channel is closed. A reader that
// is more than 64 events behind loses the oldest.
func (n *Node) Events(ctx context.Context) <-chan Event {
	w := &watcher{events: make(chan Event, eventBuffer)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || ctx.Err() != nil {
		close(w.events)
		return w.events
	}
	n.watch[w] = struct{}{}
	w.stop = context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if _, ok := n.watch[w]; ok {
			delete(n.watch, w)
			close(w.events)
		}
	})
	return w.events
}

func (n *Node) handleEvent(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watch {
		for {
			select {
			case w.events <- ev:
			default:
				select {
				case <-w.events:
				default:
				}
				continue
			}
			break
		}
	}
}

// WaitAttached waits until the node is part of a mesh: a child, a router or the leader. It returns ctx's error when that ends
// first, and ErrClosed, or an error that wraps it, when the node does.
func (n *Node) WaitAttached(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := n.Events(ctx)
	for {
		if n.State() >= StateChild {
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

// Pong is the answer to a ping.
type Pong struct {
	From     netip.Addr
	Size     int           // bytes of data
	HopLimit int           // of the answer as it arrived
	RTT      time.Duration // by the radio's clock
}

type pong struct {
	from     netip.Addr
	size     int
	hopLimit int
	at       time.Time
}

// MaxPingSize is the largest size of a ping's data in bytes; to a group of a scope wider than the mesh it is 40 less.
const MaxPingSize = ip6.MinMTU - ip6.HeaderSize - 8 - 8 // ICMPv6 header, and an MPL option for multicasts

// maxPings bounds the pings that wait for their answers.
const maxPings = 1024

// Ping sends an echo request with size bytes of data to dst and waits for the first answer, until ctx ends. A request may get lost
// on the air: give it some seconds for each hop, then try again. To a node that has not been found of late nothing is sent; the error
// wraps thread.ErrNoRoute then, beside that of ctx. When 1024 pings wait for their answers, one more fails with thread.ErrQueueFull.
func (n *Node) Ping(ctx context.Context, dst netip.Addr, size int) (Pong, error) {
	if size < 0 || size > MaxPingSize {
		return Pong{}, fmt.Errorf("pymesh: Ping: size %d is not in 0 to %d", size, MaxPingSize)
	}
	if !dst.Is6() || dst.Is4In6() {
		return Pong{}, fmt.Errorf("pymesh: Ping: %v is not an IPv6 address", dst)
	}
	if err := ctx.Err(); err != nil {
		return Pong{}, err
	}
	dst = dst.WithZone("")
	answer := make(chan pong, 1)
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return Pong{}, ErrClosed
	}
	if len(n.pings) == maxPings {
		n.mu.Unlock()
		return Pong{}, fmt.Errorf("pymesh: Ping: %d others wait: %w", maxPings, thread.ErrQueueFull)
	}
	for taken := true; taken; { // one of before 65,536 others may still wait
		n.pingSeq++
		_, taken = n.pings[n.pingSeq]
	}
	seq := n.pingSeq
	n.pings[seq] = answer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.pings, seq)
		n.mu.Unlock()
	}()
	var start time.Time
	var err error
	running := n.run.Do(func(now time.Time) {
		start = now
		var packet []byte
		packet, err = ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: n.engine.SelectSource(dst), Dst: dst},
			ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: n.pingID, Sequence: seq, Data: make([]byte, size)})
		if err == nil {
			err = n.engine.HandlePacket(now, packet)
			n.engine.ExpectAnswer(now, 0)
		}
	})
	if !running {
		return Pong{}, ErrClosed
	}
	lost := errors.Is(err, thread.ErrNoRoute) // as if on the air: who pings in a loop does so at the same pace
	if err != nil && !lost {
		return Pong{}, fmt.Errorf("pymesh: Ping: %w", err)
	}
	select {
	case p, ok := <-answer:
		if !ok {
			return Pong{}, ErrClosed
		}
		return Pong{From: p.from, Size: p.size, HopLimit: p.hopLimit, RTT: p.at.Sub(start)}, nil
	case <-ctx.Done():
		if lost {
			return Pong{}, fmt.Errorf("pymesh: Ping: %w: %w", ctx.Err(), err)
		}
		return Pong{}, ctx.Err()
	}
}

// handlePacket takes a datagram from the engine.
func (n *Node) handlePacket(now time.Time, d *ip6.Datagram) {
	taken := n.shell.HandlePacket(now, d)
	if taken {
		n.shellOutput()
	}
	switch d.Protocol {
	case ip6.ProtocolUDP:
		taken = n.sockets.deliver(d) || taken
	case ip6.ProtocolICMPv6:
		taken = n.handleEcho(now, d) || taken
	}
	if !taken {
		n.packets.put(d.Bytes)
	}
}

// handleEcho gives the answer to a ping to who waits for it, and reports whether it was one of this node's.
func (n *Node) handleEcho(now time.Time, d *ip6.Datagram) bool {
	m, err := ip6.ParseICMPv6(d.Payload)
	if err != nil || m.Type != ip6.ICMPv6EchoReply {
		return false
	}
	echo, err := ip6.ParseEcho(m.Body)
	if err != nil || echo.Identifier != n.pingID {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if c, ok := n.pings[echo.Sequence]; ok {
		select {
		case c <- pong{from: d.Src, size: len(echo.Data), hopLimit: int(d.HopLimit), at: now}:
		default: // a second answer to a multicast
		}
	}
	return true
}

// CLI executes a command of OpenThread's command line, see package [github.com/gopymesh/pymesh/thread/cli], and returns what it
// prints: lines that end in "\r\n", without the final Done. Where it answers with an error, err is that [cli.Error]. A ping
// is waited for: until its answers are there or ctx ends, which then is the error, beside the answers so far. One command is
// executed at a time; what is printed between commands, such as datagrams that a udp command asked for, is lost.
func (n *Node) CLI(ctx context.Context, command string) (text string, err error) {
	select {
	case n.shellTurn <- struct{}{}:
		defer func() { <-n.shellTurn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var out []byte
	var waiting bool
	fetch := func(time.Time) {
		b, _ := n.shell.PollOutput()
		out = append(out, b...)
		waiting = n.shell.Waiting()
	}
	running := n.run.Do(func(now time.Time) {
		n.shell.PollOutput()
		n.shellActive = true
		n.shell.HandleLine(now, command)
		err = n.shell.Err()
		if r, ok := n.shell.PollRequest(); ok {
			err = fmt.Errorf("pymesh: CLI: a Node cannot %v by itself: use Close and New", r)
		}
		fetch(now)
	})
	for running && waiting && err == nil {
		select {
		case <-n.shellPrinted:
		case <-ctx.Done():
			err = ctx.Err()
		case <-n.run.Done():
		}
		running = n.run.Do(fetch)
	}
	running = running && n.run.Do(func(now time.Time) {
		if n.shell.Waiting() {
			n.shell.HandleLine(now, "ping stop")
		}
		n.shellActive = false
	})
	if !running {
		err = ErrClosed
	}
	text, _ = strings.CutSuffix(string(out), "Done\r\n")
	return text, err
}

// shellOutput tells CLI that there is more to fetch, or drops it if nobody waits for it.
func (n *Node) shellOutput() {
	if !n.shellActive {
		n.shell.PollOutput()
		return
	}
	select {
	case n.shellPrinted <- struct{}{}:
	default:
	}
}

// String returns the node's state in short form, for logs.
func (n *Node) String() string {
	return fmt.Sprintf("pymesh node %v %v 0x%04x", n.mac, n.State(), n.RLOC16())
}

// fixedPower is the transmission power of a radio, which is set when it is opened.
type fixedPower int

func (p fixedPower) TxPower() int { return int(p) }

func (p fixedPower) SetTxPower(int) error { return cli.NotImplemented }

// TopologyOptions say how Topology walks the mesh. The zero value is for any radio.
type TopologyOptions struct {
	// Children has children asked as well, for their MACs and addresses; their parents tell who and how many they are. Sleepy ones are
	// never asked.
	Children bool
	// Pause is the time between an answer and the next question, in which the air is others': ten times the airtime of the longest frame if
	// 0, so that the walk takes a tenth of the air or less. Negative for none.
	Pause time.Duration
	// Patience is how long an answer is waited for: 120 times the airtime of the longest frame if 0, in which a question is repeated once
	// or twice.
	Patience time.Duration
	// Previous is an earlier result: nodes that do not answer now keep what it knew of them, and their age, for an hour.
	Previous *topology.Topology
	// Progress, if set, is told before each question how many nodes were asked, how many are known to be left, and who is next.
	Progress func(asked, left int, next uint16)
}

// Topology walks the mesh and returns its routers, children and links, with the quality of both directions. It asks one node at a time, by
// Network Diagnostics, which Pycom's boards answer as well: first this node, then all routers that they tell of. A node that does not
// answer stays in the result, with the time since it was heard of.
//
// At SF7 a question and its answer take about a second for each hop. When ctx ends, the result so far is returned with its error.
func (n *Node) Topology(ctx context.Context, o TopologyOptions) (topology.Topology, error) {
	w := topology.New(topology.Options{Children: o.Children, Previous: o.Previous})
	if err := n.seed(w); err != nil {
		return topology.Topology{}, err
	}
	asked := 1
	for {
		rloc, ok := w.Next()
		if !ok {
			break
		}
		if err := n.sleep(ctx, cmp.Or(o.Pause, 10*n.frame)); err != nil {
			return w.Result(n.clock.Now()), err
		}
		if o.Progress != nil {
			o.Progress(asked, w.Left()+1, uint16(rloc))
		}
		asked++
		d, _, err := n.ask(ctx, n.rlocAddr(rloc), o.Patience, topology.Types())
		switch {
		case err == nil:
			w.Answer(n.clock.Now(), rloc, d)
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return w.Result(n.clock.Now()), err
		}
	}
	return w.Result(n.clock.Now()), nil
}

// seed tells a walker what this node knows without asking. It fails if the node is part of no mesh.
func (n *Node) seed(w *topology.Walker) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		e := n.engine
		if err = nil; e.Role() < thread.RoleChild {
			err = thread.ErrDetached
			return
		}
		own := e.RLOC16()
		w.Seed(own, now)
		w.Next() // it is not asked over the air
		w.Answer(now, own, e.OwnDiagnostics(topology.Types()...))
		for _, i := range e.Neighbors() {
			w.Measured(own, i.RLOC16, int(i.RSSI), int(i.LinkQualityIn))
			if i.Role == thread.RoleRouter {
				w.Seed(i.RLOC16, now.Add(-i.Age))
			}
		}
		for _, i := range e.Routers() {
			if i.RLOC16 != own && i.Age > 0 {
				w.Seed(i.RLOC16, now.Add(-i.Age))
			}
		}
	})
	return err
}

func (n *Node) rlocAddr(rloc mle.RLOC16) netip.Addr {
	return rloc.Addr(get(n, func(e *thread.Engine) netip.Prefix { return e.Network().MeshLocalPrefix }))
}

// sleep waits by the radio's clock.
func (n *Node) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(n.clock.Until(n.clock.Now().Add(d)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-n.run.Done():
		return ErrClosed
	}
}

// ask asks a node for diagnostics, and returns the answer and the time that it took.
func (n *Node) ask(ctx context.Context, to netip.Addr, patience time.Duration, types []tmf.DiagnosticType) (tmf.Diagnostics, time.Duration, error) {
	type answer struct {
		thread.Diagnostic
		at time.Time
	}
	answers := make(chan answer, 1)
	var id uint32
	var start time.Time
	var err error
	if !n.run.Do(func(now time.Time) {
		start = now
		id, err = n.engine.GetDiagnostics(now, to, types, func(d thread.Diagnostic) {
			select {
			case answers <- answer{d, n.clock.Now()}:
			default: // only one is asked
			}
		})
	}) {
		return nil, 0, ErrClosed
	}
	if err != nil {
		return nil, 0, err
	}
	wait := cmp.Or(patience, 120*n.frame)
	timer := time.NewTimer(n.clock.Until(n.clock.Now().Add(wait)))
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.TLVs, a.at.Sub(start), a.Err
	case <-timer.C:
		err = fmt.Errorf("pymesh: no answer from %v within %v", to, wait)
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.run.Done():
		return nil, 0, ErrClosed
	}
	n.run.Do(func(time.Time) { n.engine.CancelDiagnostics(id) })
	return nil, 0, err
}

// Trace returns the way of a datagram to a node of the mesh, by its mesh-local EID or RLOC: the routers on it, and the node, each with the
// link over which it is reached. A router does not tell its next hop; it follows from what it and its neighbors tell of their routes, one asked
// after the other, with the pause of Topology in between. Strengths are known of this node's own links alone.
//
// Where the way cannot be told any further, the hops so far are returned with an error.
func (n *Node) Trace(ctx context.Context, dst netip.Addr) ([]topology.Hop, error) {
	if !dst.Is6() || dst.IsMulticast() {
		return nil, fmt.Errorf("pymesh: Trace: %v is no unicast IPv6 address", dst)
	}
	d, rtt, err := n.ask(ctx, dst, 0, []tmf.DiagnosticType{tmf.DiagnosticExtendedMACAddress, tmf.DiagnosticAddress16})
	if err != nil {
		return nil, fmt.Errorf("pymesh: Trace: %w", err)
	}
	to, err := d.Address16()
	if err != nil {
		return nil, fmt.Errorf("pymesh: Trace: %w", err)
	}
	ext, _ := d.ExtendedMACAddress()
	t := tracing{node: n, ctx: ctx, rtts: map[mle.RouterID]time.Duration{}, macs: map[mle.RouterID]ieee802154.ExtAddr{}}
	hops, err := t.run(to)
	if err != nil {
		return hops, fmt.Errorf("pymesh: Trace: %w", err)
	}
	if len(hops) > 0 {
		hops[len(hops)-1].MAC, hops[len(hops)-1].RTT = ext, rtt
	}
	return hops, nil
}

// tracing is a Trace under way.
type tracing struct {
	node   *Node
	ctx    context.Context
	tracer *topology.Tracer
	rtts   map[mle.RouterID]time.Duration
	macs   map[mle.RouterID]ieee802154.ExtAddr
	own    mle.RLOC16
	near   []thread.NeighborInfo
}

func (t *tracing) run(to mle.RLOC16) ([]topology.Hop, error) {
	t.node.run.Do(func(time.Time) {
		t.own, t.near = t.node.engine.RLOC16(), t.node.engine.Neighbors()
		t.tracer = topology.NewTracer(t.own.RouterID(), to.RouterID())
		if t.own.IsRouter() {
			t.answer(t.own.RouterID(), t.node.engine.OwnDiagnostics(traceTypes...))
		}
	})
	if t.tracer == nil {
		return nil, ErrClosed
	}
	if to == t.own {
		return nil, nil
	}
	for {
		ask, done, err := t.tracer.Step()
		if done || err != nil {
			return t.hops(to, done), err
		}
		if err := t.node.sleep(t.ctx, 10*t.node.frame); err != nil {
			return t.hops(to, false), err
		}
		d, rtt, err := t.node.ask(t.ctx, t.node.rlocAddr(ask.RLOC16()), 0, traceTypes)
		switch {
		case t.ctx.Err() != nil || errors.Is(err, ErrClosed):
			return t.hops(to, false), err
		case err != nil || !t.answer(ask, d):
			t.tracer.Silent(ask)
		default:
			t.rtts[ask] = rtt
		}
	}
}

var traceTypes = []tmf.DiagnosticType{tmf.DiagnosticExtendedMACAddress, tmf.DiagnosticRoute64}

// answer takes the answer of a router. It reports whether that has told its routes.
func (t *tracing) answer(id mle.RouterID, d tmf.Diagnostics) bool {
	if ext, err := d.ExtendedMACAddress(); err == nil {
		t.macs[id] = ext
	}
	route, err := d.Route64()
	if err == nil {
		t.tracer.Answer(id, route)
	}
	return err == nil
}

// hops are those found so far: this node's parent, the routers, and a child at the end.
func (t *tracing) hops(to mle.RLOC16, done bool) (hops []topology.Hop) {
	unknown := topology.Direction{Quality: topology.Unknown, RSSI: topology.RSSIUnknown}
	at := t.own
	if t.own.IsChild() {
		hops = append(hops, topology.Hop{RLOC16: at.RouterID().RLOC16(), Forth: unknown, Back: unknown})
		at = at.RouterID().RLOC16()
	}
	for _, id := range t.tracer.Way() {
		h := topology.Hop{RLOC16: id.RLOC16()}
		h.Forth, h.Back = t.tracer.Link(at.RouterID(), id)
		hops, at = append(hops, h), h.RLOC16
	}
	if done && to != at {
		hops = append(hops, topology.Hop{RLOC16: to, Forth: unknown, Back: unknown})
	}
	before := t.own
	for i := range hops {
		h := &hops[i]
		if h.RLOC16.IsRouter() {
			h.MAC, h.RTT = t.macs[h.RLOC16.RouterID()], t.rtts[h.RLOC16.RouterID()]
		}
		for _, n := range t.near { // what this node has measured itself
			if n.RLOC16 == h.RLOC16 && before == t.own {
				h.MAC, h.Back = n.ExtAddr, topology.Direction{Quality: int(n.LinkQualityIn), RSSI: int(n.RSSI)}
			}
		}
		before = h.RLOC16
	}
	return hops
}
