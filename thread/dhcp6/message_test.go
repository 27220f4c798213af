package dhcp6

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

var vectors = []struct {
	name string
	m    Message
	hex  string
}{
	{"Solicit for two prefixes", Message{
		Type: Solicit, TransactionID: TransactionID{1, 2, 3}, Elapsed: 2 * time.Second, Client: ieee802154.ExtAddr{0x70, 0xb3, 7: 1},
		HasIANA: true, RapidCommit: true,
		Addresses: []Address{{Addr: netip.MustParseAddr("2001::")}, {Addr: netip.MustParseAddr("2002::")}},
	}, "01010203" + "0008000200c8" + "0001000c0003001b70b3000000000001" + "00030044" + "000000000000000000000000" +
		"00050018" + "20010000000000000000000000000000" + "0000000000000000" +
		"00050018" + "20020000000000000000000000000000" + "0000000000000000" + "000e0000"},
	{"Reply", Message{
		Type: Reply, TransactionID: TransactionID{0xff, 0, 1}, Server: ieee802154.ExtAddr{7: 9}, Client: ieee802154.ExtAddr{7: 1},
		HasIANA: true, IAID: 5, T1: Forever, T2: Forever, RapidCommit: true,
		Addresses: []Address{{netip.MustParseAddr("2001::1"), Forever, time.Hour}},
	}, "07ff0001" + "0002000c0003001b0000000000000009" + "0001000c0003001b0000000000000001" + "0003002e" + "00000005ffffffffffffffff" +
		"000d00020000" + "00050018" + "20010000000000000000000000000001" + "ffffffff00000e10" + "000e0000"},
	{"a Reply that refuses", Message{
		Type: Reply, Server: ieee802154.ExtAddr{7: 9}, Client: ieee802154.ExtAddr{7: 1}, HasIANA: true, Failed: true, RapidCommit: true,
	}, "07000000" + "0002000c0003001b0000000000000009" + "0001000c0003001b0000000000000001" + "00030012" + "000000000000000000000000" +
		"000d00020001" + "000e0000"},
}

func TestMessage(t *testing.T) {
	for _, v := range vectors {
		want, err := hex.DecodeString(v.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.m.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v, want %x", v.name, got, err, want)
		}
		m, err := ParseMessage(want)
		if err != nil || !reflect.DeepEqual(m, v.m) {
			t.Errorf("%s: %+v, %v, want %+v", v.name, m, err, v.m)
		}
	}
}

// Cut anywhere but between two options, a message is none.
func TestMessageTruncated(t *testing.T) {
	for _, v := range vectors {
		b, _ := v.m.AppendBinary(nil)
		for n := range b {
			if m, err := ParseMessage(b[:n]); err == nil {
				if again, _ := m.AppendBinary(nil); m.RapidCommit || len(again) > n+8 {
					t.Errorf("%s, %d bytes: %+v", v.name, n, m)
				}
			}
		}
	}
}

func TestMessageMalformed(t *testing.T) {
	for _, s := range []string{
		"", "070000", "07000000" + "0001000c0001001b0000000000000001", "07000000" + "0001000c000300010000000000000001",
		"07000000" + "0001000a0003001b000000000001", "01000000" + "00080001ff", "07000000" + "000d000100",
		"07000000" + "0003000b0000000000000000000000", "07000000" + "00030010" + "000000000000000000000000" + "00050018",
		"07000000" + "0003000c" + "000000000000000000000000" + "0003000c" + "000000000000000000000000",
	} {
		b, _ := hex.DecodeString(s)
		if m, err := ParseMessage(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", s, m, err)
		}
	}
	for _, m := range []Message{
		{Type: Reply, HasIANA: true, Addresses: []Address{{}}},
		{Type: Reply, HasIANA: true, Addresses: make([]Address, MaxAddresses+1)},
	} {
		if b, err := m.AppendBinary([]byte("x")); !errors.Is(err, ErrMalformed) || string(b) != "x" {
			t.Errorf("%+v: %q, %v", m, b, err)
		}
	}
	if Solicit.String() != "Solicit" || Reply.String() != "Reply" || Type(103).String() != "Type(103)" {
		t.Error(Type(103))
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, v := range vectors {
		b, _ := v.m.AppendBinary(nil)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		if len(m.Addresses) > MaxAddresses {
			t.Fatalf("%d addresses", len(m.Addresses))
		}
		again, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != Solicit && m.Type != Reply {
			return
		}
		m.Elapsed *= time.Duration(1) // a Reply has none
		if m.Type == Reply {
			m.Elapsed = 0
		}
		if m.Type == Solicit {
			m.Failed = false
		}
		if !m.HasIANA {
			m.Failed = false
		}
		if other, err := ParseMessage(again); err != nil || !reflect.DeepEqual(other, m) {
			t.Fatalf("%+v, %v, want %+v", other, err, m)
		}
	})
}
