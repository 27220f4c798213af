package thread_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

func sleepy(c *thread.Config) {
	stock(c)
	c.Mode, c.PollPeriod = thread.ModeSleepyEndDevice, 400*time.Millisecond
}

// allIn reports whether all nodes of a mesh have the network n.
func allIn(m *meshtest.Mesh, n thread.Network) bool {
	for _, node := range m.Nodes {
		if node.Network() != n {
			return false
		}
	}
	return true
}

// watchRoles has the test fail if a node detaches.
func watchRoles(t *testing.T, m *meshtest.Mesh) {
	m.Watch = func() {
		for i, n := range m.Nodes {
			if n.Role() < thread.RoleChild {
				m.Watch = nil
				t.Errorf("node %d is %v at %v", i+1, n.Role(), m.Sim.Now())
				return
			}
		}
	}
}

// TestRekey_LoRaChain: the last of eight nodes in a row on LoRa gives the mesh another key. Nobody is lost, nor detached for a moment, and all
// hear each other as before.
func TestRekey_LoRaChain(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			cfg := lora.Config{SpreadingFactor: sf, Bandwidth: lora.BW125}
			timing := thread.TimingFor(cfg.Airtime)
			unit := timing.LinkRequest // 10 s at SF7
			m := meshtest.Chain(t, lorasim.Options{Seed: 2, Config: cfg}, 8, func(c *thread.Config) { c.Timing = timing })
			for _, n := range m.Nodes {
				n.Start()
				m.Until(60*unit, "a place", func() bool { return n.Role() >= thread.RoleChild })
			}
			m.Until(60*unit, "one mesh", m.OneMesh)
			m.Run(40 * unit)
			watchRoles(t, m)
			last := m.Nodes[7]
			want := last.Network()
			want.Key, want.Name = [16]byte{0xaa, 0xbb}, "another"
			start := m.Sim.Now()
			if err := last.ChangeNetwork(start, want, 0); err != nil {
				t.Fatal(err)
			}
			last.Antenna.Touch()
			m.Until(5*timing.NetworkIDTimeout, "all have the new key", func() bool { return allIn(m, want) })
			t.Logf("all have the new key after %v", m.Sim.Now().Sub(start).Round(time.Second))
			m.Run(30 * unit)
			if !m.OneMesh() {
				t.Fatalf("not one mesh any more\n%s", m)
			}
			for _, n := range m.Nodes[:7] {
				n.Reach(last.MeshLocalEID(), 8, 60*unit)
			}
		})
	}
}

// TestRekey_EachParameter: key, PAN ID, channel, prefix and name change across a running mesh, and back, and nobody is lost (Thread 1.1 §8.4.3).
// That recordings of the time under the first key are no news when it comes back, TestRekey of package neighbors says.
func TestRekey_EachParameter(t *testing.T) {
	changes := []struct {
		name   string
		change func(*thread.Network)
	}{
		{"name", func(n *thread.Network) { n.Name = "other" }},
		{"PSKc", func(n *thread.Network) { n.PSKc = meshcop.Key{7} }},
		{"key", func(n *thread.Network) { n.Key = [16]byte{1, 2, 3} }},
		{"PAN ID", func(n *thread.Network) { n.PANID = 0xabcd }},
		{"channel", func(n *thread.Network) { n.Channel = 20 }},
		{"prefix", func(n *thread.Network) { n.MeshLocalPrefix = netip.MustParsePrefix("fd00:db9::/64") }},
		{"all", func(n *thread.Network) { *n = otherNetwork }},
		{"the first key", func(n *thread.Network) { n.Key = meshtest.NetworkKey }},
	}
	m := meshtest.Chain(t, ideal(), 3, stock)
	m.Add(1, lorasim.Position{X: 3}, endDevice)
	m.Add(1, lorasim.Position{X: 3}, minimal)
	for i, n := range m.Nodes {
		n.Start()
		m.Until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild && (i >= 3 || n.Role() >= thread.RoleRouter) })
	}
	m.Run(time.Minute)
	watchRoles(t, m)
	for i, tt := range changes {
		asker := m.Nodes[i%len(m.Nodes)]
		want := asker.Network()
		tt.change(&want)
		if err := asker.ChangeNetwork(m.Sim.Now(), want, 40*time.Second); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		asker.Antenna.Touch()
		m.Until(6*time.Minute, tt.name, func() bool { return allIn(m, want) })
		m.Run(time.Minute)
		if !m.OneMesh() {
			t.Fatalf("%s: not one mesh\n%s", tt.name, m)
		}
		pingAll(t, m, time.Second)
	}
}

