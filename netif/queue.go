package netif

import (
	"slices"
	"time"
)

// maxQueue bounds the packets that wait for airtime.
const maxQueue = 64

// allowance is the airtime that the host's packets may have, in any hour. The node's own frames do not count.
type allowance struct {
	level time.Duration // may be used at once
	at    time.Time     // of level
}

// refill lets the level rise by a share of the time, at most to burst.
func (a *allowance) refill(now time.Time, perHour, burst time.Duration) {
	if a.at.IsZero() {
		a.level = burst
	} else if d := now.Sub(a.at); d > 0 {
		d = min(d, time.Hour)
		a.level += time.Duration(float64(perHour) * (float64(d) / float64(time.Hour)))
	}
	a.at = now
	a.level = min(a.level, burst)
}

// wait is how long it takes until cost is there.
func (a *allowance) wait(cost, perHour time.Duration) time.Duration {
	if cost <= a.level {
		return 0
	}
	if perHour <= 0 {
		return time.Hour
	}
	return time.Duration(float64(cost-a.level) / float64(perHour) * float64(time.Hour))
}

// waiting is a packet in the queue.
type waiting struct {
	data []byte
	cost time.Duration
	talk talk
	once bool // talk replaces what is equal
	out  bool // it came from outside, see [pymesh.Node.Forward]
}

// queue holds what the host has for the mesh until there is airtime for it.
type queue struct {
	perHour func() time.Duration // the airtime that the host may have in an hour as things are
	burst   time.Duration
	maxWait time.Duration

	allowance allowance
	packets   []waiting
}

// put takes a packet, and says what it does with it; replaced is the size of an equal packet that gives way.
func (q *queue) put(now time.Time, w waiting) (v Verdict, replaced int) {
	perHour := q.perHour()
	q.allowance.refill(now, perHour, q.burst)
	if w.once {
		if i := slices.IndexFunc(q.packets, func(o waiting) bool { return o.once && o.talk == w.talk }); i >= 0 {
			replaced = len(q.packets[i].data)
			q.packets[i] = w
			return Passed, replaced
		}
	}
	if len(q.packets) >= maxQueue {
		return Full, 0
	}
	need := min(w.cost, q.burst) // see next
	for _, o := range q.packets {
		need += o.cost
	}
	if q.allowance.wait(need, perHour) > q.maxWait {
		return Late, 0
	}
	q.packets = append(q.packets, w)
	return Passed, 0
}

// next returns the packet that may go now, or how long to wait for it; wait is negative when the queue is empty.
func (q *queue) next(now time.Time) (w waiting, wait time.Duration, ok bool) {
	if len(q.packets) == 0 {
		return waiting{}, -1, false
	}
	perHour := q.perHour()
	q.allowance.refill(now, perHour, q.burst)
	w = q.packets[0]
	// What costs more than can be saved up goes when all is there, on credit.
	if wait = q.allowance.wait(min(w.cost, q.burst), perHour); wait > 0 {
		return waiting{}, wait, false
	}
	q.packets = slices.Delete(q.packets, 0, 1)
	q.allowance.level -= w.cost
	return w, 0, true
}

// putBack returns a packet for which the mesh had no room.
func (q *queue) putBack(w waiting) {
	q.allowance.level += w.cost
	q.packets = slices.Insert(q.packets, 0, w)
}
