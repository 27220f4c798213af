package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// secondTries keeps this node's last datagrams for a while: what a router says is not where it was sent to is asked for, and sent again, once.
//
// Deviation: stock loses it, and whoever has sent it waits for an answer until it tries again. With what neighbors tell of where the nodes are,
// see places, that would be more often than with stock's questions.
type secondTries struct {
	kept [maxKept]kept
	next int
}

const (
	maxKept  = 4
	keptTime = 10 * time.Second
)

type kept struct {
	dst  netip.Addr
	src  netip.Addr
	at   time.Time
	data []byte
	host bool // see sender.Message
	full bool // sent again with both addresses
}

// keep keeps a datagram to an address of which it is not sure where it is.
func (s *secondTries) keep(x *ipLayer, m *sender.Message, h ip6.Header) {
	if x.timing.AdvertiseQuiet == 0 || h.Dst.IsMulticast() || !x.mesh.sought(h.Dst) {
		return
	}
	k := &s.kept[s.next]
	s.next = (s.next + 1) % maxKept
	*k = kept{dst: h.Dst, src: h.Src, at: x.Now, data: append(k.data[:0], m.Data...), host: m.Host}
}

// resend sends the last datagram with a header like h again. It reports whether there was one.
func (s *secondTries) resend(x *ipLayer, h ip6.Header) bool {
	for i := range s.kept {
		k := &s.kept[i]
		if k.dst != h.Dst || k.src != h.Src || x.Now.Sub(k.at) >= keptTime {
			continue
		}
		k.dst = netip.Addr{}
		return k.send(x)
	}
	return false
}

// resendTo sends a datagram again that went to a place, the oldest there is. That may be the wrong place all the same.
func (s *secondTries) resendTo(x *ipLayer, rloc mle.RLOC16) bool {
	for i := range s.kept {
		k := &s.kept[(s.next+i)%maxKept]
		if k.full || x.Now.Sub(k.at) >= keptTime {
			continue
		}
		for dst := range x.resolver.At(rloc) {
			if dst == k.dst {
				k.full = true
				return k.send(x)
			}
		}
	}
	return false
}

func (k *kept) send(x *ipLayer) bool {
	m := x.sender.New()
	m.Data = append(m.Data, k.data...)
	m.Priority, m.Host = sender.PriorityNormal, k.host
	return x.sender.Submit(m) == nil
}
