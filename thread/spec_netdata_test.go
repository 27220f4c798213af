package thread_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Network data, Thread 1.1 §5.18, and addresses and ways out by them. Held elsewhere:
//
//   - the leader's merge, versions, context IDs, the stable subset: package networkdata
//   - the choice among routes: TestRoute of package networkdata

const pymeshFlags = netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh

var (
	cafe    = netip.MustParsePrefix("2001:cafe:cafe:cafe::/64")
	outside = netip.MustParseAddr("2001:4860:4860::8888")
)

func borderRouter(p netip.Prefix, preference netdata.Preference) thread.OnMeshPrefix {
	return thread.OnMeshPrefix{Prefix: p, Preference: preference, Flags: pymeshFlags, Stable: true}
}

// offer makes a node a border router and tells the leader.
func offer(t *testing.T, m *meshtest.Mesh, n *meshtest.Node, p thread.OnMeshPrefix) {
	t.Helper()
	if err := n.AddPrefix(p); err != nil {
		t.Fatal(err)
	}
	register(m, n)
}

func register(m *meshtest.Mesh, n *meshtest.Node) {
	_ = n.RegisterNetworkData(m.Sim.Now()) // what has to wait is done by itself
	n.Antenna.Touch()
}

func withdraw(t *testing.T, m *meshtest.Mesh, n *meshtest.Node, p netip.Prefix) {
	t.Helper()
	if err := n.RemovePrefix(p); err != nil {
		t.Fatal(err)
	}
	register(m, n)
}

// in returns the address of a node in a prefix, the zero Addr if it has none.
func in(n *meshtest.Node, p netip.Prefix) netip.Addr {
	for _, a := range n.Addresses() {
		if p.Contains(a) {
			return a
		}
	}
	return netip.Addr{}
}

// allHave reports whether all nodes have an address in a prefix.
func allHave(m *meshtest.Mesh, p netip.Prefix) bool {
	return !slices.ContainsFunc(m.Nodes, func(n *meshtest.Node) bool { return !in(n, p).IsValid() })
}

func noneHas(m *meshtest.Mesh, p netip.Prefix) bool {
	return !slices.ContainsFunc(m.Nodes, func(n *meshtest.Node) bool { return in(n, p).IsValid() })
}

// serversOf returns the servers of a prefix as a node sees them.
func serversOf(n *meshtest.Node, p netip.Prefix) (list []mle.RLOC16) {
	for server, e := range networkdata.All(n.NetworkData()) {
		if e.Prefix == p {
			list = append(list, server)
		}
	}
	slices.Sort(list)
	return list
}

// family is a mesh with a node of each kind: leader, router, and at the router a full and a minimal end device, and one that wants the
// stable network data alone.
func family(t *testing.T) *meshtest.Mesh {
	t.Helper()
	m := steady(t, ideal(), 2, stock)
	for _, kind := range []func(*thread.Config){endDevice, minimal, func(c *thread.Config) {
		stock(c)
		c.Mode = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests
	}} {
		n := m.Add(1, lorasim.Position{X: 2}, kind)
		n.Start()
		m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	}
	m.Run(time.Minute)
	return m
}

// TestThread5_18_Prefix: whoever offers a prefix, all have an address in it within seconds, listed first, reach each other by it, and lose it
// when the prefix goes.
func TestThread5_18_Prefix(t *testing.T) {
	for i := range 5 {
		t.Run(fmt.Sprint("node ", i+1), func(t *testing.T) {
			m := family(t)
			n := m.Nodes[i]
			before := n.Addresses()
			offer(t, m, n, borderRouter(cafe, 0))
			m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
			m.Run(5 * time.Second)
			if got := n.Addresses(); !cafe.Contains(got[0]) || !slices.Equal(got[1:], before) || !n.Registered() {
				t.Errorf("%v, before %v", got, before)
			}
			if got := serversOf(m.Nodes[0], cafe); !slices.Equal(got, []mle.RLOC16{n.RLOC16()}) {
				t.Errorf("servers %v, want %v", got, n.RLOC16())
			}
			for _, from := range m.Nodes {
				for _, to := range m.Nodes {
					if _, ok := from.Ping(in(to, cafe), 20, 5*time.Second); !ok {
						t.Errorf("%v does not reach %v\n%s", from.RLOC16(), in(to, cafe), m)
					}
				}
			}
			withdraw(t, m, n, cafe)
			m.Until(5*time.Second, "no addresses", func() bool { return noneHas(m, cafe) })
			if !slices.Equal(n.Addresses(), before) {
				t.Errorf("%v, before %v", n.Addresses(), before)
			}
		})
	}
}

