package dissect

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	maxExchanges     = 64                // ours
	exchangeLifetime = 247 * time.Second // EXCHANGE_LIFETIME (RFC 7252 §4.8.2)
)

// exchange is a request whose response may come.
type exchange struct {
	at     time.Time
	client netip.AddrPort
	id     uint16
	token  coap.Token
	uri    string
	ext    ieee802154.ExtAddr // who solicits an address
	hasExt bool
}

// exchanges are the latest requests, oldest first.
type exchanges []exchange

// add records a request, once even if it is heard on every hop.
func (e *exchanges) add(x exchange) {
	*e = slices.DeleteFunc(*e, func(y exchange) bool {
		return y.client == x.client && y.id == x.id && y.token == x.token && y.uri == x.uri
	})
	if len(*e) == maxExchanges {
		*e = slices.Delete(*e, 0, 1)
	}
	*e = append(*e, x)
}

// find returns the request that a message to the client answers: its message ID is that of an acknowledgment or reset, its
// token that of a response of its own (RFC 7252 §5.3.2). The server may have another address than the request went to.
func (e exchanges) find(now time.Time, client netip.AddrPort, m coap.Message) (exchange, bool) {
	byID := m.Type == coap.Acknowledgement || m.Type == coap.Reset
	for _, x := range slices.Backward(e) {
		if x.client == client && now.Sub(x.at) < exchangeLifetime &&
			(byID && x.id == m.MessageID || !byID && x.token == m.Token) {
			return x, true
		}
	}
	return exchange{}, false
}

// coap reads what a message of network management says, and remembers requests.
func (d *Dissector) coap(f *Frame) {
	m, ip := f.CoAP, f.innermost()
	if m.Code.IsRequest() {
		m.URI = m.Options.URIPath()
		f.setTLVs(m.tlvs())
		x := exchange{
			at: f.Time, client: netip.AddrPortFrom(ip.Src, f.UDP.SrcPort),
			id: m.MessageID, token: m.Token, uri: m.URI,
		}
		if m.URI == tmf.URIAddressSolicit && f.MAC.authentic() {
			ext, err := tmf.Payload(m.Payload).ExtendedMACAddress()
			x.ext, x.hasExt = ext, err == nil
		}
		d.exchanges.add(x)
		return
	}
	x, ok := d.exchanges.find(f.Time, netip.AddrPortFrom(ip.Dst, f.UDP.DstPort), m.Message)
	if !ok {
		if m.TMF && len(m.Payload) > 0 {
			f.fail(ErrRequest)
		}
		return
	}
	m.URI = x.uri
	f.setTLVs(m.tlvs())
	if x.hasExt && m.TMF && f.MAC.authentic() {
		if r, err := tmf.Payload(m.Payload).RLOC16(); err == nil {
			d.nodes.bind(ieee802154.ShortAddr(r), x.ext)
		}
	}
}

// tlvs reads the payload of a message of network management, whose kind of TLVs the path tells.
func (m *CoAP) tlvs() []TLV {
	if !m.TMF {
		return nil
	}
	switch kind, _, _ := strings.Cut(m.URI, "/"); kind {
	case "a":
		return networkLayerTLVs(m.Payload)
	case "c":
		return meshcopTLVs(m.Payload)
	case "d":
		return diagnosticTLVs(m.Payload)
	default:
		return nil
	}
}
