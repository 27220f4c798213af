package thread

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// quiet knows whether a partition may be quiet: whether each of its nodes has this engine, which waits for the next Advertisement as long as
// it takes. Each says so in its MLE messages, by a TLV that others skip, see [mle.TLVCompany], and tells in it how long ago anybody was heard
// of in the partition who does not. That time spreads with the Advertisements; it only grows old, so that none circulates for ever.
//
//	a neighbor without the TLV ─► heard ─► Advertisements as stock has them, everywhere, soon
//	none heard of for a while ──────────► rare Advertisements
//
// Where it is quiet, the leader alone advertises half as often as ever. Those that hear it ask it, when they have missed one, upon which it advertises
// for the others as well; and miss it as soon as stock's nodes do, and tell the others, who could not know, with the same TLV: the leader is lost.
//
// Deviation: stock has nothing of the kind. Advertisements are nine tenths of what an idle mesh sends: measured over a grid of 16 at SF7 they
// take 7 % of the air with an interval of 32 s.
type quiet struct {
	*self
	neighbors *neighbors.Table
	routes    *routes

	other time.Time   // the last time that a node is known to have been there that does not speak as this one does, zero for none
	rare  bool        // Advertisements are rare
	seen  [2]sighting // the nodes heard last, two different ones
	ended time.Time   // when they were no longer
	near  time.Time   // when the leader itself was heard last
	lost  bool        // the leader of this partition is lost, as its neighbors say
	cut   bool        // there has been no way to the leader for long
	// leaderPace is how many times rarer the leader advertises, as it last said; 0 before that.
	leaderPace time.Duration

	again time.Time // when the neighbors are told of it again
	tells int       // how often they were told
	since time.Time // since when there is no way to the leader, zero if there is one
}

const (
	// companyUnit is the unit of the time in the TLV. Units are rounded up, or the time would never grow old.
	companyUnit = 8 * time.Second
	// companyNone stands for nobody, companyLost says that the leader is lost.
	companyNone, companyLost = 0x7f, 0x80
	// companyFull stands for as many children as the sender can have.
	companyFull = math.MaxUint8
	// leaderSlow is how many times rarer a leader advertises, leaderSlowest one that has little airtime left.
	leaderSlow, leaderSlowest = 2, 3
	// leaderAsked is how long those who have missed an Advertisement of the leader ask it whether it is there, before it counts as lost.
	leaderAsked = 28 * time.Second
	// burdenShift is where in the last byte the sender's burden begins.
	burdenShift = 4
	// muchNewer is by how much the router ID sequence of who contradicts must be ahead, a minute's count. Less is but another way of old news.
	muchNewer = 6
	// otherCounts is how long the partition is not quiet after somebody else was heard: a child tells less often than a router that it is there.
	otherCounts = 12 * time.Minute
)

// possible reports whether the timing has it.
func (q *quiet) possible() bool { return q.timing.AdvertiseQuiet > q.timing.AdvertiseMax }

// now reports whether the partition is quiet.
func (q *quiet) now() bool {
	return q.possible() && (q.other.IsZero() || q.Now.Sub(q.other) >= otherCounts)
}

// A sighting is when a node was heard last.
type sighting struct {
	ext ieee802154.ExtAddr
	at  time.Time
}

// beside notes that a node was heard. It need not be authentic: see hasCompany.
func (q *quiet) beside(info mleInfo) {
	if !q.hearsWell(info) {
		return
	}
	if s := &q.seen; s[0].ext != info.ext {
		s[0], s[1] = sighting{ext: info.ext}, s[0]
	}
	q.seen[0].at = q.Now
}

// hasCompany reports whether an end device hears anybody but its parent, so that it could be a way from one to the other. End devices tell
// every ten or twenty minutes that they are there.
func (q *quiet) hasCompany() bool {
	for _, s := range q.seen {
		if !s.at.IsZero() && s.ext != q.neighbors.Parent.Ext && q.Now.Sub(s.at) < 3*q.timing.REEDAdvertise {
			return true
		}
	}
	return false
}

// forget is for another partition: nothing is known of who is there.
func (q *quiet) forget() { q.other, q.near, q.lost, q.cut = time.Time{}, time.Time{}, false, false }

// append says that this node has this engine.
func (q *quiet) append(plain []byte) []byte {
	switch c := mle.Command(plain[0]); {
	case !q.possible() || !speaks(c):
		return plain
	case c == mle.ChildIDResponse || c == mle.ChildUpdateResponse && q.isRouter():
		return q.advertise(plain)
	}
	return mle.AppendTLV(plain, mle.TLVCompany, []byte{q.value()})
}

