package netif

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

var (
	ownEID   = netip.MustParseAddr("fdde:ad00:beef:0:1::1")
	otherEID = netip.MustParseAddr("fdde:ad00:beef:0:1::2")
	meshNode = netip.MustParseAddr("fd12:3456:789a:1::5")
	webHost  = netip.MustParseAddr("2001:db8::80")
	onMesh   = netip.MustParsePrefix("fd12:3456:789a:1::/64")
	local    = netip.MustParsePrefix("fdde:ad00:beef::/64")
)

func mustUDP(t testing.TB, src, dst netip.Addr, from, to uint16) []byte {
	t.Helper()
	b, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: dst}, from, to, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustICMP(t testing.TB, src, dst netip.Addr, kind ip6.ICMPv6Type, body []byte) []byte {
	t.Helper()
	h := ip6.Header{NextHeader: ip6.ProtocolICMPv6, HopLimit: 64, Src: src, Dst: dst, PayloadLength: 4 + len(body)}
	b, err := h.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err = ip6.ICMPv6{Type: kind}.AppendBinary(b)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, body...)
}

func mustTCP(t testing.TB, src, dst netip.Addr, from, to uint16, flags byte) []byte {
	t.Helper()
	h := ip6.Header{NextHeader: protocolTCP, HopLimit: 64, Src: src, Dst: dst, PayloadLength: tcpHeaderSize}
	b, err := h.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	tcp := make([]byte, tcpHeaderSize)
	tcp[0], tcp[1], tcp[2], tcp[3], tcp[13] = byte(from>>8), byte(from), byte(to>>8), byte(to), flags
	return append(b, tcp...)
}

// fragmentOf makes a datagram a fragment of a larger one.
func fragmentOf(b []byte, offset uint16, more bool, id byte) []byte {
	out := append([]byte{}, b[:ip6.HeaderSize]...)
	out[6] = byte(ip6.ProtocolFragment)
	size := len(b) - ip6.HeaderSize + fragmentHeaderSize
	out[4], out[5] = byte(size>>8), byte(size)
	field := offset &^ 7
	if more {
		field |= 1
	}
	out = append(out, b[6], 0, byte(field>>8), byte(field), 0, 0, 0, id)
	return append(out, b[ip6.HeaderSize:]...)
}

