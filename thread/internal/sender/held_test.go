package sender

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Two children that sleep.
var sleepyExt, dozyExt = ieee802154.ExtAddr{0xcc, 7: 3}, ieee802154.ExtAddr{0xdd, 7: 4}

// newNursery is a room of a node with two children that sleep.
func newNursery(t testing.TB) *room {
	r := newRoom(t)
	r.roads.sleepy = map[ieee802154.ExtAddr]bool{sleepyExt: true, dozyExt: true}
	return r
}

// to is a datagram to a child, update an MLE message to it.
func (r *room) to(child ieee802154.ExtAddr, size int, label byte) *Message {
	return r.datagram(neighbors.LinkLocal(child), size, label)
}

func (r *room) update(child ieee802154.ExtAddr, label byte) *Message {
	m := r.mle(neighbors.LinkLocal(child), small, label)
	m.Command = mle.ChildUpdateRequest
	return m
}

// poll is a poll of a child and the answer to it, which arrives or not. It returns the label of the message.
func (r *room) poll(child ieee802154.ExtAddr, arrives bool) string {
	r.t.Helper()
	r.Polled(child)
	label, ok := r.next()
	if !ok {
		return ""
	}
	r.done(arrives)
	if again, ok := r.next(); ok {
		r.t.Fatalf("%q is a second answer to one poll", again)
	}
	return string(label)
}

// What is for a child that sleeps waits until the child polls (IEEE 802.15.4-2006 §7.5.6.3): one frame a poll, which tells of more.
func TestHeld(t *testing.T) {
	r := newNursery(t)
	if r.Holds(sleepyExt) || r.Held() != 0 {
		t.Error("something is held for nobody")
	}
	r.take(r.to(sleepyExt, small, 'a'), r.to(sleepyExt, small, 'b'), r.datagram(at(left), small, 'x'))
	if got := r.run(); got != "x" {
		t.Errorf("%q goes out by itself", got)
	}
	if !r.Holds(sleepyExt) || r.Holds(dozyExt) || r.Held() != 2 || r.Ready() {
		t.Errorf("%d held", r.Held())
	}
	r.Polled(dozyExt)
	if r.Ready() {
		t.Error("there is an answer to another child's poll")
	}
	for i, want := range []string{"a", "b", ""} {
		if got := r.poll(sleepyExt, true); got != want {
			t.Errorf("poll %d brings %q, want %q", i, got, want)
		}
		if want != "" && (r.radio.indirect != i+1 || r.radio.frame.FramePending != (want == "a")) {
			t.Errorf("%q: frame %d, pending %v", want, r.radio.indirect, r.radio.frame.FramePending)
		}
	}
	r.counts(Counters{TxDatagrams: 3})
	r.holds(0, 0)
}

// Each poll brings one fragment; it is pending what is left of the datagram, and what comes after it.
func TestHeldFragments(t *testing.T) {
	r := newNursery(t)
	first := r.to(sleepyExt, large, 'a')
	data := bytes.Clone(first.Data)
	r.take(first, r.to(sleepyExt, small, 'b'))
	var got []byte
	for len(got) < len(data) {
		r.Polled(sleepyExt)
		r.start()
		f := fragmentOf(t, r)
		if f.offset != len(got) || !r.radio.frame.FramePending {
			t.Fatalf("offset %d after %d, pending %v", f.offset, len(got), r.radio.frame.FramePending)
		}
		got = append(got, f.data...)
		r.done(true)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%x, want %x", got, data)
	}
	if r.poll(sleepyExt, true) != "b" || r.radio.frame.FramePending {
		t.Error("what follows")
	}
}

// What was not acknowledged is sent again as it was, at the next polls, before all else; the fourth time is the last.
func TestHeldAgain(t *testing.T) {
	r := newNursery(t)
	r.take(r.to(sleepyExt, small, 'a'))
	r.poll(sleepyExt, false)
	urgent := r.update(sleepyExt, 'u')
	r.take(urgent)
	if r.poll(sleepyExt, true) != "a" || r.radio.again != 1 || r.radio.indirect != 1 {
		t.Errorf("again %d, new %d", r.radio.again, r.radio.indirect)
	}
	for range heldTries {
		if r.poll(sleepyExt, false) != "u" {
			t.Error("it is not tried again")
		}
	}
	if r.Holds(sleepyExt) || r.radio.again != heldTries || r.radio.indirect != 2 {
		t.Errorf("again %d, new %d", r.radio.again, r.radio.indirect)
	}
	r.counts(Counters{TxDatagrams: 1, TxDatagramsFailed: 1})

	// A fragment that is given up takes the rest of its datagram with it.
	r.take(r.to(sleepyExt, large, 'c'))
	r.poll(sleepyExt, true)
	for range heldTries {
		r.poll(sleepyExt, false)
	}
	if r.Holds(sleepyExt) {
		t.Error("the rest is held")
	}
	r.holds(0, 0)
}

