package mpl

import (
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// ErrTooLong means that a multicast exceeds [ip6.MinMTU] with what MPL adds to it: 8 bytes if its scope is realm-local,
// 48 if it is wider.
var ErrTooLong = errors.New("mpl: too long with the MPL option")

// What this implementation chose.
const (
	// sequenceAhead is how far ahead of use the sequence is stored. A node that began anew after a restart would not be
	// heard: its neighbors take its multicasts for old ones as long as they remember it. Less than half of the number
	// space.
	sequenceAhead = 64
	// tunnelHopLimit is the hop limit of a tunnel's outer header.
	tunnelHopLimit = 64
)

// Config holds the parameters of a [Domain].
type Config struct {
	Interval     time.Duration // in which a datagram is sent once
	SeedLifetime time.Duration // how long a seed is known after its last new datagram
	SeedLate     time.Duration // see [SeedSet]
	Seeds        int           // how many seeds are known at a time
	Datagrams    int           // how many datagrams may be buffered
	Redundancy   int           // see [BufferConfig]

	// Hops returns how many hops a datagram of another node's has left at most when this one sends it on; 0 for no bound. Nil for never a bound.
	Hops func() uint8
	// Reserve is called when the sequence has reached the stored limit. It is to store [Domain.Limit] and to say so with
	// [Domain.Stored]. If it fails the datagram is sent all the same, and Reserve is called for the next one again.
	Reserve func() bool
}

// Domain is a node's part in the MPL domain that is the mesh (RFC 7731):
//
//	multicast of the node's own                    datagram from a neighbor
//	             │ Originate                                  │ Accept
//	             ▼                                            ▼
//	option; in a tunnel if the scope                 new to the SeedSet? ── no ──► false
//	is wider than realm-local                                 │ yes: true
//	             │                                            ▼ if it is to be forwarded
//	             ├───────────────────► Buffer ◄───────────────┘
//	             ▼                       │ at its time
//	       broadcast now                 ▼ Poll
//	                               broadcast again
//
// Call [Domain.Poll] at the time that [Domain.NextTimeout] returns.
//
// The sequence numbers of the node's own datagrams go on after a restart. What is stored is a limit that they have not
// reached yet:
//
//	            Originate: one more          at the stored limit
//	Restore ─► sequence ───────────► sequence ─────────────────► Reserve: stores Limit, calls Stored
type Domain struct {
	seeds   *SeedSet
	buffer  *Buffer
	hops    func() uint8
	reserve func() bool

	next   uint8 // sequence number of the next datagram
	stored uint8 // the limit that is stored
	out    []byte
}

// NewDomain returns a Domain that draws from r. It buffers nothing until [Domain.SetExpirations]. Its sequence begins at
// 0, of which nothing is stored.
func NewDomain(r *rand.Rand, c Config) *Domain {
	seeds := NewSeedSet(c.Seeds, c.SeedLifetime)
	seeds.Late = c.SeedLate
	return &Domain{
		seeds:   seeds,
		buffer:  NewBuffer(r, BufferConfig{Interval: c.Interval, Expirations: ChildExpirations, Datagrams: c.Datagrams, Redundancy: c.Redundancy}),
		hops:    c.Hops,
		reserve: c.Reserve,
	}
}

// Originate puts a multicast of the node's own, of realm-local scope or wider, into the mesh: it returns what is to be
// broadcast now, and buffers it to be repeated. seed and rloc are the node's RLOC16 and RLOC. What has a scope wider than
// realm-local is tunnelled to all forwarders from tunnelSrc, the node's ML-EID.
//
// Errors are [ErrTooLong] and those of package ip6. datagram is not kept; out is valid until the next call.
func (d *Domain) Originate(now time.Time, datagram []byte, seed SeedID, rloc, tunnelSrc netip.Addr) (out []byte, err error) {
	h, err := ip6.ParseHeader(datagram)
	if err != nil {
		return nil, err
	}
	sequence := d.take()
	if ip6.ScopeOf(h.Dst) == ip6.ScopeRealmLocal {
		d.out, err = ip6.InsertMPLOption(d.out[:0], datagram, OptionFor(seed, rloc, h.Src, sequence))
	} else {
		outer := ip6.Header{HopLimit: tunnelHopLimit, Src: tunnelSrc, Dst: ip6.AllMPLForwarders}
		d.out, err = ip6.AppendTunnel(d.out[:0], outer, OptionFor(seed, rloc, tunnelSrc, sequence), datagram)
	}
	switch {
	case err != nil:
		return nil, err
	case len(d.out) > ip6.MinMTU:
		return nil, ErrTooLong
	}
	d.seeds.Accept(now, seed, sequence) // its own datagram coming back is not new
	d.buffer.Originate(now, d.out, seed, sequence)
	return d.out, nil
}

// take returns the next sequence number and uses it up.
func (d *Domain) take() uint8 {
	if d.next == d.stored || newer(d.next, d.stored) {
		d.reserve()
	}
	d.next++
	return d.next - 1
}

// Accept reports whether a datagram with option opt and source src that came from a neighbor is new: see
// [SeedSet.Accept]. If it is and forward is true, as on a router, it is buffered: see [Buffer.Forward].
func (d *Domain) Accept(now time.Time, datagram []byte, opt ip6.MPLOption, src netip.Addr, forward bool) bool {
	seed, ok := SeedOf(opt, src)
	if !ok {
		return false
	}
	if !d.seeds.Accept(now, seed, opt.Sequence) {
		d.buffer.Hear(seed, opt.Sequence)
		return false
	}
	if forward {
		d.buffer.Forward(now, d.limited(datagram), seed, opt.Sequence)
	}
	return true
}

// limited is a datagram with the hop limit with which it is to be sent on, and one more.
func (d *Domain) limited(datagram []byte) []byte {
	if d.hops == nil || len(datagram) < ip6.HeaderSize {
		return datagram
	}
	if most := d.hops(); most > 0 {
		d.out = append(d.out[:0], datagram...)
		ip6.LimitHops(d.out, min(most, math.MaxUint8-1)+1)
		return d.out
	}
	return datagram
}

// Withdraw has a datagram that was accepted not be sent any more.
func (d *Domain) Withdraw(opt ip6.MPLOption, src netip.Addr) {
	if seed, ok := SeedOf(opt, src); ok {
		d.buffer.Withdraw(seed, opt.Sequence)
	}
}

// SetExpirations sets how often a datagram is sent in all, see [Buffer.SetExpirations].
func (d *Domain) SetExpirations(n int) { d.buffer.SetExpirations(n) }

// NextTimeout returns when [Domain.Poll] is to be called, if at all.
func (d *Domain) NextTimeout() (t time.Time, ok bool) { return d.buffer.NextTimeout() }

// Poll returns a datagram to be broadcast now, if there is one, see [Buffer.Poll].
func (d *Domain) Poll(now time.Time) (datagram []byte, ok bool) { return d.buffer.Poll(now) }

// Len returns how many datagrams are buffered.
func (d *Domain) Len() int { return d.buffer.Len() }

// Reset drops the buffered datagrams. Seeds stay known, and the sequence goes on.
func (d *Domain) Reset() { d.buffer.Reset() }

// Limit returns the limit to store: sequence numbers before it, in the sense of RFC 1982, may be used from then on.
func (d *Domain) Limit() uint8 { return d.next + sequenceAhead }

// Stored says that a limit is stored.
func (d *Domain) Stored(limit uint8) { d.stored = limit }

// Restore goes on from a limit that was stored: sequence numbers before it may have been used.
func (d *Domain) Restore(limit uint8) { d.next, d.stored = limit, limit }
