package mac

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

var (
	toUs      = neighbors.ShortAddr(rloc)
	toUsExt   = ieee802154.ExtAddress(own)
	fromChild = neighbors.ShortAddr(child)
	fromFar   = neighbors.ShortAddr(far)
)

// A letter is a frame of another node.
type letter struct {
	f   ieee802154.Frame
	ext ieee802154.ExtAddr // of the sender
	seq keys.Sequence      // under which it is secured
}

// letterFrom is a data frame to this node from src, which has the extended address ext. It is not secured.
func letterFrom(src ieee802154.Addr, ext ieee802154.ExtAddr) letter {
	return letter{ext: ext, f: ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: 77,
		DstPAN: pan, SrcPAN: pan, Dst: toUs, Src: src, Payload: []byte("letter"),
	}}
}

// secure secures a letter under a key sequence and a frame counter.
func (l letter) secure(seq keys.Sequence, counter uint32) letter {
	l.seq = seq
	l.f.Security = ieee802154.SecurityHeader{
		Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, KeyIndex: seq.Index(), FrameCounter: counter,
	}
	return l
}

// with returns a letter with changes to the frame.
func (l letter) with(change func(*ieee802154.Frame)) letter {
	change(&l.f)
	return l
}

// encode returns the letter as it is on the air.
func (n *node) encode(l letter) []byte {
	n.t.Helper()
	if l.f.Security.Level == ieee802154.SecurityNone {
		return must(l.f.AppendBinary(nil))
	}
	return must(l.f.AppendSealed(nil, n.network.MAC(l.seq), l.ext))
}

// hear receives a letter at -70 dBm.
func (n *node) hear(l letter) (Received, bool) {
	n.t.Helper()
	return n.HandleFrame(n.encode(l), -70)
}

// acknowledged reports whether an acknowledgement of a frame with a sequence number is sent, and sends it.
func (n *node) acknowledged(seq uint8) bool {
	n.t.Helper()
	psdu, ok := n.PollTransmit()
	if ok {
		if want := ieee802154.AppendAck(nil, seq, false); !bytes.Equal(psdu, want) {
			n.t.Fatalf("acknowledgement %x, want %x", psdu, want)
		}
		n.HandleTransmitDone(errChannel) // a lost one is the peer's to notice
	}
	return ok
}

// drops are the counters of what becomes of a received frame, but for RxData.
var drops = []struct {
	name string
	of   func(*Counters) *uint64
}{
	{"RxAcks", func(c *Counters) *uint64 { return &c.RxAcks }},
	{"RxCommands", func(c *Counters) *uint64 { return &c.RxCommands }},
	{"RxBeacons", func(c *Counters) *uint64 { return &c.RxBeacons }},
	{"RxMalformed", func(c *Counters) *uint64 { return &c.RxMalformed }},
	{"RxOtherDestination", func(c *Counters) *uint64 { return &c.RxOtherDestination }},
	{"RxOwnSource", func(c *Counters) *uint64 { return &c.RxOwnSource }},
	{"RxUnknownNeighbor", func(c *Counters) *uint64 { return &c.RxUnknownNeighbor }},
	{"RxFiltered", func(c *Counters) *uint64 { return &c.RxFiltered }},
	{"RxSecurity", func(c *Counters) *uint64 { return &c.RxSecurity }},
	{"RxDuplicate", func(c *Counters) *uint64 { return &c.RxDuplicate }},
	{"RxUnsupported", func(c *Counters) *uint64 { return &c.RxUnsupported }},
}

// total is the number of frames that something became of.
func total(c Counters) uint64 {
	sum := c.RxData
	for _, d := range drops {
		sum += *d.of(&c)
	}
	return sum
}

