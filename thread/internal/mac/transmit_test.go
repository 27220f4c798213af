package mac

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

var errChannel = errors.New("channel busy")

// toChild is the address to which the tests send.
var toChild = neighbors.ShortAddr(child)

// IEEE 802.15.4-2006 §7.5.1.4: a random number of backoff units in [0, 2^BE), BE from macMinBE up to macMaxBE with each busy channel. It
// grows with retries too.
func TestBackoff(t *testing.T) {
	n := newNode(t, timing)
	seen := map[int]map[time.Duration]bool{} // by exponent
	backoff := func(exponent int) {
		t.Helper()
		at := n.core.Now
		n.try()
		delay := n.core.Now.Sub(at)
		if delay%timing.BackoffUnit != 0 || delay/timing.BackoffUnit >= 1<<exponent {
			t.Fatalf("exponent %d: backoff of %v", exponent, delay)
		}
		if seen[exponent] == nil {
			seen[exponent] = map[time.Duration]bool{}
		}
		seen[exponent][delay] = true
	}
	unanswered := func() {
		t.Helper()
		n.HandleTransmitDone(nil)
		n.sleep()
	}
	for range 300 {
		n.send(frame(toChild))
		backoff(3)
		n.HandleTransmitDone(errChannel)
		backoff(4)
		n.HandleTransmitDone(errChannel)
		backoff(5)
		n.HandleTransmitDone(errChannel)
		backoff(5)
		unanswered()
		backoff(4) // a retry counts anew, without the backoffs
		n.HandleTransmitDone(errChannel)
		backoff(5)
		unanswered()
		backoff(5)
		n.HandleTransmitDone(ErrRefused)
	}
	for exponent, delays := range seen {
		if len(delays) != 1<<exponent {
			t.Errorf("exponent %d: %d of %d delays in many tries", exponent, len(delays), 1<<exponent)
		}
	}
}

// Each backoff takes one random number for its units, and one for the jitter if it belongs to a retry. A simulated mesh stays the
// same, bit for bit, only with these.
func TestRandomNumbers(t *testing.T) {
	jittery := timing
	jittery.RetryJitter = 500 * time.Millisecond
	n, twin := newNode(t, jittery), newNode(t, jittery).core // the twin's first number is its MAC's sequence number
	n.send(frame(toChild))
	for retries := range timing.MaxFrameRetries + 1 {
		for backoffs := range timing.MaxCSMABackoffs + 1 {
			exponent := min(3+backoffs+retries, 5)
			want := time.Duration(twin.Rand.IntN(1<<exponent)) * jittery.BackoffUnit
			want += twin.RandomUpTo(time.Duration(retries) * jittery.RetryJitter)
			if got := n.sleep(); got != want {
				t.Fatalf("%d retries, %d backoffs: %v, want %v", retries, backoffs, got, want)
			}
			n.PollTransmit()
			n.HandleTransmitDone(errChannel)
		}
	}
	if n.result() != Busy || n.core.Rand.Uint64() != twin.Rand.Uint64() {
		t.Error("other random numbers are drawn")
	}
}

// A frame is tried 1 + MaxCSMABackoffs times on a busy channel (§7.5.1.4), and that 1 + MaxFrameRetries times (§7.5.6.4).
func TestChannelBusy(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(toChild))
	first := slices.Clone(n.try())
	const tries = 5 * 4
	for i := range tries - 1 {
		n.HandleTransmitDone(errChannel)
		if !bytes.Equal(n.try(), first) {
			t.Fatalf("another frame after %d tries", i+1)
		}
	}
	n.HandleTransmitDone(errChannel)
	if got := n.result(); got != Busy {
		t.Errorf("result %d", got)
	}
	want := Counters{TxFrames: 1, TxDeferred: tries, TxRetries: 3, TxChannelBusy: 1, TxUnicast: 1, TxAckRequested: 1}
	if n.Counters != want {
		t.Errorf("%+v", n.Counters)
	}
	if n.child.Failures != 0 {
		t.Error("a busy channel counts as the neighbor's failure")
	}
}