// TestRekey_Sleepy: nodes that sleep, and poll several times or just once while a change of the key is due, change with the others, and stay attached.
func TestRekey_Sleepy(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	for _, period := range []time.Duration{400 * time.Millisecond, 20 * time.Second, 0} { // the last as seldom as the child timeout allows
		n := m.Add(1, lorasim.Position{X: 2}, func(c *thread.Config) { sleepy(c); c.PollPeriod = period })
		n.Start()
		m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	}
	m.Run(5 * time.Minute)
	watchRoles(t, m)
	for i, want := range []thread.Network{otherNetwork, m.Nodes[0].Network()} {
		if err := m.Nodes[i+1].ChangeNetwork(m.Sim.Now(), want, 40*time.Second); err != nil {
			t.Fatal(err)
		}
		m.Nodes[i+1].Antenna.Touch()
		m.Until(15*time.Minute, "all have changed", func() bool { return allIn(m, want) })
		m.Run(15 * time.Minute) // some polls of each
		if !m.OneMesh() || m.Count(thread.RoleChild) != 3 {
			t.Fatalf("not one mesh\n%s", m)
		}
		for _, n := range m.Nodes[2:4] {
			m.Nodes[0].Reach(n.MeshLocalEID(), 8, 30*time.Second)
			n.ExpectAnswer(m.Sim.Now(), 0)
			n.Reach(m.Nodes[0].MeshLocalEID(), 8, 30*time.Second)
		}
	}
}

// TestRekey_SleepyOnLoRa: a node that sleeps and polls every 30 s behind two hops of LoRa is not lost by a change of the key.
func TestRekey_SleepyOnLoRa(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			m, child := sleepyOnLoRa(t, sf, 3, 1)
			watchRoles(t, m)
			want := child.Network()
			want.Key = [16]byte{0xaa, 0xbb}
			if err := m.Nodes[0].ChangeNetwork(m.Sim.Now(), want, 0); err != nil {
				t.Fatal(err)
			}
			m.Nodes[0].Antenna.Touch()
			m.Until(5*m.Nodes[0].Config.Timing.NetworkIDTimeout, "all have the new key", func() bool { return allIn(m, want) })
			m.Run(10 * time.Minute)
			if !m.OneMesh() || child.Role() != thread.RoleChild || len(childrenOf(m.Nodes[2])) != 1 {
				t.Fatalf("no child any more\n%s", m)
			}
			answered := false
			for range 4 { // a LoRa mesh loses datagrams
				_, ok := m.Nodes[0].Ping(child.MeshLocalEID(), 50, 2*time.Minute)
				answered = answered || ok
			}
			if !answered {
				t.Errorf("the child does not answer\n%s", m)
			}
		})
	}
}

// TestRekey_Away: a node that heard of the change and was off when it came finds the others by what it has stored; one that heard nothing of
// another PAN ID finds them by their Announces, as a full Thread device, as a minimal one and as one that sleeps.
func TestRekey_Away(t *testing.T) {
	for name, change := range map[string]func(*thread.Config){"router": stock, "minimal": minimal, "sleepy": sleepy} {
		for _, heard := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, heard of it %v", name, heard), func(t *testing.T) {
				m := steady(t, ideal(), 2, stock)
				n := m.Add(1, lorasim.Position{X: 2}, change)
				n.Start()
				m.Until(5*time.Minute, "attached", func() bool { return n.Role() >= thread.RoleChild })
				m.Run(5 * time.Minute)
				off := func() {
					n.Flush()
					n.PowerOff()
					m.Nodes = m.Nodes[:2]
				}
				if !heard {
					off()
				}
				want := m.Nodes[0].Network()
				want.PANID = 0xabcd
				if heard {
					want.Key = [16]byte{9}
				}
				if err := m.Nodes[0].ChangeNetwork(m.Sim.Now(), want, time.Minute); err != nil {
					t.Fatal(err)
				}
				m.Nodes[0].Antenna.Touch()
				m.Run(10 * time.Second)
				if heard {
					off()
				}
				m.Run(10 * time.Minute)
				if !allIn(m, want) {
					t.Fatalf("the others are in %+v", m.Nodes[1].Network())
				}
				m.Nodes = append(m.Nodes, n)
				n.Restart()
				m.Until(20*time.Minute, "back", func() bool { return allIn(m, want) && m.OneMesh() })
				m.Run(time.Minute)
				pingAll(t, m, time.Second)
			})
		}
	}
}

