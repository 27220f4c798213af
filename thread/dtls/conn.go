package dtls

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopymesh/pymesh/thread/ecjpake"
)

var (
	// ErrPassword says that the peer has another password.
	ErrPassword = errors.New("dtls: the peer has another password")
	// ErrTimeout says that the peer has not answered.
	ErrTimeout = errors.New("dtls: the peer does not answer")
	// ErrRefused says that the peer has refused the connection before passwords were compared.
	ErrRefused = errors.New("dtls: the peer has refused the connection")
	// ErrClosed says that the connection is closed, by whichever side.
	ErrClosed = errors.New("dtls: connection closed")
	// ErrNotReady says that the handshake is not over yet.
	ErrNotReady = errors.New("dtls: handshake not finished")
	// ErrTooLong says that data does not fit into a datagram.
	ErrTooLong = errors.New("dtls: data too long")
	// ErrHello says that a datagram is not a ClientHello that suits.
	ErrHello = errors.New("dtls: no suitable ClientHello")
)

// Limits of this implementation.
const (
	// DefaultMTU leaves room in a datagram of 1280 bytes for the headers of IPv6 and UDP, and for those of a relayed message.
	DefaultMTU = 1152
	// MinMTU is the smallest MTU.
	MinMTU = 128
	// KEKSize is the size of a key encryption key in bytes.
	KEKSize = 16

	maxReceived = 16 // datagrams of application data that wait for Read
	maxVerify   = 4  // HelloVerifyRequests that a client follows
)

// Role is the side of a connection.
type Role uint8

// The sides.
const (
	RoleClient Role = iota
	RoleServer
)

// State is how far a connection is.
type State uint8

// The states.
const (
	Handshaking State = iota
	Established
	Closed
)

