package dhcp6

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// The UDP ports (RFC 8415 §7.2).
const (
	ClientPort = 546
	ServerPort = 547
)

// ErrMalformed says that a message is none, or not one of this package's kind.
var ErrMalformed = errors.New("dhcp6: malformed message")

// MaxAddresses is the number of addresses in a message that are parsed.
const MaxAddresses = 8

// Type is the type of a message (RFC 8415 §7.3).
type Type uint8

// The types that Thread nodes use.
const (
	Solicit Type = 1
	Reply   Type = 7
)

// String returns the type as RFC 8415 writes it.
func (t Type) String() string {
	switch t {
	case Solicit:
		return "Solicit"
	case Reply:
		return "Reply"
	}
	return "Type(" + string(rune('0'+t/100%10)) + string(rune('0'+t/10%10)) + string(rune('0'+t%10)) + ")"
}

// TransactionID tells one exchange from another. It has 24 bits.
type TransactionID [3]byte

// Forever is the lifetime of what does not end: 0xffffffff seconds.
const Forever = 0xffffffff * time.Second

// Address is an address in an IA_NA.
type Address struct {
	Addr             netip.Addr
	Preferred, Valid time.Duration // whole seconds, at most Forever
}

// Message is a Solicit or Reply.
type Message struct {
	Type          Type
	TransactionID TransactionID
	// Client and Server are the extended addresses in their identifiers; the zero address stands for none.
	Client, Server ieee802154.ExtAddr
	Elapsed        time.Duration // of a Solicit: since the first one; whole hundredths of a second
	HasIANA        bool
	IAID           uint32
	T1, T2         time.Duration // of the IA_NA
	Addresses      []Address     // in the IA_NA
	Failed         bool          // a Status Code says something else than Success
	RapidCommit    bool
}

// Option codes (RFC 8415 §21).
const (
	optionClientID    = 1
	optionServerID    = 2
	optionIANA        = 3
	optionIAAddress   = 5
	optionElapsedTime = 8
	optionStatusCode  = 13
	optionRapidCommit = 14
)

const (
	headerSize       = 4
	optionHeaderSize = 4
	duidSize         = 12 // DUID-LL with an EUI-64
	duidLL           = 3
	hardwareEUI64    = 27
	ianaSize         = 12
	addressSize      = 24
	addrSize         = 16
	elapsedSize      = 2
	statusSize       = 2
	hundredth        = 10 * time.Millisecond
)

// next splits the first option off b, which must not be empty.
func next(b []byte) (code uint16, data, rest []byte, err error) {
	if len(b) < optionHeaderSize {
		return 0, nil, nil, ErrMalformed
	}
	end := optionHeaderSize + int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < end {
		return 0, nil, nil, ErrMalformed
	}
	return binary.BigEndian.Uint16(b), b[optionHeaderSize:end], b[end:], nil
}

