package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Partitions, and the router ID sequence that holds one together, as OpenThread has them. Held elsewhere:
//
//   - which of two partitions is better, each case: TestComparePartitions
//   - the worse one joins the better one: TestBetterPartition, TestMerge, TestInterop13TwoLeaders
//   - a lost leader is replaced: TestLeaderLost; the search before that: TestLeaderLostSearch
//   - children follow their parents: TestChildFollowsParent; a partition without a leader is not entered again: TestPartitionLeftBehind
//   - the leader counts the sequence up every ten seconds: TestAdvertisementTrickle

// TestRouterIDs_RouterIDSequence: a set of router IDs is taken over with a later sequence number, in the sense of serial numbers, and of
// no earlier one.
func TestRouterIDs_RouterIDSequence(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, endDevice)
	h := newHost(m, 9)
	h.route.IDSequence = 250
	n.Start()
	m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	first := h.route.Routers
	for i, tt := range []struct {
		sequence uint8
		routers  mle.RouterIDSet
		want     int
	}{
		{251, first.Add(3), 2},
		{251, first, 2},             // the same number
		{250, first, 2},             // an earlier one
		{4, first.Add(3).Add(4), 3}, // past 255
		{131, first, 1},             // 127 later
		{3, first.Add(60), 1},       // 128 later is earlier
		{2, first.Add(60), 2},       // 127 later
	} {
		h.route.IDSequence, h.route.Routers = tt.sequence, tt.routers
		h.advertise()
		m.Run(100 * time.Millisecond)
		if got := len(n.Routers()); got != tt.want {
			t.Errorf("step %d, sequence %d: %d routers, want %d", i, tt.sequence, got, tt.want)
		}
	}
}

// childOfTwo returns an end device that is the child of h, and another router of h's partition, which it hears.
func childOfTwo(t *testing.T) (m *meshtest.Mesh, n *meshtest.Node, h *host, other *meshtest.Peer) {
	m = meshtest.New(t, ideal())
	n = m.Add(1, lorasim.Position{}, endDevice)
	h, other = newHost(m, 9), m.AddPeer(10, lorasim.Position{})
	other.RLOC16 = 0x0c00
	h.route.Routers = h.route.Routers.Add(other.RLOC16.RouterID())
	n.Start()
	m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	return m, n, h, other
}

// TestRouterIDs_RouterIDSequenceSource: an end device takes router IDs from its parent and from routers that it is linked to, not from
// anybody.
func TestRouterIDs_RouterIDSequenceSource(t *testing.T) {
	m, n, h, other := childOfTwo(t)
	route := h.route
	route.IDSequence, route.Routers = 9, route.Routers.Add(4)
	advertise(other, h.leader, &route)
	m.Run(100 * time.Millisecond)
	if got := len(n.Routers()); got != 2 {
		t.Errorf("%d routers by a stranger's word", got)
	}
	if got := other.Answers(mle.LinkRequest, n.ExtAddr()); len(got) != 1 {
		t.Errorf("%d Link Requests to the stranger", len(got))
	}
}

// TestRouterIDs_RouterIDGone: a router whose ID is not in a later set is none any more.
func TestRouterIDs_RouterIDGone(t *testing.T) {
	m := meshtest.New(t, ideal())
	leader, n := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{}, stock)
	m.StartOneByOne()
	p := m.AddPeer(9, lorasim.Position{})
	p.Attach(leader, thread.ModeFullThreadDevice, time.Minute)
	solicit(t, m, p, leader)
	m.Run(40 * time.Second) // until it has heard of the new router ID
	link(t, m, n, p)
	own := must(p.Await(mle.Advertisement, n.ExtAddr(), time.Minute).Route64())
	if own.Routers.Len() != 3 {
		t.Fatalf("%d routers", own.Routers.Len())
	}
	m.Sim.CutLink(p.Antenna, leader.Antenna)
	l, _ := n.Leader()
	route := mle.Route64{IDSequence: own.IDSequence, Routers: own.Routers.Remove(n.RLOC16().RouterID())}
	advertise(p, l.LeaderData, &route)
	m.Run(100 * time.Millisecond)
	if n.Role() != thread.RoleRouter {
		t.Errorf("%v by a set that is not later", n.Role())
	}
	route.IDSequence += 20
	advertise(p, l.LeaderData, &route)
	m.Run(100 * time.Millisecond)
	if n.Role() != thread.RoleDetached {
		t.Errorf("%v without a router ID", n.Role())
	}
}

