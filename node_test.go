package pymesh_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
)

// TestStates: the numbers are those of PYMESH_ROLE_….
func TestStates(t *testing.T) {
	for want, s := range []pymesh.State{
		pymesh.StateDisabled, pymesh.StateDetached, pymesh.StateChild, pymesh.StateRouter, pymesh.StateLeader,
	} {
		if int(s) != want {
			t.Errorf("%v is %d, want %d", s, s, want)
		}
	}
	if got := fmt.Sprint(pymesh.StateDisabled, pymesh.StateDetached, pymesh.StateChild, pymesh.StateRouter,
		pymesh.StateLeader); got != "disabled detached child router leader" {
		t.Error(got)
	}
}

// TestLeaderAlone: a node that hears nobody founds a partition.
func TestLeaderAlone(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		if n.State() != pymesh.StateDetached || !n.Single() || n.Neighbors() != nil || n.Routers() != nil {
			t.Errorf("at the start: %v", n)
		}
		if l, ok := n.Leader(); ok {
			t.Errorf("leader %+v at the start", l)
		}
		m.wait(n)
		if n.State() != pymesh.StateLeader || !n.Single() || len(n.Neighbors()) != 0 {
			t.Errorf("%v, single %v, neighbors %v", n, n.Single(), n.Neighbors())
		}
		rloc := n.RLOC16()
		routers := n.Routers()
		if len(routers) != 1 || routers[0].MAC != n.MAC() || routers[0].RLOC16 != rloc || routers[0].PathCost != 0 ||
			routers[0].NextHop != rloc || rloc != pymesh.RLOC16(routers[0].ID)<<10 {
			t.Errorf("routers %+v", routers)
		}
		if l, ok := n.Leader(); !ok || l.MAC != n.MAC() || l.RLOC16 != rloc || l.PartitionID == 0 {
			t.Errorf("leader %+v, %v", l, ok)
		}
		if got, want := n.String(), fmt.Sprintf("pymesh node %v leader 0x%04x", n.MAC(), rloc); got != want {
			t.Errorf("String: %s, want %s", got, want)
		}
	})
}

// TestIPAddrs: leader anycast locator, routing locator, mesh-local EID, link-local address, as ipaddr() lists them.
func TestIPAddrs(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		leader, child := m.attached(), m.attached()
		locator := func(rloc pymesh.RLOC16) netip.Addr {
			return netip.MustParseAddr(fmt.Sprintf("fdde:ad00:beef::ff:fe00:%x", rloc))
		}
		linkLocal := func(n *pymesh.Node) netip.Addr {
			b := [16]byte{0xfe, 0x80}
			for i := range 8 {
				b[8+i] = byte(n.MAC() >> (56 - 8*i))
			}
			b[8] ^= 2
			return netip.AddrFrom16(b)
		}
		want := []netip.Addr{locator(0xfc00), locator(leader.RLOC16()), leader.MeshLocalEID(), linkLocal(leader)}
		if got := leader.IPAddrs(); !slices.Equal(got, want) {
			t.Errorf("leader has %v, want %v", got, want)
		}
		want = []netip.Addr{locator(child.RLOC16()), child.MeshLocalEID(), linkLocal(child)}
		if got := child.IPAddrs(); !slices.Equal(got, want) {
			t.Errorf("child has %v, want %v", got, want)
		}
		if eid := child.MeshLocalEID(); !netip.MustParsePrefix("fdde:ad00:beef::/64").Contains(eid) || eid == leader.MeshLocalEID() {
			t.Errorf("mesh-local EID %v", eid)
		}
	})
}

// TestChildTables: what a leader and its child know of each other.
func TestChildTables(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		leader, child := m.attached(), m.attached()
		if child.State() != pymesh.StateChild || !leader.Single() {
			t.Fatalf("%v, %v", leader, child)
		}
		time.Sleep(5 * time.Second)
		const rssi = -52 // 14 dBm over 10 m
		for _, tt := range []struct {
			name     string
			of, want *pymesh.Node
			role     pymesh.State
		}{
			{"leader", leader, child, pymesh.StateChild},
			{"child", child, leader, pymesh.StateRouter},
		} {
			list := tt.of.Neighbors()
			if len(list) != 1 {
				t.Fatalf("neighbors of the %s: %+v", tt.name, list)
			}
			nb := list[0]
			if nb.MAC != tt.want.MAC() || nb.RLOC16 != tt.want.RLOC16() || nb.Role != tt.role || nb.RSSI != rssi ||
				nb.Age <= 0 || nb.Age > time.Minute {
				t.Errorf("neighbor of the %s: %+v", tt.name, nb)
			}
		}
		ofLeader, _ := leader.Leader()
		ofChild, ok := child.Leader()
		if !ok || ofChild != ofLeader || ofChild.MAC != leader.MAC() {
			t.Errorf("leader of the child: %+v, of itself: %+v", ofChild, ofLeader)
		}
	})
}

