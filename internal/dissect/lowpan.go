package dissect

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// Ours: how many hops and datagrams on each are followed at a time.
const (
	maxHops            = 256
	maxDatagramsPerHop = 8
)

// reassemblyTime is the longest that RFC 4944 §5.3 allows: 11 LoRa packets of 5 s each are one datagram.
const reassemblyTime = time.Minute

// lowpan reads the 6LoWPAN headers in front of payload and returns the datagram, if it is complete.
func (d *Dissector) lowpan(f *Frame, payload []byte) []byte {
	if lowpan.DispatchOf(payload) == lowpan.DispatchMesh {
		h, size, err := lowpan.ParseMeshHeader(payload)
		if err != nil {
			f.fail(err)
			return nil
		}
		f.Mesh = &h
		payload = payload[size:]
	}
	switch lowpan.DispatchOf(payload) {
	case lowpan.DispatchIPHC:
		d.decompress(f, payload)
	case lowpan.DispatchFirstFragment, lowpan.DispatchSubsequentFragment:
		d.fragment(f, payload)
	default:
		f.fail(lowpan.ErrUnsupported)
	}
	return f.Datagram
}

func (d *Dissector) fragment(f *Frame, b []byte) {
	h, err := lowpan.ParseFragmentHeader(b)
	if err != nil {
		f.fail(err)
		return
	}
	f.Fragment = &Fragment{FragmentHeader: h, Bytes: len(b) - h.Size()}
	if f.MAC.Repeat {
		return
	}
	r := d.fragments.of(hop{f.MAC.Src, f.MAC.Dst})
	if r == nil {
		f.fail(ErrFragments)
		return
	}
	src, dst := f.linkLayer()
	origin := lowpan.Origin{Src: src, Dst: dst, Security: uint8(f.MAC.Security.Level)}
	datagram, err := r.HandleFragment(f.Time, origin, b, &d.contexts)
	if err != nil {
		f.fail(err)
		return
	}
	f.Fragment.Completes = datagram != nil
	f.Datagram = slices.Clone(datagram)
}

// hop is the way of a frame from one node to the next.
type hop struct{ src, dst ieee802154.Addr }

// fragments are the incomplete datagrams, for each hop on its own: a datagram that several nodes pass on is heard as often
// under the same tag.
type fragments struct {
	hops    map[hop]*lowpan.Reassembler
	givenUp uint64
}

// of returns the reassembler of a hop, or nil if there are too many hops.
func (s *fragments) of(h hop) *lowpan.Reassembler {
	r := s.hops[h]
	if r == nil && len(s.hops) < maxHops {
		r = lowpan.NewReassembler(lowpan.Limits{Datagrams: maxDatagramsPerHop, Timeout: reassemblyTime})
		s.hops[h] = r
	}
	return r
}

// expire gives up what has waited for too long, and forgets hops on which nothing waits.
func (s *fragments) expire(now time.Time) {
	for h, r := range s.hops {
		if r.HandleTimeout(now); r.Len() == 0 {
			s.givenUp += r.Dropped()
			delete(s.hops, h)
		}
	}
}

func (s *fragments) incomplete() uint64 {
	n := s.givenUp
	for _, r := range s.hops {
		n += r.Dropped() + uint64(r.Len())
	}
	return n
}
