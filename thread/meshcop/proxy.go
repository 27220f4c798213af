package meshcop

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/tlv"
)

// A Proxied is a UDP datagram between a commissioner outside of the mesh and a node of it, which the border agent passes on (Thread 1.1 §8.10.8):
// UDP_TX to the mesh, UDP_RX from it.
type Proxied struct {
	Addr             netip.Addr // of the node: the destination with UDP_TX, the source with UDP_RX
	SrcPort, DstPort uint16
	Data             []byte
}

// ParseProxied parses the payload of a UDP_TX or UDP_RX. The data alias it.
func ParseProxied(payload []byte) (p Proxied, err error) {
	if err := tlv.Validate(payload); err != nil {
		return Proxied{}, err
	}
	addr, ok := tlv.Find(payload, TypeIPv6Address)
	if !ok || len(addr) != addrSize {
		return Proxied{}, ErrTLVLength
	}
	value, ok := tlv.Find(payload, TypeUDPEncapsulation)
	if !ok || len(value) < udpEncapsulationMinSize {
		return Proxied{}, ErrTLVLength
	}
	p = Proxied{
		Addr: netip.AddrFrom16([16]byte(addr)), SrcPort: binary.BigEndian.Uint16(value), DstPort: binary.BigEndian.Uint16(value[portSize:]),
		Data: value[udpEncapsulationMinSize:],
	}
	if p.SrcPort == 0 || p.DstPort == 0 || p.Addr.Is4In6() || p.Addr.IsUnspecified() {
		return Proxied{}, ErrTLVValue
	}
	return p, nil
}

// AppendBinary appends the payload of a UDP_TX or UDP_RX to b. It fails with ErrTLVValue if ParseProxied would not take it.
func (p Proxied) AppendBinary(b []byte) ([]byte, error) {
	if p.SrcPort == 0 || p.DstPort == 0 || !p.Addr.Is6() || p.Addr.Is4In6() || p.Addr.IsUnspecified() ||
		len(p.Data) > tlv.MaxLength-udpEncapsulationMinSize {
		return b, ErrTLVValue
	}
	addr := p.Addr.As16()
	b = tlv.Append(b, TypeIPv6Address, addr[:])
	b = tlv.AppendHeader(b, TypeUDPEncapsulation, udpEncapsulationMinSize+len(p.Data))
	b = binary.BigEndian.AppendUint16(b, p.SrcPort)
	b = binary.BigEndian.AppendUint16(b, p.DstPort)
	return append(b, p.Data...), nil
}
