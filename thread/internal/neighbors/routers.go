package neighbors

import (
	"iter"
	"math/bits"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// MaxRouters is the largest number of routers in a partition.
	MaxRouters = 32

	// NoNextHop stands for a router that is reached directly or not at all.
	NoNextHop = mle.InvalidRouterID
)

// A Router is an assigned router ID, the link to it if there is one, and the best way through others.
type Router struct {
	Neighbor
	NextHop   mle.RouterID    // first router on the way, NoNextHop if there is none but the link
	Cost      uint8           // from NextHop to this router
	HeardWell time.Time       // the last Advertisement of it that was heard with the margin of a link
	Others    mle.RouterIDSet // routers to which it says that it has good links
	Alone     bool            // it says that it has no children
	Burdened  bool            // it says that it has little airtime left, and others are to help
	Asked     time.Time       // when it was asked whether it is still there
	Ways      *Ways           // as it last said to an end device, nil before that

	// Of the handshake, while there is no link.
	Opened     time.Time // when the link was asked for, by either side
	Again      uint8     // how often it was asked for again since
	Unanswered uint8     // Link Requests to it in a row
	AskAfter   time.Time // when it may be asked again
	Answered   time.Time // when this node answered a Link Request of it last
	Greeted    time.Time // when it was last asked without having been heard just now, see links.greet
}

// Routers holds the partition's assigned router IDs and what this node knows of each.
//
// All of a partition agree on the assignment through the router ID sequence number: the leader increments it with each change
// and every ten seconds; a higher one replaces what is known.
type Routers struct {
	// Self is this node's address, which no link leads to.
	Self mle.RLOC16
	// Burden is by how much the ways over this node cost more for others.
	Burden uint8
	// Spread has each node choose one of the ways that cost the same at random, so that they share the load. Without it the first to be heard
	// of stays.
	Spread bool
	// Sequence is the router ID sequence number, Updated when it last changed.
	Sequence uint8
	Updated  time.Time

	entries  [mle.NumRouterIDs]*Router // nil where none has been yet: a partition has 32 at most
	assigned mle.RouterIDSet
	valid    mle.RouterIDSet                      // entries in state Valid
	open     mle.RouterIDSet                      // entries in any state but Invalid
	exts     [mle.NumRouterIDs]ieee802154.ExtAddr // of entries in state Valid, side by side: each message looks for one
	reuse    []time.Time                          // leader: when a released ID may be assigned again; nil before the first
}

// Assigned returns the assigned router IDs, Active their number.
func (t *Routers) Assigned() mle.RouterIDSet { return t.assigned }

// Active returns the number of assigned router IDs.
func (t *Routers) Active() int { return t.assigned.Len() }

// Reached returns the number of routers to which a way is known, this one among them. Of those that have gone elsewhere the IDs are assigned for some
// minutes more.
func (t *Routers) Reached() int {
	n := 0
	for _, r := range t.All() {
		if r.RLOC16 == t.Self || t.PathCost(r) < MaxRouteCost {
			n++
		}
	}
	return n
}

// HeardSince returns the number of routers that were heard well since t.
func (t *Routers) HeardSince(since time.Time) int {
	n := 0
	for _, r := range t.All() {
		if r.HeardWell.After(since) {
			n++
		}
	}
	return n
}

// IsAssigned reports whether a router ID is assigned.
func (t *Routers) IsAssigned(id mle.RouterID) bool { return id.Valid() && t.assigned.Contains(id) }

// Get returns the entry of an assigned router ID, nil if it is not assigned.
func (t *Routers) Get(id mle.RouterID) *Router {
	if !t.IsAssigned(id) {
		return nil
	}
	return t.entries[id]
}

// The iterators below are small enough for the compiler to inline: else each loop over them would allocate.

func first(s mle.RouterIDSet) mle.RouterID { return mle.RouterID(bits.LeadingZeros64(uint64(s))) }

// All yields the assigned entries by router ID, this node's own among them.
func (t *Routers) All() iter.Seq2[mle.RouterID, *Router] {
	return func(yield func(mle.RouterID, *Router) bool) {
		for rest := t.assigned; rest != 0; {
			id := first(rest)
			rest = rest.Remove(id)
			if !yield(id, t.entries[id]) {
				return
			}
		}
	}
}

