package netif

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Ports of programs that look around on every interface.
const (
	portDHCP4Server = 67
	portDHCP4Client = 68
	portDHCPClient  = 546
	portDHCPServer  = 547
	portSSDP        = 1900
	portMDNS        = 5353
	portLLMNR       = 5355

	protocolTCP ip6.Protocol = 6

	tcpHeaderSize      = 20
	fragmentHeaderSize = 8 // RFC 8200 §4.5
)

// ICMPv6 types that a kernel sends by itself on a link (RFC 4861, 2710, 3810).
const (
	typeMLDQuery = 130
	typeRedirect = 137
	typeMLDv2    = 143
)

// packet is a datagram as the filters see it.
type packet struct {
	ip6.Datagram
	srcPort, dstPort uint16 // of UDP and TCP; the identifier of an echo in both
	icmp             ip6.ICMPv6
	fragment         bool // a part of a larger datagram
	later            bool // and not the first, which alone tells the ports
	fragmentID       uint32
}

// parse reads a datagram up to the ports. It reports false for what is no whole IPv6 datagram.
func parse(b []byte) (p packet, ok bool) {
	d, err := ip6.ParseTransit(b)
	if err != nil {
		return packet{}, false
	}
	p.Datagram = d
	if err := p.ParseExtensions(); err != nil && err != ip6.ErrUnsupported {
		return packet{}, false
	}
	return p, p.parsePayload()
}

// parsePayload reads the ports. Of a fragment only the first has them.
func (p *packet) parsePayload() bool {
	protocol, payload := p.Protocol, p.Payload
	if protocol == ip6.ProtocolFragment {
		p.fragment, p.fragmentID = true, binary.BigEndian.Uint32(payload[4:])
		p.later = be16(payload[2:])&^7 != 0
		if p.later {
			return true
		}
		protocol, payload = ip6.Protocol(payload[0]), payload[fragmentHeaderSize:]
		p.Protocol, p.Payload = protocol, payload
	}
	switch protocol {
	case ip6.ProtocolUDP:
		if len(payload) < ip6.UDPHeaderSize {
			return false
		}
		p.srcPort, p.dstPort = be16(payload), be16(payload[2:])
	case protocolTCP:
		if len(payload) < tcpHeaderSize {
			return false
		}
		p.srcPort, p.dstPort = be16(payload), be16(payload[2:])
	case ip6.ProtocolICMPv6:
		m, err := ip6.ParseICMPv6(payload)
		if err != nil {
			return false
		}
		p.icmp = m
		if m.Type == ip6.ICMPv6EchoRequest || m.Type == ip6.ICMPv6EchoReply {
			echo, err := ip6.ParseEcho(m.Body)
			if err != nil {
				return false
			}
			p.srcPort, p.dstPort = echo.Identifier, echo.Identifier
		}
	}
	return true
}

func be16(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }

// report reports whether a packet is a report of multicast listeners, of either version.
func (p *packet) report() bool {
	return p.Protocol == ip6.ProtocolICMPv6 && !p.later && (p.icmp.Type == typeMLDv2 || p.icmp.Type > typeMLDQuery && p.icmp.Type <= typeMLDQuery+2)
}

// chatter reports whether a packet is one that a kernel sends by itself, or a program on every interface that it finds.
func (p *packet) chatter() (Verdict, bool) {
	switch {
	case p.later:
	case p.Protocol == ip6.ProtocolICMPv6:
		if t := p.icmp.Type; t >= typeMLDQuery && t <= typeRedirect || t == typeMLDv2 {
			return Chatter, true
		}
	case p.Protocol == ip6.ProtocolUDP:
		discovery := []uint16{portMDNS, portLLMNR, portSSDP, portDHCPClient, portDHCPServer, portDHCP4Server, portDHCP4Client}
		if slices.Contains(discovery, p.dstPort) {
			return Discovery, true
		}
	}
	return Passed, false
}

// mayEnter says whether what the packet carries is for the mesh at all, whoever sends it.
func (p *packet) mayEnter(tcp bool) Verdict {
	if p.later {
		return Passed
	}
	switch p.Protocol {
	case ip6.ProtocolICMPv6:
		switch p.icmp.Type {
		case ip6.ICMPv6DestinationUnreachable, ip6.ICMPv6PacketTooBig, ip6.ICMPv6TimeExceeded, ip6.ICMPv6ParameterProblem,
			ip6.ICMPv6EchoRequest, ip6.ICMPv6EchoReply:
			return Passed
		}
		return NotAllowed
	case ip6.ProtocolUDP:
		if p.dstPort == mle.UDPPort || p.dstPort == tmf.UDPPort {
			return Control
		}
	case protocolTCP:
		if !tcp {
			return NotAllowed
		}
	}
	return Passed
}

// fromHost is the filter between the host's own programs and the mesh. own tells the addresses of the node, linkScope lets multicasts of
// link scope pass.
func (p *packet) fromHost(own func(netip.Addr) bool, tcp, linkScope bool) Verdict {
	if v, ok := p.chatter(); ok {
		return v
	}
	switch {
	case p.Dst.IsMulticast():
		if s := ip6.ScopeOf(p.Dst); s < ip6.ScopeLinkLocal || s == ip6.ScopeLinkLocal && !linkScope {
			return Scope
		}
	case p.Dst.IsUnspecified() || p.Dst.IsLoopback() || p.Src.IsUnspecified():
		return Scope
	}
	if p.Src.IsMulticast() || !own(p.Src) {
		return ForeignSrc
	}
	return p.mayEnter(tcp)
}

// icmpError reports whether a packet is an ICMPv6 error, to which there is no other (RFC 4443 §2.4 e).
func (p *packet) icmpError() bool { return p.Protocol == ip6.ProtocolICMPv6 && p.icmp.Type.IsError() }

// sameTalk is what packets have in common of which the host repeats one until it is answered: SYNs of one connection, equal questions of
// one socket, pings of one program. false is for packets that nothing replaces.
func (p *packet) sameTalk() (key talk, ok bool) {
	key = talk{p.Protocol, p.Src, p.Dst, p.srcPort, p.dstPort}
	switch {
	case p.later:
		return talk{}, false
	case p.Protocol == protocolTCP:
		const syn, flags = 0x02, 0x17 // SYN alone of FIN, SYN, RST, ACK
		return key, p.Payload[13]&flags == syn
	case p.Protocol == ip6.ProtocolICMPv6:
		return key, p.icmp.Type == ip6.ICMPv6EchoRequest
	case p.Protocol == ip6.ProtocolUDP:
		const dns = 53
		return key, p.dstPort == dns
	}
	return talk{}, false
}

// talk names a conversation between two hosts.
type talk struct {
	protocol         ip6.Protocol
	src, dst         netip.Addr
	srcPort, dstPort uint16
}

// answer is the talk in the other direction.
func (t talk) answer() talk { return talk{t.protocol, t.dst, t.src, t.dstPort, t.srcPort} }
