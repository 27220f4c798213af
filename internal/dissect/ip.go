package dissect

import (
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	maxTunnels = 4    // ours: IPv6 headers inside each other
	coapPort   = 5683 // RFC 7252 §6.1
)

// ip reads a whole IPv6 datagram.
func (d *Dissector) ip(f *Frame, b []byte) {
	for {
		datagram, err := ip6.ParseDatagram(b)
		if err != nil {
			f.fail(err)
			return
		}
		f.IP = append(f.IP, datagram)
		if datagram.Protocol != ip6.ProtocolIPv6 {
			break
		}
		if len(f.IP) == maxTunnels {
			f.fail(ErrTunnels)
			return
		}
		b = datagram.Payload
	}
	switch f.innermost().Protocol {
	case ip6.ProtocolUDP:
		d.udp(f)
	case ip6.ProtocolICMPv6:
		readICMPv6(f)
	}
}

func (d *Dissector) udp(f *Frame) {
	ip := f.innermost()
	h, err := ip6.ParseUDPHeader(ip.Payload)
	if err != nil {
		f.fail(err)
		return
	}
	f.UDP = &UDP{UDPHeader: h, Payload: ip.Payload[ip6.UDPHeaderSize:h.Length]}
	if err := ip6.VerifyUDP(ip.Src, ip.Dst, ip.Payload); err != nil && !f.Unaddressed {
		f.fail(err)
		return
	}
	switch {
	case h.DstPort == mle.UDPPort:
		d.mle(f)
	case h.SrcPort == tmf.UDPPort || h.DstPort == tmf.UDPPort:
		m, err := coap.ParseMessage(f.UDP.Payload)
		if err != nil {
			f.fail(err)
			return
		}
		f.CoAP = &CoAP{Message: m, TMF: true}
		d.coap(f)
	case h.SrcPort == coapPort || h.DstPort == coapPort:
		// Anything may come from and to this port: what is not CoAP is no problem.
		if m, err := coap.ParseMessage(f.UDP.Payload); err == nil {
			f.CoAP = &CoAP{Message: m}
			d.coap(f)
		}
	}
}

func readICMPv6(f *Frame) {
	ip := f.innermost()
	m, err := ip6.ParseICMPv6(ip.Payload)
	if err != nil {
		f.fail(err)
		return
	}
	f.ICMPv6 = &ICMPv6{ICMPv6: m}
	if err := ip6.VerifyICMPv6(ip.Src, ip.Dst, ip.Payload); err != nil && !f.Unaddressed {
		f.fail(err)
		return
	}
	switch m.Type {
	case ip6.ICMPv6EchoRequest, ip6.ICMPv6EchoReply:
		echo, err := ip6.ParseEcho(m.Body)
		if err != nil {
			f.fail(err)
			return
		}
		f.ICMPv6.Echo = &echo
	case ip6.ICMPv6DestinationUnreachable:
		invoking, err := ip6.ParseDestinationUnreachable(m.Body)
		if err != nil {
			f.fail(err)
			return
		}
		if h, err := ip6.ParseHeader(invoking); err == nil {
			f.ICMPv6.Invoking = &h
		}
	}
}
