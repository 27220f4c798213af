package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A neighbor is a node with a radio link to this one. Each of the three kinds, parent, child and router, begins with one.
//
//	child:   parentRequest ─► childIDRequest ─► valid          restored ─► childUpdateRequest ─► valid
//	router:  linkRequest ─► valid
//	parent:  parentResponse ─► valid                           restored ─► valid
type neighborState uint8

const (
	stateInvalid            neighborState = iota
	stateRestored                         // known from before a restart, not heard yet
	stateParentRequest                    // a child's Parent Request was answered
	stateParentResponse                   // a candidate that answered our Parent Request
	stateChildIDRequest                   // a child waits for its address
	stateLinkRequest                      // a Link Request to this router is open
	stateChildUpdateRequest               // a restored child was asked for its state
	stateValid
)

type neighborKind uint8

const (
	kindParent neighborKind = iota
	kindChild
	kindRouter
)

type neighbor struct {
	ext        ieee802154.ExtAddr
	rloc       mle.RLOC16
	kind       neighborKind
	state      neighborState
	mode       mle.Mode
	qualityOut uint8       // as the neighbor reports it
	failures   uint8       // unacknowledged frames in a row
	mac, mle   keys.Replay // frame counters of the MAC and of MLE
	lastHeard  time.Time
	link       linkInfo
	challenge  mle.Challenge
}

func (n *neighbor) validOrRestoring() bool {
	return n.state == stateValid || n.state == stateRestored || n.state == stateChildUpdateRequest
}

func (n *neighbor) fullThreadDevice() bool { return n.mode&mle.ModeFullThreadDevice != 0 }
func (n *neighbor) fullNetworkData() bool  { return n.mode&mle.ModeFullNetworkData != 0 }

// twoWayQuality is the worse of both directions.
func (n *neighbor) twoWayQuality() uint8 { return min(n.link.quality, n.qualityOut) }

// maxChildAddresses is how many addresses a parent keeps for a minimal child.
const maxChildAddresses = 4

type child struct {
	neighbor
	timeout            time.Duration
	networkDataVersion uint8
	challengeOf        mle.Challenge // of its last Parent Request
	requested          []mle.TLVType // asked for in the Child ID Request
	addresses          []netip.Addr  // registered by a minimal end device
	needsDataset       bool          // it has another one, or none
}

// halfOpenChildren is how many nodes that asked for a parent are remembered beside the children.
const halfOpenChildren = 12

// childTable keeps the children of this node, at most limit of them, and those that have asked for a parent and may become some:
// most of these go to another parent, and must not take the children's places meanwhile.
type childTable struct {
	children []child
	limit    int
	nextID   uint16
}

func (t *childTable) init(limit int) {
	t.children = make([]child, limit+halfOpenChildren)
	t.limit = limit
	t.nextID = mle.MaxChildID
}

// full reports whether all places are taken.
func (t *childTable) full() bool {
	return t.count(func(c *child) bool { return c.state != stateInvalid && c.state != stateParentRequest }) >= t.limit
}

// byExt returns the child with that extended address, attached or attaching.
func (t *childTable) byExt(ext ieee802154.ExtAddr) *child {
	for i := range t.children {
		if c := &t.children[i]; c.state != stateInvalid && c.ext == ext {
			return c
		}
	}
	return nil
}

func (t *childTable) byRLOC(rloc mle.RLOC16) *child {
	for i := range t.children {
		if c := &t.children[i]; c.state != stateInvalid && c.rloc == rloc {
			return c
		}
	}
	return nil
}

// byAddress returns the attached child that has registered addr.
func (t *childTable) byAddress(addr netip.Addr) *child {
	for i := range t.children {
		if c := &t.children[i]; c.validOrRestoring() && slices.Contains(c.addresses, addr) {
			return c
		}
	}
	return nil
}

// add returns a fresh entry for ext, nil if the table is full.
func (t *childTable) add(ext ieee802154.ExtAddr) *child {
	if t.full() {
		return nil
	}
	for i := range t.children {
		if c := &t.children[i]; c.state == stateInvalid {
			*c = child{neighbor: neighbor{ext: ext, kind: kindChild}}
			return c
		}
	}
	return nil
}

func (t *childTable) count(pass func(*child) bool) int {
	n := 0
	for i := range t.children {
		if pass(&t.children[i]) {
			n++
		}
	}
	return n
}

func (t *childTable) attached() int {
	return t.count(func(c *child) bool { return c.state == stateValid })
}

// hasAny reports whether a child is attached or attaching.
func (t *childTable) hasAny() bool {
	return t.count(func(c *child) bool { return c.validOrRestoring() || c.state == stateChildIDRequest }) > 0
}

// allocateRLOC gives a child of router the next free child address.
func (t *childTable) allocateRLOC(router mle.RLOC16) mle.RLOC16 {
	for {
		t.nextID++
		if t.nextID > mle.MaxChildID {
			t.nextID = 1
		}
		if rloc := router | mle.RLOC16(t.nextID); t.byRLOC(rloc) == nil {
			return rloc
		}
	}
}

// forget removes a registered address and reports whether it was there.
func (c *child) forget(addr netip.Addr) bool {
	i := slices.Index(c.addresses, addr)
	if i < 0 {
		return false
	}
	c.addresses = slices.Delete(c.addresses, i, i+1)
	return true
}
