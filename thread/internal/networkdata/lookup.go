package networkdata

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// Costs knows what it costs to reach a node.
type Costs interface {
	// CostTo returns the cost of the way to a node, 0 to this one, and false if there is none.
	CostTo(server mle.RLOC16) (int, bool)
}

// route is a way out of the mesh by a server.
type route struct {
	source     netip.Prefix // that a datagram must come from; the zero Prefix: any prefix of the domain
	prefix     netip.Prefix // that it must go to
	domain     uint8
	preference netdata.Preference
	server     mle.RLOC16
}

// An offer is a server of a service, or a DHCPv6 agent.
type offer struct {
	aloc   mle.RLOC16
	server mle.RLOC16
}

// A ManagedPrefix is a prefix of the mesh from which nodes have addresses.
type ManagedPrefix struct {
	Prefix    netip.Prefix
	Preferred bool       // addresses are preferred ones
	Stable    bool       // the entry is
	Server    mle.RLOC16 // of the first entry
}

// index is what is looked up in the data, in forms that need no parsing. It is made anew with each version.
type index struct {
	onMesh []netip.Prefix // with border routers
	known  []knownPrefix
	routes []route
	offers []offer
	slaac  []ManagedPrefix // without duplicates
	dhcp   []ManagedPrefix
}

type knownPrefix struct {
	prefix netip.Prefix
	domain uint8
}

var anywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)

// index makes the index anew.
func (d *Data) index() {
	d.watchContexts()
	x := &d.indexed
	*x = index{onMesh: x.onMesh[:0], known: x.known[:0], routes: x.routes[:0], offers: x.offers[:0], slaac: x.slaac[:0], dhcp: x.dhcp[:0]}
	for t := range netdata.All(d.tlvs) {
		switch t.Type {
		case netdata.TypePrefix:
			if p, err := netdata.ParsePrefix(t.Value); err == nil {
				x.known = append(x.known, knownPrefix{p.Prefix, p.DomainID})
				x.addAgents(p)
			}
		case netdata.TypeService:
			if s, err := netdata.ParseService(t.Value); err == nil {
				x.addServers(s)
			}
		}
	}
	for server, e := range All(d.tlvs) {
		switch e.Kind {
		case ExternalRoute:
			x.routes = append(x.routes, route{prefix: e.Prefix, domain: e.DomainID, preference: e.Preference, server: server})
		case OnMeshPrefix:
			x.addOnMesh(&e, server)
		}
	}
}

func (x *index) addOnMesh(e *Entry, server mle.RLOC16) {
	if !slices.Contains(x.onMesh, e.Prefix) {
		x.onMesh = append(x.onMesh, e.Prefix)
	}
	if e.Flags.Has(netdata.FlagDefaultRoute) {
		x.routes = append(x.routes, route{
			source: e.Prefix, prefix: anywhere, domain: e.DomainID, preference: e.Preference, server: server,
		})
	}
	managed := ManagedPrefix{e.Prefix, e.Flags.Has(netdata.FlagPreferred), e.Stable, server}
	if e.Flags.Has(netdata.FlagSLAAC) {
		x.slaac = addManaged(x.slaac, managed)
	}
	if e.Flags.Has(netdata.FlagDHCP) {
		x.dhcp = addManaged(x.dhcp, managed)
	}
}

func addManaged(list []ManagedPrefix, p ManagedPrefix) []ManagedPrefix {
	if i := slices.IndexFunc(list, func(o ManagedPrefix) bool { return o.Prefix == p.Prefix }); i >= 0 {
		list[i].Preferred = list[i].Preferred || p.Preferred
		list[i].Stable = list[i].Stable || p.Stable
		return list
	}
	return append(list, p)
}

// addAgents notes the DHCPv6 agents of a prefix, whose anycast locator its context names.
func (x *index) addAgents(p netdata.Prefix) {
	aloc := mle.InvalidRLOC16
	for sub := range netdata.All(p.SubTLVs) {
		if c, err := netdata.ParseContextTLV(sub.Value); sub.Type == netdata.TypeContext && err == nil && c.ID >= minContextID {
			aloc = mle.ALOCDHCPv6AgentFirst + mle.RLOC16(c.ID) - minContextID
		}
	}
	if aloc == mle.InvalidRLOC16 {
		return
	}
	for sub := range netdata.All(p.SubTLVs) {
		if sub.Type != netdata.TypeBorderRouter {
			continue
		}
		routers, _ := netdata.ParseBorderRouters(sub.Value)
		for r := range routers.All() {
			if r.Flags&(netdata.FlagDHCP|netdata.FlagConfigure) != 0 {
				x.offers = append(x.offers, offer{aloc, r.RLOC16})
			}
		}
	}
}

