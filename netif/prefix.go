package netif

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/gopymesh/pymesh"
)

// LocalPrefix returns a /64 of fd00::/8 for a mesh, which belongs to a node's MAC address and the network's extended PAN ID: the same after
// each restart, and another on each gateway (RFC 4193 §3.2.2 takes the time in place of the network, so as to have another each time).
func LocalPrefix(mac pymesh.MAC, extPANID [8]byte) netip.Prefix {
	b := binary.BigEndian.AppendUint64([]byte("pymesh on-mesh prefix"), uint64(mac))
	sum := sha256.Sum256(append(b, extPANID[:]...))
	var a [16]byte
	a[0] = 0xfd
	copy(a[1:8], sum[:]) // 40 bits of global ID, 16 of subnet
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}
