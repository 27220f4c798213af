package lorasim

import (
	"math/rand/v2"
	"testing"
)

// The queue does what a plain list does.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	type due struct {
		at  int64
		seq int
	}
	list := map[int32]due{}
	for range 40 {
		q.add()
	}
	for seq := range 20_000 {
		slot := int32(r.IntN(40))
		switch r.IntN(4) {
		case 0:
			q.clear(slot)
			delete(list, slot)
		default:
			at := int64(r.IntN(30))
			q.set(slot, at)
			if d, ok := list[slot]; !ok || d.at != at {
				list[slot] = due{at, seq}
			}
		}
		first, found := int32(-1), false
		for s, d := range list {
			if !found || d.at < list[first].at || d.at == list[first].at && d.seq < list[first].seq {
				first, found = s, true
			}
		}
		got, at, ok := q.next()
		if ok != found || ok && (got != first || at != list[first].at) {
			t.Fatalf("step %d: got slot %d at %d (%v), want %d at %d", seq, got, at, ok, first, list[first].at)
		}
		if len(q.heap) != len(list) {
			t.Fatalf("%d entries, want %d", len(q.heap), len(list))
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	b.ReportAllocs()
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	const slots = 4096
	for i := range slots {
		q.add()
		q.set(int32(i), r.Int64N(slots))
	}
	for b.Loop() {
		slot, at, _ := q.next()
		q.clear(slot)
		q.set(slot, at+r.Int64N(slots))
	}
}
