package pymesh

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// EventType says what an Event is about.
type EventType uint8

// Types of events. Each says which fields of the Event it sets, beside Type and Time.
const (
	// EventState: State is the new role.
	EventState EventType = iota
	// EventPartition: another partition, PartitionID. The node may be the same, and its neighbors, but the leader is another.
	EventPartition
	// EventAddressAdded, EventAddressRemoved: Addr is an IPv6 address that the node has, or has no more.
	EventAddressAdded
	EventAddressRemoved
	// EventNeighborAdded, EventNeighborRemoved: MAC, RLOC16 and State name a node with a radio connection: StateChild for a child of this node,
	// StateRouter for a router or a parent. They come in pairs: who is added is removed before it is added again.
	EventNeighborAdded
	EventNeighborRemoved
	// EventBorderRouterAdded, EventBorderRouterRemoved: RLOC16 serves Prefix, or does no more, with Preference; this node may be it.
	EventBorderRouterAdded
	EventBorderRouterRemoved
	// EventNetworkPending: the network will change after Delay, see Node.ChangeNetwork. EventNetwork: it has. EventNetworkRefused: a change
	// that this node has asked for is refused, or nobody has answered.
	EventNetworkPending
	EventNetwork
	EventNetworkRefused
	// EventRegistrationRefused: the mesh has no place for a prefix of BorderRouter.
	EventRegistrationRefused
	// EventKeySequence: the mesh has moved to another key sequence.
	EventKeySequence
	// EventCommissioner: this node is the commissioner, or is it no more: Active.
	EventCommissioner
	// EventJoiner: a node has come to join, see Node.Commission: Joiner says what has become of it, MAC is the address by which Allow named it, 0 if
	// it came as AnyNode, and Err, with JoinerFailed, is why.
	EventJoiner
)