func TestFromHost(t *testing.T) {
	group := netip.MustParseAddr
	echo := []byte{0, 7, 0, 1}
	tests := []struct {
		name string
		b    []byte
		want Verdict
	}{
		{"UDP", mustUDP(t, ownEID, otherEID, 40000, 5683), Passed},
		{"UDP outside", mustUDP(t, ownEID, webHost, 40000, 5683), Passed},
		{"ping", mustICMP(t, ownEID, otherEID, ip6.ICMPv6EchoRequest, echo), Passed},
		{"ping to all", mustICMP(t, ownEID, group("ff03::1"), ip6.ICMPv6EchoRequest, echo), Passed},
		{"ping on the link", mustICMP(t, ownEID, group("ff02::1"), ip6.ICMPv6EchoRequest, echo), Scope},
		{"router solicitation", mustICMP(t, ownEID, group("ff02::2"), 133, make([]byte, 4)), Chatter},
		{"neighbor solicitation", mustICMP(t, ownEID, otherEID, 135, make([]byte, 20)), Chatter},
		{"redirect", mustICMP(t, ownEID, otherEID, 137, make([]byte, 20)), Chatter},
		{"MLD query", mustICMP(t, ownEID, group("ff02::1"), 130, make([]byte, 20)), Chatter},
		{"node information", mustICMP(t, ownEID, otherEID, 139, make([]byte, 20)), NotAllowed},
		{"port unreachable", mustICMP(t, ownEID, otherEID, 1, make([]byte, 60)), Passed},
		{"mDNS", mustUDP(t, ownEID, group("ff02::fb"), 5353, 5353), Discovery},
		{"mDNS to the mesh", mustUDP(t, ownEID, group("ff05::fb"), 5353, 5353), Discovery},
		{"SSDP", mustUDP(t, ownEID, group("ff05::c"), 40000, 1900), Discovery},
		{"LLMNR", mustUDP(t, ownEID, group("ff02::1:3"), 40000, 5355), Discovery},
		{"DHCPv6", mustUDP(t, ownEID, group("ff02::1:2"), 546, 547), Discovery},
		{"MLE", mustUDP(t, ownEID, otherEID, 40000, 19788), Control},
		{"TMF", mustUDP(t, ownEID, otherEID, 40000, 61631), Control},
		{"foreign source", mustUDP(t, webHost, otherEID, 40000, 5683), ForeignSrc},
		{"no source", mustUDP(t, netip.IPv6Unspecified(), otherEID, 40000, 5683), Scope},
		{"source a group", mustUDP(t, group("ff03::1"), otherEID, 40000, 5683), ForeignSrc},
		{"TCP", mustTCP(t, ownEID, otherEID, 40000, 80, 2), NotAllowed},
		{"first fragment", fragmentOf(mustUDP(t, ownEID, otherEID, 40000, 5683), 0, true, 1), Passed},
		{"first fragment of MLE", fragmentOf(mustUDP(t, ownEID, otherEID, 40000, 19788), 0, true, 1), Control},
		{"later fragment", fragmentOf(mustUDP(t, ownEID, otherEID, 40000, 5683), 1232, false, 1), Passed},
		{"later fragment, foreign", fragmentOf(mustUDP(t, webHost, otherEID, 40000, 5683), 1232, false, 1), ForeignSrc},
	}
	own := func(a netip.Addr) bool { return a == ownEID }
	for _, tt := range tests {
		p, ok := parse(tt.b)
		if !ok {
			t.Errorf("%s: does not parse", tt.name)
			continue
		}
		if got := p.fromHost(own, false, false); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, b := range [][]byte{nil, {0x45, 0, 0, 20}, mustUDP(t, ownEID, otherEID, 1, 2)[:47], append(mustUDP(t, ownEID, otherEID, 1, 2), 0)} {
		if _, ok := parse(b); ok {
			t.Errorf("%x parses", b)
		}
	}
}

func TestMemberships(t *testing.T) {
	g := netip.MustParseAddr("ff03::1234").As16()
	link := netip.MustParseAddr("ff02::fb").As16()
	record := func(kind byte, group [16]byte, sources int) []byte {
		b := append([]byte{kind, 0, 0, byte(sources)}, group[:]...)
		return append(b, make([]byte, 16*sources)...)
	}
	body := append([]byte{0, 0, 0, 3}, record(recordToExclude, g, 0)...)
	body = append(body, record(recordToExclude, link, 0)...)
	body = append(body, record(recordToInclude, g, 0)...)
	changes, ok := memberships(ip6.ICMPv6{Type: reportV2, Body: body})
	group := netip.AddrFrom16(g)
	if want := []membership{{group, true}, {group, false}}; !ok || len(changes) != 2 || changes[0] != want[0] || changes[1] != want[1] {
		t.Errorf("%v, %v", changes, ok)
	}
	for n := range body {
		if _, ok := memberships(ip6.ICMPv6{Type: reportV2, Body: body[:n]}); ok {
			t.Errorf("%d bytes of %d are taken", n, len(body))
		}
	}
	v1 := append(make([]byte, 4), g[:]...)
	if c, ok := memberships(ip6.ICMPv6{Type: doneV1, Body: v1}); !ok || len(c) != 1 || c[0].joined {
		t.Errorf("done: %v, %v", c, ok)
	}
}

func TestErrors(t *testing.T) {
	p, _ := parse(mustUDP(t, ownEID, otherEID, 40000, 5683))
	b, ok := appendError(nil, otherEID, &p, 1, 3)
	if !ok {
		t.Fatal("no error")
	}
	d, err := ip6.ParseDatagram(b)
	if err != nil || ip6.VerifyICMPv6(d.Src, d.Dst, d.Payload) != nil || d.Dst != ownEID {
		t.Fatalf("%v %v", d, err)
	}
	about, ok := quoted(d.Payload[8:])
	if want := (talk{ip6.ProtocolUDP, ownEID, otherEID, 40000, 5683}); !ok || about != want {
		t.Errorf("about %v", about)
	}
	// RFC 4443 §2.4 e.
	for name, b := range map[string][]byte{
		"error about an error": b,
		"to a group":           mustUDP(t, ownEID, netip.MustParseAddr("ff03::1"), 1, 2),
		"from nobody":          mustUDP(t, netip.IPv6Unspecified(), otherEID, 1, 2),
		"a later fragment":     fragmentOf(mustUDP(t, ownEID, otherEID, 1, 2), 8, false, 1),
	} {
		p, ok := parse(b)
		if !ok {
			t.Fatal(name)
		}
		if _, ok := appendError(nil, otherEID, &p, 1, 1); ok {
			t.Errorf("%s has one", name)
		}
	}
	var rates errorRates
	now, n := time.Unix(0, 0), 0
	for range 100 {
		if rates.allow(now, otherEID) {
			n++
		}
	}
	if n != errorsPerDestination || !rates.allow(now.Add(errorInterval), otherEID) {
		t.Errorf("%d errors in one moment", n)
	}
	for i := range 1000 {
		rates.allow(now, netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)}))
	}
	if len(rates.sent) > maxErrorRates {
		t.Errorf("%d destinations are remembered", len(rates.sent))
	}
}

