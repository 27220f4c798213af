package thread

import (
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/trickle"
)

// routes is distance-vector routing between routers, and what Advertisements say of partitions, both as OpenThread has it: each router
// advertises, by Trickle, the quality of its links and the cost of its routes; who hears it keeps its routing table, follows the
// leader's assignment of router IDs, seeks links, and notices a better partition.
//
//	Trickle ─► Advertisement
//	Advertisement ─► of this partition: routes, links ─ news ─► Trickle starts over
//	              └► of another one: search, if it is better
//	leader not heard of ─► search
type routes struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	sender    *sender.Sender
	resolver  *resolver.Resolver
	mle       *mleMessenger
	attach    *attacher
	links     *links
	selection *selection
	leading   *leading
	distrib   *distributor
	keepAlive *keepAlive
	quiet     *quiet

	advertise  *trickle.Timer
	limited    bool      // the law bounds the airtime
	told       time.Time // when a worse partition was last told of this one
	askAgain   time.Time // when to ask for routes again
	foreign    time.Time // when another partition was heard last
	advertised time.Time // when the last Advertisement was sent
	helped     time.Time // when a neighbor last was told of ways that it did not know
	left       leftPartition
	faint      faintPartition
	beside     besides
	route64    mle.Route64 // received

	twoLeaders, leaderLost lasting.Condition
}

// leftPartition is the partition left last. It is not entered again while its sequence number stands still.
type leftPartition struct {
	id       uint32
	sequence uint8
	until    time.Time
}

// faintPartition is a better partition that is heard, but not well.
//
// Deviation: OpenThread never joins a partition that it hears with less than the margin of a link. On LoRa that is how far apart neighbors
// are: a mesh whose halves hear each other no better would stay in two for ever. What is heard again and again will do.
type faintPartition struct {
	id          uint32
	since, last time.Time
}

// persists notes that a partition was heard, and reports whether it has been there for the whole of a time, without a pause of a third of it.
func (p *faintPartition) persists(now time.Time, id uint32, whole time.Duration) bool {
	switch stale := now.Sub(p.last) >= whole/3; {
	case stale:
		p.id, p.since = id, now
	case p.id != id:
		return false // one at a time
	}
	p.last = now
	return now.Sub(p.since) >= whole
}

// single reports whether this node is the only router of its partition, or alone.
func (r *routes) single() bool {
	return !r.attached() || !r.fullThreadDevice() || r.neighbors.Routers.Active() <= 1
}

// hearsLeader reports whether the leader still counts up the router ID sequence.
func (r *routes) hearsLeader() bool {
	return r.neighbors.Routers.Active() > 0 && !r.quiet.lost && !r.quiet.cut && r.Now.Sub(r.neighbors.Routers.Updated) < r.quiet.leaderTimeout()
}

// reachesLeader reports whether a way to the leader is known.
func (r *routes) reachesLeader() bool {
	if r.role == RoleLeader {
		return true
	}
	leader := r.neighbors.Routers.Get(r.leader.LeaderRouterID)
	if leader == nil {
		return false
	}
	if r.role == RoleChild {
		return leader.Cost+1 < neighbors.MaxRouteCost
	}
	return r.neighbors.Routers.PathCost(leader) < neighbors.MaxRouteCost
}

// nextHop returns the neighbor to which a frame for dst goes first.
func (r *routes) nextHop(dst mle.RLOC16) (mle.RLOC16, bool) {
	switch {
	case r.role == RoleChild:
		return r.neighbors.Parent.RLOC16, r.neighbors.Parent.Valid()
	case dst.RouterID() == r.ownID():
		return dst, true
	}
	return r.neighbors.Routers.NextHop(dst.RouterID())
}

// spareHops is what the hop limit of a mesh header has beyond the cost of the route, which may change on the way.
const spareHops = 1

// nearWay is the cost of a way up to which twice as much, with what else is added, fits into a mesh header without another byte: on LoRa that is 5 ms on
// each hop.
const nearWay = 6

