// Package neighbors keeps the nodes with a radio link to this one: the parent and the candidate of a search, the children, and the
// routers of the partition with the links and routes to them. Every look-up of a neighbor is here, and every change of a
// neighbor's state: what Tell hears, Added and Removed, comes from here alone and always in pairs.
//
//	frame, address ─► ByAddr, ByExt, ByRLOC16, ByIP ─► *Neighbor
//	roles ──────────► Change, SetAssigned, LoseLink … ─► Tell(Added | Removed), and what follows for the routes
//
// The room knows no messages and sends none.
package neighbors

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// View says who counts as a neighbor: that depends on the node's role.
type View uint8

// Views.
const (
	AsEndDevice View = iota // the parent, and a candidate that has been asked for an address
	AsListener              // as AsEndDevice; and routers that the node listens to without being their child
	AsRouter                // children and linked routers; during a search the candidate as well
)

// A Table is all neighbors of a node.
type Table struct {
	Parent    Parent
	Candidate Candidate
	Children  Children
	Routers   Routers
	Peers     Peers

	// View is who counts as a neighbor, Searching that a search for a parent is under way.
	View      View
	Searching bool
	// Tell is called for each child and router link that becomes valid (added) or ceases to be.
	Tell func(n *Neighbor, added bool)

	core *core.Core
}

// New returns an empty table with places for a number of children.
func New(c *core.Core, children int, tell func(n *Neighbor, added bool)) *Table {
	t := &Table{Tell: tell, core: c}
	t.Children.Resize(children)
	return t
}

// Change moves a neighbor to another state.
func (t *Table) Change(n *Neighbor, s State) {
	before, after := n.Valid(), s == Valid
	switch n.kind {
	case KindChild:
		if n.Established() && s == Invalid {
			t.Children.Dropped++
		}
		t.Children.note(n.state, s)
	case KindRouter:
		t.Routers.note(n, s)
	}
	n.state = s
	if before != after && n.kind != KindParent {
		t.Tell(n, after)
	}
}

// Drop ends a link and forgets how well it was heard.
func (t *Table) Drop(n *Neighbor) {
	t.Change(n, Invalid)
	n.Link = LinkInfo{}
}

// SetParent makes n the parent, in state s. It is no longer one of the routers to which an end device listens beside it.
func (t *Table) SetParent(n Neighbor, leaderCost uint8, s State) {
	if r := t.Routers.LinkedByExt(n.Ext); r != nil {
		t.Change(&r.Neighbor, Invalid)
	}
	n.kind, n.state = KindParent, s
	t.Parent = Parent{Neighbor: n, LeaderCost: leaderCost}
}

// SetCandidate makes c the best parent so far.
func (t *Table) SetCandidate(c Candidate) {
	c.kind, c.state = KindParent, ParentResponse
	t.Candidate = c
}

// ClearCandidate forgets the candidate.
func (t *Table) ClearCandidate() { t.Candidate = Candidate{} }

// ParentRouter is what an end device knows of its parent as one of the routers, nil if nobody has told of its router ID. Whether there is a parent
// [Parent.Valid] says.
func (t *Table) ParentRouter() *Router { return t.Routers.Get(t.Parent.RLOC16.RouterID()) }

// AdoptParent makes the parent a linked router, as it is for a child that has just become a router itself. It returns nil if
// the parent has no router ID, or there is no parent.
func (t *Table) AdoptParent() *Router {
	r := t.ParentRouter()
	if r != nil && t.Parent.Valid() {
		t.Change(&r.Neighbor, Invalid)
		r.Neighbor = t.Parent.Neighbor
		r.kind, r.state = KindRouter, Invalid
		t.Change(&r.Neighbor, Valid)
	} else {
		r = nil
	}
	t.Change(&t.Parent.Neighbor, Invalid)
	return r
}

// AddChild returns a fresh entry for ext in state s, nil if the table is full.
func (t *Table) AddChild(ext ieee802154.ExtAddr, s State) *Child {
	c := t.Children.place(ext)
	if c != nil {
		t.Change(&c.Neighbor, s)
	}
	return c
}

