package pymesh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
)

// checkOpError fails unless err is a *net.OpError with the cause, of a UDP socket.
func checkOpError(t *testing.T, err error, op string, cause error) {
	t.Helper()
	var e *net.OpError
	if !errors.As(err, &e) || e.Op != op || e.Net != "udp" || !errors.Is(err, cause) {
		t.Errorf("error %#v (%v), want a *net.OpError of %q with %q", err, err, op, cause)
	}
}

// checkTimeout fails unless err is what a deadline brings.
func checkTimeout(t *testing.T, err error, op string) {
	t.Helper()
	checkOpError(t, err, op, os.ErrDeadlineExceeded)
	var e net.Error
	if !errors.As(err, &e) || !e.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
}

// TestDatagrams: datagrams of all sizes go from node to node and back.
func TestDatagrams(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		time.Sleep(time.Minute) // b becomes a router, and has another place
		m.ping(a, b.MeshLocalEID(), 8)
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:4321")
		for _, size := range []int{0, 1, 12, 100, 500, 1000, pymesh.MaxDatagramSize} {
			payload := strings.Repeat("x", size)
			m.send(ca, payload, at(b, 4321))
			from := m.expect(cb, payload)
			if from != at(a, 1234) {
				t.Errorf("from %v, want %v", from, at(a, 1234))
			}
			m.send(cb, payload, from)
			m.expect(ca, payload)
		}
		// As net.PacketConn.
		if n, err := ca.WriteTo([]byte("Hello World!"), udpAddr(at(b, 4321))); n != 12 || err != nil {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
		buf := make([]byte, 100)
		n, addr, err := cb.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "Hello World!" || addr.String() != at(a, 1234).String() {
			t.Errorf("ReadFrom: %q from %v, %v", buf[:n], addr, err)
		}
	})
}

// TestAddresses: a node is reached at each of its addresses, and answers from the right one.
func TestAddresses(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		for _, dst := range a.IPAddrs() {
			want := b.MeshLocalEID()
			if dst.IsLinkLocalUnicast() {
				want = b.IPAddrs()[len(b.IPAddrs())-1]
			}
			m.send(cb, "to "+dst.String(), netip.AddrPortFrom(dst.WithZone("lora0"), 1234))
			if from := m.expect(ca, "to "+dst.String()); from.Addr() != want {
				t.Errorf("a datagram to %v came from %v, want %v", dst, from, want)
			}
		}
	})
}

// TestLoopback: a node reaches itself, at once and without the air.
func TestLoopback(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		sent := n.Counters()["TxFrames"]
		for _, dst := range n.IPAddrs() {
			m.send(c, "self", netip.AddrPortFrom(dst, 1234))
			if from := m.expect(c, "self"); from.Addr() != dst {
				t.Errorf("a datagram to %v came from %v", dst, from)
			}
		}
		if now := n.Counters()["TxFrames"]; now != sent {
			t.Errorf("%d frames sent", now-sent)
		}
	})
}

// TestBoundAddress: a socket that is bound to one address gets nothing that goes to others, and sends from that address.
func TestBoundAddress(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		sender := m.listen(n, "[::]:5000")
		var conns []*pymesh.UDPConn
		for _, a := range n.IPAddrs() {
			c := m.listen(n, netip.AddrPortFrom(a, 1234).String())
			if addrPort(c) != netip.AddrPortFrom(a, 1234) {
				t.Errorf("LocalAddr is %v, want %v", c.LocalAddr(), a)
			}
			conns = append(conns, c)
		}
		for i, a := range n.IPAddrs() {
			m.send(sender, a.String(), netip.AddrPortFrom(a, 1234))
			m.expect(conns[i], a.String())
			m.send(conns[i], "back", at(n, 5000))
			if from := m.expect(sender, "back"); from.Addr() != a {
				t.Errorf("sent from %v, want %v", from, a)
			}
		}
		for _, c := range conns {
			m.expectNothing(c)
		}
	})
}

