package netif

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh"
)

// look finds out which addresses the host is to have.
func (i *Interface) look() (changed bool) {
	own, eid, meshLocal := i.node.IPAddrs(), i.node.MeshLocalEID(), i.node.Network().MeshLocalPrefix
	set := settings{routes: []netip.Prefix{meshLocal}}
	for _, a := range own {
		switch {
		case a == eid:
			set.addresses = append(set.addresses, address{a, false})
		case locator(a, meshLocal):
			if i.opt.RLOC && !anycast(a) {
				set.addresses = append(set.addresses, address{a, true})
			}
		case a.IsLinkLocalUnicast():
			if i.opt.LinkScope {
				set.addresses = append(set.addresses, address{a, false})
			}
		default: // in an on-mesh prefix: what the outside can answer to comes first
			set.addresses = slices.Insert(set.addresses, 0, address{a, false})
			if p, err := a.Prefix(64); err == nil && !slices.Contains(set.routes, p) {
				set.routes = append(set.routes, p)
			}
		}
	}
	if i.fence != nil && !slices.Contains(set.routes, i.fence.prefix) {
		set.routes = append(set.routes, i.fence.prefix)
	}
	for _, p := range i.opt.Routes {
		if !slices.Contains(set.routes, p) {
			set.routes = append(set.routes, p)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	changed = !set.equal(i.set)
	i.own, i.eid, i.set = own, eid, set
	return changed
}

// locator reports whether an address names a place in the mesh rather than a node (Thread 1.1 §5.2.2: interface identifier 0:ff:fe00:…).
func locator(a netip.Addr, meshLocal netip.Prefix) bool {
	b := a.As16()
	return meshLocal.Contains(a) && [6]byte(b[8:14]) == [6]byte{0, 0, 0, 0xff, 0xfe, 0}
}

// anycast reports whether a locator is that of a service (Thread 1.1 §5.2.2.2: fc00 and above).
func anycast(a netip.Addr) bool { return a.As16()[14] >= 0xfc }

// follow keeps the host's settings in step with the node, and the node's with the host's uplink.
func (i *Interface) follow(events <-chan pymesh.Event) {
	const lookEvery = 5 * time.Second
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		force := false
		select {
		case <-i.ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				if i.ctx.Err() == nil {
					i.fail(pymesh.ErrClosed)
				}
				return
			}
		case <-i.resync:
			force = true
			i.log.Info("the interface has changed")
			if err := i.restore(); err != nil && i.ctx.Err() == nil {
				i.log.Warn("the interface", "err", err)
			}
		case <-tick.C:
			if i.fence != nil {
				if err := i.publish(); err != nil {
					i.log.Warn("border router", "err", err)
				}
			}
			force = i.lost() // what no event of the link tells of, such as a flush of its addresses
		}
		if !i.look() && !force {
			continue
		}
		i.settle()
	}
}

// lost reports whether somebody has taken from the device what it is to have.
func (i *Interface) lost() bool {
	i.mu.Lock()
	set := i.set
	i.mu.Unlock()
	return !i.fixed && i.kernel.lost(set)
}

// restore makes the device ready once more: with an MTU that was too small, or with IPv6 turned off for a moment, the kernel has forgotten all
// about IPv6 on it.
func (i *Interface) restore() error {
	if i.fixed {
		return nil
	}
	return i.kernel.begin()
}

// settle brings the device in step.
func (i *Interface) settle() {
	i.mu.Lock()
	set := i.set
	i.mu.Unlock()
	if i.fixed {
		if commands, err := i.kernel.check(set); err != nil || len(commands) > 0 {
			i.log.Warn("the interface is not as the mesh has it", "err", cmp.Or(err, i.kernel.missing(commands)))
		}
		return
	}
	i.log.Info("addresses", "addresses", set.addresses, "routes", set.routes)
	if err := i.kernel.apply(set); err != nil && i.ctx.Err() == nil {
		i.log.Warn("addresses and routes", "err", err)
	}
}

// publish tells the mesh of the prefix, as the way out only while there is one: nodes then get an error at once in place of silence.
func (i *Interface) publish() error {
	up, err := i.kernel.hasUplink(i.opt.BorderRouter.Uplink)
	if err != nil {
		return err
	}
	return i.node.OnMeshPrefix(i.fence.prefix, i.opt.BorderRouter.Preference, up)
}
