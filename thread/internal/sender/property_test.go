package sender

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// total is the number of messages of which something became.
func total(c Counters) uint64 {
	return c.TxDatagrams + c.Forwarded + c.QueueFull + c.AddressUnresolved + c.TxDatagramsFailed + c.NoRoute + c.RelaysNoRoute + c.RelaysIncomplete +
		c.Unsecured + c.Stopped + c.Replaced
}

// A life is a sender to which anything happens in any order, and what became of its messages.
type life struct {
	*room
	rand    *rand.Rand
	offered uint64
	made    map[*Message]bool
	data    map[*Message][]byte // as enqueued
	heard   map[uint16][]byte   // by tag: what fragments have carried so far
}

func newLife(t testing.TB, seed uint64) *life {
	l := &life{
		room: newRoom(t), rand: rand.New(rand.NewPCG(seed, 0)),
		made: map[*Message]bool{}, data: map[*Message][]byte{}, heard: map[uint16][]byte{},
	}
	l.timing.FragmentGap = 300 * time.Millisecond
	return l
}

// pick returns one of some values.
func pick[T any](l *life, of ...T) T { return of[l.rand.IntN(len(of))] }

func (l *life) message() *Message {
	size := pick(l, small, large, ip6.HeaderSize+1+l.rand.IntN(lowpan.MaxDatagramSize-ip6.HeaderSize))
	place := pick(l, left, right, beyondLeft, behindLeft, beyondRight, gone)
	var m *Message
	switch l.rand.IntN(8) {
	case 0, 1:
		m = l.mle(pick(l, toNeighbor, toAll), pick(l, small, small, 200), 'x')
	case 2, 3:
		m = l.relayed(place, pick(l, small, small, small, 120), 'x')
	case 4, 5:
		m = l.datagram(eid(byte(l.rand.IntN(20))), size, 'x')
	default:
		m = l.datagram(at(place), size, 'x')
	}
	if m.Kind != KindMLE {
		m.Priority = Priority(l.rand.IntN(4))
	}
	if l.rand.IntN(3) == 0 {
		m.Expires = l.core.Now.Add(time.Duration(l.rand.IntN(5000)) * time.Millisecond)
	}
	if l.rand.IntN(20) == 0 {
		m.Data = m.Data[:l.rand.IntN(len(m.Data))]
	}
	return m
}

func (l *life) enqueue() {
	m := l.message()
	l.made[m] = true
	take := l.Enqueue
	if m.Kind == KindDatagram && l.rand.IntN(2) == 0 {
		take = l.Submit
	}
	data := bytes.Clone(m.Data)
	l.offered++
	if take(m) == nil {
		l.data[m] = data
	}
}

// begin starts a frame, if the MAC is idle. When nothing can be sent now, something is to happen for each message that is queued.
func (l *life) begin() {
	if l.radio.busy {
		return
	}
	if !l.Choose() {
		full := l.Waiting() == MaxWaiting // others may be in the queue, for a place among those that wait
		if next, ok := l.NextTimeout(); l.Queued() > 0 != ok && !full || ok && !next.After(l.core.Now) {
			l.t.Fatalf("%d messages, next timeout %v, %v at %v", l.Queued(), next, ok, l.core.Now)
		}
		return
	}
	l.Start()
}

// end ends the work on a frame.
func (l *life) end(ok bool) {
	if !l.radio.busy {
		return
	}
	m := l.work.message
	switch {
	case m == nil: // stopped meanwhile
	case m.Kind == KindMeshFrame:
		if !bytes.Equal(l.radio.payload, l.data[m]) {
			l.t.Fatalf("relayed %x, want %x", l.radio.payload, l.data[m])
		}
	case ok:
		l.hear(m)
	}
	l.done(ok)
}

