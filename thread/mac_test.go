package thread_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// A bench drives one engine by hand, without an air.
type bench struct {
	*thread.Engine
	t   *testing.T
	now time.Time
}

func newBench(t *testing.T, change func(*thread.Config)) *bench {
	t.Helper()
	cfg := thread.Config{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Rand: meshtest.Rand(1, 1)}
	if change != nil {
		change(&cfg)
	}
	e, err := thread.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Engine: e, t: t, now: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := e.Start(b.now); err != nil {
		t.Fatal(err)
	}
	return b
}

// idle is a configuration for a node that sends nothing of its own for a long time.
func idle(timing thread.Timing) func(*thread.Config) {
	timing.ParentRequestRouters = 1000 * time.Hour
	return func(c *thread.Config) { c.Timing = timing }
}

// newAcknowledged returns an idle engine with one neighbor, node 2, the parent of before a restart: what it does not acknowledge is tried
// again.
func newAcknowledged(t *testing.T, timing thread.Timing) *bench {
	t.Helper()
	timing.ChildUpdateRetry = 1000 * time.Hour
	b := newBench(t, func(c *thread.Config) {
		idle(timing)(c)
		c.Store = new(thread.MemoryStore)
		if err := c.Store.Save(thread.Settings{
			NetworkKey: c.NetworkKey, ExtAddr: c.ExtAddr, Mode: thread.ModeFullThreadDevice,
			Role: thread.RoleChild, RLOC16: 0x5801, Parent: meshtest.ExtAddr(2),
		}); err != nil {
			t.Fatal(err)
		}
	})
	request := b.must(time.Second) // to the parent
	b.HandleTransmitDone(b.now, nil)
	b.ack(request)
	return b
}

// wait lets time pass until the engine has something to transmit.
func (b *bench) wait(limit time.Duration) ([]byte, bool) {
	for end := b.now.Add(limit); ; {
		if psdu, ok := b.PollTransmit(); ok {
			return slices.Clone(psdu), true
		}
		next, ok := b.NextTimeout()
		if !ok || next.After(end) {
			b.now = end
			return nil, false
		}
		if next.After(b.now) {
			b.now = next
		}
		b.HandleTimeout(b.now)
	}
}

// must is wait where something must come.
func (b *bench) must(limit time.Duration) []byte {
	b.t.Helper()
	psdu, ok := b.wait(limit)
	if !ok {
		b.t.Fatalf("nothing to transmit within %v", limit)
	}
	return psdu
}

// quiet lets what the engine has to send of its own go out.
func (b *bench) quiet() {
	for {
		if _, ok := b.wait(time.Millisecond); !ok {
			return
		}
		b.HandleTransmitDone(b.now, nil)
	}
}

// sendTo gives the engine a datagram for a neighbor; size tells it from others.
func (b *bench) sendTo(id, size int, trafficClass uint8) {
	b.t.Helper()
	dst := meshtest.LinkLocal(meshtest.ExtAddr(id))
	h := ip6.Header{TrafficClass: trafficClass, HopLimit: 64, Src: b.SelectSource(dst), Dst: dst}
	packet, err := ip6.AppendUDP(nil, h, 1000, 1000, make([]byte, size))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.HandlePacket(b.now, packet); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) ack(psdu []byte) {
	b.HandleFrame(b.now, ieee802154.AppendAck(nil, psdu[2], false), -50)
}

func parse(t testing.TB, psdu []byte) ieee802154.Frame {
	t.Helper()
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		t.Fatalf("%v: %x", err, psdu)
	}
	return f
}