// TestThread5_18_Stable: what is temporary is nothing to who wants the stable network data alone, and servers are not named to it.
func TestThread5_18_Stable(t *testing.T) {
	m := family(t)
	leader, child := m.Nodes[0], m.Nodes[4]
	temporary := borderRouter(netip.MustParsePrefix("2001:db8:2::/64"), 0)
	temporary.Stable = false
	version := must2(leader.Leader()).DataVersion
	if err := leader.AddPrefix(temporary); err != nil {
		t.Fatal(err)
	}
	offer(t, m, m.Nodes[0], borderRouter(cafe, 0))
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	m.Run(2 * time.Second)
	for i, n := range m.Nodes {
		if has := in(n, temporary.Prefix).IsValid(); has != (n != child) {
			t.Errorf("node %d has an address in the temporary prefix: %v", i+1, has)
		}
	}
	if got := serversOf(child, cafe); !slices.Equal(got, []mle.RLOC16{mle.InvalidRLOC16}) {
		t.Errorf("the child knows %v", got)
	}
	l := must2(leader.Leader())
	if l.DataVersion != version+1 {
		t.Errorf("data version %d, was %d: one registration is one version", l.DataVersion, version)
	}
	if got := must2(child.Leader()); got.StableDataVersion != l.StableDataVersion {
		t.Errorf("the child has stable version %d, want %d", got.StableDataVersion, l.StableDataVersion)
	}
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("not there")
	}
	return v
}

// TestThread5_18_Place: who moves to another place in the mesh registers anew, and what was registered as another is gone.
func TestThread5_18_Place(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { stock(c); c.RouterUpgradeThreshold = 2 })
	n.Start()
	m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	offer(t, m, n, borderRouter(cafe, 0))
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	child := n.RLOC16()
	if err := n.Console().BecomeRouter(m.Sim.Now()); err != nil {
		t.Fatal(err)
	}
	n.Antenna.Touch()
	m.Until(5*time.Second, "router", func() bool { return n.Role() == thread.RoleRouter })
	m.Run(8 * time.Second)
	if got := serversOf(m.Nodes[0], cafe); !slices.Equal(got, []mle.RLOC16{n.RLOC16()}) || n.RLOC16() == child {
		t.Errorf("servers %v, want %v", got, n.RLOC16())
	}
}

