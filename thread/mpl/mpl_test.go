package mpl

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

var (
	epoch = time.Unix(0, 0)
	rloc  = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:5800")
	mlEID = netip.MustParseAddr("fdde:ad00:beef:0:1234:5678:9abc:def0")
)

// TestRFC7731_6_1_SeedID: the seed is told by the source where its identifier is elided, or by 16 bits.
func TestRFC7731_6_1_SeedID(t *testing.T) {
	elided := OptionFor(0x5800, rloc, rloc, 9)
	if elided.SeedIDLength != ip6.SeedIDElided || elided.Sequence != 9 {
		t.Errorf("option from the RLOC: %+v", elided)
	}
	if id, ok := SeedOf(elided, rloc); !ok || id != 0x5800 {
		t.Errorf("seed %v, %v", id, ok)
	}
	short := OptionFor(0x5800, rloc, mlEID, 9)
	if short.SeedIDLength != ip6.SeedID16 || short.Sequence != 9 {
		t.Errorf("option from the ML-EID: %+v", short)
	}
	if id, ok := SeedOf(short, mlEID); !ok || id.String() != "0x5800" {
		t.Errorf("seed %v, %v", id, ok)
	}
	for _, l := range []ip6.SeedIDLength{ip6.SeedID64, ip6.SeedID128} {
		if _, ok := SeedOf(ip6.MPLOption{SeedIDLength: l}, rloc); ok {
			t.Errorf("seed id length %d is accepted", l)
		}
	}
}

// TestRFC7731_8_SequenceNumbers: they are compared in the sense of RFC 1982, those of each seed for themselves.
func TestRFC7731_8_SequenceNumbers(t *testing.T) {
	for d := range 256 {
		s := NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
		if !s.Accept(epoch, 1, 200) {
			t.Fatal("first datagram is not new")
		}
		if got, want := s.Accept(epoch, 1, 200+uint8(d)), d > 0 && d < 128; got != want {
			t.Errorf("sequence %d after: new %v, want %v", d, got, want)
		}
		if !s.Accept(epoch, 2, 200+uint8(d)) {
			t.Error("another seed's datagram is not new")
		}
	}
}

// TestRFC7731_7_3_SeedLifetime: a seed is forgotten when nothing new came of it for its lifetime.
func TestRFC7731_7_3_SeedLifetime(t *testing.T) {
	s := NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
	s.Accept(epoch, 1, 10)
	if s.Accept(epoch.Add(DefaultSeedLifetime-1), 1, 10) {
		t.Error("forgotten too early")
	}
	if !s.Accept(epoch.Add(DefaultSeedLifetime-1), 1, 11) {
		t.Error("next datagram is not new")
	}
	if s.Accept(epoch.Add(2*DefaultSeedLifetime-2), 1, 11) {
		t.Error("a new datagram does not renew the lifetime")
	}
	if !s.Accept(epoch.Add(2*DefaultSeedLifetime-1), 1, 3) {
		t.Error("not forgotten")
	}
}

// TestLate: the last few datagrams of a seed stay old for a while after its lifetime, those before and after them do not.
func TestLate(t *testing.T) {
	const late = time.Minute
	for _, tt := range []struct {
		sequence uint8
		after    time.Duration // since the lifetime
		want     bool
	}{
		{2, 0, false}, {2, late - 1, false}, {2, late, true}, {3, 0, true}, {1, 0, false}, {251, 0, false}, {250, 0, true}, {130, 0, true},
	} {
		s := NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
		s.Late = late
		s.Accept(epoch, 1, 2)
		if got := s.Accept(epoch.Add(DefaultSeedLifetime+tt.after), 1, tt.sequence); got != tt.want {
			t.Errorf("number %d after 2, %v late: new %v", tt.sequence, tt.after, got)
		}
	}
	// A node that has begun anew is heard, and then known as any other.
	s := NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
	s.Late = late
	s.Accept(epoch, 1, 40)
	again := epoch.Add(DefaultSeedLifetime)
	if !s.Accept(again, 1, 0) || s.Accept(again, 1, 0) || !s.Accept(again, 1, 1) {
		t.Error("a seed that counts from another number on is not taken")
	}
}

