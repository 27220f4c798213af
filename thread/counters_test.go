package thread

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// fates is what became of the received frames, by the MAC.
func fates(c Counters) uint64 {
	return c.RxAcks + c.RxData + c.RxCommands + c.RxBeacons + c.RxMalformed + c.RxOtherDestination + c.RxOwnSource +
		c.RxUnknownNeighbor + c.RxFiltered + c.RxSecurity + c.RxDuplicate + c.RxUnsupported
}

// drops is what the layers above the MAC dropped of what they received.
func drops(c Counters) uint64 {
	return c.LowpanMalformed + c.LowpanUnaddressed + c.ReassemblyDropped + c.MeshHopsExceeded + c.MeshNoRoute + c.MeshUnsecured + c.MeshIncomplete +
		c.IPMalformed + c.IPNotForUs + c.IPHopLimit + c.IPBadChecksum + c.IPUnsupported + c.MPLDuplicate +
		c.MLEMalformed + c.MLESecurity + c.MLEReplay + c.MLEUnknownNeighbor + c.MLEUnexpected + c.MLEUnneeded + c.TMFMalformed + c.TMFUnexpected
}

// mutate changes some bytes of a message, or its length.
func mutate(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range r.IntN(4) {
		switch {
		case len(b) == 0:
		case r.IntN(6) == 0:
			b = b[:r.IntN(len(b))]
		default:
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
	}
	return b
}

// TestCountersOfRandomFrames: each frame has one fate, and what it carries is dropped once at most.
func TestCountersOfRandomFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 0))
	for n := range 300 {
		role := uint8(n) % fuzzRoles
		e := newFuzzEngine(t, role)
		datagrams := fuzzDatagrams(e, fuzzRouterRLOC.Addr(e.addresses.Prefix()))
		for counter := range uint32(60) {
			from, to := uint8(r.Uint32()), uint8(r.Uint32())
			src, _ := fuzzSource(from)
			packet := lowpan.Packet{
				Datagram: mutate(r, datagrams[r.IntN(len(datagrams))]), Tag: uint16(r.Uint32()), Src: src, Dst: neighbors.ShortAddr(e.rloc),
			}
			payload, _, err := packet.AppendFrame(nil, 0, 80, &e.contexts)
			if err != nil {
				payload = packet.Datagram[:min(len(packet.Datagram), 80)]
			}
			if r.IntN(3) == 0 {
				header := lowpan.MeshHeader{HopsLeft: uint8(r.IntN(3)), Src: src, Dst: neighbors.ShortAddr(pick(r, e.rloc, fuzzChildRLOC, mle.RouterRLOC16(9), mle.RouterRLOC16(11)))}
				if mesh, err := header.AppendBinary(nil); err == nil {
					payload = append(mesh, payload...)
				}
			}
			psdu := sealFrame(e, from, to, counter, mutate(r, payload))
			switch r.IntN(8) {
			case 0:
				psdu = mutate(r, psdu)
			case 1: // a frame without security
				f := ieee802154.Frame{
					Type: ieee802154.FrameType(r.IntN(5)), Version: ieee802154.Version2006, PANIDCompression: true,
					DstPAN: e.sender.PAN, SrcPAN: e.sender.PAN, Dst: ieee802154.ExtAddress(e.Ext), Src: src, Payload: payload,
				}
				if b, err := f.AppendBinary(nil); err == nil {
					psdu = b
				}
			}
			before := e.Counters()
			e.HandleFrame(e.Now, psdu, -50)
			after := e.Counters()
			if after.RxFrames != before.RxFrames+1 || fates(after) != fates(before)+1 {
				t.Fatalf("role %v, frame %x: %d received, %d fates", e.role, psdu, after.RxFrames-before.RxFrames, fates(after)-fates(before))
			}
			if dropped := drops(after) - drops(before); dropped > 1 || dropped > after.RxData-before.RxData {
				t.Fatalf("role %v, frame %x: dropped %d times\n%+v\n%+v", e.role, psdu, dropped, before, after)
			}
			e.packets()
		}
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// packets fetches what waits for the host.
func (e *Engine) packets() (n int) {
	for {
		if _, ok := e.PollPacket(); !ok {
			return n
		}
		n++
	}
}

// TestDatagramsHaveOneFate: a whole datagram that goes nowhere is in exactly one drop counter, which is the one that is meant.
func TestDatagramsHaveOneFate(t *testing.T) {
	prefix := netip.MustParsePrefix("fdde:ad00:beef::/64")
	src := fuzzRouterRLOC.Addr(prefix)
	group := netip.MustParseAddr("ff03::abcd")
	udp := func(src, dst netip.Addr, hops uint8, port uint16) []byte {
		b, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: hops, Src: src, Dst: dst}, 1, port, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tunnelled := func(inner []byte) []byte {
		h := ip6.Header{HopLimit: 8, Src: src, Dst: ip6.RealmLocalAllNodes, NextHeader: ip6.ProtocolIPv6, PayloadLength: len(inner)}
		b, err := h.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(b, inner...)
	}
	for _, tt := range []struct {
		name     string
		role     uint8
		datagram func(e *Engine) []byte
		want     func(c *Counters) *uint64 // nil: none
	}{
		{"for the host", 0, func(e *Engine) []byte { return udp(src, e.addresses.EID(), 64, 9) }, nil},
		{"for another, at an end device", 2, func(*Engine) []byte { return udp(src, netip.MustParseAddr("fdde:ad00:beef::77"), 64, 9) },
			func(c *Counters) *uint64 { return &c.MeshNoRoute }},
		{"for a child, at the hop limit", 0, func(*Engine) []byte { return udp(src, netip.MustParseAddr("fdde:ad00:beef::3"), 1, 9) },
			func(c *Counters) *uint64 { return &c.IPHopLimit }},
		{"for a group", 2, func(*Engine) []byte { return udp(src, group, 64, 9) }, func(c *Counters) *uint64 { return &c.IPNotForUs }},
		{"tunnelled for a group", 2, func(*Engine) []byte { return tunnelled(udp(src, netip.MustParseAddr("ff05::abcd"), 64, 9)) },
			func(c *Counters) *uint64 { return &c.IPNotForUs }},
		{"tunnelled twice", 2, func(*Engine) []byte { return tunnelled(tunnelled(udp(src, group, 64, 9))) },
			func(c *Counters) *uint64 { return &c.IPMalformed }},
		{"checksum", 0, func(e *Engine) []byte {
			b := udp(src, e.addresses.EID(), 64, 9)
			b[len(b)-1] ^= 1
			return b
		}, func(c *Counters) *uint64 { return &c.IPBadChecksum }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newFuzzEngine(t, tt.role)
			before := e.Counters()
			from, _ := fuzzSource(0)
			payload, end, err := lowpan.Packet{Datagram: tt.datagram(e), Tag: 1, Src: from, Dst: neighbors.ShortAddr(e.rloc)}.AppendFrame(nil, 0, 100, &e.contexts)
			if err != nil || end < len(tt.datagram(e)) {
				t.Fatal(end, err)
			}
			e.HandleFrame(e.Now, sealFrame(e, 0, 1, 1, payload), -50)
			after := e.Counters()
			packets := e.packets()
			if tt.want == nil {
				if packets != 1 || drops(after) != drops(before) {
					t.Errorf("%d packets, %+v", packets, after)
				}
				return
			}
			if *tt.want(&after) != *tt.want(&before)+1 || drops(after) != drops(before)+1 || packets > 0 {
				t.Errorf("%d packets, %+v", packets, after)
			}
		})
	}
}

