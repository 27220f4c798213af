package thread_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const testPAN ieee802154.PANID = 0x1234

// A peer is a node that the test plays by hand. It acknowledges what is addressed to it and keeps all MLE messages that it hears.
type peer struct {
	t       testing.TB
	ext     ieee802154.ExtAddr
	rloc    mle.RLOC16 // also answers to this one, 0xfffe for none
	seq     keys.Sequence
	mle     uint32 // next frame counters
	mac     uint32
	deaf    bool // does not acknowledge
	antenna *lorasim.Node
	sim     *lorasim.Sim

	fragments *lowpan.Reassembler
	dsn       uint8
	out       [][]byte
	frames    [][]byte // heard, all of them
	heard     []heard
	// on is called for each MLE message addressed to this peer.
	on func(heard)
}

// heard is an MLE message that a peer heard.
type heard struct {
	at  time.Time
	ext ieee802154.ExtAddr
	dst netip.Addr
	mle.Header
	mle.Message
}

// peer puts a peer on the air.
func (m *mesh) peer(id int, pos lorasim.Position) *peer {
	p := &peer{t: m.t, ext: extAddr(id), rloc: mle.InvalidRLOC16, sim: m.sim}
	p.antenna = m.sim.Add(p, pos)
	return p
}

func linkLocal(ext ieee802154.ExtAddr) netip.Addr {
	return ip6.WithInterfaceID(ip6.LinkLocalPrefix, lowpan.ExtInterfaceID(ext))
}

func mleCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(testKey, seq).MLE)
}
func macCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(testKey, seq).MAC)
}

func (p *peer) NextTimeout() (time.Time, bool) { return time.Time{}, false }
func (p *peer) HandleTimeout(time.Time)        {}

func (p *peer) PollTransmit() ([]byte, bool) {
	if len(p.out) == 0 {
		return nil, false
	}
	return p.out[0], true
}

func (p *peer) HandleTransmitDone(_ time.Time, err error) {
	if err == nil {
		p.out = p.out[1:]
	}
}

func (p *peer) HandleFrame(now time.Time, psdu []byte, _ int8) {
	p.frames = append(p.frames, slices.Clone(psdu))
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		p.t.Errorf("%v: %x", err, psdu)
		return
	}
	mine := f.Dst == ieee802154.ExtAddress(p.ext) || f.Dst == ieee802154.ShortAddress(ieee802154.ShortAddr(p.rloc))
	if mine && f.AckRequest && !p.deaf {
		p.out = slices.Insert(p.out, 0, ieee802154.AppendAck(nil, f.Seq, false))
	}
	h, err := openMLE(psdu)
	if err != nil {
		h, err = p.reassemble(now, &f, psdu)
	}
	if err == nil {
		h.at = now
		p.heard = append(p.heard, h)
		if p.on != nil && (h.dst.IsMulticast() || h.dst == linkLocal(p.ext)) {
			p.on(h)
		}
	}
}

// reassemble takes a fragment, which the MAC has secured, and returns the MLE message that it completes.
func (p *peer) reassemble(now time.Time, f *ieee802154.Frame, psdu []byte) (heard, error) {
	if f.Security.KeyIDMode != ieee802154.KeyIDModeIndex || f.Src.Mode != ieee802154.AddrModeExt {
		return heard{}, errNotMLE
	}
	payload, err := f.Open(nil, psdu, macCipher(keys.Sequence(f.Security.KeyIndex-1)), f.Src.Ext)
	if err != nil {
		return heard{}, err
	}
	if p.fragments == nil {
		p.fragments = lowpan.NewReassembler(lowpan.Limits{Datagrams: 4, Timeout: time.Minute})
	}
	datagram, err := p.fragments.HandleFragment(now, lowpan.Origin{Src: f.Src, Dst: f.Dst, Security: 1}, payload, contexts())
	if err != nil || datagram == nil {
		return heard{}, errNotMLE
	}
	return parseMLE(slices.Clone(datagram), f.Src.Ext)
}

