package thread

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// The nodes around an engine under test.
var (
	fuzzRouter = ieee802154.ExtAddr{2} // a router with a link; the parent of an end device
	fuzzChild  = ieee802154.ExtAddr{3} // a minimal child
)

const (
	fuzzRouterRLOC mle.RLOC16 = 0x5800
	fuzzOwnRLOC    mle.RLOC16 = 0x8c00
	fuzzChildRLOC  mle.RLOC16 = 0x8c01
)

// fuzzRoles are the roles an engine can be in; detached it searches for a parent, its challenge and candidate known.
const fuzzRoles = 6

// newFuzzEngine returns an engine in one of the roles, with a router and a child as neighbors.
func newFuzzEngine(t testing.TB, role uint8) *Engine {
	e := newTestEngine(t)
	if err := e.Start(e.Now); err != nil {
		t.Fatal(err)
	}
	valid := func(n *neighbors.Neighbor, ext ieee802154.ExtAddr, rloc mle.RLOC16) {
		n.Ext, n.RLOC16, n.Mode, n.QualityOut = ext, rloc, ModeFullThreadDevice, 3
		n.Link.Reset(&e.scale, -50)
		n.LastHeard = e.Now
		e.neighbors.Change(n, neighbors.Valid)
	}
	partition := mle.LeaderData{PartitionID: 7, Weighting: 64, LeaderRouterID: fuzzRouterRLOC.RouterID()}
	ids := mle.RouterIDSet(0).Add(fuzzRouterRLOC.RouterID()).Add(fuzzOwnRLOC.RouterID()).Add(9)
	routers := &e.neighbors.Routers
	switch role % fuzzRoles {
	case 0, 1: // router, leader
		e.becomeDetached()
		if role%fuzzRoles == 1 {
			partition.LeaderRouterID = fuzzOwnRLOC.RouterID()
		}
		e.enterPartition(partition)
		e.neighbors.SetAssigned(ids, 1)
		routers.Get(fuzzOwnRLOC.RouterID()).Ext = e.Ext
		valid(&routers.Get(fuzzRouterRLOC.RouterID()).Neighbor, fuzzRouter, fuzzRouterRLOC)
		routers.Get(9).NextHop, routers.Get(9).Cost = fuzzRouterRLOC.RouterID(), 1
		c := e.neighbors.AddChild(fuzzChild, neighbors.ParentRequest)
		valid(&c.Neighbor, fuzzChild, fuzzChildRLOC)
		c.Mode, c.Timeout = ModeMinimalEndDevice, 4*time.Minute
		c.Addresses = []netip.Addr{netip.MustParseAddr("fdde:ad00:beef::3")}
		if role%fuzzRoles == 1 {
			e.becomeLeader(fuzzOwnRLOC.RouterID())
			e.distrib.found()
		} else {
			e.becomeRouter(fuzzOwnRLOC.RouterID())
		}
	case 2, 3: // full and minimal child
		if role%fuzzRoles == 3 {
			e.mode = ModeMinimalEndDevice
		}
		e.becomeDetached()
		e.enterPartition(partition)
		valid(&e.neighbors.Parent.Neighbor, fuzzRouter, fuzzRouterRLOC)
		if role%fuzzRoles == 2 {
			e.neighbors.SetAssigned(ids, 1)
			valid(&routers.Get(9).Neighbor, ieee802154.ExtAddr{9}, mle.RouterRLOC16(9))
		}
		e.becomeChild(fuzzRouterRLOC | 4)
	case 4: // waiting for Parent Responses
		e.attach.enter(attachStart)
		e.attach.requestParents(attachParentRequestREEDs)
		e.attach.challenge = mle.NewChallenge([8]byte{1})
	case 5: // waiting for a Child ID Response
		e.attach.enter(attachChildIDRequest)
		e.attach.timer = e.Now.Add(time.Second)
		valid(&e.neighbors.Candidate.Neighbor, fuzzRouter, fuzzRouterRLOC)
	}
	return e
}

