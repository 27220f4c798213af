package thread

import (
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
)

// EventType says what an Event is about.
type EventType uint8

// Types of events.
const (
	EventRole                EventType = iota // Event.Role is the new role
	EventPartition                            // another partition
	EventAddresses                            // addresses came or went
	EventKeySequence                          // another key sequence
	EventChildAdded                           // Event.ExtAddr and RLOC16 name the child
	EventChildRemoved                         //
	EventNeighborAdded                        // a link to the router that ExtAddr and RLOC16 name
	EventNeighborRemoved                      //
	EventNetworkData                          // other network data
	EventRegistrationRefused                  // the leader has no place for what this node offers
	EventNetworkPending                       // the network will change after Event.Delay, see Engine.ChangeNetwork
	EventNetwork                              // the network has changed: Engine.Network tells how
	EventJoin                                 // joining a network has gone on: Event.Join, NetworkName, ExtAddr of the joiner router, and at the end Err
	EventCommissioner                         // this node is the commissioner, or is it no more: Event.Active
	EventJoiner                               // a joiner has come to this node as the commissioner: Event.Joiner, and Err
	EventNetworkRefused                       // a change of the network that this node has asked for is refused, or nobody has answered
)

func (t EventType) String() string {
	names := [...]string{"role", "partition", "addresses", "key sequence", "child added", "child removed", "neighbor added",
		"neighbor removed", "network data", "registration refused", "network pending", "network", "join", "commissioner", "joiner", "network refused"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// Event is a change of the node's state.
type Event struct {
	Type    EventType
	Time    time.Time
	Role    Role
	ExtAddr ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	Delay   time.Duration
	// Of joining a network, and of being its commissioner.
	Join        JoinState
	NetworkName string
	Active      bool
	Joiner      JoinerEvent
	Err         error
}

// maxEvents bounds the events that wait for the host.
const maxEvents = 256

// eventQueue keeps the latest events until the host fetches them.
type eventQueue struct {
	core   *core.Core
	lost   *uint64
	events []Event
}

func (q *eventQueue) emit(ev Event) {
	ev.Time = q.core.Now
	if len(q.events) >= maxEvents {
		*q.lost++
		q.events = slices.Delete(q.events, 0, 1)
	}
	q.events = append(q.events, ev)
}

func (q *eventQueue) poll() (Event, bool) { return core.Pop(&q.events) }
