package thread

import (
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// leading is what the leader of a partition does: it founds it, assigns router IDs, and counts up their sequence
// number as a sign of life. (The network data that it distributes is networkdata's.)
//
//	Address Solicit ─► a free router ID ─► sequence + 1 ─► Advertisements
//	Address Release, or no way to a router for too long ─► ID free again after a while
type leading struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	dataset   *dataset.Active
	pending   *dataset.Pending
	registrar *commissioning.Registrar
	resolver  *resolver.Resolver
	tmf       *tmfMessenger
	routes    *routes
	selection *selection
	distrib   *distributor

	weight      uint8
	partitionID uint32 // of partitions to be founded; 0 takes one at random
}

// ownPartitions are the highest bits of the partition IDs that are taken at random.
//
// Deviation: stock takes any. Of two partitions the one with the higher ID absorbs the other, so that nodes with this engine lead where boards found
// partitions as well. A board that leads takes the router ID at once from each router that it knows no way to, as after the loss of a link until the
// next Advertisement. Measured over grids of 16 at SF7, half of them boards: where a board led there was no one mesh for 48 s an hour, and 90 % of the
// pings were answered; else for 2 s, and 93 %.
const ownPartitions = 0xff << 24

// formPartition founds a partition and leads it. It reports false if this node may not.
func (l *leading) formPartition() bool {
	if !l.routerEligible() {
		return false
	}
	partition := l.partitionID
	if partition == 0 {
		partition = l.Rand.Uint32()
		if l.timing.AttachHold > 0 {
			partition = ownPartitions | partition>>8
		}
	}
	id := l.selection.previousID
	if !id.Valid() {
		id = mle.RouterID(l.Rand.IntN(mle.NumRouterIDs))
	}
	l.neighbors.ClearRouters()
	l.change.enterPartition(mle.LeaderData{PartitionID: partition, Weighting: l.weight, LeaderRouterID: id})
	l.assign(id, l.Ext)
	l.neighbors.Change(&l.neighbors.Parent.Neighbor, neighbors.Invalid)
	l.change.becomeLeader(id)
	if err := l.dataset.Found(); err != nil {
		l.Log.Error("no dataset", "err", err)
	}
	l.pending.Lead()
	l.distrib.found()
	if l.timing.AttachHold > 0 {
		// Deviation: stock waits for its timer, while others that search found partitions, too.
		l.routes.sendAdvertisement()
	}
	l.registrar.Lead()
	return true
}

// assign gives out one router ID.
func (l *leading) assign(id mle.RouterID, ext ieee802154.ExtAddr) *neighbors.Router {
	r := l.neighbors.Assign(id, ext)
	l.resolver.ForgetFailures()
	l.routes.resetAdvertise()
	l.Log.Info("router ID assigned", "id", id)
	return r
}

// release takes a router ID back. It is not assigned again before all have forgotten it.
func (l *leading) release(id mle.RouterID) {
	if !l.neighbors.Routers.IsAssigned(id) || id == l.ownID() {
		return
	}
	l.neighbors.Release(id, l.Now.Add(l.timing.RouterIDReuse))
	l.resolver.ForgetRouter(id)
	l.routes.resetAdvertise()
	l.Log.Info("router ID released", "id", id)
	l.withdraw(func(server mle.RLOC16) bool { return server.RouterID() == id })
}

// handleAddressSolicit decides whether a node becomes a router.
func (l *leading) handleAddressSolicit(ev tmfEvent, p tmf.Payload) error {
	rd := p.Read()
	ext, reason := rd.ExtendedMACAddress(), rd.Status()
	rloc, hasRLOC := rd.OptionalRLOC16()
	if err := rd.Err(); err != nil {
		return err
	}
	wanted := mle.InvalidRouterID
	if hasRLOC {
		wanted = rloc.RouterID()
	}
	r := l.neighbors.Routers.ByExt(ext)
	if r == nil {
		switch reason {
		case tmf.ReasonTooFewRouters:
			if l.neighbors.Routers.Active() < l.selection.upgradeAt {
				r = l.choose(wanted, ext)
			}
		case tmf.ReasonHaveChildIDRequest, tmf.ReasonParentPartitionChange:
			r = l.choose(wanted, ext)
		default:
			return errTMFUnexpected
		}
	}
	payload := tmf.AppendStatus(nil, tmf.StatusNoAddressAvailable)
	if r != nil {
		payload = tmf.AppendStatus(nil, tmf.StatusSuccess)
		payload = tmf.AppendRLOC16(payload, r.RLOC16)
		payload = tmf.AppendRouterMask(payload, tmf.RouterMask{
			IDSequence: l.neighbors.Routers.Sequence, Routers: l.neighbors.Routers.Assigned(),
		})
	}
	l.tmf.respond(ev, payload)
	return nil
}

// choose assigns the wanted router ID, or another one if that is taken. It returns nil if there is none.
func (l *leading) choose(wanted mle.RouterID, ext ieee802154.ExtAddr) *neighbors.Router {
	id, ok := l.neighbors.Routers.Choose(l.Now, wanted, l.Rand.IntN)
	if !ok {
		return nil
	}
	return l.assign(id, ext)
}

// handleAddressRelease takes back the router ID of a node that stops being a router.
func (l *leading) handleAddressRelease(ev tmfEvent, p tmf.Payload) error {
	rd := p.Read()
	rloc, ext := rd.RLOC16(), rd.ExtendedMACAddress()
	if err := rd.Err(); err != nil {
		return err
	}
	if r := l.neighbors.Routers.Get(rloc.RouterID()); r != nil && r.Ext == ext {
		l.release(rloc.RouterID())
	}
	l.tmf.respond(ev, nil)
	return nil
}
