package mac

import (
	"errors"
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// Result is what became of a frame.
type Result uint8

// Results.
const (
	Done  Result = iota // sent; no acknowledgement asked for
	Acked               // sent and acknowledged
	NoAck               // given up without an acknowledgement
	Busy                // given up without having been sent in the last try
)

// Sent is what became of the frame to Dst.
type Sent struct {
	Dst    ieee802154.Addr
	Result Result
	// Neighbor is the one with the address Dst when the frame was over, nil if there is none.
	Neighbor *neighbors.Neighbor
}

// Send starts the transmission of a frame. Type, addresses, PANs, AckRequest, FramePending, the security level and the payload are set by
// the caller, version, sequence number, frame counter and key index by the MAC. The payload is not kept. A report that PollSent has
// not fetched is lost.
//
// It may be called only when the MAC is idle. It fails with ErrStore or with an error of [ieee802154.Frame.AppendSealed]; then the MAC
// stays idle.
func (m *MAC) Send(f ieee802154.Frame) error {
	f.Version = ieee802154.Version2006
	f.Seq = m.seq
	var err error
	if f.Security.Level == ieee802154.SecurityNone {
		m.psdu, err = f.AppendBinary(m.psdu[:0])
	} else {
		err = m.seal(&f)
	}
	if err != nil {
		return err
	}
	m.frameSeq, m.wantsAck, m.dst = f.Seq, f.AckRequest, f.Dst
	m.seq++
	m.backoffs, m.retries, m.acked = 0, 0, false
	m.over = false
	m.Counters.TxFrames++
	m.backoff()
	return nil
}

// seal secures a frame under the present key sequence (Thread 1.1 §7.2).
func (m *MAC) seal(f *ieee802154.Frame) error {
	counter, ok := m.Counter.Take(m.reserve)
	if !ok {
		return ErrStore
	}
	seq := m.keys.Sequence()
	f.Security.FrameCounter = counter
	f.Security.KeyIDMode = ieee802154.KeyIDModeIndex
	f.Security.KeyIndex = seq.Index()
	var err error
	m.psdu, err = f.AppendSealed(m.psdu[:0], m.keys.MAC(seq), m.core.Ext)
	return err
}

// backoff waits a random number of backoff units, from an exponent that grows with each failure (IEEE 802.15.4-2006 §7.5.1.4; that it
// grows with retries too is Pymesh's).
func (m *MAC) backoff() {
	exponent := min(m.timing.MinBE+m.backoffs+m.retries, m.timing.MaxBE)
	m.state = stateBackoff
	units := time.Duration(m.core.Rand.IntN(1 << exponent))
	jitter := m.core.RandomUpTo(time.Duration(m.retries) * m.timing.RetryJitter)
	m.timer = m.core.Now.Add(units*m.timing.BackoffUnit + jitter)
}

// PollTransmit returns the next packet for the radio, if there is one and the radio is not transmitting. The packet is valid until
// HandleTransmitDone, which must follow.
func (m *MAC) PollTransmit() (psdu []byte, ok bool) {
	switch {
	case m.radio != radioIdle:
		return nil, false
	case m.ackLen > 0:
		m.radio = radioAck
		m.Counters.TxAcks++
		m.ack = ieee802154.AppendAck(m.ack[:0], m.acks[m.ackHead], false)
		return m.ack, true
	case m.state == stateReady:
		m.radio, m.state = radioFrame, stateSending
		m.handover = m.core.Now
		return m.psdu, true
	}
	return nil, false
}

// HandleTransmitDone says that the packet from the last PollTransmit has left the antenna (err nil), or why it has not: after ErrRefused
// the frame is given up, so that it does not hold up others which the radio may still send; after any other error it is tried again, as
// on a busy channel.
func (m *MAC) HandleTransmitDone(err error) {
	use := m.radio
	m.radio = radioIdle
	switch {
	case use == radioAck:
		// A lost acknowledgement is the peer's to notice.
		m.ackHead = (m.ackHead + 1) % maxPendingAcks
		m.ackLen--
	case m.state != stateSending:
		// The frame was dropped meanwhile.
	case errors.Is(err, ErrRefused):
		m.finish(Busy)
	case err != nil:
		m.channelBusy()
	case !m.wantsAck:
		m.finish(Done)
	case m.acked:
		m.finish(Acked)
	default:
		m.state = stateWaitAck
		if m.timer = m.handover.Add(m.timing.AckWait); m.timer.Before(m.core.Now) {
			m.timer = m.core.Now
		}
	}
}

// HandleTimeout does what is due now.
func (m *MAC) HandleTimeout() {
	if !m.core.IsDue(m.timer) {
		return
	}
	switch m.state {
	case stateBackoff:
		m.state, m.timer = stateReady, time.Time{}
	case stateWaitAck:
		m.retry(NoAck)
	}
}

// channelBusy handles a frame that the radio did not send: somebody else was on the air.
func (m *MAC) channelBusy() {
	m.Counters.TxDeferred++
	if m.backoffs < m.timing.MaxCSMABackoffs {
		m.backoffs++
		m.backoff()
		return
	}
	m.retry(Busy)
}

// retry sends the frame again, the same bytes under the same counter, unless it was tried often enough (IEEE 802.15.4-2006 §7.5.6.4).
func (m *MAC) retry(result Result) {
	m.backoffs = 0
	if m.retries >= m.timing.MaxFrameRetries {
		m.finish(result)
		return
	}
	m.retries++
	m.Counters.TxRetries++
	m.backoff()
}

// maxFailures is where a neighbor's count of unacknowledged frames stops.
const maxFailures = math.MaxUint8 - 1

// finish ends the work on the frame.
func (m *MAC) finish(result Result) {
	m.state, m.timer = stateIdle, time.Time{}
	if m.dst.IsBroadcast() {
		m.Counters.TxBroadcast++
	} else {
		m.Counters.TxUnicast++
	}
	n := m.neighbors.ByAddr(m.dst)
	switch result {
	case Acked:
		m.Counters.TxAcked++
		if n == nil {
			break
		}
		n.Failures = 0
		if _, fixed := m.Filter.fixedRSSI(n.Ext); !fixed {
			n.Link.Add(m.timing.ReceiveSensitivity, m.ackRSSI)
		}
	case NoAck:
		m.Counters.TxNoAck++
		if n != nil {
			n.Failures = min(n.Failures+1, maxFailures)
		}
	case Busy:
		m.Counters.TxChannelBusy++
	}
	m.sent, m.over = Sent{Dst: m.dst, Result: result, Neighbor: n}, true
}

// Over reports whether PollSent has something to report.
func (m *MAC) Over() bool { return m.over }

// PollSent reports what became of the frame last given to Send, once, when it is over.
func (m *MAC) PollSent() (Sent, bool) {
	if !m.over {
		return Sent{}, false
	}
	m.over = false
	return m.sent, true
}

// Stop drops the frame in work; PollSent does not report it. What the radio is transmitting it finishes.
func (m *MAC) Stop() {
	if m.state == stateSending {
		m.psdu, m.spare = m.spare, m.psdu // the next frame must not be written over what the radio has
	}
	m.state, m.timer, m.over = stateIdle, time.Time{}, false
}
