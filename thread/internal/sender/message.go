package sender

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Priority orders messages: the network's own come first.
type Priority uint8

// Priorities, the lowest first.
const (
	PriorityLow Priority = iota
	PriorityNormal
	PriorityHigh
	PriorityNet
)

// PriorityOf is the priority of a datagram that others ask for by its traffic class (RFC 4594): class selectors 1 and 2 are low
// priority, 4 to 7 high.
func PriorityOf(trafficClass uint8) Priority {
	switch class := trafficClass >> 5; {
	case class == 1 || class == 2:
		return PriorityLow
	case class >= 4:
		return PriorityHigh
	}
	return PriorityNormal
}

// Kind says what a message is.
type Kind uint8

// Kinds of messages.
const (
	KindDatagram  Kind = iota // an IPv6 datagram
	KindMLE                   // an MLE message, which secures itself; the MAC secures only those that need fragments
	KindMeshFrame             // a mesh header and what follows it, on its way through this node
	KindEmpty                 // nothing, by which a sleeping child hears that its parent is there
)

// Protection says how the frames of a datagram are secured.
type Protection uint8

// Protections.
const (
	Secured   Protection = iota // with the network's key
	Plain                       // not at all: what passes between a joiner and its joiner router secures itself
	Entrusted                   // with the KEK that a joiner shares with its joiner router
)

// A Message is what waits for the radio. Take one from Sender.New, fill in what is exported, and give it back by Enqueue or Free.
type Message struct {
	Data     []byte
	Kind     Kind
	Command  mle.Command // of a KindMLE
	Priority Priority
	Expires  time.Time // zero for never; what has been begun, and what is held for a sleeping child, is finished
	// Channel is that of an Announcement, to all networks there. 0 is the node's own.
	Channel uint8
	// Protection is how a datagram is secured.
	Protection Protection
	// PAN is that of another network, for a message that asks who is there. 0 is the node's own.
	PAN ieee802154.PANID
	// For is the sleeping child that a copy of a multicast is for, zero otherwise.
	For ieee802154.ExtAddr
	// Host says that who sends it waits for room: it is refused where others would be counted as lost, and once taken it keeps its place.
	Host bool

	src, dst netip.Addr      // of a datagram
	meshDst  mle.RLOC16      // of a KindMeshFrame
	of       datagramKey     // whose fragment a KindMeshFrame is, zero if none
	tag      uint16          // of its fragments
	offset   int             // bytes of a datagram that have been sent
	after    time.Time       // when the next fragment may go
	hop      ieee802154.Addr // that passed the last one on
	sealed   bool            // an MLE message that is under way
	secured  bool            // an MLE message that needs fragments
}

// parse notes where the message goes. It reports false for what is no datagram or mesh frame.
func (m *Message) parse() bool {
	if m.Kind == KindMeshFrame {
		h, n, err := lowpan.ParseMeshHeader(m.Data)
		if err != nil {
			return false
		}
		m.meshDst, m.of = mle.RLOC16(h.Dst.Short), keyOf(h, m.Data[n:])
		return true
	}
	h, err := ip6.ParseHeader(m.Data)
	m.src, m.dst = h.Src, h.Dst
	return err == nil
}

// Src and Dst are the ends of a datagram, once it is enqueued.
func (m *Message) Src() netip.Addr { return m.src }

// Dst is the destination of a datagram, once it is enqueued.
func (m *Message) Dst() netip.Addr { return m.dst }

// begun reports whether a part of the message has been sent.
func (m *Message) begun() bool { return m.offset > 0 }

// sameEnd reports whether two messages are for the same destination.
func (m *Message) sameEnd(other *Message) bool {
	return (m.Kind == KindMeshFrame) == (other.Kind == KindMeshFrame) && m.dst == other.dst && m.meshDst == other.meshDst
}

// A Reason says why a message was given up.
type Reason uint8

// Reasons.
const (
	Invalid      Reason = iota // no datagram or mesh frame, or too long
	QueueFull                  // there is no place for it, or others need its place
	Unresolved                 // nobody has told where its destination is
	NoWay                      // none leads to its destination
	Unresponsive               // the next hop has not acknowledged too many frames in a row
	Expired                    // it has waited for too long
	NotSent                    // the channel was busy, or the next hop has not acknowledged it
	Unsecured                  // nothing can be secured
	Stopped                    // the node stops, or has stopped
	Incomplete                 // another fragment of its datagram was lost here
)

func (r Reason) String() string {
	names := [...]string{"invalid", "queue full", "address unresolved", "no route", "neighbor unresponsive", "expired", "not sent",
		"nothing can be secured", "stopped", "incomplete"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// A Hop is the way of one frame.
type Hop struct {
	Src, Dst ieee802154.Addr
	// PauseUntil is before when only MLE messages go there, since Dst does not acknowledge.
	PauseUntil time.Time
	// Mesh says that a mesh header leads on from Dst, between these ends, over at most HopsLeft hops. Far says that there may be more than one
	// beyond Dst.
	Mesh, Far        bool
	MeshSrc, MeshDst mle.RLOC16
	// Shortcut says that there is another way if Dst does not acknowledge: then Router must not return this one again.
	Shortcut bool
	HopsLeft uint8
	// Ends is what the frame may leave out of the datagram's addresses.
	Ends lowpan.Ends
}

// Answer says what Router knows of a way.
type Answer uint8

// Answers.
const (
	Found Answer = iota
	Wait         // the destination's place is being asked for
	NoRoute
	Dead // the next hop does not answer any more
)

// final reports whether a message is given up for that answer.
func (a Answer) final() bool { return a == NoRoute || a == Dead }

// A Router knows the ways. It is asked anew for each frame.
type Router interface {
	// Route returns the way of a datagram.
	Route(m *Message) (Hop, Answer)
	// Sleeper reports whether the way of a message ends at a child that sleeps, and polls for what it is sent.
	Sleeper(m *Message) (child ieee802154.ExtAddr, sleeps bool)
	// Relay returns the next hop of a frame that passes through to the node dst.
	Relay(dst mle.RLOC16) (Hop, Answer)
}
