package mac

import (
	"errors"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// errSecurity says that a frame is not secured as Thread secures frames, or by nobody who is known.
var errSecurity = errors.New("thread: frame security")

// Received is the payload of a frame, and what the MAC knows of the frame.
type Received struct {
	// Type is that of the frame: Data, a Beacon, or a Command which is a Beacon Request.
	Type ieee802154.FrameType
	// Payload is valid until the next HandleFrame, and as long as the psdu of this one.
	Payload  []byte
	Src, Dst ieee802154.Addr
	PAN      ieee802154.PANID // of Src
	RSSI     int              // in dBm, 127 if not known
	Secured  bool             // and authentic, as a neighbor's
	KEK      bool             // authentic under the KEK, and not Secured
	// Poll says that the frame is a data request, secured, of a child: one that is known from before a restart may have sent it long ago.
	Poll bool
	// Own says that the frame, which is not secured, has this node's own address for its source, and is counted as dropped. It may tell
	// of another node with that address, and is good for nothing else.
	Own bool
}

// Ignore counts a received packet that is no matter for this node: it is for another one, acknowledges another's frame, or the MAC is
// off. It reports false, and has counted nothing, for one that is to be handed to HandleFrame. It notes that an acknowledgement may
// follow.
func (m *MAC) Ignore(now time.Time, psdu []byte, rssi int) bool {
	switch {
	case !m.On:
	case m.mayCarry(psdu):
		return false
	case m.isForeign(psdu, rssi):
		if psdu[0]&ackRequestBit != 0 {
			m.room = now.Add(m.timing.AckRoom)
			if m.Repeats {
				m.watch(now, psdu)
			}
		}
		m.Counters.RxOtherDestination++
	case isPlainAck(psdu) && (!m.wantsAck || psdu[seqOffset] != m.frameSeq):
		m.Counters.RxAcks++ // of another's frame, or too late
		m.room = m.leaveRoom(now)
		if m.Repeats {
			m.heardAck(psdu[seqOffset])
		}
	default:
		return false
	}
	m.Counters.RxFrames++
	m.hear(now, psdu)
	return true
}

// HandleFrame takes a packet that the radio received, a whole PSDU with its two FCS bytes, which are not checked. rssi is in dBm, 127 if
// not known. It returns the payload of a data frame that is for this node and has one, or of one that is Own; and Beacons and Beacon
// Requests.
func (m *MAC) HandleFrame(psdu []byte, rssi int) (Received, bool) {
	if m.Ignore(m.core.Now, psdu, rssi) {
		return Received{}, false
	}
	m.Counters.RxFrames++
	m.hear(m.core.Now, psdu)
	f, err := ieee802154.ParseFrame(psdu)
	switch {
	case err != nil:
		m.Counters.RxMalformed++
	case f.Type == ieee802154.Ack:
		m.receiveAck(f.Seq, f.FramePending)
	case !m.addressed(&f):
		m.Counters.RxOtherDestination++
		if m.mayCarry(psdu) {
			m.overhearCarried(&f, psdu)
		}
	default:
		return m.receive(&f, psdu, rssi)
	}
	return Received{}, false
}

// receiveAck matches an acknowledgement by its sequence number alone, all that identifies one. One that comes late, while the frame waits for
// another try, is as good.
func (m *MAC) receiveAck(seq uint8, pending bool) {
	m.Counters.RxAcks++
	if seq != m.frameSeq || !m.wantsAck {
		return
	}
	m.promised = pending
	m.acknowledged()
}

// acknowledged is for the frame in work.
func (m *MAC) acknowledged() {
	switch m.state {
	case stateSending:
		m.acked = true
	case stateWaitAck:
		m.finish(Acked)
	case stateBackoff, stateReady:
		if m.left > 0 {
			m.finish(Acked)
		}
	}
}

// addressed is the third level of filtering, IEEE 802.15.4-2006 §7.5.6.2. A frame without destination is taken.
func (m *MAC) addressed(f *ieee802154.Frame) bool {
	switch f.Dst.Mode {
	case ieee802154.AddrModeShort:
		return m.takesShort(f.DstPAN, f.Dst.Short)
	case ieee802154.AddrModeExt:
		return m.takesExt(f.DstPAN, f.Dst.Ext)
	}
	return f.Dst.IsNone()
}

// takesShort reports whether frames to a short address are for this node. A node that sleeps has what is for all from its parent, in its turn
// among what else the parent has for it: a broadcast heard by chance would make replays of what was secured before.
func (m *MAC) takesShort(pan ieee802154.PANID, a ieee802154.ShortAddr) bool {
	if pan != m.pan && pan != ieee802154.BroadcastPAN {
		return false
	}
	return a == ieee802154.BroadcastAddr && !m.Sleepy || a == ieee802154.ShortAddr(m.short) && m.short != mle.InvalidRLOC16
}

// takesExt reports whether frames to an extended address are for this node. They need the node's own PAN, or one in which it has asked who is
// there.
func (m *MAC) takesExt(pan ieee802154.PANID, a ieee802154.ExtAddr) bool {
	return (pan == m.pan || m.Asked != 0 && pan == m.Asked) && a == m.core.Ext
}

// receive handles a frame that is for this node.
func (m *MAC) receive(f *ieee802154.Frame, psdu []byte, rssi int) (Received, bool) {
	m.acknowledgeUnproven() // the last one
	m.piggyback.size = 0
	m.heard = heard{pan: f.SrcPAN, seq: f.Seq, asks: f.AckRequest && !f.Dst.IsNone() && !f.Dst.IsBroadcast()}
	if isPoll(f) {
		m.heard.poller = f.Src
	}
	from, ok := m.identify(f, rssi)
	if !ok {
		own := f.Src == ieee802154.ExtAddress(m.core.Ext) && f.Type == ieee802154.Data &&
			f.Security.Level == ieee802154.SecurityNone && len(f.Payload) > 0
		return Received{Type: f.Type, Payload: f.Payload, Src: f.Src, Dst: f.Dst, PAN: f.SrcPAN, RSSI: rssi, Own: own}, own
	}
	if f.Dst.IsBroadcast() {
		m.Counters.RxBroadcast++
	} else {
		m.Counters.RxUnicast++
	}
	payload, secured, ok := m.unseal(f, psdu, from)
	switch {
	case !ok:
		return Received{}, false
	case m.heard.restored:
		m.Counters.RxCommands++
		return Received{Src: f.Src, Poll: true}, true
	}
	return m.handUp(f, payload, secured, from)
}

// isPoll reports whether a frame is a data request (IEEE 802.15.4-2006 §7.3.4).
func isPoll(f *ieee802154.Frame) bool {
	return f.Type == ieee802154.Command && f.Command == ieee802154.DataRequest
}

// unseal opens a frame, if it is secured. It reports false, and has counted it, for one that is forged or a recording. Under the key that everybody
// knows a frame counts as not secured.
func (m *MAC) unseal(f *ieee802154.Frame, psdu []byte, from source) (payload []byte, secured, ok bool) {
	switch {
	case f.Security.Level == ieee802154.SecurityNone:
		if from.record != nil && from.record.Valid() {
			m.heard.from = from
		}
		m.acknowledgeGuest(f.Src)
		return f.Payload, false, true
	case f.Security.KeyIDMode == ieee802154.KeyIDModeImplicit:
		return m.unsealKEK(f, psdu)
	case f.Security.KeyIDMode == ieee802154.KeyIDModeSource4:
		payload, err := m.openAnnounce(f, psdu)
		if err != nil {
			m.Counters.RxSecurity++
		} else if from.record != nil && from.record.Valid() {
			m.heard.from = from
		}
		return payload, false, err == nil
	}
	if payload, ok = m.open(f, psdu, from); !ok {
		return nil, false, false
	}
	if isPoll(f) && from.record.Kind() == neighbors.KindChild && !from.record.Valid() && from.record.Established() {
		m.heard.restored = true // it will prove itself by its answer to what is waiting for it
		return nil, true, true
	}
	return payload, true, m.note(from)
}

// handUp counts a frame by its type, and returns what of it is for the layers above.
func (m *MAC) handUp(f *ieee802154.Frame, payload []byte, secured bool, from source) (Received, bool) {
	switch f.Type {
	case ieee802154.Data:
		m.Counters.RxData++
		m.fetch(f.FramePending)
		if len(payload) > 0 {
			return Received{Type: f.Type, Payload: payload, Src: f.Src, Dst: f.Dst, PAN: f.SrcPAN, RSSI: from.rssi, Secured: secured, KEK: m.heard.kek}, true
		}
	case ieee802154.Command:
		m.Counters.RxCommands++
		switch {
		case isPoll(f) && secured:
			return Received{Type: f.Type, Src: f.Src, RSSI: from.rssi, Secured: true, Poll: true}, true
		case f.Command == ieee802154.BeaconRequest && !secured:
			m.Counters.RxBeaconRequests++
			return Received{Type: f.Type, RSSI: from.rssi}, true
		}
	case ieee802154.Beacon:
		m.Counters.RxBeacons++
		if !secured {
			return Received{Type: f.Type, Payload: payload, Src: f.Src, PAN: f.SrcPAN, RSSI: from.rssi}, true
		}
	default:
		m.Counters.RxUnsupported++
	}
	return Received{}, false
}

// SourcePAN returns the source PAN ID of the frame that HandleFrame has just returned.
func (m *MAC) SourcePAN() ieee802154.PANID { return m.heard.pan }

// heard is what is left to be done for a frame once it is known to be authentic, or that it will never be.
type heard struct {
	from source           // of an unsecured one, a neighbor
	pan  ieee802154.PANID // of its source
	seq  uint8
	asks bool // for an acknowledgement, which it has not got yet

	poller   ieee802154.Addr // of a data request, where from
	restored bool            // which is a child's from before a restart
	kek      bool            // secured with the KEK
}

// acknowledgement is one that waits for the radio.
type acknowledgement struct {
	seq     uint8
	pending bool
}

// Vouch says that the frame that HandleFrame has just returned holds an MLE message which the node ext has indeed sent, and not long ago. If
// ext is a neighbor, the frame tells how well it is heard.
func (m *MAC) Vouch(ext ieee802154.ExtAddr) {
	if m.heard.from.record != nil && m.heard.from.ext == ext {
		m.measure(m.heard.from)
	}
	m.heard.from = source{}
	m.acknowledge()
}

// acknowledge has the last frame acknowledged as soon as the radio is free, if it asks for that (IEEE 802.15.4-2006 §7.5.6.4).
func (m *MAC) acknowledge() {
	asks := m.heard.asks
	if m.heard.asks = false; !asks || m.ackLen == maxPendingAcks {
		return
	}
	a := acknowledgement{seq: m.heard.seq}
	if !m.heard.poller.IsNone() && m.pending != nil {
		a.pending = m.pending(m.heard.poller)
	}
	m.acks[(m.ackHead+m.ackLen)%maxPendingAcks] = a
	m.ackLen++
}

// unprovenAcks is how many acknowledgements at once, and how often after that in times of FrameTime, go to frames of which nothing
// shows that a neighbor has sent them. That is a quarter of a percent of the time at most.
const (
	unprovenBurst = 32
	unprovenEvery = 150
)

// acknowledgeUnproven has the last frame acknowledged if it asks for that still: at a rate that leaves the node most of its duty cycle,
// whoever sends such frames.
//
// Deviation: IEEE 802.15.4-2006 §7.5.6.4 has all frames acknowledged. On LoRa an acknowledgement takes more of the air than what
// asks for it needs to.
//
// Deviation: OpenThread acknowledges the data requests of those that it does not know, who then believe for ever that they have a parent. Here a
// request from a short address, which only a child has, gets none; and from an extended one, none that promises a frame.
func (m *MAC) acknowledgeUnproven() {
	if !m.heard.asks {
		return
	}
	if !m.heard.restored {
		if m.heard.poller.Mode == ieee802154.AddrModeShort {
			m.Counters.AcksWithheld++
			m.heard.asks = false
			return
		}
		m.heard.poller = ieee802154.Addr{}
	}
	rate := core.Rate{Every: unprovenEvery * m.timing.FrameTime, Burst: unprovenBurst}
	if m.unproven.Ready(m.core.Now, rate) {
		m.unproven.Take(m.core.Now, rate)
		m.acknowledge()
	} else {
		m.Counters.AcksWithheld++
		m.heard.asks = false
	}
}

// source is who sent a frame, and how well it was heard.
type source struct {
	record *neighbors.Neighbor // nil for a stranger
	ext    ieee802154.ExtAddr  // zero for a frame without source
	rssi   int
	fixed  bool // rssi is the filter's
}

// identify finds out who sent a frame. It reports false for one to be dropped, which is counted.
func (m *MAC) identify(f *ieee802154.Frame, rssi int) (source, bool) {
	from := source{record: m.neighbors.ByAddr(f.Src), ext: f.Src.Ext, rssi: rssi}
	if from.record == nil && f.Dst.IsBroadcast() {
		from.record = m.neighbors.Overheard(f.Src)
	} else if from.record == nil && m.Shortcuts {
		from.record = m.neighbors.Beside(f.Src)
	}
	switch f.Src.Mode {
	case ieee802154.AddrModeNone:
		return from, true
	case ieee802154.AddrModeShort:
		if from.record == nil {
			if m.Shortcuts && f.Security.Level != ieee802154.SecurityNone && !f.Dst.IsBroadcast() && !isPoll(f) {
				m.dropUnknown(f.Src.Short)
			}
			m.Counters.RxUnknownNeighbor++
			return source{}, false
		}
		from.ext = from.record.Ext
	case ieee802154.AddrModeExt:
		if from.ext == m.core.Ext {
			m.Counters.RxOwnSource++
			return source{}, false
		}
	}
	if !m.Filter.pass(from.ext) {
		m.Counters.RxFiltered++
		return source{}, false
	}
	if strength, ok := m.Filter.fixedRSSI(from.ext); ok {
		from.rssi, from.fixed = strength, true
	}
	return from, true
}

// dropUnknown is for a frame to this node from a short address that is not known.
func (m *MAC) dropUnknown(src ieee802154.ShortAddr) {
	if m.heard.asks {
		m.heard.asks = false
		m.Counters.AcksWithheld++
	}
	if m.Unknown != nil {
		m.Unknown(src)
	}
}

// open authenticates and decrypts a frame. It reports false for one to be dropped, which is counted.
func (m *MAC) open(f *ieee802154.Frame, psdu []byte, from source) ([]byte, bool) {
	payload, err := m.authenticate(f, psdu, from)
	switch {
	case err == nil:
		return payload, true
	case errors.Is(err, keys.ErrDuplicate):
		m.Counters.RxDuplicate++
		m.fetch(f.FramePending)
		// Its sender has missed the acknowledgement, and tries as often as this node would.
		if n := from.record; int(n.Repeats) < m.timing.MaxFrameRetries {
			n.Repeats++
			m.acknowledge()
		}
	default:
		m.Counters.RxSecurity++
	}
	return nil, false
}

// authenticate returns the plaintext of a frame (Thread 1.1 §7.2).
func (m *MAC) authenticate(f *ieee802154.Frame, psdu []byte, from source) ([]byte, error) {
	n := from.record
	if n == nil {
		return nil, errSecurity
	}
	payload, seq, err := m.check(f, psdu, n, from.ext)
	if err != nil {
		return nil, err
	}
	if n.Valid() {
		n.MAC.Accept(seq, f.Security.FrameCounter)
		m.keys.Follow(seq)
		n.Repeats = 0
		m.invite(psdu, from)
		m.acknowledge()
		m.receiveCarried(f)
	}
	return payload, nil
}

// check returns the plaintext of a frame, and under which key sequence it was secured, if that is fresh and authentic. It changes nothing.
func (m *MAC) check(f *ieee802154.Frame, psdu []byte, n *neighbors.Neighbor, ext ieee802154.ExtAddr) ([]byte, keys.Sequence, error) {
	if f.Security.Level != ieee802154.SecurityENCMIC32 || f.Security.KeyIDMode != ieee802154.KeyIDModeIndex {
		return nil, 0, errSecurity
	}
	seq, ok := keys.FromIndex(m.keys.Sequence(), f.Security.KeyIndex)
	if !ok {
		return nil, 0, errSecurity
	}
	if n.Valid() {
		if err := n.MAC.Check(seq, f.Security.FrameCounter); err != nil {
			return nil, 0, err
		}
	}
	payload, err := f.Open(m.rx[:0], psdu, m.keys.MAC(seq), ext)
	return payload, seq, err
}

// note writes down that a neighbor has sent an authentic frame, and how well it was heard. It reports false for a frame to be dropped, which
// is counted.
func (m *MAC) note(from source) bool {
	n := from.record
	if !n.Valid() {
		m.Counters.RxUnknownNeighbor++
		return false
	}
	m.measure(from)
	n.LastFrame = m.core.Now
	if n.Kind() == neighbors.KindRouter {
		// Deviation: stock takes Advertisements alone for signs of life. They are not repeated, and a busy LoRa channel
		// swallows three in a row now and then, while other frames get through.
		n.LastHeard = m.core.Now
	}
	return true
}

// measure takes the strength of an authentic frame for that of its sender, which is there and so worth another try.
func (m *MAC) measure(from source) {
	n := from.record
	if from.fixed {
		n.Link.Reset(&m.timing.Scale, from.rssi) // it holds at once
	} else {
		n.Link.Add(&m.timing.Scale, from.rssi)
	}
	n.PauseUntil = time.Time{}
	if n.Kind() == neighbors.KindChild {
		n.Failures = 0 // a child that does not hear its parent leaves by itself, a router does not
	}
}