// exercise lets time pass, sends what there is to send, and checks that everything the engine keeps has kept its bounds.
func exercise(t *testing.T, e *Engine) {
	for i := range 50 {
		if psdu, ok := e.PollTransmit(); ok {
			if f, err := ieee802154.ParseFrame(psdu); err != nil {
				t.Fatalf("sent %x: %v", psdu, err)
			} else if f.AckRequest && i%3 != 0 {
				e.HandleFrame(e.Now, ieee802154.AppendAck(nil, f.Seq, false), -50)
			}
			var err error
			if i%7 == 0 {
				err = lora.ErrChannelBusy
			}
			e.HandleTransmitDone(e.Now, err)
		}
		next, ok := e.NextTimeout()
		if !ok {
			break
		}
		if next.After(e.Now) {
			e.Now = next
		}
		e.HandleTimeout(e.Now)
	}
	for _, b := range []struct {
		what   string
		n, max int
	}{
		{"queue", e.sender.Queued(), sender.MaxQueued}, {"waiting", e.sender.Waiting(), sender.MaxWaiting},
		{"packets", len(e.ip.packets), maxPackets}, {"events", len(e.events.events), maxEvents}, {"delayed", len(e.mle.delayed), maxDelayed},
		{"reassembly", e.mesh.reassembler.Len(), reassemblies}, {"MPL", e.mpl.Len(), mplDatagrams},
	} {
		if b.n > b.max {
			t.Errorf("%s: %d, at most %d", b.what, b.n, b.max)
		}
	}
	for range 300 {
		if _, ok := e.PollPacket(); !ok {
			if _, ok := e.PollEvent(); !ok {
				break
			}
		}
	}
	e.Neighbors()
	e.Routers()
	e.Leader()
	e.Stop(e.Now)
}

// fuzzSource returns who sends: a neighbor by its short address, by its extended one, or a stranger.
func fuzzSource(from uint8) (src ieee802154.Addr, ext ieee802154.ExtAddr) {
	switch from % 4 {
	case 0:
		return neighbors.ShortAddr(fuzzRouterRLOC), fuzzRouter
	case 1:
		return ieee802154.ExtAddress(fuzzRouter), fuzzRouter
	case 2:
		return neighbors.ShortAddr(fuzzChildRLOC), fuzzChild
	default:
		return ieee802154.ExtAddress(ieee802154.ExtAddr{77}), ieee802154.ExtAddr{77}
	}
}

// sealFrame builds a secured frame around a payload.
func sealFrame(e *Engine, from, to uint8, counter uint32, payload []byte) []byte {
	src, ext := fuzzSource(from)
	dst := ieee802154.ExtAddress(e.Ext)
	switch {
	case to%3 == 1 && e.rloc != mle.InvalidRLOC16:
		dst = neighbors.ShortAddr(e.rloc)
	case to%3 == 2:
		dst = neighbors.ShortAddr(mle.BroadcastRLOC16)
	}
	f := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: !dst.IsBroadcast(), PANIDCompression: true,
		DstPAN: e.sender.PAN, SrcPAN: e.sender.PAN, Dst: dst, Src: src,
		Security: ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, KeyIndex: 1, FrameCounter: counter},
	}
	f.Payload = payload[:min(len(payload), ieee802154.MaxPSDU-f.Overhead())]
	psdu, err := f.AppendSealed(nil, ieee802154.NewCCM(keys.Derive(e.keys.NetworkKey(), 0).MAC), ext)
	if err != nil {
		return nil
	}
	return psdu
}

// FuzzHandleFrame feeds anything at all.
func FuzzHandleFrame(f *testing.F) {
	for role := range uint8(fuzzRoles) {
		e := newFuzzEngine(f, role)
		for from := range uint8(4) {
			f.Add(role, sealFrame(e, from, from, 0, []byte{0x7a, 0x33, 0x3a, 0x80}), int8(-50))
		}
	}
	f.Add(uint8(0), ieee802154.AppendAck(nil, 1, false), int8(127))
	f.Add(uint8(1), []byte{0x03, 0x08, 0x01, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0}, int8(0)) // beacon request
	f.Fuzz(func(t *testing.T, role uint8, psdu []byte, rssi int8) {
		e := newFuzzEngine(t, role)
		for range 3 {
			e.HandleFrame(e.Now, psdu, int(rssi))
		}
		exercise(t, e)
	})
}

