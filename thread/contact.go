package thread

import (
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

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
