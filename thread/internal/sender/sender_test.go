package sender

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// The first tag is the only random number that a new sender takes, and it takes no message until it is on.
func TestNew(t *testing.T) {
	seeded := func() *core.Core {
		return core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), own)
	}
	c, draws := seeded(), seeded().Rand
	s := New(c, timing, &radio{t: t}, newRoads(), &lowpan.Contexts{})
	if want := uint16(draws.Uint32()); s.tag != want {
		t.Errorf("tag %d, want %d", s.tag, want)
	}
	if c.Rand.Uint64() != draws.Uint64() {
		t.Error("other random numbers are drawn")
	}
	if _, timer := s.NextTimeout(); timer || s.Choose() || s.On {
		t.Error("a new sender is busy or on")
	}
	m := s.New()
	m.Data = appendDatagram(m.Data, at(self), at(left), small, 'a')
	if s.Enqueue(m) == nil || s.Queued() > 0 || s.Counters != (Counters{Stopped: 1}) {
		t.Errorf("taken: %+v", s.Counters)
	}
	if again := s.New(); again != m || len(again.Data) != 0 {
		t.Error("what is not taken is lost")
	}
}

// The class selectors of RFC 4594 have the priorities that OpenThread gives them.
func TestPriorityOf(t *testing.T) {
	want := [8]Priority{
		PriorityNormal, PriorityLow, PriorityLow, PriorityNormal, PriorityHigh, PriorityHigh, PriorityHigh, PriorityHigh,
	}
	for class := range 256 {
		if got := PriorityOf(uint8(class)); got != want[class>>5] {
			t.Errorf("traffic class %#02x: priority %d, want %d", class, got, want[class>>5])
		}
	}
}

// Higher priorities come first; within one, each next hop keeps its order, and the hops take turns.
func TestOrder(t *testing.T) {
	const low, normal, high, network = PriorityLow, PriorityNormal, PriorityHigh, PriorityNet
	type item struct {
		label byte
		dst   mle.RLOC16
		p     Priority
	}
	for _, tt := range []struct {
		name  string
		items []item
		want  string
	}{
		{"one hop", []item{{'1', left, normal}, {'2', left, normal}, {'3', left, normal}}, "123"},
		{"priorities", []item{{'l', left, low}, {'n', left, normal}, {'h', left, high}, {'!', left, network}}, "!hnl"},
		{"priorities of several hops",
			[]item{{'l', right, low}, {'n', left, normal}, {'N', left, normal}, {'h', left, high}, {'H', right, high}}, "hHnNl"},
		{"two hops", []item{{'1', left, normal}, {'2', left, normal}, {'3', left, normal}, {'a', right, normal}, {'b', right, normal}}, "1a2b3"},
		{"one frame for the other hop", []item{{'1', left, normal}, {'2', left, normal}, {'3', left, normal}, {'a', right, normal}}, "1a23"},
		// Of those that are not served just now the oldest has its turn.
		{"three hops", []item{{'1', left, normal}, {'2', left, normal}, {'a', right, normal}, {'x', gone + 0x400, normal}, {'3', left, normal},
			{'y', gone + 0x400, normal}}, "1a2x3y"},
		{"two destinations behind one hop",
			[]item{{'1', beyondLeft, normal}, {'2', behindLeft, normal}, {'3', left, normal}, {'a', beyondRight, normal}}, "1a23"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			for _, i := range tt.items {
				m := r.datagram(at(i.dst), small, i.label)
				m.Priority = i.p
				r.take(m)
			}
			if got := r.run(); got != tt.want {
				t.Errorf("order %q, want %q", got, tt.want)
			}
			r.counts(Counters{TxDatagrams: uint64(len(tt.items))})
			r.holds(0, 0)
		})
	}
}

// The hop that was served last waits for its turn even if it had nothing to be sent meanwhile, and goes on when nobody else waits.
func TestTurnOverTime(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(left), small, '1'))
	if got := r.run(); got != "1" {
		t.Fatalf("%q", got)
	}
	r.take(r.datagram(at(left), small, '2'), r.datagram(at(right), small, 'a'))
	if got := r.run(); got != "a2" {
		t.Errorf("order %q", got)
	}
}

