package netif

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// routeProtocol marks routes as ours among those of the kernel, routing daemons and the administrator (/etc/iproute2/rt_protos has no
	// name for it), so that what a crash has left is found.
	routeProtocol = 109
	// meshMetric is below the kernel's own 256 and 1024: what is in the mesh is reached through it.
	meshMetric = 64

	// longest is a lifetime in seconds of 68 years: what says for ever (RFC 4862 §5.5.3) is no int on all machines.
	longest = math.MaxInt32
)

// link is the device as the kernel's network configuration sees it. It is known by its index: a name can change.
type link struct {
	index int
	name  string
}

func linkByName(name string) (link, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return link{}, fmt.Errorf("netif: %s: %w", name, err)
	}
	return link{index: l.Attrs().Index, name: name}, nil
}

// begin makes the device ready: an MTU of exactly 1280 bytes, no addresses of the kernel's own making, no router solicitations, up.
func (k link) begin() error {
	l, err := netlink.LinkByIndex(k.index)
	if err != nil {
		return k.failed("look at it", err)
	}
	if err := netlink.LinkSetMTU(l, mtu); err != nil {
		return k.failed(fmt.Sprintf("set its MTU to %d", mtu), err)
	}
	const none = 1 // IN6_ADDR_GEN_MODE_NONE
	if err := netlink.LinkSetIP6AddrGenMode(l, none); err != nil {
		return k.failed("turn its own addresses off", err)
	}
	// A kernel with IPv6 disabled for new interfaces, as some images have it, would refuse every address.
	k.sysctl("disable_ipv6", "0")
	k.sysctl("accept_ra", "0") // else it solicits routers for ever; where this may not be written the filter stops them
	if err := netlink.LinkSetUp(l); err != nil {
		return k.failed("bring it up", err)
	}
	return nil
}

func (k link) sysctl(key, value string) {
	_ = os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", k.name, key), []byte(value), 0o644)
}

func (k link) failed(what string, err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("netif: %s: cannot %s: %w: that needs CAP_NET_ADMIN", k.name, what, err)
	}
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("netif: %s: cannot %s: %w: is IPv6 disabled on this host (sysctl net.ipv6.conf.all.disable_ipv6)?", k.name, what, err)
	}
	return fmt.Errorf("netif: %s: cannot %s: %w", k.name, what, err)
}

// apply gives the device what it is to have and takes the rest away: addresses that are of this device and nobody wants, and routes of ours.
func (k link) apply(s settings) error {
	l, err := netlink.LinkByIndex(k.index)
	if err != nil {
		return k.failed("look at it", err)
	}
	var errs []error
	// In reverse: the kernel prefers the address that was added last.
	for _, a := range slices.Backward(s.addresses) {
		if err := netlink.AddrReplace(l, netlinkAddr(a)); err != nil {
			errs = append(errs, k.failed("add the address "+a.String(), err))
		}
	}
	for _, p := range s.routes {
		if err := netlink.RouteReplace(k.route(p)); err != nil {
			errs = append(errs, k.failed("add the route "+p.String(), err))
		}
	}
	return errors.Join(append(errs, k.removeAddresses(l, s), k.removeRoutes(l, s))...)
}

func netlinkAddr(a address) *netlink.Addr {
	n := &netlink.Addr{
		IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(128, 128)},
		Flags: unix.IFA_F_NODAD, // without lifetimes: for ever
	}
	if a.deprecated {
		n.ValidLft, n.PreferedLft = longest, 0
	}
	return n
}

func (k link) route(p netip.Prefix) *netlink.Route {
	return &netlink.Route{
		LinkIndex: k.index, Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 128)},
		Protocol: routeProtocol, Priority: meshMetric, Scope: netlink.SCOPE_UNIVERSE,
	}
}

func (k link) removeAddresses(l netlink.Link, s settings) error {
	have, err := netlink.AddrList(l, netlink.FAMILY_V6)
	if err != nil {
		return k.failed("list its addresses", err)
	}
	var errs []error
	for _, h := range have {
		a, ok := netip.AddrFromSlice(h.IP)
		if !ok || slices.ContainsFunc(s.addresses, func(w address) bool { return w.Addr == a }) {
			continue
		}
		if err := netlink.AddrDel(l, &netlink.Addr{IPNet: h.IPNet}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			errs = append(errs, k.failed("remove the address "+a.String(), err))
		}
	}
	return errors.Join(errs...)
}

func (k link) removeRoutes(l netlink.Link, s settings) error {
	have, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{LinkIndex: k.index, Protocol: routeProtocol},
		netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return k.failed("list its routes", err)
	}
	var errs []error
	for _, h := range have {
		if p, ok := prefixOf(h.Dst); ok && slices.Contains(s.routes, p) {
			continue
		}
		if err := netlink.RouteDel(&h); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, k.failed("remove a route", err))
		}
	}
	return errors.Join(errs...)
}

