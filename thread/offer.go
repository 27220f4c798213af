package thread

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// offers is the part of the engine by which the host offers something to the partition. It is not stored: a program that starts again
// offers it again.
type offers struct{ e *Engine }

// OnMeshPrefix is a prefix from which the nodes of a partition have addresses, by this node (Thread 1.1 §5.18.3).
type OnMeshPrefix struct {
	Prefix     netip.Prefix
	Preference netdata.Preference // of the default route
	Flags      netdata.BorderRouterFlags
	Stable     bool // it will last: children that want the stable network data alone hear of it, too
}

// ExternalRoute is a prefix outside of the mesh that is reached by this node (Thread 1.1 §5.18.1).
type ExternalRoute struct {
	Prefix     netip.Prefix
	Preference netdata.Preference
	Stable     bool
}

// Service is something that this node serves (Thread 1.1 §5.18.6). Enterprise and Data name it; nodes reach a server by the anycast locator
// that goes with the ID which the leader gives it.
type Service struct {
	Enterprise uint32 // IANA's private enterprise number of who has defined it
	Data       []byte
	ServerData []byte // what the server tells of itself
	Stable     bool
}

// AddPrefix offers a prefix, in place of an earlier offer for the same. Nobody hears of it before RegisterNetworkData. It fails with
// ErrArgument for what is no IPv6 prefix, or the mesh-local one, and with ErrTableFull if all that the node offers is more than network
// data can hold, 254 bytes.
func (o offers) AddPrefix(p OnMeshPrefix) error {
	if err := o.e.checkPrefix(p.Prefix); err != nil {
		return err
	}
	if o.e.addresses.Prefix().Overlaps(p.Prefix) && p.Prefix.Bits() >= o.e.addresses.Prefix().Bits() {
		return fmt.Errorf("%w: %v is in the mesh-local prefix", ErrArgument, p.Prefix)
	}
	return o.e.local.Set(networkdata.Entry{
		Kind: networkdata.OnMeshPrefix, Prefix: p.Prefix.Masked(), Preference: p.Preference, Flags: p.Flags, Stable: p.Stable,
	})
}

func (o offers) checkPrefix(p netip.Prefix) error {
	if !p.IsValid() || !p.Addr().Is6() || p.Addr().Is4In6() {
		return fmt.Errorf("%w: %v is no IPv6 prefix", ErrArgument, p)
	}
	return nil
}

// RemovePrefix takes back AddPrefix, once RegisterNetworkData follows. It fails with ErrNotFound.
func (o offers) RemovePrefix(p netip.Prefix) error {
	return o.e.local.Remove(networkdata.Entry{Kind: networkdata.OnMeshPrefix, Prefix: p.Masked()})
}

// Prefixes returns the prefixes that this node offers, in the order in which they came.
func (o offers) Prefixes() []OnMeshPrefix {
	var list []OnMeshPrefix
	for _, o := range o.e.local.Entries() {
		if o.Kind == networkdata.OnMeshPrefix {
			list = append(list, OnMeshPrefix{Prefix: o.Prefix, Preference: o.Preference, Flags: o.Flags, Stable: o.Stable})
		}
	}
	return list
}

// AddRoute offers a route, in place of an earlier offer for the same prefix. It fails as AddPrefix does.
func (o offers) AddRoute(r ExternalRoute) error {
	if err := o.e.checkPrefix(r.Prefix); err != nil {
		return err
	}
	return o.e.local.Set(networkdata.Entry{
		Kind: networkdata.ExternalRoute, Prefix: r.Prefix.Masked(), Preference: r.Preference, Stable: r.Stable,
	})
}

// RemoveRoute takes back AddRoute, once RegisterNetworkData follows. It fails with ErrNotFound.
func (o offers) RemoveRoute(p netip.Prefix) error {
	return o.e.local.Remove(networkdata.Entry{Kind: networkdata.ExternalRoute, Prefix: p.Masked()})
}

// ExternalRoutes returns the routes that this node offers, in the order in which they came.
func (o offers) ExternalRoutes() []ExternalRoute {
	var list []ExternalRoute
	for _, o := range o.e.local.Entries() {
		if o.Kind == networkdata.ExternalRoute {
			list = append(list, ExternalRoute{Prefix: o.Prefix, Preference: o.Preference, Stable: o.Stable})
		}
	}
	return list
}

// AddService offers a service, in place of an earlier offer of the same. It fails with ErrTableFull as AddPrefix does.
func (o offers) AddService(s Service) error {
	return o.e.local.Set(networkdata.Entry{
		Kind: networkdata.Service, Enterprise: s.Enterprise, ServiceData: string(s.Data), ServerData: string(s.ServerData), Stable: s.Stable,
	})
}

// RemoveService takes back AddService, once RegisterNetworkData follows. It fails with ErrNotFound.
func (o offers) RemoveService(enterprise uint32, data []byte) error {
	return o.e.local.Remove(networkdata.Entry{Kind: networkdata.Service, Enterprise: enterprise, ServiceData: string(data)})
}

// RegisterNetworkData tells the leader of what this node offers now. From then on it is told again whenever it has to be: after a change of
// place, leader or partition, and if it does not answer. It fails with ErrState where the first time has to wait, until the node is attached
// or has become a router; that happens by itself. If the leader has no place for it, EventRegistrationRefused follows.
func (o offers) RegisterNetworkData(now time.Time) error {
	o.e.Advance(now)
	err := o.e.registrar.register()
	o.e.settle()
	return err
}

// Registered reports whether the network data have all that this node offers, and nothing that it does not offer any more.
func (o offers) Registered() bool {
	return o.e.attached() && !o.e.netData.Outdated() && o.e.registrar.settled()
}

// NetworkData returns the network data of the partition as far as this node knows them, in the form of package netdata.
func (o offers) NetworkData() []byte { return append([]byte(nil), o.e.netData.TLVs()...) }

// ContextReuseDelay returns how long the leader keeps the ID of a 6LoWPAN context from others whose prefix nobody offers any more.
func (o offers) ContextReuseDelay() time.Duration { return o.e.netData.ReuseDelay }

// SetContextReuseDelay changes it: 48 hours, if it is not changed (Thread 1.1 §5.18.6).
func (o offers) SetContextReuseDelay(d time.Duration) {
	o.e.netData.ReuseDelay = max(d, 0)
	o.e.keepDeadline()
}