// IEEE 802.15.4-2006 §7.5.6.2, third level of filtering, and §7.5.6.4: what is for this node alone is acknowledged, if it asks for that.
func TestAddressFilter(t *testing.T) {
	to := func(p ieee802154.PANID, dst ieee802154.Addr) func(*ieee802154.Frame) {
		return func(f *ieee802154.Frame) { f.DstPAN, f.Dst = p, dst }
	}
	const otherPAN = 0x4321
	for _, tt := range []struct {
		name         string
		change       func(*ieee802154.Frame)
		taken, acked bool
	}{
		{"short address", to(pan, toUs), true, true},
		{"extended address", to(pan, toUsExt), true, true},
		{"no acknowledgement asked for", func(f *ieee802154.Frame) { f.AckRequest = false }, true, false},
		{"broadcast", to(pan, broadcast), true, false},
		{"another short address", to(pan, fromFar), false, false},
		{"another extended address", to(pan, ieee802154.ExtAddress(farExt)), false, false},
		{"no short address", to(pan, ieee802154.ShortAddress(ieee802154.NoShortAddr)), false, false},
		{"another PAN", to(otherPAN, toUs), false, false},
		{"another PAN, extended address", to(otherPAN, toUsExt), false, false},
		{"another PAN, broadcast", to(otherPAN, broadcast), false, false},
		{"broadcast PAN", to(ieee802154.BroadcastPAN, toUs), true, true},
		{"broadcast PAN, extended address", to(ieee802154.BroadcastPAN, toUsExt), false, false},
		{"broadcast PAN, broadcast", to(ieee802154.BroadcastPAN, broadcast), true, false},
		{"no destination", func(f *ieee802154.Frame) { f.Dst = ieee802154.Addr{} }, true, false},
		{"command", func(f *ieee802154.Frame) { f.Type, f.Command = ieee802154.Command, ieee802154.BeaconRequest }, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			n.hear(letterFrom(fromChild, childExt).with(tt.change))
			if taken := n.Counters.RxOtherDestination == 0; taken != tt.taken || total(n.Counters) != 1 {
				t.Errorf("taken: %v, %+v", taken, n.Counters)
			}
			if acked := n.acknowledged(77); acked != tt.acked {
				t.Errorf("acknowledged: %v", acked)
			}
		})
	}

	// Without a short address only the extended one remains; 0xfffe is nobody's.
	n := newNode(t, timing)
	n.SetAddress(pan, mle.InvalidRLOC16)
	for _, dst := range []ieee802154.Addr{toUs, ieee802154.ShortAddress(ieee802154.NoShortAddr), toUsExt} {
		n.hear(letterFrom(fromChild, childExt).with(to(pan, dst)))
	}
	if n.Counters.RxOtherDestination != 2 || n.Counters.RxData != 1 {
		t.Errorf("%+v", n.Counters)
	}
}

// An acknowledgement goes before the frame in work, whatever that waits for. More of them than a radio can owe are not kept.
func TestPendingAcks(t *testing.T) {
	n := newNode(t, timing)
	n.send(frame(toChild))
	n.try()
	ask := func(first, count uint8) {
		for seq := range count {
			n.hear(letterFrom(fromChild, childExt).with(func(f *ieee802154.Frame) { f.Seq = first + seq }))
		}
	}
	ask(10, 6)
	if _, ok := n.PollTransmit(); ok {
		t.Fatal("two packets for one radio")
	}
	n.HandleTransmitDone(errChannel)
	n.sleep() // the frame is ready again
	for seq := range uint8(maxPendingAcks) {
		if !n.acknowledged(10 + seq) {
			t.Fatalf("%d is not acknowledged", 10+seq)
		}
	}
	if psdu, ok := n.PollTransmit(); !ok || parse(t, psdu).Type != ieee802154.Data {
		t.Fatalf("%v, %x", ok, psdu)
	}
	n.HandleTransmitDone(ErrRefused)
	if n.Counters.TxAcks != maxPendingAcks {
		t.Errorf("%+v", n.Counters)
	}

	// The one under way counts, and its bytes stay what they are.
	ask(20, 1)
	under, _ := n.PollTransmit()
	ask(21, 4)
	if under[2] != 20 {
		t.Errorf("acknowledgement of %d turns into %d", 20, under[2])
	}
	n.HandleTransmitDone(nil)
	for seq := range uint8(3) {
		if !n.acknowledged(21 + seq) {
			t.Fatalf("%d is not acknowledged", 21+seq)
		}
	}
	if _, ok := n.PollTransmit(); ok {
		t.Error("more acknowledgements than are kept")
	}
}