var errNotMLE = errors.New("not an MLE message")

// openMLE returns the MLE message in a frame that holds a whole one without MAC security.
func openMLE(psdu []byte) (h heard, err error) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Type != ieee802154.Data || f.Security.Level != ieee802154.SecurityNone {
		return h, errNotMLE
	}
	b, consumed, err := lowpan.Decompress(nil, f.Payload, f.Src, f.Dst, contexts(), 0)
	if err != nil {
		return h, err
	}
	return parseMLE(append(b, f.Payload[consumed:]...), f.Src.Ext)
}

// parseMLE opens the MLE message in a datagram.
func parseMLE(datagram []byte, ext ieee802154.ExtAddr) (h heard, err error) {
	d, err := ip6.ParseDatagram(datagram)
	if err != nil {
		return h, err
	}
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if err != nil || udp.DstPort != mle.UDPPort {
		return h, errNotMLE
	}
	payload := d.Payload[ip6.UDPHeaderSize:]
	if h.Header, err = mle.ParseHeader(payload); err != nil {
		return h, err
	}
	plain, err := h.Open(nil, payload, d.Src, d.Dst, ext, mleCipher(h.KeySequence))
	if err != nil {
		return h, err
	}
	h.ext, h.dst = ext, d.Dst
	h.Message, err = mle.ParseMessage(plain)
	return h, err
}

func contexts() *lowpan.Contexts {
	c := new(lowpan.Contexts)
	_ = c.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: netip.MustParsePrefix("fdde:ad00:beef::/64"), Compress: true})
	return c
}

// frame builds a frame from this peer.
func (p *peer) frame(dst ieee802154.Addr, payload []byte) *ieee802154.Frame {
	p.dsn++
	return &ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: !dst.IsBroadcast(), PANIDCompression: true, Seq: p.dsn,
		DstPAN: testPAN, SrcPAN: testPAN, Dst: dst, Src: ieee802154.ExtAddress(p.ext), Payload: payload,
	}
}

// sendMLE sends an MLE message, of any size that fits into one frame.
func (p *peer) sendMLE(dst netip.Addr, plain []byte) []byte {
	payload := mle.AppendSealed(nil, linkLocal(p.ext), dst, p.ext, p.seq, p.mle, mleCipher(p.seq), plain)
	p.mle++
	return p.sendMLEPayload(dst, payload)
}

// sendMLEPayload sends an MLE message that is sealed already, well or badly.
func (p *peer) sendMLEPayload(dst netip.Addr, payload []byte) []byte {
	datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: linkLocal(p.ext), Dst: dst}, mle.UDPPort, mle.UDPPort, payload)
	if err != nil {
		p.t.Fatal(err)
	}
	to := ieee802154.ShortAddress(ieee802154.BroadcastAddr)
	if !dst.IsMulticast() {
		to = lowpan.AddrOf(ip6.InterfaceIDOf(dst))
	}
	f := p.frame(to, nil)
	f.Payload, _, err = lowpan.Packet{Datagram: datagram, Src: f.Src, Dst: to}.AppendFrame(nil, 0, ieee802154.MaxPSDU-f.Overhead(), contexts())
	if err != nil {
		p.t.Fatal(err)
	}
	return p.sendFrame(f)
}