// TestRouterIDs_Stranger: an Advertisement of a router without a link may have been recorded half an hour ago, when the sequence number
// was ahead of today's. It takes no router's ID, and moves no timer.
func TestRouterIDs_Stranger(t *testing.T) {
	m := meshtest.New(t, ideal())
	leader, n := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{}, stock)
	m.StartOneByOne()
	p := m.AddPeer(9, lorasim.Position{})
	p.Attach(leader, thread.ModeFullThreadDevice, time.Hour)
	solicit(t, m, p, leader)
	m.Run(40 * time.Second)
	own := must(p.Await(mle.Advertisement, leader.ExtAddr(), time.Minute).Route64())
	l, _ := n.Leader()
	route := mle.Route64{IDSequence: own.IDSequence + 100, Routers: own.Routers.Remove(n.RLOC16().RouterID())}
	for range 10 {
		advertise(p, l.LeaderData, &route)
		m.Run(15 * time.Second)
	}
	if n.Role() != thread.RoleRouter || len(leader.Routers()) != 2 {
		t.Errorf("%v, the leader knows %d routers: the stranger's ID is to be released for it is not reached", n.Role(), len(leader.Routers()))
	}
	got := must(p.Await(mle.Advertisement, leader.ExtAddr(), time.Minute).Route64()).IDSequence
	if d := got - own.IDSequence; d < 10 || d > 30 {
		t.Errorf("the leader has counted up by %d", d)
	}
}

// TestRouterIDs_Leader: the leader assigns the router IDs. It takes neither them nor their sequence number from others, linked or not.
func TestRouterIDs_Leader(t *testing.T) {
	m, n, p := linked(t)
	own := must(p.Await(mle.Advertisement, n.ExtAddr(), time.Minute).Route64())
	l, _ := n.Leader()
	route := mle.Route64{IDSequence: own.IDSequence + 100, Routers: own.Routers.Add(3).Remove(p.RLOC16.RouterID())}
	advertise(p, l.LeaderData, &route)
	got := must(p.Await(mle.Advertisement, n.ExtAddr(), time.Minute).Route64())
	if got.Routers != own.Routers || got.IDSequence-own.IDSequence > 10 {
		t.Errorf("sequence %d, routers %v; before %d, %v", got.IDSequence, got.Routers, own.IDSequence, own.Routers)
	}
	m.Run(time.Second)
}

// TestRouterIDs_Overheard: of a router that an end device listens to, a recorded Advertisement counts no more than a stranger's.
func TestRouterIDs_Overheard(t *testing.T) {
	m, n, h, other := childOfTwo(t)
	old := other.MLECounter
	advertise(other, h.leader, &h.route)
	request := other.Await(mle.LinkRequest, n.ExtAddr(), time.Second)
	other.MLECounter += 100
	other.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkAccept(other, n, must(request.Challenge())))
	m.Run(100 * time.Millisecond)
	route := h.route
	route.IDSequence, route.Routers = 9, route.Routers.Add(4)
	for i, counter := range []uint32{old, old + 101, old + 102} {
		other.MLECounter = counter
		advertise(other, h.leader, &route)
		m.Run(100 * time.Millisecond)
		if got, want := len(n.Routers()), 2+i/2; got != want {
			t.Errorf("frame counter %d: %d routers, want %d", counter, got, want)
		}
	}
}

