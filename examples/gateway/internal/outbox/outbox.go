// Package outbox holds what the world has for nodes of a mesh, so that it does not drown the mesh: one message at a time for a node, few in all,
// each no longer than it is of use, and no more airtime in an hour than the owner allows.
//
// It sends nothing and has no clock: the time is an argument.
package outbox

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Bounds.
const (
	MaxWaiting = 32
	// share of an hour's airtime that may be used at once, after silence.
	burst = 4
)

// Why something is refused.
var (
	ErrBusy = errors.New("outbox: one for this node is on its way")
	ErrFull = errors.New("outbox: too many wait")
)

// Item is a message for a node.
type Item struct {
	Node    string
	Port    uint16
	Payload []byte
	// Text says that the payload is a text for Pycom's library, whose arrival the board confirms.
	Text bool
	// Expires is when it is of no use any more; the zero value is never.
	Expires time.Time
	// Result hears how it goes, each stage once.
	Result func(stage string)
}

// Outbox is what waits. Its methods may be called by many goroutines at once.
type Outbox struct {
	budget time.Duration

	mu      sync.Mutex
	waiting []Item
	busy    map[string]bool // nodes with an item, waiting or taken
	left    time.Duration   // of the airtime
	paid    time.Time       // when left was right
	more    chan struct{}
}

// New returns an empty one that spends so much airtime in an hour.
func New(now time.Time, perHour time.Duration) *Outbox {
	return &Outbox{budget: perHour, busy: map[string]bool{}, left: perHour / burst, paid: now, more: make(chan struct{}, 1)}
}

// Put takes an item, unless there is one for its node, or too many.
func (o *Outbox) Put(i Item) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.busy[i.Node]:
		return ErrBusy
	case len(o.waiting) >= MaxWaiting:
		return ErrFull
	}
	o.busy[i.Node] = true
	o.waiting = append(o.waiting, i)
	o.signal()
	return nil
}

func (o *Outbox) signal() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// More has a value when an item waits.
func (o *Outbox) More() <-chan struct{} { return o.more }

// Take returns the oldest item; late says that it is of no use any more. The caller calls Done with it.
func (o *Outbox) Take(now time.Time) (i Item, late, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return Item{}, false, false
	}
	i = o.waiting[0]
	if o.waiting = slices.Delete(o.waiting, 0, 1); len(o.waiting) > 0 {
		o.signal()
	}
	return i, !i.Expires.IsZero() && !now.Before(i.Expires), true
}

// Len returns how many items there are, waiting or taken.
func (o *Outbox) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.busy)
}

// Done lets the next item for the node in.
func (o *Outbox) Done(i Item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, i.Node)
}

// Pay takes airtime from what is left for this hour, and reports false if there is not enough.
func (o *Outbox) Pay(now time.Time, airtime time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if passed := min(now.Sub(o.paid), time.Hour); passed > 0 {
		o.left = min(o.left+time.Duration(float64(o.budget)*passed.Hours()), o.budget/burst)
		o.paid = now
	}
	if airtime > o.left {
		return false
	}
	o.left -= airtime
	return true
}