const noRLOC16 = pymesh.NoRLOC16

// chain starts nodes of which each hears the one before and the one behind, and waits until all are routers.
func (m *mesh) chain(count int) []*pymesh.Node {
	var nodes []*pymesh.Node
	for i := range count {
		r := m.radio()
		for _, far := range m.radios[:max(i-1, 0)] {
			m.air.CutLink(far, r)
		}
		n := m.start(r)
		nodes = append(nodes, n)
		m.until(5*time.Minute, "router", func() bool { return n.State() >= pymesh.StateRouter })
	}
	m.until(5*time.Minute, "routes to all", func() bool {
		for _, n := range nodes {
			list := n.Routers()
			if len(list) != count || slices.ContainsFunc(list, func(r pymesh.Router) bool { return r.NextHop == noRLOC16 }) {
				return false
			}
		}
		return true
	})
	return nodes
}

// TestPathCost: nodes in the sequence A-B-C. The documentation's path costs from A are 0 to B and 1 to C.
func TestPathCost(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		nodes := m.chain(3)
		a, b, c := nodes[0], nodes[1], nodes[2]
		want := map[pymesh.RLOC16]pymesh.Router{
			a.RLOC16(): {NextHop: a.RLOC16(), PathCost: 0},
			b.RLOC16(): {NextHop: b.RLOC16(), PathCost: 0},
			c.RLOC16(): {NextHop: b.RLOC16(), PathCost: 1},
		}
		list := a.Routers()
		for _, r := range list {
			w, ok := want[r.RLOC16]
			if !ok || r.NextHop != w.NextHop || r.PathCost != w.PathCost || pymesh.RLOC16(r.ID)<<10 != r.RLOC16 {
				t.Errorf("router %+v, want next hop 0x%04x, path cost %d", r, w.NextHop, w.PathCost)
			}
		}
		if len(list) != 3 || a.Single() || b.Single() {
			t.Errorf("routers %+v", list)
		}
		// What an end device sends goes over its parent.
		radio := m.radio()
		for _, far := range m.radios[:2] {
			m.air.CutLink(far, radio)
		}
		d := m.start(radio, pymesh.WithMode(pymesh.EndDevice))
		m.wait(d)
		m.until(time.Minute, "all routers are known", func() bool { return len(d.Routers()) == 3 })
		for _, r := range d.Routers() {
			if r.NextHop != c.RLOC16() {
				t.Errorf("an end device's next hop to %+v is not its parent 0x%04x", r, c.RLOC16())
			}
		}
		if p := m.ping(a, c.MeshLocalEID(), 8); p.HopLimit != 63 && p.HopLimit != 64 {
			t.Errorf("%+v", p)
		}
	})
}

func TestPing(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		for _, size := range []int{0, 8, 100, pymesh.MaxPingSize} {
			p := m.ping(a, b.MeshLocalEID(), size)
			if p.From != b.MeshLocalEID() || p.Size != size || p.HopLimit != 64 || p.RTT <= 0 || p.RTT > 20*time.Second {
				t.Errorf("%d bytes: %+v", size, p)
			}
		}
		for _, dst := range b.IPAddrs() {
			if p := m.ping(a, dst, 8); p.From != dst {
				t.Errorf("answer from %v, want %v", p.From, dst)
			}
		}
		// A zone means nothing in a mesh.
		linkLocal := b.IPAddrs()[len(b.IPAddrs())-1]
		m.ping(a, linkLocal.WithZone("lora0"), 8)
		// Its own address answers at once.
		if p := m.ping(a, a.MeshLocalEID(), 8); p.RTT != 0 {
			t.Errorf("own address: %+v", p)
		}
		// Of several answers to a multicast the first counts.
		m.attached()
		m.ping(b, netip.MustParseAddr("ff02::1"), 8)
		m.ping(b, netip.MustParseAddr("ff03::1"), 8)
	})
}

func TestPingErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		background := context.Background()
		nobody := netip.MustParseAddr("fdde:ad00:beef::1")
		if _, err := n.Ping(background, nobody, 8); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("detached: %v", err)
		}
		m.wait(n)
		for _, size := range []int{-1, pymesh.MaxPingSize + 1} {
			if _, err := n.Ping(background, nobody, size); err == nil || !strings.Contains(err.Error(), fmt.Sprint(size)) {
				t.Errorf("size %d: %v", size, err)
			}
		}
		for _, dst := range []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1")} {
			if _, err := n.Ping(background, dst, 8); err == nil {
				t.Errorf("%v: no error", dst)
			}
		}
		ctx, cancel := context.WithTimeout(background, 10*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := n.Ping(ctx, nobody, 8); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("nobody there: %v after %v", err, time.Since(start))
		}
		sent := n.Counters()["TxFrames"]
		if _, err := n.Ping(ctx, netip.MustParseAddr("ff02::1"), 8); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("context that has ended: %v", err)
		}
		if now := n.Counters()["TxFrames"]; now != sent {
			t.Error("a ping without time was sent")
		}
		// So many may wait, and no more. What is not in the mesh is not asked for.
		const most = 1024
		waiting, stop := context.WithCancel(background)
		for range most {
			go n.Ping(waiting, netip.MustParseAddr("2001:db8::1"), 8)
		}
		synctest.Wait()
		if _, err := n.Ping(background, netip.MustParseAddr("ff02::1"), 8); !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("one more than may wait: %v", err)
		}
		stop()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { n.Close() })
		if _, err := n.Ping(background, nobody, 8); !errors.Is(err, pymesh.ErrClosed) {
			t.Errorf("closed meanwhile: %v", err)
		}
		if _, err := n.Ping(background, nobody, 8); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestConcurrentPings: each gets its own answer.
func TestConcurrentPings(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		m.ping(a, b.MeshLocalEID(), 8)
		var wg sync.WaitGroup
		for size := range 8 {
			wg.Go(func() {
				if p := m.ping(a, b.MeshLocalEID(), size); p.Size != size {
					t.Errorf("%d bytes asked, %d answered", size, p.Size)
				}
			})
		}
		wg.Wait()
	})
}

func TestEvents(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		synctest.Wait() // what happens at the start is nobody's
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		first, second := n.Events(ctx), n.Events(context.Background())
		m.wait(n)
		peer := m.attached()
		synctest.Wait()
		var events []pymesh.Event
		for len(first) > 0 {
			events = append(events, <-first)
		}
		want := map[pymesh.EventType]func(e pymesh.Event) bool{
			pymesh.EventState:        func(e pymesh.Event) bool { return e.State == pymesh.StateLeader },
			pymesh.EventPartition:    func(e pymesh.Event) bool { return e.PartitionID != 0 },
			pymesh.EventAddressAdded: func(e pymesh.Event) bool { return slices.Contains(n.IPAddrs(), e.Addr) },
			pymesh.EventNeighborAdded: func(e pymesh.Event) bool {
				return e.RLOC16 == peer.RLOC16() && e.State == pymesh.StateChild && e.MAC == peer.MAC()
			},
		}
		for typ, holds := range want {
			if !slices.ContainsFunc(events, func(e pymesh.Event) bool { return e.Type == typ && holds(e) }) {
				t.Errorf("no %v among %+v", typ, events)
			}
		}
		if !slices.IsSortedFunc(events, func(a, b pymesh.Event) int { return a.Time.Compare(b.Time) }) {
			t.Errorf("not in order: %+v", events)
		}
		if len(second) != len(events) {
			t.Errorf("one watcher got %d events, another %d", len(events), len(second))
		}
		// The end of the context closes its channel alone.
		cancel()
		synctest.Wait()
		if e, ok := <-first; ok {
			t.Errorf("%+v after the end of the context", e)
		}
		// The node's end closes the others; leaving the mesh is the last that they tell.
		n.Close()
		var last pymesh.Event
		for e := range second {
			if e.Type == pymesh.EventState {
				last = e
			}
		}
		if last.State != pymesh.StateDisabled {
			t.Errorf("last state %v", last.State)
		}
		if e, ok := <-n.Events(context.Background()); ok {
			t.Errorf("%+v of a closed node", e)
		}
	})
}

