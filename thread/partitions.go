package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

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