func TestQueue(t *testing.T) {
	now := time.Unix(1000, 0)
	q := queue{perHour: func() time.Duration { return 36 * time.Second }, burst: 2 * time.Second, maxWait: 30 * time.Second}
	put := func(cost time.Duration, key uint16, once bool) Verdict {
		v, _ := q.put(now, waiting{data: []byte{1}, cost: cost, talk: talk{srcPort: key}, once: once})
		return v
	}
	if v := put(time.Second, 1, false); v != Passed {
		t.Error(v)
	}
	if v := put(time.Second, 2, true); v != Passed {
		t.Error(v)
	}
	// Equal packets collapse, and take no more place.
	if v, replaced := q.put(now, waiting{data: []byte{1, 2}, cost: time.Second, talk: talk{srcPort: 2}, once: true}); v != Passed || replaced != 1 {
		t.Error(v, replaced)
	}
	// All is spoken for: at 10 ms a second, another second is 100 s away.
	if v := put(time.Second, 3, false); v != Late {
		t.Error(v)
	}
	if v := put(200*time.Millisecond, 3, false); v != Passed {
		t.Error(v)
	}
	var sent []int
	for _, after := range []time.Duration{0, 0, 0, 19 * time.Second, 2 * time.Second} {
		now = now.Add(after)
		if w, _, ok := q.next(now); ok {
			sent = append(sent, len(w.data))
		} else {
			sent = append(sent, 0)
		}
	}
	if want := [5]int{1, 2, 0, 0, 1}; [5]int(sent) != want {
		t.Errorf("sent %v, want %v", sent, want)
	}
	// What costs more than can be saved goes on credit, once all is saved.
	now = now.Add(time.Hour)
	if v := put(5*time.Second, 4, false); v != Passed {
		t.Error(v)
	}
	if _, _, ok := q.next(now); !ok {
		t.Error("it waits for ever")
	}
	if v := put(time.Millisecond, 5, false); v != Late {
		t.Error(v, "in debt")
	}
	q.maxWait = time.Hour * 1000
	for range 2 * maxQueue {
		put(time.Millisecond, 0, false)
	}
	if len(q.packets) != maxQueue {
		t.Errorf("%d wait", len(q.packets))
	}
}

