package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// NeighborInfo describes a node with a direct radio link.
type NeighborInfo struct {
	ExtAddr ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	// Role is RoleChild for a child of this node, RoleRouter for a router (the leader included).
	Role Role
	Mode mle.Mode
	// RSSI is the average received power in dBm, LastRSSI that of the last frame; 127 if not known.
	RSSI, LastRSSI int8
	// LinkQualityIn and LinkQualityOut are 0 to 3.
	LinkQualityIn, LinkQualityOut uint8
	// Age is the time since the neighbor was last heard.
	Age time.Duration
	// Timeout is a child's: the silence after which it is dropped.
	Timeout time.Duration
}

// RouterInfo describes a router of the partition.
type RouterInfo struct {
	ID      mle.RouterID
	RLOC16  mle.RLOC16
	ExtAddr ieee802154.ExtAddr // zero if this node has had no link to it
	// NextHop is the first router on the way, InvalidRouterID if there is a direct link or no route.
	NextHop mle.RouterID
	// PathCost is the cost that NextHop announces, 0 without a next hop: what the command line's router table shows.
	PathCost uint8
	// LinkEstablished says that there is a direct link, with these qualities, 0 to 3.
	LinkEstablished               bool
	LinkQualityIn, LinkQualityOut uint8
	// Age is the time since the router was last heard.
	Age time.Duration
}

// LeaderInfo describes the partition and its leader.
type LeaderInfo struct {
	mle.LeaderData
	RLOC16 mle.RLOC16
	// ExtAddr is zero if this node has no link to the leader.
	ExtAddr ieee802154.ExtAddr
}

// Role returns the node's role.
func (e *Engine) Role() Role { return e.role }

// RLOC16 returns the node's place in the mesh, mle.InvalidRLOC16 if it has none.
func (e *Engine) RLOC16() mle.RLOC16 { return e.rloc }

// ExtAddr returns the node's extended address.
func (e *Engine) ExtAddr() ieee802154.ExtAddr { return e.ext }

// Mode returns the node's mode.
func (e *Engine) Mode() mle.Mode { return e.mode }

// Channel returns the channel number.
func (e *Engine) Channel() uint8 { return e.channel }

// MeshLocalEID returns the address that stays when the node moves in the mesh.
func (e *Engine) MeshLocalEID() netip.Addr { return e.meshLocalEID }

// Counters returns the counters.
func (e *Engine) Counters() Counters { return e.counters }

// Single reports whether this node is the only router of its partition, or alone.
func (e *Engine) Single() bool {
	return !e.attached() || !e.fullThreadDevice() || e.routers.active() <= 1
}

// Neighbors returns children and routers with a link to this node, or the parent.
func (e *Engine) Neighbors() []NeighborInfo {
	var list []NeighborInfo
	add := func(n *neighbor, r Role, timeout time.Duration) { list = append(list, e.neighborInfo(n, r, timeout)) }
	if e.role == RoleChild && e.parent.state == stateValid {
		add(&e.parent.neighbor, RoleRouter, 0)
	}
	if !e.isRouter() {
		return list
	}
	for i := range e.children.children {
		if c := &e.children.children[i]; c.state == stateValid {
			add(&c.neighbor, RoleChild, c.timeout)
		}
	}
	for id := range e.routers.assigned.All() {
		if r := &e.routers.routers[id]; r.state == stateValid && r.rloc != e.rloc {
			add(&r.neighbor, RoleRouter, 0)
		}
	}
	return list
}

// Routers returns all routers of the partition, by router ID.
func (e *Engine) Routers() []RouterInfo {
	if !e.attached() {
		return nil
	}
	var list []RouterInfo
	for id := range e.routers.assigned.All() {
		r := &e.routers.routers[id]
		info := RouterInfo{
			ID: id, RLOC16: r.rloc, ExtAddr: r.ext, NextHop: r.nextHop, PathCost: r.cost, LinkEstablished: r.state == stateValid,
			LinkQualityIn: r.link.quality, LinkQualityOut: r.qualityOut, Age: e.now.Sub(r.lastHeard),
		}
		switch {
		case r.rloc == e.rloc:
			info.ExtAddr, info.Age = e.ext, 0
		case e.role == RoleChild && r.rloc == e.parent.rloc:
			info.ExtAddr, info.Age = e.parent.ext, e.now.Sub(e.parent.lastHeard)
			info.LinkEstablished = e.parent.state == stateValid
			info.LinkQualityIn, info.LinkQualityOut = e.parent.link.quality, e.parent.qualityOut
		case r.lastHeard.IsZero():
			info.Age = 0
		}
		list = append(list, info)
	}
	return list
}

// Leader returns the partition and its leader, and false if the node is not attached.
func (e *Engine) Leader() (LeaderInfo, bool) {
	if !e.attached() {
		return LeaderInfo{}, false
	}
	info := LeaderInfo{LeaderData: e.leaderData(), RLOC16: e.leader.LeaderRouterID.RLOC16()}
	switch {
	case e.role == RoleLeader:
		info.ExtAddr = e.ext
	case e.role == RoleChild && e.parent.rloc == info.RLOC16:
		info.ExtAddr = e.parent.ext
	default:
		if r := e.routers.get(e.leader.LeaderRouterID); r != nil {
			info.ExtAddr = r.ext
		}
	}
	return info, true
}
