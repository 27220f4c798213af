package addresses

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

var meshLocal = netip.MustParsePrefix("fdde:ad00:beef::/64")

// The addresses of the node under test.
var (
	linkLocal = netip.MustParseAddr("fe80::7ab3:d500:0:1")
	eid       = netip.MustParseAddr("fdde:ad00:beef:0:1:2:3:4")
	aloc      = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:fc00")
)

func rloc(r mle.RLOC16) netip.Addr { return r.Addr(meshLocal) }

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func newTable() (*Table, *core.Core) {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{0x78, 0xb3, 0xd5, 0, 0, 0, 0, 1})
	t := New(c)
	t.SetPrefix(meshLocal)
	t.SetIID(ip6.InterfaceID{0, 1, 0, 2, 0, 3, 0, 4})
	return t, c
}

// States of a node in the order in which it comes through them.
var (
	down     = State{RLOC16: mle.InvalidRLOC16}
	up       = State{Up: true, RLOC16: mle.InvalidRLOC16}
	detached = State{Up: true, Enabled: true, RLOC16: mle.InvalidRLOC16}
	child    = State{Up: true, Enabled: true, Attached: true, RLOC16: 0x5801}
	fullED   = State{Up: true, Enabled: true, Attached: true, FullThreadDevice: true, RLOC16: 0x5801}
	router   = State{Up: true, Enabled: true, Attached: true, FullThreadDevice: true, RLOC16: 0x2c00}
	leader   = State{Up: true, Enabled: true, Attached: true, FullThreadDevice: true, Leader: true, RLOC16: 0x2c00}
	// stopped keeps its place for the next start.
	stopped = State{Up: true, FullThreadDevice: true, RLOC16: 0x2c00}
)

func set(t testing.TB, tb *Table, s State) {
	t.Helper()
	tb.Update(s)
	if tb.Update(s) {
		t.Error("changed twice")
	}
}

// A node gets its addresses by and by; the newest come first, and of those that come at once the leader's, then RLOC, EID, link-local.
func TestOrder(t *testing.T) {
	tb, _ := newTable()
	for _, tt := range []struct {
		name    string
		state   State
		changed bool
		want    []netip.Addr
	}{
		{"down", down, false, nil},
		{"up", up, true, []netip.Addr{linkLocal}},
		{"up twice", up, false, []netip.Addr{linkLocal}},
		{"detached", detached, true, []netip.Addr{eid, linkLocal}},
		{"child", child, true, []netip.Addr{rloc(0x5801), eid, linkLocal}},
		{"full end device", fullED, false, []netip.Addr{rloc(0x5801), eid, linkLocal}},
		{"router", router, true, []netip.Addr{rloc(0x2c00), eid, linkLocal}},
		{"leader", leader, true, []netip.Addr{aloc, rloc(0x2c00), eid, linkLocal}},
		{"router again", router, true, []netip.Addr{rloc(0x2c00), eid, linkLocal}},
		{"detached with a place", State{Up: true, Enabled: true, RLOC16: 0x2c00}, false, []netip.Addr{rloc(0x2c00), eid, linkLocal}},
		{"detached again", detached, true, []netip.Addr{eid, linkLocal}},
		{"stopped", stopped, true, []netip.Addr{linkLocal}},
		{"restored", leader, true, []netip.Addr{aloc, rloc(0x2c00), eid, linkLocal}},
		{"down again", down, true, nil},
		{"all at once", leader, true, []netip.Addr{aloc, rloc(0x2c00), eid, linkLocal}},
		{"interface alone down", State{Enabled: true, RLOC16: mle.InvalidRLOC16}, true, []netip.Addr{eid}},
		{"and up", detached, true, []netip.Addr{linkLocal, eid}},
	} {
		if got := tb.Update(tt.state); got != tt.changed || !slices.Equal(tb.All(), tt.want) {
			t.Errorf("%s: changed %v, %v, want %v", tt.name, got, tb.All(), tt.want)
		}
	}
}

// TestStates goes from every state to every other one: each address follows from its own conditions alone.
func TestStates(t *testing.T) {
	var states []State
	for bits := range 32 {
		for _, r := range []mle.RLOC16{mle.InvalidRLOC16, 0x2c00, 0x5801} {
			states = append(states, State{
				Up: bits&1 != 0, Enabled: bits&2 != 0, Attached: bits&4 != 0, FullThreadDevice: bits&8 != 0, Leader: bits&16 != 0, RLOC16: r,
			})
		}
	}
	tb, _ := newTable()
	for _, before := range states {
		for _, s := range states {
			tb.Update(before)
			set(t, tb, s)
			n := 0
			for _, tt := range []struct {
				addr netip.Addr
				want bool
			}{
				{linkLocal, s.Up}, {eid, s.Enabled}, {aloc, s.Leader},
				{rloc(0x2c00), s.Enabled && s.RLOC16 == 0x2c00}, {rloc(0x5801), s.Enabled && s.RLOC16 == 0x5801},
				{rloc(mle.InvalidRLOC16), false}, {netip.Addr{}, false},
			} {
				if tb.Own(tt.addr) != tt.want {
					t.Fatalf("%+v: own %v is %v", s, tt.addr, !tt.want)
				}
				if tt.want {
					n++
				}
			}
			if len(tb.All()) != n {
				t.Fatalf("%+v: %v", s, tb.All())
			}
			if got := tb.RLOC(); got.IsValid() != (s.Enabled && s.RLOC16 != mle.InvalidRLOC16) || got.IsValid() && got != rloc(s.RLOC16) {
				t.Fatalf("%+v: RLOC %v", s, got)
			}
			if got := tb.LeaderALOC(); got.IsValid() != s.Leader || got.IsValid() && got != aloc {
				t.Fatalf("%+v: leader ALOC %v", s, got)
			}
			if tb.LinkLocal() != linkLocal || tb.EID() != eid {
				t.Fatalf("%+v: %v, %v", s, tb.LinkLocal(), tb.EID())
			}
		}
	}
}