// A data frame with a payload goes up, with what is known of it.
func TestReceived(t *testing.T) {
	for _, tt := range []struct {
		name string
		l    letter
		want Received
		ok   bool
	}{
		{"plain", letterFrom(fromChild, childExt), Received{Src: fromChild, Dst: toUs, PAN: pan, RSSI: -70}, true},
		{"secured", letterFrom(fromChild, childExt).secure(0, 5), Received{Src: fromChild, Dst: toUs, PAN: pan, RSSI: -70, Secured: true}, true},
		{"from a stranger, of another PAN", letterFrom(ieee802154.ExtAddress(stranger), stranger).with(func(f *ieee802154.Frame) {
			f.PANIDCompression, f.SrcPAN, f.Dst = false, 0x4321, broadcast
		}), Received{Src: ieee802154.ExtAddress(stranger), Dst: broadcast, PAN: 0x4321, RSSI: -70}, true},
		{"without source", letterFrom(ieee802154.Addr{}, stranger), Received{Dst: toUs, RSSI: -70}, true},
		{"empty", letterFrom(fromChild, childExt).with(func(f *ieee802154.Frame) { f.Payload = nil }), Received{}, false},
		{"secured, empty", letterFrom(fromChild, childExt).secure(0, 5).with(func(f *ieee802154.Frame) { f.Payload = nil }), Received{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			got, ok := n.hear(tt.l)
			if ok && string(got.Payload) != "letter" {
				t.Errorf("payload %x", got.Payload)
			}
			got.Payload = nil
			if ok != tt.ok || got.Src != tt.want.Src || got.Dst != tt.want.Dst || got.PAN != tt.want.PAN || got.RSSI != tt.want.RSSI ||
				got.Secured != tt.want.Secured {
				t.Errorf("%v, %+v", ok, got)
			}
			if n.Counters.RxData != 1 || total(n.Counters) != 1 || n.Counters.RxUnicast+n.Counters.RxBroadcast != 1 {
				t.Errorf("%+v", n.Counters)
			}
		})
	}
}