// sendFrame puts a frame on the air, secured if its security level says so.
func (p *peer) sendFrame(f *ieee802154.Frame) []byte {
	var psdu []byte
	var err error
	if f.Security.Level == ieee802154.SecurityNone {
		psdu, err = f.AppendBinary(nil)
	} else {
		f.Security.KeyIDMode, f.Security.KeyIndex, f.Security.FrameCounter = ieee802154.KeyIDModeIndex, p.seq.Index(), p.mac
		p.mac++
		psdu, err = f.AppendSealed(nil, macCipher(p.seq), p.ext)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.transmit(psdu)
	return psdu
}

func (p *peer) transmit(psdu []byte) {
	p.out = append(p.out, psdu)
	p.antenna.Touch()
}

// sendDatagram sends a secured datagram in one frame.
func (p *peer) sendDatagram(dst ieee802154.Addr, datagram []byte) []byte {
	f := p.frame(dst, nil)
	f.Security.Level, f.Security.KeyIDMode = ieee802154.SecurityENCMIC32, ieee802154.KeyIDModeIndex
	if p.rloc != mle.InvalidRLOC16 && dst.Mode == ieee802154.AddrModeShort {
		f.Src = ieee802154.ShortAddress(ieee802154.ShortAddr(p.rloc))
	}
	var err error
	f.Payload, _, err = lowpan.Packet{Datagram: datagram, Src: f.Src, Dst: dst}.AppendFrame(nil, 0, ieee802154.MaxPSDU-f.Overhead(), contexts())
	if err != nil {
		p.t.Fatal(err)
	}
	return p.sendFrame(f)
}

// sendFragmented sends an MLE message in as many frames as it takes, secured by the MAC too (Thread 1.1 §4.9).
func (p *peer) sendFragmented(dst netip.Addr, plain []byte) {
	payload := mle.AppendSealed(nil, linkLocal(p.ext), dst, p.ext, p.seq, p.mle, mleCipher(p.seq), plain)
	p.mle++
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: linkLocal(p.ext), Dst: dst}, mle.UDPPort, mle.UDPPort, payload))
	to := lowpan.AddrOf(ip6.InterfaceIDOf(dst))
	for offset := 0; offset < len(datagram); {
		f := p.frame(to, nil)
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
		var err error
		f.Payload, offset, err = lowpan.Packet{Datagram: datagram, Tag: 77, Src: f.Src, Dst: to}.
			AppendFrame(nil, offset, ieee802154.MaxPSDU-f.Overhead(), contexts())
		if err != nil {
			p.t.Fatal(err)
		}
		f.FramePending = offset < len(datagram)
		p.sendFrame(f)
	}
}

// open decrypts a secured frame of one of the nodes.
func (m *mesh) open(psdu []byte) (ieee802154.Frame, []byte, bool) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Security.Level == ieee802154.SecurityNone {
		return f, f.Payload, false
	}
	for _, n := range m.nodes {
		if payload, err := f.Open(nil, psdu, macCipher(keys.Sequence(f.Security.KeyIndex-1)), n.ExtAddr()); err == nil {
			return f, payload, true
		}
	}
	return f, nil, false
}

// datagram returns the IPv6 datagram in a secured frame that holds a whole one, a mesh header in front or not.
func (m *mesh) datagram(psdu []byte) (ip6.Datagram, bool) {
	f, payload, ok := m.open(psdu)
	if !ok || f.Type != ieee802154.Data {
		return ip6.Datagram{}, false
	}
	src, dst := f.Src, f.Dst
	if h, size, err := lowpan.ParseMeshHeader(payload); err == nil {
		src, dst, payload = h.Src, h.Dst, payload[size:]
	}
	if lowpan.DispatchOf(payload) != lowpan.DispatchIPHC {
		return ip6.Datagram{}, false
	}
	b, consumed, err := lowpan.Decompress(nil, payload, src, dst, contexts(), 0)
	if err != nil {
		return ip6.Datagram{}, false
	}
	d, err := ip6.ParseDatagram(append(b, payload[consumed:]...))
	return d, err == nil
}

// tmfMessage returns the CoAP message in a datagram of network management.
func tmfMessage(d ip6.Datagram) (coap.Message, bool) {
	udp, err := ip6.ParseUDPHeader(d.Payload)
	if d.Protocol != ip6.ProtocolUDP || err != nil || udp.DstPort != tmf.UDPPort {
		return coap.Message{}, false
	}
	m, err := coap.ParseMessage(d.Payload[ip6.UDPHeaderSize:udp.Length])
	return m, err == nil
}

