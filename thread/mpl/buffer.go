package mpl

import (
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// What Thread nodes use.
const (
	// DefaultInterval is the length of the interval in which a datagram is sent once (DATA_MESSAGE_IMIN and IMAX,
	// RFC 7731 §5.4).
	DefaultInterval = 64 * time.Millisecond
	// RouterExpirations is how often a router sends a datagram (DATA_MESSAGE_TIMER_EXPIRATIONS, RFC 7731 §5.4).
	RouterExpirations = 2
	// ChildExpirations is how often an end device sends another node's datagram: it does not forward.
	ChildExpirations = 0
)

// BufferConfig holds the parameters of a [Buffer].
type BufferConfig struct {
	Interval    time.Duration // in which a datagram is sent once
	Expirations int           // see [Buffer.SetExpirations]
	Datagrams   int           // how many datagrams may be buffered; there is at most one of each seed
	// Redundancy is the number of copies heard from neighbors within an interval that make this node's own needless (RFC 6206 §4.2,
	// k). Zero is none.
	Redundancy int
}

// Buffer is the set of datagrams that are still to be sent (RFC 7731 §7.4, where it is the Buffered Message Set). Call
// [Buffer.Poll] at the time that [Buffer.NextTimeout] returns.
type Buffer struct {
	config   BufferConfig
	rand     *rand.Rand
	messages []message // free places among them
	first    *message  // that is due first, nil if there is none: NextTimeout is asked far more often than anything changes
}

// message is a buffered datagram, or a place for one.
type message struct {
	inUse    bool
	seed     SeedID
	sequence uint8
	sent     int           // transmissions so far
	heard    int           // copies from neighbors in the present interval
	due      time.Time     // of the next transmission
	rest     time.Duration // of the interval that due is in
	datagram []byte
}

// NewBuffer returns an empty Buffer that draws from r.
func NewBuffer(r *rand.Rand, c BufferConfig) *Buffer {
	return &Buffer{config: c, rand: r, messages: make([]message, max(c.Datagrams, 0))}
}

// SetExpirations sets how often a datagram is sent in all: [RouterExpirations] or [ChildExpirations]. Datagrams that were
// sent so often already are dropped.
func (b *Buffer) SetExpirations(n int) {
	b.config.Expirations = n
	for i := range b.messages {
		if m := &b.messages[i]; m.sent >= n {
			m.inUse = false
		}
	}
	b.findFirst()
}

// Forward buffers a copy of a datagram that came from a neighbor and is new to the [SeedSet]. Its hop limit is one less
// (RFC 8200 §3); a datagram whose hop limit is used up is not forwarded. An older datagram of the same seed is dropped.
//
// It reports whether the datagram will be sent: not if there is no place for it, or the node does not forward.
func (b *Buffer) Forward(now time.Time, datagram []byte, id SeedID, sequence uint8) bool {
	b.supersede(id, sequence)
	if h, err := ip6.ParseHeader(datagram); err != nil || h.HopLimit <= 1 {
		return false
	}
	m := b.add(now, datagram, id, sequence, 0)
	if m == nil {
		return false
	}
	return ip6.DecrementHopLimit(m.datagram)
}

// Originate buffers a copy of a datagram of the node's own, which the caller sends at once: that counts as the first
// transmission. An older datagram of the node is dropped. It reports whether the datagram will be sent again.
func (b *Buffer) Originate(now time.Time, datagram []byte, id SeedID, sequence uint8) bool {
	b.supersede(id, sequence)
	return b.add(now, datagram, id, sequence, 1) != nil
}

// NextTimeout returns when [Buffer.Poll] is to be called, if at all.
func (b *Buffer) NextTimeout() (t time.Time, ok bool) {
	if b.first == nil {
		return time.Time{}, false
	}
	return b.first.due, true
}

// Poll returns a datagram to be broadcast now, if there is one. It is valid until the next call of a method that changes
// the buffer. Call Poll until it returns none.
func (b *Buffer) Poll(now time.Time) (datagram []byte, ok bool) {
	m := b.first
	if m == nil || now.Before(m.due) {
		return nil, false
	}
	needless := b.needless(m)
	m.sent++
	if m.sent < b.config.Expirations {
		b.schedule(m, now.Add(m.rest))
	} else {
		m.inUse = false
	}
	b.findFirst()
	if needless {
		return b.Poll(now)
	}
	return m.datagram, true
}

// needless reports whether enough neighbors have sent a datagram in the present interval for this node to leave it out.
//
// Deviation: RFC 6206 §4.2 has one number for all intervals. Once this node has sent the datagram, one copy from a neighbor is enough: it
// says that the datagram has gone on, as an acknowledgement would.
func (b *Buffer) needless(m *message) bool {
	k := b.config.Redundancy
	if m.sent > 0 {
		k = min(k, 1)
	}
	return k > 0 && m.heard >= k
}

// Hear notes that a neighbor has sent a datagram that is not new here.
func (b *Buffer) Hear(id SeedID, sequence uint8) {
	for i := range b.messages {
		if m := &b.messages[i]; m.inUse && m.seed == id && m.sequence == sequence {
			m.heard++
		}
	}
}

// Withdraw drops a datagram.
func (b *Buffer) Withdraw(id SeedID, sequence uint8) {
	for i := range b.messages {
		if m := &b.messages[i]; m.seed == id && m.sequence == sequence {
			m.inUse = false
		}
	}
	b.findFirst()
}

// Reset drops all datagrams.
func (b *Buffer) Reset() {
	for i := range b.messages {
		b.messages[i].inUse = false
	}
	b.first = nil
}

// Len returns how many datagrams are buffered.
func (b *Buffer) Len() int {
	n := 0
	for i := range b.messages {
		if b.messages[i].inUse {
			n++
		}
	}
	return n
}

// supersede drops the seed's datagram if the one with the given sequence number is newer.
func (b *Buffer) supersede(id SeedID, sequence uint8) {
	for i := range b.messages {
		if m := &b.messages[i]; m.inUse && m.seed == id && newer(sequence, m.sequence) {
			m.inUse = false
		}
	}
	b.findFirst()
}

func (b *Buffer) add(now time.Time, datagram []byte, id SeedID, sequence uint8, sent int) *message {
	if sent >= b.config.Expirations || len(datagram) > ip6.MinMTU {
		return nil
	}
	m := b.place()
	if m == nil {
		return nil
	}
	*m = message{inUse: true, seed: id, sequence: sequence, sent: sent, datagram: append(m.datagram[:0], datagram...)}
	b.schedule(m, now)
	b.findFirst()
	return m
}

// schedule sets the next transmission to a random point of the interval that begins at start (RFC 6206 §4.2, but with
// the whole interval to choose from: RFC 7731 §5.4).
func (b *Buffer) schedule(m *message, start time.Time) {
	var t time.Duration
	if b.config.Interval > 0 {
		t = time.Duration(b.rand.Int64N(int64(b.config.Interval)))
	}
	m.due, m.heard = start.Add(t), 0
	m.rest = b.config.Interval - t
}

// place returns a free place, or nil.
func (b *Buffer) place() *message {
	for i := range b.messages {
		if !b.messages[i].inUse {
			return &b.messages[i]
		}
	}
	return nil
}

// findFirst finds the datagram that is due first, after any change.
func (b *Buffer) findFirst() {
	b.first = nil
	for i := range b.messages {
		if m := &b.messages[i]; m.inUse && (b.first == nil || m.due.Before(b.first.due)) {
			b.first = m
		}
	}
}
