// Package console is what the command line sees of an engine beyond what package thread shows to every user: the rooms, to be read,
// and the commands that change a node from outside.
package console

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A View is one engine's. The rooms are the engine's own: they are not to be changed from here, but for the filter.
type View struct {
	Core        *core.Core
	Neighbors   *neighbors.Table
	Addresses   *addresses.Table
	Resolver    *resolver.Resolver
	NetworkData *networkdata.Data
	Keys        *keychain.Keychain
	// Filter is the node's MAC filter. It may be changed.
	Filter *mac.Filter
	// Scale says what received power is worth.
	Scale neighbors.Scale
	// FrameTime is the airtime of the longest frame.
	FrameTime time.Duration

	Commands
}

// LinkQuality returns the quality, 0 to 3, of a link with the given received power in dBm.
func (v *View) LinkQuality(rssi int) uint8 {
	return v.Scale.Quality(v.Scale.Margin(rssi), -1)
}

// RSSIOf returns a received power in dBm that has the given link quality.
func (v *View) RSSIOf(quality uint8) int { return v.Scale.RSSIOf(quality) }

// Commands are what can be done to a node from outside. Those with a time are inputs of the engine, as its Handle methods are. Their errors
// are package thread's.
type Commands interface {
	Lifecycle
	Configuration
	Management

	// Observe tells the node the time without letting it do anything, so that ages are those of now.
	Observe(now time.Time)

	// BecomeDetached leaves the partition and searches for any. It fails with ErrState if Thread is stopped.
	BecomeDetached(now time.Time) error
	// BecomeChild searches for a parent, and stays what it is until there is one. It fails with ErrState if Thread is stopped and with
	// ErrBusy if a search is under way.
	BecomeChild(now time.Time) error
	// BecomeRouter makes a child ask the leader for a router ID. It fails with ErrState if the node is not attached and with
	// ErrNotCapable if it may not be a router.
	BecomeRouter(now time.Time) error
	// BecomeLeader founds a partition. It fails with ErrState if Thread is stopped and with ErrNotCapable if the node may not be a router.
	BecomeLeader(now time.Time) error
	// ReleaseRouterID takes a router ID back, on the leader. It fails with ErrState on any other node, with ErrNotFound if the ID is not
	// assigned, and with ErrArgument if it is the leader's own.
	ReleaseRouterID(now time.Time, id mle.RouterID) error

	// AddAddress gives the node another unicast address, until RemoveAddress or InterfaceDown. It fails with ErrArgument if that is
	// not a unicast address beyond the link or one that the node has by itself, and with ErrTableFull if four have been added.
	AddAddress(a netip.Addr) error
	// RemoveAddress undoes AddAddress. It fails with ErrNotFound, and with ErrArgument for an address that the node has by itself.
	RemoveAddress(a netip.Addr) error
	// MulticastAddresses returns the multicast addresses to which the node listens: those subscribed, the latest first, and those
	// that all Thread nodes have.
	MulticastAddresses() []netip.Addr
	// IsOwnGroup reports whether it listens to one by itself.
	IsOwnGroup(a netip.Addr) bool
	// Queues returns what waits in the node.
	Queues() Queues
}

// Lifecycle starts the interface and Thread itself one after the other, as the command line does (ifconfig up, thread start);
// Start and Stop of an engine do both:
//
//	        InterfaceUp              StartThread
//	(down) ─────────────► Disabled ───────────────► Detached …
//	   ▲                   │    ▲                        │
//	   └── InterfaceDown ──┘    └──────── StopThread ────┘
type Lifecycle interface {
	// IsUp reports whether the interface is up. It has a link-local address then.
	IsUp() bool
	// InterfaceUp brings the interface up. Doing it twice does nothing.
	InterfaceUp(now time.Time)
	// InterfaceDown stops Thread, if it runs, and takes the interface down. Added addresses are gone then.
	InterfaceDown(now time.Time)
	// StartThread starts attaching: where the node was before, if it was somewhere. It fails with ErrState if the interface is down or
	// the PAN ID is that of a broadcast. Starting twice does nothing.
	StartThread(now time.Time) error
	// StopThread leaves the network. The packet that the radio is sending is finished; nothing follows it.
	StopThread(now time.Time)
	// SetAutoStart stores whether the node shall be started when the program is. It is for the program to obey.
	SetAutoStart(on bool) error
}