func TestFence(t *testing.T) {
	now := time.Unix(1000, 0)
	rule, err := ParseRule("from 2001:db8::/32 to fd12:3456:789a:1::5 udp port 7000")
	if err != nil {
		t.Fatal(err)
	}
	f := fence{prefix: onMesh, meshLocal: local, rules: []Rule{rule}}
	in := func(b []byte) Verdict {
		p, ok := parse(b)
		if !ok {
			t.Fatal("does not parse")
		}
		return f.inward(now, &p)
	}
	out := func(b []byte) Verdict {
		p, ok := parse(b)
		if !ok {
			t.Fatal("does not parse")
		}
		return f.outward(now, &p, false)
	}
	check := func(name string, got, want Verdict) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	answer := mustUDP(t, webHost, meshNode, 53, 40000)
	check("answer to nothing", in(answer), NotAllowed)
	check("question", out(mustUDP(t, meshNode, webHost, 40000, 53)), Passed)
	check("answer", in(answer), Passed)
	check("from another port", in(mustUDP(t, webHost, meshNode, 54, 40000)), NotAllowed)
	check("from another host", in(mustUDP(t, netip.MustParseAddr("2001:db8::81"), meshNode, 53, 40000)), NotAllowed)
	about := mustUDP(t, meshNode, webHost, 40000, 53)
	check("error about it", in(mustICMP(t, netip.MustParseAddr("2001:db8::ffff"), meshNode, 1, append(make([]byte, 4), about...))), Passed)
	about = mustUDP(t, meshNode, webHost, 40001, 53)
	check("error about nothing", in(mustICMP(t, netip.MustParseAddr("2001:db8::ffff"), meshNode, 1, append(make([]byte, 4), about...))), NotAllowed)
	now = now.Add(flowTime + time.Second)
	check("late answer", in(answer), NotAllowed)

	check("rule", in(mustUDP(t, webHost, meshNode, 9, 7000)), Passed)
	check("rule, other port", in(mustUDP(t, webHost, meshNode, 9, 7001)), NotAllowed)
	check("rule, other protocol", in(mustTCP(t, webHost, meshNode, 9, 7000, 2)), NotAllowed)
	check("rule, other source", in(mustUDP(t, netip.MustParseAddr("2002::1"), meshNode, 9, 7000)), NotAllowed)
	check("rule, other node", in(mustUDP(t, webHost, netip.MustParseAddr("fd12:3456:789a:1::6"), 9, 7000)), NotAllowed)
	check("later fragment first", in(fragmentOf(mustUDP(t, webHost, meshNode, 9, 7000), 1232, false, 3)), NotAllowed)
	check("first fragment", in(fragmentOf(mustUDP(t, webHost, meshNode, 9, 7000), 0, true, 3)), Passed)
	check("later fragment", in(fragmentOf(mustUDP(t, webHost, meshNode, 9, 7000), 1232, false, 3)), Passed)
	check("another's", in(fragmentOf(mustUDP(t, webHost, meshNode, 9, 7000), 1232, false, 4)), NotAllowed)

	f.rules = []Rule{{}}
	check("spoofed mesh-local", in(mustUDP(t, ownEID, meshNode, 9, 7000)), Spoofed)
	check("spoofed on-mesh", in(mustUDP(t, netip.MustParseAddr("fd12:3456:789a:1::6"), meshNode, 9, 7000)), Spoofed)
	check("link-local", in(mustUDP(t, netip.MustParseAddr("fe80::1"), meshNode, 9, 7000)), Spoofed)
	check("to mesh-local", in(mustUDP(t, webHost, otherEID, 9, 7000)), Scope)
	check("to MLE, any rule", in(mustUDP(t, webHost, meshNode, 9, 19788)), Control)
	check("mDNS, any rule", in(mustUDP(t, webHost, meshNode, 5353, 5353)), Discovery)
	check("TCP, any rule", in(mustTCP(t, webHost, meshNode, 9, 80, 2)), NotAllowed)

	check("out from mesh-local", out(mustUDP(t, ownEID, webHost, 9, 9)), Spoofed)
	check("out from elsewhere", out(mustUDP(t, netip.MustParseAddr("2001:db9::1"), webHost, 9, 9)), Spoofed)
	check("out to a group", out(mustUDP(t, meshNode, netip.MustParseAddr("ff0e::1"), 9, 9)), Scope)
	check("out to mesh-local", out(mustUDP(t, meshNode, otherEID, 9, 9)), NoRoute)
	check("out to another site", out(mustUDP(t, meshNode, netip.MustParseAddr("fd99::1"), 9, 9)), NoRoute)
	used := mustUDP(t, meshNode, webHost, 9, 9)
	used[7] = 1
	check("hop limit", out(used), HopLimit)

	for i := range 2 * maxFlows {
		out(mustUDP(t, meshNode, webHost, uint16(i), 9))
	}
	if f.flows.len() > maxFlows {
		t.Errorf("%d conversations are remembered", f.flows.len())
	}
}

func TestParseRule(t *testing.T) {
	for _, text := range []string{"any", "udp", "icmp", "tcp port 80", "from 2001:db8::/32 udp port 5683", "to fd12::1 icmp"} {
		r, err := ParseRule(text)
		if err != nil || r.String() != text {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "from", "port 80", "udp port 0", "udp port 65536", "from 10.0.0.0/8", "to 10.0.0.1", "from x", "sctp"} {
		if r, err := ParseRule(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(mustUDP(f, ownEID, otherEID, 1, 2))
	f.Add(mustTCP(f, ownEID, otherEID, 1, 2, 2))
	f.Add(fragmentOf(mustUDP(f, ownEID, otherEID, 1, 2), 0, true, 1))
	f.Add(mustICMP(f, ownEID, otherEID, 143, append([]byte{0, 0, 0, 1}, make([]byte, 20)...)))
	f.Add(mustICMP(f, ownEID, otherEID, 1, append(make([]byte, 4), mustUDP(f, otherEID, ownEID, 1, 2)...)))
	fence := fence{prefix: onMesh, meshLocal: local, rules: []Rule{{}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		if !ok {
			return
		}
		p.fromHost(func(netip.Addr) bool { return true }, true, true)
		p.sameTalk()
		if p.report() {
			memberships(p.icmp)
		}
		fence.inward(time.Unix(0, 0), &p)
		fence.outward(time.Unix(0, 0), &p, true)
		if e, ok := appendError(nil, ownEID, &p, 1, 1); ok {
			if _, ok := parse(e); !ok {
				t.Errorf("the error about %x does not parse", b)
			}
		}
	})
}

func FuzzParseRule(f *testing.F) {
	f.Add("from 2001:db8::/32 to fd12::1 udp port 7000")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		again, err := ParseRule(r.String())
		if err != nil || again != r {
			t.Errorf("%q: %v, again %v, %v", text, r, again, err)
		}
	})
}
