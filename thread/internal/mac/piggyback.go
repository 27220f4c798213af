package mac

import (
	"encoding/binary"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

// piggyback is what acknowledges a frame in place of an acknowledgement: the next frame that this node sends, if it has one at once. That is the
// answer as a rule, or the frame itself on its way on. It may be for anybody; who waits for an acknowledgement hears it all the same.
//
//	A ── frame 7 ──► B ── frame 8 ──► C ── frame 9 ──► …    A hears 8 and B hears 9: both have their acknowledgements
//	A ── frame 7 ──► B ── frame 8 ──► (A does not hear it)  A repeats 7, B acknowledges the duplicate
//	A ── frame 7 ──► (lost)                                 A repeats 7
//
// It has the sequence number that follows the one of the frame that it acknowledges, comes from whom that was for, and is authentic and fresh, which an
// acknowledgement is not. Had it the same number, an acknowledgement of one frame of such a chain could be taken for that of another one. Another
// frame from there has that number once in 256 times, as any acknowledgement may.
//
// Only neighbors that have this engine too, and listen all the time, are acknowledged so.
//
// Deviation: IEEE 802.15.4-2006 §7.5.6.4 has B acknowledge first. On LoRa at SF7 that takes 31 ms, the frame of a small datagram 105 ms: of what a datagram
// takes over several hops that is a quarter.
type piggyback struct {
	size int  // of the frame received last, if it may be acknowledged so; else 0
	owes bool // the frame in work acknowledges another one
	came bool // the frame in work was acknowledged so
}

// longerBy is by how many bytes a frame may be longer than the one that it acknowledges, whose sender does not wait any longer.
const longerBy = 8

// invite notes that the frame received last, from a valid neighbor, may be acknowledged by another one.
func (m *MAC) invite(psdu []byte, from source) {
	n := from.record
	sleeps := n.Kind() == neighbors.KindChild && n.Sleepy()
	if m.Piggyback && m.heard.asks && !n.Foreign && !sleeps {
		m.piggyback.size = len(psdu)
	}
}

// carries reports whether a frame that is about to be sent acknowledges the one received last: nothing is in its way.
func (m *MAC) carries(f *ieee802154.Frame) bool {
	secured := f.Type == ieee802154.Data && f.Security.Level != ieee802154.SecurityNone && f.Security.KeyIDMode == ieee802154.KeyIDModeIndex
	short := f.PANIDCompression && f.Src.Mode == ieee802154.AddrModeShort && f.Dst.Mode == ieee802154.AddrModeShort
	return m.Piggyback && m.piggyback.size > 0 && m.radio == radioIdle && m.ackLen == 1 && secured && short &&
		f.Overhead()+len(f.Payload) <= m.piggyback.size+longerBy
}

// carry has the frame in work leave at once in place of the only acknowledgement that waits.
func (m *MAC) carry() {
	m.ackLen = 0
	m.piggyback = piggyback{owes: true}
	m.state, m.timer = stateReady, time.Time{}
	m.Counters.TxPiggybacked++
}

// Answering reports whether the packet that the radio has is an acknowledgement, or in the place of one.
func (m *MAC) Answering() bool {
	return m.radio == radioAck || m.radio == radioFrame && m.piggyback.owes
}

// settleDebt has an acknowledgement follow after all, if the frame in work was to be one and the radio has not sent it.
func (m *MAC) settleDebt(err error) {
	owes := m.piggyback.owes
	if m.piggyback.owes = false; owes && err != nil && m.ackLen < maxPendingAcks {
		m.acks[(m.ackHead+m.ackLen)%maxPendingAcks] = acknowledgement{seq: m.frameSeq - 1}
		m.ackLen++
	}
}

// awaits reports whether a frame with a sequence number may acknowledge the one in work, which has left the antenna.
func (m *MAC) awaits(seq uint8) bool {
	return m.Piggyback && m.wantsAck && m.state != stateIdle && m.left > 0 && seq == m.frameSeq+1
}

// mayCarry reports whether a packet may acknowledge the frame in work, by its first bytes: see foreign.go.
func (m *MAC) mayCarry(psdu []byte) bool {
	if len(psdu) < minForeign || !m.awaits(psdu[seqOffset]) {
		return false
	}
	const needed = panIDCompression | securityEnabled
	control := binary.LittleEndian.Uint16(psdu)
	if control&needed != needed || ieee802154.AddrMode(control>>dstModeShift&dstModeMask) != ieee802154.AddrModeShort ||
		ieee802154.AddrMode(control>>srcModeShift) != ieee802154.AddrModeShort {
		return false
	}
	src := binary.LittleEndian.Uint16(psdu[dstOffset+ieee802154.ShortAddrSize:])
	return m.dst == ieee802154.ShortAddress(ieee802154.ShortAddr(src))
}

// overhearCarried takes a frame for another node for an acknowledgement, if it is one.
func (m *MAC) overhearCarried(f *ieee802154.Frame, psdu []byte) {
	if f.AckRequest {
		m.room = m.core.Now.Add(m.timing.AckRoom)
	}
	n := m.record(m.dst)
	if n == nil || !n.Valid() {
		return
	}
	if _, _, err := m.check(f, psdu, n, n.Ext); err == nil {
		m.receiveCarried(f)
	}
}

// receiveCarried takes an authentic, fresh frame for an acknowledgement, if it is one.
func (m *MAC) receiveCarried(f *ieee802154.Frame) {
	if m.awaits(f.Seq) && f.Src == m.dst {
		m.Counters.RxPiggybacked++
		m.piggyback.came = true
		m.acknowledged()
	}
}

// carryTime is by how much longer than an acknowledgement a frame takes that may come in its place.
func (m *MAC) carryTime() time.Duration {
	if n := m.record(m.dst); !m.Piggyback || n == nil || n.Foreign {
		return 0
	}
	return m.timing.FrameTime * time.Duration(len(m.psdu)) / longestPSDU
}
