package pymesh

import (
	"context"

	"github.com/gopymesh/pymesh/thread"
)

// Event is a change of the node's state.
type Event = thread.Event

// eventBuffer is how many events wait for a slow reader; the oldest are lost then.
const eventBuffer = 64

type watcher struct {
	events chan Event
	stop   func() bool // ends the wait for the context's end
}

// Events returns the node's events from now on, until ctx ends or the node is closed; then the channel is closed. A reader that
// is more than 64 events behind loses the oldest.
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

func (n *Node) handleEvent(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.watch {
		for {
			select {
			case w.events <- ev:
			default:
				select {
				case <-w.events:
				default:
				}
				continue
			}
			break
		}
	}
}
