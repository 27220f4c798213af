package meshtest_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/mle"
)

// ideal is a fast air without loss or collisions, for nodes with the timing of stock.
var ideal = lorasim.Options{Seed: 1, PHY: lorasim.IEEE802154, Ideal: true, NoListen: true}

func stock(c *thread.Config) { c.Timing = thread.TimingIEEE802154() }

// TestSeed has the same packets at the same times for the same seed.
func TestSeed(t *testing.T) {
	run := func(seed uint64) []byte {
		var air bytes.Buffer
		m := meshtest.Scatter(t, lorasim.Options{Seed: seed, Loss: 0.05, Capture: &air}, 4, nil)
		m.StartEach(time.Second)
		m.Run(2 * time.Minute)
		return air.Bytes()
	}
	if !bytes.Equal(run(1), run(1)) {
		t.Error("two runs differ")
	}
	if bytes.Equal(run(1), run(2)) {
		t.Error("two seeds have the same packets")
	}
}

// TestScatter puts each node where another one hears it well.
func TestScatter(t *testing.T) {
	for seed := range uint64(20) {
		m := meshtest.Scatter(t, lorasim.Options{Seed: seed}, 8, nil)
		for i, n := range m.Nodes[1:] {
			near := slices.ContainsFunc(m.Nodes[:i+1], func(o *meshtest.Node) bool {
				return o.Antenna.Position().Distance(n.Antenna.Position()) < 600
			})
			if !near {
				t.Errorf("seed %d: node %d is far from all before it", seed, i+2)
			}
		}
	}
}

// TestChain lets nodes hear those next to them alone.
func TestChain(t *testing.T) {
	m := meshtest.Chain(t, ideal, 3, stock)
	for i, a := range m.Nodes {
		for k, b := range m.Nodes {
			if hears := m.Sim.RSSI(a.Antenna, b.Antenna) > -100; i != k && hears != (max(i-k, k-i) == 1) {
				t.Errorf("node %d hears node %d: %v", k+1, i+1, hears)
			}
		}
	}
}

// TestNode starts, stops and restarts nodes, and lets one lose its power.
func TestNode(t *testing.T) {
	m := meshtest.Chain(t, ideal, 2, stock)
	m.StartOneByOne()
	a, b := m.Nodes[0], m.Nodes[1]
	if a.Role() != thread.RoleLeader || b.Role() != thread.RoleRouter {
		t.Fatal(m)
	}
	rloc, eid := b.RLOC16(), b.MeshLocalEID()
	reply := func() bool {
		_, ok := a.Ping(eid, 8, time.Second)
		return ok
	}
	if !reply() {
		t.Error("no reply")
	}
	b.PowerOff()
	if reply() {
		t.Error("a reply without power")
	}
	b.Restart()
	m.Until(5*time.Second, "router again", func() bool { return b.Role() == thread.RoleRouter })
	if b.RLOC16() != rloc || !reply() {
		t.Errorf("RLOC16 %v, had %v", b.RLOC16(), rloc)
	}
	b.Stop()
	if b.Role() != thread.RoleDisabled || m.OneMesh() || reply() {
		t.Error("not stopped")
	}
	b.Start()
	m.Until(time.Minute, "one mesh", m.OneMesh)
	b.Config.EndDevice = true
	b.Restart()
	m.Until(time.Minute, "end device", func() bool { return b.Role() == thread.RoleChild })
}

// TestWatch is called often enough to see each role.
func TestWatch(t *testing.T) {
	m := meshtest.Chain(t, ideal, 1, stock)
	n := m.Nodes[0]
	var roles []thread.Role
	m.Watch = func() {
		if len(roles) == 0 || roles[len(roles)-1] != n.Role() {
			roles = append(roles, n.Role())
		}
	}
	m.Run(time.Second)
	n.Start()
	m.Run(10 * time.Second)
	if want := []thread.Role{thread.RoleDisabled, thread.RoleDetached, thread.RoleLeader}; !slices.Equal(roles, want) {
		t.Errorf("roles %v, want %v", roles, want)
	}
}

// failing keeps how a test failed, and ends nothing.
type failing struct {
	testing.TB
	failures []string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}
func (f *failing) Errorf(format string, args ...any) { f.Fatalf(format, args...) }

// TestFailures says what did not come about, and how the nodes are.
func TestFailures(t *testing.T) {
	f := new(failing)
	m := meshtest.Chain(f, ideal, 2, stock)
	m.StartEach(0)
	m.Until(time.Second, "the moon", func() bool { return false })
	m.Until(time.Minute, "one mesh", m.OneMesh)
	m.Nodes[0].Reach(netip.MustParseAddr("fdde:ad00:beef::99"), 8, time.Minute)
	if len(f.failures) != 2 || !strings.Contains(f.failures[0], "not within 1s: the moon") || !strings.Contains(f.failures[1], "does not reach fdde:ad00:beef::99") {
		t.Errorf("%q", f.failures)
	}
	for _, s := range f.failures {
		if !strings.Contains(s, " 2 ") {
			t.Errorf("no word on node 2: %s", s)
		}
	}
}

