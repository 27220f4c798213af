// Package addresses keeps the addresses of one node (Thread 1.1 §5.2.2): link-local from the extended address, the mesh-local EID with
// a random interface identifier, the RLOC from the place in the mesh, anycast locators, those in prefixes of the network data, those that the
// host has added, and the groups that the node listens to. Whether an address is this node's, in its mesh, or one to send from is asked here.
package addresses

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Limits that this implementation chose.
const (
	// MaxAdded is how many addresses the host can add.
	MaxAdded = 4
	// MaxGroups is how many groups the host can have it listen to.
	MaxGroups = 64

	// MaxManaged and MaxAnycast are how many addresses and locators a node has by the network data.
	MaxManaged = 8
	MaxAnycast = 16
)

// Origin is where an address comes from.
type Origin uint8

// Origins of addresses, in the order in which those that come at once are listed.
const (
	Managed          Origin = iota // in a prefix of the network data
	Anycast                        // the locators of what the node offers by the network data
	LeaderALOC                     // the leader's anycast locator
	CommissionerALOC               // the commissioner's
	RLOC                           // the routing locator
	Added                          // by the host
	MeshLocalEID                   // the mesh-local endpoint identifier
	LinkLocal
)

// owner is on whose behalf the node has an address or listens to a group: nobody else takes it away.
type owner uint8

const (
	node owner = iota
	host
)

// entry is a row of the table.
type entry struct {
	addr      netip.Addr
	origin    Origin
	preferred bool // a source for what the node sends of its own accord (RFC 6724 §5, rule 3)
	owner     owner
	users     int // of a group: how many listen to it
}

// A ManagedAddress is an address in a prefix of the network data.
type ManagedAddress struct {
	Addr      netip.Addr
	Preferred bool // a source for what the node sends of its own accord
}

// State is what the node's own addresses and groups follow from, beside its prefix and identifiers.
type State struct {
	Up               bool // the interface is
	Enabled          bool // Thread runs: the role is not disabled
	Attached         bool // the node is part of a partition
	FullThreadDevice bool
	Leader           bool
	RLOC16           mle.RLOC16 // InvalidRLOC16 if the node has no place in the mesh
	CommissionerALOC mle.RLOC16 // of the commissioner; InvalidRLOC16, or 0, on all other nodes
}

// A Table is the addresses of a node.
//
//	interface up ──────────────────────► link-local     from the extended address
//	Thread runs ───────────────────────► mesh-local EID  ┐
//	Thread runs, a place in the mesh ──► RLOC            ├ from the mesh-local prefix
//	leader ────────────────────────────► leader ALOC     │
//	SetAnycast ────────────────────────► other ALOCs     ┘
//	SetManaged ────────────────────────► managed         while Thread runs
//	commissioner ──────────────────────► its ALOC        the same
//	Add ───────────────────────────────► added           until Remove or ClearAdded
//
// What the node has by itself changes with Update alone: it is called when one of these has changed, the prefix and the identifiers
// included.
type Table struct {
	core      *core.Core
	state     State
	meshLocal netip.Prefix
	iid       ip6.InterfaceID

	allThreadLink  netip.Addr // ff32:40:<mesh-local prefix>::1
	allThreadRealm netip.Addr // ff33:40:<mesh-local prefix>::1

	managed []ManagedAddress
	anycast []mle.RLOC16

	entries []entry // by origin, those of one as they came
	groups  []entry // subscribed by the host, as they came

	// newest is the addresses of entries with the newest first, in one of two buffers.
	newest  []netip.Addr
	buffers [2][]netip.Addr
	next    int // the buffer that newest is not in
}

// New returns a table without addresses, for a node whose interface is down.
func New(c *core.Core) *Table {
	return &Table{core: c}
}

// Prefix returns the mesh-local prefix.
func (t *Table) Prefix() netip.Prefix { return t.meshLocal }

// SetPrefix changes the mesh-local prefix, a masked /64. Update must follow.
func (t *Table) SetPrefix(meshLocal netip.Prefix) {
	t.meshLocal = meshLocal
	t.allThreadLink = prefixMulticast(ip6.ScopeLinkLocal, meshLocal)
	t.allThreadRealm = prefixMulticast(ip6.ScopeRealmLocal, meshLocal)
}

