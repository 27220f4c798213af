package dtls

import (
	"encoding/binary"
	"slices"
)

// messageType is the type of a handshake message.
type messageType uint8

// The types of handshake messages (RFC 5246 §7.4, RFC 6347 §4.3.2).
const (
	helloRequest       messageType = 0
	clientHello        messageType = 1
	serverHello        messageType = 2
	helloVerifyRequest messageType = 3
	serverKeyExchange  messageType = 12
	serverHelloDone    messageType = 14
	clientKeyExchange  messageType = 16
	finished           messageType = 20
)

// Fixed by the standards.
const (
	handshakeHeaderSize = 12

	suiteECJPAKE = 0xc0ff // TLS_ECJPAKE_WITH_AES_128_CCM_8
	suiteSCSV    = 0x00ff // TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746)

	extensionGroups        = 10     // RFC 8422
	extensionPointFormats  = 11     // RFC 8422
	extensionECJPAKE       = 256    // ecjpake_key_kp_pair, as all implementations have it: none was ever assigned
	extensionRenegotiation = 0xff01 // RFC 5746

	groupP256         = 23
	uncompressedPoint = 0
	nullCompression   = 0

	// maxMessage bounds a handshake message: a hello with the largest cookie and session identifier has less.
	maxMessage = 1024
)

// A fragment is one fragment of a handshake message; a whole message is one, too. Its data alias the record.
type fragment struct {
	kind   messageType
	length int // of the message
	seq    uint16
	offset int
	data   []byte
}

// parseFragment parses the first handshake fragment of a record, and returns what follows it.
func parseFragment(b []byte) (f fragment, rest []byte, err error) {
	if len(b) < handshakeHeaderSize {
		return fragment{}, nil, ErrFormat
	}
	f.kind, f.length, f.seq = messageType(b[0]), uint24(b[1:]), binary.BigEndian.Uint16(b[4:])
	f.offset = uint24(b[6:])
	n := uint24(b[9:])
	b = b[handshakeHeaderSize:]
	if n > len(b) || f.offset+n > f.length || f.length > maxMessage {
		return fragment{}, nil, ErrFormat
	}
	f.data = b[:n]
	return f, b[n:], nil
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

func appendUint24(b []byte, n int) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

// appendFragment appends a part of the body of a handshake message.
func appendFragment(b []byte, kind messageType, seq uint16, body []byte, offset, n int) []byte {
	b = appendUint24(append(b, byte(kind)), len(body))
	b = binary.BigEndian.AppendUint16(b, seq)
	b = appendUint24(appendUint24(b, offset), n)
	return append(b, body[offset:offset+n]...)
}

// A reader reads a message from its front. After an error all that it reads is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint8() int {
	if b := r.bytes(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.bytes(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

// opaque8 and opaque16 read what its size stands before.
func (r *reader) opaque8() []byte  { return r.bytes(r.uint8()) }
func (r *reader) opaque16() []byte { return r.bytes(r.uint16()) }

// end reports whether all was read, and nothing was missing.
func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return ErrFormat
	}
	return nil
}

// A hello is a ClientHello or a ServerHello. What it points to aliases the message.
type hello struct {
	random   [randomSize]byte
	session  []byte
	cookie   []byte // of a client
	suites   []byte // of a client, two bytes each
	suite    int    // of a server
	methods  []byte // of compression, one of a server
	roundOne []byte // nil where the extension is missing
	groups   []byte // nil where the extension is missing
	secure   bool   // renegotiation: the extension is there, or the suite that stands for it
}

// parseClientHello parses the body of a ClientHello (RFC 6347 §4.3.2).
func parseClientHello(b []byte) (h hello, err error) {
	r := reader{b: b}
	if v := r.uint16(); v != version12 {
		return hello{}, ErrFormat
	}
	copy(h.random[:], r.bytes(randomSize))
	h.session, h.cookie, h.suites, h.methods = r.opaque8(), r.opaque8(), r.opaque16(), r.opaque8()
	if r.bad || len(h.session) > 32 || len(h.suites)%2 != 0 {
		return hello{}, ErrFormat
	}
	h.secure = h.offers(suiteSCSV)
	return h, h.parseExtensions(&r)
}

// parseServerHello parses the body of a ServerHello.
func parseServerHello(b []byte) (h hello, err error) {
	r := reader{b: b}
	if v := r.uint16(); v != version12 {
		return hello{}, ErrFormat
	}
	copy(h.random[:], r.bytes(randomSize))
	h.session, h.suite, h.methods = r.opaque8(), r.uint16(), r.bytes(1)
	if r.bad || len(h.session) > 32 {
		return hello{}, ErrFormat
	}
	return h, h.parseExtensions(&r)
}

// parseExtensions parses what follows in a hello. None twice (RFC 5246 §7.4.1.4).
func (h *hello) parseExtensions(r *reader) error {
	if len(r.b) == 0 {
		return nil
	}
	x := reader{b: r.opaque16()}
	if err := r.end(); err != nil {
		return err
	}
	for len(x.b) > 0 && !x.bad {
		kind, value := x.uint16(), x.opaque16()
		switch kind {
		case extensionECJPAKE:
			if h.roundOne != nil {
				return ErrFormat
			}
			h.roundOne = value
		case extensionGroups:
			v := reader{b: value}
			if h.groups = v.opaque16(); v.end() != nil || len(h.groups)%2 != 0 {
				return ErrFormat
			}
		case extensionRenegotiation:
			h.secure = true
		}
	}
	return x.end()
}

// offers reports whether a client has a suite.
func (h *hello) offers(suite uint16) bool { return has(h.suites, suite) }

func has(list []byte, v uint16) bool {
	for c := range slices.Chunk(list, 2) {
		if binary.BigEndian.Uint16(c) == v {
			return true
		}
	}
	return false
}

// suits reports whether a client can speak this profile.
func (h *hello) suits() bool {
	return h.offers(suiteECJPAKE) && slices.Contains(h.methods, nullCompression) && h.roundOne != nil && has(h.groups, groupP256)
}

func appendOpaque8(b, value []byte) []byte { return append(append(b, byte(len(value))), value...) }

func appendOpaque16(b, value []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(value))), value...)
}

