package tmf_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
)

// datagram is a UDP datagram of a capture.
type datagram struct {
	time     time.Duration
	ip       ip6.Datagram
	udp      ip6.UDPHeader
	payload  []byte          // of UDP
	src, dst ieee802154.Addr // of the frame or mesh header
	secured  bool            // by the MAC
}

// datagrams returns the UDP datagrams of a capture: frames opened, fragments put together, headers decompressed.
// A datagram that takes several hops occurs once for each.
func datagrams(t *testing.T, capture string) []datagram {
	t.Helper()
	records, err := captures.Frames(capture)
	if err != nil {
		t.Fatal(err)
	}
	var contexts lowpan.Contexts // the mesh-local prefix and the prefix of pycom-s3
	for id, prefix := range []string{"fdde:ad00:beef::/64", "2001:dead:beef:cafe::/64"} {
		if err := contexts.Set(uint8(id), lowpan.Context{Prefix: netip.MustParsePrefix(prefix), Compress: true}); err != nil {
			t.Fatal(err)
		}
	}
	reassembler := lowpan.NewReassembler(lowpan.Limits{Datagrams: 32, Timeout: time.Minute})
	var all []datagram
	for i, r := range records {
		f, err := ieee802154.ParseFrame(r.PSDU)
		if err != nil || f.Type != ieee802154.Data {
			continue
		}
		payload := f.Payload
		if f.Security.Level != ieee802154.SecurityNone {
			var ok bool
			if payload, ok = open(&f, r.PSDU); !ok {
				t.Fatalf("frame %d: no node has sent it", i)
			}
		}
		d := datagram{time: r.Time, src: f.Src, dst: f.Dst, secured: f.Security.Level != ieee802154.SecurityNone}
		if lowpan.DispatchOf(payload) == lowpan.DispatchMesh {
			h, size, err := lowpan.ParseMeshHeader(payload)
			if err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			d.src, d.dst = h.Src, h.Dst
			payload = payload[size:]
		}
		var b []byte
		switch lowpan.DispatchOf(payload) {
		case lowpan.DispatchIPHC:
			header, consumed, err := lowpan.Decompress(nil, payload, d.src, d.dst, &contexts, 0)
			if err != nil {
				t.Fatalf("frame %d: %v\n%x", i, err, payload)
			}
			b = append(header, payload[consumed:]...)
		case lowpan.DispatchFirstFragment, lowpan.DispatchSubsequentFragment:
			now := time.Unix(0, 0).Add(r.Time)
			reassembler.HandleTimeout(now)
			whole, err := reassembler.HandleFragment(now, lowpan.Origin{Src: d.src, Dst: d.dst}, payload, &contexts)
			if errors.Is(err, lowpan.ErrRepeated) { // its acknowledgement was lost
				continue
			}
			if err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			b = append(b, whole...)
		}
		if len(b) == 0 {
			continue
		}
		if d.ip, err = ip6.ParseDatagram(b); err != nil {
			t.Fatalf("frame %d: %v\n%x", i, err, b)
		}
		if d.ip.Protocol == ip6.ProtocolIPv6 { // a tunnel to ff03::fc
			if d.ip, err = ip6.ParseDatagram(d.ip.Payload); err != nil {
				t.Fatalf("frame %d: %v\n%x", i, err, b)
			}
		}
		if d.ip.Protocol != ip6.ProtocolUDP {
			continue
		}
		if d.udp, err = ip6.ParseUDPHeader(d.ip.Payload); err != nil {
			t.Fatalf("frame %d: %v\n%x", i, err, b)
		}
		d.payload = d.ip.Payload[ip6.UDPHeaderSize:d.udp.Length]
		all = append(all, d)
	}
	return all
}

// open decrypts a secured frame, whichever node has sent it.
func open(f *ieee802154.Frame, psdu []byte) ([]byte, bool) {
	for seq := range keys.Sequence(3) {
		if seq.Index() != f.Security.KeyIndex {
			continue
		}
		ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, seq).MAC)
		for n := range uint8(captures.NumNodes) {
			if plaintext, err := f.Open(nil, psdu, ccm, captures.NodeExtAddr(n+1)); err == nil {
				return plaintext, true
			}
		}
	}
	return nil, false
}