// prefixOf is the destination of a route; nil is the default route's.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
	}
	a, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a, bits), ok
}

// check looks at a device made beforehand, and returns the commands that make it as it has to be; none where all is well.
func (k link) check(s settings) (commands []string, err error) {
	l, err := netlink.LinkByIndex(k.index)
	if err != nil {
		return nil, k.failed("look at it", err)
	}
	if l.Attrs().MTU != mtu {
		commands = append(commands, fmt.Sprintf("ip link set dev %s mtu %d", k.name, mtu))
	}
	if l.Attrs().Flags&net.FlagUp == 0 {
		commands = append(commands, fmt.Sprintf("ip link set dev %s addrgenmode none", k.name), fmt.Sprintf("ip link set dev %s up", k.name))
	}
	have, err := netlink.AddrList(l, netlink.FAMILY_V6)
	if err != nil {
		return nil, k.failed("list its addresses", err)
	}
	for _, want := range s.addresses {
		if !want.deprecated && !slices.ContainsFunc(have, func(h netlink.Addr) bool { return h.IP.Equal(want.AsSlice()) }) {
			commands = append(commands, fmt.Sprintf("ip -6 address replace %v/128 dev %s nodad", want.Addr, k.name))
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{LinkIndex: k.index}, netlink.RT_FILTER_OIF)
	if err != nil {
		return nil, k.failed("list its routes", err)
	}
	for _, want := range s.routes {
		has := func(r netlink.Route) bool { p, ok := prefixOf(r.Dst); return ok && p == want }
		if !slices.ContainsFunc(routes, has) {
			commands = append(commands, fmt.Sprintf("ip -6 route replace %v dev %s metric %d", want, k.name, meshMetric))
		}
	}
	return commands, nil
}

// lost reports whether the device is up but has not what it is to have.
func (k link) lost(s settings) bool {
	l, err := netlink.LinkByIndex(k.index)
	if err != nil || l.Attrs().Flags&net.FlagUp == 0 {
		return false
	}
	commands, err := k.check(s)
	return err == nil && len(commands) > 0
}

// missing is the error for a device that lacks something.
func (k link) missing(commands []string) error {
	return fmt.Errorf("netif: %s is not ready: as root:\n  %s", k.name, strings.Join(commands, "\n  "))
}

// watch calls changed whenever the device comes up or has another MTU than ours, and gone when it is removed, until stop is closed.
func (k link) watch(stop <-chan struct{}, changed, gone func()) error {
	updates := make(chan netlink.LinkUpdate)
	failed := func(error) {} // a receive buffer that ran over: the next update is as good
	if err := netlink.LinkSubscribeWithOptions(updates, stop, netlink.LinkSubscribeOptions{ErrorCallback: failed}); err != nil {
		return k.failed("watch it", err)
	}
	go func() {
		up := true
		for u := range updates {
			if u.Attrs().Index != k.index {
				continue
			}
			if u.Header.Type == unix.RTM_DELLINK {
				gone()
				continue
			}
			now := u.Attrs().Flags&net.FlagUp != 0
			if now && (!up || u.Attrs().MTU != mtu) { // the kernel has forgotten the addresses
				changed()
			}
			up = now
		}
	}()
	return nil
}

// upstream reports whether the host has a default route for IPv6 that is not through the mesh, or in particular through an interface.
func upstream(except int, through string) (bool, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, fmt.Errorf("netif: list the host's routes: %w", err)
	}
	for _, r := range routes {
		p, ok := prefixOf(r.Dst)
		if !ok || p.Bits() != 0 || r.Type == unix.RTN_UNREACHABLE || r.Type == unix.RTN_PROHIBIT || r.Type == unix.RTN_BLACKHOLE {
			continue
		}
		if slices.ContainsFunc(hops(r), func(index int) bool { return usable(index, except, through) }) {
			return true, nil
		}
	}
	return false, nil
}

// hops are the interfaces that a route leads through.
func hops(r netlink.Route) []int {
	if len(r.MultiPath) == 0 {
		return []int{r.LinkIndex}
	}
	var all []int
	for _, h := range r.MultiPath {
		all = append(all, h.LinkIndex)
	}
	return all
}

func usable(index, except int, through string) bool {
	if index == except {
		return false
	}
	l, err := netlink.LinkByIndex(index)
	if err != nil || l.Attrs().Flags&net.FlagUp == 0 {
		return false
	}
	return through == "" || l.Attrs().Name == through
}
