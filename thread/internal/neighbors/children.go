package neighbors

import (
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// MaxChildAddresses is how many addresses a parent keeps for a minimal child: its mesh-local EID, eight in prefixes of the network data,
	// and four that its host has added.
	MaxChildAddresses = 13

	// halfOpenChildren is how many nodes that asked for a parent are remembered beside the children.
	halfOpenChildren = 12
)

// A Child is a child of this node, or a node that has asked to become one.
type Child struct {
	Neighbor
	Timeout            time.Duration
	NetworkDataVersion uint8
	ChallengeOf        mle.Challenge // of its last Parent Request,
	Offers             int           // and what others have sent to it since
	Challenged         time.Time     // when the challenge in a Parent Response was made
	Requested          []mle.TLVType // asked for in the Child ID Request
	Addresses          []netip.Addr  // registered by a minimal end device
	NeedsDataset       bool          // it has another one, or none
	NeedsPending       bool          // the same of the pending one
	Told               Known         // what others were told last of its frame counter,
	Tells              uint8         // how often,
	ToldAt             time.Time     // and when
	Said               Known         // its frame counter as it has said itself
	Hears              int           // routers that it hears well, as it says
	Since              time.Time     // when it became a child, or was restored
	Asked              uint8         // how often in a row it was asked whether it is there, and was not heard

	// Of a child from before a restart.
	AskAgain time.Time // when it is asked for its state again
	Answered time.Time // when its requests were answered last,
	Answers  uint8     // and how often without proof that it is there
}

// Known is a frame counter of the MAC: the least that the next frame has, under a key, and when that was known.
type Known struct {
	Key     keys.Sequence
	Counter uint32
	At      time.Time
}

// Known returns the latest that is known of the child's frame counter: from a frame, or from what it has said.
func (c *Child) Known() Known {
	k := Known{c.MAC.Sequence(), c.MAC.Next(), c.LastFrame}
	switch {
	case c.Said.Key != k.Key || !c.Said.At.After(k.At):
	case c.Said.Counter >= k.Counter:
		k = c.Said
	default:
		k.At = c.Said.At
	}
	return k
}

// Quiet returns since when nothing has shown that the child is there.
func (c *Child) Quiet() time.Time {
	since := c.Since
	for _, t := range [...]time.Time{c.LastHeard, c.LastFrame, c.LastAcked} {
		if t.After(since) {
			since = t
		}
	}
	return since
}

// NeverHeard reports whether nothing has come from the child since it became one.
func (c *Child) NeverHeard() bool { return !c.LastHeard.After(c.Since) && !c.LastFrame.After(c.Since) }

// Forget removes a registered address and reports whether it was there.
func (c *Child) Forget(addr netip.Addr) bool {
	i := slices.Index(c.Addresses, addr)
	if i < 0 {
		return false
	}
	c.Addresses = slices.Delete(c.Addresses, i, i+1)
	return true
}

// Children keeps the children of this node, at most Limit of them, and those that have asked for a parent and may become some:
// most of these go to another parent, and must not take the children's places meanwhile.
type Children struct {
	// Dropped counts children that were dropped, up to 255 and on from 0.
	Dropped uint8

	entries []*Child             // nil where none has been yet: few nodes have many children
	exts    []ieee802154.ExtAddr // of the entries, side by side: each message looks for one
	used    int                  // entries that are not Invalid
	limit   int
	nextID  uint16
}

// Resize gives the table places for limit children. It must be empty: nobody is told of children that it drops.
func (t *Children) Resize(limit int) {
	t.entries = make([]*Child, limit+halfOpenChildren)
	t.exts = make([]ieee802154.ExtAddr, len(t.entries))
	t.used = 0
	t.limit = limit
	t.nextID = mle.MaxChildID
}

// Limit returns the number of children that there are places for.
func (t *Children) Limit() int { return t.limit }

// note counts the entries in use.
func (t *Children) note(before, after State) {
	if before != Invalid {
		t.used--
	}
	if after != Invalid {
		t.used++
	}
}

// Sleepy yields the children that sleep, those from before a restart among them.
func (t *Children) Sleepy() iter.Seq[*Child] {
	return func(yield func(*Child) bool) {
		for c := range t.All() {
			if c.Established() && c.Sleepy() && !yield(c) {
				return
			}
		}
	}
}

