package mac

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// newRepeater is a node next to a board, which has a child and nobody else in reach.
func newRepeater(t *testing.T) *node {
	n := newNode(t, timing)
	n.Repeats = true
	n.far.Foreign = true
	return n
}

var nowhere = neighbors.ShortAddr(mle.RLOC16(0x9c00))

// passes has the node hear a frame of the board for another one.
func (n *node) passes(dst ieee802154.Addr, counter uint32) []byte {
	n.t.Helper()
	f := letterFrom(fromFar, farExt).secure(0, counter).with(func(f *ieee802154.Frame) { f.Dst, f.Seq = dst, uint8(counter) })
	psdu := n.encode(f)
	n.overhears(psdu)
	return psdu
}

func (n *node) overhears(psdu []byte) {
	n.t.Helper()
	if !n.Ignore(n.core.Now, psdu, -70) {
		n.t.Fatal("not for another node")
	}
}

// repeated lets a time pass, and returns what is sent in it.
func (n *node) repeated(d time.Duration) (sent [][]byte) {
	end := n.core.Now.Add(d)
	for {
		if psdu, ok := n.PollTransmit(); ok {
			sent = append(sent, bytes.Clone(psdu))
			n.HandleTransmitDone(nil)
			continue
		}
		next, ok := n.NextTimeout()
		if !ok || next.After(end) {
			n.core.Advance(end)
			return sent
		}
		n.core.Advance(next)
		n.HandleTimeout()
	}
}

// A frame of a board that nobody acknowledges is sent once more, as it was, while the board waits. One that is acknowledged is not, nor one that
// somebody else has repeated.
func TestRepeat(t *testing.T) {
	n := newRepeater(t)
	psdu := n.passes(fromChild, 7)
	if sent := n.repeated(time.Second); len(sent) != 1 || !bytes.Equal(sent[0], psdu) || n.Counters.TxRepeated != 1 {
		t.Fatalf("sent %x, want %x once", sent, psdu)
	}
	n.passes(fromChild, 8)
	n.ack(8, -70)
	if sent := n.repeated(time.Second); len(sent) > 0 {
		t.Errorf("acknowledged, and sent %x", sent)
	}
	n.overhears(n.passes(fromChild, 9))
	if sent := n.repeated(time.Second); len(sent) > 0 {
		t.Errorf("repeated by another, and sent %x", sent)
	}
}

// The acknowledgement of who is out of reach is not heard: the board itself tells by its next try that there was none. Each of them is repeated.
func TestRepeatOutOfReach(t *testing.T) {
	n := newRepeater(t)
	psdu := n.passes(nowhere, 7)
	if sent := n.repeated(boardPatience); len(sent) > 0 {
		t.Fatalf("sent %x before the board has tried again", sent)
	}
	for range 2 {
		n.overhears(psdu)
		if sent := n.repeated(boardPatience); len(sent) != 1 {
			t.Fatalf("sent %x after the next try", sent)
		}
	}
}

// What is forged, recorded, not secured, or from somebody who waits no longer than this node is not repeated, nor anything if that is not wanted.
func TestNotRepeated(t *testing.T) {
	none := func(what string, n *node) {
		t.Helper()
		if sent := n.repeated(time.Second); len(sent) > 0 {
			t.Errorf("%s: sent %x", what, sent)
		}
	}
	n := newRepeater(t)
	old := n.encode(letterFrom(fromFar, farExt).secure(0, 6).with(func(f *ieee802154.Frame) { f.Dst = fromChild }))
	forged := bytes.Clone(old)
	forged[len(forged)-5] ^= 1
	n.overhears(forged)
	none("forged", n)
	n.overhears(n.encode(letterFrom(fromFar, farExt).with(func(f *ieee802154.Frame) { f.Dst = fromChild })))
	none("not secured", n)
	n.overhears(n.encode(letterFrom(fromFar, stranger).secure(0, 6).with(func(f *ieee802154.Frame) { f.Dst = fromChild })))
	none("another's", n)
	n.passes(fromChild, 7)
	n.repeated(time.Second)
	n.overhears(old)
	none("a recording", n)
	n.far.Foreign = false
	n.passes(fromChild, 8)
	none("from a node like this one", n)
	n.far.Foreign, n.Repeats = true, false
	n.passes(fromChild, 9)
	none("not wanted", n)
}

// Frames are repeated at a rate that leaves the channel to others, and none any more after a stop.
func TestRepeatRate(t *testing.T) {
	n := newRepeater(t)
	const during = 10 * time.Second
	step := 50 * time.Millisecond
	sent := 0
	for i := range during / step {
		n.passes(fromChild, 10+uint32(i))
		sent += len(n.repeated(step))
	}
	most := int(during/(repeatsEvery*timing.FrameTime)) + repeatsBurst
	if sent == 0 || sent > most {
		t.Errorf("%d frames repeated, %d may be", sent, most)
	}
	n.repeated(time.Minute)
	n.passes(fromChild, 1000)
	n.Stop()
	if sent := n.repeated(time.Second); len(sent) > 0 {
		t.Errorf("stopped, and sent %x", sent)
	}
}

// A repetition does not fall into the wait for an acknowledgement of one's own, and a radio that is not done with it does not hold up others.
func TestRepeatBeside(t *testing.T) {
	n := newRepeater(t)
	n.send(frame(fromChild))
	own := n.try()
	n.passes(fromChild, 7)
	n.HandleTransmitDone(nil)
	n.core.Advance(n.core.Now.Add(timing.AckWait - time.Millisecond))
	n.HandleTimeout()
	if psdu, ok := n.PollTransmit(); ok {
		t.Fatalf("%x is sent while an acknowledgement is awaited", psdu)
	}
	n.ack(own[seqOffset], -70)
	n.wasAcked()
	next, _ := n.NextTimeout()
	n.core.Advance(next)
	n.HandleTimeout()
	psdu, ok := n.PollTransmit()
	if !ok || psdu[seqOffset] != 7 {
		t.Fatalf("%x, %v is sent", psdu, ok)
	}
	for !n.Stuck() {
		next, _ := n.NextTimeout()
		n.core.Advance(next)
		n.HandleTimeout()
	}
	n.send(frame(fromChild))
	n.try()
}

// wasAcked is result where something is to be repeated meanwhile.
func (n *node) wasAcked() {
	n.t.Helper()
	if s, ok := n.PollSent(); !ok || s.Result != Acked {
		n.t.Fatalf("report: %v, %v", s, ok)
	}
}