// Each frame that does not go up is in one counter, and leaves no trace otherwise but for its acknowledgement: a plain one says of itself
// whose it is, and nobody else does.
func TestDrops(t *testing.T) {
	plain, secured := letterFrom(fromChild, childExt), letterFrom(fromChild, childExt).secure(0, 5)
	toAll := func(f *ieee802154.Frame) { f.Dst, f.AckRequest = broadcast, false }
	for _, tt := range []struct {
		name    string
		counter string
		psdu    func(*node) []byte
		passed  bool // the filters let it pass
	}{
		{"empty packet", "RxMalformed", func(*node) []byte { return nil }, false},
		{"truncated", "RxMalformed", func(n *node) []byte { return n.encode(secured)[:10] }, false},
		{"reserved type", "RxMalformed", func(n *node) []byte { b := n.encode(plain); b[0] |= 4; return b }, false},
		{"acknowledgement", "RxAcks", func(*node) []byte { return ieee802154.AppendAck(nil, 1, false) }, false},
		{"of another node", "RxOtherDestination", func(n *node) []byte {
			return n.encode(secured.with(func(f *ieee802154.Frame) { f.Dst = fromFar }))
		}, false},
		{"of another node, short", "RxOtherDestination", func(n *node) []byte {
			return n.encode(plain.with(func(f *ieee802154.Frame) { f.Dst, f.Payload = fromFar, []byte{1} }))
		}, false},
		{"own extended address", "RxOwnSource", func(n *node) []byte {
			return n.encode(letterFrom(ieee802154.ExtAddress(own), own).with(toAll))
		}, false},
		{"unknown short address", "RxUnknownNeighbor", func(n *node) []byte {
			return n.encode(letterFrom(neighbors.ShortAddr(0x4400), stranger).secure(0, 1))
		}, false},
		{"unknown short address, broadcast", "RxUnknownNeighbor", func(n *node) []byte {
			return n.encode(letterFrom(neighbors.ShortAddr(0x4400), stranger).with(toAll))
		}, false},
		{"own short address", "RxUnknownNeighbor", func(n *node) []byte { return n.encode(letterFrom(toUs, own)) }, false},
		{"filtered", "RxFiltered", func(n *node) []byte { n.Filter.SetMode(FilterWhitelist); return n.encode(plain) }, false},
		{"secured, without source", "RxSecurity", func(n *node) []byte {
			return n.encode(letterFrom(ieee802154.Addr{}, stranger).secure(0, 1))
		}, true},
		{"secured by a stranger", "RxSecurity", func(n *node) []byte {
			return n.encode(letterFrom(ieee802154.ExtAddress(stranger), stranger).secure(0, 1))
		}, true},
		{"command", "RxCommands", func(n *node) []byte {
			return n.encode(plain.with(func(f *ieee802154.Frame) { f.Type, f.Command = ieee802154.Command, ieee802154.DataRequest }))
		}, true},
		{"beacon", "RxBeacons", func(n *node) []byte {
			return n.encode(plain.with(func(f *ieee802154.Frame) { f.Type, f.Dst = ieee802154.Beacon, ieee802154.Addr{} }))
		}, true},
		{"secured by a neighbor that is not valid", "RxUnknownNeighbor", func(n *node) []byte {
			n.table.Change(n.child, neighbors.Restored)
			return n.encode(secured)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			if got, ok := n.HandleFrame(tt.psdu(n), -70); ok && !got.Own && got.Type == ieee802154.Data || ok != (tt.counter == "RxOwnSource" || tt.counter == "RxBeacons") {
				t.Errorf("goes up: %+v, %v", got, ok)
			}
			for _, d := range drops {
				if got := *d.of(&n.Counters); got == 1 != (d.name == tt.counter) {
					t.Errorf("%s is %d", d.name, got)
				}
			}
			if n.Counters.RxFrames != 1 || total(n.Counters) != 1 {
				t.Errorf("%+v", n.Counters)
			}
			if passed := n.Counters.RxUnicast+n.Counters.RxBroadcast == 1; passed != tt.passed {
				t.Errorf("passed the filters: %v", passed)
			}
			if n.child.Link != (neighbors.LinkInfo{}) || n.child.MAC.Next() != 0 {
				t.Errorf("%+v, next counter %d", n.child.Link, n.child.MAC.Next())
			}
		})
	}
}

// As long as the interface is down frames are counted, and that is all.
func TestOff(t *testing.T) {
	n := newNode(t, timing)
	n.On = false
	if _, ok := n.hear(letterFrom(fromChild, childExt).secure(0, 5)); ok || n.acknowledged(77) {
		t.Error("something is done")
	}
	if want := (Counters{RxFrames: 1}); n.Counters != want {
		t.Errorf("%+v", n.Counters)
	}
}

