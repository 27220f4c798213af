package cli

import (
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// The reference's server, and the longest name that it takes.
var dnsServer = netip.MustParseAddrPort("[2001:4860:4860::8888]:53")

const maxHostname = 61

// dns asks a DNS server for the IPv6 address of a host. The answer is printed when it comes.
func (i *Interpreter) dns(args []string) error {
	switch {
	case len(args) == 0 || args[0] != "resolve":
		return InvalidArgs
	case i.resolving.active():
		return Busy
	case len(args) == 1:
		return InvalidArgs
	}
	server, err := parseServer(args[2:], dnsServer)
	if err != nil {
		return err
	}
	host, id := args[1], uint16(i.engine.Rand().Uint32())
	request, question, err := dnsQuery(host, id)
	if err != nil {
		return InvalidArgs
	}
	i.resolving.fail = func(e Error) { i.later("DNS response for %s - %v\r\n", host, e) }
	i.resolving.read = func(payload []byte) bool {
		a, ttl, err := parseDNSAnswer(payload, id, question)
		switch {
		case err == errForeign:
			return false
		case err != nil:
			i.resolving.fail(errorOf(err))
		default:
			i.later("DNS response for %s - [%s] TTL: %d\r\n", host, formatAddr(a), ttl)
		}
		return true
	}
	return i.startLookup(&i.resolving, server, request)
}

// dnsQuery builds the question for the IPv6 address of a host (RFC 1035 §4.1, RFC 3596 §2.2).
func dnsQuery(host string, id uint16) (request []byte, q dnsmessage.Question, err error) {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil || host == "" || len(host) > maxHostname {
		return nil, q, InvalidArgs
	}
	q = dnsmessage.Question{Name: name, Type: dnsmessage.TypeAAAA, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	request, err = m.Pack()
	return request, q, err
}

// parseDNSAnswer returns the first IPv6 address of an answer, and for how many seconds it may be kept. Errors are errForeign for what is no answer to
// this question, Failed for one that says that something is wrong, NotFound for one without an address, and Parse.
func parseDNSAnswer(b []byte, id uint16, q dnsmessage.Question) (a netip.Addr, ttl uint32, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.ID != id || !h.Response {
		return a, 0, errForeign
	}
	asked, err := p.AllQuestions()
	switch {
	case err != nil || len(asked) != 1 || asked[0] != q:
		return a, 0, errForeign
	case h.RCode != dnsmessage.RCodeSuccess:
		return a, 0, Failed
	}
	for {
		r, err := p.AnswerHeader()
		switch {
		case err == dnsmessage.ErrSectionDone:
			return a, 0, NotFound
		case err != nil:
			return a, 0, Parse
		case r.Type != dnsmessage.TypeAAAA || r.Class != dnsmessage.ClassINET: // an alias, as a rule
			err = p.SkipAnswer()
		default:
			var body dnsmessage.AAAAResource
			if body, err = p.AAAAResource(); err == nil {
				return netip.AddrFrom16(body.AAAA), r.TTL, nil
			}
		}
		if err != nil {
			return a, 0, Parse
		}
	}
}
