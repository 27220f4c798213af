package meshtest

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Heard is an MLE message that a peer heard, decrypted.
type Heard struct {
	At      time.Time
	ExtAddr ieee802154.ExtAddr // of the sender
	Dst     netip.Addr
	mle.Header
	mle.Message
}

var errNotMLE = errors.New("meshtest: not an MLE message")

// OpenMLE returns the MLE message in a frame that holds a whole one, without MAC security as Thread sends them.
func OpenMLE(psdu []byte) (Heard, error) {
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil || f.Type != ieee802154.Data || f.Security.Level != ieee802154.SecurityNone {
		return Heard{}, errNotMLE
	}
	b, consumed, err := lowpan.Decompress(nil, f.Payload, f.Src, f.Dst, contexts(), 0)
	if err != nil {
		return Heard{}, err
	}
	return parseMLE(append(b, f.Payload[consumed:]...), f.Src.Ext)
}

// reassemble takes a fragment, which the MAC has secured, and returns the MLE message that it completes.
func (p *Peer) reassemble(now time.Time, f *ieee802154.Frame, psdu []byte) (Heard, error) {
	if f.Security.KeyIDMode != ieee802154.KeyIDModeIndex || f.Src.Mode != ieee802154.AddrModeExt {
		return Heard{}, errNotMLE
	}
	payload, err := f.Open(nil, psdu, macCipher(keys.Sequence(f.Security.KeyIndex-1)), f.Src.Ext)
	if err != nil {
		return Heard{}, err
	}
	if p.fragments == nil {
		p.fragments = lowpan.NewReassembler(lowpan.Limits{Datagrams: 4, Timeout: time.Minute})
	}
	datagram, err := p.fragments.HandleFragment(now, lowpan.Origin{Src: f.Src, Dst: f.Dst, Security: 1}, payload, contexts())
	if err != nil || datagram == nil {
		return Heard{}, errNotMLE
	}
	return parseMLE(slices.Clone(datagram), f.Src.Ext)
}

// parseMLE opens the MLE message in a datagram.
func parseMLE(datagram []byte, ext ieee802154.ExtAddr) (h Heard, err error) {
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
	h.ExtAddr, h.Dst = ext, d.Dst
	h.Message, err = mle.ParseMessage(plain)
	return h, err
}

func mleCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(NetworkKey, seq).MLE)
}

func macCipher(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(NetworkKey, seq).MAC)
}

func contexts() *lowpan.Contexts {
	c := new(lowpan.Contexts)
	_ = c.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: thread.DefaultMeshLocalPrefix, Compress: true})
	return c
}

// LinkLocal returns the link-local address of a node.
func LinkLocal(ext ieee802154.ExtAddr) netip.Addr {
	return ip6.WithInterfaceID(ip6.LinkLocalPrefix, lowpan.ExtInterfaceID(ext))
}

// Challenge returns a challenge that is easy to tell: n, eight times.
func Challenge(n byte) mle.Challenge { return mle.NewChallenge([8]byte{n, n, n, n, n, n, n, n}) }

// parentChallenge is the challenge in every ParentResponse of a peer, which a Child ID Request answers.
const parentChallenge = 0xa0

// ParentRequest returns the Parent Request of a full Thread device, for [Peer.SendMLE].
func ParentRequest(challenge mle.Challenge, mask mle.ScanMask) []byte {
	b := mle.AppendMode(mle.AppendCommand(nil, mle.ParentRequest), thread.ModeFullThreadDevice)
	b = mle.AppendScanMask(mle.AppendChallenge(b, challenge), mask)
	return mle.AppendVersion(b, mle.Version1_1)
}

// ParentResponse returns what a peer that plays a parent at its RLOC16 answers to a Parent Request, with Challenge(0xa0). The
// margin is that of the node's link, in dB.
func (p *Peer) ParentResponse(request Heard, leader mle.LeaderData, c mle.Connectivity, margin uint8) []byte {
	p.tb.Helper()
	b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ParentResponse), p.RLOC16)
	b = mle.AppendLeaderData(b, leader)
	b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.MACCounter), p.MLECounter)
	b = mle.AppendResponse(b, p.challengeOf(request))
	b = mle.AppendChallenge(b, Challenge(parentChallenge))
	b = mle.AppendConnectivity(mle.AppendLinkMargin(b, margin), c)
	return mle.AppendVersion(b, mle.Version1_1)
}

// ChildIDRequest returns what a peer that plays a child sends after a Parent Response.
func (p *Peer) ChildIDRequest(response Heard, mode mle.Mode, timeout time.Duration) []byte {
	p.tb.Helper()
	b := mle.AppendResponse(mle.AppendCommand(nil, mle.ChildIDRequest), p.challengeOf(response))
	b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.MACCounter), p.MLECounter)
	b = mle.AppendVersion(mle.AppendTimeout(mle.AppendMode(b, mode), timeout), mle.Version1_1)
	if !mode.Has(mle.ModeFullThreadDevice) {
		b = mle.AppendAddressRegistration(b, mle.AddressEntry{ContextID: 0, IID: [8]byte(p.ExtAddr)})
		return mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData)
	}
	return mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData, mle.TLVRoute64)
}

func (p *Peer) challengeOf(h Heard) mle.Challenge {
	p.tb.Helper()
	c, err := h.Challenge()
	if err != nil {
		p.tb.Fatalf("%v without a challenge: %v", h.Command, err)
	}
	return c
}