// advertise begins an Advertisement, with what strangers must know first. Children hear the same in answers. See companyReport.
func (q *quiet) advertise(plain []byte) []byte {
	if !q.possible() {
		return plain
	}
	children, routers := &q.neighbors.Children, &q.neighbors.Routers
	heard := routers.HeardSince(q.Now.Add(-q.neighborAge()))
	attached := byte(min(children.Attached(), companyFull-1))
	if children.Full() {
		attached = companyFull
	}
	return mle.AppendTLV(plain, mle.TLVCompany, []byte{
		q.value(), attached, byte(routers.Active()), byte(heard), children.Dropped, byte(q.slow()) | routers.Burden<<burdenShift,
	})
}

// routers is how many routers the partition has, as far as this node knows, at least one.
func (q *quiet) routers() int {
	all := &q.neighbors.Routers
	switch {
	case q.isRouter():
		return max(all.Reached(), 1)
	case q.role == RoleChild:
		if n := q.neighbors.ParentRouter().Reached(); n > 0 {
			return n
		}
	}
	return max(all.Active(), 1)
}

// value is what all messages say.
func (q *quiet) value() byte {
	value := byte(companyNone)
	if !q.now() {
		value = byte(min((q.Now.Sub(q.other)+companyUnit-1)/companyUnit, companyNone-1))
	}
	if q.lost && q.isRouter() {
		value |= companyLost
	}
	return value
}

// hear takes what a neighbor's message says of the company, which is fresh or proven.
func (q *quiet) hear(m mle.Message, from *neighbors.Neighbor) {
	if !q.possible() {
		return
	}
	value, ok := m.Find(mle.TLVCompany)
	switch {
	case !speaks(m.Command) && m.Command != mle.Advertisement:
		return
	case !ok || len(value) == 0:
		q.other, from.Foreign = q.Now, true
		return
	case value[0]&^companyLost != companyNone:
		if at := q.Now.Add(-time.Duration(value[0]&^companyLost) * companyUnit); at.After(q.other) {
			q.other = at
		}
	}
	from.Foreign = false
}

// speaks reports whether a message of this engine, other than an Advertisement, has the TLV.
func speaks(c mle.Command) bool {
	switch c {
	case mle.LinkRequest, mle.LinkAccept, mle.LinkAcceptAndRequest, mle.ChildIDRequest, mle.ChildIDResponse,
		mle.ChildUpdateRequest, mle.ChildUpdateResponse:
		return true
	}
	return false
}

// A companyReport is what an Advertisement says of the company.
type companyReport struct {
	quiet   bool // each node of the partition has this engine
	lost    bool // the leader is lost
	alone   bool // the sender has no children
	full    bool // it has no place for another child
	routers int  // in the partition; 0 if it does not say
	hears   int  // routers, well
	dropped int  // children that it has dropped; -1 if it does not say
	burden  bool // the sender has little airtime left, see thrift
	strain  bool // its ways cost more for that
	slow    int  // how many times rarer the sender's Advertisements are, if it is the leader
}

// report reads what an Advertisement says of the company. Of boards nobody knows.
func (q *quiet) report(m mle.Message) (c companyReport) {
	c.dropped, c.slow = -1, 1
	value, ok := m.Find(mle.TLVCompany)
	if !q.possible() || !ok || len(value) == 0 {
		return c
	}
	c.quiet, c.lost = value[0]&^companyLost == companyNone, value[0]&companyLost != 0
	if len(value) >= 5 {
		c.full = value[1] == companyFull
		c.alone, c.routers, c.hears, c.dropped = value[1] == 0, int(value[2]), int(value[3]), int(value[4])
	}
	if len(value) >= 6 {
		c.slow = min(max(int(value[5]&(1<<burdenShift-1)), 1), leaderSlowest)
		c.burden, c.strain = value[5]>>burdenShift >= heavyBurden, value[5]>>burdenShift > 0
	}
	return c
}

// heardLost follows a neighbor that has lost the leader, unless this node knows better: then it says so.
func (q *quiet) heardLost(a advertised) {
	switch {
	case !q.rare || q.lost:
	case q.role == RoleLeader || q.isNear() || int8(q.neighbors.Routers.Sequence-a.route.IDSequence) >= muchNewer:
		q.routes.resetAdvertise()
	default:
		q.lost = true
	}
}

// leaderLeft is for a neighbor of the leader that has heard it in another partition.
//
// Deviation: stock misses it after two minutes, and where Advertisements are rare it would be seven until all have heard.
func (q *quiet) leaderLeft() {
	if q.rare && q.isRouter() && !q.lost {
		q.near = q.Now // this node knows
		q.tellLost()
	}
}

// tellLost tells the neighbors that the leader is lost, before this node searches for another, and once more soon: many say so at the same time.
// Who has not heard the leader itself until lately cannot know, and passes on what it hears: it may be cut off from it, and others not.
func (q *quiet) tellLost() {
	if q.rare && q.isRouter() && (q.lost || q.isNear()) {
		if !q.lost {
			q.tells = 0
		}
		q.lost = true
		q.routes.sendAdvertisement()
		q.tells++
		q.again = q.Now.Add(q.timing.AttachHold/2 + q.RandomUpTo(q.timing.AttachHold))
	}
}