// farthest is the cost of the way to the farthest router, and so the number of hops at most.
func (r *routes) farthest() (hops uint8) {
	for id, to := range r.neighbors.Routers.All() {
		if id != r.ownID() {
			hops = max(hops, r.neighbors.Routers.PathCost(to))
		}
	}
	return hops
}

// hopsTo is the cost of the route to dst, and so the number of hops at most.
func (r *routes) hopsTo(dst mle.RLOC16) uint8 {
	hops := uint8(neighbors.MaxRouteCost + 1) // a child knows no costs
	switch parent := r.neighbors.ParentRouter(); {
	case r.isRouter():
		hops = r.neighbors.Routers.PathCost(r.neighbors.Routers.Get(dst.RouterID()))
	case parent.Way(dst.RouterID()) <= nearWay:
		hops = 2 * nearWay
	}
	if !dst.IsRouter() {
		hops++
	}
	return hops
}

// breakLoop drops a route whose next hop sent us the frame that should go there.
func (r *routes) breakLoop(sender, dst mle.RLOC16) {
	if next, ok := r.nextHop(dst); !ok || next != sender {
		return
	}
	if to := r.neighbors.Routers.Get(dst.RouterID()); to != nil {
		r.neighbors.LoseRoute(to)
		r.resetAdvertise()
	}
}

// resetAdvertise makes Advertisements frequent again after a change.
func (r *routes) resetAdvertise() {
	if !r.isRouter() {
		return
	}
	if !r.advertise.Running() {
		imin := r.timing.AdvertiseMin
		if r.limited {
			imin = imin * 3 / 2 // forming takes a third of the hour's airtime
		}
		r.startTrickle(trickle.Config{Imin: imin, Imax: r.quiet.interval()})
	}
	// Deviation: for stock each change is a reason, however many there are while a mesh forms.
	if r.full() && r.advertise.Interval() <= 4*r.timing.AdvertiseMin {
		return
	}
	r.advertise.Reset(r.Now)
}

// hurryAdvertise has the next Advertisement come soon: a router has come or gone, and all must hear of it.
//
// Deviation: for stock that is a change like each other, upon which three Advertisements come within ten seconds from each router, while a mesh
// forms. On LoRa they are most of what the air carries then, and hold up what would change the mesh for the better.
func (r *routes) hurryAdvertise() {
	if r.timing.RouterNeighbors == 0 || !r.isRouter() || !r.advertise.Running() {
		r.resetAdvertise()
		return
	}
	if r.neighbors.Routers.Burden >= mostBurden {
		return
	}
	r.advertise.Hurry(r.Now, 4*r.timing.AdvertiseMin)
}

// missed has the leader advertise soon once somebody asks who has missed its Advertisement: others have, too, and are about to ask.
func (r *routes) missed() {
	if r.quiet.rare && r.role == RoleLeader && r.advertise.Running() {
		r.advertise.Hurry(r.Now, r.timing.AdvertiseMin)
	}
}

// advertiseAsREED lets others know of a router-eligible end device now and then.
func (r *routes) advertiseAsREED() {
	if r.advertise.Running() {
		return
	}
	r.sendAdvertisement()
	if r.quiet.possible() {
		// Deviation: stock waits for ten minutes. What a node says of itself is news to who has come at the same time.
		r.startTrickle(trickle.Config{Imin: r.timing.REEDAdvertise / 8, Imax: 2 * r.timing.REEDAdvertise})
		r.advertise.Reset(r.Now)
		return
	}
	r.startTrickle(trickle.Config{
		Imin: r.timing.REEDAdvertise, Imax: r.timing.REEDAdvertise + r.timing.REEDAdvertiseJitter, Mode: trickle.Plain,
	})
}

func (r *routes) startTrickle(c trickle.Config) {
	if err := r.advertise.Start(r.Now, c); err != nil {
		r.Log.Error("no Advertisements", "err", err)
	}
}

// NextTimeout returns when the next Advertisement is due.
func (r *routes) NextTimeout() (time.Time, bool) { return r.advertise.NextTimeout() }

// HandleTimeout sends an Advertisement, if one is due.
func (r *routes) HandleTimeout() {
	if r.advertise.HandleTimeout(r.Now) && !r.links.greets() {
		r.sendAdvertisement()
	}
}

