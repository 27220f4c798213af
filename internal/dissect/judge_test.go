package dissect_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var update = flag.Bool("update", false, "write testdata/judge.txt anew")

const judgement = "testdata/judge.txt"

// TestJudge takes every frame of the captures apart, to the last TLV, and puts each layer together again: the bytes must be
// those that were recorded. testdata/judge.txt says how much of what there is, so that nothing is left out unnoticed; its
// rows that start with "excused" are what the codecs need not, or cannot, make again.
func TestJudge(t *testing.T) {
	counts := counts{}
	for _, name := range captures.Names() {
		t.Run(name, func(t *testing.T) {
			j := judge{t: t, counts: counts, capture: name, trains: map[train][][]byte{}}
			j.all()
		})
	}
	got := counts.String()
	if *update {
		if err := os.WriteFile(judgement, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(judgement)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the captures hold something else than %s says:\n%s", judgement, got)
	}
}

// counts tells how often things occur in each capture.
type counts map[string]map[string]int

func (c counts) add(what, capture string) {
	if c[what] == nil {
		c[what] = map[string]int{}
	}
	c[what][capture]++
}

// String prints a row for each thing and a column for each capture.
func (c counts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-52s", "")
	for _, capture := range captures.Names() {
		fmt.Fprintf(&b, "%9s", capture)
	}
	fmt.Fprintf(&b, "%9s\n", "sum")
	for _, what := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%-52s", what)
		sum := 0
		for _, capture := range captures.Names() {
			fmt.Fprintf(&b, "%9d", c[what][capture])
			sum += c[what][capture]
		}
		fmt.Fprintf(&b, "%9d\n", sum)
	}
	return b.String()
}

// judge goes through one capture.
type judge struct {
	t       *testing.T
	counts  counts
	capture string
	at      string // the frame in question
	trains  map[train][][]byte
}

// train is what the fragments of a datagram on one hop have in common.
type train struct {
	src, dst, meshSrc, meshDst ieee802154.Addr
	size, tag                  uint16
}

func (j *judge) count(format string, args ...any) {
	j.counts.add(fmt.Sprintf(format, args...), j.capture)
}

func (j *judge) errorf(format string, args ...any) {
	j.t.Helper()
	j.t.Errorf("%s: %s", j.at, fmt.Sprintf(format, args...))
}

// same checks what a codec has made of a value.
func (j *judge) same(what string, got []byte, err error, want []byte) {
	j.t.Helper()
	if err != nil || !bytes.Equal(got, want) {
		j.errorf("%s made again: %v\n got %x\nwant %x", what, err, got, want)
	}
}

func (j *judge) all() {
	records, err := captures.Frames(j.capture)
	if err != nil {
		j.t.Fatal(err)
	}
	d := dissect.New(captures.NetworkKey)
	for i, r := range records {
		f := d.Dissect(time.Unix(0, 0).Add(r.Time), r.PSDU)
		j.at = fmt.Sprintf("frame %d (%v): %s", i+1, r.Time, f.Summary())
		j.count("frames")
		if f.Problem != nil {
			j.errorf("problem: %v\n%x", f.Problem, r.PSDU)
			continue
		}
		j.mac(&f)
		if f.MAC.Type == ieee802154.Data && len(f.MAC.Plaintext) > 0 {
			ctx := d.Contexts()
			j.lowpan(&f, &ctx)
		}
		if len(f.IP) > 0 {
			j.ip(&f)
		}
	}
	for id := range j.trains {
		j.t.Errorf("fragments without a datagram: %+v", id)
	}
	if n := d.Incomplete(); n > 0 {
		j.t.Errorf("%d datagrams are incomplete", n)
	}
}

// mac checks the MAC frame: parsed and written, and opened and sealed.
func (j *judge) mac(f *dissect.Frame) {
	m := &f.MAC
	j.count("MAC %v", m.Type)
	if m.Repeat {
		j.count("MAC frame sent again")
	}
	if !m.FCSValid {
		j.errorf("FCS is not valid")
	}
	got, err := m.AppendBinary(nil)
	j.same("frame", got, err, f.PSDU)
	switch {
	case m.Type == ieee802154.Ack && m.From.IsNone():
		j.count("MAC ack recorded before what it answers")
	case m.Type == ieee802154.Command:
		j.count("MAC command %v", m.Command)
	}
	if m.Security.Level == ieee802154.SecurityNone {
		return
	}
	j.count("MAC frame opened, sealed again")
	if !m.Opened || m.WellKnownKey {
		j.errorf("not opened with the network key")
		return
	}
	plain := m.Frame
	plain.Payload = m.Plaintext
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, m.KeySequence).MAC)
	got, err = plain.AppendSealed(nil, ccm, m.Sender)
	j.same("secured frame", got, err, f.PSDU)
}

