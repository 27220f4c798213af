package networkdata

import (
	"bytes"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

func newCore() *core.Core {
	return core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{1})
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func take(t testing.TB, version, stable uint8, tlvs []byte) *Data {
	t.Helper()
	d := New(newCore())
	if err := d.Take(version, stable, tlvs); err != nil {
		t.Fatal(err)
	}
	return d
}

// A partition with two prefixes, each with a border router and a 6LoWPAN context, and a service.
const (
	commissioning = "08040b021d50"
	prefix1       = "0314" + "00402001deadbeefcafe" + "07021140" + "050488003300"
	prefix2       = "0314" + "004020010db800000000" + "07020240" + "050488003300"
	service       = "0b1280063131323233330d088800616162626363"
	everything    = commissioning + prefix1 + prefix2 + service
)

var meshLocal = netip.MustParsePrefix("fdde:ad00:beef::/64")

// A new partition's data are those of a partition without a commissioner (Thread 1.1 §5.18.2). Version and stable version are drawn in
// this order.
func TestFound(t *testing.T) {
	d, other := New(newCore()), newCore()
	if len(d.TLVs()) != 0 || d.Version() != 0 || d.StableVersion() != 0 || d.Outdated() {
		t.Errorf("new: %+v", d)
	}
	if err := d.Take(1, 2, unhex(t, everything)); err != nil {
		t.Fatal(err)
	}
	d.Invalidate()
	d.Found()
	version, stable := uint8(other.Rand.Uint32()), uint8(other.Rand.Uint32())
	if d.Version() != version || d.StableVersion() != stable || version == stable {
		t.Errorf("versions %d and %d, want %d and %d", d.Version(), d.StableVersion(), version, stable)
	}
	if !bytes.Equal(d.TLVs(), unhex(t, "08040b020001")) || d.Outdated() {
		t.Errorf("%x, outdated %v", d.TLVs(), d.Outdated())
	}
	if err := netdata.Validate(d.TLVs()); err != nil {
		t.Error(err)
	}
}

func TestTake(t *testing.T) {
	tlvs := unhex(t, everything)
	d := New(newCore())
	d.Invalidate()
	if err := d.Take(200, 100, tlvs); err != nil {
		t.Fatal(err)
	}
	clear(tlvs) // it must be a copy
	if !bytes.Equal(d.TLVs(), unhex(t, everything)) || d.Version() != 200 || d.StableVersion() != 100 || d.Outdated() {
		t.Errorf("%x, versions %d and %d, outdated %v", d.TLVs(), d.Version(), d.StableVersion(), d.Outdated())
	}
	if d.VersionFor(true) != 200 || d.VersionFor(false) != 100 {
		t.Errorf("versions for others: %d and %d", d.VersionFor(true), d.VersionFor(false))
	}
	if err := d.Take(201, 101, nil); err != nil || len(d.TLVs()) != 0 || d.Version() != 201 {
		t.Errorf("nothing: %x, %v", d.TLVs(), err)
	}
}

// TestTakeTruncated cuts the data anywhere: what ends between two TLVs is whole, everything else changes nothing.
func TestTakeTruncated(t *testing.T) {
	tlvs := unhex(t, everything)
	whole := []int{0}
	for _, s := range []string{commissioning, prefix1, prefix2} {
		whole = append(whole, whole[len(whole)-1]+len(s)/2)
	}
	for n := range tlvs {
		d := take(t, 7, 8, unhex(t, commissioning))
		d.Invalidate()
		err := d.Take(9, 10, tlvs[:n])
		if slices.Contains(whole, n) {
			if err != nil || !bytes.Equal(d.TLVs(), tlvs[:n]) {
				t.Errorf("%d bytes: %x, %v", n, d.TLVs(), err)
			}
			continue
		}
		if err == nil || !unchanged(t, d) {
			t.Errorf("%d bytes: %v, %+v", n, err, d)
		}
	}
}

func unchanged(t testing.TB, d *Data) bool {
	return d.Version() == 7 && d.StableVersion() == 8 && d.Outdated() && bytes.Equal(d.TLVs(), unhex(t, commissioning))
}

func TestTakeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		tlvs []byte
		want error
	}{
		{"256 bytes", append([]byte{0xfe, 254}, make([]byte, 254)...), errTooLong},
		{"a long tail", append(unhex(t, everything), make([]byte, 4000)...), errTooLong},
		{"half a header", []byte{8}, netdata.ErrTruncated},
		{"a prefix longer than an address", unhex(t, "0302"+"0081"), netdata.ErrValue},
		{"half a border router", unhex(t, "030e"+"00402001deadbeefcafe"+"05028800"), netdata.ErrValue},
		{"more inside than outside", unhex(t, "030c"+"00402001deadbeefcafe"+"0504"), netdata.ErrTruncated},
		{"a service without data", unhex(t, "0b0180"), netdata.ErrValue},
	} {
		d := take(t, 7, 8, unhex(t, commissioning))
		d.Invalidate()
		if err := d.Take(9, 10, tt.tlvs); !errors.Is(err, tt.want) || !unchanged(t, d) {
			t.Errorf("%s: %v, %+v", tt.name, err, d)
		}
	}
	// The longest that there is: 255 bytes in TLVs of an unknown type.
	longest := append([]byte{0xfe, 251}, make([]byte, 251)...)
	longest = append(longest, 0xfe, 0)
	if d := take(t, 1, 1, longest); len(d.TLVs()) != maxTaken {
		t.Errorf("%d bytes", len(d.TLVs()))
	}
}

