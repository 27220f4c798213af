package pymesh

import (
	"context"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

// TestSlowEventReader: the oldest events are lost, for that reader alone, and the node does not wait.
func TestSlowEventReader(t *testing.T) {
	n := &Node{watch: map[*watcher]struct{}{}}
	slow, quick := n.Events(context.Background()), n.Events(context.Background())
	const count = 3 * eventBuffer
	for i := range count {
		n.handleEvent(Event{RLOC16: mle.RLOC16(i)})
		if e := <-quick; int(e.RLOC16) != i {
			t.Fatalf("event %d, want %d", e.RLOC16, i)
		}
	}
	for i := count - eventBuffer; i < count; i++ {
		if e := <-slow; int(e.RLOC16) != i {
			t.Fatalf("event %d, want %d", e.RLOC16, i)
		}
	}
	select {
	case e := <-slow:
		t.Errorf("one more event: %v", e)
	default:
	}
}
