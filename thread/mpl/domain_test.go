package mpl

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// node is a Domain under test with a store of its own.
type node struct {
	*Domain
	t        testing.TB
	broken   bool // the store
	reserved int  // calls of Reserve
}

func newNode(t testing.TB, seed uint64) *node {
	n := &node{t: t}
	n.Domain = NewDomain(rand.New(rand.NewPCG(seed, 0)), Config{
		Interval: DefaultInterval, SeedLifetime: DefaultSeedLifetime, Seeds: DefaultSeeds, Datagrams: 4,
		Reserve: func() bool {
			n.reserved++
			if !n.broken {
				n.Stored(n.Limit())
			}
			return !n.broken
		},
	})
	n.SetExpirations(RouterExpirations)
	return n
}

// originate sends a datagram as node 0x5800 and parses what goes out.
func (n *node) originate(datagram []byte) ip6.Datagram {
	n.t.Helper()
	out, err := n.Originate(epoch, datagram, 0x5800, rloc, mlEID)
	if err != nil {
		n.t.Fatal(err)
	}
	d, err := ip6.ParseDatagram(out)
	if err != nil || !d.HasMPL {
		n.t.Fatalf("%x is no MPL message: %v", out, err)
	}
	return d
}

// accept hands a datagram that came from a neighbor to the node.
func (n *node) accept(datagram []byte, forward bool) bool {
	n.t.Helper()
	d, err := ip6.ParseDatagram(datagram)
	if err != nil || !d.HasMPL {
		n.t.Fatalf("%x is no MPL message: %v", datagram, err)
	}
	return n.Accept(epoch, datagram, d.MPL, d.Src, forward)
}

// multicast is a datagram of size bytes.
func multicast(t testing.TB, src, dst netip.Addr, size int) []byte {
	t.Helper()
	h := ip6.Header{HopLimit: 64, Src: src, Dst: dst}
	b, err := ip6.AppendUDP(nil, h, 1, 2, make([]byte, size-ip6.HeaderSize-ip6.UDPHeaderSize))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withOption is a datagram of another node's.
func withOption(t testing.TB, seed SeedID, sequence uint8) []byte {
	t.Helper()
	b, err := ip6.InsertMPLOption(nil, datagram(t, 64, "x"), OptionFor(seed, rloc, mlEID, sequence))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Realm-local multicasts get an option, whose seed is elided if the source is the RLOC (RFC 7731 §6.1).
func TestOriginateRealmLocal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		src    netip.Addr
		length ip6.SeedIDLength
	}{
		{"from the RLOC", rloc, ip6.SeedIDElided},
		{"from the ML-EID", mlEID, ip6.SeedID16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, 1)
			in := multicast(t, tt.src, ip6.RealmLocalAllRouters, 100)
			for sequence := range uint8(3) {
				out, err := n.Originate(epoch, in, 0x5800, rloc, mlEID)
				if err != nil {
					t.Fatal(err)
				}
				d, err := ip6.ParseDatagram(out)
				if err != nil || d.MPL.SeedIDLength != tt.length || d.MPL.Sequence != sequence {
					t.Errorf("option %+v, %v", d.MPL, err)
				}
				if seed, ok := SeedOf(d.MPL, d.Src); !ok || seed != 0x5800 {
					t.Errorf("seed %v, %v", seed, ok)
				}
				if back, err := ip6.RemoveMPLOption(nil, out); err != nil || !bytes.Equal(back, in) {
					t.Errorf("without the option %x, want %x", back, in)
				}
			}
		})
	}
}

// Multicasts of a wider scope go through a tunnel to all MPL forwarders (RFC 2473).
func TestOriginateTunnel(t *testing.T) {
	for _, dst := range []string{"ff04::1", "ff05::1", "ff0e::1234"} {
		n := newNode(t, 1)
		in := multicast(t, mlEID, netip.MustParseAddr(dst), 100)
		d := n.originate(in)
		if d.Src != mlEID || d.Dst != ip6.AllMPLForwarders || d.HopLimit != 64 || d.Protocol != ip6.ProtocolIPv6 {
			t.Errorf("%s: outer header %+v, protocol %v", dst, d.Header, d.Protocol)
		}
		if d.MPL.SeedIDLength != ip6.SeedID16 || d.MPL.SeedID16() != 0x5800 || d.MPL.Sequence != 0 {
			t.Errorf("%s: option %+v", dst, d.MPL)
		}
		if !bytes.Equal(d.Payload, in) {
			t.Errorf("%s: carries %x, want %x", dst, d.Payload, in)
		}
	}
}

