package lowpan

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

var (
	epoch      = time.Unix(0, 0)
	testLimits = Limits{Datagrams: 3, Timeout: 5 * time.Second}
	secured    = Origin{Src: extMAC, Dst: shortMAC, Security: 5}
	unsecured  = Origin{Src: extMAC, Dst: shortMAC}
)

// udpDatagram returns a datagram with n bytes of random payload.
func udpDatagram(t testing.TB, rng *rand.Rand, n int) []byte {
	t.Helper()
	payload := make([]byte, n)
	for i := range payload {
		payload[i] = byte(rng.Uint32())
	}
	h := ip6.Header{HopLimit: 64, Src: netip.MustParseAddr("fdde:ad00:beef::ff:fe00:c00"), Dst: netip.MustParseAddr("fdde:ad00:beef::ff:fe00:5800")}
	b, err := ip6.AppendUDP(nil, h, 5683, 5683, payload)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frames cuts a datagram into frame payloads of at most room bytes.
func frames(t testing.TB, datagram []byte, tag uint16, room int, ctx *Contexts) (out [][]byte) {
	t.Helper()
	p := Packet{Datagram: datagram, Tag: tag, Src: extMAC, Dst: shortMAC}
	for next := 0; next < len(datagram); {
		b, after, err := p.AppendFrame([]byte{0xaa}, next, room, ctx)
		if err != nil {
			t.Fatalf("AppendFrame of %d bytes at %d, room %d: %v", len(datagram), next, room, err)
		}
		if len(b)-1 > room || after <= next || after < len(datagram) && after%8 != 0 {
			t.Fatalf("AppendFrame: %d bytes in room for %d, from %d to %d", len(b)-1, room, next, after)
		}
		out, next = append(out, b[1:]), after
	}
	return out
}

// handle passes fragments in and returns the datagram that the last one completes.
func handle(t testing.TB, r *Reassembler, now time.Time, o Origin, ctx *Contexts, fragments ...[]byte) []byte {
	t.Helper()
	for i, f := range fragments {
		datagram, err := r.HandleFragment(now, o, f, ctx)
		if err != nil {
			t.Fatal(err)
		}
		if datagram != nil {
			if i != len(fragments)-1 {
				t.Fatalf("fragment %d of %d completes the datagram", i, len(fragments))
			}
			return datagram
		}
	}
	return nil
}

// TestSizes sends datagrams of all sizes through compression, fragments in whatever order, and reassembly.
func TestSizes(t *testing.T) {
	ctx := testContexts(t)
	const more = 2000
	rng := rand.New(rand.NewPCG(1, 2))
	r := NewReassembler(testLimits)
	for _, room := range []int{104, 81, 30} {
		for n := 0; n <= 1232; n++ {
			datagram := udpDatagram(t, rng, n)
			fragments := frames(t, datagram, uint16(n), room, ctx)
			if len(fragments) == 1 {
				if DispatchOf(fragments[0]) != DispatchIPHC {
					t.Fatalf("%d bytes: a single fragment", n)
				}
				head, consumed, err := Decompress(nil, fragments[0], extMAC, shortMAC, ctx, 0)
				if err != nil || !bytes.Equal(append(head, fragments[0][consumed:]...), datagram) {
					t.Fatalf("%d bytes: %v", n, err)
				}
				continue
			}
			if got := handle(t, r, epoch, secured, ctx, fragments...); !bytes.Equal(got, datagram) {
				t.Fatalf("%d bytes, in order: %x, want %x", n, got, datagram)
			}
			fragments = frames(t, datagram, uint16(n)+more, room, ctx)
			rng.Shuffle(len(fragments), func(i, j int) { fragments[i], fragments[j] = fragments[j], fragments[i] })
			if got := handle(t, r, epoch, secured, ctx, fragments...); !bytes.Equal(got, datagram) {
				t.Fatalf("%d bytes, out of order: %x, want %x", n, got, datagram)
			}
		}
	}
	if r.Len() != 0 || r.Dropped() != 0 {
		t.Errorf("%d incomplete, %d dropped", r.Len(), r.Dropped())
	}
}

func TestAppendFrameErrors(t *testing.T) {
	ctx := testContexts(t)
	datagram := udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 100)
	p := Packet{Datagram: datagram, Src: extMAC, Dst: shortMAC}
	for _, test := range []struct {
		offset, room int
		want         error
	}{
		{-1, 100, ErrRange}, {len(datagram), 100, ErrRange}, {len(datagram) + 1, 100, ErrRange}, {52, 100, ErrRange},
		{0, 14, ErrRoom}, {48, 12, ErrRoom}, {48, -1, ErrRoom},
	} {
		b, next, err := p.AppendFrame([]byte{0xaa}, test.offset, test.room, ctx)
		if !errors.Is(err, test.want) || len(b) != 1 || next > 0 && next != test.offset {
			t.Errorf("offset %d, room %d: %x, %d, %v, want %v", test.offset, test.room, b, next, err, test.want)
		}
	}
	// The last fragment needs no room for eight bytes.
	if b, next, err := p.AppendFrame(nil, 144, 9, ctx); err != nil || len(b) != 9 || next != len(datagram) {
		t.Errorf("last fragment: %x, %d, %v", b, next, err)
	}
	for _, p := range []Packet{{}, {Datagram: make([]byte, 1281)}, {Datagram: datagram[:50]}} {
		if _, _, err := p.AppendFrame(nil, 0, 100, ctx); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", len(p.Datagram), err)
		}
	}
}