// FuzzHandlePayload feeds 6LoWPAN payloads as a neighbor that has the key: mesh headers, fragments, compressed datagrams.
func FuzzHandlePayload(f *testing.F) {
	for role := range uint8(fuzzRoles) {
		e := newFuzzEngine(f, role)
		rloc := fuzzRouterRLOC.Addr(e.addresses.Prefix())
		for _, datagram := range fuzzDatagrams(e, rloc) {
			src, _ := fuzzSource(0)
			payload, next, err := lowpan.Packet{Datagram: datagram, Tag: 1, Src: src, Dst: neighbors.ShortAddr(e.rloc)}.AppendFrame(nil, 0, 100, &e.contexts)
			if err != nil {
				continue
			}
			f.Add(role, uint8(0), uint8(1), payload)
			f.Add(role, uint8(2), uint8(2), payload)
			header := lowpan.MeshHeader{HopsLeft: 3, Src: src, Dst: neighbors.ShortAddr(mle.RouterRLOC16(9))}
			if mesh, err := header.AppendBinary(nil); err == nil {
				f.Add(role, uint8(0), uint8(1), append(mesh, payload...))
			}
			if next < len(datagram) {
				if rest, _, err := (lowpan.Packet{Datagram: datagram, Tag: 1, Src: src, Dst: neighbors.ShortAddr(e.rloc)}).AppendFrame(nil, next, 100, &e.contexts); err == nil {
					f.Add(role, uint8(0), uint8(1), rest)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, role, from, to uint8, payload []byte) {
		e := newFuzzEngine(t, role)
		for counter := range uint32(2) {
			e.HandleFrame(e.Now, sealFrame(e, from, to, counter, payload), -50)
		}
		exercise(t, e)
	})
}

// fuzzDatagrams are datagrams that mean something to an engine.
func fuzzDatagrams(e *Engine, src netip.Addr) [][]byte {
	var all [][]byte
	add := func(b []byte, err error) {
		if err == nil {
			all = append(all, b)
		}
	}
	for _, dst := range []netip.Addr{e.addresses.EID(), e.rloc.Addr(e.addresses.Prefix()), mle.ALOCLeader.Addr(e.addresses.Prefix()), ip6.RealmLocalAllNodes,
		netip.MustParseAddr("fdde:ad00:beef::3"), netip.MustParseAddr("fdde:ad00:beef::4"), neighbors.LinkLocal(e.Ext)} {
		h := ip6.Header{HopLimit: 64, Src: src, Dst: dst}
		add(ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Data: make([]byte, 10)}))
		add(ip6.AppendUDP(nil, h, 1, 2, make([]byte, 200)))
		payload := tmf.AppendTargetEID(nil, e.addresses.EID())
		payload = tmf.AppendMLEID(payload, [8]byte{1})
		payload = tmf.AppendRLOC16(payload, 0x5800)
		payload = tmf.AppendExtendedMACAddress(payload, fuzzRouter)
		payload = tmf.AppendStatus(payload, tmf.ReasonTooFewRouters)
		for _, uri := range []string{tmf.URIAddressQuery, tmf.URIAddressNotify, tmf.URIAddressError, tmf.URIAddressSolicit, tmf.URIAddressRelease} {
			for _, typ := range []coap.Type{coap.Confirmable, coap.NonConfirmable} {
				b, err := newPost(typ, uri, payload).AppendBinary(nil)
				if err == nil {
					add(ip6.AppendUDP(nil, h, tmf.UDPPort, tmf.UDPPort, b))
				}
			}
		}
	}
	for _, b := range slices.Clone(all) {
		if d, err := ip6.ParseDatagram(b); err == nil && d.Dst.IsMulticast() {
			add(ip6.InsertMPLOption(nil, b, ip6.MPLOption{Sequence: 3}))
		}
	}
	return all
}

