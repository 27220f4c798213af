package resolver

import (
	"encoding/binary"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

var timing = Timing{Query: 3 * time.Second, Retry: 15 * time.Second, RetryMax: 100 * time.Second}

// Owners of addresses, by their ML-EID.
var owner, thief = ip6.InterfaceID{1}, ip6.InterfaceID{2}

const (
	rloc      mle.RLOC16 = 0x5801
	otherRLOC mle.RLOC16 = 0x6c00
)

// eid is one of many endpoint identifiers.
func eid(n int) netip.Addr {
	a := netip.MustParseAddr("fdde:ad00:beef::1234:0").As16()
	binary.BigEndian.PutUint16(a[14:], uint16(n))
	return netip.AddrFrom16(a)
}

// room is a resolver under test, with its clock.
type room struct {
	*Resolver
	t    testing.TB
	core *core.Core
}

func newRoom(t testing.TB) *room {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
	c.Advance(time.Unix(1000, 0))
	return &room{Resolver: New(c, timing), t: t, core: c}
}

func (r *room) after(d time.Duration) { r.core.Advance(r.core.Now.Add(d)) }

// resolve checks the answer about target.
func (r *room) resolve(target netip.Addr, want Answer, at mle.RLOC16) {
	r.t.Helper()
	if got, a := r.Resolve(target); a != want || got != at {
		r.t.Errorf("Resolve(%v) = %v, %d; want %v, %d", target, got, a, at, want)
	}
}

// asks checks which questions are to be sent.
func (r *room) asks(want ...netip.Addr) {
	r.t.Helper()
	if r.Asking() != (len(want) > 0) {
		r.t.Errorf("Asking() = %v", r.Asking())
	}
	var got []netip.Addr
	for target, ok := r.PollAsk(); ok; target, ok = r.PollAsk() {
		got = append(got, target)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("questions %v, want %v", got, want)
	}
}

// effects checks which questions have ended, and how.
func (r *room) effects(want ...Effect) {
	r.t.Helper()
	var got []Effect
	for e, ok := r.PollEffect(); ok; e, ok = r.PollEffect() {
		got = append(got, e)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("effects %v, want %v", got, want)
	}
}

// ask brings target into the state asking, its question sent.
func (r *room) ask(target netip.Addr) {
	r.t.Helper()
	r.resolve(target, Asking, 0)
	r.asks(target)
}

// pause brings target into the state pausing.
func (r *room) pause(target netip.Addr) {
	r.t.Helper()
	r.ask(target)
	r.after(timing.Query)
	r.Tick()
	r.effects(Effect{Unreachable, target})
}

// know makes target known, from a notification.
func (r *room) know(target netip.Addr, at mle.RLOC16) {
	r.t.Helper()
	r.ask(target)
	if o := r.Notify(target, owner, at, 0); o != Accepted {
		r.t.Errorf("Notify = %d", o)
	}
	r.effects(Effect{Found, target})
}

// TestTransitions walks every arrow of the diagram (Thread 1.1 §5.4.2).
func TestTransitions(t *testing.T) {
	target := eid(1)
	for _, tt := range []struct {
		name  string
		begin func(r *room) // from which state
		do    func(r *room)
		want  []Effect
		check func(r *room) // in which state
	}{
		{"first datagram", nil, func(r *room) { r.resolve(target, Asking, 0) },
			nil, func(r *room) { r.asks(target); r.resolve(target, Asking, 0); r.asks() }},
		{"nobody asked", nil, func(r *room) { r.Learn(target, rloc); r.Notify(target, owner, rloc, 0); r.Fail(target); r.Tick() },
			nil, func(r *room) { r.ask(target) }},
		{"asking, notification", func(r *room) { r.ask(target) },
			func(r *room) { r.Notify(target, owner, rloc, time.Hour) },
			[]Effect{{Found, target}}, func(r *room) { r.resolve(target, Known, rloc) }},
		{"asking, datagram from there", func(r *room) { r.ask(target) },
			func(r *room) { r.Learn(target, rloc) },
			[]Effect{{Found, target}}, func(r *room) { r.resolve(target, Known, rloc) }},
		{"asking, time not over", func(r *room) { r.ask(target); r.after(timing.Query - 1) },
			func(r *room) { r.Tick() },
			nil, func(r *room) { r.resolve(target, Asking, 0); r.asks() }},
		{"asking, no answer in time", func(r *room) { r.ask(target); r.after(timing.Query) },
			func(r *room) { r.Tick() },
			[]Effect{{Unreachable, target}}, func(r *room) { r.resolve(target, Refused, 0); r.asks() }},
		{"asking, cleared", func(r *room) { r.ask(target) },
			func(r *room) { r.Clear() },
			[]Effect{{Unreachable, target}}, func(r *room) { r.ask(target) }},
		{"asking does not fail", func(r *room) { r.ask(target) },
			func(r *room) { r.Fail(target); r.ForgetRLOC16(0); r.ForgetRouter(0) },
			nil, func(r *room) { r.resolve(target, Asking, 0); r.asks() }},
		{"pausing, pause not over", func(r *room) { r.pause(target); r.after(timing.Retry - 1) },
			func(r *room) { r.Tick(); r.Fail(target) },
			nil, func(r *room) { r.resolve(target, Refused, 0); r.asks() }},
		{"pausing, next datagram", func(r *room) { r.pause(target); r.after(timing.Retry) },
			func(r *room) { r.Tick() },
			nil, func(r *room) { r.ask(target) }},
		{"pausing, notification", func(r *room) { r.pause(target) },
			func(r *room) { r.Notify(target, owner, rloc, 0) },
			nil, func(r *room) { r.resolve(target, Known, rloc) }},
		{"pausing, datagram from there", func(r *room) { r.pause(target) },
			func(r *room) { r.Learn(target, rloc) },
			nil, func(r *room) { r.resolve(target, Known, rloc) }},
		{"pausing, cleared", func(r *room) { r.pause(target) },
			func(r *room) { r.Clear() },
			nil, func(r *room) { r.ask(target) }},
		{"pausing, a node has joined", func(r *room) { r.pause(target) },
			func(r *room) { r.ForgetFailures() },
			nil, func(r *room) { r.ask(target) }},
		{"asking, a node has joined", func(r *room) { r.ask(target) },
			func(r *room) { r.ForgetFailures() },
			nil, func(r *room) { r.resolve(target, Asking, 0); r.asks() }},
		{"known, a node has joined", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.ForgetFailures() },
			nil, func(r *room) { r.resolve(target, Known, rloc) }},
		{"known, datagram from elsewhere", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.Learn(target, otherRLOC) },
			nil, func(r *room) { r.resolve(target, Known, otherRLOC) }},
		{"known, time passes", func(r *room) { r.know(target, rloc); r.after(24 * time.Hour) },
			func(r *room) { r.Tick() },
			nil, func(r *room) { r.resolve(target, Known, rloc) }},
		{"known, not there", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.Fail(target) },
			nil, func(r *room) { r.ask(target) }},
		{"known, owner has left", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.ForgetRLOC16(rloc) },
			nil, func(r *room) { r.ask(target) }},
		{"known, owner's router is gone", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.ForgetRouter(rloc.RouterID()) },
			nil, func(r *room) { r.ask(target) }},
		{"known, others are gone", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.Fail(eid(2)); r.ForgetRLOC16(rloc + 1); r.ForgetRouter(rloc.RouterID() + 1) },
			nil, func(r *room) { r.resolve(target, Known, rloc) }},
		{"known, cleared", func(r *room) { r.know(target, rloc) },
			func(r *room) { r.Clear() },
			nil, func(r *room) { r.ask(target) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			if tt.begin != nil {
				tt.begin(r)
			}
			tt.do(r)
			r.effects(tt.want...)
			tt.check(r)
		})
	}
}

