package netif

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

const (
	// errorsPerDestination and errorInterval limit the errors about one destination (RFC 4443 §2.4 f).
	errorsPerDestination = 3
	errorInterval        = time.Second
	maxErrorRates        = 64
)

// errorOf is the ICMPv6 error for a verdict (RFC 4443 §3), as the programs of a Linux host understand it: connect fails at once with
// ENETUNREACH after code 0 and with EHOSTUNREACH after code 3, and anything with EACCES after code 1.
func errorOf(v Verdict) (t ip6.ICMPv6Type, code uint8, ok bool) {
	switch v {
	case ForeignSrc, Control, NotAllowed, Late, Full:
		return ip6.ICMPv6DestinationUnreachable, uint8(ip6.UnreachableProhibited), true
	case NoRoute, Returned:
		return ip6.ICMPv6DestinationUnreachable, uint8(ip6.UnreachableNoRoute), true
	case Unreachable:
		return ip6.ICMPv6DestinationUnreachable, uint8(ip6.UnreachableAddress), true
	case TooLong:
		return ip6.ICMPv6PacketTooBig, 0, true
	case HopLimit:
		return ip6.ICMPv6TimeExceeded, 0, true
	}
	return 0, 0, false
}

// errorRates limits errors by destination.
type errorRates struct {
	sent map[netip.Addr]errorRate
}

type errorRate struct {
	n     int
	since time.Time
}

func (r *errorRates) allow(now time.Time, dst netip.Addr) bool {
	e := r.sent[dst]
	if now.Sub(e.since) >= errorInterval {
		e = errorRate{since: now}
	}
	if e.n >= errorsPerDestination {
		return false
	}
	e.n++
	if r.sent == nil || len(r.sent) >= maxErrorRates {
		r.sent = make(map[netip.Addr]errorRate) // forgetting errs on the side of a few errors more
	}
	r.sent[dst] = e
	return true
}

// appendError appends the ICMPv6 error about a packet, from src. It reports false where RFC 4443 §2.4 e wants none.
func appendError(b []byte, src netip.Addr, p *packet, t ip6.ICMPv6Type, code uint8) ([]byte, bool) {
	group := p.Dst.IsMulticast() && t != ip6.ICMPv6PacketTooBig
	if group || p.Src.IsMulticast() || p.Src.IsUnspecified() || p.icmpError() || p.later {
		return b, false
	}
	var word uint32
	if t == ip6.ICMPv6PacketTooBig {
		word = mtu
	}
	b, err := ip6.AppendICMPv6Error(b, ip6.Header{HopLimit: 64, Src: src, Dst: p.Src}, t, code, word, p.Bytes)
	return b, err == nil
}
