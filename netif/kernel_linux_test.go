package netif

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"golang.org/x/sys/unix"
)

// childStore names the store of TestChild, which is another process of these tests.
const childStore = "PYMESH_TEST_CHILD"

// TestChild is a program that puts its host on a mesh, until it is killed.
func TestChild(t *testing.T) {
	name := os.Getenv(childStore)
	if name == "" {
		t.Skip("skipped: for TestKilled")
	}
	store, err := pymesh.OpenFileStore(name)
	if err != nil {
		t.Fatal(err)
	}
	air := lorasim.NewAir(lorasim.Options{Seed: 1, Speed: speed})
	n, err := pymesh.New(air.Radio(lora.Config{}, lorasim.Position{}), pymesh.WithKey(pymesh.MustParseKey("6e65746966")), pymesh.WithStore(store))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.WaitAttached(t.Context()); err != nil {
		t.Fatal(err)
	}
	i, err := Up(t.Context(), n, Options{BorderRouter: &BorderRouter{}})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("up %v %v\n", n.MeshLocalEID(), i.Prefix())
	<-i.Done()
	t.Fatal(i.Err())
}

// child is such a program on a host.
type child struct {
	cmd    *exec.Cmd
	eid    string
	prefix string
}

// start starts one, and waits until it is up, unless it is to be killed before.
func (h *host) start(store string, wait bool) *child {
	h.t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")}
	c.cmd.Env = append(os.Environ(), childStore+"="+store)
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = h.in(c.cmd.Start)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.kill)
	if !wait {
		return c
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "up %s %s", &c.eid, &c.prefix); err == nil {
			return c
		}
		said = append(said, lines.Text())
	}
	h.t.Fatalf("the child ends: %s", strings.Join(said, "\n"))
	return nil
}

// kill kills it with SIGKILL: it can do nothing any more.
func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	_ = c.cmd.Wait()
}

// TestKilled kills the program with SIGKILL at any time: the next one takes its place, with the same address if it has the same store, and
// nothing of the one before is left.
func TestKilled(t *testing.T) {
	t.Parallel()
	need(t, "ip", "ping")
	for _, persistent := range []bool{false, true} {
		t.Run(fmt.Sprintf("device of its own %v", !persistent), func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			if persistent { // as systemd-networkd makes one: the device survives its program, with all that it was given
				h.must("ip", "tuntap", "add", "dev", "pymesh0", "mode", "tun")
			}
			store := filepath.Join(t.TempDir(), "store")
			first := h.start(store, true)
			_, err := h.up(newMesh(t, 1).nodes[0], Options{})
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", first.cmd.Process.Pid)) {
				t.Errorf("the error does not tell who has the device: %v", err)
			}
			first.kill()
			out, _ := h.run("ip", "-6", "addr", "show", "dev", "pymesh0")
			if left := strings.Contains(out, first.eid); left != persistent {
				t.Errorf("after the kill: %s", out)
			}
			again := h.start(store, true)
			if again.eid != first.eid || again.prefix != first.prefix {
				t.Errorf("%v and %v, before %v and %v", again.eid, again.prefix, first.eid, first.prefix)
			}
			h.must("ping", "-c", "5", "-i", "0.3", "-W", "2", again.eid) // one answer is enough
			again.kill()
			for i := range 5 { // at its start, too
				c := h.start(store, false)
				time.Sleep(time.Duration(i) * 40 * time.Millisecond)
				c.kill()
			}
			other := h.start(filepath.Join(t.TempDir(), "another store"), true)
			addresses, routes := h.must("ip", "-6", "addr", "show", "dev", "pymesh0"), h.must("ip", "-6", "route", "show", "dev", "pymesh0")
			if strings.Contains(addresses, first.eid) || !strings.Contains(addresses, other.eid) {
				t.Errorf("leftovers: %s", addresses)
			}
			if strings.Contains(routes, first.prefix) || !strings.Contains(routes, other.prefix) || first.prefix == other.prefix {
				t.Errorf("leftovers: %s", routes)
			}
		})
	}
}

