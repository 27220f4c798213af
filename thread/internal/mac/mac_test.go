package mac

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	pan   ieee802154.PANID = 0x1234
	rloc  mle.RLOC16       = 0x8c00
	child mle.RLOC16       = 0x8c01
	far   mle.RLOC16       = 0x5800
)

var (
	epoch = time.Unix(1000, 0)

	own      = ieee802154.ExtAddr{1}
	childExt = ieee802154.ExtAddr{2}
	farExt   = ieee802154.ExtAddr{3}
	stranger = ieee802154.ExtAddr{9}

	broadcast = ieee802154.ShortAddress(ieee802154.BroadcastAddr)
)

// timing is that of stock OpenThread, but with few backoffs.
var timing = Timing{
	BackoffUnit: 320 * time.Microsecond, MinBE: 3, MaxBE: 5, MaxCSMABackoffs: 4, MaxFrameRetries: 3,
	AckWait: 16 * time.Millisecond, AckRoom: 2 * time.Millisecond, FrameTime: 4 * time.Millisecond, Scale: neighbors.Scale{Zero: -100, Margins: [3]int{2, 10, 20}},
}

// A node is a MAC with what it needs, driven by hand: a router with a child and a link to another router.
type node struct {
	*MAC
	t          testing.TB
	core       *core.Core
	table      *neighbors.Table
	child, far *neighbors.Neighbor
	keys       *keychain.Keychain
	network    *keychain.Keychain // that of the other nodes
	moves      int                // of the key sequence
	storeFails bool
}

func newNode(t testing.TB, timing Timing) *node {
	t.Helper()
	c := core.New(seeded(1), slog.New(slog.DiscardHandler), own)
	c.Advance(epoch)
	n := &node{t: t, core: c}
	n.table = neighbors.New(c, 5, func(*neighbors.Neighbor, bool) {})
	n.table.View = neighbors.AsRouter
	n.child = &n.table.AddChild(childExt, neighbors.Valid).Neighbor
	n.child.RLOC16 = child
	n.far = &n.table.Assign(far.RouterID(), farExt).Neighbor
	n.table.Change(n.far, neighbors.Valid)

	n.keys = keychain.New(c, [keys.Size]byte{1, 2, 3}, func() { n.moves++ })
	n.keys.Guard = time.Hour
	n.network = keychain.New(c, [keys.Size]byte{1, 2, 3}, func() {})
	n.MAC = New(c, Config{Timing: timing, Neighbors: n.table, Keys: n.keys, Reserve: func() bool {
		if !n.storeFails {
			n.Counter.Stored(n.Counter.Limit())
		}
		return !n.storeFails
	}})
	n.SetAddress(pan, rloc)
	n.On = true
	return n
}

func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// frame is a data frame of this node to dst, secured, to be acknowledged unless it is a broadcast.
func frame(dst ieee802154.Addr) ieee802154.Frame {
	return ieee802154.Frame{
		Type: ieee802154.Data, AckRequest: !dst.IsBroadcast(), PANIDCompression: true, DstPAN: pan, SrcPAN: pan,
		Dst: dst, Src: neighbors.ShortAddr(rloc), Payload: []byte("payload"),
		Security: ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32},
	}
}

// send starts a frame, which must work.
func (n *node) send(f ieee802154.Frame) {
	n.t.Helper()
	if err := n.Send(f); err != nil {
		n.t.Fatal(err)
	}
}

// sleep lets time pass up to the next timeout and returns how long that took.
func (n *node) sleep() time.Duration {
	n.t.Helper()
	next, ok := n.NextTimeout()
	if !ok {
		n.t.Fatal("no timer runs")
	}
	passed := next.Sub(n.core.Now)
	if passed > 0 { // nothing happens before
		n.core.Advance(next.Add(-1))
		n.HandleTimeout()
		if again, _ := n.NextTimeout(); again != next {
			n.t.Fatalf("a timer for %v is over before", next)
		}
	}
	n.core.Advance(next)
	n.HandleTimeout()
	return passed
}

// try lets the backoff pass and hands the frame in work to the radio.
func (n *node) try() []byte {
	n.t.Helper()
	if psdu, ok := n.PollTransmit(); ok {
		n.t.Fatalf("%x is sent at once", psdu)
	}
	n.sleep()
	psdu, ok := n.PollTransmit()
	if !ok {
		n.t.Fatal("nothing to transmit after the backoff")
	}
	return psdu
}

// ack receives an acknowledgement.
func (n *node) ack(seq uint8, rssi int) {
	n.HandleFrame(ieee802154.AppendAck(nil, seq, false), rssi)
}

// result is what PollSent reports, which must be something.
func (n *node) result() Result {
	n.t.Helper()
	s, ok := n.PollSent()
	if !ok || !n.Idle() {
		n.t.Fatalf("report: %v, idle: %v", ok, n.Idle())
	}
	if _, again := n.PollSent(); again {
		n.t.Fatal("reported twice")
	}
	if _, ok := n.NextTimeout(); ok {
		n.t.Fatal("an idle MAC has a timer")
	}
	return s.Result
}

// transmit sends a frame and returns its bytes as its receivers get them, acknowledged if it asks for that.
func (n *node) transmit(f ieee802154.Frame) []byte {
	n.t.Helper()
	n.send(f)
	psdu := n.try()
	n.HandleTransmitDone(nil)
	if f.AckRequest {
		n.ack(psdu[2], -50)
	}
	n.result()
	return psdu
}

// parse parses what is well-formed.
func parse(t testing.TB, psdu []byte) ieee802154.Frame {
	t.Helper()
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		t.Fatalf("%v: %x", err, psdu)
	}
	return f
}

// The first sequence number is the only random number that a new MAC takes.
func TestNew(t *testing.T) {
	draws := core.New(seeded(1), slog.New(slog.DiscardHandler), own).Rand
	c := core.New(seeded(1), slog.New(slog.DiscardHandler), own)
	m := New(c, Config{Timing: timing})
	if want := uint8(draws.Uint32()); m.seq != want {
		t.Errorf("first sequence number %d, want %d", m.seq, want)
	}
	if got, want := c.Rand.Uint64(), draws.Uint64(); got != want {
		t.Error("other random numbers are drawn")
	}
	if _, ok := m.NextTimeout(); ok || !m.Idle() || m.On {
		t.Error("a new MAC is busy or on")
	}
	if _, ok := m.PollTransmit(); ok {
		t.Error("a new MAC has something to transmit")
	}
	if _, ok := m.PollSent(); ok {
		t.Error("a new MAC has sent something")
	}
}