// Linked yields the routers to which there is a link.
func (t *Routers) Linked() iter.Seq2[mle.RouterID, *Router] {
	return func(yield func(mle.RouterID, *Router) bool) {
		for rest := t.valid & t.others(); rest != 0; {
			id := first(rest)
			rest = rest.Remove(id)
			if !yield(id, t.entries[id]) {
				return
			}
		}
	}
}

// InContact yields the routers to which there is a link, or a request for one is open.
func (t *Routers) InContact() iter.Seq2[mle.RouterID, *Router] {
	return func(yield func(mle.RouterID, *Router) bool) {
		for rest := t.open & t.others(); rest != 0; {
			id := first(rest)
			rest = rest.Remove(id)
			if !yield(id, t.entries[id]) {
				return
			}
		}
	}
}

// others are the assigned IDs but this node's own.
func (t *Routers) others() mle.RouterIDSet {
	if !t.Self.IsRouter() {
		return t.assigned
	}
	return t.assigned.Remove(t.Self.RouterID())
}

// ByExt returns the router with that extended address, whatever the state of the link.
func (t *Routers) ByExt(ext ieee802154.ExtAddr) *Router {
	for _, r := range t.All() {
		if r.Ext == ext {
			return r
		}
	}
	return nil
}

// LinkedByExt returns the linked router with that extended address.
func (t *Routers) LinkedByExt(ext ieee802154.ExtAddr) *Router {
	for rest := t.valid & t.others(); rest != 0; {
		id := first(rest)
		rest = rest.Remove(id)
		if t.exts[id] == ext {
			return t.entries[id]
		}
	}
	return nil
}

// LinkedByRLOC16 returns the linked router with that address.
func (t *Routers) LinkedByRLOC16(rloc mle.RLOC16) *Router {
	if rloc == t.Self || !rloc.IsRouter() {
		return nil
	}
	if r := t.Get(rloc.RouterID()); r != nil && r.Valid() {
		return r
	}
	return nil
}

// Links counts the valid entries.
func (t *Routers) Links() int { return (t.valid & t.assigned).Len() }

// note keeps the sets of entries by state.
func (t *Routers) note(n *Neighbor, s State) {
	id := n.RLOC16.RouterID()
	t.valid, t.open = t.valid.Remove(id), t.open.Remove(id)
	if s == Valid {
		t.valid, t.exts[id] = t.valid.Add(id), n.Ext
	}
	if s != Invalid {
		t.open = t.open.Add(id)
	}
}

// assign marks id as assigned and gives it a fresh entry.
func (t *Routers) assign(id mle.RouterID) *Router {
	t.assigned, t.valid, t.open = t.assigned.Add(id), t.valid.Remove(id), t.open.Remove(id)
	if t.entries[id] == nil {
		t.entries[id] = new(Router)
	}
	*t.entries[id] = Router{Neighbor: Neighbor{kind: KindRouter, RLOC16: mle.RouterRLOC16(id)}, NextHop: NoNextHop}
	return t.entries[id]
}

// Choose returns the wanted router ID if it is free at now, else a free one that pick chooses: a number below n, at random. It reports
// false if the partition has as many routers as it may, or no ID is free yet.
func (t *Routers) Choose(now time.Time, wanted mle.RouterID, pick func(n int) int) (mle.RouterID, bool) {
	if t.Active() >= MaxRouters {
		return 0, false
	}
	free := func(id mle.RouterID) bool { return !t.IsAssigned(id) && (t.reuse == nil || !now.Before(t.reuse[id])) }
	if wanted.Valid() && free(wanted) {
		return wanted, true
	}
	var ids [mle.NumRouterIDs]mle.RouterID
	n := 0
	for id := range mle.MaxRouterID + 1 {
		if free(id) {
			ids[n] = id
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return ids[pick(n)], true
}

// count moves the router ID sequence number on.
func (t *Routers) count(now time.Time) {
	t.Sequence++
	t.Updated = now
}

// CountUp moves the router ID sequence number on once it has stood still for a period: the leader's sign of life.
func (t *Routers) CountUp(now time.Time, period time.Duration) {
	if now.Sub(t.Updated) >= period {
		t.count(now)
	}
}
