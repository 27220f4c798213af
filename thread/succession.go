package thread

import (
	"math"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Where all have this engine, a router takes over the partition of a leader that is lost, under another ID: the first in an order that all know
// and then, if nobody has heard of that one, the next. Those that are linked with one that has followed keep their router IDs, links and children.
//
//	leader lost ─► its turn ─► a partition that succeeds the one before ─► Advertisement ─► linked routers follow, and advertise ─► the next ones
//
// Deviation: stock's nodes search one by one, as for a new network. Measured over grids of 16 at SF7, it took a minute and a half after the loss was
// known, up to three.

// successorBits are those of a partition ID that tell which of a partition's successors it is: half of them whose turn it was, the rest which
// partition it succeeds.
const successorBits, hashBits = 12, 6

// successorID returns the ID of the partition that takes over another one, led by the router with an ID: of two the one whose turn came first is
// better. It lies among [ownPartitions], and next above the one before: those that were better than that are better than its successor, too. Else the
// small half of a mesh that is still coming together, whose leader has gone over to the other, would draw the large one over.
func successorID(partition uint32, leader mle.RouterID) uint32 {
	const golden = 0x9e3779b1 // 2^32 by the golden ratio: close IDs come far apart
	order := (ownPartitions | partition) >> successorBits
	if order < math.MaxUint32>>successorBits {
		order++
	}
	return order<<successorBits | uint32(mle.MaxRouterID-leader)<<hashBits | partition*golden>>(32-hashBits)
}

// succeed takes over the partition of a leader that is lost. It reports false if this node may not.
func (l *leading) succeed() bool {
	quiet, lost := l.routes.quiet, l.leader.LeaderRouterID
	if !l.selection.settled() || l.role != RoleRouter || l.partitionID != 0 || !l.routerEligible() || !quiet.rare || !quiet.lost || !l.neighbors.Routers.IsAssigned(l.ownID()) {
		return false
	}
	id := l.ownID()
	l.change.enterSuccession(mle.LeaderData{
		PartitionID: successorID(l.leader.PartitionID, id), Weighting: l.weight, LeaderRouterID: id,
	})
	l.neighbors.Succeed()
	l.assign(id, l.Ext)
	l.change.becomeLeader(id)
	l.release(lost)
	if err := l.dataset.Found(); err != nil {
		l.Log.Error("no dataset", "err", err)
	}
	l.pending.Lead()
	l.distrib.found()
	l.routes.sendAdvertisement()
	l.registrar.Lead()
	return true
}

// isHeir reports whether a linked router has followed another leader, which has taken over this partition and counts on this router.
func (r *routes) isHeir(a advertised, info mleInfo) bool {
	if r.role != RoleRouter || !r.quiet.rare || !r.quiet.lost || !info.fresh || !a.quiet || a.route == nil || r.attach.leaving() {
		return false
	}
	from := r.neighbors.Routers.Get(a.source.RouterID())
	return from != nil && from.Valid() && from.Ext == info.ext && a.route.Routers.Contains(r.ownID()) && !a.route.Routers.Contains(r.leader.LeaderRouterID) &&
		a.leader.PartitionID == successorID(r.leader.PartitionID, a.leader.LeaderRouterID)
}

// follow goes with a linked router to the leader that has taken over this partition.
func (r *routes) follow(a advertised) {
	r.change.enterSuccession(a.leader)
	if r.reassign(a.route) {
		r.advertise.Reset(r.Now) // the next ones wait for it
	}
}
