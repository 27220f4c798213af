package lowpan

import (
	"bytes"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// Origin tells from where a fragment came and how. Fragments belong to one datagram only if their origins are equal.
type Origin struct {
	// Src and Dst are the addresses of the frame, or of its mesh header where there is one.
	Src, Dst ieee802154.Addr
	// Security is how the frame was secured, as the caller numbers it, and 0 if it was not. So nobody who lacks the
	// key can add to a datagram whose other fragments were secured.
	Security uint8
}

// Limits are the limits of a [Reassembler].
type Limits struct {
	// Datagrams is how many datagrams may be incomplete at a time. Each takes up to MaxDatagramSize bytes, which are
	// kept for the next ones.
	Datagrams int
	// Timeout is how long a datagram may stay incomplete, counted from its first fragment to arrive. RFC 4944 §5.3
	// asks for 60 s at most.
	Timeout time.Duration
}

// Reassembler puts datagrams together from fragments (RFC 4944 §5.3), in whatever order they arrive.
//
// Call [Reassembler.HandleFragment] for each fragment, and [Reassembler.HandleTimeout] at the time that
// [Reassembler.NextTimeout] returns.
type Reassembler struct {
	limits  Limits
	slots   []slot
	open    int // slots that are in use
	dropped uint64
	scratch [MaxDatagramSize]byte // the first fragment's decompressed part
}

// key identifies a datagram (RFC 4944 §5.3).
type key struct {
	origin Origin
	size   uint16
	tag    uint16
}

const (
	maxUnits = (MaxDatagramSize + fragUnit - 1) / fragUnit
	wordBits = 64
)

// slot is an incomplete datagram, or a place for one.
type slot struct {
	key      key
	inUse    bool
	done     bool // complete, and still known until deadline or until the slot is used again
	deadline time.Time
	missing  int                                          // bytes
	present  [(maxUnits + wordBits - 1) / wordBits]uint64 // a bit for every 8 bytes of data
	data     []byte                                       // MaxDatagramSize bytes
}

// NewReassembler returns a Reassembler without datagrams.
func NewReassembler(limits Limits) *Reassembler {
	return &Reassembler{limits: limits}
}

// HandleFragment takes in the fragment that frame is, from its fragment header on. When it completes its datagram, that
// is returned: it stays valid until the next call of HandleFragment. Otherwise datagram is nil.
//
// A fragment that says something else than an earlier one about the same bytes starts its datagram afresh: so it is when
// a sender uses a tag again (RFC 4944 §5.3). A fragment that fails with an error changes nothing.
//
// One that repeats what the last datagrams had, which are complete, fails with [ErrRepeated]: it begins no datagram that never becomes whole.
//
// A new datagram that finds no place drives out the oldest one, of those without security first. One without security
// never drives out one with security: it fails with [ErrFull]. Whoever has half of the places drives out its own.
func (r *Reassembler) HandleFragment(now time.Time, o Origin, frame []byte, ctx *Contexts) (datagram []byte, err error) {
	h, err := ParseFragmentHeader(frame)
	if err != nil {
		return nil, err
	}
	part := frame[h.Size():]
	if h.Offset == 0 {
		if part, err = r.decompress(part, o, ctx, int(h.DatagramSize)); err != nil {
			return nil, err
		}
	}
	offset, size := int(h.Offset), int(h.DatagramSize)
	end := offset + len(part)
	if len(part) == 0 || end > size || end < size && len(part)%fragUnit != 0 {
		return nil, ErrMalformed
	}

	k := key{origin: o, size: h.DatagramSize, tag: h.Tag}
	s := r.find(now, k)
	if s == nil {
		if s = r.place(o); s == nil {
			return nil, ErrFull
		}
		r.begin(s, k, now)
	} else if s.contradicts(offset, part) {
		if s.inUse {
			r.drop(s)
		}
		r.begin(s, k, now)
	}
	if s.done {
		return nil, ErrRepeated
	}
	s.add(offset, part)
	if s.missing > 0 {
		return nil, nil
	}
	s.inUse, s.done = false, true
	r.open--
	return s.data[:size], nil
}

// decompress returns what a first fragment says about the datagram. It is valid until the next call.
func (r *Reassembler) decompress(frame []byte, o Origin, ctx *Contexts, datagramSize int) ([]byte, error) {
	headers, consumed, err := Decompress(r.scratch[:0], frame, o.Src, o.Dst, ctx, datagramSize)
	if err != nil {
		return nil, err
	}
	return append(headers, frame[consumed:]...), nil
}

// NextTimeout returns when [Reassembler.HandleTimeout] is to be called, if at all.
func (r *Reassembler) NextTimeout() (t time.Time, ok bool) {
	if r.open == 0 {
		return t, false
	}
	for i := range r.slots {
		if s := &r.slots[i]; s.inUse && (!ok || s.deadline.Before(t)) {
			t, ok = s.deadline, true
		}
	}
	return t, ok
}

// HandleTimeout gives up the datagrams that stayed incomplete for too long.
func (r *Reassembler) HandleTimeout(now time.Time) {
	for i := range r.slots {
		if s := &r.slots[i]; s.inUse && !now.Before(s.deadline) {
			r.drop(s)
		}
	}
}

// Reset gives up all datagrams, and forgets those that are complete.
func (r *Reassembler) Reset() {
	for i := range r.slots {
		s := &r.slots[i]
		if s.inUse {
			r.drop(s)
		}
		s.done = false
	}
}

// Len returns how many datagrams are incomplete.
func (r *Reassembler) Len() int { return r.open }

// Dropped returns how many datagrams were given up so far, for whatever reason.
func (r *Reassembler) Dropped() uint64 { return r.dropped }

func (r *Reassembler) drop(s *slot) {
	s.inUse = false
	r.open--
	r.dropped++
}

// find returns the slot of a datagram, incomplete or complete, or nil.
func (r *Reassembler) find(now time.Time, k key) *slot {
	for i := range r.slots {
		if s := &r.slots[i]; s.key == k && (s.inUse || s.done && now.Before(s.deadline)) {
			return s
		}
	}
	return nil
}

// place returns the slot for a new datagram, or nil.
func (r *Reassembler) place(o Origin) *slot {
	var victim, free *slot
	for i := range r.slots {
		s := &r.slots[i]
		switch {
		case s.inUse && (victim == nil || s.yieldsBefore(victim)):
			victim = s
		case !s.inUse && (free == nil || s.deadline.Before(free.deadline)):
			free = s
		}
	}
	if free != nil {
		return free
	}
	if len(r.slots) < r.limits.Datagrams {
		r.slots = append(r.slots, slot{data: make([]byte, MaxDatagramSize)})
		return &r.slots[len(r.slots)-1]
	}
	if victim == nil || o.Security == 0 && victim.key.origin.Security != 0 {
		return nil
	}
	if own := r.oldestOf(o); own != nil && (victim.key.origin.Security != 0) == (o.Security != 0) {
		victim = own
	}
	r.drop(victim)
	return victim
}

// oldestOf returns the oldest datagram from an origin that has half of the places or more, else nil.
func (r *Reassembler) oldestOf(o Origin) *slot {
	var oldest *slot
	n := 0
	for i := range r.slots {
		s := &r.slots[i]
		if !s.inUse || s.key.origin != o {
			continue
		}
		n++
		if oldest == nil || s.deadline.Before(oldest.deadline) {
			oldest = s
		}
	}
	if 2*n < r.limits.Datagrams {
		return nil
	}
	return oldest
}

// yieldsBefore reports whether s is to be driven out rather than other.
func (s *slot) yieldsBefore(other *slot) bool {
	if secured := s.key.origin.Security != 0; secured != (other.key.origin.Security != 0) {
		return !secured
	}
	return s.deadline.Before(other.deadline)
}

// begin takes a slot that is not in use for a new datagram.
func (r *Reassembler) begin(s *slot, k key, now time.Time) {
	*s = slot{key: k, inUse: true, deadline: now.Add(r.limits.Timeout), missing: int(k.size), data: s.data}
	r.open++
}

// contradicts reports whether an earlier fragment had other bytes anywhere in part.
func (s *slot) contradicts(offset int, part []byte) bool {
	for at := 0; at < len(part); at += fragUnit {
		end := min(at+fragUnit, len(part))
		if s.has(offset+at) && !bytes.Equal(s.data[offset+at:offset+end], part[at:end]) {
			return true
		}
	}
	return false
}

func (s *slot) add(offset int, part []byte) {
	copy(s.data[offset:], part)
	for at := 0; at < len(part); at += fragUnit {
		if !s.has(offset + at) {
			unit := (offset + at) / fragUnit
			s.present[unit/wordBits] |= 1 << (unit % wordBits)
			s.missing -= min(fragUnit, len(part)-at)
		}
	}
}

func (s *slot) has(offset int) bool {
	unit := offset / fragUnit
	return s.present[unit/wordBits]&(1<<(unit%wordBits)) != 0
}