// TestPrograms has curl and netcat use the mesh.
func TestPrograms(t *testing.T) {
	t.Parallel()
	need(t, "curl", "nc", "ip")
	a, b := newHost(t), newHost(t)
	m := newMesh(t, 2)
	for i, h := range []*host{a, b} {
		n, err := h.up(m.nodes[i], Options{TCP: true})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
	}
	eid := m.nodes[1].MeshLocalEID().String()
	t.Run("curl", func(t *testing.T) {
		var l net.Listener
		err := b.in(func() (err error) { l, err = net.Listen("tcp6", "[::]:8080"); return err })
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "19.5 degrees\n") })}
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		out, err := a.run("curl", "-sS", "-g", "--max-time", "60", "--retry", "3", "--retry-all-errors", "http://["+eid+"]:8080/")
		if err != nil || out != "19.5 degrees\n" {
			t.Errorf("%v: %q", err, out)
		}
	})
	t.Run("netcat", func(t *testing.T) {
		server := exec.Command("nc", "-6", "-u", "-l", "7300")
		out, err := server.StdoutPipe()
		if err == nil {
			err = b.in(server.Start)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
		heard := make(chan string, 1)
		go func() {
			line, _ := bufio.NewReader(out).ReadString('\n')
			heard <- line
		}()
		for range 8 { // the air loses a datagram now and then
			if out, err := a.run("sh", "-c", "echo hello | nc -6 -u -w 1 "+eid+" 7300"); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			select {
			case line := <-heard:
				if line != "hello\n" {
					t.Errorf("%q", line)
				}
				return
			case <-time.After(3 * time.Second):
			}
		}
		t.Error("nothing arrives")
	})
}

