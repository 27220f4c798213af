package thread_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// diagnostics asks for types and returns the answers that come within limit; of a single node the first ends the wait.
func diagnostics(m *meshtest.Mesh, n *meshtest.Node, to netip.Addr, limit time.Duration, types ...tmf.DiagnosticType) (answers []thread.Diagnostic) {
	id, err := n.GetDiagnostics(m.Sim.Now(), to, types, func(d thread.Diagnostic) { answers = append(answers, d) })
	if err != nil {
		return []thread.Diagnostic{{Err: err}}
	}
	n.Antenna.Touch()
	end := m.Sim.Now().Add(limit)
	for m.Sim.Now().Before(end) && (to.IsMulticast() || len(answers) == 0) {
		m.Run(100 * time.Millisecond)
	}
	n.CancelDiagnostics(id)
	return answers
}

// allDiagnostics are all TLVs of Thread 1.1, and some of none.
var allDiagnostics = []tmf.DiagnosticType{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 19, 24, 200, 8}

// TestThread1_1_10_11_2_Get: a node answers with the TLVs asked for that it has, each of them once, whatever else is in the list.
func TestThread1_1_10_11_2_Get(t *testing.T) {
	m := meshtest.Chain(t, ideal(), 3, func(c *thread.Config) {
		stock(c)
		c.EndDevice = c.ExtAddr == meshtest.ExtAddr(3)
	})
	m.StartEach(10 * time.Second)
	m.Until(5*time.Minute, "two routers and a child", func() bool { return m.Count(thread.RoleRouter) == 1 && m.OneMesh() })
	m.Run(time.Minute)
	leader, router, child := m.Nodes[0], m.Nodes[1], m.Nodes[2]
	for _, n := range m.Nodes {
		d := diagnostics(m, leader, n.RLOC16().Addr(thread.DefaultMeshLocalPrefix), 10*time.Second, allDiagnostics...)
		if len(d) != 1 || d[0].Err != nil {
			t.Fatalf("%v: %v", n.Role(), d)
		}
		var types []tmf.DiagnosticType
		for typ := range d[0].TLVs.All() {
			types = append(types, typ)
		}
		want := []tmf.DiagnosticType{0, 1, 2, 4, 5, 6, 7, 8, 9, 17}
		switch {
		case n == router:
			want = []tmf.DiagnosticType{0, 1, 2, 4, 5, 6, 7, 8, 9, 16, 17, 19}
		case n == leader: // the child is the router's
			want = []tmf.DiagnosticType{0, 1, 2, 4, 5, 6, 7, 8, 9, 16, 17}
		}
		if !slices.Equal(types, want) {
			t.Errorf("%v: types %v, want %v", n.Role(), types, want)
		}
		ext, _ := d[0].TLVs.ExtendedMACAddress()
		rloc, _ := d[0].TLVs.Address16()
		addrs, _ := d[0].TLVs.IPv6Addresses()
		if ext != n.ExtAddr() || rloc != n.RLOC16() || !slices.Equal(addrs, n.Addresses()) {
			t.Errorf("%v: %v %v %v", n.Role(), ext, rloc, addrs)
		}
		if !slices.Equal(d[0].TLVs[:10], n.OwnDiagnostics(tmf.DiagnosticExtendedMACAddress)) {
			t.Error("OwnDiagnostics differ")
		}
	}
	d := diagnostics(m, child, router.MeshLocalEID(), 10*time.Second, tmf.DiagnosticChildTable, tmf.DiagnosticRoute64)
	if len(d) != 1 {
		t.Fatal("no answer to the child")
	}
	table, err := d[0].TLVs.ChildTable()
	if err != nil || len(table) != 1 || mle.ChildRLOC16(router.RLOC16().RouterID(), table[0].ID) != child.RLOC16() || table[0].Timeout != 256*time.Second {
		t.Error(table, err)
	}
	route, err := d[0].TLVs.Route64()
	if err != nil || route.Routes[leader.RLOC16().RouterID()].LinkQualityIn != 2 {
		t.Error(route, err)
	}
}

