package mac

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// exchange sends a frame to the child, which acknowledges it a time after it has it, and returns how often it was sent.
func (n *node) exchange(took time.Duration) (tries int) {
	n.t.Helper()
	n.send(frame(neighbors.ShortAddr(child)))
	psdu := n.try()
	n.HandleTransmitDone(nil)
	tries++
	due := n.core.Now.Add(took)
	for next, ok := n.NextTimeout(); ok && !next.After(due); next, ok = n.NextTimeout() {
		n.core.Advance(next)
		n.HandleTimeout()
		if _, again := n.PollTransmit(); again {
			n.HandleTransmitDone(nil)
			tries++
		}
	}
	n.core.Advance(due)
	n.ack(psdu[2], -50)
	if n.result() != Acked {
		n.t.Fatal("not acknowledged")
	}
	return tries
}

// Who takes longer than AckWait to acknowledge is sent each frame once, when that is known; who does not is not waited for any longer.
func TestAckWaitLearned(t *testing.T) {
	n := newNode(t, timing)
	n.timing.AckWaitMax = 4 * timing.AckWait
	slow, quick := timing.AckWait+2*time.Millisecond, timing.AckWait/4
	for range 20 {
		n.exchange(slow)
	}
	if tries := n.exchange(slow); tries != 1 || n.ackWait() < slow || n.ackWait() > 2*timing.AckWait {
		t.Errorf("to a slow neighbor: sent %d times, waits for %v", tries, n.ackWait())
	}
	for range 40 {
		n.exchange(quick)
	}
	if n.ackWait() != timing.AckWait {
		t.Errorf("a neighbor that has become quick is waited for for %v", n.ackWait())
	}
	if n.child.AckTime = time.Hour; n.ackWait() != n.timing.AckWaitMax {
		t.Errorf("the longest wait is %v", n.ackWait())
	}
	if n.timing.AckWaitMax = 0; n.ackWait() != timing.AckWait {
		t.Errorf("stock waits for %v", n.ackWait())
	}
	n.timing.AckWaitMax = 4 * timing.AckWait
	if n.dst = neighbors.ShortAddr(far); n.ackWait() != timing.AckWait {
		t.Errorf("a neighbor that has not acknowledged yet is waited for for %v", n.ackWait())
	}
}
