// Package sender is the way out: IPv6 datagrams and frames that pass through wait here for the radio, are cut into frames, and
// handed to the MAC one at a time.
//
//	Submit, Enqueue ─► queue ─► Choose ─► Start ─► MAC ─► Sent ─► next fragment, or done
//	                     ▲        │ the destination's place is unknown └─► given up
//	           Release ──┴── waiting ─── Refuse ──► given up
//
// What is taken is not dropped for want of place, unless something of higher priority needs it, or something for a destination for which
// less waits; what waits for an address keeps its place in the queue meanwhile.
//
// The queue is one list in order of priority, served neighbor by neighbor: within a priority each next hop keeps its order,
// and the hops take turns, of which a slow one gets every second frame at most while others wait. One that does not acknowledge has no
// turn until its pause is over. The way is looked up anew for each frame.
//
// Each message that is given up goes through one place, with the reason.
//
// What is meant for a sleeping child is held here, too, until the child polls: see held.go.
package sender

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Limits that this implementation chose.
const (
	MaxQueued  = 64 // messages in all
	MaxWaiting = 16 // those among them that wait for an address
	MaxHost    = 8  // those among them that the host has offered: each delays the next by up to fourteen frames
)

// A MAC sends frames, one at a time.
type MAC interface {
	// SendOn takes a frame over, to be secured and sent on a channel, 0 for the node's. It is called only after Sent has reported on the
	// last one.
	SendOn(channel uint8, f ieee802154.Frame) error
	// SendIndirect is Send for the answer to a poll. If kept is not empty it is such a frame, as returned before, to be sent again as it
	// was. It returns the frame as it is on the air, valid until the next is sent.
	SendIndirect(f ieee802154.Frame, kept []byte) (psdu []byte, err error)
}

// Timing is the pause after a fragment that goes over several hops, and how long a lost datagram is remembered: see thread.Timing.
type Timing struct {
	FragmentGap, FragmentGaps, LostDatagram time.Duration
}

// Counters counts what became of messages. Each is in one of them in the end.
type Counters struct {
	TxDatagrams, Forwarded                          uint64 // sent
	QueueFull, AddressUnresolved, TxDatagramsFailed uint64 // dropped
	NoRoute, RelaysNoRoute                          uint64 // dropped: datagrams, mesh frames
	RelaysIncomplete                                uint64 // dropped: mesh frames
	Unsecured, Stopped, Replaced                    uint64 // dropped: nothing could be secured, not On or Stop, DropMLE
}

// A Sender is the way out of one node.
type Sender struct {
	Counters Counters
	// PAN is what frames are addressed to, Contexts what they are compressed with.
	PAN      ieee802154.PANID
	Contexts *lowpan.Contexts
	// On says that messages are accepted.
	On bool
	// Hold gives data up, so that what holds the mesh together can go.
	Hold bool
	// Undeliverable, if set, is told of each message that is given up. It must not keep m.
	Undeliverable func(m *Message, reason Reason)
	// Passed, if set, is told of each datagram and mesh frame that has gone out as a whole. It must not keep m.
	Passed func(m *Message)
	// Secure secures an MLE message whose turn has come, the first time: in the order in which they are sent, for a neighbor takes a
	// message that comes after a later one for a replay. An error gives the message up. Without it, what is queued is sealed.
	Secure func(m *Message) error

	core   *core.Core
	timing Timing
	mac    MAC
	router Router

	queue   []*Message
	waiting []*Message // for an address
	pool    []*Message

	sleepers []*sleeper // children for which something is held, in the order of their turns

	chosen  choice
	work    work
	lastHop ieee802154.Addr // next hop of the last frame
	timer   time.Time       // when a message that pauses may go on
	tag     uint16
	payload []byte
	lost    lostDatagrams
}

// choice is the message whose turn it is, and its way.
type choice struct {
	message *Message
	hop     Hop
	sleeper *sleeper // that has polled for it, nil for what goes out by itself
}

// work is the frame that the MAC has.
type work struct {
	message *Message
	end     int  // how much of the message is sent with it
	relayed bool // the next hop passes it on,
	far     bool // and maybe the one after that
	sleeper *sleeper

	shortcut bool // there is another way
}

