package pymesh_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread"
)

var (
	cafe    = netip.MustParsePrefix("2001:cafe:cafe:cafe::/64")
	outside = netip.MustParseAddrPort("[2001:4860:4860::8888]:53")
)

// in returns the address of a node in a prefix, the zero Addr if it has none.
func in(n *pymesh.Node, p netip.Prefix) netip.Addr {
	for _, a := range n.IPAddrs() {
		if p.Contains(a) {
			return a
		}
	}
	return netip.Addr{}
}

// borderRouter starts two nodes, of which the first is a border router, and waits until both have an address in its prefix.
func (m *mesh) borderRouter(preference pymesh.Preference) (br, n *pymesh.Node) {
	m.Helper()
	br, n = m.attached(), m.attached()
	if err := br.BorderRouter(cafe, preference); err != nil {
		m.Fatal(err)
	}
	m.until(time.Minute, "addresses", func() bool { return in(br, cafe).IsValid() && in(n, cafe).IsValid() })
	return br, n
}

func TestBorderRouter(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		br, n := m.borderRouter(pymesh.Normal)
		for _, x := range []*pymesh.Node{br, n} {
			if a := x.IPAddrs(); !cafe.Contains(a[0]) {
				t.Errorf("%v", a)
			}
		}
		if got := br.BorderRouters(); !slices.Equal(got, []pymesh.BorderRouter{{cafe, pymesh.Normal}}) || len(n.BorderRouters()) != 0 {
			t.Errorf("%v, %v", got, n.BorderRouters())
		}
		m.ping(n, in(br, cafe), 20)

		// Out, to the handler, and back in.
		out := make(chan pymesh.Forwarded, 10)
		br.OnForward(func(f pymesh.Forwarded) { out <- f })
		c := m.listen(n, "[::]:1234")
		m.send(c, "question", outside)
		f := <-out
		if f.Source != netip.AddrPortFrom(in(n, cafe), 1234) || f.Destination != outside || string(f.Payload) != "question" {
			t.Errorf("%+v", f)
		}
		if !bytes.HasSuffix(f.Packet, []byte("question")) || len(f.Packet) != 56 {
			t.Errorf("%x", f.Packet)
		}
		if err := br.ForwardUDP([]byte("answer"), f.Destination, f.Source); err != nil {
			t.Error(err)
		}
		if from := m.expect(c, "answer"); from != outside {
			t.Errorf("from %v", from)
		}

		// The border router's own.
		own := m.listen(br, "[::]:1234")
		m.send(own, "mine", outside)
		if f := <-out; f.Source.Addr() != in(br, cafe) || string(f.Payload) != "mine" {
			t.Errorf("%+v", f)
		}

		if err := br.RemoveBorderRouter(cafe); err != nil {
			t.Error(err)
		}
		m.until(time.Minute, "no addresses", func() bool { return !in(br, cafe).IsValid() && !in(n, cafe).IsValid() })
		if len(br.BorderRouters()) != 0 {
			t.Errorf("%v", br.BorderRouters())
		}
		if err := br.RemoveBorderRouter(cafe); !errors.Is(err, thread.ErrNotFound) {
			t.Error(err)
		}
	})
}

// Without a handler a datagram goes to the socket that is bound inside the prefix, else to the last one, as in Pycom's firmware.
func TestBorderRouterSocket(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		br, n := m.borderRouter(pymesh.Normal)
		c := m.listen(n, "[::]:1234")
		header, _ := pymesh.BorderRouterHeader{Destination: outside}.AppendBinary(nil)

		// Nobody is there: the sender hears of it, by an ICMPv6 error.
		m.send(c, "x", outside)
		m.until(time.Minute, "refused", func() bool { return br.Counters()["IPNoRoute"] > 0 })

		first := m.listen(br, "[::]:2000")
		last := m.listen(br, "[::]:3000")
		m.send(c, "to the last", outside)
		if from := m.expect(last, string(header)+"to the last"); from != netip.AddrPortFrom(in(n, cafe), 1234) {
			t.Errorf("from %v", from)
		}
		bound := m.listen(br, netip.AddrPortFrom(in(br, cafe), 4000).String())
		_ = m.listen(br, "[::]:5000")
		m.send(c, "to the bound one", outside)
		from := m.expect(bound, string(header)+"to the bound one")

		// Pycom's way back, from an address in the prefix.
		m.send(bound, "ACK", from)
		if from := m.expect(c, "ACK"); from != addrPort(bound) {
			t.Errorf("from %v", from)
		}
		m.expectNothing(first)
	})
}

