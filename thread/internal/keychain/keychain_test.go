package keychain

import (
	"bytes"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/keys"
)

const (
	life  = 100 * time.Hour
	guard = 60 * time.Hour
)

var network = [keys.Size]byte{1, 2, 3}

// chain is a keychain under test, its clock, and the sequences to which it has moved.
type chain struct {
	*Keychain
	core  *core.Core
	moves []keys.Sequence
}

// newChain is a keychain at a sequence whose life begins now.
func newChain(t testing.TB, seq keys.Sequence) *chain {
	c := &chain{core: core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})}
	c.core.Advance(time.Unix(1_000_000, 0))
	c.Keychain = New(c.core, network, func() { c.moves = append(c.moves, c.Sequence()) })
	c.Life, c.Guard = life, guard
	c.Restore(seq, 0)
	c.Start()
	if c.Sequence() != seq || c.NetworkKey() != network || len(c.moves) > 0 {
		t.Fatalf("sequence %d, moves %v", c.Sequence(), c.moves)
	}
	return c
}

func (c *chain) after(d time.Duration) { c.core.Advance(c.core.Now.Add(d)) }

// A sequence lasts for its life, and the next one as long.
func TestRotate(t *testing.T) {
	c := newChain(t, 7)
	c.Rotate()
	c.after(life - 1)
	c.Rotate()
	if len(c.moves) > 0 {
		t.Errorf("moved %v before the end of its life", c.moves)
	}
	for range 2 {
		c.after(1)
		c.Rotate()
		c.Rotate()
		c.after(life - 1)
		c.Rotate()
	}
	c.after(10 * life) // asleep; one step all the same
	c.Rotate()
	c.Rotate()
	if want := []keys.Sequence{8, 9, 10}; !slices.Equal(c.moves, want) {
		t.Errorf("moved %v, want %v", c.moves, want)
	}
}

// A neighbor is followed to any later sequence, but not to the very next one while the guard time lasts that such a move begins
// (Thread 1.1 §7.1.7).
func TestFollow(t *testing.T) {
	moved := func(c *chain) { c.Follow(10); c.moves = nil }
	for _, tt := range []struct {
		name    string
		prepare func(c *chain) // of a chain at sequence 9
		seq     keys.Sequence
		guarded bool
		want    keys.Sequence
	}{
		{"the next one", func(*chain) {}, 10, false, 10},
		{"a far one", func(*chain) {}, 5000, false, 5000},
		{"the last one", func(*chain) {}, math.MaxUint32, false, math.MaxUint32},
		{"the same", func(*chain) {}, 9, false, 9},
		{"the one before", func(*chain) {}, 8, false, 9},
		{"the first", func(*chain) {}, 0, false, 9},
		{"the next one after a move", moved, 11, true, 10},
		{"the next one near the end of the guard time", func(c *chain) { moved(c); c.after(guard - 1) }, 11, true, 10},
		{"the next one after the guard time", func(c *chain) { moved(c); c.after(guard) }, 11, false, 11},
		{"the one after the next", moved, 12, false, 12},
		{"the one before a move", moved, 9, false, 10},
		{"after a start", func(c *chain) { moved(c); c.Start() }, 11, false, 11},
		{"without guard time", func(c *chain) { moved(c); c.Guard = 0 }, 11, false, 11},
		{"after a command while attached", func(c *chain) { c.Advance(10, true); c.moves = nil }, 11, true, 10},
		{"after a command", func(c *chain) { c.Advance(10, false); c.moves = nil }, 11, false, 11},
		{"after a rotation", func(c *chain) { c.after(life); c.Rotate(); c.moves = nil }, 11, false, 11},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newChain(t, 9)
			tt.prepare(c)
			before := c.Sequence()
			if got := c.Guarded(tt.seq); got != tt.guarded {
				t.Errorf("guarded: %v", got)
			}
			c.Follow(tt.seq)
			if c.Sequence() != tt.want {
				t.Errorf("sequence %d, want %d", c.Sequence(), tt.want)
			}
			if moved := len(c.moves) > 0; moved != (tt.want != before) {
				t.Errorf("moves %v", c.moves)
			}
		})
	}
}

