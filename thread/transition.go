package thread

import (
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/dhcp"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/slaac"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
)

// The changes of role and place. Each becomeX sets role, addresses and deadlines together, and resets all that belonged to the old state.

// setRole is the part that all becomeX share.
func (e *Engine) setRole(r Role) {
	old := e.role
	e.role = r
	e.neighbors.View = e.view()
	if r != RoleLeader {
		e.petitions.Stop()
	}
	e.updateAddresses()
	e.manage.review()
	if r == old {
		return
	}
	e.Log.Info("role", "from", old, "to", r, "rloc16", e.rloc, "partition", e.leader.PartitionID)
	e.events.emit(Event{Type: EventRole, Role: r})
	if e.attached() {
		e.changed()
	}
}

// view is who counts as a neighbor in the present role.
func (e *Engine) view() neighbors.View {
	switch {
	case e.isRouter():
		return neighbors.AsRouter
	case e.role == RoleChild && e.fullThreadDevice():
		return neighbors.AsListener
	}
	return neighbors.AsEndDevice
}

func (e *Engine) becomeDisabled() {
	e.mac.Stop()
	e.sender.Stop()
	e.resolver.Clear()
	e.places.hints.Clear()
	e.queries.settle()
	e.counters.ReassemblyDropped += uint64(e.mesh.reassembler.Len())
	e.mesh.reassembler.Reset()
	e.mpl.Reset()
	e.second = time.Time{}
	e.mle.forget(&e.counters.TxDatagramsStopped)
	e.tmf.stop()
	e.commiss.stop()
	e.agency.stop()
	e.admission.stop()
	e.announcer.stop()
	e.diagnostics.stop()
	e.surroundings.stop()
	e.selection.reset()
	e.setRole(RoleDisabled)
}

func (e *Engine) becomeDetached() {
	e.attach.stop()
	e.keepAlive.reset()
	if listener := e.role == RoleChild || e.role == RoleDetached; !listener || !e.quiet.rare {
		// Deviation: an end device of stock asks those anew to which it listens. Here it goes on listening: who has lost its parent may be the one that
		// is to take its place, and should know soon who is around.
		e.neighbors.DropLinks()
	}
	e.selection.reset() // an answer would go to an address that is given up
	e.registrar.stop()
	e.stopRouting()
	e.second = time.Time{}
	e.setRole(RoleDetached)
}

func (e *Engine) becomeChild(rloc mle.RLOC16) {
	e.setRLOC16(rloc)
	e.attach.enter(attachIdle)
	e.attach.counter, e.attach.courtesy = 0, courtesy{}
	e.keepAlive.reset()
	e.selection.reset()
	e.stopRouting()
	e.setRole(RoleChild)
	e.keepAlive.schedule()
	if e.keepAlive.partial || !e.distrib.toldAll() {
		e.keepAlive.addressesChanged()
	}
	e.startHousekeeping()
	if e.fullThreadDevice() {
		e.selection.childStarted(e.attach.mode)
	} else {
		e.selection.giveBack()
	}
	e.registrar.check()
}

func (e *Engine) becomeRouter(id mle.RouterID) { e.startRouting(id, RoleRouter) }

func (e *Engine) becomeLeader(id mle.RouterID) {
	e.startRouting(id, RoleLeader)
	e.forgetAddresses()
	e.announcer.leads()
}

func (e *Engine) startRouting(id mle.RouterID, role Role) {
	e.setRLOC16(id.RLOC16())
	e.attach.stop()
	e.attach.counter, e.attach.moving, e.attach.courtesy = 0, staysPut, courtesy{}
	e.keepAlive.reset()
	e.selection.reset()
	e.selection.previousID = id
	e.selection.partition = e.leader.PartitionID
	e.mpl.SetExpirations(mpl.RouterExpirations)
	e.setRole(role)
	e.startHousekeeping()
	e.routes.advertise.Stop()
	e.routes.resetAdvertise()
	e.parent.dropForeignChildren()
	e.registrar.routingStarted()
}