// A handler that is slow loses the oldest, and may close the node.
func TestOnForward(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		br, n := m.borderRouter(pymesh.High)
		c := m.listen(n, "[::]:1234")
		got := make(chan string)
		br.OnForward(func(f pymesh.Forwarded) { got <- string(f.Payload) })
		for i := range 3 {
			m.send(c, fmt.Sprint(i), outside)
			time.Sleep(2 * time.Second)
		}
		for i := range 3 {
			if s := <-got; s != fmt.Sprint(i) {
				t.Errorf("%q, want %d", s, i)
			}
		}
		closed := make(chan error)
		br.OnForward(func(pymesh.Forwarded) { closed <- br.Close() })
		m.send(c, "last", outside)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Of two border routers the preferred one is used, and the other one when that is gone.
func TestTwoBorderRouters(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		br, n := m.borderRouter(pymesh.High)
		other := m.attached()
		if err := other.BorderRouter(cafe, pymesh.Low); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		out := make(chan int, 100)
		br.OnForward(func(pymesh.Forwarded) { out <- 1 })
		other.OnForward(func(pymesh.Forwarded) { out <- 2 })
		c := m.listen(n, "[::]:1234")
		m.send(c, "x", outside)
		if got := <-out; got != 1 {
			t.Errorf("border router %d", got)
		}
		if err := br.RemoveBorderRouter(cafe); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		m.send(c, "x", outside)
		if got := <-out; got != 2 || !in(n, cafe).IsValid() {
			t.Errorf("border router %d, addresses %v", got, n.IPAddrs())
		}
	})
}

func TestBorderRouterErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		for _, tt := range []struct {
			prefix     netip.Prefix
			preference pymesh.Preference
			want       string
		}{
			{netip.Prefix{}, 0, "not an IPv6 prefix such as"},
			{netip.MustParsePrefix("10.0.0.0/8"), 0, "not an IPv6 prefix such as"},
			{netip.MustParsePrefix("::ffff:10.0.0.0/112"), 0, "not an IPv6 prefix such as"},
			{netip.MustParsePrefix("2001:db8::/48"), 0, "not a /64"},
			{netip.MustParsePrefix("2001:db8::/80"), 0, "not a /64"},
			{netip.MustParsePrefix("2001:db8::1/64"), 0, "2001:db8::/64 is accepted"},
			{netip.MustParsePrefix("ff0e::/64"), 0, "multicast"},
			{netip.MustParsePrefix("fe80::/64"), 0, "link-local"},
			{netip.MustParsePrefix("::/64"), 0, "not a prefix of unicast"},
			{netip.MustParsePrefix("fdde:ad00:beef::/64"), 0, "mesh-local"},
			{cafe, 2, "not in -1 to 1"},
			{cafe, -2, "not in -1 to 1"},
		} {
			if err := n.BorderRouter(tt.prefix, tt.preference); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v: %v, want %q", tt.prefix, tt.preference, err, tt.want)
			}
		}
		for i := range pymesh.MaxBorderRouters + 1 {
			p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i)}), 64)
			err := n.BorderRouter(p, pymesh.Low)
			if (err == nil) != (i < pymesh.MaxBorderRouters) {
				t.Errorf("prefix %d: %v", i, err)
			}
			if i == 0 {
				if err := n.BorderRouter(p, pymesh.High); err == nil || !strings.Contains(err.Error(), "there already, with preference low") {
					t.Errorf("again: %v", err)
				}
			}
		}
		if err := n.Forward([]byte("x")); !errors.Is(err, thread.ErrPacket) {
			t.Error(err)
		}
		if err := n.ForwardUDP(nil, outside, netip.MustParseAddrPort("1.2.3.4:5")); err == nil {
			t.Error("IPv4")
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := n.BorderRouter(cafe, 0); err != pymesh.ErrClosed {
			t.Error(err)
		}
		if err := n.RemoveBorderRouter(cafe); err != pymesh.ErrClosed {
			t.Error(err)
		}
		if err := n.Forward(nil); err != pymesh.ErrClosed || n.BorderRouters() != nil {
			t.Error(err)
		}
	})
}

