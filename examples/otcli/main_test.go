//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
)

// programVariable turns the test program into otcli itself.
const programVariable = "OTCLI_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns the path of otcli, for processes that are started after the call.
func program(t *testing.T) string {
	t.Helper()
	t.Setenv(programVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

const networkKey = "0134c0de1ab51234c0de1ab5ca1a110f"

// startNode starts a program as a node of one network, whatever its defaults are.
func startNode(c *otsim.Controller, path string, id int) *otsim.Process {
	p := c.AddProcess(path, id)
	p.SetNetwork(networkKey)
	p.Command("routerselectionjitter 2")
	p.Command("ifconfig up")
	p.Command("thread start")
	return p
}

func awaitState(t *testing.T, p *otsim.Process, limit time.Duration, states ...string) {
	t.Helper()
	if got, ok := p.AwaitState(limit, states...); !ok {
		t.Fatalf("state is %s after %v, want %v", got, limit, states)
	}
}

// one returns the only line of an answer.
func one(t *testing.T, p *otsim.Process, command string) string {
	t.Helper()
	lines := p.Command("%s", command)
	if len(lines) != 1 {
		t.Fatalf("%s: %q, want one line", command, lines)
	}
	return lines[0]
}

var locator = regexp.MustCompile(":0:ff:fe00:[0-9a-f]+$")

// meshLocal returns a node's mesh-local EID.
func meshLocal(t *testing.T, p *otsim.Process) string {
	t.Helper()
	for _, addr := range p.Command("ipaddr") {
		if strings.HasPrefix(addr, "fdde:ad00:beef:0:") && !locator.MatchString(addr) {
			return addr
		}
	}
	t.Fatal("no mesh-local EID")
	return ""
}

func pingBothWays(t *testing.T, a, b *otsim.Process) {
	t.Helper()
	for _, way := range [][2]*otsim.Process{{a, b}, {b, a}} {
		addr := meshLocal(t, way[1])
		for _, size := range []int{8, 200, 1000} {
			if !way[0].Ping(addr, size, 20*time.Second) {
				t.Errorf("no reply to a ping of %d bytes", size)
			}
		}
	}
}

// peers returns the programs that make up a network: o for otcli, r for the reference.
func peers(t *testing.T, c *otsim.Controller, order string) []string {
	t.Helper()
	ours := program(t)
	if strings.Contains(order, "r") && os.Getenv("PYMESH_OT_TIMING") != "stock" {
		t.Setenv(timingVariable, "pymesh") // a peer with Pycom's constants takes longer to answer than Thread waits
	}
	var paths []string
	for _, kind := range order {
		if kind == 'r' {
			paths = append(paths, c.Program()) // skips if there is none
		} else {
			paths = append(paths, ours)
		}
	}
	return paths
}

// TestPairs forms networks of two: leader, child and then router, in all combinations.
func TestPairs(t *testing.T) {
	for _, order := range []string{"oo", "or", "ro"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			paths := peers(t, c, order)
			leader := startNode(c, paths[0], 1)
			awaitState(t, leader, time.Minute, "leader")
			other := startNode(c, paths[1], 2)
			// It stays a child for now: its address would die as it becomes a router, with what is under way to it.
			other.Command("routerupgradethreshold 0")
			awaitState(t, other, time.Minute, "child")
			c.Run(time.Second) // its router learns the rest of its addresses
			pingBothWays(t, leader, other)
			other.Command("routerupgradethreshold 16")
			awaitState(t, other, 200*time.Second, "router")
			c.Run(40 * time.Second)
			pingBothWays(t, leader, other)
		})
	}
}

// TestChains puts four nodes in a row, each out of range of all but its neighbors.
func TestChains(t *testing.T) {
	for _, order := range []string{"oooo", "orro", "roor"} {
		t.Run(order, func(t *testing.T) {
			c := otsim.NewController(t)
			c.SetFilter(otsim.Chain(1, 2, 3, 4))
			var nodes []*otsim.Process
			for i, path := range peers(t, c, order) {
				p := startNode(c, path, i+1)
				state := "router"
				if i == 0 {
					state = "leader"
				}
				awaitState(t, p, 300*time.Second, state)
				nodes = append(nodes, p)
			}
			c.Run(100 * time.Second) // routes
			pingBothWays(t, nodes[0], nodes[3])
			pingBothWays(t, nodes[1], nodes[3])
		})
	}
}