// IID returns the interface identifier of the mesh-local EID.
func (t *Table) IID() ip6.InterfaceID { return t.iid }

// SetIID changes it to one that was stored, NewIID to one at random. Update must follow.
func (t *Table) SetIID(iid ip6.InterfaceID) { t.iid = iid }

// NewIID changes the interface identifier of the mesh-local EID to one at random. Update must follow.
func (t *Table) NewIID() { t.core.RandomBytes(t.iid[:]) }

// SetManaged changes the addresses that the node has by the network data, at most MaxManaged, SetAnycast its locators of what it offers, at
// most MaxAnycast. Update must follow. The lists are not kept.
func (t *Table) SetManaged(list []ManagedAddress) {
	t.managed = append(t.managed[:0], list[:min(len(list), MaxManaged)]...)
}

// SetAnycast changes the anycast locators that the node has beside the leader's.
func (t *Table) SetAnycast(list []mle.RLOC16) {
	t.anycast = append(t.anycast[:0], list[:min(len(list), MaxAnycast)]...)
}

// Managed returns the addresses that the node has by the network data, as SetManaged was given them. They are not to be changed.
func (t *Table) Managed() []ManagedAddress { return t.managed }

// Update derives the addresses that the node has in state s and reports whether All returns others than before. What is new comes
// first.
func (t *Table) Update(s State) (changed bool) {
	t.state = s
	t.setMany(s)
	t.set(LeaderALOC, s.Leader, mle.ALOCLeader.Addr(t.meshLocal))
	t.set(CommissionerALOC, s.CommissionerALOC.IsALOC(), s.CommissionerALOC.Addr(t.meshLocal))
	t.set(RLOC, s.Enabled && s.RLOC16 != mle.InvalidRLOC16, s.RLOC16.Addr(t.meshLocal))
	t.set(MeshLocalEID, s.Enabled, t.EID())
	t.set(LinkLocal, s.Up, t.LinkLocal())
	return t.list()
}

// set gives the node the one address of an origin, or takes it away.
func (t *Table) set(o Origin, present bool, a netip.Addr) {
	i, found := t.search(o)
	switch {
	case found && present:
		t.entries[i].addr = a
	case found:
		t.entries = slices.Delete(t.entries, i, i+1)
	case present:
		// Locators name a place, not the node: they are no source that would stay.
		preferred := o == MeshLocalEID || o == LinkLocal
		t.entries = slices.Insert(t.entries, i, entry{addr: a, origin: o, preferred: preferred, owner: node})
	}
}

// setMany gives the node the addresses of those origins that have several.
func (t *Table) setMany(s State) {
	first, _ := t.search(LeaderALOC)
	t.entries = slices.Delete(t.entries, 0, first)
	if !s.Enabled {
		return
	}
	i := 0
	for _, m := range t.managed {
		t.entries = slices.Insert(t.entries, i, entry{addr: m.Addr, origin: Managed, preferred: m.Preferred, owner: node})
		i++
	}
	for _, rloc := range t.anycast {
		t.entries = slices.Insert(t.entries, i, entry{addr: rloc.Addr(t.meshLocal), origin: Anycast, owner: node})
		i++
	}
}

// search returns the place of the first entry of an origin.
func (t *Table) search(o Origin) (int, bool) {
	return slices.BinarySearchFunc(t.entries, o, func(e entry, o Origin) int { return cmp.Compare(e.origin, o) })
}

// list makes the list of addresses anew and reports whether it is another.
func (t *Table) list() (changed bool) {
	before := t.newest
	into := &t.buffers[t.next]
	t.newest = (*into)[:0]
	t.next = 1 - t.next
	for i := range t.entries {
		if a := t.entries[i].addr; !slices.Contains(before, a) && !slices.Contains(t.newest, a) {
			t.newest = append(t.newest, a)
		}
	}
	for _, a := range before {
		if t.Own(a) && !slices.Contains(t.newest, a) {
			t.newest = append(t.newest, a)
		}
	}
	*into = t.newest
	return !slices.Equal(before, t.newest)
}

