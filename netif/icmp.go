package netif

import (
	"encoding/binary"
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
	const unreachable, noRoute, prohibited, address = 1, 0, 1, 3
	switch v {
	case ForeignSrc, Control, NotAllowed, Late, Full:
		return unreachable, prohibited, true
	case NoRoute:
		return unreachable, noRoute, true
	case Unreachable:
		return unreachable, address, true
	case TooLong:
		return typePacketBig, 0, true
	case HopLimit:
		return typeExceeded, 0, true
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
	group := p.Dst.IsMulticast() && t != typePacketBig
	if group || p.Src.IsMulticast() || p.Src.IsUnspecified() || p.icmpError() || p.later {
		return b, false
	}
	const overhead, checksumOffset = ip6.HeaderSize + ip6.ICMPv6HeaderSize + 4, 2
	invoking := p.Bytes[:min(len(p.Bytes), ip6.MinMTU-overhead)]
	h := ip6.Header{
		NextHeader: ip6.ProtocolICMPv6, HopLimit: 64, Src: src, Dst: p.Src, PayloadLength: ip6.ICMPv6HeaderSize + 4 + len(invoking),
	}
	start := len(b)
	b, err := h.AppendBinary(b)
	if err != nil {
		return b[:start], false
	}
	message := len(b)
	b, err = ip6.ICMPv6{Type: t, Code: code}.AppendBinary(b)
	if err != nil {
		return b[:start], false
	}
	var word uint32
	if t == typePacketBig {
		word = ip6.MinMTU
	}
	b = binary.BigEndian.AppendUint32(b, word)
	b = append(b, invoking...)
	sum := ip6.Checksum(h.Src, h.Dst, ip6.ProtocolICMPv6, b[message:])
	binary.BigEndian.PutUint16(b[message+checksumOffset:], sum)
	return b, true
}
