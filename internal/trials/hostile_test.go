package trials

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// What an honest mesh may lose to somebody without the key.
const (
	outsiderDuty = 0.02             // share of the air that the intruder has, unless an attack says otherwise
	lostPings    = 0.05             // share of the pings that may be lost, beyond those that are lost without the intruder
	dutyCycle    = 36 * time.Second // an hour, 1 %
	moreAirtime  = 25               // percent more than without the intruder, for a mesh that is at its limit by itself
	maxCoAP      = 64               // management requests without an answer, in a node

	warmUp       = 45 * time.Minute // until the attack begins
	attackTime   = 4 * time.Hour
	pingInterval = 4 * time.Minute // so rare that a mesh without an intruder stays within its duty cycle
	pingLimit    = 25 * time.Second
	recoverLimit = 5 * time.Minute   // all is well after the attack
	backLimit    = 100 * time.Second // for a node that has lost its store to be heard again
	// What jamming alone does, once in a while: a router that misses enough of its neighbors' frames looks for a parent.
	lostRoles  = 4
	splitLimit = 30 * time.Second
	awayLimit  = 2 * time.Minute
)

// An attack is what an intruder does.
type attack struct {
	name  string
	every time.Duration
	// prepare may record what the mesh never hears, and returns what is done again and again.
	prepare func(a *arena) func()
	duty    float64 // in a row; outsiderDuty if zero. In a field more than that is jamming, whatever is sent.
	weak    bool    // the intruder arrives at -123 dBm
}

// arena is a mesh with an intruder next to it.
type arena struct {
	*meshtest.Mesh
	tb   testing.TB
	x    *meshtest.Intruder
	rand *rand.Rand
}