// All yields the entries in use, half-open ones too.
func (t *Children) All() iter.Seq[*Child] {
	return func(yield func(*Child) bool) {
		if t.used == 0 {
			return
		}
		for _, c := range t.entries {
			if c != nil && c.state != Invalid && !yield(c) {
				return
			}
		}
	}
}

// Established yields the children, those from before a restart among them.
func (t *Children) Established() iter.Seq[*Child] {
	return func(yield func(*Child) bool) {
		for _, c := range t.entries {
			if c != nil && c.Established() && !yield(c) {
				return
			}
		}
	}
}

// Newest returns how long the child is one that became one last, the longest time there is if there is none.
func (t *Children) Newest(now time.Time) time.Duration {
	newest := time.Duration(math.MaxInt64)
	for c := range t.Established() {
		newest = min(newest, now.Sub(c.Since))
	}
	return newest
}

// Full reports whether all places are taken.
func (t *Children) Full() bool {
	return t.count(func(c *Child) bool { return c.state != Invalid && c.state != ParentRequest }) >= t.limit
}

// HasPlace reports whether one more node that asks for a parent can be remembered.
func (t *Children) HasPlace() bool { return !t.Full() && t.used < len(t.entries) }

// Attached counts the valid children.
func (t *Children) Attached() int { return t.count(func(c *Child) bool { return c.Valid() }) }

// HasAny reports whether a child is attached or attaching.
func (t *Children) HasAny() bool {
	return slices.ContainsFunc(t.entries, func(c *Child) bool { return c != nil && (c.Established() || c.state == ChildIDRequest) })
}

// Empty reports whether no entry is in use.
func (t *Children) Empty() bool { return t.used == 0 }

func (t *Children) count(pass func(*Child) bool) int {
	n := 0
	for _, c := range t.entries {
		if c != nil && pass(c) {
			n++
		}
	}
	return n
}

// ByExt returns the child with that extended address, attached or attaching.
func (t *Children) ByExt(ext ieee802154.ExtAddr) *Child {
	if t.used == 0 {
		return nil
	}
	for i := range t.exts {
		if c := t.entries[i]; t.exts[i] == ext && c != nil && c.state != Invalid {
			return c
		}
	}
	return nil
}

// ByRLOC16 returns the child with that address, attached or attaching.
func (t *Children) ByRLOC16(rloc mle.RLOC16) *Child {
	for i, left := 0, t.used; left > 0 && i < len(t.entries); i++ {
		switch c := t.entries[i]; {
		case c == nil, c.state == Invalid:
		case c.RLOC16 == rloc:
			return c
		default:
			left--
		}
	}
	return nil
}

// ByAddress returns the child that has registered addr.
func (t *Children) ByAddress(addr netip.Addr) *Child {
	if t.used == 0 {
		return nil
	}
	for _, c := range t.entries {
		if c != nil && c.Established() && slices.Contains(c.Addresses, addr) {
			return c
		}
	}
	return nil
}

// place gives ext an unused entry, and returns nil if all places are taken.
func (t *Children) place(ext ieee802154.ExtAddr) *Child {
	if t.Full() {
		return nil
	}
	for i, c := range t.entries {
		if c == nil {
			c = new(Child)
			t.entries[i] = c
		}
		if c.state == Invalid {
			*c, t.exts[i] = Child{Neighbor: Neighbor{Ext: ext, kind: KindChild}}, ext
			return c
		}
	}
	return nil
}

// Allocate gives a child of router the next free child address.
func (t *Children) Allocate(router mle.RLOC16) mle.RLOC16 {
	for {
		t.nextID++
		if t.nextID > mle.MaxChildID {
			t.nextID = 1
		}
		if rloc := router | mle.RLOC16(t.nextID); t.ByRLOC16(rloc) == nil {
			return rloc
		}
	}
}

// Register keeps addr for a minimal child, unless it has as many as are kept. An address that moved from another child leaves
// that one, but several may listen to one multicast address.
func (t *Children) Register(c *Child, addr netip.Addr) {
	if len(c.Addresses) == MaxChildAddresses || slices.Contains(c.Addresses, addr) {
		return
	}
	c.Addresses = append(c.Addresses, addr)
	if addr.IsMulticast() {
		return
	}
	for _, other := range t.entries {
		if other != nil && other != c {
			other.Forget(addr)
		}
	}
}