// ClearChildren forgets all children.
func (t *Table) ClearChildren() {
	for c := range t.Children.All() {
		t.Change(&c.Neighbor, Invalid)
	}
	for _, c := range t.Children.entries {
		if c != nil {
			*c = Child{}
		}
	}
}

// Rekey is for another network key: neighbors begin with its first key sequence, and with any frame counter, unless the network has had that
// key before. Then they must go on with the highest that they had when the key was changed: what is lower may be a recording.
func (t *Table) Rekey(before bool) {
	t.Peers.Clear(t.core.Now)
	for _, n := range []*Neighbor{&t.Parent.Neighbor, &t.Candidate.Neighbor} {
		n.rekey(before)
	}
	for c := range t.Children.All() {
		c.rekey(before)
	}
	for _, r := range t.Routers.All() {
		r.rekey(before)
	}
}

// Forget forgets everybody.
func (t *Table) Forget() {
	t.Parent = Parent{}
	t.ClearCandidate()
	t.ClearChildren()
	t.ClearRouters()
	t.Peers.Clear(t.core.Now)
}

// ParentByExt returns the parent or the candidate with that extended address.
func (t *Table) ParentByExt(ext ieee802154.ExtAddr) *Neighbor {
	switch p, c := &t.Parent.Neighbor, &t.Candidate.Neighbor; {
	case p.Ext == ext && p.Established():
		return p
	case c.Ext == ext && c.Valid():
		return c
	}
	return nil
}

func (t *Table) parentByRLOC16(rloc mle.RLOC16) *Neighbor {
	switch p, c := &t.Parent.Neighbor, &t.Candidate.Neighbor; {
	case p.RLOC16 == rloc && p.Established():
		return p
	case c.RLOC16 == rloc && c.Valid():
		return c
	}
	return nil
}

// ByExt returns the neighbor with that extended address.
func (t *Table) ByExt(ext ieee802154.ExtAddr) *Neighbor {
	if t.View != AsRouter {
		return t.ParentByExt(ext)
	}
	if c := t.Children.ByExt(ext); c != nil && c.Established() {
		return &c.Neighbor
	}
	if r := t.Routers.LinkedByExt(ext); r != nil {
		return &r.Neighbor
	}
	if t.Searching {
		return t.ParentByExt(ext)
	}
	return nil
}

// ByRLOC16 returns the neighbor at that place in the mesh.
func (t *Table) ByRLOC16(rloc mle.RLOC16) *Neighbor {
	if !rloc.Valid() {
		return nil
	}
	if t.View != AsRouter {
		return t.parentByRLOC16(rloc)
	}
	if c := t.Children.ByRLOC16(rloc); c != nil && c.Established() {
		return &c.Neighbor
	}
	if r := t.Routers.LinkedByRLOC16(rloc); r != nil {
		return &r.Neighbor
	}
	return nil
}

// ByAddr returns the neighbor with a link-layer address.
func (t *Table) ByAddr(a ieee802154.Addr) *Neighbor {
	switch a.Mode {
	case ieee802154.AddrModeShort:
		return t.ByRLOC16(mle.RLOC16(a.Short))
	case ieee802154.AddrModeExt:
		return t.ByExt(a.Ext)
	}
	return nil
}

// Overheard returns a router that an end device listens to without being its child: its broadcasts can be authenticated.
func (t *Table) Overheard(a ieee802154.Addr) *Neighbor {
	if t.View != AsListener {
		return nil
	}
	var r *Router
	switch a.Mode {
	case ieee802154.AddrModeShort:
		r = t.Routers.LinkedByRLOC16(mle.RLOC16(a.Short))
	case ieee802154.AddrModeExt:
		r = t.Routers.LinkedByExt(a.Ext)
	}
	if r == nil {
		return nil
	}
	return &r.Neighbor
}