// stopRouting ends what only routers do.
func (e *Engine) stopRouting() {
	e.routes.advertise.Stop()
	e.mpl.SetExpirations(mpl.ChildExpirations)
}

func (e *Engine) setRLOC16(rloc mle.RLOC16) {
	if rloc != e.rloc {
		e.shortcuts.forget()
		e.deputy.forget()
		e.mle.forget(&e.counters.MLEReplaced) // what waits says that it comes from the old place: a new parent would take the child for one that moved on
	}
	e.rloc = rloc
	e.neighbors.Routers.Self = rloc
	e.mac.SetAddress(e.dataset.Network().PANID, rloc)
	e.updateManaged()
	e.updateAddresses()
}

// enterPartition makes d's partition the one that the node is in. What belonged to another one is forgotten, except what helps not to fall
// back into it.
func (e *Engine) enterPartition(d mle.LeaderData) {
	changed := d.PartitionID != e.leader.PartitionID
	if changed {
		e.quiet.forget()
		e.places.told = 0 // nobody there knows, though the place may have the same address
		e.shortcuts.forget()
		e.deputy.forget()
		e.counters.PartitionChanges++
		e.routes.left = leftPartition{
			id: e.leader.PartitionID, sequence: e.neighbors.Routers.Sequence, until: e.Now.Add(e.timing.NetworkIDTimeout),
		}
	}
	if changed || d.LeaderRouterID != e.leader.LeaderRouterID {
		e.forgetAddresses()
		e.selection.cancel()
		e.neighbors.ClearRouters()
		e.netData.Invalidate()
	}
	if changed {
		e.selection.entered = e.Now
		e.registrar.partitionChanged()
		e.Log.Info("partition", "id", d.PartitionID)
		e.events.emit(Event{Type: EventPartition})
	}
	e.leader.PartitionID, e.leader.Weighting, e.leader.LeaderRouterID = d.PartitionID, d.Weighting, d.LeaderRouterID
}

// enterSuccession makes d's partition, which has taken over this node's own, the one that the node is in: a router, which keeps its ID, its links
// and its children.
func (e *Engine) enterSuccession(d mle.LeaderData) {
	e.quiet.forget()
	e.places.told = 0
	e.counters.PartitionChanges++
	e.routes.left = leftPartition{
		id: e.leader.PartitionID, sequence: e.neighbors.Routers.Sequence, until: e.Now.Add(e.timing.NetworkIDTimeout),
	}
	e.attach.stop()
	e.attach.courtesy = courtesy{}
	e.netData.Invalidate()
	e.registrar.partitionChanged()
	e.Log.Info("partition", "id", d.PartitionID, "after", e.leader.PartitionID)
	e.events.emit(Event{Type: EventPartition})
	e.leader.PartitionID, e.leader.Weighting, e.leader.LeaderRouterID = d.PartitionID, d.Weighting, d.LeaderRouterID
	e.selection.partition = d.PartitionID
	e.changed()
}

// forgetAddresses empties the cache of addresses; what waits for an answer waits in vain.
func (e *Engine) forgetAddresses() {
	e.resolver.Clear()
	e.queries.disputes = nil
	e.queries.settle()
}

func (e *Engine) drop(n *neighbors.Neighbor) {
	wasChild := n.Kind() == neighbors.KindChild && n.Established()
	if wasChild {
		e.sender.Forget(n.Ext)
	}
	switch {
	case e.role == RoleChild && n == &e.neighbors.Parent.Neighbor:
		e.attach.detach()
	case e.isRouter() && wasChild && n.FullThreadDevice():
		e.resolver.ForgetRLOC16(n.RLOC16)
	case e.isRouter() && n.Kind() == neighbors.KindRouter && n.Valid():
		if r := e.neighbors.Routers.Get(n.RLOC16.RouterID()); r != nil {
			e.routes.linkLost(r)
		}
	}
	e.neighbors.Drop(n)
	if wasChild && e.isRouter() {
		e.changed()
		e.registrar.lost(n.RLOC16)
	}
}