// Each question without an answer makes the pause longer; one with an answer makes it short again.
func TestPause(t *testing.T) {
	r, target := newRoom(t), eid(1)
	for _, want := range []time.Duration{15, 30, 60, 100, 100, 100} {
		r.pause(target)
		r.after(want*time.Second - 1)
		r.resolve(target, Refused, 0)
		r.after(1)
	}
	r.know(target, rloc)
	r.Fail(target)
	r.pause(target)
	r.after(timing.Retry)
	r.ask(target)
}

// A shortest pause that is longer than the longest one is none the longer for it.
func TestPauseLimit(t *testing.T) {
	r, target := newRoom(t), eid(1)
	r.timing.RetryMax = time.Second
	r.pause(target)
	r.after(time.Second)
	r.ask(target)
}

// TestNotify compares answers about an address that is known already (Thread 1.1 §5.4.2): the owner who was heard of last counts.
func TestNotify(t *testing.T) {
	const age = 10 * time.Second
	for _, tt := range []struct {
		name    string
		snooped bool // known from a datagram alone
		iid     ip6.InterfaceID
		age     time.Duration
		want    Outcome
		at      mle.RLOC16 // where the address is afterwards
	}{
		{"later answer", false, owner, age - 1, Accepted, otherRLOC},
		{"same age", false, owner, age, Ignored, rloc},
		{"older answer", false, owner, age + 1, Ignored, rloc},
		{"other owner", false, thief, age - 1, Conflict, rloc},
		{"other owner, older answer", false, thief, age + 1, Conflict, rloc},
		{"owner not known yet", true, thief, age + 1, Accepted, otherRLOC},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, target := newRoom(t), eid(1)
			r.ask(target)
			if tt.snooped {
				r.Learn(target, rloc)
			} else {
				r.Notify(target, owner, rloc, age)
			}
			r.effects(Effect{Found, target})
			if got := r.Notify(target, tt.iid, otherRLOC, tt.age); got != tt.want {
				t.Errorf("outcome %d, want %d", got, tt.want)
			}
			r.effects()
			r.resolve(target, Known, tt.at)
		})
	}
}

