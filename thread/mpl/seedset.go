package mpl

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// What Thread nodes use.
const (
	// DefaultSeeds is the number of seeds that a [SeedSet] knows at a time.
	DefaultSeeds = 32
	// DefaultSeedLifetime is how long a seed is known after its last new datagram.
	DefaultSeedLifetime = 5 * time.Second
	// lateNumbers is how many sequence numbers, the latest and those before it, are old while [SeedSet.Late] lasts.
	lateNumbers = 8
)

// SeedID identifies a seed. In Thread it is the RLOC16 of the node that put a datagram into the mesh.
type SeedID uint16

// String returns the identifier in hexadecimal, as an RLOC16 is written.
func (s SeedID) String() string { return fmt.Sprintf("0x%04x", uint16(s)) }

// SeedOf returns the seed of a datagram with option opt and IPv6 source src, from which an elided identifier is taken:
// its last 16 bits, for it is the seed's RLOC. The longer identifiers, which Thread does not use, are not ok.
func SeedOf(opt ip6.MPLOption, src netip.Addr) (id SeedID, ok bool) {
	switch opt.SeedIDLength {
	case ip6.SeedIDElided:
		b := src.As16()
		return SeedID(binary.BigEndian.Uint16(b[len(b)-2:])), true
	case ip6.SeedID16:
		return SeedID(opt.SeedID16()), true
	default:
		return 0, false
	}
}

// OptionFor returns the option for datagram number sequence of the node seed, sent from src. The identifier is elided if
// src is rloc, the node's RLOC, from which every receiver can tell it.
func OptionFor(seed SeedID, rloc, src netip.Addr, sequence uint8) ip6.MPLOption {
	opt := ip6.MPLOption{Sequence: sequence}
	if src != rloc {
		opt.SetSeedID16(uint16(seed))
	}
	return opt
}

// SeedSet is the set of seeds of which datagrams came lately, with the latest sequence number of each (RFC 7731 §7.3,
// where it is the Seed Set). It needs no timeouts.
type SeedSet struct {
	// Late is for how long after its life a seed's last few datagrams are old still. Others are new: a node that begins anew after a restart
	// counts from another number on. Zero is for no longer.
	Late time.Duration

	seeds    []seed
	lifetime time.Duration
}

type seed struct {
	id      SeedID
	latest  uint8
	expires time.Time // the zero time if the place is free
}

// NewSeedSet returns an empty set for a number of seeds, each of which is forgotten when nothing new came of it for
// lifetime, or when it is the one of which that is true for the longest and another one needs its place.
func NewSeedSet(seeds int, lifetime time.Duration) *SeedSet {
	return &SeedSet{seeds: make([]seed, max(seeds, 0)), lifetime: lifetime}
}

// Accept reports whether a datagram is new, and notes it. It is not new if its sequence number is not ahead of the
// latest one of its seed by less than half the number space (RFC 7731 §8, RFC 1982). Of an unknown seed every
// datagram is new.
//
// Deviation: stock drops the datagrams of new seeds while the set is full, address queries first of all. Here the seed heard of
// longest ago gives way: a datagram of it that comes once more is new then, for as many hops as it has left.
func (s *SeedSet) Accept(now time.Time, id SeedID, sequence uint8) bool {
	var place *seed
	for i := range s.seeds {
		e := &s.seeds[i]
		if e.id == id && !e.expires.IsZero() {
			if s.isOld(now, e, sequence) {
				return false
			}
			place = e
			break
		}
		if place == nil || e.expires.Before(place.expires) {
			place = e
		}
	}
	if place == nil {
		return false // a set without places
	}
	*place = seed{id: id, latest: sequence, expires: now.Add(s.lifetime)}
	return true
}

// isOld reports whether a datagram of a seed came before.
func (s *SeedSet) isOld(now time.Time, e *seed, sequence uint8) bool {
	if now.Before(e.expires) {
		return !newer(sequence, e.latest)
	}
	return now.Before(e.expires.Add(s.Late)) && e.latest-sequence < lateNumbers
}

// newer compares sequence numbers in the sense of RFC 1982.
func newer(a, b uint8) bool { return int8(a-b) > 0 }
