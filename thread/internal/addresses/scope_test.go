package addresses

import (
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
)

func TestOnMesh(t *testing.T) {
	tb, _ := newTable()
	for _, tt := range []struct {
		addr    string
		onMesh  bool
		locator bool
		rloc    mle.RLOC16
		anycast bool
	}{
		{"fdde:ad00:beef:0:1:2:3:4", true, false, 0, false},
		{"fdde:ad00:beef::ff:fe00:5801", true, true, 0x5801, false},
		{"fdde:ad00:beef::ff:fe00:fc00", true, true, mle.ALOCLeader, true},
		{"fdde:ad00:beef::ff:fe00:fcff", true, true, 0xfcff, true},
		{"fdde:ad00:beef::ff:fe00:fd00", true, true, 0xfd00, false},
		{"fdde:ad00:beef::ff:fe00:fffe", true, true, mle.InvalidRLOC16, false},
		{"fdde:ad00:beef:1::ff:fe00:5801", false, false, 0, false},
		{"fe80::ff:fe00:5801", false, false, 0, false},
		{"2001:db8::ff:fe00:fc00", false, false, 0, false},
		{"ff03::1", false, false, 0, false},
		{"1.2.3.4", false, false, 0, false},
	} {
		a := netip.MustParseAddr(tt.addr)
		if got := tb.OnMesh(a); got != tt.onMesh {
			t.Errorf("%s: on mesh %v", a, got)
		}
		if r, ok := tb.Locator(a); r != tt.rloc || ok != tt.locator {
			t.Errorf("%s: locator %v, %v", a, r, ok)
		}
		if got := tb.IsAnycast(a); got != tt.anycast {
			t.Errorf("%s: anycast %v", a, got)
		}
	}
	if tb.OnMesh(netip.Addr{}) || tb.IsAnycast(netip.Addr{}) {
		t.Error("no address")
	}
}

// Network management stays on the mesh-local prefix or a single link (Thread 1.1 §10).
func TestIsTMF(t *testing.T) {
	tb, _ := newTable()
	const link, mesh, locator, global = "fe80::1", "fdde:ad00:beef::1", "fdde:ad00:beef::ff:fe00:5800", "2001:db8::1"
	for _, tt := range []struct {
		src, dst string
		want     bool
	}{
		{link, "fe80::2", true}, {link, "ff02::1", true}, {link, "ff32:40:fdde:ad00:beef::1", true},
		{link, mesh, false}, {link, "ff03::1", false}, {link, "ff01::1", false}, {link, global, false},
		{mesh, locator, true}, {locator, "fdde:ad00:beef::ff:fe00:fc00", true}, {mesh, "ff03::1", true}, {mesh, "ff02::1", true},
		{mesh, "ff01::1", true}, {mesh, "ff33:40:fdde:ad00:beef::1", true},
		{mesh, "ff04::1", false}, {mesh, "ff05::1", false}, {mesh, "ff0e::1", false},
		{mesh, "fe80::2", false}, {mesh, global, false}, {mesh, "fdde:ad00:beee::1", false},
		{global, mesh, false}, {global, "ff03::1", false}, {global, global, false}, {"fdde:ad00:beef:1::1", mesh, false},
	} {
		if got := tb.IsTMF(netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)); got != tt.want {
			t.Errorf("%s to %s: %v", tt.src, tt.dst, got)
		}
	}
}

func TestSelectSource(t *testing.T) {
	const (
		global, near, local, added = "2001:db8:1::1", "2001:db8:1::ff", "fd11::1", "fdde:ad00:beef::99"
		ll, own, own16             = "fe80::7ab3:d500:0:1", "fdde:ad00:beef:0:1:2:3:4", "fdde:ad00:beef::ff:fe00:2c00"
	)
	for _, tt := range []struct {
		name  string
		state State
		added []string
		dst   string
		want  string
	}{
		// RFC 6724 §5, rule 1: the destination itself.
		{"itself, added", leader, []string{global}, global, global},
		{"itself, RLOC", leader, nil, own16, own16},
		{"itself, ALOC", leader, nil, aloc.String(), aloc.String()},
		{"itself, added while stopped", up, []string{global}, global, global},
		{"another's ALOC", router, nil, aloc.String(), own},
		// Rule 2: the scope of the destination.
		{"link-local", leader, []string{global}, "fe80::1", ll},
		{"multicast on the link", leader, []string{global}, "ff02::1", ll},
		{"multicast on the interface", leader, nil, "ff01::1", ll},
		{"all Thread nodes of the link", leader, nil, "ff32:40:fdde:ad00:beef::1", ll},
		{"multicast in the mesh", leader, []string{global}, "ff03::1", own},
		{"multicast anywhere", leader, []string{global}, "ff0e::1", own},
		{"mesh-local", leader, []string{global}, "fdde:ad00:beef::1", own},
		{"locator", child, []string{global}, "fdde:ad00:beef::ff:fe00:5800", own},
		{"mesh-local, one added there", leader, []string{added}, "fdde:ad00:beef::98", own},
		{"detached", detached, nil, "ff03::1", own},
		{"stopped", stopped, []string{global}, "2001:db8:1::2", ll},
		{"stopped, mesh-local", stopped, nil, own, ll},
		{"down", down, nil, "ff03::1", ll},
		{"down, itself", down, nil, ll, ll},
		// Rule 8: the longest common prefix.
		{"beyond, none added", leader, nil, "2001:db8:2::1", own},
		{"beyond, one added", leader, []string{local}, "2001:db8:2::1", local},
		{"beyond, global", leader, []string{local, global}, "2001:db8:2::1", global},
		{"beyond, local", leader, []string{global, local}, "fd11::2", local},
		{"beyond, the nearest", leader, []string{global, near}, "2001:db8:1::fe", near},
		{"beyond, bits within a byte", leader, []string{"2001:db8:f000::1", "2001:db8:8000::1"}, "2001:db8:c000::1", "2001:db8:f000::1"},
		{"beyond, equals: the first added", leader, []string{near, global}, "3fff::1", near},
		{"beyond, nothing in common", leader, []string{global}, "fd11::2", global},
	} {
		tb, _ := newTable()
		tb.Update(tt.state)
		for _, a := range tt.added {
			if _, err := tb.Add(netip.MustParseAddr(a)); err != nil {
				t.Fatal(tt.name, err)
			}
		}
		if got := tb.SelectSource(netip.MustParseAddr(tt.dst)); got != netip.MustParseAddr(tt.want) {
			t.Errorf("%s: from %v to %s, want %s", tt.name, got, tt.dst, tt.want)
		}
	}

	// Rule 3: not one that is to go.
	tb, _ := newTable()
	tb.Update(leader)
	for _, a := range addrs(global, local) {
		if _, err := tb.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := tb.search(Added)
	tb.entries[first].preferred = false
	if got := tb.SelectSource(netip.MustParseAddr("2001:db8:1::2")); got != netip.MustParseAddr(local) {
		t.Errorf("deprecated: %v", got)
	}
}

func TestCommonPrefix(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"::", "::", 128}, {"::", "::1", 127}, {"::", "8000::", 0}, {"2001:db8::", "2001:db8:1::", 47}, {"fd00::", "fe00::", 6},
	} {
		if got := commonPrefix(netip.MustParseAddr(tt.a), netip.MustParseAddr(tt.b)); got != tt.want {
			t.Errorf("%s and %s: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
