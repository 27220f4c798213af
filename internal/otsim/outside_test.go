//go:build unix

package otsim_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// TestMixedOutside: OpenThread's DNS and SNTP clients ask servers outside of the mesh, over our border router, and understand the answers which our
// command line's clients understand in the same words (TestOutside of package cli).
func TestMixedOutside(t *testing.T) {
	c, nodes := mixed(t, "or")
	br, theirs := nodes[0].(*engineNode), nodes[1].(processNode)
	if _, err := theirs.TryCommand("masterkey"); err != nil {
		t.Skipf("the program has other words for it than OpenThread of 2018: %v", err)
	}
	br.offer(t, cafe, "med")
	c.Run(20 * time.Second)
	for _, tt := range []struct{ line, want string }{
		{"dns resolve ipv6.google.com", "DNS response for ipv6.google.com - [2a00:1450:401b:801:0:0:0:200e] TTL: 300"},
		{"sntp query 2001:4860:4860:0:0:0:0:8888", "SNTP response - Unix time: 1540894725 (era: 0)"},
	} {
		theirs.Send("%s", tt.line)
		c.Run(time.Second)
		d, ok := br.PollForward()
		if !ok {
			t.Fatalf("%s: nothing leaves the mesh: %q", tt.line, theirs.Lines())
		}
		h, err := ip6.ParseUDPHeader(d.Payload)
		if err != nil || d.Dst != outside || d.Src != inPrefix(theirs, cafe) {
			t.Fatalf("%s: %v, %v to %v", tt.line, err, d.Src, d.Dst)
		}
		answer := serverAnswer(t, h.DstPort, d.Payload[ip6.UDPHeaderSize:])
		packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 60, Src: d.Dst, Dst: d.Src}, h.DstPort, h.SrcPort, answer)
		if err == nil {
			err = br.HandleForward(c.Now(), packet)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Run(time.Second)
		if got := theirs.Lines(); !slices.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.line, got, tt.want)
		}
	}
}

// serverAnswer is what a DNS server or a time server says.
func serverAnswer(t *testing.T, port uint16, question []byte) []byte {
	t.Helper()
	if port == 123 {
		b := make([]byte, 48) // RFC 4330 §4
		b[0], b[1] = 0x24, 1
		copy(b[24:32], question[40:])
		binary.BigEndian.PutUint64(b[40:], (2208988800+1540894725)<<32|1)
		return b
	}
	var d dnsmessage.Message
	if err := d.Unpack(question); err != nil || len(d.Questions) != 1 {
		t.Fatal(err, d)
	}
	q := d.Questions[0]
	d.Response = true
	d.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300},
		Body:   &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2a00:1450:401b:801::200e").As16()},
	}}
	b, err := d.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