func TestOutdated(t *testing.T) {
	d := take(t, 1, 2, unhex(t, everything))
	d.Invalidate()
	d.Invalidate()
	if !d.Outdated() || len(d.TLVs()) == 0 || d.Version() != 1 {
		t.Errorf("%+v", d)
	}
	if err := d.Take(1, 2, d.TLVs()); err != nil || d.Outdated() || !bytes.Equal(d.TLVs(), unhex(t, everything)) {
		t.Errorf("the same again: %x, %v", d.TLVs(), err)
	}
}

// Versions are serial numbers of 8 bits (Thread 1.1 §5.18): they wrap around.
func TestIsNewer(t *testing.T) {
	for _, tt := range []struct {
		ours, theirs uint8
		want         bool
	}{
		{0, 0, false}, {0, 1, true}, {1, 0, false}, {0, 127, true}, {0, 128, false}, {0, 129, false}, {0, 255, false},
		{255, 0, true}, {255, 126, true}, {255, 127, false}, {255, 254, false}, {128, 0, false}, {128, 255, true}, {200, 10, true},
	} {
		for _, other := range []uint8{0, 1, 127, 128, 255} {
			full := take(t, tt.ours, other, nil)
			if got := full.IsNewer(mle.LeaderData{DataVersion: tt.theirs, StableDataVersion: other + 1}, true); got != tt.want {
				t.Errorf("full data, %d after %d: %v", tt.theirs, tt.ours, got)
			}
			stable := take(t, other, tt.ours, nil)
			if got := stable.IsNewer(mle.LeaderData{DataVersion: other + 1, StableDataVersion: tt.theirs}, false); got != tt.want {
				t.Errorf("stable subset, %d after %d: %v", tt.theirs, tt.ours, got)
			}
		}
	}
}

