package thread

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/mpl"
)

// Role is a node's part in the network (Thread 1.1 §2.3). The numbers are those of the Pymesh API's state().
type Role uint8

//	Start             Child ID Response
//
// Disabled ────────► Detached ───────────────────► Child
//
//	▲                ▲  │ ▲  no parent answers     │ ▲
//	│ Stop           │  ▼ └──────────────────────┐ │ │ too many routers,
//
// (any role)          │ Leader ◄── no parent in   │ │ │ or no leader heard of
//
//	                  │   │        the partition   │ ▼ │
//	a better partition│   └───────────────────────┼ Router  ◄── Address Solicit granted
//	parent lost ──────┴───────────────────────────┘
const (
	RoleDisabled Role = iota
	RoleDetached
	RoleChild
	RoleRouter
	RoleLeader
)

func (r Role) String() string {
	switch r {
	case RoleDisabled:
		return "disabled"
	case RoleDetached:
		return "detached"
	case RoleChild:
		return "child"
	case RoleRouter:
		return "router"
	case RoleLeader:
		return "leader"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// isRouter reports whether the node routes for others.
func (e *Engine) isRouter() bool { return e.role == RoleRouter || e.role == RoleLeader }

// attached reports whether the node is part of a partition.
func (e *Engine) attached() bool { return e.role >= RoleChild }

func (e *Engine) fullThreadDevice() bool { return e.mode.Has(mle.ModeFullThreadDevice) }

// setRole is the part that all becomeX share.
func (e *Engine) setRole(r Role) {
	old := e.role
	e.role = r
	e.updateAddresses()
	if r == old {
		return
	}
	e.log.Info("role", "from", old, "to", r, "rloc16", e.rloc, "partition", e.leader.PartitionID)
	e.emit(Event{Type: EventRole, Role: r})
	if e.attached() {
		e.saveSettings()
	}
}

func (e *Engine) becomeDisabled() {
	e.stopForwarding()
	e.tick = time.Time{}
	e.delayed = e.delayed[:0]
	e.coap.Cancel(func(tmfRequest) bool { return true })
	e.routing.solicit = 0
	e.setRole(RoleDisabled)
}

// becomeDetached leaves the partition, whatever the role in it.
func (e *Engine) becomeDetached() {
	e.attach.state, e.attach.timer = attachIdle, time.Time{}
	e.keepAlive = keepAlive{}
	e.routers.clearLinks()
	e.cancelAddressSolicit() // the answer would go to an address that is given up
	e.stopRouting()
	e.tick = time.Time{}
	e.setRole(RoleDetached)
}

// becomeChild takes the place that the parent has given.
func (e *Engine) becomeChild(rloc mle.RLOC16) {
	e.setRLOC(rloc)
	e.attach.state, e.attach.counter = attachIdle, 0
	e.keepAlive = keepAlive{}
	e.stopRouting()
	e.setRole(RoleChild)
	e.scheduleKeepAlive()
	e.startTick()
	if e.fullThreadDevice() {
		e.childStarted(e.attach.mode)
	}
}

// becomeRouter takes a router ID that the leader has assigned.
func (e *Engine) becomeRouter(id mle.RouterID) {
	e.startRouting(id, RoleRouter)
}

// becomeLeader starts to lead the partition that e.leader describes, under router ID id.
func (e *Engine) becomeLeader(id mle.RouterID) {
	e.startRouting(id, RoleLeader)
	e.forgetAddresses()
}

func (e *Engine) startRouting(id mle.RouterID, role Role) {
	e.setRLOC(id.RLOC16())
	e.attach.state, e.attach.counter, e.attach.timer = attachIdle, 0, time.Time{}
	e.keepAlive = keepAlive{}
	e.routing.id, e.routing.previousID = id, id
	e.routing.routedPartition = e.leader.PartitionID
	e.mplSent.SetExpirations(mpl.RouterExpirations)
	e.setRole(role)
	e.startTick()
	e.advertise.Stop()
	e.resetAdvertise()
	for i := range e.children.children {
		// Children of another router ID have an address that no longer leads here.
		if c := &e.children.children[i]; c.validOrRestoring() && c.rloc.RouterID() != id {
			e.removeNeighbor(&c.neighbor)
		}
	}
}

// stopRouting ends what only routers do.
func (e *Engine) stopRouting() {
	e.advertise.Stop()
	e.mplSent.SetExpirations(mpl.ChildExpirations)
}

func (e *Engine) setRLOC(rloc mle.RLOC16) {
	e.rloc = rloc
	e.routers.self = rloc
	e.updateAddresses()
}

func (e *Engine) startTick() {
	if e.tick.IsZero() {
		e.tick = e.now.Add(time.Second)
	}
}

// setLeaderData enters a partition. What belonged to another one is forgotten, except what helps not to fall back into it.
func (e *Engine) setLeaderData(d mle.LeaderData) {
	if d.PartitionID != e.leader.PartitionID {
		e.counters.PartitionChanges++
		r := &e.routing
		r.lastPartition = e.leader.PartitionID
		r.lastSequence = e.routers.sequence
		r.lastPartitionUntil = e.now.Add(e.timing.NetworkIDTimeout)
		e.forgetAddresses()
		e.cancelAddressSolicit()
		e.routers.clear()
		e.log.Info("partition", "id", d.PartitionID)
		e.emit(Event{Type: EventPartition})
	}
	e.leader.PartitionID, e.leader.Weighting, e.leader.LeaderRouterID = d.PartitionID, d.Weighting, d.LeaderRouterID
}

// leaderData is what this node tells others about its partition.
func (e *Engine) leaderData() mle.LeaderData {
	d := e.leader
	d.DataVersion, d.StableDataVersion = e.netData.version, e.netData.stableVersion
	return d
}