// TestThread5_18_REED: a child that is about to become a router does so at once, and registers then.
func TestThread5_18_REED(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Add(1, lorasim.Position{X: 2}, stock)
	n.Start()
	m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	if err := n.AddPrefix(borderRouter(cafe, 0)); err != nil {
		t.Fatal(err)
	}
	if err := n.RegisterNetworkData(m.Sim.Now()); !errors.Is(err, thread.ErrState) {
		t.Errorf("%v", err)
	}
	n.Antenna.Touch()
	m.Until(8*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	m.Run(time.Second)
	if got := serversOf(m.Nodes[0], cafe); n.Role() != thread.RoleRouter || !slices.Equal(got, []mle.RLOC16{n.RLOC16()}) {
		t.Errorf("%v, servers %v", n.Role(), got)
	}
}

// TestThread5_18_Lost: of a border router that is gone nothing is left once its router ID is free, or its parent misses it.
func TestThread5_18_Lost(t *testing.T) {
	m := family(t)
	for _, n := range []*meshtest.Node{m.Nodes[3], m.Nodes[1]} {
		offer(t, m, n, borderRouter(cafe, 0))
		m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
		m.Run(time.Second)
	}
	leader := m.Nodes[0]
	m.Nodes[3].PowerOff()
	m.Until(6*time.Minute, "the child's entry is gone", func() bool {
		return slices.Equal(serversOf(leader, cafe), []mle.RLOC16{m.Nodes[1].RLOC16()})
	})
	m.Nodes[1].PowerOff()
	m.Until(6*time.Minute, "the router's entry is gone", func() bool { return serversOf(leader, cafe) == nil })
	if in(leader, cafe).IsValid() {
		t.Error("the leader still has an address")
	}
}

// TestThread5_18_Restart: a node that starts again offers nothing, and the leader hears of it. Its address in a prefix is the same again.
func TestThread5_18_Restart(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	a, b := m.Nodes[1], m.Nodes[2]
	for _, n := range []*meshtest.Node{a, b} {
		offer(t, m, n, borderRouter(cafe, 0))
	}
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) && len(serversOf(m.Nodes[0], cafe)) == 2 })
	had := in(b, cafe)
	b.Restart()
	m.Until(2*time.Minute, "withdrawn", func() bool { return slices.Equal(serversOf(m.Nodes[0], cafe), []mle.RLOC16{a.RLOC16()}) })
	m.Until(time.Minute, "an address again", func() bool { return in(b, cafe).IsValid() })
	if in(b, cafe) != had {
		t.Errorf("%v, had %v", in(b, cafe), had)
	}
}

// TestThread5_18_NewLeader: to a new leader everything is registered anew.
func TestThread5_18_NewLeader(t *testing.T) {
	m := meshtest.New(t, ideal())
	for range 3 {
		m.Add(1, lorasim.Position{}, stock)
	}
	m.StartOneByOne()
	n := m.Nodes[2]
	offer(t, m, n, borderRouter(cafe, 0))
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	had := in(m.Nodes[1], cafe)
	m.Nodes[0].PowerOff()
	m.Nodes = m.Nodes[1:]
	m.Until(5*time.Minute, "one mesh", m.OneMesh)
	m.Until(2*time.Minute, "addresses", func() bool {
		return allHave(m, cafe) && slices.Equal(serversOf(m.Nodes[0], cafe), []mle.RLOC16{n.RLOC16()})
	})
	if got := in(m.Nodes[0], cafe); got != had {
		t.Errorf("%v, had %v", got, had)
	}
}

