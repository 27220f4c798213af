package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Tables as they are inside, for the command line. Neighbors, Routers and Leader in snapshot.go are meant for programs.

// Observe tells the engine the time without letting it do anything, so that the ages in what getters return are those of now.
func (e *Engine) Observe(now time.Time) { e.now = now }

// ChildInfo describes a child.
type ChildInfo struct {
	NeighborInfo
	// NetworkDataVersion is that which the child has last been known to have.
	NetworkDataVersion uint8
	// Restoring says that the child is known from before a restart and has not been heard since.
	Restoring bool
}

// Children returns the children of this node, also those from before it was stopped.
func (e *Engine) Children() []ChildInfo {
	var list []ChildInfo
	for i := range e.children.children {
		c := &e.children.children[i]
		if !c.validOrRestoring() {
			continue
		}
		list = append(list, ChildInfo{
			NeighborInfo: e.neighborInfo(&c.neighbor, RoleChild, c.timeout), NetworkDataVersion: c.networkDataVersion,
			Restoring: c.state != stateValid,
		})
	}
	return list
}

// Links returns the routers to which this node has a link of its own. A child's parent is not among them.
func (e *Engine) Links() []NeighborInfo {
	var list []NeighborInfo
	for id := range e.routers.assigned.All() {
		if r := &e.routers.routers[id]; r.state == stateValid && r.rloc != e.rloc {
			list = append(list, e.neighborInfo(&r.neighbor, RoleRouter, 0))
		}
	}
	return list
}

func (e *Engine) neighborInfo(n *neighbor, r Role, timeout time.Duration) NeighborInfo {
	return NeighborInfo{
		ExtAddr: n.ext, RLOC16: n.rloc, Role: r, Mode: n.mode, RSSI: n.link.rssi(), LastRSSI: n.link.last,
		LinkQualityIn: n.link.quality, LinkQualityOut: n.qualityOut, Age: e.ageOf(n.lastHeard), Timeout: timeout,
	}
}

func (e *Engine) ageOf(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return e.now.Sub(t)
}

// RouterTable returns the routing table: what is known of each assigned router ID, the own one included, with what this node
// learned as a router alone.
func (e *Engine) RouterTable() []RouterInfo {
	var list []RouterInfo
	for id := range e.routers.assigned.All() {
		r := &e.routers.routers[id]
		info := RouterInfo{
			ID: id, RLOC16: id.RLOC16(), ExtAddr: r.ext, NextHop: r.nextHop, PathCost: r.cost, LinkEstablished: r.state == stateValid,
			LinkQualityIn: r.link.quality, LinkQualityOut: r.qualityOut, Age: e.ageOf(r.lastHeard),
		}
		if r.rloc == e.rloc {
			info.Age = 0
		}
		list = append(list, info)
	}
	return list
}

// Parent returns the parent, or the last one of a node that is no child any more. All is zero if there has been none.
func (e *Engine) Parent() NeighborInfo {
	if e.parent.lastHeard.IsZero() && e.parent.state == stateInvalid {
		return NeighborInfo{}
	}
	return e.neighborInfo(&e.parent.neighbor, RoleRouter, 0)
}

// CachedAddress is the locator of an address beyond this link.
type CachedAddress struct {
	Addr   netip.Addr
	RLOC16 mle.RLOC16
}

// CachedAddresses returns the addresses that address queries have resolved.
func (e *Engine) CachedAddresses() []CachedAddress {
	var list []CachedAddress
	for i := range e.resolver.entries {
		if en := &e.resolver.entries[i]; en.state == resolveKnown {
			list = append(list, CachedAddress{en.target, en.rloc})
		}
	}
	return list
}

// NetworkData returns the network data of the partition, as TLVs.
func (e *Engine) NetworkData() []byte { return slices.Clone(e.netData.tlvs) }

// Queues counts what waits in this node.
type Queues struct {
	Limit        int // the most that can wait in all of them but CoAP
	Sending      int // for the radio
	Resolving    int // for an address
	Reassembling int // for more fragments
	MPL          int // multicasts that are to be repeated
	MLE          int // MLE messages whose random delay is not over
	CoAP         int // management requests without an answer
}

// Len returns the number of all that count against Limit.
func (q Queues) Len() int { return q.Sending + q.Resolving + q.Reassembling + q.MPL + q.MLE }

// Queues returns what waits in this node.
func (e *Engine) Queues() Queues {
	return Queues{
		Limit:   maxQueued + maxWaiting + reassemblies + mplDatagrams + maxDelayed,
		Sending: len(e.fwd.queue), Resolving: len(e.fwd.waiting), Reassembling: e.reasm.Len(), MPL: e.mplSent.Len(), MLE: len(e.delayed),
		CoAP: e.coap.Pending(),
	}
}

// MulticastAddresses returns the multicast addresses to which this node listens: those subscribed, the latest first, and those
// that all Thread nodes have.
func (e *Engine) MulticastAddresses() []netip.Addr {
	if !e.ifUp {
		return nil
	}
	list := slices.Clone(e.groups)
	slices.Reverse(list)
	for _, a := range [...]netip.Addr{
		e.allThreadRealm, e.allThreadLink, ip6.LinkLocalAllRouters, ip6.RealmLocalAllRouters,
		ip6.LinkLocalAllNodes, ip6.RealmLocalAllNodes, ip6.AllMPLForwarders,
	} {
		if e.isSubscribed(a) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
