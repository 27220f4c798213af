package coap

import (
	"errors"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Errors of failed requests.
var (
	// ErrTimeout says that no response came.
	ErrTimeout = errors.New("coap: request timed out")
	// ErrReset says that the peer rejected the request with a Reset.
	ErrReset = errors.New("coap: request reset by peer")
	// ErrMulticast says that a message came to a group that must not: a confirmable one, or no request.
	ErrMulticast = errors.New("coap: not a message to a group")
	// ErrBusy says that as many requests as an Endpoint keeps are open.
	ErrBusy = errors.New("coap: too many open requests")
)

// Timing holds the transmission parameters (RFC 7252 §4.8).
type Timing struct {
	// AckTimeout is the least time before the first retransmission; each further one waits twice as long.
	AckTimeout time.Duration
	// AckRandomFactor, 1 or more, bounds the first wait: AckTimeout to AckTimeout * AckRandomFactor.
	AckRandomFactor float64
	// MaxRetransmit is the number of retransmissions of a confirmable message.
	MaxRetransmit int
	// MaxLatency is the longest that a datagram is expected to be under way.
	MaxLatency time.Duration
}

// DefaultTiming returns the parameters of RFC 7252, which OpenThread uses too.
func DefaultTiming() Timing {
	return Timing{
		AckTimeout:      2 * time.Second,
		AckRandomFactor: 1.5,
		MaxRetransmit:   4,
		MaxLatency:      100 * time.Second,
	}
}

// scale returns d * AckRandomFactor.
func (t Timing) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) * t.AckRandomFactor)
}

// maxTransmitSpan is the time from the first transmission of a confirmable message to its last (RFC 7252 §4.8.2).
func (t Timing) maxTransmitSpan() time.Duration {
	return t.scale(t.AckTimeout * time.Duration(1<<t.MaxRetransmit-1))
}

// MaxTransmitWait is the time from the first transmission of a request until its sender gives up, at most (RFC 7252
// §4.8.2): 93 s by default.
func (t Timing) MaxTransmitWait() time.Duration {
	return t.scale(t.AckTimeout * time.Duration(2<<t.MaxRetransmit-1))
}

// ExchangeLifetime is the time from the first transmission of a confirmable message until its message ID may be used
// again (RFC 7252 §4.8.2): 247 s by default. Responses are kept that long for duplicates.
func (t Timing) ExchangeLifetime() time.Duration {
	return t.maxTransmitSpan() + 2*t.MaxLatency + t.AckTimeout
}

// Config configures an Endpoint.
type Config struct {
	Timing Timing
	// Rand draws message IDs, tokens and the spread of timeouts. It must not be nil.
	Rand *rand.Rand
	// IsAnycast reports whether an address is an anycast one: as with a multicast one, the response to a request sent
	// there may come from any other address. Nil means that none is.
	IsAnycast func(netip.Addr) bool
}

// Path is the pair of addresses between which messages go, seen from this node.
type Path struct {
	// Local is this node's address: a datagram's destination on receipt, its source when sent. The zero Addr leaves the
	// choice of the source to whoever sends.
	Local netip.Addr
	Peer  netip.AddrPort
}

// Transmission is a datagram to send.
type Transmission struct {
	Path Path
	// Payload is the encoded message. It must not be changed.
	Payload []byte
}

// EventKind is the kind of an Event.
type EventKind uint8

// The kinds of events.
const (
	// RequestReceived: Message is a request that this node must answer with Respond, unless it was sent to a multicast
	// address or was non-confirmable, when it may stay silent.
	RequestReceived EventKind = iota + 1
	// ResponseReceived: Message is the response to the request with Tag, which is now over.
	ResponseReceived
	// RequestFailed: the request with Tag is over without a response. Err is ErrTimeout or ErrReset.
	RequestFailed
)

// Event is something that the user of an Endpoint must know.
type Event[Tag any] struct {
	Kind    EventKind
	Path    Path
	Message Message // aliases the datagram given to HandleDatagram; not with RequestFailed
	Tag     Tag
	Err     error
}

// Limits of this implementation.
const (
	// MaxOpenRequests is how many requests of an Endpoint wait for their responses at a time.
	MaxOpenRequests = 64

	maxCachedResponses = 10
	tokenLength        = 2
)

// request is a message of ours that waits for its response.
type request[Tag any] struct {
	path         Path
	tag          Tag
	id           uint16
	token        Token
	encoded      []byte // to retransmit
	timeout      time.Duration
	deadline     time.Time
	retransmits  int // still to do
	acknowledged bool
}