func TestReassemblerDuplicates(t *testing.T) {
	ctx := testContexts(t)
	datagram := udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 300)
	f := frames(t, datagram, 1, 104, ctx)
	r := NewReassembler(testLimits)
	twice := [][]byte{f[0], f[0], f[2], f[1], f[2], f[1], f[0], f[3]}
	if got := handle(t, r, epoch, secured, ctx, twice...); !bytes.Equal(got, datagram) {
		t.Errorf("%x, want %x", got, datagram)
	}
	if r.Dropped() != 0 {
		t.Errorf("%d dropped", r.Dropped())
	}
}

// A fragment that comes once more after its datagram is complete begins no other one; one with the same tag and something else in it does.
func TestReassemblerRepeated(t *testing.T) {
	ctx := testContexts(t)
	rng := rand.New(rand.NewPCG(1, 2))
	datagram, other := udpDatagram(t, rng, 300), udpDatagram(t, rng, 300)
	f, g := frames(t, datagram, 1, 104, ctx), frames(t, other, 1, 104, ctx)
	r := NewReassembler(testLimits)
	handle(t, r, epoch, secured, ctx, f...)
	for i := range f {
		if got, err := r.HandleFragment(epoch.Add(4*time.Second), secured, f[i], ctx); !errors.Is(err, ErrRepeated) || got != nil || r.Len() != 0 {
			t.Errorf("fragment %d once more: %x, %v, %d incomplete", i, got, err, r.Len())
		}
	}
	if got := handle(t, r, epoch, secured, ctx, g...); !bytes.Equal(got, other) || r.Dropped() != 0 {
		t.Errorf("the tag again: %x, %d dropped", got, r.Dropped())
	}
	for what, again := range map[string]func(){
		"after the timeout":      func() { handle(t, r, epoch.Add(5*time.Second), secured, ctx, g[0]) },
		"after a reset":          func() { r.Reset(); handle(t, r, epoch, secured, ctx, g[0]) },
		"after another datagram": func() { handle(t, r, epoch, unsecured, ctx, f...); handle(t, r, epoch, secured, ctx, g[0]) },
	} {
		r = NewReassembler(testLimits)
		handle(t, r, epoch, secured, ctx, g...)
		if again(); r.Len() != 1 {
			t.Errorf("%s: %d incomplete", what, r.Len())
		}
	}
	if len(r.slots) != 1 {
		t.Errorf("%d places for one datagram at a time", len(r.slots))
	}
}

