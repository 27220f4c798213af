package lowpan

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/ip6"
)

// The fragment header (RFC 4944 §5.3).
const (
	frag1Size    = 4
	fragNSize    = 5
	fragSizeMask = 1<<11 - 1
	fragUnit     = 8 // bytes; offsets count them
)

// FragmentHeader is the header of a first fragment, whose Offset is 0, or of a subsequent one (RFC 4944 §5.3).
type FragmentHeader struct {
	DatagramSize uint16 // bytes of the whole datagram, uncompressed: 40 to 1280
	Tag          uint16 // the same in all fragments of a datagram
	Offset       uint16 // bytes of the uncompressed datagram before this fragment, a multiple of 8
}

// ParseFragmentHeader parses the fragment header at the start of b, which is [FragmentHeader.Size] bytes long there. A
// datagram size or an offset that no datagram can have is [ErrMalformed].
func ParseFragmentHeader(b []byte) (FragmentHeader, error) {
	r := reader{b: b}
	first := r.uint16()
	h := FragmentHeader{DatagramSize: first & fragSizeMask, Tag: r.uint16()}
	switch DispatchOf(b) {
	case DispatchFirstFragment:
		if !r.short && !h.valid() {
			return FragmentHeader{}, ErrMalformed
		}
	case DispatchSubsequentFragment:
		h.Offset = uint16(r.uint8()) * fragUnit
		if !r.short && (h.Offset == 0 || !h.valid()) {
			return FragmentHeader{}, ErrMalformed
		}
	default:
		if !r.short {
			return FragmentHeader{}, ErrUnsupported
		}
	}
	if r.short {
		return FragmentHeader{}, ErrTruncated
	}
	return h, nil
}

func (h FragmentHeader) valid() bool {
	return h.DatagramSize >= ip6.HeaderSize && h.DatagramSize <= MaxDatagramSize &&
		h.Offset%fragUnit == 0 && h.Offset < h.DatagramSize
}

// Size returns the length of the header in bytes: 4 for a first fragment and 5 for a subsequent one.
func (h FragmentHeader) Size() int {
	if h.Offset == 0 {
		return frag1Size
	}
	return fragNSize
}

// AppendBinary appends the header to b. It fails with [ErrRange] for what ParseFragmentHeader would refuse.
func (h FragmentHeader) AppendBinary(b []byte) ([]byte, error) {
	if !h.valid() {
		return b, ErrRange
	}
	dispatch := uint16(frag1Dispatch)
	if h.Offset != 0 {
		dispatch = fragNDispatch
	}
	b = binary.BigEndian.AppendUint16(b, dispatch<<fragDispatchShift|h.DatagramSize)
	b = binary.BigEndian.AppendUint16(b, h.Tag)
	if h.Offset != 0 {
		b = append(b, uint8(h.Offset/fragUnit))
	}
	return b, nil
}
