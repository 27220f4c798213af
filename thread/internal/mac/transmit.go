package mac

import (
	"errors"
	"log/slog"
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
	// Poll says that it was a data request.
	Poll bool
	// Neighbor is the one with the address Dst when the frame was over, nil if there is none.
	Neighbor *neighbors.Neighbor
}

// Send starts the transmission of a frame. Type, addresses, PANs, AckRequest, FramePending, the security level and the payload are set by
// the caller, version, sequence number, frame counter and key index by the MAC. The payload is not kept. A report that PollSent has
// not fetched is lost.
//
// Deviation: a frame to somebody who is no neighbor asks for no acknowledgement, and so is sent once. The node may not be there: whoever
// has a recording of its request would have this MAC wait for it four times over, before all that is for neighbors. What such a
// node misses it asks for again.
//
// What is secured with a key source is an Announcement, see sealAnnounce; with an implicit key what entrusts a joiner, see sealKEK.
//
// It may be called only when the MAC is idle. It fails with ErrStore or with an error of [ieee802154.Frame.AppendSealed]; then the MAC
// stays idle.
func (m *MAC) Send(f ieee802154.Frame) error { return m.SendOn(0, f) }

// SendOn is Send on a channel, with its number, on which the node is for this frame alone. 0 is the one where it listens.
func (m *MAC) SendOn(channel uint8, f ieee802154.Frame) error {
	carries, next := channel == 0 && m.carries(&f), m.seq
	if carries {
		m.seq = m.acks[m.ackHead].seq + 1
	}
	err := m.compose(&f)
	if carries {
		m.seq = next
	}
	if err != nil {
		return err
	}
	m.begin(f.Dst, effort{m.timing.MaxCSMABackoffs, m.retriesTo(f.Dst)})
	m.channel = channel
	if carries {
		m.carry()
	}
	return nil
}

// retriesTo is how often a frame is tried again that is not acknowledged.
func (m *MAC) retriesTo(dst ieee802154.Addr) int {
	if g := m.guest(dst); g != nil && g.stranger {
		return min(m.timing.MaxFrameRetries, strangerRetries)
	}
	if m.neighbors.ByAddr(dst) != nil {
		return m.timing.MaxFrameRetries
	}
	if n := m.neighbors.Beside(dst); n != nil {
		if n.LastAcked.IsZero() {
			return 0
		}
		return min(m.timing.MaxFrameRetries, besideRetries)
	}
	return m.timing.MaxFrameRetries
}

// besideRetries is how often a frame to a node beside this one is tried again: there is another way. One that has never acknowledged may not know
// this node.
const besideRetries = 2

// Tries of a frame to a node that has polled for it, which does not listen for long: OpenThread's.
const (
	indirectBackoffs = 4
	indirectRetries  = 0
)

// SendIndirect is Send for a frame that the other node has polled for. If kept is not empty it is such a frame, as returned before, to be
// sent again as it was, and of f the destination alone counts. It returns the frame as it is on the air, valid until the next is sent.
func (m *MAC) SendIndirect(f ieee802154.Frame, kept []byte) (psdu []byte, err error) {
	if len(kept) > 0 {
		m.psdu = append(m.psdu[:0], kept...)
		m.frameSeq, m.wantsAck = kept[seqOffset], true
	} else if err := m.compose(&f); err != nil {
		return nil, err
	}
	m.begin(f.Dst, effort{indirectBackoffs, indirectRetries})
	return m.psdu, nil
}

// SendPoll asks the parent for what it has for this node (IEEE 802.15.4-2006 §7.3.4, Thread 1.1 §3.4).
func (m *MAC) SendPoll(src, dst ieee802154.Addr) error {
	f := ieee802154.Frame{
		Type: ieee802154.Command, Command: ieee802154.DataRequest, AckRequest: true, PANIDCompression: true,
		DstPAN: m.pan, SrcPAN: m.pan, Src: src, Dst: dst,
		Security: ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex},
	}
	if err := m.compose(&f); err != nil {
		return err
	}
	m.begin(dst, effort{m.timing.MaxCSMABackoffs, m.timing.MaxFrameRetries})
	m.poll = true
	m.Counters.TxPolls++
	return nil
}