// TestRFC7731_7_3_SeedSetFull: of more seeds than there are places the one heard of longest ago gives way; none is dropped for want of place.
func TestRFC7731_7_3_SeedSetFull(t *testing.T) {
	s := NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
	at := func(i SeedID) time.Time { return epoch.Add(time.Duration(i) * time.Millisecond) }
	for i := range SeedID(DefaultSeeds) {
		if !s.Accept(at(i), i, 0) {
			t.Fatalf("seed %v does not fit", i)
		}
	}
	if !s.Accept(at(50), 0, 1) {
		t.Error("a known seed is not accepted in a full set")
	}
	if !s.Accept(at(100), 1000, 0) {
		t.Error("a seed too many is not accepted")
	}
	for i := range SeedID(DefaultSeeds) {
		if i != 1 && s.Accept(at(101), i, 0) {
			t.Errorf("seed %v has been forgotten", i)
		}
	}
	if s.Accept(at(101), 1000, 0) {
		t.Error("the new seed is not known")
	}
	if !s.Accept(at(101), 1, 0) {
		t.Error("the seed heard of longest ago has not given way")
	}
	if NewSeedSet(0, time.Second).Accept(epoch, 1, 1) || NewSeedSet(-1, time.Second).Accept(epoch, 1, 1) {
		t.Error("a set without places accepts")
	}
}

func router() BufferConfig {
	return BufferConfig{Interval: DefaultInterval, Expirations: RouterExpirations, Datagrams: 4}
}

func newBuffer(seed uint64, c BufferConfig) *Buffer {
	return NewBuffer(rand.New(rand.NewPCG(seed, 0)), c)
}