// New returns a Sender that accepts nothing until it is On.
func New(c *core.Core, t Timing, m MAC, r Router, contexts *lowpan.Contexts) *Sender {
	return &Sender{
		core: c, timing: t, mac: m, router: r, Contexts: contexts, tag: uint16(c.Rand.Uint32()),
		Secure: func(*Message) error { return nil },
	}
}

// Queued and Waiting count what waits for the radio and for an address.
func (s *Sender) Queued() int { return len(s.queue) }

// Ready reports whether there may be something to send now, and Choose is to be asked.
func (s *Sender) Ready() bool {
	return len(s.queue) > 0 || slices.ContainsFunc(s.sleepers, func(sl *sleeper) bool { return sl.polled })
}

// HostQueued counts the datagrams that the host has offered and that wait for the radio.
func (s *Sender) HostQueued() (n int) {
	for _, m := range s.queue {
		if m.Host {
			n++
		}
	}
	return n
}

// Waiting counts the datagrams that wait for an address.
func (s *Sender) Waiting() int { return len(s.waiting) }

// New returns an empty message.
func (s *Sender) New() *Message {
	if n := len(s.pool); n > 0 {
		m := s.pool[n-1]
		s.pool = s.pool[:n-1]
		return m
	}
	return new(Message)
}

// Free takes a message back that is not enqueued.
func (s *Sender) Free(m *Message) {
	*m = Message{Data: m.Data[:0]}
	s.pool = append(s.pool, m)
}

// Submit is Enqueue for a datagram of this node's own: who sends it hears at once that there is no way, core.ErrNoRoute, or that as many
// datagrams as may wait for an address do so, core.ErrQueueFull.
func (s *Sender) Submit(m *Message) error {
	if err := s.check(m); err != nil {
		return err
	}
	switch _, answer := s.router.Route(m); {
	case answer.final():
		m.Host = false // who offers it is told so here
		s.giveUp(m, noWay(answer))
		return core.ErrNoRoute
	case answer != Wait:
	case len(s.waiting) < MaxWaiting && s.makePlace(m):
		s.waiting = append(s.waiting, m)
		return nil
	default:
		s.giveUp(m, QueueFull)
		return core.ErrQueueFull
	}
	return s.insert(m)
}

// Enqueue takes a message over. If it fails the message is dropped: with core.ErrQueueFull, which passes, for want of place; with
// core.ErrDisabled while the sender is not On; with core.ErrPacket if it is none. When the queue is full the last of the lowest priority
// gives way, if it is lower.
func (s *Sender) Enqueue(m *Message) error {
	if err := s.check(m); err != nil {
		return err
	}
	return s.insert(m)
}

// check drops a message that is none, or that comes while the sender is off.
func (s *Sender) check(m *Message) error {
	switch {
	case !s.On:
		s.giveUp(m, Stopped)
		return core.ErrDisabled
	case !m.parse():
		s.giveUp(m, Invalid)
		return core.ErrPacket
	case s.incomplete(m):
		s.giveUp(m, Incomplete)
		return core.ErrNoRoute
	}
	return nil
}

// insert puts a message into the queue by its priority, or holds it for a child that sleeps.
func (s *Sender) insert(m *Message) error {
	if child, sleeps := s.router.Sleeper(m); sleeps {
		return s.hold(child, m)
	}
	if !s.makePlace(m) {
		s.giveUp(m, QueueFull)
		return core.ErrQueueFull
	}
	i := len(s.queue)
	for i > 0 && s.queue[i-1].Priority < m.Priority {
		i--
	}
	s.queue = slices.Insert(s.queue, i, m)
	return nil
}

// makePlace reports whether there is a place for m, if need be that of a message that m may displace: the last of the lowest priority, if that
// is lower; else the last one to a destination that has several more in the queue than m's own. What the host has offered stays: there is
// little of it.
func (s *Sender) makePlace(m *Message) bool {
	if len(s.queue)+len(s.waiting) < MaxQueued {
		return true
	}
	last := len(s.queue) - 1 // those that wait are fewer than MaxQueued
	for last > 0 && s.queue[last].Host {
		last--
	}
	if s.queue[last].Host || s.queue[last].Priority >= m.Priority {
		last = s.crowd(m)
	}
	if last < 0 || s.queue[last] == s.work.message {
		return false
	}
	victim := s.queue[last]
	s.queue = slices.Delete(s.queue, last, last+1)
	s.giveUp(victim, QueueFull)
	return true
}