// §7.5.6.4.3: without an acknowledgement in time the same frame is sent again, the same bytes under the same counter, MaxFrameRetries
// times. The wait begins when the frame has left.
func TestAckWait(t *testing.T) {
	for _, airtime := range []time.Duration{time.Millisecond, timing.AckWait, time.Second} {
		t.Run(airtime.String(), func(t *testing.T) {
			n := newNode(t, timing)
			n.send(frame(toChild))
			first := slices.Clone(n.try())
			for i := range 4 {
				if i > 0 && !bytes.Equal(n.try(), first) {
					t.Fatalf("retry %d has other bytes", i)
				}
				n.core.Advance(n.core.Now.Add(airtime))
				n.HandleTransmitDone(nil)
				if got := n.sleep(); got != timing.AckWait {
					t.Errorf("waits for %v, want %v", got, timing.AckWait)
				}
			}
			if got := n.result(); got != NoAck {
				t.Errorf("result %d", got)
			}
			if want := (Counters{TxFrames: 1, TxRetries: 3, TxNoAck: 1, TxUnicast: 1, TxAckRequested: 1}); n.Counters != want {
				t.Errorf("%+v", n.Counters)
			}
		})
	}
}

// After a frame for another node that asks for an acknowledgement nothing is begun for AckRoom; after one that does not, nothing changes.
func TestAckRoom(t *testing.T) {
	other := letterFrom(fromFar, farExt).with(func(f *ieee802154.Frame) { f.Dst = ieee802154.ExtAddress(stranger) })
	for _, asks := range []bool{true, false} {
		t.Run(fmt.Sprint("asks: ", asks), func(t *testing.T) {
			n := newNode(t, timing)
			n.send(frame(toChild))
			next, _ := n.NextTimeout()
			n.core.Advance(next)
			n.hear(other.with(func(f *ieee802154.Frame) { f.AckRequest = asks }))
			heard := n.core.Now
			n.HandleTimeout()
			if _, ok := n.PollTransmit(); ok == asks {
				t.Fatalf("sent at once: %v", ok)
			}
			if !asks {
				return
			}
			most := timing.AckRoom + timing.BackoffUnit<<timing.MinBE
			if n.try(); n.core.Now.Sub(heard) < timing.AckRoom || n.core.Now.Sub(heard) > most {
				t.Errorf("sent after %v", n.core.Now.Sub(heard))
			}
		})
	}
}

// Boards send what they have next as soon as an acknowledgement is over, whoever it came from. Where they are nothing is begun for AckRoom then.
func TestRoomAfterAck(t *testing.T) {
	acks := map[string]func(n *node){
		"overheard": func(n *node) { n.ack(99, -70) },
		"received":  func(n *node) { n.transmit(frame(toChild)) },
		"sent": func(n *node) {
			n.hear(letterFrom(fromChild, childExt).secure(0, 7).with(func(f *ieee802154.Frame) { f.AckRequest = true }))
			if psdu, ok := n.PollTransmit(); !ok || !isPlainAck(psdu) {
				n.t.Fatalf("sent %x", psdu)
			}
			n.HandleTransmitDone(nil)
		},
	}
	for name, ack := range acks {
		for _, boards := range []bool{true, false} {
			n := newNode(t, timing)
			n.Boards = boards
			ack(n)
			if n.room.After(n.core.Now) != boards {
				t.Errorf("%s, boards %v: room until %v", name, boards, n.room.Sub(n.core.Now))
			}
			over := n.core.Now
			n.send(frame(toChild))
			if took := n.begins().Sub(over); boards && took < timing.AckRoom {
				t.Errorf("%s: sent after %v", name, took)
			}
		}
	}
}

// begins lets time pass until something is sent.
func (n *node) begins() time.Time {
	n.t.Helper()
	for {
		if _, ok := n.PollTransmit(); ok {
			return n.core.Now
		}
		n.sleep()
	}
}

