package sender

import (
	"errors"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// fragmentThrough is a fragment on its way through this node: number n of a datagram with a tag.
func (r *room) fragmentThrough(dst mle.RLOC16, tag uint16, n int, label byte) *Message {
	m := r.New()
	var err error
	m.Data, err = lowpan.MeshHeader{HopsLeft: 3, Src: neighbors.ShortAddr(0x2000), Dst: neighbors.ShortAddr(dst)}.AppendBinary(m.Data)
	if err != nil {
		panic(err)
	}
	m.Data = append(m.Data, 0xc0|0x20*byte(min(n, 1))|large>>8, large&0xff, byte(tag>>8), byte(tag))
	if n > 0 {
		m.Data = append(m.Data, byte(11*n))
	}
	m.Data = append(m.Data, label)
	m.Kind, m.Priority = KindMeshFrame, PriorityNormal
	return m
}

// A datagram of which a fragment was lost here is not carried on: neither what waits already, nor what comes later.
func TestLostFragment(t *testing.T) {
	r := newRoom(t)
	r.take(r.fragmentThrough(beyondLeft, 1, 0, 'a'), r.fragmentThrough(beyondLeft, 1, 1, 'b'), r.fragmentThrough(beyondLeft, 2, 0, 'c'),
		r.fragmentThrough(beyondRight, 1, 0, 'd'), r.relayed(beyondLeft, small, 'e'), r.fragmentThrough(beyondLeft, 1, 2, 'f'))
	r.start()
	r.done(false)
	if got := r.run(); len(got) != 3 {
		t.Errorf("sent %q, want c, d and e", got)
	}
	r.counts(Counters{Forwarded: 3, TxDatagramsFailed: 1, RelaysIncomplete: 2})
	if err := r.Enqueue(r.fragmentThrough(beyondLeft, 1, 3, 'g')); !errors.Is(err, core.ErrNoRoute) {
		t.Errorf("a later fragment: %v", err)
	}
	r.take(r.fragmentThrough(beyondLeft, 3, 1, 'h'))
	if got := r.run(); got != "h" {
		t.Errorf("sent %q", got)
	}
	r.counts(Counters{Forwarded: 4, TxDatagramsFailed: 1, RelaysIncomplete: 3})

	// For a while: tags are used again.
	r.after(timing.LostDatagram)
	r.take(r.fragmentThrough(beyondLeft, 1, 0, 'i'))
	if got := r.run(); got != "i" {
		t.Errorf("sent %q", got)
	}
	r.holds(0, 0)
}

// What is dropped for another reason than the air loses its datagram as well, and the last maxLost are remembered.
func TestLostFragmentsOfMany(t *testing.T) {
	r := newRoom(t)
	for tag := range uint16(maxLost + 1) {
		r.take(r.fragmentThrough(gone, tag, 0, 'x'))
		if got := r.run(); got != "" {
			t.Errorf("sent %q", got)
		}
		r.after(time.Second)
	}
	r.roads.via[gone] = left
	for tag := range uint16(maxLost + 1) {
		if err := r.Enqueue(r.fragmentThrough(gone, tag, 1, 'x')); (err == nil) != (tag == 0) {
			t.Errorf("datagram %d: %v", tag, err)
		}
	}
	r.counts(Counters{RelaysNoRoute: maxLost + 1, RelaysIncomplete: maxLost})
}

// Stock carries on.
func TestLostFragmentOfStock(t *testing.T) {
	r := newRoom(t)
	r.timing.LostDatagram = 0
	r.take(r.fragmentThrough(beyondLeft, 1, 0, 'a'), r.fragmentThrough(beyondLeft, 1, 1, 'b'))
	r.start()
	r.done(false)
	if got := r.run(); got != "b" {
		t.Errorf("sent %q", got)
	}
}