// Thread 1.1 §7.2 and IEEE 802.15.4-2006 §7.5.8.2.3: Thread's one security level, key identifier mode 1, a key index near the present
// one, a frame counter that goes up.
func TestSecurity(t *testing.T) {
	n := newNode(t, timing)
	n.keys.Restore(10, 0)
	l := letterFrom(fromChild, childExt)
	for _, tt := range []struct {
		name string
		psdu []byte
		want string // counter
	}{
		{"first", n.encode(l.secure(10, 5)), "RxData"},
		{"duplicate", n.encode(l.secure(10, 5)), "RxDuplicate"},
		{"replay", n.encode(l.secure(10, 4)), "RxSecurity"},
		{"lost frames between", n.encode(l.secure(10, 5000)), "RxData"},
		{"last counter of all", n.encode(l.secure(10, 0xffffffff)), "RxSecurity"},
		{"other level", n.encode(l.secure(10, 6000).with(func(f *ieee802154.Frame) { f.Security.Level = ieee802154.SecurityENCMIC64 })),
			"RxSecurity"},
		{"integrity alone", n.encode(l.secure(10, 6000).with(func(f *ieee802154.Frame) { f.Security.Level = ieee802154.SecurityMIC32 })),
			"RxSecurity"},
		{"other key identifier mode", n.encode(l.secure(10, 6000).with(func(f *ieee802154.Frame) {
			f.Security.KeyIDMode = ieee802154.KeyIDModeSource4
		})), "RxSecurity"},
		{"unknown key index", n.encode(l.secure(12, 6000)), "RxSecurity"},
		{"key of another index", n.encode(l.secure(11, 6000).with(func(f *ieee802154.Frame) { f.Security.KeyIndex = 11 })), "RxSecurity"},
		{"nonce of another node", n.encode(letterFrom(fromChild, farExt).secure(10, 6000)), "RxSecurity"},
		{"one bit flipped", flip(n.encode(l.secure(10, 6000)), 20), "RxSecurity"},
		{"one bit of the header flipped", flip(n.encode(l.secure(10, 6000)), 2), "RxSecurity"},
		{"another bit of the FCS", flip(n.encode(l.secure(10, 6000)), -1), "RxData"},
		{"counter of what was forged", n.encode(l.secure(10, 6000)), "RxDuplicate"},
		{"previous sequence, which has ended", n.encode(l.secure(9, 9000)), "RxSecurity"},
	} {
		before := n.Counters
		_, up := n.HandleFrame(tt.psdu, -70)
		name := "RxData"
		for _, d := range drops {
			if *d.of(&n.Counters) != *d.of(&before) {
				name = d.name
			}
		}
		if name != tt.want || up != (tt.want == "RxData") || total(n.Counters) != total(before)+1 {
			t.Errorf("%s: %s, goes up: %v", tt.name, name, up)
		}
		if !n.acknowledged(tt.psdu[2]) {
			t.Errorf("%s: not acknowledged: the sender would repeat it in vain", tt.name)
		}
	}
	if n.keys.Sequence() != 10 {
		t.Errorf("follows to sequence %d", n.keys.Sequence())
	}
}

// flip flips a bit of one byte, of those before the end if i is negative.
func flip(b []byte, i int) []byte {
	b[(i+len(b))%len(b)] ^= 1
	return b
}

// Thread 1.1 §7.1.5: the node follows a valid neighbor to the next key sequence, and understands the previous one, of a neighbor that
// has not moved yet.
func TestKeySequence(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state neighbors.State
		seq   keys.Sequence
		up    bool
		want  keys.Sequence
	}{
		{"present", neighbors.Valid, 10, true, 10},
		{"next", neighbors.Valid, 11, true, 11},
		{"previous", neighbors.Valid, 9, true, 10},
		{"next, neighbor not valid", neighbors.Restored, 11, false, 10},
		{"the one after the next", neighbors.Valid, 12, false, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			n.keys.Restore(10, 0)
			n.Counter.Restore(500)
			n.table.Change(n.child, tt.state)
			l := letterFrom(fromChild, childExt).secure(tt.seq, 5)
			if _, up := n.hear(l); up != tt.up || n.keys.Sequence() != tt.want {
				t.Errorf("goes up: %v, sequence %d", up, n.keys.Sequence())
			}
			if moved := n.moves > 0; moved != (tt.want != 10) || n.Counter.Next() != 500 {
				t.Errorf("moved: %v, own frame counter %d", moved, n.Counter.Next())
			}
			if tt.up && (n.child.MAC.Sequence() != tt.seq || n.child.MAC.Next() != 6) {
				t.Errorf("neighbor at %d of sequence %d", n.child.MAC.Next(), n.child.MAC.Sequence())
			}
		})
	}

	n := newNode(t, timing)
	forged := flip(n.encode(letterFrom(fromChild, childExt).secure(1, 5)), -3)
	n.HandleFrame(forged, -70)
	if n.keys.Sequence() != 0 || n.Counters.RxSecurity != 1 {
		t.Error("follows a forged frame")
	}
}