// neighborChanged tells the host of a child or a linked router that came or went.
func (e *Engine) neighborChanged(n *neighbors.Neighbor, added bool) {
	ev := Event{Type: EventNeighborRemoved, ExtAddr: n.Ext, RLOC16: n.RLOC16}
	switch {
	case n.Kind() == neighbors.KindChild && added:
		ev.Type = EventChildAdded
	case n.Kind() == neighbors.KindChild:
		ev.Type = EventChildRemoved
	case added:
		ev.Type = EventNeighborAdded
	}
	if added {
		e.resolver.ForgetFailures()
	}
	e.events.emit(ev)
}

// updateAddresses derives the addresses that depend on role and place.
func (e *Engine) updateAddresses() {
	if e.refreshAddresses() {
		e.events.emit(Event{Type: EventAddresses})
	}
}

func (e *Engine) refreshAddresses() (changed bool) {
	return e.addresses.Update(addresses.State{
		Up: e.interfaceOn, Enabled: e.role != RoleDisabled, Attached: e.attached(), FullThreadDevice: e.fullThreadDevice(),
		Leader: e.role == RoleLeader, RLOC16: e.rloc, CommissionerALOC: e.commissionerALOC(),
	})
}

// networkDataChanged follows other network data: contexts, addresses, and whoever is to hear of them.
func (e *Engine) networkDataChanged() {
	e.contexts = e.netData.Contexts(e.addresses.Prefix())
	if e.updateManaged() {
		e.keepAlive.addressesChanged()
	}
	e.updateAddresses()
	e.distrib.announce()
	e.events.emit(Event{Type: EventNetworkData})
	e.registrar.check()
}

// updateManaged derives the addresses that follow from the network data, and reports whether those in its prefixes are others. The rest of
// updateAddresses must follow.
func (e *Engine) updateManaged() (changed bool) {
	var prefixes []slaac.Prefix
	for _, p := range e.netData.SLAAC() {
		prefixes = append(prefixes, slaac.Prefix{Prefix: p.Prefix, Preferred: p.Preferred})
	}
	changed, created := e.slaac.Update(prefixes, e.dataset.Network().ExtPANID)
	if created {
		e.changed()
	}
	var agents []dhcp.Prefix
	for _, p := range e.netData.DHCP() {
		agents = append(agents, dhcp.Prefix{Prefix: p.Prefix, Agent: p.Server})
	}
	changed = e.leases.client.Update(agents) || changed
	e.applyManaged()
	return changed
}

// leased follows an address that the node has got by DHCPv6.
func (e *Engine) leased() {
	e.applyManaged()
	e.updateAddresses()
	e.keepAlive.addressesChanged()
}

// addressGivenUp follows the loss of an address that another node has, too.
func (e *Engine) addressGivenUp() {
	e.applyManaged()
	e.refreshAddresses()
	e.events.emit(Event{Type: EventAddresses})
	e.changed()
}

// applyManaged tells the table of addresses of those by the network data.
func (e *Engine) applyManaged() {
	var managed []addresses.ManagedAddress
	for _, a := range e.slaac.Addresses() {
		managed = append(managed, addresses.ManagedAddress{Addr: a.Addr, Preferred: a.Preferred})
	}
	for _, a := range e.leases.client.Addresses() {
		managed = append(managed, addresses.ManagedAddress{Addr: a.Addr, Preferred: a.Preferred})
	}
	e.addresses.SetManaged(managed)
	var anycast []mle.RLOC16
	if e.rloc.Valid() {
		e.netData.OffersOf(e.rloc, func(aloc mle.RLOC16) {
			if !slices.Contains(anycast, aloc) {
				anycast = append(anycast, aloc)
			}
		})
	}
	e.addresses.SetAnycast(anycast)
}

