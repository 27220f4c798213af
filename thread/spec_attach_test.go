package thread_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Attaching, Thread 1.1 §4.7. Held elsewhere:
//
//   - a Parent Request to routers, another to routers and end devices, then a partition of one's own: TestFormPartition,
//     TestInterop06Forming, TestEndDevicesDoNotLead
//   - which answer is taken: TestParentChoice
//   - what a Child ID Request holds: TestChildIDRequest
//   - who does not answer for want of places or as an end device: TestParentRefuses
//   - the keep-alive of a child: TestKeepAlive; what a child does after a restart: TestRestartChild
//   - a half-open child is remembered for a while: TestInterop01HalfOpenChildren

// TestThread_4_7_ParentRequest: a router answers a Parent Request that is whole, of this version, to routers, and not a repetition.
func TestThread_4_7_ParentRequest(t *testing.T) {
	whole := meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters)
	for _, tt := range []struct {
		name     string
		request  []byte
		answered bool
	}{
		{"whole", whole, true},
		{"to routers and end devices", meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters|mle.ScanEndDevices), true},
		{"to end devices", meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanEndDevices), false},
		{"of a later version", replaced(whole, mle.TLVVersion, []byte{0, 5}), true},
		{"of Thread 1.0", replaced(whole, mle.TLVVersion, []byte{0, 1}), false},
		{"without version", without(whole, mle.TLVVersion), false},
		{"without scan mask", without(whole, mle.TLVScanMask), false},
		{"without challenge", without(whole, mle.TLVChallenge), false},
		{"with a short challenge", replaced(whole, mle.TLVChallenge, []byte{1, 2, 3}), false},
		{"with an unknown TLV", mle.AppendTLV(whole, 200, []byte{1}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, nil)
			p.SendMLE(ip6.LinkLocalAllRouters, tt.request)
			m.Run(1500 * time.Millisecond)
			if got := p.Answers(mle.ParentResponse, n.ExtAddr()); (len(got) == 1) != tt.answered || len(got) > 1 {
				t.Errorf("%d Parent Responses", len(got))
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		m, n, p := leading(t, nil)
		for _, step := range []struct {
			challenge byte
			wait      time.Duration
			want      int
		}{
			{1, 700 * time.Millisecond, 1}, {1, 700 * time.Millisecond, 1}, // within ParentRequestRouters
			{2, 700 * time.Millisecond, 2}, {2, 700 * time.Millisecond, 2},
		} {
			p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(step.challenge), mle.ScanRouters))
			m.Run(step.wait)
			if got := len(p.Answers(mle.ParentResponse, n.ExtAddr())); got != step.want {
				t.Errorf("challenge %d: %d Parent Responses, want %d", step.challenge, got, step.want)
			}
		}
	})
}

// TestThread_4_7_ParentResponse: the answer comes within half a second to a request to routers, within a second to one to end devices
// too, and says how well the child is heard and what the parent has to offer.
func TestThread_4_7_ParentResponse(t *testing.T) {
	for mask, limit := range map[mle.ScanMask]time.Duration{
		mle.ScanRouters: 500 * time.Millisecond, mle.ScanRouters | mle.ScanEndDevices: time.Second,
	} {
		m, n, p := leading(t, nil)
		m.Sim.SetLinkFrom(p.Antenna, n.Antenna, -63)
		longest := time.Duration(0)
		for i := range byte(40) {
			sent := m.Sim.Now()
			p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(i+1), mask))
			r := p.Await(mle.ParentResponse, n.ExtAddr(), limit+50*time.Millisecond)
			longest = max(longest, r.At.Sub(sent))
			if must(r.Response()) != meshtest.Challenge(i+1) || must(r.Challenge()) == meshtest.Challenge(i+1) || r.Dst != meshtest.LinkLocal(p.ExtAddr) {
				t.Errorf("%+v", r)
			}
			if must(r.SourceAddress()) != n.RLOC16() || must(r.LinkMargin()) < 36 || must(r.LinkMargin()) > 37 || must(r.Version()) != mle.Version1_1 {
				t.Errorf("source %v, margin %d, version %d", must(r.SourceAddress()), must(r.LinkMargin()), must(r.Version()))
			}
			if c := must(r.Connectivity()); c.ActiveRouters != 1 || c.LeaderCost != 0 || c.LinkQuality3+c.LinkQuality2+c.LinkQuality1 != 0 {
				t.Errorf("connectivity %+v", c)
			}
			m.Run(time.Second)
		}
		if longest < limit/2 {
			t.Errorf("mask %v: all answers within %v", mask, longest)
		}
	}
}

