package mac

import (
	"bytes"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
)

// A repeater sends frames of neighbors once more, byte for byte, that nobody acknowledges: those of neighbors that have another engine. The
// acknowledgement comes from who they are for, and their senders are still waiting for it.
//
//	frame for another node ─► no acknowledgement ─► a random pause ─► once more
//	                              └─► heard: nothing
//
// Pycom's boards do not hear each other before they send, wait for two seconds, and try again, a few milliseconds more or less. Two of them whose
// frames have met therefore meet again, four times, and so do the next frames of both. Who stands aside has received one of the two.
//
// A frame to somebody who is out of reach, whose acknowledgement cannot be heard, is repeated when its sender has tried again itself.
//
// Deviation: IEEE 802.15.4 knows nothing of the kind. For who receives the frame it is the next try of its sender.
type repeater struct {
	entries [maxRepeated]repeated
	at      time.Time // when the first of them is due, zero if none is
	psdu    []byte    // that the radio has, or is to have next
	ready   bool      // psdu is to be sent
	rate    core.Bucket
}

// repeated is a frame that may be repeated.
type repeated struct {
	psdu  []byte
	heard time.Time // the latest try of its sender
	at    time.Time // when it is due, zero if it is not
}

const (
	// maxRepeated is how many frames are watched.
	maxRepeated = 4
	// repeatPause bounds the random time before a frame is repeated, in times of the longest frame.
	repeatPause = 2
	// boardPatience is how long Pycom's boards wait for an acknowledgement. A frame that is heard again after nextTry is their own next try, and not
	// somebody's repetition.
	boardPatience, nextTry = 2 * time.Second, 1500 * time.Millisecond
	// repeatsEvery and repeatsBurst are how often frames are repeated: in times of the longest frame, and at once.
	repeatsEvery, repeatsBurst = 64, 16
)

// watch notes a frame for another node, which asks for an acknowledgement.
func (m *MAC) watch(now time.Time, psdu []byte) {
	r := &m.repeater
	place := &r.entries[0]
	for i := range r.entries {
		e := &r.entries[i]
		if bytes.Equal(e.psdu, psdu) {
			e.at = time.Time{} // somebody has repeated it: see whether that was enough
			if now.Sub(e.heard) >= nextTry {
				e.heard, e.at = now, m.repeatTime(now)
			}
			m.findRepeat()
			return
		}
		if e.heard.Before(place.heard) {
			place = e
		}
	}
	inReach, ok := m.repeatable(psdu)
	if !ok {
		return
	}
	*place = repeated{psdu: append(place.psdu[:0], psdu...), heard: now}
	if inReach {
		place.at = m.repeatTime(now)
	}
	m.findRepeat()
}

// repeatTime draws when a frame is repeated unless its acknowledgement is heard. That comes from a board within 9 ms, and takes its airtime.
func (m *MAC) repeatTime(now time.Time) time.Time {
	return now.Add(m.timing.FrameTime/4 + m.core.RandomUpTo(repeatPause*m.timing.FrameTime))
}

// repeatable reports whether a frame is from a neighbor whose frames are repeated, authentic, and newer than all that was heard of it before; and
// whether its destination is in reach.
func (m *MAC) repeatable(psdu []byte) (inReach, ok bool) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Type != ieee802154.Data || f.DstPAN != m.pan || f.Security.Level == ieee802154.SecurityNone {
		return false, false
	}
	n := m.neighbors.ByAddr(f.Src)
	if n == nil || !n.Valid() || !n.Foreign {
		return false, false
	}
	_, seq, err := m.check(&f, psdu, n, n.Ext)
	if err != nil || n.Passed.Check(seq, f.Security.FrameCounter) != nil {
		return false, false
	}
	n.Passed.Accept(seq, f.Security.FrameCounter)
	to := m.neighbors.ByAddr(f.Dst)
	return to != nil && to.Valid(), true
}

// heardAck notes an acknowledgement of another one's frame. Sequence numbers are all that tells whose.
func (m *MAC) heardAck(seq uint8) {
	r := &m.repeater
	if r.at.IsZero() && !r.ready {
		return
	}
	for i := range r.entries {
		if e := &r.entries[i]; len(e.psdu) > 0 && e.psdu[seqOffset] == seq {
			e.at = time.Time{}
		}
	}
	r.ready = r.ready && r.psdu[seqOffset] != seq
	m.findRepeat()
}

// stopRepeats forgets what is to be repeated.
func (m *MAC) stopRepeats() {
	for i := range m.repeater.entries {
		m.repeater.entries[i].at = time.Time{}
	}
	m.repeater.at, m.repeater.ready = time.Time{}, false
}

// findRepeat looks for what is due first.
func (m *MAC) findRepeat() {
	r := &m.repeater
	r.at = time.Time{}
	for i := range r.entries {
		r.at = core.Earliest(r.at, r.entries[i].at)
	}
}

// RepeatAt returns when a frame of another node is to be repeated, zero for never. Ignore may have brought it forward.
func (m *MAC) RepeatAt() time.Time { return m.repeater.at }

// repeat has what is due sent, unless an acknowledgement is awaited meanwhile, or its sender no longer waits.
func (m *MAC) repeat() {
	r := &m.repeater
	if !m.core.IsDue(r.at) {
		return
	}
	for i := range r.entries {
		e := &r.entries[i]
		switch {
		case !m.core.IsDue(e.at):
			continue
		case m.state == stateWaitAck || m.core.Now.Before(m.room):
			e.at = m.core.Now.Add(m.timing.FrameTime/4 + m.core.RandomUpTo(m.timing.FrameTime/4))
			continue
		}
		e.at = time.Time{}
		late := m.core.Now.Sub(e.heard) >= boardPatience-2*m.timing.FrameTime
		rate := core.Rate{Every: repeatsEvery * m.timing.FrameTime, Burst: repeatsBurst}
		if m.Repeats && !late && !r.ready && m.radio != radioRepeat && r.rate.Ready(m.core.Now, rate) {
			r.rate.Take(m.core.Now, rate)
			r.psdu, r.ready = append(r.psdu[:0], e.psdu...), true
		}
	}
	m.findRepeat()
}
