package thread

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/polling"
)

// A sleepy end device keeps its receiver off. It asks its parent now and then for what that has for it (Thread 1.1 §3.4), and listens while an
// answer is due: package polling says when it asks, package mac when it listens, and package sender what its parent holds for it.

// Listening reports whether the receiver must be on now. It must always be, except in a node whose mode lacks ModeRxOnWhenIdle: whoever
// drives the engine may let the radio sleep while this is false. Ask after each input, once PollTransmit has no packet, and before a packet
// of PollTransmit is sent: its acknowledgement comes at once.
func (e *Engine) Listening() bool { return e.mac.Listening() }

// PollPeriod returns how often a sleepy end device that waits for nothing polls its parent.
func (e *Engine) PollPeriod() time.Duration { return e.polls.Period(e.timing.ChildTimeout) }

// SetPollPeriod sets how often a sleepy end device polls its parent, and so for how long what others send to it waits there. Zero stands for as
// seldom as the child timeout allows, with time for retries. It fails with ErrArgument, and changes nothing, if d is negative or so long
// that the parent would drop the node, see LongestPollPeriod, or shorter than Timing.MinPoll.
func (e *Engine) SetPollPeriod(now time.Time, d time.Duration) error {
	if err := e.timing.checkPoll(d); err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	e.Advance(now)
	e.polls.SetPeriod(d)
	e.settle()
	return nil
}

// LongestPollPeriod is the poll period that the child timeout allows, with time for retries.
func (e *Engine) LongestPollPeriod() time.Duration { return e.timing.longestPoll() }

// sleepAsStock sets what concerns sleepy end devices to stock's values.
func (t *Timing) sleepAsStock() {
	t.DataWait, t.AttachPoll, t.FastPoll = 100*time.Millisecond, 100*time.Millisecond, 188*time.Millisecond
	t.PollRetry, t.MinPoll = time.Second, 10*time.Millisecond
	t.Supervision, t.SupervisionTimeout = 129*time.Second, 190*time.Second
}

// sleepAsPymesh sets it to what Pycom changed.
func (t *Timing) sleepAsPymesh() {
	t.DataWait, t.AttachPoll, t.PollRetry, t.MinPoll = 2*time.Second, time.Second, 2*time.Second, time.Second
	// Deviation: stock, and Pymesh, poll every 188 ms while an answer is due. On LoRa a poll and its acknowledgement take half of that, and an
	// answer over one more hop the rest.
	t.FastPoll = time.Second
}

// checkPoll says what is wrong with a poll period.
func (t *Timing) checkPoll(d time.Duration) error {
	if longest := t.longestPoll(); d != 0 && (d < t.MinPoll || d > longest) {
		return fmt.Errorf("poll period %v is neither 0 nor in %v to %v, what Timing.MinPoll and Timing.ChildTimeout allow", d, t.MinPoll, longest)
	}
	return nil
}

func (t *Timing) longestPoll() time.Duration {
	return max(t.ChildTimeout-time.Duration(t.FailedChildTransmissions)*t.PollRetry, t.MinPoll)
}

// ExpectAnswer tells a sleepy end device that an answer to what its host has sent is due: the next polls follow each other after
// Timing.FastPoll. They are n, 15 at most, and 8 if n is 0. It does nothing in other nodes.
func (e *Engine) ExpectAnswer(now time.Time, n int) {
	e.Advance(now)
	e.polls.Expect(n)
	e.keepDeadline()
}

// rest tells the MAC and the poller what the node is at.
func (e *Engine) rest() {
	if !e.sleepy() || e.admission.active() {
		if e.mac.Sleepy {
			e.mac.Sleepy = false
			e.polls.Update(polling.State{})
		}
		return
	}
	asking := e.attach.state == attachChildIDRequest || e.attach.state == attachSynchronize
	e.mac.Sleepy = !e.attach.listens()
	e.polls.Update(polling.State{
		On:      asking || e.role == RoleChild && e.mac.Sleepy,
		Attach:  asking || e.keepAlive.state == updateActive,
		Timeout: e.timing.ChildTimeout,
	})
}

// poll asks the parent for what it has for this node.
func (e *Engine) poll() {
	e.polls.Taken()
	src, dst := neighbors.ShortAddr(e.rloc), neighbors.ShortAddr(e.neighbors.Parent.RLOC16)
	switch {
	case e.attach.state == attachChildIDRequest:
		src, dst = ieee802154.ExtAddress(e.Ext), ieee802154.ExtAddress(e.neighbors.Candidate.Ext)
	case !e.neighbors.Parent.Established():
		return
	}
	_ = e.mac.SendPoll(src, dst) // if nothing can be secured now: the next time
}

// groupsChanged tells the parent of a sleepy end device which multicasts are to be kept for it.
func (e *Engine) groupsChanged() {
	if e.sleepy() {
		e.keepAlive.addressesChanged()
		e.keepDeadline()
	}
}

// pending reports whether something is held for the child with a link-layer address: what the acknowledgement of its poll says.
func (e *Engine) pending(a ieee802154.Addr) bool {
	n := e.neighbors.ByAddr(a)
	return n != nil && n.Kind() == neighbors.KindChild && e.sender.Holds(n.Ext)
}

// fetched tells the poller what has become of a poll.
func (e *Engine) fetched() {
	f, ok := e.mac.PollFetched()
	switch {
	case !ok:
	case f.Missed:
		e.polls.Missed()
	default:
		e.polls.Arrived(f.More)
	}
}