// TestStableData leaves out what is not stable, down to what is inside prefixes and services, and what is empty then. Instead of the RLOC16s
// of servers it has 0xfffe, or the anycast locators of DHCPv6 agents and of services, as stock's leaders and parents send it (Thread 1.1 §5.18).
func TestStableData(t *testing.T) {
	const (
		stable = 1

		slaac, dhcp, configure = 0x33, 0x0b, 0x05 // flags of a border router
		anybody                = 0xfffe
	)
	prefix := func(flags byte, sub ...byte) []byte {
		value := append([]byte{0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 1}, sub...)
		return append([]byte{1<<1 | flags, byte(len(value))}, value...)
	}
	border := func(flags byte, rloc uint16, kind byte) []byte {
		return []byte{2<<1 | flags, 4, byte(rloc >> 8), byte(rloc), kind, 0}
	}
	route := func(flags byte, rlocs ...uint16) []byte {
		b := []byte{flags, byte(3 * len(rlocs))}
		for _, r := range rlocs {
			b = append(b, byte(r>>8), byte(r), 0x40)
		}
		return b
	}
	context := []byte{3<<1 | stable, 2, 0x13, 64}
	service := func(flags byte, sub ...byte) []byte {
		value := append([]byte{0x82, 2, 'a', 'b'}, sub...)
		return append([]byte{5<<1 | flags, byte(len(value))}, value...)
	}
	server := func(flags byte, rloc uint16) []byte { return []byte{6<<1 | flags, 3, byte(rloc >> 8), byte(rloc), 'x'} }
	cat := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	for _, tt := range []struct {
		name     string
		in, want []byte
	}{
		{"empty", nil, nil},
		{"stable prefix", prefix(stable, border(stable, 0x5800, slaac)...), prefix(stable, border(stable, anybody, slaac)...)},
		{"prefix for a while", prefix(0, border(0, 0x5800, slaac)...), nil},
		{"border router for a while", prefix(stable, cat(border(0, 0x5800, slaac), border(stable, 0x5c00, slaac))...),
			prefix(stable, border(stable, anybody, slaac)...)},
		{"DHCPv6 agent", prefix(stable, cat(border(stable, 0x5800, dhcp), context)...), prefix(stable, cat(border(stable, 0xfc03, dhcp), context)...)},
		{"DHCPv6 agent for configuration", prefix(stable, cat(context, border(stable, 0x5800, configure))...),
			prefix(stable, cat(context, border(stable, 0xfc03, configure))...)},
		{"DHCPv6 agent without a context", prefix(stable, border(stable, 0x5800, dhcp)...), prefix(stable, border(stable, anybody, dhcp)...)},
		{"DHCPv6 agent with a context for a while", prefix(stable, cat([]byte{3 << 1, 2, 0x13, 64}, border(stable, 0x5800, dhcp))...),
			prefix(stable, border(stable, anybody, dhcp)...)},
		{"routes", prefix(stable, cat(route(0, 0x5800), route(stable, 0x5800, 0x5c00))...), prefix(stable, route(stable, anybody, anybody)...)},
		{"both", cat(prefix(0, context...), prefix(stable, context...)), prefix(stable, context...)},
		{"prefix without anything stable", prefix(stable, border(0, 0x5800, slaac)...), nil},
		{"after a prefix that shrinks", cat(prefix(stable, cat(border(0, 0x5800, slaac), context)...), service(stable, server(stable, 0x5800)...)),
			cat(prefix(stable, context...), service(stable, server(stable, 0xfc12)...))},
		{"commissioning data", unhex(t, commissioning), nil},
		{"service", service(stable, server(stable, 0x8800)...), service(stable, server(stable, 0xfc12)...)},
		{"server for a while", service(stable, cat(server(0, 0x5800), server(stable, 0x8800), server(0, 0x5c00))...),
			service(stable, server(stable, 0xfc12)...)},
		{"service without a stable server", service(stable, server(0, 0x5800)...), nil},
		{"service for a while", service(0, server(0, 0x5800)...), nil},
		{"unknown", []byte{0xfe, 1, 0, 0xff, 1, 1}, []byte{0xff, 1, 1}},
	} {
		d := take(t, 1, 2, tt.in)
		for range 2 { // the working memory is used again
			if got := d.Stable(); !bytes.Equal(got, tt.want) {
				t.Errorf("%s: %x, want %x", tt.name, got, tt.want)
			}
		}
		if !bytes.Equal(d.TLVs(), tt.in) {
			t.Errorf("%s: the data became %x", tt.name, d.TLVs())
		}
	}
}

