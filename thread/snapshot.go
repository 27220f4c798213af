package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

// snapshot is the part of the engine that tells the host what is.
type snapshot struct{ e *Engine }

// NeighborInfo describes a node with a direct radio link.
type NeighborInfo struct {
	ExtAddr ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	// Role is RoleChild for a child of this node, RoleRouter for a router (the leader included).
	Role Role
	Mode mle.Mode
	// RSSI is the average received power in dBm, LastRSSI that of the last frame; 127 if not known.
	RSSI, LastRSSI int
	// SNR is the signal to noise ratio of the last frame with which the radio told one, in dB; 127 if it never did.
	SNR float64
	// LinkMargin is how many dB RSSI is above the least that the radio hears.
	LinkMargin uint8
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
func (v snapshot) Role() Role { return v.e.role }

// RLOC16 returns the node's place in the mesh, mle.InvalidRLOC16 if it has none.
func (v snapshot) RLOC16() mle.RLOC16 { return v.e.rloc }

// ExtAddr returns the node's extended address.
func (v snapshot) ExtAddr() ieee802154.ExtAddr { return v.e.Ext }

// Mode returns the node's mode.
func (v snapshot) Mode() mle.Mode { return v.e.mode }

// Network returns the parameters of the network.
func (v snapshot) Network() Network { return v.e.dataset.Network() }

// Channel returns the channel number.
func (v snapshot) Channel() uint8 { return v.e.Network().Channel }

// RadioChannel returns the number of the channel on which the radio has to be, for radios that have several: that of the network, or that of
// the packet from the last PollTransmit while it is sent.
func (v snapshot) RadioChannel() uint8 { return v.e.mac.Channel() }

// MeshLocalEID returns the address that stays when the node moves in the mesh.
func (v snapshot) MeshLocalEID() netip.Addr { return v.e.addresses.EID() }

// Addresses returns the unicast addresses of this node, the newest first: the leader's anycast locator, RLOC, mesh-local EID, link-local,
// and those added.
func (v snapshot) Addresses() []netip.Addr { return v.e.addresses.All() }

// SelectSource returns the address from which a datagram to dst is sent (RFC 6724): the one whose scope fits; of the mesh-local
// ones the EID, which stays when the node moves.
func (v snapshot) SelectSource(dst netip.Addr) netip.Addr { return v.e.addresses.SelectSource(dst) }

// Subscribe makes the node listen to a multicast address, until Unsubscribe has been called as often. It fails with ErrArgument for another
// address, and with ErrTableFull if the node listens to 64 groups that were subscribed to already.
func (v snapshot) Subscribe(group netip.Addr) error {
	if err := v.e.addresses.Subscribe(group); err != nil {
		return err
	}
	v.e.groupsChanged()
	return nil
}

// Unsubscribe undoes one Subscribe.
func (v snapshot) Unsubscribe(group netip.Addr) {
	v.e.addresses.Unsubscribe(group)
	v.e.groupsChanged()
}

// Subscribed reports whether the node listens to a multicast address.
func (v snapshot) Subscribed(group netip.Addr) bool { return v.e.addresses.Subscribed(group) }

// OnMesh reports whether a unicast address is one that a node of the mesh can have: in the mesh-local prefix or an on-mesh prefix of the
// network data.
func (v snapshot) OnMesh(a netip.Addr) bool { return v.e.mesh.onMesh(a) }

// Single reports whether this node is the only router of its partition, or alone.
func (v snapshot) Single() bool { return v.e.routes.single() }

// Neighbors returns children and routers with a link to this node, or the parent.
func (v snapshot) Neighbors() []NeighborInfo {
	var list []NeighborInfo
	if p := &v.e.neighbors.Parent; v.e.role == RoleChild && p.Valid() {
		list = append(list, v.e.neighborInfo(&p.Neighbor, RoleRouter, 0))
	}
	if !v.e.isRouter() {
		return list
	}
	for c := range v.e.neighbors.Children.Established() {
		if c.Valid() {
			list = append(list, v.e.neighborInfo(&c.Neighbor, RoleChild, c.Timeout))
		}
	}
	for _, r := range v.e.neighbors.Routers.Linked() {
		list = append(list, v.e.neighborInfo(&r.Neighbor, RoleRouter, 0))
	}
	return list
}

func (v snapshot) neighborInfo(n *neighbors.Neighbor, r Role, timeout time.Duration) NeighborInfo {
	return NeighborInfo{
		ExtAddr: n.Ext, RLOC16: n.RLOC16, Role: r, Mode: n.Mode, RSSI: n.Link.RSSI(), LastRSSI: int(n.Link.Last), SNR: n.Link.LastSNR(),
		LinkMargin: n.Link.Margin(&v.e.scale), LinkQualityIn: n.Link.Quality, LinkQualityOut: n.QualityOut, Age: v.e.AgeOf(n.LastHeard), Timeout: timeout,
	}
}

// Routers returns all routers of the partition, by router ID.
func (v snapshot) Routers() []RouterInfo {
	if !v.e.attached() {
		return nil
	}
	var list []RouterInfo
	for id, r := range v.e.neighbors.Routers.All() {
		info := RouterInfo{
			ID: id, RLOC16: r.RLOC16, ExtAddr: r.Ext, NextHop: r.NextHop, PathCost: r.Cost, LinkEstablished: r.Valid(),
			LinkQualityIn: r.Link.Quality, LinkQualityOut: r.QualityOut, Age: v.e.AgeOf(r.LastHeard),
		}
		switch p := &v.e.neighbors.Parent; {
		case r.RLOC16 == v.e.rloc:
			info.ExtAddr, info.Age = v.e.Ext, 0
		case v.e.role == RoleChild && r.RLOC16 == p.RLOC16:
			info.ExtAddr, info.Age, info.LinkEstablished = p.Ext, v.e.AgeOf(p.LastHeard), p.Valid()
			info.LinkQualityIn, info.LinkQualityOut = p.Link.Quality, p.QualityOut
		}
		list = append(list, info)
	}
	return list
}

// Leader returns the partition and its leader, and false if the node is not attached.
func (v snapshot) Leader() (LeaderInfo, bool) {
	if !v.e.attached() {
		return LeaderInfo{}, false
	}
	info := LeaderInfo{LeaderData: v.e.distrib.leaderData(), RLOC16: v.e.leader.LeaderRouterID.RLOC16()}
	switch p := &v.e.neighbors.Parent; {
	case v.e.role == RoleLeader:
		info.ExtAddr = v.e.Ext
	case v.e.role == RoleChild && p.RLOC16 == info.RLOC16:
		info.ExtAddr = p.Ext
	default:
		if r := v.e.neighbors.Routers.Get(v.e.leader.LeaderRouterID); r != nil {
			info.ExtAddr = r.Ext
		}
	}
	return info, true
}
