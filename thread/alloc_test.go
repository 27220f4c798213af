package thread

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

var ackBuffer [ieee802154.AckSize]byte

// runFor lets the engine send all that is due within d, each frame acknowledged.
func (e *Engine) runFor(d time.Duration) {
	end := e.Now.Add(d)
	for {
		if psdu, ok := e.PollTransmit(); ok {
			wanted, seq := psdu[0]&0x20 != 0, psdu[2]
			e.HandleTransmitDone(e.Now, nil)
			if wanted {
				e.HandleFrame(e.Now, ieee802154.AppendAck(ackBuffer[:0], seq, false), -50)
			}
			continue
		}
		next, ok := e.NextTimeout()
		if !ok || next.After(end) {
			e.Now = end
			return
		}
		if next.After(e.Now) {
			e.Now = next
		}
		e.HandleTimeout(e.Now)
	}
}

// frames pre-computes n frames that build makes.
func frames(n int, build func(i int) []byte) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = build(i)
	}
	return all
}

// TestAllocations: nothing is allocated for a frame that passes through, an Advertisement that says what is known, or a frame that is not
// for this node; a datagram for the host is copied once, whether its frame has addresses or not.
func TestAllocations(t *testing.T) {
	const runs = 200
	second := func(e *Engine) { // another linked router, so that frames pass through
		r := e.neighbors.Routers.Get(9)
		known := e.neighbors.Routers.Get(fuzzRouterRLOC.RouterID())
		r.Link, r.QualityOut, r.LastHeard = known.Link, known.QualityOut, known.LastHeard
		r.Ext, r.NextHop = ieee802154.ExtAddr{9}, neighbors.NoNextHop
		e.neighbors.Change(&r.Neighbor, neighbors.Valid)
	}
	for _, tt := range []struct {
		name  string
		role  uint8
		build func(e *Engine, i int) []byte
		count func(e *Engine) uint64
		want  float64
	}{
		{
			name: "mesh frame forwarded",
			build: func(e *Engine, i int) []byte {
				src, _ := fuzzSource(0)
				header := lowpan.MeshHeader{HopsLeft: 3, Src: src, Dst: neighbors.ShortAddr(mle.RouterRLOC16(9))}
				b, _ := header.AppendBinary(nil)
				datagram, _ := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: fuzzRouterRLOC.Addr(e.addresses.Prefix()), Dst: mle.RouterRLOC16(9).Addr(e.addresses.Prefix())},
					1, 2, make([]byte, 40))
				b, _, _ = lowpan.Packet{Datagram: datagram, Src: src, Dst: header.Dst}.AppendFrame(b, 0, 90, &e.contexts)
				return sealFrame(e, 0, 1, uint32(i), b)
			},
			count: func(e *Engine) uint64 { return e.Counters().Forwarded },
		},
		{
			name: "Advertisement",
			build: func(e *Engine, i int) []byte {
				plain := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), fuzzRouterRLOC)
				leader := e.distrib.leaderData()
				plain = mle.AppendLeaderData(plain, leader)
				route := mle.Route64{IDSequence: e.neighbors.Routers.Sequence, Routers: e.neighbors.Routers.Assigned()}
				for id := range route.Routers.All() {
					route.Routes[id] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 3, Cost: 1}
				}
				plain = mle.AppendRoute64(plain, route)
				src := neighbors.LinkLocal(fuzzRouter)
				payload := mle.AppendSealed(nil, src, ip6.LinkLocalAllNodes, fuzzRouter, 0, uint32(i), ieee802154.NewCCM(keys.Derive(e.keys.NetworkKey(), 0).MLE), plain)
				datagram, _ := ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: src, Dst: ip6.LinkLocalAllNodes}, mle.UDPPort, mle.UDPPort, payload)
				f := ieee802154.Frame{Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, DstPAN: e.sender.PAN,
					Dst: neighbors.ShortAddr(mle.BroadcastRLOC16), Src: ieee802154.ExtAddress(fuzzRouter)}
				f.Payload, _, _ = lowpan.Packet{Datagram: datagram, Src: f.Src, Dst: f.Dst}.AppendFrame(nil, 0, 100, &e.contexts)
				b, _ := f.AppendBinary(nil)
				return b
			},
			count: func(e *Engine) uint64 { return e.Counters().RxMLE },
		},
		{
			name: "frame for another node",
			build: func(e *Engine, i int) []byte {
				f := ieee802154.Frame{Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, DstPAN: e.sender.PAN,
					Dst: neighbors.ShortAddr(0x1111), Src: neighbors.ShortAddr(fuzzRouterRLOC), Payload: make([]byte, 50)}
				b, _ := f.AppendBinary(nil)
				return b
			},
			count: func(e *Engine) uint64 { return e.Counters().RxOtherDestination },
		},
		{
			name: "datagram for the host",
			build: func(e *Engine, i int) []byte {
				src, _ := fuzzSource(0)
				datagram, _ := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: fuzzRouterRLOC.Addr(e.addresses.Prefix()), Dst: e.addresses.EID()}, 1, 2, make([]byte, 40))
				b, _, _ := lowpan.Packet{Datagram: datagram, Src: src, Dst: neighbors.ShortAddr(e.rloc)}.AppendFrame(nil, 0, 90, &e.contexts)
				return sealFrame(e, 0, 1, uint32(i), b)
			},
			count: func(e *Engine) uint64 { e.PollPacket(); return e.Counters().RxDatagrams },
			want:  1,
		},
		{
			name: "datagram for the host that leaves out addresses",
			build: func(e *Engine, i int) []byte {
				src, _ := fuzzSource(0)
				peer := ip6.WithInterfaceID(e.addresses.Prefix(), ip6.InterfaceID{1, 2, 3, 4})
				e.resolver.Learn(peer, fuzzRouterRLOC)
				datagram, _ := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: peer, Dst: e.addresses.EID()}, 1, 2, make([]byte, 40))
				p := lowpan.Packet{Datagram: datagram, Src: src, Dst: neighbors.ShortAddr(e.rloc), Ends: lowpan.Ends{Src: true, Dst: true}}
				b, _, _ := p.AppendFrame(nil, 0, 90, &e.contexts)
				return sealFrame(e, 0, 1, uint32(i), b)
			},
			count: func(e *Engine) uint64 { e.PollPacket(); return e.Counters().RxDatagrams },
			want:  1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newFuzzEngine(t, tt.role)
			second(e)
			e.runFor(3 * time.Second)
			e.routes.advertise.Stop()
			all := frames(2*runs, func(i int) []byte { return tt.build(e, i+1) })
			before := tt.count(e)
			i := 0
			one := func() {
				e.HandleFrame(e.Now, all[i], -50)
				tt.count(e)
				e.runFor(20 * time.Millisecond)
				i++
			}
			for range runs - 10 {
				one() // until buffers and pools have their size
			}
			if got := testing.AllocsPerRun(runs, one); got > tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
			if got := tt.count(e) - before; got != uint64(i) {
				t.Errorf("%d of %d frames counted\n%+v", got, i, e.Counters())
			}
		})
	}
}