// Who is asked again chooses again: what has come meanwhile may come first.
func TestChooseAgain(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(left), small, '1'))
	if !r.Choose() {
		t.Fatal("nothing to send")
	}
	if next, ok := r.NextTimeout(); ok {
		t.Errorf("next timeout %v, and nothing pauses", next)
	}
	high := r.datagram(at(left), small, '2')
	high.Priority = PriorityHigh
	r.take(high)
	if got := r.run(); got != "21" {
		t.Errorf("order %q", got)
	}
}

// MLE messages are secured in the order in which they leave, each once: a neighbor takes one that comes after a later broadcast for a replay.
func TestMLEOrder(t *testing.T) {
	network := func(m *Message) *Message { m.Priority = PriorityNet; return m }
	r := newRoom(t)
	var secured strings.Builder
	r.Secure = func(m *Message) error {
		secured.WriteByte(m.Data[len(m.Data)-1])
		return nil
	}
	r.take(r.mle(toNeighbor, small, '0'))
	r.run() // its hop has been served last
	r.take(r.mle(toNeighbor, small, '1'), r.mle(toAll, small, '2'), network(r.datagram(at(right), small, 'd')),
		r.mle(toNeighbor, 200, '3'), r.mle(toAll, small, '4'))
	sent := r.run()
	if got, want := secured.String(), "0"+once(strings.ReplaceAll(sent, "d", "")); got != want {
		t.Errorf("secured %q, sent %q", got, sent)
	}

	r.Secure = func(*Message) error { return core.ErrStore }
	r.take(r.mle(toNeighbor, small, '1'))
	if got := r.run(); got != "" || r.Counters.Unsecured != 1 {
		t.Errorf("sent %q without being secured, %+v", got, r.Counters)
	}
}

// once returns the first of each byte.
func once(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if !strings.Contains(b.String(), s[i:i+1]) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// A message that has not been begun in time is given up; what has been begun is finished.
func TestExpiry(t *testing.T) {
	r := newRoom(t)
	expires := r.core.Now.Add(time.Minute)
	expiring := func(m *Message) *Message { m.Expires = expires; return m }
	r.take(expiring(r.datagram(at(left), large, 'b')), expiring(r.datagram(at(right), small, 'n')),
		expiring(r.relayed(right, small, 'r')), r.datagram(at(right), small, 'x'))
	if label, _ := r.next(); label != 'b' {
		t.Fatalf("%q is first", label)
	}
	r.done(true)
	r.core.Advance(expires)
	if got := r.run(); got != "xbb" {
		t.Errorf("sent %q", got)
	}
	r.counts(Counters{TxDatagrams: 2, TxDatagramsFailed: 2})

	r.take(expiring(r.datagram(at(left), small, 'l')))
	r.holds(1, 0)
	if r.Choose() {
		t.Error("too late is sent")
	}
	r.holds(0, 0)

	m := r.datagram(at(left), small, 'l')
	m.Expires = r.core.Now.Add(1)
	r.take(m)
	if got := r.run(); got != "l" {
		t.Errorf("%q at the last moment", got)
	}
}

// What cannot be parsed or makes no frame is given up, and what is left goes on.
func TestGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(r *room) *Message
		taken bool
	}{
		{"empty", func(r *room) *Message { return r.New() }, false},
		{"shorter than its header", func(r *room) *Message {
			m := r.datagram(at(left), small, 'x')
			m.Data = m.Data[:39]
			return m
		}, false},
		{"no IPv6", func(r *room) *Message {
			m := r.datagram(at(left), small, 'x')
			m.Data[0] = 0x45
			return m
		}, false},
		{"wrong length", func(r *room) *Message {
			m := r.datagram(at(left), small, 'x')
			m.Data = append(m.Data, 'x')
			return m
		}, true},
		{"longer than the MTU", func(r *room) *Message { return r.datagram(at(left), lowpan.MaxDatagramSize+1, 'x') }, true},
		{"mesh frame without an end", func(r *room) *Message {
			m := r.relayed(left, small, 'x')
			m.Data = m.Data[:4]
			return m
		}, false},
		{"mesh frame without its header", func(r *room) *Message {
			m := r.datagram(at(left), small, 'x')
			m.Kind = KindMeshFrame
			return m
		}, false},
		{"mesh frame that is too long", func(r *room) *Message { return r.relayed(left, 120, 'x') }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			if taken := r.Enqueue(tt.make(r)) == nil; taken != tt.taken {
				t.Errorf("taken: %v", taken)
			}
			r.take(r.datagram(at(left), small, 'a'))
			if got := r.run(); got != "a" {
				t.Errorf("sent %q", got)
			}
			r.counts(Counters{TxDatagrams: 1, TxDatagramsFailed: 1})
			r.holds(0, 0)
		})
	}
}