// crowd returns where the last message is, of no higher priority than m and not begun, to the destination that most messages are for. It returns
// -1 if m's own destination has as many, but for a few.
func (s *Sender) crowd(m *Message) int {
	place, most := -1, s.count(m)+1
	for i, other := range s.queue {
		if other.Priority > m.Priority || other.Host || other.begun() || other == s.work.message {
			continue
		}
		if n := s.count(other); n > most || n == most && place >= 0 && other.sameEnd(s.queue[place]) {
			place, most = i, n
		}
	}
	return place
}

// count is how many messages in the queue have the destination of m.
func (s *Sender) count(m *Message) (n int) {
	for _, other := range s.queue {
		if other.sameEnd(m) {
			n++
		}
	}
	return n
}

// Stop drops everything.
func (s *Sender) Stop() {
	queue, waiting, sleepers := s.queue, s.waiting, s.sleepers
	s.queue, s.waiting, s.sleepers = s.queue[:0], s.waiting[:0], nil
	s.chosen, s.work = choice{}, work{}
	for _, m := range queue {
		s.giveUp(m, Stopped)
	}
	for _, m := range waiting {
		s.giveUp(m, Stopped)
	}
	for _, sl := range sleepers {
		for len(sl.queue) > 0 {
			s.giveUp(s.shift(sl), Stopped)
		}
	}
}

// NextTimeout returns when a message that pauses may go on. It matters while the MAC is idle.
func (s *Sender) NextTimeout() (time.Time, bool) {
	return s.timer, len(s.queue) > 0 && !s.timer.IsZero()
}

func (s *Sender) remove(m *Message) {
	if i := slices.Index(s.queue, m); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.Free(m)
}

// drop gives up a message in the queue.
func (s *Sender) drop(m *Message, reason Reason) {
	if i := slices.Index(s.queue, m); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.giveUp(m, reason)
}

// giveUp counts a message that will not be sent, which is in no list any more, and tells of it.
func (s *Sender) giveUp(m *Message, reason Reason) {
	switch {
	case m.Kind == KindEmpty, m.Host && reason == QueueFull:
		s.Free(m) // nothing is lost
		return
	case reason == QueueFull:
		s.Counters.QueueFull++
	case reason == Unresolved:
		s.Counters.AddressUnresolved++
	case reason == Unsecured:
		s.Counters.Unsecured++
	case reason == Stopped:
		s.Counters.Stopped++
	case reason == Incomplete:
		s.Counters.RelaysIncomplete++
	case reason == NoWay && m.Kind == KindMeshFrame:
		s.Counters.RelaysNoRoute++
	case reason == NoWay:
		s.Counters.NoRoute++
	default:
		s.Counters.TxDatagramsFailed++
	}
	s.loseFragment(m)
	if s.Undeliverable != nil {
		s.Undeliverable(m, reason)
	}
	s.Free(m)
}

// noWay is the reason for which a message is given up that a Router has no way for.
func noWay(a Answer) Reason {
	if a == Dead {
		return Unresponsive
	}
	return NoWay
}

// Choose picks the message whose turn it is. It reports false if there is none.
func (s *Sender) Choose() bool {
	s.chosen = choice{}
	s.timer = time.Time{}
	if s.chooseHeld() {
		return true // who polls does not listen for long
	}
	for i := 0; i < len(s.queue); {
		m := s.queue[i]
		if s.chosen.message != nil && m.Priority != s.chosen.message.Priority {
			break
		}
		if s.leaves(m, i) {
			continue
		}
		if m.after.After(s.core.Now) {
			s.timer = core.Earliest(s.timer, m.after)
			i++
			continue
		}
		hop, answer := s.way(m)
		switch {
		case answer.final():
			s.drop(m, noWay(answer))
			continue
		case answer == Wait && len(s.waiting) < MaxWaiting:
			s.queue = slices.Delete(s.queue, i, i+1)
			s.waiting = append(s.waiting, m)
			continue
		case answer == Wait: // until there is a place
			i++
			continue
		}
		if m.Kind != KindMLE && hop.PauseUntil.After(s.core.Now) {
			s.timer = core.Earliest(s.timer, hop.PauseUntil)
			i++
			continue
		}
		if hop.Mesh && s.pausing(i, hop.Dst) {
			i++ // it would spoil the pause, and overtake
			continue
		}
		if hop.Dst != s.lastHop {
			s.chosen = choice{message: m, hop: hop}
			return true
		}
		if s.chosen.message == nil {
			s.chosen = choice{message: m, hop: hop}
		}
		i++
	}
	return s.chosen.message != nil
}

