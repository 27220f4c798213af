//go:build !linux

package wire

import "net"

// datagramConn is a UDP socket with one peer.
type datagramConn = net.UDPConn

func dial(local, remote *net.UDPAddr) (*datagramConn, error) {
	return net.DialUDP("udp4", local, remote)
}