// A frame that is ready while an acknowledgement is on its way waits as well.
func TestRoomAfterAckOfReady(t *testing.T) {
	n := newNode(t, timing)
	n.Boards = true
	n.hear(letterFrom(fromChild, childExt).secure(0, 7).with(func(f *ieee802154.Frame) { f.AckRequest = true }))
	n.PollTransmit()
	n.send(frame(toChild))
	n.sleep()
	n.HandleTransmitDone(nil)
	over := n.core.Now
	if took := n.begins().Sub(over); took < timing.AckRoom {
		t.Errorf("sent after %v", took)
	}
}

// §7.5.6.4.2: an acknowledgement is known by its sequence number, whatever else is in it. It may overtake the radio's "done".
func TestAck(t *testing.T) {
	const early, late = "before done", "after done"
	for _, tt := range []struct {
		name  string
		when  string
		psdu  func(seq uint8) []byte
		acked bool
	}{
		{"after", late, func(seq uint8) []byte { return ieee802154.AppendAck(nil, seq, false) }, true},
		{"overtaking", early, func(seq uint8) []byte { return ieee802154.AppendAck(nil, seq, false) }, true},
		{"frame pending", late, func(seq uint8) []byte { return ieee802154.AppendAck(nil, seq, true) }, true},
		{"of version 2006", late, func(seq uint8) []byte { return []byte{0x02, 0x10, seq, 0, 0} }, true},
		{"bad FCS", early, func(seq uint8) []byte { return []byte{0x02, 0x00, seq, 0xde, 0xad} }, true},
		{"of another frame", late, func(seq uint8) []byte { return ieee802154.AppendAck(nil, seq+1, false) }, false},
		{"of another frame, overtaking", early, func(seq uint8) []byte { return ieee802154.AppendAck(nil, seq-1, false) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			n.child.Failures = 2
			n.send(frame(toChild))
			psdu := n.try()
			if tt.when == early {
				n.HandleFrame(tt.psdu(psdu[2]), -60)
				n.HandleTransmitDone(nil)
			} else {
				n.HandleTransmitDone(nil)
				n.HandleFrame(tt.psdu(psdu[2]), -60)
			}
			if n.Idle() != tt.acked || n.Counters.RxAcks != 1 {
				t.Fatalf("idle: %v, %+v", n.Idle(), n.Counters)
			}
			if !tt.acked {
				return
			}
			s, ok := n.PollSent()
			if !ok || s.Result != Acked || s.Dst != toChild || s.Neighbor != n.child {
				t.Errorf("%v, %+v", ok, s)
			}
			if n.Counters.TxAcked != 1 || n.Counters.TxUnicast != 1 || n.child.Failures != 0 {
				t.Errorf("%d failures, %+v", n.child.Failures, n.Counters)
			}
			if n.child.Link != (neighbors.LinkInfo{}) {
				t.Errorf("the strength of an acknowledgement, which anybody can send, counts: %+v", n.child.Link)
			}
			n.send(frame(toChild))
			n.try()
			n.HandleTransmitDone(nil)
			if n.Idle() {
				t.Error("holds for the next frame too")
			}
		})
	}
}

// An acknowledgement counts only while one is awaited.
func TestStrayAck(t *testing.T) {
	n := newNode(t, timing)
	n.ack(n.seq, -50) // no frame yet
	n.send(frame(toChild))
	n.ack(n.seq-1, -50) // waits for its backoff
	n.sleep()
	n.ack(n.seq-1, -50) // waits for the radio
	n.PollTransmit()
	n.HandleTransmitDone(nil)
	if n.Idle() {
		t.Error("acknowledged before it was sent")
	}
	n.ack(n.seq-1, -50)
	n.result()
	n.ack(n.seq-1, -50) // once more
	f := frame(toChild)
	f.AckRequest = false
	n.send(f)
	psdu := n.try()
	n.ack(psdu[2], -50) // not asked for
	n.HandleTransmitDone(nil)
	if got := n.result(); got != Done {
		t.Errorf("result %d", got)
	}
	if n.Counters.RxAcks != 6 || n.Counters.TxAcked != 1 {
		t.Errorf("%+v", n.Counters)
	}
}

