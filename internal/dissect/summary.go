package dissect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// maxShownData is how many bytes of a user's payload a summary shows.
const maxShownData = 24

// Summary returns [Frame.Protocol] and [Frame.Facts] in one line.
func (f *Frame) Summary() string {
	facts := f.Facts()
	if len(facts) == 0 {
		return f.Protocol()
	}
	return f.Protocol() + ": " + strings.Join(facts, ", ")
}

// Protocol says what the frame is in a few words, all but rare ones in at most 27 letters: an MLE command, a resource of network management, UDP ports, or
// what the lower layers show; "?" if not even the MAC header can be read.
func (f *Frame) Protocol() string {
	switch {
	case f.MLE != nil:
		return "MLE " + f.MLE.Command.String()
	case f.CoAP != nil:
		return f.CoAP.protocol()
	case f.ICMPv6 != nil && f.ICMPv6.Type == ip6.ICMPv6DestinationUnreachable:
		return "ICMPv6 Unreachable"
	case f.ICMPv6 != nil:
		return "ICMPv6 " + f.ICMPv6.Type.String()
	case f.UDP != nil && f.UDP.DstPort == mle.UDPPort:
		return "MLE"
	case f.UDP != nil && (f.UDP.DstPort == tmf.UDPPort || f.UDP.SrcPort == tmf.UDPPort):
		return "TMF"
	case f.UDP != nil:
		return fmt.Sprintf("UDP %d > %d", f.UDP.SrcPort, f.UDP.DstPort)
	case len(f.IP) > 0:
		return "IPv6 " + f.innermost().Protocol.String()
	case f.Fragment != nil:
		return "fragment"
	case !f.MAC.readable:
		return "?"
	case f.MAC.Type == ieee802154.Command:
		return f.MAC.Command.String()
	case f.MAC.Type == ieee802154.Data && len(f.MAC.Payload) == 0:
		return "empty data"
	default:
		return f.MAC.Type.String()
	}
}

// resourceNames are what Thread calls the messages of network management.
var resourceNames = map[string]string{
	tmf.URIAddressQuery:         "Address Query",
	tmf.URIAddressNotify:        "Address Notify",
	tmf.URIAddressError:         "Address Error",
	tmf.URIAddressSolicit:       "Address Solicit",
	tmf.URIAddressRelease:       "Address Release",
	tmf.URIServerData:           "Server Data",
	tmf.URIActiveGet:            "Active Get",
	tmf.URIActiveSet:            "Active Set",
	tmf.URIPendingGet:           "Pending Get",
	tmf.URIPendingSet:           "Pending Set",
	tmf.URICommissionerGet:      "Commissioner Get",
	tmf.URICommissionerSet:      "Commissioner Set",
	tmf.URIDatasetChanged:       "Dataset Changed",
	tmf.URIDiagnosticGetRequest: "Diagnostic Get",
	tmf.URIDiagnosticGetQuery:   "Diagnostic Query",
	tmf.URIDiagnosticGetAnswer:  "Diagnostic Answer",
	tmf.URIDiagnosticReset:      "Diagnostic Reset",
}

func (m *CoAP) protocol() string {
	kind := "CoAP"
	if m.TMF {
		kind = "TMF"
	}
	what := m.Code.String()
	switch {
	case m.Code == coap.Empty:
		what = m.Type.String()
	case m.Code.IsRequest() && m.TMF && resourceNames[m.URI] != "":
		what = resourceNames[m.URI]
	case m.Code.IsRequest():
		what = methodName(m.Code)
	}
	if m.URI == "" {
		return kind + " " + what
	}
	return kind + " " + m.URI + " " + what
}

func methodName(c coap.Code) string {
	switch c {
	case coap.GET:
		return "GET"
	case coap.POST:
		return "POST"
	case coap.PUT:
		return "PUT"
	case coap.DELETE:
		return "DELETE"
	default:
		return c.String()
	}
}

// Facts are the most important things that the layers say, from the message downwards, in few words each. The last one is
// the problem, if there is one.
func (f *Frame) Facts() []string {
	var facts []string
	switch {
	case f.MLE != nil:
		facts = mleFacts(f.MLE.Message)
	case f.CoAP != nil:
		facts = append(f.coapFacts(), f.ipFacts()...)
	case f.ICMPv6 != nil:
		facts = append(f.icmpv6Facts(), f.ipFacts()...)
	case f.UDP != nil:
		facts = append(payloadFacts(f.UDP.Payload), f.ipFacts()...)
	case len(f.IP) > 0:
		facts = append(payloadFacts(f.innermost().Payload), f.ipFacts()...)
	}
	facts = append(facts, f.lowpanFacts()...)
	facts = append(facts, f.macFacts()...)
	if f.Problem != nil {
		facts = append(facts, "not decoded: "+f.Problem.Error())
	}
	return facts
}

