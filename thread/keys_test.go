package thread_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// counterLog fails when a frame counter is used twice.
type counterLog struct {
	t        *testing.T
	mac, mle map[[2]uint32]bool // by key sequence or index, and counter
	announce map[[2]uint32]bool // under the key that all know
}

func newCounterLog(t *testing.T) *counterLog {
	return &counterLog{t: t, mac: map[[2]uint32]bool{}, mle: map[[2]uint32]bool{}, announce: map[[2]uint32]bool{}}
}

func (l *counterLog) note(psdu []byte) {
	l.t.Helper()
	f := parse(l.t, psdu)
	use := func(set map[[2]uint32]bool, seq, counter uint32) {
		l.t.Helper()
		if k := [2]uint32{seq, counter}; set[k] {
			l.t.Fatalf("counter %d used twice under key %d: %x", counter, seq, psdu)
		} else {
			set[k] = true
		}
	}
	switch {
	case f.Security.KeyIDMode == ieee802154.KeyIDModeSource4:
		use(l.announce, uint32(f.Security.KeyIndex), f.Security.FrameCounter)
		return
	case f.Security.Level != ieee802154.SecurityNone:
		use(l.mac, uint32(f.Security.KeyIndex), f.Security.FrameCounter)
		return
	}
	if h, err := meshtest.OpenMLE(psdu); err == nil {
		use(l.mle, uint32(h.KeySequence), h.FrameCounter)
	}
}

// TestCountersAcrossRestarts kills a node after a number of frames, without a word to the store, and starts it again: no frame
// counter is ever used twice under the same key.
func TestCountersAcrossRestarts(t *testing.T) {
	for _, frames := range []int{0, 1, 999, 1000, 1001, 2500} {
		t.Run(fmt.Sprint(frames), func(t *testing.T) {
			store := new(thread.MemoryStore)
			l := newCounterLog(t)
			for life := range 3 {
				b := newBench(t, func(c *thread.Config) { stock(c); c.Store = store; c.Rand = meshtest.Rand(uint64(life), frames) })
				if life == 1 {
					if err := b.Console().SetKeySequence(b.now, 5); err != nil {
						t.Fatal(err)
					}
				}
				for range frames {
					b.sendTo(2, 1, 0)
					for acked := false; !acked; {
						psdu := b.must(time.Second)
						l.note(psdu)
						b.HandleTransmitDone(b.now, nil)
						b.ack(psdu)
						acked = psdu[1]&0x0c == 0x0c
					}
				}
				for range 50 { // as many messages as a leader sends in some minutes
					if psdu, ok := b.wait(time.Minute); ok {
						l.note(psdu)
						b.HandleTransmitDone(b.now, nil)
					}
				}
			}
			if len(l.mac) != 3*frames || len(l.mle) < 20 {
				t.Errorf("%d MAC frames and %d MLE messages", len(l.mac), len(l.mle))
			}
		})
	}
}

// brokenStore fails on demand, and counts.
type brokenStore struct {
	thread.MemoryStore
	err   error
	saves int
}

func (s *brokenStore) Save(set thread.Settings) error {
	if s.err != nil {
		return s.err
	}
	s.saves++
	return s.MemoryStore.Save(set)
}

// TestStoreFailure sends nothing secured beyond the counters that the store knows of.
func TestStoreFailure(t *testing.T) {
	store := new(brokenStore)
	b := newBench(t, func(c *thread.Config) { idle(thread.TimingIEEE802154())(c); c.Store = store })
	send := func() bool {
		b.sendTo(2, 1, 0)
		psdu, ok := b.wait(time.Second)
		if ok {
			b.HandleTransmitDone(b.now, nil)
			b.ack(psdu)
		}
		return ok
	}
	if !send() {
		t.Fatal("nothing sent")
	}
	store.err = errors.New("worn out")
	sent := 1
	for send() {
		sent++
	}
	saved, _, _ := store.Load()
	if uint32(sent) != saved.MACFrameCounter {
		t.Errorf("%d frames sent, counters stored up to %d", sent, saved.MACFrameCounter)
	}
	if b.Counters().StoreFailed == 0 {
		t.Error("failure not counted")
	}
	store.err = nil
	if !send() {
		t.Error("the store works again, still nothing sent")
	}

	store.err = errors.New("worn out")
	if err := b.Console().SetKeySequence(b.now, 1); err != nil {
		t.Fatal(err)
	}
	if send() {
		t.Error("sent under a key sequence that is not stored")
	}
	cfg := thread.Config{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Rand: meshtest.Rand(1, 1), Store: store}
	e, err := thread.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(b.now); err == nil {
		t.Error("started without a working store")
	}
}

