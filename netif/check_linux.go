package netif

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// checker looks at a host; its parts can be others' in tests.
type checker struct {
	proc  string                                            // where /proc/sys/net is
	run   func(name string, args ...string) (string, error) // runs a program and returns what it prints
	links func() ([]netlink.Link, error)
	opt   CheckOptions
	found []Finding
}

// Check looks at what a host needs to use a mesh, and, with a border router, to route for it: it changes nothing, and some of it only root may
// see. Each finding that is not OK has its remedy.
func Check(o CheckOptions) []Finding {
	o.Name = cmp.Or(o.Name, "pymesh0")
	c := &checker{
		proc: "/proc/sys/net", opt: o, links: netlink.LinkList,
		run: func(name string, args ...string) (string, error) {
			out, err := exec.Command(name, args...).CombinedOutput()
			return string(out), err
		},
	}
	c.device()
	c.privilege()
	c.disabled()
	if o.BorderRouter != nil {
		c.forwarding()
		c.uplink()
		c.advertisements()
		c.reversePath()
		c.translation()
		c.firewall()
	}
	return c.found
}

func (c *checker) add(what string, ok bool, detail, remedy string) {
	if ok {
		remedy = ""
	}
	c.found = append(c.found, Finding{what, ok, detail, remedy})
}

// either adds a finding with one detail if it is well, and another with its remedy if not.
func (c *checker) either(what string, ok bool, good, bad, remedy string) {
	if ok {
		c.add(what, true, good, "")
		return
	}
	c.add(what, false, bad, remedy)
}

func (c *checker) device() {
	fd, err := theDriver.node()
	if err == nil {
		unix.Close(fd)
		c.add("TUN device", true, tunPath+" opens", "")
		return
	}
	c.add("TUN device", false, err.Error(), "modprobe tun; echo tun > /etc/modules-load.d/tun.conf")
}

// privilege looks for CAP_NET_ADMIN, which makes an interface, or for one that is there already.
func (c *checker) privilege() {
	status, _ := os.ReadFile("/proc/self/status")
	m := regexp.MustCompile(`(?m)^CapEff:\s*([0-9a-f]+)`).FindSubmatch(status)
	var caps uint64
	if m != nil {
		_, _ = fmt.Sscanf(string(m[1]), "%x", &caps)
	}
	if caps>>unix.CAP_NET_ADMIN&1 == 1 {
		c.add("privilege", true, "CAP_NET_ADMIN is there", "")
		return
	}
	if links, err := c.links(); err == nil {
		for _, l := range links {
			if l.Attrs().Name == c.opt.Name {
				c.add("privilege", true, c.opt.Name+" is there: Attach uses it without a capability", "")
				return
			}
		}
	}
	c.add("privilege", false, "no CAP_NET_ADMIN, and no interface "+c.opt.Name+" made beforehand",
		fmt.Sprintf("AmbientCapabilities=CAP_NET_ADMIN in the unit, or: ip tuntap add dev %s mode tun user %d", c.opt.Name, os.Geteuid()))
}

func (c *checker) sysctl(key string) (value string, ok bool) {
	b, err := os.ReadFile(filepath.Join(c.proc, strings.ReplaceAll(key, ".", "/")))
	return strings.TrimSpace(string(b)), err == nil
}

func (c *checker) disabled() {
	v, ok := c.sysctl("ipv6.conf.default.disable_ipv6")
	switch {
	case !ok:
		c.add("IPv6", false, "this kernel has no IPv6", "remove ipv6.disable=1 from the kernel's command line")
	case v != "0":
		c.add("IPv6", false, "IPv6 is disabled on new interfaces", "sysctl -w net.ipv6.conf.default.disable_ipv6=0")
	default:
		c.add("IPv6", true, "IPv6 is on", "")
	}
}

func (c *checker) forwarding() {
	v, _ := c.sysctl("ipv6.conf.all.forwarding")
	c.either("forwarding", v == "1", "net.ipv6.conf.all.forwarding is 1",
		"net.ipv6.conf.all.forwarding is "+cmp.Or(v, "unknown")+": without it nothing passes between the mesh and the uplink",
		"echo net.ipv6.conf.all.forwarding=1 > /etc/sysctl.d/90-pymesh.conf; sysctl --system")
}

func (c *checker) uplink() {
	up, err := upstream(c.own(), c.opt.BorderRouter.Uplink)
	through := cmp.Or(c.opt.BorderRouter.Uplink, "any interface")
	if err != nil {
		c.add("default route", false, err.Error(), "ip -6 route show default")
		return
	}
	c.either("default route", up, "IPv6 has one through "+through,
		"IPv6 has none through "+through+": the mesh is told that there is no way out",
		"ip -6 route show default; ask the router for IPv6, or use the mesh without the outside")
}

// own is the index of the mesh's interface, 0 if there is none.
func (c *checker) own() int {
	if k, err := linkByName(c.opt.Name); err == nil {
		return k.index
	}
	return 0
}