// attacks are what somebody can do who has a recorder, a transmitter and no key.
var attacks = []attack{
	{name: "nothing", every: time.Hour, prepare: func(*arena) func() { return func() {} }},

	// Recordings that want an answer.
	{name: "one Parent Request", every: 10 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordParentRequest(1))
	}},
	{name: "one Child Update Request", every: 10 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordChildUpdateRequest(1))
	}},
	{name: "two recordings in turn", every: 6 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordParentRequest(1), a.recordParentRequest(2))
	}},
	{name: "twelve recordings in turn", every: 6 * time.Second, prepare: func(a *arena) func() {
		var frames [][]byte
		for i := range 6 {
			frames = append(frames, a.recordParentRequest(2*i), a.recordChildUpdateRequest(2*i+1))
		}
		return a.replayInTurn(frames...)
	}},

	// Recordings that tell of what is no more.
	{name: "old Advertisements", every: 15 * time.Second, prepare: func(a *arena) func() {
		// The router ID sequence counts on every 10 s and is compared in 8 bits: what is half a circle old looks new.
		return a.replay(func(r meshtest.Recording) bool {
			age := a.Sim.Now().Sub(r.At)
			return age > 21*time.Minute && age < 43*time.Minute && isMLE(r.PSDU, mle.Advertisement)
		})
	}},
	{name: "Advertisement of a partition that is gone", every: 20 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordAdvertisement())
	}},

	{name: "Advertisements of a partition that is gone, each new", every: 30 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordMany(1, 240, func(p *meshtest.Peer, _ int) { p.SendMLE(ip6.LinkLocalAllNodes, goneAdvertisement(p)) })...)
	}},
	{name: "Parent Requests, each new", every: 6 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordMany(80, 10, func(p *meshtest.Peer, i int) {
			p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(byte(i)), mle.ScanRouters))
		})...)
	}},
	{name: "Announces of where nobody is", every: 20 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.recordMany(3, 4, func(p *meshtest.Peer, i int) {
			b := mle.AppendChannel(mle.AppendCommand(nil, mle.Announce), mle.Channel{Number: 12})
			b = mle.AppendTLV(b, mle.TLVActiveTimestamp, []byte{0, 0, 0, 0, 0, 9, byte(i), 0})
			p.SendMLE(ip6.LinkLocalAllNodes, mle.AppendPANID(b, 0x1000+ieee802154.PANID(p.ExtAddr[7])))
		})...)
	}},

	// Forgeries.
	{name: "weak frames in the name of a neighbor", every: 500 * time.Millisecond, duty: 1, weak: true, prepare: func(a *arena) func() {
		return func() {
			n := a.anyNode()
			f := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, Seq: uint8(a.rand.Uint32()),
				DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID,
				Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr), Src: ieee802154.ExtAddress(n.ExtAddr()), Payload: make([]byte, 4),
			}
			a.transmit(&f)
		}
	}},
	{name: "weak acknowledgements", every: 500 * time.Millisecond, duty: 1, weak: true, prepare: func(a *arena) func() {
		return func() { a.x.Transmit(ieee802154.AppendAck(nil, uint8(a.rand.Uint32()), false)) }
	}},
	{name: "frames that want an acknowledgement", every: 1500 * time.Millisecond, duty: 1, prepare: func(a *arena) func() {
		return func() {
			f := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, Seq: uint8(a.rand.Uint32()), AckRequest: true,
				DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID,
				Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(a.Nodes[1].RLOC16())), Src: ieee802154.ShortAddress(0x1234),
			}
			a.transmit(&f)
		}
	}},
	{name: "polls in the name of neighbors", every: 1500 * time.Millisecond, duty: 1, prepare: func(a *arena) func() {
		return func() {
			n := a.anyNode()
			f := ieee802154.Frame{
				Type: ieee802154.Command, Command: ieee802154.DataRequest, Version: ieee802154.Version2006, PANIDCompression: true,
				Seq: uint8(a.rand.Uint32()), AckRequest: true, DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID,
				Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(a.Nodes[1].RLOC16())), Src: ieee802154.ShortAddress(ieee802154.ShortAddr(n.RLOC16())),
			}
			if a.rand.IntN(2) == 0 {
				f.Src = ieee802154.ExtAddress(n.ExtAddr())
			}
			a.transmit(&f)
		}
	}},
	{name: "frames under any key index, far ahead", every: 2 * time.Second, prepare: func(a *arena) func() {
		return func() {
			n := a.anyNode()
			f := ieee802154.Frame{
				Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, Seq: uint8(a.rand.Uint32()),
				DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID, Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr),
				Src: ieee802154.ShortAddress(ieee802154.ShortAddr(n.RLOC16())), Payload: make([]byte, 20),
				Security: ieee802154.SecurityHeader{
					Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, KeyIndex: uint8(1 + a.rand.IntN(128)), FrameCounter: math.MaxUint32 - 1,
				},
			}
			if b, err := f.AppendSealed(nil, otherKey, n.ExtAddr()); err == nil {
				a.x.Transmit(b)
			}
		}
	}},
	{name: "fragments of datagrams that never end", every: 2 * time.Second, prepare: func(a *arena) func() {
		return func() {
			payload := make([]byte, 40)
			payload[0], payload[1] = 0xe4, 0xd0 // a later fragment, of 1232 bytes (RFC 4944 §5.3)
			payload[2], payload[3], payload[4] = byte(a.rand.Uint32()), byte(a.rand.Uint32()), byte(1+a.rand.IntN(100))
			a.anybodySends(payload)
		}
	}},
	{name: "mesh headers without security", every: 2 * time.Second, prepare: func(a *arena) func() {
		return func() {
			h := lowpan.MeshHeader{
				HopsLeft: 14, Src: ieee802154.ShortAddress(ieee802154.ShortAddr(a.anyNode().RLOC16())),
				Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(a.anyNode().RLOC16())),
			}
			if b, err := h.AppendBinary(nil); err == nil {
				a.anybodySends(append(b, make([]byte, 30)...))
			}
		}
	}},
	{name: "unsecured Advertisements", every: 10 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.record(func(p *meshtest.Peer) {
			p.SendSealedMLE(ip6.LinkLocalAllNodes, append([]byte{255}, goneAdvertisement(p)...)) // security suite 255 is none
		}))
	}},
	{name: "Beacon Requests", every: time.Second, prepare: func(a *arena) func() {
		return func() {
			a.transmit(&ieee802154.Frame{
				Type: ieee802154.Command, Command: ieee802154.BeaconRequest, Seq: uint8(a.rand.Uint32()),
				DstPAN: ieee802154.BroadcastPAN, Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr),
			})
		}
	}},
	{name: "Discovery Requests", every: 2 * time.Second, prepare: func(a *arena) func() {
		return a.replayInTurn(a.record(func(p *meshtest.Peer) {
			// Security suite 255 is none, command 16 a Discovery Request, TLV 26 what it asks.
			p.SendSealedMLE(ip6.LinkLocalAllRouters, []byte{255, 16, 26, 4, 128, 2, 0x20, 0})
		}))
	}},

	// Everything at random, as much as the duty allows.
	{name: "replays of everything", every: time.Second, prepare: func(a *arena) func() {
		return a.replay(func(meshtest.Recording) bool { return true })
	}},
	{name: "echoes of what was just heard", every: time.Second, prepare: func(a *arena) func() {
		return func() { a.x.Transmit(a.x.Tape[len(a.x.Tape)-1].PSDU) }
	}},
	{name: "cut and bent frames", every: time.Second, prepare: func(a *arena) func() {
		return func() { a.x.Transmit(a.bend(a.x.Tape[a.rand.IntN(len(a.x.Tape))].PSDU)) }
	}},
	{name: "noise", every: time.Second, prepare: func(a *arena) func() {
		return func() {
			b := make([]byte, 1+a.rand.IntN(127))
			for i := range b {
				b[i] = byte(a.rand.Uint32())
			}
			a.x.Transmit(b)
		}
	}},
}

