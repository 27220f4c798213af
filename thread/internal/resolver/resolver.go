// Package resolver is the address query of one node (Thread 1.1 §5.4.2): which node has an endpoint identifier? It keeps the
// addresses that are known and the state of the questions.
//
//	datagrams on their way ─► Resolve ─► Known | Asking | Refused ──► PollAsk: to be asked of all routers
//	datagrams that come ────► Learn, Correct
//	answers ────────────────► Notify ──► Ignored | Accepted | Conflict
//	loop, no route ─────────► Fail, ForgetRLOC16, ForgetRouter, Clear ──► PollEffect: Found | Unreachable
//	a node has joined ──────► ForgetFailures
//	time ───────────────────► Tick
//
// The room knows no messages and sends none. Datagrams for an address that is being asked for wait elsewhere: PollEffect says what
// becomes of them.
package resolver

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// maxAddresses is the number of addresses that a node remembers. This implementation chose it.
const maxAddresses = 128

// maxFailed is how many failures are remembered: what others say of those addresses may be older.
const maxFailed = 16

// Timing is how long questions take (Thread 1.1 §5.4.2).
type Timing struct {
	Query    time.Duration // wait for an answer
	Retry    time.Duration // first pause after a question without one, doubled after each further one
	RetryMax time.Duration // longest pause
}

// Answer is what becomes of a datagram to an address beyond this link.
type Answer uint8

// Answers.
const (
	Known   Answer = iota // the locator is known
	Asking                // the question is open: the datagram may wait for an effect
	Refused               // asking has just failed, or there is no place for another question
)

// Outcome is what an Address Notification was good for.
type Outcome uint8

// Outcomes.
const (
	Ignored  Outcome = iota // nobody asked, or a later answer is known
	Accepted                // the address is known now
	Conflict                // another node has given itself out for the owner: both are to hear of it
)

// EffectKind is how a question ended.
type EffectKind uint8

// Ends of a question.
const (
	Found       EffectKind = iota // the address is known: what waits for it can go
	Unreachable                   // there was no answer: what waits is to be dropped
)

// An Effect is the end of a question that [Resolver.Resolve] has answered with [Asking].
type Effect struct {
	Kind   EffectKind
	Target netip.Addr
}

// state is how far an address has come. The zero state is that of a free place.
type state uint8

const (
	stateNone state = iota
	stateAsking
	statePausing
	stateKnown
)

type entry struct {
	state  state
	target netip.Addr
	used   time.Time // when a datagram last asked for it

	// Of a question.
	until time.Time     // when the wait or the pause ends
	pause time.Duration // the latest pause

	// Of a known address.
	rloc     mle.RLOC16
	answered bool            // known from a notification, not from a datagram that passed; what follows is valid then
	iid      ip6.InterfaceID // of the owner's ML-EID
	age      time.Duration   // since the owner's last transaction, as the answer said
	said     time.Time       // when the owner was there
	told     uint8           // how often neighbors were told where it is
	spoke    bool            // that node has sent to this one, which it knew
	knows    mle.RLOC16      // to be here
	refused  bool            // it did not find out for whom a datagram without addresses was
}

// A Resolver is the addresses of one node. The question goes to all routers by multicast; who has the address, itself or through
// a minimal child, answers. For each address:
//
//	          first datagram          notification, datagram from there          loop, no route, owner gone
//	(none) ─────────────────► asking ───────────────────────────────────► known ────────────────────────────► (none)
//	                          │    ▲                                       ▲
//	        no answer in time ▼    │ next datagram after the pause         │
//	                          pausing ─────────────────────────────────────┘
//	                             │       notification, datagram from there
//	                             └─► (none): a node has joined
//
// In a full table another address takes the place of the one used longest ago, but never of one being asked for. Each question ends
// with one [Effect], when the address leaves the state asking.
type Resolver struct {
	core    *core.Core
	timing  Timing
	entries []*entry // at most maxAddresses
	open    int      // entries in state asking

	// asks are the questions to be sent: each belongs to an entry in state asking, so that there are at most as many.
	asks []netip.Addr
	// effects are the ends that nobody has fetched yet. Together with the open questions, each of which will have one, they are
	// at most as many as there are entries: Resolve sees to that.
	effects []Effect

	failed     [maxFailed]failure // the latest, as a ring
	nextFailed int
}

