package netif

import (
	"net/netip"
	"slices"
	"time"
)

// ula is where addresses are local to a site (RFC 4193 §3.1): fc00::/7.
var ula = netip.MustParsePrefix("fc00::/7")

// fence decides what passes between the mesh and the outside by a border router: what the mesh has begun, and what a rule allows.
type fence struct {
	prefix    netip.Prefix // of the border router
	meshLocal netip.Prefix
	rules     []Rule
	tcp       bool

	flows flows
}

// outward says whether a packet of the mesh may go outside. Nothing leaves from an address that a host outside cannot answer, or to one that
// is not outside.
func (f *fence) outward(now time.Time, p *packet, local bool) Verdict {
	switch {
	case p.HopLimit <= 1:
		return HopLimit
	case p.Dst.IsMulticast() || p.Dst.IsLinkLocalUnicast() || p.Dst.IsUnspecified() || p.Dst.IsLoopback():
		return Scope
	case f.meshLocal.Contains(p.Dst) || f.prefix.Contains(p.Dst):
		return NoRoute
	case ula.Contains(p.Dst) && !local: // somebody else's site
		return NoRoute
	case !f.prefix.Contains(p.Src):
		return Spoofed
	}
	if v, ok := p.chatter(); ok {
		return v
	}
	f.flows.out(now, p)
	return Passed
}

// inward says whether a packet from outside may go into the mesh.
func (f *fence) inward(now time.Time, p *packet) Verdict {
	if v, ok := p.chatter(); ok {
		return v
	}
	switch {
	case p.Src.IsMulticast() || p.Src.IsUnspecified() || p.Src.IsLoopback() || p.Src.IsLinkLocalUnicast() ||
		f.meshLocal.Contains(p.Src) || f.prefix.Contains(p.Src):
		return Spoofed
	case p.Dst.IsMulticast() || !f.prefix.Contains(p.Dst):
		return Scope
	case p.HopLimit <= 1:
		return HopLimit
	}
	if p.later { // the first part has been judged, if it came first
		if !f.flows.fresh(now, fragments(p)) {
			return NotAllowed
		}
		return Passed
	}
	answer := f.flows.in(now, p)
	if !answer && !slices.ContainsFunc(f.rules, func(r Rule) bool { return r.allows(p) }) {
		return NotAllowed
	}
	v := p.mayEnter(f.tcp || answer)
	if v == Passed && p.fragment {
		f.flows.note(now, fragments(p))
	}
	return v
}
