package thread

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Network is what all nodes of a network have in common.
type Network = meshcop.Network

// Defaults of Config, those of OpenThread and of Pymesh.
const (
	DefaultPANID       ieee802154.PANID = 0x1234
	DefaultNetworkName                  = "OpenThread"
	DefaultChannel                      = 11
	DefaultMaxChildren                  = 10

	DefaultRouterUpgradeThreshold   = 16
	DefaultRouterDowngradeThreshold = 23
	DefaultLeaderWeight             = 64

	maxMaxChildren = mle.MaxChildID
	maxThreshold   = 255
)

// DefaultExtPANID and DefaultMeshLocalPrefix are OpenThread's, which Pymesh did not change.
var (
	DefaultExtPANID        = [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe}
	DefaultMeshLocalPrefix = netip.MustParsePrefix("fdde:ad00:beef::/64")
)

// Modes of a device (Thread 1.1 §4.5.2).
const (
	// ModeFullThreadDevice is a node that can become a router.
	ModeFullThreadDevice = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests | mle.ModeFullThreadDevice | mle.ModeFullNetworkData
	// ModeMinimalEndDevice always listens but leaves routing to its parent.
	ModeMinimalEndDevice = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests | mle.ModeFullNetworkData
	// ModeSleepyEndDevice is a minimal end device that listens only to what it has polled its parent for.
	ModeSleepyEndDevice = mle.ModeSecureDataRequests | mle.ModeFullNetworkData
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
	// PSKc is the key by which a commissioner of the network proves that it may be one. Zero for none.
	PSKc meshcop.Key

	// MultiChannel says that the radio is on the channel that Engine.RadioChannel tells. Without it, as on LoRa, all channels are one, and
	// nothing is sent several times because of them.
	MultiChannel bool

	// Mode is ModeFullThreadDevice by default. A full Thread device must have ModeRxOnWhenIdle.
	Mode mle.Mode
	// PollPeriod is how often a sleepy end device polls its parent, from Timing.MinPoll on. 0 stands for as seldom as Timing.ChildTimeout
	// allows, which is the most that it can be: see Engine.LongestPollPeriod.
	PollPeriod time.Duration
	// EndDevice keeps a full Thread device from ever becoming a router or leader.
	EndDevice bool
	// MaxChildren is the number of children that this node accepts, 1 to 511. DefaultMaxChildren.
	MaxChildren int
	// RouterUpgradeThreshold is the number of routers below which a child becomes one, RouterDowngradeThreshold the number above
	// which a router with enough neighbors becomes a child again; 1 to 255.
	RouterUpgradeThreshold, RouterDowngradeThreshold int
	// LeaderWeight decides which of two partitions absorbs the other when they meet. DefaultLeaderWeight if nil: new(uint8) is 0.
	LeaderWeight *uint8
	// PartitionID is given to a partition that this node founds. 0 takes one at random.
	PartitionID uint32

	// Timing is TimingPymesh by default.
	Timing Timing
	// Store keeps what must survive a restart. A new MemoryStore by default, with which a restarted program starts its frame
	// counters anew, from FirstFrameCounter on.
	Store Store
	// FirstFrameCounter is the least value that frame counters have. Where the store was lost, or an old copy of it was put back, counters that
	// begin anew use nonces again (IEEE 802.15.4-2006 §7.5.8.1.2), and peers take recordings of the node's former life for newer than what it
	// sends. A count that has only grown since then, the time in seconds, is above all that a node used that sent one frame a second or less.
	FirstFrameCounter uint32
	// StoredNetwork is for a node that commands configure, as those of the command line do: what SetNetwork, SetExtAddr and SetMode
	// had set when the node last attached is stored, and then goes before the fields above.
	StoredNetwork bool
	// Rand is the source of challenges, identifiers and jitter: crypto/rand's Reader, or a seeded one for a simulation that repeats.
	// It must not fail.
	Rand io.Reader
	// Logger gets role changes at level Info, failures at Warn and Error, messages at Debug. Silent by default.
	Logger *slog.Logger
}

