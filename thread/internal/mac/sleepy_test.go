package mac

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

const dataWait = 100 * time.Millisecond

// newParent is a node that has something for its child, if *holds.
func newParent(t *testing.T) (n *node, holds *bool) {
	n, holds = newNode(t, timing), new(bool)
	n.MAC.pending = func(a ieee802154.Addr) bool { return *holds && n.table.ByAddr(a) == n.child }
	return n, holds
}

// pollFrom is a data request to this node.
func pollFrom(src ieee802154.Addr, ext ieee802154.ExtAddr) letter {
	return letterFrom(src, ext).with(func(f *ieee802154.Frame) {
		f.Type, f.Command, f.Payload = ieee802154.Command, ieee802154.DataRequest, nil
	})
}

// promises returns the acknowledgement that is sent, none, "idle" or "pending".
func (n *node) promises() string {
	n.t.Helper()
	psdu, ok := n.PollTransmit()
	if !ok {
		return "none"
	}
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Type != ieee802154.Ack || f.Seq != 77 {
		n.t.Fatalf("%x is no acknowledgement", psdu)
	}
	n.HandleTransmitDone(nil)
	if f.FramePending {
		return "pending"
	}
	return "idle"
}

// The acknowledgement of a data request says whether there is something for the child, by either of its addresses (IEEE 802.15.4-2006
// §7.5.6.3, §7.2.1.1.3); that of another frame does not.
func TestPoll(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  ieee802154.Addr
	}{{"short", fromChild}, {"extended", ieee802154.ExtAddress(childExt)}} {
		t.Run(tt.name, func(t *testing.T) {
			n, holds := newParent(t)
			for i, want := range []string{"idle", "pending", "idle"} {
				*holds = want == "pending"
				r, ok := n.hear(pollFrom(tt.src, childExt).secure(0, uint32(10+i)))
				if !ok || !r.Poll || !r.Secured || r.Src != tt.src {
					t.Fatalf("%+v, %v", r, ok)
				}
				if got := n.promises(); got != want {
					t.Errorf("the acknowledgement says %s, want %s", got, want)
				}
			}
			*holds = true
			if r, ok := n.hear(letterFrom(tt.src, childExt).secure(0, 20)); !ok || r.Poll || n.promises() != "idle" {
				t.Error("a data frame")
			}
			if n.Counters.RxCommands != 3 || total(n.Counters) != 4 {
				t.Errorf("%+v", n.Counters)
			}
		})
	}
}

// Only an authentic data request counts. One that is not secured, or badly, or by a stranger, gets nothing from a short address, and from an
// extended one an acknowledgement that promises nothing; a repetition gets its acknowledgement, and nothing else.
func TestForgedPolls(t *testing.T) {
	secured := pollFrom(fromChild, childExt).secure(0, 10)
	for _, tt := range []struct {
		name   string
		letter letter
		want   string
	}{
		{"not secured", pollFrom(fromChild, childExt), "none"},
		{"not secured, extended address", pollFrom(ieee802154.ExtAddress(childExt), childExt), "idle"},
		{"of a stranger", pollFrom(ieee802154.ExtAddress(stranger), stranger).secure(0, 10), "idle"},
		{"of nobody's short address", pollFrom(neighbors.ShortAddr(child+1), stranger).secure(0, 10), "none"},
		{"under another's address", pollFrom(fromChild, stranger).secure(0, 10), "none"},
		{"old", pollFrom(fromChild, childExt).secure(0, 4), "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, holds := newParent(t)
			n.hear(pollFrom(fromChild, childExt).secure(0, 5))
			n.promises()
			*holds = true
			if r, ok := n.hear(tt.letter); ok {
				t.Errorf("%+v", r)
			}
			if got := n.promises(); got != tt.want {
				t.Errorf("the acknowledgement says %s, want %s", got, tt.want)
			}
		})
	}

	n, holds := newParent(t)
	*holds = true
	if _, ok := n.hear(secured); !ok || n.promises() != "pending" {
		t.Error("the first")
	}
	acks := 0
	for range 100 {
		if _, ok := n.hear(secured); ok {
			t.Error("a repetition counts")
		}
		if n.promises() != "none" {
			acks++
		}
	}
	if acks != timing.MaxFrameRetries {
		t.Errorf("%d acknowledgements", acks)
	}
}

// A child that is known from before a restart is let in by its poll alone: nothing else that it sends counts, and its poll only for what waits.
func TestPollOfRestored(t *testing.T) {
	n, holds := newParent(t)
	*holds = true
	n.table.Change(n.child, neighbors.Restored)
	r, ok := n.hear(pollFrom(fromChild, childExt).secure(0, 10))
	if !ok || !r.Poll || r.Secured || n.promises() != "pending" {
		t.Errorf("%+v, %v", r, ok)
	}
	if _, ok := n.hear(letterFrom(fromChild, childExt).secure(0, 11)); ok {
		t.Error("a data frame counts")
	}
}

