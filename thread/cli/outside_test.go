package cli_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gopymesh/pymesh/thread/ip6"
)

var (
	inside     = netip.MustParsePrefix("2001:db8:1::/64")
	nameServer = netip.MustParseAddrPort("[2001:db8::53]:53")
	timeServer = netip.MustParseAddrPort("[2001:db8::123]:123")
)

// outsideNetwork is a border router, node 1, and another node, with servers outside.
type outsideNetwork struct {
	*ours
	asked int
	drop  int // so many questions get no answer
}

func newOutside(t *testing.T) *outsideNetwork {
	o := &outsideNetwork{ours: newOurs(t)}
	for id, role := range []string{"leader", "child"} {
		for _, line := range []string{"panid 0x1234", "routerupgradethreshold 1", "ifconfig up", "thread start"} {
			o.command(id+1, line)
		}
		o.run(time.Minute, id+1, role)
	}
	o.command(1, "prefix add "+inside.String()+" paros med")
	o.command(1, "netdataregister")
	o.sim.Run(5 * time.Second)
	return o
}

// serve lets time pass and the servers answer.
func (o *outsideNetwork) serve(t *testing.T, d time.Duration) {
	t.Helper()
	br := o.nodes[1]
	for end := o.sim.Now().Add(d); o.sim.Now().Before(end); o.sim.Run(10 * time.Millisecond) {
		for d, ok := br.PollForward(); ok; d, ok = br.PollForward() {
			o.asked++
			if o.asked <= o.drop {
				continue
			}
			h, err := ip6.ParseUDPHeader(d.Payload)
			if err != nil || !inside.Contains(d.Src) {
				t.Fatalf("%v of %v", err, d.Src)
			}
			answer := answerOf(t, netip.AddrPortFrom(d.Dst, h.DstPort), d.Payload[ip6.UDPHeaderSize:])
			packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: d.Dst, Dst: d.Src}, h.DstPort, h.SrcPort, answer)
			if err == nil {
				err = br.HandleForward(o.sim.Now(), packet)
			}
			if err != nil {
				t.Fatal(err)
			}
			br.antenna.Touch()
		}
	}
}

// answerOf is what a server says.
func answerOf(t *testing.T, server netip.AddrPort, question []byte) []byte {
	t.Helper()
	switch server {
	case nameServer:
		var m dnsmessage.Message
		if err := m.Unpack(question); err != nil || len(m.Questions) != 1 || !m.RecursionDesired {
			t.Fatal(err, m)
		}
		q := m.Questions[0]
		m.Response = true
		switch q.Name.String() {
		case "ipv6.google.com.":
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300},
				Body:   &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2a00:1450:401b:801::200e").As16()},
			}}
		case "ipv4.google.com.":
		default:
			m.RCode = dnsmessage.RCodeNameError
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	case timeServer:
		b := make([]byte, 48)
		b[0], b[1] = 0x24, 1
		copy(b[24:32], question[40:])
		binary.BigEndian.PutUint32(b[40:], 2208988800+1540894725)
		return b
	}
	t.Fatal(server)
	return nil
}

