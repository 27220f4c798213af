package thread

import (
	"iter"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/ip6"
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
	h, err := ip6.ParseHeader(datagram)
	if err != nil || !r.secured || !ip6.HasChecksum(h.NextHeader) {
		return false
	}
	payload := datagram[ip6.HeaderSize:]
	for dst := range e.candidates(h.Dst, left.Dst, r.dst) {
		for src := range e.candidates(h.Src, left.Src, r.src) {
			if ip6.VerifyChecksum(src, dst, h.NextHeader, payload) == nil {
				ip6.SetAddresses(datagram, src, dst)
				return true
			}
		}
	}
	return false
}

// candidates yields the address that a datagram has, or those which may have been left out: of the node at a place.
func (e *ends) candidates(has netip.Addr, left bool, at ieee802154.Addr) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if !left {
			yield(has)
			return
		}
		rloc := mle.RLOC16(at.Short)
		if rloc == e.rloc && !e.addresses.MeshLocal(yield) {
			return
		}
		for c := range e.neighbors.Children.Established() { // a minimal child is at its parent's place, or at its own
			if c.FullThreadDevice() || rloc != e.rloc && rloc != c.RLOC16 {
				continue
			}
			for _, a := range c.Addresses {
				if e.addresses.Prefix().Contains(a) && !yield(a) {
					return
				}
			}
		}
		for a := range e.resolver.At(rloc) {
			if e.addresses.Prefix().Contains(a) && !yield(a) {
				return
			}
		}
	}
}
