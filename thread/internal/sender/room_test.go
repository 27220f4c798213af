package sender

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	pan ieee802154.PANID = 0x1234

	// This node, two neighbors, and two nodes beyond each of them.
	self                    mle.RLOC16 = 0x0400
	left, right             mle.RLOC16 = 0x0800, 0x0c00
	beyondLeft, behindLeft  mle.RLOC16 = 0x1000, 0x1400
	beyondRight, behindThat mle.RLOC16 = 0x1800, 0x1c00
	gone                    mle.RLOC16 = 0x7000 // no way leads there

	hopsLeft = 5
)

var (
	own = ieee802154.ExtAddr{0xee, 7: 1}
	// An extended address, and those of IPv6 that belong to it and to this node.
	neighborExt = ieee802154.ExtAddr{0xaa, 7: 2}
	toNeighbor  = neighbors.LinkLocal(neighborExt)
	fromHere    = neighbors.LinkLocal(own)
	toAll       = netip.MustParseAddr("ff02::1")
	meshLocal   = netip.MustParsePrefix("fdde:ad00:beef::/64")
	broadcast   = neighbors.ShortAddr(mle.BroadcastRLOC16)
	timing      = Timing{FragmentGap: time.Second, FragmentGaps: time.Hour, LostDatagram: time.Minute}
	errTooLong  = errors.New("frame too long")
)

// at is the address of a node by its place, eid one whose place must be asked for.
func at(place mle.RLOC16) netip.Addr { return place.Addr(meshLocal) }
func eid(n byte) netip.Addr          { return netip.AddrFrom16([16]byte{0xfd, 15: n}) }

// radio is a MAC that sends one frame at a time, when it is told to.
type radio struct {
	t       testing.TB
	busy    bool
	err     error            // of Send
	frame   ieee802154.Frame // in work
	channel uint8
	payload []byte
	frames  int

	indirect, again int // frames that were polled for, and repetitions of them
}

func (r *radio) SendOn(channel uint8, f ieee802154.Frame) error {
	switch {
	case r.busy:
		r.t.Fatal("two frames at a time")
	case r.err != nil:
		return r.err
	case f.Overhead()+len(f.Payload) > ieee802154.MaxPSDU:
		return errTooLong
	}
	r.payload = append(r.payload[:0], f.Payload...)
	r.frame, r.channel = f, channel
	r.frame.Payload = r.payload
	r.busy = true
	r.frames++
	return nil
}

func (r *radio) SendIndirect(f ieee802154.Frame, kept []byte) ([]byte, error) {
	if len(kept) > 0 {
		if r.busy {
			r.t.Fatal("two frames at a time")
		}
		r.busy, r.again = true, r.again+1
		return kept, nil
	}
	r.indirect++
	err := r.SendOn(0, f)
	return append([]byte{0x61, 0x98, byte(r.frames)}, r.payload...), err
}

// roads is a Router that knows the neighbors and who is beyond them; where EIDs are it learns.
type roads struct {
	via    map[mle.RLOC16]mle.RLOC16
	places map[netip.Addr]mle.RLOC16
	pauses map[mle.RLOC16]time.Time
	dead   mle.RLOC16
	sleepy map[ieee802154.ExtAddr]bool
	far    bool // what is beyond a neighbor

	shortcut mle.RLOC16 // a node that is reached directly, as long as that works
}

func newRoads() *roads {
	return &roads{
		via:    map[mle.RLOC16]mle.RLOC16{beyondLeft: left, behindLeft: left, beyondRight: right, behindThat: right},
		places: map[netip.Addr]mle.RLOC16{},
		pauses: map[mle.RLOC16]time.Time{}, far: true,
	}
}

// Sleeper knows children by their link-local addresses.
func (r *roads) Sleeper(m *Message) (ieee802154.ExtAddr, bool) {
	if m.For != (ieee802154.ExtAddr{}) {
		return m.For, true
	}
	ext := neighbors.ExtOf(m.Dst())
	return ext, m.Kind != KindMeshFrame && m.Dst().IsLinkLocalUnicast() && r.sleepy[ext]
}

func (r *roads) Route(m *Message) (Hop, Answer) {
	h := Hop{Src: neighbors.ShortAddr(self)}
	if m.For != (ieee802154.ExtAddr{}) {
		h.Dst = ieee802154.ExtAddress(m.For)
		return h, Found
	}
	to, isLocator := mle.LocatorOf(m.Dst())
	switch {
	case m.Dst().IsMulticast():
		h.Dst = broadcast
		return h, Found
	case m.Dst().IsLinkLocalUnicast():
		h.Src, h.Dst = ieee802154.ExtAddress(own), lowpan.AddrOf(ip6.InterfaceIDOf(m.Dst()))
		return h, Found
	case !isLocator:
		place, ok := r.places[m.Dst()]
		if !ok {
			return h, Wait
		}
		to = place
	}
	return r.lead(h, to, true)
}

func (r *roads) Relay(dst mle.RLOC16) (Hop, Answer) {
	return r.lead(Hop{Src: neighbors.ShortAddr(self)}, dst, false)
}

