// Package mac is the medium access control of one node (IEEE 802.15.4-2006 §7). It sends one frame at a time, secured, by CSMA-CA and
// with retries. It acknowledges what is for the node, and lets up what is authentic.
//
//	          ┌──────────────┬────────── retry, the same bytes ──────────┐
//	Send ─► seal ─► backoff ─┴► PollTransmit ─► HandleTransmitDone ─► acknowledged? ─► PollSent
//
//	HandleFrame ─► for us? ─► whose? ─► Filter ─► open ─► Received
//	                └─ no ────── no ─────── no ───── no ──► one of the drop counters
//
// The room knows no IPv6, and of MLE the short address alone. It reads the records of neighbors, and writes into them how well and
// when they were heard: for a frame that it has authenticated itself, and for one that MLE has, which it learns by Vouch.
package mac

import (
	"errors"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

var (
	// ErrRefused tells HandleTransmitDone that the radio may not send the packet, because its duty cycle is used up, and that it is of
	// no use to try again soon.
	ErrRefused = errors.New("thread: packet refused by the radio")
	// ErrStore says that the store has not taken another limit of the frame counter, or that the counter is used up: nothing may be
	// secured.
	ErrStore = core.ErrStore
)

// Timing is what one radio's MAC does otherwise than another's (IEEE 802.15.4-2006 §7.5.1.4 and §7.5.6.4). Durations are not negative.
type Timing struct {
	// BackoffUnit is one unit of the CSMA-CA random delay (aUnitBackoffPeriod, 20 symbols).
	BackoffUnit time.Duration
	// MinBE and MaxBE bound the backoff exponent (macMinBE, macMaxBE).
	MinBE, MaxBE int
	// LoadBE is how much the exponent grows where the channel is heard full: see load. Zero is not at all.
	LoadBE int
	// MaxCSMABackoffs is how often a busy channel is tried again before that counts as a failed try.
	MaxCSMABackoffs int
	// RetryJitter bounds a random delay before each retry, on top of the backoff and as many times as there were retries.
	RetryJitter time.Duration
	// MaxFrameRetries is how often a frame is tried again before it is given up.
	MaxFrameRetries int
	// AckWait is the wait for an acknowledgement, counted from the end of the transmission.
	AckWait time.Duration
	// AckWaitMax is the longest wait, for a neighbor whose acknowledgements have shown that they take longer. Zero for AckWait in any case.
	AckWaitMax time.Duration
	// AckRoom is how long the channel is left to others after a frame for one of them that asks for an acknowledgement.
	AckRoom time.Duration
	// FrameTime is the airtime of the longest frame.
	FrameTime time.Duration
	// DataWait is how long a node that sleeps listens for a frame which the acknowledgement of its data request promises.
	DataWait time.Duration
	// Scale says what received power is worth.
	Scale neighbors.Scale
}

// Neighbors finds the records of neighbors, nil where there is none.
type Neighbors interface {
	// ByAddr finds a neighbor by link-layer address.
	ByAddr(a ieee802154.Addr) *neighbors.Neighbor
	// Beside finds a node that is no neighbor, but whose frames to this one are taken, and sent to as to a neighbor.
	Beside(a ieee802154.Addr) *neighbors.Neighbor
	// Overheard finds a node that is no neighbor, but whose broadcasts are taken.
	Overheard(a ieee802154.Addr) *neighbors.Neighbor
}

// Keys finds the ciphers of frames.
type Keys interface {
	// Sequence returns the key sequence under which the node sends.
	Sequence() keys.Sequence
	// MAC returns the cipher of a key sequence.
	MAC(seq keys.Sequence) *ieee802154.CCM
	// Follow is told the key sequence of each authentic frame of a valid neighbor, whether it is a later one than Sequence or not.
	Follow(seq keys.Sequence)
}

// Config is what a MAC works with.
type Config struct {
	Timing    Timing
	Neighbors Neighbors
	Keys      Keys
	// Pending reports whether there is something to send to the node with an address, which it will poll for. Nil for nothing, ever.
	Pending func(a ieee802154.Addr) bool
	// Reserve stores a further limit of Counter and tells Counter of it. It reports whether that worked.
	Reserve func() bool
}

// maxPendingAcks bounds the acknowledgements that wait for the radio. More than one arises only if frames arrive while the radio
// transmits, which a half-duplex radio cannot do.
const maxPendingAcks = 4

// state is that of the frame in work.
type state uint8

const (
	stateIdle state = iota
	stateBackoff
	stateReady
	stateSending
	stateWaitAck
	stateWaitData
)

// radioUse says what the radio is transmitting.
type radioUse uint8

const (
	radioIdle radioUse = iota
	radioAck
	radioFrame
	radioRepeat
)

// A MAC sends one frame at a time (IEEE 802.15.4-2006 §7.5.1.4, §7.5.6.4):
//
//	       Send           timer           radio done
//	idle ────────► backoff ────► ready ────┐
//	 ▲                ▲            ▼       │ PollTransmit
//	 │  acknowledged, │ channel   sending ─┘
//	 │  given up, or  │ busy, no    │ acknowledgement wanted
//	 └──none wanted───┴─ack────── waitAck
//	                                 │ of a data request: a frame is pending
//	idle ◄── a frame, or none ── waitData
//
// Acknowledgements of received frames pass it by: they leave as soon as the radio is free.
//
// After each input (HandleFrame, HandleTransmitDone, HandleTimeout) the caller asks PollSent, gives an idle MAC its next frame, and asks
// PollTransmit and NextTimeout.
type MAC struct {
	// On says that the interface is up. As long as it is not, received frames are counted in RxFrames, and that is all.
	On bool
	// Sleepy says that the receiver is to be on only while something is expected: see Listening. Broadcasts are not taken then.
	Sleepy bool

	// What tells a frame for others, which is most of what a node hears, and that nothing is to be sent after it, stands together.
	state  state    // of the frame in work
	radio  radioUse // what the radio is doing
	ackLen uint8
	pan    ieee802154.PANID
	short  mle.RLOC16
	core   *core.Core

	// Counters counts since the MAC was made.
	Counters Counters
	// Shortcuts has frames taken of nodes beside this one, and acknowledgements of secured frames withheld from short addresses that are not known:
	// who tries a shortcut must learn that it is none.
	//
	// Deviation: IEEE 802.15.4-2006 §7.5.6.4 has all frames acknowledged, and so stock's radios do.
	Shortcuts bool
	// Repeats has frames of neighbors repeated: see repeater.
	Repeats bool
	// Piggyback has frames sent in place of acknowledgements, and taken for them: see piggyback.
	Piggyback bool
	// Boards says that nodes are about that send what they have as soon as they have had an acknowledgement, or have sent one: see leaveRoom.
	Boards bool
	// Unknown is told of each secured frame for this node from a short address that is not known. It is dropped. Nil for nothing.
	Unknown func(src ieee802154.ShortAddr)
	// Passing is told of each packet of a short address to another one that is not this node's, and how well it was heard. Nil for nothing.
	Passing func(src, dst ieee802154.ShortAddr, rssi int)
	// Overheard is told of each packet to an extended address that is not this node's, before it is parsed. It must bring no deadline
	// forward. It is set once.
	Overheard func(to ieee802154.ExtAddr, psdu []byte)
	// Filter is the node's, which lets everything pass at first.
	Filter Filter
	// Counter is the frame counter of secured frames.
	Counter keychain.Counter
	// Asked is another PAN in which this node has asked who is there: what comes to its extended address there is taken, too. 0 is none.
	Asked ieee802154.PANID
	// Listen is the channel on which the node is when it does not send a frame of another one.
	Listen uint8

	timing    Timing
	neighbors Neighbors
	keys      Keys
	reserve   func() bool
	pending   func(a ieee802154.Addr) bool

	// The frame in work. What is left of the last one when idle is not read.
	timer    time.Time // end of the backoff or of the wait for an acknowledgement; zero if neither
	ended    time.Time // when the last try has left the antenna
	load     load
	room     time.Time // until when an acknowledgement of others may be on the air
	backoffs int
	retries  int
	left     int  // tries that have left the antenna
	acked    bool // the acknowledgement overtook the radio's "done"
	frameSeq uint8
	wantsAck bool
	channel  uint8 // that it is for, 0 if it is sent where the node listens
	dst      ieee802154.Addr
	effort   effort
	poll     bool // a data request
	promised bool // its acknowledgement says that a frame is pending
	psdu     []byte
	spare    []byte // of psdu, while the radio still has that of a frame that was dropped

	seq  uint8 // of the next frame
	sent Sent
	over bool // sent has not been fetched yet

	fetched Fetched
	news    bool // fetched has not been fetched yet

	// The radio, and the sequence numbers to acknowledge, that under way included.
	due      time.Time // when the radio is to be done, zero if it has nothing
	stuck    bool      // it was not in time, and has not been done with anything since, nor taken anything
	owed     uint8     // packets given up for lost of which it may say late that they are done
	presumed bool      // what it was done with last was taken for one of them, while it had another
	overdue  lasting.Condition
	acks     [maxPendingAcks]acknowledgement
	ackHead  uint8
	ack      []byte      // the acknowledgement that the radio has
	unproven core.Bucket // acknowledgements to who knows whom

	heard heard  // the last frame that was for this node
	rx    []byte // plaintext of the last secured frame

	repeater  repeater
	piggyback piggyback
	announce  *ieee802154.CCM
	guests    [maxGuests]guest
	kek       kek
}

// New returns a MAC that is off and has no short address. It draws one random number, its first sequence number.
func New(c *core.Core, cfg Config) *MAC {
	return &MAC{
		core: c, timing: cfg.Timing, Overheard: func(ieee802154.ExtAddr, []byte) {},
		neighbors: cfg.Neighbors, keys: cfg.Keys, reserve: cfg.Reserve, pending: cfg.Pending,
		short: mle.InvalidRLOC16,
		seq:   uint8(c.Rand.Uint32()),
		psdu:  make([]byte, 0, ieee802154.MaxPSDU),
		spare: make([]byte, 0, ieee802154.MaxPSDU),
		ack:   make([]byte, 0, ieee802154.AckSize),
		rx:    make([]byte, 0, ieee802154.MaxPSDU),
	}
}

// SetAddress sets the PAN and the short address, mle.InvalidRLOC16 for none, to which frames may be sent. The extended address is that
// of the core.
func (m *MAC) SetAddress(pan ieee802154.PANID, short mle.RLOC16) { m.pan, m.short = pan, short }

// Stuck reports whether the radio was not done with a packet in time, and has shown no sign of life since.
func (m *MAC) Stuck() bool { return m.stuck }

// Channel is the one on which the radio has to be, by its number: where the node listens, or that of the frame which the radio has.
func (m *MAC) Channel() uint8 {
	if m.radio == radioFrame && m.channel != 0 {
		return m.channel
	}
	return m.Listen
}

// Listening reports whether the receiver must be on. It always must, unless the MAC is Sleepy: then while an acknowledgement is due to or
// from this node, and while a frame is that the acknowledgement of a data request has promised.
func (m *MAC) Listening() bool {
	return !m.Sleepy || m.On && (m.radio != radioIdle || m.ackLen > 0 || m.state >= stateReady)
}

// Acknowledging reports whether an acknowledgement is still to be sent.
func (m *MAC) Acknowledging() bool { return m.ackLen > 0 }

// Idle reports whether there is no frame in work.
func (m *MAC) Idle() bool { return m.state == stateIdle }

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (m *MAC) NextTimeout() (time.Time, bool) {
	next := core.Earliest(core.Earliest(m.timer, m.due), m.repeater.at)
	return next, !next.IsZero()
}
