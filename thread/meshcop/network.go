package meshcop

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Channels of IEEE 802.15.4 at 2.4 GHz (IEEE 802.15.4-2006 §6.1.2.1).
const (
	minChannel, maxChannel = 11, 26

	allChannels ChannelMask = 1<<(maxChannel+1) - 1<<minChannel
)

// allAllowed is the security policy that forbids nothing, reserved flags included.
const allAllowed SecurityFlags = 0xff

// Network is what all nodes of a network have in common.
type Network struct {
	Key             [keys.Size]byte // the "master key" of Thread 1.1
	PANID           ieee802154.PANID
	Name            string // at most 16 bytes
	ExtPANID        [8]byte
	MeshLocalPrefix netip.Prefix // a /64 inside fd00::/8
	Channel         uint8        // 11 to 26
	PSKc            Key          // by which a commissioner proves that it may be one; zero for none
}

// Check fails if the name is too long, the mesh-local prefix none, or the channel none of 2.4 GHz. The error names the field, its value
// and what is accepted. Any PAN ID passes, that of a broadcast too.
func (n Network) Check() error {
	switch {
	case len(n.Name) > maxNetworkNameSize:
		return fmt.Errorf("meshcop: NetworkName %q has more than %d bytes", n.Name, maxNetworkNameSize)
	case !isMeshLocalPrefix(n.MeshLocalPrefix):
		return fmt.Errorf("meshcop: MeshLocalPrefix %v is not a /64 inside fd00::/8", n.MeshLocalPrefix)
	case n.Channel < minChannel || n.Channel > maxChannel:
		return fmt.Errorf("meshcop: Channel %d is not in %d to %d", n.Channel, minChannel, maxChannel)
	}
	return nil
}

func isMeshLocalPrefix(p netip.Prefix) bool {
	const uniqueLocal = 0xfd // RFC 4193 §3.1
	return p.Bits() == 8*meshLocalPrefixSize && p.Addr().As16()[0] == uniqueLocal
}

// Apart reports whether nodes of n and of m cannot hear or reach each other: another key, PAN ID, channel or mesh-local prefix.
func (n Network) Apart(m Network) bool {
	return n.Key != m.Key || n.PANID != m.PANID || n.Channel != m.Channel || n.MeshLocalPrefix != m.MeshLocalPrefix
}

// UsualPolicy returns the security policy of a network that has none of its own: it forbids nothing. rotation is how long a key sequence
// lasts, in whole hours.
func UsualPolicy(rotation time.Duration) SecurityPolicy {
	return SecurityPolicy{RotationTime: rotation, Flags: allAllowed}
}

// Dataset returns the Active Operational Dataset of a network that has n alone (Thread 1.1 §8.4), without a timestamp: on any channel.
func (n Network) Dataset(policy SecurityPolicy) Dataset {
	return Dataset{
		Present: HasChannel | HasChannelMask | HasExtendedPANID | HasMeshLocalPrefix | HasNetworkMasterKey | HasNetworkName |
			HasPANID | HasPSKc | HasSecurityPolicy,
		Channel:          mle.Channel{Number: uint16(n.Channel)},
		ChannelMask:      allChannels,
		ExtendedPANID:    n.ExtPANID,
		MeshLocalPrefix:  n.MeshLocalPrefix,
		NetworkMasterKey: n.Key,
		NetworkName:      n.Name,
		PANID:            n.PANID,
		PSKc:             n.PSKc,
		SecurityPolicy:   policy,
	}
}
