package thread

import (
	"errors"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// The MAC sends one frame at a time (IEEE 802.15.4-2006 §7.5.1.4, §7.5.6.4):
//
//	         enqueue            timer            radio done
//	macIdle ────────► macBackoff ────► macReady ─┐
//	   ▲                 ▲                ▼      │ PollTransmit
//	   │  acknowledged,  │ channel    macSending ┘
//	   │  given up, or   │ busy, no       │ acknowledgement wanted
//	   └──none wanted────┴─ack──────── macWaitAck
//
// Acknowledgements of received frames pass it by: they leave as soon as the radio is free.
type macState uint8

const (
	macIdle macState = iota
	macBackoff
	macReady
	macSending
	macWaitAck
)

// radioUse says what the radio is transmitting.
type radioUse uint8

const (
	radioIdle radioUse = iota
	radioAck
	radioFrame
)

// maxPendingAcks bounds the acknowledgements that wait for the radio. More than one arises only if frames arrive while the radio
// transmits, which a half-duplex radio cannot do.
const maxPendingAcks = 4

type mac struct {
	state    macState
	radio    radioUse
	timer    time.Time // end of the backoff or of the wait for an acknowledgement; zero if neither
	handover time.Time
	backoffs int
	retries  int
	acked    bool // the acknowledgement overtook the radio's "done"
	ackRSSI  int8

	seq     uint8
	counter uint32 // next MAC frame counter
	frame   ieee802154.Frame
	psdu    []byte
	payload []byte

	acks    [maxPendingAcks][]byte
	ackHead int
	ackLen  int

	rx []byte // plaintext of the frame in work
}

func (m *mac) init(seq uint8) {
	m.seq = seq
	m.psdu = make([]byte, 0, ieee802154.MaxPSDU)
	m.payload = make([]byte, 0, ieee802154.MaxPSDU)
	m.rx = make([]byte, 0, ieee802154.MaxPSDU)
	for i := range m.acks {
		m.acks[i] = make([]byte, 0, ieee802154.AckSize)
	}
}

// PollTransmit returns the next packet for the radio, if there is one and the radio is not transmitting. The packet is valid until
// HandleTransmitDone, which must follow.
func (e *Engine) PollTransmit() (psdu []byte, ok bool) {
	m := &e.mac
	switch {
	case m.radio != radioIdle:
		return nil, false
	case m.ackLen > 0:
		m.radio = radioAck
		e.counters.TxAcks++
		return m.acks[m.ackHead], true
	case m.state == macReady:
		m.radio, m.state = radioFrame, macSending
		m.handover = e.now
		return m.psdu, true
	}
	return nil, false
}

// ErrRefused tells [Engine.HandleTransmitDone] that the radio may not send the packet, because its duty cycle is used up, and that it is
// of no use to try again soon.
var ErrRefused = errors.New("thread: packet refused by the radio")

// HandleTransmitDone tells the engine that the packet from the last PollTransmit has left the antenna (err nil), or why it has not: after
// ErrRefused the frame is given up, so that it does not hold up others which the radio may still send; after any other error it is tried
// again, as on a busy channel.
func (e *Engine) HandleTransmitDone(now time.Time, err error) {
	e.now = now
	m := &e.mac
	use := m.radio
	m.radio = radioIdle
	switch use {
	case radioAck:
		// A lost acknowledgement is the peer's to notice.
		m.ackHead = (m.ackHead + 1) % maxPendingAcks
		m.ackLen--
	case radioFrame:
		if m.state != macSending {
			break // the engine was stopped meanwhile
		}
		switch {
		case errors.Is(err, ErrRefused):
			e.frameDone(txBusy)
		case err != nil:
			e.channelBusy()
		case !m.frame.AckRequest:
			e.frameDone(txDone)
		case m.acked:
			e.frameDone(txAcked)
		default:
			m.state = macWaitAck
			if m.timer = m.handover.Add(e.timing.AckWait); m.timer.Before(now) {
				m.timer = now
			}
		}
	}
	e.settle()
}

// txResult is what became of a frame.
type txResult uint8

const (
	txDone  txResult = iota // sent; no acknowledgement asked for
	txAcked                 // sent and acknowledged
	txNoAck
	txBusy
)

// transmit starts the transmission of m.frame with payload m.payload. The frame's addresses, AckRequest, FramePending and security
// level are set by the caller.
func (e *Engine) transmit() error {
	m := &e.mac
	f := &m.frame
	f.Version = ieee802154.Version2006
	f.Seq = m.seq
	f.Payload = m.payload
	var err error
	if f.Security.Level == ieee802154.SecurityNone {
		m.psdu, err = f.AppendBinary(m.psdu[:0])
	} else {
		if !e.reserveCounters() {
			return errStoreFailed
		}
		f.Security.FrameCounter = m.counter
		m.counter++
		f.Security.KeyIDMode = ieee802154.KeyIDModeIndex
		f.Security.KeyIndex = e.keySequence.Index()
		m.psdu, err = f.AppendSealed(m.psdu[:0], e.keysFor(e.keySequence).mac, e.ext)
	}
	if err != nil {
		return err
	}
	m.seq++
	m.backoffs, m.retries, m.acked = 0, 0, false
	e.counters.TxFrames++
	e.backoff()
	return nil
}

// backoff waits a random number of backoff units, from an exponent that grows with each failure.
func (e *Engine) backoff() {
	m := &e.mac
	exponent := min(e.timing.MinBE+m.backoffs+m.retries, e.timing.MaxBE)
	m.state = macBackoff
	m.timer = e.now.Add(time.Duration(e.rand.IntN(1<<exponent))*e.timing.BackoffUnit + e.randomUpTo(time.Duration(m.retries)*e.timing.RetryJitter))
}

// channelBusy handles a frame that the radio did not send: somebody else was on the air.
func (e *Engine) channelBusy() {
	m := &e.mac
	e.counters.TxDeferred++
	if m.backoffs < e.timing.MaxCSMABackoffs {
		m.backoffs++
		e.backoff()
		return
	}
	e.retry(txBusy)
}

// retry sends the frame again, the same bytes under the same counter, unless it was sent often enough.
func (e *Engine) retry(result txResult) {
	m := &e.mac
	m.backoffs = 0
	if m.retries >= e.timing.MaxFrameRetries {
		e.frameDone(result)
		return
	}
	m.retries++
	e.counters.TxRetries++
	e.backoff()
}

// frameDone ends the work on the frame.
func (e *Engine) frameDone(result txResult) {
	m := &e.mac
	m.state, m.timer = macIdle, time.Time{}
	if m.frame.Dst.IsBroadcast() {
		e.counters.TxBroadcast++
	} else {
		e.counters.TxUnicast++
	}
	switch result {
	case txAcked:
		e.counters.TxAcked++
	case txNoAck:
		e.counters.TxNoAck++
	case txBusy:
		e.counters.TxChannelBusy++
	}
	n := e.neighborByAddr(m.frame.Dst)
	if n != nil {
		switch result {
		case txAcked:
			n.failures = 0
			if _, fixed := e.filter.fixedRSSI(n.ext); !fixed {
				n.link.add(e.timing.ReceiveSensitivity, m.ackRSSI)
			}
		case txNoAck:
			n.failures = min(n.failures+1, 255-1)
		}
	}
	e.frameSent(result, n)
}

// stopMAC drops the frame in work. What the radio is transmitting it finishes.
func (e *Engine) stopMAC() {
	m := &e.mac
	m.state, m.timer = macIdle, time.Time{}
}

func (e *Engine) handleMACTimer() {
	m := &e.mac
	switch m.state {
	case macBackoff:
		m.state, m.timer = macReady, time.Time{}
	case macWaitAck:
		e.retry(txNoAck)
	}
}

// HandleFrame hands the engine a packet that the radio received, a whole PSDU with its two FCS bytes, which are not checked.
// rssi is in dBm, 127 if not known. psdu is not kept.
func (e *Engine) HandleFrame(now time.Time, psdu []byte, rssi int8) {
	e.now = now
	e.receive(psdu, rssi)
	e.settle()
}

func (e *Engine) receive(psdu []byte, rssi int8) {
	e.counters.RxFrames++
	if !e.up {
		return
	}
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		e.counters.RxMalformed++
		return
	}
	if f.Type == ieee802154.Ack {
		e.receiveAck(&f, rssi)
		return
	}
	if !e.addressedToUs(&f) {
		e.counters.RxOtherDestination++
		return
	}
	if f.AckRequest && !f.Dst.IsNone() && !f.Dst.IsBroadcast() {
		e.acknowledge(f.Seq)
	}

	n := e.neighborByAddr(f.Src)
	if n == nil && f.Dst.IsBroadcast() {
		n = e.receiveOnlyRouter(f.Src)
	}
	src := f.Src.Ext
	switch f.Src.Mode {
	case ieee802154.AddrModeShort:
		if n == nil {
			e.counters.RxUnknownNeighbor++
			return
		}
		src = n.ext
	case ieee802154.AddrModeExt:
		if src == e.ext {
			e.counters.RxOwnSource++
			return
		}
	}
	fixed := false
	if !f.Src.IsNone() {
		if !e.filter.pass(src) {
			e.counters.RxFiltered++
			return
		}
		var strength int8
		if strength, fixed = e.filter.fixedRSSI(src); fixed {
			rssi = strength
		}
	}
	if f.Dst.IsBroadcast() {
		e.counters.RxBroadcast++
	} else {
		e.counters.RxUnicast++
	}

	secured := f.Security.Level != ieee802154.SecurityNone
	payload := f.Payload
	if secured {
		if payload, err = e.openFrame(&f, psdu, src, n); err != nil {
			if errors.Is(err, keys.ErrDuplicate) {
				e.counters.RxDuplicate++
			} else {
				e.counters.RxSecurity++
			}
			return
		}
	}
	if n != nil {
		if fixed {
			n.link.reset(e.timing.ReceiveSensitivity, rssi) // it holds at once
		} else {
			n.link.add(e.timing.ReceiveSensitivity, rssi)
		}
		if secured && n.state != stateValid {
			e.counters.RxUnknownNeighbor++
			return
		}
		if secured && n.kind == kindRouter {
			// Deviation: stock takes Advertisements alone for signs of life. They are not repeated, and a busy LoRa channel
			// swallows three in a row now and then, while other frames get through.
			n.lastHeard = e.now
		}
	}

	switch f.Type {
	case ieee802154.Data:
		e.counters.RxData++
		if len(payload) > 0 {
			e.receiveLowpan(payload, rxInfo{src: f.Src, dst: f.Dst, pan: f.SrcPAN, rssi: rssi, secured: secured})
		}
	case ieee802154.Command:
		// Beacon requests and data requests belong to scans and sleepy children, which come later.
		e.counters.RxCommands++
	case ieee802154.Beacon:
		e.counters.RxBeacons++
	default:
		e.counters.RxUnsupported++
	}
}