// init adds an attack for each kind of MLE message that a mesh sends in its life.
func init() {
	for _, c := range []mle.Command{
		mle.LinkRequest, mle.LinkAccept, mle.LinkAcceptAndRequest, mle.ParentRequest, mle.ParentResponse, mle.ChildIDRequest,
		mle.ChildIDResponse, mle.ChildUpdateRequest, mle.ChildUpdateResponse, mle.Advertisement, mle.DataRequest, mle.DataResponse,
	} {
		attacks = append(attacks, attack{
			name: fmt.Sprintf("replays of each %v", c), every: time.Second,
			prepare: func(a *arena) func() {
				return a.replay(func(r meshtest.Recording) bool { return isMLE(r.PSDU, c) })
			},
		})
	}
}

// isMLE reports whether a frame is a whole MLE message of a command. Somebody without the key tells them by their lengths and times.
func isMLE(psdu []byte, c mle.Command) bool {
	h, err := meshtest.OpenMLE(psdu)
	return err == nil && h.Command == c
}

// replayInTurn sends one frame after the other, and begins again.
func (a *arena) replayInTurn(frames ...[]byte) func() {
	next := 0
	return func() {
		if a.x.Transmit(frames[next%len(frames)]) {
			next++
		}
	}
}

// replay sends at random one of the recordings that are chosen. The choice is made anew every five minutes: recordings come, and grow old.
func (a *arena) replay(chosen func(meshtest.Recording) bool) func() {
	var stock [][]byte
	var fresh time.Time
	return func() {
		if now := a.Sim.Now(); now.Sub(fresh) > 5*time.Minute {
			fresh, stock = now, stock[:0]
			for _, r := range a.x.Tape {
				if chosen(r) {
					stock = append(stock, r.PSDU)
				}
			}
		}
		if len(stock) > 0 {
			a.x.Transmit(stock[a.rand.IntN(len(stock))])
		}
	}
}

// record lets a member that only the intruder hears send one frame, and returns that: it was recorded elsewhere, or long ago.
func (a *arena) record(send func(p *meshtest.Peer)) []byte {
	p := a.AddPeer(900+len(a.x.Tape), lorasim.Position{})
	for _, n := range a.Nodes {
		a.Sim.CutLink(p.Antenna, n.Antenna)
	}
	a.Sim.SetLink(p.Antenna, a.x.Antenna, -60)
	defer p.Antenna.SetStation(nil)
	for range 20 { // the intruder may be listening to somebody else
		before := len(a.x.Tape)
		send(p)
		a.Run(3 * time.Second)
		for _, r := range a.x.Tape[before:] {
			if f, err := ieee802154.ParseFrame(r.PSDU); err == nil && f.Src == ieee802154.ExtAddress(p.ExtAddr) {
				return r.PSDU
			}
		}
	}
	a.tb.Fatal("no recording")
	return nil
}