// response is an acknowledgement of ours, kept for duplicates of its request.
type response struct {
	path    Path
	id      uint16
	encoded []byte
	expires time.Time
}

// Endpoint keeps the exchanges of one UDP port. Tag is what the user attaches to a request and gets back with its
// outcome.
//
// Inputs are Request, Send, Respond, Cancel, HandleDatagram and HandleTimeout. After every input call PollTransmit and
// PollEvent until they report false, then NextTimeout, and call HandleTimeout once that time has come. Endpoint is not
// safe for concurrent use.
type Endpoint[Tag any] struct {
	config    Config
	messageID uint16
	requests  []request[Tag]
	deadline  time.Time  // the earliest of the requests' deadlines; zero without requests
	responses []response // oldest first

	transmissions []Transmission
	events        []Event[Tag]
}

// NewEndpoint returns an Endpoint without exchanges. Its first message ID is random (RFC 7252 §4.4).
func NewEndpoint[Tag any](config Config) *Endpoint[Tag] {
	return &Endpoint[Tag]{config: config, messageID: uint16(config.Rand.Uint32())}
}

// IsConfirmable reports whether a datagram is a message that asks for an acknowledgement.
func IsConfirmable(datagram []byte) bool {
	return len(datagram) >= headerSize && datagram[0]>>versionShift == version && Type(datagram[0]>>typeShift&typeMask) == Confirmable
}

// Request sends a request and waits for its response: retransmitted until acknowledged if m.Type is Confirmable, sent
// once if it is NonConfirmable. The Endpoint chooses the message ID; the token is m's, see NewToken. Exactly one event,
// ResponseReceived or RequestFailed, will carry tag unless Cancel comes first.
//
// While MaxOpenRequests are open it fails with ErrBusy, and nothing is sent.
func (e *Endpoint[Tag]) Request(now time.Time, path Path, m Message, tag Tag) error {
	if len(e.requests) >= MaxOpenRequests {
		return ErrBusy
	}
	encoded := e.send(path, &m)
	r := request[Tag]{path: path, tag: tag, id: m.MessageID, token: m.Token, encoded: encoded}
	if m.Type == Confirmable {
		r.retransmits = e.config.Timing.MaxRetransmit
		r.timeout = e.firstTimeout()
	} else {
		r.timeout = e.config.Timing.MaxTransmitWait()
	}
	r.deadline = now.Add(r.timeout)
	e.requests = append(e.requests, r)
	e.schedule()
	return nil
}

// Send sends a message once and expects nothing. The Endpoint chooses the message ID.
func (e *Endpoint[Tag]) Send(path Path, m Message) { e.send(path, &m) }

// Respond answers the request of a RequestReceived event with m's code, options and payload: in the acknowledgement
// of a confirmable request, in a non-confirmable message otherwise (RFC 7252 §5.2.1, §5.2.3). With the code Empty it
// acknowledges a confirmable request without a response.
func (e *Endpoint[Tag]) Respond(now time.Time, req Event[Tag], m Message) {
	path := req.Path
	if path.Local.IsMulticast() {
		path.Local = netip.Addr{}
	}
	m.Token = req.Message.Token
	if req.Message.Type != Confirmable {
		m.Type = NonConfirmable
		e.send(path, &m)
		return
	}
	m.Type = Acknowledgement
	m.MessageID = req.Message.MessageID
	if m.Code == Empty {
		e.sendEmpty(Acknowledgement, m.MessageID, path)
		return
	}
	encoded := e.transmit(path, m)
	if len(e.responses) == maxCachedResponses {
		e.responses = slices.Delete(e.responses, 0, 1)
	}
	e.responses = append(e.responses, response{
		path:    path,
		id:      m.MessageID,
		encoded: encoded,
		expires: now.Add(e.config.Timing.ExchangeLifetime()),
	})
}

// Pending returns the number of requests whose outcome is open.
func (e *Endpoint[Tag]) Pending() int { return len(e.requests) }

// Open yields the tags of the requests whose outcome is open.
func (e *Endpoint[Tag]) Open() iter.Seq[Tag] {
	return func(yield func(Tag) bool) {
		for i := range e.requests {
			if !yield(e.requests[i].tag) {
				return
			}
		}
	}
}

