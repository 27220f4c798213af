package thread

import "time"

// How long a search waits, before it begins and for answers.

// seekLater is how many times SearchJitter others go ahead of who may wait in a search for a better partition.
const seekLater = 20

// startDelay is at random for the first attempt, then grows exponentially.
func (a *attacher) startDelay() time.Duration {
	t := a.timing
	if a.mode == attachAny && a.leaderless() {
		return time.Millisecond + a.succession() // one founds a partition before the others do
	}
	if a.mode == attachBetter {
		return a.seekDelay()
	}
	if a.role != RoleDetached {
		if a.full() {
			return time.Millisecond + a.RandomUpTo(4*t.SearchJitter)
		}
		return time.Millisecond + a.RandomUpTo(t.SearchJitter)
	}
	if a.counter == 0 {
		if t.SearchJitter > 0 {
			return time.Millisecond + a.RandomUpTo(t.SearchJitter)
		}
		return time.Millisecond + a.RandomUpTo(t.ParentRequestRouters)
	}
	shift := a.counter - 1
	delay := t.AttachBackoffMax
	if shift < 32 && t.AttachBackoffMin<<shift <= t.AttachBackoffMax {
		delay = t.AttachBackoffMin << shift
	} else {
		delay += a.RandomUpTo(2*t.AttachBackoffJitter) - t.AttachBackoffJitter
	}
	if a.full() { // Deviation: for stock each failure counts the same, whatever the reason
		delay += a.RandomUpTo(2 * a.timing.AttachHold)
	}
	return delay + a.RandomUpTo(max(attachStartJitter, attachStartAirtimes*t.FrameTime))
}

// seekDelay is how long a search for a better partition waits: longer where the channel is full, and then longest for an end device, and until a
// router is heard there.
func (a *attacher) seekDelay() time.Duration {
	times := 1
	if a.full() {
		times = 4
		if a.role == RoleChild && a.routerEligible() {
			times += seekLater
		}
		if !a.ofRouter {
			times += seekLater
		}
	}
	return time.Millisecond + a.RandomUpTo(time.Duration(times)*a.timing.SearchJitter)
}

// succession is how long a node waits before it searches for a partition with a leader, and founds one if there is none: routers in the order of
// their IDs, which all know, end devices after them.
func (a *attacher) succession() time.Duration {
	hold := a.timing.AttachHold
	if !a.isRouter() {
		return hold + a.RandomUpTo(3*hold)
	}
	rank := 0
	for id := range a.neighbors.Routers.Assigned().All() {
		if id < a.ownID() && id != a.leader.LeaderRouterID {
			rank++
		}
	}
	return min(time.Duration(rank)*hold*2, 6*hold) + a.RandomUpTo(hold/2)
}

// window is how long answers are awaited, where ordinary is what stock waits.
//
// Deviation: stock's nodes that have asked at the same time, too far apart to hear each other, ask at the same time ever after.
func (a *attacher) window(ordinary time.Duration) time.Duration {
	t := a.timing
	switch {
	case t.AttachHold == 0:
		return ordinary
	case a.leaderless():
		return min(ordinary, t.ParentResponseAll+t.SearchJitter/3) // all are searching, and who comes first is agreed
	case a.courtesy.middle:
		return min(ordinary, t.ParentResponseAll+t.SearchJitter) // all are searching
	case a.asksOne() && !a.isCrowded():
		return min(ordinary, t.SearchJitter) // it answers at once
	case a.role == RoleDetached:
		return ordinary*3/5 + a.RandomUpTo(ordinary/5)
	}
	return ordinary
}