// A datagram that passed corrects the place of an owner, but says nothing about who that is.
func TestNotifyAfterLearn(t *testing.T) {
	r, target := newRoom(t), eid(1)
	r.know(target, rloc)
	r.Learn(target, otherRLOC)
	if got := r.Notify(target, thief, rloc, 0); got != Conflict {
		t.Errorf("outcome %d, want a conflict", got)
	}
	r.resolve(target, Known, otherRLOC)
}

// The address used longest ago gives way. Being known is no privilege, nor is being spoken of by others.
func TestEviction(t *testing.T) {
	r := newRoom(t)
	r.pause(eid(0)) // used before all others
	for i := 1; i < maxAddresses; i++ {
		r.after(time.Second)
		r.know(eid(i), rloc)
	}
	r.after(time.Second)
	r.resolve(eid(1), Known, rloc)
	r.Learn(eid(2), otherRLOC)
	r.after(time.Second)

	for i, gone := range []netip.Addr{eid(0), eid(2), eid(3)} {
		r.know(eid(300+i), rloc)
		if r.find(gone) != nil || r.find(eid(300+i)) == nil {
			t.Errorf("%v has not taken the place of %v", eid(300+i), gone)
		}
		r.after(time.Second)
	}
	r.resolve(eid(1), Known, rloc)

	// A place that is free goes first.
	r.Fail(eid(1))
	r.know(eid(400), rloc)
	r.resolve(eid(4), Known, rloc)
}

// An address being asked for keeps its place, however long ago it was used.
func TestFull(t *testing.T) {
	r := newRoom(t)
	for i := range maxAddresses {
		r.ask(eid(i))
		r.after(time.Millisecond)
	}
	r.resolve(eid(300), Refused, 0)
	r.asks()
	r.Learn(eid(20), rloc)
	r.effects(Effect{Found, eid(20)})
	r.ask(eid(300))
	if r.find(eid(20)) != nil {
		t.Error("another one than the one that is known has given way")
	}
	r.resolve(eid(301), Refused, 0)
}

// While nobody fetches the ends of questions, no further ones are opened: the queues have bounds.
func TestQueueBound(t *testing.T) {
	r := newRoom(t)
	var want []Effect
	for i := range maxAddresses {
		r.ask(eid(i))
		r.Learn(eid(i), rloc)
		want = append(want, Effect{Found, eid(i)})
	}
	r.resolve(eid(0), Known, rloc)
	r.resolve(eid(300), Refused, 0)
	r.asks()
	r.effects(want...)
	r.ask(eid(300))
}

// Questions go out in the order in which they came, but only while they are open.
func TestAsks(t *testing.T) {
	r := newRoom(t)
	for i := range 4 {
		r.resolve(eid(i), Asking, 0)
	}
	if target, ok := r.PollAsk(); !ok || target != eid(0) {
		t.Errorf("asks for %v, %v", target, ok)
	}
	r.Learn(eid(2), rloc)
	r.effects(Effect{Found, eid(2)})
	r.asks(eid(1), eid(3))
	r.resolve(eid(4), Asking, 0)
	r.after(timing.Query)
	r.Tick()
	r.asks()
}

// Clear ends all that is open in the order of the table, and sends nothing more.
func TestClear(t *testing.T) {
	r := newRoom(t)
	r.know(eid(0), rloc)
	r.ask(eid(1))
	r.ask(eid(2))
	r.Fail(eid(0))
	r.resolve(eid(3), Asking, 0) // in the first place
	r.Clear()
	r.asks()
	r.effects(Effect{Unreachable, eid(3)}, Effect{Unreachable, eid(1)}, Effect{Unreachable, eid(2)})
	r.Clear()
	r.effects()
}

