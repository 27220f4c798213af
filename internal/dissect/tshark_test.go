package dissect_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/tsharktest"
	"github.com/gopymesh/pymesh/thread/mle"
)

// TestAgainstTshark compares what is in each frame of the captures with what tshark finds there.
func TestAgainstTshark(t *testing.T) {
	network := tsharktest.Network{
		Key: captures.NetworkKey,
		PAN: 0x1234,
		Contexts: []netip.Prefix{
			dissect.DefaultMeshLocalPrefix,
			netip.MustParsePrefix("2001:dead:beef:cafe::/64"),
		},
	}
	for _, name := range captures.Names() {
		t.Run(name, func(t *testing.T) {
			records, err := captures.Frames(name)
			if err != nil {
				t.Fatal(err)
			}
			psdus := make([][]byte, len(records))
			for i, r := range records {
				psdus[i] = r.PSDU
			}
			d := dissect.New(captures.NetworkKey)
			for i, theirs := range tsharktest.Decode(t, network, psdus) {
				f := d.Dissect(time.Unix(0, 0).Add(records[i].Time), psdus[i])
				for field, ours := range tsharkFields(&f) {
					if got := theirs.Fields(field); !slices.Equal(got, ours) {
						t.Errorf("frame %d: %s: tshark finds %q in %s, we find %q", i+1, field, got, f.Summary(), ours)
					}
				}
			}
		})
	}
}

// tsharkFields returns what tshark ought to find in the fields of a frame.
func tsharkFields(f *dissect.Frame) map[string][]string {
	fields := map[string][]string{
		"wpan.seq_no": {fmt.Sprint(f.MAC.Seq)},
		"ipv6.src":    nil, "ipv6.dst": nil, "udp.srcport": nil, "udp.dstport": nil,
		"icmpv6.type": nil, "icmpv6.echo.sequence_number": nil, "mle.cmd": nil, "mle.tlv.type": nil, "coap.mid": nil,
		"coap.opt.uri_path": nil,
	}
	add := func(field string, value any) { fields[field] = append(fields[field], fmt.Sprint(value)) }
	for i := range f.IP {
		add("ipv6.src", f.IP[i].Src)
		add("ipv6.dst", f.IP[i].Dst)
	}
	if f.UDP != nil {
		add("udp.srcport", f.UDP.SrcPort)
		add("udp.dstport", f.UDP.DstPort)
	}
	if f.ICMPv6 != nil {
		add("icmpv6.type", uint8(f.ICMPv6.Type))
		if f.ICMPv6.Echo != nil {
			add("icmpv6.echo.sequence_number", f.ICMPv6.Echo.Sequence)
		}
	}
	if f.MLE != nil {
		add("mle.cmd", uint8(f.MLE.Command))
		for typ, value := range f.MLE.All() {
			add("mle.tlv.type", uint8(typ))
			if typ == mle.TLVTLVRequest { // tshark shows what is asked for under the same name
				for _, wanted := range value {
					add("mle.tlv.type", wanted)
				}
			}
		}
	}
	if f.CoAP != nil && f.CoAP.TMF {
		add("coap.mid", f.CoAP.MessageID)
		if f.CoAP.Code.IsRequest() {
			for segment := range strings.SplitSeq(f.CoAP.URI, "/") {
				add("coap.opt.uri_path", segment)
			}
		}
	}
	return fields
}
