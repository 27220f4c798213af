package dtls

import (
	"bytes"
	"time"
)

// sendHello sends a ClientHello, the first one or that with a cookie. It begins the transcript (RFC 6347 §4.2.1).
func (c *Conn) sendHello(now time.Time) {
	c.begin()
	c.log = transcript{}
	c.appendMessage(clientHello, 0, appendClientHello(nil, &c.clientRandom, c.cookie, c.pake.RoundOne()))
	c.sendFlight(now)
	c.await(now)
}

// handleHelloVerify shows the server its cookie. The wait goes on as long as it was: what the first hello took says little of what the second takes.
func (c *Conn) handleHelloVerify(now time.Time, body []byte) error {
	cookie, err := parseHelloVerify(body)
	if err != nil {
		return err
	}
	if c.verified++; c.verified > maxVerify {
		return ErrRefused
	}
	c.cookie = bytes.Clone(cookie)
	c.received.done()
	c.alerted = nil
	c.sendHello(now)
	return nil
}

func (c *Conn) handleServerHello(body []byte) error {
	h, err := parseServerHello(body)
	switch {
	case err != nil:
		return err
	case h.suite != suiteECJPAKE || len(h.methods) != 1 || h.methods[0] != nullCompression || h.roundOne == nil:
		return ErrRefused
	}
	c.serverRandom = h.random
	return c.pake.HandleRoundOne(h.roundOne)
}

// answerServer answers the server's flight.
func (c *Conn) answerServer(now time.Time) error {
	round, err := c.pake.RoundTwo()
	if err != nil {
		return err
	}
	if err := c.deriveKeys(); err != nil {
		return err
	}
	c.answered(now)
	c.begin()
	c.appendMessage(clientKeyExchange, 0, round)
	c.append(changeCipherSpec())
	mine := c.verifyData(RoleClient)
	c.appendMessage(finished, 1, mine[:])
	c.step = finished
	c.sendFlight(now)
	c.await(now)
	return nil
}
