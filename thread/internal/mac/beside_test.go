package mac

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

const beside mle.RLOC16 = 0x5803

var (
	besideExt = ieee802154.ExtAddr{0xb5}
	onBeside  = neighbors.ShortAddr(beside)
)

// newBeside is a node with another one beside it, of which a router has said that its next frame counter is 7 at least.
func newBeside(t *testing.T) (*node, *neighbors.Neighbor) {
	n := newNode(t, timing)
	n.Shortcuts = true
	n.table.Peers.Vouch(n.core.Now, neighbors.Voucher{Ext: besideExt, RLOC16: beside, Counter: 7, At: n.core.Now})
	return n, n.table.Beside(onBeside)
}

// Frames of a node beside this one are taken, each once and none that is older than the router's word, and acknowledged.
func TestFromBeside(t *testing.T) {
	n, peer := newBeside(t)
	for _, tt := range []struct {
		counter uint32
		up      bool
	}{{6, false}, {7, true}, {7, false}, {9, true}, {8, false}} {
		if got, ok := n.hear(letterFrom(onBeside, besideExt).secure(0, tt.counter)); ok != tt.up || ok && !got.Secured {
			t.Errorf("counter %d: goes up: %v, %+v", tt.counter, ok, got)
		}
	}
	if peer.MAC.Next() != 10 || !peer.LastFrame.Equal(n.core.Now) {
		t.Errorf("%+v", peer)
	}
	n.Shortcuts = false
	if _, ok := n.hear(letterFrom(onBeside, besideExt).secure(0, 20)); ok {
		t.Error("taken without shortcuts")
	}
}

// A frame from a short address that nobody knows is not acknowledged, so that its sender takes another way. Stock acknowledges it.
func TestStrangersShortcut(t *testing.T) {
	for _, shortcuts := range []bool{true, false} {
		n := newNode(t, timing)
		n.Shortcuts = shortcuts
		n.hear(letterFrom(onBeside, besideExt).secure(0, 1))
		if _, answered := n.PollTransmit(); answered == shortcuts || shortcuts != (n.Counters.AcksWithheld == 1) {
			t.Errorf("shortcuts %v: acknowledged: %v, %d withheld", shortcuts, answered, n.Counters.AcksWithheld)
		}
	}
}

// A frame to a node beside this one asks for an acknowledgement, and is sent once to one that has never given one, a few times to others.
func TestToBeside(t *testing.T) {
	for _, proven := range []bool{false, true} {
		n, peer := newBeside(t)
		want := 1
		if proven {
			peer.LastAcked, want = epoch, 1+besideRetries
		}
		n.send(frame(onBeside))
		tries := 0
		for range 100 {
			next, ok := n.NextTimeout()
			if !ok {
				break
			}
			n.core.Advance(next)
			n.HandleTimeout()
			if psdu, ok := n.PollTransmit(); ok {
				tries++
				if psdu[0]&ackRequestBit == 0 {
					t.Fatal("no acknowledgement asked for")
				}
				n.core.Advance(n.core.Now.Add(time.Millisecond))
				n.HandleTransmitDone(nil)
			}
		}
		sent, ok := n.PollSent()
		if !ok || sent.Result != NoAck || sent.Neighbor != peer || tries != want {
			t.Errorf("proven %v: %d tries, %+v", proven, tries, sent)
		}
	}
}

// What passes from one short address to another tells how well its sender is heard.
func TestPassing(t *testing.T) {
	n, _ := newBeside(t)
	var heard []ieee802154.ShortAddr
	n.Passing = func(src, _ ieee802154.ShortAddr, rssi int) {
		if rssi != -77 {
			t.Errorf("heard with %d dBm", rssi)
		}
		heard = append(heard, src)
	}
	for _, l := range []letter{
		letterFrom(onBeside, besideExt).with(func(f *ieee802154.Frame) { f.Dst = ieee802154.ShortAddress(0x9999) }).secure(0, 1),
		letterFrom(ieee802154.ExtAddress(besideExt), besideExt).with(func(f *ieee802154.Frame) { f.Dst = ieee802154.ShortAddress(0x9999) }).secure(0, 2),
		letterFrom(onBeside, besideExt).with(func(f *ieee802154.Frame) { f.Dst = ieee802154.ExtAddress(stranger) }).secure(0, 3),
	} {
		n.Ignore(n.core.Now, n.encode(l), -77)
	}
	if len(heard) != 1 || heard[0] != ieee802154.ShortAddr(beside) {
		t.Errorf("heard %v", heard)
	}
}