// A move begins another life.
func TestFollowBeginsLife(t *testing.T) {
	c := newChain(t, 9)
	c.after(life - 1)
	c.Follow(20)
	c.after(life - 1)
	c.Rotate()
	c.after(1)
	c.Rotate()
	if want := []keys.Sequence{20, 21}; !slices.Equal(c.moves, want) {
		t.Errorf("moved %v, want %v", c.moves, want)
	}
}

// By command the sequence moves on, never back: the frame counters of an earlier one have been used.
func TestAdvance(t *testing.T) {
	for _, guarded := range []bool{false, true} {
		c := newChain(t, 9)
		for _, tt := range []struct {
			seq  keys.Sequence
			ok   bool
			want keys.Sequence
		}{{9, true, 9}, {8, false, 9}, {10, true, 10}, {11, true, 11}, {11, true, 11}, {500, true, 500}, {499, false, 500}} {
			if ok := c.Advance(tt.seq, guarded); ok != tt.ok || c.Sequence() != tt.want {
				t.Errorf("to %d: %v, sequence %d", tt.seq, ok, c.Sequence())
			}
		}
		if want := []keys.Sequence{10, 11, 500}; !slices.Equal(c.moves, want) {
			t.Errorf("moved %v, want %v", c.moves, want)
		}
		if c.Guarded(501) != guarded {
			t.Errorf("guarded: %v", !guarded)
		}
	}
}

// sealed is what a cipher makes of the same message.
func sealed(ccm *ieee802154.CCM) []byte {
	return ccm.Seal(nil, &[ieee802154.NonceSize]byte{1}, []byte("header"), []byte("payload"), 4)
}

// holds checks that the ciphers of a sequence are those of its keys.
func (c *chain) holds(t *testing.T, key [keys.Size]byte, seq keys.Sequence) {
	t.Helper()
	want := keys.Derive(key, seq)
	if !bytes.Equal(sealed(c.MAC(seq)), sealed(ieee802154.NewCCM(want.MAC))) {
		t.Errorf("wrong MAC key of sequence %d", seq)
	}
	if !bytes.Equal(sealed(c.MLE(seq)), sealed(ieee802154.NewCCM(want.MLE))) {
		t.Errorf("wrong MLE key of sequence %d", seq)
	}
}

// The ciphers of the current sequence and its two neighbors are kept, wherever the sequence moves.
func TestCiphers(t *testing.T) {
	c := newChain(t, 0)
	for _, current := range []keys.Sequence{0, 1, 2, 3, 4, 10, 11, 1 << 20} {
		c.Advance(current, false)
		around := []keys.Sequence{current, current + 1}
		if current > 0 {
			around = append(around, current-1)
		}
		for _, seq := range around {
			c.holds(t, network, seq)
		}
		for range 3 { // once more than there are places: one may have gone for another
			for _, seq := range around {
				c.MAC(seq)
			}
		}
		if n := testing.AllocsPerRun(10, func() {
			for _, seq := range around {
				c.MAC(seq)
				c.MLE(seq)
			}
		}); n > 0 {
			t.Errorf("sequence %d: derived anew, %v allocations", current, n)
		}
	}
}

// The ciphers of the current sequence stay while those of its neighbors come and go.
func TestCurrentCipherStays(t *testing.T) {
	c := newChain(t, 9)
	for range 10 {
		current := c.Sequence()
		mac, mle := c.MAC(current), c.MLE(current)
		for range 2 {
			c.MAC(current + 1)
			c.MAC(current - 1)
		}
		if c.MAC(current) != mac || c.MLE(current) != mle {
			t.Errorf("sequence %d is derived anew", current)
		}
		c.Advance(current+1, false)
	}
}