// A failure is an address that turned out not to be where it was known to be.
type failure struct {
	target netip.Addr
	at     time.Time
}

// New returns an empty Resolver.
func New(c *core.Core, t Timing) *Resolver {
	return &Resolver{core: c, timing: t}
}

// Resolve returns the locator of target, if it is [Known]. If not it asks, unless that has just failed: see [Answer]. While
// questions are open [Resolver.Tick] must be called.
func (r *Resolver) Resolve(target netip.Addr) (mle.RLOC16, Answer) {
	e := r.find(target)
	switch {
	case e == nil:
	case e.state == stateKnown:
		e.used = r.core.Now
		return e.rloc, Known
	case e.state == stateAsking:
		return 0, Asking
	case r.core.Now.Before(e.until):
		return 0, Refused
	}
	if r.open+len(r.effects) >= maxAddresses {
		return 0, Refused
	}
	if e == nil {
		e = r.place()
		*e = entry{target: target}
	}
	e.state = stateAsking
	r.open++
	e.used = r.core.Now
	e.until = r.core.Now.Add(r.timing.Query)
	r.asks = append(r.asks, target)
	return 0, Asking
}

// Learn notes that src, an address on the mesh, is at rloc: a datagram for this node came from there, which is to be answered, or a
// question.
//
// Deviation: OpenThread only corrects what it knows. Whoever is spoken to would have to ask where to answer, by a multicast of the whole
// mesh.
func (r *Resolver) Learn(src netip.Addr, rloc mle.RLOC16) {
	e := r.find(src)
	if e == nil {
		if e = r.place(); e == nil {
			return
		}
		*e = entry{target: src, used: r.core.Now}
	}
	r.know(e, rloc)
}

// Correct notes that a datagram of src has come from rloc, if src is an address that this node talks to (Thread 1.1 §5.5.2.2).
func (r *Resolver) Correct(src netip.Addr, rloc mle.RLOC16) {
	if e := r.find(src); e != nil {
		r.know(e, rloc)
	}
}

func (r *Resolver) know(e *entry, rloc mle.RLOC16) {
	r.settle(e, Found)
	switch {
	case e.rloc != rloc && e.rloc != 0:
		e.told = 0 // others may know the old place
		e.refused = false
	case e.state != stateKnown:
		e.told = 1
	}
	e.state, e.rloc, e.said = stateKnown, rloc, r.core.Now
}

// Notify takes an Address Notification (Thread 1.1 §5.4.2): target is at rloc, and belongs to the node whose ML-EID ends in iid. age is
// the time since that node was last heard of, 0 if it answered itself. Of two answers that name the same owner the one with the
// lower age is right; two that name different owners are a [Conflict], which changes nothing here.
func (r *Resolver) Notify(target netip.Addr, iid ip6.InterfaceID, rloc mle.RLOC16, age time.Duration) Outcome {
	e := r.find(target)
	switch {
	case e == nil:
		return Ignored
	case e.answered && e.iid != iid:
		return Conflict
	case e.answered && age >= e.age:
		return Ignored
	}
	r.settle(e, Found)
	told, refused := e.told, e.refused
	if e.rloc != rloc {
		told, refused = 0, false
	}
	*e = entry{
		state: stateKnown, target: target, used: r.core.Now, rloc: rloc, answered: true, iid: iid, age: age, said: r.core.Now.Add(-age), told: told,
		spoke: e.spoke, knows: e.knows, refused: refused,
	}
	return Accepted
}

// Fail forgets where target is: it turned out not to be there.
func (r *Resolver) Fail(target netip.Addr) {
	r.forget(func(e *entry) bool { return e.target == target })
	r.failed[r.nextFailed] = failure{target, r.core.Now}
	r.nextFailed = (r.nextFailed + 1) % len(r.failed)
}

