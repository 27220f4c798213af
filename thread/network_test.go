package thread_test

import (
	"bytes"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/console"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

var otherNetwork = thread.Network{
	Key: [16]byte{1, 2, 3}, PANID: 0xbeef, Name: "another", ExtPANID: [8]byte{7, 6, 5, 4, 3, 2, 1, 0},
	MeshLocalPrefix: netip.MustParsePrefix("fd07:605:403::/64"), Channel: 20,
}

// TestSetNetwork moves two nodes to another network before they start.
func TestSetNetwork(t *testing.T) {
	m := meshtest.New(t, ideal())
	a, b := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{X: 1}, stock)
	for _, n := range m.Nodes {
		if err := n.Console().SetNetwork(otherNetwork); err != nil {
			t.Fatal(err)
		}
		if got := n.Network(); got != otherNetwork {
			t.Errorf("%+v", got)
		}
		for _, change := range []func(*thread.Network){
			func(w *thread.Network) { w.Name = strings.Repeat("x", 17) },
			func(w *thread.Network) { w.Channel = 10 },
			func(w *thread.Network) { w.Channel = 27 },
			func(w *thread.Network) { w.MeshLocalPrefix = netip.MustParsePrefix("2001:db8::/64") },
			func(w *thread.Network) { w.MeshLocalPrefix = netip.MustParsePrefix("fd00::/48") },
			func(w *thread.Network) { w.MeshLocalPrefix = netip.Prefix{} },
		} {
			bad := otherNetwork
			bad.PANID = 1
			change(&bad)
			if err := n.Console().SetNetwork(bad); !errors.Is(err, thread.ErrArgument) || n.Network() != otherNetwork {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	}
	m.StartOneByOne()
	if err := a.Console().SetNetwork(otherNetwork); !errors.Is(err, thread.ErrState) {
		t.Errorf("while started: %v", err)
	}
	if err := a.Console().SetExtAddr(ieee802154.ExtAddr{1}); !errors.Is(err, thread.ErrState) {
		t.Errorf("address while started: %v", err)
	}
	if !otherNetwork.MeshLocalPrefix.Contains(b.MeshLocalEID()) || !m.OneMesh() {
		t.Fatal(b.MeshLocalEID(), m)
	}
	if _, ok := a.Ping(b.MeshLocalEID(), 8, time.Second); !ok {
		t.Error("no reply in the new network")
	}

	// The others cannot read it.
	c := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) {
		stock(c)
		c.PANID = otherNetwork.PANID
	})
	c.Start()
	m.Run(2 * time.Minute)
	if l, _ := c.Leader(); l.ExtAddr != c.ExtAddr() {
		t.Errorf("a node with another key has joined\n%s", m)
	}
}

// TestSetNetworkKey starts the key sequence anew, but not the frame counters.
func TestSetNetworkKey(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	if err := m.Nodes[0].Console().SetKeySequence(m.Sim.Now(), 5); err != nil {
		t.Fatal(err)
	}
	m.Run(time.Minute)
	for _, n := range m.Nodes {
		n.Stop()
		w := n.Network()
		w.Key[0]++
		if err := n.Console().SetNetwork(w); err != nil {
			t.Fatal(err)
		}
		if n.Console().Keys.Sequence() != 0 {
			t.Error("key sequence", n.Console().Keys.Sequence())
		}
	}
	m.StartOneByOne()
	m.Until(5*time.Minute, "one mesh", m.OneMesh)
	pingAll(t, m, time.Second)
}