// A missed acknowledgement is counted against the neighbor, as far as the counter goes.
func TestFailures(t *testing.T) {
	once := timing
	once.MaxFrameRetries = 0
	n := newNode(t, once)
	for i := range 300 {
		n.send(frame(toChild))
		n.try()
		n.HandleTransmitDone(nil)
		n.sleep()
		if s, _ := n.PollSent(); s.Result != NoAck || s.Neighbor != n.child {
			t.Fatalf("%+v", s)
		}
		if want := min(i+1, 254); int(n.child.Failures) != want {
			t.Fatalf("%d failures, want %d", n.child.Failures, want)
		}
	}
	n.send(frame(toChild))
	psdu := n.try()
	n.HandleTransmitDone(nil)
	n.ack(psdu[2], -50)
	if n.child.Failures != 0 || !n.child.PauseUntil.IsZero() {
		t.Errorf("%d failures after an acknowledgement", n.child.Failures)
	}
}

// A neighbor that has not acknowledged a frame gets one retry for the next, and the others have their turn meanwhile: for longer with
// each frame, until it is heard.
func TestFewerRetries(t *testing.T) {
	n := newNode(t, timing)
	fail := func(retries uint64) {
		t.Helper()
		before := n.Counters.TxRetries
		n.send(frame(toChild))
		for !n.Idle() {
			n.try()
			n.HandleTransmitDone(nil)
			n.sleep()
		}
		if got := n.Counters.TxRetries - before; got != retries || n.result() != NoAck {
			t.Errorf("%d retries, want %d", got, retries)
		}
	}
	fail(3)
	for i := 1; i < 12; i++ {
		if got := n.child.PauseUntil.Sub(n.core.Now); got != time.Duration(min(i, maxPause))*pauseUnit*timing.FrameTime {
			t.Errorf("pause of %v after %d failures", got, i)
		}
		fail(1)
	}
	n.hear(letterFrom(fromChild, childExt).secure(0, 5))
	n.acknowledged(77)
	if n.child.Failures != 0 || !n.child.PauseUntil.IsZero() {
		t.Error("it is not tried again, although it was heard")
	}
	fail(3)
}

// A frame to somebody who is no neighbor is sent once, and does not wait for an acknowledgement.
func TestStranger(t *testing.T) {
	n := newNode(t, timing)
	for _, dst := range []ieee802154.Addr{ieee802154.ExtAddress(stranger), neighbors.ShortAddr(0x4400)} {
		n.send(frame(dst))
		if f := parse(t, n.try()); f.AckRequest {
			t.Error("asks for an acknowledgement")
		}
		n.HandleTransmitDone(nil)
		if s, ok := n.PollSent(); !ok || s != (Sent{Dst: dst, Result: Done}) {
			t.Errorf("%v, %+v", ok, s)
		}
	}
}

// §7.5.6.4.2: an acknowledgement that comes after its time, while the frame waits for its next try, ends it as well; but not before there
// was a first one.
func TestLateAck(t *testing.T) {
	n := newNode(t, timing)
	for _, ready := range []bool{false, true} {
		n.send(frame(toChild))
		psdu := n.try()
		n.HandleTransmitDone(nil)
		n.sleep() // in vain
		if ready {
			n.sleep()
		}
		n.ack(psdu[2], -50)
		if got := n.result(); got != Acked {
			t.Errorf("result %d", got)
		}
		if _, ok := n.PollTransmit(); ok {
			t.Error("sent again")
		}
	}
	n.send(frame(toChild))
	psdu := n.try()
	n.HandleTransmitDone(errChannel)
	n.ack(psdu[2], -50)
	if n.Idle() {
		t.Error("acknowledged before it was sent")
	}
}

