package thread

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// errMLEUnexpected says that a message is well-formed but fits nothing that this node is doing.
var errMLEUnexpected = errors.New("thread: unexpected MLE message")

// errMLERefused says that a message is not answered because too many were answered lately to those who are no neighbors.
var errMLERefused = errors.New("thread: too many answers to strangers")

// mleInfo is what the layers below know of a received message.
type mleInfo struct {
	src, dst    netip.Addr
	ext         ieee802154.ExtAddr // of the sender
	rssi        int
	keySequence keys.Sequence
	counter     uint32 // the message's frame counter
	mic         uint32 // and integrity code
	// fresh says that the sender is a neighbor by whose frame counter the message is no replay. What a message that is not fresh
	// says may be old: it has no authority, unless an answer to a challenge proves it.
	fresh bool
	// news says that it is the newest that was heard of the sender. Of who is no neighbor a recording may be news as well, but once only.
	news bool
	// doubtful says that the sender is a neighbor, but not by its frame counter: it has lost that, or the message is a recording.
	doubtful bool
}

// An mleCommand is a command that this node handles.
type mleCommand struct {
	command mle.Command
	roles   roleSet
	// strangers says that the command makes sense from a node that is no neighbor yet.
	strangers bool
	handle    func(m mle.Message, info mleInfo) error
	// unneeded, if set, reports whether a message that begins like this one would change nothing, if it is from a stranger.
	unneeded func(beginning mle.Message, info mleInfo) bool
}

// roleSet is a set of roles.
type roleSet uint8

const (
	asDisabled  roleSet = 1 << RoleDisabled
	asDetached  roleSet = 1 << RoleDetached
	asChild     roleSet = 1 << RoleChild
	asRouter    roleSet = 1<<RoleRouter | 1<<RoleLeader
	asLeader    roleSet = 1 << RoleLeader
	asEndDevice         = asDetached | asChild
	asAny               = asEndDevice | asRouter
)

func (s roleSet) has(r Role) bool { return s&(1<<r) != 0 }

// delayedMessage is an MLE message that waits for its random delay. It is secured when it leaves.
type delayedMessage struct {
	at    time.Time
	dst   netip.Addr
	plain []byte
}

// maxDelayed bounds the messages that wait for their random delay, however many requests come.
const maxDelayed = 32

// mleMessenger secures and sends MLE messages, and hands those received to the role that they are for (Thread 1.1 §4.9, §7.2.2):
//
//	start ─► Append… ─► send ─────────────► sealed ─► sender
//	                 └► delay ─► HandleTimeout ─┘
//	datagram ─► receive ─► opened, replay checked ─► commands
type mleMessenger struct {
	*self
	keys       *keychain.Keychain
	neighbors  *neighbors.Table
	sender     *sender.Sender
	counter    keychain.Counter
	macCounter *keychain.Counter                           // announced beside it
	reserve    func() bool                                 // stores a further limit of counter
	handlers   [maxCommand + 1][RoleLeader + 1]*mleCommand // commands, by command and role
	strangers  [maxCommand + 1]bool                        // commands that make sense from strangers
	answers    *strangers.Answers
	vouch      func(ext ieee802154.ExtAddr) // tells the MAC who has sent the frame in work
	expect     func(polls int)              // an answer is due, for which a sleepy end device must poll
	unsecured  func(m mle.Message, src netip.Addr, rssi int) error

	company *quiet
	places  *places

	shortcuts *shortcuts

	twin    lasting.Condition // another node with this one's address
	delayed []delayedMessage
	next    time.Time // when the first of them leaves, zero if there is none

	scratch []byte // message under construction
	sealed  []byte // the same, secured
	opened  []byte // message received

	overheard []byte // datagram for another node
	contexts  *lowpan.Contexts

	peeked [peekSize]byte
}

// maxCommand is the highest command that this node may handle.
const maxCommand = mle.DiscoveryResponse

// setCommands says what commands this node handles.
func (x *mleMessenger) setCommands(commands []mleCommand) {
	for i := range commands {
		c := &commands[i]
		x.strangers[c.command] = x.strangers[c.command] || c.strangers
		for role := range x.handlers[c.command] {
			if c.roles.has(Role(role)) {
				x.handlers[c.command][role] = c
			}
		}
	}
}

// start starts a message: append TLVs, then send or delay it before the next is started.
func (x *mleMessenger) start(c mle.Command) []byte { return mle.AppendCommand(x.scratch[:0], c) }