// TestStoredNetwork comes back with what commands have set, once the node has attached with it.
func TestStoredNetwork(t *testing.T) {
	for _, stored := range []bool{true, false} {
		m := meshtest.New(t, ideal())
		n := m.Add(1, lorasim.Position{}, func(c *thread.Config) {
			stock(c)
			c.StoredNetwork = stored
		})
		original := n.Network()
		set := func() {
			if err := errors.Join(n.Console().SetNetwork(otherNetwork), n.Console().SetExtAddr(ieee802154.ExtAddr{9}), n.Console().SetMode(m.Sim.Now(), thread.ModeMinimalEndDevice),
				n.Console().SetMode(m.Sim.Now(), thread.ModeFullThreadDevice&^mle.ModeSecureDataRequests)); err != nil {
				t.Fatal(err)
			}
		}
		set()
		n.Restart()
		if n.Network() != original {
			t.Error("stored before the node was attached")
		}
		n.Stop()
		set()
		n.Start()
		m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
		n.Restart()
		if got := n.Network(); got != map[bool]thread.Network{true: otherNetwork, false: original}[stored] {
			t.Errorf("StoredNetwork %v: %+v", stored, got)
		}
		if got := n.ExtAddr() == (ieee802154.ExtAddr{9}) && !n.Mode().Has(mle.ModeSecureDataRequests); got != stored {
			t.Errorf("StoredNetwork %v: %v, mode %v", stored, n.ExtAddr(), n.Mode())
		}
	}
}

// TestLifecycle takes the steps one by one.
func TestLifecycle(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	now := m.Sim.Now()
	check := func(what string, up bool, role thread.Role, addresses int) {
		t.Helper()
		if n.Console().IsUp() != up || n.Role() != role || len(n.Addresses()) != addresses {
			t.Errorf("%s: up %v, %v, %v", what, n.Console().IsUp(), n.Role(), n.Addresses())
		}
	}
	check("new", false, thread.RoleDisabled, 0)
	if err := n.Console().StartThread(now); !errors.Is(err, thread.ErrState) {
		t.Errorf("start while down: %v", err)
	}
	n.Console().InterfaceUp(now)
	check("up", true, thread.RoleDisabled, 1)
	w := n.Network()
	w.PANID = ieee802154.BroadcastPAN
	if err := n.Console().SetNetwork(w); err != nil {
		t.Fatal(err)
	}
	if err := n.Console().StartThread(now); !errors.Is(err, thread.ErrState) {
		t.Errorf("start with the broadcast PAN ID: %v", err)
	}
	w.PANID = 1
	for _, err := range []error{
		n.Console().SetNetwork(w), n.Console().StartThread(now), n.Console().StartThread(now),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	n.Antenna.Touch()
	check("started", true, thread.RoleDetached, 2)
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	check("leader", true, thread.RoleLeader, 4)
	n.Console().StopThread(m.Sim.Now())
	check("stopped", true, thread.RoleDisabled, 1)
	if err := n.Console().StartThread(m.Sim.Now()); err != nil {
		t.Fatal(err)
	}
	n.Console().InterfaceDown(m.Sim.Now())
	check("down", false, thread.RoleDisabled, 0)
	n.Console().InterfaceDown(m.Sim.Now())
	check("down twice", false, thread.RoleDisabled, 0)
	if _, ok := n.PollTransmit(); ok {
		t.Error("sends while down")
	}
}

func TestAutoStart(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	if n.AutoStart() {
		t.Error("by itself")
	}
	if err := n.Console().SetAutoStart(true); err != nil {
		t.Fatal(err)
	}
	n.Restart()
	if !n.AutoStart() {
		t.Error("forgotten")
	}
	n.Config.NetworkKey[0]++
	n.Restart()
	if !n.AutoStart() {
		t.Error("forgotten with the network")
	}
}

// TestBecome asks for roles.
func TestBecome(t *testing.T) {
	m := meshtest.New(t, ideal())
	a, b := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{X: 1}, stock)
	now := m.Sim.Now()
	for what, err := range map[string]error{
		"detached": a.Console().BecomeDetached(now), "child": a.Console().BecomeChild(now), "router": a.Console().BecomeRouter(now), "leader": a.Console().BecomeLeader(now),
		"release": a.Console().ReleaseRouterID(now, 1),
	} {
		if !errors.Is(err, thread.ErrState) {
			t.Errorf("%s while disabled: %v", what, err)
		}
	}
	a.Start()
	if err := a.Console().BecomeRouter(now); !errors.Is(err, thread.ErrState) {
		t.Errorf("router while detached: %v", err)
	}
	if err := a.Console().BecomeChild(now); !errors.Is(err, thread.ErrBusy) {
		t.Errorf("child while searching: %v", err)
	}
	if err := a.Console().BecomeLeader(now); err != nil || a.Role() != thread.RoleLeader {
		t.Fatalf("leader: %v, %v", err, a.Role())
	}
	b.Start()
	m.Until(time.Minute, "child", func() bool { return b.Role() == thread.RoleChild })
	b.Console().SetRouterRole(m.Sim.Now(), false)
	if err := b.Console().BecomeRouter(m.Sim.Now()); !errors.Is(err, thread.ErrNotCapable) {
		t.Errorf("router without the role: %v", err)
	}
	if err := b.Console().BecomeLeader(m.Sim.Now()); !errors.Is(err, thread.ErrNotCapable) {
		t.Errorf("leader without the role: %v", err)
	}
	b.Console().SetRouterRole(m.Sim.Now(), true)
	if err := b.Console().BecomeRouter(m.Sim.Now()); err != nil {
		t.Fatal(err)
	}
	b.Antenna.Touch()
	m.Until(5*time.Second, "router", func() bool { return b.Role() == thread.RoleRouter })
	if err := b.Console().BecomeRouter(m.Sim.Now()); err != nil {
		t.Errorf("router again: %v", err)
	}

	id := b.RLOC16().RouterID()
	for _, tt := range []struct {
		id   mle.RouterID
		want error
	}{{a.RLOC16().RouterID(), thread.ErrArgument}, {mle.InvalidRouterID, thread.ErrNotFound}, {id, nil}, {id, thread.ErrNotFound}} {
		if err := a.Console().ReleaseRouterID(m.Sim.Now(), tt.id); !errors.Is(err, tt.want) {
			t.Errorf("release %v: %v, want %v", tt.id, err, tt.want)
		}
	}
	a.Antenna.Touch()
	m.Until(time.Minute, "without a router ID", func() bool { return b.Role() < thread.RoleRouter })
	m.Until(5*time.Minute, "back", m.OneMesh)

	a.Console().SetRouterRole(m.Sim.Now(), false)
	if a.Role() != thread.RoleDetached {
		t.Errorf("%v without the router role", a.Role())
	}
	if err := b.Console().BecomeDetached(m.Sim.Now()); err != nil || b.Role() != thread.RoleDetached {
		t.Errorf("detached: %v, %v", err, b.Role())
	}
}

