package lowpan_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// captureContexts are the contexts of the captured network: the mesh-local prefix, and the on-mesh prefix of pycom-s3.
func captureContexts(t testing.TB) *lowpan.Contexts {
	t.Helper()
	var c lowpan.Contexts
	for id, prefix := range []string{"fdde:ad00:beef::/64", "2001:dead:beef:cafe::/64"} {
		if err := c.Set(uint8(id), lowpan.Context{Prefix: netip.MustParsePrefix(prefix), Compress: true}); err != nil {
			t.Fatal(err)
		}
	}
	return &c
}

// dataFrame is a data frame of a capture, opened.
type dataFrame struct {
	at      time.Duration
	frame   ieee802154.Frame
	payload []byte
}

// dataFrames returns the data frames with a payload that can be opened.
func dataFrames(t testing.TB, name string) []dataFrame {
	t.Helper()
	records, err := captures.Frames(name)
	if err != nil {
		t.Fatal(err)
	}
	var ccms []*ieee802154.CCM
	for seq := range keys.Sequence(3) {
		ccms = append(ccms, ieee802154.NewCCM(keys.Derive(captures.NetworkKey, seq).MAC))
	}
	mode2 := ieee802154.NewCCM(keys.Mode2Key)
	var frames []dataFrame
	closed := 0
	for _, r := range records {
		f, err := ieee802154.ParseFrame(r.PSDU)
		if err != nil {
			t.Logf("%s: %x: %v", name, r.PSDU, err)
		}
		if err != nil || f.Type != ieee802154.Data {
			continue
		}
		payload := f.Payload
		if f.Security.Level != ieee802154.SecurityNone {
			err = ieee802154.ErrAuth
			if f.Security.KeyIDMode == ieee802154.KeyIDModeSource4 {
				payload, err = f.Open(nil, r.PSDU, mode2, keys.Mode2ExtAddr)
			}
			for n := uint8(1); n <= captures.NumNodes && err != nil; n++ {
				for _, ccm := range ccms {
					if payload, err = f.Open(nil, r.PSDU, ccm, captures.NodeExtAddr(n)); err == nil {
						break
					}
				}
			}
			if err != nil {
				closed++
				continue
			}
		}
		if len(payload) > 0 {
			frames = append(frames, dataFrame{at: r.Time, frame: f, payload: payload})
		}
	}
	if closed > 0 {
		t.Logf("%s: %d data frames could not be opened", name, closed)
	}
	return frames
}

// verifyDatagram checks the checksums of a datagram, and of the one inside if it is a tunnel.
func verifyDatagram(t *testing.T, b []byte) ip6.Datagram {
	t.Helper()
	d, err := ip6.ParseDatagram(b)
	if err != nil {
		t.Fatalf("ParseDatagram(%x): %v", b, err)
	}
	switch d.Protocol {
	case ip6.ProtocolUDP:
		err = ip6.VerifyUDP(d.Src, d.Dst, d.Payload)
	case ip6.ProtocolICMPv6:
		err = ip6.VerifyICMPv6(d.Src, d.Dst, d.Payload)
	case ip6.ProtocolIPv6:
		verifyDatagram(t, d.Payload)
	default:
		t.Errorf("datagram of protocol %v", d.Protocol)
	}
	if err != nil {
		t.Errorf("datagram %x: %v", b, err)
	}
	return d
}

// TestCaptures reads every data frame of the captures, down to the checksums of what is inside, and makes the same
// payloads again, byte for byte.
func TestCaptures(t *testing.T) {
	var total captureCount
	for _, name := range captures.Names() {
		t.Run(name, func(t *testing.T) {
			n := replay(t, name)
			t.Logf("%+v", n)
			total.add(n)
		})
	}
	want := captureCount{Whole: 800, Mesh: 600, Fragments: 700, Reassembled: 120, MPL: 150}
	if total.Whole < want.Whole || total.Mesh < want.Mesh || total.Fragments < want.Fragments ||
		total.Reassembled < want.Reassembled || total.MPL < want.MPL {
		t.Errorf("captures hold %+v, want at least %+v", total, want)
	}
}