// A radio that does not say that it is done with a packet holds up the next one for a bounded time. The packet is lost, counted, and its
// memory stays what it is: the radio may have it still. If the radio says so late, that is not taken for the next packet's "done".
func TestStuckRadio_GoesOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		n := newNode(t, timing)
		n.send(frame(toChild))
		lent := n.try()
		before := slices.Clone(lent)
		if got := n.sleep(); got != minPatience {
			t.Errorf("given up after %v", got)
		}
		if got := n.result(); got != Busy || !n.Stuck() || n.Counters.TxStuck != 1 {
			t.Errorf("result %d, %+v", got, n.Counters)
		}
		n.send(frame(neighbors.ShortAddr(far)))
		second := n.try()
		if n.Stuck() {
			t.Error("the radio has taken a packet")
		}
		if late {
			n.HandleTransmitDone(nil)
			if _, ok := n.PollSent(); ok || n.state != stateSending {
				t.Error("the late one is taken for the next packet's")
			}
		}
		n.HandleTransmitDone(nil)
		if !late { // which nobody can tell from a late one: the next packet is lost as well, but not the one after it
			n.sleep()
			if got := n.result(); got != Busy || n.Counters.TxStuck != 2 {
				t.Errorf("result %d, %+v", got, n.Counters)
			}
		} else {
			n.ack(second[2], -50)
			if got := n.result(); got != Acked {
				t.Errorf("result %d", got)
			}
		}
		for range 5 {
			n.transmit(frame(toChild))
		}
		if !bytes.Equal(lent, before) {
			t.Error("a packet is overwritten while the radio may have it")
		}
		if n.child.Failures != 0 || n.Counters.TxNoAck != 0 {
			t.Errorf("the radio's fault counts as the neighbor's: %+v", n.Counters)
		}
	}
}

// All "done" of a radio are late, or lost, or some of each: whatever happens, it is given one packet at a time in the MAC's eyes, what it has
// is not written over, and once it works again so does the MAC, with one more packet lost at most.
func TestStuckRadio_AnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(18, 0))
	for range 200 {
		n := newNode(t, timing)
		late := 0
		for range r.IntN(6) {
			if n.state == stateIdle {
				n.send(frame(toChild))
			}
			n.sleep()
			n.PollTransmit()
			n.sleep()
			n.PollSent()
			if r.IntN(2) == 0 {
				late++
			}
			for late > 0 && r.IntN(3) == 0 {
				n.HandleTransmitDone(nil)
				n.PollSent()
				late--
			}
		}
		for n.state != stateIdle {
			n.sleep()
			n.PollSent()
		}
		for ; late > 0; late-- {
			n.HandleTransmitDone(nil)
		}
		before := n.Counters
		for range 10 {
			n.send(frame(broadcast))
			n.try()
			n.HandleTransmitDone(nil)
			if n.state != stateIdle { // taken for a late one
				n.sleep()
			}
			n.result()
		}
		if lost := n.Counters.TxStuck - before.TxStuck; lost > 1 {
			t.Fatalf("%d packets are lost after the radio works again", lost)
		}
	}
}

// Nobody fetches packets: the radio has not come back with one. Frames do not wait for it for long.
func TestStuckRadio_Hangs(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(toChild))
	n.try()
	n.sleep()
	for i := range 5 {
		if got := n.result(); got != Busy {
			t.Errorf("frame %d: result %d", i, got)
		}
		n.send(frame(neighbors.ShortAddr(far)))
		if i == 2 {
			n.Stop()
			n.send(frame(toChild))
		}
		n.sleep()
		if got := n.sleep(); got != timing.AckWait {
			t.Errorf("frame %d waits for %v", i, got)
		}
	}
	n.result()
	n.HandleTransmitDone(nil)
	if _, ok := n.PollSent(); ok || n.Stuck() {
		t.Error("a frame is reported twice")
	}
	n.transmit(frame(toChild))
	if n.Counters.TxStuck != 1 || n.Counters.TxChannelBusy != 6 || n.Counters.TxAcked != 1 || n.child.Failures != 0 {
		t.Errorf("%+v", n.Counters)
	}
}

