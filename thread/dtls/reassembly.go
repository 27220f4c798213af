package dtls

import "slices"

// ahead is how many handshake messages are collected at a time: the longest flight of this profile has three.
const ahead = 4

// A collector puts handshake messages together, and in their order: at most ahead of them with maxMessage bytes each.
type collector struct {
	next     uint16 // the message that is due
	messages [ahead]partial
}

// A partial is a handshake message of which some is there.
type partial struct {
	open    bool
	kind    messageType
	body    []byte
	have    []bool // byte by byte
	missing int
}

// add takes a fragment. It reports false for one of a message that is over, or far ahead.
func (c *collector) add(f fragment) bool {
	i := f.seq - c.next
	if i >= ahead {
		return false
	}
	p := &c.messages[i]
	if !p.open || p.kind != f.kind || len(p.body) != f.length { // what came before it was another's, as far as can be known
		*p = partial{open: true, kind: f.kind, body: make([]byte, f.length), have: make([]bool, f.length), missing: f.length}
	}
	for j, b := range f.data {
		if at := f.offset + j; !p.have[at] {
			p.have[at], p.body[at] = true, b
			p.missing--
		}
	}
	return true
}

// peek returns the message that is due, if it is whole.
func (c *collector) peek() (kind messageType, body []byte, ok bool) {
	p := &c.messages[0]
	return p.kind, p.body, p.open && p.missing == 0
}

// done goes on to the next message.
func (c *collector) done() {
	copy(c.messages[:], c.messages[1:])
	c.messages[ahead-1] = partial{}
	c.next++
}

// skip forgets the message that is due: the next of that number may be the right one.
func (c *collector) skip() { c.messages[0] = partial{} }

// clear forgets all that is collected.
func (c *collector) clear() { clear(c.messages[:]) }

// A flightPart is a handshake message of a flight, or ChangeCipherSpec if kind is 0.
type flightPart struct {
	kind  messageType
	seq   uint16
	epoch uint16
	body  []byte
}

// changeCipherSpec stands for the message of that name in a flight.
func changeCipherSpec() flightPart { return flightPart{} }

func (p *flightPart) isChange() bool { return p.kind == 0 && p.body == nil }

// transcript is what a Finished is computed over (RFC 6347 §4.2.6): all messages so far as if each had come in one fragment.
type transcript struct{ b []byte }

func (t *transcript) add(kind messageType, seq uint16, body []byte) {
	t.b = appendFragment(slices.Grow(t.b, handshakeHeaderSize+len(body)), kind, seq, body, 0, len(body))
}