// leaves takes the i-th message out of the queue if it is too old, or of no use any more, or for a child that has fallen asleep.
func (s *Sender) leaves(m *Message, i int) bool {
	switch {
	case !m.begun() && s.core.IsDue(m.Expires):
		s.drop(m, Expired)
		return true
	case s.incomplete(m):
		s.drop(m, Incomplete)
		return true
	case s.Hold && m.Kind != KindMLE && m.Priority < PriorityNet:
		s.drop(m, NotSent)
		return true
	}
	child, sleeps := s.router.Sleeper(m)
	if sleeps {
		s.queue = slices.Delete(s.queue, i, i+1)
		_ = s.hold(child, m) // counted there
	}
	return sleeps
}

// way asks for the way of a message.
func (s *Sender) way(m *Message) (Hop, Answer) {
	if m.Kind == KindMeshFrame {
		return s.router.Relay(m.meshDst)
	}
	return s.router.Route(m)
}

// pausing reports whether one of the first n messages pauses between fragments that hop passes on.
func (s *Sender) pausing(n int, hop ieee802154.Addr) bool {
	return slices.ContainsFunc(s.queue[:n], func(m *Message) bool { return m.after.After(s.core.Now) && m.hop == hop })
}

// Start builds the next frame of the chosen message and hands it to the MAC. What cannot be sent is given up.
func (s *Sender) Start() {
	m, hop, sl := s.chosen.message, s.chosen.hop, s.chosen.sleeper
	s.chosen = choice{}
	if sl != nil {
		s.startHeld(sl, hop)
		return
	}
	f, end, err := s.frameOf(m, hop)
	if err == nil {
		s.lastHop = hop.Dst
		s.work = work{message: m, end: end, relayed: hop.Mesh, far: hop.Far, shortcut: hop.Shortcut}
		err = s.mac.SendOn(m.Channel, f)
	}
	if err != nil {
		s.work = work{}
		s.drop(m, refused(err))
	}
}

// refused is the reason for which a message is given up that the MAC does not take.
func refused(err error) Reason {
	if errors.Is(err, core.ErrStore) {
		return Unsecured
	}
	return Invalid
}

// frameOf builds a frame for the next part of m, and returns where in m that part ends. An MLE message that needs fragments is secured by the
// MAC as well (Thread 1.1 §4.9): nothing else tells whose fragments they are.
func (s *Sender) frameOf(m *Message, hop Hop) (f ieee802154.Frame, end int, err error) {
	if m.Kind == KindMLE && !m.sealed {
		if err := s.Secure(m); err != nil {
			return f, 0, err
		}
		m.sealed = true
	}
	f, end, err = s.frame(m, hop)
	if err == nil && m.Kind == KindMLE && !m.secured && end < len(m.Data) {
		m.secured = true
		f, end, err = s.frame(m, hop)
	}
	return f, end, err
}