// The same with an acknowledgement that is never done: the next one follows, and the frame behind it.
func TestStuckRadio_Acknowledgement(t *testing.T) {
	n := newNode(t, timing)
	n.hear(letterFrom(fromChild, childExt).secure(0, 5))
	ack, _ := n.PollTransmit()
	lent := slices.Clone(ack)
	n.hear(letterFrom(fromChild, childExt).secure(0, 6))
	n.send(frame(toChild))
	n.sleep() // ready
	if _, ok := n.PollTransmit(); ok {
		t.Error("two packets for one radio")
	}
	n.sleep()
	if second, ok := n.PollTransmit(); !ok || len(second) != ieee802154.AckSize || n.Counters.TxStuck != 1 {
		t.Errorf("%x, %+v", second, n.Counters)
	}
	n.HandleTransmitDone(nil) // late
	n.HandleTransmitDone(nil)
	psdu, ok := n.PollTransmit()
	if !ok || !bytes.Equal(ack, lent) {
		t.Errorf("%x, lent %x, now %x", psdu, lent, ack)
	}
	n.HandleTransmitDone(nil)
	n.ack(psdu[2], -50)
	if got := n.result(); got != Acked {
		t.Errorf("result %d", got)
	}
}

// §7.5.6.4: a broadcast is over when it has left.
func TestBroadcast(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(broadcast))
	psdu := n.try()
	if f := parse(t, psdu); f.AckRequest {
		t.Error("asks for an acknowledgement")
	}
	n.HandleTransmitDone(nil)
	if s, ok := n.PollSent(); !ok || s != (Sent{Dst: broadcast, Result: Done}) {
		t.Errorf("%v, %+v", ok, s)
	}
	if want := (Counters{TxFrames: 1, TxBroadcast: 1}); n.Counters != want {
		t.Errorf("%+v", n.Counters)
	}
}

// A radio that may not send for long gets no second try.
func TestRefused(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(toChild))
	n.try()
	n.HandleTransmitDone(fmt.Errorf("radio: %w", ErrRefused))
	if got := n.result(); got != Busy {
		t.Errorf("result %d", got)
	}
	if want := (Counters{TxFrames: 1, TxChannelBusy: 1, TxUnicast: 1, TxAckRequested: 1}); n.Counters != want {
		t.Errorf("%+v", n.Counters)
	}
}

// The MAC sets version, sequence number, frame counter and key index. All else is the caller's.
func TestSend(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*ieee802154.Frame)
	}{
		{"secured", func(*ieee802154.Frame) {}},
		{"plain", func(f *ieee802154.Frame) { f.Security.Level = ieee802154.SecurityNone }},
		{"fragment", func(f *ieee802154.Frame) { f.FramePending = true }},
		{"extended addresses", func(f *ieee802154.Frame) {
			f.Dst, f.Src = ieee802154.ExtAddress(farExt), ieee802154.ExtAddress(own)
		}},
		{"other PANs", func(f *ieee802154.Frame) { f.PANIDCompression, f.DstPAN = false, 0x4321 }},
		{"command", func(f *ieee802154.Frame) {
			f.Type, f.Command, f.Payload = ieee802154.Command, ieee802154.DataRequest, nil
		}},
		{"wrong leftovers", func(f *ieee802154.Frame) {
			f.Version, f.Seq = ieee802154.Version2015, 99
			f.Security.FrameCounter, f.Security.KeyIDMode, f.Security.KeyIndex = 77, ieee802154.KeyIDModeSource8, 88
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			n.keys.Restore(130, 0)
			n.Counter.Restore(5000)
			want := frame(toChild)
			tt.change(&want)
			want.Payload = slices.Clone(want.Payload)
			payload := slices.Clone(want.Payload)
			want.Seq = n.seq
			n.send(want)
			clear(want.Payload) // the payload was the caller's for the time of the call alone

			psdu := n.try()
			got := parse(t, psdu)
			secured := want.Security.Level != ieee802154.SecurityNone
			want.Version = ieee802154.Version2006
			if secured {
				want.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex,
					FrameCounter: 5000, KeyIndex: 3}
				plain, err := got.Open(nil, psdu, n.keys.MAC(130), own)
				if err != nil {
					t.Fatal(err)
				}
				got.Payload = plain
			}
			if !bytes.Equal(got.Payload, payload) || !ieee802154.FCSValid(psdu) {
				t.Errorf("payload %x", got.Payload)
			}
			got.Payload, want.Payload = nil, nil
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("sent %+v\nwant %+v", got, want)
			}
			next := uint32(5000)
			if secured {
				next++
			}
			if n.Counter.Next() != next || n.seq != want.Seq+1 {
				t.Errorf("counter %d, sequence number %d go on", n.Counter.Next(), n.seq)
			}
		})
	}
}

