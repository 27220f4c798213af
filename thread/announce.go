package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// arrivedCount and arrivedPeriod are how often, and how often in a time, a node that has moved tells it where it was before.
	arrivedCount  = 3
	arrivedPeriod = time.Second
	// moveAgain is how long a node does not follow an Announce to where it was in vain, the first time: it may be a recording.
	moveAgain = 5 * time.Minute
	// maxAsks is how often a node that has a place asks who is in another PAN before it moves there.
	maxAsks = 2
	// lonely is the period at which a leader without neighbors asks for others that have a newer dataset.
	//
	// Deviation: OpenThread's leaders do not ask, and so stay alone if all others have changed channel or PAN ID while they were away.
	lonely = 15 * time.Minute
)

// A place is where a network is, and of what time the dataset that says so.
type place struct {
	channel   uint8
	pan       ieee802154.PANID
	timestamp meshcop.Timestamp
}

// key tells a place from others, whatever its dataset.
func (p place) key() uint32 { return uint32(p.channel)<<16 | uint32(p.pan) }

// announcer tells nodes of the same key where the network is, and follows those who know better (MLE Announce, Thread 1.1 §4.8.1): a node that
// was away while the dataset changed finds back to the others.
//
//	Announce, older than ours ─► Announce where it came from
//	Announce, newer ─ AnnounceProcess ─► detached, there ─► found: Announce where this node was before
//	            └► asked first, by who has a place ─┘    └► not found: back
type announcer struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	dataset   *dataset.Active
	mle       *mleMessenger
	attach    *attacher
	parent    *parentSide
	routes    *routes

	multiChannel bool                       // else one stands for all
	listenIn     func(pan ieee802154.PANID) // has the MAC take what comes to this node in another PAN, too; in none if 0

	// Of a node that asks who is there before it moves.
	asked      place
	challenge  mle.Challenge
	askedUntil time.Time // zero if it does not ask
	asks       int       // still to do

	target   place        // to move to
	moveAt   time.Time    // zero if to nowhere
	previous place        // where the node was before it moved; its channel is 0 if it has not
	vain     vainSearches // where nobody was, by channel and PAN ID

	mask   meshcop.ChannelMask // channels of a series of Announces
	next   uint8               // channel of the next one
	rounds int                 // still to do; 0 for no series
	period time.Duration
	timer  time.Time

	lonelyAt time.Time
}