// Whoever invents sequences pushes nothing out that is in use.
func TestFarSequences(t *testing.T) {
	for _, current := range []keys.Sequence{0, 1, 9, 1000} {
		c := newChain(t, current)
		mac, mle := c.MAC(current), c.MLE(current)
		next := c.MLE(current + 1)
		for _, seq := range []keys.Sequence{current + 2, current + 3, current + 1000, 1 << 31, math.MaxUint32 - 1, math.MaxUint32} {
			c.holdsMLE(t, seq)
		}
		for seq := range min(current, 5) {
			c.holdsMLE(t, current-2-seq) // around the end of the range for the first ones
		}
		if c.MAC(current) != mac || c.MLE(current) != mle || c.MLE(current+1) != next {
			t.Errorf("sequence %d is derived anew", current)
		}
	}
}

func (c *chain) holdsMLE(t *testing.T, seq keys.Sequence) {
	t.Helper()
	if !bytes.Equal(sealed(c.MLE(seq)), sealed(ieee802154.NewCCM(keys.Derive(network, seq).MLE))) {
		t.Errorf("wrong MLE key of sequence %d", seq)
	}
}

// At the end of the range, too, each sequence has its own keys.
func TestLastSequences(t *testing.T) {
	for _, current := range []keys.Sequence{math.MaxUint32 - 1, math.MaxUint32} {
		c := newChain(t, current)
		for _, seq := range []keys.Sequence{0, 1, math.MaxUint32 - 2, math.MaxUint32 - 1, math.MaxUint32} {
			c.holds(t, network, seq)
		}
		c.Follow(0)
		if c.Advance(0, false) || c.Sequence() != current {
			t.Errorf("moved from %d to %d", current, c.Sequence())
		}
	}
}

// The last sequence lasts for ever: it does not rotate, no command leads to it, and its only neighbor is the one before.
func TestLastSequence(t *testing.T) {
	c := newChain(t, math.MaxUint32-1)
	if c.Advance(math.MaxUint32, true) || len(c.moves) > 0 {
		t.Errorf("moved by command: %v", c.moves)
	}
	c.after(life)
	c.Rotate()
	c.after(life)
	c.Rotate()
	if c.Advance(math.MaxUint32, true) || c.Guarded(0) {
		t.Error("there is a way on")
	}
	if c.Renew() {
		t.Error("renewed")
	}
	if want := []keys.Sequence{math.MaxUint32}; !slices.Equal(c.moves, want) || c.Sequence() != math.MaxUint32 {
		t.Errorf("moved %v, want %v", c.moves, want)
	}
	current, before := c.MLE(math.MaxUint32), c.MLE(math.MaxUint32-1)
	for range 3 {
		c.MLE(0)
	}
	if c.MLE(math.MaxUint32) != current || c.MLE(math.MaxUint32-1) != before {
		t.Error("pushed out by sequence 0")
	}
}

// The age of a sequence goes on where it was stored, and through a stop.
func TestAge(t *testing.T) {
	c := newChain(t, 7)
	c.after(30 * time.Hour)
	if got := c.Age(); got != 30*time.Hour {
		t.Errorf("age %v", got)
	}
	c.Start()
	if got := c.Age(); got != 30*time.Hour {
		t.Errorf("age %v after another start", got)
	}

	again := New(c.core, network, func() {})
	again.Life = life
	again.Restore(7, c.Age())
	if got := again.Age(); got != 30*time.Hour {
		t.Errorf("age %v restored", got)
	}
	again.Start()
	c.after(life - 30*time.Hour - 1)
	again.Rotate()
	if again.Sequence() != 7 {
		t.Error("rotated too early")
	}
	c.after(1)
	again.Rotate()
	if again.Sequence() != 8 || again.Age() != 0 {
		t.Errorf("sequence %d, age %v at the end of its life", again.Sequence(), again.Age())
	}
	again.SetNetworkKey([keys.Size]byte{4})
	if again.Age() != 0 {
		t.Errorf("age %v under another key", again.Age())
	}
}