// TestPorts: 1024 to 63535 as documented; another port is an error that says so.
func TestPorts(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		for _, port := range []uint16{1024, 1234, 49152, 63535} {
			c, err := n.ListenUDP(netip.AddrPortFrom(netip.Addr{}, port))
			if err != nil {
				t.Errorf("port %d: %v", port, err)
				continue
			}
			if got := addrPort(c); got != netip.AddrPortFrom(netip.IPv6Unspecified(), port) {
				t.Errorf("port %d: LocalAddr is %v", port, got)
			}
		}
		for _, port := range []uint16{1, 80, 1023, 63536, 65535} {
			local := netip.AddrPortFrom(netip.IPv6Unspecified(), port)
			_, err := n.ListenUDP(local)
			if err == nil || !strings.Contains(err.Error(), "is not in 1024 to 63535") {
				t.Errorf("ListenUDP at port %d: %v", port, err)
			}
			_, err = n.DialUDP(local, netip.MustParseAddrPort("[fdde:ad00:beef::1]:1234"))
			if err == nil || !strings.Contains(err.Error(), "is not in 1024 to 63535") {
				t.Errorf("DialUDP from port %d: %v", port, err)
			}
		}
		for _, port := range []uint16{19788, 61631} { // MLE, network management
			_, err := n.ListenUDP(netip.AddrPortFrom(netip.Addr{}, port))
			checkOpError(t, err, "listen", syscall.EADDRINUSE)
		}
	})
}

// TestEphemeralPorts: port 0 takes a free one each time.
func TestEphemeralPorts(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		first := m.listen(n, "[::]:0")
		seen := map[uint16]bool{localPort(first): true}
		for range 20_000 {
			c, err := n.ListenUDP(netip.AddrPort{})
			if err != nil {
				t.Fatal(err)
			}
			port := localPort(c)
			if port == localPort(first) || port < 49152 || port > pymesh.MaxPort || port == 61631 {
				t.Fatalf("port %d", port)
			}
			seen[port] = true
			c.Close()
		}
		if want := pymesh.MaxPort - 49152 + 1 - 1; len(seen) != want { // all but the one of network management
			t.Errorf("%d ports, want %d", len(seen), want)
		}
	})
}

func TestNoPortLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 14335 sockets")
	}
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio(), pymesh.WithMaxSockets(20000))
		linkLocal := n.IPAddrs()[0]
		for {
			_, err := n.ListenUDP(netip.AddrPortFrom(linkLocal, 0))
			if err == nil {
				continue
			}
			checkOpError(t, err, "listen", syscall.EADDRINUSE)
			break
		}
	})
}

func TestListenErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		eid := n.MeshLocalEID()
		taken := m.listen(n, "[::]:1234")
		m.listen(n, netip.AddrPortFrom(eid, 2345).String())
		for _, tt := range []struct {
			local string
			want  error
		}{
			{"[::]:1234", syscall.EADDRINUSE},
			{netip.AddrPortFrom(eid, 1234).String(), syscall.EADDRINUSE},
			{"[::]:2345", syscall.EADDRINUSE},
			{netip.AddrPortFrom(eid, 2345).String(), syscall.EADDRINUSE},
			{"[fdde:ad00:beef::1]:1235", syscall.EADDRNOTAVAIL},
			{"[ff03::1]:1235", syscall.EADDRNOTAVAIL},
		} {
			_, err := n.ListenUDP(netip.MustParseAddrPort(tt.local))
			checkOpError(t, err, "listen", tt.want)
			_, err = n.DialUDP(netip.MustParseAddrPort(tt.local), netip.MustParseAddrPort("[fdde:ad00:beef::9]:1"))
			checkOpError(t, err, "dial", tt.want)
		}
		for _, local := range []string{"10.0.0.1:1234", "0.0.0.0:1234", "[::ffff:10.0.0.1]:1234"} {
			_, err := n.ListenUDP(netip.MustParseAddrPort(local))
			if err == nil || !strings.Contains(err.Error(), "not an IPv6 address") {
				t.Errorf("%s: %v", local, err)
			}
		}
		// Another address with the same port is free, and a closed socket's port is again.
		rloc := n.IPAddrs()[1]
		m.listen(n, netip.AddrPortFrom(rloc, 2345).String())
		taken.Close()
		m.listen(n, "[::]:1234")
	})
}