// find returns the messages of a command that the peer heard from a node, in their order.
func (p *peer) find(c mle.Command, from ieee802154.ExtAddr) []heard {
	var found []heard
	for _, h := range p.heard {
		if h.Command == c && h.ext == from {
			found = append(found, h)
		}
	}
	return found
}

// answers are the messages among them that were meant for this peer.
func (p *peer) answers(c mle.Command, from ieee802154.ExtAddr) []heard {
	return slices.DeleteFunc(p.find(c, from), func(h heard) bool { return !h.dst.IsMulticast() && h.dst != linkLocal(p.ext) })
}

// await runs the mesh until a message of a command came from a node to this peer, counting from now.
func (p *peer) await(c mle.Command, from ieee802154.ExtAddr, limit time.Duration) heard {
	p.t.Helper()
	before := len(p.answers(c, from))
	if !p.sim.RunUntil(func() bool { return len(p.answers(c, from)) > before }, limit) {
		p.t.Fatalf("no %v from %v within %v", c, from, limit)
	}
	return p.answers(c, from)[before]
}

// challenge returns a challenge that is easy to tell.
func challenge(n byte) mle.Challenge { return mle.NewChallenge([8]byte{n, n, n, n, n, n, n, n}) }

// must returns v.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Messages that peers send.

func parentRequest(ch mle.Challenge, mask mle.ScanMask) []byte {
	b := mle.AppendMode(mle.AppendCommand(nil, mle.ParentRequest), fullMode)
	b = mle.AppendScanMask(mle.AppendChallenge(b, ch), mask)
	return mle.AppendVersion(b, mle.Version1_1)
}

const fullMode = mle.ModeRxOnWhenIdle | mle.ModeSecureDataRequests | mle.ModeFullThreadDevice | mle.ModeFullNetworkData

// parentResponse is what a peer that plays a parent answers to request.
func (p *peer) parentResponse(request heard, leader mle.LeaderData, c mle.Connectivity, margin uint8) []byte {
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ParentResponse), p.rloc)
	b = mle.AppendLeaderData(b, leader)
	b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.mac), p.mle)
	b = mle.AppendResponse(b, must(request.Challenge()))
	b = mle.AppendChallenge(b, challenge(0xa0))
	b = mle.AppendConnectivity(mle.AppendLinkMargin(b, margin), c)
	return mle.AppendVersion(b, mle.Version1_1)
}

// childIDRequest is what a peer that plays a child sends after a Parent Response.
func (p *peer) childIDRequest(response heard, mode mle.Mode, timeout time.Duration) []byte {
	b := mle.AppendResponse(mle.AppendCommand(nil, mle.ChildIDRequest), must(response.Challenge()))
	b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.mac), p.mle)
	b = mle.AppendVersion(mle.AppendTimeout(mle.AppendMode(b, mode), timeout), mle.Version1_1)
	if !mode.Has(mle.ModeFullThreadDevice) {
		b = mle.AppendAddressRegistration(b, mle.AddressEntry{ContextID: 0, IID: [8]byte(p.ext)})
		return mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData)
	}
	return mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData, mle.TLVRoute64)
}

// attach makes the peer a child of a node.
func (p *peer) attach(to *node, mode mle.Mode, timeout time.Duration) {
	p.t.Helper()
	p.sendMLE(ip6.LinkLocalAllRouters, parentRequest(challenge(1), mle.ScanRouters))
	response := p.await(mle.ParentResponse, to.ExtAddr(), 5*time.Second)
	p.sendMLE(linkLocal(to.ExtAddr()), p.childIDRequest(response, mode, timeout))
	p.rloc = must(p.await(mle.ChildIDResponse, to.ExtAddr(), 5*time.Second).Address16())
}
