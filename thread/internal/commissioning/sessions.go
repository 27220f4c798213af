package commissioning

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// maxSessions is how many joiners are talked to at a time.
const maxSessions = 4

// ErrProvisioning says that a joiner wants another commissioner than this one.
var ErrProvisioning = errors.New("thread: the joiner asks for another commissioner")

// JoinerStep is what has become of a joiner.
type JoinerStep uint8

// The steps.
const (
	JoinerConnected JoinerStep = iota // it has the right password
	JoinerAccepted                    // it is being entrusted with the network's key
	JoinerFailed                      // it was not let in
)

func (s JoinerStep) String() string {
	switch s {
	case JoinerConnected:
		return "connected"
	case JoinerAccepted:
		return "accepted"
	case JoinerFailed:
		return "failed"
	}
	return fmt.Sprintf("JoinerStep(%d)", uint8(s))
}

// A JoinerEvent tells of a joiner.
type JoinerEvent struct {
	Step JoinerStep
	// ID is the joiner's. EUI64 is what it follows from, if the joiner was named; zero for one that came as any.
	ID, EUI64 [8]byte
	Vendor    meshcop.Vendor // with JoinerAccepted
	Err       error          // with JoinerFailed
}

// SessionTiming says how long joiners are waited for.
type SessionTiming struct {
	DTLS dtls.Timing
	CoAP coap.Timing
	// Silence is how long a joiner that has the right password may be silent.
	Silence time.Duration
	// Remain is how long a joiner that was named may come again after it was accepted, since it may have missed that.
	Remain time.Duration
}

// Sessions are the conversations of a commissioner with joiners, each through a joiner router (Thread 1.1 §8.4.4):
//
//	RLY_RX ─► Receive ─► cookie? ─► password? ─► JOIN_FIN? ─► PollEvent
//	              └───────────┴──────────┴────────────┴─────► Poll ─► RLY_TX
type Sessions struct {
	// URL is the provisioning URL: joiners that want another are refused. Empty for none.
	URL string
	// Refused counts datagrams of those who may not join, or not now.
	Refused uint64

	core    *core.Core
	timing  SessionTiming
	joiners *Joiners
	cookies *dtls.Cookies
	list    []*session
	out     []meshcop.Relayed
	events  []JoinerEvent
}

// A session is a joiner that has shown its cookie.
type session struct {
	to       meshcop.Relayed // without datagram
	entry    Joiner
	conn     *dtls.Conn
	coap     *coap.Endpoint[struct{}]
	until    time.Time
	known    bool // it has the right password
	accepted bool
}

// maxJoinerEvents bounds the events, and maxRelayed the datagrams, that wait to be fetched.
const (
	maxJoinerEvents = 64
	maxRelayed      = 64
)

// NewSessions returns Sessions with nobody, for those whom joiners lets in.
func NewSessions(c *core.Core, t SessionTiming, joiners *Joiners) *Sessions {
	return &Sessions{core: c, timing: t, joiners: joiners}
}

// idOf is the joiner ID that an interface identifier follows from.
func idOf(iid [8]byte) [8]byte {
	iid[0] ^= 2
	return iid
}

func (s *Sessions) find(r *meshcop.Relayed) *session {
	i := slices.IndexFunc(s.list, func(x *session) bool { return x.to.IID == r.IID && x.to.Port == r.Port })
	if i < 0 {
		return nil
	}
	return s.list[i]
}

// Receive takes a datagram of a joiner.
func (s *Sessions) Receive(r meshcop.Relayed) {
	x := s.find(&r)
	if random, ok := dtls.HelloRandom(r.Datagram); ok && x != nil && random != x.conn.ClientRandom() {
		x = nil // it begins anew
	}
	if x == nil {
		x = s.open(&r)
	} else {
		x.to.Router = r.Router
		x.conn.HandleDatagram(s.core.Now, r.Datagram)
	}
	if x != nil {
		s.pump(x)
	}
}

// open begins a session with who may join and has a cookie, and gives a cookie to who has none.
func (s *Sessions) open(r *meshcop.Relayed) *session {
	entry := s.joiners.match(idOf(r.IID))
	if entry == nil {
		s.Refused++
		return nil
	}
	if s.cookies == nil {
		s.cookies, _ = dtls.NewCookies(s.core.Entropy()) // which does not fail
	}
	peer := binary.BigEndian.AppendUint16(slices.Clone(r.IID[:]), r.Port)
	reply, ok := s.cookies.Check(s.core.Now, peer, r.Datagram)
	if !ok {
		if reply == nil {
			s.Refused++
		} else {
			s.send(meshcop.Relayed{Port: r.Port, IID: r.IID, Router: r.Router, Datagram: reply})
		}
		return nil
	}
	old := s.find(r)
	if old == nil && len(s.list) >= maxSessions || s.core.Now.Before(entry.next) {
		s.Refused++
		return nil
	}
	conn, err := dtls.Accept(s.core.Now, dtls.Config{Password: []byte(entry.Password), Rand: s.core.Entropy(), Timing: s.timing.DTLS}, r.Datagram)
	if err != nil {
		s.Refused++
		return nil
	}
	if old != nil {
		s.remove(old)
	}
	x := &session{
		to: meshcop.Relayed{Port: r.Port, IID: r.IID, Router: r.Router}, entry: *entry, conn: conn,
		coap: coap.NewEndpoint[struct{}](coap.Config{Timing: s.timing.CoAP, Rand: s.core.Rand}),
	}
	s.list = append(s.list, x)
	return x
}