// Where the counters begin anew, the sequence is one that was never used, and stays above all that were, under any key.
func TestRenew(t *testing.T) {
	c := newChain(t, 3)
	c.Advance(40, false)
	c.SetNetworkKey([keys.Size]byte{4})
	c.Advance(7, false)
	c.SetNetworkKey(network)
	if least, highest := c.Bounds(); c.Sequence() != 0 || least != 0 || highest != 40 {
		t.Errorf("sequence %d, from %d to %d", c.Sequence(), least, highest)
	}
	c.moves = nil
	if !c.Renew() || c.Sequence() != 41 || !slices.Equal(c.moves, []keys.Sequence{41}) {
		t.Errorf("renewed to %d, moves %v", c.Sequence(), c.moves)
	}
	c.Advance(50, false)
	c.SetNetworkKey([keys.Size]byte{4})
	if c.Sequence() != 41 || c.Advance(40, false) {
		t.Errorf("sequence %d under another key", c.Sequence())
	}

	restored := New(c.core, network, func() {})
	restored.RestoreBounds(c.Bounds())
	if restored.Sequence() != 41 {
		t.Errorf("sequence %d after a restart", restored.Sequence())
	}
	if restored.Restore(50, 0); restored.Sequence() != 50 {
		t.Errorf("sequence %d restored", restored.Sequence())
	}
	if !restored.Renew() || restored.Sequence() != 51 {
		t.Errorf("renewed to %d after a restart", restored.Sequence())
	}
}

// Another network has other keys, and its sequence begins at zero.
func TestSetNetworkKey(t *testing.T) {
	c := newChain(t, 9)
	c.holds(t, network, 0)
	c.holds(t, network, 9)
	other := [keys.Size]byte{4, 5, 6}
	c.SetNetworkKey(other)
	if c.NetworkKey() != other || c.Sequence() != 0 {
		t.Errorf("key %x, sequence %d", c.NetworkKey(), c.Sequence())
	}
	for _, seq := range []keys.Sequence{0, 1, 9} {
		c.holds(t, other, seq)
	}
}

// Whatever happens under one network key, the sequence only moves forward, and each move is told once.
func TestOnlyForward(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := newChain(t, keys.Sequence(r.Uint32N(5)))
		for range 100 {
			before, moves := c.Sequence(), len(c.moves)
			seq := before + keys.Sequence(r.IntN(7)) - 3
			if before < 3 {
				seq = keys.Sequence(r.IntN(5))
			}
			switch r.IntN(5) {
			case 0:
				c.Follow(seq)
			case 1:
				c.Advance(seq, r.IntN(2) == 0)
			case 2:
				c.Rotate()
			case 3:
				c.Start()
			default:
				c.after(time.Duration(r.IntN(200)) * time.Hour)
			}
			after := c.Sequence()
			if after < before || (after != before) != (len(c.moves) == moves+1) || len(c.moves) > moves+1 {
				t.Fatalf("seed %d: from %d to %d, moves %v", seed, before, after, c.moves[moves:])
			}
		}
	}
}

// A network key that comes back is known for one, as long as not too many others came between.
func TestHad(t *testing.T) {
	key := func(n int) [keys.Size]byte { return [keys.Size]byte{1, byte(n)} }
	k := New(core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1}), key(0), func() {})
	if k.Had(key(0)) || k.Had(key(1)) || k.Had([keys.Size]byte{}) {
		t.Error("known from the start")
	}
	k.SetNetworkKey(key(1))
	if !k.Had(key(0)) || k.Had(key(1)) {
		t.Error("the first one is forgotten")
	}
	for n := range maxFormer {
		k.SetNetworkKey(key(2 + n))
	}
	if k.Had(key(0)) || !k.Had(key(1)) {
		t.Error("not those of the last changes")
	}
}