// commissionerALOC is the locator that this node has as the commissioner, or for one outside, mle.InvalidRLOC16 for none.
func (e *Engine) commissionerALOC() mle.RLOC16 {
	if e.role == RoleDisabled {
		return mle.InvalidRLOC16
	}
	if aloc, ok := e.commiss.commissioning.ALOC(); ok {
		return aloc
	}
	if aloc, ok := e.agency.ALOC(); ok {
		return aloc
	}
	return mle.InvalidRLOC16
}

// applyNetwork derives what depends on the network's parameters alone.
func (e *Engine) applyNetwork() {
	n := e.dataset.Network()
	e.sender.PAN = n.PANID
	e.surroundings.home = n.Channel
	e.mac.SetAddress(n.PANID, e.rloc)
	e.mac.Listen = n.Channel
	e.addresses.SetPrefix(n.MeshLocalPrefix)
	e.contexts = e.netData.Contexts(n.MeshLocalPrefix)
}

// networkChanged follows the dataset, where it says otherwise than the configuration, or the dataset before.
func (e *Engine) networkChanged() {
	n := e.dataset.Network()
	e.Log.Info("network by the dataset", "name", n.Name, "PAN", n.PANID, "prefix", n.MeshLocalPrefix, "channel", n.Channel,
		"otherKey", n.Key != e.keys.NetworkKey())
	if n.Key != e.keys.NetworkKey() {
		e.rekey(n.Key)
	}
	e.events.emit(Event{Type: EventNetwork})
	e.forgetAddresses()
	e.applyNetwork()
	e.updateAddresses()
	e.keepAlive.addressesChanged()
	e.changed()
}

// rekey changes the network key of a node that stays what it is, among neighbors that do the same at about the same time.
//
// Neighbors may begin their frame counters anew, as OpenThread of today does.
//
// Deviation: OpenThread takes any frame counter of a neighbor for new after that. But the network may come back to a key that it has had: a
// recording of that time must not count.
func (e *Engine) rekey(key [keys.Size]byte) {
	e.neighbors.Rekey(e.keys.Had(key))
	e.keys.SetNetworkKey(key)
	e.mle.answers.Forget()
	if e.threadOn {
		e.keys.Start()
	}
}

// policyChanged follows the security policy: how long a key sequence lasts, and how long the next one is not accepted.
func (e *Engine) policyChanged() {
	life := e.dataset.Policy().RotationTime
	if life == e.keys.Life {
		return
	}
	// Deviation: OpenThread's guard time stays what it is, so that a shorter life leaves no time in which a neighbor is followed.
	e.keys.Guard = min(e.timing.KeySwitchGuard, life-life/14) // 624 of 672 h
	e.keys.Life = life
}

// leaveNetwork says that the node is in no partition: its own datasets count.
func (e *Engine) leaveNetwork() {
	before := e.dataset.Network()
	e.dataset.Leave()
	e.pendingSet.Absent()
	if e.dataset.Network() != before {
		e.networkChanged()
	}
	e.policyChanged()
}

// forgetPlace forgets what the node was in its network, and all others in it: in another network, or with another address, it is nobody
// yet.
func (e *Engine) forgetPlace() {
	s := &e.keeper.settings
	s.Role, s.RLOC16, s.PartitionID, s.Parent, s.Children = RoleDisabled, 0, 0, ieee802154.ExtAddr{}, nil
	e.neighbors.Forget()
	e.netData.Clear()
	e.leader = mle.LeaderData{}
	e.routes.left = leftPartition{}
	e.selection.previousID, e.selection.partition = mle.InvalidRouterID, 0
	e.forgetAddresses()
	e.applyNetwork()
	e.setRLOC16(mle.InvalidRLOC16)
}

// keySequenceMoved has another key sequence stored before anything is secured under it.
func (e *Engine) keySequenceMoved() {
	e.mac.Counter.Revoke()
	e.mle.counter.Revoke()
	e.events.emit(Event{Type: EventKeySequence})
	e.changed()
}

