package lowpan

import (
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// MaxDatagramSize is the size of the largest datagram in bytes, uncompressed (RFC 4944 §4).
const MaxDatagramSize = ip6.MinMTU

// maxIPv6Headers is the number of IPv6 headers of one datagram that are compressed: a datagram and one tunnel around
// it (RFC 7731 §9.1), as Thread has it. A third travels as it is.
const maxIPv6Headers = 2

// Errors, returned unwrapped.
var (
	// ErrTruncated means that a frame ends within a header.
	ErrTruncated = errors.New("lowpan: truncated")
	// ErrMalformed means that a header holds a value that its standard forbids or that contradicts another one.
	ErrMalformed = errors.New("lowpan: malformed")
	// ErrUnsupported means that a dispatch or a compressed header is none that Thread uses.
	ErrUnsupported = errors.New("lowpan: unsupported dispatch")
	// ErrContext means that an address refers to a context that is not known.
	ErrContext = errors.New("lowpan: unknown context")
	// ErrSize means that a datagram is too large, or its length fields contradict its size.
	ErrSize = errors.New("lowpan: bad datagram size")
	// ErrRoom means that a frame has no room for the headers.
	ErrRoom = errors.New("lowpan: headers do not fit the frame")
	// ErrRange means that a value to be written does not fit its field.
	ErrRange = errors.New("lowpan: value out of range")
	// ErrFull means that the reassembler has no place for another datagram.
	ErrFull = errors.New("lowpan: too many datagrams in reassembly")
	// ErrRepeated means that a fragment belongs to a datagram that is complete already.
	ErrRepeated = errors.New("lowpan: fragment of a complete datagram")
)

// Dispatch is the kind of header that a frame's payload starts with.
type Dispatch uint8

// The kinds that Thread uses; all others are DispatchUnknown.
const (
	DispatchUnknown            Dispatch = iota
	DispatchMesh                        // mesh header (RFC 4944 §5.2)
	DispatchFirstFragment               // FRAG1 (RFC 4944 §5.3)
	DispatchSubsequentFragment          // FRAGN (RFC 4944 §5.3)
	DispatchIPHC                        // LOWPAN_IPHC (RFC 6282 §3.1)
)

// Bit patterns of the dispatch byte.
const (
	meshDispatch      = 0b10_000000
	meshDispatchMask  = 0b11_000000
	frag1Dispatch     = 0b11000_000
	fragNDispatch     = 0b11100_000
	fragDispatchMask  = 0b11111_000
	iphcDispatch      = 0b011_00000
	iphcDispatchMask  = 0b111_00000
	fragDispatchShift = 8 // to the upper byte of the first 16 bits
)

// DispatchOf returns the kind of header that b starts with.
func DispatchOf(b []byte) Dispatch {
	switch {
	case len(b) == 0:
		return DispatchUnknown
	case b[0]&meshDispatchMask == meshDispatch:
		return DispatchMesh
	case b[0]&fragDispatchMask == frag1Dispatch:
		return DispatchFirstFragment
	case b[0]&fragDispatchMask == fragNDispatch:
		return DispatchSubsequentFragment
	case b[0]&iphcDispatchMask == iphcDispatch:
		return DispatchIPHC
	default:
		return DispatchUnknown
	}
}

// String returns the name that the standards give the header.
func (d Dispatch) String() string {
	switch d {
	case DispatchMesh:
		return "MESH"
	case DispatchFirstFragment:
		return "FRAG1"
	case DispatchSubsequentFragment:
		return "FRAGN"
	case DispatchIPHC:
		return "LOWPAN_IPHC"
	case DispatchUnknown:
		return "unknown"
	default:
		return fmt.Sprintf("Dispatch(%d)", uint8(d))
	}
}