// appendFrameCounters tells this node's frame counters. The MLE counter is that of a message to come: this one takes it when it is sealed.
func (x *mleMessenger) appendFrameCounters(b []byte) []byte {
	return mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, x.macCounter.Next()), x.counter.Next())
}

// appendResponse answers a neighbor's challenge, with this node's frame counters.
func (x *mleMessenger) appendResponse(b []byte, challenge mle.Challenge) []byte {
	b = mle.AppendMLEFrameCounter(mle.AppendResponse(b, challenge), x.counter.Next())
	return mle.AppendLinkLayerFrameCounter(b, x.macCounter.Next())
}

// send queues a message. It is secured when its turn has come.
func (x *mleMessenger) send(dst netip.Addr, plain []byte) { x.sendOn(0, dst, plain) }

// sendOn is send on another channel, for an Announcement. 0 is the node's own.
func (x *mleMessenger) sendOn(channel uint8, dst netip.Addr, plain []byte) {
	x.sendTo(channel, 0, dst, plain)
}

// sendTo is send on another channel, or to nodes of another PAN. 0 is the node's own.
func (x *mleMessenger) sendTo(channel uint8, pan ieee802154.PANID, dst netip.Addr, plain []byte) {
	plain = x.company.append(plain)
	x.scratch = plain[:0]
	x.counters.TxMLE++
	command := mle.Command(plain[0])
	if x.Debug {
		x.Log.Debug("MLE sent", "command", command, "to", dst)
	}
	msg := x.sender.New()
	var err error
	msg.Data, err = ip6.AppendUDP(msg.Data, x.header(dst), mle.UDPPort, mle.UDPPort, plain)
	if err != nil {
		x.sender.Free(msg)
		return
	}
	msg.Kind, msg.Command, msg.Channel = sender.KindMLE, command, channel
	msg.PAN = pan
	// What a busy channel holds up for longer asks or answers nothing that still counts, and would hold up what follows.
	msg.Expires = x.Now.Add(x.timing.LinkRequest)
	msg.Priority = sender.PriorityNet
	if dst.IsLinkLocalUnicast() && x.neighbors.ByExt(neighbors.ExtOf(dst)) == nil {
		msg.Priority = sender.PriorityNormal // anybody with a recording can have it sent: it goes before no neighbor's
	}
	_ = x.sender.Enqueue(msg) // who asked sends again
	if command == mle.DataRequest {
		x.expect(0)
	}
}

// header is that of a message.
func (x *mleMessenger) header(dst netip.Addr) ip6.Header {
	return ip6.Header{HopLimit: mle.HopLimit, Src: neighbors.LinkLocal(x.Ext), Dst: dst}
}

// secure seals a message that send has queued.
func (x *mleMessenger) secure(m *sender.Message) error {
	counter, ok := x.counter.Take(x.reserve)
	if !ok {
		return core.ErrStore
	}
	seq, h := x.keys.Sequence(), x.header(m.Dst())
	x.sealed = mle.AppendSealed(x.sealed[:0], h.Src, h.Dst, x.Ext, seq, counter, x.keys.MLE(seq), m.Data[ip6.HeaderSize+ip6.UDPHeaderSize:])
	var err error
	m.Data, err = ip6.AppendUDP(m.Data[:0], h, mle.UDPPort, mle.UDPPort, x.sealed)
	return err
}

// delay sends a message after a delay.
func (x *mleMessenger) delay(dst netip.Addr, plain []byte, delay time.Duration) {
	if len(x.delayed) >= maxDelayed {
		x.counters.QueueFull++
		return
	}
	at := x.Now.Add(delay)
	x.delayed = append(x.delayed, delayedMessage{at: at, dst: dst, plain: slices.Clone(plain)})
	x.next = core.Earliest(x.next, at)
	x.scratch = plain[:0]
}

// isDelayed reports whether a message of a command to dst waits for its random delay, and dropDelayed takes it back.
func (x *mleMessenger) isDelayed(c mle.Command, dst netip.Addr) bool {
	return x.delayedIndex(c, dst) >= 0
}

func (x *mleMessenger) dropDelayed(c mle.Command, dst netip.Addr) {
	if i := x.delayedIndex(c, dst); i >= 0 {
		x.delayed = slices.Delete(x.delayed, i, i+1)
		x.counters.MLEReplaced++
		x.findNext()
	}
}

