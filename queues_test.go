package pymesh_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
)

// TestQueues: what waits for an address, for the radio and for a reader is told, and nothing of it when it has gone.
func TestQueues(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		time.Sleep(time.Minute)
		in := m.listen(b, "[::]:1234")
		out := m.listen(a, "[::]:1235")
		peer := netip.AddrPortFrom(b.MeshLocalEID(), 1234)
		for _, to := range []netip.AddrPort{peer, netip.MustParseAddrPort("[fdde:ad00:beef::9]:1234")} {
			if _, err := out.WriteToUDPAddrPort([]byte("hello"), to); err != nil {
				t.Fatal(err)
			}
		}
		if q := a.Queues(); q.Sending < 1 || q.Resolving != 1 || q.Sockets != 0 {
			t.Errorf("%+v", q)
		}
		time.Sleep(5 * time.Second)
		if q := b.Queues(); q.Sockets != 1 {
			t.Errorf("%+v", q)
		}
		if _, _, err := in.ReadFrom(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		for _, n := range []*pymesh.Node{a, b} {
			if q := n.Queues(); q.Sending+q.Resolving+q.Sockets+q.Handlers+q.Requests+q.Reassembling != 0 {
				t.Errorf("%+v", q)
			}
		}
		blocked := make(chan struct{})
		b.OnPacket(func([]byte) { <-blocked })
		if _, err := out.WriteToUDPAddrPort([]byte("nobody's"), netip.AddrPortFrom(b.MeshLocalEID(), 9)); err != nil {
			t.Fatal(err)
		}
		if _, err := out.WriteToUDPAddrPort([]byte("nobody's"), netip.AddrPortFrom(b.MeshLocalEID(), 9)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if q := b.Queues(); q.Handlers != 1 {
			t.Errorf("%+v", q)
		}
		close(blocked)
		synctest.Wait()
		if q := b.Queues(); q.Handlers != 0 {
			t.Errorf("%+v", q)
		}
	})
}
