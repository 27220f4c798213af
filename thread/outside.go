package thread

import (
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// The way out of the mesh and back, by a node that is a border router.
//
//	datagram to an address outside ─► a border router of the network data ─► leaves ─► toOutside ─► PollForward
//	HandleForward ─► the mesh address that it is for

// CostTo returns the cost of the way to a node, as far as this one knows it, and false if there is none. A child knows the costs of its
// parent and of the leader alone; to it all others are far.
func (r *routes) CostTo(server mle.RLOC16) (int, bool) {
	const hop = 1
	switch {
	case server == r.rloc:
		return 0, true
	case !server.Valid():
		return 0, false
	case r.role == RoleChild:
		p := &r.neighbors.Parent
		switch id := server.RouterID(); {
		case !p.Valid():
			return 0, false
		case id == p.RLOC16.RouterID():
			return hop, true
		case id == r.leader.LeaderRouterID:
			return int(p.LeaderCost) + hop, true
		}
		return neighbors.MaxRouteCost, true
	case server.RouterID() == r.ownID():
		c := r.neighbors.Children.ByRLOC16(server)
		return hop, c != nil && c.Established()
	}
	cost := int(r.neighbors.Routers.PathCost(r.neighbors.Routers.Get(server.RouterID())))
	if cost >= neighbors.MaxRouteCost {
		return 0, false
	}
	if server.IsChild() {
		cost += hop
	}
	return cost, true
}

// onMesh reports whether an address is in the mesh: it has the mesh-local prefix, or one of the network data with a border router.
func (x *meshLayer) onMesh(a netip.Addr) bool { return x.addresses.OnMesh(a) || x.netData.OnMesh(a) }

// serves reports whether this node lets a datagram out of the mesh. One that has the stable subset of the network data alone, in which no
// server is named, goes by what it has registered.
func (x *meshLayer) serves(src, dst netip.Addr) bool {
	switch {
	case !x.attached() || dst.IsMulticast() || dst.IsLinkLocalUnicast() || src.IsLinkLocalUnicast() || x.onMesh(dst):
		return false
	case x.mode.Has(mle.ModeFullNetworkData):
		return x.netData.Serves(x.rloc, src, dst)
	}
	return x.local.Serves(src, dst)
}

// leaves reports whether a datagram from the mesh is to be let out here: its sender has chosen this node, or left the choice to it and it is
// the best.
func (x *meshLayer) leaves(d *ip6.Datagram, r *received) bool {
	if !r.secured || !x.serves(d.Src, d.Dst) {
		return false
	}
	if r.src.Mode == ieee802154.AddrModeShort && !x.isMinimalChild(mle.RLOC16(r.src.Short)) {
		return true
	}
	return x.out(d.Src, d.Dst)
}

// out reports whether this node is where a datagram is best let out.
func (x *meshLayer) out(src, dst netip.Addr) bool {
	if !x.serves(src, dst) {
		return false
	}
	best, ok := x.netData.Route(src, dst, x.routes)
	return !ok || best == x.rloc
}

// toOutside queues a datagram for PollForward. The oldest gives way if the host does not fetch them.
func (x *ipLayer) toOutside(d *ip6.Datagram) {
	if len(x.outside) >= maxPackets {
		x.counters.HostQueueFull++
		x.outside = slices.Delete(x.outside, 0, 1)
	}
	x.counters.ForwardedOut++
	x.outside = append(x.outside, d.Clone())
}

// refuseForwarded tells the sender of a datagram that this node has no way for it.
func (x *ipLayer) refuseForwarded(m *sender.Message) {
	h, err := ip6.ParseHeader(m.Data)
	if err == nil && x.attached() {
		x.sendUnreachableTo(h.Src, h, isICMPError(h.NextHeader, m.Data[ip6.HeaderSize:]))
	}
}

func (x *ipLayer) refusePort(d *ip6.Datagram) {
	const enough = ip6.HeaderSize + ip6.UDPHeaderSize // to tell whose datagram it was, in one frame
	if !x.addresses.Own(d.Src) && !x.errors.Allow(x.Now) {
		x.counters.ICMPRefused++
		return
	}
	m := x.sender.New()
	var err error
	m.Data, err = ip6.AppendDestinationUnreachable(m.Data, ip6.Header{HopLimit: defaultHopLimit, Src: d.Dst, Dst: d.Src},
		ip6.UnreachablePort, d.Bytes[:min(len(d.Bytes), enough)])
	if err != nil {
		x.sender.Free(m)
		return
	}
	_ = x.send(m) // counted there
}