// TestBackoff looks at the random delays before the first try, after a busy channel and after a missing acknowledgement
// (IEEE 802.15.4-2006 §7.5.1.4; the exponent grows with retries too, as Pymesh's does).
func TestBackoff(t *testing.T) {
	b := newAcknowledged(t, thread.TimingIEEE802154())
	timing := thread.TimingIEEE802154()
	seen := map[int]map[int]bool{} // exponent → units
	note := func(exponent int, delay time.Duration) {
		units := int(delay / timing.BackoffUnit)
		if delay%timing.BackoffUnit != 0 || units >= 1<<exponent {
			t.Fatalf("exponent %d: backoff of %v", exponent, delay)
		}
		if seen[exponent] == nil {
			seen[exponent] = map[int]bool{}
		}
		seen[exponent][units] = true
	}
	for range 300 {
		b.sendTo(2, 10, 0)
		handed := b.now
		psdu := b.must(time.Second)
		note(3, b.now.Sub(handed))

		handed = b.now
		b.HandleTransmitDone(b.now, lora.ErrChannelBusy)
		b.must(time.Second)
		note(4, b.now.Sub(handed))

		left := b.now.Add(time.Millisecond)
		b.HandleTransmitDone(left, nil)
		again := b.must(time.Second) // a retry counts anew, without the backoffs
		note(4, b.now.Sub(left)-timing.AckWait)
		if !bytes.Equal(psdu, again) {
			t.Fatal("a retry differs")
		}
		left = b.now.Add(time.Millisecond)
		b.HandleTransmitDone(left, nil)
		b.must(time.Second)
		note(5, b.now.Sub(left)-timing.AckWait)
		b.HandleTransmitDone(b.now, nil)
		b.ack(psdu)
	}
	for exponent, units := range seen {
		if len(units) < 1<<exponent-2 {
			t.Errorf("exponent %d: only %d of %d delays in many tries", exponent, len(units), 1<<exponent)
		}
	}
}

// TestChannelBusy gives up a frame after 1 + MaxCSMABackoffs refusals for each of 1 + MaxFrameRetries tries.
func TestChannelBusy(t *testing.T) {
	b := newBench(t, idle(thread.TimingIEEE802154()))
	b.sendTo(2, 10, 0)
	want := 33 * 4
	for i := range want {
		psdu, ok := b.wait(100 * time.Millisecond)
		if !ok {
			t.Fatalf("given up after %d refusals", i)
		}
		if parse(t, psdu).Dst != ieee802154.ExtAddress(meshtest.ExtAddr(2)) {
			t.Fatalf("another frame after %d refusals", i)
		}
		b.HandleTransmitDone(b.now, lora.ErrChannelBusy)
	}
	if c := b.Counters(); c.TxChannelBusy != 1 || c.TxDeferred != uint64(want) || c.TxDatagramsFailed != 1 || c.TxNoAck != 0 {
		t.Errorf("%+v", c)
	}
}

// TestAckWait repeats an unacknowledged frame AckWait after it has left: the same bytes under the same counter, MaxFrameRetries times.
func TestAckWait(t *testing.T) {
	timing := thread.TimingPymesh()
	b := newAcknowledged(t, timing)
	b.sendTo(2, 10, 0)
	first := b.must(time.Second)
	if f := parse(t, first); !f.AckRequest || f.Security.Level != ieee802154.SecurityENCMIC32 {
		t.Fatalf("%+v", f)
	}
	for i := range timing.MaxFrameRetries {
		left := b.now.Add(200 * time.Millisecond)
		b.HandleTransmitDone(left, nil)
		b.HandleFrame(left.Add(100*time.Millisecond), ieee802154.AppendAck(nil, first[2]+1, false), -50) // of another frame
		again := b.must(3 * time.Second)
		least := timing.AckWait
		most := least + time.Duration(i+1)*timing.RetryJitter + timing.BackoffUnit<<min(timing.MinBE+i+1, timing.MaxBE)
		if wait := b.now.Sub(left); wait < least || wait > most {
			t.Errorf("retry %d after %v", i+1, wait)
		}
		if !bytes.Equal(first, again) {
			t.Errorf("retry %d differs:\n%x\n%x", i+1, first, again)
		}
	}
	b.HandleTransmitDone(b.now, nil)
	if _, ok := b.wait(timing.AckWait + 500*time.Millisecond); ok {
		t.Error("one more try")
	}
	if c := b.Counters(); c.TxFrames != 1+1 || c.TxRetries != uint64(timing.MaxFrameRetries) || c.TxNoAck != 1 {
		t.Errorf("%+v", c)
	}
	b.sendTo(2, 10, 0)
	next := b.must(3 * time.Second) // after the pause of a neighbor that has not acknowledged
	if f, g := parse(t, first), parse(t, next); g.Seq != f.Seq+1 || g.Security.FrameCounter != f.Security.FrameCounter+1 {
		t.Errorf("next frame: sequence %d after %d, counter %d after %d", g.Seq, f.Seq, g.Security.FrameCounter, f.Security.FrameCounter)
	}
}

