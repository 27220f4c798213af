package core

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

func newCore() *Core {
	return New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
}

// The same seed gives the same numbers, and RandomUpTo whole milliseconds up to its bound, both ends included.
func TestChance(t *testing.T) {
	a, b := newCore(), newCore()
	seen := map[time.Duration]bool{}
	for range 200 {
		x := a.RandomUpTo(3 * time.Millisecond)
		if x != b.RandomUpTo(3*time.Millisecond) {
			t.Fatal("two cores with one seed differ")
		}
		seen[x] = true
	}
	for ms := range time.Duration(4) {
		if !seen[ms*time.Millisecond] {
			t.Errorf("never %v", ms*time.Millisecond)
		}
	}
	if len(seen) != 4 || a.RandomUpTo(time.Millisecond-1) != 0 || a.RandomUpTo(-1) != 0 {
		t.Errorf("%v", seen)
	}
	var x, y [8]byte
	a.RandomBytes(x[:])
	b.RandomBytes(y[:])
	if x != y || x == [8]byte{} {
		t.Errorf("%x, %x", x, y)
	}
}

func TestFailingReader(t *testing.T) {
	c := New(bytes.NewReader(nil), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	for name, draw := range map[string]func(){
		"number": func() { c.Rand.Uint64() },
		"bytes":  func() { c.RandomBytes(make([]byte, 1)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a broken source goes unnoticed", name)
				}
			}()
			draw()
		}()
	}
}

func TestTimers(t *testing.T) {
	c := newCore()
	now := time.Unix(100, 0)
	c.Advance(now)
	var none time.Time
	if c.IsDue(none) || !c.IsDue(now) || c.IsDue(now.Add(1)) || !c.IsDue(now.Add(-1)) {
		t.Error("IsDue")
	}
	if c.AgeOf(none) != 0 || c.AgeOf(now.Add(-time.Second)) != time.Second {
		t.Error("AgeOf")
	}
	for _, tt := range []struct{ a, b, want time.Time }{
		{none, none, none}, {now, none, now}, {none, now, now}, {now, now.Add(1), now}, {now.Add(1), now, now},
	} {
		if got := Earliest(tt.a, tt.b); !got.Equal(tt.want) {
			t.Errorf("Earliest(%v, %v) = %v", tt.a, tt.b, got)
		}
	}
}