// addressedToUs is the third level of filtering, IEEE 802.15.4-2006 §7.5.6.2. A frame without destination is taken.
func (e *Engine) addressedToUs(f *ieee802154.Frame) bool {
	if f.Dst.IsNone() {
		return true
	}
	panMatches := f.DstPAN == e.pan || f.DstPAN == ieee802154.BroadcastPAN
	switch f.Dst.Mode {
	case ieee802154.AddrModeShort:
		return panMatches && (f.Dst.IsBroadcast() || f.Dst.Short == ieee802154.ShortAddr(e.rloc) && e.rloc != mle.InvalidRLOC16)
	case ieee802154.AddrModeExt:
		return f.DstPAN == e.pan && f.Dst.Ext == e.ext
	}
	return false
}

func (e *Engine) acknowledge(seq uint8) {
	m := &e.mac
	if m.ackLen == maxPendingAcks {
		return
	}
	i := (m.ackHead + m.ackLen) % maxPendingAcks
	m.acks[i] = ieee802154.AppendAck(m.acks[i][:0], seq, false)
	m.ackLen++
}

// receiveAck matches an acknowledgement by its sequence number alone, all that identifies one.
func (e *Engine) receiveAck(f *ieee802154.Frame, rssi int8) {
	m := &e.mac
	e.counters.RxAcks++
	if f.Seq != m.frame.Seq || !m.frame.AckRequest {
		return
	}
	switch m.state {
	case macSending:
		m.acked, m.ackRSSI = true, rssi
	case macWaitAck:
		m.ackRSSI = rssi
		e.frameDone(txAcked)
	}
}

// openFrame authenticates and decrypts a frame from the node with extended address src (Thread 1.1 §7.2).
func (e *Engine) openFrame(f *ieee802154.Frame, psdu []byte, src ieee802154.ExtAddr, n *neighbor) ([]byte, error) {
	if f.Security.Level != ieee802154.SecurityENCMIC32 || f.Security.KeyIDMode != ieee802154.KeyIDModeIndex || n == nil {
		return nil, errSecurity
	}
	seq, ok := keys.FromIndex(e.keySequence, f.Security.KeyIndex)
	if !ok {
		return nil, errSecurity
	}
	if n.state == stateValid {
		if err := n.mac.Check(seq, f.Security.FrameCounter); err != nil {
			return nil, err
		}
	}
	payload, err := f.Open(e.mac.rx[:0], psdu, e.keysFor(seq).mac, src)
	if err != nil {
		return nil, err
	}
	if n.state == stateValid {
		n.mac.Accept(seq, f.Security.FrameCounter)
		if seq > e.keySequence {
			e.advanceKeySequence(seq)
		}
	}
	return payload, nil
}
