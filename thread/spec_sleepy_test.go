package thread_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Sleepy end devices (Thread 1.1 §3.4, §4.7, §5.2.2.3; IEEE 802.15.4-2006 §7.5.6.3). What an acknowledgement says and when a node listens is
// held by the tests of internal/mac, what is held for a child, and for how long, by those of internal/sender, when a child polls by
// those of internal/polling; sleeping nodes of OpenThread and at its parents by those of internal/otsim.

// nursery is a leader with a peer that is a sleeping child of it, as soon as it polls.
func nursery(t *testing.T) (*meshtest.Mesh, *meshtest.Node, *meshtest.Peer) {
	t.Helper()
	m, n, p := leading(t, nil)
	p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
	response := p.Await(mle.ParentResponse, n.ExtAddr(), 5*time.Second) // who searches listens
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), p.ChildIDRequest(response, thread.ModeSleepyEndDevice, 4*time.Minute))
	m.Run(time.Second)
	return m, n, p
}

// poll sends a data request from an address of a peer, and returns what its acknowledgement says, "none", "idle" or "pending".
func poll(m *meshtest.Mesh, n *meshtest.Node, p *meshtest.Peer, src ieee802154.Addr, level ieee802154.SecurityLevel) string {
	dst := ieee802154.ExtAddress(n.ExtAddr())
	if src.Mode == ieee802154.AddrModeShort {
		dst = shortAddress(n.RLOC16())
	}
	f := p.Frame(dst, nil)
	f.Type, f.Command, f.Src, f.Security.Level = ieee802154.Command, ieee802154.DataRequest, src, level
	before := len(p.Frames)
	p.SendFrame(f)
	m.Run(10 * time.Millisecond)
	for _, psdu := range p.Frames[before:] {
		if a, err := ieee802154.ParseFrame(psdu); err == nil && a.Type == ieee802154.Ack && a.Seq == f.Seq {
			if a.FramePending {
				return "pending"
			}
			return "idle"
		}
	}
	return "none"
}

const secured = ieee802154.SecurityENCMIC32

// place takes the Child ID Response that waits for a peer, and its place.
func place(t *testing.T, m *meshtest.Mesh, n *meshtest.Node, p *meshtest.Peer) {
	t.Helper()
	if got := poll(m, n, p, ieee802154.ExtAddress(p.ExtAddr), secured); got != "pending" {
		t.Fatalf("the acknowledgement says %s", got)
	}
	for range 5 { // fragments
		m.Run(50 * time.Millisecond)
		if len(p.Answers(mle.ChildIDResponse, n.ExtAddr())) > 0 {
			break
		}
		poll(m, n, p, ieee802154.ExtAddress(p.ExtAddr), secured)
	}
	responses := p.Answers(mle.ChildIDResponse, n.ExtAddr())
	if len(responses) != 1 {
		t.Fatalf("%d Child ID Responses", len(responses))
	}
	p.RLOC16 = must(responses[0].Address16())
}

// frames counts the data frames from a node to a peer's addresses since a mark.
func frames(n *meshtest.Node, p *meshtest.Peer, since int) (count int) {
	for _, psdu := range p.Frames[since:] {
		f, err := ieee802154.ParseFrame(psdu)
		if err == nil && f.Type == ieee802154.Data && (f.Dst == ieee802154.ExtAddress(p.ExtAddr) || f.Dst == shortAddress(p.RLOC16)) {
			count++
		}
	}
	return count
}

// §4.7.5: a child that sleeps has its Child ID Response when it polls, by its extended address, and what comes then by either.
func TestSleepyChildIDResponse(t *testing.T) {
	m, n, p := nursery(t)
	if len(p.Answers(mle.ChildIDResponse, n.ExtAddr())) != 0 {
		t.Fatal("the response does not wait for a poll")
	}
	place(t, m, n, p)
	own := shortAddress(p.RLOC16)
	if got := poll(m, n, p, own, secured); got != "idle" {
		t.Errorf("nothing is left: %s", got)
	}
	child := childrenOf(n)[0]
	for i, src := range []ieee802154.Addr{own, ieee802154.ExtAddress(p.ExtAddr)} {
		n.Send(must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: n.MeshLocalEID(), Dst: child.Addresses[0]}, 1, 2, []byte("hello"))))
		m.Run(time.Second)
		mark := len(p.Frames)
		if got := poll(m, n, p, src, secured); got != "pending" {
			t.Errorf("%v: %s", src, got)
		}
		if m.Run(time.Second); frames(n, p, mark) != 1 {
			t.Errorf("poll %d: %d frames", i, frames(n, p, mark))
		}
	}
}

