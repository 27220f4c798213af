package thread_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// ICMPv6, RFC 4443. Held elsewhere:
//
//   - Destination Unreachable for a route or a child that is gone: TestRoutes_NoRoute, TestUnreachable, TestChildMovesSilently

// icmpFrom counts the ICMPv6 messages of a type that a peer has heard of others.
func icmpFrom(m *meshtest.Mesh, p *meshtest.Peer, typ ip6.ICMPv6Type, to netip.Addr) (count int) {
	for _, psdu := range p.Frames {
		d, ok := openDatagram(m, psdu)
		if !ok || d.Protocol != ip6.ProtocolICMPv6 || to.IsValid() && d.Dst != to {
			continue
		}
		if c, err := ip6.ParseICMPv6(d.Payload); err == nil && c.Type == typ {
			count++
		}
	}
	return count
}

// TestRFC4443_4_2_Echo: an echo request has an answer, to a group too, but not where it comes from no single node (RFC 4291 §2.7).
func TestRFC4443_4_2_Echo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		src, dst string // "p" and "n" stand for the addresses of the peer and the node
		want     int
	}{
		{"to the node", "p", "n", 1},
		{"to all on the link", "p", "ff02::1", 1},
		{"from a group", "ff03::1", "n", 0},
		{"from a group on the link", "ff02::1", "n", 0},
		{"from a group to a group", "ff03::1", "ff02::1", 0},
		{"from nowhere", "::", "n", 0},
		{"from nowhere to a group", "::", "ff02::1", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := linked(t)
			addr := func(s string) netip.Addr {
				switch s {
				case "p":
					return rlocAddr(p.RLOC16)
				case "n":
					return rlocAddr(n.RLOC16())
				}
				return netip.MustParseAddr(s)
			}
			h := ip6.Header{HopLimit: 64, Src: addr(tt.src), Dst: addr(tt.dst)}
			to := shortAddress(n.RLOC16())
			if h.Dst.IsMulticast() {
				to = shortAddress(0xffff)
			}
			p.Frames = nil
			p.SendDatagram(to, must(ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 1, Data: []byte("x")})))
			m.Run(2 * time.Second)
			if got := icmpFrom(m, p, ip6.ICMPv6EchoReply, netip.Addr{}); got != tt.want {
				t.Errorf("%d answers, want %d", got, tt.want)
			}
			if d, ok := n.PollPacket(); ok {
				t.Errorf("the host gets %+v", d)
			}
		})
	}
}

// TestRFC4443_2_4_Errors: no error about an error, nor about what comes from no single node; and all have a rate.
func TestRFC4443_2_4_Errors(t *testing.T) {
	gone := netip.MustParseAddr("fdde:ad00:beef::1234")
	errorMessage := func(src netip.Addr) []byte {
		return must(ip6.AppendDestinationUnreachable(nil, ip6.Header{HopLimit: 64, Src: src, Dst: gone}, ip6.UnreachableNoRoute, make([]byte, 40)))
	}
	datagram := func(src, dst netip.Addr) []byte {
		return must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: dst}, 1, 2, []byte("x")))
	}
	m, n, p := linked(t)
	self := rlocAddr(p.RLOC16)
	for _, tt := range []struct {
		name     string
		datagram []byte
		want     int
	}{
		{"a datagram astray", datagram(self, gone), 1},
		{"an error", errorMessage(self), 0},
		{"from a group", datagram(ip6.RealmLocalAllNodes, gone), 0},
		{"from nowhere", datagram(netip.IPv6Unspecified(), gone), 0},
		{"to a group", datagram(self, netip.MustParseAddr("ff05::1234")), 0},
	} {
		p.Frames = nil
		p.SendDatagram(shortAddress(n.RLOC16()), tt.datagram)
		m.Run(time.Second)
		if got := icmpFrom(m, p, ip6.ICMPv6DestinationUnreachable, self); got != tt.want {
			t.Errorf("%s: %d errors, want %d", tt.name, got, tt.want)
		}
	}

	for name, change := range map[string]func(*thread.Config){"IEEE802154": stock, "LoRa": func(c *thread.Config) {
		stock(c)
		c.Timing.ICMPErrorInterval = thread.TimingPymesh().ICMPErrorInterval
	}} {
		m, n, p := leading(t, change)
		p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
		p.Frames = nil
		for range 50 * 20 {
			p.SendDatagram(shortAddress(n.RLOC16()), datagram(rlocAddr(p.RLOC16), gone))
			m.Run(20 * time.Millisecond)
		}
		most := 10 + int(20*time.Second/n.Config.Timing.ICMPErrorInterval)
		if got := icmpFrom(m, p, ip6.ICMPv6DestinationUnreachable, rlocAddr(p.RLOC16)); got > most+1 || got < most/2 {
			t.Errorf("%s: %d errors within 20 s, want %d", name, got, most)
		}
		if c := n.Counters(); c.ICMPRefused == 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