func (x *mleMessenger) findNext() {
	x.next = time.Time{}
	for i := range x.delayed {
		x.next = core.Earliest(x.next, x.delayed[i].at)
	}
}

func (x *mleMessenger) delayedIndex(c mle.Command, dst netip.Addr) int {
	return slices.IndexFunc(x.delayed, func(d delayedMessage) bool { return mle.Command(d.plain[0]) == c && d.dst == dst })
}

// withdraw takes a message back as dropDelayed does, and leaves the deadline as it is: nobody asks for it after a frame for others. It reports
// whether there was one.
func (x *mleMessenger) withdraw(c mle.Command, dst netip.Addr) bool {
	i := x.delayedIndex(c, dst)
	if i >= 0 {
		x.delayed = slices.Delete(x.delayed, i, i+1)
	}
	return i >= 0
}

// forget drops what waits, and counts it.
func (x *mleMessenger) forget(counter *uint64) {
	*counter += uint64(len(x.delayed))
	x.delayed, x.next = x.delayed[:0], time.Time{}
}

// forgetLinkRequests drops the Link Requests that wait.
func (x *mleMessenger) forgetLinkRequests() {
	before := len(x.delayed)
	x.delayed = slices.DeleteFunc(x.delayed, func(d delayedMessage) bool { return mle.Command(d.plain[0]) == mle.LinkRequest })
	x.counters.MLEReplaced += uint64(before - len(x.delayed))
	x.findNext()
}

// NextTimeout returns when the next random delay is over.
func (x *mleMessenger) NextTimeout() (time.Time, bool) { return x.next, !x.next.IsZero() }

// HandleTimeout sends the messages whose random delay is over.
func (x *mleMessenger) HandleTimeout() {
	if !x.IsDue(x.next) {
		return
	}
	for i := 0; i < len(x.delayed); {
		if d := x.delayed[i]; x.IsDue(d.at) {
			x.delayed = slices.Delete(x.delayed, i, i+1)
			x.send(d.dst, d.plain)
			continue
		}
		i++
	}
	x.findNext()
}

// micSize is that of a message's integrity code, with which it ends, in bytes.
const micSize = 4

// receive handles the UDP payload of a datagram to the MLE port.
func (x *mleMessenger) receive(payload []byte, src, dst netip.Addr, hopLimit uint8, rssi int) {
	x.counters.RxMLE++
	h, err := mle.ParseHeader(payload)
	switch {
	case hopLimit != mle.HopLimit || !src.IsLinkLocalUnicast() || err != nil:
		x.counters.MLEMalformed++ // only a neighbor's message has not passed a router
		return
	case h.Suite == mle.SuiteNone:
		x.receiveUnsecured(payload[h.Size():], src, rssi)
		return
	case x.role == RoleDisabled:
		x.counters.MLEUnexpected++
		return
	}
	info := mleInfo{src: src, dst: dst, ext: neighbors.ExtOf(src), rssi: rssi, keySequence: h.KeySequence, counter: h.FrameCounter}
	if dst.IsMulticast() {
		x.company.beside(info)
		x.shortcuts.advertised(info)
	}
	ccm := x.keys.MLE(h.KeySequence)
	if x.unneeded(h, payload, ccm, info) {
		x.counters.MLEUnneeded++
		return
	}
	if x.opened, err = h.Open(x.opened[:0], payload, src, dst, info.ext, ccm); err != nil {
		x.counters.MLESecurity++
		return
	}
	m, err := mle.ParseMessage(x.opened)
	if err != nil {
		x.counters.MLEMalformed++
		return
	}
	info.mic = binary.BigEndian.Uint32(payload[len(payload)-micSize:])
	if x.admit(m.Command, &info) {
		x.dispatch(m, info)
	}
}

// overhear opens the MLE message in a packet for another node, if it is one, whole and authentic. It counts nothing: neither the frame nor
// the message is for this node.
func (x *mleMessenger) overhear(psdu []byte) (m mle.Message, ok bool) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Type != ieee802154.Data || f.Security.Level != ieee802154.SecurityNone || f.Src.Mode != ieee802154.AddrModeExt {
		return m, false
	}
	datagram, consumed, err := lowpan.Decompress(x.overheard[:0], f.Payload, f.Src, f.Dst, x.contexts, 0)
	if err != nil {
		return m, false
	}
	x.overheard = append(datagram, f.Payload[consumed:]...)
	d, err := ip6.ParseTransit(x.overheard)
	if err != nil || d.Protocol != ip6.ProtocolUDP || !d.Src.IsLinkLocalUnicast() {
		return m, false
	}
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil || udp.DstPort != mle.UDPPort {
		return m, false
	}
	payload := d.Payload[ip6.UDPHeaderSize:udp.Length]
	h, err := mle.ParseHeader(payload)
	if err != nil || h.Suite == mle.SuiteNone {
		return m, false
	}
	if x.opened, err = h.Open(x.opened[:0], payload, d.Src, d.Dst, neighbors.ExtOf(d.Src), x.keys.MLE(h.KeySequence)); err != nil {
		return m, false
	}
	m, err = mle.ParseMessage(x.opened)
	return m, err == nil
}

