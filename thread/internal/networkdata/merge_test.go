package networkdata

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

const pymeshFlags = netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func onMesh(p string, preference netdata.Preference, stable bool) Entry {
	return Entry{Kind: OnMeshPrefix, Prefix: prefix(p), Preference: preference, Flags: pymeshFlags, Stable: stable}
}

func external(p string, preference netdata.Preference, stable bool) Entry {
	return Entry{Kind: ExternalRoute, Prefix: prefix(p), Preference: preference, Stable: stable}
}

func serviceOf(data, server string, stable bool) Entry {
	return Entry{Kind: Service, Enterprise: 123, ServiceData: data, ServerData: server, Stable: stable}
}

func newLeader() (*Data, *core.Core) {
	c := newCore()
	c.Now = time.Unix(1000, 0)
	d := New(c)
	d.Found()
	d.version, d.stableVersion = 10, 20
	return d, c
}

// register is a registration of entries as a whole, and checks that the data stay what they should be.
func register(t testing.TB, d *Data, server mle.RLOC16, entries ...Entry) error {
	t.Helper()
	var l Local
	for _, e := range entries {
		if err := l.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	before := slices.Clone(d.TLVs())
	changed, err := d.Register(server, l.AppendTLVs(nil, server))
	if err := netdata.Validate(d.TLVs()); err != nil {
		t.Fatalf("%x: %v", d.TLVs(), err)
	}
	if changed == bytes.Equal(before, d.TLVs()) {
		t.Errorf("changed %v: %x, then %x", changed, before, d.TLVs())
	}
	if err == nil && !l.In(d, server) {
		t.Errorf("%x does not have what was registered", d.TLVs())
	}
	return err
}

func check(t testing.TB, d *Data, version, stable uint8, want string) {
	t.Helper()
	if !bytes.Equal(d.TLVs(), unhex(t, "08040b020001"+want)) {
		t.Errorf("%x, want %s", d.TLVs()[6:], want)
	}
	if d.Version() != version || d.StableVersion() != stable {
		t.Errorf("versions %d and %d, want %d and %d", d.Version(), d.StableVersion(), version, stable)
	}
}

// One registration after the other, with the bytes that OpenThread of 2018 makes of them.
func TestRegister(t *testing.T) {
	d, _ := newLeader()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(register(t, d, 0x8800, onMesh("2001:dead:beef:cafe::/64", 0, true)))
	check(t, d, 11, 21, "0314"+"00402001deadbeefcafe"+"07021140"+"050488003300")

	// The same again changes nothing.
	must(register(t, d, 0x8800, onMesh("2001:dead:beef:cafe::/64", 0, true)))
	check(t, d, 11, 21, "0314"+"00402001deadbeefcafe"+"07021140"+"050488003300")

	// A second server, temporary: a TLV of its own, and no news for who wants the stable subset.
	must(register(t, d, 0x1c00, onMesh("2001:dead:beef:cafe::/64", -1, false)))
	check(t, d, 12, 21, "031a"+"00402001deadbeefcafe"+"07021140"+"050488003300"+"04041c00f300")

	// It becomes stable. Its servers are not named in the stable subset, but counted.
	must(register(t, d, 0x1c00, onMesh("2001:dead:beef:cafe::/64", -1, true)))
	check(t, d, 13, 22, "0318"+"00402001deadbeefcafe"+"07021140"+"0508880033001c00f300")

	// Routes and services.
	must(register(t, d, 0xb800, external("2001:db8::/32", 1, true), serviceOf("foo", "bar", true)))
	check(t, d, 14, 23, "0318"+"00402001deadbeefcafe"+"07021140"+"0508880033001c00f300"+
		"030b"+"002020010db8"+"0103b80040"+"0b10"+"000000007b03666f6f"+"0d05b800626172")

	// Another server of the service with the same ID; another service has the next.
	must(register(t, d, 0x1c00, serviceOf("foo", "", false), serviceOf("qux", "x", false)))
	check(t, d, 15, 24, "0314"+"00402001deadbeefcafe"+"07021140"+"050488003300"+
		"030b"+"002020010db8"+"0103b80040"+"0b14"+"000000007b03666f6f"+"0d05b800626172"+"0c021c00"+
		"0a0e"+"010000007b03717578"+"0c031c0078")

	// The service stays under its ID while one registers it anew, and the first is free again.
	must(register(t, d, 0xb800))
	must(register(t, d, 0x1c00, serviceOf("qux", "y", false)))
	check(t, d, 17, 25, "0314"+"00402001deadbeefcafe"+"07021140"+"050488003300"+"0a0e"+"010000007b03717578"+"0c031c0079")
	must(register(t, d, 0x1c00, serviceOf("qux", "y", false), serviceOf("new", "", false)))
	check(t, d, 18, 25, "0314"+"00402001deadbeefcafe"+"07021140"+"050488003300"+"0a0e"+"010000007b03717578"+"0c031c0079"+
		"0a0d"+"000000007b036e6577"+"0c021c00")
}

// The entry of a server that moves to another locator is the same to who wants the stable subset: it does not name servers.
func TestRegisterAnotherLocator(t *testing.T) {
	d, _ := newLeader()
	_ = register(t, d, 0x8801, onMesh("2001:db8::/64", 0, true))
	d.Withdraw(func(r mle.RLOC16) bool { return r == 0x8801 })
	_ = register(t, d, 0x1c00, onMesh("2001:db8::/64", 0, true))
	check(t, d, 13, 23, "0314"+"004020010db800000000"+"07021140"+"05041c003300")
	old := d.Version()
	_ = register(t, d, 0x1c00, onMesh("2001:db8::/64", 0, true), external("2001:db8:5::/48", 0, false))
	if d.Version() != old+1 || d.StableVersion() != 23 {
		t.Errorf("versions %d and %d", d.Version(), d.StableVersion())
	}
}

// A registration is refused as a whole.
func TestRegisterRefuses(t *testing.T) {
	full := func() *Data {
		d, _ := newLeader()
		if err := register(t, d, 0x8800, serviceOf(string(make([]byte, 100)), string(make([]byte, 100)), true)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct {
		name   string
		server mle.RLOC16
		tlvs   []byte
		want   error
	}{
		{"half a TLV", 0x1c00, []byte{3}, netdata.ErrTruncated},
		{"of another server", 0x1c00, encode([]Entry{onMesh("2001:db8::/64", 0, true)}, 0x2c00), ErrForeign},
		{"half of another server", 0x1c00, append(encode([]Entry{onMesh("2001:db8::/64", 0, true)}, 0x1c00),
			encode([]Entry{external("2001:db8::/64", 0, true)}, 0x2c00)...), ErrForeign},
		{"no place for the second", 0x1c00, encode([]Entry{onMesh("2001:db8:1::/64", 0, true), onMesh("2001:db8:2::/64", 0, true)}, 0x1c00), ErrFull},
	} {
		d := full()
		before, version, stable := slices.Clone(d.TLVs()), d.Version(), d.StableVersion()
		changed, err := d.Register(tt.server, tt.tlvs)
		if !errors.Is(err, tt.want) || changed || !bytes.Equal(d.TLVs(), before) || d.Version() != version || d.StableVersion() != stable {
			t.Errorf("%s: %v, %v, %x", tt.name, changed, err, d.TLVs())
		}
	}
	d := full()
	if err := register(t, d, 0x1c00, onMesh("2001:db8:1::/64", 0, true)); err != nil {
		t.Errorf("what has a place: %v", err)
	}
}

// IDs of contexts and services run out.
func TestRegisterIDs(t *testing.T) {
	d, _ := newLeader()
	var l Local
	for i := range 15 {
		if err := l.Set(Entry{Kind: OnMeshPrefix, Prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{byte(0x20 + i)}), 8)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Register(0x8800, l.AppendTLVs(nil, 0x8800)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Register(0x1c00, encode([]Entry{{Kind: OnMeshPrefix, Prefix: prefix("4000::/8")}}, 0x1c00)); !errors.Is(err, ErrFull) {
		t.Errorf("a context more: %v", err)
	}
	if _, err := d.Register(0x1c00, encode([]Entry{{Kind: OnMeshPrefix, Prefix: prefix("2000::/8")}}, 0x1c00)); err != nil {
		t.Errorf("a server more: %v", err)
	}
	d, _ = newLeader()
	l = Local{}
	for i := range 16 {
		if err := l.Set(Entry{Kind: Service, Enterprise: netdata.ThreadEnterprise, ServiceData: string(rune('a' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Register(0x8800, l.AppendTLVs(nil, 0x8800)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Register(0x1c00, encode([]Entry{{Kind: Service, Enterprise: netdata.ThreadEnterprise, ServiceData: "z"}}, 0x1c00)); !errors.Is(err, ErrFull) {
		t.Errorf("a service more: %v", err)
	}
}

// A context outlives its prefix's servers, without being used to compress; then its ID is free (Thread 1.1 §5.18.6).
func TestContextReuse(t *testing.T) {
	d, c := newLeader()
	d.ReuseDelay = 10 * time.Second
	_ = register(t, d, 0x8800, onMesh("2001:db8:1::/64", 0, true))
	if _, ok := d.NextTimeout(); ok {
		t.Error("a timer while there is a server")
	}
	_ = register(t, d, 0x8800)
	const idle = "030e" + "004020010db800010000" + "07020140"
	check(t, d, 12, 22, idle)
	at, ok := d.NextTimeout()
	if !ok || at != c.Now.Add(10*time.Second) || d.HandleTimeout() {
		t.Errorf("timer %v, %v", at, ok)
	}
	// Another prefix gets another ID, and the old one its own again.
	_ = register(t, d, 0x1c00, onMesh("2001:db8:2::/64", 0, true))
	check(t, d, 13, 23, idle+"0314"+"004020010db800020000"+"07021240"+"05041c003300")
	c.Now = c.Now.Add(9 * time.Second)
	_ = register(t, d, 0x8800, onMesh("2001:db8:1::/64", 0, true))
	if _, ok := d.NextTimeout(); ok {
		t.Error("a timer while there is a server again")
	}
	_ = register(t, d, 0x8800)
	c.Now = c.Now.Add(9 * time.Second)
	if d.HandleTimeout() {
		t.Error("too early")
	}
	c.Now = c.Now.Add(time.Second)
	if !d.HandleTimeout() {
		t.Error("never")
	}
	check(t, d, 16, 26, "0314"+"004020010db800020000"+"07021240"+"05041c003300")
	_ = register(t, d, 0x8800, onMesh("2001:db8:3::/64", 0, false))
	check(t, d, 17, 26, "0314"+"004020010db800020000"+"07021240"+"05041c003300"+"0214"+"004020010db800030000"+"06021140"+"040488003300")

	// A new leader goes by the data that it has.
	other, oc := newLeader()
	_ = other.Take(1, 1, unhex(t, "030e"+"004020010db800010000"+"07020740"))
	if at, ok := other.NextTimeout(); !ok || at != oc.Now.Add(DefaultReuseDelay) {
		t.Errorf("%v, %v", at, ok)
	}
	if id, _ := freeContext(parseElements(other.tlvs)); id != 1 {
		t.Errorf("context %d", id)
	}
}

func TestWithdraw(t *testing.T) {
	d, _ := newLeader()
	_ = register(t, d, 0x8800, onMesh("2001:db8:1::/64", 0, true), external("2001:db8:8::/48", 0, false))
	_ = register(t, d, 0x8803, external("2001:db8:8::/48", 1, false), serviceOf("a", "b", true))
	_ = register(t, d, 0x1c00, external("2001:db8:8::/48", -1, false))
	for _, r := range []mle.RLOC16{0x8800, 0x8803, 0x1c00} {
		if !d.Has(r) {
			t.Errorf("%v is not there", r)
		}
	}
	if d.Withdraw(func(r mle.RLOC16) bool { return r == 0x8801 }) {
		t.Error("nothing was there")
	}
	if !d.Withdraw(func(r mle.RLOC16) bool { return r.RouterID() == mle.RLOC16(0x8800).RouterID() }) {
		t.Error("nothing is gone")
	}
	check(t, d, 14, 23, "030e"+"004020010db800010000"+"07020140"+"020d"+"003020010db80008"+"00031c00c0")
	if d.Has(0x8800) || d.Has(0x8803) || !d.Has(0x1c00) {
		t.Errorf("%x", d.TLVs())
	}
}

func TestCommissioningData(t *testing.T) {
	d, _ := newLeader()
	_ = register(t, d, 0x8800, external("2001:db8:8::/48", 0, true))
	if changed, err := d.SetCommissioningData(unhex(t, "0b0212340901ff")); err != nil || !changed {
		t.Error(changed, err)
	}
	if !bytes.Equal(d.CommissioningData(), unhex(t, "0b0212340901ff")) || d.Version() != 12 || d.StableVersion() != 21 {
		t.Errorf("%x, versions %d and %d", d.TLVs(), d.Version(), d.StableVersion())
	}
	if _, err := d.SetCommissioningData(make([]byte, 250)); !errors.Is(err, ErrFull) || d.Version() != 12 {
		t.Error(err)
	}
	if _, err := d.SetCommissioningData(nil); err != nil || d.CommissioningData() != nil {
		t.Errorf("%x, %v", d.TLVs(), err)
	}
}

func TestLocal(t *testing.T) {
	var l Local
	for _, e := range []Entry{onMesh("2001:db8::/64", 0, true), external("2001:db8::/64", 0, true), serviceOf("a", "b", true)} {
		if err := l.Set(e); err != nil {
			t.Error(err)
		}
	}
	if err := l.Set(onMesh("2001:db8::/64", 1, false)); err != nil || len(l.Entries()) != 3 || l.Entries()[2].Preference != 1 {
		t.Errorf("replaced: %+v, %v", l.Entries(), err)
	}
	for _, e := range []Entry{serviceOf("a", string(make([]byte, 260)), true), serviceOf("c", string(make([]byte, 240)), true)} {
		if err := l.Set(e); !errors.Is(err, core.ErrTableFull) || len(l.Entries()) != 3 {
			t.Errorf("too long: %v", err)
		}
	}
	if err := l.Remove(onMesh("2001:db8:1::/64", 0, true)); !errors.Is(err, core.ErrNotFound) {
		t.Error(err)
	}
	if err := l.Remove(serviceOf("a", "", false)); err != nil || len(l.Entries()) != 2 {
		t.Errorf("%+v, %v", l.Entries(), err)
	}
	var tlvs []Entry
	for server, e := range All(l.AppendTLVs(nil, 0x1234)) {
		if server != 0x1234 {
			t.Error(server)
		}
		tlvs = append(tlvs, e)
	}
	if !slices.Equal(tlvs, l.Entries()) {
		t.Errorf("%+v, want %+v", tlvs, l.Entries())
	}
	for _, tt := range []struct {
		src, dst string
		want     bool
	}{
		{"2001:db8::1", "2600::1", false}, // no default route any more: see below
		{"2001:db9::1", "2001:db8::1", true}, {"2001:db9::1", "2600::1", false},
	} {
		l.entries[1].Flags = 0
		if got := l.Serves(netip.MustParseAddr(tt.src), netip.MustParseAddr(tt.dst)); got != tt.want {
			t.Errorf("%s to %s: %v", tt.src, tt.dst, got)
		}
	}
	l.entries[1].Flags = pymeshFlags
	if !l.Serves(netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2600::1")) {
		t.Error("no default route")
	}
}

// Whatever servers register and withdraw, in whatever order: the data have what was taken, no more, and no two things with one ID.
func TestRegisterProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		d, c := newLeader()
		d.ReuseDelay = time.Minute
		servers := map[mle.RLOC16]*Local{}
		for range 100 {
			c.Now = c.Now.Add(time.Duration(r.IntN(40)) * time.Second)
			d.HandleTimeout()
			server := mle.RLOC16(r.IntN(4)<<10 | r.IntN(2))
			var l Local
			for range r.IntN(3) {
				p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(r.IntN(6))}), 64)
				_ = l.Set(Entry{
					Kind: Kind(r.IntN(2)), Prefix: p, Preference: netdata.Preference(r.IntN(3) - 1), Stable: r.IntN(2) == 0,
				})
				_ = l.Set(serviceOf(string(rune('a'+r.IntN(5))), "x", r.IntN(2) == 0))
			}
			before := slices.Clone(d.TLVs())
			changed, err := d.Register(server, l.AppendTLVs(nil, server))
			if err == nil {
				servers[server] = &l
			}
			if changed == bytes.Equal(before, d.TLVs()) || len(d.TLVs()) > maxSize || netdata.Validate(d.TLVs()) != nil {
				t.Fatalf("changed %v, %v: %x", changed, err, d.TLVs())
			}
			contexts, services := map[uint8]bool{}, map[uint8]bool{}
			for c := range netdata.Contexts(d.TLVs()) {
				if contexts[c.ID] {
					t.Fatalf("context %d twice: %x", c.ID, d.TLVs())
				}
				contexts[c.ID] = true
			}
			for _, e := range parseElements(d.TLVs()) {
				if id, ok := e.serviceID(); ok && services[id] {
					t.Fatalf("service %d twice: %x", id, d.TLVs())
				} else if ok {
					services[id] = true
				}
			}
			for s, l := range servers {
				if !l.In(d, s) {
					t.Fatalf("%v: %x has not %+v", s, d.TLVs(), l.Entries())
				}
			}
		}
	}
}

// FuzzRegister takes what is whole and of one server. Whatever it is, the data stay well-formed and within their bounds.
func FuzzRegister(f *testing.F) {
	for _, s := range []string{"", prefix1, prefix1 + prefix2, service, "0302" + "0081", "0500", "0b0180"} {
		f.Add(unhex(f, s), uint16(0x8800))
	}
	f.Fuzz(func(t *testing.T, tlvs []byte, server uint16) {
		d, _ := newLeader()
		_ = register(t, d, 0x1c00, onMesh("2001:dead:beef:cafe::/64", 1, false), serviceOf("a", "b", true))
		before := slices.Clone(d.TLVs())
		changed, err := d.Register(mle.RLOC16(server), tlvs)
		if err != nil && changed || changed == bytes.Equal(before, d.TLVs()) {
			t.Fatalf("changed %v, %v: %x", changed, err, d.TLVs())
		}
		if len(d.TLVs()) > maxSize || netdata.Validate(d.TLVs()) != nil {
			t.Fatalf("%x", d.TLVs())
		}
		d.Withdraw(func(r mle.RLOC16) bool { return r == mle.RLOC16(server) })
		if d.Has(mle.RLOC16(server)) {
			t.Fatalf("%x", d.TLVs())
		}
	})
}