// ByIP returns the neighbor that has an IPv6 address: by link-local address, RLOC under the mesh-local prefix, or an address that a
// child registered.
func (t *Table) ByIP(a netip.Addr, meshLocal netip.Prefix) *Neighbor {
	if a.IsLinkLocalUnicast() {
		if rloc, ok := mle.LocatorOf(a); ok {
			return t.ByRLOC16(rloc)
		}
		return t.ByExt(ExtOf(a))
	}
	if t.View != AsRouter {
		return nil
	}
	if c := t.Children.ByAddress(a); c != nil {
		return &c.Neighbor
	}
	if meshLocal.Contains(a) {
		if rloc, ok := mle.LocatorOf(a); ok {
			return t.ByRLOC16(rloc)
		}
	}
	return nil
}

// ExtOf is the extended address in a link-local address.
func ExtOf(a netip.Addr) ieee802154.ExtAddr { return ExtOfIID(ip6.InterfaceIDOf(a)) }

// ExtOfIID is the extended address in an interface identifier.
func ExtOfIID(iid ip6.InterfaceID) ieee802154.ExtAddr {
	// One bit is the inverse: what makes an identifier of an address makes an address of an identifier.
	return ieee802154.ExtAddr(lowpan.ExtInterfaceID(ieee802154.ExtAddr(iid)))
}

// LinkLocal is the link-local address of the node with that extended address (RFC 4944 §7).
func LinkLocal(ext ieee802154.ExtAddr) netip.Addr {
	return ip6.WithInterfaceID(ip6.LinkLocalPrefix, lowpan.ExtInterfaceID(ext))
}

// ShortAddr is the link-layer address of a place in the mesh.
func ShortAddr(r mle.RLOC16) ieee802154.Addr { return ieee802154.ShortAddress(ieee802154.ShortAddr(r)) }

// LinkLoss is what follows from the end of a link to a router.
type LinkLoss struct {
	News        bool // a route or a link is gone of which the neighbors must hear
	Unreachable bool // no other way to the router is known
}

// LoseLink ends the link to a router, and the routes through it.
func (t *Table) LoseLink(r *Router) (loss LinkLoss) {
	r.QualityOut = 0
	r.LastHeard = t.core.Now
	t.Change(&r.Neighbor, Invalid)
	for _, other := range t.Routers.All() {
		if other.NextHop == r.RLOC16.RouterID() {
			t.LoseRoute(other)
			loss.News = loss.News || t.Routers.LinkCost(other) >= MaxRouteCost
		}
	}
	if !t.Routers.IsAssigned(r.NextHop) {
		loss.News, loss.Unreachable = true, true
	}
	return loss
}

// LoseRoute forgets the way to r over other routers. If no link to it is left, the time that the leader waits for another way
// begins. Deviation: stock counts from when it last heard r itself, and so takes back the IDs of all routers behind a lost link at once.
func (t *Table) LoseRoute(r *Router) {
	r.NextHop, r.Cost = NoNextHop, 0
	if !r.Valid() {
		r.LastHeard = t.core.Now
	}
}

// DropLinks ends all links to routers, not the assignments.
func (t *Table) DropLinks() {
	for _, r := range t.Routers.entries {
		if r != nil {
			t.Change(&r.Neighbor, Invalid)
		}
	}
}

// ClearRouters forgets all assignments.
func (t *Table) ClearRouters() {
	for _, r := range t.Routers.All() {
		t.Change(&r.Neighbor, Invalid)
	}
	t.Routers.assigned = 0
	clear(t.Routers.reuse)
}

// Reassignment is what follows from another assignment of router IDs.
type Reassignment struct {
	Changed bool
	Dropped mle.RouterIDSet // IDs that are no longer assigned
}

// SetAssigned takes over an assignment and its sequence number. Entries of routers that stay are kept.
func (t *Table) SetAssigned(assigned mle.RouterIDSet, sequence uint8) (result Reassignment) {
	rs := &t.Routers
	rs.Sequence, rs.Updated = sequence, t.core.Now
	if assigned == rs.assigned {
		return result
	}
	result.Changed = true
	for id := range mle.MaxRouterID + 1 {
		was, is := rs.IsAssigned(id), assigned.Contains(id)
		switch {
		case is && !was:
			rs.assign(id).LastHeard = t.core.Now // or a restarted leader would release at once what it has no route to yet
		case was && !is:
			r := rs.entries[id]
			if r.Valid() && t.View == AsRouter {
				t.LoseLink(r)
			}
			rs.assigned = rs.assigned.Remove(id)
			t.Change(&r.Neighbor, Invalid)
			result.Dropped = result.Dropped.Add(id)
			t.Peers.Forget(t.core.Now, id)
		}
	}
	return result
}

