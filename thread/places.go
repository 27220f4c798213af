package thread

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// places spreads where the nodes are: each tells it of itself, and of those that it knows, in its Advertisements, where there is room, by a TLV
// that others skip, see [mle.TLVPlaces]. What has not changed is told twice, so that a mesh at rest says nothing of it.
//
//	own place, datagrams, answers ─► resolver ─► Advertisement ─► the neighbors' resolvers ─► theirs
//
// Deviation: stock asks all of the mesh where an address is, each node for each other. On LoRa that is a flood of 20 frames and four seconds
// before the first datagram over a grid of 16; it remains for those of whom nobody has told.
type places struct {
	*self
	neighbors *neighbors.Table
	addresses *addresses.Table
	resolver  *resolver.Resolver

	told     uint8 // how often this node told of itself
	toldRLOC mle.RLOC16
	toldIID  ip6.InterfaceID
}

const (
	// placeSize is the size of one place in the TLV: the interface identifier of an ML-EID, an RLOC16, and how long ago the node was there.
	placeSize = 8 + 2 + 1
	// placeUnit is the unit of that time; placeOldest is the longest, which stands for itself and all longer ones.
	placeUnit, placeOldest = 2 * time.Second, 255
	// placesTold is how often a node tells of itself.
	placesTold = 3
	// maxAdvertisement is how long an Advertisement may be, its command and its TLVs, to need no fragments.
	maxAdvertisement = 85
)

// append adds what there is to tell to an Advertisement.
func (p *places) append(b []byte) []byte {
	const mark, header = 3, 2
	room := (maxAdvertisement - len(b) - mark - header) / placeSize
	if p.timing.AdvertiseQuiet == 0 || room <= 0 {
		return b
	}
	value := make([]byte, 0, maxAdvertisement)
	add := func(iid ip6.InterfaceID, rloc mle.RLOC16, age time.Duration) bool {
		if len(value)/placeSize >= room {
			return false
		}
		value = append(value, iid[:]...)
		value = binary.BigEndian.AppendUint16(value, uint16(rloc))
		value = append(value, byte(min((age+placeUnit-1)/placeUnit, placeOldest)))
		return true
	}
	if p.toldRLOC != p.rloc || p.toldIID != p.addresses.IID() {
		p.told, p.toldRLOC, p.toldIID = 0, p.rloc, p.addresses.IID()
	}
	if p.told < placesTold && add(p.toldIID, p.rloc, 0) {
		p.told++
	}
	p.resolver.Tell(func(target netip.Addr, rloc mle.RLOC16, age time.Duration) bool {
		return !p.addresses.Prefix().Contains(target) || add(ip6.InterfaceIDOf(target), rloc, age)
	})
	if len(value) == 0 {
		return b
	}
	return mle.AppendTLV(b, mle.TLVPlaces, value)
}

// hear takes what a neighbor tells.
func (p *places) hear(m mle.Message, from mle.RLOC16) {
	value, ok := m.Find(mle.TLVPlaces)
	if !ok || p.timing.AdvertiseQuiet == 0 || !p.fullThreadDevice() {
		return
	}
	for ; len(value) >= placeSize; value = value[placeSize:] {
		addr := ip6.WithInterfaceID(p.addresses.Prefix(), ip6.InterfaceID(value[:8]))
		rloc := mle.RLOC16(binary.BigEndian.Uint16(value[8:]))
		if rloc.Valid() && !p.addresses.Own(addr) && p.neighbors.Routers.IsAssigned(rloc.RouterID()) {
			p.resolver.Hear(addr, rloc, p.Now.Add(-time.Duration(value[10])*placeUnit), rloc == from)
		}
	}
}