// TestPartitions_Comparison: a node looks for a way into a partition that it hears of if that is better: of several routers before one
// alone, then by weight, then by its ID; and if the link is 10 dB above the sensitivity.
func TestPartitions_Comparison(t *testing.T) {
	for _, tt := range []struct {
		name    string
		weight  uint8
		id      uint32
		routers int // 0 for an Advertisement of an end device, which has a router next to it
		rssi    float64
		want    uint64
	}{
		{"same weight, higher ID", 64, 1001, 1, -50, 1},
		{"same weight, lower ID", 64, 999, 1, -50, 0},
		{"higher weight, lower ID", 65, 1, 1, -50, 1},
		{"lower weight, higher ID", 63, 0xffffffff, 1, -50, 0},
		{"two routers, lower weight and ID", 1, 1, 2, -50, 1},
		{"end device, lower weight and ID", 1, 1, 0, -50, 1},
		{"margin 10 dB", 65, 1, 1, -90, 1},
		{"margin 9 dB", 65, 1, 1, -91, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, func(c *thread.Config) { c.PartitionID, c.LeaderWeight = 1000, new(uint8(64)) })
			m.Sim.SetLinkFrom(p.Antenna, n.Antenna, tt.rssi)
			p.RLOC16 = 0x5800
			var route *mle.Route64
			if tt.routers > 0 {
				route = &mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(22)}
			}
			if tt.routers == 2 {
				route.Routers = route.Routers.Add(3)
			}
			advertise(p, mle.LeaderData{PartitionID: tt.id, Weighting: tt.weight, LeaderRouterID: 22}, route)
			m.Run(100 * time.Millisecond)
			if got := n.Counters().BetterPartitionAttempts; got != tt.want {
				t.Errorf("%d attempts, want %d", got, tt.want)
			}
			if n.Role() != thread.RoleLeader {
				t.Errorf("%v before another place is found", n.Role())
			}
		})
	}
}

// TestPartitions_BetterParent: who looks for a better partition takes no answer out of its own or a worse one.
func TestPartitions_BetterParent(t *testing.T) {
	for id, want := range map[uint32]bool{1000: false, 999: false, 1001: true} {
		m, n, _ := leading(t, func(c *thread.Config) { c.PartitionID = 1000 })
		h := newHost(m, 10)
		h.leader.PartitionID, h.leader.Weighting = 0xffffffff, 64
		h.advertise()
		h.leader.PartitionID = id
		m.Run(3 * time.Second)
		if asked := len(h.Find(mle.ParentRequest, n.ExtAddr())); asked == 0 {
			t.Error("did not look for the better partition")
		}
		if got := len(h.Answers(mle.ChildIDRequest, n.ExtAddr())) > 0; got != want {
			t.Errorf("partition %d: asked for an address: %v, want %v", id, got, want)
		}
	}
}

// TestPartitions_TwoLeaders: a router that hears of another leader in its own partition leaves it, at once if a neighbor says so. A
// stranger has to prove it in a Parent Response.
func TestPartitions_TwoLeaders(t *testing.T) {
	t.Run("neighbor", func(t *testing.T) {
		m := meshtest.New(t, ideal())
		leader, n := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{}, stock)
		m.StartOneByOne()
		p := m.AddPeer(9, lorasim.Position{})
		p.Attach(leader, thread.ModeFullThreadDevice, time.Minute)
		solicit(t, m, p, leader)
		m.Run(40 * time.Second)
		link(t, m, n, p)
		l, _ := n.Leader()
		l.LeaderRouterID = p.RLOC16.RouterID()
		advertise(p, l.LeaderData, heardRoutes(p, n))
		m.Run(100 * time.Millisecond)
		if n.Role() != thread.RoleDetached {
			t.Errorf("%v", n.Role())
		}
	})
	for _, silent := range []bool{true, false} {
		t.Run(fmt.Sprint("silent stranger ", silent), func(t *testing.T) {
			m, n, _ := leading(t, func(c *thread.Config) { c.PartitionID = 7 })
			h := newHost(m, 10)
			h.RLOC16, h.silent = 0xf800, silent
			h.leader.LeaderRouterID = 62
			h.route.Routers = mle.RouterIDSet(0).Add(62).Add(3)
			h.connectivity.ActiveRouters = 2
			h.advertise()
			m.Run(5 * time.Second)
			want := thread.RoleChild
			if silent {
				want = thread.RoleLeader
			}
			if l, _ := n.Leader(); n.Role() != want || (l.LeaderRouterID == 62) == silent {
				t.Errorf("%v, leader %d", n.Role(), l.LeaderRouterID)
			}
		})
	}
}