// TestThread1_1_10_11_2_Query: every node that hears a query to a group answers it.
func TestThread1_1_10_11_2_Query(t *testing.T) {
	m := steady(t, ideal(), 4, stock)
	d := diagnostics(m, m.Nodes[1], netip.MustParseAddr("ff03::1"), 10*time.Second, tmf.DiagnosticExtendedMACAddress)
	seen := map[ieee802154.ExtAddr]int{}
	for _, a := range d {
		ext, err := a.TLVs.ExtendedMACAddress()
		if err != nil {
			t.Fatal(err)
		}
		seen[ext]++
	}
	for i, n := range m.Nodes {
		if want := min(1, (i-1)*(i-1)); seen[n.ExtAddr()] != want {
			t.Errorf("node %d has answered %d times, want %d", i+1, seen[n.ExtAddr()], want)
		}
	}
	// Who asks all the time does not get answers all the time.
	before := m.Nodes[0].Counters().TMFRefused
	for range 20 {
		diagnostics(m, m.Nodes[1], netip.MustParseAddr("ff03::1"), time.Second, tmf.DiagnosticExtendedMACAddress)
	}
	if refused := m.Nodes[0].Counters().TMFRefused - before; refused == 0 {
		t.Log("none was refused: the stock air is fast")
	}
}

// TestThread1_1_10_11_3_Reset: the MAC counters begin anew for who asks for them, and for nobody else.
func TestThread1_1_10_11_3_Reset(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	to := b.RLOC16().Addr(thread.DefaultMeshLocalPrefix)
	count := func() uint32 {
		d := diagnostics(m, a, to, 10*time.Second, tmf.DiagnosticMACCounters)
		c, err := d[0].TLVs.MACCounters()
		if err != nil {
			t.Fatal(d, err)
		}
		return c.OutUnicast
	}
	before := count()
	for _, types := range [][]tmf.DiagnosticType{{tmf.DiagnosticRoute64}, {tmf.DiagnosticMode, tmf.DiagnosticMACCounters}} {
		if err := a.ResetDiagnostics(m.Sim.Now(), to, types); err != nil {
			t.Fatal(err)
		}
		a.Antenna.Touch()
		m.Run(5 * time.Second)
		after := count()
		if reset := after < before; reset != (len(types) == 2) {
			t.Errorf("reset of %v: %d before, %d after", types, before, after)
		}
	}
	if b.Counters().TxUnicast < uint64(before) {
		t.Error("the node's own counters were reset")
	}
}

// TestDiagnosticErrors tells the asker of a node that is silent, and that it cannot ask.
func TestDiagnosticErrors(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
	n := m.Nodes[0]
	if d := diagnostics(m, n, rlocAddr(0x400), time.Second); !errors.Is(d[0].Err, thread.ErrDetached) {
		t.Error(d)
	}
	if err := n.ResetDiagnostics(m.Sim.Now(), rlocAddr(0x400), nil); !errors.Is(err, thread.ErrDetached) {
		t.Error(err)
	}
	m.StartOneByOne()
	if d := diagnostics(m, n, netip.MustParseAddr("2001:db8::1"), time.Second); !errors.Is(d[0].Err, thread.ErrArgument) {
		t.Error(d)
	}
	m.Nodes[1].PowerOff()
	d := diagnostics(m, n, m.Nodes[1].RLOC16().Addr(thread.DefaultMeshLocalPrefix), 20*time.Minute, tmf.DiagnosticMode)
	if len(d) != 1 || d[0].Err == nil || d[0].TLVs != nil {
		t.Error(d)
	}
	id, err := n.GetDiagnostics(m.Sim.Now(), m.Nodes[1].MeshLocalEID(), nil, func(thread.Diagnostic) { t.Error("answer after it was cancelled") })
	if err != nil {
		t.Fatal(err)
	}
	n.CancelDiagnostics(id)
	m.Run(20 * time.Minute)
}
