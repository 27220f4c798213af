package pymesh

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// Preference ranks border routers of one prefix.
type Preference int8

// The preferences.
const (
	Low    Preference = -1
	Normal Preference = 0
	High   Preference = 1
)

// String returns the name of the preference in lower case.
func (p Preference) String() string {
	switch p {
	case Low:
		return "low"
	case Normal:
		return "normal"
	case High:
		return "high"
	}
	return fmt.Sprintf("Preference(%d)", int8(p))
}

// BorderRouter is a prefix that this node serves.
type BorderRouter struct {
	Prefix     netip.Prefix
	Preference Preference
}

// MaxBorderRouters is how many prefixes one node serves. A node has addresses in four prefixes of its mesh at most. (The firmware lists
// two.)
const MaxBorderRouters = 4

// Border router prefixes have Pymesh's flags: preferred, SLAAC, default route, on-mesh, stable.
const borderRouterFlags = netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh

// BorderRouter makes this node a border router: all nodes of the mesh get an address in prefix, a random one that each has again whenever
// it comes back, and what they send from it to addresses outside the mesh comes to this node, see [Node.OnForward]. Of several border
// routers with one prefix the one with the highest preference gets it, of equals the nearest; when one is lost, another takes over.
//
// The prefix is a /64 of IPv6 unicast addresses that nobody else has: a part of what the uplink has delegated to this host, or one of
// fd00::/8 at random. Nodes hear of it within seconds, once this node is part of the mesh; if the mesh has no place for it,
// [EventRegistrationRefused] comes out of [Node.Events]. It holds until [Node.RemoveBorderRouter] or Close; a node that is made again
// says it again. An error says what is accepted.
func (n *Node) BorderRouter(prefix netip.Prefix, preference Preference) error {
	if err := checkBorderRouter(prefix, preference); err != nil {
		return fmt.Errorf("pymesh: BorderRouter: %w", err)
	}
	err := ErrClosed
	n.run.Do(func(now time.Time) { err = n.addBorderRouter(now, prefix, preference, borderRouterFlags, false) })
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: BorderRouter: %w", err)
	}
	return err
}

func checkBorderRouter(p netip.Prefix, preference Preference) error {
	const slaac = 64 // bits of a prefix from which nodes take addresses themselves
	switch a := p.Addr(); {
	case !p.IsValid() || !isIPv6(a):
		return fmt.Errorf("%v is not an IPv6 prefix such as 2001:db8:1:2::/64", p)
	case p.Bits() != slaac:
		return fmt.Errorf("%v is not a /64: nodes choose the other 64 bits of their addresses", p)
	case p != p.Masked():
		return fmt.Errorf("%v has bits beyond its length: %v is accepted", p, p.Masked())
	case a.IsMulticast():
		return fmt.Errorf("%v is multicast: a prefix of unicast addresses is accepted", p)
	case a.IsLinkLocalUnicast():
		return fmt.Errorf("%v is link-local: a prefix that is valid beyond a link is accepted", p)
	case a.IsUnspecified() || a.IsLoopback():
		return fmt.Errorf("%v is not a prefix of unicast addresses", p)
	case preference < Low || preference > High:
		return fmt.Errorf("preference %d is not in %d to %d", int8(preference), Low, High)
	}
	return nil
}

// addBorderRouter is the part that knows the node; the runner's.
func (n *Node) addBorderRouter(now time.Time, prefix netip.Prefix, preference Preference, flags netdata.BorderRouterFlags, change bool) error {
	if meshLocal := n.engine.Network().MeshLocalPrefix; meshLocal.Overlaps(prefix) {
		return fmt.Errorf("%v is the mesh-local prefix, which every node has: another one is accepted", prefix)
	}
	have := n.engine.Prefixes()
	for _, p := range have {
		if p.Prefix == prefix {
			if change {
				return n.changeBorderRouter(now, p, preference, flags)
			}
			return fmt.Errorf("%v is there already, with preference %v: RemoveBorderRouter goes before a change", prefix, Preference(p.Preference))
		}
	}
	if len(have) >= MaxBorderRouters {
		return fmt.Errorf("this node serves %d prefixes, which is the most: RemoveBorderRouter goes before another", len(have))
	}
	err := n.engine.AddPrefix(thread.OnMeshPrefix{
		Prefix: prefix, Preference: netdata.Preference(preference), Flags: flags, Stable: true,
	})
	if errors.Is(err, thread.ErrTableFull) {
		return errors.New("all that this node offers would take more than the 254 bytes of network data")
	}
	if err == nil {
		n.registerNetworkData(now)
	}
	return err
}

// changeBorderRouter replaces a prefix that this node serves.
func (n *Node) changeBorderRouter(now time.Time, p thread.OnMeshPrefix, preference Preference, flags netdata.BorderRouterFlags) error {
	if Preference(p.Preference) == preference && p.Flags == flags {
		return nil
	}
	if err := n.engine.RemovePrefix(p.Prefix); err != nil {
		return err
	}
	p.Preference, p.Flags = netdata.Preference(preference), flags
	if err := n.engine.AddPrefix(p); err != nil {
		return err
	}
	n.registerNetworkData(now)
	return nil
}

// registerNetworkData tells the mesh. Where that has to wait, it is done by itself.
func (n *Node) registerNetworkData(now time.Time) { _ = n.engine.RegisterNetworkData(now) }

// BorderRouters returns the prefixes that this node serves, in the order in which they came.
func (n *Node) BorderRouters() []BorderRouter {
	return get(n, func(e *thread.Engine) (list []BorderRouter) {
		for _, p := range e.Prefixes() {
			list = append(list, BorderRouter{p.Prefix, Preference(p.Preference)})
		}
		return list
	})
}

// RemoveBorderRouter undoes [Node.BorderRouter]. All nodes lose their addresses in the prefix, unless another border router serves it.
func (n *Node) RemoveBorderRouter(prefix netip.Prefix) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		if err = n.engine.RemovePrefix(prefix); err == nil {
			n.registerNetworkData(now)
		}
	})
	if errors.Is(err, thread.ErrNotFound) {
		return fmt.Errorf("pymesh: RemoveBorderRouter: this node does not serve %v: %w", prefix, err)
	}
	return err
}

// MeshBorderRouter is a border router of the mesh.
type MeshBorderRouter struct {
	Prefix     netip.Prefix
	Preference Preference
	RLOC16     RLOC16
}

// String returns it in one line.
func (b MeshBorderRouter) String() string {
	return fmt.Sprintf("%v at %v, preference %v", b.Prefix, b.RLOC16, b.Preference)
}

// MeshBorderRouters returns all border routers of the mesh that this node knows of, itself among them: one entry for each prefix that each of them
// serves.
func (n *Node) MeshBorderRouters() []MeshBorderRouter { return get(n, meshBorderRouters) }

func meshBorderRouters(e *thread.Engine) (list []MeshBorderRouter) {
	for t := range netdata.All(e.NetworkData()) {
		p, err := netdata.ParsePrefix(t.Value)
		if t.Type != netdata.TypePrefix || err != nil {
			continue
		}
		for sub := range netdata.All(p.SubTLVs) {
			routers, err := netdata.ParseBorderRouters(sub.Value)
			if sub.Type != netdata.TypeBorderRouter || err != nil {
				continue
			}
			for r := range routers.All() {
				list = append(list, MeshBorderRouter{p.Prefix, Preference(r.Preference), RLOC16(r.RLOC16)})
			}
		}
	}
	return list
}
