// Package core is what all rooms of one Thread node share: the time of the input in work, chance, the log, and the node's own
// extended address. Each room is handed a pointer to it when the node is made.
package core

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// A Core belongs to one node. Rooms read it; the node alone changes it.
type Core struct {
	// Now is the time of the input in work. It is set in one place, Advance.
	Now time.Time
	// Ext is the node's extended address.
	Ext ieee802154.ExtAddr
	// Rand is the source of jitter and identifiers. It draws from the injected reader alone.
	Rand *rand.Rand
	// Log is never nil. Debug says that it wants messages of level Debug, which are dear to make.
	Log   *slog.Logger
	Debug bool

	entropy io.Reader
}

// New returns a Core with the given source of random bytes, which must not fail.
func New(entropy io.Reader, log *slog.Logger, ext ieee802154.ExtAddr) *Core {
	return &Core{
		Ext: ext, Rand: rand.New(&source{r: entropy}), Log: log, Debug: log.Enabled(context.Background(), slog.LevelDebug),
		entropy: entropy,
	}
}

// Advance begins an input at time now.
func (c *Core) Advance(now time.Time) { c.Now = now }

// IsDue reports whether a timer is set and over.
func (c *Core) IsDue(t time.Time) bool { return !t.IsZero() && !t.After(c.Now) }

// AgeOf returns the time since t, 0 if t is not set.
func (c *Core) AgeOf(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return c.Now.Sub(t)
}

// RandomBytes fills b.
func (c *Core) RandomBytes(b []byte) {
	if _, err := io.ReadFull(c.entropy, b); err != nil {
		panic("thread: Config.Rand failed: " + err.Error())
	}
}

// RandomUpTo returns a random duration in [0, d], in milliseconds as Thread counts.
func (c *Core) RandomUpTo(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return 0
	}
	return time.Duration(c.Rand.Int64N(int64(d/time.Millisecond)+1)) * time.Millisecond
}

// Earliest returns the earlier of two timers, the zero time standing for none.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// source draws math/rand's numbers from the injected reader.
type source struct {
	r   io.Reader
	buf [8]byte // here, or each number would allocate
}

func (s *source) Uint64() uint64 {
	if _, err := io.ReadFull(s.r, s.buf[:]); err != nil {
		panic("thread: Config.Rand failed: " + err.Error())
	}
	var v uint64
	for _, x := range s.buf {
		v = v<<8 | uint64(x)
	}
	return v
}

// Entropy is the source of random bytes, which must not fail: that of keys.
func (c *Core) Entropy() io.Reader { return c.entropy }