// Assign gives out one router ID, as the leader does.
func (t *Table) Assign(id mle.RouterID, ext ieee802154.ExtAddr) *Router {
	if r := t.Routers.entries[id]; r != nil {
		t.Change(&r.Neighbor, Invalid)
	}
	r := t.Routers.assign(id)
	r.Ext, r.LastHeard = ext, t.core.Now
	t.Routers.count(t.core.Now)
	return r
}

// Expect takes a router ID for assigned, before its assignment is known: who has it has proven to be there. The next assignment tells.
func (t *Table) Expect(id mle.RouterID) *Router {
	r := t.Routers.assign(id)
	r.LastHeard = t.core.Now
	return r
}

// Succeed has this router count up the router ID sequence from now on, in place of the leader. Routers to which the way led over that one are given
// time.
func (t *Table) Succeed() {
	for _, r := range t.Routers.All() {
		if !r.Valid() {
			r.LastHeard = t.core.Now
		}
	}
	t.Routers.count(t.core.Now)
}

// Release takes a router ID back, as the leader does. It is not assigned again before reuse.
func (t *Table) Release(id mle.RouterID, reuse time.Time) {
	t.Drop(&t.Routers.entries[id].Neighbor)
	t.Peers.Forget(t.core.Now, id)
	t.Routers.assigned = t.Routers.assigned.Remove(id)
	if t.Routers.reuse == nil {
		t.Routers.reuse = make([]time.Time, mle.NumRouterIDs)
	}
	t.Routers.reuse[id] = reuse
	for _, other := range t.Routers.All() {
		if other.NextHop == id {
			t.LoseRoute(other)
		}
	}
	t.Routers.count(t.core.Now)
}

// A RouteChange is what has become of the routes that lead over other routers.
type RouteChange struct {
	News   bool // a route came or went of which the neighbors must hear
	Dearer bool // a route costs more than before, by two at least, maybe because its cost counts up in a loop
}

// LearnRoutes applies the Route64 of the linked router with ID from to the routing table until nothing changes.
func (t *Table) LearnRoutes(route *mle.Route64, from mle.RouterID) (change RouteChange) {
	neighbor := t.Routers.Get(from)
	if neighbor == nil {
		return RouteChange{}
	}
	neighbor.Others = goodLinks(route)
	for again := true; again; {
		again = false
		for id := range route.Routers.All() {
			r := t.Routers.Get(id)
			switch {
			case r == nil || r == neighbor:
			case r.RLOC16 == t.Routers.Self:
				// The neighbor reports how well it hears this node.
				if in := route.Routes[id].LinkQualityIn; neighbor.QualityOut != in {
					neighbor.QualityOut = in
					again = true
				}
			default:
				old := r.NextHop
				t.learnRoute(r, neighbor, from, route.Routes[id].Cost, &change)
				again = again || r.NextHop != old
			}
		}
	}
	return change
}

// learnRoute weighs the way to r that a neighbor offers; a cost of 0 is none.
func (t *Table) learnRoute(r, neighbor *Router, from mle.RouterID, cost uint8, change *RouteChange) {
	rs := &t.Routers
	if cost == 0 {
		cost = MaxRouteCost
	}
	next := rs.Get(r.NextHop)
	through := int(cost) + int(rs.LinkCost(neighbor))
	unlinked := rs.LinkCost(r) >= MaxRouteCost
	switch {
	case next != nil && next != neighbor:
		if now := int(r.Cost) + int(rs.LinkCost(next)); through < now || through == now && rs.Spread && rs.prefers(r, from) {
			r.NextHop, r.Cost = from, cost
		}
	case through <= MaxRouteCost:
		change.News = change.News || next == nil && unlinked
		change.Dearer = change.Dearer || next != nil && unlinked && cost > r.Cost+1
		r.NextHop, r.Cost = from, cost
	case next == neighbor:
		change.News = change.News || unlinked
		t.LoseRoute(r)
	}
}
