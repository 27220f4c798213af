// Package strangers bounds what a node sends because of somebody who is no neighbor of it: Parent Responses, answers to Link Requests,
// refusals of those who take it for their parent. Everyone with a recording of such a request can send it again, and no neighbor's
// frame counter tells that it is old.
//
//	message ─► Hear ─► newer than all before it from there, or the first ─► share of the fresh
//	                └► older than another one ────────────────────────────► share of the stale
//	Allow ─► the asker's part and the whole of its share are not used up ─► answered
//	Prove ─► the asker has answered a challenge of this node: its counters count, and what it was answered is given back to the shares
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

const (
	// maxAskers is how many nodes are remembered, those heard last.
	maxAskers = 64
	// maxAnswered is how many messages are remembered for having been answered, whoever sent them. Who sends one of them again has a recording,
	// which is worth no second answer.
	maxAnswered = 512
)

// The shares of each purpose, in units of the longest frame's airtime: the answers to recordings take an eight-hundredth of the time at most
// in the long run, those to the fresh a four-hundredth. Nodes of a dense mesh that has lost its power all ask at once, and ask each other for
// links: that is what the bursts are for. An answer by which a node has become a neighbor was none to a recording, and is given back.
const (
	freshEvery, freshBurst           = 400, 32
	freshLinksBurst                  = 64 // a router has links with many, a node one parent
	askerFreshEvery, askerFreshBurst = 100, 16
	staleEvery, staleBurst           = 800, 16
	askerStaleEvery, askerStaleBurst = 400, 4

	// Where the longest frame takes less than fastFrame, the fresh may have so many times as much: nobody counts the airtime of such a radio, and
	// a cell may have hundreds of nodes.
	fastFrame = 10 * time.Millisecond
	fastTimes = 20
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
	each  [2]core.Rate           // for one asker, when its request is fresh and when it is stale
	all   [purposes][2]core.Rate // for all of them
	spent spent

	// answered are the messages that were answered, as a ring once they are maxAnswered.
	answered []message
	next     int

	// The askers. What each message looks for stands side by side.
	names  []ieee802154.ExtAddr
	at     []time.Time // when each was heard last
	askers []asker
	found  int // the one that was looked for last
}

// An asker is a node that was heard.
type asker struct {
	heard keys.Replay // from its newest MLE message on
	stale bool        // its last message was
	last  message
	costs *costs // nil before the first answer
}

// costs are those of the answers to one asker.
type costs struct {
	spent spent
	owed  [purposes][2]int // answers since the asker has last proven that it is there
}

// forget makes the entry one of an asker that was not heard yet.
func (k *asker) forget() {
	if k.costs != nil {
		*k.costs = costs{}
	}
	*k = asker{costs: k.costs}
}

// A message is what tells one message from all others: whose it is, its key sequence and frame counter, and its integrity code, for a node that
// has lost its frame counters begins with 0 again.
type message struct {
	ext     ieee802154.ExtAddr
	seq     keys.Sequence
	counter uint32
	mic     uint32
}

// New returns Answers for a radio on which the longest frame takes a time, that of all messages, positive.
func New(c *core.Core, frame time.Duration) *Answers {
	rate := func(frames, burst int) core.Rate {
		return core.Rate{Every: time.Duration(frames) * frame, Burst: burst}
	}
	fresh := 1
	if frame < fastFrame {
		fresh = fastTimes
	}
	a := &Answers{
		core: c,
		each: [2]core.Rate{rate(askerFreshEvery/fresh, askerFreshBurst), rate(askerStaleEvery, askerStaleBurst)},
	}
	for p := range a.all {
		a.all[p] = [2]core.Rate{rate(freshEvery/fresh, freshBurst), rate(staleEvery, staleBurst)}
	}
	a.all[ForLinks][0].Burst = freshLinksBurst
	return a
}

// Hear notes an authentic MLE message of a node that is no neighbor, or that is a neighbor's but not fresh, by its key sequence, frame
// counter and integrity code. It reports whether it is newer than all that was heard of the node before, as a recording is once at most.
func (a *Answers) Hear(ext ieee802154.ExtAddr, seq keys.Sequence, counter, mic uint32) (news bool) {
	k := a.asker(ext)
	k.last = message{ext, seq, counter, mic}
	if k.stale = k.heard.Check(seq, counter) != nil; !k.stale {
		k.heard.Accept(seq, counter)
	}
	return !k.stale
}

// Prove does the same for a node that has proven by a challenge that it is there, and that this is its frame counter. What it was answered so far
// is given back to the shares.
func (a *Answers) Prove(ext ieee802154.ExtAddr, seq keys.Sequence, counter, mic uint32) {
	k := a.asker(ext)
	if k.costs != nil {
		for p := range k.costs.owed {
			for which, n := range k.costs.owed[p] {
				a.spent[p][which].Return(n, a.all[p][which])
			}
		}
	}
	k.forget()
	k.heard.Accept(seq, counter)
	k.last = message{ext, seq, counter, mic}
}

// Allow reports whether the last message of a node may be answered, and counts the answer if so. A message that was answered already is
// a recording: it is refused, and leaves the shares to others.
func (a *Answers) Allow(ext ieee802154.ExtAddr, p Purpose) bool {
	k := a.asker(ext)
	which := 0
	if k.stale {
		which = 1
	}
	all := &a.spent[p][which]
	if !all.Ready(a.core.Now, a.all[p][which]) || k.costs != nil && !k.costs.spent[p][which].Ready(a.core.Now, a.each[which]) {
		return false
	}
	if slices.Contains(a.answered, k.last) {
		return false
	}
	if k.costs == nil {
		k.costs = new(costs)
	}
	k.costs.spent[p][which].Take(a.core.Now, a.each[which])
	all.Take(a.core.Now, a.all[p][which])
	k.costs.owed[p][which]++
	a.note(k.last)
	return true
}

// Withdraw takes back the count of an answer to a node that was not sent.
func (a *Answers) Withdraw(ext ieee802154.ExtAddr, p Purpose) {
	i := slices.Index(a.names, ext)
	if i < 0 || a.askers[i].costs == nil {
		return
	}
	for which, n := range a.askers[i].costs.owed[p] {
		if n > 0 {
			a.askers[i].costs.owed[p][which]--
			a.spent[p][which].Return(1, a.all[p][which])
			return
		}
	}
}

// note notes that a message was answered.
func (a *Answers) note(m message) {
	if len(a.answered) < maxAnswered {
		a.answered = append(a.answered, m)
		return
	}
	a.answered[a.next] = m
	a.next = (a.next + 1) % maxAnswered
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
func (a *Answers) Forget() {
	a.names, a.at, a.askers = a.names[:0], a.at[:0], a.askers[:0]
	a.answered, a.next = a.answered[:0], 0
}
