package thread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
	"github.com/gopymesh/pymesh/thread/trickle"
)

// Errors of the engine's commands.
var (
	// ErrDisabled says that the engine has not been started.
	ErrDisabled = errors.New("thread: not started")
	// ErrDetached says that the node is not part of a partition.
	ErrDetached = errors.New("thread: not attached")
	// ErrKeySequence says that a key sequence is not later than the current one.
	ErrKeySequence = errors.New("thread: the key sequence only moves forward")
	// ErrQueueFull says that too many datagrams wait for the radio.
	ErrQueueFull = errors.New("thread: send queue full")
	// ErrPacket says that a packet is not an IPv6 datagram of at most 1280 bytes from an address of this node.
	ErrPacket = errors.New("thread: not a sendable IPv6 datagram")

	errSecurity    = errors.New("thread: frame security")
	errStoreFailed = errors.New("thread: frame counters not stored")
)

// Defaults of Config, those of OpenThread and of Pymesh.
const (
	DefaultPANID       ieee802154.PANID = 0x1234
	DefaultNetworkName                  = "OpenThread"
	DefaultChannel                      = 11
	DefaultMaxChildren                  = 10

	DefaultRouterUpgradeThreshold   = 16
	DefaultRouterDowngradeThreshold = 23
	DefaultLeaderWeight             = 64

	maxNetworkName = 16
	maxMaxChildren = mle.MaxChildID
)

// DefaultExtPANID and DefaultMeshLocalPrefix are OpenThread's, which Pymesh did not change.
var (
	DefaultExtPANID        = [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe}
	DefaultMeshLocalPrefix = netip.MustParsePrefix("fdde:ad00:beef::/64")
)

// Modes of a device (Thread 1.1 §4.5.3).
const (
	// ModeFullThreadDevice is a node that can become a router.
	ModeFullThreadDevice = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests | mle.ModeFullThreadDevice | mle.ModeFullNetworkData
	// ModeMinimalEndDevice always listens but leaves routing to its parent.
	ModeMinimalEndDevice = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests | mle.ModeFullNetworkData
)

// Config describes a node. ExtAddr, NetworkKey and Rand have no defaults; every other zero field has one.
type Config struct {
	// NetworkKey is the key that all nodes of the network share (the "master key" of Thread 1.1).
	NetworkKey [keys.Size]byte
	// ExtAddr is the node's IEEE 802.15.4 extended address; on Pymesh the LoRa MAC address.
	ExtAddr ieee802154.ExtAddr

	PANID       ieee802154.PANID // DefaultPANID
	NetworkName string           // DefaultNetworkName; at most 16 bytes
	ExtPANID    [8]byte          // DefaultExtPANID
	// MeshLocalPrefix is a /64 inside fd00::/8. DefaultMeshLocalPrefix.
	MeshLocalPrefix netip.Prefix
	Channel         uint8 // DefaultChannel, 11 to 26: a number in messages, without a meaning for LoRa

	// Mode is ModeFullThreadDevice by default. It must have ModeRxOnWhenIdle.
	Mode mle.Mode
	// EndDevice keeps a full Thread device from ever becoming a router or leader.
	EndDevice bool
	// MaxChildren is the number of children that this node accepts, 1 to 511. DefaultMaxChildren.
	MaxChildren int
	// RouterUpgradeThreshold is the number of routers below which a child becomes one, RouterDowngradeThreshold the number above
	// which a router with enough neighbors becomes a child again.
	RouterUpgradeThreshold, RouterDowngradeThreshold int
	// LeaderWeight decides which of two partitions absorbs the other when they meet.
	LeaderWeight uint8
	// PartitionID is given to a partition that this node founds. 0 takes one at random.
	PartitionID uint32

	// Timing is TimingPymesh by default.
	Timing Timing
	// Store keeps what must survive a restart. A new MemoryStore by default, with which a restarted program starts its frame
	// counters anew: peers then drop its frames until they forget it.
	Store Store
	// StoredNetwork is for a node that commands configure, as those of the command line do: what SetNetwork, SetExtAddr and SetMode
	// had set when the node last attached is stored, and then goes before the fields above.
	StoredNetwork bool
	// Rand is the source of challenges, identifiers and jitter: crypto/rand's Reader, or a seeded one for a simulation that repeats.
	// It must not fail.
	Rand io.Reader
	// Logger gets role changes at level Info, failures at Warn and Error, messages at Debug. Silent by default.
	Logger *slog.Logger
}