func TestBorderRouterHeader(t *testing.T) {
	const want = "bb" + "20014860486000000000000000008888" + "0035"
	b, err := pymesh.BorderRouterHeader{Destination: outside}.AppendBinary(nil)
	if err != nil || hex.EncodeToString(b) != want || len(b) != pymesh.BorderRouterHeaderSize {
		t.Errorf("%x, %v", b, err)
	}
	h, payload, err := pymesh.ParseBorderRouterHeader(append(b, 1, 2))
	if err != nil || h.Destination != outside || !bytes.Equal(payload, []byte{1, 2}) {
		t.Errorf("%+v, %x, %v", h, payload, err)
	}
	for n := range b {
		if _, _, err := pymesh.ParseBorderRouterHeader(b[:n]); !errors.Is(err, pymesh.ErrBorderRouterHeader) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b[0] = 0xba
	if _, _, err := pymesh.ParseBorderRouterHeader(b); !errors.Is(err, pymesh.ErrBorderRouterHeader) {
		t.Error(err)
	}
	for _, a := range []string{"1.2.3.4:5", "[fe80::1%eth0]:5"} {
		if _, err := (pymesh.BorderRouterHeader{Destination: netip.MustParseAddrPort(a)}).AppendBinary(nil); err == nil {
			t.Error(a)
		}
	}
}

func FuzzParseBorderRouterHeader(f *testing.F) {
	b, _ := pymesh.BorderRouterHeader{Destination: outside}.AppendBinary(nil)
	f.Add(append(b, "payload"...))
	f.Add(b[:18])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := pymesh.ParseBorderRouterHeader(b)
		if err != nil {
			return
		}
		again, err := h.AppendBinary(nil)
		if err != nil || !bytes.Equal(append(again, payload...), b) {
			t.Fatalf("%x, %v, want %x", again, err, b)
		}
	})
}

// pymesh.border_router("2001:cafe:cafe:cafe::/64", 0)
//
// pymesh.border_router()
//
// pymesh.border_router_del("2001:cafe:cafe:cafe::/64")
func ExampleNode_BorderRouter() {
	leader, router := twoNodes()
	prefix := netip.MustParsePrefix("2001:cafe:cafe:cafe::/64")
	if err := leader.BorderRouter(prefix, pymesh.Normal); err != nil {
		log.Fatal(err)
	}
	fmt.Println(leader.BorderRouters())

	// All nodes get an address in it.
	for !prefix.Contains(leader.IPAddrs()[0]) || !prefix.Contains(router.IPAddrs()[0]) {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("leader and router have an address in", prefix)

	// What they send to the outside comes here, and what comes back goes in.
	done := make(chan struct{})
	leader.OnForward(func(f pymesh.Forwarded) {
		fmt.Printf("to %v: %q\n", f.Destination, f.Payload)
		if err := leader.ForwardUDP([]byte("an answer"), f.Destination, f.Source); err != nil {
			log.Fatal(err)
		}
		close(done)
	})
	conn, err := router.DialUDP(netip.AddrPort{}, netip.MustParseAddrPort("[2001:4860:4860::8888]:53"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "a question")
	<-done
	buf := make([]byte, 128)
	n, err := conn.Read(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", buf[:n])

	leader.OnForward(nil)
	if err := leader.RemoveBorderRouter(prefix); err != nil {
		log.Fatal(err)
	}
	for prefix.Contains(router.IPAddrs()[0]) {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println(leader.BorderRouters())
	// Output:
	// [{2001:cafe:cafe:cafe::/64 normal}]
	// leader and router have an address in 2001:cafe:cafe:cafe::/64
	// to [2001:4860:4860::8888]:53: "a question"
	// an answer
	// []
}

// The receiver of the documentation of rx_cb, with BORDER_ROUTER_MAGIC_BYTE.
func ExampleParseBorderRouterHeader() {
	leader, router := twoNodes()
	prefix := netip.MustParsePrefix("2001:dead:beef:caff::/64")
	if err := leader.BorderRouter(prefix, pymesh.High); err != nil {
		log.Fatal(err)
	}
	defer leader.RemoveBorderRouter(prefix)
	for !prefix.Contains(leader.IPAddrs()[0]) || !prefix.Contains(router.IPAddrs()[0]) {
		time.Sleep(10 * time.Millisecond)
	}
	brSocket, err := leader.ListenUDP(netip.AddrPortFrom(leader.IPAddrs()[0], 1235))
	if err != nil {
		log.Fatal(err)
	}
	defer brSocket.Close()

	conn, err := router.DialUDP(netip.AddrPort{}, netip.MustParseAddrPort("[1:2::3]:12345"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "Hello Cloud")

	buf := make([]byte, 512)
	n, _, err := brSocket.ReadFromUDPAddrPort(buf)
	if err != nil {
		log.Fatal(err)
	}
	data := buf[:n]
	// check if data is for the external of the Pymesh (for The Cloud)
	if header, payload, err := pymesh.ParseBorderRouterHeader(data); err == nil {
		fmt.Println("IP dest:", header.Destination)
		data = payload
	}
	fmt.Printf("%s\n", data)
	// Output:
	// IP dest: [1:2::3]:12345
	// Hello Cloud
}
