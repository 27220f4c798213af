package cli

import (
	"bytes"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// firstEphemeral is the first port that a socket gets which is not bound (RFC 6335 §6).
const firstEphemeral = 49152

// udpSocket is the one socket of the command line.
type udpSocket struct {
	open        bool
	local, peer netip.AddrPort // unspecified address, port 0: none
}

// noAddr is the state of a name that has not been given.
var noAddr = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

var udpCommands = []string{"help", "bind", "close", "connect", "open", "send"}

func (i *Interpreter) udpHelp() {
	for _, name := range udpCommands {
		i.printf("%s\r\n", name)
	}
}

func (i *Interpreter) udpCommand(args []string) error {
	s := &i.udp
	if len(args) == 0 {
		i.udpHelp()
		return InvalidArgs
	}
	switch args[0] {
	case "help":
		i.udpHelp()
		return nil
	case "open":
		*s = udpSocket{open: true, local: noAddr, peer: noAddr}
		return nil
	case "close":
		*s = udpSocket{local: noAddr, peer: noAddr}
		return nil
	case "bind":
		name, err := parseAddrPort(args[1:])
		if err == nil {
			s.bind(name)
		}
		return err
	case "connect":
		name, err := parseAddrPort(args[1:])
		if err == nil {
			s.peer = name
		}
		return err
	case "send":
		return i.udpSend(args[1:])
	}
	return Parse
}

// parseAddrPort parses an address and a port, which are two words.
func parseAddrPort(args []string) (netip.AddrPort, error) {
	if len(args) != 2 {
		return netip.AddrPort{}, InvalidArgs
	}
	a, err := parseAddr(args[0])
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := parseLong(args[1])
	return netip.AddrPortFrom(a, uint16(port)), err
}

func (s *udpSocket) bind(name netip.AddrPort) {
	if name.Port() == 0 {
		name = netip.AddrPortFrom(name.Addr(), firstEphemeral)
	}
	s.local = name
}

func (i *Interpreter) udpSend(args []string) error {
	s := &i.udp
	var to netip.AddrPort
	switch len(args) {
	case 1:
		to = s.peer
	case 3:
		var err error
		if to, err = parseAddrPort(args[:2]); err != nil {
			return err
		}
	default:
		return InvalidArgs
	}
	if to == (netip.AddrPort{}) || to.Addr().IsUnspecified() || to.Port() == 0 {
		return InvalidArgs
	}
	if !s.local.IsValid() {
		s.local = noAddr
	}
	if s.local.Port() == 0 {
		s.bind(s.local)
	}
	return i.sendUDP(s.local, to, []byte(args[len(args)-1]))
}

// sendUDP sends a datagram. An unspecified source address leaves the choice to the engine.
func (i *Interpreter) sendUDP(from, to netip.AddrPort, payload []byte) error {
	src := from.Addr()
	if !src.IsValid() || src.IsUnspecified() || src.IsMulticast() {
		src = i.engine.SelectSource(to.Addr())
	}
	if !i.view.IsUp() {
		return InvalidSourceAddress
	}
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: hopLimit, Src: src, Dst: to.Addr()}, from.Port(), to.Port(), payload)
	if err != nil {
		return InvalidArgs
	}
	return i.send(packet)
}

func (i *Interpreter) handleUDP(d *ip6.Datagram) bool {
	h, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		return false
	}
	payload := d.Payload[ip6.UDPHeaderSize:h.Length]
	from := netip.AddrPortFrom(d.Src, h.SrcPort)
	switch {
	case i.coap.started && h.DstPort == coapPort:
		i.handleCoAP(d.Dst, from, payload)
	case i.handleAnswer(h.DstPort, from, payload):
	case i.udp.takes(netip.AddrPortFrom(d.Dst, h.DstPort), from):
		text, _, _ := bytes.Cut(payload, []byte{0})
		i.printf("%d bytes from %s %d %s\r\n", len(payload), formatAddr(d.Src), h.SrcPort, text)
	default:
		return false
	}
	return true
}

// takes reports whether a datagram is for this socket.
func (s *udpSocket) takes(to, from netip.AddrPort) bool {
	switch {
	case !s.open || s.local.Port() != to.Port():
		return false
	case !to.Addr().IsMulticast() && !s.local.Addr().IsUnspecified() && s.local.Addr() != to.Addr():
		return false
	case s.peer.Port() == 0:
		return true
	}
	return s.peer.Port() == from.Port() && (s.peer.Addr().IsUnspecified() || s.peer.Addr() == from.Addr())
}
