package sender

import (
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
)

// What is held for sleeping children (Thread 1.1 §3.4, IEEE 802.15.4-2006 §7.5.6.3):
//
//	insert, Choose ─► sleeper? ─► held ── Polled ─► Choose ─► Start ─► MAC, once ─► Sent ─┬► next fragment, at the next poll
//	                                ▲                                                     ├► done
//	                                └────────── not acknowledged: at the next poll ───────┴► given up, after heldTries
//
// Each poll is answered with one frame, which says whether there is more. One that the child may have missed is sent again as it
// was, under the same frame counter: the child knows it if it did not.

// Limits that this implementation chose.
const (
	MaxHeld    = 8  // messages for one sleeping child
	MaxHeldAll = 64 // messages for all of them
)

// heldTries is how often a frame is sent, once for each poll, before its message is given up: OpenThread's number.
const heldTries = 4

// A sleeper is a child for which something is held.
type sleeper struct {
	child  ieee802154.ExtAddr
	queue  []*Message // by priority, but for what has been begun
	polled bool       // and waits for the answer
	tries  int        // of the frame that was sent last, in vain
	kept   []byte     // that frame
	end    int        // where in its message that frame ends
}

// Holds reports whether something is held for a sleeping child.
func (s *Sender) Holds(child ieee802154.ExtAddr) bool { return s.sleeper(child) != nil }

// HoldsMLE reports whether an MLE message of a command is.
func (s *Sender) HoldsMLE(child ieee802154.ExtAddr, c mle.Command) bool {
	sl := s.sleeper(child)
	return sl != nil && slices.ContainsFunc(sl.queue, func(m *Message) bool { return m.Kind == KindMLE && m.Command == c })
}

// Held counts what is held for sleeping children.
func (s *Sender) Held() (n int) {
	for _, sl := range s.sleepers {
		n += len(sl.queue)
	}
	return n
}

// Polled says that a sleeping child asks for what is held for it.
func (s *Sender) Polled(child ieee802154.ExtAddr) {
	if sl := s.sleeper(child); sl != nil {
		sl.polled = true
	}
}

// Supervise has an empty frame sent to a sleeping child, unless something else is held for it.
func (s *Sender) Supervise(child ieee802154.ExtAddr) {
	if s.On && !s.Holds(child) {
		m := s.New()
		m.Kind, m.For, m.Priority = KindEmpty, child, PriorityLow
		_ = s.hold(child, m)
	}
}

// Wake says that a child does not sleep any more: what was held for it goes out at once.
func (s *Sender) Wake(child ieee802154.ExtAddr) {
	for _, m := range s.forget(child) {
		switch {
		case m.Kind == KindEmpty:
			s.Free(m)
		case m.For != (ieee802154.ExtAddr{}):
			s.Counters.Replaced++ // it hears what is for all itself
			s.Free(m)
		default:
			_ = s.insert(m) // counted there
		}
	}
}

// Forget gives up what is held for a child that has gone.
func (s *Sender) Forget(child ieee802154.ExtAddr) {
	for _, m := range s.forget(child) {
		s.giveUp(m, NoWay)
	}
}

// forget empties what is held for a child.
func (s *Sender) forget(child ieee802154.ExtAddr) []*Message {
	i := slices.IndexFunc(s.sleepers, func(sl *sleeper) bool { return sl.child == child })
	if i < 0 {
		return nil
	}
	sl := s.sleepers[i]
	s.sleepers = slices.Delete(s.sleepers, i, i+1)
	if s.work.sleeper == sl {
		s.work = work{}
	}
	if s.chosen.sleeper == sl {
		s.chosen = choice{}
	}
	return sl.queue
}

func (s *Sender) sleeper(child ieee802154.ExtAddr) *sleeper {
	for _, sl := range s.sleepers {
		if sl.child == child {
			return sl
		}
	}
	return nil
}

// hold keeps a message for a sleeping child.
func (s *Sender) hold(child ieee802154.ExtAddr, m *Message) error {
	sl := s.sleeper(child)
	if sl == nil {
		sl = &sleeper{child: child}
		s.sleepers = append(s.sleepers, sl)
	}
	if m.Kind != KindEmpty { // which says no more than any other frame
		for i, other := range sl.queue {
			if other.Kind == KindEmpty && !s.fixed(sl, i) {
				s.removeHeld(sl, i)
				break
			}
		}
	}
	if (len(sl.queue) >= MaxHeld || s.Held() >= MaxHeldAll) && !s.displace(sl, m) {
		s.giveUp(m, QueueFull)
		s.tidy()
		return core.ErrQueueFull
	}
	i := len(sl.queue)
	for i > 0 && sl.queue[i-1].Priority < m.Priority && !s.fixed(sl, i-1) {
		i--
	}
	sl.queue = slices.Insert(sl.queue, i, m)
	return nil
}

