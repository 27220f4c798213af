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
	purposes
)

// spent is what was spent of each share, those of the fresh and of the stale.
type spent [purposes][2]core.Bucket

// Answers bounds what is sent because of nodes that are no neighbors.
type Answers struct {
	core   *core.Core
	each   [2]core.Rate // for one asker, when its request is fresh and when it is stale
	all    [2]core.Rate // for all of them
	spent  spent
	names  []name // of the askers, apart from the rest: each message looks for one among them
	askers []asker
}

// A name is an asker's address, and when it was heard last.
type name struct {
	ext ieee802154.ExtAddr
	at  time.Time
}

// An asker is a node that was heard.
type asker struct {
	heard keys.Replay // from its newest MLE message on
	stale bool        // its last message was
	last  message
	spent spent

	// answered are the last messages that were answered, as a ring: who sends one of them again has a recording.
	answered [maxAnswered]message
	next     uint8
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
		core:   c,
		each:   [2]core.Rate{rate(askerFreshEvery, askerFreshBurst), rate(askerStaleEvery, askerStaleBurst)},
		all:    [2]core.Rate{rate(freshEvery, freshBurst), rate(staleEvery, staleBurst)},
		names:  make([]name, 0, maxAskers),
		askers: make([]asker, maxAskers),
	}
}

// Hear notes an authentic MLE message of a node that is no neighbor, by its key sequence and frame counter.
func (a *Answers) Hear(ext ieee802154.ExtAddr, seq keys.Sequence, counter uint32) {
	k := a.asker(ext)
	k.last = messageOf(seq, counter)
	if k.stale = k.heard.Check(seq, counter) != nil; !k.stale {
		k.heard.Accept(seq, counter)
	}
}

// Prove notes an MLE message of a node that has proven by a challenge that it is there, and that this is its frame counter.
func (a *Answers) Prove(ext ieee802154.ExtAddr, seq keys.Sequence, counter uint32) {
	k := a.asker(ext)
	*k = asker{}
	k.heard.Accept(seq, counter)
}

// Allow reports whether the last message of a node may be answered, and counts the answer if so. A message that was answered already is
// a recording: it is refused, and leaves the node's share to others of its messages.
func (a *Answers) Allow(ext ieee802154.ExtAddr, p Purpose) bool {
	k := a.asker(ext)
	if k.last != 0 && slices.Contains(k.answered[:], k.last) {
		return false
	}
	which := 0
	if k.stale {
		which = 1
	}
	mine, all := &k.spent[p][which], &a.spent[p][which]
	if !mine.Ready(a.core.Now, a.each[which]) || !all.Ready(a.core.Now, a.all[which]) {
		return false
	}
	mine.Take(a.core.Now, a.each[which])
	all.Take(a.core.Now, a.all[which])
	k.answered[k.next] = k.last
	k.next = (k.next + 1) % maxAnswered
	return true
}

// asker returns the entry of a node that was just heard. The one that was silent for longest gives way to a new one.
func (a *Answers) asker(ext ieee802154.ExtAddr) *asker {
	i := slices.IndexFunc(a.names, func(n name) bool { return n.ext == ext })
	if i < 0 {
		i = a.place()
		a.names[i].ext, a.askers[i] = ext, asker{}
	}
	a.names[i].at = a.core.Now
	return &a.askers[i]
}

// place returns the index of a new entry.
func (a *Answers) place() int {
	if n := len(a.names); n < maxAskers {
		a.names = a.names[:n+1]
		return n
	}
	oldest := 0
	for i := range a.names {
		if a.names[i].at.Before(a.names[oldest].at) {
			oldest = i
		}
	}
	return oldest
}

// Forget forgets everybody, as under another network key.
func (a *Answers) Forget() { a.names = a.names[:0] }
