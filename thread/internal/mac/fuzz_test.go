package mac

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// FuzzHandleFrame receives two packets while a frame waits for its acknowledgement: nothing panics, each packet is counted once,
// nothing but what is for this node goes up or is acknowledged, and nothing secured goes up a second time.
func FuzzHandleFrame(f *testing.F) {
	n := newNode(f, timing)
	n.send(frame(toChild))
	seq := n.seq - 1 // of the frame in work
	plain, router := letterFrom(fromChild, childExt), letterFrom(ieee802154.ExtAddress(farExt), farExt)
	seeds := [][]byte{
		{}, ieee802154.AppendAck(nil, seq, false), ieee802154.AppendAck(nil, seq+1, true),
		n.encode(plain), n.encode(plain.secure(0, 5)), n.encode(plain.secure(1, 5)), n.encode(router.secure(0, 7)),
		n.encode(plain.with(func(f *ieee802154.Frame) { f.Dst = broadcast })),
		n.encode(plain.with(func(f *ieee802154.Frame) { f.Dst = toUsExt; f.Src = ieee802154.ExtAddress(own) })),
		n.encode(plain.with(func(f *ieee802154.Frame) { f.Type, f.Command = ieee802154.Command, ieee802154.DataRequest })),
		n.encode(plain.with(func(f *ieee802154.Frame) { f.Type, f.Dst = ieee802154.Beacon, ieee802154.Addr{} })),
		sixty(n, neighbors.ShortAddr(far)),
	}
	for i, psdu := range seeds {
		f.Add(psdu, psdu, int8(-70))
		f.Add(psdu, seeds[(i+1)%len(seeds)], int8(127))
	}
	f.Fuzz(func(t *testing.T, first, second []byte, rssi int8) {
		n := newNode(t, timing)
		n.send(frame(toChild))
		n.try()
		n.HandleTransmitDone(nil)
		receive := func(psdu []byte) (got Received, up, acknowledges bool) {
			before := n.Counters
			got, up = n.HandleFrame(psdu, int(rssi))
			if n.Counters.RxFrames != before.RxFrames+1 || total(n.Counters) != total(before)+1 {
				t.Fatalf("not counted once: %+v", n.Counters)
			}
			_, acknowledges = n.PollTransmit()
			n.HandleTransmitDone(nil)
			return got, up, acknowledges
		}
		for _, psdu := range [][]byte{first, second} {
			checkForeign(t, n, psdu)
			parsed, err := ieee802154.ParseFrame(psdu)
			ours := err == nil && parsed.Type != ieee802154.Ack && n.addressed(&parsed)
			got, up, acknowledges := receive(psdu)
			if up && !(ours && fits(got, &parsed)) {
				t.Fatalf("goes up: %+v", got)
			}
			if acknowledges && !(ours && parsed.AckRequest && !parsed.Dst.IsNone() && !parsed.Dst.IsBroadcast()) {
				t.Fatal("acknowledged")
			}
			if up && got.Secured {
				if _, again, _ := receive(psdu); again {
					t.Fatal("goes up a second time")
				}
			}
		}
		if _, timer := n.NextTimeout(); timer == n.Idle() {
			t.Fatal("no timer runs for the frame in work")
		}
	})
}

// fits reports whether what goes up is what a frame says.
func fits(got Received, f *ieee802154.Frame) bool {
	switch {
	case got.Poll:
		return isPoll(f) && got.Src == f.Src
	case f.Type == ieee802154.Command:
		return f.Command == ieee802154.BeaconRequest
	case f.Type == ieee802154.Beacon:
		return got.Src == f.Src
	}
	return len(got.Payload) > 0 && got.Src == f.Src && got.Dst == f.Dst
}
