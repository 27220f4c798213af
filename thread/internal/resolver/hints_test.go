package resolver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
)

// The later word counts, but the owner's own always.
func TestHints(t *testing.T) {
	const here, there mle.RLOC16 = 0x0400, 0x0800
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		name  string
		put   func(h *Hints)
		want  mle.RLOC16
		said  time.Time
		knows bool
	}{
		{"nothing", func(*Hints) {}, 0, time.Time{}, false},
		{"one word", func(h *Hints) { h.Put(1, here, now, false) }, here, now, true},
		{"of another", func(h *Hints) { h.Put(2, here, now, false) }, 0, time.Time{}, false},
		{"a later one", func(h *Hints) { h.Put(1, here, now, false); h.Put(1, there, now.Add(time.Minute), false) }, there, now.Add(time.Minute), true},
		{"an earlier one", func(h *Hints) { h.Put(1, here, now, false); h.Put(1, there, now.Add(-time.Minute), false) }, here, now, true},
		{"the owner's", func(h *Hints) { h.Put(1, here, now, false); h.Put(1, there, now.Add(-time.Minute), true) }, there, now.Add(-time.Minute), true},
		{"the same, later", func(h *Hints) { h.Put(1, here, now, false); h.Put(1, here, now.Add(time.Minute), false) }, here, now.Add(time.Minute), true},
		{"more than there is place for", func(h *Hints) {
			h.Put(1, here, now, false)
			for i := range maxHints {
				h.Put(Tail(100+i), there, now.Add(time.Second), false)
			}
		}, 0, time.Time{}, false},
		{"all forgotten", func(h *Hints) { h.Put(1, here, now, false); h.Clear() }, 0, time.Time{}, false},
	} {
		var h Hints
		tt.put(&h)
		if tt.knows && (!h.Occupied(tt.want) || h.Occupied(0x5800)) {
			t.Errorf("%s: who is where is not known", tt.name)
		}
		rloc, said, ok := h.Take(1)
		if rloc != tt.want || !said.Equal(tt.said) || ok != tt.knows {
			t.Errorf("%s: %v, %v, %v", tt.name, rloc, said, ok)
		}
		if ok && h.Occupied(rloc) {
			t.Errorf("%s: there is somebody where there is nobody", tt.name)
		}
		if _, _, again := h.Take(1); again || len(h.entries) > maxHints {
			t.Errorf("%s: taken twice, or %d kept", tt.name, len(h.entries))
		}
	}
}

// Neighbors are told of each hint a few times, the least told first, and again when it has moved.
func TestTellHints(t *testing.T) {
	var h Hints
	now := time.Unix(1000, 0)
	tell := func(room int) (told []Tail) {
		h.Tell(now.Add(time.Minute), func(tail Tail, _ mle.RLOC16, age time.Duration) bool {
			if age != time.Minute {
				t.Errorf("age %v", age)
			}
			if len(told) == room {
				return false
			}
			told = append(told, tail)
			return true
		})
		return told
	}
	for i := range Tail(4) {
		h.Put(i, 0x0400, now, false)
	}
	counts := map[Tail]int{}
	for range 2 * maxTold {
		for _, tail := range tell(2) {
			counts[tail]++
		}
	}
	for tail, n := range counts {
		if n != maxTold {
			t.Errorf("%d was told %d times", tail, n)
		}
	}
	if len(counts) != 4 || h.Untold() != 0 || len(tell(9)) != 0 {
		t.Errorf("told %v, %d left", counts, h.Untold())
	}
	h.Put(3, 0x0800, now.Add(time.Minute), false)
	if h.Untold() != 1 {
		t.Errorf("%d to be told after one has moved", h.Untold())
	}
}

func TestTailOf(t *testing.T) {
	r := newRoom(t)
	r.Learn(eid(0x0304), rloc)
	if got := TailOf(eid(0x0304)); got != 0x12340304 {
		t.Errorf("%x", got)
	}
	if a, ok := r.Known(TailOf(eid(0x0304)), netip.MustParsePrefix("fdde:ad00:beef::/64")); !ok || a != eid(0x0304) {
		t.Errorf("%v, %v", a, ok)
	}
	if _, ok := r.Known(TailOf(eid(2)), netip.MustParsePrefix("fdde:ad00:beef::/64")); ok || r.Has(eid(2)) || !r.Has(eid(0x0304)) {
		t.Error("something else is known")
	}
}
