// Package strangers bounds what a node sends because of somebody who is no neighbor of it: Parent Responses, answers to Link Requests,
// refusals of those who take it for their parent. Everyone with a recording of such a request can send it again, and no neighbor's
// frame counter tells that it is old.
//
//	message ─► Hear ─► newer than all before it from there, or the first ─► share of the fresh
//	                └► older than another one ────────────────────────────► share of the stale
//	Allow ─► the asker's part and the whole of its share are not used up ─► answered
//	Prove ─► the asker has answered a challenge of this node: its counters count, and its parts are whole again
//
// A recording is fresh once, so that all who have recordings have the share of the stale between them, which is small. It is not
// nothing: a node that has lost its frame counters looks like a recording.
//
// Not every message is heard: what would change nothing when it comes is not even authenticated. It may be fresh later, once as well.
package strangers

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/keys"
)

// maxAskers is how many nodes are remembered, those heard last.
const maxAskers = 64

// The shares of each purpose, in units of the longest frame's airtime: the answers to recordings take a four-hundredth of the time at most
// in the long run. Those to the fresh may take a twentieth: nodes of a dense mesh that has lost its power all ask at once, and ask each
// other for links, while nobody has a recording that is fresh for a second time.
const (
	freshEvery, freshBurst           = 20, 32
	askerFreshEvery, askerFreshBurst = 25, 8
	staleEvery, staleBurst           = 400, 8
	askerStaleEvery, askerStaleBurst = 400, 4
)

// Purpose is what an answer is for. Each has shares of its own: links that never come about must not take a child's parents from it.
type Purpose uint8

// Purposes.
const (
	ForChildren Purpose = iota // to become a child, or to learn that one is none
	ForLinks
	ForReturn // to a neighbor that seems to begin anew: recordings of neighbors must not take their share from who is no neighbor
	purposes
)

// spent is what was spent of each share, those of the fresh and of the stale.
type spent [purposes][2]core.Bucket

// Answers bounds what is sent because of nodes that are no neighbors.
type Answers struct {
	core  *core.Core
	each  [2]core.Rate // for one asker, when its request is fresh and when it is stale
	all   [2]core.Rate // for all of them
	spent spent

	// The askers. What each message looks for stands side by side.
	names  []ieee802154.ExtAddr
	at     []time.Time // when each was heard last
	askers []asker
	found  int // the one that was looked for last
}

// An asker is a node that was heard.
type asker struct {
	heard   keys.Replay // from its newest MLE message on
	stale   bool        // its last message was
	last    message
	answers *answers // nil before the first
}

// answers are those to one asker.
type answers struct {
	spent spent
	// last are the last messages that were answered, as a ring once they are maxAnswered: who sends one of them again has a recording.
	last []message
	next uint8
}

// note notes that a message was answered.
func (s *answers) note(m message) {
	if len(s.last) < maxAnswered {
		s.last = append(s.last, m)
		return
	}
	s.last[s.next] = m
	s.next = (s.next + 1) % maxAnswered
}

// forget makes the entry one of an asker that was not heard yet.
func (k *asker) forget() {
	if k.answers != nil {
		*k.answers = answers{last: k.answers.last[:0]}
	}
	*k = asker{answers: k.answers}
}

// maxAnswered is how many of a node's messages are remembered for having been answered.
const maxAnswered = 16

// A message is told from others of its sender's by its key sequence and frame counter. The zero message is none.
type message uint64

func messageOf(seq keys.Sequence, counter uint32) message {
	return message(seq)<<32 | message(counter) + 1 // no message has the largest counter
}

// New returns Answers for a radio on which the longest frame takes a time, that of all messages, positive.
func New(c *core.Core, frame time.Duration) *Answers {
	rate := func(frames, burst int) core.Rate {
		return core.Rate{Every: time.Duration(frames) * frame, Burst: burst}
	}
	return &Answers{
		core: c,
		each: [2]core.Rate{rate(askerFreshEvery, askerFreshBurst), rate(askerStaleEvery, askerStaleBurst)},
		all:  [2]core.Rate{rate(freshEvery, freshBurst), rate(staleEvery, staleBurst)},
	}
}

// Hear notes an authentic MLE message of a node that is no neighbor, or that is a neighbor's but not fresh, by its key sequence and frame
// counter. It reports whether it is newer than all that was heard of the node before, as a recording is once at most.
func (a *Answers) Hear(ext ieee802154.ExtAddr, seq keys.Sequence, counter uint32) (news bool) {
	k := a.asker(ext)
	k.last = messageOf(seq, counter)
	if k.stale = k.heard.Check(seq, counter) != nil; !k.stale {
		k.heard.Accept(seq, counter)
	}
	return !k.stale
}

// Prove notes an MLE message of a node that has proven by a challenge that it is there, and that this is its frame counter.
func (a *Answers) Prove(ext ieee802154.ExtAddr, seq keys.Sequence, counter uint32) {
	k := a.asker(ext)
	k.forget()
	k.heard.Accept(seq, counter)
}

// Allow reports whether the last message of a node may be answered, and counts the answer if so. A message that was answered already is
// a recording: it is refused, and leaves the node's share to others of its messages.
func (a *Answers) Allow(ext ieee802154.ExtAddr, p Purpose) bool {
	k := a.asker(ext)
	if k.last != 0 && k.answers != nil && slices.Contains(k.answers.last, k.last) {
		return false
	}
	which := 0
	if k.stale {
		which = 1
	}
	all := &a.spent[p][which]
	if !all.Ready(a.core.Now, a.all[which]) || k.answers != nil && !k.answers.spent[p][which].Ready(a.core.Now, a.each[which]) {
		return false
	}
	if k.answers == nil {
		k.answers = new(answers)
	}
	mine := &k.answers.spent[p][which]
	mine.Take(a.core.Now, a.each[which])
	all.Take(a.core.Now, a.all[which])
	k.answers.note(k.last)
	return true
}

// asker returns the entry of a node that was just heard. The one that was silent for longest gives way to a new one.
func (a *Answers) asker(ext ieee802154.ExtAddr) *asker {
	if a.found >= len(a.names) || a.names[a.found] != ext {
		if a.found = slices.Index(a.names, ext); a.found < 0 {
			a.found = a.place()
			a.names[a.found] = ext
			a.askers[a.found].forget()
		}
	}
	a.at[a.found] = a.core.Now
	return &a.askers[a.found]
}

// place returns the index of a new entry.
func (a *Answers) place() int {
	if n := len(a.names); n < maxAskers {
		if n == cap(a.askers) { // what an asker has from before Forget stays with it
			a.askers = slices.Grow(a.askers, 1)
		}
		a.names, a.at, a.askers = append(a.names, ieee802154.ExtAddr{}), append(a.at, time.Time{}), a.askers[:n+1]
		return n
	}
	oldest := 0
	for i := range a.at {
		if a.at[i].Before(a.at[oldest]) {
			oldest = i
		}
	}
	return oldest
}

// Forget forgets everybody, as under another network key.
func (a *Answers) Forget() { a.names, a.at, a.askers = a.names[:0], a.at[:0], a.askers[:0] }