// frame builds a frame for the next part of m, and returns where in m that part ends.
func (s *Sender) frame(m *Message, hop Hop) (f ieee802154.Frame, end int, err error) {
	f = ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006,
		AckRequest: !hop.Dst.IsBroadcast(), PANIDCompression: true,
		DstPAN: s.PAN, SrcPAN: s.PAN, Dst: hop.Dst, Src: hop.Src,
	}
	if m.PAN != 0 {
		f.DstPAN, f.SrcPAN = m.PAN, m.PAN
	}
	switch {
	case m.Protection == Plain:
	case m.Protection == Entrusted:
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeImplicit}
	case m.Kind != KindMLE || m.secured:
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
	}
	switch {
	case m.Kind == KindEmpty:
		return f, 0, nil
	case m.Kind == KindMeshFrame:
		f.Payload = m.Data
		return f, len(m.Data), nil
	case m.Kind == KindMLE && m.Command == mle.Announce:
		// It is for nodes of other networks, which know neither the PAN ID nor the key (Thread 1.1 §4.9).
		f.DstPAN, f.PANIDCompression = ieee802154.BroadcastPAN, false
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeSource4}
	}
	src, dst := hop.Src, hop.Dst
	payload, room := s.payload[:0], ieee802154.MaxPSDU-f.Overhead()
	if hop.Mesh {
		src, dst = neighbors.ShortAddr(hop.MeshSrc), neighbors.ShortAddr(hop.MeshDst)
		header := lowpan.MeshHeader{HopsLeft: hop.HopsLeft, Src: src, Dst: dst}
		if payload, err = header.AppendBinary(payload); err != nil {
			return f, 0, err
		}
		room -= len(payload)
	}
	s.setTag(m)
	s.payload, end, err = lowpan.Packet{Datagram: m.Data, Tag: m.tag, Src: src, Dst: dst, Ends: hop.Ends}.AppendFrame(payload, m.offset, room, s.Contexts)
	f.Payload = s.payload
	f.FramePending = end < len(m.Data)
	return f, end, err
}

// setTag gives a datagram the tag by which its fragments are told from others' (RFC 4944 §5.3). Zero stands for none yet.
func (s *Sender) setTag(m *Message) {
	for m.tag == 0 {
		s.tag++
		m.tag = s.tag
	}
}

// Sent is the MAC's report on the frame that it had: whether it went out, and was acknowledged if that was asked for.
func (s *Sender) Sent(ok bool) {
	w := s.work
	s.work = work{}
	m := w.message
	switch {
	case m == nil:
	case w.sleeper != nil:
		s.sentHeld(w.sleeper, ok)
	case !ok && w.shortcut: // it is tried on another way
	case !ok:
		s.drop(m, NotSent)
	case w.end < len(m.Data):
		m.offset = w.end
		if w.relayed {
			m.after, m.hop = s.core.Now.Add(s.fragmentGap(m, w.far)), s.lastHop
		}
	case m.Kind == KindMeshFrame:
		s.Counters.Forwarded++
		s.passed(m)
	default:
		s.Counters.TxDatagrams++
		s.passed(m)
	}
}

// passed ends the work on a message that has gone out.
func (s *Sender) passed(m *Message) {
	if s.Passed != nil && (m.Kind == KindMeshFrame || m.Kind == KindDatagram) {
		s.Passed(m)
	}
	s.remove(m)
}

// fragmentGap is the pause between the fragments of a datagram: until the next hop has passed one on, and the one after that, too, which
// is not heard here.
func (s *Sender) fragmentGap(m *Message, far bool) time.Duration {
	const fragmentSize = 88 // bytes of a datagram in one fragment behind a mesh header
	gap := s.timing.FragmentGap
	if !far {
		gap /= 2
	}
	return min(gap, s.timing.FragmentGaps*fragmentSize/time.Duration(len(m.Data)))
}

// DropMLE drops the MLE messages of a command to dst that nobody has begun to send and something newer replaces.
func (s *Sender) DropMLE(dst netip.Addr, command mle.Command) {
	for i := 0; i < len(s.queue); {
		m := s.queue[i]
		if m.Kind == KindMLE && m.Command == command && m.dst == dst && m != s.work.message && !m.begun() {
			s.Counters.Replaced++
			s.remove(m)
			continue
		}
		i++
	}
	for _, sl := range s.sleepers {
		for i := len(sl.queue) - 1; i >= 0; i-- {
			if m := sl.queue[i]; m.Kind == KindMLE && m.Command == command && m.dst == dst && !s.fixed(sl, i) {
				s.Counters.Replaced++
				s.removeHeld(sl, i)
			}
		}
	}
	s.tidy()
}

// Release sends what waited for an address, Refuse gives it up.
func (s *Sender) Release(target netip.Addr) {
	s.take(target, func(m *Message) { _ = s.Enqueue(m) }) // there is a place: its own
}

// Refuse gives up what waited for an address.
func (s *Sender) Refuse(target netip.Addr) {
	s.take(target, func(m *Message) { s.giveUp(m, Unresolved) })
}

func (s *Sender) take(target netip.Addr, use func(*Message)) {
	for i := 0; i < len(s.waiting); {
		m := s.waiting[i]
		if m.dst == target {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			use(m)
			continue
		}
		i++
	}
}
