package mac

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// How long an acknowledgement takes depends on who sends it: a host that is slow would be sent each frame twice. So each neighbor has a smoothed
// time of its own. Acknowledgements are not authenticated: who forges them acknowledges, and moves the wait within its bounds.
//
// Nothing is gained by a shorter wait for who is quick. Measured over an hour of pings in each of twelve fields of 8 and 16 nodes, waits of 50 to
// 600 ms, as TCP finds them (RFC 6298 §2), in place of 150 ms changed no figure by more than the next seed does.

// ackWait is how long to wait for the acknowledgement of the frame in work, from the end of the transmission.
func (m *MAC) ackWait() time.Duration {
	wait := m.timing.AckWait
	if n := m.record(m.dst); n != nil {
		wait = max(min(n.AckTime+wait/2, m.timing.AckWaitMax), wait)
	}
	return wait
}

// learnAckTime takes the time that an acknowledgement took.
func learnAckTime(n *neighbors.Neighbor, took time.Duration) {
	if n.AckTime == 0 {
		n.AckTime = took
		return
	}
	n.AckTime += (took - n.AckTime) / 8
}
