// Package dissect takes the packets of a Thread network apart, with its network key: from the MAC frame over 6LoWPAN,
// IPv6, UDP and ICMPv6 to the TLVs of MLE and network management. It is what a sniffer shows, and what tests hold
// against recorded traffic.
//
// A [Dissector] sees packets in the order of their time and learns on the way what later ones take for granted:
//
//   - the extended addresses of nodes, without which nothing secured can be opened (IEEE 802.15.4-2006 §7.6.3.2): from
//     MLE messages, whose link-local source holds it, from Address Solicit messages, and from frames with an extended
//     source address;
//   - which short address a node has: from the Source Address and Address16 TLVs, from Address Solicit responses, and by
//     trying all known nodes on a frame;
//   - the key sequence, the compression contexts and the mesh-local prefix, from network data and datasets; from a pending one, what
//     the network key and the prefix will be, and when;
//   - fragments, for each hop on its own, as a datagram that is passed on is heard several times;
//   - requests of network management, as a response does not say what it answers;
//   - frames that asked for an acknowledgment, as that has no address.
//
// Only what is authentic under the network key is learned from.
package dissect

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// DefaultMeshLocalPrefix is the mesh-local prefix of a Pymesh. It holds until a dataset tells another one, or a pending one comes into force.
var DefaultMeshLocalPrefix = netip.MustParsePrefix("fdde:ad00:beef::/64")

// Dissector takes the packets of one network apart. It must not be used concurrently.
type Dissector struct {
	network
	nodes     nodeTable
	fragments fragments
	ends      ends
	exchanges exchanges
	pending   pendingAcks
	latest    map[ieee802154.Addr][]byte // the last frame of each sender, to tell repetitions
}

// New returns a Dissector for the network with the given key.
func New(networkKey [keys.Size]byte) *Dissector {
	ring := newKeyring(networkKey)
	d := &Dissector{
		network:   network{keys: &ring},
		nodes:     nodeTable{short: map[ieee802154.ShortAddr]ieee802154.ExtAddr{}},
		fragments: fragments{hops: map[hop]*lowpan.Reassembler{}},
		latest:    map[ieee802154.Addr][]byte{},
		ends:      ends{},
	}
	d.setMeshLocal(DefaultMeshLocalPrefix)
	return d
}

// Dissect takes a PSDU apart, which ends with two FCS bytes. Times must not go back by much: they age fragments and
// exchanges. The result aliases psdu.
func (d *Dissector) Dissect(now time.Time, psdu []byte) Frame {
	d.advance(now)
	f := Frame{Time: now, PSDU: psdu, meshLocal: d.meshLocal()}
	d.fragments.expire(now)
	payload := d.mac(&f)
	if f.Problem == nil && len(payload) > 0 && f.MAC.Type == ieee802154.Data {
		if b := d.lowpan(&f, payload); len(b) > 0 {
			d.ip(&f, b)
		}
	}
	return f
}

// Incomplete returns how many datagrams lack a fragment: those that were given up and those that may still be completed.
func (d *Dissector) Incomplete() uint64 { return d.fragments.incomplete() }

// Contexts returns the compression contexts as they are known now.
func (d *Dissector) Contexts() lowpan.Contexts { return d.contexts }