// TestStoreFailureLogsSeldom: a store that fails for a day takes a page of the log.
func TestStoreFailureLogsSeldom(t *testing.T) {
	store := new(brokenStore)
	var log bytes.Buffer
	e, err := thread.New(thread.Config{
		NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), Rand: meshtest.Rand(1, 1), Store: store,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := e.Start(now); err != nil {
		t.Fatal(err)
	}
	store.err = errors.New("worn out")
	for end := now.Add(24 * time.Hour); now.Before(end); {
		if _, ok := e.PollTransmit(); ok {
			e.HandleTransmitDone(now, nil)
		}
		e.Flush()
		if at, ok := e.NextTimeout(); ok && at.After(now) {
			now = at
		} else {
			now = now.Add(time.Millisecond)
		}
		e.HandleTimeout(now)
	}
	if n := strings.Count(log.String(), "not stored"); n < 5 || n > 40 || e.Counters().StoreFailed < 1000 {
		t.Errorf("%d lines for %d failures", n, e.Counters().StoreFailed)
	}
}

// TestSettingsOfAnotherNetwork keeps the counters but nothing else of settings that belong to another key or address.
func TestSettingsOfAnotherNetwork(t *testing.T) {
	store := new(thread.MemoryStore)
	_ = store.Save(thread.Settings{NetworkKey: [16]byte{1}, ExtAddr: meshtest.ExtAddr(1), Role: thread.RoleRouter, RLOC16: 0x5800, KeySequence: 9, HighestKeySequence: 9,
		Mode: thread.ModeFullThreadDevice, MACFrameCounter: 7000, MLEFrameCounter: 8000})
	b := newBench(t, func(c *thread.Config) { stock(c); c.Store = store })
	if b.Console().Keys.Sequence() != 0 || b.RLOC16() != mle.InvalidRLOC16 {
		t.Errorf("sequence %d, RLOC16 %v", b.Console().Keys.Sequence(), b.RLOC16())
	}
	h := must(meshtest.OpenMLE(b.must(time.Minute)))
	if h.Command != mle.ParentRequest || h.FrameCounter != 8000 {
		t.Errorf("%v with counter %d", h.Command, h.FrameCounter)
	}
}

// steady returns a chain of routers that has settled.
func steady(t *testing.T, opt lorasim.Options, n int, change func(*thread.Config)) *meshtest.Mesh {
	t.Helper()
	m := meshtest.Chain(t, opt, n, change)
	m.StartOneByOne()
	return m
}

func sequences(m *meshtest.Mesh) []keys.Sequence {
	var s []keys.Sequence
	for _, n := range m.Nodes {
		s = append(s, n.Console().Keys.Sequence())
	}
	return s
}

func allAt(m *meshtest.Mesh, seq keys.Sequence) bool {
	for _, n := range m.Nodes {
		if n.Console().Keys.Sequence() != seq {
			return false
		}
	}
	return true
}

// pingAll lets every node reach every other one: at the first try where the limit is short, and within it otherwise.
func pingAll(t testing.TB, m *meshtest.Mesh, limit time.Duration) {
	t.Helper()
	for i, a := range m.Nodes {
		for k, b := range m.Nodes {
			if i == k {
				continue
			}
			if limit > 30*time.Second {
				a.Reach(b.MeshLocalEID(), 20, limit)
			} else if _, ok := a.Ping(b.MeshLocalEID(), 20, limit); !ok {
				t.Errorf("node %d has no reply from node %d\n%s", i+1, k+1, m)
			}
		}
	}
}

// TestKeySequence spreads a new key sequence through the mesh, by MLE and by MAC frames alike, and keeps the traffic going.
func TestKeySequence(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	first, last := m.Nodes[0], m.Nodes[2]
	if err := first.Console().SetKeySequence(m.Sim.Now(), 1); err != nil {
		t.Fatal(err)
	}
	// A frame secured under the next key makes a neighbor follow, before any Advertisement does.
	if _, ok := first.Ping(last.MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no reply under the next key sequence")
	}
	if !allAt(m, 1) {
		t.Errorf("sequences %v after a ping", sequences(m))
	}

	// Within the guard time the next one is not followed, though its frames are still understood …
	if err := first.Console().SetKeySequence(m.Sim.Now(), 2); err != nil {
		t.Fatal(err)
	}
	if _, ok := first.Ping(last.MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no reply across a key sequence")
	}
	m.Run(time.Minute)
	if got := fmt.Sprint(sequences(m)); got != "[2 1 1]" {
		t.Errorf("sequences %v within the guard time", got)
	}
	pingAll(t, m, time.Second)

	// … one further ahead is, by MLE: the first frame is lost (see TestInterop11KeyAhead).
	if err := last.Console().SetKeySequence(m.Sim.Now(), 9); err != nil {
		t.Fatal(err)
	}
	m.Until(2*time.Minute, "all follow", func() bool { return allAt(m, 9) })
	pingAll(t, m, time.Second)

	for _, seq := range []keys.Sequence{0, 8} {
		if err := first.Console().SetKeySequence(m.Sim.Now(), seq); !errors.Is(err, thread.ErrKeySequence) {
			t.Errorf("back to %d: %v", seq, err)
		}
	}
	if err := first.Console().SetKeySequence(m.Sim.Now(), 9); err != nil {
		t.Errorf("to the present one: %v", err)
	}
}

// TestKeyRotation moves on by itself, once for all: the first to rotate takes the others along.
func TestKeyRotation(t *testing.T) {
	m := steady(t, ideal(), 3, func(c *thread.Config) {
		stock(c)
		c.Timing.KeyRotation, c.Timing.KeySwitchGuard = time.Hour, 50*time.Minute
	})
	m.Run(time.Hour - m.Sim.Now().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) + time.Minute)
	if !allAt(m, 1) {
		t.Fatalf("sequences %v after an hour", sequences(m))
	}
	m.Run(3 * time.Hour)
	if !allAt(m, 4) {
		t.Errorf("sequences %v after four hours", sequences(m))
	}
	pingAll(t, m, time.Second)
}

