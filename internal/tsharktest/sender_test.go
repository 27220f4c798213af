package tsharktest_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/tsharktest"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// What the frames of these tests share, beside the network of the captures.
const (
	pan = ieee802154.PANID(0x1234)

	// ourRLOC16 and theirRLOC16 are a router and its third child.
	ourRLOC16   = mle.RLOC16(0x5800)
	theirRLOC16 = mle.RLOC16(0x5803)
)

var (
	ourExt   = ieee802154.ExtAddr(captures.NodeExtAddr(1))
	theirExt = ieee802154.ExtAddr(captures.NodeExtAddr(2))

	ourAddr   = ieee802154.ShortAddress(ieee802154.ShortAddr(ourRLOC16))
	theirAddr = ieee802154.ShortAddress(ieee802154.ShortAddr(theirRLOC16))
	everyone  = ieee802154.ShortAddress(ieee802154.BroadcastAddr)

	meshLocal = recorded.Contexts[0]
	onMesh    = recorded.Contexts[1]

	ourLinkLocal   = linkLocal(ourExt)
	theirLinkLocal = linkLocal(theirExt)
)

func linkLocal(a ieee802154.ExtAddr) netip.Addr {
	return ip6.WithInterfaceID(netip.MustParsePrefix("fe80::/64"), lowpan.ExtInterfaceID(a))
}

// sender is a node that only sends: it turns what the encoders make into frames.
type sender struct {
	t        *testing.T
	sequence keys.Sequence
	keys     keys.Pair
	counter  uint32
	seq      uint8
	tag      uint16
	contexts lowpan.Contexts
	psdus    [][]byte
}

func newSender(t *testing.T, sequence keys.Sequence) *sender {
	s := &sender{t: t, sequence: sequence, keys: keys.Derive(captures.NetworkKey, sequence)}
	for i, prefix := range recorded.Contexts {
		if err := s.contexts.Set(uint8(i), lowpan.Context{Prefix: prefix, Compress: true}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// verify gives the frames to tshark, which learns the sequence from nobody but us.
func (s *sender) verify() []tsharktest.Frame {
	s.t.Helper()
	n := recorded
	n.KeySequence = uint32(s.sequence)
	n.Addresses = map[uint16][8]byte{uint16(ourRLOC16): ourExt}
	return tsharktest.Verify(s.t, n, s.psdus)
}

// frame sends a frame from this node. If it has a security level it is sealed with the
// MAC key.
func (s *sender) frame(f ieee802154.Frame) {
	s.t.Helper()
	s.seq++
	f.Seq = s.seq
	var psdu []byte
	var err error
	if f.Security.Level == ieee802154.SecurityNone {
		psdu, err = f.AppendBinary(nil)
	} else {
		f.Security.KeyIDMode = ieee802154.KeyIDModeIndex
		f.Security.KeyIndex = s.sequence.Index()
		f.Security.FrameCounter = s.counter
		s.counter++
		psdu, err = f.AppendSealed(nil, ieee802154.NewCCM(s.keys.MAC), ourExt)
	}
	if err != nil {
		s.t.Fatalf("frame %d: %v", len(s.psdus), err)
	}
	s.psdus = append(s.psdus, psdu)
}

// datagram sends a datagram in as many frames as it takes, each with the header given in
// front of its payload.
func (s *sender) datagram(datagram []byte, from, to ieee802154.Addr, level ieee802154.SecurityLevel, header ...byte) {
	s.t.Helper()
	s.tag++
	p := lowpan.Packet{Datagram: datagram, Tag: s.tag, Src: from, Dst: to}
	if len(header) > 0 { // the addresses of the mesh header are those of the frame as well
		p.Src, p.Dst = from, to
	}
	for offset := 0; offset < len(datagram); {
		f := ieee802154.Frame{
			Type: ieee802154.Data, Version: ieee802154.Version2006,
			AckRequest: !to.IsBroadcast(), PANIDCompression: true,
			DstPAN: pan, Dst: to, Src: from,
			Security: ieee802154.SecurityHeader{Level: level, KeyIDMode: ieee802154.KeyIDModeIndex},
		}
		room := ieee802154.MaxPSDU - f.Overhead() - len(header)
		payload, next, err := p.AppendFrame(slices.Clone(header), offset, room, &s.contexts)
		if err != nil {
			s.t.Fatalf("datagram of %d bytes at %d: %v", len(datagram), offset, err)
		}
		if next <= offset || len(payload) > room+len(header) {
			s.t.Fatalf("datagram of %d bytes at %d: next %d, %d bytes in %d", len(datagram), offset, next, len(payload), room)
		}
		f.FramePending = next < len(datagram)
		f.Payload = payload
		s.frame(f)
		offset = next
	}
}

func udp(t *testing.T, hdr ip6.Header, from, to uint16, payload []byte) []byte {
	t.Helper()
	datagram, err := ip6.AppendUDP(nil, hdr, from, to, payload)
	if err != nil {
		t.Fatal(err)
	}
	return datagram
}

// fields maps tshark's names of fields to the values that they shall have; "" stands for
// a field that shall not be there.
type fields map[string]string

func (want fields) check(t *testing.T, f tsharktest.Frame) {
	t.Helper()
	for name, value := range want {
		if got := f.Field(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
}