// setDefaults fills in the zero fields.
func (c *Config) setDefaults() {
	setDefault(&c.PANID, DefaultPANID)
	setDefault(&c.NetworkName, DefaultNetworkName)
	setDefault(&c.ExtPANID, DefaultExtPANID)
	setDefault(&c.MeshLocalPrefix, DefaultMeshLocalPrefix)
	setDefault(&c.Channel, DefaultChannel)
	setDefault(&c.Mode, ModeFullThreadDevice)
	setDefault(&c.MaxChildren, DefaultMaxChildren)
	setDefault(&c.RouterUpgradeThreshold, DefaultRouterUpgradeThreshold)
	setDefault(&c.RouterDowngradeThreshold, DefaultRouterDowngradeThreshold)
	if c.LeaderWeight == nil {
		c.LeaderWeight = new(uint8(DefaultLeaderWeight))
	}
	setDefault(&c.Timing, TimingPymesh())
	if c.Store == nil {
		c.Store = new(MemoryStore)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// check returns an error that names the first field with which no node can work.
func (c *Config) check() error {
	switch {
	case c.Rand == nil:
		return errors.New("thread: Config.Rand is not set")
	case c.ExtAddr == ieee802154.ExtAddr{}:
		return errors.New("thread: Config.ExtAddr is not set")
	case c.Mode.Has(mle.ModeFullThreadDevice) && !c.Mode.Has(mle.ModeRxOnWhenIdle):
		return fmt.Errorf("thread: Config.Mode %v: a full Thread device cannot sleep, set ModeRxOnWhenIdle", c.Mode)
	case c.MaxChildren < 1 || c.MaxChildren > maxMaxChildren:
		return fmt.Errorf("thread: Config.MaxChildren %d is not in 1 to %d", c.MaxChildren, maxMaxChildren)
	case c.RouterUpgradeThreshold < 1 || c.RouterUpgradeThreshold > maxThreshold:
		return fmt.Errorf("thread: Config.RouterUpgradeThreshold %d is not in 1 to %d", c.RouterUpgradeThreshold, maxThreshold)
	case c.RouterDowngradeThreshold < 1 || c.RouterDowngradeThreshold > maxThreshold:
		return fmt.Errorf("thread: Config.RouterDowngradeThreshold %d is not in 1 to %d", c.RouterDowngradeThreshold, maxThreshold)
	case c.PANID == ieee802154.BroadcastPAN && !c.StoredNetwork: // then a command or a dataset will say which it is
		return errors.New("thread: Config.PANID 0xffff is the broadcast PAN ID")
	}
	if err := c.Timing.Validate(); err != nil {
		return err
	}
	if err := c.Timing.checkPoll(c.PollPeriod); err != nil {
		return fmt.Errorf("thread: Config.PollPeriod: %w", err)
	}
	if err := c.network().Check(); err != nil {
		return fmt.Errorf("thread: Config: %w", err)
	}
	return nil
}

// network is what the configuration says of the network.
func (c *Config) network() Network {
	return Network{
		Key: c.NetworkKey, PANID: c.PANID, Name: c.NetworkName, ExtPANID: c.ExtPANID, MeshLocalPrefix: c.MeshLocalPrefix.Masked(),
		Channel: c.Channel, PSKc: c.PSKc,
	}
}

// restore lets what commands have configured go before the configuration, if it shall.
func (c *Config) restore() error {
	if !c.StoredNetwork {
		return nil
	}
	s, ok, err := c.Store.Load()
	if err != nil {
		return fmt.Errorf("thread: loading settings: %w", err)
	}
	if n := s.Network; ok && n != nil {
		c.NetworkKey, c.PANID, c.NetworkName, c.ExtPANID = n.Key, n.PANID, n.Name, n.ExtPANID
		c.MeshLocalPrefix, c.Channel, c.PSKc = n.MeshLocalPrefix, n.Channel, n.PSKc
		c.ExtAddr = s.ExtAddr
		if s.Mode != 0 { // the node has been attached
			c.Mode = s.Mode
		}
	}
	return nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