// Place tells of known addresses alone, and since when they were there.
func TestPlace(t *testing.T) {
	r := newRoom(t)
	if _, _, ok := r.Place(eid(1)); ok {
		t.Error("known before anything is")
	}
	r.ask(eid(1))
	if _, _, ok := r.Place(eid(1)); ok {
		t.Error("known while it is asked for")
	}
	r.Learn(eid(1), rloc)
	r.after(time.Minute)
	if at, age, ok := r.Place(eid(1)); !ok || at != rloc || age != time.Minute {
		t.Errorf("at %v for %v, %v", at, age, ok)
	}
	r.ForgetRLOC16(rloc)
	if _, _, ok := r.Place(eid(1)); ok {
		t.Error("known after its node has left")
	}
}

func TestCached(t *testing.T) {
	r := newRoom(t)
	for i := range 3 {
		r.know(eid(i), rloc+mle.RLOC16(i))
	}
	r.ask(eid(3))
	r.Fail(eid(1))
	var got []netip.Addr
	for a, at := range r.Cached() {
		got = append(got, a)
		r.resolve(a, Known, at)
	}
	if want := []netip.Addr{eid(0), eid(2)}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for a := range r.Cached() {
		if a != eid(0) {
			t.Errorf("goes on to %v", a)
		}
		break
	}
}

