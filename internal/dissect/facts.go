package dissect

import (
	"fmt"
	"strings"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// A factList collects what matters in a message.
type factList []string

func (l *factList) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// mleFacts picks what matters from the TLVs of a message, whatever its command. Challenges, responses and frame counters
// are left out.
func mleFacts(m mle.Message) []string {
	var l factList
	l.node(m)
	l.links(m)
	l.network(m)
	return l
}

// node tells of the sender, or of the receiver's place.
func (l *factList) node(m mle.Message) {
	leader, leaderErr := m.LeaderData()
	if r, err := m.SourceAddress(); err == nil {
		l.add("%s", named(r, leader, leaderErr == nil))
	}
	if r, err := m.Address16(); err == nil {
		l.add("child becomes %v", r)
	}
	if s, err := m.Status(); err == nil {
		l.add("status %s", mleStatusText(s))
	}
	if mode, err := m.Mode(); err == nil {
		l.add("mode %v", mode)
	}
	if d, err := m.Timeout(); err == nil {
		l.add("timeout %s", seconds(d))
	}
	if s, err := m.ScanMask(); err == nil {
		l.add("asks %s", scanMaskText(s))
	}
	if leaderErr == nil {
		l.add("partition %08x", leader.PartitionID)
	}
}

// links tells of routes and links, and of what is asked for.
func (l *factList) links(m mle.Message) {
	if r, err := m.Route64(); err == nil {
		l.add("routers%s", routerList(r.Routers))
	}
	if c, err := m.Connectivity(); err == nil {
		l.add("cost %d", c.LeaderCost)
	}
	if dB, err := m.LinkMargin(); err == nil {
		l.add("margin %d dB", dB)
	}
	if r, err := m.TLVRequest(); err == nil && len(r) > 0 {
		l.add("wants %s", tlvRequestText(r))
	}
	if r, err := m.AddressRegistration(); err == nil {
		n := 0
		for range r.All() {
			n++
		}
		l.add("%s", count(n, "address", "addresses"))
	}
}

// network tells of what the partition has in common.
func (l *factList) network(m mle.Message) {
	if c, err := m.Channel(); err == nil {
		l.add("channel %s", channelText(c))
	}
	if id, err := m.PANID(); err == nil {
		l.add("PAN %v", id)
	}
	if data, ok := m.Find(mle.TLVNetworkData); ok {
		if leader, err := m.LeaderData(); err == nil {
			l.add("network data %d: %s", leader.DataVersion, networkDataFact(data))
		}
	}
	if data, ok := m.Find(mle.TLVActiveOperationalDataset); ok {
		l.add("%s", datasetFact("active dataset", data))
	}
	if data, ok := m.Find(mle.TLVPendingOperationalDataset); ok {
		l.add("%s", datasetFact("pending dataset", data))
	}
	if data, ok := m.Find(mle.TLVThreadDiscovery); ok {
		if name, ok := tlv.Find(data, meshcop.TypeNetworkName); ok {
			l.add("network %q", name)
		}
	}
	if v, err := m.Version(); err == nil && v != mle.Version1_1 {
		l.add("version %s", versionText(v))
	}
}

// named prints a locator with the part that its node plays.
func named(r mle.RLOC16, leader mle.LeaderData, hasLeader bool) string {
	switch {
	case r.IsChild():
		return fmt.Sprintf("child %v", r)
	case hasLeader && r.RouterID() == leader.LeaderRouterID:
		return fmt.Sprintf("leader %v", r)
	case r.Valid():
		return fmt.Sprintf("router %v", r)
	default:
		return r.String()
	}
}

// networkDataFact names the prefixes in network data and counts the services.
func networkDataFact(b []byte) string {
	var words []string
	services := 0
	for t := range netdata.All(b) {
		switch t.Type {
		case netdata.TypePrefix:
			if p, err := netdata.ParsePrefix(t.Value); err == nil {
				words = append(words, p.Prefix.String())
			}
		case netdata.TypeService:
			services++
		}
	}
	if services > 0 {
		words = append(words, count(services, "service", "services"))
	}
	if len(words) == 0 {
		return "no prefixes"
	}
	return strings.Join(words, " ")
}

func datasetFact(kind string, b []byte) string {
	d, err := meshcop.ParseDataset(b)
	if err != nil || !d.Has(meshcop.HasNetworkName) {
		return kind
	}
	return fmt.Sprintf("%s of %q", kind, d.NetworkName)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// coapFacts picks what matters from a message of network management, or tells the size of an application's.
func (f *Frame) coapFacts() []string {
	m := f.CoAP
	if !m.TMF {
		if len(m.Payload) == 0 {
			return nil
		}
		return payloadFacts(m.Payload)
	}
	if !strings.HasPrefix(m.URI, "a/") {
		return tlvFacts(f.TLVs)
	}
	p := tmf.Payload(m.Payload)
	var facts []string
	if s, err := p.Status(); err == nil {
		facts = append(facts, s.String())
	}
	r, rlocErr := p.RLOC16()
	switch a, err := p.TargetEID(); {
	case err == nil && rlocErr == nil:
		facts = append(facts, fmt.Sprintf("%s is at %v", f.addr(a), r))
	case err == nil && m.URI == tmf.URIAddressQuery:
		facts = append(facts, "seeks "+f.addr(a))
	case err == nil:
		facts = append(facts, f.addr(a))
	case rlocErr == nil && m.URI == tmf.URIAddressSolicit && m.Code.IsRequest():
		facts = append(facts, "was "+r.String())
	case rlocErr == nil && m.URI == tmf.URIAddressSolicit:
		facts = append(facts, "becomes "+r.String())
	case rlocErr == nil:
		facts = append(facts, named(r, mle.LeaderData{}, false))
	}
	if ext, err := p.ExtendedMACAddress(); err == nil {
		facts = append(facts, ext.String())
	}
	if mask, err := p.RouterMask(); err == nil {
		facts = append(facts, "routers"+routerList(mask.Routers))
	}
	if data, err := p.ThreadNetworkData(); err == nil {
		facts = append(facts, "offers "+networkDataFact(data))
	}
	return facts
}

// tlvFacts names the TLVs of a message whose details only [Frame.Details] shows.
func tlvFacts(tlvs []TLV) []string {
	if len(tlvs) == 0 {
		return nil
	}
	const limit = 4
	var names []string
	for i := range tlvs {
		if i == limit {
			names = append(names, fmt.Sprintf("%d more", len(tlvs)-limit))
			break
		}
		names = append(names, tlvs[i].Name)
	}
	return []string{strings.Join(names, ", ")}
}