// A frame that the MAC does not take is lost with its message.
func TestMACFails(t *testing.T) {
	r := newRoom(t)
	r.radio.err = core.ErrStore
	r.take(r.datagram(at(left), large, 'a'), r.relayed(left, small, 'b'))
	if got := r.run(); got != "" {
		t.Errorf("sent %q", got)
	}
	r.radio.err = errTooLong
	r.take(r.relayed(left, small, 'b'))
	if got := r.run(); got != "" {
		t.Errorf("sent %q", got)
	}
	r.counts(Counters{Unsecured: 2, TxDatagramsFailed: 1})
	r.radio.err = nil
	r.take(r.datagram(at(left), small, 'c'))
	if got := r.run(); got != "c" {
		t.Errorf("sent %q", got)
	}
	r.holds(0, 0)
}

// What became of the frame decides what becomes of its message.
func TestSent(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(r *room) *Message
		ok   bool
		left int // messages queued afterwards
		want Counters
	}{
		{"datagram", func(r *room) *Message { return r.datagram(at(left), small, 'x') }, true, 0, Counters{TxDatagrams: 1}},
		{"datagram, failed", func(r *room) *Message { return r.datagram(at(left), small, 'x') }, false, 0, Counters{TxDatagramsFailed: 1}},
		{"fragment", func(r *room) *Message { return r.datagram(at(left), large, 'x') }, true, 1, Counters{}},
		{"fragment, failed", func(r *room) *Message { return r.datagram(at(left), large, 'x') }, false, 0, Counters{TxDatagramsFailed: 1}},
		{"MLE message", func(r *room) *Message { return r.mle(toAll, small, 'x') }, true, 0, Counters{TxDatagrams: 1}},
		{"MLE message, failed", func(r *room) *Message { return r.mle(toNeighbor, small, 'x') }, false, 0, Counters{TxDatagramsFailed: 1}},
		{"relayed frame", func(r *room) *Message { return r.relayed(beyondLeft, small, 'x') }, true, 0, Counters{Forwarded: 1}},
		{"relayed frame, failed", func(r *room) *Message { return r.relayed(beyondLeft, small, 'x') }, false, 0, Counters{TxDatagramsFailed: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			r.take(tt.make(r))
			if _, ok := r.next(); !ok {
				t.Fatal("nothing to send")
			}
			r.done(tt.ok)
			r.counts(tt.want)
			r.holds(tt.left, 0)
		})
	}
}

// One fragment that fails is the end of its datagram; others go on.
func TestFragmentFails(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(left), large, 'a'), r.datagram(at(left), small, 'b'))
	r.next()
	r.done(true)
	r.next()
	r.done(false)
	if got := r.run(); got != "b" {
		t.Errorf("sent %q afterwards", got)
	}
	r.counts(Counters{TxDatagrams: 1, TxDatagramsFailed: 1})
}

// A datagram whose destination's place is not known waits, and keeps nobody else waiting.
func TestWaiting(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(eid(1), small, '1'), r.datagram(eid(2), small, '2'), r.datagram(eid(1), small, '3'), r.datagram(at(left), small, 'a'),
		r.datagram(eid(3), small, '4'))
	if got := r.run(); got != "a" {
		t.Errorf("sent %q", got)
	}
	r.holds(0, 4)

	r.Release(eid(9))
	r.Refuse(eid(9))
	r.holds(0, 4)

	r.roads.places[eid(1)] = right
	if got := r.run(); got != "" {
		t.Errorf("sent %q before it was told", got)
	}
	r.Release(eid(1))
	r.holds(2, 2)
	if got := r.run(); got != "13" {
		t.Errorf("sent %q", got)
	}
	r.Refuse(eid(2))
	r.holds(0, 1)
	r.Release(eid(3)) // released in vain: the place is not known yet
	if got := r.run(); got != "" {
		t.Errorf("sent %q", got)
	}
	r.holds(0, 1)
	r.counts(Counters{TxDatagrams: 3, AddressUnresolved: 1})
}