// TestPymeshTiming shows that the environment chooses the timing.
func TestPymeshTiming(t *testing.T) {
	t.Setenv(timingVariable, "pymesh")
	c := otsim.NewController(t)
	leader := startNode(c, program(t), 1)
	c.Run(9 * time.Second)
	if state := one(t, leader, "state"); state != "detached" {
		t.Errorf("state after 9 s is %s, want detached: on LoRa it listens for longer", state)
	}
	awaitState(t, leader, 30*time.Second, "leader")
}

// TestReset shows what survives a reset and a new start of the program, and that a router takes up its place again.
func TestReset(t *testing.T) {
	c := otsim.NewController(t)
	path := program(t)
	leader := startNode(c, path, 1)
	awaitState(t, leader, time.Minute, "leader")
	router := startNode(c, path, 2)
	awaitState(t, router, time.Minute, "router")
	c.Run(40 * time.Second) // both know each other as routers

	commands := []string{"panid", "masterkey", "extaddr", "rloc16", "networkname"}
	remember := func() (values []string) {
		for _, command := range commands {
			values = append(values, one(t, router, command))
		}
		return values
	}
	eid := meshLocal(t, router)
	before := remember()
	for _, restart := range []struct {
		name string
		do   func()
	}{
		{"reset", func() { router.Send("reset") }},
		{"program", func() {
			c.Remove(2)
			router = c.AddProcess(path, 2)
		}},
	} {
		restart.do()
		if state := one(t, router, "state"); state != "disabled" {
			t.Errorf("%s: state is %s, want disabled", restart.name, state)
		}
		if after := remember(); !slices.Equal(after, before) {
			t.Errorf("%s: %q are %q, want %q", restart.name, commands, after, before)
		}
		router.Command("ifconfig up")
		router.Command("thread start")
		awaitState(t, router, 10*time.Second, "router")
		if got := meshLocal(t, router); got != eid {
			t.Errorf("%s: mesh-local EID %s, want %s", restart.name, got, eid)
		}
		if got := one(t, router, "rloc16"); got != before[3] {
			t.Errorf("%s: RLOC16 %s, want %s", restart.name, got, before[3])
		}
		c.Run(40 * time.Second)
		pingBothWays(t, leader, router)
	}

	router.Send("factoryreset")
	if after := remember(); slices.Equal(after, before) || after[1] == before[1] || after[2] == before[2] {
		t.Errorf("factoryreset: %q are %q, were %q", commands, after, before)
	}
}

// TestFactoryAddress: the EUI-64 follows from the node id.
func TestFactoryAddress(t *testing.T) {
	c := otsim.NewController(t)
	p := c.AddProcess(program(t), 17)
	if got, want := one(t, p, "eui64"), "18b4300000000011"; got != want {
		t.Errorf("eui64 %s, want %s", got, want)
	}
}

// pipe is a program in real time, on pipes.
type pipe struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // without ends and prompts
}

func startPipe(t *testing.T, path, dir string, offset int, args ...string) *pipe {
	t.Helper()
	p := &pipe{t: t, cmd: exec.Command(path, args...), lines: make(chan string, 100)}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "PORT_OFFSET="+strconv.Itoa(offset), "VIRTUAL_TIME=")
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			text := s.Text()
			for strings.HasPrefix(text, prompt) {
				text = strings.TrimPrefix(text, prompt)
			}
			if text != "" {
				p.lines <- strings.TrimRight(text, "\r")
			}
		}
	}()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

// command returns the lines of an answer without the final one, which must be Done. An echo is dropped.
func (p *pipe) command(format string, args ...any) []string {
	p.t.Helper()
	command := fmt.Sprintf(format, args...)
	p.write(command)
	var answer []string
	for {
		line := p.line(10 * time.Second)
		switch {
		case line == "Done":
			return answer
		case strings.HasPrefix(line, "Error"):
			p.t.Fatalf("%s: %s", command, line)
		case line != command:
			answer = append(answer, line)
		}
	}
}

func (p *pipe) write(command string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		p.t.Fatalf("%s: %v", command, err)
	}
}

