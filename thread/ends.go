package thread

import (
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// ends leaves the ML-EIDs out of frames whose receiver can find them again, see [lowpan.Ends]: its own, and that of the sender, if it has
// sent to this node before. It tells by the checksum whether it has found the right ones; if not it says so, and the datagram is sent again with
// both addresses.
//
//	datagram to a known node ─► frame without its ML-EID ─► its own, checksum right ─► up
//	                                                     └► wrong ─► Destination Unreachable ─► sent again
//
// It is only done where all nodes have this engine, see quiet.
type ends struct {
	*self
	neighbors *neighbors.Table
	addresses *addresses.Table
	resolver  *resolver.Resolver
	quiet     *quiet

	srcs, dsts []netip.Addr // to choose from
}

// of returns what a datagram may leave out whose destination has been located.
func (e *ends) of(src, dst netip.Addr) lowpan.Ends {
	if !e.quiet.now() || !e.addresses.Prefix().Contains(dst) {
		return lowpan.Ends{}
	}
	left := lowpan.Ends{}
	left.Src, left.Dst = e.resolver.Brief(dst, e.rloc)
	left.Src = left.Src && src == e.addresses.EID()
	return left
}

// restore puts into a datagram what its frame has left out. It reports false if that cannot be found.
func (e *ends) restore(datagram []byte, left lowpan.Ends, r *received) bool {
	e.srcs, e.dsts = e.at(e.srcs[:0], r.src), e.at(e.dsts[:0], r.dst)
	return r.secured && left.Restore(datagram, e.srcs, e.dsts)
}

// at appends the addresses that may have been left out: those of the node at a place. A minimal child is at its parent's place, or at its own.
func (e *ends) at(list []netip.Addr, place ieee802154.Addr) []netip.Addr {
	rloc, prefix := mle.RLOC16(place.Short), e.addresses.Prefix()
	if rloc == e.rloc {
		list = e.addresses.AppendMeshLocal(list)
	}
	for c := range e.neighbors.Children.Established() {
		if c.FullThreadDevice() || rloc != e.rloc && rloc != c.RLOC16 {
			continue
		}
		for _, a := range c.Addresses {
			if prefix.Contains(a) {
				list = append(list, a)
			}
		}
	}
	for a := range e.resolver.At(rloc) {
		if prefix.Contains(a) {
			list = append(list, a)
		}
	}
	return list
}