func (c *Config) complete() error {
	setDefault(&c.PANID, DefaultPANID)
	setDefault(&c.NetworkName, DefaultNetworkName)
	setDefault(&c.ExtPANID, DefaultExtPANID)
	setDefault(&c.MeshLocalPrefix, DefaultMeshLocalPrefix)
	setDefault(&c.Channel, DefaultChannel)
	setDefault(&c.Mode, ModeFullThreadDevice)
	setDefault(&c.MaxChildren, DefaultMaxChildren)
	setDefault(&c.RouterUpgradeThreshold, DefaultRouterUpgradeThreshold)
	setDefault(&c.RouterDowngradeThreshold, DefaultRouterDowngradeThreshold)
	setDefault(&c.LeaderWeight, DefaultLeaderWeight)
	setDefault(&c.Timing, TimingPymesh())
	if c.Store == nil {
		c.Store = new(MemoryStore)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Rand == nil:
		return errors.New("thread: Config.Rand is not set")
	case c.ExtAddr == ieee802154.ExtAddr{}:
		return errors.New("thread: Config.ExtAddr is not set")
	case len(c.NetworkName) > maxNetworkName:
		return fmt.Errorf("thread: Config.NetworkName %q has more than %d bytes", c.NetworkName, maxNetworkName)
	case !isMeshLocalPrefix(c.MeshLocalPrefix):
		return fmt.Errorf("thread: Config.MeshLocalPrefix %v is not a /64 inside fd00::/8", c.MeshLocalPrefix)
	case c.Channel < minChannel || c.Channel > maxChannel:
		return fmt.Errorf("thread: Config.Channel %d is not in %d to %d", c.Channel, minChannel, maxChannel)
	case !c.Mode.Has(mle.ModeRxOnWhenIdle):
		return fmt.Errorf("thread: Config.Mode %v: sleepy end devices are not supported yet, set ModeRxOnWhenIdle", c.Mode)
	case c.MaxChildren < 1 || c.MaxChildren > maxMaxChildren:
		return fmt.Errorf("thread: Config.MaxChildren %d is not in 1 to %d", c.MaxChildren, maxMaxChildren)
	case c.PANID == ieee802154.BroadcastPAN:
		return errors.New("thread: Config.PANID 0xffff is the broadcast PAN ID")
	}
	c.MeshLocalPrefix = c.MeshLocalPrefix.Masked()
	return nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// An Engine is one Thread node as a state machine: no goroutine, no clock, no I/O but the Store's. Whoever drives it brings the
// time and moves packets between it and a radio:
//
//   - Inputs: Start, Stop, HandleFrame, HandleTransmitDone, HandlePacket, HandleTimeout, and commands. Those that take the time want
//     one that does not go back.
//   - After each input, fetch the outputs: PollTransmit until it has none; PollPacket and PollEvent likewise, at leisure.
//   - Then NextTimeout tells when HandleTimeout is due, unless another input comes first.
//   - Getters may be called at any time in between.
//
// An Engine is not safe for concurrent use. All its randomness comes from Config.Rand: the same inputs give the same outputs.
type Engine struct {
	// The configuration, and what follows from it. Commands may change it.
	timing         Timing
	networkKey     [keys.Size]byte
	ext            ieee802154.ExtAddr
	pan            ieee802154.PANID
	networkName    string
	extPANID       [8]byte
	meshLocal      netip.Prefix
	channel        uint8
	mode           mle.Mode
	routerRole     bool // the router role is not disabled
	routerEligible bool // and the mode allows it
	parentPriority mle.ParentPriority
	filter         MACFilter
	storesNetwork  bool
	upgradeAt      int
	downgradeAt    int
	leaderWeight   uint8
	fixedPartition uint32
	store          Store
	entropy        io.Reader
	rand           *mathrand.Rand
	log            *slog.Logger
	debug          bool // log messages
	linkLocalAddr  netip.Addr
	allThreadLink  netip.Addr // ff32:40:<mesh-local prefix>::1
	allThreadRealm netip.Addr // ff33:40:<mesh-local prefix>::1
	meshLocalIID   ip6.InterfaceID
	meshLocalEID   netip.Addr
	rlocAddr       netip.Addr
	leaderALOC     netip.Addr
	settings       Settings
	keyring        keyring
	keySequence    keys.Sequence
	keyRotated     time.Time
	keyGuarded     bool
	mleCounter     uint32 // next MLE frame counter
	storedMAC      uint32 // limits up to which the counters are stored
	storedMLE      uint32

	now      time.Time
	ifUp     bool // the interface is up
	up       bool // and Thread started
	role     Role
	rloc     mle.RLOC16
	leader   mle.LeaderData
	counters Counters

	mac       mac
	fwd       forwarder
	reasm     *lowpan.Reassembler
	contexts  lowpan.Contexts
	seeds     *mpl.SeedSet
	mplSent   *mpl.Buffer
	mplSeq    uint8
	storedMPL uint8 // limit up to which it is stored
	coap      *coap.Endpoint[tmfRequest]
	resolver  resolver

	attach    attach
	parent    parent
	children  childTable
	routers   routerTable
	advertise *trickle.Timer
	delayed   []delayedMessage
	keepAlive keepAlive
	routing   routing
	netData   networkData
	dataset   dataset
	tick      time.Time // next second of housekeeping, zero if none

	packets [][]byte
	events  []Event
	groups  []netip.Addr // subscribed by the host
	queries []netip.Addr // address queries to send

	external   []netip.Addr // added by AddAddress
	addresses  []netip.Addr
	addressBuf [2][maxAddresses]netip.Addr
	addressSet int

	// Working memory.
	scratch  []byte      // MLE message under construction
	sealed   []byte      // the same, secured
	opened   []byte      // MLE message received
	datagram []byte      // IPv6 datagram received
	tunnel   []byte      // IPv6 datagram under construction
	route64  mle.Route64 // received
}

// New returns an engine in role Disabled.
func New(c Config) (*Engine, error) {
	if err := c.restore(); err != nil {
		return nil, err
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	e := &Engine{
		timing:         c.Timing,
		networkKey:     c.NetworkKey,
		ext:            c.ExtAddr,
		pan:            c.PANID,
		networkName:    c.NetworkName,
		extPANID:       c.ExtPANID,
		meshLocal:      c.MeshLocalPrefix,
		channel:        c.Channel,
		mode:           c.Mode,
		routerRole:     !c.EndDevice,
		parentPriority: AutomaticParentPriority,
		storesNetwork:  c.StoredNetwork,
		upgradeAt:      c.RouterUpgradeThreshold,
		downgradeAt:    c.RouterDowngradeThreshold,
		leaderWeight:   c.LeaderWeight,
		fixedPartition: c.PartitionID,
		store:          c.Store,
		entropy:        c.Rand,
		rand:           mathrand.New(&source{r: c.Rand}),
		log:            c.Logger,
		rloc:           mle.InvalidRLOC16,
		routing:        routing{id: mle.InvalidRouterID, previousID: mle.InvalidRouterID},
	}
	e.debug = c.Logger.Enabled(context.Background(), slog.LevelDebug)
	e.updateEligibility()
	e.advertise = trickle.NewTimer(e.rand)
	e.coap = coap.NewEndpoint[tmfRequest](coap.Config{Timing: coapTiming(&e.timing), Rand: e.rand, IsAnycast: e.isAnycast})
	e.mac.init(uint8(e.rand.Uint32()))
	e.children.init(c.MaxChildren)
	e.routers.sequence = uint8(e.rand.Uint32())
	e.initForwarding()
	e.initAddresses()
	if err := e.restoreSettings(); err != nil {
		return nil, fmt.Errorf("thread: loading settings: %w", err)
	}
	e.updateAddresses()
	return e, nil
}

// source draws math/rand's numbers from the injected reader.
type source struct {
	r   io.Reader
	buf [8]byte // here, or each number would allocate
}

func (s *source) Uint64() uint64 {
	if _, err := io.ReadFull(s.r, s.buf[:]); err != nil {
		panic("thread: Config.Rand failed: " + err.Error())
	}
	var v uint64
	for _, x := range s.buf {
		v = v<<8 | uint64(x)
	}
	return v
}

// randomBytes fills b from the injected reader.
func (e *Engine) randomBytes(b []byte) {
	if _, err := io.ReadFull(e.entropy, b); err != nil {
		panic("thread: Config.Rand failed: " + err.Error())
	}
}

// Rand returns the source of the engine's random numbers, for protocols that are built on it.
func (e *Engine) Rand() *mathrand.Rand { return e.rand }

// randomUpTo returns a random duration in [0, d], in milliseconds as Thread counts.
func (e *Engine) randomUpTo(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return 0
	}
	return time.Duration(e.rand.Int64N(int64(d/time.Millisecond)+1)) * time.Millisecond
}

// isDue reports whether a timer is set and over.
func (e *Engine) isDue(t time.Time) bool { return !t.IsZero() && !t.After(e.now) }

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (e *Engine) NextTimeout() (time.Time, bool) {
	next := earliest(e.mac.timer, e.tick)
	if e.mac.state == macIdle {
		next = earliest(next, e.fwd.timer)
	}
	next = earliest(next, e.attach.timer)
	next = earliest(next, e.keepAlive.timer)
	for i := range e.delayed {
		next = earliest(next, e.delayed[i].at)
	}
	if t, ok := e.advertise.NextTimeout(); ok {
		next = earliest(next, t)
	}
	if t, ok := e.reasm.NextTimeout(); ok {
		next = earliest(next, t)
	}
	if t, ok := e.mplSent.NextTimeout(); ok {
		next = earliest(next, t)
	}
	next = earliest(next, e.coap.NextTimeout())
	return next, !next.IsZero()
}

// earliest returns the earlier of two timers, the zero time standing for none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// HandleTimeout lets the engine do all that is due at now.
func (e *Engine) HandleTimeout(now time.Time) {
	e.now = now
	if e.isDue(e.mac.timer) {
		e.handleMACTimer()
	}
	if e.isDue(e.attach.timer) {
		e.handleAttachTimer()
	}
	if e.isDue(e.keepAlive.timer) {
		e.handleKeepAliveTimer()
	}
	e.sendDelayed()
	if e.advertise.HandleTimeout(now) {
		e.sendAdvertisement()
	}
	if t, ok := e.reasm.NextTimeout(); ok && e.isDue(t) {
		incomplete := e.reasm.Len()
		e.reasm.HandleTimeout(now)
		e.counters.ReassemblyTimeout += uint64(incomplete - e.reasm.Len())
	}
	e.repeatMPL()
	e.pumpCoAP()
	if e.isDue(e.tick) {
		e.tick = e.tick.Add(time.Second)
		if !e.tick.After(now) {
			e.tick = now.Add(time.Second)
		}
		e.handleTick()
	}
	e.settle()
}

// settle ends every input: it gives an idle MAC its next frame.
func (e *Engine) settle() {
	if e.mac.state == macIdle {
		e.nextFrame()
	}
}

// Start brings the interface up and starts attaching. Starting twice does nothing.
func (e *Engine) Start(now time.Time) error {
	e.InterfaceUp(now)
	return e.StartThread(now)
}

// Stop leaves the network and takes the interface down. The packet that the radio is sending is finished; nothing follows it.
func (e *Engine) Stop(now time.Time) { e.InterfaceDown(now) }