// The network's own messages come first, in their order, but before nothing that has been begun.
func TestHeldOrder(t *testing.T) {
	r := newNursery(t)
	r.take(r.to(sleepyExt, large, 'a'), r.to(sleepyExt, small, 'b'))
	r.poll(sleepyExt, true)
	r.take(r.update(sleepyExt, '1'), r.to(sleepyExt, small, 'c'), r.update(sleepyExt, '2'))
	order := ""
	for r.Holds(sleepyExt) {
		order += r.poll(sleepyExt, true)
	}
	if order != "aaa12bc" {
		t.Errorf("order %q", order)
	}
}

// What is held is bounded for each child and for all: no other has its place, unless it is of lower priority.
func TestHeldBounds(t *testing.T) {
	r := newNursery(t)
	for i := range MaxHeld {
		r.take(r.to(sleepyExt, small, byte('a'+i)))
	}
	if err := r.Enqueue(r.to(sleepyExt, small, 'z')); err != core.ErrQueueFull {
		t.Errorf("%v", err)
	}
	r.take(r.update(sleepyExt, '1'))
	r.take(r.to(dozyExt, small, 'x'))
	order := ""
	for r.Holds(sleepyExt) {
		order += r.poll(sleepyExt, true)
	}
	if want := "1abcdefg"; order != want { // the last one gave way
		t.Errorf("order %q, want %q", order, want)
	}

	r = newNursery(t)
	for i := range MaxHeldAll + 10 {
		ext := ieee802154.ExtAddr{0xcc, 6: 1, 7: byte(i)}
		r.roads.sleepy[ext] = true
		if err := r.Enqueue(r.to(ext, small, 'x')); (err == nil) != (i < MaxHeldAll) {
			t.Fatalf("child %d: %v", i, err)
		}
	}
	if len(r.sleepers) != MaxHeldAll {
		t.Errorf("%d children", len(r.sleepers))
	}
	r.take(r.datagram(at(left), small, 'y'))
	if r.run() != "y" {
		t.Error("what is held is in the way of the rest")
	}
}

// Children that poll at the same time take turns.
func TestHeldTurns(t *testing.T) {
	r := newNursery(t)
	r.take(r.to(sleepyExt, small, 'a'), r.to(sleepyExt, small, 'b'), r.to(dozyExt, small, 'x'), r.to(dozyExt, small, 'y'))
	order := ""
	for r.Held() > 0 {
		r.Polled(sleepyExt)
		r.Polled(dozyExt)
		label, _ := r.next()
		order += string(label)
		r.done(true)
	}
	if order != "axby" {
		t.Errorf("order %q", order)
	}
}

// The answer to a poll goes before all that waits for the radio: who polls does not listen for long.
func TestHeldFirst(t *testing.T) {
	r := newNursery(t)
	r.take(r.mle(toNeighbor, small, 'x'), r.to(sleepyExt, small, 'a'))
	r.Polled(sleepyExt)
	if got := r.run(); got != "ax" {
		t.Errorf("%q", got)
	}
}

// An empty frame tells a child that its parent is there; it is not sent if something else is, and counts for nothing.
func TestSupervise(t *testing.T) {
	r := newNursery(t)
	r.Supervise(sleepyExt)
	r.Supervise(sleepyExt)
	if r.Held() != 1 {
		t.Errorf("%d held", r.Held())
	}
	r.Polled(sleepyExt)
	if !r.Choose() {
		t.Fatal("no answer")
	}
	r.Start()
	if f := r.radio.frame; len(f.Payload) != 0 || f.Security.Level != ieee802154.SecurityENCMIC32 || !f.AckRequest || f.FramePending {
		t.Errorf("%+v", f)
	}
	r.done(true)
	r.holds(0, 0)

	r.Supervise(sleepyExt)
	r.take(r.to(sleepyExt, small, 'a'))
	r.Supervise(sleepyExt)
	if r.poll(sleepyExt, true) != "a" || r.Holds(sleepyExt) {
		t.Error("an empty frame beside another one")
	}
	r.Supervise(dozyExt)
	for range heldTries {
		r.Polled(dozyExt)
		r.Choose()
		r.Start()
		r.done(false)
	}
	r.counts(Counters{TxDatagrams: 1})
	r.On = false
	r.Supervise(sleepyExt)
	r.holds(0, 0)
}

// A copy of a multicast is addressed to the one child that it is for.
func TestHeldMulticast(t *testing.T) {
	r := newNursery(t)
	m := r.datagram(toAll, small, 'a')
	m.For = sleepyExt
	r.take(m)
	if r.run() != "" || r.poll(sleepyExt, true) != "a" || r.radio.frame.Dst != ieee802154.ExtAddress(sleepyExt) {
		t.Errorf("%+v", r.radio.frame)
	}
}