// RFC 4944 §5.3: fragments belong together by source, destination, size and tag; here also by security.
func TestReassemblerKey(t *testing.T) {
	ctx := testContexts(t)
	datagram := udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 150)
	f := frames(t, datagram, 1, 104, ctx)
	for name, change := range map[string]func(o *Origin, second []byte){
		"source":      func(o *Origin, _ []byte) { o.Src = shortMAC },
		"destination": func(o *Origin, _ []byte) { o.Dst = extMAC },
		"unsecured":   func(o *Origin, _ []byte) { o.Security = 0 },
		"tag":         func(_ *Origin, second []byte) { second[3]++ },
		"size":        func(_ *Origin, second []byte) { second[1]++ },
	} {
		r := NewReassembler(testLimits)
		o, second := secured, bytes.Clone(f[1])
		change(&o, second)
		if name == "size" {
			second = append(second, 0)
		}
		if got := handle(t, r, epoch, secured, ctx, f[0]); got != nil {
			t.Fatal("first fragment completes")
		}
		if got := handle(t, r, epoch, o, ctx, second); got != nil || r.Len() != 2 {
			t.Errorf("another %s: %x, %d incomplete", name, got, r.Len())
		}
		if got := handle(t, r, epoch, secured, ctx, f[1]); !bytes.Equal(got, datagram) {
			t.Errorf("another %s in between: %x", name, got)
		}
	}
}

// RFC 4944 §5.3: an overlap that differs discards what there is.
func TestReassemblerConflict(t *testing.T) {
	ctx := testContexts(t)
	rng := rand.New(rand.NewPCG(1, 2))
	old, datagram := udpDatagram(t, rng, 300), udpDatagram(t, rng, 300)
	before, f := frames(t, old, 1, 104, ctx), frames(t, datagram, 1, 104, ctx)
	r := NewReassembler(testLimits)
	handle(t, r, epoch, secured, ctx, before[0], before[1], before[3])
	later := epoch.Add(time.Second)
	if got := handle(t, r, later, secured, ctx, f[0], f[1], f[2], f[3]); !bytes.Equal(got, datagram) {
		t.Errorf("%x, want %x", got, datagram)
	}
	if r.Dropped() != 1 {
		t.Errorf("%d dropped", r.Dropped())
	}

	// Cut in another way, an overlap that does not differ is fine.
	f, other := frames(t, datagram, 2, 104, ctx), frames(t, datagram, 2, 60, ctx)
	handle(t, r, later, secured, ctx, f[0], f[2])
	if got := handle(t, r, later, secured, ctx, other[2:6]...); got != nil {
		t.Fatal("complete too early")
	}
	if got := handle(t, r, later, secured, ctx, other[6:]...); !bytes.Equal(got, datagram) {
		t.Errorf("%x, want %x", got, datagram)
	}
	if r.Dropped() != 1 {
		t.Errorf("%d dropped", r.Dropped())
	}
}

func TestReassemblerErrors(t *testing.T) {
	ctx := testContexts(t)
	f := frames(t, udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 150), 1, 104, ctx)
	r := NewReassembler(testLimits)
	handle(t, r, epoch, secured, ctx, f[0])
	for name, test := range map[string]struct {
		frame []byte
		want  error
	}{
		"nothing":             {nil, ErrTruncated},
		"no fragment":         {[]byte{0x7f, 0x3b, 0, 0}, ErrUnsupported},
		"header alone":        {f[1][:5], ErrMalformed},
		"not a multiple of 8": {f[1][:5+9], ErrMalformed},
		"beyond the size":     {append(bytes.Clone(f[1]), 0), ErrMalformed},
		"first, cut":          {f[0][:len(f[0])-1], ErrMalformed},
		"first, header cut":   {f[0][:8], ErrTruncated},
		"first, no IPHC":      {append(bytes.Clone(f[0][:4]), 0x41), ErrTruncated},
		"first, IPv6":         {append(bytes.Clone(f[0][:4]), 0x41, 0), ErrUnsupported},
	} {
		if got, err := r.HandleFragment(epoch, secured, test.frame, ctx); !errors.Is(err, test.want) || got != nil {
			t.Errorf("%s: %x, %v, want %v", name, got, err, test.want)
		}
	}
	if r.Len() != 1 || r.Dropped() != 0 {
		t.Errorf("%d incomplete, %d dropped", r.Len(), r.Dropped())
	}
	if got := handle(t, r, epoch, secured, ctx, f[1]); got == nil {
		t.Error("the datagram does not complete after the errors")
	}
}

