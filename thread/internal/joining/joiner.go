// Package joining lets a node into the network by a password (Thread 1.1 §8.4): the side of the joiner, and that of the joiner router, which
// carries what joiner and commissioner have to say to each other, and understands none of it.
//
//	joiner                     joiner router                          commissioner
//	Discovery Request   ─────►
//	                    ◄───── Discovery Response, steering data
//	DTLS, not secured by MAC ► RLY_RX                          ─────► dtls.Cookies, dtls.Conn
//	                    ◄─────                          RLY_TX ◄─────
//	JOIN_FIN request    ─────►                                 ─────►
//	                    ◄───── response                 RLY_TX ◄───── with the KEK
//	                    ◄───── JOIN_ENT, secured with the KEK: the network's key
package joining

import (
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Why a joiner has not joined.
var (
	// ErrNoNetwork says that no network was found that lets this node in: nobody commissions, or somebody else is meant.
	ErrNoNetwork = errors.New("thread: no network in reach lets this node in")
	// ErrPassword says that the commissioner has another password for this node.
	ErrPassword = errors.New("thread: the commissioner has another password")
	// ErrNoAnswer says that the commissioner, or the joiner router, has not answered.
	ErrNoAnswer = errors.New("thread: no answer from the commissioner")
	// ErrRefused says that the commissioner knows the password, and yet will not have this node.
	ErrRefused = errors.New("thread: the commissioner has refused this node")
	// ErrStopped says that the node has stopped joining.
	ErrStopped = errors.New("thread: joining was stopped")
)

// State is how far a joiner is.
type State uint8

// The states.
const (
	Idle        State = iota
	Discovering       // looks for networks that let it in
	Connecting        // compares passwords with a commissioner
	Finalizing        // has told the commissioner what it is
	Entrusting        // waits for the network's key
	Joined            // has it, and stays for a moment to confirm that
)

func (s State) String() string {
	names := [...]string{"idle", "discovering", "connecting", "finalizing", "entrusting", "joined"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// maxCandidates is how many joiner routers are remembered from a discovery.
const maxCandidates = 4

// JoinerPort is the UDP port of a joiner.
const JoinerPort = 1000

// Timing says how long a joiner waits.
type Timing struct {
	DTLS dtls.Timing
	CoAP coap.Timing
	// Entrust is the wait for the network's key, Linger how long the node stays to confirm that it has it. Pause is that before another discovery.
	Entrust, Linger, Pause time.Duration
}

// Options say how to join.
type Options struct {
	Password string // 1 to 32 bytes
	Vendor   meshcop.Vendor
	// Discoveries is how often it looks for a network that lets it in, once if 0.
	Discoveries int
}

// A Candidate is a joiner router that was found.
type Candidate struct {
	Ext          ieee802154.ExtAddr
	PANID        ieee802154.PANID
	Channel      uint8
	RSSI         int
	Port         uint16
	NetworkName  string
	ExtPANID     [8]byte
	SteeringData meshcop.SteeringData
}

// better reports whether c is a better choice than d: those that name this node come first, then those that are heard best.
func (c *Candidate) better(d *Candidate) bool {
	if any := c.SteeringData.Any(); any != d.SteeringData.Any() {
		return !any
	}
	return c.RSSI > d.RSSI
}

// A Host is what a joiner needs of its node.
type Host interface {
	// Discover looks for networks: Found and Discovered tell what came of it.
	Discover() error
	// Tune puts the node on the channel of a network of which it is no part.
	Tune(to Candidate)
	// Send sends a UDP datagram that nothing secures to the joiner router.
	Send(to Candidate, datagram []byte)
	// Trust lets in what the joiner router secures with a key.
	Trust(to Candidate, kek [dtls.KEKSize]byte)
	// Progress tells of another state, and of the candidate if there is one. err is set with Idle, unless the node has joined.
	Progress(s State, c Candidate, err error)
	// Leave ends what Tune and Trust have begun.
	Leave()
}

// A Joiner is the node's own side:
//
//	      Start          found            password right      accepted             entrusted
//	Idle ───────► Discovering ──► Connecting ──────► Finalizing ───► Entrusting ───────► Joined ─► Idle
//	 ▲                ▲  │ none       │ another candidate   │             │
//	 └────────────────┴──┴────────────┴───────── no answer ─┴─────────────┘
type Joiner struct {
	core   *core.Core
	timing Timing
	host   Host
	random *mathrand.Rand

	state       State
	options     Options
	id          [8]byte
	discoveries int
	candidates  []Candidate
	current     Candidate
	conn        *dtls.Conn
	coap        *coap.Endpoint[struct{}]
	timer       time.Time
	why         error // of the last candidate that failed
}

// NewJoiner returns a Joiner that does nothing.
func NewJoiner(c *core.Core, t Timing, host Host) *Joiner {
	return &Joiner{core: c, timing: t, host: host, random: c.Rand}
}

// State returns how far it is.
func (j *Joiner) State() State { return j.state }

// Start begins to join, under a joiner ID. It fails with core.ErrState unless the state is Idle, with core.ErrArgument for a password that is none,
// and if the discovery cannot begin.
func (j *Joiner) Start(id [8]byte, o Options) error {
	switch {
	case j.state != Idle:
		return core.ErrState
	case len(o.Password) == 0 || len(o.Password) > meshcop.MaxPasswordSize:
		return fmt.Errorf("%w: a password of %d bytes, not 1 to %d", core.ErrArgument, len(o.Password), meshcop.MaxPasswordSize)
	}
	j.id, j.options, j.discoveries, j.why = id, o, 0, nil
	j.state = Discovering // before the host hears of it
	if err := j.discover(); err != nil {
		j.state = Idle
		return err
	}
	return nil
}

func (j *Joiner) discover() error {
	j.candidates, j.timer = j.candidates[:0], time.Time{}
	j.discoveries++
	if err := j.host.Discover(); err != nil {
		return err
	}
	j.enter(Discovering)
	return nil
}

func (j *Joiner) enter(s State) {
	j.state = s
	j.host.Progress(s, j.current, nil)
}

// Stop ends joining. Nothing is kept of it.
func (j *Joiner) Stop() {
	if j.state != Idle {
		j.finish(ErrStopped)
	}
}

// Found takes what a discovery has found.
func (j *Joiner) Found(c Candidate) {
	if j.state != Discovering || c.Port == 0 || !c.SteeringData.Contains(j.id) {
		return
	}
	for i := range j.candidates {
		if j.candidates[i].Ext == c.Ext {
			j.candidates[i] = c
			return
		}
	}
	if len(j.candidates) < maxCandidates {
		j.candidates = append(j.candidates, c)
		return
	}
	worst := 0
	for i := range j.candidates {
		if j.candidates[worst].better(&j.candidates[i]) {
			worst = i
		}
	}
	if c.better(&j.candidates[worst]) {
		j.candidates[worst] = c
	}
}

// Discovered says that the discovery is over.
func (j *Joiner) Discovered() {
	if j.state == Discovering {
		j.next()
	}
}

// next turns to the best candidate that is left, or looks around again, or gives up.
func (j *Joiner) next() {
	if len(j.candidates) > 0 {
		best := 0
		for i := range j.candidates {
			if j.candidates[i].better(&j.candidates[best]) {
				best = i
			}
		}
		j.current = j.candidates[best]
		j.candidates = append(j.candidates[:best], j.candidates[best+1:]...)
		j.connect()
		return
	}
	switch {
	case j.discoveries >= max(j.options.Discoveries, 1), errors.Is(j.why, ErrPassword), errors.Is(j.why, ErrRefused):
		if j.why == nil {
			j.why = ErrNoNetwork
		}
		j.finish(j.why)
	default:
		j.state, j.current = Discovering, Candidate{} // the host asks
		j.host.Leave()
		j.timer = j.core.Now.Add(j.timing.Pause)
	}
}

// connect begins to compare passwords.
func (j *Joiner) connect() {
	j.host.Tune(j.current)
	conn, err := dtls.Dial(j.core.Now, dtls.Config{Password: []byte(j.options.Password), Rand: j.core.Entropy(), Timing: j.timing.DTLS})
	if err != nil {
		j.finish(fmt.Errorf("%w: %w", core.ErrArgument, err))
		return
	}
	j.conn, j.timer = conn, time.Time{}
	j.coap = coap.NewEndpoint[struct{}](coap.Config{Timing: j.timing.CoAP, Rand: j.random})
	j.enter(Connecting)
	j.pump()
}

// finish ends joining, with or without success.
func (j *Joiner) finish(why error) {
	if j.conn != nil {
		j.conn.Close()
		j.flush()
	}
	j.conn, j.coap, j.timer, j.options.Password = nil, nil, time.Time{}, ""
	j.candidates = j.candidates[:0]
	j.state = Idle
	j.host.Leave()
	j.host.Progress(Idle, j.current, why)
	j.current = Candidate{}
}

// Receive takes a UDP datagram that nothing secures, from somebody's link-local address and port to that of the joiner.
func (j *Joiner) Receive(from ieee802154.ExtAddr, port uint16, datagram []byte) {
	if j.conn == nil || from != j.current.Ext || port != j.current.Port {
		return
	}
	j.conn.HandleDatagram(j.core.Now, datagram)
	j.pump() // after which there may be none
}

// Expects reports whether a datagram to a port from somebody is for Receive.
func (j *Joiner) Expects(from ieee802154.ExtAddr, port uint16) bool {
	return j.conn != nil && from == j.current.Ext && port == JoinerPort
}

// dialog is the pair of addresses under which CoAP runs in the connection: it has but one peer.
var dialog = coap.Path{Peer: netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}

// pump goes on with the connection as far as it can.
func (j *Joiner) pump() {
	for b, ok := j.conn.Read(); ok; b, ok = j.conn.Read() {
		_ = j.coap.HandleDatagram(j.core.Now, dialog, b) // what is no CoAP comes from the right peer all the same, and means nothing
		j.drain()
		if j.conn == nil {
			return
		}
	}
	switch {
	case j.state == Connecting && j.conn.State() == dtls.Established:
		j.finalize()
	case j.conn.State() == dtls.Closed && j.state != Entrusting:
		j.flush()
		j.failed(reason(j.conn.Err()))
		return
	}
	j.drain()
	j.flush()
}

// reason tells why a connection has failed.
func reason(err error) error {
	switch {
	case errors.Is(err, dtls.ErrPassword):
		return ErrPassword
	case errors.Is(err, dtls.ErrTimeout):
		return ErrNoAnswer
	}
	return fmt.Errorf("%w: %w", ErrNoAnswer, err)
}

// failed turns from a candidate to the next.
func (j *Joiner) failed(why error) {
	if j.why = why; j.conn != nil {
		j.conn.Close()
		j.flush()
	}
	j.conn, j.coap, j.timer = nil, nil, time.Time{}
	j.next()
}

// flush sends what the connection has to send, if there is still one.
func (j *Joiner) flush() {
	if j.conn == nil {
		return
	}
	for b, ok := j.conn.PollTransmit(); ok; b, ok = j.conn.PollTransmit() {
		j.host.Send(j.current, b)
	}
}

// finalize tells the commissioner what this node is. From then on it may be entrusted with the key.
func (j *Joiner) finalize() {
	j.host.Trust(j.current, j.conn.KEK())
	options, _ := coap.Options(nil).AppendURIPath(tmf.URIJoinerFinalize) // a constant path cannot fail
	m := coap.Message{
		Type: coap.Confirmable, Code: coap.POST, Options: options, Payload: meshcop.AppendJoinerFinalize(nil, j.options.Vendor),
		Token: j.coap.NewToken(),
	}
	_ = j.coap.Request(j.core.Now, dialog, m, struct{}{}) // it is the first
	j.enter(Finalizing)
}

// drain handles CoAP's events, and sends what it has to send.
func (j *Joiner) drain() {
	for ev, ok := j.coap.PollEvent(); ok; ev, ok = j.coap.PollEvent() {
		switch {
		case j.state != Finalizing:
		case ev.Kind == coap.RequestFailed:
			j.failed(ErrNoAnswer)
			return
		case ev.Kind == coap.ResponseReceived:
			if j.finalized(ev.Message); j.conn == nil {
				return
			}
		}
	}
	for t, ok := j.coap.PollTransmit(); ok; t, ok = j.coap.PollTransmit() {
		if j.conn.Write(t.Payload) != nil {
			continue // the connection is over, which is told elsewhere
		}
	}
}

// finalized takes the commissioner's answer.
func (j *Joiner) finalized(m coap.Message) {
	value, _ := tlv.Find(m.Payload, meshcop.TypeState)
	if s, err := meshcop.ParseState(value); err != nil || m.Code != coap.Changed || s != meshcop.StateAccept {
		j.failed(ErrRefused)
		return
	}
	j.timer = j.core.Now.Add(j.timing.Entrust)
	j.conn.Close()
	j.enter(Entrusting)
}

// Entrust takes the network's key, which was secured with the KEK. It reports false if none is expected.
func (j *Joiner) Entrust() (Candidate, bool) {
	if j.state != Finalizing && j.state != Entrusting {
		return Candidate{}, false
	}
	if j.conn != nil {
		j.conn.Close()
		j.flush()
	}
	j.conn, j.coap = nil, nil
	j.timer = j.core.Now.Add(j.timing.Linger)
	j.enter(Joined)
	return j.current, true
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (j *Joiner) NextTimeout() (time.Time, bool) {
	next := j.timer
	if j.conn != nil {
		for _, m := range []interface{ NextTimeout() (time.Time, bool) }{j.conn, j.coap} {
			if t, ok := m.NextTimeout(); ok {
				next = core.Earliest(next, t)
			}
		}
	}
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (j *Joiner) HandleTimeout() {
	if j.conn != nil && j.state != Entrusting {
		j.conn.HandleTimeout(j.core.Now)
		j.coap.HandleTimeout(j.core.Now)
		j.pump()
	}
	if !j.core.IsDue(j.timer) {
		return
	}
	j.timer = time.Time{}
	switch j.state {
	case Discovering:
		if err := j.discover(); err != nil {
			j.finish(err)
		}
	case Entrusting:
		j.failed(ErrNoAnswer)
	case Joined:
		j.finish(nil)
	}
}