func (a *arena) recordParentRequest(challenge int) []byte {
	return a.record(func(p *meshtest.Peer) {
		p.SendMLE(ip6.LinkLocalAllRouters, meshtest.ParentRequest(meshtest.Challenge(byte(challenge)), mle.ScanRouters))
	})
}

// recordChildUpdateRequest records what a child that is gone once asked one of the nodes.
func (a *arena) recordChildUpdateRequest(challenge int) []byte {
	return a.record(func(p *meshtest.Peer) {
		n := a.Nodes[challenge%len(a.Nodes)]
		b := mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeMinimalEndDevice)
		b = mle.AppendChallenge(b, meshtest.Challenge(byte(challenge)))
		b = mle.AppendAddressRegistration(b, mle.AddressEntry{ContextID: 0, IID: [8]byte(p.ExtAddr)})
		p.SendMLE(meshtest.LinkLocal(n.ExtAddr()), b)
	})
}

// recordAdvertisement records an Advertisement of a partition of two routers that would absorb this mesh, and is gone.
func (a *arena) recordAdvertisement() []byte {
	return a.record(func(p *meshtest.Peer) { p.SendMLE(ip6.LinkLocalAllNodes, goneAdvertisement(p)) })
}

func goneAdvertisement(p *meshtest.Peer) []byte {
	p.RLOC16 = 0x5800
	route := mle.Route64{IDSequence: 1, Routers: mle.RouterIDSet(0).Add(22).Add(23)}
	route.Routes[22].Cost, route.Routes[23].Cost = 1, 1
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), p.RLOC16)
	b = mle.AppendLeaderData(b, mle.LeaderData{PartitionID: 0xfffffff0, Weighting: 64, LeaderRouterID: 22})
	return mle.AppendRoute64(b, route)
}

// recordMany records count messages of each of some members, as record does, in their order.
func (a *arena) recordMany(members, count int, send func(p *meshtest.Peer, i int)) (frames [][]byte) {
	peers := make([]*meshtest.Peer, members)
	for i := range peers {
		peers[i] = a.AddPeer(2000+len(a.x.Tape)+i, lorasim.Position{})
		for _, n := range a.Nodes {
			a.Sim.CutLink(peers[i].Antenna, n.Antenna)
		}
		a.Sim.SetLink(peers[i].Antenna, a.x.Antenna, -60)
	}
	for i := range count {
		for _, p := range peers {
			send(p, i)
			a.Run(time.Second / 2)
		}
	}
	for _, r := range a.x.Tape {
		if f, err := ieee802154.ParseFrame(r.PSDU); err == nil && slices.ContainsFunc(peers, func(p *meshtest.Peer) bool { return f.Src == ieee802154.ExtAddress(p.ExtAddr) }) {
			frames = append(frames, r.PSDU)
		}
	}
	for _, p := range peers {
		p.Antenna.SetStation(nil)
	}
	return frames
}

// anybodySends sends an unsecured frame in the name of one node to another one.
func (a *arena) anybodySends(payload []byte) {
	a.transmit(&ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, Seq: uint8(a.rand.Uint32()),
		DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID, Payload: payload,
		Dst: ieee802154.ShortAddress(ieee802154.ShortAddr(a.anyNode().RLOC16())), Src: ieee802154.ExtAddress(a.anyNode().ExtAddr()),
	})
}

// otherKey is a key that the mesh does not have.
var otherKey = ieee802154.NewCCM([16]byte{1, 2, 3})

// anyNode returns one of the nodes.
func (a *arena) anyNode() *meshtest.Node { return a.Nodes[a.rand.IntN(len(a.Nodes))] }

func (a *arena) transmit(f *ieee802154.Frame) {
	if b, err := f.AppendBinary(nil); err == nil {
		a.x.Transmit(b)
	}
}