// sameSaying is by how much what a neighbor says of an address must be newer than what is known to say something else: ages are rounded.
const sameSaying = 5 * time.Second

// Hear takes the word of a neighbor that src was at rloc at a time. What is known from later on counts for more.
//
// first says that the neighbor is that node itself.
func (r *Resolver) Hear(src netip.Addr, rloc mle.RLOC16, said time.Time, first bool) {
	for _, f := range r.failed {
		if f.target == src && !said.After(f.at) {
			return
		}
	}
	e := r.find(src)
	switch {
	case e == nil:
		if e = r.place(); e == nil || e.state != stateNone && !e.used.IsZero() {
			return // what is used counts for more
		}
		*e = entry{target: src}
	case e.state == stateKnown && !first && !said.After(e.said.Add(sameSaying)):
		return
	}
	r.know(e, rloc)
	e.said = said
}

// Place returns where a known address is, and how long ago it was known to be there.
func (r *Resolver) Place(target netip.Addr) (rloc mle.RLOC16, age time.Duration, ok bool) {
	e := r.find(target)
	if e == nil || e.state != stateKnown {
		return 0, 0, false
	}
	return e.rloc, r.core.Now.Sub(e.said), true
}

// Spoke notes that src has sent to this node, which it knows to be at self.
func (r *Resolver) Spoke(src netip.Addr, self mle.RLOC16) {
	if e := r.find(src); e != nil {
		e.spoke, e.knows = true, self
	}
}

// Brief reports what a datagram to target may leave out, which is known: both addresses if target knows that this node is at self, else its own.
func (r *Resolver) Brief(target netip.Addr, self mle.RLOC16) (src, dst bool) {
	e := r.find(target)
	if e == nil || e.refused {
		return false, false
	}
	return e.spoke && e.knows == self, true
}

// Refuse notes that the node at rloc did not find out for whom a datagram was that had left out addresses: no further ones do. It
// reports whether an address is known to be there.
func (r *Resolver) Refuse(rloc mle.RLOC16) (found bool) {
	for _, e := range r.entries {
		if e.state == stateKnown && e.rloc == rloc {
			e.spoke, e.refused, found = false, true, true
		}
	}
	return found
}

// At yields the addresses that are known to be at rloc.
func (r *Resolver) At(rloc mle.RLOC16) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, e := range r.entries {
			if e.state == stateKnown && e.rloc == rloc && !yield(e.target) {
				return
			}
		}
	}
}

// Known returns the known address within a prefix that ends in t.
func (r *Resolver) Known(t Tail, prefix netip.Prefix) (target netip.Addr, ok bool) {
	for _, e := range r.entries {
		if e.state == stateKnown && TailOf(e.target) == t && prefix.Contains(e.target) {
			return e.target, true
		}
	}
	return netip.Addr{}, false
}

// Has reports whether a target is known, or asked for.
func (r *Resolver) Has(target netip.Addr) bool {
	e := r.find(target)
	return e != nil && e.state != statePausing
}

// TellAgain has Tell yield a known address once more.
func (r *Resolver) TellAgain(target netip.Addr) {
	if e := r.find(target); e != nil && e.state == stateKnown {
		e.told = min(e.told, maxTold-1)
	}
}

// maxTold is how often neighbors are told where an address is.
const maxTold = 3

// Untold returns how many addresses there are of which Tell has something to tell.
func (r *Resolver) Untold() (n int) {
	for _, e := range r.entries {
		if e.state == stateKnown && e.told < maxTold {
			n++
		}
	}
	return n
}

// Tell yields what the neighbors are to hear, the least told first, and notes of each that it was told. It ends when yield returns false,
// and that one was not.
func (r *Resolver) Tell(yield func(target netip.Addr, rloc mle.RLOC16, age time.Duration) bool) {
	var done [maxAddresses]bool
	for told := range uint8(maxTold) {
		for i, e := range r.entries {
			if e.state != stateKnown || e.told != told || done[i] {
				continue
			}
			if !yield(e.target, e.rloc, r.core.Now.Sub(e.said)) {
				return
			}
			e.told++
			done[i] = true
		}
	}
}