func (f *Frame) macFacts() []string {
	var facts []string
	if f.Beacon != nil {
		facts = append(facts, fmt.Sprintf("network %q, extended PAN %x", f.Beacon.NetworkName, f.Beacon.ExtPANID))
	}
	if f.MAC.readable && f.MAC.Plaintext == nil && len(f.MAC.Payload) > 0 {
		facts = append(facts, fmt.Sprintf("%d bytes", len(f.MAC.Payload)))
	}
	if f.MAC.WellKnownKey {
		facts = append(facts, "under the well-known key")
	}
	if f.MAC.Repeat {
		facts = append(facts, "sent again")
	}
	if f.MAC.FramePending && f.MAC.Type == ieee802154.Ack {
		facts = append(facts, "frame pending")
	}
	return facts
}

func (f *Frame) lowpanFacts() []string {
	var facts []string
	if g := f.Fragment; g != nil {
		switch {
		case g.Completes:
			facts = append(facts, fmt.Sprintf("%d bytes from fragments", g.DatagramSize))
		case g.Offset == 0:
			facts = append(facts, fmt.Sprintf("start of %d bytes, tag %d", g.DatagramSize, g.Tag))
		default:
			facts = append(facts, fmt.Sprintf("from byte %d of %d, tag %d", g.Offset, g.DatagramSize, g.Tag))
		}
	}
	if f.Unaddressed {
		facts = append(facts, "addresses left out")
	}
	if m := f.Mesh; m != nil {
		facts = append(facts, fmt.Sprintf("mesh %v > %v, %d hops left", m.Src, m.Dst, m.HopsLeft))
	}
	return facts
}

// ipFacts tells the IPv6 addresses unless they follow from the link-layer addresses, and what MPL says.
func (f *Frame) ipFacts() []string {
	ip := f.innermost()
	src, dst := f.linkLayer()
	var facts []string
	switch known := implied(ip.Src, src); {
	case known && implied(ip.Dst, dst):
	case known && ip.Dst.IsMulticast():
		facts = append(facts, "to "+ip.Dst.String())
	default:
		facts = append(facts, f.addr(ip.Src)+" > "+f.addr(ip.Dst))
	}
	for i := range f.IP {
		if outer := &f.IP[i]; outer.HasMPL {
			facts = append(facts, mplFact(outer.MPL))
		}
	}
	return facts
}

func mplFact(o ip6.MPLOption) string {
	if o.SeedIDLength == ip6.SeedID16 {
		return fmt.Sprintf("MPL sequence %d from %v", o.Sequence, mle.RLOC16(o.SeedID16()))
	}
	return fmt.Sprintf("MPL sequence %d", o.Sequence)
}

// implied reports whether an IPv6 address is made of a link-layer address.
func implied(ip netip.Addr, link ieee802154.Addr) bool {
	iid, ok := lowpan.InterfaceID(link)
	return ok && !ip.IsMulticast() && ip6.InterfaceIDOf(ip) == iid
}

// addr prints an IPv6 address: that of the mesh-local prefix in short, as the locator that it is or as "ml:" and the
// interface identifier.
func (f *Frame) addr(a netip.Addr) string {
	if !f.meshLocal.Contains(a) {
		return a.String()
	}
	r, ok := mle.LocatorOf(a)
	switch {
	case ok && r == mle.ALOCLeader:
		return "the leader"
	case ok:
		return r.String()
	default:
		return "ml:" + ip6.InterfaceIDOf(a).String()
	}
}

func (f *Frame) icmpv6Facts() []string {
	switch m := f.ICMPv6; {
	case m.Echo != nil:
		return []string{fmt.Sprintf("%d bytes, id %d, sequence %d", len(m.Echo.Data), m.Echo.Identifier, m.Echo.Sequence)}
	case m.Type == ip6.ICMPv6DestinationUnreachable:
		facts := []string{ip6.UnreachableCode(m.Code).String()}
		if m.Invoking != nil {
			facts = append(facts, "for "+f.addr(m.Invoking.Dst))
		}
		return facts
	default:
		return []string{fmt.Sprintf("code %d", m.Code)}
	}
}

// payloadFacts tells the size of a user's payload, and what is in it if that is text.
func payloadFacts(b []byte) []string {
	facts := []string{fmt.Sprintf("%d bytes", len(b))}
	if len(b) == 0 || len(b) > maxShownData {
		return facts
	}
	return append(facts, dataText(b))
}