// TestThread_4_7_ParentWithoutLeader: who has not heard of the leader for too long, or searches itself, is no parent; nor is who has
// not attached yet.
func TestThread_4_7_ParentWithoutLeader(t *testing.T) {
	m := meshtest.New(t, ideal())
	p := m.AddPeer(9, lorasim.Position{})
	a, b := m.Add(1, lorasim.Position{}, stock), m.Add(1, lorasim.Position{}, stock)
	asked := byte(0)
	answers := func(n *meshtest.Node) bool {
		asked++
		before := len(p.Answers(mle.ParentResponse, n.ExtAddr()))
		p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(asked), mle.ScanRouters))
		m.Run(600 * time.Millisecond)
		return len(p.Answers(mle.ParentResponse, n.ExtAddr())) > before
	}
	a.Start()
	if answers(a) {
		t.Error("a detached node answers")
	}
	m.StartOneByOne()
	if !answers(a) || !answers(b) {
		t.Error("a router does not answer")
	}
	q := m.AddPeer(10, lorasim.Position{})
	q.RLOC16 = 0x5800
	advertise(q, mle.LeaderData{PartitionID: 1, Weighting: 255, LeaderRouterID: 22}, nil)
	if answers(a) || answers(b) {
		t.Error("answers while it looks for a better partition")
	}
	m.Run(5 * time.Second)
	if !answers(a) || !answers(b) {
		t.Error("does not answer after it has looked in vain")
	}
	searched := len(p.Find(mle.ParentRequest, b.ExtAddr()))
	a.PowerOff()
	m.Until(135*time.Second, "search", func() bool { return len(p.Find(mle.ParentRequest, b.ExtAddr())) > searched })
	if b.Role() != thread.RoleRouter || answers(b) {
		t.Errorf("a %v without a leader answers", b.Role())
	}
	m.Until(time.Minute, "leader", func() bool { return b.Role() == thread.RoleLeader })
	if !answers(b) {
		t.Error("the new leader does not answer")
	}
}

// TestThread_4_7_REED: a router-eligible end device answers who asks end devices too.
func TestThread_4_7_REED(t *testing.T) {
	m := meshtest.Chain(t, ideal(), 2, func(c *thread.Config) { stock(c); c.RouterUpgradeThreshold = 1 })
	m.StartEach(10 * time.Second)
	reed := m.Nodes[1]
	if reed.Role() != thread.RoleChild {
		t.Fatal(m)
	}
	p := m.AddPeer(9, lorasim.Position{X: 2})
	p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
	m.Run(2 * time.Second)
	if got := p.Answers(mle.ParentResponse, reed.ExtAddr()); len(got) != 0 {
		t.Error("answers a request to routers")
	}
	p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(2), mle.ScanRouters|mle.ScanEndDevices))
	r := p.Await(mle.ParentResponse, reed.ExtAddr(), 2*time.Second)
	if c := must(r.Connectivity()); must(r.SourceAddress()) != reed.RLOC16() || c.LeaderCost != 3 || c.LinkQuality2 != 1 {
		// The leader advertises 1 for itself, and the link of quality 2 costs 2.
		t.Errorf("from %v: %+v", must(r.SourceAddress()), c)
	}
}

// TestThread_4_7_ParentResponseTaken: a child takes an answer to its own request alone, with all that it needs to judge it.
func TestThread_4_7_ParentResponseTaken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		taken  bool
	}{
		{"whole", func(b []byte) []byte { return b }, true},
		{"without MLE frame counter", func(b []byte) []byte { return without(b, mle.TLVMLEFrameCounter) }, true}, // the same as the other
		{"another response", func(b []byte) []byte { return replaced(b, mle.TLVResponse, []byte("88888888")) }, false},
		{"without response", func(b []byte) []byte { return without(b, mle.TLVResponse) }, false},
		{"without source", func(b []byte) []byte { return without(b, mle.TLVSourceAddress) }, false},
		{"without leader", func(b []byte) []byte { return without(b, mle.TLVLeaderData) }, false},
		{"without margin", func(b []byte) []byte { return without(b, mle.TLVLinkMargin) }, false},
		{"without connectivity", func(b []byte) []byte { return without(b, mle.TLVConnectivity) }, false},
		{"without frame counter", func(b []byte) []byte { return without(b, mle.TLVLinkLayerFrameCounter) }, false},
		{"without challenge", func(b []byte) []byte { return without(b, mle.TLVChallenge) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, stock)
			h := newHost(m, 9)
			h.OnMLE = func(heard meshtest.Heard) {
				if heard.Command == mle.ParentRequest {
					h.SendMLE(meshtest.LinkLocal(heard.ExtAddr), tt.change(h.ParentResponse(heard, h.leader, h.connectivity, 50)))
				}
			}
			n.Start()
			m.Run(4 * time.Second)
			if got := len(h.Find(mle.ChildIDRequest, n.ExtAddr())) > 0; got != tt.taken {
				t.Errorf("taken: %v", got)
			}
		})
	}
}

