package pymesh_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
)

// TestBackPressure: a write waits for room, until its deadline or the end of the socket, and what it has taken is sent.
func TestBackPressure(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		m.ping(a, b.MeshLocalEID(), 8)
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		start := time.Now()
		for i := range 100 {
			m.send(ca, fmt.Sprint(i), at(b, 1234))
		}
		if d := time.Since(start); d < 5*time.Second {
			t.Errorf("100 datagrams taken within %v", d)
		}
		time.Sleep(10 * time.Second)
		c := a.Counters()
		if c["QueueFull"] != 0 || c["TxDatagramsFailed"] > 3 { // not acknowledged: the air's
			t.Errorf("lost: %+v", c)
		}
		arrived := uint64(0)
		for _, _, err := cb.TryRead(nil); err == nil; _, _, err = cb.TryRead(nil) {
			arrived++
		}
		if arrived+cb.Dropped()+c["TxDatagramsFailed"] != 100 {
			t.Errorf("%d read, %d not in time, %d lost on the air: not 100 together", arrived, cb.Dropped(), c["TxDatagramsFailed"])
		}

		write := func() error {
			_, err := ca.WriteToUDPAddrPort(make([]byte, 1000), at(b, 1234))
			return err
		}
		deadline := time.Now().Add(3 * time.Second)
		ca.SetWriteDeadline(deadline)
		var err error
		for err == nil {
			err = write()
		}
		checkTimeout(t, err, "write")
		if !time.Now().Equal(deadline) {
			t.Errorf("%v after the deadline", time.Since(deadline))
		}
		// A writer that waits sees the deadline move, and the end.
		ca.SetWriteDeadline(time.Time{})
		result := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				err = write()
			}
			result <- err
		}()
		synctest.Wait()
		ca.SetWriteDeadline(time.Now())
		checkTimeout(t, <-result, "write")
		ca.SetWriteDeadline(time.Time{})
		go func() { result <- write() }()
		synctest.Wait()
		ca.Close()
		checkOpError(t, <-result, "write", net.ErrClosed)
	})
}

// TestMeshErrors: what the mesh says of a datagram is the next error of the socket that has sent it.
func TestMeshErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached(pymesh.WithPortUnreachable())
		m.ping(a, b.MeshLocalEID(), 8)
		nobody := netip.MustParseAddrPort("[fdde:ad00:beef::9]:1234")
		dialled, other := m.dial(a, netip.AddrPort{}, nobody), m.dial(a, netip.AddrPort{}, at(b, 1234))
		if _, err := dialled.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, err := dialled.Read(nil) // wakes up
		checkOpError(t, err, "read", syscall.EHOSTUNREACH)
		_, _, err = dialled.TryRead(nil)
		checkOpError(t, err, "read", syscall.EAGAIN)
		_, err = dialled.Write([]byte("x"))
		checkOpError(t, err, "write", syscall.EHOSTUNREACH)

		for range 5 { // a datagram to a node that becomes a router just then is lost
			if _, err := other.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			other.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err = other.Read(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		checkOpError(t, err, "read", syscall.ECONNREFUSED)
		self := m.dial(a, netip.AddrPort{}, at(a, 1234))
		if _, err := self.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err = self.Write([]byte("x"))
		checkOpError(t, err, "write", syscall.ECONNREFUSED)
	})
}

// TestErrorQueue: sockets that are not dialled hear of errors if they want to.
func TestErrorQueue(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached(pymesh.WithPortUnreachable())
		m.ping(a, b.MeshLocalEID(), 8)
		deaf, c := m.listen(a, "[::]:1234"), m.listen(a, "[::]:1235")
		if err := c.SetErrorQueue(true); err != nil {
			t.Fatal(err)
		}
		m.send(deaf, "x", at(b, 4000))
		m.send(c, "x", at(b, 4001))
		_, _, err := c.ReadFrom(nil)
		checkOpError(t, err, "read", syscall.ECONNREFUSED)
		e, ok := c.ReadError()
		if !ok || e.To != at(b, 4001) || e.From != b.MeshLocalEID() || !errors.Is(e, syscall.ECONNREFUSED) {
			t.Errorf("%+v, %v", e, ok)
		}
		if want := "datagram to [" + b.MeshLocalEID().String() + "]:4001: "; !strings.HasPrefix(e.Error(), want) {
			t.Error(e)
		}
		if e, ok := c.ReadError(); ok {
			t.Errorf("another one: %v", e)
		}
		m.expectNothing(deaf)
		if e, ok := deaf.ReadError(); ok {
			t.Errorf("not asked for: %v", e)
		}
	})
}

