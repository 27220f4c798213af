package dissect_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var (
	short = func(r mle.RLOC16) ieee802154.Addr { return ieee802154.ShortAddress(ieee802154.ShortAddr(r)) }
	all   = short(mle.BroadcastRLOC16)
)

// want checks a frame's summary and problem.
func want(t *testing.T, f dissect.Frame, summary string, problem error) {
	t.Helper()
	if got := f.Summary(); got != summary {
		t.Errorf("got  %s\nwant %s", got, summary)
	}
	if !errors.Is(f.Problem, problem) {
		t.Errorf("%s: problem %v, want %v", f.Summary(), f.Problem, problem)
	}
}

func TestSenderBecomesKnown(t *testing.T) {
	a := newAir(t)
	hello := func() []byte { return a.unicast(1, 0x5800, 0x5801, 1234, 1234, []byte("hello")) }
	want(t, a.hear(hello()), "data: 18 bytes, not decoded: sender not heard of before, or another key", dissect.ErrSender)
	want(t, a.hear(a.advertise(1, 0x5800)), "MLE Advertisement: router 0x5800", nil)
	f := a.hear(hello())
	want(t, f, `UDP 1234 > 1234: 5 bytes, "hello"`, nil)
	if f.MAC.Sender != ext(1) || !f.MAC.Opened {
		t.Errorf("sender %v", f.MAC.Sender)
	}

	// Another node gets the address: it is known, but under none yet.
	want(t, a.hear(a.mle(2, mle.AppendCommand(nil, mle.ParentRequest))), "MLE Parent Request", nil)
	f = a.hear(a.unicast(2, 0x5800, 0x5801, 1234, 1234, []byte("hello")))
	if f.Problem != nil || f.MAC.Sender != ext(2) {
		t.Errorf("%s: sender %v", f.Summary(), f.MAC.Sender)
	}
}

func TestChildBecomesKnown(t *testing.T) {
	a := newAir(t)
	response := mle.AppendAddress16(mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildIDResponse), 0x5800), 0x5801)
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, 0).MLE)
	message := mle.AppendSealed(nil, linkLocal(1), linkLocal(2), ext(1), 0, 1, ccm, response)
	from, to := ieee802154.ExtAddress(ext(1)), ieee802154.ExtAddress(ext(2))
	datagram := a.udp(linkLocal(1), linkLocal(2), mle.UDPPort, mle.UDPPort, message)
	want(t, a.hear(a.sealed(1, from, to, a.compressed(from, to, datagram))),
		"MLE Child ID Response: router 0x5800, child becomes 0x5801", nil)
	want(t, a.hear(a.unicast(2, 0x5801, 0x5800, 1234, 1234, nil)), "UDP 1234 > 1234: 0 bytes", nil)
}