func TestReassemblerTimeout(t *testing.T) {
	ctx := testContexts(t)
	f := frames(t, udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 300), 1, 104, ctx)
	r := NewReassembler(testLimits)
	if _, ok := r.NextTimeout(); ok {
		t.Error("timeout without datagrams")
	}
	handle(t, r, epoch, secured, ctx, f[0])
	handle(t, r, epoch.Add(time.Second), unsecured, ctx, f[0])
	handle(t, r, epoch.Add(4*time.Second), secured, ctx, f[1])
	next, ok := r.NextTimeout()
	if !ok || next != epoch.Add(5*time.Second) {
		t.Errorf("timeout at %v, %v", next, ok)
	}
	r.HandleTimeout(next.Add(-1))
	if r.Len() != 2 {
		t.Error("given up too early")
	}
	r.HandleTimeout(next)
	if r.Len() != 1 || r.Dropped() != 1 {
		t.Errorf("%d incomplete, %d dropped", r.Len(), r.Dropped())
	}
	if next, _ = r.NextTimeout(); next != epoch.Add(6*time.Second) {
		t.Errorf("next timeout at %v", next)
	}
	r.Reset()
	if _, ok := r.NextTimeout(); ok || r.Len() != 0 || r.Dropped() != 2 {
		t.Errorf("after Reset %d incomplete, %d dropped", r.Len(), r.Dropped())
	}
}

// Who begins datagrams and ends none drives out his own, once he has half of the places.
func TestReassemblerFlood(t *testing.T) {
	ctx := testContexts(t)
	datagram := udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 150)
	r := NewReassembler(Limits{Datagrams: 4, Timeout: time.Minute})
	honest := secured
	honest.Src = ieee802154.ShortAddress(0x0c01)
	part := func(tag uint16, i int) []byte { return frames(t, datagram, tag, 104, ctx)[i] }
	handle(t, r, epoch, honest, ctx, part(1, 0))
	handle(t, r, epoch, honest, ctx, part(2, 0))
	for i := range uint16(50) {
		handle(t, r, epoch.Add(time.Duration(i)*time.Second), secured, ctx, part(100+i, 0))
	}
	for _, tag := range []uint16{1, 2} {
		if got := handle(t, r, epoch.Add(50*time.Second), honest, ctx, part(tag, 1)); !bytes.Equal(got, datagram) {
			t.Errorf("datagram %d: %x", tag, got)
		}
	}
}