// TestRekey_Restart: after a change by the dataset a restarted node has the new network, although its configuration says the old one; under
// another configuration it has that.
func TestRekey_Restart(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	want := otherNetwork
	if err := m.Nodes[1].ChangeNetwork(m.Sim.Now(), want, 0); err != nil {
		t.Fatal(err)
	}
	m.Nodes[1].Antenna.Touch()
	m.Until(10*time.Minute, "changed", func() bool { return allIn(m, want) })
	m.Run(time.Second)
	n := m.Nodes[1]
	n.Flush()
	n.Restart()
	if n.Network() != want {
		t.Errorf("%+v", n.Network())
	}
	m.Until(5*time.Minute, "one mesh", m.OneMesh)
	pingAll(t, m, time.Second)

	c := n.Config
	c.NetworkKey = [16]byte{5}
	c.Rand = meshtest.Rand(9, 9)
	if got := must(thread.New(c)).Network(); got.Key != c.NetworkKey || got.PANID != thread.DefaultPANID {
		t.Errorf("configured anew: %+v", got)
	}
}

// TestRekey_Refused: what the leader does not take, and what makes no sense, is told.
func TestRekey_Refused(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	n := m.Nodes[1]
	want := n.Network()
	want.Key[0]++
	for name, bad := range map[string]func(*thread.Network){
		"name": func(n *thread.Network) { n.Name = "seventeencharacte" }, "PAN ID": func(n *thread.Network) { n.PANID = 0xffff },
	} {
		w := want
		bad(&w)
		if err := n.ChangeNetwork(m.Sim.Now(), w, 0); !errors.Is(err, thread.ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.ChangeNetwork(m.Sim.Now(), n.Network(), 0); err != nil {
		t.Errorf("no change: %v", err)
	}
	m.Nodes[0].PowerOff()
	for {
		if _, ok := n.PollEvent(); !ok {
			break
		}
	}
	if err := n.ChangeNetwork(m.Sim.Now(), want, 0); err != nil {
		t.Fatal(err)
	}
	n.Antenna.Touch()
	m.Run(100 * time.Second)
	refused := false
	for {
		ev, ok := n.PollEvent()
		if !ok {
			break
		}
		refused = refused || ev.Type == thread.EventNetworkRefused
	}
	if !refused {
		t.Error("nobody answers, and nobody is told")
	}
	n.Stop()
	if err := n.ChangeNetwork(m.Sim.Now(), want, 0); !errors.Is(err, thread.ErrDetached) {
		t.Errorf("stopped: %v", err)
	}
}

// TestSecurityPolicy: the rotation time of the dataset is how long key sequences last, on all nodes (Thread 1.1 §8.10.1.15).
func TestSecurityPolicy(t *testing.T) {
	m := steady(t, ideal(), 2, stock)
	d, _ := m.Nodes[0].Console().Dataset(false)
	d.ActiveTimestamp.Seconds, d.SecurityPolicy.RotationTime = 1, 2*time.Hour
	if err := m.Nodes[0].Console().SetDataset(m.Sim.Now(), false, d); err != nil {
		t.Fatal(err)
	}
	m.Nodes[0].Antenna.Touch()
	m.Run(time.Minute)
	for i, n := range m.Nodes {
		if k := n.Console().Keys; k.Life != 2*time.Hour || k.Guard >= k.Life {
			t.Errorf("node %d: %v, guard %v", i+1, k.Life, k.Guard)
		}
	}
	m.Run(5 * time.Hour)
	if s := sequences(m); s[0] != 2 || s[1] != 2 {
		t.Errorf("sequences %v", s)
	}
	pingAll(t, m, time.Second)
}

// TestCommissioner: a node of the mesh becomes the commissioner, is found by its anycast locator, gives signs of life, hears of changes that it
// has not made, and resigns; a second one has to wait (Thread 1.1 §8.7.1, §8.7.2).
func TestCommissioner(t *testing.T) {
	m := steady(t, ideal(), 3, stock)
	leader, a, b := m.Nodes[0], m.Nodes[1], m.Nodes[2]
	start := func(n *meshtest.Node) {
		t.Helper()
		if err := n.Console().StartCommissioner(m.Sim.Now()); err != nil {
			t.Fatal(err)
		}
		n.Antenna.Touch()
		m.Run(2 * time.Second)
	}
	aloc := func(n *meshtest.Node) netip.Addr {
		for _, addr := range n.Addresses() {
			if rloc, ok := mle.LocatorOf(addr); ok && rloc >= mle.ALOCCommissionerFirst && rloc <= mle.ALOCCommissionerLast {
				return addr
			}
		}
		return netip.Addr{}
	}
	start(a)
	start(b)
	if !aloc(a).IsValid() || aloc(b).IsValid() {
		t.Fatalf("locators %v, %v", aloc(a), aloc(b))
	}
	for _, n := range []*meshtest.Node{leader, b} {
		if _, ok := n.Ping(aloc(a), 8, time.Second); !ok {
			t.Error("it is not found by its locator")
		}
	}
	m.Run(5 * time.Minute)
	if !aloc(a).IsValid() {
		t.Error("its signs of life are not enough")
	}
	a.PowerOff()
	m.Nodes = []*meshtest.Node{leader, b}
	m.Run(time.Minute)
	if data := leader.Console().NetworkData.CommissioningData(); len(data) != 4 {
		t.Errorf("silent, and still in the data: %x", data)
	}
}

// TestThread11_8_7_Answers: what the leader answers to a commissioner's requests, and to those of nobody.
func TestThread11_8_7_Answers(t *testing.T) {
	accept, reject := string(meshcop.AppendState(nil, meshcop.StateAccept)), string(meshcop.AppendState(nil, meshcop.StateReject))
	for _, tt := range []struct {
		name, uri string
		payload   []byte
		want      string
	}{
		{"petition without a name", tmf.URILeaderPetition, nil, reject},
		{"keep-alive of nobody", tmf.URILeaderKeepAlive, meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, 1), 77), reject},
		{"commissioning data of nobody", tmf.URICommissionerSet, []byte{8, 1, 0xff, 11, 2, 0xab, 0xcd}, reject},
		{"active dataset without timestamp", tmf.URIActiveSet, []byte{3, 1, 'x'}, reject},
		{"active dataset", tmf.URIActiveSet, []byte{14, 8, 0, 0, 0, 0, 0, 1, 0, 0, 3, 1, 'x'}, accept},
		{"pending dataset without delay", tmf.URIPendingSet, []byte{14, 8, 0, 0, 0, 0, 0, 1, 0, 0, 51, 8, 0, 0, 0, 0, 0, 1, 0, 0, 3, 1, 'x'}, reject},
		{"name", tmf.URIActiveGet, []byte{13, 1, 3}, "\x03\x0aOpenThread"},
		{"pending dataset, there is none", tmf.URIPendingGet, nil, ""},
		{"session", tmf.URICommissionerGet, []byte{13, 1, 11}, "\x0b\x02\x00\x01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, nil)
			p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
			c := coap.Message{Code: coap.POST, MessageID: 7, Payload: tt.payload, Options: must(coap.Options(nil).AppendURIPath(tt.uri))}
			h := ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: rlocAddr(mle.ALOCLeader)}
			p.SendDatagram(shortAddress(n.RLOC16()), must(ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, must(c.AppendBinary(nil)))))
			m.Run(time.Second)
			got := responses(m, p)
			if len(got) != 1 || got[0].Code != coap.Changed || string(got[0].Payload) != tt.want {
				t.Errorf("%+v, want %x", got, tt.want)
			}
		})
	}
}