func TestPanicsWithoutTest(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	meshtest.New(nil, ideal).Until(time.Second, "the moon", func() bool { return false })
}

// TestPeerChild makes a peer a child, which acknowledges until it is deaf.
func TestPeerChild(t *testing.T) {
	m := meshtest.Chain(t, ideal, 1, stock)
	n := m.Nodes[0]
	m.StartOneByOne()
	p := m.AddPeer(9, lorasim.Position{X: 1})
	for _, mode := range []mle.Mode{thread.ModeFullThreadDevice, thread.ModeMinimalEndDevice} {
		p.Attach(n, mode, time.Minute)
		c := n.Neighbors()
		if len(c) != 1 || c[0].ExtAddr != p.ExtAddr || c[0].RLOC16 != p.RLOC16 || c[0].Mode != mode || c[0].Timeout != time.Minute {
			t.Errorf("neighbors %+v", c)
		}
	}
	if commands := p.Commands(n.ExtAddr()); !slices.Contains(commands, mle.ChildIDResponse) {
		t.Errorf("heard %v", commands)
	}
	retries := func() uint64 {
		before := n.Counters().TxRetries
		n.Ping(p.RLOC16.Addr(thread.DefaultMeshLocalPrefix), 8, time.Second)
		return n.Counters().TxRetries - before
	}
	if got := retries(); got != 0 {
		t.Errorf("%d retries", got)
	}
	p.Deaf = true
	if got := retries(); got == 0 {
		t.Error("no retry to a deaf peer")
	}
}

// TestPeerParent plays the parent, with a Child ID Response in fragments and with one in a single frame.
func TestPeerParent(t *testing.T) {
	for _, fragmented := range []bool{false, true} {
		m := meshtest.Chain(t, ideal, 1, stock)
		n := m.Nodes[0]
		p := m.AddPeer(9, lorasim.Position{X: 1})
		p.RLOC16 = 0x5800
		leader := mle.LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: p.RLOC16.RouterID()}
		p.OnMLE = func(h meshtest.Heard) {
			to := meshtest.LinkLocal(h.ExtAddr)
			switch h.Command {
			case mle.ParentRequest:
				p.SendMLE(to, p.ParentResponse(h, leader, mle.Connectivity{ActiveRouters: 1}, 50))
			case mle.ChildIDRequest:
				if c, err := h.Response(); err != nil || c != meshtest.Challenge(0xa0) {
					t.Errorf("response %v, %v", c, err)
				}
				b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), p.RLOC16)
				b = mle.AppendAddress16(mle.AppendLeaderData(b, leader), p.RLOC16|5)
				b = mle.AppendTLV(b, mle.TLVNetworkData, nil)
				if fragmented {
					p.SendFragmentedMLE(to, mle.AppendTLV(b, mle.TLVActiveOperationalDataset, make([]byte, 106)))
				} else {
					p.SendMLE(to, b)
				}
			}
		}
		n.Start()
		m.Until(10*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
		if n.RLOC16() != p.RLOC16|5 || (n.Counters().RxFragments > 0) != fragmented {
			t.Errorf("fragmented %v: %v, %d fragments", fragmented, n.RLOC16(), n.Counters().RxFragments)
		}
	}
}

// TestIntruder keeps what it hears, sends it again within its duty, and rests when told.
func TestIntruder(t *testing.T) {
	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 2, nil)
	x, ear := m.AddIntruder(lorasim.Position{X: 0.5}), m.AddIntruder(lorasim.Position{X: 1.5})
	m.StartEach(time.Second)
	m.Until(15*time.Minute, "one mesh", m.OneMesh)
	first := x.Tape[0]
	if first.At.IsZero() || len(first.PSDU) == 0 {
		t.Errorf("recorded %+v", first)
	}
	heard := func() (n int) {
		for _, r := range ear.Tape {
			if bytes.Equal(r.PSDU, first.PSDU) {
				n++
			}
		}
		return n
	}
	before := heard()
	if !x.Transmit(first.PSDU) || x.Transmit(first.PSDU) {
		t.Error("one packet at a time")
	}
	m.Run(time.Second)
	if got := heard(); got != before+1 {
		t.Errorf("heard %d times, want %d", got, before+1)
	}
	x.Duty = 0.02
	sent := x.Antenna.Stats().Airtime
	x.Every(10*time.Millisecond, func() { x.Transmit(first.PSDU) })
	m.Run(time.Hour)
	if got := (x.Antenna.Stats().Airtime - sent).Seconds(); got < 70 || got > 73 {
		t.Errorf("%v s on the air in an hour, 72 s are allowed", got)
	}
	x.Rest()
	m.Run(time.Second)
	sent = x.Antenna.Stats().Airtime
	m.Run(time.Hour)
	if x.Antenna.Stats().Airtime != sent {
		t.Error("no rest")
	}
}
