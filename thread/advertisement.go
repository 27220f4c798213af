package thread

import (
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// An advertised is what an Advertisement says.
type advertised struct {
	source mle.RLOC16
	leader mle.LeaderData
	route  *mle.Route64 // nil if an end device sent it
	companyReport
}

// handleAdvertisement handles what a router, or a router-eligible end device, says of itself and its partition.
func (r *routes) handleAdvertisement(m mle.Message, info mleInfo) error {
	rd := m.Read()
	a := advertised{source: rd.SourceAddress(), leader: rd.LeaderData()}
	if route, ok := rd.OptionalRoute64(); ok {
		r.route64 = route
		a.route = &r.route64
	}
	if err := rd.Err(); err != nil {
		return err
	}
	a.companyReport = r.quiet.report(m)
	if r.role == RoleDetached {
		r.attach.heardRouter(a, info)
	} else {
		p := &r.neighbors.Parent
		if r.fullThreadDevice() {
			if !r.heard(a, info) {
				return nil
			}
		} else if p.Valid() && p.Ext == info.ext && p.RLOC16 != a.source {
			r.attach.detach()
		}
	}
	return r.neighborAdvertised(a, info)
}

// unneeded reports whether a stranger's Advertisement would change nothing: it is from this partition, and no link comes of it, or from
// one that is no better. Routes of more than one router need not be in its beginning.
func (r *routes) unneeded(beginning mle.Message, info mleInfo) bool {
	rd := beginning.Read()
	source, leader := rd.SourceAddress(), rd.LeaderData()
	switch {
	case rd.Err() != nil || !r.attached() || info.ext == r.neighbors.Parent.Ext:
		return false
	case !r.fullThreadDevice():
		return true // it listens to its parent alone
	case leader.PartitionID != r.leader.PartitionID || leader.LeaderRouterID != r.leader.LeaderRouterID && r.role != RoleChild:
		a := advertised{source: source, leader: leader, companyReport: r.quiet.report(beginning)}
		if route, err := beginning.Route64(); err == nil {
			a.route = &route
		}
		return !r.better(a) && !(r.mayTell() && r.fits(a)) && !r.attach.leaderless()
	}
	from := r.neighbors.Routers.Get(source.RouterID())
	if r.role == RoleChild && r.timing.RouterNeighbors > 0 && from != nil {
		return false // it counts as a router that is heard
	}
	if source.IsRouter() && from == nil && r.links.mayAskStranger() {
		return false
	}
	return !source.IsRouter() || from == nil || from.RLOC16 == r.rloc || !r.mayLink(from, info)
}

// neighborAdvertised follows the parent into another partition and fetches newer network data.
func (r *routes) neighborAdvertised(a advertised, info mleInfo) error {
	switch r.role {
	case RoleChild:
		p := &r.neighbors.Parent
		if p.Ext != info.ext || p.RLOC16 != a.source {
			return nil
		}
		if a.leader.PartitionID != r.leader.PartitionID || a.leader.LeaderRouterID != r.leader.LeaderRouterID {
			r.change.enterPartition(a.leader)
			if r.attach.waits(a.leader.PartitionID) || r.attach.waitsForAny() {
				r.attach.stop() // it is there
			}
			if r.fullThreadDevice() && a.route != nil {
				r.reassign(a.route)
			}
		}
		p.LastHeard = r.Now
		if info.fresh {
			r.keepAlive.parentSays(a)
		}
	case RoleRouter, RoleLeader:
		if n := r.neighbors.ByExt(info.ext); n == nil || !n.Valid() {
			return nil
		}
	default:
		return nil
	}
	if r.distrib.wants(a.leader) {
		r.distrib.request(info.src, r.RandomUpTo(r.timing.ResponseDelay))
	}
	return nil
}

// heard is a full Thread device's part of handling an Advertisement. It reports whether the rest follows.
func (r *routes) heard(a advertised, info mleInfo) bool {
	if info.fresh {
		r.links.forgetMoved(info, a.source)
	}
	switch {
	case r.role == RoleDetached:
		return false // the parent moved
	case a.leader.PartitionID != r.leader.PartitionID:
		return r.otherPartition(a, info)
	case a.leader.LeaderRouterID != r.leader.LeaderRouterID:
		return r.otherLeader(a, info)
	case !a.source.IsRouter() || a.route == nil:
		r.heardEndDevice(a, info)
		return true
	case !r.followAssignment(a, info):
		return false
	}
	if info.fresh && a.source.RouterID() == r.leader.LeaderRouterID {
		r.quiet.leaderPace = time.Duration(a.slow)
	}
	if a.lost && info.fresh {
		r.quiet.heardLost(a)
	}
	if r.role == RoleChild {
		return r.childHeardRouter(a, info)
	}
	return r.routerHeardRouter(a, info)
}

// heardEndDevice notes how many routers a child hears.
func (r *routes) heardEndDevice(a advertised, info mleInfo) {
	if c := r.neighbors.Children.ByExt(info.ext); c != nil && info.fresh {
		c.Hears, c.LastHeard = a.hears, r.Now
	}
}

// otherLeader handles that this node's partition seems to have two leaders, as partitions may whose ID was configured. A neighbor's word
// for it is enough to leave; else there is a search for the better one of the two, which an old message cannot answer.
func (r *routes) otherLeader(a advertised, info mleInfo) bool {
	switch {
	case r.role == RoleChild:
		return true // it follows its parent
	case !info.fresh:
		return r.otherPartition(a, info)
	}
	r.twoLeaders.Log(r.Now, r.Log, slog.LevelWarn, "another leader in the same partition", "router", a.source)
	r.attach.detach()
	return false
}

// followAssignment takes over the assignment of router IDs, if it is newer. It reports false if this router is not part of it any more.
//
// Deviation: OpenThread's routers believe any router. An Advertisement recorded half an hour ago, whose sequence number is ahead again by
// then, would make a router leave, and overwrite the number of the leader, who knows better than anybody.
func (r *routes) followAssignment(a advertised, info mleInfo) bool {
	newer := r.neighbors.Routers.Active() == 0 || int8(a.route.IDSequence-r.neighbors.Routers.Sequence) > 0
	if !newer || !info.fresh || r.role == RoleLeader {
		return true
	}
	r.quiet.lost = false
	return r.reassign(a.route)
}

// routerHeardRouter is a router's part: it keeps its routes, seeks a link, and may find that it is not needed.
func (r *routes) routerHeardRouter(a advertised, info mleInfo) bool {
	id := a.source.RouterID()
	from := r.neighbors.Routers.Get(id)
	switch {
	case from == nil:
		if int8(a.route.IDSequence-r.neighbors.Routers.Sequence) > 0 {
			r.links.askStranger(info)
		}
		return true
	case from.RLOC16 == r.rloc:
		return true
	}
	if from.Valid() {
		if info.fresh && from.Ext == info.ext {
			r.selection.considerDowngrade(a.route, id)
			from.LastHeard, from.Alone, from.Burdened = r.Now, a.alone, a.burden
			r.doubt(a.route, from)
			r.learn(a.route, id)
			r.selection.considerSparing()
		}
		return true
	}
	if r.links.heardBoard(from, a, info) {
		return true
	}
	if r.mayLink(from, info) {
		r.links.open(from, info)
		return false
	}
	return true
}

// mayLink reports whether a router that was heard, and to which there is no link, may be asked for one.
func (r *routes) mayLink(from *neighbors.Router, info mleInfo) bool {
	if r.role == RoleChild {
		odds := r.timing.ChildLinkOdds // not all who hear a new router ask at once
		return r.neighbors.Routers.Links() < childRouterLinks && r.links.mayOpen(from) && (odds == 0 || r.Rand.IntN(odds) == 0)
	}
	return r.hearsWell(info) && r.links.mayOpen(from)
}

// childHeardRouter is a full end device's part: it watches the number of routers, learns its parent's way to the leader, and
// listens to a few more routers.
func (r *routes) childHeardRouter(a advertised, info mleInfo) bool {
	id := a.source.RouterID()
	parent := &r.neighbors.Parent
	isParent := info.ext == parent.Ext
	from := r.neighbors.Routers.Get(id)
	if !isParent && from == nil {
		return true
	}
	if from != nil && info.news && r.hearsWell(info) {
		from.HeardWell, from.Burdened = r.Now, a.burden
	}
	if info.fresh {
		if from != nil && r.timing.RouterNeighbors > 0 {
			from.NoteWays(a.route, r.scale.Quality(r.scale.Margin(info.rssi), -1), a.strain)
		}
		r.selection.considerBridging()
		r.selection.considerUpgrade()
		if a.full {
			r.selection.hurry()
		}
	}
	if isParent {
		if parent.RLOC16 != a.source {
			r.attach.detach()
			return false
		}
		r.neighbors.Routers.LearnLeaderRoute(a.route, id, r.leader.LeaderRouterID)
		parent.LastHeard = r.Now
		return true
	}
	if r.mayLink(from, info) {
		r.links.open(from, info)
		return false
	}
	if from.Valid() && info.fresh && from.Ext == info.ext {
		r.doubt(a.route, from)
		from.LastHeard = r.Now
	}
	return true
}

// otherPartition considers joining a partition whose router was heard.
func (r *routes) otherPartition(a advertised, info mleInfo) bool {
	if info.news {
		r.beside.hear(r.Now, a.leader.PartitionID, r.besideNew())
	}
	if r.fits(a) {
		r.foreign = r.Now
	}
	if a.route != nil && r.Now.Before(r.left.until) && a.leader.PartitionID == r.left.id &&
		int8(a.route.IDSequence-r.left.sequence) <= 0 {
		return false // left because its leader was gone, and still is
	}
	if r.role == RoleChild && r.neighbors.Parent.Ext == info.ext {
		return true // the parent changed partition: follow it
	}
	if r.isHeir(a, info) {
		r.follow(a)
		return true
	}
	if info.fresh && r.isOurLeader(info) {
		r.quiet.leaderLeft()
	}
	if r.attach.leaderless() {
		r.attach.heardRouter(a, info)
		return false
	}
	if r.lostLeader(a) {
		return false
	}
	if !r.better(a) {
		if r.fits(a) {
			r.tellBetter(info)
		}
		return false
	}
	if r.hearsWell(info) ||
		r.faint.persists(r.Now, a.leader.PartitionID, 3*r.timing.NetworkIDTimeout) {
		r.attach.seek(a, info)
	}
	return false
}

// isOurLeader reports whether a message is from who leads this partition, or did.
func (r *routes) isOurLeader(info mleInfo) bool {
	l := r.neighbors.Routers.Get(r.leader.LeaderRouterID)
	return l != nil && l.Ext == info.ext && r.role != RoleLeader
}

// lostLeader reports whether who was heard says that it knows no way to its leader: it takes no children.
func (r *routes) lostLeader(a advertised) bool {
	id := a.leader.LeaderRouterID
	return r.timing.AttachHold > 0 && a.route != nil && a.source.RouterID() != id && a.route.Routes[id].Cost == 0
}

// tellBetter lets a router of a worse partition hear of this one, at most once in an ordinary interval.
func (r *routes) tellBetter(info mleInfo) {
	switch {
	case !info.news || !r.mayTell():
		return
	case r.isRouter():
		r.resetAdvertise()
	default:
		r.sendAdvertisement() // it may be the only one that the other hears
	}
	r.told = r.Now
}

// mayTell reports whether the last time is long enough ago.
//
// Deviation: stock waits for its timer. Where Advertisements are rare, two partitions would need minutes to hear of each other.
func (r *routes) mayTell() bool {
	tells := r.isRouter() || r.role == RoleChild && r.routerEligible()
	return r.timing.AttachHold > 0 && tells && r.Now.Sub(r.told) >= r.timing.AdvertiseMax/2
}

// better reports whether the partition that was heard is better than this node's.
func (r *routes) better(a advertised) bool {
	if !r.fits(a) {
		return false
	}
	if order := r.compareSizes(a); order != 0 {
		return order > 0
	}
	// Without routes it comes from an end device, which has a router next to it.
	single := a.route != nil && a.route.Routers.Len() <= 1
	return comparePartitions(single, a.leader, r.single(), r.leader) > 0
}

// fits reports whether the partition that was heard and this one may become one, as far as the number of routers goes. A router that is all of its
// partition may always become a child of another.
//
// Deviation: stock has no such bound. Of a field with more routers than a partition may have the nodes change partition for ever: each is
// drawn to a better one, where those that need it for a parent find no place.
func (r *routes) fits(a advertised) bool {
	ours, theirs := r.quiet.routers(), a.routers
	if a.route != nil {
		theirs = min(theirs, a.route.Reached())
	}
	switch together := ours + theirs; {
	case !r.quiet.now() || !a.quiet || a.routers == 0:
		return true
	case ours == 1 && a.route != nil, theirs == 1 && r.isRouter():
		return true
	case together > neighbors.MaxRouters: // with a few more they are given a while
		return together <= maxTogether && max(ours, theirs) < neighbors.MaxRouters && r.beside.isNew(r.Now, a.leader.PartitionID, r.besideNew())
	}
	return true
}

// besideNew is how long another partition is new: until then it is tried whether it and this one may be one.
func (r *routes) besideNew() time.Duration { return 15 * r.timing.NetworkIDTimeout }

// compareSizes compares the partition that was heard with this node's own, where all in both have this engine: one with at least twice as many
// routers is better. It returns 0 where that does not tell.
//
// Deviation: stock knows the partitions' IDs alone, which are random: a mesh may move, node by node, into what has begun a minute ago.
func (r *routes) compareSizes(a advertised) int {
	ours := max(r.neighbors.Routers.Active(), 1)
	switch {
	case !r.quiet.now() || !a.quiet || a.routers == 0:
		return 0
	case a.routers >= 2*ours:
		return 1
	case ours >= 2*a.routers:
		return -1
	}
	return 0
}

// expireRouters ends links that fell silent and requests that stayed unanswered; the leader takes back the IDs of routers that are gone.
func (r *routes) expireRouters() {
	lost, gone := r.Now.Add(-r.quiet.neighborAge()), r.Now.Add(-r.timing.LeaderToRouter)
	if r.role == RoleLeader {
		for id, to := range r.neighbors.Routers.All() {
			r.expireRouter(id, to, lost, gone)
		}
		return
	}
	for id, to := range r.neighbors.Routers.InContact() {
		r.expireRouter(id, to, lost, gone)
	}
}

// expireRouter ends the link to a router that was not heard since lost; a leader takes back the ID of one that it cannot reach, and has not
// heard since gone.
func (r *routes) expireRouter(id mle.RouterID, to *neighbors.Router, lost, gone time.Time) {
	if to.RLOC16 == r.rloc {
		to.LastHeard = r.Now
		return
	}
	if id == r.leader.LeaderRouterID {
		lost = r.Now.Add(-r.quiet.slower(r.timing.MaxNeighborAge)) // it advertises as often as it says
	}
	switch {
	case to.Valid() && !to.LastHeard.After(lost):
		if r.isRouter() {
			r.linkLost(to)
		}
		r.neighbors.Drop(&to.Neighbor)
	case to.Valid() && r.Now.Sub(to.LastHeard) >= r.quiet.silence():
		r.askSilent(to)
	case to.Valid() && to.Failures > 0:
		r.askMute(to)
	case to.State() == neighbors.LinkRequest && r.Now.Sub(to.Opened) >= r.timing.LinkRequest:
		r.links.unansweredBy(to)
		r.neighbors.Drop(&to.Neighbor)
	case to.State() == neighbors.LinkRequest:
		r.links.requestAgain(to)
	case r.role == RoleLeader && !to.LastHeard.After(gone) &&
		!r.neighbors.Routers.IsAssigned(to.NextHop) && r.neighbors.Routers.LinkCost(to) >= neighbors.MaxRouteCost:
		r.leading.release(id)
	}
}

// askSilent asks a router of which an Advertisement is missing whether it is still there, before it counts as lost.
//
// Deviation: stock waits for three of them, as it may where one comes each 32 s. Where they are rare, one that met another frame would end
// a link, or a router that is gone would be taken for a way for a quarter of an hour.
func (r *routes) askSilent(to *neighbors.Router) {
	if r.quiet.rare && r.isRouter() && r.Now.Sub(to.Asked) >= r.timing.AdvertiseMax {
		to.Asked = r.Now
		r.links.request(to)
	}
}

// muteAgain is the time between requests to a router that has not acknowledged.
const muteAgain = 3 * time.Second

// askMute asks a router that has not acknowledged a frame whether it is still there, again and again until it acknowledges or the link is lost.
//
// Deviation: stock waits until other frames to it have failed. On LoRa there is one now and then: for minutes each way over a lost router would be in vain.
func (r *routes) askMute(to *neighbors.Router) {
	if r.timing.AttachHold > 0 && r.isRouter() && r.Now.Sub(to.Asked) >= muteAgain && r.selection.settled() && !r.full() {
		to.Asked = r.Now
		r.links.request(to)
	}
}

// doubt has routers, or the parent, asked at once whether they are there to which a neighbor, as it says, has lost its link: they may be gone.
//
// Deviation: stock's routers find out each for itself. Where Advertisements are rare, each would send over a lost router until four frames of its own
// had failed.
func (r *routes) doubt(route *mle.Route64, from *neighbors.Router) {
	if r.quiet.rare {
		r.neighbors.Doubt(route, from, r.Now.Add(-muteAgain))
	}
}

// askForRoutes asks the next router on the way to the leader for its Route64, once half of the time has passed after which the leader
// counts as lost. Deviation: stock relies on Advertisements alone. Nobody acknowledges those, and heavy traffic on LoRa swallows
// four in a row, upon which a mesh in good order would fall apart. Those who have missed the same ones ask at different times.
func (r *routes) askForRoutes() {
	after, pause := r.quiet.leaderSilence()
	switch {
	case r.Now.Sub(r.neighbors.Routers.Updated) < after:
		r.askAgain = time.Time{}
		return
	case r.askAgain.IsZero():
		r.askAgain = r.Now.Add(r.RandomUpTo(pause))
		return
	case r.Now.Before(r.askAgain) || !r.attach.staying():
		return
	}
	if next, ok := r.nextHop(r.leader.LeaderRouterID.RLOC16()); ok {
		if n := r.neighbors.Routers.LinkedByRLOC16(next); n != nil {
			r.links.request(n)
			r.askAgain = r.Now.Add(pause)
		}
	}
}

// checkLeader starts to search when the leader has not counted up the router ID sequence for too long, as OpenThread does. It
// reports whether the node has left the partition.
func (r *routes) checkLeader() bool {
	if r.fullThreadDevice() && r.neighbors.Routers.Active() > 0 && !r.hearsLeader() && r.attach.idle() {
		r.leaderLost.Log(r.Now, r.Log, slog.LevelWarn, "leader lost", "partition", r.leader.PartitionID)
		r.quiet.tellLost()
		if r.quiet.lost && r.selection.settled() {
			r.attach.start(attachAny) // all here know, and who knows better says so
		} else {
			r.attach.start(attachSame1)
		}
	}
	return r.role == RoleDetached
}
