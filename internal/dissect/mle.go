package dissect

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// mle reads an MLE message, and learns from it if it is authentic.
func (d *Dissector) mle(f *Frame) {
	ip, payload := f.innermost(), f.UDP.Payload
	h, err := mle.ParseHeader(payload)
	if err != nil {
		f.fail(err)
		return
	}
	var sender ieee802154.ExtAddr
	var plain []byte
	secured := h.Suite == mle.SuiteIEEE802154
	if secured {
		sender, plain, err = d.openMLE(h, payload, ip)
		if err != nil {
			f.fail(err)
			return
		}
	} else {
		plain = payload[h.Size():]
	}
	m, err := mle.ParseMessage(plain)
	if err != nil {
		f.fail(err)
		return
	}
	f.MLE = &MLE{Header: h, Message: m, Sender: sender}
	f.setTLVs(mleTLVs(m.TLVs))
	switch {
	case secured:
		d.learn(f.Time, sender, ip, m)
	case m.Command != mle.DiscoveryRequest && m.Command != mle.DiscoveryResponse: // Thread 1.1 §4.2
		f.fail(ErrUnsecured)
	}
}

// openMLE finds the node that has sent a secured message.
func (d *Dissector) openMLE(h mle.Header, payload []byte, ip *ip6.Datagram) (ieee802154.ExtAddr, []byte, error) {
	for ring := range d.rings() {
		ccm := ring.of(h.KeySequence).mle
		for ext := range d.nodes.candidates(lowpan.AddrOf(ip6.InterfaceIDOf(ip.Src))) {
			if plain, err := h.Open(nil, payload, ip.Src, ip.Dst, ext, ccm); err == nil {
				d.accept(ring, h.KeySequence)
				return ext, plain, nil
			}
		}
	}
	return ieee802154.ExtAddr{}, nil, ErrKey
}

// learn takes from an authentic message what opens later frames.
func (d *Dissector) learn(now time.Time, sender ieee802154.ExtAddr, ip *ip6.Datagram, m mle.Message) {
	d.nodes.add(sender)
	if r, err := m.SourceAddress(); err == nil {
		d.nodes.bind(ieee802154.ShortAddr(r), sender)
	}
	if r, err := m.Address16(); err == nil && ip6.LinkLocalPrefix.Contains(ip.Dst) {
		if a := lowpan.AddrOf(ip6.InterfaceIDOf(ip.Dst)); a.Mode == ieee802154.AddrModeExt {
			d.nodes.bind(ieee802154.ShortAddr(r), a.Ext)
		}
	}
	d.network.learn(now, m)
}
