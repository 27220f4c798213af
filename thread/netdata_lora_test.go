package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// TestPrefixOnLoRa: on LoRa at SF7 a prefix reaches 16 nodes of a 4 × 4 grid within 60 s, wherever the border router stands, and each sends
// to the outside by it.
func TestPrefixOnLoRa(t *testing.T) {
	const spacing = 400 // meters: next to each other they hear each other well
	m := meshtest.New(t, lorasim.Options{Seed: 4})
	for i := range 16 {
		m.Add(4, lorasim.Position{X: float64(i%4) * spacing, Y: float64(i/4) * spacing}, nil)
	}
	m.StartEach(5 * time.Second)
	m.Until(time.Hour, "one mesh", m.OneMesh)
	m.Run(10 * time.Minute)
	for _, i := range []int{0, 5, 15} {
		n := m.Nodes[i]
		start := m.Sim.Now()
		offer(t, m, n, borderRouter(cafe, 0))
		m.Until(time.Minute, "addresses", func() bool { return allHave(m, cafe) })
		t.Logf("node %d, %v: all have an address after %v", i+1, n.Role(), m.Sim.Now().Sub(start))
		m.Run(time.Minute)
		out := 0
		for _, from := range m.Nodes {
			for range 8 { // a LoRa mesh loses datagrams
				from.Send(udp(from, outside, "x"))
				m.Run(15 * time.Second)
				if len(forwarded(n)) > 0 {
					out++
					break
				}
			}
		}
		if out != 16 {
			t.Errorf("node %d: %d of 16 reach the outside\n%s", i+1, out, m)
		}
		withdraw(t, m, n, cafe)
		m.Until(2*time.Minute, "no addresses", func() bool { return noneHas(m, cafe) })
		m.Run(time.Minute)
	}
}

// TestServerDataFlood: a member that registers a prefix and takes it back, each two seconds, does not keep all others talking of it; what it says last
// reaches them soon (Thread 1.1 §5.18).
func TestServerDataFlood(t *testing.T) {
	m, p := pair(t, 7)
	leader, router := m.Nodes[0], m.Nodes[1]
	if leader.Role() != thread.RoleLeader {
		leader, router = router, leader
	}
	p.Deaf = false
	p.Attach(leader, thread.ModeFullThreadDevice, time.Hour)
	entry := must(netdata.BorderRouter{RLOC16: p.RLOC16, Flags: pymeshFlags}.AppendBinary(nil))
	sub := must(netdata.TLV{Type: netdata.TypeBorderRouter, Stable: true, Value: entry}.AppendBinary(nil))
	value := must(netdata.Prefix{Prefix: cafe, SubTLVs: sub}.AppendBinary(nil))
	prefix := must(netdata.TLV{Type: netdata.TypePrefix, Stable: true, Value: value}.AppendBinary(nil))
	before := len(p.Find(mle.DataResponse, leader.ExtAddr()))
	first := must2(leader.Leader()).DataVersion
	const changes = 301
	for i := range uint16(changes) {
		payload := tmf.AppendThreadNetworkData(nil, prefix)
		if i%2 == 1 {
			payload = tmf.AppendThreadNetworkData(nil, nil)
		}
		p.SendDatagram(shortAddress(leader.RLOC16()), tmfRequest(p, tmf.URIServerData, payload, coap.Confirmable, 100+i))
		m.Run(2 * time.Second)
	}
	if got := must2(leader.Leader()).DataVersion - first; got != changes%256 {
		t.Errorf("%d changes", got)
	}
	if got := len(p.Find(mle.DataResponse, leader.ExtAddr())) - before; got > 80 {
		t.Errorf("%d announcements of %d changes", got, changes)
	}
	m.Until(time.Minute, "the last change", func() bool {
		return must2(router.Leader()).DataVersion == must2(leader.Leader()).DataVersion && len(serversOf(router, cafe)) == 1
	})
}
