package sender

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A fragment is what a frame carries of a datagram: all of it, if tag is 0.
type fragment struct {
	data        []byte
	offset, end int
	size        int // of the whole datagram
	tag         uint16
}

// fragmentOf takes the frame that the MAC has apart, down to the bytes of the datagram.
func fragmentOf(t testing.TB, r *room) (f fragment) {
	t.Helper()
	payload, src, dst := r.radio.payload, r.radio.frame.Src, r.radio.frame.Dst
	if lowpan.DispatchOf(payload) == lowpan.DispatchMesh {
		h, n, err := lowpan.ParseMeshHeader(payload)
		if err != nil {
			t.Fatal(err)
		}
		payload, src, dst = payload[n:], h.Src, h.Dst
	}
	if d := lowpan.DispatchOf(payload); d != lowpan.DispatchIPHC {
		h, err := lowpan.ParseFragmentHeader(payload)
		if err != nil {
			t.Fatal(err)
		}
		f.tag, f.offset, f.size = h.Tag, int(h.Offset), int(h.DatagramSize)
		payload = payload[h.Size():]
	}
	f.data = payload
	if f.offset == 0 {
		headers, n, err := lowpan.Decompress(nil, payload, src, dst, r.Contexts, f.size)
		if err != nil {
			t.Fatal(err)
		}
		f.data = append(headers, payload[n:]...)
	}
	f.end = f.offset + len(f.data)
	if f.tag == 0 {
		f.size = f.end
	}
	return f
}

// Fragments cover the datagram exactly, in order, all but the last a multiple of 8 bytes long, whatever its size and its way
// (RFC 4944 §5.3).
func TestFragments(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(r *room, size int) *Message
		mesh bool
	}{
		{"to a neighbor", func(r *room, size int) *Message { return r.datagram(at(left), size, 'x') }, false},
		{"beyond a neighbor", func(r *room, size int) *Message { return r.datagram(at(beyondLeft), size, 'x') }, true},
		{"to all", func(r *room, size int) *Message { return r.datagram(toAll, size, 'x') }, false},
		{"MLE message", func(r *room, size int) *Message { return r.mle(toNeighbor, size, 'x') }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			for size := ip6.HeaderSize + 1; size <= lowpan.MaxDatagramSize; size++ {
				m := tt.make(r, size)
				want := bytes.Clone(m.Data)
				r.take(m)
				var got []byte
				var tag uint16
				for len(got) < size {
					if _, ok := r.next(); !ok {
						r.after(timing.FragmentGap)
						continue
					}
					f := fragmentOf(t, r)
					if f.offset != len(got) || f.size != size || f.end < size && len(f.data)%8 != 0 {
						t.Fatalf("%d bytes: %d from %d on after %d", size, len(f.data), f.offset, len(got))
					}
					if len(got) > 0 && f.tag != tag {
						t.Fatalf("%d bytes: tags %d and %d", size, tag, f.tag)
					}
					tag = f.tag
					got = append(got, f.data...)
					if whole := f.tag == 0; whole != (f.offset == 0 && f.end == size) {
						t.Fatalf("%d bytes: a fragment with all of it", size)
					}
					if r.radio.frame.FramePending != (f.end < size) {
						t.Fatalf("%d bytes: frame pending %v at %d", size, r.radio.frame.FramePending, f.end)
					}
					if mesh := lowpan.DispatchOf(r.radio.payload) == lowpan.DispatchMesh; mesh != tt.mesh {
						t.Fatalf("%d bytes: mesh header: %v", size, mesh)
					}
					r.done(true)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("%d bytes: %x, want %x", size, got, want)
				}
				r.holds(0, 0)
			}
		})
	}
}

