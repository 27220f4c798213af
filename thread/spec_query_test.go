package thread_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Address query, Thread 1.1 §5.4.2. Held elsewhere:
//
//   - who answers, with what: TestInterop09AddressQuery, TestAddressQuery; two owners of an address: TestDuplicateAddress
//   - what becomes of an address that is asked for: package resolver

// addressQuery is an Address Query of a peer, which may give itself out for another one.
func addressQuery(from, target netip.Addr, id uint16) []byte {
	m := coap.Message{
		Type: coap.NonConfirmable, Code: coap.POST, MessageID: id,
		Options: must(coap.Options(nil).AppendURIPath(tmf.URIAddressQuery)), Payload: tmf.AppendTargetEID(nil, target),
	}
	return must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: from, Dst: rlocAddr(mle.ALOCLeader)}, tmf.UDPPort, tmf.UDPPort,
		must(m.AppendBinary(nil))))
}

// notifications counts the Address Notifications that a peer has heard, and the times that they were sent again.
func notifications(m *meshtest.Mesh, p *meshtest.Peer) (different, repeated int) {
	seen := map[string]bool{}
	for _, psdu := range p.Frames {
		d, ok := openDatagram(m, psdu)
		if !ok {
			continue
		}
		if c, ok := tmfMessage(d); ok && c.Options.URIPath() == tmf.URIAddressNotify {
			if key := fmt.Sprint(d.Dst, c.MessageID); seen[key] {
				repeated++
			} else {
				seen[key] = true
				different++
			}
		}
	}
	return different, repeated
}

// TestAddressQuery_Flood: an answer that is under way is not given a second time, and those to one node, and to all, are bounded.
func TestAddressQuery_Flood(t *testing.T) {
	others := func(i int) netip.Addr { return rlocAddr(mle.RLOC16(0xf000 + i)) } // known to nobody: the answers are not acknowledged
	for _, tt := range []struct {
		name     string
		askers   int
		targets  int
		interval time.Duration
		most     int // different answers within a minute
	}{
		{"one query again and again", 1, 1, 0, 1},
		{"one query again and again, of a Pymesh node", 1, 1, 4 * time.Second, 1},
		{"one asker, many addresses", 1, 5, 0, 5},
		{"many askers", 100, 5, 0, 32},
		{"many askers, of a Pymesh node", 100, 5, 4 * time.Second, 32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, func(c *thread.Config) { c.Timing.AddressNotifyInterval = tt.interval })
			p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
			targets := []netip.Addr{n.MeshLocalEID()}
			for i := range tt.targets - 1 {
				a := netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1))
				if err := n.Console().AddAddress(a); err != nil {
					t.Fatal(err)
				}
				targets = append(targets, a)
			}
			for i := range 50 * 60 {
				from := rlocAddr(p.RLOC16)
				if tt.askers > 1 {
					from = others(i % tt.askers)
				}
				p.SendDatagram(shortAddress(n.RLOC16()), addressQuery(from, targets[i%tt.targets], uint16(i)))
				m.Run(20 * time.Millisecond)
			}
			got, again := notifications(m, p)
			if tt.askers == 1 && got != tt.most || got > tt.most || again > 6*got { // four times by CoAP, and by the MAC
				t.Errorf("%d answers, sent again %d times; want %d at most", got, again, tt.most)
			}
			if refused := n.Counters().TMFRefused; refused < 50*60-2*32 {
				t.Errorf("%d refused", refused)
			}
			// All is as before once they have been given up.
			m.Run(2 * time.Minute)
			p.Frames = nil
			p.SendDatagram(shortAddress(n.RLOC16()), addressQuery(rlocAddr(p.RLOC16), targets[0], 9999))
			m.Run(time.Second)
			if got, _ := notifications(m, p); got != 1 {
				t.Errorf("%d answers afterwards", got)
			}
		})
	}
}

// TestAddressQuery_Rate: who acknowledges is answered as often as an honest node asks.
func TestAddressQuery_Rate(t *testing.T) {
	m := meshtest.New(t, ideal())
	n, a := m.Add(1, lorasim.Position{}, func(c *thread.Config) { stock(c); c.Timing.AddressNotifyInterval = 4 * time.Second }),
		m.Add(1, lorasim.Position{X: 1}, stock)
	m.StartOneByOne()
	m.Until(time.Minute, "one mesh", m.OneMesh)
	p := m.AddPeer(9, lorasim.Position{})
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	leader := m.Nodes[0]
	for i := range 50 * 60 {
		p.SendDatagram(shortAddress(leader.RLOC16()), addressQuery(rlocAddr(a.RLOC16()), leader.MeshLocalEID(), uint16(i)))
		m.Run(20 * time.Millisecond)
	}
	if got, _ := notifications(m, p); got != 8+15 && got != 8+14 {
		t.Errorf("%d answers within a minute, want a burst of 8 and one each 4 s", got)
	}
}