// Only a data request that is authentic and new brings anything: not one without security, whoever sends it, nor a recording.
func TestSleepyForgedPolls(t *testing.T) {
	m, n, p := nursery(t)
	place(t, m, n, p)
	child := childrenOf(n)[0]
	m.Run(10 * time.Second)
	heard := child.LastHeard
	n.Send(must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: n.MeshLocalEID(), Dst: child.Addresses[0]}, 1, 2, []byte("hello"))))
	m.Run(time.Second)
	mark, own := len(p.Frames), shortAddress(p.RLOC16)
	forger := m.AddPeer(8, lorasim.Position{})
	forger.Deaf, forger.MACCounter = true, 1000 // a counter that was used is that of a repetition
	for range 50 {
		if got := poll(m, n, forger, own, ieee802154.SecurityNone); got != "none" {
			t.Fatalf("from the child's short address: %s", got)
		}
		if got := poll(m, n, forger, ieee802154.ExtAddress(p.ExtAddr), ieee802154.SecurityNone); got == "pending" {
			t.Fatalf("from the child's extended address: %s", got)
		}
		if got := poll(m, n, forger, own, secured); got != "none" { // with the key, but under another address
			t.Fatalf("by another node: %s", got)
		}
	}
	if frames(n, p, mark) != 0 || child.LastHeard != heard {
		t.Errorf("%d frames, heard %v later", frames(n, p, mark), child.LastHeard.Sub(heard))
	}

	// A recording of the one that counts.
	x := m.AddIntruder(lorasim.Position{})
	if got := poll(m, n, p, own, secured); got != "pending" {
		t.Fatal(got)
	}
	m.Run(time.Second)
	var recorded []byte
	for _, r := range x.Tape {
		if f, err := ieee802154.ParseFrame(r.PSDU); err == nil && f.Type == ieee802154.Command {
			recorded = r.PSDU
		}
	}
	n.Send(must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: n.MeshLocalEID(), Dst: child.Addresses[0]}, 1, 2, []byte("hello"))))
	m.Run(time.Second)
	heard, mark = child.LastHeard, len(p.Frames)
	before := n.Counters()
	for range 100 {
		x.Transmit(recorded)
		m.Run(time.Second)
	}
	after := n.Counters()
	if frames(n, p, mark) != 0 || child.LastHeard != heard || after.TxFrames-before.TxFrames > 20 || after.TxAcks-before.TxAcks > 3 {
		t.Errorf("%d frames, %d in all, %d acknowledgements", frames(n, p, mark), after.TxFrames-before.TxFrames, after.TxAcks-before.TxAcks)
	}
}

// A child that is not known any more gets no acknowledgement of its polls, and so looks for a parent.
func TestSleepyUnknown(t *testing.T) {
	m, n, p := nursery(t)
	place(t, m, n, p)
	p.RLOC16++
	if got := poll(m, n, p, shortAddress(p.RLOC16), secured); got != "none" {
		t.Error(got)
	}
}

// A child that has had no frame for long gets an empty one, at its next poll.
func TestSupervision(t *testing.T) {
	m, n, p := nursery(t)
	place(t, m, n, p)
	own := shortAddress(p.RLOC16)
	supervision := thread.TimingIEEE802154().Supervision
	for range 10 {
		m.Run(supervision / 11)
		if got := poll(m, n, p, own, secured); got != "idle" {
			t.Fatal(got)
		}
	}
	m.Run(supervision / 5)
	mark := len(p.Frames)
	if got := poll(m, n, p, own, secured); got != "pending" {
		t.Fatal(got)
	}
	if m.Run(time.Second); frames(n, p, mark) != 1 {
		t.Errorf("%d frames", frames(n, p, mark))
	}
	if got := poll(m, n, p, own, secured); got != "idle" {
		t.Error(got)
	}
}

// sleeping is a chain of routers in a row, and at the end a node that sleeps and polls every ten seconds.
func sleeping(t *testing.T, routers int, change func(*thread.Config)) (*meshtest.Mesh, *meshtest.Node) {
	t.Helper()
	m := steady(t, ideal(), routers, stock)
	child := m.Add(1, lorasim.Position{X: float64(routers)}, func(c *thread.Config) {
		stock(c)
		c.Mode, c.PollPeriod = thread.ModeSleepyEndDevice, 10*time.Second
		if change != nil {
			change(c)
		}
	})
	child.Start()
	m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
	m.Run(20 * time.Second)
	return m, child
}

