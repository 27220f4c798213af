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
