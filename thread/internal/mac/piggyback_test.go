package mac

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// newPiggy is a node between a child and a router, both with this engine.
func newPiggy(t *testing.T) *node {
	n := newNode(t, timing)
	n.Piggyback = true
	n.child.Mode = mle.ModeRxOnWhenIdle
	return n
}

// receives has the node receive a frame from the router, which asks for an acknowledgement.
func (n *node) receives(counter uint32) []byte {
	n.t.Helper()
	psdu := n.encode(letterFrom(fromFar, farExt).secure(0, counter).with(func(f *ieee802154.Frame) { f.Seq = uint8(counter) }))
	if _, up := n.HandleFrame(psdu, -70); !up {
		n.t.Fatal("not received")
	}
	return psdu
}

// A frame that follows at once, to whomever, is the acknowledgement: it leaves without a backoff, and none is sent besides.
func TestPiggyback(t *testing.T) {
	for name, dst := range map[string]ieee802154.Addr{"passed on": fromChild, "answered": fromFar} {
		n := newPiggy(t)
		n.receives(255)
		n.send(secure(frame(dst)))
		psdu, ok := n.PollTransmit()
		if !ok || len(psdu) <= ieee802154.AckSize || psdu[seqOffset] != 0 || !n.Answering() {
			t.Fatalf("%s: %x, %v is sent, an answer: %v", name, psdu, ok, n.Answering())
		}
		n.HandleTransmitDone(nil)
		if n.Answering() {
			t.Errorf("%s: the radio has nothing", name)
		}
		if psdu, ok := n.PollTransmit(); ok {
			t.Errorf("%s: %x follows", name, psdu)
		}
		if n.Counters.TxPiggybacked != 1 || n.Counters.TxAcks != 0 {
			t.Errorf("%s: %+v", name, n.Counters)
		}
		n.ack(0, -70)
		if n.result() != Acked {
			t.Errorf("%s: not acknowledged itself", name)
		}
		next := n.transmit(frame(fromChild))[seqOffset]
		if again := n.transmit(frame(fromChild))[seqOffset]; again != next+1 {
			t.Errorf("%s: number %d after %d", name, again, next)
		}
	}
}

// Where an acknowledgement is due and a frame would not do, or cannot be heard by who waits, it is sent first.
func TestNotPiggybacked(t *testing.T) {
	for name, change := range map[string]func(*node, *ieee802154.Frame){
		"not wanted":           func(n *node, _ *ieee802154.Frame) { n.Piggyback = false },
		"a board":              func(n *node, _ *ieee802154.Frame) { n.far.Foreign = true },
		"a longer frame":       func(_ *node, f *ieee802154.Frame) { f.Payload = make([]byte, 60) },
		"a frame of another":   func(_ *node, f *ieee802154.Frame) { f.Src = ieee802154.ExtAddress(own) },
		"a frame for all":      func(_ *node, f *ieee802154.Frame) { f.Security = ieee802154.SecurityHeader{} },
		"to an extended one":   func(_ *node, f *ieee802154.Frame) { f.Dst = ieee802154.ExtAddress(childExt) },
		"another frame before": func(n *node, _ *ieee802154.Frame) { n.receives(8) },
	} {
		n := newPiggy(t)
		f := secure(frame(fromChild))
		if name != "another frame before" {
			change(n, &f)
			n.receives(7)
		} else {
			n.receives(7)
			change(n, &f)
		}
		n.send(f)
		if psdu, ok := n.PollTransmit(); !ok || len(psdu) != ieee802154.AckSize || psdu[seqOffset] != 7 || n.Counters.TxPiggybacked != 0 {
			t.Errorf("%s: %x, %v is sent", name, psdu, ok)
		}
	}
}

// What the radio does not send acknowledges nothing: the acknowledgement follows, and then the frame in its turn. A duplicate gets one in any case.
func TestPiggybackUnsent(t *testing.T) {
	for _, err := range []error{errors.New("busy"), ErrRefused} {
		n := newPiggy(t)
		psdu := n.receives(7)
		n.send(secure(frame(fromChild)))
		n.PollTransmit()
		n.HandleTransmitDone(err)
		if ack, ok := n.PollTransmit(); !ok || !bytes.Equal(ack, ieee802154.AppendAck(nil, 7, false)) || !n.Answering() {
			t.Fatalf("after %v %x, %v is sent", err, ack, ok)
		}
		n.HandleTransmitDone(nil)
		if ack, ok := n.PollTransmit(); ok {
			t.Fatalf("after %v %x follows", err, ack)
		}
		n.HandleFrame(psdu, -70)
		if ack, ok := n.PollTransmit(); !ok || !bytes.Equal(ack, ieee802154.AppendAck(nil, 7, false)) {
			t.Errorf("the duplicate gets %x, %v", ack, ok)
		}
	}
}

