package thread_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Router IDs and routes, as OpenThread has them. Held elsewhere:
//
//   - how many become routers, when, and who gives up: TestUpgrade, TestUpgradeDelay, TestDowngrade
//   - a router that comes back gets its old ID: TestRouterReturns; a lost one's is free again later: TestDeadRouter, and TestRouterIDs
//     of package neighbors
//   - each case of taking over a neighbor's routes: TestUpdateRoutes of package neighbors; the cheaper way is taken, a link before an
//     equal way: TestNextHop
//   - what a row of routers advertises, and how often: TestRoute64, TestAdvertisementTrickle
//   - a loop is broken: TestBrokenLoop; none comes of changing links: TestChangingLinks
//   - the hops of a frame are counted: TestHopLimit

// TestRouterIDs_AddressSolicit: the leader gives a router ID to who has a child waiting, and to others while routers are few; to each
// node the same one again, and the one that it had if that is free.
func TestRouterIDs_AddressSolicit(t *testing.T) {
	for _, tt := range []struct {
		name      string
		threshold int // below which routers are few
		reason    tmf.Status
		wanted    mle.RouterID // InvalidRouterID for none
		granted   bool
	}{
		{"few routers", 2, tmf.ReasonTooFewRouters, mle.InvalidRouterID, true},
		{"enough routers", 1, tmf.ReasonTooFewRouters, mle.InvalidRouterID, false},
		{"a child waits", 1, tmf.ReasonHaveChildIDRequest, mle.InvalidRouterID, true},
		{"came with children", 1, tmf.ReasonParentPartitionChange, mle.InvalidRouterID, true},
		{"wants its old ID", 2, tmf.ReasonTooFewRouters, 33, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, n, p := leading(t, func(c *thread.Config) { c.RouterUpgradeThreshold = tt.threshold })
			p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
			payload := tmf.AppendStatus(tmf.AppendExtendedMACAddress(nil, p.ExtAddr), tt.reason)
			if tt.wanted.Valid() {
				payload = tmf.AppendRLOC16(payload, tt.wanted.RLOC16())
			}
			var given []mle.RLOC16
			for id := range uint16(2) {
				p.SendDatagram(shortAddress(n.RLOC16()), tmfRequest(p, tmf.URIAddressSolicit, payload, coap.Confirmable, 100+id))
				m.Run(100 * time.Millisecond)
				got := responses(m, p)
				if len(got) != int(id)+1 || got[id].Code != coap.Changed {
					t.Fatalf("answers %+v", got)
				}
				answer := tmf.Payload(got[id].Payload)
				if !tt.granted {
					if s := must(answer.Status()); s != tmf.StatusNoAddressAvailable {
						t.Errorf("%v", s)
					}
					continue
				}
				rloc, mask := must(answer.RLOC16()), must(answer.RouterMask())
				if must(answer.Status()) != tmf.StatusSuccess || mask.Routers.Len() != 2 || !mask.Routers.Contains(rloc.RouterID()) ||
					!mask.Routers.Contains(n.RLOC16().RouterID()) {
					t.Errorf("%v: %v with %v", must(answer.Status()), rloc, mask)
				}
				if tt.wanted.Valid() && rloc.RouterID() != tt.wanted {
					t.Errorf("router ID %d, wanted %d", rloc.RouterID(), tt.wanted)
				}
				given = append(given, rloc)
			}
			if tt.granted && given[0] != given[1] {
				t.Errorf("given %v", given)
			}
		})
	}
}

// TestRouterIDs_AddressRelease: the leader takes an ID back from who has it, and from nobody else.
func TestRouterIDs_AddressRelease(t *testing.T) {
	m, n, p := linked(t)
	release := func(ext ieee802154.ExtAddr, id uint16) int {
		payload := tmf.AppendRLOC16(tmf.AppendExtendedMACAddress(nil, ext), p.RLOC16)
		p.SendDatagram(shortAddress(n.RLOC16()), tmfRequest(p, tmf.URIAddressRelease, payload, coap.Confirmable, id))
		m.Run(100 * time.Millisecond)
		return len(n.Routers())
	}
	if got := release(meshtest.ExtAddr(33), 200); got != 2 {
		t.Errorf("%d routers after another's release", got)
	}
	if got := release(p.ExtAddr, 201); got != 1 {
		t.Errorf("%d routers after the release", got)
	}
}

