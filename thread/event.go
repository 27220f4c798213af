package thread

import (
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// EventType says what an Event is about.
type EventType uint8

// Types of events.
const (
	EventRole            EventType = iota // Event.Role is the new role
	EventPartition                        // another partition
	EventAddresses                        // addresses came or went
	EventKeySequence                      // another key sequence
	EventChildAdded                       // Event.ExtAddr and RLOC16 name the child
	EventChildRemoved                     //
	EventNeighborAdded                    // a link to the router that ExtAddr and RLOC16 name
	EventNeighborRemoved                  //
)

func (t EventType) String() string {
	names := [...]string{"role", "partition", "addresses", "key sequence", "child added", "child removed", "neighbor added",
		"neighbor removed"}
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
}

func (e *Engine) emit(ev Event) {
	ev.Time = e.now
	if len(e.events) >= maxEvents {
		e.counters.EventsLost++
		e.events = slices.Delete(e.events, 0, 1)
	}
	e.events = append(e.events, ev)
}

// PollEvent returns the next event. At most 256 are kept, the latest.
func (e *Engine) PollEvent() (Event, bool) {
	if len(e.events) == 0 {
		return Event{}, false
	}
	ev := e.events[0]
	e.events = slices.Delete(e.events, 0, 1)
	return ev, true
}
