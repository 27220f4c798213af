package mac

import (
	"errors"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/keys"
)

// A guest is no neighbor, and yet no stranger: a joiner that the commissioner talks to, or to a joiner its joiner router. What goes to a guest asks
// for acknowledgements, and what comes from one gets them, also if nothing secures it, up to a rate.
type guest struct {
	ext      ieee802154.ExtAddr
	until    time.Time
	stranger bool // it may be nobody
	acks     core.Bucket
}

const (
	maxGuests     = 8
	guestAckBurst = 64
	guestAckEvery = 20 // and after that, in times of FrameTime
	// strangerRetries is how often a frame is tried again to a guest that has not answered yet: it may not be there.
	strangerRetries = 1
)

// Welcome makes a node a guest until some time; known says that it is there, as the commissioner has found. If there are too many, the one that
// would be none first gives way.
func (m *MAC) Welcome(ext ieee802154.ExtAddr, until time.Time, known bool) {
	at := 0
	for i := range m.guests {
		if m.guests[i].ext == ext {
			m.guests[i].until, m.guests[i].stranger = until, !known
			return
		}
		if m.guests[i].until.Before(m.guests[at].until) {
			at = i
		}
	}
	m.guests[at] = guest{ext: ext, until: until, stranger: !known}
}

// Unwelcome says that there are no guests any more.
func (m *MAC) Unwelcome() { m.guests = [maxGuests]guest{} }

func (m *MAC) guest(a ieee802154.Addr) *guest {
	if a.Mode != ieee802154.AddrModeExt {
		return nil
	}
	for i := range m.guests {
		if g := &m.guests[i]; g.ext == a.Ext && m.core.Now.Before(g.until) {
			return g
		}
	}
	return nil
}

// acknowledgeGuest has the last frame acknowledged, which nothing secures, if it is a guest's.
func (m *MAC) acknowledgeGuest(src ieee802154.Addr) {
	g := m.guest(src)
	if g == nil {
		return
	}
	if rate := (core.Rate{Every: guestAckEvery * m.timing.FrameTime, Burst: guestAckBurst}); g.acks.Ready(m.core.Now, rate) {
		g.acks.Take(m.core.Now, rate)
		m.acknowledge()
	}
}

// kek is the key under which a joiner is entrusted with the network's key, and by whom, or whom to: one at a time (Thread 1.1 §8.4.4.3).
type kek struct {
	peer   ieee802154.ExtAddr
	key    [keys.Size]byte
	cipher *ieee802154.CCM // nil if there is none
	next   uint64          // frame counters below it are not taken any more
}

// SetKEK has frames with an implicit key go to a node, and come from it, under a key.
func (m *MAC) SetKEK(peer ieee802154.ExtAddr, key [keys.Size]byte) {
	if m.kek.cipher != nil && m.kek.key == key && m.kek.peer == peer {
		return
	}
	m.kek = kek{peer: peer, key: key, cipher: ieee802154.NewCCM(key)}
}

// ClearKEK forgets the key.
func (m *MAC) ClearKEK() { m.kek = kek{} }

// sharesKEK reports whether there is a KEK for a node.
func (m *MAC) sharesKEK(a ieee802154.Addr) bool {
	return m.kek.cipher != nil && a == ieee802154.ExtAddress(m.kek.peer)
}

// sealKEK secures a frame under the KEK. Its counter is that of all frames, so that no nonce comes twice, even if the key does.
//
// Deviation: OpenThread begins at 0 with each KEK. The other side takes any counter that is higher than the last.
func (m *MAC) sealKEK(f *ieee802154.Frame) (err error) {
	counter, ok := m.Counter.Take(m.reserve)
	if !ok {
		return ErrStore
	}
	f.Security.FrameCounter = counter
	m.psdu, err = f.AppendSealed(m.psdu[:0], m.kek.cipher, m.core.Ext)
	return err
}

// openKEK opens a frame under the KEK.
func (m *MAC) openKEK(f *ieee802154.Frame, psdu []byte) ([]byte, error) {
	if f.Security.Level != ieee802154.SecurityENCMIC32 || !m.sharesKEK(f.Src) {
		return nil, errSecurity
	}
	payload, err := f.Open(m.rx[:0], psdu, m.kek.cipher, m.kek.peer)
	if err != nil {
		return nil, err
	}
	m.acknowledge()
	if uint64(f.Security.FrameCounter) < m.kek.next {
		return nil, keys.ErrDuplicate
	}
	m.kek.next = uint64(f.Security.FrameCounter) + 1
	return payload, nil
}

// unsealKEK is unseal for such a frame.
func (m *MAC) unsealKEK(f *ieee802154.Frame, psdu []byte) (payload []byte, secured, ok bool) {
	payload, err := m.openKEK(f, psdu)
	switch {
	case errors.Is(err, keys.ErrDuplicate):
		m.Counters.RxDuplicate++
	case err != nil:
		m.Counters.RxSecurity++
	}
	m.heard.kek = err == nil
	return payload, false, err == nil
}