// What a frame says in its header.
func TestFrame(t *testing.T) {
	secured := ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
	for _, tt := range []struct {
		name     string
		make     func(r *room) *Message
		src, dst ieee802154.Addr
		ack      bool
		security ieee802154.SecurityHeader
		mesh     mle.RLOC16 // in the mesh header of a datagram
	}{
		{"datagram", func(r *room) *Message { return r.datagram(at(left), small, 'x') },
			neighbors.ShortAddr(self), neighbors.ShortAddr(left), true, secured, 0},
		{"beyond a neighbor", func(r *room) *Message { return r.datagram(at(beyondLeft), small, 'x') },
			neighbors.ShortAddr(self), neighbors.ShortAddr(left), true, secured, beyondLeft},
		{"multicast", func(r *room) *Message { return r.datagram(toAll, small, 'x') },
			neighbors.ShortAddr(self), broadcast, false, secured, 0},
		{"MLE message", func(r *room) *Message { return r.mle(toNeighbor, small, 'x') },
			ieee802154.ExtAddress(own), ieee802154.ExtAddress(neighborExt), true, ieee802154.SecurityHeader{}, 0},
		{"MLE multicast", func(r *room) *Message { return r.mle(toAll, small, 'x') },
			neighbors.ShortAddr(self), broadcast, false, ieee802154.SecurityHeader{}, 0},
		{"relayed frame", func(r *room) *Message { return r.relayed(beyondLeft, small, 'x') },
			neighbors.ShortAddr(self), neighbors.ShortAddr(left), true, secured, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			m := tt.make(r)
			data := bytes.Clone(m.Data)
			r.take(m)
			r.start()
			f := r.radio.frame
			payload := f.Payload
			f.Payload = nil
			want := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: tt.ack, PANIDCompression: true,
				DstPAN: pan, SrcPAN: pan, Src: tt.src, Dst: tt.dst, Security: tt.security,
			}
			if f.Security != want.Security || f.Src != want.Src || f.Dst != want.Dst || f.AckRequest != want.AckRequest ||
				f.DstPAN != pan || f.SrcPAN != pan || !f.PANIDCompression || f.Type != want.Type || f.Version != want.Version || f.FramePending {
				t.Errorf("%+v, want %+v", f, want)
			}
			switch {
			case m.Kind == KindMeshFrame:
				if !bytes.Equal(payload, data) {
					t.Errorf("%x, want %x", payload, data)
				}
			case tt.mesh != 0:
				h, _, err := lowpan.ParseMeshHeader(payload)
				want := lowpan.MeshHeader{HopsLeft: hopsLeft, Src: neighbors.ShortAddr(self), Dst: neighbors.ShortAddr(tt.mesh)}
				if err != nil || h != want {
					t.Errorf("%+v, %v, want %+v", h, err, want)
				}
			}
		})
	}
}

// The fragments of two datagrams have different tags, also when they are sent by turns, and no tag is used again soon (RFC 4944 §5.3).
func TestTags(t *testing.T) {
	r := newRoom(t)
	r.tag = 0xfffe
	tags := map[byte][]uint16{}
	r.take(r.datagram(at(left), large, 'a'), r.datagram(at(right), large, 'b'), r.datagram(at(left), large, 'c'))
	var order []byte
	for label, ok := r.next(); ok; label, ok = r.next() {
		order = append(order, label)
		tags[label] = append(tags[label], fragmentOf(t, r).tag)
		r.done(true)
	}
	if string(order) != "abababccc" {
		t.Errorf("order %q", order)
	}
	for label, want := range map[byte]uint16{'a': 0xffff, 'b': 1, 'c': 2} { // 0 stands for none
		for _, tag := range tags[label] {
			if tag != want {
				t.Errorf("tags of %q: %x, want %x", label, tags[label], want)
			}
		}
	}
}

// An MLE message secures itself; if it needs fragments, all of them are secured by the MAC as well (Thread 1.1 §4.9).
func TestMLEFragmentsAreSecured(t *testing.T) {
	r := newRoom(t)
	var whole, inFragments int
	for size := ip6.HeaderSize + 1; size <= 300; size++ {
		r.take(r.mle(toNeighbor, size, 'x'))
		var last fragment
		for last.end < size {
			r.start()
			last = fragmentOf(t, r)
			secured := r.radio.frame.Security.Level != ieee802154.SecurityNone
			if secured == (last.tag == 0) {
				t.Fatalf("%d bytes, from %d on: secured: %v", size, last.offset, secured)
			}
			r.done(true)
		}
		if last.tag == 0 {
			whole = size
		} else if inFragments == 0 {
			inFragments = size
		}
	}
	// What fits without the MAC's security has none, even if with it it would not fit.
	if whole+1 != inFragments {
		t.Errorf("up to %d bytes in one frame, from %d on in fragments", whole, inFragments)
	}
}

// After a fragment that the next hop passes on the datagram pauses, until that is over.
func TestPause(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(beyondLeft), large, 'a'))
	for fragment := 0; ; fragment++ {
		label, ok := r.next()
		if !ok || label != 'a' {
			t.Fatalf("fragment %d: %q, %v", fragment, label, ok)
		}
		r.done(true)
		if r.Queued() == 0 {
			if fragment < 2 {
				t.Errorf("%d fragments", fragment+1)
			}
			break
		}
		if label, ok := r.next(); ok {
			t.Fatalf("%q goes on at once", label)
		}
		next, ok := r.NextTimeout()
		if want := r.core.Now.Add(timing.FragmentGap); !ok || !next.Equal(want) {
			t.Fatalf("goes on at %v, %v, want %v", next, ok, want)
		}
		r.core.Advance(next.Add(-1))
		if _, ok := r.next(); ok {
			t.Fatal("goes on before")
		}
		r.core.Advance(next)
	}
	if r.Choose() {
		t.Error("something is left")
	}
	if at, ok := r.NextTimeout(); ok {
		t.Errorf("goes on at %v with nothing", at)
	}
}

