package addresses

import (
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// prefixMulticast is the unicast-prefix-based multicast address of all Thread nodes (RFC 3306).
func prefixMulticast(scope ip6.Scope, prefix netip.Prefix) netip.Addr {
	const prefixBased = 0x30 // flags P and T
	p := prefix.Addr().As16()
	a := [16]byte{0: 0xff, 1: prefixBased | byte(scope), 3: byte(prefix.Bits()), 15: 1}
	copy(a[4:12], p[:8])
	return netip.AddrFrom16(a)
}

// Subscribed reports whether this node listens to a multicast address.
func (t *Table) Subscribed(a netip.Addr) bool { return t.IsOwnGroup(a) || has(t.groups, a) }

// IsOwnGroup reports whether this node listens to a multicast address by itself, as all of its kind do.
func (t *Table) IsOwnGroup(a netip.Addr) bool {
	switch a {
	case ip6.LinkLocalAllNodes, ip6.RealmLocalAllNodes, ip6.AllMPLForwarders:
		return true
	case t.allThreadLink, t.allThreadRealm:
		return t.state.Enabled
	case ip6.LinkLocalAllRouters, ip6.RealmLocalAllRouters:
		return t.state.Attached && t.state.FullThreadDevice
	}
	return false
}

// Subscribe makes the node listen to a multicast address until Unsubscribe has been called as often: each of those who listen has
// the group as long as it wants it. It fails with core.ErrArgument for another address, and with core.ErrTableFull if the node listens to
// MaxGroups others already.
func (t *Table) Subscribe(group netip.Addr) error {
	i := t.group(group)
	switch {
	case i >= 0:
		t.groups[i].users++
	case !group.IsMulticast() || group.Is4() || group.Is4In6() || group.Zone() != "":
		return core.ErrArgument
	case len(t.groups) == MaxGroups:
		return core.ErrTableFull
	default:
		t.groups = append(t.groups, entry{addr: group, origin: Added, owner: host, users: 1})
	}
	return nil
}

// Unsubscribe undoes one Subscribe.
func (t *Table) Unsubscribe(group netip.Addr) {
	i := t.group(group)
	if i < 0 {
		return
	}
	if t.groups[i].users--; t.groups[i].users == 0 {
		t.groups = slices.Delete(t.groups, i, i+1)
	}
}

func (t *Table) group(a netip.Addr) int {
	return slices.IndexFunc(t.groups, func(e entry) bool { return e.addr == a })
}

// Groups returns the multicast addresses to which this node listens: those subscribed, the latest first, and those that all Thread
// nodes have. There are none while the interface is down.
func (t *Table) Groups() []netip.Addr {
	if !t.state.Up {
		return nil
	}
	var list []netip.Addr
	for _, e := range slices.Backward(t.groups) {
		list = append(list, e.addr)
	}
	for _, a := range [...]netip.Addr{
		t.allThreadRealm, t.allThreadLink, ip6.LinkLocalAllRouters, ip6.RealmLocalAllRouters,
		ip6.LinkLocalAllNodes, ip6.RealmLocalAllNodes, ip6.AllMPLForwarders,
	} {
		if t.Subscribed(a) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