// TestSetMode changes what a node can do while it is attached.
func TestSetMode(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	for mode, want := range map[mle.Mode]error{
		mle.ModeFullThreadDevice: thread.ErrArgument, b.Mode(): nil,
	} {
		if err := b.Console().SetMode(m.Sim.Now(), mode); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", mode, err, want)
		}
	}
	if b.Role() != thread.RoleRouter {
		t.Fatal(b.Role())
	}
	if err := b.Console().SetMode(m.Sim.Now(), thread.ModeMinimalEndDevice); err != nil || b.Role() != thread.RoleDetached || b.Console().RouterRole() {
		t.Fatalf("router to minimal end device: %v, %v", b.Role(), err)
	}
	b.Antenna.Touch()
	m.Until(time.Minute, "child", func() bool { return b.Role() == thread.RoleChild })
	mode := func() mle.Mode {
		for _, c := range childrenOf(a) {
			if c.Ext == b.ExtAddr() {
				return c.Mode
			}
		}
		return 0
	}
	if mode() != thread.ModeMinimalEndDevice {
		t.Errorf("the parent has mode %v", mode())
	}
	if err := b.Console().SetMode(m.Sim.Now(), thread.ModeFullThreadDevice); err != nil || b.Role() != thread.RoleChild {
		t.Fatalf("%v, %v", b.Role(), err)
	}
	b.Antenna.Touch()
	m.Until(time.Second, "the parent knows", func() bool { return mode() == thread.ModeFullThreadDevice })
	b.Console().SetChildTimeout(m.Sim.Now(), 50*time.Second)
	b.Antenna.Touch()
	m.Until(time.Second, "the parent knows the timeout", func() bool { return childrenOf(a)[0].Timeout == 50*time.Second })
	b.Console().SetChildTimeout(m.Sim.Now(), 0)
	if got := b.Console().ChildTimeout(); got != 5*time.Second {
		t.Errorf("shortest timeout: %v", got)
	}
}