// How well and when a neighbor was heard: by a frame that the MAC has authenticated, or somebody above.
func TestHeard(t *testing.T) {
	later := epoch.Add(time.Minute)
	for _, tt := range []struct {
		name string
		l    letter
		of   func(*node) *neighbors.Neighbor
		life bool // it counts as a sign of life
	}{
		{"child, plain", letterFrom(fromChild, childExt), func(n *node) *neighbors.Neighbor { return n.child }, false},
		{"child, secured", letterFrom(fromChild, childExt).secure(0, 5), func(n *node) *neighbors.Neighbor { return n.child }, false},
		{"router, plain", letterFrom(fromFar, farExt), func(n *node) *neighbors.Neighbor { return n.far }, false},
		{"router, secured", letterFrom(fromFar, farExt).secure(0, 5), func(n *node) *neighbors.Neighbor { return n.far }, true},
		{"router, extended address", letterFrom(ieee802154.ExtAddress(farExt), farExt).secure(0, 5),
			func(n *node) *neighbors.Neighbor { return n.far }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, fixed := range []bool{false, true} {
				n := newNode(t, timing)
				record := tt.of(n)
				record.Link.Reset(&timing.Scale, -90)
				want := int(-80) // the average of -90 and -70
				if fixed {
					if err := n.Filter.Fix(tt.l.ext, -40); err != nil {
						t.Fatal(err)
					}
					want = -40
				}
				record.PauseUntil = later.Add(time.Hour)
				n.core.Advance(later)
				got, ok := n.hear(tt.l)
				if !got.Secured {
					if record.Link.RSSI() != -90 || record.PauseUntil.IsZero() {
						t.Errorf("a plain frame counts: %+v", record.Link)
					}
					n.Vouch(stranger)
					if record.Link.RSSI() != -90 {
						t.Errorf("a stranger's frame counts: %+v", record.Link)
					}
					got, ok = n.hear(tt.l)
					n.Vouch(tt.l.ext)
				}
				n.Vouch(tt.l.ext) // once is enough
				if !record.PauseUntil.IsZero() {
					t.Error("there is a pause still")
				}
				if !ok || record.Link.RSSI() != want {
					t.Errorf("heard: %v, link of %d dBm, want %d", ok, record.Link.RSSI(), want)
				}
				if fixed && got.RSSI != -40 || !fixed && got.RSSI != -70 {
					t.Errorf("received at %d dBm", got.RSSI)
				}
				if life := record.LastHeard == later; life != tt.life {
					t.Errorf("sign of life: %v", life)
				}
			}
		})
	}
}

// unanswered has a letter heard a number of times, and returns how often it is not acknowledged. vouch says what is known of it.
func (n *node) unanswered(times int, l letter, vouch func()) (count int) {
	n.t.Helper()
	for range times {
		n.hear(l)
		vouch()
		if !n.acknowledged(l.f.Seq) {
			count++
		}
	}
	return count
}