// TestPartitions_Faint: a better partition that is heard with a margin of 10 dB is joined at once, one that is heard with less after it
// has been heard for a while, and one that was heard a few times is not.
func TestPartitions_Faint(t *testing.T) {
	for _, tt := range []struct {
		name        string
		rssi        float64
		heard       time.Duration
		soon, later bool // they are one
	}{
		{"margin of 12 dB", -88, time.Hour, true, true},
		{"margin of 5 dB", -95, time.Hour, false, true},
		{"margin of 5 dB, for a moment", -95, 4 * time.Minute, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			a, b := m.Add(1, lorasim.Position{}, stock), m.Add(2, lorasim.Position{}, stock)
			m.Sim.CutLink(a.Antenna, b.Antenna)
			a.Start()
			b.Start()
			m.Until(time.Minute, "two leaders", func() bool { return m.Count(thread.RoleLeader) == 2 })
			m.Sim.SetLink(a.Antenna, b.Antenna, tt.rssi)
			m.Run(3 * time.Minute)
			if got := m.OneMesh(); got != tt.soon {
				t.Errorf("soon: one mesh %v", got)
			}
			m.Run(max(tt.heard-3*time.Minute, 0))
			if tt.heard < time.Hour {
				m.Sim.CutLink(a.Antenna, b.Antenna)
			}
			m.Run(time.Hour)
			if got := m.OneMesh(); got != tt.later {
				t.Errorf("later: one mesh %v", got)
			}
		})
	}
}

// TestPartitions_LeaderTimeout: the leader is lost when the router ID sequence stands still for 120 s, however often its routers are
// heard.
func TestPartitions_LeaderTimeout(t *testing.T) {
	for name, step := range map[string]uint8{"stands still": 0, "goes back": 255, "goes on": 1} {
		t.Run(name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, endDevice)
			h := newHost(m, 9)
			n.Start()
			m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
			requests := len(h.Find(mle.ParentRequest, n.ExtAddr()))
			since := m.Sim.Now()
			for m.Sim.Now().Sub(since) < 140*time.Second {
				h.route.IDSequence += step
				h.advertise()
				m.Run(10 * time.Second)
			}
			searches := h.Find(mle.ParentRequest, n.ExtAddr())[requests:]
			if (len(searches) > 0) != (step != 1) {
				t.Fatalf("%d Parent Requests", len(searches))
			}
			if step == 1 {
				return
			}
			if d := searches[0].At.Sub(since); d < 119*time.Second || d > 122*time.Second {
				t.Errorf("searches after %v", d)
			}
		})
	}
}

// TestPartitions_SamePartition: who has lost the leader takes a parent in its own partition that has heard of a later sequence number.
func TestPartitions_SamePartition(t *testing.T) {
	for sequence, want := range map[uint8]bool{0: false, 1: false, 2: true} {
		m := meshtest.New(t, ideal())
		n := m.Add(1, lorasim.Position{}, endDevice)
		h, other := newHost(m, 9), newHost(m, 10)
		other.RLOC16, other.leader, other.silent = 0x0c00, h.leader, true
		other.connectivity.LinkQuality3 = 5 // it would be the better parent
		n.Start()
		m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
		other.silent = false
		other.route.IDSequence = sequence
		asked := func() bool { return len(other.Answers(mle.ChildIDRequest, n.ExtAddr())) > 0 }
		m.Until(125*time.Second, "search", func() bool { return len(h.Find(mle.ParentRequest, n.ExtAddr())) > 1 })
		m.Run(10 * time.Second) // attempts in this partition, and one in any
		if asked() != want {
			t.Errorf("sequence %d, known 1: asked for an address: %v, want %v", sequence, asked(), want)
		}
	}
}

