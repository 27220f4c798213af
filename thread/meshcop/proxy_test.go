package meshcop

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
)

const proxiedHex = "3110fddead00beef0000000000fffe00fc00" + "3009f0bff0bfdeadbeef01"

// TestProxied tries the codec in both directions, each truncation, and the long form of the TLV.
func TestProxied(t *testing.T) {
	b, err := hex.DecodeString(proxiedHex)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseProxied(b)
	if err != nil || p.SrcPort != 61631 || p.DstPort != 61631 || !bytes.Equal(p.Data, []byte{0xde, 0xad, 0xbe, 0xef, 1}) {
		t.Fatalf("%+v, %v", p, err)
	}
	if got, err := p.AppendBinary(nil); err != nil || !bytes.Equal(got, b) {
		t.Errorf("%x, %v", got, err)
	}
	for n := range b {
		if _, err := ParseProxied(b[:n]); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
	p.Data = bytes.Repeat([]byte{7}, 900)
	long, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseProxied(long); err != nil || !bytes.Equal(got.Data, p.Data) {
		t.Errorf("long: %d bytes, %v", len(got.Data), err)
	}
	for _, bad := range []Proxied{
		{}, {Addr: p.Addr, SrcPort: 1}, {Addr: p.Addr, DstPort: 1}, {Addr: netip.MustParseAddr("::"), SrcPort: 1, DstPort: 1},
		{Addr: netip.MustParseAddr("1.2.3.4"), SrcPort: 1, DstPort: 1}, {Addr: netip.MustParseAddr("::ffff:1.2.3.4"), SrcPort: 1, DstPort: 1},
		{Addr: p.Addr, SrcPort: 1, DstPort: 1, Data: make([]byte, 0x10000)},
	} {
		if _, err := bad.AppendBinary(nil); !errors.Is(err, ErrTLVValue) {
			t.Errorf("%v to %d: %v", bad.Addr, bad.DstPort, err)
		}
	}
}

func FuzzParseProxied(f *testing.F) {
	b, _ := hex.DecodeString(proxiedHex)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProxied(b)
		if err != nil {
			return
		}
		again, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := ParseProxied(again); err != nil || q.Addr != p.Addr || !bytes.Equal(q.Data, p.Data) {
			t.Errorf("%+v, %v", q, err)
		}
	})
}