// Cancel forgets the requests whose tag matches. No event comes of them.
func (e *Endpoint[Tag]) Cancel(match func(Tag) bool) {
	e.requests = slices.DeleteFunc(e.requests, func(r request[Tag]) bool { return match(r.tag) })
	e.schedule()
}

// HandleDatagram takes a datagram that came in. The payload must stay as it is until the events have been polled. It fails if there is
// nothing in it for the user, who may have something to send all the same:
//
//   - with ErrFormat if it is not a CoAP message: a confirmable one is answered by a Reset (RFC 7252 §4.2), one of another version is not
//     (§3)
//   - with ErrOption if it has a critical option that is not known: a confirmable request is answered by 4.02 (§5.4.1), or 5.05 where a
//     proxy is asked for (§5.7.2), a confirmable response by a Reset
//   - with ErrMulticast if it came to a group and is confirmable, or no request (§8.1): it has no answer
func (e *Endpoint[Tag]) HandleDatagram(now time.Time, path Path, payload []byte) error {
	m, err := ParseMessage(payload)
	group := path.Local.IsMulticast()
	switch {
	case err != nil:
		if len(payload) >= headerSize && payload[0]>>versionShift == version && m.Type == Confirmable && !group {
			e.sendEmpty(Reset, m.MessageID, path)
		}
		return err
	case group && (m.Type != NonConfirmable || !m.Code.IsRequest()):
		return ErrMulticast
	}
	e.expire(now)
	if code := m.Options.rejection(); code != Empty {
		switch {
		case m.Type != Confirmable:
		case m.Code.IsRequest():
			e.Respond(now, Event[Tag]{Path: path, Message: m}, Message{Code: code})
		default:
			e.sendEmpty(Reset, m.MessageID, path)
		}
		return ErrOption
	}
	switch {
	case m.Code.IsRequest():
		e.handleRequest(path, m)
	case m.Type == Acknowledgement || m.Type == Reset:
		e.handleReply(path, m)
	case m.Code.IsResponse():
		e.handleSeparateResponse(path, m)
	case m.Type == Confirmable:
		// RFC 7252 §4.2: a recipient that lacks the context for a Confirmable message, as an Empty one (a ping) or one
		// of a reserved code, rejects it with a Reset.
		e.sendEmpty(Reset, m.MessageID, path)
	}
	return nil
}

func (e *Endpoint[Tag]) handleRequest(path Path, m Message) {
	// RFC 7252 §4.2: an Acknowledgement or Reset never carries a request; such a message is silently ignored.
	if m.Type != Confirmable && m.Type != NonConfirmable {
		return
	}
	for _, r := range e.responses {
		if r.id == m.MessageID && r.path.Peer == path.Peer {
			e.transmissions = append(e.transmissions, Transmission{Path: r.path, Payload: r.encoded})
			return
		}
	}
	e.events = append(e.events, Event[Tag]{Kind: RequestReceived, Path: path, Message: m})
}

// handleReply takes an Acknowledgement, empty or with a piggybacked response, or a Reset.
func (e *Endpoint[Tag]) handleReply(path Path, m Message) {
	i := slices.IndexFunc(e.requests, func(r request[Tag]) bool {
		return r.id == m.MessageID && e.mayAnswer(r.path.Peer, path.Peer)
	})
	if i < 0 {
		return
	}
	switch r := &e.requests[i]; {
	case m.Type == Reset && m.Code == Empty:
		e.finish(i, Event[Tag]{Kind: RequestFailed, Path: path, Err: ErrReset})
	case m.Type == Acknowledgement && m.Code == Empty:
		r.acknowledged = true
	case m.Type == Acknowledgement && m.Code.IsResponse() && m.Token == r.token:
		e.finish(i, Event[Tag]{Kind: ResponseReceived, Path: path, Message: m})
	}
	e.schedule()
}

// handleSeparateResponse takes a response in a message of its own (RFC 7252 §5.2.2, §5.2.3).
func (e *Endpoint[Tag]) handleSeparateResponse(path Path, m Message) {
	i := slices.IndexFunc(e.requests, func(r request[Tag]) bool {
		return r.token == m.Token && e.mayAnswer(r.path.Peer, path.Peer)
	})
	switch {
	case i >= 0 && m.Type == Confirmable:
		e.sendEmpty(Acknowledgement, m.MessageID, path)
	case m.Type == Confirmable:
		e.sendEmpty(Reset, m.MessageID, path)
	}
	if i >= 0 {
		e.finish(i, Event[Tag]{Kind: ResponseReceived, Path: path, Message: m})
		e.schedule()
	}
}

