package netif

import (
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// writeHost gives the host a packet. i.mu is held.
func (i *Interface) writeHost(b []byte) {
	v := Passed
	if _, err := i.dev.Write(b); err != nil {
		v = HostFailed // it is down, or has no room
	} else {
		i.given.note(b)
	}
	i.toHost.add(v, len(b))
}

// undeliverable tells the host's program that nobody in the mesh has found a destination: with the packet that it was, where it is still
// known. i.mu is held.
func (i *Interface) undeliverable(dst netip.Addr, code uint8) {
	for at, b := range slices.Backward(i.recent) {
		p, ok := parse(b)
		if !ok || p.Dst != dst {
			continue
		}
		i.recent = slices.Delete(i.recent, at, at+1)
		if message, ok := appendError(nil, i.eid, &p, ip6.ICMPv6DestinationUnreachable, code); ok && i.errs.allow(i.clock.Now(), dst) {
			i.writeHost(message)
		}
		return
	}
}

// unreachableWhole is the least of an ICMPv6 error by which a host finds the socket: four bytes, a header, and the ports.
const unreachableWhole = 4 + ip6.HeaderSize + 8

// fromMesh gives the host a packet that is for it.
func (i *Interface) fromMesh(b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := parse(b)
	switch {
	case !ok:
		i.toHost.add(Malformed, len(b))
	case p.Protocol == ip6.ProtocolICMPv6 && p.icmp.Type == ip6.ICMPv6DestinationUnreachable && len(p.icmp.Body) < unreachableWhole:
		i.toHost.add(Passed, len(b))
		const address = 3
		if about, err := ip6.ParseDestinationUnreachable(p.icmp.Body); err == nil {
			if h, err := ip6.ParseHeader(about); err == nil {
				i.undeliverable(h.Dst, address)
			}
		}
	case locator(p.Dst, i.set.routes[0]) && !i.opt.RLOC:
		i.toHost.add(Scope, len(b)) // the kernel does not have that address
	default:
		i.writeHost(b)
	}
}

// fromMeshOut lets a packet of the mesh out to where the host's routes lead.
func (i *Interface) fromMeshOut(f pymesh.Forwarded) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.clock.Now()
	p, ok := parse(f.Packet)
	if !ok {
		i.toHost.add(Malformed, len(f.Packet))
		return
	}
	v := i.fence.outward(now, &p, i.opt.BorderRouter.Sites)
	if v == Passed {
		i.writeHost(f.Packet)
		return
	}
	i.toHost.add(v, len(f.Packet))
	if t, code, ok := errorOf(v); ok && i.errs.allow(now, p.Dst) {
		i.tellMesh(&p, t, code)
	}
}

// tellMesh sends an ICMPv6 error to a node of the mesh: with as much of the packet as tells whose it was, which is one frame.
func (i *Interface) tellMesh(p *packet, t ip6.ICMPv6Type, code uint8) {
	const enough = ip6.HeaderSize + 8 // the ports, or the identifier of an echo
	about := *p
	about.Bytes = p.Bytes[:min(len(p.Bytes), enough)]
	message, ok := appendError(nil, i.eid, &about, t, code)
	if !ok {
		return
	}
	if v, _ := i.queue.put(i.clock.Now(), waiting{data: message, cost: i.cost(len(message))}); v != Passed {
		i.toMesh.add(v, len(message))
		return
	}
	signal(i.wake)
}
