package ip6

import (
	"net/netip"
	"testing"
)

func TestScopeOf(t *testing.T) {
	for _, test := range []struct {
		addr string
		want Scope
		name string
	}{
		{"ff01::1", ScopeInterfaceLocal, "Interface-Local"},
		{"ff02::1", ScopeLinkLocal, "Link-Local"},
		{"ff32:40:fdde:ad00:beef::1", ScopeLinkLocal, "Link-Local"},
		{"ff03::fc", ScopeRealmLocal, "Realm-Local"},
		{"ff33:40:fdde:ad00:beef::1", ScopeRealmLocal, "Realm-Local"},
		{"ff04::1", ScopeAdminLocal, "Admin-Local"},
		{"ff05::1", ScopeSiteLocal, "Site-Local"},
		{"ff08::1", ScopeOrganizationLocal, "Organization-Local"},
		{"ff0e::1", ScopeGlobal, "Global"},
		{"ff0f::1", 15, "Scope(15)"},
		{"fe80::1", ScopeLinkLocal, "Link-Local"},
		{"febf::1", ScopeLinkLocal, "Link-Local"},
		{"fec0::1", ScopeGlobal, "Global"},
		{"::1", ScopeInterfaceLocal, "Interface-Local"},
		{"2001:db8::1", ScopeGlobal, "Global"},
		{"::ffff:224.0.0.1", ScopeGlobal, "Global"},
	} {
		got := ScopeOf(netip.MustParseAddr(test.addr))
		if got != test.want || got.String() != test.name {
			t.Errorf("ScopeOf(%s) = %v, want %v", test.addr, got, test.want)
		}
	}
}

func TestInterfaceID(t *testing.T) {
	iid := InterfaceID{0, 0, 0, 0xff, 0xfe, 0, 0x58, 0}
	if got := InterfaceIDOf(rloc1); got != iid {
		t.Errorf("InterfaceIDOf = %v", got)
	}
	if got := iid.String(); got != "0:ff:fe00:5800" {
		t.Errorf("String = %q", got)
	}
	for _, test := range []struct{ prefix, want string }{
		{"fdde:ad00:beef::/64", "fdde:ad00:beef::ff:fe00:5800"},
		{"fdde:ad00:beef:1:2:3:4:5/64", "fdde:ad00:beef:1:0:ff:fe00:5800"},
		{"2001:db8::/32", "2001:db8::ff:fe00:5800"},
		{"2001:db8:0:0:ffff::/80", "2001:db8::ff:fe00:5800"},
	} {
		if got := WithInterfaceID(netip.MustParsePrefix(test.prefix), iid); got.String() != test.want {
			t.Errorf("WithInterfaceID(%s) = %v, want %s", test.prefix, got, test.want)
		}
	}
	if got := PrefixOf(rloc1).String(); got != "fdde:ad00:beef::/64" {
		t.Errorf("PrefixOf = %s", got)
	}
	if got := WithInterfaceID(LinkLocalPrefix, iid).String(); got != "fe80::ff:fe00:5800" {
		t.Errorf("link-local address %s", got)
	}
}