// effort is how often a frame is tried: on a busy channel, and without an acknowledgement.
type effort struct{ backoffs, retries int }

// compose builds the frame in work.
func (m *MAC) compose(f *ieee802154.Frame) (err error) {
	f.Version = ieee802154.Version2006
	if f.Type == ieee802154.Beacon || f.Type == ieee802154.Command && f.Command == ieee802154.BeaconRequest {
		f.Version = ieee802154.Version2003 // the standard's of 2006 too
	}
	f.Seq = m.seq
	f.AckRequest = f.AckRequest && (m.record(f.Dst) != nil || m.guest(f.Dst) != nil)
	switch {
	case f.Security.Level == ieee802154.SecurityNone:
		m.psdu, err = f.AppendBinary(m.psdu[:0])
	case f.Security.KeyIDMode == ieee802154.KeyIDModeSource4:
		err = m.sealAnnounce(f)
	case f.Security.KeyIDMode == ieee802154.KeyIDModeImplicit && m.sharesKEK(f.Dst):
		err = m.sealKEK(f)
	default:
		err = m.seal(f)
	}
	if err != nil {
		return err
	}
	m.frameSeq, m.wantsAck, m.channel = f.Seq, f.AckRequest, 0
	m.countType(f)
	m.seq++
	return nil
}

// record finds who has a link-layer address: a neighbor, or who is treated as one.
func (m *MAC) record(a ieee802154.Addr) *neighbors.Neighbor {
	if n := m.neighbors.ByAddr(a); n != nil {
		return n
	}
	return m.neighbors.Beside(a)
}

// begin starts the work on the frame.
func (m *MAC) begin(dst ieee802154.Addr, e effort) {
	m.dst, m.effort, m.poll, m.promised = dst, e, false, false
	m.piggyback.owes, m.piggyback.came = false, false
	m.backoffs, m.retries, m.left, m.acked = 0, 0, 0, false
	m.over = false
	m.Counters.TxFrames++
	m.backoff()
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
	exponent := min(m.timing.MinBE+m.backoffs+m.retries+m.contention(), m.timing.MaxBE)
	m.state = stateBackoff
	units := time.Duration(m.core.Rand.IntN(1 << exponent))
	jitter := m.core.RandomUpTo(time.Duration(m.retries) * m.timing.RetryJitter)
	m.timer = m.core.Now.Add(units*m.timing.BackoffUnit + jitter)
}

// leaveRoom returns until when nothing is to be sent after an acknowledgement: Pycom's boards that have got one, or sent one, send the next frame
// that they have within 9 ms, and do not look whether the other one does so, too.
func (m *MAC) leaveRoom(now time.Time) time.Time {
	if !m.Boards {
		return m.room
	}
	return now.Add(m.timing.AckRoom)
}

// Times from the hand-over of a packet on, after which the radio should be done with it: it has listened before talking, for some times as
// long as the longest frame lasts. Processors take their time as well.
const (
	patience    = 50 // times FrameTime
	minPatience = 4 * time.Second
)

// PollTransmit returns the next packet for the radio, if there is one and the radio is not transmitting. HandleTransmitDone must follow.
// The packet is valid until then; one that is given up for lost meanwhile is not written over either.
func (m *MAC) PollTransmit() (psdu []byte, ok bool) {
	m.acknowledgeUnproven()
	if psdu, ok = m.nextPacket(); ok {
		m.due, m.stuck = m.core.Now.Add(max(patience*m.timing.FrameTime, minPatience)), false
	}
	return psdu, ok
}

func (m *MAC) nextPacket() (psdu []byte, ok bool) {
	switch {
	case m.radio != radioIdle:
		return nil, false
	case m.ackLen > 0:
		m.radio = radioAck
		m.Counters.TxAcks++
		a := m.acks[m.ackHead]
		m.ack = ieee802154.AppendAck(m.ack[:0], a.seq, a.pending)
		return m.ack, true
	case m.repeater.ready:
		m.radio, m.repeater.ready = radioRepeat, false
		m.Counters.TxRepeated++
		return m.repeater.psdu, true
	case m.state == stateReady:
		m.radio, m.state, m.timer = radioFrame, stateSending, time.Time{}
		return m.psdu, true
	}
	return nil, false
}

