package pymesh

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Forwarded is a datagram that leaves the mesh by this node, a border router.
type Forwarded struct {
	// Source and Destination are its ends. The ports are 0 if it is not UDP.
	Source, Destination netip.AddrPort
	// Payload is what UDP carries, nil if it is not UDP.
	Payload []byte
	// Packet is all of it, an IPv6 datagram with the hop limit that it came with.
	Packet []byte
}

// OnForward sets the function that gets the datagrams which leave the mesh by this node, see [Node.BorderRouter]: whatever they carry,
// whole. There is one call at a time, in a goroutine of its own; 64 datagrams wait for a slow one, and the oldest are lost then. What comes
// back is for [Node.Forward] or [Node.ForwardUDP]. A new handler replaces the old one, nil ends the calls.
//
// Without a handler UDP datagrams go the way of Pycom's firmware, to a socket, with a [BorderRouterHeader]: to the socket that is bound to an
// address in the prefix from which they come, else to the one that was opened last. Whoever sends what nobody wants gets an ICMPv6 error.
func (n *Node) OnForward(handler func(Forwarded)) { n.forwards.set(handler) }

// handleForward takes a datagram from the engine, and reports false if nobody wants it.
func (n *Node) handleForward(_ time.Time, d *ip6.Datagram) bool {
	out := Forwarded{
		Source: netip.AddrPortFrom(d.Src, 0), Destination: netip.AddrPortFrom(d.Dst, 0), Packet: slices.Clone(d.Bytes),
	}
	if h, err := ip6.ParseUDPHeader(d.Payload); d.Protocol == ip6.ProtocolUDP && err == nil && ip6.VerifyUDP(d.Src, d.Dst, d.Payload) == nil {
		out.Source, out.Destination = netip.AddrPortFrom(d.Src, h.SrcPort), netip.AddrPortFrom(d.Dst, h.DstPort)
		out.Payload = slices.Clone(d.Payload[ip6.UDPHeaderSize:h.Length])
		if out.Payload == nil {
			out.Payload = []byte{}
		}
	}
	return n.forwards.put(out) || n.sockets.deliverForward(out, n.engine.Prefixes())
}

// Forward sends a datagram from outside to an address that a node of the mesh has in the prefix of a border router: a whole IPv6 datagram of
// at most 1280 bytes. Its hop limit is lowered by one. It does not wait for the mesh. Errors are those of the engine's HandleForward:
// EINVAL for what is no datagram from outside, EHOSTUNREACH where the mesh has no such prefix, EMSGSIZE,
// ENOBUFS, ENETUNREACH; and ErrClosed. The mesh has the last word on how much it carries: a datagram of 1280 bytes is
// fourteen frames on each hop.
func (n *Node) Forward(packet []byte) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) { err = n.engine.HandleForward(now, packet) })
	if err != nil && err != ErrClosed {
		return fmt.Errorf("pymesh: Forward: %w", asErrno(err))
	}
	return err
}

// ForwardUDP is Forward for a UDP datagram from outside.
func (n *Node) ForwardUDP(payload []byte, from, to netip.AddrPort) error {
	if !isIPv6(from.Addr()) || !isIPv6(to.Addr()) {
		return fmt.Errorf("pymesh: ForwardUDP: %v and %v are not both IPv6 addresses", from, to)
	}
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: from.Addr(), Dst: to.Addr()}, from.Port(), to.Port(), payload)
	if err != nil {
		return fmt.Errorf("pymesh: ForwardUDP: %w", err)
	}
	return n.Forward(packet)
}

// hopLimitOffset is where the hop limit stands in an IPv6 header (RFC 8200 §3).
const hopLimitOffset = 7

// deliverForward puts a UDP datagram that leaves the mesh into a socket, as Pycom's firmware does, and reports false if there is none for it.
func (s *sockets) deliverForward(d Forwarded, served []thread.OnMeshPrefix) bool {
	if d.Payload == nil {
		return false
	}
	b, err := BorderRouterHeader{d.Destination}.AppendBinary(nil)
	if err != nil {
		return false
	}
	inPrefix := func(c *UDPConn) bool {
		return slices.ContainsFunc(served, func(p thread.OnMeshPrefix) bool {
			return p.Prefix.Contains(d.Source.Addr()) && p.Prefix.Contains(c.local.Addr())
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return false
	}
	c := s.open[len(s.open)-1]
	if i := slices.IndexFunc(s.open, inPrefix); i >= 0 {
		c = s.open[i]
	}
	payload := append(b, d.Payload...)
	m := Message{From: d.Source, To: d.Destination.Addr(), HopLimit: int(d.Packet[hopLimitOffset]), RSSI: RSSIUnknown, Size: len(payload)}
	s.put(c, datagram{Message: m, payload: payload})
	return true
}

const (
	// BorderRouterMagic is the first byte of a [BorderRouterHeader].
	BorderRouterMagic = 0xbb
	// BorderRouterHeaderSize is the size of a [BorderRouterHeader] in bytes: '!BHHHHHHHHH' in Python's struct.
	BorderRouterHeaderSize = 19
)

// ErrBorderRouterHeader says that a datagram does not begin with a [BorderRouterHeader].
var ErrBorderRouterHeader = errors.New("pymesh: no border router header")

// BorderRouterHeader stands before the payload of a datagram that leaves the mesh, where a socket gets it: the byte 0xbb, the address that it is
// for in 16 bytes, and the port in 2, big endian. The datagram's source is the address that the read returns. Nothing tells such a datagram
// from one to the socket itself that begins with the same byte: a program that expects both has a socket for each, bound to addresses.
type BorderRouterHeader struct {
	Destination netip.AddrPort
}

// ParseBorderRouterHeader splits a datagram into its header and the payload, which aliases b. It fails with ErrBorderRouterHeader.
func ParseBorderRouterHeader(b []byte) (h BorderRouterHeader, payload []byte, err error) {
	if len(b) < BorderRouterHeaderSize || b[0] != BorderRouterMagic {
		return BorderRouterHeader{}, nil, ErrBorderRouterHeader
	}
	addr := netip.AddrFrom16([16]byte(b[1:17]))
	return BorderRouterHeader{netip.AddrPortFrom(addr, uint16(b[17])<<8|uint16(b[18]))}, b[BorderRouterHeaderSize:], nil
}

// AppendBinary appends the header to b. It fails with ErrBorderRouterHeader if the destination is not an IPv6 address.
func (h BorderRouterHeader) AppendBinary(b []byte) ([]byte, error) {
	a := h.Destination.Addr()
	if !a.Is6() || a.Zone() != "" {
		return b, ErrBorderRouterHeader
	}
	raw := a.As16()
	b = append(append(b, BorderRouterMagic), raw[:]...)
	return append(b, byte(h.Destination.Port()>>8), byte(h.Destination.Port())), nil
}