// What does not fit is not sent, not buffered and not taken for known.
func TestOriginateTooLong(t *testing.T) {
	wide := netip.MustParseAddr("ff05::1")
	for _, tt := range []struct {
		dst  netip.Addr
		size int
		want error
	}{
		{ip6.RealmLocalAllNodes, ip6.MinMTU - 8, nil},
		{ip6.RealmLocalAllNodes, ip6.MinMTU - 7, ErrTooLong},
		{wide, ip6.MinMTU - 48, nil},
		{wide, ip6.MinMTU - 47, ErrTooLong},
		{wide, ip6.MinMTU, ErrTooLong},
	} {
		n := newNode(t, 1)
		_, err := n.Originate(epoch, multicast(t, mlEID, tt.dst, tt.size), 0x5800, rloc, mlEID)
		if !errors.Is(err, tt.want) || (n.Len() == 1) != (tt.want == nil) {
			t.Errorf("%v, %d bytes: %v, %d buffered; want %v", tt.dst, tt.size, err, n.Len(), tt.want)
		}
		if fresh := n.accept(withOption(t, 0x5800, 0), false); fresh != (tt.want != nil) {
			t.Errorf("%v, %d bytes: sequence number 0 is new afterwards: %v", tt.dst, tt.size, fresh)
		}
	}
}

func TestOriginateMalformed(t *testing.T) {
	n := newNode(t, 1)
	whole := datagram(t, 64, "x")
	for name, bad := range map[string][]byte{
		"empty":           nil,
		"half a header":   whole[:20],
		"half a datagram": whole[:45],
		"has an option":   withOption(t, 1, 1),
	} {
		if out, err := n.Originate(epoch, bad, 0x5800, rloc, mlEID); err == nil || out != nil {
			t.Errorf("%s: sends %x", name, out)
		}
	}
	if n.Len() != 0 {
		t.Errorf("%d buffered", n.Len())
	}
}

// A router sends its own datagram once more, in the same interval; a child does not. Neither takes it for new when it comes back.
func TestOriginateRepeats(t *testing.T) {
	for expirations, want := range map[int]int{RouterExpirations: 1, ChildExpirations: 0} {
		n := newNode(t, 1)
		n.SetExpirations(expirations)
		out, err := n.Originate(epoch, datagram(t, 64, "x"), 0x5800, rloc, mlEID)
		if err != nil {
			t.Fatal(err)
		}
		out = bytes.Clone(out)
		if times := drain(t, n.buffer, out); len(times) != want {
			t.Errorf("%d expirations: sends again at %v", expirations, times)
		}
		if n.accept(out, true) || n.Len() != 0 {
			t.Errorf("%d expirations: its own datagram is new", expirations)
		}
	}
}

