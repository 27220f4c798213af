package dtls

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"
)

const (
	cookieSize = 16
	// cookieLife is how long a cookie is good, and once more as long.
	cookieLife = time.Minute
)

// Cookies tells those who are where they say they are from those who only say so (RFC 6347 §4.2.1): to the latter a server owes nothing but a
// cookie, for which it keeps nothing.
type Cookies struct{ secret [sha256.Size]byte }

// NewCookies makes cookies under a secret of its own.
func NewCookies(random io.Reader) (*Cookies, error) {
	c := new(Cookies)
	_, err := io.ReadFull(random, c.secret[:])
	return c, err
}

// cookie is that of a peer for the time in which slot is.
func (c *Cookies) cookie(slot int64, peer []byte, random *[randomSize]byte) []byte {
	h := hmac.New(sha256.New, c.secret[:])
	_ = binary.Write(h, binary.BigEndian, slot) // never fails
	_ = binary.Write(h, binary.BigEndian, uint32(len(peer)))
	h.Write(peer)
	h.Write(random[:])
	return h.Sum(nil)[:cookieSize]
}

// Check looks at a datagram of somebody with whom there is no connection. ok reports that it is a ClientHello with a cookie that is good for that
// peer, to be handed to Accept; else reply, if it is not nil, is to be sent to the peer.
func (c *Cookies) Check(now time.Time, peer, datagram []byte) (reply []byte, ok bool) {
	r, f, h, err := parseHello(datagram)
	if err != nil || !h.suits() {
		return nil, false
	}
	slot := now.Unix() / int64(cookieLife/time.Second)
	for _, s := range []int64{slot, slot - 1} {
		if hmac.Equal(h.cookie, c.cookie(s, peer, &h.random)) {
			return nil, true
		}
	}
	body := appendHelloVerify(nil, c.cookie(slot, peer, &h.random))
	message := appendFragment(nil, helloVerifyRequest, f.seq, body, 0, len(body))
	return append(appendRecordHeader(nil, typeHandshake, 0, r.sequence, len(message)), message...), false
}

// HelloRandom returns the random number of a datagram that begins with a ClientHello, and false for another.
func HelloRandom(datagram []byte) (random [randomSize]byte, ok bool) {
	_, _, h, err := parseHello(datagram)
	return h.random, err == nil
}

// parseHello parses a ClientHello, which has to be whole: somebody would have to keep its fragments.
func parseHello(datagram []byte) (r record, f fragment, h hello, err error) {
	if r, _, err = parseRecord(datagram); err != nil {
		return r, f, h, err
	}
	if r.kind != typeHandshake || r.epoch != 0 {
		return r, f, h, ErrHello
	}
	if f, _, err = parseFragment(r.fragment); err != nil {
		return r, f, h, err
	}
	if f.kind != clientHello || len(f.data) != f.length {
		return r, f, h, ErrHello
	}
	h, err = parseClientHello(f.data)
	return r, f, h, err
}

// Accept answers a ClientHello that has passed Check. Its datagram is not kept. It fails with ErrHello for another, with ecjpake's errors for a
// first round that is none, and for a password that is none.
func Accept(now time.Time, cfg Config, datagram []byte) (*Conn, error) {
	r, f, h, err := parseHello(datagram)
	if err != nil || !h.suits() {
		return nil, ErrHello
	}
	c, err := newConn(RoleServer, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.pake.HandleRoundOne(h.roundOne); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(cfg.Rand, c.serverRandom[:]); err != nil {
		return nil, err
	}
	round, err := c.pake.RoundTwo()
	if err != nil {
		return nil, err
	}
	c.clientRandom = h.random
	c.sequence[0] = r.sequence // RFC 6347 §4.2.1
	c.received.next, c.nextSeq = f.seq+1, f.seq
	c.log.add(clientHello, f.seq, f.data)
	c.begin()
	c.appendMessage(serverHello, 0, appendServerHello(nil, &c.serverRandom, h.secure, c.pake.RoundOne()))
	c.appendMessage(serverKeyExchange, 0, round)
	c.appendMessage(serverHelloDone, 0, []byte{})
	c.step = clientKeyExchange
	c.sendFlight(now)
	c.await(now)
	return c, nil
}

// handleClientKeyExchange takes the client's second round.
func (c *Conn) handleClientKeyExchange(body []byte) error {
	if err := c.pake.HandleRoundTwo(body); err != nil {
		return err
	}
	return c.deriveKeys()
}
