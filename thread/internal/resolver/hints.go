package resolver

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// A Tail is the end of an address, 32 bits of its interface identifier: enough to tell the ML-EIDs of a mesh apart, which are random. Two of a
// thousand nodes have the same one in one mesh of ten thousand; then a datagram goes astray, which its sender is told.
type Tail uint32

// TailOf returns the tail of an address.
func TailOf(a netip.Addr) Tail {
	b := a.As16()
	return Tail(binary.BigEndian.Uint32(b[12:]))
}

// Hints are places of which neighbors have told, of addresses that nobody here has used yet.
type Hints struct {
	entries []hint
}

type hint struct {
	tail Tail
	rloc mle.RLOC16
	said time.Time // when the owner was there
	told uint8     // how often neighbors were told of it
}

// maxHints bounds their number.
const maxHints = 128

// Put takes a neighbor's word. What is known from later on counts for more, unless the neighbor is that node itself, which first says. Where
// there is no place the one is forgotten that was heard of longest ago.
func (h *Hints) Put(t Tail, rloc mle.RLOC16, said time.Time, first bool) {
	i := h.index(t)
	switch {
	case i < 0 && len(h.entries) < maxHints:
		h.entries = append(h.entries, hint{t, rloc, said, 0})
	case i < 0:
		oldest := 0
		for k := range h.entries {
			if h.entries[k].said.Before(h.entries[oldest].said) {
				oldest = k
			}
		}
		h.entries[oldest] = hint{t, rloc, said, 0}
	case !first && !said.After(h.entries[i].said.Add(sameSaying)):
	case h.entries[i].rloc != rloc:
		h.entries[i] = hint{t, rloc, said, 0}
	default:
		h.entries[i].said = said
	}
}

func (h *Hints) index(t Tail) int {
	return slices.IndexFunc(h.entries, func(e hint) bool { return e.tail == t })
}

// Take returns a hint, and forgets it.
func (h *Hints) Take(t Tail) (rloc mle.RLOC16, said time.Time, ok bool) {
	i := h.index(t)
	if i < 0 {
		return 0, time.Time{}, false
	}
	e := h.entries[i]
	h.entries = slices.Delete(h.entries, i, i+1)
	return e.rloc, e.said, true
}

// Occupied reports whether there is one of a place.
func (h *Hints) Occupied(rloc mle.RLOC16) bool {
	return slices.ContainsFunc(h.entries, func(e hint) bool { return e.rloc == rloc })
}

// Untold returns how many there are of which Tell has something to tell.
func (h *Hints) Untold() (n int) {
	for i := range h.entries {
		if h.entries[i].told < maxTold {
			n++
		}
	}
	return n
}

// Tell yields what the neighbors are to hear, the least told first, as Resolver.Tell does.
func (h *Hints) Tell(now time.Time, yield func(t Tail, rloc mle.RLOC16, age time.Duration) bool) {
	var done [maxHints]bool
	for told := range uint8(maxTold) {
		for i := range h.entries {
			e := &h.entries[i]
			if e.told != told || done[i] {
				continue
			}
			if !yield(e.tail, e.rloc, now.Sub(e.said)) {
				return
			}
			e.told++
			done[i] = true
		}
	}
}

// Clear forgets all.
func (h *Hints) Clear() { h.entries = nil }