// exit ends the program as a user does.
func (p *pipe) exit() {
	p.t.Helper()
	p.write("exit")
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("exit: %v", err)
	}
}

func (p *pipe) line(limit time.Duration) string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the program has ended")
		}
		return line
	case <-time.After(limit):
		p.t.Fatalf("no output in %v", limit)
	}
	return ""
}

func (p *pipe) await(limit time.Duration, states ...string) {
	p.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		state := strings.Join(p.command("state"), " ")
		if slices.Contains(states, state) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("state is %s after %v, want %v", state, limit, states)
		}
	}
}

// speaks2018 reports whether a program knows the words of 2018.
func speaks2018(t *testing.T, path string, offset int) bool {
	t.Helper()
	p := startPipe(t, path, t.TempDir(), offset, "1")
	defer p.exit()
	p.write("masterkey")
	for {
		switch line := p.line(10 * time.Second); {
		case line == "Done":
			return true
		case strings.HasPrefix(line, "Error"):
			return false
		}
	}
}

// freeOffset returns a PORT_OFFSET that nobody uses.
func freeOffset(t *testing.T) int {
	t.Helper()
	for offset := wire.MaxPortOffset / 2; offset <= wire.MaxPortOffset; offset++ {
		g, err := wire.NewGroup(offset)
		if err != nil {
			t.Fatal(err)
		}
		// The controller's port, which no node uses, stands for the group while the test runs.
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: g.Port(0)})
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return offset
		}
	}
	t.Fatal("no free group of ports")
	return 0
}

// TestRealTime forms a network in real time, by itself or with the reference that PYMESH_OT_CLI names, and ends it.
func TestRealTime(t *testing.T) {
	const referenceVariable = "PYMESH_OT_CLI"
	for _, tt := range []struct {
		name, leader, child string
	}{
		{"alone", program(t), program(t)},
		{"with reference", program(t), os.Getenv(referenceVariable)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("real time takes its time")
			}
			if tt.child == "" {
				t.Skipf("%s is not set: no real node to test against", referenceVariable)
			}
			offset, dir := freeOffset(t), t.TempDir()
			if tt.child != tt.leader && !speaks2018(t, tt.child, offset+1) {
				t.Skip("in real time OpenThread of today is on a multicast group, not on the ports of 2018: they do not hear each other")
			}
			start := func(path string, id int) *pipe {
				p := startPipe(t, path, dir, offset, strconv.Itoa(id))
				p.command("masterkey %s", networkKey)
				p.command("panid 0x1234")
				p.command("ifconfig up")
				p.command("thread start")
				return p
			}
			leader := start(tt.leader, 1)
			leader.await(30*time.Second, "leader")
			child := start(tt.child, 2)
			child.await(60*time.Second, "child", "router")

			addrs := leader.command("ipaddr")
			i := slices.IndexFunc(addrs, func(a string) bool {
				return strings.HasPrefix(a, "fdde:ad00:beef:0:") && !locator.MatchString(a)
			})
			if i < 0 {
				t.Fatalf("addresses %q without a mesh-local EID", addrs)
			}
			child.write("ping " + addrs[i] + " 200")
			for line := ""; !strings.Contains(line, "icmp_seq="); line = child.line(10 * time.Second) {
			}
			leader.exit()
		})
	}
}

// TestSim joins the nodes of the simulated air, or leads them.
func TestSim(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	p := startPipe(t, program(t), t.TempDir(), 0, "-sim", "-nodes", "1", "-speed", "20")
	p.command("ifconfig up")
	p.command("thread start")
	p.await(20*time.Second, "child", "router", "leader")
	p.exit()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"0"}, {"34"}, {"x"}, {"1", "2"}, {"-sim", "1"}, {"-sim", "-nodes", "-1"}, {"-nosuch", "1"}, {"-sim", "-speed", "0"},
	} {
		if o, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%q: no error but %+v", args, o)
		}
	}
	o, err := parseOptions([]string{"-vt", "-timing", "pymesh", "33"}, io.Discard)
	if err != nil || o.id != 33 || !o.virtual {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := (options{timing: "fast"}).config(io.Discard); err == nil {
		t.Error("no error for an unknown timing")
	}
}
