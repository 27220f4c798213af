package neighbors

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// MaxPeers bounds the peers of a node.
const MaxPeers = 48

// Peers are nodes in reach that are neither parent, child nor linked router of this one: children of other routers, or of its own parent, whose frames
// can be authenticated because a router has told their addresses and frame counters.
//
// What a router says of a frame counter is as old as the last that it has heard of its child. Frames that the child has sent since may be recordings
// when they come: so the router's knowledge must be younger than this node's address, than a peer at that place that was forgotten, and than the
// last frame from there that was dropped because nobody had vouched for it.
type Peers struct {
	// Since is from when on nothing was forgotten.
	Since time.Time

	entries []*Neighbor
	dropped []drop
}

// A drop is the last frame that came from a place of which nothing was known, or the end of what was known.
type drop struct {
	from mle.RLOC16
	at   time.Time
}

// maxDrops bounds the places of which that is known.
const maxDrops = 64

// A Voucher is what a router says of a child of its own.
type Voucher struct {
	Ext     ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	Key     keys.Sequence
	Counter uint32    // the least that its next frame has under that key
	At      time.Time // when that was known
}

// Vouch takes a router's word. Of a peer that is known already the counter only rises. It reports false for what is too old.
func (t *Peers) Vouch(now time.Time, v Voucher) bool {
	if p := t.ByRLOC16(v.RLOC16); p != nil && p.Ext == v.Ext {
		if p.MAC.Check(v.Key, v.Counter) == nil {
			p.MAC = keys.ReplayFrom(v.Key, v.Counter)
		}
		return true
	}
	old := !v.At.After(t.Since) || slices.ContainsFunc(t.dropped, func(d drop) bool { return d.from == v.RLOC16 && !v.At.After(d.at) })
	t.remove(now, func(p *Neighbor) bool { return p.RLOC16 == v.RLOC16 || p.Ext == v.Ext })
	if old {
		return false
	}
	if len(t.entries) == MaxPeers {
		oldest := slices.MinFunc(t.entries, func(a, b *Neighbor) int { return a.LastHeard.Compare(b.LastHeard) })
		t.remove(now, func(p *Neighbor) bool { return p == oldest })
	}
	t.entries = append(t.entries, &Neighbor{
		Ext: v.Ext, RLOC16: v.RLOC16, Mode: mle.ModeFullThreadDevice | mle.ModeRxOnWhenIdle, kind: KindPeer, state: Valid,
		MAC: keys.ReplayFrom(v.Key, v.Counter), LastHeard: now,
	})
	return true
}

// Dropped notes that a frame has come from a place that nobody has vouched for. It may come again.
func (t *Peers) Dropped(now time.Time, from mle.RLOC16) {
	i := slices.IndexFunc(t.dropped, func(d drop) bool { return d.from == from })
	switch {
	case i >= 0:
		t.dropped[i].at = now
	case len(t.dropped) < maxDrops:
		t.dropped = append(t.dropped, drop{from, now})
	default:
		t.dropped, t.Since = t.dropped[:0], now
	}
}

// remove forgets some: what is known of them must be younger when they come back.
func (t *Peers) remove(now time.Time, which func(p *Neighbor) bool) {
	t.entries = slices.DeleteFunc(t.entries, func(p *Neighbor) bool {
		gone := which(p)
		if gone {
			t.Dropped(now, p.RLOC16)
		}
		return gone
	})
}

// ByRLOC16 returns the peer at that place in the mesh.
func (t *Peers) ByRLOC16(rloc mle.RLOC16) *Neighbor {
	for _, p := range t.entries {
		if p.RLOC16 == rloc {
			return p
		}
	}
	return nil
}

// ByExt returns the peer with that extended address.
func (t *Peers) ByExt(ext ieee802154.ExtAddr) *Neighbor {
	for _, p := range t.entries {
		if p.Ext == ext {
			return p
		}
	}
	return nil
}

// Empty reports whether there are none.
func (t *Peers) Empty() bool { return len(t.entries) == 0 }

// Len returns the number of peers.
func (t *Peers) Len() int { return len(t.entries) }

// Clear forgets all.
func (t *Peers) Clear(now time.Time) { *t = Peers{Since: now} }

// Forget forgets those below a router.
func (t *Peers) Forget(now time.Time, id mle.RouterID) {
	t.remove(now, func(p *Neighbor) bool { return p.RLOC16.RouterID() == id })
}

// Beside returns who is no neighbor, but whose frames to this node can be authenticated all the same: a peer, or a router that an end device
// listens to, and whose frame counter it has learnt at its present place.
func (t *Table) Beside(a ieee802154.Addr) *Neighbor {
	if a.Mode != ieee802154.AddrModeShort {
		return nil
	}
	if p := t.Peers.ByRLOC16(mle.RLOC16(a.Short)); p != nil {
		return p
	}
	if r := t.Overheard(a); r != nil && t.Routers.Get(r.RLOC16.RouterID()).Opened.After(t.Peers.Since) {
		return r
	}
	return nil
}