// TestMulticastDelivery: each socket that may have a datagram to a group gets it, those of the sender's node, too.
func TestMulticastDelivery(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		m.ping(a, b.MeshLocalEID(), 8)
		from := m.listen(a, "[::]:1234")
		near := m.listen(a, netip.AddrPortFrom(a.IPAddrs()[0], 1235).String())
		one, two := m.listen(b, at(b, 1235).String()), m.listen(b, netip.AddrPortFrom(b.IPAddrs()[0], 1235).String())
		dialled := m.dial(b, at(b, 0), at(a, 1234))
		m.send(from, "all", netip.MustParseAddrPort("[ff03::1]:1235"))
		for _, c := range []*pymesh.UDPConn{near, one, two} {
			m.expect(c, "all")
		}
		m.send(from, "peer", netip.AddrPortFrom(netip.MustParseAddr("ff03::1"), localPort(dialled)))
		m.expect(dialled, "peer")
		if err := from.SetMulticastLoopback(false); err != nil {
			t.Fatal(err)
		}
		m.send(from, "others", netip.MustParseAddrPort("[ff02::1]:1235"))
		m.expect(one, "others")
		m.expect(two, "others")
		m.expectNothing(near)
		from.SetMulticastLoopback(true)
		m.send(from, "here", netip.MustParseAddrPort("[ff01::1]:1235"))
		m.expect(near, "here")
		m.expectNothing(one)
	})
}

// TestReadMsg: a datagram says where it was sent to, and how it arrived.
func TestReadMsg(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		m.ping(a, b.MeshLocalEID(), 8)
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		for _, to := range []netip.Addr{b.MeshLocalEID(), netip.MustParseAddr("ff03::1")} {
			m.send(ca, "Hello World!", netip.AddrPortFrom(to, 1234))
			buf := make([]byte, 5)
			n, msg, err := cb.ReadMsg(buf)
			if err != nil || string(buf[:n]) != "Hello" || msg.From != at(a, 1234) || msg.To != to || msg.HopLimit != 64 || msg.Size != 12 {
				t.Errorf("%q, %+v, %v", buf[:n], msg, err)
			}
			if msg.RSSI > -20 || msg.RSSI < -100 {
				t.Errorf("RSSI %d", msg.RSSI)
			}
		}
		m.expect(ca, "Hello World!") // to the group
		m.send(ca, "self", at(a, 1234))
		synctest.Wait()
		n, msg, err := ca.TryRead(make([]byte, 10))
		if n != 4 || msg.RSSI != pymesh.RSSIUnknown || err != nil {
			t.Errorf("%d, %+v, %v", n, msg, err)
		}
		_, _, err = ca.TryRead(nil)
		checkOpError(t, err, "read", syscall.EAGAIN)
		ca.Close()
		_, _, err = ca.TryRead(nil)
		checkOpError(t, err, "read", net.ErrClosed)
	})
}

// TestSignatures: the methods that libraries take in place of package net's.
func TestSignatures(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		var listen func(ctx context.Context, network, address string) (net.PacketConn, error) = n.ListenPacket
		var dial func(ctx context.Context, network, address string) (net.Conn, error) = n.DialContext
		p, err := listen(t.Context(), "udp", ":1234")
		if err != nil {
			t.Fatal(err)
		}
		c, err := dial(t.Context(), "udp6", at(n, 1234).String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("x"))
		if got, from, err := p.ReadFrom(make([]byte, 10)); got != 1 || from.String() != c.LocalAddr().String() || err != nil {
			t.Errorf("%d, %v, %v", got, from, err)
		}
		c.Close()
		p.Close()
		for _, tt := range []struct{ network, address, want string }{
			{"tcp", "[::1]:1234", "unknown network tcp"},
			{"udp4", "10.0.0.1:1234", "unknown network udp4"},
			{"udp", "node:1234", "a mesh has no names"},
			{"udp", "1234", "missing port"},
			{"udp", "[::]:80", "is not in 1024 to 63535"},
			{"udp", "[::]:99999", "invalid port"},
		} {
			if p, err := listen(t.Context(), tt.network, tt.address); p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("listen %s %s: %v", tt.network, tt.address, err)
			}
		}
		if c, err := dial(t.Context(), "udp", "[fdde::1]:0"); c != nil || err == nil {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = listen(ended, "udp", ":1234")
		checkOpErrorOf(t, err, context.Canceled)
	})
}

func checkOpErrorOf(t *testing.T, err, cause error) {
	t.Helper()
	var e *net.OpError
	if !errors.As(err, &e) || !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

// TestWaits: a node alone is attached, has no neighbor, and reaches nobody; two that start together find each other.
func TestWaits(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a := m.attached()
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := a.WaitNeighbor(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := a.WaitReachable(short, netip.MustParseAddr("fdde:ad00:beef::9")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		eid := a.MeshLocalEID()
		a.Close()
		if err := a.WaitReachable(t.Context(), eid); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.start(m.radio()), m.start(m.radio())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := a.WaitReachable(ctx, b.MeshLocalEID()); err != nil {
			t.Fatal(err)
		}
		if err := a.WaitNeighbor(ctx); err != nil {
			t.Fatal(err)
		}
		ca, cb := m.listen(a, "[::]:1234"), m.listen(b, "[::]:1234")
		m.send(ca, "at the first try", at(b, 1234))
		m.expect(cb, "at the first try")
	})
}
