package tsharktest_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// route is a pair of addresses of the network layer with those of the link below.
type route struct {
	src, dst         netip.Addr
	macSrc, macDst   ieee802154.Addr
	addressesInFrame int // bytes of both IPv6 addresses that compression leaves
}

// routes are pairs of every kind of address that Thread uses.
func routes() []route {
	ours, theirs := ieee802154.ExtAddress(ourExt), ieee802154.ExtAddress(theirExt)
	addr := netip.MustParseAddr
	return []route{
		{ourLinkLocal, theirLinkLocal, ours, theirs, 0},
		{ourLinkLocal, addr("ff02::1"), ours, everyone, 1},
		{ourLinkLocal, addr("ff02::2"), ours, everyone, 1},
		{addr("fe80::1"), addr("fe80::1:2:3:4"), ours, theirs, 16},
		{ourRLOC16.Addr(meshLocal), theirRLOC16.Addr(meshLocal), ourAddr, theirAddr, 0},
		{ourRLOC16.Addr(meshLocal), addr("fdde:ad00:beef::ff:fe00:fc00"), ourAddr, theirAddr, 2},
		{ourRLOC16.Addr(meshLocal), addr("ff03::fc"), ourAddr, everyone, 4},
		{ourRLOC16.Addr(meshLocal), addr("ff05::1:2"), ourAddr, everyone, 4},
		{addr("fdde:ad00:beef:0:1122:3344:5566:7788"), addr("fdde:ad00:beef:0:99aa:bbcc:ddee:ff01"), ourAddr, theirAddr, 16},
		{addr("fdde:ad00:beef:0:1122:3344:5566:7788"), addr("ff03::1"), ourAddr, everyone, 12},
		{addr("fdde:ad00:beef:0:1122:3344:5566:7788"), addr("ff33:40:fdde:ad00:beef:0:0:1"), ourAddr, everyone, 14},
		{addr("2001:dead:beef:cafe:1:2:3:4"), addr("2001:4860:4860::8888"), ourAddr, theirAddr, 24},
		{addr("2001:db8::1"), addr("2001:dead:beef:cafe::ff:fe00:5803"), ourAddr, theirAddr, 16},
		{addr("2001:dead:beef:cafe::ff:fe00:5800"), addr("fdde:ad00:beef:0:99aa:bbcc:ddee:ff01"), ourAddr, theirAddr, 8},
		{addr("::"), addr("ff02::1"), ourAddr, everyone, 1},
		{ourLinkLocal, addr("ff0e:1234::5678:9abc:def0"), ours, everyone, 16},
	}
}

// TestAddresses compresses addresses of every kind. The bytes that stay show that no
// compression is forgone.
func TestAddresses(t *testing.T) {
	s := newSender(t, 0)
	for _, r := range routes() {
		hdr := ip6.Header{HopLimit: 64, Src: r.src, Dst: r.dst}
		s.datagram(udp(t, hdr, 61631, 61631, []byte{0x70, 0x00, 0x00, 0x01}), r.macSrc, r.macDst, ieee802154.SecurityENCMIC32)
	}
	for i, f := range s.verify() {
		r := routes()[i]
		t.Run(fmt.Sprintf("%v to %v", r.src, r.dst), func(t *testing.T) {
			fields{"ipv6.src": r.src.String(), "ipv6.dst": r.dst.String(), "ipv6.hlim": "64"}.check(t, f)
			frame, err := ieee802154.ParseFrame(s.psdus[i])
			if err != nil {
				t.Fatal(err)
			}
			const micSize, coapSize, udpSize, iphcSize = 4, 4, 1 + 1 + 2, 2
			got := len(frame.Payload) - micSize - coapSize - udpSize - iphcSize
			if f.Has("6lowpan.iphc.sci") {
				got-- // the byte of the context identifiers
			}
			if got != r.addressesInFrame {
				t.Errorf("addresses take %d bytes, want %d", got, r.addressesInFrame)
			}
		})
	}
}