func appendExtension(b []byte, kind int, value []byte) []byte {
	return appendOpaque16(binary.BigEndian.AppendUint16(b, uint16(kind)), value)
}

// appendClientHello appends the body of a ClientHello.
func appendClientHello(b []byte, random *[randomSize]byte, cookie, roundOne []byte) []byte {
	b = append(binary.BigEndian.AppendUint16(b, version12), random[:]...)
	b = appendOpaque8(append(b, 0), cookie)
	b = appendOpaque16(b, []byte{suiteECJPAKE >> 8, suiteECJPAKE & 0xff, suiteSCSV >> 8, suiteSCSV & 0xff})
	b = appendOpaque8(b, []byte{nullCompression})
	x := appendExtension(nil, extensionGroups, []byte{0, 2, 0, groupP256})
	x = appendExtension(x, extensionPointFormats, []byte{1, uncompressedPoint})
	return appendOpaque16(b, appendExtension(x, extensionECJPAKE, roundOne))
}

// appendServerHello appends the body of a ServerHello.
func appendServerHello(b []byte, random *[randomSize]byte, secure bool, roundOne []byte) []byte {
	b = append(binary.BigEndian.AppendUint16(b, version12), random[:]...)
	b = append(b, 0, suiteECJPAKE>>8, suiteECJPAKE&0xff, nullCompression)
	var x []byte
	if secure {
		x = appendExtension(x, extensionRenegotiation, []byte{0})
	}
	x = appendExtension(x, extensionPointFormats, []byte{1, uncompressedPoint})
	return appendOpaque16(b, appendExtension(x, extensionECJPAKE, roundOne))
}

// parseHelloVerify returns the cookie of a HelloVerifyRequest. It aliases the message.
func parseHelloVerify(b []byte) (cookie []byte, err error) {
	r := reader{b: b}
	r.uint16() // version: of DTLS 1.0 or 1.2, as servers please (RFC 6347 §4.2.1)
	cookie = r.opaque8()
	return cookie, r.end()
}

func appendHelloVerify(b, cookie []byte) []byte {
	return appendOpaque8(binary.BigEndian.AppendUint16(b, version12), cookie)
}