// What cannot be encoded is an error. No sequence number is lost by it, and a frame counter is.
func TestSendFails(t *testing.T) {
	long := make([]byte, ieee802154.MaxPSDU)
	for _, tt := range []struct {
		name   string
		change func(*ieee802154.Frame)
		want   error
	}{
		{"too long", func(f *ieee802154.Frame) { f.Payload = long }, ieee802154.ErrTooLong},
		{"too long, plain", func(f *ieee802154.Frame) { f.Payload, f.Security.Level = long, 0 }, ieee802154.ErrTooLong},
		{"address mode", func(f *ieee802154.Frame) { f.Dst.Mode = 1 }, ieee802154.ErrAddrMode},
	} {
		n := newNode(t, timing)
		f := frame(toChild)
		tt.change(&f)
		seq := n.seq
		if err := n.Send(f); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, ok := n.NextTimeout(); ok || !n.Idle() || n.seq != seq || n.Counters != (Counters{}) {
			t.Errorf("%s: not as before, %+v", tt.name, n.Counters)
		}
		n.transmit(frame(toChild))
	}
}

// Thread 1.1 §7.1.6: no counter is used that may have been used before a restart. Without a store nothing is secured beyond the limit;
// what is not secured goes on.
func TestReserve(t *testing.T) {
	n := newNode(t, timing)
	n.transmit(frame(toChild))
	n.storeFails = true
	sent := 1
	for n.Send(frame(toChild)) == nil {
		n.Stop()
		sent++
	}
	if sent != keychain.CounterAhead {
		t.Errorf("%d frames sent, %d are reserved", sent, keychain.CounterAhead)
	}
	frames := n.Counters.TxFrames
	if err := n.Send(frame(toChild)); !errors.Is(err, ErrStore) || !n.Idle() || n.Counters.TxFrames != frames {
		t.Errorf("%v, %+v", err, n.Counters)
	}
	plain := frame(toChild)
	plain.Security.Level = ieee802154.SecurityNone
	n.transmit(plain)
	n.storeFails = false
	if f := parse(t, n.transmit(frame(toChild))); f.Security.FrameCounter != keychain.CounterAhead {
		t.Errorf("goes on with counter %d", f.Security.FrameCounter)
	}
}

// A frame keeps the key under which it was secured, whatever happens until it is sent.
func TestKeySequenceWhileSending(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(toChild))
	first := slices.Clone(n.try())
	n.keys.Advance(1, false)
	n.HandleTransmitDone(errChannel)
	if !bytes.Equal(n.try(), first) {
		t.Error("a retry has other bytes")
	}
	n.HandleTransmitDone(ErrRefused)
	if f := parse(t, n.transmit(frame(toChild))); f.Security.KeyIndex != 2 || f.Security.FrameCounter != 1 {
		t.Errorf("%+v", f.Security)
	}
}