// Fragments to a neighbor itself follow each other without a pause.
func TestNoPause(t *testing.T) {
	r := newRoom(t)
	r.take(r.datagram(at(left), large, 'a'))
	if got := r.run(); got != "aaa" {
		t.Errorf("sent %q", got)
	}
}

// While a datagram pauses, others go; but none that would spoil the pause and overtake it through the same hop.
func TestWhileOnePauses(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(r *room) *Message
		goes bool
	}{
		{"to the hop itself", func(r *room) *Message { return r.datagram(at(left), small, 'x') }, true},
		{"to another neighbor", func(r *room) *Message { return r.datagram(at(right), small, 'x') }, true},
		{"through another hop", func(r *room) *Message { return r.datagram(at(beyondRight), small, 'x') }, true},
		{"to all", func(r *room) *Message { return r.datagram(toAll, small, 'x') }, true},
		{"to the same destination", func(r *room) *Message { return r.datagram(at(beyondLeft), small, 'x') }, false},
		{"through the same hop", func(r *room) *Message { return r.datagram(at(behindLeft), small, 'x') }, false},
		{"through the same hop, of lower priority", func(r *room) *Message {
			m := r.datagram(at(behindLeft), small, 'x')
			m.Priority = PriorityLow
			return m
		}, false},
		{"through the same hop, of higher priority", func(r *room) *Message {
			m := r.datagram(at(behindLeft), small, 'x')
			m.Priority = PriorityNet
			return m
		}, true},
		{"of others through the same hop", func(r *room) *Message { return r.relayed(behindLeft, small, 'x') }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			r.take(r.datagram(at(beyondLeft), large, 'a'))
			r.start()
			r.done(true)
			want := r.core.Now.Add(timing.FragmentGap)
			r.take(tt.make(r))
			if got := r.run(); (got == "x") != tt.goes {
				t.Errorf("sent %q", got)
			}
			if next, ok := r.NextTimeout(); !ok || !next.Equal(want) {
				t.Errorf("goes on at %v, %v, want %v", next, ok, want)
			}
			// Then each has what is left, in order.
			var order string
			for r.Queued() > 0 {
				r.after(timing.FragmentGap)
				order += r.run()
			}
			if want := map[bool]string{true: "aa", false: "aax"}[tt.goes]; order != want {
				t.Errorf("then %q, want %q", order, want)
			}
		})
	}
}

// Two datagrams pause at once if their hops are two; the earlier end is the next timeout.
func TestTwoPauses(t *testing.T) {
	r := newRoom(t)
	start := r.core.Now
	r.take(r.datagram(at(beyondLeft), large, 'a'), r.datagram(at(beyondRight), large, 'b'))
	r.start()
	r.done(true)
	r.after(timing.FragmentGap / 2)
	r.start()
	r.done(true)
	for _, want := range []struct {
		at    time.Duration
		sends string
	}{{1000, "a"}, {1500, "b"}, {2000, "a"}, {2500, "b"}} {
		if got := r.run(); got != "" {
			t.Errorf("%q at %v", got, r.core.Now.Sub(start))
		}
		next, ok := r.NextTimeout()
		if at := start.Add(want.at * time.Millisecond); !ok || !next.Equal(at) {
			t.Fatalf("next at %v, %v, want %v", next.Sub(start), ok, at.Sub(start))
		}
		r.core.Advance(next)
		if got := r.run(); got != want.sends {
			t.Errorf("%q at %v, want %q", got, r.core.Now.Sub(start), want.sends)
		}
	}
	r.counts(Counters{TxDatagrams: 2})
}

// All pauses of a datagram together stay near FragmentGaps.
func TestFragmentGaps(t *testing.T) {
	r := newRoom(t)
	r.timing = Timing{FragmentGap: time.Second, FragmentGaps: 5 * time.Second}
	for size, want := range map[int]time.Duration{100: time.Second, 440: time.Second, 880: 500 * time.Millisecond, 1280: 343750 * time.Microsecond} {
		if got := r.fragmentGap(&Message{Data: make([]byte, size)}, true); got != want {
			t.Errorf("%d bytes: %v, want %v", size, got, want)
		}
	}
}

// The next hop has passed a fragment on after half of FragmentGap, and the one after that after all of it.
func TestFragmentGap(t *testing.T) {
	for far, want := range map[bool]time.Duration{false: timing.FragmentGap / 2, true: timing.FragmentGap} {
		r := newRoom(t)
		r.roads.far = far
		r.take(r.datagram(at(beyondLeft), large, 'x'))
		r.start()
		r.done(true)
		if r.Choose() {
			t.Fatal("no pause")
		}
		if next, ok := r.NextTimeout(); !ok || next.Sub(r.core.Now) != want {
			t.Errorf("far %v: a pause of %v, %v, want %v", far, next.Sub(r.core.Now), ok, want)
		}
	}
}