// TestThread_4_7_ChildIDRequest: a parent gives an address to who repeats the challenge of its Parent Response and tells all that the
// parent must know of it.
func TestThread_4_7_ChildIDRequest(t *testing.T) {
	const full, small = thread.ModeFullThreadDevice, thread.ModeMinimalEndDevice
	same := func(b []byte) []byte { return b }
	for _, tt := range []struct {
		name   string
		mode   mle.Mode
		change func([]byte) []byte
		given  bool
	}{
		{"full device", full, same, true},
		{"minimal device", small, same, true},
		{"without MLE frame counter", full, func(b []byte) []byte { return without(b, mle.TLVMLEFrameCounter) }, true},
		{"another response", full, func(b []byte) []byte { return replaced(b, mle.TLVResponse, []byte("88888888")) }, false},
		{"without response", full, func(b []byte) []byte { return without(b, mle.TLVResponse) }, false},
		{"without frame counter", full, func(b []byte) []byte { return without(b, mle.TLVLinkLayerFrameCounter) }, false},
		{"without mode", full, func(b []byte) []byte { return without(b, mle.TLVMode) }, false},
		{"without timeout", full, func(b []byte) []byte { return without(b, mle.TLVTimeout) }, false},
		{"without TLV request", full, func(b []byte) []byte { return without(b, mle.TLVTLVRequest) }, false},
		{"wants too much", full, func(b []byte) []byte { return replaced(b, mle.TLVTLVRequest, make([]byte, 40)) }, false},
		{"minimal device without addresses", small, func(b []byte) []byte { return without(b, mle.TLVAddressRegistration) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, nil)
			p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
			r := p.Await(mle.ParentResponse, n.ExtAddr(), time.Second)
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), tt.change(p.ChildIDRequest(r, tt.mode, time.Minute)))
			m.Run(time.Second)
			got := p.Answers(mle.ChildIDResponse, n.ExtAddr())
			if (len(got) == 1) != tt.given || (len(n.Neighbors()) == 1) != tt.given {
				t.Errorf("%d Child ID Responses, neighbors %+v", len(got), n.Neighbors())
			}
		})
	}
	t.Run("of a stranger", func(t *testing.T) {
		m, n, p := leading(t, nil)
		q := m.AddPeer(10, lorasim.Position{})
		p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(1), mle.ScanRouters))
		r := p.Await(mle.ParentResponse, n.ExtAddr(), time.Second)
		q.SendMLE(meshtest.LinkLocal(n.ExtAddr()), q.ChildIDRequest(r, full, time.Minute))
		m.Run(time.Second)
		if got := q.Answers(mle.ChildIDResponse, n.ExtAddr()); len(got) != 0 {
			t.Error("who sent no Parent Request gets an address with the challenge of another")
		}
	})
}

// TestThread_4_7_ChildIDResponse: the parent answers with the child's address, the leader, and what was asked for; and with another
// address to each child.
func TestThread_4_7_ChildIDResponse(t *testing.T) {
	m, n, p := leading(t, nil)
	q := m.AddPeer(10, lorasim.Position{})
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	q.Attach(n, thread.ModeMinimalEndDevice, 2*time.Minute)
	if p.RLOC16 == q.RLOC16 || p.RLOC16.RouterID() != n.RLOC16().RouterID() || !p.RLOC16.IsChild() || !q.RLOC16.IsChild() {
		t.Errorf("children %v and %v of %v", p.RLOC16, q.RLOC16, n.RLOC16())
	}
	full, small := p.Answers(mle.ChildIDResponse, n.ExtAddr())[0], q.Answers(mle.ChildIDResponse, n.ExtAddr())[0]
	leader, _ := n.Leader()
	for _, r := range []meshtest.Heard{full, small} {
		if must(r.SourceAddress()) != n.RLOC16() || must(r.LeaderData()) != leader.LeaderData || !r.Has(mle.TLVNetworkData) {
			t.Errorf("%+v", r)
		}
	}
	if !full.Has(mle.TLVRoute64) || full.Has(mle.TLVAddressRegistration) || small.Has(mle.TLVRoute64) {
		t.Errorf("routes %v and %v", full.Has(mle.TLVRoute64), small.Has(mle.TLVRoute64))
	}
	for e := range must(small.AddressRegistration()).All() {
		if e.ContextID != 0 || e.IID != [8]byte(q.ExtAddr) {
			t.Errorf("registered %+v", e)
		}
	}
	before := p.RLOC16
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	if p.RLOC16 != before {
		t.Errorf("the same child has %v, had %v", p.RLOC16, before)
	}
}