// captureCount counts what was found in captures.
type captureCount struct {
	Whole       int // datagrams in one frame
	Mesh        int // frames with a mesh header
	Fragments   int // without those on their way to another node
	Reassembled int // datagrams made of them
	MPL         int // datagrams with an MPL option
}

func (c *captureCount) add(d captureCount) {
	c.Whole += d.Whole
	c.Mesh += d.Mesh
	c.Fragments += d.Fragments
	c.Reassembled += d.Reassembled
	c.MPL += d.MPL
}

func replay(t *testing.T, name string) (n captureCount) {
	ctx := captureContexts(t)
	r := lowpan.NewReassembler(lowpan.Limits{Datagrams: 8, Timeout: 5 * time.Second})
	type train struct {
		origin lowpan.Origin
		tag    uint16
	}
	fragments := map[train][][]byte{}
	for _, f := range dataFrames(t, name) {
		now := time.Unix(0, 0).Add(f.at)
		r.HandleTimeout(now)
		o := lowpan.Origin{Src: f.frame.Src, Dst: f.frame.Dst, Security: uint8(f.frame.Security.Level)}
		b, room := f.payload, ieee802154.MaxPSDU-f.frame.Overhead()
		if lowpan.DispatchOf(b) == lowpan.DispatchMesh {
			n.Mesh++
			h, size, err := lowpan.ParseMeshHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := h.AppendBinary(nil); err != nil || !bytes.Equal(again, b[:size]) {
				t.Errorf("%v: mesh header %x made again: %x, %v", f.at, b[:size], again, err)
			}
			o.Src, o.Dst = h.Src, h.Dst
			b, room = b[size:], room-size
		}

		p := lowpan.Packet{Src: o.Src, Dst: o.Dst}
		var payloads [][]byte
		switch lowpan.DispatchOf(b) {
		case lowpan.DispatchIPHC:
			n.Whole++
			headers, consumed, err := lowpan.Decompress(nil, b, o.Src, o.Dst, ctx, 0)
			if err != nil {
				t.Fatalf("%v: Decompress(%x): %v", f.at, b, err)
			}
			p.Datagram = append(headers, b[consumed:]...)
			payloads = [][]byte{b}
		case lowpan.DispatchFirstFragment, lowpan.DispatchSubsequentFragment:
			if f.frame.Dst != o.Dst {
				continue // has not arrived yet
			}
			n.Fragments++
			h, err := lowpan.ParseFragmentHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			p.Tag = h.Tag
			id := train{o, h.Tag}
			fragments[id] = append(fragments[id], b)
			if p.Datagram, err = r.HandleFragment(now, o, b, ctx); err != nil {
				t.Fatalf("%v: HandleFragment(%x): %v", f.at, b, err)
			}
			if p.Datagram == nil {
				continue
			}
			n.Reassembled++
			payloads = fragments[id]
			delete(fragments, id)
		default:
			t.Fatalf("%v: dispatch %#x", f.at, b[0])
		}

		if verifyDatagram(t, p.Datagram).HasMPL {
			n.MPL++
		}
		checkPayloads(t, p, room, ctx, payloads)
	}
	if len(fragments) > 0 || r.Len() > 0 || r.Dropped() > 0 {
		t.Errorf("%d datagrams are incomplete", len(fragments))
	}
	return n
}

// checkPayloads checks that p in frames with room for that many bytes makes the given payloads.
func checkPayloads(t *testing.T, p lowpan.Packet, room int, ctx *lowpan.Contexts, payloads [][]byte) {
	t.Helper()
	next := 0
	for _, want := range payloads {
		var got []byte
		var err error
		if got, next, err = p.AppendFrame(nil, next, room, ctx); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("payload for %x\n got %x\nwant %x", p.Datagram, got, want)
		}
	}
	if next != len(p.Datagram) {
		t.Errorf("payloads end at %d of %d", next, len(p.Datagram))
	}
}
