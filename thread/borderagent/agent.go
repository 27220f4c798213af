package borderagent

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/internal/core"
)

// UDPPort is the UDP port of border agents by OpenThread's convention. mDNS tells a commissioner of another.
const UDPPort = 49191

// Limits of this implementation.
const (
	// MaxSessions is how many connections there are at a time, maxHandshakes how many of them may not have shown the PSKc yet.
	MaxSessions   = 4
	maxHandshakes = 3

	maxExchanges = 8   // of a session that are known
	maxRepeats   = 8   // datagrams by which repeated ones are known
	maxOut       = 64  // datagrams, requests and events that wait to be fetched, each
	maxSources   = 32  // addresses whose share is known at a time
	maxDatagram  = 900 // bytes of UDP that a commissioner can send into the mesh, or be sent: what fits into a datagram with all that is around it
)

// Rates of those who have not shown the PSKc: handshakes, and wrong passwords, of one address and of all together. At the last one a thief who has
// many addresses tries 17280 passphrases a day.
var (
	sourceHandshakes = core.Rate{Every: 4 * time.Second, Burst: 8}
	allHandshakes    = core.Rate{Every: 500 * time.Millisecond, Burst: 16}
	sourceGuesses    = core.Rate{Every: 30 * time.Second, Burst: 5}
	allGuesses       = core.Rate{Every: 5 * time.Second, Burst: 20}
)

// What a commissioner may send into the mesh without an answer, in times of the longest frame: a flight of DTLS is seven.
const (
	sendFrames = 10
	sendBurst  = 32
)

// ErrSilent says that a commissioner was not heard of for too long.
var ErrSilent = errors.New("borderagent: the commissioner has fallen silent")

// Config is what an Agent works with.
type Config struct {
	// Key is the network's PSKc. Nobody is let in without one.
	Key [16]byte
	// Rand is the source of keys: crypto/rand's Reader, but for simulations. It must not fail.
	Rand io.Reader
	// DTLS is the timing of handshakes on the host's network, LANTiming for the zero value.
	DTLS dtls.Timing
	// Silence is after which time a commissioner that is silent is taken for gone (Thread 1.1 §8.11, TIMEOUT_COMM_PET), 50 s for zero.
	Silence time.Duration
	// Repeat is the time within which a datagram into the mesh that is the same as one before is not sent again. Zero for none.
	Repeat time.Duration
	// Frame is the time of the longest frame in the mesh.
	Frame time.Duration
}

// LANTiming is the timing of handshakes on a wired or wireless local network.
func LANTiming() dtls.Timing {
	return dtls.Timing{Initial: 2 * time.Second, Max: 8 * time.Second, Retransmissions: 3}
}