// TestInterop03AckMatching takes an acknowledgement by frame type and sequence number alone (2018 sends 0x0002 and 0x0012,
// today's OpenThread 0x1002 and 0x1012), with any FCS, before or after the radio says that the frame has left.
func TestInterop03AckMatching(t *testing.T) {
	for _, control := range []uint16{0x0002, 0x0012, 0x1002, 0x1012} {
		for _, early := range []string{"early", "late"} {
			t.Run(fmt.Sprintf("%04x/%s", control, early), func(t *testing.T) {
				b := newAcknowledged(t, thread.TimingIEEE802154())
				before := b.Counters()
				b.sendTo(2, 10, 0)
				psdu := b.must(time.Second)
				ack := []byte{byte(control), byte(control >> 8), psdu[2], 0xde, 0xad}
				if early == "early" {
					b.HandleFrame(b.now, ack, -50)
					b.HandleTransmitDone(b.now, nil)
				} else {
					b.HandleTransmitDone(b.now, nil)
					b.HandleFrame(b.now, ack, -50)
				}
				if c := b.Counters(); c.TxAcked != before.TxAcked+1 || c.TxDatagrams != before.TxDatagrams+1 {
					t.Errorf("%+v", c)
				}
				if again, ok := b.wait(50 * time.Millisecond); ok {
					t.Errorf("sent again: %x", again)
				}
			})
		}
	}
}

// TestAcknowledge answers every unicast frame to this node that asks for it, at once, whatever else is going on.
func TestAcknowledge(t *testing.T) {
	data := func(change func(*ieee802154.Frame)) []byte {
		f := &ieee802154.Frame{Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: 77,
			DstPAN: thread.DefaultPANID, Dst: ieee802154.ExtAddress(meshtest.ExtAddr(1)), Src: ieee802154.ExtAddress(meshtest.ExtAddr(9)), Payload: []byte{1, 2, 3}}
		if change != nil {
			change(f)
		}
		psdu := must(f.AppendBinary(nil))
		psdu[len(psdu)-1] ^= 0xff // the FCS is nobody's business
		return psdu
	}
	for _, tt := range []struct {
		name   string
		change func(*ieee802154.Frame)
		want   bool
	}{
		{"extended address", nil, true},
		{"RLOC16", func(f *ieee802154.Frame) { f.Dst = ieee802154.ShortAddress(0) }, true},
		{"no acknowledgement asked for", func(f *ieee802154.Frame) { f.AckRequest = false }, false},
		{"broadcast", func(f *ieee802154.Frame) { f.Dst = ieee802154.ShortAddress(0xffff) }, false},
		{"another node", func(f *ieee802154.Frame) { f.Dst = ieee802154.ExtAddress(meshtest.ExtAddr(3)) }, false},
		{"another RLOC16", func(f *ieee802154.Frame) { f.Dst = ieee802154.ShortAddress(0x1234) }, false},
		{"another PAN", func(f *ieee802154.Frame) { f.DstPAN = 0x4321 }, false},
		{"broadcast PAN, extended address", func(f *ieee802154.Frame) { f.DstPAN = 0xffff }, false},
		{"broadcast PAN, RLOC16", func(f *ieee802154.Frame) { f.DstPAN = 0xffff; f.Dst = ieee802154.ShortAddress(0) }, true},
		{"no address at all", func(f *ieee802154.Frame) {
			f.Dst, f.PANIDCompression = ieee802154.Addr{}, false
			f.SrcPAN = thread.DefaultPANID
		}, false},
		{"MAC command", func(f *ieee802154.Frame) { f.Type, f.Command = ieee802154.Command, ieee802154.DataRequest }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A leader has an RLOC16; its router ID follows from the seed, so a restart gives it a known one.
			store := &thread.MemoryStore{}
			_ = store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Role: thread.RoleLeader, RLOC16: 0, Mode: thread.ModeFullThreadDevice})
			b := newBench(t, func(c *thread.Config) { stock(c); c.Store = store })
			b.quiet()
			b.sendTo(2, 10, 0) // waits for its backoff
			b.HandleFrame(b.now, data(tt.change), -50)
			psdu, ok := b.PollTransmit()
			if ok != tt.want {
				t.Fatalf("acknowledged: %v, want %v", ok, tt.want)
			}
			if !ok {
				return
			}
			if want := []byte{0x02, 0x00, 77}; len(psdu) != ieee802154.AckSize || !bytes.HasPrefix(psdu, want) || !ieee802154.FCSValid(psdu) {
				t.Errorf("acknowledgement %x", psdu)
			}
			if _, ok := b.PollTransmit(); ok {
				t.Error("two packets for one radio")
			}
			b.HandleTransmitDone(b.now, errors.New("busy")) // a lost one is the peer's to notice
			if next := b.must(time.Second); next[0]&7 == 2 {
				t.Error("acknowledged twice")
			}
		})
	}
}