// TestThread5_18_ServerData: what a Server Data Notification may say, and what the leader answers.
func TestThread5_18_ServerData(t *testing.T) {
	prefix := func(server mle.RLOC16) []byte {
		entry := must(netdata.BorderRouter{RLOC16: server, Flags: pymeshFlags}.AppendBinary(nil))
		sub := must(netdata.TLV{Type: netdata.TypeBorderRouter, Stable: true, Value: entry}.AppendBinary(nil))
		value := must(netdata.Prefix{Prefix: cafe, SubTLVs: sub}.AppendBinary(nil))
		return must(netdata.TLV{Type: netdata.TypePrefix, Stable: true, Value: value}.AppendBinary(nil))
	}
	for _, tt := range []struct {
		name    string
		payload func(p *meshtest.Peer) []byte
		want    string
		servers bool
	}{
		{"a prefix", func(p *meshtest.Peer) []byte { return tmf.AppendThreadNetworkData(nil, prefix(p.RLOC16)) }, "2.04", true},
		{"nothing any more", func(*meshtest.Peer) []byte { return tmf.AppendThreadNetworkData(nil, nil) }, "2.04", false},
		{"an earlier locator", func(p *meshtest.Peer) []byte { return tmf.AppendRLOC16(nil, p.RLOC16) }, "2.04", false},
		{"of another server", func(*meshtest.Peer) []byte { return tmf.AppendThreadNetworkData(nil, prefix(0x1234)) }, "4.00", false},
		{"half a TLV", func(*meshtest.Peer) []byte { return tmf.AppendThreadNetworkData(nil, []byte{3}) }, "4.00", false},
		{"no TLV", func(*meshtest.Peer) []byte { return nil }, "4.00", false},
		{"too much", func(p *meshtest.Peer) []byte { return tmf.AppendThreadNetworkData(nil, prefix(p.RLOC16)) }, "4.13", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, nil)
			p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
			if tt.want == "4.13" {
				for i := range 3 {
					if err := n.AddService(thread.Service{Enterprise: 1, Data: []byte{byte(i)}, ServerData: make([]byte, 65)}); err != nil {
						t.Fatal(err)
					}
				}
				register(m, n)
			}
			before := must2(n.Leader()).DataVersion
			for id := range uint16(2) { // the second changes nothing
				p.SendDatagram(shortAddress(n.RLOC16()), tmfRequest(p, tmf.URIServerData, tt.payload(p), coap.Confirmable, 10+id))
				m.Run(time.Second)
			}
			for _, r := range responses(m, p) {
				if r.Code.String() != tt.want {
					t.Errorf("answer %v, want %s", r.Code, tt.want)
				}
			}
			if len(responses(m, p)) != 2 {
				t.Errorf("%d answers", len(responses(m, p)))
			}
			want := before
			if tt.servers {
				want++
			}
			if got := must2(n.Leader()).DataVersion; got != want || (serversOf(n, cafe) != nil) != tt.servers {
				t.Errorf("version %d, want %d; servers %v", got, want, serversOf(n, cafe))
			}
		})
	}
}

// TestThread5_18_Refused: a host whose offer has no place hears of it, and what was there stays.
func TestThread5_18_Refused(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	leader, n := m.Nodes[0], m.Nodes[1]
	for i := range 3 {
		if err := leader.AddService(thread.Service{Enterprise: 1, Data: []byte{byte(i)}, ServerData: make([]byte, 55), Stable: true}); err != nil {
			t.Fatal(err)
		}
	}
	register(m, leader)
	for { // what happened before
		if _, ok := n.PollEvent(); !ok {
			break
		}
	}
	for i := range 3 {
		if err := n.AddPrefix(borderRouter(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(i)}), 64), 0)); err != nil {
			t.Fatal(err)
		}
	}
	data := leader.NetworkData()
	register(m, n)
	m.Run(5 * time.Second)
	refused := false
	for ev, ok := n.PollEvent(); ok; ev, ok = n.PollEvent() {
		refused = refused || ev.Type == thread.EventRegistrationRefused
	}
	if !refused || n.Registered() || n.Counters().RegistrationsRefused != 1 || leader.Counters().RegistrationsRefused != 1 {
		t.Errorf("refused %v\n%s", refused, m)
	}
	if !slices.Equal(leader.NetworkData(), data) {
		t.Errorf("%x, was %x", leader.NetworkData(), data)
	}
	// Once there is a place it is taken, without another word of the host's.
	if err := leader.RemoveService(1, []byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := leader.RemoveService(1, []byte{1}); err != nil {
		t.Fatal(err)
	}
	register(m, leader)
	m.Until(6*time.Minute, "taken", n.Registered)
}

// TestThread5_18_Retries: a leader that does not answer is asked again, with pauses that grow.
func TestThread5_18_Retries(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Nodes[1]
	m.Sim.SetLink(n.Antenna, m.Nodes[0].Antenna, -1000)
	offer(t, m, n, borderRouter(cafe, 0))
	m.Run(30 * time.Second)
	m.Sim.SetLink(n.Antenna, m.Nodes[0].Antenna, -60)
	m.Until(3*time.Minute, "registered", func() bool { return n.Registered() && allHave(m, cafe) })
}