// bend returns a copy of a frame with one to four bits flipped, or without its end.
func (a *arena) bend(psdu []byte) []byte {
	b := append([]byte(nil), psdu...)
	if a.rand.IntN(2) == 0 {
		return b[:1+a.rand.IntN(len(b))]
	}
	for range 1 + a.rand.IntN(4) {
		b[a.rand.IntN(len(b))] ^= 1 << a.rand.IntN(8)
	}
	return b
}

// An outcome is what became of a mesh during an attack.
type outcome struct {
	pings, replies int
	split          time.Duration // for which there was more than one partition
	away           time.Duration // for which a node was in none, added up over the nodes
	lost           int           // times that a router or the leader was one no more
	airtime        time.Duration // what the busiest node sent in an hour of the attack
	duty           float64       // what the intruder sent
	queued, coap   int           // the most that waited in a node
	back           time.Duration // until a node that lost its store was heard again, while the attack went on
	recovered      time.Duration // until all was well after the attack
}

// play lets an intruder do its worst next to a mesh, which is the same in all else for the same seed.
func play(t *testing.T, s site, seed uint64, k attack) outcome {
	t.Helper()
	m := s.build(t, seed)
	begin := m.Sim.Now()
	a := &arena{Mesh: m, tb: t, x: m.AddIntruder(s.intruder), rand: rand.New(rand.NewPCG(seed, 2))}
	for _, n := range m.Nodes {
		if m.Sim.RSSI(n.Antenna, a.x.Antenna) > -90 {
			m.Sim.SetLinkFrom(n.Antenna, a.x.Antenna, -90) // weak enough for it to talk while others do
		}
		if k.weak {
			m.Sim.SetLinkFrom(a.x.Antenna, n.Antenna, -123)
		}
	}
	settle(m)
	step := k.prepare(a)
	m.Run(warmUp - m.Sim.Now().Sub(begin))

	a.x.Duty = outsiderDuty
	if s.sparse {
		a.x.Duty = cmp.Or(k.duty, outsiderDuty)
	}
	a.x.Every(k.every, step)
	o := a.measure()
	last := m.Nodes[len(m.Nodes)-1]
	wipe(last)
	o.back = heard(m, last, 10*time.Minute)
	a.x.Rest()
	start := m.Sim.Now()
	m.Until(20*time.Minute, "one mesh after the attack", m.OneMesh)
	for i, n := range m.Nodes {
		heardWithin(m, n, a.partner(i).MeshLocalEID(), 20*time.Minute)
	}
	o.recovered = m.Sim.Now().Sub(start)
	return o
}

// partner returns whom the node with an index pings.
func (a *arena) partner(i int) *meshtest.Node { return a.Nodes[(i+len(a.Nodes)/2)%len(a.Nodes)] }

// measure lets attackTime pass, in which the nodes in turn ping their partners.
func (a *arena) measure() outcome {
	var o outcome
	w := a.watch(&o)
	start, sent := a.Sim.Now(), a.x.Antenna.Stats().Airtime
	before := make([]time.Duration, len(a.Nodes))
	for i, n := range a.Nodes {
		before[i] = n.Antenna.Stats().Airtime
	}
	for o.pings < int(attackTime/pingInterval) {
		i := o.pings % len(a.Nodes)
		_, ok := ask(a.Mesh, a.Nodes[i], a.partner(i).MeshLocalEID(), uint16(o.pings), pingLimit)
		o.pings++
		if ok {
			o.replies++
		}
		a.Run(start.Add(time.Duration(o.pings) * pingInterval).Sub(a.Sim.Now()))
	}
	w.over = true
	for i, n := range a.Nodes {
		o.airtime = max(o.airtime, (n.Antenna.Stats().Airtime-before[i])/time.Duration(attackTime/time.Hour))
	}
	o.duty = float64(a.x.Antenna.Stats().Airtime-sent) / float64(a.Sim.Now().Sub(start))
	return o
}

// A watcher looks at the nodes each second.
type watcher struct {
	*arena
	o     *outcome
	roles []thread.Role
	over  bool
}

func (a *arena) watch(o *outcome) *watcher {
	w := &watcher{arena: a, o: o}
	for _, n := range a.Nodes {
		w.roles = append(w.roles, n.Role())
	}
	w.look()
	return w
}