// Counters count what an Agent has not done.
type Counters struct {
	Strange    uint64 // datagrams of nobody known that are no hello
	Refused    uint64 // hellos that were refused, since there were too many
	Guesses    uint64 // wrong passwords
	Malformed  uint64 // messages that make no sense
	Unexpected uint64 // messages that have no place where they came
	Limited    uint64 // messages into the mesh that were not sent, since there were too many
	Repeated   uint64 // datagrams into the mesh that were not sent, since the same was under way
	Lost       uint64 // reports for a commissioner that is none, or too long, and what nobody has fetched
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds.
const (
	Connected EventKind = iota + 1 // somebody with the PSKc
	Accepted                       // is the commissioner now
	Rejected                       // was not made the commissioner by the leader
	Gone                           // is none any more: Err tells why
	Guessed                        // had another PSKc
)

func (k EventKind) String() string {
	names := [...]string{"", "connected", "accepted", "rejected", "gone", "guessed"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// An Event tells of a commissioner.
type Event struct {
	Kind EventKind
	Peer netip.AddrPort
	// ID is the commissioner's own name, with Accepted and Rejected: printable text of at most 64 bytes.
	ID      string
	Session uint16 // with Accepted
	Err     error  // with Gone, nil if it has resigned or closed the connection
}

// An Outgoing is a datagram for a commissioner.
type Outgoing struct {
	To       netip.AddrPort
	Datagram []byte
}

// An Agent lets commissioners from outside manage the mesh. Inputs are HandleDatagram, HandleReport, HandleTimeout, SetKey and Close. After each of
// them call PollTransmit, PollRequest and PollEvent until they report false, and then NextTimeout. It must not be used concurrently.
type Agent struct {
	Counters Counters

	cfg      Config
	rand     *rand.Rand
	cookies  *dtls.Cookies
	sessions []*session
	asks     uint32
	sources  []source
	all      share
	sent     core.Bucket
	repeats  repeats

	out      []Outgoing
	requests []Request
	events   []Event
}

// A source is an address from which somebody has tried to connect, and what is left of its share.
type source struct {
	addr netip.Addr
	share
	last time.Time
}

type share struct{ handshakes, guesses core.Bucket }

// New returns an Agent without a commissioner.
func New(cfg Config) (*Agent, error) {
	if cfg.DTLS == (dtls.Timing{}) {
		cfg.DTLS = LANTiming()
	}
	if cfg.Silence == 0 {
		cfg.Silence = 50 * time.Second
	}
	cookies, err := dtls.NewCookies(cfg.Rand)
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, err
	}
	return &Agent{cfg: cfg, cookies: cookies, rand: rand.New(rand.NewChaCha8(seed))}, nil
}

// SetKey makes another PSKc the one that counts. Who has shown the one before stays, who was about to is told to go.
func (a *Agent) SetKey(now time.Time, key [16]byte) {
	if key == a.cfg.Key {
		return
	}
	a.cfg.Key = key
	for _, s := range slices.Clone(a.sessions) {
		if !s.known {
			s.conn.Close()
			a.pump(now, s)
		}
	}
}

// Close ends all connections.
func (a *Agent) Close(now time.Time) {
	for _, s := range slices.Clone(a.sessions) {
		s.conn.Close()
		a.pump(now, s)
	}
}

// Commissioner returns the address of the commissioner, and false if there is none.
func (a *Agent) Commissioner() (netip.AddrPort, bool) {
	s := a.commissioner()
	if s == nil {
		return netip.AddrPort{}, false
	}
	return s.peer, true
}

func (a *Agent) commissioner() *session {
	i := slices.IndexFunc(a.sessions, func(s *session) bool { return s.active })
	if i < 0 {
		return nil
	}
	return a.sessions[i]
}

func (a *Agent) find(peer netip.AddrPort) *session {
	i := slices.IndexFunc(a.sessions, func(s *session) bool { return s.peer == peer })
	if i < 0 {
		return nil
	}
	return a.sessions[i]
}

// HandleDatagram takes a datagram from the host's network. It is not kept.
func (a *Agent) HandleDatagram(now time.Time, from netip.AddrPort, datagram []byte) {
	s := a.find(from)
	if random, ok := dtls.HelloRandom(datagram); ok && s != nil && random != s.conn.ClientRandom() {
		s = nil // it begins anew
	}
	if s == nil {
		s = a.open(now, from, datagram)
	} else {
		s.conn.HandleDatagram(now, datagram)
	}
	if s != nil {
		a.pump(now, s)
	}
}

// open begins a session with who has a cookie, and gives a cookie to who has none.
func (a *Agent) open(now time.Time, from netip.AddrPort, datagram []byte) *session {
	peer, _ := from.MarshalBinary() // which does not fail
	reply, ok := a.cookies.Check(now, peer, datagram)
	switch {
	case !ok && reply == nil:
		a.Counters.Strange++
		return nil
	case !ok:
		a.transmit(from, reply) // smaller than what has asked for it
		return nil
	}
	old := a.find(from)
	if !a.admits(now, from.Addr(), old) {
		a.Counters.Refused++
		return nil
	}
	conn, err := dtls.Accept(now, dtls.Config{Password: a.cfg.Key[:], Rand: a.cfg.Rand, Timing: a.cfg.DTLS}, datagram)
	if err != nil {
		a.Counters.Malformed++
		return nil
	}
	if old != nil {
		a.remove(old, nil)
	}
	s := &session{peer: from, conn: conn, coap: coap.NewEndpoint[struct{}](coap.Config{Timing: coap.DefaultTiming(), Rand: a.rand})}
	a.sessions = append(a.sessions, s)
	return s
}

// admits reports whether somebody may begin a handshake, and counts it.
func (a *Agent) admits(now time.Time, from netip.Addr, old *session) bool {
	handshakes := 0
	for _, s := range a.sessions {
		if !s.known && s != old {
			handshakes++
		}
	}
	x := a.source(now, from)
	ready := a.cfg.Key != [16]byte{} && handshakes < maxHandshakes && (old != nil || len(a.sessions) < MaxSessions) &&
		x.handshakes.Ready(now, sourceHandshakes) && a.all.handshakes.Ready(now, allHandshakes) &&
		x.guesses.Ready(now, sourceGuesses) && a.all.guesses.Ready(now, allGuesses)
	if ready {
		x.handshakes.Take(now, sourceHandshakes)
		a.all.handshakes.Take(now, allHandshakes)
	}
	return ready
}

// guessed notes that somebody had another password.
func (a *Agent) guessed(now time.Time, from netip.AddrPort) {
	a.Counters.Guesses++
	a.source(now, from.Addr()).guesses.Take(now, sourceGuesses)
	a.all.guesses.Take(now, allGuesses)
	a.emit(Event{Kind: Guessed, Peer: from})
}

// source finds what is known of an address, or begins to, in the place of who was silent for longest.
func (a *Agent) source(now time.Time, addr netip.Addr) *source {
	oldest := 0
	for i := range a.sources {
		x := &a.sources[i]
		if x.addr == addr {
			x.last = now
			return x
		}
		if x.last.Before(a.sources[oldest].last) {
			oldest = i
		}
	}
	fresh := source{addr: addr, last: now}
	if len(a.sources) < maxSources {
		a.sources = append(a.sources, fresh)
		return &a.sources[len(a.sources)-1]
	}
	a.sources[oldest] = fresh
	return &a.sources[oldest]
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (a *Agent) NextTimeout() (next time.Time, ok bool) {
	for _, s := range a.sessions {
		next = core.Earliest(next, s.until)
		if t, ok := s.conn.NextTimeout(); ok {
			next = core.Earliest(next, t)
		}
	}
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (a *Agent) HandleTimeout(now time.Time) {
	for _, s := range slices.Clone(a.sessions) {
		s.conn.HandleTimeout(now)
		if !s.until.IsZero() && !now.Before(s.until) {
			s.silent = true
			s.conn.Close()
		}
		a.pump(now, s)
	}
}

func (a *Agent) transmit(to netip.AddrPort, datagram []byte) {
	if len(a.out) >= maxOut { // it is fetched after each input
		a.Counters.Lost++
		return
	}
	a.out = append(a.out, Outgoing{to, datagram})
}

// request has the mesh do something. What must not be lost is bounded by itself: the open exchanges of some sessions.
func (a *Agent) request(r Request) {
	if len(a.requests) >= maxOut && r.Kind != Ask && r.Kind != Resign {
		a.Counters.Lost++
		return
	}
	a.requests = append(a.requests, r)
}

func (a *Agent) emit(ev Event) {
	if len(a.events) >= maxOut {
		a.events = slices.Delete(a.events, 0, 1)
	}
	a.events = append(a.events, ev)
}

// PollTransmit returns the next datagram for a commissioner, and false if there is none.
func (a *Agent) PollTransmit() (Outgoing, bool) { return core.Pop(&a.out) }

// PollRequest returns what is next to be done in the mesh, and false if there is nothing.
func (a *Agent) PollRequest() (Request, bool) { return core.Pop(&a.requests) }

// PollEvent returns the next event, and false if there is none.
func (a *Agent) PollEvent() (Event, bool) { return core.Pop(&a.events) }