func (s State) String() string {
	switch s {
	case Handshaking:
		return "handshaking"
	case Established:
		return "established"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Timing says when a flight is sent again (RFC 6347 §4.2.4). It depends on the air: a flight has up to 650 bytes.
type Timing struct {
	// Initial is the first wait for an answer. It is doubled with each retransmission, up to Max. What the peer turns out to need for an answer
	// raises it.
	Initial, Max time.Duration
	// Retransmissions is how often a flight is sent again before the peer is given up.
	Retransmissions int
}

// DefaultTiming is that of Thread on IEEE 802.15.4, as OpenThread has it.
func DefaultTiming() Timing {
	return Timing{Initial: 8 * time.Second, Max: time.Minute, Retransmissions: 3}
}

// Config is what a connection works with.
type Config struct {
	// Password is what both sides know, 1 to 32 bytes.
	Password []byte
	// Rand is the source of keys: crypto/rand's Reader, but for simulations. It must not fail.
	Rand io.Reader
	// Timing, with DefaultTiming for the zero value.
	Timing Timing
	// MTU is the size in bytes of the largest datagram to be sent, DefaultMTU if 0, MinMTU at least. A peer on mbedTLS takes no hello in fragments.
	MTU int
}

func (c *Config) setDefaults() {
	if c.Timing == (Timing{}) {
		c.Timing = DefaultTiming()
	}
	if c.MTU == 0 {
		c.MTU = DefaultMTU
	}
	c.MTU = max(c.MTU, MinMTU)
}

// Counters count what a connection has not taken.
type Counters struct {
	Malformed       uint64 // records and messages
	Unauthentic     uint64 // records whose MIC is wrong, or that came too early or too late
	Replayed        uint64 // records that had been received before
	Unexpected      uint64 // messages that have no place where they came
	Lost            uint64 // application data that nobody has read
	Retransmissions uint64 // of flights
}

// A Conn is one side of a connection:
//
//	Dial, Accept ─► Handshaking ──► Established ──► Closed
//	                     └── no answer, password, alert ──┘
//
// Inputs are HandleDatagram, HandleTimeout, Write and Close. After each of them ask PollTransmit and Read until they report false, State, and
// NextTimeout. A Conn must not be used concurrently.
type Conn struct {
	Counters Counters

	cfg   Config
	role  Role
	state State
	err   error
	step  messageType // the handshake message that is due
	pake  *ecjpake.Session

	clientRandom, serverRandom [randomSize]byte
	cookie                     []byte
	verified                   int // HelloVerifyRequests

	log      transcript
	received collector
	master   [masterSize]byte
	kek      [KEKSize]byte

	// Records.
	out, in  halfKeys
	keyed    bool // both are there
	epoch    uint16
	sequence [2]uint64 // of the next record, by epoch
	replay   window

	// The flight that was sent last, and what is to come of it.
	flight   []flightPart
	nextSeq  uint16 // of the next handshake message
	sent     time.Time
	timeout  time.Duration
	tries    int
	deadline time.Time // zero where no answer is due
	alerted  error     // what somebody says is wrong
	fault    error     // of the last message that made no sense

	transmit [][]byte
	data     [][]byte
}

// Dial begins a connection. It fails with ecjpake.ErrPassword for a password that is none.
func Dial(now time.Time, cfg Config) (*Conn, error) {
	c, err := newConn(RoleClient, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(cfg.Rand, c.clientRandom[:]); err != nil {
		return nil, err
	}
	c.step = serverHello
	c.sendHello(now)
	return c, nil
}

func newConn(role Role, cfg Config) (*Conn, error) {
	cfg.setDefaults()
	side := ecjpake.Client
	if role == RoleServer {
		side = ecjpake.Server
	}
	pake, err := ecjpake.New(side, cfg.Password, cfg.Rand)
	if err != nil {
		return nil, err
	}
	return &Conn{cfg: cfg, role: role, pake: pake, timeout: cfg.Timing.Initial}, nil
}

// State returns how far the connection is.
func (c *Conn) State() State { return c.state }

// Err returns why the connection is Closed, and nil while it is not.
func (c *Conn) Err() error { return c.err }

// KEK returns the key that both sides derive from the keys of the connection, once it is Established: the Joiner Router KEK, under which a joiner
// is entrusted with the network's key (Thread 1.1 §8.4.4.3).
func (c *Conn) KEK() [KEKSize]byte { return c.kek }

// ClientRandom returns the random number of the client's hello, by which it is told from others.
func (c *Conn) ClientRandom() [randomSize]byte { return c.clientRandom }

// HandleDatagram takes a datagram of the peer's. It is not kept.
func (c *Conn) HandleDatagram(now time.Time, datagram []byte) {
	for len(datagram) > 0 && c.state != Closed {
		r, rest, err := parseRecord(datagram)
		if err != nil {
			c.Counters.Malformed++
			return
		}
		datagram = rest
		switch {
		case r.epoch == 0:
			c.handlePlain(now, r)
		case r.epoch == 1 && c.keyed:
			c.handleSealed(now, r)
		default:
			c.Counters.Unauthentic++
		}
	}
}

// handlePlain takes a record of epoch 0, which anybody may have made.
func (c *Conn) handlePlain(now time.Time, r record) {
	switch {
	case c.state != Handshaking:
		c.Counters.Unexpected++ // what the peer repeats shows by its Finished, too
	case r.kind == typeChangeCipherSpec: // the epoch of a record tells as much
	case r.kind == typeAlert:
		c.suspect(now, alertError(r.fragment, c.keyed))
	case r.kind == typeHandshake:
		c.handleFragments(now, r.fragment, 0)
	default:
		c.Counters.Unexpected++
	}
}

// handleSealed takes a record of epoch 1.
func (c *Conn) handleSealed(now time.Time, r record) {
	if !c.replay.fresh(r.sequence) {
		c.Counters.Replayed++
		return
	}
	plaintext, err := c.in.open(r)
	if err != nil {
		c.Counters.Unauthentic++
		if c.state == Handshaking && r.kind == typeHandshake {
			c.distrust(now)
		}
		return
	}
	c.replay.mark(r.sequence)
	switch r.kind {
	case typeHandshake:
		c.handleFragments(now, plaintext, 1)
	case typeAlert:
		c.handleAlert(plaintext)
	case typeApplicationData:
		c.handleData(plaintext)
	default:
		c.Counters.Unexpected++
	}
}

func (c *Conn) handleData(b []byte) {
	switch {
	case c.state != Established:
		c.Counters.Unexpected++
	case len(c.data) == maxReceived:
		c.Counters.Lost++
	default:
		c.data = append(c.data, b)
	}
}

// handleFragments takes the handshake messages of a record.
func (c *Conn) handleFragments(now time.Time, b []byte, epoch uint16) {
	for len(b) > 0 {
		f, rest, err := parseFragment(b)
		if err != nil {
			c.Counters.Malformed++
			return
		}
		b = rest
		if (f.kind == finished) != (epoch == 1) {
			c.Counters.Unexpected++
			continue
		}
		if f.seq+1 == c.received.next && len(f.data) == f.length {
			c.repeated(now)
			continue
		}
		if c.state != Handshaking || !c.received.add(f) {
			c.Counters.Unexpected++
			continue
		}
		c.advance(now)
	}
}

// repeated sends the own flight again: the peer has sent the end of its last once more. It does so by its timer, and so seldom, unless it is
// somebody else. While this side waits for an answer it is its own timer that tells when: an answer to each copy as well would be the same flight
// twice for each that was lost, or was only slow (RFC 6347 §4.2.4).
func (c *Conn) repeated(now time.Time) {
	if len(c.flight) == 0 || !c.deadline.IsZero() || now.Sub(c.sent) < c.cfg.Timing.Initial/2 {
		return
	}
	c.Counters.Retransmissions++
	c.sendFlight(now)
}

// advance handles the messages that are whole and in order.
func (c *Conn) advance(now time.Time) {
	for c.state == Handshaking {
		kind, body, ok := c.received.peek()
		if !ok {
			return
		}
		seq := c.received.next
		if err := c.handleMessage(now, kind, seq, body); err != nil {
			if errors.Is(err, ErrFormat) {
				c.Counters.Malformed++
			} else {
				c.Counters.Unexpected++
			}
			c.received.skip() // who knows whose it was: the peer will send its own again
			c.fault = err
			return
		}
	}
}

// handleMessage takes the handshake message that is due by its number.
func (c *Conn) handleMessage(now time.Time, kind messageType, seq uint16, body []byte) error {
	if kind == helloVerifyRequest && c.step == serverHello {
		return c.handleHelloVerify(now, body)
	}
	if kind != c.step {
		return ErrRefused
	}
	var err error
	switch kind {
	case serverHello:
		err = c.handleServerHello(body)
	case serverKeyExchange:
		err = c.pake.HandleRoundTwo(body)
	case clientKeyExchange:
		err = c.handleClientKeyExchange(body)
	case finished:
		err = c.checkFinished(body)
	}
	if err != nil {
		return err
	}
	c.log.add(kind, seq, body)
	c.received.done()
	switch kind {
	case serverHello:
		c.step = serverKeyExchange
	case serverKeyExchange:
		c.step = serverHelloDone
	case serverHelloDone:
		return c.answerServer(now)
	case clientKeyExchange:
		c.step = finished
	case finished:
		c.finish(now)
	}
	return nil
}

// deriveKeys makes the keys of epoch 1 from what was agreed on.
func (c *Conn) deriveKeys() error {
	secret, err := c.pake.Secret()
	if err != nil {
		return err
	}
	prf(c.master[:], secret[:], labelMaster, c.clientRandom[:], c.serverRandom[:])
	var block keyBlock
	prf(block[:], c.master[:], labelKeys, c.serverRandom[:], c.clientRandom[:])
	c.out, c.in, c.keyed = block.of(c.role), block.of(RoleClient+RoleServer-c.role), true
	sum := sha256.Sum256(block[:])
	c.kek = [KEKSize]byte(sum[:])
	return nil
}

// verifyData is what a side's Finished says (RFC 5246 §7.4.9).
func (c *Conn) verifyData(of Role) (b [verifySize]byte) {
	label := labelClientEnd
	if of == RoleServer {
		label = labelServerEnd
	}
	sum := sha256.Sum256(c.log.b)
	prf(b[:], c.master[:], label, sum[:])
	return b
}

func (c *Conn) checkFinished(body []byte) error {
	want := c.verifyData(RoleClient + RoleServer - c.role)
	if !hmac.Equal(body, want[:]) {
		return ErrPassword
	}
	return nil
}

// finish ends the handshake.
func (c *Conn) finish(now time.Time) {
	c.answered(now)
	if c.role == RoleServer {
		c.begin()
		c.append(changeCipherSpec())
		mine := c.verifyData(RoleServer)
		c.appendMessage(finished, 1, mine[:])
		c.sendFlight(now)
	} else {
		c.flight = nil
	}
	c.state, c.deadline, c.alerted = Established, time.Time{}, nil
	c.epoch = 1
	c.pake, c.log, c.master = nil, transcript{}, [masterSize]byte{}
	c.received.clear()
}

// fail ends the connection.
func (c *Conn) fail(err error) {
	if c.state == Closed {
		return
	}
	c.state, c.err, c.deadline = Closed, err, time.Time{}
	c.pake, c.flight, c.log, c.data = nil, nil, transcript{}, nil
	c.received.clear()
}

// Write sends application data in one datagram.
func (c *Conn) Write(b []byte) error {
	switch {
	case c.state == Closed:
		return ErrClosed
	case c.state != Established:
		return ErrNotReady
	case len(b) > c.cfg.MTU-recordHeaderSize-sealOverhead:
		return ErrTooLong
	}
	return c.sendSealed(typeApplicationData, b)
}

// sendSealed sends a record of epoch 1 in a datagram of its own.
func (c *Conn) sendSealed(kind contentType, b []byte) error {
	if c.sequence[1] >= maxSequence {
		c.fail(ErrClosed) // RFC 6347 §4.1.2.1: numbers must not come twice
		return ErrClosed
	}
	c.transmit = append(c.transmit, c.out.appendSealed(nil, kind, 1, c.sequence[1], b))
	c.sequence[1]++
	return nil
}

// Read returns the next datagram of application data, and false if there is none.
func (c *Conn) Read() ([]byte, bool) { return pop(&c.data) }

// PollTransmit returns the next datagram to send, and false if there is none.
func (c *Conn) PollTransmit() ([]byte, bool) { return pop(&c.transmit) }

func pop(queue *[][]byte) ([]byte, bool) {
	if len(*queue) == 0 {
		return nil, false
	}
	first := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	return first, true
}

// Close ends the connection, and tells the peer.
func (c *Conn) Close() {
	if c.state == Closed {
		return
	}
	c.sendAlert(alertWarning, alertCloseNotify)
	c.fail(ErrClosed)
}