// Configuration changes what a node was made with.
type Configuration interface {
	// SetNetwork gives the node other network parameters. It fails with ErrState unless the role is RoleDisabled, and with ErrArgument,
	// and then changes nothing. All that belongs to the old network is forgotten, its dataset too. The broadcast PAN ID is
	// accepted, but StartThread refuses it. The parameters are stored when the node attaches with them, see thread.Config.StoredNetwork.
	SetNetwork(n meshcop.Network) error
	// SetExtAddr gives the node another extended address, and so no place in the mesh. It fails with ErrState unless the role is
	// RoleDisabled.
	SetExtAddr(ext ieee802154.ExtAddr) error
	// SetMode changes the mode: at once where the node is attached, too. A router that is no full Thread device any more
	// detaches. ErrArgument says that a full Thread device must be ModeRxOnWhenIdle.
	SetMode(now time.Time, mode mle.Mode) error
	// RouterRole reports whether the node may become a router or leader.
	RouterRole() bool
	// SetRouterRole says whether the node, as a full Thread device, may become a router or leader. A router that may not be one any more
	// detaches.
	SetRouterRole(now time.Time, allowed bool)
	// SetKeySequence moves the node to another key sequence and so, by the messages it then sends, the whole partition. Only a later
	// sequence is possible, and not the last of all, from which there is no way on. Else the error is ErrKeySequence.
	SetKeySequence(now time.Time, seq keys.Sequence) error
	// SetMaxChildren changes the number of children that the node accepts, 1 to 511. It fails with ErrArgument, and with ErrState while
	// there are children.
	SetMaxChildren(n int) error
	// ChildTimeout returns the silence after which a parent is to drop the node.
	ChildTimeout() time.Duration
	// SetChildTimeout changes the child timeout, and tells the parent. It cannot be shorter than all attempts of a keep-alive
	// take together.
	SetChildTimeout(now time.Time, d time.Duration)
	// PollPeriod returns how often a sleepy end device polls its parent while it waits for nothing.
	PollPeriod() time.Duration
	// SetPollPeriod changes that, unchecked; 0 stands for as seldom as the child timeout allows.
	SetPollPeriod(now time.Time, d time.Duration)
	// Parameters returns the parameters in force.
	Parameters() Parameters
	// SetParameters changes the parameters. ErrArgument says that ParentPriority is none, and nothing has changed.
	SetParameters(p Parameters) error
}

// Parameters are the figures of a node that may be changed at any time, and hold from then on.
type Parameters struct {
	// RouterUpgradeThreshold and RouterDowngradeThreshold are as in thread.Config, 0 to 255.
	RouterUpgradeThreshold, RouterDowngradeThreshold int
	// LeaderWeight and PartitionID are for partitions that the node will found.
	LeaderWeight uint8
	PartitionID  uint32
	// ParentPriority is thread.AutomaticParentPriority or one of those that mle names.
	ParentPriority mle.ParentPriority
	// RouterSelectionJitter, NetworkIDTimeout and KeySwitchGuard are as in thread.Timing. A KeySwitchGuard of zero guards nothing.
	RouterSelectionJitter, NetworkIDTimeout, KeySwitchGuard time.Duration
}

// Queues counts what waits in a node.
type Queues struct {
	Limit        int // the most that can wait in all of them but CoAP
	Sending      int // for the radio
	Resolving    int // for an address
	Reassembling int // for more fragments
	MPL          int // multicasts that are to be repeated
	MLE          int // MLE messages whose random delay is not over
	CoAP         int // management requests without an answer
}

// Len returns the number of all that count against Limit.
func (q Queues) Len() int { return q.Sending + q.Resolving + q.Reassembling + q.MPL + q.MLE }