func (r *routes) sendAdvertisement() {
	if !r.attach.staying() && !r.quiet.lost || r.selection.asking() || !r.attached() || !r.fullThreadDevice() {
		return
	}
	r.advertised = r.Now
	r.sender.DropMLE(ip6.LinkLocalAllNodes, mle.Advertisement) // that one is outdated
	b := r.beginAdvertisement()
	if r.isRouter() {
		b = mle.AppendRoute64(b, r.neighbors.Routers.Route64())
	}
	b = r.mle.places.append(r.mle.shortcuts.say(b))
	r.mle.send(ip6.LinkLocalAllNodes, r.mle.shortcuts.append(b))
}

// sendPlaces sends an Advertisement without routes, for the sake of what else is in it.
func (r *routes) sendPlaces() {
	b := r.beginAdvertisement()
	if r.mle.shortcuts.untold() >= backlog { // they take their datagrams over this node until then
		b = r.mle.shortcuts.append(b)
	}
	r.mle.send(ip6.LinkLocalAllNodes, r.mle.places.append(b))
}

// beginAdvertisement begins an Advertisement with its sender and partition.
func (r *routes) beginAdvertisement() []byte {
	b := mle.AppendSourceAddress(r.quiet.advertise(r.mle.start(mle.Advertisement)), r.rloc)
	return mle.AppendLeaderData(b, r.distrib.leaderData())
}

// learn applies a neighbor's Route64 to the routing table.
//
// Deviation: stock leaves a router that has lost a way to the next Advertisements of the others. Where those are rare it would be without one for
// minutes. And of two routers that have lost the same link each takes the other for the way, until the cost of that has counted up to infinity,
// by two with each Advertisement: that would take half an hour.
func (r *routes) learn(route *mle.Route64, from mle.RouterID) {
	if r.quiet.rare && r.Now.Sub(r.helped) >= r.timing.AdvertiseMax && r.neighbors.Routers.Lacks(route, from) {
		r.helped = r.Now
		r.resetAdvertise()
	}
	switch change := r.neighbors.LearnRoutes(route, from); {
	case change.News:
		r.resetAdvertise()
	case change.Dearer && r.quiet.rare:
		r.hurryAdvertise()
	}
}

// reassign takes over a router ID assignment. It reports false if this router is not part of it any more and has detached.
func (r *routes) reassign(t *mle.Route64) bool {
	result := r.neighbors.SetAssigned(t.Routers, t.IDSequence)
	for id := range result.Dropped.All() {
		r.resolver.ForgetRouter(id)
	}
	if result.Changed {
		r.resolver.ForgetFailures()
		r.hurryAdvertise()
	}
	if r.isRouter() && !r.neighbors.Routers.IsAssigned(r.ownID()) {
		r.attach.detach()
		return false
	}
	return true
}

// linkLost updates the routes after the link to a router ended.
func (r *routes) linkLost(to *neighbors.Router) {
	loss := r.neighbors.LoseLink(to)
	switch {
	case loss.News:
		r.resetAdvertise()
	case r.quiet.rare:
		r.advertise.Hurry(r.Now, r.timing.AdvertiseMin)
	}
	if loss.Unreachable {
		r.resolver.ForgetRouter(to.RLOC16.RouterID())
	}
}

// comparePartitions returns a positive number if partition a is better than b, in the order that OpenThread has: one with more than a single
// router, then the higher weight, then the higher partition ID. If two leaders have the same, as configured, the higher router ID counts.
func comparePartitions(singleA bool, a mle.LeaderData, singleB bool, b mle.LeaderData) int {
	switch {
	case singleA != singleB:
		if singleB {
			return 1
		}
		return -1
	case a.Weighting != b.Weighting:
		return int(a.Weighting) - int(b.Weighting)
	case a.PartitionID > b.PartitionID:
		return 1
	case a.PartitionID < b.PartitionID:
		return -1
	}
	return int(a.LeaderRouterID) - int(b.LeaderRouterID)
}
