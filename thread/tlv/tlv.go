// Package tlv walks and writes the type-length-value elements that MLE, MeshCoP, network management (TMF) and network
// diagnostic messages share (Thread 1.1 §4.5, §8.10).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|     Type      | Length 0..254 |  Value ...                    |
//	+---------------+---------------+-------------------------------+
//	|     Type      |  Length 0xff  |  Extended Length (big endian) |  Value ...
//	+---------------+---------------+-------------------------------+
//
// Network data has TLVs of another shape (a 7-bit type and a stable flag, no extended length); they live in package
// netdata. What a standard says of its types, their names and lengths, stands in a Table for all of them.
package tlv

import (
	"encoding/binary"
	"errors"
	"iter"
)

const (
	headerSize         = 2 // Type and Length
	extendedHeaderSize = 4 // Type, the escape and Extended Length
	extendedLength     = 0xff
)

// MaxLength is the longest value a TLV can carry, in bytes.
const MaxLength = 0xffff

// ErrTruncated says that a sequence of TLVs ends inside an element.
var ErrTruncated = errors.New("tlv: element exceeds its container")

// Next splits the first TLV off b, which must not be empty. The value and the rest alias b.
func Next[T ~uint8](b []byte) (typ T, value, rest []byte, err error) {
	if len(b) < headerSize {
		return 0, nil, nil, ErrTruncated
	}
	header, length := headerSize, int(b[1])
	if length == extendedLength {
		if len(b) < extendedHeaderSize {
			return 0, nil, nil, ErrTruncated
		}
		header, length = extendedHeaderSize, int(binary.BigEndian.Uint16(b[headerSize:]))
	}
	end := header + length
	if len(b) < end {
		return 0, nil, nil, ErrTruncated
	}
	return T(b[0]), b[header:end:end], b[end:], nil
}

// All yields the TLVs of b in their order and stops at the end or at the first element that exceeds b. Call Validate
// first where the difference matters. The values alias b.
func All[T ~uint8](b []byte) iter.Seq2[T, []byte] {
	return func(yield func(T, []byte) bool) {
		for len(b) > 0 {
			typ, value, rest, err := Next[T](b)
			if err != nil || !yield(typ, value) {
				return
			}
			b = rest
		}
	}
}

// Find returns the value of the first TLV of type typ in b, and whether there is one. The value aliases b.
func Find[T ~uint8](b []byte, typ T) ([]byte, bool) {
	for len(b) > 0 {
		t, value, rest, err := Next[T](b)
		if err != nil {
			return nil, false
		}
		if t == typ {
			return value, true
		}
		b = rest
	}
	return nil, false
}

// Validate reports ErrTruncated unless b is a whole number of TLVs. It does not look at types or values.
func Validate(b []byte) error {
	for len(b) > 0 {
		_, _, rest, err := Next[uint8](b)
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// Append appends a TLV with the given value to b. The extended form is used from 255 bytes on. A value longer than
// MaxLength, which no IPv6 datagram can hold, is cut.
func Append[T ~uint8](b []byte, typ T, value []byte) []byte {
	value = value[:min(len(value), MaxLength)]
	return append(AppendHeader(b, typ, len(value)), value...)
}

// AppendHeader appends the type and length of a TLV whose value the caller appends next. The length is in bytes, 0 to
// MaxLength.
func AppendHeader[T ~uint8](b []byte, typ T, length int) []byte {
	if length < extendedLength {
		return append(b, byte(typ), byte(length))
	}
	return binary.BigEndian.AppendUint16(append(b, byte(typ), extendedLength), uint16(length))
}
