package commissioning

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// MaxJoiners is how many joiners a commissioner can wait for.
const MaxJoiners = 32

// How long a joiner is let wait after it had a wrong password, the first time and at most: each guess costs more than the last.
const (
	guessPause    = time.Second
	maxGuessPause = time.Minute
)

// A Joiner is who may join: the node with an EUI-64, or any.
type Joiner struct {
	EUI64    [8]byte
	Any      bool
	Password string
	Until    time.Time

	failures int
	next     time.Time // before when it is not let try again
}

// Joiners are those that may join.
type Joiners struct {
	core *core.Core
	list []Joiner
}

// NewJoiners returns an empty list.
func NewJoiners(c *core.Core) *Joiners { return &Joiners{core: c} }

func (l *Joiners) find(eui64 [8]byte, any bool) int {
	return slices.IndexFunc(l.list, func(j Joiner) bool { return j.Any == any && (any || j.EUI64 == eui64) })
}

// Add lets a joiner in, and forgets what was said of it before. It fails with core.ErrTableFull.
func (l *Joiners) Add(j Joiner) error {
	if j.Any {
		j.EUI64 = [8]byte{}
	}
	if i := l.find(j.EUI64, j.Any); i >= 0 {
		l.list[i] = j
		return nil
	}
	if len(l.list) >= MaxJoiners {
		return core.ErrTableFull
	}
	l.list = append(l.list, j)
	return nil
}

// Remove lets a joiner in no more. It fails with core.ErrNotFound.
func (l *Joiners) Remove(eui64 [8]byte, any bool) error {
	i := l.find(eui64, any)
	if i < 0 {
		return core.ErrNotFound
	}
	l.list = slices.Delete(l.list, i, i+1)
	return nil
}

// All returns those that may join.
func (l *Joiners) All() []Joiner { return slices.Clone(l.list) }

// Clear lets nobody in any more.
func (l *Joiners) Clear() { l.list = nil }

// Shorten lets a joiner in for so much longer at most.
func (l *Joiners) Shorten(eui64 [8]byte, d time.Duration) {
	if i := l.find(eui64, false); i >= 0 {
		l.list[i].failures, l.list[i].next = 0, time.Time{}
		if until := l.core.Now.Add(d); l.list[i].Until.After(until) {
			l.list[i].Until = until
		}
	}
}

// match finds the entry for a joiner ID: its own, or that for any.
func (l *Joiners) match(id [8]byte) *Joiner {
	if i := slices.IndexFunc(l.list, func(j Joiner) bool { return !j.Any && meshcop.JoinerID(j.EUI64) == id }); i >= 0 {
		return &l.list[i]
	}
	if i := l.find([8]byte{}, true); i >= 0 {
		return &l.list[i]
	}
	return nil
}

// guessed notes that somebody had a wrong password for an entry.
func (l *Joiners) guessed(eui64 [8]byte, any bool) {
	if i := l.find(eui64, any); i >= 0 {
		j := &l.list[i]
		j.next = l.core.Now.Add(min(guessPause<<min(j.failures, 10), maxGuessPause))
		j.failures++
	}
}

// Steering returns the steering data that name all of them.
func (l *Joiners) Steering() meshcop.SteeringData {
	if l.find([8]byte{}, true) >= 0 {
		return meshcop.AnySteeringData()
	}
	if len(l.list) == 0 {
		return meshcop.SteeringData{0}
	}
	s := make(meshcop.SteeringData, meshcop.MaxSteeringData)
	for i := range l.list {
		s.Add(meshcop.JoinerID(l.list[i].EUI64))
	}
	return s
}

// NextTimeout returns when the first of them may join no more.
func (l *Joiners) NextTimeout() (next time.Time, ok bool) {
	for i := range l.list {
		next = core.Earliest(next, l.list[i].Until)
	}
	return next, !next.IsZero()
}

// HandleTimeout forgets those whose time is over.
func (l *Joiners) HandleTimeout() {
	l.list = slices.DeleteFunc(l.list, func(j Joiner) bool { return l.core.IsDue(j.Until) })
}