// TestEventsOfEndedContext: the channel is closed at once.
func TestEventsOfEndedContext(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if e, ok := <-m.start(m.radio()).Events(ctx); ok {
			t.Error(e)
		}
	})
}

func TestWaitAttached(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.WaitAttached(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("timeout: %v", err)
		}
		start := time.Now()
		if err := n.WaitAttached(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < 10*time.Second || d > 25*time.Second {
			t.Errorf("attached after %v", d)
		}
		// Attached already: a context that has ended does not matter.
		if err := n.WaitAttached(ctx); err != nil {
			t.Error(err)
		}
		other := m.start(m.radio())
		time.AfterFunc(time.Second, func() { other.Close() })
		if err := other.WaitAttached(context.Background()); err != pymesh.ErrClosed {
			t.Errorf("closed meanwhile: %v", err)
		}
		if err := other.WaitAttached(context.Background()); err != pymesh.ErrClosed {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestAfterClose: zero values, and net.ErrClosed where there is an error.
func TestAfterClose(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.attached()
		mac := n.MAC()
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if n.State() != pymesh.StateDisabled || n.Single() || n.IPAddrs() != nil || n.MeshLocalEID().IsValid() ||
			n.RLOC16() != noRLOC16 || n.Neighbors() != nil || n.Routers() != nil || n.Counters() != nil ||
			n.Queues() != (pymesh.Queues{}) {
			t.Errorf("%v", n)
		}
		if l, ok := n.Leader(); ok || l != (pymesh.Leader{}) {
			t.Errorf("leader %+v, %v", l, ok)
		}
		if n.MAC() != mac {
			t.Errorf("MAC %v", n.MAC())
		}
		if err := n.Err(); err != nil {
			t.Errorf("Err: %v", err)
		}
		n.OnReceive(func(*pymesh.UDPConn) {})
		peer := netip.MustParseAddrPort("[fdde:ad00:beef::1]:1234")
		if _, err := n.ListenUDP(netip.AddrPort{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ListenUDP: %v", err)
		}
		if _, err := n.DialUDP(netip.AddrPort{}, peer); !errors.Is(err, net.ErrClosed) {
			t.Errorf("DialUDP: %v", err)
		}
		if _, err := n.Ping(context.Background(), peer.Addr(), 8); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Ping: %v", err)
		}
	})
}

// TestConcurrentUse calls everything from several goroutines, Close at last, for the race detector.
func TestConcurrentUse(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n, peer := m.attached(), m.attached()
		eid := peer.MeshLocalEID()
		n.OnReceive(func(c *pymesh.UDPConn) { c.ReadFrom(make([]byte, 10)) })
		var wg sync.WaitGroup
		for range 3 {
			for _, f := range []func(){
				func() {
					n.State()
					n.Single()
					n.MAC()
					n.Counters()
					n.Queues()
					n.Err()
				},
				func() { n.IPAddrs(); n.MeshLocalEID(); n.RLOC16(); n.Leader() },
				func() { n.Neighbors(); n.Routers(); _ = n.String() },
				func() { m.expectClosedOr(n.Ping(t.Context(), eid, 8)) },
				func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					for range n.Events(ctx) {
					}
				},
				func() {
					if c, err := n.ListenUDP(netip.AddrPort{}); err == nil {
						c.WriteToUDPAddrPort([]byte("x"), addrPort(c))
						c.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(n.MeshLocalEID(), localPort(c)))
						c.JoinGroup(netip.MustParseAddr("ff03::abcd"))
						c.SetDeadline(time.Now().Add(time.Second))
						c.Read(make([]byte, 10))
						c.Close()
					}
				},
			} {
				wg.Go(func() {
					for range 20 {
						f()
						time.Sleep(time.Second)
					}
				})
			}
		}
		time.Sleep(10 * time.Second)
		for range 3 {
			wg.Go(func() { n.Close() })
		}
		wg.Wait()
	})
}

// expectClosedOr takes the result of a ping that may meet the end of its node.
func (m *mesh) expectClosedOr(_ pymesh.Pong, err error) {
	if err != nil && !errors.Is(err, pymesh.ErrClosed) {
		m.Error(err)
	}
}