// TestOwnFrame drops a frame that claims to be from this node.
func TestOwnFrame(t *testing.T) {
	b := newBench(t, stock)
	f := &ieee802154.Frame{Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, Seq: 1,
		DstPAN: thread.DefaultPANID, Dst: ieee802154.ShortAddress(0xffff), Src: ieee802154.ExtAddress(meshtest.ExtAddr(1)), Payload: []byte{1}}
	b.HandleFrame(b.now, must(f.AppendBinary(nil)), -50)
	if c := b.Counters(); c.RxOwnSource != 1 {
		t.Errorf("%+v", c)
	}
}

// TestOrder sends to one neighbor in order and to several in turn, so that a dead one delays the others by one frame.
func TestOrder(t *testing.T) {
	type datagram struct{ id, size int }
	// MAC header with two extended addresses, its security header and MIC, IPHC and compressed UDP header, FCS.
	const overhead = 21 + 6 + 4 + 9 + 2
	for _, tt := range []struct {
		name string
		send []datagram
		want []datagram
	}{
		{"one neighbor", []datagram{{2, 1}, {2, 2}, {2, 3}}, []datagram{{2, 1}, {2, 2}, {2, 3}}},
		{"in turn", []datagram{{2, 1}, {2, 2}, {2, 3}, {3, 4}, {3, 5}, {4, 6}}, []datagram{{2, 1}, {3, 4}, {2, 2}, {3, 5}, {2, 3}, {4, 6}}},
		{"fragments in order", []datagram{{2, 200}, {2, 1}, {3, 2}}, []datagram{{2, 200}, {3, 2}, {2, 200}, {2, 200}, {2, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, idle(thread.TimingIEEE802154()))
			for _, d := range tt.send {
				b.sendTo(d.id, d.size, 0)
			}
			for i, d := range tt.want {
				psdu := b.must(time.Second)
				if f := parse(t, psdu); f.Dst != ieee802154.ExtAddress(meshtest.ExtAddr(d.id)) {
					t.Fatalf("frame %d to %v, want %v", i, f.Dst, d.id)
				}
				if d.size < 100 && len(psdu) != overhead+d.size {
					t.Errorf("frame %d: %d bytes for %d", i, len(psdu), d.size)
				}
				b.HandleTransmitDone(b.now, nil)
				b.ack(psdu)
			}
			if c := b.Counters(); c.TxDatagrams != uint64(len(tt.send)) {
				t.Errorf("%d datagrams sent, want %d", c.TxDatagrams, len(tt.send))
			}
		})
	}
	t.Run("dead neighbor", func(t *testing.T) {
		b := newAcknowledged(t, thread.TimingIEEE802154())
		for _, id := range []int{2, 2, 2, 3, 3, 3} {
			b.sendTo(id, 1, 0)
		}
		var order []string
		for {
			psdu, ok := b.wait(200 * time.Millisecond)
			if !ok {
				break
			}
			order = append(order, fmt.Sprint(parse(t, psdu).Dst.Ext[7]))
			b.HandleTransmitDone(b.now, nil)
		}
		// Four tries, and two for each frame after that; the pause between them leaves the air to the others.
		if want := "2 2 2 2 3 3 3 2 2 2 2"; fmt.Sprint(order) != "["+want+"]" {
			t.Errorf("tries to %v, want %v", order, want)
		}
	})
}

