package pymesh

import (
	"context"
	"testing"
)

// TestSlowEventReader: the oldest events are lost, for that reader alone, and the node does not wait.
func TestSlowEventReader(t *testing.T) {
	n := &Node{watch: map[*watcher]struct{}{}}
	slow, quick := n.Events(context.Background()), n.Events(context.Background())
	const count = 3 * eventBuffer
	for i := range count {
		n.emit(Event{RLOC16: RLOC16(i)})
		if e := <-quick; int(e.RLOC16) != i {
			t.Fatalf("event %d, want %d", e.RLOC16, i)
		}
	}
	lost := 0
	for i := count - eventBuffer; i < count; i++ {
		e := <-slow
		if int(e.RLOC16) != i {
			t.Fatalf("event %d, want %d", e.RLOC16, i)
		}
		lost += e.Lost
	}
	n.emit(Event{})
	if e := <-slow; lost+e.Lost != count-eventBuffer {
		t.Errorf("%d events lost, want %d", lost+e.Lost, count-eventBuffer)
	}
	select {
	case e := <-slow:
		t.Errorf("one more event: %v", e)
	default:
	}
}