// TestDisplacedReassembliesAreCounted: a datagram that gives way to another is dropped.
func TestDisplacedReassembliesAreCounted(t *testing.T) {
	e := newFuzzEngine(t, 0)
	src, _ := fuzzSource(0)
	datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: fuzzRouterRLOC.Addr(e.addresses.Prefix()), Dst: e.addresses.EID()}, 1, 2, make([]byte, 200))
	if err != nil {
		t.Fatal(err)
	}
	const more = 5
	for n := range uint32(reassemblies + more) {
		payload, _, err := lowpan.Packet{Datagram: datagram, Tag: uint16(n), Src: src, Dst: neighbors.ShortAddr(e.rloc)}.AppendFrame(nil, 0, 80, &e.contexts)
		if err != nil {
			t.Fatal(err)
		}
		e.HandleFrame(e.Now, sealFrame(e, 0, 1, n+1, payload), -50)
	}
	if c := e.Counters(); c.ReassemblyDropped != more {
		t.Errorf("%d dropped, want %d", c.ReassemblyDropped, more)
	}
}

// TestCountersOfRandomMLE: a message is dropped once at most.
func TestCountersOfRandomMLE(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 1))
	for n := range 2000 {
		e := newFuzzEngine(t, uint8(n))
		_, ext := fuzzSource(uint8(r.Uint32()))
		plain := mle.AppendCommand(nil, mle.Command(r.IntN(18)))
		plain = mle.AppendSourceAddress(plain, fuzzRouterRLOC)
		plain = mle.AppendLeaderData(plain, mle.LeaderData{PartitionID: 7, Weighting: 64, LeaderRouterID: fuzzRouterRLOC.RouterID(), DataVersion: uint8(r.IntN(4))})
		plain = mle.AppendTLV(plain, mle.TLVNetworkData, mutate(r, []byte{0x08, 0x04, 0x0b, 0x02, 0x00, 0x01}))
		plain = mle.AppendTLV(plain, mle.TLVType(r.IntN(30)), mutate(r, make([]byte, r.IntN(30))))
		payload := mle.AppendSealed(nil, neighbors.LinkLocal(ext), neighbors.LinkLocal(e.Ext), ext, 0, uint32(n),
			ieee802154.NewCCM(keys.Derive(e.keys.NetworkKey(), 0).MLE), plain)
		before := e.Counters()
		e.mle.receive(payload, neighbors.LinkLocal(ext), neighbors.LinkLocal(e.Ext), mle.HopLimit, -50)
		if after := e.Counters(); after.RxMLE != before.RxMLE+1 || drops(after) > drops(before)+1 {
			t.Fatalf("role %v, message %x: dropped %d times", e.role, plain, drops(after)-drops(before))
		}
	}
}