func TestAllocs(t *testing.T) {
	r := newRoom(t)
	addrs := make([]netip.Addr, 2*maxAddresses)
	for i := range addrs {
		addrs[i] = eid(i)
	}
	n := testing.AllocsPerRun(20, func() {
		for i, a := range addrs {
			r.Resolve(a)
			r.PollAsk()
			if i%2 == 0 {
				r.Learn(a, rloc)
			}
			r.PollEffect()
		}
		r.after(timing.Query)
		r.Tick()
		for _, ok := r.PollEffect(); ok; _, ok = r.PollEffect() {
			continue
		}
		r.ForgetRLOC16(rloc)
		r.Clear()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// model is what must hold of a resolver whatever happens to it.
type model struct {
	*room
	open   map[netip.Addr]bool       // questions without an end, and whether they were sent
	places map[netip.Addr]mle.RLOC16 // where each address was said to be last
}

// FuzzResolver takes each pair of bytes as an operation and its operand. Nothing outgrows the table, and each question is sent
// once at most and ends exactly once.
func FuzzResolver(f *testing.F) {
	for seed := range uint64(32) {
		ops := make([]byte, 1000)
		for i, r := 0, rand.New(rand.NewPCG(seed, 0)); i < len(ops); i++ {
			ops[i] = byte(r.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := model{newRoom(t), map[netip.Addr]bool{}, map[netip.Addr]mle.RLOC16{}}
		for ; len(ops) >= 2; ops = ops[2:] {
			m.step(ops[0], ops[1])
			m.check()
		}
		m.Clear()
		for m.end() {
			continue
		}
		if len(m.open) != 0 {
			t.Errorf("questions without an end: %v", m.open)
		}
	})
}

// step does one operation.
func (m *model) step(op, x byte) {
	target, at := eid(int(x)%(2*maxAddresses)), mle.RLOC16(x)<<9
	switch op % 16 {
	case 0, 1, 2, 3, 4, 5:
		m.question(target)
	case 6:
		m.Learn(target, at)
		m.places[target] = at
	case 7:
		if m.Notify(target, ip6.InterfaceID{op >> 7}, at, time.Duration(op>>4)) == Accepted {
			m.places[target] = at
		}
	case 8:
		m.Fail(target)
	case 9:
		m.ForgetRouter(at.RouterID())
	case 10:
		m.ForgetRLOC16(at)
	case 11:
		m.after(time.Duration(x) * 20 * time.Millisecond)
		m.Tick()
	case 12:
		if x == 0 {
			m.Clear()
		} else if x < 8 {
			m.ForgetFailures()
		}
	case 13:
		if a, ok := m.PollAsk(); ok {
			if sent, open := m.open[a]; sent || !open {
				m.t.Fatalf("asks for %v: open %v, sent %v", a, open, sent)
			}
			m.open[a] = true
		}
	default:
		m.end()
	}
}

// question resolves target. Before a new question the end of an older one is fetched, if it had one.
func (m *model) question(target netip.Addr) {
	if i := slices.IndexFunc(m.Resolver.effects, func(e Effect) bool { return e.Target == target }); i >= 0 {
		for range i + 1 {
			m.end()
		}
	}
	switch at, a := m.Resolve(target); a {
	case Known:
		if at != m.places[target] {
			m.t.Fatalf("%v is at %v, want %v", target, at, m.places[target])
		}
	case Asking:
		if _, open := m.open[target]; !open {
			m.open[target] = false
		}
	}
}

// end fetches one effect.
func (m *model) end() bool {
	e, ok := m.PollEffect()
	if !ok {
		return false
	}
	if _, open := m.open[e.Target]; !open {
		m.t.Fatalf("an end %v without a question", e)
	}
	delete(m.open, e.Target)
	return true
}

// check compares table and queues with each other.
func (m *model) check() {
	asking := 0
	for _, e := range m.entries {
		if e.state != stateNone && m.find(e.target) != e {
			m.t.Fatalf("%v is in the table twice", e.target)
		}
		if e.state == stateAsking {
			asking++
		}
	}
	asks, ends := len(m.Resolver.asks), len(m.Resolver.effects)
	if asks > asking || asking+ends > maxAddresses || asking+ends != len(m.open) {
		m.t.Fatalf("%d questions to be sent, %d open, %d ends; %d expected", asks, asking, ends, len(m.open))
	}
}

// TestLearnNew: an address of which nobody knew is known once it has been learned, and is not by a datagram that only passed.
func TestLearnNew(t *testing.T) {
	r, target := newRoom(t), eid(1)
	if r.Correct(target, rloc); len(maps.Collect(r.Cached())) != 0 {
		t.Error("what passed is kept")
	}
	r.Learn(target, rloc)
	if got, answer := r.Resolve(target); got != rloc || answer != Known {
		t.Errorf("learned: %v, %v", got, answer)
	}
	r.Correct(target, otherRLOC)
	if got, answer := r.Resolve(target); got != otherRLOC || answer != Known {
		t.Errorf("corrected: %v, %v", got, answer)
	}
	for i := range 3 * maxAddresses {
		r.Learn(eid(300+i), rloc)
	}
	if n := len(maps.Collect(r.Cached())); n != maxAddresses {
		t.Errorf("%d addresses kept", n)
	}
}

// What a neighbor says counts if it is newer than what is known, and takes the place of nothing that is used. The owner's own word counts
// always.
func TestHear(t *testing.T) {
	r, target := newRoom(t), eid(1)
	r.after(time.Hour)
	r.Hear(target, rloc, r.core.Now.Add(-time.Minute), false)
	r.resolve(target, Known, rloc)
	r.Hear(target, otherRLOC, r.core.Now.Add(-2*time.Minute), false)
	r.resolve(target, Known, rloc)
	r.Hear(target, otherRLOC, r.core.Now.Add(-2*time.Minute), true)
	r.resolve(target, Known, otherRLOC)
	r.Hear(target, rloc, r.core.Now, false)
	r.resolve(target, Known, rloc)

	// Where it was not, it is not by an older word either.
	r.after(time.Second)
	r.Fail(target)
	r.Hear(target, rloc, r.core.Now.Add(-time.Second), false)
	if r.find(target) != nil {
		t.Error("an old word counts after a failure")
	}
	r.after(time.Second)
	r.Hear(target, otherRLOC, r.core.Now, false)
	r.resolve(target, Known, otherRLOC)

	// It is an answer to an open question.
	r.resolve(eid(2), Asking, 0)
	r.Hear(eid(2), rloc, r.core.Now, false)
	r.effects(Effect{Found, eid(2)})

	for i := range maxAddresses {
		r.know(eid(500+i), rloc)
		r.Resolve(eid(500 + i))
	}
	r.Hear(eid(3), rloc, r.core.Now, false)
	if r.find(eid(3)) != nil {
		t.Error("what is used has given way to hearsay")
	}
}

// Neighbors are told of each address twice, and three times if it is elsewhere than it was.
func TestTell(t *testing.T) {
	r := newRoom(t)
	told := func() (list []netip.Addr) {
		r.Tell(func(target netip.Addr, _ mle.RLOC16, _ time.Duration) bool {
			list = append(list, target)
			return true
		})
		return list
	}
	r.Learn(eid(1), rloc)
	r.Hear(eid(2), rloc, r.core.Now, false)
	for _, want := range []int{2, 2, 0} {
		if n := r.Untold(); n != want {
			t.Errorf("%d to be told, want %d", n, want)
		}
		if got := told(); len(got) != want {
			t.Errorf("told %v, want %d", got, want)
		}
	}
	r.after(time.Minute)
	r.Learn(eid(1), rloc) // still there
	r.Hear(eid(2), otherRLOC, r.core.Now, false)
	for range maxTold {
		if got := told(); !slices.Equal(got, []netip.Addr{eid(2)}) {
			t.Errorf("told %v after one has moved", got)
		}
	}
	r.Tell(func(netip.Addr, mle.RLOC16, time.Duration) bool { t.Error("told once more"); return true })
}
