package dataset

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var network = meshcop.Network{
	Key:   [16]byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f},
	PANID: 0x1234, Name: "OpenThread", ExtPANID: [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
	MeshLocalPrefix: netip.MustParsePrefix("fdde:ad00:beef::/64"), Channel: 11,
}

var usual = meshcop.UsualPolicy(672 * time.Hour)

const (
	// generated is what a leader of that network makes, recorded from Pymesh's engine.
	generated = "000300000b" + "35060004001fffe0" + "0208dead00beef00cafe" + "0708fddead00beef0000" +
		"05100134c0de1ab51234c0de1ab5ca1a110f" + "030a4f70656e546872656164" + "01021234" +
		"041000000000000000000000000000000000" + "0c0302a0ff"

	// changed is another one, as a commissioner may have made it, with a TLV that this version does not know.
	changed = "01021234" + "030568656c6c6f" + "0c0302a0f8" + "fe03010203"

	noTime    = "0000000000000000"
	someTime  = "0000000000010000"
	otherTime = "0000000000020001"
)

// message is a Child ID Response with a timestamp and a dataset; "-" leaves one out.
func message(t testing.TB, timestamp, tlvs string) mle.Message {
	t.Helper()
	b := mle.AppendSourceAddress(nil, 0x5800)
	if timestamp != "-" {
		b = mle.AppendTLV(b, mle.TLVActiveTimestamp, unhex(t, timestamp))
	}
	if tlvs != "-" {
		b = mle.AppendTLV(b, mle.TLVActiveOperationalDataset, unhex(t, tlvs))
	}
	return mle.Message{Command: mle.ChildIDResponse, TLVs: b}
}

func check(t testing.TB, what string, a *Active, timestamp, tlvs string) {
	t.Helper()
	got := a.Timestamp()
	if !a.Known() || hex.EncodeToString(got[:]) != timestamp || hex.EncodeToString(a.TLVs()) != tlvs {
		t.Errorf("%s: known %v, %x, %x\nwant %s, %s", what, a.Known(), got, a.TLVs(), timestamp, tlvs)
	}
	want := append(unhex(t, "aa"), message(t, timestamp, tlvs).TLVs[4:]...)
	if b := a.AppendTLVs(a.AppendTimestamp([]byte{0xaa})); !bytes.Equal(b, want) {
		t.Errorf("%s: passed on as %x, want %x", what, b, want)
	}
	if !a.Same(message(t, timestamp, "-")) {
		t.Errorf("%s: not the same as itself", what)
	}
}

func TestUnknown(t *testing.T) {
	a := New(network, usual)
	if a.Known() || len(a.TLVs()) != 0 || a.Timestamp() != [8]byte{} || a.Same(message(t, noTime, "-")) {
		t.Errorf("%+v", a)
	}
	if b := a.AppendTLVs(a.AppendTimestamp([]byte{1})); len(b) != 1 {
		t.Errorf("%x", b)
	}
}

func TestNetwork(t *testing.T) {
	a := New(network, usual)
	if a.Network() != network {
		t.Errorf("%+v", a.Network())
	}
	other := network
	other.Key[0], other.Channel, other.MeshLocalPrefix = 2, 26, netip.MustParsePrefix("fd11::1:2:3/64")
	a.SetNetwork(other)
	other.MeshLocalPrefix = netip.MustParsePrefix("fd11::/64")
	if a.Network() != other {
		t.Errorf("%+v, want %+v", a.Network(), other)
	}
}

// The first leader of a network makes its dataset, with a timestamp older than any (Thread 1.1 §8.4).
func TestFound(t *testing.T) {
	a := New(network, usual)
	if err := a.Found(); err != nil {
		t.Fatal(err)
	}
	check(t, "found", a, noTime, generated)

	// Another partition goes on with it.
	if err := a.Found(); err != nil {
		t.Fatal(err)
	}
	check(t, "found again", a, noTime, generated)

	// A leader that knows one does not make its own.
	a = New(network, usual)
	if missing, err := a.Learn(message(t, someTime, generated)); missing || err != nil {
		t.Fatal(missing, err)
	}
	if err := a.Found(); err != nil {
		t.Fatal(err)
	}
	check(t, "learned before", a, someTime, generated)

	// What is not in a node's own dataset comes from the network.
	a = New(network, usual)
	if err := a.Set([8]byte(unhex(t, someTime)), unhex(t, changed), true); err != nil {
		t.Fatal(err)
	}
	if err := a.Found(); err != nil {
		t.Fatal(err)
	}
	check(t, "completed", a, someTime, strings.Replace(strings.Replace(generated, "030a4f70656e546872656164", "030568656c6c6f", 1),
		"0c0302a0ff", "0c0302a0f8fe03010203", 1))

	bad := network
	bad.Name = strings.Repeat("x", 17)
	a = New(bad, usual)
	if err := a.Found(); !errors.Is(err, meshcop.ErrTLVValue) || a.Known() {
		t.Errorf("%v, %+v", err, a)
	}
}

