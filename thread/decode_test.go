package thread_test

import (
	"net/netip"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/tmf"
)

func mleCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(meshtest.NetworkKey, seq).MLE)
}
func macCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(meshtest.NetworkKey, seq).MAC)
}

func contexts() *lowpan.Contexts {
	c := new(lowpan.Contexts)
	_ = c.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: netip.MustParsePrefix("fdde:ad00:beef::/64"), Compress: true})
	return c
}

// openFrame decrypts a secured frame of one of the nodes.
func openFrame(m *meshtest.Mesh, psdu []byte) (ieee802154.Frame, []byte, bool) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Security.Level == ieee802154.SecurityNone {
		return f, f.Payload, false
	}
	for _, n := range m.Nodes {
		if payload, err := f.Open(nil, psdu, macCipher(keys.Sequence(f.Security.KeyIndex-1)), n.ExtAddr()); err == nil {
			return f, payload, true
		}
	}
	return f, nil, false
}

// openDatagram returns the IPv6 datagram in a secured frame that holds a whole one, a mesh header in front or not.
func openDatagram(m *meshtest.Mesh, psdu []byte) (ip6.Datagram, bool) {
	f, payload, ok := openFrame(m, psdu)
	if !ok || f.Type != ieee802154.Data {
		return ip6.Datagram{}, false
	}
	src, dst := f.Src, f.Dst
	if h, size, err := lowpan.ParseMeshHeader(payload); err == nil {
		src, dst, payload = h.Src, h.Dst, payload[size:]
	}
	if lowpan.DispatchOf(payload) != lowpan.DispatchIPHC {
		return ip6.Datagram{}, false
	}
	b, consumed, err := lowpan.Decompress(nil, payload, src, dst, contexts(), 0)
	if err != nil {
		return ip6.Datagram{}, false
	}
	d, err := ip6.ParseDatagram(append(b, payload[consumed:]...))
	return d, err == nil
}

// tmfMessage returns the CoAP message in a datagram of network management.
func tmfMessage(d ip6.Datagram) (coap.Message, bool) {
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if d.Protocol != ip6.ProtocolUDP || err != nil || udp.DstPort != tmf.UDPPort {
		return coap.Message{}, false
	}
	m, err := coap.ParseMessage(d.Payload[ip6.UDPHeaderSize:udp.Length])
	return m, err == nil
}

// must returns v.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
