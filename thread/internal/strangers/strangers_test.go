package strangers

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
)

const frame = time.Second

func newAnswers() (*Answers, *core.Core) {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(time.Unix(1000, 0))
	return New(c, frame), c
}

func ext(i int) ieee802154.ExtAddr { return ieee802154.ExtAddr{2, 6: byte(i >> 8), 7: byte(i)} }

// flood has a number of nodes ask for an hour, each second one, and returns how many answers they get. counter is that of the i-th request.
func flood(a *Answers, c *core.Core, nodes int, counter func(i int) uint32) (answers int) {
	for i := range 3600 {
		who := ext(i % nodes)
		a.Hear(who, 0, counter(i/nodes), 0)
		if a.Allow(who, ForChildren) {
			answers++
		}
		c.Advance(c.Now.Add(time.Second))
	}
	return answers
}

// The answers to one node, to many, and to more than are remembered keep to the shares, whatever the requests are.
func TestShares(t *testing.T) {
	fresh := func(i int) uint32 { return uint32(i) }
	same := func(int) uint32 { return 5 }
	two := func(i int) uint32 { return uint32(5 + i%2) }
	many := func(i int) uint32 { return uint32(5 + i%(2*maxAnswered)) }
	const hour = 3600
	for _, tt := range []struct {
		name     string
		nodes    int
		counter  func(i int) uint32
		min, max int
	}{
		{"one node that goes on asking", 1, fresh, hour / askerFreshEvery, askerFreshBurst + hour/askerFreshEvery},
		{"many nodes that go on asking", 50, fresh, freshBurst + hour/freshEvery - 1, freshBurst + hour/freshEvery + 1},
		{"one recording", 1, same, 1, 1},
		{"two recordings in turn", 1, two, 2, 2},
		{"more recordings than are remembered", 1, many, askerFreshBurst, askerFreshBurst + hour/askerFreshEvery + askerStaleBurst + hour/askerStaleEvery + 2},
		{"recordings of many nodes", 50, two, freshBurst, 100},
		{"of more than are remembered", 2 * maxAskers, same, freshBurst, freshBurst + hour/freshEvery + 1},
	} {
		a, c := newAnswers()
		if got := flood(a, c, tt.nodes, tt.counter); got < tt.min || got > tt.max {
			t.Errorf("%s: %d answers, want %d to %d", tt.name, got, tt.min, tt.max)
		}
		if len(a.names) > maxAskers || len(a.askers) != len(a.names) {
			t.Errorf("%s: %d entries", tt.name, len(a.names))
		}
	}
}

// Who asks for the first time, or with a counter that is higher than ever, has its answer while recordings take all they get.
func TestHonestAsker(t *testing.T) {
	a, c := newAnswers()
	flood(a, c, 1, func(int) uint32 { return 5 })
	for i, counter := range []uint32{0, 1, 7} {
		a.Hear(ext(9), 0, counter, 0)
		if !a.Allow(ext(9), ForChildren) {
			t.Errorf("request %d is refused", i)
		}
	}
	a.Hear(ext(9), 1, 0, 0) // under the next key the counters begin anew
	if !a.Allow(ext(9), ForChildren) {
		t.Error("refused after a rotation of the key")
	}
}

// A node that begins again to count is taken for a recording until it has proven itself.
func TestProve(t *testing.T) {
	a, c := newAnswers()
	a.Hear(ext(1), 0, 1000, 0)
	for i := range uint32(askerStaleBurst) {
		a.Hear(ext(1), 0, 3+i, 0)
		if !a.Allow(ext(1), ForChildren) {
			t.Fatal("refused at once")
		}
	}
	a.Hear(ext(1), 0, 3+askerStaleBurst, 0)
	if a.Allow(ext(1), ForChildren) || !a.Allow(ext(1), ForLinks) {
		t.Error("purposes do not have shares of their own")
	}
	c.Advance(c.Now.Add(time.Minute))
	a.Prove(ext(1), 0, 3+askerStaleBurst, 1)
	for i := range uint32(askerFreshBurst) {
		a.Hear(ext(1), 0, 4+askerStaleBurst+i, 1)
		if !a.Allow(ext(1), ForChildren) {
			t.Errorf("request %d after the proof is refused", i)
		}
	}
	a.Forget()
	a.Hear(ext(1), 0, 0, 0)
	c.Advance(c.Now.Add(time.Hour))
	if !a.Allow(ext(1), ForChildren) {
		t.Error("not forgotten")
	}
}

// What was answered once is not answered again, whoever has proven what meanwhile; but a node that begins to count anew is no recording.
func TestAnsweredOnce(t *testing.T) {
	a, _ := newAnswers()
	allow := func(counter, mic uint32) bool {
		a.Hear(ext(1), 0, counter, mic)
		return a.Allow(ext(1), ForReturn)
	}
	if !allow(0, 7) || allow(0, 7) {
		t.Error("a message is answered twice, or never")
	}
	for i := range uint32(100) {
		a.Prove(ext(1), 0, 100+i, 0)
		if allow(0, 7) {
			t.Fatal("a recording is answered")
		}
	}
	if !allow(0, 8) {
		t.Error("another message with the same frame counter is not answered")
	}
}

// Answers by which nodes have become neighbors, and those that were not sent, leave the shares to others.
func TestGivenBack(t *testing.T) {
	a, c := newAnswers()
	for i := range 3 * freshBurst {
		a.Hear(ext(i), 0, 0, 0)
		if !a.Allow(ext(i), ForChildren) {
			t.Fatalf("node %d has no answer", i)
		}
		if i%2 == 0 {
			a.Prove(ext(i), 0, 1, 0)
		} else {
			a.Withdraw(ext(i), ForChildren)
			a.Withdraw(ext(i), ForChildren) // not twice
		}
	}
	for i := range 2 * freshBurst {
		a.Hear(ext(1000+i), 0, 0, 0)
		if got := a.Allow(ext(1000+i), ForChildren); got != (i < freshBurst) {
			t.Fatalf("answer %d: %v", i, got)
		}
	}
	c.Advance(c.Now.Add(freshEvery * frame))
	a.Hear(ext(2000), 0, 0, 0)
	if !a.Allow(ext(2000), ForChildren) {
		t.Error("no answer after a pause")
	}
}