// TestWithMaxSockets: without the option the bound is far, with WithMaxSockets(3) the firmware's.
func TestWithMaxSockets(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		many, few := m.start(m.radio()), m.start(m.radio(), pymesh.WithMaxSockets(3))
		for range 100 {
			m.listen(many, "[::]:0")
		}
		var last *pymesh.UDPConn
		for range 3 {
			last = m.listen(few, "[::]:0")
		}
		_, err := few.ListenUDP(netip.AddrPort{})
		checkOpError(t, err, "listen", syscall.EMFILE)
		if !strings.Contains(err.Error(), "3 sockets") {
			t.Error(err)
		}
		_, err = few.DialUDP(netip.AddrPort{}, netip.MustParseAddrPort("[fdde:ad00:beef::1]:1234"))
		checkOpError(t, err, "dial", syscall.EMFILE)
		last.Close()
		m.listen(few, "[::]:0")
	})
}

// TestDial: a dialled socket hears its peer alone, and nobody but it hears the peer.
func TestDial(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		peer, other := m.listen(n, "[::]:2000"), m.listen(n, "[::]:3000")
		c := m.dial(n, netip.AddrPort{}, at(n, 2000))
		if got, want := c.RemoteAddr().String(), at(n, 2000).String(); got != want {
			t.Errorf("RemoteAddr is %v, want %v", got, want)
		}
		local := addrPort(c)
		if local.Addr() != n.MeshLocalEID() {
			t.Errorf("LocalAddr is %v, want the mesh-local EID", local)
		}
		if peer.RemoteAddr() != nil {
			t.Errorf("RemoteAddr of a listening socket is %v", peer.RemoteAddr())
		}
		if n, err := c.Write([]byte("question")); n != 8 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if from := m.expect(peer, "question"); from != local {
			t.Errorf("from %v, want %v", from, local)
		}
		m.send(other, "noise", local)
		m.send(peer, "answer", local)
		m.expect(c, "answer")
		m.expectNothing(c)

		_, err := c.WriteTo([]byte("x"), udpAddr(at(n, 3000)))
		checkOpError(t, err, "write", net.ErrWriteToConnected)
		_, err = peer.Write([]byte("x"))
		checkOpError(t, err, "write", syscall.EDESTADDRREQ)
	})
}

// TestDialLinkLocal: to a neighbor's link-local address the node's own is chosen, before it is attached too.
func TestDialLinkLocal(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		last := func(n *pymesh.Node) netip.Addr { return n.IPAddrs()[len(n.IPAddrs())-1] }
		listener := m.listen(b, "[::]:1234")
		c := m.dial(a, netip.AddrPort{}, netip.AddrPortFrom(last(b).WithZone("lora0"), 1234))
		if got := addrPort(c).Addr(); got != last(a) {
			t.Errorf("LocalAddr is %v, want %v", got, last(a))
		}
		c.Write([]byte("hello"))
		from := m.expect(listener, "hello")
		m.send(listener, "hello too", from)
		m.expect(c, "hello too")
	})
}

func TestDialErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		for _, remote := range []netip.AddrPort{
			{}, netip.MustParseAddrPort("10.0.0.1:1234"), netip.MustParseAddrPort("[::]:1234"),
			netip.MustParseAddrPort("[::ffff:10.0.0.1]:1234"), netip.MustParseAddrPort("[fdde:ad00:beef::1]:0"),
		} {
			_, err := n.DialUDP(netip.AddrPort{}, remote)
			var e *net.AddrError
			if !errors.As(err, &e) {
				t.Errorf("%v: %v", remote, err)
			}
		}
	})
}

func TestWriteErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		c := m.listen(n, "[::]:1234")
		peer := netip.MustParseAddrPort("[fdde:ad00:beef::1]:1234")
		_, err := c.WriteToUDPAddrPort([]byte("x"), peer)
		checkOpError(t, err, "write", syscall.ENETUNREACH)
		var e *net.OpError
		if errors.As(err, &e); e.Addr.String() != peer.String() {
			t.Errorf("the error names %v, not %v", e.Addr, peer)
		}
		m.wait(n)

		_, err = c.WriteToUDPAddrPort(make([]byte, pymesh.MaxDatagramSize+1), peer)
		checkOpError(t, err, "write", syscall.EMSGSIZE)
		for group, most := range map[string]int{
			"[ff02::1]:1234": pymesh.MaxDatagramSize, "[ff03::1]:1234": pymesh.MaxDatagramSize, "[ff04::1]:1234": pymesh.MaxWideMulticastSize,
			"[ff0e::1]:1234": pymesh.MaxWideMulticastSize,
		} {
			to := netip.MustParseAddrPort(group)
			if _, err = c.WriteToUDPAddrPort(make([]byte, most), to); err != nil {
				t.Errorf("%d bytes to %v: %v", most, to, err)
			}
			_, err = c.WriteToUDPAddrPort(make([]byte, most+1), to)
			checkOpError(t, err, "write", syscall.EMSGSIZE)
		}
		// Nobody answers to the question where the peer is: the next datagram is refused.
		if _, err = c.WriteToUDPAddrPort([]byte("x"), peer); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		_, err = c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:1234"))
		checkOpError(t, err, "write", syscall.ENETUNREACH)
		for _, self := range []string{"[::1]:1234", "[::]:1234"} {
			_, err = c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort(self))
			checkOpError(t, err, "write", syscall.ENETUNREACH)
		}
		linkLocal := n.IPAddrs()[len(n.IPAddrs())-1]
		bound := m.listen(n, netip.AddrPortFrom(linkLocal, 4321).String())
		_, err = bound.WriteToUDPAddrPort([]byte("x"), peer) // from an address that means nothing there
		checkOpError(t, err, "write", syscall.ENETUNREACH)
		for _, to := range []netip.AddrPort{
			{}, netip.MustParseAddrPort("10.0.0.1:1234"), netip.MustParseAddrPort("[fdde:ad00:beef::1]:0"),
		} {
			var e *net.AddrError
			if _, err := c.WriteToUDPAddrPort([]byte("x"), to); !errors.As(err, &e) {
				t.Errorf("to %v: %v", to, err)
			}
		}
		for _, to := range []net.Addr{nil, (*net.UDPAddr)(nil), &net.TCPAddr{}, &net.IPAddr{}} {
			var e *net.AddrError
			if _, err := c.WriteTo([]byte("x"), to); !errors.As(err, &e) {
				t.Errorf("to %T: %v", to, err)
			}
		}
	})
}

// TestAddressGone: a socket that is bound to the locator of a place that the node has left sends nothing.
func TestAddressGone(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		leader, n := m.attached(), m.attached()
		rloc := n.IPAddrs()[0]
		c := m.listen(n, netip.AddrPortFrom(rloc, 1234).String())
		m.until(3*time.Minute, "router", func() bool { return n.State() == pymesh.StateRouter })
		_, err := c.WriteToUDPAddrPort([]byte("x"), at(leader, 1234))
		checkOpError(t, err, "write", syscall.EADDRNOTAVAIL)
	})
}

// TestShortBuffer: what does not fit is lost, as with every UDP socket.
func TestShortBuffer(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.dial(n, netip.AddrPortFrom(netip.Addr{}, 1234), at(n, 1234))
		for _, s := range []string{"Hello World!", "", "next"} {
			if _, err := c.Write([]byte(s)); err != nil {
				t.Fatal(err)
			}
		}
		buf := []byte("........")
		if n, err := c.Read(buf[:5]); n != 5 || err != nil || string(buf) != "Hello..." {
			t.Errorf("Read: %d, %v, %q", n, err, buf)
		}
		if n, err := c.Read(buf); n != 0 || err != nil {
			t.Errorf("empty datagram: %d, %v", n, err)
		}
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("no buffer: %d, %v", n, err)
		}
		m.expectNothing(c)
	})
}

// TestBufferIsFree: a buffer that was written may be used again.
func TestBufferIsFree(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		m.ping(a, b.MeshLocalEID(), 8)
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		buf := []byte("original")
		ca.WriteToUDPAddrPort(buf, at(b, 1234))
		clear(buf) // while the datagram still waits for the radio
		m.expect(cb, "original")
	})
}

// TestQueue: a socket that nobody reads keeps the latest 64 datagrams.
func TestQueue(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		for i := range 100 {
			m.send(c, string(rune('0'+i)), at(n, 1234))
		}
		synctest.Wait()
		if got := c.Dropped(); got != 36 {
			t.Errorf("%d dropped, want 36", got)
		}
		for i := range 64 {
			m.expect(c, string(rune('0'+36+i)))
		}
		m.expectNothing(c)
	})
}

