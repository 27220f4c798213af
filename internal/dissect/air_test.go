package dissect_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

const testPAN ieee802154.PANID = 0x1234

// air makes frames of the nodes of the captures and gives them to a dissector.
type air struct {
	t        testing.TB
	d        *dissect.Dissector
	now      time.Time
	sequence keys.Sequence // of the frames to come
	counter  uint32
	contexts lowpan.Contexts
}

func newAir(t testing.TB) *air {
	a := &air{t: t, d: dissect.New(captures.NetworkKey), now: time.Unix(0, 0)}
	a.contexts = a.d.Contexts()
	return a
}

func ext(n uint8) ieee802154.ExtAddr { return captures.NodeExtAddr(n) }

func linkLocal(n uint8) netip.Addr {
	return ip6.WithInterfaceID(ip6.LinkLocalPrefix, lowpan.ExtInterfaceID(ext(n)))
}

func rloc(r mle.RLOC16) netip.Addr { return r.Addr(dissect.DefaultMeshLocalPrefix) }

func (a *air) check(b []byte, err error) []byte {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// hear gives a frame to the dissector.
func (a *air) hear(psdu []byte) dissect.Frame {
	a.now = a.now.Add(time.Second)
	return a.d.Dissect(a.now, psdu)
}

func (a *air) frame(src, dst ieee802154.Addr, payload []byte) ieee802154.Frame {
	a.counter++
	return ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true,
		AckRequest: !dst.IsBroadcast(), Seq: uint8(a.counter), DstPAN: testPAN, Dst: dst, Src: src, Payload: payload,
	}
}

// plain makes a frame without security.
func (a *air) plain(src, dst ieee802154.Addr, payload []byte) []byte {
	a.t.Helper()
	f := a.frame(src, dst, payload)
	return a.check(f.AppendBinary(nil))
}

// sealed makes a frame that node n has sent under its address src.
func (a *air) sealed(n uint8, src, dst ieee802154.Addr, payload []byte) []byte {
	a.t.Helper()
	f := a.frame(src, dst, payload)
	f.Security = ieee802154.SecurityHeader{
		Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex,
		FrameCounter: a.counter, KeyIndex: a.sequence.Index(),
	}
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, a.sequence).MAC)
	return a.check(f.AppendSealed(nil, ccm, ext(n)))
}

// compressed makes the payload of a frame that holds a whole datagram.
func (a *air) compressed(src, dst ieee802154.Addr, datagram []byte) []byte {
	a.t.Helper()
	payload, next, err := lowpan.Packet{Datagram: datagram, Src: src, Dst: dst}.AppendFrame(nil, 0, 2*ip6.MinMTU, &a.contexts)
	if err != nil || next != len(datagram) {
		a.t.Fatalf("AppendFrame: %d of %d bytes, %v", next, len(datagram), err)
	}
	return payload
}

func (a *air) udp(src, dst netip.Addr, srcPort, dstPort uint16, payload []byte) []byte {
	a.t.Helper()
	return a.check(ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: src, Dst: dst}, srcPort, dstPort, payload))
}

// mle makes a frame with a secured MLE message of node n to all.
func (a *air) mle(n uint8, plaintext []byte) []byte {
	a.t.Helper()
	from, to := ieee802154.ExtAddress(ext(n)), ieee802154.ShortAddress(ieee802154.BroadcastAddr)
	a.counter++
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, a.sequence).MLE)
	message := mle.AppendSealed(nil, linkLocal(n), ip6.LinkLocalAllNodes, ext(n), a.sequence, a.counter, ccm, plaintext)
	datagram := a.udp(linkLocal(n), ip6.LinkLocalAllNodes, mle.UDPPort, mle.UDPPort, message)
	return a.plain(from, to, a.compressed(from, to, datagram))
}

// advertise makes a frame by which node n tells its locator.
func (a *air) advertise(n uint8, r mle.RLOC16) []byte {
	a.t.Helper()
	return a.mle(n, mle.AppendSourceAddress(mle.AppendCommand(nil, mle.Advertisement), r))
}

// unicast makes a secured frame with a UDP datagram between two locators, of which node n has the first.
func (a *air) unicast(n uint8, src, dst mle.RLOC16, srcPort, dstPort uint16, payload []byte) []byte {
	a.t.Helper()
	from, to := ieee802154.ShortAddress(ieee802154.ShortAddr(src)), ieee802154.ShortAddress(ieee802154.ShortAddr(dst))
	datagram := a.udp(rloc(src), rloc(dst), srcPort, dstPort, payload)
	return a.sealed(n, from, to, a.compressed(from, to, datagram))
}