// A child that sleeps hears nothing but what it waits for.
func TestPiggybackSleeper(t *testing.T) {
	for _, mode := range []mle.Mode{0, mle.ModeRxOnWhenIdle} {
		n := newPiggy(t)
		n.child.Mode = mode
		n.HandleFrame(n.encode(letterFrom(fromChild, childExt).secure(0, 7)), -70)
		n.send(secure(frame(fromFar)))
		if psdu, _ := n.PollTransmit(); (len(psdu) == ieee802154.AckSize) != (mode == 0) {
			t.Errorf("mode %v: %x is sent", mode, psdu)
		}
	}
}

// secure secures a frame as the layer above does.
func secure(f ieee802154.Frame) ieee802154.Frame {
	f.Security.KeyIDMode = ieee802154.KeyIDModeIndex
	return f
}

// waits has the node wait for an acknowledgement of the router, and returns the number of a frame that is one.
func (n *node) waits() uint8 {
	n.t.Helper()
	n.send(frame(fromFar))
	seq := n.try()[seqOffset]
	n.HandleTransmitDone(nil)
	return seq + 1
}

// What the next hop sends after a frame, to whomever, acknowledges it. If it is for this node it goes up as well, and is acknowledged in its turn.
func TestCarried(t *testing.T) {
	n := newPiggy(t)
	n.far.AckTime = 1
	seq := n.waits()
	f := letterFrom(fromFar, farExt).secure(0, 7).with(func(f *ieee802154.Frame) { f.Dst, f.Seq = fromChild, seq })
	if psdu := n.encode(f); n.Ignore(n.core.Now, psdu, -70) {
		t.Fatal("ignored")
	} else if _, up := n.HandleFrame(psdu, -70); up {
		t.Fatal("goes up")
	}
	if n.result() != Acked || n.Counters.RxPiggybacked != 1 || n.Counters.RxOtherDestination != 1 || n.far.AckTime != 1 {
		t.Errorf("%+v", n.Counters)
	}

	n.core.Advance(n.core.Now.Add(timing.AckRoom))
	seq = n.waits()
	n.sleep() // the wait is over, and it is to be sent again
	n.HandleFrame(n.encode(letterFrom(fromFar, farExt).secure(0, 8).with(func(f *ieee802154.Frame) { f.Seq = seq })), -70)
	if s, ok := n.PollSent(); !ok || s.Result != Acked {
		t.Errorf("%+v, %v", s, ok)
	}
	if ack, ok := n.PollTransmit(); !ok || !bytes.Equal(ack, ieee802154.AppendAck(nil, seq, false)) {
		t.Errorf("the answer gets %x, %v", ack, ok)
	}
}

// What is forged, or recorded, or not from the next hop, or not secured, or has another number, acknowledges nothing.
func TestNotCarried(t *testing.T) {
	secured := func(f letter, seq uint8) letter {
		return f.secure(0, 7).with(func(f *ieee802154.Frame) { f.Dst, f.Seq = nowhere, seq })
	}
	for name, packet := range map[string]func(n *node, seq uint8) []byte{
		"forged": func(n *node, seq uint8) []byte { return n.encode(secured(letterFrom(fromFar, stranger), seq)) },
		"a recording": func(n *node, seq uint8) []byte {
			n.far.MAC.Accept(0, 7)
			return n.encode(secured(letterFrom(fromFar, farExt), seq))
		},
		"of the child": func(n *node, seq uint8) []byte { return n.encode(secured(letterFrom(fromChild, childExt), seq)) },
		"not secured": func(n *node, seq uint8) []byte {
			return n.encode(letterFrom(fromFar, farExt).with(func(f *ieee802154.Frame) { f.Dst, f.Seq = nowhere, seq }))
		},
		"the same number": func(n *node, seq uint8) []byte { return n.encode(secured(letterFrom(fromFar, farExt), seq-1)) },
		"not wanted": func(n *node, seq uint8) []byte {
			n.Piggyback = false
			return n.encode(secured(letterFrom(fromFar, farExt), seq))
		},
		"from no neighbor": func(n *node, seq uint8) []byte {
			n.table.Change(n.far, neighbors.Invalid)
			return n.encode(secured(letterFrom(fromFar, farExt), seq))
		},
	} {
		n := newPiggy(t)
		psdu := packet(n, n.waits())
		if !n.Ignore(n.core.Now, psdu, -70) {
			n.HandleFrame(psdu, -70)
		}
		if s, over := n.PollSent(); over || n.Counters.RxPiggybacked != 0 || n.Counters.RxOtherDestination != 1 {
			t.Errorf("%s: %+v, %+v", name, s, n.Counters)
		}
	}
	n := newPiggy(t)
	n.waits()
	if n.Stop(); n.piggyback != (piggyback{}) {
		t.Errorf("%+v after a stop", n.piggyback)
	}
}