// lowpan checks the 6LoWPAN headers: a datagram, compressed and cut into fragments, is the same frame payloads.
func (j *judge) lowpan(f *dissect.Frame, ctx *lowpan.Contexts) {
	payload, room := f.MAC.Plaintext, ieee802154.MaxPSDU-f.MAC.Overhead()
	p := lowpan.Packet{Datagram: f.Datagram, Src: f.MAC.Src, Dst: f.MAC.Dst}
	if h := f.Mesh; h != nil {
		j.count("6LoWPAN mesh header")
		got, err := h.AppendBinary(nil)
		j.same("mesh header", got, err, payload[:min(len(got), len(payload))])
		payload, room = payload[len(got):], room-len(got)
		p.Src, p.Dst = h.Src, h.Dst
	}
	payloads := [][]byte{payload}
	if g := f.Fragment; g != nil {
		if f.MAC.Repeat {
			return
		}
		j.count("6LoWPAN fragment")
		id := train{f.MAC.Src, f.MAC.Dst, p.Src, p.Dst, g.DatagramSize, g.Tag}
		j.trains[id] = append(j.trains[id], payload)
		if !g.Completes {
			return
		}
		j.count("6LoWPAN datagram from fragments")
		p.Tag, payloads = g.Tag, j.trains[id]
		delete(j.trains, id)
	} else {
		j.count("6LoWPAN datagram in one frame")
	}
	next := 0
	for _, want := range payloads {
		var got []byte
		var err error
		got, next, err = p.AppendFrame(nil, next, room, ctx)
		j.same("compressed datagram", got, err, want)
	}
	if next != len(p.Datagram) {
		j.errorf("frames hold %d of %d bytes", next, len(p.Datagram))
	}
}

// ip checks the datagram, whose checksum the dissector has verified, and what it carries.
func (j *judge) ip(f *dissect.Frame) {
	inner := &f.IP[len(f.IP)-1]
	header := inner.Header
	var got []byte
	var err error
	switch {
	case f.UDP != nil:
		j.count("IPv6 UDP")
		got, err = ip6.AppendUDP(nil, header, f.UDP.SrcPort, f.UDP.DstPort, f.UDP.Payload)
		j.udp(f)
	case f.ICMPv6 != nil && f.ICMPv6.Echo != nil:
		j.count("IPv6 ICMPv6 %v", f.ICMPv6.Type)
		got, err = ip6.AppendEcho(nil, header, f.ICMPv6.Type, *f.ICMPv6.Echo)
	default:
		j.errorf("datagram of %v", inner.Protocol)
		return
	}
	if inner.HasMPL && err == nil {
		j.count("IPv6 MPL option")
		got, err = ip6.InsertMPLOption(nil, got, inner.MPL)
	}
	for _, outer := range slices.Backward(f.IP[:len(f.IP)-1]) {
		j.count("IPv6 MPL tunnel")
		if err == nil {
			got, err = ip6.AppendTunnel(nil, outer.Header, outer.MPL, got)
		}
	}
	j.same("datagram", got, err, f.Datagram)
}

// udp checks the messages of the network: each port must have led to its decoder.
func (j *judge) udp(f *dissect.Frame) {
	switch {
	case f.UDP.DstPort == mle.UDPPort:
		j.mle(f)
	case f.UDP.DstPort == tmf.UDPPort || f.CoAP != nil:
		j.coap(f)
	default:
		j.count("UDP %d > %d", f.UDP.SrcPort, f.UDP.DstPort)
	}
}

func (j *judge) mle(f *dissect.Frame) {
	m := f.MLE
	if m == nil || m.Suite != mle.SuiteIEEE802154 {
		j.errorf("MLE message is not opened")
		return
	}
	j.count("MLE %v", m.Command)
	plain, err := m.AppendBinary(nil)
	if err != nil {
		j.errorf("%v", err)
	}
	ip := f.IP[len(f.IP)-1]
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, m.KeySequence).MLE)
	got := mle.AppendSealed(nil, ip.Src, ip.Dst, m.Sender, m.KeySequence, m.FrameCounter, ccm, plain)
	j.same("MLE message", got, nil, f.UDP.Payload)
	j.tlvs(f.TLVs)
}

func (j *judge) coap(f *dissect.Frame) {
	m := f.CoAP
	if m == nil {
		j.errorf("CoAP message is not parsed")
		return
	}
	if m.URI == "" {
		j.errorf("CoAP message without a path")
	}
	kind := "CoAP"
	if m.TMF {
		kind = "TMF"
	}
	j.count("%s %s %v", kind, m.URI, m.Code)
	got, err := m.AppendBinary(nil)
	j.same("CoAP message", got, err, f.UDP.Payload)

	// And with its options taken apart.
	parts := m.Message
	parts.Options = nil
	for number, value := range m.Options.All() {
		if parts.Options, err = parts.Options.Append(number, value); err != nil {
			j.errorf("option %d: %v", number, err)
		}
	}
	got, err = parts.AppendBinary(nil)
	j.same("CoAP options", got, err, f.UDP.Payload)
	if m.TMF && len(m.Payload) > 0 && len(f.TLVs) == 0 {
		j.errorf("payload is not parsed")
	}
	j.tlvs(f.TLVs)
}

// tlvs checks each TLV, and those inside of others.
func (j *judge) tlvs(tlvs []dissect.TLV) {
	for i := range tlvs {
		t := &tlvs[i]
		if t.Err != nil {
			j.errorf("%v %s: %v", t.Family, t.Name, t.Err)
			continue
		}
		j.tlvs(t.Sub)
		name := fmt.Sprintf("%v: %s", t.Family, t.Name)
		j.count("TLV %s", name)
		switch got, err := again(t); {
		case !t.Known:
			j.count("excused, of Thread 1.2: %s", name)
		case err == errNoCodec:
			j.count("excused, only bytes: %s", name)
		default:
			j.same(name, got, err, t.Raw)
		}
	}
}
