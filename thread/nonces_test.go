package thread_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A nonce is what makes one: the key, by network key and sequence, the address and the frame counter (IEEE 802.15.4-2006 §7.6.3.2).
type nonce struct {
	network  [keys.Size]byte
	sequence uint32 // of MLE; the key index of the MAC
	ext      ieee802154.ExtAddr
	counter  uint32
	mle      bool
}

// nonces are those that were on the air, with the frame of each.
type nonces map[nonce][]byte

// note fails when a nonce comes a second time with another frame. A repetition of the same is no second use.
func (n nonces) note(t testing.TB, network [keys.Size]byte, ext ieee802154.ExtAddr, psdu []byte) {
	t.Helper()
	f := parse(t, psdu)
	use := nonce{network: network, ext: ext}
	if f.Security.Level != ieee802154.SecurityNone {
		use.sequence, use.counter = uint32(f.Security.KeyIndex), f.Security.FrameCounter
	} else if h, ok := mleHeader(&f); ok {
		use.sequence, use.counter, use.mle = uint32(h.KeySequence), h.FrameCounter, true
	} else {
		return
	}
	if before, ok := n[use]; ok && !bytes.Equal(before, psdu) {
		t.Fatalf("%+v again\n%x\n%x", use, before, psdu)
	}
	n[use] = psdu
}

// mleHeader returns the security header of an MLE message, whatever its key.
func mleHeader(f *ieee802154.Frame) (h mle.Header, ok bool) {
	b, consumed, err := lowpan.Decompress(nil, f.Payload, f.Src, f.Dst, new(lowpan.Contexts), 0)
	if f.Type != ieee802154.Data || err != nil {
		return h, false
	}
	d, err := ip6.ParseDatagram(append(b, f.Payload[consumed:]...))
	if err != nil {
		return h, false
	}
	if udp, err := ip6.ParseUDPHeader(d.Payload); err != nil || udp.DstPort != mle.UDPPort {
		return h, false
	}
	h, err = mle.ParseHeader(d.Payload[ip6.UDPHeaderSize:])
	return h, err == nil && h.Suite == mle.SuiteIEEE802154
}

// A wornStore fails, or takes the node down with it, before or after it has stored the settings.
type wornStore struct {
	thread.MemoryStore
	rand  *rand.Rand
	every int // Saves on average until something goes wrong, 0 for never
}

var errCrash = errors.New("crash")

func (s *wornStore) Save(set thread.Settings) error {
	if s.every == 0 || s.rand.IntN(s.every) > 0 {
		return s.MemoryStore.Save(set)
	}
	fate := s.rand.IntN(4)
	if fate&1 != 0 {
		_ = s.MemoryStore.Save(set)
	}
	if fate&2 != 0 {
		panic(errCrash)
	}
	return errors.New("worn out")
}

// A life is a node with a random history.
type life struct {
	*thread.Engine
	t       testing.TB
	rand    *rand.Rand
	now     time.Time
	store   *wornStore
	nonces  nonces
	network thread.Network
	ext     ieee802154.ExtAddr
	starts  int
}

func (l *life) config() thread.Config {
	l.starts++
	return thread.Config{
		NetworkKey: l.network.Key, ExtAddr: l.ext, Timing: thread.TimingIEEE802154(), Store: l.store,
		StoredNetwork: l.rand.IntN(2) == 0, Rand: meshtest.Rand(l.rand.Uint64(), l.starts),
	}
}