// Only so many datagrams wait for an address. Those that come to it in the queue stay there meanwhile: none gives way.
func TestMaxWaiting(t *testing.T) {
	r := newRoom(t)
	for n := range byte(MaxWaiting + 2) {
		r.take(r.datagram(eid(n), small, 'a'+n))
	}
	if r.Choose() {
		t.Error("a way to nowhere")
	}
	r.holds(2, MaxWaiting)
	r.counts(Counters{})
	r.take(r.datagram(at(left), small, 'x'))
	if label, _ := r.next(); label != 'x' {
		t.Errorf("%q goes before one that knows its way", label)
	}
	r.done(true)
	for n := range byte(MaxWaiting + 2) {
		r.roads.places[eid(n)] = left
		r.Release(eid(n))
	}
	if got := r.run(); len(got) != MaxWaiting+2 {
		t.Errorf("sent %q", got)
	}
}

// What waits for an address keeps its place in the queue, which it finds by its priority once it is released.
func TestReleaseIntoFullQueue(t *testing.T) {
	r := newRoom(t)
	high := r.datagram(eid(1), small, 'h')
	high.Priority = PriorityHigh
	r.take(r.datagram(eid(1), small, 'n'), high)
	r.Choose()
	for range MaxQueued - 2 {
		r.take(r.datagram(at(left), small, 'x'))
	}
	if err := r.Enqueue(r.datagram(at(left), small, 'x')); err != core.ErrQueueFull {
		t.Errorf("%v", err)
	}
	r.roads.places[eid(1)] = left
	r.Release(eid(1))
	r.holds(MaxQueued, 0)
	r.counts(Counters{QueueFull: 1})
	if label, _ := r.next(); label != 'h' {
		t.Errorf("%q is first", label)
	}
}

// Who sends a datagram hears at once what becomes of it. What is taken for an address that is asked for is sent once it is known.
func TestSubmit(t *testing.T) {
	r := newRoom(t)
	for n := range MaxWaiting {
		if err := r.Submit(r.datagram(eid(1), small, 'a'+byte(n))); err != nil {
			t.Fatal(err)
		}
	}
	r.holds(0, MaxWaiting)
	if err := r.Submit(r.datagram(eid(1), small, 'x')); err != core.ErrQueueFull {
		t.Errorf("as many wait as may: %v", err)
	}
	if err := r.Submit(r.datagram(at(gone), small, 'x')); err != core.ErrNoRoute {
		t.Errorf("no way: %v", err)
	}
	if err := r.Submit(r.datagram(at(left), small, 'z')); err != nil {
		t.Errorf("a known way: %v", err)
	}
	r.holds(1, MaxWaiting)
	r.roads.places[eid(1)] = left
	r.Release(eid(1))
	if got := r.run(); got != "zabcdefghijklmnop" {
		t.Errorf("sent %q", got)
	}
	r.counts(Counters{TxDatagrams: MaxWaiting + 1, QueueFull: 1, NoRoute: 1})

	r.On = false
	if err := r.Submit(r.datagram(at(left), small, 'x')); err != core.ErrDisabled {
		t.Errorf("off: %v", err)
	}
}

// A datagram that has been begun goes on where it was, even if its destination has to be asked for meanwhile, or is reached another way.
func TestBegunAndMoved(t *testing.T) {
	r := newRoom(t)
	r.roads.places[eid(1)] = left
	r.take(r.datagram(eid(1), large, 'a'))
	r.next()
	first := fragmentOf(t, r)
	r.done(true)
	delete(r.roads.places, eid(1))
	if got := r.run(); got != "" {
		t.Fatalf("sent %q", got)
	}
	r.holds(0, 1)
	r.roads.places[eid(1)] = beyondRight
	r.Release(eid(1))
	r.next()
	second := fragmentOf(t, r)
	if second.tag != first.tag || second.offset != first.end || r.radio.frame.Dst != neighbors.ShortAddr(right) {
		t.Errorf("%+v to %v after %+v", second, r.radio.frame.Dst, first)
	}
}

