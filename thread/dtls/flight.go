package dtls

import (
	"errors"
	"time"
)

// A flight is a side's turn: some messages, which are sent again as a whole until the other side answers (RFC 6347 §4.2.4).

// begin begins a flight.
func (c *Conn) begin() { c.flight = nil }

func (c *Conn) append(p flightPart) { c.flight = append(c.flight, p) }

// appendMessage adds a handshake message to the flight, and to what is confirmed by Finished.
func (c *Conn) appendMessage(kind messageType, epoch uint16, body []byte) {
	c.append(flightPart{kind: kind, seq: c.nextSeq, epoch: epoch, body: body})
	c.log.add(kind, c.nextSeq, body)
	c.nextSeq++
}

// sendFlight sends the flight, in as few datagrams as it fits into.
func (c *Conn) sendFlight(now time.Time) {
	c.sent = now
	var b []byte
	for i := range c.flight {
		b = c.packPart(b, &c.flight[i])
	}
	c.flush(b)
}

// packPart appends a part of the flight to a datagram, and begins others as far as it needs.
func (c *Conn) packPart(b []byte, p *flightPart) []byte {
	if p.isChange() {
		const size = 1
		if len(b)+recordHeaderSize+size > c.cfg.MTU {
			b = c.flush(b)
		}
		b = appendRecordHeader(b, typeChangeCipherSpec, 0, c.number(0), size)
		return append(b, 1)
	}
	overhead := recordHeaderSize + handshakeHeaderSize
	if p.epoch == 1 {
		overhead += sealOverhead
	}
	for offset, first := 0, true; first || offset < len(p.body); first = false {
		left := len(p.body) - offset
		if len(b) > 0 && len(b)+overhead+left > c.cfg.MTU {
			b = c.flush(b)
		}
		n := min(left, c.cfg.MTU-overhead)
		message := appendFragment(nil, p.kind, p.seq, p.body, offset, n)
		if p.epoch == 1 {
			b = c.out.appendSealed(b, typeHandshake, 1, c.number(1), message)
		} else {
			b = appendRecordHeader(b, typeHandshake, 0, c.number(0), len(message))
			b = append(b, message...)
		}
		offset += n
	}
	return b
}

// number takes the number of the next record.
func (c *Conn) number(epoch int) uint64 {
	c.sequence[epoch]++
	return c.sequence[epoch] - 1
}

func (c *Conn) flush(b []byte) []byte {
	if len(b) > 0 {
		c.transmit = append(c.transmit, b)
	}
	return nil
}

// await waits for the answer to the flight that was sent.
func (c *Conn) await(now time.Time) { c.tries, c.deadline = 0, now.Add(c.timeout) }

// answered notes that the peer has answered the flight. How long that took tells how long to wait the next time, unless the flight was sent more
// than once: then the wait stays as long as it is (RFC 6347 §4.2.4.1).
func (c *Conn) answered(now time.Time) {
	const margin = 3
	if c.tries == 0 && !c.sent.IsZero() {
		c.timeout = min(max(c.timeout, margin*now.Sub(c.sent)), max(c.cfg.Timing.Max, c.cfg.Timing.Initial))
	}
	c.alerted, c.fault = nil, nil
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (c *Conn) NextTimeout() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// HandleTimeout sends the flight again, or gives up.
func (c *Conn) HandleTimeout(now time.Time) {
	if c.deadline.IsZero() || now.Before(c.deadline) {
		return
	}
	switch {
	case c.alerted != nil:
		c.fail(c.alerted)
	case c.tries >= c.cfg.Timing.Retransmissions:
		c.fail(errors.Join(ErrTimeout, c.fault))
	default:
		c.tries++
		c.Counters.Retransmissions++
		c.timeout = min(2*c.timeout, max(c.cfg.Timing.Max, c.cfg.Timing.Initial))
		c.deadline = now.Add(c.timeout)
		c.sendFlight(now)
	}
}