// advertisements finds interfaces that lose their default route once the host forwards: it then takes router advertisements only with
// accept_ra 2. NetworkManager and systemd-networkd take them themselves.
func (c *checker) advertisements() {
	links, err := c.links()
	if err != nil {
		c.add("router advertisements", false, err.Error(), "")
		return
	}
	for _, l := range links {
		name, uplink := l.Attrs().Name, c.opt.BorderRouter.Uplink
		other := uplink != "" && name != uplink || uplink == "" && l.Attrs().RawFlags&unix.IFF_UP == 0
		if l.Attrs().RawFlags&unix.IFF_LOOPBACK != 0 || name == c.opt.Name || other {
			continue
		}
		v, ok := c.sysctl("ipv6.conf." + name + ".accept_ra")
		if !ok {
			continue
		}
		if v == "0" {
			c.add("router advertisements", true, name+": accept_ra is 0: a daemon (NetworkManager, systemd-networkd) takes them, or addresses are fixed", "")
			continue
		}
		c.either("router advertisements", v == "2", name+": accept_ra is 2",
			name+": accept_ra is "+v+"; with forwarding on only 2 keeps the default route of this host alive",
			fmt.Sprintf("echo net.ipv6.conf.%s.accept_ra=2 >> /etc/sysctl.d/90-pymesh.conf; sysctl --system", name))
	}
}

// reversePath finds rules of nftables or ip6tables that drop what comes in by another interface than its answers leave (IPv6 has no sysctl for
// it; firewalld sets such a rule).
func (c *checker) reversePath() {
	out, err := c.run("nft", "list", "ruleset")
	if err != nil {
		return // no nftables, or not root: firewall says so
	}
	found := strings.Contains(out, "fib saddr") && strings.Contains(out, "oif")
	c.either("reverse path filter", !found, "none in nftables",
		"nftables drops packets whose source is routed elsewhere, as that of what a mesh sends is while its route is missing",
		"firewalld: IPv6_rpfilter=no in /etc/firewalld/firewalld.conf; else take the fib rule off "+c.opt.Name)
}

// translation looks for NAT66, without which the internet has no answer for a prefix of fd00::/8.
func (c *checker) translation() {
	if p := c.opt.BorderRouter.Prefix; p.IsValid() && !ula.Contains(p.Addr()) {
		return // delegated: the world knows the way
	}
	out, err := c.run("nft", "list", "ruleset")
	if err != nil && !errors.Is(err, exec.ErrNotFound) {
		return // firewall says so
	}
	found := err == nil && strings.Contains(out, "masquerade") && strings.Contains(out, c.opt.Name)
	c.either("address translation", found, "nftables masquerades what comes from "+c.opt.Name,
		"nftables has no masquerade for "+c.opt.Name+": a prefix of fd00::/8 reaches no further than this host's site without",
		"apt install nftables; nft -f pymesh-nat66.nft (beside package netif, or /usr/share/doc/pymesh/examples); or give a /64 that the uplink has delegated")
}

// firewall looks at what becomes of packets that the host forwards. Docker sets the policy to DROP, by which the mesh loses the outside in one
// direction and without a word.
func (c *checker) firewall() {
	out, err := c.run("ip6tables", "-S", "FORWARD")
	remedy := fmt.Sprintf("ip6tables -I FORWARD -i %s -j ACCEPT; ip6tables -I FORWARD -o %s -j ACCEPT", c.opt.Name, c.opt.Name)
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		c.nftables()
	case err != nil:
		c.add("firewall", false, "cannot see the FORWARD chain: "+firstLine(out, err), "run the check as root")
	case strings.Contains(out, "-P FORWARD DROP") && !strings.Contains(out, c.opt.Name):
		detail := "the FORWARD chain drops what no rule accepts"
		if _, err := c.run("docker", "--version"); err == nil {
			detail += " (Docker sets it so)"
		}
		c.add("firewall", false, detail, remedy)
	default:
		c.add("firewall", true, "the FORWARD chain of ip6tables lets packets pass", "")
		if out, err := c.run("nft", "list", "ruleset"); err == nil && c.drops(out) {
			c.nftables() // has a chain of its own
		}
	}
}

// drops reports whether rules of nftables drop what is forwarded, as a rule.
func (c *checker) drops(rules string) bool {
	return regexp.MustCompile(`hook forward[^;]*;\s*policy drop`).MatchString(rules) && !strings.Contains(rules, c.opt.Name)
}

func (c *checker) nftables() {
	out, err := c.run("nft", "list", "ruleset")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		c.add("firewall", true, "neither ip6tables nor nft is installed", "")
	case err != nil:
		c.add("firewall", false, "cannot see the rules: "+firstLine(out, err), "run the check as root")
	default:
		c.either("firewall", !c.drops(out), "nftables lets packets pass", "nftables: a chain on forward with policy drop", fmt.Sprintf("nft add rule inet filter forward iifname %q accept; "+
			"nft add rule inet filter forward oifname %q accept", c.opt.Name, c.opt.Name))
	}
}

func firstLine(out string, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(out), "\n"); line != "" {
		return line
	}
	return err.Error()
}