// A full queue gives way to what is more important, but never the frame that the MAC has.
func TestQueueFull(t *testing.T) {
	r := newRoom(t)
	fill := func(p Priority) {
		for r.Queued() < MaxQueued {
			m := r.datagram(at(left), small, 'x')
			m.Priority = p
			r.take(m)
		}
	}
	offer := func(p Priority, label byte) bool {
		m := r.datagram(at(left), small, label)
		m.Priority = p
		return r.Enqueue(m) == nil
	}
	fill(PriorityNormal)
	if offer(PriorityNormal, 'n') || offer(PriorityLow, 'l') {
		t.Error("gives way to what is no more important")
	}
	r.holds(MaxQueued, 0)
	r.counts(Counters{QueueFull: 2})
	if !offer(PriorityHigh, 'h') || !offer(PriorityNet, '!') {
		t.Error("does not give way")
	}
	r.holds(MaxQueued, 0)
	r.counts(Counters{QueueFull: 4})
	if got := r.run(); len(got) != MaxQueued || got[:2] != "!h" {
		t.Errorf("sent %q", got)
	}

	r.Counters = Counters{}
	offer(PriorityLow, 'l')
	r.next() // it is in work
	fill(PriorityHigh)
	if offer(PriorityNet, '!') {
		t.Error("the frame in work gives way")
	}
	r.counts(Counters{QueueFull: 1})
	r.done(true)
	r.holds(MaxQueued-1, 0)
	r.counts(Counters{QueueFull: 1, TxDatagrams: 1})
}

// An outdated MLE message is not sent, unless it is on its way already.
func TestDropMLE(t *testing.T) {
	const command = mle.Advertisement
	for _, tt := range []struct {
		name string
		make func(r *room) *Message
		drop bool
	}{
		{"the same", func(r *room) *Message { return r.mle(toAll, small, 'x') }, true},
		{"another command", func(r *room) *Message { m := r.mle(toAll, small, 'x'); m.Command = mle.DataResponse; return m }, false},
		{"another destination", func(r *room) *Message { return r.mle(toNeighbor, small, 'x') }, false},
		{"no MLE message", func(r *room) *Message { m := r.mle(toAll, small, 'x'); m.Kind = KindDatagram; return m }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			r.take(r.datagram(at(left), small, 'a'), tt.make(r), r.datagram(at(right), small, 'b'))
			r.DropMLE(toAll, command)
			want := map[bool]uint64{false: 3, true: 2}[tt.drop]
			r.holds(int(want), 0)
			r.run()
			r.counts(Counters{TxDatagrams: want, Replaced: 3 - want})
		})
	}

	r := newRoom(t)
	r.take(r.mle(toAll, large, 'b'), r.mle(toAll, small, '1'), r.mle(toAll, small, '2'))
	r.start()
	r.DropMLE(toAll, command)
	r.holds(1, 0) // it is in work
	r.done(true)
	r.DropMLE(toAll, command)
	r.holds(1, 0) // it has been begun
	if got := r.run(); got != "bb" {
		t.Errorf("sent %q", got)
	}
}

// What has no way is dropped, and counted as that alone.
func TestNoRoute(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(gone), small, 'x'), r.relayed(gone, small, 'y'), r.datagram(at(left), small, 'a'))
	if got := r.run(); got != "a" {
		t.Errorf("sent %q", got)
	}
	r.counts(Counters{TxDatagrams: 1, NoRoute: 1, RelaysNoRoute: 1})
	r.holds(0, 0)
}

// Nothing is left after a stop, not even a report on the frame that the MAC had.
func TestStop(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(left), large, 'a'), r.datagram(eid(1), small, 'b'), r.relayed(right, small, 'c'))
	r.start()
	r.Stop()
	r.holds(0, 0)
	r.done(true)
	if r.Choose() {
		t.Error("something is left")
	}
	r.Release(eid(1))
	r.counts(Counters{Stopped: 3})
	r.take(r.datagram(at(left), small, 'd'))
	if got := r.run(); got != "d" {
		t.Errorf("sent %q afterwards", got)
	}
	if len(r.pool) > 3 {
		t.Errorf("%d messages were made", len(r.pool))
	}
}

// A pause ends with a stop: nothing is due afterwards.
func TestStopWhilePausing(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(beyondLeft), large, 'a'))
	r.start()
	r.done(true)
	if _, ok := r.next(); ok {
		t.Fatal("goes on at once")
	}
	r.Stop()
	if next, ok := r.NextTimeout(); ok {
		t.Errorf("next timeout %v", next)
	}
}