// What the addresses are made of may change: they follow with the next Update, as new ones.
func TestIdentifiers(t *testing.T) {
	tb, c := newTable()
	set(t, tb, leader)
	if tb.Prefix() != meshLocal {
		t.Error(tb.Prefix())
	}

	tb.SetPrefix(netip.MustParsePrefix("fd11::/64"))
	if !tb.Update(leader) {
		t.Error("prefix: not changed")
	}
	if want := addrs("fd11::ff:fe00:fc00", "fd11::ff:fe00:2c00", "fd11::1:2:3:4", linkLocal.String()); !slices.Equal(tb.All(), want) {
		t.Errorf("prefix: %v, want %v", tb.All(), want)
	}

	c.Ext = ieee802154.ExtAddr{2}
	if !tb.Update(leader) || tb.All()[0] != netip.MustParseAddr("fe80::") || tb.LinkLocal() != tb.All()[0] {
		t.Errorf("extended address: %v", tb.All())
	}

	// The node draws 8 bytes for an EID when it is told to and not before.
	other := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{})
	var iid ip6.InterfaceID
	for range 2 {
		other.RandomBytes(iid[:])
		tb.NewIID()
		if tb.IID() != iid {
			t.Errorf("%v, want %v", tb.IID(), iid)
		}
	}
	want := ip6.WithInterfaceID(netip.MustParsePrefix("fd11::/64"), iid)
	if !tb.Update(leader) || tb.All()[0] != want || tb.EID() != want {
		t.Errorf("interface identifier: %v, want %v first", tb.All(), want)
	}
	if len(tb.All()) != 4 {
		t.Errorf("%v", tb.All())
	}
}

func TestAdd(t *testing.T) {
	added := addrs("2001:db8::1", "fd11::2", "fdde:ad00:beef::3", "2001:db8::4")
	tb, _ := newTable()
	set(t, tb, leader)
	before := tb.All()
	var want []netip.Addr
	for i, a := range added {
		if changed, err := tb.Add(a); err != nil || !changed {
			t.Errorf("%v: changed %v, %v", a, changed, err)
		}
		if changed, err := tb.Add(a); err != nil || changed {
			t.Errorf("%v twice: changed %v, %v", a, changed, err)
		}
		want = append([]netip.Addr{a}, want...)
		if !slices.Equal(tb.All(), append(slices.Clone(want), before...)) || !slices.Equal(tb.Added(), added[:i+1]) || !tb.Own(a) {
			t.Errorf("%v: %v, added %v", a, tb.All(), tb.Added())
		}
	}
	for _, tt := range []struct {
		addr string
		want error
	}{
		{"2001:db8::5", core.ErrTableFull},
		{"2001:db8::1", nil}, // is there
		{eid.String(), core.ErrArgument}, {aloc.String(), core.ErrArgument}, {rloc(0x2c00).String(), core.ErrArgument},
		{linkLocal.String(), core.ErrArgument}, {"fe80::1", core.ErrArgument}, {"ff03::1", core.ErrArgument}, {"ff0e::1", core.ErrArgument},
		{"1.2.3.4", core.ErrArgument}, {"::ffff:1.2.3.4", core.ErrArgument}, {"fd11::5%eth0", core.ErrArgument},
		{"::", core.ErrArgument}, {"::1", core.ErrArgument}, // RFC 4291 §2.5.2, §2.5.3
	} {
		if changed, err := tb.Add(netip.MustParseAddr(tt.addr)); !errors.Is(err, tt.want) || changed {
			t.Errorf("%s: changed %v, %v, want %v", tt.addr, changed, err, tt.want)
		}
	}
	if changed, err := tb.Add(netip.Addr{}); !errors.Is(err, core.ErrArgument) || changed {
		t.Errorf("no address: changed %v, %v", changed, err)
	}
	if len(tb.All()) != 4+MaxAdded {
		t.Errorf("%v", tb.All())
	}

	// A change of state leaves them where they are, behind what is new.
	set(t, tb, child)
	if got := append([]netip.Addr{rloc(0x5801)}, append(want, eid, linkLocal)...); !slices.Equal(tb.All(), got) {
		t.Errorf("%v, want %v", tb.All(), got)
	}
	set(t, tb, up)
	if !slices.Equal(tb.Added(), added) || !slices.Equal(tb.All(), append(want, linkLocal)) {
		t.Errorf("stopped: %v, %v", tb.Added(), tb.All())
	}
}

