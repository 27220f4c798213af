package neighbors

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// State is how far a link has come. Only Table.Change moves a neighbor from one to another:
//
//	child:   ParentRequest ─► ChildIDRequest ─► Valid          Restored ─► ChildUpdateRequest ─► Valid
//	router:  LinkRequest ─► Valid
//	parent:  ParentResponse ─► Valid                           Restored ─► Valid
//
// and from each of them back to Invalid.
type State uint8

// States of a neighbor.
const (
	Invalid            State = iota
	Restored                 // known from before a restart, not heard yet
	ParentRequest            // a child's Parent Request was answered
	ParentResponse           // a candidate that answered our Parent Request
	ChildIDRequest           // a child waits for its address
	LinkRequest              // a Link Request to this router is open
	ChildUpdateRequest       // a restored child was asked for its state
	Valid
)

func (s State) String() string {
	names := [...]string{"invalid", "restored", "parent request", "parent response", "child ID request", "link request",
		"child update request", "valid"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Kind is what a neighbor is to this node.
type Kind uint8

// Kinds of neighbors.
const (
	KindParent Kind = iota // the parent, or a candidate for one
	KindChild
	KindRouter
	KindPeer // a node in reach that is none of these: see Peers
)

// A Neighbor is a node with a radio link to this one. Each of the kinds begins with one.
type Neighbor struct {
	Ext        ieee802154.ExtAddr
	RLOC16     mle.RLOC16
	Mode       mle.Mode
	QualityOut uint8       // as the neighbor reports it
	Failures   uint8       // unacknowledged frames in a row
	Repeats    uint8       // acknowledged repetitions of its last frame
	MAC, MLE   keys.Replay // frame counters of the MAC and of MLE
	Passed     keys.Replay // frame counters of the MAC in what was heard of it for others
	LastHeard  time.Time
	LastFrame  time.Time // when the last frame came that the MAC has authenticated
	LastAcked  time.Time // when it last acknowledged one
	PauseUntil time.Time // before which others have their turn, since it does not acknowledge
	// AckTime is how long its acknowledgements take from the end of the transmission, smoothed; zero if none has come yet.
	AckTime   time.Duration
	Link      LinkInfo
	Foreign   bool          // its messages show that it has another engine
	Challenge mle.Challenge // ours, that its answer must repeat

	topMAC, topMLE uint32 // the highest frame counters under network keys of before

	kind  Kind
	state State
}

// Kind returns what the neighbor is to this node.
func (n *Neighbor) Kind() Kind { return n.kind }

// State returns how far the link has come.
func (n *Neighbor) State() State { return n.state }

// Valid reports whether the link stands.
func (n *Neighbor) Valid() bool { return n.state == Valid }

// Established reports whether the link stands, or stood before a restart and is being taken up again.
func (n *Neighbor) Established() bool {
	return n.state == Valid || n.state == Restored || n.state == ChildUpdateRequest
}

// FullThreadDevice reports whether the neighbor is one.
func (n *Neighbor) FullThreadDevice() bool { return n.Mode&mle.ModeFullThreadDevice != 0 }

// Sleepy reports whether the neighbor listens only to what it has polled for.
func (n *Neighbor) Sleepy() bool { return n.Mode&mle.ModeRxOnWhenIdle == 0 }

// FullNetworkData reports whether the neighbor wants all of the network data.
func (n *Neighbor) FullNetworkData() bool { return n.Mode&mle.ModeFullNetworkData != 0 }

// TwoWayQuality is the worse quality of both directions.
func (n *Neighbor) TwoWayQuality() uint8 { return min(n.Link.Quality, n.QualityOut) }

// Prove takes over frame counters that the neighbor has proven to be its own: its next frames count up from them.
func (n *Neighbor) Prove(seq keys.Sequence, mac, mle uint32) {
	n.MAC, n.MLE, n.Passed = keys.ReplayFrom(seq, mac), keys.ReplayFrom(seq, mle), keys.Replay{}
}

func (n *Neighbor) rekey(before bool) {
	n.Passed = keys.Replay{}
	n.topMAC, n.topMLE = max(n.topMAC, n.MAC.Next()), max(n.topMLE, n.MLE.Next())
	if before {
		n.MAC, n.MLE = keys.ReplayFrom(0, n.topMAC), keys.ReplayFrom(0, n.topMLE)
	} else {
		n.MAC, n.MLE = keys.Replay{}, keys.Replay{}
	}
}

// Parent is the router whose child this node is.
type Parent struct {
	Neighbor
	LeaderCost uint8 // of its way to the leader

	Dropped int       // how many children it has dropped, as it says,
	HeardAt time.Time // and when it has said so, zero for never
	Doubted time.Time // when this node last asked whether it is one of them
}

// Candidate is the best parent so far of a search.
type Candidate struct {
	Neighbor
	Response     mle.Challenge // what the Child ID Request must repeat
	Connectivity mle.Connectivity
	Leader       mle.LeaderData
	Margin       uint8 // dB
}

// Offer is what a Parent Response says, for comparison with a Candidate.
type Offer struct {
	RLOC16       mle.RLOC16
	Quality      uint8
	Margin       uint8
	Connectivity mle.Connectivity
}

// WorseThan compares the candidate with another parent of the same partition, in the order that OpenThread has: link quality first, then
// router before router-eligible end device, then priority, then connectivity, then link margin.
func (c *Candidate) WorseThan(o Offer) bool {
	if have := c.TwoWayQuality(); o.Quality != have {
		return o.Quality > have
	}
	if o.RLOC16.IsRouter() != c.RLOC16.IsRouter() {
		return o.RLOC16.IsRouter()
	}
	mine, theirs := c.Connectivity, o.Connectivity
	switch {
	case theirs.ParentPriority != mine.ParentPriority:
		return theirs.ParentPriority > mine.ParentPriority
	case theirs.LinkQuality3 != mine.LinkQuality3:
		return theirs.LinkQuality3 > mine.LinkQuality3
	case theirs.LinkQuality2 != mine.LinkQuality2:
		return theirs.LinkQuality2 > mine.LinkQuality2
	case theirs.LinkQuality1 != mine.LinkQuality1:
		return theirs.LinkQuality1 > mine.LinkQuality1
	}
	return o.Margin > c.Margin
}