// TestOutside asks servers outside of the mesh, over a border router: from the border router itself, and from another node; one that sleeps,
// too, and when the first questions are lost.
func TestOutside(t *testing.T) {
	dns := "dns resolve %s " + nameServer.Addr().StringExpanded()
	const found = "DNS response for ipv6.google.com - [2a00:1450:401b:801:0:0:0:200e] TTL: 300"
	sntp := "sntp query " + timeServer.Addr().StringExpanded()
	const now = "SNTP response - Unix time: 1540894725 (era: 0)"
	for _, tt := range []struct {
		name  string
		node  int
		mode  string
		drop  int
		line  string
		want  string
		tries int
	}{
		{"name", 2, "rsdn", 0, fmt.Sprintf(dns, "ipv6.google.com"), found, 1},
		{"name, and port", 2, "rsdn", 0, fmt.Sprintf(dns, "ipv6.google.com") + " 53", found, 1},
		{"name, from a node that sleeps", 2, "s", 0, fmt.Sprintf(dns, "ipv6.google.com"), found, 1},
		{"name, from the border router", 1, "rsdn", 0, fmt.Sprintf(dns, "ipv6.google.com"), found, 1},
		{"name, at the third try", 2, "rsdn", 2, fmt.Sprintf(dns, "ipv6.google.com"), found, 3},
		{"name, but no answer", 2, "rsdn", 3, fmt.Sprintf(dns, "ipv6.google.com"), "DNS response for ipv6.google.com - Error 28: ResponseTimeout", 3},
		{"no address", 2, "rsdn", 0, fmt.Sprintf(dns, "ipv4.google.com"), "DNS response for ipv4.google.com - Error 23: NotFound", 1},
		{"no such name", 2, "rsdn", 0, fmt.Sprintf(dns, "x"), "DNS response for x - Error 1: Failed", 1},
		{"time", 2, "rsdn", 0, sntp, now, 1},
		{"time, from the border router", 1, "rsdn", 0, sntp, now, 1},
		{"time, at the second try", 2, "rsdn", 1, sntp, now, 2},
		{"time, but no answer", 2, "rsdn", 3, sntp, "SNTP error - ResponseTimeout", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOutside(t)
			if tt.mode != "rsdn" {
				o.command(2, "mode "+tt.mode)
				o.sim.Run(5 * time.Second)
			}
			o.drop = tt.drop
			shell := o.nodes[tt.node].shell
			notified := 0
			shell.Notify = func() { notified++ }
			if got := o.command(tt.node, tt.line); len(got) > 0 || !shell.Waiting() {
				t.Fatalf("%q, waiting %v", got, shell.Waiting())
			}
			o.serve(t, 15*time.Second)
			got := o.nodes[tt.node].lines()
			if !slices.Equal(got, []string{tt.want}) || shell.Waiting() || notified == 0 || o.asked != tt.tries {
				t.Errorf("%q, want %q; waiting %v, notified %d times; %d questions, want %d", got, tt.want, shell.Waiting(), notified, o.asked, tt.tries)
			}
			if at, ok := shell.NextTimeout(); ok {
				t.Errorf("a timer is left: %v", at)
			}
		})
	}
}

// TestOutsideForged: answers from others than the server, to another port or to another question are not taken.
func TestOutsideForged(t *testing.T) {
	o := newOutside(t)
	o.command(2, "dns resolve ipv6.google.com "+nameServer.Addr().StringExpanded())
	o.sim.Run(time.Second)
	d, ok := o.nodes[1].PollForward()
	if !ok {
		t.Fatal("no question")
	}
	h, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil {
		t.Fatal(err)
	}
	answer := answerOf(t, nameServer, d.Payload[ip6.UDPHeaderSize:])
	inject := func(from netip.AddrPort, to uint16, change int) {
		b := slices.Clone(answer)
		b[change]++
		packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: from.Addr(), Dst: d.Src}, from.Port(), to, b)
		if err == nil {
			err = o.nodes[1].HandleForward(o.sim.Now(), packet)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.nodes[1].antenna.Touch()
		o.sim.Run(100 * time.Millisecond)
	}
	const last = 1 // of the ID: changed, it is another question's
	inject(timeServer, h.SrcPort, len(answer)-1)
	inject(netip.AddrPortFrom(nameServer.Addr(), 54), h.SrcPort, len(answer)-1)
	inject(nameServer, h.SrcPort^1, len(answer)-1)
	inject(nameServer, h.SrcPort, last)
	if got := o.nodes[2].lines(); len(got) > 0 || !o.nodes[2].shell.Waiting() {
		t.Errorf("%q", got)
	}
	inject(nameServer, h.SrcPort, len(answer)-1)
	if got := o.nodes[2].lines(); !slices.Equal(got, []string{"DNS response for ipv6.google.com - [2a00:1450:401b:801:0:0:0:200f] TTL: 300"}) {
		t.Errorf("%q", got)
	}
}