// String returns the type in a few words.
func (t EventType) String() string {
	names := [...]string{"state", "partition", "address added", "address removed", "neighbor added", "neighbor removed",
		"border router added", "border router removed", "network pending", "network", "network refused", "registration refused",
		"key sequence", "commissioner", "joiner"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// Event is a change of what a node knows. Fields that its type does not set are zero.
type Event struct {
	Type EventType
	Time time.Time // by the radio's clock
	// Lost is how many events this reader has lost just before, since it was more than 64 behind.
	Lost int

	State       State
	PartitionID uint32
	MAC         MAC
	RLOC16      RLOC16
	Addr        netip.Addr
	Prefix      netip.Prefix
	Preference  Preference
	Delay       time.Duration
	Active      bool
	Joiner      JoinerStep
	Err         error
}

// String returns the event in one line, without the time.
func (e Event) String() string {
	s := e.Type.String()
	switch e.Type {
	case EventState:
		s += fmt.Sprintf(": %v", e.State)
	case EventPartition:
		s += fmt.Sprintf(": %d", e.PartitionID)
	case EventAddressAdded, EventAddressRemoved:
		s += fmt.Sprintf(": %v", e.Addr)
	case EventNeighborAdded, EventNeighborRemoved:
		s += fmt.Sprintf(": %v %v %v", e.State, e.RLOC16, e.MAC)
	case EventBorderRouterAdded, EventBorderRouterRemoved:
		s += fmt.Sprintf(": %v at %v, preference %v", e.Prefix, e.RLOC16, e.Preference)
	case EventCommissioner:
		s += fmt.Sprintf(": %v", e.Active)
	case EventJoiner:
		if s += fmt.Sprintf(": %v %v", e.MAC, e.Joiner); e.Err != nil {
			s += fmt.Sprintf(", %v", e.Err)
		}
	case EventNetworkPending:
		s += fmt.Sprintf(": in %v", e.Delay)
	}
	if e.Lost > 0 {
		s += fmt.Sprintf(" (%d events lost before it)", e.Lost)
	}
	return s
}

// eventBuffer is how many events wait for a slow reader; the oldest are lost then.
const eventBuffer = 64

// A watcher is a reader of events. The node's mutex guards it.
type watcher struct {
	events chan Event
	lost   int         // before the next event
	stop   func() bool // ends the wait for the context's end
}

// Events returns the node's events from now on, until ctx ends or the node is closed; then the channel is closed. A reader that
// is more than 64 events behind loses the oldest, and hears of how many.
func (n *Node) Events(ctx context.Context) <-chan Event {
	w := &watcher{events: make(chan Event, eventBuffer)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || ctx.Err() != nil {
		close(w.events)
		return w.events
	}
	n.watch[w] = struct{}{}
	w.stop = context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if _, ok := n.watch[w]; ok {
			delete(n.watch, w)
			close(w.events)
		}
	})
	return w.events
}

// emit hands an event to all who read them.
func (n *Node) emit(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watch {
		w.put(ev)
	}
}

func (w *watcher) put(ev Event) {
	for {
		ev.Lost = w.lost
		select {
		case w.events <- ev:
			w.lost = 0
			return
		default:
		}
		select {
		case old := <-w.events:
			w.lost += 1 + old.Lost
		default: // it has been read meanwhile
		}
	}
}

// seen is what the readers of events know of a node; the runner's.
type seen struct {
	addrs   []netip.Addr
	borders []MeshBorderRouter
}

// handleEvent takes an event of the engine, which stands for several where lists have changed. The runner's.
func (n *Node) handleEvent(ev thread.Event) {
	e := Event{Time: ev.Time, MAC: macOf(ev.ExtAddr), RLOC16: RLOC16(ev.RLOC16), Delay: ev.Delay}
	switch ev.Type {
	case thread.EventRole:
		e.Type, e.State, e.RLOC16 = EventState, State(ev.Role), 0
	case thread.EventPartition:
		leader, _ := n.engine.Leader()
		e.Type, e.PartitionID = EventPartition, leader.PartitionID
	case thread.EventAddresses:
		n.addressEvents(ev.Time)
		return
	case thread.EventNetworkData:
		n.borderRouterEvents(ev.Time)
		return
	case thread.EventChildAdded, thread.EventChildRemoved:
		e.Type, e.State = EventNeighborAdded, StateChild
		if ev.Type == thread.EventChildRemoved {
			e.Type = EventNeighborRemoved
		}
	case thread.EventNeighborAdded, thread.EventNeighborRemoved:
		e.Type, e.State = EventNeighborAdded, StateRouter
		if ev.Type == thread.EventNeighborRemoved {
			e.Type = EventNeighborRemoved
		}
	case thread.EventNetworkPending:
		e.Type = EventNetworkPending
	case thread.EventNetwork:
		e.Type = EventNetwork
	case thread.EventNetworkRefused:
		e.Type = EventNetworkRefused
	case thread.EventRegistrationRefused:
		e.Type = EventRegistrationRefused
	case thread.EventKeySequence:
		e.Type = EventKeySequence
	case thread.EventCommissioner:
		e.Type, e.Active = EventCommissioner, ev.Active
	case thread.EventJoiner:
		e.Type, e.Joiner, e.MAC, e.Err = EventJoiner, JoinerStep(ev.Joiner.Step), macOf(ev.Joiner.EUI64), ev.Err
	default:
		return
	}
	n.emit(e)
}

// addressEvents tells which addresses came and went.
func (n *Node) addressEvents(at time.Time) {
	addrs := n.engine.Addresses()
	for _, a := range n.seen.addrs {
		if !slices.Contains(addrs, a) {
			n.emit(Event{Type: EventAddressRemoved, Time: at, Addr: a})
		}
	}
	for _, a := range addrs {
		if !slices.Contains(n.seen.addrs, a) {
			n.emit(Event{Type: EventAddressAdded, Time: at, Addr: a})
		}
	}
	n.seen.addrs = addrs
	n.keepPycomAddress()
}

// borderRouterEvents tells which border routers came and went.
func (n *Node) borderRouterEvents(at time.Time) {
	borders := meshBorderRouters(n.engine)
	tell := func(t EventType, list, others []MeshBorderRouter) {
		for _, b := range list {
			if !slices.Contains(others, b) {
				n.emit(Event{Type: t, Time: at, Prefix: b.Prefix, Preference: b.Preference, RLOC16: b.RLOC16})
			}
		}
	}
	tell(EventBorderRouterRemoved, n.seen.borders, borders)
	tell(EventBorderRouterAdded, borders, n.seen.borders)
	n.seen.borders = borders
}
