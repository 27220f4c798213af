package netif

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
)

const (
	// maxFlows bounds the conversations that are remembered; the oldest gives way.
	maxFlows = 256
	// flowTime is how long a conversation is remembered after its last packet: a round trip through a mesh can take a minute, and RFC 4787
	// §4.3 wants two minutes at least, five by default.
	flowTime = 5 * time.Minute
)

// flows are the conversations that the mesh has begun with the outside.
type flows struct {
	seen map[talk]time.Time
}

// out remembers a packet from the mesh to the outside.
func (f *flows) out(now time.Time, p *packet) {
	if !p.later {
		f.note(now, talk{p.Protocol, p.Src, p.Dst, p.srcPort, p.dstPort})
	}
}

// fragments names the parts of one datagram, of which only the first tells what conversation it belongs to.
func fragments(p *packet) talk {
	return talk{ip6.ProtocolFragment, p.Src, p.Dst, uint16(p.fragmentID >> 16), uint16(p.fragmentID)}
}

func (f *flows) note(now time.Time, key talk) {
	if f.seen == nil {
		f.seen = make(map[talk]time.Time)
	}
	if _, ok := f.seen[key]; !ok && len(f.seen) >= maxFlows {
		f.dropOldest(now)
	}
	f.seen[key] = now
}

// in reports whether a packet from outside belongs to a conversation that the mesh has begun. An ICMPv6 error does if what it is about does.
func (f *flows) in(now time.Time, p *packet) bool {
	key := talk{p.Protocol, p.Src, p.Dst, p.srcPort, p.dstPort}.answer()
	if p.icmpError() {
		const unused = 4
		if len(p.icmp.Body) < unused {
			return false
		}
		about, ok := quoted(p.icmp.Body[unused:])
		if !ok || about.src != p.Dst {
			return false
		}
		key = about
	}
	if !f.fresh(now, key) {
		return false
	}
	f.seen[key] = now
	return true
}

func (f *flows) fresh(now time.Time, key talk) bool {
	at, ok := f.seen[key]
	return ok && now.Sub(at) <= flowTime
}

func (f *flows) len() int { return len(f.seen) }

func (f *flows) dropOldest(now time.Time) {
	var oldest talk
	var at time.Time
	for k, t := range f.seen {
		if now.Sub(t) > flowTime {
			delete(f.seen, k)
		} else if at.IsZero() || t.Before(at) {
			oldest, at = k, t
		}
	}
	if len(f.seen) >= maxFlows {
		delete(f.seen, oldest)
	}
}

// quoted reads the conversation of the packet that an ICMPv6 error quotes, the whole of which need not be there.
func quoted(b []byte) (talk, bool) {
	h, err := ip6.ParseHeader(b)
	if err != nil {
		return talk{}, false
	}
	t := talk{protocol: h.NextHeader, src: h.Src, dst: h.Dst}
	payload := b[ip6.HeaderSize:]
	const ports, echo = 4, 6
	switch {
	case (t.protocol == ip6.ProtocolUDP || t.protocol == protocolTCP) && len(payload) >= ports:
		t.srcPort, t.dstPort = be16(payload), be16(payload[2:])
	case t.protocol == ip6.ProtocolICMPv6 && len(payload) >= echo:
		t.srcPort, t.dstPort = be16(payload[4:]), be16(payload[4:])
	}
	return t, true
}

// Rule lets packets from outside into the mesh which are no answers. A zero field stands for anything.
type Rule struct {
	From     netip.Prefix // of the source
	To       netip.Addr   // a node of the mesh
	Protocol ip6.Protocol // ip6.ProtocolUDP, ip6.ProtocolICMPv6 (pings), 6 for TCP
	Port     uint16       // of the destination; UDP and TCP
}

// ParseRule reads a rule of words: "from PREFIX", "to ADDRESS", "udp", "tcp", "icmp", "port NUMBER"; the empty text is an error, "any" lets
// everything in.
//
//	from 2001:db8:1::/48 to fd12:3456:789a:1::5 udp port 5683
func ParseRule(text string) (Rule, error) {
	var r Rule
	words := strings.Fields(text)
	if len(words) == 0 {
		return Rule{}, fmt.Errorf("netif: empty rule: \"any\" lets everything in")
	}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		takes := word == "from" || word == "to" || word == "port"
		if takes && len(words) == 0 {
			return Rule{}, fmt.Errorf("netif: rule %q: %s what?", text, word)
		}
		if err := r.set(word, words); err != nil {
			return Rule{}, fmt.Errorf("netif: rule %q: %w", text, err)
		}
		if takes {
			words = words[1:]
		}
	}
	if r.Port != 0 && r.Protocol != ip6.ProtocolUDP && r.Protocol != protocolTCP {
		return Rule{}, fmt.Errorf("netif: rule %q: a port is udp's or tcp's: say which", text)
	}
	return r, nil
}

func (r *Rule) set(word string, rest []string) (err error) {
	switch word {
	case "any":
	case "udp":
		r.Protocol = ip6.ProtocolUDP
	case "tcp":
		r.Protocol = protocolTCP
	case "icmp":
		r.Protocol = ip6.ProtocolICMPv6
	case "from":
		if r.From, err = netip.ParsePrefix(rest[0]); err == nil && !r.From.Addr().Is6() {
			err = fmt.Errorf("%v is not IPv6", r.From)
		}
	case "to":
		if r.To, err = netip.ParseAddr(rest[0]); err == nil && !r.To.Is6() {
			err = fmt.Errorf("%v is not IPv6", r.To)
		}
	case "port":
		var port uint64
		if port, err = strconv.ParseUint(rest[0], 10, 16); err != nil || port == 0 {
			return fmt.Errorf("port %q is not 1 to 65535", rest[0])
		}
		r.Port = uint16(port)
	default:
		err = fmt.Errorf("%q is none of from, to, udp, tcp, icmp, port, any", word)
	}
	return err
}

func (r Rule) String() string {
	var words []string
	if r.From.IsValid() {
		words = append(words, "from", r.From.String())
	}
	if r.To.IsValid() {
		words = append(words, "to", r.To.String())
	}
	switch r.Protocol {
	case ip6.ProtocolUDP:
		words = append(words, "udp")
	case protocolTCP:
		words = append(words, "tcp")
	case ip6.ProtocolICMPv6:
		words = append(words, "icmp")
	}
	if r.Port != 0 {
		words = append(words, "port", strconv.Itoa(int(r.Port)))
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, " ")
}

// allows reports whether the rule lets a packet in.
func (r Rule) allows(p *packet) bool {
	return (!r.From.IsValid() || r.From.Contains(p.Src)) && (!r.To.IsValid() || r.To == p.Dst) &&
		(r.Protocol == 0 || r.Protocol == p.Protocol) && (r.Port == 0 || !p.later && r.Port == p.dstPort)
}