// TestThread_4_7_ChildIDResponseTaken: a child takes an address of the parent that it asked, and one that is that parent's to give.
func TestThread_4_7_ChildIDResponseTaken(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		taken  bool
	}{
		{"whole", func(b []byte) []byte { return b }, true},
		{"without routes", func(b []byte) []byte { return without(b, mle.TLVRoute64) }, true},
		{"without address", func(b []byte) []byte { return without(b, mle.TLVAddress16) }, false},
		{"without leader", func(b []byte) []byte { return without(b, mle.TLVLeaderData) }, false},
		{"without source", func(b []byte) []byte { return without(b, mle.TLVSourceAddress) }, false},
		{"without network data", func(b []byte) []byte { return without(b, mle.TLVNetworkData) }, false},
		{"child of another router", func(b []byte) []byte { return replaced(b, mle.TLVAddress16, []byte{0x60, 0x05}) }, false},
		{"address of a router", func(b []byte) []byte { return replaced(b, mle.TLVAddress16, []byte{0x58, 0x00}) }, false},
		{"from an end device", func(b []byte) []byte { return replaced(b, mle.TLVSourceAddress, []byte{0x58, 0x01}) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := meshtest.New(t, ideal())
			n := m.Add(1, lorasim.Position{}, endDevice)
			h := newHost(m, 9)
			h.OnMLE = func(heard meshtest.Heard) {
				if heard.Command == mle.ChildIDRequest {
					h.SendMLE(meshtest.LinkLocal(heard.ExtAddr), tt.change(h.childIDResponse()))
					return
				}
				h.answer(heard)
			}
			n.Start()
			m.Run(3 * time.Second)
			if got := n.Role() == thread.RoleChild; got != tt.taken {
				t.Errorf("%v", n.Role())
			}
		})
	}
	t.Run("of another parent", func(t *testing.T) {
		m := meshtest.New(t, ideal())
		n := m.Add(1, lorasim.Position{}, endDevice)
		h, other := newHost(m, 9), newHost(m, 10)
		other.OnMLE = nil
		h.OnMLE = func(heard meshtest.Heard) {
			if heard.Command == mle.ChildIDRequest {
				other.SendMLE(meshtest.LinkLocal(heard.ExtAddr), other.childIDResponse())
				return
			}
			h.answer(heard)
		}
		n.Start()
		m.Run(3 * time.Second)
		if n.Role() == thread.RoleChild {
			t.Error("taken from who was not asked")
		}
	})
}