func (x *index) addServers(s netdata.Service) {
	for sub := range netdata.All(s.SubTLVs) {
		if server, err := netdata.ParseServer(sub.Value); sub.Type == netdata.TypeServer && err == nil {
			x.offers = append(x.offers, offer{mle.ALOCServiceFirst + mle.RLOC16(s.ID), server.RLOC16})
		}
	}
}

// OnMesh reports whether an address has a prefix of the mesh, other than the mesh-local one.
func (d *Data) OnMesh(a netip.Addr) bool {
	for _, p := range d.indexed.onMesh {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// SLAAC and DHCP return the prefixes from which nodes take addresses themselves, or get them. They are not to be changed, nor to be kept
// beyond the next version.
func (d *Data) SLAAC() []ManagedPrefix { return d.indexed.slaac }

// DHCP returns the prefixes from which nodes get addresses by DHCPv6.
func (d *Data) DHCP() []ManagedPrefix { return d.indexed.dhcp }

// Agents yields the DHCPv6 agents of prefixes, in the order of the data.
func (d *Data) Agents() iter.Seq2[mle.RLOC16, netip.Prefix] {
	return func(yield func(mle.RLOC16, netip.Prefix) bool) {
		for server, e := range All(d.tlvs) {
			if e.Kind == OnMeshPrefix && e.Flags.Has(netdata.FlagDHCP) && !yield(server, e.Prefix) {
				return
			}
		}
	}
}

// OffersOf calls add for each anycast locator that a server has by what it offers: services, DHCPv6.
func (d *Data) OffersOf(server mle.RLOC16, add func(aloc mle.RLOC16)) {
	for _, o := range d.indexed.offers {
		if o.server == server {
			add(o.aloc)
		}
	}
}

// Has reports whether a server has entries in the data.
func (d *Data) Has(server mle.RLOC16) bool {
	for rloc := range All(d.tlvs) {
		if rloc == server {
			return true
		}
	}
	return false
}

// Nearest returns the server that is reached at the least cost of those with an anycast locator; of several the one with the lowest RLOC16.
func (d *Data) Nearest(aloc mle.RLOC16, c Costs) (mle.RLOC16, bool) {
	best, least := mle.InvalidRLOC16, 0
	for _, o := range d.indexed.offers {
		if o.aloc != aloc {
			continue
		}
		cost, ok := c.CostTo(o.server)
		if ok && (best == mle.InvalidRLOC16 || cost < least || cost == least && o.server < best) {
			best, least = o.server, cost
		}
	}
	return best, best != mle.InvalidRLOC16
}

// Route returns the server by which a datagram leaves the mesh (Thread 1.1 §5.10): of the routes to its destination that its source may use,
// the one to the longest prefix, a default route being one to a prefix of no length; of several the preferred one, of those the nearest,
// of those the one with the lowest RLOC16. Servers out of reach do not count.
//
// Deviation: OpenThread takes a server that it cannot reach if it is preferred, or the first.
func (d *Data) Route(src, dst netip.Addr, c Costs) (mle.RLOC16, bool) {
	var best *route
	least := 0
	for i := range d.indexed.routes {
		r := &d.indexed.routes[i]
		if !d.serves(r, src, dst) {
			continue
		}
		cost, ok := c.CostTo(r.server)
		if ok && (best == nil || r.better(best, cost, least)) {
			best, least = r, cost
		}
	}
	if best == nil {
		return mle.InvalidRLOC16, false
	}
	return best.server, true
}

// better reports whether r, at a cost, goes before another at another cost.
func (r *route) better(o *route, cost, otherCost int) bool {
	return cmp.Or(
		cmp.Compare(r.prefix.Bits(), o.prefix.Bits()), cmp.Compare(r.preference, o.preference),
		cmp.Compare(otherCost, cost), cmp.Compare(o.server, r.server),
	) > 0
}

// Serves reports whether a server lets a datagram out of the mesh, be it the best to do it or not.
func (d *Data) Serves(server mle.RLOC16, src, dst netip.Addr) bool {
	for i := range d.indexed.routes {
		if r := &d.indexed.routes[i]; r.server == server && d.serves(r, src, dst) {
			return true
		}
	}
	return false
}

// serves reports whether a route leads to dst, and is for a source like src: one in the prefix of a default router, or in any of the domain.
func (d *Data) serves(r *route, src, dst netip.Addr) bool {
	if !r.prefix.Contains(dst) {
		return false
	}
	if r.source.IsValid() {
		return r.source.Contains(src)
	}
	for _, k := range d.indexed.known {
		if k.domain == r.domain && k.prefix.Contains(src) {
			return true
		}
	}
	return false
}
