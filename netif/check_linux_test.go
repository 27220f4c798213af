package netif

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fakeHost is a host for a checker: its sysctls, what programs print, and its links.
func fakeHost(t *testing.T, sysctls, programs map[string]string) *checker {
	t.Helper()
	proc := t.TempDir()
	for key, value := range sysctls {
		name := filepath.Join(proc, strings.ReplaceAll(key, ".", "/"))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &checker{
		proc: proc, opt: CheckOptions{Name: "pymesh0", BorderRouter: &BorderRouter{}},
		run: func(name string, args ...string) (string, error) {
			out, ok := programs[name]
			switch {
			case !ok:
				return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
			case strings.HasPrefix(out, "!"):
				return out[1:], errors.New("exit status 1")
			}
			return out, nil
		},
		links: func() ([]netlink.Link, error) {
			var links []netlink.Link
			for i, name := range []string{"lo", "eth0", "wlan0", "ppp0", "down0", "pymesh0"} { // with the flags that netlink gives them
				flags := map[string]uint32{"lo": unix.IFF_UP | unix.IFF_LOOPBACK, "ppp0": unix.IFF_UP | unix.IFF_POINTOPOINT, "down0": 0}
				raw, ok := flags[name]
				if !ok {
					raw = unix.IFF_UP | unix.IFF_BROADCAST
				}
				links = append(links, &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name, Index: i + 1, RawFlags: raw}})
			}
			return links, nil
		},
	}
}

// TestChecker tries what a host can have wrong, and looks for the remedy.
func TestChecker(t *testing.T) {
	forward := func(policy, rules string) map[string]string {
		return map[string]string{"ip6tables": "-P FORWARD " + policy + "\n" + rules, "docker": "Docker version 20"}
	}
	tests := []struct {
		name     string
		sysctls  map[string]string
		programs map[string]string
		look     func(*checker)
		what     string // of the finding; empty: there is none
		ok       bool
		says     []string
	}{
		{"no IPv6", nil, nil, (*checker).disabled, "IPv6", false, []string{"ipv6.disable=1"}},
		{"IPv6 off", map[string]string{"ipv6.conf.default.disable_ipv6": "1"}, nil, (*checker).disabled, "IPv6", false, []string{"sysctl -w"}},
		{"IPv6 on", map[string]string{"ipv6.conf.default.disable_ipv6": "0"}, nil, (*checker).disabled, "IPv6", true, nil},
		{"no forwarding", map[string]string{"ipv6.conf.all.forwarding": "0"}, nil, (*checker).forwarding, "forwarding", false, []string{"net.ipv6.conf.all.forwarding=1", "sysctl --system"}},
		{"forwarding", map[string]string{"ipv6.conf.all.forwarding": "1"}, nil, (*checker).forwarding, "forwarding", true, nil},
		{"accept_ra 1", map[string]string{"ipv6.conf.eth0.accept_ra": "1"}, nil, (*checker).advertisements, "router advertisements", false, []string{"eth0", "net.ipv6.conf.eth0.accept_ra=2"}},
		{"accept_ra 2", map[string]string{"ipv6.conf.eth0.accept_ra": "2"}, nil, (*checker).advertisements, "router advertisements", true, nil},
		{"a daemon takes them", map[string]string{"ipv6.conf.wlan0.accept_ra": "0"}, nil, (*checker).advertisements, "router advertisements", true, []string{"NetworkManager"}},
		{"accept_ra 1 by telephone", map[string]string{"ipv6.conf.ppp0.accept_ra": "1"}, nil, (*checker).advertisements, "router advertisements", false, []string{"ppp0"}},
		{"those of others do not matter", map[string]string{"ipv6.conf.pymesh0.accept_ra": "1", "ipv6.conf.lo.accept_ra": "1", "ipv6.conf.down0.accept_ra": "1"}, nil, (*checker).advertisements, "", false, nil},
		{"Docker", nil, forward("DROP", ""), (*checker).firewall, "firewall", false, []string{"Docker", "ip6tables -I FORWARD -i pymesh0 -j ACCEPT"}},
		{"Docker, with a rule", nil, forward("DROP", "-A FORWARD -i pymesh0 -j ACCEPT"), (*checker).firewall, "firewall", true, nil},
		{"accepts", nil, forward("ACCEPT", ""), (*checker).firewall, "firewall", true, nil},
		{"ip6tables accepts, nft drops", nil, map[string]string{"ip6tables": "-P FORWARD ACCEPT\n", "nft": "chain f { type filter hook forward priority 0; policy drop; }"},
			(*checker).firewall, "firewall", false, []string{"nftables", `iifname "pymesh0" accept`}},
		{"not root", nil, map[string]string{"ip6tables": "!Permission denied (you must be root)\n"}, (*checker).firewall, "firewall", false, []string{"you must be root", "as root"}},
		{"no firewall", nil, nil, (*checker).firewall, "firewall", true, nil},
		{"nft drops", nil, map[string]string{"nft": "chain forward { type filter hook forward priority 0; policy drop; }"}, (*checker).firewall, "firewall", false, []string{`iifname "pymesh0" accept`}},
		{"nft accepts", nil, map[string]string{"nft": "chain forward { type filter hook forward priority 0; policy accept; }"}, (*checker).firewall, "firewall", true, nil},
		{"nft, not root", nil, map[string]string{"nft": "!Operation not permitted"}, (*checker).firewall, "firewall", false, []string{"not permitted"}},
		{"firewalld", nil, map[string]string{"nft": "fib saddr . mark . iif oif missing drop"}, (*checker).reversePath, "reverse path filter", false, []string{"IPv6_rpfilter=no"}},
		{"no reverse path filter", nil, map[string]string{"nft": ""}, (*checker).reversePath, "reverse path filter", true, nil},
		{"no nft", nil, nil, (*checker).reversePath, "", false, nil},
		{"no NAT66", nil, nil, (*checker).translation, "address translation", false, []string{"pymesh-nat66.nft"}},
		{"NAT66", nil, map[string]string{"nft": `iifname "pymesh0" oifname "eth0" masquerade`}, (*checker).translation, "address translation", true, nil},
		{"delegated", nil, nil, func(c *checker) {
			c.opt.BorderRouter.Prefix = netip.MustParsePrefix("2001:db8:1:2::/64")
			c.translation()
		}, "", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeHost(t, tt.sysctls, tt.programs)
			tt.look(c)
			if tt.what == "" {
				if len(c.found) > 0 {
					t.Errorf("%+v", c.found)
				}
				return
			}
			at := slices.IndexFunc(c.found, func(f Finding) bool { return f.What == tt.what && f.OK == tt.ok })
			if at < 0 {
				t.Fatalf("%+v", c.found)
			}
			f := c.found[at]
			if f.OK != (f.Remedy == "") {
				t.Errorf("%+v", f)
			}
			for _, word := range tt.says {
				if !strings.Contains(f.Detail+f.Remedy, word) {
					t.Errorf("%+v does not say %q", f, word)
				}
			}
		})
	}
}