// TestKeepAlive_ChildUpdateRequest: a parent answers a child's keep-alive with what the child told and asked.
func TestKeepAlive_ChildUpdateRequest(t *testing.T) {
	const small = thread.ModeMinimalEndDevice
	basic := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), small)
	iid := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	always := []mle.TLVType{mle.TLVSourceAddress, mle.TLVMode, mle.TLVLeaderData}
	for _, tt := range []struct {
		name    string
		request []byte
		more    []mle.TLVType
	}{
		{"mode alone", basic, nil},
		{"challenge", mle.AppendChallenge(basic, meshtest.Challenge(5)),
			[]mle.TLVType{mle.TLVResponse, mle.TLVMLEFrameCounter, mle.TLVLinkLayerFrameCounter}},
		{"timeout", mle.AppendTimeout(basic, 90*time.Second), []mle.TLVType{mle.TLVTimeout}},
		{"addresses", mle.AppendAddressRegistration(basic, mle.AddressEntry{IID: iid}), []mle.TLVType{mle.TLVAddressRegistration}},
		{"network data", mle.AppendTLVRequest(basic, mle.TLVNetworkData), []mle.TLVType{mle.TLVNetworkData, mle.TLVActiveTimestamp}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, nil)
			p.Attach(n, small, time.Minute)
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), tt.request)
			r := p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second)
			var types []mle.TLVType
			for typ := range r.All() {
				types = append(types, typ)
			}
			if want := slices.Concat(always, tt.more); !slices.Equal(types, want) {
				t.Errorf("TLVs %v, want %v", types, want)
			}
			if must(r.SourceAddress()) != n.RLOC16() || must(r.Mode()) != small {
				t.Errorf("%+v", r)
			}
			switch tt.name {
			case "challenge":
				if must(r.Response()) != meshtest.Challenge(5) {
					t.Errorf("response %v", must(r.Response()))
				}
			case "timeout":
				if must(r.Timeout()) != 90*time.Second || n.Neighbors()[0].Timeout != 90*time.Second {
					t.Errorf("timeout %v, kept %v", must(r.Timeout()), n.Neighbors()[0].Timeout)
				}
			case "addresses":
				if e := slices.Collect(must(r.AddressRegistration()).All()); len(e) != 1 || e[0].IID != iid {
					t.Errorf("registered %+v", e)
				}
			}
			m.Run(time.Second)
		})
	}
	t.Run("lost child", func(t *testing.T) { // who always listens hears that it is none; who sleeps cannot be reached
		for mode, want := range map[mle.Mode]int{small: 1, small &^ mle.ModeRxOnWhenIdle: 0} {
			m, n, p := leading(t, nil)
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), mode))
			m.Run(time.Second)
			got := p.Answers(mle.ChildUpdateResponse, n.ExtAddr())
			if len(got) != want || want == 1 && must(got[0].Status()) != mle.StatusError {
				t.Errorf("mode %v: %+v", mode, got)
			}
		}
	})
}

// TestKeepAlive_OtherPlace: a child that takes its place for another one than its parent does, since the last Child ID Response got lost
// and it resumed from its store, hears that it is none: else nothing would reach it.
func TestKeepAlive_OtherPlace(t *testing.T) {
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeMinimalEndDevice, time.Minute)
	to := meshtest.LinkLocal(n.ExtAddr())
	keepAlive := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeMinimalEndDevice)
	p.SendMLE(to, mle.AppendSourceAddress(keepAlive, p.RLOC16))
	if r := p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second); r.Has(mle.TLVStatus) {
		t.Errorf("its own place: %v", must(r.Status()))
	}
	m.Run(time.Second)
	p.SendMLE(to, mle.AppendSourceAddress(keepAlive, p.RLOC16+1))
	if r := p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second); must(r.Status()) != mle.StatusError {
		t.Errorf("another place: %+v", r)
	}
	if len(childrenOf(n)) != 1 {
		t.Error("a word cost the place")
	}
}

// TestKeepAlive_ParentAsks: a child answers a Child Update Request of its parent, and of nobody else; and searches when the parent
// says that something is wrong.
func TestKeepAlive_ParentAsks(t *testing.T) {
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, minimal)
	h, other := newHost(m, 9), newHost(m, 10)
	other.OnMLE, other.RLOC16 = nil, 0x6000
	n.Start()
	m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	request := func(p *host) []byte {
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateRequest), p.RLOC16)
		return mle.AppendLeaderData(b, h.leader)
	}
	to := meshtest.LinkLocal(n.ExtAddr())
	b := mle.AppendTLVRequest(request(h), mle.TLVTimeout, mle.TLVAddressRegistration)
	h.SendMLE(to, mle.AppendChallenge(b, meshtest.Challenge(3)))
	r := h.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second)
	if must(r.SourceAddress()) != n.RLOC16() || must(r.Timeout()) != 240*time.Second || must(r.Response()) != meshtest.Challenge(3) ||
		!r.Has(mle.TLVAddressRegistration) || !r.Has(mle.TLVLinkLayerFrameCounter) {
		t.Errorf("%+v", r)
	}
	other.SendMLE(to, request(other))
	m.Run(time.Second)
	if got := other.Answers(mle.ChildUpdateResponse, n.ExtAddr()); len(got) != 0 {
		t.Error("answers who is not its parent")
	}
	h.SendMLE(to, mle.AppendStatus(request(h), mle.StatusError))
	m.Run(100 * time.Millisecond)
	if n.Role() != thread.RoleDetached {
		t.Errorf("%v after the parent's status", n.Role())
	}
}

