package borderagent

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
)

// RequestKind says what a Request is.
type RequestKind uint8

// The kinds.
const (
	// Ask is a message to the leader, to the resource URI. An Answer with the ID must follow, also if there is none.
	Ask RequestKind = iota + 1
	// Relay is a RLY_TX to the joiner router Router.
	Relay
	// Datagram is UDP from the commissioner's locator and SrcPort to Dst.
	Datagram
	// Resign says that the commissioner with a Session is gone without having said so: the leader should know.
	Resign
)

// A Request is what a commissioner from outside wants of the mesh.
type Request struct {
	Kind    RequestKind
	ID      uint32
	URI     string
	Payload []byte
	Router  mle.RLOC16
	SrcPort uint16
	Dst     netip.AddrPort
	Session uint16
}

// ReportKind says what a Report is.
type ReportKind uint8

// The kinds.
const (
	// Answer is the answer to the Ask with the ID: its Code and Payload, the code coap.Empty if there was none.
	Answer ReportKind = iota + 1
	// Relayed is a RLY_RX of a joiner router.
	Relayed
	// Received is UDP that came from Src to DstPort of the commissioner's locator.
	Received
	// Ended says that this node is border agent of a commissioner no more.
	Ended
)

// A Report is what the mesh has for a commissioner outside.
type Report struct {
	Kind    ReportKind
	ID      uint32
	Code    coap.Code
	Payload []byte
	Src     netip.AddrPort
	DstPort uint16
}

// An exchange is a request of a commissioner's that was passed on: an answer may take seconds, and its sender repeats itself until then.
type exchange struct {
	id      uint16 // of the message, as the token
	token   coap.Token
	ask     uint32 // ID of the Request, 0 once there is an answer
	uri     string // of the Request
	code    coap.Code
	payload []byte
}

// exchanges are those of a session, the oldest first.
type exchanges []exchange

// find returns the exchange of a message, nil if it is a new one.
func (l exchanges) find(id uint16) *exchange {
	i := slices.IndexFunc(l, func(x exchange) bool { return x.id == id })
	if i < 0 {
		return nil
	}
	return &l[i]
}

// asked returns the exchange that waits for an answer, nil if there is none.
func (l exchanges) asked(id uint32) *exchange {
	i := slices.IndexFunc(l, func(x exchange) bool { return x.ask == id })
	if i < 0 || id == 0 {
		return nil
	}
	return &l[i]
}

// add keeps an exchange, in the place of the oldest that is over if there are as many as are kept. It reports whether there was place.
func (l *exchanges) add(x exchange) bool {
	if len(*l) >= maxExchanges {
		i := slices.IndexFunc(*l, func(x exchange) bool { return x.ask == 0 })
		if i < 0 {
			return false
		}
		*l = slices.Delete(*l, i, i+1)
	}
	*l = append(*l, x)
	return true
}

// repeats tells datagrams that were sent again from others: a commissioner has the patience of a wired network, and each costs air.
type repeats struct {
	list [maxRepeats]repeat
	next int
}

type repeat struct {
	dst  netip.AddrPort
	data []byte
	at   time.Time
}

// again reports whether the same datagram was there less than a time ago, and notes it if not.
func (r *repeats) again(now time.Time, within time.Duration, dst netip.AddrPort, data []byte) bool {
	for i := range r.list {
		if x := &r.list[i]; x.dst == dst && now.Sub(x.at) < within && bytes.Equal(x.data, data) {
			return true
		}
	}
	r.list[r.next] = repeat{dst, bytes.Clone(data), now}
	r.next = (r.next + 1) % len(r.list)
	return false
}

func sendRate(frame time.Duration) core.Rate {
	return core.Rate{Every: sendFrames * frame, Burst: sendBurst}
}
