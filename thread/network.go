package thread

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Errors of commands that change a node's configuration or role.
var (
	// ErrState says that a command is not possible in the present role, or while the interface is down.
	ErrState = errors.New("thread: not possible in this state")
	// ErrBusy says that the node is searching for a parent already.
	ErrBusy = errors.New("thread: busy attaching")
	// ErrNotCapable says that this node may not become a router.
	ErrNotCapable = errors.New("thread: the router role is disabled")
	// ErrUnsupported says that this version cannot do it.
	ErrUnsupported = errors.New("thread: not supported yet")
	// ErrArgument says that a value is outside its range.
	ErrArgument = errors.New("thread: invalid argument")
	// ErrNotFound says that there is no such entry.
	ErrNotFound = errors.New("thread: not found")
	// ErrExists says that there is such an entry already.
	ErrExists = errors.New("thread: exists already")
	// ErrTableFull says that there is no place for another entry.
	ErrTableFull = errors.New("thread: table full")
)

// Channels of IEEE 802.15.4 at 2.4 GHz (IEEE 802.15.4-2006 §6.1.2.1).
const minChannel, maxChannel = 11, 26

// Network is what all nodes of a network have in common.
type Network struct {
	Key             [keys.Size]byte // the "master key" of Thread 1.1
	PANID           ieee802154.PANID
	Name            string // at most 16 bytes
	ExtPANID        [8]byte
	MeshLocalPrefix netip.Prefix // a /64 inside fd00::/8
	Channel         uint8        // 11 to 26
}

func (n *Network) check() error {
	switch {
	case len(n.Name) > maxNetworkName:
		return fmt.Errorf("%w: network name %q has more than %d bytes", ErrArgument, n.Name, maxNetworkName)
	case !isMeshLocalPrefix(n.MeshLocalPrefix):
		return fmt.Errorf("%w: mesh-local prefix %v is not a /64 inside fd00::/8", ErrArgument, n.MeshLocalPrefix)
	case n.Channel < minChannel || n.Channel > maxChannel:
		return fmt.Errorf("%w: channel %d is not in %d to %d", ErrArgument, n.Channel, minChannel, maxChannel)
	}
	return nil
}

func isMeshLocalPrefix(p netip.Prefix) bool {
	const uniqueLocal = 0xfd // RFC 4193 §3.1
	return p.Bits() == 64 && p.Addr().As16()[0] == uniqueLocal
}

// Network returns the parameters of the network.
func (e *Engine) Network() Network {
	return Network{
		Key: e.networkKey, PANID: e.pan, Name: e.networkName, ExtPANID: e.extPANID, MeshLocalPrefix: e.meshLocal, Channel: e.channel,
	}
}

// SetNetwork gives the node other network parameters. It fails with ErrState unless the role is RoleDisabled, and with ErrArgument,
// and then changes nothing. With another key the key sequence starts at zero again. The broadcast PAN ID is
// accepted, but StartThread refuses it.
//
// The parameters are stored when the node attaches with them, see Config.StoredNetwork.
func (e *Engine) SetNetwork(n Network) error {
	if e.role != RoleDisabled {
		return ErrState
	}
	if err := n.check(); err != nil {
		return err
	}
	e.settings.Network = nil
	e.pan, e.networkName, e.extPANID, e.channel = n.PANID, n.Name, n.ExtPANID, n.Channel
	if n.Key != e.networkKey {
		e.setNetworkKey(n.Key)
	}
	if prefix := n.MeshLocalPrefix.Masked(); prefix != e.meshLocal {
		e.meshLocal = prefix
		e.applyMeshLocalPrefix()
		e.updateAddresses()
	}
	return nil
}

// setNetworkKey forgets all that hangs on the old key but this node's frame counters: that they go on does no harm.
func (e *Engine) setNetworkKey(key [keys.Size]byte) {
	e.networkKey = key
	e.keyring = keyring{}
	e.keySequence = 0
	forget := func(n *neighbor) { n.mac, n.mle = keys.ReplayFrom(0, 0), keys.ReplayFrom(0, 0) }
	forget(&e.parent.neighbor)
	for i := range e.children.children {
		forget(&e.children.children[i].neighbor)
	}
	for i := range e.routers.routers {
		forget(&e.routers.routers[i].neighbor)
	}
}

// applyMeshLocalPrefix derives what depends on the prefix alone.
func (e *Engine) applyMeshLocalPrefix() {
	e.allThreadLink = prefixMulticast(ip6.ScopeLinkLocal, e.meshLocal)
	e.allThreadRealm = prefixMulticast(ip6.ScopeRealmLocal, e.meshLocal)
	e.updateContexts()
}

// SetExtAddr gives the node another extended address. It fails with ErrState unless the role is RoleDisabled.
func (e *Engine) SetExtAddr(ext ieee802154.ExtAddr) error {
	if e.role != RoleDisabled {
		return ErrState
	}
	e.ext = ext
	e.linkLocalAddr = linkLocalOf(ext)
	e.updateAddresses()
	return nil
}

// SetMode changes the mode: at once where the node is attached, too. A router that is no full Thread device any more
// detaches. ErrArgument says that a full Thread device must be ModeRxOnWhenIdle, ErrUnsupported that sleepy end devices are not there
// yet.
func (e *Engine) SetMode(now time.Time, mode mle.Mode) error {
	e.now = now
	switch {
	case mode.Has(mle.ModeFullThreadDevice) && !mode.Has(mle.ModeRxOnWhenIdle):
		return ErrArgument
	case !mode.Has(mle.ModeRxOnWhenIdle):
		return ErrUnsupported
	case mode == e.mode:
		return nil
	}
	e.mode = mode
	e.updateEligibility()
	switch e.role {
	case RoleDetached:
		e.attach.counter = 0
		e.becomeDetached()
		e.startSearch(attachAny)
	case RoleChild:
		e.becomeChild(e.rloc)
		e.sendChildUpdateRequest()
	case RoleRouter, RoleLeader:
		if !e.fullThreadDevice() {
			e.detach()
		}
	}
	e.settle()
	return nil
}

// RouterRole reports whether this node may become a router or leader.
func (e *Engine) RouterRole() bool { return e.routerEligible }

// SetRouterRole says whether this node, as a full Thread device, may become a router or leader. One that is and may not any more
// detaches.
func (e *Engine) SetRouterRole(now time.Time, allowed bool) {
	e.now = now
	e.routerRole = allowed
	e.updateEligibility()
	if e.isRouter() && !e.routerEligible {
		e.detach()
	}
	e.settle()
}

func (e *Engine) updateEligibility() { e.routerEligible = e.routerRole && e.fullThreadDevice() }