// renewKeys moves to keys that were never used once a frame counter comes to its end, and begins the counters anew: a node without
// values left would be mute for ever. At the last sequence of all it will be, and says so.
func (e *Engine) renewKeys() {
	if !e.mac.Counter.Ending() && !e.mle.counter.Ending() {
		return
	}
	if !e.keys.Renew() {
		e.warnOfSpent()
		return
	}
	e.mac.Counter.Reset()
	e.mle.counter.Reset()
	e.mle.forget(&e.counters.MLEReplaced) // what waits announces the old counters
}

// warnOfSpent says in the log that frame counters come to their end at the last key sequence, and that they are there: once each.
func (e *Engine) warnOfSpent() {
	if !e.spentSoon {
		e.spentSoon = true
		e.Log.Warn("frame counters come to their end, and there is no later key sequence: soon nothing can be sent")
	}
	if !e.spent && (e.mac.Counter.Spent() || e.mle.counter.Spent()) {
		e.spent = true
		e.Log.Error("frame counters are used up at the last key sequence: nothing more can be sent",
			"remedy", "a new network key and an empty store for all nodes")
	}
}

// startThread starts attaching: where the node was before, if it was somewhere. It fails with ErrState if the interface is down or
// the PAN ID is that of a broadcast. Starting twice does nothing.
func (e *Engine) startThread(now time.Time) error {
	e.Advance(now)
	switch {
	case !e.interfaceOn || e.dataset.Network().PANID == ieee802154.BroadcastPAN || e.admission.active():
		return ErrState
	case e.threadOn:
		return nil
	}
	e.renewKeys()
	if !e.save() {
		return errStoreFailed
	}
	e.setThread(true)
	e.keys.Start()
	e.resume()
	e.settle()
	return nil
}

// stopThread leaves the network. The packet that the radio is sending is finished; nothing follows it.
func (e *Engine) stopThread(now time.Time) {
	e.Advance(now)
	if !e.threadOn {
		return
	}
	e.Flush()
	e.becomeDetached()
	e.becomeDisabled()
	e.setThread(false)
	e.leaveNetwork()
	e.settle()
}

func (e *Engine) setThread(on bool) {
	e.threadOn, e.sender.On = on, on
	e.tune()
}

// interfaceUp brings the interface up. Doing it twice does nothing.
func (e *Engine) interfaceUp(now time.Time) {
	e.Advance(now)
	e.interfaceOn = true
	e.updateAddresses()
}

// interfaceDown stops Thread, if it runs, and takes the interface down. Added addresses are gone then.
func (e *Engine) interfaceDown(now time.Time) {
	e.stopThread(now)
	if !e.interfaceOn {
		return
	}
	e.admission.joiner.Stop()
	e.surroundings.stop() // a scan may be under way that needs no Thread
	e.interfaceOn = false
	e.tune()
	e.addresses.ClearAdded()
	e.updateAddresses()
}

// resume begins in role Detached: where the node was before a restart, if it was somewhere.
func (e *Engine) resume() {
	e.attach.counter = 0
	e.becomeDetached()
	e.attach.moving = mayTryNext
	s := &e.keeper.settings
	switch {
	case s.Role < RoleChild || s.Mode != e.mode || s.RLOC16.IsRouter() && !e.routerEligible():
		e.setRLOC16(mle.InvalidRLOC16)
		if s.Role >= RoleRouter {
			e.selection.previousID, e.selection.partition = s.RLOC16.RouterID(), s.PartitionID
		}
		e.attach.start(attachAny)
	case s.RLOC16.IsRouter():
		e.setRLOC16(s.RLOC16)
		e.selection.previousID = s.RLOC16.RouterID()
		e.routes.left.id = s.PartitionID
		e.parent.restoreChildren(s.Children)
		e.links.request(nil)
		e.startHousekeeping()
	default:
		e.setRLOC16(s.RLOC16)
		e.neighbors.SetParent(neighbors.Neighbor{
			Ext: s.Parent, RLOC16: s.RLOC16.RouterID().RLOC16(), Mode: ModeFullThreadDevice,
		}, 0, neighbors.Restored)
		e.attach.last = lastParent{true, e.neighbors.Parent.RLOC16, s.PartitionID}
		e.attach.synchronize()
	}
}
