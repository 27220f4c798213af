package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// The leader assigns router IDs and keeps the network data (Thread 1.1 §5.9, §5.18).

// noTime is the value of a timer that does not run.
var noTime time.Time

// formPartition founds a partition and leads it (Thread 1.1 §5.16.2).
func (e *Engine) formPartition() bool {
	if !e.routerEligible {
		return false
	}
	partition := e.fixedPartition
	if partition == 0 {
		partition = e.rand.Uint32()
	}
	id := e.routing.previousID
	if !id.Valid() {
		id = mle.RouterID(e.rand.IntN(mle.NumRouterIDs))
	}
	e.routers.clear()
	e.setLeaderData(mle.LeaderData{PartitionID: partition, Weighting: e.leaderWeight, LeaderRouterID: id})
	e.assignRouterID(id).ext = e.ext
	e.parent.state = stateInvalid
	e.becomeLeader(id)
	e.generateDataset()
	e.resetNetworkData()
	return true
}

// assignRouterID gives out one router ID.
func (e *Engine) assignRouterID(id mle.RouterID) *router {
	r := e.routers.assign(id)
	r.lastHeard = e.now
	e.routers.sequence++
	e.routers.updated = e.now
	e.resetAdvertise()
	e.log.Info("router ID assigned", "id", id)
	return r
}

// chooseRouterID returns the wanted router ID if it is free, else a free one at random.
func (e *Engine) chooseRouterID(wanted mle.RouterID) (mle.RouterID, bool) {
	if e.routers.active() >= maxRouters {
		return 0, false
	}
	free := func(id mle.RouterID) bool {
		return !e.routers.isAssigned(id) && !e.now.Before(e.routers.reuse[id])
	}
	if wanted.Valid() && free(wanted) {
		return wanted, true
	}
	var ids [mle.NumRouterIDs]mle.RouterID
	n := 0
	for id := range mle.MaxRouterID + 1 {
		if free(id) {
			ids[n] = id
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return ids[e.rand.IntN(n)], true
}

// releaseRouterID takes a router ID back. It is not assigned again before all have forgotten it.
func (e *Engine) releaseRouterID(id mle.RouterID) {
	r := e.routers.get(id)
	if r == nil || id == e.routing.id {
		return
	}
	e.dropRouterLink(r)
	e.routers.assigned = e.routers.assigned.Remove(id)
	e.routers.reuse[id] = e.now.Add(e.timing.RouterIDReuse)
	for other := range e.routers.assigned.All() {
		if o := &e.routers.routers[other]; o.nextHop == id {
			e.routeLost(o)
		}
	}
	e.routers.sequence++
	e.routers.updated = e.now
	e.resolver.removeRouter(id)
	e.resetAdvertise()
	e.log.Info("router ID released", "id", id)
}

// handleAddressSolicit decides whether a node becomes a router.
func (e *Engine) handleAddressSolicit(ev coap.Event[tmfRequest], p tmf.Payload) error {
	if ev.Message.Type != coap.Confirmable {
		return errTMFUnexpected
	}
	ext, err := p.ExtendedMACAddress()
	if err != nil {
		return err
	}
	reason, err := p.Status()
	if err != nil {
		return err
	}
	wanted := mle.InvalidRouterID
	if _, ok := p.Find(tmf.TLVRLOC16); ok {
		rloc, err := p.RLOC16()
		if err != nil {
			return err
		}
		wanted = rloc.RouterID()
	}
	r := e.routers.byExt(ext)
	if r == nil {
		switch reason {
		case tmf.ReasonTooFewRouters:
			if e.routers.active() >= e.upgradeAt {
				break
			}
			fallthrough
		case tmf.ReasonHaveChildIDRequest, tmf.ReasonParentPartitionChange:
			if id, ok := e.chooseRouterID(wanted); ok {
				r = e.assignRouterID(id)
				r.ext = ext
			}
		default:
			return errTMFUnexpected
		}
	}
	payload := tmf.AppendStatus(nil, tmf.StatusNoAddressAvailable)
	if r != nil {
		payload = tmf.AppendStatus(nil, tmf.StatusSuccess)
		payload = tmf.AppendRLOC16(payload, r.rloc)
		payload = tmf.AppendRouterMask(payload, tmf.RouterMask{IDSequence: e.routers.sequence, Routers: e.routers.assigned})
	}
	e.coap.Respond(e.now, ev, coap.Message{Code: coap.Changed, Payload: payload})
	return nil
}

func (e *Engine) handleAddressRelease(ev coap.Event[tmfRequest], p tmf.Payload) error {
	if ev.Message.Type != coap.Confirmable {
		return errTMFUnexpected
	}
	rloc, err := p.RLOC16()
	if err != nil {
		return err
	}
	ext, err := p.ExtendedMACAddress()
	if err != nil {
		return err
	}
	if r := e.routers.get(rloc.RouterID()); r != nil && r.ext == ext {
		e.releaseRouterID(rloc.RouterID())
	}
	e.coap.Respond(e.now, ev, coap.Message{Code: coap.Changed})
	return nil
}

// tickLeader counts up the router ID sequence, the leader's sign of life.
func (e *Engine) tickLeader() {
	if e.now.Sub(e.routers.updated) >= e.timing.RouterIDSequence {
		e.routers.sequence++
		e.routers.updated = e.now
	}
}

// tickKeys moves on to the next key sequence when the present one has lasted long enough.
func (e *Engine) tickKeys() {
	if e.now.Sub(e.keyRotated) >= e.timing.KeyRotation {
		e.setKeySequence(e.keySequence + 1)
	}
}
