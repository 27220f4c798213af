package slaac

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
)

var network = [8]byte{0xde, 0xad, 0, 0xbe, 0xef, 0, 0xca, 0xfe}

func newTable(seed byte) *Table {
	return New(core.New(rand.NewChaCha8([32]byte{seed}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{7: 1}))
}

func prefixes(list ...string) (all []Prefix) {
	for _, s := range list {
		all = append(all, Prefix{netip.MustParsePrefix(s), true})
	}
	return all
}

// An address comes with its prefix, goes with it, and is the same again in the same network, also after a restart (RFC 7217 §5).
func TestUpdate(t *testing.T) {
	tb := newTable(1)
	if changed, created := tb.Update(nil, network); changed || created || tb.Secret() != (Secret{}) {
		t.Error("a secret without need")
	}
	changed, created := tb.Update(prefixes("2001:db8:1::/64"), network)
	if !changed || !created || len(tb.Addresses()) != 1 {
		t.Fatalf("%v, %v: %v", changed, created, tb.Addresses())
	}
	first := tb.Addresses()[0].Addr
	if changed, created := tb.Update(prefixes("2001:db8:1::/64"), network); changed || created {
		t.Error("again")
	}
	if changed, created := tb.Update(prefixes("2001:db8:2::/64", "2001:db8:1::/64"), network); !changed || created {
		t.Error("another prefix")
	}
	if a := tb.Addresses(); len(a) != 2 || a[0].Addr != first || ip6.InterfaceIDOf(a[1].Addr) == ip6.InterfaceIDOf(first) {
		t.Errorf("%v", a)
	}
	if changed, _ := tb.Update(nil, network); !changed || len(tb.Addresses()) != 0 {
		t.Error("left over")
	}
	again := newTable(2)
	again.Restore(tb.Secret(), tb.Conflicts())
	if _, created := again.Update(prefixes("2001:db8:1::/64"), network); created || again.Addresses()[0].Addr != first {
		t.Errorf("after a restart %v, want %v", again.Addresses(), first)
	}
	if again.Update(prefixes("2001:db8:1::/64"), [8]byte{1}); again.Addresses()[0].Addr == first {
		t.Error("the same in another network")
	}
	other := newTable(3)
	if other.Update(prefixes("2001:db8:1::/64"), network); other.Addresses()[0].Addr == first {
		t.Error("the same with another secret")
	}
	if changed, _ := again.Update([]Prefix{{netip.MustParsePrefix("2001:db8:1::/64"), false}}, network); !changed || again.Addresses()[0].Preferred {
		t.Error("still preferred")
	}
}

// F is SHA-256 of prefix, extended address, network, counter and secret, of which the last bytes are the identifier.
func TestIdentifier(t *testing.T) {
	tb := newTable(1)
	tb.Restore(Secret{15: 9}, nil)
	tb.Update(prefixes("2001:db8:1:2::/64"), network)
	b, _ := hex.DecodeString("20010db800010002" + "0000000000000001" + "dead00beef00cafe" + "00" + "00000000000000000000000000000009")
	hash := sha256.Sum256(b)
	if got := ip6.InterfaceIDOf(tb.Addresses()[0].Addr); !slices.Equal(got[:], hash[24:]) {
		t.Errorf("%v, want %x", got, hash[24:])
	}
}

func TestLimits(t *testing.T) {
	tb := newTable(1)
	tb.Update(prefixes("2001:db8::/48", "2001:db8:1::/65", "2001:db8:2::/64", "2001:db8:3::/64", "2001:db8:4::/64", "2001:db8:5::/64", "2001:db8:6::/64"), network)
	a := slices.Clone(tb.Addresses())
	if len(a) != MaxAddresses || !netip.MustParsePrefix("2001:db8:5::/64").Contains(a[3].Addr) {
		t.Errorf("%v", a)
	}
	// A place that gets free is taken at once; those that are there stay.
	tb.Update(prefixes("2001:db8:6::/64", "2001:db8:5::/64", "2001:db8:4::/64"), network)
	if got := tb.Addresses(); len(got) != 3 || got[0] != a[2] || got[1] != a[3] {
		t.Errorf("%v", got)
	}
}

// An address that another node has, too, gives way to the next of its prefix, for good (RFC 7217 §6).
func TestDuplicate(t *testing.T) {
	tb := newTable(1)
	tb.Update(prefixes("2001:db8:1::/64", "2001:db8:2::/64"), network)
	before := slices.Clone(tb.Addresses())
	if tb.Duplicate(netip.MustParseAddr("2001:db8:1::1")) {
		t.Error("not one of these")
	}
	if !tb.Duplicate(before[0].Addr) || tb.Addresses()[0] == before[0] || tb.Addresses()[1] != before[1] {
		t.Errorf("%v, then %v", before, tb.Addresses())
	}
	again := newTable(2)
	again.Restore(tb.Secret(), tb.Conflicts())
	again.Update(prefixes("2001:db8:1::/64"), network)
	if again.Addresses()[0] != tb.Addresses()[0] {
		t.Errorf("after a restart %v", again.Addresses())
	}
	for i := range 40 {
		p := Prefix{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i)}), 64), true}
		tb.Update([]Prefix{p}, network)
		tb.Duplicate(tb.Addresses()[0].Addr)
	}
	if n := len(tb.Conflicts()); n != maxDADs {
		t.Errorf("%d conflicts are remembered", n)
	}
}

func TestReserved(t *testing.T) {
	for s, want := range map[string]bool{
		"0000000000000000": true, "000000fffe005800": true, "000000fffe00fc00": true, "fdffffffffffff80": true, "fdffffffffffffff": true,
		"02005efffe000001": true, "fdffffffffffff7f": false, "0200000000000001": false, "000000fffd005800": false,
	} {
		b, _ := hex.DecodeString(s)
		if got := reserved(ip6.InterfaceID(b)); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}