// TestThread5_18_Service: a service is reached by its anycast locator, at the nearest server.
func TestThread5_18_Service(t *testing.T) {
	m := steady(t, ideal(), 4, stock)
	first, last := m.Nodes[0], m.Nodes[3]
	for _, n := range []*meshtest.Node{first, last} {
		if err := n.AddService(thread.Service{Enterprise: 123, Data: []byte("foo"), ServerData: []byte("bar"), Stable: true}); err != nil {
			t.Fatal(err)
		}
		register(m, n)
	}
	aloc := rlocAddr(mle.ALOCServiceFirst)
	m.Until(5*time.Second, "two servers", func() bool {
		return in(first, netip.PrefixFrom(aloc, 128)).IsValid() && in(last, netip.PrefixFrom(aloc, 128)).IsValid()
	})
	m.Run(time.Second)
	for i, n := range m.Nodes[1:3] {
		n.Send(udp(n, aloc, fmt.Sprint(i)))
		m.Run(time.Second)
	}
	for i, n := range []*meshtest.Node{first, last} {
		if got, _ := received(n); !slices.Equal(got, []string{fmt.Sprint(i)}) {
			t.Errorf("server %d has %v", i, got)
		}
	}
	if err := last.RemoveService(123, []byte("foo")); err != nil {
		t.Fatal(err)
	}
	register(m, last)
	m.Run(3 * time.Second)
	if _, ok := last.Ping(aloc, 8, 2*time.Second); !ok || in(last, netip.PrefixFrom(aloc, 128)).IsValid() {
		t.Error("the other server does not answer")
	}
}

// TestThread5_18_Partition: in another partition a node does not withdraw what stands under the locator that it had in the first.
func TestThread5_18_Partition(t *testing.T) {
	m := meshtest.New(t, ideal())
	config := func(partition uint32) func(*thread.Config) {
		return func(c *thread.Config) { stock(c); c.PartitionID = partition }
	}
	a, b := m.Add(1, lorasim.Position{}, config(2)), m.Add(1, lorasim.Position{}, config(1))
	m.Sim.CutLink(a.Antenna, b.Antenna)
	for _, n := range m.Nodes {
		n.Start()
		m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
		offer(t, m, n, borderRouter(cafe, 0))
	}
	m.Run(5 * time.Second)
	m.Sim.SetLink(a.Antenna, b.Antenna, -60)
	m.Until(5*time.Minute, "one mesh, two servers", func() bool {
		want := []mle.RLOC16{a.RLOC16(), b.RLOC16()}
		slices.Sort(want)
		return m.OneMesh() && b.Role() == thread.RoleRouter && slices.Equal(serversOf(a, cafe), want) && slices.Equal(serversOf(b, cafe), want)
	})
}