// hear puts together what arrives at the other side.
func (l *life) hear(m *Message) {
	f := fragmentOf(l.t, l.room)
	if secured := l.radio.frame.Security.Level != ieee802154.SecurityNone; secured != (m.Kind != KindMLE || f.tag != 0) {
		l.t.Fatalf("kind %d, tag %d, secured: %v", m.Kind, f.tag, secured)
	}
	got := f.data
	if f.tag != 0 {
		before := l.heard[f.tag]
		if f.offset == 0 {
			before = nil
		}
		if f.offset != len(before) {
			l.t.Fatalf("from %d on after %d", f.offset, len(before))
		}
		got = slices.Concat(before, f.data)
		l.heard[f.tag] = got
	}
	if len(got) == f.size && !bytes.Equal(got, l.data[m]) {
		l.t.Fatalf("%x, want %x", got, l.data[m])
	}
}

func (l *life) step() {
	place := eid(byte(l.rand.IntN(20)))
	switch n := l.rand.IntN(100); {
	case n < 30:
		l.enqueue()
	case n < 55:
		l.begin()
	case n < 80:
		l.end(l.rand.IntN(5) > 0)
	case n < 86:
		l.after(time.Duration(l.rand.IntN(1000)) * time.Millisecond)
	case n < 88:
		l.roads.places[place] = pick(l, left, right, beyondLeft, beyondRight, gone)
		l.Release(place)
	case n < 90:
		delete(l.roads.places, place)
	case n < 91:
		l.Refuse(place)
	case n < 93:
		l.DropMLE(pick(l, toNeighbor, toAll), pick(l, mle.Advertisement, mle.DataResponse))
	case n < 95:
		l.roads.via[pick(l, beyondLeft, behindLeft, beyondRight)] = pick(l, left, right)
	case n < 97:
		l.radio.err = pick(l, nil, nil, nil, core.ErrStore)
	case n < 98:
		l.On = l.rand.IntN(4) > 0
	case l.rand.IntN(20) == 0:
		l.Stop()
	default:
		for range 10 + l.rand.IntN(MaxQueued) {
			l.enqueue()
		}
	}
}

func (l *life) check() {
	if l.Queued()+l.Waiting() > MaxQueued || l.Waiting() > MaxWaiting {
		l.t.Fatalf("%d queued, %d waiting", l.Queued(), l.Waiting())
	}
	if ended, held := total(l.Counters), uint64(l.Queued()+l.Waiting()); ended+held != l.offered {
		l.t.Fatalf("%d messages were offered, %d are here, of %d something became: %+v",
			l.offered, held, ended, l.Counters)
	}
	if !slices.IsSortedFunc(l.queue, func(a, b *Message) int { return int(b.Priority) - int(a.Priority) }) {
		l.t.Fatal("the queue is not in order of priority")
	}
	if m := l.work.message; m != nil && !slices.Contains(l.queue, m) {
		l.t.Fatal("the message in work is not queued")
	}
	l.holds(l.Queued(), l.Waiting())
	if here := l.Queued() + l.Waiting() + len(l.pool); here != len(l.made) {
		l.t.Fatalf("%d messages were made, %d are left", len(l.made), here)
	}
}

// Whatever happens, each message is in one place, ends in one counter, arrives as it was, if it arrives, and is used again when it is over.
// Nothing is stuck: what is queued goes on at once or at the next timeout.
func TestEachMessageEndsOnce(t *testing.T) {
	for seed := range uint64(40) {
		l := newLife(t, seed)
		for range 400 {
			l.step()
			if l.check(); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		l.On, l.radio.err = true, nil
		for l.Queued()+l.Waiting() > 0 {
			l.end(true)
			for n := range byte(20) {
				l.roads.places[eid(n)] = left
				l.Release(eid(n))
			}
			l.begin()
			l.after(100 * time.Millisecond)
		}
		l.check()
		if len(l.made) > MaxQueued+1 {
			t.Fatalf("seed %d: %d messages were made", seed, len(l.made))
		}
	}
}