// peekSize is how much of a message is looked at before it is authenticated, in bytes, two blocks of AES: they hold a Parent Request, and
// what an Advertisement says of its sender and partition.
const peekSize = 32

// unneeded reports whether a message of a stranger would change nothing, as its beginning tells. It is not authentic: if it is forged,
// what would change nothing may be dropped as well. Nor does its frame counter count for package strangers, so that what a node did not
// need when it was sent is fresh to it once if it is sent again.
func (x *mleMessenger) unneeded(h mle.Header, payload []byte, ccm *ieee802154.CCM, info mleInfo) bool {
	if !info.dst.IsMulticast() || x.neighbors.ByExt(info.ext) != nil || x.neighbors.Overheard(ieee802154.ExtAddress(info.ext)) != nil {
		return false
	}
	beginning, err := mle.ParseBeginning(h.Peek(x.peeked[:], payload, info.ext, ccm))
	if err != nil {
		return false
	}
	c := x.find(beginning.Command)
	return c != nil && c.unneeded != nil && c.unneeded(beginning, info)
}

// fromStranger is unneeded of a command that makes sense from a neighbor alone, and begins with its Source Address.
func (x *mleMessenger) fromStranger(beginning mle.Message, _ mleInfo) bool {
	return beginning.Has(mle.TLVSourceAddress)
}

// receiveUnsecured handles a message that nothing secures: Discovery, by which those find a network that have no key yet.
func (x *mleMessenger) receiveUnsecured(payload []byte, src netip.Addr, rssi int) {
	m, err := mle.ParseMessage(payload)
	if err == nil {
		err = x.unsecured(m, src, rssi)
	}
	x.count(err)
}

// receiveOwn says so in the log if an MLE message from this node's own address is authentic and no echo of this node's: it has a frame
// counter that this node has not used. Of two nodes with one address the one with the lower counter finds out.
func (x *mleMessenger) receiveOwn(payload []byte, src, dst netip.Addr) {
	h, err := mle.ParseHeader(payload)
	seq := x.keys.Sequence()
	if err != nil || h.Suite == mle.SuiteNone || h.KeySequence < seq || h.KeySequence == seq && h.FrameCounter < x.counter.Next() {
		return
	}
	if x.opened, err = h.Open(x.opened[:0], payload, src, dst, x.Ext, x.keys.MLE(h.KeySequence)); err != nil {
		return
	}
	x.twin.Log(x.Now, x.Log, slog.LevelError, "another node has this node's MAC address, and neither can be reached as it should: give one of them another",
		"mac", x.Ext)
}

// admit checks the frame counter of a message: no neighbor's may come twice, and a stranger may send what makes sense from one. It says
// in info whether the message is fresh. Who sent a fresh one is followed to a later key sequence.
//
// Deviation: stock follows whoever has the key, and so every recording of the past. A stranger is followed here once it has answered a
// challenge: see prove.
func (x *mleMessenger) admit(c mle.Command, info *mleInfo) bool {
	n := x.knownSender(c, info.ext)
	if n == nil || !n.Valid() {
		if c <= maxCommand && x.strangers[c] {
			// A router that an end device only listens to is a stranger to it, except that its frame counter is known.
			r := x.neighbors.Overheard(ieee802154.ExtAddress(info.ext))
			info.fresh = r != nil && x.accepts(r, info)
			info.news = info.fresh || x.answers.Hear(info.ext, info.keySequence, info.counter, info.mic)
			return true
		}
		x.counters.MLEUnknownNeighbor++
		return false
	}
	info.fresh = x.accepts(n, info)
	info.news = info.fresh
	switch {
	case info.fresh:
	case startsOver(c) && n.Kind() != neighbors.KindParent:
		info.doubtful = true
		x.answers.Hear(info.ext, info.keySequence, info.counter, info.mic)
	default:
		x.counters.MLEReplay++
		return false
	}
	return true
}