// ForgetFailures forgets which addresses were asked for in vain: a node has joined, which may have them.
func (r *Resolver) ForgetFailures() {
	for _, e := range r.entries {
		if e.state == statePausing {
			*e = entry{}
		}
	}
}

// ForgetRLOC16 forgets the addresses of the node at rloc, which has left.
func (r *Resolver) ForgetRLOC16(rloc mle.RLOC16) {
	r.forget(func(e *entry) bool { return e.rloc == rloc })
}

// ForgetRouter forgets the addresses of a router that is gone, and of its children.
func (r *Resolver) ForgetRouter(id mle.RouterID) {
	r.forget(func(e *entry) bool { return e.rloc.RouterID() == id })
}

// Clear forgets everything. What waits for an answer waits in vain: its target becomes [Unreachable].
func (r *Resolver) Clear() {
	for _, e := range r.entries {
		r.settle(e, Unreachable)
		*e = entry{}
	}
}

// Tick gives up the questions without an answer, each time for longer. How often it is called is how exact [Timing.Query] is.
func (r *Resolver) Tick() {
	if r.open == 0 {
		return
	}
	for _, e := range r.entries {
		if e.state != stateAsking || r.core.Now.Before(e.until) {
			continue
		}
		r.settle(e, Unreachable)
		e.pause = min(max(r.timing.Retry, 2*e.pause), r.timing.RetryMax)
		e.state, e.until = statePausing, r.core.Now.Add(e.pause)
	}
}

// Asking reports whether there is a question to be sent.
func (r *Resolver) Asking() bool { return len(r.asks) > 0 }

// PollAsk returns the target of the next question to be sent. A question that has ended meanwhile is not sent any more.
func (r *Resolver) PollAsk() (target netip.Addr, ok bool) { return core.Pop(&r.asks) }

// PollEffect returns the next end of a question, in the order in which they ended.
func (r *Resolver) PollEffect() (Effect, bool) { return core.Pop(&r.effects) }

// Cached returns the known addresses and their locators, in the order of the table.
func (r *Resolver) Cached() iter.Seq2[netip.Addr, mle.RLOC16] {
	return func(yield func(netip.Addr, mle.RLOC16) bool) {
		for _, e := range r.entries {
			if e.state == stateKnown && !yield(e.target, e.rloc) {
				return
			}
		}
	}
}

func (r *Resolver) find(target netip.Addr) *entry {
	for _, e := range r.entries {
		if e.state != stateNone && e.target == target {
			return e
		}
	}
	return nil
}

// place returns a free entry, if need be that of the address used longest ago, but never one being asked for. There is one while
// fewer questions are open than there are entries.
func (r *Resolver) place() *entry {
	var oldest *entry
	for _, e := range r.entries {
		switch {
		case e.state == stateNone:
			return e
		case e.state == stateAsking:
		case oldest == nil || e.used.Before(oldest.used):
			oldest = e
		}
	}
	if len(r.entries) < maxAddresses {
		oldest = new(entry)
		r.entries = append(r.entries, oldest)
	}
	return oldest
}

// settle ends the question of an entry that is about to leave the state asking. Of other entries it is none.
func (r *Resolver) settle(e *entry, k EffectKind) {
	if e.state != stateAsking {
		return
	}
	r.open--
	if i := slices.Index(r.asks, e.target); i >= 0 {
		r.asks = slices.Delete(r.asks, i, i+1)
	}
	r.effects = append(r.effects, Effect{Kind: k, Target: e.target})
}

// forget drops the known addresses that match.
func (r *Resolver) forget(match func(*entry) bool) {
	for _, e := range r.entries {
		if e.state == stateKnown && match(e) {
			*e = entry{}
		}
	}
}