// NextTimeout returns when the node moves or announces.
func (a *announcer) NextTimeout() (time.Time, bool) {
	next := core.Earliest(core.Earliest(core.Earliest(a.moveAt, a.timer), a.lonelyAt), a.askedUntil)
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (a *announcer) HandleTimeout() {
	if a.IsDue(a.moveAt) {
		a.moveAt = time.Time{}
		a.move()
	}
	if a.IsDue(a.timer) {
		a.timer = time.Time{}
		a.step()
	}
	if a.IsDue(a.askedUntil) {
		a.ask()
	}
	if a.IsDue(a.lonelyAt) {
		a.lonelyAt = a.Now.Add(lonely)
		if a.role == RoleLeader && a.routes.single() && !a.neighbors.Children.HasAny() {
			a.send(a.dataset.Network().Channel, false)
		}
	}
}

// stop ends all that is under way.
func (a *announcer) stop() {
	a.moveAt, a.timer, a.lonelyAt, a.rounds = time.Time{}, time.Time{}, time.Time{}, 0
	a.previous = place{}
	a.asks, a.askedUntil = 0, time.Time{}
	a.listenIn(0)
}

// leads begins to look for others, for a node that has become leader.
func (a *announcer) leads() { a.lonelyAt = a.Now.Add(lonely) }

// begin sends a series of Announces: count times one on each channel of the mask, a period apart.
func (a *announcer) begin(mask meshcop.ChannelMask, count int, period time.Duration) {
	if mask == 0 || count <= 0 {
		return
	}
	if !a.multiChannel {
		mask = 1 << a.dataset.Network().Channel
	}
	a.mask, a.rounds, a.period, a.next = mask, count, max(period, time.Millisecond), 0
	a.timer = a.Now.Add(a.period)
}

// step sends the next Announce of a series.
func (a *announcer) step() {
	channel, ok := nextChannel(a.mask, a.next)
	if !ok {
		if a.rounds--; a.rounds <= 0 {
			return
		}
		channel, _ = nextChannel(a.mask, 0)
	}
	a.next = channel + 1
	a.send(channel, false)
	a.timer = a.Now.Add(a.period)
}

// nextChannel returns the first channel of a mask from one on.
func nextChannel(mask meshcop.ChannelMask, from uint8) (uint8, bool) {
	for channel := range mask.Channels() {
		if channel >= from {
			return channel, true
		}
	}
	return 0, false
}

// send announces where the network is. An orphan has none: whoever hears it knows better.
func (a *announcer) send(channel uint8, orphan bool) {
	n := a.dataset.Network()
	b := mle.AppendChannel(a.mle.start(mle.Announce), mle.Channel{Number: uint16(n.Channel)})
	if orphan {
		timestamp, _ := meshcop.Timestamp{Authoritative: true}.AppendBinary(nil)
		b = mle.AppendTLV(b, mle.TLVActiveTimestamp, timestamp)
	} else {
		b = a.dataset.AppendTimestamp(b)
	}
	b = mle.AppendPANID(b, n.PANID)
	a.mle.sendOn(channel, ip6.LinkLocalAllNodes, b)
}

// handle compares what somebody announces with what this node knows.
func (a *announcer) handle(m mle.Message, info mleInfo) error {
	channel, err := m.Channel()
	if err != nil {
		return err
	}
	pan, err := m.PANID()
	if err != nil {
		return err
	}
	value, _ := m.Find(mle.TLVActiveTimestamp)
	timestamp, err := meshcop.ParseTimestamp(value)
	if err != nil {
		return err
	}
	there := place{channel: uint8(channel.Number), pan: pan, timestamp: timestamp}
	n := a.dataset.Network()
	apart := there.channel != n.Channel || pan != n.PANID
	if channel.Page != 0 || channel.Number > 0xff || pan == ieee802154.BroadcastPAN || !apart {
		return nil
	}
	order := 1
	if a.dataset.Known() {
		known := a.dataset.Timestamp()
		local, _ := meshcop.ParseTimestamp(known[:])
		order = timestamp.Compare(local)
	}
	switch {
	case order > 0:
		a.follow(there, info.news)
	case order < 0:
		if !a.mle.mayAnswer(info, strangers.ForLinks) {
			return errMLERefused
		}
		a.send(there.channel, false)
	}
	return nil
}

// follow moves there after a while, unless a newer place is heard of until then. Where nobody was it moves again after ever longer pauses, and
// so rarely in all, however many places are announced.
//
// Deviation: OpenThread follows each of them. A recorded Announce whose dataset seems newer would keep a node away from its network.
func (a *announcer) follow(there place, news bool) {
	if a.attach.moving == triesAnnounced || !a.moveAt.IsZero() && there.timestamp.Compare(a.target.timestamp) <= 0 {
		return
	}
	if ok, _ := a.vain.begin(a.Now, there.key(), moveAgain, news); !ok {
		return
	}
	if a.asksFirst() {
		if a.askedUntil.IsZero() {
			a.asked, a.challenge, a.asks = there, a.newChallenge(), maxAsks
			a.ask()
		}
		return
	}
	if a.moveAt.IsZero() {
		a.moveAt = a.Now.Add(a.timing.AnnounceProcess)
	}
	a.target = there
}

// asksFirst reports whether this node asks who is there before it moves: it has a place to lose, and hears an answer from another PAN where it is.
//
// Deviation: OpenThread leaves at once. A few recorded Announces would take a network to pieces for hours.
func (a *announcer) asksFirst() bool {
	return a.attached() && !a.multiChannel && a.self.mode.Has(mle.ModeRxOnWhenIdle)
}

// ask asks for parents in the other PAN, several times: nobody acknowledges the question.
func (a *announcer) ask() {
	a.askedUntil = time.Time{}
	if a.asks == 0 || !a.attached() {
		a.asks = 0
		a.listenIn(0)
		return
	}
	a.asks--
	a.askedUntil = a.Now.Add(a.timing.ParentRequestREEDs)
	a.listenIn(a.asked.pan)
	b := mle.AppendMode(a.mle.start(mle.ParentRequest), a.self.mode)
	b = mle.AppendChallenge(b, a.challenge)
	b = mle.AppendScanMask(b, mle.ScanRouters|mle.ScanEndDevices)
	a.mle.sendTo(0, a.asked.pan, ip6.LinkLocalAllRouters, mle.AppendVersion(b, mle.Version1_1))
}

// found reports whether a response is from the other PAN, to the question of ask: then this node moves.
func (a *announcer) found(response mle.Challenge) bool {
	if a.askedUntil.IsZero() || response != a.challenge {
		return false
	}
	a.asks, a.askedUntil = 0, time.Time{}
	a.listenIn(0)
	a.target, a.moveAt = a.asked, a.Now
	return true
}

// move leaves the partition and searches for a parent where a newer dataset is announced. (Children do the same by themselves, as they hear
// the Announce or lose their parent.)
func (a *announcer) move() {
	if a.role == RoleDisabled {
		return
	}
	n := a.dataset.Network()
	before := place{channel: n.Channel, pan: n.PANID}
	if a.dataset.Move(a.target.channel, a.target.pan) != nil {
		a.counters.MLEMalformed++
		return
	}
	a.Log.Info("following an Announce", "channel", a.target.channel, "PAN", a.target.pan)
	if a.isRouter() {
		a.parent.removeChildren()
	}
	a.change.becomeDetached()
	a.neighbors.Change(&a.neighbors.Parent.Neighbor, neighbors.Invalid)
	a.change.setRLOC16(mle.InvalidRLOC16)
	a.change.networkChanged()
	a.previous = before
	a.attach.counter, a.attach.moving = 0, triesAnnounced
	a.attach.start(attachAny)
}

// arrived tells those who are where this node was before.
func (a *announcer) arrived() {
	if a.previous.channel != 0 {
		a.begin(1<<a.previous.channel, arrivedCount, arrivedPeriod)
	}
	a.previous = place{}
	a.vain.answered(a.target.key())
}

// failed notes that nobody was there.
func (a *announcer) failed() { a.previous = place{} }

// orphan sends the next Announce of a node that has no parent, from a channel of the dataset's mask on. It returns the channel after that, and
// false if there is none left.
func (a *announcer) orphan(from uint8) (next uint8, ok bool) {
	channel, ok := nextChannel(a.channels(), from)
	if ok {
		a.send(channel, true)
	}
	return channel + 1, ok
}

// channels are those that the dataset allows.
func (a *announcer) channels() meshcop.ChannelMask {
	const supported meshcop.ChannelMask = 0x07fff800 // 11 to 26, IEEE 802.15.4-2006 §6.1.2.1
	d, err := meshcop.ParseDataset(a.dataset.TLVs())
	if err != nil || !d.Has(meshcop.HasChannelMask) {
		return 0
	}
	if mask := d.ChannelMask & supported; mask == 0 || a.multiChannel {
		return mask
	}
	return 1 << a.dataset.Network().Channel
}

// orphanDelay is the time for each channel.
func (a *announcer) orphanDelay() time.Duration {
	n := 1
	for range a.channels().Channels() {
		n++
	}
	return max(a.timing.OrphanAnnounce/time.Duration(n), a.timing.OrphanAnnounceMin)
}