// What Originate returned does not change when it is repeated, nor what is repeated when the next one is made.
func TestOriginateBuffers(t *testing.T) {
	n := newNode(t, 1)
	first := bytes.Clone(must(n.Originate(epoch, datagram(t, 64, "first"), 1, rloc, mlEID)))
	must(n.Originate(epoch, datagram(t, 64, "second"), 2, rloc, mlEID))
	sent := map[string]bool{}
	for now, ok := n.NextTimeout(); ok; now, ok = n.NextTimeout() {
		b, _ := n.Poll(now)
		sent[string(b)] = true
	}
	if len(sent) != 2 || !sent[string(first)] {
		t.Errorf("repeats %d datagrams, the first one: %v", len(sent), sent[string(first)])
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestAccept(t *testing.T) {
	in := withOption(t, 0x6c00, 5)
	for _, forward := range []bool{true, false} {
		n := newNode(t, 1)
		if !n.accept(in, forward) {
			t.Error("not new")
		}
		if n.accept(in, forward) || n.accept(withOption(t, 0x6c00, 4), forward) {
			t.Error("new twice")
		}
		if (n.Len() == 1) != forward {
			t.Errorf("%d buffered", n.Len())
		}
		if !n.accept(withOption(t, 0x6c01, 4), false) || !n.accept(withOption(t, 0x6c00, 6), false) {
			t.Error("another seed's datagram, or the next one, is not new")
		}
	}

	n := newNode(t, 1)
	n.accept(in, true)
	in = bytes.Clone(in)
	in[7]-- // hop limit
	if times := drain(t, n.buffer, in); len(times) != 2 {
		t.Errorf("forwards at %v", times)
	}
}

// TestHops: what is sent on has no more hops left than are allowed, and is taken for new or old as before.
func TestHops(t *testing.T) {
	for _, tt := range []struct{ came, most, want uint8 }{{64, 0, 63}, {64, 5, 5}, {6, 5, 5}, {5, 5, 4}, {2, 5, 1}, {64, 1, 1}, {64, 255, 63}} {
		n := newNode(t, 1)
		n.hops = func() uint8 { return tt.most }
		in := withOption(t, 0x6c00, 5)
		in[7] = tt.came
		out := bytes.Clone(in)
		out[7] = tt.want
		if !n.accept(in, true) || n.accept(in, true) || in[7] != tt.came {
			t.Errorf("%+v: not new once, or changed", tt)
		}
		if times := drain(t, n.buffer, out); len(times) != 2 {
			t.Errorf("%+v: forwards at %v", tt, times)
		}
	}
	n := newNode(t, 1)
	n.hops = func() uint8 { return 5 }
	if n.Accept(epoch, nil, ip6.MPLOption{}, rloc, true); n.Len() != 0 {
		t.Error("sends on what is cut off")
	}
}

// Seed identifiers that Thread does not use are not accepted; those of datagrams that are not forwarded are known all the same.
func TestAcceptUnusual(t *testing.T) {
	n := newNode(t, 1)
	in := datagram(t, 1, "x") // which ends here
	for _, l := range []ip6.SeedIDLength{ip6.SeedID64, ip6.SeedID128} {
		if n.Accept(epoch, in, ip6.MPLOption{SeedIDLength: l}, rloc, true) {
			t.Errorf("seed id length %d is accepted", l)
		}
	}
	if !n.Accept(epoch, in, ip6.MPLOption{}, rloc, true) || n.Len() != 0 {
		t.Error("the last hop's datagram is not new, or goes on")
	}
	if n.Accept(epoch, in, ip6.MPLOption{}, rloc, true) {
		t.Error("new twice")
	}
}

// Withdraw drops one datagram, and no other. It is not new when it comes again.
func TestWithdraw(t *testing.T) {
	n := newNode(t, 1)
	n.accept(withOption(t, 0x6c00, 5), true)
	n.accept(withOption(t, 0x7000, 5), true)
	n.Withdraw(ip6.MPLOption{}, netip.IPv6Unspecified()) // of no seed
	for _, sequence := range []uint8{4, 5} {
		d, err := ip6.ParseDatagram(withOption(t, 0x6c00, sequence))
		if err != nil {
			t.Fatal(err)
		}
		n.Withdraw(d.MPL, d.Src)
		if want := 2 - int(sequence-4); n.Len() != want {
			t.Errorf("%d buffered after sequence number %d is withdrawn, want %d", n.Len(), sequence, want)
		}
	}
	if n.accept(withOption(t, 0x6c00, 5), true) || n.Len() != 1 {
		t.Error("new again")
	}
	for now := epoch; n.Len() > 0; now = now.Add(time.Millisecond) {
		if d, ok := n.Poll(now); ok && bytes.Contains(d, []byte{0x6c, 0x00}) {
			t.Errorf("%x is sent", d)
		}
	}
}

// Reset drops what is buffered. A node that comes back still knows what it heard, and does not begin its sequence anew.
func TestReset(t *testing.T) {
	n := newNode(t, 1)
	n.originate(datagram(t, 64, "x"))
	n.accept(withOption(t, 0x6c00, 5), true)
	n.Reset()
	if _, ok := n.NextTimeout(); ok || n.Len() != 0 {
		t.Errorf("%d buffered", n.Len())
	}
	if _, ok := n.Poll(epoch.Add(time.Hour)); ok {
		t.Error("sends what was dropped")
	}
	if n.accept(withOption(t, 0x6c00, 5), true) {
		t.Error("a datagram from before is new")
	}
	if d := n.originate(datagram(t, 64, "x")); d.MPL.Sequence != 1 {
		t.Errorf("sequence number %d", d.MPL.Sequence)
	}
}

// Sequence numbers wrap around, and a limit is stored before the first of them and every 64.
func TestSequence(t *testing.T) {
	n := newNode(t, 1)
	for i := range 600 {
		if d := n.originate(datagram(t, 64, "x")); d.MPL.Sequence != uint8(i) {
			t.Fatalf("datagram %d has sequence number %d", i, d.MPL.Sequence)
		}
		if want := i/sequenceAhead + 1; n.reserved != want {
			t.Fatalf("%d limits stored after datagram %d, want %d", n.reserved, i, want)
		}
	}
	n.Stored(n.Limit()) // with something else
	before := n.reserved
	for range sequenceAhead {
		n.originate(datagram(t, 64, "x"))
	}
	if n.reserved != before {
		t.Error("stored again, too early")
	}
}

// A broken store does not keep multicasts back: others may still hear them.
func TestSequenceNotStored(t *testing.T) {
	n := newNode(t, 1)
	n.broken = true
	for i := range 3 {
		if d := n.originate(datagram(t, 64, "x")); d.MPL.Sequence != uint8(i) || n.reserved != i+1 {
			t.Errorf("datagram %d: sequence number %d, %d attempts to store", i, d.MPL.Sequence, n.reserved)
		}
	}
	n.broken = false
	n.originate(datagram(t, 64, "x"))
	n.originate(datagram(t, 64, "x"))
	if n.reserved != 4 {
		t.Errorf("%d attempts to store", n.reserved)
	}
}

// After a restart, wherever in the sequence it comes, the next datagram is new to who remembers the node.
func TestRestore(t *testing.T) {
	for used := range 300 {
		n, neighbor := newNode(t, 1), NewSeedSet(DefaultSeeds, DefaultSeedLifetime)
		stored := uint8(0)
		n.reserve = func() bool {
			stored = n.Limit()
			n.Stored(stored)
			return true
		}
		for range used {
			neighbor.Accept(epoch, 0x5800, n.originate(datagram(t, 64, "x")).MPL.Sequence)
		}
		n = newNode(t, 2)
		n.Restore(stored)
		if d := n.originate(datagram(t, 64, "x")); d.MPL.Sequence != stored || !neighbor.Accept(epoch, 0x5800, d.MPL.Sequence) {
			t.Fatalf("after %d datagrams and a restart: %d is not new", used, d.MPL.Sequence)
		}
		if n.reserved != 1 {
			t.Fatalf("%d limits stored after a restart", n.reserved)
		}
	}
}

// The domain draws what its buffer draws, in the same order, and nothing else: one number for each transmission that is scheduled.
func TestDraws(t *testing.T) {
	n, b := newNode(t, 7), newBuffer(7, router())
	own, others := datagram(t, 64, "own"), withOption(t, 0x6c00, 5)
	out := bytes.Clone(must(n.Originate(epoch, own, 0x5800, rloc, mlEID)))
	b.Originate(epoch, out, 0x5800, 0)
	n.accept(others, true)
	b.Forward(epoch, others, 0x6c00, 5)
	n.accept(others, true)
	n.accept(withOption(t, 0x6c01, 0), false)
	for {
		want, more := b.NextTimeout()
		got, ok := n.NextTimeout()
		if ok != more || !got.Equal(want) {
			t.Fatalf("sends at %v, %v; want %v, %v", got, ok, want, more)
		}
		if !ok {
			return
		}
		n.Poll(got)
		b.Poll(want)
	}
}

func TestDomainAllocs(t *testing.T) {
	n := newNode(t, 1)
	local, wide := datagram(t, 64, "x"), multicast(t, mlEID, netip.MustParseAddr("ff05::1"), 200)
	sequence := uint8(0)
	opt := OptionFor(0x6c00, rloc, mlEID, 0)
	if allocs := testing.AllocsPerRun(100, func() {
		sequence++
		opt.Sequence = sequence
		n.Accept(epoch, local, opt, mlEID, true)
		for _, d := range [][]byte{local, wide} {
			if _, err := n.Originate(epoch, d, 0x5800, rloc, mlEID); err != nil {
				t.Fatal(err)
			}
		}
		for now, ok := n.NextTimeout(); ok; now, ok = n.NextTimeout() {
			n.Poll(now)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