// TestThread5_2_DHCPv6: where a prefix says so, nodes of all kinds get their addresses from its border router, which has one, too.
func TestThread5_2_DHCPv6(t *testing.T) {
	m := family(t)
	p := borderRouter(cafe, 0)
	p.Flags = p.Flags&^netdata.FlagSLAAC | netdata.FlagDHCP
	br := m.Nodes[1]
	offer(t, m, br, p)
	m.Until(20*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	m.Run(2 * time.Second)
	for _, n := range m.Nodes {
		want := ip6.WithInterfaceID(cafe, ip6.InterfaceIDOf(meshtest.LinkLocal(n.ExtAddr())))
		if got := in(n, cafe); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		if _, ok := m.Nodes[0].Ping(in(n, cafe), 8, 3*time.Second); !ok {
			t.Errorf("%v is not reached", in(n, cafe))
		}
	}
	withdraw(t, m, br, cafe)
	m.Until(10*time.Second, "no addresses", func() bool { return noneHas(m, cafe) })
}

// forwarded returns the payloads of the datagrams that leave the mesh by a node.
func forwarded(n *meshtest.Node) (payloads []string) {
	for d, ok := n.PollForward(); ok; d, ok = n.PollForward() {
		payloads = append(payloads, string(d.Payload[ip6.UDPHeaderSize:]))
	}
	return payloads
}

// TestThread5_10_WayOut: a datagram for outside leaves by the border router that is preferred, of equals by the nearest, and by another one when
// that is gone. What comes back reaches who has sent it, from each kind of node.
func TestThread5_10_WayOut(t *testing.T) {
	m := family(t)
	near, far := m.Nodes[1], m.Nodes[0] // as seen from the children
	for _, n := range []*meshtest.Node{near, far} {
		offer(t, m, n, borderRouter(cafe, 0))
	}
	m.Until(10*time.Second, "two border routers", func() bool { return allHave(m, cafe) && len(serversOf(m.Nodes[2], cafe)) == 2 })
	m.Run(5 * time.Second)
	try := func(what string, want *meshtest.Node, senders ...int) {
		t.Helper()
		for _, i := range senders {
			n := m.Nodes[i]
			n.Send(udp(n, outside, what))
			m.Run(time.Second)
			for _, br := range []*meshtest.Node{near, far} {
				got := forwarded(br)
				if (br == want) != slices.Equal(got, []string{what}) || br != want && len(got) > 0 {
					t.Errorf("%s: from node %d to %v: %q", what, i+1, br.RLOC16(), got)
				}
			}
		}
	}
	try("near", near, 1, 2, 3, 4)
	try("its own", far, 0)
	offer(t, m, far, borderRouter(cafe, 1))
	m.Run(5 * time.Second)
	try("preferred", far, 0, 1, 2, 3, 4)

	// The way in.
	for i, n := range m.Nodes {
		packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 60, Src: outside, Dst: in(n, cafe)}, 53, 1234, []byte("answer")))
		if err := near.HandleForward(m.Sim.Now(), packet); err != nil {
			t.Fatal(i, err)
		}
		near.Antenna.Touch()
		m.Run(3 * time.Second)
		if got, _ := received(n); !slices.Equal(got, []string{"answer"}) {
			t.Errorf("node %d: %q", i+1, got)
		}
	}

	withdraw(t, m, far, cafe)
	m.Run(5 * time.Second)
	try("the last", near, 0, 1, 2, 3, 4)

	// None is left: the host hears of it at once, or by an error.
	withdraw(t, m, near, cafe)
	m.Run(5 * time.Second)
	for i, n := range m.Nodes {
		err := n.HandlePacket(m.Sim.Now(), udp(n, outside, "nowhere"))
		n.Antenna.Touch()
		m.Run(2 * time.Second)
		_, other := received(n)
		if n.Mode().Has(mle.ModeFullThreadDevice) != errors.Is(err, thread.ErrNoRoute) || err == nil && other != 1 {
			t.Errorf("node %d: %v, %d ICMPv6 errors", i+1, err, other)
		}
	}
}

// TestThread5_10_LostBorderRouter: traffic moves when a border router is out of reach, before its entry is gone.
func TestThread5_10_LostBorderRouter(t *testing.T) {
	m := meshtest.New(t, ideal())
	for range 3 {
		m.Add(1, lorasim.Position{}, stock)
	}
	m.StartOneByOne()
	n, a, b := m.Nodes[0], m.Nodes[1], m.Nodes[2]
	offer(t, m, a, borderRouter(cafe, 1))
	offer(t, m, b, borderRouter(cafe, 0))
	m.Until(10*time.Second, "two border routers", func() bool { return allHave(m, cafe) && len(serversOf(n, cafe)) == 2 })
	n.Send(udp(n, outside, "1"))
	m.Run(time.Second)
	if got := forwarded(a); !slices.Equal(got, []string{"1"}) {
		t.Fatalf("%q", got)
	}
	a.PowerOff()
	m.Until(2*time.Minute, "the other one", func() bool {
		_ = n.HandlePacket(m.Sim.Now(), udp(n, outside, "2")) // those to the lost one wait, and fill the queue
		n.Antenna.Touch()
		return len(forwarded(b)) > 0
	})
	m.Until(6*time.Minute, "the entry is gone", func() bool { return slices.Equal(serversOf(n, cafe), []mle.RLOC16{b.RLOC16()}) })
}