// §7.5.6.4, and the deviation from it: what a neighbor has sent is acknowledged. What anybody may have sent is so at a rate alone.
func TestAcknowledgements(t *testing.T) {
	counter := uint32(0)
	nothing := func() {}
	for _, tt := range []struct {
		name    string
		l       letter
		limited bool
		vouch   func(*node) func()
	}{
		{"stranger", letterFrom(ieee802154.ExtAddress(stranger), stranger), true, func(*node) func() { return nothing }},
		{"stranger with an open handshake", letterFrom(ieee802154.ExtAddress(stranger), stranger), false,
			func(n *node) func() { return func() { n.Vouch(stranger) } }},
		{"unknown short address", letterFrom(neighbors.ShortAddr(0x4400), stranger), true, func(*node) func() { return nothing }},
		{"in the name of a neighbor", letterFrom(fromChild, childExt), true, func(*node) func() { return nothing }},
		{"MLE of a neighbor", letterFrom(fromChild, childExt), false, func(n *node) func() { return func() { n.Vouch(childExt) } }},
		{"forged", letterFrom(fromChild, stranger).secure(0, 1000), true, func(*node) func() { return nothing }},
		{"recorded", letterFrom(fromChild, childExt).secure(0, 7), true, func(n *node) func() {
			n.child.MAC = keys.ReplayFrom(0, 1000)
			return nothing
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t, timing)
			vouch := tt.vouch(n)
			want := 0
			if tt.limited {
				want = 100 - unprovenBurst
			}
			if got := n.unanswered(100, tt.l, vouch); got != want || n.Counters.AcksWithheld != uint64(want) {
				t.Errorf("%d of 100 are not acknowledged, want %d, %+v", got, want, n.Counters)
			}
			n.core.Advance(n.core.Now.Add(unprovenEvery * timing.FrameTime))
			if got := n.unanswered(2, tt.l, vouch); tt.limited && got != 1 {
				t.Errorf("%d of 2 are not acknowledged later", got)
			}
			for range 100 {
				counter++
				l := letterFrom(fromFar, farExt).secure(0, counter)
				if n.hear(l); !n.acknowledged(l.f.Seq) {
					t.Fatal("a neighbor is not acknowledged")
				}
			}
		})
	}

	// A neighbor that misses its acknowledgements has as many more as it has retries.
	n := newNode(t, timing)
	n.unproven.Take(n.core.Now, core.Rate{Every: time.Hour, Burst: 1}) // there are none for others
	for counter := range uint32(2) {
		l := letterFrom(fromChild, childExt).secure(0, counter)
		if got := n.unanswered(10, l, nothing); got != 10-1-timing.MaxFrameRetries {
			t.Errorf("%d of 10 are not acknowledged", got)
		}
	}
}

// The broadcasts of a router that is no neighbor are taken, where the node listens to it. What it sends to this node alone is not.
func TestOverheard(t *testing.T) {
	n := newNode(t, timing)
	n.table.View = neighbors.AsListener
	l := letterFrom(fromFar, farExt).secure(0, 5)
	if _, ok := n.hear(l); ok || n.Counters.RxUnknownNeighbor != 1 {
		t.Errorf("unicast: goes up: %v, %+v", ok, n.Counters)
	}
	got, ok := n.hear(l.with(func(f *ieee802154.Frame) { f.Dst, f.AckRequest = broadcast, false }))
	if !ok || !got.Secured || n.far.MAC.Next() != 6 {
		t.Errorf("broadcast: goes up: %v, %+v", ok, n.Counters)
	}
}

// Frames are sent and received without garbage.
func TestAllocs(t *testing.T) {
	n := newNode(t, timing)
	f, l := frame(toChild), letterFrom(fromChild, childExt)
	psdu := make([]byte, 0, ieee802154.MaxPSDU)
	ack := make([]byte, 0, ieee802154.AckSize)
	counter := uint32(0)
	received := 0
	allocs := testing.AllocsPerRun(100, func() {
		n.send(f)
		next, _ := n.NextTimeout()
		n.core.Advance(next)
		n.HandleTimeout()
		sent, _ := n.PollTransmit()
		n.HandleTransmitDone(nil)
		n.HandleFrame(ieee802154.AppendAck(ack, sent[2], false), -50)
		n.PollSent()

		counter++
		s := l.secure(0, counter)
		b, _ := s.f.AppendSealed(psdu, n.network.MAC(0), childExt)
		if _, ok := n.HandleFrame(b, -70); ok {
			received++
		}
		n.PollTransmit()
		n.HandleTransmitDone(nil)
	})
	if allocs != 0 || received != 101 || n.Counters.TxAcked != 101 {
		t.Errorf("%v allocations for a frame each way; %d received, %+v", allocs, received, n.Counters)
	}
}
