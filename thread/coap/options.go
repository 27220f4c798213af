package coap

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"strings"
)

// OptionNumber names an option (RFC 7252 §5.10).
type OptionNumber uint16

// The options of RFC 7252, and Observe of RFC 7641.
const (
	OptionIfMatch       OptionNumber = 1
	OptionURIHost       OptionNumber = 3
	OptionETag          OptionNumber = 4
	OptionIfNoneMatch   OptionNumber = 5
	OptionObserve       OptionNumber = 6
	OptionURIPort       OptionNumber = 7
	OptionLocationPath  OptionNumber = 8
	OptionURIPath       OptionNumber = 11
	OptionContentFormat OptionNumber = 12
	OptionMaxAge        OptionNumber = 14
	OptionURIQuery      OptionNumber = 15
	OptionAccept        OptionNumber = 17
	OptionLocationQuery OptionNumber = 20
	OptionProxyURI      OptionNumber = 35
	OptionProxyScheme   OptionNumber = 39
	OptionSize1         OptionNumber = 60
)

// critical reports whether a message must be rejected if its recipient does not know the option (RFC 7252 §5.4.1).
func (n OptionNumber) critical() bool { return n&1 != 0 }

// Content formats (RFC 7252 §12.3).
const (
	ContentFormatText        = 0
	ContentFormatOctetStream = 42
)

// Option format (RFC 7252 §3.1): a nibble up to 12 stands for itself, 13 and 14 announce one and two bytes more.
const (
	extended1       = 13
	extended2       = 14
	extended1Base   = 13
	extended2Base   = 269
	maxOptionNumber = 0xffff
	maxOptionLength = extended2Base + 0xffff
)

// MaxPathSegment is the longest segment of a path, in bytes (RFC 7252 §5.10).
const MaxPathSegment = 255

// Options is a sequence of encoded options in rising order of their numbers.
type Options []byte

// parsedOption is one option split off a sequence.
type parsedOption struct {
	delta int
	value []byte
	rest  []byte
}

// nextOption splits the first option off b, which is neither empty nor starts with the payload marker.
func nextOption(b []byte) (parsedOption, error) {
	first := b[0]
	delta, b, err := extend(first>>4, b[1:])
	if err != nil {
		return parsedOption{}, err
	}
	length, b, err := extend(first&0xf, b)
	if err != nil || length > len(b) {
		return parsedOption{}, ErrFormat
	}
	return parsedOption{delta: delta, value: b[:length:length], rest: b[length:]}, nil
}

// extend returns the number that a nibble and the bytes after it stand for, and what follows them.
func extend(nibble byte, b []byte) (int, []byte, error) {
	switch {
	case nibble < extended1:
		return int(nibble), b, nil
	case nibble == extended1 && len(b) >= 1:
		return extended1Base + int(b[0]), b[1:], nil
	case nibble == extended2 && len(b) >= 2:
		return extended2Base + int(binary.BigEndian.Uint16(b)), b[2:], nil
	default:
		return 0, nil, ErrFormat
	}
}

// All yields the options in their order. The values alias o.
func (o Options) All() iter.Seq2[OptionNumber, []byte] {
	return func(yield func(OptionNumber, []byte) bool) {
		number := 0
		for rest := []byte(o); len(rest) > 0; {
			p, err := nextOption(rest)
			number += p.delta
			if err != nil || number > maxOptionNumber || !yield(OptionNumber(number), p.value) {
				return
			}
			rest = p.rest
		}
	}
}

// Find returns the value of the first option with the given number, and whether there is one.
func (o Options) Find(number OptionNumber) ([]byte, bool) {
	for n, value := range o.All() {
		if n == number {
			return value, true
		}
	}
	return nil, false
}

// rejection returns the code that answers a request with a critical option that this package does not know, or does not do what it
// asks for (RFC 7252 §5.4.1, §5.7.2). It is Empty if there is none.
func (o Options) rejection() Code {
	for n := range o.All() {
		switch n {
		case OptionURIHost, OptionURIPort, OptionURIPath, OptionURIQuery, OptionAccept:
		case OptionProxyURI, OptionProxyScheme:
			return ProxyingNotSupported
		default:
			if n.critical() {
				return BadOption
			}
		}
	}
	return Empty
}

// Uint returns the value of the first option with the given number as an unsigned integer (RFC 7252 §3.2), and whether
// there is one of at most 4 bytes.
func (o Options) Uint(number OptionNumber) (uint32, bool) {
	value, ok := o.Find(number)
	if !ok || len(value) > 4 {
		return 0, false
	}
	var v uint32
	for _, c := range value {
		v = v<<8 | uint32(c)
	}
	return v, true
}

// Append appends an option. The number must not be below that of the last one in o; ErrOption otherwise.
func (o Options) Append(number OptionNumber, value []byte) (Options, error) {
	var last OptionNumber
	for n := range o.All() {
		last = n
	}
	if number < last || len(value) > maxOptionLength {
		return o, ErrOption
	}
	deltaNibble, deltaExt := shorten(int(number - last))
	lengthNibble, lengthExt := shorten(len(value))
	o = append(o, deltaNibble<<4|lengthNibble)
	o = appendExtension(o, deltaNibble, deltaExt)
	o = appendExtension(o, lengthNibble, lengthExt)
	return append(o, value...), nil
}

// shorten returns the nibble for v, and what its extension holds.
func shorten(v int) (nibble byte, extension uint16) {
	switch {
	case v < extended1Base:
		return byte(v), 0
	case v < extended2Base:
		return extended1, uint16(v - extended1Base)
	default:
		return extended2, uint16(v - extended2Base)
	}
}

func appendExtension(b []byte, nibble byte, extension uint16) []byte {
	switch nibble {
	case extended1:
		return append(b, byte(extension))
	case extended2:
		return binary.BigEndian.AppendUint16(b, extension)
	default:
		return b
	}
}

// AppendUint appends an option whose value is an unsigned integer in as few bytes as hold it (RFC 7252 §3.2).
func (o Options) AppendUint(number OptionNumber, v uint32) (Options, error) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return o.Append(number, b[bits.LeadingZeros32(v)/8:])
}

// AppendURIPath appends a Uri-Path option for every segment of path, which is written without a leading slash: "a/as". The
// empty path, the root, has none.
func (o Options) AppendURIPath(path string) (Options, error) {
	if path == "" {
		return o, nil
	}
	var err error
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) > MaxPathSegment {
			return o, ErrOption
		}
		if o, err = o.Append(OptionURIPath, []byte(segment)); err != nil {
			return o, err
		}
	}
	return o, nil
}

// URIPath returns the segments of the Uri-Path options joined by slashes; empty without such options.
func (o Options) URIPath() string {
	var path strings.Builder
	first := true
	for n, value := range o.All() {
		if n != OptionURIPath {
			continue
		}
		if !first {
			path.WriteByte('/')
		}
		first = false
		path.Write(value)
	}
	return path.String()
}