// TestHeaders compresses what an IPv6 header holds beside addresses.
func TestHeaders(t *testing.T) {
	type header struct {
		class uint8
		flow  uint32
		hops  uint8
	}
	var headers []header
	for _, class := range []uint8{0x00, 0x01, 0x03, 0x04, 0xb8, 0xfd, 0xff} {
		for _, flow := range []uint32{0, 1, 0x12345, 0xfffff} {
			headers = append(headers, header{class, flow, 64})
		}
	}
	for _, hops := range []uint8{1, 2, 63, 254, 255} {
		headers = append(headers, header{0, 0, hops})
	}
	s := newSender(t, 0)
	for _, h := range headers {
		hdr := ip6.Header{TrafficClass: h.class, FlowLabel: h.flow, HopLimit: h.hops,
			Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
		s.datagram(udp(t, hdr, 1000, 2000, []byte("x")), ourAddr, theirAddr, ieee802154.SecurityENCMIC32)
	}
	for i, f := range s.verify() {
		h := headers[i]
		fields{
			"ipv6.tclass": fmt.Sprintf("0x%08x", h.class), "ipv6.flow": fmt.Sprintf("0x%06x", h.flow),
			"ipv6.hlim": fmt.Sprint(h.hops), "udp.payload": "78",
		}.check(t, f)
	}
}

// TestPorts compresses UDP ports of each of the four forms of RFC 6282 §4.3.3.
func TestPorts(t *testing.T) {
	ports := [][2]uint16{{1, 2}, {0xf0b0, 0xf0be}, {0xf0b3, 0xf012}, {0xf012, 0xf0b3}, {0xf012, 5000}, {5000, 0xf012}, {0xf0b1, 5000}, {0xf000, 0xf0ff}, {0xffff, 0xf100}}
	s := newSender(t, 0)
	for _, p := range ports {
		hdr := ip6.Header{HopLimit: 64, Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
		s.datagram(udp(t, hdr, p[0], p[1], []byte("x")), ourAddr, theirAddr, ieee802154.SecurityENCMIC32)
	}
	for i, f := range s.verify() {
		fields{
			"udp.srcport": fmt.Sprint(ports[i][0]), "udp.dstport": fmt.Sprint(ports[i][1]), "udp.payload": "78",
		}.check(t, f)
	}
}

// TestFragments sends datagrams of many sizes, in one frame and in as many as it takes,
// directly and below a mesh header.
func TestFragments(t *testing.T) {
	mesh, err := lowpan.MeshHeader{HopsLeft: 4, Src: ourAddr, Dst: theirAddr}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		header []byte
	}{{"direct", nil}, {"mesh", mesh}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSender(t, 0)
			type last struct{ frame, size int }
			var lasts []last
			for size := 0; size <= 1280-48; size += 1 + size/40 {
				payload := pattern(size)
				hdr := ip6.Header{HopLimit: 64, Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
				s.datagram(udp(t, hdr, 1000, 2000, payload), ourAddr, theirAddr, ieee802154.SecurityENCMIC32, tt.header...)
				lasts = append(lasts, last{len(s.psdus) - 1, size})
			}
			frames := s.verify()
			for _, l := range lasts {
				f := frames[l.frame]
				if got, want := f.Field("udp.length"), fmt.Sprint(8+l.size); got != want {
					t.Errorf("payload of %d bytes: UDP length %q, want %s", l.size, got, want)
				}
				if got, want := f.Bytes("udp.payload"), hex.EncodeToString(pattern(l.size)); got != want {
					t.Errorf("payload of %d bytes: %q, want %s", l.size, got, want)
				}
				if tt.header != nil {
					fields{"6lowpan.mesh.hops": "4", "6lowpan.mesh.orig16": "0x5800", "6lowpan.mesh.dest16": "0x5803"}.check(t, f)
				}
			}
		})
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestEcho(t *testing.T) {
	s := newSender(t, 0)
	for _, kind := range []ip6.ICMPv6Type{ip6.ICMPv6EchoRequest, ip6.ICMPv6EchoReply} {
		hdr := ip6.Header{HopLimit: 64, Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
		datagram, err := ip6.AppendEcho(nil, hdr, kind, ip6.Echo{Identifier: 0x1234, Sequence: 7, Data: []byte("ping")})
		if err != nil {
			t.Fatal(err)
		}
		s.datagram(datagram, ourAddr, theirAddr, ieee802154.SecurityENCMIC32)
	}
	frames := s.verify()
	fields{"icmpv6.type": "128", "icmpv6.echo.identifier": "0x1234", "icmpv6.echo.sequence_number": "7",
		"icmpv6.checksum.status": "1"}.check(t, frames[0])
	fields{"icmpv6.type": "129", "icmpv6.checksum.status": "1"}.check(t, frames[1])
}

// TestMPL sends multicasts with the MPL option: directly from an RLOC, which is the seed
// identifier itself, and in a tunnel from another address.
func TestMPL(t *testing.T) {
	rloc := ourRLOC16.Addr(meshLocal)
	realmLocal, allForwarders := netip.MustParseAddr("ff03::1"), netip.MustParseAddr("ff03::fc")

	direct, err := ip6.InsertMPLOption(nil,
		udp(t, ip6.Header{HopLimit: 64, Src: rloc, Dst: realmLocal}, 1000, 2000, []byte("direct")),
		ip6.MPLOption{SeedIDLength: ip6.SeedIDElided, Sequence: 5})
	if err != nil {
		t.Fatal(err)
	}
	option := ip6.MPLOption{SeedIDLength: ip6.SeedID16, Sequence: 6}
	option.SetSeedID16(uint16(ourRLOC16))
	inner := udp(t, ip6.Header{HopLimit: 63, Src: netip.MustParseAddr("fdde:ad00:beef:0:1:2:3:4"), Dst: realmLocal}, 1000, 2000, []byte("tunnel"))
	tunnelled, err := ip6.AppendTunnel(nil, ip6.Header{HopLimit: 64, Src: rloc, Dst: allForwarders}, option, inner)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, 0)
	s.datagram(direct, ourAddr, everyone, ieee802154.SecurityENCMIC32)
	s.datagram(tunnelled, ourAddr, everyone, ieee802154.SecurityENCMIC32)
	frames := s.verify()

	fields{"ipv6.src": rloc.String(), "ipv6.dst": "ff03::1", "ipv6.opt.mpl.sequence": "0x05",
		"ipv6.opt.mpl.flag.s": "0", "udp.payload": "64:69:72:65:63:74"}.check(t, frames[0])
	fields{"ipv6.src": rloc.String(), "ipv6.dst": "ff03::fc", "ipv6.opt.mpl.sequence": "0x06",
		"ipv6.opt.mpl.flag.s": "1", "ipv6.opt.mpl.seed_id": "58:00", "udp.payload": "74:75:6e:6e:65:6c"}.check(t, frames[1])
	if got := frames[1].Fields("ipv6.dst"); len(got) != 2 || got[1] != "ff03::1" {
		t.Errorf("destinations of the tunnel %v", got)
	}
}