// AppendMeshLocal appends the addresses under the mesh-local prefix, the ML-EID first.
func (t *Table) AppendMeshLocal(list []netip.Addr) []netip.Addr {
	eid := t.EID()
	list = append(list, eid)
	for i := range t.entries {
		if a := t.entries[i].addr; a != eid && t.meshLocal.Contains(a) {
			list = append(list, a)
		}
	}
	return list
}

// All returns the unicast addresses of the node, the newest first.
func (t *Table) All() []netip.Addr { return slices.Clone(t.newest) }

// LinkLocal returns the link-local address, that of an interface which is down too.
func (t *Table) LinkLocal() netip.Addr { return neighbors.LinkLocal(t.core.Ext) }

// EID returns the mesh-local endpoint identifier, the address that stays when the node moves in the mesh; that of a node which is
// stopped too.
func (t *Table) EID() netip.Addr { return ip6.WithInterfaceID(t.meshLocal, t.iid) }

// RLOC returns the routing locator, the zero Addr if the node has none.
func (t *Table) RLOC() netip.Addr { return t.of(RLOC) }

// LeaderALOC returns the leader's anycast locator if the node is the leader, else the zero Addr.
func (t *Table) LeaderALOC() netip.Addr { return t.of(LeaderALOC) }

func (t *Table) of(o Origin) netip.Addr {
	if i, ok := t.search(o); ok {
		return t.entries[i].addr
	}
	return netip.Addr{}
}

// IsAllThreadNodes reports whether a is a group that all nodes listen to, those that sleep too (Thread 1.1 §5.2.2.3).
func (t *Table) IsAllThreadNodes(a netip.Addr) bool {
	return a == t.allThreadLink || a == t.allThreadRealm
}

// Own reports whether a unicast address is one of this node's.
func (t *Table) Own(a netip.Addr) bool { return has(t.entries, a) }

func has(entries []entry, a netip.Addr) bool {
	for i := range entries {
		if entries[i].addr == a {
			return true
		}
	}
	return false
}

// Add gives the node another unicast address and reports whether it is new. It fails with core.ErrArgument if that is not a unicast
// address beyond the link (RFC 4291 §2.5.2, §2.5.3, §2.5.5.2: neither ::, ::1 nor one of IPv4), or one that the node has by itself, and with core.ErrTableFull if MaxAdded have been added.
func (t *Table) Add(a netip.Addr) (changed bool, err error) {
	first, _ := t.search(Added)
	end, _ := t.search(Added + 1)
	switch {
	case has(t.entries[first:end], a):
		return false, nil
	case !isBeyondLink(a) || t.Own(a):
		return false, core.ErrArgument
	case end-first == MaxAdded:
		return false, core.ErrTableFull
	}
	t.entries = slices.Insert(t.entries, end, entry{addr: a, origin: Added, preferred: true, owner: host})
	return t.list(), nil
}

// isBeyondLink reports whether a is a unicast address that a node can have beyond its link.
func isBeyondLink(a netip.Addr) bool {
	return a.Is6() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast()
}

// Remove undoes Add and reports whether All returns others than before: it does not where the node has come to have the address by itself,
// too. Remove fails with core.ErrNotFound, and with core.ErrArgument for an address that the node has by itself alone.
func (t *Table) Remove(a netip.Addr) (changed bool, err error) {
	i := slices.IndexFunc(t.entries, func(e entry) bool { return e.addr == a && e.owner == host })
	switch {
	case i >= 0:
	case t.Own(a):
		return false, core.ErrArgument
	default:
		return false, core.ErrNotFound
	}
	t.entries = slices.Delete(t.entries, i, i+1)
	return t.list(), nil
}

// Added returns the addresses that Add has given the node, in the order in which they came.
func (t *Table) Added() []netip.Addr {
	var added []netip.Addr
	for i := range t.entries {
		if e := &t.entries[i]; e.origin == Added {
			added = append(added, e.addr)
		}
	}
	return added
}

// ClearAdded undoes every Add. Update must follow.
func (t *Table) ClearAdded() {
	t.entries = slices.DeleteFunc(t.entries, func(e entry) bool { return e.origin == Added })
}