// TestCheckOnHost has a real host, whose remedies are carried out.
func TestCheckOnHost(t *testing.T) {
	t.Parallel()
	need(t, "ip", "sysctl")
	gateway := newHost(t)
	world(t, gateway)
	gateway.must("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
	gateway.must("sysctl", "-qw", "net.ipv6.conf.wan0.accept_ra=1")
	wrong := func() (list []string) {
		var found []Finding
		_ = gateway.in(func() error {
			found = Check(CheckOptions{BorderRouter: &BorderRouter{Uplink: "wan0", Prefix: netip.MustParsePrefix("2001:db8:1:2::/64")}})
			return nil
		})
		for _, f := range found {
			if !f.OK {
				list = append(list, f.What)
				for _, setting := range strings.Fields(f.Remedy) { // what sysctl.d would set
					if strings.HasPrefix(setting, "net.") {
						gateway.must("sysctl", "-qw", setting)
					}
				}
			}
		}
		return list
	}
	if got := wrong(); !slices.Contains(got, "forwarding") || !slices.Contains(got, "router advertisements") || slices.Contains(got, "default route") {
		t.Errorf("%v", got)
	}
	if got := wrong(); slices.Contains(got, "forwarding") || slices.Contains(got, "router advertisements") {
		t.Errorf("still %v", got)
	}
	gateway.must("ip", "link", "set", "wan0", "down")
	if got := wrong(); !slices.Contains(got, "default route") {
		t.Errorf("no default route, but %v", got)
	}
}