func (w *watcher) look() {
	if w.over {
		return
	}
	o := w.o
	partitions := map[uint32]bool{}
	for i, n := range w.Nodes {
		if l, ok := n.Leader(); ok {
			partitions[l.PartitionID] = true
		} else {
			o.away += time.Second
		}
		if w.roles[i] >= thread.RoleRouter && n.Role() < thread.RoleRouter {
			o.lost++
		}
		w.roles[i] = n.Role()
		q := n.Console().Queues()
		o.queued, o.coap = max(o.queued, q.Len()), max(o.coap, q.CoAP)
	}
	if len(partitions) > 1 {
		o.split += time.Second
	}
	w.Sim.After(time.Second, w.look)
}

// check holds an outcome against that of the same mesh and seed without an intruder.
func (o outcome) check(t *testing.T, calm outcome) {
	t.Helper()
	// So few pings tell their share with an error: two standard deviations are allowed for that.
	expected := lostPings * float64(o.pings)
	if allowed := int(expected + 2*math.Sqrt(expected)); o.replies < calm.replies-allowed {
		t.Errorf("%d of %d pings, without the intruder %d: more than %d lost", o.replies, o.pings, calm.replies, allowed)
	}
	if o.split > calm.split+splitLimit {
		t.Errorf("more than one partition for %v", o.split)
	}
	if o.away > calm.away+awayLimit {
		t.Errorf("nodes detached for %v", o.away)
	}
	if o.lost > calm.lost+lostRoles {
		t.Errorf("%d times a router lost its role", o.lost)
	}
	if limit := max(dutyCycle, calm.airtime*(100+moreAirtime)/100); o.airtime > limit {
		t.Errorf("a node sent for %v in an hour, without the intruder %v, its duty cycle allows %v",
			o.airtime.Round(time.Millisecond), calm.airtime.Round(time.Millisecond), dutyCycle)
	}
	if o.coap > maxCoAP {
		t.Errorf("%d management requests pending in a node", o.coap)
	}
	if o.back > max(backLimit, calm.back+time.Minute) {
		t.Errorf("a node that lost its store was heard after %v, without the intruder after %v",
			o.back.Round(time.Second), calm.back.Round(time.Second))
	}
	if o.recovered > max(recoverLimit, calm.recovered+time.Minute) {
		t.Errorf("all well %v after the attack", o.recovered.Round(time.Second))
	}
}

// TestHostileAir lets each attack go on for hours next to small meshes, with PYMESH_HOSTILE=1 next to more and larger ones.
func TestHostileAir(t *testing.T) {
	// In these fields noise for 2 % of the time takes no node from its place: what an attack does beyond that is its own.
	sites, seeds := []site{row("row of 4", 4), field("field of 6", 6)}, []uint64{3}
	if os.Getenv("PYMESH_HOSTILE") != "" {
		sites = append(sites, row("row of 3", 3), field("field of 9", 9), field("field of 16", 16))
		seeds = append(seeds, 4, 8)
	}
	for _, s := range sites {
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("%s, seed %d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				hostileAir(t, s, seed)
			})
		}
	}
}

func hostileAir(t *testing.T, s site, seed uint64) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "attack\tpings\tsplit\taway\troles lost\tairtime/h\tintruder\tqueued\tCoAP\tback\trecovered")
	var calm outcome
	for i, k := range attacks {
		if i > 0 && !strings.Contains(k.name, os.Getenv("PYMESH_ATTACK")) {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			o := play(t, s, seed, k)
			if i == 0 {
				calm = o
			}
			fmt.Fprintf(w, "%s\t%d/%d\t%v\t%v\t%d\t%.1fs\t%.2f%%\t%d\t%d\t%v\t%v\n", k.name, o.replies, o.pings, o.split, o.away, o.lost,
				o.airtime.Seconds(), 100*o.duty, o.queued, o.coap, o.back.Round(time.Second), o.recovered.Round(time.Second))
			o.check(t, calm)
		})
	}
	w.Flush()
	t.Logf("%v of each attack\n%s", attackTime, table.String())
}