// tellAgain does so, when it is time.
func (q *quiet) tellAgain() {
	if q.lost && q.tells < 2 && q.IsDue(q.again) {
		q.tellLost()
	}
}

// longer is how much longer times are that follow the interval of Advertisements. Where it was quiet until lately, they still are: all have to
// hear first that it is no more.
func (q *quiet) longer(d time.Duration) time.Duration {
	if !q.rare && (q.ended.IsZero() || q.Now.Sub(q.ended) >= 2*q.timing.AdvertiseQuiet) {
		return d
	}
	return time.Duration(float64(d) * float64(q.timing.AdvertiseQuiet) / float64(q.timing.AdvertiseMax))
}

// interval is the longest between this node's Advertisements. While it has new children there is more to say, see shortcuts.
func (q *quiet) interval() time.Duration {
	switch {
	case !q.rare || q.role == RoleLeader:
		return time.Duration(q.slow()) * q.timing.AdvertiseMax
	case q.neighbors.Children.Newest(q.Now) < newChild:
		return q.timing.AdvertiseQuiet / 2
	}
	return q.timing.AdvertiseQuiet
}

// slow is how many times rarer this node's Advertisements are if it is the leader: those who hear it wait as much longer for it.
func (q *quiet) slow() int {
	switch {
	case !q.rare:
		return 1
	case q.neighbors.Routers.Burden > 0:
		return leaderSlowest
	}
	return leaderSlow
}

// neighborAge is the silence after which a router neighbor is lost. Where Advertisements are rare routers ask before that.
func (q *quiet) neighborAge() time.Duration {
	if q.rare && q.isRouter() {
		return q.silence() + 2*q.timing.AdvertiseMax
	}
	return q.longer(q.timing.MaxNeighborAge)
}

// silence is the longest time between two Advertisements of a router that are rare: one comes early in its interval, the next one late.
func (q *quiet) silence() time.Duration { return q.timing.AdvertiseQuiet * 3 / 2 }

// leaderTimeout is the time without a newer router ID sequence after which the leader is taken as lost.
func (q *quiet) leaderTimeout() time.Duration {
	switch {
	case q.watches():
		return q.slower(q.timing.AdvertiseMax*3/2) + leaderAsked // one comes early in its interval, the next one late
	case q.isNear() && !q.rare:
		return q.timing.NetworkIDTimeout
	}
	return q.longer(q.timing.NetworkIDTimeout)
}

// watches reports whether this node is one of those that notice soon that the leader is lost, and tell the others.
func (q *quiet) watches() bool {
	return q.rare && q.isNear()
}

// leaderSilence is the time without a newer router ID sequence after which others are asked for it, and how often.
func (q *quiet) leaderSilence() (after, pause time.Duration) {
	timeout := q.leaderTimeout()
	if q.watches() {
		return timeout - leaderAsked, leaderAsked / 2
	}
	return timeout / 2, timeout / 8
}

// isNear reports whether the leader itself was heard until lately.
func (q *quiet) isNear() bool {
	return !q.near.IsZero() && q.Now.Sub(q.near) < q.slower(2*q.timing.NetworkIDTimeout)
}

// slower is how much longer times are that follow the leader's own Advertisements. Who hears of the leader from others may not have been told.
func (q *quiet) slower(d time.Duration) time.Duration {
	if q.rare {
		return max(leaderSlow, q.leaderPace) * d
	}
	return d
}

// pace follows what is known: it is called each second.
func (q *quiet) pace() {
	if !q.possible() {
		return
	}
	ends := q.rare && !q.now()
	q.rare = q.now()
	if q.routes.advertise.Running() && q.isRouter() {
		q.routes.advertise.SetImax(q.Now, q.interval())
	}
	if ends {
		q.ended = q.Now
		q.routes.resetAdvertise() // all must hear of it soon
	}
	q.seekLeader()
	q.tellAgain()
}

// seekLeader notes when the leader was heard, and that there has been no way to it for long.
func (q *quiet) seekLeader() {
	id := q.leader.LeaderRouterID
	if l := q.neighbors.Routers.Get(id); l != nil && l.Valid() && l.LastHeard.After(q.near) {
		q.near = l.LastHeard
	}
	if p := &q.neighbors.Parent; q.role == RoleChild && p.Valid() && p.RLOC16 == id.RLOC16() && p.LastHeard.After(q.near) {
		q.near = p.LastHeard
	}
	switch {
	case q.role != RoleRouter || !q.rare || q.routes.reachesLeader():
		q.since, q.cut = time.Time{}, false
	case q.since.IsZero():
		q.since = q.Now
	case q.Now.Sub(q.since) >= q.timing.NetworkIDTimeout/2:
		q.cut = true
	}
}