func TestSocketCloseImmediately(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		for range 100 {
			c, err := n.ListenUDP(netip.AddrPort{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSocketCloseTwice(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		c := m.listen(n, "[::]:1234")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		checkOpError(t, c.Close(), "close", net.ErrClosed)
		c = m.listen(n, "[::]:1234")
		n.Close()
		checkOpError(t, c.Close(), "close", net.ErrClosed)
	})
}

// TestSocketCloseUnblocksRead: of several readers all come back.
func TestSocketCloseUnblocksRead(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		c := m.listen(m.start(m.radio()), "[::]:1234")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, _, err := c.ReadFrom(make([]byte, 10))
				checkOpError(t, err, "read", net.ErrClosed)
			})
		}
		synctest.Wait()
		c.Close()
		wg.Wait()
	})
}

// TestClosedSocket: everything fails with net.ErrClosed, datagrams that came before are gone.
func TestClosedSocket(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		m.send(c, "lost", at(n, 1234))
		synctest.Wait()
		c.Close()
		_, err := c.Read(make([]byte, 10))
		checkOpError(t, err, "read", net.ErrClosed)
		_, err = c.WriteToUDPAddrPort([]byte("x"), at(n, 1234))
		checkOpError(t, err, "write", net.ErrClosed)
		for _, set := range []func(time.Time) error{c.SetDeadline, c.SetReadDeadline, c.SetWriteDeadline} {
			checkOpError(t, set(time.Now()), "set", net.ErrClosed)
		}
		checkOpError(t, c.JoinGroup(netip.MustParseAddr("ff03::abcd")), "set", net.ErrClosed)
		if addrPort(c).Port() != 1234 {
			t.Errorf("LocalAddr is %v", c.LocalAddr())
		}
	})
}

func TestReadDeadline(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		read := func() error {
			_, err := c.Read(make([]byte, 10))
			return err
		}
		start := time.Now()
		c.SetReadDeadline(start.Add(3 * time.Second))
		for range 2 {
			checkTimeout(t, read(), "read")
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("timeout after %v", d)
		}
		// One that has passed counts even if there is something to read, which stays.
		m.send(c, "x", at(n, 1234))
		synctest.Wait()
		c.SetReadDeadline(time.Now().Add(-time.Second))
		checkTimeout(t, read(), "read")
		c.SetReadDeadline(time.Time{})
		if err := read(); err != nil {
			t.Error(err)
		}
		// A reader that waits sees the deadline move, away and near.
		c.SetReadDeadline(time.Now().Add(time.Second))
		done := make(chan error)
		start = time.Now()
		go func() { done <- read() }()
		time.Sleep(time.Second / 2)
		c.SetReadDeadline(time.Now().Add(time.Hour))
		time.Sleep(time.Minute)
		c.SetReadDeadline(time.Now())
		checkTimeout(t, <-done, "read")
		if d := time.Since(start); d != time.Minute+time.Second/2 {
			t.Errorf("timeout after %v", d)
		}
		// No deadline: a read waits for an hour.
		c.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Hour, func() { m.send(c, "late", at(n, 1234)) })
		if err := read(); err != nil {
			t.Error(err)
		}
	})
}

func TestWriteDeadline(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		m.listen(n, "[::]:1234")
		c := m.dial(n, netip.AddrPort{}, at(n, 1234))
		write := func() error {
			_, err := c.Write([]byte("x"))
			return err
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		if err := write(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		checkTimeout(t, write(), "write")
		c.SetReadDeadline(time.Time{}) // another deadline
		checkTimeout(t, write(), "write")
		c.SetDeadline(time.Time{})
		if err := write(); err != nil {
			t.Error(err)
		}
		c.SetDeadline(time.Now().Add(-time.Nanosecond))
		checkTimeout(t, write(), "write")
		_, err := c.Read(nil)
		checkTimeout(t, err, "read")
	})
}