// triangle is a leader n with a link to p, and a router far that is reached through p, if at all. Its tell sends an Advertisement of p
// with a cost to far, and says what n advertises next.
type triangle struct {
	m    *meshtest.Mesh
	n    *meshtest.Node
	p    *meshtest.Peer
	far  mle.RLOC16
	hear uint8 // quality with which p says that it hears n
}

func newTriangle(t *testing.T) *triangle {
	t.Helper()
	m, n, p := linked(t)
	q := m.AddPeer(10, lorasim.Position{})
	q.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	solicit(t, m, q, n)
	q.Antenna.SwitchOff()
	return &triangle{m, n, p, q.RLOC16, 3}
}

func (tr *triangle) tell(cost uint8) mle.Route64 {
	own := must(tr.p.Await(mle.Advertisement, tr.n.ExtAddr(), time.Minute).Route64())
	route := mle.Route64{IDSequence: own.IDSequence, Routers: own.Routers}
	route.Routes[tr.p.RLOC16.RouterID()].Cost = 1
	route.Routes[tr.n.RLOC16().RouterID()] = mle.Route{LinkQualityIn: tr.hear, LinkQualityOut: tr.hear, Cost: 1}
	route.Routes[tr.far.RouterID()].Cost = cost
	l, _ := tr.n.Leader()
	advertise(tr.p, l.LeaderData, &route)
	return must(tr.p.Await(mle.Advertisement, tr.n.ExtAddr(), time.Minute).Route64())
}

// TestRoutes_AdvertisedCost: a router advertises the cost of its best way to each other router: what the next one says and the link
// there; none where that makes 16.
func TestRoutes_AdvertisedCost(t *testing.T) {
	tr := newTriangle(t)
	for _, tt := range []struct{ hear, told, want uint8 }{
		{3, 2, 3}, {3, 1, 2}, {3, 14, 15}, {3, 15, 0}, {3, 2, 3}, {3, 0, 0},
		{2, 2, 4}, {1, 2, 6}, {1, 11, 15}, {1, 12, 0}, {0, 1, 0},
	} {
		tr.hear = tt.hear
		got := tr.tell(tt.told)
		if c := got.Routes[tr.far.RouterID()].Cost; c != tt.want {
			t.Errorf("told %d over a link of quality %d: advertises %d, want %d", tt.told, tt.hear, c, tt.want)
		}
		link := got.Routes[tr.p.RLOC16.RouterID()]
		if link.LinkQualityIn != 3 || link.LinkQualityOut != tt.hear {
			t.Errorf("advertises the link as %+v, told that it is heard with quality %d", link, tt.hear)
		}
		if got.Routes[tr.n.RLOC16().RouterID()] != (mle.Route{Cost: 1}) {
			t.Errorf("advertises itself as %+v", got.Routes[tr.n.RLOC16().RouterID()])
		}
	}
}

// TestRoutes_RouteChange: a router that has lost a route, or got one, says so within a second, however rare its Advertisements are.
func TestRoutes_RouteChange(t *testing.T) {
	tr := newTriangle(t)
	for range 10 {
		tr.tell(2)
	}
	for _, step := range []struct {
		cost    uint8
		repeats int // within 90 s without a route: the leader would take the ID back
	}{{0, 2}, {3, 10}, {0, 2}, {2, 2}} {
		tr.tell(step.cost)
		heard := tr.p.Find(mle.Advertisement, tr.n.ExtAddr())
		// The last two are the one that tell waited for and the one that came of what it said.
		if gap := heard[len(heard)-1].At.Sub(heard[len(heard)-2].At); gap > 1100*time.Millisecond {
			t.Errorf("cost %d to advertise after %v", step.cost, gap)
		}
		for range step.repeats {
			tr.tell(step.cost)
		}
		heard = tr.p.Find(mle.Advertisement, tr.n.ExtAddr())
		if gap := heard[len(heard)-1].At.Sub(heard[len(heard)-2].At); gap < 4*time.Second {
			t.Errorf("the same cost again to advertise after %v", gap)
		}
	}
}