// What is taken back is empty and used again.
func TestFree(t *testing.T) {
	r := newRoom(t)
	m := r.mle(toAll, large, 'x')
	m.Expires = r.core.Now
	r.Free(m)
	again := r.New()
	if again != m || len(again.Data) != 0 || cap(again.Data) < large {
		t.Errorf("%+v", again)
	}
	again.Data = nil
	if want := (Message{}); again.Kind != want.Kind || again.Command != want.Command || again.Priority != want.Priority ||
		again.Expires != want.Expires || again.src != want.src || again.dst != want.dst || again.tag != want.tag || again.secured {
		t.Errorf("%+v", again)
	}
}

// The ends of a datagram are known once it is enqueued.
func TestEnds(t *testing.T) {
	r := newRoom(t)
	m := r.datagram(at(left), small, 'x')
	if m.Src().IsValid() || m.Dst().IsValid() {
		t.Errorf("%v to %v", m.Src(), m.Dst())
	}
	r.take(m)
	if m.Src() != at(self) || m.Dst() != at(left) {
		t.Errorf("%v to %v", m.Src(), m.Dst())
	}
}

// In steady state nothing is allocated for a message on its way out.
func TestNoAllocations(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames int
		make   func(r *room) *Message
	}{
		{"datagram", 1, func(r *room) *Message { return r.datagram(at(left), small, 'x') }},
		{"datagram beyond a neighbor", 1, func(r *room) *Message { return r.datagram(at(beyondLeft), small, 'x') }},
		{"fragments", 13, func(r *room) *Message { return r.datagram(at(beyondLeft), lowpan.MaxDatagramSize, 'x') }},
		{"MLE message", 1, func(r *room) *Message { return r.mle(toAll, small, 'x') }},
		{"MLE message in fragments", 2, func(r *room) *Message { return r.mle(toNeighbor, 200, 'x') }},
		{"relayed frame", 1, func(r *room) *Message { return r.relayed(beyondLeft, small, 'x') }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			frames := 0
			if n := testing.AllocsPerRun(50, func() {
				frames = r.radio.frames
				r.take(tt.make(r))
				for r.Queued() > 0 {
					if !r.Choose() { // it pauses
						r.after(timing.FragmentGap)
						continue
					}
					r.Start()
					r.done(true)
				}
				frames = r.radio.frames - frames
			}); n > 0 || frames != tt.frames {
				t.Errorf("%v allocations for %d frames", n, frames)
			}
		})
	}

	t.Run("waiting for an address", func(t *testing.T) {
		r := newRoom(t)
		if n := testing.AllocsPerRun(50, func() {
			r.take(r.datagram(eid(1), small, 'x'))
			delete(r.roads.places, eid(1))
			r.Choose()
			r.roads.places[eid(1)] = left
			r.Release(eid(1))
			r.Choose()
			r.Start()
			r.done(true)
		}); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// A neighbor that does not acknowledge has no turn before its pause is over, not even when nobody else has anything to send. MLE messages,
// which tell whether it is there, go on.
func TestUnresponsive(t *testing.T) {
	r := newRoom(t)
	until := r.core.Now.Add(4 * time.Second)
	r.roads.pauses[left] = until
	r.take(r.datagram(at(left), small, '1'), r.relayed(beyondLeft, small, 'r'), r.datagram(at(right), small, 'a'), r.datagram(at(right), small, 'b'),
		r.mle(toNeighbor, small, 'm'))
	if got := r.run(); got != "mab" {
		t.Errorf("order %q", got)
	}
	if next, ok := r.NextTimeout(); !ok || !next.Equal(until) {
		t.Errorf("next timeout %v, %v", next, ok)
	}
	r.core.Advance(until)
	if got := r.run(); got != "1r" {
		t.Errorf("order %q after the pause", got)
	}
	r.counts(Counters{TxDatagrams: 4, Forwarded: 1})
}

// What is for a neighbor that is known not to answer is refused at once.
func TestDead(t *testing.T) {
	r := newRoom(t)
	r.roads.dead = right
	r.take(r.datagram(at(right), small, '1'), r.relayed(beyondRight, small, 'r'), r.datagram(at(left), small, 'a'))
	if got := r.run(); got != "a" {
		t.Errorf("order %q", got)
	}
	r.counts(Counters{TxDatagrams: 1, TxDatagramsFailed: 2})
}

// A full queue has a place for a destination that has few messages in it, at the cost of the one that has most.
func TestCrowd(t *testing.T) {
	r := newRoom(t)
	for r.Queued() < MaxQueued {
		r.take(r.datagram(at(left), small, 'l'))
	}
	for range MaxQueued / 2 {
		r.take(r.datagram(at(right), small, 'r'))
	}
	if got := r.count(r.queue[0]); got != MaxQueued/2 {
		t.Errorf("%d are left of the crowd", got)
	}
	// As many are for either: who comes has no better right.
	for _, dst := range []mle.RLOC16{left, right} {
		if r.Enqueue(r.datagram(at(dst), small, 'x')) == nil {
			t.Errorf("one more for %v", dst)
		}
	}
	if r.Enqueue(r.datagram(at(behindLeft), small, 'n')) != nil {
		t.Error("no place for a third")
	}
	high := r.datagram(at(behindLeft), small, 'h')
	high.Priority = PriorityHigh
	r.take(high)
	r.holds(MaxQueued, 0)
	low := r.datagram(at(behindThat), small, 'l')
	low.Priority = PriorityLow
	if r.Enqueue(low) == nil {
		t.Error("a lower priority displaces higher ones")
	}
}

// Whoever is told of what is given up learns why.
func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		want Reason
		do   func(r *room)
	}{
		{Invalid, func(r *room) { r.Enqueue(r.New()) }},
		{Unresolved, func(r *room) { r.take(r.datagram(eid(1), small, 'x')); r.run(); r.Refuse(eid(1)) }},
		{NoWay, func(r *room) { r.take(r.datagram(at(gone), small, 'x')); r.run() }},
		{Unresponsive, func(r *room) { r.roads.dead = left; r.take(r.datagram(at(left), small, 'x')); r.run() }},
		{Expired, func(r *room) {
			m := r.datagram(at(left), small, 'x')
			m.Expires = r.core.Now
			r.take(m)
			r.run()
		}},
		{NotSent, func(r *room) { r.take(r.datagram(at(left), small, 'x')); r.start(); r.done(false) }},
		{QueueFull, func(r *room) {
			for range MaxQueued {
				r.take(r.datagram(at(left), small, 'x'))
			}
			r.Enqueue(r.datagram(at(left), small, 'y'))
		}},
	} {
		r := newRoom(t)
		var got []Reason
		r.Undeliverable = func(_ *Message, reason Reason) { got = append(got, reason) }
		tt.do(r)
		if !slices.Equal(got, []Reason{tt.want}) {
			t.Errorf("%v, want %v", got, tt.want)
		}
	}
	if got := Reason(99).String(); got != "Reason(99)" {
		t.Error(got)
	}
}