func (s *Sessions) remove(x *session) {
	s.list = slices.DeleteFunc(s.list, func(y *session) bool { return x == y })
}

func (s *Sessions) send(r meshcop.Relayed) {
	if len(s.out) < maxRelayed { // it is fetched after each input
		s.out = append(s.out, r)
	}
}

func (s *Sessions) emit(x *session, ev JoinerEvent) {
	ev.ID, ev.EUI64 = idOf(x.to.IID), x.entry.EUI64
	if len(s.events) == maxJoinerEvents {
		s.events = slices.Delete(s.events, 0, 1)
	}
	s.events = append(s.events, ev)
}

// pump goes on with a session as far as it can.
func (s *Sessions) pump(x *session) {
	if x.conn.State() == dtls.Established && !x.known {
		x.known, x.until = true, s.core.Now.Add(s.timing.Silence)
		s.emit(x, JoinerEvent{Step: JoinerConnected})
	}
	for b, ok := x.conn.Read(); ok; b, ok = x.conn.Read() {
		x.until = s.core.Now.Add(s.timing.Silence)
		_ = x.coap.HandleDatagram(s.core.Now, dialog, b) // what is no CoAP means nothing
		for ev, ok := x.coap.PollEvent(); ok; ev, ok = x.coap.PollEvent() {
			s.handle(x, ev)
		}
	}
	s.flush(x, nil)
	for t, ok := x.coap.PollTransmit(); ok; t, ok = x.coap.PollTransmit() {
		if x.conn.Write(t.Payload) == nil {
			kek := x.conn.KEK()
			s.flush(x, &kek)
		}
	}
	if x.conn.State() != dtls.Closed {
		return
	}
	if err := x.conn.Err(); !x.accepted {
		if errors.Is(err, dtls.ErrPassword) {
			s.joiners.guessed(x.entry.EUI64, x.entry.Any)
		}
		s.emit(x, JoinerEvent{Step: JoinerFailed, Err: err})
	}
	s.remove(x)
}

// flush sends what the connection has to send, with a KEK if the joiner was accepted and this says so.
func (s *Sessions) flush(x *session, kek *[dtls.KEKSize]byte) {
	for b, ok := x.conn.PollTransmit(); ok; b, ok = x.conn.PollTransmit() {
		r := x.to
		if r.Datagram = b; kek != nil && x.accepted {
			r.KEK, r.HasKEK = *kek, true
		}
		s.send(r)
	}
}

// dialog is the pair of addresses under which CoAP runs in a connection: it has but one peer.
var dialog = coap.Path{Peer: netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}

// handle answers a request of a joiner's.
func (s *Sessions) handle(x *session, ev coap.Event[struct{}]) {
	if ev.Kind != coap.RequestReceived || ev.Message.Type != coap.Confirmable {
		return
	}
	answer := coap.Message{Code: coap.NotFound}
	if ev.Message.Code == coap.POST && ev.Message.Options.URIPath() == tmf.URIJoinerFinalize {
		answer = s.finalize(x, ev.Message.Payload)
	}
	x.coap.Respond(s.core.Now, ev, answer)
}

// finalize answers a JOIN_FIN request.
func (s *Sessions) finalize(x *session, payload []byte) coap.Message {
	state, vendor, err := meshcop.ParseJoinerFinalize(payload)
	if err != nil {
		return coap.Message{Code: coap.BadRequest}
	}
	if state != meshcop.StateAccept || vendor.ProvisioningURL != "" && vendor.ProvisioningURL != s.URL {
		s.emit(x, JoinerEvent{Step: JoinerFailed, Vendor: vendor, Err: ErrProvisioning})
		return coap.Message{Code: coap.Changed, Payload: meshcop.AppendState(nil, meshcop.StateReject)}
	}
	if !x.accepted {
		x.accepted = true
		s.emit(x, JoinerEvent{Step: JoinerAccepted, Vendor: vendor})
		if !x.entry.Any {
			s.joiners.Shorten(x.entry.EUI64, s.timing.Remain)
		}
	}
	return coap.Message{Code: coap.Changed, Payload: meshcop.AppendState(nil, meshcop.StateAccept)}
}

// Poll returns the next datagram for a joiner, and false if there is none.
func (s *Sessions) Poll() (r meshcop.Relayed, ok bool) { return core.Pop(&s.out) }

// PollEvent returns the next event, and false if there is none.
func (s *Sessions) PollEvent() (ev JoinerEvent, ok bool) { return core.Pop(&s.events) }

// Stop ends all of them.
func (s *Sessions) Stop() {
	for _, x := range slices.Clone(s.list) {
		x.conn.Close()
		s.pump(x)
	}
}

// Len is how many there are.
func (s *Sessions) Len() int { return len(s.list) }

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (s *Sessions) NextTimeout() (next time.Time, ok bool) {
	for _, x := range s.list {
		next = core.Earliest(next, x.until)
		if t, ok := x.conn.NextTimeout(); ok {
			next = core.Earliest(next, t)
		}
	}
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (s *Sessions) HandleTimeout() {
	for _, x := range slices.Clone(s.list) {
		x.conn.HandleTimeout(s.core.Now)
		if s.core.IsDue(x.until) {
			x.conn.Close()
		}
		s.pump(x)
	}
}