// A dataset is learned where its timestamp is another one, and kept as it came. One that is only announced is missing.
func TestLearn(t *testing.T) {
	for _, tt := range []struct {
		name            string
		timestamp, tlvs string // in the message
		missing         bool
		wantTimestamp   string
		wantTLVs        string
	}{
		{"another", otherTime, changed, false, otherTime, changed},
		{"another, empty", otherTime, "", false, otherTime, ""},
		{"an older one", noTime, changed, false, noTime, changed},
		{"an older one, announced", noTime, "-", true, someTime, generated},
		{"as old, of an authority", someTime[:15] + "1", changed, false, someTime, generated},
		{"another, announced", otherTime, "-", true, someTime, generated},
		{"the same", someTime, changed, false, someTime, generated},
		{"the same, announced", someTime, "-", false, someTime, generated},
		{"no timestamp", "-", changed, false, someTime, generated},
		{"neither", "-", "-", false, someTime, generated},
		{"short timestamp", otherTime[2:], changed, false, someTime, generated},
		{"long timestamp", otherTime + "00", changed, false, someTime, generated},
	} {
		a := New(network, usual)
		if missing, err := a.Learn(message(t, someTime, generated)); missing || err != nil {
			t.Fatal(missing, err)
		}
		m := message(t, tt.timestamp, tt.tlvs)
		missing, err := a.Learn(m)
		if missing != tt.missing || err != nil {
			t.Errorf("%s: missing %v, %v", tt.name, missing, err)
		}
		clear(m.TLVs) // it must be a copy
		check(t, tt.name, a, tt.wantTimestamp, tt.wantTLVs)
		want := network
		if tt.wantTLVs == changed {
			want.Name = "hello"
		}
		if a.Network() != want || a.Configured() != network {
			t.Errorf("%s: the network became %+v", tt.name, a.Network())
		}
	}

	// Who knows none learns even that without a time.
	a := New(network, usual)
	if missing, err := a.Learn(message(t, noTime, "-")); !missing || err != nil || a.Known() {
		t.Errorf("announced: %v, %v", missing, err)
	}
	if missing, err := a.Learn(message(t, noTime, changed)); missing || err != nil {
		t.Errorf("first: %v, %v", missing, err)
	}
	check(t, "first", a, noTime, changed)

	// One without time gives way to another one, which is given to who joins another partition.
	if missing, err := a.Learn(message(t, noTime, "-")); missing || err != nil {
		t.Errorf("announced: %v, %v", missing, err)
	}
	if missing, err := a.Learn(message(t, noTime, generated)); missing || err != nil || a.Dated() {
		t.Errorf("another: %v, %v", missing, err)
	}
	check(t, "another", a, noTime, generated)
}

// Who joins with a dataset without time tells by a digest which one that is: a parent that has the same one need not send it, and its answer is taken
// for that.
func TestDigest(t *testing.T) {
	other := network
	other.Name = "other"
	dated := New(network, usual)
	if err := dated.Set([8]byte(unhex(t, someTime)), unhex(t, generated), true); err != nil {
		t.Fatal(err)
	}
	member := New(network, usual)
	if _, err := member.Learn(message(t, noTime, generated)); err != nil {
		t.Fatal(err)
	}
	parent := New(network, usual)
	if err := parent.Found(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		child *Active
		told  bool
	}{
		{"as configured", New(network, usual), true},
		{"of another partition", member, true},
		{"configured otherwise", New(other, usual), false},
		{"one with a time", dated, false},
	} {
		m := mle.Message{Command: mle.ChildIDRequest, TLVs: tt.child.AppendDigest(nil)}
		if got := parent.Told(m); got != tt.told {
			t.Errorf("%s: %v", tt.name, got)
		}
		if New(network, usual).Told(m) || dated.Told(m) {
			t.Errorf("%s: a parent that has none, or one with a time, takes it for its own", tt.name)
		}
	}
	if m := message(t, noTime, "-"); !parent.Told(m) {
		t.Error("a timestamp tells as well")
	}

	child := New(network, usual)
	for _, m := range []mle.Message{message(t, "-", "-"), message(t, someTime, "-"), message(t, noTime, changed)} {
		if err := child.Confirm(m); err != nil || child.Known() {
			t.Errorf("%x confirms nothing: %v", m.TLVs, err)
		}
	}
	if err := child.Confirm(message(t, noTime, "-")); err != nil {
		t.Fatal(err)
	}
	check(t, "confirmed", child, noTime, generated)
	if missing, err := child.Learn(message(t, noTime, "-")); missing || err != nil {
		t.Errorf("after that it is missing: %v, %v", missing, err)
	}
	bad := network
	bad.Name = strings.Repeat("x", 17)
	if b := New(bad, usual).AppendDigest(nil); len(b) != 0 {
		t.Errorf("of none: %x", b)
	}
}