// TestVerdicts has programs and kernel provoke what the filters are for, and sees each counted.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	need(t, "ping", "nc", "ip", "sysctl")
	gateway := newHost(t)
	outside := world(t, gateway)
	m := newMesh(t, 2)
	prefix := netip.MustParsePrefix("fd12:3456:789a:1::/64")
	i, err := gateway.up(m.nodes[0], Options{BorderRouter: &BorderRouter{Prefix: prefix}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	peer := m.nodes[1].MeshLocalEID().String()
	gateway.must("sysctl", "-qw", "net.ipv6.conf.pymesh0.accept_ra=2")
	alone := newHost(t) // on a mesh without a way out
	lonely := newMesh(t, 1).nodes[0]
	j, err := alone.up(lonely, Options{Routes: []netip.Prefix{netip.MustParsePrefix("2001:db8:99::/48")}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	nobody := lonely.Network().MeshLocalPrefix.Addr().Next().String()
	alone.must("ip", "addr", "add", "fd77::7/128", "dev", "lo")
	alone.must("ip", "route", "add", "10.9.9.0/24", "dev", "pymesh0")
	udp := func(dst string, port int, more ...string) []string {
		return append(more, "sh", "-c", fmt.Sprintf("echo x | nc -6 -u -w 1 %s %d", dst, port))
	}
	tests := []struct {
		verdict Verdict
		from    *host
		command []string
		says    string // the program, of what comes back
	}{
		{Passed, gateway, []string{"ping", "-c", "1", "-W", "5", peer}, ""},
		{Chatter, gateway, []string{"ip", "addr", "add", "fe80::1/64", "dev", "pymesh0"}, ""}, // a router solicitation follows
		{Discovery, gateway, udp(peer, portMDNS), ""},
		{Scope, gateway, []string{"ping", "-c", "1", "-W", "1", "-I", "pymesh0", "ff02::1"}, ""},
		{Malformed, alone, []string{"ping", "-4", "-c", "1", "-W", "1", "10.9.9.9"}, ""},
		{ForeignSrc, alone, []string{"ping", "-c", "1", "-W", "3", "-I", "fd77::7", nobody}, "rohibited"},
		{Control, gateway, udp(peer, 19788), ""},
		{NotAllowed, gateway, []string{"nc", "-6", "-v", "-w", "3", peer, "80"}, "ermission denied"},
		{NotAllowed, outside, []string{"ping", "-c", "1", "-W", "3", "fd12:3456:789a:1::5"}, "rohibited"},
		{Spoofed, outside, []string{"ping", "-c", "1", "-W", "1", "-I", "fd12:3456:789a:1::66", "fd12:3456:789a:1::5"}, ""},
		{HopLimit, outside, []string{"ping", "-c", "1", "-W", "3", "-t", "2", "fd12:3456:789a:1::5"}, "exceeded"},
		{NoRoute, alone, []string{"ping", "-c", "1", "-W", "3", "2001:db8:99::1"}, "No route"},
		{Unreachable, alone, []string{"ping", "-c", "1", "-W", "5", nobody}, "unreachable"},
		{Collapsed, gateway, []string{"ping", "-c", "40", "-i", "0.002", "-W", "1", "-s", "1000", peer}, ""},
		{Full, gateway, []string{"sh", "-c", "for i in $(seq 120); do ping -c 1 -W 1 -s 10 " + peer + " & done; wait"}, ""},
		{Late, gateway, []string{"sh", "-c", "for i in $(seq 60); do ping -c 1 -W 1 -s 1200 " + peer + " & done; wait"}, "rohibited"},
	}
	outside.must("ip", "addr", "add", "fd12:3456:789a:1::66/128", "dev", "lo")
	for _, tt := range tests {
		t.Run(tt.verdict.String()+" "+tt.command[0], func(t *testing.T) {
			i := i
			if tt.from == alone {
				i = j
			}
			var out string
			for try := 0; ; try++ {
				before := i.Stats().ToMesh[tt.verdict].Packets
				out, _ = tt.from.run(tt.command[0], tt.command[1:]...)
				deadline := time.Now().Add(time.Second)
				for i.Stats().ToMesh[tt.verdict].Packets == before && time.Now().Before(deadline) {
					time.Sleep(50 * time.Millisecond)
				}
				if i.Stats().ToMesh[tt.verdict].Packets > before || tt.verdict == Unreachable && strings.Contains(out, tt.says) {
					break // the first packet to nobody has passed: the mesh has looked for a while before the error came
				}
				if try == 3 {
					t.Fatalf("not counted: %v\n%s", i.Stats().ToMesh, out)
				}
			}
			if !strings.Contains(out, tt.says) {
				t.Errorf("the program does not say %q:\n%s", tt.says, out)
			}
		})
	}
	t.Run("too long", func(t *testing.T) { // the kernel says so by itself
		out, err := outside.run("ping", "-M", "do", "-c", "1", "-W", "2", "-s", "1400", "fd12:3456:789a:1::5")
		if err == nil || !strings.Contains(out, "Packet too big: mtu=1280") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Logf("%v", i.Stats())
	t.Logf("%v", j.Stats())
}

// TestHealed has an administrator, or a daemon of the network, take away what the interface needs: it comes back.
func TestHealed(t *testing.T) {
	t.Parallel()
	need(t, "ip", "sysctl")
	h := newHost(t)
	m := newMesh(t, 1)
	i, err := h.up(m.nodes[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	whole := func() bool {
		out, _ := h.run("ip", "-6", "addr", "show", "dev", "pymesh0")
		routes, _ := h.run("ip", "-6", "route", "show", "dev", "pymesh0")
		link, _ := h.run("ip", "link", "show", "dev", "pymesh0")
		return strings.Contains(out, m.nodes[0].MeshLocalEID().String()) && strings.Contains(routes, "fdde:ad00:beef::/64") && strings.Contains(link, "mtu 1280 ")
	}
	for _, command := range []string{"ip link set pymesh0 mtu 1500", "ip link set pymesh0 mtu 1000", "ip link set pymesh0 down", "ip -6 addr flush dev pymesh0"} {
		h.must("ip", strings.Fields(command)[1:]...)
		if strings.HasSuffix(command, "down") {
			h.must("ip", "link", "set", "pymesh0", "up")
		}
		m.wait(t, "all is well after "+command, whole)
	}
	h.must("sysctl", "-qw", "net.ipv6.conf.pymesh0.disable_ipv6=1")
	h.must("sysctl", "-qw", "net.ipv6.conf.pymesh0.disable_ipv6=0")
	m.wait(t, "all is well after IPv6 was off", whole)
}

// TestLocator gives the host the routing locator, too: an address that works, but that the kernel takes for no new conversation. It changes
// with the node's place.
func TestLocator(t *testing.T) {
	t.Parallel()
	need(t, "ip", "ping")
	h := newHost(t)
	m := newMesh(t, 2)
	i, err := h.up(m.nodes[1], Options{RLOC: true})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	has := func() bool {
		want := fmt.Sprintf("::ff:fe00:%x/128", uint16(m.nodes[1].RLOC16()))
		out, _ := h.run("ip", "-6", "addr", "show", "dev", "pymesh0", "deprecated")
		all, _ := h.run("ip", "-6", "addr", "show", "dev", "pymesh0")
		return strings.Contains(strings.ReplaceAll(out, ":0:", "::"), want) && strings.Count(all, "ff:fe00") == 1
	}
	m.wait(t, "the locator as a deprecated address", has)
	route := h.must("ip", "-6", "route", "get", m.nodes[0].MeshLocalEID().String())
	if !strings.Contains(route, "src "+m.nodes[1].MeshLocalEID().String()) {
		t.Errorf("the kernel's source: %s", route)
	}
	if before := m.nodes[1].RLOC16(); before&0x1ff != 0 { // a child's: it will be a router in two minutes of the mesh's
		m.wait(t, "another locator", func() bool { return m.nodes[1].RLOC16() != before && has() })
	}
}

// TestAttachGoesOn attaches to a device on which a program has joined a group already, and that is deleted in the end.
func TestAttachGoesOn(t *testing.T) {
	t.Parallel()
	need(t, "ip")
	h := newHost(t)
	m := newMesh(t, 1)
	for _, line := range []string{"tuntap add dev pymesh0 mode tun", "link set pymesh0 mtu 1280 addrgenmode none", "link set pymesh0 up",
		"addr add " + m.nodes[0].MeshLocalEID().String() + "/128 dev pymesh0 nodad", "-6 route add fdde:ad00:beef::/64 dev pymesh0 metric 64"} {
		h.must("ip", strings.Fields(line)...)
	}
	err := h.in(func() error {
		device, err := net.InterfaceByName("pymesh0")
		if err != nil {
			return err
		}
		c, err := net.ListenMulticastUDP("udp6", device, &net.UDPAddr{IP: net.ParseIP("ff03::1234"), Port: 7200})
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	i, err := h.open(m.nodes[0], Options{}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	m.wait(t, "the node joins", func() bool { i.mu.Lock(); defer i.mu.Unlock(); return len(i.groups) == 1 })
	h.must("ip", "link", "del", "pymesh0")
	select {
	case <-i.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	if !errors.Is(i.Err(), ErrDeleted) {
		t.Errorf("Err: %v", i.Err())
	}
}

// TestToInternet has a node of the mesh, not a host, talk to the world through a border router: from a delegated prefix as it is, and from
// one of fd00::/8 with address translation by the file that comes with this package.
func TestToInternet(t *testing.T) {
	t.Parallel()
	need(t, "ip", "sysctl")
	for _, tt := range []struct {
		name, prefix string
		nat          bool
	}{{"delegated", "2001:db8:77:1::/64", false}, {"NAT66", "", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			gateway := newHost(t)
			outside := world(t, gateway)
			border := &BorderRouter{}
			if tt.nat {
				need(t, "nft")
				script, err := os.ReadFile("pymesh-nat66.nft")
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "nat.nft")
				if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(script), `"eth0"`, `"wan0"`)), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := gateway.run("nft", "-f", file); err != nil {
					t.Skipf("skipped: this kernel does not take it: %s", out)
				}
			} else {
				border.Prefix = netip.MustParsePrefix(tt.prefix)
				outside.must("ip", "-6", "route", "add", tt.prefix, "via", "2001:db8::1")
			}
			m := newMesh(t, 3)
			i, err := gateway.up(m.nodes[0], Options{BorderRouter: border})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			n := m.nodes[2]
			m.wait(t, "an address in the prefix", func() bool {
				for _, a := range n.IPAddrs() {
					if i.Prefix().Contains(a) {
						return true
					}
				}
				return false
			})
			from := echo(t, m, n, outside)
			if own := i.Prefix().Contains(from.Addr()); own == tt.nat {
				t.Errorf("the world hears from %v, the prefix is %v", from, i.Prefix())
			}
			t.Logf("prefix %v, heard from %v: %v", i.Prefix(), from, i.Stats())
		})
	}
}

// echo has a node send a datagram to a server outside and get it back, and returns whom the server has heard.
func echo(t *testing.T, m *mesh, n *pymesh.Node, outside *host) (from netip.AddrPort) {
	t.Helper()
	var server *net.UDPConn
	at := netip.MustParseAddrPort("[2001:db8::2]:7400")
	err := outside.in(func() (err error) { server, err = net.ListenUDP("udp6", net.UDPAddrFromAddrPort(at)); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	heard := make(chan netip.AddrPort, 100)
	go func() {
		buf := make([]byte, 100)
		for {
			k, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			heard <- from
			_, _ = server.WriteToUDPAddrPort(buf[:k], from)
		}
	}()
	c, err := n.ListenUDP(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m.wait(t, "an answer from outside", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := c.WriteToUDPAddrPort([]byte("19.5"), at); err != nil {
			return false
		}
		deadline, _ := ctx.Deadline()
		_ = c.SetReadDeadline(deadline)
		buf := make([]byte, 100)
		k, who, err := c.ReadFromUDPAddrPort(buf)
		return err == nil && string(buf[:k]) == "19.5" && who == at
	})
	return <-heard
}

// TestDeviceErrors finds a device that cannot be had, and looks for what to do about it.
func TestDeviceErrors(t *testing.T) {
	t.Parallel()
	need(t, "ip")
	h := newHost(t)
	h.must("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
	h.must("ip", "tuntap", "add", "dev", "theirs", "mode", "tun", "user", "12345")
	powerless := func() error { // of this thread alone, which ends with the function
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		return unix.Capset(&header, &none[0])
	}
	for _, tt := range []struct {
		name, device string
		before       func() error
		is           error
		says         []string
	}{
		{"long name", "a-name-of-16-char", nil, nil, []string{"15 characters"}},
		{"name with a slash", "a/b", nil, nil, []string{"no space, slash or colon"}},
		{"another kind", "cable0", nil, nil, []string{"no TUN device", "another name"}},
		{"no capability", "pymesh0", powerless, unix.EPERM, []string{"CAP_NET_ADMIN", "AmbientCapabilities", "ip tuntap add dev pymesh0 mode tun user"}},
		{"somebody else's", "theirs", powerless, unix.EPERM, []string{"CAP_NET_ADMIN"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := h.in(func() error {
				if tt.before != nil {
					if err := tt.before(); err != nil {
						return err
					}
				}
				dev, err := openTUN(tt.device)
				if err == nil {
					_ = dev.Close()
				}
				return err
			})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("%v", err)
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}

// TestDriverErrors: each way in which the kernel can refuse a device is told with what to do about it, and a module is loaded where that helps.
func TestDriverErrors(t *testing.T) {
	var release unix.Utsname
	if err := unix.Uname(&release); err != nil {
		t.Fatal(err)
	}
	kernel := unix.ByteSliceToString(release.Release[:])
	for _, tt := range []struct {
		name         string
		open, attach error
		says         []string
	}{
		{"no device node", unix.ENOENT, nil, []string{"no /dev/net/tun", "sudo modprobe tun", "--device /dev/net/tun"}},
		{"no driver", unix.ENODEV, nil, []string{"no TUN driver", kernel}},
		{"no driver behind the node", unix.ENXIO, nil, []string{"no TUN driver", kernel}},
		{"no right to the node", unix.EACCES, nil, []string{"/dev/net/tun", "chmod 0666 /dev/net/tun"}},
		{"no right to the node, by a policy", unix.EPERM, nil, []string{"/dev/net/tun", "chmod 0666 /dev/net/tun"}},
		{"too many open files", unix.EMFILE, nil, []string{"/dev/net/tun", "too many open files"}},
		{"busy", nil, unix.EBUSY, []string{"pymesh0", "busy", "end that program, or choose another name"}},
		{"no capability", nil, unix.EPERM, []string{"CAP_NET_ADMIN", "ip tuntap add dev pymesh0 mode tun user"}},
		{"no TUN device", nil, unix.EINVAL, []string{"pymesh0 is an interface, but no TUN device"}},
		{"no memory", nil, unix.ENOMEM, []string{"pymesh0", "cannot allocate memory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loads := 0
			d := driver{
				open: func() (int, error) {
					if tt.open != nil {
						return -1, tt.open
					}
					return unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
				},
				attach: func(int, *unix.Ifreq) error { return tt.attach },
				load:   func() bool { loads++; return true },
			}
			_, err := d.device("pymesh0")
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if missing := tt.open == unix.ENOENT || tt.open == unix.ENODEV || tt.open == unix.ENXIO; missing != (loads == 1) || loads > 1 {
				t.Errorf("%d tries to load the module", loads)
			}
		})
	}
	loaded := false
	d := driver{
		open: func() (int, error) {
			if !loaded {
				return -1, unix.ENOENT
			}
			return unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
		},
		attach: func(int, *unix.Ifreq) error { return nil },
		load:   func() bool { loaded = true; return true },
	}
	dev, err := d.device("pymesh0")
	if err != nil || dev.name != "pymesh0" {
		t.Fatalf("with the module: %v", err)
	}
	_ = dev.Close()
}

// TestBusyForAMoment: a device that a program has just let go is had after a moment; one that stays in use is an error, which says so.
func TestBusyForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, busy := range []int{0, 3, 1000} {
			tries := 0
			_, err := retryBusy(func() (*tun, error) {
				if tries++; tries <= busy {
					return nil, explainTUN("pymesh0", unix.EBUSY)
				}
				return &tun{}, nil
			})
			if stays := busy > 100; stays != errors.Is(err, unix.EBUSY) || stays == (err == nil) {
				t.Errorf("busy %d times: %v after %d tries", busy, err, tries)
			}
		}
		if _, err := retryBusy(func() (*tun, error) { return nil, unix.EPERM }); err != unix.EPERM {
			t.Error(err)
		}
	})
}
