package pymesh_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

func TestCloseImmediately(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		for range 100 {
			n := m.start(m.radio())
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestCloseTwice(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 2 {
					if err := n.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestCloseUnblocks: Close ends all that waits for the node.
func TestCloseUnblocks(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		detached := m.start(m.radio(), pymesh.WithKey(pymesh.MustParseKey("616e6f74686572206b6579")))
		c := m.listen(n, "[::]:1234")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Read(make([]byte, 10)); !errors.Is(err, pymesh.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
		})
		wg.Go(func() {
			for range n.Events(context.Background()) {
			}
		})
		wg.Go(func() {
			_, err := n.Ping(context.Background(), netip.MustParseAddr("fdde:ad00:beef::1"), 8)
			if !errors.Is(err, pymesh.ErrClosed) {
				t.Errorf("Ping: %v", err)
			}
		})
		wg.Go(func() {
			if err := detached.WaitAttached(context.Background()); !errors.Is(err, pymesh.ErrClosed) {
				t.Errorf("WaitAttached: %v", err)
			}
		})
		synctest.Wait()
		n.Close()
		detached.Close()
		start := time.Now()
		wg.Wait()
		if d := time.Since(start); d != 0 {
			t.Errorf("unblocked after %v", d)
		}
	})
}

// TestCloseWhileSending: a packet that is on the air is cut short.
func TestCloseWhileSending(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		m.send(c, string(make([]byte, 1000)), netip.MustParseAddrPort("[ff02::1]:1234"))
		time.Sleep(500 * time.Millisecond)
		start := time.Now()
		n.Close()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

// ownContext is a context of a kind that package context does not know, for which it must start goroutines.
type ownContext struct{ context.Context }

func (ownContext) Done() <-chan struct{} { return never }

var never = make(chan struct{})

// TestNoGoroutineLeft counts goroutines, outside of a bubble.
func TestNoGoroutineLeft(t *testing.T) {
	air := lorasim.NewAir(lorasim.Options{Speed: 1000})
	radio := air.Radio(lora.Config{}, lorasim.Position{})
	before := runtime.NumGoroutine()
	for range 10 {
		n, err := pymesh.New(radio, pymesh.WithKey(testKey))
		if err != nil {
			t.Fatal(err)
		}
		called := make(chan struct{})
		n.OnReceive(func(*pymesh.UDPConn) { close(called) })
		n.Events(ownContext{context.Background()})
		if err := n.WaitAttached(context.Background()); err != nil {
			t.Fatal(err)
		}
		c, err := n.ListenUDP(netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Hour))
		if _, err := c.WriteTo([]byte("x"), udpAddr(at(n, localPort(c)))); err != nil {
			t.Fatal(err)
		}
		<-called
		n.Close()
	}
	// What has told that it is done may still be about to end.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// TestNewAgain: after Close the radio is free for another node.
func TestNewAgain(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		peer := m.attached()
		radio := m.radio()
		for range 5 {
			n := m.start(radio)
			m.wait(n)
			m.ping(n, peer.MeshLocalEID(), 8)
			n.Close()
		}
	})
}

// counters are the lowest and the highest frame counters that a node used.
type counters struct{ macLow, macHigh, mleLow, mleHigh uint32 }

// countersOf finds them in a capture.
func countersOf(t *testing.T, mac pymesh.MAC, capture []byte) counters {
	t.Helper()
	c := counters{macLow: ^uint32(0), mleLow: ^uint32(0)}
	for _, f := range dissected(t, capture) {
		if f.MAC.Opened && f.MAC.Sender.String() == mac.String() {
			c.macLow, c.macHigh = min(c.macLow, f.MAC.Security.FrameCounter), max(c.macHigh, f.MAC.Security.FrameCounter)
		}
		if f.MLE != nil && f.MLE.Sender.String() == mac.String() {
			c.mleLow, c.mleHigh = min(c.mleLow, f.MLE.FrameCounter), max(c.mleHigh, f.MLE.FrameCounter)
		}
	}
	return c
}

// dissected takes a capture apart.
func dissected(t *testing.T, capture []byte) (frames []dissect.Frame) {
	t.Helper()
	r, err := pcap.NewReader(bytes.NewReader(capture))
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != pcap.IEEE802154 {
		t.Fatalf("link type %v", r.LinkType())
	}
	key := testKey.Bytes()
	d := dissect.New(key)
	for {
		rec, err := r.Next()
		if err != nil {
			return frames
		}
		frames = append(frames, d.Dissect(rec.Time, bytes.Clone(rec.Data)))
	}
}

