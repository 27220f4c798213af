package dissect

import (
	"bytes"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

const (
	maxSenders     = 1024             // ours: whose last frame is kept
	maxPendingAcks = 16               // ours
	ackLifetime    = 10 * time.Second // ours; Pymesh waits 2 s, and a packet may take 5 s
)

// wellKnownKeySource names the well-known key (Thread 1.1 §7.2.1.3).
var wellKnownKeySource = [4]byte{0xff, 0xff, 0xff, 0xff}

// mac reads the MAC layer of f and returns the payload, decrypted.
func (d *Dissector) mac(f *Frame) []byte {
	m := &f.MAC
	var err error
	if m.Frame, err = ieee802154.ParseFrame(f.PSDU); err != nil {
		f.fail(err)
		return nil
	}
	m.readable = true
	m.FCSValid = ieee802154.FCSValid(f.PSDU)
	m.From, m.To = m.Src, m.Dst
	if m.Type == ieee802154.Ack {
		m.From, m.To = d.pending.answer(f.Time, m.Seq)
		return nil
	}
	m.Repeat = d.isRepeat(m.Src, f.PSDU)
	if m.AckRequest {
		d.pending.add(pendingAck{at: f.Time, seq: m.Seq, src: m.Src, dst: m.Dst})
	}
	m.Plaintext = m.Payload
	if m.Security.Level != ieee802154.SecurityNone {
		if err := d.open(f); err != nil {
			f.fail(err)
			return nil
		}
	}
	if m.Type == ieee802154.Beacon {
		b, err := ieee802154.ParseBeaconPayload(m.Plaintext)
		if err != nil {
			f.fail(err)
			return nil
		}
		f.Beacon = &b
	}
	return m.Plaintext
}

// isRepeat reports whether the sender's last frame was the same.
func (d *Dissector) isRepeat(src ieee802154.Addr, psdu []byte) bool {
	last := d.latest[src]
	if bytes.Equal(last, psdu) {
		return true
	}
	if len(d.latest) >= maxSenders {
		clear(d.latest)
	}
	d.latest[src] = append(last[:0], psdu...)
	return false
}

// open decrypts a secured frame and learns who has sent it.
func (d *Dissector) open(f *Frame) error {
	m := &f.MAC
	m.Plaintext = nil
	switch m.Security.KeyIDMode {
	case ieee802154.KeyIDModeIndex:
		return d.openIndexed(f)
	case ieee802154.KeyIDModeSource4:
		if !bytes.HasPrefix(m.Security.KeySource[:], wellKnownKeySource[:]) {
			return ErrForeignKey
		}
		plain, err := m.Open(nil, f.PSDU, d.keys.wellKnown, keys.Mode2ExtAddr)
		if err != nil {
			return ErrKey
		}
		m.Opened, m.WellKnownKey, m.Sender, m.Plaintext = true, true, keys.Mode2ExtAddr, plain
		return nil
	default:
		return ErrForeignKey
	}
}

// openIndexed tries all keys and nodes that a frame with a key index can be from.
func (d *Dissector) openIndexed(f *Frame) error {
	m := &f.MAC
	if m.Security.Level.MICSize() == 0 { // would fit any sender
		return ieee802154.ErrSecurity
	}
	for ring := range d.rings() {
		if d.openWith(f, ring) {
			return nil
		}
	}
	if m.Src.Mode == ieee802154.AddrModeExt {
		return ErrKey
	}
	return ErrSender
}

// openWith tries the keys of a keyring.
func (d *Dissector) openWith(f *Frame, ring *keyring) bool {
	m := &f.MAC
	for seq := range ring.candidates(m.Security.KeyIndex) {
		ccm := ring.of(seq).mac
		for ext := range d.nodes.candidates(m.Src) {
			plain, err := m.Open(nil, f.PSDU, ccm, ext)
			if err != nil {
				continue
			}
			m.Opened, m.Sender, m.KeySequence, m.Plaintext = true, ext, seq, plain
			d.accept(ring, seq)
			d.nodes.add(ext)
			if m.Src.Mode == ieee802154.AddrModeShort {
				d.nodes.bind(m.Src.Short, ext)
			}
			return true
		}
	}
	return false
}

// pendingAck is a frame that asked for an acknowledgment.
type pendingAck struct {
	at       time.Time
	seq      uint8
	src, dst ieee802154.Addr
}

// pendingAcks are the latest frames that asked for an acknowledgment, oldest first.
type pendingAcks []pendingAck

func (p *pendingAcks) add(frame pendingAck) {
	if len(*p) == maxPendingAcks {
		*p = slices.Delete(*p, 0, 1)
	}
	*p = append(*p, frame)
}

// answer returns from whom to whom an acknowledgment goes, if that is known. A frame may have several: two partitions that
// have not met may each have a node with its destination address.
func (p pendingAcks) answer(now time.Time, seq uint8) (from, to ieee802154.Addr) {
	for _, frame := range slices.Backward(p) {
		if frame.seq == seq && now.Sub(frame.at) < ackLifetime {
			return frame.dst, frame.src
		}
	}
	return ieee802154.Addr{}, ieee802154.Addr{}
}