func TestRouterBecomesKnown(t *testing.T) {
	a := newAir(t)
	a.hear(a.advertise(1, 0x5800))
	a.hear(a.advertise(2, 0x5801))
	options, err := coap.Options(nil).AppendURIPath(tmf.URIAddressSolicit)
	if err != nil {
		t.Fatal(err)
	}
	token, err := coap.NewToken([]byte{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	request := coap.Message{
		Type: coap.Confirmable, Code: coap.POST, MessageID: 7, Token: token, Options: options,
		Payload: tmf.AppendStatus(tmf.AppendExtendedMACAddress(nil, ext(3)), tmf.ReasonTooFewRouters),
	}
	want(t, a.hear(a.unicast(2, 0x5801, 0x5800, tmf.UDPPort, tmf.UDPPort, a.check(request.AppendBinary(nil)))),
		"TMF a/as Address Solicit: too few routers, "+ext(3).String(), nil)
	response := coap.Message{
		Type: coap.Acknowledgement, Code: coap.Changed, MessageID: 7, Token: token,
		Payload: tmf.AppendRLOC16(tmf.AppendStatus(nil, tmf.StatusSuccess), 0x2c00),
	}
	answer := a.check(response.AppendBinary(nil))
	want(t, a.hear(a.unicast(1, 0x5800, 0x5801, tmf.UDPPort, tmf.UDPPort, answer)), "TMF a/as 2.04: success, becomes 0x2c00", nil)
	want(t, a.hear(a.unicast(3, 0x2c00, 0x5800, 9, 9, nil)), "UDP 9 > 9: 0 bytes", nil)

	want(t, a.hear(a.unicast(1, 0x5800, 0x2c00, tmf.UDPPort, tmf.UDPPort, answer)),
		"TMF 2.04: not decoded: answers a request that was not seen", dissect.ErrRequest)
}

func TestKeySequence(t *testing.T) {
	a := newAir(t)
	a.hear(a.advertise(1, 0x5800))
	data := func() []byte { return a.unicast(1, 0x5800, 0x5801, 9, 9, nil) }
	for _, tt := range []struct {
		sequence keys.Sequence
		taught   bool // by an MLE message before
	}{
		{0, false}, {1, false}, {0, false}, {100, false}, {227, false}, {226, false},
		{1000, true}, {999, false}, {1127, false}, {5, true}, {1127, false},
	} {
		a.sequence = tt.sequence
		if tt.taught {
			if f := a.hear(data()); f.Problem == nil {
				t.Errorf("sequence %d is found by its index", tt.sequence)
			}
			want(t, a.hear(a.advertise(1, 0x5800)), "MLE Advertisement: router 0x5800", nil)
			if tt.sequence < 1000 {
				continue // one that is over teaches nothing
			}
		}
		f := a.hear(data())
		if f.Problem != nil || f.MAC.KeySequence != tt.sequence {
			t.Errorf("sequence %d: found %d, problem %v", tt.sequence, f.MAC.KeySequence, f.Problem)
		}
	}
}

func TestOtherKeys(t *testing.T) {
	a := newAir(t)
	from, to := ieee802154.ExtAddress(ext(1)), ieee802154.ExtAddress(ext(2))

	damaged := a.advertise(1, 0x5800)
	damaged[len(damaged)-5] ^= 1
	if f := a.hear(damaged); f.Problem != ip6.ErrChecksum || f.Protocol() != "MLE" {
		t.Errorf("%s", f.Summary())
	}
	sealed := a.sealed(1, from, to, []byte{0x60})
	sealed[len(sealed)-5] ^= 1
	want(t, a.hear(sealed), "data: 5 bytes, not decoded: another key, or damaged", dissect.ErrKey)

	joiner := a.frame(from, to, []byte{1, 2, 3})
	joiner.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeImplicit}
	psdu := a.check(joiner.AppendSealed(nil, ieee802154.NewCCM(captures.NetworkKey), ext(1)))
	want(t, a.hear(psdu), "data: 7 bytes, not decoded: secured with a key of another kind", dissect.ErrForeignKey)

	datagram := a.udp(linkLocal(1), ip6.LinkLocalAllNodes, 9, 9, []byte("all"))
	announce := a.frame(from, all, a.compressed(from, all, datagram))
	announce.Security = ieee802154.SecurityHeader{
		Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeSource4,
		KeySource: [8]byte{0xff, 0xff, 0xff, 0xff}, KeyIndex: 0xff,
	}
	psdu = a.check(announce.AppendSealed(nil, ieee802154.NewCCM(keys.Mode2Key), keys.Mode2ExtAddr))
	f := a.hear(psdu)
	want(t, f, `UDP 9 > 9: 3 bytes, "all", to ff02::1, under the well-known key`, nil)
	if !f.MAC.WellKnownKey {
		t.Error("the key is not known well")
	}
}

func TestAcknowledgments(t *testing.T) {
	a := newAir(t)
	f := a.hear(ieee802154.AppendAck(nil, 1, false))
	want(t, f, "ack", nil)
	if !f.MAC.From.IsNone() || !f.MAC.To.IsNone() {
		t.Errorf("from %v to %v", f.MAC.From, f.MAC.To)
	}
	psdu := a.unicast(1, 0x5800, 0x5801, 9, 9, nil)
	seq := a.hear(psdu).MAC.Seq
	f = a.hear(ieee802154.AppendAck(nil, seq, true))
	want(t, f, "ack: frame pending", nil)
	if f.MAC.From != short(0x5801) || f.MAC.To != short(0x5800) {
		t.Errorf("from %v to %v", f.MAC.From, f.MAC.To)
	}
	a.now = a.now.Add(time.Minute)
	if f := a.hear(ieee802154.AppendAck(nil, seq, false)); !f.MAC.From.IsNone() {
		t.Error("an acknowledgment after a minute has addresses")
	}
}

func TestRepeat(t *testing.T) {
	a := newAir(t)
	a.hear(a.advertise(1, 0x5800))
	psdu := a.unicast(1, 0x5800, 0x5801, 9, 9, nil)
	a.hear(psdu)
	want(t, a.hear(psdu), "UDP 9 > 9: 0 bytes, sent again", nil)
	a.hear(a.unicast(1, 0x5800, 0x5801, 9, 9, nil))
	if f := a.hear(psdu); f.MAC.Repeat {
		t.Error("repeats a frame before the last")
	}
}

func TestFragments(t *testing.T) {
	a := newAir(t)
	a.hear(a.advertise(1, 0x5800))
	a.hear(a.advertise(2, 0x2c00))
	p := lowpan.Packet{
		Datagram: a.udp(rloc(0x5800), rloc(0x0400), 9, 9, make([]byte, 150)), Tag: 5, Src: short(0x5800), Dst: short(0x0400),
	}
	mesh := lowpan.MeshHeader{HopsLeft: 4, Src: p.Src, Dst: p.Dst}
	var fragments [][]byte
	for next := 0; next < len(p.Datagram); {
		b, err := mesh.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, next, err = p.AppendFrame(b, next, 80, &a.contexts); err != nil {
			t.Fatal(err)
		}
		fragments = append(fragments, b)
	}
	if len(fragments) != 3 {
		t.Fatalf("%d fragments", len(fragments))
	}
	first := func(i int) []byte { return a.sealed(1, short(0x5800), short(0x2c00), fragments[i]) }
	second := func(i int) []byte { return a.sealed(2, short(0x2c00), short(0x0400), fragments[i]) }
	const way = ", mesh 0x5800 > 0x0400, 4 hops left"

	// Both hops at the same time, and a repetition of the last fragment.
	want(t, a.hear(first(0)), "fragment: start of 198 bytes, tag 5"+way, nil)
	want(t, a.hear(first(1)), "fragment: from byte 112 of 198, tag 5"+way, nil)
	want(t, a.hear(second(0)), "fragment: start of 198 bytes, tag 5"+way, nil)
	last := first(2)
	f := a.hear(last)
	want(t, f, "UDP 9 > 9: 150 bytes, 198 bytes from fragments"+way, nil)
	if !bytes.Equal(f.Datagram, p.Datagram) {
		t.Errorf("datagram %x", f.Datagram)
	}
	want(t, a.hear(last), "fragment: from byte 184 of 198, tag 5"+way+", sent again", nil)
	if n := a.d.Incomplete(); n != 1 {
		t.Errorf("%d incomplete, want that of the second hop", n)
	}
	a.hear(second(1))
	want(t, a.hear(second(2)), "UDP 9 > 9: 150 bytes, 198 bytes from fragments"+way, nil)
	if n := a.d.Incomplete(); n != 0 {
		t.Errorf("%d incomplete", n)
	}

	// One is lost.
	a.hear(first(0))
	a.hear(first(2))
	a.now = a.now.Add(2 * time.Minute)
	a.hear(first(1))
	if n := a.d.Incomplete(); n != 2 {
		t.Errorf("%d incomplete, want one given up and one new", n)
	}
}

func TestContextsAreLearned(t *testing.T) {
	a := newAir(t)
	prefix := []byte{0, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0}
	context := a.check(netdata.TLV{Type: netdata.TypeContext, Stable: true, Value: []byte{1<<4 | 3, 64}}.AppendBinary(nil))
	data := a.check(netdata.TLV{Type: netdata.TypePrefix, Stable: true, Value: append(prefix, context...)}.AppendBinary(nil))
	message := mle.AppendLeaderData(mle.AppendCommand(nil, mle.DataResponse), mle.LeaderData{DataVersion: 9})
	want(t, a.hear(a.mle(1, mle.AppendTLV(message, mle.TLVNetworkData, data))),
		"MLE Data Response: partition 00000000, network data 9: 2001:db8::/64", nil)
	contexts := a.d.Contexts()
	if c, ok := contexts.Get(3); !ok || c.Prefix.String() != "2001:db8::/64" || !c.Compress {
		t.Errorf("context %+v, %v", c, ok)
	}

	set := meshcop.Dataset{Present: meshcop.HasMeshLocalPrefix, MeshLocalPrefix: netip.MustParsePrefix("fd00:1::/64")}
	dataset := a.check(set.AppendBinary(nil))
	a.hear(a.mle(1, mle.AppendTLV(mle.AppendCommand(nil, mle.ChildIDResponse), mle.TLVActiveOperationalDataset, dataset)))
	contexts = a.d.Contexts()
	if c, _ := contexts.Get(lowpan.MeshLocalContext); c.Prefix != set.MeshLocalPrefix {
		t.Errorf("mesh-local prefix %v", c.Prefix)
	}
}

func TestUnsecured(t *testing.T) {
	a := newAir(t)
	from := ieee802154.ExtAddress(ext(1))
	discover := func(c mle.Command) dissect.Frame {
		inner := meshcop.AppendDiscoveryRequest(nil, meshcop.DiscoveryRequest{Version: 2})
		message := mle.AppendUnsecured(nil, mle.AppendTLV(mle.AppendCommand(nil, c), mle.TLVThreadDiscovery, inner))
		datagram := a.udp(linkLocal(1), ip6.LinkLocalAllRouters, mle.UDPPort, mle.UDPPort, message)
		return a.hear(a.plain(from, all, a.compressed(from, all, datagram)))
	}
	want(t, discover(mle.DiscoveryRequest), "MLE Discovery Request", nil)
	want(t, discover(mle.Advertisement), "MLE Advertisement: not decoded: not secured", dissect.ErrUnsecured)

	request := ieee802154.Frame{
		Type: ieee802154.Command, Command: ieee802154.BeaconRequest, DstPAN: ieee802154.BroadcastPAN, Dst: all,
	}
	want(t, a.hear(a.check(request.AppendBinary(nil))), "beacon request", nil)
	payload := ieee802154.BeaconPayload{Version: ieee802154.ThreadProtocolVersion, NetworkName: "mesh"}
	beacon := ieee802154.Frame{
		Type: ieee802154.Beacon, SrcPAN: testPAN, Src: from, Payload: a.check(payload.AppendBinary(nil)),
	}
	want(t, a.hear(a.check(beacon.AppendBinary(nil))), `beacon: network "mesh", extended PAN 0000000000000000`, nil)
	beacon.Payload = nil
	want(t, a.hear(a.check(beacon.AppendBinary(nil))), "beacon: not decoded: ieee802154: frame is truncated", ieee802154.ErrTruncated)
	want(t, a.hear(a.plain(from, all, nil)), "empty data", nil)
	want(t, a.hear(nil), "?: not decoded: ieee802154: frame is truncated", ieee802154.ErrTruncated)
}

func TestMalformedTLVs(t *testing.T) {
	a := newAir(t)
	for _, tt := range []struct {
		tlvs    []byte
		problem error
		text    string
	}{
		{[]byte{byte(mle.TLVMode), 2, 1, 2}, mle.ErrTLVLength, "  Mode                          0102 (mle: TLV of a wrong length)"},
		{[]byte{byte(mle.TLVNetworkData), 2, 2, 9}, netdata.ErrTruncated, "    cut off                     0209 (netdata: TLV exceeds its container)"},
		{[]byte{byte(mle.TLVActiveOperationalDataset), 3, 1, 1, 9}, meshcop.ErrTLVLength, "    PAN ID                      09 (meshcop: TLV of a wrong length)"},
		{[]byte{byte(mle.TLVThreadDiscovery), 1, 9}, tlv.ErrTruncated, "    cut off                     09 (tlv: element exceeds its container)"},
		{[]byte{99, 1, 9}, nil, "  TLV 99                        09"},
	} {
		f := a.hear(a.mle(1, append(mle.AppendCommand(nil, mle.Advertisement), tt.tlvs...)))
		if !errors.Is(f.Problem, tt.problem) {
			t.Errorf("%x: problem %v, want %v", tt.tlvs, f.Problem, tt.problem)
		}
		if !slices.Contains(f.Details(), tt.text) {
			t.Errorf("%x: no line %q in\n%s", tt.tlvs, tt.text, strings.Join(f.Details(), "\n"))
		}
	}
	f := a.hear(a.mle(1, []byte{byte(mle.Advertisement), 1, 9}))
	if f.Problem != mle.ErrMessage {
		t.Errorf("%s", f.Summary())
	}
}

// TestTruncation cuts frames off at every place: each is a problem, and none a panic.
func TestTruncation(t *testing.T) {
	for _, name := range []string{"pycom-s1", "pycom-s2", "ot-s4"} {
		records, err := captures.Frames(name)
		if err != nil {
			t.Fatal(err)
		}
		whole, cut := dissect.New(captures.NetworkKey), dissect.New(captures.NetworkKey)
		for i, r := range records[:200] {
			now := time.Unix(0, 0).Add(r.Time)
			for n := range r.PSDU {
				f := cut.Dissect(now, r.PSDU[:n])
				if f.Summary(); f.Problem == nil && len(f.MAC.Payload) > 0 {
					t.Errorf("%s frame %d cut to %d bytes: no problem in %s", name, i+1, n, f.Summary())
				}
			}
			if f := whole.Dissect(now, r.PSDU); f.Problem != nil {
				t.Errorf("%s frame %d: %v", name, i+1, f.Problem)
			}
		}
	}
}

// TestLateStart listens from the middle on: everything can be opened once every node has been heard in an MLE message.
func TestLateStart(t *testing.T) {
	records, err := captures.Frames("pycom-s2")
	if err != nil {
		t.Fatal(err)
	}
	const skipped = 300
	d := dissect.New(captures.NetworkKey)
	heard := map[ieee802154.ExtAddr]bool{}
	early, late := 0, 0
	for _, r := range records[skipped:] {
		f := d.Dissect(time.Unix(0, 0).Add(r.Time), r.PSDU)
		switch {
		case f.Problem == nil:
			if f.MLE != nil {
				heard[f.MLE.Sender] = true
			}
			if len(heard) == captures.NumNodes {
				late++
			}
		case f.Problem != dissect.ErrSender || len(heard) == captures.NumNodes:
			t.Errorf("at %v: %s", r.Time, f.Summary())
		default:
			early++
		}
	}
	if early == 0 || late == 0 {
		t.Errorf("%d frames not opened before, %d opened after all nodes were heard", early, late)
	}
}

// Addresses that a frame leaves out are those that were seen at both places.
func TestEnds(t *testing.T) {
	a := newAir(t)
	src, dst := netip.MustParseAddr("fdde:ad00:beef::1:2:3:4"), netip.MustParseAddr("fdde:ad00:beef::5:6:7:8")
	from, to := short(0x5800), short(0x5801)
	say := func(ends lowpan.Ends) []byte {
		t.Helper()
		p := lowpan.Packet{Datagram: a.udp(src, dst, 1234, 1234, []byte("hello")), Src: from, Dst: to, Ends: ends}
		payload, _, err := p.AppendFrame(nil, 0, 100, &a.contexts)
		return a.sealed(1, from, to, a.check(payload, err))
	}
	a.hear(a.advertise(1, 0x5800))
	f := a.hear(say(lowpan.Ends{Src: true, Dst: true}))
	want(t, f, `UDP 1234 > 1234: 5 bytes, "hello", addresses left out`, nil)
	if !f.Unaddressed {
		t.Error("not unaddressed")
	}
	for _, ends := range []lowpan.Ends{{}, {Dst: true}, {Src: true, Dst: true}} {
		f := a.hear(say(ends))
		if f.Problem != nil || f.Unaddressed || f.Ends != ends || f.IP[0].Src != src || f.IP[0].Dst != dst {
			t.Errorf("%+v: %s, %v > %v", ends, f.Summary(), f.IP[0].Src, f.IP[0].Dst)
		}
	}
	dst = netip.MustParseAddr("fdde:ad00:beef::9") // somebody else
	if f := a.hear(say(lowpan.Ends{Dst: true})); !f.Unaddressed || f.Problem != nil {
		t.Errorf("%s", f.Summary())
	}
}