// HandleTransmitDone says that the packet from the last PollTransmit has left the antenna (err nil), or why it has not: after ErrRefused
// the frame is given up, so that it does not hold up others which the radio may still send; after any other error it is tried again, as
// on a busy channel.
func (m *MAC) HandleTransmitDone(err error) {
	m.acknowledgeUnproven()
	use := m.radio
	m.stuck = false
	if m.isLate() {
		return
	}
	m.radio, m.due = radioIdle, time.Time{}
	if use == radioFrame {
		m.settleDebt(err)
	}
	switch {
	case use == radioAck:
		// A lost acknowledgement is the peer's to notice.
		m.ackHead = (m.ackHead + 1) % maxPendingAcks
		m.ackLen--
		m.room = m.leaveRoom(m.core.Now)
		if m.state == stateReady && m.core.Now.Before(m.room) {
			m.state, m.timer = stateBackoff, m.core.Now
		}
	case use == radioRepeat:
		// Its sender tries again itself.
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
		m.state, m.ended = stateWaitAck, m.core.Now
		m.left++
		m.timer = m.core.Now.Add(m.ackWait() + m.carryTime())
	}
}

// isLate reports whether the radio's "done" is for a packet that was given up for lost. A radio is done with its packets in their order, so
// the first "done" after a loss is that of the lost one, unless it never comes. If it is not, and the one after is missed therefore, nothing is
// owed any more: so the MAC cannot stay one packet behind.
func (m *MAC) isLate() bool {
	late := m.owed > 0
	if late {
		m.owed--
	}
	m.presumed = late && m.radio != radioIdle
	return late || m.radio == radioIdle
}

// HandleTimeout does what is due now.
func (m *MAC) HandleTimeout() {
	if m.core.IsDue(m.due) {
		m.loseRadio()
	}
	m.repeat()
	if !m.core.IsDue(m.timer) {
		return
	}
	switch m.state {
	case stateBackoff:
		if m.core.Now.Before(m.room) {
			m.timer = m.room.Add(time.Duration(m.core.Rand.IntN(1<<m.timing.MinBE)) * m.timing.BackoffUnit)
			return
		}
		m.state, m.timer = stateReady, time.Time{}
		if m.stuck {
			m.awaitRadio()
		}
	case stateReady:
		m.finish(Busy)
	case stateWaitAck:
		m.retry(NoAck)
	case stateWaitData:
		m.state, m.timer = stateIdle, time.Time{}
		m.Counters.PollsMissed++
		m.fetched, m.news = Fetched{Missed: true}, true
	}
}

// loseRadio goes on without a radio's "done" that is overdue. The packet is lost: it may be on the air or not. Who has it may still read it,
// so its memory is left to him.
func (m *MAC) loseRadio() {
	m.Counters.TxStuck++
	m.overdue.Log(m.core.Now, m.core.Log, slog.LevelWarn, "the radio is not done with a packet in time; going on without it")
	m.owed = min(m.owed, math.MaxUint8-1) + 1
	if m.presumed {
		m.owed = 0 // that "done" was not late, but this packet's
	}
	use := m.radio
	m.radio, m.due, m.stuck, m.presumed = radioIdle, time.Time{}, true, false
	switch use {
	case radioAck:
		m.ack = make([]byte, 0, ieee802154.AckSize)
		m.ackHead = (m.ackHead + 1) % maxPendingAcks
		m.ackLen--
	case radioRepeat:
		m.repeater.psdu = nil
	default:
		m.release()
		m.spare = make([]byte, 0, ieee802154.MaxPSDU)
	}
	switch m.state {
	case stateSending:
		m.finish(Busy)
	case stateReady:
		m.awaitRadio()
	}
}

// awaitRadio bounds how long a frame waits for somebody to fetch it for a radio that was not in time: it would only grow old.
func (m *MAC) awaitRadio() { m.timer = m.core.Now.Add(m.timing.AckWait) }

// release leaves the frame in work to the radio, if that has it: the next one must not be written over it.
func (m *MAC) release() {
	if m.state == stateSending {
		m.psdu, m.spare = m.spare, m.psdu
	}
}