func (r *roads) lead(h Hop, to mle.RLOC16, mesh bool) (Hop, Answer) {
	next, beyond := r.via[to]
	if to == gone && !beyond {
		return h, NoRoute
	}
	if !beyond || to == r.shortcut {
		next, beyond, h.Shortcut = to, false, beyond
	}
	if next == r.dead {
		return h, Dead
	}
	h.Dst, h.PauseUntil = neighbors.ShortAddr(next), r.pauses[next]
	if beyond && mesh {
		h.Mesh, h.MeshSrc, h.MeshDst, h.HopsLeft, h.Far = true, self, to, hopsLeft, r.far
	}
	return h, Found
}

// room is a sender under test with all that it needs.
type room struct {
	*Sender
	t     testing.TB
	core  *core.Core
	radio *radio
	roads *roads
}

func newRoom(t testing.TB) *room {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), own)
	c.Advance(time.Unix(1000, 0))
	r := &room{t: t, core: c, radio: &radio{t: t}, roads: newRoads()}
	var contexts lowpan.Contexts
	if err := contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: meshLocal, Compress: true}); err != nil {
		t.Fatal(err)
	}
	r.Sender = New(c, timing, r.radio, r.roads, &contexts)
	r.PAN, r.On = pan, true
	return r
}

func (r *room) after(d time.Duration) { r.core.Advance(r.core.Now.Add(d)) }

// appendDatagram appends a datagram of that many bytes, whose last one is a label.
func appendDatagram(b []byte, src, dst netip.Addr, size int, label byte) []byte {
	h := ip6.Header{PayloadLength: size - ip6.HeaderSize, NextHeader: ip6.ProtocolNoNext, HopLimit: 64, Src: src, Dst: dst}
	b, err := h.AppendBinary(b)
	if err != nil {
		panic(err)
	}
	for i := ip6.HeaderSize; i < size; i++ {
		b = append(b, byte(i*7))
	}
	b[len(b)-1] = label
	return b
}

const (
	small = 60  // bytes of a datagram that fits into one frame
	large = 300 // and of one that does not
)

// datagram is a message with a datagram from this node.
func (r *room) datagram(dst netip.Addr, size int, label byte) *Message {
	m := r.New()
	m.Data = appendDatagram(m.Data, at(self), dst, size, label)
	m.Priority = PriorityNormal
	return m
}

// mle is an MLE message; what is inside is of no interest here.
func (r *room) mle(dst netip.Addr, size int, label byte) *Message {
	m := r.New()
	m.Data = appendDatagram(m.Data, fromHere, dst, size, label)
	m.Kind, m.Command, m.Priority = KindMLE, mle.Advertisement, PriorityNet
	return m
}

// relayed is a frame on its way through this node, of that many bytes.
func (r *room) relayed(dst mle.RLOC16, size int, label byte) *Message {
	m := r.New()
	var err error
	m.Data, err = lowpan.MeshHeader{HopsLeft: 3, Src: neighbors.ShortAddr(0x2000), Dst: neighbors.ShortAddr(dst)}.AppendBinary(m.Data)
	if err != nil {
		panic(err)
	}
	for len(m.Data) < size {
		m.Data = append(m.Data, label)
	}
	m.Kind, m.Priority = KindMeshFrame, PriorityNormal
	return m
}

// take enqueues messages, for each of which there must be a place.
func (r *room) take(messages ...*Message) {
	r.t.Helper()
	for _, m := range messages {
		if r.Enqueue(m) != nil {
			r.t.Fatal("no place")
		}
	}
}

// next starts the next frame, if there is one, and returns the label of its message.
func (r *room) next() (label byte, ok bool) {
	r.t.Helper()
	for r.Choose() {
		m := r.chosen.message
		label = m.Data[len(m.Data)-1]
		if r.Start(); r.radio.busy {
			return label, true
		}
	}
	return 0, false
}

// start starts the next frame, which there must be, and leaves it with the MAC.
func (r *room) start() {
	r.t.Helper()
	if _, ok := r.next(); !ok {
		r.t.Fatal("nothing to send")
	}
}

// done ends the work on a frame.
func (r *room) done(ok bool) {
	r.radio.busy = false
	r.Sent(ok)
}

// run sends all that can be sent, with success, and returns the labels of the frames in order.
func (r *room) run() string {
	r.t.Helper()
	var order []byte
	for label, ok := r.next(); ok; label, ok = r.next() {
		order = append(order, label)
		r.done(true)
	}
	return string(order)
}

// counts checks what became of messages so far.
func (r *room) counts(want Counters) {
	r.t.Helper()
	if r.Counters != want {
		r.t.Errorf("%+v, want %+v", r.Counters, want)
	}
}

// holds checks how many messages wait, and that none is in two places.
func (r *room) holds(queued, waiting int) {
	r.t.Helper()
	if r.Queued() != queued || r.Waiting() != waiting {
		r.t.Errorf("%d queued, %d waiting, want %d and %d", r.Queued(), r.Waiting(), queued, waiting)
	}
	all := slices.Concat(r.queue, r.waiting, r.pool)
	seen := map[*Message]bool{}
	for _, m := range all {
		seen[m] = true
	}
	if len(seen) != len(all) {
		r.t.Error("a message is in two places")
	}
}
