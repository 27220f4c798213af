package addresses

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/internal/core"
)

// A node listens to all nodes always, to all of Thread while that runs (Thread 1.1 §5.2.2.3), and to all routers if it is an attached
// full Thread device.
func TestGroups(t *testing.T) {
	var (
		always  = addrs("ff02::1", "ff03::1", "ff03::fc")
		thread  = addrs("ff33:40:fdde:ad00:beef::1", "ff32:40:fdde:ad00:beef::1")
		routers = addrs("ff02::2", "ff03::2")
	)
	for _, tt := range []struct {
		name    string
		state   State
		groups  []netip.Addr
		silent  bool // listens, but shows none
		foreign []netip.Addr
	}{
		{"down", down, always, true, slices.Concat(thread, routers)},
		{"up", up, always, false, slices.Concat(thread, routers)},
		{"detached", detached, slices.Concat(thread, always), false, routers},
		{"minimal end device", child, slices.Concat(thread, always), false, routers},
		{"full end device", fullED, slices.Concat(thread, routers, always), false, nil},
		{"router", router, slices.Concat(thread, routers, always), false, nil},
		{"leader", leader, slices.Concat(thread, routers, always), false, nil},
		{"stopped", stopped, always, false, slices.Concat(thread, routers)},
	} {
		tb, _ := newTable()
		tb.Update(tt.state)
		for _, a := range tt.groups {
			if !tb.Subscribed(a) {
				t.Errorf("%s: not %v", tt.name, a)
			}
		}
		for _, a := range append(tt.foreign, addrs("ff05::1", "ff02::16", "ff33:40:fd00::1")...) {
			if tb.Subscribed(a) {
				t.Errorf("%s: listens to %v", tt.name, a)
			}
		}
		want := tt.groups
		if tt.silent {
			want = nil
		}
		if got := tb.Groups(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
		// All Thread nodes of another prefix are others.
		tb.SetPrefix(netip.MustParsePrefix("fd11::/64"))
		if got := tb.Subscribed(netip.MustParseAddr("ff33:40:fd11::1")); got != tt.state.Enabled || tb.Subscribed(thread[0]) {
			t.Errorf("%s: of another prefix %v, of the old one %v", tt.name, got, tb.Subscribed(thread[0]))
		}
	}
}

// Subscribed groups come first, the latest before the others, each once.
func TestSubscribe(t *testing.T) {
	a, b, allNodes := netip.MustParseAddr("ff05::1"), netip.MustParseAddr("ff05::2"), netip.MustParseAddr("ff03::1")
	tb, _ := newTable()
	tb.Update(up)
	for _, group := range []netip.Addr{a, b, a, allNodes} {
		if err := tb.Subscribe(group); err != nil {
			t.Fatal(err)
		}
	}
	if want := []netip.Addr{allNodes, b, a}; !slices.Equal(tb.Groups()[:3], want) || len(tb.Groups()) != 5 {
		t.Errorf("%v, want %v first", tb.Groups(), want)
	}
	if !tb.Subscribed(a) || !tb.Subscribed(b) {
		t.Error("not subscribed")
	}
	tb.Unsubscribe(a) // once: another still listens
	if !tb.Subscribed(a) {
		t.Errorf("%v gone with the first of two who listened", a)
	}
	tb.Unsubscribe(a)
	tb.Unsubscribe(a)
	tb.Unsubscribe(allNodes)
	tb.Unsubscribe(netip.MustParseAddr("ff05::3"))
	if tb.Subscribed(a) || !tb.Subscribed(b) || !tb.Subscribed(allNodes) {
		t.Errorf("%v", tb.Groups())
	}
	if want := addrs("ff05::2", "ff02::1", "ff03::1", "ff03::fc"); !slices.Equal(tb.Groups(), want) {
		t.Errorf("%v, want %v", tb.Groups(), want)
	}
	// The interface going down shows none, and leaves none.
	tb.Update(down)
	if tb.Groups() != nil || !tb.Subscribed(b) {
		t.Errorf("%v", tb.Groups())
	}
	tb.Update(up)
	if got := tb.Groups(); got[0] != b {
		t.Errorf("%v", got)
	}
}

// The host can have so many groups and no more, however many listen to each. What is no group is none.
func TestSubscribe_Bound(t *testing.T) {
	tb, _ := newTable()
	group := func(n int) netip.Addr {
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 5, 14: byte(n >> 8), 15: byte(n)})
	}
	for range 3 {
		for n := range MaxGroups {
			if err := tb.Subscribe(group(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tb.Subscribe(group(MaxGroups)); !errors.Is(err, core.ErrTableFull) || tb.Subscribed(group(MaxGroups)) {
		t.Errorf("one more: %v", err)
	}
	for range 3 {
		tb.Unsubscribe(group(7))
	}
	if err := tb.Subscribe(group(MaxGroups)); err != nil {
		t.Error(err)
	}
	for _, a := range []string{"fd00::1", "::", "224.0.0.1", "::ffff:224.0.0.1", "ff02::5%x"} {
		if err := tb.Subscribe(netip.MustParseAddr(a)); !errors.Is(err, core.ErrArgument) {
			t.Errorf("%s: %v", a, err)
		}
	}
	if err := tb.Subscribe(netip.Addr{}); !errors.Is(err, core.ErrArgument) {
		t.Errorf("no address: %v", err)
	}
}
