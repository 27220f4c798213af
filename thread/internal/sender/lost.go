package sender

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// A fragment that passes through and cannot be sent on loses its whole datagram: nobody sends it again. What else comes of that datagram would
// take the air for nothing, on each hop.

// datagramKey tells a datagram whose fragments pass through from others (RFC 4944 §5.3).
type datagramKey struct {
	src, dst  ieee802154.ShortAddr // of the mesh header
	tag, size uint16
}

// maxLost bounds the datagrams that are known to have lost a fragment.
const maxLost = 8

// lostDatagrams are datagrams that have lost a fragment here.
type lostDatagrams struct {
	keys  [maxLost]datagramKey
	until [maxLost]time.Time
}

// has reports whether a datagram has lost a fragment.
func (l *lostDatagrams) has(now time.Time, k datagramKey) bool {
	for i, other := range l.keys {
		if other == k && now.Before(l.until[i]) {
			return true
		}
	}
	return false
}

// add notes a datagram, in the place of the one that is forgotten first.
func (l *lostDatagrams) add(k datagramKey, until time.Time) {
	oldest := 0
	for i := range l.until {
		if l.until[i].Before(l.until[oldest]) {
			oldest = i
		}
	}
	l.keys[oldest], l.until[oldest] = k, until
}

// keyOf returns whose fragment a mesh frame carries behind its mesh header, the zero key if none.
func keyOf(h lowpan.MeshHeader, payload []byte) datagramKey {
	f, err := lowpan.ParseFragmentHeader(payload)
	if err != nil {
		return datagramKey{}
	}
	return datagramKey{src: h.Src.Short, dst: h.Dst.Short, tag: f.Tag, size: f.DatagramSize}
}

// incomplete reports whether a frame that passes through is a fragment of a datagram that has lost another one here.
func (s *Sender) incomplete(m *Message) bool {
	return m.Kind == KindMeshFrame && m.of != (datagramKey{}) && s.lost.has(s.core.Now, m.of)
}

// loseFragment notes that the datagram of a frame that passes through is lost, if the frame is a fragment.
func (s *Sender) loseFragment(m *Message) {
	if s.timing.LostDatagram > 0 && m.Kind == KindMeshFrame && m.of != (datagramKey{}) && !s.incomplete(m) {
		s.lost.add(m.of, s.core.Now.Add(s.timing.LostDatagram))
	}
}