// Stop drops the frame in work at any point. The radio finishes what it has, while the next frame waits.
func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name  string
		until func(*node)
	}{
		{"idle", func(n *node) { n.transmit(frame(toChild)) }},
		{"in its backoff", func(n *node) { n.send(frame(toChild)) }},
		{"ready", func(n *node) { n.send(frame(toChild)); n.sleep() }},
		{"waiting for its acknowledgement", func(n *node) { n.send(frame(toChild)); n.try(); n.HandleTransmitDone(nil) }},
		{"over but not reported", func(n *node) { n.send(frame(broadcast)); n.try(); n.HandleTransmitDone(nil) }},
	} {
		n := newNode(t, timing)
		tt.until(n)
		seq := n.seq - 1
		n.Stop()
		n.ack(seq, -50)
		_, timer := n.NextTimeout()
		_, transmits := n.PollTransmit()
		_, reports := n.PollSent()
		if !n.Idle() || timer || transmits || reports {
			t.Errorf("%s: idle %v, timer %v, transmits %v, reports %v", tt.name, n.Idle(), timer, transmits, reports)
		}
		if c := n.Counters; c.TxUnicast+c.TxBroadcast+c.TxStopped != c.TxFrames {
			t.Errorf("%s: %+v", tt.name, c)
		}
		n.transmit(frame(toChild))
	}
}

// No acknowledgement follows Stop. One that the radio has is finished.
func TestStopAcks(t *testing.T) {
	n := newNode(t, timing)
	for counter := range uint32(2) {
		n.hear(letterFrom(fromChild, childExt).secure(0, counter))
	}
	n.hear(letterFrom(fromChild, childExt)) // of which it is not known yet whose it is
	n.Stop()
	if _, ok := n.PollTransmit(); ok {
		t.Error("an acknowledgement after Stop")
	}
	for counter := range uint32(2) {
		n.hear(letterFrom(fromChild, childExt).secure(0, 2+counter))
	}
	n.PollTransmit()
	n.Stop()
	n.HandleTransmitDone(nil)
	if _, ok := n.PollTransmit(); ok {
		t.Error("an acknowledgement after Stop and the end of the one before")
	}
	n.transmit(frame(toChild))
}

func TestStopWhileSending(t *testing.T) {
	for _, result := range []error{nil, errChannel, ErrRefused} {
		n := newNode(t, timing)
		n.send(frame(toChild))
		psdu := n.try()
		first := slices.Clone(psdu)
		n.Stop()
		n.ack(psdu[2], -50)

		n.send(frame(broadcast)) // dropped as well, before the radio is free
		n.Stop()
		n.send(frame(neighbors.ShortAddr(far)))
		n.sleep()
		if _, ok := n.PollTransmit(); ok {
			t.Fatal("two packets for one radio")
		}
		if !bytes.Equal(psdu, first) {
			t.Fatal("a packet is overwritten while the radio has it")
		}
		n.HandleTransmitDone(result)
		if _, ok := n.PollSent(); ok || n.Idle() {
			t.Fatal("a dropped frame is reported")
		}
		next, ok := n.PollTransmit()
		if f := parse(t, next); !ok || f.Dst != neighbors.ShortAddr(far) {
			t.Fatalf("%v: %+v", ok, f)
		}
		n.HandleTransmitDone(nil)
		n.ack(next[2], -50)
		if got := n.result(); got != Acked {
			t.Errorf("result %d", got)
		}
	}
}

// A report that nobody fetches does not outlive the next frame, nor does a radio's "done" without a packet do anything.
func TestMisuse(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(broadcast))
	n.try()
	n.HandleTransmitDone(nil)
	n.send(frame(toChild))
	if s, ok := n.PollSent(); ok {
		t.Errorf("%+v", s)
	}
	n.HandleTransmitDone(nil)
	n.HandleTransmitDone(errChannel)
	if n.Idle() || n.Counters.TxDeferred != 0 {
		t.Errorf("%+v", n.Counters)
	}
	n.try()
}