// FuzzHandleMLE feeds MLE messages of a node that has the key.
func FuzzHandleMLE(f *testing.F) {
	leader := mle.LeaderData{PartitionID: 7, Weighting: 64, LeaderRouterID: fuzzRouterRLOC.RouterID(), DataVersion: 3}
	route := mle.Route64{IDSequence: 9, Routers: mle.RouterIDSet(0).Add(fuzzRouterRLOC.RouterID()).Add(fuzzOwnRLOC.RouterID())}
	for c := range mle.Command(18) {
		b := mle.AppendCommand(nil, c)
		b = mle.AppendSourceAddress(b, fuzzRouterRLOC)
		b = mle.AppendLeaderData(b, leader)
		b = mle.AppendMode(b, ModeMinimalEndDevice)
		b = mle.AppendResponse(b, mle.NewChallenge([8]byte{1}))
		b = mle.AppendChallenge(b, mle.NewChallenge([8]byte{2}))
		b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, 5), 6)
		b = mle.AppendVersion(mle.AppendLinkMargin(b, 50), mle.Version1_1)
		b = mle.AppendScanMask(b, mle.ScanRouters|mle.ScanEndDevices)
		b = mle.AppendTimeout(b, time.Minute)
		b = mle.AppendConnectivity(b, mle.Connectivity{ActiveRouters: 2})
		b = mle.AppendAddress16(b, fuzzRouterRLOC|4)
		b = mle.AppendRoute64(b, route)
		b = mle.AppendTLVRequest(b, mle.TLVNetworkData, mle.TLVRoute64, mle.TLVAddress16, mle.TLVLinkMargin)
		b = mle.AppendAddressRegistration(b, mle.AddressEntry{IID: [8]byte{5}})
		b = mle.AppendTLV(b, mle.TLVNetworkData, []byte{0x08, 0x04, 0x0b, 0x02, 0x00, 0x01})
		for role := range uint8(fuzzRoles) {
			f.Add(role, uint8(1), uint8(0), uint32(0), b)
			f.Add(role, uint8(3), uint8(1), uint32(1), b)
		}
	}
	f.Fuzz(func(t *testing.T, role, from, to uint8, seq uint32, plain []byte) {
		if len(plain) == 0 || len(plain) > 1000 {
			return
		}
		e := newFuzzEngine(t, role)
		_, ext := fuzzSource(from)
		dst := []netip.Addr{neighbors.LinkLocal(e.Ext), ip6.LinkLocalAllNodes, ip6.LinkLocalAllRouters}[to%3]
		for counter := range uint32(2) {
			payload := mle.AppendSealed(nil, neighbors.LinkLocal(ext), dst, ext, keys.Sequence(seq), counter,
				ieee802154.NewCCM(keys.Derive(e.keys.NetworkKey(), keys.Sequence(seq)).MLE), plain)
			e.mle.receive(payload, neighbors.LinkLocal(ext), dst, mle.HopLimit, -50)
			e.settle()
		}
		exercise(t, e)
	})
}

// FuzzHandlePacket feeds datagrams from the host.
func FuzzHandlePacket(f *testing.F) {
	for role := range uint8(fuzzRoles) {
		e := newFuzzEngine(f, role)
		for _, b := range fuzzDatagrams(e, e.addresses.EID()) {
			f.Add(role, b)
		}
	}
	f.Fuzz(func(t *testing.T, role uint8, packet []byte) {
		e := newFuzzEngine(t, role)
		for range 70 {
			_ = e.HandlePacket(e.Now, packet)
		}
		exercise(t, e)
	})
}

// What neighbors tell of where nodes are, of the company, and of their children, is taken or dropped, whatever it is.
func FuzzCompany(f *testing.F) {
	f.Add([]byte{0x7f, 0, 3, 1}, append(make([]byte, 4), byte(fuzzRouterRLOC>>8), byte(fuzzRouterRLOC&0xff), 3),
		append([]byte{byte(fuzzRouterRLOC >> 8), 5, 1, 2, 3, 4, 5, 6, 7, 8}, 0, 0, 0, 9))
	f.Add([]byte{0x83}, make([]byte, 23), make([]byte, 15))
	f.Fuzz(func(t *testing.T, company, places, children []byte) {
		const most = 254
		if len(company) > most || len(places) > most || len(children) > most {
			return
		}
		for role := range uint8(fuzzRoles) {
			e := newFuzzEngine(t, role)
			e.timing.AdvertiseQuiet = 4 * e.timing.AdvertiseMax
			b := mle.AppendTLV(mle.AppendCommand(nil, mle.Advertisement), mle.TLVCompany, company)
			m, err := mle.ParseMessage(mle.AppendTLV(mle.AppendTLV(b, mle.TLVPlaces, places), mle.TLVChildren, children))
			if err != nil {
				t.Fatal(err)
			}
			e.quiet.hear(m, new(neighbors.Neighbor))
			e.places.hear(m, fuzzRouterRLOC)
			e.shortcuts.hear(m, fuzzRouterRLOC, mleInfo{ext: fuzzRouter})
			if n := e.neighbors.Peers.Len(); n > len(children)/childSize {
				t.Errorf("%d peers of %x", n, children)
			}
			e.quiet.pace()
			for _, append := range []func([]byte) []byte{e.places.append, e.shortcuts.append} {
				if b := append(make([]byte, 40)); len(b) > maxAdvertisement {
					t.Errorf("an Advertisement of %d bytes", len(b))
				}
			}
		}
	})
}