// Context 0 is the mesh-local prefix, the others come with the network data (Thread 1.1 §5).
func TestContexts(t *testing.T) {
	own := lowpan.Context{Prefix: meshLocal, Compress: true}
	first := lowpan.Context{Prefix: netip.MustParsePrefix("2001:dead:beef:cafe::/64"), Compress: true}
	second := lowpan.Context{Prefix: netip.MustParsePrefix("2001:db8::/64")}
	for _, tt := range []struct {
		name string
		tlvs string
		want map[uint8]lowpan.Context
	}{
		{"no prefix", commissioning, map[uint8]lowpan.Context{0: own}},
		{"one prefix", prefix1, map[uint8]lowpan.Context{0: own, 1: first}},
		{"two prefixes", everything, map[uint8]lowpan.Context{0: own, 1: first, 2: second}},
		{"context 0", "030e" + "00402001deadbeefcafe" + "07021040", map[uint8]lowpan.Context{0: own}},
		{"length 0", "030e" + "00402001deadbeefcafe" + "07021100", map[uint8]lowpan.Context{0: own}},
		{"longer than its prefix", "030e" + "00402001deadbeefcafe" + "07021141", map[uint8]lowpan.Context{0: own}},
		{"context 15", "030e" + "00402001deadbeefcafe" + "07021f40", map[uint8]lowpan.Context{0: own, 15: first}},
		{"one context twice", prefix2 + "030e" + "00402001deadbeefcafe" + "07021240", map[uint8]lowpan.Context{0: own, 2: first}},
	} {
		contexts := take(t, 1, 1, unhex(t, tt.tlvs)).Contexts(meshLocal)
		for id := range uint8(lowpan.NumContexts) {
			want, there := tt.want[id]
			if got, ok := contexts.Get(id); got != want || ok != there {
				t.Errorf("%s: context %d is %+v, %v, want %+v", tt.name, id, got, ok, want)
			}
		}
	}
	// Contexts of data that are replaced go with them.
	d := take(t, 1, 1, unhex(t, everything))
	d.Found()
	contexts := d.Contexts(meshLocal)
	if got, ok := contexts.Get(1); ok {
		t.Errorf("%+v is left", got)
	}
}

func TestNoAllocations(t *testing.T) {
	tlvs := unhex(t, everything)
	d := take(t, 1, 1, tlvs)
	if n := testing.AllocsPerRun(100, func() {
		d.Stable()
		d.Contexts(meshLocal)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTake takes what is whole and nothing else. The stable subset is whole then, not longer, and its own stable subset.
func FuzzTake(f *testing.F) {
	for _, s := range []string{"", commissioning, prefix1, prefix1 + prefix2, service, everything, "0302" + "0081", "030200000302"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, tlvs []byte) {
		d := take(t, 7, 8, unhex(t, commissioning))
		d.Invalidate()
		if err := d.Take(9, 10, tlvs); (err == nil) != (len(tlvs) <= maxTaken && netdata.Validate(tlvs) == nil) {
			t.Fatalf("%x: %v", tlvs, err)
		} else if err != nil {
			if !unchanged(t, d) {
				t.Fatalf("%x: %v, %+v", tlvs, err, d)
			}
			return
		}
		if !bytes.Equal(d.TLVs(), tlvs) || d.Version() != 9 || d.StableVersion() != 10 || d.Outdated() {
			t.Fatalf("%x: %+v", tlvs, d)
		}
		contexts := d.Contexts(meshLocal)
		if c, ok := contexts.Get(lowpan.MeshLocalContext); !ok || c.Prefix != meshLocal {
			t.Fatalf("%x: context 0 is %+v", tlvs, c)
		}
		stable := bytes.Clone(d.Stable())
		if len(stable) > len(tlvs) {
			t.Fatalf("%x: %x is longer", tlvs, stable)
		}
		if err := d.Take(11, 12, stable); err != nil {
			t.Fatalf("%x: %x: %v", tlvs, stable, err)
		}
		if again := d.Stable(); !bytes.Equal(again, stable) {
			t.Fatalf("%x: %x became %x", tlvs, stable, again)
		}
	})
}
