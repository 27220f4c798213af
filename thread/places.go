package thread

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
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
	routes    *routes

	hints    resolver.Hints
	told     uint8 // how often this node told of itself
	toldRLOC mle.RLOC16
	toldEID  netip.Addr
	again    time.Time // when there may be another message for places alone
}

const (
	// placeSize is the size of one place in the TLV: the tail of an ML-EID, an RLOC16, and how long ago the node was there.
	placeSize = 4 + 2 + 1
	// placeUnit is the unit of that time; placeOldest is the longest, which stands for itself and all longer ones.
	placeUnit, placeOldest = 2 * time.Second, 255
	// placesTold is how often a node tells of itself.
	placesTold = 3
	// backlog is how many places must wait to be told for a message of their own, and placesPause the time between two of those, up to twice that,
	// in times of the longest frame.
	backlog, placesPause = 3, 24
	// maxAdvertisement is how long an Advertisement may be, its command and its TLVs, to need no fragments.
	maxAdvertisement = 85
)

// roomFor returns how many items of a size fit into another TLV of an Advertisement.
func roomFor(b []byte, size int) int {
	const mark, header = 3, 2
	return (maxAdvertisement - len(b) - mark - header) / size
}

// append adds what there is to tell to an Advertisement.
func (p *places) append(b []byte) []byte {
	room := roomFor(b, placeSize)
	if p.timing.AdvertiseQuiet == 0 || room <= 0 {
		return b
	}
	value := make([]byte, 0, maxAdvertisement)
	add := func(t resolver.Tail, rloc mle.RLOC16, age time.Duration) bool {
		if len(value)/placeSize >= room {
			return false
		}
		value = binary.BigEndian.AppendUint32(value, uint32(t))
		value = binary.BigEndian.AppendUint16(value, uint16(rloc))
		value = append(value, byte(min((age+placeUnit-1)/placeUnit, placeOldest)))
		return true
	}
	if p.toldRLOC != p.rloc || p.toldEID != p.addresses.EID() {
		p.told, p.toldRLOC, p.toldEID = 0, p.rloc, p.addresses.EID()
	}
	if p.told < placesTold && p.toldEID.IsValid() && add(resolver.TailOf(p.toldEID), p.rloc, 0) {
		p.told++
	}
	p.resolver.Tell(func(target netip.Addr, rloc mle.RLOC16, age time.Duration) bool {
		return !p.addresses.Prefix().Contains(target) || add(resolver.TailOf(target), rloc, age)
	})
	p.hints.Tell(p.Now, add)
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
		t, rloc := resolver.Tail(binary.BigEndian.Uint32(value)), mle.RLOC16(binary.BigEndian.Uint16(value[4:]))
		said, first := p.Now.Add(-time.Duration(value[6])*placeUnit), rloc == from
		if !p.assigned(rloc) || t == resolver.TailOf(p.addresses.EID()) {
			continue
		}
		if target, ok := p.resolver.Known(t, p.addresses.Prefix()); ok {
			p.resolver.Hear(target, rloc, said, first)
		} else {
			p.hints.Put(t, rloc, said, first)
		}
	}
}

// assigned reports whether a place is there: it is below a router of the partition.
func (p *places) assigned(rloc mle.RLOC16) bool {
	return rloc.Valid() && p.neighbors.Routers.IsAssigned(rloc.RouterID())
}

// recall has the resolver know a target of which a neighbor has told.
func (p *places) recall(target netip.Addr) {
	if p.resolver.Has(target) || !p.addresses.Prefix().Contains(target) {
		return
	}
	if rloc, said, ok := p.hints.Take(resolver.TailOf(target)); ok && p.assigned(rloc) {
		p.resolver.Hear(target, rloc, said, false)
	}
}

// untold returns how many places are to be told.
func (p *places) untold() int { return p.resolver.Untold() + p.hints.Untold() }

// pace tells of places, and of children, apart from Advertisements where many are waiting, and nothing else is new: where partitions meet there is
// more to do.
func (p *places) pace() {
	r := p.routes
	alone := r.foreign.IsZero() || p.AgeOf(r.foreign) >= p.timing.NetworkIDTimeout
	calm := alone && r.advertise.Interval() >= p.timing.AdvertiseMax
	if !calm || !r.quiet.possible() || !p.isRouter() || p.full() || p.Now.Before(p.again) || p.untold() < backlog && r.mle.shortcuts.untold() < backlog {
		return
	}
	r.sendPlaces()
	pause := placesPause * p.timing.FrameTime
	p.again = p.Now.Add(pause + p.RandomUpTo(pause))
}
