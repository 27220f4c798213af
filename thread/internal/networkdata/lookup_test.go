package networkdata

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// costs are the costs to those in reach.
type costs map[mle.RLOC16]int

func (c costs) CostTo(server mle.RLOC16) (int, bool) {
	cost, ok := c[server]
	return cost, ok
}

// The longest prefix goes first, then preference, then cost, then the lower RLOC16; what is out of reach does not count.
func TestRoute(t *testing.T) {
	const a, b, c, far = 0x0400, 0x0800, 0x0c00, 0x1000
	near := costs{a: 1, b: 2, c: 2}
	noDefault := func(e Entry) Entry { e.Flags &^= netdata.FlagDefaultRoute; return e }
	for _, tt := range []struct {
		name     string
		of       map[mle.RLOC16][]Entry
		src, dst string
		want     mle.RLOC16
	}{
		{"nothing", nil, "2001:db8::1", "2600::1", 0},
		{"default route", map[mle.RLOC16][]Entry{b: {onMesh("2001:db8::/64", 0, true)}}, "2001:db8::1", "2600::1", b},
		{"of another source", map[mle.RLOC16][]Entry{b: {onMesh("2001:db8::/64", 0, true)}}, "fdde:ad00:beef::1", "2600::1", 0},
		{"not for that prefix", map[mle.RLOC16][]Entry{b: {onMesh("2001:db8::/64", 0, true)}}, "2001:db8:1::1", "2600::1", 0},
		{"no default route", map[mle.RLOC16][]Entry{b: {noDefault(onMesh("2001:db8::/64", 0, true))}}, "2001:db8::1", "2600::1", 0},
		{"preference before cost", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", 0, true)}, b: {onMesh("2001:db8::/64", 1, true)},
		}, "2001:db8::1", "2600::1", b},
		{"cost before RLOC16", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", -1, true)}, b: {onMesh("2001:db8::/64", -1, true)},
		}, "2001:db8::1", "2600::1", a},
		{"RLOC16", map[mle.RLOC16][]Entry{
			c: {onMesh("2001:db8::/64", 0, true)}, b: {onMesh("2001:db8::/64", 0, true)},
		}, "2001:db8::1", "2600::1", b},
		{"out of reach", map[mle.RLOC16][]Entry{
			far: {onMesh("2001:db8::/64", 1, true)}, b: {onMesh("2001:db8::/64", -1, true)},
		}, "2001:db8::1", "2600::1", b},
		{"none in reach", map[mle.RLOC16][]Entry{far: {onMesh("2001:db8::/64", 1, true)}}, "2001:db8::1", "2600::1", 0},
		{"a longer prefix before preference", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", 1, true), external("2600::/16", 1, true)}, b: {external("2600::/32", -1, true)},
		}, "2001:db8::1", "2600::1", b},
		{"a route before the default route", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", 1, true)}, b: {external("2600::/16", -1, true)},
		}, "2001:db8::1", "2600::1", b},
		{"another destination", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", 1, true)}, b: {external("2600::/16", -1, true)},
		}, "2001:db8::1", "2a00::1", a},
		{"a route to everywhere is a default route", map[mle.RLOC16][]Entry{
			a: {onMesh("2001:db8::/64", 0, true)}, b: {external("::/0", 1, true)},
		}, "2001:db8::1", "2600::1", b},
		{"a route without a source in the mesh", map[mle.RLOC16][]Entry{b: {external("2600::/16", 1, true)}}, "2001:db8::1", "2600::1", 0},
	} {
		d, _ := newLeader()
		for _, server := range []mle.RLOC16{far, c, b, a} {
			if err := register(t, d, server, tt.of[server]...); err != nil {
				t.Fatal(err)
			}
		}
		src, dst := netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)
		got, ok := d.Route(src, dst, near)
		if ok != (tt.want != 0) || ok && got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, ok, tt.want)
		}
		if ok && !d.Serves(got, src, dst) {
			t.Errorf("%s: %v does not serve", tt.name, got)
		}
		if n := testing.AllocsPerRun(10, func() { d.Route(src, dst, near); d.OnMesh(dst) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func TestIndex(t *testing.T) {
	d, _ := newLeader()
	slaac, dhcp := onMesh("2001:db8:1::/64", 0, true), onMesh("2001:db8:2::/64", 0, false)
	dhcp.Flags = netdata.FlagDHCP | netdata.FlagOnMesh
	deprecated := slaac
	deprecated.Flags &^= netdata.FlagPreferred
	_ = register(t, d, 0x0400, deprecated, dhcp, serviceOf("a", "", true))
	if !slices.Equal(d.SLAAC(), []ManagedPrefix{{deprecated.Prefix, false, true, 0x0400}}) {
		t.Errorf("%+v", d.SLAAC())
	}
	_ = register(t, d, 0x0800, slaac, serviceOf("a", "", true), serviceOf("b", "", true))
	if !slices.Equal(d.SLAAC(), []ManagedPrefix{{slaac.Prefix, true, true, 0x0400}}) {
		t.Errorf("%+v", d.SLAAC())
	}
	if !slices.Equal(d.DHCP(), []ManagedPrefix{{dhcp.Prefix, false, false, 0x0400}}) {
		t.Errorf("%+v", d.DHCP())
	}
	for server, p := range d.Agents() {
		if server != 0x0400 || p != dhcp.Prefix {
			t.Errorf("agent %v of %v", server, p)
		}
	}
	for a, want := range map[string]bool{"2001:db8:1::1": true, "2001:db8:2::1": true, "2001:db8:3::1": false, "fdde:ad00:beef::1": false} {
		if got := d.OnMesh(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s on mesh: %v", a, got)
		}
	}
	offers := func(server mle.RLOC16) (list []mle.RLOC16) {
		d.OffersOf(server, func(aloc mle.RLOC16) { list = append(list, aloc) })
		return list
	}
	if got := offers(0x0400); !slices.Equal(got, []mle.RLOC16{0xfc02, 0xfc10}) {
		t.Errorf("%v", got)
	}
	if got := offers(0x0800); !slices.Equal(got, []mle.RLOC16{0xfc10, 0xfc11}) {
		t.Errorf("%v", got)
	}
	for _, tt := range []struct {
		aloc  mle.RLOC16
		costs costs
		want  mle.RLOC16
	}{
		{0xfc10, costs{0x0400: 3, 0x0800: 2}, 0x0800}, {0xfc10, costs{0x0400: 2, 0x0800: 2}, 0x0400}, {0xfc10, costs{0x0800: 9}, 0x0800},
		{0xfc11, costs{0x0400: 1, 0x0800: 5}, 0x0800}, {0xfc11, costs{0x0400: 1}, 0}, {0xfc12, costs{0x0400: 1}, 0}, {0xfc02, costs{0x0400: 1}, 0x0400},
	} {
		if got, ok := d.Nearest(tt.aloc, tt.costs); ok != (tt.want != 0) || ok && got != tt.want {
			t.Errorf("%v: %v, %v, want %v", tt.aloc, got, ok, tt.want)
		}
	}
	d.Clear()
	if len(d.SLAAC()) != 0 || d.OnMesh(netip.MustParseAddr("2001:db8:1::1")) || offers(0x0400) != nil {
		t.Error("something is left")
	}
}
