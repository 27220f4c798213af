package netif

import (
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// Types of multicast address records (RFC 3810 §5.2.12).
const (
	recordIsInclude = 1
	recordIsExclude = 2
	recordToInclude = 3
	recordToExclude = 4
	recordAllow     = 5
)

const (
	reportV1 = 131 // RFC 2710 §3.4
	doneV1   = 132
	reportV2 = 143 // RFC 3810 §5.2

	reportHeader = 4  // reserved, and the number of records
	recordHeader = 20 // type, length of auxiliary data, number of sources, group

	maxGroups = 64 // that a host may have the node join
)

// membership is a change of what the host listens to.
type membership struct {
	group  netip.Addr
	joined bool
}

// memberships reads a report of multicast listeners (RFC 2710, RFC 3810): the groups that the host joins and leaves. Sources are not told
// apart: who wants some of a group's senders gets all. It reports false for a report that is none.
func memberships(m ip6.ICMPv6) (changes []membership, ok bool) {
	switch m.Type {
	case reportV1, doneV1:
		const reserved = 4 // a delay, and what is reserved
		if len(m.Body) < reserved+16 {
			return nil, false
		}
		group := netip.AddrFrom16([16]byte(m.Body[reserved:]))
		return appendMembership(nil, group, m.Type == reportV1), true
	case reportV2:
		return recordsV2(m.Body)
	}
	return nil, false
}

func recordsV2(b []byte) (changes []membership, ok bool) {
	if len(b) < reportHeader {
		return nil, false
	}
	records := int(be16(b[2:]))
	b = b[reportHeader:]
	for range records {
		if len(b) < recordHeader {
			return nil, false
		}
		sources := int(be16(b[2:]))
		size := recordHeader + 16*sources + 4*int(b[1])
		if len(b) < size {
			return nil, false
		}
		group := netip.AddrFrom16([16]byte(b[4:recordHeader]))
		switch b[0] {
		case recordIsExclude, recordToExclude:
			changes = appendMembership(changes, group, true)
		case recordIsInclude, recordToInclude:
			changes = appendMembership(changes, group, sources > 0)
		case recordAllow:
			changes = appendMembership(changes, group, true)
		}
		b = b[size:]
	}
	return changes, true
}

// appendMembership leaves out what concerns the mesh not: groups of this host and this link.
func appendMembership(changes []membership, group netip.Addr, joined bool) []membership {
	if !group.IsMulticast() || ip6.ScopeOf(group) <= ip6.ScopeLinkLocal {
		return changes
	}
	return append(changes, membership{group, joined})
}