// TestAttach_BadNetworkData: a child that gets malformed network data with its address asks for them again, and does not take those of
// its former partition for the new one's.
func TestAttach_BadNetworkData(t *testing.T) {
	m, n, _ := leading(t, func(c *thread.Config) { c.PartitionID = 1 })
	former := n.Console().NetworkData.Version()
	h := newHost(m, 10)
	h.leader.DataVersion, h.leader.StableDataVersion = former-3, former-3
	h.OnMLE = func(r meshtest.Heard) {
		if r.Command == mle.ChildIDRequest {
			h.SendMLE(meshtest.LinkLocal(r.ExtAddr), replaced(h.childIDResponse(), mle.TLVNetworkData, []byte{9, 200, 1}))
		} else {
			h.answer(r)
		}
	}
	h.advertise()
	m.Until(5*time.Second, "child", func() bool { return n.Role() == thread.RoleChild })
	if data := n.Console().NetworkData; !data.Outdated() {
		t.Error("the former partition's data count as current")
	}
	m.Run(3 * time.Second)
	if data := n.Console().NetworkData; data.Outdated() || data.Version() != former-3 || len(data.TLVs()) != 0 {
		t.Errorf("outdated %v, version %d, want %d, data % x", data.Outdated(), data.Version(), former-3, data.TLVs())
	}
}

// TestChildTimeout_Longest: no silent child keeps its place for more than two days, whatever it asks for. It is told in the Child Update
// Response.
func TestChildTimeout_Longest(t *testing.T) {
	const longest = 48 * time.Hour
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeFullThreadDevice, 0xffffffff*time.Second)
	b := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), mle.AppendTimeout(b, 1000*time.Hour))
	if granted := must(p.Await(mle.ChildUpdateResponse, n.ExtAddr(), time.Second).Timeout()); granted != longest {
		t.Errorf("granted %v", granted)
	}
	m.Run(longest - time.Minute)
	if len(n.Neighbors()) != 1 {
		t.Error("dropped too early")
	}
	m.Run(2 * time.Minute)
	if len(n.Neighbors()) != 0 {
		t.Error("still there")
	}
}

// TestChildTimeout_Restored: a router that restarts asks the children of before, four times at most, and takes their places back if they do
// not answer within four minutes; one that answers keeps its place for as long as it was granted.
func TestChildTimeout_Restored(t *testing.T) {
	m := meshtest.New(t, ideal())
	few := func(c *thread.Config) { stock(c); c.MaxChildren = 2 }
	m.Add(1, lorasim.Position{}, few)
	n := m.Add(1, lorasim.Position{}, few)
	m.StartOneByOne()
	silent, living := m.AddPeer(9, lorasim.Position{}), m.AddPeer(10, lorasim.Position{})
	for _, p := range []*meshtest.Peer{silent, living} {
		p.Attach(n, thread.ModeFullThreadDevice, 24*time.Hour)
	}
	silent.Deaf = true
	living.OnMLE = func(h meshtest.Heard) {
		if h.Command == mle.ChildUpdateRequest {
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateResponse), living.RLOC16)
			b = mle.AppendTimeout(mle.AppendResponse(b, must(h.Challenge())), 24*time.Hour)
			b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, living.MACCounter), living.MLECounter)
			living.SendMLE(meshtest.LinkLocal(h.ExtAddr), mle.AppendMode(b, thread.ModeFullThreadDevice))
		}
	}
	n.Restart()
	m.Until(5*time.Second, "router again", func() bool { return n.Role() == thread.RoleRouter })
	m.Run(5 * time.Minute)
	asked := map[*meshtest.Peer]int{}
	for _, p := range []*meshtest.Peer{silent, living} {
		asked[p] = len(p.Answers(mle.ChildUpdateRequest, n.ExtAddr()))
	}
	// A frame without an acknowledgement is sent four times.
	if asked[silent] < 4 || asked[silent] > 4*4 || asked[living] != 1 {
		t.Errorf("asked the silent one %d times, the living one %d", asked[silent], asked[living])
	}
	for i, p := range []*meshtest.Peer{m.AddPeer(11, lorasim.Position{}), m.AddPeer(12, lorasim.Position{})} {
		p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(7), mle.ScanRouters))
		m.Run(2 * time.Second)
		offers := p.Answers(mle.ParentResponse, n.ExtAddr())
		if (len(offers) == 1) != (i == 0) {
			t.Errorf("node %d gets %d offers for the one place that is free again", i+1, len(offers))
		}
		if len(offers) == 1 {
			p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), p.ChildIDRequest(offers[0], thread.ModeFullThreadDevice, time.Hour))
			m.Run(time.Second)
		}
	}
}
