package sender

import (
	"testing"

	"github.com/gopymesh/pymesh/thread/lowpan"
)

// FuzzEnqueue takes any bytes as a message of any kind: nothing panics, no frame is too long, the fragments of what is sent cover it in
// order, and each message ends in exactly one counter.
func FuzzEnqueue(f *testing.F) {
	r := newRoom(f)
	for _, m := range []*Message{
		r.New(), r.datagram(at(left), small, 'x'), r.datagram(at(beyondLeft), large, 'x'), r.datagram(at(gone), small, 'x'),
		r.datagram(eid(1), small, 'x'), r.datagram(toAll, lowpan.MaxDatagramSize, 'x'), r.datagram(at(left), lowpan.MaxDatagramSize+1, 'x'),
		r.mle(toAll, small, 'x'), r.mle(toNeighbor, 200, 'x'),
		r.relayed(left, small, 'x'), r.relayed(gone, small, 'x'), r.relayed(beyondLeft, 120, 'x'),
	} {
		for kind := range uint8(3) {
			f.Add(m.Data, kind)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		r := newRoom(t)
		m := r.New()
		m.Data, m.Kind = append(m.Data, data...), Kind(kind%3)
		taken := r.Enqueue(m) == nil
		const maxFrames = lowpan.MaxDatagramSize / 8
		sent := 0
		for range maxFrames {
			if !r.Choose() {
				r.after(timing.FragmentGap) // it pauses, if it is still there
				continue
			}
			if r.Start(); !r.radio.busy {
				break
			}
			if m.Kind != KindMeshFrame {
				piece := fragmentOf(t, r)
				if piece.offset != sent || piece.end <= sent || piece.size != len(data) {
					t.Fatalf("from %d to %d after %d of %d", piece.offset, piece.end, sent, len(data))
				}
				sent = piece.end
			}
			r.done(true)
		}
		if r.Waiting() > 0 {
			r.Refuse(m.Dst())
		}
		r.holds(0, 0)
		if total(r.Counters) != 1 || !taken && r.Counters.TxDatagramsFailed != 1 {
			t.Fatalf("taken: %v, %+v", taken, r.Counters)
		}
	})
}