// ParseMessage parses a message: ErrMalformed if an option exceeds it or has not the form of its code, or an identifier is not a DUID-LL with
// an extended address. The type may be any.
func ParseMessage(b []byte) (m Message, err error) {
	if len(b) < headerSize {
		return Message{}, ErrMalformed
	}
	m.Type = Type(b[0])
	m.TransactionID = TransactionID(b[1:headerSize])
	for b = b[headerSize:]; len(b) > 0; {
		var code uint16
		var data []byte
		if code, data, b, err = next(b); err != nil {
			return Message{}, err
		}
		if err = m.parseOption(code, data); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

func (m *Message) parseOption(code uint16, data []byte) (err error) {
	switch code {
	case optionClientID:
		m.Client, err = parseDUID(data)
	case optionServerID:
		m.Server, err = parseDUID(data)
	case optionElapsedTime:
		if len(data) != elapsedSize {
			return ErrMalformed
		}
		m.Elapsed = time.Duration(binary.BigEndian.Uint16(data)) * hundredth
	case optionRapidCommit:
		m.RapidCommit = true
	case optionStatusCode:
		return m.parseStatus(data)
	case optionIANA:
		return m.parseIANA(data)
	}
	return err
}

func (m *Message) parseStatus(data []byte) error {
	if len(data) < statusSize {
		return ErrMalformed
	}
	m.Failed = m.Failed || binary.BigEndian.Uint16(data) != 0
	return nil
}

func parseDUID(data []byte) (ext ieee802154.ExtAddr, err error) {
	if len(data) != duidSize || binary.BigEndian.Uint16(data) != duidLL || binary.BigEndian.Uint16(data[2:]) != hardwareEUI64 {
		return ext, ErrMalformed
	}
	return ieee802154.ExtAddr(data[4:]), nil
}

func (m *Message) parseIANA(data []byte) (err error) {
	if len(data) < ianaSize || m.HasIANA {
		return ErrMalformed
	}
	m.HasIANA = true
	m.IAID, m.T1, m.T2 = binary.BigEndian.Uint32(data), seconds(data[4:]), seconds(data[8:])
	for b := data[ianaSize:]; len(b) > 0; {
		var code uint16
		var option []byte
		if code, option, b, err = next(b); err != nil {
			return err
		}
		switch code {
		case optionStatusCode:
			if err := m.parseStatus(option); err != nil {
				return err
			}
		case optionIAAddress:
			if len(option) < addressSize {
				return ErrMalformed
			}
			if len(m.Addresses) < MaxAddresses {
				m.Addresses = append(m.Addresses, Address{
					netip.AddrFrom16([addrSize]byte(option)), seconds(option[addrSize:]), seconds(option[addrSize+4:]),
				})
			}
		}
	}
	return nil
}

func seconds(b []byte) time.Duration { return time.Duration(binary.BigEndian.Uint32(b)) * time.Second }

func appendSeconds(b []byte, d time.Duration) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(min(max(d, 0), Forever)/time.Second))
}

func appendOption(b []byte, code uint16, size int) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, code), uint16(size))
}

func appendDUID(b []byte, code uint16, ext ieee802154.ExtAddr) []byte {
	if ext == (ieee802154.ExtAddr{}) {
		return b
	}
	b = appendOption(b, code, duidSize)
	b = binary.BigEndian.AppendUint16(b, duidLL)
	b = binary.BigEndian.AppendUint16(b, hardwareEUI64)
	return append(b, ext[:]...)
}

// AppendBinary appends the message to b, its options in the order in which OpenThread has them. It fails with ErrMalformed if an address is
// not one of IPv6, or if there are more than MaxAddresses.
func (m Message) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	if len(m.Addresses) > MaxAddresses {
		return b, ErrMalformed
	}
	b = append(append(b, byte(m.Type)), m.TransactionID[:]...)
	b = appendDUID(b, optionServerID, m.Server)
	if m.Type == Solicit {
		b = appendOption(b, optionElapsedTime, elapsedSize)
		b = binary.BigEndian.AppendUint16(b, uint16(min(max(m.Elapsed, 0)/hundredth, 0xffff)))
	}
	b = appendDUID(b, optionClientID, m.Client)
	if m.HasIANA {
		size := ianaSize + len(m.Addresses)*(optionHeaderSize+addressSize)
		if m.Type == Reply {
			size += optionHeaderSize + statusSize
		}
		b = appendOption(b, optionIANA, size)
		b = binary.BigEndian.AppendUint32(b, m.IAID)
		b = appendSeconds(appendSeconds(b, m.T1), m.T2)
		if m.Type == Reply {
			b = appendOption(b, optionStatusCode, statusSize)
			var status uint16
			if m.Failed {
				status = 1 // UnspecFail
			}
			b = binary.BigEndian.AppendUint16(b, status)
		}
		for _, a := range m.Addresses {
			if !a.Addr.Is6() {
				return b[:start], ErrMalformed
			}
			b = appendOption(b, optionIAAddress, addressSize)
			raw := a.Addr.As16()
			b = append(b, raw[:]...)
			b = appendSeconds(appendSeconds(b, a.Preferred), a.Valid)
		}
	}
	if m.RapidCommit {
		b = appendOption(b, optionRapidCommit, 0)
	}
	return b, nil
}