// §5.2.2.3: a child that sleeps has the multicasts to all Thread nodes, and those to groups that it has told its parent of; not those that are for
// all that listen.
func TestSleepyMulticast(t *testing.T) {
	m, child := sleeping(t, 2, nil)
	far, parent := m.Nodes[0], m.Nodes[1]
	group, wide := netip.MustParseAddr("ff03::1234"), netip.MustParseAddr("ff05::1234")
	hears := func(from *meshtest.Node, dst netip.Addr) (times int) {
		for {
			if _, ok := child.PollPacket(); !ok {
				break
			}
		}
		src := from.SelectSource(dst)
		from.Send(must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: dst}, 1, 2222, []byte("hello"))))
		m.Run(25 * time.Second)
		for {
			d, ok := child.PollPacket()
			if !ok {
				return times
			}
			if d.Dst == dst {
				times++
			}
		}
	}
	all := netip.MustParseAddr("ff33:40:fdde:ad00:beef::1")
	link := netip.MustParseAddr("ff32:40:fdde:ad00:beef::1")
	for i, tt := range []struct {
		from *meshtest.Node
		dst  netip.Addr
		want int
	}{
		{far, all, 1}, {parent, all, 1}, {parent, link, 1}, {far, link, 0}, {far, ip6.RealmLocalAllNodes, 0}, {parent, ip6.LinkLocalAllNodes, 0},
		{far, group, 0}, {far, wide, 0}, {child, all, 0},
	} {
		if got := hears(tt.from, tt.dst); got != tt.want {
			t.Errorf("case %d, %v: heard %d times, want %d", i, tt.dst, got, tt.want)
		}
	}
	for _, a := range []netip.Addr{group, wide} {
		if err := child.Subscribe(a); err != nil {
			t.Fatal(err)
		}
	}
	child.Antenna.Touch()
	m.Run(20 * time.Second)
	for _, from := range []*meshtest.Node{far, parent} {
		for _, dst := range []netip.Addr{group, wide} {
			if got := hears(from, dst); got != 1 {
				t.Errorf("from %v, %v: heard %d times", from.RLOC16(), dst, got)
			}
		}
	}
	child.Unsubscribe(group)
	child.Antenna.Touch()
	m.Run(20 * time.Second)
	if hears(far, group) != 0 || hears(far, wide) != 1 {
		t.Error("after leaving the group")
	}
}