// What a shortcut has lost goes the other way, whole datagrams, fragments from where they are, and frames of others.
func TestShortcut(t *testing.T) {
	for name, take := range map[string]func(r *room) *Message{
		"datagram": func(r *room) *Message { return r.datagram(at(beyondLeft), small, 'x') },
		"fragment": func(r *room) *Message { return r.datagram(at(beyondLeft), large, 'x') },
		"relayed":  func(r *room) *Message { return r.relayed(beyondLeft, small, 'x') },
	} {
		r := newRoom(t)
		r.roads.shortcut = beyondLeft
		r.take(take(r))
		r.start()
		if r.radio.frame.Dst != neighbors.ShortAddr(beyondLeft) {
			t.Fatalf("%s: sent to %v", name, r.radio.frame.Dst)
		}
		r.roads.shortcut = 0 // it does not work
		r.done(false)
		r.holds(1, 0)
		r.start()
		if r.radio.frame.Dst != neighbors.ShortAddr(left) || lowpan.DispatchOf(r.radio.frame.Payload) != lowpan.DispatchMesh {
			t.Errorf("%s: sent to %v afterwards", name, r.radio.frame.Dst)
		}
		r.done(false)
		r.holds(0, 0)
		r.counts(Counters{TxDatagramsFailed: 1})
	}
}