// TestGroups: a datagram to a group reaches those that have joined it.
func TestGroups(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		other := m.listen(b, "[::]:2345")
		all := netip.MustParseAddrPort("[ff03::1]:1234") // all nodes of the mesh, joined always
		group := netip.MustParseAddrPort("[ff03::abcd]:1234")
		m.send(ca, "all", all)
		m.expect(cb, "all")

		m.send(ca, "not joined", group)
		m.expectNothing(cb)
		for range 2 {
			if err := cb.JoinGroup(group.Addr()); err != nil {
				t.Fatal(err)
			}
		}
		m.send(ca, "joined", group)
		m.expect(cb, "joined")
		// While one socket is a member the node is.
		if err := other.JoinGroup(group.Addr()); err != nil {
			t.Fatal(err)
		}
		if err := cb.LeaveGroup(group.Addr()); err != nil {
			t.Fatal(err)
		}
		m.send(ca, "still joined", group)
		m.expect(cb, "still joined")
		other.Close()
		m.send(ca, "left", group)
		m.expectNothing(cb)
		checkOpError(t, cb.LeaveGroup(group.Addr()), "set", syscall.EADDRNOTAVAIL)

		var err error
		joined := 0
		for ; err == nil && joined < 1000; joined++ {
			err = cb.JoinGroup(netip.AddrFrom16([16]byte{0: 0xff, 1: 3, 14: byte(joined >> 8), 15: byte(joined)}))
		}
		if !errors.Is(err, syscall.ENOBUFS) || joined > 100 {
			t.Errorf("%d groups joined, then %v", joined, err)
		}

		for _, addr := range []netip.Addr{{}, netip.MustParseAddr("224.0.0.1"), a.MeshLocalEID()} {
			var e *net.AddrError
			if err := cb.JoinGroup(addr); !errors.As(err, &e) {
				t.Errorf("JoinGroup(%v): %v", addr, err)
			}
		}
	})
}

// TestGroupsOfTheCommandLine: what a socket leaves, the command line still has, and the other way round.
func TestGroupsOfTheCommandLine(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		conn := m.listen(n, "[::]:1234")
		group := netip.MustParseAddr("ff03::abcd")
		say := func(command string) string {
			t.Helper()
			text, err := n.CLI(t.Context(), command)
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			return text
		}
		listens := func(want bool) {
			t.Helper()
			if got := strings.Contains(say("ipmaddr"), "ff03:0:0:0:0:0:0:abcd"); got != want {
				t.Errorf("the node listens: %v", got)
			}
		}
		say("ipmaddr add ff03::abcd")
		for range 2 { // joining twice is joining once
			if err := conn.JoinGroup(group); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.LeaveGroup(group); err != nil {
			t.Fatal(err)
		}
		listens(true)
		say("ipmaddr del ff03::abcd")
		listens(false)
		if err := conn.JoinGroup(group); err != nil {
			t.Fatal(err)
		}
		say("ipmaddr add ff03::abcd")
		say("ipmaddr del ff03::abcd")
		listens(true)
		conn.Close()
		listens(false)
	})
}

// TestNetInterfaces: a socket serves code that knows package net alone.
func TestNetInterfaces(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		server := m.listen(n, "[::]:7000")
		go func(p net.PacketConn) { // echo service
			buf := make([]byte, 100)
			for {
				n, from, err := p.ReadFrom(buf)
				if err != nil {
					return
				}
				p.WriteTo(bytes.ToUpper(buf[:n]), from)
			}
		}(server)
		var client net.Conn = m.dial(n, netip.AddrPort{}, at(n, 7000))
		if _, err := io.WriteString(client, "hello"); err != nil {
			t.Fatal(err)
		}
		client.SetDeadline(time.Now().Add(time.Second))
		buf := make([]byte, 100)
		if n, err := client.Read(buf); err != nil || string(buf[:n]) != "HELLO" {
			t.Errorf("%q, %v", buf[:n], err)
		}
		if client.LocalAddr().Network() != "udp" || client.RemoteAddr().Network() != "udp" {
			t.Error(client.LocalAddr().Network(), client.RemoteAddr().Network())
		}
	})
}

// receiver collects what a handler of OnReceive gets.
type receiver struct {
	mu   sync.Mutex
	got  []string
	busy bool
}

// handle reads one datagram, as a handler should.
func (r *receiver) handle(c *pymesh.UDPConn) {
	r.mu.Lock()
	if r.busy {
		panic("two calls at a time")
	}
	r.busy = true
	r.mu.Unlock()
	buf := make([]byte, 100)
	n, _, err := c.ReadFrom(buf)
	time.Sleep(time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if err == nil {
		r.got = append(r.got, string(buf[:n]))
	}
}

func (r *receiver) expect(t *testing.T, want ...string) {
	t.Helper()
	time.Sleep(time.Minute)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.got, want) {
		t.Errorf("got %q, want %q", r.got, want)
	}
	r.got = nil
}

