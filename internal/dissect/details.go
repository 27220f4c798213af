package dissect

import (
	"fmt"
	"strings"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// nameWidth is the column at which values stand in details.
const nameWidth = 32

// tlvIndent is how far a TLV stands to the right of what holds it.
const tlvIndent = "  "

// Details returns lines that tell all that is in the frame: one a layer, then one a TLV, those inside of another
// indented. They have no line ends.
func (f *Frame) Details() []string {
	var lines []string
	add := func(name, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%-*s%s", nameWidth, name, fmt.Sprintf(format, args...)))
	}
	if f.MAC.readable {
		add("IEEE 802.15.4", "%s", f.MAC.text())
	}
	if f.MAC.Opened {
		add("secured", "%s", f.MAC.securityText())
	}
	if f.Mesh != nil {
		add("mesh header", "%v > %v, %d hops left", f.Mesh.Src, f.Mesh.Dst, f.Mesh.HopsLeft)
	}
	if g := f.Fragment; g != nil {
		add("fragment", "tag %d, offset %d, %d bytes, of a datagram of %d", g.Tag, g.Offset, g.Bytes, g.DatagramSize)
	}
	for i := range f.IP {
		ip := &f.IP[i]
		add("IPv6", "%v > %v, %v, hop limit %d, %d bytes", ip.Src, ip.Dst, ip.Protocol, ip.HopLimit, len(ip.Payload))
		if ip.HasMPL {
			add("MPL", "%s", mplText(ip.MPL))
		}
	}
	if f.UDP != nil {
		add("UDP", "%d > %d, %d bytes", f.UDP.SrcPort, f.UDP.DstPort, len(f.UDP.Payload))
	}
	if f.MLE != nil && f.MLE.Suite == mle.SuiteIEEE802154 {
		add("MLE", "from %v, frame counter %d, key sequence %d", f.MLE.Sender, f.MLE.FrameCounter, f.MLE.KeySequence)
	}
	if f.ICMPv6 != nil {
		add("ICMPv6", "%s", strings.Join(f.icmpv6Facts(), ", "))
	}
	if f.CoAP != nil {
		add("CoAP", "%s", f.CoAP.text())
	}
	lines = appendTLVs(lines, f.TLVs, tlvIndent)
	if f.Problem != nil {
		add("packet", "%x", f.PSDU)
	}
	return lines
}

// appendTLVs appends a line for each TLV, and those of the TLVs inside after it.
func appendTLVs(lines []string, tlvs []TLV, indent string) []string {
	for i := range tlvs {
		t := &tlvs[i]
		value := t.Text
		if t.Err != nil {
			value += " (" + t.Err.Error() + ")"
		}
		if t.Stable {
			value = strings.TrimSuffix("stable, "+value, ", ")
		}
		line := fmt.Sprintf("%-*s%s", nameWidth, indent+t.Name, value)
		lines = appendTLVs(append(lines, strings.TrimRight(line, " ")), t.Sub, indent+tlvIndent)
	}
	return lines
}

func (m *MAC) text() string {
	s := fmt.Sprintf("%v of %v, number %d", m.Type, m.Version, m.Seq)
	if m.Dst.Mode != ieee802154.AddrModeNone {
		s += fmt.Sprintf(", PAN %v", m.DstPAN)
	}
	for _, flag := range [...]struct {
		set  bool
		name string
	}{{m.AckRequest, "acknowledgment requested"}, {m.FramePending, "frame pending"}, {!m.FCSValid, "FCS not valid"}} {
		if flag.set {
			s += ", " + flag.name
		}
	}
	return s
}

func mplText(o ip6.MPLOption) string {
	s := fmt.Sprintf("sequence %d", o.Sequence)
	if n := o.SeedIDLength.Size(); n > 0 {
		s += fmt.Sprintf(", seed %x", o.SeedID[:n])
	}
	if o.Max {
		s += ", the latest"
	}
	return s
}

func (m *CoAP) text() string {
	s := fmt.Sprintf("%v %v, message ID %d", m.Type, m.Code, m.MessageID)
	if m.Token.Len() > 0 {
		s += fmt.Sprintf(", token %v", m.Token)
	}
	if m.URI != "" {
		s += ", " + m.URI
	}
	return fmt.Sprintf("%s, %d bytes", s, len(m.Payload))
}

func (m *MAC) securityText() string {
	key := fmt.Sprintf("key sequence %d", m.KeySequence)
	if m.WellKnownKey {
		key = "well-known key"
	}
	return fmt.Sprintf("%v by %v, frame counter %d, %s", m.Security.Level, m.Sender, m.Security.FrameCounter, key)
}
