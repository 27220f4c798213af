package thread

import (
	"encoding/binary"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// shortcuts has nodes that hear each other speak to each other directly, where one of them is an end device. Their routers vouch for them: each
// tells, in its Advertisements, the addresses and frame counters of its children, by a TLV that others skip, see [mle.TLVChildren]. Who hears that,
// fresh, can authenticate their frames and tell recordings from them. Nobody asks anybody.
//
//	Advertisement of a linked router ─► peers ─ one is heard well ─► next hop of what is for it
//	no acknowledgement ─────────────────────────────────────────────► the usual way, for a while
//
// How well a peer is heard counts from any of its frames, to whomever, authentic or not: a forged one costs a frame that nobody acknowledges, now
// and then.
//
// Deviation: for stock an end device speaks to its parent alone. Of 16 nodes in one cell on LoRa 12 are end devices: a datagram takes two
// frames from one to another, where one will do.
type shortcuts struct {
	*self
	neighbors *neighbors.Table
	keys      *keychain.Keychain
	counter   *keychain.Counter
	quiet     *quiet
	deputy    *deputy

	avoided map[mle.RLOC16]avoided
}

// avoided is a shortcut that did not work.
type avoided struct {
	until time.Time
	times uint8
}

const (
	// childSize is the size of one child in the TLV: its RLOC16, extended address, the least frame counter of its next frame, and how long ago that
	// was known.
	childSize = 2 + ieee802154.ExtAddrSize + 4 + 1
	// knownUnit is the unit of that time. Units are rounded up; knownTooOld stands for itself and all longer times.
	knownUnit, knownTooOld = 8 * time.Second, 255
	// saidBefore is how long ago a child may have written what arrives only now.
	saidBefore = 30 * time.Second
	// A router tells of a child again once something newer by knownNews is known, after toldPause at the earliest: toldFirst times while the child is
	// new, and once after newChild.
	knownNews, toldPause, toldFirst, newChild = time.Minute, 2 * time.Minute, 2, 20 * time.Minute
	// avoidFirst is how long a shortcut is not taken that did not work; that doubles maxAvoided times.
	avoidFirst, maxAvoided = 30 * time.Second, 7
	// goodShortcut is the link quality that a shortcut needs.
	goodShortcut = 2
	// shortcutSilence is after how much silence nobody knows whether a peer is still there.
	shortcutSilence = time.Hour
)

// say tells a child's own frame counter in its Advertisement.
func (s *shortcuts) say(b []byte) []byte {
	if !s.quiet.now() || s.role != RoleChild {
		return b
	}
	return mle.AppendLinkLayerFrameCounter(b, s.counter.Next())
}

// append vouches for some children in an Advertisement, where there is room.
func (s *shortcuts) append(b []byte) []byte {
	room := roomFor(b, childSize)
	if !s.quiet.now() || !s.isRouter() || room <= 0 {
		return b
	}
	value := make([]byte, 0, maxAdvertisement)
	for range room {
		c, known := s.longestUntold()
		if c == nil {
			break
		}
		value = binary.BigEndian.AppendUint16(value, uint16(c.RLOC16))
		value = append(value, c.Ext[:]...)
		value = append(binary.BigEndian.AppendUint32(value, known.Counter), byte(s.units(known)))
		c.Told, c.ToldAt, c.Tells = known, s.Now, c.Tells+1
	}
	if len(value) == 0 {
		return b
	}
	return mle.AppendTLV(b, mle.TLVChildren, value)
}

// longestUntold returns the child of which there is something to tell and nobody has heard for the longest time: all have their turn.
func (s *shortcuts) longestUntold() (longest *neighbors.Child, news neighbors.Known) {
	for c := range s.neighbors.Children.Established() {
		known := c.Known()
		first := longest == nil || c.ToldAt.Before(longest.ToldAt)
		if first && c.ToldAt.Before(s.Now) && s.units(known) < knownTooOld && s.due(c, known) {
			longest, news = c, known
		}
	}
	return longest, news
}

// units is how long ago something was known.
func (s *shortcuts) units(known neighbors.Known) time.Duration {
	return (s.Now.Sub(known.At) + knownUnit - 1) / knownUnit
}

// untold returns how many children there are of which nobody has heard yet.
func (s *shortcuts) untold() (n int) {
	if !s.quiet.now() || !s.isRouter() {
		return 0
	}
	for c := range s.neighbors.Children.Established() {
		if known := c.Known(); c.ToldAt.IsZero() && s.units(known) < knownTooOld && s.due(c, known) {
			n++
		}
	}
	return n
}

// due reports whether there is something to tell of a child.
func (s *shortcuts) due(c *neighbors.Child, known neighbors.Known) bool {
	if !c.Valid() || !c.FullThreadDevice() || c.Sleepy() || known.Key != s.keys.Sequence() {
		return false
	}
	if known.At.Sub(c.Told.At) >= knownNews && s.Now.Sub(c.ToldAt) >= toldPause {
		c.Tells = 0
	}
	limit := uint8(1)
	if s.Now.Sub(c.Since) < newChild {
		limit = toldFirst
	}
	return c.Tells < limit
}

// hear takes a router's word for its children, and what a child says of itself. The message has to be fresh, and from who is at from.
func (s *shortcuts) hear(m mle.Message, from mle.RLOC16, info mleInfo) {
	if c := s.neighbors.Children.ByExt(info.ext); c != nil && m.Command == mle.Advertisement {
		if counter, err := m.LinkLayerFrameCounter(); err == nil {
			c.Said = neighbors.Known{Key: info.keySequence, Counter: counter, At: s.Now.Add(-saidBefore)}
		}
	}
	value, ok := m.Find(mle.TLVChildren)
	if !ok || !s.quiet.possible() || !s.fullThreadDevice() || s.sleepy() || !from.IsRouter() {
		return
	}
	for ; len(value) >= childSize; value = value[childSize:] {
		v := neighbors.Voucher{RLOC16: mle.RLOC16(binary.BigEndian.Uint16(value)), Ext: ieee802154.ExtAddr(value[2:]), Key: info.keySequence}
		rest := value[2+len(v.Ext):]
		v.Counter, v.At = binary.BigEndian.Uint32(rest), s.Now.Add(-time.Duration(rest[4])*knownUnit)
		if v.RLOC16.IsChild() && v.RLOC16.RouterID() == from.RouterID() && v.Ext != s.Ext && s.neighbors.ByExt(v.Ext) == nil {
			s.neighbors.Peers.Vouch(s.Now, v)
		}
	}
}

// unknown notes that a frame has come from a place that is not known.
func (s *shortcuts) unknown(src ieee802154.ShortAddr) {
	s.neighbors.Peers.Dropped(s.Now, mle.RLOC16(src))
}

// passing notes how well a frame of somebody to somebody else was heard. It may be forged.
func (s *shortcuts) passing(src, dst ieee802154.ShortAddr, rssi int) {
	s.deputy.passing(mle.RLOC16(src), mle.RLOC16(dst))
	if !s.neighbors.Peers.Empty() {
		s.heard(s.neighbors.Peers.ByRLOC16(mle.RLOC16(src)), rssi)
	}
}

// advertised notes how well an MLE message to all was heard: an end device says little else as long as nobody speaks to it. It may be forged as well.
func (s *shortcuts) advertised(info mleInfo) {
	if !s.neighbors.Peers.Empty() {
		s.heard(s.neighbors.Peers.ByExt(info.ext), info.rssi)
	}
}

func (s *shortcuts) heard(p *neighbors.Neighbor, rssi int) {
	if p != nil {
		p.Link.Add(&s.scale, rssi)
		p.LastHeard = s.Now
	}
}

// next returns the first hop of a shortcut to a node, if there is one: the node itself, or, for an end device, the parent of it, or a router with a
// shorter way there than its own parent has.
func (s *shortcuts) next(to mle.RLOC16) (hop mle.RLOC16, ok bool) {
	switch {
	case !s.quiet.now() || !s.fullThreadDevice() || s.sleepy():
		return 0, false
	case s.usable(to):
		return to, true
	case s.role != RoleChild:
		return 0, false
	case to.IsChild() && s.usable(to.RouterID().RLOC16()):
		return to.RouterID().RLOC16(), true
	}
	return s.nearer(to.RouterID())
}

// nearer returns a router beside this end device that has a shorter way to another one than its parent has. Where ways cost more than their length the
// load is not moved: in a cell whose nodes had used up their airtime it was, until nobody had any left.
func (s *shortcuts) nearer(to mle.RouterID) (hop mle.RLOC16, ok bool) {
	routers := &s.neighbors.Routers
	parent := s.neighbors.ParentRouter()
	if parent == nil || parent.Ways == nil || parent.Ways.Dear {
		return 0, false
	}
	least := min(parent.Way(to), neighbors.MaxRouteCost)
	for _, r := range routers.Linked() {
		if way := r.Way(to); way < least && !r.Ways.Dear && s.usable(r.RLOC16) {
			least, hop, ok = way, r.RLOC16, true
		}
	}
	return hop, ok
}

// usable reports whether a node is beside this one, and heard well.
func (s *shortcuts) usable(to mle.RLOC16) bool {
	n := s.neighbors.Beside(neighbors.ShortAddr(to))
	if n == nil || n.Link.Quality < goodShortcut || s.Now.Sub(n.LastHeard) >= shortcutSilence {
		return false
	}
	a, ok := s.avoided[to]
	return !ok || !s.Now.Before(a.until)
}

// sent notes what became of a frame.
func (s *shortcuts) sent(sent mac.Sent) {
	if sent.Neighbor == nil || sent.Dst.Mode != ieee802154.AddrModeShort || s.neighbors.Beside(sent.Dst) != sent.Neighbor {
		return
	}
	to := mle.RLOC16(sent.Dst.Short)
	switch a := s.avoided[to]; sent.Result {
	case mac.Acked:
		delete(s.avoided, to)
	case mac.NoAck, mac.Busy: // it waits no longer there than elsewhere
		s.counters.ShortcutsFailed++
		if s.avoided == nil || len(s.avoided) >= 2*neighbors.MaxPeers {
			s.avoided = map[mle.RLOC16]avoided{}
		}
		s.avoided[to] = avoided{s.Now.Add(avoidFirst << a.times), min(a.times+1, maxAvoided)}
	}
}

// forget is for another place, or another partition.
func (s *shortcuts) forget() {
	s.neighbors.Peers.Clear(s.Now)
	clear(s.avoided)
}