// mayAnswer reports whether from may answer a request that was sent to peer.
func (e *Endpoint[Tag]) mayAnswer(peer, from netip.AddrPort) bool {
	if peer.Port() != from.Port() {
		return false
	}
	to := peer.Addr()
	return to == from.Addr() || to.IsMulticast() || e.config.IsAnycast != nil && e.config.IsAnycast(to)
}

// finish ends request i with an event. The caller schedules what is next.
func (e *Endpoint[Tag]) finish(i int, event Event[Tag]) {
	event.Tag = e.requests[i].tag
	e.requests = slices.Delete(e.requests, i, i+1)
	e.events = append(e.events, event)
}

// HandleTimeout does what is due at now: retransmissions, and requests that have failed.
func (e *Endpoint[Tag]) HandleTimeout(now time.Time) {
	e.expire(now)
	if now.Before(e.deadline) {
		return
	}
	for i := 0; i < len(e.requests); {
		r := &e.requests[i]
		switch {
		case now.Before(r.deadline):
			i++
		case r.retransmits == 0:
			e.finish(i, Event[Tag]{Kind: RequestFailed, Path: r.path, Err: ErrTimeout})
		default:
			r.retransmits--
			r.timeout *= 2
			r.deadline = now.Add(r.timeout)
			if !r.acknowledged {
				e.transmissions = append(e.transmissions, Transmission{Path: r.path, Payload: r.encoded})
			}
			i++
		}
	}
	e.schedule()
}

// schedule finds the earliest deadline, after the requests or their deadlines have changed.
func (e *Endpoint[Tag]) schedule() {
	e.deadline = time.Time{}
	for i := range e.requests {
		if d := e.requests[i].deadline; e.deadline.IsZero() || d.Before(e.deadline) {
			e.deadline = d
		}
	}
}

// expire forgets responses whose exchange is over.
func (e *Endpoint[Tag]) expire(now time.Time) {
	e.responses = slices.DeleteFunc(e.responses, func(r response) bool { return !now.Before(r.expires) })
}

// NextTimeout returns when to call HandleTimeout, and false if no request waits.
func (e *Endpoint[Tag]) NextTimeout() (time.Time, bool) { return e.deadline, !e.deadline.IsZero() }

// PollTransmit returns the next datagram to send, and whether there is one.
func (e *Endpoint[Tag]) PollTransmit() (Transmission, bool) {
	return pop(&e.transmissions)
}

// PollEvent returns the next event, and whether there is one.
func (e *Endpoint[Tag]) PollEvent() (Event[Tag], bool) {
	return pop(&e.events)
}

func pop[T any](queue *[]T) (first T, ok bool) {
	if len(*queue) == 0 {
		return first, false
	}
	first = (*queue)[0]
	*queue = slices.Delete(*queue, 0, 1)
	return first, true
}

// send gives m a message ID and transmits it.
func (e *Endpoint[Tag]) send(path Path, m *Message) []byte {
	m.MessageID = e.messageID
	e.messageID++
	return e.transmit(path, *m)
}

func (e *Endpoint[Tag]) sendEmpty(t Type, id uint16, path Path) {
	e.transmit(path, Message{Type: t, MessageID: id})
}

// transmit encodes m and queues it. It returns the encoding.
func (e *Endpoint[Tag]) transmit(path Path, m Message) []byte {
	encoded, _ := m.AppendBinary(nil)
	e.transmissions = append(e.transmissions, Transmission{Path: path, Payload: encoded})
	return encoded
}

// NewToken draws a token at random, of 2 bytes as OpenThread's are. Requests to one peer that are under way at the same
// time need different tokens, unless their responses are piggybacked (RFC 7252 §5.3.1).
func (e *Endpoint[Tag]) NewToken() Token {
	t := Token{size: tokenLength}
	for i := range tokenLength {
		t.bytes[i] = byte(e.config.Rand.Uint32())
	}
	return t
}

// firstTimeout draws the wait before the first retransmission (RFC 7252 §4.2).
func (e *Endpoint[Tag]) firstTimeout() time.Duration {
	t := e.config.Timing
	spread := t.scale(t.AckTimeout) - t.AckTimeout
	if spread <= 0 {
		return t.AckTimeout
	}
	return t.AckTimeout + time.Duration(e.config.Rand.Int64N(int64(spread)+1))
}