// channelBusy handles a frame that the radio did not send: somebody else was on the air.
func (m *MAC) channelBusy() {
	m.Counters.TxDeferred++
	if m.backoffs < m.effort.backoffs {
		m.backoffs++
		m.backoff()
		return
	}
	m.retry(Busy)
}

// retry sends the frame again, the same bytes under the same counter, unless it was tried often enough (IEEE 802.15.4-2006 §7.5.6.4).
//
// Deviation: a neighbor that has not acknowledged the last frame gets a single retry. Each try holds the MAC, before all others, for AckWait.
func (m *MAC) retry(result Result) {
	m.backoffs = 0
	limit := m.effort.retries
	if n := m.record(m.dst); n != nil && n.Failures > 0 {
		limit = min(limit, 1)
	}
	if m.retries >= limit {
		m.finish(result)
		return
	}
	m.retries++
	m.Counters.TxRetries++
	m.backoff()
}

const (
	// maxFailures is where a neighbor's count of unacknowledged frames stops.
	maxFailures = math.MaxUint8 - 1
	// pauseUnit is the pause after each of them, in times of FrameTime; maxPause bounds their number.
	pauseUnit, maxPause = 8, 8
)

// finish ends the work on the frame.
func (m *MAC) finish(result Result) {
	m.state, m.timer = stateIdle, time.Time{}
	if m.dst.IsBroadcast() {
		m.Counters.TxBroadcast++
	} else {
		m.Counters.TxUnicast++
	}
	if m.wantsAck {
		m.Counters.TxAckRequested++
	}
	n := m.record(m.dst)
	switch result {
	case Acked:
		m.Counters.TxAcked++
		if n != nil {
			// How strong it was says nothing: acknowledgements are not authenticated.
			n.Failures, n.PauseUntil, n.LastAcked = 0, time.Time{}, m.core.Now
			m.room = m.leaveRoom(m.core.Now)
			if m.left == 1 && !m.acked && !m.piggyback.came { // else it may be that of an earlier try
				learnAckTime(n, m.core.Now.Sub(m.ended))
			}
		}
		if m.poll && m.promised {
			m.state, m.timer = stateWaitData, m.core.Now.Add(m.timing.DataWait)
		}
	case NoAck:
		m.Counters.TxNoAck++
		if n != nil {
			n.Failures = min(n.Failures+1, maxFailures)
			n.PauseUntil = m.core.Now.Add(time.Duration(min(n.Failures, maxPause)) * pauseUnit * m.timing.FrameTime)
		}
	case Busy:
		m.Counters.TxChannelBusy++
	}
	m.sent, m.over = Sent{Dst: m.dst, Result: result, Poll: m.poll, Neighbor: n}, true
}

// Fetched is what a node that sleeps has heard for itself.
type Fetched struct {
	// More says that the frame's sender has more.
	More bool
	// Missed says that none has come in time which was promised.
	Missed bool
}

// PollFetched reports on the last frame for a Sleepy MAC, or that none has come, once.
func (m *MAC) PollFetched() (Fetched, bool) {
	news := m.news
	m.news = false
	return m.fetched, news
}

// fetch ends the wait for a frame that was promised.
func (m *MAC) fetch(more bool) {
	if !m.Sleepy {
		return
	}
	if m.state == stateWaitData {
		m.state, m.timer = stateIdle, time.Time{}
	}
	m.fetched, m.news = Fetched{More: more}, true
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

// Stop drops the frame in work; PollSent does not report it. What the radio is transmitting it finishes; no acknowledgement follows.
func (m *MAC) Stop() {
	if m.state != stateIdle {
		m.Counters.TxStopped++
	}
	m.release()
	m.state, m.timer, m.over, m.news = stateIdle, time.Time{}, false, false
	m.heard, m.piggyback = heard{}, piggyback{}
	m.stopRepeats()
	if m.radio == radioAck {
		m.ackLen = 1
	} else {
		m.ackLen = 0
	}
}

// countType counts what a frame is, where that is nothing usual.
func (m *MAC) countType(f *ieee802154.Frame) {
	switch {
	case f.Type == ieee802154.Beacon:
		m.Counters.TxBeacons++
	case f.Type == ieee802154.Command && f.Command == ieee802154.BeaconRequest:
		m.Counters.TxBeaconRequests++
	}
}
