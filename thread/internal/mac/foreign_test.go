package mac

import (
	"math/rand/v2"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// checkForeign fails if isForeign and the parser are of different opinion.
func checkForeign(t *testing.T, n *node, psdu []byte) {
	t.Helper()
	f, err := ieee802154.ParseFrame(psdu)
	foreign := err == nil && f.Type != ieee802154.Ack && !n.addressed(&f)
	switch got := n.isForeign(psdu, -50); {
	case got && !foreign:
		t.Fatalf("%x is told to be foreign: parsed as %+v, %v", psdu, f, err)
	case !got && foreign && len(psdu) >= minForeign:
		t.Fatalf("%x goes unnoticed", psdu)
	}
}

// Whatever the header, and wherever the frame is cut off, the short look and the parser agree.
func TestForeign(t *testing.T) {
	n := newNode(t, timing)
	pans := []ieee802154.PANID{pan, ieee802154.BroadcastPAN, 0x4321}
	sources := []ieee802154.Addr{{}, fromChild, ieee802154.ExtAddress(childExt)}
	destinations := []ieee802154.Addr{
		{}, toUs, toUsExt, broadcast, fromFar, ieee802154.ExtAddress(farExt), ieee802154.ShortAddress(ieee802154.NoShortAddr),
	}
	payload := make([]byte, 20)
	for i, more := 0, true; more; i++ {
		left := i
		pick := func(n int) int {
			x := left % n
			left /= n
			return x
		}
		f := ieee802154.Frame{
			Type: ieee802154.FrameType(pick(4)), Version: ieee802154.Version(pick(2)), PANIDCompression: pick(2) == 1,
			DstPAN: pans[pick(len(pans))], Dst: destinations[pick(len(destinations))],
			SrcPAN: pan, Src: sources[pick(len(sources))], Payload: payload,
		}
		f.Security.Level, f.Security.KeyIDMode = ieee802154.SecurityLevel(pick(8)), ieee802154.KeyIDMode(pick(4))
		more = left == 0
		psdu, err := f.AppendBinary(nil)
		if err != nil {
			continue // secured frames of 2003 do not exist
		}
		for size := range len(psdu) + 1 {
			checkForeign(t, n, psdu[:size])
		}
	}
}

// All frame control fields, those with reserved values too, before random bytes that lead to this node or elsewhere.
func TestForeignControl(t *testing.T) {
	n := newNode(t, timing)
	r := rand.New(seeded(2))
	psdu := make([]byte, ieee802154.MaxPSDU+1)
	starts := [][]byte{
		{0x34, 0x12, 0x00, 0x8c}, {0xff, 0xff, 0x00, 0x8c}, {0x34, 0x12, 0xff, 0xff}, {0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 1}, {},
	}
	for control := range 1 << 16 {
		for i := range psdu {
			psdu[i] = byte(r.Uint32())
		}
		psdu[0], psdu[1] = byte(control), byte(control>>8)
		copy(psdu[3:], starts[r.IntN(len(starts))])
		checkForeign(t, n, psdu[:r.IntN(len(psdu)+1)])
	}
}

// The addresses are those of now.
func TestForeignAddress(t *testing.T) {
	n := newNode(t, timing)
	short := n.encode(letterFrom(fromChild, childExt).with(func(f *ieee802154.Frame) { f.Dst = fromFar }))
	extended := n.encode(letterFrom(fromChild, childExt).with(func(f *ieee802154.Frame) { f.Dst = ieee802154.ExtAddress(farExt) }))
	if !n.isForeign(short, -50) || !n.isForeign(extended, -50) {
		t.Fatal("go unnoticed")
	}
	n.SetAddress(pan, far)
	n.core.Ext = farExt
	if n.isForeign(short, -50) || n.isForeign(extended, -50) {
		t.Error("the node has moved, its frames are still foreign")
	}
}

// sixty returns a secured frame of 60 bytes to dst.
func sixty(n *node, dst ieee802154.Addr) []byte {
	l := letterFrom(fromChild, childExt).secure(0, 5)
	l.f.Dst = dst
	l.f.Payload = make([]byte, 60-l.f.Overhead())
	return n.encode(l)
}

func BenchmarkForeignFrame(b *testing.B) {
	for _, bb := range []struct {
		name string
		dst  ieee802154.Addr
	}{{"short", neighbors.ShortAddr(far)}, {"extended", ieee802154.ExtAddress(farExt)}} {
		b.Run(bb.name, func(b *testing.B) {
			n := newNode(b, timing)
			psdu := sixty(n, bb.dst)
			b.ReportAllocs()
			for b.Loop() {
				n.HandleFrame(psdu, -70)
			}
			if n.Counters.RxOtherDestination != n.Counters.RxFrames || len(psdu) != 60 {
				b.Fatalf("%d bytes, %+v", len(psdu), n.Counters)
			}
		})
	}
}