// TestPartitions_Gone: a router that hears of a better partition which is gone, as from a recording every 20 s, looks for it ever more
// rarely, and does its duties meanwhile: it advertises, and answers requests for links and for a parent.
func TestPartitions_Gone(t *testing.T) {
	m := meshtest.New(t, lorasim.Options{Seed: 1, Ideal: true, NoListen: true})
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) { c.PartitionID = 1000 })
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p, gone := m.AddPeer(9, lorasim.Position{X: 10}), newHost(m, 10)
	gone.silent, gone.leader.PartitionID, gone.route.Routers = true, 0xffffffff, gone.route.Routers.Add(3)
	p.Attach(n, thread.ModeFullThreadDevice, 24*time.Hour)
	solicit(t, m, p, n)
	link(t, m, n, p)
	recorded := gone.MLECounter
	for margin, want := range []uint64{4: 0, 5: 1} {
		m.Sim.SetLinkFrom(gone.Antenna, n.Antenna, float64(thread.TimingPymesh().ReceiveSensitivity)+float64(margin))
		gone.advertise()
		m.Run(time.Second)
		if got := n.Counters().BetterPartitionAttempts; got != want {
			t.Errorf("margin %v dB: %d searches, want %d", margin, got, want)
		}
	}
	m.Run(30 * time.Second)
	hour := func() (searches uint64, advertisements int) {
		before, heard := n.Counters().BetterPartitionAttempts, len(p.Find(mle.Advertisement, n.ExtAddr()))
		for range 180 {
			advertise(p, must(leaderData(n)), heardRoutes(p, n))
			gone.MLECounter = recorded
			gone.advertise()
			m.Run(20 * time.Second)
		}
		return n.Counters().BetterPartitionAttempts - before, len(p.Find(mle.Advertisement, n.ExtAddr())) - heard
	}
	for i, want := range []uint64{9, 4} {
		if searches, ads := hour(); searches < want || searches > want+1 || ads < 100 {
			t.Errorf("hour %d: %d searches, want %d; %d Advertisements", i+1, searches, want, ads)
		}
	}
	before := n.Counters().BetterPartitionAttempts
	for i := 0; n.Counters().BetterPartitionAttempts == before; i++ {
		if i == 1000 {
			t.Fatal("no search any more")
		}
		advertise(p, must(leaderData(n)), heardRoutes(p, n))
		gone.MLECounter = recorded
		gone.advertise()
		m.Run(5 * time.Second)
	}
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(p, n, meshtest.Challenge(3)))
	p.Await(mle.LinkAccept, n.ExtAddr(), 2*time.Second)
	child := m.AddPeer(11, lorasim.Position{X: 20})
	child.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(4), mle.ScanRouters))
	child.Await(mle.ParentResponse, n.ExtAddr(), 3*time.Second)
}

// leaderData is what a node says of its partition.
func leaderData(n *meshtest.Node) (mle.LeaderData, error) {
	l, ok := n.Leader()
	if !ok {
		return mle.LeaderData{}, thread.ErrDetached
	}
	return l.LeaderData, nil
}

// TestREEDAdvertises: a router-eligible end device lets others know of it every ten minutes (570 s and up to 60 s more, after up to 120 s
// in which it thinks about becoming a router), whatever happened before: searches that found nothing, commands, an Address Solicit
// that was not answered. Partitions may have no other node between them.
func TestREEDAdvertises(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node){
		"nothing": func(*testing.T, *meshtest.Mesh, *meshtest.Node, *meshtest.Node) {},
		"leader away for 130 s": func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node) {
			m.Sim.Partition(endpoints(leader), endpoints(n))
			m.Run(130 * time.Second)
			m.Sim.Heal()
		},
		"router role off and on": func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node) {
			n.Console().SetRouterRole(m.Sim.Now(), false)
			m.Run(10 * time.Second)
			n.Console().SetRouterRole(m.Sim.Now(), true)
		},
		"searches by command": func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node) {
			if err := n.Console().BecomeChild(m.Sim.Now()); err != nil {
				t.Error(err)
			}
		},
		"asks to be a router in vain": func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node) {
			m.Sim.Partition(endpoints(leader), endpoints(n))
			if err := n.Console().BecomeRouter(m.Sim.Now()); err != nil {
				t.Error(err)
			}
			m.Run(100 * time.Second)
			m.Sim.Heal()
		},
		"mode off and on": func(t *testing.T, m *meshtest.Mesh, leader, n *meshtest.Node) {
			for _, mode := range []mle.Mode{thread.ModeMinimalEndDevice, thread.ModeFullThreadDevice} {
				if err := n.Console().SetMode(m.Sim.Now(), mode); err != nil {
					t.Error(err)
				}
				m.Run(5 * time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []time.Duration{10 * time.Second, 5 * time.Minute} {
				m := meshtest.New(t, ideal())
				few := func(c *thread.Config) { stock(c); c.RouterUpgradeThreshold = 1 }
				leader := m.Add(1, lorasim.Position{}, few)
				leader.Start()
				m.Until(time.Minute, "leader", func() bool { return leader.Role() == thread.RoleLeader })
				n := m.Add(1, lorasim.Position{}, few)
				n.Start()
				m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
				listener := m.AddPeer(9, lorasim.Position{})
				listener.Deaf = true
				m.Run(after)
				disturb(t, m, leader, n)
				before := len(listener.Find(mle.Advertisement, n.ExtAddr()))
				m.Run(760 * time.Second)
				if n.Role() != thread.RoleChild || len(listener.Find(mle.Advertisement, n.ExtAddr())) == before {
					t.Errorf("after %v: %v, no Advertisement", after, n.Role())
				}
			}
		})
	}
}