// fixed reports whether a held message keeps its place: it has been begun, or sent in vain.
func (s *Sender) fixed(sl *sleeper, i int) bool {
	m := sl.queue[i]
	return m.begun() || m == s.work.message || i == 0 && sl.tries > 0
}

// displace makes a place for m by giving up the last message of lower priority, if there is one.
func (s *Sender) displace(sl *sleeper, m *Message) bool {
	for i := len(sl.queue) - 1; i >= 0; i-- {
		if sl.queue[i].Priority < m.Priority && !s.fixed(sl, i) {
			victim := sl.queue[i]
			sl.queue = slices.Delete(sl.queue, i, i+1)
			s.giveUp(victim, QueueFull)
			return true
		}
	}
	return false
}

// removeHeld takes a held message out, uncounted.
func (s *Sender) removeHeld(sl *sleeper, i int) {
	m := sl.queue[i]
	sl.queue = slices.Delete(sl.queue, i, i+1)
	s.Free(m)
}

// tidy forgets the sleepers for which nothing is held any more.
func (s *Sender) tidy() {
	s.sleepers = slices.DeleteFunc(s.sleepers, func(sl *sleeper) bool { return len(sl.queue) == 0 })
}

// chooseHeld picks the next answer to a poll. Those that have polled take turns.
func (s *Sender) chooseHeld() bool {
	for i := 0; i < len(s.sleepers); {
		sl := s.sleepers[i]
		if !sl.polled {
			i++
			continue
		}
		m := sl.queue[0]
		hop, answer := s.router.Route(m)
		if answer != Found {
			s.dropHeld(sl, NoWay)
			continue
		}
		s.chosen = choice{message: m, hop: hop, sleeper: sl}
		return true
	}
	return false
}

// dropHeld gives up the first message of a sleeper.
func (s *Sender) dropHeld(sl *sleeper, reason Reason) {
	s.giveUp(s.shift(sl), reason)
	s.tidy()
}

// shift takes the first message of a sleeper out.
func (s *Sender) shift(sl *sleeper) *Message {
	m := sl.queue[0]
	sl.queue = slices.Delete(sl.queue, 0, 1)
	sl.tries, sl.kept = 0, sl.kept[:0]
	return m
}

// startHeld hands the MAC the next frame for a sleeper that has polled.
func (s *Sender) startHeld(sl *sleeper, hop Hop) {
	m := sl.queue[0]
	s.lastHop = hop.Dst
	s.work = work{message: m, sleeper: sl}
	sl.polled = false
	if sl.tries > 0 {
		if _, err := s.mac.SendIndirect(ieee802154.Frame{Dst: hop.Dst}, sl.kept); err != nil {
			s.work = work{}
			s.dropHeld(sl, refused(err))
		}
		return
	}
	f, end, err := s.frameOf(m, hop)
	if err == nil {
		f.FramePending = f.FramePending || len(sl.queue) > 1
		sl.end = end
		var psdu []byte
		psdu, err = s.mac.SendIndirect(f, nil)
		sl.kept = append(sl.kept[:0], psdu...)
	}
	if err != nil {
		s.work = work{}
		s.dropHeld(sl, refused(err))
	}
}

// sentHeld is the MAC's report on a frame for a sleeper.
func (s *Sender) sentHeld(sl *sleeper, ok bool) {
	// The next turn is another one's.
	if i := slices.Index(s.sleepers, sl); i >= 0 {
		s.sleepers = append(slices.Delete(s.sleepers, i, i+1), sl)
	}
	m := sl.queue[0]
	switch {
	case !ok:
		if sl.tries++; sl.tries >= heldTries {
			s.dropHeld(sl, NotSent)
		}
		return
	case sl.end < len(m.Data):
		m.offset = sl.end
		sl.tries, sl.kept = 0, sl.kept[:0]
		return
	case m.Kind != KindEmpty:
		s.Counters.TxDatagrams++
	}
	s.Free(s.shift(sl))
	s.tidy()
}