// TestRoutes_NoRoute: a frame goes to the next hop under a mesh header while there is a route, and nowhere when there is none; who
// sent one that was to be passed on is told.
func TestRoutes_NoRoute(t *testing.T) {
	tr := newTriangle(t)
	m, n, p := tr.m, tr.n, tr.p
	to := rlocAddr(tr.far)
	passed := func(packet []byte) (frames int) {
		before := len(p.Frames)
		n.Send(packet)
		m.Run(100 * time.Millisecond)
		for _, psdu := range p.Frames[before:] {
			f, payload, ok := openFrame(m, psdu)
			if h, _, err := lowpan.ParseMeshHeader(payload); ok && err == nil && f.Dst == shortAddress(p.RLOC16) && h.Dst == shortAddress(tr.far) {
				frames++
			}
		}
		return frames
	}
	tr.tell(2)
	if got := passed(udp(n, to, "x")); got != 1 || n.Counters().IPNoRoute != 0 {
		t.Errorf("%d frames to the next hop, %+v", got, n.Counters())
	}
	tr.tell(0)
	if got := passed(udp(n, to, "x")); got != 0 || n.Counters().IPNoRoute != 1 {
		t.Errorf("%d frames without a route, %+v", got, n.Counters())
	}
	// From p, to be passed on.
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: rlocAddr(p.RLOC16), Dst: to}, 1234, 5678, []byte("x")))
	f := p.Frame(shortAddress(n.RLOC16()), nil)
	f.Src = shortAddress(p.RLOC16)
	f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
	header := lowpan.MeshHeader{HopsLeft: 5, Src: f.Src, Dst: shortAddress(tr.far)}
	var err error
	f.Payload, _, err = lowpan.Packet{Datagram: datagram, Src: header.Src, Dst: header.Dst}.AppendFrame(must(header.AppendBinary(nil)), 0, 80, contexts())
	if err != nil {
		t.Fatal(err)
	}
	before := len(p.Frames)
	p.SendFrame(f)
	m.Run(100 * time.Millisecond)
	told := 0
	for _, psdu := range p.Frames[before:] {
		if d, ok := openDatagram(m, psdu); ok && d.Dst == rlocAddr(p.RLOC16) && d.Protocol == ip6.ProtocolICMPv6 {
			if c, err := ip6.ParseICMPv6(d.Payload); err == nil && c.Type == ip6.ICMPv6DestinationUnreachable && ip6.UnreachableCode(c.Code) == ip6.UnreachableNoRoute {
				told++
			}
		}
	}
	if told != 1 || n.Counters().MeshNoRoute != 1 {
		t.Errorf("told %d times that there is no route, %+v", told, n.Counters())
	}
}

// TestRoutes_MeshHops: a mesh header leaves with as many hops as the way costs, and one to spare.
func TestRoutes_MeshHops(t *testing.T) {
	tr := newTriangle(t)
	for _, cost := range []uint8{1, 2, 7} {
		tr.tell(cost)
		before := len(tr.p.Frames)
		tr.n.Send(udp(tr.n, rlocAddr(tr.far), "x"))
		tr.m.Run(100 * time.Millisecond)
		var hops []uint8
		for _, psdu := range tr.p.Frames[before:] {
			if _, payload, ok := openFrame(tr.m, psdu); ok {
				if h, _, err := lowpan.ParseMeshHeader(payload); err == nil {
					hops = append(hops, h.HopsLeft)
				}
			}
		}
		if want := fmt.Sprint([]uint8{cost + 1 + 1}); fmt.Sprint(hops) != want {
			t.Errorf("cost %d: hops %v, want %v", cost, hops, want)
		}
	}
}