func TestParameters(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, stock)
	p := console.Parameters{
		RouterUpgradeThreshold: 1, RouterDowngradeThreshold: 2, LeaderWeight: 3, PartitionID: 4, ParentPriority: mle.ParentPriorityHigh,
		RouterSelectionJitter: 5 * time.Second, NetworkIDTimeout: 6 * time.Second, KeySwitchGuard: 7 * time.Hour,
	}
	if err := n.Console().SetParameters(p); err != nil || n.Console().Parameters() != p {
		t.Errorf("%+v, %v", n.Console().Parameters(), err)
	}
	for _, priority := range []mle.ParentPriority{2, -3} {
		bad := p
		bad.ParentPriority, bad.LeaderWeight = priority, 99
		if err := n.Console().SetParameters(bad); !errors.Is(err, thread.ErrArgument) || n.Console().Parameters() != p {
			t.Errorf("priority %d: %v", priority, err)
		}
	}
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	if l, _ := n.Leader(); l.PartitionID != 4 || l.Weighting != 3 {
		t.Errorf("%+v", l)
	}
}

func TestMaxChildren(t *testing.T) {
	m := meshtest.New(t, ideal())
	a := m.Add(1, lorasim.Position{}, stock)
	for n, want := range map[int]error{0: thread.ErrArgument, 512: thread.ErrArgument, 511: nil, 1: nil} {
		if err := a.Console().SetMaxChildren(n); !errors.Is(err, want) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if err := a.Console().SetMaxChildren(2); err != nil || a.Console().Neighbors.Children.Limit() != 2 {
		t.Fatal(err)
	}
	a.Start()
	for range 3 {
		m.Add(1, lorasim.Position{X: 1}, func(c *thread.Config) {
			stock(c)
			c.EndDevice = true
		}).Start()
	}
	m.Run(3 * time.Minute)
	if got := len(childrenOf(a)); got != 2 {
		t.Errorf("%d children\n%s", got, m)
	}
	if err := a.Console().SetMaxChildren(5); !errors.Is(err, thread.ErrState) {
		t.Errorf("with children: %v", err)
	}
}

// TestAddAddress reaches an added address by address query, of a router and of a minimal end device.
func TestAddAddress(t *testing.T) {
	m := meshtest.Chain(t, ideal(), 4, func(c *thread.Config) {
		stock(c)
		if c.ExtAddr == meshtest.ExtAddr(4) {
			c.Mode = thread.ModeMinimalEndDevice
		}
	})
	first := m.Nodes[0]
	for _, n := range m.Nodes {
		n.Start()
		m.Until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
		if n.Mode().Has(mle.ModeFullThreadDevice) {
			m.Until(5*time.Minute, "router", func() bool { return n.Role() >= thread.RoleRouter })
		}
	}
	m.Run(time.Minute)
	for i, n := range m.Nodes[2:] {
		added := netip.MustParseAddr("fdde:ad00:beef::1:0")
		b := added.As16()
		b[15] = byte(i)
		added = netip.AddrFrom16(b)
		before := n.Addresses()
		for range 2 {
			if err := n.Console().AddAddress(added); err != nil {
				t.Fatal(err)
			}
		}
		n.Antenna.Touch()
		m.Run(time.Second)
		if got := n.Addresses(); !slices.Equal(got, append([]netip.Addr{added}, before...)) {
			t.Errorf("%v", got)
		}
		if _, ok := first.Ping(added, 20, 5*time.Second); !ok {
			t.Errorf("no reply from %v\n%s", added, m)
		}
		cached := maps.Collect(first.Console().Resolver.Cached())
		if _, ok := cached[added]; !ok {
			t.Errorf("%v is not cached: %v", added, cached)
		}
		for _, a := range []netip.Addr{
			n.MeshLocalEID(), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff03::1"), netip.MustParseAddr("1.2.3.4"), {},
		} {
			if err := n.Console().AddAddress(a); !errors.Is(err, thread.ErrArgument) {
				t.Errorf("%v: %v", a, err)
			}
		}
		if err := n.Console().RemoveAddress(n.MeshLocalEID()); !errors.Is(err, thread.ErrArgument) {
			t.Error(err)
		}
		if err := n.Console().RemoveAddress(added); err != nil || !slices.Equal(n.Addresses(), before) {
			t.Errorf("%v, %v", n.Addresses(), err)
		}
		if err := n.Console().RemoveAddress(added); !errors.Is(err, thread.ErrNotFound) {
			t.Error(err)
		}
	}
}

// TestSelectSource prefers the added address that is closest to the destination, for destinations outside the mesh.
func TestSelectSource(t *testing.T) {
	m := steady(t, ideal(), 1, stock)
	n := m.Nodes[0]
	global, local := netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("fd11::1")
	if err := errors.Join(n.Console().AddAddress(global), n.Console().AddAddress(local)); err != nil {
		t.Fatal(err)
	}
	eid := n.MeshLocalEID()
	for dst, want := range map[string]netip.Addr{
		"2001:db8:2::1": global, "fd11::2": local, "fdde:ad00:beef::1": eid, "ff03::1": eid, global.String(): global,
	} {
		if got := n.SelectSource(netip.MustParseAddr(dst)); got != want {
			t.Errorf("%s: %v, want %v", dst, got, want)
		}
	}
	if got := n.SelectSource(netip.MustParseAddr("fe80::1")); !got.IsLinkLocalUnicast() {
		t.Errorf("link-local: %v", got)
	}
}

func TestMulticastAddresses(t *testing.T) {
	m := steady(t, ideal(), 1, stock)
	n := m.Nodes[0]
	a, b := netip.MustParseAddr("ff05::1"), netip.MustParseAddr("ff05::2")
	n.Subscribe(a)
	n.Subscribe(b)
	got := n.Console().MulticastAddresses()
	if len(got) != 9 || got[0] != b || got[1] != a {
		t.Error(got)
	}
	n.Console().StopThread(m.Sim.Now())
	if got := n.Console().MulticastAddresses(); len(got) != 5 {
		t.Error(got)
	}
	n.Console().InterfaceDown(m.Sim.Now())
	if got := n.Console().MulticastAddresses(); got != nil {
		t.Error(got)
	}
}

// TestTables compares what two routers and a child have of each other.
func TestTables(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	c := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) {
		stock(c)
		c.EndDevice = true
	})
	c.Start()
	m.Until(time.Minute, "child", func() bool { return c.Role() == thread.RoleChild })
	m.Run(10 * time.Second)
	if p := c.Console().Neighbors.Parent; !p.RLOC16.IsRouter() || p.RLOC16.RouterID() != c.RLOC16().RouterID() || p.Link.Quality == 0 {
		t.Errorf("%+v", p)
	}
	if p := a.Console().Neighbors.Parent; p.Ext != (ieee802154.ExtAddr{}) || !p.LastHeard.IsZero() {
		t.Errorf("the first leader had a parent: %+v", p)
	}
	links := linksOf(a)
	if len(links) != 1 || links[0].Ext != b.ExtAddr() || links[0].Kind() != neighbors.KindRouter {
		t.Errorf("%+v", links)
	}
	if children := slices.Concat(childrenOf(a), childrenOf(b)); len(children) != 1 || children[0].Ext != c.ExtAddr() || !children[0].Valid() {
		t.Errorf("%+v", children)
	}
	var table []mle.RouterID
	for id := range a.Console().Neighbors.Routers.All() {
		table = append(table, id)
	}
	if len(table) != 2 || !slices.IsSorted(table) {
		t.Errorf("%+v", table)
	}
	if q := a.Console().Queues(); q.Len() != 0 || q.Limit < 50 {
		t.Errorf("%+v", q)
	}
	if data, others := a.Console().NetworkData.TLVs(), b.Console().NetworkData.TLVs(); len(data) == 0 || !bytes.Equal(data, others) {
		t.Errorf("%x, %x", data, others)
	}
}