// TestKeySequenceBehind lets a node that slept through rotations in.
func TestKeySequenceBehind(t *testing.T) {
	for _, seq := range []keys.Sequence{1, 2, 200} {
		t.Run(fmt.Sprint(seq), func(t *testing.T) {
			m := steady(t, ideal(), 2, stock)
			late := m.Add(1, lorasim.Position{X: 2}, stock)
			if err := m.Nodes[0].Console().SetKeySequence(m.Sim.Now(), seq); err != nil {
				t.Fatal(err)
			}
			m.Run(2 * time.Minute)
			late.Start()
			m.Until(5*time.Minute, "router", func() bool { return late.Role() >= thread.RoleRouter && m.OneMesh() })
			if !allAt(m, seq) {
				t.Errorf("sequences %v", sequences(m))
			}
			m.Run(time.Minute)
			pingAll(t, m, time.Second)
		})
	}
}

// TestKeySequenceKept starts again under the sequence that was in use.
func TestKeySequenceKept(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	if err := m.Nodes[0].Console().SetKeySequence(m.Sim.Now(), 7); err != nil {
		t.Fatal(err)
	}
	m.Until(2*time.Minute, "all follow", func() bool { return allAt(m, 7) })
	m.Nodes[1].Restart()
	if got := m.Nodes[1].Console().Keys.Sequence(); got != 7 {
		t.Errorf("sequence %d after a restart", got)
	}
}

