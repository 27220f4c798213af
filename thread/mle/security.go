package mle

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// Errors of the security of MLE messages.
var (
	// ErrHeader says that a UDP payload is not an MLE message, or is secured in a way that Thread does not use.
	ErrHeader = errors.New("mle: malformed or unsupported header")
	// ErrAuth says that a message is not authentic: another key, other addresses, or altered on the way.
	ErrAuth = errors.New("mle: message authentication failed")
)

// SecuritySuite is the first byte of an MLE message (draft-kelsey-intarea-mesh-link-establishment-06).
type SecuritySuite uint8

// The security suites.
const (
	// SuiteIEEE802154 marks a message secured as an IEEE 802.15.4 frame is.
	SuiteIEEE802154 SecuritySuite = 0
	// SuiteNone marks a message without security: in Thread Discovery Request and Response only.
	SuiteNone SecuritySuite = 255
)

// Sizes in bytes.
const (
	suiteSize     = 1
	auxHeaderSize = 10 // security control, frame counter, key source of 4 bytes, key index
	micSize       = 4
	addrSize      = 16
	aadSize       = 2*addrSize + auxHeaderSize

	// SecuredOverhead is what security adds to the command and TLVs of a message.
	SecuredOverhead = suiteSize + auxHeaderSize + micSize
)

// Header is what precedes the command of an MLE message.
type Header struct {
	Suite SecuritySuite
	// FrameCounter and KeySequence are the sender's; only with SuiteIEEE802154.
	FrameCounter uint32
	KeySequence  keys.Sequence
}

// ParseHeader parses the header of the MLE message in a UDP payload. With SuiteIEEE802154 open the message next, with
// SuiteNone payload[h.Size():] is the plaintext. It accepts security level 5 and key identifier mode 2 alone, as
// OpenThread does.
func ParseHeader(payload []byte) (Header, error) {
	if len(payload) <= suiteSize {
		return Header{}, ErrHeader
	}
	h := Header{Suite: SecuritySuite(payload[0])}
	switch h.Suite {
	case SuiteNone:
		return h, nil
	case SuiteIEEE802154:
		aux, err := ieee802154.ParseSecurityHeader(payload[suiteSize:])
		if err != nil || aux.Level != ieee802154.SecurityENCMIC32 || aux.KeyIDMode != ieee802154.KeyIDModeSource4 ||
			len(payload) <= SecuredOverhead {
			return Header{}, ErrHeader
		}
		h.FrameCounter = aux.FrameCounter
		h.KeySequence = keys.Sequence(binary.BigEndian.Uint32(aux.KeySource[:]))
		return h, nil
	default:
		return Header{}, ErrHeader
	}
}

// Size returns the number of bytes before the command.
func (h Header) Size() int {
	if h.Suite == SuiteNone {
		return suiteSize
	}
	return suiteSize + auxHeaderSize
}

// Open decrypts and authenticates payload, the UDP payload that ParseHeader read h from, and appends the plaintext, for
// ParseMessage, to dst. It fails with ErrAuth, dst unchanged. To open in place pass payload[h.Size():][:0] as dst;
// otherwise dst's spare capacity must not overlap payload.
//
// The addresses are those of the IPv6 header, ext is the sender's extended address, which a link-local source address
// holds, and ccm has the MLE key of h.KeySequence. Whether the frame counter is fresh is for the caller to check.
func (h Header) Open(dst, payload []byte, source, destination netip.Addr, ext ieee802154.ExtAddr, ccm *ieee802154.CCM) ([]byte, error) {
	if h.Suite != SuiteIEEE802154 || len(payload) <= SecuredOverhead {
		return dst, ErrAuth
	}
	aad := associatedData(source, destination, payload[suiteSize:])
	nonce := ieee802154.Nonce(ext, h.FrameCounter, ieee802154.SecurityENCMIC32)
	plaintext, err := ccm.Open(dst, &nonce, aad[:], payload[suiteSize+auxHeaderSize:], micSize)
	if err != nil {
		return dst, ErrAuth
	}
	return plaintext, nil
}

// Peek decrypts the beginning of payload, the UDP payload that ParseHeader read h from, into dst, and returns what dst has of it, for
// ParseBeginning. It authenticates nothing: nothing may be done because of what it finds, but things may be left undone. ext and ccm are
// as for Open.
func (h Header) Peek(dst, payload []byte, ext ieee802154.ExtAddr, ccm *ieee802154.CCM) []byte {
	if h.Suite != SuiteIEEE802154 || len(payload) <= SecuredOverhead {
		return dst[:0]
	}
	dst = dst[:min(len(dst), len(payload)-SecuredOverhead)]
	nonce := ieee802154.Nonce(ext, h.FrameCounter, ieee802154.SecurityENCMIC32)
	ccm.Peek(dst, &nonce, payload[suiteSize+auxHeaderSize:])
	return dst
}

// AppendSealed appends a secured MLE message to b: security suite, auxiliary header, plaintext (the command and TLVs)
// encrypted, and MIC. The message is bound to its IPv6 addresses; ext is the sender's extended address, counter its MLE
// frame counter, and ccm has the MLE key of seq. The spare capacity of b must not overlap plaintext.
func AppendSealed(b []byte, source, destination netip.Addr, ext ieee802154.ExtAddr, seq keys.Sequence, counter uint32,
	ccm *ieee802154.CCM, plaintext []byte) []byte {
	aux := ieee802154.SecurityHeader{
		Level:        ieee802154.SecurityENCMIC32,
		KeyIDMode:    ieee802154.KeyIDModeSource4,
		FrameCounter: counter,
		KeyIndex:     seq.Index(),
	}
	binary.BigEndian.PutUint32(aux.KeySource[:], uint32(seq))
	b = append(b, byte(SuiteIEEE802154))
	start := len(b)
	b, _ = aux.AppendBinary(b) // which fails only if there is no such level or mode
	aad := associatedData(source, destination, b[start:])
	nonce := ieee802154.Nonce(ext, counter, ieee802154.SecurityENCMIC32)
	return ccm.Seal(b, &nonce, aad[:], plaintext, micSize)
}

// AppendUnsecured appends an MLE message without security to b: the suite and plaintext (the command and TLVs).
func AppendUnsecured(b []byte, plaintext []byte) []byte {
	return append(append(b, byte(SuiteNone)), plaintext...)
}

// associatedData is what the MIC covers besides the plaintext: both IPv6 addresses and the auxiliary header, which aux
// starts with (draft-kelsey-intarea-mesh-link-establishment-06).
func associatedData(source, destination netip.Addr, aux []byte) (aad [aadSize]byte) {
	s, d := source.As16(), destination.As16()
	copy(aad[:], s[:])
	copy(aad[addrSize:], d[:])
	copy(aad[2*addrSize:], aux[:auxHeaderSize])
	return aad
}