// TestRestart: a node with the store of an earlier one is the same node. Its frame counters go on, so that peers, who
// refuse what they have seen, listen to it.
func TestRestart(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		peer := m.attached()
		radio := m.radio()
		store := new(pymesh.MemoryStore)
		type life struct {
			mac  pymesh.MAC
			eid  netip.Addr
			rloc pymesh.RLOC16
			counters
		}
		var lives []life
		for range 3 {
			var capture bytes.Buffer
			n := m.start(radio, pymesh.WithStore(store), pymesh.WithCapture(&capture))
			m.wait(n)
			l := life{mac: n.MAC(), eid: n.MeshLocalEID(), rloc: n.RLOC16()}
			m.ping(n, peer.MeshLocalEID(), 8)
			m.ping(peer, n.MeshLocalEID(), 8)
			n.Close()
			time.Sleep(10 * time.Second) // for so long peers remember the number of its last multicast, which begins at 0
			l.counters = countersOf(t, l.mac, capture.Bytes())
			lives = append(lives, l)
		}
		for i, l := range lives[1:] {
			last := lives[i]
			if l.mac != last.mac || l.eid != last.eid || l.rloc != last.rloc {
				t.Errorf("life %d: %+v, before %+v", i+2, l, last)
			}
			if l.macLow <= last.macHigh || l.mleLow <= last.mleHigh {
				t.Errorf("life %d used frame counters again: %+v, before %+v", i+2, l.counters, last.counters)
			}
		}
	})
}

// TestOtherMACSameStore: frame counters go on even if the address changes.
func TestOtherMACSameStore(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		store := new(pymesh.MemoryStore)
		radio := m.radio()
		n := m.start(radio, pymesh.WithStore(store), pymesh.WithMAC(1))
		m.wait(n)
		eid := n.MeshLocalEID()
		n.Close()
		n = m.start(radio, pymesh.WithStore(store), pymesh.WithMAC(2))
		if n.MAC() != 2 || n.MeshLocalEID() == eid {
			t.Errorf("%v with %v", n, n.MeshLocalEID())
		}
	})
}

// TestRadioClosed: a node whose radio is closed under it ends by itself, and says why.
func TestRadioClosed(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		radio := m.radio()
		n := m.start(radio)
		c := m.listen(n, "[::]:1234")
		time.AfterFunc(time.Second, func() { radio.Close() })
		if err := n.WaitAttached(context.Background()); !errors.Is(err, lora.ErrClosed) || !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("WaitAttached: %v", err)
		}
		if _, err := c.Read(nil); !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("Read: %v", err)
		}
		if err := n.Err(); !errors.Is(err, lora.ErrClosed) {
			t.Errorf("Err: %v", err)
		}
		if n.State() != pymesh.StateDisabled {
			t.Errorf("state %v", n.State())
		}
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := n.Err(); !errors.Is(err, lora.ErrClosed) {
			t.Errorf("Err after Close: %v", err)
		}
		radio.Reopen()
		m.wait(m.start(radio))
	})
}

// TestCloseLeavesRadioOpen: the radio is its owner's to close.
func TestCloseLeavesRadioOpen(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		radio := m.radio()
		m.start(radio).Close()
		if err := radio.Send(context.Background(), []byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// TestWithCapture: the capture holds exactly what the radio sent and heard, and all of it can be read.
func TestWithCapture(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		peer := m.attached()
		radio := m.radio()
		var capture bytes.Buffer
		n := m.start(radio, pymesh.WithCapture(&capture))
		m.wait(n)
		m.ping(n, peer.MeshLocalEID(), 300)
		time.Sleep(10 * time.Second)
		n.Close()
		frames := dissected(t, capture.Bytes())
		stats := radio.Stats()
		if got, want := uint64(len(frames)), stats.Sent+stats.Delivered; got != want || stats.Sent == 0 || stats.Delivered == 0 {
			t.Errorf("%d frames in the capture, want %d sent and %d received", got, stats.Sent, stats.Delivered)
		}
		echoes := map[string]int{}
		for i, f := range frames {
			if f.Problem != nil {
				t.Errorf("%s: %v", f.Summary(), f.Problem)
			}
			if i > 0 && f.Time.Before(frames[i-1].Time) {
				t.Errorf("frame %d goes back in time", i)
			}
			if f.ICMPv6 != nil {
				echoes[f.ICMPv6.Type.String()]++
			}
		}
		if len(echoes) != 2 {
			t.Errorf("echo request and reply in the capture: %v", echoes)
		}
	})
}

// halfWriter fails after its first bytes.
type halfWriter struct{ left int }

func (w *halfWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

// TestCaptureFails: the node goes on without.
func TestCaptureFails(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		w := &halfWriter{left: 100}
		m.attached(pymesh.WithCapture(w))
		left := w.left
		time.Sleep(time.Minute)
		if left >= 0 || w.left != left {
			t.Errorf("%d bytes left, then %d", left, w.left)
		}
	})
}
