package thread_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// TestPrefixOnLoRa: on LoRa a prefix reaches 16 nodes of a 4 × 4 grid within 60 s, wherever the border router stands, and each sends to the
// outside by it. At SF10, where so much air goes by in a minute, one of them may have missed it, which happens in one try of 300: it hears of it by
// a later Advertisement.
func TestPrefixOnLoRa(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			m, unit := gridOnLoRa(t, sf)
			for _, i := range []int{0, 5, 15} {
				n := m.Nodes[i]
				start := m.Sim.Now()
				offer(t, m, n, borderRouter(cafe, 0))
				m.Sim.RunUntil(func() bool { return allHave(m, cafe) }, time.Minute)
				late := 0
				for _, x := range m.Nodes {
					if !in(x, cafe).IsValid() {
						late++
					}
				}
				if late > 1 || late > 0 && sf == lora.SF7 {
					t.Errorf("node %d: %d nodes have no address after a minute\n%s", i+1, late, m)
				}
				m.Until(5*time.Minute, "addresses", func() bool { return allHave(m, cafe) })
				t.Logf("node %d, %v: all have an address after %v", i+1, n.Role(), m.Sim.Now().Sub(start))
				m.Run(6 * unit)
				out := 0
				for _, from := range m.Nodes {
					for range 8 { // a LoRa mesh loses datagrams
						from.Send(udp(from, outside, "x"))
						m.Run(unit * 3 / 2)
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
				m.Until(12*unit, "no addresses", func() bool { return noneHas(m, cafe) })
				m.Run(6 * unit)
			}
		})
	}
}

// gridOnLoRa is one mesh of 16 nodes in a square, each of which hears those next to it well. The unit is a time that is long for its airtimes: 10 s
// at SF7.
func gridOnLoRa(t *testing.T, sf lora.SpreadingFactor) (m *meshtest.Mesh, unit time.Duration) {
	t.Helper()
	spacing := map[lora.SpreadingFactor]float64{lora.SF7: 400, lora.SF10: 550}[sf] // meters
	cfg := lora.Config{SpreadingFactor: sf}
	timing := thread.TimingFor(cfg.Airtime)
	m = meshtest.New(t, lorasim.Options{Seed: 4, Config: cfg})
	for i := range 16 {
		m.Add(4, lorasim.Position{X: float64(i%4) * spacing, Y: float64(i/4) * spacing}, func(c *thread.Config) { c.Timing = timing })
	}
	unit = timing.LinkRequest
	m.StartEach(unit / 2)
	m.Until(360*unit, "one mesh", m.OneMesh)
	m.Run(60 * unit)
	return m, unit
}

// TestSleepyBorderRouterOnLoRa: a node that sleeps and polls every 30 s behind a parent two hops from a border router sends 50 bytes to an
// address outside the mesh and has the answer within seconds; and what comes from outside by itself with its next poll.
func TestSleepyBorderRouterOnLoRa(t *testing.T) {
	for _, sf := range []lora.SpreadingFactor{lora.SF7, lora.SF10} {
		t.Run(fmt.Sprint(sf), func(t *testing.T) {
			m, child := sleepyOnLoRa(t, sf, 3, 1)
			br, airtime := m.Nodes[0], child.Antenna.Config().Airtime(127)
			start := m.Sim.Now()
			offer(t, m, br, borderRouter(cafe, 0))
			m.Until(time.Minute+30*airtime, "addresses", func() bool { return allHave(m, cafe) })
			t.Logf("all have an address after %v", m.Sim.Now().Sub(start))
			limit := time.Minute + 50*airtime
			question, answer := strings.Repeat("question", 7)[:50], strings.Repeat("answer", 9)[:50]
			in := in(child, cafe)
			back := func(payload string) {
				packet := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 60, Src: outside, Dst: in}, 5678, 1234, []byte(payload)))
				if err := br.HandleForward(m.Sim.Now(), packet); err != nil {
					t.Fatal(err)
				}
				br.Antenna.Touch()
			}
			arrived := func(payload string) (time.Duration, bool) {
				sent, got := m.Sim.Now(), []string(nil)
				ok := m.Sim.RunUntil(func() bool { got, _ = received(child); return len(got) > 0 }, limit)
				return m.Sim.Now().Sub(sent), ok && slices.Equal(got, []string{payload})
			}
			var out, pushed []time.Duration
			lost := 0
			for range 40 {
				sent := m.Sim.Now()
				child.ExpectAnswer(sent, 0)
				child.Send(udp(child, outside, question))
				ok := m.Sim.RunUntil(func() bool { return slices.Equal(forwarded(br), []string{question}) }, limit)
				if ok {
					back(answer)
					_, ok = arrived(answer)
				}
				if !ok {
					lost++
				}
				out = append(out, m.Sim.Now().Sub(sent))
				m.Run(20 * time.Second)
				back("news")
				took, ok := arrived("news")
				if !ok {
					lost++
				}
				pushed = append(pushed, took)
				m.Run(47 * time.Second)
			}
			slices.Sort(out)
			slices.Sort(pushed)
			t.Logf("airtime of the longest frame %v; out and back: median %v, longest %v; from outside: median %v, longest %v; %d of 80 lost",
				airtime, out[20], out[39], pushed[20], pushed[39], lost)
			if lost > 4 || out[20] > 24*airtime || pushed[20] > 30*time.Second+20*airtime {
				t.Errorf("too slow, or too many lost\n%s", m)
			}
		})
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