// startsOver reports whether a command is one of those with which a node becomes a child. A neighbor that has lost its frame counters sends
// them: the first is answered as a recording may be, the second holds the answer to a challenge.
//
// Deviation: OpenThread hears such a neighbor again once it has forgotten the old counters, after 100 s or a child's timeout.
func startsOver(c mle.Command) bool { return c == mle.ParentRequest || c == mle.ChildIDRequest }

// accepts reports whether a message is ahead of all that its sender has sent before, and keeps its frame counter then. The sender is
// followed to a later key sequence.
func (x *mleMessenger) accepts(n *neighbors.Neighbor, info *mleInfo) bool {
	if n.MLE.Check(info.keySequence, info.counter) != nil {
		return false
	}
	n.MLE.Accept(info.keySequence, info.counter)
	x.keys.Follow(info.keySequence)
	x.answers.Prove(n.Ext, info.keySequence, info.counter, info.mic)
	x.vouch(n.Ext)
	return true
}

// prove takes over the frame counters in a message that answers a challenge of this node: they are the sender's own, and the message is no
// replay. Its sender is followed to a later key sequence.
func (x *mleMessenger) prove(n *neighbors.Neighbor, info mleInfo, linkCounter, mleCounter uint32) {
	if info.counter < math.MaxUint32 {
		mleCounter = max(mleCounter, info.counter+1)
	}
	n.Prove(info.keySequence, linkCounter, mleCounter)
	x.keys.Follow(info.keySequence)
	x.answers.Prove(info.ext, info.keySequence, info.counter, info.mic)
}

// mayAnswer reports whether what was received may be answered, and counts the answer if so: to neighbors always, to others at a rate.
//
// Deviation: stock answers everybody, and so sends as much as whoever has recorded one request wants it to.
func (x *mleMessenger) mayAnswer(info mleInfo, p strangers.Purpose) bool {
	n := x.neighbors.ByExt(info.ext)
	if info.doubtful {
		return x.answers.Allow(info.ext, strangers.ForReturn)
	}
	return n != nil && n.Valid() || x.answers.Allow(info.ext, p)
}

// dispatch gives a message to the role that it is for.
func (x *mleMessenger) dispatch(m mle.Message, info mleInfo) {
	if x.Debug {
		x.Log.Debug("MLE received", "command", m.Command, "from", info.src, "rssi", info.rssi)
	}
	command := x.find(m.Command)
	if command == nil {
		x.counters.MLEUnexpected++
		return
	}
	err := command.handle(m, info)
	if err == nil && !info.doubtful {
		if n := x.neighbors.ByExt(info.ext); n != nil && n.Valid() {
			x.company.hear(m, n)
		}
		if info.fresh {
			if from, err := m.SourceAddress(); err == nil {
				x.places.hear(m, from)
				x.shortcuts.hear(m, from, info)
			}
		}
	}
	if err == nil && !info.doubtful {
		x.vouch(info.ext) // it belongs to a handshake that is open, if its sender is no neighbor yet
	}
	if !x.count(err) && x.Debug {
		x.Log.Debug("MLE dropped", "command", m.Command, "from", info.src, "err", err)
	}
}

// count counts a message that was dropped. It reports false for one that was malformed.
func (x *mleMessenger) count(err error) bool {
	switch {
	case err == nil:
	case errors.Is(err, errMLEUnexpected):
		x.counters.MLEUnexpected++
	case errors.Is(err, errMLERefused):
		x.counters.MLERefused++
	default:
		x.counters.MLEMalformed++
		return false
	}
	return true
}

// find returns what this node does with a command in its present role, nil if that is nothing.
func (x *mleMessenger) find(c mle.Command) *mleCommand {
	if c > maxCommand {
		return nil
	}
	return x.handlers[c][x.role]
}

// knownSender returns the neighbor whose frame counter a message must pass.
func (x *mleMessenger) knownSender(c mle.Command, ext ieee802154.ExtAddr) *neighbors.Neighbor {
	if x.isRouter() && c == mle.ChildIDResponse {
		return x.neighbors.ParentByExt(ext) // a router that is changing partition
	}
	if n := x.neighbors.ByExt(ext); n != nil {
		return n
	}
	return x.neighbors.Overheard(ieee802154.ExtAddress(ext))
}