// TestReplay takes a frame once.
func TestReplay(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p := m.AddPeer(2, lorasim.Position{})
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)

	src, dst := meshtest.LinkLocal(p.ExtAddr), meshtest.LinkLocal(n.ExtAddr())
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: dst}, 1000, 1000, []byte("once")))
	received := func() int {
		m.Run(time.Second)
		count := 0
		for {
			if _, ok := n.PollPacket(); !ok {
				return count
			}
			count++
		}
	}
	old := p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	if got := received(); got != 1 {
		t.Fatalf("received %d", got)
	}
	p.Transmit(old)
	if got := received(); got != 0 || n.Counters().RxDuplicate != 1 {
		t.Errorf("duplicate: received %d, %+v", got, n.Counters())
	}
	p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	p.Transmit(old)
	if got := received(); got != 1 || n.Counters().RxSecurity != 1 {
		t.Errorf("replay: received %d, %+v", got, n.Counters())
	}
	p.MACCounter += 5000 // lost frames, or a restart
	p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	if got := received(); got != 1 {
		t.Errorf("jump: received %d, %+v", got, n.Counters())
	}

	// The same for MLE.
	update := mle.AppendTimeout(mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice), time.Minute)
	old = p.SendMLE(dst, update)
	p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second)
	p.Transmit(old)
	m.Run(time.Second)
	if got := len(p.Find(mle.ChildUpdateResponse, n.ExtAddr())); got != 1 || n.Counters().MLEReplay != 1 {
		t.Errorf("replay: %d responses, %+v", got, n.Counters())
	}
}

// TestKeySequence_Strangers: a message under a far sequence may be a recording, of whatever age. Its sender is followed as a neighbor whose
// frame counters rise, or once it has answered a challenge; not before (Thread 1.1 §7.1.7 says "authenticated").
func TestKeySequence_Strangers(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.Timing.KeyRotation, c.Timing.KeySwitchGuard = time.Hour, time.Hour })
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p := m.AddPeer(2, lorasim.Position{})
	sequence := func() keys.Sequence { return n.Console().Keys.Sequence() }

	for _, p.KeySequence = range []keys.Sequence{1, 5, math.MaxUint32} {
		dst := meshtest.LinkLocal(n.ExtAddr())
		p.SendMLE(dst, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
		p.SendMLE(dst, mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice))
		p.SendMLE(dst, mle.AppendCommand(nil, mle.Announce))
		m.Run(time.Second)
		if sequence() != 0 {
			t.Fatalf("follows a stranger to %d", sequence())
		}
	}
	p.KeySequence = 5
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	if sequence() != 5 {
		t.Fatalf("sequence %d after a handshake under 5", sequence())
	}

	// A neighbor is followed as far as there are sequences. The last one stays.
	keepAlive := mle.AppendTimeout(mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice), time.Hour)
	p.KeySequence = math.MaxUint32 - 1
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), keepAlive)
	m.Run(30 * time.Minute)
	if sequence() != math.MaxUint32-1 {
		t.Fatalf("sequence %d, want that of the child", sequence())
	}
	m.Run(40 * time.Minute)
	if sequence() != math.MaxUint32 {
		t.Errorf("sequence %d at the end of its life", sequence())
	}
	m.Run(3 * time.Hour)
	for _, seq := range []keys.Sequence{0, 1, math.MaxUint32} {
		if err := n.Console().SetKeySequence(m.Sim.Now(), seq); !errors.Is(err, thread.ErrKeySequence) {
			t.Errorf("to %d: %v", seq, err)
		}
	}
	if sequence() != math.MaxUint32 {
		t.Errorf("sequence %d after the last one", sequence())
	}
}

// TestKeyRotation_Restarts: the life of a key sequence goes on where a restart has cut it.
func TestKeyRotation_Restarts(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	n.Start()
	for range 28 {
		m.Run(25 * time.Hour) // of which the last one may be lost
		n.PowerOff()
		n.Restart()
	}
	m.Run(time.Minute)
	if got := n.Console().Keys.Sequence(); got != 1 {
		t.Errorf("sequence %d after 28 days with a restart each", got)
	}
}