func TestReassemblerFull(t *testing.T) {
	ctx := testContexts(t)
	rng := rand.New(rand.NewPCG(1, 2))
	datagram := udpDatagram(t, rng, 150)
	first := func(tag uint16) []byte { return frames(t, datagram, tag, 104, ctx)[0] }
	second := func(tag uint16) []byte { return frames(t, datagram, tag, 104, ctx)[1] }
	at := func(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

	r := NewReassembler(testLimits)
	handle(t, r, at(0), secured, ctx, first(0))
	handle(t, r, at(1), unsecured, ctx, first(1))
	handle(t, r, at(2), unsecured, ctx, first(2))
	handle(t, r, at(3), secured, ctx, first(3)) // drives out 1, the older one without security
	handle(t, r, at(3), secured, ctx, first(4)) // drives out 2
	if r.Len() != 3 || r.Dropped() != 2 {
		t.Errorf("%d incomplete, %d dropped", r.Len(), r.Dropped())
	}
	if _, err := r.HandleFragment(at(3), unsecured, first(5), ctx); !errors.Is(err, ErrFull) {
		t.Errorf("without security: %v", err)
	}
	handle(t, r, at(4), secured, ctx, first(6)) // drives out 0, the oldest one
	if r.Len() != 3 || r.Dropped() != 3 {
		t.Errorf("%d incomplete, %d dropped", r.Len(), r.Dropped())
	}
	for _, tag := range []uint16{3, 4, 6} {
		if got := handle(t, r, at(4), secured, ctx, second(tag)); !bytes.Equal(got, datagram) {
			t.Errorf("datagram %d: %x", tag, got)
		}
	}
	if _, err := NewReassembler(Limits{}).HandleFragment(epoch, secured, first(0), ctx); !errors.Is(err, ErrFull) {
		t.Errorf("without places: %v", err)
	}
}

func TestReassemblerAllocs(t *testing.T) {
	ctx := testContexts(t)
	datagram := udpDatagram(t, rand.New(rand.NewPCG(1, 2)), 1000)
	p := Packet{Datagram: datagram, Tag: 1, Src: extMAC, Dst: shortMAC}
	r := NewReassembler(testLimits)
	frame := make([]byte, 0, 127)
	if n := testing.AllocsPerRun(100, func() {
		p.Tag++
		roundTrip(t, p, r, frame, ctx)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// roundTrip sends a packet through a reassembler by way of frame.
func roundTrip(t testing.TB, p Packet, r *Reassembler, frame []byte, ctx *Contexts) {
	for next := 0; next < len(p.Datagram); {
		out, after, err := p.AppendFrame(frame, next, 104, ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.HandleFragment(epoch, secured, out, ctx)
		if next = after; err != nil || (got != nil) != (next == len(p.Datagram)) {
			t.Fatalf("at %d: %x, %v", next, got, err)
		}
	}
}

func BenchmarkRoundTrip1000(b *testing.B) {
	ctx := testContexts(b)
	p := Packet{Datagram: udpDatagram(b, rand.New(rand.NewPCG(1, 2)), 1000), Tag: 1, Src: extMAC, Dst: shortMAC}
	r := NewReassembler(testLimits)
	frame := make([]byte, 0, 127)
	b.ReportAllocs()
	for b.Loop() {
		p.Tag++
		roundTrip(b, p, r, frame, ctx)
	}
}

// FuzzReassembler passes in what data holds: frames, each behind a byte with its origin and its length.
func FuzzReassembler(f *testing.F) {
	ctx := testContexts(f)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{100, 300, 1232} {
		var data []byte
		for _, frame := range frames(f, udpDatagram(f, rng, n), 1, 104, ctx) {
			data = append(append(data, byte(len(frame))), frame...)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReassembler(testLimits)
		now := epoch
		for len(data) > 0 {
			o := Origin{Src: extMAC, Dst: ieee802154.ShortAddress(0x5800), Security: data[0] >> 7}
			n := min(int(data[0]&0x7f), len(data)-1)
			frame := data[1 : 1+n]
			data = data[1+n:]
			now = now.Add(100 * time.Millisecond)
			r.HandleTimeout(now)
			datagram, err := r.HandleFragment(now, o, frame, ctx)
			if r.Len() > testLimits.Datagrams {
				t.Fatalf("%d datagrams", r.Len())
			}
			if datagram == nil || err != nil {
				continue
			}
			if h, err := ip6.ParseHeader(datagram); err == nil && len(datagram) != ip6.HeaderSize+h.PayloadLength {
				// The size of the first fragment is what the header's length comes from.
				t.Fatalf("datagram of %d bytes with payload length %d", len(datagram), h.PayloadLength)
			}
		}
	})
}