// What is held for a child goes out at once when it wakes up, and it is told so by its Child Update Request; falling asleep, it polls.
func TestSleepyChangesMode(t *testing.T) {
	m, child := sleeping(t, 1, nil)
	parent := m.Nodes[0]
	if rtt, ok := parent.Ping(child.MeshLocalEID(), 300, 30*time.Second); !ok || rtt < 100*time.Millisecond {
		t.Errorf("asleep: %v, %v", rtt, ok)
	}
	set := func(mode mle.Mode) {
		if err := child.Console().SetMode(m.Sim.Now(), mode); err != nil {
			t.Fatal(err)
		}
		child.Antenna.Touch()
		m.Run(2 * time.Second)
		if c := childrenOf(parent); len(c) != 1 || c[0].Mode != mode {
			t.Fatalf("the parent believes %v", c[0].Mode)
		}
	}
	set(thread.ModeMinimalEndDevice)
	if rtt, ok := parent.Ping(child.MeshLocalEID(), 300, time.Second); !ok {
		t.Errorf("awake: %v, %v", rtt, ok)
	}
	set(thread.ModeSleepyEndDevice)
	if _, ok := parent.Ping(child.MeshLocalEID(), 300, 30*time.Second); !ok {
		t.Error("asleep again")
	}
	asleep := child.Antenna.Activity().Sleeping
	if m.Run(time.Minute); child.Antenna.Activity().Sleeping-asleep < 59*time.Second {
		t.Error("it does not sleep")
	}
	polls := child.Counters().TxPolls
	if err := child.SetPollPeriod(m.Sim.Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	child.Antenna.Touch()
	if m.Run(time.Minute); child.Counters().TxPolls-polls < 59 {
		t.Errorf("%d polls in a minute", child.Counters().TxPolls-polls)
	}
	for _, d := range []time.Duration{-1, time.Millisecond, time.Hour} {
		if err := child.SetPollPeriod(m.Sim.Now(), d); err == nil {
			t.Errorf("poll period %v", d)
		}
	}
}

// A child whose parent has gone finds out by its polls; one whose parent has forgotten it, too.
func TestSleepyLosesParent(t *testing.T) {
	m, child := sleeping(t, 2, nil)
	parent := m.Nodes[1]
	parent.PowerOff()
	m.Until(2*time.Minute, "detached", func() bool { return child.Role() == thread.RoleDetached })

	m, child = sleeping(t, 2, nil)
	parent = m.Nodes[1]
	parent.Config.Store = new(thread.MemoryStore)
	parent.Restart()
	m.Until(2*time.Minute, "detached", func() bool { return child.Role() == thread.RoleDetached })
	m.Until(5*time.Minute, "child again", func() bool { return child.Role() == thread.RoleChild })
}

// A parent that restarts, and a child that does, take up where they were.
func TestSleepyRestarts(t *testing.T) {
	m, child := sleeping(t, 2, nil)
	parent, rloc := m.Nodes[1], child.RLOC16()
	parent.Restart()
	m.Until(time.Minute, "router again", func() bool { return parent.Role() >= thread.RoleRouter })
	m.Run(30 * time.Second)
	if child.RLOC16() != rloc {
		t.Errorf("%v after the parent's restart, was %v", child.RLOC16(), rloc)
	}
	m.Nodes[0].Reach(child.MeshLocalEID(), 100, time.Minute)
	child.Restart()
	m.Until(time.Minute, "child again", func() bool { return child.Role() == thread.RoleChild })
	m.Run(5 * time.Second)
	if child.RLOC16() != rloc {
		t.Errorf("%v after its restart, was %v", child.RLOC16(), rloc)
	}
	m.Nodes[0].Reach(child.MeshLocalEID(), 100, time.Minute)
}

// A child that hears nothing authentic from its parent, only acknowledgements, asks it; if that is in vain it looks for another one.
func TestSupervisionTimeout(t *testing.T) {
	m, child := sleeping(t, 1, func(c *thread.Config) { c.Timing.SupervisionTimeout = 30 * time.Second })
	updates := child.Counters().TxMLE
	m.Run(10 * time.Minute)
	if n := child.Counters().TxMLE - updates; n < 15 || n > 25 {
		t.Errorf("%d messages in 10 minutes", n)
	}
	if child.Role() != thread.RoleChild {
		t.Error(child.Role())
	}
}

// A minimal end device that moves tells its last parent, which forgets it: who asks that one is sent on at once.
func TestMinimalChildMoves(t *testing.T) {
	for _, mode := range []mle.Mode{thread.ModeMinimalEndDevice, thread.ModeSleepyEndDevice} {
		m := steady(t, ideal(), 3, stock)
		first, last := m.Nodes[0], m.Nodes[2]
		child := m.Add(1, lorasim.Position{X: 1}, func(c *thread.Config) {
			stock(c)
			c.Mode = mode
			if mode == thread.ModeSleepyEndDevice {
				c.PollPeriod = 2 * time.Second
			}
		})
		m.Sim.CutLink(child.Antenna, m.Nodes[1].Antenna)
		m.Sim.CutLink(child.Antenna, last.Antenna)
		child.Start()
		m.Until(time.Minute, "child", func() bool { return child.Role() == thread.RoleChild })
		m.Run(5 * time.Second)
		if _, ok := last.Ping(child.MeshLocalEID(), 8, 10*time.Second); !ok || child.RLOC16().RouterID() != first.RLOC16().RouterID() {
			t.Fatalf("mode %v: no reply from the first place", mode)
		}
		m.Sim.CutLink(child.Antenna, first.Antenna)
		m.Sim.SetLink(child.Antenna, last.Antenna, -20)
		m.Until(10*time.Minute, "moved", func() bool {
			return child.Role() == thread.RoleChild && child.RLOC16().RouterID() == last.RLOC16().RouterID()
		})
		m.Run(2 * time.Second)
		if n := len(childrenOf(first)); n != 0 {
			t.Errorf("mode %v: the first parent has %d children", mode, n)
		}
		for _, n := range m.Nodes[:3] {
			if _, ok := n.Ping(child.MeshLocalEID(), 8, 10*time.Second); !ok {
				t.Errorf("mode %v: %v does not reach it", mode, n.RLOC16())
			}
		}
	}
}