// TestPriority sends by traffic class: class selectors 4 to 7 first, 1 and 2 last; and lets the lowest go when the queue is full.
func TestPriority(t *testing.T) {
	b := newBench(t, idle(thread.TimingIEEE802154()))
	const cs1, cs4 = 1 << 5, 4 << 5
	b.sendTo(2, 1, cs1) // in work already
	b.sendTo(3, 1, cs1)
	b.sendTo(4, 1, 0)
	b.sendTo(5, 1, cs4)
	for _, want := range []int{2, 5, 4, 3} {
		psdu := b.must(time.Second)
		if f := parse(t, psdu); f.Dst != ieee802154.ExtAddress(meshtest.ExtAddr(want)) {
			t.Fatalf("to %v, want %d", f.Dst, want)
		}
		b.HandleTransmitDone(b.now, nil)
		b.ack(psdu)
	}

	packet := func(class uint8) []byte {
		dst := meshtest.LinkLocal(meshtest.ExtAddr(2))
		return must(ip6.AppendUDP(nil, ip6.Header{TrafficClass: class, HopLimit: 64, Src: b.SelectSource(dst), Dst: dst}, 1, 1, []byte{1}))
	}
	for range 64 {
		if err := b.HandlePacket(b.now, packet(0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.HandlePacket(b.now, packet(0)); !errors.Is(err, thread.ErrQueueFull) {
		t.Errorf("full queue: %v", err)
	}
	if err := b.HandlePacket(b.now, packet(cs4)); err != nil {
		t.Errorf("full queue, high priority: %v", err)
	}
}

// TestStop lets the radio finish its packet and starts nothing after it; a second start goes on.
func TestStop(t *testing.T) {
	b := newBench(t, stock)
	b.sendTo(2, 10, 0)
	b.must(time.Second)
	b.Stop(b.now)
	b.Stop(b.now)
	if b.Role() != thread.RoleDisabled {
		t.Errorf("role %v", b.Role())
	}
	if _, ok := b.PollTransmit(); ok {
		t.Error("a packet while the radio has one")
	}
	b.HandleTransmitDone(b.now, nil)
	if psdu, ok := b.wait(time.Hour); ok {
		t.Errorf("sent after Stop: %x", psdu)
	}
	if err := b.HandlePacket(b.now, nil); !errors.Is(err, thread.ErrDisabled) {
		t.Errorf("packet after Stop: %v", err)
	}
	b.HandleFrame(b.now, []byte{1, 2, 3}, 0)
	for range 2 {
		if err := b.Start(b.now); err != nil {
			t.Fatal(err)
		}
	}
	b.must(time.Minute)
}

// TestJammed keeps few messages of the network's own while the channel is busy for long, and the latest: what is stale would hold up what
// still counts.
func TestJammed(t *testing.T) {
	b := newBench(t, stock)
	for b.Role() != thread.RoleLeader {
		b.must(time.Minute)
		b.HandleTransmitDone(b.now, nil)
	}
	end := b.now.Add(3 * time.Minute)
	for b.now.Before(end) {
		if _, ok := b.wait(time.Second); ok {
			b.HandleTransmitDone(b.now, lora.ErrChannelBusy)
		}
	}
	before := b.Counters()
	if before.TxChannelBusy == 0 || before.QueueFull != 0 {
		t.Errorf("%+v", before)
	}
	sent := 0
	for end = b.now.Add(2 * time.Second); b.now.Before(end); {
		if _, ok := b.wait(end.Sub(b.now)); ok {
			b.HandleTransmitDone(b.now, nil)
			sent++
		}
	}
	if sent > 3 {
		t.Errorf("%d messages had waited", sent)
	}
}

// TestRefused gives a frame up that the radio may not send, so that the next one gets its turn.
func TestRefused(t *testing.T) {
	b := newBench(t, idle(thread.TimingPymesh()))
	b.sendTo(2, 10, 0)
	b.sendTo(3, 11, 0)
	first := b.must(time.Second)
	b.HandleTransmitDone(b.now, fmt.Errorf("radio: %w", thread.ErrRefused))
	if c := b.Counters(); c.TxChannelBusy != 1 || c.TxDatagramsFailed != 1 || c.TxDeferred != 0 || c.TxRetries != 0 {
		t.Errorf("%+v", c)
	}
	if next := b.must(time.Second); parse(t, next).Dst == parse(t, first).Dst {
		t.Errorf("the refused frame again: %x", next)
	}
}
