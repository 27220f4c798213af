package pymesh

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// refusePort says that nobody listens: as the firmware, with no ICMPv6 error to others, unless that is asked for.
func (s *sockets) refusePort(now time.Time, d *ip6.Datagram) {
	if e := s.node.engine; s.refuse || slices.Contains(e.Addresses(), d.Src) {
		e.RefusePort(now, d)
	}
}

// deliver puts a datagram into the socket that it is for: a dialled one first, then one bound to the address; to a group, into each that may have
// it. It reports false if there is none.
func (s *sockets) deliver(d *ip6.Datagram, rssi int) bool {
	h, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		return true // the engine has looked at it
	}
	from := netip.AddrPortFrom(d.Src, h.SrcPort)
	payload := d.Payload[ip6.UDPHeaderSize:h.Length]
	m := Message{From: from, To: d.Dst, HopLimit: int(d.HopLimit), RSSI: rssi, Size: len(payload)}
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *UDPConn
	score := -1
	for _, c := range s.open {
		v := c.score(h.DstPort, from, d.Dst)
		if v >= 0 && d.Dst.IsMulticast() {
			s.put(c, datagram{Message: m, payload: slices.Clone(payload)})
		}
		if v > score {
			best, score = c, v
		}
	}
	if best != nil && !d.Dst.IsMulticast() {
		s.put(best, datagram{Message: m, payload: slices.Clone(payload)})
	}
	return best != nil
}

// score says how well a socket fits a datagram, negative if it does not.
func (c *UDPConn) score(port uint16, from netip.AddrPort, dst netip.Addr) int {
	anyAddr := c.local.Addr().IsUnspecified()
	if c.local.Port() != port || !anyAddr && c.local.Addr() != dst && !dst.IsMulticast() || c.remote.IsValid() && c.remote != from {
		return -1
	}
	v := 0
	if c.remote.IsValid() {
		v += 2
	}
	if !anyAddr {
		v++
	}
	return v
}

// put queues a datagram in a socket. s.mu is held.
func (s *sockets) put(c *UDPConn, d datagram) {
	c.put(d)
	s.schedule(c)
}
