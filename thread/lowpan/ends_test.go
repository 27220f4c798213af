package lowpan

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// endDatagrams are between two ML-EIDs, but for the last ones.
func endDatagrams(t testing.TB) map[string][]byte {
	t.Helper()
	h := ip6.Header{HopLimit: 64, Src: netip.MustParseAddr("fdde:ad00:beef::1234:5678:9abc:def0"), Dst: netip.MustParseAddr("fdde:ad00:beef::1111:2222:3333:4444")}
	echo, err := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Data: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := ip6.AppendUDP(nil, h, 1234, 5678, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	h.Dst = netip.MustParseAddr("2001:dead:beef:cafe::1")
	outside, err := ip6.AppendUDP(nil, h, 1234, 5678, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	h.NextHeader, h.Dst = ip6.ProtocolNoNext, netip.MustParseAddr("fdde:ad00:beef::1111:2222:3333:4444")
	empty, err := h.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"echo": echo, "udp": udp, "outside": outside, "empty": empty}
}

func endContexts(t testing.TB) *Contexts {
	t.Helper()
	c := testContexts(t)
	c.bases[EndsContext] = base{}
	return c
}

func TestEnds(t *testing.T) {
	ctx := endContexts(t)
	src, dst := ieee802154.ShortAddress(0x5801), ieee802154.ShortAddress(0x6c00)
	all := endDatagrams(t)
	for _, tt := range []struct {
		name  string
		may   Ends
		want  Ends
		saves int // bytes, of which one tells the context
	}{
		{"echo", Ends{}, Ends{}, 0},
		{"echo", Ends{Dst: true}, Ends{Dst: true}, 8 - 1},
		{"echo", Ends{Src: true}, Ends{Src: true}, 8 - 1},
		{"echo", Ends{true, true}, Ends{true, true}, 16 - 1},
		{"udp", Ends{true, true}, Ends{true, true}, 16 - 1},
		{"outside", Ends{true, true}, Ends{Src: true}, 8}, // which has a context anyway
		{"empty", Ends{true, true}, Ends{}, 0},            // nothing would tell whether the addresses are right
	} {
		datagram := all[tt.name]
		plain, _, err := Packet{Datagram: datagram, Src: src, Dst: dst}.AppendFrame(nil, 0, 100, ctx)
		if err != nil {
			t.Fatal(err)
		}
		frame, next, err := Packet{Datagram: datagram, Src: src, Dst: dst, Ends: tt.may}.AppendFrame(nil, 0, 100, ctx)
		if err != nil || next != len(datagram) || EndsOf(frame, ctx) != tt.want || len(plain)-len(frame) != tt.saves {
			t.Errorf("%s, %+v: %+v left out, %d bytes saved, %v", tt.name, tt.may, EndsOf(frame, ctx), len(plain)-len(frame), err)
		}
		got, consumed, err := Decompress(nil, frame, src, dst, ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame[consumed:]...)
		want := bytes.Clone(datagram)
		h, _ := ip6.ParseHeader(want)
		if tt.want.Src {
			h.Src = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:5801")
		}
		if tt.want.Dst {
			h.Dst = netip.MustParseAddr("fdde:ad00:beef::ff:fe00:6c00")
		}
		ip6.SetAddresses(want, h.Src, h.Dst)
		if !bytes.Equal(got, want) {
			t.Errorf("%s, %+v:\ngot  %x\nwant %x", tt.name, tt.may, got, want)
		}
	}
}

// Nothing is left out of a datagram in fragments, nor where the network data have the context.
func TestEndsNot(t *testing.T) {
	src, dst := ieee802154.ShortAddress(0x5801), ieee802154.ShortAddress(0x6c00)
	p := Packet{Datagram: endDatagrams(t)["echo"], Src: src, Dst: dst, Ends: Ends{true, true}}
	for name, tt := range map[string]struct {
		ctx  *Contexts
		room int
		want bool
	}{
		"it fits":                       {endContexts(t), 28, true}, // 4 of LOWPAN_IPHC, 24 of ICMPv6
		"fragments":                     {endContexts(t), 27, false},
		"another context of that ID":    {testContexts(t), 100, false},
		"no mesh-local prefix is known": {new(Contexts), 100, false},
	} {
		frame, _, err := p.AppendFrame(nil, 0, tt.room, tt.ctx)
		if DispatchOf(frame) == DispatchFirstFragment {
			frame = frame[frag1Size:]
		}
		if got := EndsOf(frame, tt.ctx) != (Ends{}); got != tt.want && err == nil {
			t.Errorf("%s: %x, %v", name, frame, got)
		}
	}
	left, _, err := p.AppendFrame(nil, 0, 100, endContexts(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Decompress(nil, left, src, dst, new(Contexts), 0); err != ErrContext {
		t.Errorf("without a mesh-local prefix: %v", err)
	}
	for n := range left {
		_ = EndsOf(left[:n], endContexts(t))
	}
}

// What is left out comes back as the RLOC, and what comes back says so.
func FuzzEnds(f *testing.F) {
	for _, d := range endDatagrams(f) {
		f.Add(d, true, true)
	}
	ctx := endContexts(f)
	src, dst := ieee802154.ShortAddress(0x5801), ieee802154.ShortAddress(0x6c00)
	f.Fuzz(func(t *testing.T, datagram []byte, mayS, mayD bool) {
		frame, next, err := Packet{Datagram: datagram, Src: src, Dst: dst, Ends: Ends{mayS, mayD}}.AppendFrame(nil, 0, 200, ctx)
		if err != nil || next != len(datagram) {
			return
		}
		left := EndsOf(frame, ctx)
		if left.Src && !mayS || left.Dst && !mayD {
			t.Fatalf("%+v left out of %x", left, datagram)
		}
		got, consumed, err := Decompress(nil, frame, src, dst, ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame[consumed:]...)
		h, _ := ip6.ParseHeader(datagram)
		g, _ := ip6.ParseHeader(got)
		if !left.Src && g.Src != h.Src || !left.Dst && g.Dst != h.Dst {
			t.Fatalf("%v > %v became %v > %v, %+v left out", h.Src, h.Dst, g.Src, g.Dst, left)
		}
		ip6.SetAddresses(got, h.Src, h.Dst)
		if !bytes.Equal(got, datagram) {
			t.Fatalf("%x became %x", datagram, got)
		}
	})
}