func datagram(t testing.TB, hopLimit uint8, payload string) []byte {
	t.Helper()
	h := ip6.Header{HopLimit: hopLimit, Src: rloc, Dst: ip6.RealmLocalAllNodes}
	b, err := ip6.AppendUDP(nil, h, 1, 2, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drain returns when the buffer sends, each after the epoch, and checks that what it sends is want.
func drain(t *testing.T, b *Buffer, want []byte) (times []time.Duration) {
	t.Helper()
	for {
		now, ok := b.NextTimeout()
		if !ok {
			return times
		}
		if _, ok := b.Poll(now.Add(-1)); ok {
			t.Fatal("sends too early")
		}
		got, ok := b.Poll(now)
		if !ok || !bytes.Equal(got, want) {
			t.Fatalf("sends %x, want %x", got, want)
		}
		times = append(times, now.Sub(epoch))
	}
}

// TestRFC7731_9_2_RouterSendsTwice: a forwarder sends a datagram at a random time in each of two intervals (§5.4).
func TestRFC7731_9_2_RouterSendsTwice(t *testing.T) {
	in, out := datagram(t, 64, "x"), datagram(t, 63, "x")
	var first, second time.Duration
	const runs = 2000
	for seed := range uint64(runs) {
		b := newBuffer(seed, router())
		if !b.Forward(epoch, in, 1, 1) || b.Len() != 1 {
			t.Fatal("not buffered")
		}
		times := drain(t, b, out)
		if len(times) != 2 || times[0] < 0 || times[0] >= DefaultInterval || times[1] < DefaultInterval || times[1] >= 2*DefaultInterval {
			t.Fatalf("sends at %v", times)
		}
		first, second = first+times[0], second+times[1]-DefaultInterval
	}
	for _, mean := range []time.Duration{first / runs, second / runs} {
		if mean < 30*time.Millisecond || mean > 34*time.Millisecond {
			t.Errorf("mean time in the interval %v, want about half of it", mean)
		}
	}
	if in[7] != 64 {
		t.Error("Forward changes its argument")
	}
}

// TestRFC6206_4_2_Redundancy: what enough neighbors have sent in an interval is not sent in that one; once it has been sent here, one copy
// is enough. Copies of other datagrams count for nothing, and without Redundancy none does.
func TestRFC6206_4_2_Redundancy(t *testing.T) {
	for _, tt := range []struct {
		redundancy, first, second int // copies heard in each interval
		want                      int // transmissions
	}{
		{0, 9, 9, 2}, {2, 0, 0, 2}, {2, 1, 0, 2}, {2, 2, 0, 1}, {2, 0, 1, 1}, {2, 1, 1, 1}, {2, 2, 1, 0},
	} {
		c := router()
		c.Redundancy = tt.redundancy
		b := newBuffer(1, c)
		b.Forward(epoch, datagram(t, 64, "x"), 1, 1)
		sent := 0
		for _, copies := range []int{tt.first, tt.second} {
			for range copies {
				b.Hear(1, 1)
			}
			for range 9 {
				b.Hear(2, 1)
				b.Hear(1, 2)
			}
			now, ok := b.NextTimeout()
			if !ok {
				t.Fatalf("%+v: given up", tt)
			}
			if _, ok := b.Poll(now); ok {
				sent++
			}
		}
		if sent != tt.want || b.Len() != 0 {
			t.Errorf("%+v: sent %d times, %d left", tt, sent, b.Len())
		}
	}
}

// TestRFC7731_9_1_SeedSendsAgain: what a router has put into the mesh it sends once more.
func TestRFC7731_9_1_SeedSendsAgain(t *testing.T) {
	d := datagram(t, 64, "x")
	b := newBuffer(1, router())
	if !b.Originate(epoch, d, 1, 1) {
		t.Fatal("not buffered")
	}
	if times := drain(t, b, d); len(times) != 1 || times[0] >= DefaultInterval {
		t.Errorf("sends again at %v", times)
	}
}

// TestRFC7731_9_2_ChildSendsNothing: an end device sends nothing of others, and nothing of its own again (§5.4: no timer expirations).
func TestRFC7731_9_2_ChildSendsNothing(t *testing.T) {
	c := router()
	c.Expirations = ChildExpirations
	b := newBuffer(1, c)
	if b.Forward(epoch, datagram(t, 64, "x"), 1, 1) || b.Originate(epoch, datagram(t, 64, "x"), 2, 1) || b.Len() != 0 {
		t.Error("a child buffers")
	}
}

func TestSetExpirations(t *testing.T) {
	b := newBuffer(1, router())
	b.Forward(epoch, datagram(t, 64, "x"), 1, 1)
	b.Originate(epoch, datagram(t, 64, "x"), 2, 1)
	b.SetExpirations(1)
	if b.Len() != 1 {
		t.Errorf("%d datagrams, want the one that was not sent yet", b.Len())
	}
	b.SetExpirations(ChildExpirations)
	if _, ok := b.NextTimeout(); ok || b.Len() != 0 {
		t.Error("a child keeps datagrams")
	}
}

func TestHopLimit(t *testing.T) {
	for hops, want := range map[uint8]bool{0: false, 1: false, 2: true, 255: true} {
		if got := newBuffer(1, router()).Forward(epoch, datagram(t, hops, "x"), 1, 1); got != want {
			t.Errorf("hop limit %d: %v", hops, got)
		}
	}
	if newBuffer(1, router()).Forward(epoch, make([]byte, 39), 1, 1) {
		t.Error("what is no datagram is forwarded")
	}
	if newBuffer(1, router()).Originate(epoch, make([]byte, 1281), 1, 1) {
		t.Error("too large a datagram is sent")
	}
}

// A newer datagram of a seed takes the place of the older one in the set of buffered messages (RFC 7731 §7.4), even if it is itself
// not forwarded.
func TestSupersede(t *testing.T) {
	b := newBuffer(1, router())
	b.Forward(epoch, datagram(t, 64, "old"), 1, 255)
	b.Forward(epoch, datagram(t, 64, "new"), 1, 0)
	if times := drain(t, b, datagram(t, 63, "new")); len(times) != 2 {
		t.Errorf("sends at %v", times)
	}
	b.Forward(epoch, datagram(t, 64, "old"), 1, 1)
	if b.Forward(epoch, datagram(t, 1, "new"), 1, 2) || b.Len() != 0 {
		t.Error("the older datagram is still there")
	}
}

func TestBufferFull(t *testing.T) {
	b := newBuffer(1, router())
	for i := range SeedID(4) {
		if !b.Forward(epoch, datagram(t, 64, "x"), i, 1) {
			t.Fatal("not buffered")
		}
	}
	if b.Forward(epoch, datagram(t, 64, "x"), 9, 1) {
		t.Error("a datagram too many is buffered")
	}
	sent := 0
	for {
		now, ok := b.NextTimeout()
		if !ok {
			break
		}
		for _, ok := b.Poll(now); ok; _, ok = b.Poll(now) {
			sent++
		}
	}
	if sent != 8 {
		t.Errorf("%d transmissions", sent)
	}
	b.Forward(epoch, datagram(t, 64, "x"), 9, 1)
	b.Reset()
	if b.Len() != 0 {
		t.Error("Reset leaves something")
	}
}

// A late poll keeps the rest of the interval between the two transmissions.
func TestLatePoll(t *testing.T) {
	b := newBuffer(1, router())
	b.Forward(epoch, datagram(t, 64, "x"), 1, 1)
	due, _ := b.NextTimeout()
	late := epoch.Add(time.Minute)
	if _, ok := b.Poll(late); !ok {
		t.Fatal("sends nothing")
	}
	next, ok := b.NextTimeout()
	if rest := DefaultInterval - due.Sub(epoch); !ok || next.Before(late.Add(rest)) {
		t.Errorf("sends again %v later, want %v at least", next.Sub(late), rest)
	}
}

// Whatever happens to the buffer, NextTimeout is the time of the datagram that is due first.
func TestNextTimeout(t *testing.T) {
	b, r := newBuffer(1, router()), rand.New(rand.NewPCG(2, 0))
	d, now := datagram(t, 64, "x"), epoch
	for step := range 20000 {
		now = now.Add(time.Duration(r.Int64N(int64(DefaultInterval / 4))))
		id, sequence := SeedID(r.IntN(6)), uint8(step/8)
		switch r.IntN(32) {
		case 0:
			b.Reset()
		case 1, 2:
			b.SetExpirations(r.IntN(4))
		case 3, 4, 5, 6:
			b.Originate(now, d, id, sequence)
		case 7, 8, 9, 10, 11:
			b.Forward(now, d, id, sequence)
		default:
			b.Poll(now)
		}
		var want time.Time
		for _, m := range b.messages {
			if m.inUse && (want.IsZero() || m.due.Before(want)) {
				want = m.due
			}
		}
		if got, ok := b.NextTimeout(); !got.Equal(want) || ok != (b.Len() > 0) {
			t.Fatalf("step %d: %v, %v; want %v of %d", step, got, ok, want, b.Len())
		}
	}
}

func TestNoInterval(t *testing.T) {
	c := router()
	c.Interval = 0
	b := newBuffer(1, c)
	b.Forward(epoch, datagram(t, 64, "x"), 1, 1)
	if times := drain(t, b, datagram(t, 63, "x")); len(times) != 2 || times[1] != 0 {
		t.Errorf("sends at %v", times)
	}
}

func TestAllocs(t *testing.T) {
	b, s := newBuffer(1, router()), NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
	d := datagram(t, 64, "x")
	sequence := uint8(0)
	if n := testing.AllocsPerRun(100, func() {
		sequence++
		if !s.Accept(epoch, 1, sequence) || !b.Forward(epoch, d, 1, sequence) {
			t.Fatal("not new")
		}
		for now, ok := b.NextTimeout(); ok; now, ok = b.NextTimeout() {
			b.Poll(now)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkForward(b *testing.B) {
	buffer, s := newBuffer(1, router()), NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
	d := datagram(b, 64, "x")
	sequence := uint8(0)
	b.ReportAllocs()
	for b.Loop() {
		sequence++
		s.Accept(epoch, 1, sequence)
		buffer.Forward(epoch, d, 1, sequence)
		for now, ok := buffer.NextTimeout(); ok; now, ok = buffer.NextTimeout() {
			buffer.Poll(now)
		}
	}
}