// boot starts the node, as after a crash.
func (l *life) boot() {
	every := l.store.every
	l.store.every = 0
	defer func() { l.store.every = every }()
	var err error
	if l.Engine, err = thread.New(l.config()); err == nil {
		err = l.Start(l.now)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.network.Key, l.ext = l.Network().Key, l.ExtAddr()
}

// transmit takes all that the node sends within d.
func (l *life) transmit(d time.Duration) {
	for end := l.now.Add(d); ; {
		if psdu, ok := l.PollTransmit(); ok {
			psdu = slices.Clone(psdu)
			l.nonces.note(l.t, l.Network().Key, l.ExtAddr(), psdu)
			l.HandleTransmitDone(l.now, nil)
			if psdu[0]&0x20 != 0 && l.rand.IntN(10) > 0 {
				l.HandleFrame(l.now, ieee802154.AppendAck(nil, psdu[2], false), -50)
			}
			continue
		}
		l.Flush()
		next, ok := l.NextTimeout()
		if !ok || next.After(end) {
			l.now = end
			return
		}
		if next.After(l.now) {
			l.now = next
		}
		l.HandleTimeout(l.now)
	}
}

// step does one thing at random, and reports whether the node has survived it.
func (l *life) step() (alive bool) {
	defer func() {
		if r := recover(); r == any(errCrash) {
			alive = false
		} else if r != nil {
			panic(r)
		}
	}()
	switch l.rand.IntN(10) {
	case 0:
		return false // a crash without warning
	case 1:
		_ = l.Console().SetKeySequence(l.now, l.Console().Keys.Sequence()+1)
	case 2:
		l.Stop(l.now)
		l.network.Key = [keys.Size]byte{byte(l.rand.IntN(2))}
		n := l.Network()
		n.Key = l.network.Key
		if err := l.Console().SetNetwork(n); err != nil {
			l.t.Fatal(err)
		}
		_ = l.Start(l.now)
	case 3:
		l.Stop(l.now)
		l.ext = meshtest.ExtAddr(1 + l.rand.IntN(2))
		if err := l.Console().SetExtAddr(l.ext); err != nil {
			l.t.Fatal(err)
		}
		_ = l.Start(l.now)
	case 4:
		l.Stop(l.now)
		l.transmit(time.Second)
		_ = l.Start(l.now)
	case 9: // another key by the dataset, and perhaps one that it has had before
		n := l.Network()
		n.Key = [keys.Size]byte{byte(l.rand.IntN(2))}
		_ = l.ChangeNetwork(l.now, n, 0) // while detached it fails
		l.transmit(6 * time.Minute)
	case 5:
		l.transmit(time.Duration(l.rand.IntN(20)) * time.Minute) // messages of its own
	default:
		for range l.rand.IntN(400) {
			dst := meshtest.LinkLocal(meshtest.ExtAddr(9))
			h := ip6.Header{HopLimit: 64, Src: l.SelectSource(dst), Dst: dst}
			packet := must(ip6.AppendUDP(nil, h, 1000, 1000, []byte{byte(l.rand.IntN(256)), byte(l.rand.IntN(256))}))
			_ = l.HandlePacket(l.now, packet)
			l.transmit(100 * time.Millisecond)
		}
	}
	l.transmit(time.Second)
	return true
}

// TestNonces_NeverTwice: whatever a node goes through, rotations, changes of key and address and back, restarts, crashes in the middle of
// storing, a store that fails, no two frames share key, address and frame counter: they would give away their plaintexts
// (IEEE 802.15.4-2006 §7.6.3.2, Annex B). Some of the nodes are at the end of their counters when they begin.
func TestNonces_NeverTwice(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 6
	}
	frames := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			l := &life{t: t, rand: r, nonces: nonces{}, store: &wornStore{rand: r}, ext: meshtest.ExtAddr(1)}
			l.now = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
			if seed%3 == 0 {
				_ = l.store.Save(thread.Settings{MACFrameCounter: math.MaxUint32 - 12000, MLEFrameCounter: math.MaxUint32 - r.Uint32N(20000)})
			}
			if seed%2 == 0 {
				l.store.every = 1 + r.IntN(10)
			}
			l.boot()
			for range 40 {
				if !l.step() {
					l.network.Key, l.ext = [keys.Size]byte{byte(r.IntN(2))}, meshtest.ExtAddr(1+r.IntN(2))
					l.boot()
				}
				if seq := l.Console().Keys.Sequence(); seq > 127 {
					t.Fatalf("the test is wrong: sequence %d", seq)
				}
			}
			frames += len(l.nonces)
		})
	}
	if frames < 300*int(seeds) {
		t.Errorf("only %d frames", frames)
	}
}

