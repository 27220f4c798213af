package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// Message format (RFC 7252 §3).
const (
	version       = 1
	versionShift  = 6
	typeShift     = 4
	typeMask      = 0x3
	tokenLenMask  = 0xf
	headerSize    = 4
	payloadMarker = 0xff

	// MaxTokenLength is the longest token, in bytes.
	MaxTokenLength = 8
)

// Errors of this package. They are returned as they are.
var (
	// ErrFormat says that a datagram is not a CoAP message: another version, or fields that exceed it.
	ErrFormat = errors.New("coap: message format error")
	// ErrToken says that a token has more than MaxTokenLength bytes.
	ErrToken = errors.New("coap: token too long")
	// ErrOption says that an option is out of order or too long, or a critical one that this package does not know.
	ErrOption = errors.New("coap: option out of order, too long, or critical and not known")
)

// Type is the kind of a message (RFC 7252 §4).
type Type uint8

// The types.
const (
	Confirmable     Type = 0
	NonConfirmable  Type = 1
	Acknowledgement Type = 2
	Reset           Type = 3
)

// String returns the abbreviation of RFC 7252.
func (t Type) String() string {
	switch t {
	case Confirmable:
		return "CON"
	case NonConfirmable:
		return "NON"
	case Acknowledgement:
		return "ACK"
	case Reset:
		return "RST"
	default:
		return "type " + strconv.Itoa(int(t))
	}
}

// Code is a request method or a response status: a class of 3 bits and a detail of 5 (RFC 7252 §3, §12.1).
type Code uint8

// The codes of RFC 7252.
const (
	Empty Code = 0

	GET    Code = 0<<5 | 1
	POST   Code = 0<<5 | 2
	PUT    Code = 0<<5 | 3
	DELETE Code = 0<<5 | 4

	Created Code = 2<<5 | 1
	Deleted Code = 2<<5 | 2
	Valid   Code = 2<<5 | 3
	Changed Code = 2<<5 | 4
	Content Code = 2<<5 | 5

	BadRequest               Code = 4 << 5
	Unauthorized             Code = 4<<5 | 1
	BadOption                Code = 4<<5 | 2
	Forbidden                Code = 4<<5 | 3
	NotFound                 Code = 4<<5 | 4
	MethodNotAllowed         Code = 4<<5 | 5
	NotAcceptable            Code = 4<<5 | 6
	PreconditionFailed       Code = 4<<5 | 12
	RequestEntityTooLarge    Code = 4<<5 | 13
	UnsupportedContentFormat Code = 4<<5 | 15

	InternalServerError  Code = 5 << 5
	NotImplemented       Code = 5<<5 | 1
	BadGateway           Code = 5<<5 | 2
	ServiceUnavailable   Code = 5<<5 | 3
	GatewayTimeout       Code = 5<<5 | 4
	ProxyingNotSupported Code = 5<<5 | 5
)

const (
	codeClassShift     = 5
	codeDetailMask     = 0x1f
	classRequest       = 0
	firstResponseClass = 2
	lastResponseClass  = 5
)

// Class returns the class: 0 for requests, 2, 4 and 5 for responses.
func (c Code) Class() uint8 { return uint8(c) >> codeClassShift }

// IsRequest reports whether c is a method.
func (c Code) IsRequest() bool { return c != Empty && c.Class() == classRequest }

// IsResponse reports whether c is a response code.
func (c Code) IsResponse() bool {
	return c.Class() >= firstResponseClass && c.Class() <= lastResponseClass
}

// IsSuccess reports whether c is a response code of success (2.xx).
func (c Code) IsSuccess() bool { return c.Class() == firstResponseClass }

// String prints c as RFC 7252 does: 2.04, 0.02.
func (c Code) String() string { return fmt.Sprintf("%d.%02d", c.Class(), uint8(c)&codeDetailMask) }

// Token ties a response to its request: 0 to 8 bytes. Tokens compare with ==.
type Token struct {
	bytes [MaxTokenLength]byte
	size  uint8
}

// NewToken returns the token with the bytes of b. It fails with ErrToken if there are more than MaxTokenLength.
func NewToken(b []byte) (Token, error) {
	if len(b) > MaxTokenLength {
		return Token{}, ErrToken
	}
	t := Token{size: uint8(len(b))}
	copy(t.bytes[:], b)
	return t, nil
}

// Len returns the number of bytes.
func (t Token) Len() int { return int(t.size) }

// String prints t in hexadecimal.
func (t Token) String() string { return fmt.Sprintf("%x", t.bytes[:t.size]) }

// Message is a CoAP message. In a parsed message Options and Payload alias the input.
type Message struct {
	Type      Type
	Code      Code
	MessageID uint16
	Token     Token
	Options   Options
	Payload   []byte // empty for none
}

// ParseMessage parses a datagram. An Empty message must be 4 bytes, and a payload marker must be followed by a payload
// (RFC 7252 §3, §4.1). All options are checked, none is interpreted. With ErrFormat it returns the type and the message ID, where there
// are such.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < headerSize || b[0]>>versionShift != version {
		return Message{}, ErrFormat
	}
	m := Message{
		Type:      Type(b[0] >> typeShift & typeMask),
		Code:      Code(b[1]),
		MessageID: binary.BigEndian.Uint16(b[2:]),
	}
	tokenLen := int(b[0] & tokenLenMask)
	b = b[headerSize:]
	if m.Code == Empty {
		if tokenLen != 0 || len(b) != 0 {
			return m.malformed()
		}
		return m, nil
	}
	if tokenLen > MaxTokenLength || tokenLen > len(b) {
		return m.malformed()
	}
	m.Token.size = uint8(tokenLen)
	copy(m.Token.bytes[:], b[:tokenLen])
	b = b[tokenLen:]

	rest, number := b, 0
	for len(rest) > 0 && rest[0] != payloadMarker {
		o, err := nextOption(rest)
		if number += o.delta; err != nil || number > maxOptionNumber {
			return m.malformed()
		}
		rest = o.rest
	}
	if size := len(b) - len(rest); size > 0 {
		m.Options = Options(b[:size:size])
	}
	if len(rest) > 0 {
		if m.Payload = rest[1:]; len(m.Payload) == 0 {
			return m.malformed()
		}
	}
	return m, nil
}

// malformed is what is known of a message that is malformed.
func (m Message) malformed() (Message, error) {
	return Message{Type: m.Type, Code: m.Code, MessageID: m.MessageID}, ErrFormat
}

// AppendBinary appends m to b. It never fails.
func (m Message) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, version<<versionShift|byte(m.Type&typeMask)<<typeShift|m.Token.size, byte(m.Code))
	b = binary.BigEndian.AppendUint16(b, m.MessageID)
	b = append(b, m.Token.bytes[:m.Token.size]...)
	b = append(b, m.Options...)
	if len(m.Payload) > 0 {
		b = append(append(b, payloadMarker), m.Payload...)
	}
	return b, nil
}