// A child that wakes up has all at once, but for what it hears itself now; one that goes has nothing.
func TestWakeForget(t *testing.T) {
	for _, begun := range []bool{false, true} {
		t.Run(fmt.Sprintf("begun %v", begun), func(t *testing.T) {
			fill := func(r *room) {
				m := r.datagram(toAll, small, 'm')
				m.For = sleepyExt
				r.take(r.to(sleepyExt, large, 'a'), r.to(sleepyExt, small, 'b'), m)
				if begun {
					r.poll(sleepyExt, true)
				}
			}
			r := newNursery(t)
			fill(r)
			r.roads.sleepy[sleepyExt] = false
			r.Wake(sleepyExt)
			if got, want := r.run(), map[bool]string{false: "aaaab", true: "aaab"}[begun]; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			r.holds(0, 0)

			r = newNursery(t)
			fill(r)
			r.Polled(sleepyExt)
			r.start()
			r.Forget(sleepyExt)
			r.done(true) // to nobody
			r.Polled(sleepyExt)
			if r.Choose() || r.Holds(sleepyExt) {
				t.Error("something is left")
			}
			r.counts(Counters{NoRoute: 3})

			r = newNursery(t)
			fill(r)
			r.Stop()
			r.holds(0, 0)
		})
	}
}

// A child that falls asleep does not get what waits for the radio before it polls.
func TestFallsAsleep(t *testing.T) {
	r := newNursery(t)
	r.roads.sleepy[sleepyExt] = false
	r.take(r.to(sleepyExt, large, 'a'), r.to(sleepyExt, small, 'b'))
	r.start()
	r.done(true)
	r.roads.sleepy[sleepyExt] = true
	if got := r.run(); got != "" {
		t.Errorf("%q", got)
	}
	order := ""
	for r.Holds(sleepyExt) {
		order += r.poll(sleepyExt, true)
	}
	if order != "aaab" {
		t.Errorf("order %q", order)
	}
}

// A newer MLE message takes the place of one that is held, unless that was sent already.
func TestDropHeldMLE(t *testing.T) {
	r := newNursery(t)
	r.take(r.update(sleepyExt, '1'), r.update(sleepyExt, '2'))
	if !r.HoldsMLE(sleepyExt, mle.ChildUpdateRequest) || r.HoldsMLE(sleepyExt, mle.DataResponse) || r.HoldsMLE(dozyExt, mle.ChildUpdateRequest) {
		t.Error("what is held")
	}
	r.poll(sleepyExt, false)
	r.DropMLE(neighbors.LinkLocal(sleepyExt), mle.ChildUpdateRequest)
	if r.Held() != 1 || r.poll(sleepyExt, true) != "1" {
		t.Error("the one that was sent")
	}
	r.holds(0, 0)
}

// Whatever happens, what is held stays bounded, each message ends once, and nothing is stuck.
func TestHeldAtRandom(t *testing.T) {
	for seed := range uint64(30) {
		r, random := newNursery(t), rand.New(rand.NewPCG(seed, 0))
		children := []ieee802154.ExtAddr{sleepyExt, dozyExt, {0xee, 6: 1}}
		offered, silent := 0, 0
		for step := range 600 {
			child := children[random.IntN(len(children))]
			switch n := random.IntN(20); {
			case n < 8:
				m := r.to(child, []int{small, large, 1200}[random.IntN(3)], 'x')
				m.Priority = Priority(random.IntN(4))
				offered++
				_ = r.Enqueue(m)
			case n < 13:
				r.Polled(child)
			case n < 16 && !r.radio.busy && r.Choose():
				r.Start()
			case n < 18 && r.radio.busy:
				r.done(random.IntN(3) > 0)
			case n == 18:
				r.roads.sleepy[child] = !r.roads.sleepy[child]
				if !r.roads.sleepy[child] {
					r.Wake(child)
				}
			case random.IntN(4) == 0:
				r.Forget(child)
			}
			if r.Held() > MaxHeldAll || r.Queued() > MaxQueued {
				t.Fatalf("seed %d: %d held, %d queued", seed, r.Held(), r.Queued())
			}
			for _, sl := range r.sleepers {
				if len(sl.queue) == 0 || len(sl.queue) > MaxHeld {
					t.Fatalf("seed %d, step %d: %d held for one", seed, step, len(sl.queue))
				}
			}
			if ended := int(total(r.Counters)) + silent; ended+r.Held()+r.Queued() != offered {
				t.Fatalf("seed %d, step %d: %d offered, %d held, %d queued, %d ended", seed, step, offered, r.Held(), r.Queued(), ended)
			}
		}
		for range 5000 {
			if r.Held()+r.Queued() == 0 {
				break
			}
			if r.radio.busy {
				r.done(true)
			}
			for _, child := range children {
				r.Polled(child)
			}
			if r.Choose() {
				r.Start()
			}
		}
		if r.Held()+r.Queued() != 0 {
			t.Fatalf("seed %d: %d held, %d queued in the end", seed, r.Held(), r.Queued())
		}
	}
}
