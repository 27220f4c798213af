package netif

import (
	"hash/maphash"
	"slices"
)

// maxGiven is how many packets that the host was given are remembered. A kernel that routes one back does so at once, so that few come between.
const maxGiven = 64

// given remembers the latest packets that the host was given, to know one that it gives back: its routes lead into the mesh what the mesh has
// handed out, or what is for an address that it does not have. Such a packet would go round until its hop limit is used up.
type given struct {
	seed maphash.Seed
	sums [maxGiven]uint64
	next int
}

func newGiven() given { return given{seed: maphash.MakeSeed()} }

// hopLimitOffset is where the one byte of a packet is that a kernel changes which forwards it (RFC 8200 §3).
const hopLimitOffset = 7

func (g *given) sum(b []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	_, _ = h.Write(b[:hopLimitOffset])
	_, _ = h.Write(b[hopLimitOffset+1:])
	return h.Sum64()
}

// note remembers a packet, which is a whole IPv6 datagram.
func (g *given) note(b []byte) {
	g.sums[g.next] = g.sum(b)
	g.next = (g.next + 1) % maxGiven
}

// back reports whether a packet is one of those.
func (g *given) back(b []byte) bool {
	return slices.Contains(g.sums[:], g.sum(b))
}