// The network follows the dataset, but for what the dataset has come by (Thread 1.1 §8.4.3).
func TestNetworkFollows(t *testing.T) {
	prefix, channel := "0708fd112233445566aa", "0003000014"
	followed := network
	followed.MeshLocalPrefix, followed.Channel = netip.MustParsePrefix("fd11:2233:4455:66aa::/64"), 20
	followed.Name, followed.ExtPANID = "other", [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, tt := range []struct {
		name, tlvs string
		want       meshcop.Network
		err        error
	}{
		{"all", prefix + channel + "03056f74686572" + "02080102030405060708" + "01021234", followed, nil},
		{"nothing", "0c0302a0f8", network, nil},
		{"a channel that is none of 2.4 GHz", "0003020001", network, nil},
		{"another key", "05100000000000000000000000000000000a", network, ErrForeign},
		{"another PAN", prefix + "01021235", network, ErrForeign},
	} {
		a := New(network, usual)
		if _, err := a.Learn(message(t, someTime, tt.tlvs)); !errors.Is(err, tt.err) || a.Network() != tt.want || a.Known() != (tt.err == nil) {
			t.Errorf("%s: %v, %+v", tt.name, err, a.Network())
		}
	}
	for _, bad := range []string{"0708200122334455660a", "0003000009"} {
		a := New(network, usual)
		if _, err := a.Learn(message(t, someTime, bad)); err == nil || a.Network() != network || a.Known() {
			t.Errorf("%s: %v, %+v", bad, err, a.Network())
		}
	}

	a := New(network, usual)
	if _, err := a.Learn(message(t, otherTime, prefix)); err != nil {
		t.Fatal(err)
	}
	before := a.Network()
	restored := New(network, usual)
	if err := restored.Set(a.Timestamp(), a.TLVs(), true); err != nil || restored.Network() != before {
		t.Errorf("restored: %v, %+v", err, restored.Network())
	}
	check(t, "restored", restored, otherTime, prefix)

	// In another network it is not known.
	other := network
	other.PANID = 0xbeef
	a.SetNetwork(other)
	if a.Known() || a.Network() != other || a.Timestamp() != [8]byte{} {
		t.Errorf("%+v", a)
	}
}

// A partition has another dataset than the newest that the node knows: the node follows the partition's, keeps its own, and has something to
// tell the leader. Once the leader has it, they are one again.
func TestOwn(t *testing.T) {
	named := func(name string) string { return "03" + hex.EncodeToString(append([]byte{byte(len(name))}, name...)) }
	a := New(network, usual)
	own := func(what, timestamp, tlvs string, unregistered bool) {
		t.Helper()
		got, b, ok := a.Own()
		if !ok || hex.EncodeToString(got[:]) != timestamp || hex.EncodeToString(b) != tlvs || a.Unregistered() != unregistered {
			t.Errorf("%s: %v, %x, %x, unregistered %v", what, ok, got, b, a.Unregistered())
		}
	}
	if err := a.Set([8]byte(unhex(t, otherTime)), unhex(t, named("mine")), true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Learn(message(t, someTime, named("theirs"))); err != nil || a.Network().Name != "theirs" {
		t.Errorf("%v, %+v", err, a.Network())
	}
	own("attached", otherTime, named("mine"), true)
	if a.Leave(); a.Network().Name != "mine" {
		t.Errorf("left: %+v", a.Network())
	}
	own("left", otherTime, named("mine"), false)
	if _, err := a.Learn(message(t, someTime, named("theirs"))); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Learn(message(t, otherTime, named("mine"))); err != nil || a.Network().Name != "mine" {
		t.Errorf("%v, %+v", err, a.Network())
	}
	own("registered", otherTime, named("mine"), false)

	// Set by command while attached it is for the leader to decide.
	const third = "0000000000030000"
	if err := a.Set([8]byte(unhex(t, third)), unhex(t, named("new")), false); err != nil || a.Network().Name != "mine" {
		t.Errorf("%v, %+v", err, a.Network())
	}
	own("set", third, named("new"), true)
}

// A pending dataset becomes the active one. Only with another key it may be older than the own one (Thread 1.1 §8.4.3.6).
func TestActivate(t *testing.T) {
	const newKey = "0510000102030405060708090a0b0c0d0e0f"
	for _, tt := range []struct {
		name, timestamp, tlvs string
		own                   string
	}{
		{"newer", otherTime, changed, otherTime},
		{"older", noTime, changed, someTime},
		{"another key, older", noTime, newKey, noTime},
	} {
		a := New(network, usual)
		if err := a.Set([8]byte(unhex(t, someTime)), unhex(t, generated), true); err != nil {
			t.Fatal(err)
		}
		if err := a.Activate([8]byte(unhex(t, tt.timestamp)), unhex(t, tt.tlvs)); err != nil {
			t.Fatal(err)
		}
		check(t, tt.name, a, tt.timestamp, tt.tlvs)
		if own, _, _ := a.Own(); hex.EncodeToString(own[:]) != tt.own {
			t.Errorf("%s: own %x", tt.name, own)
		}
		if rekeyed := a.Network().Key != network.Key; rekeyed != (tt.tlvs == newKey) {
			t.Errorf("%s: %+v", tt.name, a.Network())
		}
	}
	a := New(network, usual)
	if err := a.Activate([8]byte{}, unhex(t, "0003000009")); err == nil || a.Known() || a.Network() != network {
		t.Errorf("a channel that is none: %v, %+v", err, a.Network())
	}
}

// Another place, or another network, is tried, and given up again.
func TestTry(t *testing.T) {
	for _, known := range []bool{true, false} {
		a := New(network, usual)
		if known {
			if err := a.Set([8]byte(unhex(t, someTime)), unhex(t, changed), true); err != nil {
				t.Fatal(err)
			}
		}
		before := a.Network()
		if err := a.Try(unhex(t, "01024321"+"0003000014")); err != nil || a.Network().PANID != 0x4321 || a.Network().Channel != 20 {
			t.Errorf("%v, %+v", err, a.Network())
		}
		if a.Leave(); a.Network() != before || a.Known() != known {
			t.Errorf("back in %+v", a.Network())
		}
		if err := a.Move(12, 0xafce); err != nil || a.Network().PANID != 0xafce || a.Network().Channel != 12 {
			t.Errorf("%v, %+v", err, a.Network())
		}
		if err := a.Move(27, 0xafce); err == nil {
			t.Error("channel 27")
		}
		if _, err := a.Learn(message(t, otherTime, "0102afce"+"000300000c")); err != nil || a.Network().PANID != 0xafce {
			t.Errorf("%v, %+v", err, a.Network())
		}
		if a.Leave(); a.Network().PANID != 0xafce {
			t.Errorf("left for %+v", a.Network())
		}
	}
}

// The security policy of the dataset is in force; none, or one of no time, changes nothing.
func TestPolicy(t *testing.T) {
	a := New(network, usual)
	for _, tt := range []struct {
		tlvs string
		want meshcop.SecurityPolicy
	}{
		{"0c030002a8", meshcop.SecurityPolicy{RotationTime: 2 * time.Hour, Flags: 0xa8}},
		{"0c030000f8", meshcop.SecurityPolicy{RotationTime: 2 * time.Hour, Flags: 0xf8}},
		{"01021234", meshcop.SecurityPolicy{RotationTime: 2 * time.Hour, Flags: 0xf8}},
	} {
		if err := a.Set([8]byte{7: 2}, unhex(t, tt.tlvs), true); err != nil || a.Policy() != tt.want {
			t.Errorf("%s: %v, %+v", tt.tlvs, err, a.Policy())
		}
	}
	if a.SetNetwork(network); a.Policy() != usual {
		t.Errorf("%+v", a.Policy())
	}
}

func TestSame(t *testing.T) {
	a := New(network, usual)
	if _, err := a.Learn(message(t, someTime, changed)); err != nil {
		t.Fatal(err)
	}
	for timestamp, want := range map[string]bool{
		someTime: true, otherTime: false, noTime: false, "-": false, "": false, someTime[2:]: false, someTime + "00": false,
	} {
		if got := a.Same(message(t, timestamp, "-")); got != want {
			t.Errorf("%q: %v", timestamp, got)
		}
	}
}

// TestLearnTruncated cuts the dataset anywhere: what ends between two TLVs is whole, everything else changes nothing.
func TestLearnTruncated(t *testing.T) {
	for n := range len(generated) / 2 {
		cut := generated[:2*n]
		a := New(network, usual)
		if _, err := a.Learn(message(t, someTime, changed)); err != nil {
			t.Fatal(err)
		}
		missing, err := a.Learn(message(t, otherTime, cut))
		if missing {
			t.Errorf("%d bytes: missing", n)
		}
		if tlv.Validate(unhex(t, cut)) == nil {
			if err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
			check(t, cut, a, otherTime, cut)
			continue
		}
		if err == nil {
			t.Errorf("%d bytes: no error", n)
		}
		check(t, cut, a, someTime, changed)
	}
}

func TestLearnRefuses(t *testing.T) {
	fill := func(n int) string { return "fe" + hex.EncodeToString([]byte{byte(n - 2)}) + strings.Repeat("00", n-2) }
	for _, tt := range []struct {
		name, tlvs string
		want       error
	}{
		{"the longest", fill(254), nil},
		{"255 bytes", fill(253) + "fe00", errTooLong},
		{"a kilobyte", strings.Repeat("fe00", 512), errTooLong},
		{"short channel", "00020000", meshcop.ErrTLVLength},
		{"long name", "0311" + strings.Repeat("41", 17), meshcop.ErrTLVLength},
		{"short key", "050f" + strings.Repeat("00", 15), meshcop.ErrTLVLength},
		{"half a header", "05", tlv.ErrTruncated},
	} {
		a := New(network, usual)
		if _, err := a.Learn(message(t, someTime, changed)); err != nil {
			t.Fatal(err)
		}
		if missing, err := a.Learn(message(t, otherTime, tt.tlvs)); missing || !errors.Is(err, tt.want) {
			t.Errorf("%s: missing %v, %v", tt.name, missing, err)
		}
		if tt.want == nil {
			check(t, tt.name, a, otherTime, tt.tlvs)
		} else {
			check(t, tt.name, a, someTime, changed)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	a := New(network, usual)
	if err := a.Found(); err != nil {
		t.Fatal(err)
	}
	b, m := make([]byte, 0, 300), message(t, noTime, "-")
	if n := testing.AllocsPerRun(100, func() {
		b = a.AppendTLVs(a.AppendTimestamp(b[:0]))
		_, _ = a.Learn(m)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzLearn feeds the TLVs of any message: a dataset changes whole, to one that parses and fits, or not at all; one that is missing is
// announced; and what is known is passed on in a form in which another node learns the same.
func FuzzLearn(f *testing.F) {
	for _, timestamp := range []string{noTime, someTime, otherTime, "-", "00"} {
		for _, tlvs := range []string{generated, changed, "", "-", "05"} {
			f.Add(message(f, timestamp, tlvs).TLVs)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, m := New(network, usual), mle.Message{Command: mle.DataResponse, TLVs: b}
		if _, err := a.Learn(message(t, someTime, changed)); err != nil {
			t.Fatal(err)
		}
		missing, err := a.Learn(m)
		switch {
		case missing && (err != nil || !m.Has(mle.TLVActiveTimestamp) || m.Has(mle.TLVActiveOperationalDataset)):
			t.Fatalf("%x: missing, %v", b, err)
		case missing || err != nil:
			check(t, "unchanged", a, someTime, changed)
		}
		if _, err := meshcop.ParseDataset(a.TLVs()); err != nil || len(a.TLVs()) > maxSize {
			t.Fatalf("%x: learned %x, %v", b, a.TLVs(), err)
		}
		other := New(network, usual)
		passedOn := a.AppendTLVs(a.AppendTimestamp(nil))
		if missing, err := other.Learn(mle.Message{Command: mle.DataResponse, TLVs: passedOn}); missing || err != nil {
			t.Fatalf("%x: passed on as %x: missing %v, %v", b, passedOn, missing, err)
		}
		if !bytes.Equal(other.TLVs(), a.TLVs()) || other.Timestamp() != a.Timestamp() {
			t.Fatalf("%x: %x, %x", b, other.TLVs(), a.TLVs())
		}
	})
}