// A frame that was polled for is tried once; again, at the next poll, it is the same.
func TestSendIndirect(t *testing.T) {
	n := newNode(t, timing)
	first, err := n.SendIndirect(frame(fromChild), nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(first)
	if !bytes.Equal(n.try(), kept) || n.Idle() {
		t.Error("another frame is sent")
	}
	n.HandleTransmitDone(nil)
	n.sleep()
	if n.result() != NoAck {
		t.Error("a retry")
	}
	n.transmit(frame(fromFar)) // something between
	again, err := n.SendIndirect(ieee802154.Frame{Dst: fromChild}, kept)
	if err != nil || !bytes.Equal(again, kept) || !bytes.Equal(n.try(), kept) {
		t.Errorf("%x again, was %x, %v", again, kept, err)
	}
	n.HandleTransmitDone(nil)
	n.ack(kept[2], -60)
	if n.result() != Acked || n.child.LastAcked != n.core.Now {
		t.Error("not acknowledged")
	}
}

// newSleeper is the MAC of a child of the router far.
func newSleeper(t *testing.T) *node {
	s := timing
	s.DataWait = dataWait
	n := newNode(t, s)
	n.SetAddress(pan, child)
	n.table.View = neighbors.AsEndDevice
	n.table.SetParent(neighbors.Neighbor{Ext: farExt, RLOC16: far}, 1, neighbors.Valid)
	n.Sleepy = true
	return n
}

// fromParent is a letter of the parent to its child.
func fromParent(counter uint32, more bool) letter {
	return letterFrom(fromFar, farExt).secure(0, counter).with(func(f *ieee802154.Frame) {
		f.Dst, f.FramePending = neighbors.ShortAddr(child), more
	})
}

// poll sends a data request, whose acknowledgement promises something or not.
func (n *node) poll(pending bool) {
	n.t.Helper()
	if n.Listening() {
		n.t.Error("it listens before it polls")
	}
	if err := n.SendPoll(neighbors.ShortAddr(child), fromFar); err != nil {
		n.t.Fatal(err)
	}
	f, err := ieee802154.ParseFrame(n.try())
	if err != nil || f.Type != ieee802154.Command || f.Command != ieee802154.DataRequest || !f.AckRequest ||
		f.Security.Level != ieee802154.SecurityENCMIC32 || f.Src != neighbors.ShortAddr(child) || f.Dst != fromFar {
		n.t.Fatalf("%+v, %v", f, err)
	}
	if !n.Listening() {
		n.t.Error("it does not listen for the acknowledgement")
	}
	n.HandleTransmitDone(nil)
	n.HandleFrame(ieee802154.AppendAck(nil, f.Seq, pending), -60)
	if sent, ok := n.PollSent(); !ok || !sent.Poll || sent.Result != Acked {
		n.t.Fatalf("%+v, %v", sent, ok)
	}
}

func (n *node) fetches(want Fetched, wantOK bool) {
	n.t.Helper()
	if got, ok := n.PollFetched(); ok != wantOK || ok && got != want {
		n.t.Errorf("fetched %+v, %v, want %+v, %v", got, ok, want, wantOK)
	}
}

// A node that sleeps listens until its poll is acknowledged, and then only if a frame is promised: until that has come, and was acknowledged,
// or for DataWait.
func TestSleepy(t *testing.T) {
	n := newSleeper(t)
	n.poll(false)
	if n.Listening() || !n.Idle() {
		t.Error("it listens for nothing")
	}
	n.fetches(Fetched{}, false)

	for i, more := range []bool{true, false} {
		n.poll(true)
		if !n.Listening() || n.Idle() {
			t.Error("it does not listen for what is promised")
		}
		if _, ok := n.hear(fromParent(uint32(10+i), more)); !ok {
			t.Error("the frame is lost")
		}
		n.fetches(Fetched{More: more}, true)
		n.fetches(Fetched{}, false)
		if !n.Listening() {
			t.Error("it does not acknowledge")
		}
		if n.promises() != "idle" || n.Listening() || !n.Idle() {
			t.Error("it listens on")
		}
	}

	n.poll(true)
	if d := n.sleep(); d != dataWait || n.Listening() || !n.Idle() {
		t.Errorf("it waits for %v", d)
	}
	n.fetches(Fetched{Missed: true}, true)
	if n.Counters.TxPolls != 4 || n.Counters.PollsMissed != 1 {
		t.Errorf("%+v", n.Counters)
	}
}

// A repetition of a frame that has been heard, whose acknowledgement was lost, is the promised frame as well. An empty frame is one too.
func TestSleepyHearsAgain(t *testing.T) {
	n := newSleeper(t)
	n.poll(true)
	n.hear(fromParent(10, false))
	n.promises()
	n.fetches(Fetched{}, true)
	n.poll(true)
	if _, ok := n.hear(fromParent(10, true)); ok {
		t.Error("twice")
	}
	n.fetches(Fetched{More: true}, true)
	if n.promises() != "idle" || n.Listening() {
		t.Error("not acknowledged")
	}
	n.poll(true)
	if _, ok := n.hear(fromParent(11, false).with(func(f *ieee802154.Frame) { f.Payload = nil })); ok {
		t.Error("there is nothing in it")
	}
	n.fetches(Fetched{}, true)
	if n.table.Parent.LastFrame != n.core.Now {
		t.Error("and yet it tells that the parent is there")
	}
}

// A node that sleeps takes no broadcasts: its parent sends them again, to it alone.
func TestSleepyBroadcast(t *testing.T) {
	n := newSleeper(t)
	all := fromParent(10, false).with(func(f *ieee802154.Frame) { f.Dst, f.AckRequest = broadcast, false })
	if _, ok := n.hear(all); ok || n.Counters.RxOtherDestination != 1 {
		t.Errorf("%+v", n.Counters)
	}
	n.Sleepy = false
	if _, ok := n.hear(all); !ok {
		t.Error("awake it does not either")
	}
}

// A MAC that sleeps listens neither while it waits for a free channel nor when it is off.
func TestSleepyBackoff(t *testing.T) {
	n := newSleeper(t)
	n.send(frame(fromFar))
	if n.Listening() {
		t.Error("it listens during the backoff")
	}
	n.sleep()
	if !n.Listening() {
		t.Error("it does not listen when it sends")
	}
	n.Stop()
	n.On = false
	if n.Listening() {
		t.Error("it listens when it is off")
	}
	n.Sleepy = false
	if !n.Listening() {
		t.Error("a MAC that does not sleep does not listen")
	}
}
