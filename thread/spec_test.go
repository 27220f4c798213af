package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// The files spec_*_test.go hold one engine against the standard, a test for each rule: what does it answer to what? The others are
// peers that the test plays by hand. The tests are named by the section of Thread 1.1 or of the RFC; each file begins with a
// list of the rules that tests elsewhere hold.

// leading returns a leader, and a peer that hears it at -20 dBm: 80 dB above the sensitivity.
func leading(t *testing.T, change func(*thread.Config)) (*meshtest.Mesh, *meshtest.Node, *meshtest.Peer) {
	t.Helper()
	m := meshtest.New(t, ideal())
	n := m.Add(1, lorasim.Position{}, func(c *thread.Config) {
		stock(c)
		if change != nil {
			change(c)
		}
	})
	n.Start()
	m.Until(time.Minute, "leader", func() bool { return n.Role() == thread.RoleLeader })
	p := m.AddPeer(9, lorasim.Position{})
	m.Run(2 * time.Second)
	return m, n, p
}

// solicit makes a peer that is a child of the leader a router, as far as the leader knows: it has a router ID, and no link yet.
func solicit(t *testing.T, m *meshtest.Mesh, p *meshtest.Peer, leader *meshtest.Node) {
	t.Helper()
	payload := tmf.AppendStatus(tmf.AppendExtendedMACAddress(nil, p.ExtAddr), tmf.ReasonTooFewRouters)
	before := len(responses(m, p))
	p.SendDatagram(shortAddress(leader.RLOC16()), tmfRequest(p, tmf.URIAddressSolicit, payload, coap.Confirmable, 77))
	m.Until(time.Second, "answer to Address Solicit", func() bool { return len(responses(m, p)) > before })
	p.RLOC16 = must(tmf.Payload(responses(m, p)[before].Payload).RLOC16())
}

// routing is a leader and a peer that is a router without a link to it.
func routing(t *testing.T) (*meshtest.Mesh, *meshtest.Node, *meshtest.Peer) {
	t.Helper()
	m, n, p := leading(t, nil)
	p.Attach(n, thread.ModeFullThreadDevice, time.Minute)
	solicit(t, m, p, n)
	return m, n, p
}

// linked is routing with the link established.
func linked(t *testing.T) (*meshtest.Mesh, *meshtest.Node, *meshtest.Peer) {
	t.Helper()
	m, n, p := routing(t)
	link(t, m, n, p)
	return m, n, p
}

// link establishes a link between n and a peer that is a router.
func link(t *testing.T, m *meshtest.Mesh, n *meshtest.Node, p *meshtest.Peer) {
	t.Helper()
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkRequest(p, n, meshtest.Challenge(1)))
	accept := p.Await(mle.LinkAcceptAndRequest, n.ExtAddr(), time.Second)
	p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), linkAccept(p, n, must(accept.Challenge())))
	m.Until(time.Second, "link", func() bool { return routersOf(n)[p.RLOC16].LinkEstablished })
}

// A host is a peer that plays a parent in a partition of its own.
type host struct {
	*meshtest.Peer
	leader       mle.LeaderData
	route        mle.Route64
	connectivity mle.Connectivity
	silent       bool // to Parent Requests
}

// newHost puts a host on the air that leads its partition under router ID 22.
func newHost(m *meshtest.Mesh, i int) *host {
	h := &host{Peer: m.AddPeer(i, lorasim.Position{})}
	h.RLOC16 = 0x5800
	h.leader = mle.LeaderData{PartitionID: 7, Weighting: 64, LeaderRouterID: h.RLOC16.RouterID()}
	h.route = mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(h.RLOC16.RouterID())}
	h.route.Routes[h.RLOC16.RouterID()].Cost = 1
	h.connectivity = mle.Connectivity{ActiveRouters: 1}
	h.OnMLE = h.answer
	return h
}

// answer is what a parent answers to a child.
func (h *host) answer(m meshtest.Heard) {
	to := meshtest.LinkLocal(m.ExtAddr)
	switch m.Command {
	case mle.ParentRequest:
		if !h.silent {
			h.connectivity.IDSequence = h.route.IDSequence
			h.SendMLE(to, h.ParentResponse(m, h.leader, h.connectivity, 50))
		}
	case mle.ChildIDRequest:
		h.SendMLE(to, h.childIDResponse())
	case mle.DataRequest:
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.DataResponse), h.RLOC16)
		h.SendMLE(to, mle.AppendTLV(mle.AppendLeaderData(b, h.leader), mle.TLVNetworkData, nil))
	case mle.ChildUpdateRequest:
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateResponse), h.RLOC16)
		h.SendMLE(to, mle.AppendLeaderData(mle.AppendMode(b, must(m.Mode())), h.leader))
	}
}

// childIDResponse makes somebody the child 5.
func (h *host) childIDResponse() []byte {
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), h.RLOC16)
	b = mle.AppendAddress16(mle.AppendLeaderData(b, h.leader), h.RLOC16|5)
	return mle.AppendRoute64(mle.AppendTLV(b, mle.TLVNetworkData, nil), h.route)
}

// advertise sends an Advertisement of the host.
func (h *host) advertise() { advertise(h.Peer, h.leader, &h.route) }

// advertise sends an Advertisement of a peer, without routes if route is nil.
func advertise(p *meshtest.Peer, leader mle.LeaderData, route *mle.Route64) {
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.RLOC16)
	b = mle.AppendLeaderData(b, leader)
	if route != nil {
		b = mle.AppendRoute64(b, *route)
	}
	p.SendMLE(ip6.LinkLocalAllNodes, b)
}

// linkRequest is the Link Request of a peer that is a router of n's partition.
func linkRequest(p *meshtest.Peer, n *meshtest.Node, challenge mle.Challenge) []byte {
	leader, _ := n.Leader()
	b := mle.AppendVersion(mle.AppendCommand(nil, mle.LinkRequest), mle.Version1_1)
	b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
	b = mle.AppendLeaderData(mle.AppendSourceAddress(b, p.RLOC16), leader.LeaderData)
	return mle.AppendChallenge(b, challenge)
}

// linkAccept is the peer's answer to n's request.
func linkAccept(p *meshtest.Peer, n *meshtest.Node, response mle.Challenge) []byte {
	leader, _ := n.Leader()
	b := mle.AppendVersion(mle.AppendCommand(nil, mle.LinkAccept), mle.Version1_1)
	b = mle.AppendResponse(mle.AppendSourceAddress(b, p.RLOC16), response)
	b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.MACCounter), p.MLECounter)
	return mle.AppendLeaderData(mle.AppendLinkMargin(b, 50), leader.LeaderData)
}

// without takes the TLVs of a type out of an MLE message.
func without(plain []byte, drop mle.TLVType) []byte {
	m := must(mle.ParseMessage(plain))
	b := mle.AppendCommand(nil, m.Command)
	for typ, value := range m.All() {
		if typ != drop {
			b = mle.AppendTLV(b, typ, value)
		}
	}
	return b
}

// replaced puts another value in the place of a TLV.
func replaced(plain []byte, typ mle.TLVType, value []byte) []byte {
	return mle.AppendTLV(without(plain, typ), typ, value)
}

func shortAddress(r mle.RLOC16) ieee802154.Addr {
	return ieee802154.ShortAddress(ieee802154.ShortAddr(r))
}
