package pymesh

import (
	"context"
	"net"
	"net/netip"
)

// ListenPacket opens a socket as [net.ListenConfig.ListenPacket] does, for code that takes such a function: network is "udp" or "udp6",
// address an IPv6 address of the node in brackets, or none for all, and a port, as in "[::]:1234" and ":1234". The result is a *UDPConn. There
// are no host names. Errors are those of ListenUDP.
func (n *Node) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	local, err := parseAddress(ctx, network, address)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	c, err := n.ListenUDP(local)
	if err != nil {
		return nil, err // no *UDPConn in an interface
	}
	return c, nil
}

// DialContext opens a socket as [net.Dialer.DialContext] does, for code that takes such a function: network is "udp" or "udp6", address the
// peer's IPv6 address in brackets and port. The result is a *UDPConn. Nothing is sent and nothing waited for; there are no host names. Errors
// are those of DialUDP.
func (n *Node) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	remote, err := parseAddress(ctx, network, address)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c, err := n.DialUDP(netip.AddrPort{}, remote)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseAddress parses an address as package net takes it.
func parseAddress(ctx context.Context, network, address string) (netip.AddrPort, error) {
	if network != "udp" && network != "udp6" {
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr := netip.IPv6Unspecified()
	if host != "" {
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, &net.DNSError{Err: "a mesh has no names: give an IPv6 address", Name: host, IsNotFound: true}
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