// TestHandleForwardRefuses: nothing of the mesh comes from outside, and nothing from outside goes where it has no business.
func TestHandleForwardRefuses(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Nodes[1]
	offer(t, m, n, borderRouter(cafe, 0))
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	to := in(m.Nodes[0], cafe)
	for _, tt := range []struct {
		name     string
		src, dst netip.Addr
		hops     uint8
		want     error
	}{
		{"right", outside, to, 64, nil},
		{"a source in the mesh", in(n, cafe), to, 64, thread.ErrPacket},
		{"a mesh-local source", n.MeshLocalEID(), to, 64, thread.ErrPacket},
		{"a link-local source", netip.MustParseAddr("fe80::1"), to, 64, thread.ErrPacket},
		{"no source", netip.IPv6Unspecified(), to, 64, thread.ErrPacket},
		{"this host", netip.IPv6Loopback(), to, 64, thread.ErrPacket},
		{"a mesh-local destination", outside, m.Nodes[0].MeshLocalEID(), 64, thread.ErrNoRoute},
		{"a destination outside", outside, netip.MustParseAddr("2600::1"), 64, thread.ErrNoRoute},
		{"a group", outside, netip.MustParseAddr("ff03::1"), 64, thread.ErrNoRoute},
		{"no hop left", outside, to, 1, thread.ErrPacket},
	} {
		packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: tt.hops, Src: tt.src, Dst: tt.dst}, 53, 1234, []byte("x")))
		if err := n.HandleForward(m.Sim.Now(), packet); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := n.HandleForward(m.Sim.Now(), []byte("x")); !errors.Is(err, thread.ErrPacket) {
		t.Error(err)
	}
	if err := n.HandleForward(m.Sim.Now(), make([]byte, 1281)); !errors.Is(err, thread.ErrTooLong) {
		t.Error(err)
	}
	n.Stop()
	if err := n.HandleForward(m.Sim.Now(), []byte("x")); !errors.Is(err, thread.ErrDisabled) {
		t.Error(err)
	}
}

// TestThread5_6_Duplicate: of an Address Error a node gives up the address that another has, and takes another one in its place if it has it by
// itself.
func TestThread5_6_Duplicate(t *testing.T) {
	m := family(t)
	offer(t, m, m.Nodes[0], borderRouter(cafe, 0))
	m.Until(5*time.Second, "addresses", func() bool { return allHave(m, cafe) })
	m.Run(5 * time.Second)
	added := netip.MustParseAddr("2001:cafe:cafe:cafe::1234")
	for i, n := range m.Nodes[1:] {
		taken := in(n, cafe)
		if err := n.Console().AddAddress(added); err != nil {
			t.Fatal(err)
		}
		n.Antenna.Touch()
		m.Run(time.Second)
		before := n.Addresses()
		for _, own := range []netip.Addr{n.MeshLocalEID(), taken, added} {
			payload := tmf.AppendMLEID(tmf.AppendTargetEID(nil, own), ip6.InterfaceID{9})
			c := coap.Message{Type: coap.NonConfirmable, Code: coap.POST, MessageID: uint16(i), Options: must(coap.Options(nil).AppendURIPath(tmf.URIAddressError)), Payload: payload}
			packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: m.Nodes[0].MeshLocalEID(), Dst: n.MeshLocalEID()}, tmf.UDPPort, tmf.UDPPort, must(c.AppendBinary(nil))))
			m.Nodes[0].Send(packet)
			m.Run(2 * time.Second)
			if slices.Contains(n.Addresses(), own) {
				t.Errorf("node %d still has %v", i+2, own)
			}
		}
		if got := len(n.Addresses()); got != len(before)-1 {
			t.Errorf("node %d: %v, had %v", i+2, n.Addresses(), before)
		}
		for _, a := range []netip.Addr{n.MeshLocalEID(), in(n, cafe)} {
			if slices.Contains(before, a) {
				t.Errorf("node %d has %v", i+2, a)
			}
			if _, ok := m.Nodes[0].Ping(a, 8, 5*time.Second); !ok {
				t.Errorf("node %d is not reached by its new address %v", i+2, a)
			}
		}
	}
}