// TestStopCountsEach: what is under way when the node stops is in exactly one counter of each layer: a frame, the datagrams that wait, the
// MLE messages whose random delay is not over, and datagrams of which fragments are missing.
func TestStopCountsEach(t *testing.T) {
	cut := uint64(0)
	for role := range uint8(fuzzRoles) {
		e := newFuzzEngine(t, role)
		src, _ := fuzzSource(1)
		datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: fuzzRouterRLOC.Addr(e.addresses.Prefix()), Dst: e.addresses.EID()}, 1, 1, make([]byte, 300))
		if err != nil {
			t.Fatal(err)
		}
		packet := lowpan.Packet{Datagram: datagram, Tag: 7, Src: src, Dst: neighbors.ShortAddr(e.rloc)}
		first, _, err := packet.AppendFrame(nil, 0, 80, &e.contexts)
		if err != nil {
			t.Fatal(err)
		}
		e.HandleFrame(e.Now, sealFrame(e, 1, 0, 1, first), -50)
		e.mle.delay(ip6.LinkLocalAllNodes, []byte{byte(mle.DataRequest)}, 1e9)
		group := netip.MustParseAddr("ff02::abcd")
		for range 3 {
			p, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: e.addresses.LinkLocal(), Dst: group}, 1, 1, make([]byte, 40))
			if err == nil {
				err = e.HandlePacket(e.Now, p)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		left := uint64(e.sender.Queued() + e.sender.Waiting() + len(e.mle.delayed))
		incomplete, working := uint64(e.mesh.reassembler.Len()), !e.mac.Idle()
		cut += incomplete
		before := e.Counters()
		e.Stop(e.Now)
		after := e.Counters()
		if !working || after.TxStopped != before.TxStopped+1 || left < 4 || after.TxDatagramsStopped != before.TxDatagramsStopped+left {
			t.Errorf("role %v: %d messages, frame in work %v: %+v", role, left, working, after)
		}
		if after.ReassemblyDropped != before.ReassemblyDropped+incomplete {
			t.Errorf("role %v: %d incomplete datagrams: %+v", role, incomplete, after)
		}
		if after.TxUnicast+after.TxBroadcast+after.TxStopped != after.TxFrames {
			t.Errorf("role %v: %+v", role, after)
		}
		after.TxStopped, after.TxDatagramsStopped, after.ReassemblyDropped = before.TxStopped, before.TxDatagramsStopped, before.ReassemblyDropped
		if after != before {
			t.Errorf("role %v: counted twice\n%+v\n%+v", role, before, after)
		}
	}
	if cut == 0 {
		t.Error("no datagram was incomplete")
	}
}