func TestMACFilter(t *testing.T) {
	var f mac.Filter
	a, b, c := meshtest.ExtAddr(1), meshtest.ExtAddr(2), meshtest.ExtAddr(3)
	for i, step := range []struct {
		got, want error
	}{
		{f.Unlist(a), thread.ErrNotFound}, {f.Unfix(a), thread.ErrNotFound},
		{f.List(a), nil}, {f.List(a), thread.ErrExists}, {f.Fix(b, -80), nil}, {f.Fix(b, -70), nil}, {f.Unlist(b), thread.ErrNotFound},
		{f.List(b), nil}, {f.Fix(c, 127), nil},
	} {
		if !errors.Is(step.got, step.want) {
			t.Errorf("step %d: %v, want %v", i, step.got, step.want)
		}
	}
	want := []mac.FilterEntry{{ExtAddr: a, Listed: true}, {ExtAddr: b, Listed: true, Fixed: true, RSSI: -70}}
	if got := f.Entries(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	f.FixAll(-50)
	if rssi, ok := f.RSSI(); !ok || rssi != -50 {
		t.Error(rssi, ok)
	}
	f.UnfixAll()
	if _, ok := f.RSSI(); ok || len(f.Entries()) != 2 {
		t.Error("UnfixAll")
	}
	f.UnlistAll()
	f.UnfixEach()
	if got := f.Entries(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	for i := range 32 {
		if err := f.List(meshtest.ExtAddr(100 + i)); err != nil {
			t.Fatal(i, err)
		}
	}
	for _, err := range []error{f.List(a), f.Fix(a, -1)} {
		if !errors.Is(err, thread.ErrTableFull) {
			t.Error(err)
		}
	}
	if err := f.Unlist(meshtest.ExtAddr(100)); err != nil {
		t.Error(err)
	}
	if err := f.List(a); err != nil {
		t.Error("no place again:", err)
	}
}

// TestFilteredMesh makes nodes deaf to each other and dulls a link.
func TestFilteredMesh(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	a, b := m.Nodes[0], m.Nodes[1]
	ll := func(n *meshtest.Node) netip.Addr { return n.Addresses()[len(n.Addresses())-1] }
	reaches := func() bool {
		_, ok := a.Ping(ll(b), 8, 500*time.Millisecond)
		return ok
	}
	f := a.Console().Filter
	for i, step := range []struct {
		change func()
		want   bool
	}{
		{func() {}, true},
		{func() { f.SetMode(mac.FilterWhitelist) }, false},
		{func() { f.List(b.ExtAddr()) }, true},
		{func() { f.SetMode(mac.FilterBlacklist) }, false},
		{func() { f.Unlist(b.ExtAddr()) }, true},
		{func() { f.List(b.ExtAddr()); f.SetMode(mac.FilterOff) }, true},
	} {
		step.change()
		if reaches() != step.want {
			t.Errorf("step %d: %v", i, !step.want)
		}
	}
	if a.Counters().RxFiltered == 0 {
		t.Error("no frame counted as filtered")
	}

	quality := func() uint8 { return linksOf(a)[0].Link.Quality }
	for want := range uint8(4) {
		if err := f.Fix(b.ExtAddr(), a.Console().RSSIOf(want)); err != nil {
			t.Fatal(err)
		}
		if got := a.Console().LinkQuality(a.Console().RSSIOf(want)); got != want {
			t.Errorf("%d dBm has quality %d, want %d", a.Console().RSSIOf(want), got, want)
		}
		reaches()
		if got := quality(); got != want {
			t.Errorf("fixed quality %d, want %d", got, want)
		}
	}
	f.UnfixEach()
	f.FixAll(a.Console().RSSIOf(2))
	reaches()
	if got := quality(); got != 2 {
		t.Errorf("quality %d of all, want 2", got)
	}
}

// childrenOf are the established children of a node, linksOf its links to routers.
func childrenOf(n *meshtest.Node) []*neighbors.Child {
	return slices.Collect(n.Console().Neighbors.Children.Established())
}

func linksOf(n *meshtest.Node) []*neighbors.Router {
	var list []*neighbors.Router
	for _, r := range n.Console().Neighbors.Routers.Linked() {
		list = append(list, r)
	}
	return list
}