// TestOnReceive: one handler for all sockets, one call for each datagram, in order and one at a time.
func TestOnReceive(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		a, b := m.listen(n, "[::]:1234"), m.listen(n, "[::]:1235")
		m.send(a, "before", at(n, 1235)) // waits for the handler
		synctest.Wait()
		var r receiver
		n.OnReceive(r.handle)
		m.send(a, "1", at(n, 1235))
		m.send(b, "2", at(n, 1234))
		m.send(a, "3", at(n, 1235))
		c := m.listen(n, "[::]:1236") // opened later
		m.send(a, "4", at(n, 1236))
		r.expect(t, "before", "1", "2", "3", "4")

		// Another handler replaces it.
		var second receiver
		n.OnReceive(second.handle)
		m.send(a, "5", at(n, 1236))
		second.expect(t, "5")
		// No handler: datagrams wait for a reader.
		n.OnReceive(nil)
		m.send(a, "6", at(n, 1236))
		second.expect(t)
		r.expect(t)
		m.expect(c, "6")
	})
}

// TestOnReceiveOverAir: the handler answers, as the documented one does.
func TestOnReceiveOverAir(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		ca := m.listen(a, "[::]:1234")
		m.listen(b, "[::]:1234")
		b.OnReceive(func(c *pymesh.UDPConn) {
			buf := make([]byte, 100)
			if n, from, err := c.ReadFromUDPAddrPort(buf); err == nil && !bytes.HasPrefix(buf[:n], []byte("ACK")) {
				c.WriteToUDPAddrPort([]byte("ACK"), from)
			}
		})
		m.send(ca, "Hello World!", at(b, 1234))
		if from := m.expect(ca, "ACK"); from != at(b, 1234) {
			t.Errorf("from %v", from)
		}
	})
}

// TestHandlerDoesNotRead: what it leaves, others read; each datagram gets one call.
func TestHandlerDoesNotRead(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		calls := 0
		n.OnReceive(func(*pymesh.UDPConn) { calls++ })
		for range 3 {
			m.send(c, "x", at(n, 1234))
			synctest.Wait()
		}
		if calls != 3 {
			t.Errorf("%d calls, want 3", calls)
		}
		for range 3 {
			m.expect(c, "x")
		}
	})
}

// TestHandlerReadsAll: a handler that reads more than one datagram is not called for those again.
func TestHandlerReadsAll(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		calls, datagrams := 0, 0
		n.OnReceive(func(c *pymesh.UDPConn) {
			calls++
			c.SetReadDeadline(time.Now().Add(time.Second))
			for {
				if _, err := c.Read(nil); err != nil {
					return
				}
				datagrams++
			}
		})
		for range 200 {
			m.send(c, "x", at(n, 1234))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if datagrams == 0 || datagrams+int(c.Dropped()) != 200 || calls > datagrams {
			t.Errorf("%d calls for %d datagrams, %d dropped", calls, datagrams, c.Dropped())
		}
	})
}

// TestHandlerUsesNode: everything may be called from a handler, Close of the node too.
func TestHandlerUsesNode(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		done := make(chan struct{})
		n.OnReceive(func(c *pymesh.UDPConn) {
			defer close(done)
			if n.State() != pymesh.StateLeader {
				t.Errorf("state %v", n.State())
			}
			if _, err := n.Ping(context.Background(), n.MeshLocalEID(), 8); err != nil {
				t.Error(err)
			}
			m.listen(n, "[::]:0").Close()
			n.OnReceive(nil)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		m.send(c, "x", at(n, 1234))
		<-done
	})
}

// TestCloseWhileHandlerRuns: Close does not wait for it; it sees its socket closed, and is not called again.
func TestCloseWhileHandlerRuns(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		c := m.listen(n, "[::]:1234")
		calls := 0
		read := make(chan error)
		n.OnReceive(func(c *pymesh.UDPConn) {
			calls++
			c.Read(nil)
			for {
				if _, err := c.Read(nil); err != nil {
					read <- err
					return
				}
			}
		})
		for range 3 {
			m.send(c, "x", at(n, 1234))
		}
		synctest.Wait()
		n.Close()
		checkOpError(t, <-read, "read", net.ErrClosed)
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}