func TestRemove(t *testing.T) {
	added := addrs("2001:db8::1", "2001:db8::2", "2001:db8::3")
	tb, _ := newTable()
	set(t, tb, leader)
	before := tb.All()
	for _, a := range added {
		if _, err := tb.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	if changed, err := tb.Remove(added[1]); err != nil || !changed || tb.Own(added[1]) {
		t.Errorf("changed %v, %v, %v", changed, err, tb.All())
	}
	if want := append([]netip.Addr{added[2], added[0]}, before...); !slices.Equal(tb.All(), want) {
		t.Errorf("%v, want %v", tb.All(), want)
	}
	for _, tt := range []struct {
		addr netip.Addr
		want error
	}{
		{added[1], core.ErrNotFound}, {netip.MustParseAddr("2001:db8::9"), core.ErrNotFound}, {netip.Addr{}, core.ErrNotFound},
		{eid, core.ErrArgument}, {linkLocal, core.ErrArgument}, {rloc(0x2c00), core.ErrArgument}, {aloc, core.ErrArgument},
	} {
		if changed, err := tb.Remove(tt.addr); !errors.Is(err, tt.want) || changed {
			t.Errorf("%v: changed %v, %v, want %v", tt.addr, changed, err, tt.want)
		}
	}
	// The next is the newest again, and the last of those added.
	if changed, err := tb.Add(added[1]); err != nil || !changed || tb.All()[0] != added[1] {
		t.Errorf("changed %v, %v, %v", changed, err, tb.All())
	}
	if want := []netip.Addr{added[0], added[2], added[1]}; !slices.Equal(tb.Added(), want) {
		t.Errorf("%v, want %v", tb.Added(), want)
	}
	tb.ClearAdded()
	if changed := tb.Update(down); !changed || len(tb.Added()) != 0 || len(tb.All()) != 0 || tb.Own(added[0]) {
		t.Errorf("%v, %v", tb.Added(), tb.All())
	}
}

// An added address may later turn out to be one that the node has by itself: it is listed once, and stays as long as there is a
// reason for it.
func TestAddedTwofold(t *testing.T) {
	tb, _ := newTable()
	set(t, tb, up)
	for _, a := range []netip.Addr{eid, rloc(0x2c00)} { // not the node's yet
		if changed, err := tb.Add(a); err != nil || !changed {
			t.Errorf("%v: changed %v, %v", a, changed, err)
		}
	}
	if tb.Update(router) {
		t.Errorf("changed: %v", tb.All())
	}
	want := []netip.Addr{rloc(0x2c00), eid, linkLocal}
	if !slices.Equal(tb.All(), want) || len(tb.Added()) != 2 || tb.RLOC() != rloc(0x2c00) {
		t.Errorf("%v, added %v", tb.All(), tb.Added())
	}
	if changed, err := tb.Remove(eid); changed || err != nil || !tb.Own(eid) {
		t.Errorf("EID: changed %v, %v", changed, err)
	}
	if _, err := tb.Remove(eid); !errors.Is(err, core.ErrArgument) {
		t.Errorf("EID again: %v", err)
	}
	if !tb.Update(up) || !slices.Equal(tb.All(), []netip.Addr{rloc(0x2c00), linkLocal}) {
		t.Errorf("stopped: %v", tb.All())
	}
}

func TestAllIsACopy(t *testing.T) {
	tb, _ := newTable()
	set(t, tb, leader)
	clear(tb.All())
	if _, err := tb.Add(netip.MustParseAddr("fd11::1")); err != nil {
		t.Fatal(err)
	}
	clear(tb.Added())
	if want := []netip.Addr{netip.MustParseAddr("fd11::1"), aloc, rloc(0x2c00), eid, linkLocal}; !slices.Equal(tb.All(), want) || !tb.Own(want[0]) {
		t.Errorf("%v, want %v", tb.All(), want)
	}
}

// What is asked for each datagram, and each change of state, allocates nothing.
func TestNoAllocations(t *testing.T) {
	tb, _ := newTable()
	group := netip.MustParseAddr("ff05::1")
	if err := tb.Subscribe(group); err != nil {
		t.Fatal(err)
	}
	if _, err := tb.Add(netip.MustParseAddr("2001:db8::1")); err != nil {
		t.Fatal(err)
	}
	far := netip.MustParseAddr("2001:db8::2")
	if n := testing.AllocsPerRun(100, func() {
		tb.Update(leader)
		tb.Own(far)
		tb.OnMesh(far)
		tb.Locator(aloc)
		tb.IsAnycast(aloc)
		tb.IsTMF(eid, aloc)
		tb.SelectSource(far)
		tb.Subscribed(group)
		tb.RLOC()
		tb.Update(up)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOwn(b *testing.B) {
	tb, _ := newTable()
	tb.Update(leader)
	for b.Loop() {
		if !tb.Own(linkLocal) {
			b.Fatal("not found")
		}
	}
}