// TestNonces_EndOfCounters: a node whose counters end moves the key sequence on, to one that was never used, and goes on from zero. So it
// does with a store that is at the very end already. At the last sequence it is mute, and does not begin anew.
func TestNonces_EndOfCounters(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings thread.Settings
		want     keys.Sequence
		mute     bool
	}{
		{"MAC", thread.Settings{MACFrameCounter: math.MaxUint32 - 11000}, 1, false},
		{"MLE", thread.Settings{MLEFrameCounter: math.MaxUint32 - 10001}, 1, false},
		{"stored at the end", thread.Settings{MACFrameCounter: math.MaxUint32, MLEFrameCounter: math.MaxUint32}, 1, false},
		{"stored just before", thread.Settings{MACFrameCounter: math.MaxUint32 - 1, MLEFrameCounter: 5}, 1, false},
		{"above all that were used", thread.Settings{MACFrameCounter: math.MaxUint32, HighestKeySequence: 70}, 71, false},
		{"at the last sequence", thread.Settings{MACFrameCounter: math.MaxUint32, MLEFrameCounter: math.MaxUint32,
			HighestKeySequence: math.MaxUint32}, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := new(thread.MemoryStore)
			_ = store.Save(tt.settings)
			b := newBench(t, func(c *thread.Config) { stock(c); c.Store = store })
			heard := 0
			for range 1200 {
				if !tt.mute {
					b.sendTo(2, 1, 0)
				}
				for range 10 {
					psdu, ok := b.wait(100 * time.Millisecond)
					if !ok {
						break
					}
					heard++
					b.HandleTransmitDone(b.now, nil)
					b.ack(psdu)
				}
				b.Flush()
			}
			if b.Console().Keys.Sequence() != tt.want || (heard == 0) != tt.mute {
				t.Errorf("sequence %d, %d frames", b.Console().Keys.Sequence(), heard)
			}
			if s, _, _ := store.Load(); !tt.mute && (s.MACFrameCounter > 5000 || s.MLEFrameCounter > 5000 || s.LeastKeySequence != tt.want) {
				t.Errorf("stored %+v", s)
			}
		})
	}
}

// TestNonces_StoreOfEarlierVersion: settings whose counters began anew with each key sequence do not lead back to one before.
func TestNonces_StoreOfEarlierVersion(t *testing.T) {
	store := new(thread.MemoryStore)
	_ = store.Save(thread.Settings{NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), KeySequence: 5, MACFrameCounter: 70})
	b := newBench(t, func(c *thread.Config) { stock(c); c.Store = store; c.NetworkKey = [16]byte{1} })
	if got := b.Console().Keys.Sequence(); got != 5 {
		t.Errorf("sequence %d under another key", got)
	}
}

// IEEE 802.15.4-2006 §7.5.8.2.3: a frame counter that has come to its end secures nothing. At the last key sequence there is no way on. The
// node says so: in the log before and when it has come to that, once each, to who wants to send, and in a counter.
func TestNonces_EndOfAll(t *testing.T) {
	store := new(thread.MemoryStore)
	_ = store.Save(thread.Settings{
		NetworkKey: meshtest.NetworkKey, ExtAddr: meshtest.ExtAddr(1), MACFrameCounter: math.MaxUint32 - 20,
		KeySequence: math.MaxUint32, LeastKeySequence: math.MaxUint32, HighestKeySequence: math.MaxUint32,
	})
	var log bytes.Buffer
	b := newBench(t, func(c *thread.Config) {
		idle(thread.TimingIEEE802154())(c)
		c.Store, c.Logger = store, slog.New(slog.NewTextHandler(&log, nil))
	})
	if !strings.Contains(log.String(), "come to their end") {
		t.Errorf("no warning: %s", log.String())
	}
	dst := meshtest.LinkLocal(meshtest.ExtAddr(2))
	packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: b.SelectSource(dst), Dst: dst}, 1000, 1000, []byte("x")))
	sent, taken := 0, 0
	var err error
	for err == nil && taken < 100 {
		if err = b.HandlePacket(b.now, packet); err == nil {
			taken++
		}
		for {
			if _, ok := b.wait(100 * time.Millisecond); !ok {
				break
			}
			sent++
			b.HandleTransmitDone(b.now, nil)
		}
		b.Flush()
	}
	if !errors.Is(err, thread.ErrCounters) || sent != 20 {
		t.Errorf("%d taken, %d sent, then %v", taken, sent, err)
	}
	for range 1000 {
		b.Flush()
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors", n)
	}
	if c := b.Counters(); c.TxUnsecured != uint64(taken-sent) || c.TxDatagramsFailed != 0 || c.TxDatagrams != uint64(sent) {
		t.Errorf("%d taken: %+v", taken, c)
	}
}
